-- The first schema that was released, with rows as that release wrote them.
-- Never changed: a later program opens such a file and brings it forward.
CREATE TABLE manifest (
 epoch INTEGER PRIMARY KEY,
 object BLOB NOT NULL) STRICT;
CREATE TABLE study (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 name TEXT NOT NULL UNIQUE,
 digest BLOB NOT NULL UNIQUE,
 object BLOB NOT NULL,
 status INTEGER NOT NULL DEFAULT 0,
 why TEXT NOT NULL DEFAULT '',
 last_round INTEGER NOT NULL DEFAULT 0,
 cohort BLOB) STRICT;
CREATE TABLE step (
 study INTEGER NOT NULL REFERENCES study(id),
 idx INTEGER NOT NULL,
 state BLOB NOT NULL,
 plan BLOB NOT NULL,
 round INTEGER NOT NULL,
 kind TEXT NOT NULL,
 utc INTEGER NOT NULL,
 sites BLOB NOT NULL,
 result BLOB NOT NULL,
 PRIMARY KEY (study, idx)) STRICT;
CREATE TABLE round (
 study INTEGER PRIMARY KEY REFERENCES study(id),
 number INTEGER NOT NULL,
 body BLOB NOT NULL) STRICT;
INSERT INTO manifest (epoch, object) VALUES (3, x'0102');
INSERT INTO study (name, digest, object, status, why, last_round, cohort) VALUES ('rfs',
 x'0707070707070707070707070707070707070707070707070707070707070707', x'08', 0, '', 9,
 x'000a000b000c');
INSERT INTO step (study, idx, state, plan, round, kind, utc, sites, result) VALUES (1, 1,
 x'0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c', x'0d', 8,
 'newton', 1764000002, x'000a000b000c', x'0e');
INSERT INTO round (study, number, body) VALUES (1, 9, x'0f');

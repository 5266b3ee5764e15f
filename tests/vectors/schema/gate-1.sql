-- The first schema that was released, with rows as that release wrote them.
-- Never changed: a later program opens such a file and brings it forward.
CREATE TABLE manifest (
 epoch INTEGER PRIMARY KEY,
 object BLOB NOT NULL) STRICT;
CREATE TABLE prekey (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 record BLOB NOT NULL,
 secret BLOB NOT NULL,
 expires INTEGER NOT NULL,
 study INTEGER,
 round INTEGER) STRICT;
CREATE TABLE study (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 name TEXT NOT NULL UNIQUE,
 digest BLOB NOT NULL UNIQUE,
 object BLOB NOT NULL,
 status INTEGER NOT NULL,
 why TEXT NOT NULL,
 last_round INTEGER NOT NULL DEFAULT 0,
 job INTEGER NOT NULL DEFAULT 0,
 report BLOB, digest_table BLOB,
 n_rows INTEGER NOT NULL DEFAULT 0,
 cohort BLOB) STRICT;
CREATE TABLE job (
 number INTEGER PRIMARY KEY AUTOINCREMENT,
 study INTEGER NOT NULL REFERENCES study(id),
 utc INTEGER NOT NULL) STRICT;
CREATE TABLE decision (
 number INTEGER PRIMARY KEY AUTOINCREMENT,
 study INTEGER NOT NULL REFERENCES study(id),
 utc INTEGER NOT NULL,
 object BLOB NOT NULL) STRICT;
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
 study INTEGER NOT NULL REFERENCES study(id),
 number INTEGER NOT NULL,
 idx INTEGER NOT NULL,
 body BLOB NOT NULL,
 PRIMARY KEY (study, number)) STRICT;
INSERT INTO manifest (epoch, object) VALUES (3, x'0102');
INSERT INTO prekey (id, record, secret, expires) VALUES (5, x'05', x'06', 4102444800);
INSERT INTO study (name, digest, object, status, why, last_round, job, report,
 digest_table, n_rows, cohort) VALUES ('rfs',
 x'0707070707070707070707070707070707070707070707070707070707070707', x'08', 3, '', 9, 2,
 x'0909090909090909090909090909090909090909090909090909090909090909',
 x'0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 686, x'000a000b000c');
INSERT INTO job (number, study, utc) VALUES (2, 1, 1764000000);
INSERT INTO decision (study, utc, object) VALUES (1, 1764000001, x'0b');
INSERT INTO step (study, idx, state, plan, round, kind, utc, sites, result) VALUES (1, 1,
 x'0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c', x'0d', 8,
 'newton', 1764000002, x'000a000b000c', x'0e');

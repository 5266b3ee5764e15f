#include "coordinator/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"
#include "common/macros.h"

struct book {
	struct db *db;
};

#define ROUND_SUM "checksum(study, number, body)"

static const char *const schema[] = {
	"CREATE TABLE manifest ("
	" epoch INTEGER PRIMARY KEY,"
	" object BLOB NOT NULL) STRICT;"
	"CREATE TABLE study ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE,"
	" digest BLOB NOT NULL UNIQUE,"
	" object BLOB NOT NULL,"
	" status INTEGER NOT NULL DEFAULT 0,"
	" why TEXT NOT NULL DEFAULT '',"
	" last_round INTEGER NOT NULL DEFAULT 0,"
	" cohort BLOB) STRICT;" STEPS_TABLE "CREATE TABLE round ("
	" study INTEGER PRIMARY KEY REFERENCES study(id),"
	" number INTEGER NOT NULL,"
	" body BLOB NOT NULL) STRICT;",
	"CREATE TABLE checked ("
	" study INTEGER NOT NULL REFERENCES study(id),"
	" idx INTEGER NOT NULL,"
	" site INTEGER NOT NULL,"
	" sig BLOB NOT NULL,"
	" PRIMARY KEY (study, idx, site)) STRICT;",
	/* How far each site's audit log was when we countersigned it. */
	"CREATE TABLE checkpoint ("
	" site INTEGER PRIMARY KEY,"
	" key BLOB NOT NULL,"
	" lines INTEGER NOT NULL,"
	" head BLOB NOT NULL) STRICT;",
	STEPS_GUARD
	"ALTER TABLE round ADD COLUMN sum BLOB NOT NULL DEFAULT x'';"
	"UPDATE round SET sum = " ROUND_SUM ";",
	/* As the site has signed it, to be shown to it. */
	"ALTER TABLE checkpoint ADD COLUMN object BLOB NOT NULL DEFAULT x'';",
};

static const char *const status_names[] = {
	[BOOK_RUNNING] = "running",
	[BOOK_DONE] = "done",
	[BOOK_STOPPED] = "stopped",
};

const char *
book_status_name(enum book_status status)
{
	return status_names[status];
}

struct book *
book_open(const char *path, struct err *err)
{
	struct book *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_sys(err, "open %s", path);
		return NULL;
	}
	if ((b->db = db_open(path, schema, nitems(schema), err)) == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

void
book_close(struct book *b)
{
	if (b == NULL)
		return;
	db_close(b->db);
	free(b);
}

int
book_begin(struct book *b, struct err *err)
{
	return db_begin(b->db, err);
}

int
book_commit(struct book *b, struct err *err)
{
	return db_commit(b->db, err);
}

void
book_rollback(struct book *b)
{
	db_rollback(b->db);
}

int
book_put_manifest(struct book *b, uint32_t epoch, const void *object,
    size_t len, struct err *err)
{
	return db_run(b->db, err,
	    "INSERT INTO manifest (epoch, object) VALUES (?, ?)", "ib",
	    (int64_t)epoch, object, len);
}

int
book_get_manifest(struct book *b, struct canon *out, struct err *err)
{
	return db_one(
	    db_query(b->db, err,
		"SELECT object FROM manifest ORDER BY epoch DESC LIMIT 1", ""),
	    out, err);
}

int
book_manifest_of(
    struct book *b, uint32_t epoch, struct canon *out, struct err *err)
{
	return db_one(
	    db_query(b->db, err, "SELECT object FROM manifest WHERE epoch = ?",
		"i", (int64_t)epoch),
	    out, err);
}

int
book_manifest_after(
    struct book *b, uint32_t epoch, struct canon *out, struct err *err)
{
	return db_one(db_query(b->db, err,
			  "SELECT object FROM manifest WHERE epoch > ?"
			  " ORDER BY epoch LIMIT 1",
			  "i", (int64_t)epoch),
	    out, err);
}

int
book_add_study(struct book *b, const char *name,
    const uint8_t digest[BOOK_DIGEST], const void *object, size_t len,
    struct err *err)
{
	return db_run(b->db, err,
	    "INSERT INTO study (name, digest, object) VALUES (?, ?, ?)", "sbb",
	    name, digest, (size_t)BOOK_DIGEST, object, len);
}

#define STUDY_COLUMNS                                                          \
	"SELECT id, name, digest, status, why, last_round, cohort FROM study "

static int
read_study(struct db_query *q, struct book_study *out, struct err *err)
{
	int rv = db_row(q, err);

	if (rv != 1)
		return rv;
	out->id = db_int(q, 0);
	snprintf(out->name, sizeof(out->name), "%s", db_str(q, 1));
	db_digest(q, 2, out->digest);
	out->status = (enum book_status)db_int(q, 3);
	snprintf(out->why, sizeof(out->why), "%s", db_str(q, 4));
	out->last_round = (uint64_t)db_int(q, 5);
	out->n_cohort = db_u16s(q, 6, out->cohort, BOOK_SITES_MAX);
	db_done(q);
	if ((size_t)out->status >= nitems(status_names))
		return err_set(err, ERR_FORMAT, "study %s: unknown status %d",
		    out->name, (int)out->status);
	return 1;
}

int
book_study_by_name(
    struct book *b, const char *name, struct book_study *out, struct err *err)
{
	return read_study(
	    db_query(b->db, err, STUDY_COLUMNS "WHERE name = ?", "s", name),
	    out, err);
}

int
book_study_after(
    struct book *b, int64_t id, struct book_study *out, struct err *err)
{
	return read_study(
	    db_query(b->db, err,
		STUDY_COLUMNS "WHERE id > ? ORDER BY id LIMIT 1", "i", id),
	    out, err);
}

int
book_study_object(
    struct book *b, int64_t id, struct canon *out, struct err *err)
{
	return db_one(db_query(b->db, err,
			  "SELECT object FROM study WHERE id = ?", "i", id),
	    out, err);
}

int
book_set_status(struct book *b, int64_t study, enum book_status status,
    const char *why, struct err *err)
{
	return db_run(b->db, err,
	    "UPDATE study SET status = ?, why = ? WHERE id = ?", "isi",
	    (int64_t)status, why, study);
}

int
book_set_cohort(struct book *b, int64_t study, const uint16_t *sites, size_t n,
    struct err *err)
{
	return db_run(b->db, err, "UPDATE study SET cohort = ? WHERE id = ?",
	    "ni", sites, n, study);
}

int
book_add_step(struct book *b, int64_t study, const struct step *step,
    const void *plan, size_t plan_len, const void *result, size_t result_len,
    struct err *err)
{
	return step_add(
	    b->db, study, step, plan, plan_len, result, result_len, err);
}

int
book_get_step(struct book *b, int64_t study, uint32_t idx, struct step *step,
    struct canon *plan, struct canon *result, struct err *err)
{
	return step_get(b->db, study, idx, step, plan, result, err);
}

static int
get_idx(struct db_query *q, uint32_t *idx, struct err *err)
{
	int rv = db_row(q, err);

	if (rv == 1) {
		*idx = (uint32_t)db_int(q, 0);
		db_done(q);
	}
	return rv;
}

int
book_find_round(struct book *b, int64_t study, uint64_t round, uint32_t *idx,
    struct err *err)
{
	return get_idx(db_query(b->db, err,
			   "SELECT idx FROM step"
			   " WHERE study = ? AND round = ? AND idx > 0",
			   "ii", study, (int64_t)round),
	    idx, err);
}

int
book_find_state(struct book *b, int64_t study, const uint8_t state[BOOK_DIGEST],
    uint32_t *idx, struct err *err)
{
	return get_idx(db_query(b->db, err,
			   "SELECT idx FROM step"
			   " WHERE study = ? AND state = ? AND idx > 0",
			   "ib", study, state, (size_t)BOOK_DIGEST),
	    idx, err);
}

int
book_put_checked(struct book *b, int64_t study, uint32_t idx, uint16_t site,
    const uint8_t sig[BOOK_SIGNATURE], struct err *err)
{
	return db_run(b->db, err,
	    "INSERT OR REPLACE INTO checked (study, idx, site, sig)"
	    " VALUES (?, ?, ?, ?)",
	    "iiib", study, (int64_t)idx, (int64_t)site, sig,
	    (size_t)BOOK_SIGNATURE);
}

int
book_get_checked(struct book *b, int64_t study, uint32_t idx, uint16_t *sites,
    uint8_t (*sigs)[BOOK_SIGNATURE], size_t max, size_t *n, struct err *err)
{
	struct db_query *q = db_query(b->db, err,
	    "SELECT site, sig FROM checked"
	    " WHERE study = ? AND idx = ? ORDER BY site",
	    "ii", study, (int64_t)idx);
	int rv;

	*n = 0;
	if (q == NULL)
		return -1;
	while ((rv = db_row(q, err)) == 1) {
		size_t len;
		const uint8_t *sig = db_blob(q, 1, &len);

		if (*n == max || len != BOOK_SIGNATURE)
			continue;
		sites[*n] = (uint16_t)db_int(q, 0);
		memcpy(sigs[(*n)++], sig, len);
	}
	return rv;
}

int
book_new_round(struct book *b, int64_t study, uint64_t *round, struct err *err)
{
	struct db_query *q;

	if (db_run(b->db, err,
		"UPDATE study SET last_round = last_round + 1 WHERE id = ?",
		"i", study) < 0)
		return -1;
	q = db_query(b->db, err, "SELECT last_round FROM study WHERE id = ?",
	    "i", study);
	switch (db_row(q, err)) {
	case 1:
		*round = (uint64_t)db_int(q, 0);
		db_done(q);
		return 0;
	case 0:
		return err_set(err, ERR_FORMAT, "no such study");
	default:
		return -1;
	}
}

int
book_skip_rounds(struct book *b, int64_t study, uint64_t round, struct err *err)
{
	return db_run(b->db, err,
	    "UPDATE study SET last_round = max(last_round, ?) WHERE id = ?",
	    "ii", (int64_t)round, study);
}

int
book_put_round(struct book *b, int64_t study, uint64_t round, const void *body,
    size_t len, struct err *err)
{
	return db_run(b->db, err,
	    "INSERT INTO round (study, number, body, sum)"
	    " VALUES (?1, ?2, ?3, checksum(?1, ?2, ?3))"
	    " ON CONFLICT (study) DO UPDATE SET number = excluded.number,"
	    " body = excluded.body, sum = excluded.sum",
	    "iib", study, (int64_t)round, body, len);
}

int
book_get_round(struct book *b, int64_t study, uint64_t *round,
    struct canon *body, struct err *err)
{
	struct db_query *q = db_query(b->db, err,
	    "SELECT body, number, sum = " ROUND_SUM
	    ", (SELECT name FROM study WHERE id = round.study) FROM round"
	    " WHERE study = ?",
	    "i", study);
	int rv = db_row(q, err);

	if (rv != 1)
		return rv;
	*round = (uint64_t)db_int(q, 1);
	if (db_int(q, 2) == 0)
		rv = err_set(err, ERR_FORMAT,
		    "study %s, round %llu: not as it was written: the database "
		    "is damaged",
		    db_str(q, 3), (unsigned long long)*round);
	else if (db_append(q, 0, body, err) < 0)
		rv = -1;
	db_done(q);
	return rv;
}

int
book_drop_round(struct book *b, int64_t study, struct err *err)
{
	return db_run(
	    b->db, err, "DELETE FROM round WHERE study = ?", "i", study);
}

int
book_put_checkpoint(struct book *b, uint16_t site,
    const struct book_checkpoint *c, const void *object, size_t len,
    struct err *err)
{
	return db_run(b->db, err,
	    "INSERT OR REPLACE INTO checkpoint"
	    " (site, key, lines, head, object) VALUES (?, ?, ?, ?, ?)",
	    "ibibb", (int64_t)site, c->key, sizeof(c->key), (int64_t)c->lines,
	    c->head, sizeof(c->head), object, len);
}

int
book_checkpoint_object(
    struct book *b, uint16_t site, struct canon *out, struct err *err)
{
	return db_one(
	    db_query(b->db, err, "SELECT object FROM checkpoint WHERE site = ?",
		"i", (int64_t)site),
	    out, err);
}

int
book_get_checkpoint(
    struct book *b, uint16_t site, struct book_checkpoint *c, struct err *err)
{
	struct db_query *q = db_query(b->db, err,
	    "SELECT key, lines, head FROM checkpoint WHERE site = ?", "i",
	    (int64_t)site);
	int rv = db_row(q, err);

	if (rv != 1)
		return rv;
	db_digest(q, 0, c->key);
	c->lines = (uint64_t)db_int(q, 1);
	db_digest(q, 2, c->head);
	db_done(q);
	return 1;
}

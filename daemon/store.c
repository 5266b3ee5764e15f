#include "daemon/store.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/vault.h"

struct store {
	struct db *db;
	uint8_t *vault; /* VAULT_KEY bytes, in guarded memory */
};

#define CHARGE_SUM "checksum(study, round, utc, rho)"

static const char *const schema[] = {
	"CREATE TABLE manifest ("
	" epoch INTEGER PRIMARY KEY,"
	" object BLOB NOT NULL) STRICT;"
	"CREATE TABLE prekey ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" record BLOB NOT NULL,"
	" secret BLOB NOT NULL,"
	" expires INTEGER NOT NULL,"
	" study INTEGER,"
	" round INTEGER) STRICT;"
	"CREATE TABLE study ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE,"
	" digest BLOB NOT NULL UNIQUE,"
	" object BLOB NOT NULL,"
	" status INTEGER NOT NULL,"
	" why TEXT NOT NULL,"
	" last_round INTEGER NOT NULL DEFAULT 0,"
	" job INTEGER NOT NULL DEFAULT 0,"
	" report BLOB, digest_table BLOB,"
	" n_rows INTEGER NOT NULL DEFAULT 0,"
	" cohort BLOB) STRICT;"
	"CREATE TABLE job ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" study INTEGER NOT NULL REFERENCES study(id),"
	" utc INTEGER NOT NULL) STRICT;"
	"CREATE TABLE decision ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" study INTEGER NOT NULL REFERENCES study(id),"
	" utc INTEGER NOT NULL,"
	" object BLOB NOT NULL) STRICT;" STEPS_TABLE "CREATE TABLE round ("
	" study INTEGER NOT NULL REFERENCES study(id),"
	" number INTEGER NOT NULL,"
	" idx INTEGER NOT NULL,"
	" body BLOB NOT NULL,"
	" PRIMARY KEY (study, number)) STRICT;",
	/* How many answers have been stored, ever; whether the database was
	   found to be an old one; and the step from which on a study's rounds
	   are answered again. */
	"CREATE TABLE counter ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" answers INTEGER NOT NULL,"
	" restored INTEGER NOT NULL) STRICT;"
	"INSERT INTO counter VALUES (1, 0, 0);"
	"ALTER TABLE study ADD COLUMN answer_from INTEGER NOT NULL DEFAULT 0;",
	"ALTER TABLE study ADD COLUMN checked BLOB NOT NULL DEFAULT x'';",
	"CREATE TABLE identity ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" key BLOB NOT NULL) STRICT;",
	/* What noised uploads reveal, by upload.  A study's lines outlive it. */
	"CREATE TABLE charge ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" study INTEGER NOT NULL REFERENCES study(id),"
	" round INTEGER NOT NULL,"
	" utc INTEGER NOT NULL,"
	" rho REAL NOT NULL) STRICT;",
	/* Of the preparation that counts: when it was made, when an officer
	   first fetched its report, and whether the table was deleted. */
	"ALTER TABLE study ADD COLUMN prepared INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE study ADD COLUMN report_read INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE study ADD COLUMN table_gone INTEGER NOT NULL DEFAULT 0;",
	/* For a study that the lost time may have known, and we do not. */
	"ALTER TABLE counter ADD COLUMN answer_from INTEGER NOT NULL DEFAULT "
	"0;",
	STEPS_GUARD
	"ALTER TABLE charge ADD COLUMN sum BLOB NOT NULL DEFAULT x'';"
	"UPDATE charge SET sum = " CHARGE_SUM ";",
};

static const char *const status_names[] = {
	[STATUS_RECEIVED] = "received",
	[STATUS_REFUSED_POLICY] = "refused",
	[STATUS_PREPARED] = "prepared",
	[STATUS_APPROVED] = "approved",
	[STATUS_REFUSED] = "refused",
	[STATUS_DONE] = "done",
};

const char *
study_status_name(enum study_status status)
{
	return status_names[status];
}

struct store *
store_open(const char *path, const struct key *identity, struct err *err)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_sys(err, "open %s", path);
		return NULL;
	}
	if (sodium_init() < 0 ||
	    (s->vault = sodium_malloc(VAULT_KEY)) == NULL) {
		err_sys(err, "memory for a key");
		store_close(s);
		return NULL;
	}
	vault_key(identity, s->vault);
	if ((s->db = db_open(path, schema, nitems(schema), err)) == NULL) {
		store_close(s);
		return NULL;
	}
	return s;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	db_close(s->db);
	sodium_free(s->vault); /* wipes */
	free(s);
}

int
store_begin(struct store *s, struct err *err)
{
	return db_begin(s->db, err);
}

int
store_commit(struct store *s, struct err *err)
{
	return db_commit(s->db, err);
}

void
store_rollback(struct store *s)
{
	db_rollback(s->db);
}

int
store_put_manifest(struct store *s, uint32_t epoch, const void *object,
    size_t len, struct err *err)
{
	return db_run(s->db, err,
	    "INSERT INTO manifest (epoch, object) VALUES (?, ?)", "ib",
	    (int64_t)epoch, object, len);
}

int
store_get_manifest(struct store *s, struct canon *out, struct err *err)
{
	return db_one(
	    db_query(s->db, err,
		"SELECT object FROM manifest ORDER BY epoch DESC LIMIT 1", ""),
	    out, err);
}

int
store_manifest_of(
    struct store *s, uint32_t epoch, struct canon *out, struct err *err)
{
	return db_one(
	    db_query(s->db, err, "SELECT object FROM manifest WHERE epoch = ?",
		"i", (int64_t)epoch),
	    out, err);
}

int
store_epoch_after(
    struct store *s, uint32_t epoch, uint32_t *next, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT epoch FROM manifest WHERE epoch > ? ORDER BY epoch LIMIT 1",
	    "i", (int64_t)epoch);
	int rv = db_row(q, err);

	if (rv == 1) {
		*next = (uint32_t)db_int(q, 0);
		db_done(q);
	}
	return rv;
}

static void
prekey_ad(uint32_t id, char out[32])
{
	snprintf(out, 32, "prekey %u", id);
}

int
store_put_prekey(struct store *s, uint32_t id, const void *record,
    size_t record_len, const uint8_t secret[32], int64_t expires,
    struct err *err)
{
	struct canon box = { 0 };
	char ad[32];
	int rv = -1;

	prekey_ad(id, ad);
	if (vault_seal(s->vault, ad, secret, 32, &box, err) == 0)
		rv = db_run(s->db, err,
		    "INSERT INTO prekey (id, record, secret, expires)"
		    " VALUES (?, ?, ?, ?)",
		    "ibbi", (int64_t)id, record, record_len, box.data, box.len,
		    expires);
	canon_free(&box);
	return rv;
}

int
store_promise_prekey(struct store *s, int64_t study, uint64_t round,
    int64_t utc, uint32_t *id, struct canon *record, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT id, record FROM prekey"
	    " WHERE study IS NULL AND expires > ? ORDER BY id LIMIT 1",
	    "i", utc);
	int rv = db_row(q, err);

	if (rv == 0)
		return err_set(err, ERR_REFUSED, "no prekey left");
	if (rv < 0)
		return -1;
	*id = (uint32_t)db_int(q, 0);
	rv = db_append(q, 1, record, err);
	db_done(q);
	if (rv < 0)
		return -1;
	return db_run(s->db, err,
	    "UPDATE prekey SET study = ?, round = ? WHERE id = ?", "iii", study,
	    (int64_t)round, (int64_t)*id);
}

int
store_take_prekey(
    struct store *s, uint32_t id, uint8_t secret[32], struct err *err)
{
	struct canon box = { 0 }, plain = { 0 };
	struct db_query *q;
	char ad[32];
	int rv = -1;

	q = db_query(s->db, err, "SELECT secret FROM prekey WHERE id = ?", "i",
	    (int64_t)id);
	switch (db_row(q, err)) {
	case 0:
		return err_set(
		    err, ERR_REFUSED, "prekey %u has been used already", id);
	case -1:
		return -1;
	}
	rv = db_append(q, 0, &box, err);
	db_done(q);
	if (rv < 0)
		goto out;
	rv = -1;
	prekey_ad(id, ad);
	if (vault_open(s->vault, ad, box.data, box.len, &plain, err) < 0)
		goto out;
	assert(plain.len == 32); /* sealed by ourselves */
	if (db_run(s->db, err, "DELETE FROM prekey WHERE id = ?", "i",
		(int64_t)id) < 0)
		goto out;
	memcpy(secret, plain.data, 32);
	rv = 0;
out:
	canon_free(&box);
	canon_free(&plain);
	return rv;
}

int
store_count_prekeys(
    struct store *s, int64_t utc, size_t *n, uint32_t *next_id, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT (SELECT count(*) FROM prekey"
	    "  WHERE study IS NULL AND expires > ?),"
	    " coalesce((SELECT seq FROM sqlite_sequence"
	    "  WHERE name = 'prekey'), 0)",
	    "i", utc);

	if (db_row(q, err) != 1)
		return -1;
	*n = (size_t)db_int(q, 0);
	*next_id = (uint32_t)db_int(q, 1) + 1;
	db_done(q);
	return 0;
}

int
store_drop_prekeys(struct store *s, struct err *err)
{
	return db_run(s->db, err, "DELETE FROM prekey", "");
}

int
store_add_study(struct store *s, const char *name,
    const uint8_t digest[STORE_DIGEST], const void *object, size_t len,
    enum study_status status, const char *why, struct err *err)
{
	return db_run(s->db, err,
	    "INSERT INTO study (name, digest, object, status, why,"
	    " answer_from) VALUES (?, ?, ?, ?, ?,"
	    " (SELECT answer_from FROM counter))",
	    "sbbis", name, digest, (size_t)STORE_DIGEST, object, len,
	    (int64_t)status, why);
}

#define STUDY_COLUMNS                                                          \
	"SELECT id, name, digest, status, why, last_round, job, report,"       \
	" digest_table, n_rows, cohort, prepared, report_read, table_gone"     \
	" FROM study "

static int
read_study(struct db_query *q, struct store_study *out, struct err *err)
{
	int rv = db_row(q, err);

	if (rv != 1)
		return rv;
	out->id = db_int(q, 0);
	snprintf(out->name, sizeof(out->name), "%s", db_str(q, 1));
	db_digest(q, 2, out->digest);
	out->status = (enum study_status)db_int(q, 3);
	snprintf(out->why, sizeof(out->why), "%s", db_str(q, 4));
	out->last_round = (uint64_t)db_int(q, 5);
	out->job = db_int(q, 6);
	db_digest(q, 7, out->report);
	db_digest(q, 8, out->table);
	out->n_rows = (uint64_t)db_int(q, 9);
	out->n_cohort = db_u16s(q, 10, out->cohort, nitems(out->cohort));
	out->prepared = db_int(q, 11);
	out->report_read = db_int(q, 12);
	out->table_gone = db_int(q, 13) != 0;
	db_done(q);
	if ((size_t)out->status >= nitems(status_names))
		return err_set(err, ERR_FORMAT, "study %s: unknown status %d",
		    out->name, (int)out->status);
	return 1;
}

int
store_study_by_name(
    struct store *s, const char *name, struct store_study *out, struct err *err)
{
	return read_study(
	    db_query(s->db, err, STUDY_COLUMNS "WHERE name = ?", "s", name),
	    out, err);
}

int
store_study_by_digest(struct store *s, const uint8_t digest[STORE_DIGEST],
    struct store_study *out, struct err *err)
{
	return read_study(db_query(s->db, err, STUDY_COLUMNS "WHERE digest = ?",
			      "b", digest, (size_t)STORE_DIGEST),
	    out, err);
}

int
store_get_study(
    struct store *s, int64_t id, struct store_study *out, struct err *err)
{
	int rv = read_study(
	    db_query(s->db, err, STUDY_COLUMNS "WHERE id = ?", "i", id), out,
	    err);

	assert(rv != 0); /* none is ever deleted */
	return rv < 0 ? -1 : 0;
}

int
store_study_after(
    struct store *s, int64_t id, struct store_study *out, struct err *err)
{
	return read_study(
	    db_query(s->db, err,
		STUDY_COLUMNS "WHERE id > ? ORDER BY id LIMIT 1", "i", id),
	    out, err);
}

int
store_study_object(
    struct store *s, int64_t id, struct canon *out, struct err *err)
{
	return db_one(db_query(s->db, err,
			  "SELECT object FROM study WHERE id = ?", "i", id),
	    out, err);
}

int
store_set_status(struct store *s, int64_t study, enum study_status status,
    const char *why, struct err *err)
{
	return db_run(s->db, err,
	    "UPDATE study SET status = ?, why = ? WHERE id = ?", "isi",
	    (int64_t)status, why, study);
}

int
store_set_last_round(
    struct store *s, int64_t study, uint64_t round, struct err *err)
{
	return db_run(s->db, err,
	    "UPDATE study SET last_round = ? WHERE id = ?", "ii",
	    (int64_t)round, study);
}

int
store_set_cohort(struct store *s, int64_t study, const uint16_t *sites,
    size_t n, struct err *err)
{
	return db_run(s->db, err, "UPDATE study SET cohort = ? WHERE id = ?",
	    "ni", sites, n, study);
}

int
store_set_checked(struct store *s, int64_t study, const void *msg, size_t len,
    struct err *err)
{
	return db_run(s->db, err, "UPDATE study SET checked = ? WHERE id = ?",
	    "bi", len != 0 ? msg : "", len, study);
}

int
store_get_checked(
    struct store *s, int64_t study, struct canon *out, struct err *err)
{
	return db_one(db_query(s->db, err,
			  "SELECT checked FROM study WHERE id = ?", "i", study),
	    out, err);
}

int
store_new_job(struct store *s, int64_t study, int64_t *job, struct err *err)
{
	struct db_query *q;

	if (db_run(s->db, err, "INSERT INTO job (study, utc) VALUES (?, ?)",
		"ii", study, clock_utc()) < 0)
		return -1;
	q = db_query(s->db, err, "SELECT max(number) FROM job", "");
	if (db_row(q, err) != 1)
		return -1;
	*job = db_int(q, 0);
	db_done(q);
	return 0;
}

int
store_set_prepared(struct store *s, int64_t study, int64_t job,
    const uint8_t report[STORE_DIGEST], const uint8_t table[STORE_DIGEST],
    uint64_t n_rows, struct err *err)
{
	return db_run(s->db, err,
	    "UPDATE study SET status = ?, why = '', job = ?, report = ?,"
	    " digest_table = ?, n_rows = ?, prepared = ?, report_read = 0,"
	    " table_gone = 0 WHERE id = ?",
	    "iibbiii", (int64_t)STATUS_PREPARED, job, report,
	    (size_t)STORE_DIGEST, table, (size_t)STORE_DIGEST, (int64_t)n_rows,
	    clock_utc(), study);
}

int
store_set_report_read(struct store *s, int64_t study, struct err *err)
{
	return db_run(s->db, err,
	    "UPDATE study SET report_read = ? WHERE id = ? AND report_read = 0",
	    "ii", clock_utc(), study);
}

int
store_set_table_gone(struct store *s, int64_t study, struct err *err)
{
	return db_run(s->db, err,
	    "UPDATE study SET table_gone = 1 WHERE id = ?", "i", study);
}

int
store_add_decision(struct store *s, int64_t study, const void *object,
    size_t len, struct err *err)
{
	return db_run(s->db, err,
	    "INSERT INTO decision (study, utc, object) VALUES (?, ?, ?)", "iib",
	    study, clock_utc(), object, len);
}

int
store_has_decision(struct store *s, int64_t study, const void *object,
    size_t len, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT 1 FROM decision WHERE study = ? AND object = ?", "ib",
	    study, object, len);
	int rv = db_row(q, err);

	if (rv == 1)
		db_done(q);
	return rv;
}

int
store_last_decision(
    struct store *s, int64_t study, struct canon *object, struct err *err)
{
	return db_one(db_query(s->db, err,
			  "SELECT object FROM decision WHERE study = ?"
			  " ORDER BY number DESC LIMIT 1",
			  "i", study),
	    object, err);
}

int
store_add_step(struct store *s, int64_t study, const struct step *step,
    const void *plan, size_t plan_len, const void *result, size_t result_len,
    struct err *err)
{
	return step_add(
	    s->db, study, step, plan, plan_len, result, result_len, err);
}

int
store_get_step(struct store *s, int64_t study, uint32_t idx, struct step *step,
    struct canon *plan, struct canon *result, struct err *err)
{
	return step_get(s->db, study, idx, step, plan, result, err);
}

static void
round_ad(int64_t study, uint64_t round, char out[64])
{
	snprintf(out, 64, "round %lld %llu", (long long)study,
	    (unsigned long long)round);
}

int
store_put_round(struct store *s, int64_t study, uint64_t round, uint32_t idx,
    const void *body, size_t len, struct err *err)
{
	struct canon box = { 0 };
	char ad[64];
	int rv = -1;

	round_ad(study, round, ad);
	if (vault_seal(s->vault, ad, body, len, &box, err) == 0)
		rv = db_run(s->db, err,
		    "INSERT INTO round (study, number, idx, body)"
		    " VALUES (?, ?, ?, ?) ON CONFLICT (study, number)"
		    " DO UPDATE SET body = excluded.body",
		    "iiib", study, (int64_t)round, (int64_t)idx, box.data,
		    box.len);
	canon_free(&box);
	return rv;
}

int
store_get_round(struct store *s, int64_t study, uint64_t round,
    struct canon *body, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT body FROM round WHERE study = ? AND number = ?", "ii",
	    study, (int64_t)round);
	char ad[64];
	const uint8_t *p;
	size_t len;
	int rv = db_row(q, err);

	if (rv != 1)
		return rv;
	round_ad(study, round, ad);
	p = db_blob(q, 0, &len);
	rv = vault_open(s->vault, ad, p, len, body, err) < 0 ? -1 : 1;
	db_done(q);
	return rv;
}

int
store_drop_rounds(
    struct store *s, int64_t study, uint64_t before, struct err *err)
{
	int64_t limit = before > INT64_MAX ? INT64_MAX : (int64_t)before;

	if (db_run(s->db, err,
		"DELETE FROM round WHERE study = ? AND number < ?", "ii", study,
		limit) < 0)
		return -1;
	return db_run(s->db, err,
	    "DELETE FROM prekey WHERE study = ? AND round < ?", "ii", study,
	    limit);
}

/*
 * Restored backups
 */

int
store_count_answer(struct store *s, struct store_counter *c, struct err *err)
{
	bool restored;

	if (db_run(s->db, err, "UPDATE counter SET answers = answers + 1", "") <
	    0)
		return -1;
	return store_get_counter(s, c, &restored, err);
}

int
store_get_counter(
    struct store *s, struct store_counter *c, bool *restored, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT answers, restored,"
	    " (SELECT count(*) FROM step WHERE idx > 0) FROM counter",
	    "");

	if (db_row(q, err) != 1)
		return -1;
	c->answers = (uint64_t)db_int(q, 0);
	*restored = db_int(q, 1) != 0;
	c->steps = (uint64_t)db_int(q, 2);
	db_done(q);
	return 0;
}

int
store_mark_restored(
    struct store *s, uint64_t lost, uint64_t steps, struct err *err)
{
	int64_t ids = lost > STORE_LOST_MAX ? STORE_LOST_MAX : (int64_t)lost;
	int64_t n = steps > UINT32_MAX ? UINT32_MAX : (int64_t)steps;

	/* What the lost time has used is not used again: neither its prekeys
	   (the ids of a batch more than it had answers), nor its states. */
	if (db_run(s->db, err, "DELETE FROM prekey", "") < 0 ||
	    db_run(s->db, err,
		"UPDATE sqlite_sequence SET seq = seq + ?"
		" WHERE name = 'prekey'",
		"i", ids + 128) < 0 ||
	    db_run(s->db, err, "DELETE FROM round", "") < 0 ||
	    db_run(s->db, err,
		"UPDATE study SET answer_from = max(answer_from,"
		" min(?, coalesce((SELECT max(idx) FROM step"
		"  WHERE step.study = study.id), 0) + ?))",
		"ii", (int64_t)UINT32_MAX, n) < 0)
		return -1;
	return db_run(s->db, err,
	    "UPDATE counter SET restored = 1,"
	    " answer_from = max(answer_from, ?)",
	    "i", n);
}

int
store_clear_restored(struct store *s, uint64_t answers, struct err *err)
{
	return db_run(s->db, err,
	    "UPDATE counter SET restored = 0, answers = ?", "i",
	    (int64_t)answers);
}

int
store_take_identity(
    struct store *s, const uint8_t key[KEY_PUBLIC], struct err *err)
{
	struct canon last = { 0 };
	bool same;
	int rv = db_one(
	    db_query(s->db, err, "SELECT key FROM identity", ""), &last, err);

	same = rv == 1 && last.len == KEY_PUBLIC &&
	    memcmp(last.data, key, KEY_PUBLIC) == 0;
	canon_free(&last);
	if (rv < 0 || same)
		return rv < 0 ? -1 : 0;
	if (db_run(s->db, err,
		"INSERT OR REPLACE INTO identity (one, key) VALUES (1, ?)", "b",
		key, (size_t)KEY_PUBLIC) < 0)
		return -1;
	if (rv == 0)
		return 0; /* the first */
	if (db_run(s->db, err, "DELETE FROM prekey", "") < 0 ||
	    db_run(s->db, err, "DELETE FROM round", "") < 0 ||
	    db_run(s->db, err, "UPDATE counter SET answer_from = 0", "") < 0 ||
	    db_run(s->db, err,
		"UPDATE study SET answer_from = 0, checked = x''", "") < 0)
		return -1;
	return 1;
}

int
store_answer_from(
    struct store *s, int64_t study, uint32_t *step, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT answer_from FROM study WHERE id = ?", "i", study);

	if (db_row(q, err) != 1)
		return -1;
	*step = (uint32_t)db_int(q, 0);
	db_done(q);
	return 0;
}

int
store_charge(
    struct store *s, int64_t study, uint64_t round, double rho, struct err *err)
{
	return db_run(s->db, err,
	    "INSERT INTO charge (study, round, utc, rho, sum)"
	    " VALUES (?1, ?2, ?3, ?4, checksum(?1, ?2, ?3, ?4))",
	    "iiid", study, (int64_t)round, clock_utc(), rho);
}

int
store_spent(
    struct store *s, int64_t study, struct store_spent *out, struct err *err)
{
	struct db_query *q = db_query(s->db, err,
	    "SELECT count(*), total(rho), total(sum <> " CHARGE_SUM ")"
	    " FROM charge"
	    " WHERE ?1 = 0 OR study = ?1",
	    "i", study);
	int64_t n_damaged;

	if (db_row(q, err) != 1)
		return -1;
	out->uploads = (uint64_t)db_int(q, 0);
	out->rho = db_real(q, 1);
	n_damaged = db_int(q, 2);
	db_done(q);
	if (n_damaged != 0)
		return err_set(err, ERR_FORMAT,
		    "the ledger of what was spent: %lld of %llu charges are "
		    "not "
		    "as they were written: the database is damaged",
		    (long long)n_damaged, (unsigned long long)out->uploads);
	return 0;
}

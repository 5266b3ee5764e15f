#include "common/db.h"

#include <assert.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"

struct db_query {
	struct db *db;
	sqlite3_stmt *stmt;
	const char *sql; /* a string literal: compared by address first */
	struct db_query *next;
};

struct db {
	sqlite3 *handle;
	char *path;
	struct db_query *queries;
};

static int
fail(struct db *db, struct err *err, const char *what)
{
	int code = sqlite3_errcode(db->handle) & 0xff;
	enum err_code kind = ERR_SYSTEM;

	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		kind = ERR_FORMAT;
	return err_set(err, kind, "%s: %s: %s", db->path, what,
	    sqlite3_errmsg(db->handle));
}

static int
exec(struct db *db, const char *sql, struct err *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(db, err, "SQL");
	return 0;
}

static int
user_version(struct db *db, int *version, struct err *err)
{
	struct db_query *q = db_query(db, err, "PRAGMA user_version", "");
	int rv;

	if ((rv = db_row(q, err)) < 0)
		return -1;
	*version = rv == 1 ? (int)db_int(q, 0) : 0;
	db_done(q);
	return 0;
}

static int
migrate(
    struct db *db, const char *const *steps, size_t n_steps, struct err *err)
{
	char pragma[48];
	int version;

	if (user_version(db, &version, err) < 0)
		return -1;
	if (version < 0 || (size_t)version > n_steps)
		return err_set(err, ERR_FORMAT,
		    "%s: schema version %d, this program knows up to %zu: a "
		    "newer release has written it; start that one",
		    db->path, version, n_steps);
	for (size_t i = (size_t)version; i < n_steps; i++) {
		snprintf(
		    pragma, sizeof(pragma), "PRAGMA user_version=%zu", i + 1);
		if (db_begin(db, err) < 0)
			return -1;
		if (exec(db, steps[i], err) < 0 || exec(db, pragma, err) < 0) {
			db_rollback(db);
			return -1;
		}
		if (db_commit(db, err) < 0)
			return -1;
	}
	return 0;
}

static void
put_u64(crypto_hash_sha256_state *h, uint64_t v)
{
	uint8_t b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (56 - 8 * i));
	crypto_hash_sha256_update(h, b, sizeof(b));
}

/* The SQL function checksum(): of each value its type, its length, its bytes. */
static void
checksum(sqlite3_context *context, int n, sqlite3_value **values)
{
	uint8_t out[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state h;

	crypto_hash_sha256_init(&h);
	for (int i = 0; i < n; i++) {
		sqlite3_value *v = values[i];
		double real = sqlite3_value_double(v);
		uint64_t bits;

		put_u64(&h, (uint64_t)sqlite3_value_type(v));
		switch (sqlite3_value_type(v)) {
		case SQLITE_INTEGER:
			put_u64(&h, (uint64_t)sqlite3_value_int64(v));
			break;
		case SQLITE_FLOAT:
			memcpy(&bits, &real, sizeof(bits));
			put_u64(&h, bits);
			break;
		default:
			bits = (uint64_t)sqlite3_value_bytes(v);
			put_u64(&h, bits);
			crypto_hash_sha256_update(
			    &h, sqlite3_value_blob(v), bits);
		}
	}
	crypto_hash_sha256_final(&h, out);
	sqlite3_result_blob(context, out, sizeof(out), SQLITE_TRANSIENT);
}

struct db *
db_open(
    const char *path, const char *const *steps, size_t n_steps, struct err *err)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL || (db->path = strdup(path)) == NULL) {
		err_sys(err, "open %s", path);
		free(db);
		return NULL;
	}
	if (sqlite3_open_v2(path, &db->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		NULL) != SQLITE_OK) {
		err_set(err, ERR_SYSTEM, "open %s: %s", path,
		    sqlite3_errmsg(db->handle));
		db_close(db);
		return NULL;
	}
	sqlite3_busy_timeout(db->handle, 2000);
	if (sqlite3_create_function(db->handle, "checksum", -1,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, checksum, NULL,
		NULL) != SQLITE_OK) {
		fail(db, err, "checksum");
		db_close(db);
		return NULL;
	}
	if (exec(db,
		"PRAGMA locking_mode=EXCLUSIVE;"
		"PRAGMA journal_mode=DELETE;"
		"PRAGMA synchronous=EXTRA;"
		"PRAGMA secure_delete=ON;"
		"PRAGMA foreign_keys=ON;"
		"PRAGMA temp_store=MEMORY;"
		"PRAGMA trusted_schema=OFF;"
		"BEGIN EXCLUSIVE; COMMIT",
		err) < 0 ||
	    migrate(db, steps, n_steps, err) < 0) {
		db_close(db);
		return NULL;
	}
	return db;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	while (db->queries != NULL) {
		struct db_query *q = db->queries;

		db->queries = q->next;
		sqlite3_finalize(q->stmt);
		free(q);
	}
	sqlite3_close(db->handle);
	free(db->path);
	free(db);
}

int
db_begin(struct db *db, struct err *err)
{
	return exec(db, "BEGIN IMMEDIATE", err);
}

int
db_commit(struct db *db, struct err *err)
{
	if (exec(db, "COMMIT", err) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

void
db_rollback(struct db *db)
{
	if (sqlite3_get_autocommit(db->handle) == 0)
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static struct db_query *
find_query(struct db *db, const char *sql, struct err *err)
{
	struct db_query *q;

	for (q = db->queries; q != NULL; q = q->next) {
		if (q->sql == sql || strcmp(q->sql, sql) == 0) {
			sqlite3_reset(q->stmt);
			sqlite3_clear_bindings(q->stmt);
			return q;
		}
	}
	if ((q = calloc(1, sizeof(*q))) == NULL) {
		err_sys(err, "%s", db->path);
		return NULL;
	}
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
		&q->stmt, NULL) != SQLITE_OK) {
		fail(db, err, sql);
		free(q);
		return NULL;
	}
	q->db = db;
	q->sql = sql;
	q->next = db->queries;
	db->queries = q;
	return q;
}

/* Big-endian, and bound as a copy. */
static int
bind_list(sqlite3_stmt *stmt, int i, const uint16_t *v, size_t n)
{
	uint8_t bytes[2 * DB_LIST_MAX];

	assert(n <= DB_LIST_MAX);
	for (size_t k = 0; k < n; k++) {
		bytes[2 * k] = (uint8_t)(v[k] >> 8);
		bytes[2 * k + 1] = (uint8_t)v[k];
	}
	return sqlite3_bind_blob64(stmt, i, bytes, 2 * n, SQLITE_TRANSIENT);
}

static int
bind_all(struct db_query *q, const char *format, va_list ap)
{
	int rv = SQLITE_OK;

	assert(sqlite3_bind_parameter_count(q->stmt) == (int)strlen(format));
	for (int i = 1; rv == SQLITE_OK && *format != '\0'; i++, format++) {
		const void *p;
		size_t len;

		switch (*format) {
		case 'i':
			rv =
			    sqlite3_bind_int64(q->stmt, i, va_arg(ap, int64_t));
			break;
		case 'd':
			rv =
			    sqlite3_bind_double(q->stmt, i, va_arg(ap, double));
			break;
		case 's':
			rv = sqlite3_bind_text(q->stmt, i,
			    va_arg(ap, const char *), -1, SQLITE_STATIC);
			break;
		case 'b':
			p = va_arg(ap, const void *);
			len = va_arg(ap, size_t);
			rv = sqlite3_bind_blob64(q->stmt, i,
			    p == NULL || len != 0 ? p : "", len, SQLITE_STATIC);
			break;
		case 'n':
			p = va_arg(ap, const void *);
			len = va_arg(ap, size_t);
			rv = bind_list(q->stmt, i, p, len);
			break;
		default:
			assert(!"db: unknown format letter");
		}
	}
	return rv;
}

struct db_query *
db_query(
    struct db *db, struct err *err, const char *sql, const char *format, ...)
{
	struct db_query *q = find_query(db, sql, err);
	va_list ap;
	int rv;

	if (q == NULL)
		return NULL;
	va_start(ap, format);
	rv = bind_all(q, format, ap);
	va_end(ap);
	if (rv != SQLITE_OK) {
		fail(db, err, sql);
		return NULL;
	}
	return q;
}

int
db_row(struct db_query *q, struct err *err)
{
	if (q == NULL)
		return -1;
	switch (sqlite3_step(q->stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		sqlite3_reset(q->stmt);
		return 0;
	default:
		fail(q->db, err, q->sql);
		sqlite3_reset(q->stmt);
		return -1;
	}
}

int64_t
db_int(struct db_query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

double
db_real(struct db_query *q, int column)
{
	return sqlite3_column_double(q->stmt, column);
}

const char *
db_str(struct db_query *q, int column)
{
	const unsigned char *s = sqlite3_column_text(q->stmt, column);

	return s != NULL ? (const char *)s : "";
}

const uint8_t *
db_blob(struct db_query *q, int column, size_t *len)
{
	const uint8_t *p = sqlite3_column_blob(q->stmt, column);

	*len = (size_t)sqlite3_column_bytes(q->stmt, column);
	return p;
}

void
db_digest(struct db_query *q, int column, uint8_t out[32])
{
	size_t len;
	const uint8_t *p = db_blob(q, column, &len);

	memset(out, 0, 32);
	if (p != NULL && len == 32)
		memcpy(out, p, 32);
}

size_t
db_u16s(struct db_query *q, int column, uint16_t *out, size_t max)
{
	size_t len;
	const uint8_t *p = db_blob(q, column, &len);
	size_t n = MIN(len / 2, max);

	for (size_t i = 0; i < n; i++)
		out[i] = (uint16_t)(p[2 * i] << 8 | p[2 * i + 1]);
	return n;
}

int
db_append(struct db_query *q, int column, struct canon *out, struct err *err)
{
	size_t len;
	const uint8_t *p;

	if (out == NULL)
		return 0;
	p = db_blob(q, column, &len);
	canon_raw(out, p, len);
	return out->failed ? err_set(err, ERR_SYSTEM, "out of memory") : 0;
}

int
db_one(struct db_query *q, struct canon *out, struct err *err)
{
	int rv = db_row(q, err);

	if (rv == 1) {
		rv = db_append(q, 0, out, err) < 0 ? -1 : 1;
		db_done(q);
	}
	return rv;
}

void
db_done(struct db_query *q)
{
	sqlite3_reset(q->stmt);
}

int
db_run(struct db *db, struct err *err, const char *sql, const char *format, ...)
{
	struct db_query *q = find_query(db, sql, err);
	va_list ap;
	int rv;

	if (q == NULL)
		return -1;
	va_start(ap, format);
	rv = bind_all(q, format, ap);
	va_end(ap);
	if (rv != SQLITE_OK)
		return fail(db, err, sql);
	rv = db_row(q, err);
	if (rv == 1)
		db_done(q);
	return rv < 0 ? -1 : 0;
}

int64_t
db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

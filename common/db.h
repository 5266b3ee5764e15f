/*
 * SQLite, so that a caller reads as what it does: open with the settings that
 * crash-only needs, prepare, bind, step.  A commit is on disk when
 * db_commit() returns (synchronous=EXTRA, rollback journal), and deleted
 * content is overwritten (secure_delete).
 *
 * One process owns a database; it takes the file's lock for as long as it is
 * open, so that a second daemon on the same state is refused.
 */
#ifndef COMMON_DB_H
#define COMMON_DB_H

#include <stddef.h>
#include <stdint.h>

struct canon;
struct db;
struct db_query;
struct err;

/*
 * SQLite finds pages that are no pages, not a bit that flips in a value.  A row
 * that nobody else's signature or seal guards has the column sum, which is
 * checksum(the other columns), an SQL function of db_open()'s: SHA-256 over
 * their types, lengths and bytes.
 *
 * Open or create path and bring it to schema: steps[i] takes version i to
 * i + 1.  ERR_FORMAT if the file is damaged or from a newer version,
 * ERR_SYSTEM if it cannot be opened or another process has it.
 */
struct db *db_open(const char *path, const char *const *steps, size_t n_steps,
    struct err *err);
void db_close(struct db *db); /* NULL is fine */

int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/*
 * A prepared statement, kept by the database from its first use on.  Every
 * call rewinds it and clears what was bound.  format, one letter per
 * parameter: i int64_t, d double, s const char *, b const void * and size_t
 * (a NULL pointer binds NULL), n const uint16_t * and size_t, at most DB_LIST_MAX
 * numbers, as a blob.  Bound memory must last until the last row.
 */
#define DB_LIST_MAX 1024
struct db_query *db_query(
    struct db *db, struct err *err, const char *sql, const char *format, ...);
/* 1: a row, 0: no more, -1: error, also for the NULL of a query that failed. */
int db_row(struct db_query *q, struct err *err);
int64_t db_int(struct db_query *q, int column);
double db_real(struct db_query *q, int column);
const char *db_str(struct db_query *q, int column); /* "" for NULL */
/* Valid until the next row.  *len is 0 and the result NULL for NULL. */
const uint8_t *db_blob(struct db_query *q, int column, size_t *len);
/* 32 bytes; zeros if it is no digest. */
void db_digest(struct db_query *q, int column, uint8_t out[32]);
/* The numbers of an n, at most max; how many. */
size_t db_u16s(struct db_query *q, int column, uint16_t *out, size_t max);
/* Append the blob to out; NULL: nothing to do. */
int db_append(
    struct db_query *q, int column, struct canon *out, struct err *err);
/* The first column of the only row, if there is one, appended to out: 1, 0 or
   -1. */
int db_one(struct db_query *q, struct canon *out, struct err *err);
/* Let go of the read position; needed when a query is left before its end. */
void db_done(struct db_query *q);

/* A statement without rows: query, step, check. */
int db_run(
    struct db *db, struct err *err, const char *sql, const char *format, ...);
int64_t db_changes(struct db *db); /* rows that the last db_run() touched */

#endif

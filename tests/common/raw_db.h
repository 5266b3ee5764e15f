/* A database behind the back of the code that keeps it. */
#ifndef TESTS_COMMON_RAW_DB_H
#define TESTS_COMMON_RAW_DB_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"
#include "common/file.h"

/* A statement that changes one row. */
static inline void
raw_db_change(const char *path, const char *sql)
{
	sqlite3 *raw;

	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(raw), 1);
	assert_int_equal(sqlite3_close(raw), SQLITE_OK);
}

/* As the first release left it: tests/vectors/schema/NAME. */
static inline void
raw_db_first_release(const char *path, const char *name)
{
	char sql[4096];
	const char *steps[1];
	struct err err;
	struct db *db;
	size_t len;

	snprintf(sql, sizeof(sql), "%s/tests/vectors/schema/%s",
	    getenv("top_srcdir"), name);
	steps[0] = (char *)file_read(sql, 1 << 16, &len, &err);
	assert_non_null(steps[0]);
	unlink(path);
	db = db_open(path, steps, 1, &err);
	assert_non_null(db);
	db_close(db);
	free((void *)(uintptr_t)steps[0]);
}

#endif

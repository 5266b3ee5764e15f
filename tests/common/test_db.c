#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/db.h"
#include "common/err.h"
#include "common/file.h"

static const char *const schema[] = {
	"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, body BLOB)",
	"ALTER TABLE t ADD COLUMN amount REAL",
};

static char dir[] = "/tmp/test_db.XXXXXX";
static char path[64];

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/db", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void
migrates_keeps_and_gives_back(void **state)
{
	struct err err;
	struct db *db = db_open(path, schema, 1, &err);
	struct db_query *q;
	size_t len;

	(void)state;
	assert_non_null(db);
	assert_int_equal(
	    db_run(db, &err, "INSERT INTO t (id, name, body) VALUES (?, ?, ?)",
		"isb", (int64_t)1, "one", "\0x", (size_t)2),
	    0);
	db_close(db);

	db = db_open(path, schema, 2, &err);
	assert_non_null(db);
	q = db_query(db, &err, "SELECT name, body, amount FROM t WHERE id = ?",
	    "i", (int64_t)1);
	assert_non_null(q);
	assert_int_equal(db_row(q, &err), 1);
	assert_string_equal(db_str(q, 0), "one");
	assert_memory_equal(db_blob(q, 1, &len), "\0x", 2);
	assert_int_equal(len, 2);
	assert_int_equal(db_row(q, &err), 0);
	db_close(db);

	/* An older program refuses a newer file. */
	assert_null(db_open(path, schema, 1, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	assert_non_null(strstr(err.msg,
	    "schema version 2, this program knows up to 1: a newer release "
	    "has written it"));
}

static void
a_second_process_is_refused(void **state)
{
	struct err err;
	struct db *db = db_open(path, schema, 2, &err);
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(db);
	pid = fork();
	if (pid == 0)
		_exit(db_open(path, schema, 2, &err) == NULL ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	db_close(db);
}

static void
a_damaged_file_is_named(void **state)
{
	char bad[80];
	struct err err;

	(void)state;
	snprintf(bad, sizeof(bad), "%s.bad", path);
	assert_int_equal(
	    file_write(bad, "this is not a database, not at all ...........",
		46, 0600, &err),
	    0);
	assert_null(db_open(bad, schema, 2, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	assert_non_null(strstr(err.msg, bad));
	unlink(bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(migrates_keeps_and_gives_back),
		cmocka_unit_test(a_second_process_is_refused),
		cmocka_unit_test(a_damaged_file_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "ctl/local_proc.h"

#define LOG "local-proc.tmp"

static struct proc proc;
static struct procs procs = { .items = &proc, .n = 1 };
static char seen[256];
static bool kill_at_left;

static void
on_line(struct proc *p, const char *line)
{
	strncat(seen, line, sizeof(seen) - strlen(seen) - 2);
	strcat(seen, "|");
	if (kill_at_left && strcmp(line, "left") == 0)
		proc_kill(&procs, p);
}

static int
setup(void **state)
{
	struct err err;

	(void)state;
	unlink(LOG);
	memset(&proc, 0, sizeof(proc));
	proc.name = "it";
	proc.log_fd = proc.pipe_fd = -1;
	procs.on_line = on_line;
	seen[0] = '\0';
	kill_at_left = false;
	return procs_init(&err);
}

static int
teardown(void **state)
{
	(void)state;
	procs_stop(&procs, 1000);
	unlink(LOG);
	return 0;
}

static void
start(const char *script)
{
	char sh[] = "/bin/sh", c[] = "-c", text[512];
	char *argv[] = { sh, c, text, NULL };
	struct err err;

	snprintf(text, sizeof(text), "%s", script);
	assert_int_equal(proc_start(&proc, LOG, argv, &err), 0);
}

static int
run(const char *script, const char *in, struct canon *out, struct err *err)
{
	char sh[] = "/bin/sh", c[] = "-c", text[512];
	char *argv[] = { sh, c, text, NULL };

	snprintf(text, sizeof(text), "%s", script);
	return proc_run(&procs, argv, in, out, err);
}

static void
assert_log(const char *want)
{
	struct err err;
	size_t len;
	uint8_t *text = file_read(LOG, 4096, &len, &err);

	assert_non_null(text);
	assert_string_equal((char *)text, want);
	free(text);
}

static void
lines_go_to_the_log_and_to_the_callback(void **state)
{
	struct err err;
	int64_t until = clock_mono_ms() + 10000;

	(void)state;
	start("printf 'one\\ntw' >&2; echo o >&2; sleep 60");
	while (strstr(seen, "two|") == NULL && clock_mono_ms() < until)
		assert_int_equal(procs_wait(&procs, 100, &err), 0);
	assert_string_equal(seen, "one|two|");
	assert_log("one\ntwo\n");
}

/* A child of a child, too, and lines that came before the kill are kept. */
static void
a_kill_at_a_line_leaves_nobody(void **state)
{
	struct err err;
	pid_t pid;

	(void)state;
	kill_at_left = true;
	start("sleep 61 & (sleep 62 & sleep 63) & echo left >&2; sleep 64");
	pid = proc.pid;
	while (!proc.killed)
		assert_int_equal(procs_wait(&procs, 100, &err), 0);
	assert_int_equal(kill(-pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(procs_wait(&procs, 0, &err), 0);
	assert_log("left\n");
	/* and it can be started again, on the same log */
	kill_at_left = false;
	start("echo again >&2; sleep 65");
	while (strstr(seen, "again|") == NULL)
		assert_int_equal(procs_wait(&procs, 100, &err), 0);
	assert_log("left\nagain\n");
}

static void
a_daemon_that_ends_by_itself_is_an_error(void **state)
{
	struct err err;
	int rv = 0;

	(void)state;
	start("echo no licence >&2; exit 3");
	while (rv == 0)
		rv = procs_wait(&procs, 100, &err);
	assert_string_equal(
	    err.msg, "it ended with status 3; last: no licence");
}

static void
a_program_gets_input_and_gives_output(void **state)
{
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(run("tr a-z A-Z", "abc\n", &out, &err), 0);
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.data, "ABC\n", 4);
	canon_free(&out);
}

static void
a_programs_last_line_says_why_it_failed(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(
	    run("echo first >&2; echo x.study:3:1: bad >&2; exit 1", NULL, NULL,
		&err),
	    -1);
	assert_string_equal(err.msg, "x.study:3:1: bad");
	assert_int_equal(run("exit 4", NULL, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "failed with status 4"));
}

/* Who ignores SIGTERM is killed. */
static void
all_is_stopped_at_the_end(void **state)
{
	struct err err;
	pid_t pid;

	(void)state;
	start("trap '' TERM; sleep 66 & echo up >&2; wait; sleep 67");
	pid = proc.pid;
	while (strstr(seen, "up|") == NULL)
		assert_int_equal(procs_wait(&procs, 100, &err), 0);
	procs_stop(&procs, 200);
	assert_int_equal(kill(-pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(lines_go_to_the_log_and_to_the_callback),
		TEST(a_kill_at_a_line_leaves_nobody),
		TEST(a_daemon_that_ends_by_itself_is_an_error),
		TEST(a_program_gets_input_and_gives_output),
		TEST(a_programs_last_line_says_why_it_failed),
		TEST(all_is_stopped_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

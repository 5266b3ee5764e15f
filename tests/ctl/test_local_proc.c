#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
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
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%.100s|", line);
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
	uint8_t *text = file_read(LOG, 8192, &len, &err);

	assert_non_null(text);
	assert_string_equal((char *)text, want);
	free(text);
}

static void
lines_go_to_the_log_and_to_the_callback(void **state)
{
	struct err err;
	int64_t until = clock_mono_ms() + 120000; /* a busy machine */

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

static void
a_programs_own_name_is_not_in_its_message(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(
	    run("echo first >&2; echo 'sh: why' >&2; exit 3", NULL, NULL, &err),
	    -1);
	assert_string_equal(err.msg, "why");
	assert_int_equal(
	    run("echo 'sh:why' >&2; exit 3", NULL, NULL, &err), -1);
	assert_string_equal(err.msg, "sh:why");
	/* One that says nothing. */
	assert_int_equal(run("exit 3", NULL, NULL, &err), -1);
	assert_string_equal(err.msg, "/bin/sh failed with status 3");
	assert_int_equal(run("kill -9 $$", NULL, NULL, &err), -1);
	assert_string_equal(err.msg, "/bin/sh failed with status -1");
}

static void
a_program_that_never_stops_talking_is_ended(void **state)
{
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(run("exec yes", NULL, &out, &err), -1);
	assert_true(out.len > 0);
	canon_free(&out);
	assert_int_equal(run("exec yes >&2", NULL, NULL, &err), -1);
}

/* Until it has ended; *err says how. */
static void
wait_for_the_end(struct err *err)
{
	while (procs_wait(&procs, 1000, err) == 0)
		;
}

static void
what_ends_by_a_signal_says_which(void **state)
{
	struct err err;

	(void)state;
	start("echo last words >&2; kill -9 $$");
	wait_for_the_end(&err);
	assert_string_equal(
	    err.msg, "it was ended by signal 9; last: last words");
}

static void
long_and_open_lines_are_kept(void **state)
{
	char want[PROC_LINE_MAX + 64];
	struct err err;

	(void)state;
	start("head -c 5000 /dev/zero | tr '\\0' x >&2; echo >&2; "
	      "printf open >&2");
	wait_for_the_end(&err);
	assert_string_equal(err.msg, "it ended with status 0; last: open");
	memset(want, 'x', PROC_LINE_MAX - 1);
	strcpy(want + PROC_LINE_MAX - 1, "\nopen\n");
	assert_log(want);
}

static void
a_log_that_cannot_be_written_is_refused(void **state)
{
	char sh[] = "/bin/sh", *argv[] = { sh, NULL };
	struct err err;

	(void)state;
	assert_int_equal(proc_start(&proc, "nowhere/log", argv, &err), -1);
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_non_null(strstr(err.msg, "nowhere/log"));
}

/* With room for 0, 1, 2 ... more descriptors. */
static void
without_descriptors_nothing_is_started(void **state)
{
	struct rlimit was, now;
	unsigned failed[2] = { 0, 0 };
	struct err err;
	int next = dup(STDERR_FILENO);

	(void)state;
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	now = was;
	for (rlim_t room = 0; room < 12; room++) {
		char sh[] = "/bin/sh", c[] = "-c", text[] = "exit 0";
		char *argv[] = { sh, c, text, NULL };
		int rv, after;

		now.rlim_cur = (rlim_t)next + room;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
		rv = proc_run(&procs, argv, NULL, NULL, &err);
		if (rv < 0) {
			assert_int_equal(err.code, ERR_SYSTEM);
			assert_non_null(strstr(err.msg, "pipe"));
			failed[0]++;
		}
		rv = proc_start(&proc, LOG, argv, &err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		if (rv < 0) {
			assert_int_equal(err.code, ERR_SYSTEM);
			failed[1]++;
		} else {
			wait_for_the_end(&err);
		}
		procs_stop(&procs, 1000);
		setup(state);
		/* None is left open. */
		after = dup(STDERR_FILENO);
		assert_int_equal(after, next);
		close(after);
	}
	assert_int_equal(failed[0], 6); /* three pipes */
	assert_int_equal(failed[1], 4); /* the log, a pipe, /dev/null */
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
		TEST(a_programs_own_name_is_not_in_its_message),
		TEST(a_program_that_never_stops_talking_is_ended),
		TEST(what_ends_by_a_signal_says_which),
		TEST(long_and_open_lines_are_kept),
		TEST(a_log_that_cannot_be_written_is_refused),
		TEST(without_descriptors_nothing_is_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The questions of study init, at a terminal that is the test itself. */
#include "config.h"

#include "tests/check.h"

#include <dirent.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"

static char dir[] = "init.XXXXXX";
static char shown[16384]; /* what the terminal has shown so far */
static size_t n_shown, seen;
static int terminal;

/* More of it; false at its end, which Linux says by EIO. */
static bool
read_more(void)
{
	ssize_t n =
	    read(terminal, shown + n_shown, sizeof(shown) - 1 - n_shown);

	if (n <= 0)
		return false;
	n_shown += (size_t)n;
	shown[n_shown] = '\0';
	return true;
}

/* Wait for a question behind the last one, and type the answer. */
static void
answer(const char *question, const char *typed)
{
	const char *at;

	while ((at = strstr(shown + seen, question)) == NULL)
		if (!read_more())
			fail_msg("\"%s\" was not asked: %s", question, shown);
	seen = (size_t)(at - shown) + strlen(question);
	assert_int_equal(write(terminal, typed, strlen(typed)), strlen(typed));
}

static pid_t
begin(const char *out)
{
	char program[4096];
	pid_t pid;

	snprintf(program, sizeof(program), "%s/ctl/consiliumctl",
	    getenv("builddir"));
	n_shown = seen = 0;
	shown[0] = '\0';
	if ((pid = forkpty(&terminal, NULL, NULL, NULL)) == 0) {
		signal(SIGINT, SIG_DFL); /* a shell's background ignores it */
		execl(program, "consiliumctl", "study", "init", "t.csv",
		    "--out", out, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static int
end(pid_t pid)
{
	int status;

	while (read_more())
		;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(terminal);
	return status;
}

/* Files there beside the table, finished or not. */
static size_t
n_files(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n - 1;
}

static void
has(const char *path, const char *text)
{
	struct err err;
	size_t len;
	uint8_t *all = file_read(path, 1 << 20, &len, &err);

	assert_non_null(all);
	assert_non_null(memmem(all, len, text, strlen(text)));
	free(all);
}

static void
a_wrong_answer_is_asked_for_again(void **state)
{
	char long_name[600];
	int status;
	pid_t pid = begin("good.study");

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 2);
	strcpy(long_name + sizeof(long_name) - 2, "\n");
	answer("study's name", "My Study\n");
	answer("expected letters", "");
	answer("study's name", "mine\n");
	answer("or summary [cox]", "magic\n");
	answer("expected cox, logistic", "");
	answer("or summary [cox]", "\n");
	answer("Column of the time", "when\n");
	answer("no column \"when\"", "");
	answer("Column of the time", long_name);
	answer("no column \"aaa", "");
	answer("Column of the time", "t\n");
	answer("Column of the event", "dead\n");
	status = end(pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	has("good.study", "name = mine\n");
	has("good.study", "kind = cox\n");
	has("good.study", "time = t\nevent = dead\n");
	assert_int_equal(n_files(), 1);
	assert_int_equal(unlink("good.study"), 0);
}

/* Ctrl-D at each question. */
static void
an_end_writes_nothing(void **state)
{
	static const char *const questions[] = { "study's name",
		"or summary [cox]", "Column of the time",
		"Column of the event" };
	static const char *const answers[] = { "mine\n", "km\n", "t\n" };

	(void)state;
	for (size_t at = 0; at < 4; at++) {
		pid_t pid = begin("no.study");
		int status;

		for (size_t i = 0; i < at; i++)
			answer(questions[i], answers[i]);
		answer(questions[at], "\4");
		status = end(pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		assert_non_null(strstr(shown, "nothing is written"));
		assert_int_equal(n_files(), 0);
	}
}

/* Ctrl-C. */
static void
an_interrupt_writes_nothing(void **state)
{
	pid_t pid = begin("no.study");
	int status;

	(void)state;
	answer("study's name", "mine\n");
	answer("or summary [cox]", "\3");
	status = end(pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	assert_int_equal(n_files(), 0);
}

static int
setup(void **state)
{
	static const char rows[] = "t,dead\n1,0\n2,1\n";
	struct err err;

	(void)state;
	return mkdtemp(dir) == NULL || chdir(dir) != 0 ||
		file_create("t.csv", rows, strlen(rows), 0600, &err) == -1
	    ? -1
	    : 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink("t.csv");
	return chdir("..") != 0 || rmdir(dir) != 0 ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_answer_is_asked_for_again),
		cmocka_unit_test(an_end_writes_nothing),
		cmocka_unit_test(an_interrupt_writes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

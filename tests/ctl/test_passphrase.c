/* A passphrase at a terminal, which is the test itself, and in a file. */
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "ctl/passphrase.h"

/* What the terminal has shown so far. */
static char shown[4096];
static size_t n_shown;

static void
wait_for(int terminal, const char *text)
{
	while (strstr(shown, text) == NULL) {
		ssize_t n = read(
		    terminal, shown + n_shown, sizeof(shown) - 1 - n_shown);

		if (n <= 0)
			fail_msg("\"%s\" was not shown: %s", text, shown);
		n_shown += (size_t)n;
		shown[n_shown] = '\0';
	}
}

/*
 * Another process is asked for it, types first and then, if twice, second.
 * Returns its exit status: 0 if it then has first.  What it says is in shown.
 */
static int
asked(bool twice, const char *first, const char *second)
{
	int terminal, status;
	ssize_t n;
	pid_t pid;

	n_shown = 0;
	shown[0] = '\0';
	if ((pid = forkpty(&terminal, NULL, NULL, NULL)) == 0) {
		struct err err;
		char *p = passphrase_get(NULL, "the key", twice, &err);
		int rv = p == NULL ? 1
		    : strcspn(first, "\n") == strlen(p) &&
			strncmp(p, first, strlen(p)) == 0
		    ? 0
		    : 2;

		if (p == NULL)
			dprintf(STDOUT_FILENO, "%s\n", err.msg);
		passphrase_free(p);
		exit(rv);
	}
	assert_true(pid > 0);
	wait_for(terminal, "passphrase of the key: ");
	assert_int_equal(write(terminal, first, strlen(first)), strlen(first));
	if (twice) {
		wait_for(terminal, "again, of the key: ");
		assert_int_equal(
		    write(terminal, second, strlen(second)), strlen(second));
	}
	/* Until it is closed at the other end, which Linux says by EIO. */
	while ((n = read(terminal, shown + n_shown,
		    sizeof(shown) - 1 - n_shown)) > 0) {
		n_shown += (size_t)n;
		shown[n_shown] = '\0';
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(terminal);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
it_is_asked_for_without_being_shown(void **state)
{
	(void)state;
	assert_int_equal(asked(false, "correct horse\n", NULL), 0);
	assert_null(strstr(shown, "horse"));
	assert_null(strstr(shown, "again"));
}

static void
a_new_one_is_asked_for_twice(void **state)
{
	(void)state;
	assert_int_equal(asked(true, "battery\n", "battery\n"), 0);
	assert_int_equal(asked(true, "battery\n", "staple\n"), 1);
	assert_non_null(strstr(shown, "the two passphrases differ"));
	assert_null(strstr(shown, "battery"));
	assert_null(strstr(shown, "staple"));
}

static void
an_end_is_no_passphrase(void **state)
{
	(void)state;
	assert_int_equal(asked(false, "\4", NULL), 1);
	assert_non_null(strstr(shown, "read the passphrase"));
}

static void
without_a_terminal_a_file_is_due(void **state)
{
	struct err err;
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		setsid(); /* no terminal any more */
		exit(passphrase_get(NULL, "the key", false, &err) == NULL &&
			    err.code == ERR_CONFIG &&
			    strstr(err.msg, "give --passphrase-file") != NULL
			? 0
			: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
a_file_is_the_owners_alone(void **state)
{
	char path[] = "/tmp/test_passphrase.XXXXXX", *p;
	int fd = mkstemp(path);
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "first\r\nsecond\n", 14), 14);
	close(fd);
	p = passphrase_get(path, "the key", true, &err);
	assert_non_null(p);
	assert_string_equal(p, "first");
	passphrase_free(p);
	assert_int_equal(chmod(path, 0640), 0);
	assert_null(passphrase_get(path, "the key", true, &err));
	assert_non_null(strstr(err.msg, "mode 0640 lets others"));
	unlink(path);
	assert_null(passphrase_get(path, "the key", true, &err));
	assert_int_equal(err.code, ERR_SYSTEM);
	passphrase_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_asked_for_without_being_shown),
		cmocka_unit_test(a_new_one_is_asked_for_twice),
		cmocka_unit_test(an_end_is_no_passphrase),
		cmocka_unit_test(without_a_terminal_a_file_is_due),
		cmocka_unit_test(a_file_is_the_owners_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

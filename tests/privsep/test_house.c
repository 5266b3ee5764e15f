/*
 * What both parents have in common: what they refuse, and what they take from
 * systemd.
 */
#include "config.h"

#include "tests/check.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ini.h"
#include "common/macros.h"
#include "privsep/family.h"
#include "privsep/house.h"
#include "privsep/house_board.h"
#include "privsep/house_certificate.h"

static char dir[] = "/tmp/consilium-house-XXXXXX";
static char longer[5000]; /* than a path may be */

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void
is(const struct err *err, enum err_code code, const char *words)
{
	if (err->code != code || strstr(err->msg, words) == NULL)
		fail_msg("error %d: %s; not %d: %s", err->code, err->msg, code,
		    words);
}

static void
a_path_that_is_too_long_is_said(void **state)
{
	static const struct house_grant grants[] = { { PROC_GATE, "tls.key",
	    true } };
	struct house_socket s;
	int64_t until;
	struct err err;

	(void)state;
	assert_int_equal(house_open(longer, "key", &err), -1);
	is(&err, ERR_CONFIG, "path too long: xxx");
	assert_int_equal(house_check(grants, 1, longer, &err), -1);
	assert_int_equal(
	    house_give(grants, 1, longer, PROC_GATE, NULL, &err), -1);
	is(&err, ERR_CONFIG, "path too long: xxx");
	assert_int_equal(house_certificate(longer, "lyon", &until, &err), -1);
	is(&err, ERR_CONFIG, "path too long: xxx");
	assert_int_equal(house_socket(&s, longer, false, &err), -1);
	is(&err, ERR_CONFIG, "a socket's path is at most 107 bytes long");
	house_socket_close(&s, longer); /* there is none */
}

static void
a_state_folder_is_made_in_one_that_is_there(void **state)
{
	static const char *const folders[] = { "tables" };
	struct err err;
	struct stat st;
	int lock;

	(void)state;
	assert_int_equal(house_state(in_dir("no/state"), folders, 1, &err), -1);
	is(&err, ERR_CONFIG, "the folder that it is to be made in is not");
	assert_int_equal(house_state("/dev/null/state", folders, 1, &err), -1);
	is(&err, ERR_SYSTEM, "make /dev/null/state");
	assert_true(
	    (lock = house_state(in_dir("state"), folders, 1, &err)) >= 0);
	assert_int_equal(stat(in_dir("state/tables"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(house_state(in_dir("state"), folders, 1, &err), -1);
	is(&err, ERR_CONFIG, "another daemon works in this folder");
	close(lock);
	/* A file where a folder should be, and where the lock should be. */
	assert_int_equal(house_state("/dev/null", folders, 1, &err), -1);
	assert_int_equal(unlink(in_dir("state/lock")), 0);
	assert_int_equal(mkdir(in_dir("state/lock"), 0700), 0);
	assert_int_equal(house_state(in_dir("state"), folders, 1, &err), -1);
	is(&err, ERR_SYSTEM, "/lock");
	rmdir(in_dir("state/lock"));
}

/* It goes on with the one that it has; its parent says so every day. */
static void
a_certificate_that_is_gone_is_logged(void **state)
{
	int64_t until = 77;

	(void)state;
	house_certificate_daily(in_dir("keys"), "lyon", &until);
	assert_int_equal(until, 77);
}

static void
a_socket_is_where_it_is_asked_for(void **state)
{
	struct house_socket s, second;
	struct err err;
	struct stat st;
	char own[4096];

	(void)state;
	assert_int_equal(house_socket(&s, in_dir("a/b/socket"), true, &err), 0);
	assert_int_equal(stat(in_dir("a/b/socket"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(
	    house_socket(&second, in_dir("a/b/socket"), true, &err), -1);
	is(&err, ERR_CONFIG, "socket in use by another daemon");
	house_socket_close(&s, in_dir("a/b/socket"));
	assert_int_equal(stat(in_dir("a/b/socket"), &st), -1);
	/* What a daemon has left behind that was killed. */
	assert_int_equal(
	    house_socket(&s, in_dir("a/b/socket"), false, &err), 0);
	close(s.fd);
	assert_int_equal(
	    house_socket(&s, in_dir("a/b/socket"), false, &err), 0);
	assert_int_equal(stat(in_dir("a/b/socket"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	house_socket_close(&s, in_dir("a/b/socket"));
	/* In the folder where it is. */
	assert_non_null(getcwd(own, sizeof(own)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(house_socket(&s, "socket", false, &err), 0);
	house_socket_close(&s, "socket");
	assert_int_equal(chdir(own), 0);
	assert_int_equal(
	    house_socket(&s, "/dev/null/a/socket", false, &err), -1);
}

/* In another process, with descriptors from 3 on, as systemd hands them over. */
static int
inherits(const char *names, int n, const char *at)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct sockaddr_un sun = { .sun_family = AF_UNIX };
		struct house_socket s;
		char number[16];
		struct err err;
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		snprintf(sun.sun_path, sizeof(sun.sun_path), "%s",
		    in_dir("systemd"));
		unlink(sun.sun_path);
		if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		    listen(fd, 1) < 0)
			_exit(99);
		fd = fcntl(fd, F_DUPFD, 20);
		for (int i = 3; i < 20; i++) /* the test's own */
			close(i);
		for (int i = 0; i < n; i++)
			dup2(fd, 3 + i);
		snprintf(number, sizeof(number), "%d", getpid());
		setenv("LISTEN_PID", number, 1);
		snprintf(number, sizeof(number), "%d", n);
		setenv("LISTEN_FDS", number, 1);
		setenv("LISTEN_FDNAMES", names, 1);
		if (house_socket(&s, at, false, &err) < 0)
			_exit(err.code == ERR_CONFIG ? 2 : 98);
		if (!s.inherited)
			_exit(1);
		/* One of them, which does not wait; the others are closed. */
		_exit((fcntl(s.fd, F_GETFL) & O_NONBLOCK) != 0 &&
			    fcntl(s.fd == 3 ? 4 : 3, F_GETFD) < 0
			? 0
			: 97);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
the_socket_of_a_unit_is_known_by_its_name(void **state)
{
	(void)state;
	assert_int_equal(inherits("control", 1, in_dir("systemd")), 0);
	assert_int_equal(inherits("other:control", 2, in_dir("systemd")), 0);
	assert_int_equal(inherits("control:control", 2, in_dir("systemd")), 0);
	assert_int_equal(inherits("other", 1, in_dir("own")), 1);
	assert_int_equal(inherits("control", 1, in_dir("elsewhere")), 2);
}

static void
a_board_listens_where_it_can(void **state)
{
	static char v4[] = "127.0.0.1", v6[] = "::1", none[] = "::1%nothing",
		    text[] = "as it is written";
	struct ini_address a = { text, v4, 0 };
	struct family_plan plan = { .residents = { PROC_GATE } };
	struct house_board b, second;
	struct err err;

	(void)state;
	a.host = NULL;
	assert_int_equal(house_board_open(&b, &a, &plan, PROC_GATE, &err), 0);
	assert_int_equal(b.fd, -1);
	assert_int_equal(plan.residents[1], PROC_NONE);
	a.host = v4;
	assert_int_equal(house_board_open(&b, &a, &plan, PROC_GATE, &err), 0);
	assert_int_equal(plan.residents[1], PROC_BOARD);
	assert_int_equal(strncmp(b.at, "127.0.0.1:", 10), 0);
	a.port = (uint16_t)atoi(b.at + 10);
	plan = (struct family_plan){ .residents = { PROC_GATE } };
	assert_int_equal(
	    house_board_open(&second, &a, &plan, PROC_GATE, &err), -1);
	is(&err, ERR_CONFIG,
	    "[board] listen = as it is written: the port is in use");
	close(b.fd);
	a.host = none;
	plan = (struct family_plan){ .residents = { PROC_GATE } };
	assert_int_equal(house_board_open(&b, &a, &plan, PROC_GATE, &err), -1);
	is(&err, ERR_CONFIG, "[board] listen = as it is written: ");
	a.host = v6;
	a.port = 0;
	plan = (struct family_plan){ .residents = { PROC_GATE } };
	if (house_board_open(&b, &a, &plan, PROC_GATE, &err) < 0) {
		is(&err, ERR_SYSTEM, "[board] listen"); /* no IPv6 here */
		return;
	}
	assert_int_equal(strncmp(b.at, "[::1]:", 6), 0);
	close(b.fd);
}

static void
who_a_folder_belongs_to_must_be_known(void **state)
{
	char as[HOUSE_AS];
	struct err err;

	(void)state;
	assert_int_equal(
	    house_be_owner("/dev/null", in_dir("none"), as, &err), 0);
	assert_string_equal(as, "");
	assert_int_equal(mkdir(in_dir("theirs"), 0700), 0);
	assert_int_equal(
	    house_be_owner("/dev/null", in_dir("theirs"), as, &err), 0);
	assert_string_equal(as, "");
	if (geteuid() != 0)
		return; /* who else could give it away? */
	assert_int_equal(chown(in_dir("theirs"), 1234567, 1234567), 0);
	assert_int_equal(
	    house_be_owner("/dev/null", in_dir("theirs"), as, &err), -1);
	is(&err, ERR_CONFIG, "belongs to user 1234567, expected one of this");
}

static int
set_up(void **state)
{
	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	return mkdtemp(dir) == NULL ? -1 : mkdir(in_dir("keys"), 0700);
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_that_is_too_long_is_said),
		cmocka_unit_test(a_state_folder_is_made_in_one_that_is_there),
		cmocka_unit_test(a_certificate_that_is_gone_is_logged),
		cmocka_unit_test(a_socket_is_where_it_is_asked_for),
		cmocka_unit_test(the_socket_of_a_unit_is_known_by_its_name),
		cmocka_unit_test(a_board_listens_where_it_can),
		cmocka_unit_test(who_a_folder_belongs_to_must_be_known),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

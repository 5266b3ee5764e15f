/*
 * The beginning of a process: what its parent may not send, and what is said of
 * how it ended.  The process is control, as it is.
 */
#include "config.h"

#include "tests/check.h"

#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/chan.h"
#include "privsep/spawn.h"
#include "privsep/start.h"

#define WAIT_MS 20000

static struct chan *parent;

static void
tell(enum msg_type type, const void *p, size_t len, int fd)
{
	struct err err;

	assert_int_equal(chan_send(parent, type, 0, p, len, fd, &err), 0);
}

static void
tell_canon(enum msg_type type, struct canon *c, int fd)
{
	tell(type, c->data, c->len, fd);
	canon_free(c);
}

static void
give_file(const char *name)
{
	struct canon c = { 0 };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	canon_text(&c, name);
	tell_canon(MSG_FILE, &c, fd);
	close(fd);
}

/* Both ends are the other process's. */
static void
give_peer(uint8_t proc)
{
	struct err err;
	int ends[2];

	assert_int_equal(chan_pair(ends, &err), 0);
	tell(MSG_PEER, &proc, 1, ends[0]);
	close(ends[0]);
	close(ends[1]);
}

static void
nothing(void)
{
	chan_free(parent);
	parent = NULL;
}

static void
stop(void)
{
	tell(MSG_STOP, NULL, 0, -1);
}

static void
a_ping_and_stop(void)
{
	struct err err;
	struct msg m;

	assert_int_equal(chan_send(parent, MSG_PING, 7, NULL, 0, -1, &err), 0);
	assert_int_equal(chan_wait(parent, &m, WAIT_MS, &err), 1);
	assert_int_equal(m.type, MSG_PONG);
	assert_int_equal(m.tag, 7);
	msg_free(&m);
	stop();
}

static void
another_message(void)
{
	tell(MSG_STATUS, "x", 1, -1);
}

static void
a_file_without_one(void)
{
	struct canon c = { 0 };

	canon_text(&c, "socket");
	tell_canon(MSG_FILE, &c, -1);
}

static void
a_file_of_half_a_name(void)
{
	tell(MSG_FILE, "\0\0\0\6sock", 8, STDIN_FILENO);
}

static void
too_many_files(void)
{
	char name[8];

	give_file("0"); /* again takes no place */
	for (int i = 0; i <= CHILD_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		give_file(name);
	}
}

static void
a_peer_without_a_channel(void)
{
	tell(MSG_PEER, "\2", 1, -1);
}

static void
the_parent_as_a_peer(void)
{
	give_peer(PROC_PARENT);
}

static void
an_unknown_peer(void)
{
	give_peer(PROC_COUNT);
}

static void
a_peer_twice(void)
{
	give_peer(PROC_GATE);
	give_peer(PROC_GATE);
}

static void
too_many_peers(void)
{
	for (uint8_t p = PROC_GATE; p <= PROC_GATE + CHILD_PEERS_MAX; p++)
		give_peer(p);
}

static void
a_peer_and_more(void)
{
	tell(MSG_PEER, "\2\2", 2, STDIN_FILENO);
}

static void
begin_config(struct canon *c, uint32_t n_facts)
{
	canon_text(c, "test.conf");
	canon_bytes(c, "", 0);
	canon_u32(c, n_facts);
}

static void
too_many_facts(void)
{
	struct canon c = { 0 };

	begin_config(&c, CHILD_FACTS_MAX + 1);
	tell_canon(MSG_CONFIG, &c, -1);
}

static void
a_fact_without_a_value(void)
{
	struct canon c = { 0 };

	begin_config(&c, 2);
	canon_text(&c, "uid");
	tell_canon(MSG_CONFIG, &c, -1);
}

static void
a_configuration_and_more(void)
{
	struct canon c = { 0 };

	begin_config(&c, 0);
	canon_u8(&c, 1);
	tell_canon(MSG_CONFIG, &c, -1);
}

/* A good one: what control itself then lacks. */
static void
no_socket(void)
{
	struct canon c = { 0 };

	give_peer(PROC_GATE);
	begin_config(&c, 0);
	tell_canon(MSG_CONFIG, &c, -1);
}

static void
nobody_to_ask(void)
{
	struct canon c = { 0 };

	give_file("socket");
	begin_config(&c, 0);
	tell_canon(MSG_CONFIG, &c, -1);
}

static const struct {
	void (*send)(void);
	const char *words;
} starts[] = {
	{ nothing, "the parent went before it began" },
	{ stop, "stopped before it began" },
	{ a_ping_and_stop, "stopped before it began" },
	{ another_message, "STATUS is no way to start" },
	{ a_file_without_one, "FILE socket without one" },
	{ a_file_of_half_a_name, "FILE" },
	{ too_many_files, "more than 16 files" },
	{ a_peer_without_a_channel, "PEER 2 is not expected" },
	{ the_parent_as_a_peer, "PEER 1 is not expected" },
	{ an_unknown_peer, "PEER 10 is not expected" },
	{ a_peer_twice, "PEER 2 is not expected" },
	{ too_many_peers, "PEER 6 is not expected" },
	{ a_peer_and_more, "PEER" },
	{ too_many_facts, "CONFIG with 17 facts" },
	{ a_fact_without_a_value, "CONFIG" },
	{ a_configuration_and_more, "CONFIG" },
	{ no_socket, "no socket, or nobody to ask" },
	{ nobody_to_ask, "no socket, or nobody to ask" },
};

static void
a_wrong_beginning_is_said_and_the_end(void **state)
{
	(void)state;
	_Static_assert(PROC_GATE == 2 && PROC_COUNT == 10, "as in the table");
	for (size_t i = 0; i < nitems(starts); i++) {
		int out[2], own = dup(STDERR_FILENO), status;
		char line[512];
		struct err err;
		ssize_t n;
		pid_t pid;

		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		dup2(out[1], STDERR_FILENO);
		pid = spawn(PROC_CONTROL, LOG_INFO, &parent, &err);
		dup2(own, STDERR_FILENO);
		close(own);
		close(out[1]);
		assert_true(pid > 0);
		starts[i].send();
		assert_int_equal(waitpid(pid, &status, 0), pid);
		chan_free(parent);
		n = read(out[0], line, sizeof(line) - 1);
		line[n > 0 ? n : 0] = '\0';
		close(out[0]);
		if (strstr(line, "control error: ") == NULL ||
		    strstr(line, starts[i].words) == NULL ||
		    strchr(line, '\n') != line + n - 1)
			fail_msg("expected one line with \"%s\": %s",
			    starts[i].words, line);
		assert_int_equal(status, W_EXITCODE(1, 0));
	}
}

static void
an_executable_is_looked_for_in_each_folder(void **state)
{
	char *dirs = strdup(getenv("CONSILIUM_LIBEXEC"));
	char path[4096], small[4];
	struct err err;

	(void)state;
	assert_int_equal(spawn_find(PROC_CONTROL, path, sizeof(path), &err), 0);
	assert_non_null(strstr(path, "/daemon/control"));
	assert_int_equal(
	    spawn_find(PROC_CONTROL, small, sizeof(small), &err), -1);
	assert_int_equal(spawn_find(PROC_PARENT, path, sizeof(path), &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "no executable parent in /nowhere:"));
	/* Where it is installed, if nothing else is said. */
	setenv("CONSILIUM_LIBEXEC", "", 1);
	assert_int_equal(spawn_find(PROC_PARENT, path, sizeof(path), &err), -1);
	assert_non_null(
	    strstr(err.msg, "no executable parent in " PKGLIBEXECDIR));
	unsetenv("CONSILIUM_LIBEXEC");
	assert_int_equal(spawn_find(PROC_PARENT, path, sizeof(path), &err), -1);
	assert_non_null(
	    strstr(err.msg, "no executable parent in " PKGLIBEXECDIR));
	setenv("CONSILIUM_LIBEXEC", dirs, 1);
	free(dirs);
}

static void
how_a_process_ended_is_said_in_words(void **state)
{
	static const struct {
		int status;
		const char *words;
	} ends[] = {
		{ W_EXITCODE(0, 0), "exited with status 0" },
		{ W_EXITCODE(3, 0), "exited with status 3" },
		{ W_EXITCODE(127, 0), "could not be executed" },
		{ W_EXITCODE(0, SIGKILL), "was killed by SIGKILL" },
		{ W_EXITCODE(0, SIGSYS),
		    "was killed by SIGSYS: it made a system call that is not "
		    "in its list" },
		{ W_EXITCODE(0, 60), "was killed by SIG?" },
		{ W_STOPCODE(SIGSTOP), "ended with wait status 4991" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(ends); i++) {
		char how[128];

		spawn_how(ends[i].status, how, sizeof(how));
		assert_string_equal(how, ends[i].words);
	}
}

static void
what_has_no_name_is_named_so(void **state)
{
	(void)state;
	assert_string_equal(proc_name(PROC_COUNT), "nobody");
	assert_string_equal(proc_name((enum proc) - 1), "nobody");
	assert_int_equal(proc_find("nobody"), PROC_NONE);
	assert_string_equal(msg_name(MSG_COUNT), "unknown");
	for (int i = PROC_PARENT; i < PROC_COUNT; i++)
		assert_int_equal(proc_find(proc_name((enum proc)i)), i);
}

static int
set_up(void **state)
{
	char dirs[4096];

	(void)state;
	snprintf(dirs, sizeof(dirs), "/nowhere:%s/daemon", getenv("builddir"));
	signal(SIGPIPE, SIG_IGN);
	return setenv("CONSILIUM_LIBEXEC", dirs, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_beginning_is_said_and_the_end),
		cmocka_unit_test(an_executable_is_looked_for_in_each_folder),
		cmocka_unit_test(how_a_process_ended_is_said_in_words),
		cmocka_unit_test(what_has_no_name_is_named_so),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

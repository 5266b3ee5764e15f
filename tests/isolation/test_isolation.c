/*
 * Each program as it was built, started as by its parent, tries what it must
 * not when it is about to read its first message (order.c).  A table is printed:
 * process by attempt.  The first column is the same attempt by nobody in
 * particular, who must succeed: so it is the lock that stops the others.  What
 * this kernel's Landlock cannot limit is said, not asserted.
 */
#include "config.h"

#include "tests/check.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/macros.h"
#include "privsep/chan.h"
#include "privsep/landlock.h"
#include "privsep/lock.h"
#include "privsep/spawn.h"
#include "tests/isolation/attempts.h"

#if defined(CONSILIUM_SANITIZE) || defined(CONSILIUM_COVERAGE)
#define LOOSE 1
#else
#define LOOSE 0
#endif

static const struct program {
	enum proc proc;
	const char *folder;
} programs[] = {
	{ PROC_GATE, "daemon" },
	{ PROC_UPLINK, "daemon" },
	{ PROC_CONTROL, "daemon" },
	{ PROC_READER, "daemon" },
	{ PROC_TRAINER, "daemon" },
	{ PROC_BOARD, "board" },
	{ PROC_LISTENER, "coordinator" },
	{ PROC_ROUNDS, "coordinator" },
};

static void
put(const char *name)
{
	int fd = open(in_state(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* What attempts may have taken away, or made. */
static void
tidy(void)
{
	unlink(in_state("db/new"));
	unlink(in_state("db/key"));
	unlink(in_state("new"));
	unlink(in_state("tables/own.db"));
	put("db/own.db");
	put("audit.log");
}

/* In a child: what a parent does, and the order. */
_Noreturn static void
become(const struct program *p, size_t attempt, int channel)
{
	char path[4096], port[16], library[4096];

	snprintf(path, sizeof(path), "%s/%s/%s", getenv("builddir"), p->folder,
	    proc_name(p->proc));
	snprintf(library, sizeof(library), "%s/tests/isolation/order.so",
	    getenv("builddir"));
	snprintf(port, sizeof(port), "%d", scene.ports[0]);
	setenv(LOCK_STATE_ENV, scene.state, 1);
	setenv(LOCK_PORT_ENV, port, 1);
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	setenv("LD_PRELOAD", library, 1);
	order_put(attempt);
	if (dup2(channel, SPAWN_CHANNEL_FD) == SPAWN_CHANNEL_FD)
		execl(path, path, NULL);
	_exit(1);
}

/* In a child, without a lock. */
_Noreturn static void
try_freely(size_t attempt)
{
	errno = 0;
	if (attempts[attempt].fn() >= 0)
		_exit(ORDER_EXIT);
	_exit(errno == 0 ? ORDER_EXIT - 1 : ORDER_EXIT + errno);
}

/* -1: killed by SIGSYS; 0: could; or errno.  p is NULL: freely. */
static int
outcome(const struct program *p, size_t attempt)
{
	int ends[2], status;
	struct err err;
	pid_t pid;

	assert_int_equal(chan_pair(ends, &err), 0);
	/* A first byte, which is not read. */
	assert_int_equal(send(ends[0], "x", 1, 0), 1);
	fflush(NULL);
	assert_true((pid = fork()) >= 0);
	if (pid == 0 && p == NULL)
		try_freely(attempt);
	if (pid == 0)
		become(p, attempt, ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ends[0]);
	close(ends[1]);
	tidy();
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return -1;
	}
	if (WEXITSTATUS(status) == 0)
		return 0; /* it became /bin/true */
	if (WEXITSTATUS(status) < ORDER_EXIT)
		fail_msg("%s did not come to \"%s\": status %d",
		    p != NULL ? proc_name(p->proc) : "nobody",
		    attempts[attempt].what, WEXITSTATUS(status));
	return WEXITSTATUS(status) - ORDER_EXIT;
}

static const char *
word(int got)
{
	if (got == 0)
		return "may";
	return got < 0 ? "killed" : strerrorname_np(got);
}

/* One line of the table; how many cells are wrong. */
static int
one_attempt(size_t attempt, int abi)
{
	const struct attempt *a = &attempts[attempt];
	int got = outcome(NULL, attempt), wrong = 0;

	printf("%-24s %-8s", a->what, got == 0 ? "can" : word(got));
	if (got != 0 && a->freely == FREE_OK)
		wrong++;
	for (size_t i = 0; i < nitems(programs); i++) {
		bool may = (a->may & 1U << programs[i].proc) != 0;

		got = outcome(&programs[i], attempt);
		if (got == 0 && !may && abi < a->abi) {
			printf(" %-8s", "(may)");
			continue;
		}
		printf(" %-8.8s", word(got));
		if ((got == 0) != may) {
			printf("<- WRONG ");
			wrong++;
		}
	}
	printf("\n");
	return wrong;
}

static void
each_process_is_stopped_at_what_it_must_not(void **unused)
{
	int abi = LOOSE ? 0 : landlock_abi(), wrong = 0;

	(void)unused;
	printf("Landlock version %d, user %u.  (may): this kernel cannot "
	       "limit it\n\n%-24s %-8s",
	    abi, getuid(), "", "nobody");
	for (size_t i = 0; i < nitems(programs); i++)
		printf(" %-8s", proc_name(programs[i].proc));
	printf("\n");
	for (size_t i = 0; i < n_attempts; i++) {
		if (!LOOSE || attempts[i].loose)
			wrong += one_attempt(i, abi);
	}
	printf("\n");
	assert_int_equal(wrong, 0);
}

static void
open_port(int i)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	scene.ports[i] = ntohs(sin.sin_port);
	if (i == 0)
		assert_int_equal(dup2(fd, SOCKET_FD), SOCKET_FD);
}

static int
setup(void **unused)
{
	static const char *const folders[] = { "db", "spool", "keys", "tables",
		"reports" };
	static int readable;
	int fd;

	(void)unused;
	strcpy(scene.state, "/tmp/consilium-isolation-XXXXXX");
	assert_non_null(mkdtemp(scene.state));
	for (size_t i = 0; i < nitems(folders); i++)
		assert_int_equal(mkdir(in_state(folders[i]), 0700), 0);
	put("keys/identity.key");
	put("tables/rfs.1.table");
	put("reports/r.html");
	tidy();
	open_port(0);
	open_port(1);
	assert_true((fd = open("/bin/true", O_RDONLY)) >= 0);
	assert_int_equal(dup2(fd, PROGRAM_FD), PROGRAM_FD);
	close(fd);
	scene.readable = &readable;
	assert_true((scene.sibling = fork()) >= 0);
	if (scene.sibling == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		for (;;)
			pause();
	}
	return 0;
}

static int
teardown(void **unused)
{
	char command[128];

	(void)unused;
	kill(scene.sibling, SIGKILL);
	waitpid(scene.sibling, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", scene.state);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_is_stopped_at_what_it_must_not),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/*
 * Each process is locked in, in a child of this test, and tries what it may
 * and what it must not do.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/leave.h"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/macros.h"
#include "privsep/chan.h"
#include "privsep/landlock.h"
#include "privsep/lock.h"

#if defined(CONSILIUM_SANITIZE) || defined(CONSILIUM_COVERAGE)
#define LOOSE 1
#else
#define LOOSE 0
#endif

/* Files lie in db/ of this folder. */
static char state[] = "/tmp/consilium-lock-XXXXXX";
static struct lock_room room = { state, 1 };
static char scratch[64]; /* a file there */

/* What a try comes to. */
enum outcome {
	DONE,
	FAILED, /* the call returned an error */
	KILLED, /* by SIGSYS */
	OTHER
};

static int
sealed_memory(void)
{
	static uint8_t p[100000];
	struct err err;
	int fd = memfd_seal("x", p, sizeof(p), &err);

	return fd >= 0 && memfd_map(fd, sizeof(p), &err) != NULL ? 0 : -1;
}

static int
internet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
open_to_read(void)
{
	return open(scratch, O_RDONLY | O_CLOEXEC);
}

static int
open_to_write(void)
{
	return open(scratch, O_WRONLY | O_CLOEXEC);
}

static int
truncate_by_reading(void)
{
	return open(scratch, O_RDONLY | O_TRUNC | O_CLOEXEC);
}

static int
execute(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv);
}

static int
fork_one(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
start_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL) != 0)
		return -1;
	return pthread_join(t, NULL);
}

static int
trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
kill_parent(void)
{
	return kill(getppid(), 0);
}

static int
allow_dumps(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int
remove_file(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s.nobody", scratch);
	return unlink(path) < 0 && errno == ENOENT ? 0 : -1;
}

#define P(p) (1U << PROC_##p)
#define ALL                                                                    \
	(P(GATE) | P(UPLINK) | P(CONTROL) | P(READER) | P(TRAINER) |           \
	    P(LISTENER) | P(ROUNDS) | P(BOARD))

/* Who may, and whose call fails; all others are killed. */
static const struct
try {
	const char *what;
	int (*fn)(void);
	unsigned may, fails;
	int loose; /* asserted in builds with a sanitizer, too */
}
tries[] = {
	{ "sealed memory", sealed_memory, ALL, 0, 1 },
	{ "internet socket", internet_socket, P(UPLINK) | P(LISTENER), 0, 1 },
	{ "unix socket", unix_socket, 0, P(UPLINK) | P(LISTENER), 0 },
	/* These may open some files, but not this one: that is Landlock's. */
	{ "open to read", open_to_read, P(GATE) | P(ROUNDS),
	    P(UPLINK) | P(CONTROL) | P(LISTENER), 0 },
	{ "open to write", open_to_write, P(GATE) | P(ROUNDS), 0, 0 },
	{ "truncate by reading", truncate_by_reading, P(GATE) | P(ROUNDS), 0,
	    0 },
	{ "execute", execute, 0, 0, 1 },
	{ "fork", fork_one, 0, 0, 0 },
	{ "thread", start_thread, P(UPLINK) | P(LISTENER), 0, 0 },
	{ "trace parent", trace_parent, 0, 0, 0 },
	{ "signal to parent", kill_parent, 0, 0, 0 },
	{ "allow dumps", allow_dumps, 0, 0, 0 },
	{ "remove a file", remove_file, P(GATE) | P(ROUNDS), 0, 0 },
};

static enum outcome
outcome_of(enum proc proc, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err;

		if (lock_in(proc, &room, &err) < 0)
			leave(9);
		leave(fn() >= 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : OTHER;
	if (WEXITSTATUS(status) > 1)
		return OTHER;
	return WEXITSTATUS(status) == 0 ? DONE : FAILED;
}

static void
a_process_may_what_its_profile_says_and_no_more(void **unused)
{
	static const char *const words[] = { "may", "fails", "killed",
		"OTHER" };

	(void)unused;
	for (size_t i = 0; i < nitems(tries); i++) {
		const struct try *t = &tries[i];

		if (LOOSE && !t->loose)
			continue;
		for (int p = PROC_GATE; p < PROC_COUNT; p++) {
			enum outcome want = KILLED;
			enum outcome got = outcome_of((enum proc)p, t->fn);

			if ((t->may & 1U << p) != 0)
				want = DONE;
			else if ((t->fails & 1U << p) != 0)
				want = FAILED;
			if (want == FAILED && t->fn == open_to_read &&
			    landlock_abi() == 0)
				want = DONE;
			if (got != want)
				fail_msg("%s: %s: %s, expected %s",
				    proc_name((enum proc)p), t->what,
				    words[got], words[want]);
		}
	}
}

static void
nobody_has_capabilities_or_can_get_them(void **unused)
{
	char line[256];
	int status;
	pid_t pid = fork();

	(void)unused;
	if (pid == 0) {
		/* Opened before, read after: what the kernel then says. */
		FILE *f = fopen("/proc/self/status", "re");
		struct err err;
		int seen = 0;

		if (f == NULL || lock_in(PROC_CONTROL, &room, &err) < 0)
			leave(9);
		while (fgets(line, sizeof(line), f) != NULL) {
			if (strncmp(line, "Cap", 3) == 0 &&
			    strncmp(line, "CapBnd", 6) != 0) {
				if (strstr(line, "0000000000000000") == NULL)
					leave(2);
				seen++;
			}
			if (strcmp(line, "NoNewPrivs:\t1\n") == 0 ||
			    strcmp(line, "Seccomp:\t2\n") == 0)
				seen++;
		}
		leave(seen == 6 ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
the_refused_call_can_be_named(void **unused)
{
	int out[2], status;
	char line[128] = "", want[64];
	pid_t pid;

	(void)unused;
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		struct err err;

		dup2(out[1], STDERR_FILENO);
		setenv("CONSILIUM_SECCOMP", "log", 1);
		if (lock_in(PROC_TRAINER, &room, &err) < 0)
			leave(9);
		execute();
		leave(0);
	}
	close(out[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(out[0], line, sizeof(line) - 1) > 0);
	close(out[0]);
	assert_int_equal(WEXITSTATUS(status), LOCK_EXIT);
	snprintf(want, sizeof(want), "system call %d was refused", SYS_execve);
	assert_memory_equal(line, want, strlen(want));
}

static void
who_has_no_profile_does_not_run(void **unused)
{
	int status;
	pid_t pid = fork();

	(void)unused;
	if (pid == 0) {
		struct err err;

		leave(lock_in(PROC_PARENT, &room, &err) < 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The kernel's calls that lock a process in, each refused by a filter of the
   test's: whose is lock_in()'s failure, and what it says. */
static const struct refused {
	enum proc proc;
	int call;
	unsigned n_args;
	struct scmp_arg_cmp arg;
	const char *words;
	bool strict; /* not in builds with a sanitizer */
	bool landlock; /* where the kernel has it, with ports */
} refused[] = {
	{ PROC_GATE, SCMP_SYS(prctl), 1,
	    { 0, SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS, 0 }, "no_new_privs", false,
	    false },
	{ PROC_GATE, SCMP_SYS(capset), 0, { 0 }, "drop capabilities", false,
	    false },
	{ PROC_GATE, SCMP_SYS(prctl), 1, { 0, SCMP_CMP_EQ, PR_SET_DUMPABLE, 0 },
	    "make it not dumpable", true, false },
	{ PROC_GATE, SCMP_SYS(prlimit64), 1, { 2, SCMP_CMP_EQ, 0, 0 },
	    "getrlimit", false, false },
	{ PROC_BOARD, SCMP_SYS(prlimit64), 1, { 2, SCMP_CMP_NE, 0, 0 },
	    "setrlimit", false, false },
	{ PROC_GATE, SCMP_SYS(fsync), 0, { 0 }, "sync", false, false },
	{ PROC_GATE, SCMP_SYS(seccomp), 0, { 0 }, "seccomp", false, false },
	{ PROC_UPLINK, SCMP_SYS(landlock_create_ruleset), 1,
	    { 1, SCMP_CMP_NE, 0, 0 }, "landlock", false, true },
	{ PROC_GATE, SCMP_SYS(landlock_add_rule), 0, { 0 },
	    "landlock rule for ", true, true },
	{ PROC_UPLINK, SCMP_SYS(landlock_add_rule), 1, { 1, SCMP_CMP_EQ, 2, 0 },
	    "landlock rule for port 0", false, true },
	{ PROC_UPLINK, SCMP_SYS(landlock_restrict_self), 0, { 0 }, "landlock",
	    false, true },
};

static int
refuse_call(const struct refused *r)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx == NULL ? -1
			     : seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EIO),
				   r->call, r->n_args, &r->arg);

	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

static void
who_cannot_be_locked_in_does_not_run(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < nitems(refused); i++) {
		const struct refused *r = &refused[i];
		int status;
		pid_t pid;

		if ((LOOSE && r->strict) || (r->landlock && landlock_abi() < 4))
			continue;
		if ((pid = fork()) == 0) {
			char begin[32];
			struct err err;

			snprintf(begin, sizeof(begin),
			    "lock in %s: ", proc_name(r->proc));
			if (refuse_call(r) < 0)
				leave(9);
			if (lock_in(r->proc, &room, &err) == 0)
				leave(1);
			leave(err.code == ERR_SYSTEM &&
				    strncmp(err.msg, begin, strlen(begin)) ==
					0 &&
				    strstr(err.msg, r->words) != NULL
				? 0
				: 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("%s: wait status %#x", r->words, status);
	}
}

/* The uplink, before and after /etc/hosts is another file. */
_Noreturn static void
look_twice(int said, int replaced)
{
	const char *first, *second;
	struct err err;
	char c = 0;

	if (lock_in(PROC_UPLINK, &room, &err) < 0)
		leave(9);
	first = lock_outdated(PROC_UPLINK);
	if (write(said, &c, 1) != 1 || read(replaced, &c, 1) != 1)
		leave(9);
	second = lock_outdated(PROC_UPLINK);
	leave(
	    first == NULL && second != NULL && strcmp(second, "/etc/hosts") == 0
		? 0
		: 1);
}

/* In a mount namespace of its own; 77: this system has none for us. */
_Noreturn static void
replace_hosts(void)
{
	int said[2], replaced[2], status;
	char c = 0;
	pid_t pid;

	if (unshare(CLONE_NEWNS | (getuid() == 0 ? 0 : CLONE_NEWUSER)) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		leave(77);
	if (pipe(said) < 0 || pipe(replaced) < 0 || (pid = fork()) < 0)
		leave(8);
	if (pid == 0)
		look_twice(said[1], replaced[0]);
	if (read(said[0], &c, 1) != 1)
		leave(8);
	if (mount(scratch, "/etc/hosts", NULL, MS_BIND, NULL) < 0) {
		kill(pid, SIGKILL);
		leave(77);
	}
	if (write(replaced[1], &c, 1) != 1 || waitpid(pid, &status, 0) != pid)
		leave(8);
	leave(WIFEXITED(status) ? WEXITSTATUS(status) : 7);
}

static void
a_file_that_was_replaced_is_noticed(void **unused)
{
	int status;
	pid_t pid;

	(void)unused;
	if (LOOSE || landlock_abi() == 0) {
		print_message("nothing keeps a new file from being read\n");
		skip();
	}
	pid = fork();
	if (pid == 0)
		replace_hosts();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("no mount namespace to be had here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static int
setup(void **unused)
{
	char db[48];
	int fd;

	(void)unused;
	if (mkdtemp(state) == NULL)
		return -1;
	snprintf(db, sizeof(db), "%s/db", state);
	snprintf(scratch, sizeof(scratch), "%s/db/scratch", state);
	if (mkdir(db, 0700) < 0)
		return -1;
	fd = open(scratch, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	return fd < 0;
}

static int
teardown(void **unused)
{
	char command[64];

	(void)unused;
	snprintf(command, sizeof(command), "rm -r %s", state);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_process_may_what_its_profile_says_and_no_more),
		cmocka_unit_test(nobody_has_capabilities_or_can_get_them),
		cmocka_unit_test(the_refused_call_can_be_named),
		cmocka_unit_test(who_has_no_profile_does_not_run),
		cmocka_unit_test(who_cannot_be_locked_in_does_not_run),
		cmocka_unit_test(a_file_that_was_replaced_is_noticed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

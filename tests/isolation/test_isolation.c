/*
 * Each process, locked in as it is when it runs, tries what it must not.  A
 * table is printed: process by attempt.  The first column is the same attempt
 * by nobody in particular, who must succeed: so it is the lock that stops the
 * others.  What this kernel's Landlock cannot limit is said, not asserted.
 */
#include "config.h"

#include "tests/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/macros.h"
#include "privsep/landlock.h"
#include "privsep/lock.h"

#if defined(CONSILIUM_SANITIZE) || defined(CONSILIUM_COVERAGE)
#define LOOSE 1
#else
#define LOOSE 0
#endif

static char state[] = "/tmp/consilium-isolation-XXXXXX";
static int ports[2], listening[2]; /* the coordinator's, another one */
static pid_t sibling;
static int readable; /* what the sibling's memory holds at this address */

static const char *
in_state(const char *name)
{
	static char path[2][128];
	static unsigned next;
	char *p = path[next++ % 2];

	snprintf(p, sizeof(path[0]), "%s/%s", state, name);
	return p;
}

/* The attempts: -1 with errno, or what is not negative. */

static int
open_database(void)
{
	return open(in_state("db/own.db"), O_RDWR | O_CLOEXEC);
}

static int
make_in_database(void)
{
	return open(in_state("db/new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int
append_to_audit_log(void)
{
	return open(in_state("audit.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
}

static int
remove_audit_log(void)
{
	return unlink(in_state("audit.log"));
}

static int
read_report(void)
{
	return open(in_state("reports/r.html"), O_RDONLY | O_CLOEXEC);
}

static int
read_key(void)
{
	return open(in_state("keys/identity.key"), O_RDONLY | O_CLOEXEC);
}

static int
read_table(void)
{
	return open(in_state("tables/rfs.1.table"), O_RDONLY | O_CLOEXEC);
}

static int
make_in_state(void)
{
	return open(in_state("new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int
take_database_out(void)
{
	return rename(in_state("db/own.db"), in_state("tables/own.db"));
}

static int
link_key_in(void)
{
	return link(in_state("keys/identity.key"), in_state("db/key"));
}

static int
list_state(void)
{
	return opendir(state) != NULL ? 0 : -1;
}

static int
read_users(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int
read_hosts(void)
{
	return open("/etc/hosts", O_RDONLY | O_CLOEXEC);
}

static int
read_random(void)
{
	return open("/dev/urandom", O_RDONLY | O_CLOEXEC);
}

static int
inet_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static int
unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
packet_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 4 /* NETLINK_SOCK_DIAG */);
}

static int
two_sockets(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static struct sockaddr_in
loopback(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

static int
connect_to(int port)
{
	struct sockaddr_in sin = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&sin, sizeof(sin));
}

static int
connect_coordinator(void)
{
	return connect_to(ports[0]);
}

static int
connect_elsewhere(void)
{
	return connect_to(ports[1]);
}

/* The test listens there, too: bind() comes first. */
static int
listen_at(int port)
{
	struct sockaddr_in sin = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		return -1;
	return listen(fd, 1);
}

static int
listen_here(void)
{
	return listen_at(ports[0]);
}

static int
listen_elsewhere(void)
{
	return listen_at(ports[1]);
}

static int
execute(void)
{
	static char program[] = "/bin/true";
	char *argv[] = { program, NULL }, *env[] = { NULL };

	return execve(program, argv, env);
}

static int
execute_open_file(void)
{
	static char program[] = "true";
	char *argv[] = { program, NULL }, *env[] = { NULL };

	/* Opened by the test, as by a parent that made a mistake. */
	return (int)syscall(
	    SYS_execveat, 100, "", argv, env, 0x1000 /* AT_EMPTY_PATH */);
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
trace_sibling(void)
{
	int rc = (int)ptrace(PTRACE_ATTACH, sibling, NULL, NULL);

	if (rc == 0) {
		waitpid(sibling, NULL, 0);
		ptrace(PTRACE_DETACH, sibling, NULL, NULL);
	}
	return rc;
}

static int
read_sibling(void)
{
	int here;
	struct iovec to = { &here, sizeof(here) },
		     from = { &readable, sizeof(readable) };

	return (int)process_vm_readv(sibling, &to, 1, &from, 1, 0);
}

static int
open_of_sibling(const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", sibling, what);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int
open_memory(void)
{
	return open_of_sibling("mem");
}

static int
open_environment(void)
{
	return open_of_sibling("environ");
}

static int
signal_sibling(void)
{
	return kill(sibling, SIGCONT);
}

static int
signal_by_owner(void)
{
	return fcntl(listening[0], F_SETOWN, sibling);
}

static int
handle_of_sibling(void)
{
	return (int)syscall(SYS_pidfd_open, sibling, 0);
}

static int
limit_sibling(void)
{
	struct rlimit now;

	if (prlimit(sibling, RLIMIT_CORE, NULL, &now) < 0)
		return -1;
	return prlimit(sibling, RLIMIT_CORE, &now, NULL);
}

static int
priority_of_sibling(void)
{
	return setpriority(PRIO_PROCESS, (id_t)sibling, 19);
}

static int
allow_dumps(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int
map(int prot)
{
	void *p = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int
code_in_memory(void)
{
	return map(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int
code_by_protection(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int
huge_memory(void)
{
	void *p = mmap(NULL, (size_t)64 << 30, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int
dump_core(void)
{
	struct rlimit r = { 1, 1 };

	return setrlimit(RLIMIT_CORE, &r);
}

static int
io_ring(void)
{
	uint64_t params[15] = { 0 };

	return (int)syscall(SYS_io_uring_setup, 1, params);
}

static int
new_user_space(void)
{
	return unshare(CLONE_FILES);
}

static int
key_ring(void)
{
	return (int)syscall(SYS_keyctl, 0 /* get id */, -3, 1);
}

static int
pretend(void)
{
	return prctl(PR_SET_PDEATHSIG, 0);
}

#define P(p) (1U << PROC_##p)
#define STORES (P(GATE) | P(ROUNDS))
#define NETS (P(UPLINK) | P(LISTENER))

/* For everybody, to see that the attempt can be made at all. */
enum { FREE_OK, FREE_ANY };

static const struct attempt {
	const char *what;
	int (*fn)(void);
	unsigned may; /* who may; everybody else must not */
	int abi; /* of Landlock, where nothing else stops it */
	int freely;
	bool loose; /* also in builds with a sanitizer */
} attempts[] = {
	{ "open the own database", open_database, STORES, 1, 0, false },
	{ "make a file beside it", make_in_database, STORES, 1, 0, false },
	{ "open the audit log", append_to_audit_log, STORES, 1, 0, false },
	{ "read a report", read_report, P(CONTROL), 1, 0, false },
	{ "read the identity key", read_key, 0, 1, 0, false },
	{ "read a patient table", read_table, 0, 1, 0, false },
	{ "list the state folder", list_state, 0, 1, 0, false },
	{ "make a file in it", make_in_state, 0, 1, 0, false },
	{ "link the key to db/", link_key_in, 0, 1, 0, false },
	{ "move the database away", take_database_out, 0, 1, 0, false },
	{ "remove the audit log", remove_audit_log, 0, 1, 0, false },
	{ "read /etc/passwd", read_users, 0, 1, 0, false },
	{ "read /etc/hosts", read_hosts, NETS, 1, 0, false },
	{ "read /dev/urandom", read_random, STORES | NETS, 1, 0, false },
	{ "internet socket", inet_socket, NETS, 0, 0, true },
	{ "unix socket", unix_socket, 0, 0, 0, false },
	{ "socketpair", two_sockets, 0, 0, 0, false },
	/* NETLINK is for the resolver; it tells nothing secret. */
	{ "netlink socket", packet_socket, NETS, 0, 0, false },
	{ "connect to coordinator", connect_coordinator, P(UPLINK), 0, 0,
	    false },
	{ "connect to other port", connect_elsewhere, 0, 4, 0, false },
	{ "listen at its port", listen_here, P(LISTENER), 0, 0, false },
	{ "listen at other port", listen_elsewhere, 0, 4, 0, false },
	{ "execute", execute, 0, 0, 0, true },
	{ "execute an open file", execute_open_file, 0, 0, 0, true },
	{ "fork", fork_one, 0, 0, 0, false },
	{ "thread", start_thread, NETS, 0, 0, false },
	{ "trace a sibling", trace_sibling, 0, 0, 0, false },
	{ "read its memory", read_sibling, 0, 0, 0, false },
	{ "open /proc/PID/mem", open_memory, 0, 1, 0, false },
	{ "open /proc/PID/environ", open_environment, 0, 1, 0, false },
	{ "signal to it", signal_sibling, 0, 0, 0, false },
	{ "signal by F_SETOWN", signal_by_owner, 0, 0, 0, false },
	{ "pidfd of it", handle_of_sibling, 0, 0, 0, false },
	{ "change its limits", limit_sibling, 0, 0, 0, false },
	{ "change its priority", priority_of_sibling, 0, 0, 0, false },
	{ "be dumpable again", allow_dumps, 0, 0, 0, false },
	{ "dump core", dump_core, 0, 0, FREE_ANY, false },
	{ "writable code", code_in_memory, 0, 0, 0, false },
	{ "memory becomes code", code_by_protection, 0, 0, 0, false },
	{ "64 GiB of memory", huge_memory, 0, 0, FREE_ANY, false },
	{ "io_uring", io_ring, 0, 0, FREE_ANY, false },
	{ "unshare", new_user_space, 0, 0, 0, false },
	{ "key ring", key_ring, 0, 0, FREE_ANY, false },
	{ "outlive the parent", pretend, 0, 0, 0, false },
};

static const enum proc procs[] = { PROC_GATE, PROC_UPLINK, PROC_CONTROL,
	PROC_READER, PROC_TRAINER, PROC_BOARD, PROC_LISTENER, PROC_ROUNDS };

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

/* In the child: 0 if it could, errno if not.  proc is PROC_NONE: freely. */
_Noreturn static void
attempt(enum proc proc, int (*fn)(void))
{
	const struct lock_room room = { state, (uint16_t)ports[0] };
	struct err err;

	if (proc != PROC_NONE && lock_in(proc, &room, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		_exit(255);
	}
	errno = 0;
	if (fn() >= 0)
		_exit(0);
	_exit(errno == 0 ? 254 : errno);
}

/* -1: killed by SIGSYS; 0: could; or errno. */
static int
outcome(enum proc proc, int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	assert_true((pid = fork()) >= 0);
	if (pid == 0)
		attempt(proc, fn);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	tidy();
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return -1;
	}
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
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
one_attempt(const struct attempt *a, int abi)
{
	int got = outcome(PROC_NONE, a->fn), wrong = 0;

	printf("%-24s %-8s", a->what, got == 0 ? "can" : word(got));
	if (got != 0 && a->freely == FREE_OK)
		wrong++;
	for (size_t i = 0; i < nitems(procs); i++) {
		bool may = (a->may & 1U << procs[i]) != 0;

		got = outcome(procs[i], a->fn);
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
	for (size_t i = 0; i < nitems(procs); i++)
		printf(" %-8s", proc_name(procs[i]));
	printf("\n");
	for (size_t i = 0; i < nitems(attempts); i++) {
		if (!LOOSE || attempts[i].loose)
			wrong += one_attempt(&attempts[i], abi);
	}
	printf("\n");
	assert_int_equal(wrong, 0);
}

static void
open_port(int i)
{
	struct sockaddr_in sin = loopback(0);
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	listening[i] = fd;
	ports[i] = ntohs(sin.sin_port);
}

static int
setup(void **unused)
{
	static const char *const folders[] = { "db", "spool", "keys", "tables",
		"reports" };
	int fd;

	(void)unused;
	assert_non_null(mkdtemp(state));
	for (size_t i = 0; i < nitems(folders); i++)
		assert_int_equal(mkdir(in_state(folders[i]), 0700), 0);
	put("keys/identity.key");
	put("tables/rfs.1.table");
	put("reports/r.html");
	tidy();
	open_port(0);
	open_port(1);
	assert_true((fd = open("/bin/true", O_RDONLY)) >= 0);
	assert_int_equal(dup2(fd, 100), 100);
	assert_true((sibling = fork()) >= 0);
	if (sibling == 0) {
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
	char command[64];

	(void)unused;
	kill(sibling, SIGKILL);
	waitpid(sibling, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", state);
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

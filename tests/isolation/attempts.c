#include "config.h"

#include "tests/isolation/attempts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/macros.h"
#include "privsep/chan.h"
#include "privsep/msg.h"

struct scene scene;

void
order_put(size_t attempt)
{
	char text[256];

	snprintf(text, sizeof(text), "%zu %d %d %d %p %s", attempt,
	    scene.ports[0], scene.ports[1], scene.sibling, scene.readable,
	    scene.state);
	setenv(ORDER_ENV, text, 1);
}

int
order_get(void)
{
	const char *text = getenv(ORDER_ENV);
	int attempt;

	if (text == NULL ||
	    sscanf(text, "%d %d %d %d %p %63s", &attempt, &scene.ports[0],
		&scene.ports[1], &scene.sibling, &scene.readable,
		scene.state) != 6)
		return -1;
	return attempt;
}

const char *
in_state(const char *name)
{
	static char path[2][128];
	static unsigned next;
	char *p = path[next++ % 2];

	snprintf(p, sizeof(path[0]), "%s/%s", scene.state, name);
	return p;
}

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
	return opendir(scene.state) != NULL ? 0 : -1;
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
	return connect_to(scene.ports[0]);
}

static int
connect_elsewhere(void)
{
	return connect_to(scene.ports[1]);
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
	return listen_at(scene.ports[0]);
}

static int
listen_elsewhere(void)
{
	return listen_at(scene.ports[1]);
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

	return (int)syscall(SYS_execveat, PROGRAM_FD, "", argv, env,
	    0x1000 /* AT_EMPTY_PATH */);
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
	int rc = (int)ptrace(PTRACE_ATTACH, scene.sibling, NULL, NULL);

	if (rc == 0) {
		waitpid(scene.sibling, NULL, 0);
		ptrace(PTRACE_DETACH, scene.sibling, NULL, NULL);
	}
	return rc;
}

static int
read_sibling(void)
{
	int here;
	struct iovec to = { &here, sizeof(here) },
		     from = { scene.readable, sizeof(here) };

	return (int)process_vm_readv(scene.sibling, &to, 1, &from, 1, 0);
}

static int
open_of_sibling(const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", scene.sibling, what);
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
	return kill(scene.sibling, SIGCONT);
}

static int
signal_by_owner(void)
{
	return fcntl(SOCKET_FD, F_SETOWN, scene.sibling);
}

static int
handle_of_sibling(void)
{
	return (int)syscall(SYS_pidfd_open, scene.sibling, 0);
}

static int
limit_sibling(void)
{
	struct rlimit now;

	if (prlimit(scene.sibling, RLIMIT_CORE, NULL, &now) < 0)
		return -1;
	return prlimit(scene.sibling, RLIMIT_CORE, &now, NULL);
}

static int
priority_of_sibling(void)
{
	return setpriority(PRIO_PROCESS, (id_t)scene.sibling, 19);
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
memory(size_t gib)
{
	void *p = mmap(NULL, gib << 30, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int
much_memory(void)
{
	return memory(2);
}

static int
huge_memory(void)
{
	return memory(64);
}

/* More of them than n. */
static int
descriptors(int n)
{
	for (int i = 0; i < n; i++) {
		if (dup(SOCKET_FD) < 0)
			return -1;
	}
	return 0;
}

static int
many_descriptors(void)
{
	return descriptors(128);
}

static int
too_many_descriptors(void)
{
	return descriptors(4096);
}

/* Larger than any message; nothing is written to it. */
static int
huge_file(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC);

	signal(SIGXFSZ, SIG_IGN);
	return fd < 0 ? -1 : ftruncate(fd, (off_t)CHAN_MAX + 1);
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

const struct attempt attempts[] = {
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
	{ "128 more descriptors", many_descriptors, P(LISTENER), 0, FREE_ANY,
	    false },
	{ "4096 more descriptors", too_many_descriptors, 0, 0, FREE_ANY,
	    false },
	{ "a huge file", huge_file, STORES | P(READER), 0, 0, false },
	{ "2 GiB of memory", much_memory, ~(P(CONTROL) | P(BOARD)), 0, FREE_ANY,
	    false },
	{ "64 GiB of memory", huge_memory, 0, 0, FREE_ANY, false },
	{ "io_uring", io_ring, 0, 0, FREE_ANY, false },
	{ "unshare", new_user_space, 0, 0, 0, false },
	{ "key ring", key_ring, 0, 0, FREE_ANY, false },
	{ "outlive the parent", pretend, 0, 0, 0, false },
};

const size_t n_attempts = nitems(attempts);

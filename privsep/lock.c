#include "config.h"

#include "privsep/lock.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "privsep/chan.h"
#include "privsep/landlock.h"

#if defined(CONSILIUM_SANITIZE) || defined(CONSILIUM_COVERAGE) ||              \
    defined(CONSILIUM_VALGRIND)
#define CONSILIUM_LOOSE
#endif

/*
 * What every process may call: memory, time, waiting, messages over sockets
 * that it has, reading and writing what is open.
 */
static const int calls_base[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fstat),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(futex),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mlock),
	SCMP_SYS(mlock2),
	SCMP_SYS(mremap),
	SCMP_SYS(munlock),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(newfstatat),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(statx),
	SCMP_SYS(sysinfo),
	SCMP_SYS(time),
	SCMP_SYS(uname),
	SCMP_SYS(write),
	SCMP_SYS(writev),
};

/* OpenBLAS says where the memory of its buffers should lie. */
static const int calls_blas[] = {
	SCMP_SYS(mbind),
};

/* Names and folders, to read only; openat() is in open_rules(). */
static const int calls_look[] = {
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(getcwd),
	SCMP_SYS(getdents64),
	SCMP_SYS(lstat),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(stat),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
};

/* A database and files of one's own. */
static const int calls_store[] = {
	SCMP_SYS(fallocate),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchown),
	SCMP_SYS(fdatasync),
	SCMP_SYS(flock),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(rmdir),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat),
};

/* Clients on a listening socket that the parent opened. */
static const int calls_accept[] = {
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(select),
	SCMP_SYS(sendfile),
	SCMP_SYS(setsockopt),
};

/* What gRPC, its resolver and their threads call. */
static const int calls_net[] = {
	SCMP_SYS(accept4),
	SCMP_SYS(bind),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(pipe2),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(setsockopt),
	SCMP_SYS(signalfd4),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
};

static const int calls_connect[] = { SCMP_SYS(connect) };
static const int calls_listen[] = { SCMP_SYS(listen) };

enum { FILES_NONE, FILES_READ, FILES_WRITE };

#define LIST(a)                                                                \
	{                                                                      \
		a, nitems(a)                                                   \
	}

/*
 * Who may do what.  Who may make a socket is in this table alone.  Memory is
 * what is private and writable: twice the largest message where one is kept.
 */
#define GIB (UINT64_C(1) << 30)

static const struct profile {
	enum proc proc;
	int files;
	bool sockets; /* of the internet families */
	bool threads;
	uint64_t memory; /* bytes */
	unsigned descriptors;
	struct calls {
		const int *calls;
		size_t n;
	} lists[5];
} profiles[] = {
	{ PROC_GATE, FILES_WRITE, false, false, 16 * GIB, 128,
	    { LIST(calls_base), LIST(calls_look), LIST(calls_store) } },
	{ PROC_UPLINK, FILES_READ, true, true, 8 * GIB, 128,
	    { LIST(calls_base), LIST(calls_look), LIST(calls_net),
		LIST(calls_connect) } },
	{ PROC_CONTROL, FILES_READ, false, false, GIB, 128,
	    { LIST(calls_base), LIST(calls_look), LIST(calls_accept) } },
	{ PROC_READER, FILES_NONE, false, false, 32 * GIB, 32,
	    { LIST(calls_base) } },
	{ PROC_TRAINER, FILES_NONE, false, false, 32 * GIB, 32,
	    { LIST(calls_base), LIST(calls_blas) } },
	{ PROC_LISTENER, FILES_READ, true, true, 8 * GIB, 4096,
	    { LIST(calls_base), LIST(calls_look), LIST(calls_net),
		LIST(calls_listen) } },
	{ PROC_ROUNDS, FILES_WRITE, false, false, 32 * GIB, 128,
	    { LIST(calls_base), LIST(calls_look), LIST(calls_store) } },
	{ PROC_BOARD, FILES_NONE, false, false, GIB, 128,
	    { LIST(calls_base), LIST(calls_accept) } },
};

/*
 * The files that a process may name; all others it was handed open.  What
 * does not begin with a slash lies in the folder of the state.
 */
#define STORE (LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_FOLDER)

static const struct place {
	enum proc proc;
	const char *path;
	unsigned rights;
} places[] = {
	{ PROC_GATE, "db", STORE },
	{ PROC_GATE, "spool", STORE },
	{ PROC_GATE, "audit.log", LANDLOCK_READ | LANDLOCK_WRITE },
	{ PROC_GATE, "/dev/urandom", LANDLOCK_READ },
	{ PROC_ROUNDS, "db", STORE },
	{ PROC_ROUNDS, "spool", STORE },
	{ PROC_ROUNDS, "audit.log", LANDLOCK_READ | LANDLOCK_WRITE },
	{ PROC_ROUNDS, "/dev/urandom", LANDLOCK_READ },
	{ PROC_CONTROL, "reports", LANDLOCK_READ | LANDLOCK_LIST },
	{ PROC_UPLINK, "/etc/resolv.conf", LANDLOCK_READ },
	{ PROC_UPLINK, "/etc/hosts", LANDLOCK_READ },
	{ PROC_UPLINK, "/etc/nsswitch.conf", LANDLOCK_READ },
	{ PROC_UPLINK, "/etc/host.conf", LANDLOCK_READ },
	{ PROC_UPLINK, "/etc/gai.conf", LANDLOCK_READ },
	{ PROC_UPLINK, "/etc/services", LANDLOCK_READ },
	{ PROC_UPLINK, "/etc/localtime", LANDLOCK_READ },
	{ PROC_UPLINK, "/sys/devices/system/cpu/online", LANDLOCK_READ },
	{ PROC_UPLINK, "/etc/ssl/openssl.cnf", LANDLOCK_READ },
	{ PROC_UPLINK, "/dev/urandom", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/hosts", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/resolv.conf", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/nsswitch.conf", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/host.conf", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/gai.conf", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/services", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/localtime", LANDLOCK_READ },
	{ PROC_LISTENER, "/sys/devices/system/cpu/online", LANDLOCK_READ },
	{ PROC_LISTENER, "/proc/sys/net/core/somaxconn", LANDLOCK_READ },
	{ PROC_LISTENER, "/etc/ssl/openssl.cnf", LANDLOCK_READ },
	{ PROC_LISTENER, "/dev/urandom", LANDLOCK_READ },
};

#ifdef CONSILIUM_LOOSE
/* The runtimes of sanitizers and gcov call what they like; these they do not,
   and no process of ours may. */
static const int calls_forbidden[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(mount),
	SCMP_SYS(setuid),
	SCMP_SYS(bpf),
};
static const int calls_sockets[] = {
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
};
#endif

static const struct profile *
profile_of(enum proc proc)
{
	for (size_t i = 0; i < nitems(profiles); i++) {
		if (profiles[i].proc == proc)
			return &profiles[i];
	}
	return NULL;
}

static void
on_sigsys(int sig, siginfo_t *si, void *context)
{
	char line[96];
	int n = snprintf(line, sizeof(line),
	    "system call %d was refused (see /usr/include/asm/unistd_64.h)\n",
	    si->si_syscall);

	(void)sig;
	(void)context;
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(LOCK_EXIT + 1);
	_exit(LOCK_EXIT);
}

/* What happens on a call that is not in the list. */
static uint32_t
refusal(void)
{
	const char *mode = getenv("CONSILIUM_SECCOMP");
	struct sigaction sa = { .sa_sigaction = on_sigsys,
		.sa_flags = SA_SIGINFO };

	if (mode == NULL || strcmp(mode, "log") != 0)
		return SCMP_ACT_KILL_PROCESS;
	sigaction(SIGSYS, &sa, NULL);
	return SCMP_ACT_TRAP;
}

#ifndef CONSILIUM_LOOSE

static int
allow(scmp_filter_ctx ctx, const struct calls *list)
{
	int rc = 0;

	for (size_t i = 0; i < list->n && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, list->calls[i], 0);
	return rc;
}

static int
file_rules(scmp_filter_ctx ctx, int files)
{
	const unsigned writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;

	if (files == FILES_WRITE)
		return seccomp_rule_add(
		    ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 0);
	if (files == FILES_READ)
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat),
		    1, SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
	return 0;
}

static int
socket_rules(scmp_filter_ctx ctx)
{
	/* A resolver asks netlink which families there are, and tries the
	   local sockets of name service daemons, which it is refused. */
	static const int families[] = { AF_INET, AF_INET6, AF_NETLINK };
	int rc = 0;

	for (size_t i = 0; i < nitems(families) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i]));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT),
		    SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (rc == 0) /* how long is the name server's answer? */
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    SCMP_A1(SCMP_CMP_EQ, FIONREAD));
	return rc;
}

static int
thread_rules(scmp_filter_ctx ctx)
{
	int rc;

	/* The flags of clone3() are behind a pointer: libc falls back. */
	rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return rc;
}

/* No new code: what runs was there at the start.  The resolver of who makes
   sockets loads parts of itself late, but from files. */
static int
memory_rules(scmp_filter_ctx ctx, const struct profile *p)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0 && p->sockets)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE, 0));
	return rc;
}

/* fcntl() could also have a signal sent to another process. */
static int
fcntl_rules(scmp_filter_ctx ctx)
{
	static const int commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,
		F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW,
		F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_ADD_SEALS,
		F_GET_SEALS };
	int rc = 0;

	for (size_t i = 0; i < nitems(commands) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    SCMP_A1(SCMP_CMP_EQ, (unsigned)commands[i]));
	return rc;
}

/* Calls that are fine with some arguments only. */
static int
argument_rules(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, (unsigned)getpid())); /* abort() */

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
		    SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (rc == 0) /* stdio asks whether it writes to a terminal */
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    SCMP_A1(SCMP_CMP_EQ, TCGETS));
	if (rc == 0) /* to ask for one's own limits, and for nobody else's */
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
		    2, SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
	return rc;
}

static int
fill(scmp_filter_ctx ctx, const struct profile *p, uint32_t refuse)
{
	int rc = 0;

	(void)refuse;
	for (size_t i = 0; i < nitems(p->lists) && rc == 0; i++)
		rc = allow(ctx, &p->lists[i]);
	if (rc == 0)
		rc = argument_rules(ctx);
	if (rc == 0)
		rc = fcntl_rules(ctx);
	if (rc == 0)
		rc = memory_rules(ctx, p);
	if (rc == 0)
		rc = file_rules(ctx, p->files);
	if (rc == 0 && p->sockets)
		rc = socket_rules(ctx);
	if (rc == 0 && p->threads)
		rc = thread_rules(ctx);
	/* gRPC probes for these; without them it does without. */
	if (rc == 0 && p->proc == PROC_LISTENER)
		rc = seccomp_rule_add(
		    ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(connect), 0);
	return rc;
}

#else

static int
fill(scmp_filter_ctx ctx, const struct profile *p, uint32_t refuse)
{
	int rc = 0;

	for (size_t i = 0; i < nitems(calls_forbidden) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, refuse, calls_forbidden[i], 0);
	for (size_t i = 0; i < nitems(calls_sockets) && rc == 0 && !p->sockets;
	     i++)
		rc = seccomp_rule_add(ctx, refuse, calls_sockets[i], 0);
	return rc;
}

#endif

static int
lock_calls(
    const struct profile *p, const struct lock_room *room, struct err *err)
{
	uint32_t refuse = refusal();
	scmp_filter_ctx ctx;
	int rc;

	(void)room;
#ifdef CONSILIUM_VALGRIND
	return 0; /* it knows of no seccomp() */
#endif
#ifdef CONSILIUM_LOOSE
	ctx = seccomp_init(SCMP_ACT_ALLOW);
#else
	ctx = seccomp_init(refuse);
#endif
	if (ctx == NULL)
		return err_set(err, ERR_SYSTEM, "seccomp: no memory");
	rc = fill(ctx, p, refuse);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0) {
		errno = -rc;
		return err_sys(err, "seccomp");
	}
	return 0;
}

static int
lock_privileges(
    const struct profile *p, const struct lock_room *room, struct err *err)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	(void)p;
	(void)room;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "no_new_privs");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) > 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break; /* not ours to drop, so nobody's to use */
	}
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(err, "drop capabilities");
	return 0;
}

/* A limit that is lower already stays. */
static int
limit(int resource, rlim_t most, struct err *err)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return err_sys(err, "getrlimit");
	if (now.rlim_max > most) /* RLIM_INFINITY is the largest */
		now.rlim_max = most;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	if (setrlimit(resource, &now) < 0)
		return err_sys(err, "setrlimit");
	return 0;
}

static int
lock_memory(
    const struct profile *p, const struct lock_room *room, struct err *err)
{
	(void)p;
	(void)room;
#ifndef CONSILIUM_LOOSE /* the leak checker traces its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "make it not dumpable");
	if (limit(RLIMIT_DATA, p->memory, err) < 0)
		return -1;
	/* Sealed memory for messages is a file, too. */
	if (p->files != FILES_WRITE && p->proc != PROC_READER &&
	    limit(RLIMIT_FSIZE, CHAN_MAX, err) < 0)
		return -1;
#endif
#ifndef CONSILIUM_VALGRIND /* which lets nobody lower it */
	if (limit(RLIMIT_NOFILE, p->descriptors, err) < 0)
		return -1;
#endif
	return limit(RLIMIT_CORE, 0, err);
}

/* What is in a process's table, with the folder of the state before it. */
static int
add_place(struct landlock_rules *r, const struct place *place,
    const struct lock_room *room, struct err *err)
{
	struct landlock_path *to = &r->paths[r->n_paths];
	bool in_state = place->path[0] != '/';
	int len;

	if (in_state && room->state == NULL)
		return 0;
	len = snprintf(to->path, sizeof(to->path), "%s%s%s",
	    in_state ? room->state : "", in_state ? "/" : "", place->path);
	if (len >= (int)sizeof(to->path))
		return err_set(
		    err, ERR_CONFIG, "%s: path too long", room->state);
	to->rights = place->rights;
	r->n_paths++;
	/* A file of the process's own must be there for a rule about it, and
	   its name must last: the process cannot sync the folder any more. */
	if (in_state && place->rights == (LANDLOCK_READ | LANDLOCK_WRITE)) {
		int fd = open(to->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			return err_sys(err, "open %s", to->path);
		close(fd);
		return file_sync(room->state, err);
	}
	return 0;
}

/*
 * To see which families of addresses there are, gRPC binds a socket to a port
 * that the kernel picks: so all who make one may do that.  Only the listener
 * has listen().
 */
static void
add_ports(struct landlock_rules *r, const struct profile *p,
    const struct lock_room *room)
{
	if (!p->sockets)
		return;
	r->bind[r->n_bind++] = 0;
	if (p->proc == PROC_UPLINK)
		r->connect[r->n_connect++] = room->port;
	else if (room->port != 0)
		r->bind[r->n_bind++] = room->port;
	else /* one is picked, and then bound at each address */
		r->bind_any = true;
}

static int
lock_files(
    const struct profile *p, const struct lock_room *room, struct err *err)
{
	static struct landlock_rules rules; /* large */

	rules.n_paths = rules.n_bind = rules.n_connect = 0;
	rules.bind_any = false;
	for (size_t i = 0; i < nitems(places); i++) {
		if (places[i].proc == p->proc &&
		    add_place(&rules, &places[i], room, err) < 0)
			return -1;
	}
	add_ports(&rules, p, room);
	return landlock_apply(&rules, err);
}

/* In this order: a filter on calls would refuse what comes after it. */
static int (*const steps[])(
    const struct profile *p, const struct lock_room *room, struct err *err) = {
	lock_privileges,
	lock_memory,
	lock_files,
	lock_calls,
};

int
lock_in(enum proc proc, const struct lock_room *room, struct err *err)
{
	const struct profile *p = profile_of(proc);

	if (p == NULL)
		return err_set(
		    err, ERR_SYSTEM, "no profile for %s", proc_name(proc));
	for (size_t i = 0; i < nitems(steps); i++) {
		if (steps[i](p, room, err) < 0)
			return err_prefix(err, "lock in %s", proc_name(proc));
	}
	return 0;
}

struct lock_room
lock_room_env(void)
{
	const char *port = getenv(LOCK_PORT_ENV);

	return (struct lock_room){
		.state = getenv(LOCK_STATE_ENV),
		.port = port != NULL ? (uint16_t)atoi(port) : 0,
	};
}

const char *
lock_outdated(enum proc proc)
{
	for (size_t i = 0; i < nitems(places); i++) {
		const struct place *p = &places[i];
		int fd;

		if (p->proc != proc || p->path[0] != '/')
			continue;
		if ((fd = open(p->path, O_RDONLY | O_CLOEXEC)) >= 0)
			close(fd);
		else if (errno == EACCES && access(p->path, R_OK) == 0)
			return p->path;
	}
	return NULL;
}

/*
 * Preloaded into a gate or rounds: see fault.h.  After the process has locked
 * itself in, this may call what it may.
 */
#include "config.h"

#include "tests/faults/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "privsep/lock.h"
#include "tests/faults/fork.h"

static struct fault *fault;
static dev_t device; /* that the state lies on */
static bool failing; /* FAULT_DISK, from when it has begun */
static uintptr_t text, text_end; /* the program itself */

/* The first object is the program. */
static int
find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0)
			continue;
		text = info->dlpi_addr + p->p_vaddr;
		text_end = text + p->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void
start(void)
{
	const char *state = getenv(LOCK_STATE_ENV);
	char path[512];
	struct stat st;
	int fd;

	if (state == NULL || stat(state, &st) < 0)
		return;
	snprintf(path, sizeof(path), "%s.fault", state);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	device = st.st_dev;
	dl_iterate_phdr(find_text, NULL);
	fault = mmap(
	    NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (fault == MAP_FAILED)
		abort();
	fault->n = fault->n_memory = 0;
	backtrace(&(void *){ NULL }, 1); /* it loads a library */
	if (fault->kind == FAULT_FORKS) {
		int (*config)(int, ...) =
		    (int (*)(int, ...))dlsym(RTLD_DEFAULT, "sqlite3_config");

		/* A lock that is held belongs to the thread that forks. */
		if (config != NULL)
			config(SQLITE_CONFIG_SINGLETHREAD);
		fork_prepare(device);
	}
}

static bool
in_program(const void *p)
{
	return (uintptr_t)p >= text && (uintptr_t)p < text_end;
}

_Noreturn static void
die(void)
{
	syscall(SYS_tgkill, getpid(), gettid(), SIGKILL);
	abort();
}

/* What follows is the runtime's, for coverage its counters. */
static void
no_more(void)
{
	fault = NULL;
}

/* Not by the constructor: what the program registers goes first. */
static void
until_the_end(void)
{
	static bool registered;

	if (!registered)
		atexit(no_more);
	registered = true;
}

static void
happens(const char *call, const char *what)
{
	snprintf(fault->where, sizeof(fault->where), "%s %s", call, what);
	fault->at = 0;
	fault->fired++;
}

#define DEPTH 64

/* Of such a call that comes from here. */
static uint64_t
number_of_place(const char *call)
{
	void *at[DEPTH];
	int n = backtrace(at, DEPTH);
	uint64_t x = 14695981039346656037u; /* FNV-1a */

	for (; *call != '\0'; call++)
		x = (x ^ (uint8_t)*call) * 1099511628211u;
	for (int k = 0, deep = 0; k < n && deep < fault->deep; k++) {
		if (!in_program(at[k]))
			continue;
		x = (x ^ ((uintptr_t)at[k] - text)) * 1099511628211u;
		deep++;
	}
	return x + (x == 0);
}

static bool
first_time(uint64_t x)
{
	size_t i;

	for (i = x % PLACES_MAX; fault->places[i] != 0;
	     i = (i + 1) % PLACES_MAX)
		if (fault->places[i] == x)
			return false;
	if (++fault->n_places > PLACES_MAX / 2)
		abort();
	fault->places[i] = x;
	return true;
}

static bool
by_place(void)
{
	return fault->kind == FAULT_PLACES || fault->kind == FAULT_FORKS;
}

/* One that a child lived with, if a study before has found any. */
static bool
to_be_tried(uint64_t x)
{
	for (size_t i = 0; i < fault->n_lived; i++) {
		if (fault->lived[i] == x)
			return true;
	}
	return fault->n_lived == 0;
}

/* Is it a place of that kind whose turn it is?  Then it happens here. */
static bool
place_fails(enum fault_what what, const char *call)
{
	uint64_t x;

	if ((fault->what & what) == 0)
		return false;
	x = number_of_place(call);
	if (fault->kind == FAULT_FORKS)
		return first_time(x) && fork_off(fault, call, x);
	if (!to_be_tried(x) || !first_time(x))
		return false;
	happens(call, "");
	return true;
}

/* With a fault for each place: does this call of the program's fail? */
static bool
fails_here(enum fault_what what, const char *call, const void *caller)
{
	if (fault == NULL || forked || !by_place() || !in_program(caller))
		return false;
	until_the_end();
	if (!place_fails(what, call))
		return false;
	errno = fault->error;
	return true;
}

/* What is to be done about a call: it is made, or fails with errno set. */
enum verdict { GO, GO_AND_DIE, TEAR, FAIL };

static enum verdict
judge(const char *call, const char *what)
{
	if (forked)
		return GO;
	until_the_end();
	fault->n++;
	if (failing) {
		errno = fault->error;
		return FAIL;
	}
	if (by_place()) {
		if (!place_fails(PLACES_DISK, call))
			return GO;
		errno = fault->error;
		return FAIL;
	}
	if (fault->n != fault->at || fault->kind == FAULT_MEMORY)
		return GO;
	happens(call, what);
	switch (fault->kind) {
	case FAULT_KILL_AFTER:
		return GO_AND_DIE;
	case FAULT_KILL_TORN:
		return TEAR;
	case FAULT_DISK:
		failing = true;
		/* fall through */
	case FAULT_ERROR:
		errno = fault->error;
		return FAIL;
	default:
		die();
	}
}

static void
record(
    enum fault_op op, uint64_t inode, uint64_t at, const void *data, size_t len)
{
	struct fault_record r = { op, (uint32_t)len, inode, at };

	if (!fault->record)
		return;
	if (fault->log_len + sizeof(r) + len + 8 > FAULT_LOG)
		abort();
	memcpy(fault->log + fault->log_len, &r, sizeof(r));
	memcpy(fault->log + fault->log_len + sizeof(r), data, len);
	fault->log_len += sizeof(r) + ((len + 7) & ~(size_t)7);
}

/* Is it a file or folder of the state's?  (Sealed memory has another device;
   so has a terminal.) */
static bool
ours(int fd, struct stat *st)
{
	return fault != NULL && fd > STDERR_FILENO && fstat(fd, st) == 0 &&
	    st->st_dev == device &&
	    (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

static bool
our_path(const char *path, char inode[24])
{
	snprintf(inode, 24, "?");
	return fault != NULL && strncmp(path, "/dev/", 5) != 0;
}

/* A name for messages: the inode's number says little, but is at hand. */
static const char *
number(uint64_t inode, char out[24])
{
	snprintf(out, 24, "inode %llu", (unsigned long long)inode);
	return out;
}

static ssize_t
put(int fd, const void *p, size_t n, off_t at, bool positioned)
{
	return positioned ? syscall(SYS_pwrite64, fd, p, n, at)
			  : syscall(SYS_write, fd, p, n);
}

static ssize_t
do_write(const char *call, int fd, const void *p, size_t n, off_t at,
    bool positioned)
{
	enum verdict v;
	struct stat st;
	char name[24];
	ssize_t rv;

	fork_has_spoken |= fd == STDERR_FILENO;
	if (!ours(fd, &st))
		return put(fd, p, n, at, positioned);
	if (!positioned)
		at = lseek(fd, 0, SEEK_CUR);
	v = judge(call, number(st.st_ino, name));
	if (v == FAIL)
		return -1;
	if (v == TEAR)
		n /= 2;
	rv = put(fd, p, n, at, positioned);
	if (rv > 0)
		record(OP_WRITE, st.st_ino, (uint64_t)at, p, (size_t)rv);
	if (v != GO)
		die();
	return rv;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	return do_write("write", fd, p, n, 0, false);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return do_write("write", fd, p, n, at, true);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return do_write("write", fd, p, n, at, true);
}

static int
do_truncate(int fd, off_t len)
{
	enum verdict v = GO;
	struct stat st;
	char name[24];
	bool mine = ours(fd, &st);
	int rv;

	if (mine)
		v = judge("truncate", number(st.st_ino, name));
	if (v == FAIL)
		return -1;
	if (v == TEAR)
		die();
	rv = (int)syscall(SYS_ftruncate, fd, len);
	if (mine && rv == 0)
		record(OP_TRUNCATE, st.st_ino, (uint64_t)len, "", 0);
	if (v != GO)
		die();
	return rv;
}

int
ftruncate(int fd, off_t len)
{
	return do_truncate(fd, len);
}

int
ftruncate64(int fd, off_t len)
{
	return do_truncate(fd, len);
}

static int
do_sync(int fd)
{
	enum verdict v;
	struct stat st;
	char name[24];

	if (!ours(fd, &st))
		return (int)syscall(SYS_fsync, fd);
	v = judge("sync", number(st.st_ino, name));
	if (v == FAIL)
		return -1;
	if (v == TEAR)
		die();
	record(OP_SYNC, st.st_ino, 0, "", 0);
	if (v != GO)
		die();
	return 0;
}

int
fsync(int fd)
{
	return do_sync(fd);
}

int
fdatasync(int fd)
{
	return do_sync(fd);
}

int
rename(const char *from, const char *to)
{
	enum verdict v = GO;
	char both[1024];
	int n = snprintf(both, sizeof(both), "%s%c%s", from, 0, to);
	char inode[24];
	bool mine = our_path(to, inode);
	int rv;

	if (mine)
		v = judge("rename", to);
	if (v == FAIL)
		return -1;
	if (v == TEAR)
		die();
	if (forked) {
		fork_rename(from, to);
		return 0;
	}
	rv = (int)syscall(SYS_rename, from, to);
	if (mine && rv == 0)
		record(OP_RENAME, 0, 0, both, (size_t)n + 1);
	if (v != GO)
		die();
	return rv;
}

int
unlink(const char *path)
{
	enum verdict v = GO;
	char inode[24];
	bool mine = our_path(path, inode);
	int rv;

	if (mine)
		v = judge("unlink", path);
	if (v == FAIL)
		return -1;
	if (v == TEAR)
		die();
	if (forked) {
		fork_unlink(path);
		return 0;
	}
	rv = (int)syscall(SYS_unlink, path);
	if (mine && rv == 0)
		record(OP_UNLINK, 0, 0, path, strlen(path) + 1);
	if (v != GO)
		die();
	return rv;
}

/* Opening for writing counts where it makes or empties a file. */
static int
do_open(const char *path, int flags, mode_t mode)
{
	enum verdict v = GO;
	struct stat before, st;
	char inode[24];
	bool there,
	    mine = our_path(path, inode) && (flags & (O_CREAT | O_TRUNC)) != 0;
	int fd;

	there = mine && stat(path, &before) == 0;
	if (mine && (!there || (flags & O_TRUNC) != 0))
		v = judge("create", path);
	else if (mine && failing && (flags & O_ACCMODE) != O_RDONLY)
		v = judge("open", path);
	if (v == FAIL)
		return -1;
	if (v == TEAR)
		die();
	if (forked && our_path(path, inode) && (flags & O_PATH) == 0)
		return fork_open(AT_FDCWD, path, flags);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd >= 0 && mine && fstat(fd, &st) == 0 && st.st_dev == device) {
		if (!there)
			record(OP_CREATE, st.st_ino, 0, path, strlen(path) + 1);
		else if ((flags & O_TRUNC) != 0)
			record(OP_TRUNCATE, st.st_ino, 0, "", 0);
	}
	if (v != GO)
		die();
	return fd;
}

#define OPEN(path, flags)                                                      \
	do {                                                                   \
		mode_t mode = 0;                                               \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, flags);                                           \
		if ((flags & (O_CREAT | O_TMPFILE)) != 0)                      \
			mode = va_arg(ap, mode_t);                             \
		va_end(ap);                                                    \
		return do_open(path, flags, mode);                             \
	} while (0)

#define CALLER __builtin_return_address(0)
#define REAL(f) ((__typeof__(&f))dlsym(RTLD_NEXT, #f))
#define MAY_FAIL(call)                                                         \
	do {                                                                   \
		if (fails_here(PLACES_SYSTEM, call, CALLER))                   \
			return -1;                                             \
	} while (0)

int
open(const char *path, int flags, ...)
{
	MAY_FAIL("open");
	OPEN(path, flags);
}

int
open64(const char *path, int flags, ...)
{
	MAY_FAIL("open");
	OPEN(path, flags);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int rv = (int)syscall(SYS_clock_gettime, id, t);

	if (rv == 0 && fault != NULL && id == CLOCK_REALTIME)
		t->tv_sec += fault->clock_s;
	if (rv == 0 && fault != NULL && id == CLOCK_MONOTONIC)
		t->tv_sec += fault->passed_s;
	return rv;
}

/*
 * Only at places
 */

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (fails_here(PLACES_CHANNEL, "sendmsg", CALLER))
		return -1;
	return syscall(SYS_sendmsg, fd, m, flags);
}

int
memfd_create(const char *name, unsigned flags)
{
	if (fails_here(PLACES_CHANNEL, "memfd_create", CALLER))
		return -1;
	return (int)syscall(SYS_memfd_create, name, flags);
}

int
openat(int folder, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	MAY_FAIL("openat");
	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (forked)
		return fork_open(folder, path, flags);
	return (int)syscall(SYS_openat, folder, path, flags, mode);
}

ssize_t
read(int fd, void *p, size_t n)
{
	MAY_FAIL("read");
	return syscall(SYS_read, fd, p, n);
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	MAY_FAIL("pread");
	return syscall(SYS_pread64, fd, p, n, at);
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	MAY_FAIL("recvmsg");
	return syscall(SYS_recvmsg, fd, m, flags);
}

int
fcntl(int fd, int command, ...)
{
	long arg;
	va_list ap;

	MAY_FAIL("fcntl");
	va_start(ap, command);
	arg = va_arg(ap, long);
	va_end(ap);
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

int
fstat(int fd, struct stat *st)
{
	MAY_FAIL("fstat");
	return REAL(fstat)(fd, st);
}

void *
mmap(void *at, size_t n, int protection, int flags, int fd, off_t from)
{
	if (fails_here(PLACES_SYSTEM, "mmap", CALLER))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, from);
}

int
socket(int family, int type, int protocol)
{
	MAY_FAIL("socket");
	return (int)syscall(SYS_socket, family, type, protocol);
}

int
socketpair(int family, int type, int protocol, int fds[2])
{
	MAY_FAIL("socketpair");
	return (int)syscall(SYS_socketpair, family, type, protocol, fds);
}

int
bind(int fd, const struct sockaddr *a, socklen_t n)
{
	MAY_FAIL("bind");
	return (int)syscall(SYS_bind, fd, a, n);
}

int
setsockopt(int fd, int level, int option, const void *p, socklen_t n)
{
	MAY_FAIL("setsockopt");
	return (int)syscall(SYS_setsockopt, fd, level, option, p, n);
}

int
getsockname(int fd, struct sockaddr *a, socklen_t *n)
{
	MAY_FAIL("getsockname");
	return (int)syscall(SYS_getsockname, fd, a, n);
}

int
getsockopt(int fd, int level, int option, void *p, socklen_t *n)
{
	MAY_FAIL("getsockopt");
	return (int)syscall(SYS_getsockopt, fd, level, option, p, n);
}

int
epoll_create1(int flags)
{
	MAY_FAIL("epoll_create1");
	return (int)syscall(SYS_epoll_create1, flags);
}

int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
	MAY_FAIL("epoll_ctl");
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, e);
}

int
eventfd(unsigned n, int flags)
{
	MAY_FAIL("eventfd");
	return (int)syscall(SYS_eventfd2, n, flags);
}

int
getrlimit(__rlimit_resource_t resource, struct rlimit *r)
{
	MAY_FAIL("getrlimit");
	return (int)syscall(SYS_prlimit64, 0, resource, NULL, r);
}

int
setrlimit(__rlimit_resource_t resource, const struct rlimit *r)
{
	MAY_FAIL("setrlimit");
	return (int)syscall(SYS_prlimit64, 0, resource, r, NULL);
}

int
flock(int fd, int operation)
{
	MAY_FAIL("flock");
	if (forked)
		return 0;
	return (int)syscall(SYS_flock, fd, operation);
}

int
chmod(const char *path, mode_t mode)
{
	MAY_FAIL("chmod");
	if (forked)
		return 0;
	return (int)syscall(SYS_chmod, path, mode);
}

int
mkdir(const char *path, mode_t mode)
{
	MAY_FAIL("mkdir");
	if (forked)
		return 0;
	return (int)syscall(SYS_mkdir, path, mode);
}

int
link(const char *from, const char *to)
{
	MAY_FAIL("link");
	if (forked) {
		fork_rename(from, to);
		return 0;
	}
	return (int)syscall(SYS_link, from, to);
}

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (forked)
		fork_went_on();
	return (int)syscall(SYS_poll, fds, n, timeout);
}

/* Who forks for its faults may do that too. */
int
seccomp_load(const scmp_filter_ctx filter)
{
	static const int calls[] = { SCMP_SYS(alarm), SCMP_SYS(clone),
		SCMP_SYS(dup3), SCMP_SYS(wait4) };
	int (*add)(scmp_filter_ctx, uint32_t, int, unsigned, ...) =
	    (int (*)(scmp_filter_ctx, uint32_t, int, unsigned, ...))dlsym(
		RTLD_DEFAULT, "seccomp_rule_add");

	/* (where all is allowed but a few, this is refused) */
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) &&
	     fault != NULL && fault->kind == FAULT_FORKS;
	     i++)
		add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return REAL(seccomp_load)(filter);
}

int
signalfd(int fd, const sigset_t *set, int flags)
{
	MAY_FAIL("signalfd");
	return (int)syscall(SYS_signalfd4, fd, set, 8, flags);
}

int
sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	MAY_FAIL("sigprocmask");
	return REAL(sigprocmask)(how, set, old);
}

pid_t
fork(void)
{
	MAY_FAIL("fork");
	return REAL(fork)();
}

int
setenv(const char *name, const char *value, int replace)
{
	MAY_FAIL("setenv");
	return REAL(setenv)(name, value, replace);
}

int
pthread_create(
    pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	if (fails_here(PLACES_SYSTEM, "pthread_create", CALLER))
		return EAGAIN;
	return REAL(pthread_create)(t, a, fn, arg);
}

static int
stop_now(void *arg)
{
	(void)arg;
	return 1;
}

/* SQLite itself fails, as if somebody had interrupted it. */
static bool
interrupted(sqlite3 *db, const char *call, const void *caller)
{
	bool yes = fails_here(PLACES_DATABASE, call, caller);

	if (yes)
		REAL(sqlite3_progress_handler)(db, 1, stop_now, NULL);
	return yes;
}

int
sqlite3_step(sqlite3_stmt *stmt)
{
	sqlite3 *db = REAL(sqlite3_db_handle)(stmt);
	bool yes = interrupted(db, "step", CALLER);
	int rv = REAL(sqlite3_step)(stmt);

	if (yes)
		REAL(sqlite3_progress_handler)(db, 0, NULL, NULL);
	return rv;
}

int
sqlite3_exec(sqlite3 *db, const char *sql,
    int (*fn)(void *, int, char **, char **), void *arg, char **message)
{
	bool yes = interrupted(db, "exec", CALLER);
	int rv = REAL(sqlite3_exec)(db, sql, fn, arg, message);

	if (yes)
		REAL(sqlite3_progress_handler)(db, 0, NULL, NULL);
	return rv;
}

/* A statement that is too long. */
int
sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
    sqlite3_stmt **stmt, const char **rest)
{
	bool yes = fails_here(PLACES_DATABASE, "prepare", CALLER);
	int limit = 0, rv;

	if (yes)
		limit = REAL(sqlite3_limit)(db, SQLITE_LIMIT_SQL_LENGTH, 1);
	rv = REAL(sqlite3_prepare_v3)(db, sql, len, flags, stmt, rest);
	if (yes)
		REAL(sqlite3_limit)(db, SQLITE_LIMIT_SQL_LENGTH, limit);
	return rv;
}

/* Guarded memory; libsodium asks for it by a mapping. */
void *
sodium_malloc(size_t n)
{
	void *(*real)(size_t) =
	    (void *(*)(size_t))dlsym(RTLD_NEXT, "sodium_malloc");

	return fails_here(PLACES_MEMORY, "sodium_malloc", CALLER) ? NULL
								  : real(n);
}

/* The k-th time that the program itself, not a library, asks for memory. */
static bool
no_memory(const char *call, const void *caller)
{
	if (fault == NULL || !in_program(caller))
		return false;
	if (by_place()) {
		if (!fails_here(PLACES_MEMORY, call, caller))
			return false;
		errno = ENOMEM;
		return true;
	}
	until_the_end();
	if (++fault->n_memory != fault->at || fault->kind != FAULT_MEMORY)
		return false;
	happens(call, "");
	errno = ENOMEM;
	return true;
}

/* AddressSanitizer has an allocator of its own, with names for such as this. */
#ifdef CONSILIUM_SANITIZE
#define __libc_malloc __interceptor_malloc
#define __libc_calloc __interceptor_calloc
#define __libc_realloc __interceptor_realloc
#endif

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *
malloc(size_t n)
{
	if (no_memory("malloc", __builtin_return_address(0)))
		return NULL;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	if (no_memory("calloc", __builtin_return_address(0)))
		return NULL;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	if (no_memory("realloc", __builtin_return_address(0)))
		return NULL;
	return __libc_realloc(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t len;

	if (no_memory("reallocarray", __builtin_return_address(0)))
		return NULL;
	if (__builtin_mul_overflow(n, size, &len)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, len);
}

int
vasprintf(char **out, const char *format, va_list ap)
{
	if (no_memory("vasprintf", __builtin_return_address(0)))
		return -1;
	return REAL(vasprintf)(out, format, ap);
}

int
asprintf(char **out, const char *format, ...)
{
	va_list ap;
	int rv;

	if (no_memory("asprintf", __builtin_return_address(0)))
		return -1;
	va_start(ap, format);
	rv = REAL(vasprintf)(out, format, ap);
	va_end(ap);
	return rv;
}

static char *
copy(const char *s, size_t n)
{
	char *p = __libc_malloc(n + 1);

	if (p != NULL) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

char *
strdup(const char *s)
{
	if (no_memory("strdup", __builtin_return_address(0)))
		return NULL;
	return copy(s, strlen(s));
}

char *
strndup(const char *s, size_t n)
{
	if (no_memory("strndup", __builtin_return_address(0)))
		return NULL;
	return copy(s, strnlen(s, n));
}

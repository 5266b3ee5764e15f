/*
 * Preloaded into a gate or rounds: see fault.h.  After the process has locked
 * itself in, this may call what it may.
 */
#include "config.h"

#include "tests/faults/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "privsep/lock.h"

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
}

_Noreturn static void
die(void)
{
	syscall(SYS_tgkill, getpid(), gettid(), SIGKILL);
	abort();
}

static void
happens(const char *call, const char *what)
{
	snprintf(fault->where, sizeof(fault->where), "%s %s", call, what);
	fault->at = 0;
	fault->fired++;
}

/* What is to be done about a call: it is made, or fails with errno set. */
enum verdict { GO, GO_AND_DIE, TEAR, FAIL };

static enum verdict
judge(const char *call, const char *what)
{
	fault->n++;
	if (failing) {
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
	return fault != NULL && fstat(fd, st) == 0 && st->st_dev == device &&
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

int
open(const char *path, int flags, ...)
{
	OPEN(path, flags);
}

int
open64(const char *path, int flags, ...)
{
	OPEN(path, flags);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int rv = (int)syscall(SYS_clock_gettime, id, t);

	if (rv == 0 && id == CLOCK_REALTIME && fault != NULL)
		t->tv_sec += fault->clock_s;
	return rv;
}

#ifndef CONSILIUM_SANITIZE

/* The k-th time that the program itself, not a library, asks for memory. */
static bool
no_memory(const char *call, const void *caller)
{
	uintptr_t from = (uintptr_t)caller;

	if (fault == NULL || from < text || from >= text_end)
		return false;
	if (++fault->n_memory != fault->at || fault->kind != FAULT_MEMORY)
		return false;
	happens(call, "");
	errno = ENOMEM;
	return true;
}

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

#endif

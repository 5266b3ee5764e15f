#include "config.h"

#include "tests/faults/inside.h"

#include "tests/check.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/err.h"
#include "common/macros.h"

extern char __executable_start, etext; /* of the program, by the linker */

static bool armed;
static enum inside kind;
static uint64_t at, n; /* the call that fails, those so far */
static unsigned fired;
static void *where[24]; /* for addr2line, if the test fails */
static int n_where;

/* What was allocated since it was armed, and not freed. */
#define LIVE_MAX 65536
static void *live[LIVE_MAX];
static size_t n_live;

#define CALLER __builtin_return_address(0)
#define REAL(f) ((__typeof__(&f))dlsym(RTLD_NEXT, #f))

static bool
in_program(const void *caller)
{
	return (const char *)caller >= &__executable_start &&
	    (const char *)caller < &etext;
}

static bool
fails(enum inside what, int error)
{
	if (!armed || kind != what || ++n != at)
		return false;
	fired++;
	armed = false;
	n_where = backtrace(where, nitems(where));
	armed = true;
	errno = error;
	return true;
}

/*
 * OpenSSL allocates thousands of times, and can do without some.  Its k-th fault
 * is at the k-th place of the program, which is the calls that lead into
 * OpenSSL: it gets no memory there, however often it asks.
 */
static uint64_t places[256];
static uint64_t n_places; /* so far, over all runs */

static bool
fails_openssl(void)
{
	void *calls[64];
	uint64_t place = 14695981039346656037u; /* FNV-1a */
	int n_calls;

	if (!armed || kind != INSIDE_OPENSSL)
		return false;
	armed = false;
	n_calls = backtrace(calls, nitems(calls));
	armed = true;
	for (int i = 0; i < n_calls; i++)
		if (in_program(calls[i]))
			place = (place ^ (uintptr_t)calls[i]) * 1099511628211u;
	if (fired == 0) {
		for (uint64_t i = 0; i < n_places; i++)
			if (places[i] == place)
				return false;
		assert_true(n_places < nitems(places));
		places[n_places++] = place;
		memcpy(where, calls, sizeof(where));
		n_where = MIN(n_calls, (int)nitems(where));
		fired++;
	}
	return places[n_places - 1] == place;
}

static void
born(void *p)
{
	if (armed && p != NULL && n_live < LIVE_MAX)
		live[n_live++] = p;
}

static void
dead(const void *p)
{
	for (size_t i = n_live; armed && p != NULL && i-- > 0;) {
		if (live[i] != p)
			continue;
		live[i] = live[--n_live];
		return;
	}
}

/* AddressSanitizer has an allocator of its own, with names for such as this. */
#ifdef CONSILIUM_SANITIZE
#define __libc_malloc __interceptor_malloc
#define __libc_calloc __interceptor_calloc
#define __libc_realloc __interceptor_realloc
#define __libc_free __interceptor_free
#endif

void *__libc_malloc(size_t len);
void *__libc_calloc(size_t len, size_t size);
void *__libc_realloc(void *p, size_t len);
void __libc_free(void *p);

void *
malloc(size_t len)
{
	void *p;

	if (!in_program(CALLER))
		return __libc_malloc(len);
	if (fails(INSIDE_MEMORY, ENOMEM))
		return NULL;
	born(p = __libc_malloc(len));
	return p;
}

void *
calloc(size_t len, size_t size)
{
	void *p;

	if (!in_program(CALLER))
		return __libc_calloc(len, size);
	if (fails(INSIDE_MEMORY, ENOMEM))
		return NULL;
	born(p = __libc_calloc(len, size));
	return p;
}

void *
realloc(void *old, size_t len)
{
	void *p;

	if (!in_program(CALLER))
		return __libc_realloc(old, len);
	if (fails(INSIDE_MEMORY, ENOMEM))
		return NULL;
	dead(old);
	born(p = __libc_realloc(old, len));
	return p;
}

void *
reallocarray(void *old, size_t len, size_t size)
{
	void *p;

	if (size != 0 && len > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	if (!in_program(CALLER))
		return __libc_realloc(old, len * size);
	if (fails(INSIDE_MEMORY, ENOMEM))
		return NULL;
	dead(old);
	born(p = __libc_realloc(old, len * size));
	return p;
}

void
free(void *p)
{
	dead(p);
	__libc_free(p);
}

static char *
copy(const char *s, size_t len)
{
	char *p;

	if (fails(INSIDE_MEMORY, ENOMEM) ||
	    (p = __libc_malloc(len + 1)) == NULL)
		return NULL;
	memcpy(p, s, len);
	p[len] = '\0';
	born(p);
	return p;
}

char *
strdup(const char *s)
{
	return copy(s, strlen(s));
}

char *
strndup(const char *s, size_t len)
{
	return copy(s, strnlen(s, len));
}

void *
sodium_malloc(size_t len)
{
	void *p;

	if (fails(INSIDE_MEMORY, ENOMEM))
		return NULL;
	born(p = REAL(sodium_malloc)(len));
	return p;
}

void
sodium_free(void *p)
{
	dead(p);
	REAL(sodium_free)(p);
}

/*
 * OpenSSL lets itself be given an allocator, before it makes anything.
 */

static void *
ssl_malloc(size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails_openssl() ? NULL : __libc_malloc(len);
}

static void *
ssl_realloc(void *p, size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails_openssl() ? NULL : __libc_realloc(p, len);
}

static void
ssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	__libc_free(p);
}

__attribute__((constructor)) static void
start(void)
{
	CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free);
}

/*
 * Files
 */

#define FAIL_OR(caller, error, call)                                           \
	(in_program(caller) && fails(INSIDE_FILES, error) ? -1 : (call))

static int
do_open(const char *path, int flags, mode_t mode, const void *caller)
{
	return FAIL_OR(
	    caller, EIO, (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return do_open(path, flags, mode, CALLER);
}

ssize_t
read(int fd, void *p, size_t len)
{
	return FAIL_OR(CALLER, EIO, syscall(SYS_read, fd, p, len));
}

ssize_t
write(int fd, const void *p, size_t len)
{
	return FAIL_OR(CALLER, EIO, syscall(SYS_write, fd, p, len));
}

off_t
lseek(int fd, off_t to, int whence)
{
	return FAIL_OR(CALLER, EIO, syscall(SYS_lseek, fd, to, whence));
}

int
ftruncate(int fd, off_t len)
{
	return FAIL_OR(CALLER, EIO, (int)syscall(SYS_ftruncate, fd, len));
}

int
fsync(int fd)
{
	return FAIL_OR(CALLER, EIO, (int)syscall(SYS_fsync, fd));
}

int
fdatasync(int fd)
{
	return FAIL_OR(CALLER, EIO, (int)syscall(SYS_fdatasync, fd));
}

int
fstat(int fd, struct stat *st)
{
	return FAIL_OR(CALLER, EIO, REAL(fstat)(fd, st));
}

int
rename(const char *from, const char *to)
{
	return FAIL_OR(CALLER, EIO, (int)syscall(SYS_rename, from, to));
}

FILE *
fdopen(int fd, const char *mode)
{
	return in_program(CALLER) && fails(INSIDE_FILES, EIO)
	    ? NULL
	    : REAL(fdopen)(fd, mode);
}

FILE *
fopen(const char *path, const char *mode)
{
	return in_program(CALLER) && fails(INSIDE_FILES, EIO)
	    ? NULL
	    : REAL(fopen)(path, mode);
}

/*
 * The sweep
 */

static void
tell_where(void)
{
	print_message("the fault was at");
	for (int i = 0; i < n_where; i++) {
		if (in_program(where[i]))
			print_message(" %#tx",
			    (const char *)where[i] - &__executable_start - 1);
	}
	print_message("\n");
}

unsigned
every_fault(
    enum inside what, operation op, void *self, void (*between)(void *self))
{
	static const char *const words[] = {
		[INSIDE_MEMORY] = "memory",
		[INSIDE_OPENSSL] = "",
		[INSIDE_FILES] = "Input/output error",
	};
	struct err err;
	unsigned faults = 0;
	int rv;

	n_places = 0;
	for (uint64_t k = 1;; k++) {
		memset(&err, 0, sizeof(err));
		kind = what;
		at = k;
		n = 0;
		n_live = 0;
		fired = 0;
		armed = true;
		rv = op(self, &err);
		armed = false;
		if (what != INSIDE_OPENSSL && n_live != 0) {
			tell_where();
			fail_msg("%zu pieces of memory left after fault %u: %s",
			    n_live, (unsigned)k, err.msg);
		}
		if (fired == 0)
			break;
		faults++;
		if (rv == 0 && what == INSIDE_OPENSSL)
			continue; /* it can do without */
		if (rv != -1) {
			tell_where();
			fail_msg("fault %u goes unnoticed", (unsigned)k);
		}
		if (err.code == ERR_NONE || err.msg[0] == '\0' ||
		    (what != INSIDE_OPENSSL && err.code != ERR_SYSTEM) ||
		    strcasestr(err.msg, words[what]) == NULL) {
			tell_where();
			fail_msg("fault %u: error %d: %s", (unsigned)k,
			    err.code, err.msg);
		}
		if (between != NULL)
			between(self);
	}
	if (rv != 0)
		fail_msg("without a fault: %s", err.msg);
	assert_true(faults > 0);
	return faults;
}

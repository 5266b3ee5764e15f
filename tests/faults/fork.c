#include "config.h"

#include "tests/faults/fork.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/macros.h"
#include "tests/faults/fault.h"

#define FDS 128
#define COPY 65536
#define DEPTH 40
#define NAMES 64
#define SECONDS 30 /* that a child may take */

bool forked, fork_has_spoken;

static dev_t device;
static int stand_in = -1; /* for a channel: nobody answers */
static int nobody = -1; /* its other end */

static bool
is_state(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_dev == device;
}

void
fork_prepare(dev_t of)
{
	int pair[2];

	device = of;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) < 0)
		abort();
	stand_in = pair[0];
	nobody = pair[1];
}

static void
must(bool done)
{
	if (!done)
		abort();
}

/* A copy of what is at fd, or nothing (-1), without a name. */
static int
copy_of(int fd)
{
	int to = (int)syscall(SYS_memfd_create, "copy", MFD_CLOEXEC);
	char part[COPY];
	off_t at = 0;
	ssize_t n;

	must(to >= 0);
	while (fd >= 0 &&
	    (n = syscall(SYS_pread64, fd, part, sizeof(part), at)) > 0) {
		must(syscall(SYS_pwrite64, to, part, n, at) == n);
		at += n;
	}
	return to;
}

/* Every file of the state is a copy, every channel leads to nobody. */
static void
part_from_the_world(int said, const off_t at[FDS])
{
	must(syscall(SYS_dup3, said, STDERR_FILENO, 0) >= 0);
	for (int fd = STDERR_FILENO + 1; fd < FDS; fd++) {
		struct stat st;
		int to = stand_in;

		if (fd == stand_in || fd == nobody ||
		    syscall(SYS_fstat, fd, &st) < 0)
			continue;
		if (is_state(&st))
			to = copy_of(fd);
		else if (!S_ISSOCK(st.st_mode))
			continue;
		if (to != stand_in) {
			long flags = syscall(SYS_fcntl, fd, F_GETFL);

			syscall(SYS_fcntl, to, F_SETFL, flags & O_APPEND);
			syscall(SYS_lseek, to, at[fd], SEEK_SET);
		}
		must(syscall(SYS_dup3, to, fd, O_CLOEXEC) >= 0);
		if (to != stand_in)
			close(to);
	}
}

/* Does the last line say which fault it was? */
static bool
said_why(const struct fault *f, const char *text)
{
	static const char *const words[] = { FAULT_WORDS };
	const char *line = strrchr(text, '\n');

	while (line != NULL && line > text && line[-1] != '\n')
		line--;
	if (line == NULL)
		return f->any_reason && fork_has_spoken;
	if (strstr(line, " error: ") == NULL)
		return false;
	for (size_t i = 0; i < nitems(words); i++) {
		if (strstr(line, words[i]) != NULL)
			return true;
	}
	return f->any_reason;
}

static void
judge_end(struct fault *f, uint64_t place, int status, int said)
{
	char text[8192], line[128];
	ssize_t n = syscall(SYS_pread64, said, text, sizeof(text) - 1, 0);
	void *at[DEPTH];

	text[MAX(n, 0)] = '\0';
	if (status == 0) {
		must(f->n_lived < LIVED_MAX);
		f->lived[f->n_lived++] = place;
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
	    said_why(f, text)) {
		f->n_ended++;
		return;
	}
	f->n_bad++;
	syscall(SYS_write, STDERR_FILENO, text, strlen(text));
	n = snprintf(line, sizeof(line),
	    "that is what a fault (%s) led to, and status %#x, here:\n",
	    f->where, (unsigned)status);
	syscall(SYS_write, STDERR_FILENO, line, n);
	backtrace_symbols_fd(at, backtrace(at, DEPTH), STDERR_FILENO);
}

bool
fork_off(struct fault *f, const char *call, uint64_t place)
{
	int said = (int)syscall(SYS_memfd_create, "said", MFD_CLOEXEC);
	off_t at[FDS];
	int status;
	pid_t pid;

	must(said >= 0);
	for (int fd = 0; fd < FDS; fd++)
		at[fd] = syscall(SYS_lseek, fd, 0, SEEK_CUR);
	snprintf(f->where, sizeof(f->where), "%s", call);
	f->fired++;
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		forked = true;
		syscall(SYS_alarm, SECONDS);
		part_from_the_world(said, at);
		close(said);
		return true;
	}
	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR);
	judge_end(f, place, status, said);
	close(said);
	return false;
}

void
fork_went_on(void)
{
#ifdef CONSILIUM_COVERAGE
	exit(0); /* writes its counters */
#else
	_exit(0);
#endif
}

/*
 * Names that have another file in the child, or none.
 */
static struct name {
	char path[256];
	int fd; /* -1: no file any more */
} names[NAMES];
static size_t n_names;

static struct name *
find(const char *path)
{
	for (size_t i = 0; i < n_names; i++) {
		if (strcmp(names[i].path, path) == 0)
			return &names[i];
	}
	return NULL;
}

static void
name(const char *path, int fd)
{
	struct name *n = find(path);

	if (n == NULL) {
		must(n_names < NAMES && strlen(path) < sizeof(n->path));
		n = &names[n_names++];
		strcpy(n->path, path);
	}
	n->fd = fd;
}

/* What the name stands for, to be read; -1 with errno. */
static int
real(int folder, const char *path)
{
	const struct name *n = find(path);

	if (n == NULL)
		return (int)syscall(
		    SYS_openat, folder, path, O_RDONLY | O_CLOEXEC);
	if (n->fd < 0) {
		errno = ENOENT;
		return -1;
	}
	return copy_of(n->fd);
}

int
fork_open(int folder, const char *path, int flags)
{
	int from = real(folder, path), to;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return from;
	if (from < 0 && (flags & O_CREAT) == 0)
		return -1;
	if (from >= 0 && (flags & O_EXCL) != 0) {
		close(from);
		errno = EEXIST;
		return -1;
	}
	to = copy_of((flags & O_TRUNC) != 0 ? -1 : from);
	if (from >= 0)
		close(from);
	name(path, fcntl(to, F_DUPFD_CLOEXEC, 0));
	return to;
}

void
fork_rename(const char *from, const char *to)
{
	name(to, real(AT_FDCWD, from));
	fork_unlink(from);
}

void
fork_unlink(const char *path)
{
	name(path, -1);
}

#include "tests/check.h"
#include "tests/faults/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct fault *
fault_open(const char *state)
{
	struct fault *f;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s.fault", state);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(*f)), 0);
	f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(f != MAP_FAILED);
	close(fd);
	return f;
}

struct fault *
fault_places(const char *state, uint32_t what)
{
	struct fault *f = fault_open(state);

	f->kind = FAULT_PLACES;
	f->what = what;
	f->deep = 6;
	f->error = ENOSPC;
	return f;
}

void
fault_close(struct fault *f)
{
	if (f != NULL)
		munmap(f, sizeof(*f));
}

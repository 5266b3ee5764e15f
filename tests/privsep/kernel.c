/*
 * An older kernel for the daemon that it is loaded into: Landlock has the
 * version that TEST_LANDLOCK says.  Its children do not know of it.
 */
#include "config.h"

#include <sys/syscall.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define GIVE_VERSION 1

/* No call has more than six. */
long
syscall(long number, ...)
{
	const char *version = getenv("TEST_LANDLOCK");
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_landlock_create_ruleset && version != NULL &&
	    a[2] == GIVE_VERSION) {
		errno = ENOSYS;
		return atoi(version) > 0 ? atoi(version) : -1;
	}
	return ((__typeof__(&syscall))dlsym(RTLD_NEXT, "syscall"))(
	    number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

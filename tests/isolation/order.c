/*
 * Loaded into a program, by a test's order: when it is about to receive its
 * first message, it tries instead what it was told to, and ends.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <unistd.h>

#include "privsep/spawn.h"
#include "tests/isolation/attempts.h"

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	int attempt = fd == SPAWN_CHANNEL_FD ? order_get() : -1;

	if (attempt < 0)
		return syscall(SYS_recvmsg, fd, m, flags);
	errno = 0;
	if (attempts[attempt].fn() >= 0)
		_exit(ORDER_EXIT);
	_exit(errno == 0 ? ORDER_EXIT - 1 : ORDER_EXIT + errno);
}

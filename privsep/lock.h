/*
 * Lock the calling process in: no new privileges, not dumpable, no
 * capabilities, limits on memory and descriptors, the files and TCP ports
 * that it may name (privsep/landlock.h), and an allow-list of system calls.
 * All of it is the process's own: the tables are in lock.c.  Only uplink and
 * listener may make a socket; nobody may start a program.  Threads that are
 * made later are locked in too; so this comes before the first one.
 *
 * A call that is not in the list kills the process (SIGSYS), which its parent
 * logs.  For finding out which one it was, CONSILIUM_SECCOMP=log in the
 * environment makes it a line on standard error and exit status 159 instead;
 * the call is refused all the same.
 *
 * Builds with a sanitizer or for coverage have a list of what is forbidden
 * (sockets, programs) instead, since their runtimes call at will.
 */
#ifndef PRIVSEP_LOCK_H
#define PRIVSEP_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "privsep/msg.h"

struct err;

#define LOCK_EXIT 159 /* 128 + SIGSYS */

/*
 * What only the daemon's configuration knows.  A parent puts it into its
 * environment (house_fence()), which spawn() hands on.
 */
struct lock_room {
	const char *state; /* the folder, or NULL: no files in it */
	uint16_t port; /* uplink: the coordinator's; listener: its own, where
			  0 is any that is free */
};
struct lock_room lock_room_env(void);
#define LOCK_STATE_ENV "CONSILIUM_STATE"
#define LOCK_PORT_ENV "CONSILIUM_PORT"

/* ERR_SYSTEM if something cannot be had: run nothing then.  What Landlock
   lacks on this kernel is no error. */
int lock_in(enum proc proc, const struct lock_room *room, struct err *err);

/*
 * Has the system replaced a file that proc may read, so that it is shut out
 * from the new one?  Returns its name, or NULL.  A new start mends it.
 */
const char *lock_outdated(enum proc proc);

#endif

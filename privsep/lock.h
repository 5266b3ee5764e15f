/*
 * Lock the calling process in: no new privileges, not dumpable, no
 * capabilities, and an allow-list of system calls that is the process's own
 * (the tables are in lock.c).  Only uplink and listener may make a socket;
 * nobody may start a program.  Threads that are made later are locked in too;
 * so this comes before the first one.
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

#include "privsep/msg.h"

struct err;

#define LOCK_EXIT 159 /* 128 + SIGSYS */

/* ERR_SYSTEM if the kernel lacks what is needed: run nothing then. */
int lock_in(enum proc proc, struct err *err);

#endif

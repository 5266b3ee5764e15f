/*
 * The beginning of a process, its parent's side: fork, then exec, with nothing
 * but standard error, the journal's socket and one channel.  It dies when its
 * parent does, dumps no core, and has an environment of our making.
 *
 * Executables are named after their process and lie in PKGLIBEXECDIR, or in
 * the folders that CONSILIUM_LIBEXEC lists, separated by colons.
 *
 * The parent has one thread: a child's parent is a thread to the kernel.
 */
#ifndef PRIVSEP_SPAWN_H
#define PRIVSEP_SPAWN_H

#include <sys/types.h>

#include "privsep/chan.h"

struct err;

/* What both sides must know of each other. */
#define SPAWN_CHANNEL_FD 3
#define SPAWN_JOURNAL_FD 4
#define SPAWN_LOG_ENV "CONSILIUM_LOG" /* a priority, as a number */

/* Is there such an executable?  ERR_CONFIG if not. */
int spawn_find(enum proc proc, char *path, size_t size, struct err *err);

/*
 * Start one.  log_priority is what it logs at most.  Returns its pid, and the
 * channel to it in *chan; -1 if it could not be forked.
 */
pid_t spawn(
    enum proc proc, int log_priority, struct chan **chan, struct err *err);

/* "exited with status 1", "was killed by SIGSYS (...)". */
void spawn_how(int wstatus, char *buf, size_t size);

#endif

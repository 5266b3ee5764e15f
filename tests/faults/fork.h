/*
 * A fault that costs a fork: at each new place the process becomes two.  The
 * child meets the fault, and has until it would wait for its next message; the
 * other waits for the child's end, then goes on as if nothing had been.  So one
 * study sees what comes of a fault at every place of it.
 *
 * The child has copies of the files of the state, so that what it writes is
 * gone with it, and speaks to nobody.
 */
#ifndef TESTS_FAULTS_FORK_H
#define TESTS_FAULTS_FORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct fault;

/* In the child: nothing more fails, and no name of the disk changes. */
extern bool forked;
/* The process has written to standard error, perhaps why it ends. */
extern bool fork_has_spoken;

/* At the start, before the process locks itself in.  State lies on device. */
void fork_prepare(dev_t device);
/* True in the child, at a call that has this number of its place.  What the
   child comes to is counted in f. */
bool fork_off(struct fault *f, const char *call, uint64_t place);
/* In the child: it waits, so it lives with the fault. */
_Noreturn void fork_went_on(void);
/* In the child: these names and files are its own. */
int fork_open(int folder, const char *path, int flags);
void fork_rename(const char *from, const char *to);
void fork_unlink(const char *path);

#endif

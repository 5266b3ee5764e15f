/*
 * A small study again and again, with a fault at each call of a gate or of
 * rounds that changes the disk (tests/faults/fault.h), and a start after it.
 * Each study must end with the model of all rows to the bit (finish()), no gate
 * may give a second answer to a question (the harness), nobody takes what a
 * fault has left for an attack, and no audit log has lost a line.
 *
 * All points take minutes: CRASH_EVERY is n for every n-th.
 */
#ifndef TESTS_FAULTS_SWEEP_H
#define TESTS_FAULTS_SWEEP_H

#include <stdbool.h>

enum sweep {
	SWEEP_KILL, /* before the call, after it, in its middle */
	SWEEP_POWER, /* the same, and what was not synced is taken back */
	SWEEP_EIO, /* the call fails, once */
	SWEEP_FULL, /* from here on all fail until the start: ENOSPC */
	SWEEP_READONLY, /* the same: EROFS */
	SWEEP_MEMORY, /* an allocation fails */
};

/* every: unless CRASH_EVERY says otherwise. */
void sweep(bool rounds, enum sweep how, unsigned every);

/*
 * A study in which a gate, or rounds, meets a fault at each of its places, by
 * the calls that lead there, in a child that is forked for it (FAULT_FORKS): it
 * ends and says why, or goes on.  In a second study the process itself meets
 * those that a child went on after: that comes to its exact end, too.  Who ends
 * says why in a line with one of the words (n).
 */
void sweep_places(bool rounds, const char *const *words, size_t n);

/* What the processes say, from here on: a file in h.dir, see said(). */
void listen_to_errors(void);
/* The last of it, if nobody has heard it: for cmocka's teardown. */
int show_errors(void **state);
/* How many lines there are; fails if one is not an error of a gate or rounds
   with one of the words in it (n words; none: any). */
size_t said(const char *const *words, size_t n);
/* The same, and lines with that in them are passed over. */
size_t said_beside(const char *other, const char *const *words, size_t n);

#endif

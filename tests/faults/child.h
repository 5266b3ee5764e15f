/*
 * A process of the house, the real one or the one with shim.so before it
 * (fault.h), whose parent and only peer the test is; and the folder of such a
 * test.
 */
#ifndef TESTS_FAULTS_CHILD_H
#define TESTS_FAULTS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "privsep/chan.h"

#define TIMEOUT_MS 60000 /* for what takes well below a second */

struct fault;

/* For cmocka: the folder, with a folder "state" in it. */
int child_set_up(void **state);
int child_tear_down(void **state);
const char *in_dir(const char *name); /* a path; four are kept */

/* Start it; what it says (of log_priority at most) is added to in_dir("log").
   The channels to it, as its parent and as its peer, are put out. */
pid_t child_start(enum proc proc, bool faulty, int log_priority, enum proc peer,
    struct chan **parent, struct chan **channel);

/* How many lines have been said since the last call; each must be an error with
   one of the words (n).  after: of the fault, for messages. */
size_t child_said(const char *const *words, size_t n, const char *after);
/* Whether one of the words is in it. */
bool child_is_due(const char *text, const char *const *words, size_t n);

#endif

/*
 * Faults of the system within a test's own process: the k-th call that the
 * program itself makes fails, for every k (tests/faults/shim.c does it to
 * another process).  A test program that links this has its own malloc() and
 * its own open(), write() and so on, which else do what libc's do.
 */
#ifndef TESTS_FAULTS_INSIDE_H
#define TESTS_FAULTS_INSIDE_H

#include <stdint.h>

struct err;

enum inside {
	INSIDE_MEMORY, /* allocations of the program's own */
	INSIDE_OPENSSL, /* those of libcrypto, all of one call of ours */
	INSIDE_FILES, /* calls on files, with EIO */
};

/* Returns 0, or -1 with *err; frees all that it made before it returns. */
typedef int (*operation)(void *self, struct err *err);

/*
 * Do it with a fault at its first call, its second, ... until it has no more.
 * Each time it must fail and say so, as a failure of the system where the
 * library under it says so, and free what it had made; at last it must
 * succeed.  OpenSSL can do without some.  between, if not NULL, is called after each failure, to look whether
 * things are as they must be.  Returns how many faults there were.
 */
unsigned every_fault(
    enum inside what, operation op, void *self, void (*between)(void *self));

#endif

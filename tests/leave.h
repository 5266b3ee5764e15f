/*
 * The end of a test's child that was forked and is not to run what the test
 * registered for its own end.  For coverage its counters are written first.
 */
#ifndef TESTS_LEAVE_H
#define TESTS_LEAVE_H

#include <unistd.h>

#ifdef CONSILIUM_COVERAGE
void __gcov_dump(void);
#endif

_Noreturn static inline void
leave(int status)
{
#ifdef CONSILIUM_COVERAGE
	__gcov_dump();
#endif
	_exit(status);
}

#endif

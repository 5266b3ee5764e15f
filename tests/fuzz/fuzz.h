/*
 * A fuzzer for a parser of outside bytes is one file with these two functions.
 * Built with clang (configure --enable-fuzz CC=clang) it is a libFuzzer
 * program; otherwise replay.c is its main(), which make check runs.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Parse data; what is accepted must keep its promises (abort() if not). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Valid inputs, and the like, to begin with. */
typedef void fuzz_put(const void *data, size_t len);
void fuzz_seeds(fuzz_put *put);

/* For seeds that are text behind a byte that chooses. */
void fuzz_put_text(fuzz_put *put, int choice, const char *text);
/* The same for bytes; choice -1: no such byte. */
void fuzz_put_bytes(fuzz_put *put, int choice, const void *data, size_t len);

/* An assertion that stands in every build. */
#define FUZZ_MUST(c)                                                           \
	do {                                                                   \
		if (!(c))                                                      \
			__builtin_trap();                                      \
	} while (0)

#endif

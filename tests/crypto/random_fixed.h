/*
 * Randomness for tests: the bytes that follow from a seed, the same on every
 * machine and in tests/reference/oracle.py.  Links in place of
 * crypto/librandom.a.
 */
#ifndef TESTS_CRYPTO_RANDOM_FIXED_H
#define TESTS_CRYPTO_RANDOM_FIXED_H

/* From here on: block k is SHA-256(seed || ":" || k in decimal). */
void random_fixed_seed(const char *seed);

#endif

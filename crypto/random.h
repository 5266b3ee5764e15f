/*
 * Randomness.  Programs link crypto/random.c (librandom.a): the operating
 * system's generator, which cannot be seeded.  Tests link another object that
 * can.
 */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include <stddef.h>

void random_bytes(void *p, size_t len);

#endif

/*
 * Golden files of tests/vectors/model, and numbers that must be as they say.
 */
#ifndef TESTS_MODEL_GOLDEN_H
#define TESTS_MODEL_GOLDEN_H

#include <stdio.h>

FILE *open_vectors(const char *name);

/* |got - expected| <= GOLDEN_TOLERANCE scale, or a failed test. */
#define GOLDEN_TOLERANCE 1e-9
void close_to(const char *what, double got, double expected, double scale);

#endif

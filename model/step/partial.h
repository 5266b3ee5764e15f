/*
 * The log partial likelihood of a Cox model with its first two derivatives,
 * risk set by risk set.
 *
 * A risk set's sums are one array S of 1 + p + p(p+1)/2 numbers: w, then w z,
 * then w z z' (upper triangle by rows).  E is the same over its events.
 */
#ifndef MODEL_STEP_PARTIAL_H
#define MODEL_STEP_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARTIAL_SUMS(p) (1 + (size_t)(p) + (size_t)(p) * ((p) + 1) / 2)

struct partial {
	uint32_t p;
	bool efron;
	double loglik;
	double *score; /* (p) */
	double *info; /* upper triangle */
};

/*
 * Subtract a risk set with d > 0 events (E is not read unless efron and
 * d > 1): the caller adds the events' own part, beta'z and z, once.
 */
void partial_subtract(
    struct partial *a, const double *S, const double *E, uint64_t d);

#endif

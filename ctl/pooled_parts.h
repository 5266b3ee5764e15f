/*
 * What the files of the independent check share: the rows, and some algebra.
 */
#ifndef CTL_POOLED_PARTS_H
#define CTL_POOLED_PARTS_H

#include "ctl/pooled.h"

#define POOLED_TERMS_MAX 1024

struct pooled_row {
	double time, after; /* is at risk after `after` and until `time` */
	double y; /* gaussian and poisson */
	bool event;
	double offset, weight;
	size_t stratum, site;
	double patient; /* whose row it is at the site */
	double *x; /* (n_terms) */
};

struct pooled {
	const struct pooled_model *model;
	struct pooled_row *rows; /* (n) */
	size_t n;
};

/* calloc() that gives at least one; *failed is set if it does not. */
void *pooled_zeroed(size_t n, size_t size, bool *failed);

/* For qsort(): rows by stratum, then from the latest time to the earliest. */
int pooled_latest_first(const void *a, const void *b);

/*
 * Inverse of a symmetric positive definite matrix by Gauss-Jordan, in place;
 * -1 if a pivot has lost all its digits.
 */
int pooled_invert(long double *m, size_t p);

#endif

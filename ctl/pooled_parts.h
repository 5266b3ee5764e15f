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

/* Curves: a cell is a group in a stratum; how many there are. */
size_t pooled_n_cells(const struct pooled *p);
/* Has it too few rows, or too few of some cause, but some? */
bool pooled_is_left_out(const struct pooled *p, size_t cell, size_t step);
/* Rows of a cell that leave from start on and before end with this level. */
double pooled_leave(const struct pooled *p, size_t cell, double start,
    double end, size_t level);
/*
 * u' V^-1 u of the groups with some variance, all but the last; u (g) and v (g, g)
 * are spoilt.  NAN if there are fewer than two.
 */
double pooled_quadratic_form(long double *u, long double *v, size_t g);

#endif

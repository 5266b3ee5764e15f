/*
 * The likelihoods of the independent check, and their derivatives.  Rows have
 * centred terms, and before them a 1 where there is an intercept.
 */
#ifndef CTL_POOLED_LIKELIHOOD_H
#define CTL_POOLED_LIKELIHOOD_H

#include "ctl/pooled_parts.h"

struct err;

/* What one evaluation at beta gives.  p is the number of coefficients. */
struct pooled_eval {
	long double loglik;
	long double pearson; /* sum of squared Pearson residuals */
	long double *grad; /* (p) */
	long double *info; /* (p, p): minus the second derivatives */
};

/* Sums over a set of rows of r, r x and r x x', r = exp(x beta). */
struct pooled_sums {
	long double s0;
	long double *s1; /* (p) */
	long double *s2; /* (p, p) */
};

/*
 * All of *e at beta, (p).  rows, (n), are in pooled_latest_first()'s order;
 * risk and deaths are work space.
 */
void pooled_evaluate(const struct pooled_model *m,
    const struct pooled_row *rows, size_t n, size_t p, const long double *beta,
    struct pooled_sums *risk, struct pooled_sums *deaths,
    struct pooled_eval *e);

/* A row's part of the gradient, by a factor: that of each term is x times it.
   Not of a Cox model. */
long double pooled_score(const struct pooled_model *m,
    const struct pooled_row *r, const long double *beta, size_t p);

/* What a row weighs in the risk sets of a Cox model. */
long double pooled_risk(
    const struct pooled_row *r, const long double *beta, size_t p);

/*
 * The sum over clusters of U U', (p, p), U a cluster's sum of the gradients'
 * parts (of a Cox model: of score residuals), is added to meat.
 */
int pooled_meat(const struct pooled_model *m, const struct pooled_row *rows,
    size_t n, size_t p, const long double *beta, long double *meat,
    struct err *err);

#endif

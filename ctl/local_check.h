/*
 * The parts of local_check(): the study and its tables in the words of the
 * independent check, and how far the result is from it.
 */
#ifndef CTL_LOCAL_CHECK_H
#define CTL_LOCAL_CHECK_H

#include "ctl/local.h"
#include "ctl/pooled.h"

/* All that the comparison needs; local_check() frees it. */
struct check {
	struct local *l;
	struct json_value *result;
	struct pooled_model model;
	struct pooled_term *terms; /* (n_terms) of the study */
	struct pooled_stratum *strata;
	struct pooled_grid *grids; /* (n_grids) */
	size_t n_grids;
};

/* The study's model in the words of the plain fit. */
int check_model(struct check *c, struct err *err);

/* The grid that the result says it was computed on. */
int check_grid(struct check *c, struct err *err);

/* Where each site is a stratum, it alone knows its grid: make it again. */
int check_site_grids(struct check *c, const struct pooled *p, struct err *err);

/*
 * All sites' tables: the approved ones, or raw ones made for it.  The caller
 * ends it with pooled_free().
 */
struct pooled *check_rows(struct check *c, bool raw, struct err *err);

/* How far a number is from what is wanted, in units; INFINITY: there is none. */
double check_off(double got, double want, double unit);

/* Curves and the log-rank test against the plain code. */
int check_survival(struct check *c, double *worst, struct err *err);
int check_incidence(struct check *c, double *worst, struct err *err);

/* A mean in its standard errors; counts are exact, or infinitely far. */
int check_described(struct check *c, double *worst, struct err *err);

/*
 * A learned result against the same steps on all rows, without noise; prints
 * both, where the files are, and as the last line how far that is.
 */
int check_learning(struct check *c, struct err *err);

/* Where all files are. */
void check_print_places(const struct local *l);

#endif

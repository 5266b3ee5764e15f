/*
 * The independent check: the same fit on all sites' rows put together, by
 * plain code that shares nothing with the federated path (it reads the tables'
 * documented layout and computes by itself, in long double).  Only
 * consilium-local and tests can do this: nobody else has all the tables.
 */
#ifndef CTL_POOLED_H
#define CTL_POOLED_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pooled;

#define POOLED_NUMBER ((size_t)-1) /* the column's value itself */

/* A number of a row, from one column. */
struct pooled_factor {
	const char *column;
	size_t level; /* 1 where the column is this level, else 0 */
	/* If the level is POOLED_NUMBER: */
	bool log; /* its logarithm */
	size_t power; /* 2 or more: its power */
	/* n_knots > 0: part number spline of its restricted cubic spline. */
	const double *knots; /* (n_knots) */
	size_t n_knots, spline;
};

#define POOLED_FACTORS_MAX 4

/* One number per row that gets a coefficient: a product. */
struct pooled_term {
	struct pooled_factor factors[POOLED_FACTORS_MAX];
	size_t n_factors;
	size_t piece; /* cox: it is 0 but in this stretch between two cuts */
};

/* A column that rows are stratified by, and how many levels it has. */
struct pooled_stratum {
	const char *column;
	size_t n_levels;
};

enum pooled_family { /* of a model with an intercept before the terms */
	POOLED_BINOMIAL, /* logit link */
	POOLED_GAUSSIAN,
	POOLED_POISSON,
	POOLED_QUASIPOISSON,
	POOLED_GAMMA, /* log link, or the inverse one */
	POOLED_NEGBIN, /* log link, variance mu + mu^2 / theta */
	POOLED_QUASIBINOMIAL, /* logit link */
	POOLED_TRIALS, /* logit link, successes of as many as weights says */
};

struct pooled_model {
	bool cox; /* else a regression of this family */
	bool km; /* or curves of n_groups groups, by time and event */
	size_t n_groups; /* the strata's columns end with the groups' */
	/* With km: the event is one of n_events levels, censored is none. */
	bool causes;
	size_t n_events, censored;
	enum pooled_family family;
	bool efron; /* else Breslow */
	const char *time; /* cox, km */
	const char *entry; /* cox: at risk after it; or NULL */
	const double *cuts; /* (n_cuts) cox: where terms of a piece change */
	size_t n_cuts;
	const char *event; /* or the outcome */
	double theta; /* POOLED_NEGBIN */
	bool inverse_link; /* POOLED_GAMMA */
	const char *offset, *weights; /* columns, or NULL */
	bool offset_is_log; /* its logarithm is added */
	/*
	 * Standard errors by the scores of each patient, or of each site (a
	 * sandwich); or, with an intercept, lambda of a ridge penalty on terms
	 * that have a standard deviation of 1.
	 */
	enum pooled_errors {
		POOLED_OF_MODEL,
		POOLED_BY_PATIENT,
		POOLED_BY_SITE
	} errors;
	const char *patient; /* column: whose row it is; NULL: its own */
	double ridge;
	const struct pooled_term *terms; /* (n_terms) */
	size_t n_terms;
	/* cox: strata by site, or by columns: the first one counts most. */
	bool strata_by_site;
	const struct pooled_stratum *strata; /* (n_strata) */
	size_t n_strata;
};

/*
 * The grid of times of one stratum: where its intervals start, increasing.  A
 * row's time is moved to the start of its interval; a row before the first
 * start is at risk nowhere.
 */
struct pooled_grid {
	const double *starts; /* (n) */
	size_t n;
	/* With an entry: a row enters the first interval whose last is later. */
	const double *lasts; /* (n) */
};

/*
 * The grid that a site makes for itself where it is a stratum of its own, from
 * its rows alone, by the rule of model/step/grid.h: from the last time
 * backwards, times are merged until at least step rows leave in each interval,
 * and with Efron's ties at least step of them by an event and none or at least
 * step without.  With delayed entry also by who enters, comes back and is at risk.
 * The caller frees starts and lasts; n is 0 where no merging is enough.
 */
int pooled_grid_make(const struct pooled *p, size_t stratum, size_t step,
    double **starts, double **lasts, size_t *n, struct err *err);

struct pooled_fit {
	size_t n, n_events, n_coef;
	double *coef, *se; /* (n_coef) */
	double loglik_null, loglik; /* null: no term, only the intercept */
	size_t iterations;
	bool converged;
};

/* model and what it points to must outlive the result. */
struct pooled *pooled_new(const struct pooled_model *model, struct err *err);
void pooled_free(struct pooled *p); /* NULL is fine */

/* Put the rows of a table file (study/table.h) to the others. */
int pooled_add(
    struct pooled *p, size_t site, const char *path, struct err *err);

/*
 * Fit.  grids has one entry per stratum, or n_grids is 0: the times as they
 * are.  ERR_NUMERIC if the data do not determine the coefficients.  The
 * caller ends fit with pooled_fit_clear().
 */
int pooled_fit(const struct pooled *p, const struct pooled_grid *grids,
    size_t n_grids, struct pooled_fit *fit, struct err *err);
void pooled_fit_clear(struct pooled_fit *fit);

/*
 * Learning (binomial and gaussian): the same gradient steps on all rows, without
 * noise and rounding.  Terms, and a gaussian outcome, are (x - middle) / half.
 */
struct pooled_learning {
	const double *middle, *half; /* (n_terms); half is 0: left out */
	double y_middle, y_half;
	double clip; /* largest norm of a row's gradient */
	double step, momentum;
	size_t rounds;
	/* What each step may be off: by an absolute error of the mean gradient,
	   and by a relative one of the number of rows in round 1, which falls
	   with the square root of the rounds. */
	double error, row_error;
};

/*
 * coef has room for 1 + n_terms, in the scaled terms; *distance is how far, in
 * L2, an answer with such errors can be away (for momentum 0; the map of a step
 * does not stretch while step is at most 8 / (1 + n_terms), or 2 / (1 + n_terms) for
 * a gaussian).
 */
int pooled_learn(const struct pooled *p, const struct pooled_learning *l,
    double *coef, double *distance, struct err *err);
size_t pooled_rows(const struct pooled *p);

/*
 * Km: the survival after each of the grid's starts and its standard error (NAN
 * where the survival is 0), each (grid->n), and the log-rank test of all groups
 * (NAN if fewer than two can be compared).  A group in a stratum with fewer
 * than step rows, or with fewer events, or fewer others, but some, is left out.
 */
void pooled_survival(const struct pooled *p, size_t group, size_t step,
    const struct pooled_grid *grid, double *survival, double *se);
int pooled_logrank(const struct pooled *p, size_t step,
    const struct pooled_grid *grid, double *chi2, struct err *err);

/*
 * Causes: the incidence of one level of the event after each of the grid's
 * starts, (grid->n).  A group in a stratum is left out as above, by the events
 * of each cause.
 */
void pooled_incidence(const struct pooled *p, size_t group, size_t level,
    size_t step, const struct pooled_grid *grid, double *incidence);
/* Gray's test of one level of the event; NAN if there is nothing to compare. */
int pooled_gray(const struct pooled *p, size_t level, size_t step,
    const struct pooled_grid *grid, double *chi2, struct err *err);

/*
 * Rows with a number in a term: how many, their mean and standard deviation
 * (NAN for fewer than two).  group is a stratum, or POOLED_ALL; a term that is
 * `missing` has none.
 */
#define POOLED_ALL ((size_t)-1)
size_t pooled_moments(const struct pooled *p, size_t group, size_t term,
    double missing, double *mean, double *sd);
/*
 * Leave out who is `missing` in a term that some, but fewer than least, of their
 * stratum miss, until nobody is left out any more.
 */
void pooled_drop_few(struct pooled *p, double missing, size_t least);
/* Rows that have this value in a term. */
size_t pooled_count(
    const struct pooled *p, size_t group, size_t term, double value);
/* The sum of a term's numbers over these rows. */
double pooled_sum(const struct pooled *p, size_t term, double value, size_t of);
/* Rows with a number in all terms; only those with an event. */
size_t pooled_complete(const struct pooled *p, double missing, bool event);

#endif

/*
 * Inside of a contribution, for model/ alone: the rows of a site as the plan's
 * next round sees them.
 */
#ifndef MODEL_WORK_H
#define MODEL_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/data.h"
#include "model/step/kind.h"

struct err;
struct gram;

struct work {
	const struct plan *plan;
	const struct model_data *data;
	uint32_t active[MODEL_TERMS_MAX], n_active;
	int32_t *interval; /* (n_rows) index into grid, -1: row not used */
	/*
	 * Delayed entry, else NULL (model/episodes.c), (n_rows): the time index
	 * of the entry; EPISODE_ flags; where the entry is summed (grid_slot()).
	 */
	uint32_t *entry;
	uint8_t *episode;
	int32_t *slot;
	const struct grid *grid; /* the plan's, or own */
	struct grid own; /* strata = site */
	double mean[MODEL_TERMS_MAX], scale[MODEL_TERMS_MAX]; /* (n_active) */
	/* (n_rows) beta'z without the intercept; NULL where blocks have it */
	double *score;
	double *values; /* (plan_values()) all 0 at the start */
	bool
	    out_of_range; /* block_fill() met a term that is not in its range */
};

/*
 * The standardised active terms of a row, z = (x - mean) scale.  They are made
 * again wherever they are needed: all of them at once would be as large as the
 * table.  Returns their linear predictor beta'z, without intercept and offset.
 */
double work_z(const struct work *w, size_t row, double *z);
const double *work_beta(const struct work *w);

/*
 * A row that is due so many rows later, if there is one: it is brought near.
 * The processor guesses as much, but not beyond a page of memory.
 */
#define FETCH_AHEAD 12
static inline void
work_fetch(const struct work *w, size_t row)
{
	const struct model_data *d = w->data;

	for (size_t k = 0; row < d->n_rows && k < d->n_terms; k += 8)
		__builtin_prefetch(d->x + row * d->n_terms + k);
}

/* out (n) = factor z; out may be z. */
void scale_row(double *out, const double *z, double factor, size_t n);

/* The linear predictor's unit: that of the outcome where it is standardised. */
double work_unit(const struct work *w);

/* The numbers of a group of the next round. */
static inline double *
work_group(const struct work *w, size_t group)
{
	return w->values + w->plan->next.groups[group].value_at;
}

/*
 * What a kind of model contributes: one entry in a table of operations.  The
 * entry of kind NAME is contribute_NAME in model/NAME.c.
 */
struct contribute_kind {
	/*
	 * A row that does not fit the study, beyond what is checked of every
	 * kind: what is wrong with it, as "the outcome is not a count"; or
	 * NULL.  May be NULL.
	 */
	const char *(*check_row)(const struct work *w, size_t row);
	/*
	 * Fills w->interval (0 before: one interval with all rows); may be
	 * NULL.
	 */
	int (*find_intervals)(struct work *w);
	/* By phase: fills w->values.  -1 for ERR_SYSTEM alone. */
	int (*rounds[PHASES])(struct work *w);
};

#define MODEL_DECLARE(constant, name)                                          \
	extern const struct contribute_kind contribute_##name;
MODEL_EACH_KIND(MODEL_DECLARE)
#undef MODEL_DECLARE

/* What kinds share, as the rounds of model/step/rounds.h. */
int contribute_moments(struct work *w);
int contribute_scores(struct work *w);
int contribute_pairs(struct work *w);
/* Delayed entry: not if it enters after the last event of its stratum. */
bool work_is_compared(const struct work *w, size_t row);
int contribute_few(struct work *w); /* model/step/few.h */
/* The last group of a kind's own in the round of counts. */
size_t work_last_counts(const struct work *w);

/* Learning: the sum of the patients' clipped gradients (model/learn.c). */
int contribute_gradient(struct work *w);

/*
 * Rows that are used, some at a time, so that all that is made of them is made
 * while they are in the cache: of models with an intercept.
 */
#define BLOCK_ROWS 192
struct block {
	size_t n; /* rows in it */
	uint32_t p; /* the intercept and the active terms */
	size_t stride; /* numbers from a row of z to the next */
	size_t row[BLOCK_ROWS]; /* their places in the table */
	double eta[BLOCK_ROWS]; /* their linear predictors at beta */
	double *z; /* (n, p): 1 and the standardised terms */
};

struct block *block_new(const struct work *w);
void block_free(struct block *b); /* NULL is fine */
/* The used rows from *at on, which moves behind them; false: there are none. */
bool block_fill(const struct work *w, struct block *b, size_t *at);

/* Sums of w z z', and of r z where there is an r, over blocks of rows. */
struct products;
struct products *products_new(const struct block *b);
void products_free(struct products *s); /* NULL is fine */
/* weight (n), 0 or above; residual (n), or NULL at all times. */
void products_add(struct products *s, const struct block *b,
    const double *weight, const double *residual);
/* score (p) or NULL; matrix (p, p) packed. */
void products_take(const struct products *s, double *score, double *matrix);

/* Robust standard errors: y - E(y) of a row at its linear predictor, as its score
   is that times z. */
typedef double (*residual_fn)(const struct work *w, size_t row, double eta);
int contribute_robust(struct work *w, residual_fn residual);
/* Of these, if they are by patient: how many have rows that are used. */
int count_patients(const struct work *w, double *out);
/* In the round of counts, if they are by site: 1 if there are rows enough. */
void count_site(struct work *w, double *out);

/*
 * Sums of w, w z, w z z' over rows that come one by one.
 */
struct gram *gram_new(uint32_t p);
void gram_free(struct gram *g);
void gram_clear(struct gram *g);
void gram_add(struct gram *g, const double *z, double weight);
/*
 * The same of n rows at once, at most GRAM_ROWS is fast: z is (n, p) and spoilt,
 * root (n) the square roots of their weights.
 */
#define GRAM_ROWS 256
void gram_add_rows(struct gram *g, double *z, const double *root, size_t n);
/* Number k of 1 + p + p(p+1)/2 goes to out[k * stride]. */
void gram_take(struct gram *g, double *out, size_t stride);

#endif

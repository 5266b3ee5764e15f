/*
 * Cox: sums over a site's rows, interval by interval; for model/ alone.
 */
#ifndef MODEL_RISK_SETS_H
#define MODEL_RISK_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/work.h"

/*
 * Rows by interval: number first[g] to first[g] + n[g] - 1 of order; or of the
 * rows themselves, where those of an interval stand together.
 */
struct by_interval {
	/* At most MODEL_ROWS_MAX, and FETCH_AHEAD without a meaning. */
	uint32_t *order;
	size_t *first, *n;
};

/* Of (n_rows) intervals, -1 for none. */
int by_interval_make(
    const struct work *w, const int32_t *intervals, struct by_interval *by);
void by_interval_free(struct by_interval *by);
size_t by_interval_row(const struct by_interval *by, size_t g, size_t k);

/* Rows on their way into a sum, some at a time, while they are in the cache. */
struct side {
	struct gram *gram;
	double *z; /* (GRAM_ROWS, n_active) */
	double eta[GRAM_ROWS]; /* their linear predictors */
	size_t rows[GRAM_ROWS], n;
};

enum { CENSORED, EVENTS };

struct pass {
	struct work *w;
	struct by_interval by, entering; /* entering: with delayed entry */
	struct side sides[2];
	double shift; /* is subtracted from every linear predictor */
	double beyond; /* rows whose sums are left out */
};

/* -1: no memory; pass_end() is due in either case. */
int pass_begin(struct pass *s, struct work *w);
void pass_end(struct pass *s);

/*
 * Sums over the rows of an interval: by event, or all of them on the side of
 * the censored.
 */
void pass_sum(
    struct pass *s, const struct by_interval *by, size_t g, bool by_event);

/*
 * strata = site: every risk set of the site's own stratum, from the last to
 * the first, S of all and E of its events (model/step/partial.h), where weights
 * are exp(score - s->shift).  -1: no memory.
 */
typedef void (*own_fn)(void *arg, size_t g, const double *S, const double *E);
int pass_own(struct pass *s, own_fn fn, void *arg);

/* Is each site a stratum of its own? */
bool by_site(const struct work *w);

static inline uint32_t
stratum_of(const struct work *w, size_t row)
{
	return w->plan->spec.strata == STRATA_COLUMN ? w->data->stratum[row]
						     : 0;
}

/*
 * Delayed entry: fills w->entry and w->episode, and makes room for w->slot.
 * Rows of a patient that continue each other unchanged become the last of them.
 * -1: no memory.
 */
enum {
	EPISODE_JOINED = 1, /* the row is part of another one */
	EPISODE_CONTINUES = 2, /* it begins when one of the patient's ends */
};
int episodes_make(struct work *w);

/* The round of residuals (model/step/hazard.h). */
int contribute_residuals(struct work *w);

#endif

/*
 * Inside of a contribution, for model/ alone: the rows of a site as the plan's
 * next round sees them.
 */
#ifndef MODEL_WORK_H
#define MODEL_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "model/step/state.h"

struct err;
struct gram;
struct model_data;

struct work {
	const struct plan *plan;
	const struct model_data *data;
	uint32_t active[MODEL_TERMS_MAX], n_active;
	int64_t *interval; /* (n_rows) index into grid, -1: row not used */
	const struct grid *grid; /* the plan's, or own */
	struct grid own; /* strata = site */
	double *z; /* (n_rows, n_active), row by row */
	double *score; /* (n_rows) beta'z without the intercept */
	double *values; /* (plan_values()) all 0 at the start */
};

/* The numbers of a group of the next round. */
static inline double *
work_group(const struct work *w, size_t group)
{
	return w->values + w->plan->next.groups[group].value_at;
}

/*
 * What a kind of model contributes in the rounds that differ between kinds.
 * interval is filled by find_intervals() before any other; the others may
 * return -1 for ERR_SYSTEM alone.
 */
struct contribute_ops {
	int (*find_intervals)(struct work *w);
	int (*counts)(struct work *w);
	int (*times)(struct work *w); /* km alone; it has no newton */
	int (*newton)(struct work *w);
	int (*local_pairs)(struct work *w); /* NULL: none are local */
};

extern const struct contribute_ops contribute_cox, contribute_logistic,
    contribute_glm, contribute_km;

/*
 * Sums of w, w z, w z z' over rows that come one by one.
 */
struct gram *gram_new(uint32_t p);
void gram_free(struct gram *g);
void gram_clear(struct gram *g);
void gram_add(struct gram *g, const double *z, double weight);
/* Number k of 1 + p + p(p+1)/2 goes to out[k * stride]. */
void gram_take(struct gram *g, double *out, size_t stride);

#endif

/*
 * What a kind of model is to the plan, for model/ alone: one entry in a table of
 * operations.  The entry of kind NAME is plan_NAME in model/step/NAME.c.
 */
#ifndef MODEL_STEP_KIND_H
#define MODEL_STEP_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/spec.h"
#include "model/step/state.h"

struct err;

/* One round: what is summed, and what becomes of the sum. */
struct round_ops {
	const char *name; /* plan_kind() */
	/* Of the round that p->phase names. */
	void (*layout)(const struct plan *p, struct layout *l);
	/*
	 * Reads the sum by that same layout, changes the state, and sets the
	 * next phase or ends the plan.  0; 1: the sum contradicts itself (the
	 * changes are undone); -1: no memory.
	 */
	int (*step)(struct plan *p, const uint64_t *sum);
};

struct plan_kind {
	const char *name; /* model_kind_name() */
	bool has_y; /* its outcome is a number, not an event */
	bool has_time; /* rows have a time, and may have strata */
	bool has_groups; /* its terms are groups of patients, not covariates */
	bool has_intercept;
	bool has_weights; /* rows may have prior weights */
	bool has_ridge; /* its likelihood may be penalized */
	bool scales_y; /* the outcome is standardised: y_mean, y_sd */
	/* The linear predictor is y_mean / mu, y_mean that of the outcome. */
	bool has_inverse_link;
	/* What model_spec_check() does not check of every kind; or NULL. */
	int (*check)(const struct model_spec *s, struct err *err);
	/* The phases that it goes through; the first is PHASE_COUNTS. */
	struct round_ops rounds[PHASES];
	/*
	 * How many numbers of its own (plan->cells) its state has, and whether
	 * they can be what they are; NULL: none.  Where only the second is
	 * there, it judges cells and reals, and how many there are.
	 */
	size_t (*n_cells)(const struct plan *p);
	bool (*cells_are_sane)(const struct plan *p);
	/*
	 * Robust standard errors: how many clusters there are; then the sum over
	 * them of U U', packed as plan->info, U the sum of a cluster's scores.
	 * NULL: there are none.
	 */
	const double *(*meat)(const struct plan *p);
};

#define MODEL_DECLARE(constant, name) extern const struct plan_kind plan_##name;
MODEL_EACH_KIND(MODEL_DECLARE)
#undef MODEL_DECLARE

const struct plan_kind *plan_kind_of(enum model_kind kind);

/* Learning is no kind: it has one phase for all kinds that it can have. */
extern const struct round_ops learn_round;

/* The round that the plan waits for. */
static inline const struct round_ops *
plan_round(const struct plan *p)
{
	if (p->phase == PHASE_GRADIENT)
		return &learn_round;
	return &plan_kind_of(p->spec.kind)->rounds[p->phase];
}

#endif

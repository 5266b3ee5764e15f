/*
 * Rounds that several kinds of model share, for their tables (kind.h), and how a
 * kind's own rounds go over to them.
 */
#ifndef MODEL_STEP_ROUNDS_H
#define MODEL_STEP_ROUNDS_H

#include <stdbool.h>

#include "model/step/kind.h"

void moments_layout(const struct plan *p, struct layout *l);
int moments_step(struct plan *p, const uint64_t *sum);
void scores_layout(const struct plan *p, struct layout *l);
int scores_step(struct plan *p, const uint64_t *sum);
void pairs_layout(const struct plan *p, struct layout *l);
int pairs_step(struct plan *p, const uint64_t *sum);

/* Mean and standard deviation of each term; then PHASE_NEWTON. */
#define ROUND_MOMENTS                                                          \
	{                                                                      \
		"moments", moments_layout, moments_step                        \
	}
/* Concordance, see rounds_evaluate(). */
#define ROUND_SCORES                                                           \
	{                                                                      \
		"evaluation", scores_layout, scores_step                       \
	}
#define ROUND_PAIRS                                                            \
	{                                                                      \
		"evaluation", pairs_layout, pairs_step                         \
	}

/*
 * The end of a step of counts: PHASE_MOMENTS, if there are at least
 * events_per_term events per term (events: whatever limits the terms of this
 * kind of model).
 */
int rounds_counted(struct plan *p, uint64_t events);

/*
 * The end of a step of Newton that has converged: PHASE_SCORES; PHASE_PAIRS if
 * strata = site, where sites count their own pairs.
 */
int rounds_evaluate(struct plan *p);

/* The second evaluation round's tree and, at each first-round bin, its bin. */
struct pair_round {
	struct pair_tree tree;
	uint32_t *to_bin; /* (p->bins) */
	uint64_t heavy; /* rows that make a bin heavy */
	uint32_t n_heavy;
};

int pair_round(const struct plan *p, struct pair_round *r);
void pair_round_free(struct pair_round *r);

#endif

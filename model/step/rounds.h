/*
 * The rounds of a plan: what each sums, and what it makes of the sum.
 */
#ifndef MODEL_STEP_ROUNDS_H
#define MODEL_STEP_ROUNDS_H

#include "model/step/state.h"

struct round_ops {
	const char *name;
	void (*layout)(const struct plan *p, struct layout *l);
	/* 0; 1: the sum contradicts itself; -1: no memory. */
	int (*step)(struct plan *p, const uint64_t *sum);
};

/* PHASE_DONE has neither layout nor step. */
extern const struct round_ops round_ops[PHASES];

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

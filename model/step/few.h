/*
 * Terms that too few patients have, for model/ alone.  A regression sums products
 * of all terms: of a term that is 0 but for a few, each product is a sum over these
 * few.  So in the round of counts it is also counted who has each term, and what
 * is too small takes part in no sum that follows.
 *
 * Patients have a term if it is not at its base in some row of theirs.  Bases are 0
 * (or the end of its range that is next to it) and both ends: the sum of z (x - a) is
 * known for any a, and is about those with another x than a alone.  Of an effect whose
 * terms are all 0 to 1, as the levels of a column are, who has none of them is
 * counted too: they are what the sums over all less those over the levels are
 * about.  If they are too few, the rarest levels are left out until they are not.
 */
#ifndef MODEL_STEP_FEW_H
#define MODEL_STEP_FEW_H

#include <stdbool.h>
#include <stdint.h>

#include "model/step/state.h"

/*
 * The last groups of the round, each with FEW_KINDS numbers per term: who does not
 * have it at a base; who has none of an effect, at its first term.
 */
enum {
	FEW_PATIENTS,
	FEW_SITES, /* 1 of each site that has such patients */
	FEW_GROUPS,
};
enum { FEW_ZERO, FEW_LOW, FEW_HIGH, FEW_NONE, FEW_KINDS };

/* A term's base of a kind up to FEW_HIGH. */
double few_base(const struct plan *p, uint32_t term, int kind);

void few_layout(const struct plan *p, struct layout *l);
/* Sets p->few.  False: the counts contradict themselves. */
bool few_step(struct plan *p, const uint64_t *sum);

/* The number of the first term of a term's effect. */
uint32_t few_effect(const struct plan *p, uint32_t term);

#endif

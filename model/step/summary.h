/*
 * A summary's state, for model/ alone: what the sums have told of each group and
 * variable so far.  docs/NUMERICS.md has the formulas, docs/DISCLOSURE.md the
 * rules.
 *
 *     counts (again, as long as few lack something) -> bins -> sums -> done
 *
 * A cell is a group and a variable.  What is too small is 0 in the state from
 * the step on that reads it: nothing that is summed or shown later can depend
 * on it.
 *
 * A number's range is cut into bins of equal width, of whole numbers if the
 * variable is whole; where every group has none or enough in a bin, the last
 * round counts its parts.  Position bin * SUMMARY_PARTS + part is a place in the
 * range.
 */
#ifndef MODEL_STEP_SUMMARY_H
#define MODEL_STEP_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/step/state.h"

#define SUMMARY_PARTS 16
#define SUMMARY_BINS_MAX 1024
#define SUMMARY_COUNTS_MAX (1u << 20) /* of one round */
/* Into plan->cells and plan->reals; from the first sum on. */
struct summary {
	uint32_t groups, variables, levels;
	uint64_t *n; /* (groups) rows; 0: none or too few */
	uint64_t *complete; /* (groups) rows with all numbers */
	uint64_t *complete_sites; /* (groups) sites that have such rows */
	uint64_t *present; /* (groups, variables) rows; 0: none or too few */
	uint64_t *sites; /* (groups, variables) sites that have such rows */
	uint64_t *level; /* (groups, levels) rows */
	/*
	 * (groups, variables) 1: fewer than a cell lack it; these rows are in no
	 * sum, so that nobody in the sums lacks it.
	 */
	uint64_t *strict;
	uint64_t *joined; /* (variables, levels) bit: level shown with others */
	uint64_t *summed; /* (groups, variables) 1: numbers that are summed */
	uint64_t *n_pairs; /* rows that correlations are of; 0: none are */
	/*
	 * Phase sums: (groups, variables, bins) rows.  At the end, for each
	 * variable: how many bins, and of each its first position and the
	 * rows of each group.
	 */
	uint64_t *tail;
	size_t n_tail;

	double *centre; /* (variables) what the next sums are about */
	double *sum, *square; /* (groups, variables) of x - centre */
	double *rank, *doubt; /* (groups, variables) sums of ranks, of what
				 binning may have made of them */
	double *ties, *sure_ties; /* (variables) sums of t^3 - t; of values that
				     surely are equal */
	double *pair_sum; /* (variables) over n_pairs rows */
	double *pair_square; /* (variables, variables) upper triangle */
};

/* False if the state has another length than its phase has. */
bool summary_at(const struct plan *p, struct summary *s);

static inline bool
summary_is_number(const struct plan *p, uint32_t v)
{
	return p->spec.variables[v].n_levels == 0;
}

/* Is the variable's cell in the sums that are not counts? */
static inline bool
summary_has(
    const struct plan *p, const struct summary *s, uint32_t g, uint32_t v)
{
	return summary_is_number(p, v) &&
	    s->present[(size_t)g * s->variables + v] > 0;
}

uint32_t summary_bins(const struct plan *p, uint32_t v);
/* Of one bin; 1: there is nothing to refine. */
uint32_t summary_parts(const struct plan *p, uint32_t v);
/* Are its parts counted? */
bool summary_refined(
    const struct plan *p, const struct summary *s, uint32_t v, uint32_t bin);
/* Where x, within the range, lies. */
uint32_t summary_bin(const struct plan *p, uint32_t v, double x);
uint32_t summary_part(const struct plan *p, uint32_t v, uint32_t bin, double x);
/* The lowest value at a position; beyond the last one, the highest value (of
   whole numbers: 1 more). */
double summary_edge(const struct plan *p, uint32_t v, uint64_t position);

#endif

/*
 * Concordance from counts.  A pair of rows is comparable if one has an event
 * in an earlier interval of its stratum than the other leaves in, or in the
 * same interval and the other is censored there; it is concordant if the one
 * with the event has the higher linear predictor ("score").
 *
 * A stratum's intervals are halved again and again.  A pair is compared at the
 * node that separates its two intervals (or at their common leaf), from two
 * histograms of scores: of the events in the earlier half and of everybody in
 * the later one.  Small nodes hold few pairs and get few bins, so that all
 * histograms together are short and hardly any cell is fine in both time and
 * score.  Two scores in the same bin count as tied; how many pairs that may
 * have wronged is counted, and is the bound that the result states.
 *
 * Delayed entry: who leaves later but enters after the event was not there to be
 * compared.  A row enters the interval with the first event that it is there at; a
 * third histogram at each node, of who enters in the later half, is taken off the
 * second one.  The counts of pairs are differences, in which no rounding is.
 *
 * Logistic: one interval; an event is "outcome present"; the concordance is
 * the area under the ROC curve.
 */
#ifndef MODEL_STEP_PAIRS_H
#define MODEL_STEP_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grid;

struct pair_node {
	/* Intervals from..middle-1 and middle..to-1; a leaf has to = from+1. */
	uint32_t from, middle, to;
	uint32_t bins; /* a power of two; 0: no comparable pair */
	size_t at; /* cell of its first histogram; the others follow */
	double pairs; /* comparable ones */
	double taken_off; /* delayed entry: pairs that are not */
};

struct pair_tree {
	struct pair_node *nodes; /* each before its two halves, left first */
	size_t n, cap;
	size_t n_cells;
	uint32_t bins; /* the most of any node: what scores are rounded to */
	bool delayed; /* nodes that are no leaves have a third histogram */
};

/* With at most max_bins bins per node.  -1: no memory. */
int pairs_plan(struct pair_tree *tree, const struct grid *grid, bool delayed,
    uint32_t max_bins);
void pairs_free(struct pair_tree *tree);

static inline bool
pairs_leaf(const struct pair_node *v)
{
	return v->to == v->from + 1;
}

/* Of events, of all others, of who enters. */
static inline size_t
pairs_histograms(const struct pair_tree *t, const struct pair_node *v)
{
	return t->delayed && !pairs_leaf(v) ? 3 : 2;
}

#define PAIRS_PLACES 16384 /* within a bin */

/*
 * Which of the bins of the first evaluation round a score falls into, and
 * where in it (0 to PAIRS_PLACES - 1).  Bins have equal shares of Student's t
 * with 2 degrees of freedom, the one whose quantiles need but a square root;
 * sd is the standard deviation of all scores.
 */
uint32_t pairs_bin(double score, double sd, uint32_t bins, uint32_t *place);

/*
 * The second round's bins (n of them) have equal shares of the rows: to_bin[i]
 * is the one that first-round bin i, of counts[i] rows, is part of.
 */
void pairs_equalise(
    const uint64_t *counts, uint32_t bins, uint32_t n, uint32_t *to_bin);

/* First-round bins with this many rows are asked whether all are tied. */
uint64_t pairs_heavy(uint64_t n_rows, uint32_t bins, uint32_t smallest);

struct pair_counts {
	double concordant, discordant, tied;
	double tied_by_bins; /* of the tied: perhaps not really */
};

/*
 * From the sums.  cells (tree->n_cells); filled[b], mixed[b] for each of the
 * tree's bins: how many first-round bins with rows it has, and how many of
 * these may hold different scores.  1: the sums contradict themselves; -1: no
 * memory.
 */
int pairs_count(const struct pair_tree *tree, const uint64_t *cells,
    const uint32_t *filled, const uint32_t *mixed, struct pair_counts *out);

#endif

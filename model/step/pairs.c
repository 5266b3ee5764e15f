#include "model/step/pairs.h"

#include <stdlib.h>

#include "common/macros.h"
#include "model/step/grid.h"
#include "model/step/number.h"

/*
 * The aim is half of what the result may state (1e-3), for scores spread over
 * the bins at random: 1.1 is a margin for shares that are not quite equal.
 */
#define AIM 0.7e-3
#define MARGIN 1.1
#define CELLS_MAX (1u << 19)

static struct pair_node *
add_node(struct pair_tree *t)
{
	struct pair_node *more;
	size_t cap;

	if (t->n == t->cap) {
		cap = t->cap == 0 ? 64 : 2 * t->cap;
		if ((more = realloc(t->nodes, cap * sizeof(*more))) == NULL)
			return NULL;
		t->nodes = more;
		t->cap = cap;
	}
	t->nodes[t->n] = (struct pair_node){ 0 };
	return &t->nodes[t->n++];
}

/* Who enters interval i, which is not its stratum's first. */
static uint64_t
entering(const struct grid *g, uint32_t i)
{
	const struct grid_interval *v = &g->intervals[i];

	return v->at_risk + v[-1].leavers - v[-1].at_risk;
}

/* Events in the earlier half with who enters in the later one. */
static double
not_yet_there(const struct grid *g, const struct pair_node *v)
{
	uint64_t events = 0, others = 0;

	for (uint32_t i = v->from; i < v->middle; i++)
		events += g->intervals[i].events;
	for (uint32_t i = v->middle; i < v->to && !pairs_leaf(v); i++)
		others += entering(g, i);
	return (double)events * (double)others;
}

static double
comparable(const struct grid *g, const struct pair_node *v)
{
	const struct grid_interval *leaf = &g->intervals[v->from];
	uint64_t events = 0, others = 0;

	if (pairs_leaf(v))
		return (double)leaf->events *
		    (double)(leaf->leavers - leaf->events);
	for (uint32_t i = v->from; i < v->middle; i++)
		events += g->intervals[i].events;
	for (uint32_t i = v->middle; i < v->to; i++)
		others += g->intervals[i].leavers;
	return (double)events * (double)others;
}

/* As deep as the logarithm of the number of intervals. */
static int
add_range(struct pair_tree *t, const struct grid *g, uint32_t from, uint32_t to)
{
	uint32_t middle = from + (to - from) / 2;
	struct pair_node *v = add_node(t);

	if (v == NULL)
		return -1;
	*v = (struct pair_node){ .from = from, .middle = middle, .to = to };
	v->pairs = comparable(g, v);
	if (t->delayed)
		v->taken_off = not_yet_there(g, v);
	if (pairs_leaf(v))
		return 0;
	return add_range(t, g, from, middle) == -1 ||
		add_range(t, g, middle, to) == -1
	    ? -1
	    : 0;
}

static uint32_t
power_of_two(double at_least, uint32_t at_most)
{
	uint32_t b = 2;

	while ((double)b < at_least && 2 * b <= at_most)
		b *= 2;
	return b;
}

/*
 * The error is the sum of pairs / bins; for a given number of cells it is
 * least when bins grow as the square root of pairs.  Returns the share of
 * pairs that is expected to be tied, halved.
 */
static double
give_bins(struct pair_tree *t, double factor, uint32_t max_bins)
{
	double tied = 0.0, all = 0.0;

	t->n_cells = 0;
	t->bins = 0;
	for (size_t i = 0; i < t->n; i++) {
		struct pair_node *v = &t->nodes[i];

		v->bins = 0;
		v->at = t->n_cells;
		if (v->pairs == 0.0)
			continue;
		v->bins = power_of_two(
		    factor * num_sqrt(v->pairs + v->taken_off), max_bins);
		t->bins = MAX(t->bins, v->bins);
		t->n_cells += pairs_histograms(t, v) * (size_t)v->bins;
		tied += MARGIN * (v->pairs + v->taken_off) / (double)v->bins;
		all += v->pairs - v->taken_off;
	}
	return all > 0.0 ? 0.5 * tied / all : 0.0;
}

int
pairs_plan(
    struct pair_tree *t, const struct grid *g, bool delayed, uint32_t max_bins)
{
	uint32_t from = 0, to;
	double factor = 0x1p-20;

	*t = (struct pair_tree){ .delayed = delayed };
	for (; from < g->n; from = to) {
		for (to = from; to < g->n &&
		     g->intervals[to].stratum == g->intervals[from].stratum;)
			to++;
		if (add_range(t, g, from, to) == -1)
			return -1;
	}
	while (give_bins(t, factor, max_bins) > AIM && t->n_cells < CELLS_MAX &&
	    factor < 0x1p40)
		factor *= 1.25;
	return 0;
}

void
pairs_free(struct pair_tree *t)
{
	free(t->nodes);
	*t = (struct pair_tree){ 0 };
}

uint32_t
pairs_bin(double score, double sd, uint32_t bins, uint32_t *place)
{
	double x, at;
	uint32_t bin;

	*place = 0;
	if (!(sd > 0.0))
		return bins / 2;
	x = score / sd;
	at = 0.5 * (1.0 + x / num_sqrt(2.0 + x * x)) * (double)bins;
	at = MAX(at, 0.0);
	bin = MIN((uint32_t)at, bins - 1);
	at = (at - (double)bin) * PAIRS_PLACES;
	*place = MIN((uint32_t)at, (uint32_t)PAIRS_PLACES - 1);
	return bin;
}

void
pairs_equalise(
    const uint64_t *counts, uint32_t bins, uint32_t n, uint32_t *to_bin)
{
	uint64_t total = 0, before = 0;

	for (uint32_t i = 0; i < bins; i++)
		total += counts[i];
	for (uint32_t i = 0; i < bins; i++) {
		/* Where the middle row of the bin stands; total < 2^35. */
		uint64_t at = n * (2 * before + counts[i]);

		to_bin[i] =
		    total == 0 ? 0 : (uint32_t)MIN(at / (2 * total), n - 1);
		before += counts[i];
	}
}

uint64_t
pairs_heavy(uint64_t n_rows, uint32_t bins, uint32_t smallest)
{
	uint64_t usual = n_rows / bins;

	return MAX(MAX(4 * usual, (uint64_t)smallest), (uint64_t)2);
}

/* Running totals, so that a node's wide bin is one difference. */
static uint64_t *
running(const uint32_t *v, uint32_t n)
{
	uint64_t *r = calloc((size_t)n + 1, sizeof(*r));

	for (uint32_t i = 0; r != NULL && i < n; i++)
		r[i + 1] = r[i] + v[i];
	return r;
}

struct wide_counts {
	wide concordant, discordant, tied, doubtful;
};

/* Events with the others of histogram h: 2 is taken off. */
static void
compare(const struct pair_node *v, const uint64_t *event, size_t h,
    uint32_t width, const uint64_t *fill, const uint64_t *mix,
    struct wide_counts *sum)
{
	const uint64_t *other = event + h * v->bins;
	uint64_t below = 0, all = 0;
	wide sign = h == 2 ? -(wide)1 : 1; /* (modulo 2^128) */

	for (uint32_t b = 0; b < v->bins; b++)
		all += other[b];
	for (uint32_t b = 0; b < v->bins; b++) {
		wide e = event[b];
		uint32_t lo = b * width, hi = lo + width;
		bool one_score =
		    fill[hi] - fill[lo] == 1 && mix[hi] - mix[lo] == 0;

		sum->concordant += sign * e * below;
		sum->tied += sign * e * other[b];
		if (!one_score)
			sum->doubtful += e * other[b];
		below += other[b];
		sum->discordant += sign * e * (all - below);
	}
}

int
pairs_count(const struct pair_tree *t, const uint64_t *cells,
    const uint32_t *filled, const uint32_t *mixed, struct pair_counts *out)
{
	uint64_t *fill = running(filled, t->bins);
	uint64_t *mix = running(mixed, t->bins);
	struct wide_counts sum = { 0 };
	int ret = -1;

	if (fill == NULL || mix == NULL)
		goto out;
	for (size_t k = 0; k < t->n; k++) {
		const struct pair_node *v = &t->nodes[k];
		uint32_t width = v->bins > 0 ? t->bins / v->bins : 0;

		for (size_t h = 1; h < pairs_histograms(t, v); h++)
			compare(v, cells + v->at, h, width, fill, mix, &sum);
	}
	out->concordant = num_wide(sum.concordant, 0);
	out->discordant = num_wide(sum.discordant, 0);
	out->tied = num_wide(sum.tied, 0);
	out->tied_by_bins = num_wide(sum.doubtful, 0);
	ret = out->concordant < 0.0 || out->discordant < 0.0 || out->tied < 0.0;
out:
	free(fill);
	free(mix);
	return ret;
}

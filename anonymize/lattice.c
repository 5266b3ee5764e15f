#include "config.h"

#include "anonymize/lattice.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/hierarchy.h"
#include "anonymize/models.h"
#include "anonymize/rollup.h"
#include "common/err.h"
#include "common/macros.h"

#define SLACK 1e-12 /* a bound is a rounded number */

/* What is fixed for an attribute. */
struct dimension {
	const struct hierarchy *h;
	unsigned shift;
	uint64_t mask; /* of its group in a key, at shift 0 */
	double exponent; /* weight by the sum of weights */
	/* By level, over all rows: the sum of leaves under their groups, bits
	   lost, and the factor that it makes of the Loss. */
	uint64_t sum[HIERARCHY_LEVELS_MAX];
	double bits[HIERARCHY_LEVELS_MAX], factor[HIERARCHY_LEVELS_MAX];
	uint32_t *rows[HIERARCHY_LEVELS_MAX]; /* by group */
	uint32_t *lost[HIERARCHY_LEVELS_MAX]; /* by group: leaves outside */
};

/* A node that was measured, for the bounds of those below it. */
struct witness {
	struct rollup_node node;
	size_t suppressed; /* rows that any node below suppresses, too */
	/* (m) what that adds to the sums of leaves, unless they are too many */
	uint64_t extra[LATTICE_ATTRIBUTES_MAX];
};

struct lattice {
	const struct lattice_input *in;
	size_t m, most;
	struct dimension *d; /* (m) */
	struct rollup *rollup;
	uint32_t *failed; /* (n_rows) scratch: classes */
	struct witness *witnesses;
	size_t n_witnesses, witnesses_cap;
};

static int
no_memory(struct err *err)
{
	return err_sys(err, "memory for the lattice");
}

/*
 * Measures.
 */

/* leaves: under the groups of all rows together, N / size being one each. */
static double
loss_of(const struct lattice *l, size_t a, uint64_t leaves)
{
	double n = (double)l->in->n_rows;
	double size = (double)l->d[a].h->n_leaves;

	return size > 1 ? ((double)leaves - n) / (n * (size - 1)) : 0;
}

/* What is true of a node whatever is suppressed. */
static double
bound(const struct lattice *l, const struct rollup_node *node)
{
	double product = 1;

	for (size_t a = 0; a < l->m; a++)
		product *= l->d[a].factor[rollup_level(node, a)];
	return product - 1;
}

static double
loss_with(const struct lattice *l, const struct rollup_node *node,
    const uint64_t *extra)
{
	double product = 1;

	for (size_t a = 0; a < l->m; a++) {
		const struct dimension *d = &l->d[a];
		size_t level = rollup_level(node, a);

		product *= extra[a] == 0
		    ? d->factor[level]
		    : pow(loss_of(l, a, d->sum[level] + extra[a]) + 1,
			  d->exponent);
	}
	return product - 1;
}

/* What is asked of a class: to hold the models, or to be able to once it is
   one with others. */
typedef bool holds_fn(
    const struct models *m, size_t size, const uint32_t *counts);

/* List the classes that do not hold into l->failed; *rows are in them. */
static size_t
list_failed(const struct lattice *l, const struct rollup_classes *t,
    holds_fn *holds, size_t *rows)
{
	const struct models *m = l->in->models;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		bool failed = t->size[i] < m->k;

		if (!failed && m->n > 0)
			failed =
			    !holds(m, t->size[i], t->counts + i * m->n_counts);
		l->failed[n] = (uint32_t)i;
		n += failed;
	}
	*rows = 0;
	for (size_t i = 0; i < n; i++)
		*rows += t->size[l->failed[i]];
	return n;
}

/* What the n failed classes add to the sums of leaves. */
static void
suppress(const struct lattice *l, const struct rollup_classes *t, size_t n,
    uint64_t *extra)
{
	for (size_t a = 0; a < l->m; a++) {
		const struct dimension *d = &l->d[a];
		const uint32_t *lost = d->lost[rollup_level(&t->node, a)];

		extra[a] = 0;
		for (size_t f = 0; f < n; f++) {
			size_t i = l->failed[f];

			extra[a] += (uint64_t)t->size[i] *
			    lost[t->key[i] >> d->shift & d->mask];
		}
	}
}

static bool
fits(const struct lattice *l, size_t classes, size_t suppressed)
{
	return suppressed <= l->most && suppressed < l->in->n_rows &&
	    models_hold_table(
		l->in->models, classes, l->in->n_rows - suppressed);
}

/* Bits of all cells: of their recoding, and where they are suppressed. */
static double
bits_lost(
    const struct lattice *l, const struct rollup_classes *t, size_t n_failed)
{
	double bits = 0, n = (double)l->in->n_rows;

	for (size_t a = 0; a < l->m; a++) {
		const struct dimension *d = &l->d[a];
		size_t level = rollup_level(&t->node, a);

		bits += d->bits[level];
		for (size_t f = 0; f < n_failed; f++) {
			size_t i = l->failed[f];
			size_t g = t->key[i] >> d->shift & d->mask;

			bits += t->size[i] * log2(n / d->rows[level][g]);
		}
	}
	return bits;
}

/* Sizes of the classes that are kept, and what they and the others cost. */
static void
measure_sizes(const struct lattice *l, const struct rollup_classes *t,
    size_t n_failed, struct lattice_node *node)
{
	double n = (double)l->in->n_rows;

	node->classes = t->n - n_failed;
	node->discernibility = (double)node->suppressed * n;
	for (size_t i = 0, f = 0; i < t->n; i++) {
		size_t size = t->size[i];

		if (f < n_failed && l->failed[f] == i) {
			f++;
			continue;
		}
		node->smallest =
		    node->smallest == 0 ? size : MIN(node->smallest, size);
		node->largest = MAX(node->largest, size);
		node->discernibility += (double)size * (double)size;
	}
	node->average_size = node->classes > 0
	    ? (n - (double)node->suppressed) / (double)node->classes
	    : 0;
}

/* 1 if it fits, 0 if not, or -1. */
static int
measure(struct lattice *l, const struct rollup_node *at,
    struct lattice_node *node, struct err *err)
{
	const struct rollup_classes *t = rollup_at(l->rollup, at);
	double n = (double)l->in->n_rows, cells = 0;
	uint64_t extra[LATTICE_ATTRIBUTES_MAX];
	size_t n_failed;

	if (t == NULL)
		return no_memory(err);
	*node = (struct lattice_node){ .most_suppressed = l->most };
	n_failed = list_failed(l, t, models_hold, &node->suppressed);
	suppress(l, t, n_failed, extra);
	for (size_t a = 0; a < l->m; a++) {
		const struct dimension *d = &l->d[a];
		size_t level = rollup_level(at, a);

		node->level[a] = (uint8_t)level;
		cells +=
		    (double)(d->sum[level] + extra[a]) / (double)d->h->n_leaves;
	}
	node->loss = loss_with(l, at, extra);
	node->granularity = cells / (n * (double)MAX(l->m, 1));
	node->entropy = bits_lost(l, t, n_failed);
	measure_sizes(l, t, n_failed, node);
	return fits(l, node->classes, node->suppressed);
}

/*
 * Search.
 *
 * Nodes are taken in an order that is all over the lattice.  One that may still
 * be better than the best is not looked at itself if that can be helped: a node
 * above it suppresses some of the same rows, and where those are already too
 * many, or lose too much, it rules out all that are below it at once.  On a way
 * from the node up, the first ones may rule it out, and those after do not: the
 * last that does is found by halving.
 */

#define WAY_MAX (LATTICE_ATTRIBUTES_MAX * HIERARCHY_LEVELS_MAX)

struct search {
	double loss; /* the smallest so far */
	struct rollup_node best;
};

/* Is the node below w no better than the best, whatever else it suppresses? */
static bool
rules_out(const struct lattice *l, const struct witness *w,
    const struct rollup_node *node, double best)
{
	return w->suppressed > l->most ||
	    loss_with(l, node, w->extra) > best + SLACK;
}

/* Can this node still be better than best, as far as is known? */
static bool
open(const struct lattice *l, const struct rollup_node *node, double best)
{
	const struct witness *most = NULL;

	if (bound(l, node) > best)
		return false;
	for (size_t i = 0; i < l->n_witnesses; i++) {
		const struct witness *w = &l->witnesses[i];

		if ((most != NULL && w->suppressed <= most->suppressed) ||
		    !rollup_below(node, &w->node))
			continue;
		if (w->suppressed > l->most)
			return false;
		most = w;
	}
	return most == NULL || !rules_out(l, most, node, best);
}

/* Room for one more. */
static struct witness *
new_witness(struct lattice *l)
{
	if (l->n_witnesses == l->witnesses_cap) {
		size_t cap = MAX(64, 2 * l->witnesses_cap);
		void *p = realloc(l->witnesses, cap * sizeof(*l->witnesses));

		if (p == NULL)
			return NULL;
		l->witnesses = p;
		l->witnesses_cap = cap;
	}
	return &l->witnesses[l->n_witnesses++];
}

/* Look at one node, unless that was done; NULL without memory. */
static const struct witness *
look(struct lattice *l, struct search *s, const struct rollup_node *node)
{
	const struct rollup_classes *t;
	struct witness *w;
	size_t n_failed, suppressed;
	double loss;

	for (size_t i = 0; i < l->n_witnesses; i++)
		if (l->witnesses[i].node.number == node->number)
			return &l->witnesses[i];
	if ((t = rollup_at(l->rollup, node)) == NULL ||
	    (w = new_witness(l)) == NULL)
		return NULL;
	*w = (struct witness){ .node = *node };
	/* A node that suppresses too much needs no more than that. */
	n_failed = list_failed(l, t, models_hold_for_good, &w->suppressed);
	if (w->suppressed <= l->most)
		suppress(l, t, n_failed, w->extra);
	suppressed = w->suppressed;
	loss = loss_with(l, node, w->extra);
	if (l->in->models->n > 0 && suppressed <= l->most) {
		uint64_t extra[LATTICE_ATTRIBUTES_MAX];

		n_failed = list_failed(l, t, models_hold, &suppressed);
		if (suppressed <= l->most) {
			suppress(l, t, n_failed, extra);
			loss = loss_with(l, node, extra);
		}
	}
	if (fits(l, t->n - n_failed, suppressed) &&
	    (loss < s->loss ||
		(loss == s->loss && node->number < s->best.number))) {
		s->loss = loss;
		s->best = *node;
	}
	return w;
}

/* Up from way[0], first where least is lost by it: rows that are suppressed
   anyway are to stay so for long.  How many nodes. */
static size_t
make_way(const struct lattice *l, struct rollup_node *way)
{
	for (size_t n = 1;; n++) {
		double least = INFINITY;

		for (size_t a = 0; a < l->m; a++) {
			size_t level = rollup_level(&way[n - 1], a);
			const uint64_t *sum = &l->d[a].sum[level];
			double lost;

			if (level == l->in->attributes[a].top)
				continue;
			lost = (double)(sum[1] - sum[0]) /
			    (double)l->d[a].h->n_leaves *
			    log((double)sum[1] / (double)sum[0]);
			if (lost < least) {
				least = lost;
				way[n] = rollup_with(
				    l->rollup, &way[n - 1], a, level + 1);
			}
		}
		if (least == INFINITY)
			return n;
	}
}

/* Look for the highest node above this one that rules it out. */
static int
climb(struct lattice *l, struct search *s, const struct rollup_node *node)
{
	struct rollup_node way[WAY_MAX] = { *node };
	size_t lo = 0, hi = make_way(l, way);
	const struct witness *w;

	while (hi - lo > 1) {
		size_t mid = hi - (hi - lo + 2) / 3;

		if ((w = look(l, s, &way[mid])) == NULL)
			return -1;
		if (rules_out(l, w, node, s->loss))
			lo = mid;
		else
			hi = mid;
	}
	return lo == 0 && look(l, s, node) == NULL ? -1 : 0;
}

/* The node with this number among those that may be chosen. */
static struct rollup_node
choose(const struct lattice *l, size_t i)
{
	struct rollup_node node = { 0 };

	for (size_t a = l->m; a-- > 0;) {
		size_t n = l->in->attributes[a].top + 1;

		node = rollup_with(l->rollup, &node, a, i % n);
		i /= n;
	}
	return node;
}

static int
search(struct lattice *l, struct search *s, struct err *err)
{
	const size_t step = 7368787; /* prime: every node comes once */
	size_t n = 1;

	for (size_t a = 0; a < l->m; a++)
		n *= l->in->attributes[a].top + 1;
	for (size_t i = 0; i < n; i++) {
		struct rollup_node node = choose(l, i * step % n);

		if (open(l, &node, s->loss) && climb(l, s, &node) == -1)
			return no_memory(err);
	}
	return 0;
}

/* Rows that fail at the highest node that may be chosen, but for one attribute
   (or m: none) that goes to the top of its hierarchy; -1 without memory. */
static int
fail_at_top(struct lattice *l, size_t but, size_t *rows)
{
	const struct rollup_classes *t;
	struct rollup_node p = { 0 };

	for (size_t a = 0; a < l->m; a++)
		p = rollup_with(l->rollup, &p, a,
		    a == but ? l->d[a].h->n_levels - 1
			     : l->in->attributes[a].top);
	if ((t = rollup_at(l->rollup, &p)) == NULL)
		return -1;
	list_failed(l, t, models_hold, rows);
	return 0;
}

/* What stands in the way, and what would help. */
static int
refuse(struct lattice *l, struct err *err)
{
	size_t now, best = l->m, least = SIZE_MAX;

	if (l->in->n_rows < l->in->models->k)
		return err_set(err, ERR_REFUSED,
		    "%zu rows cannot be made classes of %zu", l->in->n_rows,
		    l->in->models->k);
	if (fail_at_top(l, l->m, &now) == -1)
		return no_memory(err);
	for (size_t a = 0; a < l->m; a++) {
		size_t rows;

		if (l->in->attributes[a].top + 1 == l->d[a].h->n_levels)
			continue;
		if (fail_at_top(l, a, &rows) == -1)
			return no_memory(err);
		if (rows < least) {
			least = rows;
			best = a;
		}
	}
	if (best == l->m)
		return err_set(err, ERR_REFUSED,
		    "no recoding satisfies the privacy models, not even one "
		    "class of all %zu rows: a sensitive column has too few "
		    "values, or one of them nearly everywhere",
		    l->in->n_rows);
	return err_set(err, ERR_REFUSED,
	    "no recoding satisfies the privacy models: at the highest levels "
	    "%zu of %zu rows fail, %zu may; without \"%s\", which may not go "
	    "above level %zu, it would be %zu: a higher level in its hierarchy "
	    "would help most, or a smaller k",
	    now, l->in->n_rows, l->most, l->in->attributes[best].name,
	    l->in->attributes[best].top, least);
}

int
lattice_search(struct lattice *l, struct lattice_node *best, struct err *err)
{
	struct search s = { .loss = INFINITY };

	if (search(l, &s, err) == -1)
		return -1;
	if (s.loss == INFINITY)
		return refuse(l, err);
	return measure(l, &s.best, best, err) == -1 ? -1 : 0;
}

static struct rollup_node
node_of(const struct lattice *l, const uint8_t *level)
{
	struct rollup_node node = { 0 };

	for (size_t a = 0; a < l->m; a++)
		node = rollup_with(l->rollup, &node, a, level[a]);
	return node;
}

int
lattice_measure(struct lattice *l, const uint8_t *level,
    struct lattice_node *node, struct err *err)
{
	struct rollup_node p = node_of(l, level);

	return measure(l, &p, node, err);
}

int
lattice_count(struct lattice *l, const uint8_t *level, size_t *suppressed,
    struct err *err)
{
	struct rollup_node p = node_of(l, level);
	const struct rollup_classes *t = rollup_at(l->rollup, &p);
	size_t n_failed;

	if (t == NULL)
		return no_memory(err);
	n_failed = list_failed(l, t, models_hold, suppressed);
	return fits(l, t->n - n_failed, *suppressed);
}

/*
 * Beginning and end.
 */

/* Sums over all rows, level by level. */
static int
measure_levels(struct lattice *l, size_t a)
{
	const uint32_t *leaf = l->in->attributes[a].leaf;
	struct dimension *d = &l->d[a];
	uint32_t n_leaves = (uint32_t)d->h->n_leaves;

	for (size_t i = 0; i < d->h->n_levels; i++) {
		const struct hierarchy_level *level = &d->h->level[i];

		d->rows[i] = calloc(level->labels.n + 1, sizeof(uint32_t));
		d->lost[i] = calloc(level->labels.n + 1, sizeof(uint32_t));
		if (d->rows[i] == NULL || d->lost[i] == NULL)
			return -1;
		for (size_t g = 0; g < level->labels.n; g++)
			d->lost[i][g] = n_leaves - level->leaves[g];
	}
	for (size_t r = 0; r < l->in->n_rows; r++)
		d->rows[0][leaf[r]]++;
	for (size_t i = 0; i < d->h->n_levels; i++) {
		const struct hierarchy_level *level = &d->h->level[i];

		for (size_t v = 0; i > 0 && v < d->h->n_leaves; v++)
			d->rows[i][level->group_of[v]] += d->rows[0][v];
		for (size_t g = 0; g < level->labels.n; g++) {
			double rows = d->rows[i][g];

			d->sum[i] += (uint64_t)d->rows[i][g] * level->leaves[g];
			d->bits[i] += rows > 0 ? rows * log2(rows) : 0;
		}
		d->factor[i] = pow(loss_of(l, a, d->sum[i]) + 1, d->exponent);
	}
	for (size_t i = d->h->n_levels; i-- > 0;)
		d->bits[i] -= d->bits[0];
	return 0;
}

static int
measure_attributes(struct lattice *l)
{
	double weights = 0;

	for (size_t a = 0; a < l->m; a++)
		weights += l->in->attributes[a].weight;
	for (size_t a = 0; a < l->m; a++) {
		l->d[a].h = l->in->attributes[a].hierarchy;
		l->d[a].shift = rollup_shift(l->rollup, a);
		l->d[a].mask = rollup_mask(l->rollup, a);
		l->d[a].exponent = l->in->attributes[a].weight / weights;
		if (measure_levels(l, a) == -1)
			return -1;
	}
	return 0;
}

struct lattice *
lattice_new(const struct lattice_input *in, struct err *err)
{
	struct lattice *l = calloc(1, sizeof(*l));

	if (l == NULL || in->n_rows > UINT32_MAX / 2) {
		no_memory(err);
		goto fail;
	}
	l->in = in;
	l->m = in->n_attributes;
	l->most = (size_t)floor(in->suppression_limit * (double)in->n_rows);
	if (l->m > LATTICE_ATTRIBUTES_MAX) {
		err_set(err, ERR_CONFIG, "more than %d attributes",
		    LATTICE_ATTRIBUTES_MAX);
		goto fail;
	}
	if ((l->rollup = rollup_new(in, err)) == NULL)
		goto fail;
	l->d = calloc(l->m + 1, sizeof(*l->d));
	l->failed = malloc((in->n_rows + 1) * sizeof(*l->failed));
	if (l->d == NULL || l->failed == NULL || measure_attributes(l) == -1) {
		no_memory(err);
		goto fail;
	}
	return l;
fail:
	lattice_free(l);
	return NULL;
}

void
lattice_free(struct lattice *l)
{
	if (l == NULL)
		return;
	for (size_t a = 0; l->d != NULL && a < l->m; a++)
		for (size_t i = 0; i < HIERARCHY_LEVELS_MAX; i++) {
			free(l->d[a].rows[i]);
			free(l->d[a].lost[i]);
		}
	free(l->witnesses);
	free(l->d);
	free(l->failed);
	rollup_free(l->rollup);
	free(l);
}

size_t
lattice_size(const struct lattice *l)
{
	return rollup_size(l->rollup);
}

size_t
lattice_visited(const struct lattice *l)
{
	return l->n_witnesses;
}

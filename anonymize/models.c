#include "anonymize/models.h"

#include <math.h>
#include <stdlib.h>

#include "anonymize/hierarchy.h"
#include "common/err.h"
#include "common/macros.h"

/* Shares are sums of quotients: a bound that is met exactly is met. */
#define SLACK 1e-12

int
models_count(struct models *m, size_t n_rows, struct err *err)
{
	m->n_counts = 0;
	for (size_t i = 0; i < m->n_columns; i++) {
		struct model_column *c = &m->columns[i];

		c->at = m->n_counts;
		m->n_counts += c->n_values;
		c->share = calloc(c->n_values + 1, sizeof(*c->share));
		if (c->share == NULL)
			return err_sys(err, "memory for sensitive values");
		for (size_t r = 0; r < n_rows; r++)
			c->share[c->code[r]] += 1;
		for (size_t v = 0; v < c->n_values; v++)
			c->share[v] /= (double)MAX(n_rows, 1);
	}
	return 0;
}

void
models_free_shares(struct models *m)
{
	for (size_t i = 0; i < m->n_columns; i++) {
		free(m->columns[i].share);
		m->columns[i].share = NULL;
	}
}

static size_t
distinct(const uint32_t *counts, size_t n)
{
	size_t d = 0;

	for (size_t v = 0; v < n; v++)
		d += counts[v] > 0;
	return d;
}

static double
entropy(const uint32_t *counts, size_t n, double size)
{
	double e = 0;

	for (size_t v = 0; v < n; v++)
		if (counts[v] > 0)
			e -= counts[v] / size * log(counts[v] / size);
	return e;
}

/* The commonest, by all from the l-th commonest on: the l - 1 commonest are
   found one after another, and leave the tail. */
static double
recursive(const uint32_t *counts, size_t n, size_t l, double size)
{
	double head = 0, first = 0;
	uint32_t last = UINT32_MAX;

	for (size_t v = 0; v < n; v++)
		first = MAX(first, counts[v]);
	for (size_t left = l - 1; left > 0;) {
		uint32_t most = 0;
		size_t ties = 0;

		for (size_t v = 0; v < n; v++) {
			if (counts[v] >= last || counts[v] < most)
				continue;
			ties = counts[v] == most ? ties + 1 : 1;
			most = counts[v];
		}
		if (most == 0)
			return INFINITY; /* fewer than l values */
		ties = MIN(ties, left);
		head += (double)ties * most;
		left -= ties;
		last = most;
	}
	return size > head ? first / (size - head) : INFINITY;
}

static double
distance_equal(
    const uint32_t *counts, const double *share, size_t n, double size)
{
	double d = 0;

	for (size_t v = 0; v < n; v++)
		d += MAX(counts[v] / size - share[v], 0);
	return d;
}

static double
distance_ordered(
    const uint32_t *counts, const double *share, size_t n, double size)
{
	double d = 0, moved = 0;

	for (size_t v = 0; v < n; v++) {
		moved += counts[v] / size - share[v];
		d += fabs(moved);
	}
	return n > 1 ? d / (double)(n - 1) : 0;
}

/* What a group's members have too much, less what they have too little, is
   moved inside of it; the rest goes up.  Li et al., equation in 5.3. */
static double
distance_tree(const struct hierarchy *h, const uint32_t *counts,
    const double *share, double size)
{
	size_t n = h->n_leaves;
	double *extra = calloc(3 * n + 3, sizeof(*extra)), d = 0;
	double *more = extra + n + 1, *less = more + n + 1;

	if (extra == NULL)
		return INFINITY; /* no memory: does not hold */
	for (size_t v = 0; v < n; v++)
		extra[v] = counts[v] / size - share[v];
	for (size_t i = 1; i < h->n_levels; i++) {
		const uint32_t *above = h->level[i - 1].above;

		for (size_t g = 0; g < h->level[i].labels.n; g++)
			more[g] = less[g] = 0;
		for (size_t g = 0; g < h->level[i - 1].labels.n; g++) {
			more[above[g]] += MAX(extra[g], 0);
			less[above[g]] += MAX(-extra[g], 0);
		}
		for (size_t g = 0; g < h->level[i].labels.n; g++) {
			d += (double)i / (double)(h->n_levels - 1) *
			    MIN(more[g], less[g]);
			extra[g] = more[g] - less[g];
		}
	}
	free(extra);
	return d;
}

double
models_value(const struct models *m, const struct model *o, size_t size,
    const uint32_t *all)
{
	const struct model_column *c = &m->columns[o->sensitive];
	const uint32_t *counts = all + c->at;
	double s = (double)size;
	size_t n = c->n_values;

	switch (o->kind) {
	case MODEL_DISTINCT:
		return (double)distinct(counts, n);
	case MODEL_ENTROPY:
		return exp(entropy(counts, n, s));
	case MODEL_RECURSIVE:
		return recursive(counts, n, o->l, s);
	case MODEL_EQUAL:
		return distance_equal(counts, c->share, n, s);
	case MODEL_ORDERED:
		return distance_ordered(counts, c->share, n, s);
	case MODEL_HIERARCHICAL:
		return distance_tree(o->hierarchy, counts, c->share, s);
	}
	return INFINITY;
}

bool
models_worse(const struct model *o, double value, double than)
{
	return o->kind == MODEL_DISTINCT || o->kind == MODEL_ENTROPY
	    ? value < than
	    : value > than;
}

bool
models_hold_one(const struct models *m, const struct model *o, size_t size,
    const uint32_t *counts)
{
	double value = models_value(m, o, size, counts);

	switch (o->kind) {
	case MODEL_DISTINCT:
		return value >= (double)o->l;
	case MODEL_ENTROPY:
		return value >= o->t * (1 - SLACK);
	case MODEL_RECURSIVE:
		return value < o->c;
	default:
		return value <= o->t + SLACK;
	}
}

bool
models_hold(const struct models *m, size_t size, const uint32_t *counts)
{
	if (size < m->k)
		return false;
	for (size_t i = 0; i < m->n; i++)
		if (!models_hold_one(m, &m->list[i], size, counts))
			return false;
	return true;
}

bool
models_hold_for_good(
    const struct models *m, size_t size, const uint32_t *counts)
{
	if (size < m->k)
		return false;
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].kind == MODEL_DISTINCT &&
		    !models_hold_one(m, &m->list[i], size, counts))
			return false;
	return true;
}

bool
models_hold_table(const struct models *m, size_t classes, size_t rows)
{
	return m->average_risk == 0 || rows == 0 ||
	    (double)classes <= m->average_risk * (double)rows * (1 + SLACK);
}

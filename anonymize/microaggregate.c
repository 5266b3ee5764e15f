#include "config.h"

#include "anonymize/microaggregate.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"

/*
 * One column.
 */

static int
by_value(const void *a, const void *b, void *arg)
{
	const double *values = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

	if (values[i] != values[j])
		return values[i] < values[j] ? -1 : 1;
	return (i > j) - (i < j);
}

/*
 * cost[j]: the least loss of the first j sorted values in groups; from[j]:
 * where the last one of them begins.  A group of 2 k or more could be cut.
 */
static void
find_cuts(const double *sorted, size_t n, size_t k, double *cost, size_t *from)
{
	cost[0] = 0;
	for (size_t j = 1; j <= n; j++) {
		double mean = 0, squares = 0;

		cost[j] = INFINITY;
		/* Welford's update, backwards from the last value. */
		for (size_t size = 1; size <= MIN(j, 2 * k - 1); size++) {
			double v = sorted[j - size], d = v - mean;

			mean += d / (double)size;
			squares += d * (v - mean);
			if (size >= k && cost[j - size] + squares < cost[j]) {
				cost[j] = cost[j - size] + squares;
				from[j] = j - size;
			}
		}
	}
}

static int
one_column(const double *values, size_t n, size_t k, uint32_t *group,
    size_t *n_groups, struct err *err)
{
	uint32_t *order = malloc((n + 1) * sizeof(*order));
	double *sorted = malloc((n + 1) * sizeof(*sorted));
	double *cost = malloc((n + 1) * sizeof(*cost));
	size_t *from = calloc(n + 1, sizeof(*from));
	int r = -1;

	if (order == NULL || sorted == NULL || cost == NULL || from == NULL) {
		err_sys(err, "memory for %zu rows", n);
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, n, sizeof(*order), by_value, (void *)(uintptr_t)values);
	for (size_t i = 0; i < n; i++)
		sorted[i] = values[order[i]];
	find_cuts(sorted, n, k, cost, from);
	*n_groups = 0;
	for (size_t end = n; end > 0; end = from[end], ++*n_groups)
		for (size_t i = from[end]; i < end; i++)
			group[order[i]] = (uint32_t)*n_groups;
	r = 0;
out:
	if (sorted != NULL)
		explicit_bzero(sorted, n * sizeof(*sorted));
	free(order);
	free(sorted);
	free(cost);
	free(from);
	return r;
}

/*
 * Several columns.
 */

struct mdav {
	const double *values; /* (n, d) */
	size_t d, k;
	uint32_t *open; /* (n_open) rows in no group, in their order */
	size_t n_open;
	double *distance; /* (n_open) */
	double *centre; /* (d) */
	uint32_t *near; /* (k) positions in open, a heap: the furthest first */
	uint32_t *group;
	size_t n_groups;
};

static double
distance(const struct mdav *m, const double *x, const double *y)
{
	double sum = 0;

	for (size_t i = 0; i < m->d; i++)
		sum += (x[i] - y[i]) * (x[i] - y[i]);
	return sum;
}

static const double *
row(const struct mdav *m, size_t position)
{
	return m->values + m->open[position] * m->d;
}

/* Distances of the open rows from a point; the position of the furthest. */
static size_t
measure(struct mdav *m, const double *from)
{
	size_t furthest = 0;

	for (size_t i = 0; i < m->n_open; i++) {
		m->distance[i] = distance(m, row(m, i), from);
		if (m->distance[i] > m->distance[furthest])
			furthest = i;
	}
	return furthest;
}

static size_t
furthest_from_centre(struct mdav *m)
{
	for (size_t c = 0; c < m->d; c++) {
		m->centre[c] = 0;
		for (size_t i = 0; i < m->n_open; i++)
			m->centre[c] += row(m, i)[c];
		m->centre[c] /= (double)m->n_open;
	}
	return measure(m, m->centre);
}

/* Is the row at position i further than that at j?  The later one, if both
   are as far. */
static bool
further(const struct mdav *m, uint32_t i, uint32_t j)
{
	return m->distance[i] != m->distance[j]
	    ? m->distance[i] > m->distance[j]
	    : i > j;
}

static void
sift(const struct mdav *m, size_t i, size_t n)
{
	for (;;) {
		size_t most = i, child = 2 * i + 1;
		uint32_t swap;

		for (size_t c = child; c < MIN(child + 2, n); c++)
			if (further(m, m->near[c], m->near[most]))
				most = c;
		if (most == i)
			return;
		swap = m->near[i];
		m->near[i] = m->near[most];
		m->near[most] = swap;
		i = most;
	}
}

/* The n open rows that are the nearest by distance become a group. */
static void
close_nearest(struct mdav *m, size_t n)
{
	size_t open = 0;

	for (size_t i = 0; i < m->n_open; i++) {
		if (i < n) {
			m->near[i] = (uint32_t)i;
			for (size_t j = n / 2; i + 1 == n && j-- > 0;)
				sift(m, j, n);
		} else if (further(m, m->near[0], (uint32_t)i)) {
			m->near[0] = (uint32_t)i;
			sift(m, 0, n);
		}
	}
	for (size_t i = 0; i < n; i++) {
		m->group[m->open[m->near[i]]] = (uint32_t)m->n_groups;
		m->distance[m->near[i]] = -1;
	}
	m->n_groups++;
	for (size_t i = 0; i < m->n_open; i++) {
		m->distance[open] = m->distance[i];
		if (m->distance[i] >= 0)
			m->open[open++] = m->open[i];
	}
	m->n_open = open;
}

static void
run_mdav(struct mdav *m)
{
	while (m->n_open >= 2 * m->k) {
		bool two = m->n_open >= 3 * m->k;
		const double *r = row(m, furthest_from_centre(m)), *s;

		s = row(m, measure(m, r));
		close_nearest(m, m->k);
		if (!two)
			break;
		/* s is no neighbour of r: it is the furthest of 3 k or more. */
		measure(m, s);
		close_nearest(m, m->k);
	}
	for (size_t i = 0; m->n_open > 0 && i < m->n_open; i++)
		m->group[m->open[i]] = (uint32_t)m->n_groups;
	m->n_groups += m->n_open > 0;
}

static int
several_columns(const double *values, size_t n, size_t d, size_t k,
    uint32_t *group, size_t *n_groups, struct err *err)
{
	struct mdav m = {
		.values = values,
		.d = d,
		.k = k,
		.open = malloc((n + 1) * sizeof(*m.open)),
		.n_open = n,
		.distance = malloc((n + 1) * sizeof(*m.distance)),
		.centre = malloc(d * sizeof(*m.centre)),
		.near = malloc(k * sizeof(*m.near)),
		.group = group,
	};
	int r = -1;

	if (n > MICROAGGREGATE_ROWS_MAX) {
		err_set(err, ERR_REFUSED,
		    "%zu rows are alike in all else, at most %d can be "
		    "aggregated in several columns: hold another column to k, "
		    "or cut one",
		    n, MICROAGGREGATE_ROWS_MAX);
		goto out;
	}
	if (m.open == NULL || m.distance == NULL || m.centre == NULL ||
	    m.near == NULL) {
		err_sys(err, "memory for %zu rows", n);
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		m.open[i] = (uint32_t)i;
	run_mdav(&m);
	*n_groups = m.n_groups;
	r = 0;
out:
	free(m.open);
	free(m.distance);
	free(m.centre);
	free(m.near);
	return r;
}

int
microaggregate(const double *values, size_t n, size_t d, size_t k,
    uint32_t *group, size_t *n_groups, struct err *err)
{
	return d == 1 ? one_column(values, n, k, group, n_groups, err)
		      : several_columns(values, n, d, k, group, n_groups, err);
}

#include "model/step/grid.h"

#include <stdlib.h>

struct rule {
	uint64_t step;
	bool efron;
};

static bool
large_enough(const struct rule *r, const struct grid_interval *v)
{
	uint64_t censored = v->leavers - v->events;

	if (v->events == 0 || v->leavers < r->step)
		return false;
	return !r->efron ||
	    (v->events >= r->step && (censored == 0 || censored >= r->step));
}

static void
merge(struct grid_interval *into, const struct grid_interval *earlier)
{
	into->start = earlier->start;
	into->leavers += earlier->leavers;
	into->events += earlier->events;
}

/*
 * One stratum, into out, latest interval first; returns how many, 0 if no
 * merging is enough.  *total is the stratum's rows, *n_events its events.
 */
static uint32_t
make_stratum(const struct rule *rule, const uint64_t *leavers,
    const uint64_t *events, uint32_t stratum, uint32_t n_times,
    struct grid_interval *out, uint64_t *total, uint64_t *n_events)
{
	struct grid_interval open = { .stratum = stratum };
	/* What is open, without those who leave before its first event. */
	struct grid_interval rest = { .stratum = stratum };
	uint32_t n = 0;

	*total = *n_events = 0;
	for (uint32_t t = n_times; t-- > 0;) {
		*total += leavers[t];
		*n_events += events[t];
		open.leavers += leavers[t];
		open.events += events[t];
		if (events[t] == 0)
			continue;
		open.start = t;
		rest = open;
		if (large_enough(rule, &open)) {
			out[n++] = open;
			open.leavers = open.events = 0;
			rest.events = 0;
		}
	}
	if (rest.events == 0)
		return n;
	/* Too small a rest at the beginning goes to its neighbours. */
	if (n == 0)
		return 0;
	merge(&out[n - 1], &rest);
	while (n > 1 && !large_enough(rule, &out[n - 1])) {
		merge(&out[n - 2], &out[n - 1]);
		n--;
	}
	return large_enough(rule, &out[n - 1]) ? n : 0;
}

static uint64_t
count_times_with_events(const uint64_t *events, size_t n)
{
	uint64_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += events[i] != 0;
	return k;
}

static void
reverse(struct grid_interval *v, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		struct grid_interval t = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = t;
	}
}

int
grid_make(struct grid *grid, const uint64_t *leavers, const uint64_t *events,
    uint32_t n_strata, uint32_t n_times, uint32_t step, bool efron)
{
	const struct rule rule = { .step = step, .efron = efron };
	uint64_t most =
	    count_times_with_events(events, (size_t)n_strata * n_times);

	grid->step = step;
	grid->intervals = calloc(most + 1, sizeof(*grid->intervals));
	if (grid->intervals == NULL)
		return -1;
	for (uint32_t s = 0; s < n_strata; s++) {
		const uint64_t *l = leavers + (size_t)s * n_times;
		const uint64_t *e = events + (size_t)s * n_times;
		struct grid_interval *out = grid->intervals + grid->n;
		uint64_t total, n_events;
		uint32_t n = make_stratum(
		    &rule, l, e, s, n_times, out, &total, &n_events);

		reverse(out, n);
		grid->n += n;
		for (uint32_t i = 0; i < n; i++)
			grid->n_used += out[i].leavers;
		if (n == 0 && n_events > 0) {
			grid->strata_out++;
			grid->n_out += total;
		}
	}
	return 0;
}

void
grid_free(struct grid *grid)
{
	free(grid->intervals);
	*grid = (struct grid){ 0 };
}

int64_t
grid_find(const struct grid *grid, uint32_t stratum, uint32_t time)
{
	uint32_t lo = 0, hi = grid->n; /* first interval that is later */

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct grid_interval *v = &grid->intervals[mid];

		if (v->stratum > stratum ||
		    (v->stratum == stratum && v->start > time))
			hi = mid;
		else
			lo = mid + 1;
	}
	if (lo == 0 || grid->intervals[lo - 1].stratum != stratum)
		return -1;
	return (int64_t)lo - 1;
}

uint32_t
grid_tied(const struct grid *grid)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < grid->n; i++)
		n += grid->intervals[i].events > 1;
	return n;
}

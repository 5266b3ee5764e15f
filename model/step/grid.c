#include "model/step/grid.h"

#include <stdlib.h>

struct rule {
	uint64_t step;
	bool efron, delayed;
};

/* Times that become one interval, from an event to before another one. */
struct part {
	struct grid_interval v;
	uint64_t out; /* of the leavers, those who do not come back */
	uint64_t in,
	    in_new; /* who enters; of these, who was not there before */
};

static bool
none_or_enough(const struct rule *r, uint64_t n)
{
	return n == 0 || n >= r->step;
}

static bool
entries_are_enough(const struct rule *r, const struct part *o)
{
	return none_or_enough(r, o->in_new) &&
	    none_or_enough(r, o->in - o->in_new);
}

/* Who enters a stratum's first interval is in no sum. */
static bool
large_enough(const struct rule *r, const struct part *o, bool first)
{
	const struct grid_interval *v = &o->v;

	if (v->events == 0 || v->leavers < r->step)
		return false;
	if (r->efron &&
	    (v->events < r->step || !none_or_enough(r, v->leavers - v->events)))
		return false;
	return !r->delayed ||
	    (v->at_risk >= r->step && none_or_enough(r, o->out) &&
		none_or_enough(r, v->leavers - o->out) &&
		(first || entries_are_enough(r, o)));
}

static void
merge(struct part *into, const struct part *earlier)
{
	into->v.start = earlier->v.start;
	into->v.leavers += earlier->v.leavers;
	into->v.events += earlier->v.events;
	into->v.at_risk += earlier->v.leavers;
	into->out += earlier->out;
	into->in += earlier->in;
	into->in_new += earlier->in_new;
}

/*
 * A part for each time with an event, the earliest first; out has room for one
 * more.  Returns how many.
 */
static uint32_t
make_parts(const struct rule *rule, const struct grid_counts *c,
    uint32_t stratum, struct part *out)
{
	size_t first = (size_t)stratum * c->n_times;
	uint64_t there = 0; /* who was there before, and has not left */
	uint32_t n = 0;

	out[0] = (struct part){ 0 };
	for (uint32_t t = 0; !rule->delayed && t < c->n_times; t++)
		there += c->leavers[first + t];
	for (uint32_t t = 0; t < c->n_times; t++) {
		uint64_t leavers = c->leavers[first + t];
		uint64_t events = c->events[first + t];
		uint64_t in = rule->delayed ? c->entries[first + t] : 0;
		uint64_t continued =
		    rule->delayed ? c->continued[first + t] : 0;

		if (events > 0) {
			out[n].v = (struct grid_interval){ .stratum = stratum,
				.start = t,
				.last = t,
				.at_risk = there };
			out[++n] = (struct part){ 0 };
		}
		if (n > 0) {
			out[n - 1].v.leavers += leavers;
			out[n - 1].v.events += events;
			out[n - 1].out += leavers - continued;
		}
		out[n].in += in; /* from the next event on */
		out[n].in_new += in - continued;
		there += in - leavers;
	}
	/* Too few after the last event to be told from its risk set? */
	if (n > 0 && !entries_are_enough(rule, &out[n])) {
		out[n - 1].v.last = GRID_NEVER;
		out[n - 1].v.at_risk += out[n].in;
		out[n - 1].in += out[n].in;
		out[n - 1].in_new += out[n].in_new;
	}
	return n;
}

/*
 * Merge n parts, from the last one backwards; what is left is the last of
 * them.  Returns how many are left, 0 if no merging is enough.
 */
static uint32_t
merge_parts(const struct rule *rule, struct part *parts, uint32_t n)
{
	struct part open;
	uint32_t at = n;
	bool is_open = false;

	for (uint32_t k = n; k-- > 0;) {
		if (is_open)
			merge(&open, &parts[k]);
		else
			open = parts[k];
		is_open = !large_enough(rule, &open, k == 0);
		if (!is_open)
			parts[--at] = open;
	}
	/* Too small a rest at the beginning goes to its neighbours. */
	if (at == n)
		return 0;
	if (is_open)
		merge(&parts[at], &open);
	for (; at + 1 < n && !large_enough(rule, &parts[at], true); at++)
		merge(&parts[at + 1], &parts[at]);
	return large_enough(rule, &parts[at], true) ? n - at : 0;
}

static size_t
count_times_with_events(const struct grid_counts *c)
{
	size_t k = 0;

	for (size_t i = 0; i < (size_t)c->n_strata * c->n_times; i++)
		k += c->events[i] != 0;
	return k;
}

static void
add_stratum(struct grid *grid, const struct grid_counts *c, uint32_t stratum,
    const struct part *parts, uint32_t n, bool has_events)
{
	size_t first = (size_t)stratum * c->n_times;

	for (uint32_t i = 0; i < n; i++) {
		grid->intervals[grid->n++] = parts[i].v;
		grid->n_used += parts[i].v.leavers;
	}
	if (n > 0 || !has_events)
		return;
	grid->strata_out++;
	for (uint32_t t = 0; t < c->n_times; t++)
		grid->n_out += c->leavers[first + t];
}

int
grid_make(
    struct grid *grid, const struct grid_counts *c, uint32_t step, bool efron)
{
	const struct rule rule = {
		.step = step, .efron = efron, .delayed = c->entries != NULL
	};
	size_t most = count_times_with_events(c);
	struct part *parts = calloc(most + 1, sizeof(*parts));

	grid->step = step;
	grid->intervals = calloc(most + 1, sizeof(*grid->intervals));
	if (parts == NULL || grid->intervals == NULL) {
		free(parts);
		return -1;
	}
	for (uint32_t s = 0; s < c->n_strata; s++) {
		uint32_t all = make_parts(&rule, c, s, parts);
		bool out = c->out != NULL && c->out[s];
		uint32_t n = out ? 0 : merge_parts(&rule, parts, all);

		add_stratum(grid, c, s, parts + (all - n), n, all > 0);
	}
	free(parts);
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

/* The first interval of a stratum, or of the next one that has any. */
static uint32_t
first_of(const struct grid *grid, uint32_t stratum)
{
	uint32_t lo = 0, hi = grid->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (grid->intervals[mid].stratum >= stratum)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

int64_t
grid_slot(const struct grid *grid, uint32_t stratum, uint32_t entry)
{
	uint32_t first = first_of(grid, stratum), lo = first;
	uint32_t end = first_of(grid, stratum + 1), hi = end;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (grid->intervals[mid].last > entry)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (lo == first)
		return -1;
	return lo == end ? first : lo;
}

bool
grid_is_first(const struct grid *grid, size_t i)
{
	return i == 0 ||
	    grid->intervals[i - 1].stratum != grid->intervals[i].stratum;
}

bool
grid_is_last(const struct grid *grid, size_t i)
{
	return i + 1 == grid->n ||
	    grid->intervals[i + 1].stratum != grid->intervals[i].stratum;
}

uint32_t
grid_tied(const struct grid *grid)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < grid->n; i++)
		n += grid->intervals[i].events > 1;
	return n;
}

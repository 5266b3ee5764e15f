#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "model/step/grid.h"

#define TIMES 400

struct counts {
	uint64_t leavers[TIMES], events[TIMES];
};

static void
random_counts(struct counts *c, unsigned percent_events)
{
	for (size_t t = 0; t < TIMES; t++) {
		c->leavers[t] = (uint64_t)(random() % 4);
		c->events[t] = 0;
		for (uint64_t k = 0; k < c->leavers[t]; k++)
			c->events[t] += random() % 100 < percent_events;
	}
}

static void
make_grid(struct grid *g, const uint64_t *leavers, const uint64_t *events,
    uint32_t n_strata, uint32_t n_times, uint32_t step, bool efron)
{
	const struct grid_counts c = { .n_strata = n_strata,
		.n_times = n_times,
		.leavers = leavers,
		.events = events };

	assert_int_equal(grid_make(g, &c, step, efron), 0);
}

static struct grid
make(const struct counts *c, uint32_t step, bool efron)
{
	struct grid g = { 0 };

	make_grid(&g, c->leavers, c->events, 1, TIMES, step, efron);
	return g;
}

/* Sums of an interval, counted anew from what the grid says. */
static void
count_interval(const struct grid *g, const struct counts *c, uint32_t i,
    uint64_t *leavers, uint64_t *events)
{
	*leavers = *events = 0;
	for (uint32_t t = 0; t < TIMES; t++) {
		if (grid_find(g, 0, t) == (int64_t)i) {
			*leavers += c->leavers[t];
			*events += c->events[t];
		}
	}
}

static void
no_sum_is_over_fewer_than_the_step(void **state)
{
	(void)state;
	srandom(3);
	for (int run = 0; run < 200; run++) {
		uint32_t step = 1 + (uint32_t)(run % 9);
		bool efron = run % 2 == 0;
		struct counts c;
		struct grid g;

		random_counts(&c, (unsigned)(random() % 100));
		g = make(&c, step, efron);
		for (uint32_t i = 0; i < g.n; i++) {
			uint64_t leavers, events, censored;

			count_interval(&g, &c, i, &leavers, &events);
			censored = leavers - events;
			assert_int_equal(leavers, g.intervals[i].leavers);
			assert_int_equal(events, g.intervals[i].events);
			assert_true(events > 0 && leavers >= step);
			assert_true(!efron || events >= step);
			assert_true(
			    !efron || censored == 0 || censored >= step);
			assert_true(c.events[g.intervals[i].start] > 0);
		}
		grid_free(&g);
	}
}

static void
step_1_has_one_risk_set_per_time_with_events(void **state)
{
	struct counts c;
	struct grid g;
	uint32_t i = 0;

	(void)state;
	random_counts(&c, 40);
	g = make(&c, 1, true);
	for (uint32_t t = 0; t < TIMES; t++) {
		if (c.events[t] == 0)
			continue;
		assert_int_equal(g.intervals[i].start, t);
		assert_int_equal(g.intervals[i].events, c.events[t]);
		i++;
	}
	assert_int_equal(i, g.n);
	grid_free(&g);
}

static void
every_event_is_in_an_interval(void **state)
{
	struct counts c;
	struct grid g;
	uint64_t events = 0, all = 0;

	(void)state;
	random_counts(&c, 30);
	g = make(&c, 7, true);
	assert_true(g.n > 10);
	for (uint32_t i = 0; i < g.n; i++)
		events += g.intervals[i].events;
	for (uint32_t t = 0; t < TIMES; t++)
		all += c.events[t];
	assert_int_equal(events, all);
	grid_free(&g);
}

static void
a_stratum_that_is_too_small_is_left_out(void **state)
{
	/* Strata of 4 rows with 2 events, of 3 rows without, and a fit one. */
	static const uint64_t leavers[] = { 2, 2, 2, 1, 9, 9 };
	static const uint64_t events[] = { 1, 1, 0, 0, 5, 5 };
	struct grid g = { 0 };

	(void)state;
	make_grid(&g, leavers, events, 3, 2, 5, false);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.strata_out, 1);
	assert_int_equal(g.n_out, 4);
	assert_int_equal(g.n_used, 18);
	assert_int_equal(grid_find(&g, 0, 1), -1);
	assert_int_equal(grid_find(&g, 1, 1), -1);
	assert_int_equal(grid_find(&g, 2, 0), 0);
	assert_int_equal(grid_find(&g, 2, 1), 1);
	grid_free(&g);
	/* Efron: 4 censored at each time would be less than 5. */
	make_grid(&g, leavers, events, 3, 2, 5, true);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.intervals[0].leavers, 18);
	grid_free(&g);
}

static void
who_leaves_before_the_first_event_is_in_no_risk_set(void **state)
{
	static const uint64_t leavers[] = { 3, 1, 2, 1 };
	static const uint64_t events[] = { 0, 1, 0, 1 };
	struct grid g = { 0 };

	(void)state;
	make_grid(&g, leavers, events, 1, 4, 1, true);
	assert_int_equal(grid_find(&g, 0, 0), -1);
	assert_int_equal(grid_find(&g, 0, 1), 0);
	assert_int_equal(grid_find(&g, 0, 2), 0);
	assert_int_equal(grid_find(&g, 0, 3), 1);
	assert_int_equal(g.n_used, 4);
	grid_free(&g);
}

/* Rows of their own (entry, time], some of which continue another one. */
#define ROWS 3000
struct episode {
	uint32_t entry, time;
	bool event, continues, continued;
};

static void
random_episodes(struct episode *e)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct episode *last = i > 0 ? &e[i - 1] : NULL;
		bool goes_on =
		    last != NULL && last->time < TIMES - 1 && random() % 3 == 0;

		e[i] = (struct episode){ .continues = goes_on,
			.entry = goes_on ? last->time
					 : (uint32_t)(random() % (TIMES - 1)) };
		e[i].time = e[i].entry + 1 +
		    (uint32_t)(random() % (TIMES - 1 - e[i].entry));
		e[i].event = random() % 5 == 0;
		if (goes_on)
			e[i - 1].continued = true;
	}
}

static struct grid
make_delayed(const struct episode *e, uint32_t step, bool efron)
{
	static uint64_t counts[4][TIMES];
	const struct grid_counts c = { .n_strata = 1,
		.n_times = TIMES,
		.leavers = counts[0],
		.events = counts[1],
		.entries = counts[2],
		.continued = counts[3] };
	struct grid g = { 0 };

	memset(counts, 0, sizeof(counts));
	for (size_t i = 0; i < ROWS; i++) {
		counts[0][e[i].time]++;
		counts[1][e[i].time] += e[i].event;
		counts[2][e[i].entry]++;
		counts[3][e[i].entry] += e[i].continues;
	}
	assert_int_equal(grid_make(&g, &c, step, efron), 0);
	return g;
}

static void
none_or(uint64_t n, uint32_t step)
{
	assert_true(n == 0 || n >= step);
}

/* What is summed at an interval: of all kinds of rows, none or enough. */
static void
check_interval(
    const struct grid *g, const struct episode *e, uint32_t i, uint32_t step)
{
	uint64_t out = 0, stay = 0, in = 0, again = 0, at_risk = 0;

	for (size_t k = 0; k < ROWS; k++) {
		int64_t l = grid_find(g, 0, e[k].time);
		int64_t slot = grid_slot(g, 0, e[k].entry);
		int64_t from = slot == -1 ? 0 : slot == 0 ? g->n : slot;

		out += l == i && !e[k].continued;
		stay += l == i && e[k].continued;
		in += slot == i && !e[k].continues;
		again += slot == i && e[k].continues;
		at_risk += l >= i && from <= i;
		/* No event of somebody who is not at risk. */
		assert_true(!e[k].event || (l >= 0 && from <= l));
		/* As the sums have it: all who leave less all who enter. */
		assert_true(l < 0 || from <= l + 1);
	}
	none_or(out, step);
	none_or(stay, step);
	none_or(in, step);
	none_or(again, step);
	assert_true(out + stay >= step && at_risk >= step);
	assert_int_equal(at_risk, g->intervals[i].at_risk);
}

static void
with_delayed_entry_no_sum_is_over_fewer_either(void **state)
{
	static struct episode e[ROWS];

	(void)state;
	srandom(5);
	for (int run = 0; run < 12; run++) {
		uint32_t step = 1 + (uint32_t)(run % 6) * 2;
		struct grid g;

		random_episodes(e);
		g = make_delayed(e, step, run % 2 == 0);
		assert_true(g.n > 5);
		for (uint32_t i = 0; i < g.n; i++)
			check_interval(&g, e, i, step);
		grid_free(&g);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_sum_is_over_fewer_than_the_step),
		cmocka_unit_test(step_1_has_one_risk_set_per_time_with_events),
		cmocka_unit_test(every_event_is_in_an_interval),
		cmocka_unit_test(a_stratum_that_is_too_small_is_left_out),
		cmocka_unit_test(
		    who_leaves_before_the_first_event_is_in_no_risk_set),
		cmocka_unit_test(
		    with_delayed_entry_no_sum_is_over_fewer_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

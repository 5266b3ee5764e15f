/*
 * Attacks on what a summary and a count of who could take part release.  Each
 * attack is run against what is released without its rule, where it must
 * succeed, and with it, where it must fail.
 *
 * The strongest form is two worlds: the same patients but for what is to stay
 * hidden.  If all sums after the counts and the final state have the same bytes
 * in both, nobody can tell them apart.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "model/contribute.h"
#include "model/step/feasibility.h"
#include "tests/model/described.h"

#define CELL 5

static bool
same_bytes(const struct canon *a, const struct canon *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Do the sums and the state tell two worlds apart?  Frees both. */
static bool
differ(struct described *a, struct described *b)
{
	bool d;

	described_run(a);
	described_run(b);
	d = !same_bytes(&a->sums, &b->sums) ||
	    !same_bytes(&a->saved, &b->saved);
	described_free(a);
	described_free(b);
	return d;
}

/* 60 rows in two groups, of which the second has n; a number, 3 levels. */
static struct described
hospital(size_t n, uint32_t cell)
{
	struct described d = described_new(60 + n, 2, 2);
	struct model_variable *m = d.spec.variables;

	for (size_t i = 0; i < d.n; i++) {
		d.group[i] = i >= 60;
		*described_x(&d, i, 0) = 20.0 + (double)(i * 7 % 60);
		*described_x(&d, i, 1) = (double)(i % 2);
	}
	m[0].min = 0.0;
	m[0].max = 120.0;
	m[0].whole = true;
	m[1].n_levels = d.spec.n_levels = 3;
	d.spec.risk_set_step = cell;
	return d;
}

/* Another age and another diagnosis of one patient of the small group. */
static bool
small_group_is_seen(uint32_t cell)
{
	struct described a = hospital(4, cell), b = hospital(4, cell);

	*described_x(&b, 61, 0) = 99.0;
	*described_x(&b, 62, 1) = 2.0;
	*described_x(&a, 62, 1) = 1.0;
	return differ(&a, &b);
}

static void
a_group_that_is_too_small(void **state)
{
	(void)state;
	assert_true(small_group_is_seen(1));
	assert_false(small_group_is_seen(CELL));
}

static bool
one_sites_group_is_seen(bool spread)
{
	struct described a = hospital(30, CELL), b = hospital(30, CELL);

	for (size_t i = 60; i < a.n && !spread; i++)
		a.site[i] = b.site[i] = (uint32_t)(i % 2);
	*described_x(&b, 61, 0) += 1.0;
	return differ(&a, &b);
}

/* A group that two sites have: each could subtract its own. */
static void
a_group_that_too_few_sites_have(void **state)
{
	(void)state;
	assert_true(one_sites_group_is_seen(true));
	assert_false(one_sites_group_is_seen(false));
}

/*
 * Complementary cells.  The attacker has the rows of each group and everything
 * that is shown, and solves for the rest.  -1: it is not determined.
 */
static int64_t
solve(const struct described *d, bool shown[2][3], uint32_t g, uint32_t k)
{
	const struct summary *s = &d->state;
	uint64_t rest = s->present[g * s->variables + 1];

	for (uint32_t i = 0; i < 3; i++) {
		if (i == k)
			continue;
		if (!shown[g][i])
			return -1;
		rest -= s->level[g * s->levels + i];
	}
	return (int64_t)rest;
}

static void
a_level_that_is_too_rare(void **state)
{
	struct described d = hospital(40, CELL);
	struct described plain = hospital(40, 1);
	bool shown[2][3] = { { true, true, true }, { true, true, true } };

	(void)state;
	/* Three patients of the second group have the third level. */
	for (size_t i = 60; i < 63; i++)
		*described_x(&d, i, 1) = *described_x(&plain, i, 1) = 2.0;
	/* Leaving the small cell out alone: the margin gives it back. */
	described_run(&plain);
	shown[1][2] = false;
	assert_int_equal(solve(&plain, shown, 1, 2), 3);
	/* As it is released: the level and a second one are one. */
	described_run(&d);
	for (uint32_t g = 0; g < 2; g++) {
		uint64_t sum = 0;

		for (uint32_t k = 0; k < 3; k++) {
			uint64_t n = d.state.level[g * 3 + k];

			assert_true(n == 0 || n >= CELL);
			shown[g][k] = d.state.joined[k] == 0;
			sum += shown[g][k] ? 0 : n;
		}
		/* What is joined could be split in more than CELL ways. */
		assert_true(sum == 0 || sum >= CELL);
	}
	assert_int_equal(d.state.joined[2], 1);
	assert_true(d.state.joined[0] + d.state.joined[1] > 0);
	assert_int_equal(solve(&d, shown, 1, 2), -1);
	assert_int_equal(solve(&d, shown, 0, 2), -1);
	described_free(&d);
	described_free(&plain);
}

/* Three patients of the second group have the third level, or four. */
static bool
rare_level_is_seen(uint32_t cell)
{
	struct described a = hospital(40, cell), b = hospital(40, cell);

	for (size_t i = 60; i < 66; i += 2)
		*described_x(&a, i, 1) = *described_x(&b, i, 1) = 2.0;
	*described_x(&b, 66, 1) = 2.0;
	return differ(&a, &b);
}

static void
what_is_joined_cannot_be_told_apart(void **state)
{
	(void)state;
	assert_true(rare_level_is_seen(1));
	assert_false(rare_level_is_seen(CELL));
}

/*
 * Ten patients have the third level, or eleven: enough, but all at the first
 * hospital, which the count is about alone.
 */
static bool
one_sites_level_is_seen(uint32_t cell)
{
	struct described a = hospital(40, cell), b = hospital(40, cell);

	for (size_t i = 0; i < 33; i += 3) {
		*described_x(&a, i, 1) = i < 30 ? 2.0 : 0.0;
		*described_x(&b, i, 1) = 2.0;
	}
	return differ(&a, &b);
}

static void
a_level_that_one_site_has(void **state)
{
	(void)state;
	assert_true(one_sites_level_is_seen(1));
	assert_false(one_sites_level_is_seen(CELL));
}

/*
 * Dominance: a patient whose bill is most of the sum.  A hospital that knows the
 * number of patients takes the sum of means for his.
 */
static double
estimate_of_the_largest(uint32_t dominance)
{
	struct described d = described_new(30, 1, 1);
	struct model_variable *m = d.spec.variables;
	double estimate;

	for (size_t i = 0; i < d.n; i++)
		*described_x(&d, i, 0) = 10.0 + (double)(i % 3);
	*described_x(&d, 7, 0) = 93000.0;
	m->min = 0.0;
	m->max = 100000.0;
	d.spec.risk_set_step = CELL;
	d.spec.dominance = dominance;
	described_run(&d);
	estimate = d.result->variables[0].all.mean * 30.0;
	described_free(&d);
	return estimate;
}

static void
a_patient_who_dominates_a_sum(void **state)
{
	(void)state;
	assert_true(fabs(estimate_of_the_largest(0) / 93000.0 - 1) < 0.01);
	assert_true(isnan(estimate_of_the_largest(10)));
}

/* Ages do not dominate each other: the rule leaves a usual column alone. */
static void
a_usual_column_is_summed(void **state)
{
	struct described d = hospital(30, CELL);

	(void)state;
	d.spec.dominance = 10;
	described_run(&d);
	assert_false(isnan(d.result->variables[0].group[1].mean));
	described_free(&d);
}

/* Two numbers; the second is missing in n rows. */
static struct described
two_numbers(size_t n, uint32_t cell)
{
	struct described d = described_new(60, 2, 1);

	for (size_t i = 0; i < d.n; i++) {
		*described_x(&d, i, 0) = 20.0 + (double)(i * 7 % 60);
		*described_x(&d, i, 1) = (double)(i % 11);
	}
	described_ranges(&d);
	for (size_t i = 0; i < n; i++)
		*described_x(&d, 3 * i, 1) = NAN;
	d.spec.risk_set_step = cell;
	return d;
}

/*
 * The sum of a number over all who have it, less that over the complete rows of
 * the correlations, is the sum over the few who are not complete.
 */
static void
differences_of_two_sums(void **state)
{
	struct described d = two_numbers(2, 1);
	double difference;

	(void)state;
	described_run(&d);
	difference =
	    d.state.sum[0] - d.state.pair_sum[0] + 2 * d.state.centre[0];
	assert_true(
	    fabs(difference -
		(*described_x(&d, 0, 0) + *described_x(&d, 3, 0))) < 1e-9);
	described_free(&d);

	/* Who lacks what few lack is in neither. */
	d = two_numbers(2, CELL);
	described_run(&d);
	assert_int_equal(*d.state.n_pairs, 58);
	assert_int_equal(d.state.present[0], 58);
	described_free(&d);

	/* Five lack each, but two have the first and not the second. */
	d = two_numbers(CELL, CELL);
	for (size_t i = 2; i < 2 + CELL; i++)
		*described_x(&d, 3 * i, 0) = NAN;
	described_run(&d);
	assert_int_equal(d.state.present[0], 60 - CELL);
	assert_int_equal(*d.state.n_pairs, 0);
	assert_true(d.state.pair_sum[0] == 0.0);
	described_free(&d);

	d = two_numbers(CELL, CELL);
	described_run(&d);
	assert_int_equal(*d.state.n_pairs, 60 - CELL);
	described_free(&d);
}

/*
 * Two patients of the second group have no number.  Its n, its bins and the degrees
 * of freedom of its tests tell so; and what else these two have is part of all that
 * is said of the group, but not of this number.
 */
static struct described
few_lack(uint32_t cell)
{
	struct described d = hospital(40, cell);

	*described_x(&d, 64, 0) = *described_x(&d, 71, 0) = NAN;
	return d;
}

static void
few_who_lack_a_value(void **state)
{
	struct described d = few_lack(1);

	(void)state;
	described_run(&d);
	assert_int_equal(d.result->variables[0].group[1].missing, 2);
	described_free(&d);

	d = few_lack(CELL);
	described_run(&d);
	assert_int_equal(d.state.n[1], 38);
	assert_int_equal(d.result->n, 98);
	for (int v = 0; v < 2; v++) {
		assert_int_equal(d.result->variables[v].group[1].n, 38);
		assert_int_equal(d.result->variables[v].group[1].missing, 0);
	}
	described_free(&d);

	/* Enough lack it: that may be told. */
	d = few_lack(CELL);
	for (size_t i = 80; i < 83; i++)
		*described_x(&d, i, 0) = NAN;
	described_run(&d);
	assert_int_equal(d.result->variables[0].group[1].missing, 5);
	described_free(&d);
}

static bool
who_lacks_is_seen(uint32_t cell)
{
	struct described a = few_lack(cell), b = few_lack(cell);

	*described_x(&b, 64, 1) = 1.0 - *described_x(&b, 64, 1);
	return differ(&a, &b);
}

/* Six lack the second number, but two of them the first one, too. */
static void
few_are_left_of_those_who_lack(void **state)
{
	struct described d = two_numbers(6, CELL);

	(void)state;
	assert_true(who_lacks_is_seen(1));
	assert_false(who_lacks_is_seen(CELL));
	*described_x(&d, 0, 0) = *described_x(&d, 3, 0) = NAN;
	described_run(&d);
	assert_int_equal(d.state.n[0], 54);
	assert_int_equal(d.result->variables[1].all.missing, 0);
	described_free(&d);
}

/* The rows of a group below each edge that is shown. */
static uint64_t
below(const struct described *d, uint64_t edges, uint32_t g)
{
	const uint64_t *row = d->state.tail + 1;
	uint64_t n = 0;

	for (uint64_t b = 0; b < edges; b++)
		n += row[b * (1 + d->state.groups) + 1 + g];
	return n;
}

/*
 * Histograms: every difference of two cumulative counts, of a group or of all,
 * is about nobody or at least CELL, whatever the rows.
 */
static void
histograms(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed < 40; seed++) {
		struct described d = described_new(200, 1, 3);
		uint64_t n;
		uint32_t r = seed;

		for (size_t i = 0; i < d.n; i++) {
			r = r * 1664525 + 1013904223;
			d.group[i] = (r >> 16) % 3;
			r = r * 1664525 + 1013904223;
			*described_x(&d, i, 0) =
			    1.0 / (0.01 + (double)(r >> 8) / (double)(1 << 24));
		}
		d.spec.variables[0].max = 120.0;
		d.spec.risk_set_step = CELL;
		described_run(&d);
		n = d.state.tail[0];
		for (uint32_t g = 0; g < 3; g++) {
			assert_int_equal(below(&d, n, g), d.state.n[g]);
			for (uint64_t a = 0; a < n; a++)
				for (uint64_t b = a + 1; b <= n; b++) {
					uint64_t k =
					    below(&d, b, g) - below(&d, a, g);

					assert_true(k == 0 || k >= CELL);
				}
		}
		described_free(&d);
	}
}

/* Feasibility: n rows of three columns, of which each lacks some. */
static uint64_t *
count_who(size_t n, const size_t missing[3], size_t events, uint32_t cell)
{
	struct model_spec spec = {
		.kind = MODEL_FEASIBILITY,
		.n_strata = 1,
		.n_terms = 1,
		.terms = { { .name = "x" } },
		.n_variables = 3,
		.risk_set_step = cell,
		.n_sites = 3,
		.rows_per_site = 1000,
		.max_iterations = 1,
		.tolerance = 1e-9,
		.concordance_bins = 16,
	};
	double *x = calloc(n * 3, sizeof(*x)), values[16];
	uint8_t *event = calloc(n, 1);
	uint64_t sum[16] = { 0 }, words[16], *out;
	struct plan *p;
	size_t at = 0;
	struct err err;

	assert_true(x && event);
	/* One after the other, so that nobody lacks two. */
	for (size_t v = 0; v < 3; v++)
		for (size_t i = 0; i < missing[v]; i++)
			x[3 * at++ + v] = NAN;
	for (size_t i = 0; i < events; i++)
		event[n - 1 - i] = 1;
	assert_non_null(p = plan_new(&spec, &err));
	assert_true(plan_words(p) <= 16);
	for (size_t s = 0; s < 3; s++) {
		size_t from = s * n / 3, to = (s + 1) * n / 3;
		struct model_data d = {
			.n_rows = to - from,
			.event = event + from,
			.x = x,
			.variables = x + 3 * from,
		};

		assert_int_equal(contribute(p, &d, values, &err), 0);
		assert_int_equal(
		    plan_encode(p, values, plan_values(p), words, &err), 0);
		for (size_t i = 0; i < plan_words(p); i++)
			sum[i] += words[i];
	}
	assert_int_equal(plan_step(p, sum, plan_words(p), 3, &err), 0);
	assert_true(plan_done(p));
	out = calloc(p->n_cells, sizeof(*out));
	assert_non_null(out);
	memcpy(out, p->cells, p->n_cells * sizeof(*out));
	plan_free(p);
	free(x);
	free(event);
	return out;
}

static void
who_could_take_part(void **state)
{
	const uint64_t hidden = FEASIBILITY_HIDDEN;
	uint64_t *c;

	(void)state;
	/* All is large. */
	c = count_who(100, (size_t[]){ 10, 0, 7 }, 30, CELL);
	assert_int_equal(c[FEASIBILITY_COMPLETE], 83);
	assert_int_equal(c[FEASIBILITY_EVENTS], 30);
	assert_int_equal(c[FEASIBILITY_MISSING], 10);
	assert_int_equal(c[FEASIBILITY_MISSING + 1], 0);
	free(c);
	/*
	 * Ten lack the first column and four the second: who is complete less
	 * who has the first would give the four away.
	 */
	c = count_who(100, (size_t[]){ 10, 4, 0 }, 30, 1);
	assert_int_equal(
	    100 - c[FEASIBILITY_COMPLETE] - c[FEASIBILITY_MISSING], 4);
	free(c);
	c = count_who(100, (size_t[]){ 10, 4, 0 }, 30, CELL);
	assert_true(c[FEASIBILITY_MISSING + 1] == hidden);
	assert_true(c[FEASIBILITY_COMPLETE] == hidden);
	assert_true(c[FEASIBILITY_EVENTS] == hidden);
	free(c);
	/* Few events, or few without one. */
	c = count_who(100, (size_t[]){ 0, 0, 0 }, 3, CELL);
	assert_int_equal(c[FEASIBILITY_COMPLETE], 100);
	assert_true(c[FEASIBILITY_EVENTS] == hidden);
	free(c);
	c = count_who(100, (size_t[]){ 0, 0, 0 }, 97, CELL);
	assert_true(c[FEASIBILITY_EVENTS] == hidden);
	free(c);
	/* Few patients at all: nothing. */
	c = count_who(4, (size_t[]){ 0, 0, 0 }, 2, CELL);
	for (size_t i = FEASIBILITY_COMPLETE; i < FEASIBILITY_MISSING + 3; i++)
		assert_true(c[i] == hidden);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_that_is_too_small),
		cmocka_unit_test(a_group_that_too_few_sites_have),
		cmocka_unit_test(a_level_that_is_too_rare),
		cmocka_unit_test(what_is_joined_cannot_be_told_apart),
		cmocka_unit_test(a_level_that_one_site_has),
		cmocka_unit_test(a_patient_who_dominates_a_sum),
		cmocka_unit_test(a_usual_column_is_summed),
		cmocka_unit_test(differences_of_two_sums),
		cmocka_unit_test(few_who_lack_a_value),
		cmocka_unit_test(few_are_left_of_those_who_lack),
		cmocka_unit_test(histograms),
		cmocka_unit_test(who_could_take_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

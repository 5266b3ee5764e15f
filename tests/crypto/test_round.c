#include "tests/check.h"

#include "common/macros.h"
#include "tests/crypto/world.h"

/* N, c: q, t as PROTOCOL.md lists them; u_min, D_max with h_min 2, 3/4. */
static void
parameters_are_those_of_the_table(void **state)
{
	static const struct {
		uint16_t n, c, q, t, u_min, d_max;
	} rows[] = {
		{ 3, 1, 3, 2, 3, 0 },
		{ 4, 1, 3, 3, 3, 1 },
		{ 5, 1, 4, 3, 4, 1 },
		{ 6, 1, 4, 4, 5, 1 },
		{ 10, 3, 7, 7, 8, 2 },
		{ 20, 1, 11, 11, 15, 5 },
		{ 100, 10, 56, 55, 75, 25 },
		{ 128, 10, 70, 69, 96, 32 },
	};
	struct round_rules rules = { .honest_min = 2,
		.u_frac_ppm = 750000,
		.suite = ROUND_AES256CTR,
		.bits = 64,
		.verify = ROUND_REPLAY,
		.cohort = ROUND_FIXED };
	struct round_params p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		rules.corrupted = rows[i].c;
		assert_int_equal(
		    round_params(&rules, rows[i].n, rows[i].n, &p, &err), 0);
		assert_int_equal(p.quorum, rows[i].q);
		assert_int_equal(p.threshold, rows[i].t);
		assert_int_equal(p.u_min, rows[i].u_min);
		assert_int_equal(p.d_max, rows[i].d_max);
		assert_int_equal(p.degree, rows[i].n - 1);
		/* At most one sum of a state can be opened. */
		assert_true(p.threshold + p.u_min > rows[i].n + rows[i].c);
	}
}

static void
refuses_parameters_that_are_not_safe(void **state)
{
	static const struct {
		size_t n_study, n;
		struct round_rules rules;
	} rows[] = {
		{ 2, 2, { 1, 2, 750000, 1, 64, 1, 1 } }, /* N < 3 */
		{ 1025, 100, { 1, 2, 750000, 1, 64, 1, 1 } },
		{ 4, 5, { 1, 2, 750000, 1, 64, 1, 1 } }, /* n > N */
		{ 4, 2, { 1, 2, 750000, 1, 64, 1, 1 } }, /* n < q */
		{ 4, 4, { 0, 2, 750000, 1, 64, 1, 1 } }, /* c < 1 */
		{ 4, 4, { 4, 2, 750000, 1, 64, 1, 1 } },
		{ 4, 4, { 1, 1, 750000, 1, 64, 1, 1 } }, /* h_min < 2 */
		{ 4, 4, { 1, 4, 750000, 1, 64, 1, 1 } }, /* c + h_min > n */
		{ 4, 4, { 1, 2, 1000001, 1, 64, 1, 1 } },
		{ 4, 4, { 1, 2, 750000, 3, 64, 1, 1 } }, /* suite */
		{ 4, 4, { 1, 2, 750000, 1, 16, 1, 1 } }, /* ring */
		{ 4, 4, { 1, 2, 750000, 1, 64, 0, 1 } },
		{ 4, 4, { 1, 2, 750000, 1, 64, 1, 3 } },
	};
	struct round_params p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		assert_int_equal(round_params(&rows[i].rules, rows[i].n_study,
				     rows[i].n, &p, &err),
		    -1);
		assert_int_equal(err.code, ERR_REFUSED);
	}
}

static void
sums_exactly_when_all_stay(void **state)
{
	(void)state;
	for (size_t n = 3; n <= 6; n++) {
		struct world *w = world_new(n, n == 4 ? 40000 : 7);

		if (world_run(w) != 0)
			fail_msg("n = %zu: %s", n, w->err.msg);
		world_check_sum(w);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(
			    site_round_phase(w->site[i].round), SITE_DONE);
		world_free(w);
	}
}

static void
sums_exactly_with_the_other_suite(void **state)
{
	struct world *w = world_new(4, 5000);

	(void)state;
	w->ctx.rules.suite = ROUND_CHACHA20;
	w->site[2].leaves = LEAVES_BEFORE_UPLOAD;
	assert_int_equal(world_run(w), 0);
	world_check_sum(w);
	world_free(w);
}

/*
 * One site away for good, from each boundary on.  It is missed only where the
 * rules say that no fewer may take part.
 */
static void
any_one_site_may_leave_at_any_boundary(void **state)
{
	(void)state;
	for (size_t n = 3; n <= 6; n++) {
		for (size_t gone = 0; gone < n; gone++) {
			for (int at = 0; at < LEAVES_NEVER; at++) {
				struct world *w = world_new(n, 5);
				/* N = 3: a sum needs all; q = 3 confirms. */
				bool needed =
				    n == 3 && at <= LEAVES_BEFORE_CONFIRM;
				int r;

				w->site[gone].leaves = (enum leaves)at;
				r = world_run(w);
				if (r != (needed ? -1 : 0))
					fail_msg("n %zu site %zu at %d: %s", n,
					    gone, at, w->err.msg);
				if (r == 0)
					world_check_sum(w);
				else
					assert_int_equal(
					    w->err.code, ERR_REFUSED);
				world_free(w);
			}
		}
	}
}

static void
refuses_a_sum_of_too_few(void **state)
{
	static const enum leaves at[] = { LEAVES_BEFORE_READY,
		LEAVES_BEFORE_SHARES, LEAVES_BEFORE_UPLOAD,
		LEAVES_BEFORE_CONFIRM };

	(void)state;
	for (size_t i = 0; i < nitems(at); i++) {
		struct world *w = world_new(4, 5);

		w->site[1].leaves = at[i];
		w->site[2].leaves = at[i];
		assert_int_equal(world_run(w), -1);
		assert_int_equal(w->err.code, ERR_REFUSED);
		world_free(w);
	}
}

/* After the certificate the round waits for t answers, here 3 of 4. */
static void
waits_for_enough_unmask_answers(void **state)
{
	struct world *w = world_new(4, 5);
	struct coord_tally t;

	(void)state;
	w->site[0].leaves = w->site[1].leaves = LEAVES_BEFORE_UNMASK;
	assert_int_equal(world_run(w), -1);
	t = coord_round_tally(w->coord, &w->ctx);
	assert_int_equal(t.phase, COORD_UNMASKS);
	assert_int_equal(t.have, 2);
	assert_int_equal(t.need, 3);
	assert_int_equal(
	    coord_round_abort(w->coord, &w->ctx, "waited", &w->err), -1);
	w->site[0].leaves = LEAVES_NEVER;
	assert_int_equal(world_unmasks(w), 0);
	assert_int_equal(world_result(w), 0);
	world_check_sum(w);
	world_free(w);
}

static void
a_fixed_cohort_admits_no_other_set(void **state)
{
	struct world *w = world_new(5, 5);

	(void)state;
	w->ctx.rules.cohort = ROUND_FIXED;
	w->site[4].leaves = LEAVES_BEFORE_UPLOAD;
	assert_int_equal(world_run(w), 0); /* this fixes it */
	for (size_t i = 0; i < 4; i++)
		w->cohort[i] = w->members[i].id;
	w->ctx.cohort = w->cohort;
	w->ctx.n_cohort = 4;
	/* The fifth is there again: it is not asked, and may not come in. */
	w->about.round++;
	w->site[4].leaves = LEAVES_NEVER;
	assert_int_equal(world_run(w), 0);
	assert_int_equal(coord_round_params(w->coord)->n, 4);
	/* A coordinator that takes it in all the same is refused by all. */
	w->about.round++;
	w->ctx.n_cohort = 0;
	assert_int_equal(world_ready(w), 0);
	w->ctx.n_cohort = 4;
	assert_int_equal(world_shares(w), -1);
	assert_int_equal(w->err.code, ERR_PEER);
	assert_non_null(strstr(w->err.msg, "fixed set"));
	w->about.round++;
	w->site[4].leaves = LEAVES_BEFORE_READY;
	w->site[3].leaves = LEAVES_BEFORE_UPLOAD;
	assert_int_equal(world_run(w), -1); /* one too few */
	assert_int_equal(coord_round_tally(w->coord, &w->ctx).have, 3);
	assert_int_equal(coord_round_tally(w->coord, &w->ctx).need, 4);
	w->about.round++;
	w->site[3].leaves = LEAVES_BEFORE_UNMASK; /* after its upload */
	assert_int_equal(world_run(w), 0);
	world_check_sum(w);
	world_free(w);
}

static void
states_depend_on_everything(void **state)
{
	uint8_t study[32] = { 1 }, first[32], next[32], other[32];

	(void)state;
	round_state_first(study, first);
	round_state_next(study, 1, "newton", first, study, "m", 1, next);
	round_state_next(study, 2, "newton", first, study, "m", 1, other);
	assert_memory_not_equal(next, other, 32);
	round_state_next(study, 1, "newto", first, study, "m", 1, other);
	assert_memory_not_equal(next, other, 32);
	round_state_next(study, 1, "newton", next, study, "m", 1, other);
	assert_memory_not_equal(next, other, 32);
	round_state_next(study, 1, "newton", first, next, "m", 1, other);
	assert_memory_not_equal(next, other, 32);
	round_state_next(study, 1, "newton", first, study, "n", 1, other);
	assert_memory_not_equal(next, other, 32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_those_of_the_table),
		cmocka_unit_test(refuses_parameters_that_are_not_safe),
		cmocka_unit_test(sums_exactly_when_all_stay),
		cmocka_unit_test(sums_exactly_with_the_other_suite),
		cmocka_unit_test(any_one_site_may_leave_at_any_boundary),
		cmocka_unit_test(refuses_a_sum_of_too_few),
		cmocka_unit_test(waits_for_enough_unmask_answers),
		cmocka_unit_test(a_fixed_cohort_admits_no_other_set),
		cmocka_unit_test(states_depend_on_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

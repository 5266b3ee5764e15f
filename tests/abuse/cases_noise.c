/*
 * Cases 26 and 30 of docs/TESTING.md: the bounds of noised sums, and what
 * colluders and dropouts leave of the noise; through whole rounds, with
 * randomness from a seed.
 */
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "crypto/noise.h"
#include "model/spec.h"
#include "model/step/learn.h"
#include "tests/crypto/random_fixed.h"
#include "tests/crypto/world.h"

static struct learn
setup_of(unsigned bits, uint32_t n_sites, uint32_t n_terms)
{
	struct model_spec s = {
		.kind = MODEL_LOGISTIC,
		.n_terms = n_terms,
		.n_sites = n_sites,
		.rows_per_site = bits == 32 ? 5000 : 1 << 24,
		.learning = { .rounds = 30,
		    .step = 1,
		    .clip = 1,
		    .epsilon = 1,
		    .delta = 1e-6,
		    .bits = bits },
	};
	struct learn l;
	struct err err;

	if (learn_setup(&s, &l, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(n_sites * l.largest < ldexp(1, (int)bits - 1));
	/* No finer unit would do (64: where the noise could be no larger). */
	assert_true(
	    bits == 64 || 2 * n_sites * l.largest >= ldexp(1, (int)bits - 1));
	return l;
}

static int64_t
word(const struct world *w, size_t i)
{
	return w->ctx.rules.bits == 32 ? ((const int32_t *)w->sum)[i]
				       : ((const int64_t *)w->sum)[i];
}

static void
put(struct world *w, size_t site, size_t i, int64_t v)
{
	if (w->ctx.rules.bits == 32)
		((uint32_t *)w->site[site].z)[i] = (uint32_t)v;
	else
		w->site[site].z[i] = (uint64_t)v;
}

/* All at the bound, or at minus the bound, that a study has; all but one; and
   at the ring's own edge. */
static void
all_at_the_bound(unsigned bits)
{
	enum { N = 8 };
	struct learn l = setup_of(bits, N, 10);
	struct world *w = world_new(N, 6);
	int64_t most = (int64_t)l.largest;
	int64_t edge = (bits == 32 ? INT32_MAX : INT64_MAX) / N;

	if (bits == 32)
		world_narrow(w);
	for (size_t i = 0; i < N; i++) {
		put(w, i, 0, most);
		put(w, i, 1, -most);
		put(w, i, 2, i == 0 ? -most : most);
		put(w, i, 3, i == 0 ? most : -most);
		put(w, i, 4, edge);
		put(w, i, 5, -edge);
	}
	assert_int_equal(world_run(w), 0);
	assert_true(word(w, 0) == N * most);
	assert_true(word(w, 1) == -N * most);
	assert_true(word(w, 2) == (N - 2) * most);
	assert_true(word(w, 3) == -(N - 2) * most);
	assert_true(word(w, 4) == N * edge);
	assert_true(word(w, 5) == -N * edge);
	world_free(w);
}

static void
abuse_26_all_at_the_bound_32(void **state)
{
	(void)state;
	all_at_the_bound(32);
}

static void
abuse_26_all_at_the_bound_64(void **state)
{
	(void)state;
	all_at_the_bound(64);
}

/*
 * The sum of squares over the variance that is promised, of a round of 8 sites
 * with c = 1 of which D_max have gone before their upload and `silent` more add
 * no noise.  All have zeros beside it.
 */
static double
left_over(size_t words, size_t silent, const char *seed)
{
	struct learn l = setup_of(32, 8, 10);
	struct world *w = world_new(8, words);
	struct round_params p;
	double chi = 0;

	assert_int_equal(round_params(&w->ctx.rules, 8, 8, &p, &w->err), 0);
	world_narrow(w);
	random_fixed_seed(seed);
	for (size_t i = 0; i < 8; i++) {
		bool gone = i >= 8u - p.d_max, none = i < silent;

		if (gone)
			w->site[i].leaves = LEAVES_BEFORE_UPLOAD;
		for (size_t k = 0; k < words; k++)
			put(w, i, k,
			    none ? 0
				 : noise_gauss((uint64_t)l.variance,
				       p.u_min - p.corrupted));
	}
	assert_int_equal(world_run(w), 0);
	for (size_t k = 0; k < words; k++)
		chi += (double)word(w, k) * (double)word(w, k) / l.variance;
	world_free(w);
	return chi;
}

/* Variance sigma^2 or more: below the bound with a chance of 10^-12 (Laurent
   and Massart 2000, lemma 1: P(chi <= k - 2 sqrt(k x)) <= exp(-x)). */
static void
abuse_30_colluders_omit_their_noise(void **state)
{
	const size_t k = 6000;
	const double n = 6000, x = 12 * log(10), least = n - 2 * sqrt(n * x);
	const double most = n + 2 * sqrt(n * x) + 2 * x;

	(void)state;
	assert_true(left_over(k, 1, "one colluder") > least);
	/* And not more than is needed. */
	assert_true(left_over(k, 1, "one colluder") < most);
	/* One honest site's share less than promised is seen. */
	assert_true(left_over(k, 2, "two colluders") < least);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abuse_26_all_at_the_bound_32),
		cmocka_unit_test(abuse_26_all_at_the_bound_64),
		cmocka_unit_test(abuse_30_colluders_omit_their_noise),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

#include "anonymize/attack.h"
#include "anonymize/classes.h"
#include "anonymize/population.h"
#include "common/err.h"
#include "common/macros.h"

/* Classes of these sizes. */
static struct classes
classes_of(const size_t *size, size_t n)
{
	struct classes c = { .n = n };

	c.size = calloc(n, sizeof(*c.size));
	assert_non_null(c.size);
	for (size_t i = 0; i < n; i++) {
		c.size[i] = size[i];
		c.n_rows += size[i];
	}
	return c;
}

static void
zayatz_is_what_the_formula_says(void **state)
{
	/* Two alone, one pair, one of four; a quarter is sampled. */
	static const size_t size[] = { 1, 1, 2, 4 };
	struct classes c = classes_of(size, nitems(size));
	struct population p;
	struct err err;
	double seen = 2 + 2 * 0.75 + 4 * 0.75 * 0.75 * 0.75;

	(void)state;
	assert_int_equal(population_estimate(&c, 32, &p, &err), 0);
	assert_true(fabs(p.fraction - 0.25) < 1e-15);
	assert_true(fabs(p.zayatz - 2 / seen * 2 / 8) < 1e-12);
	assert_true(p.likely == p.zayatz);
	classes_free(&c);
}

/* Rows drawn from Pitman's model by its urn: a new class with probability
   (theta + u alpha) / (theta + n). */
static void
pitman_finds_what_the_urn_was_drawn_with(void **state)
{
	const double theta = 50, alpha = 0.6, people = 1e7;
	static size_t size[20000];
	uint64_t seed = 1;
	size_t u = 0, n = 0;
	struct classes c;
	struct population p;
	struct err err;
	double truth;

	(void)state;
	for (; n < 20000; n++) {
		double x, d = theta + (double)n;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		x = (double)(seed >> 11) / 9007199254740992.0 * d;
		for (size_t i = 0; i < u && x >= 0; i++)
			if ((x -= (double)size[i] - alpha) < 0)
				size[i]++;
		if (x >= 0)
			size[u++] = 1;
	}
	c = classes_of(size, u);
	truth = exp(lgamma(theta + 1) - lgamma(theta + alpha) +
	    (alpha - 1) * log(people));
	assert_int_equal(population_estimate(&c, people, &p, &err), 0);
	assert_true(fabs(p.pitman / truth - 1) < 0.15);
	assert_true(p.likely == p.pitman);
	classes_free(&c);
}

static void
nobody_alone_is_nobody_alone(void **state)
{
	static const size_t size[] = { 5, 6, 7 };
	struct classes c = classes_of(size, nitems(size));
	struct population p;
	struct err err;

	(void)state;
	assert_int_equal(population_estimate(&c, 1e6, &p, &err), 0);
	assert_true(p.zayatz == 0);
	assert_true(isnan(p.pitman)); /* says nothing without single ones */
	assert_true(p.likely == 0);
	assert_int_equal(population_estimate(&c, 18, &p, &err), 0);
	assert_true(p.likely == 0);
	classes_free(&c);
}

static void
the_attack_counts_true_matches(void **state)
{
	/* Row 4 of the source is not in the table; 0 and 2 are alike. */
	const double source[] = { 1, 2, 1, 3, 9 }, table[] = { 1, 1, 2, 3 };
	const size_t origin[] = { 0, 2, 1, 3 };
	const double *s[] = { source }, *t[] = { table };
	size_t both = 0;
	struct attack a;
	struct err err;

	(void)state;
	for (uint64_t seed = 0; seed < 400; seed++) {
		assert_int_equal(
		    attack_link(t, s, 1, 4, 5, origin, seed, &a, &err), 0);
		assert_int_equal(a.tried, 5);
		assert_int_equal(a.fitting, 4);
		assert_int_equal(a.single, 2);
		assert_in_range(a.correct, 2, 4);
		both += a.correct - 2;
	}
	/* Of 800 guesses between two, half; their deviation is 14. */
	assert_in_range(both, 330, 470);
}

static void
knowing_nothing_is_one_large_class(void **state)
{
	const size_t origin[] = { 0, 1, 2 };
	struct attack a;
	struct err err;

	(void)state;
	assert_int_equal(
	    attack_link(NULL, NULL, 0, 3, 3, origin, 7, &a, &err), 0);
	assert_int_equal(a.fitting, 3);
	assert_int_equal(a.single, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zayatz_is_what_the_formula_says),
		cmocka_unit_test(pitman_finds_what_the_urn_was_drawn_with),
		cmocka_unit_test(nobody_alone_is_nobody_alone),
		cmocka_unit_test(the_attack_counts_true_matches),
		cmocka_unit_test(knowing_nothing_is_one_large_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

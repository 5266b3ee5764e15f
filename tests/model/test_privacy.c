/* The accountant against 50-digit values of the papers' formulas and against
   another accountant's figures. */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/step/privacy.h"

static FILE *
open_table(const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/privacy/%s",
	    getenv("top_srcdir"), name);
	if ((f = fopen(path, "r")) == NULL)
		fail_msg("%s is missing", path);
	return f;
}

/* Never below the truth, and not more above it than a rounding. */
static void
assert_just_above(double v, double truth, double more)
{
	assert_true(v >= truth * (1 - 0x1p-50));
	assert_true(v <= truth * (1 + more));
}

static void
follows_the_formulas(void **state)
{
	double norm, variance, delta, s, rho, high, epsilon;
	unsigned dim, contributors, sums, n = 0;
	FILE *f = open_table("rho.csv");
	char line[512];

	(void)state;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lf,%u,%lf,%u,%u,%lf,%lf,%lf,%lf,%lf", &norm,
			&dim, &variance, &contributors, &sums, &delta, &s, &rho,
			&high, &epsilon) != 10)
			continue;
		n++;
		assert_just_above(privacy_sensitivity(norm, dim), s, 1e-11);
		/* tau is bounded from above: rho lies between the two. */
		assert_true(privacy_rho(s, dim, variance, contributors) >=
		    rho * (1 - 0x1p-50));
		assert_true(privacy_rho(s, dim, variance, contributors) <=
		    high * (1 + 1e-11));
		assert_just_above(
		    privacy_epsilon(sums * rho, delta), epsilon, 1e-9);
	}
	fclose(f);
	assert_int_equal(n, 12);
}

/* In the limit of a large variance it is the Gaussian's; no accountant by
   Renyi divergence on fixed orders may be better, none may beat the truth. */
static void
is_the_gaussian_accountant_in_the_limit(void **state)
{
	double sigma, delta, by_orders, exact;
	FILE *f = open_table("gaussian.csv");
	unsigned sums, n = 0;
	char line[512];

	(void)state;
	while (fgets(line, sizeof(line), f) != NULL) {
		double variance = 0x1p40, rho, epsilon;

		if (sscanf(line, "%lf,%u,%lf,%lf,%lf", &sigma, &sums, &delta,
			&by_orders, &exact) != 5)
			continue;
		n++;
		rho = privacy_rho(sqrt(variance) / sigma, 1, variance, 2);
		assert_just_above(rho, 0.5 / (sigma * sigma), 1e-11);
		epsilon = privacy_epsilon(sums * rho, delta);
		assert_true(epsilon <= by_orders * (1 + 1e-10));
		assert_true(epsilon >= exact);
	}
	fclose(f);
	assert_int_equal(n, 16);
}

/* The smallest integer: one less is too little. */
static void
finds_the_smallest_variance(void **state)
{
	static const double epsilons[] = { 0.1, 1, 8, 1000 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		double s = privacy_sensitivity(1024, 12);
		double rho = privacy_budget(epsilons[i], 1e-6) / 30;
		double v = privacy_variance(s, 12, 5, rho);

		assert_true(v >= 1 && v == floor(v));
		assert_true(privacy_rho(s, 12, v, 5) <= rho);
		assert_true(v == 1 || privacy_rho(s, 12, v - 1, 5) > rho);
		assert_true(privacy_epsilon(30 * rho, 1e-6) <= epsilons[i]);
		assert_true(privacy_epsilon(30 * rho * (1 + 1e-9), 1e-6) >
		    epsilons[i] * (1 - 1e-8));
	}
}

static void
says_when_there_is_none(void **state)
{
	(void)state;
	assert_true(isinf(privacy_epsilon(1, 0)));
	assert_true(isinf(privacy_epsilon(1, -1e-9)));
	assert_true(privacy_epsilon(0, 1e-6) == 0);
	assert_true(privacy_budget(1, 0) == 0);
	assert_true(privacy_variance(0x1p20, 10, 3, 1e-9) == 0);
	assert_true(privacy_variance(10, 10, 3, 0) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_formulas),
		cmocka_unit_test(is_the_gaussian_accountant_in_the_limit),
		cmocka_unit_test(finds_the_smallest_variance),
		cmocka_unit_test(says_when_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

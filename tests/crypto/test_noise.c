/*
 * The discrete Gaussian and rounding by chance, from fixed randomness, against
 * probabilities of exact rational arithmetic (tests/reference/privacy.py).
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "crypto/noise.h"
#include "tests/crypto/random_fixed.h"

#define REACH 128
#define DRAWS 40000

static const struct {
	unsigned num, den;
} variances[] = { { 1, 4 }, { 1, 1 }, { 7, 3 }, { 30, 1 }, { 1000, 9 } };

/* Of z = 0, 1, ..., as many as the table has. */
static size_t
table(unsigned num, unsigned den, double p[REACH])
{
	char path[512], line[128];
	unsigned a, b, z;
	size_t n = 0;
	double v;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/privacy/gauss.csv",
	    getenv("top_srcdir"));
	if ((f = fopen(path, "r")) == NULL)
		fail_msg("%s is missing", path);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%u,%u,%u,%lf", &a, &b, &z, &v) != 4 ||
		    a != num || b != den)
			continue;
		assert_true(z == n && n < REACH);
		p[n++] = v;
	}
	fclose(f);
	assert_true(n > 1);
	return n;
}

/* counts[i] of z = i - REACH.  Places with fewer than 10 expected are one. */
static double
chi_square(const size_t counts[2 * REACH], size_t draws, const double *p,
    size_t n, unsigned *df)
{
	double chi = 0, rest = 1, rest_count = (double)draws;

	*df = 0;
	for (int z = -(int)n + 1; z < (int)n; z++) {
		double expected = (double)draws * p[abs(z)];
		double count = (double)counts[z + REACH];

		if (expected < 10)
			continue;
		chi += (count - expected) * (count - expected) / expected;
		rest -= p[abs(z)];
		rest_count -= count;
		++*df;
	}
	if ((double)draws * rest >= 10) {
		double expected = (double)draws * rest;

		chi += (rest_count - expected) * (rest_count - expected) /
		    expected;
	} else
		--*df;
	return chi;
}

/* Passed with a chance below 10^-12: P(chi >= k + 2 sqrt(k x) + 2 x) <=
   exp(-x) (Laurent and Massart 2000, lemma 1). */
static double
threshold(unsigned df)
{
	double x = 12 * log(10);

	return df + 2 * sqrt(df * x) + 2 * x;
}

static void
draw(unsigned num, unsigned den, size_t counts[2 * REACH])
{
	memset(counts, 0, 2 * REACH * sizeof(*counts));
	for (size_t i = 0; i < DRAWS; i++) {
		int64_t z = noise_gauss(num, den);

		assert_true(z > -REACH && z < REACH);
		counts[z + REACH]++;
	}
}

static void
draws_have_the_exact_probabilities(void **state)
{
	size_t counts[2 * REACH], n;
	double p[REACH], chi;
	unsigned df;

	(void)state;
	random_fixed_seed("discrete gaussian");
	for (size_t i = 0; i < nitems(variances); i++) {
		n = table(variances[i].num, variances[i].den, p);
		draw(variances[i].num, variances[i].den, counts);
		chi = chi_square(counts, DRAWS, p, n, &df);
		if (chi >= threshold(df))
			fail_msg("variance %u/%u: chi-square %.1f on %u",
			    variances[i].num, variances[i].den, chi, df);
	}
}

/* The same measure tells neighbouring variances apart. */
static void
draws_of_another_variance_are_told(void **state)
{
	size_t counts[2 * REACH], n;
	double p[REACH];
	unsigned df;

	(void)state;
	random_fixed_seed("another variance");
	n = table(30, 1, p);
	draw(33, 1, counts);
	assert_true(chi_square(counts, DRAWS, p, n, &df) > threshold(df));
	n = table(1, 1, p);
	draw(11, 10, counts);
	assert_true(chi_square(counts, DRAWS, p, n, &df) > threshold(df));
}

/* At the largest: mean 0 and variance s, within 7 standard errors. */
static void
large_variances_do_not_wrap(void **state)
{
	const double s = (double)NOISE_VARIANCE_MAX / 3;
	double sum = 0, squares = 0, n = 2000;

	(void)state;
	random_fixed_seed("large");
	for (int i = 0; i < (int)n; i++) {
		double z = (double)noise_gauss(NOISE_VARIANCE_MAX, 3);

		sum += z;
		squares += z * z;
	}
	assert_true(fabs(sum) < 7 * sqrt(n * s));
	assert_true(fabs(squares / n / s - 1) < 7 * sqrt(2 / n));
}

static void
rounding_is_right_on_average(void **state)
{
	/* v / 2^bits, floor, and 2^8 times its part. */
	static const struct {
		int64_t v;
		unsigned bits;
		int64_t low;
		double part;
	} cases[] = {
		{ 0, 8, 0, 0 },
		{ 256, 8, 1, 0 },
		{ 257, 8, 1, 1 },
		{ -1, 8, -1, 255 },
		{ -256, 8, -1, 0 },
		{ -300, 8, -2, 212 },
		{ 128, 8, 0, 128 },
		{ INT64_C(0x7fffffffffff), 8, INT64_C(0x7fffffffff), 255 },
		{ -7, 0, -7, 0 },
	};

	(void)state;
	random_fixed_seed("rounding");
	for (size_t i = 0; i < nitems(cases); i++) {
		double n = 4000, up = 0, p = cases[i].part / 256;

		for (int k = 0; k < (int)n; k++) {
			int64_t r = noise_round(cases[i].v, cases[i].bits);

			assert_true(r == cases[i].low || r == cases[i].low + 1);
			up += (double)(r - cases[i].low);
		}
		if (p == 0)
			assert_true(up == 0);
		else /* Hoeffding: beyond it with a chance of 2 exp(-32) */
			assert_true(fabs(up - n * p) <= 4 * sqrt(n));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_have_the_exact_probabilities),
		cmocka_unit_test(draws_of_another_variance_are_told),
		cmocka_unit_test(large_variances_do_not_wrap),
		cmocka_unit_test(rounding_is_right_on_average),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

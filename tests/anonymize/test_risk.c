#include "tests/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "anonymize/attack.h"
#include "anonymize/classes.h"
#include "anonymize/disclosure.h"
#include "anonymize/facts.h"
#include "anonymize/population.h"
#include "anonymize/separation.h"
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

/* n over m, of small numbers. */
static double
choose(double n, double m)
{
	double c = 1;

	for (double i = 1; i <= m; i++)
		c *= (n - m + i) / i;
	return c;
}

static void
zayatz_is_what_the_formula_says(void **state)
{
	/* Two alone, one pair, one of four; 8 of 32 are sampled. */
	static const size_t size[] = { 1, 1, 2, 4 };
	struct classes c = classes_of(size, nitems(size));
	struct population p;
	struct err err;
	double one[5], all = choose(32, 8), seen;

	(void)state;
	/* P(one is seen | the population has i): Zayatz 1991, in Dankar et
	   al. 2012, appendix A; p_i is estimated by the sample's share. */
	for (size_t i = 1; i <= 4; i++)
		one[i] = (double)i * choose((double)(32 - i), 7) / all;
	seen = 2 * one[1] + one[2] + one[4];
	assert_int_equal(population_estimate(&c, 32, &p, &err), 0);
	assert_true(fabs(p.fraction - 0.25) < 1e-15);
	assert_true(fabs(p.zayatz - 2 * one[1] / seen * 2 / 8) < 1e-12);
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

/* The log likelihood of Pitman's model, term by term. */
static double
pitman_likelihood(const struct classes *c, double theta, double alpha)
{
	double l = 0;

	for (size_t i = 1; i < c->n; i++)
		l += log(theta + (double)i * alpha);
	for (size_t i = 1; i < c->n_rows; i++)
		l -= log(theta + (double)i);
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 1; k < c->size[i]; k++)
			l += log((double)k - alpha);
	return l;
}

static void
pitman_is_the_likeliest(void **state)
{
	static size_t size[200];
	double best = -INFINITY, theta = 1, alpha = 0.5, wide = 1, expected;
	struct classes c;
	struct population p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(size); i++)
		size[i] = i < 120 ? 1 : i < 160 ? 2 : 1 + i % 13;
	c = classes_of(size, nitems(size));
	assert_int_equal(population_estimate(&c, 1e6, &p, &err), 0);
	/* Look around the best point so far, ever closer. */
	for (int step = 0; step < 400; step++, wide *= 0.95) {
		double t0 = theta, a0 = alpha;

		for (int i = -2; i <= 2; i++)
			for (int k = -2; k <= 2; k++) {
				double t = t0 * exp(i * wide), l;
				double a =
				    1 / (1 + (1 / a0 - 1) * exp(k * wide));

				l = pitman_likelihood(&c, t, a);
				if (l > best) {
					best = l;
					theta = t;
					alpha = a;
				}
			}
	}
	expected = exp(
	    lgamma(theta + 1) - lgamma(theta + alpha) + (alpha - 1) * log(1e6));
	/* The likelihood is flat to its own rounding, 1e-13 of 1e3, so that
	   its maximum is known to the root of that. */
	assert_true(fabs(p.pitman / expected - 1) < 1e-4);
	classes_free(&c);
}

/* How many of k classes show i people with this model, summed over the sizes
   that a class may have. */
static double
slide_shows(double k, double a, double b, double f, int i)
{
	double sum = 0, nb = pow(b, a); /* P(X = 0) */

	for (int j = 1; j < 4000; j++) {
		if (j >= i)
			sum +=
			    nb * choose(j, i) * pow(f, i) * pow(1 - f, j - i);
		nb *= (a + j - 1) / j * (1 - b); /* of X = j */
	}
	return k * sum;
}

static void
slide_shows_what_was_seen(void **state)
{
	static const size_t size[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2,
		2, 2, 2, 3, 3, 4, 7, 9 };
	const double people = 160, f = 48 / people;
	double x[4] = { 0 }, k, lo = 1e-6, hi = 1 - 1e-6, a = 0, alone;
	struct classes c = classes_of(size, nitems(size));
	struct population p;
	struct err err;

	(void)state;
	assert_int_equal(c.n_rows, 48);
	assert_int_equal(population_estimate(&c, people, &p, &err), 0);
	/* Haas and Stokes 1998, eq. 16. */
	for (size_t i = 0; i < c.n; i++) {
		double n = (double)c.size[i];

		x[0] += n * f * f * pow(1 - f * f, n - 1);
		x[1] += pow(1 - f, n) * (pow(1 + f, n) - 1);
		x[2] += pow(1 - f, n);
		x[3] += n * f * pow(1 - f, n - 1);
	}
	k = 22 + 12 * x[0] / x[1] * pow(x[2] / x[3], 2);
	/* Of the models with so many alone, which shows 12 of one? */
	alone = p.slide * people;
	assert_true(alone > 0 && alone < k);
	for (int i = 0; i < 60; i++) {
		double b = (lo + hi) / 2;

		a = log(alone / k) / log(b);
		if (slide_shows(k, a, b, f, 1) > 12)
			hi = b;
		else
			lo = b;
	}
	assert_true(fabs(slide_shows(k, a, lo, f, 1) - 12) < 1e-6);
	assert_true(fabs(slide_shows(k, a, lo, f, 2) - 5) < 1e-6);
	classes_free(&c);
}

static void
the_rule_of_dankar_chooses(void **state)
{
	static const size_t size[] = { 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 9, 12 };
	static const size_t flat[] = { 1, 3, 3 };
	struct classes c = classes_of(size, nitems(size));
	struct population p;
	struct err err;

	(void)state;
	assert_int_equal(population_estimate(&c, 360, &p, &err), 0);
	assert_true(p.fraction < 0.1 && p.likely == p.pitman);
	assert_int_equal(population_estimate(&c, 80, &p, &err), 0);
	assert_true(p.fraction > 0.1 && p.likely == fmin(p.slide, p.zayatz));
	classes_free(&c);
	/* Without pairs neither model fits. */
	c = classes_of(flat, nitems(flat));
	assert_int_equal(population_estimate(&c, 1000, &p, &err), 0);
	assert_true(isnan(p.pitman) && isnan(p.slide));
	assert_true(p.likely == p.zayatz);
	classes_free(&c);
}

/* Against the figures that ARX prints of the same table, to their digits. */
static void
adult_has_the_figures_that_arx_prints(void **state)
{
	static size_t size[30162];
	char path[512], line[64];
	size_t n = 0, of, many;
	struct classes c;
	struct population p;
	struct risk r;
	struct err err;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/vectors/risk/adult_sizes.csv",
	    getenv("top_srcdir"));
	assert_non_null(f = fopen(path, "r"));
	assert_non_null(fgets(line, sizeof(line), f));
	while (fscanf(f, "%zu,%zu", &of, &many) == 2)
		while (many-- > 0)
			size[n++] = of;
	fclose(f);
	c = classes_of(size, n);
	assert_int_equal(c.n_rows, 30162);
	r = classes_risk(&c, 0.09);
	assert_true(r.highest == 1);
	assert_true(fabs(r.average - 0.6466) < 0.5e-4);
	assert_true(fabs(r.unique - 0.5143) < 0.5e-4);
	assert_true(fabs(r.above - 0.9167) < 0.5e-4);
	assert_int_equal(population_estimate(&c, 317238626, &p, &err), 0);
	assert_true(fabs(p.pitman - 0.0389) < 0.5e-4);
	assert_true(fabs(p.zayatz - 0.2646) < 0.5e-4);
	assert_true(p.likely == p.pitman);
	classes_free(&c);
}

/* E(1/F) by summing over what F may be. */
static double
chance(double p, size_t f)
{
	double sum = 0, log_p = (double)f * log(p);

	for (size_t F = f; F < f + 400000; F++) {
		sum += exp(log_p) / (double)F;
		/* P(F + 1) / P(F) */
		log_p += log((double)F / (double)(F + 1 - f) * (1 - p));
	}
	return sum;
}

static void
chances_are_those_of_the_negative_binomial(void **state)
{
	static const double fractions[] = { 0.01, 0.3, 0.5, 0.501, 0.9, 0.999 };
	double r[301];
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(fractions); i++) {
		double p = fractions[i];

		assert_int_equal(population_chance(r, 300, p, &err), 0);
		/* The closed forms that are published. */
		assert_true(fabs(r[1] - p / (1 - p) * log(1 / p)) < 1e-12);
		assert_true(fabs(r[2] - p / (1 - p) * (1 - r[1])) < 1e-12);
		for (size_t f = 1; f <= 300; f += 23)
			assert_true(fabs(r[f] / chance(p, f) - 1) < 1e-8);
	}
	assert_int_equal(population_chance(r, 3, 1, &err), 0);
	assert_true(r[3] == 1.0 / 3);
	assert_int_equal(population_chance(r, 3, 0, &err), -1);
}

/* Motwani and Xu 2007: pairs of rows, looked at one by one. */
static void
columns_separate_what_differs(void **state)
{
	static const double a[] = { 1, 1, 2, 2, 3, 0.0, -0.0 };
	static const double b[] = { 1, 2, 1, 1, 5, 5, 5 };
	const double *const columns[] = { a, b, NULL };
	struct separation s[6];
	struct classes c;
	struct err err;

	(void)state;
	assert_int_equal(separation_sets(3), 6);
	assert_int_equal(separation_sets(0), 0);
	assert_int_equal(separation_measure(columns, 3, 7, s, &err), 0);
	for (size_t i = 0; i < 6; i++) {
		size_t apart = 0, different = 0;

		for (size_t x = 0; x < 7; x++) {
			bool seen = false;

			for (size_t y = 0; y < 7; y++) {
				bool same = true;

				for (size_t k = 0; k < 2; k++)
					if ((s[i].a == k || s[i].b == k) &&
					    columns[k][x] != columns[k][y])
						same = false;
				apart += !same;
				seen = seen || (y < x && same);
			}
			different += !seen;
		}
		assert_true(fabs(s[i].separation - (double)apart / 42) < 1e-15);
		assert_true(
		    fabs(s[i].distinction - (double)different / 7) < 1e-15);
	}
	assert_int_equal(classes_make(&c, columns, 2, 7, &err), 0);
	assert_true(separation_of(&c).separation == s[3].separation);
	assert_true(separation_of(&c).distinction == s[3].distinction);
	classes_free(&c);
}

static void
a_class_tells_its_commonest_value(void **state)
{
	static const double key[] = { 1, 1, 1, 2, 2, 3 };
	static const double value[] = { 7, 8, 7, 9, 9, 7 };
	const double *const keys[] = { key };
	struct disclosure d;
	struct classes c;
	struct err err;

	(void)state;
	assert_int_equal(classes_make(&c, keys, 1, 6, &err), 0);
	assert_int_equal(disclosure_measure(&c, value, &d, &err), 0);
	assert_true(fabs(d.certain - 3.0 / 6) < 1e-15);
	assert_true(fabs(d.right - 5.0 / 6) < 1e-15);
	assert_true(fabs(d.anyway - 3.0 / 6) < 1e-15);
	classes_free(&c);
}

/*
 * An attack on the report: whoever knows the sum, that the numbers shown are
 * right, and that a hidden one is below k or was hidden to protect one, tries
 * to compute a number below k.  n cells have counts of 0 to top.
 */
static void
attack_bins(size_t n, size_t top, size_t k)
{
	size_t count[5] = { 0 };

	for (;;) {
		struct bin bins[5] = { 0 };
		size_t sum = 0, m = 0, i;

		for (i = 0; i < n; i++)
			bins[i].count = count[i];
		facts_hide(bins, n, k);
		for (i = 0; i < n; i++) {
			m += bins[i].hidden;
			sum += bins[i].hidden ? count[i] : 0;
			assert_true(
			    bins[i].hidden || count[i] == 0 || count[i] >= k);
		}
		/* Each hidden one may be 1, and may be k or more; unless
		   there are fewer than k in all. */
		if (m > 0 && sum >= k && m < n)
			assert_true(m >= 2 && sum - (m - 1) >= k);
		if (m == n && sum >= k)
			assert_true(n == 1 ? count[0] == 0 : m >= 2);
		for (i = 0; i < n && ++count[i] > top; i++)
			count[i] = 0;
		if (i == n)
			return;
	}
}

static void
hidden_numbers_cannot_be_computed(void **state)
{
	(void)state;
	attack_bins(2, 30, 11);
	attack_bins(3, 14, 5);
	attack_bins(4, 8, 5);
	attack_bins(5, 6, 3);
	attack_bins(5, 4, 2);
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
	assert_true(p.pitman == 0 && p.slide == 0);
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

/* A and B have the same rows, C another one more: it is found, though each of its
   rows is like others. */
static void
linked_rows_find_who_has_them(void **state)
{
	static const double rows[] = { 1, 2, 1, 2, 1, 2, 2 };
	static const uint32_t patient[] = { 0, 0, 1, 1, 2, 2, 2 };
	static const size_t origin[] = { 0, 1, 2, 3, 4, 5, 6 };
	const double *key[] = { rows };
	struct attack a;
	struct err err;

	(void)state;
	assert_int_equal(attack_link_patients(key, key, 1, 7, 7, origin,
			     patient, 3, 1, &a, &err),
	    0);
	assert_int_equal(a.tried, 3);
	assert_int_equal(a.fitting, 3);
	assert_int_equal(a.single, 1);
	assert_true(a.correct >= 1);
	/* Without C's rows in the table nobody is like it. */
	assert_int_equal(attack_link_patients(key, key, 1, 4, 7, origin,
			     patient, 3, 1, &a, &err),
	    0);
	assert_int_equal(a.tried, 3);
	assert_int_equal(a.fitting, 2);
	assert_int_equal(a.single, 0);
	/* Row by row, three rows of 1 and four of 2 fit. */
	assert_int_equal(
	    attack_link(key, key, 1, 7, 7, origin, 1, &a, &err), 0);
	assert_int_equal(a.tried, 7);
	assert_int_equal(a.single, 0);
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
		cmocka_unit_test(pitman_is_the_likeliest),
		cmocka_unit_test(slide_shows_what_was_seen),
		cmocka_unit_test(the_rule_of_dankar_chooses),
		cmocka_unit_test(adult_has_the_figures_that_arx_prints),
		cmocka_unit_test(chances_are_those_of_the_negative_binomial),
		cmocka_unit_test(columns_separate_what_differs),
		cmocka_unit_test(a_class_tells_its_commonest_value),
		cmocka_unit_test(hidden_numbers_cannot_be_computed),
		cmocka_unit_test(nobody_alone_is_nobody_alone),
		cmocka_unit_test(the_attack_counts_true_matches),
		cmocka_unit_test(linked_rows_find_who_has_them),
		cmocka_unit_test(knowing_nothing_is_one_large_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

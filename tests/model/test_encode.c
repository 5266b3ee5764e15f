#include "tests/check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/encode.h"

#define SITES 1024

/* One real number, up to 2^bits. */
static struct layout
one_real(int bits)
{
	struct layout l;

	layout_start(&l, 100);
	layout_reals(&l, 1, bits);
	assert_false(l.failed);
	return l;
}

static double
random_within(double bound)
{
	double u = (double)random() / RAND_MAX * 2.0 - 1.0;

	/* Of all sizes, so that every bit of both limbs is used. */
	return bound * ldexp(u, -(int)(random() % 60));
}

static void
a_sum_is_exact_to_half_a_unit_per_site(void **state)
{
	static const int bits[] = { -100, -3, 0, 7, 40, 52, 104, 130 };
	struct err err;

	(void)state;
	for (size_t b = 0; b < nitems(bits); b++) {
		struct layout l = one_real(bits[b]);
		uint64_t words[4], sum[4] = { 0 };
		__float128 exact = 0;
		double values[2] = { 1.0, 0.0 }, got;
		/* Half a unit of 2^-scale per site, then one rounding. */
		double unit = ldexp(1.0, bits[b] - ENCODE_BITS);

		for (int i = 0; i < SITES; i++) {
			values[1] = random_within(ldexp(1.0, bits[b]));
			exact += values[1];
			assert_int_equal(encode(&l, values, words, &err), 0);
			for (size_t k = 0; k < 4; k++)
				sum[k] += words[k];
		}
		assert_true(sum_is_plausible(&l, sum, SITES));
		got = sum_real(&l.groups[0], sum, 0);
		assert_true(fabs((double)(got - exact)) <=
		    0.5 * SITES * unit + DBL_EPSILON / 2 * fabs(got));
		layout_free(&l);
	}
}

static void
all_sites_at_the_bound_do_not_wrap(void **state)
{
	struct err err;

	(void)state;
	for (int sign = -1; sign <= 1; sign += 2) {
		struct layout l = one_real(10);
		double values[2] = { 100.0, sign * 1024.0 };
		uint64_t words[4], sum[4] = { 0 };

		assert_int_equal(encode(&l, values, words, &err), 0);
		for (int i = 0; i < SITES; i++) {
			for (size_t k = 0; k < 4; k++)
				sum[k] += words[k];
		}
		assert_true(sum_is_plausible(&l, sum, SITES));
		assert_true(
		    sum_real(&l.groups[0], sum, 0) == sign * 1024.0 * SITES);
		assert_int_equal(sum[0], 100 * SITES);
		/* One unit more in the high limb is more than they can send. */
		sum[3] += (uint64_t)sign;
		assert_false(sum_is_plausible(&l, sum, SITES));
		layout_free(&l);
	}
}

static void
what_is_representable_comes_back_exactly(void **state)
{
	static const double v[] = { 0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 1e-20,
		-1e-20, 1024.0, -1023.9999999999999, 0x1p-94, -0x1p-94,
		0x1.fffffffffffffp9 };
	struct layout l = one_real(10);
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(v); i++) {
		double values[2] = { 1.0, v[i] };
		uint64_t words[4];
		/* 2^-94 is the unit. */
		double expected = fabs(v[i]) < 0x1p-42
		    ? nearbyint(v[i] * 0x1p94) * 0x1p-94
		    : v[i];

		assert_int_equal(encode(&l, values, words, &err), 0);
		assert_int_equal(words[1], 0);
		assert_true(words[2] < UINT64_C(1) << 52);
		assert_true(sum_real(&l.groups[0], words, 0) == expected);
	}
	layout_free(&l);
}

static void
refuses_what_is_not_finite_or_beyond_its_bound(void **state)
{
	const double bad[] = { NAN, HUGE_VAL, -HUGE_VAL, 1024.0000000000002,
		-1024.0000000000002, DBL_MAX };
	const double bad_counts[] = { NAN, HUGE_VAL, -1.0, 0.5, 8.0, 1e300 };
	struct layout l;
	struct err err;

	(void)state;
	layout_start(&l, 100);
	layout_reals(&l, 1, 10);
	layout_counts(&l, 1, 7);
	for (size_t i = 0; i < nitems(bad); i++) {
		double values[3] = { 1.0, bad[i], 0.0 };
		uint64_t words[5];

		assert_int_equal(encode(&l, values, words, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
	}
	for (size_t i = 0; i < nitems(bad_counts); i++) {
		double values[3] = { 1.0, 0.0, bad_counts[i] };
		double weight[3] = { bad_counts[i] + 93.0, 0.0, 0.0 };
		uint64_t words[5];

		assert_int_equal(encode(&l, values, words, &err), -1);
		if (bad_counts[i] != -1.0)
			assert_int_equal(encode(&l, weight, words, &err), -1);
	}
	layout_free(&l);
}

static void
a_sum_beyond_its_sites_is_suspect(void **state)
{
	struct layout l;
	uint64_t sum[5] = { 300, 0, 3 * ((UINT64_C(1) << 52) - 1),
		UINT64_C(3) << 52, 21 };

	(void)state;
	layout_start(&l, 100);
	layout_reals(&l, 1, 10);
	layout_counts(&l, 1, 7);
	assert_true(sum_is_plausible(&l, sum, 3));
	assert_false(sum_is_plausible(&l, sum, 2));
	for (size_t k = 0; k < nitems(sum); k++) {
		sum[k]++;
		assert_false(sum_is_plausible(&l, sum, 3));
		sum[k]--;
	}
	layout_free(&l);
}

static void
logarithms_are_right_to_two_units(void **state)
{
	(void)state;
	srandom(7);
	for (int i = 0; i < 200000; i++) {
		double x = ldexp(0.5 + (double)random() / RAND_MAX,
		    (int)(random() % 2000) - 1000);
		double got = num_log(x);
		long double expected = logl((long double)x);
		double ulp = fabs((double)expected) * DBL_EPSILON;

		assert_true(fabsl(got - expected) <= 2.0L * ulp);
	}
	assert_true(num_log(1.0) == 0.0);
	assert_true(fabs(num_log(DBL_TRUE_MIN) - log(DBL_TRUE_MIN)) < 1e-12);
	assert_true(isnan(num_log(0.0)));
	assert_true(isnan(num_log(-1.0)));
	assert_true(isnan(num_log(HUGE_VAL)));
}

static void
wide_numbers_are_rounded_once_to_even(void **state)
{
	wide one = 1;

	(void)state;
	assert_true(num_wide(0, 0) == 0.0);
	assert_true(num_wide(3, 1) == 1.5);
	assert_true(num_wide(-(wide)3, 1) == -1.5);
	assert_true(num_wide(one << 100, 0) == 0x1p100);
	/* A tie goes to even; anything above it, however small, up. */
	assert_true(num_wide((one << 100) + (one << 47), 0) == 0x1p100);
	assert_true(num_wide((one << 100) + (one << 47) + 1, 0) ==
	    0x1.0000000000001p100);
	assert_true(num_wide((one << 53) + 1, 0) == 0x1p53);
	assert_true(num_wide(((wide)1 << 104), 304) == 0x1p-200);
}

static void
bits_are_the_smallest_bound(void **state)
{
	(void)state;
	assert_int_equal(num_bits(1.0), 0);
	assert_int_equal(num_bits(1.0000001), 1);
	assert_int_equal(num_bits(0.5), -1);
	assert_int_equal(num_bits(1024.0), 10);
	assert_int_equal(num_bits(1025.0), 11);
	assert_int_equal(num_bits(0.0), -200);
	assert_true(num_environment_is_ieee());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sum_is_exact_to_half_a_unit_per_site),
		cmocka_unit_test(all_sites_at_the_bound_do_not_wrap),
		cmocka_unit_test(what_is_representable_comes_back_exactly),
		cmocka_unit_test(
		    refuses_what_is_not_finite_or_beyond_its_bound),
		cmocka_unit_test(a_sum_beyond_its_sites_is_suspect),
		cmocka_unit_test(logarithms_are_right_to_two_units),
		cmocka_unit_test(wide_numbers_are_rounded_once_to_even),
		cmocka_unit_test(bits_are_the_smallest_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

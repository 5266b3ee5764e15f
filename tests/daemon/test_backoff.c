#include "tests/check.h"

#include "common/macros.h"
#include "daemon/backoff.h"

static void
doubles_up_to_its_limit(void **state)
{
	static const int64_t expected[] = { 500, 1000, 2000, 4000, 8000, 16000,
		32000, 60000, 60000, 60000 };

	struct backoff b = { 0 };

	(void)state;
	for (size_t i = 0; i < nitems(expected); i++) {
		assert_int_equal(backoff_next(&b, 0), expected[i] / 2);
		assert_int_equal(b.most_ms, expected[i]);
	}
}

static void
stays_at_its_limit_for_ever(void **state)
{
	struct backoff b = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		backoff_next(&b, 0);
	assert_int_equal(b.most_ms, BACKOFF_MAX_MS);
	assert_int_equal(backoff_next(&b, 0), BACKOFF_MAX_MS / 2);
}

/* After each number of failures, every millisecond between half of the longest
   wait and all of it comes up, equally often, and no other. */
static void
is_spread_over_the_upper_half(void **state)
{
	static unsigned seen[BACKOFF_MAX_MS + 1];
	struct backoff b = { 0 };

	(void)state;
	for (int i = 0; i < 9; i++) {
		struct backoff last = b;
		int64_t most, half;

		backoff_next(&b, 0);
		most = b.most_ms;
		half = most / 2;
		memset(seen, 0, sizeof(seen));
		for (uint32_t r = 0; r < 3 * (half + 1); r++) {
			struct backoff copy = last;
			int64_t ms = backoff_next(&copy, r);

			assert_in_range(ms, half, most);
			seen[ms]++;
		}
		for (int64_t ms = half; ms <= most; ms++)
			assert_int_equal(seen[ms], 3);
	}
}

static void
takes_any_random_number(void **state)
{
	static const uint32_t numbers[] = { 0, 1, INT32_MAX,
		(uint32_t)INT32_MAX + 1, UINT32_MAX - 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < nitems(numbers); i++) {
		struct backoff b = { 0 };

		assert_in_range(backoff_next(&b, numbers[i]), 250, 500);
		b.most_ms = BACKOFF_MAX_MS;
		assert_in_range(backoff_next(&b, numbers[i]), 30000, 60000);
	}
}

static void
begins_anew_after_a_success(void **state)
{
	struct backoff b = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++)
		backoff_next(&b, 0);
	backoff_reset(&b);
	assert_int_equal(b.most_ms, 0);
	assert_int_equal(backoff_next(&b, 0), 250);
	assert_int_equal(backoff_next(&b, 0), 500);
	backoff_reset(&b); /* also in the middle, and twice */
	backoff_reset(&b);
	assert_int_equal(backoff_next(&b, 250), 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_its_limit),
		cmocka_unit_test(stays_at_its_limit_for_ever),
		cmocka_unit_test(is_spread_over_the_upper_half),
		cmocka_unit_test(takes_any_random_number),
		cmocka_unit_test(begins_anew_after_a_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/check.h"

#include "common/bucket.h"

/* How many of n are let through at a moment. */
static int
take(struct bucket *b, int n, int64_t now_ms)
{
	int taken = 0;

	while (n-- > 0)
		taken += bucket_take(b, 4000, 1000, now_ms);
	return taken;
}

static void
so_many_at_once_and_no_more(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	assert_int_equal(take(&b, 10000, 77), 4000);
	assert_int_equal(take(&b, 10000, 77), 0);
	/* Who is refused does not make others wait any longer. */
	assert_int_equal(take(&b, 10000, 78), 1);
	assert_int_equal(take(&b, 10000, 88), 10);
}

/* However it is spread over the time, and for years. */
static void
so_many_a_second_in_the_long_run(void **state)
{
	static const int64_t steps_ms[] = { 1, 7, 250, 1000 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct bucket b = { 0 };
		int64_t now = (int64_t)20 * 365 * 86400 * 1000;
		int taken = take(&b, 4000, now);

		for (int64_t end = now + 14000; now < end;) {
			now += steps_ms[i];
			taken += take(&b, 2000, now);
		}
		assert_int_equal(taken, 4000 + 14000);
	}
}

static void
who_was_away_has_a_full_bucket_and_no_more(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	assert_int_equal(take(&b, 4000, 1), 4000);
	assert_int_equal(take(&b, 9000, (int64_t)1 << 50), 4000);
	/* A bucket is somebody's own. */
	b = (struct bucket){ 0 };
	assert_int_equal(take(&b, 9000, 1), 4000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once_and_no_more),
		cmocka_unit_test(so_many_a_second_in_the_long_run),
		cmocka_unit_test(who_was_away_has_a_full_bucket_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/check.h"

#include <time.h>

#include "common/clock.h"

static void
assert_time(int64_t utc, const char *text)
{
	char out[CLOCK_TEXT_SIZE];

	clock_text(utc, out);
	assert_string_equal(out, text);
}

static void
writes_known_times(void **state)
{
	(void)state;
	assert_time(0, "1970-01-01T00:00:00Z");
	assert_time(951782400, "2000-02-29T00:00:00Z");
	assert_time(1795426200, "2026-11-23T09:30:00Z");
	assert_time(-1, "1969-12-31T23:59:59Z");
	assert_time(253402300799, "9999-12-31T23:59:59Z");
	assert_time(253402300800, "?");
	assert_time(INT64_MAX, "?");
	assert_time(INT64_MIN, "?");
}

static void
agrees_with_the_c_library(void **state)
{
	(void)state;
	for (int64_t t = -5000000000; t < 9000000000; t += 86399 * 37) {
		time_t time = (time_t)t;
		char text[CLOCK_TEXT_SIZE];
		struct tm tm;

		assert_non_null(gmtime_r(&time, &tm));
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_time(t, text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_known_times),
		cmocka_unit_test(agrees_with_the_c_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

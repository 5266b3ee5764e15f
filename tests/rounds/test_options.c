/*
 * What a study may choose: cipher suite, how sums are checked, which sites may
 * come and go.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <string.h>

#include "common/clock.h"
#include "common/err.h"

static int
with(const char *cohort, const char *privacy)
{
	return consortium_start((struct options){ .n = 4,
	    .cohort = cohort,
	    .privacy = privacy,
	    .ready_wait_s = 60,
	    .deadline_s = 2 });
}

static int
teardown(void **state)
{
	(void)state;
	return consortium_stop();
}

static int
with_chacha20(void **state)
{
	(void)state;
	return with("fixed", "suite = chacha20\n");
}

static uint8_t
suite_in(const struct canon *roster)
{
	/* type, content's length, announcement, N to k; then the suite */
	size_t at =
	    4 + strlen("consilium-1/roster") + 4 + 32 + 4 * 2 + 4 + 5 * 2;

	assert_true(at < roster->len);
	return roster->data[at];
}

static unsigned suites_seen;

static enum fate
see_suite(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	if (type == ROUND_ROSTER)
		suites_seen |= 1u << suite_in(msg);
	return PASS;
}

static void
a_study_may_choose_chacha20(void **state)
{
	(void)state;
	suites_seen = 0;
	h.to_site = see_suite;
	begin();
	finish();
	assert_int_equal(suites_seen, 1u << ROUND_CHACHA20);
}

#define TEST(f, setup) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_may_choose_chacha20, with_chacha20),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

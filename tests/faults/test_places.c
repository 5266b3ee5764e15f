/*
 * The real gate and the real rounds, with a fault at each place where the
 * system can fail them; see sweep_places().
 */
#include "config.h"

#include "tests/check.h"

#include "common/macros.h"
#include "tests/faults/fault.h"
#include "tests/faults/sweep.h"

static const char *const words[] = { FAULT_WORDS };

static void
a_gate_meets_a_fault_at_each_place(void **state)
{
	(void)state;
	sweep_places(false, words, nitems(words));
}

static void
rounds_meet_a_fault_at_each_place(void **state)
{
	(void)state;
	sweep_places(true, words, nitems(words));
}

#define TEST(f) cmocka_unit_test_teardown(f, show_errors)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_gate_meets_a_fault_at_each_place),
		TEST(rounds_meet_a_fault_at_each_place),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The real gate and the real rounds, with a fault at each place where the
 * system can fail them; see sweep_places().
 */
#include "config.h"

#include "tests/check.h"

#include "tests/faults/fault.h"
#include "tests/faults/sweep.h"

static const char *const words[] = { "memory", "No space left on device",
	"disk I/O error", "full", "interrupted", "too big",
	"unable to open database file", "too much to wait for" };

#define N_WORDS (sizeof(words) / sizeof(*words))

static void
a_gate_whose_database_fails(void **state)
{
	(void)state;
	sweep_places(false, PLACES_DATABASE, words, N_WORDS);
}

static void
rounds_whose_database_fails(void **state)
{
	(void)state;
	sweep_places(true, PLACES_DATABASE, words, N_WORDS);
}

static void
a_gate_whose_disk_fails(void **state)
{
	(void)state;
	sweep_places(false, PLACES_DISK, words, N_WORDS);
}

static void
rounds_whose_disk_fails(void **state)
{
	(void)state;
	sweep_places(true, PLACES_DISK, words, N_WORDS);
}

static void
a_gate_whose_channels_fail(void **state)
{
	(void)state;
	sweep_places(false, PLACES_CHANNEL, words, N_WORDS);
}

static void
rounds_whose_channels_fail(void **state)
{
	(void)state;
	sweep_places(true, PLACES_CHANNEL, words, N_WORDS);
}

static void
a_gate_without_memory(void **state)
{
	(void)state;
	sweep_places(false, PLACES_MEMORY, words, N_WORDS);
}

static void
rounds_without_memory(void **state)
{
	(void)state;
	sweep_places(true, PLACES_MEMORY, words, N_WORDS);
}

#define TEST(f) cmocka_unit_test_teardown(f, show_errors)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_gate_whose_database_fails),
		TEST(rounds_whose_database_fails),
		TEST(a_gate_whose_disk_fails),
		TEST(rounds_whose_disk_fails),
		TEST(a_gate_whose_channels_fail),
		TEST(rounds_whose_channels_fail),
		TEST(a_gate_without_memory),
		TEST(rounds_without_memory),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

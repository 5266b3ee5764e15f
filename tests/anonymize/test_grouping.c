#include "config.h"

#include "tests/check.h"

#include <stdbool.h>
#include <stdlib.h>

#include "anonymize/grouping.h"
#include "common/macros.h"

static uint64_t
roll(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 20;
}

struct item {
	uint64_t key;
	uint32_t count;
};

static int
by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

/* n keys of about so many different ones, in the bits from shift on: each group
   has one key, which comes as often as sorting the keys says, and each key says
   its own group. */
static void
check(size_t n, uint64_t different, unsigned shift, bool counted)
{
	struct item *items = malloc((n + 1) * sizeof(*items));
	uint32_t *count = malloc((n + 1) * sizeof(*count));
	uint32_t *becomes = malloc((n + 1) * sizeof(*becomes));
	struct item *groups = malloc((n + 1) * sizeof(*groups));
	struct grouping g = { 0 };
	uint64_t seed = n + different, *key = grouping_keys(&g, n);
	size_t at = 0;

	assert_non_null(key);
	for (size_t i = 0; i < n; i++) {
		count[i] = counted ? 1 + roll(&seed) % 5 : 1;
		key[i] = roll(&seed) % different << shift;
		items[i] = (struct item){ key[i], count[i] };
	}
	assert_int_equal(
	    grouping_make(&g, n, counted ? count : NULL, becomes), 0);
	for (size_t i = 0; i < n; i++)
		assert_true(g.key[becomes[i]] == items[i].key);
	qsort(items, n, sizeof(*items), by_key);
	for (size_t i = 0; i < g.n; i++)
		groups[i] = (struct item){ g.key[i], g.count[i] };
	qsort(groups, g.n, sizeof(*groups), by_key);
	for (size_t i = 0; i < g.n; i++) {
		uint64_t sum = 0;

		for (; at < n && items[at].key == groups[i].key; at++)
			sum += items[at].count;
		assert_true(sum > 0 && sum == groups[i].count);
	}
	assert_int_equal(at, n);
	grouping_free(&g);
	free(items);
	free(count);
	free(becomes);
	free(groups);
}

static void
puts_together_what_is_equal(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 16384, 16385, 100000 };
	static const uint64_t different[] = { 1, 7, 20000, UINT64_C(1) << 40 };

	(void)state;
	for (size_t i = 0; i < nitems(sizes); i++)
		for (size_t k = 0; k < nitems(different); k++) {
			check(sizes[i], different[k], 0, false);
			check(sizes[i], different[k], 24, true);
		}
}

/* Larger and smaller inputs one after another use the same memory. */
static void
is_used_again(void **state)
{
	static const size_t sizes[] = { 10, 30000, 20, 40000, 17000 };
	struct grouping g = { 0 };

	(void)state;
	for (size_t i = 0; i < nitems(sizes); i++) {
		uint64_t *key = grouping_keys(&g, sizes[i]);

		assert_non_null(key);
		for (size_t k = 0; k < sizes[i]; k++)
			key[k] = k / 2;
		assert_int_equal(grouping_make(&g, sizes[i], NULL, NULL), 0);
		assert_int_equal(g.n, sizes[i] / 2);
		for (size_t k = 0; k < g.n; k++)
			assert_int_equal(g.count[k], 2);
	}
	grouping_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_together_what_is_equal),
		cmocka_unit_test(is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

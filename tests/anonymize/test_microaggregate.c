#include "config.h"

#include "tests/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "anonymize/microaggregate.h"
#include "common/err.h"
#include "common/macros.h"

#define ROWS 60
#define COLUMNS 3

static uint64_t seed;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* Within-group sum of squares; groups of fewer than k fail. */
static double
squares(const double *v, size_t n, size_t d, size_t k, const uint32_t *group,
    size_t n_groups)
{
	double sum = 0;

	for (size_t g = 0; g < n_groups; g++) {
		size_t size = 0;

		for (size_t i = 0; i < n; i++)
			size += group[i] == g;
		assert_true(size >= k && (size < 2 * k || n < 2 * k));
		for (size_t c = 0; c < d; c++) {
			double mean = 0;

			for (size_t i = 0; i < n; i++)
				mean += group[i] == g ? v[i * d + c] : 0;
			mean /= (double)size;
			for (size_t i = 0; i < n; i++)
				sum += group[i] == g ? (v[i * d + c] - mean) *
					(v[i * d + c] - mean)
						     : 0;
		}
	}
	return sum;
}

/*
 * One column.
 */

static void
cuts_where_a_person_would(void **state)
{
	/* {1, 2, 3}, {10, 11, 12}: 2 + 2; the other order in the rows. */
	static const double six[] = { 11, 2, 12, 1, 10, 3 };
	/* k = 2: {1, 2}, {5, 6, 7} or {1, 2, 5}, {6, 7}: 0.5 + 2. */
	static const double five[] = { 1, 2, 5, 6, 7 };
	uint32_t group[6];
	size_t n;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(microaggregate(six, 6, 1, 3, group, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(group[0], group[2]);
	assert_int_equal(group[0], group[4]);
	assert_int_equal(group[1], group[3]);
	assert_int_equal(group[1], group[5]);
	assert_true(fabs(squares(six, 6, 1, 3, group, n) - 4) < 1e-12);
	assert_int_equal(microaggregate(five, 5, 1, 2, group, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_true(fabs(squares(five, 5, 1, 2, group, n) - 2.5) < 1e-12);
}

/* The least sum of squares of sorted values in groups of k and more, by trying
   all sizes of the first group. */
static double
try_all(const double *v, size_t n, size_t k)
{
	double best = INFINITY;

	if (n == 0)
		return 0;
	for (size_t size = k; size <= n; size++) {
		double mean = 0, sum = 0;

		for (size_t i = 0; i < size; i++)
			mean += v[i] / (double)size;
		for (size_t i = 0; i < size; i++)
			sum += (v[i] - mean) * (v[i] - mean);
		best = MIN(best, sum + try_all(v + size, n - size, k));
	}
	return best;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
one_column_is_the_optimum(void **state)
{
	struct err err = { 0 };

	(void)state;
	seed = 1;
	for (size_t k = 2; k <= 4; k++)
		for (size_t n = k; n <= 22; n++) {
			double v[22], sorted[22], best;
			uint32_t group[22];
			size_t groups;

			for (size_t i = 0; i < n; i++)
				v[i] = sorted[i] = draw(50) + draw(4) / 4.0;
			qsort(sorted, n, sizeof(*sorted), ascending);
			best = try_all(sorted, n, k);
			assert_int_equal(
			    microaggregate(v, n, 1, k, group, &groups, &err),
			    0);
			assert_true(fabs(squares(v, n, 1, k, group, groups) -
					best) < 1e-9);
		}
}

/*
 * Several columns.
 */

static double
between(const double *x, const double *y)
{
	double sum = 0;

	for (size_t c = 0; c < COLUMNS; c++)
		sum += (x[c] - y[c]) * (x[c] - y[c]);
	return sum;
}

/* The open row that is furthest from a point, or nearest. */
static size_t
pick(const double *v, size_t n, const bool *open, const double *from, bool far)
{
	size_t best = n;

	for (size_t i = 0; i < n; i++) {
		double d = between(v + i * COLUMNS, from);

		if (open[i] &&
		    (best == n ||
			(far ? d > between(v + best * COLUMNS, from)
			     : d < between(v + best * COLUMNS, from))))
			best = i;
	}
	return best;
}

/* MDAV by its description, a row at a time. */
static size_t
slow_mdav(const double *v, size_t n, size_t k, uint32_t *group)
{
	bool open[ROWS];
	size_t left = n, groups = 0;

	for (size_t i = 0; i < n; i++)
		open[i] = true;
	while (left >= 2 * k) {
		double mean[COLUMNS] = { 0 }, ends[2][COLUMNS];
		size_t n_ends = left >= 3 * k ? 2 : 1;

		for (size_t c = 0; c < COLUMNS; c++) {
			for (size_t i = 0; i < n; i++)
				mean[c] += open[i] ? v[i * COLUMNS + c] : 0;
			mean[c] /= (double)left;
		}
		memcpy(ends[0], v + pick(v, n, open, mean, true) * COLUMNS,
		    sizeof(ends[0]));
		memcpy(ends[1], v + pick(v, n, open, ends[0], true) * COLUMNS,
		    sizeof(ends[1]));
		for (size_t e = 0; e < n_ends; e++, groups++)
			for (size_t i = 0; i < k; i++, left--) {
				size_t near = pick(v, n, open, ends[e], false);

				open[near] = false;
				group[near] = (uint32_t)groups;
			}
	}
	for (size_t i = 0; i < n; i++)
		if (open[i])
			group[i] = (uint32_t)groups;
	return groups + (left > 0);
}

static void
several_columns_are_as_described(void **state)
{
	struct err err = { 0 };

	(void)state;
	seed = 2;
	for (size_t k = 2; k <= 7; k++)
		for (size_t n = k; n <= ROWS; n += 1 + draw(5)) {
			double v[ROWS * COLUMNS];
			uint32_t group[ROWS], slow[ROWS];
			size_t groups;

			/* Few values, so that distances are often the same. */
			for (size_t i = 0; i < n * COLUMNS; i++)
				v[i] = draw(n % 2 == 0 ? 5 : 1000);
			assert_int_equal(microaggregate(v, n, COLUMNS, k, group,
					     &groups, &err),
			    0);
			assert_int_equal(slow_mdav(v, n, k, slow), groups);
			assert_memory_equal(group, slow, n * sizeof(*group));
			squares(v, n, COLUMNS, k, group, groups);
		}
}

/* Two clouds, far from each other, and two rows between them. */
static void
finds_what_lies_together(void **state)
{
	static const double v[] = { 0, 0, 0, 1, 1, 0, /**/ 90, 90, 90, 91, 91,
		90, /**/ 40, 40, 50, 50 };
	uint32_t group[8];
	size_t n;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(microaggregate(v, 8, 2, 3, group, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(group[0], group[1]);
	assert_int_equal(group[0], group[2]);
	assert_int_equal(group[3], group[4]);
	assert_int_equal(group[3], group[5]);
	assert_int_not_equal(group[0], group[3]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_where_a_person_would),
		cmocka_unit_test(one_column_is_the_optimum),
		cmocka_unit_test(several_columns_are_as_described),
		cmocka_unit_test(finds_what_lies_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

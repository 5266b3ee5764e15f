#include "config.h"

#include "tests/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
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

/* Within groups. */
static double
sum_of_squares(
    const double *v, size_t n, size_t d, const uint32_t *group, size_t n_groups)
{
	double sum = 0;

	for (size_t g = 0; g < n_groups; g++) {
		size_t size = 0;

		for (size_t i = 0; i < n; i++)
			size += group[i] == g;
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

/* The same; groups of fewer than k fail. */
static double
squares(const double *v, size_t n, size_t d, size_t k, const uint32_t *group,
    size_t n_groups)
{
	for (size_t g = 0; g < n_groups; g++) {
		size_t size = 0;

		for (size_t i = 0; i < n; i++)
			size += group[i] == g;
		assert_true(size >= k && (size < 2 * k || n < 2 * k));
	}
	return sum_of_squares(v, n, d, group, n_groups);
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

/* The least sum of squares over all ways to put rows into groups of k and more, not
   only those next to each other. */
static double
try_all_partitions(const double *v, size_t n, size_t k, uint32_t *group,
    size_t at, uint32_t n_groups)
{
	double best = INFINITY;

	if (at == n) {
		for (uint32_t g = 0; g < n_groups; g++) {
			size_t size = 0;

			for (size_t i = 0; i < n; i++)
				size += group[i] == g;
			if (size < k)
				return INFINITY;
		}
		return sum_of_squares(v, n, 1, group, n_groups);
	}
	for (uint32_t g = 0; g <= n_groups; g++) {
		group[at] = g;
		best = MIN(best,
		    try_all_partitions(
			v, n, k, group, at + 1, n_groups + (g == n_groups)));
	}
	return best;
}

static void
no_other_groups_lose_less(void **state)
{
	struct err err = { 0 };

	(void)state;
	seed = 3;
	for (size_t k = 2; k <= 3; k++)
		for (size_t n = k; n <= 8; n++) {
			double v[8];
			uint32_t group[8], any[8];
			size_t groups;

			for (size_t i = 0; i < n; i++)
				v[i] = draw(30) + draw(2) / 2.0;
			assert_int_equal(
			    microaggregate(v, n, 1, k, group, &groups, &err),
			    0);
			assert_true(
			    fabs(squares(v, n, 1, k, group, groups) -
				try_all_partitions(v, n, k, any, 0, 0)) < 1e-9);
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

/*
 * Real numbers, against R.
 */

#define LUNG_ROWS 212
#define LUNG_COLUMNS 8

/* The column's number in lung.csv. */
static size_t
lung_column(const char *name)
{
	static const char *const names[] = { "inst", "time", "event", "age",
		"sex", "ecog", "karno", "wtloss" };
	size_t i = 0;

	while (i < nitems(names) && strcmp(names[i], name) != 0)
		i++;
	assert_true(i < nitems(names));
	return i;
}

static FILE *
open_vectors(const char *name)
{
	const char *dir = getenv("top_srcdir");
	char path[512], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/%s",
	    dir != NULL ? dir : ".", name);
	if ((f = fopen(path, "re")) == NULL)
		fail_msg("%s", path);
	assert_non_null(fgets(line, sizeof(line), f));
	return f;
}

static void
read_lung(double rows[LUNG_ROWS][LUNG_COLUMNS])
{
	FILE *f = open_vectors("pooled/lung.csv");

	for (size_t i = 0; i < LUNG_ROWS; i++)
		for (size_t c = 0; c < LUNG_COLUMNS; c++)
			assert_int_equal(
			    fscanf(f, "%lf%*[,\n]", &rows[i][c]), 1);
	fclose(f);
}

/* tests/reference/microaggregation.R */
static void
loses_what_r_computes(void **state)
{
	static double lung[LUNG_ROWS][LUNG_COLUMNS];
	static double v[LUNG_ROWS * LUNG_COLUMNS];
	FILE *f = open_vectors("microaggregation.csv");
	size_t k, groups, lines = 0;
	char columns[64];
	double lost, share;

	(void)state;
	read_lung(lung);
	while (fscanf(f, "%63[^,],%zu,%zu,%lf,%lf\n", columns, &k, &groups,
		   &lost, &share) == 5) {
		uint32_t group[LUNG_ROWS], one[LUNG_ROWS] = { 0 };
		size_t which[LUNG_COLUMNS], d = 0, n;
		struct err err = { 0 };
		double sum, all;
		char *rest = NULL;

		for (char *name = strtok_r(columns, "+", &rest); name != NULL;
		     name = strtok_r(NULL, "+", &rest))
			which[d++] = lung_column(name);
		for (size_t i = 0; i < LUNG_ROWS; i++)
			for (size_t c = 0; c < d; c++)
				v[i * d + c] = lung[i][which[c]];
		assert_int_equal(
		    microaggregate(v, LUNG_ROWS, d, k, group, &n, &err), 0);
		if (groups != 0)
			assert_int_equal(n, groups);
		sum = squares(v, LUNG_ROWS, d, k, group, n);
		all = sum_of_squares(v, LUNG_ROWS, d, one, 1);
		if (fabs(sum - lost) > 1e-9 * lost ||
		    fabs(sum / all - share) > 1e-9 * share)
			fail_msg("%zu columns, k = %zu: %.17g instead of %.17g",
			    d, k, sum, lost);
		lines++;
	}
	fclose(f);
	assert_int_equal(lines, 18);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_where_a_person_would),
		cmocka_unit_test(one_column_is_the_optimum),
		cmocka_unit_test(no_other_groups_lose_less),
		cmocka_unit_test(several_columns_are_as_described),
		cmocka_unit_test(finds_what_lies_together),
		cmocka_unit_test(loses_what_r_computes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

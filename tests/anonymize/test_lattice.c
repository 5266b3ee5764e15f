#include "config.h"

#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "anonymize/hierarchy.h"
#include "anonymize/lattice.h"
#include "anonymize/models.h"
#include "common/err.h"
#include "common/macros.h"
#include "tests/anonymize/drawn.h"

#define ROWS 150
#define ATTRIBUTES 4
#define SENSITIVE 5
#define DRAWN                                                                  \
	{                                                                      \
		.n_rows = ROWS, .n_attributes = ATTRIBUTES,                    \
		.n_sensitive = SENSITIVE, .mixed = true                        \
	}

static void
refuses_what_is_no_hierarchy(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{ "", "h.csv:1:1: no value" },
		{ "a;x;*\nb;x\n", "h.csv:2:1: 2 levels" },
		{ "a;x;*\na;x;*\n", "h.csv:2:1: this value is there twice" },
		{ "a;x;p;*\nb;x;q;*\n", "h.csv:2:2: no tree" },
		{ "1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17\n",
		    "h.csv:1:1: 17 levels" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		struct hierarchy h;
		struct err err = { 0 };

		assert_int_equal(drawn_hierarchy(&h, bad[i].text, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
		if (strncmp(err.msg, bad[i].error, strlen(bad[i].error)) != 0)
			fail_msg("%s instead of %s", err.msg, bad[i].error);
	}
}

static void
counts_the_leaves_under_a_group(void **state)
{
	struct hierarchy h;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    drawn_hierarchy(&h, "a;x;*\nb;x;*\n\"c\";y;*\n", &err), 0);
	assert_int_equal(h.n_leaves, 3);
	assert_int_equal(h.n_levels, 3);
	assert_int_equal(h.level[1].leaves[0], 2);
	assert_int_equal(h.level[1].leaves[1], 1);
	assert_int_equal(h.level[2].leaves[0], 3);
	assert_int_equal(hierarchy_leaf(&h, "c", 1), 2);
	assert_int_equal(hierarchy_leaf(&h, "cc", 2), DICTIONARY_NONE);
	hierarchy_free(&h);
}

/*
 * The same again, another way: row against row, by the definitions.
 */

static size_t
rank_sum(uint32_t *counts, size_t from)
{
	size_t sum = 0;

	for (size_t i = 0; i < SENSITIVE; i++)
		for (size_t j = i + 1; j < SENSITIVE; j++)
			if (counts[j] > counts[i]) {
				uint32_t c = counts[i];

				counts[i] = counts[j];
				counts[j] = c;
			}
	for (size_t i = from; i < SENSITIVE; i++)
		sum += counts[i];
	return sum;
}

static bool
class_holds(const struct drawn *t, const struct models *m,
    const uint32_t *counts, size_t size)
{
	double share[SENSITIVE] = { 0 }, bits = 0, equal = 0, sum = 0, ord = 0;
	size_t distinct = 0;
	uint32_t sorted[SENSITIVE];

	if (size < m->k)
		return false;
	for (size_t r = 0; r < ROWS; r++)
		share[t->sensitive[r]] += 1.0 / ROWS;
	for (size_t v = 0; v < SENSITIVE; v++) {
		double p = counts[v] / (double)size;

		sorted[v] = counts[v];
		distinct += counts[v] > 0;
		bits -= p > 0 ? p * log2(p) : 0;
		equal += fabs(p - share[v]) / 2;
		sum += p - share[v];
		ord += fabs(sum) / (SENSITIVE - 1);
	}
	for (size_t i = 0; i < m->n; i++) {
		const struct model *o = &m->list[i];

		if ((o->kind == MODEL_DISTINCT && distinct < o->l) ||
		    (o->kind == MODEL_ENTROPY && exp2(bits) < o->t - 1e-9) ||
		    (o->kind == MODEL_EQUAL && equal > o->t + 1e-9) ||
		    (o->kind == MODEL_ORDERED && ord > o->t + 1e-9))
			return false;
		if (o->kind == MODEL_RECURSIVE) {
			size_t tail = rank_sum(sorted, o->l - 1);

			if (!(sorted[0] < o->c * (double)tail))
				return false;
		}
	}
	return true;
}

/* Loss of a node, or infinity if it does not fit. */
static double
slow_loss(const struct drawn *t, const struct models *m, double limit,
    const uint8_t *level)
{
	bool kept[ROWS];
	size_t lost = 0;
	double classes = 0, loss = 0, weights = 0;

	for (size_t r = 0; r < ROWS; r++) {
		uint32_t counts[SENSITIVE] = { 0 };
		size_t size = 0;

		for (size_t q = 0; q < ROWS; q++) {
			bool same = true;

			for (size_t a = 0; a < ATTRIBUTES; a++) {
				const uint32_t *g =
				    t->h[a].level[level[a]].group_of;

				same = same &&
				    g[t->leaf[a][r]] == g[t->leaf[a][q]];
			}
			size += same;
			counts[t->sensitive[q]] += same;
		}
		kept[r] = class_holds(t, m, counts, size);
		lost += !kept[r];
		classes += kept[r] ? 1 / (double)size : 0;
	}
	if (lost > limit * ROWS || lost == ROWS ||
	    (m->average_risk > 0 &&
		classes / (double)(ROWS - lost) > m->average_risk + 1e-9))
		return INFINITY;
	for (size_t a = 0; a < ATTRIBUTES; a++) {
		const struct hierarchy *h = &t->h[a];
		double s = 0, least = ROWS / (double)h->n_leaves;

		for (size_t r = 0; r < ROWS; r++) {
			uint32_t g = h->level[level[a]].group_of[t->leaf[a][r]];

			s += kept[r]
			    ? h->level[level[a]].leaves[g] / (double)h->n_leaves
			    : 1;
		}
		loss += t->attributes[a].weight *
		    log(MAX(0, (s - least) / (ROWS - least)) + 1);
		weights += t->attributes[a].weight;
	}
	return exp(loss / weights) - 1;
}

/* Every node, one after another. */
static double
exhaustive(const struct drawn *t, const struct models *m, double limit)
{
	uint8_t level[ATTRIBUTES] = { 0 };
	double best = INFINITY;
	size_t a = 0;

	while (a < ATTRIBUTES) {
		best = MIN(best, slow_loss(t, m, limit, level));
		for (a = 0; a < ATTRIBUTES && ++level[a] == t->h[a].n_levels;
		     a++)
			level[a] = 0;
	}
	return best;
}

static void
compare(struct drawn *t, struct models *m, double limit)
{
	const struct lattice_input in = { t->attributes, ATTRIBUTES, ROWS, m,
		limit };
	struct err err = { 0 };
	struct lattice_node best, again;
	struct lattice *l;
	double slow = exhaustive(t, m, limit);

	assert_int_equal(models_count(m, ROWS, &err), 0);
	if ((l = lattice_new(&in, &err)) == NULL)
		fail_msg("%s", err.msg);
	if (slow == INFINITY) {
		assert_int_equal(lattice_search(l, &best, &err), -1);
		assert_int_equal(err.code, ERR_REFUSED);
	} else {
		if (lattice_search(l, &best, &err) != 0)
			fail_msg("%s", err.msg);
		if (fabs(best.loss - slow) > 1e-9)
			fail_msg("%.12g, exhaustively %.12g", best.loss, slow);
		assert_true(fabs(slow_loss(t, m, limit, best.level) -
				best.loss) < 1e-9);
		assert_int_equal(
		    lattice_measure(l, best.level, &again, &err), 1);
		assert_true(again.loss == best.loss);
		assert_int_equal(again.suppressed, best.suppressed);
	}
	lattice_free(l);
	models_free_shares(m);
}

static void
finds_what_an_exhaustive_search_finds(void **state)
{
	static const double limits[] = { 0, 0.05, 0.3, 1 };
	static const struct model kinds[] = {
		{ .kind = MODEL_DISTINCT, .l = 3 },
		{ .kind = MODEL_ENTROPY, .t = 2.5 },
		{ .kind = MODEL_RECURSIVE, .c = 2, .l = 2 },
		{ .kind = MODEL_EQUAL, .t = 0.2 },
		{ .kind = MODEL_ORDERED, .t = 0.1 },
		{ .kind = MODEL_ENTROPY, .t = 5 }, /* nothing fits */
	};

	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct drawn t = DRAWN;

		drawn_make(&t, seed);
		for (size_t i = 0; i < nitems(limits); i++) {
			for (size_t j = 0; j < nitems(kinds) + 2; j++) {
				struct model one =
				    kinds[MIN(j, nitems(kinds) - 1)];
				struct model_column column = {
					.n_values = SENSITIVE,
					.code = t.sensitive,
				};
				struct models m = {
					.k = 2 + seed,
					.list = &one,
					.n = j < nitems(kinds) ? 1 : 0,
					.columns = &column,
					.n_columns = j < nitems(kinds) ? 1 : 0,
				};

				if (j == nitems(kinds) + 1)
					m.average_risk = 0.05;
				compare(&t, &m, limits[i]);
			}
		}
		drawn_free(&t);
	}
}

/* Tables large enough to be made over others, and to be forgotten. */
#define MANY 12000

static int
by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Classes and rows in classes of fewer than k, by sorting the rows. */
static void
sort_rows(const struct drawn *t, uint32_t leaf[ATTRIBUTES][MANY],
    const uint8_t *level, size_t k, size_t *classes, size_t *lost)
{
	uint64_t *key = calloc(MANY + 1, sizeof(*key));
	size_t from = 0;

	assert_non_null(key);
	for (size_t r = 0; r < MANY; r++)
		for (size_t a = 0; a < ATTRIBUTES; a++)
			key[r] = key[r] * 64 +
			    t->h[a].level[level[a]].group_of[leaf[a][r]];
	qsort(key, MANY, sizeof(*key), by_key);
	*classes = *lost = 0;
	for (size_t r = 1; r <= MANY; r++) {
		if (r < MANY && key[r] == key[from])
			continue;
		if (r - from < k)
			*lost += r - from;
		else
			++*classes;
		from = r;
	}
	free(key);
}

static void
rolls_up_what_sorting_the_rows_finds(void **state)
{
	static uint32_t leaf[ATTRIBUTES][MANY];
	struct lattice_attribute attributes[ATTRIBUTES];
	const struct models m = { .k = 5 };
	const struct lattice_input in = { attributes, ATTRIBUTES, MANY, &m, 1 };
	struct drawn t = DRAWN;
	struct lattice *l;
	struct err err = { 0 };
	size_t size;

	(void)state;
	drawn_make(&t, 11);
	for (size_t a = 0; a < ATTRIBUTES; a++) {
		attributes[a] = t.attributes[a];
		attributes[a].leaf = leaf[a];
		for (size_t r = 0; r < MANY; r++)
			leaf[a][r] = drawn_next(&t, (uint32_t)t.h[a].n_leaves);
	}
	assert_non_null(l = lattice_new(&in, &err));
	size = lattice_size(l);
	/* In an order that jumps: 97 is prime to the number of nodes. */
	assert_true(size % 97 != 0);
	for (size_t i = 0; i < size; i++) {
		size_t number = i * 97 % size, classes, lost, counted;
		uint8_t level[ATTRIBUTES];
		struct lattice_node node;
		int fits;

		for (size_t a = 0; a < ATTRIBUTES; a++) {
			level[a] = (uint8_t)(number % t.h[a].n_levels);
			number /= t.h[a].n_levels;
		}
		fits = lattice_measure(l, level, &node, &err);
		assert_int_not_equal(fits, -1);
		sort_rows(&t, leaf, level, m.k, &classes, &lost);
		assert_int_equal(node.classes, classes);
		assert_int_equal(node.suppressed, lost);
		assert_int_equal(lattice_count(l, level, &counted, &err), fits);
		assert_int_equal(counted, lost);
	}
	lattice_free(l);
	drawn_free(&t);
}

static void
refuses_a_k_above_the_rows(void **state)
{
	struct drawn t = DRAWN;
	struct models m = { .k = ROWS + 1 };
	const struct lattice_input in = { t.attributes, ATTRIBUTES, ROWS, &m,
		0.5 };
	struct lattice_node node;
	struct err err = { 0 };
	struct lattice *l;

	(void)state;
	drawn_make(&t, 9);
	l = lattice_new(&in, &err);
	assert_non_null(l);
	assert_int_equal(lattice_search(l, &node, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_string_equal(err.msg, "150 rows cannot be made classes of 151");
	lattice_free(l);
	drawn_free(&t);
}

/* Li et al. 2007, table 3: salaries 3k to 11k. */
static void
measures_the_papers_distances(void **state)
{
	uint32_t code[9] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct model_column column = { .n_values = 9, .code = code };
	struct model one = { .kind = MODEL_ORDERED };
	struct models m = {
		.k = 1, .list = &one, .n = 1, .columns = &column, .n_columns = 1
	};
	const uint32_t low[9] = { 1, 1, 1 },
		       mixed[9] = { 0, 0, 0, 1, 0, 1, 0, 0, 1 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(models_count(&m, 9, &err), 0);
	one.t = 0.375;
	assert_true(models_hold(&m, 3, low));
	one.t = 0.374;
	assert_false(models_hold(&m, 3, low));
	one.t = 0.1667; /* {6k, 8k, 11k} */
	assert_true(models_hold(&m, 3, mixed));
	one.t = 0.1666;
	assert_false(models_hold(&m, 3, mixed));
	models_free_shares(&m);
}

/* Moving inside of a group costs 1/2, between groups 1. */
static void
measures_distances_in_a_tree(void **state)
{
	uint32_t code[4] = { 0, 1, 2, 3 };
	struct model_column column = { .n_values = 4, .code = code };
	struct hierarchy h;
	struct model one = { .kind = MODEL_HIERARCHICAL, .hierarchy = &h };
	struct models m = {
		.k = 1, .list = &one, .n = 1, .columns = &column, .n_columns = 1
	};
	const uint32_t inside[4] = { 2, 0, 2, 0 }, across[4] = { 1, 1, 0, 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    drawn_hierarchy(&h, "a;x;*\nb;x;*\nc;y;*\nd;y;*\n", &err), 0);
	assert_int_equal(models_count(&m, 4, &err), 0);
	one.t = 0.25;
	assert_true(models_hold(&m, 4, inside));
	assert_false(models_hold(&m, 2, across));
	one.t = 0.2499;
	assert_false(models_hold(&m, 4, inside));
	one.t = 0.5;
	assert_true(models_hold(&m, 2, across));
	models_free_shares(&m);
	hierarchy_free(&h);
}

/* Six rows of a, b, c, d, by hand: x is a and b, y is c and d. */
static void
measures_a_table_as_by_hand(void **state)
{
	static const uint32_t leaf[] = { 0, 0, 1, 2, 2, 3 };
	struct hierarchy h;
	struct models m = { .k = 3 };
	struct lattice_attribute one = { "a", &h, leaf, 1, 2, 0 };
	const struct lattice_input in = { &one, 1, 6, &m, 1 };
	const uint8_t values = 0, groups = 1;
	struct lattice_node n;
	struct lattice *l;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    drawn_hierarchy(&h, "a;x;*\nb;x;*\nc;y;*\nd;y;*\n", &err), 0);
	/* Two classes of three. */
	assert_non_null(l = lattice_new(&in, &err));
	assert_int_equal(lattice_measure(l, &groups, &n, &err), 1);
	assert_int_equal(n.classes, 2);
	assert_int_equal(n.suppressed, 0);
	assert_true(n.discernibility == 9 + 9);
	assert_true(n.average_size == 3);
	assert_true(fabs(n.granularity - 0.5) < 1e-15);
	/* (6 * 1/2 - 6/4) / (6 - 6/4) */
	assert_true(fabs(n.loss - 1.0 / 3) < 1e-15);
	/* a and c: 2 of 3 rows twice; b and d: 1 of 3. */
	assert_true(
	    fabs(n.entropy - (4 * log2(3.0 / 2) + 2 * log2(3))) < 1e-12);
	lattice_free(l);
	/* a twice and c twice stay; b and d are suppressed. */
	m.k = 2;
	assert_non_null(l = lattice_new(&in, &err));
	assert_int_equal(lattice_measure(l, &values, &n, &err), 1);
	assert_int_equal(n.classes, 2);
	assert_int_equal(n.suppressed, 2);
	assert_true(n.discernibility == 4 + 4 + 2 * 6);
	assert_true(n.average_size == 2);
	assert_true(fabs(n.granularity - (4 * 0.25 + 2) / 6) < 1e-15);
	assert_true(fabs(n.loss - (4 * 0.25 + 2 - 1.5) / 4.5) < 1e-15);
	assert_true(fabs(n.entropy - 2 * log2(6)) < 1e-12);
	lattice_free(l);
	hierarchy_free(&h);
}

static void
says_what_stands_in_the_way(void **state)
{
	/* x has one row, y five; b's groups are 2 and 4. */
	static const uint32_t first[] = { 0, 2, 2, 2, 3, 3 };
	static const uint32_t second[] = { 0, 0, 2, 2, 2, 2 };
	struct hierarchy h;
	const struct models m = { .k = 2 };
	struct lattice_attribute two[] = {
		{ "first", &h, first, 1, 1, 0 },
		{ "second", &h, second, 1, 1, 0 },
	};
	const struct lattice_input in = { two, 2, 6, &m, 0 };
	struct lattice_node n;
	struct lattice *l;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    drawn_hierarchy(&h, "a;x;*\nb;x;*\nc;y;*\nd;y;*\n", &err), 0);
	assert_non_null(l = lattice_new(&in, &err));
	assert_int_equal(lattice_search(l, &n, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	/* (x, x) and (y, x) are one row each. */
	assert_string_equal(err.msg,
	    "no recoding satisfies the privacy models: at the highest levels 2 "
	    "of 6 rows fail, 0 may; without \"first\", which may not go above "
	    "level 1, it would be 0: a higher level in its hierarchy would "
	    "help most, or a smaller k");
	lattice_free(l);
	hierarchy_free(&h);
}

/* One value: nothing is lost, whatever the level. */
static void
takes_a_column_of_one_value(void **state)
{
	static const uint32_t leaf[6];
	struct hierarchy h;
	const struct models m = { .k = 3 };
	struct lattice_attribute one = { "a", &h, leaf, 1, 1, 0 };
	const struct lattice_input in = { &one, 1, 6, &m, 0 };
	struct lattice_node n;
	struct lattice *l;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(drawn_hierarchy(&h, "a;*\n", &err), 0);
	assert_non_null(l = lattice_new(&in, &err));
	assert_int_equal(lattice_search(l, &n, &err), 0);
	assert_int_equal(n.level[0], 0);
	assert_int_equal(n.classes, 1);
	assert_true(n.loss == 0);
	lattice_free(l);
	hierarchy_free(&h);
}

static void
refuses_more_values_than_can_be_counted(void **state)
{
	size_t len = 0, lines = HIERARCHY_LEAVES_MAX + 1;
	char *text = malloc(lines * 12);
	struct hierarchy h;
	struct err err = { 0 };

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < lines; i++)
		len += (size_t)sprintf(text + len, "%zu;*\n", i);
	assert_int_equal(drawn_hierarchy(&h, text, &err), -1);
	assert_string_equal(
	    err.msg, "h.csv:1048577:1: more than 1048576 values");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_no_hierarchy),
		cmocka_unit_test(counts_the_leaves_under_a_group),
		cmocka_unit_test(finds_what_an_exhaustive_search_finds),
		cmocka_unit_test(rolls_up_what_sorting_the_rows_finds),
		cmocka_unit_test(refuses_a_k_above_the_rows),
		cmocka_unit_test(measures_a_table_as_by_hand),
		cmocka_unit_test(says_what_stands_in_the_way),
		cmocka_unit_test(takes_a_column_of_one_value),
		cmocka_unit_test(refuses_more_values_than_can_be_counted),
		cmocka_unit_test(measures_the_papers_distances),
		cmocka_unit_test(measures_distances_in_a_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

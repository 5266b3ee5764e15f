#include "config.h"

#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "anonymize/hierarchy.h"
#include "anonymize/lattice.h"
#include "anonymize/local.h"
#include "anonymize/models.h"
#include "common/err.h"
#include "common/macros.h"
#include "tests/anonymize/drawn.h"

#define ROWS 120
#define ATTRIBUTES 3
#define SENSITIVE 3
#define DRAWN                                                                  \
	{                                                                      \
		.n_rows = ROWS, .n_attributes = ATTRIBUTES,                    \
		.n_sensitive = SENSITIVE                                       \
	}

static uint32_t
group(const struct drawn *t, size_t a, size_t level, size_t row)
{
	return t->h[a].level[level].group_of[t->leaf[a][row]];
}

static double
share(const struct drawn *t, size_t a, size_t level, size_t row)
{
	return t->h[a].level[level].leaves[group(t, a, level, row)] /
	    (double)t->h[a].n_leaves;
}

static double
loss_of(const struct drawn *t, size_t a, double sum)
{
	double least = ROWS / (double)t->h[a].n_leaves;

	return (sum - least) / (ROWS - least);
}

/*
 * The same again by the description alone: row against row.
 */

struct slow {
	const struct drawn *t;
	size_t k, n_classes;
	int of_row[ROWS]; /* -1: open */
};

static bool
same_at(const struct drawn *t, const uint8_t *level, size_t r, size_t q)
{
	for (size_t a = 0; a < ATTRIBUTES; a++)
		if (group(t, a, level[a], r) != group(t, a, level[a], q))
			return false;
	return true;
}

static void
slow_visit(struct slow *s, const uint8_t *level)
{
	bool was_open[ROWS];

	for (size_t r = 0; r < ROWS; r++)
		was_open[r] = s->of_row[r] == -1;
	for (size_t r = 0; r < ROWS; r++) {
		size_t size = 0;

		if (s->of_row[r] != -1)
			continue;
		for (size_t q = 0; q < ROWS; q++)
			size += was_open[q] && same_at(s->t, level, r, q);
		if (size < s->k)
			continue;
		for (size_t q = 0; q < ROWS; q++)
			if (was_open[q] && same_at(s->t, level, r, q))
				s->of_row[q] = (int)s->n_classes;
		s->n_classes++;
	}
}

/* The lowest level at which all rows of a class, and one more, agree. */
static size_t
slow_level(const struct slow *s, int class, size_t a, size_t more)
{
	size_t level = 0;

	for (size_t r = 0; r < ROWS; r++)
		while ((s->of_row[r] == class || r == more) &&
		    group(s->t, a, level, r) != group(s->t, a, level, more))
			level++;
	return level;
}

static double
slow_sum(const struct slow *s, size_t a)
{
	double sum = 0;

	for (size_t r = 0; r < ROWS; r++)
		sum += s->of_row[r] == -1
		    ? 1
		    : share(s->t, a, slow_level(s, s->of_row[r], a, r), r);
	return sum;
}

/* Rows of the same values go together. */
static void
slow_attach(struct slow *s)
{
	const uint8_t zero[ATTRIBUTES] = { 0 };

	for (size_t r = 0; r < ROWS; r++) {
		double least = INFINITY, before = 0;
		int best = -1, now = s->of_row[r];
		bool open[ROWS];

		for (size_t q = 0; q < ROWS; q++)
			open[q] = now == -1 && s->of_row[q] == -1 &&
			    same_at(s->t, zero, r, q);
		for (size_t a = 0; a < ATTRIBUTES; a++)
			before += loss_of(s->t, a, slow_sum(s, a));
		for (int c = 0; now == -1 && c < (int)s->n_classes; c++) {
			double after = 0;

			for (size_t q = 0; q < ROWS; q++)
				s->of_row[q] = open[q] ? c : s->of_row[q];
			for (size_t a = 0; a < ATTRIBUTES; a++)
				after += loss_of(s->t, a, slow_sum(s, a));
			for (size_t q = 0; q < ROWS; q++)
				s->of_row[q] = open[q] ? -1 : s->of_row[q];
			after -= before;
			if (after < least - 1e-10) {
				least = after;
				best = c;
			}
		}
		for (size_t q = 0; q < ROWS; q++)
			s->of_row[q] = open[q] ? best : s->of_row[q];
	}
}

struct step {
	double loss;
	uint8_t level[ATTRIBUTES];
};

static int
by_loss(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->loss != y->loss)
		return x->loss < y->loss ? -1 : 1;
	return memcmp(x->level, y->level, sizeof(x->level));
}

static double
slow_local(struct slow *s)
{
	struct step steps[64];
	size_t n = 0;
	double mean = 0;

	for (size_t i = 0; i < 64; i++) {
		struct step *p = &steps[n++];

		*p = (struct step){ 0, { i % 4, i / 4 % 4, i / 16 } };
		for (size_t a = 0; a < ATTRIBUTES; a++) {
			double sum = 0;

			for (size_t r = 0; r < ROWS; r++)
				sum += share(s->t, a, p->level[a], r);
			p->loss += loss_of(s->t, a, sum);
		}
		p->loss = round(p->loss * 1e12);
	}
	qsort(steps, n, sizeof(*steps), by_loss);
	for (size_t r = 0; r < ROWS; r++)
		s->of_row[r] = -1;
	for (size_t i = 0; i < n; i++)
		slow_visit(s, steps[i].level);
	slow_attach(s);
	for (size_t a = 0; a < ATTRIBUTES; a++)
		mean += loss_of(s->t, a, slow_sum(s, a)) / ATTRIBUTES;
	return mean;
}

/* What must hold of every result. */
static void
check_classes(
    const struct drawn *t, const struct models *m, const struct local *l)
{
	size_t sizes[ROWS] = { 0 }, left = 0;

	for (size_t r = 0; r < ROWS; r++) {
		uint32_t c = l->of_row[r];

		if (c == LOCAL_NONE) {
			left++;
			continue;
		}
		assert_true(c < l->n);
		sizes[c]++;
		for (size_t a = 0; a < ATTRIBUTES; a++) {
			uint8_t level = l->level[c * ATTRIBUTES + a];

			assert_true(level >= t->attributes[a].bottom);
			assert_true(level <= t->attributes[a].top);
			assert_int_equal(group(t, a, level, r),
			    l->group[c * ATTRIBUTES + a]);
		}
	}
	assert_int_equal(left, l->left);
	for (size_t c = 0; c < l->n; c++)
		assert_true(sizes[c] >= m->k);
}

static void
does_what_the_description_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct drawn t = DRAWN;
		struct models m = { .k = 2 + seed };
		const struct lattice_input in = { t.attributes, ATTRIBUTES,
			ROWS, &m, 0 };
		struct slow s = { .t = &t, .k = m.k };
		struct lattice_node best;
		struct lattice *lattice;
		struct local l;
		struct err err = { 0 };
		double slow, whole = 0;

		drawn_make(&t, seed);
		slow = slow_local(&s);
		if (local_recode(&in, NULL, 0, &l, &err) != 0)
			fail_msg("%s", err.msg);
		check_classes(&t, &m, &l);
		assert_int_equal(l.left, 0);
		assert_int_equal(l.n, s.n_classes);
		if (fabs(l.mean - slow) > 1e-12)
			fail_msg("%.15g, slowly %.15g", l.mean, slow);
		/* Better than any one node for all rows. */
		assert_non_null(lattice = lattice_new(&in, &err));
		assert_int_equal(lattice_search(lattice, &best, &err), 0);
		for (size_t a = 0; a < ATTRIBUTES; a++) {
			double sum = 0;

			for (size_t r = 0; r < ROWS; r++)
				sum += share(&t, a, best.level[a], r);
			whole += loss_of(&t, a, sum) / ATTRIBUTES;
		}
		assert_true(l.mean < whole);
		lattice_free(lattice);
		local_free(&l);
		drawn_free(&t);
	}
}

static void
stays_between_bottom_and_top(void **state)
{
	struct drawn t = DRAWN;
	struct models m = { .k = 4 };
	const struct lattice_input in = { t.attributes, ATTRIBUTES, ROWS, &m,
		0 };
	struct local l;
	struct err err = { 0 };

	(void)state;
	drawn_make(&t, 7);
	t.attributes[0].bottom = t.attributes[0].top = 2;
	t.attributes[1].top = 2;
	assert_int_equal(local_recode(&in, NULL, 0, &l, &err), 0);
	check_classes(&t, &m, &l);
	assert_true(l.n > 1);
	local_free(&l);
	drawn_free(&t);
}

static void
keeps_what_a_model_asks_of_a_class(void **state)
{
	struct drawn t = DRAWN;
	struct model distinct = { .kind = MODEL_DISTINCT, .l = 3 };
	struct model_column column = { .n_values = SENSITIVE,
		.code = t.sensitive };
	struct models m = { .k = 3,
		.list = &distinct,
		.n = 1,
		.columns = &column,
		.n_columns = 1 };
	const struct lattice_input in = { t.attributes, ATTRIBUTES, ROWS, &m,
		0 };
	bool has[ROWS][SENSITIVE] = { 0 };
	struct local l;
	struct err err = { 0 };

	(void)state;
	drawn_make(&t, 8);
	assert_int_equal(models_count(&m, ROWS, &err), 0);
	assert_int_equal(local_recode(&in, NULL, 0, &l, &err), 0);
	check_classes(&t, &m, &l);
	assert_int_equal(l.left, 0);
	for (size_t r = 0; r < ROWS; r++)
		has[l.of_row[r]][t.sensitive[r]] = true;
	for (size_t c = 0; c < l.n; c++)
		for (size_t v = 0; v < SENSITIVE; v++)
			assert_true(has[c][v]);
	local_free(&l);
	models_free_shares(&m);
	drawn_free(&t);
}

/* Too few rows: none is in a class, and nothing breaks. */
static void
leaves_over_what_fits_nowhere(void **state)
{
	struct drawn t = DRAWN;
	struct models m = { .k = ROWS + 1 };
	const struct lattice_input in = { t.attributes, ATTRIBUTES, ROWS, &m,
		0 };
	const struct lattice_input none = { t.attributes, ATTRIBUTES, 0, &m,
		0 };
	struct local l;
	struct err err = { 0 };

	(void)state;
	drawn_make(&t, 9);
	assert_int_equal(local_recode(&in, NULL, 0, &l, &err), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.left, ROWS);
	assert_true(fabs(l.mean - 1) < 1e-12);
	local_free(&l);
	assert_int_equal(local_recode(&none, NULL, 0, &l, &err), 0);
	assert_int_equal(l.n, 0);
	local_free(&l);
	drawn_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_what_the_description_says),
		cmocka_unit_test(stays_between_bottom_and_top),
		cmocka_unit_test(keeps_what_a_model_asks_of_a_class),
		cmocka_unit_test(leaves_over_what_fits_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/check.h"

#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/zip3.h"
#include "tests/study/small.h"

static int
setup(void **state)
{
	struct err err;

	*state = study_parse("s", small, strlen(small), &err);
	return *state != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	study_free(*state);
	return 0;
}

static const struct study_column *
column(const struct study *s, const char *name)
{
	return &s->columns[study_find(s, name)];
}

static void
numbers_become_the_documented_one_of_their_interval(void **state)
{
	static const struct {
		double v, number;
		const char *label;
	} want[] = {
		{ 18, 23.5, "18-29" },
		{ 29, 23.5, "18-29" },
		{ 30, 34.5, "30-39" },
		{ 64, 52, "40-64" },
		{ 65, 82, "65-99" },
		{ 99, 82, "65-99" },
	};
	const struct study_column *c = column(*state, "age");
	const struct study_recode *r = study_recode(c);

	assert_int_equal(study_n_groups(c), 4);
	for (size_t i = 0; i < nitems(want); i++) {
		assert_true(study_recoded(c, want[i].v) == want[i].number);
		assert_string_equal(
		    study_label(c, study_group(r, want[i].v)), want[i].label);
	}
	/* The level above has numbers of its own, the top has one group. */
	assert_int_equal(c->n_recodes, 3);
	assert_true(c->recodes[1].numbers[1] == 70);
	assert_int_equal(study_group(&c->recodes[1], 39), 0);
	assert_int_equal(study_group(&c->recodes[2], 39), 0);
	assert_string_equal(c->recodes[2].labels[0], "*");
}

static void
levels_become_their_group(void **state)
{
	static const size_t group[] = { 0, 0, 1, 1, 2 };
	static const size_t above[] = { 0, 0, 1, 1, 1 };
	const struct study_column *c = column(*state, "land");

	assert_int_equal(study_n_groups(c), 3);
	for (size_t i = 0; i < nitems(group); i++) {
		assert_true(study_recoded(c, (double)i) == (double)group[i]);
		assert_int_equal(
		    study_group(&c->recodes[1], (double)i), above[i]);
	}
	assert_string_equal(study_label(c, 1), "latin");
	assert_null(study_label(c, 3));
}

static void
what_is_not_recoded_stays(void **state)
{
	const struct study_column *c = column(*state, "bmi");

	assert_true(study_recoded(c, 23.25) == 23.25);
	assert_int_equal(study_n_groups(c), 0);
	assert_null(study_label(c, 0));
	c = column(*state, "sex");
	assert_int_equal(study_n_groups(c), 2);
	assert_string_equal(study_label(c, 1), "male");
}

static size_t
kept_bytes(const struct study_recode *r, const char *text)
{
	size_t len = strlen(text);

	assert_ptr_equal(study_mask(r, text, &len), text);
	return len;
}

static void
a_mask_counts_characters(void **state)
{
	const struct study_column *c = column(*state, "zip");
	const struct study_recode *r = study_recode(c);

	assert_int_equal(kept_bytes(r, "79104"), 3);
	assert_int_equal(kept_bytes(r,
			     "\xc3\xbc"
			     "bcd"),
	    4);
	assert_int_equal(kept_bytes(r, "7"), 1);
}

/* 45 CFR 164.514(b)(2)(i)(B), by the census of 2010. */
static void
a_zip_code_keeps_three_digits_where_enough_live(void **state)
{
	static const char *const few[] = { "03601", "05901-1234", "202",
		"89300", "12", "", "AB123", "1a345" };
	const char *stays = "10001";

	(void)state;
	for (size_t i = 0; i < sizeof(few) / sizeof(*few); i++)
		assert_memory_equal(zip3(few[i], strlen(few[i])), "000", 3);
	assert_ptr_equal(zip3(stays, 5), stays);
	assert_true(zip3_is_small("55600"));
	assert_false(zip3_is_small("55500"));
}

static void
cells_are_read_as_the_codebook_says(void **state)
{
	static const struct {
		const char *column, *cell;
		double v; /* -1: refused */
	} want[] = {
		{ "age", "18", 18 },
		{ "age", "99.0", 99 },
		{ "age", "17", -1 },
		{ "age", "18.5", -1 },
		{ "age", "", -1 },
		{ "age", "abc", -1 },
		{ "age", " 20", -1 },
		{ "bmi", "2.35e1", 23.5 },
		{ "bmi", "nan", -1 },
		{ "bmi", "0x20", -1 },
		{ "bmi", "80.01", -1 },
		{ "sex", "f", 0 },
		{ "sex", "m", 1 },
		{ "sex", "female", -1 },
		{ "sex", "", -1 },
		{ "land", "n, a", 4 },
		{ "land", "it", 3 },
		{ "land", "i", -1 },
		{ "in", "2000-02-29", 11016 },
		{ "in", "01.01.1970", 0 },
		{ "in", "2001-02-29", -1 },
		{ "in", "31.04.2001", -1 },
		{ "in", "2000-2-29", -1 },
		{ "out", "01.01.1970", -1 },
		{ "name", "x", -1 },
	};
	double v;

	for (size_t i = 0; i < nitems(want); i++) {
		const struct study_column *c = column(*state, want[i].column);
		int r = study_cell(c, want[i].cell, strlen(want[i].cell), &v);

		assert_int_equal(r, want[i].v == -1 ? -1 : 0);
		assert_true(r < 0 || v == want[i].v);
	}
	/* A cell is bytes and a length, not a string. */
	assert_int_equal(study_cell(column(*state, "age"), "20", 1, &v), -1);
	assert_int_equal(study_cell(column(*state, "sex"), "f\0x", 3, &v), -1);
}

static void
missing_codes_are_exact(void **state)
{
	const struct study_column *c = column(*state, "bmi");

	assert_true(study_missing(c, "-9", 2));
	assert_true(study_missing(c, "", 0));
	assert_false(study_missing(c, "NA", 2)); /* replaced, not added to */
	assert_false(study_missing(c, "-9.0", 4));
	c = column(*state, "age");
	assert_true(study_missing(c, "NA", 2));
	assert_true(study_missing(c, "", 0));
}

static void
dates_go_both_ways(void **state)
{
	char text[STUDY_DATE_TEXT_SIZE];
	int64_t day;

	(void)state;
	for (int64_t d = -141427; d < 2932896; d += 97) { /* 1582 to 9999 */
		study_date_text(d, text);
		assert_int_equal(
		    study_date("YYYY-MM-DD", text, strlen(text), &day), 0);
		assert_true(day == d);
	}
	assert_int_equal(study_date("YYYY-MM-DD", "1600-02-29", 10, &day), 0);
	assert_int_equal(study_date("YYYY-MM-DD", "1700-02-29", 10, &day), -1);
	assert_int_equal(study_date("DD/MM/YYYY", "31/12/1969", 10, &day), 0);
	assert_true(day == -1);
	assert_int_equal(study_date("DD/MM/YYYY", "31/12/1969", 9, &day), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    numbers_become_the_documented_one_of_their_interval),
		cmocka_unit_test(levels_become_their_group),
		cmocka_unit_test(what_is_not_recoded_stays),
		cmocka_unit_test(a_mask_counts_characters),
		cmocka_unit_test(
		    a_zip_code_keeps_three_digits_where_enough_live),
		cmocka_unit_test(cells_are_read_as_the_codebook_says),
		cmocka_unit_test(missing_codes_are_exact),
		cmocka_unit_test(dates_go_both_ways),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

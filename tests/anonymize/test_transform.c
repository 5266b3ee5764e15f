/* Transformations that a study asks for, from its text to the written table. */
#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/table.h"
#include "tests/anonymize/prepared.h"

static struct study *
parse(const char *text, struct err *err)
{
	return study_parse("t", text, strlen(text), err);
}

static void
run(struct prepared *o, const char *study, const char *csv)
{
	prepared_run(o, study, csv, NULL);
}

/*
 * Local recoding.
 */

#define LOCAL                                                                  \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 5\nsuppression-limit = 0\ncohort = fixed\n"            \
	"recoding = local\n"                                                   \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = 2\nuse = feature\n"               \
	"[hierarchy age]\n"                                                    \
	"level-1 = cut 0 10 20 30 40 50 60 70 80 90 99\n"                      \
	"level-2 = cut 0 50 99\n"                                              \
	"[column sex]\ntype = levels\nlevels = f, m\n"                         \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"               \
	"[column land]\ntype = levels\nlevels = a, b, c, d\n"                  \
	"privacy = quasi-identifier\nlevel = top\n"                            \
	"[hierarchy land]\nlevel-1 = group x: a, b; y: c, d\n"

#define MANY 1500

static void
each_class_keeps_the_narrowest_groups(void **state)
{
	struct text csv = { .seed = 1 };
	struct prepared o;
	const double *age, *sex;
	size_t alone = 0, narrow = 0, wide = 0;

	(void)state;
	text_add(&csv, "age,sex,land,ill\n");
	for (size_t i = 0; i < MANY; i++) {
		unsigned age_of = text_draw(&csv, 1 + text_draw(&csv, 100));

		text_add(&csv, "%u,%c,%c,%s\n", age_of,
		    "fm"[text_draw(&csv, 2)], "abcd"[text_draw(&csv, 4)],
		    text_draw(&csv, 2) == 0 ? "no" : "yes");
	}
	run(&o, LOCAL, text_end(&csv));
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_suppressed, 0);
	assert_int_equal(o.table.n_rows, MANY);
	age = prepared_values(&o, "age");
	sex = prepared_values(&o, "sex");
	for (size_t i = 0; i < MANY; i++) {
		size_t same = 0;

		for (size_t j = 0; j < MANY; j++)
			same += age[i] == age[j] && sex[i] == sex[j];
		assert_true(same >= 5);
		/* 0-49 is 24.5, 50-99 is 74.5; 0-9 is 4.5; a year is whole. */
		if (age[i] == 24.5 || age[i] == 74.5)
			wide++;
		else if (study_whole(age[i]))
			alone++;
		else
			narrow++;
	}
	assert_true(alone > 0 && narrow > 0);
	/* By one level for all rows, all would be wide. */
	assert_true(wide < MANY / 2);
	assert_non_null(strstr(o.json, "the narrowest groups that it can"));
	canon_free(&csv.c);
	prepared_free(&o);
}

/* No row is kept that its class of the highest levels does not carry. */
static void
local_recoding_suppresses_what_fits_nowhere(void **state)
{
	struct prepared o;

	(void)state;
	run(&o, LOCAL,
	    "age,sex,land,ill\n"
	    "1,f,a,no\n2,f,a,no\n3,f,a,no\n4,f,a,no\n5,f,a,yes\n"
	    "1,m,a,no\n2,m,a,no\n3,m,a,no\n4,m,a,yes\n");
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_REFUSED);
	assert_non_null(strstr(o.err.msg, "4 of 9 rows share"));
	prepared_free(&o);
}

static void
local_recoding_wants_values_that_can_be_counted(void **state)
{
	(void)state;
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 5\ncohort = fixed\nrecoding = local\n"
	    "[column code]\ntype = text\nprivacy = quasi-identifier\n"
	    "level = 1\n[hierarchy code]\nlevel-1 = mask 2\n",
	    "column \"code\": recoding = local needs values that can be "
	    "counted");
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 5\ncohort = fixed\nrecoding = mixed\n",
	    "recoding");
}

/*
 * Several rows of a patient.
 */

#define PATIENTS                                                               \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 3\ncohort = fixed\npatient = mrn\n"                    \
	"suppression-limit = 0.4\n"                                            \
	"[column mrn]\ntype = text\nprivacy = direct-identifier\n"             \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"

/* Three patients of 30 with two rows each, two of 40 with two each. */
#define ROWS                                                                   \
	"mrn,age,ill\n"                                                        \
	"MRN-A,30,no\nMRN-B,30,no\nMRN-C,30,no\n"                              \
	"MRN-A,30,yes\nMRN-B,30,yes\nMRN-C,30,yes\n"                           \
	"MRN-D,40,no\nMRN-E,40,no\nMRN-D,40,yes\nMRN-E,40,yes\n"

static void
k_counts_patients_not_rows(void **state)
{
	struct prepared o;
	const double *age;

	(void)state;
	run(&o, PATIENTS, ROWS);
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_suppressed, 4);
	assert_int_equal(o.result.n_kept, 6);
	assert_int_equal(o.result.smallest_class, 3);
	age = prepared_values(&o, "age");
	for (size_t i = 0; i < 6; i++)
		assert_true(age[i] == 30);
	/* The highest risk is one patient's of three. */
	assert_non_null(strstr(o.json, "0.3333333333333333"));
	assert_non_null(strstr(o.json, "tells which rows are one patient's"));
	assert_null(strstr(o.json, "MRN-"));
	prepared_free(&o);
}

/* The same rows of ten patients are two classes that may stay. */
static void
rows_are_patients_if_nothing_else_is_said(void **state)
{
	static const char name[] = "patient = mrn\n";
	char text[sizeof(PATIENTS)];
	struct prepared o;
	char *at;

	(void)state;
	memcpy(text, PATIENTS, sizeof(PATIENTS));
	at = strstr(text, name);
	memmove(at, at + strlen(name), strlen(at + strlen(name)) + 1);
	run(&o, text, ROWS);
	assert_int_equal(o.r, 0);
	assert_int_equal(o.result.n_suppressed, 0);
	assert_int_equal(o.result.smallest_class, 4);
	prepared_free(&o);
}

static void
a_row_of_nobody_is_incomplete(void **state)
{
	struct prepared o;

	(void)state;
	run(&o, PATIENTS, ROWS "NA,30,no\n,30,no\n");
	assert_int_equal(o.r, 0);
	assert_int_equal(o.result.n_incomplete, 2);
	assert_int_equal(o.result.n_kept, 6);
	prepared_free(&o);
}

static void
refuses_where_patients_are_too_few(void **state)
{
	struct prepared o;

	(void)state;
	/* Ten rows, all of 30, but two patients. */
	run(&o, PATIENTS,
	    "mrn,age,ill\n"
	    "MRN-A,30,no\nMRN-A,30,no\nMRN-A,30,no\nMRN-A,30,no\n"
	    "MRN-A,30,no\nMRN-B,30,yes\nMRN-B,30,yes\nMRN-B,30,yes\n"
	    "MRN-B,30,yes\nMRN-B,30,yes\n");
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_REFUSED);
	assert_non_null(strstr(o.err.msg, "2 of 2 patients share a row"));
	assert_null(strstr(o.err.msg, "MRN-"));
	assert_string_equal(o.json, "");
	prepared_free(&o);
}

static void
only_a_direct_identifier_tells_patients_apart(void **state)
{
	(void)state;
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\npatient = age\n"
	    "[column age]\ntype = integer\nrange = 0..99\n"
	    "privacy = none\nuse = feature\n",
	    "patient: \"age\" is no column that is a direct-identifier");
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\npatient = x\n"
	    "[column age]\ntype = integer\nrange = 0..99\n"
	    "privacy = none\nuse = feature\n",
	    "patient: \"x\" is no column");
}

/*
 * Means.
 */

#define MEANS                                                                  \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 5\ncohort = fixed\nsuppression-limit = 0\n"            \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = mean\nuse = feature\n"            \
	"[column sex]\ntype = levels\nlevels = f, m\n"                         \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"
#define DOSE                                                                   \
	"[column dose]\ntype = real\nrange = 0..10\n"                          \
	"privacy = quasi-identifier\nlevel = mean\nuse = feature\n"

/* The same rows, beginning with another one. */
static void
add_rows(struct text *csv, double *age, size_t n, size_t first)
{
	static char lines[200][64];

	assert_true(n <= 200);
	csv->seed = 5;
	text_add(csv, "age,sex,dose,ill\n");
	for (size_t i = 0; i < n; i++) {
		unsigned years = text_draw(csv, 100),
			 tenths = text_draw(csv, 101);

		if (age != NULL)
			*age += years;
		snprintf(lines[i], sizeof(lines[i]), "%u,%c,%u.%u,%s\n", years,
		    "fm"[text_draw(csv, 2)], tenths / 10, tenths % 10,
		    text_draw(csv, 2) == 0 ? "no" : "yes");
	}
	for (size_t i = 0; i < n; i++)
		text_add(csv, "%s", lines[(first + i) % n]);
}

static void
a_mean_is_of_k_patients(void **state)
{
	struct text csv = { 0 }, other = { 0 };
	struct prepared o, again;
	const double *age, *dose, *sex;
	double sum = 0, sum_of = 0;

	(void)state;
	add_rows(&csv, &sum, 200, 0);
	run(&o, MEANS DOSE, text_end(&csv));
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.table.n_rows, 200);
	age = prepared_values(&o, "age");
	dose = prepared_values(&o, "dose");
	sex = prepared_values(&o, "sex");
	for (size_t i = 0; i < 200; i++) {
		size_t same = 0;

		for (size_t j = 0; j < 200; j++)
			same += age[i] == age[j] && dose[i] == dose[j] &&
			    sex[i] == sex[j];
		assert_true(same >= 5 && same < 20);
		sum_of += age[i];
	}
	/* 200 roundings of numbers below 100. */
	assert_true(sum_of - sum < 1e-10 && sum - sum_of < 1e-10);
	assert_non_null(strstr(o.json, "the mean of a group of patients"));
	/* The order of the source is in nothing. */
	add_rows(&other, NULL, 200, 77);
	run(&again, MEANS DOSE, text_end(&other));
	assert_int_equal(again.r, 0);
	assert_memory_equal(
	    o.result.table_digest, again.result.table_digest, TABLE_DIGEST_LEN);
	canon_free(&csv.c);
	canon_free(&other.c);
	prepared_free(&o);
	prepared_free(&again);
}

static void
one_mean_is_cut_where_least_is_lost(void **state)
{
	struct prepared o;
	const double *age;

	(void)state;
	run(&o, MEANS,
	    "age,sex,ill\n"
	    "80,f,no\n20,f,no\n21,f,yes\n22,f,no\n79,f,yes\n78,f,no\n"
	    "77,f,no\n23,f,no\n24,f,no\n25,f,no\n76,f,yes\n");
	assert_int_equal(o.r, 0);
	age = prepared_values(&o, "age");
	/* 20 to 25 and 76 to 80. */
	for (size_t i = 0; i < 11; i++)
		assert_true(age[i] == 22.5 || age[i] == 78);
	prepared_free(&o);
}

static void
a_class_too_small_for_a_mean_is_suppressed(void **state)
{
	struct prepared o;

	(void)state;
	run(&o, MEANS,
	    "age,sex,ill\n"
	    "20,f,no\n21,f,no\n22,f,yes\n23,f,no\n24,f,yes\n30,m,no\n");
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_REFUSED);
	assert_non_null(strstr(o.err.msg, "1 of 6 rows share"));
	prepared_free(&o);
}

static void
only_numbers_that_are_features_become_means(void **state)
{
	(void)state;
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\n"
	    "[column sex]\ntype = levels\nlevels = f, m\n"
	    "privacy = quasi-identifier\nlevel = mean\n"
	    "use = feature\n",
	    "level: only a number that is a feature can be a mean");
	prepared_refused(MEANS "[hierarchy age]\nlevel-1 = cut 0 50 99\n",
	    "\"age\" is a mean and has no use for a hierarchy");
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\nrecoding = local\n" DOSE,
	    "level: mean, expected recoding = global");
}

/*
 * Rules for numbers and dates.
 */

#define AGES                                                                   \
	PREPARED_HEAD "[privacy]\nk = 2\ncohort = fixed\n"                     \
		      "[column age]\ntype = integer\nrange = 15..110\n"        \
		      "privacy = quasi-identifier\nlevel = 1\nuse = feature\n" \
		      "[hierarchy age]\n"
#define BORN                                                                   \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 2\ncohort = fixed\nsuppression-limit = 0.5\n"          \
	"[column x]\ntype = integer\nrange = 0..9\nprivacy = none\n"           \
	"use = feature\n"                                                      \
	"[column born]\ntype = date\nrange = 1919-11-05..2020-02-28\n"         \
	"privacy = quasi-identifier\nlevel = 2\n"                              \
	"[hierarchy born]\n"

static const struct study_recode *
recode_of(struct study *s, const char *column, size_t level)
{
	return &s->columns[study_find(s, column)].recodes[level - 1];
}

static void
is_called(const struct study_recode *r, double v, const char *label)
{
	assert_string_equal(r->labels[study_group(r, v)], label);
}

static void
top_and_bottom_coding_leaves_the_middle(void **state)
{
	struct err err = { 0 };
	struct study *s = parse(AGES "level-1 = code 18..89\n"
				     "level-2 = cut 15 18 90 110\n",
	    &err);
	const struct study_recode *r;

	(void)state;
	if (s == NULL)
		fail_msg("%s", err.msg);
	r = recode_of(s, "age", 1);
	assert_int_equal(r->n_groups, 74);
	is_called(r, 15, "15-17");
	is_called(r, 17, "15-17");
	is_called(r, 18, "18");
	is_called(r, 89, "89");
	is_called(r, 90, "90-110");
	is_called(r, 110, "90-110");
	/* What a term reads. */
	assert_true(study_recoded(&s->columns[study_find(s, "age")], 57) == 57);
	assert_true(
	    study_recoded(&s->columns[study_find(s, "age")], 103) == 100);
	study_free(s);
	s = parse(AGES "level-1 = code ..89\n", &err);
	assert_non_null(s);
	assert_int_equal(recode_of(s, "age", 1)->n_groups, 76);
	is_called(recode_of(s, "age", 1), 15, "15");
	study_free(s);
}

static void
every_cuts_at_the_multiples(void **state)
{
	struct err err = { 0 };
	struct study *s =
	    parse(AGES "level-1 = every 5\nlevel-2 = every 20\n", &err);
	const struct study_recode *r;

	(void)state;
	if (s == NULL)
		fail_msg("%s", err.msg);
	r = recode_of(s, "age", 1);
	assert_int_equal(r->n_groups, 19);
	is_called(r, 15, "15-19");
	is_called(r, 110, "105-110");
	r = recode_of(s, "age", 2);
	assert_int_equal(r->n_groups, 6);
	is_called(r, 19, "15-19");
	is_called(r, 20, "20-39");
	is_called(r, 110, "100-110");
	study_free(s);
}

static void
dates_become_periods(void **state)
{
	static const struct {
		const char *day, *month, *quarter, *year, *decade;
	} days[] = {
		{ "1919-11-05", "1919-11", "1919-Q4", "1919", "1910s" },
		{ "1919-12-31", "1919-12", "1919-Q4", "1919", "1910s" },
		{ "1920-01-01", "1920-01", "1920-Q1", "1920", "1920s" },
		{ "1972-02-29", "1972-02", "1972-Q1", "1972", "1970s" },
		{ "1999-12-31", "1999-12", "1999-Q4", "1999", "1990s" },
		{ "2000-07-01", "2000-07", "2000-Q3", "2000", "2000s" },
		{ "2020-02-28", "2020-02", "2020-Q1", "2020", "2020s" },
	};
	struct err err = { 0 };
	struct study *s = parse(BORN "level-1 = month\nlevel-2 = quarter\n"
				     "level-3 = year\nlevel-4 = decade\n",
	    &err);

	(void)state;
	if (s == NULL)
		fail_msg("%s", err.msg);
	/* 1919-11 to 2020-02. */
	assert_int_equal(recode_of(s, "born", 1)->n_groups, 2 + 100 * 12 + 2);
	assert_int_equal(recode_of(s, "born", 3)->n_groups, 102);
	for (size_t i = 0; i < nitems(days); i++) {
		int64_t day;

		assert_int_equal(
		    study_date("YYYY-MM-DD", days[i].day, 10, &day), 0);
		is_called(recode_of(s, "born", 1), (double)day, days[i].month);
		is_called(
		    recode_of(s, "born", 2), (double)day, days[i].quarter);
		is_called(recode_of(s, "born", 3), (double)day, days[i].year);
		is_called(recode_of(s, "born", 4), (double)day, days[i].decade);
	}
	study_free(s);
}

static void
dates_are_held_to_k_by_their_period(void **state)
{
	struct prepared o;

	(void)state;
	run(&o, BORN "level-1 = month\nlevel-2 = year\n",
	    "x,born,ill\n1,1970-01-01,no\n2,1970-12-31,yes\n"
	    "3,1971-01-01,no\n4,1980-05-05,no\n5,1980-06-06,yes\n");
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_suppressed, 1);
	assert_int_equal(o.s->n_table, 2);
	assert_non_null(strstr(o.json, "102 groups to form groups of"));
	prepared_free(&o);
}

#define ZIPS(level)                                                            \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 3\ncohort = fixed\nsuppression-limit = 0.5\n"          \
	"[column x]\ntype = integer\nrange = 0..9\nprivacy = none\n"           \
	"use = feature\n"                                                      \
	"[column zip]\ntype = text\nprivacy = quasi-identifier\n"              \
	"level = 1\n[hierarchy zip]\n" level

/* Three from small areas, and what is no code, are one region; two of 100 are too
   few, three of 101 not. */
static void
small_regions_of_zip_codes_are_one(void **state)
{
	static const char csv[] =
	    "x,zip,ill\n1,03601,no\n1,05999,yes\n1,89301-0001,no\n1,?,no\n"
	    "2,10001,no\n2,10002,yes\n3,10101,no\n3,10102,no\n3,10199,yes\n";
	struct prepared o;

	(void)state;
	run(&o, ZIPS("level-1 = zip3\n"), csv);
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_suppressed, 2);
	for (size_t i = 0; i < 7; i++)
		assert_true(prepared_values(&o, "x")[i] != 2);
	assert_non_null(strstr(o.json, "000 where 20,000 people or fewer"));
	prepared_free(&o);
	run(&o, ZIPS("level-1 = mask 3\n"), csv);
	assert_int_equal(o.r, -1);
	assert_non_null(strstr(o.err.msg, "6 of 9 rows"));
	prepared_free(&o);
	prepared_refused(
	    ZIPS("level-1 = zip3\nlevel-2 = mask 2\n"), "mask: not above zip3");
	prepared_refused(ZIPS("level-1 = mask 3\nlevel-2 = zip3\n"),
	    "zip3: expected more than 3 characters");
	prepared_refused(
	    ZIPS("level-1 = zip4\n"), "expected \"mask ...\" or \"zip3\"");
}

static void
refuses_rules_that_do_not_fit_the_range(void **state)
{
	(void)state;
	prepared_refused(AGES "level-1 = code 18..110\n",
	    "code: expected whole numbers from 15 to below 110");
	prepared_refused(AGES "level-1 = code 10..89\n",
	    "code: expected whole numbers from 15 to below 110");
	prepared_refused(
	    AGES "level-1 = code 18\n", "expected LOWEST..HIGHEST");
	prepared_refused(
	    AGES "level-1 = every 0\n", "every: expected a number above");
	prepared_refused(
	    AGES "level-1 = every 0.01\n", "more than 4096 groups");
	prepared_refused(AGES "level-1 = every 5\nlevel-2 = every 7\n",
	    "cut 21 is none of the level before");
	prepared_refused(AGES "level-1 = month\n",
	    "expected \"cut ...\", \"every ...\" or \"code ...\"");
	prepared_refused(BORN "level-1 = every 5\nlevel-2 = year\n",
	    "expected month, quarter, year or decade for the dates of "
	    "\"born\"");
	prepared_refused(BORN "level-1 = year\nlevel-2 = month\n",
	    "is none of the level before");
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 2\ncohort = fixed\n"
	    "[column x]\ntype = integer\nrange = 0..9\n"
	    "privacy = none\nuse = feature\n"
	    "[column born]\ntype = date\n"
	    "privacy = quasi-identifier\nlevel = 1\n"
	    "[hierarchy born]\nlevel-1 = year\n",
	    "\"born\" is held to k and has no range");
}

/*
 * Bad input.
 */

static void
refuses(const char *study, const char *csv, const char *why)
{
	struct prepared o;

	run(&o, study, csv);
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_REFUSED);
	if (strstr(o.err.msg, why) == NULL)
		fail_msg("%s", o.err.msg);
	assert_string_equal(o.json, "");
	prepared_free(&o);
}

static void
refuses_what_no_table_can_be_made_of(void **state)
{
	(void)state;
	/* k above the rows. */
	refuses(AGES "level-1 = every 50\n", "age,ill\n30,no\n",
	    "1 of 1 rows share their quasi-identifiers with fewer than 2");
	/* No rows; all missing. */
	refuses(AGES "level-1 = every 50\n", "age,ill\n",
	    "0 complete rows are left, at least 2 are needed");
	refuses(AGES "level-1 = every 50\n",
	    "age,ill\nNA,no\n,yes\n30,NA\n40,\n",
	    "0 complete rows are left, at least 2 are needed");
}

static void
takes_one_distinct_value(void **state)
{
	struct prepared o;

	(void)state;
	run(&o, AGES "level-1 = every 50\n", "age,ill\n30,no\n30,no\n30,no\n");
	assert_int_equal(o.r, 0);
	assert_int_equal(o.result.smallest_class, 3);
	prepared_free(&o);
}

/* A value that the hierarchy does not have has a place, and is not repeated. */
static void
a_value_outside_of_the_hierarchy_has_a_place(void **state)
{
	struct prepared o;

	(void)state;
	run(&o, LOCAL, "age,sex,land,ill\n1,f,a,no\n2,f,unheard-of,no\n");
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_FORMAT);
	assert_non_null(
	    strstr(o.err.msg, "x.csv:3:5: land: expected one of a, b, c, d"));
	assert_null(strstr(o.err.msg, "unheard-of"));
	prepared_free(&o);
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 2\ncohort = fixed\n"
	    "[column land]\ntype = levels\nlevels = a, b, c\n"
	    "privacy = quasi-identifier\nlevel = 1\nuse = feature\n"
	    "[hierarchy land]\nlevel-1 = group x: a, b\n",
	    "\"c\" is in no group");
}

static void
takes_a_million_distinct_values(void **state)
{
	struct text csv = { 0 };
	struct prepared o;

	(void)state;
	text_add(&csv, "income,ill\n");
	for (unsigned i = 0; i < 1000000; i++)
		text_add(&csv, "%u,%s\n", i * 7 % 1000000,
		    i % 3 == 0 ? "yes" : "no");
	run(&o,
	    PREPARED_HEAD
	    "[privacy]\nk = 5\ncohort = fixed\n"
	    "[column income]\ntype = integer\nrange = 0..999999\n"
	    "privacy = quasi-identifier\nlevel = 1\nuse = feature\n"
	    "[hierarchy income]\nlevel-1 = every 1000\n",
	    text_end(&csv));
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_kept, 1000000);
	assert_int_equal(o.result.smallest_class, 1000);
	canon_free(&csv.c);
	prepared_free(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_class_keeps_the_narrowest_groups),
		cmocka_unit_test(local_recoding_suppresses_what_fits_nowhere),
		cmocka_unit_test(
		    local_recoding_wants_values_that_can_be_counted),
		cmocka_unit_test(k_counts_patients_not_rows),
		cmocka_unit_test(rows_are_patients_if_nothing_else_is_said),
		cmocka_unit_test(a_row_of_nobody_is_incomplete),
		cmocka_unit_test(refuses_where_patients_are_too_few),
		cmocka_unit_test(only_a_direct_identifier_tells_patients_apart),
		cmocka_unit_test(a_mean_is_of_k_patients),
		cmocka_unit_test(one_mean_is_cut_where_least_is_lost),
		cmocka_unit_test(a_class_too_small_for_a_mean_is_suppressed),
		cmocka_unit_test(only_numbers_that_are_features_become_means),
		cmocka_unit_test(top_and_bottom_coding_leaves_the_middle),
		cmocka_unit_test(every_cuts_at_the_multiples),
		cmocka_unit_test(dates_become_periods),
		cmocka_unit_test(dates_are_held_to_k_by_their_period),
		cmocka_unit_test(small_regions_of_zip_codes_are_one),
		cmocka_unit_test(refuses_rules_that_do_not_fit_the_range),
		cmocka_unit_test(refuses_what_no_table_can_be_made_of),
		cmocka_unit_test(takes_one_distinct_value),
		cmocka_unit_test(a_value_outside_of_the_hierarchy_has_a_place),
		cmocka_unit_test(takes_a_million_distinct_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Patients with several rows: what is counted, linked and shifted; and what
   becomes of rows when a study is prepared again. */
#include "config.h"

#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "anonymize/pseudonym.h"
#include "common/macros.h"
#include "tests/anonymize/prepared.h"

#define MRN "[column mrn]\ntype = text\nprivacy = direct-identifier\n"
#define AGE                                                                    \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"
#define GROUP                                                                  \
	"[column group]\ntype = levels\nlevels = a, b, c\n"                    \
	"privacy = sensitive\nuse = feature\n"
#define ASKS(more)                                                             \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 3\ncohort = fixed\npatient = mrn\n" more MRN

static const uint8_t secret[PATIENTS_KEY] = { 7, 7, 7 };
static const struct prepare with_secret = { .secret = secret };

static void
fits(const struct prepared *o)
{
	if (o->r != 0)
		fail_msg("%s", o->err.msg);
}

/* Three patients of 30 with one row each; one of 40 with nine: a patient of
   four, but nine rows of twelve. */
static void
the_limit_is_of_patients(void **state)
{
	static const char csv[] =
	    "mrn,age,ill\nA,30,no\nB,30,yes\nC,30,no\n"
	    "D,40,no\nD,40,no\nD,40,no\nD,40,no\nD,40,no\nD,40,no\n"
	    "D,40,yes\nD,40,yes\nD,40,yes\n";
	struct prepared o;

	(void)state;
	prepared_run(&o, ASKS("suppression-limit = 0.25\n") AGE, csv, NULL);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 9);
	assert_true(prepared_number(&o, "patients.complete") == 4);
	assert_true(prepared_number(&o, "patients.suppressed") == 1);
	assert_true(prepared_number(&o, "patients.suppressed_at_most") == 1);
	assert_true(prepared_number(&o, "patients.in_table") == 3);
	assert_non_null(strstr(o.html, "at most 1 patients"));
	prepared_free(&o);
	prepared_run(&o, ASKS("suppression-limit = 0.24\n") AGE, csv, NULL);
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_REFUSED);
	assert_non_null(strstr(o.err.msg,
	    "1 of 4 patients share a row with fewer than 3 patients; the study "
	    "lets 0 be suppressed"));
	prepared_free(&o);
}

/* One patient's rows bring other values, which say nothing of the others. */
static void
diversity_is_of_patients(void **state)
{
	static const char study[] = ASKS("suppression-limit = 1\n") AGE
	    "[column group]\ntype = levels\nlevels = a, b, c\n"
	    "privacy = sensitive\nuse = feature\n"
	    "diversity = distinct 2\n";
	static const char entropy[] = ASKS("suppression-limit = 1\n") AGE
	    "[column group]\ntype = levels\nlevels = a, b, c\n"
	    "privacy = sensitive\nuse = feature\n"
	    "diversity = entropy 1.9\n";
	struct prepared o;

	(void)state;
	/* All of 30 have a, one has b, too: a is known of everybody. */
	prepared_run(&o, study,
	    "mrn,age,group,ill\nA,30,a,no\nB,30,a,no\nC,30,a,yes\nA,30,b,no\n"
	    "D,40,a,no\nE,40,b,no\nF,40,b,yes\n",
	    NULL);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 4);
	prepared_free(&o);
	/* By rows 6 of a and 1 each of b and c; by patients 1, 1, 1. */
	prepared_run(&o, entropy,
	    "mrn,age,group,ill\nA,30,a,no\nA,30,a,no\nA,30,a,no\nA,30,a,no\n"
	    "A,30,a,no\nA,30,a,no\nB,30,b,no\nC,30,c,yes\n",
	    NULL);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 0);
	prepared_free(&o);
	/* By rows as many of a as of b; by patients 4 and 1. */
	prepared_run(&o, entropy,
	    "mrn,age,group,ill\nA,30,a,no\nB,30,a,no\nC,30,a,no\nD,30,a,yes\n"
	    "E,30,b,no\nE,30,b,no\nE,30,b,no\nE,30,b,no\n"
	    "F,40,a,no\nG,40,b,no\nH,40,c,yes\n",
	    NULL);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 8);
	prepared_free(&o);
}

/* Of ages 30 and 40 by patients both have a third of a; by rows one has three
   quarters. */
static void
closeness_is_of_patients(void **state)
{
	static const char study[] = ASKS("suppression-limit = 0\n") AGE
	    "[column group]\ntype = levels\nlevels = a, b, c\n"
	    "privacy = sensitive\nuse = feature\n"
	    "closeness = equal 0\n";
	struct prepared o;

	(void)state;
	prepared_run(&o, study,
	    "mrn,age,group,ill\nA,30,a,no\nA,30,a,no\nA,30,a,no\nA,30,a,no\n"
	    "A,30,a,no\nA,30,a,no\nB,30,b,no\nC,30,c,yes\n"
	    "D,40,a,no\nE,40,b,no\nF,40,c,no\n",
	    NULL);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 0);
	assert_non_null(strstr(o.json, "\"measured\": 0\n"));
	prepared_free(&o);
}

/* The study does not know that a patient may have several rows; the site does. */
static void
a_site_that_knows_better_counts_patients(void **state)
{
	static const char study[] = PREPARED_MODEL(
	    "terms = age\n") "[privacy]\nk = 3\ncohort = "
			     "fixed\nsuppression-limit = 0.5\n"
			     "[column mrn]\ntype = text\nprivacy = "
			     "direct-identifier\n" AGE;
	struct err err = { 0 };
	struct patients *p = patients_new("mrn", secret, &err);
	struct prepare more = { .patients = p, .patients_fd = -1 };
	struct prepared o;
	FILE *ids = tmpfile();

	(void)state;
	assert_non_null(p);
	assert_non_null(ids);
	more.patients_fd = fileno(ids);
	/* Three rows of 40 are of one patient. */
	prepared_run(&o, study,
	    "mrn,age,ill\nA,30,no\nB,30,no\nC,30,yes\nD,40,no\nD,40,no\n"
	    "D,40,yes\n",
	    &more);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 3);
	assert_true(prepared_number(&o, "patients.complete") == 4);
	assert_non_null(strstr(o.json, "\"several-rows\""));
	prepared_free(&o);
	/* One row each: nothing is said of patients. */
	prepared_run(&o, study,
	    "mrn,age,ill\nA,30,no\nB,30,no\nC,30,yes\nD,40,no\nE,40,no\n"
	    "F,40,yes\n",
	    &more);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 0);
	assert_null(json_get(o.report, "patients"));
	assert_null(strstr(o.json, "\"several-rows\""));
	prepared_free(&o);
	fclose(ids);
	patients_free(p);
}

/*
 * Local recoding and means.
 */

/* Different patients who have a row like this one. */
static size_t
patients_like(const double *const *keys, size_t n_keys, const double *who,
    size_t n, size_t row)
{
	double seen[64];
	size_t n_seen = 0;

	for (size_t i = 0; i < n && n_seen < nitems(seen); i++) {
		bool same = true;
		size_t k = 0;

		for (size_t q = 0; q < n_keys; q++)
			same = same && keys[q][i] == keys[q][row];
		while (k < n_seen && seen[k] != who[i])
			k++;
		if (same && k == n_seen)
			seen[n_seen++] = who[i];
	}
	return n_seen;
}

/* The table does not say whose rows they are, so a number says it that no rule is
   about. */
#define WHO                                                                    \
	"[column who]\ntype = integer\nrange = 0..999999\n"                    \
	"privacy = none\nuse = feature\n"

static void
draw_rows(struct text *csv, size_t patients)
{
	text_add(csv, "mrn,age,sex,who,ill\n");
	for (size_t p = 0; p < patients; p++) {
		unsigned age = text_draw(csv, 1 + text_draw(csv, 95));
		unsigned rows = 1 + text_draw(csv, 4);
		char sex = "fm"[text_draw(csv, 2)];

		for (unsigned i = 0; i < rows; i++)
			text_add(csv, "M%zu,%u,%c,%zu,%s\n", p,
			    age + text_draw(csv, 4), sex, p,
			    text_draw(csv, 2) == 0 ? "no" : "yes");
	}
}

#define SEX                                                                    \
	"[column sex]\ntype = levels\nlevels = f, m\n"                         \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"

static void
a_local_class_is_of_k_patients(void **state)
{
	static const char study[] =
	    ASKS("recoding = local\nsuppression-limit = 0\n") WHO SEX
	    "[column age]\ntype = integer\nrange = 0..99\n"
	    "privacy = quasi-identifier\nlevel = 2\nuse = feature\n"
	    "[hierarchy age]\n"
	    "level-1 = cut 0 10 20 30 40 50 60 70 80 90 99\n"
	    "level-2 = cut 0 40 99\n";
	struct text csv = { .seed = 3 };
	const double *keys[2], *who;
	size_t exact = 0, narrow = 0;
	struct prepared o;

	(void)state;
	draw_rows(&csv, 300);
	prepared_run(&o, study, text_end(&csv), NULL);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 0);
	keys[0] = prepared_values(&o, "age");
	keys[1] = prepared_values(&o, "sex");
	who = prepared_values(&o, "who");
	for (size_t i = 0; i < o.table.n_rows; i++) {
		assert_true(
		    patients_like(keys, 2, who, o.table.n_rows, i) >= 3);
		exact += study_whole(keys[0][i]);
		narrow += !study_whole(keys[0][i]) && keys[0][i] != 19.5 &&
		    keys[0][i] != 69.5;
	}
	/* Most need not be as wide as the study allows. */
	assert_true(exact > 0 && narrow > 0);
	assert_true(exact + narrow > o.table.n_rows / 2);
	canon_free(&csv.c);
	prepared_free(&o);
}

static void
a_mean_is_of_k_patients(void **state)
{
	static const char study[] = ASKS("suppression-limit = 0\n") WHO SEX
	    "[column age]\ntype = integer\nrange = 0..99\n"
	    "privacy = quasi-identifier\nlevel = mean\nuse = feature\n";
	struct text csv = { .seed = 4 };
	const double *keys[2], *who;
	double sum = 0, raw = 0;
	struct prepared o;
	const char *text;

	(void)state;
	draw_rows(&csv, 120);
	text = text_end(&csv);
	prepared_run(&o, study, text, NULL);
	fits(&o);
	keys[0] = prepared_values(&o, "age");
	keys[1] = prepared_values(&o, "sex");
	who = prepared_values(&o, "who");
	for (size_t i = 0; i < o.table.n_rows; i++) {
		assert_true(
		    patients_like(keys, 2, who, o.table.n_rows, i) >= 3);
		sum += keys[0][i];
	}
	for (const char *p = strchr(text, '\n') + 1; *p != '\0';
	     p = strchr(p, '\n') + 1)
		raw += atof(strchr(p, ',') + 1);
	/* Sums stay what they were. */
	assert_true(fabs(sum - raw) < 1e-9 * raw);
	canon_free(&csv.c);
	prepared_free(&o);
}

/* A, B, C of 20, 21, 22 with their rows; a group of rows would be A's alone. */
static void
the_rows_of_a_patient_share_his_mean(void **state)
{
	struct prepared o;
	const double *age;

	(void)state;
	prepared_run(&o,
	    ASKS("suppression-limit = 0\n") "[column age]\ntype = "
					    "integer\nrange = 0..99\n"
					    "privacy = quasi-identifier\nlevel "
					    "= mean\nuse = feature\n",
	    "mrn,age,ill\nA,20,no\nA,20,no\nA,20,yes\nB,21,no\nC,22,no\n"
	    "C,24,yes\nD,80,no\nE,81,no\nF,82,yes\n",
	    NULL);
	fits(&o);
	age = prepared_values(&o, "age");
	for (size_t i = 0; i < o.table.n_rows; i++)
		assert_true(fabs(age[i] - 127 / 6.0) < 1e-12 ||
		    fabs(age[i] - 81) < 1e-12);
	prepared_free(&o);
}

/*
 * Pseudonyms.
 */

#define LINKED(more) ASKS("pseudonym = yes\n" more)

static void
a_pseudonym_is_of_key_study_and_patient(void **state)
{
	static const uint8_t other[PATIENTS_KEY] = { 8 };
	struct pseudonym a = pseudonym_keys(secret, "rfs");
	struct pseudonym b = pseudonym_keys(secret, "os");
	struct pseudonym c = pseudonym_keys(other, "rfs");
	double low = 0;

	(void)state;
	/* Python: hmac over HKDF-Expand(07 07 07 00..., label NUL "rfs"). */
	assert_true(pseudonym_number(&a, "MRN-1", 5) == 2557461548364458.0);
	assert_true(pseudonym_shift(&a, "MRN-1", 5, 30) == 23);
	assert_true(pseudonym_number(&a, "MRN-1", 5) !=
	    pseudonym_number(&b, "MRN-1", 5));
	assert_true(pseudonym_number(&a, "MRN-1", 5) !=
	    pseudonym_number(&c, "MRN-1", 5));
	assert_true(pseudonym_number(&a, "MRN-1", 5) !=
	    pseudonym_number(&a, "MRN-2", 5));
	for (size_t i = 0; i < 1000; i++) {
		char id[16];
		size_t n = (size_t)snprintf(id, sizeof(id), "%zu", i);
		double v = pseudonym_number(&a, id, n);

		assert_true(
		    study_whole(v) && v >= 0 && v <= STUDY_PSEUDONYM_MAX);
		low += v < STUDY_PSEUDONYM_MAX / 2;
	}
	/* Half of 1000, give or take 5 standard deviations. */
	assert_true(fabs(low - 500) < 80);
}

/* Three patients with rows of 30 and 40 each. */
#define VISITS                                                                 \
	"mrn,age,ill\nA,30,no\nB,30,yes\nC,30,no\nC,40,no\nB,40,no\nA,40,no\n"

static void
pseudonyms_link_rows_and_stay(void **state)
{
	struct pseudonym keys = pseudonym_keys(secret, "t");
	struct prepared o, again;
	const double *who, *age;
	double rows[2][3];
	size_t n[2] = { 0, 0 };

	(void)state;
	prepared_run(&o, LINKED("") AGE, VISITS, &with_secret);
	fits(&o);
	who = prepared_values(&o, "mrn");
	age = prepared_values(&o, "age");
	for (size_t i = 0; i < 6; i++) {
		size_t a = age[i] == 40;

		assert_true(n[a] < 3);
		rows[a][n[a]++] = who[i];
	}
	for (size_t i = 0; i < 3; i++) {
		const char id = "ABC"[i];
		double v = pseudonym_number(&keys, &id, 1);

		for (size_t a = 0; a < 2; a++)
			assert_int_equal((rows[a][0] == v) + (rows[a][1] == v) +
				(rows[a][2] == v),
			    1);
	}
	assert_non_null(strstr(o.json, "\"linked-rows\""));
	assert_non_null(strstr(o.json, "replaced by a pseudonym"));
	prepared_run(&again, LINKED("") AGE, VISITS "D,50,no\n", &with_secret);
	assert_int_equal(again.r, -1); /* D is alone, and nobody may be lost */
	prepared_free(&again);
	prepared_run(&again, LINKED("suppression-limit = 0.5\n") AGE,
	    VISITS "D,50,no\n", &with_secret);
	fits(&again);
	assert_memory_equal(
	    who, prepared_values(&again, "mrn"), 6 * sizeof(double));
	prepared_free(&again);
	prepared_free(&o);
}

/* Every class has three patients, but nobody's rows are those of two others. */
static void
linked_rows_are_known_together(void **state)
{
	static const char csv[] =
	    "mrn,age,ill\nA,30,no\nB,30,no\nC,30,no\nC,40,no\nD,40,yes\n"
	    "E,40,no\nE,50,no\nA,50,no\nF,50,yes\n"
	    "G,60,no\nH,60,no\nI,60,yes\n";
	struct prepared o;

	(void)state;
	prepared_run(&o, ASKS("") AGE, csv, NULL);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 0);
	prepared_free(&o);
	prepared_run(
	    &o, LINKED("suppression-limit = 1\n") AGE, csv, &with_secret);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 9);
	assert_int_equal(o.result.smallest_class, 3);
	assert_true(prepared_number(&o, "patients.suppressed") == 6);
	/* Nine are looked for, all of whose rows are known; three are there. */
	assert_true(prepared_number(&o, "privacy.attack.tried") == 9);
	assert_true(prepared_number(&o, "privacy.attack.fitting") == 3);
	assert_true(prepared_number(&o, "privacy.attack.single") == 0);
	assert_true(prepared_number(&o, "privacy.before.unique") > 0.3);
	prepared_free(&o);
	prepared_run(
	    &o, LINKED("suppression-limit = 0.5\n") AGE, csv, &with_secret);
	assert_int_equal(o.r, -1);
	assert_non_null(strstr(o.err.msg,
	    "6 of 9 patients share all of their rows with fewer than 3"));
	prepared_free(&o);
}

/* How many rows somebody has is known, too, where nothing else is. */
static void
numbers_of_rows_are_known(void **state)
{
	static const char csv[] =
	    "mrn,dose,ill\nA,1,no\nB,2,no\nC,3,yes\nD,4,no\nD,5,no\n";
	static const char none[] =
	    "[column dose]\ntype = integer\nrange = 0..9\nprivacy = none\n"
	    "use = feature\n";
	char study[2048];
	struct prepared o;

	(void)state;
	snprintf(study, sizeof(study), "%s%s",
	    LINKED("suppression-limit = 0.25\n"), none);
	prepared_run(&o, study, csv, &with_secret);
	fits(&o);
	assert_int_equal(o.result.n_suppressed, 2);
	prepared_free(&o);
	snprintf(study, sizeof(study), "%s%s",
	    LINKED("suppression-limit = 0.2\n"), none);
	prepared_run(&o, study, csv, &with_secret);
	assert_int_equal(o.r, -1);
	assert_non_null(strstr(o.err.msg,
	    "1 of 4 patients have as many rows as fewer than 3 patients"));
	prepared_free(&o);
}

static void
no_model_reads_a_pseudonym(void **state)
{
	struct prepared o;

	(void)state;
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\npatient = mrn\n"
	    "pseudonym = yes\n"
	    "[column mrn]\ntype = integer\nrange = 0..99\n"
	    "privacy = direct-identifier\nuse = feature\n" AGE,
	    "is a direct identifier: it is always dropped");
	prepared_refused(
	    PREPARED_MODEL("terms = age, mrn\n") "[privacy]\nk = 3\ncohort = "
						 "fixed\npatient = mrn\n"
						 "pseudonym = yes\n" MRN AGE,
	    "terms: column \"mrn\" has use = ignored");
	prepared_refused(PREPARED_HEAD "[privacy]\nk = 3\ncohort = fixed\n"
				       "pseudonym = yes\n" MRN AGE,
	    "pseudonym, date-shift: expected patient = COLUMN");
	/* A number that identifies becomes another one, whatever its range. */
	prepared_run(&o,
	    PREPARED_HEAD "[privacy]\nk = 3\ncohort = fixed\npatient = mrn\n"
			  "pseudonym = yes\n"
			  "[column mrn]\ntype = integer\nrange = 0..99\n"
			  "privacy = direct-identifier\n" AGE,
	    "mrn,age,ill\n17,30,no\n18,30,no\n19,30,yes\n", &with_secret);
	fits(&o);
	for (size_t i = 0; i < 3; i++)
		assert_true(prepared_values(&o, "mrn")[i] > 99);
	prepared_free(&o);
	/* Without the key there are none. */
	prepared_run(&o, LINKED("") AGE, VISITS, NULL);
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_CONFIG);
	assert_string_equal(o.json, "");
	prepared_free(&o);
}

/*
 * Dates.
 */

#define DATES                                                                  \
	"[column seen]\ntype = date\nrange = 2010-01-01..2019-12-31\n"         \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"               \
	"[column again]\ntype = date\nprivacy = quasi-identifier\n"            \
	"[column stay]\ntype = interval\nfrom = seen\nto = again\n"            \
	"range = 0..400\nprivacy = sensitive\nuse = feature\n"

static double
day(const char *date)
{
	int64_t d;

	assert_int_equal(study_date("YYYY-MM-DD", date, strlen(date), &d), 0);
	return (double)d;
}

/* Two visits each, 100 days apart; k = 1, so that all is there to see. */
static void
all_dates_of_a_patient_move_together(void **state)
{
	static const char study[] =
	    PREPARED_HEAD "[privacy]\nk = 1\ncohort = fixed\npatient = mrn\n"
			  "pseudonym = yes\ndate-shift = 50\n" MRN DATES;
	static const char csv[] =
	    "mrn,seen,again,ill\n"
	    "A,2015-01-01,2015-01-08,no\nA,2015-04-11,2015-04-12,yes\n"
	    "B,2010-01-01,2010-01-08,no\nB,2010-04-11,2010-04-12,yes\n"
	    "C,2019-09-22,2019-09-29,no\nC,2019-12-31,2020-01-01,yes\n";
	static const char *const first[] = { "2015-01-01", "2010-01-01",
		"2019-09-22" };
	struct pseudonym keys = pseudonym_keys(secret, "t");
	struct prepared o;
	const double *who, *seen, *stay;

	(void)state;
	prepared_run(&o, study, csv, &with_secret);
	fits(&o);
	who = prepared_values(&o, "mrn");
	seen = prepared_values(&o, "seen");
	stay = prepared_values(&o, "stay");
	for (size_t p = 0; p < 3; p++) {
		const char id = "ABC"[p];
		double v = pseudonym_number(&keys, &id, 1);
		double by = pseudonym_shift(&keys, &id, 1, 50);
		size_t found = 0;

		assert_true(fabs(by) <= 50);
		for (size_t i = 0; i < 6; i++) {
			if (who[i] != v)
				continue;
			found++;
			assert_true(seen[i] == day(first[p]) + by ||
			    seen[i] == day(first[p]) + 100 + by);
			assert_true(
			    stay[i] == (seen[i] == day(first[p]) + by ? 7 : 1));
		}
		assert_int_equal(found, 2);
	}
	assert_non_null(strstr(o.json, "\"dates-shifted\""));
	assert_non_null(strstr(o.json, "same secret number of days"));
	assert_true(prepared_number(&o, "privacy.date_shift_days") == 50);
	prepared_free(&o);
}

static void
shifts_are_spread_evenly(void **state)
{
	struct pseudonym keys = pseudonym_keys(secret, "t");
	size_t count[7] = { 0 };

	(void)state;
	for (size_t i = 0; i < 7000; i++) {
		char id[16];
		size_t n = (size_t)snprintf(id, sizeof(id), "%zu", i);
		double d = pseudonym_shift(&keys, id, n, 3);

		assert_true(d >= -3 && d <= 3);
		count[(size_t)(d + 3)]++;
	}
	/* 1000 each, give or take 5 standard deviations. */
	for (size_t i = 0; i < 7; i++)
		assert_true(count[i] > 853 && count[i] < 1147);
}

/* k is of shifted dates, by their period; a range is of dates as they are. */
static void
shifted_dates_are_held_to_k(void **state)
{
	static const char study[] = PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\npatient = mrn\n"
	    "suppression-limit = 0.7\nmax-rejected-rows = 2\n"
	    "date-shift = 20\n" MRN
	    "[column seen]\ntype = date\nrange = 2010-01-05..2019-12-31\n"
	    "privacy = quasi-identifier\nlevel = 1\nuse = feature\n"
	    "[hierarchy seen]\nlevel-1 = year\n";
	struct pseudonym keys = pseudonym_keys(secret, "t");
	struct text csv = { .seed = 2 };
	size_t after[12] = { 0 }, before[12] = { 0 };
	const double *seen;
	struct prepared o;

	(void)state;
	text_add(&csv, "mrn,seen,ill\nX,2010-01-04,no\nY,2020-01-01,no\n");
	for (unsigned i = 0; i < 60; i++) {
		char date[16], text[STUDY_DATE_TEXT_SIZE], id[16];
		size_t n = (size_t)snprintf(id, sizeof(id), "M%u", i);
		unsigned year = 2010 + i % 10;

		snprintf(date, sizeof(date), "%u-01-%02u", year,
		    5 + text_draw(&csv, 20));
		text_add(&csv, "%s,%s,%s\n", id, date, i % 2 ? "no" : "yes");
		study_date_text(
		    (int64_t)(day(date) + pseudonym_shift(&keys, id, n, 20)),
		    text);
		after[atoi(text) - 2009]++;
		before[year - 2009]++;
	}
	prepared_run(&o, study, text_end(&csv), &with_secret);
	fits(&o);
	assert_int_equal(o.result.n_rejected, 2);
	assert_non_null(strstr(o.result.places[0],
	    "a date as YYYY-MM-DD from 2010-01-05 to "
	    "2019-12-31"));
	assert_true(memcmp(after, before, sizeof(after)) != 0);
	seen = prepared_values(&o, "seen");
	for (size_t y = 0; y < 12; y++) {
		char text[16];
		size_t n = 0;

		snprintf(text, sizeof(text), "%zu-01-01", y + 2009);
		/* The first group begins where a date may be shifted to. */
		for (size_t i = 0; i < o.table.n_rows; i++)
			n +=
			    seen[i] == (y == 0 ? day("2009-12-16") : day(text));
		assert_int_equal(n, after[y] >= 3 ? after[y] : 0);
	}
	canon_free(&csv.c);
	prepared_free(&o);
}

static void
only_shifted_dates_that_are_held_to_k_are_features(void **state)
{
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\npatient = mrn\n" MRN DATES,
	    "column \"seen\" is a date: dates are dropped");
	prepared_refused(
	    ASKS("date-shift = 9\n") "[column seen]\ntype = date\nrange = "
				     "2010-01-01..2019-12-31\n"
				     "privacy = none\nuse = feature\n",
	    "is a date, and shifted: expected use = feature and privacy = "
	    "quasi-identifier");
	prepared_refused(
	    ASKS("date-shift = 9\n") "[column seen]\ntype = date\n"
				     "privacy = quasi-identifier\nlevel = "
				     "0\nuse = feature\n",
	    "is used and has no range");
	prepared_refused(ASKS("date-shift = 0\n") AGE, "date-shift");
	prepared_refused(PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\ndate-shift = 9\n" AGE,
	    "expected patient = COLUMN");
	(void)state;
}

/*
 * Preparing again: the recoding is the study's, so that what stays has the values
 * that it had; k is over old and new rows together.
 */

#define GROWS                                                                  \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 3\ncohort = fixed\nsuppression-limit = 0.2\n"          \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = 1\nuse = feature\n"               \
	"[hierarchy age]\nlevel-1 = cut 0 20 50 80 99\n"
/* Three of 0-19, five of 20-49, two of 50-79. */
#define OLD                                                                    \
	"age,ill\n5,no\n6,no\n7,yes\n20,no\n21,no\n22,no\n23,yes\n24,no\n"     \
	"60,no\n61,yes\n"

static size_t
count(const struct prepared *o, double v)
{
	const double *age = prepared_values(o, "age");
	size_t n = 0;

	for (size_t i = 0; i < o->table.n_rows; i++)
		n += age[i] == v;
	return n;
}

static void
new_rows_are_recoded_as_the_old_ones(void **state)
{
	struct prepare last = { 0 };
	struct prepared first, next;

	(void)state;
	prepared_run(&first, GROWS, OLD, NULL);
	assert_int_equal(first.r, 0);
	assert_int_equal(first.result.n_suppressed, 2);
	assert_int_equal(count(&first, 9.5), 3);
	assert_int_equal(count(&first, 34.5), 5);
	last.last_report = first.json;
	last.last_report_len = first.json_len;
	/* One more of 50-79 brings the two back; who is 90 is alone. */
	prepared_run(&next, GROWS, OLD "62,no\n25,no\n90,yes\n", &last);
	assert_int_equal(next.r, 0);
	assert_int_equal(next.result.n_suppressed, 1);
	assert_int_equal(next.result.smallest_class, 3);
	assert_int_equal(count(&next, 9.5), 3);
	assert_int_equal(count(&next, 34.5), 6);
	assert_int_equal(count(&next, 64.5), 3);
	assert_int_equal(
	    json_get(json_get(next.report, "last"), "same_study")->kind,
	    JSON_TRUE);
	assert_non_null(strstr(next.html, "new and old ones together"));
	prepared_free(&next);
	/* Three of the old ones have left: those of 0-19 cannot stay. */
	prepared_run(&next, GROWS,
	    "age,ill\n5,no\n20,no\n21,no\n22,no\n23,yes\n24,no\n", &last);
	assert_int_equal(next.r, 0);
	assert_int_equal(count(&next, 9.5), 0);
	prepared_free(&next);
	/* Four new ones who are alone are more than a fifth of them all. */
	prepared_run(&next, GROWS, OLD "90,no\n91,no\n", &last);
	assert_int_equal(next.r, -1);
	assert_int_equal(next.err.code, ERR_REFUSED);
	assert_non_null(strstr(next.err.msg, "4 of 12 rows"));
	assert_string_equal(next.json, "");
	prepared_free(&next);
	prepared_free(&first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_is_of_patients),
		cmocka_unit_test(diversity_is_of_patients),
		cmocka_unit_test(closeness_is_of_patients),
		cmocka_unit_test(a_site_that_knows_better_counts_patients),
		cmocka_unit_test(a_local_class_is_of_k_patients),
		cmocka_unit_test(a_mean_is_of_k_patients),
		cmocka_unit_test(the_rows_of_a_patient_share_his_mean),
		cmocka_unit_test(a_pseudonym_is_of_key_study_and_patient),
		cmocka_unit_test(pseudonyms_link_rows_and_stay),
		cmocka_unit_test(linked_rows_are_known_together),
		cmocka_unit_test(numbers_of_rows_are_known),
		cmocka_unit_test(no_model_reads_a_pseudonym),
		cmocka_unit_test(all_dates_of_a_patient_move_together),
		cmocka_unit_test(shifts_are_spread_evenly),
		cmocka_unit_test(shifted_dates_are_held_to_k),
		cmocka_unit_test(
		    only_shifted_dates_that_are_held_to_k_are_features),
		cmocka_unit_test(new_rows_are_recoded_as_the_old_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

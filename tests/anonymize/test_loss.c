/* What the report says that anonymization has cost, against the definitions. */
#include "config.h"

#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anonymize/recoding.h"
#include "anonymize/rows.h"
#include "common/macros.h"
#include "tests/anonymize/prepared.h"

#define ROWS 400

static double
column_loss(const struct prepared *o, size_t q)
{
	const struct json_value *columns =
	    json_get(json_get(o->report, "loss"), "columns");

	assert_true(q < columns->n);
	return json_get_number(&columns->items[q], "loss", NAN);
}

static void
close_to(double a, double b)
{
	if (!(fabs(a - b) <= 1e-12 * fmax(1, fabs(b))))
		fail_msg("%.17g instead of %.17g", a, b);
}

/* As the report rounds it. */
static double
three_digits(double v)
{
	char text[32];

	snprintf(text, sizeof(text), "%.2e", v);
	return strtod(text, NULL);
}

#define FOUR                                                                   \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 4\nsuppression-limit = 1\ncohort = fixed\n"            \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = 1\nuse = feature\nweight = 2\n"   \
	"[hierarchy age]\nlevel-1 = cut 0 20 50 99\n"                          \
	"[column land]\ntype = levels\nlevels = a, b, c, d, e\n"               \
	"privacy = quasi-identifier\nlevel = 1\nuse = feature\n"               \
	"[hierarchy land]\nlevel-1 = group x: a, b; y: c; z: d, e\n"           \
	"[column dose]\ntype = real\nrange = 0..10\n"                          \
	"privacy = quasi-identifier\nlevel = 1\nuse = feature\n"               \
	"[hierarchy dose]\nlevel-1 = cut 0 2.5 10\n"                           \
	"[column zip]\ntype = text\n"                                          \
	"privacy = quasi-identifier\nlevel = 1\n"                              \
	"[hierarchy zip]\nlevel-1 = mask 1\n"

/* The rows, and each value's group by plain arithmetic. */
struct row {
	int age, land, zip;
	double dose;
	int group[4];
	bool kept;
};

static void
draw_rows(struct row *rows, struct text *csv)
{
	text_add(csv, "age,land,dose,zip,ill\n");
	for (size_t i = 0; i < ROWS; i++) {
		struct row *r = &rows[i];

		r->age = (int)text_draw(csv, 1 + text_draw(csv, 100));
		r->land = (int)text_draw(csv, 1 + text_draw(csv, 5));
		r->zip = (int)text_draw(csv, 40) + 10;
		r->dose = text_draw(csv, 21) / 2.0;
		r->group[0] = r->age < 20 ? 0 : r->age < 50 ? 1 : 2;
		r->group[1] = r->land < 2 ? 0 : r->land == 2 ? 1 : 2;
		r->group[2] = r->dose < 2.5 ? 0 : 1;
		r->group[3] = r->zip / 10;
		text_add(csv, "%d,%c,%g,%d,%s\n", r->age, "abcde"[r->land],
		    r -> dose, r -> zip, text_draw(csv, 2) == 0 ? "no" : "yes");
	}
}

/* Rows of the same groups in the first n columns. */
static size_t
alike(const struct row *rows, size_t i, size_t n, bool kept_only)
{
	size_t same = 0;

	for (size_t k = 0; k < ROWS; k++)
		same += (!kept_only || rows[k].kept) &&
		    memcmp(rows[k].group, rows[i].group, n * sizeof(int)) == 0;
	return same;
}

/* Rows with this row's value (or group) in one column. */
static size_t
having(const struct row *rows, size_t i, size_t q, bool group)
{
	size_t n = 0;

	for (size_t k = 0; k < ROWS; k++) {
		const struct row *a = &rows[k], *b = &rows[i];

		n += group   ? a->group[q] == b->group[q]
		    : q == 0 ? a->age == b->age
		    : q == 1 ? a->land == b->land
		    : q == 2 ? a->dose == b->dose
			     : a->zip == b->zip;
	}
	return n;
}

static double
share_of(const struct row *r, size_t q)
{
	static const double ages[] = { 0.2, 0.3, 0.5 };
	static const double lands[] = { 0.4, 0.2, 0.4 };
	static const double doses[] = { 0.25, 0.75 };

	if (!r->kept || q == 3)
		return 1;
	return q == 0 ? ages[r->group[0]]
	    : q == 1  ? lands[r->group[1]]
		      : doses[r->group[2]];
}

static void
is_what_the_definitions_say(void **state)
{
	static const double size[] = { 100, 5, INFINITY, INFINITY };
	static const double weight[] = { 2, 1, 1, 1 };
	struct text csv = { .seed = 5 };
	struct row rows[ROWS];
	struct prepared o;
	double product = 1, cells = 0, bits = 0, discernibility = 0,
	       classes = 0;
	size_t kept = 0;

	(void)state;
	draw_rows(rows, &csv);
	for (size_t i = 0; i < ROWS; i++) {
		rows[i].kept = alike(rows, i, 4, false) >= 4;
		kept += rows[i].kept;
	}
	prepared_run(&o, FOUR, text_end(&csv), NULL);
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.table.n_rows, kept);
	assert_true(kept > ROWS / 4 && kept < ROWS);
	for (size_t q = 0; q < 4; q++) {
		double sum = 0, least = ROWS / size[q], loss;

		for (size_t i = 0; i < ROWS; i++) {
			double of = rows[i].kept && q < 3
			    ? (double)having(rows, i, q, true)
			    : ROWS;

			sum += share_of(&rows[i], q);
			bits += log2(of / (double)having(rows, i, q, false));
		}
		cells += sum;
		loss = (sum - least) / (ROWS - least);
		close_to(column_loss(&o, q), loss);
		product *= pow(loss + 1, weight[q] / 5);
	}
	/* The table has the first three columns alone. */
	for (size_t i = 0; i < ROWS; i++) {
		size_t same = alike(rows, i, 3, true);

		discernibility += rows[i].kept ? (double)same : ROWS;
		classes += rows[i].kept ? 1 / (double)same : 0;
	}
	close_to(prepared_number(&o, "loss.loss"), product - 1);
	close_to(prepared_number(&o, "loss.granularity"), cells / (4 * ROWS));
	close_to(prepared_number(&o, "loss.discernibility"), discernibility);
	close_to(prepared_number(&o, "loss.average_class_rows"),
	    (double)kept / classes);
	close_to(prepared_number(&o, "loss.entropy_bits"), three_digits(bits));
	assert_non_null(strstr(o.html, "What anonymization has cost"));
	canon_free(&csv.c);
	prepared_free(&o);
}

static void
as_they_were_nothing_is_lost(void **state)
{
	struct prepared o;

	(void)state;
	prepared_run(&o,
	    PREPARED_HEAD
	    "[privacy]\nk = 2\ncohort = fixed\n"
	    "[column age]\ntype = integer\nrange = 0..99\n"
	    "privacy = quasi-identifier\nlevel = 0\nuse = feature\n",
	    "age,ill\n30,no\n30,yes\n40,no\n40,yes\n", NULL);
	assert_int_equal(o.r, 0);
	assert_true(prepared_number(&o, "loss.loss") == 0);
	assert_true(prepared_number(&o, "loss.entropy_bits") == 0);
	assert_true(prepared_number(&o, "loss.granularity") == 0.01);
	assert_true(prepared_number(&o, "loss.discernibility") == 8);
	assert_true(prepared_number(&o, "loss.average_class_rows") == 2);
	prepared_free(&o);
}

/* 10, 11, 12 and 50, 51, 53: widths of 3 and 4 of 100 values. */
static void
a_mean_stands_for_its_groups_width(void **state)
{
	struct prepared o;

	(void)state;
	prepared_run(&o,
	    PREPARED_HEAD
	    "[privacy]\nk = 3\ncohort = fixed\n"
	    "[column age]\ntype = integer\nrange = 0..99\n"
	    "privacy = quasi-identifier\nlevel = mean\nuse = feature\n",
	    "age,ill\n10,no\n53,yes\n11,no\n50,no\n12,yes\n51,yes\n", NULL);
	assert_int_equal(o.r, 0);
	close_to(column_loss(&o, 0), (0.03 * 3 + 0.04 * 3 - 0.06) / (6 - 0.06));
	/* Each of six different values may be one of three. */
	close_to(prepared_number(&o, "loss.entropy_bits"),
	    three_digits(6 * log2(3)));
	prepared_free(&o);
}

#define LOCAL                                                                  \
	PREPARED_HEAD                                                          \
	"[privacy]\nk = 5\nsuppression-limit = 0.5\ncohort = fixed\n"          \
	"recoding = local\n"                                                   \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = 2\nuse = feature\n"               \
	"[hierarchy age]\n"                                                    \
	"level-1 = cut 0 10 20 30 40 50 60 70 80 90 99\n"                      \
	"level-2 = cut 0 40 99\n"                                              \
	"[column sex]\ntype = levels\nlevels = f, m\n"                         \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"               \
	"[column year]\ntype = integer\nrange = 1990..2009\n"                  \
	"privacy = quasi-identifier\nlevel = 1\nuse = feature\n"               \
	"[hierarchy year]\nlevel-1 = cut 1990 1996 2002 2009\n"

/* local.c keeps books of its own while it recodes.  No interval is documented by
   a number that stands for itself elsewhere. */
static void
local_recoding_lost_what_it_says(void **state)
{
	struct text csv = { .seed = 9 };
	struct recoding_local local;
	struct prepared o;
	struct err err;
	struct rows *rows;
	const char *text;
	double mean = 0;
	int fd = memfd_create("csv", MFD_CLOEXEC);

	(void)state;
	text_add(&csv, "age,sex,year,ill\n");
	for (size_t i = 0; i < 900; i++)
		text_add(&csv, "%u,%c,%u,%s\n",
		    text_draw(&csv, 1 + text_draw(&csv, 100)),
		    "fm"[text_draw(&csv, 2)], 1990 + text_draw(&csv, 20),
		    text_draw(&csv, 2) == 0 ? "no" : "yes");
	text = text_end(&csv);
	prepared_run(&o, LOCAL, text, NULL);
	if (o.r != 0)
		fail_msg("%s", o.err.msg);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_non_null(rows = rows_read(fd, "x.csv", o.s, NULL, &err));
	assert_int_equal(recoding_locally(o.s, rows, 5, NULL, &local, &err), 0);
	assert_int_equal(local.left, o.result.n_suppressed);
	for (size_t q = 0; q < 3; q++)
		mean += column_loss(&o, q) / 3;
	close_to(mean, local.mean);
	close(fd);
	rows_free(rows);
	canon_free(&csv.c);
	prepared_free(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_the_definitions_say),
		cmocka_unit_test(as_they_were_nothing_is_lost),
		cmocka_unit_test(a_mean_stands_for_its_groups_width),
		cmocka_unit_test(local_recoding_lost_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

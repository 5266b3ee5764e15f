#include "tests/check.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "model/data.h"
#include "model/spec.h"
#include "study/study.h"
#include "study/table.h"
#include "tests/study/small.h"

#define N_ROWS 3
#define N_COLUMNS 6

static const uint8_t digest[TABLE_DIGEST_LEN] = { 1, 2, 3 };

/* t, dead, age, bmi, sex, land */
static double values[N_COLUMNS][N_ROWS] = {
	{ 0, 1000, 17 },
	{ 1, 0, 1 },
	{ 23.5, 82, 52 },
	{ 10, 80, 23.25 },
	{ 0, 1, 1 },
	{ 2, 0, 1 },
};

static const double *const columns[N_COLUMNS] = { values[0], values[1],
	values[2], values[3], values[4], values[5] };

struct file {
	struct study *s;
	uint8_t *data;
	size_t len;
};

static int
write_file(struct file *f, struct err *err)
{
	FILE *tmp = tmpfile();
	int r;

	assert_non_null(tmp);
	r = table_write(fileno(tmp), f->s, digest, columns, N_ROWS, err);
	if (r == 0)
		f->data = file_read_fd(fileno(tmp), "t", 10000, &f->len, err);
	fclose(tmp);
	return r;
}

static int
setup(void **state)
{
	struct file *f = calloc(1, sizeof(*f));
	struct err err;

	f->s = study_parse("s", small, strlen(small), &err);
	*state = f;
	return f->s != NULL ? write_file(f, &err) : -1;
}

static int
teardown(void **state)
{
	struct file *f = *state;

	study_free(f->s);
	free(f->data);
	free(f);
	return 0;
}

static void
what_is_written_is_read(void **state)
{
	struct file *f = *state;
	struct table t;
	struct err err = { 0 };

	assert_int_equal(f->len % 8, 0);
	assert_int_equal(
	    table_read(&t, f->data, f->len, f->s, digest, &err), 0);
	assert_int_equal(t.n_rows, N_ROWS);
	assert_int_equal(t.n_columns, N_COLUMNS);
	for (size_t i = 0; i < N_COLUMNS; i++)
		assert_memory_equal(
		    table_column(&t, i), values[i], sizeof(values[i]));
}

/* Where the study only counts; everywhere else a row without has none. */
static void
a_value_may_be_missing(void **state)
{
	char *text =
	    small_with("kind = cox\n", "kind = cox\nfeasibility = yes\n");
	struct file *cox = *state, f = { 0 };
	double bmi = values[3][1], dead = values[1][2];
	struct model_data d;
	struct table t;
	struct err err;

	values[3][1] = values[1][2] = STUDY_MISSING;
	assert_int_equal(write_file(&(struct file){ .s = cox->s }, &err), -1);
	f.s = study_parse("s", text, strlen(text), &err);
	assert_non_null(f.s);
	assert_int_equal(write_file(&f, &err), 0);
	values[3][1] = bmi;
	values[1][2] = dead;
	assert_int_equal(table_read(&t, f.data, f.len, f.s, digest, &err), 0);
	assert_int_equal(table_design(&t, f.s, &d, &err), 0);
	assert_int_equal(d.n_terms, 0);
	assert_true(isnan(d.variables[1 * N_COLUMNS + 3]));
	assert_true(isnan(d.variables[2 * N_COLUMNS + 1]));
	assert_true(d.variables[0 * N_COLUMNS + 3] == 10);
	assert_int_equal(d.event[0], 1);
	assert_int_equal(d.event[2], 0); /* it is not known */
	table_design_free(&d);
	study_free(f.s);
	free(f.data);
	free(text);
}

static void
the_design_has_terms_times_and_strata(void **state)
{
	static const double x[N_ROWS][4] = { { 23.5, 10, 0, 1 },
		{ 82, 80, 0, 0 }, { 52, 23.25, 1, 0 } };
	static const uint8_t event[] = { 1, 0, 1 };
	static const uint32_t time_index[] = { 0, 1000, 17 };
	static const uint32_t stratum[] = { 0, 1, 1 };
	struct file *f = *state;
	struct model_data d;
	struct table t;
	struct err err;

	assert_int_equal(
	    table_read(&t, f->data, f->len, f->s, digest, &err), 0);
	assert_int_equal(table_design(&t, f->s, &d, &err), 0);
	assert_int_equal(d.n_rows, N_ROWS);
	assert_int_equal(d.n_terms, 4);
	assert_memory_equal(d.x, x, sizeof(x));
	assert_memory_equal(d.event, event, sizeof(event));
	assert_memory_equal(d.time_index, time_index, sizeof(time_index));
	assert_memory_equal(d.stratum, stratum, sizeof(stratum));
	table_design_free(&d);
	assert_null(d.x);
}

static void
values_outside_the_codebook_are_not_written(void **state)
{
	static const struct {
		size_t column;
		double v;
	} bad[] = {
		{ 0, -1 },
		{ 0, 1001 },
		{ 0, 0.5 }, /* not on the grid */
		{ 1, 2 },
		{ 1, 0.5 },
		{ 2, 24 }, /* not a documented number */
		{ 2, 23 },
		{ 3, 9.99 },
		{ 3, 80.5 },
		{ 4, 2 },
		{ 5, 3 },
		{ 5, -1 },
	};
	struct file *f = *state;
	struct err err;

	for (size_t i = 0; i < nitems(bad) + 2 * N_COLUMNS; i++) {
		size_t c =
		    i < nitems(bad) ? bad[i].column : (i - nitems(bad)) / 2;
		double old = values[c][1];

		values[c][1] = i < nitems(bad) ? bad[i].v
		    : i % 2 == 0               ? NAN
					       : INFINITY;
		free(f->data);
		f->data = NULL;
		assert_int_equal(write_file(f, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
		assert_non_null(strstr(err.msg, "row 2 of column"));
		values[c][1] = old;
	}
	assert_int_equal(write_file(f, &err), 0);
}

static void
another_studys_table_is_refused(void **state)
{
	static const uint8_t other[TABLE_DIGEST_LEN] = { 1, 2, 4 };
	struct file *f = *state;
	char *text = small_with("strata = sex\n", "");
	struct table t;
	struct err err;
	struct study *s = study_parse("s", text, strlen(text), &err);

	assert_int_equal(
	    table_read(&t, f->data, f->len, f->s, other, &err), -1);
	assert_string_equal(
	    err.msg, "table: not a table of study small as it is signed");
	assert_int_equal(table_read(&t, f->data, f->len, s, digest, &err), -1);
	study_free(s);
	free(text);
}

static void
more_rows_than_the_study_allows_are_refused(void **state)
{
	struct file *f = *state;
	char *text = small_with("rows-per-site = 100", "rows-per-site = 2");
	struct table t;
	struct err err;
	struct study *s = study_parse("s", text, strlen(text), &err);

	assert_int_equal(table_read(&t, f->data, f->len, s, digest, &err), -1);
	assert_string_equal(
	    err.msg, "table: 3 rows, the study's rows-per-site is 2");
	assert_int_equal(table_write(-1, s, digest, columns, N_ROWS, &err), -1);
	study_free(s);
	free(text);
}

static void
what_cannot_be_written_is_said(void **state)
{
	struct file *f = *state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err err;

	assert_true(fd >= 0);
	assert_int_equal(
	    table_write(fd, f->s, digest, columns, N_ROWS, &err), -1);
	assert_int_equal(err.code, ERR_SYSTEM);
	close(fd);
}

static void
no_cut_and_no_changed_header_is_accepted(void **state)
{
	struct file *f = *state;
	size_t header = f->len - sizeof(values);
	struct table t;
	struct err err;

	for (size_t n = 0; n < f->len; n++) {
		uint8_t *copy = malloc(n + (n == 0)); /* its end is watched */

		memcpy(copy, f->data, n);
		assert_int_equal(
		    table_read(&t, copy, n, f->s, digest, &err), -1);
		free(copy);
	}
	for (size_t i = 0; i < header; i++) {
		for (int bit = 0; bit < 8; bit++) {
			f->data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(
			    table_read(&t, f->data, f->len, f->s, digest, &err),
			    -1);
			f->data[i] ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t i = header; i < f->len; i++) {
		f->data[i] ^= 0x80; /* whatever it means now, no crash */
		table_read(&t, f->data, f->len, f->s, digest, &err);
		f->data[i] ^= 0x80;
	}
}

/* Rows are split at 10 and 20: a stretch has its later end. */
static void
rows_are_split_where_terms_vary_with_time(void **state)
{
	static const struct {
		uint32_t from, to, row;
		size_t piece;
		bool event;
	} want[] = {
		{ 0, 6, 0, 0, true },
		{ 0, 11, 1, 0, true },
		{ 0, 11, 2, 0, false },
		{ 11, 21, 2, 1, false },
		{ 21, 26, 2, 2, true },
	};
	static const uint32_t times[] = { 5, 10, 25 };
	char *text = small_with("strata = sex\n",
	    "strata = sex\ntime-varying = age\ntime-cuts = 10, 20\n");
	struct model_data d = { .n_rows = 3, .n_terms = 6 };
	struct model_spec spec;
	struct err err;
	struct study *s = study_parse("s", text, strlen(text), &err);

	(void)state;
	free(text);
	assert_non_null(s);
	assert_int_equal(s->n_terms, 6);
	assert_string_equal(s->terms[4].name, "age:10-20");
	assert_string_equal(s->terms[5].name, "age:20+");
	assert_string_equal(s->effects[s->n_effects - 1], "age:time");
	assert_true(s->terms[4].min == 0.0);
	assert_int_equal(study_model_spec(s, 3, &spec, &err), 0);
	assert_true(spec.has_entry && spec.time_min == -1.0);
	assert_int_equal(spec.n_times, 1002);
	assert_int_equal(spec.rows_per_site, 300);
	d.x = calloc(18, sizeof(*d.x));
	d.event = calloc(3, sizeof(*d.event));
	d.time_index = calloc(3, sizeof(*d.time_index));
	d.stratum = calloc(3, sizeof(*d.stratum));
	assert_true(d.x && d.event && d.time_index && d.stratum);
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 6; k++)
			d.x[6 * i + k] = 100.0 + (double)i;
		d.event[i] = 1;
		d.time_index[i] = times[i];
		d.stratum[i] = (uint32_t)i % 2;
	}
	assert_int_equal(table_split(s, &d), 0);
	assert_int_equal(d.n_rows, nitems(want));
	assert_int_equal(d.n_patients, 3);
	for (size_t i = 0; i < nitems(want); i++) {
		const double *x = d.x + 6 * i;
		double full = 100.0 + want[i].row;

		assert_int_equal(d.entry[i], want[i].from);
		assert_int_equal(d.time_index[i], want[i].to);
		assert_int_equal(d.patient[i], want[i].row);
		assert_int_equal(d.stratum[i], want[i].row % 2);
		assert_int_equal(d.event[i], want[i].event);
		assert_true(x[0] == full && x[3] == full);
		assert_true(x[4] == (want[i].piece == 1 ? full : 0.0));
		assert_true(x[5] == (want[i].piece == 2 ? full : 0.0));
	}
	table_design_free(&d);
	study_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_value_may_be_missing),
		cmocka_unit_test(the_design_has_terms_times_and_strata),
		cmocka_unit_test(values_outside_the_codebook_are_not_written),
		cmocka_unit_test(another_studys_table_is_refused),
		cmocka_unit_test(more_rows_than_the_study_allows_are_refused),
		cmocka_unit_test(what_cannot_be_written_is_said),
		cmocka_unit_test(no_cut_and_no_changed_header_is_accepted),
		cmocka_unit_test(rows_are_split_where_terms_vary_with_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

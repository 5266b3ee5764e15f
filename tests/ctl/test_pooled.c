/*
 * The check's own check: the fits on rows put together against what R's
 * survival and glm made of the same data (tests/reference/pooled.R), in two
 * "sites" of one table file each.
 */
#include "tests/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "ctl/pooled.h"

#define ROWS_MAX 256
#define COLUMNS_MAX 16

/* A file of tests/vectors/pooled: a header of names, then numbers. */
struct csv {
	char names[COLUMNS_MAX][32];
	double v[ROWS_MAX][COLUMNS_MAX];
	size_t n_columns, n_rows;
};

static FILE *
vector(const char *name)
{
	char path[512];
	const char *dir = getenv("top_srcdir");
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/pooled/%s",
	    dir == NULL ? "." : dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	return f;
}

static void
read_csv(struct csv *c, const char *name)
{
	FILE *f = vector(name);
	char line[512], *p, *save;

	memset(c, 0, sizeof(*c));
	assert_non_null(fgets(line, sizeof(line), f));
	for (p = strtok_r(line, ",\n", &save); p != NULL;
	     p = strtok_r(NULL, ",\n", &save))
		snprintf(c->names[c->n_columns++], 32, "%s", p);
	while (fgets(line, sizeof(line), f) != NULL) {
		size_t k = 0;

		for (p = strtok_r(line, ",\n", &save); p != NULL;
		     p = strtok_r(NULL, ",\n", &save))
			c->v[c->n_rows][k++] = strtod(p, NULL);
		assert_int_equal(k, c->n_columns);
		assert_true(++c->n_rows < ROWS_MAX);
	}
	fclose(f);
}

/* Rows from to to-1 as a table file. */
static void
write_table(const char *path, const struct csv *c, size_t from, size_t to)
{
	static const uint8_t digest[32];
	struct canon out = { 0 };
	struct err err;

	canon_raw(&out, "CSLMTABL", 8);
	canon_u32(&out, 1);
	canon_raw(&out, digest, sizeof(digest));
	canon_u64(&out, to - from);
	canon_u32(&out, (uint32_t)c->n_columns);
	for (size_t i = 0; i < c->n_columns; i++)
		canon_text(&out, c->names[i]);
	while (out.len % 8 != 0)
		canon_u8(&out, 0);
	for (size_t i = 0; i < c->n_columns; i++)
		for (size_t r = from; r < to; r++) {
			uint64_t bits;

			memcpy(&bits, &c->v[r][i], 8);
			for (size_t b = 0; b < 8; b++)
				canon_u8(&out, (uint8_t)(bits >> 8 * b));
		}
	assert_int_equal(file_write(path, out.data, out.len, 0600, &err), 0);
	canon_free(&out);
}

static struct pooled *
two_sites(const struct pooled_model *m, const char *name, double from_time)
{
	static struct csv c;
	struct pooled *p;
	struct err err;
	size_t half;

	read_csv(&c, name);
	if (from_time > 0)
		for (size_t i = 0; i < c.n_rows; i++)
			c.v[i][1] += 0.5; /* the grid has to move it back */
	half = c.n_rows / 3;
	write_table("pooled-1.tmp", &c, 0, half);
	write_table("pooled-2.tmp", &c, half, c.n_rows);
	p = pooled_new(m, &err);
	assert_non_null(p);
	assert_int_equal(pooled_add(p, 0, "pooled-1.tmp", &err), 0);
	assert_int_equal(pooled_add(p, 1, "pooled-2.tmp", &err), 0);
	unlink("pooled-1.tmp");
	unlink("pooled-2.tmp");
	return p;
}

/* The figures of one fit, in the order of the coefficients. */
static void
like_r(const char *which, const struct pooled_fit *fit)
{
	FILE *f = vector("figures.csv");
	char line[512], name[32], term[32];
	double b, se, ll0, ll1;
	size_t k = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%31[^,],%31[^,],%lf,%lf,%lf,%lf", name, term,
			&b, &se, &ll0, &ll1) != 6 ||
		    strcmp(name, which) != 0)
			continue;
		assert_true(k < fit->n_coef);
		assert_true(fabs(fit->coef[k] - b) < 1e-10 * se);
		assert_true(fabs(fit->se[k] - se) < 1e-10 * se);
		assert_true(fabs(fit->loglik_null - ll0) < 1e-12 * fabs(ll0));
		assert_true(fabs(fit->loglik - ll1) < 1e-12 * fabs(ll1));
		k++;
	}
	fclose(f);
	assert_int_equal(k, fit->n_coef);
	assert_true(fit->converged);
}

static const struct pooled_term lung_terms[] = {
	{ .factors[0] = { .column = "age", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "sex", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "ecog", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "karno", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "wtloss", .level = POOLED_NUMBER },
	    .n_factors = 1 },
};
static const struct pooled_model lung = {
	.cox = true,
	.time = "time",
	.event = "event",
	.terms = lung_terms,
	.n_terms = nitems(lung_terms),
};

static void
cox_with_breslow_is_r(void **state)
{
	struct pooled *p = two_sites(&lung, "lung.csv", 0);
	struct pooled_fit fit;
	struct err err;

	(void)state;
	assert_int_equal(pooled_fit(p, NULL, 0, &fit, &err), 0);
	assert_int_equal(fit.n, 212);
	assert_int_equal(fit.n_events, 150);
	like_r("breslow", &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

static void
cox_with_efron_is_r(void **state)
{
	struct pooled_model m = lung;
	struct pooled *p;
	struct pooled_fit fit;
	struct err err;

	(void)state;
	m.efron = true;
	p = two_sites(&m, "lung.csv", 0);
	assert_int_equal(pooled_fit(p, NULL, 0, &fit, &err), 0);
	like_r("efron", &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

/* Institutions of the same number at both sites are two. */
static void
cox_with_clusters_is_r(void **state)
{
	struct pooled_model m = lung;
	struct pooled_fit fit;
	struct pooled *p;
	struct err err;

	(void)state;
	m.efron = true;
	m.errors = POOLED_BY_PATIENT;
	m.patient = "inst";
	p = two_sites(&m, "lung.csv", 0);
	assert_int_equal(pooled_fit(p, NULL, 0, &fit, &err), 0);
	like_r("cluster", &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

static void
cox_stratified_by_a_column_is_r(void **state)
{
	static const struct pooled_stratum inst = { "inst", 34 };
	struct pooled_model m = lung;
	struct pooled *p;
	struct pooled_fit fit;
	struct err err;

	(void)state;
	m.efron = true;
	m.strata = &inst;
	m.n_strata = 1;
	p = two_sites(&m, "lung.csv", 0);
	assert_int_equal(pooled_fit(p, NULL, 0, &fit, &err), 0);
	like_r("inst", &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

static void
cox_on_a_grid_is_r_on_moved_times(void **state)
{
	double starts[40];
	struct pooled_grid grid = { starts, nitems(starts), NULL };
	struct pooled_model m = lung;
	struct pooled *p;
	struct pooled_fit fit;
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(starts); i++)
		starts[i] = 30.0 * (double)(i + 1);
	m.efron = true;
	p = two_sites(&m, "lung.csv", 30);
	assert_int_equal(pooled_fit(p, &grid, 1, &fit, &err), 0);
	like_r("grid", &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

static void
cox_stratified_by_site_is_r(void **state)
{
	struct pooled_model m = lung;
	struct pooled *p;
	struct pooled_fit fit;
	struct err err;

	(void)state;
	m.efron = true;
	m.strata_by_site = true;
	p = two_sites(&m, "lung.csv", 0);
	assert_int_equal(pooled_fit(p, NULL, 0, &fit, &err), 0);
	like_r("site", &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

/* 212 rows, 150 events; counted again on the intervals that came out. */
static void
a_sites_own_grid_keeps_the_smallest_step(void **state)
{
	static struct csv c;
	struct pooled_model m = lung;
	struct pooled *p;
	struct err err;
	double *starts, *lasts;
	size_t n, all;

	(void)state;
	m.efron = true;
	read_csv(&c, "lung.csv");
	p = two_sites(&m, "lung.csv", 0);
	assert_int_equal(
	    pooled_grid_make(p, 0, 5, &starts, &lasts, &n, &err), 0);
	assert_true(n > 5);
	for (size_t i = 0; i < n; i++) {
		size_t events = 0, censored = 0;

		for (size_t r = 0; r < c.n_rows; r++) {
			if (c.v[r][1] < starts[i] ||
			    (i + 1 < n && c.v[r][1] >= starts[i + 1]))
				continue;
			if (c.v[r][2] != 0)
				events++;
			else
				censored++;
		}
		assert_true(events >= 5);
		assert_true(censored == 0 || censored >= 5);
	}
	free(starts);
	free(lasts);
	/* With step 1 every event has a time of its own. */
	assert_int_equal(
	    pooled_grid_make(p, 0, 1, &starts, &lasts, &all, &err), 0);
	assert_true(all > 100);
	free(starts);
	free(lasts);
	assert_int_equal(
	    pooled_grid_make(p, 0, 200, &starts, &lasts, &n, &err), 0);
	assert_int_equal(n, 0);
	free(starts);
	free(lasts);
	pooled_free(p);
}

static const struct pooled_term birth_terms[] = {
	{ .factors[0] = { .column = "age", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "lwt", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "race", .level = 2 }, .n_factors = 1 },
	{ .factors[0] = { .column = "race", .level = 3 }, .n_factors = 1 },
	{ .factors[0] = { .column = "smoke", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "ht", .level = POOLED_NUMBER },
	    .n_factors = 1 },
	{ .factors[0] = { .column = "ui", .level = POOLED_NUMBER },
	    .n_factors = 1 },
};
static const struct pooled_model birth = {
	.event = "low",
	.terms = birth_terms,
	.n_terms = nitems(birth_terms),
};

static void
logistic_is_r(void **state)
{
	struct pooled *p = two_sites(&birth, "birthwt.csv", 0);
	struct pooled_fit fit;
	struct err err;

	(void)state;
	assert_int_equal(pooled_fit(p, NULL, 0, &fit, &err), 0);
	assert_int_equal(fit.n, 189);
	assert_int_equal(fit.n_events, 59);
	like_r("logistic", &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

static void
regression_is_r(const char *which, const char *csv, enum pooled_family family,
    const char *outcome, const struct pooled_term *terms, size_t n_terms)
{
	const struct pooled_model m = {
		.family = family,
		.event = outcome,
		.terms = terms,
		.n_terms = n_terms,
	};
	struct pooled *p = two_sites(&m, csv, 0);
	struct pooled_fit fit;
	struct err err;

	if (pooled_fit(p, NULL, 0, &fit, &err) != 0)
		fail_msg("%s", err.msg);
	like_r(which, &fit);
	pooled_fit_clear(&fit);
	pooled_free(p);
}

static void
linear_and_poisson_regression_are_r(void **state)
{
	static const struct pooled_term epil[] = {
		{ .factors[0] = { .column = "trt", .level = POOLED_NUMBER },
		    .n_factors = 1 },
		{ .factors[0] = { .column = "base", .level = POOLED_NUMBER },
		    .n_factors = 1 },
		{ .factors[0] = { .column = "age", .level = POOLED_NUMBER },
		    .n_factors = 1 },
		{ .factors[0] = { .column = "V4", .level = POOLED_NUMBER },
		    .n_factors = 1 },
	};

	(void)state;
	regression_is_r("gaussian", "birthweight.csv", POOLED_GAUSSIAN, "bwt",
	    birth_terms, nitems(birth_terms));
	regression_is_r(
	    "poisson", "epil.csv", POOLED_POISSON, "y", epil, nitems(epil));
	regression_is_r(
	    "quasi", "epil.csv", POOLED_QUASIPOISSON, "y", epil, nitems(epil));
}

/* survfit() and survdiff(): tests/vectors/model/km_*.csv, lung_sex. */
static void
survival_by_groups_is_r(void **state)
{
	static const struct pooled_stratum sex = { "sex", 3 };
	static const double starts[] = { 0, 226 };
	const struct pooled_grid late = { starts, nitems(starts), NULL };
	const struct pooled_model m = {
		.km = true,
		.n_groups = 3, /* 0 is empty */
		.time = "time",
		.event = "event",
		.strata = &sex,
		.n_strata = 1,
	};
	struct pooled *p = two_sites(&m, "lung.csv", 0);
	static double all[1100], survival[1100], se[1100];
	struct pooled_grid grid = { all, nitems(all), NULL };
	struct err err;
	double chi2;

	(void)state;
	for (size_t i = 0; i < nitems(all); i++)
		all[i] = (double)i;
	assert_int_equal(pooled_logrank(p, 1, &grid, &chi2, &err), 0);
	assert_true(fabs(chi2 - 9.4606870809907893) < 1e-13);
	pooled_survival(p, 2, 1, &grid, survival, se);
	assert_true(fabs(survival[61] - 0.9651162790697676) < 1e-15);
	assert_true(fabs(se[61] - 0.019785726281047595) < 1e-15);
	/* 49 of these 86 had an event; a group of 86 is less than 87. */
	pooled_survival(p, 2, 87, &grid, survival, se);
	assert_true(survival[1099] == 1);
	assert_int_equal(pooled_logrank(p, 87, &late, &chi2, &err), 0);
	assert_true(isnan(chi2));
	pooled_free(p);
}

static void
a_term_twice_is_singular(void **state)
{
	static const struct pooled_term twice[] = {
		{ .factors[0] = { .column = "age", .level = POOLED_NUMBER },
		    .n_factors = 1 },
		{ .factors[0] = { .column = "age", .level = POOLED_NUMBER },
		    .n_factors = 1 },
	};
	struct pooled_model m = lung;
	struct pooled *p;
	struct pooled_fit fit;
	struct err err;

	(void)state;
	m.terms = twice;
	m.n_terms = 2;
	p = two_sites(&m, "lung.csv", 0);
	assert_int_equal(pooled_fit(p, NULL, 0, &fit, &err), -1);
	assert_int_equal(err.code, ERR_NUMERIC);
	pooled_free(p);
}

/* Every prefix of a table, and a table without the column. */
static void
refuses_a_table_that_is_not_one(void **state)
{
	static struct csv c;
	struct pooled *p;
	struct err err;
	uint8_t *bytes;
	size_t len;

	(void)state;
	read_csv(&c, "birthwt.csv");
	write_table("pooled-1.tmp", &c, 0, 2);
	bytes = file_read("pooled-1.tmp", 1 << 20, &len, &err);
	assert_non_null(bytes);
	p = pooled_new(&birth, &err);
	assert_non_null(p);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(
		    file_write("pooled-1.tmp", bytes, i, 0600, &err), 0);
		assert_int_equal(pooled_add(p, 0, "pooled-1.tmp", &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
	}
	snprintf(c.names[0], sizeof(c.names[0]), "high");
	write_table("pooled-1.tmp", &c, 0, 2);
	assert_int_equal(pooled_add(p, 0, "pooled-1.tmp", &err), -1);
	assert_string_equal(err.msg, "pooled-1.tmp: no column low");
	unlink("pooled-1.tmp");
	assert_int_equal(pooled_add(p, 0, "pooled-1.tmp", &err), -1);
	assert_int_equal(err.code, ERR_SYSTEM);
	free(bytes);
	pooled_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cox_with_breslow_is_r),
		cmocka_unit_test(cox_with_efron_is_r),
		cmocka_unit_test(cox_with_clusters_is_r),
		cmocka_unit_test(cox_stratified_by_a_column_is_r),
		cmocka_unit_test(cox_on_a_grid_is_r_on_moved_times),
		cmocka_unit_test(cox_stratified_by_site_is_r),
		cmocka_unit_test(a_sites_own_grid_keeps_the_smallest_step),
		cmocka_unit_test(logistic_is_r),
		cmocka_unit_test(linear_and_poisson_regression_are_r),
		cmocka_unit_test(survival_by_groups_is_r),
		cmocka_unit_test(a_term_twice_is_singular),
		cmocka_unit_test(refuses_a_table_that_is_not_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

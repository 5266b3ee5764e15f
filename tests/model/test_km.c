/*
 * Survival by groups over rows dealt to several sites against R's figures,
 * which tests/reference/km.R writes; and what the rule for small groups does.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/step/state.h"
#include "model/survival.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

#define TOLERANCE 1e-11

/* NA is NaN on both sides. */
static double
number(const char *text)
{
	return strncmp(text, "NA", 2) == 0 ? NAN : strtod(text, NULL);
}

static void
is_like(const char *what, double got, const char *expected)
{
	double e = number(expected);

	if (isnan(e) && isnan(got))
		return;
	if (!(fabs(got - e) <= TOLERANCE * (1.0 + fabs(e))))
		fail_msg("%s: %.17g, expected %s", what, got, expected);
}

/* The next line of this study, cut at its commas; NULL at the end. */
static char **
next_line(FILE *f, const char *study)
{
	static char line[512], *cells[16];
	size_t n;

	while (fgets(line, sizeof(line), f) != NULL) {
		n = 0;
		for (char *c = strtok(line, ",\n"); c != NULL && n < 16;
		     c = strtok(NULL, ",\n"))
			cells[n++] = c;
		if (n > 0 && strcmp(cells[0], study) == 0)
			return cells;
	}
	return NULL;
}

static void
check_curves(const struct survival *s, const char *study)
{
	FILE *f = open_vectors("km_curves.csv");
	size_t at[MODEL_TERMS_MAX] = { 0 };
	char **c;

	while ((c = next_line(f, study)) != NULL) {
		size_t g = strtoul(c[1], NULL, 10), i = at[g]++;
		const struct survival_point *v = &s->group[g].points[i];

		assert_true(g < s->n_groups && i < s->group[g].n_points);
		is_like("time", v->time, c[2]);
		is_like("at risk", (double)v->at_risk, c[3]);
		is_like("events", (double)v->events, c[4]);
		is_like("survival", v->survival, c[5]);
		is_like("se", v->se, v->survival > 0 ? c[6] : "NA");
		is_like("low", v->low, c[7]);
		is_like("high", v->high, c[8]);
		is_like("hazard", v->hazard, c[9]);
		is_like("hazard's se", v->hazard_se, c[10]);
	}
	fclose(f);
	for (size_t g = 0; g < s->n_groups; g++) {
		assert_true(at[g] > 0);
		assert_int_equal(at[g], s->group[g].n_points);
	}
}

static void
check_groups(const struct survival *s, const char *study)
{
	FILE *f = open_vectors("km_groups.csv");
	size_t found = 0;
	char **c;

	while ((c = next_line(f, study)) != NULL) {
		const struct survival_group *g =
		    &s->group[strtoul(c[1], NULL, 10)];

		is_like("n", (double)g->n, c[2]);
		is_like("events", (double)g->n_events, c[3]);
		is_like("median", g->median, c[4]);
		is_like("median low", g->median_low, c[5]);
		is_like("median high", g->median_high, c[6]);
		is_like("rmst", g->rmst, c[7]);
		is_like("rmst's se", g->rmst_se, c[8]);
		found++;
	}
	fclose(f);
	assert_int_equal(found, s->n_groups);
}

static void
check_tests(const struct survival *s, const char *study)
{
	FILE *f = open_vectors("km_tests.csv");
	size_t found = 0;
	char **c;

	while ((c = next_line(f, study)) != NULL) {
		size_t rho = strtoul(c[1], NULL, 10);
		const struct survival_test *t = &s->test[rho];

		assert_true(t->there);
		is_like("chi2", t->chi2, c[2]);
		is_like("df", t->df, c[3]);
		is_like("p", t->p, c[4]);
		is_like("expected", s->group[0].expected[rho], c[5]);
		found++;
	}
	fclose(f);
	assert_int_equal(found, s->n_groups > 1 ? 2 : 0);
}

static struct model_spec
km_spec(const struct rows *r, uint32_t n_groups, uint32_t n_strata,
    uint32_t n_sites)
{
	struct model_spec s = spec_for(r, MODEL_KM, n_sites);

	s.n_times = 0;
	for (size_t i = 0; i < r->n; i++)
		s.n_times = MAX(s.n_times, (uint32_t)r->time[i] + 1);
	s.strata = n_strata > 1 ? STRATA_COLUMN : STRATA_NONE;
	s.n_strata = n_strata;
	s.n_terms = n_groups;
	for (uint32_t a = 0; a < n_groups; a++)
		snprintf(s.terms[a].name, MODEL_NAME_SIZE, "g=%u", a);
	return s;
}

static struct survival *
survival_of(struct consortium *c)
{
	struct survival *s;
	struct err err;

	consortium_run(c);
	if ((s = survival_read(c->plan, &err)) == NULL)
		fail_msg("%s", err.msg);
	return s;
}

/*
 * Groups by a column of the file ("" is none), strata by its strata; the
 * group's lowest value is group 0.
 */
static void
run(const char *file, const char *study, const char *by, uint32_t n_strata,
    double until, uint32_t n_sites)
{
	struct rows r = rows_read(file);
	struct model_spec spec;
	struct consortium c;
	struct survival *s;
	uint32_t n_groups = 1;

	for (size_t i = 0; i < r.n; i++) {
		uint32_t stratum = n_strata > 1 ? r.stratum[i] : 0, g = 0;

		if (strcmp(by, "stratum") == 0)
			g = r.stratum[i];
		for (size_t k = 0; k < r.n_terms; k++) {
			if (strcmp(r.names[k], by) == 0)
				g = (uint32_t)r.x[i * r.n_terms + k] -
				    (strcmp(by, "sex") == 0);
		}
		n_groups = MAX(n_groups, g + 1);
		r.stratum[i] = stratum << 8 | g;
	}
	for (size_t i = 0; i < r.n; i++)
		r.stratum[i] =
		    (r.stratum[i] >> 8) * n_groups + (r.stratum[i] & 255);
	spec = km_spec(&r, n_groups, n_strata, n_sites);
	spec.rmst_until = until;
	r.n_terms = 0; /* nothing but times */
	consortium_open(&c, &spec, &r, deal_in_turn);
	s = survival_of(&c);
	if (n_strata == 1) /* they are those of a study without */
		check_curves(s, study);
	check_groups(s, study);
	check_tests(s, study);
	print_message(
	    "%s: %zu rounds, %zu words\n", study, c.rounds, c.longest);
	survival_free(s);
	consortium_close(&c);
	rows_free(&r);
}

static void
lung_is_as_in_r(void **state)
{
	(void)state;
	run("lung.csv", "lung", "", 1, 700, 3);
	run("lung.csv", "lung_sex", "sex", 1, 700, 4);
}

static void
a_stratified_test_is_as_in_r(void **state)
{
	(void)state;
	run("lung.csv", "lung_sex_strata", "sex", 18, 700, 3);
	run("rotgbsg.csv", "rotgbsg_hormon", "hormon", 2, 1826, 4);
}

static void
breast_and_colon_cancer_are_as_in_r(void **state)
{
	(void)state;
	run("rotgbsg.csv", "rotgbsg", "stratum", 1, 1826, 4);
	run("colon.csv", "colon", "stratum", 1, 1826, 5);
}

static const char *const bounds_names[] = {
	[BOUNDS_LOG] = "log",
	[BOUNDS_LOG_LOG] = "log-log",
	[BOUNDS_PLAIN] = "plain",
};

static void
check_bounds(const struct survival *s, const char *type)
{
	FILE *f = open_vectors("km_bounds.csv");
	size_t at[2] = { 0 };
	char **c;

	while ((c = next_line(f, type)) != NULL) {
		size_t g = strtoul(c[1], NULL, 10);
		const struct survival_point *v = &s->group[g].points[at[g]++];

		is_like("time", v->time, c[2]);
		is_like("low", v->low, c[3]);
		is_like("high", v->high, c[4]);
		is_like("median low", s->group[g].median_low, c[5]);
		is_like("median high", s->group[g].median_high, c[6]);
	}
	fclose(f);
	assert_int_equal(at[0], s->group[0].n_points);
	assert_int_equal(at[1], s->group[1].n_points);
}

static void
check_hazard_bounds(const struct survival *s, const char *type)
{
	FILE *f = open_vectors("km_hazard_bounds.csv");
	size_t at[2] = { 0 };
	char **c;

	while ((c = next_line(f, type)) != NULL) {
		size_t g = strtoul(c[1], NULL, 10);
		const struct survival_point *v = &s->group[g].points[at[g]++];

		is_like("time", v->time, c[2]);
		is_like("low", v->hazard_low, c[3]);
		is_like("high", v->hazard_high, c[4]);
	}
	fclose(f);
	assert_int_equal(at[0], s->group[0].n_points);
	assert_int_equal(at[1], s->group[1].n_points);
}

static void
bounds_and_weights_are_as_in_r(void **state)
{
	FILE *f = open_vectors("km_rho.csv");
	struct rows r = rows_read("lung.csv");
	struct model_spec spec;
	char line[64];

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		for (size_t k = 0; k < r.n_terms; k++) {
			if (strcmp(r.names[k], "sex") == 0)
				r.stratum[i] =
				    (uint32_t)r.x[i * r.n_terms + k] - 1;
		}
	}
	r.n_terms = 0;
	spec = km_spec(&r, 2, 1, 3);
	assert_non_null(fgets(line, sizeof(line), f));
	for (int type = BOUNDS_LOG; type <= BOUNDS_PLAIN; type++) {
		struct consortium c;
		struct survival *s;
		double rho = 1.0, chi2 = NAN;

		if (fgets(line, sizeof(line), f) != NULL)
			assert_int_equal(
			    sscanf(line, "%lf,%lf", &rho, &chi2), 2);
		spec.bounds = (enum model_bounds)type;
		spec.rho = rho;
		consortium_open(&c, &spec, &r, deal_in_turn);
		s = survival_of(&c);
		check_bounds(s, bounds_names[type]);
		check_hazard_bounds(s, bounds_names[type]);
		if (!isnan(chi2))
			close_to("chi2", s->test[1].chi2, chi2, chi2);
		survival_free(s);
		consortium_close(&c);
	}
	fclose(f);
	rows_free(&r);
}

/* 60 patients in group 0, 40 in 1, and in 2 as many as are asked for. */
static struct rows
three_groups(size_t n_third)
{
	struct rows r = rows_new(100 + n_third, 0);

	for (size_t i = 0; i < r.n; i++) {
		r.stratum[i] = i < 60 ? 0 : i < 100 ? 1 : 2;
		r.time[i] = (double)(1 + i * 37 % 90);
		r.event[i] = i % 3 != 0;
	}
	return r;
}

/* Their times are not in the sum at all: as if they were not there. */
static void
the_times_of_a_small_group_are_never_summed(void **state)
{
	struct rows with = three_groups(4), without = three_groups(0);
	struct consortium a, b;
	struct model_spec s = km_spec(&with, 3, 1, 2);
	uint64_t *x, *y;
	struct result r;

	(void)state;
	s.risk_set_step = 5;
	consortium_open(&a, &s, &with, deal_in_turn);
	consortium_open(&b, &s, &without, deal_in_turn);
	consortium_round(&a);
	consortium_round(&b);
	assert_string_equal(plan_kind(a.plan), "times");
	assert_int_equal(plan_words(a.plan), 2 + 2 * 2 * s.n_times);
	x = consortium_sum(&a);
	y = consortium_sum(&b);
	assert_int_equal(x[0], y[0] + 4); /* the weight: all rows */
	assert_memory_equal(
	    x + 1, y + 1, (plan_words(a.plan) - 1) * sizeof(*x));
	free(x);
	free(y);
	consortium_run(&a);
	r = consortium_result(&a);
	assert_int_equal(r.n_warnings, 2);
	assert_non_null(strstr(r.warnings[0], "by intervals in which"));
	assert_non_null(strstr(r.warnings[1], "left out: 1 groups"));
	consortium_close(&a);
	consortium_close(&b);
	rows_free(&with);
	rows_free(&without);
}

/*
 * An attack on the published curves: no difference of two of their numbers is
 * about fewer patients than the step.
 */
static void
no_number_of_a_curve_is_about_few_patients(void **state)
{
	struct rows r = three_groups(70);

	(void)state;
	for (uint32_t step = 1; step <= 12; step++) {
		struct model_spec spec = km_spec(&r, 3, 1, 3);
		struct consortium c;
		struct survival *s;

		spec.risk_set_step = step;
		consortium_open(&c, &spec, &r, deal_in_turn);
		s = survival_of(&c);
		for (size_t g = 0; g < 3; g++) {
			uint64_t left = s->group[g].n, early, censored = 0;

			assert_true(s->group[g].n_points > 0);
			early = left - s->group[g].points[0].at_risk;
			assert_true(early == 0 || early >= step);
			left = s->group[g].points[0].at_risk;
			for (size_t i = 0; i < s->group[g].n_points; i++) {
				const struct survival_point *v =
				    &s->group[g].points[i];

				assert_int_equal(v->at_risk, left);
				assert_true(v->events >= step);
				assert_true(
				    v->censored == 0 || v->censored >= step);
				left -= v->events + v->censored;
				censored += v->censored;
			}
			assert_int_equal(left, 0);
			assert_true(censored > 0);
		}
		survival_free(s);
		consortium_close(&c);
	}
	rows_free(&r);
}

static void
has_words(struct consortium *c, const char *words)
{
	struct canon out = { 0 };
	struct result_meta meta = { .study = "t" };
	struct err err;

	assert_int_equal(result_json(c->plan, &meta, &out, &err), 0);
	assert_int_equal(result_text(c->plan, &meta, &out, &err), 0);
	canon_u8(&out, 0);
	assert_non_null(strstr((char *)out.data, words));
	assert_null(strstr((char *)out.data, "nan"));
	canon_free(&out);
}

static void
what_cannot_be_estimated_is_said_in_words(void **state)
{
	struct rows r = three_groups(0);
	struct model_spec s = km_spec(&r, 2, 1, 2);
	struct consortium c;

	(void)state;
	s.risk_set_step = 100;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	has_words(&c, "too few events or patients");
	consortium_close(&c);
	/* All of one group die at once: its curve ends at 0. */
	s.risk_set_step = 1;
	for (size_t i = 60; i < r.n; i++) {
		r.time[i] = 50.0;
		r.event[i] = 1;
	}
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	has_words(&c, "\"median\": 50");
	consortium_close(&c);
	memset(r.event, 0, r.n);
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	has_words(&c, "no patient had an event");
	consortium_close(&c);
	rows_free(&r);
}

/* The second sum must be about the patients of the first one. */
static void
a_sum_that_contradicts_the_counts_is_not_used(void **state)
{
	struct rows r = three_groups(0);
	struct model_spec s = km_spec(&r, 2, 1, 2);
	struct consortium c;
	struct err err;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_round(&c);
	for (uint32_t k = 0; k < 3; k++) {
		uint64_t *sum = consortium_sum(&c);

		assert_string_equal(plan_kind(c.plan), "times");
		sum[2 + k]++;
		assert_int_equal(
		    plan_step(c.plan, sum, plan_words(c.plan), s.n_sites, &err),
		    0);
		free(sum);
	}
	assert_true(plan_done(c.plan));
	has_words(&c, "a sum was beyond what the sites can have sent");
	consortium_close(&c);
	rows_free(&r);
}

/* Every prefix of the model bytes, and the bytes with one changed. */
static void
a_damaged_state_is_refused_or_another_one(void **state)
{
	struct rows r = three_groups(0);
	struct model_spec s = km_spec(&r, 2, 1, 2);
	struct canon bytes = { 0 };
	struct consortium c;
	struct plan *p;
	struct err err;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	plan_save(c.plan, &bytes);
	p = plan_load(&s, bytes.data, bytes.len, &err);
	assert_non_null(p);
	plan_free(p);
	for (size_t n = 0; n < bytes.len; n++)
		assert_null(plan_load(&s, bytes.data, n, &err));
	for (size_t n = 0; n < bytes.len; n++) {
		struct survival *v;

		bytes.data[n] ^= 0x81;
		p = plan_load(&s, bytes.data, bytes.len, &err);
		if (p != NULL && plan_done(p)) {
			assert_non_null(v = survival_read(p, &err));
			survival_free(v);
		}
		plan_free(p);
		bytes.data[n] ^= 0x81;
	}
	canon_free(&bytes);
	consortium_close(&c);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lung_is_as_in_r),
		cmocka_unit_test(a_stratified_test_is_as_in_r),
		cmocka_unit_test(bounds_and_weights_are_as_in_r),
		cmocka_unit_test(breast_and_colon_cancer_are_as_in_r),
		cmocka_unit_test(the_times_of_a_small_group_are_never_summed),
		cmocka_unit_test(no_number_of_a_curve_is_about_few_patients),
		cmocka_unit_test(what_cannot_be_estimated_is_said_in_words),
		cmocka_unit_test(a_sum_that_contradicts_the_counts_is_not_used),
		cmocka_unit_test(a_damaged_state_is_refused_or_another_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Cumulative incidence of competing causes over rows dealt to several sites,
 * against cmprsk's figures (tests/reference/cuminc.R); what small numbers hide.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/contribute.h"
#include "model/cuminc.h"
#include "model/step/state.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

static struct model_spec
cuminc_spec(const struct rows *r, uint32_t n_strata, uint32_t n_sites)
{
	struct model_spec s = spec_for(r, MODEL_CUMINC, n_sites);

	for (size_t i = 0; i < r->n; i++)
		s.n_times = MAX(s.n_times, (uint32_t)r->time[i] + 1);
	s.strata = n_strata > 1 ? STRATA_COLUMN : STRATA_NONE;
	s.n_strata = n_strata;
	s.n_terms = 2;
	snprintf(s.terms[0].name, MODEL_NAME_SIZE, "women");
	snprintf(s.terms[1].name, MODEL_NAME_SIZE, "men");
	s.n_causes = 2;
	snprintf(s.causes[0], MODEL_NAME_SIZE, "progression");
	snprintf(s.causes[1], MODEL_NAME_SIZE, "death");
	return s;
}

static void
check_curves(const struct plan *p)
{
	FILE *f = open_vectors("cuminc_curves.csv");
	struct cuminc c[2][2];
	unsigned group, cause;
	double time, incidence, se;
	char line[256];
	size_t found = 0;

	for (uint32_t i = 0; i < 4; i++)
		cuminc_start(&c[i / 2][i % 2], p, i / 2, 1 + i % 2);
	assert_non_null(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f) != NULL) {
		struct cuminc *x;

		assert_int_equal(sscanf(line, "%u,%u,%lf,%lf,%lf", &group,
				     &cause, &time, &incidence, &se),
		    5);
		x = &c[group][cause - 1];
		assert_true(cuminc_next(x));
		close_to("time", x->time, time, 1.0);
		close_to("incidence", x->incidence, incidence, incidence);
		close_to("se", x->se, se, se);
		found++;
	}
	fclose(f);
	assert_true(found > 400);
	for (uint32_t i = 0; i < 4; i++)
		assert_false(cuminc_next(&c[i / 2][i % 2]));
}

static void
check_tests(const struct plan *p, unsigned stratified)
{
	FILE *f = open_vectors("cuminc_tests.csv");
	unsigned strata, cause, df, found = 0;
	double chi2, pv;
	char line[256];

	while (fgets(line, sizeof(line), f) != NULL) {
		struct result_test t;

		if (sscanf(line, "%u,%u,%lf,%u,%lf", &strata, &cause, &chi2,
			&df, &pv) != 5 ||
		    strata != stratified)
			continue;
		assert_true(cuminc_test(p, cause, &t));
		close_to("chi2", t.chi2, chi2, chi2);
		assert_int_equal(t.df, df);
		close_to("p", t.p, pv, 10.0 * pv);
		found++;
	}
	fclose(f);
	assert_int_equal(found, 2);
}

static void
incidence_and_tests_are_those_of_cmprsk(void **state)
{
	(void)state;
	for (unsigned stratified = 0; stratified < 2; stratified++) {
		struct rows r = rows_read("cuminc_mgus2.csv");
		struct model_spec s = cuminc_spec(&r, 1 + stratified, 4);
		struct consortium c;

		for (size_t i = 0; i < r.n; i++)
			r.stratum[i] =
			    stratified ? r.stratum[i] : r.stratum[i] % 2;
		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		assert_int_equal(c.rounds, 2);
		check_curves(c.plan); /* groups, in all strata */
		check_tests(c.plan, stratified);
		consortium_close(&c);
		rows_free(&r);
	}
}

/* The textbook: each patient's event adds S(t-)/Y(t), in long double. */
static void
incidence_is_as_in_the_textbook(void **state)
{
	struct rows r = rows_new(300, 0);
	struct model_spec s;
	struct consortium c;

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		r.time[i] = (double)(i * i % 37);
		r.event[i] = (uint8_t)(i * 7 % 3);
		r.stratum[i] = i % 5 > 2;
	}
	s = cuminc_spec(&r, 1, 3);
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	for (uint32_t g = 0; g < 2; g++) {
		struct cuminc x;

		cuminc_start(&x, c.plan, g, 2);
		while (cuminc_next(&x)) {
			long double F = 0, S = 1;

			for (double t = 0.0; t <= x.time; t += 1.0) {
				double Y = 0, d = 0, all = 0;

				for (size_t i = 0; i < r.n; i++) {
					if (r.stratum[i] != g || r.time[i] < t)
						continue;
					Y += 1;
					all += r.time[i] == t && r.event[i] > 0;
					d += r.time[i] == t && r.event[i] == 2;
				}
				F += Y > 0 ? S * d / Y : 0;
				S *= Y > 0 ? 1 - all / Y : 1;
			}
			close_to("incidence", x.incidence, (double)F, 1e-3);
			assert_true(x.low <= x.incidence);
			assert_true(x.high >= x.incidence);
		}
	}
	consortium_close(&c);
	rows_free(&r);
}

/*
 * An attack on what is shown: steps of two curves, and who was censored between
 * them.  None is about fewer patients than the smallest step.
 */
static void
no_step_is_about_few_patients(void **state)
{
	struct rows r = rows_read("cuminc_mgus2.csv");
	struct model_spec s;
	struct consortium c;
	struct result got;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.stratum[i] %= 2;
	s = cuminc_spec(&r, 1, 4);
	s.risk_set_step = 6;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_non_null(strstr(got.warnings[0], "known by intervals"));
	assert_true(c.plan->grid.n > 5);
	for (uint32_t i = 0; i < c.plan->grid.n; i++) {
		for (uint32_t g = 0; g < 2; g++) {
			const uint64_t *v = c.plan->cells + (i + 1) * 6 + 3 * g;

			for (uint32_t k = 1; k < 3; k++)
				assert_true(v[k] == 0 || v[k] >= 6);
			assert_true(
			    v[0] - v[1] - v[2] == 0 || v[0] - v[1] - v[2] >= 6);
		}
	}
	consortium_close(&c);
	rows_free(&r);
}

/* A cause that few of a group have: its times are in no sum, in no result. */
static void
a_rare_cause_hides_its_group(void **state)
{
	struct rows r = rows_new(100, 0);
	struct result_meta meta = { .study = "t" };
	struct canon out[2] = { { 0 }, { 0 } };
	struct model_spec s;
	struct err err;

	(void)state;
	for (int world = 0; world < 2; world++) {
		struct consortium c;

		for (size_t i = 0; i < r.n; i++) {
			r.time[i] = (double)(i % 20);
			r.stratum[i] = i >= 50;
			r.event[i] = (uint8_t)(1 + i % 2);
			/* Two men died, earlier in the one world. */
			if (i >= 50)
				r.event[i] = i % 3 == 0;
			if (i == 60 || i == 70) {
				r.event[i] = 2;
				r.time[i] = world == 0 ? 3.0 : 17.0;
			}
		}
		s = cuminc_spec(&r, 1, 3);
		s.n_times = 20;
		s.risk_set_step = 5;
		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		assert_int_equal(
		    result_json(c.plan, &meta, &out[world], &err), 0);
		assert_int_equal(
		    result_text(c.plan, &meta, &out[world], &err), 0);
		consortium_close(&c);
	}
	assert_int_equal(out[0].len, out[1].len);
	assert_memory_equal(out[0].data, out[1].data, out[0].len);
	canon_u8(&out[0], 0);
	assert_non_null(strstr((char *)out[0].data, "not counted"));
	assert_null(strstr((char *)out[0].data, "nan"));
	canon_free(&out[0]);
	canon_free(&out[1]);
	rows_free(&r);
}

static void
no_events_and_no_such_cause_are_said(void **state)
{
	struct rows r = rows_new(30, 0);
	struct model_spec s;
	struct consortium c;
	struct result got;
	struct err err;
	double *values;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.time[i] = (double)(i % 5);
	s = cuminc_spec(&r, 1, 3);
	consortium_open(&c, &s, &r, deal_in_turn);
	values = calloc(plan_values(c.plan), sizeof(*values));
	assert_non_null(values);
	c.site[0].event[2] = 3;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	assert_string_equal(
	    err.msg, "row 3 of the table: there is no such event");
	c.site[0].event[2] = 0;
	free(values);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_non_null(strstr(got.warnings[0], "no patient had an event"));
	consortium_close(&c);
	s.n_causes = 9;
	assert_int_equal(model_spec_check(&s, &err), -1);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(incidence_and_tests_are_those_of_cmprsk),
		cmocka_unit_test(incidence_is_as_in_the_textbook),
		cmocka_unit_test(no_step_is_about_few_patients),
		cmocka_unit_test(a_rare_cause_hides_its_group),
		cmocka_unit_test(no_events_and_no_such_cause_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Linear and Poisson regression over rows dealt to several sites against R's
 * figures, which tests/reference/glm.R writes; and what the data do not allow.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/contribute.h"
#include "model/tail.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

static void
check_coefficients(const struct result *r, const char *model)
{
	char line[512], m[64], name[64];
	FILE *f = open_vectors("glm_coef.csv");
	double b, se, t, p, low, high;
	size_t found = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		const struct result_term *term;

		if (sscanf(line, "%63[^,],%63[^,],%lf,%lf,%lf,%lf,%lf,%lf", m,
			name, &b, &se, &t, &p, &low, &high) != 8 ||
		    strcmp(m, model) != 0)
			continue;
		term = term_named(r, name);
		assert_true(term->estimated);
		close_to(name, term->estimate, b, se);
		close_to(name, term->se, se, se);
		close_to(name, term->z, t, 1.0);
		close_to(name, term->p, p, 1e-300 + 100.0 * p);
		close_to(name, term->ci_low, low, se);
		close_to(name, term->ci_high, high, se);
		found++;
	}
	fclose(f);
	assert_int_equal(found, r->n_terms);
}

static void
check_fit(const struct result *r, const char *model)
{
	char line[512], m[64];
	FILE *f = open_vectors("glm_fit.csv");
	unsigned long n, df;
	double v[11];
	bool found = false;

	while (!found && fgets(line, sizeof(line), f) != NULL)
		found =
		    sscanf(line,
			"%63[^,],%lu,%lu,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,"
			"%lf",
			m, &n, &df, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
			&v[6], &v[7], &v[8], &v[9]) == 13 &&
		    strcmp(m, model) == 0;
	fclose(f);
	assert_true(found);
	assert_int_equal(r->n, n);
	assert_int_equal(r->df_residual, df);
	close_to("null deviance", r->null_deviance, v[0], v[0]);
	close_to("deviance", r->deviance, v[1], v[1]);
	close_to("null loglik", r->null_loglik, v[2], fabs(v[2]));
	close_to("loglik", r->loglik, v[3], fabs(v[3]));
	close_to("aic", r->aic, v[4], v[4]);
	close_to("dispersion", r->pearson_dispersion, v[5], v[5]);
	if (r->has_r2) {
		close_to("R squared", r->r2, v[6], 1.0);
		close_to("adjusted R squared", r->adjusted_r2, v[7], 1.0);
	}
	if (r->f.df1 > 0) {
		close_to("F", r->f.f, v[8], v[8]);
		close_to("p of F", r->f.p, v[9], 100.0 * v[9]);
	}
}

static void
run(const char *file, const char *model, enum model_kind kind, uint32_t n_sites)
{
	struct rows r = rows_read(file);
	struct model_spec s = spec_for(&r, kind, n_sites);
	struct consortium c;
	struct result got;

	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	for (size_t i = 0; i < got.n_warnings; i++)
		fail_msg("%s", got.warnings[i]);
	assert_true(got.converged);
	check_coefficients(&got, model);
	check_fit(&got, model);
	print_message(
	    "%s: %zu rounds, %zu words\n", model, c.rounds, c.longest);
	consortium_close(&c);
	rows_free(&r);
}

static void
linear_regression_is_as_in_r(void **state)
{
	(void)state;
	run("diabetes.csv", "diabetes", MODEL_GAUSSIAN, 5);
	run("birthweight.csv", "birthweight", MODEL_GAUSSIAN, 3);
}

static void
poisson_regression_is_as_in_r(void **state)
{
	(void)state;
	run("epil.csv", "epil", MODEL_POISSON, 4);
}

static void
a_dispersion_widens_the_errors_as_in_r(void **state)
{
	(void)state;
	run("epil.csv", "epil_quasi", MODEL_QUASIPOISSON, 4);
}

/* R: pt(), pf(), qt() with 17 digits. */
static void
tails_are_as_in_r(void **state)
{
	(void)state;
	close_to("t", tail_t(2.5, 7), 0.040992218585752874, 1e-4);
	close_to("t", tail_t(30, 400), 2.0106571435779269e-104, 1e-104);
	close_to("t, no df", tail_t(1, 1), 0.5, 1e-4);
	close_to("f", tail_f(3.2, 4, 17), 0.039402570364665442, 1e-4);
	close_to("f", tail_f(0.01, 9, 3), 0.99999968607986012, 1e-4);
	close_to("t 95", tail_t_95(1), 12.706204736174694, 1e-3);
	close_to("t 95", tail_t_95(431), 1.9654833203397433, 1e-3);
}

/* Runs to the end; one warning with these words, no coefficient. */
static void
says(struct rows *r, struct model_spec s, const char *words)
{
	struct consortium c;
	struct canon out = { 0 };
	struct result_meta meta = { .study = "t" };
	struct result got;
	struct err err;

	consortium_open(&c, &s, r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_true(got.n_warnings >= 1);
	assert_non_null(strstr(got.warnings[0], words));
	assert_int_equal(result_json(c.plan, &meta, &out, &err), 0);
	assert_int_equal(result_text(c.plan, &meta, &out, &err), 0);
	canon_u8(&out, 0);
	assert_null(strstr((char *)out.data, "nan"));
	assert_null(strstr((char *)out.data, "inf"));
	canon_free(&out);
	consortium_close(&c);
}

static void
what_cannot_be_estimated_is_said_in_words(void **state)
{
	struct rows r = rows_new(40, 2);
	struct model_spec s;

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		r.x[2 * i] = (double)(i % 7);
		r.x[2 * i + 1] = (double)(i % 5);
		r.y[i] = 3.0;
	}
	s = spec_for(&r, MODEL_GAUSSIAN, 3);
	says(&r, s, "the outcome is the same in all patients");
	for (size_t i = 0; i < r.n; i++)
		r.y[i] = 2.0 * r.x[2 * i] - r.x[2 * i + 1];
	s = spec_for(&r, MODEL_GAUSSIAN, 3);
	says(&r, s, "the terms determine the outcome");
	memset(r.y, 0, r.n * sizeof(*r.y));
	s = spec_for(&r, MODEL_POISSON, 3);
	says(&r, s, "no patient had an event");
	for (size_t i = 0; i < 4; i++)
		r.y[i] = 1.0;
	s = spec_for(&r, MODEL_POISSON, 3);
	s.risk_set_step = 5;
	says(&r, s, "too few events or patients");
	/* No event at all where x1 is 6. */
	for (size_t i = 0; i < r.n; i++) {
		r.x[2 * i] = i % 7 == 6;
		r.y[i] = i % 7 == 6 ? 0.0 : (double)(1 + i % 3);
	}
	s = spec_for(&r, MODEL_POISSON, 3);
	says(&r, s, "separation: x1 predicts the outcome");
	rows_free(&r);
}

/* Two coefficients and an intercept from three patients. */
static void
as_many_coefficients_as_patients_have_no_errors(void **state)
{
	static const double x[] = { 0, 0, 1, 0, 0, 1 };
	struct rows r = rows_new(3, 2);

	(void)state;
	memcpy(r.x, x, sizeof(x));
	for (size_t i = 0; i < r.n; i++)
		r.y[i] = (double)(1 + i * i);
	says(&r, spec_for(&r, MODEL_GAUSSIAN, 3), "determine the outcome");
	says(&r, spec_for(&r, MODEL_QUASIPOISSON, 3),
	    "as many coefficients as patients");
	rows_free(&r);
}

/*
 * An attack: as many coefficients as patients give each patient's outcome back.
 * With the rule, the plan ends after the counts, and no covariate is summed.
 */
static void
a_model_that_gives_outcomes_back_is_not_fitted(void **state)
{
	static const double x[] = { 0, 0, 1, 0, 0, 1 };
	struct rows r = rows_new(3, 2);
	struct model_spec s;
	struct consortium c;
	struct result got;

	(void)state;
	memcpy(r.x, x, sizeof(x));
	for (size_t i = 0; i < r.n; i++)
		r.y[i] = (double)(1 + 3 * i);
	s = spec_for(&r, MODEL_POISSON, 3);
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_true(fabs(exp(got.terms[0].estimate) - 1.0) < 1e-6);
	assert_true(fabs(exp(got.terms[0].estimate + got.terms[1].estimate) -
			4.0) < 1e-6);
	consortium_close(&c);
	s = spec_for(&r, MODEL_GAUSSIAN, 3);
	s.events_per_term = 2;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	assert_int_equal(c.rounds, 1);
	got = consortium_result(&c);
	assert_int_equal(got.n_warnings, 1);
	assert_non_null(strstr(
	    got.warnings[0], "fewer than 2 patients per term for 2 terms"));
	assert_false(got.fitted);
	consortium_close(&c);
	rows_free(&r);
}

static void
an_outcome_out_of_range_is_refused(void **state)
{
	struct rows r = rows_new(6, 1);
	double values[64];
	struct consortium c;
	struct model_spec s;
	struct err err;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.y[i] = r.x[i] = (double)i;
	s = spec_for(&r, MODEL_POISSON, 2);
	consortium_open(&c, &s, &r, deal_in_turn);
	assert_true(plan_values(c.plan) <= nitems(values));
	c.site[0].y[1] = 0.5;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	assert_string_equal(
	    err.msg, "row 2 of the table: the outcome is not a count");
	c.site[0].y[1] = 6.0;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	assert_non_null(strstr(err.msg, "codebook's range"));
	c.site[0].y[1] = NAN;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	consortium_close(&c);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_regression_is_as_in_r),
		cmocka_unit_test(poisson_regression_is_as_in_r),
		cmocka_unit_test(a_dispersion_widens_the_errors_as_in_r),
		cmocka_unit_test(tails_are_as_in_r),
		cmocka_unit_test(what_cannot_be_estimated_is_said_in_words),
		cmocka_unit_test(
		    as_many_coefficients_as_patients_have_no_errors),
		cmocka_unit_test(
		    a_model_that_gives_outcomes_back_is_not_fitted),
		cmocka_unit_test(an_outcome_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Families of generalized linear models, offsets and prior weights over rows
 * dealt to several sites, against R's figures (tests/reference/families.R) and
 * against a textbook's Fisher scoring in long double; and what the data do not
 * allow.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/contribute.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

static void
check_coefficients(const struct result *r, const char *model)
{
	char line[512], m[64], name[64];
	FILE *f = open_vectors("families_coef.csv");
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
check_fit(const struct plan *p, const struct result *r, const char *model)
{
	char line[512], m[64];
	FILE *f = open_vectors("families_fit.csv");
	unsigned long n, df;
	double v[8];
	bool found = false, cox = plan_spec(p)->kind == MODEL_COX;

	while (!found && fgets(line, sizeof(line), f) != NULL)
		found =
		    sscanf(line, "%63[^,],%lu,%lu,%lf,%lf,%lf,%lf,%lf,%lf,%lf",
			m, &n, &df, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
			&v[6]) == 10 &&
		    strcmp(m, model) == 0;
	fclose(f);
	assert_true(found);
	if (!cox) {
		close_to("null deviance", r->null_deviance, v[0], v[0]);
		close_to("deviance", r->deviance, v[1], v[1]);
	}
	if (cox || v[4] != 0.0) { /* else R has no likelihood of it */
		close_to("null loglik", r->null_loglik, v[2], fabs(v[2]));
		close_to("loglik", r->loglik, v[3], fabs(v[3]));
	}
	if (v[4] != 0.0)
		close_to("aic", r->aic, v[4], v[4]);
	if (r->df_residual > 0) {
		assert_int_equal(r->df_residual, df);
		close_to("dispersion", r->pearson_dispersion, v[5], v[5]);
	}
	if (r->f.df1 > 0)
		close_to("F", r->f.f, v[6], v[6]);
}

static void
run(const char *file, const char *model, struct model_spec s, deal_fn deal)
{
	struct rows r = rows_read(file);
	struct consortium c;
	struct result got;
	size_t without = 0;

	consortium_open(&c, &s, &r, deal);
	consortium_run(&c);
	got = consortium_result(&c);
	for (size_t i = 0; i < r.n; i++)
		without += s.has_weights && r.weight[i] == 0.0;
	assert_int_equal(got.n_warnings, without > 0);
	if (without > 0)
		assert_non_null(strstr(got.warnings[0],
		    s.kind == MODEL_BINOMIAL ? "no trial" : "weight of 0"));
	assert_true(got.converged);
	check_coefficients(&got, model);
	check_fit(c.plan, &got, model);
	print_message(
	    "%s: %zu rounds, %zu words\n", model, c.rounds, c.longest);
	consortium_close(&c);
	rows_free(&r);
}

static struct model_spec
spec_of(const char *file, enum model_kind kind, uint32_t n_sites)
{
	struct rows r = rows_read(file);
	struct model_spec s = spec_for(&r, kind, n_sites);

	rows_free(&r);
	return s;
}

/* Without and with an offset and weights. */
static void
run_each(const char *file, const char *name, enum model_kind kind)
{
	static const char *const suffixes[] = { "", "_o", "_w", "_ow" };

	for (unsigned i = 0; i < nitems(suffixes); i++) {
		struct model_spec s = spec_of(file, kind, 3 + i);
		char model[64];

		s.has_offset = (i & 1) != 0;
		s.has_weights = (i & 2) != 0;
		snprintf(model, sizeof(model), "%s%s", name, suffixes[i]);
		run(file, model, s, deal_in_turn);
	}
}

static void
linear_regression_is_as_in_r(void **state)
{
	(void)state;
	run_each("families_birthweight.csv", "gaussian", MODEL_GAUSSIAN);
}

static void
gamma_regression_is_as_in_r(void **state)
{
	(void)state;
	run_each("families_birthweight.csv", "gamma", MODEL_GAMMA);
}

static void
gamma_regression_with_the_inverse_link_is_as_in_r(void **state)
{
	struct model_spec s =
	    spec_of("families_birthweight.csv", MODEL_GAMMA_INVERSE, 3);

	(void)state;
	run("families_birthweight.csv", "gamma_inverse", s, deal_in_turn);
	s.has_weights = true;
	run("families_birthweight.csv", "gamma_inverse_w", s, deal_in_turn);
}

static void
poisson_regression_is_as_in_r(void **state)
{
	(void)state;
	run_each("families_quine.csv", "poisson", MODEL_POISSON);
}

static void
negative_binomial_regression_is_as_in_r(void **state)
{
	(void)state;
	run_each("families_quine.csv", "negbin", MODEL_NEGBIN);
}

static void
quasibinomial_regression_is_as_in_r(void **state)
{
	(void)state;
	run_each("families_birthwt.csv", "quasibinomial", MODEL_QUASIBINOMIAL);
}

static void
successes_by_trials_are_as_in_r(void **state)
{
	struct model_spec s = spec_of("families_esoph.csv", MODEL_BINOMIAL, 3);

	(void)state;
	s.has_weights = true;
	run("families_esoph.csv", "trials", s, deal_in_turn);
}

/* Each trial a row of its own: the same coefficients and errors. */
static void
trials_are_as_many_rows(void **state)
{
	struct rows r = rows_read("families_esoph.csv"), each;
	struct model_spec s = spec_for(&r, MODEL_BINOMIAL, 3);
	struct result got[2];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		n += (size_t)r.weight[i];
	each = rows_new(n, r.n_terms);
	memcpy(each.names, r.names, sizeof(each.names));
	n = 0;
	for (size_t i = 0; i < r.n; i++) {
		for (size_t k = 0; k < (size_t)r.weight[i]; k++, n++) {
			memcpy(each.x + n * r.n_terms, r.x + i * r.n_terms,
			    r.n_terms * sizeof(*r.x));
			each.event[n] = (double)k < r.y[i];
		}
	}
	s.has_weights = true;
	for (int i = 0; i < 2; i++) {
		struct consortium c;
		struct model_spec one = spec_for(&each, MODEL_LOGISTIC, 3);

		consortium_open(
		    &c, i == 0 ? &s : &one, i == 0 ? &r : &each, deal_in_turn);
		consortium_run(&c);
		got[i] = consortium_result(&c);
		consortium_close(&c);
	}
	for (size_t k = 0; k < got[0].n_terms; k++) {
		close_to(got[0].terms[k].name, got[0].terms[k].estimate,
		    got[1].terms[k].estimate, got[1].terms[k].se);
		close_to(got[0].terms[k].name, got[0].terms[k].se,
		    got[1].terms[k].se, got[1].terms[k].se);
	}
	rows_free(&each);
	rows_free(&r);
}

static void
rates_by_an_offset_are_as_in_r(void **state)
{
	struct model_spec s =
	    spec_of("families_insurance.csv", MODEL_POISSON, 4);

	(void)state;
	s.has_offset = true;
	run("families_insurance.csv", "insurance", s, deal_in_turn);
	s.kind = MODEL_QUASIPOISSON;
	s.has_weights = true;
	run("families_insurance.csv", "insurance_quasi", s, deal_in_turn);
	s = spec_of("families_birthwt.csv", MODEL_LOGISTIC, 3);
	s.has_offset = true;
	run("families_birthwt.csv", "binomial_o", s, deal_in_turn);
}

static void
an_offset_in_a_cox_model_is_as_in_r(void **state)
{
	struct model_spec s = spec_of("families_lung.csv", MODEL_COX, 4);

	(void)state;
	s.has_offset = true;
	run("families_lung.csv", "cox_o", s, deal_in_turn);
	s.strata = STRATA_SITE;
	s.n_sites = 18;
	run("families_lung.csv", "cox_strata_o", s, deal_by_stratum);
}

/* The textbook: mean, variance and d mu / d eta, Fisher scoring. */
static long double
variance_of(const struct model_spec *s, long double mu)
{
	switch (s->kind) {
	case MODEL_GAMMA:
	case MODEL_GAMMA_INVERSE:
		return mu * mu;
	case MODEL_NEGBIN:
		return mu + mu * mu / s->theta;
	case MODEL_QUASIBINOMIAL:
		return mu * (1 - mu);
	default:
		return mu;
	}
}

/* Gauss-Jordan on (n, n + 1). */
static void
solve(long double *a, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		for (size_t i = 0; i < n; i++) {
			long double f = a[i * (n + 1) + k] / a[k * (n + 1) + k];

			for (size_t j = k; i != k && j <= n; j++)
				a[i * (n + 1) + j] -= f * a[k * (n + 1) + j];
		}
	}
	for (size_t i = 0; i < n; i++)
		a[i * (n + 1) + n] /= a[i * (n + 1) + i];
}

static long double
smallest_eta(const struct rows *r, const long double *beta)
{
	long double least = HUGE_VALL;

	for (size_t i = 0; i < r->n; i++) {
		long double eta = beta[0];

		for (size_t k = 0; k < r->n_terms; k++)
			eta += beta[k + 1] * r->x[i * r->n_terms + k];
		least = fminl(least, eta);
	}
	return least;
}

static void
textbook(const struct rows *r, const struct model_spec *s, long double *beta)
{
	size_t n = r->n_terms + 1;
	long double *a = calloc(n * (n + 1), sizeof(*a));

	assert_non_null(a);
	for (int round = 0; round < 200; round++) {
		memset(a, 0, n * (n + 1) * sizeof(*a));
		for (size_t i = 0; i < r->n; i++) {
			long double eta = beta[0], mu, slope, v, w, y;
			long double x[MODEL_TERMS_MAX + 1] = { 1 };

			for (size_t k = 1; k < n; k++) {
				x[k] = r->x[i * r->n_terms + k - 1];
				eta += beta[k] * x[k];
			}
			eta += s->has_offset ? r->offset[i] : 0;
			mu = expl(eta);
			slope = mu;
			y = r->y[i];
			if (s->kind == MODEL_QUASIBINOMIAL) {
				mu /= 1 + mu;
				slope = mu * (1 - mu);
				y = r->event[i];
			}
			if (s->kind == MODEL_GAMMA_INVERSE) {
				mu = 1 / eta;
				slope = -mu * mu;
			}
			v = variance_of(s, mu);
			w = s->has_weights ? r->weight[i] : 1;
			for (size_t j = 0; j < n; j++) {
				for (size_t k = 0; k < n; k++)
					a[j * (n + 1) + k] +=
					    w * slope * slope / v * x[j] * x[k];
				a[j * (n + 1) + n] +=
				    w * slope / v * (y - mu) * x[j];
			}
		}
		solve(a, n);
		for (size_t k = 0; k < n; k++)
			beta[k] += a[k * (n + 1) + n];
		/* As R: half the step until all means are above 0. */
		while (s->kind == MODEL_GAMMA_INVERSE &&
		    !(smallest_eta(r, beta) > 0)) {
			for (size_t k = 0; k < n; k++) {
				a[k * (n + 1) + n] /= 2;
				beta[k] -= a[k * (n + 1) + n];
			}
		}
	}
	free(a);
}

static void
each_family_is_as_in_the_textbook(void **state)
{
	static const enum model_kind kinds[] = { MODEL_POISSON,
		MODEL_QUASIPOISSON, MODEL_NEGBIN, MODEL_GAMMA,
		MODEL_QUASIBINOMIAL };
	struct rows r = rows_new(400, 3);

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		r.x[3 * i] = 1e6 + (double)(i % 13); /* far from 0 */
		r.x[3 * i + 1] = (double)(i * 7 % 10) / 10.0;
		r.x[3 * i + 2] = (double)(i % 2);
		r.y[i] = (double)(1 + i * 31 % 17 + i % 13);
		r.event[i] = (i * 31 % 17) + i % 13 > 14;
		r.offset[i] = (double)(i % 5) / 3.0 - 0.5;
		r.weight[i] = (double)(i % 4) / 2.0;
	}
	for (size_t k = 0; k < nitems(kinds); k++) {
		long double beta[4] = { 0 };
		struct model_spec s = spec_for(&r, kinds[k], 3);
		struct consortium c;
		struct result got;

		s.has_offset = s.has_weights = true;
		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		got = consortium_result(&c);
		assert_true(got.converged);
		/* Fisher scoring of columns about their middle. */
		for (size_t i = 0; i < r.n; i++)
			r.x[3 * i] -= 1e6;
		textbook(&r, &s, beta);
		for (size_t i = 0; i < r.n; i++)
			r.x[3 * i] += 1e6;
		for (size_t j = 1; j < 4; j++)
			close_to(s.terms[j - 1].name, got.terms[j].estimate,
			    (double)beta[j], got.terms[j].se);
		consortium_close(&c);
	}
	rows_free(&r);
}

/* Newton's first step is to a mean below 0, which no patient can have. */
static void
a_step_to_a_mean_below_0_is_halved(void **state)
{
	struct rows r = rows_new(90, 2);
	struct model_spec s;
	struct consortium c;
	struct result got;
	struct err err;
	long double beta[3] = { 0 }, sum = 0;

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		double x = (double)(i % 15), even = (double)(i % 2);

		r.x[2 * i] = x;
		r.x[2 * i + 1] = even;
		r.y[i] = (1.0 + (double)(i * 37 % 11) / 20.0) /
		    (0.002 + 0.05 * x * (1.0 + 0.1 * even));
		sum += r.y[i];
	}
	beta[0] = (long double)r.n / sum;
	s = spec_for(&r, MODEL_GAMMA_INVERSE, 3);
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_true(got.converged);
	assert_true(got.halvings > 0);
	textbook(&r, &s, beta);
	for (size_t j = 0; j < 3; j++)
		close_to(got.terms[j].name, got.terms[j].estimate,
		    (double)beta[j], got.terms[j].se);
	consortium_close(&c);
	s.has_offset = true;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "not with the inverse link"));
	rows_free(&r);
}

/* Runs to the end; the first warning has these words; no NaN anywhere. */
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
	if (strstr(got.warnings[0], words) == NULL)
		fail_msg("%s", got.warnings[0]);
	assert_int_equal(result_json(c.plan, &meta, &out, &err), 0);
	assert_int_equal(result_text(c.plan, &meta, &out, &err), 0);
	canon_u8(&out, 0);
	assert_null(strstr((char *)out.data, "nan"));
	assert_null(strstr((char *)out.data, "inf "));
	canon_free(&out);
	consortium_close(&c);
}

static void
impossible_trials_are_refused(void **state)
{
	struct rows r = rows_read("families_esoph.csv");
	struct model_spec s = spec_for(&r, MODEL_BINOMIAL, 2);
	struct consortium c;
	struct err err;
	double *values;

	(void)state;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "the trials"));
	s.has_weights = true;
	r.weight[0] = 0.5;
	r.y[2] = 1.0;
	r.weight[2] = 0.0;
	r.weight[4] = 1.5;
	consortium_open(&c, &s, &r, deal_in_turn);
	values = calloc(plan_values(c.plan), sizeof(*values));
	assert_non_null(values);
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	assert_string_equal(err.msg,
	    "row 1 of the table: the outcome or the trials are not a count");
	c.site[0].weight[0] = 1.0;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	assert_string_equal(
	    err.msg, "row 2 of the table: more successes than trials");
	free(values);
	consortium_close(&c);
	/* All fail, all succeed. */
	for (int all = 0; all < 2; all++) {
		for (size_t i = 0; i < r.n; i++) {
			r.weight[i] = 3.0;
			r.y[i] = 3.0 * all;
		}
		s.y_min = 0.0;
		s.y_max = s.weight_max = 3.0;
		says(&r, s, "the outcome is the same in all patients");
	}
	rows_free(&r);
}

static const enum model_kind all_kinds[] = { MODEL_GAUSSIAN, MODEL_POISSON,
	MODEL_QUASIPOISSON, MODEL_NEGBIN, MODEL_GAMMA, MODEL_GAMMA_INVERSE,
	MODEL_QUASIBINOMIAL };

static struct rows
plain_rows(void)
{
	struct rows r = rows_new(60, 2);

	for (size_t i = 0; i < r.n; i++) {
		r.x[2 * i] = (double)(i % 7);
		r.x[2 * i + 1] = (double)(i % 5);
		r.y[i] = (double)(1 + i * i % 11);
		r.event[i] = i * i % 11 > 4;
		r.weight[i] = 1.0;
	}
	return r;
}

static void
constant_and_collinear_columns_are_named(void **state)
{
	struct rows r = plain_rows();

	(void)state;
	for (size_t k = 0; k < nitems(all_kinds); k++) {
		for (size_t i = 0; i < r.n; i++)
			r.x[2 * i + 1] = 4.0;
		says(&r, spec_for(&r, all_kinds[k], 3),
		    "the same in all patients, and left out of the model: x2");
		for (size_t i = 0; i < r.n; i++)
			r.x[2 * i + 1] = 3.0 * r.x[2 * i] - 1.0;
		says(&r, spec_for(&r, all_kinds[k], 3),
		    "a combination of the terms before it");
	}
	rows_free(&r);
}

static void
zero_events_and_one_class_are_said(void **state)
{
	struct rows r = plain_rows();

	(void)state;
	memset(r.y, 0, r.n * sizeof(*r.y));
	memset(r.event, 0, r.n);
	says(&r, spec_for(&r, MODEL_NEGBIN, 3), "no patient had an event");
	says(&r, spec_for(&r, MODEL_QUASIBINOMIAL, 3),
	    "the outcome is the same in all patients");
	for (size_t i = 0; i < r.n; i++)
		r.y[i] = 2.5;
	says(&r, spec_for(&r, MODEL_GAMMA, 3), "determine the outcome");
	rows_free(&r);
}

static void
separation_is_said(void **state)
{
	struct rows r = plain_rows();

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		r.x[2 * i] = r.x[2 * i] > 3.0;
		r.event[i] = r.x[2 * i] == 1.0 && i % 3 > 0;
		r.y[i] = r.x[2 * i] * (double)(1 + i % 3);
	}
	says(&r, spec_for(&r, MODEL_QUASIBINOMIAL, 3), "separation: x1");
	says(&r, spec_for(&r, MODEL_NEGBIN, 3), "separation: x1");
	rows_free(&r);
}

static void
fewer_patients_than_terms_are_said(void **state)
{
	struct rows r = rows_new(4, 6);

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		for (size_t k = 0; k < 6; k++)
			r.x[6 * i + k] =
			    (double)((i + 1) * (k + 2) % 5 + i * k);
		r.y[i] = (double)(i + 1);
		r.event[i] = i % 2;
		r.weight[i] = 1.0;
	}
	for (size_t k = 0; k < nitems(all_kinds); k++) {
		struct model_spec s = spec_for(&r, all_kinds[k], 2);

		s.events_per_term = 2;
		says(&r, s, "per term");
		s.events_per_term = 0;
		says(&r, s, "");
	}
	rows_free(&r);
}

static void
weights_that_are_too_few_or_too_uneven_are_refused(void **state)
{
	struct rows r = plain_rows();

	(void)state;
	for (size_t k = 0; k < nitems(all_kinds); k++) {
		struct model_spec s = spec_for(&r, all_kinds[k], 3);

		s.has_weights = true;
		s.risk_set_step = 5;
		memset(r.weight, 0, r.n * sizeof(*r.weight));
		s.weight_max = 100.0;
		says(&r, s, "too few events or patients");
		for (size_t i = 0; i < r.n; i++)
			r.weight[i] = 1e-3;
		r.weight[7] = 100.0; /* the sum would be of this patient */
		says(&r, s, "the weights add up to less than 5 times");
		for (size_t i = 0; i < r.n; i++)
			r.weight[i] = 1.0;
	}
	rows_free(&r);
}

static void
one_class_at_a_site_changes_nothing(void **state)
{
	struct rows r = plain_rows();

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.stratum[i] = r.event[i];
	for (size_t k = 0; k < nitems(all_kinds); k++) {
		struct model_spec s = spec_for(&r, all_kinds[k], 2);
		struct result got[2];

		for (int i = 0; i < 2; i++) {
			struct consortium c;

			consortium_open(&c, &s, &r,
			    i == 0 ? deal_in_turn : deal_by_stratum);
			consortium_run(&c);
			got[i] = consortium_result(&c);
			consortium_close(&c);
		}
		for (size_t j = 0; j < got[0].n_terms; j++)
			close_to(got[0].terms[j].name, got[1].terms[j].estimate,
			    got[0].terms[j].estimate, got[0].terms[j].se);
	}
	rows_free(&r);
}

static void
what_does_not_fit_the_family_is_refused(void **state)
{
	struct rows r = plain_rows();
	struct model_spec s = spec_for(&r, MODEL_NEGBIN, 2);
	struct consortium c;
	struct err err;
	double *values;

	(void)state;
	s.theta = 0.0;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "theta"));
	s = spec_for(&r, MODEL_GAMMA, 2);
	s.y_min = 0.0;
	assert_int_equal(model_spec_check(&s, &err), -1);
	s = spec_for(&r, MODEL_COX, 2);
	s.has_weights = true;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "no weights"));
	s = spec_for(&r, MODEL_POISSON, 2);
	s.has_offset = true;
	s.offset_max = 21.0;
	assert_int_equal(model_spec_check(&s, &err), -1);
	s.offset_max = 1.0;
	s.has_weights = true;
	r.offset[3] = -1.5;
	r.weight[4] = 2.0;
	consortium_open(&c, &s, &r, deal_in_turn);
	values = calloc(plan_values(c.plan), sizeof(*values));
	assert_non_null(values);
	assert_int_equal(contribute(c.plan, &c.site[1], values, &err), -1);
	assert_string_equal(err.msg,
	    "row 2 of the table: the offset is not within the codebook's "
	    "range");
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	assert_string_equal(err.msg,
	    "row 3 of the table: the weight is not within the codebook's "
	    "range");
	free(values);
	consortium_close(&c);
	rows_free(&r);
}

/* Also of a patient who is not in the fit. */
static void
a_term_beyond_its_range_is_refused_before_newton(void **state)
{
	struct rows r = plain_rows();
	struct model_spec s = spec_for(&r, MODEL_GAUSSIAN, 2);
	struct consortium c;
	struct err err;
	double *values;

	(void)state;
	s.has_weights = true;
	r.weight[11] = 0.0;
	consortium_open(&c, &s, &r, deal_in_turn);
	while (strcmp(plan_kind(c.plan), "newton") != 0) {
		double *x = &c.site[1].x[2 * 5 + 1], kept = *x;

		values = calloc(plan_values(c.plan), sizeof(*values));
		assert_non_null(values);
		*x = c.rounds == 0 ? 9.0 : NAN;
		assert_int_equal(
		    contribute(c.plan, &c.site[1], values, &err), -1);
		assert_string_equal(err.msg,
		    "row 6 of the table: x2 is not within the codebook's "
		    "range");
		*x = kept;
		free(values);
		consortium_round(&c);
	}
	consortium_close(&c);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_regression_is_as_in_r),
		cmocka_unit_test(gamma_regression_is_as_in_r),
		cmocka_unit_test(
		    gamma_regression_with_the_inverse_link_is_as_in_r),
		cmocka_unit_test(poisson_regression_is_as_in_r),
		cmocka_unit_test(negative_binomial_regression_is_as_in_r),
		cmocka_unit_test(quasibinomial_regression_is_as_in_r),
		cmocka_unit_test(successes_by_trials_are_as_in_r),
		cmocka_unit_test(trials_are_as_many_rows),
		cmocka_unit_test(impossible_trials_are_refused),
		cmocka_unit_test(rates_by_an_offset_are_as_in_r),
		cmocka_unit_test(an_offset_in_a_cox_model_is_as_in_r),
		cmocka_unit_test(each_family_is_as_in_the_textbook),
		cmocka_unit_test(a_step_to_a_mean_below_0_is_halved),
		cmocka_unit_test(constant_and_collinear_columns_are_named),
		cmocka_unit_test(zero_events_and_one_class_are_said),
		cmocka_unit_test(separation_is_said),
		cmocka_unit_test(fewer_patients_than_terms_are_said),
		cmocka_unit_test(
		    weights_that_are_too_few_or_too_uneven_are_refused),
		cmocka_unit_test(one_class_at_a_site_changes_nothing),
		cmocka_unit_test(what_does_not_fit_the_family_is_refused),
		cmocka_unit_test(
		    a_term_beyond_its_range_is_refused_before_newton),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

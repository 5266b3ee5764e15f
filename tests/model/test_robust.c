/*
 * Robust standard errors and ridge penalties over rows dealt to several sites,
 * against R's sandwich, scikit-learn and R's Fisher scoring
 * (tests/reference/robust.R, ridge.py, ridge.R); what is refused.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/step/ldl.h"
#include "model/step/state.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

/* A file's se of 0 says nothing; then coefficients are relative to got's. */
static void
check_terms(const struct result *r, const char *file, const char *model)
{
	char line[512], m[64], name[64];
	FILE *f = open_vectors(file);
	double b, se;
	size_t found = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		const struct result_term *t;

		if (sscanf(line, "%63[^,],%63[^,],%lf,%lf", m, name, &b, &se) !=
			4 ||
		    strcmp(m, model) != 0)
			continue;
		t = term_named(r, name);
		assert_true(t->estimated);
		close_to(name, t->estimate, b, t->se);
		/* M is of a point up to spec.tolerance, 1e-9, away: 1e-8. */
		if (se > 0.0)
			close_to(name, t->se, se, 10.0 * se);
		found++;
	}
	fclose(f);
	assert_int_equal(found, r->n_terms);
}

static struct result
fit(struct rows *r, struct model_spec s, deal_fn deal)
{
	struct consortium c;
	struct result got;

	consortium_open(&c, &s, r, deal);
	consortium_run(&c);
	got = consortium_result(&c);
	consortium_close(&c);
	return got;
}

static const struct {
	const char *name, *file;
	enum model_kind kind;
	bool weights, offset;
} robust[] = {
	{ "gaussian", "families_birthweight.csv", MODEL_GAUSSIAN, false,
	    false },
	{ "gaussian_w", "families_birthweight.csv", MODEL_GAUSSIAN, true,
	    false },
	{ "gamma", "families_birthweight.csv", MODEL_GAMMA, false, false },
	{ "gamma_ow", "families_birthweight.csv", MODEL_GAMMA, true, true },
	{ "gamma_inverse_w", "families_birthweight.csv", MODEL_GAMMA_INVERSE,
	    true, false },
	{ "poisson", "families_quine.csv", MODEL_POISSON, false, false },
	{ "poisson_o", "families_quine.csv", MODEL_POISSON, false, true },
	{ "negbin", "families_quine.csv", MODEL_NEGBIN, false, false },
	{ "negbin_w", "families_quine.csv", MODEL_NEGBIN, true, false },
	{ "logistic", "families_birthwt.csv", MODEL_LOGISTIC, false, false },
	{ "quasibinomial_w", "families_birthwt.csv", MODEL_QUASIBINOMIAL, true,
	    false },
};

static void
sandwiches_are_as_in_r(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(robust); i++) {
		struct rows r = rows_read(robust[i].file);
		struct model_spec s = spec_for(&r, robust[i].kind, 6);

		s.has_weights = robust[i].weights;
		s.has_offset = robust[i].offset;
		for (int k = 0; k < 2; k++) {
			struct result got;
			char model[64];

			s.robust = k == 0 ? ROBUST_PATIENT : ROBUST_SITE;
			got = fit(&r, s, deal_in_turn);
			snprintf(model, sizeof(model), "%s_%s", robust[i].name,
			    k == 0 ? "rows" : "site");
			print_message("%s\n", model);
			check_terms(&got, "robust.csv", model);
		}
		rows_free(&r);
	}
}

static uint32_t
deal_by_patient(const struct rows *r, size_t i, uint32_t n_sites)
{
	return r->patient[i] % n_sites;
}

/* Four visits each; in what order a site has its rows is all the same. */
static void
visits_of_a_patient_are_as_in_r(void **state)
{
	static const struct {
		const char *name;
		enum model_kind kind;
		bool weights, offset;
	} models[] = {
		{ "epil_gaussian", MODEL_GAUSSIAN, false, false },
		{ "epil_poisson", MODEL_POISSON, false, true },
		{ "epil_quasipoisson_w", MODEL_QUASIPOISSON, true, false },
		{ "epil_negbin_w", MODEL_NEGBIN, true, true },
		{ "epil_logistic", MODEL_LOGISTIC, false, false },
	};
	struct rows r = rows_read("robust_epil.csv");

	(void)state;
	for (size_t i = 0; i < nitems(models); i++) {
		struct model_spec s = spec_for(&r, models[i].kind, 6);
		struct result got;
		char model[64];

		s.has_weights = models[i].weights;
		s.has_offset = models[i].offset;
		s.robust = ROBUST_PATIENT;
		got = fit(&r, s, deal_by_patient);
		snprintf(model, sizeof(model), "%s_patient", models[i].name);
		print_message("%s\n", model);
		check_terms(&got, "robust.csv", model);
		assert_int_equal(got.clusters, 59);
		assert_int_equal(got.n, r.n);
	}
	rows_free(&r);
}

/* As many terms as patients, though not as rows: no test of all together. */
static void
few_patients_with_many_rows_are_said(void **state)
{
	struct rows r = rows_read("robust_epil.csv");
	size_t n = 0;
	static const enum model_kind kinds[] = { MODEL_LOGISTIC,
		MODEL_POISSON };

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		r.patient[i] = (uint32_t)(i / 4) % 3;
		n += r.event[i];
	}
	assert_true(n > 10);
	for (size_t k = 0; k < nitems(kinds); k++) {
		struct model_spec s = spec_for(&r, kinds[k], 4);
		struct result got;

		s.robust = ROBUST_PATIENT;
		got = fit(&r, s, deal_by_patient);
		assert_int_equal(got.clusters, 3);
		assert_int_equal(got.wald.df, 0);
		assert_non_null(
		    strstr(got.warnings[0], "too few clusters for a Wald"));
		assert_true(got.terms[1].estimated && got.terms[1].se > 0.0);
	}
	rows_free(&r);
}

/* VIF and the model's own errors stay; what is multiplied by a unit too. */
static void
what_is_the_models_stays(void **state)
{
	struct rows r = rows_read("families_birthweight.csv");
	struct model_spec s = spec_for(&r, MODEL_GAUSSIAN, 6);
	struct result plain = fit(&r, s, deal_in_turn), got;

	(void)state;
	s.robust = ROBUST_PATIENT;
	got = fit(&r, s, deal_in_turn);
	for (size_t i = 0; i < plain.n_terms; i++) {
		close_to(plain.terms[i].name, got.terms[i].model_se,
		    plain.terms[i].se, plain.terms[i].se);
		assert_true(got.terms[i].se != plain.terms[i].se);
	}
	for (size_t i = 0; i < plain.n_effects; i++)
		close_to("VIF", got.effects[i].vif, plain.effects[i].vif, 1.0);
	close_to("F", got.f.f, plain.f.f, plain.f.f);
	rows_free(&r);
}

/* Wald's test of one term is the square of its z. */
static void
robust_wald_tests_are_those_of_the_robust_errors(void **state)
{
	struct rows r = rows_read("families_birthweight.csv");

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct model_spec s =
		    spec_for(&r, k == 0 ? MODEL_GAUSSIAN : MODEL_LOGISTIC, 6);
		struct result got;

		for (size_t i = 0; i < r.n; i++)
			r.event[i] = r.y[i] < 2500.0;
		s.robust = ROBUST_SITE;
		s.n_effects = s.n_terms - 1; /* the two of race are one */
		for (uint32_t i = 0; i < s.n_terms; i++)
			s.terms[i].effect = i < 3 ? i : i - 1;
		got = fit(&r, s, deal_in_turn);
		for (uint32_t i = 0; i < s.n_effects; i++) {
			double z = got.terms[i < 3 ? i + 1 : i + 2].z;

			if (i == 2)
				assert_int_equal(got.effects[i].wald.df, 2);
			else
				close_to("Wald", got.effects[i].wald.chi2,
				    z * z, 1.0 + z * z);
		}
		/* 9 terms, 6 sites: no joint test, and it is said. */
		assert_int_equal(got.wald.df, 0);
		if (k == 1)
			assert_non_null(strstr(got.warnings[0], "too few"));
	}
	rows_free(&r);
}

/* Each row twice, to one patient: as if each had twice the weight. */
static void
rows_of_a_patient_are_one_cluster(void **state)
{
	struct rows r = rows_read("families_birthwt.csv");
	struct rows two = rows_new(2 * r.n, r.n_terms);
	struct model_spec s = spec_for(&r, MODEL_LOGISTIC, 6);
	struct result once, twice;

	(void)state;
	two.patient = calloc(two.n, sizeof(*two.patient));
	assert_non_null(two.patient);
	s.robust = ROBUST_PATIENT;
	once = fit(&r, s, deal_in_turn);
	memcpy(two.names, r.names, sizeof(two.names));
	for (size_t i = 0; i < two.n; i++) {
		memcpy(two.x + i * r.n_terms, r.x + i % r.n * r.n_terms,
		    r.n_terms * sizeof(*r.x));
		two.event[i] = r.event[i % r.n];
		two.stratum[i] = (uint32_t)(i % r.n) % 6;
		two.patient[i] = (uint32_t)(i % r.n);
	}
	s.rows_per_site = (uint32_t)two.n;
	twice = fit(&two, s, deal_by_stratum);
	for (size_t i = 0; i < once.n_terms; i++)
		close_to(once.terms[i].name, twice.terms[i].se,
		    once.terms[i].se, once.terms[i].se);
	rows_free(&two);
	rows_free(&r);
}

static void
ridge_is_as_in_scikit_learn(void **state)
{
	static const double lambdas[] = { 0.5, 40 };

	(void)state;
	for (size_t i = 0; i < 2 * nitems(lambdas); i++) {
		bool gaussian = i % 2 == 0;
		struct rows r = rows_read(gaussian ? "families_birthweight.csv"
						   : "families_birthwt.csv");
		struct model_spec s =
		    spec_for(&r, gaussian ? MODEL_GAUSSIAN : MODEL_LOGISTIC, 4);
		struct result got;
		char model[64];

		s.ridge = lambdas[i / 2];
		got = fit(&r, s, deal_in_turn);
		snprintf(model, sizeof(model), "%s_%g",
		    gaussian ? "gaussian" : "logistic", s.ridge);
		check_terms(&got, "ridge_sklearn.csv", model);
		rows_free(&r);
	}
}

static void
ridge_of_each_family_is_as_in_r(void **state)
{
	static const struct {
		const char *name, *file;
		enum model_kind kind;
	} models[] = {
		{ "gaussian", "families_birthweight.csv", MODEL_GAUSSIAN },
		{ "gaussian_w", "families_birthweight.csv", MODEL_GAUSSIAN },
		{ "gamma", "families_birthweight.csv", MODEL_GAMMA },
		{ "poisson", "families_quine.csv", MODEL_POISSON },
		{ "negbin", "families_quine.csv", MODEL_NEGBIN },
		{ "quasibinomial", "families_birthwt.csv",
		    MODEL_QUASIBINOMIAL },
		{ "logistic", "families_birthwt.csv", MODEL_LOGISTIC },
	};

	(void)state;
	for (size_t i = 0; i < nitems(models); i++) {
		struct rows r = rows_read(models[i].file);
		struct model_spec s = spec_for(&r, models[i].kind, 4);
		FILE *f = open_vectors("ridge_fit.csv");
		char line[256], m[64];
		struct result got;
		double edf, deviance;
		bool found = false;

		s.ridge = 7.0;
		s.has_weights = strstr(models[i].name, "_w") != NULL;
		print_message("%s\n", models[i].name);
		got = fit(&r, s, deal_in_turn);
		check_terms(&got, "ridge.csv", models[i].name);
		while (fgets(line, sizeof(line), f) != NULL) {
			if (sscanf(line, "%63[^,],%lf,%lf", m, &edf,
				&deviance) != 3 ||
			    strcmp(m, models[i].name) != 0)
				continue;
			close_to("parameters", got.edf, edf, edf);
			close_to("deviance", got.deviance, deviance, deviance);
			found = true;
		}
		assert_true(found);
		fclose(f);
		rows_free(&r);
	}
}

/* No NaN in what is written, and these words. */
static void
says(struct rows *r, const struct model_spec *s, const char *words)
{
	struct result_meta meta = { .study = "t" };
	struct canon out = { 0 };
	struct consortium c;
	struct err err;

	consortium_open(&c, s, r, deal_in_turn);
	consortium_run(&c);
	assert_int_equal(result_json(c.plan, &meta, &out, &err), 0);
	assert_int_equal(result_text(c.plan, &meta, &out, &err), 0);
	canon_u8(&out, 0);
	assert_null(strstr((char *)out.data, "nan"));
	if (strstr((char *)out.data, words) == NULL)
		fail_msg("%s", (char *)out.data);
	canon_free(&out);
	consortium_close(&c);
}

/* Collinear terms, separation, more terms than patients: it has an answer. */
static void
ridge_has_an_answer_where_there_is_none_without(void **state)
{
	struct rows r = rows_new(12, 14);
	struct model_spec s;

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		for (size_t k = 0; k < 14; k++)
			r.x[14 * i + k] =
			    (double)((i + 2) * (k + 3) % 7 + (k == 3) * i);
		r.event[i] = i >= 6;
		r.y[i] = (double)(1 + i * i % 5);
	}
	s = spec_for(&r, MODEL_LOGISTIC, 3);
	s.ridge = 1.0;
	says(&r, &s, "Ridge penalty");
	assert_true(fit(&r, s, deal_in_turn).converged);
	s = spec_for(&r, MODEL_GAUSSIAN, 3);
	s.ridge = 1.0;
	says(&r, &s, "converged after 2 Newton rounds");
	s = spec_for(&r, MODEL_POISSON, 3);
	s.ridge = 1.0;
	says(&r, &s, "what is shrunk has no tests");
	rows_free(&r);
}

static void
too_few_sites_are_said(void **state)
{
	struct rows r = rows_read("families_birthwt.csv");
	struct model_spec s = spec_for(&r, MODEL_LOGISTIC, 4);
	struct err err;

	(void)state;
	s.robust = ROBUST_SITE;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "expected at least 5"));
	s.ridge = 1.0;
	s.n_sites = 5;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "ridge"));
	s = spec_for(&r, MODEL_KM, 5);
	s.robust = ROBUST_PATIENT;
	s.n_terms = 1;
	s.n_times = 10;
	assert_int_equal(model_spec_check(&s, &err), -1);
	rows_free(&r);
}

static uint32_t
four_and_a_few(const struct rows *r, size_t i, uint32_t n_sites)
{
	(void)r;
	(void)n_sites;
	return i < 4 ? 4 : (uint32_t)(i % 4);
}

/* Counts first: a site with few patients is no cluster among five. */
static void
a_site_with_few_patients_is_none_of_the_five(void **state)
{
	static const enum model_kind kinds[] = { MODEL_LOGISTIC,
		MODEL_POISSON };
	struct rows r = rows_read("families_quine.csv");

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.event[i] = r.y[i] > 9.0;
	for (size_t k = 0; k < nitems(kinds); k++) {
		struct model_spec s = spec_for(&r, kinds[k], 5);
		struct consortium c;
		struct result got;

		s.robust = ROBUST_SITE;
		s.risk_set_step = 5;
		consortium_open(&c, &s, &r, four_and_a_few);
		consortium_run(&c);
		assert_int_equal(c.rounds, 1); /* nothing but counts */
		got = consortium_result(&c);
		assert_non_null(strstr(got.warnings[0],
		    "fewer than 5 sites have 5 patients each"));
		consortium_close(&c);
	}
	rows_free(&r);
}

#define P 5 /* parameters of the fit below */

/*
 * A poisson fit of four terms: M as everybody sees it, and what each of
 * n_sites has squared for it, (n_sites, P).
 */
static void
scores_of_sites(uint32_t n_sites, double *M, double *U)
{
	struct rows r = rows_new(200, P - 1);
	struct model_spec s;
	struct consortium c;

	for (size_t i = 0; i < r.n; i++) {
		for (size_t k = 0; k < P - 1; k++)
			r.x[i * (P - 1) + k] = (double)(i * (k + 3) % 11);
		r.y[i] = (double)(i * i % 7);
	}
	s = spec_for(&r, MODEL_POISSON, MAX(n_sites, MODEL_CLUSTERS_MIN));
	s.robust = ROBUST_SITE;
	s.n_sites = n_sites;
	if (n_sites < MODEL_CLUSTERS_MIN)
		s.robust = ROBUST_NO; /* it would be refused */
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	memset(U, 0, n_sites * P * sizeof(*U));
	for (size_t i = 0; i < r.n; i++) {
		double z[P] = { 1.0 }, eta = c.plan->beta[0];

		for (size_t k = 1; k < P; k++) {
			z[k] =
			    (r.x[i * (P - 1) + k - 1] - c.plan->mean[k - 1]) /
			    c.plan->sd[k - 1];
			eta += c.plan->beta[k] * z[k];
		}
		for (size_t k = 0; k < P; k++)
			U[i % n_sites * P + k] += (r.y[i] - exp(eta)) * z[k];
	}
	for (uint32_t i = 0; i < P; i++) {
		for (uint32_t j = i; j < P; j++) {
			double *m = &M[packed_at(P, i, j)];

			*m = 0.0;
			for (uint32_t k = 0; k < n_sites; k++)
				*m += U[k * P + i] * U[k * P + j];
			if (n_sites >= MODEL_CLUSTERS_MIN)
				close_to("M", *m,
				    c.plan->reals[1 + packed_at(P, i, j)],
				    1.0 + fabs(*m));
		}
	}
	consortium_close(&c);
	rows_free(&r);
}

/* Why three sites are refused: the first one tells the others' scores. */
static void
three_sites_could_tell_each_others_scores(void **state)
{
	double M[PACKED(P)], U[3 * P], d[P], sign = 0.0;

	(void)state;
	scores_of_sites(3, M, U);
	/* Of the others, U_2 = -U_1/2 + d and U_3 = -U_1/2 - d. */
	for (uint32_t i = 0; i < P; i++) {
		double rest = M[packed_at(P, i, i)] - 1.5 * U[i] * U[i];
		double with_first = M[packed_at(P, 0, i)] - 1.5 * U[0] * U[i];

		d[i] = sqrt(fmax(0.5 * rest, 0.0));
		if (i > 0 && with_first < 0.0)
			d[i] = -d[i];
	}
	sign = (U[P] + 0.5 * U[0]) * d[0] < 0.0 ? -1.0 : 1.0;
	for (uint32_t i = 0; i < P; i++)
		close_to("the second site's score", -0.5 * U[i] + sign * d[i],
		    U[P + i], 1.0 + fabs(U[P + i]));
}

/* Other scores of the four others that the first one cannot tell from these. */
static void
five_sites_cannot(void **state)
{
	static const double v[4] = { 0.5, 0.5, -0.5, -0.5 };
	double M[PACKED(P)], U[5 * P], other[5 * P], apart = 0.0;

	(void)state;
	scores_of_sites(5, M, U);
	memcpy(other, U, P * sizeof(*U));
	for (uint32_t i = 0; i < P; i++) {
		double along = 0.0, sum = 0.0;

		for (uint32_t k = 0; k < 4; k++)
			along += v[k] * U[(k + 1) * P + i];
		for (uint32_t k = 0; k < 4; k++) {
			other[(k + 1) * P + i] =
			    U[(k + 1) * P + i] - 2.0 * along * v[k];
			apart += fabs(2.0 * along * v[k]);
			sum += other[(k + 1) * P + i];
		}
		close_to("the sum", sum, -U[i], 1.0 + fabs(U[i]));
	}
	for (uint32_t i = 0; i < P; i++) {
		for (uint32_t j = i; j < P; j++) {
			double m = 0.0;

			for (uint32_t k = 0; k < 5; k++)
				m += other[k * P + i] * other[k * P + j];
			close_to("M", m, M[packed_at(P, i, j)], 1.0 + fabs(m));
		}
	}
	assert_true(apart > 1.0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sandwiches_are_as_in_r),
		cmocka_unit_test(visits_of_a_patient_are_as_in_r),
		cmocka_unit_test(few_patients_with_many_rows_are_said),
		cmocka_unit_test(what_is_the_models_stays),
		cmocka_unit_test(
		    robust_wald_tests_are_those_of_the_robust_errors),
		cmocka_unit_test(rows_of_a_patient_are_one_cluster),
		cmocka_unit_test(ridge_is_as_in_scikit_learn),
		cmocka_unit_test(ridge_of_each_family_is_as_in_r),
		cmocka_unit_test(
		    ridge_has_an_answer_where_there_is_none_without),
		cmocka_unit_test(too_few_sites_are_said),
		cmocka_unit_test(three_sites_could_tell_each_others_scores),
		cmocka_unit_test(five_sites_cannot),
		cmocka_unit_test(a_site_with_few_patients_is_none_of_the_five),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

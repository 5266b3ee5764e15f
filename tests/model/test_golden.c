/*
 * Whole studies over rows dealt to several sites against R's figures, which
 * tests/reference/models.R writes.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/macros.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

struct golden {
	unsigned long n, n_events;
	double null_loglik, loglik, lr, score, wald, concordance;
};

static void
check_coefficients(const struct result *r, const char *model, const char *ties)
{
	char line[512], m[64], t[64], name[64];
	FILE *f = open_vectors("models_coef.csv");
	double estimate, se;
	size_t found = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		const struct result_term *term;

		if (sscanf(line, "%63[^,],%63[^,],%63[^,],%lf,%lf", m, t, name,
			&estimate, &se) != 5 ||
		    strcmp(m, model) != 0 || strcmp(t, ties) != 0)
			continue;
		term = term_named(r, name);
		assert_true(term->estimated);
		close_to(name, term->estimate, estimate, se);
		close_to(name, term->se, se, se);
		found++;
	}
	fclose(f);
	assert_int_equal(found, r->n_terms);
}

static struct golden
read_fit(const char *model, const char *ties)
{
	char line[512], m[64], t[64];
	FILE *f = open_vectors("models_fit.csv");
	struct golden g;

	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line,
			"%63[^,],%63[^,],%lu,%lu,%lf,%lf,%lf,%lf,%lf,%lf", m, t,
			&g.n, &g.n_events, &g.null_loglik, &g.loglik, &g.lr,
			&g.score, &g.wald, &g.concordance) == 10 &&
		    strcmp(m, model) == 0 && strcmp(t, ties) == 0) {
			fclose(f);
			return g;
		}
	}
	fclose(f);
	fail_msg("no figures for %s", model);
	return g;
}

static void
check_result(struct consortium *c, const char *model, const char *ties)
{
	struct result r = consortium_result(c);
	struct golden g = read_fit(model, ties);

	for (size_t i = 0; i < r.n_warnings; i++)
		fail_msg("%s", r.warnings[i]);
	assert_true(r.converged);
	assert_int_equal(r.n, g.n);
	assert_int_equal(r.n_events, g.n_events);
	check_coefficients(&r, model, ties);
	close_to("loglik", r.loglik, g.loglik, fabs(g.loglik));
	close_to("null", r.null_loglik, g.null_loglik, fabs(g.null_loglik));
	close_to("lr", r.lr.chi2, g.lr, g.lr);
	close_to("score", r.score.chi2, g.score, g.score);
	close_to("wald", r.wald.chi2, g.wald, g.wald);
	assert_true(r.has_concordance);
	assert_true(r.concordance_bound <= 1e-3);
	assert_true(
	    fabs(r.concordance - g.concordance) <= r.concordance_bound + 1e-12);
	print_message("%s %s: %zu rounds, %zu words, concordance %+.1e of "
		      "+-%.1e\n",
	    model, ties, c->rounds, c->longest, r.concordance - g.concordance,
	    r.concordance_bound);
}

static void
run_cox(const char *file, const char *model, enum model_strata strata,
    uint32_t n_strata, uint32_t n_sites, deal_fn deal)
{
	struct rows r = rows_read(file);

	for (int breslow = 0; breslow <= 1; breslow++) {
		struct model_spec s = spec_for(&r, MODEL_COX, n_sites);
		struct consortium c;

		s.ties = breslow ? TIES_BRESLOW : TIES_EFRON;
		s.strata = strata;
		s.n_strata = n_strata;
		consortium_open(&c, &s, &r, deal);
		consortium_run(&c);
		check_result(&c, model, breslow ? "breslow" : "efron");
		consortium_close(&c);
	}
	rows_free(&r);
}

static void
lung_is_as_in_r(void **state)
{
	(void)state;
	run_cox("lung.csv", "lung", STRATA_NONE, 1, 5, deal_by_stratum);
}

static void
lung_by_institution_is_as_in_r(void **state)
{
	(void)state;
	run_cox("lung.csv", "lung_strata", STRATA_COLUMN, 18, 4, deal_in_turn);
}

static void
lung_with_each_site_a_stratum_is_as_in_r(void **state)
{
	(void)state;
	run_cox("lung.csv", "lung_strata", STRATA_SITE, 1, 18, deal_by_stratum);
}

static void
breast_cancer_is_as_in_r(void **state)
{
	(void)state;
	run_cox("rotgbsg.csv", "rotgbsg", STRATA_NONE, 1, 4, deal_in_turn);
}

static void
breast_cancer_by_cohort_is_as_in_r(void **state)
{
	(void)state;
	run_cox(
	    "rotgbsg.csv", "rotgbsg_strata", STRATA_COLUMN, 2, 3, deal_in_turn);
	run_cox("rotgbsg.csv", "rotgbsg_strata", STRATA_SITE, 1, 2,
	    deal_by_stratum);
}

static void
run_logistic(const char *file, const char *model, uint32_t n_sites)
{
	struct rows r = rows_read(file);
	struct model_spec s = spec_for(&r, MODEL_LOGISTIC, n_sites);
	struct consortium c;

	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	check_result(&c, model, "-");
	consortium_close(&c);
	rows_free(&r);
}

static void
birth_weight_is_as_in_r(void **state)
{
	(void)state;
	run_logistic("birthwt.csv", "birthwt", 3);
}

static void
biopsies_are_as_in_r(void **state)
{
	(void)state;
	run_logistic("biopsy.csv", "biopsy", 7);
}

static double
read_auc(const char *model)
{
	char line[256], m[64];
	FILE *f = open_vectors("auc.csv");
	double auc = 0;
	bool found = false;

	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%63[^,],%lf", m, &auc) == 2 &&
		    strcmp(m, model) == 0;
	fclose(f);
	assert_true(found);
	return auc;
}

static void
areas_under_the_roc_are_as_in_scikit_learn(void **state)
{
	static const char *const models[] = { "birthwt", "biopsy" };

	(void)state;
	for (size_t k = 0; k < nitems(models); k++) {
		char file[64];
		struct model_spec s;
		struct consortium c;
		struct result got;
		struct rows r;

		snprintf(file, sizeof(file), "%s.csv", models[k]);
		r = rows_read(file);
		s = spec_for(&r, MODEL_LOGISTIC, 4);
		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		got = consortium_result(&c);
		assert_true(fabs(got.concordance - read_auc(models[k])) <=
		    got.concordance_bound + 1e-12);
		consortium_close(&c);
		rows_free(&r);
	}
}

/* 30 highly correlated terms separate these tumours completely. */
static void
breast_tumours_are_found_to_be_separated(void **state)
{
	struct rows r = rows_read("wdbc.csv");
	struct model_spec s = spec_for(&r, MODEL_LOGISTIC, 4);
	struct consortium c;
	struct result got;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_int_equal(got.n, 569);
	assert_false(got.converged);
	assert_int_equal(got.n_warnings, 1);
	assert_non_null(strstr(got.warnings[0], "separation: "));
	print_message("%u rounds: %s\n", got.iterations, got.warnings[0]);
	consortium_close(&c);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lung_is_as_in_r),
		cmocka_unit_test(lung_by_institution_is_as_in_r),
		cmocka_unit_test(lung_with_each_site_a_stratum_is_as_in_r),
		cmocka_unit_test(breast_cancer_is_as_in_r),
		cmocka_unit_test(breast_cancer_by_cohort_is_as_in_r),
		cmocka_unit_test(birth_weight_is_as_in_r),
		cmocka_unit_test(biopsies_are_as_in_r),
		cmocka_unit_test(areas_under_the_roc_are_as_in_scikit_learn),
		cmocka_unit_test(breast_tumours_are_found_to_be_separated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What a Cox model says beside its coefficients, against R's figures, which
 * tests/reference/cox.R writes: the sum of clusters' residuals (robust = TRUE,
 * cluster =), cox.zph(), basehaz().
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/step/hazard.h"
#include "model/step/ldl.h"
#include "model/step/state.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

/* A study over some rows, with all that can be asked of it. */
static struct model_spec
whole_spec(const struct rows *r, enum model_ties ties, enum model_strata strata,
    uint32_t n_strata, uint32_t n_sites)
{
	struct model_spec s = spec_for(r, MODEL_COX, n_sites);

	s.ties = ties;
	s.strata = strata;
	s.n_strata = n_strata;
	s.robust = ROBUST_PATIENT;
	s.tolerance = 1e-11;
	s.ph_test = true;
	s.baseline = strata != STRATA_SITE;
	s.n_effects = s.n_terms;
	for (uint32_t i = 0; i < s.n_terms; i++) {
		s.terms[i].effect = i;
		memcpy(s.effects[i], s.terms[i].name, MODEL_NAME_SIZE);
	}
	return s;
}

static const char *
ties_name(const struct model_spec *s)
{
	return s->ties == TIES_EFRON ? "efron" : "breslow";
}

static void
check_robust(struct consortium *c, const char *model, const char *cluster)
{
	struct result r = consortium_result(c);
	FILE *f = open_vectors("cox_robust.csv");
	char line[512], m[64], t[64], k[64], name[64];
	size_t found = 0;
	double se, wald;

	assert_int_equal(r.robust, c->spec.robust);
	while (fgets(line, sizeof(line), f) != NULL) {
		const struct result_term *term;

		if (sscanf(line, "%63[^,],%63[^,],%63[^,],%63[^,],%lf,%lf", m,
			t, k, name, &se, &wald) != 6 ||
		    strcmp(m, model) != 0 || strcmp(k, cluster) != 0 ||
		    strcmp(t, ties_name(&c->spec)) != 0)
			continue;
		term = term_named(&r, name);
		close_to(name, term->se, se, se);
		close_to("wald", r.wald.chi2, wald, wald);
		close_to("z", term->z, term->estimate / se, fabs(term->z));
		found++;
	}
	fclose(f);
	assert_int_equal(found, r.n_terms);
}

static const struct result_test *
effect_named(
    const struct result *r, const struct result_ph *ph, const char *name)
{
	for (size_t i = 0; i < r->n_effects; i++) {
		if (strcmp(r->effects[i].name, name) == 0)
			return &ph->effects[i];
	}
	assert_string_equal(name, "GLOBAL");
	return &ph->global;
}

static void
check_tests(struct consortium *c, const char *model)
{
	struct result r = consortium_result(c);
	FILE *f = open_vectors("cox_tests.csv");
	char line[512], m[64], t[64], k[64], name[64];
	size_t found = 0, expected = 0;
	unsigned df;
	double chi2;

	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%63[^,],%63[^,],%63[^,],%63[^,],%lf,%u", m, t,
			k, name, &chi2, &df) != 6 ||
		    strcmp(m, model) != 0 ||
		    strcmp(t, ties_name(&c->spec)) != 0)
			continue;
		for (size_t i = 0; i < RESULT_PH; i++) {
			const struct result_ph *ph = &r.ph[i];
			const struct result_test *test;

			if (!ph->there || strcmp(ph->transform, k) != 0)
				continue;
			test = effect_named(&r, ph, name);
			assert_int_equal(test->df, df);
			close_to(name, test->chi2, chi2, fmax(chi2, 1e-2));
			found++;
		}
	}
	fclose(f);
	for (size_t i = 0; i < RESULT_PH; i++)
		expected += r.ph[i].there ? r.n_effects + 1 : 0;
	assert_int_equal(found, expected);
	assert_int_equal(expected,
	    (r.n_effects + 1) * (c->spec.strata == STRATA_SITE ? 2 : 4));
}

/* R's is of a patient whose terms are all 0. */
static void
check_hazards(struct consortium *c, const char *model)
{
	struct result r = consortium_result(c);
	FILE *f = open_vectors("cox_hazards.csv");
	char line[512], m[64], t[64];
	double time, hazard, shift = 0.0;
	size_t n, at = 0, found = 0;
	struct result_hazard *steps = result_baseline(c->plan, &n);
	unsigned stratum;

	assert_non_null(steps);
	for (size_t i = 0; i < r.n_terms; i++)
		shift += r.terms[i].estimate * c->plan->mean[i];
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%63[^,],%63[^,],%u,%lf,%lf", m, t, &stratum,
			&time, &hazard) != 5 ||
		    strcmp(m, model) != 0 ||
		    strcmp(t, ties_name(&c->spec)) != 0)
			continue;
		/* R has a line for every time, we for those with an event. */
		while (at + 1 < n && steps[at + 1].stratum <= stratum &&
		    (steps[at + 1].stratum < stratum ||
			steps[at + 1].time <= time))
			at++;
		assert_int_equal(steps[at].stratum, stratum);
		close_to(
		    "hazard", steps[at].hazard * exp(-shift), hazard, hazard);
		found++;
	}
	fclose(f);
	free(steps);
	assert_true(found > 10);
}

static void
run(const char *file, const char *model, enum model_strata strata,
    uint32_t n_strata, uint32_t n_sites, deal_fn deal)
{
	struct rows r = rows_read(file);

	for (int ties = TIES_EFRON; ties <= TIES_BRESLOW; ties++) {
		struct model_spec s = whole_spec(
		    &r, (enum model_ties)ties, strata, n_strata, n_sites);
		struct consortium c;

		consortium_open(&c, &s, &r, deal);
		consortium_run(&c);
		check_robust(&c, model, "row");
		check_tests(&c, model);
		if (s.baseline)
			check_hazards(&c, model);
		consortium_close(&c);
	}
	rows_free(&r);
}

static void
lung_is_as_in_r(void **state)
{
	(void)state;
	run("lung.csv", "lung", STRATA_NONE, 1, 5, deal_by_stratum);
}

static void
lung_by_institution_is_as_in_r(void **state)
{
	(void)state;
	run("lung.csv", "lung_strata", STRATA_COLUMN, 18, 4, deal_in_turn);
}

static void
lung_with_each_site_a_stratum_is_as_in_r(void **state)
{
	(void)state;
	run("lung.csv", "lung_strata", STRATA_SITE, 1, 18, deal_by_stratum);
}

static void
breast_cancer_is_as_in_r(void **state)
{
	(void)state;
	run("rotgbsg.csv", "rotgbsg", STRATA_NONE, 1, 4, deal_in_turn);
}

static void
run_clusters(const char *file, const char *model, const char *cluster,
    enum model_robust robust, enum model_strata strata, uint32_t n_sites,
    deal_fn deal)
{
	struct rows r = rows_read(file);

	if (robust == ROBUST_PATIENT) {
		r.patient = calloc(r.n, sizeof(*r.patient));
		assert_non_null(r.patient);
		for (size_t i = 0; i < r.n; i++)
			r.patient[i] = (uint32_t)(i / 2);
	}
	for (int ties = TIES_EFRON; ties <= TIES_BRESLOW; ties++) {
		struct model_spec s =
		    whole_spec(&r, (enum model_ties)ties, strata, 1, n_sites);
		struct consortium c;

		s.robust = robust;
		consortium_open(&c, &s, &r, deal);
		consortium_run(&c);
		check_robust(&c, model, cluster);
		consortium_close(&c);
	}
	rows_free(&r);
}

static uint32_t
deal_in_pairs(const struct rows *r, size_t i, uint32_t n_sites)
{
	(void)r;
	return (uint32_t)(i / 2 % n_sites);
}

static void
clusters_are_as_in_r(void **state)
{
	(void)state;
	run_clusters("lung.csv", "lung", "stratum", ROBUST_SITE, STRATA_NONE,
	    18, deal_by_stratum);
	run_clusters("lung.csv", "lung_strata", "stratum", ROBUST_SITE,
	    STRATA_SITE, 18, deal_by_stratum);
	run_clusters("rotgbsg.csv", "rotgbsg", "twelve", ROBUST_SITE,
	    STRATA_NONE, 12, deal_in_turn);
	/* Two rows each. */
	run_clusters("lung.csv", "lung", "pair", ROBUST_PATIENT, STRATA_NONE, 3,
	    deal_in_pairs);
}

static uint32_t
deal_by_patient(const struct rows *r, size_t i, uint32_t n_sites)
{
	return r->patient[i] % n_sites;
}

/* R's is of who is there at the event, too; by site it is exact. */
static void
check_concordance(const struct result *r, const char *model, const char *ties)
{
	FILE *f = open_vectors("cox_concordance.csv");
	char line[128], m[64], t[64];
	bool found = false;
	double c;

	assert_true(r->has_concordance);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%63[^,],%63[^,],%lf", m, t, &c) != 3 ||
		    strcmp(m, model) != 0 || strcmp(t, ties) != 0)
			continue;
		print_message("%s: %.6f, off by %.1e, bound %.1e\n", model, c,
		    fabs(r->concordance - c), r->concordance_bound);
		assert_true(
		    fabs(r->concordance - c) <= r->concordance_bound + 1e-12);
		found = true;
	}
	fclose(f);
	assert_true(found);
}

static void
check_entry(struct consortium *c, const char *model)
{
	struct result r = consortium_result(c);
	FILE *f = open_vectors("cox_entry.csv");
	char line[512], m[64], t[64], name[64];
	double estimate, se, null_loglik, loglik, score;
	size_t found = 0;

	assert_true(r.converged);
	check_concordance(&r, model, ties_name(&c->spec));
	while (fgets(line, sizeof(line), f) != NULL) {
		const struct result_term *term;

		if (sscanf(line, "%63[^,],%63[^,],%63[^,],%lf,%lf,%lf,%lf,%lf",
			m, t, name, &estimate, &se, &null_loglik, &loglik,
			&score) != 8 ||
		    strcmp(m, model) != 0 ||
		    strcmp(t, ties_name(&c->spec)) != 0)
			continue;
		term = term_named(&r, name);
		close_to(name, term->estimate, estimate, se);
		close_to(name, term->model_se, se, se);
		close_to("loglik", r.loglik, loglik, fabs(loglik));
		close_to("null", r.null_loglik, null_loglik, fabs(loglik));
		close_to("score", r.score.chi2, score, score);
		found++;
	}
	fclose(f);
	assert_int_equal(found, r.n_terms);
}

static void
run_entry(const char *file, const char *model, enum model_strata strata,
    uint32_t n_strata, uint32_t n_sites, deal_fn deal)
{
	struct rows r = rows_read(file);

	for (int ties = TIES_EFRON; ties <= TIES_BRESLOW; ties++) {
		struct model_spec s = whole_spec(
		    &r, (enum model_ties)ties, strata, n_strata, n_sites);
		struct consortium c;

		assert_true(s.has_entry);
		consortium_open(&c, &s, &r, deal);
		consortium_run(&c);
		check_entry(&c, model);
		check_robust(&c, model, "patient");
		check_tests(&c, model);
		if (s.baseline)
			check_hazards(&c, model);
		consortium_close(&c);
	}
	rows_free(&r);
}

/* Time-dependent treatment; recurrent events; entry late in life. */
static void
delayed_entry_is_as_in_r(void **state)
{
	(void)state;
	run_entry("cox_heart.csv", "heart", STRATA_NONE, 1, 4, deal_by_patient);
	run_entry("cox_cgd.csv", "cgd", STRATA_NONE, 1, 13, deal_by_stratum);
	run_entry(
	    "cox_cgd.csv", "cgd_strata", STRATA_COLUMN, 13, 5, deal_by_patient);
	run_entry(
	    "cox_cgd.csv", "cgd_strata", STRATA_SITE, 1, 13, deal_by_stratum);
	run_entry(
	    "cox_flchain.csv", "flchain", STRATA_NONE, 1, 3, deal_by_patient);
}

/* Pair by pair, of times that were merged. */
static double
slow_concordance(
    const struct rows *r, const struct grid *grid, const struct result *got)
{
	double *score = calloc(r->n, sizeof(*score)), right = 0.0, all = 0.0;
	int64_t *leaves = calloc(r->n, sizeof(*leaves));
	int64_t *enters = calloc(r->n, sizeof(*enters));

	assert_true(score && leaves && enters);
	for (size_t i = 0; i < r->n; i++) {
		for (size_t k = 0; k < r->n_terms; k++)
			score[i] +=
			    got->terms[k].estimate * r->x[i * r->n_terms + k];
		leaves[i] = grid_find(grid, 0, (uint32_t)r->time[i]);
		enters[i] = grid_slot(grid, 0, (uint32_t)r->entry[i]);
		if (enters[i] == 0) /* beyond the last event */
			enters[i] = grid->n;
	}
	for (size_t i = 0; i < r->n; i++) {
		for (size_t j = 0; j < r->n && r->event[i] == 1; j++) {
			if (leaves[i] < 0 || enters[j] > leaves[i] ||
			    leaves[j] < leaves[i] ||
			    (leaves[j] == leaves[i] && r->event[j] == 1))
				continue;
			all += 1.0;
			right += score[i] > score[j] ? 1.0
			    : score[i] == score[j]   ? 0.5
						     : 0.0;
		}
	}
	free(score);
	free(leaves);
	free(enters);
	return right / all;
}

static void
concordance_of_merged_times_is_within_its_bound(void **state)
{
	static const uint32_t steps[] = { 1, 5, 20 };
	struct rows r = rows_read("cox_flchain.csv");

	(void)state;
	for (size_t i = 0; i < nitems(steps); i++) {
		for (uint32_t bins = 16; bins <= 4096; bins *= 16) {
			struct model_spec s =
			    whole_spec(&r, TIES_EFRON, STRATA_NONE, 1, 3);
			struct consortium c;
			struct result got;
			double slow;

			s.risk_set_step = steps[i];
			s.concordance_bins = bins;
			consortium_open(&c, &s, &r, deal_by_patient);
			consortium_run(&c);
			got = consortium_result(&c);
			slow = slow_concordance(&r, &c.plan->grid, &got);
			print_message("step %u, %u bins: off by %.1e of %.1e\n",
			    steps[i], bins, fabs(got.concordance - slow),
			    got.concordance_bound);
			assert_true(fabs(got.concordance - slow) <=
			    got.concordance_bound + 1e-12);
			consortium_close(&c);
		}
	}
	rows_free(&r);
}

static void
what_would_tell_of_single_sites_is_refused(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = whole_spec(&r, TIES_EFRON, STRATA_NONE, 1, 5);
	struct plan *plan;
	struct err err;

	(void)state;
	s.robust = ROBUST_SITE;
	assert_non_null(plan = plan_new(&s, &err));
	plan_free(plan);
	s.n_sites = 4;
	assert_null(plan_new(&s, &err));
	assert_string_equal(
	    err.msg, "robust = site: 4 sites, expected at least 5");
	s.robust = ROBUST_NO;
	s.strata = STRATA_SITE;
	assert_null(plan_new(&s, &err));
	assert_non_null(strstr(err.msg, "baseline: not with strata = site"));
	rows_free(&r);
}

/* Rows of two terms and of patients of their own, who enter at 0 to 9. */
static struct rows
some_rows(size_t n)
{
	struct rows r = rows_new(n, 2);

	r.entry = calloc(n + 1, sizeof(*r.entry));
	assert_non_null(r.entry);
	for (size_t i = 0; i < n; i++) {
		r.x[2 * i] = (double)(i * 7 % 11);
		r.x[2 * i + 1] = (double)(i * 5 % 13);
		r.entry[i] = (double)(i * 3 % 10);
		r.time[i] = 10.0 + (double)(i * 17 % 31);
		r.event[i] = i % 3 != 0;
		r.stratum[i] = (uint32_t)(i % 5);
	}
	return r;
}

/* Everything is asked for; what there is is a number, or said in words. */
static struct result
all_of(struct rows *r, enum model_strata strata, enum model_robust robust,
    uint32_t step, const char *words)
{
	struct model_spec s = whole_spec(r, TIES_EFRON, strata, 1, 5);
	const struct result_meta meta = { .study = "all" };
	struct canon text = { 0 }, json = { 0 };
	struct consortium c;
	struct result got;
	struct err err;
	bool said = words == NULL;

	s.robust = robust;
	s.risk_set_step = step;
	s.max_iterations = 25;
	consortium_open(&c, &s, r, deal_by_stratum);
	consortium_run(&c);
	got = consortium_result(&c);
	if (result_text(c.plan, &meta, &text, &err) == -1 ||
	    result_json(c.plan, &meta, &json, &err) == -1)
		fail_msg("%s", err.msg);
	canon_u8(&text, 0);
	canon_u8(&json, 0);
	for (int k = 0; k < 2; k++) {
		const char *v = (const char *)(k == 0 ? text.data : json.data);

		for (; *v != '\0'; v++) {
			if (strncmp(v, "nan", 3) == 0 ||
			    strncmp(v, "inf", 3) == 0)
				fail_msg("%.60s", v);
		}
	}
	for (size_t i = 0; i < got.n_warnings; i++)
		said |= words != NULL && strstr(got.warnings[i], words) != NULL;
	if (words != NULL && !said)
		fail_msg("nothing says \"%s\": %s", words,
		    got.n_warnings > 0 ? got.warnings[0] : "no warning");
	if (words == NULL && got.n_warnings > 0)
		fail_msg("%s", got.warnings[0]);
	canon_free(&text);
	canon_free(&json);
	consortium_close(&c);
	return got;
}

static void
what_cannot_be_computed_is_said_in_words(void **state)
{
	static const enum model_strata strata[] = { STRATA_NONE, STRATA_SITE };

	(void)state;
	for (size_t k = 0; k < nitems(strata); k++) {
		enum model_strata st = strata[k];
		enum model_robust patient = ROBUST_PATIENT;
		struct rows r = some_rows(120);
		struct result got = all_of(&r, st, patient, 1, NULL);

		assert_true(got.ph[HAZARD_IDENTITY].there);
		assert_int_equal(got.wald.df, 2);
		/* Four sites have enough patients, the fifth none. */
		for (size_t i = 0; i < r.n; i++)
			r.stratum[i] %= 4;
		all_of(&r, st, patient, 1, NULL);
		got = all_of(&r, st, ROBUST_SITE, 1,
		    "fewer than 5 sites have 1 patients each");
		assert_false(got.fitted);
		rows_free(&r);

		r = some_rows(60); /* no event */
		memset(r.event, 0, r.n);
		all_of(&r, st, patient, 1, "no patient had an event");
		rows_free(&r);

		r = some_rows(120); /* one site without events */
		for (size_t i = 0; i < r.n; i++)
			r.event[i] &= r.stratum[i] != 2;
		all_of(&r, st, patient, 1, NULL);
		rows_free(&r);

		r = some_rows(120); /* who has an event has x2 = 1 */
		for (size_t i = 0; i < r.n; i++)
			r.x[2 * i + 1] = r.event[i] == 1 || i % 2 == 0;
		all_of(&r, st, patient, 1, "separation: x2 predicts");
		rows_free(&r);

		r = some_rows(120);
		for (size_t i = 0; i < r.n; i++)
			r.x[2 * i + 1] = 3.0 - 2.0 * r.x[2 * i];
		got = all_of(&r, st, patient, 1, "x2");
		assert_true(got.ph[HAZARD_IDENTITY].there);
		assert_int_equal(got.ph[HAZARD_IDENTITY].effects[1].df, 0);
		rows_free(&r);

		r = some_rows(120);
		for (size_t i = 0; i < r.n; i++)
			r.x[2 * i + 1] = 0.1;
		all_of(&r, st, patient, 1, "x2");
		rows_free(&r);

		r = some_rows(120); /* all at one time: no change with time */
		for (size_t i = 0; i < r.n; i++)
			r.time[i] = 20.0;
		got = all_of(&r, st, patient, 1, NULL);
		assert_true(got.fitted);
		assert_false(got.ph[HAZARD_IDENTITY].there);
		rows_free(&r);

		r = some_rows(2); /* as many patients as terms */
		all_of(&r, st, patient, 1, "x2");
		rows_free(&r);

		r = some_rows(40); /* too few at each site, or in all */
		got = all_of(&r, st, patient, 30,
		    "too few events or patients for the study's smallest "
		    "step");
		assert_false(got.fitted);
		rows_free(&r);
	}
}

/* As the textbooks have it: O(rows) for each event, z = x. */
struct textbook {
	const struct rows *r;
	const struct grid *grid;
	size_t p;
	int64_t *interval; /* (n) */
	double *w; /* (n) */
	double *L; /* (n, p) */
	/* Score and information of x and g x together, (2 p). */
	double u[2 * 8], info[PACKED(2 * 8)], model[PACKED(8)];
	double hazard[1024]; /* after each interval */
};

static void
add_outer(double *packed, uint32_t n, const double *v, double times)
{
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++)
			packed[packed_at(n, i, j)] += times * v[i] * v[j];
	}
}

/* Event number e of the d in interval g; f = e / d of their weights is gone. */
static void
add_event(struct textbook *t, uint32_t g, double f, double d, double time)
{
	const struct rows *r = t->r;
	uint32_t p = (uint32_t)t->p;
	double mean[8] = { 0 }, sum = 0.0;

	for (size_t i = 0; i < r->n; i++) {
		bool tied = t->interval[i] == g && r->event[i] == 1;
		double w = t->w[i] * (tied ? 1.0 - f : 1.0);

		if (t->interval[i] < g)
			continue;
		sum += w;
		for (size_t k = 0; k < p; k++)
			mean[k] += w * r->x[i * p + k];
	}
	for (size_t k = 0; k < p; k++)
		mean[k] /= sum;
	t->hazard[g] += 1.0 / sum;
	for (size_t i = 0; i < r->n; i++) {
		bool tied = t->interval[i] == g && r->event[i] == 1;
		double w = t->w[i] * (tied ? 1.0 - f : 1.0) / sum;
		double both[16];

		if (t->interval[i] < g)
			continue;
		for (size_t k = 0; k < p; k++) {
			double off = r->x[i * p + k] - mean[k];

			t->L[i * p + k] += ((tied ? 1.0 / d : 0.0) - w) * off;
			both[k] = off;
			both[p + k] = time * off;
			if (tied)
				t->u[p + k] += time * off / d;
		}
		add_outer(t->model, p, both, w);
		add_outer(t->info, 2 * p, both, w);
	}
}

static void
textbook_run(struct textbook *t, bool efron)
{
	for (uint32_t g = 0; g < t->grid->n; g++) {
		const struct grid_interval *v = &t->grid->intervals[g];

		if (g > 0)
			t->hazard[g] = t->hazard[g - 1];
		for (uint64_t e = 0; e < v->events; e++)
			add_event(t, g,
			    efron ? (double)e / (double)v->events : 0.0,
			    (double)v->events, (double)v->start);
	}
}

static double
textbook_test(const struct textbook *t)
{
	uint32_t n = 2 * (uint32_t)t->p;
	double f[PACKED(16)], x[16], sum = 0.0;

	memcpy(f, t->info, PACKED(n) * sizeof(*f));
	memcpy(x, t->u, n * sizeof(*x));
	assert_true(ldl_factor(f, n, 0.0) < 0);
	ldl_solve(f, n, x);
	for (uint32_t i = 0; i < n; i++)
		sum += x[i] * t->u[i];
	return sum;
}

static void
check_textbook(const struct textbook *t, struct consortium *c)
{
	struct result r = consortium_result(c);
	uint32_t p = (uint32_t)t->p;
	double f[PACKED(8)], shift = 0.0, chi2 = textbook_test(t);
	struct result_hazard *steps;
	size_t n, at = 0;

	memcpy(f, t->model, PACKED(p) * sizeof(*f));
	assert_true(ldl_factor(f, p, 0.0) < 0);
	for (uint32_t k = 0; k < p; k++) {
		double one[8] = { 0 }, var = 0.0;

		/* Row k of the inverse times each row's residual. */
		one[k] = 1.0;
		ldl_solve(f, p, one);
		for (size_t i = 0; i < t->r->n; i++) {
			double dfbeta = 0.0;

			for (uint32_t j = 0; j < p; j++)
				dfbeta += one[j] * t->L[i * p + j];
			var += dfbeta * dfbeta;
		}
		close_to("robust", r.terms[k].se, sqrt(var), sqrt(var));
		close_to(
		    "model", r.terms[k].model_se, sqrt(one[k]), sqrt(one[k]));
		shift += r.terms[k].estimate * c->plan->mean[k];
	}
	close_to("all", r.ph[2].global.chi2, chi2, chi2);
	steps = result_baseline(c->plan, &n);
	assert_non_null(steps);
	assert_true(n > 5);
	for (size_t i = 0; i < n; i++) {
		while (at + 1 < t->grid->n &&
		    t->grid->intervals[at + 1].start <= steps[i].time)
			at++;
		close_to("hazard", steps[i].hazard, t->hazard[at] * exp(shift),
		    steps[i].hazard);
		assert_true(steps[i].events >= c->spec.risk_set_step);
	}
	free(steps);
}

/* Times that are merged: the same, with the events of an interval tied. */
static void
merged_times_are_as_in_the_textbook(void **state)
{
	struct rows r = rows_read("lung.csv");

	(void)state;
	for (int ties = TIES_EFRON; ties <= TIES_BRESLOW; ties++) {
		struct model_spec s =
		    whole_spec(&r, (enum model_ties)ties, STRATA_NONE, 1, 4);
		struct textbook t = { .r = &r, .p = r.n_terms };
		struct consortium c;

		s.risk_set_step = 5;
		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		t.grid = &c.plan->grid;
		t.interval = calloc(r.n, sizeof(*t.interval));
		t.w = calloc(r.n, sizeof(*t.w));
		t.L = calloc(r.n * t.p, sizeof(*t.L));
		assert_true(t.interval && t.w && t.L && t.grid->n < 1024);
		for (size_t i = 0; i < r.n; i++) {
			struct result got = consortium_result(&c);
			double eta = 0.0;

			for (size_t k = 0; k < t.p; k++)
				eta += got.terms[k].estimate * r.x[i * t.p + k];
			t.w[i] = exp(eta);
			t.interval[i] =
			    grid_find(t.grid, 0, (uint32_t)r.time[i]);
		}
		textbook_run(&t, ties == TIES_EFRON);
		check_textbook(&t, &c);
		free(t.interval);
		free(t.w);
		free(t.L);
		consortium_close(&c);
	}
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
		cmocka_unit_test(clusters_are_as_in_r),
		cmocka_unit_test(delayed_entry_is_as_in_r),
		cmocka_unit_test(what_cannot_be_computed_is_said_in_words),
		cmocka_unit_test(
		    concordance_of_merged_times_is_within_its_bound),
		cmocka_unit_test(what_would_tell_of_single_sites_is_refused),
		cmocka_unit_test(merged_times_are_as_in_the_textbook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

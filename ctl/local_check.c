#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anonymize/prepare.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/json_read.h"
#include "ctl/local.h"
#include "ctl/pooled.h"
#include "study/study.h"

#define TEXT_MAX ((size_t)1 << 20) /* bytes of result.txt */

/* All that the comparison needs; see free_check(). */
struct check {
	struct local *l;
	struct json_value *result;
	struct pooled_model model;
	struct pooled_term *terms; /* (n_terms) of the study */
	struct pooled_stratum *strata;
	struct pooled_grid *grids; /* (n_grids) */
	size_t n_grids;
};

static void
free_check(struct check *c)
{
	for (size_t i = 0; i < c->n_grids; i++) {
		free((void *)(uintptr_t)c->grids[i].starts);
		free((void *)(uintptr_t)c->grids[i].lasts);
	}
	free(c->grids);
	free(c->terms);
	free(c->strata);
	json_read_free(c->result);
}

static int
read_result(struct check *c, struct err *err)
{
	char *path = local_text(c->l, "%s/result.json", c->l->out);
	uint8_t *text;
	size_t len;

	if ((text = file_read(path, JSON_READ_MAX, &len, err)) == NULL)
		return -1;
	c->result = json_read(path, (const char *)text, len, err);
	free(text);
	return c->result == NULL ? -1 : 0;
}

static enum pooled_family
family_of(const struct study_model *m)
{
	static const enum pooled_family families[] = {
		[STUDY_GAUSSIAN] = POOLED_GAUSSIAN,
		[STUDY_BINOMIAL] = POOLED_TRIALS,
		[STUDY_POISSON] = POOLED_POISSON,
		[STUDY_QUASIPOISSON] = POOLED_QUASIPOISSON,
		[STUDY_GAMMA] = POOLED_GAMMA,
		[STUDY_NEGBIN] = POOLED_NEGBIN,
		[STUDY_QUASIBINOMIAL] = POOLED_QUASIBINOMIAL,
	};

	return m->kind == STUDY_GLM ? families[m->family] : POOLED_BINOMIAL;
}

static struct pooled_factor
factor_of(const struct study *s, const struct study_factor *f)
{
	struct pooled_factor out = {
		.column = s->columns[f->column].name,
		.level = f->fn == STUDY_LEVEL ? f->level : POOLED_NUMBER,
		.log = f->fn == STUDY_LOG,
		.power = f->fn == STUDY_POWER ? f->power : 1,
	};

	if (f->fn == STUDY_SPLINE) {
		out.knots = f->knots;
		out.n_knots = f->n_knots;
		out.spline = f->spline;
	}
	return out;
}

/* The study's model in the words of the plain fit. */
static int
make_model(struct check *c, struct err *err)
{
	const struct study *s = c->l->study;
	const struct study_model *m = &s->model;

	bool cells = study_has_cells(s);

	c->terms = calloc(s->n_terms + s->n_variables + 1, sizeof(*c->terms));
	c->strata = calloc(m->n_strata_columns + 1, sizeof(*c->strata));
	if (c->terms == NULL || c->strata == NULL)
		return err_sys(err, "the check");
	for (size_t i = 0; cells && i < s->n_variables; i++)
		c->terms[i] = (struct pooled_term){
			.factors[0] = { .column =
					    s->columns[s->variables[i]].name,
			    .level = POOLED_NUMBER },
			.n_factors = 1,
		};
	for (size_t i = 0; !cells && i < s->n_terms; i++) {
		c->terms[i].n_factors = s->terms[i].n_factors;
		c->terms[i].piece = s->terms[i].piece;
		for (size_t k = 0; k < s->terms[i].n_factors; k++)
			c->terms[i].factors[k] =
			    factor_of(s, &s->terms[i].factors[k]);
	}
	for (size_t i = 0; i < m->n_strata_columns; i++) {
		const struct study_column *column =
		    &s->columns[m->strata_columns[i]];

		c->strata[i] = (struct pooled_stratum){
			.column = column->name,
			.n_levels = study_n_groups(column),
		};
	}
	c->model = (struct pooled_model){
		.cox = m->kind == STUDY_COX,
		.km = study_has_curves(s),
		.causes = m->kind == STUDY_CUMINC,
		.n_groups = s->n_groups,
		.family = family_of(m),
		.efron = m->ties == STUDY_EFRON,
		.terms = c->terms,
		.n_terms = cells ? s->n_variables : s->n_terms,
		.strata_by_site = m->strata == STUDY_STRATA_SITE,
		.strata = c->strata,
		.n_strata =
		    m->feasibility == STUDY_YES ? 0 : m->n_strata_columns,
	};
	if (study_has_time(s))
		c->model.time = s->columns[m->time].name;
	if (m->entry != STUDY_NONE)
		c->model.entry = s->columns[m->entry].name;
	if (m->kind == STUDY_CUMINC) {
		c->model.n_events = s->columns[m->event].n_levels;
		c->model.censored = m->event_level;
	}
	c->model.cuts = m->cuts;
	c->model.n_cuts = m->n_cuts;
	c->model.theta = m->theta;
	c->model.ridge = m->ridge;
	c->model.errors = m->robust == STUDY_ROBUST_SITE ? POOLED_BY_SITE
	    : m->robust == STUDY_ROBUST_PATIENT          ? POOLED_BY_ROW
							 : POOLED_OF_MODEL;
	c->model.offset_is_log = m->offset_is_log;
	if (m->offset != STUDY_NONE)
		c->model.offset = s->columns[m->offset].name;
	if (m->weights != STUDY_NONE)
		c->model.weights = s->columns[m->weights].name;
	c->model.event = study_outcome(s) == STUDY_NONE
	    ? c->terms[0].factors[0].column
	    : s->columns[study_outcome(s)].name;
	return 0;
}

/* Where each site is a stratum, it alone knows its grid: make it again. */
static int
make_site_grids(struct check *c, const struct pooled *p, struct err *err)
{
	size_t n_sites = c->l->n_sites;
	size_t step = c->l->study->privacy.smallest_risk_set_step;
	double *starts;
	size_t n;

	if (!c->model.strata_by_site || c->n_grids != 0)
		return 0;
	if ((c->grids = calloc(n_sites, sizeof(*c->grids))) == NULL)
		return err_sys(err, "the check");
	for (size_t i = 0; i < n_sites; i++) {
		if (pooled_grid_make(p, i, step, &starts, &n, err) < 0)
			return -1;
		c->grids[c->n_grids++] =
		    (struct pooled_grid){ .starts = starts, .n = n };
	}
	return 0;
}

/* An array of numbers of a stratum's grid; the caller frees it. */
static int
read_numbers(const struct json_value *stratum, const char *key, double **out,
    size_t *n, struct err *err)
{
	const struct json_value *v = json_get(stratum, key);

	if (v == NULL || v->kind != JSON_ARRAY)
		return err_set(
		    err, ERR_FORMAT, "result.json: no %s in grid.strata", key);
	if ((*out = calloc(v->n + 1, sizeof(**out))) == NULL)
		return err_sys(err, "the check");
	for (size_t k = 0; k < v->n; k++)
		(*out)[k] = v->items[k].number;
	*n = v->n;
	return 0;
}

/* The grid that the result says it was computed on. */
static int
read_grid(struct check *c, struct err *err)
{
	const struct json_value *grid = json_get(c->result, "grid");
	const struct json_value *strata = json_get(grid, "strata");

	if ((!c->model.cox && !c->model.km) || c->model.strata_by_site)
		return 0;
	if (strata == NULL || strata->kind != JSON_ARRAY || strata->n == 0)
		return err_set(err, ERR_FORMAT, "result.json: no grid.strata");
	if ((c->grids = calloc(strata->n, sizeof(*c->grids))) == NULL)
		return err_sys(err, "the check");
	for (size_t i = 0; i < strata->n; i++) {
		double *starts = NULL, *lasts = NULL;
		size_t n, n_lasts;

		if (read_numbers(
			&strata->items[i], "starts", &starts, &n, err) < 0)
			return -1;
		n_lasts = n;
		c->grids[c->n_grids++] =
		    (struct pooled_grid){ .starts = starts, .n = n };
		if ((c->model.entry != NULL || c->model.n_cuts > 0) &&
		    read_numbers(
			&strata->items[i], "lasts", &lasts, &n_lasts, err) < 0)
			return -1;
		c->grids[i].lasts = lasts;
		if (n_lasts != n)
			return err_set(err, ERR_FORMAT,
			    "result.json: not as many lasts as starts");
	}
	return 0;
}

/* The source as it is, without names: a table nobody else ever gets. */
static int
raw_table(const struct study *raw, const struct local_site *s, const char *path,
    struct err *err)
{
	static const uint8_t digest[TABLE_DIGEST_LEN];
	struct prepare_result result;
	struct prepare p = {
		.study = raw,
		.study_digest = digest,
		.site = s->name,
		.source = s->csv,
		.smallest_k = 1,
		.utc = clock_utc(),
		.json_fd = -1,
		.html_fd = -1,
		.raw = true,
	};
	int rv = -1;

	p.source_fd = open(s->csv, O_RDONLY | O_CLOEXEC);
	p.table_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (p.source_fd < 0 || p.table_fd < 0)
		err_sys(err, "%s", p.source_fd < 0 ? s->csv : path);
	else
		rv = prepare(&p, &result, err);
	if (p.source_fd >= 0)
		close(p.source_fd);
	if (p.table_fd >= 0)
		close(p.table_fd);
	return rv;
}

/* All sites' tables: the approved ones, or raw ones made for it. */
static struct pooled *
all_rows(struct check *c, bool raw, struct err *err)
{
	struct local *l = c->l;
	struct pooled *p = pooled_new(&c->model, err);
	struct study *study = study_load(l->study_path, err);
	int rv = p == NULL || study == NULL ? -1 : 0;

	if (rv == 0 && raw)
		study_keep_numbers(study);

	for (size_t i = 0; rv == 0 && i < l->n_sites; i++) {
		const struct local_site *s = &l->sites[i];
		char *path =
		    local_text(l, "%s/%s", s->dir, raw ? "raw" : "table");

		if (raw)
			rv = raw_table(study, s, path, err);
		if (rv == 0)
			rv = pooled_add(p, i, path, err);
		if (raw)
			unlink(path);
	}
	study_free(study);
	if (rv == 0)
		return p;
	pooled_free(p);
	return NULL;
}

static int
fit(struct check *c, bool raw, struct pooled_fit *fit, struct err *err)
{
	struct pooled *p = all_rows(c, raw, err);
	int rv = p == NULL ? -1 : 0;

	if (rv == 0 && !raw)
		rv = make_site_grids(c, p, err);
	if (rv == 0)
		rv = pooled_fit(
		    p, raw ? NULL : c->grids, raw ? 0 : c->n_grids, fit, err);
	pooled_free(p);
	return rv;
}

/* The result's terms must be the fit's; the intercept is called so. */
static int
check_terms(const struct check *c, const struct pooled_fit *fit,
    const struct json_value **out, struct err *err)
{
	const struct study *s = c->l->study;
	const struct json_value *terms = json_get(c->result, "terms");
	size_t first = c->model.cox ? 0 : 1;

	if (terms == NULL || terms->n != fit->n_coef)
		return err_set(err, ERR_NUMERIC,
		    "result.json has %zu terms, the pooled fit %zu",
		    terms == NULL ? 0 : terms->n, fit->n_coef);
	for (size_t i = 0; i < terms->n; i++) {
		const char *want =
		    i < first ? "(Intercept)" : s->terms[i - first].name;
		const char *name = json_get_text(&terms->items[i], "name", "");

		if (strcmp(name, want) != 0)
			return err_set(err, ERR_NUMERIC,
			    "result.json has term \"%s\", expected \"%s\"",
			    name, want);
	}
	*out = terms;
	return 0;
}

/* Over all coefficients and standard errors; NaN counts as infinitely far. */
static double
distance(const struct check *c, const struct json_value *terms,
    const struct pooled_fit *fit)
{
	/* The pooled Cox fit has no robust errors. */
	const char *key = c->model.cox ? "model_se" : "se";
	double worst = 0;

	for (size_t i = 0; i < fit->n_coef; i++) {
		const struct json_value *t = &terms->items[i];
		double b = json_get_number(t, "estimate", NAN) - fit->coef[i];
		double own =
		    json_get_number(t, key, json_get_number(t, "se", NAN));
		double se = own - fit->se[i];
		double d = fmax(fabs(b), fabs(se)) / fit->se[i];

		if (isnan(b) || isnan(se) || isnan(d))
			return INFINITY;
		worst = fmax(worst, d);
	}
	return worst;
}

static void
print_cost(const struct json_value *terms, const struct pooled_fit *raw)
{
	double worst = 0;

	printf(
	    "\nWhat anonymization and the grid of times cost: the fit on all "
	    "%zu raw rows\n\n  %-24s %12s %12s %18s\n",
	    raw->n, "term", "raw", "se", "difference / se");
	for (size_t i = 0; i < raw->n_coef; i++) {
		const struct json_value *t = &terms->items[i];
		double d =
		    (json_get_number(t, "estimate", NAN) - raw->coef[i]) /
		    raw->se[i];

		printf("  %-24s %12.6f %12.6f %18.3f\n",
		    json_get_text(t, "name", ""), raw->coef[i], raw->se[i], d);
		worst = fmax(worst, fabs(d));
	}
	printf("\n  largest difference: %.3f standard errors\n", worst);
}

/* A curve of the result against that of the plain code; INFINITY: none. */
static double
curve_distance(const struct json_value *group, const struct pooled_grid *grid,
    const double *survival, const double *se)
{
	const struct json_value *curve = json_get(group, "curve");
	double worst = 0;
	size_t k = 0;

	if (curve == NULL || curve->kind != JSON_ARRAY)
		return INFINITY;
	for (size_t i = 0; i < curve->n; i++) {
		const struct json_value *v = &curve->items[i];
		double time = json_get_number(v, "time", NAN), d;

		while (k < grid->n && grid->starts[k] < time)
			k++;
		if (k == grid->n || grid->starts[k] != time)
			return INFINITY;
		d = fabs(json_get_number(v, "survival", NAN) - survival[k]);
		if (isnan(d))
			return INFINITY;
		if (isnan(se[k])) { /* the survival is 0 */
			worst = fmax(worst, d);
			continue;
		}
		d = fmax(d, fabs(json_get_number(v, "se", NAN) - se[k]));
		if (isnan(d))
			return INFINITY;
		worst = fmax(worst, d / se[k]);
	}
	return worst;
}

static double
test_distance(const struct check *c, double chi2)
{
	const struct json_value *tests = json_get(c->result, "tests");

	if (tests == NULL || tests->n == 0)
		return isnan(chi2) ? 0 : INFINITY;
	return fabs(json_get_number(&tests->items[0], "chi2", NAN) - chi2) /
	    fmax(chi2, 1);
}

/* Curves and the log-rank test against the plain code. */
static int
check_survival(struct check *c, double *worst, struct err *err)
{
	const struct json_value *groups = json_get(c->result, "groups");
	size_t step = c->l->study->privacy.smallest_risk_set_step;
	const struct pooled_grid *grid = c->grids;
	double *survival = NULL, *se = NULL, chi2;
	struct pooled *p = all_rows(c, false, err);
	int rv = -1;

	if (p == NULL)
		return -1;
	if (groups == NULL || groups->n != c->model.n_groups) {
		err_set(err, ERR_NUMERIC, "result.json: not all groups");
		goto out;
	}
	survival = calloc(grid->n + 1, sizeof(*survival));
	se = calloc(grid->n + 1, sizeof(*se));
	if (survival == NULL || se == NULL) {
		err_sys(err, "the check");
		goto out;
	}
	for (size_t g = 0; g < groups->n; g++) {
		pooled_survival(p, g, step, grid, survival, se);
		if (json_get(&groups->items[g], "curve") != NULL)
			*worst = fmax(*worst,
			    curve_distance(
				&groups->items[g], grid, survival, se));
	}
	if ((rv = pooled_logrank(p, step, grid, &chi2, err)) == 0) {
		double d = test_distance(c, chi2);

		*worst = isnan(d) ? INFINITY : fmax(*worst, d);
	}
out:
	free(survival);
	free(se);
	pooled_free(p);
	return rv;
}

/* One cause's curve; its own standard errors are the measure. */
static double
cause_distance(const struct json_value *cause, const struct pooled_grid *grid,
    const double *incidence)
{
	const struct json_value *curve = json_get(cause, "curve");
	double worst = 0;
	size_t k = 0;

	if (curve == NULL || curve->kind != JSON_ARRAY)
		return INFINITY;
	for (size_t i = 0; i < curve->n; i++) {
		const struct json_value *v = &curve->items[i];
		double time = json_get_number(v, "time", NAN), d;

		while (k < grid->n && grid->starts[k] < time)
			k++;
		if (k == grid->n || grid->starts[k] != time)
			return INFINITY;
		d = fabs(json_get_number(v, "incidence", NAN) - incidence[k]) /
		    json_get_number(v, "se", NAN);
		if (isnan(d))
			return INFINITY;
		worst = fmax(worst, d);
	}
	return worst;
}

/* The causes of a group, in the order of the levels. */
static double
group_distance(const struct check *c, const struct pooled *p, size_t group,
    const struct json_value *causes, double *incidence)
{
	size_t step = c->l->study->privacy.smallest_risk_set_step, k = 0;
	double worst = 0;

	for (size_t level = 0; level < c->model.n_events; level++) {
		if (level == c->model.censored)
			continue;
		if (k >= causes->n)
			return INFINITY;
		pooled_incidence(p, group, level, step, c->grids, incidence);
		worst = fmax(worst,
		    cause_distance(&causes->items[k++], c->grids, incidence));
	}
	return worst;
}

static int
check_incidence(struct check *c, double *worst, struct err *err)
{
	const struct json_value *groups = json_get(c->result, "groups");
	double *incidence = calloc(c->grids->n + 1, sizeof(*incidence));
	struct pooled *p = all_rows(c, false, err);
	int rv = -1;

	if (p == NULL || incidence == NULL) {
		if (p != NULL)
			err_sys(err, "the check");
		goto out;
	}
	if (groups == NULL || groups->n != c->model.n_groups) {
		err_set(err, ERR_NUMERIC, "result.json: not all groups");
		goto out;
	}
	for (size_t g = 0; g < groups->n; g++) {
		const struct json_value *causes =
		    json_get(&groups->items[g], "causes");

		if (causes != NULL)
			*worst = fmax(
			    *worst, group_distance(c, p, g, causes, incidence));
	}
	rv = 0;
out:
	free(incidence);
	pooled_free(p);
	return rv;
}

static int
print_result(struct local *l, struct err *err)
{
	size_t len;
	uint8_t *text = file_read(
	    local_text(l, "%s/result.txt", l->out), TEXT_MAX, &len, err);

	if (text == NULL)
		return -1;
	printf("\n");
	fwrite(text, 1, len, stdout);
	free(text);
	return 0;
}

static void
print_places(const struct local *l)
{
	printf("\nresult   %s/result.json, result.txt\n", l->out);
	printf("reports  %s/sites/NAME/report.html, report.json\n", l->out);
	printf("logs     %s/coordinator/log, sites/NAME/log\n\n", l->out);
}

static int
verdict(double d, struct err *err)
{
	printf("max |federated - pooled| / se = %.1e\n", d);
	fflush(stdout);
	if (d <= LOCAL_BAR)
		return 0;
	return err_set(err, ERR_NUMERIC,
	    "the federated result is not the pooled one, beyond %g", LOCAL_BAR);
}

/* The learned coefficients in the scaled terms, by name; NAN: not there. */
static double
learned(const struct check *c, const struct pooled_learning *l, size_t k)
{
	const struct json_value *terms = json_get(c->result, "terms");
	double intercept = NAN, wanted = NAN;

	for (size_t i = 0; terms != NULL && i < terms->n; i++) {
		const struct json_value *t = &terms->items[i];
		const char *name = json_get_text(t, "name", "");
		double b = json_get_number(t, "estimate", NAN) / l->y_half;

		if (strcmp(name, "(Intercept)") == 0)
			intercept = isnan(intercept) ? b : intercept + b;
		for (size_t j = 0; j < c->model.n_terms; j++) {
			if (strcmp(name, c->l->study->terms[j].name) != 0)
				continue;
			if (i == 0) /* (a term may be called anything) */
				break;
			intercept += b * l->middle[j];
			if (j + 1 == k)
				wanted = b * l->half[j];
		}
	}
	if (k > 0)
		return l->half[k - 1] == 0 ? 0 : wanted;
	return intercept - l->y_middle / l->y_half;
}

/*
 * What noise, rounding and cutting can do to a mean gradient, beyond it with
 * a chance of exp(-24) a round: the noise of all n inputs has the variance
 * n v / (u_min - c), rounding adds 1/4 each; P(|w| >= sd (sqrt(d) + 7)).
 */
static void
learning_errors(const struct check *c, size_t n, struct pooled_learning *l)
{
	const struct json_value *privacy = json_get(c->result, "privacy");
	double sites = json_get_number(c->result, "sites", NAN);
	double units = json_get_number(privacy, "units_per_clip", NAN);
	double honest = json_get_number(privacy, "smallest_sites", NAN) -
	    json_get_number(privacy, "corrupted_sites_tolerated", NAN);
	double sd =
	    sqrt(sites * json_get_number(privacy, "variance", NAN) / honest +
		sites / 4);
	double d = (double)c->model.n_terms + 1;
	double unit = c->l->study->learning.clip / units;

	l->error = unit * (sd * (sqrt(d) + 7) / (double)n + sqrt(d) / 256);
	l->row_error = 7 * sd / (units / 4) / (double)n;
}

static void
learning_scales(const struct study *s, struct pooled_learning *l,
    double *middle, double *half)
{
	const struct study_column *y = &s->columns[study_outcome(s)];

	for (size_t i = 0; i < s->n_terms; i++) {
		half[i] = (s->terms[i].max - s->terms[i].min) / 2;
		middle[i] = s->terms[i].min + half[i];
	}
	*l = (struct pooled_learning){
		.middle = middle,
		.half = half,
		.y_half = 1,
		.clip = s->learning.clip * sqrt(0.875),
		.step = s->learning.step,
		.momentum = s->learning.momentum,
		.rounds = s->learning.rounds,
	};
	if (s->model.kind == STUDY_GLM) {
		l->y_half = (y->hi - y->lo) / 2;
		l->y_middle = y->lo + l->y_half;
	}
}

/* A learned result against the same steps on all rows, without noise. */
static int
check_learning(struct check *c, const struct pooled *p, struct err *err)
{
	const struct study *s = c->l->study;
	double middle[STUDY_COLUMNS_MAX], half[STUDY_COLUMNS_MAX];
	double coef[STUDY_COLUMNS_MAX + 1], bound, square = 0;
	struct pooled_learning l;

	learning_scales(s, &l, middle, half);
	learning_errors(c, pooled_rows(p), &l);
	if (pooled_learn(p, &l, coef, &bound, err) < 0 ||
	    print_result(c->l, err) < 0)
		return -1;
	printf("\nThe same steps on all %zu rows, without noise (terms scaled "
	       "by their ranges)\n\n  %-24s %12s %12s\n",
	    pooled_rows(p), "term", "learned", "no noise");
	for (size_t k = 0; k <= s->n_terms; k++) {
		double b = learned(c, &l, k);

		printf("  %-24s %12.6f %12.6f\n",
		    k == 0 ? "(Intercept)" : s->terms[k - 1].name, b, coef[k]);
		square += (b - coef[k]) * (b - coef[k]);
	}
	print_places(c->l);
	printf("|learned - no noise| = %.3g, the noise allows %.3g\n",
	    sqrt(square), bound);
	fflush(stdout);
	if (sqrt(square) <= bound || (l.momentum > 0 && isfinite(square)))
		return 0;
	return err_set(err, ERR_NUMERIC,
	    "what was learned is further from the steps without noise than "
	    "noise can explain");
}

int
local_check(struct local *l, struct err *err)
{
	struct check c = { .l = l };
	struct pooled_fit pooled = { 0 }, raw = { 0 };
	const struct json_value *terms = NULL;
	double d = 0;
	int rv = -1;

	if (study_has_cells(l->study)) {
		struct pooled *p = NULL;

		if (read_result(&c, err) < 0 || make_model(&c, err) < 0 ||
		    (p = all_rows(&c, false, err)) == NULL ||
		    print_result(l, err) < 0)
			goto out;
		d = local_describe(l->study, c.result, p);
		pooled_free(p);
		print_places(l);
		rv = verdict(d, err);
		goto out;
	}
	if (l->study->learning.rounds != 0) {
		struct pooled *p = NULL;

		if (read_result(&c, err) == 0 && make_model(&c, err) == 0 &&
		    (p = all_rows(&c, false, err)) != NULL)
			rv = check_learning(&c, p, err);
		pooled_free(p);
		goto out;
	}
	if (study_has_curves(l->study)) {
		if (read_result(&c, err) < 0 || make_model(&c, err) < 0 ||
		    read_grid(&c, err) < 0 ||
		    (c.model.causes ? check_incidence(&c, &d, err)
				    : check_survival(&c, &d, err)) < 0 ||
		    print_result(l, err) < 0)
			goto out;
		print_places(l);
		rv = verdict(d, err);
		goto out;
	}
	if (read_result(&c, err) < 0 || make_model(&c, err) < 0 ||
	    read_grid(&c, err) < 0 || fit(&c, false, &pooled, err) < 0 ||
	    check_terms(&c, &pooled, &terms, err) < 0 ||
	    fit(&c, true, &raw, err) < 0 || print_result(l, err) < 0)
		goto out;
	print_cost(terms, &raw);
	print_places(l);
	rv = verdict(distance(&c, terms, &pooled), err);
out:
	pooled_fit_clear(&pooled);
	pooled_fit_clear(&raw);
	free_check(&c);
	return rv;
}

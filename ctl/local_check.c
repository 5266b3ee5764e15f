#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/json_read.h"
#include "ctl/local_check.h"
#include "study/study.h"

#define TEXT_MAX ((size_t)1 << 20) /* bytes of result.txt */

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

static int
fit(struct check *c, bool raw, struct pooled_fit *fit, struct err *err)
{
	struct pooled *p = check_rows(c, raw, err);
	int rv = p == NULL ? -1 : 0;

	if (rv == 0 && !raw)
		rv = check_site_grids(c, p, err);
	if (rv == 0)
		rv = pooled_fit(
		    p, raw ? NULL : c->grids, raw ? 0 : c->n_grids, fit, err);
	pooled_free(p);
	return rv;
}

/* Numbers of the result that the fit has, too. */
struct estimates {
	const struct json_value **terms; /* (n), of c->result */
	size_t n;
};

/*
 * The result's terms must be the study's; the intercept is called so.  What it
 * has no number of is left out of the fit as well, and said.
 */
static int
take_terms(struct check *c, struct estimates *e, struct err *err)
{
	const struct study *s = c->l->study;
	const struct json_value *terms = json_get(c->result, "terms");
	size_t first = c->model.cox ? 0 : 1, n = first + s->n_terms, kept = 0;

	if (terms == NULL || terms->n != n)
		return err_set(err, ERR_NUMERIC,
		    "result.json has %zu terms, the study %zu",
		    terms == NULL ? 0 : terms->n, n);
	e->terms = calloc(n + 1, sizeof(struct json_value *));
	if (e->terms == NULL)
		return err_sys(err, "the check");
	for (size_t i = 0; i < n; i++) {
		const struct json_value *t = &terms->items[i];
		const char *want =
		    i < first ? "(Intercept)" : s->terms[i - first].name;
		const char *name = json_get_text(t, "name", "");

		if (strcmp(name, want) != 0)
			return err_set(err, ERR_NUMERIC,
			    "result.json has term \"%s\", expected \"%s\"",
			    name, want);
		if (i >= first && isnan(json_get_number(t, "estimate", NAN)) &&
		    isnan(json_get_number(t, "se", NAN))) {
			printf("\n%s is not estimated, and left out of the "
			       "check\n",
			    name);
			continue;
		}
		e->terms[e->n++] = t;
		if (i >= first)
			c->terms[kept++] = c->terms[i - first];
	}
	c->model.n_terms = kept;
	return 0;
}

/* Over all coefficients and standard errors; NaN counts as infinitely far. */
static double
distance(const struct estimates *e, const struct pooled_fit *fit)
{
	double worst = 0;

	for (size_t i = 0; i < e->n; i++) {
		const struct json_value *t = e->terms[i];
		double b = json_get_number(t, "estimate", NAN) - fit->coef[i];
		double se = json_get_number(t, "se", NAN) - fit->se[i];
		double d = fmax(fabs(b), fabs(se)) / fit->se[i];

		if (isnan(b) || isnan(se) || isnan(d))
			return INFINITY;
		worst = fmax(worst, d);
	}
	return worst;
}

static void
print_cost(const struct estimates *e, const struct pooled_fit *raw)
{
	double worst = 0;

	printf(
	    "\nWhat anonymization and the grid of times cost: the fit on all "
	    "%zu raw rows\n\n  %-24s %12s %12s %18s\n",
	    raw->n, "term", "raw", "se", "difference / se");
	for (size_t i = 0; i < e->n; i++) {
		const struct json_value *t = e->terms[i];
		double d =
		    (json_get_number(t, "estimate", NAN) - raw->coef[i]) /
		    raw->se[i];

		printf("  %-24s %12.6f %12.6f %18.3f\n",
		    json_get_text(t, "name", ""), raw->coef[i], raw->se[i], d);
		worst = fmax(worst, fabs(d));
	}
	printf("\n  largest difference: %.3f standard errors\n", worst);
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

void
check_print_places(const struct local *l)
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

/* Coefficients and standard errors; then what the raw rows' fit would be. */
static int
check_fit(struct check *c, double *worst, struct err *err)
{
	struct pooled_fit pooled = { 0 }, raw = { 0 };
	struct estimates e = { 0 };
	int rv = -1;

	if (take_terms(c, &e, err) == 0 && fit(c, false, &pooled, err) == 0 &&
	    fit(c, true, &raw, err) == 0) {
		print_cost(&e, &raw);
		*worst = distance(&e, &pooled);
		rv = 0;
	}
	free(e.terms);
	pooled_fit_clear(&pooled);
	pooled_fit_clear(&raw);
	return rv;
}

static int
compare(struct check *c, double *worst, struct err *err)
{
	if (study_has_cells(c->l->study))
		return check_described(c, worst, err);
	if (check_grid(c, err) < 0)
		return -1;
	if (c->model.causes)
		return check_incidence(c, worst, err);
	if (c->model.km)
		return check_survival(c, worst, err);
	return check_fit(c, worst, err);
}

int
local_check(struct local *l, struct err *err)
{
	struct check c = { .l = l };
	double d = 0;
	int rv = -1;

	if (read_result(&c, err) < 0 || check_model(&c, err) < 0 ||
	    print_result(l, err) < 0)
		goto out;
	if (l->study->learning.rounds != 0) {
		rv = check_learning(&c, err);
	} else if (compare(&c, &d, err) == 0) {
		check_print_places(l);
		rv = verdict(d, err);
	}
out:
	free_check(&c);
	return rv;
}

/*
 * Survival and incidence by group against plain code on all rows put together.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json_read.h"
#include "ctl/local_check.h"
#include "study/study.h"

/*
 * A curve of the result against that of the plain code, in the standard errors
 * se of the plain code, which are compared as well, or in the curve's own.
 */
static double
curve_distance(const struct json_value *of, const char *name,
    const struct pooled_grid *grid, const double *value, const double *se)
{
	const struct json_value *curve = json_get(of, "curve");
	double worst = 0;
	size_t k = 0;

	if (curve == NULL || curve->kind != JSON_ARRAY)
		return INFINITY;
	for (size_t i = 0; i < curve->n; i++) {
		const struct json_value *v = &curve->items[i];
		double time = json_get_number(v, "time", NAN);
		double own = json_get_number(v, "se", NAN), unit = own;

		while (k < grid->n && grid->starts[k] < time)
			k++;
		if (k == grid->n || grid->starts[k] != time)
			return INFINITY;
		if (se != NULL)
			unit = isnan(se[k]) ? 1 : se[k]; /* survival 0 */
		if (unit == 0) /* nothing has happened yet */
			unit = 1;
		worst = fmax(worst,
		    check_off(json_get_number(v, name, NAN), value[k], unit));
		if (se != NULL && !isnan(se[k]))
			worst = fmax(worst, check_off(own, se[k], unit));
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

int
check_survival(struct check *c, double *worst, struct err *err)
{
	const struct json_value *groups = json_get(c->result, "groups");
	size_t step = c->l->study->privacy.smallest_risk_set_step;
	const struct pooled_grid *grid = c->grids;
	double *survival = NULL, *se = NULL, chi2;
	struct pooled *p = check_rows(c, false, err);
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
			    curve_distance(&groups->items[g], "survival", grid,
				survival, se));
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
		    curve_distance(&causes->items[k++], "incidence", c->grids,
			incidence, NULL));
	}
	return worst;
}

/* Gray's test of each cause that has one. */
static int
gray_distance(const struct check *c, const struct pooled *p, double *worst,
    struct err *err)
{
	const struct study *s = c->l->study;
	const struct study_column *event = &s->columns[s->model.event];
	const struct json_value *tests = json_get(c->result, "tests");
	double chi2;

	for (size_t level = 0; level < event->n_levels; level++) {
		const struct json_value *test = NULL;

		if (level == c->model.censored)
			continue;
		for (size_t i = 0; tests != NULL && i < tests->n; i++)
			if (strcmp(json_get_text(&tests->items[i], "cause", ""),
				event->levels[level].label) == 0)
				test = &tests->items[i];
		if (pooled_gray(p, level, s->privacy.smallest_risk_set_step,
			c->grids, &chi2, err) < 0)
			return -1;
		if (test == NULL && isnan(chi2))
			continue;
		*worst = fmax(*worst,
		    check_off(json_get_number(test, "chi2", NAN), chi2,
			fmax(chi2, 1)));
	}
	return 0;
}

int
check_incidence(struct check *c, double *worst, struct err *err)
{
	const struct json_value *groups = json_get(c->result, "groups");
	double *incidence = calloc(c->grids->n + 1, sizeof(*incidence));
	struct pooled *p = check_rows(c, false, err);
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
	rv = gray_distance(c, p, worst, err);
out:
	free(incidence);
	pooled_free(p);
	return rv;
}

/*
 * Descriptive statistics and feasibility against plain code on all rows put
 * together.
 */
#include <math.h>
#include <string.h>

#include "common/json_read.h"
#include "ctl/local_check.h"
#include "study/study.h"

double
check_off(double got, double want, double unit)
{
	double d = fabs(got - want) / unit;

	return isnan(d) ? INFINITY : d;
}

static double
cell_distance(const struct json_value *cell, const struct study_column *c,
    const struct pooled *p, size_t group, size_t term)
{
	double mean, sd, worst, got = json_get_number(cell, "mean", NAN);
	size_t n = pooled_moments(p, group, term, STUDY_MISSING, &mean, &sd);

	if (json_get(cell, "n") == NULL) /* it is not counted */
		return 0;
	worst = json_get_number(cell, "n", NAN) == (double)n ? 0 : INFINITY;
	if (c->type == STUDY_LEVELS || isnan(got)) /* dominated */
		return worst;
	if (!(sd > 0))
		return fmax(worst, check_off(got, mean, fabs(mean) + 1e-300));
	worst = fmax(worst, check_off(got, mean, sd / sqrt((double)n)));
	return fmax(worst, check_off(json_get_number(cell, "sd", NAN), sd, sd));
}

static size_t
level_labelled(const struct study_column *c, const char *label)
{
	size_t g = 0;

	while (g < study_n_groups(c) && strcmp(study_label(c, g), label) != 0)
		g++;
	return g;
}

/* One line of levels that are shown together: exact, group by group. */
static double
level_distance(const struct json_value *line, const struct json_value *cells,
    const struct study_column *c, const struct pooled *p, size_t term)
{
	const struct json_value *names = json_get(line, "names");
	const struct json_value *counts = json_get(line, "counts");

	if (names == NULL || counts == NULL || counts->n != cells->n)
		return INFINITY;
	for (size_t g = 0; g < counts->n; g++) {
		size_t n = 0;

		if (json_get(&cells->items[g], "n") == NULL)
			continue;
		for (size_t i = 0; i < names->n; i++)
			n += pooled_count(p, g, term,
			    (double)level_labelled(c, names->items[i].text));
		if (counts->items[g].number != (double)n)
			return INFINITY;
	}
	return 0;
}

static double
variable_distance(const struct json_value *v, const struct study_column *c,
    const struct pooled *p, size_t term)
{
	const struct json_value *cells = json_get(v, "groups");
	const struct json_value *levels = json_get(v, "levels");
	double worst = 0;

	if (cells == NULL)
		return INFINITY;
	for (size_t g = 0; g < cells->n; g++)
		worst =
		    fmax(worst, cell_distance(&cells->items[g], c, p, g, term));
	for (size_t i = 0; levels != NULL && i < levels->n; i++)
		worst = fmax(worst,
		    level_distance(&levels->items[i], cells, c, p, term));
	return worst;
}

/* A number that may be hidden. */
static double
count_distance(const struct json_value *of, const char *key, size_t n)
{
	double got = json_get_number(of, key, NAN);

	return isnan(got) || got == (double)n ? 0 : INFINITY;
}

static double
feasibility_distance(const struct study *s, const struct json_value *result,
    const struct pooled *p)
{
	const struct json_value *columns = json_get(result, "columns");
	double worst = fmax(count_distance(result, "eligible",
				pooled_complete(p, STUDY_MISSING, false)),
	    count_distance(
		result, "events", pooled_complete(p, STUDY_MISSING, true)));

	if (columns == NULL || columns->n != s->n_variables)
		return INFINITY;
	for (size_t i = 0; i < columns->n; i++)
		worst = fmax(worst,
		    count_distance(&columns->items[i], "missing",
			pooled_count(p, POOLED_ALL, i, STUDY_MISSING)));
	return worst;
}

/* Sums item by item; what is about too few is shown as the smallest cell. */
static double
recoding_distance(const struct study *s, const struct json_value *result,
    const struct pooled *p)
{
	const struct json_value *items = json_get(result, "items");
	double least = (double)s->privacy.smallest_cell;

	if (items == NULL || (double)items->n != s->columns[0].hi + 1)
		return INFINITY;
	for (size_t i = 0; i < items->n; i++) {
		double sum = pooled_sum(p, 0, (double)i, 1);

		if (items->items[i].number != (sum > 0 ? fmax(sum, least) : 0))
			return INFINITY;
	}
	return 0;
}

static double
described_distance(const struct study *s, const struct json_value *result,
    const struct pooled *p)
{
	const struct json_value *variables = json_get(result, "variables");
	double worst = 0;

	if (s->model.kind == STUDY_RECODING)
		return recoding_distance(s, result, p);
	if (s->model.feasibility == STUDY_YES)
		return feasibility_distance(s, result, p);
	if (variables == NULL || variables->n != s->n_variables)
		return INFINITY;
	for (size_t i = 0; i < variables->n; i++)
		worst = fmax(worst,
		    variable_distance(&variables->items[i],
			&s->columns[s->variables[i]], p, i));
	return worst;
}

int
check_described(struct check *c, double *worst, struct err *err)
{
	struct pooled *p = check_rows(c, false, err);

	if (p == NULL)
		return -1;
	if (c->l->study->model.kind == STUDY_SUMMARY &&
	    c->l->study->model.feasibility != STUDY_YES)
		pooled_drop_few(
		    p, STUDY_MISSING, c->l->study->privacy.smallest_cell);
	*worst = described_distance(c->l->study, c->result, p);
	pooled_free(p);
	return 0;
}

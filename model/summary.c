/*
 * Descriptive statistics: what rows contribute.  The layouts are in
 * model/step/summary.c.
 */
#include "model/step/summary.h"

#include <math.h>
#include <stdlib.h>

#include "model/data.h"
#include "model/work.h"

/* UINT32_MAX: the row is in no sum. */
static uint32_t
group_of(const struct work *w, size_t row)
{
	if (w->interval[row] < 0)
		return UINT32_MAX;
	return w->data->stratum == NULL ? 0 : w->data->stratum[row];
}

static double
value_of(const struct work *w, size_t row, uint32_t v)
{
	return w->data->variables[row * w->plan->spec.n_variables + v];
}

static const char *
check_row(const struct work *w, size_t row)
{
	const struct model_spec *spec = &w->plan->spec;

	if (w->data->variables == NULL)
		return "the table does not have the variables";
	for (uint32_t v = 0; v < spec->n_variables; v++) {
		const struct model_variable *m = &spec->variables[v];
		double x = value_of(w, row, v);

		if (isnan(x))
			continue; /* missing */
		if (m->n_levels > 0
			? !(x >= 0.0 && x < m->n_levels) || floor(x) != x
			: !(x >= m->min && x <= m->max) ||
			    (m->whole && floor(x) != x))
			return "a value is not within the codebook's range";
	}
	return NULL;
}

/* Rows that lack what few of their group lack are not used. */
static int
find_intervals(struct work *w)
{
	struct summary s;

	if (!summary_at(w->plan, &s))
		return 0; /* nothing is counted yet */
	for (size_t i = 0; i < w->data->n_rows; i++) {
		const uint64_t *strict =
		    s.strict + (size_t)group_of(w, i) * s.variables;

		for (uint32_t v = 0; v < s.variables; v++)
			if (strict[v] != 0 && isnan(value_of(w, i, v)))
				w->interval[i] = -1;
	}
	return 0;
}

/* All numbers are there. */
static bool
is_complete(const struct work *w, size_t row)
{
	for (uint32_t v = 0; v < w->plan->spec.n_variables; v++)
		if (summary_is_number(w->plan, v) && isnan(value_of(w, row, v)))
			return false;
	return true;
}

static int
counts(struct work *w)
{
	const struct model_spec *spec = &w->plan->spec;
	double *n = work_group(w, 0), *complete = work_group(w, 1);
	double *complete_site = work_group(w, 2), *present = work_group(w, 3);
	double *site = work_group(w, 4), *level = work_group(w, 5);
	double *group_site = work_group(w, 6), *level_site = work_group(w, 7);

	for (size_t i = 0; i < w->data->n_rows; i++) {
		uint32_t g = group_of(w, i);

		if (g == UINT32_MAX)
			continue;
		n[g] += 1.0;
		group_site[g] = 1.0;
		if (is_complete(w, i)) {
			complete[g] += 1.0;
			complete_site[g] = 1.0;
		}
		for (uint32_t v = 0; v < spec->n_variables; v++) {
			size_t cell = (size_t)g * spec->n_variables + v;
			double x = value_of(w, i, v);

			if (isnan(x))
				continue;
			present[cell] += 1.0;
			site[cell] = 1.0;
			if (summary_is_number(w->plan, v))
				continue;
			cell = (size_t)g * spec->n_levels +
			    spec->variables[v].first_level + (uint32_t)x;
			level[cell] += 1.0;
			level_site[cell] = 1.0;
		}
	}
	return 0;
}

static int
bins(struct work *w)
{
	const struct plan *p = w->plan;
	double *count = work_group(w, 0);
	struct summary s;

	summary_at(p, &s);
	for (uint32_t g = 0; g < s.groups; g++) {
		for (uint32_t v = 0; v < s.variables; v++) {
			if (!summary_has(p, &s, g, v))
				continue;
			for (size_t i = 0; i < w->data->n_rows; i++) {
				double x = value_of(w, i, v);

				if (group_of(w, i) == g && !isnan(x))
					count[summary_bin(p, v, x)] += 1.0;
			}
			count += summary_bins(p, v);
		}
	}
	return 0;
}

/* Sums and squares of one variable in the groups where they are made. */
static void
add_moments(const struct work *w, const struct summary *s, uint32_t v,
    double *sum, double *square)
{
	for (uint32_t g = 0; g < s->groups; g++) {
		long double a = 0.0L, b = 0.0L;

		if (s->summed[(size_t)g * s->variables + v] == 0)
			continue;
		for (size_t i = 0; i < w->data->n_rows; i++) {
			double x = value_of(w, i, v);
			long double d = (long double)x - s->centre[v];

			if (group_of(w, i) != g || isnan(x))
				continue;
			a += d;
			b += d * d;
		}
		*sum++ = (double)a;
		*square++ = (double)b;
	}
}

/* Over the complete rows of the groups that are in pairs. */
static double
product(const struct work *w, const struct summary *s, uint32_t v, int64_t u)
{
	long double sum = 0.0L;

	for (size_t i = 0; i < w->data->n_rows; i++) {
		uint32_t g = group_of(w, i);
		long double d;

		if (g == UINT32_MAX || s->complete[g] == 0 ||
		    !is_complete(w, i))
			continue;
		d = (long double)value_of(w, i, v) - s->centre[v];
		if (u >= 0)
			d *= (long double)value_of(w, i, (uint32_t)u) -
			    s->centre[u];
		sum += d;
	}
	return (double)sum;
}

static void
count_parts(
    const struct work *w, const struct summary *s, uint32_t v, double **count)
{
	const struct plan *p = w->plan;
	uint32_t parts = summary_parts(p, v), n_bins = summary_bins(p, v);
	uint32_t cells = 0, cell_of[MODEL_TERMS_MAX];
	size_t *at = calloc(n_bins + 1, sizeof(*at)), n = 0;

	for (uint32_t g = 0; g < s->groups; g++) {
		cell_of[g] = cells;
		cells += summary_has(p, s, g, v);
	}
	for (uint32_t b = 0; at != NULL && cells > 0 && b < n_bins; b++) {
		at[b] = SIZE_MAX;
		if (!summary_refined(p, s, v, b))
			continue;
		at[b] = n;
		n += (size_t)cells * parts;
	}
	for (size_t i = 0; at != NULL && cells > 0 && i < w->data->n_rows;
	     i++) {
		uint32_t g = group_of(w, i), b;
		double x = value_of(w, i, v);

		if (g == UINT32_MAX || isnan(x) || !summary_has(p, s, g, v))
			continue;
		b = summary_bin(p, v, x);
		if (at[b] != SIZE_MAX)
			(*count)[at[b] +
			    (size_t)summary_part(p, v, b, x) * cells +
			    cell_of[g]] += 1.0;
	}
	*count = at == NULL ? NULL : *count + n;
	free(at);
}

static int
sums(struct work *w)
{
	const struct plan *p = w->plan;
	struct summary s;
	double *count;
	size_t next = 0;

	summary_at(p, &s);
	for (uint32_t v = 0; v < s.variables; v++) {
		if (!summary_is_number(p, v))
			continue;
		add_moments(
		    w, &s, v, work_group(w, next), work_group(w, next + 1));
		next += 2;
	}
	for (uint32_t v = 0; v<s.variables && * s.n_pairs> 0; v++) {
		if (!summary_is_number(p, v))
			continue;
		*work_group(w, next++) = product(w, &s, v, -1);
		for (uint32_t u = v; u < s.variables; u++)
			if (summary_is_number(p, u))
				*work_group(w, next++) = product(w, &s, v, u);
	}
	count = work_group(w, next);
	for (uint32_t v = 0; v < s.variables; v++) {
		if (!summary_is_number(p, v))
			continue;
		count_parts(w, &s, v, &count);
		if (count == NULL)
			return -1;
	}
	return 0;
}

const struct contribute_kind contribute_summary = {
	.check_row = check_row,
	.find_intervals = find_intervals,
	.rounds = { [PHASE_COUNTS] = counts,
	    [PHASE_BINS] = bins,
	    [PHASE_SUMS] = sums },
};

/*
 * Survival and incidence by group, and the log-rank test.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "ctl/pooled_parts.h"

/* Rows of a cell whose time is from start on and before end. */
static void
count_cell(const struct pooled *p, size_t cell, double start, double end,
    double *rows, double *events)
{
	*rows = *events = 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct pooled_row *r = &p->rows[i];

		if (r->stratum != cell || !(r->time >= start && r->time < end))
			continue;
		*rows += 1;
		*events += r->event;
	}
}

double
pooled_leave(
    const struct pooled *p, size_t cell, double start, double end, size_t level)
{
	double n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct pooled_row *r = &p->rows[i];

		n += r->stratum == cell && r->time >= start && r->time < end &&
		    r->y == (double)level;
	}
	return n;
}

static bool
has_few_of_a_cause(const struct pooled *p, size_t cell, size_t step)
{
	double rows = 0;
	bool few = false;

	for (size_t k = 0; k < p->model->n_events; k++) {
		double n = pooled_leave(p, cell, -HUGE_VAL, HUGE_VAL, k);

		rows += n;
		few = few || (n > 0 && n < (double)step);
	}
	return few || rows < (double)step;
}

/* Two sites, or one, and there are more: each could tell the other's rows. */
static bool
has_few_sites(const struct pooled *p, size_t cell)
{
	size_t first = SIZE_MAX, second = SIZE_MAX, last = 0;

	for (size_t i = 0; i < p->n; i++) {
		size_t site = p->rows[i].site;

		last = MAX(last, site);
		if (p->rows[i].stratum != cell || site == first ||
		    site == second)
			continue;
		if (second != SIZE_MAX)
			return false;
		*(first == SIZE_MAX ? &first : &second) = site;
	}
	return last >= 2 && first != SIZE_MAX;
}

bool
pooled_is_left_out(const struct pooled *p, size_t cell, size_t step)
{
	double s = (double)step, rows, events;

	if (step > 1 && has_few_sites(p, cell))
		return true;
	if (p->model->causes)
		return has_few_of_a_cause(p, cell, step);
	count_cell(p, cell, -HUGE_VAL, HUGE_VAL, &rows, &events);
	return rows < s || (events > 0 && events < s) ||
	    (rows > events && rows - events < s);
}

size_t
pooled_n_cells(const struct pooled *p)
{
	size_t n = 1;

	for (size_t k = 0; k < p->model->n_strata; k++)
		n *= p->model->strata[k].n_levels;
	return n;
}

static double
end_of(const struct pooled_grid *grid, size_t i)
{
	return i + 1 < grid->n ? grid->starts[i + 1] : HUGE_VAL;
}

/*
 * In interval i, the rows of a group at risk, with an event, and with one of
 * this level, over its strata.
 */
static void
count_group(const struct pooled *p, size_t group, size_t level, size_t step,
    const struct pooled_grid *grid, size_t i, double *at_risk, double *events,
    double *own)
{
	double start = grid->starts[i], end = end_of(grid, i), n, unused;

	*at_risk = *events = *own = 0;
	for (size_t c = group; c < pooled_n_cells(p); c += p->model->n_groups) {
		if (pooled_is_left_out(p, c, step))
			continue;
		count_cell(p, c, start, HUGE_VAL, &n, &unused);
		*at_risk += n;
		count_cell(p, c, start, end, &unused, &n);
		*events += n;
		*own += pooled_leave(p, c, start, end, level);
	}
}

void
pooled_survival(const struct pooled *p, size_t group, size_t step,
    const struct pooled_grid *grid, double *survival, double *se)
{
	long double s = 1, greenwood = 0;

	for (size_t i = 0; i < grid->n; i++) {
		double at_risk, deaths, own;

		count_group(
		    p, group, 0, step, grid, i, &at_risk, &deaths, &own);
		if (deaths > 0) {
			s *= 1 - (long double)deaths / at_risk;
			greenwood +=
			    (long double)deaths / at_risk / (at_risk - deaths);
		}
		survival[i] = deaths < at_risk || s > 0 ? (double)s : 0;
		se[i] = s > 0 ? (double)(s * sqrtl(greenwood)) : NAN;
	}
}

void
pooled_incidence(const struct pooled *p, size_t group, size_t level,
    size_t step, const struct pooled_grid *grid, double *incidence)
{
	long double s = 1, f = 0;

	for (size_t i = 0; i < grid->n; i++) {
		double at_risk, all, own;

		count_group(
		    p, group, level, step, grid, i, &at_risk, &all, &own);
		if (all > 0) {
			f += s * own / at_risk;
			s *= 1 - (long double)all / at_risk;
		}
		incidence[i] = (double)f;
	}
}

/* Observed less expected, and its variance, over the groups of a stratum. */
static void
compare_groups(const struct pooled *p, size_t stratum, size_t step,
    const struct pooled_grid *grid, long double *u, long double *v,
    double *at_risk, double *deaths)
{
	size_t g = p->model->n_groups;

	for (size_t i = 0; i < grid->n; i++) {
		long double n = 0, d = 0;

		for (size_t a = 0; a < g; a++) {
			double rows, events;

			at_risk[a] = deaths[a] = 0;
			if (pooled_is_left_out(p, stratum * g + a, step))
				continue;
			count_cell(p, stratum * g + a, grid->starts[i],
			    HUGE_VAL, &at_risk[a], &events);
			count_cell(p, stratum * g + a, grid->starts[i],
			    end_of(grid, i), &rows, &deaths[a]);
			n += at_risk[a];
			d += deaths[a];
		}
		if (!(d > 0))
			continue;
		for (size_t a = 0; a < g; a++) {
			u[a] += deaths[a] - d * at_risk[a] / n;
			for (size_t b = 0; n > 1 && b < g; b++)
				v[a * g + b] += d * (n - d) / (n - 1) *
				    ((a == b ? at_risk[a] / n : 0) -
					at_risk[a] / n * at_risk[b] / n);
		}
	}
}

double
pooled_quadratic_form(long double *u, long double *v, size_t g)
{
	size_t use[POOLED_TERMS_MAX], n = 0;
	long double sum = 0;

	for (size_t a = 0; a < g && n < POOLED_TERMS_MAX; a++)
		if (v[a * g + a] > 0)
			use[n++] = a;
	if (n < 2)
		return NAN;
	n--;
	/* use is increasing, so that nothing is read after it is written */
	for (size_t a = 0; a < n; a++) {
		u[a] = u[use[a]];
		for (size_t b = 0; b < n; b++)
			v[a * n + b] = v[use[a] * g + use[b]];
	}
	if (pooled_invert(v, n) < 0)
		return NAN;
	for (size_t a = 0; a < n; a++)
		for (size_t b = 0; b < n; b++)
			sum += u[a] * v[a * n + b] * u[b];
	return (double)sum;
}

int
pooled_logrank(const struct pooled *p, size_t step,
    const struct pooled_grid *grid, double *chi2, struct err *err)
{
	size_t g = p->model->n_groups;
	bool failed = false;
	long double *u = pooled_zeroed(g, sizeof(*u), &failed);
	long double *v = pooled_zeroed(g * g, sizeof(*v), &failed);
	double *at_risk = pooled_zeroed(g, sizeof(*at_risk), &failed);
	double *deaths = pooled_zeroed(g, sizeof(*deaths), &failed);

	for (size_t s = 0; !failed && s < pooled_n_cells(p) / g; s++)
		compare_groups(p, s, step, grid, u, v, at_risk, deaths);
	if (!failed)
		*chi2 = pooled_quadratic_form(u, v, g);
	free(u);
	free(v);
	free(at_risk);
	free(deaths);
	return failed ? err_sys(err, "pooled survival") : 0;
}

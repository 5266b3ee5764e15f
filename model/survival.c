#include "model/survival.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/json.h"
#include "common/macros.h"
#include "model/band.h"
#include "model/report.h"
#include "model/step/ldl.h"
#include "model/tail.h"

#define Z_95 1.9599639845400545

/* Leavers or events (which: 0, 1) of a cell in an interval. */
static double
cell_count(const struct plan *p, uint32_t interval, uint32_t cell, int which)
{
	size_t width = plan_width(p), row = width * plan_cells(p);

	return (double)
	    p->cells[(interval + 1) * row + width * cell + (size_t)which];
}

static double
group_count(const struct plan *p, uint32_t interval, uint32_t group, int which)
{
	double n = 0.0;

	for (uint32_t s = 0; s < p->spec.n_strata; s++)
		n +=
		    cell_count(p, interval, s * p->spec.n_terms + group, which);
	return n;
}

static double
time_of(const struct plan *p, uint32_t interval)
{
	return p->spec.time_min +
	    (double)p->grid.intervals[interval].start * p->spec.time_step;
}

/* In all strata where it is large enough. */
static void
count_group(const struct plan *p, uint32_t group, struct survival_group *g)
{
	for (uint32_t s = 0; s < p->spec.n_strata; s++) {
		uint32_t c = s * p->spec.n_terms + group;

		if (!plan_cell_kept(p, c))
			continue;
		g->kept = true;
		g->n += p->cells[2 * c];
		g->n_events += p->cells[2 * c + 1];
	}
}

void
survival_bounds(
    const struct plan *p, double x, double se, double *low, double *high)
{
	double reach = Z_95 * se;

	switch (p->spec.bounds) {
	case BOUNDS_PLAIN:
		*low = fmax(0.0, x - reach);
		*high = fmin(1.0, x + reach);
		return;
	case BOUNDS_LOG_LOG:
		*low = *high = NAN;
		if (!(x < 1.0))
			return;
		/* The derivative of log(-log x) is 1 / (x log x). */
		reach /= x * fabs(log(x));
		*low = exp(-exp(log(-log(x)) + reach));
		*high = exp(-exp(log(-log(x)) - reach));
		return;
	case BOUNDS_LOG:
		*low = exp(log(x) - reach / x);
		*high = fmin(1.0, exp(log(x) + reach / x));
		return;
	}
}

static double
greenwood_of(const struct survival_point *v)
{
	return v->se * v->se / (v->survival * v->survival);
}

/* At 0 there are none. */
static void
set_bounds(const struct plan *p, struct survival_point *v, double greenwood)
{
	v->se = v->low = v->high = NAN;
	if (!(v->survival > 0.0))
		return;
	v->se = v->survival * sqrt(greenwood);
	survival_bounds(p, v->survival, v->se, &v->low, &v->high);
}

/*
 * From the first event to the last one that somebody survives.  n: all patients;
 * a band is to a point's limits as its half width is to z se.
 */
static void
set_band(const struct plan *p, struct survival_group *g)
{
	double n = (double)g->n, low, high;
	size_t end = g->n_points;
	bool equal = p->spec.band == BAND_EQUAL_PRECISION;

	g->band = NAN;
	for (size_t i = 0; i < g->n_points; i++)
		g->points[i].band_low = g->points[i].band_high = NAN;
	while (end > 0 && !(g->points[end - 1].survival > 0.0))
		end--;
	if (p->spec.band == BAND_NO || end == 0)
		return;
	low = n * greenwood_of(&g->points[0]);
	high = n * greenwood_of(&g->points[end - 1]);
	g->band = (equal ? band_equal_precision : band_hall_wellner)(
	    low / (1.0 + low), high / (1.0 + high));
	for (size_t i = 0; i < end; i++) {
		struct survival_point *v = &g->points[i];
		double half = g->band * v->se;

		if (!equal)
			half = g->band * v->survival *
			    (1.0 + n * greenwood_of(v)) / sqrt(n);
		survival_bounds(
		    p, v->survival, half / Z_95, &v->band_low, &v->band_high);
	}
}

/*
 * Of a cumulative hazard, which is above 0; its logarithm is that of -log S
 * too, so that there is nothing else for BOUNDS_LOG_LOG.
 */
static void
set_hazard_bounds(const struct plan *p, struct survival_point *v)
{
	double reach = Z_95 * v->hazard_se;

	if (p->spec.bounds == BOUNDS_PLAIN) {
		v->hazard_low = fmax(0.0, v->hazard - reach);
		v->hazard_high = v->hazard + reach;
		return;
	}
	v->hazard_low = v->hazard * exp(-reach / v->hazard);
	v->hazard_high = v->hazard * exp(reach / v->hazard);
}

static void
make_points(const struct plan *p, uint32_t group, struct survival_group *g)
{
	double at_risk = 0.0, s = 1.0, greenwood = 0.0, h = 0.0, h_var = 0.0;

	for (uint32_t i = 0; i < p->grid.n; i++)
		at_risk += group_count(p, i, group, 0);
	for (uint32_t i = 0; i < p->grid.n; i++) {
		double n = group_count(p, i, group, 0);
		double d = group_count(p, i, group, 1);

		if (d > 0.0) {
			struct survival_point *v = &g->points[g->n_points++];

			s *= (at_risk - d) / at_risk;
			greenwood += d / (at_risk * (at_risk - d));
			h += d / at_risk;
			h_var += d / (at_risk * at_risk);
			*v = (struct survival_point){
				.time = time_of(p, i),
				.at_risk = (uint64_t)at_risk,
				.events = (uint64_t)d,
				.survival = s,
				.hazard = h,
				.hazard_se = sqrt(h_var),
			};
			set_bounds(p, v, greenwood);
			set_hazard_bounds(p, v);
		}
		if (g->n_points > 0)
			g->points[g->n_points - 1].censored +=
			    (uint64_t)(n - d);
		at_risk -= n;
	}
}

enum curve { CURVE, LOWER, UPPER };

static double
height(const struct survival_point *v, enum curve which)
{
	return which == CURVE ? v->survival : which == LOWER ? v->low : v->high;
}

/* Where it comes down to 1/2; the middle of a step that is at 1/2, as in R. */
static double
median_of(const struct survival_group *g, enum curve which)
{
	const double half = 0.5, slack = 0x1p-26;

	for (size_t i = 0; i < g->n_points; i++) {
		double y = height(&g->points[i], which);

		if (isnan(y) || !(y < half + slack))
			continue;
		if (fabs(y - half) >= slack)
			return g->points[i].time;
		for (size_t k = i + 1; k < g->n_points; k++) {
			if (height(&g->points[k], which) < y)
				return 0.5 *
				    (g->points[i].time + g->points[k].time);
		}
		return g->points[i].time;
	}
	return NAN;
}

/* The area below the curve from time on (or from 0) until the study's time. */
static double
area_from(const struct survival_group *g, size_t i, double until)
{
	double area = 0.0;

	for (; i < g->n_points && g->points[i].time < until; i++) {
		double next =
		    i + 1 < g->n_points ? g->points[i + 1].time : until;

		area += g->points[i].survival *
		    (fmin(next, until) - g->points[i].time);
	}
	return area;
}

static void
set_rmst(struct survival_group *g, double until)
{
	double variance = 0.0, first = until;

	g->rmst = g->rmst_se = NAN;
	if (!(until > 0.0))
		return;
	if (g->n_points > 0)
		first = fmin(first, g->points[0].time);
	g->rmst = first + area_from(g, 0, until);
	/* Areas from the last time on, each the one after it and a step. */
	for (size_t i = g->n_points; i-- > 0;) {
		const struct survival_point *v = &g->points[i];
		double n = (double)v->at_risk, d = (double)v->events, area;

		if (!(v->time < until) || !(n > d))
			continue;
		area = area_from(g, i, until);
		variance += area * area * d / (n * (n - d));
	}
	g->rmst_se = sqrt(variance);
}

/* One stratum's part of the test: who is observed, expected, and how sure. */
struct ranks {
	const struct plan *p;
	uint32_t stratum;
	double observed[MODEL_TERMS_MAX], expected[MODEL_TERMS_MAX];
	double variance[PACKED(MODEL_TERMS_MAX)];
};

static void
add_interval(struct ranks *r, const double *at_risk, uint32_t interval,
    double n, double d, double weight)
{
	uint32_t groups = r->p->spec.n_terms;

	for (uint32_t a = 0; a < groups; a++) {
		double e =
		    cell_count(r->p, interval, r->stratum * groups + a, 1);

		r->observed[a] += weight * e;
		r->expected[a] += weight * d * at_risk[a] / n;
		if (n < 2.0)
			continue;
		for (uint32_t b = a; b < groups; b++) {
			double v = (a == b ? at_risk[a] * n : 0.0) -
			    at_risk[a] * at_risk[b];

			r->variance[packed_at(groups, a, b)] += weight *
			    weight * v * d * (n - d) / (n * n * (n - 1.0));
		}
	}
}

/* The weight is the stratum's survival just before, to the power of rho. */
static void
add_stratum(struct ranks *r, double rho)
{
	const struct plan *p = r->p;
	uint32_t groups = p->spec.n_terms, first = r->stratum * groups;
	double at_risk[MODEL_TERMS_MAX] = { 0 }, survival = 1.0;

	for (uint32_t i = 0; i < p->grid.n; i++) {
		for (uint32_t a = 0; a < groups; a++)
			at_risk[a] += cell_count(p, i, first + a, 0);
	}
	for (uint32_t i = 0; i < p->grid.n; i++) {
		double n = 0.0, d = 0.0;

		for (uint32_t a = 0; a < groups; a++) {
			n += at_risk[a];
			d += cell_count(p, i, first + a, 1);
		}
		if (d > 0.0) {
			add_interval(r, at_risk, i, n, d, pow(survival, rho));
			survival *= (n - d) / n;
		}
		for (uint32_t a = 0; a < groups; a++)
			at_risk[a] -= cell_count(p, i, first + a, 0);
	}
}

/* The first group that somebody is expected in is given by the others. */
static void
set_test(const struct ranks *r, struct survival_test *t)
{
	uint32_t groups = r->p->spec.n_terms, n = 0, use[MODEL_TERMS_MAX];
	double v[PACKED(MODEL_TERMS_MAX)], x[MODEL_TERMS_MAX];
	double u[MODEL_TERMS_MAX];

	for (uint32_t a = 0; a < groups; a++) {
		if (r->expected[a] > 0.0)
			use[n++] = a;
	}
	if (n < 2)
		return;
	for (uint32_t a = 1; a < n; a++) {
		x[a - 1] = u[a - 1] = r->observed[use[a]] - r->expected[use[a]];
		for (uint32_t b = a; b < n; b++)
			v[packed_at(n - 1, a - 1, b - 1)] =
			    r->variance[packed_at(groups, use[a], use[b])];
	}
	if (ldl_factor(v, n - 1, 1e-12) >= 0)
		return;
	ldl_solve(v, n - 1, x);
	for (uint32_t a = 0; a < n - 1; a++)
		t->chi2 += x[a] * u[a];
	t->there = true;
	t->df = n - 1;
	t->p = tail_chi2(t->chi2, t->df);
}

static void
set_tests(const struct plan *p, struct survival *s)
{
	for (int rho = 0; rho <= 1; rho++) {
		struct ranks r = { .p = p };

		for (; r.stratum < p->spec.n_strata; r.stratum++)
			add_stratum(&r, rho == 0 ? 0.0 : p->spec.rho);
		for (uint32_t a = 0; a < p->spec.n_terms; a++) {
			s->group[a].observed[rho] = r.observed[a];
			s->group[a].expected[rho] = r.expected[a];
		}
		set_test(&r, &s->test[rho]);
	}
}

struct survival *
survival_read(const struct plan *p, struct err *err)
{
	struct survival *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_sys(err, "survival");
		return NULL;
	}
	s->n_groups = p->spec.n_terms;
	if (p->n_cells == 0) /* it ended before anything was counted */
		return s;
	for (uint32_t a = 0; a < s->n_groups; a++) {
		struct survival_group *g = &s->group[a];

		g->points = calloc((size_t)p->grid.n + 1, sizeof(*g->points));
		if (g->points == NULL) {
			survival_free(s);
			err_sys(err, "survival");
			return NULL;
		}
		count_group(p, a, g);
		make_points(p, a, g);
		set_band(p, g);
		g->median = median_of(g, CURVE);
		g->median_low = median_of(g, LOWER);
		g->median_high = median_of(g, UPPER);
		set_rmst(g, p->spec.rmst_until);
	}
	set_tests(p, s);
	return s;
}

void
survival_free(struct survival *s)
{
	if (s == NULL)
		return;
	for (size_t a = 0; a < s->n_groups; a++)
		free(s->group[a].points);
	free(s);
}

static void
json_points(
    struct json *j, const struct plan *p, const struct survival_group *g)
{
	json_array(j, "curve");
	for (size_t i = 0; i < g->n_points; i++) {
		const struct survival_point *v = &g->points[i];

		json_object(j, NULL);
		json_real(j, "time", v->time);
		json_int(j, "at_risk", (int64_t)v->at_risk);
		json_int(j, "events", (int64_t)v->events);
		json_int(j, "censored", (int64_t)v->censored);
		json_real(j, "survival", v->survival);
		json_real(j, "se", v->se);
		json_real(j, "ci_low", v->low);
		json_real(j, "ci_high", v->high);
		if (p->spec.band != BAND_NO) {
			json_real(j, "band_low", v->band_low);
			json_real(j, "band_high", v->band_high);
		}
		json_real(j, "hazard", v->hazard);
		json_real(j, "hazard_se", v->hazard_se);
		json_real(j, "hazard_ci_low", v->hazard_low);
		json_real(j, "hazard_ci_high", v->hazard_high);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_group(struct json *j, const struct plan *p, const char *name,
    const struct survival_group *g)
{
	json_object(j, NULL);
	json_text(j, "name", name);
	json_bool(j, "counted", g->kept);
	if (g->kept) {
		json_int(j, "n", (int64_t)g->n);
		json_int(j, "events", (int64_t)g->n_events);
		json_real(j, "median", g->median);
		json_real(j, "median_ci_low", g->median_low);
		json_real(j, "median_ci_high", g->median_high);
		if (p->spec.rmst_until > 0.0) {
			json_real(j, "rmst", g->rmst);
			json_real(j, "rmst_se", g->rmst_se);
		}
		if (p->spec.band != BAND_NO)
			json_real(j, "band_critical", g->band);
		json_points(j, p, g);
	}
	json_end_object(j);
}

void
survival_json(const struct survival *s, const struct plan *p, struct json *j)
{
	if (p->spec.rmst_until > 0.0)
		json_real(j, "rmst_until", p->spec.rmst_until);
	json_array(j, "groups");
	for (size_t a = 0; a < s->n_groups; a++)
		json_group(j, p, p->spec.terms[a].name, &s->group[a]);
	json_end_array(j);
	json_array(j, "tests");
	for (int rho = 0; rho <= 1; rho++) {
		const struct survival_test *t = &s->test[rho];

		if (!t->there)
			continue;
		json_object(j, NULL);
		json_real(j, "rho", rho == 0 ? 0.0 : p->spec.rho);
		json_real(j, "chi2", t->chi2);
		json_int(j, "df", t->df);
		json_real(j, "p", t->p);
		json_array(j, "expected");
		for (size_t a = 0; a < s->n_groups; a++)
			json_real(j, NULL, s->group[a].expected[rho]);
		json_end_array(j);
		json_array(j, "observed");
		for (size_t a = 0; a < s->n_groups; a++)
			json_real(j, NULL, s->group[a].observed[rho]);
		json_end_array(j);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
text_group(struct canon *out, const struct plan *p, const char *name,
    const struct survival_group *g)
{
	char median[24], low[24], high[24], rmst[24], se[24];

	if (!g->kept) {
		report_print(out, "%-24s not counted, see below\n", name);
		return;
	}
	report_print(out, "%-24s %8" PRIu64 " %8" PRIu64 " %10s %10s %10s",
	    name, g->n, g->n_events, report_digits(g->median, median),
	    report_digits(g->median_low, low),
	    report_digits(g->median_high, high));
	if (p->spec.rmst_until > 0.0)
		report_print(out, " %10s %10s", report_digits(g->rmst, rmst),
		    report_digits(g->rmst_se, se));
	report_print(out, "\n");
}

/* At most so many lines of a curve; result.json has all of them. */
#define LINES 20

static void
text_curve(struct canon *out, const struct plan *p, const char *name,
    const struct survival_group *g)
{
	size_t every = (g->n_points + LINES - 1) / LINES;
	bool band = p->spec.band != BAND_NO;
	char se[24], low[24], high[24];

	if (g->n_points == 0)
		return;
	report_print(out, "\n%s\n%10s %8s %8s %10s %10s %10s %10s %10s%s\n",
	    name, "time", "at risk", "events", "survival", "se", "95% low",
	    "95% high", "hazard", band ? "   band low  band high" : "");
	for (size_t i = every - 1; i < g->n_points; i += every) {
		const struct survival_point *v = &g->points[i];

		report_print(out,
		    "%10.6g %8" PRIu64 " %8" PRIu64
		    " %10.5f %10s %10s %10s %10.5f",
		    v->time, v->at_risk, v->events, v->survival,
		    report_digits(v->se, se), report_digits(v->low, low),
		    report_digits(v->high, high), v->hazard);
		if (band)
			report_print(out, " %10s %10s",
			    report_digits(v->band_low, low),
			    report_digits(v->band_high, high));
		report_print(out, "\n");
	}
}

void
survival_text(const struct survival *s, const struct plan *p, struct canon *out)
{
	char names[2][64] = { "Log-rank test", "Peto-Peto test" };

	if (p->spec.rho != 1.0)
		snprintf(names[1], sizeof(names[1]), "Fleming-Harrington %g",
		    p->spec.rho);
	report_print(out, "%-24s %8s %8s %10s %10s %10s", "group", "n",
	    "events", "median", "95% low", "95% high");
	if (p->spec.rmst_until > 0.0)
		report_print(out, " %10s %10s", "RMST", "se");
	report_print(out, "\n");
	for (size_t a = 0; a < s->n_groups; a++)
		text_group(out, p, p->spec.terms[a].name, &s->group[a]);
	if (p->spec.rmst_until > 0.0)
		report_print(out, "(RMST: mean survival restricted to %g)\n",
		    p->spec.rmst_until);
	report_print(out, "\n");
	for (int rho = 0; rho <= 1; rho++) {
		if (s->test[rho].there)
			report_print(out, "%-22s %.4f on %u df, p = %.4g%s\n",
			    names[rho], s->test[rho].chi2, s->test[rho].df,
			    s->test[rho].p,
			    p->spec.n_strata > 1 ? " (stratified)" : "");
	}
	for (size_t a = 0; a < s->n_groups; a++)
		text_curve(out, p, p->spec.terms[a].name, &s->group[a]);
	if (p->spec.band != BAND_NO)
		report_print(out, "\n(Band: %s, simultaneous 95%%)\n",
		    p->spec.band == BAND_HALL_WELLNER ? "Hall and Wellner's"
						      : "equal precision");
	report_print(out, "\n");
}

void
survival_warn(const struct plan *p, struct result *r)
{
	if (p->grid.n > 0 && p->grid.step > 1)
		result_warn(r,
		    "times are known by intervals in which at least %" PRIu32
		    " patients of a group leave by an event, or none: a step "
		    "of a curve stands where its interval begins, so that "
		    "medians and restricted means are early by up to an "
		    "interval",
		    p->grid.step);
	if (p->n_strata_out > 0)
		result_warn(r,
		    "left out: %" PRIu32 " groups (of a stratum) that have "
		    "fewer patients than the study's smallest step of %" PRIu32
		    ", or fewer with an event, or fewer without one, but some",
		    p->n_strata_out, p->spec.risk_set_step);
}

static int
json_body(const struct plan *p, const struct result *r, struct json *j,
    struct err *err)
{
	struct survival *s = survival_read(p, err);

	if (s == NULL)
		return -1;
	json_int(j, "n", (int64_t)r->n);
	json_int(j, "events", (int64_t)r->n_events);
	json_int(j, "sites", p->spec.n_sites);
	survival_json(s, p, j);
	survival_free(s);
	return 0;
}

static int
text_body(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err)
{
	struct survival *s = survival_read(p, err);

	if (s == NULL)
		return -1;
	report_print(out,
	    "n = %" PRIu64 ", events = %" PRIu64 ", %" PRIu32 " sites\n\n",
	    r->n, r->n_events, p->spec.n_sites);
	survival_text(s, p, out);
	survival_free(s);
	return 0;
}

const struct report_kind report_km = {
	.kind = "km",
	.heading = "Survival by groups, Kaplan-Meier",
	.per_term = "events",
	.warn = survival_warn,
	.json = json_body,
	.text = text_body,
};

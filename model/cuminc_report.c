/*
 * Cumulative incidence of competing causes by groups, from the counts of a
 * finished plan: what result.json and result.txt have of it.  A group's risk set
 * is that of model/survival.h.
 *
 * The incidence is Aalen and Johansen's, its variance Aalen's with the finite
 * population's factor at ties; the tests are those of Gray, Annals of Statistics
 * 16 (1988), pp. 1141-1154, with rho = 0, summed over strata.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/macros.h"
#include "model/cuminc.h"
#include "model/report.h"
#include "model/step/ldl.h"
#include "model/survival.h"
#include "model/tail.h"

/* Leavers (which: 0) or events of a cause of a cell in an interval. */
static double
cell_count(const struct plan *p, uint32_t interval, uint32_t cell, uint32_t k)
{
	size_t width = plan_width(p), row = width * plan_cells(p);

	return (double)p->cells[(interval + 1) * row + width * cell + k];
}

static double
group_count(const struct plan *p, uint32_t interval, uint32_t group, uint32_t k)
{
	double n = 0.0;

	for (uint32_t s = 0; s < p->spec.n_strata; s++)
		n += cell_count(p, interval, s * p->spec.n_terms + group, k);
	return n;
}

bool
cuminc_kept(const struct plan *p, uint32_t group, uint64_t *n)
{
	bool kept = false;

	*n = 0;
	for (uint32_t s = 0; p->n_cells > 0 && s < p->spec.n_strata; s++) {
		uint32_t c = s * p->spec.n_terms + group;

		if (!plan_cell_kept(p, c))
			continue;
		kept = true;
		*n += p->cells[(size_t)c * plan_width(p)];
	}
	return kept;
}

/* What ties take off the variance of d of n. */
static double
tied(double d, double n)
{
	return d > 1.0 ? 1.0 - (d - 1.0) / (n - 1.0) : 1.0;
}

void
cuminc_start(
    struct cuminc *c, const struct plan *p, uint32_t group, uint32_t cause)
{
	*c = (struct cuminc){
		.p = p, .group = group, .cause = cause, .survival = 1.0
	};
	for (uint32_t i = 0; i < p->grid.n; i++)
		c->at_risk += group_count(p, i, group, 0);
}

/*
 * With F and S after an event time, S- before it, the variance at t is the sum
 * over event times of S-^2/n^2 ((1 - (F(t) - F)/S)^2 d + ((F(t) - F)/S)^2 d'), d
 * and d' events of this and of other causes: a square in F(t), of which the three
 * coefficients are added up.
 */
static void
add_variance(struct cuminc *c, double d, double other, double before)
{
	double n = c->at_risk, unit = before * before / (n * n);
	double own = unit * tied(d, n) * d;
	double others = unit * tied(other, n) * other;
	double slope = c->survival > 0.0 ? 1.0 / c->survival : 0.0;
	double at = 1.0 + c->incidence * slope;

	c->square[0] += own * at * at;
	c->square[1] += own * at * slope;
	c->square[2] += own * slope * slope;
	at = c->incidence * slope;
	c->square[0] += others * at * at;
	c->square[1] += others * at * slope;
	c->square[2] += others * slope * slope;
}

bool
cuminc_next(struct cuminc *c)
{
	while (c->next < c->p->grid.n) {
		uint32_t i = c->next++;
		double d = group_count(c->p, i, c->group, c->cause);
		double all = 0.0, before = c->survival, f;

		c->at_risk -= c->left;
		c->left = group_count(c->p, i, c->group, 0);
		for (uint32_t k = 1; k < plan_width(c->p); k++)
			all += group_count(c->p, i, c->group, k);
		if (all == 0.0)
			continue;
		c->survival *= (c->at_risk - all) / c->at_risk;
		c->incidence += before * d / c->at_risk;
		add_variance(c, d, all - d, before);
		if (d == 0.0)
			continue;
		f = c->incidence;
		c->events = d;
		c->time = c->p->spec.time_min +
		    (double)c->p->grid.intervals[i].start *
			c->p->spec.time_step;
		c->se = sqrt(fmax(c->square[0] - 2.0 * f * c->square[1] +
			f * f * c->square[2],
		    0.0));
		survival_bounds(c->p, f, c->se, &c->low, &c->high);
		return true;
	}
	return false;
}

/*
 * Gray's test of one cause.  Of each group: patients at risk Y, the survival S
 * from all causes and the incidence F, both before an event time.  The weight of
 * a group's difference is R = Y (1 - F)/S, whose part of all R is expected of the
 * events; h = Y/S is what the common incidence G grows by.
 */
struct gray {
	const struct plan *p;
	uint32_t cause, groups;
	double score[MODEL_TERMS_MAX];
	double variance[MODEL_TERMS_MAX][MODEL_TERMS_MAX];
	/* Of the stratum: */
	uint32_t stratum;
	double Y[MODEL_TERMS_MAX], S[MODEL_TERMS_MAX], F[MODEL_TERMS_MAX];
	double G;
	double c[MODEL_TERMS_MAX][MODEL_TERMS_MAX];
	double mixed[MODEL_TERMS_MAX][MODEL_TERMS_MAX];
	double last[MODEL_TERMS_MAX];
};

/* An event time's part of the martingale of group k: a number for each group's
   score now, and q for what comes of the incidence later. */
static void
add_part(struct gray *g, uint32_t k, const double *now, double q, double v)
{
	g->last[k] += q * q * v;
	for (uint32_t i = 0; i < g->groups; i++) {
		g->mixed[i][k] += now[i] * q * v;
		for (uint32_t j = 0; j < g->groups; j++)
			g->variance[i][j] += now[i] * now[j] * v;
	}
}

static void
gray_interval(struct gray *g, uint32_t interval)
{
	uint32_t n = g->groups, width = plan_width(g->p);
	double d[MODEL_TERMS_MAX], other[MODEL_TERMS_MAX] = { 0 };
	double h[MODEL_TERMS_MAX] = { 0 }, S[MODEL_TERMS_MAX];
	double sum_h = 0.0, sum_R = 0.0, all_d = 0.0, all = 0.0, G;
	double a[MODEL_TERMS_MAX][MODEL_TERMS_MAX], now[MODEL_TERMS_MAX];

	for (uint32_t k = 0; k < n; k++) {
		uint32_t cell = g->stratum * n + k;

		d[k] = cell_count(g->p, interval, cell, g->cause);
		for (uint32_t j = 1; j < width; j++)
			other[k] += cell_count(g->p, interval, cell, j);
		other[k] -= d[k];
		all_d += d[k];
		all += d[k] + other[k];
		S[k] = g->S[k];
		if (!(g->Y[k] > 0.0))
			continue;
		S[k] *= (g->Y[k] - d[k] - other[k]) / g->Y[k];
		h[k] = g->Y[k] / g->S[k];
		sum_h += h[k];
		sum_R += h[k] * (1.0 - g->F[k]);
	}
	if (all == 0.0)
		return;
	G = g->G + all_d / sum_h;
	for (uint32_t i = 0; i < n; i++) {
		if (g->Y[i] > 0.0)
			g->score[i] +=
			    d[i] - all_d * h[i] * (1.0 - g->F[i]) / sum_R;
		for (uint32_t j = 0; j < n; j++) {
			a[i][j] = (i == j ? h[i] : 0.0) - h[i] * h[j] / sum_h;
			g->c[i][j] += a[i][j] * all_d / (sum_h * (1.0 - g->G));
		}
	}
	for (uint32_t k = 0; k < n; k++) {
		double q = S[k] > 0.0 ? (1.0 - G) / S[k] : 0.0;
		double y = g->Y[k], ties = 1.0;

		if (!(y > 0.0))
			continue;
		if (all_d > 1.0)
			ties = 1.0 - (all_d - 1.0) / (sum_h * g->S[k] - 1.0);
		for (uint32_t i = 0; i < n; i++)
			now[i] = a[i][k] - (1.0 - q) * g->c[i][k];
		add_part(
		    g, k, now, 1.0 - q, ties * g->S[k] * all_d / (sum_h * y));
		if (other[k] == 0.0 || !(S[k] > 0.0))
			continue;
		for (uint32_t i = 0; i < n; i++)
			now[i] = q * g->c[i][k];
		add_part(g, k, now, -q,
		    tied(other[k], y) * g->S[k] * g->S[k] * other[k] / (y * y));
	}
	for (uint32_t k = 0; k < n; k++) {
		if (g->Y[k] > 0.0)
			g->F[k] += g->S[k] * d[k] / g->Y[k];
		g->S[k] = S[k];
	}
	g->G = G;
}

static void
gray_stratum(struct gray *g)
{
	uint32_t n = g->groups, first = g->stratum * n;

	memset(g->c, 0, sizeof(g->c));
	memset(g->mixed, 0, sizeof(g->mixed));
	memset(g->last, 0, sizeof(g->last));
	g->G = 0.0;
	for (uint32_t k = 0; k < n; k++) {
		g->Y[k] = g->F[k] = 0.0;
		g->S[k] = 1.0;
		for (uint32_t i = 0; i < g->p->grid.n; i++)
			g->Y[k] += cell_count(g->p, i, first + k, 0);
	}
	for (uint32_t i = 0; i < g->p->grid.n; i++) {
		gray_interval(g, i);
		for (uint32_t k = 0; k < n; k++)
			g->Y[k] -= cell_count(g->p, i, first + k, 0);
	}
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = 0; j < n; j++) {
			for (uint32_t k = 0; k < n; k++)
				g->variance[i][j] +=
				    g->c[i][k] * g->c[j][k] * g->last[k] +
				    g->c[i][k] * g->mixed[j][k] +
				    g->c[j][k] * g->mixed[i][k];
		}
	}
}

/* The last group that has patients is given by the others. */
bool
cuminc_test(const struct plan *p, uint32_t cause, struct result_test *t)
{
	struct gray g = { .p = p, .cause = cause, .groups = p->spec.n_terms };
	double v[PACKED(MODEL_TERMS_MAX)], x[MODEL_TERMS_MAX];
	uint32_t use[MODEL_TERMS_MAX], n = 0;
	uint64_t rows;

	*t = (struct result_test){ 0 };
	for (uint32_t k = 0; k < g.groups; k++) {
		if (cuminc_kept(p, k, &rows))
			use[n++] = k;
	}
	if (n < 2)
		return false;
	for (; g.stratum < p->spec.n_strata; g.stratum++)
		gray_stratum(&g);
	n--;
	for (uint32_t i = 0; i < n; i++) {
		x[i] = g.score[use[i]];
		for (uint32_t j = i; j < n; j++)
			v[packed_at(n, i, j)] = g.variance[use[i]][use[j]];
	}
	if (ldl_factor(v, n, 1e-12) >= 0)
		return false;
	ldl_solve(v, n, x);
	for (uint32_t i = 0; i < n; i++)
		t->chi2 += x[i] * g.score[use[i]];
	t->df = n;
	t->p = tail_chi2(t->chi2, n);
	return isfinite(t->chi2);
}

static void
json_cause(struct json *j, const struct plan *p, uint32_t group, uint32_t cause)
{
	struct cuminc c;

	json_object(j, NULL);
	json_text(j, "name", p->spec.causes[cause - 1]);
	json_array(j, "curve");
	cuminc_start(&c, p, group, cause);
	while (cuminc_next(&c)) {
		json_object(j, NULL);
		json_real(j, "time", c.time);
		json_int(j, "at_risk", (int64_t)c.at_risk);
		json_int(j, "events", (int64_t)c.events);
		json_real(j, "incidence", c.incidence);
		json_real(j, "se", c.se);
		json_real(j, "ci_low", c.low);
		json_real(j, "ci_high", c.high);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static int
json_body(const struct plan *p, const struct result *r, struct json *j,
    struct err *err)
{
	(void)err;
	json_int(j, "n", (int64_t)r->n);
	json_int(j, "events", (int64_t)r->n_events);
	json_int(j, "sites", p->spec.n_sites);
	json_array(j, "groups");
	for (uint32_t g = 0; g < p->spec.n_terms; g++) {
		uint64_t n;
		bool kept = cuminc_kept(p, g, &n);

		json_object(j, NULL);
		json_text(j, "name", p->spec.terms[g].name);
		json_bool(j, "counted", kept);
		if (kept) {
			json_int(j, "n", (int64_t)n);
			json_array(j, "causes");
			for (uint32_t k = 1; k < plan_width(p); k++)
				json_cause(j, p, g, k);
			json_end_array(j);
		}
		json_end_object(j);
	}
	json_end_array(j);
	json_array(j, "tests");
	for (uint32_t k = 1; k < plan_width(p); k++) {
		struct result_test t;

		if (!cuminc_test(p, k, &t))
			continue;
		json_object(j, NULL);
		json_text(j, "cause", p->spec.causes[k - 1]);
		json_real(j, "chi2", t.chi2);
		json_int(j, "df", t.df);
		json_real(j, "p", t.p);
		json_end_object(j);
	}
	json_end_array(j);
	return 0;
}

/* At most so many lines of a curve; result.json has all of them. */
#define LINES 20

static void
text_curve(struct canon *out, const struct plan *p, uint32_t g, uint32_t cause)
{
	char se[24], low[24], high[24];
	size_t n = 0, every, i = 0;
	struct cuminc c;

	cuminc_start(&c, p, g, cause);
	while (cuminc_next(&c))
		n++;
	report_print(out, "\n%s, %s\n", p->spec.terms[g].name,
	    p->spec.causes[cause - 1]);
	if (n == 0) {
		report_print(out, "no event\n");
		return;
	}
	report_print(out, "%10s %8s %8s %10s %10s %10s %10s\n", "time",
	    "at risk", "events", "incidence", "se", "95% low", "95% high");
	every = (n + LINES - 1) / LINES;
	cuminc_start(&c, p, g, cause);
	while (cuminc_next(&c)) {
		if (++i % every == 0 || i == n)
			report_print(out,
			    "%10.6g %8.0f %8.0f %10.5f %10s %10s %10s\n",
			    c.time, c.at_risk, c.events, c.incidence,
			    report_digits(c.se, se), report_digits(c.low, low),
			    report_digits(c.high, high));
	}
}

static int
text_body(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err)
{
	uint64_t n;

	(void)err;
	report_print(out,
	    "n = %" PRIu64 ", events = %" PRIu64 ", %" PRIu32 " sites\n", r->n,
	    r->n_events, p->spec.n_sites);
	for (uint32_t k = 1; k < plan_width(p); k++) {
		struct result_test t;

		if (cuminc_test(p, k, &t))
			report_print(out,
			    "Gray's test, %-12s %.4f on %u df, p = %.4g%s\n",
			    p->spec.causes[k - 1], t.chi2, t.df, t.p,
			    p->spec.n_strata > 1 ? " (stratified)" : "");
	}
	for (uint32_t g = 0; g < p->spec.n_terms; g++) {
		if (!cuminc_kept(p, g, &n)) {
			report_print(out, "\n%s: not counted, see below\n",
			    p->spec.terms[g].name);
			continue;
		}
		for (uint32_t k = 1; k < plan_width(p); k++)
			text_curve(out, p, g, k);
	}
	report_print(out, "\n");
	return 0;
}

const struct report_kind report_cuminc = {
	.kind = "cuminc",
	.heading = "Cumulative incidence by groups, competing causes",
	.per_term = "events",
	.warn = survival_warn,
	.json = json_body,
	.text = text_body,
};

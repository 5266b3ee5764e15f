#include "model/summary_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/json.h"
#include "common/macros.h"
#include "model/report.h"
#include "model/step/ldl.h"
#include "model/tail.h"

const double summary_quantile[SUMMARY_QUANTILES] = { 0.05, 0.25, 0.5, 0.75,
	0.95 };

/*
 * Where a variable's bins are in the state: n of them, each its position and
 * the rows of each group.
 */
struct bins {
	const struct plan *p;
	const struct summary *s;
	uint32_t v;
	size_t n;
	const uint64_t *row;
};

static struct bins
bins_of(const struct plan *p, const struct summary *s, uint32_t v)
{
	const uint64_t *at = s->tail;
	struct bins b = { .p = p, .s = s, .v = v };

	if (s->n_tail == 0)
		return b;
	for (uint32_t u = 0; u < v; u++)
		at += 1 + *at * (1 + s->groups);
	b.n = *at;
	b.row = at + 1;
	return b;
}

static uint64_t
bin_position(const struct bins *b, size_t i)
{
	return i < b->n ? b->row[i * (1 + b->s->groups)]
			: (uint64_t)summary_bins(b->p, b->v) * SUMMARY_PARTS;
}

static double
bin_edge(const struct bins *b, size_t i)
{
	return summary_edge(b->p, b->v, bin_position(b, i));
}

/* Of a group; of all where it is the number of groups. */
static uint64_t
bin_count(const struct bins *b, size_t i, uint32_t group)
{
	const uint64_t *n = b->row + i * (1 + b->s->groups) + 1;
	uint64_t all = 0;

	if (group < b->s->groups)
		return n[group];
	for (uint32_t g = 0; g < b->s->groups; g++)
		all += n[g];
	return all;
}

/* Row k from the lowest, 0 first: where it may be, and the best guess. */
static void
find_row(const struct bins *b, uint32_t group, uint64_t k, double *low,
    double *at, double *high)
{
	bool whole = b->p->spec.variables[b->v].whole;
	uint64_t below = 0;

	for (size_t i = 0; i < b->n; i++) {
		uint64_t n = bin_count(b, i, group);

		if (k < below + n) {
			*low = bin_edge(b, i);
			*high = bin_edge(b, i + 1) - (whole ? 1.0 : 0.0);
			*at = *low +
			    (*high - *low) * ((double)(k - below) + 0.5) /
				(double)n;
			return;
		}
		below += n;
	}
	*low = *at = *high = NAN;
}

static void
set_quantiles(const struct bins *b, uint32_t group, struct summary_cell *c)
{
	for (size_t q = 0; q < SUMMARY_QUANTILES; q++) {
		double h = ((double)c->n - 1.0) * summary_quantile[q];
		double part = h - floor(h), low, at, high, low2, at2, high2;
		uint64_t k = (uint64_t)h;

		find_row(b, group, k, &low, &at, &high);
		find_row(b, group, MIN(k + 1, c->n - 1), &low2, &at2, &high2);
		c->low[q] = low + part * (low2 - low);
		c->quantile[q] = at + part * (at2 - at);
		c->high[q] = high + part * (high2 - high);
	}
}

/* From sums about a centre near the mean. */
static void
set_moments(
    struct summary_cell *c, double n, double centre, double sum, double square)
{
	c->mean = centre + sum / n;
	c->sd =
	    n > 1.0 ? sqrt(fmax(square - sum * sum / n, 0.0) / (n - 1.0)) : NAN;
}

static void
no_numbers(struct summary_cell *c)
{
	c->mean = c->sd = NAN;
	for (size_t q = 0; q < SUMMARY_QUANTILES; q++)
		c->quantile[q] = c->low[q] = c->high[q] = NAN;
}

static void
set_cells(const struct plan *p, const struct summary *s, uint32_t v,
    struct summary_variable *out)
{
	struct bins b = bins_of(p, s, v);
	double sum = 0.0, square = 0.0;
	bool summed = true;

	no_numbers(&out->all);
	for (uint32_t g = 0; g < s->groups; g++) {
		size_t cell = (size_t)g * s->variables + v;
		struct summary_cell *c = &out->group[g];

		no_numbers(c);
		if (s->present[cell] == 0)
			continue;
		c->n = s->present[cell];
		c->missing = s->n[g] - c->n;
		out->all.n += c->n;
		out->all.missing += c->missing;
		if (!summary_is_number(p, v) || s->n_tail == 0)
			continue;
		set_quantiles(&b, g, c);
		summed = summed && s->summed[cell] != 0;
		if (s->summed[cell] == 0)
			continue;
		set_moments(c, (double)c->n, s->centre[v], s->sum[cell],
		    s->square[cell]);
		sum += s->sum[cell];
		square += s->square[cell];
	}
	if (out->all.n == 0 || !summary_is_number(p, v) || s->n_tail == 0)
		return;
	set_quantiles(&b, s->groups, &out->all);
	if (summed)
		set_moments(
		    &out->all, (double)out->all.n, s->centre[v], sum, square);
}

/*
 * Tests.
 */

/* The groups whose cell has a mean and some spread to compare it by. */
static size_t
groups_with_mean(const struct summary *s, const struct summary_variable *x,
    uint32_t which[MODEL_TERMS_MAX])
{
	size_t n = 0;

	for (uint32_t g = 0; g < s->groups; g++)
		if (!isnan(x->group[g].mean) && !isnan(x->group[g].sd))
			which[n++] = g;
	return n;
}

/* Analysis of variance: t for two groups. */
static void
set_equal(struct summary_variable *x, const uint32_t *which, size_t k)
{
	double n = 0.0, mean = 0.0, between = 0.0, within = 0.0, f;

	for (size_t i = 0; i < k; i++) {
		n += (double)x->group[which[i]].n;
		mean += (double)x->group[which[i]].n * x->group[which[i]].mean;
	}
	mean /= n;
	for (size_t i = 0; i < k; i++) {
		const struct summary_cell *c = &x->group[which[i]];
		double d = c->mean - mean;

		between += (double)c->n * d * d;
		within += ((double)c->n - 1.0) * c->sd * c->sd;
	}
	if (!(within > 0.0) || !(n > (double)k))
		return;
	f = between / ((double)k - 1.0) / (within / (n - (double)k));
	x->equal = (struct summary_test){
		.there = true,
		.statistic = f,
		.df = (double)k - 1.0,
		.df2 = n - (double)k,
	};
	x->equal.p = tail_f(f, x->equal.df, x->equal.df2);
}

/* Welch 1951, as R's oneway.test(); its square root for two groups. */
static void
set_welch(struct summary_variable *x, const uint32_t *which, size_t k)
{
	double groups = (double)k, all = 0.0, mean = 0.0, sum = 0.0, tmp = 0.0;
	double w[MODEL_TERMS_MAX];

	for (size_t i = 0; i < k; i++) {
		const struct summary_cell *c = &x->group[which[i]];

		if (!(c->sd > 0.0) || c->n < 2)
			return;
		w[i] = (double)c->n / (c->sd * c->sd);
		all += w[i];
		mean += w[i] * c->mean;
	}
	mean /= all;
	for (size_t i = 0; i < k; i++) {
		const struct summary_cell *c = &x->group[which[i]];
		double share = 1.0 - w[i] / all;

		sum += w[i] * (c->mean - mean) * (c->mean - mean);
		tmp += share * share / ((double)c->n - 1.0);
	}
	tmp /= groups * groups - 1.0;
	x->welch = (struct summary_test){
		.there = true,
		.statistic =
		    sum / ((groups - 1.0) * (1.0 + 2.0 * (groups - 2.0) * tmp)),
		.df = groups - 1.0,
		.df2 = 1.0 / (3.0 * tmp),
	};
	x->welch.p = tail_f(x->welch.statistic, x->welch.df, x->welch.df2);
}

/* F with 1 and df2 degrees of freedom is the square of t with df2. */
static void
make_t(struct summary_test *t, double difference)
{
	if (!t->there)
		return;
	t->statistic = copysign(sqrt(t->statistic), difference);
	t->df = t->df2;
	t->df2 = 0.0;
	t->p = tail_t(t->statistic, t->df);
}

static double
rank_variance(double a, double b, double ties)
{
	double n = a + b;

	return a * b / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
}

/* Two-sided, with the correction for continuity; d is without a sign. */
static double
rank_p(double d, double variance)
{
	return variance > 0.0 ? tail_normal(fmax(d - 0.5, 0.0) / sqrt(variance))
			      : 1.0;
}

static void
set_mann_whitney(const struct summary *s, uint32_t v,
    struct summary_variable *x, uint32_t g, uint32_t other)
{
	size_t cell = (size_t)g * s->variables + v;
	double a = (double)x->group[g].n, b = (double)x->group[other].n;
	double w = s->rank[cell] - 0.5 * a * (a + 1.0);
	double d = fabs(w - 0.5 * a * b), bound = s->doubt[cell];
	/* Equal values make the variance smaller. */
	double least = rank_variance(a, b, s->ties[v]);
	double most = rank_variance(a, b, s->sure_ties[v]);

	x->ranks = (struct summary_test){
		.there = true,
		.statistic = w,
		.bound = bound,
		.p = rank_p(d, least),
		.p_low = rank_p(d + bound, least),
		.p_high = rank_p(fmax(d - bound, 0.0), most),
	};
}

/*
 * H is |d|^2 / (1 - T/(n^3 - n)), d how far the groups' mean ranks are from the mean
 * of all, in a norm: doubts that are |e| long change |d| by at most that.  Equal
 * values make H larger.
 */
static void
set_kruskal_wallis(const struct summary *s, uint32_t v,
    struct summary_variable *x, const uint32_t *which, size_t k)
{
	double n = 0.0, d = 0.0, e = 0.0, ties, sure_ties, low, high;
	unsigned df = (unsigned)k - 1;

	for (size_t i = 0; i < k; i++)
		n += (double)x->group[which[i]].n;
	for (size_t i = 0; i < k; i++) {
		size_t cell = (size_t)which[i] * s->variables + v;
		double own = (double)x->group[which[i]].n;
		double away = s->rank[cell] / own - 0.5 * (n + 1.0);

		d += own * away * away;
		e += s->doubt[cell] * s->doubt[cell] / own;
	}
	d = sqrt(12.0 * d / (n * (n + 1.0)));
	e = sqrt(12.0 * e / (n * (n + 1.0)));
	ties = 1.0 - s->ties[v] / (n * n * n - n);
	sure_ties = 1.0 - s->sure_ties[v] / (n * n * n - n);
	if (!(ties > 0.0))
		return;
	low = fmax(d - e, 0.0) * fmax(d - e, 0.0) / sure_ties;
	high = (d + e) * (d + e) / ties;
	x->ranks = (struct summary_test){
		.there = true,
		.statistic = d * d / ties,
		.df = df,
		.bound = fmax(high - d * d / ties, d * d / ties - low),
		.p = tail_chi2(d * d / ties, df),
		.p_low = tail_chi2(high, df),
		.p_high = tail_chi2(low, df),
	};
}

static void
set_number_tests(
    const struct summary *s, uint32_t v, struct summary_variable *x)
{
	uint32_t which[MODEL_TERMS_MAX], present[MODEL_TERMS_MAX];
	size_t k = groups_with_mean(s, x, which), n = 0;
	double smd = NAN;

	for (size_t i = 0; i < k; i++) {
		for (size_t j = i + 1; j < k; j++) {
			const struct summary_cell *a = &x->group[which[i]];
			const struct summary_cell *b = &x->group[which[j]];
			double var = 0.5 * (a->sd * a->sd + b->sd * b->sd);

			if (var > 0.0)
				smd = fmax(
				    fabs(a->mean - b->mean) / sqrt(var), smd);
		}
	}
	x->smd = smd;
	if (k > 1) {
		set_equal(x, which, k);
		set_welch(x, which, k);
	}
	if (k == 2) {
		double d = x->group[which[0]].mean - x->group[which[1]].mean;

		make_t(&x->equal, d);
		make_t(&x->welch, d);
	}
	for (uint32_t g = 0; g < s->groups; g++)
		if (x->group[g].n > 0 && s->n_tail > 0)
			present[n++] = g;
	if (n == 2)
		set_mann_whitney(s, v, x, present[0], present[1]);
	else if (n > 2)
		set_kruskal_wallis(s, v, x, present, n);
}

/* A level's rows where it stands for itself or for those joined with it. */
static uint64_t
level_count(const struct plan *p, const struct summary *s, uint32_t v,
    uint32_t g, uint32_t k)
{
	return s->level[(size_t)g * s->levels +
	    p->spec.variables[v].first_level + k];
}

/*
 * Yang and Dalton 2012: the distance of two rows of shares (without the first
 * level) by the mean of their covariances.
 */
static double
level_smd(const struct plan *p, const struct summary *s, uint32_t v, uint32_t g,
    uint32_t other, const struct summary_variable *x)
{
	uint32_t n = 0, levels = p->spec.variables[v].n_levels;
	double a[MODEL_LEVELS_MAX], b[MODEL_LEVELS_MAX], d[MODEL_LEVELS_MAX];
	double solved[MODEL_LEVELS_MAX], sum = 0.0;
	double *m = calloc(PACKED(levels), sizeof(*m));
	bool first = true;

	if (m == NULL)
		return NAN;
	for (uint32_t k = 0; k < levels; k++) {
		double ka = (double)level_count(p, s, v, g, k);
		double kb = (double)level_count(p, s, v, other, k);

		if (!(ka + kb > 0.0))
			continue;
		if (first) {
			first = false;
			continue;
		}
		a[n] = ka / (double)x->group[g].n;
		b[n] = kb / (double)x->group[other].n;
		d[n] = solved[n] = a[n] - b[n];
		n++;
	}
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i; j < n; j++)
			m[packed_at(n, i, j)] = 0.5 *
			    ((i == j ? a[i] + b[i] : 0.0) - a[i] * a[j] -
				b[i] * b[j]);
	if (n == 0 || ldl_factor(m, n, 1e-12) >= 0) {
		free(m);
		return n == 0 ? 0.0 : NAN;
	}
	ldl_solve(m, n, solved);
	for (uint32_t i = 0; i < n; i++)
		sum += d[i] * solved[i];
	free(m);
	return sqrt(sum);
}

/* Pearson's, without Yates's correction. */
static void
set_level_tests(const struct plan *p, const struct summary *s, uint32_t v,
    struct summary_variable *x)
{
	const struct model_variable *m = &p->spec.variables[v];
	size_t groups = 0, levels = 0;
	double chi2 = 0.0, all = (double)x->all.n;

	x->smd = NAN;
	for (uint32_t g = 0; g < s->groups; g++)
		groups += x->group[g].n > 0;
	for (uint32_t k = 0; k < m->n_levels; k++) {
		double n = 0.0;

		for (uint32_t g = 0; g < s->groups; g++)
			n += (double)level_count(p, s, v, g, k);
		levels += n > 0.0;
		for (uint32_t g = 0; g < s->groups && n > 0.0; g++) {
			double e = n * (double)x->group[g].n / all, o;

			if (x->group[g].n == 0)
				continue;
			o = (double)level_count(p, s, v, g, k);
			chi2 += (o - e) * (o - e) / e;
		}
	}
	for (uint32_t g = 0; g < s->groups; g++)
		for (uint32_t h = g + 1; h < s->groups; h++)
			if (x->group[g].n > 0 && x->group[h].n > 0)
				x->smd =
				    fmax(level_smd(p, s, v, g, h, x), x->smd);
	if (groups < 2 || levels < 2)
		return;
	x->chi2 = (struct summary_test){
		.there = true,
		.statistic = chi2,
		.df = (double)((groups - 1) * (levels - 1)),
	};
	x->chi2.p = tail_chi2(chi2, (unsigned)x->chi2.df);
}

static void
set_correlation(
    const struct plan *p, const struct summary *s, struct summary_result *r)
{
	double n = (double)*s->n_pairs;
	uint32_t k = s->variables;

	r->n_pairs = *s->n_pairs;
	for (size_t i = 0; i < (size_t)k * k; i++)
		r->correlation[i] = NAN;
	for (uint32_t a = 0; a < k && n > 1.0; a++) {
		for (uint32_t b = a; b < k; b++) {
			double va = s->pair_square[packed_at(k, a, a)] -
			    s->pair_sum[a] * s->pair_sum[a] / n;
			double vb = s->pair_square[packed_at(k, b, b)] -
			    s->pair_sum[b] * s->pair_sum[b] / n;
			double ab = s->pair_square[packed_at(k, a, b)] -
			    s->pair_sum[a] * s->pair_sum[b] / n;

			if (!summary_is_number(p, a) ||
			    !summary_is_number(p, b) || !(va > 0.0) ||
			    !(vb > 0.0))
				continue;
			r->correlation[(size_t)a * k + b] =
			    r->correlation[(size_t)b * k + a] =
				ab / sqrt(va) / sqrt(vb);
		}
	}
}

struct summary_result *
summary_read(const struct plan *p, const struct summary *s, struct err *err)
{
	struct summary_result *r = calloc(1, sizeof(*r));
	size_t n = s->variables;

	if (r != NULL) {
		r->n_variables = n;
		r->variables = calloc(n, sizeof(*r->variables));
		r->correlation = calloc(n * n, sizeof(*r->correlation));
	}
	if (r == NULL || r->variables == NULL || r->correlation == NULL) {
		summary_free(r);
		err_sys(err, "the summary");
		return NULL;
	}
	for (uint32_t g = 0; g < s->groups; g++)
		r->n += s->n[g];
	for (uint32_t v = 0; v < n; v++) {
		struct summary_variable *x = &r->variables[v];

		set_cells(p, s, v, x);
		if (summary_is_number(p, v))
			set_number_tests(s, v, x);
		else
			set_level_tests(p, s, v, x);
	}
	set_correlation(p, s, r);
	return r;
}

void
summary_free(struct summary_result *r)
{
	if (r == NULL)
		return;
	free(r->variables);
	free(r->correlation);
	free(r);
}

/*
 * result.json
 */

static void
json_cell(struct json *j, const char *key, const struct plan *p, uint32_t v,
    const char *name, const struct summary_cell *c)
{
	json_object(j, key);
	if (name != NULL)
		json_text(j, "name", name);
	json_bool(j, "counted", c->n > 0);
	if (c->n > 0) {
		json_int(j, "n", (int64_t)c->n);
		json_int(j, "missing", (int64_t)c->missing);
	}
	if (c->n > 0 && summary_is_number(p, v)) {
		json_real(j, "mean", c->mean);
		json_real(j, "sd", c->sd);
		json_array(j, "quantiles");
		for (size_t q = 0; q < SUMMARY_QUANTILES; q++) {
			json_object(j, NULL);
			json_real(j, "p", summary_quantile[q]);
			json_real(j, "value", c->quantile[q]);
			json_real(j, "low", c->low[q]);
			json_real(j, "high", c->high[q]);
			json_end_object(j);
		}
		json_end_array(j);
	}
	json_end_object(j);
}

static void
json_histogram(
    struct json *j, const struct plan *p, const struct summary *s, uint32_t v)
{
	struct bins b = bins_of(p, s, v);

	json_array(j, "histogram");
	for (size_t i = 0; i < b.n; i++) {
		json_object(j, NULL);
		json_real(j, "from", bin_edge(&b, i));
		json_real(j, "to", bin_edge(&b, i + 1));
		json_array(j, "counts");
		for (uint32_t g = 0; g < s->groups; g++)
			json_int(j, NULL, (int64_t)bin_count(&b, i, g));
		json_end_array(j);
		json_end_object(j);
	}
	json_end_array(j);
}

/* Is it the first of those that are shown together, or stands for itself? */
static bool
leads(const struct summary *s, const struct model_variable *m, uint32_t k)
{
	if (s->joined[m->first_level + k] == 0)
		return true;
	for (uint32_t i = 0; i < k; i++)
		if (s->joined[m->first_level + i] != 0)
			return false;
	return true;
}

static bool
is_with(const struct summary *s, const struct model_variable *m, uint32_t lead,
    uint32_t k)
{
	return k == lead ||
	    (s->joined[m->first_level + lead] != 0 &&
		s->joined[m->first_level + k] != 0);
}

static void
json_levels(
    struct json *j, const struct plan *p, const struct summary *s, uint32_t v)
{
	const struct model_variable *m = &p->spec.variables[v];

	json_array(j, "levels");
	for (uint32_t k = 0; k < m->n_levels; k++) {
		if (!leads(s, m, k))
			continue;
		json_object(j, NULL);
		json_array(j, "names");
		for (uint32_t i = 0; i < m->n_levels; i++)
			if (is_with(s, m, k, i))
				json_text(j, NULL,
				    p->spec.levels[m->first_level + i]);
		json_end_array(j);
		json_array(j, "counts");
		for (uint32_t g = 0; g < s->groups; g++)
			json_int(j, NULL, (int64_t)level_count(p, s, v, g, k));
		json_end_array(j);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_summary_test(
    struct json *j, const char *key, const struct summary_test *t, bool ranks)
{
	if (!t->there)
		return;
	json_object(j, key);
	json_real(j, "statistic", t->statistic);
	if (t->df > 0.0)
		json_real(j, "df", t->df);
	if (t->df2 > 0.0)
		json_real(j, "df2", t->df2);
	json_real(j, "p", t->p);
	if (ranks) {
		json_real(j, "bound", t->bound);
		json_real(j, "p_low", t->p_low);
		json_real(j, "p_high", t->p_high);
	}
	json_end_object(j);
}

static void
json_variable(struct json *j, const struct plan *p, const struct summary *s,
    uint32_t v, const struct summary_variable *x)
{
	json_object(j, NULL);
	json_text(j, "name", p->spec.variables[v].name);
	json_text(j, "type", summary_is_number(p, v) ? "number" : "levels");
	json_array(j, "groups");
	for (uint32_t g = 0; g < s->groups; g++)
		json_cell(j, NULL, p, v, p->spec.terms[g].name, &x->group[g]);
	json_end_array(j);
	if (s->groups > 1)
		json_cell(j, "all", p, v, NULL, &x->all);
	if (summary_is_number(p, v))
		json_histogram(j, p, s, v);
	else
		json_levels(j, p, s, v);
	if (s->groups > 1) {
		json_real(j, "smd", x->smd);
		json_summary_test(j, "t_test", &x->equal, false);
		json_summary_test(j, "welch_test", &x->welch, false);
		json_summary_test(j, "rank_test", &x->ranks, true);
		json_summary_test(j, "chi2_test", &x->chi2, false);
	}
	json_end_object(j);
}

static void
json_correlation(
    struct json *j, const struct plan *p, const struct summary_result *r)
{
	if (r->n_pairs == 0) {
		json_null(j, "correlation");
		return;
	}
	json_object(j, "correlation");
	json_int(j, "n", (int64_t)r->n_pairs);
	json_array(j, "names");
	for (uint32_t v = 0; v < r->n_variables; v++)
		if (summary_is_number(p, v))
			json_text(j, NULL, p->spec.variables[v].name);
	json_end_array(j);
	json_array(j, "matrix");
	for (uint32_t v = 0; v < r->n_variables; v++) {
		if (!summary_is_number(p, v))
			continue;
		json_array(j, NULL);
		for (uint32_t u = 0; u < r->n_variables; u++)
			if (summary_is_number(p, u))
				json_real(j, NULL,
				    r->correlation[v * r->n_variables + u]);
		json_end_array(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static int
json_body(const struct plan *p, const struct result *result, struct json *j,
    struct err *err)
{
	struct summary_result *r;
	struct summary s;

	(void)result;
	if (!summary_at(p, &s))
		return 0; /* it ended before anything was counted */
	if ((r = summary_read(p, &s, err)) == NULL)
		return -1;
	json_int(j, "n", (int64_t)r->n);
	json_int(j, "sites", p->spec.n_sites);
	json_int(j, "smallest_cell", p->spec.risk_set_step);
	json_int(j, "dominance", p->spec.dominance);
	json_array(j, "groups");
	for (uint32_t g = 0; g < s.groups; g++) {
		json_object(j, NULL);
		json_text(j, "name", p->spec.terms[g].name);
		json_bool(j, "counted", s.n[g] > 0);
		if (s.n[g] > 0)
			json_int(j, "n", (int64_t)s.n[g]);
		json_end_object(j);
	}
	json_end_array(j);
	json_array(j, "variables");
	for (uint32_t v = 0; v < s.variables; v++)
		json_variable(j, p, &s, v, &r->variables[v]);
	json_end_array(j);
	json_correlation(j, p, r);
	summary_free(r);
	return 0;
}

/*
 * result.txt: the first table of a paper.
 */

#define NAME_WIDTH 34
#define CELL_WIDTH 21

static void
text_cells(struct canon *out, const char *name, const struct summary *s,
    const char *const *cells)
{
	report_print(out, "%-*.*s", NAME_WIDTH, NAME_WIDTH - 1, name);
	for (uint32_t g = 0; g <= s->groups; g++)
		if (g < s->groups || s->groups > 1)
			report_print(out, " %*s", CELL_WIDTH, cells[g]);
}

typedef char cell_text[MODEL_TERMS_MAX + 1][64];

static const struct summary_cell *
cell_at(const struct summary_variable *x, const struct summary *s, uint32_t g)
{
	return g < s->groups ? &x->group[g] : &x->all;
}

static void
text_row(struct canon *out, const char *name, const struct summary *s,
    cell_text text)
{
	const char *cells[MODEL_TERMS_MAX + 1];

	for (uint32_t g = 0; g <= s->groups; g++)
		cells[g] = text[g];
	text_cells(out, name, s, cells);
}

static void
text_smd(struct canon *out, double smd, const struct summary_test *t)
{
	char p[16];

	if (!isnan(smd))
		report_print(out, " %7.3f", smd);
	else
		report_print(out, " %7s", "");
	if (t->there)
		report_print(out, " %8s", report_p(t->p, p));
	report_print(out, "\n");
}

static void
text_numbers(struct canon *out, const struct plan *p, const struct summary *s,
    uint32_t v, const struct summary_variable *x)
{
	const struct model_variable *m = &p->spec.variables[v];
	char name[MODEL_NAME_SIZE + 16];
	cell_text text;

	for (uint32_t g = 0; g <= s->groups; g++) {
		const struct summary_cell *c = cell_at(x, s, g);

		if (isnan(c->mean))
			snprintf(text[g], sizeof(text[g]), "-");
		else
			snprintf(text[g], sizeof(text[g]), "%.4g (%.3g)",
			    c->mean, c->sd);
	}
	snprintf(name, sizeof(name), "%s, mean (sd)", m->name);
	text_row(out, name, s, text);
	text_smd(out, x->smd, &x->welch);
	for (uint32_t g = 0; g <= s->groups; g++) {
		const struct summary_cell *c = cell_at(x, s, g);

		if (isnan(c->quantile[2]))
			snprintf(text[g], sizeof(text[g]), "-");
		else
			snprintf(text[g], sizeof(text[g]), "%.4g [%.4g, %.4g]",
			    c->quantile[2], c->quantile[1], c->quantile[3]);
	}
	text_row(out, "  median [quartiles]", s, text);
	text_smd(out, NAN, &x->ranks);
	for (uint32_t g = 0; g <= s->groups; g++) {
		const struct summary_cell *c = cell_at(x, s, g);
		double most = 0.0;

		for (size_t q = 1; q < 4; q++)
			most = fmax(most,
			    fmax(c->high[q] - c->quantile[q],
				c->quantile[q] - c->low[q]));
		if (isnan(c->quantile[2]))
			snprintf(text[g], sizeof(text[g]), "-");
		else
			snprintf(text[g], sizeof(text[g]), "+- %.2g", most);
	}
	text_row(out, "  off by at most", s, text);
	report_print(out, "\n");
}

static void
text_levels(struct canon *out, const struct plan *p, const struct summary *s,
    uint32_t v, const struct summary_variable *x)
{
	const struct model_variable *m = &p->spec.variables[v];
	char name[512];
	cell_text text;

	memset(text, 0, sizeof(text));
	text_row(out, m->name, s, text);
	text_smd(out, x->smd, &x->chi2);
	for (uint32_t k = 0; k < m->n_levels; k++) {
		size_t len = (size_t)snprintf(name, sizeof(name), "  ");

		if (!leads(s, m, k))
			continue;
		for (uint32_t i = 0; i < m->n_levels && len < 400; i++)
			if (is_with(s, m, k, i))
				len += (size_t)snprintf(name + len,
				    sizeof(name) - len, "%s%s",
				    len > 2 ? ", " : "",
				    p->spec.levels[m->first_level + i]);
		for (uint32_t g = 0; g <= s->groups; g++) {
			const struct summary_cell *c = cell_at(x, s, g);
			uint64_t n = 0;

			for (uint32_t h = 0; h < s->groups; h++)
				if (h == g || g == s->groups)
					n += level_count(p, s, v, h, k);
			if (c->n == 0)
				snprintf(text[g], sizeof(text[g]), "-");
			else
				snprintf(text[g], sizeof(text[g]),
				    "%" PRIu64 " (%.1f%%)", n,
				    100.0 * (double)n / (double)c->n);
		}
		text_row(out, name, s, text);
		report_print(out, "\n");
	}
}

static void
text_missing(struct canon *out, const struct summary *s,
    const struct summary_variable *x)
{
	cell_text text;

	if (x->all.missing == 0)
		return;
	for (uint32_t g = 0; g <= s->groups; g++) {
		const struct summary_cell *c = cell_at(x, s, g);

		if (c->n == 0)
			snprintf(text[g], sizeof(text[g]), "-");
		else
			snprintf(text[g], sizeof(text[g]),
			    "%" PRIu64 " (%.1f%%)", c->missing,
			    100.0 * (double)c->missing /
				(double)(c->n + c->missing));
	}
	text_row(out, "  missing", s, text);
	report_print(out, "\n");
}

static void
text_head(struct canon *out, const struct plan *p, const struct summary *s,
    const struct summary_result *r)
{
	cell_text text;

	for (uint32_t g = 0; g < s->groups; g++)
		snprintf(
		    text[g], sizeof(text[g]), "%.20s", p->spec.terms[g].name);
	snprintf(text[s->groups], sizeof(text[0]), "all");
	text_row(out, "", s, text);
	if (s->groups > 1)
		report_print(out, " %7s %8s", "SMD", "p");
	report_print(out, "\n");
	for (uint32_t g = 0; g < s->groups; g++) {
		if (s->n[g] > 0)
			snprintf(text[g], sizeof(text[g]), "%" PRIu64, s->n[g]);
		else
			snprintf(text[g], sizeof(text[g]), "not counted");
	}
	snprintf(text[s->groups], sizeof(text[0]), "%" PRIu64, r->n);
	text_row(out, "n", s, text);
	report_print(out, "\n");
}

static void
text_correlation(
    struct canon *out, const struct plan *p, const struct summary_result *r)
{
	size_t k = r->n_variables;

	if (r->n_pairs == 0)
		return;
	report_print(out,
	    "\nCorrelation (%" PRIu64 " patients with all numbers)\n\n%-16s",
	    r->n_pairs, "");
	for (uint32_t v = 0; v < k; v++)
		if (summary_is_number(p, v))
			report_print(out, " %9.9s", p->spec.variables[v].name);
	report_print(out, "\n");
	for (uint32_t v = 0; v < k; v++) {
		if (!summary_is_number(p, v))
			continue;
		report_print(out, "%-16.16s", p->spec.variables[v].name);
		for (uint32_t u = 0; u <= v; u++) {
			double c = r->correlation[v * k + u];

			if (summary_is_number(p, u) && isnan(c))
				report_print(out, " %9s", "-");
			else if (summary_is_number(p, u))
				report_print(out, " %9.4f", c);
		}
		report_print(out, "\n");
	}
}

static int
text_body(const struct plan *p, const struct result *result, struct canon *out,
    struct err *err)
{
	struct summary_result *r;
	struct summary s;

	(void)result;
	if (!summary_at(p, &s))
		return 0;
	if ((r = summary_read(p, &s, err)) == NULL)
		return -1;
	text_head(out, p, &s, r);
	for (uint32_t v = 0; v < s.variables; v++) {
		if (summary_is_number(p, v))
			text_numbers(out, p, &s, v, &r->variables[v]);
		else
			text_levels(out, p, &s, v, &r->variables[v]);
		text_missing(out, &s, &r->variables[v]);
	}
	if (s.groups > 1)
		report_print(out,
		    "\np: Welch's test of means, rank test (Mann-Whitney, "
		    "Kruskal-Wallis), chi-square test; SMD:\nstandardized mean "
		    "difference, the largest of two groups.\n");
	text_correlation(out, p, r);
	report_print(out, "\n%-22s %" PRIu64 ", %" PRIu32 " sites\n",
	    "Patients", r->n, p->spec.n_sites);
	report_print(out, "%-22s %" PRIu32 " patients\n", "Smallest cell",
	    p->spec.risk_set_step);
	summary_free(r);
	return 0;
}

static void
warn(const struct plan *p, struct result *r)
{
	struct summary s;
	uint32_t dominated = 0, joined = 0, small = 0, strict = 0;

	if (!summary_at(p, &s))
		return;
	for (uint32_t g = 0; g < s.groups; g++)
		for (uint32_t v = 0; v < s.variables && s.n[g] > 0; v++) {
			small += s.present[(size_t)g * s.variables + v] == 0;
			strict += s.strict[(size_t)g * s.variables + v] != 0;
			dominated += s.n_tail > 0 && summary_has(p, &s, g, v) &&
			    s.summed[(size_t)g * s.variables + v] == 0;
		}
	for (uint32_t k = 0; k < s.levels; k++)
		joined += s.joined[k] != 0;
	if (p->n_strata_out > 0)
		result_warn(r,
		    "left out: %" PRIu32 " groups with fewer patients than "
		    "the study's smallest cell of %" PRIu32,
		    p->n_strata_out, p->spec.risk_set_step);
	if (small > 0)
		result_warn(r,
		    "not counted: %" PRIu32 " cells of a group and a variable "
		    "with fewer patients than that, or from fewer than %d "
		    "sites",
		    small, PLAN_SITES);
	if (strict > 0)
		result_warn(r,
		    "left out: who lacks a value of one of %" PRIu32
		    " cells of a group and a variable that fewer than %" PRIu32
		    " patients lack",
		    strict, p->spec.risk_set_step);
	if (joined > 0)
		result_warn(r,
		    "%" PRIu32 " levels are shown together with others, since "
		    "some group has too few patients with one of them",
		    joined);
	if (dominated > 0)
		result_warn(r,
		    "no mean of %" PRIu32 " cells: two patients could make up "
		    "so much of the sum that it would be about them (dominance "
		    "%" PRIu32 "%%)",
		    dominated, p->spec.dominance);
	if (*s.n_pairs == 0 && s.n_tail > 0)
		result_warn(r,
		    "no correlations: there are fewer than two numbers, too "
		    "few patients with all of them, or too few without");
}

const struct report_kind report_summary = {
	.kind = "summary",
	.heading = "Descriptive statistics",
	.per_term = "patients",
	.warn = warn,
	.json = json_body,
	.text = text_body,
};

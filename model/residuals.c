/*
 * Cox: score residuals of rows and what their sums say (model/step/hazard.h).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "model/data.h"
#include "model/risk_sets.h"
#include "model/step/hazard.h"
#include "model/step/partial.h"

/*
 * Of each interval: what a row at risk there loses, w (z H - M), or if it has
 * an event w (z K - N); m is the mean that its event is compared with.  Then H
 * and M over the intervals of the stratum so far.
 */
struct residuals {
	struct work *w;
	uint32_t a;
	double shift; /* of the weights in S and E */
	double *H, *K; /* (n) */
	double *M, *N, *m; /* (n, a) */
	double *sum_H, *sum_M; /* (n), (n, a) */
	bool has_tests;
	double *tests; /* by site: of each transform, as in its layout */
	struct pass pass;
};

static void
residuals_free(struct residuals *r)
{
	free(r->H);
	free(r->K);
	free(r->M);
	free(r->N);
	free(r->m);
	free(r->sum_H);
	free(r->sum_M);
}

static int
residuals_new(struct residuals *r)
{
	size_t n = r->w->grid->n + 1, na = n * r->a + 1;

	r->H = calloc(n, sizeof(*r->H));
	r->K = calloc(n, sizeof(*r->K));
	r->M = calloc(na, sizeof(*r->M));
	r->N = calloc(na, sizeof(*r->N));
	r->m = calloc(na, sizeof(*r->m));
	r->sum_H = calloc(n, sizeof(*r->sum_H));
	r->sum_M = calloc(na, sizeof(*r->sum_M));
	return r->H == NULL || r->K == NULL || r->M == NULL || r->N == NULL ||
		r->m == NULL || r->sum_H == NULL || r->sum_M == NULL
	    ? -1
	    : 0;
}

/*
 * A risk set with d events.  With Efron's ties f = r/d of their weights is
 * missing from the denominator for r = 0 to d - 1, and of an event's own weight
 * 1 - f is there; C = S - E as in model/step/partial.c.
 */
static void
set_interval(struct residuals *r, size_t g, const double *S, const double *E)
{
	double d = (double)r->w->grid->intervals[g].events;
	double *M = r->M + g * r->a, *N = r->N + g * r->a, *m = r->m + g * r->a;
	double t = 0.0, tg = 0.0, tt = 0.0, ttg = 0.0, ttgg = 0.0;

	if (r->w->plan->spec.ties != TIES_EFRON || d < 2.0) {
		r->H[g] = r->K[g] = d / S[0];
		for (uint32_t k = 0; k < r->a; k++) {
			m[k] = S[1 + k] / S[0];
			M[k] = N[k] = r->H[g] * m[k];
		}
		return;
	}
	for (double i = d; i > 0.0; i -= 1.0) {
		double f = i / d, u = 1.0 / (S[0] - E[0] + f * E[0]);

		t += u;
		tg += f * u;
		tt += u * u;
		ttg += f * u * u;
		ttgg += f * u * (f * u);
	}
	r->H[g] = t;
	r->K[g] = tg;
	for (uint32_t k = 0; k < r->a; k++) {
		double e = E[1 + k], c = S[1 + k] - e;

		m[k] = (c * t + e * tg) / d;
		M[k] = c * tt + e * ttg;
		N[k] = c * ttg + e * ttgg;
	}
}

/* By site: the risk set's part of the tests of proportional hazards. */
static void
test_own(struct residuals *r, size_t g, const double *S, const double *E)
{
	const struct grid_interval *v = &r->w->grid->intervals[g];
	double mean[MODEL_TERMS_MAX] = { 0 };
	double info[PACKED(MODEL_TERMS_MAX)];
	struct partial out = { .p = r->a,
		.efron = r->w->plan->spec.ties == TIES_EFRON,
		.score = mean,
		.info = info };
	double *at = r->tests;

	memset(info, 0, PACKED(r->a) * sizeof(*info));
	partial_subtract(&out, S, E, v->events);
	for (size_t k = HAZARD_IDENTITY; k <= HAZARD_LOG; k++) {
		double f = hazard_transform(r->w->plan, k, 0, v->start);
		size_t n = PACKED(r->a);

		f = fmax(f, 0.0);
		for (uint32_t i = 0; i < r->a; i++)
			at[i] += f * mean[i];
		for (size_t i = 0; i < n; i++) {
			at[r->a + i] += f * info[i];
			at[r->a + n + i] += f * f * info[i];
		}
		at += r->a + 2 * n;
	}
}

static void
own_interval(void *arg, size_t g, const double *S, const double *E)
{
	struct residuals *r = arg;

	set_interval(r, g, S, E);
	if (r->has_tests)
		test_own(r, g, S, E);
}

static void
add_up(struct residuals *r)
{
	const struct grid_interval *v = r->w->grid->intervals;
	uint32_t a = r->a;

	for (size_t g = 0; g < r->w->grid->n; g++) {
		bool first = g == 0 || v[g - 1].stratum != v[g].stratum;

		r->sum_H[g] = (first ? 0.0 : r->sum_H[g - 1]) + r->H[g];
		for (uint32_t k = 0; k < a; k++)
			r->sum_M[g * a + k] =
			    (first ? 0.0 : r->sum_M[(g - 1) * a + k]) +
			    r->M[g * a + k];
	}
}

static int
make_intervals(struct residuals *r)
{
	const struct plan *p = r->w->plan;
	struct hazard_reals at = hazard_reals(p, true);
	const double *risk = p->reals + at.risk;
	size_t stride = 1 + (size_t)p->spec.n_terms;
	int ret = 0;

	if (by_site(r->w)) {
		ret = pass_begin(&r->pass, r->w);
		if (ret == 0)
			ret = pass_own(&r->pass, own_interval, r);
		r->shift = r->pass.shift;
		pass_end(&r->pass);
	} else {
		for (size_t g = 0; g < p->grid.n; g++, risk += 2 * stride)
			set_interval(r, g, risk, risk + stride);
	}
	add_up(r);
	return ret;
}

/* The last interval before a row enters, of its stratum; -1: none. */
static int64_t
last_before(const struct work *w, size_t i)
{
	int64_t slot = w->slot == NULL ? -1 : w->slot[i];

	if (slot < 0)
		return -1;
	/* It enters no risk set: all have been before. */
	return grid_is_first(w->grid, (size_t)slot) ? w->interval[i] : slot - 1;
}

/* The score residual of a row. */
static void
residual_of(const struct residuals *r, size_t i, double *L)
{
	const struct work *w = r->w;
	size_t g = (size_t)w->interval[i], at = g * r->a;
	double weight = exp(w->score[i] - r->shift);
	bool event = w->data->event[i] == 1;
	double H = r->sum_H[g] - (event ? r->H[g] - r->K[g] : 0.0);
	const double *before = NULL;
	double z[MODEL_TERMS_MAX];
	int64_t from = last_before(w, i);

	if (from >= 0) {
		H -= r->sum_H[from];
		before = r->sum_M + (size_t)from * r->a;
	}

	work_z(w, i, z);
	for (uint32_t k = 0; k < r->a; k++) {
		double M = r->sum_M[at + k];

		if (before != NULL)
			M -= before[k];
		if (event)
			M -= r->M[at + k] - r->N[at + k];
		L[k] = (event ? z[k] - r->m[at + k] : 0.0) -
		    weight * (z[k] * H - M);
	}
}

/* The sum over clusters of U U' to out. */
static int
make_meat(const struct residuals *r, double *out)
{
	const struct work *w = r->w;
	const struct model_data *d = w->data;
	bool site = w->plan->spec.robust == ROBUST_SITE;
	size_t n = site ? 1 : d->patient == NULL ? d->n_rows : d->n_patients;
	struct gram *gram = gram_new(r->a);
	double *U = NULL, *sums = calloc(PARTIAL_SUMS(r->a), sizeof(*sums));
	double L[MODEL_TERMS_MAX];
	int ret = -1;

	/* Rows of their own need not be kept. */
	if (site || d->patient != NULL)
		U = calloc(n * r->a + 1, sizeof(*U));
	if (gram == NULL || sums == NULL ||
	    (U == NULL && (site || d->patient != NULL)))
		goto out;
	for (size_t i = 0; i < d->n_rows; i++) {
		if (w->interval[i] < 0)
			continue;
		residual_of(r, i, L);
		if (U == NULL) {
			gram_add(gram, L, 1.0);
			continue;
		}
		for (uint32_t k = 0; k < r->a; k++)
			U[(site ? 0 : d->patient[i]) * (size_t)r->a + k] +=
			    L[k];
	}
	for (size_t i = 0; U != NULL && i < n; i++)
		gram_add(gram, U + i * r->a, 1.0);
	gram_take(gram, sums, 1);
	memcpy(out, sums + 1 + r->a, PACKED(r->a) * sizeof(*out));
	ret = 0;
out:
	gram_free(gram);
	free(U);
	free(sums);
	return ret;
}

/* The events' part of the tests of proportional hazards. */
static void
test_events(const struct residuals *r, double *out)
{
	const struct work *w = r->w;
	size_t size = r->a + (by_site(w) ? 2 * PACKED(r->a) : 0);
	double z[MODEL_TERMS_MAX];

	for (size_t i = 0; i < w->data->n_rows; i++) {
		int32_t g = w->interval[i];
		double *at = out;

		if (g < 0 || w->data->event[i] != 1)
			continue;
		work_z(w, i, z);
		for (size_t k = 0; k < HAZARD_TRANSFORMS; k++) {
			double f;

			if (!hazard_tests(w->plan, k))
				continue;
			f = hazard_transform(w->plan, k, (uint32_t)g,
			    w->grid->intervals[g].start);
			for (uint32_t j = 0; j < r->a; j++)
				at[j] += fmax(f, 0.0) * z[j];
			at += size;
		}
	}
}

/* By site: intervals whose time has no logarithm. */
static double
events_at_zero(const struct work *w)
{
	double n = 0.0;

	for (size_t g = 0; g < w->grid->n; g++) {
		const struct grid_interval *v = &w->grid->intervals[g];

		if (hazard_transform(w->plan, HAZARD_LOG, 0, v->start) < 0.0)
			n += (double)v->events;
	}
	return n;
}

int
contribute_residuals(struct work *w)
{
	const struct model_spec *s = &w->plan->spec;
	bool robust = s->robust != ROBUST_NO;
	struct residuals r = {
		.w = w, .a = w->n_active, .has_tests = s->ph_test
	};
	double *v = work_group(w, 0);
	int ret = -1;

	r.tests = v + by_site(w);
	if (robust)
		r.tests += PACKED(w->n_active) + (s->robust == ROBUST_PATIENT);
	if (residuals_new(&r) == -1 || make_intervals(&r) == -1)
		goto out;
	if (robust && make_meat(&r, v) == -1)
		goto out;
	if (s->robust == ROBUST_PATIENT &&
	    count_patients(w, v + PACKED(w->n_active)) == -1)
		goto out;
	if (s->ph_test) {
		if (by_site(w))
			r.tests[-1] = events_at_zero(w);
		test_events(&r, r.tests);
	}
	ret = 0;
out:
	residuals_free(&r);
	return ret;
}

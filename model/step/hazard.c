#include "model/step/hazard.h"

#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "model/step/ldl.h"
#include "model/step/partial.h"
#include "model/step/robust.h"
#include "model/step/rounds.h"

static bool
by_site(const struct plan *p)
{
	return p->spec.strata == STRATA_SITE;
}

bool
hazard_has_residuals(const struct plan *p)
{
	return p->spec.robust != ROBUST_NO || p->spec.ph_test;
}

bool
hazard_is_kept(const struct plan *p)
{
	return hazard_has_residuals(p) || p->spec.baseline;
}

static size_t
test_size(const struct plan *p)
{
	return 1 + p->spec.n_terms + 2 * PACKED(p->spec.n_terms);
}

struct hazard_reals
hazard_reals(const struct plan *p, bool converged)
{
	size_t terms = p->spec.n_terms, n = by_site(p) ? 0 : p->grid.n;
	struct hazard_reals at = { 0 };

	if (p->spec.ph_test)
		at.n = 2 * n;
	at.risk = at.tests = at.meat = at.n;
	if (!converged || !hazard_is_kept(p))
		return at;
	at.tests += 2 * n * (1 + terms);
	at.meat = at.tests;
	if (p->spec.ph_test)
		at.meat += HAZARD_TRANSFORMS * test_size(p);
	at.n = at.meat;
	if (p->spec.robust != ROBUST_NO)
		at.n += 1 + PACKED(terms);
	return at;
}

size_t
hazard_test_at(
    const struct plan *p, const struct hazard_reals *at, size_t transform)
{
	return at->tests + transform * test_size(p);
}

bool
hazard_is_sane(const struct plan *p)
{
	size_t before = hazard_reals(p, false).n,
	       after = hazard_reals(p, true).n;

	if (p->n_cells != 0)
		return false;
	if (p->spec.robust != ROBUST_NO && p->n_reals == after &&
	    after != before &&
	    !robust_may_be_clusters(p, p->reals[hazard_reals(p, true).meat]))
		return false;
	switch (p->phase) {
	case PHASE_COUNTS:
		return p->n_reals == 0;
	case PHASE_MOMENTS:
	case PHASE_NEWTON:
		return p->n_reals == before;
	case PHASE_DONE:
		return p->n_reals == after || p->status != FIT_OK;
	default:
		return p->n_reals == after;
	}
}

static int
resize(struct plan *p, size_t n)
{
	double *reals = calloc(n + 1, sizeof(*reals));

	if (reals == NULL)
		return -1;
	if (p->n_reals > 0)
		memcpy(reals, p->reals, MIN(n, p->n_reals) * sizeof(*reals));
	free(p->reals);
	p->reals = reals;
	p->n_reals = n;
	return 0;
}

/* A time's counts in all strata. */
static uint64_t
count_at(const uint64_t *counts, const struct grid_counts *c, size_t t)
{
	uint64_t sum = 0;

	for (size_t s = 0; counts != NULL && s < c->n_strata; s++)
		sum += counts[s * c->n_times + t];
	return sum;
}

int
hazard_start(struct plan *p, const struct grid_counts *c)
{
	size_t n_times = c->n_times, n = p->grid.n;
	double *km = calloc(n_times, sizeof(*km));
	double *rank = calloc(n_times, sizeof(*rank));
	double survival = 1.0;
	uint64_t gone = 0, there = 0, all = 0;
	int ret = -1;

	if (km == NULL || rank == NULL ||
	    resize(p, hazard_reals(p, false).n) == -1)
		goto out;
	for (size_t t = 0; t < n_times; t++)
		all += count_at(c->leavers, c, t);
	if (c->entries == NULL)
		there = all;
	for (size_t t = 0; t < n_times; t++) {
		uint64_t l = count_at(c->leavers, c, t);
		uint64_t d = count_at(c->events, c, t);

		km[t] = 1.0 - survival;
		rank[t] = ((double)gone + 0.5 * ((double)l + 1.0)) /
		    ((double)all + 1.0);
		if (d > 0)
			survival *= 1.0 - (double)d / (double)there;
		gone += l;
		there += count_at(c->entries, c, t) - l;
	}
	for (size_t g = 0; p->spec.ph_test && g < n; g++) {
		p->reals[g] = km[p->grid.intervals[g].start];
		p->reals[n + g] = rank[p->grid.intervals[g].start];
	}
	ret = 0;
out:
	free(km);
	free(rank);
	return ret;
}

static double
time_of(const struct plan *p, uint32_t index)
{
	return p->spec.time_min + p->spec.time_step * (double)index;
}

double
hazard_transform(
    const struct plan *p, size_t transform, uint32_t interval, uint32_t start)
{
	double last = (double)p->spec.n_times - 1.0, t = time_of(p, start);
	/* The first time above 0, or what is about it. */
	double first =
	    p->spec.time_min > 0.0 ? p->spec.time_min : p->spec.time_step;
	double low, span;

	if (transform == HAZARD_KM || transform == HAZARD_RANK)
		return p->reals[transform * p->grid.n + interval];
	if (transform == HAZARD_IDENTITY)
		return last > 0.0 ? (double)start / last : 0.0;
	if (!(t > 0.0))
		return -1.0;
	low = num_log(first);
	span = num_log(time_of(p, p->spec.n_times - 1)) - low;
	if (!(span > 0.0) || t <= first)
		return 0.0;
	return MIN((num_log(t) - low) / span, 1.0);
}

bool
hazard_tests(const struct plan *p, size_t transform)
{
	if (by_site(p))
		return transform == HAZARD_IDENTITY || transform == HAZARD_LOG;
	for (uint32_t g = 0; transform == HAZARD_LOG && g < p->grid.n; g++) {
		if (!(time_of(p, p->grid.intervals[g].start) > 0.0))
			return false;
	}
	return true;
}

int
hazard_converged(struct plan *p)
{
	struct hazard_reals at = hazard_reals(p, true);

	if (resize(p, at.n) == -1)
		return -1;
	for (size_t k = 0; p->spec.ph_test && k < HAZARD_TRANSFORMS; k++)
		p->reals[hazard_test_at(p, &at, k)] = hazard_tests(p, k);
	return 0;
}

void
hazard_keep(struct plan *p, uint32_t interval, const double *S, const double *E)
{
	struct hazard_reals at = hazard_reals(p, true);
	uint32_t terms = p->spec.n_terms, a = plan_parameters(p);
	const struct grid_interval *v = &p->grid.intervals[interval];
	double *risk = p->reals + at.risk + 2 * interval * (1 + (size_t)terms);
	double mean[MODEL_TERMS_MAX] = { 0 }, info[PACKED(MODEL_TERMS_MAX)];
	struct partial out = { .p = a,
		.efron = p->spec.ties == TIES_EFRON,
		.score = mean,
		.info = info };

	memcpy(risk, S, (1 + a) * sizeof(*risk));
	if (out.efron && v->events > 1)
		memcpy(risk + 1 + terms, E, (1 + a) * sizeof(*risk));
	if (!p->spec.ph_test)
		return;
	memset(info, 0, PACKED(a) * sizeof(*info));
	partial_subtract(&out, S, E, v->events);
	for (size_t k = 0; k < HAZARD_TRANSFORMS; k++) {
		double *test = p->reals + hazard_test_at(p, &at, k);
		double *gV = test + 1 + terms, *ggV = gV + PACKED(terms), g;

		if (test[0] == 0.0)
			continue;
		g = hazard_transform(p, k, interval, v->start);
		for (uint32_t i = 0; i < a; i++)
			test[1 + i] += g * mean[i];
		for (size_t i = 0; i < PACKED(a); i++) {
			gV[i] += g * info[i];
			ggV[i] += g * (g * info[i]);
		}
	}
}

/*
 * The round of residuals.  A patient's score residual (of a row: Therneau and
 * Grambsch 2000, section 4.3) is
 *
 *     L = event (z - m) - sum over risk sets of w (z - m) / S0
 *
 * with Efron's weights for who has an event.  The martingale residuals of all
 * rows add up to 0, so that over all rows the second part has as much weight as
 * there are events, D: no |L| is beyond 2 z_max (1 + D), and no sum of |L|
 * beyond 4 z_max D.  So a sum over clusters of U U', U the cluster's sum of L,
 * is within (4 z_max D)^2, here twice as much in each factor.
 */
void
hazard_layout(const struct plan *p, struct layout *l)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	double rows = p->spec.rows_per_site, events = (double)p->n_events;

	for (uint32_t i = 0; p->spec.robust != ROBUST_NO && i < a; i++) {
		for (uint32_t j = i; j < a; j++)
			layout_reals(l, 1,
			    num_bits(64.0 * events * events *
				plan_z_max(p, active[i]) *
				plan_z_max(p, active[j])) +
				1);
	}
	robust_clusters_layout(p, l);
	if (!p->spec.ph_test)
		return;
	if (by_site(p)) /* events at time 0 */
		layout_counts(l, 1, p->spec.rows_per_site);
	for (size_t k = 0; k < HAZARD_TRANSFORMS; k++) {
		if (!hazard_tests(p, k))
			continue;
		for (uint32_t i = 0; i < a; i++)
			layout_reals(l, 1,
			    num_bits(2.0 * rows * plan_z_max(p, active[i])) +
				1);
		for (uint32_t which = 0; by_site(p) && which < 2; which++) {
			for (uint32_t i = 0; i < a; i++) {
				for (uint32_t j = i; j < a; j++)
					layout_reals(l, 1,
					    num_bits(4.0 * rows *
						plan_z_max(p, active[i]) *
						plan_z_max(p, active[j])) +
						1);
			}
		}
	}
}

static void
read_test(
    struct plan *p, const uint64_t *sum, const struct group **g, double *test)
{
	uint32_t a = plan_parameters(p);
	double *v = test + 1 + p->spec.n_terms;

	for (uint32_t i = 0; i < a; i++)
		test[1 + i] += sum_real((*g)++, sum, 0);
	for (uint32_t which = 0; by_site(p) && which < 2; which++) {
		for (size_t i = 0; i < PACKED(a); i++)
			v[i] = sum_real((*g)++, sum, 0);
		v += PACKED(p->spec.n_terms);
	}
}

int
hazard_step(struct plan *p, const uint64_t *sum)
{
	struct hazard_reals at = hazard_reals(p, true);
	const struct group *g = p->next.groups;
	uint64_t at_zero = 0;

	if (p->spec.robust != ROBUST_NO) {
		for (size_t i = 0; i < PACKED(plan_parameters(p)); i++)
			p->reals[at.meat + 1 + i] = sum_real(g++, sum, 0);
		p->reals[at.meat] = robust_clusters(p, g, sum);
		g += p->spec.robust == ROBUST_PATIENT;
	}
	if (p->spec.ph_test && by_site(p))
		at_zero = sum_count(g++, sum, 0);
	for (size_t k = 0; p->spec.ph_test && k < HAZARD_TRANSFORMS; k++) {
		double *test = p->reals + hazard_test_at(p, &at, k);

		if (test[0] == 0.0)
			continue;
		read_test(p, sum, &g, test);
		if (k == HAZARD_LOG && at_zero > 0)
			test[0] = 0.0;
	}
	return rounds_evaluate(p);
}

/*
 * Logistic regression: the deterministic half of it.  The trainer's half is
 * model/logistic.c; both follow the layouts here.
 */
#include <stdlib.h>

#include "common/macros.h"
#include "model/step/ldl.h"
#include "model/step/newton.h"
#include "model/step/robust.h"
#include "model/step/rounds.h"

/* Rows whose outcome is present. */
static void
counts_layout(const struct plan *p, struct layout *l)
{
	layout_counts(l, 1, p->spec.rows_per_site);
	robust_counts_layout(p, l);
}

/* One interval of "time" with all rows: see pairs.h. */
static int
counts_step(struct plan *p, const uint64_t *sum)
{
	uint64_t n1 = sum_count(&p->next.groups[0], sum, 0), n0 = p->n - n1;

	if (n1 > p->n)
		return 1;
	p->n_events = n1;
	p->n_used = p->n;
	grid_free(&p->grid);
	p->grid.intervals = calloc(1, sizeof(*p->grid.intervals));
	if (p->grid.intervals == NULL)
		return -1;
	p->grid.n = 1;
	p->grid.step = p->spec.risk_set_step;
	p->grid.n_used = p->n;
	p->grid.intervals[0].leavers = p->n;
	p->grid.intervals[0].events = n1;
	if (n1 == 0 || n0 == 0) {
		plan_end(p, FIT_ONE_CLASS);
		return 0;
	}
	if (MIN(n1, n0) < p->spec.risk_set_step) {
		plan_end(p, FIT_TOO_FEW);
		return 0;
	}
	if (robust_counted(p, &p->next.groups[1], sum))
		return 0;
	/* Newton begins at the null model. */
	p->beta[0] = num_log((double)n1 / (double)n0);
	return rounds_counted(p, MIN(n1, n0));
}

/* Log-likelihood, its gradient and the information. */
static void
newton_layout(const struct plan *p, struct layout *l)
{
	uint32_t active[MODEL_TERMS_MAX];
	uint32_t n = plan_active(p, active) + 1;
	double rows = p->spec.rows_per_site;

	/* |log(1 + exp(eta))| <= |eta| + 1, and eta itself where y = 1. */
	layout_reals(l, 1, num_bits(rows * (2.0 * plan_eta_max(p) + 1.0)) + 1);
	for (uint32_t i = 0; i < n; i++)
		layout_reals(
		    l, 1, num_bits(rows * plan_reach(p, active, i)) + 1);
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++)
			layout_reals(l, 1,
			    num_bits(rows * plan_reach(p, active, i) *
				plan_reach(p, active, j)) +
				1);
	}
}

/* At the null model p(1-p) is the same in all rows (but for an offset). */
static void
take_covariance(struct plan *p, const struct newton_sums *s)
{
	uint32_t n = plan_parameters(p);
	double w = s->info[0];

	for (uint32_t i = 1; i < n; i++) {
		for (uint32_t j = i; j < n; j++) {
			double mi = s->info[packed_at(n, 0, i)] / w;
			double mj = s->info[packed_at(n, 0, j)] / w;

			p->cov_z[packed_at(n - 1, i - 1, j - 1)] =
			    s->info[packed_at(n, i, j)] / w - mi * mj;
		}
	}
}

static int
newton_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	struct newton_sums s = { 0 };
	uint32_t n = plan_parameters(p);

	s.loglik = sum_real(g++, sum, 0);
	for (uint32_t i = 0; i < n; i++)
		s.score[i] = sum_real(g++, sum, 0);
	for (size_t k = 0; k < PACKED(n); k++)
		s.info[k] = sum_real(g++, sum, 0);
	if (p->phase == PHASE_NULL) {
		newton_null(p, &s);
		return 0;
	}
	if (p->iterations == 0)
		take_covariance(p, &s);
	newton_penalize(p, &s);
	if (p->iterations == 0)
		newton_first(p, &s);
	else
		newton_next(p, &s);
	if (p->phase != PHASE_SCORES)
		return 0;
	if (p->spec.robust == ROBUST_NO)
		return rounds_evaluate(p);
	p->phase = PHASE_RESIDUALS;
	return 0;
}

static void
residuals_layout(const struct plan *p, struct layout *l)
{
	robust_layout(p, l, 1.0);
}

static int
residuals_step(struct plan *p, const uint64_t *sum)
{
	return robust_step(p, sum) == -1 ? -1 : rounds_evaluate(p);
}

const struct plan_kind plan_logistic = {
	.name = "logistic",
	.has_intercept = true,
	.has_ridge = true,
	ROBUST_ENTRY,
	.rounds = { [PHASE_COUNTS] = { "counts", counts_layout, counts_step },
	    [PHASE_MOMENTS] = ROUND_MOMENTS,
	    [PHASE_NULL] = { "null", newton_layout, newton_step },
	    [PHASE_NEWTON] = { "newton", newton_layout, newton_step },
	    [PHASE_RESIDUALS] = { "residuals", residuals_layout,
		residuals_step },
	    [PHASE_SCORES] = ROUND_SCORES,
	    [PHASE_PAIRS] = ROUND_PAIRS },
};

/*
 * Gaussian regression with identity link and Poisson regression with log link:
 * the deterministic half of it.  The trainer's half is model/glm.c; both
 * follow the layouts here.
 *
 * Gaussian: the outcome is standardised too, so that the null model is 0 and
 * the variance 1; the log-likelihood is that with variance 1, without its
 * constant.  Poisson: without the logarithms of the factorials.
 */
#include "common/err.h"
#include "common/macros.h"
#include "model/step/ldl.h"
#include "model/step/newton.h"
#include "model/step/rounds.h"

static bool
is_gaussian(const struct plan *p)
{
	return p->spec.kind == MODEL_GAUSSIAN;
}

/*
 * Gaussian: sums of y - centre and of its square.  Poisson: rows with y > 0
 * and the sum of y; log(y!) and y log(y) - y.
 */
static void
counts_layout(const struct plan *p, struct layout *l)
{
	const struct model_spec *s = &p->spec;
	double rows = s->rows_per_site, half = 0.5 * (s->y_max - s->y_min);

	if (is_gaussian(p)) {
		layout_reals(l, 1, num_bits(rows * half) + 1);
		layout_reals(l, 1, num_bits(rows * half * half) + 1);
		return;
	}
	layout_counts(l, 1, s->rows_per_site);
	layout_counts(l, 1, s->rows_per_site * (uint64_t)s->y_max);
	/* log(y) < 17 for y up to 2^24 */
	layout_reals(l, 1, num_bits(rows * s->y_max * 17.0) + 1);
	layout_reals(l, 1, num_bits(rows * s->y_max * 17.0) + 1);
}

static int
gaussian_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	double m = sum_real(&g[0], sum, 0) / (double)p->n;
	double square = sum_real(&g[1], sum, 0) / (double)p->n;
	double v = square - m * m;

	if (!(v > 1e-13 * square) || !(v > 0.0)) {
		plan_end(p, FIT_ONE_CLASS);
		return 0;
	}
	p->y_mean = p->spec.y_min + 0.5 * (p->spec.y_max - p->spec.y_min) + m;
	p->y_sd = num_sqrt(v);
	return rounds_counted(p, p->n);
}

static int
poisson_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	uint64_t positive = sum_count(&g[0], sum, 0);

	p->n_events = sum_count(&g[1], sum, 0);
	if (positive > p->n || p->n_events < positive)
		return 1;
	p->y_factorials = sum_real(&g[2], sum, 0);
	p->y_saturated = sum_real(&g[3], sum, 0);
	if (p->n_events == 0 || positive < p->spec.risk_set_step) {
		plan_end(p, p->n_events == 0 ? FIT_NO_EVENTS : FIT_TOO_FEW);
		return 0;
	}
	/* Newton begins at the null model. */
	p->beta[0] = num_log((double)p->n_events / (double)p->n);
	return rounds_counted(p, p->n_events);
}

static int
counts_step(struct plan *p, const uint64_t *sum)
{
	p->n_used = p->n;
	if (p->n < MAX(p->spec.risk_set_step, 2u)) {
		plan_end(p, FIT_TOO_FEW);
		return 0;
	}
	return is_gaussian(p) ? gaussian_counts(p, sum)
			      : poisson_counts(p, sum);
}

/* |z| of a parameter; the intercept's is 1. */
static double
reach(const struct plan *p, const uint32_t *active, uint32_t parameter)
{
	return parameter == 0 ? 1.0 : plan_z_max(p, active[parameter - 1]);
}

/* The most that a row adds to each kind of sum. */
struct limits {
	double loglik, pearson, residual, weight;
};

static struct limits
limits_of(const struct plan *p)
{
	const struct model_spec *s = &p->spec;
	double eta = plan_eta_max(p), y, mu;

	if (is_gaussian(p)) {
		y = MAX(s->y_max - p->y_mean, p->y_mean - s->y_min) / p->y_sd;
		y += eta;
		return (struct limits){ y * y, y * y, y, 1.0 };
	}
	eta = MIN(eta, ETA_CAP);
	/* exp(eta) <= mu; 1.4427 is beyond 1 / ln 2. */
	mu = num_pow2((int)(eta * 1.4427) + 1);
	y = MAX(s->y_max, 1.0);
	return (struct limits){ y * eta + mu, y * y * mu, y + mu, mu };
}

/*
 * Rows beyond ETA_CAP (Poisson; 0 for Gaussian); log-likelihood, sum of squared
 * Pearson residuals, score and information.
 */
static void
newton_layout(const struct plan *p, struct layout *l)
{
	uint32_t active[MODEL_TERMS_MAX];
	uint32_t n = plan_active(p, active) + 1;
	double rows = p->spec.rows_per_site;
	struct limits m = limits_of(p);

	layout_counts(l, 1, p->spec.rows_per_site);
	layout_reals(l, 1, num_bits(rows * m.loglik) + 1);
	layout_reals(l, 1, num_bits(rows * m.pearson) + 1);
	for (uint32_t i = 0; i < n; i++)
		layout_reals(l, 1,
		    num_bits(rows * m.residual * reach(p, active, i)) + 1);
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++)
			layout_reals(l, 1,
			    num_bits(rows * m.weight * reach(p, active, i) *
				reach(p, active, j)) +
				1);
	}
}

static int
newton_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	struct newton_sums s = { 0 };
	uint32_t n = plan_parameters(p);
	double pearson;

	if (sum_count(g++, sum, 0) > 0) {
		if (p->iterations == 0)
			plan_end(p, FIT_SUSPECT);
		else
			newton_next(p, NULL);
		return 0;
	}
	s.loglik = sum_real(g++, sum, 0);
	pearson = sum_real(g++, sum, 0);
	for (uint32_t i = 0; i < n; i++)
		s.score[i] = sum_real(g++, sum, 0);
	for (size_t k = 0; k < PACKED(n); k++)
		s.info[k] = sum_real(g++, sum, 0);
	if (p->iterations == 0)
		newton_first(p, &s);
	else
		newton_next(p, &s);
	if (p->loglik == s.loglik) /* the point was accepted */
		p->pearson = pearson;
	if (p->phase == PHASE_SCORES)
		plan_end(p, FIT_OK);
	return 0;
}

static int
check_counts(const struct model_spec *s, struct err *err)
{
	if (s->y_min < 0.0 || s->y_max > MODEL_COUNT_MAX)
		return err_set(err, ERR_CONFIG,
		    "the outcome's range: counts are 0 to %u", MODEL_COUNT_MAX);
	return 0;
}

#define ROUNDS                                                                 \
	{                                                                      \
		[PHASE_COUNTS] = { "counts", counts_layout, counts_step },     \
		[PHASE_MOMENTS] = ROUND_MOMENTS,                               \
		[PHASE_NEWTON] = { "newton", newton_layout, newton_step },     \
	}

const struct plan_kind plan_gaussian = {
	.name = "gaussian",
	.has_y = true,
	.has_intercept = true,
	.scales_y = true,
	.rounds = ROUNDS,
};

const struct plan_kind plan_poisson = {
	.name = "poisson",
	.has_y = true,
	.has_intercept = true,
	.check = check_counts,
	.rounds = ROUNDS,
};

const struct plan_kind plan_quasipoisson = {
	.name = "quasipoisson",
	.has_y = true,
	.has_intercept = true,
	.check = check_counts,
	.rounds = ROUNDS,
};

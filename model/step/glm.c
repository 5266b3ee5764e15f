/*
 * Generalized linear models: the deterministic half.  The trainer's half is
 * model/glm.c; both follow the layouts here.  A family is what a row adds at
 * most (limits), and what the counts say of the outcome.
 *
 * Gaussian, identity link: the outcome is standardised too, so that the null
 * model is 0 and the variance 1; the log-likelihood is that with variance 1,
 * without its constant.  Poisson, negative binomial, gamma: log link, without
 * what does not depend on the coefficients.  Quasibinomial, binomial: logit link.
 * Gamma, inverse link: the outcome in units of its mean, so that the null model
 * is 1.
 *
 * With weights w, each sum is over w times what it is over without.
 */
#include "common/err.h"
#include "common/macros.h"
#include "model/step/ldl.h"
#include "model/step/newton.h"
#include "model/step/robust.h"
#include "model/step/rounds.h"

/* A gamma outcome's range; and more than |log(y)| in it. */
#define GAMMA_MIN 1e-9
#define GAMMA_MAX 1e9
#define GAMMA_LOG 21.0

/* What a weight multiplies a row's part by, at most. */
static double
weight_max(const struct plan *p)
{
	return p->spec.has_weights ? p->spec.weight_max : 1.0;
}

static double
centre_of(const struct plan *p)
{
	return p->spec.y_min + 0.5 * (p->spec.y_max - p->spec.y_min);
}

/*
 * Where there are weights, after the kind's own counts: rows with a weight
 * above 0; sums of w, of log(w), of w y.  Then what robust errors need.
 */
static void
weights_layout(const struct plan *p, struct layout *l)
{
	const struct model_spec *s = &p->spec;
	double rows = s->rows_per_site, w = s->weight_max;
	double y = MAX(MAX(num_abs(s->y_min), num_abs(s->y_max)), 1.0);

	if (s->has_weights) {
		layout_counts(l, 1, s->rows_per_site);
		layout_reals(l, 1, num_bits(rows * w) + 1);
		/* |log(w)| < 745 for any double */
		layout_reals(l, 1, num_bits(rows * 745.0) + 1);
		layout_reals(l, 1, num_bits(rows * w * y) + 1);
	}
	robust_counts_layout(p, l);
}

/*
 * How many rows are used and what they weigh.  *y is the sum of y, of which
 * the weighted one is made.  g is behind the kind's own counts.  1 if the plan
 * ended.
 */
static int
take_weights(
    struct plan *p, const struct group *g, const uint64_t *sum, double *y)
{
	uint32_t step = MAX(p->spec.risk_set_step, 2u);

	p->n_used = p->n;
	p->weights = (double)p->n;
	if (p->spec.has_weights) {
		p->n_used = sum_count(&g[0], sum, 0);
		p->weights = sum_real(&g[1], sum, 0);
		p->weight_logs = sum_real(&g[2], sum, 0);
		*y = sum_real(&g[3], sum, 0);
		g += 4;
	}
	if (p->n_used < step)
		plan_end(p, FIT_TOO_FEW);
	/* Else a sum could be about few who weigh more than all others. */
	else if (p->spec.has_weights &&
	    p->weights < (double)step * p->spec.weight_max)
		plan_end(p, FIT_WEIGHTS);
	return p->phase == PHASE_DONE || robust_counted(p, g, sum);
}

/* Sums of y - centre and of its square. */
static void
gaussian_counts_layout(const struct plan *p, struct layout *l)
{
	double rows = p->spec.rows_per_site * weight_max(p);
	double half = 0.5 * (p->spec.y_max - p->spec.y_min);

	layout_reals(l, 1, num_bits(rows * half) + 1);
	layout_reals(l, 1, num_bits(rows * half * half) + 1);
	weights_layout(p, l);
}

static int
gaussian_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	double m, square, v, y;

	if (take_weights(p, g + 2, sum, &y))
		return 0;
	m = sum_real(&g[0], sum, 0) / p->weights;
	square = sum_real(&g[1], sum, 0) / p->weights;
	v = square - m * m;
	if (!(v > 1e-13 * square) || !(v > 0.0)) {
		plan_end(p, FIT_ONE_CLASS);
		return 0;
	}
	p->y_mean = centre_of(p) + m;
	p->y_sd = num_sqrt(v);
	return rounds_counted(p, p->n_used);
}

/*
 * Rows with y > 0 and the sum of y; the constants of the log-likelihood and of
 * the saturated model.
 */
static void
count_counts_layout(const struct plan *p, struct layout *l)
{
	const struct model_spec *s = &p->spec;
	double rows = s->rows_per_site * weight_max(p);
	/* log(y) < 17 for y up to 2^24; negbin: theta is 1e-3 to 1e6. */
	double most =
	    s->kind == MODEL_NEGBIN ? 80.0 * (s->y_max + 1.0) : 17.0 * s->y_max;

	layout_counts(l, 1, s->rows_per_site);
	layout_counts(l, 1, s->rows_per_site * (uint64_t)s->y_max);
	layout_reals(l, 1, num_bits(rows * most) + 1);
	layout_reals(l, 1, num_bits(rows * most) + 1);
	weights_layout(p, l);
}

static int
count_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	uint64_t positive = sum_count(&g[0], sum, 0);
	double y;

	p->n_events = sum_count(&g[1], sum, 0);
	y = (double)p->n_events;
	if (take_weights(p, g + 4, sum, &y))
		return 0;
	if (positive > p->n_used || p->n_events < positive)
		return 1;
	p->y_factorials = sum_real(&g[2], sum, 0);
	p->y_saturated = sum_real(&g[3], sum, 0);
	if (p->n_events == 0 || positive < p->spec.risk_set_step) {
		plan_end(p, p->n_events == 0 ? FIT_NO_EVENTS : FIT_TOO_FEW);
		return 0;
	}
	/* Newton begins at the null model. */
	p->beta[0] = num_log(y / p->weights);
	/* Few patients with many events each are few all the same. */
	return rounds_counted(p, MIN(p->n_events, p->n_used));
}

/* Sums of y and of log(y), which is all that the constants are made of. */
static void
gamma_counts_layout(const struct plan *p, struct layout *l)
{
	double rows = p->spec.rows_per_site * weight_max(p);

	layout_reals(l, 1, num_bits(rows * p->spec.y_max) + 1);
	layout_reals(l, 1, num_bits(rows * GAMMA_LOG) + 1);
	weights_layout(p, l);
}

static int
gamma_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	double y = sum_real(&g[0], sum, 0);

	if (take_weights(p, g + 2, sum, &y))
		return 0;
	if (!(y > 0.0))
		return 1;
	p->y_factorials = sum_real(&g[1], sum, 0);
	p->y_saturated = -p->y_factorials - p->weights;
	p->beta[0] = num_log(y / p->weights);
	return rounds_counted(p, p->n_used);
}

static int
gamma_inverse_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	double y = sum_real(&g[0], sum, 0);

	if (take_weights(p, g + 2, sum, &y))
		return 0;
	p->y_mean = y / p->weights;
	if (!(2.0 * p->y_mean > p->spec.y_min))
		return 1;
	p->y_factorials = sum_real(&g[1], sum, 0);
	p->y_saturated =
	    p->weights * (num_log(p->y_mean) - 1.0) - p->y_factorials;
	p->beta[0] = 1.0;
	return rounds_counted(p, p->n_used);
}

static void
binomial_counts_layout(const struct plan *p, struct layout *l)
{
	layout_counts(l, 1, p->spec.rows_per_site);
	weights_layout(p, l);
}

static int
binomial_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	uint64_t n0;
	double y;

	p->n_events = sum_count(&g[0], sum, 0);
	y = (double)p->n_events;
	if (take_weights(p, g + 1, sum, &y))
		return 0;
	if (p->n_events > p->n_used)
		return 1;
	n0 = p->n_used - p->n_events;
	if (p->n_events == 0 || n0 == 0) {
		plan_end(p, FIT_ONE_CLASS);
		return 0;
	}
	if (MIN(p->n_events, n0) < p->spec.risk_set_step) {
		plan_end(p, FIT_TOO_FEW);
		return 0;
	}
	p->beta[0] = num_log(y / (p->weights - y));
	return rounds_counted(p, MIN(p->n_events, n0));
}

/*
 * Rows with a success, and with a failure; successes; logarithms of binomial
 * coefficients and of the saturated model, |both| below trials log 2^24.
 */
static void
trials_counts_layout(const struct plan *p, struct layout *l)
{
	const struct model_spec *s = &p->spec;
	double most = s->rows_per_site * s->weight_max;

	layout_counts(l, 2, s->rows_per_site);
	layout_counts(l, 1, s->rows_per_site * (uint64_t)s->weight_max);
	layout_reals(l, 1, num_bits(most * 17.0) + 1);
	layout_reals(l, 1, num_bits(most * 17.0) + 1);
	weights_layout(p, l);
}

static int
trials_counts(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	uint64_t some = sum_count(&g[0], sum, 0);
	uint64_t not_all = sum_count(&g[0], sum, 1);
	double y;

	p->n_events = sum_count(&g[1], sum, 0);
	y = (double)p->n_events;
	p->y_factorials = -sum_real(&g[2], sum, 0);
	p->y_saturated = sum_real(&g[3], sum, 0);
	if (take_weights(p, g + 4, sum, &y))
		return 0;
	y = (double)p->n_events;
	if (some > p->n_used || not_all > p->n_used || y > p->weights ||
	    p->n_events < some)
		return 1;
	if (some == 0 || not_all == 0 || !(y < p->weights)) {
		plan_end(p, FIT_ONE_CLASS);
		return 0;
	}
	if (MIN(some, not_all) < p->spec.risk_set_step) {
		plan_end(p, FIT_TOO_FEW);
		return 0;
	}
	p->beta[0] = num_log(y / (p->weights - y));
	return rounds_counted(p, MIN(some, not_all));
}

/*
 * The most that a row adds to each kind of sum; weight is of the observed
 * information, expected of the expected one where that is another.
 */
struct limits {
	double loglik, pearson, residual, weight, expected;
};

static struct limits
limits_of(const struct plan *p)
{
	const struct model_spec *s = &p->spec;
	double eta = plan_eta_max(p), y, mu;

	if (s->kind == MODEL_GAUSSIAN) {
		y = MAX(s->y_max - p->y_mean, p->y_mean - s->y_min) / p->y_sd;
		y += eta;
		return (struct limits){ y * y, y * y, y, 1.0, 1.0 };
	}
	if (s->kind == MODEL_QUASIBINOMIAL ||
	    s->kind == MODEL_BINOMIAL) /* p(1-p) <= 1; else see is_refuted */
		return (struct limits){ 2.0 * eta + 1.0,
			num_pow2((int)(ETA_CAP * 1.4427) + 1), 1.0, 1.0, 1.0 };
	if (s->kind == MODEL_GAMMA_INVERSE) {
		y = MAX(s->y_max / p->y_mean, 1.0);
		eta = MIN(eta, INVERSE_CAP);
		/* |log(eta)| < 12 for eta within 1 / INVERSE_CAP..INVERSE_CAP */
		return (struct limits){ y * eta + 12.0,
			(y * eta + 1.0) * (y * eta + 1.0), y + INVERSE_CAP,
			INVERSE_CAP * INVERSE_CAP, 1.0 };
	}
	eta = MIN(eta, ETA_CAP);
	/* exp(|eta|) <= mu; 1.4427 is beyond 1 / ln 2. */
	mu = num_pow2((int)(eta * 1.4427) + 1);
	y = MAX(s->y_max, 1.0);
	switch (s->kind) {
	case MODEL_GAMMA:
		return (struct limits){ y * mu + eta,
			(y * mu + 1.0) * (y * mu + 1.0), y * mu + 1.0, y * mu,
			1.0 };
	case MODEL_NEGBIN:
		/* |log(theta)| and log(1 + mu / theta) are below 36. */
		return (struct limits){ y * 80.0 + mu, y * y * mu, y + mu,
			mu * (1.0 + y / s->theta), mu };
	default:
		return (
		    struct limits){ y * eta + mu, y * y * mu, y + mu, mu, mu };
	}
}

/* Is the information that errors come of another than the observed one? */
static bool
has_expected(const struct plan *p)
{
	return p->spec.kind == MODEL_GAMMA || p->spec.kind == MODEL_NEGBIN;
}

static void
matrix_layout(const struct plan *p, struct layout *l, double most)
{
	uint32_t active[MODEL_TERMS_MAX];
	uint32_t n = plan_active(p, active) + 1;

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++)
			layout_reals(l, 1,
			    num_bits(most * plan_reach(p, active, i) *
				plan_reach(p, active, j)) +
				1);
	}
}

/*
 * Rows beyond ETA_CAP (0 for Gaussian); log-likelihood, sum of squared Pearson
 * residuals, score and information; the expected information if it is another.
 */
static void
newton_layout(const struct plan *p, struct layout *l)
{
	uint32_t active[MODEL_TERMS_MAX];
	uint32_t n = plan_active(p, active) + 1;
	double rows = p->spec.rows_per_site * weight_max(p);
	struct limits m = limits_of(p);

	layout_counts(l, 1, p->spec.rows_per_site);
	layout_reals(l, 1, num_bits(rows * m.loglik) + 1);
	layout_reals(l, 1, num_bits(rows * m.pearson) + 1);
	for (uint32_t i = 0; i < n; i++)
		layout_reals(l, 1,
		    num_bits(rows * m.residual * plan_reach(p, active, i)) + 1);
	matrix_layout(p, l, rows * m.weight);
	if (has_expected(p))
		matrix_layout(p, l, rows * m.expected);
}

static int
newton_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	struct newton_sums s = { 0 };
	uint32_t n = plan_parameters(p);
	double pearson;

	if (sum_count(g++, sum, 0) > 0) {
		if (p->iterations > 0)
			newton_next(p, NULL);
		else /* an offset may be far from all others */
			plan_end(p,
			    p->spec.has_offset ? FIT_NOT_CONVERGED
					       : FIT_SUSPECT);
		return 0;
	}
	s.loglik = sum_real(g++, sum, 0);
	pearson = sum_real(g++, sum, 0);
	for (uint32_t i = 0; i < n; i++)
		s.score[i] = sum_real(g++, sum, 0);
	for (size_t k = 0; k < PACKED(n); k++)
		s.info[k] = sum_real(g++, sum, 0);
	s.has_expected = has_expected(p);
	for (size_t k = 0; s.has_expected && k < PACKED(n); k++)
		s.expected[k] = sum_real(g++, sum, 0);
	if (p->phase == PHASE_NULL) {
		newton_null(p, &s);
		return 0;
	}
	newton_penalize(p, &s);
	if (p->iterations == 0)
		newton_first(p, &s);
	else
		newton_next(p, &s);
	if (p->loglik == s.loglik) /* the point was accepted */
		p->pearson = pearson;
	if (p->phase == PHASE_SCORES && p->spec.robust != ROBUST_NO)
		p->phase = PHASE_RESIDUALS;
	else if (p->phase == PHASE_SCORES)
		plan_end(p, FIT_OK);
	return 0;
}

static void
residuals_layout(const struct plan *p, struct layout *l)
{
	robust_layout(p, l, weight_max(p) * limits_of(p).residual);
}

static int
residuals_step(struct plan *p, const uint64_t *sum)
{
	if (robust_step(p, sum) == -1)
		return -1;
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

static int
check_trials(const struct model_spec *s, struct err *err)
{
	if (!s->has_weights || s->weight_max > MODEL_COUNT_MAX)
		return err_set(err, ERR_CONFIG,
		    "the trials: counts are 0 to %u", MODEL_COUNT_MAX);
	return check_counts(s, err);
}

static int
check_gamma(const struct model_spec *s, struct err *err)
{
	if (!(s->y_min >= GAMMA_MIN && s->y_max <= GAMMA_MAX))
		return err_set(err, ERR_CONFIG,
		    "the outcome's range: expected %g to %g, all above 0",
		    GAMMA_MIN, GAMMA_MAX);
	return 0;
}

/*
 * No start is known that is above 0 in each row with an offset; and what a ridge
 * shrinks would depend on the outcome's unit.
 */
static int
check_gamma_inverse(const struct model_spec *s, struct err *err)
{
	if (s->has_offset || s->ridge != 0.0)
		return err_set(err, ERR_CONFIG,
		    "ridge, offset: not with the inverse link");
	return check_gamma(s, err);
}

static int
check_negbin(const struct model_spec *s, struct err *err)
{
	if (!(s->theta >= 1e-3 && s->theta <= 1e6))
		return err_set(err, ERR_CONFIG, "theta: expected 0.001 to 1e6");
	return check_counts(s, err);
}

#define GLM(counts_l, counts_s)                                                \
	.has_intercept = true, .has_weights = true, .has_ridge = true,         \
	ROBUST_ENTRY,                                                          \
	.rounds = {                                                            \
		[PHASE_COUNTS] = { "counts", counts_l, counts_s },             \
		[PHASE_MOMENTS] = ROUND_MOMENTS,                               \
		[PHASE_NULL] = { "null", newton_layout, newton_step },         \
		[PHASE_NEWTON] = { "newton", newton_layout, newton_step },     \
		[PHASE_RESIDUALS] = { "residuals", residuals_layout,           \
		    residuals_step },                                          \
	}

const struct plan_kind plan_gaussian = {
	.name = "gaussian",
	.has_y = true,
	.scales_y = true,
	GLM(gaussian_counts_layout, gaussian_counts),
};

const struct plan_kind plan_poisson = {
	.name = "poisson",
	.has_y = true,
	.check = check_counts,
	GLM(count_counts_layout, count_counts),
};

const struct plan_kind plan_quasipoisson = {
	.name = "quasipoisson",
	.has_y = true,
	.check = check_counts,
	GLM(count_counts_layout, count_counts),
};

const struct plan_kind plan_gamma = {
	.name = "gamma",
	.has_y = true,
	.check = check_gamma,
	GLM(gamma_counts_layout, gamma_counts),
};

const struct plan_kind plan_gamma_inverse = {
	.name = "gamma-inverse",
	.has_y = true,
	.has_inverse_link = true,
	.check = check_gamma_inverse,
	GLM(gamma_counts_layout, gamma_inverse_counts),
};

const struct plan_kind plan_negbin = {
	.name = "negative-binomial",
	.has_y = true,
	.check = check_negbin,
	GLM(count_counts_layout, count_counts),
};

const struct plan_kind plan_quasibinomial = {
	.name = "quasibinomial",
	GLM(binomial_counts_layout, binomial_counts),
};

const struct plan_kind plan_binomial = {
	.name = "binomial",
	.has_y = true,
	.check = check_trials,
	GLM(trials_counts_layout, trials_counts),
};

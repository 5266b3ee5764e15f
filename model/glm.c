/*
 * Generalized linear models: what rows contribute.  The layouts are in
 * model/step/glm.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/data.h"
#include "model/work.h"

static double
weight_of(const struct work *w, size_t row)
{
	return w->plan->spec.has_weights ? w->data->weight[row] : 1.0;
}

static double
outcome_of(const struct work *w, size_t row)
{
	if (w->plan->spec.kind == MODEL_BINOMIAL) /* the share of trials */
		return w->data->y[row] / w->data->weight[row];
	if (!plan_kind_of(w->plan->spec.kind)->has_y)
		return w->data->event[row];
	return w->data->y[row];
}

/* One interval with all rows but those that weigh nothing. */
static int
find_intervals(struct work *w)
{
	for (size_t i = 0; i < w->data->n_rows; i++)
		w->interval[i] = weight_of(w, i) > 0.0 ? 0 : -1;
	return 0;
}

/* Behind the kind's own groups, where there are weights. */
static void
count_weights(struct work *w, size_t group, double y, double weight)
{
	if (!w->plan->spec.has_weights)
		return;
	*work_group(w, group) += 1.0;
	*work_group(w, group + 1) += weight;
	*work_group(w, group + 2) += log(weight);
	*work_group(w, group + 3) += weight * y;
}

static void
count_gaussian(struct work *w, double y, double weight)
{
	const struct model_spec *s = &w->plan->spec;
	double v = y - (s->y_min + 0.5 * (s->y_max - s->y_min));

	*work_group(w, 0) += weight * v;
	*work_group(w, 1) += weight * v * v;
	count_weights(w, 2, y, weight);
}

static void
count_poisson(struct work *w, double y, double weight)
{
	*work_group(w, 0) += y > 0.0;
	*work_group(w, 1) += y;
	*work_group(w, 2) += weight * lgamma(y + 1.0);
	*work_group(w, 3) += y > 0.0 ? weight * (y * log(y) - y) : 0.0;
	count_weights(w, 4, y, weight);
}

/* y log(mu / (theta + mu)) - theta log(1 + mu / theta) */
static double
negbin_loglik(double y, double log_mu, double mu, double theta)
{
	double v = log1p(mu / theta), own = theta * v;

	return (y > 0.0 ? y * (log_mu - log(theta) - v) : 0.0) - own;
}

static void
count_negbin(struct work *w, double y, double weight)
{
	double theta = w->plan->spec.theta;

	*work_group(w, 0) += y > 0.0;
	*work_group(w, 1) += y;
	*work_group(w, 2) +=
	    weight * (lgamma(y + 1.0) + lgamma(theta) - lgamma(theta + y));
	*work_group(w, 3) +=
	    weight * negbin_loglik(y, y > 0.0 ? log(y) : 0.0, y, theta);
	count_weights(w, 4, y, weight);
}

static void
count_gamma(struct work *w, double y, double weight)
{
	*work_group(w, 0) += weight * y;
	*work_group(w, 1) += weight * log(y);
	count_weights(w, 2, y, weight);
}

static void
count_binomial(struct work *w, double y, double weight)
{
	*work_group(w, 0) += y;
	count_weights(w, 1, y, weight);
}

/* x log(share), 0 where x is. */
static double
times_log(double x, double share)
{
	return x > 0.0 ? x * log(share) : 0.0;
}

static void
count_trials(struct work *w, double share, double trials)
{
	double y = rint(share * trials), failures = trials - y;

	work_group(w, 0)[0] += y > 0.0;
	work_group(w, 0)[1] += failures > 0.0;
	*work_group(w, 1) += y;
	*work_group(w, 2) +=
	    lgamma(trials + 1.0) - lgamma(y + 1.0) - lgamma(failures + 1.0);
	*work_group(w, 3) +=
	    times_log(y, share) + times_log(failures, failures / trials);
	count_weights(w, 4, share, trials);
}

/* What one row adds, but for its z and its weight. */
struct row_part {
	double loglik, pearson, residual, weight, expected;
};

static struct row_part
gaussian_part(const struct work *w, double y, double eta)
{
	const struct plan *p = w->plan;
	double r = (y - p->y_mean) / p->y_sd - eta;

	return (struct row_part){ -0.5 * r * r, r * r, r, 1.0, 1.0 };
}

static struct row_part
poisson_part(const struct work *w, double y, double eta)
{
	double mu = exp(eta), r = y - mu;

	(void)w;
	return (struct row_part){ y * eta - mu, r * r / mu, r, mu, mu };
}

static struct row_part
negbin_part(const struct work *w, double y, double eta)
{
	double theta = w->plan->spec.theta, mu = exp(eta);
	double share = theta / (theta + mu), r = y - mu;

	return (struct row_part){ negbin_loglik(y, eta, mu, theta),
		r * r / mu * share, share * r,
		mu * share * share * (1.0 + y / theta), mu * share };
}

static struct row_part
gamma_part(const struct work *w, double y, double eta)
{
	double ratio = y * exp(-eta), r = ratio - 1.0;

	(void)w;
	return (struct row_part){ -ratio - eta, r * r, r, ratio, 1.0 };
}

/* Inverse link: eta is y_mean / mu. */
static struct row_part
gamma_inverse_part(const struct work *w, double y, double eta)
{
	double mu = 1.0 / eta, own = y / w->plan->y_mean;
	double r = own * eta - 1.0;

	return (struct row_part){ log(eta) - own * eta, r * r, mu - own,
		mu * mu, mu * mu };
}

/* y is 0 or 1, or a share of trials. */
static struct row_part
binomial_part(const struct work *w, double y, double eta)
{
	double e = exp(-fabs(eta)), q = 1.0 + e;
	/* y - p, from the side that does not cancel */
	double p = eta > 0.0 ? 1.0 / q : e / q;
	double not_p = eta > 0.0 ? e / q : 1.0 / q;
	double r = y * not_p - (1.0 - y) * p, pearson;
	double against = eta > 0.0 ? (1.0 - y) * eta : -y * eta;

	(void)w;
	if (y == 1.0)
		pearson = not_p / p;
	else if (y == 0.0)
		pearson = p / not_p;
	else
		pearson = r * r / (p * not_p);
	return (struct row_part){ -log1p(e) - against, pearson, r, p * not_p,
		p * not_p };
}

static bool
never(double y, double eta)
{
	(void)y;
	(void)eta;
	return false;
}

static bool
is_large(double y, double eta)
{
	(void)y;
	return fabs(eta) > ETA_CAP;
}

/* A mean of 0 or less, or far from all others. */
static bool
is_no_mean(double y, double eta)
{
	(void)y;
	return !(eta >= 1.0 / INVERSE_CAP && eta <= INVERSE_CAP);
}

/* The other outcome was all but certain: a Pearson residual beyond bounds. */
static bool
is_refuted(double y, double eta)
{
	return (y > 0.0 && -eta > ETA_CAP) || (y < 1.0 && eta > ETA_CAP);
}

static const struct family {
	void (*count)(struct work *w, double y, double weight);
	struct row_part (*part)(const struct work *w, double y, double eta);
	/* Is it a row that is flagged, as what it adds has no bound? */
	bool (*is_beyond)(double y, double eta);
	bool has_expected; /* as in model/step/glm.c */
} families[MODEL_KINDS] = {
	[MODEL_GAUSSIAN] = { count_gaussian, gaussian_part, never, false },
	[MODEL_POISSON] = { count_poisson, poisson_part, is_large, false },
	[MODEL_QUASIPOISSON] = { count_poisson, poisson_part, is_large, false },
	[MODEL_NEGBIN] = { count_negbin, negbin_part, is_large, true },
	[MODEL_GAMMA] = { count_gamma, gamma_part, is_large, true },
	[MODEL_GAMMA_INVERSE] = { count_gamma, gamma_inverse_part, is_no_mean,
	    false },
	[MODEL_QUASIBINOMIAL] = { count_binomial, binomial_part, is_refuted,
	    false },
	[MODEL_BINOMIAL] = { count_trials, binomial_part, is_refuted, false },
};

static int
counts(struct work *w)
{
	const struct family *f = &families[w->plan->spec.kind];

	for (size_t i = 0; i < w->data->n_rows; i++) {
		if (w->interval[i] == 0)
			f->count(w, outcome_of(w, i), weight_of(w, i));
	}
	if (w->plan->spec.robust == ROBUST_SITE)
		count_site(w, work_group(w, work_last_counts(w)));
	return 0;
}

/* What the rows of a block add, but for their z. */
struct parts {
	double residual[BLOCK_ROWS], weight[BLOCK_ROWS], expected[BLOCK_ROWS];
};

/* Sums what has no z; rows beyond what is summed have parts of 0. */
static void
make_parts(struct work *w, const struct block *b, struct parts *parts)
{
	const struct family *f = &families[w->plan->spec.kind];
	double *beyond = work_group(w, 0), *loglik = work_group(w, 1);
	double *pearson = work_group(w, 2);

	for (size_t i = 0; i < b->n; i++) {
		double weight = weight_of(w, b->row[i]);
		double y = outcome_of(w, b->row[i]);
		struct row_part part = { 0 };

		if (f->is_beyond(y, b->eta[i]))
			*beyond += 1.0;
		else
			part = f->part(w, y, b->eta[i]);
		*loglik += weight * part.loglik;
		*pearson += weight * part.pearson;
		parts->residual[i] = weight * part.residual;
		parts->weight[i] = weight * part.weight;
		parts->expected[i] = weight * part.expected;
	}
}

static int
newton(struct work *w)
{
	bool has_expected = families[w->plan->spec.kind].has_expected;
	uint32_t n = w->n_active + 1;
	struct block *b = block_new(w);
	struct products *observed = NULL, *expected = NULL;
	double *score = work_group(w, 3);
	struct parts parts;
	int ret = -1;

	if (b == NULL || (observed = products_new(b)) == NULL ||
	    (expected = products_new(b)) == NULL)
		goto out;
	for (size_t at = 0; block_fill(w, b, &at);) {
		make_parts(w, b, &parts);
		products_add(observed, b, parts.weight, parts.residual);
		if (has_expected)
			products_add(expected, b, parts.expected, NULL);
	}
	products_take(observed, score, score + n);
	if (has_expected)
		products_take(expected, NULL, score + n + PACKED(n));
	ret = 0;
out:
	products_free(observed);
	products_free(expected);
	block_free(b);
	return ret;
}

static double
residual(const struct work *w, size_t row, double eta)
{
	const struct family *f = &families[w->plan->spec.kind];

	return weight_of(w, row) * f->part(w, outcome_of(w, row), eta).residual;
}

static int
robust(struct work *w)
{
	return contribute_robust(w, residual);
}

static const char *
check_count(const struct work *w, size_t row)
{
	double y = w->data->y[row];

	return floor(y) != y ? "the outcome is not a count" : NULL;
}

static const char *
check_trials(const struct work *w, size_t row)
{
	double y = w->data->y[row], n = w->data->weight[row];

	if (floor(y) != y || floor(n) != n)
		return "the outcome or the trials are not a count";
	return y > n ? "more successes than trials" : NULL;
}

#define GLM                                                                    \
	.find_intervals = find_intervals,                                      \
	.rounds = {                                                            \
		[PHASE_COUNTS] = counts,                                       \
		[PHASE_MOMENTS] = contribute_moments,                          \
		[PHASE_NULL] = newton,                                         \
		[PHASE_NEWTON] = newton,                                       \
		[PHASE_RESIDUALS] = robust,                                    \
	}

const struct contribute_kind contribute_gaussian = { GLM };
const struct contribute_kind contribute_gamma = { GLM };
const struct contribute_kind contribute_gamma_inverse = { GLM };
const struct contribute_kind contribute_quasibinomial = { GLM };
const struct contribute_kind contribute_poisson = { .check_row = check_count,
	GLM };
const struct contribute_kind contribute_quasipoisson = {
	.check_row = check_count, GLM
};
const struct contribute_kind contribute_negbin = { .check_row = check_count,
	GLM };
const struct contribute_kind contribute_binomial = { .check_row = check_trials,
	GLM };

#include "model/step/learn.h"

#include <stdio.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/kind.h"
#include "model/step/plan.h"
#include "model/step/privacy.h"

/*
 * A site's part of the noise has the variance of a sum over u_min - c, which is
 * 2 or more by the rules of a round, so that this is the most that one adds.
 */
#define CONTRIBUTORS_MIN 2.0

/* P(|z| >= t) <= 2 exp(-(t - 1)^2 / (2 s)) for the discrete Gaussian (Canonne,
   Kamath and Steinke, proposition 25): below 2^-80 from here on. */
static double
noise_tail(double variance)
{
	const double ln2 = 0x1.62e42fefa39efp-1;

	return num_sqrt(2.0 * 81.0 * ln2 * variance) + 1.0;
}

/* Whether no sum can wrap with this m; else *variance may be 0. */
static bool
fits(const struct model_spec *s, struct learn *l, double rho)
{
	double units = num_pow2((int)l->m);
	double largest;

	l->sensitivity = privacy_sensitivity(units, l->dim);
	l->variance = privacy_variance(l->sensitivity, l->dim, s->n_sites, rho);
	if (l->variance == 0.0)
		return false;
	largest = (double)s->rows_per_site * units + 1.0 +
	    noise_tail(l->variance / CONTRIBUTORS_MIN);
	l->largest = largest;
	return (double)s->n_sites * largest < num_pow2((int)l->bits - 1);
}

int
learn_setup(const struct model_spec *s, struct learn *l, struct err *err)
{
	const struct model_learning *m = &s->learning;
	double left, rho;

	*l = (struct learn){
		.dim = 2 + 1 + s->n_terms,
		.bits = m->bits,
		.sums = m->rounds + m->retries,
		.clip = m->clip * num_sqrt(0.875),
	};
	left = m->delta - (double)l->sums * PRIVACY_ROUNDING;
	rho = privacy_budget(m->epsilon, left) / (double)l->sums;
	for (l->m = LEARN_UNITS_MAX; l->m >= LEARN_UNITS_MIN; l->m--) {
		if (fits(s, l, rho))
			break;
	}
	if (l->m < LEARN_UNITS_MIN && l->variance == 0.0)
		return err_set(err, ERR_CONFIG,
		    "epsilon %g and delta %g over %u sums ask for more noise "
		    "than there can be: expected fewer rounds or more epsilon",
		    m->epsilon, m->delta, l->sums);
	if (l->m < LEARN_UNITS_MIN)
		return err_set(err, ERR_CONFIG,
		    "a sum over %u sites of %u rows with this noise could pass "
		    "2^%u with patients of %u units: expected fewer "
		    "rows-per-site%s",
		    s->n_sites, s->rows_per_site, l->bits - 1,
		    1u << LEARN_UNITS_MIN,
		    l->bits == 32 ? ", more epsilon or ring = 64" : "");
	l->scale = num_pow2((int)l->m) / m->clip;
	l->rho = privacy_rho(l->sensitivity, l->dim, l->variance, s->n_sites);
	l->epsilon = privacy_epsilon((double)l->sums * l->rho, left);
	return 0;
}

/* Everything that is known before there are data: the codebook's ranges. */
void
learn_begin(struct plan *p)
{
	for (uint32_t i = 0; i < p->spec.n_terms; i++) {
		const struct model_term *t = &p->spec.terms[i];

		p->mean[i] = plan_centre(p, i);
		p->sd[i] = 0.5 * (t->max - t->min);
		if (!(p->sd[i] > 0.0))
			p->constant |= UINT64_C(1) << i;
	}
	p->y_mean = p->spec.y_min + 0.5 * (p->spec.y_max - p->spec.y_min);
	p->y_sd = 0.5 * (p->spec.y_max - p->spec.y_min);
	p->phase = PHASE_GRADIENT;
	if (plan_parameters(p) == plan_has_intercept(p))
		plan_end(p, FIT_NO_TERMS);
}

/* Word i in two's complement; exact while it is below 2^53. */
static double
word(const void *sum, unsigned bits, size_t i)
{
	if (bits == 32)
		return (double)(int32_t)((const uint32_t *)sum)[i];
	return (double)(int64_t)((const uint64_t *)sum)[i];
}

/* Gradient ascent with momentum; the answer is the mean of the second half. */
int
learn_step(struct plan *p, const void *sum, uint32_t n_contributors)
{
	const struct model_learning *s = &p->spec.learning;
	const struct learn *l = &p->learn;
	uint32_t n = plan_parameters(p), half = s->rounds / 2;
	double count = num_pow2((int)l->m - 2), seen;

	for (uint32_t i = 0; i < l->dim; i++) {
		if (!(num_abs(word(sum, l->bits, i)) <=
			(double)n_contributors * l->largest))
			return 1;
	}
	p->iterations++;
	p->seen += word(sum, l->bits, 0) / count;
	p->clipped += word(sum, l->bits, 1) / count;
	/* The mean of what all sums so far say of how many there are. */
	seen = MAX(p->seen / (double)p->iterations, 1.0);
	for (uint32_t i = 0; i < n; i++) {
		double gradient = word(sum, l->bits, 2 + i) / l->scale / seen;

		p->step[i] = s->momentum * p->step[i] + gradient;
		p->beta[i] += s->step * p->step[i];
		if (p->iterations > half)
			p->base[i] += p->beta[i];
	}
	if (p->iterations < s->rounds)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		p->base[i] /= (double)(s->rounds - half);
		if (!num_finite(p->base[i]))
			p->base[i] = 0.0;
	}
	plan_end(p, FIT_OK);
	return 0;
}

/* Its words are plan_learn()'s dim, and read by learn_step(). */
static void
no_layout(const struct plan *p, struct layout *l)
{
	(void)p;
	(void)l;
}

const struct round_ops learn_round = { "gradient", no_layout, NULL };

void
learn_text(const struct plan *p, char *out, size_t size)
{
	struct plan_learned l;

	out[0] = '\0';
	if (plan_learned(p, &l))
		snprintf(out, size,
		    "about %.0f patients, %.1f%% of gradients clipped",
		    l.patients, 100 * l.clipped);
}

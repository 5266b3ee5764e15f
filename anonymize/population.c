#include "anonymize/population.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "anonymize/classes.h"
#include "common/err.h"
#include "common/macros.h"

#define STEPS_MAX 200
#define CLOSE 1e-10 /* the last step, relative */
#define DANKAR_FRACTION 0.1

/* How many classes there are of each size. */
struct sizes {
	size_t n, u, largest; /* rows, classes */
	double *of; /* (largest + 1) */
};

/*
 * Of those that are alone in the sample, the share alone in the population.  A
 * class of i people shows exactly one of them in a simple random sample with
 * the hypergeometric probability
 *
 *     C(i, 1) C(N - i, n - 1) / C(N, n) =
 *         n / N i product over m < i - 1 of (N - n - m) / (N - 1 - m)
 */
static double
zayatz(const struct sizes *s, double size)
{
	double n = (double)s->n, seen = 0, one = 1;

	for (size_t i = 1; i <= s->largest; i++) {
		seen += s->of[i] * (double)i * one;
		one *= MAX(size - n - (double)(i - 1), 0) /
		    MAX(size - (double)i, 1);
	}
	return seen > 0 ? s->of[1] / seen * s->of[1] / n : NAN;
}

/* Pitman's model: log likelihood, its gradient and second derivatives, for
   theta > -alpha, 0 < alpha < 1 (Hoshino 2001, section 3). */
struct point {
	double theta, alpha, value, g[2], h[3];
};

static void
evaluate(const struct sizes *s, struct point *p)
{
	double a = p->alpha, t = p->theta, sum = 0, sum1 = 0, sum2 = 0;

	p->value = p->g[0] = p->g[1] = p->h[0] = p->h[1] = p->h[2] = 0;
	for (size_t i = 1; i < s->u; i++) {
		double k = (double)i, d = t + k * a;

		p->value += log(d);
		p->g[0] += 1 / d;
		p->g[1] += k / d;
		p->h[0] -= 1 / (d * d);
		p->h[1] -= k / (d * d);
		p->h[2] -= k * k / (d * d);
	}
	for (size_t i = 1; i < s->n; i++) {
		double d = t + (double)i;

		p->value -= log(d);
		p->g[0] -= 1 / d;
		p->h[0] += 1 / (d * d);
	}
	for (size_t i = 2; i <= s->largest; i++) {
		double d = (double)(i - 1) - a;

		sum += log(d);
		sum1 += 1 / d;
		sum2 += 1 / (d * d);
		p->value += s->of[i] * sum;
		p->g[1] -= s->of[i] * sum1;
		p->h[2] -= s->of[i] * sum2;
	}
}

static bool
inside(const struct point *p)
{
	return p->alpha > 0 && p->alpha < 1 && p->theta > -p->alpha &&
	    isfinite(p->theta);
}

/* Newton's step, or that of steepest ascent, halved until it is one up. */
static bool
climb(const struct sizes *s, struct point *p)
{
	double det = p->h[0] * p->h[2] - p->h[1] * p->h[1];
	double dt = -(p->h[2] * p->g[0] - p->h[1] * p->g[1]) / det;
	double da = -(p->h[0] * p->g[1] - p->h[1] * p->g[0]) / det;

	if (!(det > 0 && p->h[0] < 0)) { /* no maximum nearby */
		dt = p->g[0] / fabs(p->h[0]);
		da = p->g[1] / fabs(p->h[2]);
	}
	for (double step = 1; step > 1e-12; step /= 2) {
		struct point q = { .theta = p->theta + step * dt,
			.alpha = p->alpha + step * da };

		if (!inside(&q))
			continue;
		evaluate(s, &q);
		if (!(q.value >= p->value))
			continue;
		dt = fabs(q.theta - p->theta) / (1 + fabs(q.theta));
		da = fabs(q.alpha - p->alpha);
		*p = q;
		return MAX(dt, da) > CLOSE;
	}
	return false;
}

static double
pitman(const struct sizes *s, double size)
{
	double n = (double)s->n, u = (double)s->u, n1 = s->of[1];
	double n2 = s->largest >= 2 ? s->of[2] : 0, c;
	struct point p;

	if (n1 < 2 || n2 < 1)
		return NAN;
	/* Moments to start from. */
	c = n1 * (n1 - 1) / n2;
	p.theta = (n * u * c - n1 * (n - 1) * (2 * u + c)) /
	    (2 * n1 * u + n1 * c - n * c);
	p.alpha = (p.theta * (n1 - n) + (n - 1) * n1) / (n * u);
	if (!inside(&p)) {
		p.alpha = 0.5;
		p.theta = 1;
	}
	evaluate(s, &p);
	for (int i = 0; i < STEPS_MAX && climb(s, &p); i++)
		;
	if (fabs(p.g[0]) * (1 + fabs(p.theta)) > 1e-4 * n ||
	    fabs(p.g[1]) > 1e-4 * n)
		return NAN; /* the maximum is at the border */
	return exp(lgamma(p.theta + 1) - lgamma(p.theta + p.alpha) +
	    (p.alpha - 1) * log(size));
}

/*
 * Slide negative binomial (Chen and McNulty 1998): a class of the population
 * has 1 + X people, X negative binomial, so that its size has the generating
 * function G(t) = t (b / (1 - (1 - b) t))^a.  Seen with probability f each, a
 * class shows i people with the i-th coefficient of G(1 - f + f t).  The K
 * classes then give, with q = 1 - f, x = (1 - b) q,
 *
 *     s1 = K f (b / (1 - x))^a (1 + a x / (1 - x))
 *     s2 = K f^2 / 2 (b / (1 - x))^a a (1 - b) (2 - x + a x) / (1 - x)^2
 *
 * and K b^a are alone in the population.  s2 / s1 makes a quadratic equation
 * for a, given b, with one positive root; s1 is then one equation for b.
 */
struct slide {
	double k, f, s1, ratio; /* ratio: 2 s2 / (f s1) */
};

static double
slide_a(const struct slide *s, double b)
{
	double c = 1 - b, x = c * (1 - s->f), d = 1 - x;
	double p = c * (2 - x) - s->ratio * d * x, q = s->ratio * d * d;

	/* c x a^2 + p a - q = 0, without cancellation */
	return p > 0 ? 2 * q / (p + sqrt(p * p + 4 * c * x * q))
		     : (sqrt(p * p + 4 * c * x * q) - p) / (2 * c * x);
}

/* log of what the model shows alone, by those that are */
static double
slide_misses(const struct slide *s, double b)
{
	double x = (1 - b) * (1 - s->f), a = slide_a(s, b);

	return log(s->k * s->f / s->s1) + a * log(b / (1 - x)) +
	    log1p(a * x / (1 - x));
}

/* The number of classes of the population: Haas and Stokes 1998 (the modified
   estimate of Shlosser), as Dankar et al. take it. */
static double
shlosser(const struct sizes *s, double f)
{
	double a = 0, b = 0, none = 0, one = 0, q2 = f * f;

	for (size_t i = 1; i <= s->largest; i++) {
		double n = (double)i, m = s->of[i];
		double miss = exp(n * log1p(-f));

		if (m == 0)
			continue;
		a += n * q2 * exp((n - 1) * log1p(-q2)) * m;
		b += miss * expm1(n * log1p(f)) * m;
		none += miss * m;
		one += n * f * miss / (1 - f) * m;
	}
	return (double)s->u + s->of[1] * (a / b) * (none / one) * (none / one);
}

#define SLIDE_STEPS 400 /* of log b, from 1e-12 to 1 */

static double
slide(const struct sizes *s, double size)
{
	double f = (double)s->n / size, n2 = s->largest >= 2 ? s->of[2] : 0;
	struct slide m = { shlosser(s, f), f, s->of[1],
		s->of[1] > 0 ? 2 * n2 / (f * s->of[1]) : 0 };
	double lo = 0, hi = 0, at_hi = 0;

	if (s->of[1] == 0 || n2 == 0)
		return NAN;
	/* From b near 1 down, which is from classes of one up: the first place
	   where the model shows as many alone as there are. */
	for (int i = 1; i < SLIDE_STEPS; i++) {
		double b = exp(-27.6 * i / SLIDE_STEPS);
		double at = slide_misses(&m, b);

		if (i > 1 && isfinite(at) && (at > 0) != (at_hi > 0)) {
			lo = b;
			break;
		}
		hi = b;
		at_hi = at;
	}
	if (lo == 0)
		return NAN;
	for (int i = 0; i < 60; i++) {
		double b = (lo + hi) / 2;

		if ((slide_misses(&m, b) > 0) == (at_hi > 0))
			hi = b;
		else
			lo = b;
	}
	return MIN(m.k * exp(slide_a(&m, lo) * log(lo)) / size, 1);
}

/* Dankar, El Emam, Neisa and Roffey 2012. */
static double
likely(const struct population *p)
{
	if (p->fraction <= DANKAR_FRACTION)
		return isnan(p->pitman) ? p->zayatz : p->pitman;
	return isnan(p->slide) ? p->zayatz : MIN(p->slide, p->zayatz);
}

int
population_estimate(
    const struct classes *c, double size, struct population *p, struct err *err)
{
	struct sizes s = { .n = c->n_rows, .u = c->n, .largest = 1 };

	for (size_t i = 0; i < c->n; i++)
		s.largest = MAX(s.largest, c->size[i]);
	if ((s.of = calloc(s.largest + 1, sizeof(*s.of))) == NULL)
		return err_sys(err, "memory for the population's estimate");
	for (size_t i = 0; i < c->n; i++)
		s.of[c->size[i]]++;
	*p = (struct population){ .size = MAX(size, (double)s.n),
		.zayatz = NAN,
		.pitman = NAN,
		.slide = NAN };
	p->fraction = (double)s.n / p->size;
	if (s.of[1] == 0 || p->fraction == 1) {
		p->zayatz = p->pitman = p->slide =
		    s.n > 0 ? s.of[1] / (double)s.n : 0;
	} else {
		p->zayatz = zayatz(&s, p->size);
		p->pitman = pitman(&s, p->size);
		p->slide = slide(&s, p->size);
	}
	p->likely = likely(p);
	free(s.of);
	return 0;
}

/*
 * Seen f of a class in a sample with fraction p, and nothing known before, the
 * population's class has F - f ~ negative binomial, and r(f) = E(1/F) is
 *
 *     integral from 0 to 1 of t^(f-1) p^f (1 - (1 - p) t)^-f dt
 *
 * (Franconi and Polettini 2004, eq. 4), for which integration by parts gives
 *
 *     r(1) = p / (1 - p) log(1 / p),  r(f) = p / (1 - p) (1 / (f - 1) - r(f-1))
 *
 * Its errors grow by p / (1 - p) a step: upwards for p <= 1/2, else downwards
 * from so far away that nothing of the start is left.
 */
#define AHEAD 100000

int
population_chance(double *r, size_t largest, double p, struct err *err)
{
	double odds = p / (1 - p), x;

	if (p >= 1) {
		for (size_t f = 1; f <= largest; f++)
			r[f] = 1 / (double)f;
		return 0;
	}
	if (!(p > 0))
		return err_set(err, ERR_CONFIG,
		    "a sampling fraction of %g, expected above 0", p);
	if (p <= 0.5) {
		r[1] = -odds * log(p);
		for (size_t f = 2; f <= largest; f++)
			r[f] = odds * (1 / (double)(f - 1) - r[f - 1]);
		return 0;
	}
	x = p / (double)(largest + AHEAD);
	for (size_t f = largest + AHEAD; f > 1; f--) {
		x = 1 / (double)(f - 1) - x / odds;
		if (f - 1 <= largest)
			r[f - 1] = x;
	}
	return 0;
}

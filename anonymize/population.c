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

/* Of those that are alone in the sample, the share alone in the population. */
static double
zayatz(const struct sizes *s, double fraction)
{
	double seen = 0;

	for (size_t i = 1; i <= s->largest; i++)
		if (s->of[i] > 0)
			seen += s->of[i] * (double)i *
			    exp((double)(i - 1) * log1p(-fraction));
	return seen > 0 ? s->of[1] / seen * s->of[1] / (double)s->n : NAN;
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
	*p = (struct population){
		.size = MAX(size, (double)s.n), .zayatz = NAN, .pitman = NAN
	};
	p->fraction = (double)s.n / p->size;
	if (p->fraction < 1) {
		p->zayatz = zayatz(&s, p->fraction);
		p->pitman = pitman(&s, p->size);
	} else if (s.n > 0) {
		p->zayatz = p->pitman = s.of[1] / (double)s.n;
	}
	p->likely = p->fraction <= DANKAR_FRACTION && !isnan(p->pitman)
	    ? p->pitman
	    : p->zayatz;
	free(s.of);
	return 0;
}

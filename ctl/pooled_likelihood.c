#include "ctl/pooled_likelihood.h"

#include <math.h>

static void
sums_add(struct pooled_sums *s, const double *x, size_t p, long double r)
{
	s->s0 += r;
	for (size_t a = 0; a < p; a++) {
		s->s1[a] += r * x[a];
		for (size_t b = 0; b < p; b++)
			s->s2[a * p + b] += r * x[a] * x[b];
	}
}

static void
sums_zero(struct pooled_sums *s, size_t p)
{
	s->s0 = 0;
	for (size_t a = 0; a < p; a++)
		s->s1[a] = 0;
	for (size_t a = 0; a < p * p; a++)
		s->s2[a] = 0;
}

static long double
predict(const double *x, const long double *beta, size_t p)
{
	long double eta = 0;

	for (size_t a = 0; a < p; a++)
		eta += x[a] * beta[a];
	return eta;
}

/* The term of one death: log and derivatives of risk - phi * deaths. */
static void
take_off(struct pooled_eval *e, size_t p, const struct pooled_sums *risk,
    const struct pooled_sums *deaths, long double phi)
{
	long double s0 = risk->s0 - phi * deaths->s0;

	e->loglik -= logl(s0);
	for (size_t a = 0; a < p; a++) {
		long double ma = (risk->s1[a] - phi * deaths->s1[a]) / s0;

		e->grad[a] -= ma;
		for (size_t b = 0; b < p; b++) {
			long double mb =
			    (risk->s1[b] - phi * deaths->s1[b]) / s0;
			long double m2 = (risk->s2[a * p + b] -
					     phi * deaths->s2[a * p + b]) /
			    s0;

			e->info[a * p + b] += m2 - ma * mb;
		}
	}
}

/* Of the rows before end, those who are at risk when row i leaves. */
static void
at_risk(const struct pooled_row *rows, size_t i, size_t end, size_t p,
    const long double *beta, struct pooled_sums *risk)
{
	sums_zero(risk, p);
	for (size_t l = 0; l < end; l++) {
		const struct pooled_row *r = &rows[l];

		if (r->stratum == rows[i].stratum && r->after < rows[i].time)
			sums_add(risk, r->x, p,
			    expl(predict(r->x, beta, p) + r->offset));
	}
}

/* rows are by stratum, then from the latest time to the earliest. */
static void
cox(const struct pooled_row *rows, size_t n, size_t p, bool efron, bool delayed,
    const long double *beta, struct pooled_sums *risk,
    struct pooled_sums *deaths, struct pooled_eval *e)
{
	for (size_t i = 0, j; i < n; i = j) {
		size_t d = 0;

		if (i == 0 || rows[i].stratum != rows[i - 1].stratum)
			sums_zero(risk, p);
		sums_zero(deaths, p);
		for (j = i; j < n && rows[j].stratum == rows[i].stratum &&
		     rows[j].time == rows[i].time;
		     j++) {
			long double eta =
			    predict(rows[j].x, beta, p) + rows[j].offset;

			sums_add(risk, rows[j].x, p, expl(eta));
			if (!rows[j].event)
				continue;
			d++;
			sums_add(deaths, rows[j].x, p, expl(eta));
			e->loglik += eta;
			for (size_t a = 0; a < p; a++)
				e->grad[a] += rows[j].x[a];
		}
		if (delayed && d > 0)
			at_risk(rows, i, j, p, beta, risk);
		for (size_t l = 0; l < d; l++)
			take_off(
			    e, p, risk, deaths, efron ? (long double)l / d : 0);
	}
}

static void
logistic(const struct pooled_row *rows, size_t n, size_t p,
    const long double *beta, struct pooled_eval *e)
{
	for (size_t i = 0; i < n; i++) {
		const double *x = rows[i].x;
		long double eta = predict(x, beta, p) + rows[i].offset;
		long double mu = 1 / (1 + expl(-eta));

		e->loglik -=
		    rows[i].event ? log1pl(expl(-eta)) : log1pl(expl(eta));
		for (size_t a = 0; a < p; a++) {
			e->grad[a] += (rows[i].event - mu) * x[a];
			for (size_t b = 0; b < p; b++)
				e->info[a * p + b] +=
				    mu * (1 - mu) * x[a] * x[b];
		}
	}
}

/* Of a mean: the variance, and what depends on it of the log-likelihood. */
static long double
variance(const struct pooled_model *m, long double mu)
{
	switch (m->family) {
	case POOLED_GAUSSIAN:
		return 1;
	case POOLED_GAMMA:
		return mu * mu;
	case POOLED_NEGBIN:
		return mu + mu * mu / m->theta;
	case POOLED_QUASIBINOMIAL:
	case POOLED_TRIALS:
		return mu * (1 - mu);
	default:
		return mu;
	}
}

static long double
log_density(const struct pooled_model *m, long double y, long double mu)
{
	switch (m->family) {
	case POOLED_GAUSSIAN:
		return -(y - mu) * (y - mu) / 2;
	case POOLED_GAMMA:
		return mu > 0 ? -y / mu - logl(mu) : -HUGE_VALL;
	case POOLED_NEGBIN:
		return y * logl(mu) - (y + m->theta) * logl(m->theta + mu);
	case POOLED_QUASIBINOMIAL:
		return logl(y != 0 ? mu : 1 - mu);
	case POOLED_TRIALS:
		return (y > 0 ? y * logl(mu) : 0) +
		    (y < 1 ? (1 - y) * logl(1 - mu) : 0);
	default:
		return y * logl(mu) - mu;
	}
}

static void
mean_of(const struct pooled_model *m, long double eta, long double *mu,
    long double *slope)
{
	*mu = m->family == POOLED_GAUSSIAN ? eta : expl(eta);
	*slope = m->family == POOLED_GAUSSIAN ? 1 : *mu;
	if (m->inverse_link) {
		*mu = 1 / eta;
		*slope = -*mu * *mu;
	}
	if (m->family == POOLED_QUASIBINOMIAL || m->family == POOLED_TRIALS ||
	    m->family == POOLED_BINOMIAL) {
		*mu = 1 / (1 + expl(-eta));
		*slope = *mu * (1 - *mu);
	}
}

/* Fisher scoring: the information is the expected one. */
static void
regression(const struct pooled_row *rows, size_t n, size_t p,
    const struct pooled_model *m, const long double *beta,
    struct pooled_eval *e)
{
	for (size_t i = 0; i < n; i++) {
		const double *x = rows[i].x;
		long double eta = predict(x, beta, p) + rows[i].offset;
		long double y = rows[i].y, w = rows[i].weight;
		long double mu, slope, v;

		mean_of(m, eta, &mu, &slope);
		v = variance(m, mu);
		e->loglik += w * log_density(m, y, mu);
		e->pearson += w * (y - mu) * (y - mu) / v;
		for (size_t a = 0; a < p; a++) {
			e->grad[a] += w * slope / v * (y - mu) * x[a];
			for (size_t b = 0; b < p; b++)
				e->info[a * p + b] +=
				    w * slope * slope / v * x[a] * x[b];
		}
	}
}

void
pooled_evaluate(const struct pooled_model *m, const struct pooled_row *rows,
    size_t n, size_t p, const long double *beta, struct pooled_sums *risk,
    struct pooled_sums *deaths, struct pooled_eval *e)
{
	e->loglik = e->pearson = 0;
	for (size_t a = 0; a < p; a++)
		e->grad[a] = 0;
	for (size_t a = 0; a < p * p; a++)
		e->info[a] = 0;
	if (m->cox)
		cox(rows, n, p, m->efron, m->entry != NULL || m->n_cuts > 0,
		    beta, risk, deaths, e);
	else if (m->family == POOLED_BINOMIAL)
		logistic(rows, n, p, beta, e);
	else
		regression(rows, n, p, m, beta, e);
}

long double
pooled_score(const struct pooled_model *m, const struct pooled_row *r,
    const long double *beta, size_t p)
{
	long double mu, slope;

	mean_of(m, predict(r->x, beta, p) + r->offset, &mu, &slope);
	if (m->family == POOLED_BINOMIAL)
		return r->event - mu;
	return r->weight * slope / variance(m, mu) * (r->y - mu);
}

long double
pooled_risk(const struct pooled_row *r, const long double *beta, size_t p)
{
	return expl(predict(r->x, beta, p) + r->offset);
}

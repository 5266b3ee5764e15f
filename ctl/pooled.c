#include "ctl/pooled.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define MAGIC "CSLMTABL"
#define COLUMNS_MAX 1024
#define NAME_MAX_LEN 63
#define TERMS_MAX 1024
#define ITERATIONS_MAX 200 /* Fisher scoring may take many */

struct row {
	double time, after; /* is at risk after `after` and until `time` */
	double y; /* gaussian and poisson */
	bool event;
	double offset, weight;
	size_t stratum, site;
	double *x; /* (n_terms) */
};

struct pooled {
	const struct pooled_model *model;
	struct row *rows; /* (n) */
	size_t n;
};

/* What one evaluation at beta gives.  p is the number of coefficients. */
struct eval {
	long double loglik;
	long double pearson; /* sum of squared Pearson residuals */
	long double *grad; /* (p) */
	long double *info; /* (p, p): minus the second derivatives */
};

struct pooled *
pooled_new(const struct pooled_model *model, struct err *err)
{
	struct pooled *p;

	if ((model->n_terms < 1 && !model->km) || model->n_terms > TERMS_MAX) {
		err_set(err, ERR_CONFIG, "%zu terms, expected 1 to %d",
		    model->n_terms, TERMS_MAX);
		return NULL;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		err_sys(err, "pooled fit");
		return NULL;
	}
	p->model = model;
	return p;
}

void
pooled_free(struct pooled *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->rows[i].x);
	free(p->rows);
	free(p);
}

/*
 * Tables
 */

struct file {
	uint8_t *data;
	size_t len, n_rows, n_columns;
	const uint8_t *names, *values;
};

static uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static double
table_value(const struct file *t, size_t column, size_t row)
{
	const uint8_t *p = t->values + 8 * (column * t->n_rows + row);
	uint64_t bits = 0;
	double v;

	for (size_t i = 8; i-- > 0;)
		bits = bits << 8 | p[i];
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static int
load(struct file *t, const char *path, struct err *err)
{
	uint8_t *more;
	size_t cap = 0, n;
	FILE *f = fopen(path, "rbe");

	if (f == NULL)
		return err_sys(err, "open %s", path);
	do {
		if (t->len == cap) {
			cap = cap == 0 ? 1 << 16 : 2 * cap;
			if ((more = realloc(t->data, cap)) == NULL) {
				fclose(f);
				return err_sys(err, "read %s", path);
			}
			t->data = more;
		}
		n = fread(t->data + t->len, 1, cap - t->len, f);
		t->len += n;
	} while (n > 0);
	if (ferror(f)) {
		fclose(f);
		return err_sys(err, "read %s", path);
	}
	fclose(f);
	return 0;
}

/* Find names and values in the bytes; the layout is in study/table.h. */
static int
parse(struct file *t, const char *path, struct err *err)
{
	size_t at = 8 + 4 + 32 + 8 + 4, len;

	if (t->len < at || memcmp(t->data, MAGIC, 8) != 0 ||
	    big_endian(t->data + 8, 4) != 1)
		return err_set(
		    err, ERR_FORMAT, "%s: not a table of version 1", path);
	t->n_rows = big_endian(t->data + 44, 8);
	t->n_columns = big_endian(t->data + 52, 4);
	if (t->n_columns > COLUMNS_MAX || t->n_rows > (uint64_t)1 << 32)
		return err_set(err, ERR_FORMAT, "%s: too large", path);
	t->names = t->data + at;
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->len - at < 4 ||
		    (len = big_endian(t->data + at, 4)) > NAME_MAX_LEN ||
		    t->len - at - 4 < len)
			return err_set(err, ERR_FORMAT,
			    "%s: bad name of column %zu", path, i + 1);
		at += 4 + len;
	}
	at = (at + 7) / 8 * 8;
	if (at > t->len || t->len - at != 8 * t->n_columns * t->n_rows)
		return err_set(err, ERR_FORMAT,
		    "%s: %zu bytes, expected %zu rows of %zu columns", path,
		    t->len, t->n_rows, t->n_columns);
	t->values = t->data + at;
	return 0;
}

static int
find(const struct file *t, const char *path, const char *name, size_t *column,
    struct err *err)
{
	const uint8_t *p = t->names;

	for (size_t i = 0; i < t->n_columns; i++) {
		size_t len = big_endian(p, 4);

		if (len == strlen(name) && memcmp(p + 4, name, len) == 0) {
			*column = i;
			return 0;
		}
		p += 4 + len;
	}
	return err_set(err, ERR_FORMAT, "%s: no column %s", path, name);
}

/* Where the columns of the model are in a table. */
struct columns {
	size_t time, entry, event, offset, weights;
	size_t *terms; /* (n_terms, POOLED_FACTORS_MAX) */
	size_t *strata;
};

static int
find_all(const struct pooled_model *m, const struct file *t, const char *path,
    struct columns *c, struct err *err)
{
	if ((m->cox || m->km) && find(t, path, m->time, &c->time, err) < 0)
		return -1;
	if (m->entry != NULL && find(t, path, m->entry, &c->entry, err) < 0)
		return -1;
	if (find(t, path, m->event, &c->event, err) < 0 ||
	    (m->offset != NULL &&
		find(t, path, m->offset, &c->offset, err) < 0) ||
	    (m->weights != NULL &&
		find(t, path, m->weights, &c->weights, err) < 0))
		return -1;
	for (size_t i = 0; i < m->n_terms; i++) {
		size_t *at = c->terms + i * POOLED_FACTORS_MAX;

		for (size_t k = 0; k < m->terms[i].n_factors; k++) {
			if (find(t, path, m->terms[i].factors[k].column, at + k,
				err) < 0)
				return -1;
		}
	}
	for (size_t i = 0; i < m->n_strata; i++)
		if (find(t, path, m->strata[i].column, &c->strata[i], err) < 0)
			return -1;
	return 0;
}

static long double
plus_cubed(long double x)
{
	return x > 0 ? x * x * x : 0;
}

/* Harrell's restricted cubic spline, from its truncated powers. */
static long double
spline(const struct pooled_factor *f, long double x)
{
	long double first = f->knots[0], t = f->knots[f->spline];
	long double b = f->knots[f->n_knots - 2], a = f->knots[f->n_knots - 1];

	return (plus_cubed(x - t) -
		   (plus_cubed(x - b) * (a - t) - plus_cubed(x - a) * (b - t)) /
		       (a - b)) /
	    powl(a - first, 2);
}

static long double
factor(const struct pooled_factor *f, double v)
{
	if (f->level != POOLED_NUMBER)
		return v == (double)f->level;
	if (f->n_knots > 0)
		return spline(f, v);
	if (f->log)
		return logl(v);
	return f->power > 1 ? powl(v, (long double)f->power) : v;
}

static int
add_row(struct pooled *p, size_t site, const struct file *t,
    const struct columns *c, size_t i, struct err *err)
{
	const struct pooled_model *m = p->model;
	struct row *r = &p->rows[p->n];

	if ((r->x = calloc(m->n_terms + 1, sizeof(*r->x))) == NULL)
		return err_sys(err, "pooled fit");
	p->n++;
	r->time = m->cox || m->km ? table_value(t, c->time, i) : 0;
	r->after = m->entry != NULL ? table_value(t, c->entry, i) : -INFINITY;
	r->y = table_value(t, c->event, i);
	r->event = m->causes ? r->y != (double)m->censored : r->y != 0;
	r->offset = m->offset != NULL ? table_value(t, c->offset, i) : 0;
	if (m->offset_is_log)
		r->offset = log(r->offset);
	r->weight = m->weights != NULL ? table_value(t, c->weights, i) : 1;
	if (m->family == POOLED_TRIALS && r->weight > 0)
		r->y /= r->weight;
	r->stratum = m->strata_by_site ? site : 0;
	r->site = site;
	for (size_t k = 0; k < m->n_strata; k++)
		r->stratum = r->stratum * m->strata[k].n_levels +
		    (size_t)table_value(t, c->strata[k], i);
	for (size_t k = 0; k < m->n_terms; k++) {
		const struct pooled_term *term = &m->terms[k];
		long double v = 1;

		for (size_t j = 0; j < term->n_factors; j++)
			v *= factor(&term->factors[j],
			    table_value(
				t, c->terms[k * POOLED_FACTORS_MAX + j], i));
		r->x[k] = (double)v;
	}
	return 0;
}

/* Cut a row in stretches; terms of a piece are 0 in all others. */
static int
split_row(struct pooled *p, struct err *err)
{
	const struct pooled_model *m = p->model;
	struct row *r = &p->rows[p->n - 1];

	for (size_t piece = 0; piece <= m->n_cuts; piece++) {
		double end = piece < m->n_cuts ? m->cuts[piece] : INFINITY;
		bool more = r->time > end;
		struct row rest = *r;

		if (r->after >= end)
			continue;
		if (more) {
			rest.x = calloc(m->n_terms + 1, sizeof(*rest.x));
			if (rest.x == NULL)
				return err_sys(err, "pooled fit");
			memcpy(rest.x, r->x, m->n_terms * sizeof(*rest.x));
			rest.after = r->time = end;
			r->event = false;
		}
		for (size_t k = 0; k < m->n_terms; k++)
			if (m->terms[k].piece != 0 &&
			    m->terms[k].piece != piece)
				r->x[k] = 0;
		if (!more)
			break;
		p->rows[p->n++] = rest;
		r = &p->rows[p->n - 1];
	}
	return 0;
}

int
pooled_add(struct pooled *p, size_t site, const char *path, struct err *err)
{
	const struct pooled_model *m = p->model;
	struct columns c = { 0 };
	struct file t = { 0 };
	struct row *rows;
	int rv = -1;

	c.terms = calloc(m->n_terms * POOLED_FACTORS_MAX + 1, sizeof(*c.terms));
	c.strata = calloc(m->n_strata + 1, sizeof(*c.strata));
	if (c.terms == NULL || c.strata == NULL) {
		err_sys(err, "pooled fit");
		goto out;
	}
	if (load(&t, path, err) < 0 || parse(&t, path, err) < 0 ||
	    find_all(m, &t, path, &c, err) < 0)
		goto out;
	rows = realloc(
	    p->rows, (p->n + t.n_rows * (m->n_cuts + 1) + 1) * sizeof(*rows));
	if (rows == NULL) {
		err_sys(err, "pooled fit");
		goto out;
	}
	p->rows = rows;
	for (size_t i = 0; i < t.n_rows; i++)
		if (add_row(p, site, &t, &c, i, err) < 0 ||
		    (m->n_cuts > 0 && split_row(p, err) < 0))
			goto out;
	rv = 0;
out:
	free(c.terms);
	free(c.strata);
	free(t.data);
	return rv;
}

/*
 * The likelihoods and their derivatives.  Rows are copies with centred terms:
 * Cox does not see the shift, the others have it taken out of the
 * intercept at the end.
 */

/* Sums over a set of rows of r, r x and r x x', r = exp(x beta). */
struct sums {
	long double s0;
	long double *s1; /* (p) */
	long double *s2; /* (p, p) */
};

static void
sums_add(struct sums *s, const double *x, size_t p, long double r)
{
	s->s0 += r;
	for (size_t a = 0; a < p; a++) {
		s->s1[a] += r * x[a];
		for (size_t b = 0; b < p; b++)
			s->s2[a * p + b] += r * x[a] * x[b];
	}
}

static void
sums_zero(struct sums *s, size_t p)
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
take_off(struct eval *e, size_t p, const struct sums *risk,
    const struct sums *deaths, long double phi)
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
at_risk(const struct row *rows, size_t i, size_t end, size_t p,
    const long double *beta, struct sums *risk)
{
	sums_zero(risk, p);
	for (size_t l = 0; l < end; l++) {
		const struct row *r = &rows[l];

		if (r->stratum == rows[i].stratum && r->after < rows[i].time)
			sums_add(risk, r->x, p,
			    expl(predict(r->x, beta, p) + r->offset));
	}
}

/* rows are by stratum, then from the latest time to the earliest. */
static void
cox(const struct row *rows, size_t n, size_t p, bool efron, bool delayed,
    const long double *beta, struct sums *risk, struct sums *deaths,
    struct eval *e)
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
logistic(const struct row *rows, size_t n, size_t p, const long double *beta,
    struct eval *e)
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
		return -y / mu - logl(mu);
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
	if (m->family == POOLED_QUASIBINOMIAL || m->family == POOLED_TRIALS ||
	    m->family == POOLED_BINOMIAL) {
		*mu = 1 / (1 + expl(-eta));
		*slope = *mu * (1 - *mu);
	}
}

/* Fisher scoring: the information is the expected one. */
static void
regression(const struct row *rows, size_t n, size_t p,
    const struct pooled_model *m, const long double *beta, struct eval *e)
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

/*
 * Inverse of a symmetric positive definite matrix by Gauss-Jordan, in place;
 * -1 if a pivot has lost all its digits.
 */
static int
invert(long double *m, size_t p)
{
	long double diagonal[TERMS_MAX + 1];

	for (size_t a = 0; a < p; a++)
		diagonal[a] = m[a * p + a];
	for (size_t k = 0; k < p; k++) {
		long double pivot = m[k * p + k];

		if (!(pivot > 1e-14L * diagonal[k]))
			return -1;
		m[k * p + k] = 1;
		for (size_t b = 0; b < p; b++)
			m[k * p + b] /= pivot;
		for (size_t a = 0; a < p; a++) {
			long double f = m[a * p + k];

			if (a == k)
				continue;
			m[a * p + k] = 0;
			for (size_t b = 0; b < p; b++)
				m[a * p + b] -= f * m[k * p + b];
		}
	}
	return 0;
}

/*
 * Newton
 */

struct work {
	const struct pooled_model *model;
	struct row *rows; /* copies; x is (p), shifted */
	size_t n, p;
	double *x; /* (n, p) */
	double *shift; /* (p) */
	long double *penalty; /* (p) of half the square of a coefficient */
	long double *u; /* (p) a cluster's scores */
	long double *meat, *half, *out; /* (p, p) */
	struct sums risk, deaths;
	struct eval e;
	long double *beta, *step; /* (p) */
};

static void
evaluate(struct work *w, const long double *beta)
{
	w->e.loglik = w->e.pearson = 0;
	for (size_t a = 0; a < w->p; a++)
		w->e.grad[a] = 0;
	for (size_t a = 0; a < w->p * w->p; a++)
		w->e.info[a] = 0;
	if (w->model->cox)
		cox(w->rows, w->n, w->p, w->model->efron,
		    w->model->entry != NULL || w->model->n_cuts > 0, beta,
		    &w->risk, &w->deaths, &w->e);
	else if (w->model->family == POOLED_BINOMIAL)
		logistic(w->rows, w->n, w->p, beta, &w->e);
	else
		regression(w->rows, w->n, w->p, w->model, beta, &w->e);
	for (size_t a = 0; a < w->p; a++) {
		w->e.loglik -= w->penalty[a] * beta[a] * beta[a] / 2;
		w->e.grad[a] -= w->penalty[a] * beta[a];
		w->e.info[a * w->p + a] += w->penalty[a];
	}
}

/* lambda times the variance of each term. */
static void
penalize(struct work *w)
{
	long double n = w->n;

	for (size_t a = 1; a < w->p && w->model->ridge > 0; a++) {
		long double sum = 0, square = 0;

		for (size_t i = 0; i < w->n; i++) {
			long double x = w->rows[i].x[a];

			sum += x;
			square += x * x;
		}
		w->penalty[a] = (long double)w->model->ridge *
		    (square / n - sum / n * (sum / n));
	}
}

/* The log-likelihood of the logistic model without any term. */
static double
intercept_only(double n, double events)
{
	return (events > 0 ? events * log(events / n) : 0) +
	    (events < n ? (n - events) * log1p(-events / n) : 0);
}

/* Where there is an intercept: the model without any term. */
static void
start(struct work *w)
{
	long double sum = 0;

	if (w->model->cox || w->model->family == POOLED_BINOMIAL || w->n == 0)
		return;
	for (size_t i = 0; i < w->n; i++)
		sum += w->rows[i].y;
	if (w->model->family != POOLED_QUASIBINOMIAL &&
	    w->model->family != POOLED_TRIALS)
		w->beta[0] = w->model->family == POOLED_GAUSSIAN
		    ? sum / w->n
		    : logl(sum / w->n);
	/* Without an offset that is the model without any term. */
	for (size_t i = 0; i < w->n; i++)
		w->beta[0] -= (long double)w->rows[i].offset / w->n;
}

/*
 * With its constant, and the variance at its maximum: gaussian and poisson.
 * The others have only what depends on the coefficients.
 */
static double
full_loglik(const struct work *w)
{
	long double l = w->e.loglik, n = w->n;

	if (w->model->cox || w->model->family == POOLED_BINOMIAL)
		return (double)l;
	if (w->model->family == POOLED_GAUSSIAN)
		return (
		    double)(-n / 2 * (logl(2 * M_PI * w->e.pearson / n) + 1));
	if (w->model->family != POOLED_POISSON &&
	    w->model->family != POOLED_QUASIPOISSON)
		return (double)l;
	for (size_t i = 0; i < w->n; i++)
		l -= lgammal((long double)w->rows[i].y + 1);
	return (double)l;
}

/*
 * What the variance of a family with a dispersion is larger by; e.info is
 * inverted.
 */
static long double
dispersion(const struct work *w)
{
	long double left = w->n;

	if (w->model->cox || w->model->family == POOLED_BINOMIAL ||
	    w->model->family == POOLED_POISSON ||
	    w->model->family == POOLED_NEGBIN ||
	    w->model->family == POOLED_TRIALS)
		return 1;
	for (size_t a = 0; a < w->p; a++)
		left -= 1 - w->e.info[a * w->p + a] * w->penalty[a];
	return left > 0 ? w->e.pearson / left : 1;
}

/*
 * To the maximum; leaves the inverse information in w->e.info.  A step that
 * makes the likelihood smaller is halved.
 */
static int
newton(struct work *w, struct pooled_fit *fit, struct err *err)
{
	size_t p = w->p;
	long double best, largest, halved;

	bool binomial = !w->model->cox && w->model->family == POOLED_BINOMIAL;

	start(w);
	evaluate(w, w->beta);
	fit->loglik_null = binomial
	    ? intercept_only((double)fit->n, (double)fit->n_events)
	    : full_loglik(w);
	for (; fit->iterations < ITERATIONS_MAX; fit->iterations++) {
		best = w->e.loglik;
		if (invert(w->e.info, p) < 0)
			return err_set(err, ERR_NUMERIC,
			    "pooled fit: the information matrix is singular");
		largest = 0;
		for (size_t a = 0; a < p; a++) {
			long double se = sqrtl(w->e.info[a * p + a]);

			w->step[a] = 0;
			for (size_t b = 0; b < p; b++)
				w->step[a] +=
				    w->e.info[a * p + b] * w->e.grad[b];
			largest = fmaxl(largest, fabsl(w->step[a]) / se);
		}
		if (largest < 1e-13L * sqrtl(dispersion(w))) {
			fit->converged = true;
			break;
		}
		halved = 1;
		for (;;) {
			for (size_t a = 0; a < p; a++)
				w->beta[a] += halved * w->step[a];
			evaluate(w, w->beta);
			if (w->e.loglik >= best - 1e-12L * fabsl(best))
				break;
			for (size_t a = 0; a < p; a++)
				w->beta[a] -= halved * w->step[a];
			if ((halved /= 2) < 1e-6L)
				return err_set(err, ERR_NUMERIC,
				    "pooled fit: no step helps");
		}
	}
	fit->loglik = full_loglik(w);
	return fit->converged
	    ? 0
	    : err_set(err, ERR_NUMERIC, "pooled fit: no maximum after %d steps",
		  ITERATIONS_MAX);
}

/* The largest start that is not after time; -1 if there is none. */
static int
snap(const struct pooled_grid *g, double *time)
{
	size_t i = g->n;

	while (i > 0 && g->starts[i - 1] > *time)
		i--;
	if (i == 0)
		return -1;
	*time = g->starts[i - 1];
	return 0;
}

/* The start before that of the interval it enters; it may enter none. */
static double
snap_entry(const struct pooled_grid *g, double after)
{
	size_t i = 0;

	while (i < g->n && g->lasts[i] <= after)
		i++;
	return i == 0 ? -INFINITY : g->starts[i - 1];
}

static int
by_stratum_latest_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->stratum != y->stratum)
		return x->stratum < y->stratum ? -1 : 1;
	return (x->time < y->time) - (x->time > y->time);
}

/* Copy the rows that count, on the grid, terms minus their means. */
static int
prepare(struct work *w, const struct pooled *p, const struct pooled_grid *grids,
    size_t n_grids, struct pooled_fit *fit, struct err *err)
{
	size_t first = p->model->cox ? 0 : 1; /* behind the intercept */

	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->model->n_terms; k++)
			w->shift[first + k] += p->rows[i].x[k] / (double)p->n;
	for (size_t i = 0; i < p->n; i++) {
		struct row r = p->rows[i];

		fit->n_events += r.event;
		if (n_grids > 0) {
			if (r.stratum >= n_grids)
				return err_set(err, ERR_FORMAT,
				    "stratum %zu has no grid", r.stratum);
			if (p->model->entry != NULL || p->model->n_cuts > 0)
				r.after =
				    snap_entry(&grids[r.stratum], r.after);
			if (snap(&grids[r.stratum], &r.time) < 0)
				continue;
		}
		if (r.weight == 0)
			continue;
		r.x = w->x + w->n * w->p;
		if (first == 1)
			r.x[0] = 1;
		for (size_t k = 0; k < p->model->n_terms; k++)
			r.x[first + k] = p->rows[i].x[k] - w->shift[first + k];
		w->rows[w->n++] = r;
	}
	qsort(w->rows, w->n, sizeof(*w->rows), by_stratum_latest_first);
	fit->n = p->n;
	fit->n_coef = w->p;
	penalize(w);
	return 0;
}

/* U U' of a cluster is added to the sum; U begins anew. */
static void
close_cluster(long double *u, size_t p, long double *sum)
{
	for (size_t a = 0; a < p; a++) {
		for (size_t b = 0; b < p; b++)
			sum[a * p + b] += u[a] * u[b];
	}
	for (size_t a = 0; a < p; a++)
		u[a] = 0;
}

/* The scores of row i are added to u. */
static void
add_scores(const struct work *w, size_t i, long double *u)
{
	const struct row *r = &w->rows[i];
	const struct pooled_model *m = w->model;
	bool binomial = m->family == POOLED_BINOMIAL;
	long double mu, slope, s;

	mean_of(m, predict(r->x, w->beta, w->p) + r->offset, &mu, &slope);
	s = binomial ? r->event - mu
		     : r->weight * slope / variance(m, mu) * (r->y - mu);
	for (size_t a = 0; a < w->p; a++)
		u[a] += s * r->x[a];
}

/* out is v m v. */
static void
both_sides(const long double *v, const long double *m, size_t p,
    long double *half, long double *out)
{
	for (size_t k = 0; k < p * p; k++)
		half[k] = out[k] = 0;
	for (size_t a = 0; a < p; a++)
		for (size_t b = 0; b < p; b++)
			for (size_t k = 0; k < p; k++)
				half[a * p + b] += v[a * p + k] * m[k * p + b];
	for (size_t a = 0; a < p; a++)
		for (size_t b = 0; b < p; b++)
			for (size_t k = 0; k < p; k++)
				out[a * p + b] +=
				    half[a * p + k] * v[k * p + b];
}

/* The sum of U U' over rows or over sites. */
static void
add_clusters(struct work *w)
{
	size_t last = 0;

	if (w->model->errors == POOLED_BY_ROW) {
		for (size_t i = 0; i < w->n; i++) {
			add_scores(w, i, w->u);
			close_cluster(w->u, w->p, w->meat);
		}
		return;
	}
	for (size_t i = 0; i < w->n; i++)
		last = w->rows[i].site > last ? w->rows[i].site : last;
	for (size_t site = 0; site <= last; site++) {
		for (size_t i = 0; i < w->n; i++)
			if (w->rows[i].site == site)
				add_scores(w, i, w->u);
		close_cluster(w->u, w->p, w->meat);
	}
}

/*
 * The covariance of the coefficients takes the place of e.info = v, the inverse
 * of information and penalty P: v - v P v of what is shrunk; or a sandwich.
 */
static void
covariance(struct work *w)
{
	size_t p = w->p;
	long double scale = dispersion(w), *v = w->e.info;

	bool robust = w->model->errors != POOLED_OF_MODEL && !w->model->cox;

	if (robust)
		add_clusters(w);
	for (size_t a = 0; a < p; a++)
		w->meat[a * p + a] += w->penalty[a];
	both_sides(v, w->meat, p, w->half, w->out);
	for (size_t k = 0; k < p * p; k++)
		v[k] = robust ? w->out[k] : (v[k] - w->out[k]) * scale;
}

/* Coefficients and standard errors; the intercept is moved back. */
static void
finish(const struct work *w, struct pooled_fit *fit)
{
	size_t p = w->p;
	const long double *v = w->e.info;

	for (size_t a = 0; a < p; a++) {
		fit->coef[a] = (double)w->beta[a];
		fit->se[a] = (double)sqrtl(v[a * p + a]);
	}
	if (!w->model->cox) {
		/* intercept = beta_0 - sum shift_k beta_k = c' beta */
		long double coef = 0, var = 0;

		for (size_t a = 0; a < p; a++) {
			long double ca = a == 0 ? 1 : -w->shift[a];

			coef += ca * w->beta[a];
			for (size_t b = 0; b < p; b++)
				var += ca * v[a * p + b] *
				    (b == 0 ? 1 : -w->shift[b]);
		}
		fit->coef[0] = (double)coef;
		fit->se[0] = (double)sqrtl(var);
	}
}

/*
 * A grid of one stratum's own
 */

struct interval {
	double start;
	size_t leavers, events;
};

static bool
enough(const struct interval *v, size_t step, bool efron)
{
	size_t censored = v->leavers - v->events;

	if (v->events == 0 || v->leavers < step)
		return false;
	return !efron ||
	    (v->events >= step && (censored == 0 || censored >= step));
}

/* rows: (n) of one stratum, latest first.  out has room for n. */
static size_t
make_intervals(const struct row *rows, size_t n, size_t step, bool efron,
    struct interval *out)
{
	struct interval open = { 0 }, rest = { 0 };
	size_t k = 0;

	for (size_t i = 0, j; i < n; i = j) {
		size_t before = open.events;

		for (j = i; j < n && rows[j].time == rows[i].time; j++) {
			open.leavers++;
			open.events += rows[j].event;
		}
		if (open.events == before)
			continue;
		open.start = rows[i].time;
		rest = open; /* who leaves before any event is at no risk */
		if (enough(&open, step, efron)) {
			out[k++] = open;
			memset(&open, 0, sizeof(open));
			memset(&rest, 0, sizeof(rest));
		}
	}
	if (k == 0 || rest.events == 0)
		return k;
	/* What is left at the beginning goes to its neighbours. */
	out[k++] = rest;
	while (k > 1) {
		out[k - 2].start = out[k - 1].start;
		out[k - 2].leavers += out[k - 1].leavers;
		out[k - 2].events += out[k - 1].events;
		k--;
		if (enough(&out[k - 1], step, efron))
			return k;
	}
	return 0;
}

int
pooled_grid_make(const struct pooled *p, size_t stratum, size_t step,
    double **starts, size_t *n, struct err *err)
{
	struct row *rows = calloc(p->n + 1, sizeof(*rows));
	struct interval *v = calloc(p->n + 1, sizeof(*v));
	size_t n_rows = 0;
	int rv = -1;

	*starts = calloc(p->n + 1, sizeof(**starts));
	if (rows == NULL || v == NULL || *starts == NULL) {
		err_sys(err, "pooled fit");
		free(*starts);
		*starts = NULL;
		goto out;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].stratum == stratum)
			rows[n_rows++] = p->rows[i];
	qsort(rows, n_rows, sizeof(*rows), by_stratum_latest_first);
	*n = make_intervals(rows, n_rows, step, p->model->efron, v);
	for (size_t i = 0; i < *n; i++)
		(*starts)[i] = v[*n - 1 - i].start;
	rv = 0;
out:
	free(rows);
	free(v);
	return rv;
}

static void *
zeroed(size_t n, size_t size, bool *failed)
{
	void *p = calloc(n == 0 ? 1 : n, size);

	if (p == NULL)
		*failed = true;
	return p;
}

int
pooled_fit(const struct pooled *p, const struct pooled_grid *grids,
    size_t n_grids, struct pooled_fit *fit, struct err *err)
{
	struct work w = { .model = p->model };
	bool failed = false;
	int rv = -1;

	memset(fit, 0, sizeof(*fit));
	w.p = p->model->n_terms + (p->model->cox ? 0 : 1);
	w.rows = zeroed(p->n, sizeof(*w.rows), &failed);
	w.x = zeroed(p->n * w.p, sizeof(*w.x), &failed);
	w.shift = zeroed(w.p, sizeof(*w.shift), &failed);
	w.penalty = zeroed(w.p, sizeof(*w.penalty), &failed);
	w.u = zeroed(w.p, sizeof(*w.u), &failed);
	w.meat = zeroed(w.p * w.p, sizeof(*w.meat), &failed);
	w.half = zeroed(w.p * w.p, sizeof(*w.half), &failed);
	w.out = zeroed(w.p * w.p, sizeof(*w.out), &failed);
	w.beta = zeroed(w.p, sizeof(*w.beta), &failed);
	w.step = zeroed(w.p, sizeof(*w.step), &failed);
	w.risk.s1 = zeroed(w.p, sizeof(*w.risk.s1), &failed);
	w.risk.s2 = zeroed(w.p * w.p, sizeof(*w.risk.s2), &failed);
	w.deaths.s1 = zeroed(w.p, sizeof(*w.deaths.s1), &failed);
	w.deaths.s2 = zeroed(w.p * w.p, sizeof(*w.deaths.s2), &failed);
	w.e.grad = zeroed(w.p, sizeof(*w.e.grad), &failed);
	w.e.info = zeroed(w.p * w.p, sizeof(*w.e.info), &failed);
	fit->coef = zeroed(w.p, sizeof(*fit->coef), &failed);
	fit->se = zeroed(w.p, sizeof(*fit->se), &failed);
	if (failed)
		err_sys(err, "pooled fit");
	else if (prepare(&w, p, grids, n_grids, fit, err) == 0 &&
	    newton(&w, fit, err) == 0) {
		covariance(&w);
		finish(&w, fit);
		rv = 0;
	}
	free(w.rows);
	free(w.x);
	free(w.shift);
	free(w.penalty);
	free(w.u);
	free(w.meat);
	free(w.half);
	free(w.out);
	free(w.beta);
	free(w.step);
	free(w.risk.s1);
	free(w.risk.s2);
	free(w.deaths.s1);
	free(w.deaths.s2);
	free(w.e.grad);
	free(w.e.info);
	if (rv < 0)
		pooled_fit_clear(fit);
	return rv;
}

void
pooled_fit_clear(struct pooled_fit *fit)
{
	free(fit->coef);
	free(fit->se);
	memset(fit, 0, sizeof(*fit));
}

/*
 * Survival
 */

/* Rows of a cell whose time is from start on and before end. */
static void
count_cell(const struct pooled *p, size_t cell, double start, double end,
    double *rows, double *events)
{
	*rows = *events = 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct row *r = &p->rows[i];

		if (r->stratum != cell || !(r->time >= start && r->time < end))
			continue;
		*rows += 1;
		*events += r->event;
	}
}

static bool
is_left_out(const struct pooled *p, size_t cell, size_t step)
{
	double s = (double)step, rows, events;

	count_cell(p, cell, -HUGE_VAL, HUGE_VAL, &rows, &events);
	return rows < s || (events > 0 && events < s) ||
	    (rows > events && rows - events < s);
}

static size_t
n_cells(const struct pooled *p)
{
	size_t n = 1;

	for (size_t k = 0; k < p->model->n_strata; k++)
		n *= p->model->strata[k].n_levels;
	return n;
}

static double
end_of(const struct pooled_grid *grid, size_t i)
{
	return i + 1 < grid->n ? grid->starts[i + 1] : HUGE_VAL;
}

void
pooled_survival(const struct pooled *p, size_t group, size_t step,
    const struct pooled_grid *grid, double *survival, double *se)
{
	long double s = 1, greenwood = 0;

	for (size_t i = 0; i < grid->n; i++) {
		double rows, events, at_risk = 0, deaths = 0;

		for (size_t c = group; c < n_cells(p);
		     c += p->model->n_groups) {
			if (is_left_out(p, c, step))
				continue;
			count_cell(
			    p, c, grid->starts[i], HUGE_VAL, &rows, &events);
			at_risk += rows;
			count_cell(p, c, grid->starts[i], end_of(grid, i),
			    &rows, &events);
			deaths += events;
		}
		if (deaths > 0) {
			s *= 1 - (long double)deaths / at_risk;
			greenwood +=
			    (long double)deaths / at_risk / (at_risk - deaths);
		}
		survival[i] = deaths < at_risk || s > 0 ? (double)s : 0;
		se[i] = s > 0 ? (double)(s * sqrtl(greenwood)) : NAN;
	}
}

/* Rows of a cell that leave from start on and before end with this level. */
static double
count_level(
    const struct pooled *p, size_t cell, double start, double end, size_t level)
{
	double n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct row *r = &p->rows[i];

		n += r->stratum == cell && r->time >= start && r->time < end &&
		    r->y == (double)level;
	}
	return n;
}

static bool
has_few_of_a_level(const struct pooled *p, size_t cell, size_t step)
{
	double rows = 0;
	bool few = false;

	for (size_t k = 0; k < p->model->n_events; k++) {
		double n = count_level(p, cell, -HUGE_VAL, HUGE_VAL, k);

		rows += n;
		few = few || (n > 0 && n < (double)step);
	}
	return few || rows < (double)step;
}

void
pooled_incidence(const struct pooled *p, size_t group, size_t level,
    size_t step, const struct pooled_grid *grid, double *incidence)
{
	long double s = 1, f = 0;

	for (size_t i = 0; i < grid->n; i++) {
		double rows, events, at_risk = 0, all = 0, own = 0;

		for (size_t c = group; c < n_cells(p);
		     c += p->model->n_groups) {
			if (has_few_of_a_level(p, c, step))
				continue;
			count_cell(
			    p, c, grid->starts[i], HUGE_VAL, &rows, &events);
			at_risk += rows;
			count_cell(p, c, grid->starts[i], end_of(grid, i),
			    &rows, &events);
			all += events;
			own += count_level(
			    p, c, grid->starts[i], end_of(grid, i), level);
		}
		if (all > 0) {
			f += s * own / at_risk;
			s *= 1 - (long double)all / at_risk;
		}
		incidence[i] = (double)f;
	}
}

/* Observed less expected, and its variance, over the groups of a stratum. */
static void
compare_groups(const struct pooled *p, size_t stratum, size_t step,
    const struct pooled_grid *grid, long double *u, long double *v,
    double *at_risk, double *deaths)
{
	size_t g = p->model->n_groups;

	for (size_t i = 0; i < grid->n; i++) {
		long double n = 0, d = 0;

		for (size_t a = 0; a < g; a++) {
			double rows, events;

			at_risk[a] = deaths[a] = 0;
			if (is_left_out(p, stratum * g + a, step))
				continue;
			count_cell(p, stratum * g + a, grid->starts[i],
			    HUGE_VAL, &at_risk[a], &events);
			count_cell(p, stratum * g + a, grid->starts[i],
			    end_of(grid, i), &rows, &deaths[a]);
			n += at_risk[a];
			d += deaths[a];
		}
		if (!(d > 0))
			continue;
		for (size_t a = 0; a < g; a++) {
			u[a] += deaths[a] - d * at_risk[a] / n;
			for (size_t b = 0; n > 1 && b < g; b++)
				v[a * g + b] += d * (n - d) / (n - 1) *
				    ((a == b ? at_risk[a] / n : 0) -
					at_risk[a] / n * at_risk[b] / n);
		}
	}
}

/* Of the groups with some variance, all but the last. */
static double
quadratic_form(long double *u, long double *v, size_t g)
{
	size_t use[TERMS_MAX], n = 0;
	long double sum = 0;

	for (size_t a = 0; a < g && n < TERMS_MAX; a++)
		if (v[a * g + a] > 0)
			use[n++] = a;
	if (n < 2)
		return NAN;
	n--;
	/* use is increasing, so that nothing is read after it is written */
	for (size_t a = 0; a < n; a++) {
		u[a] = u[use[a]];
		for (size_t b = 0; b < n; b++)
			v[a * n + b] = v[use[a] * g + use[b]];
	}
	if (invert(v, n) < 0)
		return NAN;
	for (size_t a = 0; a < n; a++)
		for (size_t b = 0; b < n; b++)
			sum += u[a] * v[a * n + b] * u[b];
	return (double)sum;
}

int
pooled_logrank(const struct pooled *p, size_t step,
    const struct pooled_grid *grid, double *chi2, struct err *err)
{
	size_t g = p->model->n_groups;
	bool failed = false;
	long double *u = zeroed(g, sizeof(*u), &failed);
	long double *v = zeroed(g * g, sizeof(*v), &failed);
	double *at_risk = zeroed(g, sizeof(*at_risk), &failed);
	double *deaths = zeroed(g, sizeof(*deaths), &failed);

	for (size_t s = 0; !failed && s < n_cells(p) / g; s++)
		compare_groups(p, s, step, grid, u, v, at_risk, deaths);
	if (!failed)
		*chi2 = quadratic_form(u, v, g);
	free(u);
	free(v);
	free(at_risk);
	free(deaths);
	return failed ? err_sys(err, "pooled survival") : 0;
}

/*
 * Descriptive statistics
 */

static bool
is_in(const struct row *r, size_t group)
{
	return group == POOLED_ALL || r->stratum == group;
}

size_t
pooled_moments(const struct pooled *p, size_t group, size_t term,
    double missing, double *mean, double *sd)
{
	long double sum = 0, square = 0, m;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		double x = p->rows[i].x[term];

		if (!is_in(&p->rows[i], group) || x == missing)
			continue;
		sum += x;
		n++;
	}
	m = sum / (long double)n;
	for (size_t i = 0; i < p->n; i++) {
		double x = p->rows[i].x[term];

		if (is_in(&p->rows[i], group) && x != missing)
			square += (x - m) * (x - m);
	}
	*mean = (double)m;
	*sd = n > 1 ? (double)sqrtl(square / (long double)(n - 1)) : NAN;
	return n;
}

size_t
pooled_count(const struct pooled *p, size_t group, size_t term, double value)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += is_in(&p->rows[i], group) && p->rows[i].x[term] == value;
	return n;
}

double
pooled_sum(const struct pooled *p, size_t term, double value, size_t of)
{
	double sum = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].x[term] == value)
			sum += p->rows[i].x[of];
	return sum;
}

size_t
pooled_complete(const struct pooled *p, double missing, bool event)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		bool complete = p->rows[i].event || !event;

		for (size_t k = 0; k < p->model->n_terms; k++)
			complete = complete && p->rows[i].x[k] != missing;
		n += complete;
	}
	return n;
}

/*
 * Learning
 */

size_t
pooled_rows(const struct pooled *p)
{
	return p->n;
}

/* A row's clipped gradient at beta, added to sum. */
static void
learn_row(const struct pooled *p, const struct pooled_learning *l,
    const struct row *r, const double *beta, double *z, long double *sum)
{
	size_t d = p->model->n_terms + 1;
	double eta, residual, square = 0, norm;

	z[0] = 1;
	for (size_t k = 1; k < d; k++)
		z[k] = l->half[k - 1] == 0
		    ? 0
		    : (r->x[k - 1] - l->middle[k - 1]) / l->half[k - 1];
	eta = 0;
	for (size_t k = 0; k < d; k++) {
		eta += z[k] * beta[k];
		square += z[k] * z[k];
	}
	residual = p->model->family == POOLED_GAUSSIAN
	    ? (r->y - l->y_middle) / l->y_half - eta
	    : (r->event ? 1 : 0) - 1 / (1 + exp(-eta));
	norm = fabs(residual) * sqrt(square);
	if (norm > l->clip)
		residual *= l->clip / norm;
	for (size_t k = 0; k < d; k++)
		sum[k] += (long double)residual * z[k];
}

int
pooled_learn(const struct pooled *p, const struct pooled_learning *l,
    double *coef, double *distance, struct err *err)
{
	size_t d = p->model->n_terms + 1, half = l->rounds / 2;
	double *work = calloc(3 * d, sizeof(*work)), away = 0, norm;
	double *beta = work, *velocity = work + d, *z = work + 2 * d;
	long double *sum = calloc(d, sizeof(*sum));

	*distance = 0;
	if (work == NULL || sum == NULL) {
		free(work);
		free(sum);
		return err_sys(err, "pooled fit");
	}
	memset(coef, 0, d * sizeof(*coef));
	for (size_t t = 1; t <= l->rounds; t++) {
		double rows = l->row_error / sqrt((double)t);

		memset(sum, 0, d * sizeof(*sum));
		for (size_t i = 0; i < p->n; i++)
			learn_row(p, l, &p->rows[i], beta, z, sum);
		norm = 0;
		for (size_t k = 0; k < d; k++) {
			double g = (double)(sum[k] / (long double)p->n);

			norm += g * g;
			velocity[k] = l->momentum * velocity[k] + g;
			beta[k] += l->step * velocity[k];
			if (t > half)
				coef[k] += beta[k] / (double)(l->rounds - half);
		}
		/* The other path's gradient is at most that much longer. */
		norm = sqrt(norm) + away * (double)d;
		away += rows < 0.5 ? l->step *
			(l->error / (1 - rows) + norm * rows / (1 - rows))
				   : INFINITY;
		if (t > half)
			*distance += away / (double)(l->rounds - half);
	}
	free(work);
	free(sum);
	return 0;
}

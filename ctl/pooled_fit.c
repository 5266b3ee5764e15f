/*
 * Newton's method, and what its answer is worth.  Rows are copies with centred
 * terms: Cox does not see the shift, the others have it taken out of the
 * intercept at the end.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ctl/pooled_likelihood.h"

#define ITERATIONS_MAX 200 /* Fisher scoring may take many */

struct work {
	const struct pooled_model *model;
	struct pooled_row *rows; /* copies; x is (p), shifted */
	size_t n, p;
	double *x; /* (n, p) */
	double *shift; /* (p) */
	long double *penalty; /* (p) of half the square of a coefficient */
	long double *meat, *half, *out; /* (p, p) */
	struct pooled_sums risk, deaths;
	struct pooled_eval e;
	long double *beta, *step; /* (p) */
};

static void
evaluate(struct work *w, const long double *beta)
{
	pooled_evaluate(
	    w->model, w->rows, w->n, w->p, beta, &w->risk, &w->deaths, &w->e);
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
		w->beta[0] = w->model->family == POOLED_GAUSSIAN ? sum / w->n
		    : w->model->inverse_link                     ? w->n / sum
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
		if (pooled_invert(w->e.info, p) < 0)
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
		struct pooled_row r = p->rows[i];

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
	qsort(w->rows, w->n, sizeof(*w->rows), pooled_latest_first);
	fit->n = p->n;
	fit->n_coef = w->p;
	penalize(w);
	return 0;
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

/*
 * The covariance of the coefficients takes the place of e.info = v, the inverse
 * of information and penalty P: v - v P v of what is shrunk; or a sandwich.
 */
static int
covariance(struct work *w, struct err *err)
{
	size_t p = w->p;
	long double scale = dispersion(w), *v = w->e.info;
	bool robust = w->model->errors != POOLED_OF_MODEL;

	if (robust &&
	    pooled_meat(w->model, w->rows, w->n, p, w->beta, w->meat, err) < 0)
		return -1;
	for (size_t a = 0; a < p; a++)
		w->meat[a * p + a] += w->penalty[a];
	both_sides(v, w->meat, p, w->half, w->out);
	for (size_t k = 0; k < p * p; k++)
		v[k] = robust ? w->out[k] : (v[k] - w->out[k]) * scale;
	return 0;
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

int
pooled_fit(const struct pooled *p, const struct pooled_grid *grids,
    size_t n_grids, struct pooled_fit *fit, struct err *err)
{
	struct work w = { .model = p->model };
	bool failed = false;
	int rv = -1;

	memset(fit, 0, sizeof(*fit));
	w.p = p->model->n_terms + (p->model->cox ? 0 : 1);
	w.rows = pooled_zeroed(p->n, sizeof(*w.rows), &failed);
	w.x = pooled_zeroed(p->n * w.p, sizeof(*w.x), &failed);
	w.shift = pooled_zeroed(w.p, sizeof(*w.shift), &failed);
	w.penalty = pooled_zeroed(w.p, sizeof(*w.penalty), &failed);
	w.meat = pooled_zeroed(w.p * w.p, sizeof(*w.meat), &failed);
	w.half = pooled_zeroed(w.p * w.p, sizeof(*w.half), &failed);
	w.out = pooled_zeroed(w.p * w.p, sizeof(*w.out), &failed);
	w.beta = pooled_zeroed(w.p, sizeof(*w.beta), &failed);
	w.step = pooled_zeroed(w.p, sizeof(*w.step), &failed);
	w.risk.s1 = pooled_zeroed(w.p, sizeof(*w.risk.s1), &failed);
	w.risk.s2 = pooled_zeroed(w.p * w.p, sizeof(*w.risk.s2), &failed);
	w.deaths.s1 = pooled_zeroed(w.p, sizeof(*w.deaths.s1), &failed);
	w.deaths.s2 = pooled_zeroed(w.p * w.p, sizeof(*w.deaths.s2), &failed);
	w.e.grad = pooled_zeroed(w.p, sizeof(*w.e.grad), &failed);
	w.e.info = pooled_zeroed(w.p * w.p, sizeof(*w.e.info), &failed);
	fit->coef = pooled_zeroed(w.p, sizeof(*fit->coef), &failed);
	fit->se = pooled_zeroed(w.p, sizeof(*fit->se), &failed);
	if (failed)
		err_sys(err, "pooled fit");
	else if (prepare(&w, p, grids, n_grids, fit, err) == 0 &&
	    newton(&w, fit, err) == 0 && covariance(&w, err) == 0) {
		finish(&w, fit);
		rv = 0;
	}
	free(w.rows);
	free(w.x);
	free(w.shift);
	free(w.penalty);
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

/*
 * Coefficients and what goes with them: the part of a result that all
 * regressions share.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/macros.h"
#include "model/report.h"
#include "model/step/ldl.h"
#include "model/tail.h"

#define Z_95 1.9599639845400545
#define BOUND_AIM 1e-3

static bool
scales_y(const struct plan *p)
{
	return plan_kind_of(p->spec.kind)->scales_y;
}

/* What a linear predictor of 1 in the plan is in the study's units. */
static double
unit_of_eta(const struct plan *p)
{
	if (scales_y(p))
		return p->y_sd;
	return plan_kind_of(p->spec.kind)->has_inverse_link ? 1.0 / p->y_mean
							    : 1.0;
}

static bool
is_gamma(const struct result *r)
{
	return r->kind == MODEL_GAMMA || r->kind == MODEL_GAMMA_INVERSE;
}

static void
set_test(struct result_test *t, double chi2, unsigned df)
{
	t->chi2 = chi2;
	t->df = df;
	t->p = tail_chi2(chi2, df);
}

/* df: of Student's t, or 0 for the normal distribution. */
static void
set_term(struct result_term *t, double estimate, double se, double df)
{
	double reach = (df > 0.0 ? tail_t_95(df) : Z_95) * se;

	t->estimated = true;
	t->estimate = estimate;
	t->se = se;
	t->z = estimate / se;
	t->p = df > 0.0 ? tail_t(t->z, df) : tail_normal(t->z);
	t->ci_low = estimate - reach;
	t->ci_high = estimate + reach;
}

/*
 * Back to the study's units.  beta_x = beta_z / sd, and so its standard error;
 * the intercept is b0 - sum of beta_z mean / sd, a linear form whose variance
 * is a'Va with a = (1, -mean/sd, ...).
 */
static void
set_terms(const struct plan *p, struct result *r, const double *beta,
    const double *variance, const double *of_model)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	uint32_t off = plan_has_intercept(p), n = a + off;
	double form[PAR_MAX] = { 1.0 }, intercept = 0.0, df = 0.0;
	/* The outcome's unit, and what the model's errors are multiplied by. */
	double unit = unit_of_eta(p), of_unit, root;

	if (r->has_dispersion)
		df = r->df_residual;
	of_unit = sqrt(r->has_dispersion ? r->dispersion : 1.0);
	if (!scales_y(p)) /* else the dispersion has it */
		of_unit *= unit;
	/* A sandwich has its own dispersion. */
	root = r->robust == ROBUST_NO ? of_unit : unit;

	for (uint32_t k = 0; k < a; k++) {
		uint32_t t = active[k], j = k + off;
		double v = variance[packed_at(n, j, j)];

		form[j] = -p->mean[t] / p->sd[t];
		if ((p->blamed >> t & 1) != 0)
			continue;
		set_term(&r->terms[t + off], unit * beta[j] / p->sd[t],
		    root * sqrt(v) / p->sd[t], df);
		r->terms[t + off].model_se =
		    of_unit * sqrt(of_model[packed_at(n, j, j)]) / p->sd[t];
	}
	if (off == 0 || p->blamed != 0)
		return;
	for (uint32_t j = 0; j < n; j++)
		intercept += form[j] * beta[j];
	intercept *= unit;
	if (scales_y(p))
		intercept += p->y_mean;
	set_term(&r->terms[0], intercept,
	    root * sqrt(packed_form(variance, n, form)), df);
	r->terms[0].model_se = of_unit * sqrt(packed_form(of_model, n, form));
}

/* The same, of the terms alone: without the intercept's row and column. */
static double
wald_of(const struct plan *p, const double *beta, const double *variance)
{
	uint32_t off = plan_has_intercept(p), n = plan_parameters(p);
	double v[PACKED(PAR_MAX)], x[PAR_MAX], sum = 0.0;

	memcpy(v, variance, PACKED(n) * sizeof(*v));
	if (off == 1)
		packed_drop(v, n, 0);
	memcpy(x, beta + off, (n - off) * sizeof(*x));
	if (ldl_factor(v, n - off, 0.0) >= 0)
		return NAN;
	ldl_solve(v, n - off, x);
	for (uint32_t i = 0; i < n - off; i++)
		sum += x[i] * beta[i + off];
	return sum;
}

/* The variance of what is left is 0 within rounding. */
#define PERFECT 1e-24

/* Or of the last step that Newton's method did not take: a linear model's first
   step is to the solution. */
static double
perfect_of(const struct plan *p)
{
	return scales_y(p)
	    ? PERFECT
	    : fmax(PERFECT, p->spec.tolerance * p->spec.tolerance);
}

/* The sum of the weights. */
static double
weights_of(const struct plan *p)
{
	return p->spec.has_weights ? p->weights : (double)p->n_used;
}

/* With the dispersion that is best for it: deviance / n. */
static double
gaussian_loglik(const struct plan *p, double deviance)
{
	double n = (double)p->n_used;

	return 0.5 * p->weight_logs -
	    0.5 * n * (log(2.0 * M_PI * deviance / n) + 1.0);
}

/* The same; core is the part that depends on the coefficients. */
static double
gamma_loglik(const struct plan *p, double deviance, double core)
{
	double w = weights_of(p), shape = w / deviance;

	return w * (shape * log(shape) - lgamma(shape)) + shape * core +
	    (shape - 1.0) * p->y_factorials;
}

static int
no_variance_left(struct result *r)
{
	r->fitted = false;
	result_warn(r,
	    "the terms determine the outcome: there is no residual variance "
	    "to judge them by");
	return -1;
}

/*
 * Log-likelihoods, deviances and the dispersion as R's glm() has them.  -1 if
 * the data leave nothing to estimate the dispersion from: no standard errors.
 */
static int
set_glm(const struct plan *p, struct result *r)
{
	bool dispersed = report_kind_of(p)->has_dispersion;
	bool own = r->kind == MODEL_GAUSSIAN || is_gamma(r);
	double n = (double)p->n_used, scale = 1.0;

	if (scales_y(p))
		scale = p->y_sd * p->y_sd;
	r->df_residual = MAX(n - r->edf, 0.0);
	r->deviance = scale * 2.0 * (p->y_saturated - r->loglik);
	r->null_deviance = scale * 2.0 * (p->y_saturated - p->null_loglik);
	/* A deviance is a difference, which may be all rounding; this is not. */
	if (dispersed && (own || r->df_residual > 0.0) &&
	    (!(p->pearson > perfect_of(p) * weights_of(p)) ||
		(own && !(r->deviance > 0.0 && r->df_residual > 0.0))))
		return no_variance_left(r);
	if (r->kind == MODEL_GAUSSIAN) {
		r->loglik = gaussian_loglik(p, r->deviance);
		r->null_loglik = gaussian_loglik(p, r->null_deviance);
	} else if (is_gamma(r)) {
		/* Of the outcome in its own unit. */
		double logs = weights_of(p) * log(unit_of_eta(p));

		r->loglik = gamma_loglik(p, r->deviance, r->loglik + logs);
		r->null_loglik =
		    gamma_loglik(p, r->null_deviance, p->null_loglik + logs);
	} else {
		r->loglik -= p->y_factorials;
		r->null_loglik -= p->y_factorials;
	}
	/* The dispersion is a parameter too. */
	r->aic = -2.0 * r->loglik + 2.0 * (r->edf + own);
	/* With an offset R's own is that of what the terms do not explain. */
	if (r->kind == MODEL_GAUSSIAN && !p->spec.has_offset) {
		r->has_r2 = true;
		r->r2 = 1.0 - r->deviance / r->null_deviance;
		r->adjusted_r2 =
		    1.0 - (1.0 - r->r2) * (n - 1.0) / r->df_residual;
	}
	if (!(r->df_residual > 0.0)) {
		r->fitted = !dispersed;
		result_warn(r,
		    "there are as many coefficients as patients: the "
		    "dispersion cannot be estimated");
		return r->fitted ? 0 : -1;
	}
	r->pearson_dispersion = scale * p->pearson / r->df_residual;
	r->has_dispersion = dispersed;
	r->dispersion = r->has_dispersion ? r->pearson_dispersion : 1.0;
	return 0;
}

/* That all coefficients but the intercept are 0, with a dispersion. */
static void
set_f(const struct plan *p, struct result *r, uint32_t df)
{
	if (p->status != FIT_OK || !(r->dispersion > 0.0))
		return;
	r->f.df1 = df;
	r->f.df2 = r->df_residual;
	r->f.f = (r->null_deviance - r->deviance) / df / r->dispersion;
	r->f.p = tail_f(r->f.f, df, r->df_residual);
}

/* The part of a packed (n, n) matrix in the rows and columns that are in. */
static uint32_t
submatrix(const double *a, uint32_t n, const bool *in, double *out)
{
	uint32_t at[PAR_MAX], m = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (in[i])
			at[m++] = i;
	}
	for (uint32_t i = 0; i < m; i++) {
		for (uint32_t j = i; j < m; j++)
			out[packed_at(m, i, j)] = a[packed_at(n, at[i], at[j])];
	}
	return m;
}

/* The logarithm of its determinant; NAN if it is not positive. */
static double
log_determinant(const double *a, uint32_t n, const bool *in)
{
	double f[PACKED(PAR_MAX)], sum = 0.0;
	uint32_t m = submatrix(a, n, in, f);

	if (ldl_factor(f, m, 0.0) >= 0)
		return NAN;
	for (uint32_t i = 0; i < m; i++)
		sum += log(f[packed_at(m, i, i)]);
	return sum;
}

/* b' A^-1 b of the part that is in. */
static double
inverse_form(const double *a, uint32_t n, const bool *in, const double *b)
{
	double f[PACKED(PAR_MAX)], x[PAR_MAX], y[PAR_MAX], sum = 0.0;
	uint32_t m = submatrix(a, n, in, f), k = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (in[i])
			x[k] = y[k] = b[i], k++;
	}
	if (ldl_factor(f, m, 0.0) >= 0)
		return NAN;
	ldl_solve(f, m, x);
	for (uint32_t i = 0; i < m; i++)
		sum += x[i] * y[i];
	return sum;
}

/*
 * Both are the same in whatever units the terms are.  Nothing of an effect that
 * runs away.
 */
static void
set_effect(const struct plan *p, struct result *r, uint32_t effect,
    const double *beta, const double *variance, const double *of_model)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	uint32_t off = plan_has_intercept(p), n = a + off;
	bool in[PAR_MAX] = { false }, others[PAR_MAX] = { false };
	bool all[PAR_MAX] = { false };
	struct result_effect *e = &r->effects[effect];
	double chi2, whole;
	unsigned df = 0;

	for (uint32_t k = 0; k < a; k++) {
		bool own = p->spec.terms[active[k]].effect == effect;

		if (own && (p->blamed >> active[k] & 1) != 0)
			return;
		in[k + off] = own;
		others[k + off] = !own;
		all[k + off] = true;
		df += own;
	}
	/* Scores add up to 0: the sandwich has one rank less than clusters. */
	if (df == 0 || (r->robust != ROBUST_NO && df >= r->clusters))
		return;
	chi2 = inverse_form(variance, n, in, beta);
	whole = log_determinant(of_model, n, in) +
	    log_determinant(of_model, n, others) -
	    log_determinant(of_model, n, all);
	if (!isfinite(chi2) || !isfinite(whole))
		return;
	e->vif = exp(whole / df);
	set_test(&e->wald, chi2, df);
	if (!r->has_dispersion)
		return;
	if (r->robust == ROBUST_NO && scales_y(p))
		chi2 *= p->y_sd * p->y_sd;
	if (r->robust == ROBUST_NO)
		e->wald.chi2 = chi2 / r->dispersion;
	e->wald.p = tail_f(e->wald.chi2 / df, df, r->df_residual);
}

/* V M V, all packed. */
static void
sandwich(const double *V, const double *M, uint32_t n, double *out)
{
	double column[PAR_MAX], half[PAR_MAX];

	for (uint32_t j = 0; j < n; j++) {
		/* Column j of M V, then of V (M V). */
		for (uint32_t i = 0; i < n; i++)
			column[i] = V[packed_at(n, MIN(i, j), MAX(i, j))];
		for (uint32_t i = 0; i < n; i++) {
			half[i] = 0.0;
			for (uint32_t k = 0; k < n; k++)
				half[i] += column[k] *
				    M[packed_at(n, MIN(i, k), MAX(i, k))];
		}
		for (uint32_t i = 0; i <= j; i++) {
			double sum = 0.0;

			for (uint32_t k = 0; k < n; k++)
				sum += half[k] *
				    V[packed_at(n, MIN(i, k), MAX(i, k))];
			out[packed_at(n, i, j)] = sum;
		}
	}
}

/*
 * With a penalty: the information without it, how many parameters it leaves
 * (the trace of it times v), and the log-likelihood without it.
 */
static void
take_off_ridge(
    const struct plan *p, struct result *r, const double *v, double *info)
{
	uint32_t off = plan_has_intercept(p), n = plan_parameters(p);

	memcpy(info, p->info, PACKED(n) * sizeof(*info));
	r->ridge = p->spec.ridge;
	r->edf = 0.0;
	for (uint32_t i = 0; i < n; i++) {
		if (i >= off) {
			info[packed_at(n, i, i)] -= r->ridge;
			r->loglik += 0.5 * r->ridge * p->base[i] * p->base[i];
		}
		for (uint32_t j = 0; j < n; j++)
			r->edf += v[packed_at(n, MIN(i, j), MAX(i, j))] *
			    info[packed_at(n, MIN(i, j), MAX(i, j))];
	}
}

/*
 * The covariance that is reported: v (the model's), or in s the robust one; with
 * a penalty, that of estimates which it shrinks.
 */
static const double *
covariance(const struct plan *p, struct result *r, const double *v,
    const double *info, double *s)
{
	const struct plan_kind *kind = plan_kind_of(p->spec.kind);
	const double *meat = kind->meat == NULL ? NULL : kind->meat(p);

	if (r->ridge > 0.0) {
		sandwich(v, info, plan_parameters(p), s);
		return s;
	}
	if (meat == NULL)
		return v;
	r->robust = p->spec.robust;
	r->clusters = (uint64_t)meat[0];
	sandwich(v, meat + 1, plan_parameters(p), s);
	return s;
}

/* Sums that are 0 but for rounding make robust errors that are nothing. */
#define NO_ERROR 1e-14

static bool
has_errors(const double *robust, const double *of_model, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		size_t at = packed_at(n, i, i);

		if (!(robust[at] > NO_ERROR * of_model[at]))
			return false;
	}
	return true;
}

static void
set_fit(const struct plan *p, struct result *r)
{
	uint32_t off = plan_has_intercept(p), n = plan_parameters(p);
	const double *beta = p->status == FIT_OK ? p->beta : p->base;
	double f[PACKED(PAR_MAX)], v[PACKED(PAR_MAX)], column[PAR_MAX];
	double robust[PACKED(PAR_MAX)], info[PACKED(PAR_MAX)], wald;
	const double *variance;

	memcpy(f, p->info, PACKED(n) * sizeof(*f));
	if (n == off || ldl_factor(f, n, 0.0) >= 0)
		return;
	ldl_inverse(f, n, v, column);
	r->fitted = true;
	r->loglik = p->loglik;
	r->null_loglik = p->null_loglik;
	r->edf = n;
	if (p->spec.ridge > 0.0)
		take_off_ridge(p, r, v, info);
	r->aic = -2.0 * r->loglik + 2.0 * r->edf;
	if (off == 1) {
		r->has_deviance = true;
		r->deviance = -2.0 * r->loglik;
		r->null_deviance = -2.0 * p->null_loglik;
	}
	if (report_kind_of(p)->family != NULL && set_glm(p, r) == -1)
		return;
	variance = covariance(p, r, v, info, robust);
	if (r->robust != ROBUST_NO && !has_errors(variance, v, n)) {
		r->fitted = false;
		result_warn(r,
		    "each cluster's residuals add up to nothing: there are no "
		    "robust standard errors");
		return;
	}
	set_terms(p, r, beta, variance, v);
	if (r->ridge > 0.0) { /* what is shrunk has no tests */
		r->n_effects = 0;
		return;
	}
	for (uint32_t i = 0; i < r->n_effects; i++)
		set_effect(p, r, i, beta, variance, v);
	if (r->has_dispersion) {
		set_f(p, r, n - off);
		return;
	}
	set_test(&r->lr, 2.0 * (p->loglik - p->null_loglik), n - off);
	set_test(&r->score, p->score_test, n - off);
	wald = r->robust != ROBUST_NO && n - off >= r->clusters
	    ? NAN
	    : wald_of(p, beta, variance);
	if (p->status == FIT_OK && isfinite(wald))
		set_test(&r->wald, wald, n - off);
	else if (p->status == FIT_OK)
		result_warn(r,
		    "there are too few clusters for a Wald test of all terms "
		    "with robust standard errors");
}

static void
set_concordance(const struct plan *p, struct result *r)
{
	double pairs = p->concordant + p->discordant + p->tied;

	if (p->status != FIT_OK || !(pairs > 0.0))
		return;
	r->has_concordance = true;
	r->concordance = (p->concordant + 0.5 * p->tied) / pairs;
	r->concordance_bound = 0.5 * p->tied_by_bins / pairs;
	if (r->concordance_bound > BOUND_AIM)
		result_warn(r,
		    "the concordance is known to %.2g only, since many linear "
		    "predictors are close to each other",
		    r->concordance_bound);
}

static void
read_regression(const struct plan *p, struct result *r)
{
	uint32_t off = plan_has_intercept(p);

	r->n_terms = p->spec.n_terms + off;
	if (off == 1)
		snprintf(
		    r->terms[0].name, sizeof(r->terms[0].name), "(Intercept)");
	for (uint32_t i = 0; i < p->spec.n_terms; i++)
		memcpy(r->terms[i + off].name, p->spec.terms[i].name,
		    sizeof(r->terms[i + off].name));
	r->n_effects = p->spec.n_effects;
	for (uint32_t i = 0; i < p->spec.n_effects; i++)
		memcpy(r->effects[i].name, p->spec.effects[i],
		    sizeof(r->effects[i].name));
	if (p->status == FIT_OK || p->status == FIT_SEPARATED ||
	    p->status == FIT_NOT_CONVERGED)
		set_fit(p, r);
	set_concordance(p, r);
}

static void
json_terms(struct json *j, const struct result *r)
{
	json_array(j, "terms");
	for (size_t i = 0; i < r->n_terms; i++) {
		const struct result_term *t = &r->terms[i];
		bool there = t->estimated;

		json_object(j, NULL);
		json_text(j, "name", t->name);
		report_number(j, "estimate", there, t->estimate);
		report_number(j, "se", there, t->se);
		if (r->robust != ROBUST_NO)
			report_number(j, "model_se", there, t->model_se);
		there = there && r->ridge == 0.0;
		report_number(j, "z", there, t->z);
		report_number(j, "p", there, t->p);
		report_number(j, "ci_low", there, t->ci_low);
		report_number(j, "ci_high", there, t->ci_high);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_test(struct json *j, const char *key, const struct result_test *t)
{
	if (t->df == 0) {
		json_null(j, key);
		return;
	}
	json_object(j, key);
	json_real(j, "chi2", t->chi2);
	json_int(j, "df", t->df);
	json_real(j, "p", t->p);
	json_end_object(j);
}

static void
json_effects(struct json *j, const struct result *r)
{
	json_array(j, "effects");
	for (size_t i = 0; i < r->n_effects; i++) {
		const struct result_effect *e = &r->effects[i];
		bool there = e->wald.df > 0;

		json_object(j, NULL);
		json_text(j, "name", e->name);
		report_number(j, "chi2", there, e->wald.chi2);
		json_int(j, "df", e->wald.df);
		report_number(j, "p", there, e->wald.p);
		report_number(j, "vif", there, e->vif);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_glm(struct json *j, const struct plan *p, const struct result *r)
{
	bool estimated = r->fitted && r->df_residual > 0;

	report_number(j, "df_residual", r->fitted, r->df_residual);
	report_number(j, "dispersion", estimated, r->dispersion);
	report_number(
	    j, "pearson_dispersion", estimated, r->pearson_dispersion);
	if (scales_y(p)) {
		report_number(j, "r_squared", r->has_r2, r->r2);
		report_number(
		    j, "adjusted_r_squared", r->has_r2, r->adjusted_r2);
	}
	if (!report_kind_of(p)->has_dispersion)
		return;
	if (r->f.df1 == 0) {
		json_null(j, "f_test");
		return;
	}
	json_object(j, "f_test");
	json_real(j, "f", r->f.f);
	json_int(j, "df1", r->f.df1);
	json_int(j, "df2", (int64_t)r->f.df2);
	json_real(j, "p", r->f.p);
	json_end_object(j);
}

static int
json_fit(const struct plan *p, const struct result *r, struct json *j,
    struct err *err)
{
	const struct report_kind *kind = report_kind_of(p);

	(void)err;
	json_int(j, "n", (int64_t)r->n);
	if (kind->events != NULL)
		json_int(j, "events", (int64_t)r->n_events);
	json_int(j, "sites", p->spec.n_sites);
	if (p->spec.ridge > 0.0) {
		json_real(j, "ridge", p->spec.ridge);
		report_number(j, "effective_df", r->fitted, r->edf);
	}
	if (p->spec.robust != ROBUST_NO)
		json_text(j, "robust",
		    p->spec.robust == ROBUST_SITE ? "site" : "patient");
	if (r->robust != ROBUST_NO)
		json_int(j, "clusters", (int64_t)r->clusters);
	json_terms(j, r);
	json_effects(j, r);
	report_number(j, "loglik", r->fitted, r->loglik);
	report_number(j, "null_loglik", r->fitted, r->null_loglik);
	report_number(j, "aic", r->fitted && kind->has_likelihood, r->aic);
	if (plan_has_intercept(p)) {
		bool there = r->fitted && r->has_deviance;

		report_number(j, "deviance", there, r->deviance);
		report_number(j, "null_deviance", there, r->null_deviance);
	}
	if (kind->family != NULL)
		json_glm(j, p, r);
	if (!kind->has_dispersion) {
		json_test(j, "lr_test", &r->lr);
		json_test(j, "score_test", &r->score);
		json_test(j, "wald_test", &r->wald);
	}
	if (kind->has_concordance) {
		report_number(
		    j, "concordance", r->has_concordance, r->concordance);
		report_number(j, "concordance_bound", r->has_concordance,
		    r->concordance_bound);
	}
	json_int(j, "iterations", r->iterations);
	json_int(j, "halvings", r->halvings);
	json_bool(j, "converged", r->converged);
	return 0;
}

/* A ratio; beyond a million either way its digits say nothing. */
static const char *
ratio_text(double log_ratio, char out[24])
{
	if (log_ratio > log(1e6))
		return ">1e+06";
	if (log_ratio < log(1e-6))
		return "<1e-06";
	snprintf(out, 24, "%.4g", exp(log_ratio));
	return out;
}

static void
text_term(struct canon *out, const struct report_kind *kind,
    const struct result_term *t, int width)
{
	char p[16], low[24], high[24], ratio[24], ci[56];

	report_print(out, "%s%*s", t->name, width - report_width(t->name), "");
	if (!t->estimated) {
		report_print(out, "  not estimated, see below\n");
		return;
	}
	if (kind->ratio == NULL) {
		snprintf(ci, sizeof(ci), "%.5g to %.5g", t->ci_low, t->ci_high);
		report_print(out, " %11.5g  %-24s %10.4g %8.3f %9s\n",
		    t->estimate, ci, t->se, t->z, report_p(t->p, p));
		return;
	}
	snprintf(ci, sizeof(ci), "%s to %s", ratio_text(t->ci_low, low),
	    ratio_text(t->ci_high, high));
	report_print(out, " %11.5g %10s  %-20s %10.4g %8.3f %9s\n", t->estimate,
	    ratio_text(t->estimate, ratio), ci, t->se, t->z, report_p(t->p, p));
}

static void
text_shrunk(struct canon *out, const struct result_term *t, int width)
{
	report_print(out, "%s%*s", t->name, width - report_width(t->name), "");
	if (t->estimated)
		report_print(out, " %11.5g %10.4g\n", t->estimate, t->se);
	else
		report_print(out, "  not estimated, see below\n");
}

static void
text_terms(
    struct canon *out, const struct report_kind *kind, const struct result *r)
{
	int width = 12;

	for (size_t i = 0; i < r->n_terms; i++)
		width = MAX(width, report_width(r->terms[i].name));
	if (r->ridge > 0.0)
		report_print(out, "%-*s %11s %10s\n", width, "term",
		    "coefficient", "se");
	else if (kind->ratio == NULL)
		report_print(out, "%-*s %11s  %-24s %10s %8s %9s\n", width,
		    "term", "coefficient", "95% CI", "se", "t", "p");
	else
		report_print(out, "%-*s %11s %10s  %-20s %10s %8s %9s\n", width,
		    "term", "coefficient", kind->ratio, "95% CI", "se",
		    r->has_dispersion ? "t" : "z", "p");
	for (size_t i = 0; i < r->n_terms; i++) {
		if (r->ridge > 0.0)
			text_shrunk(out, &r->terms[i], width);
		else
			text_term(out, kind, &r->terms[i], width);
	}
	report_print(out, "\n");
}

static void
text_test(struct canon *out, const char *name, const struct result_test *t)
{
	char p[16];

	if (t->df > 0)
		report_print(out, "%-22s %.4f on %u df, p %s%s\n", name,
		    t->chi2, t->df, t->p < 0.0001 ? "" : "= ",
		    report_p(t->p, p));
}

static void
text_glm(struct canon *out, const struct result *r)
{
	char p[16];

	if (r->df_residual > 0)
		report_print(out, "%-22s %.6g on %.6g df%s\n", "Dispersion",
		    r->pearson_dispersion, r->df_residual,
		    r->has_dispersion ? "" : " (taken to be 1)");
	if (r->has_r2)
		report_print(out, "%-22s %.6f (adjusted %.6f)\n", "R squared",
		    r->r2, r->adjusted_r2);
	if (r->f.df1 > 0)
		report_print(out, "%-22s %.4f on %u and %.0f df, p %s%s\n",
		    "F test", r->f.f, r->f.df1, r->f.df2,
		    r->f.p < 0.0001 ? "" : "= ", report_p(r->f.p, p));
}

static void
text_effects(struct canon *out, const struct result *r)
{
	int width = 12;
	char p[16];

	for (size_t i = 0; i < r->n_effects; i++)
		width = MAX(width, report_width(r->effects[i].name));
	if (r->n_effects == 0)
		return;
	report_print(out, "%-*s %14s %4s %9s %8s\n", width, "effect",
	    r->has_dispersion ? "F (Wald)" : "chi2 (Wald)", "df", "p", "VIF");
	for (size_t i = 0; i < r->n_effects; i++) {
		const struct result_effect *e = &r->effects[i];

		report_print(
		    out, "%s%*s", e->name, width - report_width(e->name), "");
		if (e->wald.df == 0) {
			report_print(out, "  not estimated, see below\n");
			continue;
		}
		report_print(out, " %14.4f %4u %9s %8.3f\n",
		    r->has_dispersion ? e->wald.chi2 / e->wald.df
				      : e->wald.chi2,
		    e->wald.df, report_p(e->wald.p, p), e->vif);
	}
	report_print(out, "\n");
}

static int
text_fit(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err)
{
	const struct report_kind *kind = report_kind_of(p);

	(void)err;
	if (r->fitted) {
		text_terms(out, kind, r);
		text_effects(out, r);
	}
	report_print(
	    out, "n = %" PRIu64 "%s", r->n, p->spec.has_entry ? " rows" : "");
	if (kind->events != NULL)
		report_print(out, ", %s = %" PRIu64, kind->events, r->n_events);
	report_print(out, ", %" PRIu32 " sites\n", p->spec.n_sites);
	if (!r->fitted)
		return 0;
	report_print(out, "%-22s %.6f (null model %.6f)", "Log-likelihood",
	    r->loglik, r->null_loglik);
	if (kind->has_likelihood)
		report_print(out, ", AIC %.4f", r->aic);
	report_print(out, "\n");
	if (plan_has_intercept(p))
		report_print(out, "%-22s %.6f (null model %.6f)\n", "Deviance",
		    r->deviance, r->null_deviance);
	if (kind->family != NULL)
		text_glm(out, r);
	text_test(out, "Likelihood ratio test", &r->lr);
	text_test(out, "Wald test", &r->wald);
	text_test(out, "Score test", &r->score);
	if (r->has_concordance)
		report_print(out, "%-22s %.5f (+- %.1g from binning)\n",
		    plan_has_intercept(p) ? "Area under the ROC"
					  : "Concordance",
		    r->concordance, r->concordance_bound);
	if (r->ridge > 0.0)
		report_print(out,
		    "%-22s lambda %g on standardised terms leaves %.6g "
		    "parameters; what is shrunk has no tests\n",
		    "Ridge penalty", r->ridge, r->edf);
	if (r->robust != ROBUST_NO)
		report_print(out,
		    "%-22s robust, clustered by %s (%" PRIu64
		    "); the model's in result.json\n",
		    "Standard errors",
		    r->robust == ROBUST_SITE ? "site" : "patient", r->clusters);
	report_print(out, "%-22s %s after %" PRIu32 " Newton rounds\n", "Fit",
	    r->converged ? "converged" : "NOT converged", r->iterations);
	return 0;
}

static void
cox_text_heading(const struct plan *p, struct canon *out)
{
	static const char *const strata[] = {
		[STRATA_NONE] = "",
		[STRATA_COLUMN] = ", stratified",
		[STRATA_SITE] = ", stratified by site",
	};

	report_print(out, ", %s ties%s",
	    p->spec.ties == TIES_EFRON ? "Efron" : "Breslow",
	    strata[p->spec.strata]);
}

static void
cox_json_heading(const struct plan *p, struct json *j)
{
	static const char *const strata[] = {
		[STRATA_NONE] = "none",
		[STRATA_COLUMN] = "column",
		[STRATA_SITE] = "site",
	};

	json_text(j, "ties", p->spec.ties == TIES_EFRON ? "efron" : "breslow");
	json_text(j, "strata", strata[p->spec.strata]);
}

static void
cox_warn(const struct plan *p, struct result *r)
{
	if (p->n_strata_out > 0 && p->status != FIT_TOO_FEW)
		result_warn(r,
		    "%" PRIu32 " strata with %" PRIu64 " patients are too "
		    "small for the study's smallest step and were left out",
		    p->n_strata_out, p->n_out);
	if (p->grid.step > p->spec.risk_set_step)
		result_warn(r,
		    "the grid of times was made coarser, to a smallest step "
		    "of %" PRIu32 " patients, to keep the rounds short",
		    p->grid.step);
}

static void
glm_warn(const struct plan *p, struct result *r)
{
	if (p->spec.has_weights && p->n_used > 0 && p->n_used < p->n)
		result_warn(r,
		    "%" PRIu64 " patients have a weight of 0 and are not in "
		    "the fit",
		    p->n - p->n_used);
}

static void
negbin_text_heading(const struct plan *p, struct canon *out)
{
	report_print(out, ", theta %g", p->spec.theta);
}

static void
negbin_json_heading(const struct plan *p, struct json *j)
{
	json_real(j, "theta", p->spec.theta);
}

static void
read_cox(const struct plan *p, struct result *r)
{
	read_regression(p, r);
	cox_read(p, r);
}

static int
json_cox(const struct plan *p, const struct result *r, struct json *j,
    struct err *err)
{
	return json_fit(p, r, j, err) == -1 ? -1 : cox_json(p, r, j, err);
}

static int
text_cox(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err)
{
	return text_fit(p, r, out, err) == -1 ? -1 : cox_text(p, r, out, err);
}

#define REGRESSION .read = read_regression, .json = json_fit, .text = text_fit

const struct report_kind report_cox = {
	.read = read_cox,
	.json = json_cox,
	.text = text_cox,
	.kind = "cox",
	.heading = "Cox proportional hazards",
	.per_term = "events",
	.text_heading = cox_text_heading,
	.json_heading = cox_json_heading,
	.warn = cox_warn,
	.ratio = "HR",
	.events = "events",
	.has_likelihood = true,
	.has_concordance = true,
};

const struct report_kind report_logistic = {
	REGRESSION,
	.kind = "logistic",
	.heading = "Logistic regression",
	.per_term = "patients with the rarer outcome",
	.ratio = "OR",
	.events = "with the outcome",
	.has_likelihood = true,
	.has_concordance = true,
};

const struct report_kind report_gaussian = {
	REGRESSION,
	.kind = "glm",
	.family = "gaussian",
	.warn = glm_warn,
	.link = "identity",
	.heading = "Linear regression",
	.per_term = "patients",
	.has_dispersion = true,
	.has_likelihood = true,
};

const struct report_kind report_poisson = {
	REGRESSION,
	.kind = "glm",
	.family = "poisson",
	.warn = glm_warn,
	.link = "log",
	.heading = "Poisson regression (log link)",
	.per_term = "events, or patients,",
	.ratio = "RR",
	.events = "events",
	.has_likelihood = true,
};

const struct report_kind report_quasipoisson = {
	REGRESSION,
	.kind = "glm",
	.family = "quasipoisson",
	.warn = glm_warn,
	.link = "log",
	.heading = "Poisson regression (log link) with dispersion",
	.per_term = "events, or patients,",
	.ratio = "RR",
	.events = "events",
	.has_dispersion = true,
};

const struct report_kind report_gamma = {
	REGRESSION,
	.kind = "glm",
	.family = "gamma",
	.warn = glm_warn,
	.link = "log",
	.heading = "Gamma regression (log link)",
	.per_term = "patients",
	.ratio = "ratio",
	.has_dispersion = true,
	.has_likelihood = true,
};

const struct report_kind report_gamma_inverse = {
	REGRESSION,
	.kind = "glm",
	.family = "gamma",
	.warn = glm_warn,
	.link = "inverse",
	.heading = "Gamma regression (inverse link)",
	.per_term = "patients",
	.has_dispersion = true,
	.has_likelihood = true,
};

const struct report_kind report_negbin = {
	REGRESSION,
	.kind = "glm",
	.family = "negative-binomial",
	.warn = glm_warn,
	.link = "log",
	.heading = "Negative binomial regression (log link)",
	.text_heading = negbin_text_heading,
	.json_heading = negbin_json_heading,
	.per_term = "events, or patients,",
	.ratio = "RR",
	.events = "events",
	.has_likelihood = true,
};

const struct report_kind report_quasibinomial = {
	REGRESSION,
	.kind = "glm",
	.family = "quasibinomial",
	.warn = glm_warn,
	.link = "logit",
	.heading = "Logistic regression with dispersion",
	.per_term = "patients with the rarer outcome",
	.ratio = "OR",
	.events = "with the outcome",
	.has_dispersion = true,
};

static void
trials_warn(const struct plan *p, struct result *r)
{
	if (p->n_used > 0 && p->n_used < p->n)
		result_warn(r,
		    "%" PRIu64 " patients have no trial and are not in the fit",
		    p->n - p->n_used);
}

const struct report_kind report_binomial = {
	REGRESSION,
	.kind = "glm",
	.family = "binomial",
	.warn = trials_warn,
	.link = "logit",
	.heading = "Logistic regression of successes by trials",
	.per_term = "patients with a success, or with a failure,",
	.ratio = "OR",
	.events = "successes",
	.has_likelihood = true,
};

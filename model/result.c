#include "model/result.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/json.h"
#include "common/macros.h"
#include "model/step/ldl.h"
#include "model/step/state.h"
#include "model/survival.h"
#include "model/tail.h"

#define Z_95 1.9599639845400545
#define BOUND_AIM 1e-3

static void warn(struct result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
warn(struct result *r, const char *fmt, ...)
{
	va_list ap;

	if (r->n_warnings == RESULT_WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(r->warnings[r->n_warnings++], RESULT_WARNING_SIZE, fmt, ap);
	va_end(ap);
}

/* "age, nodes" */
static const char *
names_of(const struct plan *p, uint64_t terms, char out[RESULT_WARNING_SIZE])
{
	size_t len = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < p->spec.n_terms; i++) {
		if ((terms >> i & 1) == 0 || len + 80 > RESULT_WARNING_SIZE / 2)
			continue;
		len += (size_t)snprintf(out + len, RESULT_WARNING_SIZE - len,
		    "%s%s", len > 0 ? ", " : "", p->spec.terms[i].name);
	}
	return out;
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
    const double *variance)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	uint32_t off = plan_has_intercept(p), n = a + off;
	double form[PAR_MAX] = { 1.0 }, intercept = 0.0, df = 0.0;
	/* The outcome's unit, and the root of the dispersion. */
	double unit = p->spec.kind == MODEL_GAUSSIAN ? p->y_sd : 1.0, root;

	if (r->has_dispersion)
		df = (double)r->df_residual;
	root = sqrt(r->has_dispersion ? r->dispersion : 1.0);

	for (uint32_t k = 0; k < a; k++) {
		uint32_t t = active[k], j = k + off;
		double v = variance[packed_at(n, j, j)];

		form[j] = -p->mean[t] / p->sd[t];
		if ((p->blamed >> t & 1) == 0)
			set_term(&r->terms[t + off], unit * beta[j] / p->sd[t],
			    root * sqrt(v) / p->sd[t], df);
	}
	if (off == 0 || p->blamed != 0)
		return;
	for (uint32_t j = 0; j < n; j++)
		intercept += form[j] * beta[j];
	intercept *= unit;
	if (p->spec.kind == MODEL_GAUSSIAN)
		intercept += p->y_mean;
	set_term(&r->terms[0], intercept,
	    root * sqrt(packed_form(variance, n, form)), df);
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

/*
 * Log-likelihoods, deviances and the dispersion as R's glm() has them.  -1 if
 * the data leave nothing to estimate the dispersion from: no standard errors.
 */
static int
set_glm(const struct plan *p, struct result *r, uint32_t n_par)
{
	double n = (double)p->n, scale = 1.0;

	r->df_residual = p->n - n_par;
	if (r->kind == MODEL_GAUSSIAN) {
		scale = p->y_sd * p->y_sd;
		r->deviance = scale * -2.0 * p->loglik;
		r->null_deviance = scale * -2.0 * p->null_loglik;
		if (!(r->deviance > PERFECT * r->null_deviance) ||
		    r->df_residual == 0) {
			r->fitted = false;
			warn(r,
			    "the terms determine the outcome: there is no "
			    "residual variance to judge them by");
			return -1;
		}
		r->loglik = -0.5 * n * (log(2.0 * M_PI * r->deviance / n) + 1);
		r->null_loglik =
		    -0.5 * n * (log(2.0 * M_PI * r->null_deviance / n) + 1);
		r->aic = -2.0 * r->loglik + 2.0 * (n_par + 1);
		r->has_r2 = true;
		r->r2 = 1.0 - r->deviance / r->null_deviance;
		r->adjusted_r2 =
		    1.0 - (1.0 - r->r2) * (n - 1.0) / (double)r->df_residual;
	} else {
		r->deviance = 2.0 * (p->y_saturated - p->loglik);
		r->null_deviance = 2.0 * (p->y_saturated - p->null_loglik);
		r->loglik -= p->y_factorials;
		r->null_loglik -= p->y_factorials;
		r->aic = -2.0 * r->loglik + 2.0 * n_par;
	}
	if (r->df_residual == 0) {
		r->fitted = r->kind == MODEL_POISSON;
		warn(r,
		    "there are as many coefficients as patients: the "
		    "dispersion cannot be estimated");
		return r->fitted ? 0 : -1;
	}
	r->pearson_dispersion = scale * p->pearson / (double)r->df_residual;
	r->has_dispersion = r->kind != MODEL_POISSON;
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
	r->f.p = tail_f(r->f.f, df, (double)r->df_residual);
}

static void
set_fit(const struct plan *p, struct result *r)
{
	uint32_t off = plan_has_intercept(p), n = plan_parameters(p);
	const double *beta = p->status == FIT_OK ? p->beta : p->base;
	double f[PACKED(PAR_MAX)], v[PACKED(PAR_MAX)], column[PAR_MAX];

	memcpy(f, p->info, PACKED(n) * sizeof(*f));
	if (n == off || ldl_factor(f, n, 0.0) >= 0)
		return;
	ldl_inverse(f, n, v, column);
	r->fitted = true;
	r->loglik = p->loglik;
	r->null_loglik = p->null_loglik;
	r->aic = -2.0 * p->loglik + 2.0 * n;
	if (off == 1) {
		r->has_deviance = true;
		r->deviance = -2.0 * p->loglik;
		r->null_deviance = -2.0 * p->null_loglik;
	}
	if (model_kind_has_y(r->kind) && set_glm(p, r, n) == -1)
		return;
	set_terms(p, r, beta, v);
	if (r->has_dispersion) {
		set_f(p, r, n - off);
		return;
	}
	set_test(&r->lr, 2.0 * (p->loglik - p->null_loglik), n - off);
	set_test(&r->score, p->score_test, n - off);
	if (p->status == FIT_OK)
		set_test(&r->wald, wald_of(p, beta, v), n - off);
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
		warn(r,
		    "the concordance is known to %.2g only, since many linear "
		    "predictors are close to each other",
		    r->concordance_bound);
}

static void
warn_of_status(const struct plan *p, struct result *r)
{
	char names[RESULT_WARNING_SIZE];
	uint32_t step = p->spec.risk_set_step;
	bool several;

	names_of(p, p->blamed, names);
	switch (p->status) {
	case FIT_OK:
	case FIT_STATUSES:
		break;
	case FIT_NO_EVENTS:
		warn(r, "no patient had an event: there is nothing to fit");
		break;
	case FIT_ONE_CLASS:
		warn(r,
		    "the outcome is the same in all patients: there is "
		    "nothing to fit");
		break;
	case FIT_TOO_FEW:
		warn(r,
		    "too few events or patients for the study's smallest step "
		    "of %" PRIu32 " (with Efron's ties also: fewer censored "
		    "patients than that, but some): a sum over fewer would be "
		    "about single patients, so nothing was fitted",
		    step);
		break;
	case FIT_FEW_PER_TERM:
		warn(r,
		    "fewer than %" PRIu32 " %s per term for %" PRIu32
		    " terms: such a fit would be about single patients, so "
		    "nothing was fitted",
		    p->spec.events_per_term,
		    p->spec.kind == MODEL_GAUSSIAN ? "patients"
			: p->spec.kind == MODEL_LOGISTIC
			? "patients with the rarer outcome"
			: "events",
		    p->spec.n_terms);
		break;
	case FIT_NO_TERMS:
		warn(r,
		    "no term varies between patients: there is nothing to "
		    "fit");
		break;
	case FIT_SEPARATED:
		several = strchr(names, ',') != NULL;
		warn(r,
		    "separation: %s %s the outcome so well that no finite "
		    "coefficient is best; %s no estimate, and the others are "
		    "those at the point where the fit was stopped",
		    names, several ? "predict" : "predicts",
		    several ? "they have" : "it has");
		break;
	case FIT_SINGULAR:
		warn(r,
		    "singular: at the point that the fit reached, %s cannot "
		    "be told from the other terms",
		    names[0] != '\0' ? names : "the intercept");
		break;
	case FIT_NOT_CONVERGED:
		warn(r,
		    "the fit did not converge in %" PRIu32
		    " iterations; the estimates are those of the last one",
		    p->iterations);
		break;
	case FIT_SUSPECT:
		warn(r,
		    "a sum was beyond what the sites can have sent: a site or "
		    "the coordinator is at fault, and the fit was stopped");
		break;
	case FIT_CHANGING:
		warn(r,
		    "the sites that took part changed again and again, and "
		    "the fit was stopped");
		break;
	}
}

static void
warn_of_data(const struct plan *p, struct result *r)
{
	char names[RESULT_WARNING_SIZE];

	if (p->restarts > 0 && p->status != FIT_CHANGING)
		warn(r,
		    "the patients in the sums changed with the sites that "
		    "took part; the fit began anew %" PRIu32 " times",
		    p->restarts);
	if (p->suspects > 0 && p->status != FIT_SUSPECT)
		warn(r,
		    "%" PRIu32 " sums were beyond what the sites can have "
		    "sent and were not used",
		    p->suspects);
	if (p->constant != 0)
		warn(r,
		    "the same in all patients, and left out of the model: %s",
		    names_of(p, p->constant, names));
	if (p->aliased != 0)
		warn(r,
		    "a combination of the terms before it, and left out of "
		    "the model: %s",
		    names_of(p, p->aliased, names));
	if (p->spec.kind == MODEL_KM && p->grid.n > 0 && p->grid.step > 1)
		warn(r,
		    "times are known by intervals in which at least %" PRIu32
		    " patients of a group leave by an event, or none: a step "
		    "of a curve stands where its interval begins, so that "
		    "medians and restricted means are early by up to an "
		    "interval",
		    p->grid.step);
	if (p->n_strata_out > 0 && p->spec.kind == MODEL_KM)
		warn(r,
		    "left out: %" PRIu32 " groups (of a stratum) that have "
		    "fewer patients than the study's smallest step of %" PRIu32
		    ", or fewer with an event, or fewer without one, but some",
		    p->n_strata_out, p->spec.risk_set_step);
	else if (p->n_strata_out > 0 && p->status != FIT_TOO_FEW)
		warn(r,
		    "%" PRIu32 " strata with %" PRIu64 " patients are too "
		    "small for the study's smallest step and were left out",
		    p->n_strata_out, p->n_out);
	if (p->spec.kind == MODEL_COX && p->grid.step > p->spec.risk_set_step)
		warn(r,
		    "the grid of times was made coarser, to a smallest step "
		    "of %" PRIu32 " patients, to keep the rounds short",
		    p->grid.step);
}

/* Curves have no coefficients; survival.h has what they have. */
static int
read_survival(const struct plan *p, struct result *r)
{
	warn_of_status(p, r);
	warn_of_data(p, r);
	return 0;
}

int
result_read(const struct plan *p, struct result *r, struct err *err)
{
	uint32_t off = plan_has_intercept(p);

	if (!plan_done(p))
		return err_set(
		    err, ERR_FORMAT, "the study is not done: no result yet");
	memset(r, 0, sizeof(*r));
	r->kind = p->spec.kind;
	r->n = p->n;
	r->n_events = p->n_events;
	r->iterations = p->iterations;
	r->halvings = p->halvings;
	r->converged = p->status == FIT_OK;
	if (r->kind == MODEL_KM)
		return read_survival(p, r);
	r->n_terms = p->spec.n_terms + off;
	if (off == 1)
		snprintf(
		    r->terms[0].name, sizeof(r->terms[0].name), "(Intercept)");
	for (uint32_t i = 0; i < p->spec.n_terms; i++)
		memcpy(r->terms[i + off].name, p->spec.terms[i].name,
		    sizeof(r->terms[i + off].name));
	warn_of_status(p, r);
	warn_of_data(p, r);
	if (p->status == FIT_OK || p->status == FIT_SEPARATED ||
	    p->status == FIT_NOT_CONVERGED)
		set_fit(p, r);
	set_concordance(p, r);
	return 0;
}

static void
json_some(struct json *j, const char *key, const char *text)
{
	if (text != NULL)
		json_text(j, key, text);
}

static void
json_number(struct json *j, const char *key, bool there, double v)
{
	if (there)
		json_real(j, key, v);
	else
		json_null(j, key);
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
		json_number(j, "estimate", there, t->estimate);
		json_number(j, "se", there, t->se);
		json_number(j, "z", there, t->z);
		json_number(j, "p", there, t->p);
		json_number(j, "ci_low", there, t->ci_low);
		json_number(j, "ci_high", there, t->ci_high);
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

static double
time_at(const struct plan *p, uint32_t index)
{
	return p->spec.time_min + (double)index * p->spec.time_step;
}

/* Where the intervals of each stratum begin, in the study's time. */
static void
json_grid(struct json *j, const struct plan *p, const char *unit)
{
	const struct grid *g = &p->grid;
	/* Groups have one grid, whatever their strata. */
	uint32_t n_strata = p->spec.kind == MODEL_KM ? 1 : p->spec.n_strata;
	uint32_t i = 0;

	if (p->spec.kind != MODEL_COX && p->spec.kind != MODEL_KM) {
		json_null(j, "grid");
		return;
	}
	json_object(j, "grid");
	json_int(j, "smallest_step", p->spec.risk_set_step);
	json_some(j, "unit", unit);
	if (p->spec.strata == STRATA_SITE) {
		json_text(j, "made_by", "each site");
		json_end_object(j);
		return;
	}
	json_int(j, "step_used", g->step);
	json_int(j, "intervals", g->n);
	json_array(j, "strata");
	for (uint32_t s = 0; s < n_strata; s++) {
		json_object(j, NULL);
		json_int(j, "stratum", s);
		json_array(j, "starts");
		for (; i < g->n && g->intervals[i].stratum == s; i++)
			json_real(j, NULL, time_at(p, g->intervals[i].start));
		json_end_array(j);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void
json_rounds(struct json *j, const struct result_meta *m)
{
	json_array(j, "rounds");
	for (size_t i = 0; i < m->n_rounds; i++) {
		const struct result_round *r = &m->rounds[i];

		json_object(j, NULL);
		json_int(j, "round", (int64_t)r->round);
		json_int(j, "step", r->step);
		json_text(j, "kind", r->kind);
		json_int(j, "n_sites", r->n_sites);
		if (r->sites != NULL) {
			json_array(j, "sites");
			for (uint32_t k = 0; k < r->n_sites; k++)
				json_text(j, NULL, r->sites[k]);
			json_end_array(j);
		}
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_warnings(
    struct json *j, const struct result *r, const struct result_meta *m)
{
	json_array(j, "warnings");
	for (size_t i = 0; i < r->n_warnings; i++)
		json_text(j, NULL, r->warnings[i]);
	for (size_t i = 0; i < m->n_warnings; i++)
		json_text(j, NULL, m->warnings[i]);
	json_end_array(j);
}

static void
json_privacy(struct json *j, const struct plan *p, const struct result_meta *m)
{
	json_object(j, "privacy");
	if (m->k > 0)
		json_int(j, "k", m->k);
	json_int(j, "smallest_risk_set_step", p->spec.risk_set_step);
	if (m->smallest_sites > 0)
		json_int(j, "smallest_sites", m->smallest_sites);
	if (m->corrupted > 0)
		json_int(j, "corrupted_sites_tolerated", m->corrupted);
	json_some(j, "cohort", m->cohort);
	json_some(j, "verify", m->verify);
	json_some(j, "noise", m->noise);
	json_end_object(j);
}

static void
json_glm(struct json *j, const struct result *r)
{
	bool estimated = r->fitted && r->df_residual > 0;

	json_number(j, "df_residual", r->fitted, (double)r->df_residual);
	json_number(j, "dispersion", estimated, r->dispersion);
	json_number(j, "pearson_dispersion", estimated, r->pearson_dispersion);
	if (r->kind == MODEL_GAUSSIAN) {
		json_number(j, "r_squared", r->has_r2, r->r2);
		json_number(j, "adjusted_r_squared", r->has_r2, r->adjusted_r2);
	}
	if (r->kind == MODEL_POISSON)
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
json_survival(struct json *j, const struct plan *p, const struct result *r,
    struct err *err)
{
	struct survival *s = survival_read(p, err);

	if (s == NULL)
		return -1;
	json_int(j, "n", (int64_t)r->n);
	json_int(j, "events", (int64_t)r->n_events);
	json_int(j, "sites", p->spec.n_sites);
	survival_json(s, p, j);
	survival_free(s);
	return 0;
}

static void
json_fit(struct json *j, const struct plan *p, const struct result *r)
{
	json_int(j, "n", (int64_t)r->n);
	if (r->kind != MODEL_GAUSSIAN)
		json_int(j, "events", (int64_t)r->n_events);
	json_int(j, "sites", p->spec.n_sites);
	json_terms(j, r);
	json_number(j, "loglik", r->fitted, r->loglik);
	json_number(j, "null_loglik", r->fitted, r->null_loglik);
	json_number(
	    j, "aic", r->fitted && r->kind != MODEL_QUASIPOISSON, r->aic);
	if (r->kind != MODEL_COX) {
		bool there = r->fitted && r->has_deviance;

		json_number(j, "deviance", there, r->deviance);
		json_number(j, "null_deviance", there, r->null_deviance);
	}
	if (model_kind_has_y(r->kind))
		json_glm(j, r);
	if (r->kind != MODEL_GAUSSIAN && r->kind != MODEL_QUASIPOISSON) {
		json_test(j, "lr_test", &r->lr);
		json_test(j, "score_test", &r->score);
		json_test(j, "wald_test", &r->wald);
	}
	if (!model_kind_has_y(r->kind)) {
		json_number(
		    j, "concordance", r->has_concordance, r->concordance);
		json_number(j, "concordance_bound", r->has_concordance,
		    r->concordance_bound);
	}
	json_int(j, "iterations", r->iterations);
	json_int(j, "halvings", r->halvings);
	json_bool(j, "converged", r->converged);
}

int
result_json(const struct plan *p, const struct result_meta *m,
    struct canon *out, struct err *err)
{
	static const char *const strata[] = {
		[STRATA_NONE] = "none",
		[STRATA_COLUMN] = "column",
		[STRATA_SITE] = "site",
	};
	struct result r;
	struct json j = json_start(out);

	if (result_read(p, &r, err) == -1)
		return -1;
	json_object(&j, NULL);
	json_some(&j, "study", m->study);
	json_some(&j, "study_digest", m->study_digest);
	json_some(&j, "consortium", m->consortium);
	json_some(&j, "purpose", m->purpose);
	json_some(&j, "finished", m->finished);
	json_text(&j, "kind",
	    model_kind_has_y(r.kind) ? "glm" : model_kind_name(r.kind));
	if (model_kind_has_y(r.kind)) {
		json_text(&j, "family", model_kind_name(r.kind));
		json_text(
		    &j, "link", r.kind == MODEL_GAUSSIAN ? "identity" : "log");
	}
	if (r.kind == MODEL_COX) {
		json_text(&j, "ties",
		    p->spec.ties == TIES_EFRON ? "efron" : "breslow");
		json_text(&j, "strata", strata[p->spec.strata]);
	}
	json_some(&j, "outcome", m->outcome);
	if (r.kind != MODEL_KM)
		json_fit(&j, p, &r);
	else if (json_survival(&j, p, &r, err) == -1)
		return -1;
	json_grid(&j, p, m->time_unit);
	json_rounds(&j, m);
	json_warnings(&j, &r, m);
	json_privacy(&j, p, m);
	json_end_object(&j);
	canon_raw(out, "\n", 1);
	return out->failed ? err_sys(err, "the result") : 0;
}

static void print(struct canon *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
print(struct canon *out, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	canon_raw(out, line, MIN((size_t)n, sizeof(line) - 1));
}

/* Columns that a terminal takes for UTF-8: continuation bytes take none. */
static int
width_of(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *
p_text(double p, char out[16])
{
	if (p < 0.0001)
		snprintf(out, 16, "<0.0001");
	else
		snprintf(out, 16, "%.4f", p);
	return out;
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
text_term(struct canon *out, const struct result *r,
    const struct result_term *t, int width)
{
	char p[16], low[24], high[24], ratio[24], ci[56];

	print(out, "%s%*s", t->name, width - width_of(t->name), "");
	if (!t->estimated) {
		print(out, "  not estimated, see below\n");
		return;
	}
	if (r->kind == MODEL_GAUSSIAN) {
		snprintf(ci, sizeof(ci), "%.5g to %.5g", t->ci_low, t->ci_high);
		print(out, " %11.5g  %-24s %10.4g %8.3f %9s\n", t->estimate, ci,
		    t->se, t->z, p_text(t->p, p));
		return;
	}
	snprintf(ci, sizeof(ci), "%s to %s", ratio_text(t->ci_low, low),
	    ratio_text(t->ci_high, high));
	print(out, " %11.5g %10s  %-20s %10.4g %8.3f %9s\n", t->estimate,
	    ratio_text(t->estimate, ratio), ci, t->se, t->z, p_text(t->p, p));
}

static void
text_terms(struct canon *out, const struct result *r)
{
	static const char *const ratios[MODEL_KINDS] = {
		[MODEL_COX] = "HR",
		[MODEL_LOGISTIC] = "OR",
		[MODEL_POISSON] = "RR",
		[MODEL_QUASIPOISSON] = "RR",
	};
	int width = 12;

	for (size_t i = 0; i < r->n_terms; i++)
		width = MAX(width, width_of(r->terms[i].name));
	if (r->kind == MODEL_GAUSSIAN)
		print(out, "%-*s %11s  %-24s %10s %8s %9s\n", width, "term",
		    "coefficient", "95% CI", "se", "t", "p");
	else
		print(out, "%-*s %11s %10s  %-20s %10s %8s %9s\n", width,
		    "term", "coefficient", ratios[r->kind], "95% CI", "se",
		    r->has_dispersion ? "t" : "z", "p");
	for (size_t i = 0; i < r->n_terms; i++)
		text_term(out, r, &r->terms[i], width);
	print(out, "\n");
}

static void
text_test(struct canon *out, const char *name, const struct result_test *t)
{
	char p[16];

	if (t->df > 0)
		print(out, "%-22s %.4f on %u df, p %s%s\n", name, t->chi2,
		    t->df, t->p < 0.0001 ? "" : "= ", p_text(t->p, p));
}

static void
text_glm(struct canon *out, const struct result *r)
{
	char p[16];

	if (r->df_residual > 0)
		print(out, "%-22s %.6g on %" PRIu64 " df%s\n", "Dispersion",
		    r->pearson_dispersion, r->df_residual,
		    r->has_dispersion ? "" : " (taken to be 1)");
	if (r->has_r2)
		print(out, "%-22s %.6f (adjusted %.6f)\n", "R squared", r->r2,
		    r->adjusted_r2);
	if (r->f.df1 > 0)
		print(out, "%-22s %.4f on %u and %" PRIu64 " df, p %s%s\n",
		    "F test", r->f.f, r->f.df1, r->f.df2,
		    r->f.p < 0.0001 ? "" : "= ", p_text(r->f.p, p));
}

static void
text_fit(struct canon *out, const struct plan *p, const struct result *r)
{
	bool cox = r->kind == MODEL_COX;

	print(out, "n = %" PRIu64, r->n);
	if (r->kind != MODEL_GAUSSIAN)
		print(out, ", %s = %" PRIu64,
		    r->kind == MODEL_LOGISTIC ? "with the outcome" : "events",
		    r->n_events);
	print(out, ", %" PRIu32 " sites\n", p->spec.n_sites);
	if (!r->fitted)
		return;
	print(out, "%-22s %.6f (null model %.6f)", "Log-likelihood", r->loglik,
	    r->null_loglik);
	if (r->kind != MODEL_QUASIPOISSON)
		print(out, ", AIC %.4f", r->aic);
	print(out, "\n");
	if (!cox)
		print(out, "%-22s %.6f (null model %.6f)\n", "Deviance",
		    r->deviance, r->null_deviance);
	if (model_kind_has_y(r->kind))
		text_glm(out, r);
	text_test(out, "Likelihood ratio test", &r->lr);
	text_test(out, "Wald test", &r->wald);
	text_test(out, "Score test", &r->score);
	if (r->has_concordance)
		print(out, "%-22s %.5f (+- %.1g from binning)\n",
		    cox ? "Concordance" : "Area under the ROC", r->concordance,
		    r->concordance_bound);
	print(out, "%-22s %s after %" PRIu32 " Newton rounds\n", "Fit",
	    r->converged ? "converged" : "NOT converged", r->iterations);
}

static int
text_survival(struct canon *out, const struct plan *p, const struct result *r,
    struct err *err)
{
	struct survival *s = survival_read(p, err);

	if (s == NULL)
		return -1;
	print(out,
	    "n = %" PRIu64 ", events = %" PRIu64 ", %" PRIu32 " sites\n\n",
	    r->n, r->n_events, p->spec.n_sites);
	survival_text(s, p, out);
	survival_free(s);
	return 0;
}

static void
text_heading(struct canon *out, const struct plan *p, const struct result *r,
    const struct result_meta *m)
{
	static const char *const headings[MODEL_KINDS] = {
		[MODEL_LOGISTIC] = "Logistic regression",
		[MODEL_GAUSSIAN] = "Linear regression",
		[MODEL_POISSON] = "Poisson regression (log link)",
		[MODEL_QUASIPOISSON] =
		    "Poisson regression (log link) with dispersion",
		[MODEL_KM] = "Survival by groups, Kaplan-Meier",
	};

	if (m->study != NULL)
		print(out, "Study %s\n", m->study);
	if (r->kind == MODEL_COX)
		print(out, "Cox proportional hazards, %s ties%s",
		    p->spec.ties == TIES_EFRON ? "Efron" : "Breslow",
		    p->spec.strata == STRATA_NONE       ? ""
			: p->spec.strata == STRATA_SITE ? ", stratified by site"
							: ", stratified");
	else
		print(out, "%s", headings[r->kind]);
	if (m->outcome != NULL)
		print(out, "; outcome: %s", m->outcome);
	print(out, "\n\n");
}

static void
text_grid(struct canon *out, const struct plan *p)
{
	if (p->spec.kind != MODEL_COX && p->spec.kind != MODEL_KM)
		return;
	if (p->spec.strata == STRATA_SITE)
		print(out, "%-22s made by each site", "Grid of times");
	else
		print(out, "%-22s %" PRIu32 " intervals", "Grid of times",
		    p->grid.n);
	if (p->spec.risk_set_step > 1)
		print(out,
		    "; neighbouring risk sets differ by at least %" PRIu32
		    " patients",
		    MAX(p->spec.risk_set_step, p->grid.step));
	print(out, "\n");
}

int
result_text(const struct plan *p, const struct result_meta *m,
    struct canon *out, struct err *err)
{
	struct result r;

	if (result_read(p, &r, err) == -1)
		return -1;
	text_heading(out, p, &r, m);
	if (r.fitted)
		text_terms(out, &r);
	if (r.kind != MODEL_KM)
		text_fit(out, p, &r);
	else if (text_survival(out, p, &r, err) == -1)
		return -1;
	text_grid(out, p);
	if (r.n_warnings + m->n_warnings > 0)
		print(out, "\n");
	for (size_t i = 0; i < r.n_warnings; i++)
		print(out, "Warning: %s.\n", r.warnings[i]);
	for (size_t i = 0; i < m->n_warnings; i++)
		print(out, "Warning: %s.\n", m->warnings[i]);
	return out->failed ? err_sys(err, "the result") : 0;
}

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

/* P(chi-square with df degrees of freedom > x); Abramowitz, Stegun 26.4.4-5. */
static double
chi2_tail(double x, unsigned df)
{
	double y = 0.5 * x, term, sum = 0.0;
	unsigned first = df % 2 == 0 ? 0 : 1;

	if (df == 0 || !(x > 0.0))
		return 1.0;
	/* y^(i/2) exp(-y) / Gamma(i/2 + 1) for i = first, first + 2, ... */
	term = first == 0 ? exp(-y) : exp(-y) * sqrt(y) / (0.5 * sqrt(M_PI));
	for (unsigned i = first; i + 2 <= df; i += 2) {
		sum += term;
		term *= y / (0.5 * i + 1.0);
	}
	return fmin(1.0, first == 0 ? sum : erfc(sqrt(y)) + sum);
}

static void
set_test(struct result_test *t, double chi2, unsigned df)
{
	t->chi2 = chi2;
	t->df = df;
	t->p = chi2_tail(chi2, df);
}

static void
set_term(struct result_term *t, double estimate, double se)
{
	t->estimated = true;
	t->estimate = estimate;
	t->se = se;
	t->z = estimate / se;
	t->p = erfc(fabs(t->z) / M_SQRT2);
	t->ci_low = estimate - Z_95 * se;
	t->ci_high = estimate + Z_95 * se;
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
	double form[PAR_MAX] = { 1.0 }, intercept = 0.0;

	for (uint32_t k = 0; k < a; k++) {
		uint32_t t = active[k], j = k + off;
		double v = variance[packed_at(n, j, j)];

		form[j] = -p->mean[t] / p->sd[t];
		if ((p->blamed >> t & 1) == 0)
			set_term(&r->terms[t + off], beta[j] / p->sd[t],
			    sqrt(v) / p->sd[t]);
	}
	if (off == 0 || p->blamed != 0)
		return;
	for (uint32_t j = 0; j < n; j++)
		intercept += form[j] * beta[j];
	set_term(&r->terms[0], intercept, sqrt(packed_form(variance, n, form)));
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
	set_terms(p, r, beta, v);
	r->fitted = true;
	r->loglik = p->loglik;
	r->null_loglik = p->null_loglik;
	r->aic = -2.0 * p->loglik + 2.0 * n;
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
	if (p->n_strata_out > 0 && p->status != FIT_TOO_FEW)
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
	uint32_t i = 0;

	if (p->spec.kind != MODEL_COX) {
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
	for (uint32_t s = 0; s < p->spec.n_strata; s++) {
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
json_fit(struct json *j, const struct plan *p, const struct result *r)
{
	json_int(j, "n", (int64_t)r->n);
	json_int(j, "n_events", (int64_t)r->n_events);
	json_int(j, "sites", p->spec.n_sites);
	json_terms(j, r);
	json_number(j, "loglik", r->fitted, r->loglik);
	json_number(j, "null_loglik", r->fitted, r->null_loglik);
	json_number(j, "aic", r->fitted, r->aic);
	if (r->kind == MODEL_LOGISTIC) {
		json_number(j, "deviance", r->fitted, -2.0 * r->loglik);
		json_number(
		    j, "null_deviance", r->fitted, -2.0 * r->null_loglik);
	}
	json_test(j, "lr_test", &r->lr);
	json_test(j, "score_test", &r->score);
	json_test(j, "wald_test", &r->wald);
	json_number(j, "concordance", r->has_concordance, r->concordance);
	json_number(
	    j, "concordance_bound", r->has_concordance, r->concordance_bound);
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
	json_text(&j, "kind", model_kind_name(r.kind));
	if (r.kind == MODEL_COX) {
		json_text(&j, "ties",
		    p->spec.ties == TIES_EFRON ? "efron" : "breslow");
		json_text(&j, "strata", strata[p->spec.strata]);
	}
	json_some(&j, "outcome", m->outcome);
	json_fit(&j, p, &r);
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
text_term(struct canon *out, const struct result_term *t, int width)
{
	char p[16], low[24], high[24], ratio[24], ci[56];

	print(out, "%s%*s", t->name, width - width_of(t->name), "");
	if (!t->estimated) {
		print(out, "  not estimated, see below\n");
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
	int width = 12;

	for (size_t i = 0; i < r->n_terms; i++)
		width = MAX(width, width_of(r->terms[i].name));
	print(out, "%-*s %11s %10s  %-20s %10s %8s %9s\n", width, "term",
	    "coefficient", r->kind == MODEL_COX ? "HR" : "OR", "95% CI", "se",
	    "z", "p");
	for (size_t i = 0; i < r->n_terms; i++)
		text_term(out, &r->terms[i], width);
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
text_fit(struct canon *out, const struct plan *p, const struct result *r)
{
	bool cox = r->kind == MODEL_COX;

	print(out, "n = %" PRIu64 ", %s = %" PRIu64 ", %" PRIu32 " sites\n",
	    r->n, cox ? "events" : "with the outcome", r->n_events,
	    p->spec.n_sites);
	if (!r->fitted)
		return;
	print(out, "%-22s %.6f (null model %.6f), AIC %.4f\n", "Log-likelihood",
	    r->loglik, r->null_loglik, r->aic);
	if (!cox)
		print(out, "%-22s %.6f (null model %.6f)\n", "Deviance",
		    -2.0 * r->loglik, -2.0 * r->null_loglik);
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

static void
text_heading(struct canon *out, const struct plan *p, const struct result *r,
    const struct result_meta *m)
{
	if (m->study != NULL)
		print(out, "Study %s\n", m->study);
	if (r->kind == MODEL_COX)
		print(out, "Cox proportional hazards, %s ties%s",
		    p->spec.ties == TIES_EFRON ? "Efron" : "Breslow",
		    p->spec.strata == STRATA_NONE       ? ""
			: p->spec.strata == STRATA_SITE ? ", stratified by site"
							: ", stratified");
	else
		print(out, "Logistic regression");
	if (m->outcome != NULL)
		print(out, "; outcome: %s", m->outcome);
	print(out, "\n\n");
}

static void
text_grid(struct canon *out, const struct plan *p)
{
	if (p->spec.kind != MODEL_COX)
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
	text_fit(out, p, &r);
	text_grid(out, p);
	if (r.n_warnings + m->n_warnings > 0)
		print(out, "\n");
	for (size_t i = 0; i < r.n_warnings; i++)
		print(out, "Warning: %s.\n", r.warnings[i]);
	for (size_t i = 0; i < m->n_warnings; i++)
		print(out, "Warning: %s.\n", m->warnings[i]);
	return out->failed ? err_sys(err, "the result") : 0;
}

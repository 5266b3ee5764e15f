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
#include "common/utf8.h"
#include "model/learned.h"
#include "model/report.h"

const struct report_kind *
report_kind_of(const struct plan *p)
{
	static const struct report_kind *const kinds[MODEL_KINDS] = {
#define MODEL_ENTRY(constant, name) [MODEL_##constant] = &report_##name,
		MODEL_EACH_KIND(MODEL_ENTRY)
#undef MODEL_ENTRY
	};

	return kinds[p->spec.kind];
}

void
result_warn(struct result *r, const char *fmt, ...)
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
		result_warn(
		    r, "no patient had an event: there is nothing to fit");
		break;
	case FIT_ONE_CLASS:
		result_warn(r,
		    "the outcome is the same in all patients: there is "
		    "nothing to fit");
		break;
	case FIT_TOO_FEW:
		result_warn(r,
		    "too few events or patients for the study's smallest step "
		    "of %" PRIu32 "%s: a sum over fewer would be about single "
		    "patients, so nothing was fitted",
		    step,
		    p->spec.kind == MODEL_COX && p->spec.ties == TIES_EFRON
			? " (or fewer censored patients than that, but some)"
			: "");
		break;
	case FIT_FEW_PER_TERM:
		result_warn(r,
		    "fewer than %" PRIu32 " %s per term for %" PRIu32
		    " terms: such a fit would be about single patients, so "
		    "nothing was fitted",
		    p->spec.events_per_term, report_kind_of(p)->per_term,
		    p->spec.n_terms);
		break;
	case FIT_WEIGHTS:
		result_warn(r,
		    "the weights add up to less than %" PRIu32 " times the "
		    "largest one that the codebook allows: a sum could be "
		    "about the few who weigh most, so nothing was fitted",
		    MAX(step, 2u));
		break;
	case FIT_FEW_SITES:
		result_warn(r,
		    "fewer than %d sites have %" PRIu32 " patients each: with "
		    "fewer, robust standard errors by site would give away "
		    "each site's own sums, so nothing was fitted",
		    MODEL_CLUSTERS_MIN, step);
		break;
	case FIT_NO_TERMS:
		result_warn(r,
		    "no term varies between patients: there is nothing to "
		    "fit");
		break;
	case FIT_SEPARATED:
		several = strchr(names, ',') != NULL;
		result_warn(r,
		    "separation: %s %s the outcome so well that no finite "
		    "coefficient is best; %s no estimate, and the others are "
		    "those at the point where the fit was stopped",
		    names, several ? "predict" : "predicts",
		    several ? "they have" : "it has");
		break;
	case FIT_SINGULAR:
		result_warn(r,
		    "singular: at the point that the fit reached, %s cannot "
		    "be told from the other terms",
		    names[0] != '\0' ? names : "the intercept");
		break;
	case FIT_NOT_CONVERGED:
		result_warn(r,
		    "the fit did not converge in %" PRIu32
		    " iterations; the estimates are those of the last one",
		    p->iterations);
		break;
	case FIT_SUSPECT:
		result_warn(r,
		    "a sum was beyond what the sites can have sent: a site or "
		    "the coordinator is at fault, and the fit was stopped");
		break;
	case FIT_CHANGING:
		result_warn(r,
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
		result_warn(r,
		    "the patients in the sums changed with the sites that "
		    "took part; the fit began anew %" PRIu32 " times",
		    p->restarts);
	if (p->suspects > 0 && p->status != FIT_SUSPECT)
		result_warn(r,
		    "%" PRIu32 " sums were beyond what the sites can have "
		    "sent and were not used",
		    p->suspects);
	if (p->few != 0)
		result_warn(r,
		    "had or lacked by fewer than %" PRIu32 " patients, or by "
		    "those of fewer than %d sites, and left out of the model: "
		    "%s",
		    p->spec.risk_set_step, PLAN_SITES,
		    names_of(p, p->few, names));
	if ((p->constant & ~p->few) != 0)
		result_warn(r,
		    "the same in all patients, and left out of the model: %s",
		    names_of(p, p->constant & ~p->few, names));
	if (p->aliased != 0)
		result_warn(r,
		    "a combination of the terms before it, and left out of "
		    "the model: %s",
		    names_of(p, p->aliased, names));
	if (report_kind_of(p)->warn != NULL)
		report_kind_of(p)->warn(p, r);
}

int
result_read(const struct plan *p, struct result *r, struct err *err)
{
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
	warn_of_status(p, r);
	warn_of_data(p, r);
	if (report_kind_of(p)->read != NULL)
		report_kind_of(p)->read(p, r);
	return 0;
}

static void
json_some(struct json *j, const char *key, const char *text)
{
	if (text != NULL)
		json_text(j, key, text);
}

void
report_number(struct json *j, const char *key, bool there, double v)
{
	if (there)
		json_real(j, key, v);
	else
		json_null(j, key);
}

static double
time_at(const struct plan *p, uint32_t index)
{
	return p->spec.time_min + (double)index * p->spec.time_step;
}

/* Where the intervals of each stratum begin, in the study's time. */
/* Who enters before the last event of an interval is at risk in it. */
static void
json_lasts(const struct plan *p, struct json *j, uint32_t stratum)
{
	const struct grid *g = &p->grid;

	json_array(j, "lasts");
	for (uint32_t i = 0; i < g->n; i++) {
		if (g->intervals[i].stratum == stratum)
			json_real(j, NULL,
			    time_at(p,
				MIN(g->intervals[i].last,
				    p->spec.n_times - 1)));
	}
	json_end_array(j);
}

static void
json_grid(struct json *j, const struct plan *p, const char *unit)
{
	const struct plan_kind *kind = plan_kind_of(p->spec.kind);
	const struct grid *g = &p->grid;
	/* Groups have one grid, whatever their strata. */
	uint32_t n_strata = kind->has_groups ? 1 : p->spec.n_strata;
	uint32_t i = 0;

	if (!kind->has_time) {
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
		if (p->spec.has_entry)
			json_lasts(p, j, s);
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
	if (plan_learns(p))
		learned_privacy(p, j);
	json_end_object(j);
}

/* A fit that was learned has its own words (model/learned.h). */
static int
read_fit(const struct plan *p, struct result *r, struct err *err)
{
	if (!plan_learns(p))
		return result_read(p, r, err);
	if (!plan_done(p))
		return err_set(err, ERR_FORMAT, "the plan is not done");
	*r = (struct result){ .kind = p->spec.kind };
	if (learned_warning(p) != NULL)
		result_warn(r, "%s", learned_warning(p));
	return 0;
}

int
result_json(const struct plan *p, const struct result_meta *m,
    struct canon *out, struct err *err)
{
	const struct report_kind *kind = report_kind_of(p);
	struct result r;
	struct json j = json_start(out);

	if (read_fit(p, &r, err) == -1)
		return -1;
	json_object(&j, NULL);
	json_some(&j, "study", m->study);
	json_some(&j, "study_digest", m->study_digest);
	json_some(&j, "consortium", m->consortium);
	json_some(&j, "purpose", m->purpose);
	json_some(&j, "finished", m->finished);
	json_text(&j, "kind", kind->kind);
	json_some(&j, "family", kind->family);
	json_some(&j, "link", kind->link);
	if (kind->json_heading != NULL)
		kind->json_heading(p, &j);
	json_some(&j, "outcome", m->outcome);
	if (plan_learns(p))
		learned_json(p, &j);
	else if (kind->json(p, &r, &j, err) == -1)
		return -1;
	json_grid(&j, p, m->time_unit);
	json_rounds(&j, m);
	json_warnings(&j, &r, m);
	json_privacy(&j, p, m);
	json_end_object(&j);
	canon_raw(out, "\n", 1);
	return out->failed ? err_sys(err, "the result") : 0;
}

void
report_print(struct canon *out, const char *fmt, ...)
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

int
report_width(const char *s)
{
	return (int)utf8_count(s, strlen(s));
}

const char *
report_p(double p, char out[16])
{
	if (p < 0.0001)
		snprintf(out, 16, "<0.0001");
	else
		snprintf(out, 16, "%.4f", p);
	return out;
}

const char *
report_digits(double v, char out[24])
{
	if (isnan(v))
		return "-";
	snprintf(out, 24, "%.6g", v);
	return out;
}

static void
text_heading(
    struct canon *out, const struct plan *p, const struct result_meta *m)
{
	const struct report_kind *kind = report_kind_of(p);

	if (m->study != NULL)
		report_print(out, "Study %s\n", m->study);
	report_print(out, "%s", kind->heading);
	if (kind->text_heading != NULL)
		kind->text_heading(p, out);
	if (m->outcome != NULL)
		report_print(out, "; outcome: %s", m->outcome);
	report_print(out, "\n\n");
}

static void
text_grid(struct canon *out, const struct plan *p)
{
	if (!plan_kind_of(p->spec.kind)->has_time)
		return;
	if (p->spec.strata == STRATA_SITE)
		report_print(out, "%-22s made by each site", "Grid of times");
	else
		report_print(out, "%-22s %" PRIu32 " intervals",
		    "Grid of times", p->grid.n);
	if (p->spec.risk_set_step > 1)
		report_print(out,
		    "; neighbouring risk sets differ by at least %" PRIu32
		    " patients",
		    MAX(p->spec.risk_set_step, p->grid.step));
	report_print(out, "\n");
}

int
result_text(const struct plan *p, const struct result_meta *m,
    struct canon *out, struct err *err)
{
	struct result r;

	if (read_fit(p, &r, err) == -1)
		return -1;
	text_heading(out, p, m);
	if (plan_learns(p))
		learned_text(p, out);
	else if (report_kind_of(p)->text(p, &r, out, err) == -1)
		return -1;
	text_grid(out, p);
	if (r.n_warnings + m->n_warnings > 0)
		report_print(out, "\n");
	for (size_t i = 0; i < r.n_warnings; i++)
		report_print(out, "Warning: %s.\n", r.warnings[i]);
	for (size_t i = 0; i < m->n_warnings; i++)
		report_print(out, "Warning: %s.\n", m->warnings[i]);
	return out->failed ? err_sys(err, "the result") : 0;
}

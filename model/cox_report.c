/*
 * What a Cox model says beside its coefficients, from what its plan has kept
 * (model/step/hazard.h).
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/json.h"
#include "common/macros.h"
#include "model/report.h"
#include "model/step/hazard.h"
#include "model/step/ldl.h"
#include "model/tail.h"

_Static_assert(RESULT_PH == HAZARD_TRANSFORMS, "one test for each");

/* A fit whose numbers were kept. */
static bool
is_kept(const struct plan *p)
{
	return p->status == FIT_OK && hazard_is_kept(p);
}

/*
 * The score test of terms whose coefficients change with g: u is the sum of
 * g (z - m) over events, and its variance given the other coefficients is
 * [g^2 V] - [g V]' V^-1 [g V], of the terms that are in.
 */
static double
score_of(const struct plan *p, const double *test, const bool *in)
{
	uint32_t n = plan_parameters(p), m = 0, at[MODEL_TERMS_MAX];
	const double *u = test + 1, *gV = u + p->spec.n_terms;
	const double *ggV = gV + PACKED(p->spec.n_terms);
	double f[PACKED(PAR_MAX)], left[PACKED(PAR_MAX)];
	double column[PAR_MAX], own[PAR_MAX], x[PAR_MAX], sum = 0.0;

	for (uint32_t i = 0; i < n; i++) {
		if (in[i])
			at[m++] = i;
	}
	memcpy(f, p->info, PACKED(n) * sizeof(*f));
	if (ldl_factor(f, n, 0.0) >= 0)
		return NAN;
	for (uint32_t j = 0; j < m; j++) {
		for (uint32_t k = 0; k < n; k++)
			column[k] =
			    gV[packed_at(n, MIN(k, at[j]), MAX(k, at[j]))];
		ldl_solve(f, n, column);
		for (uint32_t i = 0; i <= j; i++) {
			double v = ggV[packed_at(n, at[i], at[j])];

			for (uint32_t k = 0; k < n; k++)
				v -= column[k] *
				    gV[packed_at(
					n, MIN(k, at[i]), MAX(k, at[i]))];
			left[packed_at(m, i, j)] = v;
		}
		/* Newton's last step is not in the sums yet. */
		own[j] = u[at[j]];
		for (uint32_t k = 0; k < n; k++)
			own[j] -= p->step[k] *
			    gV[packed_at(n, MIN(k, at[j]), MAX(k, at[j]))];
		x[j] = own[j];
	}
	if (ldl_factor(left, m, 1e-12) >= 0)
		return NAN;
	ldl_solve(left, m, x);
	for (uint32_t j = 0; j < m; j++)
		sum += x[j] * own[j];
	return sum;
}

static void
set_ph(struct result_test *t, double chi2, unsigned df)
{
	if (df == 0 || !isfinite(chi2))
		return;
	t->chi2 = chi2;
	t->df = df;
	t->p = tail_chi2(chi2, df);
}

static void
read_ph(const struct plan *p, struct result *r, size_t transform)
{
	static const char *const names[] = { [HAZARD_KM] = "km",
		[HAZARD_RANK] = "rank",
		[HAZARD_IDENTITY] = "identity",
		[HAZARD_LOG] = "log" };
	struct hazard_reals at = hazard_reals(p, true);
	const double *test = p->reals + hazard_test_at(p, &at, transform);
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	struct result_ph *ph = &r->ph[transform];
	bool all[MODEL_TERMS_MAX] = { false };

	ph->transform = names[transform];
	if (test[0] == 0.0)
		return;
	for (uint32_t e = 0; e < p->spec.n_effects; e++) {
		bool in[MODEL_TERMS_MAX] = { false };
		unsigned df = 0;

		for (uint32_t i = 0; i < a; i++) {
			in[i] = p->spec.terms[active[i]].effect == e;
			df += in[i];
		}
		set_ph(&ph->effects[e], score_of(p, test, in), df);
	}
	for (uint32_t i = 0; i < a; i++)
		all[i] = true;
	set_ph(&ph->global, score_of(p, test, all), a);
	ph->there = ph->global.df > 0;
}

void
cox_read(const struct plan *p, struct result *r)
{
	for (size_t k = 0; is_kept(p) && p->spec.ph_test && k < RESULT_PH; k++)
		read_ph(p, r, k);
}

/* The sum over the d events of an interval of 1 / (S0 - f E0). */
static double
hazard_step_of(const struct plan *p, size_t g)
{
	struct hazard_reals at = hazard_reals(p, true);
	size_t stride = 1 + (size_t)p->spec.n_terms;
	const double *risk = p->reals + at.risk + 2 * g * stride;
	uint64_t d = p->grid.intervals[g].events;
	double sum = 0.0;

	if (p->spec.ties != TIES_EFRON || d < 2)
		return (double)d / risk[0];
	for (uint64_t i = d; i > 0; i--)
		sum += 1.0 /
		    (risk[0] - risk[stride] +
			(double)i / (double)d * risk[stride]);
	return sum;
}

/*
 * Steps of a stratum's intervals from..to-1, from the last one backwards: each
 * has at least s events, and none or s censored; what is left at the beginning
 * joins the step after it.  Returns how many; they are in order.
 */
static size_t
make_steps(
    const struct plan *p, size_t from, size_t to, struct result_hazard *out)
{
	const struct grid_interval *v = p->grid.intervals;
	uint64_t step = p->spec.risk_set_step, at_risk = 0;
	uint64_t events = 0, censored = 0;
	size_t n = 0, last = to, i = from;
	double sum = 0.0;

	for (size_t g = to; g-- > from;) {
		at_risk =
		    p->spec.has_entry ? v[g].at_risk : at_risk + v[g].leavers;
		events += v[g].events;
		censored += v[g].leavers - v[g].events;
		if (events < step || (censored > 0 && censored < step))
			continue;
		out[n++] = (struct result_hazard){ .stratum = v[g].stratum,
			.time = p->spec.time_min +
			    p->spec.time_step * (double)v[last - 1].start,
			.at_risk = at_risk,
			.events = events };
		last = g;
		events = censored = 0;
	}
	if (n == 0)
		return 0;
	out[n - 1].at_risk = at_risk;
	out[n - 1].events += events;
	for (size_t k = 0; k < n / 2; k++) {
		struct result_hazard t = out[k];

		out[k] = out[n - 1 - k];
		out[n - 1 - k] = t;
	}
	for (size_t k = 0; k < n; k++) {
		for (uint64_t d = 0; d < out[k].events; d += v[i++].events)
			sum += hazard_step_of(p, i);
		out[k].hazard = sum;
	}
	return n;
}

struct result_hazard *
result_baseline(const struct plan *p, size_t *n)
{
	const struct grid_interval *v = p->grid.intervals;
	struct result_hazard *out;
	size_t to;

	*n = 0;
	if (!is_kept(p) || !p->spec.baseline)
		return NULL;
	out = calloc((size_t)p->grid.n + 1, sizeof(*out));
	for (size_t from = 0; out != NULL && from < p->grid.n; from = to) {
		for (to = from;
		     to < p->grid.n && v[to].stratum == v[from].stratum;)
			to++;
		*n += make_steps(p, from, to, out + *n);
	}
	return out;
}

static void
json_ph_test(struct json *j, const char *key, const struct result_test *t)
{
	bool there = t->df > 0;

	json_object(j, NULL);
	json_text(j, "name", key);
	report_number(j, "chi2", there, t->chi2);
	json_int(j, "df", t->df);
	report_number(j, "p", there, t->p);
	json_end_object(j);
}

static void
json_ph(struct json *j, const struct result *r)
{
	json_object(j, "proportional_hazards");
	for (size_t k = 0; k < RESULT_PH; k++) {
		const struct result_ph *ph = &r->ph[k];

		if (ph->transform == NULL)
			continue;
		if (!ph->there) {
			json_null(j, ph->transform);
			continue;
		}
		json_array(j, ph->transform);
		for (size_t e = 0; e < r->n_effects; e++)
			json_ph_test(j, r->effects[e].name, &ph->effects[e]);
		json_ph_test(j, "all", &ph->global);
		json_end_array(j);
	}
	json_end_object(j);
}

static void
json_baseline(struct json *j, const struct plan *p,
    const struct result_hazard *steps, size_t n)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);

	json_object(j, "baseline");
	json_object(j, "at");
	for (uint32_t i = 0; i < a; i++)
		json_real(j, p->spec.terms[active[i]].name, p->mean[active[i]]);
	json_end_object(j);
	json_array(j, "steps");
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_int(j, "stratum", steps[i].stratum);
		json_real(j, "time", steps[i].time);
		json_int(j, "at_risk", (int64_t)steps[i].at_risk);
		json_int(j, "events", (int64_t)steps[i].events);
		json_real(j, "hazard", steps[i].hazard);
		json_real(j, "survival", exp(-steps[i].hazard));
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

int
cox_json(const struct plan *p, const struct result *r, struct json *j,
    struct err *err)
{
	struct result_hazard *steps;
	size_t n;

	if (!is_kept(p))
		return 0;
	if (p->spec.ph_test)
		json_ph(j, r);
	if (!p->spec.baseline)
		return 0;
	if ((steps = result_baseline(p, &n)) == NULL)
		return err_sys(err, "the baseline hazard");
	json_baseline(j, p, steps, n);
	free(steps);
	return 0;
}

static void
text_ph_line(struct canon *out, const struct result *r, const char *name,
    int width, size_t effect)
{
	const struct result_test *first = NULL;
	char p[16];

	report_print(out, "%s%*s", name, width - report_width(name), "");
	for (size_t k = 0; k < RESULT_PH; k++) {
		const struct result_ph *ph = &r->ph[k];
		const struct result_test *t =
		    effect < r->n_effects ? &ph->effects[effect] : &ph->global;

		if (!ph->there)
			continue;
		if (first == NULL) {
			first = t;
			report_print(out, " %14.4f %4u", t->chi2, t->df);
		}
		report_print(out, " %9s", t->df > 0 ? report_p(t->p, p) : "-");
	}
	report_print(out, "\n");
}

/* Chi-square of the first transform that there is, p of all of them. */
static void
text_ph(struct canon *out, const struct result *r)
{
	int width = 21;
	bool any = false;

	for (size_t i = 0; i < r->n_effects; i++)
		width = MAX(width, report_width(r->effects[i].name));
	for (size_t k = 0; k < RESULT_PH; k++)
		any |= r->ph[k].there;
	if (!any) {
		report_print(out,
		    "\nNo test of proportional hazards: no term changes "
		    "within risk sets\n");
		return;
	}
	report_print(out, "\n%-*s %14s %4s", width, "proportional hazards",
	    "chi2 (score)", "df");
	for (size_t k = 0; k < RESULT_PH; k++) {
		char head[24];

		snprintf(head, sizeof(head), "p, %s",
		    k == HAZARD_IDENTITY ? "time" : r->ph[k].transform);
		if (r->ph[k].there)
			report_print(out, " %9s", head);
	}
	report_print(out, "\n");
	for (size_t e = 0; e < r->n_effects; e++)
		text_ph_line(out, r, r->effects[e].name, width, e);
	text_ph_line(out, r, "all", width, r->n_effects);
	report_print(out, "\n");
}

#define TEXT_STEPS 12

/* Of each stratum up to TEXT_STEPS steps, and the last one. */
static void
text_baseline(struct canon *out, const struct result_hazard *steps, size_t n)
{
	report_print(out, "%-12s %10s %8s %11s %9s\n", "baseline", "time",
	    "at risk", "hazard", "survival");
	for (size_t from = 0, to; from < n; from = to) {
		size_t count;

		for (to = from;
		     to < n && steps[to].stratum == steps[from].stratum;)
			to++;
		count = to - from;
		for (size_t k = 0; k < MIN(count, (size_t)TEXT_STEPS); k++) {
			const struct result_hazard *s = &steps[from +
			    (count <= TEXT_STEPS
				    ? k
				    : (k + 1) * count / TEXT_STEPS - 1)];
			char name[32];

			snprintf(name, sizeof(name), "stratum %" PRIu32,
			    s->stratum + 1);
			report_print(out,
			    "%-12s %10g %8" PRIu64 " %11.5g %9.4f\n",
			    steps[n - 1].stratum > 0 ? name : "", s->time,
			    s->at_risk, s->hazard, exp(-s->hazard));
		}
	}
	report_print(out,
	    "of a patient who has the mean of every term; all %zu steps are in "
	    "result.json\n\n",
	    n);
}

int
cox_text(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err)
{
	struct result_hazard *steps;
	size_t n;

	if (!is_kept(p))
		return 0;
	if (p->spec.ph_test)
		text_ph(out, r);
	if (!p->spec.baseline)
		return 0;
	if ((steps = result_baseline(p, &n)) == NULL)
		return err_sys(err, "the baseline hazard");
	text_baseline(out, steps, n);
	free(steps);
	return 0;
}

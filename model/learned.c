#include "model/learned.h"

#include <math.h>

#include "common/json.h"
#include "common/macros.h"
#include "model/report.h"

#define UNIT "one patient, present or absent"

/* Coefficients in the study's own units, the intercept first; they were
   learned for terms (and a gaussian outcome) scaled by their ranges. */
static void
coefficients(const struct plan *p, double out[PAR_MAX])
{
	double y = p->spec.kind == MODEL_GAUSSIAN ? p->y_sd : 1.0;
	uint32_t active[MODEL_TERMS_MAX], n = plan_active(p, active);

	out[0] = p->base[0] * y;
	if (p->spec.kind == MODEL_GAUSSIAN)
		out[0] += p->y_mean;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t t = active[i];

		out[1 + i] = p->base[1 + i] * y / p->sd[t];
		out[0] -= out[1 + i] * p->mean[t];
	}
}

static bool
there_is_a_fit(const struct plan *p)
{
	return p->status == FIT_OK && p->phase == PHASE_DONE;
}

const char *
learned_warning(const struct plan *p)
{
	switch (p->status) {
	case FIT_OK:
		return NULL;
	case FIT_NO_TERMS:
		return "nothing was fitted: no term has a range";
	default:
		return "nothing was fitted: sums were beyond what the sites "
		       "can have sent";
	}
}

/* Of the noise in a sum, on each number of the mean gradient. */
static double
noise_of_mean(const struct plan *p, double patients)
{
	return sqrt(p->learn.variance) / p->learn.scale / MAX(patients, 1.0);
}

void
learned_json(const struct plan *p, struct json *j)
{
	uint32_t active[MODEL_TERMS_MAX], n = plan_active(p, active);
	struct plan_learned l = { 0 };
	double b[PAR_MAX];

	json_int(j, "sites", p->spec.n_sites);
	json_array(j, "terms");
	if (there_is_a_fit(p)) {
		coefficients(p, b);
		for (uint32_t i = 0; i <= n; i++) {
			json_object(j, NULL);
			json_text(j, "name",
			    i == 0 ? "(Intercept)"
				   : p->spec.terms[active[i - 1]].name);
			json_real(j, "estimate", b[i]);
			json_end_object(j);
		}
	}
	json_end_array(j);
	json_object(j, "learned");
	json_int(j, "rounds", p->iterations);
	json_real(j, "step_size", p->spec.learning.step);
	json_real(j, "momentum", p->spec.learning.momentum);
	if (plan_learned(p, &l)) {
		json_real(j, "patients_estimate", l.patients);
		json_real(j, "clipped_share_estimate", l.clipped);
		json_real(j, "gradient_noise_sd", noise_of_mean(p, l.patients));
	}
	json_end_object(j);
}

void
learned_privacy(const struct plan *p, struct json *j)
{
	const struct model_learning *m = &p->spec.learning;
	const struct learn *l = &p->learn;

	json_text(j, "unit", UNIT);
	json_real(j, "epsilon", l->epsilon);
	json_real(j, "delta", m->delta);
	json_int(j, "sums_paid_for", l->sums);
	json_real(j, "clip", m->clip);
	/* In units of what a patient can change. */
	json_real(j, "sigma", sqrt(l->variance) / l->sensitivity);
	json_real(j, "variance", l->variance);
	json_int(j, "units_per_clip", 1 << l->m);
	json_int(j, "ring", l->bits);
}

void
learned_text(const struct plan *p, struct canon *out)
{
	uint32_t active[MODEL_TERMS_MAX], n = plan_active(p, active);
	const struct model_learning *m = &p->spec.learning;
	const struct learn *l = &p->learn;
	struct plan_learned so_far;
	double b[PAR_MAX];

	if (there_is_a_fit(p)) {
		coefficients(p, b);
		report_print(out, "%-24s %12s\n", "term", "coefficient");
		for (uint32_t i = 0; i <= n; i++)
			report_print(out, "%-24s %12.5g\n",
			    i == 0 ? "(Intercept)"
				   : p->spec.terms[active[i - 1]].name,
			    b[i]);
		report_print(out, "\n");
	}
	report_print(out,
	    "Learned with differential privacy for " UNIT ":\n"
	    "%-22s %.4g at delta %g, for %u sums (%u rounds, %u retries)\n"
	    "%-22s standard deviation %.3f of what a patient can change, in "
	    "each sum\n",
	    "Epsilon", l->epsilon, m->delta, l->sums, m->rounds, m->retries,
	    "Noise", sqrt(l->variance) / l->sensitivity);
	if (plan_learned(p, &so_far))
		report_print(out,
		    "%-22s about %.0f patients (from noised sums)\n"
		    "%-22s about %.1f%% of gradients, at a norm of %g\n"
		    "%-22s +- %.2g on each number of the mean gradient\n",
		    "Size", so_far.patients, "Clipped", 100 * so_far.clipped,
		    m->clip, "On the gradient",
		    noise_of_mean(p, so_far.patients));
}

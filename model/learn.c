/*
 * What patients contribute to a noised sum: clipped gradients, in units.  The
 * layout, and what a unit is, are in model/step/learn.h.
 */
#include <math.h>

#include "model/data.h"
#include "model/work.h"

/* What clipping computes may be off by rounding; a patient's norm may not. */
#define ROOM (1.0 - 0x1p-40)

/* y - E(y) of a row, at its linear predictor. */
static double
residual(const struct work *w, size_t i, double eta)
{
	const struct plan *p = w->plan;
	double e;

	if (p->spec.kind == MODEL_GAUSSIAN)
		return (w->data->y[i] - p->y_mean) / p->y_sd - eta;
	e = exp(-fabs(eta));
	return (double)w->data->event[i] -
	    (eta > 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e));
}

/* Towards zero, so that no norm grows. */
static double
cut(double units)
{
	return trunc(units * (1 << LEARN_PART_BITS)) / (1 << LEARN_PART_BITS);
}

int
contribute_gradient(struct work *w)
{
	const struct learn *l = &w->plan->learn;
	double *clipped = &w->values[1], *sum = &w->values[2];
	double z[MODEL_TERMS_MAX];

	for (size_t i = 0; i < w->data->n_rows; i++) {
		double r = residual(w, i, w->plan->beta[0] + w->score[i]);
		double square = 1.0, norm;

		work_z(w, i, z);
		for (uint32_t k = 0; k < w->n_active; k++)
			square += z[k] * z[k];
		norm = fabs(r) * sqrt(square);
		if (norm > l->clip * ROOM) {
			r *= l->clip * ROOM / norm;
			*clipped += 1.0;
		}
		sum[0] += cut(r * l->scale);
		for (uint32_t k = 0; k < w->n_active; k++)
			sum[1 + k] += cut(r * z[k] * l->scale);
	}
	return 0;
}

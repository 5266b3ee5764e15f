/*
 * What is done to every number of a table, as many at a time as the processor
 * can.
 */
#include "model/data.h"
#include "model/work.h"

/*
 * The same operations on every processor: products are rounded before they are
 * added, so that only the order of an eta's sum is another, which its bound does
 * not depend on.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* Residuals are of the point that the last sums were taken at. */
const double *
work_beta(const struct work *w)
{
	const struct plan *p = w->plan;

	return p->phase == PHASE_RESIDUALS ? p->base : p->beta;
}

/* All terms: a loop without indices. */
WIDE static double
standardise(const struct work *w, const double *restrict x,
    const double *restrict beta, double *restrict z)
{
	double eta = 0.0;

#pragma omp simd reduction(+ : eta)
	for (size_t k = 0; k < w->data->n_terms; k++) {
		double v = (x[k] - w->mean[k]) * w->scale[k];

		z[k] = v;
		eta += beta[k] * v;
	}
	return eta;
}

double
work_z(const struct work *w, size_t row, double *z)
{
	const double *x = w->data->x + row * w->data->n_terms;
	const double *beta = work_beta(w) + plan_has_intercept(w->plan);
	double eta = 0.0;

	if (w->n_active == w->data->n_terms)
		return standardise(w, x, beta, z);
	for (uint32_t k = 0; k < w->n_active; k++) {
		z[k] = (x[w->active[k]] - w->mean[k]) * w->scale[k];
		eta += beta[k] * z[k];
	}
	return eta;
}

WIDE void
scale_row(double *out, const double *z, double factor, size_t n)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		out[k] = factor * z[k];
}

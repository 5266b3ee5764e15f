/*
 * Learning, without noise
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ctl/pooled_parts.h"

/* A row's clipped gradient at beta, added to sum. */
static void
learn_row(const struct pooled *p, const struct pooled_learning *l,
    const struct pooled_row *r, const double *beta, double *z, long double *sum)
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

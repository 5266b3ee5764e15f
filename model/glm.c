/*
 * Gaussian and Poisson regression: what rows contribute.  The layouts are in
 * model/step/glm.c.
 */
#include <math.h>
#include <stdlib.h>

#include "model/data.h"
#include "model/work.h"

static bool
is_gaussian(const struct work *w)
{
	return w->plan->spec.kind == MODEL_GAUSSIAN;
}

static int
counts(struct work *w)
{
	const struct model_spec *s = &w->plan->spec;
	double centre = s->y_min + 0.5 * (s->y_max - s->y_min);
	double *first = work_group(w, 0), *second = work_group(w, 1);

	for (size_t i = 0; i < w->data->n_rows; i++) {
		double y = w->data->y[i];

		if (is_gaussian(w)) {
			*first += y - centre;
			*second += (y - centre) * (y - centre);
			continue;
		}
		*first += y > 0.0;
		*second += y;
		*work_group(w, 2) += lgamma(y + 1.0);
		*work_group(w, 3) += y > 0.0 ? y * log(y) - y : 0.0;
	}
	return 0;
}

/* What one row adds, but for its z. */
struct row_part {
	double loglik, pearson, residual, weight;
};

static struct row_part
part_of(const struct work *w, double y, double eta)
{
	const struct plan *p = w->plan;
	double mu, r;

	if (is_gaussian(w)) {
		r = (y - p->y_mean) / p->y_sd - eta;
		return (struct row_part){ -0.5 * r * r, r * r, r, 1.0 };
	}
	mu = exp(eta);
	r = y - mu;
	return (struct row_part){ y * eta - mu, r * r / mu, r, mu };
}

static int
newton(struct work *w)
{
	uint32_t n = w->n_active + 1;
	struct gram *gram = gram_new(n);
	double *row = calloc(n, sizeof(*row));
	double *beyond = work_group(w, 0), *loglik = work_group(w, 1);
	double *pearson = work_group(w, 2), *score = work_group(w, 3);
	double *sums = calloc(1 + n + PACKED(n), sizeof(*sums));
	int ret = -1;

	if (gram == NULL || row == NULL || sums == NULL)
		goto out;
	row[0] = 1.0;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		double eta = w->plan->beta[0] + w->score[i];
		struct row_part part;

		if (!is_gaussian(w) && fabs(eta) > ETA_CAP) {
			*beyond += 1.0;
			continue;
		}
		part = part_of(w, w->data->y[i], eta);
		for (uint32_t k = 1; k < n; k++)
			row[k] = w->z[i * w->n_active + k - 1];
		*loglik += part.loglik;
		*pearson += part.pearson;
		for (uint32_t k = 0; k < n; k++)
			score[k] += part.residual * row[k];
		gram_add(gram, row, part.weight);
	}
	gram_take(gram, sums, 1);
	for (size_t k = 0; k < PACKED(n); k++)
		score[n + k] = sums[1 + n + k];
	ret = 0;
out:
	gram_free(gram);
	free(row);
	free(sums);
	return ret;
}

static const char *
check_count(const struct work *w, size_t row)
{
	double y = w->data->y[row];

	return floor(y) != y ? "the outcome is not a count" : NULL;
}

#define ROUNDS                                                                 \
	{                                                                      \
		[PHASE_COUNTS] = counts, [PHASE_MOMENTS] = contribute_moments, \
		[PHASE_NEWTON] = newton,                                       \
	}

const struct contribute_kind contribute_gaussian = { .rounds = ROUNDS };

const struct contribute_kind contribute_poisson = {
	.check_row = check_count,
	.rounds = ROUNDS,
};

const struct contribute_kind contribute_quasipoisson = {
	.check_row = check_count,
	.rounds = ROUNDS,
};

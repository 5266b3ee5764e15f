/*
 * Logistic regression: what rows contribute.  The layouts are in
 * model/step/logistic.c.
 */
#include <math.h>
#include <stdlib.h>

#include "model/data.h"
#include "model/work.h"

static int
counts(struct work *w)
{
	double *present = work_group(w, 0);

	for (size_t i = 0; i < w->data->n_rows; i++)
		*present += w->data->event[i];
	return 0;
}

/* log(1 + exp(x)) without overflow and without cancellation. */
static double
softplus(double x)
{
	return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static int
newton(struct work *w)
{
	uint32_t n = w->n_active + 1;
	struct gram *gram = gram_new(n);
	double *row = calloc(n, sizeof(*row));
	double *loglik = work_group(w, 0), *score = work_group(w, 1);
	double *sums = calloc(1 + n + PACKED(n), sizeof(*sums));
	int ret = -1;

	if (gram == NULL || row == NULL || sums == NULL)
		goto out;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		double eta = w->plan->beta[0] + w->score[i];
		double y = w->data->event[i];
		double e = exp(-fabs(eta)), q = 1.0 + e;
		/* y - p, from the side that does not cancel */
		double p = eta > 0.0 ? 1.0 / q : e / q;
		double not_p = eta > 0.0 ? e / q : 1.0 / q;
		double residual = y == 1.0 ? not_p : -p;

		row[0] = 1.0;
		work_z(w, i, row + 1);
		*loglik -= softplus(y == 1.0 ? -eta : eta);
		for (uint32_t k = 0; k < n; k++)
			score[k] += residual * row[k];
		gram_add(gram, row, p * not_p);
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

const struct contribute_kind contribute_logistic = {
	.rounds = { [PHASE_COUNTS] = counts,
	    [PHASE_MOMENTS] = contribute_moments,
	    [PHASE_NULL] = newton,
	    [PHASE_NEWTON] = newton,
	    [PHASE_SCORES] = contribute_scores,
	    [PHASE_PAIRS] = contribute_pairs },
};

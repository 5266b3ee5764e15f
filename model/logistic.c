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
	if (w->plan->spec.robust == ROBUST_SITE)
		count_site(w, work_group(w, 1));
	return 0;
}

/* Of the rows of a block, but for their z; returns their log-likelihood. */
static double
make_parts(const struct work *w, const struct block *b, double *residual,
    double *weight)
{
	double e[BLOCK_ROWS], loglik = 0.0;

	for (size_t i = 0; i < b->n; i++)
		e[i] = exp(-fabs(b->eta[i]));
	for (size_t i = 0; i < b->n; i++) {
		/* 1 and -1 rather than branches, which nobody could predict */
		double sign = 2.0 * w->data->event[b->row[i]] - 1.0;
		double against = -sign * b->eta[i];
		double q = 1.0 + e[i], r = 1.0 / q;
		/* Chances of the more and of the less likely outcome, and
		   log(1 + e), each from the side that does not cancel. */
		double chance[] = { e[i] * r, r };
		double own = log(q) + (e[i] - (q - 1.0)) * r;

		loglik -= own + (against > 0.0 ? against : 0.0);
		residual[i] = sign * chance[against > 0.0];
		weight[i] = chance[0] * chance[1];
	}
	return loglik;
}

static int
newton(struct work *w)
{
	struct block *b = block_new(w);
	struct products *products = NULL;
	double residual[BLOCK_ROWS], weight[BLOCK_ROWS];
	double *loglik = work_group(w, 0), *score = work_group(w, 1);
	int ret = -1;

	if (b == NULL || (products = products_new(b)) == NULL)
		goto out;
	for (size_t at = 0; block_fill(w, b, &at);) {
		*loglik += make_parts(w, b, residual, weight);
		products_add(products, b, weight, residual);
	}
	products_take(products, score, score + w->n_active + 1);
	ret = 0;
out:
	products_free(products);
	block_free(b);
	return ret;
}

static double
residual_of(const struct work *w, size_t row, double eta)
{
	bool present = w->data->event[row] == 1;
	double against = present ? -eta : eta, e = exp(-fabs(against));
	double wrong = (against > 0.0 ? 1.0 : e) / (1.0 + e);

	return present ? wrong : -wrong;
}

static int
robust(struct work *w)
{
	return contribute_robust(w, residual_of);
}

const struct contribute_kind contribute_logistic = {
	.rounds = { [PHASE_COUNTS] = counts,
	    [PHASE_MOMENTS] = contribute_moments,
	    [PHASE_NULL] = newton,
	    [PHASE_NEWTON] = newton,
	    [PHASE_RESIDUALS] = robust,
	    [PHASE_SCORES] = contribute_scores,
	    [PHASE_PAIRS] = contribute_pairs },
};

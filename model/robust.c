/*
 * Robust standard errors: what rows contribute.  The layout is in
 * model/step/robust.c.
 */
#include <stdlib.h>
#include <string.h>

#include "model/data.h"
#include "model/work.h"

/* out += U U', packed. */
static void
add_square(const double *u, uint32_t n, double *out)
{
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++)
			*out++ += u[i] * u[j];
	}
}

/* Each row is a cluster: the weights of z z' are r^2. */
static void
by_row(
    struct work *w, struct block *b, struct products *s, residual_fn residual)
{
	double square[BLOCK_ROWS];

	for (size_t at = 0; block_fill(w, b, &at);) {
		for (size_t i = 0; i < b->n; i++) {
			double r = residual(w, b->row[i], b->eta[i]);

			square[i] = r * r;
		}
		products_add(s, b, square, NULL);
	}
	products_take(s, NULL, work_group(w, 0));
}

/*
 * A site's U nearly cancels: it is added up in long double, block by block, so
 * that what is left of it is exact enough.
 */
static void
by_site(struct work *w, struct block *b, residual_fn residual)
{
	long double sum[PAR_MAX] = { 0 };
	double u[PAR_MAX];

	for (size_t at = 0; block_fill(w, b, &at);) {
		for (size_t i = 0; i < b->n; i++) {
			const double *z = b->z + i * b->stride;
			double r = residual(w, b->row[i], b->eta[i]);

			for (uint32_t k = 0; k < b->p; k++)
				sum[k] += (long double)r * z[k];
		}
	}
	for (uint32_t k = 0; k < b->p; k++)
		u[k] = (double)sum[k];
	add_square(u, b->p, work_group(w, 0));
}

/* Rows of a patient may stand anywhere: U of each, (n_patients, p). */
static int
by_patient(struct work *w, struct block *b, residual_fn residual)
{
	const struct model_data *d = w->data;
	double *u = calloc(d->n_patients * b->p + 1, sizeof(*u));

	if (u == NULL)
		return -1;
	for (size_t at = 0; block_fill(w, b, &at);) {
		for (size_t i = 0; i < b->n; i++) {
			const double *z = b->z + i * b->stride;
			double r = residual(w, b->row[i], b->eta[i]);
			double *own = u + d->patient[b->row[i]] * (size_t)b->p;

			for (uint32_t k = 0; k < b->p; k++)
				own[k] += r * z[k];
		}
	}
	for (size_t i = 0; i < d->n_patients; i++)
		add_square(u + i * b->p, b->p, work_group(w, 0));
	free(u);
	return 0;
}

int
contribute_robust(struct work *w, residual_fn residual)
{
	struct block *b = block_new(w);
	struct products *s = b == NULL ? NULL : products_new(b);
	int ret = s == NULL ? -1 : 0;

	if (ret == 0 && w->plan->spec.robust == ROBUST_SITE)
		by_site(w, b, residual);
	else if (ret == 0 && w->data->patient != NULL)
		ret = by_patient(w, b, residual);
	else if (ret == 0)
		by_row(w, b, s, residual);
	if (ret == 0 && w->plan->spec.robust == ROBUST_PATIENT)
		ret = count_patients(w, work_group(w, PACKED(w->n_active + 1)));
	products_free(s);
	block_free(b);
	return ret;
}

int
count_patients(const struct work *w, double *out)
{
	const struct model_data *d = w->data;
	uint8_t *seen = calloc(d->n_patients + 1, sizeof(*seen));
	size_t n = 0;

	if (seen == NULL)
		return -1;
	for (size_t i = 0; i < d->n_rows; i++) {
		if (w->interval[i] < 0)
			continue;
		n += d->patient == NULL || seen[d->patient[i]] == 0;
		if (d->patient != NULL)
			seen[d->patient[i]] = 1;
	}
	free(seen);
	*out = (double)n;
	return 0;
}

void
count_site(struct work *w, double *out)
{
	size_t n = 0;

	for (size_t i = 0; i < w->data->n_rows; i++)
		n += w->interval[i] >= 0;
	*out = n >= w->plan->spec.risk_set_step && n > 0;
}

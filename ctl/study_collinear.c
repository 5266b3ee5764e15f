#include "ctl/study_collinear.h"

#include <math.h>
#include <stdlib.h>

#include "common/err.h"
#include "model/data.h"
#include "model/step/ldl.h"
#include "study/study.h"
#include "study/table.h"

/* More than there are terms, so that nothing is one by chance. */
#define ROWS 2048
/* As in a fit: 1 - R^2 on the terms before. */
#define TOLERANCE 1e-10

/* 0 to 1; the same in every run. */
static double
uniform(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (double)(*state >> 11) * 0x1p-53;
}

/* A value that a source may have. */
static double
draw(const struct study_column *c, uint64_t *state)
{
	double at = uniform(state);

	if (c->type == STUDY_LEVELS)
		return floor(at * (double)c->n_levels);
	if (c->type == STUDY_INTEGER || c->type == STUDY_INTERVAL)
		return c->lo + floor(at * (c->hi - c->lo + 1));
	return c->lo + at * (c->hi - c->lo);
}

static double *
draw_table(const struct study *s)
{
	double *values = calloc(s->n_table * ROWS + 1, sizeof(*values));
	uint64_t state = 1;

	for (size_t k = 0; values != NULL && k < s->n_table; k++) {
		size_t column = s->table[k];

		for (size_t i = 0; i < ROWS; i++)
			values[k * ROWS + i] = study_table_value(
			    s, column, draw(&s->columns[column], &state));
	}
	return values;
}

/* Each term less its mean and by its norm; constant ones become 0. */
static void
standardise(struct model_data *d, uint64_t *constant)
{
	for (size_t k = 0; k < d->n_terms; k++) {
		double mean = 0, norm = 0, scale = 0;

		for (size_t i = 0; i < d->n_rows; i++) {
			mean += d->x[i * d->n_terms + k] / (double)d->n_rows;
			scale = fmax(scale, fabs(d->x[i * d->n_terms + k]));
		}
		for (size_t i = 0; i < d->n_rows; i++)
			norm = hypot(norm, d->x[i * d->n_terms + k] - mean);
		if (!(norm > 1e-9 * scale)) {
			*constant |= UINT64_C(1) << k;
			norm = INFINITY;
		}
		for (size_t i = 0; i < d->n_rows; i++) {
			double *x = &d->x[i * d->n_terms + k];

			*x = (*x - mean) / norm;
		}
	}
}

static double
product(const struct model_data *d, uint32_t a, uint32_t b)
{
	double sum = 0;

	for (size_t i = 0; i < d->n_rows; i++)
		sum += d->x[i * d->n_terms + a] * d->x[i * d->n_terms + b];
	return sum;
}

/* One after the other, each left out before the next is looked for. */
static int
find(const struct model_data *d, uint64_t constant, uint64_t *collinear)
{
	size_t most = d->n_terms * (d->n_terms + 1) / 2;
	double *matrix = calloc(most + 1, sizeof(*matrix));
	uint32_t terms[64], n;
	int64_t bad = 0;

	while (matrix != NULL && bad >= 0) {
		n = 0;
		for (uint32_t k = 0; k < d->n_terms; k++)
			if (((constant | *collinear) >> k & 1) == 0)
				terms[n++] = k;
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = i; j < n; j++)
				matrix[packed_at(n, i, j)] =
				    product(d, terms[i], terms[j]);
		if ((bad = ldl_factor(matrix, n, TOLERANCE)) >= 0)
			*collinear |= UINT64_C(1) << terms[bad];
	}
	free(matrix);
	return matrix == NULL ? -1 : 0;
}

int
study_collinear(const struct study *s, uint64_t *constant, uint64_t *collinear,
    struct err *err)
{
	struct table t = { .n_rows = ROWS, .n_columns = s->n_table };
	double *values = draw_table(s);
	struct model_data d;
	int rv = -1;

	*constant = *collinear = 0;
	t.values = values;
	if (values == NULL)
		return err_sys(err, "memory for the check");
	if (table_design(&t, s, &d, err) == 0) {
		standardise(&d, constant);
		rv = find(&d, *constant, collinear);
		table_design_free(&d);
		if (rv == -1)
			err_sys(err, "memory for the check");
	}
	free(values);
	return rv;
}

/*
 * Blocks of rows: everything of a row is made while it is in the cache, and
 * what is a sum of products is left to dsyrk.
 */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/data.h"
#include "model/work.h"

/* Rows of z begin at a multiple of four numbers: the products are faster. */
static size_t
stride_of(size_t n)
{
	return (n + 3) / 4 * 4;
}

struct block *
block_new(const struct work *w)
{
	struct block *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	openblas_set_num_threads(1);
	b->p = w->n_active + 1;
	/* One column more, which products_add() fills. */
	b->stride = stride_of((size_t)b->p + 1);
	b->z = calloc(BLOCK_ROWS * b->stride, sizeof(*b->z));
	if (b->z == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

void
block_free(struct block *b)
{
	if (b == NULL)
		return;
	free(b->z);
	free(b);
}

bool
block_fill(const struct work *w, struct block *b, size_t *at)
{
	const struct model_data *d = w->data;
	double unit = work_unit(w);
	size_t i = *at;

	b->n = 0;
	for (; i < d->n_rows && b->n < BLOCK_ROWS; i++) {
		double *z = b->z + b->n * b->stride, eta;

		if (w->interval[i] < 0)
			continue;
		z[0] = 1.0;
		work_fetch(w, i + FETCH_AHEAD);
		eta = work_beta(w)[0] + work_z(w, i, z + 1);
		if (w->plan->spec.has_offset)
			eta += d->offset[i] / unit;
		b->eta[b->n] = eta;
		b->row[b->n++] = i;
	}
	*at = i;
	return b->n > 0;
}

struct products {
	uint32_t p;
	size_t stride;
	double *scaled; /* (BLOCK_ROWS, stride) rows sqrt(w) z, r / sqrt(w) */
	double *sum; /* (stride, stride) upper triangle: their products */
	double lost[PAR_MAX]; /* r z of rows that weigh next to nothing */
};

/* A smaller weight's root is no divisor. */
#define WEIGHT_MIN 1e-200

struct products *
products_new(const struct block *b)
{
	struct products *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->p = b->p;
	s->stride = b->stride;
	s->scaled = calloc(BLOCK_ROWS * s->stride, sizeof(*s->scaled));
	s->sum = calloc(s->stride * s->stride, sizeof(*s->sum));
	if (s->scaled == NULL || s->sum == NULL) {
		products_free(s);
		return NULL;
	}
	return s;
}

void
products_free(struct products *s)
{
	if (s == NULL)
		return;
	free(s->scaled);
	free(s->sum);
	free(s);
}

/* The last column of a row: times sqrt(w) z it is r z. */
static double
quotient(struct products *s, const double *z, double root, double residual)
{
	if (root * root >= WEIGHT_MIN)
		return residual / root;
	for (uint32_t k = 0; k < s->p; k++)
		s->lost[k] += residual * z[k];
	return 0.0;
}

void
products_add(struct products *s, const struct block *b, const double *weight,
    const double *residual)
{
	int n = (int)s->p + (residual != NULL);

	for (size_t i = 0; i < b->n; i++) {
		const double *z = b->z + i * s->stride;
		double *row = s->scaled + i * s->stride;
		double root = sqrt(weight[i]);

		scale_row(row, z, root, s->p);
		if (residual != NULL)
			row[s->p] = quotient(s, z, root, residual[i]);
	}
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, n, (int)b->n, 1.0,
	    s->scaled, (int)s->stride, 1.0, s->sum, (int)s->stride);
}

void
products_take(const struct products *s, double *score, double *matrix)
{
	for (uint32_t i = 0; i < s->p; i++) {
		const double *row = s->sum + i * s->stride;

		for (uint32_t j = i; j < s->p; j++)
			*matrix++ = row[j];
		if (score != NULL)
			score[i] = row[s->p] + s->lost[i];
	}
}

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

/*
 * The same operations as many at a time as the processor can.  Products
 * are rounded before they are added, so that only the order of an eta's sum is
 * another, which its bound does not depend on.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

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

/* Residuals are of the point that the last sums were taken at. */
static const double *
work_beta(const struct work *w)
{
	const struct plan *p = w->plan;

	return p->phase == PHASE_RESIDUALS ? p->base : p->beta;
}

/* z = (x - mean) scale of all terms; returns beta'z. */
WIDE static double
standardise(const struct work *w, const double *restrict x, double *restrict z)
{
	const double *beta = work_beta(w) + 1;
	double eta = 0.0;

#pragma omp simd reduction(+ : eta)
	for (size_t k = 0; k < w->data->n_terms; k++) {
		double v = (x[k] - w->mean[k]) * w->scale[k];

		z[k] = v;
		eta += beta[k] * v;
	}
	return eta;
}

static double
fill_row(const struct work *w, size_t row, double *z)
{
	const struct model_data *d = w->data;
	double eta = 0.0;

	if (w->n_active == d->n_terms)
		return standardise(w, d->x + row * d->n_terms, z);
	work_z(w, row, z);
	for (uint32_t k = 0; k < w->n_active; k++)
		eta += work_beta(w)[1 + k] * z[k];
	return eta;
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
		eta = work_beta(w)[0] + fill_row(w, i, z + 1);
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

WIDE static void
scale_row(double *restrict out, const double *restrict z, double root, size_t n)
{
	for (size_t k = 0; k < n; k++)
		out[k] = root * z[k];
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

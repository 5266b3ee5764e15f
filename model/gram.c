#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/work.h"

struct gram {
	int p, n_rows;
	double w;
	double *wz; /* (p) */
	double *wzz; /* (p, p), upper triangle */
	double *block; /* (GRAM_ROWS, p) rows sqrt(w) z */
	double *root; /* (GRAM_ROWS) their sqrt(w) */
};

struct gram *
gram_new(uint32_t p)
{
	struct gram *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	openblas_set_num_threads(1);
	g->p = (int)p;
	g->wz = calloc((size_t)p + 1, sizeof(*g->wz));
	g->wzz = calloc((size_t)p * p + 1, sizeof(*g->wzz));
	g->block = calloc((size_t)GRAM_ROWS * p + 1, sizeof(*g->block));
	g->root = calloc(GRAM_ROWS, sizeof(*g->root));
	if (g->wz == NULL || g->wzz == NULL || g->block == NULL ||
	    g->root == NULL) {
		gram_free(g);
		return NULL;
	}
	return g;
}

void
gram_free(struct gram *g)
{
	if (g == NULL)
		return;
	free(g->wz);
	free(g->wzz);
	free(g->block);
	free(g->root);
	free(g);
}

void
gram_clear(struct gram *g)
{
	g->n_rows = 0;
	g->w = 0.0;
	memset(g->wz, 0, (size_t)g->p * sizeof(*g->wz));
	memset(g->wzz, 0, (size_t)g->p * (size_t)g->p * sizeof(*g->wzz));
}

static void
flush(struct gram *g)
{
	if (g->n_rows > 0 && g->p > 0) {
		cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, g->p,
		    g->n_rows, 1.0, g->block, g->p, 1.0, g->wzz, g->p);
		cblas_dgemv(CblasRowMajor, CblasTrans, g->n_rows, g->p, 1.0,
		    g->block, g->p, g->root, 1, 1.0, g->wz, 1);
	}
	g->n_rows = 0;
}

void
gram_add(struct gram *g, const double *z, double weight)
{
	double *row = g->block + (size_t)g->n_rows * (size_t)g->p;
	double root = sqrt(weight);

	g->w += weight;
	g->root[g->n_rows] = root;
	for (int i = 0; i < g->p; i++)
		row[i] = root * z[i];
	if (++g->n_rows == GRAM_ROWS)
		flush(g);
}

void
gram_add_rows(struct gram *g, double *z, const double *root, size_t n)
{
	size_t p = (size_t)g->p;

	for (size_t i = 0; i < n; i++) {
		g->w += root[i] * root[i];
		scale_row(z + i * p, z + i * p, root[i], p);
	}
	if (n == 0 || p == 0)
		return;
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, g->p, (int)n, 1.0, z,
	    g->p, 1.0, g->wzz, g->p);
	cblas_dgemv(CblasRowMajor, CblasTrans, (int)n, g->p, 1.0, z, g->p, root,
	    1, 1.0, g->wz, 1);
}

void
gram_take(struct gram *g, double *out, size_t stride)
{
	size_t k = 0;

	flush(g);
	out[stride * k++] = g->w;
	for (int i = 0; i < g->p; i++)
		out[stride * k++] = g->wz[i];
	for (int i = 0; i < g->p; i++) {
		for (int j = i; j < g->p; j++)
			out[stride * k++] = g->wzz[i * g->p + j];
	}
}

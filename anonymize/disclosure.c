#include "config.h"

#include "anonymize/disclosure.h"

#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "common/err.h"
#include "common/macros.h"

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts v: how many have its commonest value. */
static size_t
commonest(double *v, size_t n)
{
	size_t most = 0, run = 0;

	qsort(v, n, sizeof(*v), ascending);
	for (size_t i = 0; i < n; i++) {
		run = i > 0 && v[i] == v[i - 1] ? run + 1 : 1;
		most = MAX(most, run);
	}
	return most;
}

int
disclosure_measure(const struct classes *c, const double *values,
    struct disclosure *d, struct err *err)
{
	double *v = malloc((c->n_rows + 1) * sizeof(*v));
	size_t *next = calloc(c->n + 1, sizeof(*next));
	size_t certain = 0, right = 0, anyway, from = 0;

	if (v == NULL || next == NULL) {
		free(v);
		free(next);
		return err_sys(err, "memory for %zu rows", c->n_rows);
	}
	/* Values class by class. */
	for (size_t i = 1; i < c->n; i++)
		next[i] = next[i - 1] + c->size[i - 1];
	for (size_t i = 0; i < c->n_rows; i++)
		v[next[c->of_row[i]]++] = values[i];
	for (size_t i = 0; i < c->n; from += c->size[i++]) {
		size_t most = commonest(v + from, c->size[i]);

		right += most;
		certain += most == c->size[i] ? most : 0;
	}
	anyway = commonest(v, c->n_rows);
	*d = (struct disclosure){ 0 };
	if (c->n_rows > 0) {
		d->certain = (double)certain / (double)c->n_rows;
		d->right = (double)right / (double)c->n_rows;
		d->anyway = (double)anyway / (double)c->n_rows;
	}
	explicit_bzero(v, c->n_rows * sizeof(*v));
	free(v);
	free(next);
	return 0;
}

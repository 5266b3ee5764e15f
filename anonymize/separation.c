#include "config.h"

#include "anonymize/separation.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "anonymize/ranking.h"
#include "common/err.h"
#include "common/macros.h"

#define COUNT_MAX ((size_t)1 << 18) /* combinations counted in an array */

/* A column, its different values numbered. */
struct coded {
	uint32_t *code; /* (n_rows) */
	uint32_t n;
};

/* Rows a pair of which are alike: n (n - 1) / 2 of each combination. */
static void
finish(struct separation *s, const uint32_t *count, size_t n, size_t n_rows)
{
	double rows = (double)n_rows, alike = 0;

	for (size_t i = 0; i < n; i++)
		alike += (double)count[i] * ((double)count[i] - 1);
	s->distinction = n_rows > 0 ? (double)n / rows : 0;
	s->separation = n_rows > 1 ? 1 - alike / (rows * (rows - 1)) : 0;
}

size_t
separation_sets(size_t n)
{
	return n + (n <= SEPARATION_COLUMNS_MAX ? n * (n - (n > 0)) / 2 : 0);
}

/* Few combinations are counted in an array, many are put together. */
static int
measure_pair(const struct coded *a, const struct coded *b, size_t n_rows,
    uint32_t *count, struct grouping *g, struct separation *s)
{
	size_t all = (size_t)a->n * b->n, n = 0;
	uint64_t *key;

	if (all <= COUNT_MAX) {
		memset(count, 0, all * sizeof(*count));
		for (size_t i = 0; i < n_rows; i++)
			count[(size_t)a->code[i] * b->n + b->code[i]]++;
		for (size_t i = 0; i < all; i++)
			if (count[i] > 0)
				count[n++] = count[i];
		finish(s, count, n, n_rows);
		return 0;
	}
	if ((key = grouping_keys(g, n_rows)) == NULL)
		return -1;
	for (size_t i = 0; i < n_rows; i++)
		key[i] = (uint64_t)a->code[i] << 32 | b->code[i];
	if (grouping_make(g, n_rows, NULL, NULL) == -1)
		return -1;
	finish(s, g->count, g->n, n_rows);
	return 0;
}

/* A column that nothing is known of is one value. */
static int
code_column(
    const double *values, size_t n_rows, struct coded *c, struct separation *s)
{
	const uint32_t all = (uint32_t)n_rows;
	struct ranking r = { 0 };

	if (values == NULL) {
		*c = (struct coded){ calloc(n_rows + 1, sizeof(*c->code)), 1 };
		finish(s, &all, n_rows > 0, n_rows);
		return c->code != NULL ? 0 : -1;
	}
	if (ranking_one(&r, values, n_rows) == -1) {
		ranking_free(&r);
		return -1;
	}
	finish(s, r.g.count, r.g.n, n_rows);
	*c = (struct coded){ r.rank, (uint32_t)r.g.n };
	r.rank = NULL; /* from here on c's */
	ranking_free(&r);
	return 0;
}

int
separation_measure(const double *const *columns, size_t n_columns,
    size_t n_rows, struct separation *out, struct err *err)
{
	struct coded *codes = calloc(n_columns + 1, sizeof(*codes));
	uint32_t *count = malloc(COUNT_MAX * sizeof(*count));
	struct grouping g = { 0 };
	size_t n = 0;
	int result = -1;

	if (codes == NULL || count == NULL)
		goto out;
	for (size_t i = 0; i < n_columns; i++) {
		out[n] = (struct separation){ .a = i, .b = SEPARATION_NONE };
		if (code_column(columns[i], n_rows, &codes[i], &out[n++]) == -1)
			goto out;
	}
	for (size_t i = 0; n_columns <= SEPARATION_COLUMNS_MAX && i < n_columns;
	     i++)
		for (size_t k = i + 1; k < n_columns; k++) {
			out[n] = (struct separation){ .a = i, .b = k };
			if (measure_pair(&codes[i], &codes[k], n_rows, count,
				&g, &out[n++]) == -1)
				goto out;
		}
	result = 0;
out:
	for (size_t i = 0; codes != NULL && i < n_columns; i++) {
		if (codes[i].code != NULL)
			explicit_bzero(
			    codes[i].code, n_rows * sizeof(*codes[i].code));
		free(codes[i].code);
	}
	free(codes);
	free(count);
	grouping_free(&g);
	return result == -1 ? err_sys(err, "memory for %zu rows", n_rows) : 0;
}

struct separation
separation_of(const struct classes *c)
{
	double rows = (double)c->n_rows, alike = 0;
	struct separation s = { .a = SEPARATION_NONE, .b = SEPARATION_NONE };

	for (size_t i = 0; i < c->n; i++)
		alike += (double)c->size[i] * ((double)c->size[i] - 1);
	s.distinction = c->n_rows > 0 ? (double)c->n / rows : 0;
	s.separation = c->n_rows > 1 ? 1 - alike / (rows * (rows - 1)) : 0;
	return s;
}

#include "config.h"

#include "anonymize/classes.h"

#include <stdlib.h>
#include <string.h>

#include "anonymize/grouping.h"
#include "anonymize/ranking.h"
#include "common/err.h"
#include "common/macros.h"

static int
no_memory(size_t n_rows, struct err *err)
{
	return err_sys(err, "memory for %zu rows", n_rows);
}

/* Rank rows by their values; rows (or NULL: all) says which. */
static int
rank(struct ranking *r, const double *const *columns, size_t n_columns,
    const size_t *rows, size_t n_rows)
{
	if (ranking_start(r, n_rows) == -1)
		return -1;
	for (size_t c = 0; c < n_columns; c++) {
		uint64_t *key = ranking_column(r);

		if (key == NULL)
			return -1;
		for (size_t i = 0; i < n_rows; i++)
			key[i] =
			    ranking_key(columns[c][rows != NULL ? rows[i] : i]);
		if (ranking_add(r) == -1)
			return -1;
	}
	return ranking_end(r);
}

int
classes_sort(const double *const *columns, size_t n_columns, size_t *order,
    size_t n_rows, struct err *err)
{
	size_t *old = malloc((n_rows + 1) * sizeof(*old)), at = 0;
	struct ranking r = { 0 };
	int result = -1;

	if (old == NULL || rank(&r, columns, n_columns, order, n_rows) == -1) {
		no_memory(n_rows, err);
		goto out;
	}
	memcpy(old, order, n_rows * sizeof(*old));
	/* Where each rank begins; then it is where its next row goes. */
	for (size_t i = 0; i < r.g.n; i++) {
		uint32_t size = r.g.count[i];

		r.g.count[i] = (uint32_t)at;
		at += size;
	}
	for (size_t i = 0; i < n_rows; i++)
		order[r.g.count[r.rank[i]]++] = old[i];
	result = 0;
out:
	ranking_free(&r);
	free(old);
	return result;
}

int
classes_ranked(struct classes *c, const struct ranking *r, struct err *err)
{
	*c = (struct classes){ .n_rows = r->n_rows, .n = r->g.n };
	c->of_row = malloc((c->n_rows + 1) * sizeof(*c->of_row));
	c->size = malloc((c->n + 1) * sizeof(*c->size));
	if (c->of_row == NULL || c->size == NULL)
		return no_memory(c->n_rows, err);
	for (size_t i = 0; i < c->n_rows; i++)
		c->of_row[i] = r->rank[i];
	for (size_t i = 0; i < c->n; i++)
		c->size[i] = r->g.count[i];
	return 0;
}

int
classes_make(struct classes *c, const double *const *keys, size_t n_keys,
    size_t n_rows, struct err *err)
{
	struct ranking r = { 0 };
	int result;

	*c = (struct classes){ .n_rows = n_rows };
	result = rank(&r, keys, n_keys, NULL, n_rows) == -1
	    ? no_memory(n_rows, err)
	    : classes_ranked(c, &r, err);
	ranking_free(&r);
	return result;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int
classes_people(const struct classes *c, const uint32_t *patient,
    struct classes *people, struct err *err)
{
	struct grouping g = { 0 };
	uint64_t *pair = grouping_keys(&g, c->n_rows);
	int r = -1;

	*people = (struct classes){ .n = c->n };
	people->size = calloc(c->n + 1, sizeof(*people->size));
	if (pair == NULL || people->size == NULL)
		goto out;
	for (size_t i = 0; i < c->n_rows; i++)
		pair[i] = (uint64_t)c->of_row[i] << 32 | patient[i];
	if ((r = grouping_make(&g, c->n_rows, NULL, NULL)) == -1)
		goto out;
	for (size_t i = 0; i < g.n; i++)
		people->size[g.key[i] >> 32]++;
	people->n_rows = g.n;
out:
	grouping_free(&g);
	return r == -1 ? no_memory(c->n_rows, err) : 0;
}

/* A patient's rows: their classes, ascending, one after another. */
struct history {
	size_t patient, from, n;
};

static int
compare_histories(const void *a, const void *b, void *arg)
{
	const struct history *x = a, *y = b;
	const uint64_t *pair = arg;

	if (x->n != y->n)
		return (x->n > y->n) - (x->n < y->n);
	for (size_t i = 0; i < x->n; i++) {
		uint32_t u = (uint32_t)pair[x->from + i];
		uint32_t v = (uint32_t)pair[y->from + i];

		if (u != v)
			return u < v ? -1 : 1;
	}
	return 0;
}

int
classes_histories(const struct classes *c, const uint32_t *patient,
    size_t n_patients, const bool *gone, struct classes *out, struct err *err)
{
	uint64_t *pair = malloc((c->n_rows + 1) * sizeof(*pair));
	struct history *h = malloc((n_patients + 1) * sizeof(*h));
	size_t n = 0, m = 0;
	int r = -1;

	*out = (struct classes){ 0 };
	out->of_row = malloc((n_patients + 1) * sizeof(*out->of_row));
	out->size = calloc(n_patients + 1, sizeof(*out->size));
	if (pair == NULL || h == NULL || out->of_row == NULL ||
	    out->size == NULL) {
		no_memory(c->n_rows, err);
		goto out;
	}
	for (size_t i = 0; i < c->n_rows; i++)
		if (gone == NULL || !gone[i])
			pair[n++] =
			    (uint64_t)patient[i] << 32 | (uint32_t)c->of_row[i];
	qsort(pair, n, sizeof(*pair), by_number);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || pair[i] >> 32 != pair[i - 1] >> 32)
			h[m++] = (struct history){ pair[i] >> 32, i, 0 };
		h[m - 1].n++;
	}
	qsort_r(h, m, sizeof(*h), compare_histories, pair);
	for (size_t p = 0; p < n_patients; p++)
		out->of_row[p] = CLASSES_NONE;
	for (size_t i = 0; i < m; i++) {
		if (i == 0 || compare_histories(&h[i - 1], &h[i], pair) != 0)
			out->n++;
		out->of_row[h[i].patient] = out->n - 1;
		out->size[out->n - 1]++;
	}
	out->n_rows = m;
	r = 0;
out:
	free(pair);
	free(h);
	return r;
}

void
classes_free(struct classes *c)
{
	free(c->of_row);
	free(c->size);
	*c = (struct classes){ 0 };
}

struct risk
classes_risk(const struct classes *c, double threshold)
{
	struct risk r = { .smallest = c->n_rows };
	double rows = (double)MAX(c->n_rows, 1);
	size_t unique = 0, above = 0;

	for (size_t i = 0; i < c->n; i++) {
		double size = (double)c->size[i];

		r.smallest = MIN(r.smallest, c->size[i]);
		unique += c->size[i] == 1;
		above += 1 / size > threshold ? c->size[i] : 0;
	}
	r.unique = (double)unique / rows;
	r.above = (double)above / rows;
	r.highest = r.smallest > 0 ? 1 / (double)r.smallest : 0;
	r.average = (double)c->n / rows;
	return r;
}

size_t
classes_below(const struct classes *c, size_t k)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->size[i] < k ? c->size[i] : 0;
	return n;
}

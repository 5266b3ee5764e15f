#include "config.h"

#include "anonymize/classes.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"

struct key {
	const double *const *columns;
	size_t n;
};

static int
compare(const void *a, const void *b, void *arg)
{
	const struct key *k = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	for (size_t i = 0; i < k->n; i++) {
		double u = k->columns[i][x], v = k->columns[i][y];

		if (u != v)
			return u < v ? -1 : 1;
	}
	return 0;
}

void
classes_sort(const double *const *columns, size_t n_columns, size_t *order,
    size_t n_rows)
{
	struct key k = { columns, n_columns };

	qsort_r(order, n_rows, sizeof(*order), compare, &k);
}

int
classes_make(struct classes *c, const double *const *keys, size_t n_keys,
    size_t n_rows, struct err *err)
{
	struct key k = { keys, n_keys };
	size_t *order = malloc((n_rows + 1) * sizeof(*order));

	*c = (struct classes){ .n_rows = n_rows };
	c->of_row = malloc((n_rows + 1) * sizeof(*c->of_row));
	c->size = calloc(n_rows + 1, sizeof(*c->size));
	if (order == NULL || c->of_row == NULL || c->size == NULL) {
		free(order);
		return err_sys(err, "memory for %zu rows", n_rows);
	}
	for (size_t i = 0; i < n_rows; i++)
		order[i] = i;
	classes_sort(keys, n_keys, order, n_rows);
	for (size_t i = 0; i < n_rows; i++) {
		if (i == 0 || compare(&order[i - 1], &order[i], &k) != 0)
			c->n++;
		c->of_row[order[i]] = c->n - 1;
		c->size[c->n - 1]++;
	}
	free(order);
	return 0;
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
	uint64_t *pair = malloc((c->n_rows + 1) * sizeof(*pair));

	*people = (struct classes){ .n = c->n };
	people->size = calloc(c->n + 1, sizeof(*people->size));
	if (pair == NULL || people->size == NULL) {
		free(pair);
		return err_sys(err, "memory for %zu rows", c->n_rows);
	}
	for (size_t i = 0; i < c->n_rows; i++)
		pair[i] = (uint64_t)c->of_row[i] << 32 | patient[i];
	qsort(pair, c->n_rows, sizeof(*pair), by_number);
	for (size_t i = 0; i < c->n_rows; i++) {
		if (i > 0 && pair[i] == pair[i - 1])
			continue;
		people->size[pair[i] >> 32]++;
		people->n_rows++;
	}
	free(pair);
	return 0;
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
		err_sys(err, "memory for %zu rows", c->n_rows);
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

	for (size_t i = 0; i < c->n; i++) {
		double size = (double)c->size[i];

		r.smallest = MIN(r.smallest, c->size[i]);
		r.unique += c->size[i] == 1 ? 1 / rows : 0;
		r.above += 1 / size > threshold ? size / rows : 0;
	}
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

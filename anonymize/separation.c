#include "config.h"

#include "anonymize/separation.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "common/err.h"
#include "common/macros.h"

/* Numbers for the different keys that come, from 0: open addressing. */
struct numbering {
	uint64_t *key;
	uint32_t *number; /* 1 up; 0: free */
	size_t size; /* power of 2, twice the rows */
	uint32_t n;
};

static int
numbering_make(struct numbering *m, size_t n_rows, struct err *err)
{
	*m = (struct numbering){ .size = 16 };
	while (m->size < 2 * n_rows)
		m->size *= 2;
	m->key = malloc(m->size * sizeof(*m->key));
	m->number = malloc(m->size * sizeof(*m->number));
	return m->key != NULL && m->number != NULL
	    ? 0
	    : err_sys(err, "memory for %zu rows", n_rows);
}

static void
numbering_free(struct numbering *m)
{
	if (m->key != NULL)
		explicit_bzero(m->key, m->size * sizeof(*m->key));
	free(m->key);
	free(m->number);
}

static uint32_t
number_of(struct numbering *m, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15 >> 20) & (m->size - 1);

	while (m->number[i] != 0 && m->key[i] != key)
		i = (i + 1) & (m->size - 1);
	if (m->number[i] == 0) {
		m->key[i] = key;
		m->number[i] = ++m->n;
	}
	return m->number[i] - 1;
}

static uint64_t
bits_of(double v)
{
	uint64_t u;

	v += 0.0; /* -0 is 0 */
	memcpy(&u, &v, sizeof(u));
	return u;
}

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

/* Count the numbers that key(row) makes, for one set. */
static void
measure(struct separation *s, struct numbering *m, const uint32_t *const *codes,
    const double *raw, uint32_t *count, uint32_t *code_out, size_t n_rows)
{
	memset(m->number, 0, m->size * sizeof(*m->number));
	memset(count, 0, n_rows * sizeof(*count));
	m->n = 0;
	for (size_t i = 0; i < n_rows; i++) {
		uint64_t key = raw != NULL ? bits_of(raw[i])
		    : s->b != SEPARATION_NONE
		    ? (uint64_t)codes[s->a][i] << 32 | codes[s->b][i]
		    : 0;
		uint32_t c = number_of(m, key);

		count[c]++;
		if (code_out != NULL)
			code_out[i] = c;
	}
	finish(s, count, m->n, n_rows);
}

int
separation_measure(const double *const *columns, size_t n_columns,
    size_t n_rows, struct separation *out, struct err *err)
{
	uint32_t **codes = calloc(n_columns + 1, sizeof(*codes));
	uint32_t *count = calloc(n_rows + 1, sizeof(*count));
	struct numbering m = { 0 };
	size_t n = 0;
	int r = -1;

	if (codes == NULL || count == NULL) {
		err_sys(err, "memory for %zu rows", n_rows);
		goto out;
	}
	if (numbering_make(&m, n_rows, err) == -1)
		goto out;
	for (size_t i = 0; i < n_columns; i++) {
		if ((codes[i] = calloc(n_rows + 1, sizeof(**codes))) == NULL) {
			err_sys(err, "memory for %zu rows", n_rows);
			goto out;
		}
		out[n] = (struct separation){ .a = i, .b = SEPARATION_NONE };
		measure(
		    &out[n++], &m, NULL, columns[i], count, codes[i], n_rows);
	}
	for (size_t i = 0; n_columns <= SEPARATION_COLUMNS_MAX && i < n_columns;
	     i++)
		for (size_t k = i + 1; k < n_columns; k++) {
			out[n] = (struct separation){ .a = i, .b = k };
			measure(&out[n++], &m, (const uint32_t *const *)codes,
			    NULL, count, NULL, n_rows);
		}
	r = 0;
out:
	for (size_t i = 0; codes != NULL && i < n_columns; i++)
		free(codes[i]);
	free(codes);
	free(count);
	numbering_free(&m);
	return r;
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

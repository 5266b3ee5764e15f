#include "ctl/pooled.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ctl/pooled_parts.h"

#define MAGIC "CSLMTABL"
#define COLUMNS_MAX 1024
#define NAME_MAX_LEN 63

struct pooled *
pooled_new(const struct pooled_model *model, struct err *err)
{
	struct pooled *p;

	if ((model->n_terms < 1 && !model->km) ||
	    model->n_terms > POOLED_TERMS_MAX) {
		err_set(err, ERR_CONFIG, "%zu terms, expected 1 to %d",
		    model->n_terms, POOLED_TERMS_MAX);
		return NULL;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		err_sys(err, "pooled fit");
		return NULL;
	}
	p->model = model;
	return p;
}

void
pooled_free(struct pooled *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->rows[i].x);
	free(p->rows);
	free(p);
}

size_t
pooled_rows(const struct pooled *p)
{
	return p->n;
}

/*
 * Tables
 */

struct file {
	uint8_t *data;
	size_t len, n_rows, n_columns;
	const uint8_t *names, *values;
};

static uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static double
table_value(const struct file *t, size_t column, size_t row)
{
	const uint8_t *p = t->values + 8 * (column * t->n_rows + row);
	uint64_t bits = 0;
	double v;

	for (size_t i = 8; i-- > 0;)
		bits = bits << 8 | p[i];
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static int
load(struct file *t, const char *path, struct err *err)
{
	uint8_t *more;
	size_t cap = 0, n;
	FILE *f = fopen(path, "rbe");

	if (f == NULL)
		return err_sys(err, "open %s", path);
	do {
		if (t->len == cap) {
			cap = cap == 0 ? 1 << 16 : 2 * cap;
			if ((more = realloc(t->data, cap)) == NULL) {
				fclose(f);
				return err_sys(err, "read %s", path);
			}
			t->data = more;
		}
		n = fread(t->data + t->len, 1, cap - t->len, f);
		t->len += n;
	} while (n > 0);
	if (ferror(f)) {
		fclose(f);
		return err_sys(err, "read %s", path);
	}
	fclose(f);
	return 0;
}

/* Find names and values in the bytes; the layout is in study/table.h. */
static int
parse(struct file *t, const char *path, struct err *err)
{
	size_t at = 8 + 4 + 32 + 8 + 4, len;

	if (t->len < at || memcmp(t->data, MAGIC, 8) != 0 ||
	    big_endian(t->data + 8, 4) != 1)
		return err_set(
		    err, ERR_FORMAT, "%s: not a table of version 1", path);
	t->n_rows = big_endian(t->data + 44, 8);
	t->n_columns = big_endian(t->data + 52, 4);
	if (t->n_columns > COLUMNS_MAX || t->n_rows > (uint64_t)1 << 32)
		return err_set(err, ERR_FORMAT, "%s: too large", path);
	t->names = t->data + at;
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->len - at < 4 ||
		    (len = big_endian(t->data + at, 4)) > NAME_MAX_LEN ||
		    t->len - at - 4 < len)
			return err_set(err, ERR_FORMAT,
			    "%s: bad name of column %zu", path, i + 1);
		at += 4 + len;
	}
	at = (at + 7) / 8 * 8;
	if (at > t->len || t->len - at != 8 * t->n_columns * t->n_rows)
		return err_set(err, ERR_FORMAT,
		    "%s: %zu bytes, expected %zu rows of %zu columns", path,
		    t->len, t->n_rows, t->n_columns);
	t->values = t->data + at;
	return 0;
}

static int
find(const struct file *t, const char *path, const char *name, size_t *column,
    struct err *err)
{
	const uint8_t *p = t->names;

	for (size_t i = 0; i < t->n_columns; i++) {
		size_t len = big_endian(p, 4);

		if (len == strlen(name) && memcmp(p + 4, name, len) == 0) {
			*column = i;
			return 0;
		}
		p += 4 + len;
	}
	return err_set(err, ERR_FORMAT, "%s: no column %s", path, name);
}

/* Where the columns of the model are in a table. */
struct columns {
	size_t time, entry, event, offset, weights, patient;
	size_t *terms; /* (n_terms, POOLED_FACTORS_MAX) */
	size_t *strata;
};

static int
find_all(const struct pooled_model *m, const struct file *t, const char *path,
    struct columns *c, struct err *err)
{
	if ((m->cox || m->km) && find(t, path, m->time, &c->time, err) < 0)
		return -1;
	if (m->entry != NULL && find(t, path, m->entry, &c->entry, err) < 0)
		return -1;
	if (find(t, path, m->event, &c->event, err) < 0 ||
	    (m->offset != NULL &&
		find(t, path, m->offset, &c->offset, err) < 0) ||
	    (m->weights != NULL &&
		find(t, path, m->weights, &c->weights, err) < 0) ||
	    (m->patient != NULL &&
		find(t, path, m->patient, &c->patient, err) < 0))
		return -1;
	for (size_t i = 0; i < m->n_terms; i++) {
		size_t *at = c->terms + i * POOLED_FACTORS_MAX;

		for (size_t k = 0; k < m->terms[i].n_factors; k++) {
			if (find(t, path, m->terms[i].factors[k].column, at + k,
				err) < 0)
				return -1;
		}
	}
	for (size_t i = 0; i < m->n_strata; i++)
		if (find(t, path, m->strata[i].column, &c->strata[i], err) < 0)
			return -1;
	return 0;
}

static long double
plus_cubed(long double x)
{
	return x > 0 ? x * x * x : 0;
}

/* Harrell's restricted cubic spline, from its truncated powers. */
static long double
spline(const struct pooled_factor *f, long double x)
{
	long double first = f->knots[0], t = f->knots[f->spline];
	long double b = f->knots[f->n_knots - 2], a = f->knots[f->n_knots - 1];

	return (plus_cubed(x - t) -
		   (plus_cubed(x - b) * (a - t) - plus_cubed(x - a) * (b - t)) /
		       (a - b)) /
	    powl(a - first, 2);
}

static long double
factor(const struct pooled_factor *f, double v)
{
	if (f->level != POOLED_NUMBER)
		return v == (double)f->level;
	if (f->n_knots > 0)
		return spline(f, v);
	if (f->log)
		return logl(v);
	return f->power > 1 ? powl(v, (long double)f->power) : v;
}

static int
add_row(struct pooled *p, size_t site, const struct file *t,
    const struct columns *c, size_t i, struct err *err)
{
	const struct pooled_model *m = p->model;
	struct pooled_row *r = &p->rows[p->n];

	if ((r->x = calloc(m->n_terms + 1, sizeof(*r->x))) == NULL)
		return err_sys(err, "pooled fit");
	p->n++;
	r->time = m->cox || m->km ? table_value(t, c->time, i) : 0;
	r->after = m->entry != NULL ? table_value(t, c->entry, i) : -INFINITY;
	r->y = table_value(t, c->event, i);
	r->event = m->causes ? r->y != (double)m->censored : r->y != 0;
	r->offset = m->offset != NULL ? table_value(t, c->offset, i) : 0;
	if (m->offset_is_log)
		r->offset = log(r->offset);
	r->weight = m->weights != NULL ? table_value(t, c->weights, i) : 1;
	if (m->family == POOLED_TRIALS && r->weight > 0)
		r->y /= r->weight;
	r->stratum = m->strata_by_site ? site : 0;
	r->site = site;
	r->patient =
	    m->patient != NULL ? table_value(t, c->patient, i) : (double)i;
	for (size_t k = 0; k < m->n_strata; k++)
		r->stratum = r->stratum * m->strata[k].n_levels +
		    (size_t)table_value(t, c->strata[k], i);
	for (size_t k = 0; k < m->n_terms; k++) {
		const struct pooled_term *term = &m->terms[k];
		long double v = 1;

		for (size_t j = 0; j < term->n_factors; j++)
			v *= factor(&term->factors[j],
			    table_value(
				t, c->terms[k * POOLED_FACTORS_MAX + j], i));
		r->x[k] = (double)v;
	}
	return 0;
}

/* Cut a row in stretches; terms of a piece are 0 in all others. */
static int
split_row(struct pooled *p, struct err *err)
{
	const struct pooled_model *m = p->model;
	struct pooled_row *r = &p->rows[p->n - 1];

	for (size_t piece = 0; piece <= m->n_cuts; piece++) {
		double end = piece < m->n_cuts ? m->cuts[piece] : INFINITY;
		bool more = r->time > end;
		struct pooled_row rest = *r;

		if (r->after >= end)
			continue;
		if (more) {
			rest.x = calloc(m->n_terms + 1, sizeof(*rest.x));
			if (rest.x == NULL)
				return err_sys(err, "pooled fit");
			memcpy(rest.x, r->x, m->n_terms * sizeof(*rest.x));
			rest.after = r->time = end;
			r->event = false;
		}
		for (size_t k = 0; k < m->n_terms; k++)
			if (m->terms[k].piece != 0 &&
			    m->terms[k].piece != piece)
				r->x[k] = 0;
		if (!more)
			break;
		p->rows[p->n++] = rest;
		r = &p->rows[p->n - 1];
	}
	return 0;
}

int
pooled_add(struct pooled *p, size_t site, const char *path, struct err *err)
{
	const struct pooled_model *m = p->model;
	struct columns c = { 0 };
	struct file t = { 0 };
	struct pooled_row *rows;
	int rv = -1;

	c.terms = calloc(m->n_terms * POOLED_FACTORS_MAX + 1, sizeof(*c.terms));
	c.strata = calloc(m->n_strata + 1, sizeof(*c.strata));
	if (c.terms == NULL || c.strata == NULL) {
		err_sys(err, "pooled fit");
		goto out;
	}
	if (load(&t, path, err) < 0 || parse(&t, path, err) < 0 ||
	    find_all(m, &t, path, &c, err) < 0)
		goto out;
	rows = realloc(
	    p->rows, (p->n + t.n_rows * (m->n_cuts + 1) + 1) * sizeof(*rows));
	if (rows == NULL) {
		err_sys(err, "pooled fit");
		goto out;
	}
	p->rows = rows;
	for (size_t i = 0; i < t.n_rows; i++)
		if (add_row(p, site, &t, &c, i, err) < 0 ||
		    (m->n_cuts > 0 && split_row(p, err) < 0))
			goto out;
	rv = 0;
out:
	free(c.terms);
	free(c.strata);
	free(t.data);
	return rv;
}

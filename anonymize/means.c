#include "config.h"

#include "anonymize/means.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "anonymize/microaggregate.h"
#include "anonymize/rows.h"
#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"

struct job {
	const struct study *s;
	const struct rows *rows;
	size_t k;
	double **keys; /* (n_quasi): rows->n values each */
};

static int
no_memory(struct err *err)
{
	return err_sys(err, "memory for means");
}

static bool
is_mean(const struct job *j, size_t q)
{
	return j->s->columns[j->s->quasi[q]].mean;
}

/* Rows class by class, in an order that is not the source's. */
static int
order_classes(const struct job *j, size_t *order, struct err *err)
{
	const struct study *s = j->s;
	const double **by = calloc(s->n_quasi + s->n_columns + 1, sizeof(*by));
	size_t n = 0;
	int r;

	if (by == NULL)
		return no_memory(err);
	for (size_t q = 0; q < s->n_quasi; q++)
		if (!is_mean(j, q))
			by[n++] = j->keys[q];
	for (size_t c = 0; c < s->n_columns; c++)
		if (j->rows->columns[c].values != NULL)
			by[n++] = j->rows->columns[c].values;
	for (size_t i = 0; i < j->rows->n; i++)
		order[i] = i;
	r = classes_sort(by, n, order, j->rows->n, err);
	free(by);
	return r;
}

/* One over the standard deviation, so that distances are on one scale. */
static double
scale_of(const double *values, size_t n)
{
	double mean = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		double d = values[i] - mean;

		mean += d / (double)(i + 1);
		squares += d * (values[i] - mean);
	}
	return squares > 0 ? sqrt((double)n / squares) : 0;
}

/* The means of one column over the groups of n rows. */
static void
set_means(const struct job *j, size_t q, const size_t *order, size_t n,
    const uint32_t *group, size_t n_groups, double *sum, size_t *size)
{
	const struct study_column *c = &j->s->columns[j->s->quasi[q]];
	const double *values = j->rows->columns[j->s->quasi[q]].values;

	memset(sum, 0, n_groups * sizeof(*sum));
	memset(size, 0, n_groups * sizeof(*size));
	for (size_t i = 0; i < n; i++) {
		sum[group[i]] += values[order[i]];
		size[group[i]]++;
	}
	for (size_t i = 0; i < n; i++) {
		double mean = sum[group[i]] / (double)size[group[i]];

		/* Rounding may leave the range by a bit. */
		j->keys[q][order[i]] = MIN(MAX(mean, c->lo), c->hi);
	}
}

/* The room for one class at a time. */
struct room {
	size_t d; /* columns that are means */
	double *scale; /* (n_quasi) */
	size_t *order; /* (n) rows, class by class */
	double *points; /* (n, d) one per patient */
	uint32_t *point_of, *group_of_point, *group; /* (n) of rows, points */
	size_t *rows_of; /* (n) of a point */
	size_t *of_patient, *in_class; /* (n_patients) its point in which */
	double *sum; /* (n) */
	size_t *size; /* (n) */
};

static void
room_free(struct room *r, size_t n)
{
	if (r->points != NULL)
		explicit_bzero(r->points, n * r->d * sizeof(*r->points));
	free(r->scale);
	free(r->order);
	free(r->points);
	free(r->point_of);
	free(r->group_of_point);
	free(r->group);
	free(r->rows_of);
	free(r->of_patient);
	free(r->in_class);
	free(r->sum);
	free(r->size);
}

static int
room_new(const struct job *j, struct room *r, struct err *err)
{
	size_t n = j->rows->n + 1, people = j->rows->n_patients + 1;

	*r = (struct room){ 0 };
	for (size_t q = 0; q < j->s->n_quasi; q++)
		r->d += is_mean(j, q);
	r->scale = calloc(j->s->n_quasi + 1, sizeof(*r->scale));
	r->order = malloc(n * sizeof(*r->order));
	r->points = malloc(n * MAX(r->d, 1) * sizeof(*r->points));
	r->point_of = malloc(n * sizeof(*r->point_of));
	r->group_of_point = malloc(n * sizeof(*r->group_of_point));
	r->group = malloc(n * sizeof(*r->group));
	r->rows_of = malloc(n * sizeof(*r->rows_of));
	r->of_patient = malloc(people * sizeof(*r->of_patient));
	r->in_class = calloc(people, sizeof(*r->in_class));
	r->sum = malloc(n * sizeof(*r->sum));
	r->size = malloc(n * sizeof(*r->size));
	if (r->scale == NULL || r->order == NULL || r->points == NULL ||
	    r->point_of == NULL || r->group_of_point == NULL ||
	    r->group == NULL || r->rows_of == NULL || r->of_patient == NULL ||
	    r->in_class == NULL || r->sum == NULL || r->size == NULL)
		return no_memory(err);
	for (size_t q = 0; q < j->s->n_quasi; q++)
		r->scale[q] =
		    scale_of(j->rows->columns[j->s->quasi[q]].values, n - 1);
	return 0;
}

/* Which point a row goes to: its patient's, or its own. */
static size_t
find_points(const struct job *j, struct room *r, const size_t *order,
    size_t rows, size_t class)
{
	const uint32_t *patient = j->rows->patient;
	size_t n = 0;

	for (size_t i = 0; i < rows; i++) {
		size_t p = patient != NULL ? patient[order[i]] : 0;

		if (patient == NULL || r->in_class[p] != class) {
			r->rows_of[n] = 0;
			if (patient != NULL) {
				r->in_class[p] = class;
				r->of_patient[p] = n;
			}
			r->point_of[i] = (uint32_t)n++;
		} else {
			r->point_of[i] = (uint32_t)r->of_patient[p];
		}
		r->rows_of[r->point_of[i]]++;
	}
	return n;
}

static void
fill_points(const struct job *j, struct room *r, const size_t *order,
    size_t rows, size_t n)
{
	size_t at = 0;

	memset(r->points, 0, n * r->d * sizeof(*r->points));
	for (size_t q = 0; q < j->s->n_quasi; q++) {
		const double *values = j->rows->columns[j->s->quasi[q]].values;

		if (!is_mean(j, q))
			continue;
		for (size_t i = 0; i < rows; i++) {
			size_t p = r->point_of[i];

			r->points[p * r->d + at] += r->scale[q] *
			    values[order[i]] / (double)r->rows_of[p];
		}
		at++;
	}
}

/* Aggregate the columns that are means, in each class of all others that has
   enough patients; those of a smaller one are suppressed. */
static int
aggregate(struct job *j, const struct classes *c, struct err *err)
{
	size_t n = j->rows->n, groups, class = 0;
	struct room r;
	int rv = -1;

	if (room_new(j, &r, err) == -1 || order_classes(j, r.order, err) == -1)
		goto out;
	for (size_t from = 0, rows; from < n; from += rows) {
		const size_t *order = r.order + from;
		size_t points;

		rows = c->size[c->of_row[order[0]]];
		points = find_points(j, &r, order, rows, ++class);
		if (points < j->k)
			continue;
		fill_points(j, &r, order, rows, points);
		if (microaggregate(r.points, points, r.d, j->k,
			r.group_of_point, &groups, err) == -1)
			goto out;
		for (size_t i = 0; i < rows; i++)
			r.group[i] = r.group_of_point[r.point_of[i]];
		for (size_t q = 0; q < j->s->n_quasi; q++)
			if (is_mean(j, q))
				set_means(j, q, order, rows, r.group, groups,
				    r.sum, r.size);
	}
	rv = 0;
out:
	room_free(&r, n);
	return rv;
}

int
means_make(const struct study *s, const struct rows *rows, size_t k,
    double **keys, struct err *err)
{
	struct job j = { .s = s, .rows = rows, .k = k, .keys = keys };
	const double **others = calloc(s->n_quasi + 1, sizeof(*others));
	struct classes c = { 0 };
	size_t n = 0;
	int r = 0;

	if (others == NULL)
		return no_memory(err);
	for (size_t q = 0; q < s->n_quasi; q++)
		if (!is_mean(&j, q))
			others[n++] = keys[q];
	for (size_t q = 0; q < s->n_quasi; q++)
		for (size_t i = 0; is_mean(&j, q) && i < rows->n; i++)
			if (rows->columns[s->quasi[q]].values[i] ==
			    STUDY_MISSING) {
				r = err_set(err, ERR_REFUSED,
				    "\"%s\" is missing in a row, and a missing "
				    "value has no mean",
				    s->columns[s->quasi[q]].name);
				goto out;
			}
	if (n < s->n_quasi)
		r = classes_make(&c, others, n, rows->n, err) == -1 ||
			aggregate(&j, &c, err) == -1
		    ? -1
		    : 0;
out:
	classes_free(&c);
	free(others);
	return r;
}

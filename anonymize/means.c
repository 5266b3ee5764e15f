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
	classes_sort(by, n, order, j->rows->n);
	free(by);
	return 0;
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

/* Aggregate the columns that are means, in each class of all others that is
   large enough; those of a smaller one are suppressed. */
static int
aggregate(struct job *j, const struct classes *c, struct err *err)
{
	size_t n = j->rows->n, d = 0, groups;
	size_t *order = malloc((n + 1) * sizeof(*order));
	size_t *size = malloc((n + 1) * sizeof(*size));
	uint32_t *group = malloc((n + 1) * sizeof(*group));
	double *sum = malloc((n + 1) * sizeof(*sum)), *points = NULL;
	double *scale = calloc(j->s->n_quasi + 1, sizeof(*scale));
	int r = -1;

	for (size_t q = 0; q < j->s->n_quasi; q++)
		d += is_mean(j, q);
	points = malloc((n * d + 1) * sizeof(*points));
	if (order == NULL || size == NULL || group == NULL || sum == NULL ||
	    points == NULL || scale == NULL) {
		no_memory(err);
		goto out;
	}
	if (order_classes(j, order, err) == -1)
		goto out;
	for (size_t q = 0; q < j->s->n_quasi; q++)
		scale[q] = scale_of(j->rows->columns[j->s->quasi[q]].values, n);
	for (size_t from = 0, rows; from < n; from += rows) {
		size_t at = 0;

		rows = c->size[c->of_row[order[from]]];
		if (rows < j->k)
			continue;
		for (size_t i = 0; i < rows; i++)
			for (size_t q = 0; q < j->s->n_quasi; q++)
				if (is_mean(j, q))
					points[at++] = scale[q] *
					    j->rows->columns[j->s->quasi[q]]
						.values[order[from + i]];
		if (microaggregate(
			points, rows, d, j->k, group, &groups, err) == -1)
			goto out;
		for (size_t q = 0; q < j->s->n_quasi; q++)
			if (is_mean(j, q))
				set_means(j, q, order + from, rows, group,
				    groups, sum, size);
	}
	r = 0;
out:
	if (points != NULL)
		explicit_bzero(points, n * d * sizeof(*points));
	free(order);
	free(size);
	free(group);
	free(sum);
	free(points);
	free(scale);
	return r;
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

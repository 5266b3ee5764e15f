#include "config.h"

#include "anonymize/loss.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "anonymize/rows.h"
#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/table.h"

/* One column while it is measured. */
struct job {
	const struct loss_input *in;
	const struct study_column *c;
	const double *values; /* of the complete rows */
	const double *cells; /* of the table's rows; NULL: not in it */
	size_t n, n_missing; /* complete rows */
	bool whole;
	size_t size; /* values that the column may have; 0: real numbers */
	size_t *below; /* (size + 1) rows with a smaller value, if countable */
	double *sorted; /* (n) else */
	/* Classes. */
	double *least, *most; /* (after->n) value of a row */
	size_t *level; /* (after->n) */
	/* Sums over the complete rows. */
	double share, bits;
};

static int
no_memory(struct err *err)
{
	return err_sys(err, "memory for the losses");
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Values of the complete rows.
 */

static bool
countable(const struct job *j)
{
	return j->size > 0 && j->size < STUDY_COUNTABLE_MAX;
}

static double
lowest(const struct job *j)
{
	return j->c->type == STUDY_LEVELS ? 0 : j->c->lo;
}

static int
count_values(struct job *j, struct err *err)
{
	if ((j->below = calloc(j->size + 1, sizeof(*j->below))) == NULL)
		return no_memory(err);
	for (size_t i = 0; i < j->n; i++) {
		if (j->values[i] == STUDY_MISSING)
			j->n_missing++;
		else
			j->below[(size_t)(j->values[i] - lowest(j)) + 1]++;
	}
	for (size_t v = 0; v < j->size; v++)
		j->below[v + 1] += j->below[v];
	return 0;
}

static int
sort_values(struct job *j, const double *values, struct err *err)
{
	if ((j->sorted = malloc((j->n + 1) * sizeof(*j->sorted))) == NULL)
		return no_memory(err);
	memcpy(j->sorted, values, j->n * sizeof(*values));
	qsort(j->sorted, j->n, sizeof(*j->sorted), ascending);
	while (j->n_missing < j->n && j->sorted[j->n_missing] == STUDY_MISSING)
		j->n_missing++;
	return 0;
}

/* Complete rows with a smaller value; the missing ones are not counted where
   values are. */
static size_t
rows_below(const struct job *j, double v)
{
	size_t lo = 0, hi = j->n;

	if (j->below != NULL) {
		double at = ceil(v - lowest(j));

		return j->below[(size_t)MIN(MAX(at, 0), (double)j->size)];
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (j->sorted[mid] < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Those from a to b. */
static size_t
rows_from_to(const struct job *j, double a, double b)
{
	double next = j->below != NULL ? b + 1 : nextafter(b, INFINITY);

	return rows_below(j, next) - rows_below(j, a);
}

/* Bits that tell all rows' values apart: the sum over rows of log2 of how many
   have the same. */
static double
bits_of_values(const struct job *j)
{
	double bits = j->n_missing > 0
	    ? (double)j->n_missing * log2((double)j->n_missing)
	    : 0;
	size_t run = 0;

	for (size_t v = 0; j->below != NULL && v < j->size; v++) {
		double n = (double)(j->below[v + 1] - j->below[v]);

		bits += n > 0 ? n * log2(n) : 0;
	}
	for (size_t i = j->n_missing; j->below == NULL && i < j->n; i++) {
		run++;
		if (i + 1 < j->n && j->sorted[i + 1] == j->sorted[i])
			continue;
		bits += (double)run * log2((double)run);
		run = 0;
	}
	return bits;
}

/*
 * Cells of the table.
 */

/* The share of one value. */
static double
least_share(const struct job *j)
{
	return j->size > 0 ? 1 / (double)j->size : 0;
}

static double
width(const struct job *j, double from, double to)
{
	double all = j->c->hi - j->c->lo;

	if (j->whole)
		return (to - from + 1) / (double)j->size;
	return all > 0 ? (to - from) / all : 0;
}

/* A group of numbers: half open, but for the last one. */
static void
group_cell(const struct job *j, const struct study_recode *r, double v,
    double *share, size_t *rows)
{
	size_t g = study_group(r, v);
	double from = r->cuts[g], to = r->cuts[g + 1];
	bool last = g + 1 == r->n_groups;

	*rows = last ? rows_from_to(j, from, to)
		     : rows_below(j, to) - rows_below(j, from);
	*share = width(j, from, j->whole && !last ? to - 1 : to);
}

/* Levels that the table has as one. */
static void
level_cell(const struct job *j, double cell, double *share, size_t *rows)
{
	const struct study *s = j->in->study;
	size_t n = 0;

	*rows = 0;
	for (size_t v = 0; v < j->c->n_levels; v++) {
		if (study_table_value(
			s, (size_t)(j->c - s->columns), (double)v) != cell)
			continue;
		*rows += j->below[v + 1] - j->below[v];
		n++;
	}
	*share = (double)n / (double)j->c->n_levels;
}

/* What a class of the table has: the share of its cell, and how many complete
   rows have a value that it may stand for. */
static void
class_cell(
    const struct job *j, size_t k, double cell, double *share, size_t *rows)
{
	const struct study_recode *r = j->c->local && j->level[k] > 0
	    ? &j->c->recodes[j->level[k] - 1]
	    : j->c->local ? NULL
			  : study_recode(j->c);

	if (cell == STUDY_MISSING) {
		*share = least_share(j);
		*rows = j->n_missing;
	} else if (j->c->type == STUDY_LEVELS) {
		level_cell(j, cell, share, rows);
	} else if (r != NULL) {
		group_cell(j, r, j->least[k], share, rows);
	} else {
		*rows = rows_from_to(j, j->least[k], j->most[k]);
		*share = width(j, j->least[k], j->most[k]);
	}
}

/* The lowest level at which all rows of a class have the number that the table
   says. */
static void
find_levels(struct job *j)
{
	const struct loss_input *in = j->in;
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < in->table->n_rows; i++) {
			size_t *level = &j->level[in->after->of_row[i]];
			double v = j->values[in->order[i]];

			while (*level < j->c->level &&
			    study_number(j->c, *level, v) != j->cells[i]) {
				++*level;
				again = true;
			}
		}
	}
}

static int
measure_cells(struct job *j, struct err *err)
{
	const struct loss_input *in = j->in;
	size_t n = in->after->n;
	size_t *first = calloc(n + 1, sizeof(*first));

	j->least = malloc((n + 1) * sizeof(*j->least));
	j->most = malloc((n + 1) * sizeof(*j->most));
	j->level = calloc(n + 1, sizeof(*j->level));
	if (first == NULL || j->least == NULL || j->most == NULL ||
	    j->level == NULL) {
		free(first);
		return no_memory(err);
	}
	for (size_t k = 0; k < n; k++) {
		j->least[k] = INFINITY;
		j->most[k] = -INFINITY;
	}
	for (size_t i = 0; i < in->table->n_rows; i++) {
		size_t k = in->after->of_row[i];
		double v = j->values[in->order[i]];

		first[k] = i;
		j->least[k] = MIN(j->least[k], v);
		j->most[k] = MAX(j->most[k], v);
	}
	if (j->c->local)
		find_levels(j);
	for (size_t k = 0; k < n; k++) {
		double share, size = (double)in->after->size[k];
		size_t rows;

		class_cell(j, k, j->cells[first[k]], &share, &rows);
		j->share += size * share;
		j->bits += size * log2((double)MAX(rows, 1));
	}
	free(first);
	return 0;
}

static int
measure_column(struct job *j, size_t q, struct err *err)
{
	const struct loss_input *in = j->in;
	const struct study *s = in->study;
	size_t column = s->quasi[q], kept = 0;
	double *ranks = NULL;
	int r;

	j->c = &s->columns[column];
	j->values = in->rows->columns[column].values;
	j->n = in->rows->n;
	j->whole = j->c->type != STUDY_REAL;
	if (j->c->type == STUDY_LEVELS)
		j->size = j->c->n_levels;
	else if (j->whole && j->c->type != STUDY_TEXT && j->c->has_range)
		j->size = (size_t)(j->c->hi - j->c->lo) + 1;
	for (size_t t = 0; t < s->n_table; t++)
		if (s->table[t] == column)
			j->cells = table_column(in->table, t);
	if (j->c->type == STUDY_TEXT) {
		if ((ranks = malloc((j->n + 1) * sizeof(*ranks))) == NULL)
			return no_memory(err);
		r = rows_rank(in->rows, column, NULL, ranks, err);
		if (r == 0)
			r = sort_values(j, ranks, err);
		free(ranks);
	} else {
		r = countable(j) ? count_values(j, err)
				 : sort_values(j, j->values, err);
	}
	if (r == 0 && j->cells != NULL) {
		kept = in->table->n_rows;
		r = measure_cells(j, err);
	}
	/* What is not in the table. */
	j->share += (double)(j->n - kept);
	j->bits += (double)(j->n - kept) * log2((double)MAX(j->n, 1)) -
	    bits_of_values(j);
	return r;
}

static void
end(struct job *j)
{
	if (j->sorted != NULL)
		explicit_bzero(j->sorted, j->n * sizeof(*j->sorted));
	free(j->sorted);
	free(j->below);
	free(j->least);
	free(j->most);
	free(j->level);
}

static void
measure_classes(const struct loss_input *in, struct loss *l)
{
	double n = (double)in->rows->n, kept = (double)in->table->n_rows;

	l->discernibility = (n - kept) * n;
	for (size_t k = 0; k < in->after->n; k++)
		l->discernibility +=
		    (double)in->after->size[k] * (double)in->after->size[k];
	l->average_size = in->after->n > 0 ? kept / (double)in->after->n : 0;
}

int
loss_measure(
    const struct loss_input *in, struct loss *l, double *of, struct err *err)
{
	const struct study *s = in->study;
	double n = (double)in->rows->n, sum = 0, weights = 0;

	*l = (struct loss){ 0 };
	measure_classes(in, l);
	for (size_t q = 0; q < s->n_quasi; q++) {
		double weight = s->columns[s->quasi[q]].weight, least;
		struct job j = { .in = in };
		int r = measure_column(&j, q, err);

		end(&j);
		if (r == -1)
			return -1;
		least = n * least_share(&j);
		of[q] = n > least ? MAX(0, (j.share - least) / (n - least)) : 0;
		sum += weight * log1p(of[q]);
		weights += weight;
		l->granularity += j.share / n / (double)s->n_quasi;
		l->entropy += j.bits;
	}
	if (weights > 0)
		l->loss = expm1(sum / weights);
	return 0;
}

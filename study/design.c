/* The trainer's input, from the anonymized table. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "model/data.h"
#include "study/study.h"
#include "study/table.h"

/* The values of a column of the study, which must be in the table. */
static const double *
values_of(const struct table *t, const struct study *s, size_t column)
{
	size_t i = 0;

	while (i < s->n_table && s->table[i] != column)
		i++;
	assert(i < s->n_table);
	return table_column(t, i);
}

static double
factor_value(const struct study_factor *f, double v)
{
	switch (f->fn) {
	case STUDY_LEVEL:
		return v == (double)f->level;
	case STUDY_LOG:
		return log(v);
	case STUDY_POWER:
		return study_power(v, f->power);
	case STUDY_SPLINE:
		return study_spline(f->knots, f->n_knots, f->spline, v);
	default:
		return v;
	}
}

static void
fill_terms(const struct table *t, const struct study *s, double *x)
{
	for (size_t k = 0; k < s->n_terms; k++) {
		const struct study_term *term = &s->terms[k];

		for (size_t j = 0; j < term->n_factors; j++) {
			const struct study_factor *f = &term->factors[j];
			const double *v = values_of(t, s, f->column);

			for (size_t i = 0; i < t->n_rows; i++) {
				double *at = &x[i * s->n_terms + k];

				*at = (j == 0 ? 1.0 : *at) *
				    factor_value(f, v[i]);
			}
		}
	}
}

static void
fill_variables(const struct table *t, const struct study *s, double *x)
{
	for (size_t k = 0; k < s->n_variables; k++) {
		const double *v = values_of(t, s, s->variables[k]);

		for (size_t i = 0; i < t->n_rows; i++)
			x[i * s->n_variables + k] =
			    v[i] == STUDY_MISSING ? NAN : v[i];
	}
}

static void
fill_strata(const struct table *t, const struct study *s, uint32_t *stratum)
{
	const struct study_model *m = &s->model;

	for (size_t k = 0; k < m->n_strata_columns; k++) {
		size_t column = m->strata_columns[k];
		const double *v = values_of(t, s, column);
		size_t n = study_n_groups(&s->columns[column]);

		for (size_t i = 0; i < t->n_rows; i++)
			stratum[i] = (uint32_t)(stratum[i] * n + (size_t)v[i]);
	}
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Which rows are of one patient: the pseudonyms by their order. */
static int
number_patients(
    const struct table *t, const struct study *s, struct model_data *d)
{
	const double *v = values_of(t, s, s->privacy.patient);
	double *sorted = calloc(t->n_rows + 1, sizeof(*sorted));

	d->patient = calloc(t->n_rows + 1, sizeof(*d->patient));
	if (sorted == NULL || d->patient == NULL) {
		free(sorted);
		return -1;
	}
	memcpy(sorted, v, t->n_rows * sizeof(*sorted));
	qsort(sorted, t->n_rows, sizeof(*sorted), compare_doubles);
	for (size_t i = 0; i < t->n_rows; i++) {
		if (i == 0 || sorted[i] != sorted[d->n_patients - 1])
			sorted[d->n_patients++] = sorted[i];
	}
	for (size_t i = 0; i < t->n_rows; i++) {
		const double *at = bsearch(&v[i], sorted, d->n_patients,
		    sizeof(*sorted), compare_doubles);

		d->patient[i] = (uint32_t)(at - sorted);
	}
	free(sorted);
	return 0;
}

/* The points of the grid at which rows enter. */
static int
fill_entries(const struct table *t, const struct study *s, struct model_data *d)
{
	const double *v = values_of(t, s, s->model.entry);

	if ((d->entry = calloc(t->n_rows + 1, sizeof(*d->entry))) == NULL)
		return -1;
	for (size_t i = 0; i < t->n_rows; i++)
		d->entry[i] = (uint32_t)study_time_index(s, v[i]);
	return 0;
}

/* Column may be STUDY_NONE. */
static int
copy_column(
    const struct table *t, const struct study *s, size_t column, double **out)
{
	if (column == STUDY_NONE)
		return 0;
	if ((*out = calloc(t->n_rows + 1, sizeof(**out))) == NULL)
		return -1;
	memcpy(*out, values_of(t, s, column), t->n_rows * sizeof(**out));
	return 0;
}

/* Of a summary, or only to be counted: values may be missing. */
static int
design_variables(const struct table *t, const struct study *s,
    struct model_data *d, struct err *err)
{
	bool summary = s->model.kind == STUDY_SUMMARY;
	size_t n = t->n_rows;

	*d = (struct model_data){
		.n_rows = n,
		.x = calloc(1, sizeof(*d->x)),
		.event = calloc(n + 1, sizeof(*d->event)),
		.stratum = calloc(n + 1, sizeof(*d->stratum)),
		.variables =
		    calloc(n * s->n_variables + 1, sizeof(*d->variables)),
	};
	if (d->x == NULL || d->event == NULL || d->stratum == NULL ||
	    d->variables == NULL) {
		table_design_free(d);
		return err_sys(
		    err, "table: %zu rows of %zu variables", n, s->n_variables);
	}
	fill_variables(t, s, d->variables);
	if (summary) {
		fill_strata(t, s, d->stratum);
	} else if (study_is_event(s, study_outcome(s))) {
		const double *v = values_of(t, s, study_outcome(s));

		for (size_t i = 0; i < n; i++)
			d->event[i] = v[i] == 1;
	}
	return 0;
}

int
table_design(const struct table *t, const struct study *s, struct model_data *d,
    struct err *err)
{
	const struct study_model *m = &s->model;
	bool cox = study_has_time(s), glm = study_has_y(s);
	size_t n = t->n_rows;
	const double *v;

	if (study_has_cells(s))
		return design_variables(t, s, d, err);
	*d = (struct model_data){
		.n_rows = n,
		.n_terms = s->n_terms,
		/* One more, so that no rows are not no memory. */
		.x = calloc(n * s->n_terms + 1, sizeof(*d->x)),
		.event = calloc(n + 1, sizeof(*d->event)),
		.y = glm ? calloc(n + 1, sizeof(*d->y)) : NULL,
		.time_index =
		    cox ? calloc(n + 1, sizeof(*d->time_index)) : NULL,
		.stratum = m->n_strata_columns != 0
		    ? calloc(n + 1, sizeof(*d->stratum))
		    : NULL,
	};
	if (d->x == NULL || d->event == NULL || (glm && d->y == NULL) ||
	    (cox && d->time_index == NULL) ||
	    (m->n_strata_columns != 0 && d->stratum == NULL)) {
		table_design_free(d);
		return err_sys(
		    err, "table: %zu rows of %zu terms", n, s->n_terms);
	}
	fill_terms(t, s, d->x);
	v = values_of(t, s, study_outcome(s));
	if (glm)
		memcpy(d->y, v, n * sizeof(*v));
	for (size_t i = 0; i < n; i++)
		d->event[i] = m->kind == STUDY_CUMINC
		    ? (uint8_t)study_cause(s, v[i])
		    : !glm && v[i] != 0;
	if (cox) {
		v = values_of(t, s, m->time);
		for (size_t i = 0; i < n; i++)
			d->time_index[i] = (uint32_t)study_time_index(s, v[i]);
	}
	fill_strata(t, s, d->stratum);
	if ((m->entry == STUDY_NONE || fill_entries(t, s, d) == 0) &&
	    (!study_links_rows(s) || number_patients(t, s, d) == 0) &&
	    copy_column(t, s, m->offset, &d->offset) == 0 &&
	    copy_column(t, s, m->weights, &d->weight) == 0) {
		for (size_t i = 0; m->offset_is_log && i < n; i++)
			d->offset[i] = log(d->offset[i]);
		if (m->n_cuts == 0 || table_split(s, d) == 0)
			return 0;
	}
	table_design_free(d);
	return err_sys(err, "table: %zu rows", n);
}

void
table_design_free(struct model_data *d)
{
	free(d->x);
	free(d->event);
	free(d->y);
	free(d->offset);
	free(d->weight);
	free(d->time_index);
	free(d->entry);
	free(d->stratum);
	free(d->patient);
	free(d->variables);
	*d = (struct model_data){ 0 };
}

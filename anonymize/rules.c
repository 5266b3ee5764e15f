#include "config.h"

#include "anonymize/rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "anonymize/hierarchy.h"
#include "anonymize/rows.h"
#include "anonymize/words.h"
#include "common/catalogue.h"
#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"

#define COUNTS_MAX ((size_t)1 << 28) /* of all classes together */

static int
no_memory(struct err *err)
{
	return err_sys(err, "memory for the study's privacy rules");
}

void
rules_free(struct rules *r)
{
	models_free_shares(&r->models);
	for (size_t i = 0; i < r->models.n_columns; i++) {
		if (r->codes != NULL && r->codes[i] != NULL) {
			explicit_bzero(
			    r->codes[i], r->n_rows * sizeof(*r->codes[i]));
			free(r->codes[i]);
		}
		if (r->trees != NULL)
			hierarchy_free(&r->trees[i]);
	}
	free(r->models.list);
	free(r->models.columns);
	free(r->column);
	free(r->codes);
	free(r->trees);
	*r = (struct rules){ 0 };
}

static bool
has_rule(const struct study_column *c)
{
	return c->diversity != STUDY_ANY || c->closeness != STUDY_FAR;
}

static void
add_models(struct rules *r, const struct study_column *c, size_t i)
{
	struct models *m = &r->models;

	if (c->diversity != STUDY_ANY)
		m->list[m->n++] = (struct model){
			.kind = MODEL_DISTINCT +
			    (unsigned)(c->diversity - STUDY_DISTINCT),
			.sensitive = i,
			.l = (size_t)c->diversity_l,
			.c = c->diversity_c,
			.t = c->diversity_l,
		};
	if (c->closeness != STUDY_FAR)
		m->list[m->n++] = (struct model){
			.kind = MODEL_EQUAL +
			    (unsigned)(c->closeness - STUDY_EQUAL),
			.sensitive = i,
			.t = c->closeness_t,
			.hierarchy = &r->trees[i],
		};
}

static int
add_column(
    struct rules *r, size_t column, const double *values, struct err *err)
{
	const struct study *s = r->study;
	const struct study_column *c = &s->columns[column];
	bool outcome = column == s->model.event || column == s->model.outcome;
	size_t i = r->models.n_columns++;

	r->column[i] = column;
	if ((r->codes[i] = calloc(r->n_rows + 1, sizeof(uint32_t))) == NULL)
		return no_memory(err);
	for (size_t k = 0; k < r->n_rows; k++)
		r->codes[i][k] = (uint32_t)values[k];
	r->models.columns[i] = (struct model_column){
		.n_values = outcome ? 2 : c->n_levels,
		.code = r->codes[i],
	};
	if (c->closeness == STUDY_HIERARCHICAL &&
	    hierarchy_study(&r->trees[i], c, err) == -1)
		return -1;
	add_models(r, c, i);
	return 0;
}

/* The shares of the whole table for those of a part of it. */
static void
take_shares(struct rules *r, const struct rules *whole)
{
	for (size_t i = 0; i < r->models.n_columns; i++)
		for (size_t j = 0; j < whole->models.n_columns; j++)
			if (whole->column[j] == r->column[i])
				memcpy(r->models.columns[i].share,
				    whole->models.columns[j].share,
				    r->models.columns[i].n_values *
					sizeof(double));
}

/*
 * Counting.
 */

/* What is counted in classes. */
struct tally {
	size_t *rows, *people; /* (c->n) */
	uint32_t *counts; /* (c->n, n_counts) of sensitive values */
};

struct whose {
	uint64_t pair; /* class, patient */
	size_t row;
};

static int
by_pair(const void *a, const void *b)
{
	const struct whose *x = a, *y = b;

	return x->pair != y->pair ? (x->pair > y->pair) - (x->pair < y->pair)
				  : (x->row > y->row) - (x->row < y->row);
}

static void
tally_free(struct tally *t)
{
	free(t->rows);
	free(t->people);
	free(t->counts);
}

static int
tally_new(struct tally *t, const struct rules *r, size_t n, struct err *err)
{
	const struct models *m = &r->models;

	if (n > COUNTS_MAX / MAX(m->n_counts, 1))
		return err_set(err, ERR_REFUSED,
		    "%zu classes with %zu sensitive values are too many to "
		    "count",
		    n, m->n_counts);
	t->rows = calloc(n + 1, sizeof(*t->rows));
	t->people = calloc(n + 1, sizeof(*t->people));
	t->counts = calloc(n * m->n_counts + 1, sizeof(*t->counts));
	if (t->rows == NULL || t->people == NULL || t->counts == NULL)
		return no_memory(err);
	return 0;
}

static void
count_rows(const struct rules *r, const size_t *of_row, const bool *gone,
    struct tally *t)
{
	const struct models *m = &r->models;

	for (size_t k = 0; k < r->n_rows; k++)
		if (gone == NULL || !gone[k])
			t->rows[of_row[k]]++;
	for (size_t i = 0; i < m->n_columns; i++)
		for (size_t k = 0; k < r->n_rows; k++)
			if (gone == NULL || !gone[k])
				t->counts[of_row[k] * m->n_counts +
				    m->columns[i].at + m->columns[i].code[k]]++;
}

/* The rows of one patient in one class: each value counts once. */
static void
count_patient(const struct rules *r, const struct whose *w, size_t n,
    size_t run, size_t *seen, struct tally *t)
{
	const struct models *m = &r->models;
	size_t class = w->pair >> 32;

	t->people[class]++;
	t->rows[class] += n;
	for (size_t i = 0; i < m->n_columns; i++)
		for (size_t k = 0; k < n; k++) {
			size_t at =
			    m->columns[i].at + m->columns[i].code[w[k].row];

			if (seen[at] != run)
				t->counts[class * m->n_counts + at]++;
			seen[at] = run;
		}
}

static int
count_patients(const struct rules *r, const size_t *of_row, const bool *gone,
    struct tally *t, struct err *err)
{
	struct whose *w = malloc((r->n_rows + 1) * sizeof(*w));
	size_t *seen = calloc(r->models.n_counts + 1, sizeof(*seen));
	size_t n = 0, runs = 0;

	if (w == NULL || seen == NULL) {
		free(w);
		free(seen);
		return no_memory(err);
	}
	for (size_t k = 0; k < r->n_rows; k++)
		if (gone == NULL || !gone[k])
			w[n++] = (struct whose){
				(uint64_t)of_row[k] << 32 | r->patient[k], k
			};
	qsort(w, n, sizeof(*w), by_pair);
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from; to < n && w[to].pair == w[from].pair;)
			to++;
		count_patient(r, w + from, to - from, ++runs, seen, t);
	}
	free(w);
	free(seen);
	return 0;
}

/* Over n classes; end with tally_free() in any case. */
static int
tally(const struct rules *r, size_t n, const size_t *of_row, const bool *gone,
    struct tally *t, struct err *err)
{
	*t = (struct tally){ 0 };
	if (tally_new(t, r, n, err) == -1)
		return -1;
	if (r->patient != NULL)
		return count_patients(r, of_row, gone, t, err);
	count_rows(r, of_row, gone, t);
	memcpy(t->people, t->rows, n * sizeof(*t->people));
	return 0;
}

/* All that a class has of a column. */
static size_t
size_of(const struct rules *r, const struct model *o, size_t rows,
    const uint32_t *counts)
{
	const struct model_column *c = &r->models.columns[o->sensitive];
	size_t size = 0;

	if (r->patient == NULL)
		return rows;
	for (size_t v = 0; v < c->n_values; v++)
		size += counts[c->at + v];
	return size;
}

/* Where a patient counts once for each value. */
static int
count_shares(struct rules *r, struct err *err)
{
	struct models *m = &r->models;
	size_t *all = calloc(r->n_rows + 1, sizeof(*all));
	struct tally t = { 0 };
	int rv = all == NULL ? no_memory(err) : tally(r, 1, all, NULL, &t, err);

	for (size_t i = 0; rv == 0 && i < m->n_columns; i++) {
		struct model_column *c = &m->columns[i];
		double sum = 0;

		for (size_t v = 0; v < c->n_values; v++)
			sum += t.counts[c->at + v];
		for (size_t v = 0; v < c->n_values; v++)
			c->share[v] = t.counts[c->at + v] / fmax(sum, 1);
	}
	tally_free(&t);
	free(all);
	return rv;
}

int
rules_make(struct rules *r, const struct study *s, size_t k,
    const double *const *values, size_t n_rows, const uint32_t *patient,
    const struct rules *whole, struct err *err)
{
	size_t n = s->n_columns + 1;

	*r = (struct rules){
		.study = s,
		.n_rows = n_rows,
		.patient = patient,
	};
	r->models.k = k;
	r->models.average_risk = s->privacy.average_risk;
	r->models.list = calloc(2 * n, sizeof(*r->models.list));
	r->models.columns = calloc(n, sizeof(*r->models.columns));
	r->column = calloc(n, sizeof(*r->column));
	r->codes = calloc(n, sizeof(*r->codes));
	r->trees = calloc(n, sizeof(*r->trees));
	if (r->models.list == NULL || r->models.columns == NULL ||
	    r->column == NULL || r->codes == NULL || r->trees == NULL)
		return no_memory(err);
	for (size_t i = 0; i < s->n_columns; i++)
		if (has_rule(&s->columns[i]) && values[i] != NULL &&
		    add_column(r, i, values[i], err) == -1)
			return -1;
	if (models_count(&r->models, n_rows, err) == -1)
		return -1;
	if (whole != NULL)
		take_shares(r, whole);
	else if (patient != NULL && r->models.n > 0)
		return count_shares(r, err);
	return 0;
}

int
rules_of_rows(struct rules *r, const struct study *s, size_t k,
    const struct rows *rows, const uint32_t *patient, struct err *err)
{
	double **own = calloc(s->n_columns + 1, sizeof(*own));
	int result = -1;

	*r = (struct rules){ 0 };
	for (size_t c = 0; own != NULL && c < s->n_columns; c++) {
		const double *raw = rows->columns[c].values;

		if (raw == NULL || !has_rule(&s->columns[c]))
			continue;
		if ((own[c] = malloc((rows->n + 1) * sizeof(**own))) == NULL)
			goto out;
		for (size_t i = 0; i < rows->n; i++)
			own[c][i] = s->columns[c].in_table
			    ? study_table_value(s, c, raw[i])
			    : raw[i];
	}
	if (own != NULL)
		result = 0;
out:
	result = result == -1 ? no_memory(err)
			      : rules_make(r, s, k, (const double *const *)own,
				    rows->n, patient, NULL, err);
	for (size_t c = 0; own != NULL && c < s->n_columns; c++) {
		if (own[c] != NULL)
			explicit_bzero(own[c], rows->n * sizeof(**own));
		free(own[c]);
	}
	free(own);
	return result;
}

/* Is a value known of each of several patients? */
static bool
tells(const struct rules *r, const struct model *o, size_t people,
    const uint32_t *counts)
{
	const struct model_column *c = &r->models.columns[o->sensitive];

	if (r->patient == NULL || o->kind >= MODEL_EQUAL || o->t <= 1)
		return false;
	for (size_t v = 0; v < c->n_values; v++)
		if (counts[c->at + v] == people)
			return true;
	return false;
}

static bool
class_holds(
    const struct rules *r, size_t rows, size_t people, const uint32_t *counts)
{
	const struct models *m = &r->models;

	if (people < m->k)
		return false;
	for (size_t i = 0; i < m->n; i++) {
		const struct model *o = &m->list[i];

		if (tells(r, o, people, counts) ||
		    !models_hold_one(m, o, size_of(r, o, rows, counts), counts))
			return false;
	}
	return true;
}

int
rules_check(const struct rules *r, const struct classes *c, const bool *gone,
    bool *fails, struct rules_sum *sum, double *worst, struct err *err)
{
	const struct models *m = &r->models;
	struct tally t;

	*sum = (struct rules_sum){ 0 };
	if (tally(r, c->n, c->of_row, gone, &t, err) == -1) {
		tally_free(&t);
		return -1;
	}
	for (size_t o = 0; worst != NULL && o < m->n; o++)
		worst[o] = NAN;
	for (size_t i = 0; i < c->n; i++) {
		const uint32_t *of = t.counts + i * m->n_counts;
		bool fail = !class_holds(r, t.rows[i], t.people[i], of);

		if (fails != NULL)
			fails[i] = fail;
		sum->rows += fail ? t.rows[i] : 0;
		sum->classes += fail ? 0 : 1;
		sum->people += fail ? 0 : t.people[i];
		for (size_t o = 0; worst != NULL && !fail && o < m->n; o++) {
			double v = models_value(m, &m->list[o],
			    size_of(r, &m->list[o], t.rows[i], of), of);

			if (isnan(worst[o]) ||
			    models_worse(&m->list[o], v, worst[o]))
				worst[o] = v;
		}
	}
	tally_free(&t);
	return 0;
}

void
rules_text(const struct rules *r, const struct model *o, char *out, size_t size)
{
	const char *title = r->study->columns[r->column[o->sensitive]].title;

	switch (o->kind) {
	case MODEL_DISTINCT:
		snprintf(out, size,
		    _("at least %1$zu different values of \"%2$s\""), o->l,
		    title);
		break;
	case MODEL_ENTROPY:
		snprintf(out, size,
		    _("values of \"%1$s\" as varied as %2$g equally common "
		      "ones"),
		    title, o->t);
		break;
	case MODEL_RECURSIVE:
		snprintf(out, size,
		    _("the commonest value of \"%1$s\" less than %2$g times as "
		      "common as all from number %3$zu on together"),
		    title, o->c, o->l);
		break;
	case MODEL_EQUAL:
		snprintf(out, size,
		    _("values of \"%1$s\" distributed as in the whole table, "
		      "but for a share of %2$g"),
		    title, o->t);
		break;
	case MODEL_ORDERED:
		snprintf(out, size,
		    _("values of \"%1$s\" distributed as in the whole table, "
		      "but for a share of %2$g, moved over the whole range"),
		    title, o->t);
		break;
	default:
		snprintf(out, size,
		    _("values of \"%1$s\" distributed as in the whole table, "
		      "but for a share of %2$g, moved over the whole "
		      "hierarchy"),
		    title, o->t);
	}
	words_fit(out);
}

#include "config.h"

#include "anonymize/rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "anonymize/hierarchy.h"
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

int
rules_make(struct rules *r, const struct study *s, size_t k,
    const double *const *values, size_t n_rows, const struct rules *whole,
    struct err *err)
{
	size_t n = s->n_columns + 1;

	*r = (struct rules){ .study = s, .n_rows = n_rows };
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
	return 0;
}

static uint32_t *
count_classes(const struct rules *r, const struct classes *c, struct err *err)
{
	const struct models *m = &r->models;
	uint32_t *counts;

	if (c->n > COUNTS_MAX / MAX(m->n_counts, 1)) {
		err_set(err, ERR_REFUSED,
		    "%zu classes with %zu sensitive values are too many to "
		    "count",
		    c->n, m->n_counts);
		return NULL;
	}
	counts = calloc(c->n * m->n_counts + 1, sizeof(*counts));
	if (counts == NULL) {
		no_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < m->n_columns; i++)
		for (size_t k = 0; k < c->n_rows; k++)
			counts[c->of_row[k] * m->n_counts + m->columns[i].at +
			    m->columns[i].code[k]]++;
	return counts;
}

int
rules_check(const struct rules *r, const struct classes *c, bool *fails,
    size_t *rows, double *worst, struct err *err)
{
	const struct models *m = &r->models;
	uint32_t *counts = count_classes(r, c, err);

	if (counts == NULL)
		return -1;
	*rows = 0;
	for (size_t o = 0; worst != NULL && o < m->n; o++)
		worst[o] = NAN;
	for (size_t i = 0; i < c->n; i++) {
		const uint32_t *of = counts + i * m->n_counts;
		bool fail = (c->people != NULL && c->people[i] < m->k) ||
		    !models_hold(m, c->size[i], of);

		if (fails != NULL)
			fails[i] = fail;
		*rows += fail ? c->size[i] : 0;
		for (size_t o = 0; worst != NULL && !fail && o < m->n; o++) {
			double v = models_value(m, &m->list[o], c->size[i], of);

			if (isnan(worst[o]) ||
			    models_worse(&m->list[o], v, worst[o]))
				worst[o] = v;
		}
	}
	free(counts);
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

/*
 * Who has each term: what rows contribute.  The layout is in model/step/few.h.
 */
#include "model/step/few.h"

#include <stdlib.h>
#include <string.h>

#include "model/data.h"
#include "model/work.h"

/* Adds the patients, each once, whose row is one that is counted. */
struct counter {
	const struct work *w;
	uint8_t *seen; /* (n_patients); or NULL: each row is a patient */
	double *patients, *sites;
};

static void
add(struct counter *c, size_t row, size_t at)
{
	if (c->seen != NULL) {
		uint8_t *seen = &c->seen[c->w->data->patient[row]];

		if (*seen != 0)
			return;
		*seen = 1;
	}
	c->patients[at] += 1.0;
	c->sites[at] = 1.0;
}

/* Of rows that are in no sum because they weigh nothing, nobody is counted. */
static bool
is_used(const struct work *w, size_t row)
{
	return !w->plan->spec.has_weights || w->data->weight[row] > 0.0;
}

/* From here on, who has been counted is counted again. */
static void
begin(struct counter *c)
{
	if (c->seen != NULL)
		memset(c->seen, 0, c->w->data->n_patients);
}

static void
count_term(struct counter *c, uint32_t k, int kind)
{
	const struct model_data *d = c->w->data;
	double base = few_base(c->w->plan, k, kind);

	begin(c);
	for (size_t i = 0; i < d->n_rows; i++)
		if (is_used(c->w, i) && d->x[i * d->n_terms + k] != base)
			add(c, i, (size_t)kind * d->n_terms + k);
}

/* Rows that have none of the terms k to end - 1. */
static void
count_none(struct counter *c, uint32_t k, uint32_t end)
{
	const struct model_data *d = c->w->data;

	begin(c);
	for (size_t i = 0; i < d->n_rows; i++) {
		const double *x = d->x + i * d->n_terms;
		bool any = false;

		for (uint32_t j = k; j < end; j++)
			any = any || x[j] != 0.0;
		if (is_used(c->w, i) && !any)
			add(c, i, FEW_NONE * d->n_terms + k);
	}
}

int
contribute_few(struct work *w)
{
	const struct model_data *d = w->data;
	size_t at = w->plan->next.n_groups - FEW_GROUPS;
	struct counter c = { .w = w,
		.patients = work_group(w, at + FEW_PATIENTS),
		.sites = work_group(w, at + FEW_SITES) };

	if (d->patient != NULL &&
	    (c.seen = calloc(d->n_patients + 1, 1)) == NULL)
		return -1;
	for (uint32_t k = 0, end; k < d->n_terms; k++) {
		for (int kind = FEW_ZERO; kind <= FEW_HIGH; kind++)
			count_term(&c, k, kind);
		if (few_effect(w->plan, k) != k)
			continue;
		for (end = k + 1;
		     end < d->n_terms && few_effect(w->plan, end) == k;)
			end++;
		count_none(&c, k, end);
	}
	free(c.seen);
	return 0;
}

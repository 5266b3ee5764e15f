#include "model/risk_sets.h"

#include <math.h>
#include <stdlib.h>

#include "common/macros.h"
#include "model/data.h"
#include "model/step/partial.h"

bool
by_site(const struct work *w)
{
	return w->plan->spec.strata == STRATA_SITE;
}

void
by_interval_free(struct by_interval *by)
{
	free(by->order);
	free(by->first);
	free(by->n);
}

int
by_interval_make(
    const struct work *w, const int32_t *intervals, struct by_interval *by)
{
	size_t n = (size_t)w->grid->n + 1, at = 0;
	bool together = true;

	*by = (struct by_interval){ .first = calloc(n, sizeof(*by->first)),
		.n = calloc(n, sizeof(*by->n)) };
	if (by->first == NULL || by->n == NULL)
		return -1;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		int32_t g = intervals[i];

		if (g < 0)
			continue;
		if (by->n[g] == 0)
			by->first[g] = i;
		together &= i == by->first[g] + by->n[g]++;
	}
	if (together)
		return 0;
	by->order =
	    calloc(w->data->n_rows + FETCH_AHEAD + 1, sizeof(*by->order));
	if (by->order == NULL)
		return -1;
	for (size_t g = 0; g + 1 < n; g++) {
		by->first[g] = at;
		at += by->n[g];
		by->n[g] = 0;
	}
	for (size_t i = 0; i < w->data->n_rows; i++) {
		int32_t g = intervals[i];

		if (g >= 0)
			by->order[by->first[g] + by->n[g]++] = (uint32_t)i;
	}
	return 0;
}

size_t
by_interval_row(const struct by_interval *by, size_t g, size_t k)
{
	size_t at = by->first[g] + k;

	return by->order == NULL ? at : by->order[at];
}

void
pass_end(struct pass *s)
{
	by_interval_free(&s->by);
	by_interval_free(&s->entering);
	for (size_t k = 0; k < nitems(s->sides); k++) {
		gram_free(s->sides[k].gram);
		free(s->sides[k].z);
	}
}

int
pass_begin(struct pass *s, struct work *w)
{
	*s = (struct pass){ .w = w };
	for (size_t k = 0; k < nitems(s->sides); k++) {
		struct side *side = &s->sides[k];

		side->gram = gram_new(w->n_active);
		side->z = calloc(
		    GRAM_ROWS * (size_t)w->n_active + 1, sizeof(*side->z));
		if (side->gram == NULL || side->z == NULL)
			return -1;
	}
	if (w->slot != NULL && by_interval_make(w, w->slot, &s->entering) == -1)
		return -1;
	return by_interval_make(w, w->interval, &s->by);
}

/* Add the rows that wait, with weights exp(eta); 0 beyond the cap. */
static void
flush(struct pass *s, struct side *side)
{
	const struct work *w = s->w;
	bool capped = !by_site(w);
	double root[GRAM_ROWS];

	for (size_t k = 0; k < side->n; k++) {
		double eta = side->eta[k];

		if (w->plan->spec.has_offset)
			eta += w->data->offset[side->rows[k]];
		if (capped && fabs(eta) > ETA_CAP) {
			s->beyond += 1.0;
			root[k] = 0.0;
		} else
			root[k] = exp(0.5 * (eta - s->shift));
	}
	gram_add_rows(side->gram, side->z, root, side->n);
	side->n = 0;
}

void
pass_sum(struct pass *s, const struct by_interval *by, size_t g, bool by_event)
{
	const struct work *w = s->w;

	for (size_t k = 0; k < nitems(s->sides); k++)
		gram_clear(s->sides[k].gram);
	for (size_t k = 0; k < by->n[g]; k++) {
		size_t i = by_interval_row(by, g, k);
		struct side *side =
		    &s->sides[by_event ? w->data->event[i] : CENSORED];

		work_fetch(w, by_interval_row(by, g, k + FETCH_AHEAD));
		side->eta[side->n] =
		    work_z(w, i, side->z + side->n * w->n_active);
		side->rows[side->n++] = i;
		if (side->n == GRAM_ROWS)
			flush(s, side);
	}
	for (size_t k = 0; k < nitems(s->sides); k++)
		flush(s, &s->sides[k]);
}

/* Take the sum over who enters at a slot away from all who are there. */
static void
take_away(struct pass *s, size_t slot, long double *total, double *sums)
{
	if (s->w->slot == NULL)
		return;
	pass_sum(s, &s->entering, slot, false);
	gram_take(s->sides[CENSORED].gram, sums, 1);
	for (size_t k = 0; k < PARTIAL_SUMS(s->w->n_active); k++)
		total[k] -= sums[k];
}

int
pass_own(struct pass *s, own_fn fn, void *arg)
{
	const struct work *w = s->w;
	size_t n = PARTIAL_SUMS(w->n_active);
	long double *total = calloc(n, sizeof(*total));
	double *S = calloc(n, sizeof(*S)), *E = calloc(n, sizeof(*E));
	int ret = -1;

	if (total == NULL || S == NULL || E == NULL)
		goto out;
	/* exp() of large predictors: only their differences matter. */
	s->shift = -HUGE_VAL;
	for (size_t i = 0; i < w->data->n_rows; i++)
		s->shift = fmax(s->shift, w->score[i]);
	if (w->grid->n > 0) /* who enters no risk set */
		take_away(s, 0, total, S);
	for (size_t g = w->grid->n; g-- > 0;) {
		pass_sum(s, &s->by, g, true);
		gram_take(s->sides[CENSORED].gram, S, 1);
		gram_take(s->sides[EVENTS].gram, E, 1);
		for (size_t k = 0; k < n; k++)
			S[k] = (double)(total[k] += S[k] + E[k]);
		fn(arg, g, S, E);
		if (g > 0)
			take_away(s, g, total, S);
	}
	ret = 0;
out:
	free(total);
	free(S);
	free(E);
	return ret;
}

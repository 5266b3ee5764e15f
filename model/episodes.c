/*
 * Delayed entry: rows of a patient, each observed from its entry to its time.
 */
#include <stdlib.h>
#include <string.h>

#include "model/data.h"
#include "model/risk_sets.h"

/* A row where it stands in its patient's history. */
struct place {
	uint32_t patient, stratum, time, row;
};

static int
compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->patient != y->patient)
		return x->patient < y->patient ? -1 : 1;
	if (x->stratum != y->stratum)
		return x->stratum < y->stratum ? -1 : 1;
	return (x->time > y->time) - (x->time < y->time);
}

static bool
is_unchanged(const struct model_data *d, size_t i, size_t j)
{
	size_t n = d->n_terms;

	return (d->offset == NULL || d->offset[i] == d->offset[j]) &&
	    memcmp(d->x + i * n, d->x + j * n, n * sizeof(*d->x)) == 0;
}

/*
 * Row `to` begins when `from` ends.  If nothing has changed they are one row:
 * else their difference would be a sum over nobody or over the few who change.
 */
static void
join(struct work *w, uint32_t from, uint32_t to)
{
	if (w->data->event[from] == 0 && is_unchanged(w->data, from, to)) {
		w->entry[to] = w->entry[from];
		w->episode[to] = w->episode[from];
		w->episode[from] = EPISODE_JOINED;
	} else
		w->episode[to] |= EPISODE_CONTINUES;
}

int
episodes_make(struct work *w)
{
	const struct model_data *d = w->data;
	size_t n = d->n_rows;
	struct place *places;

	w->entry = calloc(n + 1, sizeof(*w->entry));
	w->episode = calloc(n + 1, sizeof(*w->episode));
	w->slot = calloc(n + 1, sizeof(*w->slot));
	if (w->entry == NULL || w->episode == NULL || w->slot == NULL)
		return -1;
	memcpy(w->entry, d->entry, n * sizeof(*w->entry));
	if (d->patient == NULL)
		return 0;
	if ((places = calloc(n + 1, sizeof(*places))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){ .patient = d->patient[i],
			.stratum = stratum_of(w, i),
			.time = d->time_index[i],
			.row = (uint32_t)i };
	qsort(places, n, sizeof(*places), compare_places);
	for (size_t k = 1; k < n; k++) {
		const struct place *a = &places[k - 1], *b = &places[k];

		if (a->patient == b->patient && a->stratum == b->stratum &&
		    a->time == d->entry[b->row])
			join(w, a->row, b->row);
	}
	free(places);
	return 0;
}

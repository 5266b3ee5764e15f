/*
 * Terms that vary with time: a row becomes one for each stretch between two
 * cuts, each a row of the same patient that continues the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "model/data.h"
#include "study/study.h"
#include "study/table.h"

/* A row's stretch: (from, to] of the grid, in piece number piece. */
struct stretch {
	uint32_t from, to;
	size_t piece;
};

static bool
next_stretch(const struct study_model *m, const uint32_t *cuts, uint32_t end,
    struct stretch *s)
{
	if (s->to == end)
		return false;
	s->from = s->to;
	s->piece = 0;
	while (s->piece < m->n_cuts && cuts[s->piece] <= s->from)
		s->piece++;
	s->to = s->piece < m->n_cuts ? MIN(cuts[s->piece], end) : end;
	return true;
}

static void
give(const struct study *s, const struct model_data *from, size_t i,
    const struct stretch *v, bool last, struct model_data *to)
{
	size_t at = to->n_rows++, n = from->n_terms;

	for (size_t k = 0; k < n; k++) {
		size_t piece = s->terms[k].piece;

		to->x[at * n + k] =
		    piece == 0 || piece == v->piece ? from->x[i * n + k] : 0.0;
	}
	to->event[at] = last ? from->event[i] : 0;
	to->entry[at] = v->from;
	to->time_index[at] = v->to;
	to->patient[at] =
	    from->patient != NULL ? from->patient[i] : (uint32_t)i;
	if (from->stratum != NULL)
		to->stratum[at] = from->stratum[i];
	if (from->offset != NULL)
		to->offset[at] = from->offset[i];
}

static int
allocate(const struct model_data *from, size_t n, struct model_data *to)
{
	*to = (struct model_data){
		.n_terms = from->n_terms,
		.n_patients =
		    from->patient != NULL ? from->n_patients : from->n_rows,
		.x = calloc(n * from->n_terms + 1, sizeof(*to->x)),
		.event = calloc(n + 1, sizeof(*to->event)),
		.entry = calloc(n + 1, sizeof(*to->entry)),
		.time_index = calloc(n + 1, sizeof(*to->time_index)),
		.patient = calloc(n + 1, sizeof(*to->patient)),
	};
	if (from->stratum != NULL)
		to->stratum = calloc(n + 1, sizeof(*to->stratum));
	if (from->offset != NULL)
		to->offset = calloc(n + 1, sizeof(*to->offset));
	return to->x == NULL || to->event == NULL || to->entry == NULL ||
		to->time_index == NULL || to->patient == NULL ||
		(from->stratum != NULL && to->stratum == NULL) ||
		(from->offset != NULL && to->offset == NULL)
	    ? -1
	    : 0;
}

int
table_split(const struct study *s, struct model_data *d)
{
	const struct study_model *m = &s->model;
	/* Without an entry all enter at a point before the first time. */
	uint32_t shift = d->entry == NULL, cuts[STUDY_CUTS_MAX];
	struct model_data to = { 0 };
	size_t n = 0;

	for (size_t k = 0; k < m->n_cuts; k++)
		cuts[k] = (uint32_t)study_time_index(s, m->cuts[k]) + shift;
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1 && allocate(d, n, &to) == -1) {
			table_design_free(&to);
			return -1;
		}
		for (size_t i = 0; i < d->n_rows; i++) {
			uint32_t end = d->time_index[i] + shift;
			struct stretch v = { .to =
						 shift == 1 ? 0 : d->entry[i] };

			while (next_stretch(m, cuts, end, &v)) {
				n += pass == 0;
				if (pass == 1)
					give(s, d, i, &v, v.to == end, &to);
			}
		}
	}
	table_design_free(d);
	*d = to;
	return 0;
}

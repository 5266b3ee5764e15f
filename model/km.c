/*
 * Kaplan-Meier: what rows contribute.  The layouts are in model/step/km.c.
 */
#include "model/data.h"
#include "model/work.h"

static uint32_t
cell_of(const struct work *w, size_t row)
{
	return w->data->stratum == NULL ? 0 : w->data->stratum[row];
}

static int
counts(struct work *w)
{
	double *leavers = work_group(w, 0), *events = work_group(w, 1);

	for (size_t i = 0; i < w->data->n_rows; i++) {
		leavers[cell_of(w, i)] += 1.0;
		events[cell_of(w, i)] += w->data->event[i];
	}
	return 0;
}

static int
times(struct work *w)
{
	double *leavers = work_group(w, 0), *events = work_group(w, 1);
	uint32_t kept = 0, n_times = w->plan->spec.n_times;

	for (uint32_t c = 0; c < plan_cells(w->plan); c++) {
		size_t first = (size_t)kept * n_times;

		if (!plan_cell_kept(w->plan, c))
			continue;
		kept++;
		for (size_t i = 0; i < w->data->n_rows; i++) {
			if (cell_of(w, i) != c)
				continue;
			leavers[first + w->data->time_index[i]] += 1.0;
			events[first + w->data->time_index[i]] +=
			    w->data->event[i];
		}
	}
	return 0;
}

/* Only numbers of patients are summed: there are no intervals yet. */
const struct contribute_kind contribute_km = {
	.rounds = { [PHASE_COUNTS] = counts, [PHASE_TIMES] = times },
};

/*
 * Kaplan-Meier and cumulative incidence: what rows contribute.  The layouts are in model/step/km.c.
 */
#include "model/data.h"
#include "model/work.h"

static uint32_t
cell_of(const struct work *w, size_t row)
{
	return w->data->stratum == NULL ? 0 : w->data->stratum[row];
}

/* Number at of the leavers, and of the cause of who has an event. */
static void
count_row(struct work *w, size_t row, size_t at)
{
	work_group(w, 0)[at] += 1.0;
	if (w->data->event[row] > 0)
		work_group(w, w->data->event[row])[at] += 1.0;
}

static int
counts(struct work *w)
{
	double *site = work_group(w, plan_width(w->plan));

	for (size_t i = 0; i < w->data->n_rows; i++) {
		count_row(w, i, cell_of(w, i));
		site[cell_of(w, i)] = 1.0;
	}
	return 0;
}

static int
times(struct work *w)
{
	uint32_t kept = 0, n_times = w->plan->spec.n_times;

	for (uint32_t c = 0; c < plan_cells(w->plan); c++) {
		size_t first = (size_t)kept * n_times;

		if (!plan_cell_kept(w->plan, c))
			continue;
		kept++;
		for (size_t i = 0; i < w->data->n_rows; i++) {
			if (cell_of(w, i) == c)
				count_row(w, i, first + w->data->time_index[i]);
		}
	}
	return 0;
}

/* Only numbers of patients are summed: there are no intervals yet. */
const struct contribute_kind contribute_km = {
	.rounds = { [PHASE_COUNTS] = counts, [PHASE_TIMES] = times },
};

const struct contribute_kind contribute_cuminc = {
	.rounds = { [PHASE_COUNTS] = counts, [PHASE_TIMES] = times },
};

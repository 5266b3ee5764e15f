/* Who could take part: what rows contribute to model/step/feasibility.c. */
#include <math.h>

#include "model/data.h"
#include "model/work.h"

static const char *
check_row(const struct work *w, size_t row)
{
	(void)row;
	return w->data->variables == NULL
	    ? "the table does not have the columns"
	    : NULL;
}

static int
counts(struct work *w)
{
	uint32_t n = w->plan->spec.n_variables;
	double *who = work_group(w, 0), *site = work_group(w, 1);
	double *missing = work_group(w, 2);

	for (size_t i = 0; i < w->data->n_rows; i++) {
		const double *x = w->data->variables + i * n;
		bool complete = true;

		for (uint32_t v = 0; v < n; v++) {
			missing[v] += isnan(x[v]);
			complete = complete && !isnan(x[v]);
		}
		if (!complete)
			continue;
		who[0] += 1.0;
		who[1] += w->data->event[i];
		*site = 1.0;
	}
	return 0;
}

const struct contribute_kind contribute_feasibility = {
	.check_row = check_row,
	.rounds = { [PHASE_COUNTS] = counts },
};

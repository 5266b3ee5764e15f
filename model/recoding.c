/* One recoding for all sites: a site's table of counts, item by item. */
#include "model/data.h"
#include "model/work.h"

/* The table is in the order of its values: each item is there once. */
static const char *
check_row(const struct work *w, size_t row)
{
	const struct model_data *d = w->data;

	if (d->variables == NULL || d->n_rows != w->plan->spec.n_items)
		return "there are not as many as there are items";
	if (d->variables[2 * row] != (double)row)
		return "the items are not 0, 1, 2, ...";
	return NULL;
}

static int
counts(struct work *w)
{
	double *item = work_group(w, 0);

	for (size_t i = 0; i < w->data->n_rows; i++)
		item[i] = w->data->variables[2 * i + 1];
	return 0;
}

const struct contribute_kind contribute_recoding = {
	.check_row = check_row,
	.rounds = { [PHASE_COUNTS] = counts },
};

/*
 * One recoding for all sites: the deterministic half.  The sites' anonymizers
 * have counted (anonymize/recoding.h); here their counts are summed, item by
 * item, and the ones that are about too few patients forgotten.  The trainer's
 * half is model/recoding.c.
 */
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/kind.h"

static void
counts_layout(const struct plan *p, struct layout *l)
{
	layout_counts(l, p->spec.n_items, MODEL_ITEM_MAX);
}

/* Some, but too few, become as many as may be known. */
static int
counts_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = &p->next.groups[0];

	p->n = sum[0];
	free(p->cells);
	p->n_cells = p->spec.n_items;
	if ((p->cells = calloc(p->n_cells, sizeof(*p->cells))) == NULL)
		return -1;
	for (size_t i = 0; i < p->n_cells; i++) {
		uint64_t n = sum_count(g, sum, i);

		p->cells[i] = n == 0 ? 0 : MAX(n, p->spec.risk_set_step);
	}
	plan_end(p, FIT_OK);
	return 0;
}

static size_t
n_cells(const struct plan *p)
{
	return p->spec.n_items;
}

static bool
cells_are_sane(const struct plan *p)
{
	for (size_t i = 0; i < p->n_cells; i++)
		if (p->cells[i] > MODEL_SITES_MAX * MODEL_ITEM_MAX)
			return false;
	return true;
}

static int
check(const struct model_spec *s, struct err *err)
{
	if (s->n_items < 1 || s->n_items > MODEL_ITEMS_MAX)
		return err_set(err, ERR_CONFIG, "%u items, expected 1 to %u",
		    s->n_items, MODEL_ITEMS_MAX);
	if (s->n_items > s->rows_per_site)
		return err_set(err, ERR_CONFIG,
		    "%u items, more than the study's rows per site (%u)",
		    s->n_items, s->rows_per_site);
	return 0;
}

const struct plan_kind plan_recoding = {
	.name = "recoding",
	.has_groups = true,
	.check = check,
	.rounds = { [PHASE_COUNTS] = { "counts", counts_layout, counts_step } },
	.n_cells = n_cells,
	.cells_are_sane = cells_are_sane,
};

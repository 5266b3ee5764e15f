/*
 * How many patients could take part in a study: the deterministic half.  The
 * trainer's half is model/feasibility.c.
 */
#include "model/step/feasibility.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/kind.h"

static size_t
n_cells(const struct plan *p)
{
	return FEASIBILITY_MISSING + p->spec.n_variables;
}

/* Complete, events, whether there is a complete row, missing by column. */
static void
counts_layout(const struct plan *p, struct layout *l)
{
	uint64_t rows = p->spec.rows_per_site;

	layout_counts(l, 2, rows);
	layout_counts(l, 1, 1);
	layout_counts(l, p->spec.n_variables, rows);
}

/* A part of a whole: may both it and the rest be shown? */
static bool
may_show(const struct plan *p, uint64_t part, uint64_t whole)
{
	uint64_t rest = whole - part, least = p->spec.risk_set_step;

	return (part == 0 || part >= least) && (rest == 0 || rest >= least);
}

/*
 * Whoever is not complete lacks some column: if the columns that are shown do
 * not account for them, the others do, and each of these has at least 1.
 */
static bool
gives_away(const uint64_t *missing, size_t n, uint64_t incomplete)
{
	uint64_t shown = 0, hidden = 0;

	for (size_t i = 0; i < n; i++) {
		if (missing[i] == FEASIBILITY_HIDDEN)
			hidden++;
		else
			shown += missing[i];
	}
	return hidden > 0 && incomplete > shown + hidden;
}

static int
counts_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	size_t n = p->spec.n_variables;
	uint64_t *c, *missing;

	free(p->cells);
	p->n_cells = n_cells(p);
	if ((c = p->cells = calloc(p->n_cells, sizeof(*p->cells))) == NULL)
		return -1;
	missing = c + FEASIBILITY_MISSING;
	p->n = c[FEASIBILITY_N] = sum[0];
	c[FEASIBILITY_COMPLETE] = sum_count(&g[0], sum, 0);
	c[FEASIBILITY_EVENTS] = sum_count(&g[0], sum, 1);
	c[FEASIBILITY_SITES_WITH] = sum_count(&g[1], sum, 0);
	if (c[FEASIBILITY_COMPLETE] > p->n ||
	    c[FEASIBILITY_EVENTS] > c[FEASIBILITY_COMPLETE])
		return 1;
	for (size_t i = 0; i < n; i++) {
		missing[i] = sum_count(&g[2], sum, i);
		if (missing[i] > p->n - c[FEASIBILITY_COMPLETE])
			return 1;
		if (!may_show(p, missing[i], p->n))
			missing[i] = FEASIBILITY_HIDDEN;
	}
	if (!may_show(p, c[FEASIBILITY_EVENTS], c[FEASIBILITY_COMPLETE]))
		c[FEASIBILITY_EVENTS] = FEASIBILITY_HIDDEN;
	if (!may_show(p, c[FEASIBILITY_COMPLETE], p->n) ||
	    c[FEASIBILITY_SITES_WITH] < PLAN_SITES ||
	    gives_away(missing, n, p->n - c[FEASIBILITY_COMPLETE]))
		c[FEASIBILITY_COMPLETE] = c[FEASIBILITY_EVENTS] =
		    FEASIBILITY_HIDDEN;
	if (p->n >= p->spec.risk_set_step) {
		plan_end(p, FIT_OK);
		return 0;
	}
	for (size_t i = FEASIBILITY_COMPLETE; i < p->n_cells; i++)
		c[i] = FEASIBILITY_HIDDEN;
	plan_end(p, FIT_TOO_FEW);
	return 0;
}

static bool
cells_are_sane(const struct plan *p)
{
	for (size_t i = 0; i < p->n_cells; i++)
		if (p->cells[i] != FEASIBILITY_HIDDEN && p->cells[i] > p->n &&
		    i != FEASIBILITY_SITES_WITH)
			return false;
	return p->cells[FEASIBILITY_N] == p->n;
}

static int
check(const struct model_spec *s, struct err *err)
{
	if (s->n_variables < 1 || s->n_variables > MODEL_TERMS_MAX)
		return err_set(err, ERR_CONFIG, "%u columns, expected 1 to %d",
		    s->n_variables, MODEL_TERMS_MAX);
	return 0;
}

const struct plan_kind plan_feasibility = {
	.name = "feasibility",
	.has_groups = true,
	.check = check,
	.rounds = { [PHASE_COUNTS] = { "counts", counts_layout, counts_step } },
	.n_cells = n_cells,
	.cells_are_sane = cells_are_sane,
};

#include "model/step/robust.h"

#include <stdlib.h>

#include "common/macros.h"

/* More than this of one patient, all at the largest residual, are refused. */
#define PATIENT_ROWS 1024.0

void
robust_layout(const struct plan *p, struct layout *l, double most)
{
	uint32_t active[MODEL_TERMS_MAX];
	uint32_t n = plan_active(p, active) + 1;
	double rows = p->spec.rows_per_site, u;

	/* All rows of a site are of one cluster, or PATIENT_ROWS of each. */
	u = p->spec.robust == ROBUST_SITE
	    ? rows * most
	    : num_sqrt(rows * MIN(rows, PATIENT_ROWS)) * most;
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++)
			layout_reals(l, 1,
			    num_bits(u * plan_reach(p, active, i)) +
				num_bits(u * plan_reach(p, active, j)) + 1);
	}
	robust_clusters_layout(p, l);
}

void
robust_clusters_layout(const struct plan *p, struct layout *l)
{
	if (p->spec.robust == ROBUST_PATIENT)
		layout_counts(l, 1, p->spec.rows_per_site);
}

double
robust_clusters(
    const struct plan *p, const struct group *g, const uint64_t *sum)
{
	if (p->spec.robust == ROBUST_PATIENT)
		return (double)sum_count(g, sum, 0);
	return p->spec.n_sites;
}

bool
robust_may_be_clusters(const struct plan *p, double n)
{
	return n >= 0.0 && n <= (double)MAX(p->n, (uint64_t)p->spec.n_sites);
}

int
robust_step(struct plan *p, const uint64_t *sum)
{
	size_t n = PACKED(plan_parameters(p));

	free(p->reals);
	p->n_reals = 0;
	if ((p->reals = calloc(1 + n, sizeof(*p->reals))) == NULL)
		return -1;
	p->n_reals = 1 + n;
	p->reals[0] = robust_clusters(p, &p->next.groups[n], sum);
	for (size_t k = 0; k < n; k++)
		p->reals[1 + k] = sum_real(&p->next.groups[k], sum, 0);
	return 0;
}

void
robust_counts_layout(const struct plan *p, struct layout *l)
{
	if (p->spec.robust == ROBUST_SITE)
		layout_counts(l, 1, 1);
}

bool
robust_counted(struct plan *p, const struct group *g, const uint64_t *sum)
{
	if (p->spec.robust == ROBUST_SITE &&
	    sum_count(g, sum, 0) < MODEL_CLUSTERS_MIN)
		plan_end(p, FIT_FEW_SITES);
	return p->phase == PHASE_DONE;
}

const double *
robust_meat(const struct plan *p)
{
	return p->n_reals > 0 ? p->reals : NULL;
}

bool
robust_is_sane(const struct plan *p)
{
	bool summed = p->phase == PHASE_SCORES || p->phase == PHASE_PAIRS ||
	    (p->phase == PHASE_DONE && p->n_reals > 0);

	if (p->n_cells != 0)
		return false;
	if (p->spec.robust == ROBUST_NO || !summed)
		return p->n_reals == 0;
	return p->n_reals == 1 + PACKED(plan_parameters(p)) &&
	    robust_may_be_clusters(p, p->reals[0]);
}

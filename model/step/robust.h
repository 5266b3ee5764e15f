/*
 * Robust standard errors of models with an intercept: one round over residuals
 * at the point of the last accepted sums, where no row is beyond its bound.
 * What is summed is U U', U the sum of the scores r z of a cluster: of a patient,
 * or of a site (docs/DISCLOSURE.md: then at least MODEL_CLUSTERS_MIN of them).
 */
#ifndef MODEL_STEP_ROBUST_H
#define MODEL_STEP_ROBUST_H

#include "model/step/kind.h"

/* most: the largest |r| of a row at plan->base, its weight included. */
void robust_layout(const struct plan *p, struct layout *l, double most);
/* Keeps the sum; 0, or -1: no memory. */
int robust_step(struct plan *p, const uint64_t *sum);

/*
 * Behind the sums, by patient: how many have rows that are used.  g: that group
 * of the layout; by site, whose number the study says, there is none.
 */
void robust_clusters_layout(const struct plan *p, struct layout *l);
double robust_clusters(
    const struct plan *p, const struct group *g, const uint64_t *sum);
bool robust_may_be_clusters(const struct plan *p, double n);

/* By site: how many sites have at least risk_set_step rows that are used; one
   group at the end of the round of counts. */
void robust_counts_layout(const struct plan *p, struct layout *l);
/* g: that group.  True if the plan ended, as there are too few. */
bool robust_counted(struct plan *p, const struct group *g, const uint64_t *sum);

/* For the kind's entry. */
const double *robust_meat(const struct plan *p);
bool robust_is_sane(const struct plan *p);

#define ROBUST_ENTRY .meat = robust_meat, .cells_are_sane = robust_is_sane

#endif

/*
 * Cox: what the state keeps of the risk sets, in plan->reals, for what is asked
 * of a fit beside its coefficients: robust standard errors, the test of
 * proportional hazards, the baseline hazard.
 *
 * With strata = site the risk sets are known to their sites alone: then only
 * sums over sites are kept.
 */
#ifndef MODEL_STEP_HAZARD_H
#define MODEL_STEP_HAZARD_H

#include "model/step/kind.h"

/* The functions of time that coefficients are tested against, as in R. */
enum hazard_transform {
	HAZARD_KM, /* 1 - S just before t, of all patients */
	HAZARD_RANK, /* of t among the times of all patients */
	HAZARD_IDENTITY,
	HAZARD_LOG,
	HAZARD_TRANSFORMS,
};

/* Where the numbers are; n: how many there are. */
struct hazard_reals {
	/* (2, grid.n) HAZARD_KM and HAZARD_RANK of each interval's start */
	size_t times;
	/* From here on: once Newton has converged. */
	/* (grid.n, 2, 1 + n_terms) S0, S1 of a risk set, E0, E1 of its events */
	size_t risk;
	/*
	 * For each transform g: 1 if there is such a test, else 0; the sums
	 * over events of g (z - m) (n_terms); of g V and of g^2 V, packed.
	 */
	size_t tests;
	size_t meat; /* clusters; packed: the sum of their U U' */
	size_t n;
};

struct hazard_reals hazard_reals(const struct plan *p, bool converged);
/* Where the numbers of a transform are. */
size_t hazard_test_at(
    const struct plan *p, const struct hazard_reals *at, size_t transform);

/* Does anything need them? */
bool hazard_is_kept(const struct plan *p);
/* Does something need the residuals of patients? */
bool hazard_has_residuals(const struct plan *p);
/* n_cells and n_reals are what they can be. */
bool hazard_is_sane(const struct plan *p);

/*
 * After the grid is made, from the same counts: the transforms of its
 * intervals.  -1: no memory.
 */
int hazard_start(struct plan *p, const struct grid_counts *c);
/* Room for what is kept after convergence, all 0.  -1: no memory. */
int hazard_converged(struct plan *p);
/* A risk set at convergence: its sums S, and E if they differ from 0. */
void hazard_keep(
    struct plan *p, uint32_t interval, const double *S, const double *E);

/*
 * A transform of the time of index `start`, the first of an interval of the
 * plan's grid (by site: of the site's own, and only HAZARD_IDENTITY and
 * HAZARD_LOG); -1 if there is none, else 0 to 1.
 */
double hazard_transform(
    const struct plan *p, size_t transform, uint32_t interval, uint32_t start);

/* Are there tests of this transform? */
bool hazard_tests(const struct plan *p, size_t transform);

/* The round of residuals: see hazard.c. */
void hazard_layout(const struct plan *p, struct layout *l);
int hazard_step(struct plan *p, const uint64_t *sum);

#endif

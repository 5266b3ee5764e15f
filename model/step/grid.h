/*
 * The grid of times of a Cox model: which risk sets there are.
 *
 * An interval begins at a time with an event and lasts until the next
 * interval; its risk set is everybody who leaves (event or censored) in it or
 * later in the same stratum.  Events within an interval count as tied.  Who
 * leaves before the first interval is in no risk set.
 *
 * With a smallest step s, neighbouring times are merged, from the last time
 * backwards, until at least s patients leave in each interval, and with
 * Efron's ties at least s of them by an event and either none or at least s
 * censored; so that every sum over leavers, over events, and every difference
 * of these is over no patient or at least s.  s = 1 merges nothing but
 * censored times, which changes nothing.  A stratum with events for which no
 * merging is enough is left out as a whole.
 */
#ifndef MODEL_STEP_GRID_H
#define MODEL_STEP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grid_interval {
	uint32_t stratum;
	uint32_t start; /* time index */
	uint64_t leavers, events;
};

struct grid {
	struct grid_interval *intervals; /* by stratum, then by time */
	uint32_t n;
	uint32_t step; /* that made it; 0: no grid */
	uint64_t n_used; /* rows in some risk set */
	uint64_t n_out; /* rows in strata that were left out */
	uint32_t strata_out;
};

/*
 * leavers and events: (n_strata, n_times), row by row.  Returns -1 when there
 * is no memory.  *grid must be empty (all zeros) before.
 */
int grid_make(struct grid *grid, const uint64_t *leavers,
    const uint64_t *events, uint32_t n_strata, uint32_t n_times, uint32_t step,
    bool efron);
void grid_free(struct grid *grid);

/* The interval of a row, or -1 if it is in no risk set. */
int64_t grid_find(const struct grid *grid, uint32_t stratum, uint32_t time);

/* Intervals with two events or more: where Efron differs from Breslow. */
uint32_t grid_tied(const struct grid *grid);

#endif

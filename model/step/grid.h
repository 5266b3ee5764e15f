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
 * merging is enough is left out as a whole, and so is one that is said to be.
 *
 * Delayed entry: a row that is observed from its entry (exclusive) on enters
 * the interval with the first event after it; one that enters after the last
 * event of its stratum is in no risk set: it leaves and enters beyond it.  A
 * row that continues another one of the same patient does not bring a new
 * patient, and the other does not take one away.  Then, in each interval, who
 * enters, who enters or leaves for good, and who only continues are none or at
 * least s each too, and at least s are at risk.
 */
#ifndef MODEL_STEP_GRID_H
#define MODEL_STEP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grid_interval {
	uint32_t stratum;
	uint32_t start; /* time index of its first event */
	uint64_t leavers, events;
	/* Delayed entry, else 0. */
	/* Of its last event; GRID_NEVER: who enters even later enters it. */
	uint32_t last;
	uint64_t at_risk;
};

#define GRID_NEVER UINT32_MAX

struct grid {
	struct grid_interval *intervals; /* by stratum, then by time */
	uint32_t n;
	uint32_t step; /* that made it; 0: no grid */
	uint64_t n_used; /* rows in some risk set */
	uint64_t n_out; /* rows in strata that were left out */
	uint32_t strata_out;
};

/* Rows by the time at which something happens: (n_strata, n_times) each. */
struct grid_counts {
	uint32_t n_strata, n_times;
	const uint64_t *leavers, *events;
	/* Delayed entry, else NULL; and those among them who continue a row
	   that leaves then. */
	const uint64_t *entries, *continued;
	/* (n_strata) those that are left out whatever they hold; NULL: none. */
	const bool *out;
};

/*
 * Returns -1 when there is no memory.  *grid must be empty (all zeros) before.
 */
int grid_make(struct grid *grid, const struct grid_counts *counts,
    uint32_t step, bool efron);
void grid_free(struct grid *grid);

/* The interval of a row, or -1 if it is in no risk set. */
int64_t grid_find(const struct grid *grid, uint32_t stratum, uint32_t time);

/*
 * Where a row's entry is summed: at the interval that it enters; at the
 * stratum's first one if it comes after the last event.  -1: nowhere, for it
 * is there from the first interval on.
 */
int64_t grid_slot(const struct grid *grid, uint32_t stratum, uint32_t entry);

/* Intervals with two events or more: where Efron differs from Breslow. */
uint32_t grid_tied(const struct grid *grid);

/* Is it the first, or the last, of its stratum? */
bool grid_is_first(const struct grid *grid, size_t interval);
bool grid_is_last(const struct grid *grid, size_t interval);

#endif

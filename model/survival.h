/*
 * Survival by groups, from the counts of a finished plan of kind km: what
 * result.json and result.txt have of it.  A group's risk set at an interval is
 * everybody of it who leaves then or later, in all strata; strata matter to the
 * log-rank test alone.
 */
#ifndef MODEL_SURVIVAL_H
#define MODEL_SURVIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/spec.h"

struct canon;
struct err;
struct json;
struct plan;
struct result;

/* One interval of one group.  NAN where there is no such number. */
struct survival_point {
	double time; /* where the interval begins */
	uint64_t at_risk, events, censored; /* until the next one */
	double survival, se, low, high; /* 95%, by spec.bounds */
	double band_low, band_high; /* of spec.band; NAN: none */
	double hazard, hazard_se; /* Nelson-Aalen */
	double hazard_low, hazard_high; /* 95%, by spec.bounds */
};

struct survival_group {
	bool kept; /* else it is too small, and all else is 0 */
	uint64_t n, n_events;
	size_t n_points;
	struct survival_point *points; /* intervals with an event */
	double median, median_low, median_high; /* NAN: not reached */
	double rmst, rmst_se; /* NAN if the study asks for none */
	double band; /* critical value of the band; NAN: none */
	/* Of the tests. */
	double observed[2], expected[2];
};

/* Harrington and Fleming's; rho = 0 is the log-rank test; then spec.rho's. */
struct survival_test {
	bool there; /* two groups or more that can be compared */
	double chi2, p;
	unsigned df;
};

struct survival {
	size_t n_groups;
	struct survival_group group[MODEL_TERMS_MAX];
	struct survival_test test[2];
};

/* The plan must be done.  NULL with ERR_SYSTEM. */
struct survival *survival_read(const struct plan *plan, struct err *err);
void survival_free(struct survival *s); /* NULL is fine */

/* 95% bounds of a chance x, 0 < x <= 1, as the study wants them. */
void survival_bounds(
    const struct plan *p, double x, double se, double *low, double *high);

/* What result.txt has to say of times and groups; cuminc too. */
void survival_warn(const struct plan *p, struct result *r);

/* Keys "groups" and "tests" of an object that is open. */
void survival_json(
    const struct survival *s, const struct plan *plan, struct json *j);
void survival_text(
    const struct survival *s, const struct plan *plan, struct canon *out);

#endif

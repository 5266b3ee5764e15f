/*
 * Cumulative incidence, from the counts of a finished plan of kind cuminc.
 */
#ifndef MODEL_CUMINC_H
#define MODEL_CUMINC_H

#include <stdbool.h>
#include <stdint.h>

struct plan;
struct result_test;

/* One group and cause, at one event time after the other. */
struct cuminc {
	const struct plan *p;
	uint32_t group, cause; /* cause from 1 on */
	/* After cuminc_next(): of the interval that begins at time. */
	double time, at_risk, events;
	double incidence, se, low, high; /* 95%, by spec.bounds */
	/* Inside: */
	uint32_t next;
	double left, survival, square[3];
};

void cuminc_start(
    struct cuminc *c, const struct plan *p, uint32_t group, uint32_t cause);
/* The next time at which the cause has events; false: there is none. */
bool cuminc_next(struct cuminc *c);

/* Does a group have a large enough cell?  *n: its patients there. */
bool cuminc_kept(const struct plan *p, uint32_t group, uint64_t *n);

/* Gray's test that all groups have the same; false: there is nothing to test. */
bool cuminc_test(const struct plan *p, uint32_t cause, struct result_test *t);

#endif

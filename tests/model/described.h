/*
 * A summary in one process for tests: rows of variables dealt to sites, all
 * rounds summed, and what the plan was given in each.
 */
#ifndef TESTS_MODEL_DESCRIBED_H
#define TESTS_MODEL_DESCRIBED_H

#include <stddef.h>
#include <stdint.h>

#include "common/canon.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "model/summary_report.h"

#define DESCRIBED_SITES 3

struct described {
	size_t n, n_variables;
	double *x; /* (n, n_variables), NAN: missing */
	uint32_t *group; /* (n) */
	uint32_t *site; /* (n), in turn at first */
	struct model_spec spec; /* ranges from the rows, smallest cell 1 */

	struct plan *plan; /* once it has run */
	struct summary state;
	struct summary_result *result;
	/* All sums after the counts, one after the other, and what the plan
	   saved at the end: all that anybody has. */
	struct canon sums, saved;
};

/* n rows of nothing; the caller fills x and calls described_ranges(). */
struct described described_new(size_t n, size_t n_variables, uint32_t n_groups);
/* tests/vectors/model/summary_NAME.csv */
struct described described_read(const char *name);
/* Numbers: the rows' range. */
void described_ranges(struct described *d);
void described_run(struct described *d);
void described_free(struct described *d);

static inline double *
described_x(struct described *d, size_t row, size_t v)
{
	return &d->x[row * d->n_variables + v];
}

#endif

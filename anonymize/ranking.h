/*
 * Rows put into the order of their values, column by column, in time linear in
 * them: rows that are alike have the same rank, and ranks have no gaps.
 *
 *     ranking_start()
 *     for each column, the first one counts most:
 *             put ranking_key() of each row's value where ranking_column()
 *             says, and ranking_add()
 *     ranking_end()
 */
#ifndef ANONYMIZE_RANKING_H
#define ANONYMIZE_RANKING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "anonymize/grouping.h"

struct ranking {
	size_t n_rows;
	uint32_t *rank; /* (n_rows) of the last column, then of the rows */
	struct grouping g; /* g.n ranks, g.count: rows of each */
	uint64_t *row; /* (n_rows) what was added so far */
	unsigned bits; /* of row */
};

/* All return -1 or NULL without memory.  End with ranking_free(). */
int ranking_start(struct ranking *r, size_t n_rows);
uint64_t *ranking_column(struct ranking *r); /* (n_rows) */
int ranking_add(struct ranking *r);
int ranking_end(struct ranking *r);
/* Start with one column, whose ranks are then there: without the end. */
int ranking_one(struct ranking *r, const double *values, size_t n_rows);
void ranking_free(struct ranking *r); /* wipes; leaves all zeros */

/* A number whose order is that of the doubles; -0 is 0; no NaN. */
static inline uint64_t
ranking_key(double v)
{
	uint64_t u;

	v += 0.0;
	memcpy(&u, &v, sizeof(u));
	return u >> 63 != 0 ? ~u : u | UINT64_C(1) << 63;
}

#endif

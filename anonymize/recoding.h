/*
 * Which levels should a study recode its quasi-identifiers to?  Searched on
 * the rows of one source: all combinations, by the study's own rules.
 */
#ifndef ANONYMIZE_RECODING_H
#define ANONYMIZE_RECODING_H

#include <stdbool.h>

#include "anonymize/lattice.h"

struct err;
struct rows;
struct study;

struct recoding {
	struct lattice_node best; /* levels in the order of study->quasi */
	struct lattice_node now; /* of the study as it is */
	bool now_fits;
	size_t nodes, visited; /* of the lattice */
};

/* Where patients have several rows, on the first row of each.
   Text and numbers that are not whole have no countable hierarchy: ERR_CONFIG
   if the study holds such a column to k. */
int recoding_choose(const struct study *s, const struct rows *rows,
    struct recoding *r, struct err *err);

/* What local recoding made of the rows. */
struct recoding_local {
	double mean; /* loss_a of lattice.h, mean over the columns */
	size_t classes, left; /* rows that fit into no class */
};

/*
 * Recode the study's quasi-identifiers locally, up to their levels.  keys[q]
 * (or NULL for all) gets the n values of study->quasi[q]: for a column of the
 * table what stands there, for another one a number that tells its groups
 * apart.  A row that is left over has keys that no other row has.
 */
int recoding_locally(const struct study *s, const struct rows *rows, size_t k,
    double **keys, struct recoding_local *r, struct err *err);

#endif

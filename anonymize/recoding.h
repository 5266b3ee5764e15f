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

/* Text and numbers that are not whole have no countable hierarchy: ERR_CONFIG
   if the study holds such a column to k. */
int recoding_choose(const struct study *s, const struct rows *rows,
    struct recoding *r, struct err *err);

#endif

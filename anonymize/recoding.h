/*
 * Which levels should a study recode its quasi-identifiers to?  Searched on
 * the rows of one source: all combinations, by the study's own rules.
 */
#ifndef ANONYMIZE_RECODING_H
#define ANONYMIZE_RECODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/*
 * One recoding for all sites.  Each site counts its own rows at every node;
 * the sums of all sites' counts, and nothing else, are what is chosen by.
 *
 * Items, all whole numbers: the rows; then for each attribute and each level up
 * to the highest that may be chosen the leaves under all rows' groups; then for
 * each node, the last attribute's levels fastest, the rows that it suppresses
 * and whether it does not fit the site (0 or 1).
 *
 * The Loss of a node is lattice.h's, with the suppressed rows taken to be like
 * the others before they are lost: what they are is in no sum.
 */
struct recoding_items {
	size_t n;
	uint64_t *item; /* (n) */
};

/* ERR_CONFIG as recoding_choose(), or if there are more than RECODING_ITEMS_MAX. */
#define RECODING_ITEMS_MAX ((size_t)1 << 20)
int recoding_count(const struct study *s, size_t *n_items, struct err *err);
int recoding_measure(const struct study *s, const struct rows *rows,
    struct recoding_items *items, struct err *err);
void recoding_items_free(struct recoding_items *items);

struct recoding_choice {
	uint8_t
	    level[LATTICE_ATTRIBUTES_MAX]; /* in the order of study->quasi */
	double loss;
	uint64_t rows, suppressed;
	size_t nodes, fitting; /* those that fit every site */
};

/* ERR_REFUSED if no node fits every site. */
int recoding_choose_sums(const struct study *s,
    const struct recoding_items *sums, struct recoding_choice *choice,
    struct err *err);

#endif

/*
 * The classes of every node of a lattice: rows that are alike once each
 * attribute is recoded to the node's level of its hierarchy.  The rows are read
 * once; the classes of a node are made from those of a node below it.
 */
#ifndef ANONYMIZE_ROLLUP_H
#define ANONYMIZE_ROLLUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct lattice_input;
struct rollup;

#define ROLLUP_WORDS 2 /* of packed levels */
#define ROLLUP_WORD_LEVELS 12 /* levels in a word: 4 bits and a guard each */

/* A node: its number, the first attribute slowest, and its levels packed. */
struct rollup_node {
	size_t number;
	uint64_t packed[ROLLUP_WORDS];
};

struct rollup_classes {
	struct rollup_node node;
	size_t n;
	const uint64_t *key; /* (n) the groups of all attributes */
	const uint32_t *size; /* (n) rows */
	const uint32_t *counts; /* (n, models->n_counts), class by class */
};

/* in and all that it names must outlive it.  ERR_CONFIG if there are too many
   nodes, or combinations of values. */
struct rollup *rollup_new(const struct lattice_input *in, struct err *err);
void rollup_free(struct rollup *r); /* NULL is fine */

size_t rollup_size(const struct rollup *r); /* nodes */
/* The classes of a node, until the next call; NULL without memory. */
const struct rollup_classes *rollup_at(
    struct rollup *r, const struct rollup_node *node);
/* The node with attribute a at another level; all zeros is the lowest node. */
struct rollup_node rollup_with(const struct rollup *r,
    const struct rollup_node *node, size_t a, size_t level);
/* Where attribute a's group stands in a key. */
unsigned rollup_shift(const struct rollup *r, size_t a);
uint64_t rollup_mask(const struct rollup *r, size_t a);

static inline size_t
rollup_level(const struct rollup_node *node, size_t a)
{
	return node->packed[a / ROLLUP_WORD_LEVELS] >>
	    5 * (a % ROLLUP_WORD_LEVELS) &
	    15;
}

#define ROLLUP_GUARDS 0x0842108421084210u /* the top bit of each 5, 12 times */

/* Every level of a is at most that of b: one subtraction a word. */
static inline bool
rollup_below(const struct rollup_node *a, const struct rollup_node *b)
{
	for (size_t w = 0; w < ROLLUP_WORDS; w++)
		if ((((b->packed[w] | ROLLUP_GUARDS) - a->packed[w]) &
			ROLLUP_GUARDS) != ROLLUP_GUARDS)
			return false;
	return true;
}

#endif

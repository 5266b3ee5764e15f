/*
 * How numbers become ring words that can be added modulo 2^64 by up to 1024
 * sites, and be read from the sum.  A vector is
 *
 *     word 0   the weight: rows used       value 0
 *     word 1   clipped: 0                  no value
 *     groups, one after the other
 *
 * A group is n numbers of one kind:
 *
 *     count    one word, an integer of 0 to max
 *     real     two words.  x is rounded to V = x * 2^scale, an integer of at
 *              most 2^104 in size, and V = high * 2^52 + low, 0 <= low < 2^52.
 *              The first word is low, the second high in two's complement.
 *
 * 1024 sites: the sum of low stays below 2^62, of high within +- 2^62; neither
 * wraps, so that the sum of all V is exact (docs/NUMERICS.md).
 */
#ifndef MODEL_STEP_ENCODE_H
#define MODEL_STEP_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/step/number.h"

struct err;

#define ENCODE_LIMB_BITS 52
#define ENCODE_BITS 104

struct group {
	size_t n; /* numbers */
	unsigned words; /* per number: 1 count, 2 real */
	uint64_t max; /* of a count */
	int bound_bits; /* a real is at most 2^bound_bits in size */
	size_t value_at, word_at; /* where it begins */
};

struct layout {
	struct group *groups;
	size_t n_groups, cap;
	size_t n_values, n_words;
	uint64_t max_weight;
	bool failed; /* out of memory */
};

void layout_start(struct layout *l, uint64_t max_weight);
void layout_counts(struct layout *l, size_t n, uint64_t max);
void layout_reals(struct layout *l, size_t n, int bound_bits);
void layout_free(struct layout *l);

static inline int
group_scale(const struct group *g)
{
	return ENCODE_BITS - g->bound_bits;
}

/* ERR_FORMAT for NaN, infinity or a number beyond its bound. */
int encode(const struct layout *l, const double *values, uint64_t *words,
    struct err *err);

/* Could n sites within their bounds have made this sum? */
bool sum_is_plausible(
    const struct layout *l, const uint64_t *sum, uint32_t n_contributors);

/* Number i of a group from the sum. */
uint64_t sum_count(const struct group *g, const uint64_t *sum, size_t i);
wide sum_wide(const struct group *g, const uint64_t *sum, size_t i);
double sum_real(const struct group *g, const uint64_t *sum, size_t i);

#endif

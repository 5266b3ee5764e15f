/*
 * Equal 64-bit keys put together: which different ones there are, and how often
 * each comes.  Takes time and memory in proportion to the keys, and goes
 * through memory in order: many different keys are first dealt by their hash
 * into parts that fit a processor's cache, and each part is put together there.
 *
 * Start from all zeros.  What a call makes is there until the next one.
 */
#ifndef ANONYMIZE_GROUPING_H
#define ANONYMIZE_GROUPING_H

#include <stddef.h>
#include <stdint.h>

#define GROUPING_MAX UINT32_MAX /* keys, and what their counts sum up to */

struct grouping {
	size_t n; /* groups */
	uint64_t *key; /* (n) */
	uint32_t *count; /* (n) */
	/* Scratch. */
	size_t cap, dealt_cap, slots_cap;
	struct grouping_item *dealt; /* (dealt_cap) */
	struct grouping_few *few;
	uint32_t *slots; /* (slots_cap) */
};

/* Room for n keys, which the caller puts there; NULL without memory. */
uint64_t *grouping_keys(struct grouping *g, size_t n);
/*
 * Put those n together.  count: how often each counts, or NULL: once.  If not
 * NULL, becomes (n) gets the number of each key's group.  -1 without memory.
 */
int grouping_make(
    struct grouping *g, size_t n, const uint32_t *count, uint32_t *becomes);
void grouping_free(struct grouping *g); /* wipes; leaves all zeros */

#endif

/*
 * Distinct texts, numbered in the order in which they first came.
 */
#ifndef ANONYMIZE_DICTIONARY_H
#define ANONYMIZE_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

#define DICTIONARY_NONE UINT32_MAX
#define DICTIONARY_MAX (1 << 24) /* texts */

struct dictionary {
	char *texts; /* NUL after each */
	size_t len, cap;
	size_t *at; /* (n) where in texts */
	size_t n, at_cap;
	uint32_t *slots; /* (n_slots) index + 1, or 0; open addressing */
	size_t n_slots; /* a power of 2 */
};

/* Start from all zeros; leaves all zeros.  Wipes what it frees. */
void dictionary_free(struct dictionary *d);
/* The text's number, a new one if need be; DICTIONARY_NONE without memory or
   with too many texts. */
uint32_t dictionary_add(struct dictionary *d, const char *text, size_t len);
/* The text's number, or DICTIONARY_NONE. */
uint32_t dictionary_find(
    const struct dictionary *d, const char *text, size_t len);
const char *dictionary_text(const struct dictionary *d, uint32_t i);

#endif

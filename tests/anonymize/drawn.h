/*
 * A table that is drawn, for tests of lattice and local recoding: hierarchies,
 * rows and a sensitive column, the same in every run.
 */
#ifndef TESTS_ANONYMIZE_DRAWN_H
#define TESTS_ANONYMIZE_DRAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "anonymize/hierarchy.h"
#include "anonymize/lattice.h"

#define DRAWN_ROWS 150 /* at most */
#define DRAWN_ATTRIBUTES 4

struct err;

struct drawn {
	size_t n_rows, n_attributes;
	uint32_t n_sensitive; /* different values */
	/* Hierarchies of three levels too, weights of 1 and 2, and sensitive
	   values of which some are rare. */
	bool mixed;

	struct hierarchy h[DRAWN_ATTRIBUTES];
	uint32_t leaf[DRAWN_ATTRIBUTES][DRAWN_ROWS], sensitive[DRAWN_ROWS];
	struct lattice_attribute attributes[DRAWN_ATTRIBUTES];
	uint64_t seed;
};

/* What comes before h is the caller's; end it with drawn_free(). */
void drawn_make(struct drawn *t, uint64_t seed);
void drawn_free(struct drawn *t);
/* The next number below that. */
uint32_t drawn_next(struct drawn *t, uint32_t below);

/* A hierarchy's file with that text. */
int drawn_hierarchy(struct hierarchy *h, const char *text, struct err *err);

#endif

/*
 * Identifiers that nobody declared: what the cells of a column look like.  Only
 * counts are kept, never a cell.
 */
#ifndef ANONYMIZE_DETECT_H
#define ANONYMIZE_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum detect_kind {
	DETECT_NAME,
	DETECT_RECORD, /* one number after another */
	DETECT_EMAIL,
	DETECT_PHONE,
	DETECT_NATIONAL, /* numbers with their check digits */
	DETECT_IBAN,
	DETECT_IP,
	DETECT_URL,
	DETECT_DATE,
	DETECT_POSTCODE,
	DETECT_COORDINATES,
	DETECT_ADDRESS,
	DETECT_KINDS
};

struct detect {
	size_t cells; /* that are not empty */
	size_t hits[DETECT_KINDS];
	size_t zips; /* shaped like a ZIP code of the United States */
	size_t small_zips; /* of those, from an area that Safe Harbor does not
			      let be named by three digits */
	double last; /* number, for DETECT_RECORD */
};

/* Which kinds a column is looked at for. */
#define DETECT_ALL ((1u << DETECT_KINDS) - 1)
/* Levels and numbers that a codebook declares: what these look like anyhow is
   left out. */
#define DETECT_DECLARED_LEVELS                                                 \
	(DETECT_ALL &                                                          \
	    ~(1u << DETECT_NAME | 1u << DETECT_POSTCODE |                      \
		1u << DETECT_RECORD))
#define DETECT_DECLARED_NUMBERS                                                \
	(1u << DETECT_RECORD | 1u << DETECT_NATIONAL | 1u << DETECT_DATE)

/* A byte follows the cell in memory: NUL, or the cell is copied. */
void detect_cell(
    struct detect *d, unsigned kinds, const char *text, size_t len);
/* Do enough of the cells look like it? */
bool detect_found(const struct detect *d, enum detect_kind kind);
/* What a column's own name says: kinds. */
unsigned detect_header(const char *name);
/* "e-mail addresses" */
const char *detect_word(enum detect_kind kind);

/* HIPAA's Safe Harbor, 45 CFR 164.514(b)(2)(i): its 18 kinds of identifiers,
   and which detectors look for each; 0: a machine cannot. */
#define DETECT_HARBOR 18
struct detect_harbor {
	const char *text;
	unsigned kinds;
};
const struct detect_harbor *detect_harbor(void); /* (DETECT_HARBOR) */

#endif

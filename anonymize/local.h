/*
 * Local recoding: every class of rows gets levels of its own, so that rows are
 * generalized no further than their neighbours make it necessary.
 *
 * The nodes of the lattice (lattice.h) are visited by increasing loss; at each,
 * the classes of the rows that remain and that hold the privacy models are
 * frozen.  A frozen class is then tightened: each attribute goes down to the
 * lowest common ancestor of the class's values.  Rows that are left join the
 * class whose loss grows least by it.
 *
 * Where patients may have several rows a class has k of them, not of rows, when it
 * is frozen, and keeps them.  Other models are looked at by rows: what breaks them
 * by patients is the caller's to find (rules.h).
 *
 * A class is never generalized above any attribute's top, nor below its
 * bottom.  Where the classes of the highest node hold the models (and these
 * cannot be lost by joining, as with k-anonymity and distinct values), no row
 * is left over.
 */
#ifndef ANONYMIZE_LOCAL_H
#define ANONYMIZE_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "anonymize/lattice.h"

#define LOCAL_NONE UINT32_MAX

struct err;

struct local {
	size_t n_attributes, n; /* classes */
	uint32_t *of_row; /* (n_rows) its class; LOCAL_NONE: it is left over */
	size_t left; /* rows that are */
	uint8_t *level; /* (n, n_attributes) */
	uint32_t *group; /* (n, n_attributes) of the attribute's level */
	double loss[LATTICE_ATTRIBUTES_MAX]; /* lattice.h's loss_a; a row that
						is left over has share 1 */
	double mean; /* of them */
};

/* patient: (n_rows) below n_patients, whose row it is; NULL: each is a patient.
   suppression_limit is not looked at.  End with local_free(), also after an
   error. */
int local_recode(const struct lattice_input *in, const uint32_t *patient,
    size_t n_patients, struct local *l, struct err *err);
void local_free(struct local *l); /* leaves all zeros */

#endif

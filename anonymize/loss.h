/*
 * What anonymization has cost: measured on the table that was written, whose
 * rows are held against the complete rows that they were made of.
 *
 * The metrics are lattice.h's, over the N complete rows and the columns that are
 * held to k; a row that is not in the table is suppressed.  A cell's share is
 * that of the values that it may stand for, in all that its column may have: the
 * leaves under its group; for a real number or a mean the width of its interval
 * by that of the range.  A column that only made classes and is not in the table
 * has share 1 throughout.
 */
#ifndef ANONYMIZE_LOSS_H
#define ANONYMIZE_LOSS_H

#include <stddef.h>

struct classes;
struct err;
struct rows;
struct study;
struct table;

struct loss_input {
	const struct study *study;
	const struct rows *rows; /* the complete ones */
	const struct table *table;
	const size_t *order; /* (table->n_rows) which of rows it was */
	const struct classes *after; /* of the table */
};

struct loss {
	double loss; /* Iyengar's, weighted as the study says */
	double discernibility, average_size;
	double entropy; /* bits, of all cells */
	double granularity;
};

/* of: (n_quasi) loss_a of study->quasi. */
int loss_measure(
    const struct loss_input *in, struct loss *l, double *of, struct err *err);

#endif

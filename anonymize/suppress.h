/*
 * Which of the complete rows stay: classes that do not satisfy the study's rules
 * are suppressed, as long as the study lets so many be.
 *
 * Where patients may have several rows, the limit is of patients, and who loses
 * one row counts.  Where a pseudonym links a patient's rows in the table, an
 * intruder sees all of them together: then k patients must have the same rows,
 * class by class, and a patient is suppressed whole.
 */
#ifndef ANONYMIZE_SUPPRESS_H
#define ANONYMIZE_SUPPRESS_H

#include <stdbool.h>
#include <stddef.h>

struct classes;
struct err;
struct rows;
struct rules;
struct study;

struct suppress_input {
	const struct study *study;
	const char *source; /* for errors */
	const struct rows *rows;
	const double *const *keys; /* (n_quasi): rows->n recoded values each */
	const struct classes *classes; /* of the keys */
	const struct rules *rules;
	size_t k;
	bool raw; /* nothing is suppressed */
};

struct suppression {
	bool *gone; /* (rows->n) */
	size_t rows; /* that are */
	size_t patients, all; /* who lost a row, of how many; with patients */
	size_t most; /* rows, or patients where these may have several */
};

/* ERR_REFUSED if it cannot be; out is then filled in as far as it is known.  The
   caller frees out->gone in any case. */
int suppress(
    const struct suppress_input *in, struct suppression *out, struct err *err);

#endif

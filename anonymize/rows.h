/*
 * A source's rows, checked cell by cell against the study's codebook.  Only
 * what the study reads is kept; a direct identifier is looked at as it passes
 * and is gone with its row.
 *
 * A row is rejected if a cell is not what its column may hold, and counted as
 * incomplete if a value is missing that the study needs.  Places are
 * "FILE:LINE:COLUMN: column: expected ..."; neither they nor errors hold what
 * stood there.
 */
#ifndef ANONYMIZE_ROWS_H
#define ANONYMIZE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "anonymize/detect.h"
#include "anonymize/patients.h"
#include "study/study.h"

#define ROWS_PLACES_MAX 20
#define ROWS_PLACE_SIZE 320

struct err;
struct patients;

struct rows_column {
	bool kept; /* the table or k needs it */
	double *values; /* (n), or NULL; a text's is its rank */
	char *texts; /* of a kept text column: NUL after each */
	size_t texts_len, texts_cap;
	size_t *text_at; /* (n) where in texts */
	size_t missing; /* rows without a value, among those not rejected */
	size_t rejected; /* rows rejected for this column */
};

/* A column of the source that is no declared direct identifier. */
struct rows_seen {
	char name[STUDY_COLUMN_NAME_MAX + 1];
	size_t column; /* of the codebook, or STUDY_NONE */
	unsigned header; /* kinds (detect.h) that its name says */
	struct detect cells;
};

struct rows {
	const struct study *study;
	size_t n_read, n_objected, n_rejected, n_incomplete;
	size_t n; /* n_read = n_objected + n_rejected + n_incomplete + n */
	const struct patients *patients; /* whose rows; or NULL */
	uint8_t (*ids)[PATIENTS_ID]; /* (n) with patients; else NULL */
	size_t n_ragged; /* rejected: too few or too many cells */
	struct rows_column *columns; /* (study->n_columns) */
	char (*extra)[STUDY_COLUMN_NAME_MAX + 1]; /* in the source, not in the
						     codebook: dropped */
	size_t n_extra;
	struct rows_seen *seen; /* (n_seen) what the source looks like */
	size_t n_seen;
	/* (n) whose row it is, if the study says how patients are told apart,
	   or if the site does and one has several rows: numbers below
	   n_patients; else NULL. */
	uint32_t *patient;
	size_t n_patients;
	bool open_end; /* the last line has no line end */
	char places[ROWS_PLACES_MAX][ROWS_PLACE_SIZE];
	size_t n_places; /* the first of n_rejected */
	size_t cap;
};

/*
 * Read all of fd.  s must outlive the result.  NULL with ERR_FORMAT if it is
 * not CSV, cut short, without a column, or has more bad rows than the study
 * allows; with ERR_REFUSED if a feature looks like
 * an identifier; then *places (if not NULL) gets the rows as far as they were read,
 * for their places.
 */
struct rows *rows_read(int fd, const char *name, const struct study *s,
    struct rows **places, struct err *err);
/*
 * The same for a source that says whose rows they are: rows of patients who
 * object are as if they were not there, but for n_objected.  A row without an
 * identifier is rejected.  secret: the site's pseudonym key, PATIENTS_KEY bytes
 * (pseudonym.h); NULL: dates are not shifted, and pseudonyms number the patients.
 */
struct rows *rows_read_of(int fd, const char *name, const struct study *s,
    const struct patients *patients, const uint8_t *secret,
    struct rows **places, struct err *err);
void rows_free(struct rows *r); /* NULL is fine; wipes the values */

/*
 * Ranks of a text column's first characters as recode keeps them: equal texts
 * have equal ranks.  ranks has room for n.
 */
int rows_rank(const struct rows *r, size_t column,
    const struct study_recode *recode, double *ranks, struct err *err);

#endif

/*
 * A study's table at one hospital: read the source, check it, recode the
 * quasi-identifiers as the study says, suppress the rows that too few others
 * resemble, write the table, measure the written file again, and write the
 * report that the privacy officer decides on.
 *
 * The table's rows are in the order of their values: nothing of the source's
 * order is left, and the same rows give the same bytes.  Nothing here logs.
 */
#ifndef ANONYMIZE_PREPARE_H
#define ANONYMIZE_PREPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "anonymize/rows.h"
#include "study/table.h"

struct err;
struct study;

#define PREPARE_REPORT_MAX ((size_t)16 << 20) /* bytes of a report */

struct prepare {
	const struct study *study;
	const uint8_t *study_digest; /* TABLE_DIGEST_LEN */
	const char *site; /* this hospital's name */
	const char *socket; /* the daemon's, or NULL: consiliumctl's default */
	int source_fd;
	const char *source; /* its name in places and errors */
	struct rows *rows; /* if it was read already, by this study's codebook:
			      from then on the preparation's; else NULL */
	struct patients *patients; /* whose rows; or NULL */
	const uint8_t *secret; /* the site's pseudonym key, PATIENTS_KEY bytes;
				  NULL where there is none */
	size_t smallest_k; /* the hospital's policy; the stricter holds */
	int64_t utc; /* when, for the report */
	const char *last_report; /* report.json of this study's last
				    preparation, or NULL */
	size_t last_report_len;
	/* Where to; opened for reading and writing, empty. */
	int table_fd;
	int json_fd, html_fd; /* -1: no report */
	int patients_fd; /* who is in the table; with patients only */
	/*
	 * Only to show what anonymization costs: nothing is suppressed, and
	 * there is no report.  With a study that study_keep_numbers() has
	 * seen, the table holds the rows as they are.
	 */
	bool raw;
};

struct prepare_result {
	size_t n_read, n_objected, n_rejected, n_incomplete, n_suppressed,
	    n_kept;
	size_t k, smallest_class; /* of the written table */
	uint8_t table_digest[TABLE_DIGEST_LEN]; /* SHA-256 of the file */
	uint8_t report_digest[TABLE_DIGEST_LEN]; /* of report.json, which holds
						    report.html's */
	char places[ROWS_PLACES_MAX][ROWS_PLACE_SIZE]; /* for the log */
	size_t n_places;
};

/*
 * All that is written is on disk when this returns 0.  -1: ERR_FORMAT for the
 * source, ERR_CONFIG if the study wants a secret and there is none, ERR_REFUSED if
 * the rows cannot be made anonymous within the study's
 * limits; result then holds the counts and places known so far, and what stands
 * in the outputs is worthless.
 */
int prepare(
    const struct prepare *p, struct prepare_result *result, struct err *err);

#endif

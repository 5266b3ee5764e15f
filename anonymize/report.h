/*
 * What the privacy officer reads before deciding: the same facts as
 * report.json (docs/REPORT.md) and as report.html, one file without script or
 * anything from outside.
 *
 * Both are safe to show: a count of patients who share a value, if it is below
 * k, is left out, and where that one could be computed from the others, the
 * next one too.  No cell's value is in them, only what the study's text names.
 */
#ifndef ANONYMIZE_REPORT_H
#define ANONYMIZE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "anonymize/classes.h"

struct attack;
struct canon;
struct err;
struct report;
struct rows;
struct rules;
struct study;
struct table;

#define REPORT_VERSION 1

/* What was done; everything must outlive the report made of it. */
struct report_input {
	const struct study *study;
	const uint8_t *study_digest, *table_digest; /* SHA-256 */
	const char *site, *source;
	const char *socket; /* where to ask, or NULL: consiliumctl's default */
	int64_t utc;
	const char *last_report; /* report.json, or NULL */
	size_t last_report_len;
	size_t smallest_k; /* the hospital's policy */
	size_t k; /* what was held to: the stricter of study and policy */
	const struct rows *rows;
	const size_t *order; /* (table->n_rows) which of rows it was made of */
	size_t suppressed; /* rows */
	/* What the study allows: rows, or patients where these may have
	   several; of these then how many there were, and who lost a row. */
	size_t most_suppressed, patients, patients_suppressed;
	size_t patients_in_table;
	const struct classes *before; /* of the complete rows, as they were */
	const struct classes *after; /* of the table that was written */
	/* The same of patients, where one may have several rows; else the same
	   ones. */
	const struct classes *people_before, *people_after;
	const uint32_t *patient; /* (table->n_rows) whose row, or NULL */
	const struct table *table; /* read from the file */
	const struct attack *attack; /* on that table */
	const struct rules *rules; /* that were kept */
	const double *worst; /* (rules->models.n) value of each model, over the
				table's classes; NaN: column not in it */
};

/* Measure.  The caller ends the result with report_free(). */
struct report *report_make(const struct report_input *in, struct err *err);
void report_free(struct report *r); /* NULL is fine */

int report_html(const struct report *r, struct canon *out, struct err *err);
/* html_digest: SHA-256 of the HTML, so that one digest stands for both. */
int report_json(const struct report *r, const uint8_t *html_digest,
    struct canon *out, struct err *err);

#endif

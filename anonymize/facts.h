/*
 * What a report says, measured once for both of its forms.  For report.c and
 * report_html.c alone.
 */
#ifndef ANONYMIZE_FACTS_H
#define ANONYMIZE_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "anonymize/changes.h"
#include "anonymize/classes.h"
#include "anonymize/disclosure.h"
#include "anonymize/loss.h"
#include "anonymize/population.h"
#include "anonymize/report.h"
#include "anonymize/rows.h"
#include "anonymize/separation.h"

#define FACTS_BINS_MAX 12
#define FACTS_SIZES 5
#define FACTS_FINDINGS_MAX 24
#define FACTS_LABEL_SIZE 96
#define FACTS_TEXT_SIZE 1536

/* Patients of the table whose values lie together. */
struct bin {
	char label[FACTS_LABEL_SIZE];
	size_t count;
	bool hidden; /* 1 to k - 1, or such a one could be computed from it */
};

struct column_facts {
	bool in_table;
	char done[FACTS_TEXT_SIZE]; /* what became of it, in words */
	/* For columns of the table: distinct values of the complete rows and
	   of the table, and Shannon's information of the one in the other. */
	size_t distinct_before, distinct_after;
	double left; /* 0 to 1 */
	double unique; /* share of the table's rows whose value nobody else
			  has */
	/* Of a sensitive column or the outcome, by the classes of the complete
	   rows and by those of the table. */
	bool sensitive;
	bool quiet; /* these shares would give a hidden number away */
	struct disclosure known_before, known_after;
	struct bin bins[FACTS_BINS_MAX];
	size_t n_bins; /* 0: no picture */
	/* Of the complete rows, before recoding: counts are multiples of k, and
	   those below k hidden. */
	struct bin before[FACTS_BINS_MAX];
	size_t n_before;
};

/* Classes by size: from <= size <= to; to 0 is without end. */
struct class_sizes {
	size_t from, to, classes, patients;
};

struct finding {
	const char *id; /* for programs */
	bool decide; /* needs a decision; else good to know */
	char text[FACTS_TEXT_SIZE];
};

/*
 * The intruder who does not know whether a person is in the table (journalist):
 * prosecutor's chances where nothing is known of the population, else expected
 * ones.  The average is also what somebody gets right who links all of the
 * population to the table (marketer).
 */
struct journalist {
	double highest, average, above;
};

struct report {
	struct report_input in;
	struct risk before, after;
	struct journalist journalist_before, journalist_after;
	/* If the study says how large the population is. */
	struct population population_before, population_after;
	/* (n_sets) of quasi-identifiers: a and b are indexes into
	   study->quasi. */
	struct separation *separate_before, *separate_after;
	size_t n_sets;
	struct loss loss;
	double *lost; /* (study->n_quasi) loss_a of each */
	struct column_facts *columns; /* (study->n_columns) */
	struct class_sizes sizes[FACTS_SIZES];
	struct finding findings[FACTS_FINDINGS_MAX];
	size_t n_findings;
	struct changes changes;
};

/* Which of the bins must not be shown. */
void facts_hide(struct bin *bins, size_t n, size_t k);

/* Does this column of the source look like one of the kinds (detect.h), by its
   cells or its name? */
bool facts_looks_like(const struct rows_seen *seen, unsigned kinds);
/* The same, where the study declares the column to be something harmless, or
   does not know it. */
bool facts_undeclared(const struct report *r, const struct rows_seen *seen);

/* findings.c: what deserves the reader's attention. */
void findings_make(struct report *r);

/* What an enum of the study is called in the study's file. */
const char *facts_type(int type);
const char *facts_privacy(int privacy);
const char *facts_use(int use);

#endif

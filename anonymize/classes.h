/*
 * Equivalence classes: rows that agree in all quasi-identifiers, so that an
 * intruder who knows those cannot tell them apart.  One row is one patient,
 * unless classes_people() says how many they are of.
 */
#ifndef ANONYMIZE_CLASSES_H
#define ANONYMIZE_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct ranking;

struct classes {
	size_t n_rows, n; /* rows, classes */
	size_t *of_row; /* (n_rows) */
	size_t *size; /* (n), rows of each */
};

/*
 * Prosecutor risk: the intruder knows that the patient is in the table.  A
 * row's risk is 1 / size of its class.
 */
struct risk {
	size_t smallest; /* class */
	double highest, average; /* over the rows */
	double above; /* share of the rows with more than the threshold */
	double unique; /* share of the rows that are alone in their class */
};

/* keys[i] holds the n_rows values of one quasi-identifier; no quasi-identifier
   makes one class.  Classes are numbered in the order of their values.  End with classes_free(), also after an error. */
int classes_make(struct classes *c, const double *const *keys, size_t n_keys,
    size_t n_rows, struct err *err);
/* The same of rows that were ranked by their keys. */
int classes_ranked(struct classes *c, const struct ranking *r, struct err *err);
void classes_free(struct classes *c);

/*
 * The same classes of patients: sizes are how many different ones are in each,
 * n_rows is their sum, of_row is NULL.  patient: (n_rows) numbers that tell
 * them apart.
 */
int classes_people(const struct classes *c, const uint32_t *patient,
    struct classes *people, struct err *err);
/*
 * Patients who have the same rows, class by class: sizes are patients, n_rows is
 * how many there are.  of_row is (n_patients), by the patient's number;
 * CLASSES_NONE: no row of his.  gone (or NULL): (n_rows) rows that do not count.
 */
#define CLASSES_NONE SIZE_MAX
int classes_histories(const struct classes *c, const uint32_t *patient,
    size_t n_patients, const bool *gone, struct classes *histories,
    struct err *err);

/* threshold: the risk that is called high. */
struct risk classes_risk(const struct classes *c, double threshold);
/* Rows in classes of fewer than k. */
size_t classes_below(const struct classes *c, size_t k);

/*
 * Put order[0..n_rows) into ascending order of the rows' values, the first
 * column first; the order of equal ones stays.
 */
int classes_sort(const double *const *columns, size_t n_columns, size_t *order,
    size_t n_rows, struct err *err);

#endif

/*
 * A study's privacy rules, as models over the rows of one table.
 *
 * Where patients may have several rows, all is counted in patients: k, and of a
 * sensitive column a patient counts once in a class for each value that he has
 * there.  A value that all patients of a class have is known of each of them: with
 * a diversity of more than one it does not hold.
 */
#ifndef ANONYMIZE_RULES_H
#define ANONYMIZE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "anonymize/models.h"

struct classes;
struct err;
struct hierarchy;
struct rows;
struct study;

struct rules {
	const struct study *study;
	struct models models;
	size_t n_rows;
	const uint32_t *patient; /* (n_rows) whose row it is, or NULL */
	size_t *column; /* (models.n_columns) of the study */
	uint32_t **codes; /* (models.n_columns) */
	struct hierarchy *trees; /* (models.n_columns) */
};

/*
 * values[i] holds the n_rows values of the study's column i as the table has
 * them, or is NULL: rules about it are left out.  patient (or NULL: every row is
 * one) must outlive the rules.  whole: where the shares of the whole table's
 * values come from, or NULL: these rows are the whole.  End with rules_free(),
 * also after an error.
 */
int rules_make(struct rules *r, const struct study *s, size_t k,
    const double *const *values, size_t n_rows, const uint32_t *patient,
    const struct rules *whole, struct err *err);
/* The same of complete rows, as the table would have them. */
int rules_of_rows(struct rules *r, const struct study *s, size_t k,
    const struct rows *rows, const uint32_t *patient, struct err *err);
void rules_free(struct rules *r); /* all zeros is fine; wipes the values */

struct rules_sum {
	size_t rows; /* in classes that do not satisfy them */
	size_t classes, people; /* that do; rows where a row is a patient */
};

/*
 * Which classes do not satisfy them: fails is (c->n), may be NULL.  gone (or
 * NULL) is (c->n_rows): rows that do not count any more.  worst (may be NULL) is
 * (models.n): the value that is furthest from what the model wants, over the
 * classes that satisfy it.
 */
int rules_check(const struct rules *r, const struct classes *c,
    const bool *gone, bool *fails, struct rules_sum *sum, double *worst,
    struct err *err);

/* The rule in words, about one class of patients. */
void rules_text(
    const struct rules *r, const struct model *o, char *out, size_t size);

#endif

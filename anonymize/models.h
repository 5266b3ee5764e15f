/*
 * What a class of rows must be so that it may stay: privacy models, all of
 * which hold at once.
 *
 *     k-anonymity          at least k patients
 *     distinct l           at least l different sensitive values
 *     entropy l            their entropy is at least that of l equal shares
 *     recursive (c, l)     the commonest is rarer than c times all from the
 *                          l-th commonest on
 *     closeness t          the earth mover's distance from the values of the
 *                          whole table is at most t; moving costs 1 (equal),
 *                          the number of ranks by the number of values less 1
 *                          (ordered), or the height of the lowest common group
 *                          by the height of the hierarchy (hierarchical)
 *     average risk         over the table: classes by rows
 *
 * Machanavajjhala et al., l-diversity, ICDE 2006; Li et al., t-closeness, ICDE
 * 2007.
 */
#ifndef ANONYMIZE_MODELS_H
#define ANONYMIZE_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct hierarchy;
struct rows;
struct study;

struct model {
	enum model_kind {
		MODEL_DISTINCT,
		MODEL_ENTROPY,
		MODEL_RECURSIVE,
		MODEL_EQUAL,
		MODEL_ORDERED,
		MODEL_HIERARCHICAL,
	} kind;
	size_t sensitive; /* which column of codes */
	size_t l;
	double c, t; /* entropy's l is t */
	const struct hierarchy *hierarchy; /* of the values' codes */
};

/* A sensitive column of a table. */
struct model_column {
	size_t n_values, at; /* in a class's counts */
	const uint32_t *code; /* (n_rows), below n_values */
	double *share; /* (n_values) of the table's rows */
};

struct models {
	size_t k;
	double average_risk; /* 0: not asked for */
	struct model *list; /* (n) */
	size_t n;
	struct model_column *columns; /* (n_columns) */
	size_t n_columns;
	size_t n_counts; /* of a class: of all columns, one after another */
};

/* Fill in at, share and n_counts; all else is the caller's, who ends it with
   models_free_shares(). */
int models_count(struct models *m, size_t n_rows, struct err *err);
void models_free_shares(struct models *m);

/* The number that a model looks at: different values, the l that their entropy
   stands for, how many times commoner the commonest is, distance. */
double models_value(const struct models *m, const struct model *o, size_t size,
    const uint32_t *counts);
/* Is a value further from what the model wants than another one? */
bool models_worse(const struct model *o, double value, double than);
/* Does a class satisfy this one? */
bool models_hold_one(const struct models *m, const struct model *o, size_t size,
    const uint32_t *counts);
/* Does the class satisfy all models?  counts: (n_counts). */
bool models_hold(const struct models *m, size_t size, const uint32_t *counts);
/* The same by those alone that a class cannot lose by joining another one. */
bool models_hold_for_good(
    const struct models *m, size_t size, const uint32_t *counts);
bool models_hold_table(const struct models *m, size_t classes, size_t rows);

#endif

/*
 * How well a set of columns tells patients apart (Motwani and Xu 2007).
 *
 *     distinction  different combinations of values, by rows
 *     separation   share of the pairs of rows that differ in a column of the set
 *
 * A column with a high separation is what an intruder would like to know.
 */
#ifndef ANONYMIZE_SEPARATION_H
#define ANONYMIZE_SEPARATION_H

#include <stddef.h>

struct classes;
struct err;

#define SEPARATION_NONE ((size_t)-1)
#define SEPARATION_COLUMNS_MAX 16 /* of which all pairs are looked at */

struct separation {
	size_t a, b; /* columns; b may be SEPARATION_NONE */
	double distinction, separation; /* 0 to 1 */
};

/* How many sets of one and of two there are of n columns. */
size_t separation_sets(size_t n_columns);

/*
 * All sets of one column, then (up to SEPARATION_COLUMNS_MAX columns) all of
 * two: out has separation_sets(n_columns).  columns[i] has n_rows values; NULL
 * is a column of which nothing is left.
 */
int separation_measure(const double *const *columns, size_t n_columns,
    size_t n_rows, struct separation *out, struct err *err);

/* Of the set of columns that made these classes. */
struct separation separation_of(const struct classes *c);

#endif

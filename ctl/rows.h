/* Rows of text as people or programs read them. */
#ifndef CTL_ROWS_H
#define CTL_ROWS_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Print (n_cells / n_columns, n_columns) cells, row by row, to standard
 * output: an aligned table, or a JSON array with an object per row.
 */
int rows_print(const char *const *columns, size_t n_columns,
    const char *const *cells, size_t n_cells, bool json, struct err *err);

#endif

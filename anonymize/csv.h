/*
 * Comma-separated values, RFC 4180: quoted cells may hold separators, line
 * ends and doubled quotes; lines end in LF or CRLF; the text is UTF-8, with or
 * without a byte order mark.  The separator is a comma, a semicolon or a tab.
 *
 * One pass, one row at a time, in memory that does not grow with the file.
 * Errors name file:line:column, columns counted in characters from 1, and
 * never quote what stands there.
 */
#ifndef ANONYMIZE_CSV_H
#define ANONYMIZE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#define CSV_CELL_MAX 65536 /* bytes of one cell, its quotes included */
#define CSV_ROW_MAX (1 << 20) /* bytes of one row */
#define CSV_COLUMNS_MAX 4096

struct err;
struct csv;

struct csv_cell {
	const char *text; /* decoded, NUL after the last byte */
	size_t len;
	size_t line, column; /* where it begins */
};

/*
 * Read from fd, which stays the caller's; name is for errors.  separator 0:
 * the one of , ; and tab that the first line has most of.
 */
struct csv *csv_open(int fd, const char *name, char separator, struct err *err);
void csv_close(struct csv *c); /* NULL is fine */

/*
 * The next row: 1, 0 at the end, -1 if the text is not CSV or cut short inside
 * a quoted cell.  Any number of cells is a row.  Cells are valid until the
 * next call.
 */
int csv_next(struct csv *c, struct err *err);
size_t csv_cells(const struct csv *c);
const struct csv_cell *csv_cell(const struct csv *c, size_t i);
/* The row's first line, counted from 1. */
size_t csv_line(const struct csv *c);
/* The last row that was read ended with the file, not with a line end. */
bool csv_open_end(const struct csv *c);

#endif

#include "ctl/rows.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/json.h"
#include "common/macros.h"

#define COLUMNS_MAX 64

static int
print_json(const char *const *columns, size_t n_columns,
    const char *const *cells, size_t n_cells, struct err *err)
{
	struct canon out = { 0 };
	struct json j = json_start(&out);
	int rv = 0;

	json_array(&j, NULL);
	for (size_t i = 0; i + n_columns <= n_cells; i += n_columns) {
		json_object(&j, NULL);
		for (size_t c = 0; c < n_columns; c++)
			json_text(&j, columns[c], cells[i + c]);
		json_end_object(&j);
	}
	json_end_array(&j);
	canon_u8(&out, '\n');
	if (out.failed)
		rv = err_sys(err, "rows");
	else
		fwrite(out.data, 1, out.len, stdout);
	canon_free(&out);
	return rv;
}

/* Characters of UTF-8 text, as a terminal shows them. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Another program's text must not move the cursor. */
static void
print_cell(const char *s, size_t pad)
{
	size_t n = width(s);

	for (const char *p = s; *p != '\0'; p++)
		putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
	for (; n < pad; n++)
		putchar(' ');
}

static void
print_row(const char *const *cells, size_t n, const size_t *widths)
{
	for (size_t c = 0; c < n; c++) {
		/* No blanks at the end of a line. */
		print_cell(cells[c], c + 1 < n ? widths[c] : 0);
		printf(c + 1 < n ? "  " : "\n");
	}
}

int
rows_print(const char *const *columns, size_t n_columns,
    const char *const *cells, size_t n_cells, bool json, struct err *err)
{
	size_t widths[COLUMNS_MAX];

	if (n_columns > COLUMNS_MAX)
		return err_set(err, ERR_FORMAT, "%zu columns", n_columns);
	if (json)
		return print_json(columns, n_columns, cells, n_cells, err);
	if (n_columns == 0)
		return 0;
	for (size_t c = 0; c < n_columns; c++) {
		widths[c] = width(columns[c]);
		for (size_t i = c; i < n_cells; i += n_columns)
			widths[c] = MAX(widths[c], width(cells[i]));
	}
	print_row(columns, n_columns, widths);
	for (size_t i = 0; i + n_columns <= n_cells; i += n_columns)
		print_row(cells + i, n_columns, widths);
	return 0;
}

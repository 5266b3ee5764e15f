#include "anonymize/csv.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/utf8.h"

#define CHUNK 65536

/* What ends the fast run over a cell's bytes. */
enum { STOP_PLAIN = 1, STOP_QUOTED = 2 };

struct csv {
	int fd;
	char *name;
	uint8_t *buf; /* cap + 1 bytes: a NUL fits after the last */
	size_t cap, len;
	size_t row, pos; /* the row's first byte, the next byte */
	bool eof, open_end;
	char separator;
	uint8_t stop[256];
	size_t line, column; /* of pos, up to date between cells */
	size_t row_line;
	struct csv_cell cells[CSV_COLUMNS_MAX];
	size_t offset[CSV_COLUMNS_MAX]; /* from row; text is set at its end */
	size_t n_cells;
};

static int
bad(const struct csv *c, size_t line, size_t column, const char *what,
    struct err *err)
{
	return err_set(
	    err, ERR_FORMAT, "%s:%zu:%zu: %s", c->name, line, column, what);
}

/* Read more behind what is there: 1, 0 at the end of the file, -1. */
static int
fill(struct csv *c, struct err *err)
{
	ssize_t n;

	if (c->eof)
		return 0;
	if (c->row > 0) {
		memmove(c->buf, c->buf + c->row, c->len - c->row);
		c->len -= c->row;
		c->pos -= c->row;
		c->row = 0;
	}
	if (c->len + CHUNK > c->cap) {
		size_t cap = c->cap + 2 * CHUNK;
		uint8_t *p;

		if (c->len > CSV_ROW_MAX)
			return bad(c, c->row_line, 1,
			    "this row is longer than 1 MiB", err);
		if ((p = realloc(c->buf, cap + 1)) == NULL)
			return err_sys(err, "%s", c->name);
		c->buf = p;
		c->cap = cap;
	}
	do {
		n = read(c->fd, c->buf + c->len, CHUNK);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return err_sys(err, "read %s", c->name);
	c->len += (size_t)n;
	c->eof = n == 0;
	return n > 0;
}

/* The byte at pos + ahead, or -1 at the end of the file, -2 for an error. */
static int
peek(struct csv *c, size_t ahead, struct err *err)
{
	while (c->pos + ahead >= c->len) {
		int r = fill(c, err);

		if (r <= 0)
			return r == 0 ? -1 : -2;
	}
	return c->buf[c->pos + ahead];
}

/* Count lines and columns over [from, pos), checking the characters. */
static int
walk(struct csv *c, size_t from, struct err *err)
{
	const char *p = (const char *)c->buf + from;
	size_t len = c->pos - from, valid = utf8_valid(p, len);

	for (size_t i = 0; i < valid; i++) {
		if (p[i] == '\n') {
			c->line++;
			c->column = 1;
		} else {
			c->column += (p[i] & 0xc0) != 0x80;
		}
	}
	if (valid < len)
		return bad(c, c->line, c->column,
		    "not UTF-8: save the file as UTF-8", err);
	return 0;
}

/* Move pos to the next byte of class; -1, or -2 as peek(), or that byte. */
static int
run(struct csv *c, uint8_t class, struct err *err)
{
	int b;

	for (;;) {
		while (c->pos < c->len && !(c->stop[c->buf[c->pos]] & class))
			c->pos++;
		if ((b = peek(c, 0, err)) < 0 || (c->stop[b] & class))
			return b;
	}
}

static int
plain_cell(struct csv *c, size_t *len, struct err *err)
{
	size_t start = c->pos - c->row;
	int b = run(c, STOP_PLAIN, err);

	if (b == -2 || walk(c, c->row + start, err) == -1)
		return -1;
	*len = c->pos - c->row - start;
	if (b == '"')
		return bad(c, c->line, c->column,
		    "a quote inside a cell that does not begin with one", err);
	return 0;
}

/* pos is behind the opening quote. */
static int
quoted_cell(
    struct csv *c, size_t line, size_t column, size_t *len, struct err *err)
{
	size_t start = c->pos - c->row, n = 0;
	bool doubled = false;

	for (;;) {
		int b = run(c, STOP_QUOTED, err), next;

		if (b == -2)
			return -1;
		if (c->pos - c->row - start > CSV_CELL_MAX)
			return bad(c, line, column,
			    "this quoted cell is longer than 64 KiB: "
			    "a closing quote is missing",
			    err);
		if (b == -1)
			return bad(c, line, column,
			    "cut short: the file ends inside this quoted cell",
			    err);
		if (b != '"')
			break; /* a control character: the caller sees it */
		if ((next = peek(c, 1, err)) == -2)
			return -1;
		if (next != '"')
			break;
		doubled = true;
		c->pos += 2;
	}
	if (walk(c, c->row + start, err) == -1)
		return -1;
	*len = c->pos - c->row - start;
	if (c->buf[c->pos] != '"')
		return 0;
	c->pos++;
	c->column++;
	if (doubled) {
		uint8_t *p = c->buf + c->row + start;

		for (size_t i = 0; i < *len; i++) {
			p[n++] = p[i];
			i += p[i] == '"';
		}
		*len = n;
	}
	return 0;
}

static int
one_cell(struct csv *c, struct err *err)
{
	size_t line = c->line, column = c->column, len = 0, start;
	int b = peek(c, 0, err), r;

	if (b == -2)
		return -1;
	if (c->n_cells == CSV_COLUMNS_MAX)
		return bad(c, line, column, "more than 4096 columns", err);
	if (b == '"') {
		c->pos++;
		c->column++;
	}
	start = c->pos - c->row;
	r = b == '"' ? quoted_cell(c, line, column, &len, err)
		     : plain_cell(c, &len, err);
	if (r == -1)
		return -1;
	if (len > CSV_CELL_MAX)
		return bad(
		    c, line, column, "this cell is longer than 64 KiB", err);
	c->offset[c->n_cells] = start;
	c->cells[c->n_cells++] =
	    (struct csv_cell){ .len = len, .line = line, .column = column };
	return 0;
}

/* What follows a cell: 1 another cell, 0 the row has ended, -1. */
static int
after_cell(struct csv *c, struct err *err)
{
	int b = peek(c, 0, err);

	if (b == -2)
		return -1;
	if (b == -1) {
		c->open_end = true;
		return 0;
	}
	if (b == c->separator) {
		c->pos++;
		c->column++;
		return 1;
	}
	if (b == '\r' && peek(c, 1, err) == '\n')
		c->pos++;
	else if (b == '\r')
		return bad(c, c->line, c->column,
		    "a carriage return without a line feed", err);
	else if (b < 0x20 && b != '\n')
		return bad(c, c->line, c->column, "a control character", err);
	else if (b != '\n')
		return bad(c, c->line, c->column,
		    "expected a separator or a line end after the closing "
		    "quote",
		    err);
	c->pos++;
	c->line++;
	c->column = 1;
	return 0;
}

int
csv_next(struct csv *c, struct err *err)
{
	int r = peek(c, 0, err);

	c->n_cells = 0;
	if (r < 0)
		return r == -1 ? 0 : -1;
	c->row = c->pos;
	c->row_line = c->line;
	do {
		if (one_cell(c, err) == -1 || (r = after_cell(c, err)) == -1)
			return -1;
	} while (r == 1);
	for (size_t i = 0; i < c->n_cells; i++) {
		uint8_t *p = c->buf + c->row + c->offset[i];

		p[c->cells[i].len] = '\0';
		c->cells[i].text = (const char *)p;
	}
	return 1;
}

/* The separator that the first line has most of, outside quotes. */
static int
detect(struct csv *c, struct err *err)
{
	static const char candidates[] = ",;\t";
	size_t count[3] = { 0 }, best = 0;
	bool quoted = false;
	int b;

	for (size_t i = 0; i < CSV_ROW_MAX; i++) {
		const char *at;

		if ((b = peek(c, i, err)) == -2)
			return -1;
		if (b == -1 || (b == '\n' && !quoted))
			break;
		if (b == '"')
			quoted = !quoted;
		else if (!quoted && b != '\0' &&
		    (at = strchr(candidates, b)) != NULL)
			count[at - candidates]++;
	}
	for (size_t i = 1; i < 3; i++)
		if (count[i] > count[best])
			best = i;
	c->separator = candidates[best];
	return 0;
}

struct csv *
csv_open(int fd, const char *name, char separator, struct err *err)
{
	struct csv *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->name = strdup(name)) == NULL) {
		err_sys(err, "%s", name);
		csv_close(c);
		return NULL;
	}
	c->fd = fd;
	c->line = c->column = c->row_line = 1;
	if (peek(c, 2, err) == -2)
		goto fail;
	if (c->len >= 3 && memcmp(c->buf, "\xef\xbb\xbf", 3) == 0)
		c->pos = c->row = 3;
	c->separator = separator;
	if (separator == '\0' && detect(c, err) == -1)
		goto fail;
	for (size_t i = 0; i < 0x20; i++)
		c->stop[i] = STOP_PLAIN | STOP_QUOTED;
	c->stop['\t'] = 0;
	c->stop['\n'] = c->stop['\r'] = STOP_PLAIN;
	c->stop['"'] = STOP_PLAIN | STOP_QUOTED;
	c->stop[(uint8_t)c->separator] |= STOP_PLAIN;
	return c;
fail:
	csv_close(c);
	return NULL;
}

void
csv_close(struct csv *c)
{
	if (c == NULL)
		return;
	/* What it held are patients' values. */
	if (c->buf != NULL)
		explicit_bzero(c->buf, c->cap);
	free(c->buf);
	free(c->name);
	free(c);
}

size_t
csv_cells(const struct csv *c)
{
	return c->n_cells;
}

const struct csv_cell *
csv_cell(const struct csv *c, size_t i)
{
	return &c->cells[i];
}

size_t
csv_line(const struct csv *c)
{
	return c->row_line;
}

bool
csv_open_end(const struct csv *c)
{
	return c->open_end;
}

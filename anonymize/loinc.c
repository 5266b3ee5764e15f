#include "config.h"

#include "anonymize/loinc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/csv.h"
#include "anonymize/dictionary.h"
#include "common/err.h"
#include "common/macros.h"

#define CODES_MAX 100000
#define CLASS_SIZE 48

struct code {
	char class[CLASS_SIZE];
	const char *type; /* NULL: not seen in the table */
};

static const char *const names[] = { "LOINC_NUM", "CLASS", "CLASSTYPE" };

/* "2345-7": digits, and one after a hyphen. */
static bool
is_code(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && s[n] == '-' && strspn(s + n + 1, "0123456789") == 1 &&
	    s[n + 2] == '\0';
}

static int
read_codes(int fd, const char *name, struct dictionary *d, struct err *err)
{
	struct csv *csv = csv_open(fd, name, ';', err);
	int more = -1;

	while (csv != NULL && (more = csv_next(csv, err)) == 1) {
		const struct csv_cell *c = csv_cell(csv, 0);

		if (csv_cells(csv) != 1 || !is_code(c->text) ||
		    d->n == CODES_MAX) {
			more = err_set(err, ERR_FORMAT,
			    "%s:%zu:1: expected a code of LOINC, one per line, "
			    "%d at most",
			    name, csv_line(csv), CODES_MAX);
			break;
		}
		if (dictionary_add(d, c->text, c->len) == DICTIONARY_NONE) {
			more = err_sys(err, "%s", name);
			break;
		}
	}
	csv_close(csv);
	return more;
}

/* Where the columns are that are read. */
static int
find_columns(struct csv *csv, const char *name, size_t *at, struct err *err)
{
	int more = csv_next(csv, err);

	if (more == -1)
		return -1;
	for (size_t i = 0; i < nitems(names); i++) {
		size_t c = 0, n = more == 1 ? csv_cells(csv) : 0;

		while (c < n && strcmp(csv_cell(csv, c)->text, names[i]) != 0)
			c++;
		if (c == n)
			return err_set(err, ERR_FORMAT,
			    "%s:1:1: no column %s, expected Loinc.csv", name,
			    names[i]);
		at[i] = c;
	}
	return 0;
}

static int
take_row(struct csv *csv, const char *name, const size_t *at,
    const struct dictionary *d, struct code *codes, struct err *err)
{
	static const char *const types[] = { "laboratory", "clinical", "claims",
		"survey" };
	size_t most = MAX(at[0], MAX(at[1], at[2]));
	const struct csv_cell *class, *type, *code;
	uint32_t i;

	if (csv_cells(csv) <= most)
		return err_set(err, ERR_FORMAT,
		    "%s:%zu:1: %zu cells, expected more than %zu", name,
		    csv_line(csv), csv_cells(csv), most);
	code = csv_cell(csv, at[0]);
	class = csv_cell(csv, at[1]);
	type = csv_cell(csv, at[2]);
	if ((i = dictionary_find(d, code->text, code->len)) == DICTIONARY_NONE)
		return 0;
	if (class->len == 0 || class->len >= CLASS_SIZE ||
	    strpbrk(class->text, ";\"\r\n") != NULL)
		return err_set(err, ERR_FORMAT,
		    "%s:%zu:%zu: expected the name of a class", name,
		    class->line, class->column);
	if (type->len != 1 || *type->text < '1' || *type->text > '4')
		return err_set(err, ERR_FORMAT,
		    "%s:%zu:%zu: expected a type of class, 1 to 4", name,
		    type->line, type->column);
	snprintf(codes[i].class, CLASS_SIZE, "%s", class->text);
	codes[i].type = types[*type->text - '1'];
	return 0;
}

static int
read_table(int fd, const char *name, const struct dictionary *d,
    struct code *codes, struct err *err)
{
	struct csv *csv = csv_open(fd, name, ',', err);
	size_t at[nitems(names)];
	int more = csv == NULL ? -1 : find_columns(csv, name, at, err);

	while (more != -1 && (more = csv_next(csv, err)) == 1)
		if (take_row(csv, name, at, d, codes, err) == -1)
			more = -1;
	csv_close(csv);
	return more;
}

int
loinc_hierarchy(int codes_fd, const char *codes_name, int table,
    const char *table_name, int out, struct err *err)
{
	struct dictionary d = { 0 };
	struct code *codes = NULL;
	int r = read_codes(codes_fd, codes_name, &d, err);

	if (r == 0 && (codes = calloc(d.n + 1, sizeof(*codes))) == NULL)
		r = err_sys(err, "%s", codes_name);
	if (r == 0)
		r = read_table(table, table_name, &d, codes, err);
	for (size_t i = 0; r == 0 && i < d.n; i++) {
		if (codes[i].type == NULL)
			r = err_set(err, ERR_FORMAT,
			    "%s: code number %zu is not in %s", codes_name,
			    i + 1, table_name);
		/* Classes of two types with one name are two. */
		else if (dprintf(out, "%s;%s %s;%s;*\n",
			     dictionary_text(&d, (uint32_t)i), codes[i].type,
			     codes[i].class, codes[i].type) < 0)
			r = err_sys(err, "%s", codes_name);
	}
	free(codes);
	dictionary_free(&d);
	return r;
}

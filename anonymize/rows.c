#include "config.h"

#include "anonymize/rows.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/csv.h"
#include "anonymize/dictionary.h"
#include "anonymize/pseudonym.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"

/* The source while it is read. */
struct source {
	struct csv *csv;
	const char *name;
	const struct study *s;
	struct rows *rows;
	size_t n_header;
	size_t *column_of; /* (n_header) of the codebook, or STUDY_NONE */
	struct rows_seen **seen_of; /* (n_header) or NULL */
	size_t *cell_of; /* (n_columns) of the source; STUDY_NONE: none */
	double *row; /* (n_columns) */
	bool *missing; /* (n_columns) */
	struct dictionary patients;
	size_t patient_cell; /* of the source */
	const struct pseudonym *pseudonym; /* or NULL */
	uint8_t id[PATIENTS_ID]; /* of the row */
};

static int
no_memory(const char *name, struct err *err)
{
	return err_sys(err, "%s: memory for its rows", name);
}

/*
 * Header.
 */

/*
 * The codebook's column that this may be meant for: letters in another case, or
 * blanks around.  Only the codebook's name is said, since in a file without a
 * header the cell is a patient's.
 */
static const char *
similar(const struct study *s, const char *text)
{
	size_t len;

	while (*text == ' ')
		text++;
	for (len = strlen(text); len > 0 && text[len - 1] == ' '; len--)
		;
	for (size_t c = 0; c < s->n_columns; c++)
		if (strlen(s->columns[c].name) == len &&
		    strncasecmp(s->columns[c].name, text, len) == 0)
			return s->columns[c].name;
	return NULL;
}

static int
map_cell(struct source *src, size_t i, struct err *err)
{
	const struct csv_cell *cell = csv_cell(src->csv, i);
	size_t column = study_find(src->s, cell->text);

	src->column_of[i] = column;
	if (column == STUDY_NONE ||
	    src->s->columns[column].type == STUDY_INTERVAL) {
		const char *meant = similar(src->s, cell->text);
		struct rows *r = src->rows;

		if (src->s->extra_columns == STUDY_EXTRA_REFUSE)
			return err_set(err, ERR_FORMAT,
			    "%s:%zu:%zu: this column is not in the study's "
			    "codebook%s%s%s",
			    src->name, cell->line, cell->column,
			    meant != NULL ? ", which has \"" : "",
			    meant != NULL ? meant : "",
			    meant != NULL ? "\"" : "");
		src->column_of[i] = STUDY_NONE;
		snprintf(r->extra[r->n_extra++], sizeof(r->extra[0]), "%s",
		    cell->len < sizeof(r->extra[0]) ? cell->text
						    : "(a longer name)");
		return 0;
	}
	if (src->cell_of[column] != STUDY_NONE)
		return err_set(err, ERR_FORMAT,
		    "%s:%zu:%zu: a second column \"%s\"", src->name, cell->line,
		    cell->column, src->s->columns[column].name);
	src->cell_of[column] = i;
	return 0;
}

/* Look at this column's cells, unless they are known to be identifiers. */
static void
watch(struct source *src, size_t i)
{
	struct rows_seen *seen = &src->rows->seen[src->rows->n_seen];
	const struct csv_cell *cell = csv_cell(src->csv, i);
	size_t column = src->column_of[i];

	if (column != STUDY_NONE &&
	    src->s->columns[column].privacy == STUDY_DIRECT)
		return;
	snprintf(seen->name, sizeof(seen->name), "%s",
	    cell->len < sizeof(seen->name) ? cell->text : "(a longer name)");
	seen->column = column;
	seen->header = detect_header(cell->text);
	src->seen_of[i] = seen;
	src->rows->n_seen++;
}

/* What a column may look like without being an identifier is left out. */
static unsigned
kinds_of(const struct source *src, const struct rows_seen *seen)
{
	if (seen->column == STUDY_NONE)
		return DETECT_ALL;
	switch (src->s->columns[seen->column].type) {
	case STUDY_REAL:
	case STUDY_INTEGER:
		return DETECT_DECLARED_NUMBERS;
	case STUDY_LEVELS:
		return DETECT_DECLARED_LEVELS;
	case STUDY_DATE:
		return src->s->columns[seen->column].use == STUDY_FEATURE
		    ? DETECT_ALL & ~(1u << DETECT_DATE)
		    : DETECT_ALL;
	default:
		return DETECT_ALL;
	}
}

/* A feature would carry them into the model. */
static int
check_features(const struct source *src, struct err *err)
{
	for (size_t i = 0; i < src->rows->n_seen; i++) {
		const struct rows_seen *seen = &src->rows->seen[i];

		if (seen->column == STUDY_NONE ||
		    src->s->columns[seen->column].use != STUDY_FEATURE)
			continue;
		for (unsigned k = 0; k < DETECT_KINDS; k++)
			if (detect_found(&seen->cells, k))
				return err_set(err, ERR_REFUSED,
				    "%.100s: the feature \"%s\" looks like "
				    "%s in %zu of %zu cells: expected no "
				    "identifier in a feature",
				    src->name, seen->name, detect_word(k),
				    seen->cells.hits[k], seen->cells.cells);
	}
	return 0;
}

static int
find_patient(struct source *src, struct err *err)
{
	const struct patients *p = src->rows->patients;

	if (p == NULL)
		return 0;
	for (size_t i = 0; i < src->n_header; i++) {
		if (strcmp(csv_cell(src->csv, i)->text, patients_column(p)) ==
		    0) {
			src->patient_cell = i;
			return 0;
		}
	}
	return err_set(err, ERR_FORMAT,
	    "%s:1:1: no column \"%s\", which [source] patient names", src->name,
	    patients_column(p));
}

static int
read_header(struct source *src, struct err *err)
{
	const struct study *s = src->s;
	int r = csv_next(src->csv, err);

	if (r == -1)
		return -1;
	if (r == 0)
		return err_set(err, ERR_FORMAT,
		    "%s:1:1: empty: expected a line of column names",
		    src->name);
	src->n_header = csv_cells(src->csv);
	src->column_of = calloc(src->n_header, sizeof(*src->column_of));
	src->rows->extra = calloc(src->n_header, sizeof(*src->rows->extra));
	src->rows->seen = calloc(src->n_header, sizeof(*src->rows->seen));
	src->seen_of = calloc(src->n_header, sizeof(*src->seen_of));
	src->cell_of = calloc(s->n_columns, sizeof(*src->cell_of));
	src->row = calloc(s->n_columns, sizeof(*src->row));
	src->missing = calloc(s->n_columns, sizeof(*src->missing));
	if (src->column_of == NULL || src->rows->extra == NULL ||
	    src->rows->seen == NULL || src->seen_of == NULL ||
	    src->cell_of == NULL || src->row == NULL || src->missing == NULL)
		return no_memory(src->name, err);
	for (size_t c = 0; c < s->n_columns; c++)
		src->cell_of[c] = STUDY_NONE;
	for (size_t i = 0; i < src->n_header; i++)
		if (map_cell(src, i, err) == -1)
			return -1;
	for (size_t i = 0; i < src->n_header; i++)
		watch(src, i);
	if (find_patient(src, err) == -1)
		return -1;
	for (size_t c = 0; c < s->n_columns; c++)
		if (src->cell_of[c] == STUDY_NONE &&
		    s->columns[c].type != STUDY_INTERVAL)
			return err_set(err, ERR_FORMAT,
			    "%s:1:1: no column \"%s\", which the study's "
			    "codebook has",
			    src->name, s->columns[c].name);
	return 0;
}

/*
 * Cells.
 */

static bool
in_range(const struct study_column *c, double v)
{
	return !c->has_range || (v >= c->lo && v <= c->hi);
}

/* What a column may hold, for people. */
static void
expected(const struct study_column *c, char *out, size_t size)
{
	size_t n = 0;
	char lo[STUDY_DATE_TEXT_SIZE], hi[STUDY_DATE_TEXT_SIZE];

	switch (c->type) {
	case STUDY_REAL:
	case STUDY_INTEGER:
		n = (size_t)snprintf(out, size, "a %s",
		    c->type == STUDY_REAL ? "number" : "whole number");
		if (c->has_range)
			snprintf(
			    out + n, size - n, " from %g to %g", c->lo, c->hi);
		break;
	case STUDY_INTERVAL:
		n = (size_t)snprintf(out, size, "a date");
		if (c->has_range)
			snprintf(out + n, size - n,
			    " %g to %g days after the first one", c->lo, c->hi);
		break;
	case STUDY_DATE:
		n = (size_t)snprintf(out, size, "a date as %.32s%s",
		    c->formats.items[0], c->formats.n > 1 ? ", ..." : "");
		if (c->has_range) {
			study_date_text((int64_t)(c->lo + c->shift), lo);
			study_date_text((int64_t)(c->hi - c->shift), hi);
			snprintf(out + n, size - n, " from %s to %s", lo, hi);
		}
		break;
	case STUDY_LEVELS:
		for (size_t i = 0; i < MIN(c->n_levels, 6); i++) {
			int m = snprintf(out + n, size - n, "%s%.24s",
			    i == 0 ? "one of " : ", ", c->levels[i].value);

			n = MIN(n + (size_t)m, size - 1);
		}
		if (c->n_levels > 6)
			snprintf(out + n, size - n, ", ...");
		break;
	default:
		snprintf(out, size, "text");
	}
}

/* Without the blanks around it. */
static const char *
trimmed(const struct csv_cell *cell, size_t *len)
{
	const char *p = cell->text, *end = p + cell->len;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*len = (size_t)(end - p);
	return p;
}

static void
reject(struct source *src, size_t line, size_t column,
    const struct study_column *c, const char *what)
{
	struct rows *r = src->rows;

	r->n_rejected++;
	if (r->n_places == ROWS_PLACES_MAX)
		return;
	snprintf(r->places[r->n_places++], ROWS_PLACE_SIZE,
	    "%.100s:%zu:%zu: %s%sexpected %.120s", src->name, line, column,
	    c != NULL ? c->name : "", c != NULL ? ": " : "", what);
}

static bool
reject_cell(struct source *src, size_t column, size_t cell)
{
	const struct study_column *c = &src->s->columns[column];
	const struct csv_cell *at = csv_cell(src->csv, cell);
	char what[160];

	expected(c, what, sizeof(what));
	reject(src, at->line, at->column, c, what);
	src->rows->columns[column].rejected++;
	return false;
}

/* Its entry, if the model has one, must come before its time. */
static bool
is_observed(struct source *src)
{
	const struct study *s = src->s;
	size_t entry = s->model.entry, time = s->model.time;
	const struct study_column *c;
	const struct csv_cell *at;

	if (entry == STUDY_NONE || src->missing[entry] || src->missing[time] ||
	    study_is_observed(s, src->row[entry], src->row[time]))
		return true;
	c = &s->columns[entry];
	at = csv_cell(
	    src->csv, src->cell_of[c->type == STUDY_INTERVAL ? c->to : entry]);
	reject(src, at->line, at->column, c, "an entry before the time");
	src->rows->columns[entry].rejected++;
	return false;
}

/* The row's values into src->row; false: it was rejected. */
static bool
check_row(struct source *src)
{
	const struct study *s = src->s;

	for (size_t i = 0; i < src->n_header; i++) {
		size_t column = src->column_of[i], len;
		const struct study_column *c;
		const char *p;

		if (column == STUDY_NONE)
			continue;
		c = &s->columns[column];
		p = trimmed(csv_cell(src->csv, i), &len);
		src->missing[column] = study_missing(c, p, len);
		if (src->missing[column] || c->type == STUDY_TEXT)
			continue;
		if (study_cell(c, p, len, &src->row[column]) == -1)
			return reject_cell(src, column, i);
	}
	for (size_t column = 0; column < s->n_columns; column++) {
		const struct study_column *c = &s->columns[column];

		if (c->type != STUDY_INTERVAL)
			continue;
		src->missing[column] =
		    src->missing[c->from] || src->missing[c->to];
		src->row[column] = src->row[c->to] - src->row[c->from];
		if (!src->missing[column] && !in_range(c, src->row[column]))
			return reject_cell(src, column, src->cell_of[c->to]);
	}
	return is_observed(src);
}

/*
 * Keeping.
 */

static bool
holds_text(const struct rows *r, size_t column)
{
	return r->study->columns[column].type == STUDY_TEXT &&
	    !study_is_pseudonym(r->study, column);
}

static int
grow(struct rows *r)
{
	size_t cap = r->cap == 0 ? 1024 : 2 * r->cap;

	for (size_t i = 0; i < r->study->n_columns; i++) {
		struct rows_column *c = &r->columns[i];
		double *values;
		size_t *at;

		if (!c->kept)
			continue;
		if ((values = realloc(c->values, cap * sizeof(*values))) ==
		    NULL)
			return -1;
		c->values = values;
		if (!holds_text(r, i))
			continue;
		if ((at = realloc(c->text_at, cap * sizeof(*at))) == NULL)
			return -1;
		c->text_at = at;
	}
	if (r->study->privacy.patient != STUDY_NONE) {
		uint32_t *patient = realloc(r->patient, cap * sizeof(*patient));

		if (patient == NULL)
			return -1;
		r->patient = patient;
	}
	if (r->patients != NULL) {
		void *ids = realloc(r->ids, cap * PATIENTS_ID);

		if (ids == NULL)
			return -1;
		r->ids = ids;
	}
	r->cap = cap;
	return 0;
}

static int
keep_text(struct rows_column *c, size_t row, const char *text, size_t len)
{
	if (c->texts_len + len + 1 > c->texts_cap) {
		size_t cap = 2 * (c->texts_cap + len + 1);
		char *p = realloc(c->texts, cap);

		if (p == NULL)
			return -1;
		c->texts = p;
		c->texts_cap = cap;
	}
	c->text_at[row] = c->texts_len;
	memcpy(c->texts + c->texts_len, text, len);
	c->texts_len += len;
	c->texts[c->texts_len++] = '\0';
	return 0;
}

/* All dates by as many days; what is missing stays so. */
static void
shift_dates(struct source *src, double days)
{
	const struct study *s = src->s;

	for (size_t i = 0; i < s->n_columns; i++)
		if (s->columns[i].type == STUDY_DATE && !src->missing[i])
			src->row[i] += days;
}

/* Whose row it is, and what becomes of it by that. */
static int
keep_patient(struct source *src)
{
	struct rows *r = src->rows;
	const struct study *s = r->study;
	size_t column = s->privacy.patient, len;
	const char *text;

	if (column == STUDY_NONE)
		return 0;
	text = trimmed(csv_cell(src->csv, src->cell_of[column]), &len);
	r->patient[r->n] = dictionary_add(&src->patients, text, len);
	if (r->patient[r->n] == DICTIONARY_NONE)
		return -1;
	src->row[column] = r->patient[r->n];
	if (src->pseudonym == NULL)
		return 0;
	if (s->privacy.pseudonym == STUDY_YES)
		src->row[column] = pseudonym_number(src->pseudonym, text, len);
	if (s->privacy.date_shift > 0)
		shift_dates(src,
		    pseudonym_shift(
			src->pseudonym, text, len, s->privacy.date_shift));
	return 0;
}

static int
keep_row(struct source *src, struct err *err)
{
	struct rows *r = src->rows;
	size_t patient = r->study->privacy.patient;
	bool complete = patient == STUDY_NONE || !src->missing[patient];

	for (size_t i = 0; i < r->study->n_columns; i++)
		if (r->columns[i].kept && src->missing[i]) {
			r->columns[i].missing++;
			if (study_may_miss(r->study, i))
				src->row[i] = STUDY_MISSING;
			else
				complete = false;
		}
	if (!complete) {
		r->n_incomplete++;
		return 0;
	}
	if (r->n == r->study->privacy.rows_per_site)
		return err_set(err, ERR_REFUSED,
		    "%s:%zu:1: more than %zu rows, the most that the study "
		    "allows a site",
		    src->name, csv_line(src->csv), r->n);
	if ((r->n == r->cap && grow(r) == -1) || keep_patient(src) == -1)
		return no_memory(src->name, err);
	for (size_t i = 0; i < r->study->n_columns; i++) {
		struct rows_column *c = &r->columns[i];
		const char *text;
		size_t len;

		if (!c->kept)
			continue;
		if (!holds_text(r, i)) {
			c->values[r->n] = src->row[i];
			continue;
		}
		text = trimmed(csv_cell(src->csv, src->cell_of[i]), &len);
		if (keep_text(c, r->n, text, len) == -1)
			return no_memory(src->name, err);
	}
	if (r->patients != NULL)
		memcpy(r->ids[r->n], src->id, PATIENTS_ID);
	r->n++;
	return 0;
}

/* Whose row it is: 1, 0 if it is not to be used, for that it counts as. */
static int
take_patient(struct source *src)
{
	const struct patients *p = src->rows->patients;
	const struct csv_cell *cell = csv_cell(src->csv, src->patient_cell);
	size_t len;
	const char *text = trimmed(cell, &len);

	if (len == 0) {
		reject(src, cell->line, cell->column, NULL,
		    "the identifier of a patient");
		return 0;
	}
	patients_id(p, text, len, src->id);
	if (!patients_objects(p, src->id))
		return 1;
	src->rows->n_objected++;
	return 0;
}

static int
read_row(struct source *src, struct err *err)
{
	size_t n = csv_cells(src->csv), line = csv_line(src->csv);
	char what[64];

	if (n == 1 && csv_cell(src->csv, 0)->len == 0 && src->n_header > 1)
		return 0; /* an empty line */
	src->rows->n_read++;
	if (n != src->n_header) {
		if (n < src->n_header && csv_open_end(src->csv))
			return err_set(err, ERR_FORMAT,
			    "%s:%zu:1: cut short: the last row has %zu of %zu "
			    "cells",
			    src->name, line, n, src->n_header);
		snprintf(what, sizeof(what), "%zu cells as in the header",
		    src->n_header);
		reject(src, line, 1, NULL, what);
		src->rows->n_ragged++;
		return 0;
	}
	if (src->rows->patients != NULL && take_patient(src) == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		const char *text;
		size_t len;

		if (src->seen_of[i] == NULL)
			continue;
		text = trimmed(csv_cell(src->csv, i), &len);
		detect_cell(&src->seen_of[i]->cells,
		    kinds_of(src, src->seen_of[i]), text, len);
	}
	return check_row(src) ? keep_row(src, err) : 0;
}

/* Where the study takes every row for a patient, and the site knows better. */
static int
number_patients(struct source *src)
{
	struct rows *r = src->rows;

	if (src->s->privacy.patient != STUDY_NONE || r->ids == NULL)
		return 0;
	if ((r->patient = malloc((r->n + 1) * sizeof(*r->patient))) == NULL)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		char text[2 * PATIENTS_ID + 1];

		hex_text(r->ids[i], PATIENTS_ID, text);
		r->patient[i] =
		    dictionary_add(&src->patients, text, 2 * PATIENTS_ID);
		if (r->patient[i] == DICTIONARY_NONE)
			return -1;
	}
	if (src->patients.n == r->n) { /* a row each */
		free(r->patient);
		r->patient = NULL;
	}
	return 0;
}

static int
read_source(struct source *src, struct err *err)
{
	struct rows *r = src->rows;
	size_t most = src->s->privacy.max_rejected_rows;
	int more;

	if (read_header(src, err) == -1)
		return -1;
	while ((more = csv_next(src->csv, err)) == 1)
		if (read_row(src, err) == -1)
			return -1;
	if (more == -1)
		return -1;
	r->open_end = csv_open_end(src->csv);
	if (number_patients(src) == -1)
		return no_memory(src->name, err);
	r->n_patients = src->patients.n;
	if (r->n_rejected > most)
		return err_set(err, ERR_FORMAT,
		    "%.100s: rows rejected: %zu of %zu, the study allows %zu; "
		    "the first: %s",
		    src->name, r->n_rejected, r->n_read, most, r->places[0]);
	if (check_features(src, err) == -1)
		return -1;
	for (size_t i = 0; i < src->s->n_columns; i++)
		if (r->columns[i].text_at != NULL &&
		    rows_rank(r, i, NULL, r->columns[i].values, err) == -1)
			return -1;
	return 0;
}

struct rows *
rows_read(int fd, const char *name, const struct study *s, struct rows **places,
    struct err *err)
{
	return rows_read_of(fd, name, s, NULL, NULL, places, err);
}

struct rows *
rows_read_of(int fd, const char *name, const struct study *s,
    const struct patients *patients, const uint8_t *secret,
    struct rows **places, struct err *err)
{
	struct pseudonym pseudonym;
	struct source src = { .name = name, .s = s };
	struct rows *r = calloc(1, sizeof(*r));
	bool ok = false;

	if (places != NULL)
		*places = NULL;
	if (r == NULL ||
	    (r->columns = calloc(s->n_columns, sizeof(*r->columns))) == NULL) {
		no_memory(name, err);
		goto out;
	}
	r->study = s;
	r->patients = patients;
	for (size_t i = 0; i < s->n_columns; i++)
		r->columns[i].kept = s->columns[i].in_table ||
		    s->columns[i].diversity != STUDY_ANY ||
		    s->columns[i].closeness != STUDY_FAR;
	for (size_t i = 0; i < s->n_quasi; i++)
		r->columns[s->quasi[i]].kept = true;
	src.rows = r;
	if (secret != NULL) {
		pseudonym = pseudonym_keys(secret, s->name);
		src.pseudonym = &pseudonym;
	}
	if ((src.csv = csv_open(fd, name, '\0', err)) == NULL)
		goto out;
	ok = read_source(&src, err) == 0;
out:
	csv_close(src.csv);
	free(src.column_of);
	free(src.seen_of);
	free(src.cell_of);
	free(src.row);
	free(src.missing);
	dictionary_free(&src.patients);
	if (secret != NULL)
		explicit_bzero(&pseudonym, sizeof(pseudonym));
	if (ok)
		return r;
	if (places != NULL)
		*places = r;
	else
		rows_free(r);
	return NULL;
}

void
rows_free(struct rows *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; r->columns != NULL && i < r->study->n_columns; i++) {
		struct rows_column *c = &r->columns[i];

		if (c->values != NULL)
			explicit_bzero(c->values, r->n * sizeof(*c->values));
		if (c->texts != NULL)
			explicit_bzero(c->texts, c->texts_len);
		free(c->values);
		free(c->texts);
		free(c->text_at);
	}
	if (r->patient != NULL)
		explicit_bzero(r->patient, r->n * sizeof(*r->patient));
	free(r->patient);
	free(r->columns);
	free(r->extra);
	free(r->ids);
	free(r->seen);
	free(r);
}

/*
 * Ranks.
 */

struct ranking {
	const struct rows_column *c;
	const struct study_recode *recode;
};

static const char *
kept(const struct ranking *k, const char *text, size_t *len)
{
	*len = strlen(text);
	return k->recode != NULL ? study_mask(k->recode, text, len) : text;
}

static int
compare(const void *a, const void *b, void *arg)
{
	const struct ranking *k = arg;
	const char *x = k->c->texts + k->c->text_at[*(const size_t *)a];
	const char *y = k->c->texts + k->c->text_at[*(const size_t *)b];
	size_t m, n;
	int r;

	x = kept(k, x, &m);
	y = kept(k, y, &n);
	r = memcmp(x, y, MIN(m, n));
	return r != 0 ? r : (m > n) - (m < n);
}

int
rows_rank(const struct rows *r, size_t column,
    const struct study_recode *recode, double *ranks, struct err *err)
{
	struct ranking k = { &r->columns[column], recode };
	size_t *order = malloc((r->n + 1) * sizeof(*order)), rank = 0;

	if (order == NULL)
		return no_memory(r->study->columns[column].name, err);
	for (size_t i = 0; i < r->n; i++)
		order[i] = i;
	qsort_r(order, r->n, sizeof(*order), compare, &k);
	for (size_t i = 0; i < r->n; i++) {
		if (i > 0 && compare(&order[i - 1], &order[i], &k) != 0)
			rank++;
		ranks[order[i]] = (double)rank;
	}
	free(order);
	return 0;
}

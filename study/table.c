#include "study/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "study/study.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "the doubles are used where they lie");

static const char magic[8] = { 'C', 'S', 'L', 'M', 'T', 'A', 'B', 'L' };

/* What a column of the table can hold: one of n values, or any (whole) number
   from lo to hi. */
struct domain {
	double lo, hi;
	bool whole;
	const double *numbers; /* (n), increasing; or NULL */
	size_t n;
	bool time; /* on the study's grid */
	bool may_miss; /* STUDY_MISSING is allowed */
	/* Of any level, if it is recoded locally; else NULL. */
	const struct study_column *local;
};

static struct domain
domain_of(const struct study *s, size_t column)
{
	const struct study_column *c = &s->columns[column];
	const struct study_recode *r = study_recode(c);

	if (study_is_event(s, column))
		return (struct domain){ .hi = 1, .whole = true };
	if (study_is_pseudonym(s, column))
		return (
		    struct domain){ .hi = STUDY_PSEUDONYM_MAX, .whole = true };
	if (column == s->model.time ||
	    (s->model.entry != STUDY_NONE && column == s->model.entry))
		return (struct domain){
			.lo = c->lo,
			.hi = study_time(s, s->model.n_times - 1),
			.time = true,
		};
	if (c->type == STUDY_LEVELS)
		return (struct domain){
			.hi = (double)(study_n_groups(c) - 1),
			.whole = true,
		};
	if (c->local)
		return (struct domain){ .lo = c->lo, .hi = c->hi, .local = c };
	return (struct domain){
		.lo = c->lo,
		.hi = c->hi,
		.whole = r == NULL && c->type != STUDY_REAL && !c->mean,
		.numbers = r != NULL ? r->numbers : NULL,
		.n = r != NULL ? r->n_groups : 0,
	};
}

static bool
in_domain(const struct study *s, const struct domain *d, double v)
{
	size_t i = 0;

	if (v == STUDY_MISSING)
		return d->may_miss;
	/* Not by v < lo || v > hi, which a NaN would pass. */
	if (!(v >= d->lo && v <= d->hi) || (d->whole && !study_whole(v)))
		return false;
	if (d->time)
		return v == study_time(s, study_time_index(s, v));
	if (d->local != NULL) {
		for (i = 1; i <= d->local->level; i++)
			if (study_number(d->local, i, v) == v)
				return true;
		return study_whole(v);
	}
	if (d->numbers == NULL)
		return true;
	for (size_t n = d->n; n > 1;) { /* one of numbers[i..i + n) */
		size_t half = n / 2;

		if (d->numbers[i + half] <= v)
			i += half;
		n -= half;
	}
	return d->numbers[i] == v;
}

static int
check_column(
    const struct study *s, size_t i, const double *v, size_t n, struct err *err)
{
	struct domain d = domain_of(s, s->table[i]);

	d.may_miss = study_may_miss(s, s->table[i]);
	for (size_t row = 0; row < n; row++) {
		if (!in_domain(s, &d, v[row]))
			return err_set(err, ERR_FORMAT,
			    "table: row %zu of column \"%s\" holds a value "
			    "that "
			    "the study's codebook does not allow there",
			    row + 1, s->columns[s->table[i]].name);
	}
	return 0;
}

/* Everything before the values. */
static int
header(struct canon *c, const struct study *s,
    const uint8_t digest[TABLE_DIGEST_LEN], size_t n_rows, struct err *err)
{
	static const uint8_t zeros[8];

	canon_raw(c, magic, sizeof(magic));
	canon_u32(c, TABLE_VERSION);
	canon_raw(c, digest, TABLE_DIGEST_LEN);
	canon_u64(c, n_rows);
	canon_u32(c, (uint32_t)s->n_table);
	for (size_t i = 0; i < s->n_table; i++)
		canon_text(c, s->columns[s->table[i]].name);
	canon_raw(c, zeros, (8 - c->len % 8) % 8);
	return c->failed ? err_sys(err, "table: header") : 0;
}

int
table_write(int fd, const struct study *s,
    const uint8_t digest[TABLE_DIGEST_LEN], const double *const *columns,
    size_t n_rows, struct err *err)
{
	struct canon c = { 0 };
	int result = -1;

	if (n_rows > s->privacy.rows_per_site)
		return err_set(err, ERR_FORMAT,
		    "table: %zu rows, the study's rows-per-site is %zu", n_rows,
		    s->privacy.rows_per_site);
	for (size_t i = 0; i < s->n_table; i++) {
		if (check_column(s, i, columns[i], n_rows, err) < 0)
			return -1;
	}
	if (header(&c, s, digest, n_rows, err) < 0)
		goto out;
	if (file_write_all(fd, c.data, c.len) < 0) {
		err_sys(err, "write the table");
		goto out;
	}
	for (size_t i = 0; i < s->n_table; i++) {
		if (file_write_all(fd, columns[i], n_rows * sizeof(double)) <
		    0) {
			err_sys(err, "write the table");
			goto out;
		}
	}
	result = 0;
out:
	canon_free(&c);
	return result;
}

int
table_read(struct table *t, const void *data, size_t len, const struct study *s,
    const uint8_t digest[TABLE_DIGEST_LEN], struct err *err)
{
	/* One value has one encoding: the header must be what this study
	   would write, with the number of rows that it says. */
	const size_t rows_at = sizeof(magic) + 4 + TABLE_DIGEST_LEN;
	struct canon_in in = canon_in(data, len);
	struct canon want = { 0 };
	uint64_t n_rows;
	int result = -1;

	*t = (struct table){ 0 };
	canon_get_view(&in, rows_at);
	n_rows = canon_get_u64(&in);
	if (in.failed || memcmp(data, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_FORMAT, "table: not a table");
	if (n_rows > s->privacy.rows_per_site)
		return err_set(err, ERR_FORMAT,
		    "table: %ju rows, the study's rows-per-site is %zu",
		    (uintmax_t)n_rows, s->privacy.rows_per_site);
	if (header(&want, s, digest, (size_t)n_rows, err) < 0)
		goto out;
	if (len < want.len || memcmp(data, want.data, want.len) != 0) {
		err_set(err, ERR_FORMAT,
		    "table: not a table of study %s as it is signed", s->name);
		goto out;
	}
	/* rows-per-site and the number of columns bound the product. */
	if (len - want.len != (size_t)n_rows * s->n_table * sizeof(double)) {
		err_set(err, ERR_FORMAT,
		    "table: %zu bytes, expected %zu for %ju rows", len,
		    want.len + (size_t)n_rows * s->n_table * sizeof(double),
		    (uintmax_t)n_rows);
		goto out;
	}
	t->n_rows = (size_t)n_rows;
	t->n_columns = s->n_table;
	t->values = (const void *)((const uint8_t *)data + want.len);
	memcpy(t->digest, digest, TABLE_DIGEST_LEN);
	result = 0;
	for (size_t i = 0; i < s->n_table && result == 0; i++)
		result = check_column(s, i, table_column(t, i), t->n_rows, err);
out:
	canon_free(&want);
	return result;
}

const double *
table_column(const struct table *t, size_t i)
{
	return t->values + i * t->n_rows;
}

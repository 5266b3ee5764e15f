#include "ctl/study_findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "common/json_read.h"
#include "ctl/study_collinear.h"
#include "study/study.h"

/* More whole numbers than this and a column looks like a code. */
#define WHOLE_MAX 1e6
/* A column that so many lack. */
#define MISSING_SHARE 0.2

struct finder {
	const struct study *s;
	int failing;
};

static void fails(struct finder *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void look_at(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
fails(struct finder *f, const char *fmt, ...)
{
	va_list ap;

	printf("would fail: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	f->failing++;
}

static void
look_at(const char *fmt, ...)
{
	va_list ap;

	printf("look at: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* Does the model have this column as a number that gets a coefficient? */
static bool
is_number_term(const struct study *s, size_t column)
{
	for (size_t t = 0; t < s->n_terms; t++)
		if (s->terms[t].n_factors == 1 &&
		    s->terms[t].factors[0].column == column &&
		    s->terms[t].factors[0].fn == STUDY_VALUE)
			return true;
	return false;
}

static size_t
root_of(size_t *parent, size_t i)
{
	while (parent[i] != i)
		i = parent[i];
	return i;
}

/*
 * Intervals between dates, as they are: one that closes a circle is the sum of
 * others (from admission to discharge, from admission to operation, from
 * operation to discharge).
 */
static int
find_circles(struct finder *f, struct err *err)
{
	const struct study *s = f->s;
	size_t *parent = calloc(s->n_columns + 1, sizeof(*parent));

	if (parent == NULL)
		return err_sys(err, "memory for the check");
	for (size_t i = 0; i < s->n_columns; i++)
		parent[i] = i;
	for (size_t i = 0; i < s->n_columns; i++) {
		const struct study_column *c = &s->columns[i];
		size_t a, b;

		if (c->type != STUDY_INTERVAL || study_recode(c) != NULL ||
		    !is_number_term(s, i))
			continue;
		a = root_of(parent, c->from);
		b = root_of(parent, c->to);
		if (a == b)
			fails(f,
			    "%s is a sum of other intervals between the same "
			    "dates: its coefficient cannot be told from theirs",
			    c->name);
		parent[a] = b;
	}
	free(parent);
	return 0;
}

/* Whatever the patients: the codebook and the formula say so. */
static int
find_collinear(struct finder *f, struct err *err)
{
	const struct study *s = f->s;
	uint64_t constant, collinear;

	if (s->n_terms == 0 || study_has_cells(s))
		return 0;
	if (study_collinear(s, &constant, &collinear, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_terms; i++) {
		if ((constant >> i & 1) != 0)
			fails(f, "%s is the same for all patients",
			    s->terms[i].name);
		if ((collinear >> i & 1) != 0)
			fails(f,
			    "%s is a combination of the terms before it, "
			    "whatever the patients",
			    s->terms[i].name);
	}
	return 0;
}

static void
find_terms(struct finder *f)
{
	const struct study *s = f->s;

	for (size_t i = 0; i < s->n_columns; i++) {
		const struct study_column *c = &s->columns[i];
		const struct study_recode *r = study_recode(c);

		if (!c->in_table)
			continue;
		if (r != NULL && r->kind != STUDY_MASK && r->n_groups == 1)
			fails(f,
			    "%s is the same for all patients at level %zu of "
			    "its hierarchy",
			    c->name, c->level);
		if (c->type == STUDY_INTEGER && r == NULL &&
		    c->hi - c->lo >= WHOLE_MAX)
			look_at("%s may be any of %.0f whole numbers: a code "
				"or a number of a patient is no feature, and "
				"sites refuse it (most-whole-numbers)",
			    c->name, c->hi - c->lo + 1);
	}
}

/* Combinations of the quasi-identifiers' groups; infinite for texts. */
static double
most_classes(const struct study *s)
{
	double n = 1;

	for (size_t q = 0; q < s->n_quasi; q++) {
		const struct study_column *c = &s->columns[s->quasi[q]];
		size_t groups = study_n_groups(c);

		n *= groups > 0 ? (double)groups : c->hi - c->lo + 1;
	}
	return n;
}

static void
find_small_site(struct finder *f, double rows, const char *whose)
{
	const struct study *s = f->s;
	double k = (double)s->privacy.k, classes = most_classes(s);

	if (rows < k) {
		fails(f, "%s has %.0f rows: no class of k = %zu", whose, rows,
		    s->privacy.k);
		return;
	}
	if (s->n_quasi > 0 && classes * k > rows)
		look_at("%s has %.0f rows for %.3g combinations of "
			"quasi-identifiers: with k = %zu at most %.0f of them "
			"can be kept; higher levels make fewer",
		    whose, rows, classes, s->privacy.k, floor(rows / k));
}

static void
find_rows(struct finder *f, const struct findings_known *known)
{
	char whose[32];

	for (size_t i = 0; i < known->n_rows; i++) {
		snprintf(whose, sizeof(whose), "site %zu", i + 1);
		if (known->rows[i] > f->s->privacy.rows_per_site)
			fails(f, "%s has %ju rows, rows-per-site is %zu", whose,
			    (uintmax_t)known->rows[i],
			    f->s->privacy.rows_per_site);
		find_small_site(f, (double)known->rows[i], whose);
	}
}

static void
find_counts(struct finder *f, const struct json_value *result)
{
	const struct study *s = f->s;
	const struct json_value *columns = json_get(result, "columns");
	double n = json_get_number(result, "n", NAN);
	double eligible = json_get_number(result, "eligible", NAN);
	double most = json_get_number(result, "eligible_at_most", NAN);
	double events = json_get_number(result, "events", NAN);
	double sites = json_get_number(result, "sites", NAN);
	double terms = (double)s->n_terms,
	       per = (double)s->privacy.events_per_term;

	if (study_has_y(s))
		events = eligible;
	else if (!isnan(eligible) && !isnan(events) && !study_has_time(s))
		events = fmin(events, eligible - events);
	if (events < per * terms)
		fails(f,
		    "%.0f %s for %.0f terms: fewer than events-per-term = %zu",
		    events,
		    study_has_y(s)          ? "patients"
			: study_has_time(s) ? "events"
					    : "patients with the rarer outcome",
		    terms, s->privacy.events_per_term);
	else if (events < 10 * terms && s->n_terms > 0)
		look_at("%.1f events per term; 10 is usual in medicine",
		    events / terms);
	if (most < n * (1 - MISSING_SHARE))
		look_at("at most %.0f of %.0f patients have a value in all "
			"columns",
		    most, n);
	for (size_t i = 0; columns != NULL && i < columns->n; i++) {
		double missing =
		    json_get_number(&columns->items[i], "missing", NAN);

		if (missing > n * MISSING_SHARE)
			look_at("%.0f%% of the patients have no %s",
			    100 * missing / n,
			    json_get_text(&columns->items[i], "name", "?"));
	}
	if (sites > 0)
		find_small_site(f, floor(fmin(most, n) / sites),
		    "the smallest site at most");
}

static int
read_counts(struct finder *f, const char *path, struct err *err)
{
	struct json_value *v;
	uint8_t *text;
	size_t len;
	int r = 0;

	if ((text = file_read(path, JSON_READ_MAX, &len, err)) == NULL)
		return -1;
	v = json_read(path, (const char *)text, len, err);
	free(text);
	if (v == NULL)
		return -1;
	if (strcmp(json_get_text(v, "kind", ""), "feasibility") != 0)
		r = err_set(err, ERR_FORMAT,
		    "%s: expected the result.json of a feasibility study",
		    path);
	else
		find_counts(f, v);
	json_read_free(v);
	return r;
}

int
study_findings(
    const struct study *s, const struct findings_known *known, struct err *err)
{
	struct finder f = { .s = s };

	if (s->expires < known->today)
		fails(&f, "it has expired");
	if (find_circles(&f, err) < 0 || find_collinear(&f, err) < 0)
		return -1;
	find_terms(&f);
	find_rows(&f, known);
	if (known->feasibility != NULL &&
	    read_counts(&f, known->feasibility, err) < 0)
		return -1;
	return f.failing;
}

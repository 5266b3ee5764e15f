#include "anonymize/facts.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/rows.h"
#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/table.h"

/* A share of patients with a value of their own that deserves a look. */
#define UNIQUE_SHARE 0.10
/* So much of the suppression limit used up deserves one too. */
#define LIMIT_SHARE 0.5

const char *
facts_type(int type)
{
	static const char *const words[] = { "real", "integer", "date",
		"levels", "text", "interval" };

	return words[type];
}

const char *
facts_privacy(int privacy)
{
	static const char *const words[] = { "none", "direct-identifier",
		"quasi-identifier", "sensitive" };

	return words[privacy];
}

const char *
facts_use(int use)
{
	static const char *const words[] = { "ignored", "feature", "outcome",
		"stratum" };

	return words[use];
}

/*
 * Columns.
 */

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Distinct values, Shannon's information in bits, share of single values. */
static int
spread(const double *values, size_t n, size_t *distinct, double *bits,
    double *unique, struct err *err)
{
	double *v = malloc((n + 1) * sizeof(*v));
	size_t run = 0;

	if (v == NULL)
		return err_sys(err, "memory for the report");
	memcpy(v, values, n * sizeof(*v));
	qsort(v, n, sizeof(*v), ascending);
	*distinct = 0;
	*bits = *unique = 0;
	for (size_t i = 0; i < n; i++) {
		run++;
		if (i + 1 < n && v[i + 1] == v[i])
			continue;
		++*distinct;
		*bits -=
		    (double)run / (double)n * log2((double)run / (double)n);
		*unique += run == 1 ? 1 / (double)n : 0;
		run = 0;
	}
	explicit_bzero(v, n * sizeof(*v));
	free(v);
	return 0;
}

/* Bins that the study's text alone fixes: groups, levels, or ten of a range. */
static void
make_bins(const struct study *s, size_t column, struct column_facts *f)
{
	const struct study_column *c = &s->columns[column];
	const struct study_recode *r = study_recode(c);
	bool outcome = study_is_event(s, column);
	size_t groups = study_n_groups(c);

	if (outcome) { /* 0 or 1 in the table */
		f->n_bins = 2;
		snprintf(f->bins[0].label, FACTS_LABEL_SIZE, "otherwise");
		snprintf(f->bins[1].label, FACTS_LABEL_SIZE, "%.60s",
		    s->model.event_level < c->n_levels
			? c->levels[s->model.event_level].label
			: "event");
		return;
	}
	if (groups > 0) {
		f->n_bins = groups <= FACTS_BINS_MAX ? groups : 0;
		for (size_t g = 0; g < f->n_bins; g++)
			snprintf(f->bins[g].label, FACTS_LABEL_SIZE, "%.60s",
			    r != NULL ? r->labels[g] : c->levels[g].label);
		return;
	}
	if (!c->has_range || !(c->hi > c->lo))
		return;
	f->n_bins = 10;
	if (c->type == STUDY_INTEGER && c->hi - c->lo < 10)
		f->n_bins = (size_t)(c->hi - c->lo) + 1;
	for (size_t g = 0; g < f->n_bins; g++) {
		double width = (c->hi - c->lo) / (double)f->n_bins;
		double from = c->lo + (double)g * width;

		if (f->n_bins < 10)
			snprintf(f->bins[g].label, FACTS_LABEL_SIZE, "%g",
			    c->lo + (double)g);
		else
			snprintf(f->bins[g].label, FACTS_LABEL_SIZE, "%g to %g",
			    from, from + width);
	}
}

/* Which of the bins holds a value of the table. */
static size_t
bin_of(const struct study *s, size_t column, const struct column_facts *f,
    double v)
{
	const struct study_column *c = &s->columns[column];
	const struct study_recode *r = study_recode(c);

	if (study_is_event(s, column))
		return v == 1;
	if (c->type == STUDY_LEVELS)
		return (size_t)v;
	if (r != NULL)
		return study_group(r, v);
	if (f->n_bins < 10)
		return (size_t)(v - c->lo);
	return MIN((size_t)((v - c->lo) / (c->hi - c->lo) * 10), 9);
}

/* Leave out small counts, and what they could be computed from. */
static void
hide_small(struct column_facts *f, size_t k)
{
	size_t hidden = 0;

	for (size_t g = 0; g < f->n_bins; g++) {
		f->bins[g].hidden =
		    f->bins[g].count > 0 && f->bins[g].count < k;
		hidden += f->bins[g].hidden ? f->bins[g].count : 0;
	}
	while (hidden > 0 && hidden < k) {
		struct bin *next = NULL;

		for (size_t g = 0; g < f->n_bins; g++)
			if (!f->bins[g].hidden && f->bins[g].count > 0 &&
			    (next == NULL || f->bins[g].count < next->count))
				next = &f->bins[g];
		if (next == NULL)
			break;
		next->hidden = true;
		hidden += next->count;
	}
}

static void say(char *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
say(char *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out, FACTS_TEXT_SIZE, fmt, ap);
	va_end(ap);
}

static void
say_group(const struct study *s, size_t column, struct column_facts *f)
{
	const struct study_column *c = &s->columns[column];
	const struct study_recode *r = study_recode(c);

	switch (r->kind) {
	case STUDY_MASK:
		say(f->done,
		    "cut to its first %zu characters to form groups of "
		    "patients, then removed",
		    r->keep);
		return;
	case STUDY_TOP:
		say(f->done, "removed: nothing of it is left");
		return;
	case STUDY_CUT:
		say(f->done,
		    "%zu groups; a group counts as one number that the study "
		    "states, such as %g for %.40s",
		    r->n_groups, r->numbers[0], r->labels[0]);
		return;
	default:
		say(f->done, "%zu levels put into %zu groups", c->n_levels,
		    r->n_groups);
	}
}

static void
say_done(const struct study *s, size_t column, struct column_facts *f)
{
	const struct study_column *c = &s->columns[column];

	if (c->privacy == STUDY_DIRECT)
		say(f->done, "removed");
	else if (study_recode(c) != NULL)
		say_group(s, column, f);
	else if (c->type == STUDY_INTERVAL)
		say(f->done,
		    "the number of days between \"%s\" and \"%s\", which are "
		    "removed",
		    s->columns[c->from].title, s->columns[c->to].title);
	else if (c->in_table)
		say(f->done, "kept as it is");
	else if (c->in_k)
		say(f->done, "used to form groups of patients, then removed");
	else if (c->type == STUDY_DATE)
		say(f->done, "removed; no date is kept");
	else
		say(f->done, "removed: the study does not use it");
	if (column == s->model.time && s->model.time_step > 1) {
		size_t n = strlen(f->done);

		snprintf(f->done + n, FACTS_TEXT_SIZE - n,
		    "; rounded to steps of %g", s->model.time_step);
	}
}

static int
measure_column(struct report *r, size_t t, struct err *err)
{
	const struct study *s = r->in.study;
	size_t column = s->table[t];
	struct column_facts *f = &r->columns[column];
	const double *v = table_column(r->in.table, t);
	double bits_before, bits_after, unused;

	f->in_table = true;
	if (spread(r->in.rows->columns[column].values, r->in.rows->n,
		&f->distinct_before, &bits_before, &unused, err) == -1 ||
	    spread(v, r->in.table->n_rows, &f->distinct_after, &bits_after,
		&f->unique, err) == -1)
		return -1;
	f->left = bits_before > 0 ? MIN(bits_after / bits_before, 1) : 1;
	make_bins(s, column, f);
	if (f->n_bins == 0)
		return 0;
	for (size_t i = 0; i < r->in.table->n_rows; i++) {
		size_t g = bin_of(s, column, f, v[i]);

		f->bins[MIN(g, f->n_bins - 1)].count++;
	}
	hide_small(f, r->in.k);
	return 0;
}

/*
 * Classes.
 */

static void
measure_sizes(struct report *r)
{
	size_t from = MAX(r->in.k, 2);

	r->sizes[0] = (struct class_sizes){ 1, from - 1, 0, 0 };
	for (size_t i = 1; i < FACTS_SIZES; i++, from *= 2)
		r->sizes[i] = (struct class_sizes){ from,
			i + 1 < FACTS_SIZES ? 2 * from - 1 : 0, 0, 0 };
	for (size_t c = 0; c < r->in.after->n; c++) {
		size_t size = r->in.after->size[c], i = 0;

		while (r->sizes[i].to != 0 && size > r->sizes[i].to)
			i++;
		r->sizes[i].classes++;
		r->sizes[i].patients += size;
	}
}

/*
 * Findings.
 */

static void find(struct report *r, const char *id, bool decide, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

static void
find(struct report *r, const char *id, bool decide, const char *fmt, ...)
{
	struct finding *f;
	va_list ap;

	if (r->n_findings == FACTS_FINDINGS_MAX)
		return;
	f = &r->findings[r->n_findings++];
	f->id = id;
	f->decide = decide;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static void
find_unique(struct report *r)
{
	const struct study *s = r->in.study;
	char names[320] = "";
	size_t n = 0, len = 0;

	for (size_t t = 0; t < s->n_table; t++) {
		size_t column = s->table[t];
		int m;

		if (s->columns[column].in_k ||
		    r->columns[column].unique < UNIQUE_SHARE)
			continue;
		m = snprintf(names + len, sizeof(names) - len,
		    "%s%.60s (%.0f%% of the patients)", n++ > 0 ? ", " : "",
		    s->columns[column].title, 100 * r->columns[column].unique);
		len = MIN(len + (size_t)m, sizeof(names) - 1);
	}
	if (n > 0)
		find(r, "values-of-one-patient", true,
		    "These columns are not counted among what an intruder "
		    "could know, yet many patients have a value that nobody "
		    "else has: %s. Somebody who knows such a value exactly, "
		    "from a patient file or a letter, could find the row in "
		    "the table. The table stays in this hospital; decide "
		    "whether that is protection enough.",
		    names);
}

bool
facts_looks_like(const struct rows_seen *seen, unsigned kinds)
{
	if ((seen->header & kinds) != 0)
		return true;
	for (unsigned k = 0; k < DETECT_KINDS; k++)
		if ((kinds >> k & 1) != 0 && detect_found(&seen->cells, k))
			return true;
	return false;
}

bool
facts_undeclared(const struct report *r, const struct rows_seen *seen)
{
	return (seen->column == STUDY_NONE ||
		   r->in.study->columns[seen->column].privacy != STUDY_QUASI) &&
	    facts_looks_like(seen, DETECT_ALL);
}

static void
find_undeclared(struct report *r)
{
	const struct rows *rows = r->in.rows;
	char names[320] = "";
	size_t n = 0, len = 0;

	for (size_t i = 0; i < rows->n_seen; i++) {
		const struct rows_seen *seen = &rows->seen[i];
		unsigned k = 0;
		int m;

		if (!facts_undeclared(r, seen))
			continue;
		while (!facts_looks_like(seen, 1u << k))
			k++;
		m = snprintf(names + len, sizeof(names) - len, "%s%.60s (%s)",
		    n++ > 0 ? ", " : "", seen->name, detect_word(k));
		len = MIN(len + (size_t)m, sizeof(names) - 1);
	}
	if (n > 0)
		find(r, "undeclared-identifiers", true,
		    "These columns of the source look like identifiers, and "
		    "the study does not call them so: %s. None of them is a "
		    "feature. What the study does not read was removed; decide "
		    "whether the export should have them at all.",
		    names);
}

static void
find_source(struct report *r)
{
	const struct rows *rows = r->in.rows;

	if (rows->n_rejected > 0)
		find(r, "rejected-rows", true,
		    "%zu of %zu rows hold a value that the study's codebook "
		    "does not allow, and were left out. The log of the "
		    "preparation names the places. If the export is wrong, "
		    "correct it and prepare again.",
		    rows->n_rejected, rows->n_read);
	if (rows->open_end)
		find(r, "no-line-end", true,
		    "The source does not end with a line end. Its last row is "
		    "complete, but its last value may be cut short: look "
		    "whether the export was finished.");
	if (rows->n_extra > 0)
		find(r, "extra-columns", false,
		    "The source has %zu columns that the study does not name; "
		    "they were removed. They are listed below.",
		    rows->n_extra);
}

static void
find_all(struct report *r)
{
	const struct study *s = r->in.study;

	if (s->n_quasi == 0)
		find(r, "no-quasi-identifier", true,
		    "The study declares nothing that an intruder could know "
		    "about a patient, so that no groups of similar patients "
		    "are formed. Ask the study's contact why.");
	if (s->privacy.cohort == STUDY_OPEN)
		find(r, "open-cohort", true,
		    "The set of hospitals may change during the "
		    "study: " STUDY_OPEN_WARNING ".");
	find_source(r);
	find_undeclared(r);
	find_unique(r);
	if (r->in.suppressed > 0 &&
	    (double)r->in.suppressed >
		LIMIT_SHARE * (double)r->in.most_suppressed)
		find(r, "much-suppressed", true,
		    "%zu rows were removed because too few others resemble "
		    "them; the study allows up to %zu. Patients with rare "
		    "traits are then missing from the result.",
		    r->in.suppressed, r->in.most_suppressed);
	if (r->in.smallest_k > s->privacy.k)
		find(r, "stricter-k", false,
		    "This hospital's policy asks for groups of at least %zu "
		    "patients, the study for %zu; the policy was followed.",
		    r->in.smallest_k, s->privacy.k);
}

struct report *
report_make(const struct report_input *in, struct err *err)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL ||
	    (r->columns = calloc(
		 in->study->n_columns + 1, sizeof(*r->columns))) == NULL) {
		err_sys(err, "memory for the report");
		report_free(r);
		return NULL;
	}
	r->in = *in;
	r->before = classes_risk(in->before);
	r->after = classes_risk(in->after);
	if (in->study->privacy.population > 0 &&
	    (population_estimate(in->before, in->study->privacy.population,
		 &r->population_before, err) == -1 ||
		population_estimate(in->after, in->study->privacy.population,
		    &r->population_after, err) == -1)) {
		report_free(r);
		return NULL;
	}
	for (size_t i = 0; i < in->study->n_columns; i++)
		say_done(in->study, i, &r->columns[i]);
	for (size_t t = 0; t < in->study->n_table; t++)
		if (measure_column(r, t, err) == -1) {
			report_free(r);
			return NULL;
		}
	measure_sizes(r);
	find_all(r);
	return r;
}

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	free(r->columns);
	free(r);
}

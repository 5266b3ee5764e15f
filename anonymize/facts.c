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

/*
 * Leave out counts below k, and more of them until these cannot be computed
 * from what is left: whoever knows the sum, and that each of the m hidden ones
 * is 1 at least, must find each as likely k or more: sum - (m - 1) >= k.  If
 * that takes all, those of nobody are hidden, too.
 */
void
facts_hide(struct bin *bins, size_t n, size_t k)
{
	size_t sum = 0, m = 0;

	for (size_t g = 0; g < n; g++) {
		bins[g].hidden = bins[g].count > 0 && bins[g].count < k;
		m += bins[g].hidden;
		sum += bins[g].hidden ? bins[g].count : 0;
	}
	while (m > 0 && sum + 1 < k + m) {
		struct bin *next = NULL;

		for (size_t g = 0; g < n; g++)
			if (!bins[g].hidden && bins[g].count > 0 &&
			    (next == NULL || bins[g].count < next->count))
				next = &bins[g];
		if (next == NULL) {
			for (size_t g = 0; g < n; g++)
				bins[g].hidden = true;
			return;
		}
		next->hidden = true;
		m++;
		sum += next->count;
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
		size_t g;

		if (v[i] == STUDY_MISSING)
			continue;
		g = bin_of(s, column, f, v[i]);
		f->bins[MIN(g, f->n_bins - 1)].count++;
	}
	facts_hide(f->bins, f->n_bins, r->in.k);
	return 0;
}

/*
 * Risk.
 */

static int
measure_journalist(const struct report *r, const struct classes *c,
    const struct risk *k, struct journalist *out, struct err *err)
{
	double people = r->in.study->privacy.population, *chance;
	double rows = (double)MAX(c->n_rows, 1);
	size_t largest = 1;

	*out = (struct journalist){ k->highest, k->average, k->above };
	if (people <= (double)c->n_rows)
		return 0;
	for (size_t i = 0; i < c->n; i++)
		largest = MAX(largest, c->size[i]);
	if ((chance = calloc(largest + 1, sizeof(*chance))) == NULL)
		return err_sys(err, "memory for the report");
	if (population_chance(chance, largest, rows / people, err) == -1) {
		free(chance);
		return -1;
	}
	*out = (struct journalist){ 0 };
	for (size_t i = 0; i < c->n; i++) {
		double risk = chance[c->size[i]];
		double share = (double)c->size[i] / rows;

		out->highest = MAX(out->highest, risk);
		out->average += share * risk;
		if (risk > r->in.study->privacy.risk_threshold)
			out->above += share;
	}
	free(chance);
	return 0;
}

/* The quasi-identifiers as they were, and what the table has of them. */
static int
measure_separation(struct report *r, struct err *err)
{
	const struct study *s = r->in.study;
	const double **before = calloc(s->n_quasi + 1, sizeof(*before));
	const double **after = calloc(s->n_quasi + 1, sizeof(*after));
	int rv = -1;

	r->n_sets = separation_sets(s->n_quasi);
	r->separate_before = calloc(r->n_sets + 1, sizeof(struct separation));
	r->separate_after = calloc(r->n_sets + 1, sizeof(struct separation));
	if (before == NULL || after == NULL || r->separate_before == NULL ||
	    r->separate_after == NULL) {
		err_sys(err, "memory for the report");
		goto out;
	}
	for (size_t q = 0; q < s->n_quasi; q++) {
		before[q] = r->in.rows->columns[s->quasi[q]].values;
		for (size_t t = 0; t < s->n_table; t++)
			if (s->table[t] == s->quasi[q])
				after[q] = table_column(r->in.table, t);
	}
	if (separation_measure(before, s->n_quasi, r->in.rows->n,
		r->separate_before, err) == 0 &&
	    separation_measure(after, s->n_quasi, r->in.table->n_rows,
		r->separate_after, err) == 0)
		rv = 0;
out:
	free(before);
	free(after);
	return rv;
}

/* Shares from which a number of 1 to k - 1 patients could be computed are not
   said: of those for whom a guess is wrong. */
static void
keep_quiet(struct column_facts *f, const struct report *r)
{
	double k = (double)r->in.k, rows = (double)r->in.after->n_rows;
	double shares[] = { f->known_after.certain, f->known_after.right,
		f->known_after.anyway };

	f->quiet = false;
	for (size_t g = 0; g < f->n_bins; g++)
		f->quiet = f->quiet || f->bins[g].hidden;
	for (size_t i = 0; i < nitems(shares); i++) {
		double others = rows * (1 - shares[i]);

		f->quiet = f->quiet || (others > 0.5 && others < k - 0.5);
	}
}

/* What is not known of a patient, and what the class tells about it. */
static int
measure_disclosure(struct report *r, size_t t, struct err *err)
{
	const struct study *s = r->in.study;
	const struct study_column *c = &s->columns[s->table[t]];
	struct column_facts *f = &r->columns[s->table[t]];

	if (c->in_k ||
	    (c->privacy != STUDY_SENSITIVE && c->use != STUDY_OUTCOME))
		return 0;
	f->sensitive = true;
	if (disclosure_measure(r->in.before,
		r->in.rows->columns[s->table[t]].values, &f->known_before,
		err) == -1)
		return -1;
	if (disclosure_measure(r->in.after, table_column(r->in.table, t),
		&f->known_after, err) == -1)
		return -1;
	keep_quiet(f, r);
	return 0;
}

static int
measure_risk(struct report *r, struct err *err)
{
	double threshold = r->in.study->privacy.risk_threshold;
	double people = r->in.study->privacy.population;

	r->before = classes_risk(r->in.before, threshold);
	r->after = classes_risk(r->in.after, threshold);
	if (measure_journalist(r, r->in.before, &r->before,
		&r->journalist_before, err) == -1 ||
	    measure_journalist(
		r, r->in.after, &r->after, &r->journalist_after, err) == -1)
		return -1;
	if (people > 0 &&
	    (population_estimate(
		 r->in.before, people, &r->population_before, err) == -1 ||
		population_estimate(
		    r->in.after, people, &r->population_after, err) == -1))
		return -1;
	for (size_t t = 0; t < r->in.study->n_table; t++)
		if (measure_disclosure(r, t, err) == -1)
			return -1;
	return measure_separation(r, err);
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
	for (size_t i = 0; i < in->study->n_columns; i++)
		say_done(in->study, i, &r->columns[i]);
	for (size_t t = 0; t < in->study->n_table; t++)
		if (measure_column(r, t, err) == -1) {
			report_free(r);
			return NULL;
		}
	if (measure_risk(r, err) == -1) {
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
	free(r->separate_before);
	free(r->separate_after);
	free(r->columns);
	free(r);
}

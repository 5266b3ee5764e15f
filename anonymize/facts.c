#include "anonymize/facts.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/ranking.h"
#include "anonymize/rows.h"
#include "anonymize/words.h"
#include "common/catalogue.h"
#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/table.h"

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

/* Distinct values, Shannon's information in bits, share of single values. */
static int
spread(const double *values, size_t n, size_t *distinct, double *bits,
    double *unique, struct err *err)
{
	struct ranking r = { 0 };
	size_t alone = 0;

	if (ranking_one(&r, values, n) == -1) {
		ranking_free(&r);
		return err_sys(err, "memory for the report");
	}
	*distinct = r.g.n;
	*bits = 0;
	for (size_t i = 0; i < r.g.n; i++) {
		double share = (double)r.g.count[i] / (double)n;

		*bits -= share * log2(share);
		alone += r.g.count[i] == 1;
	}
	*unique = n > 0 ? (double)alone / (double)n : 0;
	ranking_free(&r);
	return 0;
}

static void label(struct bin *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
label(struct bin *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->label, sizeof(b->label), fmt, ap);
	va_end(ap);
	words_fit(b->label);
}

/* Ten of the column's range, or one for each of few whole numbers. */
static size_t
range_bins(const struct study_column *c, struct bin *bins)
{
	size_t n = 10;
	double width;

	if (!c->has_range || !(c->hi > c->lo) || c->type == STUDY_DATE)
		return 0;
	if (c->type == STUDY_INTEGER && c->hi - c->lo < 10)
		n = (size_t)(c->hi - c->lo) + 1;
	width = (c->hi - c->lo) / (double)n;
	for (size_t g = 0; g < n; g++) {
		double from = c->lo + (double)g * width;

		if (n < 10)
			label(&bins[g], "%g", c->lo + (double)g);
		else
			label(&bins[g], _("%g to %g"), from, from + width);
	}
	return n;
}

static size_t
range_bin(const struct study_column *c, size_t n, double v)
{
	if (n < 10)
		return (size_t)MAX(v - c->lo, 0);
	return (size_t)MAX((v - c->lo) / (c->hi - c->lo) * 10, 0);
}

/* Bins that the study's text alone fixes: groups, levels, or ten of a range. */
static void
make_bins(const struct study *s, size_t column, struct column_facts *f)
{
	const struct study_column *c = &s->columns[column];
	const struct study_recode *r = study_recode(c);
	size_t groups = study_n_groups(c);

	if (study_is_pseudonym(s, column))
		return;
	if (study_is_event(s, column)) { /* 0 or 1 in the table */
		f->n_bins = 2;
		label(&f->bins[0], "%s", _("otherwise"));
		label(&f->bins[1], "%s",
		    s->model.event_level < c->n_levels
			? c->levels[s->model.event_level].label
			: _("event"));
		return;
	}
	if (groups == 0) {
		f->n_bins = range_bins(c, f->bins);
		return;
	}
	f->n_bins = groups <= FACTS_BINS_MAX ? groups : 0;
	for (size_t g = 0; g < f->n_bins; g++)
		label(&f->bins[g], "%s",
		    r != NULL ? r->labels[g] : c->levels[g].label);
}

/*
 * The complete rows as they were.  These numbers are for a picture alone, and
 * rounded to multiples of k: with the table's exact ones they must not tell how
 * many of a value were suppressed.
 */
static void
make_before(struct report *r, size_t column)
{
	const struct study_column *c = &r->in.study->columns[column];
	const double *v = r->in.rows->columns[column].values;
	struct column_facts *f = &r->columns[column];
	size_t k = r->in.k;

	if (v == NULL || c->privacy == STUDY_DIRECT || c->type == STUDY_TEXT)
		return;
	if (c->type != STUDY_LEVELS)
		f->n_before = range_bins(c, f->before);
	else if (c->n_levels <= FACTS_BINS_MAX)
		f->n_before = c->n_levels;
	for (size_t g = 0; c->type == STUDY_LEVELS && g < f->n_before; g++)
		label(&f->before[g], "%s", c->levels[g].label);
	if (f->n_before == 0)
		return;
	for (size_t i = 0; i < r->in.rows->n; i++) {
		size_t g;

		if (v[i] == STUDY_MISSING)
			continue;
		g = c->type == STUDY_LEVELS ? (size_t)v[i]
					    : range_bin(c, f->n_before, v[i]);
		f->before[MIN(g, f->n_before - 1)].count++;
	}
	for (size_t g = 0; g < f->n_before; g++) {
		struct bin *b = &f->before[g];

		b->hidden = b->count > 0 && b->count < k;
		b->count = b->hidden ? 1 : (b->count + k / 2) / k * k;
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
	return range_bin(c, f->n_bins, v);
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
	words_fit(out);
}

static void
say_group(const struct study *s, size_t column, struct column_facts *f)
{
	const struct study_column *c = &s->columns[column];
	const struct study_recode *r = study_recode(c);

	switch (r->kind) {
	case STUDY_MASK:
		if (r->zip3) {
			say(f->done, "%s",
			    _("cut to the first three digits of a ZIP code, "
			      "000 where 20,000 people or fewer live, to form "
			      "groups of patients, then removed"));
			return;
		}
		say(f->done,
		    P_("cut to its first character to form groups of patients, "
		       "then removed",
			"cut to its first %zu characters to form groups of "
			"patients, then removed",
			r->keep),
		    r->keep);
		return;
	case STUDY_TOP:
		say(f->done, "%s", _("removed: nothing of it is left"));
		return;
	case STUDY_CUT:
		if (!c->in_table) {
			say(f->done,
			    _("put into %zu groups to form groups of patients, "
			      "then removed"),
			    r->n_groups);
			return;
		}
		if (c->local) {
			say(f->done,
			    _("each class of patients keeps the narrowest "
			      "groups that it can, at most %zu wide ones; a "
			      "group counts as one number that the study "
			      "states"),
			    r->n_groups);
			return;
		}
		say(f->done,
		    _("put into %1$zu groups; each group counts as one number "
		      "that the study states, such as %2$g for %3$s"),
		    r->n_groups, r->numbers[0], r->labels[0]);
		return;
	default:
		say(f->done, _("%1$zu values put into %2$zu groups"),
		    c->n_levels, r->n_groups);
	}
}

static void
say_done(const struct study *s, size_t column, struct column_facts *f)
{
	const struct study_column *c = &s->columns[column];

	if (study_is_pseudonym(s, column))
		say(f->done, "%s",
		    _("replaced by a pseudonym: a number that only this "
		      "hospital's key makes of it, another one in every study. "
		      "It is no feature of the model"));
	else if (column == s->privacy.patient)
		say(f->done, "%s",
		    _("tells which rows are one patient's, who counts once; "
		      "then removed"));
	else if (c->privacy == STUDY_DIRECT)
		say(f->done, "%s", _("removed"));
	else if (study_recode(c) != NULL)
		say_group(s, column, f);
	else if (c->mean)
		say(f->done, "%s",
		    _("each number replaced by the mean of a group of patients "
		      "who are near each other and alike in all else"));
	else if (c->type == STUDY_INTERVAL)
		say(f->done,
		    _("the number of days between \"%1$s\" and \"%2$s\", which "
		      "are removed"),
		    s->columns[c->from].title, s->columns[c->to].title);
	else if (c->in_table)
		say(f->done, "%s", _("kept as it is"));
	else if (c->in_k)
		say(f->done, "%s",
		    _("used to form groups of patients, then removed"));
	else if (c->type == STUDY_DATE)
		say(f->done, "%s", _("removed; no date is kept"));
	else
		say(f->done, "%s", _("removed: the study does not use it"));
	if (study_recode(c) != NULL && !c->in_table &&
	    study_recode(c)->n_groups > 1) {
		size_t n = strlen(f->done);

		snprintf(f->done + n, FACTS_TEXT_SIZE - n, "%s",
		    _("; used to form groups of patients, then removed"));
		words_fit(f->done);
	}
	if (c->shift > 0 && (c->in_table || c->in_k)) {
		size_t n = strlen(f->done);

		snprintf(f->done + n, FACTS_TEXT_SIZE - n,
		    _("; before that, all dates of a patient were shifted by "
		      "the same secret number of days, at most %zu"),
		    s->privacy.date_shift);
		words_fit(f->done);
	}
	if ((column == s->model.time || column == s->model.entry) &&
	    s->model.time_step > 1) {
		size_t n = strlen(f->done);

		snprintf(f->done + n, FACTS_TEXT_SIZE - n,
		    _("; rounded to steps of %g"), s->model.time_step);
		words_fit(f->done);
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
	uint16_t *seen = NULL; /* bins, by patient */

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
	if (r->in.patient != NULL &&
	    (seen = calloc(r->in.rows->n_patients + 1, sizeof(*seen))) == NULL)
		return err_sys(err, "memory for the report");
	for (size_t i = 0; i < r->in.table->n_rows; i++) {
		size_t g;

		if (v[i] == STUDY_MISSING)
			continue;
		g = MIN(bin_of(s, column, f, v[i]), f->n_bins - 1);
		if (seen != NULL) { /* a patient counts once in a bin */
			uint16_t *of = &seen[r->in.patient[i]];

			f->bins[g].count += (*of >> g & 1) == 0;
			*of = (uint16_t)(*of | 1u << g);
		} else {
			f->bins[g].count++;
		}
	}
	free(seen);
	facts_hide(f->bins, f->n_bins, r->in.k);
	return 0;
}

/*
 * Risk.
 */

/*
 * The chances of the negative binomial know nothing of how many people are
 * alone in the population.  Where that is estimated, a share of p->likely, a
 * patient who is alone in the sample is one of them with that share by the
 * sample's own, and else one of two or more.
 */
static void
allow_for_alone(double *chance, const struct population *p, double unique)
{
	double alone = unique > 0 ? MIN(p->likely / unique, 1) : 0;
	double others = (chance[1] - p->fraction) / (1 - p->fraction);

	if (isfinite(alone))
		chance[1] =
		    MAX(chance[1], alone + (1 - alone) * MAX(others, 0));
}

static int
measure_journalist(const struct report *r, const struct classes *c,
    const struct risk *k, const struct population *p, struct journalist *out,
    struct err *err)
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
	allow_for_alone(chance, p, k->unique);
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

	r->before = classes_risk(r->in.people_before, threshold);
	r->after = classes_risk(r->in.people_after, threshold);
	if (people > 0 &&
	    (population_estimate(r->in.people_before, people,
		 &r->population_before, err) == -1 ||
		population_estimate(r->in.people_after, people,
		    &r->population_after, err) == -1))
		return -1;
	if (measure_journalist(r, r->in.people_before, &r->before,
		&r->population_before, &r->journalist_before, err) == -1 ||
	    measure_journalist(r, r->in.people_after, &r->after,
		&r->population_after, &r->journalist_after, err) == -1)
		return -1;
	for (size_t t = 0; t < r->in.study->n_table; t++)
		if (measure_disclosure(r, t, err) == -1)
			return -1;
	return measure_separation(r, err);
}

/*
 * Loss.
 */

static int
measure_loss(struct report *r, struct err *err)
{
	const struct loss_input in = {
		.study = r->in.study,
		.rows = r->in.rows,
		.table = r->in.table,
		.order = r->in.order,
		.after = r->in.after,
	};

	r->lost = calloc(r->in.study->n_quasi + 1, sizeof(*r->lost));
	if (r->lost == NULL)
		return err_sys(err, "memory for the report");
	return loss_measure(&in, &r->loss, r->lost, err);
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
	for (size_t c = 0; c < r->in.people_after->n; c++) {
		size_t size = r->in.people_after->size[c], i = 0;

		while (r->sizes[i].to != 0 && size > r->sizes[i].to)
			i++;
		r->sizes[i].classes++;
		r->sizes[i].patients += size;
	}
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
	for (size_t i = 0; i < in->study->n_columns; i++) {
		say_done(in->study, i, &r->columns[i]);
		make_before(r, i);
	}
	for (size_t t = 0; t < in->study->n_table; t++)
		if (measure_column(r, t, err) == -1) {
			report_free(r);
			return NULL;
		}
	if (measure_risk(r, err) == -1 || measure_loss(r, err) == -1) {
		report_free(r);
		return NULL;
	}
	measure_sizes(r);
	findings_make(r);
	if (changes_find(r, in->last_report, in->last_report_len, &r->changes,
		err) == -1) {
		report_free(r);
		return NULL;
	}
	return r;
}

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	free(r->separate_before);
	free(r->separate_after);
	free(r->lost);
	free(r->columns);
	free(r);
}

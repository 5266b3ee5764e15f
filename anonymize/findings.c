/* What deserves the reader's attention, and what needs a decision. */
#include "config.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "anonymize/facts.h"
#include "anonymize/words.h"
#include "common/catalogue.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/table.h"

/* A share of patients with a value of their own that deserves a look. */
#define UNIQUE_SHARE 0.10
/* So much of the suppression limit used up deserves one too. */
#define LIMIT_SHARE 0.5

/* EMA, external guidance on Policy 0070 (2018), 3.3.2: the largest risk that
   published clinical data may have. */
#define EMA_THRESHOLD 0.09
/* CMS, cell size suppression policy: no number from 1 to 10 is published. */
#define CMS_SMALLEST 11

#define AGE_MAX 89 /* 45 CFR 164.514(b)(2)(i)(C) */

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
	words_fit(f->text);
}

/* Names of columns, as they are found. */
struct names {
	char text[512];
	size_t n;
};

static void add(struct names *names, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(struct names *names, const char *fmt, ...)
{
	char item[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(item, sizeof(item), fmt, ap);
	va_end(ap);
	words_fit(item);
	/* As a list that goes on: its last item is not known yet. */
	words_list(
	    names->text, sizeof(names->text), names->n++, SIZE_MAX, item);
}

static void
find_unique(struct report *r)
{
	const struct study *s = r->in.study;
	struct names names = { "", 0 };

	for (size_t t = 0; t < s->n_table; t++) {
		size_t column = s->table[t];

		if (!s->columns[column].in_k &&
		    !study_is_pseudonym(s, column) &&
		    r->columns[column].unique >= UNIQUE_SHARE)
			add(&names, _("%1$s (%2$.0f%% of the patients)"),
			    s->columns[column].title,
			    100 * r->columns[column].unique);
	}
	if (names.n > 0)
		find(r, "values-of-one-patient", true,
		    _("These columns are not counted among what an intruder "
		      "could know, yet many patients have a value that nobody "
		      "else has: %s. Somebody who knows such a value exactly, "
		      "from a patient file or a letter, could find the row in "
		      "the table. The table stays in this hospital; decide "
		      "whether that is protection enough."),
		    names.text);
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
	struct names names = { "", 0 };

	for (size_t i = 0; i < rows->n_seen; i++) {
		const struct rows_seen *seen = &rows->seen[i];
		unsigned k = 0;

		if (!facts_undeclared(r, seen))
			continue;
		while (!facts_looks_like(seen, 1u << k))
			k++;
		/* TRANSLATORS: a column's name, and what it looks like. */
		add(&names, _("%1$s (%2$s)"), seen->name, _(detect_word(k)));
	}
	if (names.n > 0)
		find(r, "undeclared-identifiers", true,
		    _("These columns of the source look like identifiers, and "
		      "the study does not call them so: %s. The model does not "
		      "read them. What the study does not use was removed; "
		      "decide whether the export should have them at all."),
		    names.text);
}

static void
find_source(struct report *r)
{
	const struct rows *rows = r->in.rows;

	if (rows->n_objected > 0)
		find(r, "objections", false,
		    _("%1$s of %2$s rows are of patients who object, and were "
		      "left out before anything else was done with them."),
		    words_count(rows->n_objected).text,
		    words_count(rows->n_read).text);
	if (rows->n_rejected > 0)
		find(r, "rejected-rows", true,
		    _("%1$s of %2$s rows hold a value that the study does not "
		      "allow, and were left out. The log of the preparation "
		      "names the places. If the export is wrong, have it "
		      "corrected and prepared again."),
		    words_count(rows->n_rejected).text,
		    words_count(rows->n_read).text);
	if (rows->open_end)
		find(r, "no-line-end", true, "%s",
		    _("The source file does not end with a line end. Its last "
		      "row is complete, but its last value may be cut short: "
		      "have somebody look whether the export was finished."));
	if (rows->n_extra > 0)
		find(r, "extra-columns", false,
		    P_("The source has %zu column that the study does not "
		       "name; it was removed. It is listed below.",
			"The source has %zu columns that the study does not "
			"name; they were removed. They are listed below.",
			rows->n_extra),
		    rows->n_extra);
}

/* The thresholds that others have set. */
static void
find_thresholds(struct report *r)
{
	double threshold = r->in.study->privacy.risk_threshold;
	double highest = r->after.highest;

	if (threshold != EMA_THRESHOLD && highest > threshold)
		find(r, "above-threshold", true,
		    _("The highest chance to point at the right row, 1 in "
		      "%1$zu, is above what the study itself calls high "
		      "(%2$g)."),
		    r->after.smallest, threshold);
	if (highest > EMA_THRESHOLD)
		find(r, "ema-0070", true,
		    _("The highest chance to point at the right row is 1 in "
		      "%zu. The European Medicines Agency (Policy 0070) wants "
		      "at most 0.09, which is groups of 12 or more, where "
		      "clinical data are published. This table is not "
		      "published: it stays in this hospital. Decide whether "
		      "smaller groups are enough here."),
		    r->after.smallest);
	else
		find(r, "ema-0070", false,
		    _("The highest chance to point at the right row, 1 in %zu, "
		      "is at most 0.09, which the European Medicines Agency "
		      "(Policy 0070) allows even for published data."),
		    r->after.smallest);
	if (r->after.smallest < CMS_SMALLEST)
		find(r, "cms-11", false,
		    _("The smallest group has %1$zu patients. The United "
		      "States' CMS publishes no number of patients below 11. "
		      "This report leaves out numbers below %2$zu; keep it in "
		      "the hospital."),
		    r->after.smallest, r->in.k);
	else
		find(r, "cms-11", false,
		    _("The smallest group has %zu patients: no fewer than the "
		      "11 that the United States' CMS asks for before a number "
		      "is published."),
		    r->after.smallest);
}

/* A column's number of patients is said if it is not a small one. */
static void
find_zip3(struct report *r)
{
	const struct rows *rows = r->in.rows;

	for (size_t i = 0; i < rows->n_seen; i++) {
		const struct rows_seen *seen = &rows->seen[i];
		const struct detect *d = &seen->cells;
		bool stays = seen->column != STUDY_NONE &&
		    r->columns[seen->column].in_table;
		size_t others = d->zips - d->small_zips;

		if (!detect_found(d, DETECT_POSTCODE) || 2 * d->zips < d->cells)
			continue;
		if (d->small_zips >= r->in.k &&
		    (others == 0 || others >= r->in.k))
			find(r, "zip3", stays,
			    _("\"%1$s\" looks like ZIP codes of the United "
			      "States. HIPAA lets the first three digits stay, "
			      "but not in areas where 20,000 people or fewer "
			      "live (census of 2010): %2$s of the %3$s codes "
			      "are from such areas. %4$s"),
			    seen->name, words_count(d->small_zips).text,
			    words_count(d->zips).text,
			    stays ? _("The column is in the table.")
				  : _("Nothing of the column is in the "
				      "table."));
		else
			find(r, "zip3", stays,
			    _("\"%1$s\" looks like ZIP codes of the United "
			      "States. HIPAA lets the first three digits stay, "
			      "but not in areas where 20,000 people or fewer "
			      "live (census of 2010): %2$s. %3$s"),
			    seen->name,
			    d->small_zips == 0 ? _("none is from such an area")
					       : _("too few to say how many"),
			    stays ? _("The column is in the table.")
				  : _("Nothing of the column is in the "
				      "table."));
	}
}

/* Is "age" a word of the name? */
static bool
is_age(const char *name)
{
	static const char *const words[] = { "age", "alter",
		"\345\271\264\351"
		"\276\204" };

	for (size_t i = 0; i < nitems(words); i++) {
		const char *at = strcasestr(name, words[i]);
		size_t len = strlen(words[i]);

		if (at != NULL &&
		    (at == name || !isalpha((unsigned char)at[-1])) &&
		    !isalpha((unsigned char)at[len]))
			return true;
	}
	return false;
}

/* Ages in the table above 89 that are not one group of 90 and more. */
static void
find_ages(struct report *r)
{
	const struct study *s = r->in.study;

	for (size_t t = 0; t < s->n_table; t++) {
		const struct study_column *c = &s->columns[s->table[t]];
		const struct study_recode *k = study_recode(c);
		double last = c->lo;

		if ((c->type != STUDY_INTEGER && c->type != STUDY_REAL) ||
		    !c->has_range || c->hi <= AGE_MAX ||
		    (!is_age(c->name) && !is_age(c->title)))
			continue;
		if (k != NULL && k->kind == STUDY_CUT)
			last = k->cuts[k->n_groups - 1];
		if (k == NULL || last > AGE_MAX + 1)
			find(r, "ages-over-89", true,
			    _("\"%s\" may tell ages over 89 apart. HIPAA's "
			      "Safe Harbor wants one group of 90 and more."),
			    c->title);
	}
}

/* What pseudonyms and shifted dates do, and do not. */
static void
find_secrets(struct report *r)
{
	const struct study *s = r->in.study;

	if (r->in.patient != NULL && s->privacy.patient == STUDY_NONE)
		find(r, "several-rows", false,
		    _("The study takes every row for a patient of its own. By "
		      "the identifiers that this hospital's configuration "
		      "names, the %1$s complete rows are of %2$s patients: "
		      "groups were counted in patients all the same. The "
		      "study's result takes the rows to be independent."),
		    words_count(r->in.rows->n).text,
		    words_count(r->in.patients).text);
	if (s->privacy.pseudonym == STUDY_YES)
		find(r, "linked-rows", false,
		    _("A pseudonym tells which rows of the table are one "
		      "patient's. It cannot be turned back without this "
		      "hospital's key, is another one in every study, and is "
		      "no feature of the model. All rows of a patient together "
		      "are "
		      "taken as what an intruder could know: at least %zu "
		      "patients have the same ones."),
		    r->after.smallest);
	if (s->privacy.date_shift > 0)
		find(r, "dates-shifted", false,
		    _("All dates of a patient are shifted by one secret number "
		      "of days, at most %zu either way; the days between them "
		      "stay exactly as they were. Who knows the days between "
		      "several of a patient's dates, or a date to within that "
		      "many days, is not stopped by it: what protects is that "
		      "dates are held to the size of groups."),
		    s->privacy.date_shift);
}

/* Groups that give a sensitive value away, however large they are. */
static void
find_certain(struct report *r)
{
	const struct study *s = r->in.study;
	struct names names = { "", 0 };

	for (size_t t = 0; t < s->n_table; t++) {
		const struct column_facts *f = &r->columns[s->table[t]];

		if (f->sensitive && !f->quiet && f->known_after.certain > 0)
			add(&names, _("%1$s (%2$.1f%% of the patients)"),
			    s->columns[s->table[t]].title,
			    100 * f->known_after.certain);
	}
	if (names.n > 0)
		find(r, "groups-of-one-value", true,
		    _("Some groups of patients who are alike all have the same "
		      "value: %s. Whoever knows that a patient is in such a "
		      "group knows the value, without finding the row. The "
		      "study can ask for more varied groups (diversity)."),
		    names.text);
}

void
findings_make(struct report *r)
{
	const struct study *s = r->in.study;

	if (s->n_quasi == 0)
		find(r, "no-quasi-identifier", true, "%s",
		    _("The study names nothing that an intruder could know "
		      "about a patient, so that no groups of similar patients "
		      "are formed. Ask the study's contact why."));
	if (s->learning.rounds != 0)
		find(r, "learning", false,
		    _("The study learns with differential privacy: all that "
		      "leaves is noised sums. What they tell of one patient is "
		      "limited to epsilon %1$g (delta %2$g): with 1 or less it "
		      "is hard to tell whether a given patient is in the data, "
		      "with 8 or more little is promised. What they tell of "
		      "this hospital as a whole is not limited."),
		    s->learning.epsilon, s->learning.delta);
	else if (s->privacy.cohort == STUDY_OPEN)
		find(r, "open-cohort", true, "%s",
		    _("The set of hospitals may change during the study: the "
		      "coordinator can deduce this hospital's totals, by "
		      "subtracting two sums of different sets."));
	find_source(r);
	find_undeclared(r);
	find_unique(r);
	find_secrets(r);
	if (s->n_quasi > 0) {
		find_certain(r);
		find_thresholds(r);
	}
	find_zip3(r);
	find_ages(r);
	if (r->in.patient != NULL && r->in.patients_suppressed > 0 &&
	    (double)r->in.patients_suppressed >
		LIMIT_SHARE * (double)r->in.most_suppressed)
		find(r, "much-suppressed", true,
		    _("%1$s patients lost rows because too few others resemble "
		      "them; the study allows up to %2$s. Patients with rare "
		      "traits are then missing from the result."),
		    words_count(r->in.patients_suppressed).text,
		    words_count(r->in.most_suppressed).text);
	if (r->in.patient == NULL && r->in.suppressed > 0 &&
	    (double)r->in.suppressed >
		LIMIT_SHARE * (double)r->in.most_suppressed)
		find(r, "much-suppressed", true,
		    _("%1$s rows were removed because too few others resemble "
		      "them; the study allows up to %2$s. Patients with rare "
		      "traits are then missing from the result."),
		    words_count(r->in.suppressed).text,
		    words_count(r->in.most_suppressed).text);
	if (r->in.smallest_k > s->privacy.k)
		find(r, "stricter-k", false,
		    _("This hospital's policy asks for groups of at least "
		      "%1$zu patients, the study for %2$zu; the policy was "
		      "followed."),
		    r->in.smallest_k, s->privacy.k);
}

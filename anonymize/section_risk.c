/* What an intruder could do with the table, in words and tables. */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include "anonymize/attack.h"
#include "anonymize/charts.h"
#include "anonymize/facts.h"
#include "anonymize/html.h"
#include "anonymize/rules.h"
#include "anonymize/sections.h"
#include "anonymize/words.h"
#include "common/catalogue.h"
#include "common/macros.h"
#include "study/study.h"

static void
quasi_identifiers(const struct study *s, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < s->n_quasi; i++)
		words_list(
		    out, size, i, s->n_quasi, s->columns[s->quasi[i]].title);
}

static void
who(struct html *h, const char *text)
{
	html_open(h, "tr", "class=\"who\"");
	html_element(h, "td", "colspan=\"3\"", "%s", text);
	html_close(h);
}

/* One intruder's three figures, before and after. */
static void
chances(struct html *h, const struct report *r, const double before[3],
    const double after[3])
{
	double threshold = r->in.study->privacy.risk_threshold;
	char above[96];

	section_row(h, _("best chance, for the patient who is easiest to find"),
	    (const char *[]){
		words_one_in(before[0]).text, words_one_in(after[0]).text },
	    2, "class=\"in\"");
	section_row(h, _("chance on average over the patients"),
	    (const char *[]){
		words_one_in(before[1]).text, words_one_in(after[1]).text },
	    2, "class=\"in\"");
	snprintf(above, sizeof(above),
	    _("patients for whom the chance is above %g%%"), 100 * threshold);
	section_row(h, above,
	    (const char *[]){
		words_percent(before[2]).text, words_percent(after[2]).text },
	    2, "class=\"in\"");
}

static void
risk_table(struct html *h, const struct report *r)
{
	const struct journalist *b = &r->journalist_before,
				*a = &r->journalist_after;
	const char *const titles[] = {
		_("Chance to point at the right row of the table"),
		_("in the source"), _("in the table")
	};

	html_open(h, "table", NULL);
	section_table(h, titles, nitems(titles));
	html_open(h, "tbody", NULL);
	who(h,
	    _("Somebody who knows that the patient is in the table, such as a "
	      "relative or a colleague (\"prosecutor\")"));
	chances(h, r,
	    (double[]){ r->before.highest, r->before.average, r->before.above },
	    (double[]){ r->after.highest, r->after.average, r->after.above });
	who(h,
	    _("Somebody who looks for a person and does not know whether the "
	      "person is in the table (\"journalist\")"));
	chances(h, r, (double[]){ b->highest, b->average, b->above },
	    (double[]){ a->highest, a->average, a->above });
	who(h,
	    _("Somebody who compares the table with a register of everybody "
	      "(\"marketer\")"));
	section_row(h, _("patients whom that gets right"),
	    (const char *[]){ words_percent(b->average).text,
		words_percent(a->average).text },
	    2, "class=\"in\"");
	who(h, _("Alone"));
	section_row(h, _("patients whom nobody else is like"),
	    (const char *[]){ words_percent(r->before.unique).text,
		words_percent(r->after.unique).text },
	    2, "class=\"in\"");
	if (r->in.study->privacy.population > 0)
		section_row(h,
		    _("people whom nobody else in the population is like "
		      "(estimated)"),
		    (const char *[]){
			words_percent(r->population_before.likely).text,
			words_percent(r->population_after.likely).text },
		    2, "class=\"in\"");
	html_close(h);
	html_close(h);
}

/* What the figures of the second and third intruder rest on. */
static void
the_population(struct html *h, const struct report *r)
{
	const struct population *p = &r->population_before;

	if (r->in.study->privacy.population == 0) {
		html_element(h, "p", "class=\"small soft\"", "%s",
		    _("The study does not say of how many people these "
		      "patients are a part. So nobody outside of the table is "
		      "counted on, and the figures of the journalist and the "
		      "marketer are upper bounds."));
		return;
	}
	html_element(h, "p", "class=\"small soft\"",
	    _("For the journalist and the marketer the patients are taken as "
	      "a random sample of the %1$s people whom the study names. How "
	      "many of these are alone can only be estimated; for the source, "
	      "models say %2$s (Pitman), %3$s (Zayatz) and %4$s (slide "
	      "negative binomial). Which one is taken follows a published "
	      "rule (Dankar and others, 2012). A dash: the model does not "
	      "fit."),
	    words_count((size_t)p->size).text, words_percent(p->pitman).text,
	    words_percent(p->zayatz).text, words_percent(p->slide).text);
}

/* What classes of patients keep beside their size, and how far they are from
   breaking it. */
static void
the_rules(struct html *h, const struct report *r)
{
	const struct models *m = &r->in.rules->models;

	if (m->n == 0 && m->average_risk == 0)
		return;
	html_element(h, "p", NULL, "%s",
	    _("The study asks for more, and every group of patients who are "
	      "alike keeps it:"));
	html_open(h, "ul", NULL);
	if (m->average_risk > 0)
		html_element(h, "li", NULL,
		    _("on average at most a 1 in %.0f chance to point at the "
		      "right row"),
		    1 / m->average_risk);
	for (size_t i = 0; i < m->n; i++) {
		char text[FACTS_TEXT_SIZE];

		rules_text(r->in.rules, &m->list[i], text, sizeof(text));
		html_open(h, "li", NULL);
		html_text(h, "%s", text);
		if (isfinite(r->in.worst[i]))
			html_text(h,
			    _(" (the group nearest to the limit: %.3g)"),
			    r->in.worst[i]);
		html_close(h);
	}
	html_close(h);
}

static void
the_attack(struct html *h, const struct report *r)
{
	const struct attack *a = r->in.attack;

	html_element(h, "h3", NULL, "%s", _("The attack was tried"));
	html_element(h, "p", NULL,
	    r->in.study->privacy.pseudonym == STUDY_YES
		? _("For each of the %1$s patients of the source, all of whose "
		    "complete rows were known, the patients of the table with "
		    "the same rows were looked up and one of them was picked. "
		    "%2$s had somebody like them, %3$s exactly one; the "
		    "patient picked was the right one %4$s times (%5$s).")
		: _("For each of the %1$s complete rows of the source, whose "
		    "values "
		    "were all known, the fitting rows of the table were looked "
		    "up "
		    "and one of them was picked. %2$s had a fitting row, %3$s "
		    "exactly one; the row picked was the right one %4$s times "
		    "(%5$s)."),
	    words_count(a->tried).text, words_count(a->fitting).text,
	    words_count(a->single).text, words_count(a->correct).text,
	    words_percent(
		a->tried > 0 ? (double)a->correct / (double)a->tried : 0)
		.text);
}

/* The pair that tells most patients of the source apart. */
static void
best_pair(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	const struct separation *best = NULL;

	for (size_t i = s->n_quasi; i < r->n_sets; i++)
		if (best == NULL ||
		    r->separate_before[i].separation > best->separation)
			best = &r->separate_before[i];
	if (best == NULL)
		return;
	html_element(h, "p", "class=\"small soft\"",
	    _("Of all pairs, \"%1$s\" and \"%2$s\" together tell most "
	      "patients of the source apart: %3$s of them differ in one of "
	      "the two."),
	    s->columns[s->quasi[best->a]].title,
	    s->columns[s->quasi[best->b]].title,
	    words_percent(best->separation).text);
}

static void
what_separates(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	struct separation before = separation_of(r->in.before),
			  after = separation_of(r->in.after);
	const char *const titles[] = {
		_("Take two patients: how often do they differ in it?"),
		_("in the source"), _("in the table")
	};

	html_element(
	    h, "h3", NULL, "%s", _("What an intruder would like to know"));
	html_open(h, "table", NULL);
	section_table(h, titles, nitems(titles));
	html_open(h, "tbody", NULL);
	for (size_t q = 0; q < s->n_quasi; q++)
		section_row(h, s->columns[s->quasi[q]].title,
		    (const char *[]){
			words_percent(r->separate_before[q].separation).text,
			words_percent(r->separate_after[q].separation).text },
		    2, NULL);
	if (s->n_quasi > 1)
		section_row(h, _("all of them together"),
		    (const char *[]){ words_percent(before.separation).text,
			words_percent(after.separation).text },
		    2, NULL);
	html_close(h);
	html_close(h);
	best_pair(h, r);
}

/* What a class tells about its patients. */
static void
what_groups_tell(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	const char *const titles[] = {
		_("Guessing the value of a patient in the table"),
		_("right without the group"), _("right with it"), _("certain")
	};
	bool any = false;

	for (size_t t = 0; t < s->n_table; t++) {
		const struct column_facts *f = &r->columns[s->table[t]];
		const struct disclosure *d = &f->known_after;
		const char *title = s->columns[s->table[t]].title;

		if (!f->sensitive)
			continue;
		if (!any) {
			html_element(h, "h3", NULL, "%s",
			    _("What a group gives away without any row being "
			      "found"));
			html_open(h, "table", NULL);
			section_table(h, titles, nitems(titles));
			html_open(h, "tbody", NULL);
		}
		any = true;
		if (f->quiet) {
			html_open(h, "tr", NULL);
			html_element(h, "td", NULL, "%s", title);
			html_element(h, "td", "class=\"n\" colspan=\"3\"", "%s",
			    _("too few to say"));
			html_close(h);
		} else {
			section_row(h, title,
			    (const char *[]){ words_percent(d->anyway).text,
				words_percent(d->right).text,
				words_percent(d->certain).text },
			    3, NULL);
		}
	}
	if (!any)
		return;
	html_close(h);
	html_close(h);
	html_element(h, "p", "class=\"small soft\"", "%s",
	    _("Whoever knows in which group of alike patients somebody is can "
	      "guess the commonest value of that group. \"Certain\" are "
	      "the patients in whose group all have the same value."));
}

void
section_risk(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	char known[1024];

	section_heading(h, _("What an intruder could do with the table"));
	if (s->n_quasi == 0) {
		html_element(h, "p", NULL, "%s",
		    _("The study declares no column that an intruder could "
		      "know."));
		return;
	}
	quasi_identifiers(s, known, sizeof(known));
	html_open(h, "p", NULL);
	html_rich(h,
	    _("The table stays in this hospital. Suppose that somebody gets "
	      "hold of it all the same, knows that a certain patient is in it, "
	      "and knows this patient's %1$s. In the table at least <b>%2$zu "
	      "patients</b> are alike in all of these: the intruder has at "
	      "best a <b>1 in %2$zu</b> chance to point at the right row, on "
	      "average %3$s."),
	    known, r->after.smallest, words_one_in(r->after.average).text);
	html_text(h, " ");
	html_text(h,
	    _("Groups of at least %1$zu were asked for (by the study %2$zu, by "
	      "this hospital's policy %3$zu)."),
	    r->in.k, s->privacy.k, MAX(r->in.smallest_k, 1));
	html_close(h);
	the_rules(h, r);
	risk_table(h, r);
	the_population(h, r);
	the_attack(h, r);
	html_element(h, "h3", NULL, "%s",
	    _("How many patients are in a group of how many who are alike"));
	chart_sizes(h, r);
	what_separates(h, r);
	what_groups_tell(h, r);
}

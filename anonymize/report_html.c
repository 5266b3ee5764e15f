/* The report for people: one page, no script, nothing from outside. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "anonymize/attack.h"
#include "anonymize/facts.h"
#include "anonymize/html.h"
#include "anonymize/report.h"
#include "anonymize/rows.h"
#include "anonymize/rules.h"
#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "study/study.h"
#include "study/table.h"

static const char style[] =
    ":root{--ink:#1d2733;--soft:#5b6876;--line:#d5dce3;--pale:#f3f6f8;"
    "--main:#14616f;--mid:#8fb9c1;--warn:#a4480b;--warnbg:#fdf3ea;"
    "--ok:#1d6b3f;--okbg:#edf7f0}"
    "*{box-sizing:border-box}"
    "body{font:1rem/1.5 system-ui,'Segoe UI',Roboto,'Liberation Sans',"
    "sans-serif;color:var(--ink);margin:0;background:#fff}"
    "main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 3rem}"
    "h1{font-size:1.7rem;line-height:1.25;margin:.1rem 0 .4rem}"
    "h2{font-size:1.2rem;margin:2.4rem 0 .7rem;padding-bottom:.25rem;"
    "border-bottom:2px solid var(--main)}"
    "h3{font-size:1rem;margin:0 0 .3rem}"
    "p{margin:.4rem 0 .8rem;max-width:48rem}"
    "ul{margin:.3rem 0;padding-left:1.2rem}li{margin:.2rem 0}"
    ".over{color:var(--main);font-weight:600;letter-spacing:.02em;margin:0}"
    ".soft{color:var(--soft)}.small{font-size:.86rem}"
    ".facts{display:grid;grid-template-columns:repeat(4,1fr);gap:.8rem;"
    "margin:1.3rem 0}"
    ".fact{background:var(--pale);border-radius:.4rem;padding:.75rem .9rem}"
    ".fact b{display:block;font-size:1.55rem;line-height:1.2;"
    "color:var(--main)}"
    ".two{display:grid;grid-template-columns:1fr 1fr;gap:1rem}"
    ".card{border:1px solid var(--line);border-radius:.4rem;"
    "padding:.8rem 1rem}"
    ".never{background:var(--okbg);border-color:#bfe0cb}"
    ".finding{border-left:.3rem solid var(--warn);background:var(--warnbg);"
    "padding:.6rem .9rem;margin:.6rem 0;border-radius:0 .4rem .4rem 0}"
    ".note{border-color:var(--mid);background:var(--pale)}"
    ".finding p{margin:0;max-width:none}"
    "dl{display:grid;grid-template-columns:12rem 1fr;gap:.35rem 1rem;"
    "margin:.5rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "th{text-align:left;font-weight:600;color:var(--soft);"
    "border-bottom:1px solid var(--ink);padding:.3rem .6rem .3rem 0;"
    "vertical-align:bottom}"
    "td{border-bottom:1px solid var(--line);padding:.45rem .6rem .45rem 0;"
    "vertical-align:top}"
    "td.n,th.n{text-align:right;white-space:nowrap}"
    ".tag{display:inline-block;font-size:.78rem;border-radius:.8rem;"
    "padding:.05rem .55rem;background:var(--pale);white-space:nowrap}"
    ".direct-identifier{background:#fbe3e0;color:#8c1d10}"
    ".quasi-identifier{background:#fdf0d2;color:#7a4b00}"
    ".sensitive{background:#e6e9f8;color:#2f3b8f}"
    "code,.hex{font-family:ui-monospace,'Liberation Mono',monospace;"
    "font-size:.84rem;overflow-wrap:anywhere}"
    "pre{background:var(--pale);padding:.7rem .9rem;border-radius:.4rem;"
    "overflow-x:auto;white-space:pre-wrap;margin:.4rem 0}"
    "svg{max-width:100%;height:auto;display:block}"
    "svg text{font-family:system-ui,'Segoe UI',Roboto,'Liberation Sans',"
    "sans-serif;fill:var(--ink)}"
    ".wide{overflow-x:auto}"
    "@media(max-width:640px){.facts{grid-template-columns:1fr 1fr}"
    ".two{grid-template-columns:1fr}dl{grid-template-columns:1fr;gap:0}"
    "dd{margin-bottom:.5rem}.wide table,.wide>svg{min-width:40rem}}"
    "@page{size:A4;margin:16mm 15mm}"
    "@media print{html{font-size:9.6pt}main{padding:0;max-width:none}"
    ".wide>svg{width:145mm}"
    "h2{margin-top:1.4rem}h2,h3{break-after:avoid}"
    ".card,.finding,.fact,tr,svg{break-inside:avoid}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

/* "1 row", "2 rows" */
static void
counted(struct html *h, size_t n, const char *one, const char *many)
{
	html_text(h, "%zu %s", n, n == 1 ? one : many);
}

/*
 * Pictures.
 */

static void
svg_box(struct html *h, int y, size_t n, const char *what, const char *fill)
{
	html_markup(h,
	    "<rect x=\"4\" y=\"%d\" width=\"330\" height=\"46\" rx=\"6\" "
	    "fill=\"%s\" stroke=\"#14616f\"/>",
	    y, fill);
	html_markup(h,
	    "<text x=\"24\" y=\"%d\" font-size=\"19\" font-weight=\"700\">%zu"
	    "</text>",
	    y + 30, n);
	html_markup(h, "<text x=\"100\" y=\"%d\" font-size=\"14\">", y + 28);
	html_text(h, "%s", what);
	html_markup(h, "</text>\n");
}

/* An arrow down from the box at y, and what leaves the flow on its way. */
static void
svg_step(struct html *h, int y, size_t n, const char *what, const char *why)
{
	html_markup(h,
	    "<path d=\"M169 %d v64 m-5 -7 l5 7 l5 -7\" fill=\"none\" "
	    "stroke=\"#14616f\" stroke-width=\"1.6\"/>"
	    "<path d=\"M169 %d h203 m-7 -5 l7 5 l-7 5\" fill=\"none\" "
	    "stroke=\"#5b6876\" stroke-width=\"1.2\"/>",
	    y + 46, y + 76);
	html_markup(h,
	    "<rect x=\"376\" y=\"%d\" width=\"400\" height=\"52\" rx=\"6\" "
	    "fill=\"#fff\" stroke=\"#d5dce3\"/>"
	    "<text x=\"392\" y=\"%d\" font-size=\"15\" font-weight=\"700\">%zu"
	    "</text>",
	    y + 50, y + 71, n);
	html_markup(h, "<text x=\"440\" y=\"%d\" font-size=\"14\">", y + 71);
	html_text(h, "%s", what);
	html_markup(h,
	    "</text><text x=\"440\" y=\"%d\" font-size=\"12.5\" "
	    "style=\"fill:#5b6876\">",
	    y + 90);
	html_text(h, "%s", why);
	html_markup(h, "</text>\n");
}

static void
flow(struct html *h, const struct report *r)
{
	const struct rows *rows = r->in.rows;
	char why[96];

	html_open(h, "svg",
	    "viewBox=\"0 0 780 384\" width=\"780\" role=\"img\" "
	    "aria-label=\"From the source's rows to the table's\"");
	svg_step(h, 0, rows->n_rejected, "rejected",
	    "a value that the codebook does not allow");
	svg_step(h, 110, rows->n_incomplete, "incomplete",
	    "a value is missing that the study needs");
	snprintf(
	    why, sizeof(why), "fewer than %zu patients are like them", r->in.k);
	svg_step(h, 220, r->in.suppressed, "suppressed", why);
	svg_box(h, 0, rows->n_read, "rows read from the source", "#fff");
	svg_box(h, 110, rows->n_read - rows->n_rejected,
	    "rows as the codebook asks", "#fff");
	svg_box(h, 220, rows->n, "complete rows", "#fff");
	svg_box(h, 330, r->in.table->n_rows, "rows in the anonymized table",
	    "#e3f0f2");
	html_close(h);
}

static void
sizes_chart(struct html *h, const struct report *r)
{
	size_t most = 1;

	for (size_t i = 0; i < FACTS_SIZES; i++)
		most = MAX(most, r->sizes[i].patients);
	html_open(h, "svg",
	    "viewBox=\"0 0 780 190\" width=\"780\" role=\"img\" "
	    "aria-label=\"Patients by the size of their group\"");
	for (size_t i = 0; i < FACTS_SIZES; i++) {
		const struct class_sizes *c = &r->sizes[i];
		int y = 4 + 37 * (int)i;
		double width = 400 * (double)c->patients / (double)most;

		html_markup(h,
		    "<text x=\"150\" y=\"%d\" font-size=\"14\" "
		    "text-anchor=\"end\">",
		    y + 19);
		if (i == 0)
			html_text(h, "fewer than %zu alike", c->to + 1);
		else if (c->to == 0)
			html_text(h, "%zu or more alike", c->from);
		else
			html_text(h, "%zu to %zu alike", c->from, c->to);
		html_markup(h,
		    "</text><rect x=\"162\" y=\"%d\" width=\"%.1f\" "
		    "height=\"28\" rx=\"3\" fill=\"%s\"/>",
		    y, MAX(width, 1.5), i == 0 ? "#a4480b" : "#14616f");
		html_markup(h, "<text x=\"%.1f\" y=\"%d\" font-size=\"14\">",
		    172 + width, y + 19);
		if (c->patients == 0)
			html_text(h, "nobody");
		else
			html_text(h, "%zu patients in %zu %s", c->patients,
			    c->classes, c->classes == 1 ? "group" : "groups");
		html_markup(h, "</text>\n");
	}
	html_close(h);
}

/* Bars of a column's values; a hidden one is hatched and of one height. */
static void
bins_chart(struct html *h, const struct column_facts *f)
{
	size_t most = 1;
	double step = 170.0 / (double)f->n_bins;

	for (size_t g = 0; g < f->n_bins; g++)
		if (!f->bins[g].hidden)
			most = MAX(most, f->bins[g].count);
	html_open(h, "svg",
	    "viewBox=\"0 0 172 58\" width=\"172\" role=\"img\" "
	    "aria-label=\"Patients by value\"");
	html_markup(
	    h, "<path d=\"M0 42.5 h172\" stroke=\"#5b6876\" fill=\"none\"/>");
	for (size_t g = 0; g < f->n_bins; g++) {
		const struct bin *b = &f->bins[g];
		double height =
		    b->hidden ? 7 : 40 * (double)b->count / (double)most;

		if (b->count == 0)
			continue;
		html_markup(h,
		    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		    "height=\"%.1f\" fill=\"%s\"><title>",
		    1 + (double)g * step, 42 - MAX(height, 0.8),
		    MAX(step - 2, 2), MAX(height, 0.8),
		    b->hidden ? "url(#few)" : "#14616f");
		if (b->hidden)
			html_text(h, "%s: too few to show", b->label);
		else
			html_text(h, "%s: %zu patients", b->label, b->count);
		html_markup(h, "</title></rect>");
	}
	html_markup(h, "<text x=\"0\" y=\"55\" font-size=\"11\">");
	html_text(h, "%.20s", f->bins[0].label);
	html_markup(h,
	    "</text><text x=\"172\" y=\"55\" font-size=\"11\" "
	    "text-anchor=\"end\">");
	if (f->n_bins > 1)
		html_text(h, "%.20s", f->bins[f->n_bins - 1].label);
	html_markup(h, "</text>");
	html_close(h);
}

/*
 * Sections.
 */

static void
fact(struct html *h, const char *number, const char *what)
{
	html_open(h, "div", "class=\"fact\"");
	html_element(h, "b", NULL, "%s", number);
	html_text(h, "%s", what);
	html_close(h);
}

static void
head(struct html *h, const struct report *r)
{
	char made[CLOCK_TEXT_SIZE], text[48];
	size_t decide = 0;

	clock_text(r->in.utc, made);
	html_element(h, "p", "class=\"over\"",
	    "Anonymization report \302\267 %s", r->in.site);
	html_element(h, "h1", NULL, "%s", r->in.study->title);
	html_element(h, "p", "class=\"soft\"",
	    "Study \"%s\", prepared %.10s at %.5s UTC, for the privacy officer "
	    "of this hospital.",
	    r->in.study->name, made, made + 11);
	for (size_t i = 0; i < r->n_findings; i++)
		decide += r->findings[i].decide;
	html_open(h, "div", "class=\"facts\"");
	snprintf(text, sizeof(text), "%zu", r->in.table->n_rows);
	fact(h, text, "patients in the table that the study computes with");
	fact(h, "0", "patient records that leave this hospital");
	snprintf(text, sizeof(text), "1 in %zu", r->after.smallest);
	fact(h, text, "an intruder's best chance to point at the right row");
	snprintf(text, sizeof(text), "%zu", decide);
	fact(h, text,
	    decide == 1 ? "finding that needs your decision"
			: "findings that need your decision");
	html_close(h);
}

static void
item(struct html *h, const char *term, const char *text)
{
	html_element(h, "dt", NULL, "%s", term);
	html_element(h, "dd", NULL, "%s", text);
}

static void
the_study(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	static const char *const kinds[] = {
		[STUDY_COX] = "a Cox model (time to an event)",
		[STUDY_LOGISTIC] = "a logistic regression (yes or no)",
		[STUDY_GLM] = "a regression (a number)",
		[STUDY_KM] = "survival by groups (time to an event)",
		[STUDY_SUMMARY] =
		    "descriptive statistics: numbers of patients, means, "
		    "distributions",
	};
	char expires[STUDY_DATE_TEXT_SIZE];

	study_date_text(s->expires, expires);
	html_element(h, "h2", NULL, "The study");
	html_open(h, "dl", NULL);
	item(h, "Purpose", s->purpose);
	item(h, "Legal basis", s->legal_basis);
	item(h, "Ethics", s->ethics);
	item(h, "Responsible", s->contact);
	html_element(h, "dt", NULL, "What is computed");
	if (s->model.feasibility == STUDY_YES)
		html_element(h, "dd", NULL,
		    "how many patients could take part in %s, and what is "
		    "missing",
		    kinds[s->model.kind]);
	else if (study_outcome(s) == STUDY_NONE)
		html_element(h, "dd", NULL, "%s", kinds[s->model.kind]);
	else
		html_element(h, "dd", NULL, "%s of \"%s\"",
		    kinds[s->model.kind], s->columns[study_outcome(s)].title);
	if (s->sites.n > 0) {
		html_element(h, "dt", NULL, "Hospitals");
		html_open(h, "dd", NULL);
		for (size_t i = 0; i < s->sites.n; i++)
			html_text(
			    h, "%s%s", i > 0 ? ", " : "", s->sites.items[i]);
		html_close(h);
	}
	item(h, "Ends", expires);
	html_close(h);
}

static void
what_leaves(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	bool any = false;

	html_element(
	    h, "h2", NULL, "What leaves this hospital, and what never does");
	html_open(h, "div", "class=\"two\"");
	html_open(h, "div", "class=\"card\"");
	html_element(h, "h3", NULL, "Leaves");
	html_open(h, "ul", NULL);
	html_element(h, "li", NULL,
	    "Totals over all rows of the table: numbers of patients, sums and "
	    "sums of products of the columns that the model reads.");
	html_element(h, "li", NULL,
	    "They are masked before they leave: the coordinator can add up "
	    "the hospitals' numbers, and reads the sum over all "
	    "hospitals only, not this one's.");
	html_element(h, "li", NULL,
	    "The result that everybody gets: the model's coefficients.");
	html_close(h);
	html_close(h);
	html_open(h, "div", "class=\"card never\"");
	html_element(h, "h3", NULL, "Never leaves");
	html_open(h, "ul", NULL);
	html_element(h, "li", NULL,
	    "Any row, whether of the source or of the anonymized table.");
	html_open(h, "li", NULL);
	html_text(h, "What names a patient directly: ");
	for (size_t i = 0; i < s->n_columns; i++)
		if (s->columns[i].privacy == STUDY_DIRECT) {
			html_text(
			    h, "%s%s", any ? ", " : "", s->columns[i].title);
			any = true;
		}
	html_text(h,
	    any ? ". These are not even in the table."
		: "the study declares no such column.");
	html_close(h);
	html_element(h, "li", NULL,
	    "This report and the log. No value of a single patient is in "
	    "either.");
	html_close(h);
	html_close(h);
	html_close(h);
}

static void
the_rows(struct html *h, const struct report *r)
{
	html_element(h, "h2", NULL, "From the source to the table");
	html_open(h, "div", "class=\"wide\"");
	flow(h, r);
	html_close(h);
	html_open(h, "p", "class=\"small soft\"");
	html_text(h, "Source: %s. The study lets ", r->in.source);
	counted(h, r->in.most_suppressed, "row", "rows");
	html_text(h,
	    " be suppressed (%g%% of the complete ones). The table's rows are "
	    "sorted by their values, so that nothing of the source's order "
	    "is left.",
	    100 * r->in.study->privacy.suppression_limit);
	html_close(h);
}

static void
known(struct html *h, const struct study *s)
{
	for (size_t i = 0; i < s->n_quasi; i++)
		html_text(h, "%s%s",
		    i == 0                   ? ""
			: i + 1 < s->n_quasi ? ", "
					     : " and ",
		    s->columns[s->quasi[i]].title);
}

static void
risk_row(
    struct html *h, const char *what, const char *before, const char *after)
{
	html_open(h, "tr", NULL);
	html_element(h, "td", NULL, "%s", what);
	html_element(h, "td", "class=\"n\"", "%s", before);
	html_element(h, "td", "class=\"n\"", "%s", after);
	html_close(h);
}

static void
risk_table(struct html *h, const struct risk *before, const struct risk *after)
{
	char a[32], b[32];

	html_open(h, "table", NULL);
	html_markup(h,
	    "<tr><th>To find the row of a known patient</th>"
	    "<th class=\"n\">in the source</th>"
	    "<th class=\"n\">in the table</th></tr>");
	snprintf(a, sizeof(a), "1 in %zu", before->smallest);
	snprintf(b, sizeof(b), "1 in %zu", after->smallest);
	risk_row(
	    h, "best chance, for the patient who is easiest to find", a, b);
	snprintf(a, sizeof(a), "1 in %.1f", 1 / before->average);
	snprintf(b, sizeof(b), "1 in %.1f", 1 / after->average);
	risk_row(h, "chance on average over the patients", a, b);
	snprintf(a, sizeof(a), "%.1f%%", 100 * before->above);
	snprintf(b, sizeof(b), "%.1f%%", 100 * after->above);
	risk_row(h, "patients for whom the chance is above 9%", a, b);
	snprintf(a, sizeof(a), "%.1f%%", 100 * before->unique);
	snprintf(b, sizeof(b), "%.1f%%", 100 * after->unique);
	risk_row(h, "patients whom nobody else is like", a, b);
	html_close(h);
}

/* What classes of patients keep beside their size, and how far they are from
   breaking it. */
static void
the_rules(struct html *h, const struct report *r)
{
	const struct models *m = &r->in.rules->models;

	if (m->n == 0 && m->average_risk == 0)
		return;
	html_element(h, "p", NULL,
	    "The study asks for more, and every group of patients who are "
	    "alike keeps it:");
	html_open(h, "ul", NULL);
	if (m->average_risk > 0)
		html_element(h, "li", NULL,
		    "on average at most a 1 in %.0f chance to point at the "
		    "right row",
		    1 / m->average_risk);
	for (size_t i = 0; i < m->n; i++) {
		char text[FACTS_TEXT_SIZE];

		rules_text(r->in.rules, &m->list[i], text, sizeof(text));
		html_open(h, "li", NULL);
		html_text(h, "%s", text);
		if (isfinite(r->in.worst[i]))
			html_text(h, " (the group nearest to the limit: %.3g)",
			    r->in.worst[i]);
		html_close(h);
	}
	html_close(h);
}

static void
the_attack(struct html *h, const struct report *r)
{
	const struct attack *a = r->in.attack;

	html_element(h, "p", NULL,
	    "This was tried: for each of the %zu complete patients of the "
	    "source, whose values were all known, the fitting rows of the "
	    "table were looked up and one of them was picked. A row fitted "
	    "%zu of them, exactly one row %zu; the row picked was the right "
	    "one %zu times (%.2f%%).",
	    a->tried, a->fitting, a->single, a->correct,
	    a->tried > 0 ? 100 * (double)a->correct / (double)a->tried : 0);
	if (r->in.study->privacy.population == 0 ||
	    isnan(r->population_before.likely))
		return;
	html_element(h, "p", NULL,
	    "Of %.0f people, of whom the patients are a sample, an estimated "
	    "%.2f%% are the only ones with their values before recoding; %s.",
	    r->population_before.size, 100 * r->population_before.likely,
	    r->after.unique > 0 ? "some still are in the table"
				: "in the table nobody is alone any more");
}

static void
the_risk(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;

	html_element(h, "h2", NULL, "What an intruder could do with the table");
	if (s->n_quasi == 0) {
		html_element(h, "p", NULL,
		    "The study declares no column that an intruder could "
		    "know.");
		return;
	}
	html_open(h, "p", NULL);
	html_text(h,
	    "Suppose that somebody gets hold of the table, knows that a "
	    "certain patient is in it, and knows this patient's ");
	known(h, s);
	html_text(h, ". In the table at least ");
	html_element(h, "strong", NULL, "%zu patients", r->after.smallest);
	html_text(h, " are alike in all of these: the intruder has at best a ");
	html_element(h, "strong", NULL, "1 in %zu", r->after.smallest);
	html_text(h,
	    " chance to point at the right row, on average 1 in %.0f. At least "
	    "%zu alike were asked for (by the study %zu, by this hospital's "
	    "policy %zu).",
	    1 / r->after.average, r->in.k, s->privacy.k,
	    MAX(r->in.smallest_k, 1));
	html_close(h);
	the_rules(h, r);
	risk_table(h, &r->before, &r->after);
	the_attack(h, r);
	html_element(h, "p", "style=\"margin-top:1.2rem\"",
	    "How many patients are in a group of how many who are alike:");
	html_open(h, "div", "class=\"wide\"");
	sizes_chart(h, r);
	html_close(h);
}

static void
the_findings(struct html *h, const struct report *r)
{
	html_element(h, "h2", NULL, "Findings");
	if (r->n_findings == 0)
		html_element(
		    h, "p", NULL, "Nothing was found that needs a decision.");
	for (int decide = 1; decide >= 0; decide--)
		for (size_t i = 0; i < r->n_findings; i++) {
			if (r->findings[i].decide != decide)
				continue;
			html_open(h, "div",
			    decide ? "class=\"finding\""
				   : "class=\"finding note\"");
			html_open(h, "p", NULL);
			html_element(h, "strong", NULL, "%s",
			    decide ? "Needs your decision. "
				   : "Good to know. ");
			html_text(h, "%s", r->findings[i].text);
			html_close(h);
			html_close(h);
		}
}

static void
column_row(struct html *h, const struct report *r, size_t i)
{
	const struct study_column *c = &r->in.study->columns[i];
	const struct column_facts *f = &r->columns[i];
	char class[48];

	html_open(h, "tr", NULL);
	html_open(h, "td", NULL);
	html_element(h, "strong", NULL, "%s", c->title);
	if (c->unit != NULL)
		html_text(h, " (%s)", c->unit);
	if (strcmp(c->title, c->name) != 0)
		html_element(h, "div", "class=\"small soft\"", "%s", c->name);
	html_close(h);
	html_open(h, "td", NULL);
	snprintf(class, sizeof(class), "class=\"tag %s\"",
	    facts_privacy(c->privacy));
	html_element(h, "span", class, "%s",
	    c->privacy == STUDY_PLAIN ? "not sensitive"
				      : facts_privacy(c->privacy));
	if (c->use != STUDY_IGNORED)
		html_element(
		    h, "div", "class=\"small soft\"", "%s", facts_use(c->use));
	html_close(h);
	html_element(h, "td", NULL, "%s", f->done);
	if (!f->in_table) {
		html_markup(h, "<td class=\"n\">nothing</td><td></td>");
		html_close(h);
		return;
	}
	html_open(h, "td", "class=\"n\"");
	html_text(h, "%.0f%%", 100 * f->left);
	html_element(h, "div", "class=\"small soft\"", "%zu of %zu values",
	    f->distinct_after, f->distinct_before);
	html_close(h);
	html_open(h, "td", NULL);
	if (f->n_bins > 0)
		bins_chart(h, f);
	html_close(h);
	html_close(h);
}

static void
the_columns(struct html *h, const struct report *r)
{
	html_element(h, "h2", NULL, "Every column");
	html_markup(h,
	    "<svg width=\"0\" height=\"0\" style=\"position:absolute\" "
	    "aria-hidden=\"true\"><defs><pattern id=\"few\" width=\"4\" "
	    "height=\"4\" patternUnits=\"userSpaceOnUse\" "
	    "patternTransform=\"rotate(45)\"><path d=\"M0 0 v4\" "
	    "stroke=\"#5b6876\" stroke-width=\"1.6\"/></pattern></defs></svg>");
	html_open(h, "div", "class=\"wide\"");
	html_open(h, "table", NULL);
	html_markup(h,
	    "<thead><tr><th>Column</th><th>Role</th><th>What was done</th>"
	    "<th class=\"n\">What is left</th>"
	    "<th style=\"width:12rem\">Patients by value</th></tr></thead>");
	html_open(h, "tbody", NULL);
	for (size_t i = 0; i < r->in.study->n_columns; i++)
		column_row(h, r, i);
	html_close(h);
	html_close(h);
	html_close(h);
	html_element(h, "p", "class=\"small soft\"",
	    "What is left: how much of the column's information (Shannon's "
	    "entropy) the table still has. A hatched bar stands for fewer than "
	    "%zu patients, or for a number from which such a one could be "
	    "computed; its height means nothing.",
	    r->in.k);
	if (r->in.rows->n_extra == 0)
		return;
	html_open(h, "p", "class=\"small\"");
	html_text(h, "In the source, not in the study, removed: ");
	for (size_t i = 0; i < r->in.rows->n_extra; i++)
		html_text(h, "%s%s", i > 0 ? ", " : "", r->in.rows->extra[i]);
	html_close(h);
}

/* The 18 identifiers of HIPAA's Safe Harbor, and where they were found. */
static void
the_harbor(struct html *h, const struct report *r)
{
	const struct detect_harbor *items = detect_harbor();
	const struct rows *rows = r->in.rows;

	html_element(h, "h2", NULL, "The 18 identifiers of HIPAA");
	html_element(h, "p", NULL,
	    "What Safe Harbor (45 CFR 164.514) wants removed, and which "
	    "columns of the source look like it, beside those that the study "
	    "declares to be direct identifiers. A machine that finds nothing "
	    "proves nothing.");
	html_open(h, "div", "class=\"wide\"");
	html_open(h, "table", NULL);
	html_open(h, "tbody", NULL);
	for (size_t i = 0; i < DETECT_HARBOR; i++) {
		size_t n = 0;

		html_open(h, "tr", NULL);
		html_element(h, "td", "class=\"n\"", "%zu", i + 1);
		html_element(h, "td", NULL, "%s", items[i].text);
		html_open(h, "td", NULL);
		for (size_t c = 0; c < rows->n_seen; c++) {
			const struct rows_seen *seen = &rows->seen[c];

			if (!facts_looks_like(seen, items[i].kinds))
				continue;
			html_text(h, "%s%s%s", n++ > 0 ? ", " : "", seen->name,
			    seen->column == STUDY_NONE ||
				    !r->columns[seen->column].in_table
				? " (removed)"
				: "");
		}
		if (n == 0)
			html_text(h, "%s",
			    items[i].kinds != 0 ? "not found"
						: "not looked for");
		html_close(h);
		html_close(h);
	}
	html_close(h);
	html_close(h);
	html_close(h);
}

static void
the_decision(struct html *h, const struct report *r)
{
	const char *name = r->in.study->name;
	char hex[2 * HASH_LEN + 1];

	html_element(h, "h2", NULL, "Your decision");
	html_element(h, "p", NULL,
	    "Nothing of this table is used until you approve it, and an "
	    "approval can be taken back. It is a signature over exactly this "
	    "study, this report and this table; if one of them changes, it "
	    "does not hold any more. It ends with the study.");
	html_open(h, "pre", NULL);
	html_open(h, "code", NULL);
	html_text(h,
	    "consiliumctl approve --socket SOCKET %s --key OFFICER.key\n"
	    "consiliumctl refuse  --socket SOCKET %s --key OFFICER.key\n"
	    "consiliumctl revoke  --socket SOCKET %s --key OFFICER.key",
	    name, name, name);
	html_close(h);
	html_close(h);
	html_open(h, "dl", "class=\"small\"");
	html_element(h, "dt", NULL, "Study (SHA-256)");
	hex_text(r->in.study_digest, HASH_LEN, hex);
	html_element(h, "dd", "class=\"hex\"", "%s", hex);
	html_element(h, "dt", NULL, "Table (SHA-256)");
	hex_text(r->in.table_digest, HASH_LEN, hex);
	html_element(h, "dd", "class=\"hex\"", "%s", hex);
	html_element(h, "dt", NULL, "This report");
	html_element(h, "dd", NULL,
	    "its digest stands in report.json, and that file's digest is what "
	    "is signed");
	html_close(h);
}

int
report_html(const struct report *r, struct canon *out, struct err *err)
{
	struct html h = html_start(out);

	html_markup(&h, "<!DOCTYPE html>\n");
	html_open(&h, "html", "lang=\"en\"");
	html_open(&h, "head", NULL);
	html_markup(&h,
	    "<meta charset=\"utf-8\"><meta name=\"viewport\" "
	    "content=\"width=device-width,initial-scale=1\">"
	    "<meta http-equiv=\"Content-Security-Policy\" "
	    "content=\"default-src 'none';style-src 'unsafe-inline'\">\n");
	html_element(&h, "title", NULL, "Anonymization report: %s, %s",
	    r->in.study->name, r->in.site);
	html_open(&h, "style", NULL);
	html_markup(&h, "%s", style);
	html_close(&h);
	html_close(&h);
	html_open(&h, "body", NULL);
	html_open(&h, "main", NULL);
	head(&h, r);
	the_study(&h, r);
	what_leaves(&h, r);
	the_rows(&h, r);
	the_risk(&h, r);
	the_findings(&h, r);
	the_columns(&h, r);
	the_harbor(&h, r);
	the_decision(&h, r);
	html_close(&h);
	html_close(&h);
	html_close(&h);
	if (out->failed)
		return err_sys(err, "memory for the report");
	return 0;
}

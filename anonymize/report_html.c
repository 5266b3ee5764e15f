/* The report for people: one page, no script, nothing from outside. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "anonymize/attack.h"
#include "anonymize/charts.h"
#include "anonymize/facts.h"
#include "anonymize/html.h"
#include "anonymize/report.h"
#include "anonymize/rows.h"
#include "anonymize/sections.h"
#include "anonymize/rules.h"
#include "anonymize/words.h"
#include "common/canon.h"
#include "common/catalogue.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "study/study.h"
#include "study/table.h"

#define FONTS                                                                  \
	"system-ui,'Segoe UI',Roboto,'Liberation Sans','PingFang SC',"         \
	"'Microsoft YaHei','Noto Sans CJK SC',sans-serif"

static const char style[] =
    ":root{--ink:#1d2733;--soft:#4f5b68;--line:#d5dce3;--pale:#f3f6f8;"
    "--main:#14616f;--mid:#6fa3ad;--warn:#a4480b;--warnbg:#fdf3ea;"
    "--ok:#1d6b3f;--okbg:#edf7f0}"
    "*{box-sizing:border-box}"
    "body{font:1rem/1.55 " FONTS ";color:var(--ink);margin:0;background:#fff}"
    "main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 3rem}"
    "h1{font-size:1.7rem;line-height:1.25;margin:.1rem 0 .4rem}"
    "h2{font-size:1.25rem;margin:2.6rem 0 .8rem;padding-bottom:.25rem;"
    "border-bottom:2px solid var(--main)}"
    "h3{font-size:1rem;margin:1.4rem 0 .3rem}.card h3{margin-top:0}"
    "p{margin:.4rem 0 .8rem;max-width:48rem}"
    "ul{margin:.3rem 0;padding-left:1.2rem}li{margin:.25rem 0}"
    ".over{color:var(--main);font-weight:600;margin:0}"
    ".soft{color:var(--soft)}.small{font-size:.88rem}"
    ".facts{display:grid;grid-template-columns:repeat(4,1fr);gap:.8rem;"
    "margin:1.3rem 0}"
    ".fact{background:var(--pale);border-radius:.4rem;padding:.75rem .9rem}"
    ".fact b{display:block;font-size:1.55rem;line-height:1.25;"
    "color:var(--main)}"
    ".fact.warn{background:var(--warnbg)}.fact.warn b{color:var(--warn)}"
    ".two{display:grid;grid-template-columns:1fr 1fr;gap:1rem}"
    ".card{border:1px solid var(--line);border-radius:.4rem;"
    "padding:.8rem 1rem}"
    ".never{background:var(--okbg);border-color:#bfe0cb}"
    ".finding{border-left:.3rem solid var(--warn);background:var(--warnbg);"
    "padding:.6rem .9rem;margin:.6rem 0;border-radius:0 .4rem .4rem 0}"
    ".note{border-color:var(--mid);background:var(--pale)}"
    ".finding p{margin:0;max-width:none;overflow-wrap:anywhere}"
    "dl{display:grid;grid-template-columns:12rem 1fr;gap:.35rem 1rem;"
    "margin:.5rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%;font-size:.92rem;"
    "margin:.4rem 0 1rem}"
    "th{text-align:left;font-weight:600;color:var(--soft);"
    "border-bottom:1px solid var(--ink);padding:.3rem .7rem .3rem 0;"
    "vertical-align:bottom}"
    "td{border-bottom:1px solid var(--line);padding:.45rem .7rem .45rem 0;"
    "vertical-align:top;overflow-wrap:break-word}"
    "td.n,th.n{text-align:right;white-space:nowrap}"
    "tr.who td{padding-top:.9rem;border-bottom:0;font-weight:600}"
    "tr.who+tr td,tr.in td:first-child{padding-left:0}"
    "tr.in td:first-child{padding-left:1rem}"
    ".tag{display:inline-block;font-size:.82rem;border-radius:.8rem;"
    "padding:.05rem .6rem;background:var(--pale);white-space:nowrap}"
    ".direct-identifier{background:#fbe3e0;color:#8c1d10}"
    ".quasi-identifier{background:#fdf0d2;color:#6f4400}"
    ".sensitive{background:#e6e9f8;color:#2f3b8f}"
    "code,.hex{font-family:ui-monospace,'Liberation Mono',monospace;"
    "font-size:.88rem;overflow-wrap:anywhere}"
    "pre{background:var(--pale);padding:.7rem .9rem;border-radius:.4rem;"
    "overflow-x:auto;white-space:pre-wrap;margin:.4rem 0}"
    "svg{max-width:100%;height:auto;display:block}"
    "svg text{font-family:" FONTS ";fill:var(--ink)}"
    ".flow{max-width:46rem}"
    ".box{border:1px solid var(--main);border-radius:.4rem;padding:.5rem 1rem;"
    "width:23rem;max-width:100%}.box b{font-size:1.2rem;margin-right:.3rem}"
    ".last{background:#e3f0f2}"
    ".step{display:grid;grid-template-columns:5rem 5rem 1fr;"
    "align-items:stretch}"
    ".down{border-right:2px solid var(--main);position:relative}"
    ".down::after{content:'';position:absolute;right:-.36rem;bottom:0;"
    "border:.3rem solid transparent;border-top:.5rem solid var(--main);"
    "border-bottom:0}"
    ".side{align-self:center;border-top:2px solid var(--line)}"
    ".out{border:1px solid var(--line);border-radius:.4rem;"
    "padding:.4rem .9rem;margin:.6rem 0}"
    ".bars{display:grid;grid-template-columns:max-content 1fr max-content;"
    "gap:.45rem .8rem;align-items:center;max-width:48rem;font-size:.92rem}"
    ".of{text-align:right}.track{height:1.5rem}"
    ".bar{height:100%;min-width:2px;background:var(--main);"
    "border-radius:.15rem}.bad{background:var(--warn)}"
    ".cols{table-layout:fixed}.cols svg+svg{margin-top:.3rem}"
    ".cols th:nth-child(1){width:22%}.cols th:nth-child(2){width:17%}"
    ".cols th:nth-child(3){width:25%}.cols th:nth-child(4){width:13%}"
    ".cols .n{white-space:normal;padding-right:1.2rem}"
    "@media(max-width:700px){main{padding:1.2rem 1rem 2rem}"
    "h1{font-size:1.4rem}.facts{grid-template-columns:1fr 1fr}"
    ".two{grid-template-columns:1fr}dl{grid-template-columns:1fr;gap:0}"
    "dd{margin-bottom:.5rem}.step{grid-template-columns:1.5rem 1rem 1fr}"
    ".bars{grid-template-columns:max-content 1fr}"
    ".bars>:nth-child(3n){grid-column:1/3;text-align:right;"
    "margin-top:-.4rem;color:var(--soft)}"
    ".cols thead{display:none}"
    ".cols,.cols tbody,.cols tr,.cols td{display:block;width:auto!important}"
    ".cols td{border:0;padding:.15rem 0;text-align:left!important}"
    ".cols tr{border-bottom:1px solid var(--line);padding:.7rem 0}"
    ".cols td[data-is]::before{content:attr(data-is)': ';"
    "color:var(--soft)}"
    "td.n,th.n{white-space:normal}}"
    "@page{size:A4;margin:16mm 15mm}"
    "@media print{body{font-size:9.6pt}main{padding:0;max-width:none}"
    "html{font-size:9.6pt}h2{margin-top:1.6rem}h2,h3{break-after:avoid}"
    ".card,.finding,.fact,tr,svg,.step,.box,.bars,dl,pre{"
    "break-inside:avoid}"
    "tr.who{break-after:avoid}"
    "thead{display:table-header-group}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

/*
 * Small pieces.
 */

static void
item(struct html *h, const char *term, const char *text)
{
	html_element(h, "dt", NULL, "%s", term);
	html_element(h, "dd", NULL, "%s", text);
}

static void
fact(struct html *h, const char *number, const char *what, bool warn)
{
	html_open(h, "div", warn ? "class=\"fact warn\"" : "class=\"fact\"");
	html_element(h, "b", NULL, "%s", number);
	html_text(h, "%s", what);
	html_close(h);
}

/*
 * Sections.
 */

static void
head(struct html *h, const struct report *r)
{
	char made[CLOCK_TEXT_SIZE], text[48];
	size_t decide = 0;

	clock_text(r->in.utc, made);
	html_element(h, "p", "class=\"over\"",
	    _("Anonymization report \302\267 %s"), r->in.site);
	html_element(h, "h1", NULL, "%s", r->in.study->title);
	html_element(h, "p", "class=\"soft\"",
	    _("Study \"%1$s\", prepared on %2$s at %3$.5s UTC, for the privacy "
	      "officer of this hospital."),
	    r->in.study->name, words_date(r->in.utc).text, made + 11);
	for (size_t i = 0; i < r->n_findings; i++)
		decide += r->findings[i].decide;
	html_open(h, "div", "class=\"facts\"");
	fact(h, words_count(r->in.patients_in_table).text,
	    _("patients in the table that the study computes with"), false);
	fact(h, "0", _("patient records that leave this hospital"), false);
	fact(h, words_one_in(r->after.highest).text,
	    _("an intruder's best chance to point at a patient's row"), false);
	snprintf(text, sizeof(text), "%zu", decide);
	fact(h, text,
	    P_("finding that needs your decision",
		"findings that need your decision", decide),
	    decide > 0);
	html_close(h);
}

static void
what_is_computed(struct html *h, const struct study *s)
{
	size_t column = study_outcome(s);
	const char *outcome =
	    column != STUDY_NONE ? s->columns[column].title : "";

	if (s->model.feasibility == STUDY_YES)
		html_text(h, "%s ",
		    _("only how many patients could take part and what is "
		      "missing, in a study of this:"));
	switch (s->model.kind) {
	case STUDY_SUMMARY:
		html_text(h, "%s",
		    _("a description of the patients: how many there are, "
		      "means, distributions"));
		return;
	case STUDY_RECODING:
		html_text(h, "%s",
		    _("how the values can be made coarser alike at all "
		      "hospitals, from counts that the anonymizer made"));
		return;
	case STUDY_COX:
		html_text(h,
		    _("how the time to \"%s\" depends on the patients' traits "
		      "(Cox model)"),
		    outcome);
		return;
	case STUDY_LOGISTIC:
		html_text(h,
		    _("how the chance of \"%s\" depends on the patients' "
		      "traits (logistic regression)"),
		    outcome);
		return;
	case STUDY_KM:
	case STUDY_CUMINC:
		html_text(h,
		    _("how the time to \"%s\" differs between groups of "
		      "patients (survival curves)"),
		    outcome);
		return;
	default:
		html_text(h,
		    _("how \"%s\" depends on the patients' traits "
		      "(regression)"),
		    outcome);
	}
}

static void
the_study(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;

	section_heading(h, _("The study"));
	html_open(h, "dl", NULL);
	item(h, _("Purpose"), s->purpose);
	item(h, _("Legal basis"), s->legal_basis);
	item(h, _("Ethics approval"), s->ethics);
	item(h, _("Responsible"), s->contact);
	html_element(h, "dt", NULL, "%s", _("What is computed"));
	html_open(h, "dd", NULL);
	what_is_computed(h, s);
	html_close(h);
	html_element(h, "dt", NULL, "%s", _("Hospitals"));
	html_open(h, "dd", NULL);
	for (size_t i = 0; i < s->sites.n; i++)
		html_text(h, "%s%s",
		    i > 0 ? C_("between items of a list", ", ") : "",
		    s->sites.items[i]);
	if (s->sites.n == 0)
		html_text(h, "%s",
		    _("all of the consortium, or those of them whom the signed "
		      "study names"));
	html_close(h);
	item(h, _("Ends"), words_date(s->expires * 86400).text);
	html_close(h);
}

/* Titles of the columns that name a patient. */
static void
direct_identifiers(const struct study *s, char *out, size_t size)
{
	size_t n = 0, i = 0;

	for (size_t c = 0; c < s->n_columns; c++)
		n += s->columns[c].privacy == STUDY_DIRECT;
	out[0] = '\0';
	for (size_t c = 0; c < s->n_columns; c++)
		if (s->columns[c].privacy == STUDY_DIRECT)
			words_list(out, size, i++, n, s->columns[c].title);
}

static void
what_leaves(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	bool only_counts = s->model.feasibility == STUDY_YES;
	char names[1024];

	direct_identifiers(s, names, sizeof(names));
	section_heading(h, _("What leaves this hospital, and what never does"));
	html_open(h, "div", "class=\"two\"");
	html_open(h, "div", "class=\"card\"");
	html_element(h, "h3", NULL, "%s", _("Leaves"));
	html_open(h, "ul", NULL);
	html_element(h, "li", NULL, "%s",
	    only_counts
		? _("Numbers of patients and nothing else: how many there are, "
		    "how many lack which column, how many could take part, and "
		    "how many of these have the event.")
		: _("Totals over all rows of the table: numbers of patients, "
		    "and sums of the columns that the model reads and of their "
		    "products."));
	html_element(h, "li", NULL, "%s",
	    _("These totals are masked (made unreadable) before they leave. "
	      "The coordinator can add up the masked totals of all hospitals "
	      "and then reads the sum over the hospitals alone, not this "
	      "hospital's part of it."));
	html_element(h, "li", NULL, "%s",
	    only_counts
		? _("The result, which every hospital gets: these numbers for "
		    "all patients together.")
		: _("The result, which every hospital gets: the model's "
		    "numbers for all patients together."));
	html_close(h);
	html_close(h);
	html_open(h, "div", "class=\"card never\"");
	html_element(h, "h3", NULL, "%s", _("Never leaves"));
	html_open(h, "ul", NULL);
	html_element(h, "li", NULL, "%s",
	    _("Any patient's row, neither of the source nor of the anonymized "
	      "table."));
	if (names[0] != '\0')
		html_element(h, "li", NULL,
		    _("What names a patient directly: %s. This is not even in "
		      "the table."),
		    names);
	else
		html_element(h, "li", NULL, "%s",
		    _("What names a patient directly: the study declares no "
		      "such column."));
	if (s->privacy.pseudonym == STUDY_YES)
		html_element(h, "li", NULL, "%s",
		    _("The pseudonyms in the table, which tell which rows are "
		      "one patient's. They are no feature of the model."));
	html_element(h, "li", NULL, "%s",
	    _("This report and the log. No single patient's value is in "
	      "either."));
	html_close(h);
	html_close(h);
	html_close(h);
}

static void
the_findings(struct html *h, const struct report *r)
{
	section_heading(h, _("What needs your attention"));
	if (r->n_findings == 0)
		html_element(h, "p", NULL, "%s",
		    _("Nothing was found that needs a decision."));
	for (int decide = 1; decide >= 0; decide--)
		for (size_t i = 0; i < r->n_findings; i++) {
			if (r->findings[i].decide != decide)
				continue;
			html_open(h, "div",
			    decide ? "class=\"finding\""
				   : "class=\"finding note\"");
			html_open(h, "p", NULL);
			html_element(h, "strong", NULL, "%s",
			    decide ? _("Needs your decision.")
				   : _("Good to know."));
			html_text(h, " %s", r->findings[i].text);
			html_close(h);
			html_close(h);
		}
}

/* For which columns rows were left out: how many rows, unless these are few. */
static void
left_out(struct html *h, const struct report *r, const char *intro,
    size_t (*of)(const struct rows_column *))
{
	const struct study *s = r->in.study;
	bool any = false;

	for (size_t c = 0; c < s->n_columns; c++) {
		size_t n = of(&r->in.rows->columns[c]);

		if (n == 0)
			continue;
		if (!any) {
			html_open(h, "p", "class=\"small\"");
			html_text(h, "%s ", intro);
		}
		html_text(h, "%s%s ",
		    any ? C_("between items of a list", ", ") : "",
		    s->columns[c].title);
		if (n < r->in.k)
			html_text(h, _("(fewer than %zu)"), r->in.k);
		else
			html_text(h, _("(%s)"), words_count(n).text);
		any = true;
	}
	if (any)
		html_close(h);
}

static size_t
rejected_for(const struct rows_column *c)
{
	return c->rejected;
}

static size_t
missing_for(const struct rows_column *c)
{
	return c->missing;
}

static void
the_rows(struct html *h, const struct report *r)
{
	section_heading(h, _("From the source to the table"));
	chart_flow(h, r);
	left_out(h, r, _("Rows rejected, by column:"), rejected_for);
	left_out(h, r, _("Rows without a value, by column:"), missing_for);
	html_open(h, "p", "class=\"small soft\"");
	html_text(h, _("Source: %s."), r->in.source);
	html_text(h, " ");
	html_text(h,
	    r->in.patient != NULL
		? _("Suppressed rows are left out because too few other "
		    "patients resemble them. The study allows that for rows of "
		    "at most %1$s patients (%2$g%% of those with complete "
		    "rows). The table's rows are sorted by their values, so "
		    "that nothing of the source's order is left.")
		: _("Suppressed rows are left out because too few other "
		    "patients resemble them. The study allows that for at most "
		    "%1$s rows (%2$g%% of the complete ones). The table's rows "
		    "are sorted by their values, so that nothing of the "
		    "source's order is left."),
	    words_count(r->in.most_suppressed).text,
	    100 * r->in.study->privacy.suppression_limit);
	if (r->in.patient != NULL)
		html_text(h, " ");
	if (r->in.patient != NULL)
		html_text(h,
		    _("The complete rows are of %1$s patients, %2$s of whom "
		      "lost rows; the table's are of %3$s."),
		    words_count(r->in.patients).text,
		    words_count(r->in.patients_suppressed).text,
		    words_count(r->in.patients_in_table).text);
	html_close(h);
}

static const char *
role(int privacy)
{
	static const char *const words[] = {
		[STUDY_PLAIN] = N_("other"),
		[STUDY_DIRECT] = N_("names a patient"),
		[STUDY_QUASI] = N_("could be known"),
		[STUDY_SENSITIVE] = N_("sensitive"),
	};

	return _(words[privacy]);
}

static const char *
use(int u)
{
	static const char *const words[] = {
		[STUDY_IGNORED] = N_("not used"),
		[STUDY_FEATURE] = N_("the model reads it"),
		[STUDY_OUTCOME] = N_("what the model explains"),
		[STUDY_STRATUM] = N_("divides the patients into groups"),
	};

	return _(words[u]);
}

/* A cell that says on a phone what it is. */
static void
open_cell(struct html *h, const char *is, bool number)
{
	html_markup(h, "<td%s data-is=\"", number ? " class=\"n\"" : "");
	html_text(h, "%s", is);
	html_markup(h, "\">");
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
	html_element(h, "span", class, "%s", role(c->privacy));
	if (c->use != STUDY_IGNORED)
		html_element(
		    h, "div", "class=\"small soft\"", "%s", use(c->use));
	html_close(h);
	open_cell(h, _("What was done"), false);
	html_text(h, "%s", f->done);
	html_markup(h, "</td>");
	open_cell(h, _("Information left"), true);
	if (f->in_table) {
		html_text(h, "%.0f%%", 100 * f->left);
		html_element(h, "div", "class=\"small soft\"",
		    _("%1$s of %2$s values"),
		    words_count(f->distinct_after).text,
		    words_count(f->distinct_before).text);
	} else {
		html_text(h, "%s", _("nothing"));
	}
	html_markup(h, "</td>\n<td>");
	if (f->n_before > 0)
		chart_bins(h, f->before, f->n_before, true);
	if (f->in_table && f->n_bins > 0)
		chart_bins(h, f->bins, f->n_bins, false);
	html_markup(h, "</td>");
	html_close(h);
}

static void
the_columns(struct html *h, const struct report *r)
{
	const char *const titles[] = { _("Column"), _("Role"),
		_("What was done"), _("Information left"),
		_("Patients by value") };

	section_heading(h, _("Every column"));
	html_element(h, "p", NULL, "%s",
	    _("\"Names a patient\": removed whatever else. \"Could be "
	      "known\" (a quasi-identifier): what an intruder could know about "
	      "a patient and look "
	      "for in the table; patients are made alike in it. "
	      "\"Sensitive\": what nobody should learn about a patient."));
	chart_bins_defs(h);
	html_open(h, "table", "class=\"cols\"");
	html_open(h, "thead", NULL);
	html_open(h, "tr", NULL);
	for (size_t i = 0; i < nitems(titles); i++)
		html_element(
		    h, "th", i == 3 ? "class=\"n\"" : NULL, "%s", titles[i]);
	html_close(h);
	html_close(h);
	html_open(h, "tbody", NULL);
	for (size_t i = 0; i < r->in.study->n_columns; i++)
		column_row(h, r, i);
	html_close(h);
	html_close(h);
	html_element(h, "p", "class=\"small soft\"",
	    _("Light bars: the complete rows as they were, rounded to "
	      "multiples of %1$zu. Dark bars: the table. A hatched bar stands "
	      "for 1 to %2$zu patients, or for a number from which such a one "
	      "could be computed; its height means nothing. Information left: "
	      "how much of what the column tells about patients the table "
	      "still has (Shannon's entropy)."),
	    r->in.k, r->in.k - 1);
	if (r->in.rows->n_extra == 0)
		return;
	html_open(h, "p", "class=\"small\"");
	html_text(h, "%s ", _("In the source, not in the study, removed:"));
	for (size_t i = 0; i < r->in.rows->n_extra; i++)
		html_text(h, "%s%s",
		    i > 0 ? C_("between items of a list", ", ") : "",
		    r->in.rows->extra[i]);
	html_close(h);
}

/* The 18 identifiers of HIPAA's Safe Harbor, and where they were found. */
static void
the_harbor(struct html *h, const struct report *r)
{
	const struct detect_harbor *items = detect_harbor();
	const struct rows *rows = r->in.rows;

	section_heading(h, _("The 18 identifiers of HIPAA"));
	html_element(h, "p", NULL, "%s",
	    _("What the United States' \"Safe Harbor\" rule (45 CFR 164.514) "
	      "wants removed, and which columns of the source look like it, "
	      "beside those that the study declares to name a patient. All "
	      "columns were looked at, also those that the study does not "
	      "know. That a machine finds nothing proves nothing."));
	html_open(h, "table", NULL);
	html_open(h, "tbody", NULL);
	for (size_t i = 0; i < DETECT_HARBOR; i++) {
		size_t n = 0;

		html_open(h, "tr", NULL);
		html_element(h, "td", "class=\"n\"", "%zu", i + 1);
		html_element(h, "td", NULL, "%s", _(items[i].text));
		html_open(h, "td", NULL);
		for (size_t c = 0; c < rows->n_seen; c++) {
			const struct rows_seen *seen = &rows->seen[c];

			if (!facts_looks_like(seen, items[i].kinds))
				continue;
			html_text(h, "%s%s",
			    n++ > 0 ? C_("between items of a list", ", ") : "",
			    seen->name);
			if (seen->column == STUDY_NONE ||
			    !r->columns[seen->column].in_table)
				html_text(h, "%s", _(" (removed)"));
		}
		if (n == 0)
			html_text(h, "%s",
			    items[i].kinds != 0
				? _("not found")
				: _("no machine can look for it"));
		html_close(h);
		html_close(h);
	}
	html_close(h);
	html_close(h);
}

/* What epsilon means is Wasserman and Zhou 2010, theorem 2.4: whoever decides
   from what leaves has odds that a patient's taking part changes by e^epsilon
   at most. */
static void
the_noise(struct html *h, const struct report *r)
{
	const struct study_learning *l = &r->in.study->learning;

	section_heading(h, _("Noise"));
	if (l->rounds != 0) {
		html_element(h, "p", NULL,
		    _("Every hospital adds noise to its totals: epsilon is %g "
		      "and delta %g, for one patient, over all rounds of the "
		      "study together. However much somebody knows already, "
		      "what leaves can change their odds that a certain "
		      "patient took part by a factor of %.3g at most, but for "
		      "a chance of delta. The smaller epsilon is, the less "
		      "they learn; it says nothing of this hospital as a "
		      "whole."),
		    l->epsilon, l->delta, exp(l->epsilon));
		return;
	}
	html_element(h, "p", NULL, "%s",
	    _("No noise is added to the totals of this study: they are exact, "
	      "and there is no privacy budget (epsilon) to spend. What "
	      "protects a single patient is that this hospital's totals are "
	      "never seen alone, and that every patient is one of several who "
	      "are alike."));
}

static bool
has_mean(const struct study *s)
{
	for (size_t q = 0; q < s->n_quasi; q++)
		if (s->columns[s->quasi[q]].mean)
			return true;
	return false;
}

static void
the_changes(struct html *h, const struct report *r)
{
	const struct changes *c = &r->changes;
	const char *const titles[] = { _("What changed"), _("last time"),
		_("now") };

	if (!c->any)
		return;
	section_heading(
	    h, _("What changed since the last report of this study"));
	html_element(h, "p", NULL,
	    _("The last report was made on %1$s at %2$.5s UTC. %3$s"),
	    words_day(c->made).text, strlen(c->made) > 11 ? c->made + 11 : "?",
	    c->same_table ? _("The table is the same, to the last digit.")
			  : _("The table is another one."));
	html_element(h, "p", NULL, "%s",
	    !c->same_study
		? _("The study has been signed anew since then: what was done "
		    "to its columns may be something else.")
		: r->in.study->privacy.recoding == STUDY_LOCAL ||
		    has_mean(r->in.study)
		? _("The study is the same. All rows were read again, new and "
		    "old ones together, and their groups were formed anew.")
		: _("The study is the same, and so what was done to its "
		    "columns. All rows were read again, new and old ones "
		    "together, and the groups were counted over all of them."));
	if (c->n == 0)
		html_element(h, "p", NULL, "%s",
		    _("The numbers of rows and of findings, and an intruder's "
		      "chances, are the same."));
	if (c->n == 0)
		return;
	html_open(h, "table", NULL);
	section_table(h, titles, nitems(titles));
	html_open(h, "tbody", NULL);
	for (size_t i = 0; i < c->n; i++) {
		const struct change *o = &c->list[i];

		section_row(h, o->what,
		    (const char *[]){ o->chance
			    ? words_one_in(o->last).text
			    : words_count((size_t)fmax(o->last, 0)).text,
			o->chance ? words_one_in(o->now).text
				  : words_count((size_t)o->now).text },
		    2, NULL);
	}
	html_close(h);
	html_close(h);
}

static void
the_decision(struct html *h, const struct report *r)
{
	static const char *const decisions[] = { "approve", "refuse",
		"revoke" };
	const char *name = r->in.study->name, *socket = r->in.socket;
	char hex[2 * HASH_LEN + 1];

	section_heading(h, _("Your decision"));
	html_element(h, "p", NULL, "%s",
	    _("Nothing of this table is used until you approve it, and an "
	      "approval can be taken back. It is your signature over exactly "
	      "this study, this report and this table; if one of them changes, "
	      "it does not hold any more. It ends with the study."));
	html_element(h, "p", NULL, "%s",
	    _("To approve, to refuse, or to take an approval back, with your "
	      "key in the file OFFICER.key:"));
	html_open(h, "pre", NULL);
	html_open(h, "code", NULL);
	for (size_t i = 0; i < nitems(decisions); i++)
		html_text(h, "%sconsiliumctl %s%s%s %s --key OFFICER.key",
		    i > 0 ? "\n" : "", decisions[i],
		    socket != NULL ? " --socket " : "",
		    socket != NULL ? socket : "", name);
	html_close(h);
	html_close(h);
	html_element(h, "p", NULL, "%s",
	    _("To check that this report is unaltered and from this hospital, "
	      "in the folder with report.json, report.html and report.sig:"));
	html_open(h, "pre", NULL);
	html_element(
	    h, "code", NULL, "consiliumctl report verify --public-key KEY .");
	html_close(h);
	html_open(h, "dl", "class=\"small\"");
	hex_text(r->in.study_digest, HASH_LEN, hex);
	html_element(
	    h, "dt", NULL, "%s", _("Fingerprint of the study (SHA-256)"));
	html_element(h, "dd", "class=\"hex\"", "%s", hex);
	hex_text(r->in.table_digest, HASH_LEN, hex);
	html_element(
	    h, "dt", NULL, "%s", _("Fingerprint of the table (SHA-256)"));
	html_element(h, "dd", "class=\"hex\"", "%s", hex);
	item(h, _("Fingerprint of this report"),
	    _("is in report.json; that file's fingerprint is what is signed"));
	html_element(h, "dt", NULL, "%s", _("Made by"));
	html_element(h, "dd", NULL,
	    _("consilium %1$s; format %2$d of the report"), PACKAGE_VERSION,
	    REPORT_VERSION);
	html_close(h);
}

int
report_html(const struct report *r, struct canon *out, struct err *err)
{
	struct html h = html_start(out);
	char lang[32];

	snprintf(lang, sizeof(lang), "lang=\"%s\"", catalogue_language());
	html_markup(&h, "<!DOCTYPE html>\n");
	html_open(&h, "html", lang);
	html_open(&h, "head", NULL);
	html_markup(&h,
	    "<meta charset=\"utf-8\"><meta name=\"viewport\" "
	    "content=\"width=device-width,initial-scale=1\">"
	    "<meta http-equiv=\"Content-Security-Policy\" "
	    "content=\"default-src 'none';style-src 'unsafe-inline'\">\n");
	html_element(&h, "title", NULL, _("Anonymization report: %1$s, %2$s"),
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
	the_findings(&h, r);
	the_changes(&h, r);
	the_rows(&h, r);
	section_risk(&h, r);
	section_loss(&h, r);
	the_columns(&h, r);
	the_harbor(&h, r);
	the_noise(&h, r);
	the_decision(&h, r);
	html_close(&h);
	html_close(&h);
	html_close(&h);
	if (out->failed)
		return err_sys(err, "memory for the report");
	return 0;
}

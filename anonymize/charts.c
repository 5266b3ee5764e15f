#include "config.h"

#include <stdbool.h>
#include <stdio.h>

#include "anonymize/charts.h"
#include "anonymize/facts.h"
#include "anonymize/html.h"
#include "anonymize/words.h"
#include "common/catalogue.h"
#include "common/macros.h"
#include "study/table.h"

/*
 * The flow: boxes below each other, and beside the arrow between two what was
 * left out there.
 */

static void
flow_box(struct html *h, size_t n, const char *what, bool last)
{
	html_open(h, "div", last ? "class=\"box last\"" : "class=\"box\"");
	html_element(h, "b", NULL, "%s", words_count(n).text);
	html_text(h, " %s", what);
	html_close(h);
}

static void
flow_step(struct html *h, size_t n, const char *what, const char *why)
{
	html_open(h, "div", "class=\"step\"");
	html_markup(h, "<div class=\"down\"></div><div class=\"side\"></div>");
	html_open(h, "div", "class=\"out\"");
	html_element(h, "b", NULL, "%s", words_count(n).text);
	html_text(h, " %s", what);
	html_element(h, "div", "class=\"small soft\"", "%s", why);
	html_close(h);
	html_close(h);
}

void
chart_flow(struct html *h, const struct report *r)
{
	const struct rows *rows = r->in.rows;
	char why[256];

	html_open(h, "div", "class=\"flow\"");
	flow_box(h, rows->n_read, _("rows read from the source"), false);
	if (rows->n_objected > 0) {
		flow_step(h, rows->n_objected, _("left out"),
		    _("their patients object"));
		flow_box(h, rows->n_read - rows->n_objected,
		    _("rows of patients who do not object"), false);
	}
	flow_step(h, rows->n_rejected, _("rejected"),
	    _("a value that the study does not allow"));
	flow_box(h, rows->n_read - rows->n_objected - rows->n_rejected,
	    _("rows as the study asks"), false);
	flow_step(h, rows->n_incomplete, _("incomplete"),
	    _("a value is missing that the study needs"));
	flow_box(h, rows->n, _("complete rows"), false);
	snprintf(why, sizeof(why),
	    _("fewer than %zu patients are alike, or they are too much alike "
	      "in what is sensitive"),
	    r->in.k);
	flow_step(h, r->in.suppressed, _("suppressed"), why);
	flow_box(
	    h, r->in.table->n_rows, _("rows in the anonymized table"), true);
	html_close(h);
}

void
chart_sizes(struct html *h, const struct report *r)
{
	size_t most = 1;

	for (size_t i = 0; i < FACTS_SIZES; i++)
		most = MAX(most, r->sizes[i].patients);
	html_open(h, "div", "class=\"bars\"");
	for (size_t i = 0; i < FACTS_SIZES; i++) {
		const struct class_sizes *c = &r->sizes[i];

		html_open(h, "div", "class=\"of\"");
		if (i == 0)
			html_text(h, _("fewer than %zu alike"), c->to + 1);
		else if (c->to == 0)
			html_text(h, _("%zu or more alike"), c->from);
		else
			html_text(h, _("%1$zu to %2$zu alike"), c->from, c->to);
		html_close(h);
		html_markup(h, "<div class=\"track\">");
		if (c->patients > 0)
			html_markup(h,
			    "<div class=\"bar%s\" style=\"width:%.2f%%\">"
			    "</div>",
			    i == 0 ? " bad" : "",
			    100 * (double)c->patients / (double)most);
		html_markup(h, "</div>");
		html_open(h, "div", NULL);
		if (c->patients == 0)
			html_text(h, "%s", _("nobody"));
		else
			html_text(h,
			    P_("%1$s patients in %2$s group",
				"%1$s patients in %2$s groups", c->classes),
			    words_count(c->patients).text,
			    words_count(c->classes).text);
		html_close(h);
	}
	html_close(h);
}

#define WIDTH 200
#define HEIGHT 44 /* of the bars */

void
chart_bins_defs(struct html *h)
{
	html_markup(h,
	    "<svg width=\"0\" height=\"0\" style=\"position:absolute\" "
	    "aria-hidden=\"true\"><defs><pattern id=\"few\" width=\"4\" "
	    "height=\"4\" patternUnits=\"userSpaceOnUse\" "
	    "patternTransform=\"rotate(45)\"><path d=\"M0 0 v4\" "
	    "stroke=\"#4f5b68\" stroke-width=\"1.8\"/></pattern></defs></svg>");
}

static void
bar(struct html *h, const struct bin *b, bool about, double x, double width,
    double height)
{
	html_markup(h,
	    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
	    "fill=\"%s\"><title>",
	    x, HEIGHT - height, width, height,
	    b->hidden   ? "url(#few)"
		: about ? "#6fa3ad"
			: "#14616f");
	if (b->hidden)
		html_text(h, _("%s: too few to show"), b->label);
	else if (about)
		html_text(h, _("%1$s: about %2$s patients"), b->label,
		    words_count(b->count).text);
	else
		html_text(h, _("%1$s: %2$s patients"), b->label,
		    words_count(b->count).text);
	html_markup(h, "</title></rect>");
}

void
chart_bins(struct html *h, const struct bin *bins, size_t n, bool about)
{
	size_t most = 1;
	double step = (double)WIDTH / (double)n;
	char box[96];

	for (size_t g = 0; g < n; g++)
		if (!bins[g].hidden)
			most = MAX(most, bins[g].count);
	snprintf(box, sizeof(box),
	    "viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\"", WIDTH,
	    HEIGHT + 18, WIDTH);
	html_open(h, "svg", box);
	html_element(h, "title", NULL, "%s",
	    about ? _("Patients by value, before") : _("Patients by value"));
	html_markup(h,
	    "<path d=\"M0 %d.5 h%d\" stroke=\"#5b6876\" fill=\"none\"/>",
	    HEIGHT, WIDTH);
	for (size_t g = 0; g < n; g++) {
		double height = bins[g].hidden
		    ? 8
		    : 0.95 * HEIGHT * (double)bins[g].count / (double)most;

		if (bins[g].count > 0 || bins[g].hidden)
			bar(h, &bins[g], about, 1 + (double)g * step,
			    MAX(step - 2, 2), MAX(height, 1));
	}
	html_markup(h, "<text x=\"0\" y=\"%d\" font-size=\"12\">", HEIGHT + 14);
	html_text(h, "%s", words_short(bins[0].label, n > 1 ? 14 : 28).text);
	html_markup(h,
	    "</text><text x=\"%d\" y=\"%d\" font-size=\"12\" "
	    "text-anchor=\"end\">",
	    WIDTH, HEIGHT + 14);
	if (n > 1)
		html_text(h, "%s", words_short(bins[n - 1].label, 14).text);
	html_markup(h, "</text>");
	html_close(h);
}

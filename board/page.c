#include "board/page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "board/snapshot.h"
#include "common/canon.h"
#include "common/clock.h"
#include "common/macros.h"

#define WARN_DAYS 30 /* before the certificate expires */
#define DAY 86400

static const char style[] =
    ":root{--ink:#1d2733;--soft:#5b6876;--line:#d5dce3;--pale:#f3f6f8;"
    "--main:#14616f;--warn:#a4480b;--warnbg:#fdf3ea}"
    "*{box-sizing:border-box}"
    "body{font:1rem/1.5 system-ui,'Segoe UI',Roboto,'Liberation Sans',"
    "sans-serif;color:var(--ink);margin:0;background:#fff}"
    "main{max-width:80rem;margin:0 auto;padding:2rem 1.25rem 3rem}"
    "h1{font-size:1.7rem;line-height:1.25;margin:.1rem 0 .4rem}"
    "h2{font-size:1.2rem;margin:2.2rem 0 .7rem;padding-bottom:.25rem;"
    "border-bottom:2px solid var(--main)}"
    ".over{color:var(--main);font-weight:600;margin:0}"
    ".soft,footer{color:var(--soft)}footer{font-size:.86rem;margin-top:2rem}"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,"
    "minmax(11rem,1fr));gap:.8rem;margin:1.3rem 0}"
    ".fact{background:var(--pale);border-radius:.4rem;padding:.75rem .9rem;"
    "overflow-wrap:anywhere}"
    ".fact b{display:block;font-size:1.3rem;line-height:1.3;"
    "color:var(--main)}"
    ".warn{background:var(--warnbg)}.fact.warn b{color:var(--warn)}"
    ".wide{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-size:.92rem}"
    "th{text-align:left;font-weight:600;color:var(--soft);"
    "border-bottom:1px solid var(--ink);padding:.3rem .8rem .3rem 0;"
    "vertical-align:bottom;white-space:nowrap}"
    "td{border-bottom:1px solid var(--line);padding:.45rem .8rem .45rem 0;"
    "vertical-align:top;overflow-wrap:break-word;white-space:nowrap}"
    "td.long{white-space:normal;max-width:24rem;min-width:6rem}"
    "td:first-child{font-weight:600}"
    "dl{display:grid;grid-template-columns:14rem 1fr;gap:.35rem 1rem;"
    "margin:.5rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    "@media(max-width:640px){dl{grid-template-columns:1fr;gap:0}"
    "dd{margin-bottom:.5rem}.wide table{min-width:40rem}}";

static void
put(struct canon *out, const char *markup)
{
	canon_raw(out, markup, strlen(markup));
}

/* Text, escaped for content and for quoted attributes. */
static void
text(struct canon *out, const char *s)
{
	static const struct {
		char c;
		const char *entity;
	} entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" },
		{ '"', "&quot;" }, { '\'', "&#39;" } };

	for (; *s != '\0'; s++) {
		const char *entity = NULL;

		for (size_t i = 0; i < nitems(entities); i++) {
			if (*s == entities[i].c)
				entity = entities[i].entity;
		}
		if (entity != NULL)
			put(out, entity);
		else
			canon_u8(out, (uint8_t)*s);
	}
}

static void textf(struct canon *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
textf(struct canon *out, const char *fmt, ...)
{
	char s[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	text(out, s);
}

/* "2026-11-23 09:30:00 UTC" */
static void
put_time(struct canon *out, int64_t utc)
{
	char s[CLOCK_TEXT_SIZE];

	clock_text(utc, s);
	textf(out, "%.10s %.8s UTC", s, s + 11);
}

/* "3 days", "1 hour": roughly, rounded down. */
static void
put_span(struct canon *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { DAY, "day" }, { 3600, "hour" }, { 60, "minute" } };

	for (size_t i = 0; i < nitems(units); i++) {
		int64_t n = seconds / units[i].seconds;

		if (n > 0) {
			textf(out, "%" PRId64 " %s%s", n, units[i].name,
			    n == 1 ? "" : "s");
			return;
		}
	}
	put(out, "less than a minute");
}

/*
 * Studies.  A column that says nothing of any study is left out.
 */

#define TEXT_COLUMN(field)                                                     \
	static void put_##field(                                               \
	    struct canon *out, const struct board_study *s)                    \
	{                                                                      \
		text(out, s->field);                                           \
	}

TEXT_COLUMN(name)
TEXT_COLUMN(status)
TEXT_COLUMN(phase)
TEXT_COLUMN(missing)
TEXT_COLUMN(prepared)
TEXT_COLUMN(decided)
TEXT_COLUMN(why)

static void
put_step(struct canon *out, const struct board_study *s)
{
	if (s->kind[0] != '\0')
		textf(out, "%u: %s", s->step, s->kind);
	else if (s->step > 0)
		textf(out, "%u", s->step);
}

static void
put_round(struct canon *out, const struct board_study *s)
{
	if (s->round > 0)
		textf(out, "%" PRIu64, s->round);
}

static void
put_rounds_done(struct canon *out, const struct board_study *s)
{
	if (s->rounds_done > 0)
		textf(out, "%" PRIu64, s->rounds_done);
}

static void
put_sites(struct canon *out, const struct board_study *s)
{
	if (s->most > 0)
		textf(out, "%u of %u, %u needed", s->have, s->most, s->need);
}

static void
put_deadline(struct canon *out, const struct board_study *s)
{
	if (s->deadline > 0 && s->deadline < INT64_C(253402300800))
		put_time(out, (int64_t)s->deadline);
}

static const struct column {
	const char *heading;
	bool long_text; /* may go over several lines */
	void (*put)(struct canon *out, const struct board_study *s);
} columns[] = {
	{ "Study", false, put_name },
	{ "Status", false, put_status },
	{ "Step", false, put_step },
	{ "Round", false, put_round },
	{ "Phase", false, put_phase },
	{ "Sites present", true, put_sites },
	{ "Missing", true, put_missing },
	{ "Deadline", true, put_deadline },
	{ "Rounds done", false, put_rounds_done },
	{ "Preparation", true, put_prepared },
	{ "Decision", true, put_decided },
	{ "Why", true, put_why },
};

static bool
says_something(const struct column *c, const struct board_snapshot *s)
{
	struct canon cell = { 0 };
	bool some;

	for (size_t i = 0; i < s->n_studies && cell.len == 0; i++)
		c->put(&cell, &s->studies[i]);
	some = cell.len > 0;
	canon_free(&cell);
	return some;
}

static void
put_studies(struct canon *out, const struct board_snapshot *s)
{
	bool shown[nitems(columns)];

	put(out, "<h2>Studies</h2>\n");
	if (s->n_studies == 0) {
		put(out, "<p class=\"soft\">None yet.</p>\n");
		return;
	}
	put(out, "<div class=\"wide\"><table><thead><tr>");
	for (size_t i = 0; i < nitems(columns); i++) {
		shown[i] = says_something(&columns[i], s);
		if (!shown[i])
			continue;
		put(out, "<th scope=\"col\">");
		text(out, columns[i].heading);
		put(out, "</th>");
	}
	put(out, "</tr></thead>\n<tbody>\n");
	for (size_t j = 0; j < s->n_studies; j++) {
		put(out, "<tr>");
		for (size_t i = 0; i < nitems(columns); i++) {
			if (!shown[i])
				continue;
			put(out,
			    columns[i].long_text ? "<td class=\"long\">"
						 : "<td>");
			columns[i].put(out, &s->studies[j]);
			put(out, "</td>");
		}
		put(out, "</tr>\n");
	}
	put(out, "</tbody></table></div>\n");
}

/*
 * The daemon.
 */

static void
put_certificate(struct canon *out, const struct board_view *v)
{
	int64_t left = v->certificate - v->now;

	if (v->certificate <= 0)
		return;
	put(out,
	    left < WARN_DAYS * DAY ? "<div class=\"fact warn\"><b>"
				   : "<div class=\"fact\"><b>");
	if (left <= 0)
		put(out, "expired");
	else
		put_span(out, left);
	put(out, "</b>TLS certificate, until ");
	put_time(out, v->certificate);
	put(out, "</div>\n");
}

/* "2.5 GB" */
static void
put_bytes(struct canon *out, int64_t n)
{
	static const char *const units[] = { "bytes", "KB", "MB", "GB", "TB" };
	double v = (double)n;
	size_t i = 0;

	for (; v >= 999.5 && i + 1 < nitems(units); i++)
		v /= 1000;
	textf(out, i > 0 && v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[i]);
}

static void
put_disk(struct canon *out, const struct board_view *v)
{
	if (v->state < 0 || v->state_free < 0)
		return;
	put(out, "<div class=\"fact\"><b>");
	put_bytes(out, v->state_free);
	put(out, "</b>free for the state, which has ");
	put_bytes(out, v->state);
	put(out, "</div>\n");
}

/* Between the two sides, as far as this one has told. */
static void
put_contact(struct canon *out, const struct board_view *v)
{
	int64_t reached, members, connected;

	if (board_number(board_view_fact(v, "coordinator-reached"), &reached) ==
	    0) {
		put(out,
		    reached ? "<div class=\"fact\"><b>reached"
			    : "<div class=\"fact warn\"><b>not reached");
		put(out, "</b>coordinator</div>\n");
	}
	if (board_number(board_view_fact(v, "sites-connected"), &connected) ==
		0 &&
	    board_number(board_view_fact(v, "members"), &members) == 0) {
		put(out,
		    connected >= members ? "<div class=\"fact\"><b>"
					 : "<div class=\"fact warn\"><b>");
		textf(out, "%" PRId64 " of %" PRId64, connected, members);
		put(out, "</b>members connected</div>\n");
	}
}

static void
put_daemon(struct canon *out, const struct board_view *v)
{
	put(out, "<div class=\"facts\">\n");
	put(out, "<div class=\"fact\"><b>");
	text(out, v->version);
	put(out, "</b>version</div>\n");
	if (v->started > 0) {
		put(out, "<div class=\"fact\"><b>");
		put_span(out, v->now - v->started);
		put(out, "</b>up, since ");
		put_time(out, v->started);
		put(out, "</div>\n");
	}
	put(out,
	    v->restarts > 0 ? "<div class=\"fact warn\"><b>"
			    : "<div class=\"fact\"><b>");
	textf(out, "%" PRId64, v->restarts);
	put(out, "</b>restarts of its processes since then</div>\n");
	put_certificate(out, v);
	put_disk(out, v);
	put_contact(out, v);
	put(out, "</div>\n");
}

/* "round-finished-utc" is "round finished", and a time. */
static void
put_fact(struct canon *out, const struct board_fact *f)
{
	size_t len = strlen(f->name);
	int64_t utc;
	bool is_time = len > 4 && strcmp(f->name + len - 4, "-utc") == 0 &&
	    board_number(f->value, &utc) == 0 && utc < INT64_C(253402300800);
	char name[BOARD_NAME];

	snprintf(name, sizeof(name), "%.*s", (int)(is_time ? len - 4 : len),
	    f->name);
	for (char *p = name; *p != '\0'; p++)
		*p = *p == '-' ? ' ' : *p;
	put(out, "<dt>");
	text(out, name);
	put(out, "</dt><dd>");
	if (is_time)
		put_time(out, utc);
	else
		text(out, f->value);
	put(out, "</dd>\n");
}

static void
put_facts(struct canon *out, const struct board_snapshot *s)
{
	if (s->n_facts == 0)
		return;
	put(out, "<h2>Facts</h2>\n<dl>\n");
	for (size_t i = 0; i < s->n_facts; i++)
		put_fact(out, &s->facts[i]);
	put(out, "</dl>\n");
}

void
page_write(const struct board_view *v, struct canon *out)
{
	put(out,
	    "<!DOCTYPE html>\n<html lang=\"en\"><head>"
	    "<meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width,"
	    "initial-scale=1\"><meta http-equiv=\"refresh\" content=\"");
	textf(out, "%d", PAGE_REFRESH_S);
	put(out, "\"><title>");
	textf(out, "%s: consilium %s", v->name, v->side);
	put(out, "</title><style>");
	put(out, style);
	put(out, "</style></head>\n<body><main>\n<p class=\"over\">consilium ");
	text(out, v->side);
	put(out, "</p>\n<h1>");
	text(out, v->name);
	put(out, "</h1>\n");
	put_daemon(out, v);
	if (v->snapshot != NULL) {
		put_studies(out, v->snapshot);
		put_facts(out, v->snapshot);
	} else {
		put(out, "<p>Its processes have not told their state yet.</p>");
	}
	put(out, "<footer>Now it is ");
	put_time(out, v->now);
	if (v->snapshot != NULL) {
		put(out, "; the state last changed at ");
		put_time(out, v->received);
	}
	put(out,
	    ". The page is read-only; for monitoring there is "
	    "<a href=\"/metrics\">/metrics</a>.</footer>\n"
	    "</main></body></html>\n");
}

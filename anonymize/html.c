#include "config.h"

#include "anonymize/html.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"

struct html
html_start(struct canon *out)
{
	return (struct html){ .out = out };
}

static void
put(struct html *h, const char *s)
{
	canon_raw(h->out, s, strlen(s));
}

static void
put_escaped(struct html *h, const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '&':
			put(h, "&amp;");
			break;
		case '<':
			put(h, "&lt;");
			break;
		case '>':
			put(h, "&gt;");
			break;
		case '"':
			put(h, "&quot;");
			break;
		case '\'':
			put(h, "&#39;");
			break;
		default:
			/* HTML has no control characters. */
			if ((unsigned char)*s >= ' ' || *s == '\n')
				canon_raw(h->out, s, 1);
		}
	}
}

void
html_open(struct html *h, const char *tag, const char *attributes)
{
	assert(h->depth < HTML_DEPTH_MAX);
	h->open[h->depth++] = tag;
	put(h, "<");
	put(h, tag);
	if (attributes != NULL) {
		put(h, " ");
		put(h, attributes);
	}
	put(h, ">");
}

void
html_close(struct html *h)
{
	assert(h->depth > 0);
	put(h, "</");
	put(h, h->open[--h->depth]);
	put(h, ">\n");
}

static void
put_format(struct html *h, void (*fn)(struct html *, const char *),
    const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) == -1) {
		h->out->failed = true;
		return;
	}
	fn(h, text);
	free(text);
}

void
html_text(struct html *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_format(h, put_escaped, fmt, ap);
	va_end(ap);
}

void
html_element(struct html *h, const char *tag, const char *attributes,
    const char *fmt, ...)
{
	va_list ap;

	html_open(h, tag, attributes);
	va_start(ap, fmt);
	put_format(h, put_escaped, fmt, ap);
	va_end(ap);
	html_close(h);
}

/* What stands for <b> and </b> while a text is made; no text has these. */
#define STRONG '\001'
#define WEAK '\002'

static void
put_rich(struct html *h, const char *s)
{
	char one[2] = "";

	for (; *s != '\0'; s++) {
		one[0] = *s;
		if (*s == STRONG)
			put(h, "<strong>");
		else if (*s == WEAK)
			put(h, "</strong>");
		else
			put_escaped(h, one);
	}
}

void
html_rich(struct html *h, const char *fmt, ...)
{
	size_t len = strlen(fmt), at = 0;
	char *marked = malloc(len + 1);
	va_list ap;

	if (marked == NULL) {
		h->out->failed = true;
		return;
	}
	for (size_t i = 0; i < len;) {
		size_t weak = strncmp(fmt + i, "</b>", 4) == 0 ? 4 : 0;
		size_t strong = strncmp(fmt + i, "<b>", 3) == 0 ? 3 : 0;

		marked[at++] = strong ? STRONG : weak ? WEAK : fmt[i];
		i += strong + weak > 0 ? strong + weak : 1;
	}
	marked[at] = '\0';
	va_start(ap, fmt);
	put_format(h, put_rich, marked, ap);
	va_end(ap);
	free(marked);
}

void
html_markup(struct html *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_format(h, put, fmt, ap);
	va_end(ap);
}

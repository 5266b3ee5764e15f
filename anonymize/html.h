/*
 * A writer of HTML with SVG inside: it closes what was opened and escapes
 * every text.  Markup and attributes are the program's own; whatever comes from
 * a study, a configuration or a source goes through html_text().
 */
#ifndef ANONYMIZE_HTML_H
#define ANONYMIZE_HTML_H

struct canon;

#define HTML_DEPTH_MAX 32

struct html {
	struct canon *out;
	const char *open[HTML_DEPTH_MAX];
	unsigned depth;
};

struct html html_start(struct canon *out);

/* attributes, or NULL; tag must stay valid until html_close(). */
void html_open(struct html *h, const char *tag, const char *attributes);
void html_close(struct html *h);
/* Text, escaped: as printf. */
void html_text(struct html *h, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* An element with nothing but text in it. */
void html_element(struct html *h, const char *tag, const char *attributes,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/*
 * The same with <b> and </b> in fmt, which make an element strong; those in the
 * arguments are text as any other.
 */
void html_rich(struct html *h, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Markup as it is; the arguments are numbers and the program's own words. */
void html_markup(struct html *h, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif

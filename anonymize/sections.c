#include "config.h"

#include "anonymize/sections.h"

#include "anonymize/html.h"

void
section_heading(struct html *h, const char *text)
{
	html_element(h, "h2", NULL, "%s", text);
}

void
section_table(struct html *h, const char *const *cells, size_t n)
{
	html_open(h, "thead", NULL);
	html_open(h, "tr", NULL);
	for (size_t i = 0; i < n; i++)
		html_element(
		    h, "th", i == 0 ? NULL : "class=\"n\"", "%s", cells[i]);
	html_close(h);
	html_close(h);
}

void
section_row(struct html *h, const char *what, const char *const *cells,
    size_t n, const char *class)
{
	html_open(h, "tr", class);
	html_element(h, "td", NULL, "%s", what);
	for (size_t i = 0; i < n; i++)
		html_element(h, "td", "class=\"n\"", "%s", cells[i]);
	html_close(h);
}

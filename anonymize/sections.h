/*
 * Sections of report.html that have files of their own, and what sections are
 * made of.  For report_html.c.
 */
#ifndef ANONYMIZE_SECTIONS_H
#define ANONYMIZE_SECTIONS_H

#include <stddef.h>

struct html;
struct report;

/* What an intruder could do with the table. */
void section_risk(struct html *h, const struct report *r);
/* What anonymization has cost; nothing where nothing is held to k. */
void section_loss(struct html *h, const struct report *r);

void section_heading(struct html *h, const char *text);
/* The head of a table whose columns but the first are numbers. */
void section_table(struct html *h, const char *const *titles, size_t n);
/* A row of it; class is HTML's attribute, or NULL. */
void section_row(struct html *h, const char *what, const char *const *cells,
    size_t n, const char *class);

#endif

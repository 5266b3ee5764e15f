/*
 * The report's pictures: nothing but boxes and bars, in HTML where they have to
 * fit a phone and in SVG where they are small.
 */
#ifndef ANONYMIZE_CHARTS_H
#define ANONYMIZE_CHARTS_H

#include <stdbool.h>
#include <stddef.h>

struct bin;
struct html;
struct report;

/* From the rows that were read to those of the table, and what left on the way
   (as CONSORT draws it). */
void chart_flow(struct html *h, const struct report *r);
/* How many patients are in classes of which size. */
void chart_sizes(struct html *h, const struct report *r);

/* The hatching that stands for a number that is not shown; once per page,
   before any chart_bins(). */
void chart_bins_defs(struct html *h);
/* Bars of a column's values; about: the numbers are rounded, and not said. */
void chart_bins(struct html *h, const struct bin *bins, size_t n, bool about);

#endif

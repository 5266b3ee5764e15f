/*
 * Quasi-identifiers with level = mean: among rows that are alike in all others,
 * groups of k and somewhat more that are near each other (microaggregate.h),
 * each column in its standard deviations, and the mean of each.  Where patients may
 * have several rows a group is of k patients: of those that a patient has in a
 * class the mean stands for him, and all of them go with it.
 */
#ifndef ANONYMIZE_MEANS_H
#define ANONYMIZE_MEANS_H

#include <stddef.h>

struct err;
struct rows;
struct study;

/*
 * keys[q] holds the rows->n values of study->quasi[q] as the table has them;
 * those of a mean are filled in, but not in rows of fewer than k patients by all
 * others.  Nothing depends on the order of the rows.
 */
int means_make(const struct study *s, const struct rows *rows, size_t k,
    double **keys, struct err *err);

#endif

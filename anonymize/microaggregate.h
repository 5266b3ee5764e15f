/*
 * Microaggregation: rows that are near each other in numeric columns are put
 * into groups of k or somewhat more, and each has its group's mean.  What is
 * lost is the sum of squared distances from the means.
 *
 * One column: the optimum, by dynamic programming over the sorted values, whose
 * groups have k to 2 k - 1 of them (Hansen, Mukherjee: A polynomial algorithm
 * for optimal univariate microaggregation, IEEE TKDE 15, 2003).
 *
 * Several columns, where the optimum is NP-hard: MDAV (Domingo-Ferrer,
 * Mateo-Sanz: Practical data-oriented microaggregation, IEEE TKDE 14, 2002;
 * as in Domingo-Ferrer, Torra, Data Mining and Knowledge Discovery 11, 2005,
 * algorithm 5.1).  Of equally distant rows the first counts.
 */
#ifndef ANONYMIZE_MICROAGGREGATE_H
#define ANONYMIZE_MICROAGGREGATE_H

#include <stddef.h>
#include <stdint.h>

/* MDAV takes time by the square of the rows. */
#define MICROAGGREGATE_ROWS_MAX 100000

struct err;

/*
 * values: (n, d) row by row, finite, on one scale if d > 1; n >= k >= 1, d >= 1.
 * group: (n), 0 to *n_groups - 1.
 */
int microaggregate(const double *values, size_t n, size_t d, size_t k,
    uint32_t *group, size_t *n_groups, struct err *err);

#endif

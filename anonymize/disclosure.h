/*
 * Attribute disclosure: what somebody who knows in which class a patient is
 * learns about one more column, without pointing at the right row.  The best
 * guess is the commonest value of the class.
 */
#ifndef ANONYMIZE_DISCLOSURE_H
#define ANONYMIZE_DISCLOSURE_H

#include <stddef.h>

struct classes;
struct err;

struct disclosure {
	double certain; /* share of the rows whose whole class has one value */
	double right; /* share of the rows for which the best guess is right */
	double anyway; /* the same, knowing nothing: the commonest value */
};

/* values: (c->n_rows). */
int disclosure_measure(const struct classes *c, const double *values,
    struct disclosure *d, struct err *err);

#endif

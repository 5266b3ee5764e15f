/*
 * Of the patients who are alone in their class in a sample, how many are alone
 * in the population, too?  Two estimates from the sizes of the classes.
 *
 *     Zayatz   1991: the sizes of the population's classes are distributed as
 *              the sample's, of which simple random sampling shows some
 *     Pitman   the superpopulation model that Hoshino 2001 fits by maximum
 *              likelihood
 *
 * Dankar et al. 2012 take Pitman for samples of at most a tenth of the
 * population, where nothing is known better.
 */
#ifndef ANONYMIZE_POPULATION_H
#define ANONYMIZE_POPULATION_H

#include <stddef.h>

struct classes;
struct err;

struct population {
	double size; /* people */
	double fraction; /* sampled */
	/* Shares of the population, NaN where the model does not fit. */
	double zayatz, pitman;
	double likely; /* of these, what Dankar's rule takes */
};

/* size: people, of whom the classes' rows are a sample. */
int population_estimate(const struct classes *c, double size,
    struct population *p, struct err *err);

#endif

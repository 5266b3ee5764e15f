/*
 * Of the patients who are alone in their class in a sample, how many are alone
 * in the population, too?  Three estimates from the sizes of the classes.
 *
 *     Zayatz   1991: the sizes of the population's classes are distributed as
 *              the sample's, of which simple random sampling shows some
 *     Pitman   the superpopulation model that Hoshino 2001 fits by maximum
 *              likelihood
 *     slide    the slide negative binomial model of Chen and McNulty 1998
 *
 * Dankar, El Emam, Neisa and Roffey 2012 take Pitman for samples of at most a
 * tenth of the population, or Zayatz where Pitman does not fit; for larger ones
 * the smaller of slide and Zayatz.
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
	double zayatz, pitman, slide;
	double likely; /* of these, what Dankar's rule takes */
};

/* size: people, of whom the classes' rows are a sample. */
int population_estimate(const struct classes *c, double size,
    struct population *p, struct err *err);

/*
 * r[f], for f from 1 to largest (r has largest + 1): the expected chance that a
 * person of the population is behind a row of the sample, if f rows of the
 * sample are alike, the sample is this fraction of the population, and nothing
 * else is known.
 */
int population_chance(
    double *r, size_t largest, double fraction, struct err *err);

#endif

/*
 * Learning with differential privacy: a fixed number of gradient steps, each
 * from one noised sum, and nothing else of the data.  docs/PRIVACY.md has the
 * mechanism and the argument.
 *
 * Terms and the outcome of a linear model are scaled by the codebook's ranges
 * alone: z = (x - middle) / (half the range), within -1 and 1.  A patient's
 * vector is, in units,
 *
 *     2^(m-2)                                  "I am here"
 *     2^(m-2) if the gradient was clipped      else 0
 *     the gradient of the log-likelihood, its norm clipped to C' = C sqrt(7/8),
 *     times 2^m / C, each number cut to a multiple of 1/2^LEARN_PART_BITS
 *
 * so that its norm is at most 2^m, whoever the patient is.  A site's sum of
 * them is exact in doubles.  The gate rounds it to integers by chance and adds
 * its share of the noise; words are in two's complement modulo 2^b.
 */
#ifndef MODEL_STEP_LEARN_H
#define MODEL_STEP_LEARN_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct model_spec;
struct plan;

#define LEARN_PART_BITS 8
#define LEARN_UNITS_MIN 6 /* m */
#define LEARN_UNITS_MAX 20

/* What follows from a study's numbers, the same everywhere. */
struct learn {
	uint32_t dim; /* words of a sum */
	unsigned bits; /* b */
	unsigned m; /* a patient's norm is at most 2^m units */
	double scale; /* units per unit of gradient: 2^m / C */
	double clip; /* C': the largest norm of a gradient */
	double sensitivity; /* of a rounded sum, L2, in units */
	double variance; /* of the noise of a sum, units^2; an integer */
	double rho; /* of a sum, of those that n_sites could all make */
	uint32_t sums; /* that epsilon pays for: rounds + retries */
	double epsilon; /* of all of them, at the study's delta */
	double largest; /* |word| of a site, but for 2^-80 */
};

/*
 * Find the finest unit for which no sum can wrap.  ERR_CONFIG, with the reason,
 * if there is none: n_sites times (the bound of a site's sum + the tail of its
 * noise at 2^-80) must stay below 2^(b-1).
 */
int learn_setup(
    const struct model_spec *spec, struct learn *l, struct err *err);

/* What the noised sums say so far, in words for a log; empty if there are none. */
void learn_text(const struct plan *p, char *out, size_t size);

/* Begin; take a sum of dim words: 0, or 1 if no such sites can have made it. */
void learn_begin(struct plan *p);
int learn_step(struct plan *p, const void *sum, uint32_t n_contributors);

#endif

/*
 * Randomness that protects: integers of the discrete Gaussian, and rounding
 * by chance.  Exact, in integers and rationals alone, after Canonne, Kamath
 * and Steinke, "The Discrete Gaussian for Differential Privacy" (2020),
 * algorithms 1 to 3: no floating point decides anything, so that no
 * probability is off by its rounding.
 *
 * How long a draw takes depends on what is drawn; who can time the process
 * that draws can learn of it.
 */
#ifndef CRYPTO_NOISE_H
#define CRYPTO_NOISE_H

#include <stdint.h>

#define NOISE_VARIANCE_MAX ((uint64_t)1 << 40)
#define NOISE_DEN_MAX ((uint64_t)1 << 10)

/*
 * One integer z with a probability proportional to exp(-z^2 / (2 s)), s =
 * num / den; 1 <= num <= NOISE_VARIANCE_MAX, 1 <= den <= NOISE_DEN_MAX.
 * (The variance is s but for less than its part in 10^3 where s >= 1/2.)
 */
int64_t noise_gauss(uint64_t num, uint64_t den);

/* The integer below v / 2^bits or the one above, each with the chance that
   makes the mean exact; bits <= 62. */
int64_t noise_round(int64_t v, unsigned bits);

#endif

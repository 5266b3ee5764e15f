/*
 * What noised sums reveal: the accountant of the distributed discrete Gaussian
 * (Kairouz, Liu and Steinke, "The Distributed Discrete Gaussian Mechanism for
 * Federated Learning with Secure Aggregation", 2021).
 *
 * A sum of integer vectors, to which `contributors` sites each added discrete
 * Gaussian noise of variance variance / contributors per coordinate, is
 * rho-concentrated: its Renyi divergence of any order a > 1 between two
 * neighbours is at most a * rho.  rho adds up over sums, also where one sum
 * decides what the next is of; (epsilon, delta) follows from the total.
 *
 * Made of + - * / and square root in a fixed order, as all of the step, so that
 * every site finds the same variance.  Each function errs to the side of
 * privacy: what it returns is not below the true value, up to the rounding of
 * its last few operations, for which 2^-40 of it is added.
 */
#ifndef MODEL_STEP_PRIVACY_H
#define MODEL_STEP_PRIVACY_H

#include <stdint.h>

#define PRIVACY_VARIANCE_MAX 0x1p40

/*
 * The chance, for each sum, that stochastic rounding moves two neighbours
 * further apart than privacy_sensitivity() says: 2^-80.  It is part of delta.
 */
#define PRIVACY_ROUNDING 0x1p-80

/*
 * How far apart, in L2, one patient's vector of norm up to norm can move a sum
 * of dim coordinates that is then rounded to integers by chance: the smaller of
 * norm + sqrt(dim), which is always so, and of what holds but for
 * PRIVACY_ROUNDING (theorem 1 of the paper, for the neighbours' difference).
 */
double privacy_sensitivity(double norm, uint32_t dim);

/* rho of one sum of integers: proposition 14, with the L1 norm of an integer
   vector at most min(sqrt(dim) * sensitivity, sensitivity^2). */
double privacy_rho(
    double sensitivity, uint32_t dim, double variance, uint32_t contributors);

/* The smallest epsilon that this accountant proves at delta (Canonne, Kamath
   and Steinke 2020, proposition 12, best order); infinity if delta <= 0. */
double privacy_epsilon(double rho, double delta);

/* The largest rho that privacy_epsilon() finds within epsilon at delta; 0 if
   none is. */
double privacy_budget(double epsilon, double delta);

/* The smallest integer variance at which one sum is within rho; 0 if
   PRIVACY_VARIANCE_MAX is not enough. */
double privacy_variance(
    double sensitivity, uint32_t dim, uint32_t contributors, double rho);

#endif

/*
 * The few functions of arithmetic that the deterministic step needs and that
 * differ between maths libraries: here they are sums, products and quotients
 * in a fixed order, so that they give the same bits everywhere.
 */
#ifndef MODEL_STEP_NUMBER_H
#define MODEL_STEP_NUMBER_H

#include <stdbool.h>

/* Sums of fixed-point numbers; wraps, never overflows. */
typedef unsigned __int128 wide;

/*
 * Natural logarithm of a finite x > 0, to 2 units in the last place; NaN for
 * anything else.
 */
double num_log(double x);

double num_sqrt(double x);

double num_abs(double x);

/* 2^e, -1022 <= e <= 1023. */
double num_pow2(int e);

/* The smallest b with x <= 2^b; -200 for anything up to 2^-200. */
int num_bits(double x);

bool num_finite(double x);

/*
 * v (two's complement) * 2^-scale, rounded once, to nearest with ties to even.
 * The result must be a normal number.
 */
double num_wide(wide v, int scale);

/* Rounds to nearest, keeps subnormal numbers, evaluates doubles as doubles. */
bool num_environment_is_ieee(void);

#endif

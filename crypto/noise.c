#include "crypto/noise.h"

#include <assert.h>
#include <stdbool.h>

#include "crypto/random.h"

typedef unsigned __int128 wide;

/* Uniform in 0 .. n - 1: as many bits as n - 1 has, until they are below n. */
static wide
uniform(wide n)
{
	wide mask = n - 1, r;

	for (unsigned shift = 1; shift < 128; shift *= 2)
		mask |= mask >> shift;
	do {
		random_bytes(&r, sizeof(r));
		r &= mask;
	} while (r >= n);
	return r;
}

/* True with probability p / q <= 1. */
static bool
chance(wide p, wide q)
{
	return uniform(q) < p;
}

/* True with probability exp(-p / q), p <= q: algorithm 1, the first case.
   q must have 32 bits to spare; k passes 2^32 with chance 1 / (2^32)!. */
static bool
chance_exp_small(wide p, wide q)
{
	wide k = 1;

	while (chance(p, q * k))
		k++;
	return k % 2 == 1;
}

/* The same for any p / q. */
static bool
chance_exp(wide p, wide q)
{
	for (; p > q; p -= q) {
		if (!chance_exp_small(1, 1))
			return false;
	}
	return chance_exp_small(p, q);
}

/* An integer z with a probability proportional to exp(-|z| / t): algorithm 2
   with s = 1. */
static int64_t
laplace(uint64_t t)
{
	for (;;) {
		uint64_t u = (uint64_t)uniform(t), v = 0;
		bool negative;

		if (!chance_exp_small(u, t))
			continue;
		while (chance_exp_small(1, 1))
			v++;
		negative = chance(1, 2);
		if (negative && u == 0 && v == 0)
			continue;
		/* v passes 2^12 with chance exp(-4096). */
		return negative ? -(int64_t)(u + t * v) : (int64_t)(u + t * v);
	}
}

/* Of squares: not above n. */
static uint64_t
root_floor(uint64_t n)
{
	uint64_t r = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1) {
		if ((r + bit) * (r + bit) <= n)
			r += bit;
	}
	return r;
}

/*
 * Algorithm 3.  With s = num / den and t = floor(sqrt(s)) + 1, a Laplace y is
 * kept with probability exp(-(|y| - s / t)^2 / (2 s)), which is
 *
 *     exp(-(|y| den t - num)^2 / (2 num den t^2)).
 *
 * num <= 2^40, den <= 2^10, t <= 2^20 + 1: below 2^92 under the line; above it
 * the square of a number below 2^63 as long as |y| < 2^33.
 */
int64_t
noise_gauss(uint64_t num, uint64_t den)
{
	uint64_t t = root_floor(num / den) + 1;

	assert(num >= 1 && num <= NOISE_VARIANCE_MAX);
	assert(den >= 1 && den <= NOISE_DEN_MAX);
	for (;;) {
		int64_t y = laplace(t);
		wide a = (wide)(y < 0 ? -y : y) * den * t;
		wide d = a > num ? a - num : num - a;

		if (chance_exp(d * d, (wide)2 * num * den * t * t))
			return y;
	}
}

int64_t
noise_round(int64_t v, unsigned bits)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1;
	uint64_t part = (uint64_t)v & mask; /* v mod 2^bits, also below 0 */
	int64_t low = (int64_t)((uint64_t)v - part) / (int64_t)(mask + 1);

	return low + (bits > 0 && uniform((wide)mask + 1) < part);
}

#include "model/step/number.h"

#include <float.h>
#include <stdint.h>
#include <string.h>

/* FLT_EVAL_METHOD 2 (x87) would round twice. */
_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be evaluated as doubles");
_Static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024, "not IEEE binary64");

static uint64_t
bits_of(double x)
{
	uint64_t u;

	memcpy(&u, &x, sizeof(u));
	return u;
}

static double
from_bits(uint64_t u)
{
	double x;

	memcpy(&x, &u, sizeof(x));
	return x;
}

/* x = m * 2^e with 1 <= m < 2; x > 0 and finite. */
static double
split(double x, int *e)
{
	uint64_t u;
	int shift = 0;

	if (x < DBL_MIN) {
		x *= 0x1p54;
		shift = 54;
	}
	u = bits_of(x);
	*e = (int)(u >> 52) - 1023 - shift;
	return from_bits((u & 0xfffffffffffffULL) | 1023ULL << 52);
}

double
num_log(double x)
{
	/* ln 2 in two parts; the first has 33 bits, so that e * hi is exact. */
	const double ln2_hi = 0x1.62e42feep-1, ln2_lo = 0x1.a39ef35793c76p-33;
	double m, s, t, sum = 0.0;
	int e;

	if (!(x > 0.0) || !num_finite(x))
		return from_bits(0x7ff8000000000000ULL); /* NaN */
	m = split(x, &e);
	if (m > 1.4142135623730951) {
		m *= 0.5;
		e++;
	}
	/* log m = 2 artanh s; |s| <= 0.1716, so 23 is the last power needed. */
	s = (m - 1.0) / (m + 1.0);
	t = s * s;
	for (int k = 23; k >= 3; k -= 2)
		sum = t * (sum + 1.0 / (double)k);
	return (double)e * ln2_hi +
	    (2.0 * s + (2.0 * s * sum + (double)e * ln2_lo));
}

double
num_sqrt(double x)
{
	return __builtin_sqrt(x); /* one instruction, correctly rounded */
}

double
num_abs(double x)
{
	return x < 0.0 ? -x : x;
}

double
num_pow2(int e)
{
	return from_bits((uint64_t)(e + 1023) << 52);
}

int
num_bits(double x)
{
	double m;
	int e;

	if (!(x > 0x1p-200))
		return -200;
	m = split(x, &e);
	return m > 1.0 ? e + 1 : e;
}

bool
num_finite(double x)
{
	return (bits_of(x) >> 52 & 0x7ff) != 0x7ff;
}

double
num_wide(wide v, int scale)
{
	bool negative = (v >> 127) != 0;
	int shift = 0;
	double x;

	if (negative)
		v = -v;
	/*
	 * Down to 64 bits, keeping in the lowest bit whether anything was
	 * lost: the conversion from uint64_t then rounds as if from all bits.
	 */
	while (v >> 64 != 0) {
		v = v >> 1 | (v & 1);
		shift++;
	}
	x = (double)(uint64_t)v * num_pow2(shift);
	while (scale > 1000) {
		x *= 0x1p-1000;
		scale -= 1000;
	}
	x *= num_pow2(-scale);
	return negative ? -x : x;
}

bool
num_environment_is_ieee(void)
{
	volatile double one = 1.0, half_ulp = 0x1p-53, min = DBL_MIN;
	volatile double up = one + 3 * half_ulp, even = one + half_ulp;
	volatile double down = -one - half_ulp, tiny = min / 4.0;

	return up == 1.0 + 0x1p-51 && even == 1.0 && down == -1.0 &&
	    tiny != 0.0 && tiny * 4.0 == DBL_MIN;
}

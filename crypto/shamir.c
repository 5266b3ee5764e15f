#include "crypto/shamir.h"

#include <assert.h>
#include <string.h>

void
shamir_coefficients(uint8_t (*c)[GROUP_SCALAR], size_t t)
{
	for (size_t k = 1; k < t; k++)
		group_scalar_random(c[k]);
}

void
shamir_share(uint8_t (*c)[GROUP_SCALAR], size_t t, uint16_t x,
    uint8_t share[GROUP_SCALAR])
{
	uint8_t xs[GROUP_SCALAR];

	assert(t >= 1 && x >= 1);
	group_scalar_u16(x, xs);
	memcpy(share, c[t - 1], GROUP_SCALAR);
	for (size_t k = t - 1; k-- > 0;) {
		group_scalar_mul(share, xs, share);
		group_scalar_add(share, c[k], share);
	}
}

void
shamir_commit(uint8_t (*c)[GROUP_SCALAR], size_t t, uint8_t *points)
{
	for (size_t k = 0; k < t; k++) {
		bool ok = group_base(c[k], points + k * GROUP_POINT);

		assert(ok);
	}
}

/* [x]p + q in variable time: nothing here is secret.  x >= 1, p and the result
   may be the identity. */
static bool
step(uint8_t p[GROUP_POINT], uint16_t x, const uint8_t q[GROUP_POINT])
{
	uint8_t r[GROUP_POINT];
	int bit = 15;

	while ((x >> bit & 1) == 0)
		bit--;
	memcpy(r, p, sizeof(r));
	while (bit-- > 0) {
		if (!group_add(r, r, r))
			return false;
		if ((x >> bit & 1) != 0 && !group_add(r, p, r))
			return false;
	}
	return group_add(r, q, p);
}

bool
shamir_check(const uint8_t *points, size_t t, uint16_t x,
    const uint8_t share[GROUP_SCALAR])
{
	uint8_t want[GROUP_POINT], got[GROUP_POINT];

	assert(t >= 1 && x >= 1);
	if (!group_scalar_ok(share) || !group_base(share, got))
		return false;
	memcpy(want, points + (t - 1) * GROUP_POINT, GROUP_POINT);
	for (size_t k = t - 1; k-- > 0;)
		if (!step(want, x, points + k * GROUP_POINT))
			return false;
	return group_equal(want, got);
}

bool
shamir_combine(uint8_t (*weights)[GROUP_SCALAR],
    const uint8_t *const *commitments, size_t n, size_t t, uint8_t *combined)
{
	uint8_t p[GROUP_POINT];

	for (size_t k = 0; k < t; k++) {
		uint8_t *sum = combined + k * GROUP_POINT;

		memset(sum, 0, GROUP_POINT); /* the identity */
		for (size_t j = 0; j < n; j++)
			if (!group_mul(weights[j],
				commitments[j] + k * GROUP_POINT, p) ||
			    !group_add(sum, p, sum))
				return false;
	}
	return true;
}

void
shamir_combine_shares(uint8_t (*weights)[GROUP_SCALAR],
    uint8_t (*shares)[GROUP_SCALAR], size_t n, uint8_t share[GROUP_SCALAR])
{
	uint8_t p[GROUP_SCALAR];

	memset(share, 0, GROUP_SCALAR);
	for (size_t j = 0; j < n; j++) {
		group_scalar_mul(weights[j], shares[j], p);
		group_scalar_add(share, p, share);
	}
}

void
shamir_join(const uint16_t *x, uint8_t (*shares)[GROUP_SCALAR], size_t t,
    uint8_t secret[GROUP_SCALAR])
{
	uint8_t xi[GROUP_SCALAR], xj[GROUP_SCALAR], num[GROUP_SCALAR],
	    den[GROUP_SCALAR], d[GROUP_SCALAR];

	/* Lagrange at 0: sum of f(x_i) prod x_j / (x_j - x_i). */
	memset(secret, 0, GROUP_SCALAR);
	for (size_t i = 0; i < t; i++) {
		group_scalar_u16(x[i], xi);
		group_scalar_u16(1, num);
		group_scalar_u16(1, den);
		for (size_t j = 0; j < t; j++) {
			if (j == i)
				continue;
			assert(x[j] != x[i]);
			group_scalar_u16(x[j], xj);
			group_scalar_mul(num, xj, num);
			group_scalar_sub(xj, xi, d);
			group_scalar_mul(den, d, den);
		}
		group_scalar_invert(den, den);
		group_scalar_mul(num, den, num);
		group_scalar_mul(num, shares[i], num);
		group_scalar_add(secret, num, secret);
	}
	group_wipe(num, sizeof(num));
}

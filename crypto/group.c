#include "crypto/group.h"

#include <sodium.h>
#include <string.h>

#include "crypto/random.h"

void
group_scalar_random(uint8_t s[GROUP_SCALAR])
{
	uint8_t wide[64];

	do {
		random_bytes(wide, sizeof(wide));
		group_scalar_reduce(wide, s);
	} while (sodium_is_zero(s, GROUP_SCALAR));
	sodium_memzero(wide, sizeof(wide));
}

bool
group_scalar_ok(const uint8_t s[GROUP_SCALAR])
{
	uint8_t wide[64] = { 0 }, reduced[GROUP_SCALAR];
	bool ok;

	memcpy(wide, s, GROUP_SCALAR);
	group_scalar_reduce(wide, reduced);
	ok = group_equal(s, reduced) && !sodium_is_zero(s, GROUP_SCALAR);
	sodium_memzero(wide, sizeof(wide));
	sodium_memzero(reduced, sizeof(reduced));
	return ok;
}

void
group_scalar_reduce(const uint8_t wide[64], uint8_t s[GROUP_SCALAR])
{
	crypto_core_ristretto255_scalar_reduce(s, wide);
}

void
group_scalar_u16(uint16_t v, uint8_t s[GROUP_SCALAR])
{
	memset(s, 0, GROUP_SCALAR);
	s[0] = (uint8_t)v;
	s[1] = (uint8_t)(v >> 8);
}

void
group_scalar_add(const uint8_t a[GROUP_SCALAR], const uint8_t b[GROUP_SCALAR],
    uint8_t out[GROUP_SCALAR])
{
	crypto_core_ristretto255_scalar_add(out, a, b);
}

void
group_scalar_sub(const uint8_t a[GROUP_SCALAR], const uint8_t b[GROUP_SCALAR],
    uint8_t out[GROUP_SCALAR])
{
	crypto_core_ristretto255_scalar_sub(out, a, b);
}

void
group_scalar_mul(const uint8_t a[GROUP_SCALAR], const uint8_t b[GROUP_SCALAR],
    uint8_t out[GROUP_SCALAR])
{
	crypto_core_ristretto255_scalar_mul(out, a, b);
}

void
group_scalar_invert(const uint8_t a[GROUP_SCALAR], uint8_t out[GROUP_SCALAR])
{
	uint8_t r[GROUP_SCALAR];

	crypto_core_ristretto255_scalar_invert(r, a);
	memcpy(out, r, sizeof(r));
	sodium_memzero(r, sizeof(r));
}

bool
group_point_ok(const uint8_t p[GROUP_POINT])
{
	/* The identity is encoded as zeros. */
	return crypto_core_ristretto255_is_valid_point(p) == 1 &&
	    !sodium_is_zero(p, GROUP_POINT);
}

bool
group_base(const uint8_t s[GROUP_SCALAR], uint8_t out[GROUP_POINT])
{
	return crypto_scalarmult_ristretto255_base(out, s) == 0;
}

bool
group_mul(const uint8_t s[GROUP_SCALAR], const uint8_t p[GROUP_POINT],
    uint8_t out[GROUP_POINT])
{
	return group_point_ok(p) &&
	    crypto_scalarmult_ristretto255(out, s, p) == 0;
}

bool
group_add(const uint8_t p[GROUP_POINT], const uint8_t q[GROUP_POINT],
    uint8_t out[GROUP_POINT])
{
	return crypto_core_ristretto255_add(out, p, q) == 0;
}

bool
group_sub(const uint8_t p[GROUP_POINT], const uint8_t q[GROUP_POINT],
    uint8_t out[GROUP_POINT])
{
	return crypto_core_ristretto255_sub(out, p, q) == 0;
}

bool
group_equal(const uint8_t a[32], const uint8_t b[32])
{
	return sodium_memcmp(a, b, 32) == 0;
}

void
group_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

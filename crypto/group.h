/*
 * The group ristretto255 (RFC 9496) and its scalars modulo its order l.
 * Points and scalars are their 32-byte canonical encodings.  Scalars are
 * secret: arithmetic on them takes constant time and leaves nothing behind.
 */
#ifndef CRYPTO_GROUP_H
#define CRYPTO_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_POINT 32
#define GROUP_SCALAR 32

/* Uniform modulo l, never 0: 64 random bytes reduced. */
void group_scalar_random(uint8_t s[GROUP_SCALAR]);
/* Canonical (less than l) and not 0. */
bool group_scalar_ok(const uint8_t s[GROUP_SCALAR]);
/* 64 bytes modulo l. */
void group_scalar_reduce(const uint8_t wide[64], uint8_t s[GROUP_SCALAR]);
void group_scalar_u16(uint16_t v, uint8_t s[GROUP_SCALAR]);
/* out may be a or b. */
void group_scalar_add(const uint8_t a[GROUP_SCALAR],
    const uint8_t b[GROUP_SCALAR], uint8_t out[GROUP_SCALAR]);
void group_scalar_sub(const uint8_t a[GROUP_SCALAR],
    const uint8_t b[GROUP_SCALAR], uint8_t out[GROUP_SCALAR]);
void group_scalar_mul(const uint8_t a[GROUP_SCALAR],
    const uint8_t b[GROUP_SCALAR], uint8_t out[GROUP_SCALAR]);
/* a is not 0. */
void group_scalar_invert(
    const uint8_t a[GROUP_SCALAR], uint8_t out[GROUP_SCALAR]);

/* A canonical encoding, and not the identity. */
bool group_point_ok(const uint8_t p[GROUP_POINT]);
/* [s]B, [s]p, p + q, p - q; false if an argument is no point of the group or
   the result is the identity.  p + q may be the identity: see for yourself. */
bool group_base(const uint8_t s[GROUP_SCALAR], uint8_t out[GROUP_POINT]);
bool group_mul(const uint8_t s[GROUP_SCALAR], const uint8_t p[GROUP_POINT],
    uint8_t out[GROUP_POINT]);
bool group_add(const uint8_t p[GROUP_POINT], const uint8_t q[GROUP_POINT],
    uint8_t out[GROUP_POINT]);
bool group_sub(const uint8_t p[GROUP_POINT], const uint8_t q[GROUP_POINT],
    uint8_t out[GROUP_POINT]);

/* Constant-time comparison, and wiping. */
bool group_equal(const uint8_t a[32], const uint8_t b[32]);
void group_wipe(void *p, size_t len);

#endif

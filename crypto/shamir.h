/*
 * Shamir's secret sharing over ristretto255's scalars, with Feldman's
 * commitments: f(x) = c[0] + c[1] x + ... + c[t-1] x^(t-1), the secret is
 * c[0] = f(0), shares are f(x) for x >= 1, t of them give the secret and fewer
 * tell nothing.  The commitments [c[k]]B let a share be checked alone.
 */
#ifndef CRYPTO_SHAMIR_H
#define CRYPTO_SHAMIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/group.h"

/* c[1] .. c[t-1] uniform; c[0] is the caller's. */
void shamir_coefficients(uint8_t (*c)[GROUP_SCALAR], size_t t);
void shamir_share(uint8_t (*c)[GROUP_SCALAR], size_t t, uint16_t x,
    uint8_t share[GROUP_SCALAR]);

/* points: (t, GROUP_POINT).  No coefficient is 0. */
void shamir_commit(uint8_t (*c)[GROUP_SCALAR], size_t t, uint8_t *points);
/* [share]B = sum of [x^k] points[k], share canonical. */
bool shamir_check(const uint8_t *points, size_t t, uint16_t x,
    const uint8_t share[GROUP_SCALAR]);

/*
 * Many polynomials' shares at one x, checked at once: with random weights w_j,
 * [sum of w_j f_j(x)]B is what the sum of [w_j] commitments_j says but for one
 * chance in 2^252, if not each share is right.  Made once for n polynomials,
 * that sum serves every x whose shares were fixed before the weights are known.
 * combined: (t, GROUP_POINT), which shamir_check() takes.  False if a commitment
 * is no point.
 */
bool shamir_combine(uint8_t (*weights)[GROUP_SCALAR],
    const uint8_t *const *commitments, size_t n, size_t t, uint8_t *combined);
void shamir_combine_shares(uint8_t (*weights)[GROUP_SCALAR],
    uint8_t (*shares)[GROUP_SCALAR], size_t n, uint8_t share[GROUP_SCALAR]);

/* The secret from t shares at distinct x. */
void shamir_join(const uint16_t *x, uint8_t (*shares)[GROUP_SCALAR], size_t t,
    uint8_t secret[GROUP_SCALAR]);

#endif

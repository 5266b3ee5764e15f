/*
 * Chaum and Pedersen's proof that two discrete logarithms are equal, made
 * non-interactive by Fiat and Shamir: whoever made it knows a with pk = [a]B
 * and q = [a]p, and tells nothing else about a.  context binds the proof to
 * what it was made for.
 */
#ifndef CRYPTO_PROOF_H
#define CRYPTO_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/group.h"

#define PROOF_LEN 64 /* challenge and response, two scalars */

/* a is a scalar, p a point. */
void proof_make(const uint8_t a[GROUP_SCALAR], const uint8_t p[GROUP_POINT],
    const uint8_t context[32], uint8_t proof[PROOF_LEN]);
/* Whatever they are. */
bool proof_check(const uint8_t pk[GROUP_POINT], const uint8_t p[GROUP_POINT],
    const uint8_t q[GROUP_POINT], const uint8_t context[32],
    const uint8_t proof[PROOF_LEN]);

#endif

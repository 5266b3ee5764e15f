/*
 * The keys that a round derives, and a dealer's share opened and checked.
 * Internal to crypto/round*.
 */
#ifndef CRYPTO_ROUND_KEYS_H
#define CRYPTO_ROUND_KEYS_H

#include "crypto/round_msg.h"

/* What both ends of a pair, or who knows dh, derive from it. */
struct pair {
	uint8_t prk[32];
	uint16_t a, b;
};

/* dh = [secret] of the other's prekey. */
void pair_dh(const struct roster *r, size_t other,
    const uint8_t secret[ROUND_KEY], uint8_t dh[ROUND_KEY]);
void pair_make(const struct round_ctx *ctx, const struct roster *r, size_t i,
    size_t j, const uint8_t dh[ROUND_KEY], struct pair *p);
void pair_wipe(struct pair *p);

void key_share(const struct pair *p, const struct roster *r, uint16_t from,
    uint16_t to, uint8_t key[32]);
void key_mask(const struct pair *p, const struct roster *r,
    const uint8_t u2[ROUND_DIGEST], uint32_t tensor, uint8_t key[32]);
void key_self(const struct round_ctx *ctx, const struct roster *r,
    const uint8_t u2[ROUND_DIGEST], uint16_t site,
    const uint8_t seed[ROUND_KEY], uint32_t tensor, uint8_t key[32]);

/* Seal and open the two shares that from gives to. */
void shares_seal(const struct pair *p, const struct roster *r, size_t from,
    size_t to, const uint8_t f[ROUND_KEY], const uint8_t g[ROUND_KEY],
    uint8_t sealed[MSG_SEALED]);
/* False if it does not open or is not what was committed to. */
bool shares_open(const struct pair *p, const struct roster *r, size_t from,
    size_t to, const struct msg_dealt *d, uint8_t f[ROUND_KEY],
    uint8_t g[ROUND_KEY]);

/*
 * Whether what dealer is said to have dealt is what it signed: points, first
 * ones, digest, sealed share under its root.  False is the coordinator's fault
 * (or, for the points, the dealer's: *bad_points; it signed what cannot be).
 */
bool dealt_is_signed(const struct roster *r, const struct dealing *dealing,
    size_t dealer, size_t to, const struct msg_dealt *d);
bool dealt_points_ok(const struct roster *r, const struct dealing *dealing,
    size_t dealer, const struct msg_points *points);

/* What a complaint's proof is bound to. */
void complaint_context(
    const struct roster *r, uint16_t site, uint16_t dealer, uint8_t out[32]);

#endif

/*
 * What must lie on disk but is secret: prekeys and the state of open rounds.
 * Sealed with XChaCha20-Poly1305 under a key derived from the daemon's
 * identity key, a random nonce in front; ad says what it is and where it
 * belongs, so that one record cannot stand in for another.
 */
#ifndef CRYPTO_VAULT_H
#define CRYPTO_VAULT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/keyfile.h"

struct canon;
struct err;

#define VAULT_KEY 32

void vault_key(const struct key *identity, uint8_t out[VAULT_KEY]);

/* Append the sealed bytes to out. */
int vault_seal(const uint8_t key[VAULT_KEY], const char *ad, const void *p,
    size_t len, struct canon *out, struct err *err);
/* Append the plain bytes to out; ERR_FORMAT if they are not what was sealed. */
int vault_open(const uint8_t key[VAULT_KEY], const char *ad, const void *p,
    size_t len, struct canon *out, struct err *err);

#endif

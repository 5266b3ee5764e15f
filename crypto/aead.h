/*
 * Sealing with ChaCha20-Poly1305 (RFC 8439) under a key that seals one message
 * only, hence with nonce 0.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY 32
#define AEAD_TAG 16

/* out has room for len + AEAD_TAG bytes. */
void aead_seal(const uint8_t key[AEAD_KEY], const void *ad, size_t ad_len,
    const void *plain, size_t len, uint8_t *out);
/* len includes the tag; out has room for len - AEAD_TAG bytes. */
bool aead_open(const uint8_t key[AEAD_KEY], const void *ad, size_t ad_len,
    const uint8_t *sealed, size_t len, uint8_t *out);

#endif

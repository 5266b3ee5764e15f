/*
 * SHA-256 and HMAC-SHA-256.  Apart from the rest of crypto/, so that the
 * processes without keys (reader, trainer) link nothing else of it.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_LEN 32

void hash_sha256(const void *data, size_t len, uint8_t out[HASH_LEN]);
void hash_hmac(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t out[HASH_LEN]);

/* The same in parts. */
struct hash {
	uint64_t state[16];
};

void hash_start(struct hash *h);
void hash_add(struct hash *h, const void *data, size_t len);
void hash_end(struct hash *h, uint8_t out[HASH_LEN]); /* wipes h */

#endif

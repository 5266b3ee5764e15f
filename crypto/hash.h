/*
 * SHA-256, HMAC-SHA-256 and HKDF-SHA-256.  Apart from the rest of crypto/, so that the
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

/*
 * A labelled hash, H(label || fields) in the documents: over the text
 * "consilium-1/LABEL" and the fields in canonical layout (common/canon.h).
 * Each label has one layout.
 */
#define HASH_LABEL "consilium-1/"

void hash_label(struct hash *h, const char *label);
void hash_u8(struct hash *h, uint8_t v);
void hash_u16(struct hash *h, uint16_t v);
void hash_u32(struct hash *h, uint32_t v);
void hash_u64(struct hash *h, uint64_t v);
/* With its length; hash_add() is without. */
void hash_bytes(struct hash *h, const void *p, size_t len);
void hash_text(struct hash *h, const char *s);

/* RFC 5869.  out_len is at most 255 HASH_LEN. */
void hkdf_extract(const void *salt, size_t salt_len, const void *ikm,
    size_t ikm_len, uint8_t prk[HASH_LEN]);
void hkdf_expand(const uint8_t prk[HASH_LEN], const void *info, size_t info_len,
    uint8_t *out, size_t out_len);

#endif

#include "crypto/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static crypto_hash_sha256_state *
state(struct hash *h)
{
	static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(h->state),
	    "struct hash is too small");
	return (crypto_hash_sha256_state *)h->state;
}

void
hash_sha256(const void *data, size_t len, uint8_t out[HASH_LEN])
{
	crypto_hash_sha256(out, data, len);
}

void
hash_hmac(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t out[HASH_LEN])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key, key_len);
	crypto_auth_hmacsha256_update(&st, data, len);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

void
hash_start(struct hash *h)
{
	crypto_hash_sha256_init(state(h));
}

void
hash_add(struct hash *h, const void *data, size_t len)
{
	crypto_hash_sha256_update(state(h), data, len);
}

void
hash_end(struct hash *h, uint8_t out[HASH_LEN])
{
	crypto_hash_sha256_final(state(h), out);
	sodium_memzero(h, sizeof(*h));
}

static void
add_be(struct hash *h, uint64_t v, size_t bytes)
{
	uint8_t be[8];

	for (size_t i = 0; i < bytes; i++)
		be[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	hash_add(h, be, bytes);
}

void
hash_u8(struct hash *h, uint8_t v)
{
	add_be(h, v, 1);
}

void
hash_u16(struct hash *h, uint16_t v)
{
	add_be(h, v, 2);
}

void
hash_u32(struct hash *h, uint32_t v)
{
	add_be(h, v, 4);
}

void
hash_u64(struct hash *h, uint64_t v)
{
	add_be(h, v, 8);
}

void
hash_bytes(struct hash *h, const void *p, size_t len)
{
	assert(len <= UINT32_MAX);
	hash_u32(h, (uint32_t)len);
	hash_add(h, p, len);
}

void
hash_text(struct hash *h, const char *s)
{
	hash_bytes(h, s, strlen(s));
}

void
hash_label(struct hash *h, const char *label)
{
	size_t n = strlen(HASH_LABEL), len = strlen(label);

	hash_start(h);
	hash_u32(h, (uint32_t)(n + len));
	hash_add(h, HASH_LABEL, n);
	hash_add(h, label, len);
}

void
hkdf_extract(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len,
    uint8_t prk[HASH_LEN])
{
	hash_hmac(salt, salt_len, ikm, ikm_len, prk);
}

void
hkdf_expand(const uint8_t prk[HASH_LEN], const void *info, size_t info_len,
    uint8_t *out, size_t out_len)
{
	crypto_auth_hmacsha256_state st;
	uint8_t t[HASH_LEN];
	size_t done = 0, n;

	assert(out_len <= 255 * HASH_LEN);
	for (uint8_t i = 1; done < out_len; i++) {
		crypto_auth_hmacsha256_init(&st, prk, HASH_LEN);
		if (done != 0)
			crypto_auth_hmacsha256_update(&st, t, sizeof(t));
		crypto_auth_hmacsha256_update(&st, info, info_len);
		crypto_auth_hmacsha256_update(&st, &i, 1);
		crypto_auth_hmacsha256_final(&st, t);
		n = out_len - done < HASH_LEN ? out_len - done : HASH_LEN;
		memcpy(out + done, t, n);
		done += n;
	}
	sodium_memzero(&st, sizeof(st));
	sodium_memzero(t, sizeof(t));
}

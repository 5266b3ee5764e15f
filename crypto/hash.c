#include "crypto/hash.h"

#include <assert.h>
#include <sodium.h>

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

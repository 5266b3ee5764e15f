#include "crypto/aead.h"

#include <sodium.h>

static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

void
aead_seal(const uint8_t key[AEAD_KEY], const void *ad, size_t ad_len,
    const void *plain, size_t len, uint8_t *out)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    out, NULL, plain, len, ad, ad_len, NULL, nonce, key);
}

bool
aead_open(const uint8_t key[AEAD_KEY], const void *ad, size_t ad_len,
    const uint8_t *sealed, size_t len, uint8_t *out)
{
	return crypto_aead_chacha20poly1305_ietf_decrypt(
		   out, NULL, NULL, sealed, len, ad, ad_len, nonce, key) == 0;
}

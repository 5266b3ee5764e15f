#include "crypto/vault.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES

void
vault_key(const struct key *identity, uint8_t out[VAULT_KEY])
{
	static const char label[] = "consilium-1/vault";

	/* Keyed BLAKE2b over the label; the seed is the secret's first half. */
	crypto_generichash(out, VAULT_KEY, (const uint8_t *)label,
	    sizeof(label) - 1, key_secret(identity), 32);
}

int
vault_seal(const uint8_t key[VAULT_KEY], const char *ad, const void *p,
    size_t len, struct canon *out, struct err *err)
{
	uint8_t nonce[NONCE];
	uint8_t *box = malloc(len + TAG);

	if (box == NULL)
		return err_sys(err, "seal %zu bytes", len);
	randombytes_buf(nonce, sizeof(nonce));
	crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, p, len,
	    (const uint8_t *)ad, strlen(ad), NULL, nonce, key);
	canon_raw(out, nonce, sizeof(nonce));
	canon_raw(out, box, len + TAG);
	free(box);
	if (out->failed)
		return err_set(err, ERR_SYSTEM, "out of memory");
	return 0;
}

int
vault_open(const uint8_t key[VAULT_KEY], const char *ad, const void *p,
    size_t len, struct canon *out, struct err *err)
{
	const uint8_t *in = p;
	uint8_t *plain;
	int rv = -1;

	if (len < NONCE + TAG)
		return err_set(err, ERR_FORMAT, "%s: cut short", ad);
	if ((plain = malloc(len)) == NULL)
		return err_sys(err, "open %zu bytes", len);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
		in + NONCE, len - NONCE, (const uint8_t *)ad, strlen(ad), in,
		key) != 0) {
		err_set(err, ERR_FORMAT,
		    "%s: not sealed by this daemon's identity key", ad);
		goto out;
	}
	canon_raw(out, plain, len - NONCE - TAG);
	rv = out->failed ? err_set(err, ERR_SYSTEM, "out of memory") : 0;
out:
	sodium_memzero(plain, len);
	free(plain);
	return rv;
}

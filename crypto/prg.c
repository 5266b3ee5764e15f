#include "crypto/prg.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"

/* Words are the keystream's bytes as they are. */
_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine");

#define BLOCK_WORDS 2048 /* keystream made at a time */

static EVP_CIPHER_CTX *
aes_start(const uint8_t key[PRG_KEY], uint64_t block)
{
	uint8_t iv[16] = { 0 };
	EVP_CIPHER_CTX *c;

	for (size_t i = 0; i < 8; i++)
		iv[15 - i] = (uint8_t)(block >> (8 * i));
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if ((c = EVP_CIPHER_CTX_new()) == NULL)
		return NULL;
	if (EVP_EncryptInit_ex(c, EVP_aes_256_ctr(), NULL, key, iv) != 1) {
		EVP_CIPHER_CTX_free(c);
		return NULL;
	}
	return c;
}

/* The next n words of the stream. */
static int
aes_words(EVP_CIPHER_CTX *c, uint64_t *out, size_t n)
{
	int len = (int)(n * 8), done = 0;

	memset(out, 0, n * 8);
	return EVP_EncryptUpdate(
		   c, (uint8_t *)out, &done, (uint8_t *)out, len) == 1 &&
	    done == len;
}

static void
combine(uint64_t *words, const uint64_t *stream, size_t n, enum prg_sign sign)
{
	if (sign == PRG_ADD)
		for (size_t i = 0; i < n; i++)
			words[i] += stream[i];
	else
		for (size_t i = 0; i < n; i++)
			words[i] -= stream[i];
}

static int
apply_aes(const uint8_t key[PRG_KEY], uint64_t first, uint64_t *words, size_t n,
    enum prg_sign sign, struct err *err)
{
	uint64_t stream[BLOCK_WORDS];
	EVP_CIPHER_CTX *c = aes_start(key, first / 2);
	int ok = c != NULL;

	if (ok && first % 2 != 0) /* half a cipher block */
		ok = aes_words(c, stream, 1);
	for (size_t done = 0, m; ok && done < n; done += m) {
		m = MIN(n - done, (size_t)BLOCK_WORDS);
		if ((ok = aes_words(c, stream, m)))
			combine(words + done, stream, m, sign);
	}
	EVP_CIPHER_CTX_free(c);
	sodium_memzero(stream, sizeof(stream));
	return ok ? 0 : err_set(err, ERR_SYSTEM, "AES-256-CTR failed");
}

static int
apply_chacha(const uint8_t key[PRG_KEY], uint64_t first, uint64_t *words,
    size_t n, enum prg_sign sign)
{
	static const uint8_t nonce[12];
	uint64_t stream[BLOCK_WORDS];
	uint32_t block = (uint32_t)(first / 8);
	size_t skip = (size_t)(first % 8);

	/* The first piece may begin inside a block; after it all are whole. */
	for (size_t done = 0, m; done < n; done += m) {
		m = MIN(n - done, (size_t)BLOCK_WORDS - skip);
		memset(stream, 0, (skip + m) * 8);
		crypto_stream_chacha20_ietf_xor_ic((uint8_t *)stream,
		    (uint8_t *)stream, (skip + m) * 8, nonce, block, key);
		combine(words + done, stream + skip, m, sign);
		block += BLOCK_WORDS / 8;
		skip = 0;
	}
	sodium_memzero(stream, sizeof(stream));
	return 0;
}

int
prg_apply(uint8_t suite, const uint8_t key[PRG_KEY], uint64_t first,
    uint64_t *words, size_t n, enum prg_sign sign, struct err *err)
{
	switch (suite) {
	case PRG_AES256CTR:
		return apply_aes(key, first, words, n, sign, err);
	case PRG_CHACHA20:
		return apply_chacha(key, first, words, n, sign);
	}
	return err_set(err, ERR_REFUSED, "cipher suite %u is not one of ours",
	    (unsigned)suite);
}

/*
 * Words 0 to 2 of the key 00 01 .. 1f.  (The generator's own modes of use, IV
 * 0 and a carry, have no published vector; tests/crypto has those of SP
 * 800-38A and RFC 8439 for the ciphers, and an independent AES for these.)
 */
static const struct answer {
	uint8_t suite;
	uint64_t first, word[3];
} answers[] = {
	{ PRG_AES256CTR, 0,
	    { 0xd09f492ab60090f2, 0x80772edd6a9af3a9, 0xe59fb94aae765df0 } },
	{ PRG_AES256CTR, 2 * 255 + 1,
	    { 0x9a9e6589c428da32, 0x4f5dacd130562e51, 0x65730f6e7d77c843 } },
	{ PRG_AES256CTR, 2 * 0xffffffffull,
	    { 0x57a1cb109873c2b9, 0x9e566e8c106afea9, 0xf6cfbe803a1a1d64 } },
	{ PRG_CHACHA20, 0,
	    { 0x6a19c5d97d2bfd39, 0x494adcb87703bd8d, 0xcc6adebc6fd8358a } },
	{ PRG_CHACHA20, 8 * 255 + 5,
	    { 0xce44b790d4368f7e, 0xcc12d4c5a2b96ce3, 0x7096311a9669e0c8 } },
};

int
prg_selftest(struct err *err)
{
	uint64_t one[300], two[300];
	uint8_t key[PRG_KEY];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < nitems(answers); i++) {
		const struct answer *a = &answers[i];

		/* The words at hand, within a longer run, from an odd start. */
		memset(one, 0, sizeof(one));
		memset(two, 0, sizeof(two));
		if (prg_apply(a->suite, key, a->first, one, 3, PRG_ADD, err) !=
			0 ||
		    prg_apply(
			a->suite, key, a->first, two, 299, PRG_ADD, err) != 0)
			return -1;
		if (memcmp(one, a->word, sizeof(a->word)) != 0 ||
		    memcmp(two, one, sizeof(a->word)) != 0)
			goto wrong;
		if (prg_apply(a->suite, key, a->first + 1, two + 1, 298,
			PRG_SUBTRACT, err) != 0)
			return -1;
		for (size_t k = 1; k < nitems(two); k++)
			if (two[k] != 0)
				goto wrong;
	}
	return 0;
wrong:
	return err_set(err, ERR_SYSTEM,
	    "this machine computes a wrong mask stream: do not use it");
}

#include "crypto/prg.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"

/* Words are the keystream's bytes as they are. */
_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine");

#define AES_BLOCK 16
#define CHACHA_BLOCK 64
#define STREAM 16384 /* bytes of keystream made at a time */

/* The pieces are then whole words and whole blocks of either cipher. */
_Static_assert(STREAM % CHACHA_BLOCK == 0 && STREAM % AES_BLOCK == 0, "pieces");

static EVP_CIPHER_CTX *
aes_start(const uint8_t key[PRG_KEY], uint64_t block)
{
	uint8_t iv[AES_BLOCK] = { 0 };
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

/* The next len bytes of the stream. */
static int
aes_bytes(EVP_CIPHER_CTX *c, void *out, size_t len)
{
	int done = 0;

	memset(out, 0, len);
	return EVP_EncryptUpdate(c, out, &done, out, (int)len) == 1 &&
	    done == (int)len;
}

static void
combine64(uint64_t *words, const uint64_t *stream, size_t n, enum prg_sign sign)
{
	if (sign == PRG_ADD)
		for (size_t i = 0; i < n; i++)
			words[i] += stream[i];
	else
		for (size_t i = 0; i < n; i++)
			words[i] -= stream[i];
}

static void
combine32(uint32_t *words, const uint32_t *stream, size_t n, enum prg_sign sign)
{
	if (sign == PRG_ADD)
		for (size_t i = 0; i < n; i++)
			words[i] += stream[i];
	else
		for (size_t i = 0; i < n; i++)
			words[i] -= stream[i];
}

/* len bytes of words and of stream, each whole words and aligned as such. */
static void
combine(void *words, const void *stream, size_t len, unsigned bits,
    enum prg_sign sign)
{
	if (bits == 64)
		combine64(words, stream, len / 8, sign);
	else
		combine32(words, stream, len / 4, sign);
}

static int
apply_aes(const uint8_t key[PRG_KEY], unsigned bits, uint64_t first,
    uint8_t *words, size_t len, enum prg_sign sign, struct err *err)
{
	uint64_t stream[STREAM / 8];
	EVP_CIPHER_CTX *c = aes_start(key, first / AES_BLOCK);
	size_t skip = first % AES_BLOCK;
	int ok = c != NULL;

	if (ok && skip != 0) /* part of a cipher block */
		ok = aes_bytes(c, stream, skip);
	for (size_t done = 0, m; ok && done < len; done += m) {
		m = MIN(len - done, (size_t)STREAM);
		if ((ok = aes_bytes(c, stream, m)))
			combine(words + done, stream, m, bits, sign);
	}
	EVP_CIPHER_CTX_free(c);
	sodium_memzero(stream, sizeof(stream));
	return ok ? 0 : err_set(err, ERR_SYSTEM, "AES-256-CTR failed");
}

static int
apply_chacha(const uint8_t key[PRG_KEY], unsigned bits, uint64_t first,
    uint8_t *words, size_t len, enum prg_sign sign)
{
	static const uint8_t nonce[12];
	uint64_t stream[STREAM / 8];
	uint8_t *bytes = (uint8_t *)stream;
	uint32_t block = (uint32_t)(first / CHACHA_BLOCK);
	size_t skip = first % CHACHA_BLOCK;

	/* The first piece may begin inside a block; after it all are whole. */
	for (size_t done = 0, m; done < len; done += m) {
		m = MIN(len - done, (size_t)STREAM - skip);
		memset(bytes, 0, skip + m);
		crypto_stream_chacha20_ietf_xor_ic(
		    bytes, bytes, skip + m, nonce, block, key);
		combine(words + done, bytes + skip, m, bits, sign);
		block += STREAM / CHACHA_BLOCK;
		skip = 0;
	}
	sodium_memzero(stream, sizeof(stream));
	return 0;
}

int
prg_apply(uint8_t suite, const uint8_t key[PRG_KEY], unsigned bits,
    uint64_t first, void *words, size_t n, enum prg_sign sign, struct err *err)
{
	size_t word = bits / 8;

	if (bits != 32 && bits != 64)
		return err_set(err, ERR_REFUSED, "ring words of %u bits", bits);
	switch (suite) {
	case PRG_AES256CTR:
		return apply_aes(
		    key, bits, first * word, words, n * word, sign, err);
	case PRG_CHACHA20:
		return apply_chacha(
		    key, bits, first * word, words, n * word, sign);
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

/* The words at hand, within a longer run, and away again from an odd start:
   n times bits is the same number of bytes for either width. */
static int
check_answer(
    const struct answer *a, unsigned bits, bool *right, struct err *err)
{
	uint64_t one[3] = { 0 }, two[300] = { 0 }, three[300];
	size_t per = 64 / bits, some = 299 * per;
	uint8_t key[PRG_KEY];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	if (prg_apply(a->suite, key, bits, a->first * per, one, 3 * per,
		PRG_ADD, err) != 0 ||
	    prg_apply(a->suite, key, bits, a->first * per, two, some, PRG_ADD,
		err) != 0)
		return -1;
	memcpy(three, two, sizeof(two));
	if (prg_apply(a->suite, key, bits, a->first * per + 1,
		(uint8_t *)three + bits / 8, some - 1, PRG_SUBTRACT, err) != 0)
		return -1;
	*right = memcmp(one, a->word, sizeof(a->word)) == 0 &&
	    memcmp(two, a->word, sizeof(a->word)) == 0 &&
	    memcmp(three, two, bits / 8) == 0;
	for (size_t k = bits / 8; k < sizeof(three); k++)
		*right &= ((const uint8_t *)three)[k] == 0;
	return 0;
}

int
prg_selftest(struct err *err)
{
	for (size_t i = 0; i < nitems(answers); i++) {
		bool right64, right32;

		if (check_answer(&answers[i], 64, &right64, err) != 0 ||
		    check_answer(&answers[i], 32, &right32, err) != 0)
			return -1;
		if (!right64 || !right32)
			return err_set(err, ERR_SYSTEM,
			    "this machine computes a wrong mask stream: do not "
			    "use it");
	}
	return 0;
}

#include "tests/check.h"

#include <openssl/evp.h>

#include "common/err.h"
#include "common/hex.h"
#include "crypto/prg.h"

static void
key_of(const char *hex, uint8_t key[PRG_KEY])
{
	assert_int_equal(hex_bytes(hex, key, PRG_KEY), 0);
}

/* NIST's AES validation suite, KeySbox for 256 bits, number 0: a block of
   zeros encrypted, which is the first block of the counter mode. */
static void
suite_1_begins_with_aes_of_zeros(void **state)
{
	uint64_t words[2] = { 0 };
	uint8_t key[PRG_KEY], want[16];
	struct err err;

	(void)state;
	key_of(
	    "c47b0294dbbbee0fec4757f22ffeee3587ca4730c3d33b691df38bab076bc558",
	    key);
	assert_int_equal(
	    hex_bytes("46f2fb342d6f0ab477476fc501242c5f", want, 16), 0);
	assert_int_equal(
	    prg_apply(PRG_AES256CTR, key, 64, 0, words, 2, PRG_ADD, &err), 0);
	assert_memory_equal(words, want, 16);
}

/* NIST SP 800-38A, F.5.5: libcrypto's counter mode, which is suite 1 with a
   counter that begins at 0. */
static void
suite_1_is_the_counter_mode_of_sp_800_38a(void **state)
{
	EVP_CIPHER_CTX *evp = EVP_CIPHER_CTX_new();
	uint8_t key[PRG_KEY], counter[16], plain[64], want[64], got[64];
	uint64_t words[8] = { 0 };
	struct err err;
	int n;

	(void)state;
	key_of(
	    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	    key);
	assert_int_equal(
	    hex_bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", counter, 16), 0);
	assert_int_equal(hex_bytes("6bc1bee22e409f96e93d7e117393172a"
				   "ae2d8a571e03ac9c9eb76fac45af8e51"
				   "30c81c46a35ce411e5fbc1191a0a52ef"
				   "f69f2445df4f9b17ad2b417be66c3710",
			     plain, 64),
	    0);
	assert_int_equal(hex_bytes("601ec313775789a5b7a7f504bbf3d228"
				   "f443e3ca4d62b59aca84e990cacaf5c5"
				   "2b0930daa23de94ce87017ba2d84988d"
				   "dfc9c58db67aada613c2dd08457941a6",
			     want, 64),
	    0);
	assert_non_null(evp);
	assert_int_equal(
	    EVP_EncryptInit_ex(evp, EVP_aes_256_ctr(), NULL, key, counter), 1);
	assert_int_equal(EVP_EncryptUpdate(evp, got, &n, plain, 64), 1);
	assert_memory_equal(got, want, 64);
	memset(counter, 0, sizeof(counter));
	memset(plain, 0, sizeof(plain));
	assert_int_equal(EVP_EncryptInit_ex(evp, NULL, NULL, key, counter), 1);
	assert_int_equal(EVP_EncryptUpdate(evp, got, &n, plain, 64), 1);
	assert_int_equal(
	    prg_apply(PRG_AES256CTR, key, 64, 0, words, 8, PRG_ADD, &err), 0);
	assert_memory_equal(words, got, 64);
	EVP_CIPHER_CTX_free(evp);
}

/* RFC 8439, A.1, vectors 1 and 2: key and nonce zero, blocks 0 and 1. */
static void
suite_2_is_chacha20_from_block_0(void **state)
{
	static const uint8_t key[PRG_KEY];
	uint64_t words[2] = { 0 };
	uint8_t want[16];
	struct err err;

	(void)state;
	assert_int_equal(
	    prg_apply(PRG_CHACHA20, key, 64, 0, words, 2, PRG_ADD, &err), 0);
	assert_int_equal(
	    hex_bytes("76b8e0ada0f13d90405d6ae55386bd28", want, 16), 0);
	assert_memory_equal(words, want, 16);
	words[0] = words[1] = 0;
	assert_int_equal(
	    prg_apply(PRG_CHACHA20, key, 64, 8, words, 2, PRG_ADD, &err), 0);
	assert_int_equal(
	    hex_bytes("9f07e7be5551387a98ba977c732d080d", want, 16), 0);
	assert_memory_equal(words, want, 16);
}

/* Any part of the stream can be made alone, from any word on. */
static void
pieces_fit_together(void **state)
{
	static const size_t cuts[] = { 1, 2, 3, 8, 2047, 2048, 2049, 4099 };
	uint64_t whole[5000], parts[5000];
	uint8_t key[PRG_KEY] = { 1, 2, 3 };
	struct err err;

	(void)state;
	for (uint8_t suite = 1; suite <= 2; suite++) {
		memset(whole, 0, sizeof(whole));
		assert_int_equal(
		    prg_apply(suite, key, 64, 5, whole, 5000, PRG_ADD, &err),
		    0);
		for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
			size_t cut = cuts[i];

			memset(parts, 0, sizeof(parts));
			assert_int_equal(prg_apply(suite, key, 64, 5, parts,
					     cut, PRG_ADD, &err),
			    0);
			assert_int_equal(
			    prg_apply(suite, key, 64, 5 + cut, parts + cut,
				5000 - cut, PRG_ADD, &err),
			    0);
			assert_memory_equal(whole, parts, sizeof(whole));
		}
		assert_int_equal(prg_apply(suite, key, 64, 5, whole, 5000,
				     PRG_SUBTRACT, &err),
		    0);
		memset(parts, 0, sizeof(parts));
		assert_memory_equal(whole, parts, sizeof(whole));
	}
}

/* Words of 32 bits are the halves of those of 64, in the stream's order; sums
   wrap in each for itself. */
static void
narrow_words_are_the_same_stream(void **state)
{
	uint64_t wide[2500] = { 0 };
	uint32_t narrow[4999], halves[5000];
	uint8_t key[PRG_KEY] = { 4, 5, 6 };
	struct err err;

	(void)state;
	for (uint8_t suite = 1; suite <= 2; suite++) {
		memset(wide, 0, sizeof(wide));
		memset(narrow, 0xff, sizeof(narrow));
		assert_int_equal(
		    prg_apply(suite, key, 64, 3, wide, 2500, PRG_ADD, &err), 0);
		assert_int_equal(
		    prg_apply(suite, key, 32, 7, narrow, 4999, PRG_ADD, &err),
		    0);
		memcpy(halves, wide, sizeof(halves));
		for (size_t k = 0; k < 4999; k++)
			assert_true(narrow[k] == halves[k + 1] - 1);
		assert_int_equal(prg_apply(suite, key, 32, 7, narrow, 4999,
				     PRG_SUBTRACT, &err),
		    0);
		for (size_t k = 0; k < 4999; k++)
			assert_true(narrow[k] == UINT32_MAX);
	}
	assert_int_equal(
	    prg_apply(1, key, 16, 0, narrow, 1, PRG_ADD, &err), -1);
}

static void
tests_itself_and_refuses_other_suites(void **state)
{
	uint8_t key[PRG_KEY] = { 0 };
	uint64_t word = 0;
	struct err err;

	(void)state;
	assert_int_equal(prg_selftest(&err), 0);
	assert_int_equal(prg_apply(3, key, 64, 0, &word, 1, PRG_ADD, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suite_1_begins_with_aes_of_zeros),
		cmocka_unit_test(suite_1_is_the_counter_mode_of_sp_800_38a),
		cmocka_unit_test(suite_2_is_chacha20_from_block_0),
		cmocka_unit_test(pieces_fit_together),
		cmocka_unit_test(narrow_words_are_the_same_stream),
		cmocka_unit_test(tests_itself_and_refuses_other_suites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Sealed shares and Merkle trees. */
#include "tests/check.h"

#include "common/err.h"
#include "common/hex.h"
#include "crypto/aead.h"
#include "crypto/merkle.h"
#include "crypto/round.h"

/*
 * ChaCha20-Poly1305 with nonce 0 (tests/reference/oracle.py, whose cipher has
 * the answers of RFC 8439, 2.8.2): key 00 01 .. 1f.
 */
static void
seals_as_rfc_8439_does(void **state)
{
	uint8_t key[AEAD_KEY], sealed[4 + AEAD_TAG], want[4 + AEAD_TAG],
	    plain[4];

	(void)state;
	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	aead_seal(key, "ad", 2, "text", 4, sealed);
	assert_int_equal(hex_bytes("6cdd3a456d8a214bcbe963c3aba54bf5ee4420a6",
			     want, sizeof(want)),
	    0);
	assert_memory_equal(sealed, want, sizeof(want));
	assert_true(aead_open(key, "ad", 2, sealed, sizeof(sealed), plain));
	assert_memory_equal(plain, "text", 4);
}

static void
opens_nothing_that_was_changed(void **state)
{
	uint8_t key[AEAD_KEY] = { 7 }, sealed[4 + AEAD_TAG], plain[4];

	(void)state;
	aead_seal(key, "ad", 2, "text", 4, sealed);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 0x80;
		assert_false(
		    aead_open(key, "ad", 2, sealed, sizeof(sealed), plain));
		sealed[i] ^= 0x80;
	}
	assert_false(aead_open(key, "aD", 2, sealed, sizeof(sealed), plain));
	assert_false(aead_open(key, "ad", 2, sealed, AEAD_TAG - 1, plain));
	key[0] = 8;
	assert_false(aead_open(key, "ad", 2, sealed, sizeof(sealed), plain));
}

static void
leaves_of(uint8_t (*leaves)[HASH_LEN], size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash_sha256(&i, sizeof(i), leaves[i]);
}

static void
paths_lead_to_the_root_from_one_place_only(void **state)
{
	uint8_t leaves[20][HASH_LEN], copy[20][HASH_LEN], root[HASH_LEN],
	    path[MERKLE_DEPTH_MAX][HASH_LEN];
	size_t len;

	(void)state;
	for (size_t n = 1; n <= 20; n++) {
		leaves_of(leaves, n);
		memcpy(copy, leaves, sizeof(copy));
		merkle_root(copy, n, root);
		for (size_t i = 0; i < n; i++) {
			memcpy(copy, leaves, sizeof(copy));
			len = merkle_path(copy, n, i, path);
			assert_true(
			    merkle_check(leaves[i], n, i, path[0], len, root));
			assert_false(merkle_check(
			    leaves[i], n, i ^ 1, path[0], len, root));
			assert_false(merkle_check(
			    leaves[i], n, i, path[0], len + 1, root));
			if (len > 0)
				assert_false(merkle_check(
				    leaves[i], n, i, path[0], len - 1, root));
			root[3] ^= 1;
			assert_false(
			    merkle_check(leaves[i], n, i, path[0], len, root));
			root[3] ^= 1;
		}
	}
}

static void
a_vector_is_named_by_all_of_its_words(void **state)
{
	static uint64_t words[2 * ROUND_CHUNK / 8 + 1];
	static const size_t at[] = { 0, ROUND_CHUNK / 8 - 1, ROUND_CHUNK / 8,
		2 * ROUND_CHUNK / 8 };
	size_t n = sizeof(words) / sizeof(*words);
	uint8_t root[32], other[32];

	(void)state;
	round_words_root(64, words, n, root);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		words[at[i]]++;
		round_words_root(64, words, n, other);
		assert_memory_not_equal(root, other, 32);
		words[at[i]]--;
	}
	round_words_root(64, words, n - 1, other);
	assert_memory_not_equal(root, other, 32);
}

/* Chunk by chunk as over all leaves at once, whatever their number. */
static void
a_root_over_chunks_is_that_of_their_leaves(void **state)
{
	static uint8_t leaves[70][HASH_LEN];
	uint8_t want[HASH_LEN], got[HASH_LEN];

	(void)state;
	for (size_t n = 1; n <= 70; n++) {
		struct merkle m = { .n = 0 };

		for (uint8_t i = 0; i < n; i++) {
			merkle_chunk(&i, 1, leaves[i]);
			merkle_add(&m, &i, 1);
		}
		merkle_root(leaves, n, want);
		merkle_end(&m, got);
		assert_memory_equal(got, want, HASH_LEN);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_over_chunks_is_that_of_their_leaves),
		cmocka_unit_test(seals_as_rfc_8439_does),
		cmocka_unit_test(opens_nothing_that_was_changed),
		cmocka_unit_test(paths_lead_to_the_root_from_one_place_only),
		cmocka_unit_test(a_vector_is_named_by_all_of_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

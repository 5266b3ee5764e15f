#include "tests/check.h"

#include "common/hex.h"
#include "crypto/hash.h"

static void
assert_hex(const uint8_t digest[HASH_LEN], const char *text)
{
	char hex[2 * HASH_LEN + 1];

	hex_text(digest, HASH_LEN, hex);
	assert_string_equal(hex, text);
}

/* FIPS 180-4, as in NIST's examples. */
static void
sha256_of_known_texts(void **state)
{
	static const char two_blocks[] =
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	uint8_t d[HASH_LEN];
	struct hash h;

	(void)state;
	hash_sha256("abc", 3, d);
	assert_hex(d,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_start(&h);
	hash_add(&h, two_blocks, 11);
	hash_add(&h, two_blocks + 11, sizeof(two_blocks) - 12);
	hash_end(&h, d);
	assert_hex(d,
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, test cases 2 and 6: a short key, one longer than a block. */
static void
hmac_of_known_texts(void **state)
{
	uint8_t d[HASH_LEN], key[131];

	(void)state;
	hash_hmac("Jefe", 4, "what do ya want for nothing?", 28, d);
	assert_hex(d,
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_hmac(key, sizeof(key),
	    "Test Using Larger Than Block-Size Key - Hash Key First", 54, d);
	assert_hex(d,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 5869, A.1, A.2 (the end of it), and A.3: no salt, no info. */
static void
hkdf_of_known_inputs(void **state)
{
	uint8_t ikm[80], salt[80], info[80], prk[HASH_LEN], okm[82];

	(void)state;
	memset(ikm, 0x0b, 22);
	for (uint8_t i = 0; i < 80; i++) {
		salt[i] = i;
		info[i] = (uint8_t)(0xf0 + i);
	}
	hkdf_extract(salt, 13, ikm, 22, prk);
	assert_hex(prk,
	    "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	hkdf_expand(prk, info, 10, okm, 42);
	assert_hex(okm,
	    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
	for (uint8_t i = 0; i < 80; i++) {
		ikm[i] = i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	hkdf_extract(salt, 80, ikm, 80, prk);
	assert_hex(prk,
	    "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244");
	hkdf_expand(prk, info, 80, okm, 82);
	assert_hex(okm + 50,
	    "75600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
	memset(ikm, 0x0b, 22);
	hkdf_extract(salt, 0, ikm, 22, prk);
	assert_hex(prk,
	    "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
	hkdf_expand(prk, info, 0, okm, 42);
	assert_hex(okm,
	    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

/* The layout of common/canon.h. */
static void
labelled_hashes_are_over_the_canonical_layout(void **state)
{
	static const char layout[] = "\0\0\0\015consilium-1/x\001\0\002"
				     "\0\0\0\003\0\0\0\0\0\0\0\004"
				     "\0\0\0\002abcd";
	uint8_t a[HASH_LEN], b[HASH_LEN];
	struct hash h;

	(void)state;
	hash_label(&h, "x");
	hash_u8(&h, 1);
	hash_u16(&h, 2);
	hash_u32(&h, 3);
	hash_u64(&h, 4);
	hash_text(&h, "ab");
	hash_add(&h, "cd", 2);
	hash_end(&h, a);
	hash_sha256(layout, sizeof(layout) - 1, b);
	assert_memory_equal(a, b, HASH_LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_known_texts),
		cmocka_unit_test(hmac_of_known_texts),
		cmocka_unit_test(hkdf_of_known_inputs),
		cmocka_unit_test(labelled_hashes_are_over_the_canonical_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

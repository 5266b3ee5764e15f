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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_known_texts),
		cmocka_unit_test(hmac_of_known_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

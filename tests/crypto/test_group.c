/* The group, and what stands on it: shares and proofs. */
#include "tests/check.h"

#include "common/hex.h"
#include "common/macros.h"
#include "crypto/group.h"
#include "crypto/proof.h"
#include "crypto/shamir.h"
#include "tests/crypto/random_fixed.h"

static void
bytes_of(const char *hex, uint8_t out[32])
{
	assert_int_equal(hex_bytes(hex, out, 32), 0);
}

/* RFC 9496, A.1 */
static void
multiples_of_the_generator(void **state)
{
	static const char *const known[] = {
		"e2f2ae0a6abc4e71a884a961c500515f"
		"58e30b6aa582dd8db6a65945e08d2d76",
		"6a493210f7499cd17fecb510ae0cea23"
		"a110e8d5b901f8acadd3095c73a3b919",
		"94741f5d5d52755ece4f23f044ee27d5"
		"d1ea1e2bd196b462166b16152a9d0259",
		"da80862773358b466ffadfe0b3293ab3"
		"d9fd53c5ea6c955358f568322daf6a57",
		"e882b131016b52c1d3337080187cf768"
		"423efccbb517bb495ab812c4160ff44e",
	};
	uint8_t s[GROUP_SCALAR], p[GROUP_POINT], want[GROUP_POINT],
	    sum[GROUP_POINT], b[GROUP_POINT];

	(void)state;
	bytes_of(known[0], b);
	for (uint16_t k = 1; k <= nitems(known); k++) {
		group_scalar_u16(k, s);
		bytes_of(known[k - 1], want);
		assert_true(group_base(s, p));
		assert_memory_equal(p, want, sizeof(p));
		assert_true(group_mul(s, b, p));
		assert_memory_equal(p, want, sizeof(p));
		if (k > 1) {
			assert_true(group_add(sum, b, sum));
			assert_memory_equal(sum, want, sizeof(sum));
		} else {
			memcpy(sum, b, sizeof(sum));
		}
	}
	assert_true(group_sub(sum, b, sum));
	bytes_of(known[3], want);
	assert_memory_equal(sum, want, sizeof(sum));
}

/* RFC 9496, A.3: not canonical, negative, no square; and the identity. */
static void
refuses_what_is_no_point(void **state)
{
	static const char *const bad[] = {
		"00ffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffff",
		"ffffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"f3ffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"01000000000000000000000000000000"
		"00000000000000000000000000000000",
		"01ffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffff7f",
		"ed57ffd8c914fb201471d1c3d245ce3c"
		"746fcbe63a3679d51b6a516ebebe0e20",
		"c34c4e1826e5d403b78e246e88aa051c"
		"36ccf0aafebffe137d148a2bf9104562",
		"26948d35ca62e643e26a83177332e6b6"
		"afeb9d08e4268b650f1f5bbd8d81d371",
		"4eac077a713c57b4f4397629a4145982"
		"c661f48044dd3f96427d40b147d9742f",
		"de6a7b00deadc788eb6b6c8d20c0ae96"
		"c2f2019078fa604fee5b87d6e989ad7b",
		"2a292df7e32cababbd9de088d1d1abec"
		"9fc0440f637ed2fba145094dc14bea08",
		"00000000000000000000000000000000"
		"00000000000000000000000000000000",
	};
	uint8_t s[GROUP_SCALAR], p[GROUP_POINT], out[GROUP_POINT];

	(void)state;
	group_scalar_u16(2, s);
	for (size_t i = 0; i < nitems(bad); i++) {
		bytes_of(bad[i], p);
		assert_false(group_point_ok(p));
		assert_false(group_mul(s, p, out));
	}
}

static void
scalars_are_canonical_and_not_zero(void **state)
{
	uint8_t s[GROUP_SCALAR] = { 0 };

	(void)state;
	assert_false(group_scalar_ok(s));
	bytes_of("edd3f55c1a631258d69cf7a2def9de14"
		 "00000000000000000000000000000010",
	    s); /* l */
	assert_false(group_scalar_ok(s));
	s[0]--;
	assert_true(group_scalar_ok(s));
	memset(s, 0xff, sizeof(s));
	assert_false(group_scalar_ok(s));
	random_fixed_seed("scalars");
	group_scalar_random(s);
	assert_true(group_scalar_ok(s));
}

/* RFC 9591, E.3: FROST(ristretto255, SHA-512), 2 of 3. */
static void
shares_of_the_frost_vectors(void **state)
{
	static const char *const known[] = {
		"5c3430d391552f6e60ecdc093ff9f6f4"
		"488756aa6cebdbad75a768010b8f830e",
		"b06fc5eac20b4f6e1b271d9df2343d84"
		"3e1e1fb03c4cbb673f2872d459ce6f01",
		"f17e505f0e2581c6acfe54d3846a6228"
		"34b5e7b50cad9a2109a97ba7a80d5c04",
	};
	uint8_t c[2][GROUP_SCALAR], want[32], shares[3][GROUP_SCALAR],
	    two[2][GROUP_SCALAR], secret[GROUP_SCALAR], points[2 * GROUP_POINT];
	uint16_t x[2];

	(void)state;
	bytes_of("1b25a55e463cfd15cf14a5d3acc3d150"
		 "53f08da49c8afcf3ab265f2ebc4f970b",
	    c[0]);
	bytes_of("410f8b744b19325891d73736923525a4"
		 "f596c805d060dfb9c98009d34e3fec02",
	    c[1]);
	shamir_commit(c, 2, points);
	bytes_of("e2a62f39eede11269e3bd5a7d97554f5"
		 "ca384f9f6d3dd9c3c0d05083c7254f57",
	    want);
	assert_memory_equal(points, want, GROUP_POINT);
	for (uint16_t k = 0; k < 3; k++) {
		shamir_share(c, 2, (uint16_t)(k + 1), shares[k]);
		bytes_of(known[k], want);
		assert_memory_equal(shares[k], want, 32);
		assert_true(
		    shamir_check(points, 2, (uint16_t)(k + 1), shares[k]));
		assert_false(
		    shamir_check(points, 2, (uint16_t)(k + 2), shares[k]));
	}
	for (uint16_t a = 0; a < 3; a++) {
		uint16_t b = (uint16_t)((a + 1) % 3);

		x[0] = (uint16_t)(a + 1);
		x[1] = (uint16_t)(b + 1);
		memcpy(two[0], shares[a], GROUP_SCALAR);
		memcpy(two[1], shares[b], GROUP_SCALAR);
		shamir_join(x, two, 2, secret);
		assert_memory_equal(secret, c[0], GROUP_SCALAR);
	}
}

static void
a_flipped_share_does_not_fit_its_commitment(void **state)
{
	uint8_t c[5][GROUP_SCALAR], points[5 * GROUP_POINT],
	    share[GROUP_SCALAR], one[GROUP_SCALAR];

	(void)state;
	random_fixed_seed("shares");
	group_scalar_random(c[0]);
	shamir_coefficients(c, 5);
	shamir_commit(c, 5, points);
	group_scalar_u16(1, one);
	for (uint16_t x = 1; x <= 128; x += 9) {
		shamir_share(c, 5, x, share);
		assert_true(shamir_check(points, 5, x, share));
		group_scalar_add(share, one, share);
		assert_false(shamir_check(points, 5, x, share));
	}
	memset(share, 0xff, sizeof(share)); /* not canonical */
	assert_false(shamir_check(points, 5, 1, share));
}

static void
proofs_hold_for_what_they_were_made_for(void **state)
{
	uint8_t a[GROUP_SCALAR], b[GROUP_SCALAR], pk[GROUP_POINT],
	    p[GROUP_POINT], q[GROUP_POINT], context[32] = { 1 },
					    proof[PROOF_LEN];

	(void)state;
	random_fixed_seed("proof");
	group_scalar_random(a);
	group_scalar_random(b);
	assert_true(group_base(a, pk) && group_base(b, p));
	assert_true(group_mul(a, p, q));
	proof_make(a, p, context, proof);
	assert_true(proof_check(pk, p, q, context, proof));
	assert_false(proof_check(pk, p, p, context, proof)); /* another dh */
	assert_false(proof_check(p, p, q, context, proof));
	context[0] = 2;
	assert_false(proof_check(pk, p, q, context, proof));
	context[0] = 1;
	for (size_t i = 0; i < PROOF_LEN; i++) {
		proof[i] ^= 1;
		assert_false(proof_check(pk, p, q, context, proof));
		proof[i] ^= 1;
	}
}

/* Each a scalar or a point, whoever has sent it. */
static void
proofs_of_what_is_no_scalar_or_point_fail(void **state)
{
	uint8_t a[GROUP_SCALAR], none[32] = { 0 }, over[32],
				 context[32] = { 1 };
	uint8_t pk[GROUP_POINT], p[GROUP_POINT], q[GROUP_POINT];
	uint8_t proof[PROOF_LEN], bad[PROOF_LEN];

	(void)state;
	random_fixed_seed("proof");
	memset(over, 0xff, sizeof(over));
	group_scalar_random(a);
	assert_true(group_base(a, pk) && group_mul(a, pk, p));
	assert_true(group_mul(a, p, q));
	proof_make(a, p, context, proof);
	assert_true(proof_check(pk, p, q, context, proof));
	for (size_t at = 0; at < PROOF_LEN; at += GROUP_SCALAR) {
		memcpy(bad, proof, sizeof(bad));
		memcpy(bad + at, none, GROUP_SCALAR);
		assert_false(proof_check(pk, p, q, context, bad));
		memcpy(bad + at, over, GROUP_SCALAR);
		assert_false(proof_check(pk, p, q, context, bad));
	}
	assert_false(proof_check(none, p, q, context, proof));
	assert_false(proof_check(pk, over, q, context, proof));
	assert_false(proof_check(pk, p, over, context, proof));
}

static void
no_share_fits_commitments_that_are_no_points(void **state)
{
	uint8_t c[3][GROUP_SCALAR], points[3 * GROUP_POINT],
	    bad[3 * GROUP_POINT], share[GROUP_SCALAR], weight[1][GROUP_SCALAR];
	const uint8_t *all[] = { bad };

	(void)state;
	random_fixed_seed("shares");
	group_scalar_random(c[0]);
	group_scalar_random(weight[0]);
	shamir_coefficients(c, 3);
	shamir_commit(c, 3, points);
	for (uint16_t x = 1; x <= 5; x++) {
		shamir_share(c, 3, x, share);
		assert_true(shamir_check(points, 3, x, share));
		for (size_t k = 0; k < 3; k++) {
			memcpy(bad, points, sizeof(bad));
			memset(bad + k * GROUP_POINT, 0xff, GROUP_POINT);
			assert_false(shamir_check(bad, 3, x, share));
			assert_false(shamir_combine(weight, all, 1, 3, points));
			shamir_commit(c, 3, points);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(multiples_of_the_generator),
		cmocka_unit_test(refuses_what_is_no_point),
		cmocka_unit_test(scalars_are_canonical_and_not_zero),
		cmocka_unit_test(shares_of_the_frost_vectors),
		cmocka_unit_test(a_flipped_share_does_not_fit_its_commitment),
		cmocka_unit_test(proofs_hold_for_what_they_were_made_for),
		cmocka_unit_test(proofs_of_what_is_no_scalar_or_point_fail),
		cmocka_unit_test(no_share_fits_commitments_that_are_no_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "crypto/proof.h"

#include <assert.h>
#include <string.h>

#include "crypto/hash.h"

/* H("proof" || context || pk || p || q || [r]B || [r]p) modulo l */
static void
challenge(const uint8_t context[32], const uint8_t pk[GROUP_POINT],
    const uint8_t p[GROUP_POINT], const uint8_t q[GROUP_POINT],
    const uint8_t rb[GROUP_POINT], const uint8_t rp[GROUP_POINT],
    uint8_t c[GROUP_SCALAR])
{
	uint8_t wide[64] = { 0 };
	struct hash h;

	hash_label(&h, "proof");
	hash_add(&h, context, 32);
	hash_add(&h, pk, GROUP_POINT);
	hash_add(&h, p, GROUP_POINT);
	hash_add(&h, q, GROUP_POINT);
	hash_add(&h, rb, GROUP_POINT);
	hash_add(&h, rp, GROUP_POINT);
	hash_end(&h, wide);
	group_scalar_reduce(wide, c);
}

void
proof_make(const uint8_t a[GROUP_SCALAR], const uint8_t p[GROUP_POINT],
    const uint8_t context[32], uint8_t proof[PROOF_LEN])
{
	uint8_t pk[GROUP_POINT], q[GROUP_POINT], rb[GROUP_POINT],
	    rp[GROUP_POINT], r[GROUP_SCALAR], s[GROUP_SCALAR];
	bool ok;

	group_scalar_random(r);
	ok = group_base(a, pk) & group_mul(a, p, q) & group_base(r, rb) &
	    group_mul(r, p, rp);
	assert(ok);
	challenge(context, pk, p, q, rb, rp, proof);
	group_scalar_mul(proof, a, s);
	group_scalar_add(r, s, proof + GROUP_SCALAR);
	group_wipe(r, sizeof(r));
	group_wipe(s, sizeof(s));
}

/* [s]base - [c]image, which is [r]base if all is well. */
static void
commitment(const uint8_t s[GROUP_SCALAR], const uint8_t base[GROUP_POINT],
    const uint8_t c[GROUP_SCALAR], const uint8_t image[GROUP_POINT],
    uint8_t out[GROUP_POINT])
{
	uint8_t left[GROUP_POINT], right[GROUP_POINT];
	bool ok = base == NULL ? group_base(s, left) : group_mul(s, base, left);

	ok &= group_mul(c, image, right);
	ok &= group_sub(left, right, out);
	assert(ok);
}

bool
proof_check(const uint8_t pk[GROUP_POINT], const uint8_t p[GROUP_POINT],
    const uint8_t q[GROUP_POINT], const uint8_t context[32],
    const uint8_t proof[PROOF_LEN])
{
	const uint8_t *c = proof, *s = proof + GROUP_SCALAR;
	uint8_t rb[GROUP_POINT], rp[GROUP_POINT], again[GROUP_SCALAR];

	if (!group_scalar_ok(c) || !group_scalar_ok(s) || !group_point_ok(pk) ||
	    !group_point_ok(p) || !group_point_ok(q))
		return false;
	commitment(s, NULL, c, pk, rb);
	commitment(s, p, c, q, rp);
	challenge(context, pk, p, q, rb, rp, again);
	return group_equal(c, again);
}

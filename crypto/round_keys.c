#include "crypto/round_keys.h"

#include <assert.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/shamir.h"

void
pair_dh(const struct roster *r, size_t other, const uint8_t secret[ROUND_KEY],
    uint8_t dh[ROUND_KEY])
{
	/* A roster that was opened or loaded has points; nobody's secret is 0. */
	bool ok = group_mul(secret, r->site[other].prekey.pk, dh);

	assert(ok);
}

/* H(label || suite || consortium || epoch) */
static void
salt(const struct round_ctx *ctx, const struct roster *r, const char *label,
    uint8_t out[HASH_LEN])
{
	struct hash h;

	hash_label(&h, label);
	hash_u8(&h, r->p.suite);
	hash_add(&h, ctx->consortium, ROUND_DIGEST);
	hash_u32(&h, ctx->epoch);
	hash_end(&h, out);
}

void
pair_make(const struct round_ctx *ctx, const struct roster *r, size_t i,
    size_t j, const uint8_t dh[ROUND_KEY], struct pair *p)
{
	size_t lo = i < j ? i : j, hi = i < j ? j : i;
	uint8_t ikm[3 * ROUND_KEY], s[HASH_LEN];

	memcpy(ikm, dh, ROUND_KEY);
	memcpy(ikm + ROUND_KEY, r->site[lo].prekey.pk, ROUND_KEY);
	memcpy(ikm + 2 * ROUND_KEY, r->site[hi].prekey.pk, ROUND_KEY);
	salt(ctx, r, "pair", s);
	hkdf_extract(s, sizeof(s), ikm, sizeof(ikm), p->prk);
	p->a = r->site[lo].id;
	p->b = r->site[hi].id;
	group_wipe(ikm, sizeof(ikm));
}

void
pair_wipe(struct pair *p)
{
	group_wipe(p, sizeof(*p));
}

void
key_share(const struct pair *p, const struct roster *r, uint16_t from,
    uint16_t to, uint8_t key[32])
{
	uint8_t info[HASH_LEN];
	struct hash h;

	hash_label(&h, "share");
	hash_add(&h, r->hash, ROUND_DIGEST);
	hash_u16(&h, from);
	hash_u16(&h, to);
	hash_end(&h, info);
	hkdf_expand(p->prk, info, sizeof(info), key, 32);
}

void
key_mask(const struct pair *p, const struct roster *r,
    const uint8_t u2[ROUND_DIGEST], uint32_t tensor, uint8_t key[32])
{
	uint8_t info[HASH_LEN];
	struct hash h;

	hash_label(&h, "mask");
	hash_add(&h, r->hash, ROUND_DIGEST);
	hash_add(&h, u2, ROUND_DIGEST);
	hash_u16(&h, p->a);
	hash_u16(&h, p->b);
	hash_u32(&h, tensor);
	hash_end(&h, info);
	hkdf_expand(p->prk, info, sizeof(info), key, 32);
}

void
key_self(const struct round_ctx *ctx, const struct roster *r,
    const uint8_t u2[ROUND_DIGEST], uint16_t site,
    const uint8_t seed[ROUND_KEY], uint32_t tensor, uint8_t key[32])
{
	uint8_t prk[HASH_LEN], info[HASH_LEN];
	struct hash h;

	salt(ctx, r, "self-salt", info);
	hkdf_extract(info, sizeof(info), seed, ROUND_KEY, prk);
	hash_label(&h, "self");
	hash_add(&h, r->hash, ROUND_DIGEST);
	hash_add(&h, u2, ROUND_DIGEST);
	hash_u16(&h, site);
	hash_u32(&h, tensor);
	hash_end(&h, info);
	hkdf_expand(prk, info, sizeof(info), key, 32);
	group_wipe(prk, sizeof(prk));
}

/* R_hash || from || to */
#define AD_LEN (ROUND_DIGEST + 4)

static void
sealing_ad(const struct roster *r, size_t from, size_t to, uint8_t ad[AD_LEN])
{
	uint16_t i = r->site[from].id, j = r->site[to].id;

	memcpy(ad, r->hash, ROUND_DIGEST);
	ad[ROUND_DIGEST] = (uint8_t)(i >> 8);
	ad[ROUND_DIGEST + 1] = (uint8_t)i;
	ad[ROUND_DIGEST + 2] = (uint8_t)(j >> 8);
	ad[ROUND_DIGEST + 3] = (uint8_t)j;
}

void
shares_seal(const struct pair *p, const struct roster *r, size_t from,
    size_t to, const uint8_t f[ROUND_KEY], const uint8_t g[ROUND_KEY],
    uint8_t sealed[MSG_SEALED])
{
	uint8_t key[32], plain[2 * ROUND_KEY], ad[AD_LEN];

	sealing_ad(r, from, to, ad);
	key_share(p, r, r->site[from].id, r->site[to].id, key);
	memcpy(plain, f, ROUND_KEY);
	memcpy(plain + ROUND_KEY, g, ROUND_KEY);
	aead_seal(key, ad, sizeof(ad), plain, sizeof(plain), sealed);
	group_wipe(key, sizeof(key));
	group_wipe(plain, sizeof(plain));
}

bool
shares_open(const struct pair *p, const struct roster *r, size_t from,
    size_t to, const struct msg_dealt *d, uint8_t f[ROUND_KEY],
    uint8_t g[ROUND_KEY])
{
	uint8_t key[32], plain[2 * ROUND_KEY], ad[AD_LEN];
	uint16_t x = (uint16_t)(to + 1);
	bool ok;

	sealing_ad(r, from, to, ad);
	key_share(p, r, r->site[from].id, r->site[to].id, key);
	ok = aead_open(key, ad, sizeof(ad), d->sealed, MSG_SEALED, plain) &&
	    shamir_check(d->points.f, r->p.threshold, x, plain) &&
	    shamir_check(d->points.g, r->p.threshold, x, plain + ROUND_KEY);
	if (ok) {
		memcpy(f, plain, ROUND_KEY);
		memcpy(g, plain + ROUND_KEY, ROUND_KEY);
	}
	group_wipe(key, sizeof(key));
	group_wipe(plain, sizeof(plain));
	return ok;
}

bool
dealt_is_signed(const struct roster *r, const struct dealing *dealing,
    size_t dealer, size_t to, const struct msg_dealt *d)
{
	uint8_t digest[ROUND_DIGEST];

	if (dealing->site != r->site[dealer].id)
		return false;
	msg_commitments(&d->points, r->p.threshold, digest);
	if (!group_equal(digest, dealing->commitments))
		return false;
	if (dealer == to) /* its own, which never left it */
		return d->sealed == NULL && d->path_len == 0;
	if (d->sealed == NULL)
		return false;
	msg_sealed_leaf(
	    dealing->site, r->site[to].id, d->sealed, MSG_SEALED, digest);
	return merkle_check(
	    digest, r->p.n, to, d->path, d->path_len, dealing->sealed_root);
}

bool
dealt_points_ok(const struct roster *r, const struct dealing *dealing,
    size_t dealer, const struct msg_points *points)
{
	if (!group_equal(points->f, r->site[dealer].prekey.pk) ||
	    !group_equal(points->g, dealing->self))
		return false;
	for (size_t k = 0; k < r->p.threshold; k++)
		if (!group_point_ok(points->f + k * ROUND_KEY) ||
		    !group_point_ok(points->g + k * ROUND_KEY))
			return false;
	return true;
}

void
complaint_context(
    const struct roster *r, uint16_t site, uint16_t dealer, uint8_t out[32])
{
	struct hash h;

	hash_label(&h, "complaint-proof");
	hash_add(&h, r->hash, ROUND_DIGEST);
	hash_u16(&h, site);
	hash_u16(&h, dealer);
	hash_end(&h, out);
}

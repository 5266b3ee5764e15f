#include <assert.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "crypto/prg.h"
#include "crypto/round_msg.h"

#define MASK_NEIGHBOURS_ALL 128 /* sites up to which the graph is complete */

static size_t
quorum(const struct round_rules *rules, size_t n_study)
{
	return (n_study + rules->corrupted) / 2 + 1;
}

size_t
round_roster_min(const struct round_rules *rules, size_t n_study)
{
	return MAX((size_t)rules->corrupted + rules->honest_min,
	    quorum(rules, n_study));
}

static int
check_rules(const struct round_rules *r, size_t n_study, struct err *err)
{
	if (n_study < 3 || n_study > ROUND_STUDY_MAX)
		return err_set(err, ERR_REFUSED,
		    "%zu sites in the study, expected 3 to %d", n_study,
		    ROUND_STUDY_MAX);
	if (r->corrupted < 1 || r->corrupted >= n_study)
		return err_set(err, ERR_REFUSED,
		    "%u corrupted sites tolerated, expected 1 or more of %zu",
		    (unsigned)r->corrupted, n_study);
	if (r->honest_min < 2)
		return err_set(err, ERR_REFUSED,
		    "%u honest inputs in a sum, expected 2 or more",
		    (unsigned)r->honest_min);
	if (r->u_frac_ppm > ROUND_PPM)
		return err_set(err, ERR_REFUSED,
		    "a sum of %lu parts per million of the roster",
		    (unsigned long)r->u_frac_ppm);
	if (r->suite == 0)
		return err_set(err, ERR_REFUSED,
		    "the manifest does not allow the study's cipher suite");
	if (r->suite != ROUND_AES256CTR && r->suite != ROUND_CHACHA20)
		return err_set(err, ERR_REFUSED, "unknown cipher suite %u",
		    (unsigned)r->suite);
	if (r->bits != 32 && r->bits != 64)
		return err_set(err, ERR_REFUSED,
		    "ring words of %u bits, expected 32 or 64",
		    (unsigned)r->bits);
	if (r->verify != ROUND_REPLAY && r->verify != ROUND_SAMPLE &&
	    r->verify != ROUND_TRUST)
		return err_set(err, ERR_REFUSED, "unknown way to verify %u",
		    (unsigned)r->verify);
	if (r->cohort != ROUND_FIXED && r->cohort != ROUND_OPEN)
		return err_set(err, ERR_REFUSED, "unknown kind of cohort %u",
		    (unsigned)r->cohort);
	return 0;
}

int
round_params(const struct round_rules *rules, size_t n_study, size_t n,
    struct round_params *p, struct err *err)
{
	size_t c = rules->corrupted, u_min, d_max, k, t;

	if (check_rules(rules, n_study, err) != 0)
		return -1;
	if (n > n_study || n > ROUND_SITES_MAX)
		return err_set(err, ERR_REFUSED,
		    "%zu sites in a round, at most %zu", n,
		    MIN(n_study, (size_t)ROUND_SITES_MAX));
	t = (n_study + c + 1) / 2;
	/* ceil(u_frac n) */
	u_min = (size_t)(((uint64_t)rules->u_frac_ppm * n + ROUND_PPM - 1) /
	    ROUND_PPM);
	u_min = MAX(u_min, round_roster_min(rules, n_study));
	if (u_min > n)
		return err_set(err, ERR_REFUSED,
		    "%zu sites in a round, at least %zu needed", n, u_min);
	d_max = n - u_min;
	/* What one site opens must not let the corrupted read the rest. */
	if (c + d_max >= t)
		return err_set(err, ERR_REFUSED,
		    "%zu corrupted and %zu absent sites could read shares that "
		    "need %zu",
		    c, d_max, t);
	k = n <= MASK_NEIGHBOURS_ALL ? n - 1 : 2 * ((c + d_max + 2) / 2);
	*p = (struct round_params){
		.n_study = (uint16_t)n_study,
		.n = (uint16_t)n,
		.corrupted = rules->corrupted,
		.honest_min = rules->honest_min,
		.u_frac_ppm = rules->u_frac_ppm,
		.quorum = (uint16_t)quorum(rules, n_study),
		.threshold = (uint16_t)t,
		.u_min = (uint16_t)u_min,
		.d_max = (uint16_t)d_max,
		.degree = (uint16_t)k,
		.suite = rules->suite,
		.bits = rules->bits,
		.verify = rules->verify,
		.cohort = rules->cohort,
	};
	return 0;
}

#define PARAMS_SIZE (9 * 2 + 4 + 4)

static void
put_params(struct canon *c, const struct round_params *p)
{
	canon_u16(c, p->n_study);
	canon_u16(c, p->n);
	canon_u16(c, p->corrupted);
	canon_u16(c, p->honest_min);
	canon_u32(c, p->u_frac_ppm);
	canon_u16(c, p->quorum);
	canon_u16(c, p->threshold);
	canon_u16(c, p->u_min);
	canon_u16(c, p->d_max);
	canon_u16(c, p->degree);
	canon_u8(c, p->suite);
	canon_u8(c, p->bits);
	canon_u8(c, p->verify);
	canon_u8(c, p->cohort);
}

static void
get_params(struct canon_in *in, struct round_params *p)
{
	p->n_study = canon_get_u16(in);
	p->n = canon_get_u16(in);
	p->corrupted = canon_get_u16(in);
	p->honest_min = canon_get_u16(in);
	p->u_frac_ppm = canon_get_u32(in);
	p->quorum = canon_get_u16(in);
	p->threshold = canon_get_u16(in);
	p->u_min = canon_get_u16(in);
	p->d_max = canon_get_u16(in);
	p->degree = canon_get_u16(in);
	p->suite = canon_get_u8(in);
	p->bits = canon_get_u8(in);
	p->verify = canon_get_u8(in);
	p->cohort = canon_get_u8(in);
	/* Bounds that the arrays here rely on, stored or not. */
	if (p->n < 1 || p->n > ROUND_SITES_MAX || p->threshold < 1 ||
	    p->threshold > p->n || p->quorum > p->n || p->u_min > p->n ||
	    p->threshold > p->u_min)
		in->failed = true;
}

int
roster_put(const struct round_ctx *ctx, const struct roster *r,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, r->announce, ROUND_DIGEST);
	put_params(&c, &r->p);
	for (size_t i = 0; i < r->p.n; i++) {
		canon_u16(&c, r->site[i].id);
		prekey_put(&c, &r->site[i].prekey);
	}
	return msg_seal(ctx, "roster", &c, out, err);
}

int
roster_read(const void *msg, size_t len, struct roster *r, struct err *err)
{
	struct canon_in in;

	memset(r, 0, sizeof(*r));
	if (msg_peek(msg, len, "roster", &in, err) != 0)
		return -1;
	canon_get_raw(&in, r->announce, ROUND_DIGEST);
	get_params(&in, &r->p);
	for (size_t i = 0; i < r->p.n && !in.failed; i++) {
		r->site[i].id = canon_get_u16(&in);
		prekey_get(&in, &r->site[i].prekey);
	}
	if (canon_end(&in, "roster", err) != 0)
		return -1;
	return round_message_digest(msg, len, r->hash, err);
}

static int
check_params(
    const struct round_ctx *ctx, const struct round_params *p, struct err *err)
{
	uint8_t room[2][PARAMS_SIZE];
	struct canon want = canon_on(room[0], PARAMS_SIZE);
	struct canon got = canon_on(room[1], PARAMS_SIZE);
	struct round_params own;
	size_t n_study = 0;

	for (size_t i = 0; i < ctx->n_members; i++)
		n_study += ctx->members[i].in_study;
	if (round_params(&ctx->rules, n_study, p->n, &own, err) != 0)
		return err_prefix(err, "roster");
	put_params(&want, &own);
	put_params(&got, p);
	if (memcmp(want.data, got.data, PARAMS_SIZE) != 0)
		return err_set(err, ERR_PEER,
		    "roster: its parameters are not those of the study's "
		    "rules");
	return 0;
}

static int
check_entry(const struct round_ctx *ctx, const struct roster *r, size_t i,
    int64_t now, struct err *err)
{
	const struct roster_entry *e = &r->site[i];
	const struct round_member *m = msg_member(ctx, e->id);

	if (i > 0 && e->id <= r->site[i - 1].id)
		return err_set(err, ERR_PEER,
		    "roster: site %u twice or out of order", (unsigned)e->id);
	if (m == NULL || !m->active)
		return err_set(err, ERR_PEER,
		    "roster: site %u is not an active one of the study",
		    (unsigned)e->id);
	if (prekey_check(ctx, e->id, &e->prekey, now, err) != 0)
		return err_prefix(err, "roster");
	for (size_t k = 0; k < i; k++)
		if (memcmp(r->site[k].prekey.pk, e->prekey.pk, ROUND_KEY) == 0)
			return err_set(err, ERR_PEER,
			    "roster: sites %u and %u have the same prekey",
			    (unsigned)r->site[k].id, (unsigned)e->id);
	return 0;
}

int
roster_open(const struct round_ctx *ctx, const void *msg, size_t len,
    int64_t now, struct roster *r, struct err *err)
{
	struct canon_in in;

	if (msg_open(msg, len, "roster", ctx->coordinator, &in, err) != 0 ||
	    roster_read(msg, len, r, err) != 0 ||
	    check_params(ctx, &r->p, err) != 0)
		return -1;
	for (size_t i = 0; i < r->p.n; i++)
		if (check_entry(ctx, r, i, now, err) != 0)
			return -1;
	if (!roster_is_cohort(r, ctx, NULL))
		return err_set(err, ERR_PEER,
		    "roster: not the study's fixed set of sites");
	return 0;
}

bool
roster_points_ok(const struct roster *r)
{
	for (size_t i = 0; i < r->p.n; i++)
		if (!group_point_ok(r->site[i].prekey.pk))
			return false;
	return true;
}

size_t
roster_index(const struct roster *r, uint16_t id)
{
	for (size_t i = 0; i < r->p.n; i++)
		if (r->site[i].id == id)
			return i;
	return SIZE_MAX;
}

bool
roster_is_cohort(
    const struct roster *r, const struct round_ctx *ctx, const bool *in)
{
	size_t k = 0;

	if (ctx->rules.cohort != ROUND_FIXED || ctx->n_cohort == 0)
		return true;
	for (size_t i = 0; i < r->p.n; i++) {
		if (in != NULL && !in[i])
			continue;
		if (k == ctx->n_cohort || ctx->cohort[k] != r->site[i].id)
			return false;
		k++;
	}
	return k == ctx->n_cohort;
}

#define PREKEY_CONTENT (ROUND_DIGEST + 4 + 2 + 4 + ROUND_KEY + 8)

/* What a prekey's signature is over. */
static void
put_prekey_content(struct canon *c, const struct round_ctx *ctx, uint16_t site,
    const struct prekey *pub)
{
	canon_raw(c, ctx->consortium, ROUND_DIGEST);
	canon_u32(c, ctx->epoch);
	canon_u16(c, site);
	canon_u32(c, pub->id);
	canon_raw(c, pub->pk, ROUND_KEY);
	canon_u64(c, (uint64_t)pub->expiry);
}

bool
prekey_equal(const struct prekey *a, const struct prekey *b)
{
	uint8_t room[2][PREKEY_BYTES];
	struct canon c[] = { canon_on(room[0], PREKEY_BYTES),
		canon_on(room[1], PREKEY_BYTES) };

	prekey_put(&c[0], a);
	prekey_put(&c[1], b);
	return memcmp(room[0], room[1], PREKEY_BYTES) == 0;
}

int
prekey_make(const struct round_ctx *ctx, uint32_t id, int64_t expiry,
    struct prekey *pub, uint8_t secret[ROUND_KEY], struct err *err)
{
	uint8_t room[PREKEY_CONTENT];
	struct canon c = canon_on(room, sizeof(room));

	bool ok;

	*pub = (struct prekey){ .id = id, .expiry = expiry };
	group_scalar_random(secret);
	ok = group_base(secret, pub->pk);
	assert(ok);
	put_prekey_content(&c, ctx, ctx->self, pub);
	return msg_signature(
	    ctx->secret, "prekey", c.data, c.len, pub->sig, err);
}

int
prekey_check(const struct round_ctx *ctx, uint16_t site,
    const struct prekey *pub, int64_t now, struct err *err)
{
	const struct round_member *m = msg_member(ctx, site);
	uint8_t room[PREKEY_CONTENT];
	struct canon c = canon_on(room, sizeof(room));

	if (m == NULL)
		return err_set(err, ERR_PEER, "site %u is not one of the study",
		    (unsigned)site);
	if (!group_point_ok(pub->pk))
		return err_set(err, ERR_PEER,
		    "prekey %lu of site %u is not a point of the group",
		    (unsigned long)pub->id, (unsigned)site);
	put_prekey_content(&c, ctx, site, pub);
	if (!msg_signed_by(m->pk, "prekey", c.data, c.len, pub->sig))
		return err_set(err, ERR_PEER,
		    "prekey %lu is not signed by site %u",
		    (unsigned long)pub->id, (unsigned)site);
	if (pub->expiry <= now)
		return err_set(err, ERR_REFUSED,
		    "prekey %lu of site %u has expired", (unsigned long)pub->id,
		    (unsigned)site);
	return 0;
}

void
prekey_put(struct canon *out, const struct prekey *pub)
{
	canon_u32(out, pub->id);
	canon_raw(out, pub->pk, ROUND_KEY);
	canon_u64(out, (uint64_t)pub->expiry);
	canon_raw(out, pub->sig, ROUND_SIGNATURE);
}

void
prekey_get(struct canon_in *in, struct prekey *pub)
{
	pub->id = canon_get_u32(in);
	canon_get_raw(in, pub->pk, ROUND_KEY);
	pub->expiry = (int64_t)canon_get_u64(in);
	canon_get_raw(in, pub->sig, ROUND_SIGNATURE);
}

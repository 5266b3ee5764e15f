/* M1, M2 and complaints: how shares travel. */
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "crypto/round_keys.h"
#include "crypto/round_msg.h"

#define DEALING "dealing"

int
msg_put_dealing(const struct round_ctx *ctx, const struct dealing *d,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, d->roster, ROUND_DIGEST);
	canon_u16(&c, d->site);
	canon_raw(&c, d->self, ROUND_KEY);
	canon_raw(&c, d->sealed_root, ROUND_DIGEST);
	canon_raw(&c, d->commitments, ROUND_DIGEST);
	return msg_seal(ctx, DEALING, &c, out, err);
}

int
msg_read_dealing(
    const void *msg, size_t len, struct dealing *d, struct err *err)
{
	struct canon_in in;

	if (msg_peek(msg, len, DEALING, &in, err) != 0)
		return -1;
	canon_get_raw(&in, d->roster, ROUND_DIGEST);
	d->site = canon_get_u16(&in);
	canon_get_raw(&in, d->self, ROUND_KEY);
	canon_get_raw(&in, d->sealed_root, ROUND_DIGEST);
	canon_get_raw(&in, d->commitments, ROUND_DIGEST);
	if (canon_end(&in, DEALING, err) != 0)
		return -1;
	return round_message_digest(msg, len, d->digest, err);
}

int
msg_get_dealing(const struct round_ctx *ctx, const struct roster *r,
    const void *msg, size_t len, struct dealing *d, struct err *err)
{
	const struct round_member *m;
	struct canon_in in;

	if (msg_read_dealing(msg, len, d, err) != 0)
		return -1;
	m = msg_member(ctx, d->site);
	if (m == NULL || roster_index(r, d->site) == SIZE_MAX)
		return err_set(err, ERR_PEER,
		    "shares: site %u is not in the roster", (unsigned)d->site);
	if (msg_open(msg, len, DEALING, m->pk, &in, err) != 0)
		return err_prefix(err, "site %u", (unsigned)d->site);
	if (!group_equal(d->roster, r->hash))
		return err_set(err, ERR_PEER,
		    "shares: site %u dealt for another roster",
		    (unsigned)d->site);
	return 0;
}

void
msg_commitments(
    const struct msg_points *p, size_t t, uint8_t digest[ROUND_DIGEST])
{
	struct hash h;

	hash_label(&h, "commitments");
	hash_u16(&h, (uint16_t)t);
	hash_add(&h, p->f, t * ROUND_KEY);
	hash_add(&h, p->g, t * ROUND_KEY);
	hash_end(&h, digest);
}

void
msg_sealed_leaf(uint16_t from, uint16_t to, const uint8_t *sealed, size_t len,
    uint8_t leaf[ROUND_DIGEST])
{
	struct hash h;

	hash_label(&h, "sealed");
	hash_u16(&h, from);
	hash_u16(&h, to);
	hash_bytes(&h, sealed, len);
	hash_end(&h, leaf);
}

const uint8_t *
msg_sealed_for(const uint8_t *sealed, size_t dealer, size_t to)
{
	if (to == dealer)
		return NULL;
	return sealed + MSG_SEALED * (to < dealer ? to : to - 1);
}

void
msg_sealed_leaves(const struct roster *r, size_t dealer, const uint8_t *sealed,
    uint8_t (*leaves)[ROUND_DIGEST])
{
	for (size_t j = 0; j < r->p.n; j++) {
		const uint8_t *s = msg_sealed_for(sealed, dealer, j);

		msg_sealed_leaf(r->site[dealer].id, r->site[j].id, s,
		    s != NULL ? MSG_SEALED : 0, leaves[j]);
	}
}

void
msg_put_shares(const void *header, size_t header_len, size_t t, size_t n,
    const struct msg_points *points, const uint8_t *sealed, struct canon *out)
{
	canon_text(out, HASH_LABEL "shares");
	canon_bytes(out, header, header_len);
	canon_u16(out, (uint16_t)t);
	canon_raw(out, points->f, t * ROUND_KEY);
	canon_raw(out, points->g, t * ROUND_KEY);
	canon_u16(out, (uint16_t)(n - 1));
	canon_raw(out, sealed, (n - 1) * MSG_SEALED);
}

int
msg_read_shares(const struct roster *r, const void *msg, size_t len,
    struct msg_shares *s, struct err *err)
{
	struct canon_in in = canon_in(msg, len);
	size_t t = r->p.threshold, n = r->p.n;

	if (round_message_type(msg, len) != ROUND_SHARES)
		return err_set(err, ERR_FORMAT, "not a message \"shares\"");
	canon_get_bytes(&in, 1, 64, &s->header_len);
	s->header = canon_get_bytes(&in, 1, MSG_HEADER_MAX, &s->header_len);
	if (canon_get_u16(&in) != t)
		in.failed = true;
	s->points.f = canon_get_view(&in, t * ROUND_KEY);
	s->points.g = canon_get_view(&in, t * ROUND_KEY);
	if (canon_get_u16(&in) != n - 1)
		in.failed = true;
	s->sealed = canon_get_view(&in, (n - 1) * MSG_SEALED);
	if (canon_end(&in, "shares", err) != 0)
		return -1;
	return msg_read_dealing(s->header, s->header_len, &s->dealing, err);
}

void
msg_put_dealt(struct canon *out, const struct msg_dealt *d, size_t t)
{
	canon_bytes(out, d->header, d->header_len);
	canon_raw(out, d->points.f, t * ROUND_KEY);
	canon_raw(out, d->points.g, t * ROUND_KEY);
	canon_bytes(out, d->sealed, d->sealed != NULL ? MSG_SEALED : 0);
	canon_u8(out, (uint8_t)d->path_len);
	canon_raw(out, d->path, d->path_len * ROUND_DIGEST);
}

void
msg_get_dealt(struct canon_in *in, struct msg_dealt *d, size_t t)
{
	size_t len;

	d->header = canon_get_bytes(in, 1, MSG_HEADER_MAX, &d->header_len);
	d->points.f = canon_get_view(in, t * ROUND_KEY);
	d->points.g = canon_get_view(in, t * ROUND_KEY);
	d->sealed = canon_get_bytes(in, 0, MSG_SEALED, &len);
	if (len == 0)
		d->sealed = NULL;
	else if (len != MSG_SEALED)
		in->failed = true;
	d->path_len = canon_get_u8(in);
	if (d->path_len > MERKLE_DEPTH_MAX)
		in->failed = true;
	d->path = canon_get_view(in, d->path_len * ROUND_DIGEST);
}

void
msg_u2_hash(const struct roster *r, const bool *u2,
    uint8_t (*digests)[ROUND_DIGEST], uint8_t out[ROUND_DIGEST])
{
	struct hash h;
	uint16_t n = 0;

	for (size_t i = 0; i < r->p.n; i++)
		n = (uint16_t)(n + u2[i]);
	hash_label(&h, "u2");
	hash_add(&h, r->hash, ROUND_DIGEST);
	hash_u16(&h, n);
	for (size_t i = 0; i < r->p.n; i++) {
		if (!u2[i])
			continue;
		hash_u16(&h, r->site[i].id);
		hash_add(&h, digests[i], ROUND_DIGEST);
	}
	hash_end(&h, out);
}

int
msg_put_complaint(const struct round_ctx *ctx, const struct roster *r,
    const struct msg_complaint *p, struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, p->roster, ROUND_DIGEST);
	canon_u16(&c, p->site);
	canon_u16(&c, p->dealer);
	msg_put_dealt(&c, &p->dealt, r->p.threshold);
	canon_raw(&c, p->dh, ROUND_KEY);
	canon_raw(&c, p->proof, PROOF_LEN);
	return msg_seal(ctx, "complaint", &c, out, err);
}

int
msg_get_complaint(const struct round_ctx *ctx, const struct roster *r,
    const void *msg, size_t len, struct msg_complaint *c, struct err *err)
{
	const struct round_member *m;
	struct canon_in in;

	if (msg_peek(msg, len, "complaint", &in, err) != 0)
		return -1;
	canon_get_raw(&in, c->roster, ROUND_DIGEST);
	c->site = canon_get_u16(&in);
	c->dealer = canon_get_u16(&in);
	msg_get_dealt(&in, &c->dealt, r->p.threshold);
	canon_get_raw(&in, c->dh, ROUND_KEY);
	canon_get_raw(&in, c->proof, PROOF_LEN);
	if (canon_end(&in, "complaint", err) != 0)
		return -1;
	m = msg_member(ctx, c->site);
	if (m == NULL || roster_index(r, c->site) == SIZE_MAX ||
	    roster_index(r, c->dealer) == SIZE_MAX || c->site == c->dealer ||
	    !group_equal(c->roster, r->hash))
		return err_set(err, ERR_PEER,
		    "complaint: not about a dealer of this roster");
	return msg_open(msg, len, "complaint", m->pk, &in, err);
}

int
round_complaint_check(const struct round_ctx *ctx, const void *roster,
    size_t roster_len, const void *msg, size_t len, uint16_t *complainer,
    uint16_t *liar, struct err *err)
{
	uint8_t context[32], f[ROUND_KEY], g[ROUND_KEY];
	struct msg_complaint c;
	struct dealing d;
	struct roster r;
	struct pair p;
	size_t from, to;

	if (roster_open(ctx, roster, roster_len, INT64_MIN, &r, err) != 0 ||
	    msg_get_complaint(ctx, &r, msg, len, &c, err) != 0)
		return -1;
	from = roster_index(&r, c.dealer);
	to = roster_index(&r, c.site);
	*complainer = *liar = c.site;
	/* What the dealer did not sign, or a dh that is not theirs, shows only
	   that the complainer made it up. */
	complaint_context(&r, c.site, c.dealer, context);
	if (msg_get_dealing(
		ctx, &r, c.dealt.header, c.dealt.header_len, &d, err) != 0 ||
	    !dealt_is_signed(&r, &d, from, to, &c.dealt) ||
	    !proof_check(r.site[to].prekey.pk, r.site[from].prekey.pk, c.dh,
		context, c.proof))
		return 0;
	if (dealt_points_ok(&r, &d, from, &c.dealt.points)) {
		pair_make(ctx, &r, from, to, c.dh, &p);
		if (shares_open(&p, &r, from, to, &c.dealt, f, g))
			return 0;
	}
	*liar = c.dealer;
	return 0;
}

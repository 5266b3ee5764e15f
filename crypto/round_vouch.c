#include "crypto/round_vouch.h"

#include <string.h>

#include "common/err.h"
#include "crypto/group.h"
#include "crypto/round_msg.h"

static void
put_checked(struct canon *out, const struct round_checked *c)
{
	canon_raw(out, c->roster, ROUND_DIGEST);
	canon_u16(out, c->site);
	canon_raw(out, c->sum, ROUND_DIGEST);
	canon_raw(out, c->state, ROUND_DIGEST);
}

int
round_checked_put(const struct round_ctx *ctx, const struct round_checked *c,
    struct canon *out, struct err *err)
{
	struct canon content = { 0 };

	put_checked(&content, c);
	return msg_seal(ctx, "checked", &content, out, err);
}

int
round_checked_open(const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_checked *c, const uint8_t **sig, struct err *err)
{
	struct canon_in in;

	if (msg_open_from_site(
		ctx, msg, len, "checked", ROUND_DIGEST, &in, err) != 0)
		return -1;
	canon_get_raw(&in, c->roster, ROUND_DIGEST);
	c->site = canon_get_u16(&in);
	canon_get_raw(&in, c->sum, ROUND_DIGEST);
	canon_get_raw(&in, c->state, ROUND_DIGEST);
	*sig = (const uint8_t *)msg + len - ROUND_SIGNATURE;
	return canon_end(&in, "checked", err);
}

bool
round_checked_by(const struct round_ctx *ctx, const struct round_checked *c,
    const uint8_t sig[ROUND_SIGNATURE])
{
	const struct round_member *m = msg_member(ctx, c->site);
	uint8_t room[MSG_SMALL];
	struct canon content = canon_on(room, sizeof(room));

	put_checked(&content, c);
	return m != NULL && m->active &&
	    msg_signed_by(m->pk, "checked", content.data, content.len, sig);
}

int
round_vouched_put(const struct round_ctx *ctx, const struct round_vouched *v,
    struct canon *out, struct err *err)
{
	struct canon content = { 0 };

	canon_bytes(&content, v->result, v->result_len);
	canon_raw(&content, v->state, ROUND_DIGEST);
	canon_u16(&content, (uint16_t)v->n);
	for (size_t k = 0; k < v->n; k++) {
		canon_u16(&content, v->by[k].site);
		canon_raw(&content, v->by[k].sig, ROUND_SIGNATURE);
	}
	return msg_seal(ctx, "vouched", &content, out, err);
}

int
round_vouched_open(const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_vouched *v, struct err *err)
{
	struct canon_in in;

	if (msg_open(msg, len, "vouched", ctx->coordinator, &in, err) != 0)
		return -1;
	v->result = canon_get_bytes(&in, 1, ROUND_MESSAGE_MAX, &v->result_len);
	canon_get_raw(&in, v->state, ROUND_DIGEST);
	v->n = canon_get_u16(&in);
	if (v->n > ROUND_STUDY_MAX)
		in.failed = true;
	for (size_t k = 0; k < v->n && !in.failed; k++) {
		v->by[k].site = canon_get_u16(&in);
		canon_get_raw(&in, v->by[k].sig, ROUND_SIGNATURE);
	}
	return canon_end(&in, "vouched", err);
}

int
round_vouched_check(const struct round_vouched *v, const struct round_ctx *ctx,
    const struct round_result *result, struct err *err)
{
	size_t need = (size_t)ctx->rules.corrupted + 1;
	struct round_checked c;

	if (v->n < need)
		return err_set(err, ERR_PEER,
		    "vouched: the sum is signed by %zu, at least %zu needed",
		    v->n, need);
	memcpy(c.roster, round_result_roster(result), ROUND_DIGEST);
	memcpy(c.sum, round_result_sum_root(result), ROUND_DIGEST);
	memcpy(c.state, v->state, ROUND_DIGEST);
	for (size_t k = 0; k < v->n; k++) {
		c.site = v->by[k].site;
		if (k > 0 && c.site <= v->by[k - 1].site)
			return err_set(err, ERR_PEER,
			    "vouched: site %u twice or out of order",
			    (unsigned)c.site);
		if (c.site == ctx->self)
			return err_set(
			    err, ERR_PEER, "vouched: by this site itself");
		if (!round_checked_by(ctx, &c, v->by[k].sig))
			return err_set(err, ERR_PEER,
			    "vouched: not signed by site %u as an active one "
			    "of the study",
			    (unsigned)c.site);
	}
	return 0;
}

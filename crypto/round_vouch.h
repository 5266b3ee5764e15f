/*
 * In place of a replay.  A site that has checked a sum signs what it came to:
 * "checked".  The coordinator keeps those; a site that comes back when the
 * uploads have expired is shown c + 1 of them with the result: "vouched".  Of
 * c + 1 distinct sites one is honest, and has checked the sum as the study says.
 */
#ifndef CRYPTO_ROUND_VOUCH_H
#define CRYPTO_ROUND_VOUCH_H

#include "crypto/round.h"
#include "crypto/round_result.h"

struct round_checked {
	uint8_t roster[ROUND_DIGEST]; /* R_hash of the round */
	uint16_t site; /* who has checked it */
	uint8_t sum[ROUND_DIGEST]; /* root of A */
	uint8_t state[ROUND_DIGEST]; /* that A leads to */
};

/* Signed with ctx->secret.  The same bytes each time. */
int round_checked_put(const struct round_ctx *ctx,
    const struct round_checked *c, struct canon *out, struct err *err);
/* Of a site of the study, active or not, that has signed it.  *sig points into
   msg. */
int round_checked_open(const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_checked *c, const uint8_t **sig, struct err *err);
/* Whether an active site of the study, c->site, signed it. */
bool round_checked_by(const struct round_ctx *ctx,
    const struct round_checked *c, const uint8_t sig[ROUND_SIGNATURE]);

struct round_voucher {
	uint16_t site;
	uint8_t sig[ROUND_SIGNATURE];
};

struct round_vouched {
	const uint8_t *result; /* M8; points into the message */
	size_t result_len;
	uint8_t state[ROUND_DIGEST]; /* that its sum leads to */
	struct round_voucher by[ROUND_STUDY_MAX]; /* (n) by increasing id */
	size_t n;
};

/* Signed by the coordinator. */
int round_vouched_put(const struct round_ctx *ctx,
    const struct round_vouched *v, struct canon *out, struct err *err);
int round_vouched_open(const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_vouched *v, struct err *err);
/*
 * result is that of v->result, checked: at least c + 1 active sites of the
 * study other than ctx->self, each once, have signed its sum and v->state.  ctx
 * has the newest manifest, so that a revoked site vouches for nothing.
 */
int round_vouched_check(const struct round_vouched *v,
    const struct round_ctx *ctx, const struct round_result *result,
    struct err *err);

#endif

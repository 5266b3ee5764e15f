/*
 * From masked uploads and opened secrets to the sum, and the message that says
 * so (M8).  Internal to crypto/round*: the coordinator computes it, sites and
 * auditors repeat it.
 */
#ifndef CRYPTO_ROUND_SUM_H
#define CRYPTO_ROUND_SUM_H

#include "crypto/round_msg.h"
#include "crypto/round_result.h"

/* What is known of a round whose secrets were opened; arrays by roster order. */
struct opened {
	struct roster roster;
	bool u2[ROUND_SITES_MAX], u3[ROUND_SITES_MAX];
	uint8_t u2_hash[ROUND_DIGEST];
	uint8_t root[ROUND_SITES_MAX][ROUND_DIGEST]; /* of u3's uploads */
	/* beta_j for u3, a_j for the rest of u2 */
	uint8_t secret[ROUND_SITES_MAX][ROUND_KEY];
	uint64_t words;
};

/* sum = the uploads of u3, each checked against its root, without masks. */
int opened_sum(const struct opened *o, const struct round_ctx *ctx,
    const struct round_uploads *uploads, void *sum, struct err *err);

/* The messages that M8 repeats; arrays by roster order. */
struct result_parts {
	const struct canon *announce, *roster, *list, *certificate;
	struct {
		const uint8_t *p;
		size_t len;
	} header[ROUND_SITES_MAX], trailer[ROUND_SITES_MAX];
	uint8_t sum_root[ROUND_DIGEST];
};

int result_put(const struct round_ctx *ctx, const struct opened *o,
    const struct result_parts *parts, struct canon *out, struct err *err);

#endif

/*
 * A round's result (M8), as a site or an auditor checks it: everything that
 * makes the sum the sum of one roster's certified survivors, then the sum
 * itself, repeated from the uploads.
 */
#ifndef CRYPTO_ROUND_RESULT_H
#define CRYPTO_ROUND_RESULT_H

#include "crypto/round.h"

struct round_result;

/* The masked uploads, which travel apart from the messages. */
struct round_uploads {
	/* *words points to about.words words of site's upload and stays valid
	   until the next call. */
	int (*get)(
	    void *arg, uint16_t site, const void **words, struct err *err);
	void *arg;
};

struct round_input {
	uint16_t site;
	uint8_t root[ROUND_DIGEST]; /* of its upload */
};

/*
 * Check all signatures, quorum, thresholds, digests and opened secrets of M8
 * against ctx.  If expect is not NULL, the result must be of that state, step,
 * kind and number of words (expect->round is not looked at).
 * The caller ends it with round_result_free(), which wipes the mask seeds.
 */
struct round_result *round_result_open(const struct round_ctx *ctx,
    const struct round_about *expect, const void *msg, size_t len,
    struct err *err);
void round_result_free(struct round_result *r); /* NULL is fine */

const struct round_about *round_result_about(const struct round_result *r);
/* That the roster says, re-derived and found right. */
const struct round_params *round_result_params(const struct round_result *r);
/* R_hash */
const uint8_t *round_result_roster(const struct round_result *r);
/* The root that names A. */
const uint8_t *round_result_sum_root(const struct round_result *r);
/* U3: the inputs of the sum, by increasing site. */
size_t round_result_inputs(const struct round_result *r);
const struct round_input *round_result_input(
    const struct round_result *r, size_t k);

/*
 * What a result says of itself, before anything in it is checked: the epoch of
 * the manifest that it is of, and the root that names its sum.
 */
int round_result_peek(const void *msg, size_t len, uint32_t *epoch,
    uint8_t sum_root[ROUND_DIGEST], struct err *err);
/* What an upload's trailer (M3) says of itself: whose, and the root of its words. */
int round_upload_peek(
    const void *msg, size_t len, struct round_input *upload, struct err *err);
/* R_hash of a result. */
int round_result_peek_roster(
    const void *msg, size_t len, uint8_t roster[ROUND_DIGEST], struct err *err);

/*
 * Repeat the sum (verify = replay): check each upload against its root, add
 * them, remove the masks.  sum has room for about.words words.  ERR_PEER if an
 * upload is not what the survivors' list names, or the sum is not the one that
 * the result names.
 */
int round_result_sum(const struct round_result *r, const struct round_ctx *ctx,
    const struct round_uploads *uploads, void *sum, struct err *err);

/* A part of it: remove the masks from words first to first + n of the sum of
   all inputs' uploads, which the caller has checked. */
int round_result_unmask(const struct round_result *r,
    const struct round_ctx *ctx, uint64_t first, void *sum, size_t n,
    struct err *err);

#endif

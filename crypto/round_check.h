/*
 * How a site that has opened a result checks its sum, as the study says:
 *
 *     replay   fetches every upload and repeats the sum
 *     sample   fetches the sum and, of every upload, the same few chunks of
 *              the site's own random choice; finds what is false in many
 *              places, hardly what is false in one
 *     trust    fetches the sum: that the coordinator signed it is all
 *
 * All that is fetched is checked against roots which the result has signed
 * before anything was chosen.
 */
#ifndef CRYPTO_ROUND_CHECK_H
#define CRYPTO_ROUND_CHECK_H

#include "crypto/round.h"
#include "crypto/round_result.h"

#define ROUND_SAMPLES 8 /* chunks; all if there are no more */

/* The name under which the leaves of a vector's Merkle tree are fetched,
   32 bytes for each chunk of the vector. */
void round_leaves_name(
    const uint8_t root[ROUND_DIGEST], uint8_t name[ROUND_DIGEST]);
/* The leaves themselves, (round_chunks(bits, n), ROUND_DIGEST). */
size_t round_chunks(unsigned bits, size_t n_words);
void round_leaves(unsigned bits, const void *words, size_t n,
    uint8_t (*leaves)[ROUND_DIGEST]);

struct round_check;

/* Something to fetch: all of it, or one chunk. */
struct round_want {
	uint8_t name[ROUND_DIGEST];
	uint64_t bytes; /* that are expected */
	bool one_chunk;
	uint32_t chunk;
};

/* result must outlive it. */
struct round_check *round_check_new(const struct round_result *result,
    enum round_verify verify, struct err *err);
void round_check_free(struct round_check *c); /* NULL is fine */

/* false: there is nothing more to fetch, the sum is checked. */
bool round_check_next(const struct round_check *c, struct round_want *want);
/* What was wanted.  ERR_PEER if it is not what the result signed, or the sum
   is not that of the uploads. */
int round_check_take(struct round_check *c, const struct round_ctx *ctx,
    const void *data, size_t len, struct err *err);
/* about.words words; only when all is checked. */
const void *round_check_sum(const struct round_check *c);

#endif

/*
 * What a round is checked against, from the manifest and the study that the
 * root signed.  Gate, rounds and auditors fill it in the same way.
 */
#ifndef CRYPTO_CONTEXT_H
#define CRYPTO_CONTEXT_H

#include "crypto/manifest.h"
#include "crypto/round.h"
#include "crypto/signed_study.h"

struct context {
	struct round_ctx ctx; /* members points into this struct */
	struct round_member members[MANIFEST_SITES_MAX];
};

/*
 * Complete but for the cohort, self and secret, which are the caller's.
 * suite, verify and cohort, of enum round_suite and so on, are the study's; a
 * suite that the manifest does not allow becomes 0, which no round takes.
 */
struct round_ctx *context_fill(struct context *c, const struct manifest *m,
    const struct signed_study *s, uint8_t suite, uint8_t verify,
    uint8_t cohort);

#endif

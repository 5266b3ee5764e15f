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
 * suite, bits, verify and cohort, of enum round_suite and so on, are the study's; a
 * suite that the manifest does not allow becomes 0, which no round takes.
 */
struct round_ctx *context_fill(struct context *c, const struct manifest *m,
    const struct signed_study *s, uint8_t suite, uint8_t bits, uint8_t verify,
    uint8_t cohort);

/* The names of sites with spaces between them, appended to out. */
void context_names(const struct manifest *m, const uint16_t *sites, size_t n,
    struct canon *out);

/* The names of those in a and not in b, both increasing, with spaces between;
   cut to size.  How many. */
size_t context_without(const struct manifest *m, const uint16_t *a, size_t n_a,
    const uint16_t *b, size_t n_b, char *out, size_t size);

#endif

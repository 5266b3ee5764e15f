/*
 * A study as the consortium's root signed it: for which consortium, under
 * which manifest epoch, for which sites, and the study file's text, byte for
 * byte.  Its digest is what rounds, approvals and results refer to.
 */
#ifndef CRYPTO_SIGNED_STUDY_H
#define CRYPTO_SIGNED_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/manifest.h"
#include "crypto/signed.h"

#define SIGNED_STUDY_TYPE "study"
#define SIGNED_STUDY_TEXT_MAX (1024 * 1024)
#define SIGNED_STUDY_MAX (SIGNED_STUDY_TEXT_MAX + 8192) /* of the object */
#define SIGNED_STUDY_SITES_MIN 3

struct signed_study {
	uint8_t consortium_id[MANIFEST_ID];
	uint32_t epoch; /* of the manifest that it was signed under */
	uint16_t *sites; /* (n_sites) increasing ids; fixed for its life */
	size_t n_sites;
	char *text; /* text_len bytes, with a NUL behind them */
	size_t text_len;
	uint8_t digest[SIGNED_DIGEST]; /* on reading */
};

int signed_study_sign(const struct signed_study *s, const struct key *root,
    struct canon *out, struct err *err);

/* A study that root signed, and nothing else; the caller frees it. */
struct signed_study *signed_study_open(const void *object, size_t len,
    const uint8_t root[KEY_PUBLIC], struct err *err);
/* The same by the manifest's root, or any that it followed: one that was taken
   before the root changed. */
struct signed_study *signed_study_open_kept(const void *object, size_t len,
    const struct manifest_roots *roots, struct err *err);
void signed_study_free(struct signed_study *s); /* NULL is fine */

/*
 * 0 if the study belongs to the manifest's consortium, its epoch has come and
 * all its sites are members; else -1 with ERR_REFUSED.  (A revoked site still
 * counts as named.)
 */
int signed_study_fits(
    const struct signed_study *s, const struct manifest *m, struct err *err);

/* The place of a site in sites, or SIZE_MAX. */
size_t signed_study_index(const struct signed_study *s, uint16_t site);

#endif

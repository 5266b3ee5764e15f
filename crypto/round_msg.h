/*
 * The messages of a round: their layouts, written and strictly read, and the
 * signatures under them.  Internal to crypto/round*; docs/PROTOCOL.md is the
 * description.  A signed message is
 *
 *     text  "consilium-1/TYPE"
 *     bytes content
 *     64    Ed25519 signature over the two fields above, as they stand
 *
 * Readers check form and signature; what the fields have to say is for their
 * callers.  Views point into the message.
 */
#ifndef CRYPTO_ROUND_MSG_H
#define CRYPTO_ROUND_MSG_H

#include "common/canon.h"
#include "crypto/merkle.h"
#include "crypto/proof.h"
#include "crypto/round.h"
#include "crypto/round_result.h"

#define MSG_SEALED 80 /* two scalars and a tag */
#define MSG_HEADER_MAX 512 /* bytes of a dealing */
#define MSG_SMALL_MAX 1024 /* bytes of an upload's trailer, a confirm */
#define MSG_COMPLAINT_MAX (64 * 1024)
#define MSG_WHY_MAX 200

/* A signature over the label "consilium-1/TYPE" and content. */
int msg_signature(const uint8_t *secret, const char *type, const void *content,
    size_t len, uint8_t sig[ROUND_SIGNATURE], struct err *err);
#define MSG_SMALL 256 /* bytes of content at most, here */
bool msg_signed_by(const uint8_t pk[ROUND_KEY], const char *type,
    const void *content, size_t len, const uint8_t sig[ROUND_SIGNATURE]);

/* Sign content with ctx->secret, append the message to out; frees content. */
int msg_seal(const struct round_ctx *ctx, const char *type,
    struct canon *content, struct canon *out, struct err *err);
/* The content of a message of that type.  ERR_FORMAT if it is not one. */
int msg_peek(const void *msg, size_t len, const char *type,
    struct canon_in *content, struct err *err);
/* The same, signed by pk; ERR_PEER if it is not. */
int msg_open(const void *msg, size_t len, const char *type,
    const uint8_t pk[ROUND_KEY], struct canon_in *content, struct err *err);
/* What a site of the study signed: its id is site_at bytes into the content. */
int msg_open_from_site(const struct round_ctx *ctx, const void *msg, size_t len,
    const char *type, size_t site_at, struct canon_in *content,
    struct err *err);
int msg_no_memory(struct err *err);

/* The member with that id, in the study; NULL if there is none. */
const struct round_member *msg_member(const struct round_ctx *ctx, uint16_t id);

/* T0 */
struct msg_announce {
	struct round_about about;
	uint8_t digest[ROUND_DIGEST];
};

int msg_put_announce(const struct round_ctx *ctx,
    const struct round_about *about, struct canon *out, struct err *err);
int msg_get_announce(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_announce *a, struct err *err);
void msg_put_about(struct canon *out, const struct round_about *about);
void msg_get_about(struct canon_in *in, struct round_about *about);

/* T1 */
struct msg_ready {
	uint8_t announce[ROUND_DIGEST];
	uint16_t site;
	struct prekey prekey;
};

int msg_put_ready(const struct round_ctx *ctx, const struct msg_ready *r,
    struct canon *out, struct err *err);
int msg_get_ready(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_ready *r, struct err *err);

/* M0 */
struct roster_entry {
	uint16_t id;
	struct prekey prekey;
};

struct roster {
	uint8_t announce[ROUND_DIGEST];
	struct round_params p;
	struct roster_entry site[ROUND_SITES_MAX]; /* (p.n) by increasing id */
	uint8_t hash[ROUND_DIGEST]; /* R_hash: of the signed part */
};

/* announce, p and site are the caller's. */
int roster_put(const struct round_ctx *ctx, const struct roster *r,
    struct canon *out, struct err *err);
/* Form only: for what was checked before it was stored. */
int roster_read(const void *msg, size_t len, struct roster *r, struct err *err);
/* Every check of a roster against ctx.  Prekeys must not have expired at now;
   INT64_MIN: whenever that was. */
int roster_open(const struct round_ctx *ctx, const void *msg, size_t len,
    int64_t now, struct roster *r, struct err *err);
/* The place of a site, or SIZE_MAX. */
size_t roster_index(const struct roster *r, uint16_t id);
/* Whether all prekeys are points; an opened roster's are. */
bool roster_points_ok(const struct roster *r);
/* Whether the marked sites of the roster are exactly ctx's fixed cohort; true
   if there is none (yet).  in may be NULL: all. */
bool roster_is_cohort(
    const struct roster *r, const struct round_ctx *ctx, const bool *in);

/* M1 */
struct dealing { /* the signed header; self is [beta_i]B */
	uint8_t roster[ROUND_DIGEST];
	uint16_t site;
	uint8_t self[ROUND_KEY];
	uint8_t sealed_root[ROUND_DIGEST], commitments[ROUND_DIGEST];
	uint8_t digest[ROUND_DIGEST]; /* of the message; on reading */
};

struct msg_points { /* Feldman's, (t, ROUND_KEY) each; views */
	const uint8_t *f, *g;
};

struct msg_shares {
	const uint8_t *header; /* the dealing's message */
	size_t header_len;
	struct dealing dealing;
	struct msg_points points;
	const uint8_t *sealed; /* (n - 1, MSG_SEALED), the dealer left out */
};

int msg_put_dealing(const struct round_ctx *ctx, const struct dealing *d,
    struct canon *out, struct err *err);
int msg_read_dealing(
    const void *msg, size_t len, struct dealing *d, struct err *err);
/* Signed by a site of the roster, for the roster. */
int msg_get_dealing(const struct round_ctx *ctx, const struct roster *r,
    const void *msg, size_t len, struct dealing *d, struct err *err);
void msg_commitments(
    const struct msg_points *p, size_t t, uint8_t digest[ROUND_DIGEST]);
void msg_sealed_leaf(uint16_t from, uint16_t to, const uint8_t *sealed,
    size_t len, uint8_t leaf[ROUND_DIGEST]);
/* The leaves over one dealer's sealed shares, (n) by roster order. */
void msg_sealed_leaves(const struct roster *r, size_t dealer,
    const uint8_t *sealed, uint8_t (*leaves)[ROUND_DIGEST]);
/* One of them; NULL for the dealer's own. */
const uint8_t *msg_sealed_for(const uint8_t *sealed, size_t dealer, size_t to);

void msg_put_shares(const void *header, size_t header_len, size_t t, size_t n,
    const struct msg_points *points, const uint8_t *sealed, struct canon *out);
/* Form only, and the header's. */
int msg_read_shares(const struct roster *r, const void *msg, size_t len,
    struct msg_shares *s, struct err *err);

/* M2: one dealer's part of it, also in a complaint */
struct msg_dealt {
	const uint8_t *header;
	size_t header_len;
	struct msg_points points;
	const uint8_t *sealed; /* MSG_SEALED bytes; NULL: the receiver's own */
	const uint8_t *path; /* (path_len, ROUND_DIGEST) */
	size_t path_len;
};

void msg_put_dealt(struct canon *out, const struct msg_dealt *d, size_t t);
void msg_get_dealt(struct canon_in *in, struct msg_dealt *d, size_t t);
/* H("u2" || R_hash || U2 with its M1 digests); digests is by roster order. */
void msg_u2_hash(const struct roster *r, const bool *u2,
    uint8_t (*digests)[ROUND_DIGEST], uint8_t out[ROUND_DIGEST]);

/* In place of M3 */
struct msg_complaint {
	uint8_t roster[ROUND_DIGEST];
	uint16_t site, dealer;
	struct msg_dealt dealt;
	uint8_t dh[ROUND_KEY];
	uint8_t proof[PROOF_LEN];
};

int msg_put_complaint(const struct round_ctx *ctx, const struct roster *r,
    const struct msg_complaint *c, struct canon *out, struct err *err);
int msg_get_complaint(const struct round_ctx *ctx, const struct roster *r,
    const void *msg, size_t len, struct msg_complaint *c, struct err *err);

/* M3's trailer */
struct msg_upload {
	uint8_t roster[ROUND_DIGEST], u2[ROUND_DIGEST];
	uint16_t site;
	uint64_t words;
	uint8_t root[ROUND_DIGEST];
};

int msg_put_upload(const struct round_ctx *ctx, const struct msg_upload *u,
    struct canon *out, struct err *err);
int msg_read_upload(
    const void *msg, size_t len, struct msg_upload *u, struct err *err);
int msg_get_upload(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_upload *u, struct err *err);

/* M4 */
struct msg_list {
	uint8_t roster[ROUND_DIGEST], u2[ROUND_DIGEST];
	size_t n;
	struct round_input input[ROUND_SITES_MAX]; /* by increasing site */
	uint8_t hash[ROUND_DIGEST]; /* U3_hash: of the signed part */
};

int msg_put_list(const struct round_ctx *ctx, const struct msg_list *l,
    struct canon *out, struct err *err);
int msg_read_list(
    const void *msg, size_t len, struct msg_list *l, struct err *err);
/* Signed, of this roster and U2, within it, not too few, the cohort where that
   is fixed; in is marked by roster order. */
int msg_get_list(const struct round_ctx *ctx, const struct roster *r,
    const bool *u2, const uint8_t u2_hash[ROUND_DIGEST], const void *msg,
    size_t len, struct msg_list *l, bool *in, struct err *err);

/* M5 */
struct msg_confirm {
	uint8_t roster[ROUND_DIGEST], u2[ROUND_DIGEST], u3[ROUND_DIGEST];
	uint16_t site;
};

int msg_put_confirm(const struct round_ctx *ctx, const struct msg_confirm *f,
    struct canon *out, struct err *err);
int msg_get_confirm(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_confirm *f, const uint8_t **sig, struct err *err);

/* M6.  f->site is not looked at. */
struct msg_signer {
	uint16_t site;
	const uint8_t *sig;
};

int msg_put_certificate(const struct round_ctx *ctx,
    const struct msg_confirm *f, const struct msg_signer *signers, size_t n,
    struct canon *out, struct err *err);
/* At least the quorum of sites in u3, each once, confirmed f. */
int msg_get_certificate(const struct round_ctx *ctx, const struct roster *r,
    const bool *u3, const struct msg_confirm *f, const void *msg, size_t len,
    struct err *err);

/* M7 */
enum msg_opened { MSG_SELF = 1, MSG_KEY = 2 };

struct msg_unmask {
	struct msg_confirm of;
	uint8_t share[ROUND_SITES_MAX][ROUND_KEY]; /* by roster order, U2 */
};

int msg_put_unmask(const struct round_ctx *ctx, const struct roster *r,
    const bool *u2, const bool *u3, const struct msg_unmask *u,
    struct canon *out, struct err *err);
/* A self-mask share for each site of u3, a key share for the rest of u2. */
int msg_get_unmask(const struct round_ctx *ctx, const struct roster *r,
    const bool *u2, const bool *u3, const void *msg, size_t len,
    struct msg_unmask *u, struct err *err);

/* The end without a sum */
struct msg_abort {
	uint8_t announce[ROUND_DIGEST];
	char why[MSG_WHY_MAX + 1];
	const uint8_t *complaint; /* a message, or NULL */
	size_t complaint_len;
};

int msg_put_abort(const struct round_ctx *ctx, const struct msg_abort *a,
    struct canon *out, struct err *err);
int msg_get_abort(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_abort *a, struct err *err);

#endif

/*
 * consilium-1, what both sides of a round share: who takes part under which
 * rules, the parameters that follow, what a round is about, and prekeys.
 * docs/PROTOCOL.md has every message field by field.
 *
 * Nothing under crypto/round* reads a file, a clock or the network.  Messages
 * are byte strings in canonical layout (common/canon.h) that begin with the
 * text "consilium-1/TYPE"; functions append what they make to a struct canon.
 * After an error nothing was changed.  The error codes:
 *
 *     ERR_FORMAT   not a well-formed message of that type
 *     ERR_PEER     well formed, but the sender broke the protocol
 *     ERR_REFUSED  the rules do not allow it, or not now
 *     ERR_SYSTEM   no memory, or a library failed
 *
 * A round has at most ROUND_SITES_MAX sites (complete mask graph).  A vector is
 * words of the ring Z_2^b, b = 32 or 64: an array of uint32_t or uint64_t as
 * the rules' bits say, which on a little-endian machine is what travels.
 */
#ifndef CRYPTO_ROUND_H
#define CRYPTO_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct canon;
struct canon_in;
struct err;

#define ROUND_DIGEST 32
#define ROUND_KEY 32 /* public key, point or scalar */
#define ROUND_SECRET_KEY 64 /* Ed25519, as libsodium has it */
#define ROUND_SIGNATURE 64
#define ROUND_SITES_MAX 128
#define ROUND_STUDY_MAX 1024 /* sites that a study may name */
#define ROUND_KIND_MAX 32 /* bytes */
#define ROUND_WORDS_MAX ((uint64_t)1 << 28)
#define ROUND_CHUNK (256 * 1024) /* bytes of an upload or a sum */
#define ROUND_MESSAGE_MAX (4 * 1024 * 1024) /* bytes of any message here */
#define ROUND_PPM 1000000

enum round_suite { ROUND_AES256CTR = 1, ROUND_CHACHA20 = 2 };
enum round_verify { ROUND_REPLAY = 1, ROUND_SAMPLE = 2, ROUND_TRUST = 3 };
enum round_cohort { ROUND_FIXED = 1, ROUND_OPEN = 2 };

/* The messages, in the order of a round. */
enum round_type {
	ROUND_NONE,
	ROUND_ANNOUNCE, /* T0, coordinator to sites */
	ROUND_READY, /* T1, site to coordinator */
	ROUND_ROSTER, /* M0 */
	ROUND_SHARES, /* M1 */
	ROUND_SHARESET, /* M2, one for each site */
	ROUND_COMPLAINT, /* in place of an upload */
	ROUND_UPLOAD, /* M3's trailer */
	ROUND_LIST, /* M4 */
	ROUND_CONFIRM, /* M5 */
	ROUND_CERTIFICATE, /* M6 */
	ROUND_UNMASK, /* M7 */
	ROUND_RESULT, /* M8 */
	ROUND_ABORT, /* coordinator to sites: this round ends without a sum */
	ROUND_CHECKED, /* site to coordinator: what a checked sum came to */
	ROUND_VOUCHED, /* coordinator to a site: M8, and who has checked it */
	ROUND_BEHIND, /* coordinator to a site: what it knows of a study */
	ROUND_KEPT, /* site to coordinator: what it has of a round */
	ROUND_TYPES
};

/* "announce", "ready", ... */
const char *round_type_name(enum round_type t);
/* What a message says it is; ROUND_NONE if it is none of them. */
enum round_type round_message_type(const void *msg, size_t len);

/* From the manifest and the study. */
struct round_rules {
	uint16_t corrupted; /* c */
	uint16_t honest_min; /* h_min */
	uint32_t u_frac_ppm; /* u_frac in parts per million */
	uint8_t suite; /* enum round_suite; 0: not allowed */
	uint8_t bits; /* b, of the ring: 32 or 64 */
	uint8_t verify; /* enum round_verify */
	uint8_t cohort; /* enum round_cohort */
};

struct round_member {
	uint16_t id; /* >= 1 */
	uint8_t pk[ROUND_KEY]; /* identity, Ed25519 */
	bool active; /* not revoked */
	bool in_study; /* named by it; revoked sites still count for N */
};

/*
 * Everything that a round is checked against.  The caller fills it in from the
 * manifest and the study that it has verified, for each call; nothing is kept.
 */
struct round_ctx {
	uint8_t consortium[ROUND_DIGEST];
	uint32_t epoch;
	uint8_t study[ROUND_DIGEST];
	const struct round_member *members; /* (n_members) by increasing id */
	size_t n_members;
	uint8_t coordinator[ROUND_KEY]; /* Ed25519 */
	struct round_rules rules;
	/* cohort = fixed, once a sum has fixed it: (n_cohort) increasing ids.
	   n_cohort is 0 before, and where cohort = open. */
	const uint16_t *cohort;
	size_t n_cohort;
	uint16_t self; /* this site; 0 at the coordinator and an auditor */
	const uint8_t *secret; /* ROUND_SECRET_KEY bytes, or NULL (auditor) */
};

/* The table of PROTOCOL.md section 1. */
struct round_params {
	uint16_t n_study; /* N */
	uint16_t n; /* sites in the roster */
	uint16_t corrupted, honest_min; /* c, h_min */
	uint32_t u_frac_ppm;
	uint16_t quorum; /* q */
	uint16_t threshold; /* t */
	uint16_t u_min;
	uint16_t d_max;
	uint16_t degree; /* k, mask neighbours of a site */
	uint8_t suite, bits, verify, cohort;
};

/* ERR_REFUSED, with the rule, if these cannot make a safe round. */
int round_params(const struct round_rules *rules, size_t n_study, size_t n,
    struct round_params *p, struct err *err);

/* The smallest roster that the rules allow for a study of n_study sites. */
size_t round_roster_min(const struct round_rules *rules, size_t n_study);

/* What one round sums.  kind, words and the next state follow from the plan. */
struct round_about {
	uint64_t round; /* increases with every announcement of a study */
	uint32_t step; /* rounds summed before: plan_index() */
	char kind[ROUND_KIND_MAX + 1]; /* plan_kind() */
	uint64_t words; /* ring words: plan_words() */
	uint8_t state[ROUND_DIGEST]; /* what all start from */
};

/* state_0, and state_r from the round before it.  sum is round_words_root()
   of A; model is what plan_save() wrote after that sum was stepped through,
   step and kind are those of the round to come. */
void round_state_first(
    const uint8_t study[ROUND_DIGEST], uint8_t state[ROUND_DIGEST]);
void round_state_next(const uint8_t study[ROUND_DIGEST], uint32_t step,
    const char *kind, const uint8_t previous[ROUND_DIGEST],
    const uint8_t sum[ROUND_DIGEST], const void *model, size_t len,
    uint8_t state[ROUND_DIGEST]);

/* The Merkle root, over chunks of ROUND_CHUNK bytes, that names an upload or
   a sum of n >= 1 words. */
void round_words_root(
    unsigned bits, const void *words, size_t n, uint8_t root[ROUND_DIGEST]);

/* sum[k] += words[k] in the ring; words may lie anywhere. */
void round_words_add(unsigned bits, void *sum, const void *words, size_t n);

/* The digest of a signed message: SHA-256 of what is signed. */
int round_message_digest(
    const void *msg, size_t len, uint8_t digest[ROUND_DIGEST], struct err *err);

/* Check that T0 is the coordinator's and for this study; what it announces.
   Whether that is this site's state is for the caller (or for
   site_round_start()) to see. */
int round_announce_open(const struct round_ctx *ctx, const void *msg,
    size_t len, struct round_about *about, struct err *err);

/* The epoch that a T0 says it is of, without a signature check: only to find
   out which manifest to check it against. */
int round_announce_peek(
    const void *msg, size_t len, uint32_t *epoch, struct err *err);

/*
 * A prekey: an ephemeral key for one roster, signed by its site ahead of time.
 * The secret half is the caller's to keep (encrypted at rest), and to erase in
 * the transaction that records the roster that names it.
 */
struct prekey {
	uint32_t id; /* never used twice by a site */
	uint8_t pk[ROUND_KEY];
	int64_t expiry; /* seconds since 1970, UTC */
	uint8_t sig[ROUND_SIGNATURE];
};

#define PREKEY_BATCH_MAX 64 /* unused ones that a site should have */
#define PREKEY_BYTES (4 + ROUND_KEY + 8 + ROUND_SIGNATURE)

/* Make one for ctx->self. */
int prekey_make(const struct round_ctx *ctx, uint32_t id, int64_t expiry,
    struct prekey *pub, uint8_t secret[ROUND_KEY], struct err *err);
/* Check one of site's against the manifest; ERR_REFUSED if it has expired. */
int prekey_check(const struct round_ctx *ctx, uint16_t site,
    const struct prekey *pub, int64_t now, struct err *err);
/* PREKEY_BYTES in canonical layout. */
void prekey_put(struct canon *out, const struct prekey *pub);
void prekey_get(struct canon_in *in, struct prekey *pub);
bool prekey_equal(const struct prekey *a, const struct prekey *b);

/*
 * A complaint: a site shows that a dealer sent it a wrong share.  *liar is the
 * dealer, or the complainer if the share was right.  roster is M0.
 */
int round_complaint_check(const struct round_ctx *ctx, const void *roster,
    size_t roster_len, const void *msg, size_t len, uint16_t *complainer,
    uint16_t *liar, struct err *err);

#endif

/*
 * What a site's side of a round consists of.  Internal: round_site.c is what it
 * does, round_site_store.c how it is kept.
 */
#ifndef CRYPTO_ROUND_SITE_STATE_H
#define CRYPTO_ROUND_SITE_STATE_H

#include "crypto/hash.h"
#include "crypto/round_msg.h"
#include "crypto/round_site.h"

/* In guarded memory. */
struct secrets {
	uint8_t key[ROUND_KEY]; /* a_i, until the upload */
	uint8_t seed[ROUND_KEY]; /* beta_i, until the upload */
	/* f_j(i) and g_j(i), by roster order, until unmasked */
	uint8_t f[ROUND_SITES_MAX][ROUND_KEY], g[ROUND_SITES_MAX][ROUND_KEY];
};

/* The messages that are answered once. */
enum asked {
	ASKED_ANNOUNCE,
	ASKED_ROSTER,
	ASKED_SHARESET,
	ASKED_LIST,
	ASKED_CERTIFICATE,
	ASKED_N,
};

struct site_round {
	enum site_phase phase;
	uint16_t self;
	uint32_t epoch; /* of the manifest that it began under */
	struct round_about about;
	struct canon announce_msg; /* T0; empty if an older release kept it */
	uint8_t announce[ROUND_DIGEST]; /* H(T0) */
	struct prekey prekey;
	struct canon roster_msg; /* M0; empty before SITE_SHARED */
	struct roster roster;
	uint8_t digest[ROUND_DIGEST]; /* of our own M1 header */
	bool u2[ROUND_SITES_MAX], u3[ROUND_SITES_MAX]; /* by roster order */
	uint8_t u2_hash[ROUND_DIGEST], u3_hash[ROUND_DIGEST];
	uint8_t root[ROUND_DIGEST]; /* of our own upload */
	struct {
		bool given;
		uint8_t question[HASH_LEN]; /* SHA-256 of the message */
		struct canon bytes;
	} answers[ASKED_N];
	struct secrets *x; /* NULL when there are none (any more) */
};

/* All zeros.  The caller ends it with sodium_free(), which wipes. */
struct secrets *site_secrets_new(struct err *err);

#endif

/*
 * What the coordinator's side of a round consists of.  Internal: round_coord.c
 * is what it does, round_coord_store.c how it is kept.
 */
#ifndef CRYPTO_ROUND_COORD_STATE_H
#define CRYPTO_ROUND_COORD_STATE_H

#include "crypto/round_coord.h"
#include "crypto/round_msg.h"

/* What a site sends, in the order of the phases that wait for it. */
enum part {
	PART_READY,
	PART_SHARES,
	PART_UPLOAD,
	PART_CONFIRM,
	PART_UNMASK,
	PART_N,
};

/* What the coordinator sends; a share set is made anew for each site. */
enum own {
	OWN_ANNOUNCE,
	OWN_ROSTER,
	OWN_LIST,
	OWN_CERTIFICATE,
	OWN_RESULT,
	OWN_ABORT,
	OWN_N,
};

struct coord_member {
	uint16_t id;
	struct canon part[PART_N]; /* messages; empty until they came */
	struct msg_ready ready; /* as read from the parts */
	struct msg_shares shares; /* views into part */
	struct msg_upload upload;
};

struct coord_round {
	enum coord_phase phase;
	struct round_about about;
	uint8_t announce[ROUND_DIGEST];
	struct canon own[OWN_N];
	struct canon complaint;
	struct coord_member *m; /* by increasing id; roster order once fixed */
	size_t n;
	struct roster roster;
	bool u2[ROUND_SITES_MAX], u3[ROUND_SITES_MAX];
	uint8_t u2_hash[ROUND_DIGEST], u3_hash[ROUND_DIGEST];
	struct combined *combined; /* made when first needed; not saved */
};

/* To check all shares of an unmask answer at once (crypto/shamir.h): of U2, for
   each the polynomial that is opened. */
struct combined {
	size_t n, member[ROUND_SITES_MAX]; /* places */
	uint8_t weights[ROUND_SITES_MAX][ROUND_KEY];
	uint8_t points[ROUND_SITES_MAX * ROUND_KEY]; /* (t, ROUND_KEY) */
};

/* Without anything in it. */
struct coord_round *coord_round_new(struct err *err);
/* How many sites are marked in u2 or u3. */
size_t coord_marked(const struct coord_round *c, const bool *in);
/* u2_hash from u2 and the shares. */
void coord_hash_u2(struct coord_round *c);

#endif

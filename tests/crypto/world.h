/*
 * A whole consortium in one process: a coordinator and its sites, their keys
 * and vectors from fixed seeds, and a round driven step by step.  After every
 * step each side is saved, freed and loaded, so whatever passes here also
 * passes across a restart.
 */
#ifndef TESTS_CRYPTO_WORLD_H
#define TESTS_CRYPTO_WORLD_H

#include <stdbool.h>

#include "common/canon.h"
#include "common/err.h"
#include "crypto/round_coord.h"
#include "crypto/round_msg.h"
#include "crypto/round_site.h"

#define WORLD_MAX 10
#define WORLD_NOW 1800000000
#define WORLD_EXPIRY 1900000000

/* Where a site falls silent for good. */
enum leaves {
	LEAVES_BEFORE_READY,
	LEAVES_BEFORE_SHARES,
	LEAVES_BEFORE_UPLOAD,
	LEAVES_BEFORE_CONFIRM,
	LEAVES_BEFORE_UNMASK,
	LEAVES_NEVER,
};

struct world_site {
	struct round_ctx ctx;
	uint8_t sk[ROUND_SECRET_KEY];
	enum leaves leaves;
	struct prekey prekey;
	uint8_t prekey_secret[ROUND_KEY];
	uint64_t last_round;
	struct site_round *round;
	uint64_t *z, *y; /* (words); of 32 bits after world_narrow() */
	struct canon sent[ROUND_TYPES]; /* what it answered, by type */
	struct canon got[ROUND_TYPES]; /* to what */
};

struct world {
	size_t n; /* N; site k has id 10 (k + 1) */
	struct round_member members[WORLD_MAX];
	struct round_ctx ctx; /* the coordinator's */
	uint8_t sk[ROUND_SECRET_KEY];
	struct round_about about;
	struct coord_round *coord;
	struct world_site site[WORLD_MAX];
	uint64_t *sum; /* (words) the coordinator's */
	uint16_t cohort[WORLD_MAX];
	/* A site that leaves has still done what it was told last: its answer is
	   lost. */
	bool lost;
	/* If set, called with every message before it arrives. */
	void (*tamper)(struct world *w, size_t site, enum round_type type,
	    struct canon *msg);
	struct err err; /* of the step that failed */
};

/* c = 1, h_min = 2, u_frac = 0.75, suite 1, cohort open, everybody stays. */
struct world *world_new(size_t n, size_t words);
void world_free(struct world *w);

/* Go over to b = 32: the vectors are the low halves of what they were. */
void world_narrow(struct world *w);

/* As learning has them: 30 bits of each value, rounded, with a part of the noise
   of that variance of which honest ones make up the whole.  Before
   world_narrow(). */
void world_noise(struct world *w, uint64_t variance, uint64_t honest);

/* The vector of a site is a function of its id and the index. */
uint64_t world_value(uint16_t id, size_t k);

/*
 * The phases.  Each carries one message to every site that is there and owes
 * an answer, brings the answers back and goes on.  -1 with w->err if either
 * side refuses.
 */
int world_ready(struct world *w);
int world_shares(struct world *w);
int world_uploads(struct world *w);
int world_confirms(struct world *w);
int world_unmasks(struct world *w);
/* Finish; every site that is there checks the result and accepts it. */
int world_result(struct world *w);
/* All of them. */
int world_run(struct world *w);

/* Exactly the vectors of the sites that uploaded, at coordinator and sites. */
void world_check_sum(struct world *w);

/* Bring one message to one site and its answer back to out; the step that
   world_... do. */
int world_answer(struct world *w, size_t site, enum round_type type,
    const struct canon *msg, struct canon *out);
int world_add(struct world *w, size_t site, const struct canon *msg);
/* Uploads as the coordinator keeps them. */
struct round_uploads world_uploaded(struct world *w);

/*
 * For tests that change one thing in a true message.
 */

/* Of n sites, that has gone through the phases before that one. */
struct world *world_at(size_t n, enum coord_phase phase);
/* The coordinator's message for a site. */
struct canon world_owed(struct world *w, enum round_type type, size_t site);
void world_roster(struct world *w, struct roster *r);
/* Sign a prekey as the site's. */
void world_sign_prekey(struct world *w, size_t site, struct prekey *p);

#endif

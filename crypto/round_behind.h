/*
 * A coordinator whose database was restored from a backup has lost results that
 * it has signed, and rounds that it has announced.  It says, signed, how far it
 * knows a study: "behind".  A site that knows more hands back what the
 * coordinator has signed, and answers that it has given before ("kept"); it
 * answers nothing anew.  From what all have kept of a round that was unmasked
 * the coordinator makes the round again as it was: the same sum.
 */
#ifndef CRYPTO_ROUND_BEHIND_H
#define CRYPTO_ROUND_BEHIND_H

#include "crypto/round.h"
#include "crypto/round_coord.h"

enum round_wish {
	ROUND_WISH_NEXT, /* what leads on from there */
	ROUND_WISH_CHECKED, /* `checked` of the sum that led on from there */
	ROUND_WISH_UPLOAD, /* the upload that is an input of that sum */
	ROUND_WISHES
};

struct round_behind {
	enum round_wish wish;
	uint32_t step;
	uint8_t state[ROUND_DIGEST]; /* at that step */
	/* The highest that the coordinator knows of; ROUND_WISH_UPLOAD: the
	   one whose upload is wished for. */
	uint64_t round;
};

/* Signed by the coordinator. */
int round_behind_put(const struct round_ctx *ctx, const struct round_behind *b,
    struct canon *out, struct err *err);
int round_behind_open(const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_behind *b, struct err *err);

/* What a site has of its newest round; parts that there are not have length 0.
   Not signed, but each part is. */
enum kept_part {
	KEPT_ANNOUNCE, /* T0 */
	KEPT_ROSTER, /* M0; without it there are no more parts */
	KEPT_SHARES, /* M1, this site's answer; and so on */
	KEPT_UPLOAD, /* M3, without the words */
	KEPT_CONFIRM, /* M5 */
	KEPT_UNMASK, /* M7 */
	KEPT_PARTS
};
struct round_kept {
	uint16_t site; /* who brought it; filled in by the reader */
	struct {
		const uint8_t *p; /* into the message */
		size_t len;
	} part[KEPT_PARTS];
	size_t n; /* sites in the roster; 0 without it */
	uint8_t marks[ROUND_SITES_MAX]; /* bit 0: of U2, bit 1: of U3 */
};

void round_kept_put(const struct round_kept *k, struct canon *out);
int round_kept_read(
    const void *msg, size_t len, struct round_kept *k, struct err *err);

/* Where the words of an upload lie: they are good until it is called again. */
struct round_words {
	int (*get)(void *arg, uint16_t site, const uint8_t root[ROUND_DIGEST],
	    const void **words, struct err *err);
	void *arg;
};

/*
 * The round that kept[of] is of, at COORD_UNMASKS and with answers enough to
 * finish it.  Who is in U2 and U3 is what kept[of] says; that it is true follows
 * from what the others have signed.  NULL with ERR_REFUSED if something is
 * missing yet.  kept has one of each site; ctx is of the round's epoch.  The
 * result lacks what sites said before the roster, and cannot be saved.
 */
struct coord_round *round_kept_rebuild(const struct round_ctx *ctx,
    const struct round_kept *kept, size_t n, size_t of,
    const struct round_words *words, struct err *err);

#endif

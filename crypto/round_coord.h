/*
 * The coordinator's side of one round of consilium-1.
 *
 *     coord_round_start()        T0                       COORD_READY
 *     coord_round_add_ready()    T1 ...
 *     coord_round_roster()       fixes R, makes M0        COORD_SHARES
 *     coord_round_add_shares()   M1 ...
 *     coord_round_shareset()     fixes U2                 COORD_UPLOADS
 *     coord_round_add_upload()   M3 ...
 *     coord_round_list()         fixes U3, makes M4       COORD_CONFIRMS
 *     coord_round_add_confirm()  M5 ...
 *     coord_round_certificate()  makes M6                 COORD_UNMASKS
 *     coord_round_add_unmask()   M7 ...
 *     coord_round_finish()       the sum and M8           COORD_DONE
 *     coord_round_abort()        before M6 only           COORD_ABORTED
 *
 * When to go on is the caller's (deadlines); whether it may is in the tally.
 * What a site owes an answer to: coord_round_owed(), coord_round_message().
 *
 * The caller stores coord_round_save() before a message leaves that the call
 * made.  After coord_round_certificate() it starts no other round on that
 * state.  An add function takes the same bytes again as nothing new; other
 * bytes from the same site, or bad ones, are ERR_PEER with the site in the
 * message; ERR_REFUSED is too late, too early or not one of this round.  *from
 * is whose signature is under it, or 0 if that could not be seen.
 *
 * A round in memory holds no long-term secret, but from the unmask answers on
 * shares of what M8 makes public.
 */
#ifndef CRYPTO_ROUND_COORD_H
#define CRYPTO_ROUND_COORD_H

#include "crypto/round.h"
#include "crypto/round_result.h"

struct coord_round;

enum coord_phase {
	COORD_READY = 1,
	COORD_SHARES,
	COORD_UPLOADS,
	COORD_CONFIRMS,
	COORD_UNMASKS,
	COORD_DONE,
	COORD_ABORTED,
};

/* What is there in the present phase, the least to go on with, and all that
   can still come. */
struct coord_tally {
	enum coord_phase phase;
	size_t have, need, most;
};

struct coord_round *coord_round_start(const struct round_ctx *ctx,
    const struct round_about *about, struct err *err);
void coord_round_free(struct coord_round *c); /* NULL is fine */

void coord_round_save(const struct coord_round *c, struct canon *out);
struct coord_round *coord_round_load(
    const void *bytes, size_t len, struct err *err);

enum coord_phase coord_round_phase(const struct coord_round *c);
const char *coord_phase_name(enum coord_phase phase);
const struct round_about *coord_round_about(const struct coord_round *c);
/* Of the manifest that it began under, and is checked against to its end. */
uint32_t coord_round_epoch(const struct coord_round *c);
struct coord_tally coord_round_tally(
    const struct coord_round *c, const struct round_ctx *ctx);
/* Whether a site has done its part of the present phase. */
bool coord_round_has(const struct coord_round *c, uint16_t site);
/* NULL before the roster is fixed. */
const struct round_params *coord_round_params(const struct coord_round *c);
const uint8_t *coord_round_roster_hash(const struct coord_round *c);

/* The message that site owes an answer to now (for a site out of the running:
   the result or the abort, once there is one), or ROUND_NONE. */
enum round_type coord_round_owed(
    const struct coord_round *c, const struct round_ctx *ctx, uint16_t site);
/* The bytes of one of the coordinator's messages; the same each time.
   ERR_REFUSED if it does not exist, or not for that site. */
int coord_round_message(const struct coord_round *c,
    const struct round_ctx *ctx, enum round_type type, uint16_t site,
    struct canon *out, struct err *err);

int coord_round_add_ready(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, int64_t now, uint16_t *from, struct err *err);
int coord_round_roster(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err);

int coord_round_add_shares(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *from, struct err *err);
int coord_round_shareset(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err);

/* msg is the trailer.  words are the whole upload, which the caller keeps:
   they are checked against the trailer's root. */
int coord_round_add_upload(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, const void *words, size_t n, uint16_t *from,
    struct err *err);
/* Only the trailer, to know what an upload has to be before it is complete. */
int coord_round_peek_upload(const struct coord_round *c,
    const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_input *upload, struct err *err);
/* A site's complaint in place of an upload.  *liar lied; the caller aborts. */
int coord_round_add_complaint(struct coord_round *c,
    const struct round_ctx *ctx, const void *msg, size_t len, uint16_t *from,
    uint16_t *liar, struct err *err);
int coord_round_list(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err);
/* U3 once the list is fixed, else nothing: how many; inputs has room for
   ROUND_SITES_MAX. */
size_t coord_round_inputs(
    const struct coord_round *c, struct round_input *inputs);

int coord_round_add_confirm(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *from, struct err *err);
int coord_round_certificate(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err);

/* A wrong share names its sender and the whole answer is dropped. */
int coord_round_add_unmask(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *from, struct err *err);
/* sum has room for about.words words. */
int coord_round_finish(struct coord_round *c, const struct round_ctx *ctx,
    const struct round_uploads *uploads, void *sum, struct err *err);

/* why is one line.  A complaint that was added goes with it. */
int coord_round_abort(struct coord_round *c, const struct round_ctx *ctx,
    const char *why, struct err *err);

#endif

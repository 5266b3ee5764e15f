/*
 * A site's side of one round of consilium-1.
 *
 *     site_round_start()      announce in, ready out          SITE_READY
 *     site_round_roster()     roster in, shares out           SITE_SHARED
 *     site_round_shareset()   share set in                    SITE_KEYED
 *                             ... or a complaint out          SITE_ENDED
 *     site_round_upload()     own vector masked, trailer out  SITE_UPLOADED
 *     site_round_list()       list in, confirm out            SITE_CONFIRMED
 *     site_round_certificate() certificate in, unmask out     SITE_UNMASKED
 *     site_round_accept()     a result that round_result_open() has checked,
 *                             at any time                     SITE_DONE
 *     site_round_abort()      abort in, or none: give up      SITE_ENDED
 *
 * Every function that answers a message answers one such message ever.  The
 * same bytes again get the same answer again, in any later phase; other bytes
 * are refused with ERR_PEER.  For that to hold across a crash, the caller
 * stores site_round_save() *before* the answer leaves, and after
 * site_round_shareset() before it calls site_round_upload(); if it cannot
 * store it, it frees the round and loads what it has stored.
 *
 * A round carries secrets: so do its saved bytes, until SITE_UPLOADED the
 * prekey's, until SITE_UNMASKED other sites' shares.  Both are wiped here as
 * soon as they are not needed; the caller overwrites the older saved bytes.
 *
 * What spans rounds is the caller's: a round number is never used twice (it
 * keeps the last one for each study); a prekey leaves the store in the
 * transaction that stores SITE_SHARED; when a newer round on the same state
 * reaches SITE_UPLOADED, it gives up the older ones; after SITE_UNMASKED or a
 * result, no round starts on that state.
 */
#ifndef CRYPTO_ROUND_SITE_H
#define CRYPTO_ROUND_SITE_H

#include "crypto/round.h"
#include "crypto/round_result.h"

struct site_round;

enum site_phase {
	SITE_READY = 1, /* waits for the roster */
	SITE_SHARED, /* for the share set */
	SITE_KEYED, /* for its own vector */
	SITE_UPLOADED, /* for the list */
	SITE_CONFIRMED, /* for the certificate */
	SITE_UNMASKED, /* for the result */
	SITE_DONE, /* has a verified sum */
	SITE_ENDED, /* without one: complained, aborted or given up */
};

/*
 * Answer T0.  expect is the site's own plan and state (expect->round is not
 * looked at), last_round the highest round number it has answered for this
 * study, or 0.  prekey is an unused one of ours.  ERR_REFUSED if the state,
 * kind or dimension is not the site's own: it may have missed a result.
 */
struct site_round *site_round_start(const struct round_ctx *ctx,
    const struct round_about *expect, uint64_t last_round,
    const struct prekey *prekey, const void *msg, size_t len,
    struct canon *ready, struct err *err);

/* Secrets are in guarded memory and wiped.  NULL is fine. */
void site_round_free(struct site_round *s);

void site_round_save(const struct site_round *s, struct canon *out);
/* ERR_FORMAT if it is not what site_round_save() wrote. */
struct site_round *site_round_load(
    const void *bytes, size_t len, struct err *err);

enum site_phase site_round_phase(const struct site_round *s);
const char *site_phase_name(enum site_phase phase);
const struct round_about *site_round_about(const struct site_round *s);
/* Of the manifest that it began under, and is checked against to its end. */
uint32_t site_round_epoch(const struct site_round *s);
/* What it has kept, for a coordinator that has lost it (crypto/round_behind.h):
   nothing if an older release has stored it.  trailer: of its upload, or empty. */
void site_round_put_kept(const struct site_round *s, const void *trailer,
    size_t len, struct canon *out);
/* The prekey that T1 offered. */
uint32_t site_round_prekey(const struct site_round *s);
/* NULL before SITE_SHARED, both. */
const struct round_params *site_round_params(const struct site_round *s);
const uint8_t *site_round_roster_hash(const struct site_round *s);

/*
 * true if msg has been answered in this round: the answer, maybe of no bytes
 * (a share set), is appended to out.  (Result and abort have no answer.)
 */
bool site_round_again(
    const struct site_round *s, const void *msg, size_t len, struct canon *out);

/* Answer M0 with M1.  secret is the prekey's; now is in seconds, UTC. */
int site_round_roster(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, const uint8_t secret[ROUND_KEY], int64_t now,
    struct canon *shares, struct err *err);

/*
 * Take M2.  Either all shares are good: SITE_KEYED, and complaint gets
 * nothing.  Or a dealer's is bad: SITE_ENDED, and complaint names it, *liar is
 * its id (else 0).
 */
int site_round_shareset(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *liar, struct canon *complaint,
    struct err *err);

/*
 * Mask words (z_i becomes y_i, in place) and sign the trailer.  n is
 * about.words.  Once only: what was masked must be kept to be sent again.
 */
int site_round_upload(struct site_round *s, const struct round_ctx *ctx,
    void *words, size_t n, struct canon *trailer, struct err *err);

/* Answer M4 with M5. */
int site_round_list(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, struct canon *confirm, struct err *err);

/* Answer M6 with M7.  From here on the round holds no secret. */
int site_round_certificate(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, struct canon *unmask, struct err *err);

/*
 * Take a checked M8: repeat its sum from the uploads, into sum, and end.  It
 * must have the site's own upload (if it is an input).  Its roster may be
 * another one than this round's: a dishonest coordinator shows two, of which
 * at most one comes to a sum.  A result of *another* round of the same state is
 * taken with s NULL, as is one of a round that the site missed; the caller then
 * gives up its own rounds of that state.  uploads NULL: the
 * caller has checked the sum as the study wants it (crypto/round_check.h).
 */
int site_round_accept(struct site_round *s, const struct round_ctx *ctx,
    const struct round_result *r, const struct round_uploads *uploads,
    void *sum, struct err *err);

/*
 * The coordinator ends the round.  *liar is the site that a complaint in it
 * convicts, or 0.  why has room for size bytes of the coordinator's reason.
 */
int site_round_abort(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *liar, char *why, size_t size,
    struct err *err);

/* Wipe the secrets and end, without a word from anybody. */
void site_round_give_up(struct site_round *s);

#endif

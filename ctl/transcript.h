/*
 * A transcript: everything that an outsider needs to repeat a study's rounds,
 * one or several in a row, from the root's public key alone.
 *
 *     text  "consilium-1/transcript"
 *     bytes the signed study
 *     32    the state before the first round's state  \ zeros if the first
 *     32    root of the sum that led to it            / round is the study's
 *     bytes the model bytes that the first round starts from
 *     u32   rounds; each:
 *       bytes the signed manifest of its epoch
 *       bytes M8
 *       u16   uploads, in the order of U3; each: bytes its words
 */
#ifndef CTL_TRANSCRIPT_H
#define CTL_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keyfile.h"
#include "crypto/round.h"

struct canon;
struct ctl_reply;
struct err;

#define TRANSCRIPT_MAX ((size_t)1 << 30) /* bytes */
#define TRANSCRIPT_ROUNDS_MAX 4096

/* Asks the coordinator; an answer that says no is an error, too. */
typedef int transcript_ask_fn(void *arg, const char *command, const void *body,
    size_t len, struct ctl_reply *reply, struct err *err);

/*
 * Fetch the transcript of a round (0: the last one) and, with chain, of all
 * rounds before it whose uploads are still kept; append it to out.
 */
int transcript_fetch(transcript_ask_fn *ask, void *arg, uint64_t round,
    bool chain, struct canon *out, struct err *err);

/* A round that was repeated. */
struct transcript_round {
	uint64_t round;
	uint32_t step;
	char kind[ROUND_KIND_MAX + 1];
	size_t n_sites;
	uint8_t sum[ROUND_DIGEST]; /* root of A */
	uint8_t next[ROUND_DIGEST]; /* the state that it leads to */
	char learned[64]; /* learn_text() after it */
};

/*
 * Check a transcript and repeat its rounds: signatures, quorum, thresholds,
 * opened secrets, the sum word by word, the step of the model.  Each round
 * that holds is told to fn.  The model bytes after the last one are appended
 * to model, which may be NULL.  *err says which round fails, and why.
 */
int transcript_replay(const void *data, size_t len,
    const uint8_t root[KEY_PUBLIC],
    void (*fn)(void *arg, const struct transcript_round *r), void *arg,
    struct canon *model, struct err *err);

#endif

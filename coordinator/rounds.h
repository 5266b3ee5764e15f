/*
 * Inside of the process `rounds`: what its files share.  rounds.c starts it
 * and answers the listener, rounds_studies.c has manifest, studies and the
 * control socket, rounds_phases.c takes a study from round to round.
 *
 * Everything that a site may rely on is in the book before it is answered.
 */
#ifndef COORDINATOR_ROUNDS_H
#define COORDINATOR_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/book.h"
#include "crypto/context.h"
#include "crypto/exchange.h"
#include "crypto/keyfile.h"
#include "crypto/round_coord.h"
#include "privsep/loop.h"
#include "privsep/start.h"

struct audit;
struct ctl_reply;
struct ctl_request;
struct model_spec;
struct plan;
struct signed_study;
struct study;

/* An upload that is coming in, chunk by chunk. */
struct part {
	struct part *next;
	uint16_t site;
	uint8_t root[ROUND_DIGEST];
	uint32_t have; /* chunks that stand in its file */
};

/* A study that is running or done. */
struct work {
	struct work *next;
	struct rounds *rounds;
	int64_t id; /* in the book */
	char name[BOOK_NAME_MAX + 1];
	uint8_t digest[BOOK_DIGEST];
	enum book_status status;
	struct signed_study *sig;
	struct study *study;
	struct model_spec *spec;
	struct plan *plan;
	uint8_t state[BOOK_DIGEST];
	bool is_behind; /* of a site, which was said */
	uint16_t cohort[BOOK_SITES_MAX];
	size_t n_cohort;
	struct coord_round *round; /* the open one; NULL before it starts */
	/* What the open round is under, if there is a newer manifest since it
	   was certified; else NULL. */
	struct manifest *manifest;
	bool timer; /* the present phase has one, */
	bool overdue; /* and it has run out */
	struct part *parts;
};

/* A site's question that has no answer yet. */
struct waiting {
	struct waiting *next;
	uint64_t tag;
	uint16_t site;
	int64_t until_ms; /* monotonic */
	struct exchange_next question;
};

struct rounds {
	struct child child;
	struct loop *loop;
	struct key *key;
	uint8_t root[KEY_PUBLIC];
	char state_dir[512];
	struct book *book;
	struct audit *audit;
	struct manifest *manifest; /* NULL until one was submitted */
	struct work *works;
	struct waiting *waiting;
};

/* Something has changed: answer whom it lets answer. */
int rounds_wake(struct rounds *s, struct err *err);

/* rounds_studies.c */
/* The manifest that was in force; the caller frees it. */
struct manifest *rounds_manifest_of(
    struct rounds *s, uint32_t epoch, struct err *err);
int rounds_load(struct rounds *s, struct err *err);
int rounds_send_allow_list(struct rounds *s, struct err *err);
int rounds_show(struct rounds *s, struct err *err);
int rounds_on_control(void *self, struct msg *m, struct err *err);
struct work *work_find(struct rounds *s, const uint8_t digest[BOOK_DIGEST]);
void work_free(struct work *w);

/* rounds_transcript.c: answers to the operator */
int rounds_transcript(struct rounds *s, const struct ctl_request *q,
    struct ctl_reply *r, struct err *err);
int rounds_chunk(struct rounds *s, const struct ctl_request *q,
    struct ctl_reply *r, struct err *err);

/* rounds_vouch.c */
/* A site has checked a sum, and says what it came to. */
int work_take_checked(struct work *w, const void *msg, size_t len,
    uint16_t *from, struct err *err);
/* The result that led to step idx for a site that comes back after its uploads
   have expired, with c + 1 others that have checked it: 1; 0 if they have not
   expired, or too few have. */
int work_vouched(struct work *w, uint16_t site, uint32_t idx, struct canon *out,
    struct err *err);

/* rounds_phases.c */
const struct round_ctx *work_context(const struct work *w, struct context *c);
/* The same for a round of an older epoch. */
const struct round_ctx *work_context_under(
    const struct work *w, const struct manifest *m, struct context *c);
/* A result that the book has, of whatever epoch; the caller frees it. */
struct round_result *work_result(
    struct work *w, const struct canon *msg, struct err *err);
/* Begin or go on: as far as it goes without waiting. */
int work_progress(struct work *w, struct err *err);
/* End the open round without a sum. */
int work_abort(struct work *w, const char *why, struct err *err);
/*
 * A message of site's.  -1 with ERR_SYSTEM is ours; any other code is for the
 * site, and changed nothing.
 */
int work_message(struct work *w, uint16_t site, const void *msg, size_t len,
    struct err *err);
/* Chunk index of an upload; *have is how many stand. */
int rounds_put_chunk(struct rounds *s, uint16_t site,
    const uint8_t root[ROUND_DIGEST], uint32_t index, const void *data,
    size_t len, uint32_t *have, struct err *err);
/* Chunk index of a published upload, appended to out. */
int rounds_get_chunk(struct rounds *s, const uint8_t root[ROUND_DIGEST],
    uint32_t index, uint32_t *total, struct canon *out, struct err *err);
/* 1 if the study has something for the site, appended to out; 0 or -1. */
int work_owes(struct work *w, uint16_t site, const struct exchange_study *q,
    struct canon *out, struct err *err);

#endif

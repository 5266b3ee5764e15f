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
	/* What sites were asked, in case the database was restored from a backup
	   (rounds_returns.c). */
	struct returns {
		bool is_behind, is_other; /* of a site, which was said */
		uint16_t asked; /* for the next result, by */
		int64_t asked_ms; /* monotonic */
		int64_t call_ms; /* when the first was asked about rounds; 0 */
		bool called; /* all were, or have had the time */
		uint64_t certified; /* in which a site has unmasked here; 0 */
		char lost[240]; /* why a sum is lost, as it was said last */
		uint32_t unchecked; /* step whose sum a late site waits for, */
		int64_t unchecked_ms; /* when all were asked about it, */
		size_t unchecked_len; /* and bytes of an upload to it */
		struct canon *kept; /* by place in the study; NULL: none */
		/* By place in the study. */
		uint8_t told[BOOK_SITES_MAX]; /* enum told */
		uint8_t said[BOOK_SITES_MAX]; /* enum said, of unchecked */
		/* Its upload is an input of that sum, and gone. */
		bool gone[BOOK_SITES_MAX];
	} returns;
	uint16_t cohort[BOOK_SITES_MAX];
	size_t n_cohort;
	struct coord_round *round; /* the open one; NULL before it starts */
	uint64_t last_round; /* the newest one's number */
	/* What the open round is under, if there is a newer manifest since it
	   was certified; else NULL. */
	struct manifest *manifest;
	bool timer; /* the present phase has one, */
	int64_t deadline; /* UTC, */
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
	bool is_old, lacks_study; /* which was said */
	/* For the board: when each member was last heard (monotonic); since the
	   start, messages that were refused, rounds with a sum, rounds without,
	   and when the last sum was (UTC). */
	int64_t heard_ms[UINT16_MAX + 1];
	uint64_t refused, summed, aborted;
	int64_t summed_utc;
};

/* Something has changed: answer whom it lets answer. */
int rounds_wake(struct rounds *s, struct err *err);

/* rounds_studies.c */
/* The manifest that was in force; the caller frees it. */
struct manifest *rounds_manifest_of(
    struct rounds *s, uint32_t epoch, struct err *err);
int rounds_load(struct rounds *s, struct err *err);
int rounds_send_allow_list(struct rounds *s, struct err *err);
/* Members that have asked for something within the last half minute. */
size_t rounds_connected(const struct rounds *s);
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
/* The result that led to step idx for a site that comes back when its uploads
   are gone, with c + 1 others that have checked it: 1; 0 if they are here, or too
   few have: then returns.unchecked is idx. */
int work_vouched(struct work *w, uint16_t site, uint32_t idx, struct canon *out,
    struct err *err);

/* rounds_returns.c */
/* A site stands at a step that we do not know: 1 and what to ask it, 0, -1. */
int work_ask_back(struct work *w, uint16_t site, uint32_t idx,
    struct canon *out, struct err *err);
/* Before a site is told the announcement: 1 and a question, 0 to go on, WORK_WAIT,
   or -1. */
#define WORK_WAIT 2
int work_ask_round(
    struct work *w, uint16_t site, struct canon *out, struct err *err);
/* The uploads that a late site needs are lost, and too few have signed the sum:
   ask site, which stands at step idx, what it can do.  1, 0 or -1. */
int work_ask_checked(struct work *w, uint16_t site, uint32_t idx,
    struct canon *out, struct err *err);
/* An upload that a site hands back, after its words: 1; 0 if it is another's
   business; or -1. */
int work_take_input(struct work *w, uint16_t site, const void *msg, size_t len,
    struct err *err);
/* A result of ours that a site hands back, after its sum. */
int work_take_result(struct work *w, uint16_t site, const void *msg, size_t len,
    struct err *err);
/* What a site has of its newest round, after its upload. */
int work_take_kept(struct work *w, uint16_t site, const void *msg, size_t len,
    struct err *err);
/* Whether a site was asked for what it has of rounds, or a result. */
bool work_asked(const struct work *w, uint16_t site);
/* Bytes of the vector that a site was asked for; 0: none. */
size_t work_asked_len(const struct work *w, uint16_t site);
/* There is a new state, or a new round on it. */
void work_forget_asked(struct work *w, bool new_state);
void work_drop_kept(struct work *w);

/* rounds_spool.c: see there for the names of the files */
enum spool { SPOOL_PART, SPOOL_UP, SPOOL_PUBLIC };
/* PATH_MAX bytes.  Only of a part the site matters. */
void spool_path(const struct rounds *s, enum spool kind, uint16_t site,
    const uint8_t root[ROUND_DIGEST], char *out);
int spool_move(const struct rounds *s, enum spool from, enum spool to,
    uint16_t site, const uint8_t root[ROUND_DIGEST], struct err *err);
/* What is public. */
void spool_unlink(const struct rounds *s, const uint8_t name[ROUND_DIGEST]);
/* Bytes of an upload to the present round, and of its sum. */
size_t work_vector_len(const struct work *w);
/* All words of such a file, which has so many bytes; the caller frees them. */
void *spool_words(const char *path, size_t want, struct err *err);
/* Chunk index of an upload; *have is how many stand. */
int rounds_put_chunk(struct rounds *s, uint16_t site,
    const uint8_t root[ROUND_DIGEST], uint32_t index, const void *data,
    size_t len, uint32_t *have, struct err *err);
/* Chunk index of a published upload, appended to out. */
int rounds_get_chunk(struct rounds *s, const uint8_t root[ROUND_DIGEST],
    uint32_t index, uint32_t *total, struct canon *out, struct err *err);
/* A verified upload is w's, also where its chunks were taken for those of another
   study, and goes when w's round does. */
void work_own_part(
    struct work *w, uint16_t site, const uint8_t root[ROUND_DIGEST]);
/* Forget what site has sent; site 0: what all have sent. */
void work_drop_parts(struct work *w, uint16_t site);
/* rounds_phases.c */
/* The open round's number; 0 if there is none. */
uint64_t work_number(const struct work *w);
#define WORK_FIELDS(w)                                                         \
	(struct log_field[]){                                                  \
		log_field("STUDY", "%s", (w)->name),                           \
		log_field("ROUND", "%" PRIu64, work_number(w)),                \
		log_field("KIND", "%s", plan_kind((w)->plan)),                 \
	},                                                                     \
	    3
const struct round_ctx *work_context(const struct work *w, struct context *c);
/* The same for a round of an older epoch. */
const struct round_ctx *work_context_under(
    const struct work *w, const struct manifest *m, struct context *c);
/* The leaves of an upload become public (verify = sample). */
int work_publish_leaves(const struct work *w, const uint8_t root[ROUND_DIGEST],
    const void *words, size_t n, struct err *err);
/* A result that the book has, of whatever epoch; the caller frees it. */
struct round_result *work_result(
    struct work *w, const struct canon *msg, struct err *err);
/* A sum is checked: step the model, keep both, and forget the round. */
int work_advance(struct work *w, const struct round_about *about,
    const struct round_input *inputs, size_t n, const void *sum,
    const struct canon *result, struct err *err);
/* Announce another round in place of the one that is open. */
int work_start_round(struct work *w, struct err *err);
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
/* 1 if the study has something for the site, appended to out; 0 or -1. */
int work_owes(struct work *w, uint16_t site, const struct exchange_study *q,
    struct canon *out, struct err *err);

#endif

/*
 * Inside of the gate: a study that this site takes part in, and what the files
 * that have to do with rounds share.  gate_rounds.c has the messages of a round,
 * gate_training.c the update, gate_learning.c its noise and what that costs,
 * gate_send.c what leaves, gate_results.c the sum, gate_returns.c what a coordinator
 * that has lost it gets back.
 */
#ifndef DAEMON_GATE_RUN_H
#define DAEMON_GATE_RUN_H

#include <inttypes.h>

#include "daemon/gate.h"

#define DIGEST_TEXT (2 * STORE_DIGEST + 1)

struct context;
struct model_spec;
struct plan;
struct replay;
struct signed_study;
struct site_round;
struct study;

/*
 * A study that this site takes part in, and how far it has come.  One thing
 * at a time: while it is busy (a trainer runs, uploads are fetched, an answer
 * is on its way) the coordinator is not asked about it.
 */
struct run {
	struct run *next;
	int64_t id; /* in the store */
	uint8_t digest[STORE_DIGEST], table[STORE_DIGEST];
	char name[STORE_NAME_MAX + 1];
	char officer[KEY_PUBLIC_TEXT]; /* who has approved the table */
	char table_file[128 + 8];
	struct signed_study *sig;
	struct study *study;
	struct model_spec *spec;
	struct plan *plan; /* at the last step */
	uint8_t state[STORE_DIGEST];
	/* On this state, in clear; only ever in memory: ring words, or where
	   there is learning parts of units, which are rounded and noised. */
	void *update;
	struct site_round *round; /* the newest one that we are in, or NULL */
	uint64_t last_round;
	uint64_t summed; /* that led to this state; 0 for the first */
	uint64_t aborted; /* the round whose end is in the audit log */
	uint32_t
	    made; /* epoch of the sum that led here; of the study, at first */
	uint64_t refused; /* the announced round whose refusal is in there */
	uint16_t cohort[1024];
	size_t n_cohort;

	bool busy;
	struct canon held; /* the message that waits for the trainer, */
	int64_t trainer; /* which is the job of that number; 0: there is none */
	struct replay *replay; /* the result that waits for its uploads */
	uint64_t tag; /* of what is on its way to the coordinator */
	enum round_type sending; /* what that is */
	struct canon trailer; /* goes when the upload has gone */
	struct canon checked; /* goes before the next question */
};

/* Fields of the journal's. */
#define ROUND_FIELDS(r)                                                        \
	(struct log_field[]){                                                  \
		log_field("STUDY", "%s", (r)->name),                           \
		log_field("ROUND", "%" PRIu64, (r)->last_round),               \
		log_field("KIND", "%s", plan_kind((r)->plan)),                 \
	},                                                                     \
	    3

/* gate_run.c */
int run_open(struct gate *g, const struct store_study *st, struct err *err);
void run_close(struct gate *g, int64_t study);
struct run *run_find(struct gate *g, int64_t study);
/* Under the present manifest.  Good as long as *c is. */
const struct round_ctx *run_context(
    const struct gate *g, const struct run *r, struct context *c);
/* A round is checked against the manifest that it began under, also when
   there is a newer one.  NULL if we do not have it. */
const struct round_ctx *run_context_of(struct gate *g, const struct run *r,
    uint32_t epoch, struct context *c, struct err *err);
/* What our own plan says that the next round is about. */
struct round_about run_expected(const struct run *r);
/* The fewest inputs that a sum over all of the study's sites may have. */
uint16_t run_smallest(const struct gate *g, const struct run *r);
/* Bytes of an upload, and of the sum. */
size_t run_vector_len(const struct run *r);
/* Bytes of the update. */
size_t run_update_len(const struct run *r);
/* The masked upload of a round, as it was sent: words, then trailer.  It is kept
   until there is a sum of the state, and where that has it, until the next. */
void run_spool_path(const struct gate *g, const char *study, uint64_t round,
    char *out, size_t size);
/* The update of a state that is past, or of a run that ends. */
void run_drop_update(struct run *r);
/* The newest round as the store has it; none is fine. */
int run_load_round(struct gate *g, struct run *r, struct err *err);
/* Keep the run's round, as one transaction of the caller's. */
int run_put_round(struct gate *g, struct run *r, struct err *err);
int run_keep_round(struct gate *g, struct run *r, struct err *err);
/* A new manifest is taken, in the caller's transaction. */
int run_new_epoch(struct gate *g, struct run *r, struct err *err);

/* gate_send.c */
/* Send an answer that is in the store; the run is busy until it is there. */
int run_answer(struct gate *g, struct run *r, enum round_type type,
    const struct canon *msg, struct err *err);
/* The run waits for the coordinator again. */
int run_idle(struct gate *g, struct run *r, struct err *err);
/* Chunks first; the message, of that type, goes when they are there. */
int run_send_vector(struct gate *g, struct run *r, enum round_type type,
    const uint8_t root[ROUND_DIGEST], const void *words, size_t words_len,
    const void *msg, size_t len, struct err *err);
int run_send_upload(struct gate *g, struct run *r, const void *words,
    const void *trailer, size_t trailer_len, struct err *err);
/* Send again what the spool has. */
int run_resend_upload(struct gate *g, struct run *r, struct err *err);

/* gate_training.c */
/* Have the update computed; msg is looked at again when it is there. */
int run_train(struct gate *g, struct run *r, const void *msg, size_t len,
    struct err *err);
/* The trainer j ended without an answer that could be used. */
int run_training_failed(
    struct gate *g, const struct job *j, const char *why, struct err *err);

/* gate_learning.c */
/* Of a study that learns: "0.5 of 2", spent of its budget; else nothing. */
int run_epsilon(struct gate *g, const struct run *r, char *out, size_t size,
    struct err *err);
/* What one more upload costs, its rho, and the epsilon at delta that all of the
   study's then have; of another study nothing. */
int run_price(struct gate *g, const struct run *r, char rho[32],
    char epsilon[32], char delta[32], struct err *err);
/* Does the budget pay for one more upload?  ERR_BUDGET, with the reason. */
int run_can_pay(struct gate *g, const struct run *r, struct err *err);
/* Pay for this round's; inside the caller's transaction. */
int run_pay(struct gate *g, const struct run *r, struct err *err);
/* The update with fresh noise: plan_words() ring words. */
void run_noise(const struct run *r, void *words);

/* gate_rounds.c */
/* A message of the coordinator's.  0; 1: nothing new, ask again later; -1. */
int run_handle(struct gate *g, struct run *r, const void *msg, size_t len,
    struct err *err);
/* What a message of the coordinator's may do to us: nothing, but a line. */
int run_refuse(
    struct gate *g, struct run *r, const struct err *why, struct err *err);

/* A message of the coordinator's, and what it is checked against. */
struct incoming {
	struct gate *g;
	struct run *r;
	const struct round_ctx *ctx;
	const void *msg;
	size_t len;
};

/* gate_results.c */
int run_on_result(struct incoming *in, struct err *err);
int run_on_vouched(struct incoming *in, struct err *err);
/* gate_returns.c */
int run_on_behind(struct incoming *in, struct err *err);
/* The sum that leads to step idx, and what this site has signed of it (maybe of
   no bytes), before the step is stored. */
int run_keep_sum(struct gate *g, const struct run *r, uint32_t idx,
    const struct canon *checked, const void *sum, struct err *err);

/* The result whose sum is being checked, if there is one. */
void run_drop_replay(struct run *r);

#endif

/*
 * Inside of the process `gate`: what its files share.  gate.c starts it and
 * hands messages out, gate_studies.c has manifest, studies, preparations and
 * decisions, gate_rounds.c the rounds.
 *
 * The gate is the only process of a site that holds the identity key, and the
 * only one that decides whether something leaves the house.
 */
#ifndef DAEMON_GATE_H
#define DAEMON_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/canon.h"
#include "crypto/keyfile.h"
#include "crypto/manifest.h"
#include "crypto/round.h"
#include "daemon/store.h"
#include "privsep/loop.h"
#include "privsep/start.h"

#define GATE_STUDIES_MAX 64

struct audit;
struct model_spec;
struct plan;
struct signed_study;
struct site_config;
struct site_round;
struct study;

struct replay;

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
	uint64_t aborted; /* the round whose end is in the audit log */
	uint32_t
	    made; /* epoch of the sum that led here; of the study, at first */
	uint64_t refused; /* the announced round whose refusal is in there */
	uint16_t cohort[1024];
	size_t n_cohort;

	bool busy;
	struct canon held; /* the message that waits for the trainer */
	struct replay *replay; /* the result that waits for its uploads */
	uint64_t tag; /* of what is on its way to the coordinator */
	enum round_type sending; /* what that is */
	struct canon trailer; /* goes when the upload has gone */
	struct canon checked; /* goes before the next question */
};

enum job_kind { JOB_READER, JOB_TRAINER };

/* A reader or trainer that runs. */
struct job {
	struct job *next;
	enum job_kind kind;
	int64_t number; /* tag of its messages */
	int64_t study;
	char table[128];
	struct chan *chan;
	bool answered;
	uint64_t ctl_tag; /* who waits for a preparation */
};

struct gate {
	struct child child;
	struct loop *loop;
	struct site_config *config;
	struct key *identity;
	uint8_t root[KEY_PUBLIC], coordinator[KEY_PUBLIC];
	struct store *store;
	struct audit *audit;
	char state_dir[512];
	struct manifest *manifest; /* NULL until the first one came */
	struct manifest *older; /* the one before that was asked for last */
	uint16_t self; /* our id in it; 0 if we are not in it */
	/* The first epoch whose manifest gives our id the key that we have. */
	uint32_t since;
	uint32_t
	    skipped; /* of manifests before our root's, asked for no more */
	struct run *runs;
	struct job *jobs;
	int64_t last_trainer; /* numbers of trainer jobs, from 2^32 up */
	uint64_t last_tag;
	/* gate_counter.c */
	uint64_t answers, answers_kept; /* stored; on disk outside of it */
	bool restored; /* nothing is answered */
	uint64_t checkpoint; /* lines of the audit log that are countersigned */
};

/*
 * Have the uplink ask the coordinator, until a message comes.  So each message
 * is followed by one of these, when we are ready for the next: soon, or later
 * where something went wrong and would go wrong again.
 */
int gate_poll(struct gate *g, struct err *err);
int gate_poll_later(struct gate *g, struct err *err);

/* gate_counter.c: is the database the newest one that there was? */
int gate_check_count(struct gate *g, struct err *err);
/* An answer is stored, in the caller's transaction. */
int gate_count(struct gate *g, struct err *err);
/* Before it leaves. */
int gate_keep_count(struct gate *g, struct err *err);
/* The operator knows. */
int gate_accept_restored(struct gate *g, struct err *err);

/* gate_studies.c */
int gate_load(struct gate *g, struct err *err);
int gate_take_manifest(
    struct gate *g, const void *p, size_t len, struct err *err);
/* The one that was in force in an epoch, or NULL; ERR_REFUSED if it never came.
   Good until it is called again. */
const struct manifest *gate_manifest_of(
    struct gate *g, uint32_t epoch, struct err *err);
int gate_take_study(struct gate *g, const void *p, size_t len, struct err *err);
int gate_show(struct gate *g, struct err *err);
int gate_on_control(void *self, struct msg *m, struct err *err);
int gate_on_reader_done(void *self, struct msg *m, struct err *err);
int gate_on_job_channel(void *self, struct msg *m, struct err *err);
int gate_on_job_failed(void *self, struct msg *m, struct err *err);
int gate_on_job_gone(void *self, struct msg *m, struct err *err);
/* The files of job NUMBER of a study, as the parent names them, without the
   ending. */
void gate_base_name(const char *study, int64_t job, char out[128]);
struct job *gate_new_job(struct gate *g, enum job_kind kind, int64_t number,
    int64_t study, struct err *err);

/* gate_checkpoint.c */
int gate_load_checkpoint(struct gate *g, struct err *err);
/* Have the coordinator countersign the audit log; hourly, if it has grown. */
int gate_send_checkpoint(struct gate *g, struct err *err);
int gate_checkpoint(void *self, struct err *err);
int gate_on_countersigned(
    struct gate *g, const void *p, size_t len, struct err *err);

/* gate_retention.c */
/* Delete the table that the study has, if it still has one. */
int gate_drop_table(struct gate *g, const struct store_study *st,
    const char *why, struct err *err);
/* Those that are due; and again in a day. */
int gate_retention(void *self, struct err *err);

/* gate_rounds.c */
int run_open(struct gate *g, const struct store_study *st, struct err *err);
void run_close(struct gate *g, int64_t study);
struct run *run_find(struct gate *g, int64_t study);
/* A new manifest is taken, in the caller's transaction. */
int run_new_epoch(struct gate *g, struct run *r, struct err *err);
/* The fewest inputs that a sum over all of the study's sites may have. */
uint16_t run_smallest(const struct gate *g, const struct run *r);
/* gate_learning.c */
/* Of a study that learns: "0.5 of 2", spent of its budget; else nothing. */
int run_epsilon(struct gate *g, const struct run *r, char *out, size_t size,
    struct err *err);
/* Does the budget pay for one more upload?  ERR_BUDGET, with the reason. */
int run_can_pay(struct gate *g, const struct run *r, struct err *err);
/* Pay for this round's; inside the caller's transaction. */
int run_pay(struct gate *g, const struct run *r, struct err *err);
/* The update with fresh noise: plan_words() ring words. */
int run_noise(const struct run *r, void *words, struct err *err);
/* What the noised sums say so far, for logs: "about 180 patients, ...". */
void run_learned(const struct plan *plan, char *out, size_t size);

int gate_on_round_message(
    struct gate *g, const void *p, size_t len, struct err *err);
int gate_on_trained(void *self, struct msg *m, struct err *err);
int gate_on_fetched(void *self, struct msg *m, struct err *err);
int gate_on_delivered(void *self, struct msg *m, struct err *err);
/* A trainer ended without an answer. */
int run_training_failed(
    struct gate *g, int64_t study, const char *why, struct err *err);

#endif

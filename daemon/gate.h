/*
 * Inside of the process `gate`: what its files share.  gate.c starts it and
 * hands messages out; gate_manifest.c and gate_studies.c have what the root
 * signed, gate_jobs.c the readers and trainers, gate_control.c what people ask
 * and decide, gate_rounds.c the rounds (see gate_run.h).
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
#include "common/err.h"
#include "crypto/keyfile.h"
#include "crypto/manifest.h"
#include "crypto/round.h"
#include "daemon/store.h"
#include "privsep/loop.h"
#include "privsep/start.h"

#define GATE_STUDIES_MAX 64

struct audit;
struct ctl_reply;
struct run;
struct site_config;

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
	const char *misnamed; /* what it calls us, if not as configured */
	/* The first epoch whose manifest gives our id the key that we have. */
	uint32_t since;
	uint32_t
	    skipped; /* of manifests before our root's, asked for no more */
	struct run *runs;
	struct job *jobs;
	int64_t last_trainer; /* numbers of trainer jobs, from 2^32 up */
	uint64_t last_tag;
	/* gate_counter.c */
	struct store_counter stored, kept; /* there; on disk outside of it */
	bool restored; /* nothing is answered */
	/* gate_checkpoint.c: lines of the audit log that are countersigned; of
	   any log of ours that a checkpoint is known of, also a longer one */
	uint64_t checkpoint, proven;
	int64_t checkpoint_utc; /* when; 0: not yet */
	/* For the board: whether the coordinator answers; since the start,
	   preparations that failed, messages that were refused, rounds that
	   ended without a sum, and when the last one with a sum was (UTC). */
	bool reached;
	uint64_t failed, refused, ended;
	int64_t summed_utc;
	bool past_known; /* the coordinator has countersigned since the start */
	uint64_t checkpoint_tag; /* of the one on its way; 0: none */
	uint64_t checkpoint_lines; /* in it */
	bool checkpoint_awaited; /* by a command, the client's number */
	uint64_t checkpoint_ctl;
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
/* It is known not to be, by more than its own count of answers. */
int gate_found_restored(struct gate *g, struct err *err);
/* The operator knows. */
int gate_accept_restored(struct gate *g, struct err *err);

/* gate_manifest.c */
int gate_load_manifest(struct gate *g, struct err *err);
int gate_take_manifest(
    struct gate *g, const void *p, size_t len, struct err *err);
/* The one that was in force in an epoch, or NULL; ERR_REFUSED if it never came.
   Good until it is called again. */
const struct manifest *gate_manifest_of(
    struct gate *g, uint32_t epoch, struct err *err);

/* gate_studies.c */
int gate_load_studies(struct gate *g, struct err *err);
int gate_take_study(struct gate *g, const void *p, size_t len, struct err *err);

/* gate_jobs.c */
struct job *gate_new_job(struct gate *g, enum job_kind kind, int64_t number,
    int64_t study, struct err *err);
/* By the tag of its messages, or NULL. */
struct job *gate_find_job(struct gate *g, uint64_t tag);
/* The files of job NUMBER of a study, as the parent names them, without the
   ending. */
void gate_base_name(const char *study, int64_t job, char out[128]);
int gate_on_reader_done(void *self, struct msg *m, struct err *err);
int gate_on_job_channel(void *self, struct msg *m, struct err *err);
int gate_on_job_failed(void *self, struct msg *m, struct err *err);
int gate_on_job_gone(void *self, struct msg *m, struct err *err);

/* gate_control.c */
int gate_on_control(void *self, struct msg *m, struct err *err);
/* Answer a request of control's; *r is freed. */
int gate_reply(
    struct gate *g, uint64_t tag, struct ctl_reply *r, struct err *err);
int gate_reply_error(
    struct gate *g, uint64_t tag, const struct err *why, struct err *err);
/* What the board shows of us. */
int gate_show(struct gate *g, struct err *err);

/* gate_checkpoint.c */
int gate_load_checkpoint(struct gate *g, struct err *err);
/* Have the coordinator countersign the audit log; hourly. */
int gate_send_checkpoint(struct gate *g, struct err *err);
int gate_checkpoint(void *self, struct err *err);
int gate_on_countersigned(
    struct gate *g, const void *p, size_t len, struct err *err);
/* It has arrived (ERR_NONE), or not: why, of len bytes. */
int gate_on_checkpoint_sent(struct gate *g, enum err_code code, const char *why,
    size_t len, struct err *err);
/* Answer the command when it is countersigned, or cannot be. */
int gate_await_checkpoint(struct gate *g, uint64_t ctl_tag, struct err *err);

/* gate_returns.c */
/* All sums that are kept of a study, and the uploads that they have. */
int gate_drop_sums(
    struct gate *g, const struct store_study *st, struct err *err);

/* gate_retention.c */
/* Delete the table that the study has, if it still has one. */
int gate_drop_table(struct gate *g, const struct store_study *st,
    const char *why, struct err *err);
/* Those that are due; and again in a day. */
int gate_retention(void *self, struct err *err);

/* gate_rounds.c, gate_training.c, gate_results.c, gate_send.c */
int gate_on_round_message(
    struct gate *g, const void *p, size_t len, struct err *err);
int gate_on_trained(void *self, struct msg *m, struct err *err);
int gate_on_fetched(void *self, struct msg *m, struct err *err);
int gate_on_delivered(void *self, struct msg *m, struct err *err);

#endif

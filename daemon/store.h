/*
 * What the gate keeps: manifest, prekeys, studies, preparations, the officer's
 * decisions, the chain of states and the rounds on them.  SQLite underneath;
 * every function that changes something is a transaction of its own unless the
 * caller has opened one with store_begin().  Secrets are sealed at rest.
 *
 * One process owns it; nothing here logs.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/canon.h"
#include "common/steps.h"
#include "crypto/keyfile.h"

struct err;
struct store;

#define STORE_DIGEST 32
#define STORE_NAME_MAX 48 /* of a study, bytes */

struct store *store_open(
    const char *path, const struct key *identity, struct err *err);
void store_close(struct store *s); /* NULL is fine */

int store_begin(struct store *s, struct err *err);
int store_commit(struct store *s, struct err *err);
void store_rollback(struct store *s);

/* Blobs are appended to out by the getters: 1 found, 0 none, -1 error. */
int store_put_manifest(struct store *s, uint32_t epoch, const void *object,
    size_t len, struct err *err);
/* The newest one, or the one of an epoch. */
int store_get_manifest(struct store *s, struct canon *out, struct err *err);
int store_manifest_of(
    struct store *s, uint32_t epoch, struct canon *out, struct err *err);

/* The next epoch above one that there is a manifest of; 1, 0 or -1. */
int store_epoch_after(
    struct store *s, uint32_t epoch, uint32_t *next, struct err *err);

/*
 * Prekeys.  One that was taken is gone: the same id is never given again.
 */
int store_put_prekey(struct store *s, uint32_t id, const void *record,
    size_t record_len, const uint8_t secret[32], int64_t expires,
    struct err *err);
/* The oldest one not promised to a round yet and good at utc: its id, its
   record.  promise ties it to (study, round).  ERR_REFUSED if none is left. */
int store_promise_prekey(struct store *s, int64_t study, uint64_t round,
    int64_t utc, uint32_t *id, struct canon *record, struct err *err);
/* The secret of a promised prekey, which leaves the store. */
int store_take_prekey(
    struct store *s, uint32_t id, uint8_t secret[32], struct err *err);
int store_count_prekeys(struct store *s, int64_t utc, size_t *n,
    uint32_t *next_id, struct err *err);
/* Another epoch: what was signed for the last one is of no use. */
int store_drop_prekeys(struct store *s, struct err *err);

enum study_status {
	STATUS_RECEIVED, /* nothing prepared yet */
	STATUS_REFUSED_POLICY, /* below the hospital's floor */
	STATUS_PREPARED, /* waits for the officer */
	STATUS_APPROVED, /* takes part */
	STATUS_REFUSED, /* the officer said no, or took the approval back */
	STATUS_DONE, /* the plan has ended */
};
const char *study_status_name(enum study_status status);

struct store_study {
	int64_t id;
	char name[STORE_NAME_MAX + 1];
	uint8_t digest[STORE_DIGEST];
	enum study_status status;
	char why[256]; /* of a refusal */
	uint64_t last_round; /* the highest that was announced to us */
	/* Of the preparation that counts; job 0: none. */
	int64_t job;
	uint8_t report[STORE_DIGEST], table[STORE_DIGEST];
	uint64_t n_rows;
	int64_t prepared,
	    report_read; /* UTC; 0: not, or before this was kept */
	bool table_gone; /* deleted */
	/* The set that cohort = fixed has fixed, by id; 0: not yet. */
	size_t n_cohort;
	uint16_t cohort[1024];
};

int store_add_study(struct store *s, const char *name,
    const uint8_t digest[STORE_DIGEST], const void *object, size_t len,
    enum study_status status, const char *why, struct err *err);
/* One that is there. */
int store_get_study(
    struct store *s, int64_t id, struct store_study *out, struct err *err);
/* By name, by digest, or the next one after an id; 1, 0 or -1. */
int store_study_by_name(struct store *s, const char *name,
    struct store_study *out, struct err *err);
int store_study_by_digest(struct store *s, const uint8_t digest[STORE_DIGEST],
    struct store_study *out, struct err *err);
int store_study_after(
    struct store *s, int64_t id, struct store_study *out, struct err *err);
int store_study_object(
    struct store *s, int64_t id, struct canon *out, struct err *err);
int store_set_status(struct store *s, int64_t study, enum study_status status,
    const char *why, struct err *err);
int store_set_last_round(
    struct store *s, int64_t study, uint64_t round, struct err *err);
int store_set_cohort(struct store *s, int64_t study, const uint16_t *sites,
    size_t n, struct err *err);

/* A number for the next preparation's files, never given twice. */
int store_new_job(
    struct store *s, int64_t study, int64_t *job, struct err *err);
int store_set_prepared(struct store *s, int64_t study, int64_t job,
    const uint8_t report[STORE_DIGEST], const uint8_t table[STORE_DIGEST],
    uint64_t n_rows, struct err *err);
/* An officer has it; the first time counts. */
int store_set_report_read(struct store *s, int64_t study, struct err *err);
int store_set_table_gone(struct store *s, int64_t study, struct err *err);
int store_add_decision(struct store *s, int64_t study, const void *object,
    size_t len, struct err *err);
/* 1: that very object was added before; 0, -1. */
int store_has_decision(struct store *s, int64_t study, const void *object,
    size_t len, struct err *err);
/* The one that counts; 1, 0: there is none, -1. */
int store_last_decision(
    struct store *s, int64_t study, struct canon *object, struct err *err);

/* What is to be told of the last sum (crypto/round_vouch.h), until it has been;
   len 0: nothing. */
int store_set_checked(struct store *s, int64_t study, const void *msg,
    size_t len, struct err *err);
int store_get_checked(
    struct store *s, int64_t study, struct canon *out, struct err *err);

/* The chain of states (common/steps.h). */
int store_add_step(struct store *s, int64_t study, const struct step *step,
    const void *plan, size_t plan_len, const void *result, size_t result_len,
    struct err *err);
int store_get_step(struct store *s, int64_t study, uint32_t idx,
    struct step *step, struct canon *plan, struct canon *result,
    struct err *err);

/*
 * Rounds on the last state.  body is the round's saved state (sealed at
 * rest); root names the spooled vector, or is NULL.
 */
int store_put_round(struct store *s, int64_t study, uint64_t round,
    uint32_t idx, const void *body, size_t len, struct err *err);
int store_get_round(struct store *s, int64_t study, uint64_t round,
    struct canon *body, struct err *err);
/* Forget all rounds of a study before round (UINT64_MAX: all of them), and
   the prekeys that were promised to them. */
int store_drop_rounds(
    struct store *s, int64_t study, uint64_t before, struct err *err);

/*
 * The ledger: what the noised uploads of learning studies reveal of a patient,
 * rho of model/step/privacy.h.  A charge is made in the transaction that keeps
 * the upload, before its first byte leaves, and is never taken back.
 */
struct store_spent {
	uint64_t uploads;
	double rho; /* of all of them together */
};
int store_charge(struct store *s, int64_t study, uint64_t round, double rho,
    struct err *err);
/* By a study, or by all there ever were (0). */
int store_spent(
    struct store *s, int64_t study, struct store_spent *out, struct err *err);

/*
 * Restored backups.  Every stored answer is counted here, and outside of the
 * database before it leaves (daemon/gate_counter.c).
 */
#define STORE_LOST_MAX ((int64_t)1 << 24)
struct store_counter {
	uint64_t answers;
	uint64_t steps; /* of all studies */
};
/* One more; inside the caller's transaction. */
int store_count_answer(
    struct store *s, struct store_counter *c, struct err *err);
int store_get_counter(
    struct store *s, struct store_counter *c, bool *restored, struct err *err);
/*
 * The database is an old one: lost answers are missing in it.  All prekeys and
 * open rounds go, and the next steps states of every study are not answered, nor
 * the first steps states of one that is not here: the lost time may have had it.
 * Inside the caller's transaction.
 */
int store_mark_restored(
    struct store *s, uint64_t lost, uint64_t steps, struct err *err);
int store_clear_restored(struct store *s, uint64_t answers, struct err *err);
/*
 * Whose the database is: 1 if the identity is another one than last time.  Then
 * prekeys, open rounds and what restored backups left behind are gone with it:
 * nothing that it answered is of use to the new one.  Inside the caller's
 * transaction.
 */
int store_take_identity(
    struct store *s, const uint8_t key[KEY_PUBLIC], struct err *err);
/* The first step of a study whose rounds may be answered. */
int store_answer_from(
    struct store *s, int64_t study, uint32_t *step, struct err *err);

#endif

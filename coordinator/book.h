/*
 * The coordinator's book: the manifest, the studies, the chain of states of
 * each, and the round that is open on the last one.  SQLite underneath; every
 * function that changes something is a transaction of its own unless the
 * caller has opened one with book_begin().
 *
 * Nothing in it is secret from the coordinator's operator, and no single
 * update stands in it in clear.  One process owns it; nothing here logs.
 */
#ifndef COORDINATOR_BOOK_H
#define COORDINATOR_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/canon.h"
#include "common/steps.h"

struct book;
struct err;

#define BOOK_DIGEST 32
#define BOOK_NAME_MAX 48 /* of a study, bytes */
#define BOOK_SITES_MAX 1024

struct book *book_open(const char *path, struct err *err);
void book_close(struct book *b); /* NULL is fine */

int book_begin(struct book *b, struct err *err);
int book_commit(struct book *b, struct err *err);
void book_rollback(struct book *b);

/* Blobs are appended to out by the getters: 1 found, 0 none, -1 error. */
int book_put_manifest(struct book *b, uint32_t epoch, const void *object,
    size_t len, struct err *err);
/* The newest one, the one of an epoch, or the first above it. */
int book_get_manifest(struct book *b, struct canon *out, struct err *err);
int book_manifest_of(
    struct book *b, uint32_t epoch, struct canon *out, struct err *err);
int book_manifest_after(
    struct book *b, uint32_t epoch, struct canon *out, struct err *err);

enum book_status {
	BOOK_RUNNING,
	BOOK_DONE,
	BOOK_STOPPED, /* ended without a result; why says why */
};
const char *book_status_name(enum book_status status);

struct book_study {
	int64_t id;
	char name[BOOK_NAME_MAX + 1];
	uint8_t digest[BOOK_DIGEST];
	enum book_status status;
	char why[256];
	uint64_t last_round; /* the highest number that was given */
	size_t n_cohort; /* the set that cohort = fixed has fixed; 0: not yet */
	uint16_t cohort[BOOK_SITES_MAX];
};

int book_add_study(struct book *b, const char *name,
    const uint8_t digest[BOOK_DIGEST], const void *object, size_t len,
    struct err *err);
int book_study_by_name(
    struct book *b, const char *name, struct book_study *out, struct err *err);
int book_study_after(
    struct book *b, int64_t id, struct book_study *out, struct err *err);
int book_study_object(
    struct book *b, int64_t id, struct canon *out, struct err *err);
int book_set_status(struct book *b, int64_t study, enum book_status status,
    const char *why, struct err *err);
int book_set_cohort(struct book *b, int64_t study, const uint16_t *sites,
    size_t n, struct err *err);

/* The chain of states (common/steps.h). */
int book_add_step(struct book *b, int64_t study, const struct step *step,
    const void *plan, size_t plan_len, const void *result, size_t result_len,
    struct err *err);
int book_get_step(struct book *b, int64_t study, uint32_t idx,
    struct step *step, struct canon *plan, struct canon *result,
    struct err *err);

/* The step that a round led to; 1, 0 or -1. */
int book_find_round(struct book *b, int64_t study, uint64_t round,
    uint32_t *idx, struct err *err);

/* The step that has a state; 1, 0 or -1. */
int book_find_state(struct book *b, int64_t study,
    const uint8_t state[BOOK_DIGEST], uint32_t *idx, struct err *err);

/* Which sites have checked the sum that led to a step: their signatures
   (crypto/round_vouch.h), by increasing id, at most max. */
#define BOOK_SIGNATURE 64
int book_put_checked(struct book *b, int64_t study, uint32_t idx, uint16_t site,
    const uint8_t sig[BOOK_SIGNATURE], struct err *err);
int book_get_checked(struct book *b, int64_t study, uint32_t idx,
    uint16_t *sites, uint8_t (*sigs)[BOOK_SIGNATURE], size_t max, size_t *n,
    struct err *err);

/*
 * The open round of a study: at most one.  A new one gets the next number;
 * book_put_round() keeps its state, book_drop_round() ends it.
 */
int book_new_round(
    struct book *b, int64_t study, uint64_t *round, struct err *err);
/* A number is the last one from now on, unless there was a higher one. */
int book_skip_rounds(
    struct book *b, int64_t study, uint64_t round, struct err *err);
int book_put_round(struct book *b, int64_t study, uint64_t round,
    const void *body, size_t len, struct err *err);
int book_get_round(struct book *b, int64_t study, uint64_t *round,
    struct canon *body, struct err *err);
int book_drop_round(struct book *b, int64_t study, struct err *err);

/* The newest checkpoint of a site's audit log; 1, 0 or -1. */
struct book_checkpoint {
	uint8_t key[BOOK_DIGEST]; /* of the log */
	uint64_t lines;
	uint8_t head[BOOK_DIGEST];
};
int book_put_checkpoint(struct book *b, uint16_t site,
    const struct book_checkpoint *c, const void *object, size_t len,
    struct err *err);
int book_get_checkpoint(
    struct book *b, uint16_t site, struct book_checkpoint *c, struct err *err);
/* As the site signed it; empty if an older release took it. */
int book_checkpoint_object(
    struct book *b, uint16_t site, struct canon *out, struct err *err);

#endif

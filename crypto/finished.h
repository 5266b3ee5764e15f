/*
 * What a daemon tells of a study that has come to its end: which study, its
 * final plan, and which rounds led there.  Gate and rounds write it, as the
 * answer to "result"; whoever has it makes the result's files of it, the same
 * ones from every site and from the coordinator.
 */
#ifndef CRYPTO_FINISHED_H
#define CRYPTO_FINISHED_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/manifest.h"
#include "crypto/signed.h"

struct canon;
struct err;
struct signed_study;
struct step;

#define FINISHED_ROUNDS_MAX 65536
#define FINISHED_SET_MAX (1024 * (MANIFEST_NAME_MAX + 1)) /* bytes */
#define FINISHED_KIND_MAX 32 /* bytes */
#define FINISHED_PLAN_MAX (64u << 20)

struct finished_round {
	uint64_t round; /* its number in the protocol */
	uint32_t step; /* plan_index() before it */
	char kind[FINISHED_KIND_MAX + 1]; /* plan_kind() before it */
	uint32_t n_sites; /* whose input is in the sum */
	/* Their names with spaces between, set_len bytes; or none. */
	const char *set;
	size_t set_len;
};

struct finished {
	char consortium[MANIFEST_NAME_MAX + 1];
	uint8_t digest[SIGNED_DIGEST]; /* of the study */
	uint32_t n_sites; /* that the study names */
	uint16_t corrupted; /* c */
	uint32_t smallest_sites; /* fewest inputs that a sum may have */
	const char *text; /* (text_len) the study's */
	size_t text_len;
	const uint8_t *plan; /* (plan_len) plan_save() */
	size_t plan_len;
	struct finished_round *rounds; /* (n_rounds) in their order */
	size_t n_rounds;
};

/* -1 with ERR_FORMAT if it is beyond the bounds that finished_read() keeps. */
int finished_write(
    const struct finished *f, struct canon *out, struct err *err);

/*
 * The same from what a daemon keeps: the study, its last plan, and steps 1 to
 * n_rounds, each asked of get with arg and id: 1, 0 if it is missing, or -1.
 */
typedef int finished_step_fn(
    void *arg, int64_t study, uint32_t idx, struct step *s, struct err *err);
int finished_put(const struct manifest *m, const struct signed_study *study,
    uint32_t smallest_sites, const struct canon *plan, uint32_t n_rounds,
    finished_step_fn *get, void *arg, int64_t id, struct canon *out,
    struct err *err);

/* text, plan and sets point into data.  The caller frees the result. */
struct finished *finished_read(const void *data, size_t len, struct err *err);
void finished_free(struct finished *f); /* of finished_read(); NULL is fine */

#endif

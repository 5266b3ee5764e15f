/*
 * The plan of a study: a state machine that says what the next round sums, and
 * how the sum becomes the next state.
 *
 *     counts -> moments -> newton ... -> evaluation -> done
 *
 * or, for survival by groups, counts -> times -> done; a study that learns with
 * differential privacy has one kind, gradient ... -> done (model/step/learn.h).
 *
 * The coordinator and every site run it for themselves on the same sums, and
 * must arrive at the same bytes: only IEEE 754 double + - * / and square root
 * in a fixed order, no BLAS, no libm, no contraction (docs/NUMERICS.md).
 *
 * What the numbers do not allow (no event, a singular or separated fit) is a
 * result, said in words in the final state, never an error.
 */
#ifndef MODEL_STEP_PLAN_H
#define MODEL_STEP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct canon;
struct err;
struct learn;
struct model_spec;
struct plan;

#define PLAN_BYTES_MAX (64u << 20) /* of plan_save() */

/*
 * The plan of a study before its first round.  NULL with ERR_CONFIG if the
 * spec is not one that can run, ERR_NUMERIC if this processor does not round
 * to nearest or flushes subnormal numbers.
 */
struct plan *plan_new(const struct model_spec *spec, struct err *err);

/* A plan from what plan_save() wrote; ERR_FORMAT if it is not that. */
struct plan *plan_load(const struct model_spec *spec, const void *bytes,
    size_t len, struct err *err);

void plan_free(struct plan *plan); /* NULL is fine */

/*
 * The model bytes: all that the plan reads next, and only that.  Equal plans
 * write equal bytes.
 */
void plan_save(const struct plan *plan, struct canon *out);

const struct model_spec *plan_spec(const struct plan *plan);
uint32_t plan_index(const struct plan *plan); /* rounds summed so far */
/* "counts", "times", "moments", "newton", "residuals", "evaluation", "gradient" or
   "done" */
const char *plan_kind(const struct plan *plan);
bool plan_done(const struct plan *plan);

/* Both are 0 when the plan is done. */
size_t plan_words(const struct plan *plan); /* ring words of the next round */
size_t plan_values(const struct plan *plan); /* doubles a trainer must give */

/*
 * A trainer's values as ring words: word 0 is the weight (rows used), word 1
 * is "clipped" (always 0 here: a value beyond its bound, NaN or infinity is
 * refused with ERR_FORMAT, never clipped).  n is plan_values(); words has room
 * for plan_words().
 */
int plan_encode(const struct plan *plan, const double *values, size_t n,
    void *words, struct err *err);

/* NULL: all sums are exact statistics, in 64-bit words. */
const struct learn *plan_learn(const struct plan *plan);

/* What the noised sums so far say; false before the first. */
struct plan_learned {
	uint32_t sums;
	double patients; /* in a sum, on average; an estimate */
	double clipped; /* share of their gradients, an estimate, 0 to 1 */
};
bool plan_learned(const struct plan *plan, struct plan_learned *out);

/*
 * In place of plan_encode() where there is learning: the numbers before they
 * are rounded and noised, in parts of a unit, 2^LEARN_PART_BITS in each.  ERR_FORMAT
 * for a weight that is negative or above rows_per_site, NaN, infinity and
 * numbers that so many patients cannot add up to.
 */
int plan_encode_parts(const struct plan *plan, const double *values, size_t n,
    int64_t *parts, struct err *err);

/*
 * From the sum, modulo 2^64 (learning: 2^b), of n_contributors such vectors to the next state.
 * A sum beyond what that many sites can have sent is suspect: the index goes
 * on, the model does not change and the same round comes again (three times,
 * then the plan is done).  NULL with ERR_FORMAT only if n is not plan_words(),
 * n_contributors is not 1 to n_sites or the plan is done; ERR_SYSTEM if there
 * is no memory.
 */
struct plan *plan_next(const struct plan *plan, const void *sum, size_t n,
    uint32_t n_contributors, struct err *err);
/* The same in place; after an error the plan is as it was. */
int plan_step(struct plan *plan, const void *sum, size_t n,
    uint32_t n_contributors, struct err *err);

#endif

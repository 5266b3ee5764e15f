/*
 * A whole study in one process for tests: rows dealt to sites, contributions
 * encoded, words added modulo 2^64, the plan stepped.
 */
#ifndef TESTS_MODEL_CONSORTIUM_H
#define TESTS_MODEL_CONSORTIUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/data.h"
#include "model/result.h"
#include "model/spec.h"
#include "model/step/plan.h"

#define SITES_MAX 32

/* A CSV of numbers with a header: columns event, y, time, stratum,
   offset, weight, patient, entry are special. */
struct rows {
	size_t n, n_terms;
	char names[MODEL_TERMS_MAX][MODEL_NAME_SIZE];
	double *x; /* (n, n_terms) */
	uint8_t *event;
	double *y;
	double *time;
	uint32_t *stratum;
	double *offset, *weight; /* used if the spec says so */
	uint32_t *patient; /* below n; or NULL */
	double *entry; /* or NULL */
};

struct rows rows_new(size_t n, size_t n_terms);
struct rows rows_read(const char *name); /* in tests/vectors/model */
void rows_free(struct rows *r);

/*
 * The spec that fits these rows: ranges from them, times whole numbers; without
 * offset and weights.
 */
struct model_spec spec_for(
    const struct rows *r, enum model_kind kind, uint32_t n_sites);

/* Row i goes to site deal(i, ...). */
typedef uint32_t (*deal_fn)(const struct rows *r, size_t i, uint32_t n_sites);
uint32_t deal_in_turn(const struct rows *r, size_t i, uint32_t n_sites);
uint32_t deal_by_stratum(const struct rows *r, size_t i, uint32_t n_sites);

struct consortium {
	struct model_spec spec;
	struct model_data site[SITES_MAX];
	struct plan *plan;
	size_t rounds, longest; /* rounds so far, words of the longest */
};

void consortium_open(struct consortium *c, const struct model_spec *spec,
    const struct rows *r, deal_fn deal);
void consortium_close(struct consortium *c);

/* The sum of the plan's next round; memory is the caller's. */
uint64_t *consortium_sum(struct consortium *c);
void consortium_round(struct consortium *c);
void consortium_run(struct consortium *c); /* until the plan is done */
struct result consortium_result(struct consortium *c);

/* The index of a term, or a failed test. */
const struct result_term *term_named(const struct result *r, const char *name);

#endif

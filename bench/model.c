/*
 * What a site computes in a round, in seconds of the processor, against the same
 * product of matrices by OpenBLAS alone; and how it grows with the rows.
 */
#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/err.h"
#include "model/contribute.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "model/work.h"

#define REPEATS 3
/* What is compared is done in turn, so that a busy machine slows down both. */
#define TURNS 9

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *
zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL) {
		perror("memory");
		exit(1);
	}
	return p;
}

/* 0 to 1; the same on every machine. */
static double
uniform(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (double)(*state >> 11) * 0x1p-53;
}

static struct model_data
make_data(size_t n, size_t p, uint32_t n_times)
{
	struct model_data d = {
		.n_rows = n,
		.n_terms = p,
		.x = zeroed(n * p, sizeof(*d.x)),
		.event = zeroed(n, sizeof(*d.event)),
		.time_index = zeroed(n, sizeof(*d.time_index)),
	};
	uint64_t state = 1;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < p; k++)
			d.x[i * p + k] = uniform(&state);
		d.event[i] = uniform(&state) < 0.4;
		/* sorted: the last time first */
		d.time_index[i] =
		    (uint32_t)((double)(n - 1 - i) / (double)n * n_times);
	}
	return d;
}

static void
free_data(struct model_data *d)
{
	free(d->x);
	free(d->event);
	free(d->time_index);
}

static struct model_spec
make_spec(enum model_kind kind, enum model_ties ties,
    const struct model_data *d, uint32_t n_times)
{
	struct model_spec s = {
		.kind = kind,
		.ties = ties,
		.n_strata = 1,
		.n_terms = (uint32_t)d->n_terms,
		.n_times = kind == MODEL_COX ? n_times : 0,
		.time_step = 1.0,
		.risk_set_step = 5,
		.n_sites = 1,
		.rows_per_site = MODEL_ROWS_MAX,
		.max_iterations = 25,
		.tolerance = 1e-9,
		.concordance_bins = 4096,
	};

	for (uint32_t k = 0; k < s.n_terms; k++) {
		snprintf(s.terms[k].name, MODEL_NAME_SIZE, "x%u", k);
		s.terms[k].max = 1.0;
	}
	return s;
}

static void
fail(const struct err *err)
{
	fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

static void
one_round(struct plan *plan, const struct model_data *d)
{
	double *values = zeroed(plan_values(plan), sizeof(*values));
	uint64_t *words = zeroed(plan_words(plan), sizeof(*words));
	struct err err;

	if (contribute(plan, d, values, &err) == -1 ||
	    plan_encode(plan, values, plan_values(plan), words, &err) == -1 ||
	    plan_step(plan, words, plan_words(plan), 1, &err) == -1)
		fail(&err);
	free(values);
	free(words);
}

/* A plan whose next round is Newton's, not from 0. */
static struct plan *
newton_plan(enum model_kind kind, enum model_ties ties,
    const struct model_data *d, uint32_t n_times)
{
	struct model_spec s = make_spec(kind, ties, d, n_times);
	struct err err;
	struct plan *plan = plan_new(&s, &err);

	if (plan == NULL)
		fail(&err);
	for (int i = 0; i < 3; i++) /* counts, moments, the first at 0 */
		one_round(plan, d);
	return plan;
}

/* Seconds of a contribution to it. */
static double
newton_round(const struct plan *plan, const struct model_data *d)
{
	double *values = zeroed(plan_values(plan), sizeof(*values));
	double start = now(), took;
	struct err err;

	if (contribute(plan, d, values, &err) == -1)
		fail(&err);
	took = now() - start;
	free(values);
	return took;
}

static double
product_alone(const struct model_data *d)
{
	int p = (int)d->n_terms;
	double *c = zeroed((size_t)p * (size_t)p, sizeof(*c));
	double start, took;

	openblas_set_num_threads(1);
	start = now();
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, p, (int)d->n_rows,
	    1.0, d->x, p, 0.0, c, p);
	took = now() - start;
	free(c);
	return took;
}

static double
gram_alone(const struct model_data *d)
{
	struct gram *g = gram_new((uint32_t)d->n_terms);
	double *out = zeroed(1 + d->n_terms * (d->n_terms + 3) / 2, 8);
	double start = now(), took;

	if (g == NULL) {
		perror("memory");
		exit(1);
	}
	for (size_t k = 0; k < d->n_rows; k++)
		gram_add(g, d->x + k * d->n_terms, 0.25);
	gram_take(g, out, 1);
	took = now() - start;
	gram_free(g);
	free(out);
	return took;
}

static int
regression(void)
{
	struct model_data d = make_data(1000000, 50, 1);
	struct plan *plan = newton_plan(MODEL_LOGISTIC, TIES_EFRON, &d, 1);
	double blas = HUGE_VAL, gram = HUGE_VAL, round = HUGE_VAL;

	for (int i = 0; i < TURNS; i++) {
		blas = fmin(blas, product_alone(&d));
		gram = fmin(gram, gram_alone(&d));
		round = fmin(round, newton_round(plan, &d));
	}
	printf("1000000 x 50: dsyrk %.3f s; weighted Gram matrix %.3f s, %.2f "
	       "of its rate; whole logistic round %.3f s, %.2f of its rate\n",
	    blas, gram, blas / gram, round, blas / round);
	plan_free(plan);
	free_data(&d);
	return blas >= 0.7 * round ? 0 : 1;
}

static int
cox(enum model_ties ties, const char *name)
{
	struct model_data d = make_data(1000000, 20, 1000);
	struct plan *plan = newton_plan(MODEL_COX, ties, &d, 1000);
	double gram = HUGE_VAL, round = HUGE_VAL;

	for (int i = 0; i < TURNS; i++) {
		gram = fmin(gram, gram_alone(&d));
		round = fmin(round, newton_round(plan, &d));
	}
	printf("1000000 x 20, sorted, 1000 times, %s: weighted Gram matrix "
	       "%.3f s; whole Cox round %.3f s, %.2f times as long\n",
	    name, gram, round, round / gram);
	plan_free(plan);
	free_data(&d);
	return round <= 1.5 * gram ? 0 : 1;
}

/* The most memory since forget_peak(), in bytes; 0 if the system does not say. */
static double
peak(void)
{
	char line[128];
	double kib = 0.0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmHWM: %lf", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return 1024.0 * kib;
}

static void
forget_peak(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "we");

	if (f == NULL)
		return;
	fputs("5", f);
	fclose(f);
}

/* The rows in no order, as a hospital may have them. */
static void
shuffle_times(struct model_data *d)
{
	uint64_t state = 2;

	for (size_t i = d->n_rows; i-- > 1;) {
		size_t j = (size_t)(uniform(&state) * (double)(i + 1));
		uint32_t t = d->time_index[i];

		d->time_index[i] = d->time_index[j];
		d->time_index[j] = t;
	}
}

/*
 * No step is quadratic in the rows: the time per row hardly changes.  Memory
 * beside the table is a few numbers per row.
 */
static int
growth(enum model_kind kind, const char *name)
{
	double first = 0.0, per_row = 0.0, share = 0.0;

	for (size_t n = 10000; n <= 10000000; n *= 10) {
		struct model_data d = make_data(n, 5, 1000);
		double table = (double)(n * (5 + 2) * sizeof(double));

		struct plan *plan;
		double best = HUGE_VAL;

		shuffle_times(&d);
		forget_peak();
		plan = newton_plan(kind, TIES_EFRON, &d, 1000);
		for (int i = 0; i < REPEATS; i++)
			best = fmin(best, newton_round(plan, &d));
		plan_free(plan);
		per_row = best / (double)n;
		share = peak() / table;
		if (n == 10000)
			first = per_row;
		printf("%s round, %zu x 5, not sorted: %.1f ns per row, "
		       "memory %.2f times the table of 7 columns\n",
		    name, n, 1e9 * per_row, share);
		free_data(&d);
	}
	return per_row <= 10.0 * first && share > 0.0 && share <= 1.5 ? 0 : 1;
}

int
main(void)
{
	int bad = growth(MODEL_LOGISTIC, "Logistic");

	bad += growth(MODEL_COX, "Cox");
	bad += regression();
	bad += cox(TIES_EFRON, "Efron");
	bad += cox(TIES_BRESLOW, "Breslow");
	return bad == 0 ? 0 : 1;
}

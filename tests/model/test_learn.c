/*
 * Learning without the network: what a patient adds, what the gate refuses, and
 * the steps against plain descent on all rows.
 */
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/contribute.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/learn.h"
#include "model/step/plan.h"
#include "model/step/state.h"

#define TERMS 3
#define DIM (TERMS + 3)

static double
uniform(void)
{
	return (double)random() / (double)RAND_MAX;
}

static struct model_spec
spec_of(enum model_kind kind, double clip, double epsilon, uint32_t rounds)
{
	struct model_spec s = {
		.kind = kind,
		.n_strata = 1,
		.n_terms = TERMS,
		.terms = { { "a", 0, 1 }, { "b", -3, 9 }, { "c", 1000, 1e6 } },
		.risk_set_step = 5,
		.n_sites = 3,
		.rows_per_site = 500,
		.max_iterations = 25,
		.tolerance = 1e-9,
		.concordance_bins = 64,
		.learning = { .rounds = rounds,
		    .retries = 1,
		    .step = 1.5,
		    .momentum = 0.5,
		    .clip = clip,
		    .epsilon = epsilon,
		    .delta = 1e-6,
		    .bits = 32 },
	};

	if (kind == MODEL_GAUSSIAN) {
		s.y_min = -20;
		s.y_max = 100;
		s.learning.step = 0.4;
	}
	return s;
}

struct rows {
	struct model_data d;
	double x[200 * TERMS], y[200];
	uint8_t event[200];
};

/* Every third number is at an end of its range. */
static void
fill(const struct model_spec *s, struct rows *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < TERMS; k++) {
			const struct model_term *t = &s->terms[k];
			double u = uniform();

			if (random() % 3 == 0)
				u = u < 0.5 ? 0 : 1;
			r->x[i * TERMS + k] = t->min + u * (t->max - t->min);
		}
		r->event[i] = uniform() < 0.3 + 0.4 * r->x[i * TERMS];
		r->y[i] = s->y_min + uniform() * (s->y_max - s->y_min);
	}
	r->d = (struct model_data){
		.n_rows = n,
		.n_terms = TERMS,
		.x = r->x,
		.event = r->event,
		.y = s->kind == MODEL_GAUSSIAN ? r->y : NULL,
	};
}

static struct plan *
plan_of(const struct model_spec *s)
{
	struct err err;
	struct plan *p = plan_new(s, &err);

	if (p == NULL)
		fail_msg("%s", err.msg);
	assert_string_equal(plan_kind(p), "gradient");
	assert_int_equal(plan_words(p), DIM);
	assert_int_equal(plan_values(p), DIM);
	return p;
}

/* Whoever the patient, wherever the model: never more than 2^m; and a sum over
   rows is the sum of each, to the bit. */
static void
a_patient_adds_no_more_than_the_norm(void **state)
{
	static const enum model_kind kinds[] = { MODEL_LOGISTIC,
		MODEL_GAUSSIAN };
	static struct rows all, one;
	struct err err;

	(void)state;
	srandom(1);
	for (size_t j = 0; j < 40; j++) {
		struct model_spec s =
		    spec_of(kinds[j % 2], j % 4 < 2 ? 0.3 : 3, 2, 10);
		double sum[DIM] = { 0 }, v[DIM], norm, clipped = 0;
		struct plan *p = plan_of(&s);

		for (size_t k = 0; k < TERMS + 1; k++)
			p->beta[k] = 10 * (uniform() - 0.5) * (double)(j / 4);
		fill(&s, &all, 200);
		for (size_t i = 0; i < 200; i++) {
			one.d = all.d;
			one.d.n_rows = 1;
			one.d.x += i * TERMS;
			one.d.event += i;
			one.d.y = all.d.y == NULL ? NULL : all.d.y + i;
			assert_int_equal(contribute(p, &one.d, v, &err), 0);
			assert_true(v[0] == 1);
			norm = ldexp(1 + v[1], 2 * (int)p->learn.m - 4);
			for (size_t k = 2; k < DIM; k++)
				norm += v[k] * v[k];
			assert_true(norm <= ldexp(1, 2 * (int)p->learn.m));
			clipped += v[1];
			for (size_t k = 0; k < DIM; k++)
				sum[k] += v[k];
		}
		assert_true(j % 4 >= 2 || clipped > 0);
		assert_int_equal(contribute(p, &all.d, v, &err), 0);
		assert_memory_equal(v, sum, sizeof(v));
		plan_free(p);
	}
}

static void
an_update_beyond_its_bounds_is_refused(void **state)
{
	static const struct {
		size_t at;
		double v;
	} bad[] = { { 0, NAN }, { 0, -1 }, { 0, 0.5 }, { 0, 501 },
		{ 0, INFINITY }, { 1, -1 }, { 1, 101 }, { 1, NAN }, { 2, NAN },
		{ 3, INFINITY }, { 4, -INFINITY }, { 5, 1e300 }, { 2, 0x1p-9 },
		{ 3, -0x1p-30 } };
	struct model_spec s = spec_of(MODEL_LOGISTIC, 1, 1, 10);
	struct plan *p = plan_of(&s);
	double v[DIM] = { 100, 3, 5, -2.25, 0, 8 }, spoilt[DIM];
	int64_t parts[DIM];
	uint64_t words[DIM];
	struct err err;

	(void)state;
	assert_int_equal(plan_encode_parts(p, v, DIM, parts, &err), 0);
	assert_true(parts[0] == INT64_C(25) << (p->learn.m + 8));
	assert_true(parts[1] == INT64_C(3) << (p->learn.m + 6));
	assert_true(parts[3] == -576);
	for (size_t i = 0; i < nitems(bad); i++) {
		memcpy(spoilt, v, sizeof(v));
		spoilt[bad[i].at] = bad[i].v;
		assert_int_equal(
		    plan_encode_parts(p, spoilt, DIM, parts, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
	}
	/* One patient's worth more than 100 patients can add. */
	v[4] = ldexp(101, (int)p->learn.m);
	assert_int_equal(plan_encode_parts(p, v, DIM, parts, &err), -1);
	assert_int_equal(plan_encode_parts(p, v, DIM - 1, parts, &err), -1);
	/* Nothing leaves without noise. */
	assert_int_equal(plan_encode(p, v, DIM, words, &err), -1);
	plan_free(p);
}

static void
a_study_that_could_overflow_is_refused(void **state)
{
	struct model_spec s = spec_of(MODEL_LOGISTIC, 1, 1, 10);
	struct err err;

	(void)state;
	assert_int_equal(model_spec_check(&s, &err), 0);
	s.rows_per_site = 1 << 24;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "could pass 2^31"));
	s.learning.bits = 64;
	assert_int_equal(model_spec_check(&s, &err), 0);
	s.learning.epsilon = 1e-3;
	s.learning.rounds = 10000;
	s.learning.delta = 1e-15;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "more noise"));
	s = spec_of(MODEL_POISSON, 1, 1, 10);
	s.y_max = 10;
	assert_int_equal(model_spec_check(&s, &err), -1);
	assert_non_null(strstr(err.msg, "logistic or gaussian"));
}

/* The mean gradient at beta, clipped row by row; plainly. */
static void
mean_gradient(const struct model_spec *s, const struct rows *sites,
    const double *beta, double *out)
{
	double limit = s->learning.clip * sqrt(0.875), n = 0;

	memset(out, 0, (TERMS + 1) * sizeof(*out));
	for (size_t j = 0; j < 3; j++) {
		for (size_t i = 0; i < sites[j].d.n_rows; i++) {
			double z[TERMS + 1] = { 1 }, eta = beta[0], r, norm = 1;

			for (size_t k = 0; k < TERMS; k++) {
				const struct model_term *t = &s->terms[k];

				z[k + 1] = (2 * sites[j].x[i * TERMS + k] -
					       t->min - t->max) /
				    (t->max - t->min);
				eta += beta[k + 1] * z[k + 1];
				norm += z[k + 1] * z[k + 1];
			}
			r = s->kind == MODEL_GAUSSIAN
			    ? (2 * sites[j].y[i] - s->y_min - s->y_max) /
				    (s->y_max - s->y_min) -
				eta
			    : sites[j].event[i] - 1 / (1 + exp(-eta));
			norm = fabs(r) * sqrt(norm);
			if (norm > limit)
				r *= limit / norm;
			for (size_t k = 0; k <= TERMS; k++)
				out[k] += r * z[k];
			n++;
		}
	}
	for (size_t k = 0; k <= TERMS; k++)
		out[k] /= n;
}

/*
 * One site's part rounded to nearest, and no noise: a step is that of plain
 * descent but for 1.5 units of rounding and 1/256 of cutting for each row, which
 * is held against the plan's own path, step by step.
 */
static void
steps_are_those_of_plain_descent(enum model_kind kind)
{
	struct model_spec s = spec_of(kind, 0.8, 8, 12);
	struct rows *sites = calloc(3, sizeof(*sites));
	double velocity[TERMS + 1] = { 0 }, mean[TERMS + 1] = { 0 };
	struct plan *p = plan_of(&s);
	struct plan_learned learned;
	double rows = 0, unit, clipped = 0, n_clipped = 0;
	struct err err;

	assert_non_null(sites);
	for (size_t j = 0; j < 3; j++) {
		fill(&s, &sites[j], 50 + 70 * j);
		rows += (double)sites[j].d.n_rows;
	}
	unit = 1 / p->learn.scale;
	for (uint32_t t = 1; t <= 12; t++) {
		double before[TERMS + 1], g[TERMS + 1], v[DIM];
		uint32_t sum[DIM] = { 0 };
		int64_t parts[DIM];

		memcpy(before, p->beta, sizeof(before));
		mean_gradient(&s, sites, before, g);
		for (size_t j = 0; j < 3; j++) {
			assert_int_equal(
			    contribute(p, &sites[j].d, v, &err), 0);
			assert_int_equal(
			    plan_encode_parts(p, v, DIM, parts, &err), 0);
			n_clipped += v[1];
			for (size_t k = 0; k < DIM; k++)
				sum[k] +=
				    (uint32_t)lround((double)parts[k] / 256);
		}
		assert_int_equal(plan_step(p, sum, DIM, 3, &err), 0);
		for (size_t k = 0; k <= TERMS; k++) {
			double off = (1.5 + rows / 256) * unit / rows;
			double next;

			velocity[k] = 0.5 * velocity[k] + g[k];
			next = before[k] + s.learning.step * velocity[k];
			mean[k] += t > 6 ? next / 6 : 0;
			if (t < 12)
				assert_true(fabs(p->beta[k] - next) <=
				    2 * s.learning.step * off + 1e-12);
			/* (errors of earlier velocities halve each step) */
			velocity[k] = t < 12
			    ? (p->beta[k] - before[k]) / s.learning.step
			    : 0;
		}
	}
	assert_true(plan_done(p));
	for (size_t k = 0; k <= TERMS; k++)
		assert_true(fabs(p->base[k] - mean[k]) <=
		    2 * s.learning.step * (1.5 + rows / 256) * unit / rows);
	assert_true(plan_learned(p, &learned));
	clipped = n_clipped / (12 * rows);
	assert_true(learned.patients == rows);
	assert_true(fabs(learned.clipped - clipped) < 1e-12);
	assert_true(clipped > 0);
	plan_free(p);
	free(sites);
}

static void
logistic_steps_are_those_of_plain_descent(void **state)
{
	(void)state;
	srandom(2);
	steps_are_those_of_plain_descent(MODEL_LOGISTIC);
}

static void
gaussian_steps_are_those_of_plain_descent(void **state)
{
	(void)state;
	srandom(3);
	steps_are_those_of_plain_descent(MODEL_GAUSSIAN);
}

static void
a_sum_that_cannot_be_is_suspect(void **state)
{
	struct model_spec s = spec_of(MODEL_LOGISTIC, 1, 2, 5);
	struct plan *p = plan_of(&s);
	uint32_t sum[DIM] = { 0 };
	struct plan_learned learned;
	struct err err;

	(void)state;
	sum[4] = (uint32_t)(int32_t) - (2 * p->learn.largest + 2);
	assert_int_equal(plan_step(p, sum, DIM, 2, &err), 0);
	assert_int_equal(plan_index(p), 1);
	assert_false(plan_learned(p, &learned));
	assert_true(p->beta[3] == 0);
	assert_int_equal(plan_step(p, sum, DIM, 3, &err), 0);
	assert_true(plan_learned(p, &learned)); /* three sites can */
	plan_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_patient_adds_no_more_than_the_norm),
		cmocka_unit_test(an_update_beyond_its_bounds_is_refused),
		cmocka_unit_test(a_study_that_could_overflow_is_refused),
		cmocka_unit_test(logistic_steps_are_those_of_plain_descent),
		cmocka_unit_test(gaussian_steps_are_those_of_plain_descent),
		cmocka_unit_test(a_sum_that_cannot_be_is_suspect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What must hold of the state machine whatever the data: the same bytes for
 * everybody, and words instead of NaN for what cannot be fitted.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/contribute.h"
#include "tests/model/consortium.h"

static struct canon
saved(const struct plan *p)
{
	struct canon c = { 0 };

	plan_save(p, &c);
	assert_false(c.failed);
	return c;
}

static void
assert_same(const struct plan *a, const struct plan *b)
{
	struct canon x = saved(a), y = saved(b);

	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	canon_free(&x);
	canon_free(&y);
}

static uint32_t
deal_backwards(const struct rows *r, size_t i, uint32_t n_sites)
{
	return n_sites - 1 - deal_in_turn(r, i, n_sites);
}

static void
the_order_of_sites_does_not_change_a_byte(void **state)
{
	static const struct {
		const char *file;
		enum model_kind kind;
	} runs[] = { { "lung.csv", MODEL_COX },
		{ "birthwt.csv", MODEL_LOGISTIC } };

	(void)state;
	for (size_t k = 0; k < nitems(runs); k++) {
		struct rows r = rows_read(runs[k].file);
		struct model_spec s = spec_for(&r, runs[k].kind, 5);
		struct consortium a, b;

		consortium_open(&a, &s, &r, deal_in_turn);
		consortium_open(&b, &s, &r, deal_backwards);
		while (!plan_done(a.plan)) {
			consortium_round(&a);
			consortium_round(&b);
			assert_same(a.plan, b.plan);
		}
		consortium_close(&a);
		consortium_close(&b);
		rows_free(&r);
	}
}

static void
a_plan_that_is_loaded_goes_on_as_the_one_that_was_saved(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 3);
	struct consortium a, b;

	(void)state;
	consortium_open(&a, &s, &r, deal_in_turn);
	consortium_open(&b, &s, &r, deal_in_turn);
	while (!plan_done(a.plan)) {
		struct canon c = saved(b.plan);
		struct err err;

		plan_free(b.plan);
		b.plan = plan_load(&s, c.data, c.len, &err);
		if (b.plan == NULL)
			fail_msg("%s", err.msg);
		canon_free(&c);
		consortium_round(&a);
		consortium_round(&b);
		assert_same(a.plan, b.plan);
	}
	assert_int_equal(plan_index(a.plan), a.rounds);
	assert_int_equal(plan_words(a.plan), 0);
	consortium_close(&a);
	consortium_close(&b);
	rows_free(&r);
}

/* The evaluation divides by a total of the rows' scores. */
static void
a_plan_of_more_rows_than_there_can_be_is_refused(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 3);
	/* Behind the label, index, phase, status and two numbers. */
	const size_t at = 4 + sizeof("consilium-1/plan") - 1 + 4 + 1 + 1 + 8;
	uint64_t most = (uint64_t)s.n_sites * s.rows_per_site;
	struct consortium c;
	struct canon bytes;
	struct plan *p;
	struct err err;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_round(&c);
	bytes = saved(c.plan);
	for (uint64_t more = 0; more < 2; more++) {
		for (size_t i = 0; i < 8; i++)
			bytes.data[at + i] =
			    (uint8_t)((most + more) >> (56 - 8 * i));
		p = plan_load(&s, bytes.data, bytes.len, &err);
		assert_int_equal(p == NULL, more);
		plan_free(p);
	}
	canon_free(&bytes);
	consortium_close(&c);
	rows_free(&r);
}

/* Every prefix, and every byte changed, is refused or is some other plan. */
static void
damaged_model_bytes_are_refused_or_harmless(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 3);
	struct consortium c;
	struct err err;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	while (!plan_done(c.plan)) {
		struct canon bytes = saved(c.plan);

		for (size_t n = 0; n < bytes.len; n += 1 + n / 8)
			assert_null(plan_load(&s, bytes.data, n, &err));
		for (size_t i = 0; i < bytes.len; i += 1 + bytes.len / 300) {
			struct plan *p;

			bytes.data[i] ^= 0x81;
			p = plan_load(&s, bytes.data, bytes.len, &err);
			if (p != NULL)
				assert_int_equal(
				    plan_done(p), plan_words(p) == 0);
			plan_free(p);
			bytes.data[i] ^= 0x81;
		}
		canon_free(&bytes);
		consortium_round(&c);
	}
	consortium_close(&c);
	rows_free(&r);
}

static void
a_sum_beyond_its_bounds_changes_the_index_alone(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 3);
	struct consortium c;
	struct result result;
	struct err err;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_round(&c);
	for (int k = 0; k < 3; k++) {
		uint64_t *sum = consortium_sum(&c);

		assert_string_equal(plan_kind(c.plan), "moments");
		assert_int_equal(plan_index(c.plan), 1 + k);
		sum[3] = UINT64_C(1) << 62;
		assert_int_equal(
		    plan_step(c.plan, sum, plan_words(c.plan), 3, &err), 0);
		free(sum);
	}
	assert_true(plan_done(c.plan));
	result = consortium_result(&c);
	assert_false(result.converged);
	assert_non_null(strstr(result.warnings[0], "beyond what the sites"));
	consortium_close(&c);
	rows_free(&r);
}

static void
counts_that_contradict_each_other_are_suspect(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 3);
	struct consortium c;
	struct err err;
	uint64_t *sum;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	sum = consortium_sum(&c);
	sum[2]++; /* one more leaves than there are rows */
	assert_int_equal(
	    plan_step(c.plan, sum, plan_words(c.plan), 3, &err), 0);
	assert_string_equal(plan_kind(c.plan), "counts");
	assert_int_equal(plan_index(c.plan), 1);
	free(sum);
	consortium_run(&c);
	assert_true(consortium_result(&c).converged);
	assert_non_null(
	    strstr(consortium_result(&c).warnings[0], "1 sums were beyond"));
	consortium_close(&c);
	rows_free(&r);
}

static void
other_rows_than_before_begin_anew(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 3);
	struct consortium c;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	for (int k = 0; k < 4; k++)
		consortium_round(&c);
	assert_string_equal(plan_kind(c.plan), "newton");
	c.site[1].n_rows = 0; /* this site is away from now on */
	consortium_round(&c);
	assert_string_equal(plan_kind(c.plan), "counts");
	assert_int_equal(plan_index(c.plan), 5);
	consortium_run(&c);
	assert_true(consortium_result(&c).converged);
	assert_int_equal(consortium_result(&c).n, 141);
	assert_non_null(
	    strstr(consortium_result(&c).warnings[0], "began anew 1 times"));
	consortium_close(&c);
	rows_free(&r);
}

static void
wrong_calls_are_refused(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 3), bad = s;
	struct consortium c;
	struct err err;
	uint64_t *sum;
	size_t n;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	sum = consortium_sum(&c);
	n = plan_words(c.plan);
	assert_int_equal(plan_step(c.plan, sum, n - 1, 3, &err), -1);
	assert_int_equal(plan_step(c.plan, sum, n, 0, &err), -1);
	assert_int_equal(plan_step(c.plan, sum, n, 4, &err), -1);
	assert_int_equal(plan_index(c.plan), 0);
	free(sum);
	consortium_run(&c);
	assert_int_equal(plan_step(c.plan, (uint64_t[1]){ 0 }, 0, 3, &err), -1);
	bad.n_terms = 0;
	assert_null(plan_new(&bad, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	bad = s;
	bad.tolerance = NAN;
	assert_null(plan_new(&bad, &err));
	bad = s;
	bad.terms[0].max = bad.terms[0].min - 1;
	assert_null(plan_new(&bad, &err));
	assert_non_null(strstr(err.msg, "age"));
	consortium_close(&c);
	rows_free(&r);
}

static void
rows_that_do_not_fit_the_study_are_refused_without_their_values(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 1);
	struct consortium c;
	double *values, keep;
	struct err err;

	(void)state;
	consortium_open(&c, &s, &r, deal_in_turn);
	values = calloc(plan_values(c.plan), sizeof(*values));
	keep = c.site[0].x[7];
	c.site[0].x[7] = 1234.5;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	assert_non_null(strstr(err.msg, "row 2"));
	assert_null(strstr(err.msg, "1234"));
	c.site[0].x[7] = NAN;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	c.site[0].x[7] = keep;
	c.site[0].event[3] = 2;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	c.site[0].event[3] = 1;
	c.site[0].time_index[3] = s.n_times;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), -1);
	c.site[0].time_index[3] = 0;
	assert_int_equal(contribute(c.plan, &c.site[0], values, &err), 0);
	free(values);
	consortium_close(&c);
	rows_free(&r);
}

/* Run it all; the only warning contains expected. */
static struct result
run_with_warning(struct rows *r, enum model_kind kind, uint32_t step,
    deal_fn deal, const char *expected)
{
	struct model_spec s = spec_for(r, kind, 3);
	struct canon json = { 0 }, text = { 0 };
	struct result_meta meta = { .study = "test" };
	struct consortium c;
	struct result result;
	struct err err;

	s.risk_set_step = step;
	consortium_open(&c, &s, r, deal);
	consortium_run(&c);
	result = consortium_result(&c);
	assert_int_equal(result.n_warnings, expected == NULL ? 0 : 1);
	if (expected != NULL && strstr(result.warnings[0], expected) == NULL)
		fail_msg("%s", result.warnings[0]);
	assert_int_equal(result_json(c.plan, &meta, &json, &err), 0);
	assert_int_equal(result_text(c.plan, &meta, &text, &err), 0);
	canon_u8(&text, 0);
	assert_null(strstr((char *)text.data, "nan"));
	assert_null(strstr((char *)text.data, "inf"));
	if (expected != NULL)
		assert_non_null(strstr((char *)text.data, expected));
	canon_free(&json);
	canon_free(&text);
	consortium_close(&c);
	return result;
}

static double
uniform(void)
{
	return (double)random() / RAND_MAX;
}

/* n rows, 3 terms; the outcome depends on x1 a little. */
static struct rows
random_rows(size_t n)
{
	struct rows r = rows_new(n, 3);

	srandom(5);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < 3; k++)
			r.x[3 * i + k] = uniform();
		r.event[i] = uniform() < 0.3 + 0.4 * r.x[3 * i];
		r.time[i] = 1 + floor(200 * uniform());
		r.stratum[i] = r.event[i];
	}
	return r;
}

static void
constant_terms_are_named_and_left_out(void **state)
{
	(void)state;
	for (int kind = MODEL_COX; kind <= MODEL_LOGISTIC; kind++) {
		struct rows r = random_rows(120);
		struct result got;

		for (size_t i = 0; i < r.n; i++)
			r.x[3 * i + 1] = 0.1;
		got = run_with_warning(&r, kind, 1, deal_in_turn,
		    "the same in all patients, and left out of the model: x2");
		assert_true(got.converged);
		assert_false(term_named(&got, "x2")->estimated);
		assert_true(term_named(&got, "x3")->estimated);
		rows_free(&r);
	}
}

static void
collinear_terms_are_named_and_left_out(void **state)
{
	(void)state;
	for (int kind = MODEL_COX; kind <= MODEL_LOGISTIC; kind++) {
		struct rows r = random_rows(120);
		struct result got;

		for (size_t i = 0; i < r.n; i++)
			r.x[3 * i + 2] =
			    2 * r.x[3 * i] - 3 * r.x[3 * i + 1] + 7;
		got = run_with_warning(&r, kind, 1, deal_in_turn,
		    "a combination of the terms before it, and left out of "
		    "the model: x3");
		assert_true(got.converged);
		assert_int_equal(got.lr.df, 2);
		assert_false(term_named(&got, "x3")->estimated);
		rows_free(&r);
	}
}

static void
nothing_that_varies_is_said(void **state)
{
	struct rows r = random_rows(50);

	(void)state;
	for (size_t i = 0; i < 150; i++)
		r.x[i] = 2;
	for (int kind = MODEL_COX; kind <= MODEL_LOGISTIC; kind++) {
		struct model_spec s = spec_for(&r, kind, 3);
		struct consortium c;
		struct result got;

		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		got = consortium_result(&c);
		assert_false(got.fitted);
		assert_non_null(
		    strstr(got.warnings[0], "no term varies between"));
		consortium_close(&c);
	}
	rows_free(&r);
}

static void
separation_is_found_and_named(void **state)
{
	(void)state;
	for (int kind = MODEL_COX; kind <= MODEL_LOGISTIC; kind++) {
		struct rows r = random_rows(150);
		struct result got;

		/* Nobody with x2 = 1 ever has an event. */
		for (size_t i = 0; i < r.n; i++)
			r.x[3 * i + 1] = r.event[i] == 0 && i % 2 == 0;
		got = run_with_warning(
		    &r, kind, 1, deal_in_turn, "separation: x2 predicts");
		assert_false(got.converged);
		assert_false(term_named(&got, "x2")->estimated);
		assert_true(term_named(&got, "x1")->estimated);
		rows_free(&r);
	}
}

static void
complete_separation_is_found_and_named(void **state)
{
	struct rows r = random_rows(90);
	struct result got;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.event[i] = r.x[3 * i + 2] > 0.5;
	got = run_with_warning(
	    &r, MODEL_LOGISTIC, 1, deal_in_turn, "separation: ");
	assert_false(got.converged);
	assert_non_null(strstr(got.warnings[0], "x3"));
	rows_free(&r);
}

static void
fewer_patients_than_terms_are_said(void **state)
{
	struct rows r = rows_new(6, 8);
	struct result got;
	struct model_spec s;
	struct consortium c;

	(void)state;
	srandom(2);
	for (size_t i = 0; i < 48; i++)
		r.x[i] = uniform();
	for (size_t i = 0; i < 6; i++)
		r.event[i] = i % 2;
	s = spec_for(&r, MODEL_LOGISTIC, 3);
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_false(got.converged);
	assert_int_equal(got.n_warnings, 2);
	assert_non_null(strstr(got.warnings[0], "separation"));
	assert_non_null(strstr(got.warnings[1], "x6, x7, x8"));
	consortium_close(&c);
	rows_free(&r);
}

static void
no_event_and_one_class_are_said(void **state)
{
	struct rows r = random_rows(50);

	(void)state;
	memset(r.event, 0, r.n);
	run_with_warning(&r, MODEL_COX, 1, deal_in_turn, "no patient had");
	run_with_warning(&r, MODEL_LOGISTIC, 1, deal_in_turn,
	    "the outcome is the same in all patients");
	memset(r.event, 1, r.n);
	run_with_warning(&r, MODEL_LOGISTIC, 1, deal_in_turn,
	    "the outcome is the same in all patients");
	rows_free(&r);
}

static void
fewer_events_than_the_smallest_step_are_said(void **state)
{
	struct rows r = random_rows(50);
	struct result got;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.event[i] = i < 4;
	got = run_with_warning(&r, MODEL_COX, 5, deal_in_turn,
	    "too few events or patients for the study's smallest step of 5");
	assert_false(got.fitted);
	run_with_warning(
	    &r, MODEL_LOGISTIC, 5, deal_in_turn, "too few events or patients");
	rows_free(&r);
}

/* One site has no event (no outcome) at all, another has nothing else. */
static void
one_class_at_a_site_changes_nothing(void **state)
{
	(void)state;
	for (int kind = MODEL_COX; kind <= MODEL_LOGISTIC; kind++) {
		struct rows r = random_rows(120);
		struct result a, b;

		a = run_with_warning(&r, kind, 1, deal_in_turn, NULL);
		b = run_with_warning(&r, kind, 1, deal_by_stratum, NULL);
		for (size_t k = 0; k < a.n_terms; k++)
			assert_true(
			    fabs(a.terms[k].estimate - b.terms[k].estimate) <
			    1e-11 * a.terms[k].se);
		rows_free(&r);
	}
}

static void
an_empty_site_changes_nothing(void **state)
{
	struct rows r = rows_read("birthwt.csv");
	struct model_spec s = spec_for(&r, MODEL_LOGISTIC, 3);
	struct consortium c;

	(void)state;
	consortium_open(&c, &s, &r, deal_by_stratum); /* all to the first */
	consortium_run(&c);
	assert_true(consortium_result(&c).converged);
	assert_int_equal(consortium_result(&c).n, 189);
	consortium_close(&c);
	rows_free(&r);
}

/* Far outliers make the first Newton steps overshoot. */
static void
halves_a_step_that_goes_too_far(void **state)
{
	struct rows r = random_rows(200);
	struct result got;

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		double u = uniform();

		r.x[3 * i] = u < 0.02 ? 60 + 40 * u : u;
		r.time[i] = 1 + floor(400 * uniform() * exp(-3 * u));
	}
	got = run_with_warning(&r, MODEL_COX, 1, deal_in_turn, NULL);
	assert_true(got.converged);
	assert_true(got.loglik > got.null_loglik);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_of_sites_does_not_change_a_byte),
		cmocka_unit_test(
		    a_plan_that_is_loaded_goes_on_as_the_one_that_was_saved),
		cmocka_unit_test(
		    a_plan_of_more_rows_than_there_can_be_is_refused),
		cmocka_unit_test(damaged_model_bytes_are_refused_or_harmless),
		cmocka_unit_test(
		    a_sum_beyond_its_bounds_changes_the_index_alone),
		cmocka_unit_test(counts_that_contradict_each_other_are_suspect),
		cmocka_unit_test(other_rows_than_before_begin_anew),
		cmocka_unit_test(wrong_calls_are_refused),
		cmocka_unit_test(
		    rows_that_do_not_fit_the_study_are_refused_without_their_values),
		cmocka_unit_test(constant_terms_are_named_and_left_out),
		cmocka_unit_test(collinear_terms_are_named_and_left_out),
		cmocka_unit_test(nothing_that_varies_is_said),
		cmocka_unit_test(separation_is_found_and_named),
		cmocka_unit_test(complete_separation_is_found_and_named),
		cmocka_unit_test(fewer_patients_than_terms_are_said),
		cmocka_unit_test(no_event_and_one_class_are_said),
		cmocka_unit_test(fewer_events_than_the_smallest_step_are_said),
		cmocka_unit_test(one_class_at_a_site_changes_nothing),
		cmocka_unit_test(an_empty_site_changes_nothing),
		cmocka_unit_test(halves_a_step_that_goes_too_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

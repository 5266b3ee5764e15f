#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "tests/model/consortium.h"

static const char *const sites[] = { "north", "south" };
static const struct result_round rounds[] = {
	{ .round = 7,
	    .step = 0,
	    .kind = "counts",
	    .n_sites = 2,
	    .sites = sites },
};
static const char *const warnings[] = { "a \"warning\" of the caller's" };

static const struct result_meta meta = {
	.study = "lung",
	.study_digest = "00ff",
	.consortium = "test",
	.outcome = "death",
	.time_unit = "days",
	.rounds = rounds,
	.n_rounds = 1,
	.warnings = warnings,
	.n_warnings = 1,
	.k = 5,
	.cohort = "fixed",
	.verify = "replay",
};

struct fixture {
	struct rows rows;
	struct consortium c;
	struct canon out;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct model_spec s;

	f->rows = rows_read("lung.csv");
	s = spec_for(&f->rows, MODEL_COX, 2);
	consortium_open(&f->c, &s, &f->rows, deal_in_turn);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	canon_free(&f->out);
	consortium_close(&f->c);
	rows_free(&f->rows);
	free(f);
	return 0;
}

static const char *
text_of(struct fixture *f,
    int (*render)(const struct plan *, const struct result_meta *,
	struct canon *, struct err *))
{
	struct err err;

	canon_free(&f->out);
	if (render(f->c.plan, &meta, &f->out, &err) == -1)
		fail_msg("%s", err.msg);
	canon_u8(&f->out, 0);
	return (const char *)f->out.data;
}

static void
has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void
there_is_no_result_before_the_plan_is_done(void **state)
{
	struct fixture *f = *state;
	struct result r;
	struct err err;

	assert_int_equal(result_read(f->c.plan, &r, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_int_equal(result_json(f->c.plan, &meta, &f->out, &err), -1);
	assert_int_equal(result_text(f->c.plan, &meta, &f->out, &err), -1);
	assert_int_equal(f->out.len, 0);
}

static void
json_has_what_consilium_result_says(void **state)
{
	struct fixture *f = *state;
	char number[64];
	const char *json;
	struct result r;

	consortium_run(&f->c);
	r = consortium_result(&f->c);
	json = text_of(f, result_json);
	has(json, "\"study\": \"lung\"");
	has(json, "\"kind\": \"cox\"");
	has(json, "\"n\": 212");
	has(json, "\"events\": 150");
	has(json, "\"name\": \"ph.ecog\"");
	has(json, "\"converged\": true");
	has(json, "\"grid\": {");
	has(json, "\"sites\": [");
	has(json, "\"cohort\": \"fixed\"");
	has(json, "a \\\"warning\\\" of the caller's");
	/* 17 digits: the same double is read back. */
	snprintf(
	    number, sizeof(number), "\"estimate\": %.17g", r.terms[0].estimate);
	has(json, number);
	assert_null(strstr(json, "nan"));
}

static void
text_is_a_table_with_the_tests_below(void **state)
{
	struct fixture *f = *state;
	const char *text;

	consortium_run(&f->c);
	text = text_of(f, result_text);
	has(text, "Study lung\nCox proportional hazards, Efron ties");
	has(text, "n = 212, events = 150, 2 sites");
	has(text,
	    "sex              -0.6365     0.5291  0.3736 to 0.7495  "
	    "       0.1777   -3.583    0.0003\n");
	has(text, "Likelihood ratio test  33.4957 on 5 df, p <0.0001");
	has(text, "Concordance            0.641");
	has(text, "Warning: a \"warning\" of the caller's.\n");
}

static void
tails_of_the_tests_are_right(void **state)
{
	struct fixture *f = *state;
	struct result r;

	consortium_run(&f->c);
	r = consortium_result(&f->c);
	/* R: pchisq(33.495731767173311, 5, lower = FALSE), and 2 * pnorm(). */
	assert_true(fabs(r.lr.p - 2.9997503881660897e-06) < 1e-17);
	assert_true(
	    fabs(term_named(&r, "sex")->p - 3.3993174125538891e-04) < 1e-13);
	assert_true(fabs(term_named(&r, "sex")->ci_low + 0.98469388) < 1e-7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    there_is_no_result_before_the_plan_is_done, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    json_has_what_consilium_result_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    text_is_a_table_with_the_tests_below, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    tails_of_the_tests_are_right, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

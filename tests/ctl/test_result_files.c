#include "tests/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/finished.h"
#include "ctl/result_files.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "study/study.h"
#include "tests/faults/inside.h"

/* The demonstration's study after rounds in which no site had a row. */
static struct finished_round round_of_nobody = { 1, 0, "counts", 3, "a b c",
	5 };
static struct finished finished = { .consortium = "demo",
	.n_sites = 3,
	.corrupted = 1,
	.smallest_sites = 3,
	.rounds = &round_of_nobody,
	.n_rounds = 1 };
static struct canon plan_bytes;
static uint8_t *text;

static int
step_to_the_end(struct plan *plan, struct err *err)
{
	while (!plan_done(plan)) {
		size_t n = plan_words(plan);
		uint64_t *sum = calloc(n, sizeof(*sum));
		int rv = sum == NULL ? -1 : plan_step(plan, sum, n, 3, err);

		free(sum);
		if (rv < 0)
			return -1;
	}
	return 0;
}

static int
make_plan(void **state)
{
	static struct model_spec spec;
	struct study *s;
	struct plan *plan;
	struct err err;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/examples/breast-cancer/rfs.study",
	    getenv("top_srcdir"));
	text = file_read(path, STUDY_TEXT_MAX, &finished.text_len, &err);
	if (text == NULL)
		return -1;
	finished.text = (const char *)text;
	if ((s = study_parse("rfs", text, finished.text_len, &err)) == NULL ||
	    study_model_spec(s, 3, &spec, &err) < 0 ||
	    (plan = plan_new(&spec, &err)) == NULL ||
	    step_to_the_end(plan, &err) < 0)
		return -1;
	plan_save(plan, &plan_bytes);
	finished.plan = plan_bytes.data;
	finished.plan_len = plan_bytes.len;
	plan_free(plan);
	study_free(s);
	return 0;
}

static int
free_plan(void **state)
{
	(void)state;
	canon_free(&plan_bytes);
	free(text);
	return 0;
}

static bool
holds(const struct canon *c, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= c->len; i++)
		if (memcmp(c->data + i, word, n) == 0)
			return true;
	return false;
}

static void
a_finished_study_becomes_both_files(void **state)
{
	struct canon body = { 0 }, json = { 0 }, out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(finished_write(&finished, &body, &err), 0);
	assert_int_equal(
	    result_files(body.data, body.len, &json, &out, &err), 0);
	assert_true(holds(&json, "\"study\": \"rfs\""));
	assert_true(holds(&json, "\"demo\""));
	assert_true(holds(&json, "\"counts\""));
	assert_true(holds(&json, "\"fixed\""));
	assert_true(out.len > 0);
	canon_free(&body);
	canon_free(&json);
	canon_free(&out);
}

static void
what_does_not_fit_together_is_refused(void **state)
{
	struct finished bad = finished;
	struct canon body = { 0 }, json = { 0 }, out = { 0 };
	struct err err;

	(void)state;
	bad.n_sites = 0; /* nobody's study */
	assert_int_equal(finished_write(&bad, &body, &err), 0);
	assert_int_equal(
	    result_files(body.data, body.len, &json, &out, &err), -1);
	body.len = 0;
	bad = finished;
	bad.plan_len--;
	assert_int_equal(finished_write(&bad, &body, &err), 0);
	assert_int_equal(
	    result_files(body.data, body.len, &json, &out, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	body.len = 0;
	bad = finished;
	bad.text_len /= 2;
	assert_int_equal(finished_write(&bad, &body, &err), 0);
	assert_int_equal(
	    result_files(body.data, body.len, &json, &out, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	canon_free(&body);
	canon_free(&json);
	canon_free(&out);
}

static struct canon body;

static int
make_files(void *self, struct err *err)
{
	struct canon json = { 0 }, out = { 0 };
	int rv = result_files(body.data, body.len, &json, &out, err);

	(void)self;
	canon_free(&json);
	canon_free(&out);
	return rv;
}

static void
both_files_or_why_not(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(finished_write(&finished, &body, &err), 0);
	every_fault(INSIDE_MEMORY, make_files, NULL, NULL);
	canon_free(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finished_study_becomes_both_files),
		cmocka_unit_test(what_does_not_fit_together_is_refused),
		cmocka_unit_test(both_files_or_why_not),
	};

	return cmocka_run_group_tests(tests, make_plan, free_plan);
}

/*
 * A coordinator that is restored from a backup, and has lost the uploads to a sum
 * that one site alone has taken, which is no more than c: nobody can vouch for it.
 * So they come back from those who made them, and the others check the sum as if
 * nothing had been lost.  No site gives a second answer (harness.h).
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/exchange.h"

static struct site *const late = &h.sites[3];
static unsigned stage;
static uint32_t last_step; /* that others than the first get to */

static int
start(const char *cohort, const char *privacy, unsigned keep_tables)
{
	stage = 0;
	return consortium_start((struct options){ .n = 4,
	    .cohort = cohort,
	    .privacy = privacy,
	    .keep_tables = keep_tables,
	    .ready_wait_s = strcmp(cohort, "open") == 0 ? 1 : 60,
	    .deadline_s = 2 });
}

static int
setup(void **state)
{
	(void)state;
	return start("fixed", NULL, 1);
}

static int
setup_open(void **state)
{
	(void)state;
	return start("open", NULL, 1);
}

static int
setup_sample(void **state)
{
	(void)state;
	return start("fixed", "verify = sample\n", 1);
}

static int
setup_no_tables(void **state)
{
	(void)state;
	return start("fixed", NULL, 0);
}

static bool
all_done(void)
{
	bool all = done(h.control);

	for (size_t i = 0; i < h.n; i++)
		all = done(h.sites[i].control) && all;
	return all;
}

static uint32_t evaluation;

static enum fate
lose_for_all_but_one(struct site *s, enum round_type type, struct canon *msg)
{
	struct exchange_next next;
	struct round_about about;
	struct context c;
	struct err err;

	if (stage == 1 && type == ROUND_ANNOUNCE) {
		ok(round_announce_open(
		       ctx_of(NULL, &c), msg->data, msg->len, &about, &err),
		    &err);
		/* It has two rounds. */
		if (strcmp(about.kind, "evaluation") == 0)
			evaluation = MIN(evaluation, about.step);
		if (about.step == evaluation + 1)
			last_step = MIN(last_step, about.step);
	}
	if (stage != 1 || s == &h.sites[0] || type != ROUND_RESULT)
		return PASS;
	ok(exchange_next_read(s->poll.data, s->poll.len, &next, &err), &err);
	return next.studies[0].idx >= last_step ? LOSE : PASS;
}

static bool
is_further(const struct site *s, uint32_t step)
{
	control_ok(s->control, "status", "small", NULL, 0);
	return strtoul(cell("step"), NULL, 10) > step;
}

/* The next one, or that of the study's last step. */
static void
one_has_the_sum(bool next)
{
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	last_step = next ? (uint32_t)audit_lines("coordinator", "sum", "study")
			 : UINT32_MAX;
	evaluation = UINT32_MAX - 1;
	stage = 1;
	h.to_site = lose_for_all_but_one;
	wait_until(
	    last_step != UINT32_MAX && is_further(&h.sites[0], last_step));
}

static void
burn(void)
{
	stage = 2;
	restore_rounds();
}

static void
uploads_of_the_last_sum_are_handed_back(void **state)
{
	(void)state;
	one_has_the_sum(true);
	burn();
	finish();
	assert_int_equal(
	    audit_lines("coordinator", "returned", "what=upload"), h.n);
	for (size_t i = 0; i < h.n; i++) {
		assert_int_equal(
		    audit_lines(h.sites[i].name, "returned", "what=upload"), 1);
		assert_int_equal(
		    audit_lines(h.sites[i].name, "sum", "verify=vouched"), 0);
	}
	assert_int_equal(audit_lines("coordinator", "taken-up", "small"), 0);
}

/* After which nobody has anything to do but to take it. */
static void
also_those_of_the_studys_last_sum(void **state)
{
	(void)state;
	one_has_the_sum(false);
	assert_true(done(h.sites[0].control));
	assert_false(done(h.sites[1].control));
	burn();
	finish();
}

/* On the way back all are killed, again and again. */
static void
also_where_it_is_killed_on_the_way(void **state)
{
	(void)state;
	one_has_the_sum(true);
	burn();
	for (size_t n = 0; n < h.n; n++) {
		wait_for_audit("coordinator", "returned", "what=upload", n);
		kill_rounds();
		start_all();
	}
	finish();
}

/* Who has to bring its part is named; and the sum is as good as ever then. */
static void
who_has_an_upload_that_is_missing_is_named(void **state)
{
	(void)state;
	one_has_the_sum(true);
	kill_site(late);
	burn();
	wait_for_audit("coordinator", "sum-lost", "missing, of site 13", 0);
	start_site(late);
	finish();
}

/* A site keeps one upload at most beside that of the open round, and none of a
   study whose table is gone. */
static size_t
uploads_kept(const struct site *s)
{
	char command[256], text[16] = "";
	FILE *f;

	snprintf(command, sizeof(command),
	    "ls %s/spool | grep -c '^small\\.[0-9]*$'", s->state);
	assert_non_null(f = popen(command, "r"));
	assert_non_null(fgets(text, sizeof(text), f));
	pclose(f);
	return (size_t)atol(text);
}

static void
an_upload_is_kept_until_the_next_sum(void **state)
{
	size_t n;

	(void)state;
	begin();
	for (n = 0; !all_done(); pump(20)) {
		for (size_t i = 0; i < h.n; i++)
			n = MAX(n, uploads_kept(&h.sites[i]));
	}
	assert_true(n <= 2);
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(uploads_kept(&h.sites[i]), h.o.keep_tables);
}

#define TEST(f, setup)                                                         \
	cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(uploads_of_the_last_sum_are_handed_back, setup),
		TEST(uploads_of_the_last_sum_are_handed_back, setup_sample),
		TEST(also_those_of_the_studys_last_sum, setup_open),
		TEST(also_where_it_is_killed_on_the_way, setup),
		TEST(who_has_an_upload_that_is_missing_is_named, setup_open),
		TEST(an_upload_is_kept_until_the_next_sum, setup),
		TEST(an_upload_is_kept_until_the_next_sum, setup_no_tables),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

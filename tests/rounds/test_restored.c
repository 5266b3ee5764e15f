/*
 * A coordinator whose database is restored from a backup, and a study that goes
 * on: the sites hand back what it has lost.  Throughout no site gives a second
 * answer (harness.h), and the model is that of all rows, to the bit.
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

static int
start(const char *cohort, const char *privacy, unsigned ready_wait_s)
{
	stage = 0;
	return consortium_start((struct options){ .n = 4,
	    .cohort = cohort,
	    .privacy = privacy,
	    .keep_tables = 1,
	    .ready_wait_s = ready_wait_s,
	    .deadline_s = 2 });
}

static int
setup(void **state)
{
	(void)state;
	return start("fixed", NULL, 60);
}

static int
setup_open(void **state)
{
	(void)state;
	return start("open", NULL, 1);
}

static int
setup_trust(void **state)
{
	(void)state;
	return start("open", "verify = trust\n", 1);
}

static size_t
sums(void)
{
	return audit_lines("coordinator", "sum", "study");
}

static void
lose_sums(size_t k)
{
	size_t n;

	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	n = sums();
	for (size_t i = 0; i < h.n; i++)
		wait_for_audit(h.sites[i].name, "sum", "study", n + k - 1);
	restore_rounds();
}

/* Another site brings what the first was asked for. */
static enum fate
another_brings_it(struct site *s, enum round_type type, struct canon *msg)
{
	struct site *other = &h.sites[(size_t)(s - h.sites + 1) % h.n];
	const char *why;

	if (type != ROUND_RESULT || stage == 1)
		return PASS;
	stage = 1;
	/* (or it is asked by now, the first having taken its time) */
	why = rounds_say(other, msg);
	if (strstr(why, "no result is missing here") == NULL &&
	    strstr(why, "without the sum that it names") == NULL)
		fail_msg("%s", why);
	return PASS;
}

static void
one_lost_result_is_handed_back(void **state)
{
	(void)state;
	h.to_rounds = another_brings_it;
	lose_sums(1);
	finish();
	assert_int_equal(stage, 1);
	assert_true(audit_lines("coordinator", "backup-found", "study") == 1);
	assert_true(audit_lines("coordinator", "returned", "study") >= 1);
}

static void
many_lost_results_are_handed_back(void **state)
{
	(void)state;
	lose_sums(3);
	/* Again on the way back, from the same image's files. */
	wait_for_audit("coordinator", "returned", "study", 0);
	kill_rounds();
	start_all();
	finish();
	assert_true(audit_lines("coordinator", "returned", "study") >= 3);
}

static bool
all_done(void)
{
	bool all = done(h.control);

	for (size_t i = 0; i < h.n; i++)
		all = done(h.sites[i].control) && all;
	return all;
}

static void
wait_done(void)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;

	while (!all_done()) {
		if (clock_mono_ms() > until)
			fail_msg("not done in time");
		pump(20);
	}
}

static enum fate
lose_checked(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	(void)msg;
	return stage == 1 && type == ROUND_CHECKED ? LOSE : PASS;
}

/* Nobody has told yet what the last sum came to: not before it is back. */
static void
what_was_checked_is_told_of_each_sum_that_is_back(void **state)
{
	(void)state;
	stage = 1;
	h.to_rounds = lose_checked;
	lose_sums(2);
	stage = 2;
	finish();
	assert_true(audit_lines("coordinator", "returned", "study") >= 2);
	assert_int_equal(audit_lines("coordinator", "refused", ""), 0);
}

static void
a_study_that_was_done_is_done_again(void **state)
{
	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	wait_done();
	restore_rounds();
	finish();
}

/* A backup from before there was anything. */
static void
manifest_and_study_are_submitted_again(void **state)
{
	(void)state;
	back_up_rounds();
	begin();
	for (size_t i = 0; i < h.n; i++)
		wait_for_audit(h.sites[i].name, "sum", "study", 1);
	restore_rounds();
	submit();
	finish();
}

/* Under trust a sum is all that a site needs, and it is back. */
static void
a_late_site_takes_what_was_handed_back(void **state)
{
	size_t n;

	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	h.victim = 3;
	h.at = ROUND_UPLOAD;
	wait_until(h.killed);
	n = audit_lines(late->name, "sum", "study");
	for (size_t i = 0; i < 3; i++)
		wait_for_audit(h.sites[i].name, "sum", "study", n);
	restore_rounds();
	wait_for_audit("coordinator", "returned", "study", 0);
	start_site(late);
	wait_done();
}

/* Uploads are lost for good, so the others sign again what they have checked. */
static void
others_vouch_for_a_sum_whose_uploads_are_lost(void **state)
{
	a_late_site_takes_what_was_handed_back(state);
	assert_true(audit_lines(late->name, "sum", "verify=vouched") >= 1);
}

/* Rounds that came to nothing: their numbers are known to the sites alone. */
static enum fate
lose_uploads(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	(void)msg;
	return stage == 1 && type == ROUND_UPLOAD ? LOSE : PASS;
}

static void
numbers_of_lost_rounds_are_not_given_again(void **state)
{
	size_t n;

	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	stage = 1;
	h.to_rounds = lose_uploads;
	back_up_rounds();
	n = audit_lines("coordinator", "abort", "study");
	wait_for_audit("coordinator", "abort", "study", n + 2);
	restore_rounds();
	wait_for_audit("coordinator", "backup-found", "study", 0);
	stage = 2;
	finish();
	assert_int_equal(audit_lines("coordinator", "sum-lost", "study"), 0);
}

/* All have opened the sum; the machine burns before anybody was told. */
static uint32_t last_step; /* that anybody gets to */

static enum fate
lose_results(struct site *s, enum round_type type, struct canon *msg)
{
	struct exchange_next next;
	struct err err;

	(void)msg;
	if (stage != 1 || type != ROUND_RESULT)
		return PASS;
	ok(exchange_next_read(s->poll.data, s->poll.len, &next, &err), &err);
	return next.studies[0].idx >= last_step ? LOSE : PASS;
}

/* Enough have opened it; one is not shown that it may. */
static enum fate
keep_late_from_unmasking(
    struct site *s, enum round_type type, struct canon *msg)
{
	if (s == late && type == ROUND_CERTIFICATE && stage == 1)
		return LOSE;
	return lose_results(s, type, msg);
}

static void
open_and_burn(bool all)
{
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	last_step = (uint32_t)sums();
	stage = 1;
	h.to_site = keep_late_from_unmasking;
	wait_for_audit("coordinator", "sum", "study", last_step);
	if (!all)
		kill_site(late);
	restore_rounds();
	stage = 2;
}

static void
a_round_that_nobody_has_the_sum_of_is_taken_up_again(void **state)
{
	(void)state;
	open_and_burn(true);
	finish();
	assert_int_equal(
	    audit_lines("coordinator", "taken-up", "study=small"), 1);
	assert_int_equal(audit_lines("coordinator", "sum-lost", "study"), 0);
}

/* Its number is known by the first who hands it back, and the coordinator is killed;
   who was not shown the certificate hands it back all the same. */
static enum fate
lose_what_late_has(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	return s == late && type == ROUND_KEPT && stage == 2 ? LOSE : PASS;
}

static void
a_round_is_taken_up_again_after_a_kill(void **state)
{
	(void)state;
	h.to_rounds = lose_what_late_has;
	open_and_burn(true);
	wait_for_audit("coordinator", "backup-found", "study", 0);
	control_ok(h.control, "status", "small", NULL, 0);
	kill_rounds();
	stage = 3;
	start_all();
	finish();
	assert_int_equal(
	    audit_lines("coordinator", "taken-up", "study=small"), 1);
	assert_int_equal(audit_lines("coordinator", "sum-lost", "study"), 0);
}

/* The question is lost on its way to one. */
static enum fate
lose_a_question(struct site *s, enum round_type type, struct canon *msg)
{
	if (s == late && type == ROUND_BEHIND && stage == 2) {
		stage = 3;
		return LOSE;
	}
	return keep_late_from_unmasking(s, type, msg);
}

static void
who_has_never_been_asked_is_asked_again(void **state)
{
	(void)state;
	open_and_burn(true);
	h.to_site = lose_a_question;
	finish();
	assert_int_equal(stage, 3);
	assert_int_equal(
	    audit_lines("coordinator", "taken-up", "study=small"), 1);
}

/* It waits for who has to hand back what it has kept, and says so. */
static void
a_sum_that_nobody_can_make_again_is_said_in_words(void **state)
{
	(void)state;
	open_and_burn(false);
	wait_for_audit("coordinator", "sum-lost", "site 13", 0);
	control_ok(h.control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "recovering");
	kill_rounds();
	start_all();
	wait_for_audit("coordinator", "sum-lost", "site 13", 1);
	start_site(late);
	finish();
}

#define TEST(f, setup)                                                         \
	cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(one_lost_result_is_handed_back, setup),
		TEST(many_lost_results_are_handed_back, setup),
		TEST(what_was_checked_is_told_of_each_sum_that_is_back, setup),
		TEST(a_study_that_was_done_is_done_again, setup),
		TEST(manifest_and_study_are_submitted_again, setup),
		TEST(a_late_site_takes_what_was_handed_back, setup_trust),
		TEST(others_vouch_for_a_sum_whose_uploads_are_lost, setup_open),
		/* Here no round goes on without it. */
		TEST(others_vouch_for_a_sum_whose_uploads_are_lost, setup),
		TEST(numbers_of_lost_rounds_are_not_given_again, setup_open),
		TEST(a_round_that_nobody_has_the_sum_of_is_taken_up_again,
		    setup),
		TEST(a_round_is_taken_up_again_after_a_kill, setup),
		TEST(who_has_never_been_asked_is_asked_again, setup),
		TEST(a_sum_that_nobody_can_make_again_is_said_in_words,
		    setup_open),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

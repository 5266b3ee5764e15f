/*
 * Mistakes of those who run a site, and what becomes of them when they are
 * corrected.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board/snapshot.h"
#include "common/clock.h"
#include "common/err.h"

static void
restart(struct site *s, const char *policy)
{
	kill_site(s);
	h.o.policy = policy;
	start_site(s);
	h.o.policy = NULL;
}

/* A policy is a floor as long as nothing was prepared, in both directions. */
static void
a_study_is_judged_again_by_another_policy(void **state)
{
	static const char *const strict = "smallest-sites = 4\n";
	struct site *s = &h.sites[0];

	(void)state;
	restart(s, strict);
	submit();
	await_status(s, "refused", "wants at least 4");
	control(s->control, "prepare", "small", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(
	    strstr(h.reply.error, "judged again when the daemon starts"));
	/* The same once more: nothing new to record. */
	restart(s, strict);
	await_status(s, "refused", "wants at least 4");
	assert_int_equal(audit_lines("s0", "study", "verdict=refused"), 1);
	restart(s, NULL);
	await_status(s, "received", "");
	assert_int_equal(audit_lines("s0", "study", "verdict=received"), 1);
	restart(s, strict);
	await_status(s, "refused", "wants at least 4");
	restart(s, NULL);
	/* What was decided on stays as it is. */
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	restart(s, strict);
	await_status(s, "approved", "");
	finish();
}

static void
rename_site(struct site *s, const char *name)
{
	kill_site(s);
	snprintf(s->name, sizeof(s->name), "%s", name);
	start_site(s);
}

/* Under a wrong name nothing is judged, neither now nor what was before. */
static void
a_wrong_name_judges_nothing(void **state)
{
	static const char why[] =
	    "not judged: [site] name is graz, and the manifest calls this site "
	    "s0";
	struct site *s = &h.sites[0];

	(void)state;
	assert_int_equal(link(in_dir("s0.key"), in_dir("graz.key")), 0);
	rename_site(s, "graz");
	submit();
	await_status(s, "refused", why);
	rename_site(s, "s0");
	await_status(s, "received", "");
	rename_site(s, "graz");
	await_status(s, "received", "");
	rename_site(s, "s0");
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
}

static void
shell(const struct site *s, const char *what)
{
	char command[400];

	snprintf(command, sizeof(command), "cd %s && %s", s->state, what);
	assert_int_equal(system(command), 0);
}

/* It has found out, said so and started again; and answers nothing. */
static void
answers_nothing(struct site *s)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	size_t sent = s->n_sent;

	wait_for_audit("s0", "backup-found", "lost-answers=unknown", 0);
	do {
		assert_true(clock_mono_ms() < until);
		pump(10);
		control_ok(s->control, "status", "small", NULL, 0);
	} while (strstr(cell("why"), "restored from a backup") == NULL);
	assert_int_equal(h.n_deaths, 1);
	assert_int_equal(s->n_sent, sent);
	wait_for_audit("coordinator", "refused", "shortened", 0);
}

/* The folder is gone, or state = names another: the site's own signature says
   that there was more. */
static void
an_empty_state_folder_answers_nothing(void **state)
{
	struct site *s = &h.sites[0];

	(void)state;
	submit();
	approve(s);
	wait_for_audit("coordinator", "checkpoint", "site=10", 1);
	kill_site(s);
	shell(s, "rm -r audit.log db/* spool/*");
	h.may_die = true;
	start_site(s);
	answers_nothing(s);
	assert_string_equal(cell("status"), "received");
	/* Also after another start, and without another finding. */
	kill_site(s);
	start_site(s);
	answers_nothing(s);
	assert_int_equal(audit_lines("s0", "backup-found", ""), 1);
	/* The operator knows, and the study is not answered all the same. */
	control_ok(s->control, "restored", "", NULL, 0);
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	wait_for_audit("s0", "refused", "may have been answered", 0);
	assert_int_equal(audit_lines("s0", "upload", ""), 0);
}

/* All of it, with the count of answers: an image of the machine. */
static void
an_old_image_is_found_by_the_next_checkpoint(void **state)
{
	struct site *s = &h.sites[0];

	(void)state;
	begin();
	kill_site(s);
	shell(s, "mkdir ../image && cp -r . ../image");
	start_site(s);
	finish();
	control_ok(s->control, "checkpoint", "", NULL, 0);
	assert_string_equal(cell("lines"), cell("countersigned"));
	kill_site(s);
	shell(s, "rm -r audit.log db/* spool/* && cp -r ../image/. .");
	h.may_die = true;
	start_site(s);
	control(s->control, "checkpoint", "", NULL, 0);
	answers_nothing(s);
}

static void
a_checkpoint_that_is_not_countersigned_says_so(void **state)
{
	struct site *s = &h.sites[0];

	(void)state;
	submit();
	await_status(s, "received", "");
	h.lose_checkpoints = true;
	control(s->control, "checkpoint", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_SYSTEM);
	assert_string_equal(h.reply.error, "not countersigned: lost");
	h.lose_checkpoints = false;
	control_ok(s->control, "checkpoint", "", NULL, 0);
	assert_string_equal(cell("lines"), cell("countersigned"));
}

/* What cannot be asked is asked again, and nothing is taken before. */
static void
a_new_site_takes_no_manifest_before_its_past_is_known(void **state)
{
	struct site *s = &h.sites[0];
	int64_t until = clock_mono_ms() + 2500;

	(void)state;
	h.lose_checkpoints = true;
	submit();
	while (clock_mono_ms() < until)
		pump(20);
	assert_int_equal(audit_lines("s0", "manifest", ""), 0);
	h.lose_checkpoints = false;
	await_status(s, "received", "");
	assert_int_equal(audit_lines("s0", "manifest", ""), 1);
}

static int
setup_four(void **state)
{
	(void)state;
	return consortium_start((struct options){ .n = 4,
	    .cohort = "open",
	    .ready_wait_s = 3000,
	    .deadline_s = 3000,
	    .board = true,
	    .iterations = 1 });
}

/* When the phase ends, as the board was told last. */
static uint64_t
deadline_on_board(void)
{
	static uint64_t last;
	struct board_snapshot *b;
	struct err err;
	struct msg m;

	while (chan_recv(h.board, &m, &err) == 1) {
		b = board_read(m.data, m.len, &err);
		assert_non_null(b);
		last = b->n_studies != 0 ? b->studies[0].deadline : 0;
		board_snapshot_free(b);
		msg_free(&m);
	}
	return last;
}

static enum fate
lose_announcements(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	return s == &h.sites[3] && type == ROUND_ANNOUNCE ? LOSE : PASS;
}

/* Who is revoked is not waited for, and not said to be missing. */
static void
the_revoked_are_not_missing(void **state)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS, start = clock_utc();
	uint64_t deadline;

	(void)state;
	submit();
	h.to_site = lose_announcements;
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	do {
		assert_true(clock_mono_ms() < until);
		pump(10);
		control_ok(h.control, "status", "small", NULL, 0);
	} while (strcmp(cell("missing"), "s3") != 0);
	deadline = deadline_on_board();
	assert_in_range(deadline, start + 3000, clock_utc() + 3000);
	submit_epoch(1u << 3);
	while (audit_lines("coordinator", "sum", "study") == 0) {
		assert_true(clock_mono_ms() < until);
		pump(10);
		control_ok(h.control, "status", "small", NULL, 0);
		assert_null(strstr(cell("missing"), "s3"));
		deadline_on_board();
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, three_sites, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_is_judged_again_by_another_policy),
		TEST(a_wrong_name_judges_nothing),
		cmocka_unit_test_setup_teardown(
		    the_revoked_are_not_missing, setup_four, consortium_stop),
		TEST(an_empty_state_folder_answers_nothing),
		TEST(an_old_image_is_found_by_the_next_checkpoint),
		TEST(a_checkpoint_that_is_not_countersigned_says_so),
		TEST(a_new_site_takes_no_manifest_before_its_past_is_known),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

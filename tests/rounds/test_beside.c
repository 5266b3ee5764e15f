/*
 * Two studies at once: neither is in the other's way, and each ends with the
 * model of all rows.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <string.h>

#include "board/snapshot.h"
#include "common/err.h"
#include "privsep/msg.h"

static struct site *const s = &h.sites[0];
static bool begun; /* the second study */
static size_t trained; /* how often, at the first site */

static int
setup(void **state)
{
	begun = false;
	trained = 0;
	return three_sites(state);
}

static int
with_boards(void **state)
{
	(void)state;
	begun = false;
	return consortium_start((struct options){ .n = 3,
	    .cohort = "fixed",
	    .ready_wait_s = 60,
	    .deadline_s = 600,
	    .board = true,
	    .iterations = 1 });
}

static void
second(void)
{
	add_study("second");
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	h.name = "small";
}

/* While a trainer of the first is at work: a reader beside it. */
static void
another_comes(struct site *of)
{
	if (of != s || begun)
		return;
	begun = true;
	second();
}

static const struct board_study *
shown(const struct board_snapshot *b, const char *name)
{
	for (size_t i = 0; i < b->n_studies; i++) {
		if (strcmp(b->studies[i].name, name) == 0)
			return &b->studies[i];
	}
	fail_msg("%s is not on the board", name);
	return NULL;
}

static const char *
fact(const struct board_snapshot *b, const char *name)
{
	for (size_t i = 0; i < b->n_facts; i++) {
		if (strcmp(b->facts[i].name, name) == 0)
			return b->facts[i].value;
	}
	return "";
}

/* What it was told last; it has been told something. */
static struct board_snapshot *
board_of(const struct site *of)
{
	struct board_snapshot *b = NULL;
	struct err err;
	struct msg m;
	int rv;

	while ((rv = chan_recv(of->board, &m, &err)) == 1 || b == NULL) {
		if (rv != 1) {
			pump(10);
			continue;
		}
		board_snapshot_free(b);
		if ((b = board_read(m.data, m.len, &err)) == NULL)
			fail_msg("%s", err.msg);
		msg_free(&m);
	}
	return b;
}

static void
a_study_comes_while_another_is_computed(void **state)
{
	(void)state;
	h.training = another_comes;
	begin();
	finish();
	assert_true(begun);
	control_ok(s->control, "status", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 2);
	control_ok(h.control, "status", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 2);
	control_ok(s->control, "reports", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 0);
	control_ok(s->control, "checkpoint", "", NULL, 0);
}

/* A trainer of the first comes and goes while a reader is at work. */
static enum fate
not_yet(struct site *of, enum round_type type, struct canon *msg)
{
	(void)msg;
	return of == s && type == ROUND_ANNOUNCE && !begun ? LOSE : PASS;
}

static void
has_trained(struct site *of, struct canon *msg)
{
	(void)msg;
	trained += of == s;
}

static enum job_fate
slow_reader(struct site *of, struct chan *job, const struct msg *order)
{
	(void)job;
	if (of != s || order->type != MSG_READER_JOB || begun)
		return JOB_PASS;
	begun = true;
	wait_until(trained != 0);
	wait_until(s->last == ROUND_READY);
	return JOB_PASS;
}

static void
a_preparation_outlasts_a_training(void **state)
{
	(void)state;
	h.to_site = not_yet;
	h.trained = has_trained;
	begin();
	h.job = slow_reader;
	second();
	assert_true(begun);
	finish();
}

/* A reader fails while a trainer is at work, which was started after it. */
static struct chan *reader;
static uint64_t reader_tag;

static enum fate
not_before_the_reader(struct site *of, enum round_type type, struct canon *msg)
{
	(void)msg;
	return of == s && type == ROUND_ANNOUNCE && reader == NULL ? LOSE
								   : PASS;
}

static enum job_fate
fails_beside_it(struct site *of, struct chan *job, const struct msg *order)
{
	struct canon why = { 0 }, gone = { 0 };
	struct err err;

	if (of != s || begun)
		return JOB_PASS;
	if (order->type == MSG_READER_JOB) {
		control(s->control, "prepare", "small", NULL, 0);
		assert_non_null(
		    strstr(h.reply.error, "small is approved: revoke that"));
		reader = job;
		reader_tag = order->tag;
		wait_until(begun);
		return JOB_FATAL; /* it has had its end */
	}
	if (reader == NULL)
		return JOB_PASS;
	canon_u32(&why, ERR_FORMAT);
	canon_text(&why, "no rows");
	ok(chan_send_canon(reader, MSG_JOB_FAILED, reader_tag, &why, &err),
	    &err);
	ok(chan_drain(reader, TIMEOUT_MS, &err), &err);
	canon_u8(&gone, 1);
	canon_text(&gone, "ended");
	ok(chan_send_canon(s->parent, MSG_JOB_GONE, reader_tag, &gone, &err),
	    &err);
	begun = true;
	await_status(s, "received", "the last preparation failed: no rows");
	return JOB_PASS;
}

static void
a_preparation_fails_beside_a_training(void **state)
{
	(void)state;
	reader = NULL;
	h.to_site = not_before_the_reader;
	begin();
	add_study("second");
	await_status(s, "received", "");
	h.job = fails_beside_it;
	control(s->control, "prepare", "second", NULL, 0);
	assert_true(begun);
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
}

/* (The boards are read, so that nobody waits for that.) */
static bool
second_is_summed(void)
{
	struct err err;
	struct msg m;

	for (size_t i = 0; i <= h.n; i++) {
		struct chan *c = i < h.n ? h.sites[i].board : h.board;

		while (c != s->board && chan_recv(c, &m, &err) == 1)
			msg_free(&m);
	}
	board_snapshot_free(board_of(s));
	return audit_lines(s->name, "sum", "study=second") > 0;
}

/* The first is taken back and approved again, while the second goes on. */
static void
one_is_taken_back_and_the_other_goes_on(void **state)
{
	struct board_snapshot *b;

	(void)state;
	b = board_of(s);
	assert_int_equal(b->n_studies, 0);
	assert_string_equal(fact(b, "consortium"), "");
	board_snapshot_free(b);
	h.to_site = not_yet;
	begin();
	second();
	decide_anew(s, APPROVAL_REVOKE);
	begun = true;
	wait_until(second_is_summed());
	assert_int_equal(audit_lines(s->name, "upload", "study=small"), 0);
	b = board_of(s);
	assert_string_equal(fact(b, "consortium"), "test");
	assert_string_equal(fact(b, "members"), "4");
	assert_string_equal(shown(b, "small")->status, "refused");
	assert_string_equal(
	    shown(b, "small")->why, "by the officer: approval taken back");
	assert_string_equal(shown(b, "second")->prepared, "40 rows");
	assert_true(shown(b, "second")->round != 0);
	board_snapshot_free(b);
	decide_anew(s, APPROVAL_APPROVE);
	finish();
}

/* The second study's upload comes while the first waits for one, too, and the
   first has its sum before the second goes on. */
static enum fate
in_turn(struct site *of, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (h.of == 0)
		return of == s && type == ROUND_SHARESET && !begun ? LOSE
								   : PASS;
	return of != s && type == ROUND_LIST && trained == 0 ? LOSE : PASS;
}

static void
an_upload_is_not_lost_with_another_studys(void **state)
{
	(void)state;
	h.to_site = in_turn;
	/* This site is told the newer one first, and asks about it first. */
	kill_site(s);
	submit();
	for (size_t i = 1; i < h.n; i++)
		await_status(&h.sites[i], "received", "");
	add_study("second");
	start_site(s);
	for (size_t k = 0; k < h.n_studies; k++) {
		h.name = h.names[k];
		for (size_t i = 0; i < h.n; i++)
			approve(&h.sites[i]);
	}
	wait_for_audit(s->name, "upload", "study=second", 0);
	wait_until(s->last == ROUND_UPLOAD && !s->sending);
	begun = true;
	wait_for_audit("coordinator", "sum", "study=small", 0);
	trained = 1;
	finish();
}

/*
 * The coordinator is restored when it has the second sum of both, which nobody else
 * has yet: what sites hand back of one does not go with the other.
 */
static bool losing;
static size_t most[2]; /* sums, by study: then the first site is not ready */

static size_t
sums(unsigned k)
{
	return audit_lines(
	    "coordinator", "sum", k == 0 ? "study=small" : "study=second");
}

static enum fate
hold_back(struct site *of, enum round_type type, struct canon *msg)
{
	(void)msg;
	/* The first study ends its round while the second waits. */
	if (of == s && type == ROUND_KEPT && h.of == 1 && sums(0) < 2)
		return LOSE;
	return of == s && type == ROUND_READY && sums(h.of) >= most[h.of]
	    ? LOSE
	    : PASS;
}

static enum fate
lose_results(struct site *of, enum round_type type, struct canon *msg)
{
	(void)of;
	(void)msg;
	return losing && type == ROUND_RESULT ? LOSE : PASS;
}

static void
what_is_handed_back_is_not_lost_with_another_studys(void **state)
{
	(void)state;
	most[0] = most[1] = 1;
	h.to_rounds = hold_back;
	h.to_site = lose_results;
	begin();
	second();
	for (size_t i = 0; i < h.n; i++) {
		wait_for_audit(h.sites[i].name, "sum", "study=small", 0);
		wait_for_audit(h.sites[i].name, "sum", "study=second", 0);
	}
	back_up_rounds();
	/* (A result that is lost is all that a site is told of then.) */
	losing = true;
	most[1] = 2;
	wait_until(sums(1) == 2);
	most[0] = 2;
	wait_until(sums(0) == 2);
	most[0] = most[1] = SIZE_MAX;
	losing = false;
	restore_rounds();
	finish();
	assert_int_equal(audit_lines("coordinator", "taken-up", ""), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_comes_while_another_is_computed),
		TEST(a_preparation_outlasts_a_training),
		TEST(a_preparation_fails_beside_a_training),
		cmocka_unit_test_setup_teardown(
		    one_is_taken_back_and_the_other_goes_on, with_boards,
		    consortium_stop),
		TEST(an_upload_is_not_lost_with_another_studys),
		TEST(what_is_handed_back_is_not_lost_with_another_studys),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

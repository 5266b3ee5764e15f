/*
 * What gate and rounds tell the board: contact, rounds with and without a sum,
 * messages that were refused, and a study that is done.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <stdlib.h>
#include <string.h>

#include "board/snapshot.h"
#include "board/view.h"
#include "common/clock.h"
#include "common/err.h"

static bool held;

static int
setup(void **state)
{
	(void)state;
	held = false;
	return consortium_start((struct options){ .n = 3,
	    .cohort = "fixed",
	    .iterations = 1,
	    .ready_wait_s = 60,
	    .deadline_s = 3600,
	    .board = true });
}

/* Put the newest one that was sent in place of *s. */
static void
look(struct chan *board, struct board_snapshot **s)
{
	struct err err;
	struct msg m;

	while (chan_recv(board, &m, &err) == 1) {
		board_snapshot_free(*s);
		*s = board_read(m.data, m.len, &err);
		assert_non_null(*s);
		msg_free(&m);
	}
}

static int64_t
fact(const struct board_snapshot *s, const char *name)
{
	const struct board_view v = { .snapshot = s };
	int64_t value;

	return board_number(board_view_fact(&v, name), &value) == 0 ? value
								    : -1;
}

static void
await(struct chan *board, struct board_snapshot **s, const char *name,
    int64_t value)
{
	int64_t until = clock_mono_ms() + 60000;

	do {
		if (clock_mono_ms() >= until)
			fail_msg("%s is %lld, expected %lld", name,
			    (long long)fact(*s, name), (long long)value);
		pump(20);
		look(board, s);
	} while (fact(*s, name) != value);
}

static enum fate
hold(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	(void)msg;
	if (type != ROUND_SHARESET || held)
		return PASS;
	held = true;
	return LOSE; /* it comes again */
}

static void
a_study_is_followed_from_an_aborted_round_to_its_end(void **state)
{
	struct board_snapshot *site = NULL, *all = NULL;
	int64_t start = clock_utc(), sums, refused;
	struct canon junk = { 0 };

	(void)state;
	await(h.sites[0].board, &site, "rounds-aborted", 0);
	assert_int_equal(fact(site, "round-finished-utc"), -1);
	await(h.board, &all, "sites-connected", 0);
	assert_int_equal(fact(all, "round-finished-utc"), -1);

	h.to_site = hold;
	begin();
	while (!held)
		pump(20);
	await(h.board, &all, "sites-connected", (int64_t)h.n);
	submit_epoch(0);
	refused = fact(all, "refused-messages");
	canon_text(&junk, "some junk");
	assert_string_not_equal(rounds_say_to_request(h.sites[0].id,
				    REQUEST_SEND, junk.data, junk.len),
	    "");
	canon_free(&junk);
	finish();

	await(h.board, &all, "rounds-aborted", 1);
	sums = (int64_t)audit_lines("coordinator", "sum", "study");
	assert_true(sums > 0);
	await(h.board, &all, "rounds-summed", sums);
	assert_true(fact(all, "refused-messages") > refused);
	assert_in_range(fact(all, "round-finished-utc"), start, clock_utc());
	assert_int_equal(all->n_studies, 1);
	assert_string_equal(all->studies[0].status, "done");
	assert_int_equal(all->studies[0].round, sums + 1);
	control_ok(h.control, "status", "small", NULL, 0);
	assert_int_equal(strtoll(cell("round"), NULL, 10), sums + 1);

	await(h.sites[0].board, &site, "rounds-aborted", 1);
	assert_in_range(fact(site, "round-finished-utc"), start, clock_utc());
	assert_int_equal(site->studies[0].round, sums + 1);
	/* Another start knows the number, too. */
	kill_rounds();
	start_rounds();
	await(h.board, &all, "rounds-summed", 0);
	assert_int_equal(all->studies[0].round, sums + 1);
	board_snapshot_free(site);
	board_snapshot_free(all);
}

/* The harness is the uplink, which says it. */
static void
contact_comes_and_goes(void **state)
{
	struct board_snapshot *site = NULL;
	struct site *s = &h.sites[0];
	const uint8_t is[] = { 0, 1 };
	struct err err;

	(void)state;
	await(s->board, &site, "coordinator-reached", 0);
	ok(chan_send(s->uplink, MSG_REACHED, 0, &is[1], 1, -1, &err), &err);
	await(s->board, &site, "coordinator-reached", 1);
	ok(chan_send(s->uplink, MSG_REACHED, 0, &is[0], 1, -1, &err), &err);
	await(s->board, &site, "coordinator-reached", 0);
	board_snapshot_free(site);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_study_is_followed_from_an_aborted_round_to_its_end, setup,
		    consortium_stop),
		cmocka_unit_test_setup_teardown(
		    contact_comes_and_goes, setup, consortium_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

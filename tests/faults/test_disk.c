/*
 * Disks that fail, fill up, or may only be read; no memory; databases with
 * altered bytes; clocks that jump.  A process that cannot go on says why in one
 * line and ends, and its successor goes on where it was.
 */
#include "config.h"

#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "tests/faults/fault.h"
#include "tests/faults/sweep.h"
#include "tests/rounds/harness.h"

static void
a_gate_whose_disk_fails_once(void **state)
{
	(void)state;
	sweep(false, SWEEP_EIO, 390);
}

static void
rounds_whose_disk_fails_once(void **state)
{
	(void)state;
	sweep(true, SWEEP_EIO, 690);
}

static void
a_gate_whose_disk_is_full(void **state)
{
	(void)state;
	sweep(false, SWEEP_FULL, 420);
}

static void
rounds_whose_disk_is_full(void **state)
{
	(void)state;
	sweep(true, SWEEP_FULL, 560);
}

static void
a_gate_whose_disk_may_only_be_read(void **state)
{
	(void)state;
	sweep(false, SWEEP_READONLY, 440);
}

static void
rounds_whose_disk_may_only_be_read(void **state)
{
	(void)state;
	sweep(true, SWEEP_READONLY, 610);
}

static void
a_gate_without_memory(void **state)
{
	(void)state;
	sweep(false, SWEEP_MEMORY, 1009);
}

static void
rounds_without_memory(void **state)
{
	(void)state;
	sweep(true, SWEEP_MEMORY, 3001);
}

/*
 * Clocks
 */

static void
no_faults(void)
{
}

static int
setup(void **state)
{
	(void)state;
	return consortium_start((struct options){ .n = 3,
	    .cohort = "fixed",
	    .ready_wait_s = 60,
	    .deadline_s = 2,
	    .iterations = 1,
	    .faults = no_faults });
}

#define DAY 86400

/* A site's, then the coordinator's: back by years, at a start within a round. */
static void
a_clock_that_is_behind_changes_nothing(void **state)
{
	(void)state;
	begin();
	wait_for_audit("s1", "upload", "study", 0);
	kill_site(&h.sites[1]);
	h.faults[1]->clock_s = (int64_t)-3000 * DAY;
	start_site(&h.sites[1]);
	h.faults[3]->clock_s = (int64_t)-4000 * DAY;
	finish();
	assert_int_equal(audit_lines("s1", "refused", ""), 0);
}

/* The others' prekeys seem to have expired: it says so and waits. */
static void
a_clock_that_is_ahead_is_noticed_and_does_no_harm(void **state)
{
	(void)state;
	h.faults[1]->clock_s = (int64_t)400 * DAY;
	begin();
	wait_for_audit("s1", "refused", "expired", 0);
	assert_int_equal(audit_lines("coordinator", "sum", ""), 0);
	h.faults[1]->clock_s = 0;
	finish();
}

/* To the coordinator all prekeys seem to have; later, in the middle of a round,
   it is years ahead again. */
static void
a_coordinators_clock_that_is_ahead_is_noticed_too(void **state)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;

	(void)state;
	h.faults[3]->clock_s = (int64_t)400 * DAY;
	begin();
	while (strstr(h.sites[1].refusal, "expired") == NULL) {
		assert_true(clock_mono_ms() < until);
		pump(20);
	}
	assert_int_equal(audit_lines("coordinator", "sum", ""), 0);
	h.faults[3]->clock_s = 0;
	wait_for_audit("s1", "upload", "study", 0);
	h.faults[3]->clock_s = (int64_t)4000 * DAY;
	wait_for_audit("coordinator", "sum", "study", 0);
	h.faults[3]->clock_s = 0;
	finish();
}

/* A minute after its start, then each hour; and what is too old goes each day.
   (What it is asked wakes it: it would sleep until its time has come.) */
static void
a_gate_has_its_log_countersigned_by_the_hour(void **state)
{
	struct site *s = &h.sites[1];
	size_t n;

	(void)state;
	begin();
	finish();
	for (int64_t later = 61; later <= 4 * DAY; later *= 60) {
		n = audit_lines("coordinator", "checkpoint", "site=11");
		h.faults[1]->passed_s += later;
		control_ok(s->control, "status", "small", NULL, 0);
		if (later == 61)
			wait_for_audit(
			    "coordinator", "checkpoint", "site=11", n);
	}
	control_ok(s->control, "status", "small", NULL, 0);
}

/* Approved, and its end never came: keep-tables = 0. */
static void
a_table_is_deleted_when_its_study_has_expired(void **state)
{
	struct site *s = &h.sites[1];
	struct canon again = { 0 };

	(void)state;
	submit();
	approve(s);
	kill_site(s);
	start_site(s);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_int_equal(h.n_dropped, 0);
	kill_site(s);
	h.faults[1]->clock_s = (int64_t)80 * 366 * DAY;
	start_site(s);
	wait_for_audit("s1", "table-deleted", "expired", 0);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_int_equal(h.n_dropped, 1);
	assert_int_equal(audit_lines("s1", "table-deleted", ""), 1);
	/* It is not approved without one, and with one nothing comes of it. */
	sign_decision(s, APPROVAL_APPROVE, h.deputy, &again);
	control(s->control, "approve", "small", again.data, again.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(
	    strstr(h.reply.error, "the table was deleted; prepare it again"));
	canon_free(&again);
	decide_anew(s, APPROVAL_REVOKE);
	control_ok(s->control, "prepare", "small", NULL, 0);
	decide_anew(s, APPROVAL_APPROVE);
	wait_for_audit("s1", "refused", "the study has expired", 0);
	assert_int_equal(audit_lines("s1", "upload", ""), 0);
	/* Nobody else takes it any more. */
	kill_rounds();
	h.faults[3]->clock_s = h.faults[1]->clock_s;
	start_all();
	control(h.control, "submit", "", h.study.data, h.study.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_string_equal(h.reply.error, "the study has expired");
}

/*
 * Altered bytes
 */

static char db[160];
static uint8_t *good;
static size_t good_len;

static void
put_back(struct site *s)
{
	struct err err;

	(void)s;
	if (good == NULL)
		return;
	ok(file_write(db, good, good_len, 0600, &err), &err);
	free(good);
	good = NULL;
}

/* A bit of what is there. */
static void
alter(unsigned *seed)
{
	uint8_t *p = malloc(good_len);
	struct err err;
	size_t at;

	assert_non_null(p);
	memcpy(p, good, good_len);
	do
		at = (size_t)rand_r(seed) % good_len;
	while (p[at] == 0);
	p[at] ^= (uint8_t)(1u << rand_r(seed) % 8);
	ok(file_write(db, p, good_len, 0600, &err), &err);
	free(p);
}

static bool
all_done(void)
{
	bool all = done(h.control);

	for (size_t i = 0; all && i < h.n; i++)
		all = done(h.sites[i].control);
	return all;
}

enum outcome { REFUSED, WENT_ON, STUCK };

static enum outcome
altered(bool rounds, unsigned seed)
{
	static const char *const words[] = { "gate.db", "rounds.db" };
	int64_t until;

	assert_int_equal(setup(NULL), 0);
	begin();
	wait_for_audit("s1", "upload", "study", 1);
	snprintf(db, sizeof(db), "%s",
	    in_dir(rounds ? "coordinator/db/rounds.db" : "s1/db/gate.db"));
	h.before_restart = put_back;
	if (rounds)
		kill_rounds();
	for (size_t i = 0; i < h.n; i++) {
		if (rounds || i == 1)
			kill_site(&h.sites[i]);
	}
	good = file_read(db, 1 << 24, &good_len, &(struct err){ 0 });
	assert_non_null(good);
	alter(&seed);
	listen_to_errors();
	if (rounds)
		start_rounds();
	for (size_t i = 0; i < h.n; i++) {
		if (rounds || i == 1)
			start_site(&h.sites[i]);
	}
	until = clock_mono_ms() + 8000;
	while (!all_done() && h.n_deaths == 0 && clock_mono_ms() < until)
		pump(20);
	if (h.n_deaths != 0) { /* in one line, which says where */
		assert_int_equal(said(words, 2), 1);
		finish();
		return REFUSED;
	}
	said(NULL, 0);
	if (!all_done())
		return STUCK;
	finish();
	return WENT_ON;
}

static void
many_altered(bool rounds)
{
	unsigned n[3] = { 0 };
	const char *text = getenv("CRASH_EVERY");
	unsigned trials = text != NULL ? 100 : 4;

	for (unsigned i = 0; i < trials; i++) {
		enum outcome o = altered(rounds, 1000 + i);
		n[o]++;
		free(good);
		good = NULL;
		consortium_stop(NULL);
	}
	print_message("%s: a bit altered %u times: refused %u, went on to the "
		      "exact result %u, takes no part %u\n",
	    rounds ? "rounds.db" : "gate.db", trials, n[REFUSED], n[WENT_ON],
	    n[STUCK]);
}

static void
an_altered_database_of_a_gate(void **state)
{
	(void)state;
	many_altered(false);
}

static void
an_altered_database_of_rounds(void **state)
{
	(void)state;
	many_altered(true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gate_whose_disk_fails_once),
		cmocka_unit_test(rounds_whose_disk_fails_once),
		cmocka_unit_test(a_gate_whose_disk_is_full),
		cmocka_unit_test(rounds_whose_disk_is_full),
		cmocka_unit_test(a_gate_whose_disk_may_only_be_read),
		cmocka_unit_test(rounds_whose_disk_may_only_be_read),
		cmocka_unit_test(a_gate_without_memory),
		cmocka_unit_test(rounds_without_memory),
		cmocka_unit_test(an_altered_database_of_a_gate),
		cmocka_unit_test(an_altered_database_of_rounds),
		TEST(a_clock_that_is_behind_changes_nothing),
		TEST(a_clock_that_is_ahead_is_noticed_and_does_no_harm),
		TEST(a_coordinators_clock_that_is_ahead_is_noticed_too),
		TEST(a_gate_has_its_log_countersigned_by_the_hour),
		TEST(a_table_is_deleted_when_its_study_has_expired),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

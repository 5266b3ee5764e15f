/*
 * Restored backups and crashes, cases 17 and 25 of docs/TESTING.md.  25 is
 * tests/faults/sweep.h's.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/faults/sweep.h"
#include "tests/rounds/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"

static void
abuse_25_a_gate_killed_at_every_write(void **state)
{
	(void)state;
	sweep(false, SWEEP_KILL, 211);
}

static void
abuse_25_rounds_killed_at_every_write(void **state)
{
	(void)state;
	sweep(true, SWEEP_KILL, 211);
}

static void
abuse_25_a_gate_loses_power_at_every_write(void **state)
{
	(void)state;
	sweep(false, SWEEP_POWER, 211);
}

static void
abuse_25_rounds_lose_power_at_every_write(void **state)
{
	(void)state;
	sweep(true, SWEEP_POWER, 211);
}

/* 17 */

static int
setup(void **state)
{
	(void)state;
	return consortium_start((struct options){
	    .n = 4, .cohort = "open", .ready_wait_s = 1, .deadline_s = 2 });
}

static void
shell(const struct site *s, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", s->state, command);
	assert_int_equal(system(line), 0);
}

static bool held;

/* While it holds, a site that has four sums can say that it is ready for a
   fifth, and no more. */
static enum fate
four_sums(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	return held && type != ROUND_ANNOUNCE &&
		audit_lines(s->name, "sum", "study") >= 4
	    ? LOSE
	    : PASS;
}

static void
wait_until_ready_for_the_fifth(const struct site *s)
{
	wait_for_audit(s->name, "sum", "study", 3);
	wait_until(s->last == ROUND_READY && !s->sending);
}

static void
pump_for(int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until)
		pump(20);
}

/* away: for the first three sums, which it then takes from their results
   without an answer of its own. */
static void
restore_a_backup(bool away)
{
	struct site *s = &h.sites[3];
	size_t sent, uploads;

	held = true;
	h.to_site = four_sums;
	begin();
	kill_site(s);
	shell(s, "cp db/gate.db backup");
	if (away)
		wait_for_audit(h.sites[0].name, "sum", "study", 2);
	start_site(s);
	wait_until_ready_for_the_fifth(s);
	kill_site(s);
	kill_site(&h.sites[2]); /* so that there is no sum meanwhile */
	shell(s, "cp backup db/gate.db");
	shell(s, "rm -f db/gate.db-journal db/gate.db-wal");
	held = false;
	start_site(s);
	assert_int_equal(audit_lines(s->name, "backup-found", "lost"), 1);
	/* It says so, and nothing leaves, whatever the coordinator asks. */
	sent = s->n_sent;
	pump_for(1200);
	assert_int_equal(s->n_sent, sent);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_non_null(strstr(cell("why"), "consiliumctl restored"));
	/* Also after another start. */
	kill_site(s);
	start_site(s);
	sent = s->n_sent;
	pump_for(300);
	assert_int_equal(s->n_sent, sent);
	assert_int_equal(audit_lines(s->name, "backup-found", "lost"), 1);
	/* The operator knows: it follows, and comes back on later states. */
	uploads = audit_lines(s->name, "upload", "study");
	control_ok(s->control, "restored", "", NULL, 0);
	assert_true(atoi(cell("answers-from-step")) > 4);
	control(s->control, "restored", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	wait_for_audit(s->name, "refused", "may have been answered", 0);
	assert_int_equal(audit_lines(s->name, "upload", "study"), uploads);
	start_site(&h.sites[2]);
	wait_for_audit(s->name, "upload", "study", uploads);
	/* Without the count nobody knows how old it is. */
	kill_site(s);
	shell(s, "rm spool/answers; test -f spool/CACHEDIR.TAG");
	start_site(s);
	control_ok(s->control, "restored", "", NULL, 0);
	assert_string_equal(cell("answers-from-step"), "never");
}

static void
abuse_17_a_restored_backup_answers_nothing_again(void **state)
{
	(void)state;
	restore_a_backup(false);
}

static void
abuse_17_also_where_it_had_followed_without_an_answer(void **state)
{
	(void)state;
	restore_a_backup(true);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    abuse_17_a_restored_backup_answers_nothing_again, setup,
		    consortium_stop),
		cmocka_unit_test_setup_teardown(
		    abuse_17_also_where_it_had_followed_without_an_answer,
		    setup, consortium_stop),
		cmocka_unit_test(abuse_25_a_gate_killed_at_every_write),
		cmocka_unit_test(abuse_25_rounds_killed_at_every_write),
		cmocka_unit_test(abuse_25_a_gate_loses_power_at_every_write),
		cmocka_unit_test(abuse_25_rounds_lose_power_at_every_write),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

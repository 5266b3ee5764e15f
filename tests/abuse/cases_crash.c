/*
 * Restored backups and crashes, cases 17 and 25 of docs/TESTING.md.
 *
 * 25: kill -9 at each write, sync, rename and removal of a gate and of rounds
 * (tests/faults/fault.h), then a start.  The study must end with the model of
 * all rows to the bit (finish()), no gate may give a second answer to a
 * question (the harness), and nobody takes what a crash has left for an
 * attack.  All points take minutes: CRASH_EVERY is n for every n-th.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/faults/fault.h"
#include "tests/faults/power.h"
#include "tests/rounds/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/audit.h"

#define N 3

static const enum fault_kind kinds[] = { FAULT_KILL_BEFORE, FAULT_KILL_AFTER,
	FAULT_KILL_TORN };

static bool of_rounds, power;
static uint64_t at;

static const char *
state_of(size_t i)
{
	return i < N ? h.sites[i].state : in_dir("coordinator");
}

static void
lose_power(struct site *s)
{
	size_t i = s != NULL ? (size_t)(s - h.sites) : N;

	/* One of the gates, and rounds now and then: nothing is left. */
	power_loss(state_of(i), h.faults[i],
	    i == 0 || (i == N && at % 2 == 0) ? 0 : (unsigned)at);
}

/* The gates each in another way; rounds in one way after the other. */
static void
plan(void)
{
	for (size_t i = of_rounds ? N : 0; power && i <= N; i++)
		power_on(state_of(i), h.faults[i]);
	h.before_restart = power ? lose_power : NULL;
	for (size_t i = 0; i < N && !of_rounds; i++) {
		h.faults[i]->kind = kinds[i];
		h.faults[i]->at = at;
	}
	if (of_rounds) {
		h.faults[N]->kind = kinds[at % nitems(kinds)];
		h.faults[N]->at = at;
	}
}

static void
study_with(uint64_t k)
{
	at = k;
	assert_int_equal(consortium_start((struct options){ .n = N,
			     .cohort = "fixed",
			     .ready_wait_s = 60,
			     .deadline_s = 600,
			     .iterations = 1,
			     .faults = plan }),
	    0);
	begin();
	finish();
}

static void
no_refusals(void)
{
	for (size_t i = 0; i <= h.n; i++)
		assert_int_equal(
		    audit_lines(i < h.n ? h.sites[i].name : "coordinator",
			"refused", ""),
		    0);
}

static const char *const kinds_of_sums[] = { "kind=counts", "kind=moments",
	"kind=newton" };

/* No audit log has lost a line that something came of. */
static void
logs_are_whole(void)
{
	for (size_t i = 0; i <= N; i++) {
		const char *name = i < N ? h.sites[i].name : "coordinator";
		const struct key *k = i < N ? h.sites[i].key : h.coordinator;
		char path[160];
		struct err err;

		snprintf(path, sizeof(path), "%s/audit.log", state_of(i));
		ok(audit_verify(path, key_public(k), NULL, NULL, &err), &err);
		for (size_t kind = 0; kind < nitems(kinds_of_sums); kind++)
			assert_true(
			    audit_lines(name, "sum", kinds_of_sums[kind]) >= 1);
	}
}

static size_t
killed(void)
{
	size_t n = 0;

	for (size_t i = 0; i <= N; i++)
		n += h.faults[i]->fired;
	return n;
}

/* Until a study has no call of that number left. */
static void
sweep(bool rounds, bool loses_power)
{
	const char *text = getenv("CRASH_EVERY");
	unsigned every = text != NULL ? (unsigned)atoi(text) : 211;
	size_t points = 0, kills = 0, n;

	of_rounds = rounds;
	power = loses_power;
	for (uint64_t k = 1 + every / 2;; k += every, points++) {
		study_with(k);
		n = killed();
		no_refusals();
		logs_are_whole();
		consortium_stop();
		if (n == 0)
			break;
		kills += n;
	}
	assert_true(kills > 0);
	print_message("%s: %s %zu times, at %zu places, each %u. write, "
		      "sync, rename or removal: wrong sums 0, second answers "
		      "0\n",
	    rounds ? "rounds" : "gate",
	    power ? "killed, unsynced writes lost," : "killed", kills, points,
	    every);
}

static void
abuse_25_a_gate_killed_at_every_write(void **state)
{
	(void)state;
	sweep(false, false);
}

static void
abuse_25_rounds_killed_at_every_write(void **state)
{
	(void)state;
	sweep(true, false);
}

static void
abuse_25_a_gate_loses_power_at_every_write(void **state)
{
	(void)state;
	sweep(false, true);
}

static void
abuse_25_rounds_lose_power_at_every_write(void **state)
{
	(void)state;
	sweep(true, true);
}

/* 17 */

static int
setup(void **state)
{
	(void)state;
	return consortium_start((struct options){
	    .n = 4, .cohort = "open", .ready_wait_s = 1, .deadline_s = 2 });
}

static int
teardown(void **state)
{
	(void)state;
	return consortium_stop();
}

static void
shell(const struct site *s, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", s->state, command);
	assert_int_equal(system(line), 0);
}

static void
wait_for_sums(const struct site *s, size_t n)
{
	wait_for_audit(s->name, "sum", "study", n - 1);
}

static void
pump_for(int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until)
		pump(20);
}

static void
abuse_17_a_restored_backup_answers_nothing_again(void **state)
{
	struct site *s = &h.sites[3];
	size_t sent, uploads;

	(void)state;
	begin();
	kill_site(s);
	shell(s, "cp db/gate.db backup");
	start_site(s);
	wait_for_sums(s, 4);
	kill_site(s);
	kill_site(&h.sites[2]); /* so that there is no sum meanwhile */
	shell(s, "cp backup db/gate.db");
	shell(s, "rm -f db/gate.db-journal db/gate.db-wal");
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
	assert_true(atoi(cell("answers-from-step")) >= 4);
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

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    abuse_17_a_restored_backup_answers_nothing_again, setup,
		    teardown),
		cmocka_unit_test(abuse_25_a_gate_killed_at_every_write),
		cmocka_unit_test(abuse_25_rounds_killed_at_every_write),
		cmocka_unit_test(abuse_25_a_gate_loses_power_at_every_write),
		cmocka_unit_test(abuse_25_rounds_lose_power_at_every_write),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A coordinator that is restored from a backup, and on its way back meets a disk
 * that fails or is full, or is killed: it ends with a line that says why, asks the
 * sites again, and the study ends with the model of all rows, to the bit.  No site
 * gives a second answer (tests/rounds/harness.h).
 *
 * CRASH_EVERY=n has the fault come at each n-th change of the disk since the
 * restored one's start.
 */
#include "config.h"

#include "tests/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/exchange.h"
#include "tests/faults/fault.h"
#include "tests/faults/sweep.h"
#include "tests/rounds/harness.h"

#define N 3

/* What is lost: two results and what the last one was made of, which one site has
   taken; or a sum that nobody has yet. */
enum lost { RESULTS, SUM };

static const struct method {
	const char *name;
	enum fault_kind kind;
	int error;
	const char *words[3]; /* of the line that it ends with */
} methods[] = {
	{ "killed before", FAULT_KILL_BEFORE, 0, { NULL } },
	{ "input/output errors", FAULT_ERROR, EIO,
	    { "Input/output error", "disk I/O error" } },
	{ "disk full", FAULT_DISK, ENOSPC,
	    { "No space left on device", "full", "disk I/O error" } },
	{ "killed within", FAULT_KILL_TORN, 0, { NULL } },
	{ "killed after", FAULT_KILL_AFTER, 0, { NULL } },
};

static bool loses; /* results of last_step, on their way to others than s0 */
static bool for_all; /* and to that one */
static uint32_t last_step;

static enum fate
lose_results(struct site *s, enum round_type type, struct canon *msg)
{
	struct exchange_next next;
	struct err err;

	(void)msg;
	if (!loses || type != ROUND_RESULT || (s == &h.sites[0] && !for_all))
		return PASS;
	ok(exchange_next_read(s->poll.data, s->poll.len, &next, &err), &err);
	return next.studies[0].idx >= last_step ? LOSE : PASS;
}

static void
no_faults(void)
{
}

static uint32_t
step_of(const struct chan *control)
{
	control_ok(
	    (struct chan *)(uintptr_t)control, "status", "small", NULL, 0);
	return (uint32_t)strtoul(cell("step"), NULL, 10);
}

/* A study up to the restored coordinator's start, at whose k-th change of the disk
   the fault comes. */
static void
restored(enum lost lost, const struct method *m, uint64_t k)
{
	struct fault *f;

	loses = false;
	for_all = lost == SUM;
	h.to_site = NULL;
	assert_int_equal(consortium_start((struct options){ .n = N,
			     .cohort = "fixed",
			     .keep_tables = 1,
			     .ready_wait_s = 60,
			     .deadline_s = 3600,
			     .iterations = 1,
			     .faults = no_faults }),
	    0);
	f = h.faults[N];
	begin();
	wait_until(step_of(h.control) > 0);
	back_up_rounds();
	last_step = step_of(h.control) + (lost == RESULTS ? 1 : 0);
	loses = true;
	h.to_site = lose_results;
	wait_until(step_of(h.control) > last_step);
	if (lost == RESULTS)
		wait_until(step_of(h.sites[0].control) > last_step);
	loses = false;
	f->kind = m->kind;
	f->error = m->error;
	f->at = k;
	restore_rounds();
	finish();
}

static void
logs_are_whole(void)
{
	struct err err;

	for (size_t i = 0; i <= N; i++) {
		const char *name = i < N ? h.sites[i].name : "coordinator";
		const struct key *k = i < N ? h.sites[i].key : h.coordinator;
		char path[160];

		assert_int_equal(audit_lines(name, "refused", ""), 0);
		assert_int_equal(audit_lines(name, "sum-lost", ""), 0);
		snprintf(path, sizeof(path), "%s/%s/audit.log", h.dir, name);
		ok(audit_verify(path, key_public(k), NULL, NULL, &err), &err);
	}
}

static void
sweep_recovery(enum lost lost, unsigned every)
{
	const char *text = getenv("CRASH_EVERY");
	size_t points = 0, ends = 0, faults = 0, lines;

	if (text != NULL)
		every = (unsigned)atoi(text);
	for (uint64_t k = 1 + every / 2;; k += every) {
		const struct method *m = &methods[points++ % nitems(methods)];
		uint64_t fired;

		listen_to_errors();
		restored(lost, m, k);
		fired = h.faults[N]->fired;
		logs_are_whole();
		lines = said_beside("it was restored from a backup", m->words,
		    nitems(m->words));
		if (lines != (m->error != 0 ? h.n_deaths : 0))
			fail_msg("%s at change %u: %zu ended, %zu said why",
			    m->name, (unsigned)k, h.n_deaths, lines);
		ends += h.n_deaths;
		faults += fired;
		consortium_stop(NULL);
		if (fired == 0)
			break;
	}
	assert_true(faults > 0);
	print_message(
	    "restored without %s: a fault at %zu changes of the disk, "
	    "each %u.: ended %zu times, wrong sums 0, second answers "
	    "0\n",
	    lost == SUM ? "the sum" : "results", faults, every, ends);
}

static void
results_come_back_over_faults(void **state)
{
	(void)state;
	sweep_recovery(RESULTS, 80);
}

static void
a_sum_is_made_again_over_faults(void **state)
{
	(void)state;
	sweep_recovery(SUM, 140);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
		    results_come_back_over_faults, show_errors),
		cmocka_unit_test_teardown(
		    a_sum_is_made_again_over_faults, show_errors),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * consiliumd and consilium-coordinator, with a fault at each place where the
 * system can fail them (FAULT_PLACES), while all processes start, a reader and
 * a trainer do their jobs, certificates are renewed, and all end.  A parent
 * that meets a fault does without, starts all afresh, or ends and says why;
 * whatever it does, nobody outlives it.
 */
#include "config.h"

#include "tests/check.h"

#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/macros.h"
#include "tests/faults/fault.h"
#include "tests/privsep/parent.h"

static struct fault *fault;

/* Until one of the words (n) has been in the log more than before, or it has
   ended: then false. */
static bool
until(const char *const *words, size_t n)
{
	int64_t end = clock_mono_ms() + 3 * WAIT_MS;
	siginfo_t info = { 0 };

	for (;;) {
		for (size_t i = 0; i < n; i++) {
			if (count(d.log, words[i]) > 0)
				return true;
		}
		if (waitid(P_PID, (id_t)d.pid, &info,
			WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid != 0)
			return false;
		if (clock_mono_ms() > end)
			fail_msg("no %s after %s, in:\n%s", words[0],
			    fault->where, d.log);
		listen_for(50);
	}
}

static const char name[2][32] = { "consiliumd", "consilium-coordinator" };

/* A parent that ends says why, as an error. */
static void
said(void)
{
	static const char *const words[] = { "memory",
		"No space left on device", "too much to wait for",
		"not a file" };
	char error[64], critical[64];

	snprintf(error, sizeof(error), " %s error: ", name[coordinator]);
	snprintf(critical, sizeof(critical), " %s crit: ", name[coordinator]);
	for (char *line = d.log, *end; (end = strchr(line, '\n')) != NULL;
	     line = end + 1) {
		*end = '\0';
		for (size_t i = 0; i < nitems(words); i++) {
			bool said = (strstr(line, error) != NULL ||
					strstr(line, critical) != NULL) &&
			    strstr(line, words[i]) != NULL;

			if (said) {
				*end = '\n';
				return;
			}
		}
		*end = '\n';
	}
	fail_msg(
	    "it ended after %s and did not say why:\n%s", fault->where, d.log);
}

/* All that said their number are gone. */
static void
nobody_is_left(void)
{
	static const char what[] = " info: pid ";

	for (const char *p = d.log; (p = strstr(p, what)) != NULL;) {
		pid_t pid = atoi(p += strlen(what));
		int64_t end = clock_mono_ms() + WAIT_MS;

		while (kill(pid, 0) == 0) {
			if (clock_mono_ms() > end)
				fail_msg("%d outlives its parent, after %s",
				    pid, fault->where);
			usleep(1000);
		}
	}
}

/* A day of a parent's life; true if it came to its end in order. */
static bool
lives(const char *order, const char *const *done, size_t n)
{
	static const char *const ready[] = { "notice: ready" };
	static const char *const reloaded[] = { "reloaded",
		"nothing to reload now", "starting again in" };
	int status;

	remove_outputs();
	start(order);
	if (until(ready, 1) && until(done, n)) {
		kill(d.pid, SIGHUP);
		until(reloaded, nitems(reloaded));
	}
	status = ended(SIGTERM);
	if (status > 1)
		fail_msg(
		    "status %d after %s:\n%s", status, fault->where, d.log);
	if (status == 1)
		said();
	nobody_is_left();
	return status == 0;
}

static void
sweep(const char *order, const char *const *done, size_t n)
{
	size_t ends = 0, starts = 0;
	char library[4096];
	uint64_t before;
	bool good;

	snprintf(library, sizeof(library), "%s/tests/faults/shim.so",
	    getenv("builddir"));
	preload = library;
	fault = fault_places(path("state"),
	    PLACES_MEMORY | PLACES_DISK | PLACES_CHANNEL | PLACES_SYSTEM);
	do {
		before = fault->fired;
		good = lives(order, done, n);
		ends += !good;
		starts++;
	} while (fault->fired > before);
	assert_true(good);
	assert_null(strstr(d.log, "error"));
	assert_true(ends > 0);
	print_message("%s: a fault at each of %zu places: ended %zu times, "
		      "went on after the rest; %zu starts\n",
	    name[coordinator], (size_t)fault->n_places, ends, starts);
	fault_close(fault);
	preload = NULL;
}

static void
a_hospitals_parent(void **state)
{
	static const char *const done[] = { "job 8 gone", "job 7 gone, ok 0" };

	(void)state;
	sweep("gate read and train", done, nitems(done));
}

static void
a_coordinators_parent(void **state)
{
	static const char *const done[] = { "notice: ready" };

	(void)state;
	coordinator = true;
	put_coordinator_config("");
	sweep("", done, nitems(done));
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hospitals_parent),
		cmocka_unit_test(a_coordinators_parent),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include "config.h"

#include "tests/check.h"
#include "tests/faults/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "tests/faults/fault.h"
#include "tests/faults/power.h"
#include "tests/rounds/harness.h"

#define N 3

/* The gates each in another way; rounds in one way after the other. */
static const struct method {
	const char *name;
	enum fault_kind kinds[N];
	int error;
	/* What the line says that a process ends with. */
	const char *words[4];
} methods[] = {
	[SWEEP_KILL] = { "killed",
	    { FAULT_KILL_BEFORE, FAULT_KILL_AFTER, FAULT_KILL_TORN }, 0,
	    { NULL } },
	[SWEEP_POWER] = { "killed, unsynced writes lost,",
	    { FAULT_KILL_BEFORE, FAULT_KILL_AFTER, FAULT_KILL_TORN }, 0,
	    { NULL } },
	[SWEEP_EIO] = { "input/output errors",
	    { FAULT_ERROR, FAULT_ERROR, FAULT_ERROR }, EIO,
	    { "Input/output error", "disk I/O error" } },
	[SWEEP_FULL] = { "disk full", { FAULT_DISK, FAULT_DISK, FAULT_DISK },
	    ENOSPC, { "No space left on device", "full", "disk I/O error" } },
	[SWEEP_READONLY] = { "disk read-only",
	    { FAULT_DISK, FAULT_DISK, FAULT_DISK }, EROFS,
	    { "Read-only file system", "readonly", "disk I/O error",
		"unable to open database file" } },
	[SWEEP_MEMORY] = { "no memory",
	    { FAULT_MEMORY, FAULT_MEMORY, FAULT_MEMORY }, 0, { "memory" } },
};

static const struct method *method;
static bool of_rounds;
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

static void
plan(void)
{
	bool power = method == &methods[SWEEP_POWER];

	for (size_t i = of_rounds ? N : 0; i < (of_rounds ? N + 1 : N); i++) {
		if (power)
			power_on(state_of(i), h.faults[i]);
		h.faults[i]->kind = method->kinds[of_rounds ? at % N : i];
		h.faults[i]->error = method->error;
		h.faults[i]->at = at;
	}
	h.before_restart = power ? lose_power : NULL;
}

static void
study(void (*faults)(void))
{
	assert_int_equal(consortium_start((struct options){ .n = N,
			     .cohort = "fixed",
			     .ready_wait_s = 60,
			     .deadline_s = 3600,
			     .iterations = 1,
			     .faults = faults }),
	    0);
	begin();
	finish();
}

static void
study_with(uint64_t k)
{
	at = k;
	study(plan);
}

static void
no_refusals(void)
{
	for (size_t i = 0; i <= N; i++)
		assert_int_equal(
		    audit_lines(
			i < N ? h.sites[i].name : "coordinator", "refused", ""),
		    0);
}

/* No audit log has lost a line that something came of. */
static void
logs_are_whole(void)
{
	static const char *const sums[] = { "kind=counts", "kind=moments",
		"kind=newton" };

	for (size_t i = 0; i <= N; i++) {
		const char *name = i < N ? h.sites[i].name : "coordinator";
		const struct key *k = i < N ? h.sites[i].key : h.coordinator;
		char path[160];
		struct err err;

		snprintf(path, sizeof(path), "%s/audit.log", state_of(i));
		ok(audit_verify(path, key_public(k), NULL, NULL, &err), &err);
		for (size_t kind = 0; kind < nitems(sums); kind++)
			assert_true(audit_lines(name, "sum", sums[kind]) >= 1);
	}
}

static size_t
fired(void)
{
	size_t n = 0;

	for (size_t i = 0; i <= N; i++)
		n += h.faults[i]->fired;
	return n;
}

/*
 * What the processes say
 */

static int errors_fd = -1, terminal = -1;

void
listen_to_errors(void)
{
	if (errors_fd < 0) {
		errors_fd = memfd_create("errors", MFD_CLOEXEC);
		terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	}
	assert_true(errors_fd >= 0 && terminal >= 0);
	assert_int_equal(ftruncate(errors_fd, 0), 0);
	lseek(errors_fd, 0, SEEK_SET);
	assert_true(dup2(errors_fd, STDERR_FILENO) >= 0);
}

int
show_errors(void **state)
{
	char text[2000];
	off_t len = lseek(errors_fd, 0, SEEK_END);
	ssize_t n =
	    pread(errors_fd, text, sizeof(text), MAX(len - 2000, (off_t)0));

	(void)state;
	dup2(terminal, STDERR_FILENO);
	return n < 0 || write(STDERR_FILENO, text, (size_t)n) != n ? -1 : 0;
}

size_t
said(const char *const *words, size_t n)
{
	return said_beside(NULL, words, n);
}

size_t
said_beside(const char *other, const char *const *words, size_t n)
{
	static char text[1 << 21];
	ssize_t len = pread(errors_fd, text, sizeof(text) - 1, 0);
	size_t lines = 0;
	char *line, *rest = text;

	assert_true(len >= 0);
	text[len] = '\0';
	dup2(terminal, STDERR_FILENO);
	assert_int_equal(ftruncate(errors_fd, 0), 0);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		bool good = n == 0;

		if (other != NULL && strstr(line, other) != NULL)
			continue;
		for (size_t i = 0; i < n && words[i] != NULL; i++)
			good |= strstr(line, words[i]) != NULL;
		if (!good ||
		    (strstr(line, " gate error: ") == NULL &&
			strstr(line, " rounds error: ") == NULL))
			fail_msg("it said: %s", line);
		lines++;
	}
	return lines;
}

/* Until a study has no call of that number left. */
void
sweep(bool rounds, enum sweep how, unsigned every)
{
	const char *text = getenv("CRASH_EVERY");
	size_t points = 0, faults = 0, ends = 0, n;
	bool kills = how == SWEEP_KILL || how == SWEEP_POWER;

	if (text != NULL)
		every = (unsigned)atoi(text);
	of_rounds = rounds;
	method = &methods[how];
	for (uint64_t k = 1 + every / 2;; k += every, points++) {
		listen_to_errors();
		study_with(k);
		n = fired();
		no_refusals();
		logs_are_whole();
		/* Each that ends of itself says why, in one line. */
		if (said(method->words, nitems(method->words)) !=
		    (kills ? 0 : h.n_deaths))
			fail_msg(
			    "%zu ended, but did not all say why", h.n_deaths);
		ends += h.n_deaths;
		consortium_stop(NULL);
		if (n == 0)
			break;
		faults += n;
	}
	assert_true(faults > 0);
	print_message("%s: %s %zu times, at %zu places, each %u. %s: ended "
		      "%zu times, wrong sums 0, second answers 0\n",
	    rounds ? "rounds" : "gate", method->name, faults, points, every,
	    how == SWEEP_MEMORY ? "allocation" : "change of the disk", ends);
}

static enum fault_kind kind;
static uint64_t lived[LIVED_MAX];
static size_t n_lived;

static void
plan_places(void)
{
	struct fault *f = h.faults[of_rounds ? N : 0];

	f->kind = kind;
	f->what = PLACES_ALL;
	f->deep = 64;
	f->error = ENOSPC;
	memcpy(f->lived, lived, sizeof(lived));
	f->n_lived = n_lived;
}

/* What an operator takes along of a round that is done. */
static void
take_transcript(void)
{
	struct canon last = { 0 }, chunk = { 0 };
	uint8_t root[32];

	canon_u64(&last, 0);
	control_ok(h.control, "transcript", "small", last.data, last.len);
	assert_int_equal(ctl_reply_rows(&h.reply), N);
	assert_int_equal(hex_bytes(cell("root"), root, sizeof(root)), 0);
	canon_raw(&chunk, root, sizeof(root));
	canon_u32(&chunk, 0);
	control_ok(h.control, "chunk", "", chunk.data, chunk.len);
	assert_true(h.reply.body_len > 0);
	canon_free(&last);
	canon_free(&chunk);
}

static void
study_with_places(enum fault_kind how)
{
	kind = how;
	listen_to_errors();
	study(plan_places);
	take_transcript();
	no_refusals();
	logs_are_whole();
}

void
sweep_places(bool rounds, const char *const *words, size_t n)
{
	const struct fault *f;
	size_t lines;

	of_rounds = rounds;
	n_lived = 0;
	study_with_places(FAULT_FORKS);
	f = h.faults[rounds ? N : 0];
	assert_int_equal(f->n_bad, 0);
	assert_int_equal(said(NULL, 0), 0);
	assert_true(f->n_ended > 0);
	n_lived = f->n_lived;
	memcpy(lived, f->lived, sizeof(lived));
	print_message("%s: a fault at each of %zu places: ended and said why "
		      "%zu times, went on %zu times\n",
	    rounds ? "rounds" : "gate", (size_t)f->n_places, (size_t)f->n_ended,
	    n_lived);
	consortium_stop(NULL);
	assert_true(n_lived > 0);
	study_with_places(FAULT_PLACES);
	f = h.faults[rounds ? N : 0];
	lines = said(words, n);
	if (lines != h.n_deaths)
		fail_msg("%zu ended, and said %zu lines", h.n_deaths, lines);
	print_message("%s: at %zu of these the real one: ended %zu times, "
		      "wrong sums 0, second answers 0\n",
	    rounds ? "rounds" : "gate", (size_t)f->n_places, h.n_deaths);
	consortium_stop(NULL);
}

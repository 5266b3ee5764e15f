/*
 * Case 24 of docs/TESTING.md on the library of rounds, both sides in one
 * process: every subset of N = 3 to 6 sites falls silent at every boundary
 * between two messages, and for N = 3 and 4 each site at a boundary of its own
 * (a part of both without DROPOUTS_ALL in the environment).
 * A site that falls silent has not had the message, or has answered it and the
 * answer is lost; either way both sides are saved and loaded after each step.
 *
 * What must come of it is counted here from PROTOCOL.md's sections 1 and 6,
 * without the library: the exact sum, a wait after the certificate until
 * enough are back, or a clean abort with nothing opened; then a round of all on
 * the same state gives the exact sum of all.
 */
#include "config.h"

#include "tests/check.h"

#include <stdlib.h>

#include "tests/crypto/world.h"

#define WORDS 3

/* Of the one study that this is about, n sites in the roster: c = 1, h_min = 2,
   u_frac = 3/4. */
static size_t
most_of(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t
quorum(size_t n_study)
{
	return (n_study + 1) / 2 + 1;
}

static size_t
threshold(size_t n_study)
{
	return (n_study + 1 + 1) / 2;
}

static size_t
u_min(size_t n_study, size_t n)
{
	return most_of(most_of(1 + 2, (3 * n + 3) / 4), quorum(n_study));
}

static size_t
there_after(const struct world *w, enum leaves boundary)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->site[i].leaves > boundary;
	return n;
}

/* The phase that the round ends or stays in. */
static enum coord_phase
expected(const struct world *w)
{
	bool fixed = w->ctx.n_cohort != 0;
	size_t n = there_after(w, LEAVES_BEFORE_READY);
	size_t need = fixed ? w->n : u_min(w->n, n);

	if (n < need)
		return COORD_READY;
	if (there_after(w, LEAVES_BEFORE_SHARES) < need)
		return COORD_SHARES;
	if (there_after(w, LEAVES_BEFORE_UPLOAD) < need)
		return COORD_UPLOADS;
	if (there_after(w, LEAVES_BEFORE_CONFIRM) < quorum(w->n))
		return COORD_CONFIRMS;
	if (there_after(w, LEAVES_BEFORE_UNMASK) < threshold(w->n))
		return COORD_UNMASKS;
	return COORD_DONE;
}

static size_t sums, waits, aborts;

static void
all_stay(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		w->site[i].leaves = LEAVES_NEVER;
}

/* After M6 it can only complete: with whom had uploaded. */
static void
wait_and_complete(struct world *w)
{
	enum leaves left[WORLD_MAX];

	waits++;
	assert_int_equal(
	    coord_round_abort(w->coord, &w->ctx, "late", &w->err), -1);
	for (size_t i = 0; i < w->n; i++) {
		left[i] = w->site[i].leaves;
		if (left[i] > LEAVES_BEFORE_UPLOAD)
			w->site[i].leaves = LEAVES_NEVER;
	}
	assert_int_equal(world_unmasks(w), 0);
	assert_int_equal(world_result(w), 0);
	for (size_t i = 0; i < w->n; i++)
		w->site[i].leaves = left[i];
	world_check_sum(w);
}

/* Nobody has opened a share; the next round on the state is of all. */
static void
abort_and_repeat(struct world *w)
{
	aborts++;
	for (size_t i = 0; i < w->n; i++)
		assert_int_equal(w->site[i].sent[ROUND_UNMASK].len, 0);
	assert_int_equal(
	    coord_round_abort(w->coord, &w->ctx, "deadline", &w->err), 0);
	for (size_t i = 0; i < w->n; i++) {
		struct canon msg = { 0 };

		assert_int_equal(
		    coord_round_message(w->coord, &w->ctx, ROUND_RESULT,
			w->members[i].id, &msg, &w->err),
		    -1);
		canon_free(&msg);
	}
	all_stay(w);
	w->about.round++;
	if (world_run(w) != 0)
		fail_msg("the round after an abort: %s", w->err.msg);
	world_check_sum(w);
}

static void
one(size_t n, const enum leaves *leaves, bool fixed, bool lost)
{
	struct world *w = world_new(n, WORDS);
	enum coord_phase want, is;

	w->lost = lost;
	if (fixed) {
		w->ctx.rules.cohort = ROUND_FIXED;
		for (size_t i = 0; i < n; i++)
			w->cohort[i] = w->members[i].id;
		w->ctx.cohort = w->cohort;
		w->ctx.n_cohort = n;
	}
	for (size_t i = 0; i < n; i++)
		w->site[i].leaves = leaves[i];
	want = expected(w);
	if ((world_run(w) == 0) != (want == COORD_DONE))
		fail_msg("N = %zu: %s", n, w->err.msg);
	is = coord_round_phase(w->coord);
	if (is != want)
		fail_msg("N = %zu: %s, expected %s", n, coord_phase_name(is),
		    coord_phase_name(want));
	if (want == COORD_DONE) {
		sums++;
		world_check_sum(w);
	} else {
		assert_int_equal(w->err.code, ERR_REFUSED);
		if (want == COORD_UNMASKS)
			wait_and_complete(w);
		else
			abort_and_repeat(w);
	}
	world_free(w);
}

static void
say(const char *what)
{
	print_message("%s: %zu rounds: %zu exact sums, %zu after a wait, %zu "
		      "clean aborts\n",
	    what, sums + waits + aborts, sums, waits, aborts);
	assert_true(sums > 0 && waits > 0 && aborts > 0);
	sums = waits = aborts = 0;
}

/* With N = 5 and 6 each subset is taken at one boundary, unless all are asked
   for. */
static bool
all(size_t n)
{
	return n < 5 || getenv("DROPOUTS_ALL") != NULL;
}

static void
every_subset(bool fixed)
{
	for (size_t n = 3; n <= 6; n++) {
		for (unsigned gone = 0; gone < 1u << n; gone++) {
			for (int at = 0; at < LEAVES_NEVER; at++) {
				unsigned turn = gone + (unsigned)at;
				enum leaves leaves[WORLD_MAX];

				for (size_t i = 0; i < n; i++)
					leaves[i] = (gone >> i & 1) != 0
					    ? (enum leaves)at
					    : LEAVES_NEVER;
				if (!all(n) && at != (int)(gone % LEAVES_NEVER))
					continue;
				for (unsigned lost = 0; lost < 2; lost++) {
					if (all(6) || lost == turn % 2)
						one(n, leaves, fixed, lost);
				}
				if (gone == 0)
					break;
			}
		}
	}
	say(fixed ? "fixed set" : "open set");
}

static void
abuse_24_open_every_subset_at_every_boundary(void **state)
{
	(void)state;
	every_subset(false);
}

static void
abuse_24_fixed_every_subset_at_every_boundary(void **state)
{
	(void)state;
	every_subset(true);
}

static void
abuse_24_each_site_at_a_boundary_of_its_own(void **state)
{
	const unsigned n_at = LEAVES_NEVER + 1;

	(void)state;
	for (size_t n = 3; n <= (all(5) ? 4 : 3); n++) {
		unsigned codes =
		    n == 3 ? n_at * n_at * n_at : n_at * n_at * n_at * n_at;

		for (unsigned code = 0; code < codes; code++) {
			enum leaves leaves[WORLD_MAX];
			unsigned rest = code;

			for (size_t i = 0; i < n; i++, rest /= n_at)
				leaves[i] = (enum leaves)(rest % n_at);
			one(n, leaves, false, code % 2 == 0);
		}
	}
	say("each at its own");
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abuse_24_open_every_subset_at_every_boundary),
		cmocka_unit_test(abuse_24_fixed_every_subset_at_every_boundary),
		cmocka_unit_test(abuse_24_each_site_at_a_boundary_of_its_own),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

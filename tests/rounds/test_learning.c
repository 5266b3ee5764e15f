/*
 * A study that learns with noise: all come to the same model, whatever happens on
 * the way, and no upload goes without its charge.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

#define SUMS 3
#define LEARNING                                                               \
	"[learning]\n"                                                         \
	"epsilon = 4\n"                                                        \
	"delta = 1e-6\n"                                                       \
	"clip = 1.5\n"                                                         \
	"rounds = 3\n"                                                         \
	"retries = 3\n"

static struct site *const s = &h.sites[0];
static bool met;

static int
start(const char *learning, const char *cohort, unsigned ready_wait_s)
{
	met = false;
	return consortium_start((struct options){ .n = 4,
	    .cohort = cohort,
	    .learning = learning,
	    .keep_tables = 1,
	    .ready_wait_s = ready_wait_s,
	    .deadline_s = 600 });
}

static int
small_words(void **state)
{
	(void)state;
	return start(LEARNING "ring = 32\n", "fixed", 60);
}

static int
large_words(void **state)
{
	(void)state;
	return start(LEARNING "ring = 64\n", "open", 1);
}

/* Each upload that left is paid, once. */
static void
paid(const struct site *of)
{
	double spent;

	control_ok(of->control, "status", "small", NULL, 0);
	spent = atof(cell("epsilon"));
	assert_true(spent > 0 && spent <= 4);
	assert_non_null(strstr(cell("epsilon"), " of 4 at delta 1e-06"));
	assert_int_equal(audit_lines(of->name, "upload", ""),
	    audit_lines(of->name, "upload", "rho="));
	assert_true(audit_lines(of->name, "upload", "") >= SUMS);
}

static void
noise_fits_into_small_words(void **state)
{
	(void)state;
	begin();
	finish_alike();
	for (size_t i = 0; i < h.n; i++) {
		paid(&h.sites[i]);
		assert_true(
		    audit_lines(h.sites[i].name, "sum", "learned=") >= SUMS);
	}
}

static enum fate
hold_the_list(struct site *of, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (of != s || type != ROUND_LIST || met)
		return PASS;
	met = true;
	return LOSE;
}

/* Its round ends with the old epoch, and what it has uploaded stays paid. */
static void
a_new_epoch_costs_another_upload(void **state)
{
	(void)state;
	h.to_site = hold_the_list;
	begin();
	wait_until(met);
	submit_epoch(1u << 3);
	for (size_t i = 0; i < 3; i++)
		wait_until(done(h.sites[i].control));
	for (size_t i = 0; i < 3; i++)
		paid(&h.sites[i]);
	assert_true(audit_lines(s->name, "upload", "") > SUMS);
	assert_true(audit_lines(s->name, "abort", "a new membership") == 1);
	/* Who is revoked learns no more, and has paid no more. */
	assert_true(audit_lines("s3", "upload", "") <= 1);
}

/* The coordinator loses all that it has summed; nobody pays twice for it. */
static void
a_restored_coordinator_learns_nothing_again(void **state)
{
	size_t n[4];

	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	for (size_t i = 0; i < h.n; i++)
		wait_until(done(h.sites[i].control));
	for (size_t i = 0; i < h.n; i++)
		n[i] = audit_lines(h.sites[i].name, "upload", "");
	restore_rounds();
	wait_until(done(h.control));
	finish_alike();
	for (size_t i = 0; i < h.n; i++) {
		paid(&h.sites[i]);
		assert_int_equal(
		    audit_lines(h.sites[i].name, "upload", ""), n[i]);
	}
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    noise_fits_into_small_words, small_words, consortium_stop),
		cmocka_unit_test_setup_teardown(
		    a_new_epoch_costs_another_upload, large_words,
		    consortium_stop),
		cmocka_unit_test_setup_teardown(
		    a_restored_coordinator_learns_nothing_again, large_words,
		    consortium_stop),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

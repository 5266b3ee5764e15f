/*
 * Case 16 of docs/TESTING.md: less noise than the hospital's policy allows, and
 * more uploads than the budget pays for, against the real gates.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"

#define SUMS 3

static const char learning[] = "[learning]\n"
			       "epsilon = 4\n"
			       "delta = 1e-6\n"
			       "clip = 1.5\n"
			       "rounds = 3\n"
			       "retries = 0\n";

static bool lost;

static int
start(const char *section, const char *policy)
{
	lost = false;
	return consortium_start((struct options){ .n = 4,
	    .cohort = "open",
	    .learning = section,
	    .policy = policy,
	    .ready_wait_s = 60,
	    .deadline_s = 2 });
}

static int
setup(void **state)
{
	(void)state;
	return start(learning, NULL);
}

static int
setup_small_total(void **state)
{
	(void)state;
	return start(learning, "total-epsilon = 2.5\n");
}

static int
setup_much_epsilon(void **state)
{
	(void)state;
	return start("[learning]\n"
		     "epsilon = 4.01\n"
		     "delta = 1e-6\n"
		     "clip = 1.5\n"
		     "rounds = 3\n",
	    NULL);
}

/* Uploads of all but s0 are lost, so that no round comes to a sum; of s0's each
   is lost once, so that it is sent twice. */
static enum fate
lose_uploads(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (type != ROUND_UPLOAD)
		return PASS;
	if (s != &h.sites[0])
		return LOSE;
	lost = !lost;
	return lost ? LOSE : PASS;
}

static void
abuse_16_a_study_below_the_floor(void **state)
{
	(void)state;
	submit();
	wait_for_audit(
	    "s0", "study", "epsilon is 4.01, this site's policy wants at", 0);
	control_ok(h.sites[0].control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "refused");
	assert_int_equal(audit_lines("s0", "upload", ""), 0);
}

/* Each line of an upload has what the study's uploads have told by then. */
static void
check_epsilons(double spent)
{
	double rho, epsilon, delta, last = 0;
	char line[8300];
	FILE *f = fopen(in_dir("s0/audit.log"), "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *cost = strstr(line, " rho=");

		if (strstr(line, " upload ") == NULL)
			continue;
		assert_non_null(cost);
		assert_int_equal(sscanf(cost, " rho=%lf epsilon=%lf delta=%lf ",
				     &rho, &epsilon, &delta),
		    3);
		assert_true(rho > 0 && epsilon > last && delta == 1e-6);
		last = epsilon;
	}
	fclose(f);
	assert_true(last <= 4 && fabs(last - spent) < 0.005);
}

static void
abuse_16_the_studys_budget_is_spent(void **state)
{
	double spent;

	(void)state;
	h.to_rounds = lose_uploads;
	begin();
	wait_for_audit("s0", "refused", "the study's budget is spent", 0);
	/* Each round was charged, what was sent again was not, and the last
	   ones pay for nothing: no sum, no step. */
	assert_int_equal(audit_lines("s0", "upload", "rho="), SUMS);
	assert_int_equal(audit_lines("s0", "sum", ""), 0);
	assert_int_equal(audit_lines("coordinator", "sum", ""), 0);
	control_ok(h.sites[0].control, "status", "small", NULL, 0);
	assert_string_equal(cell("step"), "0");
	spent = atof(cell("epsilon"));
	assert_true(spent > 3.98 && spent <= 4);
	check_epsilons(spent);
	/* A restart forgets nothing. */
	kill_site(&h.sites[0]);
	start_site(&h.sites[0]);
	control_ok(h.sites[0].control, "status", "small", NULL, 0);
	assert_true(atof(cell("epsilon")) == spent);
}

static void
abuse_16_the_sites_budget_is_spent(void **state)
{
	(void)state;
	h.to_rounds = lose_uploads;
	begin();
	wait_for_audit("s0", "refused", "this site's budget is spent", 0);
	assert_true(audit_lines("s0", "upload", "rho=") < SUMS);
	assert_int_equal(audit_lines("s0", "sum", ""), 0);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    abuse_16_a_study_below_the_floor, setup_much_epsilon,
		    consortium_stop),
		cmocka_unit_test_setup_teardown(
		    abuse_16_the_studys_budget_is_spent, setup,
		    consortium_stop),
		cmocka_unit_test_setup_teardown(
		    abuse_16_the_sites_budget_is_spent, setup_small_total,
		    consortium_stop),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

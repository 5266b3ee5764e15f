/*
 * Mistakes of those who run a site, and what becomes of them when they are
 * corrected.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"

static int
setup(void **state)
{
	(void)state;
	return consortium_start((struct options){ .n = 3,
	    .cohort = "fixed",
	    .ready_wait_s = 60,
	    .deadline_s = 60,
	    .iterations = 1 });
}

static int
teardown(void **state)
{
	(void)state;
	return consortium_stop();
}

static void
submit(void)
{
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	control_ok(h.control, "submit", "", h.study.data, h.study.len);
}

static void
await_status(struct site *s, const char *status, const char *why)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;

	do {
		if (clock_mono_ms() > until)
			fail_msg("%s: %s", cell("status"), cell("why"));
		pump(10);
		control_ok(s->control, "status", "small", NULL, 0);
	} while (strcmp(cell("status"), status) != 0);
	if (strstr(cell("why"), why) == NULL)
		fail_msg("%s, expected %s", cell("why"), why);
}

static void
restart(struct site *s, const char *policy)
{
	kill_site(s);
	h.o.policy = policy;
	start_site(s);
	h.o.policy = NULL;
}

/* A policy is a floor as long as nothing was prepared, in both directions. */
static void
a_study_is_judged_again_by_another_policy(void **state)
{
	static const char *const strict = "smallest-sites = 4\n";
	struct site *s = &h.sites[0];

	(void)state;
	restart(s, strict);
	submit();
	await_status(s, "refused", "wants at least 4");
	control(s->control, "prepare", "small", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(
	    strstr(h.reply.error, "judged again when the daemon starts"));
	/* The same once more: nothing new to record. */
	restart(s, strict);
	await_status(s, "refused", "wants at least 4");
	assert_int_equal(audit_lines("s0", "study", "verdict=refused"), 1);
	restart(s, NULL);
	await_status(s, "received", "");
	assert_int_equal(audit_lines("s0", "study", "verdict=received"), 1);
	restart(s, strict);
	await_status(s, "refused", "wants at least 4");
	restart(s, NULL);
	/* What was decided on stays as it is. */
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	restart(s, strict);
	await_status(s, "approved", "");
	finish();
}

static void
rename_site(struct site *s, const char *name)
{
	kill_site(s);
	snprintf(s->name, sizeof(s->name), "%s", name);
	start_site(s);
}

/* Under a wrong name nothing is judged, neither now nor what was before. */
static void
a_wrong_name_judges_nothing(void **state)
{
	static const char why[] =
	    "not judged: [site] name is graz, and the manifest calls this site "
	    "s0";
	struct site *s = &h.sites[0];

	(void)state;
	assert_int_equal(link(in_dir("s0.key"), in_dir("graz.key")), 0);
	rename_site(s, "graz");
	submit();
	await_status(s, "refused", why);
	rename_site(s, "s0");
	await_status(s, "received", "");
	rename_site(s, "graz");
	await_status(s, "received", "");
	rename_site(s, "s0");
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_is_judged_again_by_another_policy),
		TEST(a_wrong_name_judges_nothing),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

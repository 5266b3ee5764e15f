/*
 * A new membership manifest while a study runs, and while a site is away.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "crypto/manifest.h"

static unsigned stage; /* how far a test has come */

static int
start(const char *rounds, const char *cohort, unsigned ready_wait_s)
{
	stage = 0;
	return consortium_start((struct options){ .n = 4,
	    .cohort = cohort,
	    .rounds = rounds,
	    .iterations = 2,
	    .ready_wait_s = ready_wait_s,
	    .deadline_s = 2 });
}

static int
setup(void **state)
{
	(void)state;
	return start(NULL, "fixed", 60);
}

static int
setup_open(void **state)
{
	(void)state;
	return start(NULL, "open", 1);
}

static int
setup_short_uploads(void **state)
{
	(void)state;
	return start("keep-uploads = 1\n", "fixed", 60);
}

static void
wait_for_stage(unsigned n)
{
	wait_until(stage >= n);
}

/* From then on stage says that a message of that type is on its way. */
static enum round_type awaited;

static enum fate
hold(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	(void)msg;
	if (type != awaited || stage > 1)
		return PASS;
	stage = 1;
	return LOSE; /* it comes again */
}

static void
an_epoch_before_the_certificate(enum round_type at)
{
	awaited = at;
	h.to_site = hold;
	begin();
	wait_for_stage(1);
	submit_epoch(0);
	stage = 2;
	finish();
	assert_int_equal(
	    audit_lines("coordinator", "abort", "new membership"), 1);
	for (size_t i = 0; i < h.n; i++) {
		assert_int_equal(
		    audit_lines(h.sites[i].name, "manifest", "epoch="), 2);
		assert_int_equal(
		    audit_lines(h.sites[i].name, "sum", "round=1 "), 0);
	}
}

static void
a_round_before_its_certificate_ends_with_its_epoch(void **state)
{
	(void)state;
	an_epoch_before_the_certificate(ROUND_SHARESET);
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(
		    audit_lines(h.sites[i].name, "abort", "new membership"), 1);
}

/* A site that has confirmed waits: the round might be certified. */
static void
so_does_one_whose_list_is_out(void **state)
{
	(void)state;
	an_epoch_before_the_certificate(ROUND_LIST);
}

/* All but the first site's unmask is on its way when the manifest comes. */
static enum fate
hold_unmask(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (type != ROUND_UNMASK || s == &h.sites[0] || stage > 1)
		return PASS;
	stage = 1;
	return LOSE;
}

static void
a_certified_round_completes_under_its_own_manifest(void **state)
{
	(void)state;
	h.to_rounds = hold_unmask;
	begin();
	wait_for_stage(1);
	submit_epoch(0);
	/* It is in the books, not only in memory. */
	kill_rounds();
	start_rounds();
	for (size_t i = 0; i < h.n; i++) {
		kill_site(&h.sites[i]);
		start_site(&h.sites[i]);
	}
	for (size_t i = 0; i < h.n; i++)
		wait_for_audit(h.sites[i].name, "manifest", "epoch=2", 0);
	stage = 2;
	finish();
	assert_int_equal(audit_lines("coordinator", "abort", ""), 0);
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(
		    audit_lines(h.sites[i].name, "sum", "round=1 "), 1);
}

static void
wait_until_done(void)
{
	for (size_t i = 0; i < h.n; i++) {
		wait_until(done(h.sites[i].control));
	}
}

/* Two sums of one epoch each while it is away; then all in order. */
static void
a_site_that_was_away_catches_up_across_epochs(void **state)
{
	struct site *s = &h.sites[3];
	struct canon result = { 0 };

	(void)state;
	begin();
	wait_for_audit(s->name, "upload", "study", 0);
	kill_site(s);
	for (size_t k = 1; k <= 2; k++) {
		wait_for_audit("coordinator", "sum", "study", k);
		submit_epoch(0);
	}
	wait_for_audit("coordinator", "sum", "study", 3);
	start_site(s);
	wait_for_audit(s->name, "sum", "study", 3);
	assert_int_equal(audit_lines(s->name, "manifest", "epoch="), 3);
	assert_int_equal(audit_lines(s->name, "refused", "epoch"), 0);
	/* And comes to the same model. */
	wait_until_done();
	control_ok(h.control, "result", "small", NULL, 0);
	canon_raw(&result, h.reply.body, h.reply.body_len);
	control_ok(s->control, "result", "small", NULL, 0);
	assert_int_equal(h.reply.body_len, result.len);
	assert_memory_equal(h.reply.body, result.data, result.len);
	canon_free(&result);
}

static size_t
spooled(void)
{
	DIR *d = opendir(in_dir("coordinator/spool"));
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += strlen(e->d_name) == 2 * ROUND_DIGEST;
	closedir(d);
	return n;
}

static void
uploads_of_an_older_epoch_expire(void **state)
{
	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	submit_epoch(0);
	finish();
	/* The last round's uploads, and all sums. */
	assert_int_equal(
	    spooled(), h.n + audit_lines("coordinator", "sum", "study"));
	assert_int_equal(audit_lines("coordinator", "uploads-deleted", "study"),
	    audit_lines("coordinator", "sum", "study") - 1);
}

/* The revoked site's upload is there already, its confirm is not. */
static void
a_site_is_revoked_in_the_middle_of_a_round(void **state)
{
	struct site *s = &h.sites[3];
	size_t sums, uploads;

	(void)state;
	awaited = ROUND_LIST;
	h.to_site = hold;
	begin();
	wait_for_stage(1);
	submit_epoch(1u << 3);
	stage = 2;
	uploads = audit_lines(s->name, "upload", "study");
	wait_for_audit("coordinator", "sum", "study", 2);
	/* Nothing of it is in a sum, and it learns nothing more. */
	sums = audit_lines(s->name, "sum", "study");
	assert_int_equal(sums, 0);
	assert_int_equal(audit_lines(s->name, "upload", "study"), uploads);
	assert_int_equal(audit_lines("coordinator", "sum", "sites=4"), 0);
	/* Until it is let in again. */
	submit_epoch(0);
	wait_for_audit(s->name, "sum", "study", 2);
	assert_int_equal(audit_lines(s->name, "manifest", "epoch="), 3);
}

static void
a_manifest_that_would_stop_a_study_is_refused(void **state)
{
	struct manifest m = *h.opened;
	struct canon out = { 0 };
	struct err err;

	(void)state;
	begin();
	m.epoch = 2;
	m.policy.honest_min = 4; /* of four, one of whom may be corrupted */
	ok(manifest_sign(&m, h.root, &out, &err), &err);
	control(h.control, "submit", "", out.data, out.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(strstr(h.reply.error, "study small"));
	canon_free(&out);
	finish();
}

/* Who is revoked is needed for the sum: it waits, and nobody else is asked. */
static enum fate
without_the_last(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	return s == &h.sites[3] && type == ROUND_ANNOUNCE ? LOSE : PASS;
}

static enum fate
lose_unmask(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	(void)msg;
	return type == ROUND_UNMASK ? LOSE : PASS;
}

static bool
unmasks(void)
{
	control_ok(h.control, "status", "small", NULL, 0);
	return strcmp(cell("phase"), "unmasks") == 0;
}

/* From nobody who may tell it: then it takes no part, and says so. */
static void
learns_that_it_is_revoked(struct site *s)
{
	size_t uploads = audit_lines(s->name, "upload", ""), refusals;
	struct canon msg = { 0 };

	tell_object(s, &h.manifest);
	wait_for_audit(s->name, "manifest", "epoch=3 ", 0);
	refusals = audit_lines(s->name, "refused", "");
	canon_text(&msg, "consilium-1/announce");
	tell(s, &msg);
	canon_free(&msg);
	control(s->control, "checkpoint", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_string_equal(
	    h.reply.error, "no manifest has this site, so nobody countersigns");
	/* It is still the officer who decides there. */
	decide_anew(s, APPROVAL_REVOKE);
	decide_anew(s, APPROVAL_APPROVE);
	assert_int_equal(audit_lines(s->name, "refused", ""), refusals);
	assert_int_equal(audit_lines(s->name, "upload", ""), uploads);
	kill_site(s);
	start_site(s);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "approved");
}

static void
a_sum_waits_for_a_site_that_is_revoked(void **state)
{
	(void)state;
	h.to_site = without_the_last;
	h.to_rounds = lose_unmask;
	begin();
	wait_until(unmasks());
	submit_epoch(1u << 2);
	assert_true(unmasks());
	assert_string_equal(cell("missing"), "s0 s1");
	assert_string_equal(cell("need"), "3");
	/* A further manifest changes nothing of what is certified. */
	submit_epoch(1u << 2);
	assert_true(unmasks());
	h.to_rounds = NULL;
	for (size_t i = 0; i < 2; i++)
		wait_for_audit(h.sites[i].name, "unmask", "study", 0);
	wait_until((control_ok(h.control, "status", "small", NULL, 0),
	    strcmp(cell("have"), "2") == 0));
	assert_string_equal(cell("missing"), "");
	assert_int_equal(audit_lines("coordinator", "sum", "study"), 0);
	learns_that_it_is_revoked(&h.sites[2]);
}

#define TEST(f, setup)                                                         \
	cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_round_before_its_certificate_ends_with_its_epoch, setup),
		TEST(so_does_one_whose_list_is_out, setup),
		TEST(a_certified_round_completes_under_its_own_manifest, setup),
		TEST(a_site_that_was_away_catches_up_across_epochs, setup_open),
		TEST(uploads_of_an_older_epoch_expire, setup_short_uploads),
		TEST(a_site_is_revoked_in_the_middle_of_a_round, setup_open),
		TEST(a_sum_waits_for_a_site_that_is_revoked, setup_open),
		TEST(a_manifest_that_would_stop_a_study_is_refused, setup),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A whole study, and what a crash at any point of it may not change.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/approval.h"
#include "crypto/audit.h"
#include "crypto/checkpoint.h"

static int
setup(void **state)
{
	(void)state;
	return consortium_start((struct options){
	    .n = 4, .cohort = "fixed", .ready_wait_s = 60, .deadline_s = 2 });
}

static void
a_study_gives_the_model_of_all_rows_together(void **state)
{
	(void)state;
	begin();
	finish();
}

/* What site 0 has sent: its signed upload messages, and how long the words
   were. */
static struct canon sent;
static size_t sizes[32], n_sizes;

static enum fate
keep_upload(struct site *s, enum round_type type, struct canon *msg)
{
	if (s == &h.sites[0] && type == ROUND_UPLOAD)
		canon_raw(&sent, msg->data, msg->len);
	return PASS;
}

static void
keep_size(struct site *s, struct canon *words)
{
	if (s == &h.sites[0] && n_sizes < nitems(sizes))
		sizes[n_sizes++] = words->len;
}

/* A line of site 0's, of the n-th upload. */
static void
check_release(const char *line, size_t n)
{
	char kind[32], root[2 * ROUND_DIGEST + 1], officer[KEY_PUBLIC_TEXT],
	    purpose[64], word[80], expected[KEY_PUBLIC_TEXT];
	uint8_t digest[ROUND_DIGEST];
	unsigned round;
	size_t bytes;

	if (sscanf(line,
		"%*u %*s upload study=small round=%u kind=%31s bytes=%zu "
		"root=%64[0-9a-f] officer=%64[0-9a-f] purpose=\"%63[^\"]\" "
		"prev=",
		&round, kind, &bytes, root, officer, purpose) != 6)
		fail_msg("%s", line);
	snprintf(word, sizeof(word), " round=%u kind=%s ", round, kind);
	assert_int_equal(audit_lines("s0", "sum", word), 1);
	assert_int_equal(bytes, sizes[n]);
	assert_int_equal(hex_bytes(root, digest, sizeof(digest)), 0);
	assert_non_null(memmem(sent.data, sent.len, digest, sizeof(digest)));
	hex_text(key_public(h.officer), KEY_PUBLIC, expected);
	assert_string_equal(officer, expected);
	assert_string_equal(purpose, "medical research");
}

/* Study, purpose, who has approved it, and what left: kind, bytes, digest. */
static void
each_release_is_a_line_of_the_audit_log(void **state)
{
	char line[8300];
	size_t n = 0;
	FILE *f;

	(void)state;
	h.to_rounds = keep_upload;
	h.upload = keep_size;
	begin();
	finish();
	assert_non_null(f = fopen(in_dir("s0/audit.log"), "re"));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, " upload ") != NULL)
			check_release(line, n++);
	}
	fclose(f);
	assert_true(n > 0);
	assert_int_equal(n, n_sizes);
	assert_int_equal(n, audit_lines("s0", "sum", ""));
	assert_int_equal(
	    audit_lines("s0", "study", "purpose=\"medical research\""), 1);
	assert_int_equal(
	    audit_lines("coordinator", "study", "purpose=\"medical research\""),
	    1);
	canon_free(&sent);
}

static void
killed_at(int victim, enum round_type at)
{
	h.victim = victim;
	h.at = at;
	begin();
	finish();
}

static void
a_site_killed_after_its_ready_comes_back(void **state)
{
	(void)state;
	killed_at(1, ROUND_READY);
}

static void
a_site_killed_after_its_shares_comes_back(void **state)
{
	(void)state;
	killed_at(0, ROUND_SHARES);
}

static void
a_site_killed_after_its_upload_is_counted(void **state)
{
	(void)state;
	killed_at(2, ROUND_UPLOAD);
}

static void
a_site_killed_after_its_confirm_is_counted(void **state)
{
	(void)state;
	killed_at(3, ROUND_CONFIRM);
}

static void
a_site_killed_after_its_unmask_is_counted(void **state)
{
	(void)state;
	killed_at(0, ROUND_UNMASK);
}

static enum fate
never_has_shares(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	return s == &h.sites[3] && type == ROUND_SHARES ? LOSE : PASS;
}

/* The first sum fixes the set of sites; its roster had one more.  That result is
   opened again for who is behind, and for a transcript. */
static void
the_first_sum_fixes_the_set(void **state)
{
	struct canon first = { 0 };

	(void)state;
	h.to_rounds = never_has_shares;
	for (size_t i = 0; i < STEPS_MAX; i++)
		h.missing[i] = 1u << 3;
	begin();
	finish();
	canon_u64(&first, 1);
	control_ok(h.control, "transcript", "small", first.data, first.len);
	assert_int_equal(ctl_reply_rows(&h.reply), 3);
	canon_free(&first);
}

static size_t
n_sent(void)
{
	size_t n = 0;

	for (size_t i = 0; i < h.n; i++)
		n += h.sites[i].n_sent;
	return n;
}

/* All are killed after 4, 6, 8, ... messages, so that a slow machine comes as
   far between two kills as a fast one. */
static void
rounds_killed_again_and_again_loses_nothing(void **state)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	size_t kills = 0, next;

	(void)state;
	begin();
	next = n_sent() + 4;
	while (!done(h.control)) {
		assert_true(clock_mono_ms() < until);
		if (n_sent() >= next) {
			kill_rounds();
			start_rounds();
			/* The uplinks see their calls fail, and call again. */
			for (size_t i = 0; i < h.n; i++) {
				struct site *s = &h.sites[i];

				kill_site(s);
				start_site(s);
			}
			next = n_sent() + 4 + 2 * ++kills;
		}
		pump(10);
	}
	assert_true(kills > 8);
	finish();
}

static void
an_approval_of_another_table_is_refused(void **state)
{
	struct site *s = &h.sites[0];
	struct approval a = { .verdict = APPROVAL_APPROVE };
	struct canon out = { 0 };
	struct err err;

	(void)state;
	submit();
	for (int i = 0; i < 100; i++)
		pump(20);
	control_ok(s->control, "prepare", "small", NULL, 0);
	memcpy(a.study, h.digest, sizeof(a.study));
	a.utc = clock_utc();
	ok(approval_sign(&a, h.officer, &out, &err), &err);
	control(s->control, "approve", "small", out.data, out.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	/* Nor does somebody else's key approve anything. */
	out.len = 0;
	ok(approval_sign(&a, h.root, &out, &err), &err);
	control(s->control, "approve", "small", out.data, out.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "prepared");
	canon_free(&out);
}

static void
decide_by(struct site *s, enum approval_verdict verdict, const struct key *k)
{
	struct canon object = { 0 };

	sign_decision(s, verdict, k, &object);
	control_ok(s->control, approval_verdict_name(verdict), "small",
	    object.data, object.len);
	canon_free(&object);
}

/* Sent again it is nothing new; a deputy's yes after the officer's is, and changes
   nothing.  Neither brings back what was taken back. */
static void
each_decision_is_one_line_of_the_audit_log(void **state)
{
	struct site *s = &h.sites[0];
	char officer[KEY_PUBLIC_TEXT], deputy[KEY_PUBLIC_TEXT];
	struct canon yes = { 0 };

	(void)state;
	hex_text(key_public(h.officer), KEY_PUBLIC, officer);
	hex_text(key_public(h.deputy), KEY_PUBLIC, deputy);
	begin();
	assert_int_equal(audit_lines(s->name, "approve", officer), 1);
	sign_decision(s, APPROVAL_APPROVE, h.deputy, &yes);
	for (int i = 0; i < 2; i++) {
		control_ok(s->control, "approve", "small", yes.data, yes.len);
		assert_int_equal(audit_lines(s->name, "approve", deputy), 1);
	}
	assert_int_equal(audit_lines(s->name, "approve", "small"), 2);
	decide(s, APPROVAL_REVOKE);
	control(s->control, "approve", "small", yes.data, yes.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(strstr(h.reply.error, "was taken before"));
	canon_free(&yes);
	for (int64_t second = clock_utc(); clock_utc() == second;)
		pump(50);
	decide(s, APPROVAL_APPROVE);
	finish();
}

/* Either may decide, and take back what the other has approved.  What was
   signed before that does not undo it. */
static void
the_deputy_approves_and_revokes(void **state)
{
	struct site *s = &h.sites[0];
	char deputy[KEY_PUBLIC_TEXT];
	struct canon yes = { 0 };
	int64_t second;

	(void)state;
	hex_text(key_public(h.deputy), KEY_PUBLIC, deputy);
	begin();
	decide_by(s, APPROVAL_REVOKE, h.deputy);
	assert_int_equal(audit_lines(s->name, "revoke", deputy), 1);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "refused");
	assert_string_equal(cell("why"), "by the officer: approval taken back");
	sign_decision(s, APPROVAL_APPROVE, h.deputy, &yes);
	control_ok(s->control, "approve", "small", yes.data, yes.len);
	assert_int_equal(audit_lines(s->name, "approve", deputy), 1);
	decide_by(s, APPROVAL_REVOKE, h.officer);
	control(s->control, "approve", "small", yes.data, yes.len);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(strstr(h.reply.error, "was taken before"));
	control_ok(s->control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "refused");
	canon_free(&yes);
	for (second = clock_utc(); clock_utc() == second;)
		pump(50);
	decide_by(s, APPROVAL_APPROVE, h.deputy);
	assert_int_equal(audit_lines(s->name, "approve", deputy), 2);
	finish();
}

/* With keep-tables = 0 they go with the study's end; and the queue of the
   officer is empty again. */
static void
what_waits_is_listed_and_what_is_done_is_deleted(void **state)
{
	struct site *s = &h.sites[0];

	(void)state;
	control_ok(s->control, "reports", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 0);
	submit();
	approve(s);
	/* A second site has prepared it, twice, and nobody has decided. */
	for (int i = 0; i < 2; i++) {
		int64_t until = clock_mono_ms() + TIMEOUT_MS;

		do {
			assert_true(clock_mono_ms() < until);
			pump(10);
			control_ok(
			    h.sites[1].control, "status", "small", NULL, 0);
		} while (i == 0 && strcmp(cell("status"), "received") != 0);
		control_ok(h.sites[1].control, "prepare", "small", NULL, 0);
	}
	assert_int_equal(h.n_dropped, 1);
	assert_int_equal(
	    audit_lines(h.sites[1].name, "table-deleted", "prepared"), 1);
	control_ok(h.sites[1].control, "reports", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 1);
	assert_string_equal(cell("study"), "small");
	assert_string_equal(cell("read"), "no");
	/* Control says who asks: only an officer has read it. */
	h.roles = CTL_OPERATOR;
	control_ok(h.sites[1].control, "report", "small", NULL, 0);
	control_ok(h.sites[1].control, "reports", "", NULL, 0);
	assert_string_equal(cell("read"), "no");
	h.roles = CTL_OFFICER;
	control_ok(h.sites[1].control, "report", "small", NULL, 0);
	control_ok(h.sites[1].control, "reports", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 1);
	assert_string_not_equal(cell("read"), "no");
	h.roles = CTL_OPERATOR | CTL_OFFICER;
	decide(&h.sites[1], APPROVAL_APPROVE);
	control_ok(h.sites[1].control, "reports", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 0);
	for (size_t i = 2; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
	for (size_t i = 0; i < h.n; i++)
		wait_for_audit(h.sites[i].name, "table-deleted", "done", 0);
	assert_int_equal(h.n_dropped, 1 + h.n);
}

/* What the site has of the coordinator's about its log, or -1. */
static int
checkpoint_of(const struct site *s, struct checkpoint *c)
{
	char name[32];
	struct err err;
	uint8_t *p;
	size_t len;
	int rv;

	snprintf(name, sizeof(name), "%s/db/checkpoint", s->name);
	if ((p = file_read(in_dir(name), CHECKPOINT_MAX, &len, &err)) == NULL)
		return -1;
	rv = checkpoint_open_countersigned(
	    p, len, key_public(h.coordinator), key_public(s->key), c, &err);
	free(p);
	return rv;
}

static void
await_checkpoint(struct site *s, uint64_t lines, struct checkpoint *c)
{
	control_ok(s->control, "checkpoint", "", NULL, 0);
	wait_until(checkpoint_of(s, c) == 0 && c->state.count >= lines);
}

/* The log's own key cannot make a past that was countersigned otherwise. */
static void
a_site_cannot_shorten_its_log_or_write_it_anew(void **state)
{
	struct site *s = &h.sites[0];
	struct checkpoint first, second;
	char log[160], copy[160], command[800];
	struct audit_state found;
	struct audit *a;
	struct err err;

	(void)state;
	control(s->control, "checkpoint", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED); /* no manifest yet */
	begin();
	await_checkpoint(s, 1, &first);
	wait_for_audit("coordinator", "checkpoint", "site=10", 0);
	snprintf(log, sizeof(log), "%s", in_dir("s0/audit.log"));
	assert_int_equal(
	    audit_verify(log, key_public(s->key), &first.state, &found, &err),
	    0);
	finish();
	await_checkpoint(s, first.state.count + 1, &second);

	/* It takes back what came after the first, and goes on from there. */
	kill_site(s);
	snprintf(copy, sizeof(copy), "%s", in_dir("whole.log"));
	snprintf(command, sizeof(command), "cp %s %s && head -n %d %s >%s", log,
	    copy, (int)first.state.count, copy, log);
	assert_int_equal(system(command), 0);
	assert_int_equal(
	    audit_verify(log, key_public(s->key), &second.state, &found, &err),
	    -1);
	assert_non_null(strstr(err.msg, "lines are missing at the end"));
	start_site(s);
	/* The gate itself says so, and the coordinator takes no less. */
	wait_for_audit(s->name, "lines-missing", "found", 0);
	control(s->control, "checkpoint", "", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	wait_for_audit("coordinator", "refused", "shortened", 0);

	/* As many lines again, all well signed, and it is still seen. */
	kill_site(s);
	a = audit_open(log, s->key, &err);
	assert_non_null(a);
	while (audit_count(a) < second.state.count)
		assert_int_equal(
		    audit_event(a, &err, "nothing", "study", "x", NULL), 0);
	audit_close(a);
	assert_int_equal(
	    audit_verify(log, key_public(s->key), NULL, &found, &err), 0);
	assert_int_equal(
	    audit_verify(log, key_public(s->key), &second.state, &found, &err),
	    -1);
	assert_non_null(strstr(err.msg, "is not the line that was known"));
	snprintf(command, sizeof(command), "cp %s %s", copy, log);
	assert_int_equal(system(command), 0);
	start_site(s);
}

static void
the_coordinator_refuses_what_the_root_did_not_sign(void **state)
{
	struct canon bad = { 0 };

	(void)state;
	canon_raw(&bad, h.manifest.data, h.manifest.len);
	bad.data[bad.len / 2] ^= 1;
	control(h.control, "submit", "", bad.data, bad.len);
	assert_true(h.reply.code != ERR_NONE);
	canon_free(&bad);
	control(h.control, "submit", "", h.study.data, h.study.len);
	assert_int_equal(h.reply.code, ERR_REFUSED); /* no manifest yet */
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	control(h.control, "submit", "", h.manifest.data, h.manifest.len);
	assert_int_equal(h.reply.code, ERR_REFUSED); /* the same epoch */
}

/* The keys say who a site is; a configuration that says otherwise is wrong. */
static void
a_site_of_another_name_than_the_manifest_has_takes_no_part(void **state)
{
	struct site *s = &h.sites[0];
	char key[160];

	(void)state;
	kill_site(s);
	snprintf(key, sizeof(key), "%s", in_dir("s0.key"));
	assert_int_equal(link(key, in_dir("x.key")), 0);
	snprintf(s->name, sizeof(s->name), "x");
	start_site(s);
	submit();
	for (int i = 0; i < 300 && strcmp(cell("status"), "refused") != 0;
	     i++) {
		pump(20);
		control_ok(s->control, "status", "small", NULL, 0);
	}
	assert_string_equal(cell("status"), "refused");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_gives_the_model_of_all_rows_together),
		TEST(each_release_is_a_line_of_the_audit_log),
		TEST(a_site_killed_after_its_ready_comes_back),
		TEST(a_site_killed_after_its_shares_comes_back),
		TEST(a_site_killed_after_its_upload_is_counted),
		TEST(a_site_killed_after_its_confirm_is_counted),
		TEST(a_site_killed_after_its_unmask_is_counted),
		TEST(the_first_sum_fixes_the_set),
		TEST(rounds_killed_again_and_again_loses_nothing),
		TEST(an_approval_of_another_table_is_refused),
		TEST(each_decision_is_one_line_of_the_audit_log),
		TEST(the_deputy_approves_and_revokes),
		TEST(what_waits_is_listed_and_what_is_done_is_deleted),
		TEST(a_site_cannot_shorten_its_log_or_write_it_anew),
		TEST(the_coordinator_refuses_what_the_root_did_not_sign),
		TEST(
		    a_site_of_another_name_than_the_manifest_has_takes_no_part),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

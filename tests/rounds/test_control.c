/*
 * What the control socket may not ask, and what other processes may not say:
 * each with its reason.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/approval.h"
#include "tests/faults/sweep.h"

static void
refused(struct chan *c, const char *command, const char *study,
    const struct canon *body, enum err_code code, const char *word)
{
	control(c, command, study, body != NULL ? body->data : NULL,
	    body != NULL ? body->len : 0);
	if (h.reply.code != code || strstr(h.reply.error, word) == NULL)
		fail_msg(
		    "%s: code %d: %s", command, h.reply.code, h.reply.error);
}

/* Signed by the officer, about the present report but for `other`. */
static struct canon
decision(struct site *s, enum approval_verdict verdict, unsigned other)
{
	struct approval a = { .verdict = verdict, .utc = clock_utc() };
	struct canon out = { 0 };
	struct err err;

	control_ok(s->control, "digests", "small", NULL, 0);
	assert_int_equal(hex_bytes(cell("study"), a.study, 32), 0);
	assert_int_equal(hex_bytes(cell("report"), a.report, 32), 0);
	assert_int_equal(hex_bytes(cell("table"), a.table, 32), 0);
	a.study[0] ^= other == 1;
	a.report[0] ^= other == 2;
	a.table[0] ^= other == 3;
	ok(approval_sign(&a, h.officer, &out, &err), &err);
	return out;
}

/* A site's, in each state of a study. */
static void
a_gate_says_why_it_refuses_a_command(void **state)
{
	struct site *s = &h.sites[0];
	struct chan *c = s->control;
	struct approval unread = { .verdict = APPROVAL_APPROVE };
	struct canon junk = { 0 }, blind = { 0 }, no, yes, other;
	struct err err;

	(void)state;
	canon_text(&junk, "junk");
	refused(c, "dance", "", NULL, ERR_CONFIG,
	    "a site does not know the command dance");
	refused(c, "prepare", "small", NULL, ERR_CONFIG,
	    "no study of the name small here");
	refused(c, "restored", "", NULL, ERR_REFUSED, "was not restored");
	refused(c, "checkpoint", "", NULL, ERR_REFUSED,
	    "no manifest has this site");
	submit();
	await_status(s, "received", "");
	refused(
	    c, "digests", "small", NULL, ERR_REFUSED, "small is not prepared");
	refused(
	    c, "report", "small", NULL, ERR_REFUSED, "small is not prepared");
	refused(c, "result", "small", NULL, ERR_REFUSED, "has no result yet");
	refused(c, "approve", "small", &junk, ERR_FORMAT, "approval");
	ok(approval_sign(&unread, h.officer, &blind, &err), &err);
	refused(c, "approve", "small", &blind, ERR_REFUSED,
	    "small is not prepared");
	control_ok(c, "reports", "", NULL, 0);
	assert_int_equal(ctl_reply_rows(&h.reply), 0);
	control_ok(c, "prepare", "small", NULL, 0);
	control_ok(c, "reports", "", NULL, 0);
	assert_string_equal(cell("read"), "no");
	/* Who is no officer has not read it for the officer. */
	h.roles = CTL_OPERATOR;
	control_ok(c, "report", "small", NULL, 0);
	control_ok(c, "reports", "", NULL, 0);
	assert_string_equal(cell("read"), "no");
	h.roles |= CTL_OFFICER;
	control_ok(c, "report", "small", NULL, 0);
	control_ok(c, "reports", "", NULL, 0);
	assert_string_not_equal(cell("read"), "no");
	no = decision(s, APPROVAL_REFUSE, 0);
	refused(c, "approve", "small", &no, ERR_FORMAT,
	    "a signed refuse, expected approve");
	for (unsigned part = 1; part <= 3; part++) {
		other = decision(s, APPROVAL_APPROVE, part);
		refused(c, "approve", "small", &other, ERR_REFUSED,
		    "about another study, report or table");
		canon_free(&other);
	}
	control_ok(c, "refuse", "small", no.data, no.len);
	await_status(s, "refused", "");
	yes = decision(s, APPROVAL_APPROVE, 0);
	control_ok(c, "approve", "small", yes.data, yes.len);
	control_ok(c, "approve", "small", yes.data, yes.len);
	assert_int_equal(h.reply.n_columns, 2); /* no warning, no column */
	refused(c, "result", "small", NULL, ERR_REFUSED, "has no result yet");
	refused(c, "prepare", "small", NULL, ERR_REFUSED,
	    "small is approved: revoke that first");
	for (size_t i = 1; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
	refused(c, "refuse", "small", &no, ERR_REFUSED, "small is done");
	refused(c, "prepare", "small", NULL, ERR_REFUSED, "small is done");
	control_ok(c, "checkpoint", "", NULL, 0);
	canon_free(&junk);
	canon_free(&blind);
	canon_free(&no);
	canon_free(&yes);
}

/* The coordinator's. */
static void
rounds_say_why_they_refuse_a_command(void **state)
{
	struct chan *c = h.control;
	struct canon junk = { 0 };

	(void)state;
	canon_text(&junk, "junk");
	refused(c, "dance", "", NULL, ERR_CONFIG,
	    "the coordinator does not know the command dance");
	refused(c, "result", "small", NULL, ERR_CONFIG,
	    "no study of the name small here");
	refused(c, "submit", "", &junk, ERR_FORMAT, "signed");
	refused(c, "submit", "", &h.study, ERR_REFUSED,
	    "submit the manifest first");
	control_ok(c, "submit", "", h.manifest.data, h.manifest.len);
	control_ok(c, "submit", "", h.study.data, h.study.len);
	refused(c, "result", "small", NULL, ERR_REFUSED, "has no result yet");
	canon_free(&junk);
}

/*
 * Processes of the same house that do not keep to the rules: the gate ends, and
 * says what it was told.
 */
enum peer { PARENT, UPLINK, CONTROL };

static void
ends(enum peer from, enum msg_type type, const struct canon *what, int fd,
    const char *word)
{
	struct site *s = &h.sites[0];
	size_t deaths = h.n_deaths;
	struct chan *chans[3];
	struct err err;

	listen_to_errors();
	kill_site(s);
	start_site(s); /* it says it there */
	chans[PARENT] = s->parent;
	chans[UPLINK] = s->uplink;
	chans[CONTROL] = s->control;
	ok(chan_send(chans[from], type, 99, what->data, what->len, fd, &err),
	    &err);
	wait_until(h.n_deaths != deaths);
	assert_int_equal(said(&word, 1), 1);
}

static void
a_gate_ends_when_it_is_told_nonsense(void **state)
{
	struct canon junk = { 0 }, gone = { 0 }, told = { 0 };
	int fd = dup(STDERR_FILENO);
	struct err err;

	(void)state;
	h.may_die = true;
	canon_text(&junk, "a text");
	canon_u32(&told, ERR_NONE); /* then a length of more than there is */
	canon_u32(&told, 400);
	canon_u8(&gone, 1);
	canon_text(&gone, "ended");
	assert_true(fd >= 0);
	ends(PARENT, MSG_JOB_CHANNEL, &junk, fd, "a channel of no job");
	close(fd);
	ends(UPLINK, MSG_DELIVERED, &told, -1, "DELIVERED: cut short");
	ends(CONTROL, MSG_CTL_REQUEST, &junk, -1, "cut short");
	ends(PARENT, MSG_TRAINED, &junk, -1, "from parent is not expected");
	ends(CONTROL, MSG_FROM_COORDINATOR, &junk, -1,
	    "from control is not expected");
	/* But these come late, of what an earlier gate had begun. */
	ok(chan_send(h.sites[0].parent, MSG_JOB_GONE, 99, gone.data, gone.len,
	       -1, &err),
	    &err);
	ok(chan_send(h.sites[0].uplink, MSG_FETCHED, 99, junk.data, junk.len,
	       -1, &err),
	    &err);
	canon_free(&told);
	canon_u32(&told, ERR_NONE);
	canon_bytes(&told, "", 0);
	ok(chan_send(h.sites[0].uplink, MSG_DELIVERED, 0, told.data, told.len,
	       -1, &err),
	    &err);
	begin();
	finish();
	assert_int_equal(h.n_deaths, 5);
	canon_free(&junk);
	canon_free(&gone);
	canon_free(&told);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, three_sites, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_gate_says_why_it_refuses_a_command),
		TEST(rounds_say_why_they_refuse_a_command),
		TEST(a_gate_ends_when_it_is_told_nonsense),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Readers and trainers that fail, end, or answer what they were not asked: what
 * the gate says of it, and that the study still comes to its result.
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
#include "model/step/plan.h"
#include "tests/faults/sweep.h"

static struct site *const s = &h.sites[0];
static unsigned at; /* the case that is tried */
static bool tried; /* and it was */

static int
setup(void **state)
{
	at = 0;
	tried = false;
	return three_sites(state);
}

/* The study is at all sites; those but the first have approved it. */
static void
offered(void)
{
	submit();
	await_status(s, "received", "");
	for (size_t i = 1; i < h.n; i++)
		approve(&h.sites[i]);
}

static void
send_it(struct chan *c, enum msg_type type, uint64_t tag, struct canon *what)
{
	struct err err;

	ok(chan_send_canon(c, type, tag, what, &err), &err);
	ok(chan_drain(c, TIMEOUT_MS, &err), &err);
}

static void
fail_job(struct chan *job, uint64_t tag, const char *why)
{
	struct canon c = { 0 };

	canon_u32(&c, ERR_FORMAT);
	canon_text(&c, why);
	send_it(job, MSG_JOB_FAILED, tag, &c);
}

/*
 * Readers
 */

static enum job_fate
bad_reader(struct site *of, struct chan *job, const struct msg *order)
{
	if (of != s || order->type != MSG_READER_JOB || tried)
		return JOB_PASS;
	tried = true;
	if (at == 2)
		decide(s, APPROVAL_APPROVE); /* of what was prepared before */
	if (at != 1)
		fail_job(job, order->tag, "patients.csv:7: not a number");
	return JOB_DONE; /* or without a word */
}

static void
a_preparation_that_fails_says_why(void **state)
{
	static const char *const words[] = { "patients.csv:7: not a number",
		"reader ended without an answer: ended" };
	static const enum err_code codes[] = { ERR_FORMAT, ERR_SYSTEM };

	(void)state;
	offered();
	h.job = bad_reader;
	for (at = 0; at < 2; at++) {
		tried = false;
		control(s->control, "prepare", "small", NULL, 0);
		assert_int_equal(h.reply.code, codes[at]);
		assert_non_null(strstr(h.reply.error, words[at]));
		control_ok(s->control, "status", "small", NULL, 0);
		assert_string_equal(cell("status"), "received");
	}
	/* What is approved meanwhile is not spoiled by it. */
	tried = true;
	control_ok(s->control, "prepare", "small", NULL, 0);
	tried = false;
	control(s->control, "prepare", "small", NULL, 0);
	wait_until(strstr(h.reply.error, words[0]) != NULL);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "approved");
	assert_string_equal(cell("why"), "");
	finish();
}

/* While one reader is at work: nothing is prepared twice at once. */
static enum job_fate
ask_meanwhile(struct site *of, struct chan *job, const struct msg *order)
{
	(void)job;
	if (of != s || order->type != MSG_READER_JOB || tried)
		return JOB_PASS;
	tried = true;
	control(s->control, "prepare", "small", NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_non_null(strstr(h.reply.error, "small is being prepared now"));
	return JOB_PASS;
}

static enum job_fate
approve_meanwhile(struct site *of, struct chan *job, const struct msg *order)
{
	(void)job;
	if (of != s || order->type != MSG_READER_JOB || tried)
		return JOB_PASS;
	tried = true;
	decide(s, APPROVAL_APPROVE);
	return JOB_PASS;
}

static void
a_table_is_not_replaced_under_its_approval(void **state)
{
	size_t prepared;

	(void)state;
	offered();
	h.job = ask_meanwhile;
	control(s->control, "prepare", "small", NULL, 0);
	h.job = NULL;
	assert_true(tried);
	prepared = audit_lines(s->name, "prepared", "small");
	assert_int_equal(prepared, 1);
	tried = false;
	h.job = approve_meanwhile;
	control(s->control, "prepare", "small", NULL, 0);
	wait_until(strstr(h.reply.error,
		       "approved while it was prepared again") != NULL);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	assert_int_equal(audit_lines(s->name, "prepared", "small"), prepared);
	finish();
}

/*
 * Trainers
 */

static enum job_fate
bad_trainer(struct site *of, struct chan *job, const struct msg *order)
{
	struct canon c = { 0 };
	uint8_t zeros[32] = { 0 };

	if (of != s || order->type != MSG_TRAIN || tried)
		return JOB_PASS;
	tried = true;
	switch (at) {
	case 0:
		fail_job(job, order->tag, "no memory");
		break;
	case 1: /* of no table, three values */
		canon_raw(&c, zeros, sizeof(zeros));
		canon_u32(&c, 3);
		send_it(job, MSG_TRAINED, order->tag, &c);
		break;
	case 2: /* without a word */
		break;
	}
	return JOB_DONE;
}

/* What it answers is altered. */
static void
other_values(struct site *of, struct canon *msg)
{
	if (of != s || tried)
		return;
	tried = true;
	if (at == 3)
		msg->data[0] ^= 1; /* the digest of its table */
	else if (at == 4)
		canon_u8(msg, 0);
	else
		memset(msg->data + 36, 0xff, 8); /* no number */
}

static void
a_training_that_fails_is_audited_and_tried_again(void **state)
{
	static const char *const words[] = { "no memory",
		"the trainer sent 3 values, expected",
		"trainer ended without an answer: ended",
		"the table is not the one that was approved", "TRAINED", "" };

	(void)state;
	offered();
	h.job = bad_trainer;
	h.trained = other_values;
	tried = true;
	for (at = 0; at < nitems(words); at++) {
		size_t n = audit_lines(s->name, "training-failed", words[at]);

		if (at == 0) {
			tried = false;
			approve(s);
		}
		tried = false;
		if (at >= 3)
			h.job = NULL;
		wait_for_audit(s->name, "training-failed", words[at], n);
		assert_true(tried);
	}
	h.trained = NULL;
	finish();
	assert_true(
	    audit_lines(s->name, "training-failed", "small") >= nitems(words));
}

/* Taken back while the trainer works: what it says is dropped. */
static enum job_fate
revoke_meanwhile(struct site *of, struct chan *job, const struct msg *order)
{
	(void)job;
	if (of != s || order->type != MSG_TRAIN || tried)
		return JOB_PASS;
	tried = true;
	decide_anew(s, APPROVAL_REVOKE);
	if (at == 1) {
		fail_job(job, order->tag, "no memory");
		return JOB_DONE;
	}
	return JOB_PASS;
}

static void
what_is_computed_for_a_study_that_was_revoked_is_dropped(void **state)
{
	(void)state;
	offered();
	h.job = revoke_meanwhile;
	approve(s);
	for (at = 0; at < 2; at++) {
		wait_until(tried);
		assert_int_equal(audit_lines(s->name, "upload", "small"), 0);
		assert_int_equal(
		    audit_lines(s->name, "training-failed", "small"), 0);
		tried = at == 1;
		decide_anew(s, APPROVAL_APPROVE);
	}
	finish();
}

/* Taken back and approved again while the trainer works: there is a second
   one, for a run of its own, and the first one's answer, or end, is nobody's. */
static struct chan *first;
static uint64_t first_tag;

static enum job_fate
outlives_its_run(struct site *of, struct chan *job, const struct msg *order)
{
	struct canon c = { 0 };
	uint8_t table[32];
	struct plan *p;
	struct err err;

	if (of != s || order->type != MSG_TRAIN || at > 1)
		return JOB_PASS;
	if (at == 0) {
		at = 1;
		first = job;
		first_tag = order->tag;
		decide_anew(s, APPROVAL_REVOKE);
		decide_anew(s, APPROVAL_APPROVE);
		wait_until(at == 2);
		return JOB_DONE;
	}
	at = 2;
	control_ok(s->control, "digests", "small", NULL, 0);
	assert_int_equal(hex_bytes(cell("table"), table, sizeof(table)), 0);
	assert_non_null(p = plan_new(&h.spec, &err));
	if (tried) {
		fail_job(first, first_tag, "too late");
	} else {
		canon_raw(&c, table, sizeof(table));
		canon_u32(&c, (uint32_t)plan_values(p));
		for (size_t i = 0; i < plan_values(p); i++)
			canon_f64(&c, 1);
		send_it(first, MSG_TRAINED, first_tag, &c);
	}
	plan_free(p);
	/* The gate has seen it before the answer that counts. */
	for (int i = 0; i < 3; i++)
		control_ok(s->control, "status", "small", NULL, 0);
	return JOB_PASS;
}

static void
a_trainer_that_outlives_its_run_is_not_heard(void **state)
{
	(void)state;
	tried = *state != NULL;
	offered();
	h.job = outlives_its_run;
	approve(s);
	wait_until(at == 2);
	finish();
	assert_int_equal(audit_lines(s->name, "training-failed", "small"), 0);
}

/* Before the trainer has its order: it gets none. */
static void
revoke_at_start(struct site *of, enum proc proc)
{
	if (of != s || proc != PROC_TRAINER || tried)
		return;
	tried = true;
	decide_anew(s, APPROVAL_REVOKE);
	if (at == 1) /* and there is another run of it */
		decide_anew(s, APPROVAL_APPROVE);
}

static void
a_trainer_whose_study_was_revoked_at_its_start_is_sent_home(void **state)
{
	(void)state;
	offered();
	h.starting = revoke_at_start;
	approve(s);
	wait_until(tried);
	wait_until(h.n_idle == 1);
	assert_int_equal(audit_lines(s->name, "training-failed", "small"), 0);
	at = 1;
	tried = false;
	decide_anew(s, APPROVAL_APPROVE);
	finish();
	assert_true(tried);
	assert_int_equal(h.n_idle, 1);
	assert_int_equal(audit_lines(s->name, "training-failed", "small"), 0);
}

/*
 * Those that do not keep to the rules: the gate ends, and says so
 */

static enum job_fate
breaks_a_rule(struct site *of, struct chan *job, const struct msg *order)
{
	static const uint8_t zeros[136];
	struct canon c = { 0 };
	bool reader = order->type == MSG_READER_JOB;

	if (of != s || reader != (at < 5) || tried)
		return JOB_PASS;
	tried = true;
	canon_u32(&c, ERR_FORMAT);
	canon_text(&c, "why");
	switch (at) {
	case 0: /* of another job */
	case 5:
		send_it(job, MSG_JOB_FAILED, order->tag + 1, &c);
		break;
	case 1: /* a trainer's answer */
		send_it(job, MSG_TRAINED, order->tag, &c);
		break;
	case 2: /* with more behind it */
		canon_u8(&c, 0);
		send_it(job, MSG_JOB_FAILED, order->tag, &c);
		break;
	case 3: /* of another job again */
	case 4: /* after its end */
		if (at == 4)
			fail_job(job, order->tag, "no rows");
		canon_free(&c);
		canon_raw(&c, zeros, sizeof(zeros));
		send_it(job, MSG_READER_DONE, order->tag + (at == 3), &c);
		break;
	case 6: /* twice */
		fail_job(job, order->tag, "once");
		send_it(job, MSG_JOB_FAILED, order->tag, &c);
		break;
	case 7: /* an update to no job */
	case 8:
		if (at == 8)
			fail_job(job, order->tag, "once");
		canon_free(&c);
		canon_raw(&c, zeros, sizeof(zeros));
		send_it(job, MSG_TRAINED, order->tag + (at == 7), &c);
		break;
	}
	canon_free(&c);
	return JOB_FATAL;
}

static void
a_gate_ends_when_a_job_breaks_the_rules(void **state)
{
	static const char *const words[][2] = { { "an answer to no job" },
		{ "from reader is not expected" }, { "JOB_FAILED" },
		{ "an answer to no job" },
		{ "preparation: no rows", "an answer to no job" },
		{ "an answer to no job" },
		{ "training: once", "an answer to no job" },
		{ "an answer to no job" },
		{ "training: once", "an answer to no job" } };

	(void)state;
	h.may_die = true;
	offered();
	h.job = breaks_a_rule;
	for (at = 0; at < nitems(words); at++) {
		listen_to_errors();
		kill_site(s);
		start_site(s); /* it says it there */
		h.n_deaths = 0;
		tried = false;
		if (at < 5)
			control(s->control, "prepare", "small", NULL, 0);
		else if (at == 5)
			decide(s, APPROVAL_APPROVE);
		wait_until(h.n_deaths > 0);
		assert_int_equal(
		    said(words[at], 2), words[at][1] != NULL ? 2 : 1);
	}
	finish();
}

/* A reader is to start, and its parent says something else of it. */
static struct canon
a_channel(const char *table, size_t more)
{
	struct canon c = { 0 };

	canon_text(&c, table);
	canon_raw(&c, "more", more);
	return c;
}

static uint64_t
ordered_reader(void)
{
	const struct ctl_request q = {
		.command = "prepare", .study = "small", .roles = CTL_OPERATOR
	};
	struct canon ask = { 0 };
	struct err err;
	struct msg m;
	uint64_t tag;

	kill_site(s);
	start_site(s);
	assert_int_equal(ctl_request_write(&q, &ask), 0);
	send_it(s->control, MSG_CTL_REQUEST, 7, &ask);
	assert_int_equal(chan_wait(s->parent, &m, TIMEOUT_MS, &err), 1);
	assert_int_equal(m.type, MSG_START_READER);
	tag = m.tag;
	msg_free(&m);
	return tag;
}

static void
a_gate_ends_when_it_is_told_nonsense_of_a_job(void **state)
{
	static const struct {
		size_t more;
		bool fd;
		enum msg_type type;
		const char *word;
	} said_of_it[] = {
		{ 0, false, MSG_JOB_CHANNEL, "a channel of no job" },
		{ 4, true, MSG_JOB_CHANNEL, "JOB_CHANNEL" },
		{ 4, false, MSG_JOB_GONE, "JOB_GONE" },
	};
	struct canon c;
	struct err err;
	uint64_t tag;

	(void)state;
	h.may_die = true;
	offered();
	for (size_t i = 0; i < nitems(said_of_it); i++) {
		int fd = said_of_it[i].fd ? dup(STDERR_FILENO) : -1;

		listen_to_errors();
		tag = ordered_reader();
		h.n_deaths = 0;
		c = a_channel("\1small.table", said_of_it[i].more);
		ok(chan_send(s->parent, said_of_it[i].type, tag, c.data, c.len,
		       fd, &err),
		    &err);
		canon_free(&c);
		if (fd >= 0)
			close(fd);
		wait_until(h.n_deaths > 0);
		assert_int_equal(said(&said_of_it[i].word, 1), 1);
	}
	/* One that could not be started has an end, and no channel. */
	tag = ordered_reader();
	canon_u8(&c, 0);
	canon_text(&c, "reader: no such file");
	ok(chan_send(s->parent, MSG_JOB_GONE, tag, c.data, c.len, -1, &err),
	    &err);
	canon_free(&c);
	h.replied = false;
	wait_until(h.replied);
	assert_int_equal(h.reply.code, ERR_SYSTEM);
	assert_string_equal(h.reply.error, "reader: no such file");
	approve(s);
	finish();
}

static int
setup_failing(void **state)
{
	int rv = setup(state);

	*state = &tried;
	return rv;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_preparation_that_fails_says_why),
		TEST(a_table_is_not_replaced_under_its_approval),
		TEST(a_training_that_fails_is_audited_and_tried_again),
		TEST(what_is_computed_for_a_study_that_was_revoked_is_dropped),
		TEST(
		    a_trainer_whose_study_was_revoked_at_its_start_is_sent_home),
		TEST(a_trainer_that_outlives_its_run_is_not_heard),
		cmocka_unit_test_setup_teardown(
		    a_trainer_that_outlives_its_run_is_not_heard, setup_failing,
		    consortium_stop),
		TEST(a_gate_ends_when_a_job_breaks_the_rules),
		TEST(a_gate_ends_when_it_is_told_nonsense_of_a_job),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

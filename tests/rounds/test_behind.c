/*
 * A coordinator that says, signed, that it was restored; and a site that has not
 * all of what it should hand back, or nothing more to say.  Further, results and
 * share sets that come when they cannot be taken.
 */
#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/round_behind.h"
#include "tests/abuse/forge.h"
#include "tests/faults/sweep.h"

static struct site *const s = &h.sites[0];
static enum round_type hold_at; /* s is told no such message, from step 1 on */
static bool held;
static bool deaf; /* s is told nothing but manifests */
static char aside[192];

static enum fate
hold(size_t site, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (site == 0 && deaf)
		return LOSE;
	if (site != 0 || at_step[0] == 0 || type != hold_at)
		return PASS;
	held = true;
	return LOSE;
}

static int
start(const char *privacy)
{
	held = deaf = false;
	if (consortium_start((struct options){ .n = 3,
		.cohort = "fixed",
		.privacy = privacy,
		.ready_wait_s = 60,
		.deadline_s = 600,
		.iterations = 1 }) < 0)
		return -1;
	forge_start();
	attack = hold;
	return 0;
}

static int
with_replay(void **state)
{
	(void)state;
	return start(NULL);
}

static int
with_trust(void **state)
{
	(void)state;
	return start("verify = trust\n");
}

static int
teardown(void **state)
{
	forge_stop();
	return consortium_stop(state);
}

static void
run_until(enum round_type type)
{
	hold_at = type;
	begin();
	wait_until(held);
	wait_idle(s);
	/* It has heard that, too. */
	control_ok(s->control, "status", "small", NULL, 0);
}

static void
go_on(void)
{
	attack = NULL;
	finish();
}

/* What the coordinator says of step 0 or 1. */
static struct round_behind
truth(uint32_t step)
{
	const struct canon *msg = &told[step][0][ROUND_ANNOUNCE];
	struct round_behind b = { .step = step };
	struct round_about about;
	struct context c;
	struct err err;

	ok(round_announce_open(
	       ctx_of(NULL, &c), msg->data, msg->len, &about, &err),
	    &err);
	memcpy(b.state, about.state, ROUND_DIGEST);
	b.round = step == 1 ? about.round : 0;
	return b;
}

static struct canon
behind_of(const struct round_behind *b)
{
	struct canon msg = { 0 };
	struct context c;
	struct err err;

	ok(round_behind_put(ctx_of(NULL, &c), b, &msg, &err), &err);
	return msg;
}

static void
refused(const struct round_behind *b, const char *word)
{
	struct canon msg = behind_of(b);

	refuses(s, &msg, word);
}

/* Nothing leaves until it has refused the next. */
static void
says_nothing(const struct round_behind *b)
{
	struct round_behind other = *b;
	struct canon msg = behind_of(b);

	tell(s, &msg);
	canon_free(&msg);
	other.state[0] ^= 1;
	refused(&other, "another state at step 1");
}

static void
answers(const struct round_behind *b, enum round_type type)
{
	struct canon msg = behind_of(b);

	assert_int_not_equal(s->last, type);
	tell(s, &msg);
	canon_free(&msg);
	wait_until(s->last == type);
	wait_idle(s);
}

static const char *
spooled(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/spool/%s", s->state, name);
	return path;
}

static void
write_spool(const char *name, const void *data, size_t len)
{
	struct err err;

	ok(file_write(spooled(name), data, len, 0600, &err), &err);
}

static void
what_is_not_kept_is_not_handed_back(void **state)
{
	struct round_behind old, now;
	uint8_t *file, bad[4096];
	struct err err;
	size_t len;

	(void)state;
	run_until(ROUND_ROSTER);
	old = truth(0);
	now = truth(1);
	/* The sum of the first step. */
	file = file_read(spooled("small.1.sum"), sizeof(bad), &len, &err);
	assert_non_null(file);
	assert_int_equal(unlink(spooled("small.1.sum")), 0);
	refused(&old, "the sum of step 1 is not kept here");
	memcpy(bad, file, len);
	write_spool("small.1.sum", bad, 3);
	refused(&old, "small.1.sum: damaged");
	write_spool("small.1.sum", bad, len - 1);
	refused(&old, "small.1.sum: damaged");
	bad[len - 1] ^= 1;
	write_spool("small.1.sum", bad, len);
	refused(&old, "small.1.sum: damaged");
	memset(bad, 0, 4);
	write_spool("small.1.sum", bad, 4);
	refused(&old, "small.1.sum: damaged");
	write_spool("small.1.sum", file, len);
	free(file);
	/* What it has signed of it is all that is asked. */
	old.wish = ROUND_WISH_CHECKED;
	answers(&old, ROUND_CHECKED);
	/* On this state: what the coordinator knows of is not told again. */
	says_nothing(&now);
	now.wish = ROUND_WISH_CHECKED;
	says_nothing(&now);
	now.wish = ROUND_WISH_NEXT;
	now.round--;
	answers(&now, ROUND_KEPT);
	go_on();
}

static void
under_trust_no_site_has_checked(void **state)
{
	struct round_behind b;

	(void)state;
	run_until(ROUND_ROSTER);
	b = truth(0);
	b.wish = ROUND_WISH_CHECKED;
	refused(&b, "this site has not checked the sum itself");
	go_on();
}

/* The spooled upload, while the site does not run. */
static void
put_back(struct site *of)
{
	char name[64];

	snprintf(name, sizeof(name), "small.%u", (unsigned)truth(1).round);
	assert_ptr_equal(of, s);
	assert_int_equal(rename(aside, spooled(name)), 0);
}

static void
dies_of(const struct canon *msg, const char *word)
{
	size_t deaths = h.n_deaths;

	listen_to_errors();
	kill_site(s);
	start_site(s);
	tell(s, msg);
	wait_until(h.n_deaths > deaths);
	assert_int_equal(said(&word, 1), 1);
}

/* What was spooled cannot be sent again where it is not there. */
static void
an_upload_is_not_sent_without_its_file(void **state)
{
	struct canon shareset, behind;
	struct round_behind b;
	char name[64];

	(void)state;
	run_until(ROUND_LIST);
	b = truth(1);
	b.round--;
	shareset = copy_of(last_told(0, ROUND_SHARESET));
	behind = behind_of(&b);
	snprintf(name, sizeof(name), "small.%u", (unsigned)b.round + 1);
	snprintf(aside, sizeof(aside), "%s/aside", h.dir);
	h.may_die = true;
	h.before_restart = put_back;
	assert_int_equal(rename(spooled(name), aside), 0);
	dies_of(&shareset, name);
	assert_int_equal(rename(spooled(name), aside), 0);
	dies_of(&behind, name);
	assert_int_equal(rename(spooled(name), aside), 0);
	write_spool(name, "cut", 3);
	refuses(s, &shareset, "cut short");
	refused(&b, "cut short");
	put_back(s);
	assert_int_equal(h.n_deaths, 2);
	canon_free(&behind);
	go_on();
}

/* What comes late for a round that a new epoch has ended. */
static void
a_round_that_was_given_up_stays_so(void **state)
{
	struct canon shareset;
	struct round_behind b;

	(void)state;
	run_until(ROUND_LIST);
	deaf = true;
	b = truth(1);
	shareset = copy_of(last_told(0, ROUND_SHARESET));
	submit_epoch(0);
	wait_for_audit(s->name, "abort", "a new membership manifest", 0);
	control_ok(s->control, "status", "small", NULL, 0); /* it is stored */
	refuses(s, &shareset, "this site has given the round up");
	says_nothing(&b);
	b.round--;
	answers(&b, ROUND_KEPT);
	go_on();
}

static void
results_that_are_none_are_refused(void **state)
{
	struct canon msg, content, announce = { 0 };
	struct round_about about;
	struct round_ctx other;
	struct context c;
	struct err err;

	(void)state;
	run_until(ROUND_RESULT);
	msg = copy_of(&told[0][0][ROUND_RESULT]);
	msg.len -= 100;
	refuses(s, &msg, "result: cut short");
	/* Of an epoch that this site has never heard of. */
	content = content_of(&told[0][0][ROUND_RESULT], "result");
	ok(round_announce_open(ctx_of(NULL, &c),
	       told[0][0][ROUND_ANNOUNCE].data, told[0][0][ROUND_ANNOUNCE].len,
	       &about, &err),
	    &err);
	other = *ctx_of(NULL, &c);
	other.epoch = 77;
	ok(msg_put_announce(&other, &about, &announce, &err), &err);
	memcpy(content.data + 4, announce.data, announce.len);
	canon_free(&announce);
	msg = signed_anew(NULL, "result", content);
	refuses(s, &msg, "the manifest of epoch 77 is not here");
	go_on();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, with_replay, teardown)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_kept_is_not_handed_back),
		cmocka_unit_test_setup_teardown(
		    under_trust_no_site_has_checked, with_trust, teardown),
		TEST(an_upload_is_not_sent_without_its_file),
		TEST(a_round_that_was_given_up_stays_so),
		TEST(results_that_are_none_are_refused),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What rounds answer to requests that they cannot take: of no member, of no
 * form, of what is not there; and to signed ones that say too little.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/faults/sweep.h"
#include "tests/rounds/harness.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/checkpoint.h"
#include "crypto/exchange.h"
#include "crypto/round_behind.h"
#include "crypto/round_msg.h"
#include "crypto/round_vouch.h"

static bool summed; /* the first round may be */

/* Refused with the word; "" if it is taken. */
static void
says(uint16_t site, unsigned method, const struct canon *body, const char *word)
{
	const char *why =
	    rounds_say_to_request(site, method, body->data, body->len);

	if (*word == '\0' ? *why != '\0' : strstr(why, word) == NULL)
		fail_msg(
		    "request %u: \"%s\", expected \"%s\"", method, why, word);
}

static void
commands_refuse(const char *command, const char *study,
    const struct canon *body, const char *word)
{
	control(h.control, command, study, body->data, body->len);
	assert_true(h.reply.code != ERR_NONE);
	if (strstr(h.reply.error, word) == NULL)
		fail_msg(
		    "%s: %s, expected \"%s\"", command, h.reply.error, word);
}

static void
requests_that_are_none_are_refused(void **state)
{
	struct canon junk = { 0 }, chunk = { 0 }, other = { 0 }, ours = { 0 };
	uint8_t zeros[40] = { 0 };
	uint16_t id = h.sites[0].id;

	(void)state;
	canon_text(&junk, "some junk");
	canon_raw(&chunk, zeros, 36);
	exchange_wrap(zeros, "x", 1, &other);
	exchange_wrap(h.digest, "x", 1, &ours);
	says(id, REQUEST_SEND, &ours, "not an active member"); /* no manifest */
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	says(id, REQUEST_SEND, &ours, "no such study here");
	control_ok(h.control, "submit", "", h.study.data, h.study.len);
	says(97, REQUEST_SEND, &ours, "not an active member");
	says(id, REQUEST_NEXT, &junk, "next");
	says(id, REQUEST_SEND, &junk, "envelope");
	says(id, REQUEST_SEND, &other, "no such study here");
	says(id, REQUEST_SEND, &ours, "not a message of a site's");
	says(id, REQUEST_PUT_CHUNK, &junk, "chunk cut short");
	says(id, REQUEST_PUT_CHUNK, &chunk, "no upload is due");
	says(id, REQUEST_GET_CHUNK, &junk, "GetChunk");
	says(id, REQUEST_GET_CHUNK, &chunk, "no upload of that name is kept");
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
	assert_int_equal(audit_lines("coordinator", "refused", ""), 0);
	canon_free(&junk);
	canon_free(&chunk);
	canon_free(&other);
	canon_free(&ours);
}

/* Of one round, and of what an upload of it is called. */
static void
transcripts_of_no_round_are_refused(void **state)
{
	struct canon junk = { 0 }, last = { 0 }, past = { 0 }, chunk = { 0 };
	struct canon first = { 0 };
	uint8_t root[32];
	size_t bytes;

	(void)state;
	canon_text(&junk, "some junk");
	canon_u64(&last, 0);
	canon_u64(&past, 77);
	commands_refuse("transcript", "small", &last, "no study of the name");
	submit();
	commands_refuse("transcript", "small", &last, "small has no sum yet");
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
	finish();
	commands_refuse("transcript", "small", &junk, "transcript");
	commands_refuse("transcript", "other", &last, "no study of the name");
	commands_refuse("transcript", "small", &past, "has no sum of round 77");
	commands_refuse("chunk", "", &junk, "chunk");
	canon_u64(&first, 1);
	control_ok(h.control, "transcript", "small", first.data, first.len);
	assert_string_equal(cell("before"), "0");
	canon_free(&first);
	control_ok(h.control, "transcript", "small", last.data, last.len);
	assert_int_equal(ctl_reply_rows(&h.reply), h.n);
	assert_int_equal(hex_bytes(cell("root"), root, sizeof(root)), 0);
	bytes = strtoul(cell("bytes"), NULL, 10);
	canon_raw(&chunk, root, sizeof(root));
	canon_u32(&chunk, 0);
	control_ok(h.control, "chunk", "", chunk.data, chunk.len);
	assert_int_equal(h.reply.body_len, bytes);
	chunk.data[chunk.len - 1] = 5;
	commands_refuse("chunk", "", &chunk, "chunk 5 of 1");
	says(h.sites[0].id, REQUEST_GET_CHUNK, &chunk, "chunk 5 of 1");
	chunk.data[0] ^= 1;
	commands_refuse("chunk", "", &chunk, "no upload of that name is kept");
	canon_free(&junk);
	canon_free(&last);
	canon_free(&past);
	canon_free(&chunk);
}

/* A member whose gate is not here. */
static void
checkpoint(uint64_t lines, uint8_t head, const struct key *k, const char *word)
{
	struct checkpoint c = { .state = { .count = lines, .head = { head } },
		.utc = clock_utc() };
	struct canon object = { 0 };
	struct err err;

	ok(checkpoint_sign(&c, k, &object, &err), &err);
	says(OUTSIDER, REQUEST_SEND, &object, word);
	canon_free(&object);
}

static size_t
countersigned(void)
{
	return audit_lines("coordinator", "checkpoint", "site=98 lines=");
}

static void
an_audit_log_only_grows(void **state)
{
	(void)state;
	checkpoint(5, 1, h.outsider, "not an active member");
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	checkpoint(5, 1, h.sites[0].key, "checkpoint");
	assert_int_equal(countersigned(), 0);
	checkpoint(5, 1, h.outsider, "");
	assert_int_equal(countersigned(), 1);
	checkpoint(5, 1, h.outsider, ""); /* again: no line of ours */
	assert_int_equal(countersigned(), 1);
	/* It is shown the longest that it has signed. */
	checkpoint(5, 2, h.outsider, "");
	checkpoint(4, 1, h.outsider, "");
	assert_int_equal(
	    audit_lines("coordinator", "refused", "line 5 was countersigned"),
	    2);
	kill_rounds();
	start_rounds();
	checkpoint(4, 1, h.outsider, "");
	assert_int_equal(
	    audit_lines("coordinator", "refused", "line 5 was countersigned"),
	    3);
	assert_int_equal(countersigned(), 1);
	checkpoint(6, 3, h.outsider, "");
	assert_int_equal(countersigned(), 2);
}

/* The first site's messages come from another's line. */
static enum fate
by_another(struct site *s, enum round_type type, struct canon *msg)
{
	(void)type;
	if (s != &h.sites[0])
		return PASS;
	assert_string_equal(rounds_say(&h.sites[1], msg), "");
	return PASS; /* and again from its own */
}

static void
a_message_is_its_authors_whoever_brings_it(void **state)
{
	(void)state;
	h.to_rounds = by_another;
	begin();
	finish();
	assert_int_equal(audit_lines("coordinator", "refused", ""), 0);
}

/*
 * What a member has signed, or not, that is not so
 */
static struct canon was_checked; /* the first site's, of the first sum */
static bool lost; /* the last site's first */

static enum fate
keep_checked(struct site *s, enum round_type type, struct canon *msg)
{
	if (type != ROUND_CHECKED)
		return PASS;
	if (s == &h.sites[0] && was_checked.len == 0)
		canon_raw(&was_checked, msg->data, msg->len);
	if (s == &h.sites[1])
		msg->data[msg->len - 1] ^= 1; /* it is not told again */
	if (s == &h.sites[2] && !lost) {
		lost = true;
		return LOSE; /* but that is */
	}
	return PASS;
}

static void
has_checked(const struct round_checked *c, const char *word)
{
	struct canon msg = { 0 };
	struct context k;
	struct err err;

	ok(round_checked_put(ctx_of(&h.sites[0], &k), c, &msg, &err), &err);
	if (strstr(rounds_say(&h.sites[0], &msg), word) == NULL)
		fail_msg("expected \"%s\"", word);
	canon_free(&msg);
}

static void
a_sum_that_came_to_something_else_is_refused(void **state)
{
	static const char word[] = "site 10 has come to another sum or state";
	struct round_checked c, other;
	const uint8_t *sig;
	struct context k;
	struct err err;

	(void)state;
	lost = false;
	h.to_rounds = keep_checked;
	begin();
	finish();
	assert_true(audit_lines("coordinator", "refused", "sign") > 0);
	assert_true(lost);
	ok(round_checked_open(ctx_of(NULL, &k), was_checked.data,
	       was_checked.len, &c, &sig, &err),
	    &err);
	has_checked(&c, ""); /* again */
	other = c;
	other.roster[3] ^= 1;
	has_checked(&other, word);
	other = c;
	other.sum[3] ^= 1;
	has_checked(&other, word);
	other = c;
	other.state[3] ^= 1;
	has_checked(&other, word);
	other = c;
	other.site = h.sites[1].id; /* who has not signed that */
	has_checked(&other, "sign");
	canon_free(&was_checked);
}

static enum fate
no_sum(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	(void)msg;
	return type == ROUND_SHARESET && !summed ? LOSE : PASS;
}

static void
who_was_not_asked_has_nothing_to_give_back(void **state)
{
	struct round_kept none = { 0 };
	struct canon kept = { 0 }, body = { 0 };

	(void)state;
	summed = false;
	h.to_site = no_sum;
	begin();
	wait_for_audit("coordinator", "study", "small", 0);
	round_kept_put(&none, &kept);
	exchange_wrap(h.digest, kept.data, kept.len, &body);
	says(OUTSIDER, REQUEST_SEND, &body, "nothing is missing here");
	canon_free(&kept);
	canon_free(&body);
	summed = true;
	finish();
}

/* A site that is asked what it has kept, and brings what is not so. */
static void
gives_back(const struct canon *announce, size_t less, const char *word)
{
	struct round_kept k = { 0 };
	struct canon msg = { 0 };
	const char *why;

	k.part[KEPT_ANNOUNCE].p = announce->data;
	k.part[KEPT_ANNOUNCE].len = announce->len;
	round_kept_put(&k, &msg);
	msg.len -= less;
	why = rounds_say(&h.sites[0], &msg);
	if (*word == '\0' ? *why != '\0' : strstr(why, word) == NULL)
		fail_msg("\"%s\", expected \"%s\"", why, word);
	canon_free(&msg);
}

static struct canon
announce_by(
    const struct site *s, const struct round_about *about, uint32_t epoch)
{
	struct canon out = { 0 };
	struct round_ctx ctx;
	struct context k;
	struct err err;

	ctx = *ctx_of(s, &k);
	ctx.epoch = epoch;
	ok(msg_put_announce(&ctx, about, &out, &err), &err);
	return out;
}

static struct canon announced;

static enum fate
keep_announced(struct site *s, enum round_type type, struct canon *msg)
{
	if (type != ROUND_ANNOUNCE || summed)
		return PASS;
	if (s == &h.sites[0] && announced.len == 0)
		canon_raw(&announced, msg->data, msg->len);
	return LOSE;
}

static void
what_was_not_kept_is_not_taken_back(void **state)
{
	struct round_about about;
	struct context k;
	struct canon a;
	struct err err;

	(void)state;
	summed = false;
	h.to_site = keep_announced;
	begin();
	wait_until(announced.len != 0);
	ok(round_announce_open(
	       ctx_of(NULL, &k), announced.data, announced.len, &about, &err),
	    &err);
	gives_back(&announced, 1, "kept");
	a = announce_by(NULL, &about, 77);
	gives_back(&a, 0, "the manifest of epoch 77 is missing");
	canon_free(&a);
	a = announce_by(&h.sites[1], &about, 1);
	gives_back(&a, 0, "sign");
	canon_free(&a);
	/* Of another state, which is no news. */
	about.state[0] ^= 1;
	a = announce_by(NULL, &about, 1);
	gives_back(&a, 0, "");
	canon_free(&a);
	canon_free(&announced);
	assert_int_equal(audit_lines("coordinator", "backup-found", ""), 0);
	summed = true;
	finish();
}

/*
 * Questions about what is not here: said once, and answered with nothing.  (Not
 * at once: nobody waits for the answer here.)
 */
static void
asks(uint32_t site, const struct exchange_next *x)
{
	struct canon out = { 0 };
	struct err err;

	canon_u8(&out, REQUEST_NEXT);
	canon_u32(&out, site);
	exchange_next_write(x, &out);
	ok(chan_send_canon(h.listener, MSG_REQUEST, 1ull << 40, &out, &err),
	    &err);
	control_ok(h.control, "status", "small", NULL, 0);
}

static void
a_question_about_another_past_is_said_once(void **state)
{
	static const char *const words[] = {
		"takes part in a study that this database does not have",
		"stands at step 0 of another history than this database's",
		"has the manifest of epoch 9, this database that of 1",
	};
	static struct exchange_next x;

	(void)state;
	summed = false;
	h.to_site = no_sum;
	listen_to_errors();
	kill_rounds();
	start_all(); /* it says it there */
	begin();
	x = (struct exchange_next){ .epoch = 1, .n = 1 };
	x.studies[0].standing = EXCHANGE_KNOWN; /* it is of no use to it */
	asks(OUTSIDER, &x);
	x.studies[0].standing = EXCHANGE_READY;
	memcpy(x.studies[1].digest, h.digest, sizeof(h.digest));
	x.studies[1].standing = EXCHANGE_READY;
	x.n = 2;
	x.epoch = 9;
	for (int i = 0; i < 2; i++)
		asks(OUTSIDER, &x);
	asks(70000, &x);
	assert_int_equal(said(words, nitems(words)), nitems(words));
	summed = true;
	finish();
	assert_int_equal(audit_lines("coordinator", "backup-found", ""), 0);
}

/* From the listener, or control, who never send that. */
static void
dies_of(struct chan *c, enum msg_type type, const void *p, size_t len,
    const char *word)
{
	size_t deaths = h.n_deaths;
	struct err err;

	ok(chan_send(c, type, 99, p, len, -1, &err), &err);
	wait_until(h.n_deaths != deaths);
	assert_int_equal(said(&word, 1), 1);
	listen_to_errors();
}

static void
rounds_end_when_they_are_told_nonsense(void **state)
{
	(void)state;
	h.may_die = true;
	begin();
	listen_to_errors();
	kill_rounds();
	start_rounds(); /* they say it there */
	dies_of(h.listener, MSG_REQUEST, "\11\0\0\0\12", 5, "request 9");
	dies_of(h.listener, MSG_REQUEST, "\0\0\0\0\12", 5, "request 0");
	dies_of(h.listener, MSG_POLL, "x", 1, "from listener is not expected");
	dies_of(h.control, MSG_CTL_REQUEST, "junk", 4, "cut short");
	said(NULL, 0);
	finish();
	assert_int_equal(h.n_deaths, 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, three_sites, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(requests_that_are_none_are_refused),
		TEST(transcripts_of_no_round_are_refused),
		TEST(an_audit_log_only_grows),
		TEST(a_message_is_its_authors_whoever_brings_it),
		TEST(a_sum_that_came_to_something_else_is_refused),
		TEST(who_was_not_asked_has_nothing_to_give_back),
		TEST(what_was_not_kept_is_not_taken_back),
		TEST(a_question_about_another_past_is_said_once),
		TEST(rounds_end_when_they_are_told_nonsense),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

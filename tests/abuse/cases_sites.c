/*
 * Sites that lie or fall silent, cases 20 to 24 and 28 of docs/TESTING.md: what
 * they send is altered on its way to the real rounds, and signed anew with the
 * site's real key.
 */
#include "config.h"

#include "tests/abuse/forge.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/round_behind.h"

#define LIAR 3

static unsigned stage;
static bool lost; /* the first complaint */

static int
start(const char *cohort, unsigned ready_wait_s, unsigned deadline_s)
{
	if (consortium_start((struct options){ .n = 4,
		.cohort = cohort,
		.ready_wait_s = ready_wait_s,
		.deadline_s = deadline_s }) < 0)
		return -1;
	forge_start();
	stage = 0;
	lost = false;
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return start("open", 60, 3);
}

/* One of the sites never comes back. */
static int
setup_lost(void **state)
{
	(void)state;
	return start("open", 1, 3);
}

static int
setup_fixed(void **state)
{
	(void)state;
	return start("fixed", 60, 2);
}

/* Nobody is late. */
static int
setup_patient(void **state)
{
	(void)state;
	return start("fixed", 60, 20);
}

static int
teardown(void **state)
{
	(void)state;
	forge_stop();
	return consortium_stop(state);
}

static void
run(void)
{
	begin();
	finish();
	assert_true(stage != 0);
}

/* 20, 21 */

static enum fate
deal_badly(size_t site, enum round_type type, struct canon *msg, bool points)
{
	uint8_t swap[ROUND_KEY];
	struct msg_shares s;
	struct canon forged;
	struct roster r;
	struct err err;

	if (site != LIAR || type != ROUND_SHARES || stage != 0)
		return PASS;
	stage = 1;
	true_roster(site, &r);
	ok(msg_read_shares(&r, msg->data, msg->len, &s, &err), &err);
	if (points) { /* of another polynomial than the shares are */
		uint8_t *g = (uint8_t *)(uintptr_t)s.points.g;

		memcpy(swap, g + ROUND_KEY, ROUND_KEY);
		memcpy(g + ROUND_KEY, g + 2 * ROUND_KEY, ROUND_KEY);
		memcpy(g + 2 * ROUND_KEY, swap, ROUND_KEY);
	} else {
		((uint8_t *)(uintptr_t)s.sealed)[MSG_SEALED + 5] ^=
		    1; /* site 1's */
	}
	forged = shares_of(site, &r, &s);
	canon_free(msg);
	*msg = forged;
	return PASS;
}

/* (The first complaint is lost: it is made again, the same.) */
static enum fate
flip_a_share(size_t site, enum round_type type, struct canon *msg)
{
	if (type == ROUND_COMPLAINT && !lost) {
		lost = true;
		return LOSE;
	}
	return deal_badly(site, type, msg, false);
}

static enum fate
deal_inconsistently(size_t site, enum round_type type, struct canon *msg)
{
	return deal_badly(site, type, msg, true);
}

static void
all_see_the_liar(const char *complainer)
{
	run(); /* a second round, in which the site is honest */
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(audit_lines(h.sites[i].name, "abort",
				     i == LIAR ? "" : "convicted=13"),
		    1);
	assert_true(audit_lines(complainer, "complaint", "dealer=13") == 1);
	assert_true(
	    audit_lines("coordinator", "abort", "site 13 is convicted") == 1);
}

/* A site uploads nothing in the round that it complains of.  (At site 0 two
   coefficients may change places: the polynomial is taken at 1.) */
static enum fate
silent_after_a_complaint(size_t site, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (site == 1 && type == ROUND_ABORT && stage == 1) {
		stage = 2;
		assert_int_equal(audit_lines("s1", "upload", ""), 0);
	}
	return PASS;
}

static void
abuse_20_a_flipped_share(void **state)
{
	(void)state;
	lie = flip_a_share;
	attack = silent_after_a_complaint;
	all_see_the_liar("s1");
	assert_true(lost);
}

static enum fate
flipped_by_the_coordinator(size_t site, enum round_type type, struct canon *msg)
{
	struct canon content;

	if (site != 0 || type != ROUND_SHARESET || stage != 0)
		return PASS;
	stage = 1;
	/* The last site's sealed share, before its path's two nodes. */
	content = content_of(msg, "shareset");
	content.data[content.len - 2 * ROUND_DIGEST - 10] ^= 1;
	content = signed_anew(NULL, "shareset", content);
	refuses(&h.sites[0], &content, "not what it signed");
	return PASS;
}

static void
abuse_20_a_share_flipped_by_the_coordinator(void **state)
{
	(void)state;
	attack = flipped_by_the_coordinator;
	run();
	assert_int_equal(audit_lines("s0", "complaint", ""), 0);
}

static void
abuse_21_an_inconsistent_dealer(void **state)
{
	(void)state;
	lie = deal_inconsistently;
	attack = silent_after_a_complaint;
	all_see_the_liar("s1");
}

/* 11: the coordinator was restored, and a site hands back what is not its own. */

static struct canon
of_another_study(struct canon content, struct round_about about)
{
	struct canon t0 = { 0 };
	struct round_ctx ctx;
	struct context c;
	struct err err;

	ctx = *ctx_of(NULL, &c);
	ctx.study[0] ^= 1;
	ok(msg_put_announce(&ctx, &about, &t0, &err), &err);
	memcpy(content.data + 4, t0.data, t0.len); /* it comes first */
	canon_free(&t0);
	return signed_anew(NULL, "result", content);
}

static void
not_taken(size_t site, struct canon forged, const char *word)
{
	const char *why = rounds_say(&h.sites[site], &forged);

	assert_string_not_equal(why, "");
	assert_non_null(strstr(why, word));
	canon_free(&forged);
}

static enum fate
hand_back_falsely(size_t site, enum round_type type, struct canon *msg)
{
	struct canon content, forged;
	struct msg_announce a;
	struct context c;
	struct err err;

	if (type != ROUND_RESULT || stage != 1)
		return PASS;
	stage = 2;
	forged = copy_of(msg);
	forged.data[forged.len / 2] ^= 1;
	not_taken(site, forged, "sign");
	content = content_of(msg, "result");
	ok(msg_get_announce(ctx_of(NULL, &c), content.data + 4,
	       (size_t)content.data[2] << 8 | content.data[3], &a, &err),
	    &err);
	not_taken(site, signed_anew(&h.sites[site], "result", content), "sign");
	not_taken(site, of_another_study(content_of(msg, "result"), a.about),
	    "another study");
	forged = copy_of(msg);
	forged.len -= ROUND_SIGNATURE / 2;
	not_taken(site, forged, "");
	return PASS; /* the true one, whose sum was altered on the way */
}

static void
another_sum(struct site *s, struct canon *words)
{
	(void)s;
	if (stage != 0)
		return;
	stage = 1;
	words->data[3] ^= 1;
}

static void
abuse_11_a_result_handed_back_falsely(void **state)
{
	size_t n;

	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	n = audit_lines("coordinator", "sum", "study");
	for (size_t i = 0; i < h.n; i++)
		wait_for_audit(h.sites[i].name, "sum", "study", n);
	restore_rounds();
	lie = hand_back_falsely;
	h.upload = another_sum;
	finish();
	assert_int_equal(stage, 2);
	assert_true(audit_lines("coordinator", "returned", "study") >= 1);
	assert_true(audit_lines("coordinator", "refused", "") >= 1);
}

/* What was lost are the uploads to a sum that site 0 alone has taken: site 1 hands
   back other words, site 2 another's upload, and another one of its own. */
static uint32_t lost_step;
static bool asked[SITES_MAX]; /* for its upload */
static struct canon m3[SITES_MAX]; /* what each has handed back */

static enum fate
for_one_alone(size_t site, enum round_type type, struct canon *msg)
{
	struct round_behind b;
	struct context c;
	struct err err;

	if (type == ROUND_BEHIND) {
		ok(round_behind_open(
		       ctx_of(NULL, &c), msg->data, msg->len, &b, &err),
		    &err);
		asked[site] |= b.wish == ROUND_WISH_UPLOAD;
	}
	return stage == 0 && site != 0 && type == ROUND_RESULT &&
		at_step[site] >= lost_step
	    ? LOSE
	    : PASS;
}

static void
other_words(struct site *s, uint32_t *index, struct canon *chunk)
{
	(void)index;
	if (s != &h.sites[1] || stage != 1 || !asked[1])
		return;
	stage = 2;
	chunk->data[3] ^= 1;
}

static enum fate
hand_back_others(size_t site, enum round_type type, struct canon *msg)
{
	struct canon content;

	if (type != ROUND_UPLOAD || !asked[site] || m3[site].len != 0)
		return PASS;
	if (site == 1 && stage == 2) {
		stage = 3;
		not_taken(1, copy_of(msg), "not what its site signed");
		return PASS; /* its words are not there any more */
	}
	m3[site] = copy_of(msg);
	if (site == 2) {
		not_taken(2, copy_of(last_said(3, ROUND_UPLOAD)),
		    "upload: too early");
		content = content_of(msg, "upload");
		content.data[content.len - 1] ^= 1; /* of its root */
		not_taken(2, signed_anew(&h.sites[2], "upload", content),
		    "upload: too early");
	}
	return PASS;
}

static void
abuse_11_uploads_handed_back_falsely(void **state)
{
	uint8_t root[ROUND_DIGEST] = { 1 };
	uint32_t have;

	(void)state;
	begin();
	wait_for_audit("coordinator", "sum", "study", 0);
	back_up_rounds();
	lost_step = (uint32_t)audit_lines("coordinator", "sum", "study");
	attack = for_one_alone;
	do {
		pump(20);
		control_ok(h.sites[0].control, "status", "small", NULL, 0);
	} while (strtoul(cell("step"), NULL, 10) <= lost_step);
	restore_rounds();
	stage = 1;
	h.put = other_words;
	lie = hand_back_others;
	finish();
	assert_int_equal(stage, 3);
	for (size_t i = 0; i < h.n; i++) {
		assert_int_not_equal(m3[i].len, 0);
		not_taken(i, m3[i], "no round is open"); /* nor once more */
		m3[i] = (struct canon){ 0 };
	}
	assert_non_null(
	    strstr(rounds_say_to_chunk(&h.sites[1], root, 0, "", 1, &have),
		"no upload is due"));
	assert_int_equal(
	    audit_lines("coordinator", "returned", "what=upload"), h.n);
}

/* 22 */

static enum fate
open_a_wrong_share(size_t site, enum round_type type, struct canon *msg)
{
	const bool all[] = { true, true, true, true };
	struct canon forged = { 0 };
	struct msg_unmask u;
	struct context c;
	struct roster r;
	struct err err;

	if (type != ROUND_UNMASK || at_step[site] != 0)
		return PASS;
	/* The others wait until it has lied. */
	if (site != LIAR)
		return stage == 0 ? LOSE : PASS;
	if (stage != 0)
		return LOSE;
	true_roster(site, &r);
	ok(msg_get_unmask(
	       ctx_of(NULL, &c), &r, all, all, msg->data, msg->len, &u, &err),
	    &err);
	u.share[1][0] ^= 1;
	ok(msg_put_unmask(
	       ctx_of(&h.sites[site], &c), &r, all, all, &u, &forged, &err),
	    &err);
	assert_non_null(strstr(rounds_say(&h.sites[site], &forged),
	    "site 13 opens a wrong share of site 11"));
	canon_free(&forged);
	stage = 1;
	return LOSE;
}

static void
abuse_22_a_wrong_share_opened(void **state)
{
	(void)state;
	lie = open_a_wrong_share;
	run(); /* without its answer */
	assert_int_equal(
	    audit_lines("coordinator", "refused", "site 13 opens"), 1);
}

/* 23, at b = 64 */

static void
add_a_huge_value(struct site *s, struct canon *words)
{
	if (s == &h.sites[LIAR] && at_step[LIAR] == 0)
		words->data[words->len - 1] ^= 0x40; /* 2^62 of the last word */
}

static enum fate
sign_the_huge_value(size_t site, enum round_type type, struct canon *msg)
{
	struct canon forged = { 0 };
	struct msg_upload u;
	struct context c;
	struct err err;

	if (site != LIAR || type != ROUND_UPLOAD || at_step[site] != 0)
		return PASS;
	stage = 1;
	ok(msg_read_upload(msg->data, msg->len, &u, &err), &err);
	memcpy(u.root, h.sites[LIAR].name_of_data, ROUND_DIGEST);
	ok(msg_put_upload(ctx_of(&h.sites[site], &c), &u, &forged, &err), &err);
	canon_free(msg);
	*msg = forged;
	return PASS;
}

static void
abuse_23_a_huge_value(void **state)
{
	(void)state;
	h.upload = add_a_huge_value;
	lie = sign_the_huge_value;
	begin();
	wait_until(done(h.control) && done(h.sites[0].control) &&
	    done(h.sites[1].control));
	assert_int_equal(stage, 1);
	/* The suspect sum was a release and a step; its kind came again. */
	assert_int_equal(audit_lines("s0", "sum", "kind=counts"), 2);
	assert_int_equal(audit_lines("coordinator", "sum", "kind=counts"), 2);
}

/* 24 */

static enum round_type silent_from;
static uint32_t silent_step;
static bool silent_two, speak;

static enum fate
fall_silent(size_t site, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (speak || at_step[site] != silent_step || type < silent_from ||
	    !(site == LIAR || (silent_two && site == 2)))
		return PASS;
	stage++;
	return LOSE;
}

static void
one_away(enum round_type from, bool counted)
{
	silent_from = from;
	silent_step = 0;
	silent_two = speak = false;
	h.missing[0] = counted ? 0 : 1u << LIAR;
	lie = fall_silent;
	run();
}

static void
abuse_24_open_one_away_before_its_shares(void **state)
{
	(void)state;
	one_away(ROUND_SHARES, false);
}

static void
abuse_24_open_one_away_before_its_upload(void **state)
{
	(void)state;
	one_away(ROUND_UPLOAD, false);
}

static void
abuse_24_open_one_away_after_its_upload(void **state)
{
	(void)state;
	one_away(ROUND_CONFIRM, true);
}

static void
abuse_24_open_two_away_after_the_confirm_wait(void **state)
{
	int64_t until;

	(void)state;
	silent_from = ROUND_UNMASK;
	silent_step = 0;
	silent_two = true;
	speak = false;
	lie = fall_silent;
	begin();
	until = clock_mono_ms() + 3000;
	while (clock_mono_ms() < until)
		pump(20);
	assert_true(stage >= 2);
	assert_int_equal(audit_lines("coordinator", "sum", ""), 0);
	assert_int_equal(audit_lines("coordinator", "abort", ""), 0);
	speak = true;
	finish();
}

static void
abuse_24_fixed_one_away_before_its_upload_waits(void **state)
{
	(void)state;
	silent_from = ROUND_UPLOAD;
	silent_step = 1;
	silent_two = speak = false;
	lie = fall_silent;
	begin();
	wait_for_audit("coordinator", "abort", "deadline", 0);
	assert_int_equal(audit_lines("coordinator", "sum", ""), 1);
	speak = true;
	finish();
}

static void
abuse_24_fixed_one_away_after_its_upload_completes(void **state)
{
	(void)state;
	silent_from = ROUND_UNMASK;
	silent_step = 1;
	silent_two = speak = false;
	lie = fall_silent;
	run();
	assert_int_equal(audit_lines("coordinator", "abort", ""), 0);
}

/* 28 */

static unsigned puts_of[SITES_MAX];

static void
odd_chunks(struct site *s, uint32_t *index, struct canon *chunk)
{
	size_t i = (size_t)(s - h.sites);

	if (at_step[i] != 0 || puts_of[i]++ != 0)
		return;
	stage++;
	if (i == 0)
		canon_u64(chunk, 0); /* over-long */
	else if (i == 1)
		*index = 1; /* out of order */
	else if (i == 2)
		chunk->len /= 2; /* truncated: the trailer does not fit */
}

static enum fate
twice_and_late(size_t site, enum round_type type, struct canon *msg)
{
	struct canon other;

	if (type != ROUND_UPLOAD || at_step[site] != 0 || site != 1)
		return PASS;
	/* Twice the same, then another one, then the true one again. */
	assert_string_equal(rounds_say(&h.sites[site], msg), "");
	assert_string_equal(rounds_say(&h.sites[site], msg), "");
	other = copy_of(msg);
	other.data[other.len - 1] ^= 1;
	assert_string_not_equal(rounds_say(&h.sites[site], &other), "");
	canon_free(&other);
	return PASS;
}

static enum fate
late_upload(size_t site, enum round_type type, struct canon *msg)
{
	uint8_t root[ROUND_DIGEST] = { 1 };
	uint32_t have;
	const char *why;

	(void)msg;
	if (type != ROUND_LIST || at_step[site] != 0 || site != 0)
		return PASS;
	/* After M4 nothing is due any more. */
	why = rounds_say_to_chunk(&h.sites[1], root, 0, "late", 4, &have);
	if (strstr(why, "no upload is due") == NULL)
		fail_msg("a late chunk: \"%s\"", why);
	return PASS;
}

static void
abuse_28_odd_uploads(void **state)
{
	(void)state;
	memset(puts_of, 0, sizeof(puts_of));
	h.put = odd_chunks;
	lie = twice_and_late;
	attack = late_upload;
	run();
	assert_int_equal(
	    audit_lines("coordinator", "refused", "an upload of "), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_PATIENT(f)                                                        \
	cmocka_unit_test_setup_teardown(f, setup_patient, teardown)
#define TEST_LOST(f) cmocka_unit_test_setup_teardown(f, setup_lost, teardown)
#define TEST_FIXED(f) cmocka_unit_test_setup_teardown(f, setup_fixed, teardown)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(abuse_11_a_result_handed_back_falsely),
		TEST_PATIENT(abuse_11_uploads_handed_back_falsely),
		TEST_PATIENT(abuse_20_a_flipped_share),
		TEST_PATIENT(abuse_20_a_share_flipped_by_the_coordinator),
		TEST_PATIENT(abuse_21_an_inconsistent_dealer),
		TEST_PATIENT(abuse_22_a_wrong_share_opened),
		TEST_LOST(abuse_23_a_huge_value),
		TEST(abuse_24_open_one_away_before_its_shares),
		TEST(abuse_24_open_one_away_before_its_upload),
		TEST(abuse_24_open_one_away_after_its_upload),
		TEST(abuse_24_open_two_away_after_the_confirm_wait),
		TEST_FIXED(abuse_24_fixed_one_away_before_its_upload_waits),
		TEST_FIXED(abuse_24_fixed_one_away_after_its_upload_completes),
		TEST_PATIENT(abuse_28_odd_uploads),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What a study may choose: cipher suite, how sums are checked, which sites may
 * come and go.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "crypto/finished.h"
#include "crypto/signed.h"

static int
with(const char *cohort, const char *privacy)
{
	return consortium_start((struct options){ .n = 4,
	    .cohort = cohort,
	    .privacy = privacy,
	    .ready_wait_s = 60,
	    .deadline_s = 2 });
}

static int
with_chacha20(void **state)
{
	(void)state;
	return with("fixed", "suite = chacha20\n");
}

static uint8_t
suite_in(const struct canon *roster)
{
	/* type, content's length, announcement, N to k; then the suite */
	size_t at =
	    4 + strlen("consilium-1/roster") + 4 + 32 + 4 * 2 + 4 + 5 * 2;

	assert_true(at < roster->len);
	return roster->data[at];
}

static unsigned suites_seen;

static enum fate
see_suite(struct site *s, enum round_type type, struct canon *msg)
{
	(void)s;
	if (type == ROUND_ROSTER)
		suites_seen |= 1u << suite_in(msg);
	return PASS;
}

static void
a_study_may_choose_chacha20(void **state)
{
	(void)state;
	suites_seen = 0;
	h.to_site = see_suite;
	begin();
	finish();
	assert_int_equal(suites_seen, 1u << ROUND_CHACHA20);
}

/*
 * A coordinator that signs a false sum, once to each site.
 */

static unsigned lied;

static enum fate
sign_a_false_sum(struct site *s, enum round_type type, struct canon *msg)
{
	char hex[2 * ROUND_DIGEST + 1], path[64 + 2 * ROUND_DIGEST];
	uint8_t sum[ROUND_DIGEST];
	const uint8_t *content;
	struct canon copy = { 0 }, out = { 0 };
	uint64_t *words;
	size_t len;
	struct err err;

	if (type != ROUND_RESULT || (lied >> (s->id - 10) & 1) != 0)
		return PASS;
	lied |= 1u << (s->id - 10);
	ok(signed_open(msg->data, msg->len, "result", ROUND_MESSAGE_MAX,
	       key_public(h.coordinator), &content, &len, &err),
	    &err);
	canon_raw(&copy, content, len);
	hex_text(copy.data + copy.len - ROUND_DIGEST, ROUND_DIGEST, hex);
	snprintf(path, sizeof(path), "coordinator/spool/%s", hex);
	words =
	    (uint64_t *)(void *)file_read(in_dir(path), 1 << 20, &len, &err);
	if (words == NULL) { /* replay: no sum is given out */
		memset(copy.data + copy.len - ROUND_DIGEST, 7, ROUND_DIGEST);
	} else {
		words[0]++;
		round_words_root(64, words, len / 8, sum);
		hex_text(sum, sizeof(sum), hex);
		snprintf(path, sizeof(path), "coordinator/spool/%s", hex);
		ok(file_write(in_dir(path), words, len, 0600, &err), &err);
		memcpy(copy.data + copy.len - ROUND_DIGEST, sum, ROUND_DIGEST);
	}
	free(words);
	ok(signed_make(
	       h.coordinator, "result", copy.data, copy.len, &out, &err),
	    &err);
	canon_free(msg);
	canon_free(&copy);
	*msg = out;
	return PASS;
}

static int
with_replay(void **state)
{
	(void)state;
	return with("fixed", NULL);
}

static int
with_sample(void **state)
{
	(void)state;
	return with("fixed", "verify = sample\n");
}

static int
with_trust(void **state)
{
	(void)state;
	return with("fixed", "verify = trust\n");
}

/* The lie is found by all and changes nothing; the true sum is taken. */
static void
a_false_sum_is_found(void **state)
{
	(void)state;
	lied = 0;
	h.to_site = sign_a_false_sum;
	begin();
	finish();
	assert_int_equal(lied, (1u << h.n) - 1);
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(
		    audit_lines(h.sites[i].name, "refused", "sum"), 1);
}

static void
sites_that_trust_take_what_was_signed(void **state)
{
	(void)state;
	begin();
	finish();
	for (size_t i = 0; i < h.n; i++)
		assert_true(audit_lines(h.sites[i].name, "sum", "trust") > 0);
}

/* The other side of the coin; it stands in consilium-study(5). */
static void
sites_that_trust_do_not_find_a_false_sum(void **state)
{
	(void)state;
	lied = 0;
	h.to_site = sign_a_false_sum;
	begin();
	for (size_t i = 0; i < h.n; i++)
		wait_for_audit(h.sites[i].name, "sum", "trust", 0);
	assert_int_equal(lied, (1u << h.n) - 1);
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(
		    audit_lines(h.sites[i].name, "refused", "sum"), 0);
}

/*
 * cohort = open: whoever is away costs its part of a sum, and all are told.
 */

static int
with_open(void **state)
{
	(void)state;
	return with("open", NULL);
}

/* The last site's upload for the second sum does not arrive. */
static enum fate
lose_an_upload(struct site *s, enum round_type type, struct canon *msg)
{
	(void)msg;
	if (s == &h.sites[3] && type == ROUND_UPLOAD &&
	    audit_lines("coordinator", "sum", "study") == 1)
		return LOSE;
	return PASS;
}

static void
an_open_set_may_change_and_all_are_told(void **state)
{
	struct finished *f;
	struct err err;

	(void)state;
	h.to_rounds = lose_an_upload;
	h.missing[1] = 1u << 3;
	begin();
	finish();
	/* Gone in the second sum, back in the third: in every audit log. */
	for (size_t i = 0; i <= h.n; i++) {
		const char *name = i < h.n ? h.sites[i].name : "coordinator";

		assert_int_equal(audit_lines(name, "set-changed", "study"), 2);
		assert_int_equal(
		    audit_lines(name, "set-changed", "gone=s3"), 1);
		assert_int_equal(audit_lines(name, "set-changed", "new=s3"), 1);
		if (i < h.n)
			assert_int_equal(
			    audit_lines(name, "approve", "deduce"), 1);
	}
	/* And in the result. */
	control_ok(h.sites[3].control, "result", "small", NULL, 0);
	f = finished_read(h.reply.body, h.reply.body_len, &err);
	assert_non_null(f);
	assert_int_equal(f->rounds[1].n_sites, 3);
	assert_int_equal(f->rounds[1].set_len, strlen("s0 s1 s2"));
	assert_memory_equal(f->rounds[1].set, "s0 s1 s2", 8);
	assert_int_equal(f->rounds[2].set_len, strlen("s0 s1 s2 s3"));
	finished_free(f);
}

#define TEST(f, setup)                                                         \
	cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_may_choose_chacha20, with_chacha20),
		TEST(a_false_sum_is_found, with_replay),
		TEST(a_false_sum_is_found, with_sample),
		TEST(sites_that_trust_take_what_was_signed, with_trust),
		TEST(sites_that_trust_do_not_find_a_false_sum, with_trust),
		TEST(an_open_set_may_change_and_all_are_told, with_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A site that comes back when the uploads it has missed have expired.
 */
#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "crypto/round_vouch.h"

static struct site *const late = &h.sites[3];
static unsigned stage;

static int
start(const char *privacy)
{
	stage = 0;
	return consortium_start((struct options){ .n = 4,
	    .cohort = "open",
	    .privacy = privacy,
	    .rounds = "keep-uploads = 1\n",
	    .iterations = 2,
	    .ready_wait_s = 1,
	    .deadline_s = 2 });
}

static int
with_replay(void **state)
{
	(void)state;
	return start(NULL);
}

static int
with_sample(void **state)
{
	(void)state;
	return start("verify = sample\n");
}

static int
with_trust(void **state)
{
	(void)state;
	return start("verify = trust\n");
}

/* It is away from its first upload until the others have three sums. */
static void
away(void)
{
	begin();
	wait_for_audit(late->name, "upload", "study", 0);
	kill_site(late);
	wait_for_audit("coordinator", "sum", "study", 2);
	/* What others have signed is in the book. */
	kill_rounds();
	start_rounds();
	for (size_t i = 0; i < h.n; i++) {
		kill_site(&h.sites[i]);
		start_site(&h.sites[i]);
	}
}

static void
others_vouch_for_what_has_expired(void **state)
{
	(void)state;
	away();
	wait_for_audit(late->name, "sum", "verify=vouched", 0);
	wait_for_audit(late->name, "sum", "study", 2);
}

/* Who trusts needs nobody's word, only the sum. */
static void
sums_do_not_expire(void **state)
{
	(void)state;
	away();
	wait_for_audit(late->name, "sum", "study", 2);
	assert_int_equal(audit_lines(late->name, "sum", "verify=vouched"), 0);
}

/*
 * Vouched by those who may not.
 */

static void
sign(struct round_voucher *by, uint16_t site, const struct key *key,
    struct round_checked c)
{
	struct canon msg = { 0 };
	struct context k;
	struct round_ctx ctx = *ctx_of(NULL, &k);
	struct err err;

	ctx.secret = key_secret(key);
	c.site = by->site = site;
	ok(round_checked_put(&ctx, &c, &msg, &err), &err);
	memcpy(by->sig, msg.data + msg.len - ROUND_SIGNATURE, ROUND_SIGNATURE);
	canon_free(&msg);
}

static struct canon
message(const struct round_vouched *v)
{
	struct canon msg = { 0 };
	struct context k;
	struct err err;

	ok(round_vouched_put(ctx_of(NULL, &k), v, &msg, &err), &err);
	return msg;
}

static void
refused(const struct round_vouched *v, const char *word)
{
	struct canon msg = message(v);

	refuses(late, &msg, word);
}

static void
forge(const struct canon *msg)
{
	static struct round_vouched v, f;
	struct round_checked c, other;
	struct context k;
	struct canon m;
	uint32_t epoch;
	struct err err;
	size_t n;

	ok(round_vouched_open(ctx_of(NULL, &k), msg->data, msg->len, &v, &err),
	    &err);
	assert_int_equal(v.n, 2); /* c + 1 */
	ok(round_result_peek(v.result, v.result_len, &epoch, c.sum, &err),
	    &err);
	ok(round_result_peek_roster(v.result, v.result_len, c.roster, &err),
	    &err);
	memcpy(c.state, v.state, ROUND_DIGEST);
	f = v;
	f.n = 1;
	refused(&f, "the sum is signed by 1, at least 2");
	f = v;
	f.by[1] = f.by[0];
	refused(&f, "twice");
	f = v;
	f.by[0] = v.by[1];
	f.by[1] = v.by[0];
	refused(&f, "out of order");
	f = v; /* a member that the study does not name */
	sign(&f.by[1], OUTSIDER, h.outsider, c);
	refused(&f, "not signed by site 98");
	f = v; /* another's key; site 11 has not vouched */
	assert_int_equal(v.by[1].site, 12);
	sign(&f.by[1], 12, h.sites[1].key, c);
	refused(&f, "not signed by site 12");
	f = v; /* by itself */
	sign(&f.by[1], late->id, late->key, c);
	refused(&f, "by this site itself");
	f = v; /* of another round, sum, state */
	for (size_t i = 0; i < 3; i++) {
		other = c;
		(i == 0          ? other.roster
			: i == 1 ? other.sum
				 : other.state)[0] ^= 1;
		sign(&f.by[0], 10, h.sites[0].key, other);
		sign(&f.by[1], 11, h.sites[1].key, other);
		refused(&f, "not signed by site 10");
	}
	f.result_len--; /* M8 that is none */
	refused(&f, "result");
	/* More than c lie: it is seen all the same, by the site's own step. */
	f = v;
	f.state[0] ^= 1;
	other = c;
	other.state[0] ^= 1;
	sign(&f.by[0], 10, h.sites[0].key, other);
	sign(&f.by[1], 11, h.sites[1].key, other);
	n = audit_lines(late->name, "refused", "lead to the state");
	m = message(&f);
	tell(late, &m);
	canon_free(&m);
	wait_for_audit(late->name, "refused", "lead to the state", n);
}

static enum fate
vouch_falsely(struct site *s, enum round_type type, struct canon *msg)
{
	if (s != late || type != ROUND_VOUCHED || stage != 0)
		return PASS;
	stage = 1;
	forge(msg);
	return PASS;
}

/* A site that says that it has come to another sum is not counted. */
static size_t n_false;

static enum fate
check_falsely(struct site *s, enum round_type type, struct canon *msg)
{
	struct round_checked c;
	struct canon f = { 0 };
	const uint8_t *sig;
	struct context k;
	struct err err;

	if (type != ROUND_CHECKED || s != &h.sites[1] || n_false == 3)
		return PASS;
	ok(round_checked_open(
	       ctx_of(s, &k), msg->data, msg->len, &c, &sig, &err),
	    &err);
	c.sum[5] ^= 1;
	ok(round_checked_put(ctx_of(s, &k), &c, &f, &err), &err);
	canon_free(msg);
	*msg = f;
	n_false++;
	return PASS;
}

static void
false_vouchers_are_refused_and_true_ones_taken(void **state)
{
	(void)state;
	n_false = 0;
	h.to_site = vouch_falsely;
	h.to_rounds = check_falsely;
	away();
	finish_alike();
	assert_int_equal(stage, 1);
	assert_true(audit_lines(late->name, "sum", "verify=vouched") >= 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    audit_lines(h.sites[i].name, "sum", "verify=vouched"), 0);
	assert_true(n_false >= 1);
	assert_true(audit_lines("coordinator", "refused",
			"site 11 has come to another") >= 1);
}

#define TEST(f, setup)                                                         \
	cmocka_unit_test_setup_teardown(f, setup, consortium_stop)

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(others_vouch_for_what_has_expired, with_sample),
		TEST(sums_do_not_expire, with_trust),
		TEST(false_vouchers_are_refused_and_true_ones_taken,
		    with_replay),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What each way to check a sum finds, and what it fetches for it.
 */
#include "tests/check.h"
#include "tests/crypto/world.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/round_check.h"

static struct {
	struct world *w;
	struct round_result *result;
	struct canon msg;
	unsigned bits;
	size_t words, len; /* of a vector, bytes */
	uint8_t *sum; /* as the coordinator gives it out */
	size_t fetched; /* bytes */
} t;

static int
start(unsigned bits)
{
	struct err err;

	memset(&t, 0, sizeof(t));
	t.bits = bits;
	t.words = 20 * (ROUND_CHUNK / (bits / 8)) + 7; /* 21 chunks */
	t.len = t.words * (bits / 8);
	t.w = world_new(4, t.words);
	if (bits == 32)
		world_narrow(t.w);
	t.w->site[2].leaves = LEAVES_BEFORE_UPLOAD; /* one key to remove, too */
	if (world_ready(t.w) < 0 || world_shares(t.w) < 0 ||
	    world_uploads(t.w) < 0 || world_confirms(t.w) < 0 ||
	    world_unmasks(t.w) < 0 || world_result(t.w) < 0)
		fail_msg("%s", t.w->err.msg);
	assert_int_equal(coord_round_message(t.w->coord, &t.w->ctx,
			     ROUND_RESULT, t.w->site[0].ctx.self, &t.msg, &err),
	    0);
	t.result = round_result_open(
	    &t.w->site[0].ctx, NULL, t.msg.data, t.msg.len, &err);
	assert_non_null(t.result);
	t.sum = malloc(t.len);
	memcpy(t.sum, t.w->sum, t.len);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return start(64);
}

static int
setup_narrow(void **state)
{
	(void)state;
	return start(32);
}

static int
teardown(void **state)
{
	(void)state;
	round_result_free(t.result);
	canon_free(&t.msg);
	free(t.sum);
	world_free(t.w);
	return 0;
}

/* Give what is wanted: of the sum, of an upload or of its leaves. */
static int
give(struct round_check *c, const struct round_want *want, struct err *err)
{
	static uint8_t leaves[21][ROUND_DIGEST];
	uint8_t name[ROUND_DIGEST];
	const uint8_t *data = NULL;

	t.fetched += want->bytes;
	if (memcmp(want->name, round_result_sum_root(t.result), 32) == 0)
		data = t.sum;
	for (size_t i = 0; data == NULL && i < t.w->n; i++) {
		const struct world_site *s = &t.w->site[i];

		for (size_t k = 0; k < round_result_inputs(t.result); k++) {
			const struct round_input *in =
			    round_result_input(t.result, k);

			if (in->site != s->ctx.self)
				continue;
			round_leaves_name(in->root, name);
			if (memcmp(want->name, in->root, 32) == 0)
				data = (const uint8_t *)s->y;
			if (memcmp(want->name, name, 32) == 0) {
				round_leaves(t.bits, s->y, t.words, leaves);
				data = (const uint8_t *)leaves;
			}
		}
	}
	assert_non_null(data);
	if (want->one_chunk)
		data += (size_t)want->chunk * ROUND_CHUNK;
	return round_check_take(c, &t.w->site[0].ctx, data, want->bytes, err);
}

static int
check(enum round_verify verify, struct err *err)
{
	struct round_check *c = round_check_new(t.result, verify, err);
	struct round_want want;
	int rv = 0;

	assert_non_null(c);
	t.fetched = 0;
	while (rv == 0 && round_check_next(c, &want)) {
		assert_null(round_check_sum(c));
		rv = give(c, &want, err);
	}
	if (rv == 0)
		assert_memory_equal(round_check_sum(c), t.w->sum, t.len);
	round_check_free(c);
	return rv;
}

static void
each_takes_a_true_sum(void **state)
{
	const size_t all = t.len;
	struct err err;

	(void)state;
	assert_int_equal(check(ROUND_REPLAY, &err), 0);
	assert_int_equal(t.fetched, 3 * all);
	assert_int_equal(check(ROUND_TRUST, &err), 0);
	assert_int_equal(t.fetched, all);
	assert_int_equal(check(ROUND_SAMPLE, &err), 0);
	assert_true(t.fetched > all && t.fetched < 2 * all + all / 2);
}

/* The result signs this root instead. */
static void
lie(void)
{
	uint8_t root[ROUND_DIGEST], *signed_root = NULL;
	const uint8_t *old = round_result_sum_root(t.result);

	round_words_root(t.bits, t.sum, t.words, root);
	signed_root = (uint8_t *)(uintptr_t)old; /* as if it had been signed */
	memcpy(signed_root, root, sizeof(root));
}

static void
sample_finds_a_sum_that_is_false_everywhere(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < t.len; i += ROUND_CHUNK)
		t.sum[i]++;
	lie();
	assert_int_equal(check(ROUND_SAMPLE, &err), -1);
	assert_int_equal(err.code, ERR_PEER);
	assert_non_null(strstr(err.msg, "of its sum is not that of"));
	assert_int_equal(check(ROUND_REPLAY, &err), -1);
	assert_non_null(strstr(err.msg, "not that of the uploads"));
}

static void
all_refuse_another_sum_than_the_signed_one(void **state)
{
	struct err err;

	(void)state;
	t.sum[t.len - 1] ^= 1;
	assert_int_equal(check(ROUND_TRUST, &err), -1);
	assert_non_null(strstr(err.msg, "not the one that it names"));
	assert_int_equal(check(ROUND_SAMPLE, &err), -1);
	assert_non_null(strstr(err.msg, "not the one that it names"));
}

static void
sample_refuses_a_chunk_that_its_site_did_not_sign(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < t.len; i += ROUND_CHUNK)
		((uint8_t *)t.w->site[1].y)[i] ^= 1;
	assert_int_equal(check(ROUND_SAMPLE, &err), -1);
	assert_non_null(strstr(err.msg, "another root than its chunks"));
}

static void
what_has_another_size_is_refused(void **state)
{
	struct err err;
	struct round_check *c = round_check_new(t.result, ROUND_TRUST, &err);

	(void)state;
	assert_int_equal(round_check_take(c, &t.w->site[0].ctx, t.sum,
			     t.len - t.bits / 8, &err),
	    -1);
	assert_int_equal(err.code, ERR_PEER);
	round_check_free(c);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, setup, teardown),                   \
	    cmocka_unit_test_setup_teardown(f, setup_narrow, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_takes_a_true_sum),
		TEST(sample_finds_a_sum_that_is_false_everywhere),
		TEST(all_refuse_another_sum_than_the_signed_one),
		TEST(sample_refuses_a_chunk_that_its_site_did_not_sign),
		TEST(what_has_another_size_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

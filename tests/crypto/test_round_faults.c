/*
 * A round on both sides, with each allocation failing once, in every phase: the
 * call says so, leaks nothing, and what was saved before it still goes on.
 */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/macros.h"
#include "crypto/prg.h"
#include "crypto/round_check.h"
#include "crypto/round_msg.h"
#include "crypto/round_vouch.h"
#include "tests/crypto/random_fixed.h"
#include "tests/crypto/world.h"
#include "tests/faults/inside.h"

#define N 4
#define WORDS 5

static struct world *w;
static struct canon saved; /* the side's state before a step */

static void
step_faults(operation op)
{
	every_fault(INSIDE_MEMORY, op, NULL, NULL);
}

/* A step of site 0: from what was saved, the answer to a message. */
static struct {
	enum round_type type;
	struct canon after; /* is kept if keep */
	bool keep;
} step;

static int
save_after(const struct site_round *s, struct err *err)
{
	struct canon after = { 0 };
	int rv = 0;

	site_round_save(s, &after);
	if (after.failed)
		rv = err_set(err, ERR_SYSTEM, "out of memory");
	if (step.keep)
		step.after = after;
	else
		canon_free(&after);
	return rv;
}

static int
site_answers(struct site_round *s, struct canon *out, struct err *err)
{
	struct world_site *me = &w->site[0];
	const struct round_ctx *ctx = &me->ctx;
	const struct canon *msg = &me->got[step.type];
	uint64_t y[WORDS];
	uint16_t liar;
	char seed[64];

	snprintf(seed, sizeof(seed), "shares %u round %u",
	    (unsigned)w->members[0].id, (unsigned)w->about.round);
	random_fixed_seed(seed);
	switch (step.type) {
	case ROUND_ROSTER:
		return site_round_roster(s, ctx, msg->data, msg->len,
		    me->prekey_secret, WORLD_NOW, out, err);
	case ROUND_SHARESET:
		return site_round_shareset(
		    s, ctx, msg->data, msg->len, &liar, out, err);
	case ROUND_UPLOAD:
		memcpy(y, me->z, sizeof(y));
		return site_round_upload(s, ctx, y, WORDS, out, err);
	case ROUND_LIST:
		return site_round_list(s, ctx, msg->data, msg->len, out, err);
	case ROUND_CERTIFICATE:
		return site_round_certificate(
		    s, ctx, msg->data, msg->len, out, err);
	default:
		return err_set(err, ERR_FORMAT, "not a step");
	}
}

static int
site_step(void *self, struct err *err)
{
	struct canon out = { 0 };
	struct site_round *s = site_round_load(saved.data, saved.len, err);
	int rv = -1;

	(void)self;
	if (s == NULL)
		return -1;
	if (site_answers(s, &out, err) == 0)
		rv = save_after(s, err);
	site_round_free(s);
	canon_free(&out);
	return rv;
}

static int
site_start(void *self, struct err *err)
{
	struct world_site *me = &w->site[0];
	const struct canon *msg = &me->got[ROUND_ANNOUNCE];
	struct canon out = { 0 };
	struct site_round *s = site_round_start(&me->ctx, &w->about, 0,
	    &me->prekey, msg->data, msg->len, &out, err);
	int rv = s != NULL ? save_after(s, err) : -1;

	(void)self;
	site_round_free(s);
	canon_free(&out);
	return rv;
}

static int
site_takes_the_sum(void *self, struct err *err)
{
	struct world_site *me = &w->site[0];
	const struct canon *msg = &me->got[ROUND_RESULT];
	struct round_uploads uploads = world_uploaded(w);
	struct round_result *r = NULL;
	uint64_t sum[WORDS];
	struct site_round *s = site_round_load(saved.data, saved.len, err);
	int rv = -1;

	(void)self;
	if (s != NULL &&
	    (r = round_result_open(
		 &me->ctx, &w->about, msg->data, msg->len, err)) != NULL)
		rv = site_round_accept(s, &me->ctx, r, &uploads, sum, err);
	round_result_free(r);
	site_round_free(s);
	return rv;
}

static void
site_goes_on(operation op)
{
	struct err err;

	step.keep = true;
	assert_int_equal(op(NULL, &err), 0);
	step.keep = false;
	canon_free(&saved);
	saved = step.after;
}

static int
start(void **state)
{
	(void)state;
	w = world_new(N, WORDS);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	canon_free(&saved);
	world_free(w);
	return 0;
}

static void
a_site_without_memory(void **state)
{
	static const enum round_type steps[] = { ROUND_ROSTER, ROUND_SHARESET,
		ROUND_UPLOAD, ROUND_LIST, ROUND_CERTIFICATE };

	(void)state;
	w->site[2].leaves = LEAVES_BEFORE_UPLOAD; /* its key is opened */
	assert_int_equal(world_run(w), 0);
	step_faults(site_start);
	site_goes_on(site_start);
	for (size_t i = 0; i < nitems(steps); i++) {
		step.type = steps[i];
		step_faults(site_step);
		if (step.type == ROUND_UPLOAD)
			every_fault(INSIDE_OPENSSL, site_step, NULL, NULL);
		site_goes_on(site_step);
	}
	step_faults(site_takes_the_sum);
	every_fault(INSIDE_OPENSSL, site_takes_the_sum, NULL, NULL);
	/* It has come where the world's own site has. */
	assert_int_equal(
	    site_takes_the_sum(NULL, &(struct err){ .code = ERR_NONE }), 0);
}

/*
 * The coordinator
 */

static int
add_all(struct coord_round *c, enum round_type type, struct err *err)
{
	uint16_t from, liar;
	int rv = 0;

	for (size_t i = 0; i < w->n && rv == 0; i++) {
		const struct canon *m = &w->site[i].sent[type];

		if (m->len == 0)
			continue;
		switch (type) {
		case ROUND_READY:
			rv = coord_round_add_ready(
			    c, &w->ctx, m->data, m->len, WORLD_NOW, &from, err);
			break;
		case ROUND_SHARES:
			rv = coord_round_add_shares(
			    c, &w->ctx, m->data, m->len, &from, err);
			break;
		case ROUND_COMPLAINT:
			rv = coord_round_add_complaint(
			    c, &w->ctx, m->data, m->len, &from, &liar, err);
			break;
		case ROUND_UPLOAD:
			rv = coord_round_add_upload(c, &w->ctx, m->data, m->len,
			    w->site[i].y, WORDS, &from, err);
			break;
		case ROUND_CONFIRM:
			rv = coord_round_add_confirm(
			    c, &w->ctx, m->data, m->len, &from, err);
			break;
		default:
			rv = coord_round_add_unmask(
			    c, &w->ctx, m->data, m->len, &from, err);
		}
	}
	return rv;
}

static int
close_phase(struct coord_round *c, struct err *err)
{
	struct round_uploads uploads = world_uploaded(w);
	uint64_t sum[WORDS];

	switch (step.type) {
	case ROUND_READY:
		return coord_round_roster(c, &w->ctx, err);
	case ROUND_SHARES:
		return coord_round_shareset(c, &w->ctx, err);
	case ROUND_COMPLAINT:
		return coord_round_abort(c, &w->ctx, "a complaint", err);
	case ROUND_UPLOAD:
		return coord_round_list(c, &w->ctx, err);
	case ROUND_CONFIRM:
		return coord_round_certificate(c, &w->ctx, err);
	default:
		return coord_round_finish(c, &w->ctx, &uploads, sum, err);
	}
}

/* Every message that the coordinator has for site 0 now. */
static int
write_all(const struct coord_round *c, struct err *err)
{
	static const enum round_type types[] = { ROUND_ANNOUNCE, ROUND_ROSTER,
		ROUND_SHARESET, ROUND_LIST, ROUND_CERTIFICATE, ROUND_RESULT,
		ROUND_ABORT };

	for (size_t i = 0; i < nitems(types); i++) {
		struct canon out = { 0 };
		int rv = coord_round_message(
		    c, &w->ctx, types[i], w->members[0].id, &out, err);

		canon_free(&out);
		if (rv < 0 && err->code != ERR_REFUSED)
			return -1;
	}
	return 0;
}

static int
keep_coord(const struct coord_round *c, struct err *err)
{
	struct canon after = { 0 };
	int rv = write_all(c, err);

	coord_round_save(c, &after);
	if (rv == 0 && after.failed)
		rv = err_set(err, ERR_SYSTEM, "out of memory");
	if (step.keep)
		step.after = after;
	else
		canon_free(&after);
	return rv;
}

static int
coord_step(void *self, struct err *err)
{
	struct coord_round *c = coord_round_load(saved.data, saved.len, err);
	int rv = -1;

	(void)self;
	if (c == NULL)
		return -1;
	if (add_all(c, step.type, err) == 0 && close_phase(c, err) == 0)
		rv = keep_coord(c, err);
	coord_round_free(c);
	return rv;
}

/* A failed call changes nothing. */
static int
take_ready(void *self, struct err *err)
{
	struct coord_round *c = coord_round_load(saved.data, saved.len, err);
	const struct canon *m = &w->site[1].sent[ROUND_READY];
	struct canon after = { 0 };
	uint16_t from;
	int rv;

	(void)self;
	if (c == NULL)
		return -1;
	rv = coord_round_add_ready(
	    c, &w->ctx, m->data, m->len, WORLD_NOW, &from, err);
	if (rv < 0) {
		coord_round_save(c, &after);
		assert_int_equal(after.len, saved.len);
		assert_memory_equal(after.data, saved.data, saved.len);
		canon_free(&after);
	}
	coord_round_free(c);
	return rv;
}

static int
coord_start(void *self, struct err *err)
{
	struct coord_round *c = coord_round_start(&w->ctx, &w->about, err);
	int rv = c != NULL ? keep_coord(c, err) : -1;

	(void)self;
	coord_round_free(c);
	return rv;
}

static void
a_coordinator_without_memory(void **state)
{
	static const enum round_type steps[] = { ROUND_READY, ROUND_SHARES,
		ROUND_UPLOAD, ROUND_CONFIRM, ROUND_UNMASK };

	(void)state;
	w->site[2].leaves = LEAVES_BEFORE_UPLOAD;
	assert_int_equal(world_run(w), 0);
	w->ctx.secret = w->sk;
	step_faults(coord_start);
	site_goes_on(coord_start);
	step_faults(take_ready);
	for (size_t i = 0; i < nitems(steps); i++) {
		step.type = steps[i];
		step_faults(coord_step);
		if (step.type == ROUND_UNMASK)
			every_fault(INSIDE_OPENSSL, coord_step, NULL, NULL);
		site_goes_on(coord_step);
	}
}

/*
 * A dealer that lies: complaint, abort, and what a site makes of that
 */

/* One bit of a share for the first site, which its dealer has signed so. */
static void
spoil(struct world *world, size_t site, enum round_type type, struct canon *msg)
{
	struct canon_in in;

	(void)world;
	if (site != 2 || type != ROUND_SHARES)
		return;
	(void)in;
	msg->data[msg->len - 1] ^= 1;
}

static void
a_share_that_is_spoilt_on_the_way_is_refused(void **state)
{
	(void)state;
	w->tamper = spoil;
	assert_int_equal(world_ready(w), 0);
	assert_int_equal(world_shares(w), -1);
	assert_int_equal(w->err.code, ERR_PEER);
}

/*
 * What checks a sum
 */

static struct round_result *result;

static int
check_sum(void *self, struct err *err)
{
	struct round_check *c = round_check_new(result, ROUND_REPLAY, err);
	struct round_want want;
	int rv = 0;

	(void)self;
	if (c == NULL)
		return -1;
	while (rv == 0 && round_check_next(c, &want)) {
		const void *data = w->sum;

		for (size_t i = 0; i < w->n; i++) {
			if (i >= round_result_inputs(result))
				break;
			if (memcmp(want.name,
				round_result_input(result, i)->root,
				ROUND_DIGEST) == 0)
				data = w->site[round_result_input(result, i)
						    ->site /
						10 -
					    1]
					   .y;
		}
		rv =
		    round_check_take(c, &w->site[0].ctx, data, want.bytes, err);
	}
	round_check_free(c);
	return rv;
}

static int
vouch(void *self, struct err *err)
{
	const struct canon *m8 = &w->site[0].got[ROUND_RESULT];
	static struct round_vouched v, read;
	struct canon out = { 0 }, checked[N] = { 0 };
	struct round_checked c = { .site = 0 };
	const uint8_t *sig;
	int rv = -1;

	(void)self;
	memset(&v, 0, sizeof(v));
	v.result = m8->data;
	v.result_len = m8->len;
	memcpy(c.roster, round_result_roster(result), ROUND_DIGEST);
	memcpy(c.sum, round_result_sum_root(result), ROUND_DIGEST);
	memset(c.state, 7, ROUND_DIGEST);
	memcpy(v.state, c.state, ROUND_DIGEST);
	for (size_t i = 1; i < N; i++) { /* the others */
		struct round_ctx ctx = w->site[i].ctx;

		c.site = w->members[i].id;
		ctx.self = c.site;
		ctx.secret = w->site[i].sk;
		if (round_checked_put(&ctx, &c, &checked[i], err) < 0 ||
		    round_checked_open(&ctx, checked[i].data, checked[i].len,
			&c, &sig, err) < 0)
			goto out;
		v.by[v.n].site = c.site;
		memcpy(v.by[v.n++].sig, sig, ROUND_SIGNATURE);
	}
	if (round_vouched_put(&w->ctx, &v, &out, err) < 0 ||
	    round_vouched_open(&w->site[0].ctx, out.data, out.len, &read, err) <
		0)
		goto out;
	rv = round_vouched_check(&read, &w->site[0].ctx, result, err);
out:
	for (size_t i = 0; i < N; i++)
		canon_free(&checked[i]);
	canon_free(&out);
	return rv;
}

static int
open_result(void *self, struct err *err)
{
	const struct canon *msg = &w->site[0].got[ROUND_RESULT];
	struct round_result *r =
	    round_result_open(&w->site[0].ctx, NULL, msg->data, msg->len, err);

	(void)self;
	round_result_free(r);
	return r != NULL ? 0 : -1;
}

static void
a_sum_is_checked_without_memory(void **state)
{
	const struct canon *msg = &w->site[0].got[ROUND_RESULT];
	struct err err;

	(void)state;
	assert_int_equal(world_run(w), 0);
	w->ctx.secret = w->sk;
	step_faults(open_result);
	result =
	    round_result_open(&w->site[0].ctx, NULL, msg->data, msg->len, &err);
	assert_non_null(result);
	step_faults(check_sum);
	every_fault(INSIDE_OPENSSL, check_sum, NULL, NULL);
	step_faults(vouch);
	round_result_free(result);
}

/*
 * The generators
 */

static int
generate(void *self, struct err *err)
{
	static const uint8_t key[PRG_KEY] = { 1 };
	uint64_t words[64] = { 0 };

	(void)self;
	if (prg_selftest(err) < 0)
		return -1;
	return prg_apply(1, key, 64, 0, words, nitems(words), PRG_ADD, err);
}

static void
aes_without_memory(void **state)
{
	(void)state;
	every_fault(INSIDE_OPENSSL, generate, NULL, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_site_without_memory),
		TEST(a_coordinator_without_memory),
		TEST(a_share_that_is_spoilt_on_the_way_is_refused),
		TEST(a_sum_is_checked_without_memory),
		cmocka_unit_test(aes_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

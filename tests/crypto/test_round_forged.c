/*
 * What only a coordinator or a dealer that breaks the protocol can make: share
 * sets, results and complaints that are put together from true parts, each
 * signed by whoever signs it, but not as they belong.
 */
#include "tests/check.h"

#include <stdlib.h>

#include "common/macros.h"
#include "crypto/merkle.h"
#include "crypto/proof.h"
#include "crypto/round_keys.h"
#include "crypto/round_msg.h"
#include "crypto/round_result.h"
#include "tests/crypto/world.h"

static const struct round_ctx *
as(struct world *w, size_t site, struct round_ctx *ctx)
{
	*ctx = w->ctx;
	ctx->self = w->members[site].id;
	ctx->secret = w->site[site].sk;
	return ctx;
}

/* Signed by the coordinator; content is freed. */
static struct canon
sealed(struct world *w, const char *type, struct canon *content)
{
	struct canon out = { 0 };

	w->ctx.secret = w->sk;
	assert_int_equal(msg_seal(&w->ctx, type, content, &out, &w->err), 0);
	return out;
}

/*
 * Share sets
 */

/* What a dealer has dealt to a site. */
struct part {
	struct msg_dealt dealt;
	uint8_t path[MERKLE_DEPTH_MAX][HASH_LEN];
	size_t dealer;
};

static void
get_part(struct world *w, const struct roster *r, size_t dealer, size_t to,
    struct part *p)
{
	const struct canon *m1 = &w->site[dealer].sent[ROUND_SHARES];
	uint8_t leaves[ROUND_SITES_MAX][HASH_LEN], (*path)[HASH_LEN] = p->path;
	struct msg_shares s;

	assert_int_equal(msg_read_shares(r, m1->data, m1->len, &s, &w->err), 0);
	p->dealer = dealer;
	p->dealt = (struct msg_dealt){ .header = s.header,
		.header_len = s.header_len,
		.points = s.points,
		.sealed = msg_sealed_for(s.sealed, dealer, to),
		.path = p->path[0] };
	msg_sealed_leaves(r, dealer, s.sealed, leaves);
	if (dealer != to)
		p->dealt.path_len = merkle_path(leaves, r->p.n, to, path);
}

static struct canon
shareset_of(struct world *w, const struct roster *r, uint16_t to,
    const struct part *parts, size_t n)
{
	struct canon c = { 0 };

	canon_raw(&c, r->hash, ROUND_DIGEST);
	canon_u16(&c, to);
	canon_u16(&c, (uint16_t)n);
	for (size_t k = 0; k < n; k++)
		msg_put_dealt(&c, &parts[k].dealt, r->p.threshold);
	return sealed(w, "shareset", &c);
}

/* Site 0 refuses it (it is freed) and has not changed. */
static void
refuses(struct world *w, enum round_type type, struct canon msg,
    enum err_code code, const char *word)
{
	struct canon before = { 0 }, after = { 0 }, out = { 0 };

	site_round_save(w->site[0].round, &before);
	assert_int_equal(world_answer(w, 0, type, &msg, &out), -1);
	if (w->err.code != code || strstr(w->err.msg, word) == NULL)
		fail_msg("error %d: %s", w->err.code, w->err.msg);
	assert_int_equal(out.len, 0);
	site_round_save(w->site[0].round, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	canon_free(&msg);
	canon_free(&before);
	canon_free(&after);
}

static void
a_share_set_has_each_dealer_once_and_this_site(void **state)
{
	struct world *w = world_at(5, COORD_UPLOADS);
	struct part true_parts[5], parts[5];
	struct canon msg, out = { 0 };
	struct roster r;

	(void)state;
	world_roster(w, &r);
	for (size_t i = 0; i < 5; i++)
		get_part(w, &r, i, 0, &true_parts[i]);
#define PARTS(...)                                                             \
	do {                                                                   \
		const size_t order[] = { __VA_ARGS__ };                        \
		for (size_t k = 0; k < nitems(order); k++)                     \
			get_part(w, &r, order[k], 0, &parts[k]);               \
	} while (0)
#define REFUSED(n, word)                                                       \
	refuses(w, ROUND_SHARESET, shareset_of(w, &r, 10, parts, n), ERR_PEER, \
	    word)
	PARTS(0, 1, 1, 2, 3);
	REFUSED(5, "site 20 twice or out of order");
	PARTS(0, 1, 3, 2, 4);
	REFUSED(5, "site 30 twice or out of order");
	PARTS(1, 2, 3, 4);
	REFUSED(4, "without this site's own shares");
	PARTS(0, 1, 2);
	REFUSED(3, "3 sites, at least 4");
	/* Its own with a share, another's without, one of another's. */
	PARTS(0, 1, 2, 3);
	parts[0].dealt.sealed = parts[1].dealt.sealed;
	REFUSED(4, "said to be site 10's is not what it signed");
	PARTS(0, 1, 2, 3);
	parts[0].dealt.path_len = 1;
	REFUSED(4, "said to be site 10's is not what it signed");
	PARTS(0, 1, 2, 3);
	parts[1].dealt.sealed = NULL;
	REFUSED(4, "said to be site 20's is not what it signed");
	PARTS(0, 1, 2, 3);
	parts[1].dealt.points = parts[2].dealt.points;
	REFUSED(4, "said to be site 20's is not what it signed");
	refuses(w, ROUND_SHARESET, shareset_of(w, &r, 20, true_parts, 5),
	    ERR_PEER, "for another site");
#undef REFUSED
#undef PARTS
	msg = shareset_of(w, &r, 10, true_parts, 5);
	assert_int_equal(world_answer(w, 0, ROUND_SHARESET, &msg, &out), 0);
	canon_free(&msg);
	canon_free(&out);
	world_free(w);
}

/*
 * Rosters, aborts, and a store that was altered
 */

static void
deals_by_a_roster_with_itself_and_its_prekey(void **state)
{
	struct world *w = world_at(4, COORD_SHARES), *other = world_new(4, 5);
	struct canon msg, out = { 0 };
	uint8_t secret[ROUND_KEY];

	(void)state;
	other->site[0].leaves = LEAVES_BEFORE_READY;
	assert_int_equal(world_ready(other), 0);
	refuses(w, ROUND_ROSTER, world_owed(other, ROUND_ROSTER, 1), ERR_PEER,
	    "this site is not in it");
	memcpy(secret, w->site[0].prekey_secret, ROUND_KEY);
	memcpy(w->site[0].prekey_secret, w->site[1].prekey_secret, ROUND_KEY);
	refuses(w, ROUND_ROSTER, world_owed(w, ROUND_ROSTER, 0), ERR_REFUSED,
	    "the secret of prekey 1 is not the one given");
	memset(w->site[0].prekey_secret, 0, ROUND_KEY);
	refuses(w, ROUND_ROSTER, world_owed(w, ROUND_ROSTER, 0), ERR_REFUSED,
	    "the secret of prekey 1 is not the one given");
	memcpy(w->site[0].prekey_secret, secret, ROUND_KEY);
	assert_null(site_round_params(other->site[1].round));
	assert_null(site_round_roster_hash(other->site[1].round));
	msg = world_owed(w, ROUND_ROSTER, 0);
	assert_int_equal(world_answer(w, 0, ROUND_ROSTER, &msg, &out), 0);
	assert_int_equal(site_round_params(w->site[0].round)->n, 4);
	canon_free(&msg);
	canon_free(&out);
	world_free(w);
	world_free(other);
}

static void
ends_by_an_abort_of_its_own_round_only(void **state)
{
	struct world *w = world_at(4, COORD_UPLOADS);
	struct site_round *s = w->site[0].round;
	struct canon t0 = world_owed(w, ROUND_ANNOUNCE, 0), msg = { 0 };
	struct msg_abort a = { .why = "never mind",
		.complaint = (const uint8_t *)"x",
		.complaint_len = 1 };
	struct round_ctx ctx;
	uint16_t liar;
	char why[8] = "";

	(void)state;
	w->ctx.secret = w->sk;
	assert_int_equal(
	    round_message_digest(t0.data, t0.len, a.announce, &w->err), 0);
	a.announce[0] ^= 1;
	assert_int_equal(msg_put_abort(&w->ctx, &a, &msg, &w->err), 0);
	assert_int_equal(site_round_abort(s, as(w, 0, &ctx), msg.data, msg.len,
			     &liar, why, sizeof(why), &w->err),
	    -1);
	assert_string_equal(w->err.msg, "abort: of another round");
	assert_int_equal(site_round_phase(s), SITE_SHARED);
	canon_free(&msg);
	/* A complaint that is none convicts nobody. */
	a.announce[0] ^= 1;
	assert_int_equal(msg_put_abort(&w->ctx, &a, &msg, &w->err), 0);
	assert_int_equal(site_round_abort(s, as(w, 0, &ctx), msg.data, msg.len,
			     &liar, why, sizeof(why), &w->err),
	    0);
	assert_string_equal(why, "never m");
	assert_int_equal(liar, 0);
	assert_int_equal(site_round_phase(s), SITE_ENDED);
	canon_free(&msg);
	canon_free(&t0);
	world_free(w);
}

static void
a_stored_round_has_keys_that_are_keys(void **state)
{
	struct world *w = world_at(4, COORD_UPLOADS);
	struct canon saved = { 0 };
	struct site_round *s;
	uint8_t *key;

	(void)state;
	site_round_save(w->site[0].round, &saved);
	/* key and seed, then two shares for each of four */
	key = saved.data + saved.len - (2 + 2 * 4) * ROUND_KEY;
	assert_memory_equal(key, w->site[0].prekey_secret, ROUND_KEY);
	memset(key, 0, ROUND_KEY);
	assert_null(site_round_load(saved.data, saved.len, &w->err));
	assert_int_equal(w->err.code, ERR_FORMAT);
	assert_string_equal(w->err.msg, "stored round: its keys are none");
	memcpy(key, w->site[0].prekey_secret, ROUND_KEY);
	assert_non_null(s = site_round_load(saved.data, saved.len, &w->err));
	site_round_free(s);
	canon_free(&saved);
	world_free(w);
}

/*
 * Complaints
 */

static int
judge(struct world *w, size_t complainer, const struct roster *r,
    const struct msg_complaint *c, uint16_t *liar)
{
	struct canon roster = world_owed(w, ROUND_ROSTER, 0), msg = { 0 };
	struct round_ctx ctx;
	uint16_t by;
	int rv;

	assert_int_equal(
	    msg_put_complaint(as(w, complainer, &ctx), r, c, &msg, &w->err), 0);
	rv = round_complaint_check(&w->ctx, roster.data, roster.len, msg.data,
	    msg.len, &by, liar, &w->err);
	if (rv == 0)
		assert_int_equal(by, c->site);
	canon_free(&roster);
	canon_free(&msg);
	return rv;
}

/* Site 20 about what site 10 has dealt, with its dh and the proof of it. */
static void
complaint_about(struct world *w, const struct roster *r, struct part *p,
    struct msg_complaint *c)
{
	uint8_t context[32];

	*c = (struct msg_complaint){ .site = 20, .dealer = 10 };
	memcpy(c->roster, r->hash, ROUND_DIGEST);
	get_part(w, r, 0, 1, p);
	c->dealt = p->dealt;
	pair_dh(r, 0, w->site[1].prekey_secret, c->dh);
	complaint_context(r, 20, 10, context);
	proof_make(
	    w->site[1].prekey_secret, r->site[0].prekey.pk, context, c->proof);
}

static void
a_complaint_is_of_one_of_the_roster_about_another(void **state)
{
	struct world *w = world_new(6, 5);
	struct msg_complaint true_one, c;
	struct part p, others;
	struct roster r;
	uint16_t liar;

	(void)state;
	w->ctx.rules.u_frac_ppm = 500000;
	w->site[5].leaves = LEAVES_BEFORE_READY;
	assert_int_equal(world_ready(w), 0);
	assert_int_equal(world_shares(w), 0);
	world_roster(w, &r);
	complaint_about(w, &r, &p, &true_one);
#define REFUSED(by)                                                            \
	do {                                                                   \
		assert_int_equal(judge(w, by, &r, &c, &liar), -1);             \
		assert_string_equal(w->err.msg,                                \
		    "complaint: not about a dealer of this roster");           \
	} while (0)
	c = true_one;
	c.site = 21; /* nobody */
	REFUSED(1);
	c.site = 60; /* not in the roster */
	REFUSED(5);
	c = true_one;
	c.dealer = 60;
	REFUSED(1);
	c.dealer = 20; /* itself */
	REFUSED(1);
	c = true_one;
	c.roster[0] ^= 1;
	REFUSED(1);
#undef REFUSED
	/* With what another has dealt, it is the complainer's. */
	c = true_one;
	get_part(w, &r, 2, 1, &others);
	c.dealt = others.dealt;
	assert_int_equal(judge(w, 1, &r, &c, &liar), 0);
	assert_int_equal(liar, 20);
	/* With a header that nobody of the roster has signed, too. */
	c = true_one;
	c.dealt.header = (const uint8_t *)"x";
	c.dealt.header_len = 1;
	assert_int_equal(judge(w, 1, &r, &c, &liar), 0);
	assert_int_equal(liar, 20);
	world_free(w);
}

static void
a_dealer_that_signed_what_cannot_be_is_named(void **state)
{
	struct world *w = world_at(4, COORD_UPLOADS);
	struct canon header = { 0 };
	struct msg_complaint c;
	struct round_ctx ctx;
	struct dealing d;
	struct part p;
	struct roster r;
	uint8_t *points;
	uint16_t liar;

	(void)state;
	world_roster(w, &r);
	complaint_about(w, &r, &p, &c);
	assert_int_equal(
	    msg_read_dealing(c.dealt.header, c.dealt.header_len, &d, &w->err),
	    0);
	points = malloc(r.p.threshold * (size_t)ROUND_KEY);
	memcpy(points, c.dealt.points.g, r.p.threshold * (size_t)ROUND_KEY);
	memset(points + ROUND_KEY, 0xff, ROUND_KEY);
	c.dealt.points.g = points;
	msg_commitments(&c.dealt.points, r.p.threshold, d.commitments);
	assert_int_equal(
	    msg_put_dealing(as(w, 0, &ctx), &d, &header, &w->err), 0);
	c.dealt.header = header.data;
	c.dealt.header_len = header.len;
	assert_int_equal(judge(w, 1, &r, &c, &liar), 0);
	assert_int_equal(liar, 10);
	free(points);
	canon_free(&header);
	world_free(w);
}

/*
 * Results
 */

/* M8, taken apart: views of it but for what is changed. */
struct piece {
	const uint8_t *p;
	size_t len;
};

struct taken {
	struct piece announce, roster, header[WORLD_MAX], list, certificate,
	    trailer[WORLD_MAX];
	uint8_t kind[WORLD_MAX], secret[WORLD_MAX][ROUND_KEY];
	uint16_t n2, n3;
	uint64_t words;
	uint8_t root[ROUND_DIGEST];
};

static struct piece
piece(struct canon_in *in)
{
	struct piece x;

	x.p = canon_get_bytes(in, 1, ROUND_MESSAGE_MAX, &x.len);
	return x;
}

static void
take_apart(struct world *w, const struct canon *msg, struct taken *t)
{
	struct canon_in in;

	assert_int_equal(
	    msg_peek(msg->data, msg->len, "result", &in, &w->err), 0);
	t->announce = piece(&in);
	t->roster = piece(&in);
	t->n2 = canon_get_u16(&in);
	for (size_t k = 0; k < t->n2; k++) {
		t->header[k] = piece(&in);
		t->kind[k] = canon_get_u8(&in);
		canon_get_raw(&in, t->secret[k], ROUND_KEY);
	}
	t->list = piece(&in);
	t->certificate = piece(&in);
	t->n3 = canon_get_u16(&in);
	for (size_t k = 0; k < t->n3; k++)
		t->trailer[k] = piece(&in);
	t->words = canon_get_u64(&in);
	canon_get_raw(&in, t->root, ROUND_DIGEST);
	assert_int_equal(canon_end(&in, "result", &w->err), 0);
}

static void
put_piece(struct canon *c, struct piece x)
{
	canon_bytes(c, x.p, x.len);
}

static struct canon
put_together(struct world *w, const struct taken *t)
{
	struct canon c = { 0 };

	put_piece(&c, t->announce);
	put_piece(&c, t->roster);
	canon_u16(&c, t->n2);
	for (size_t k = 0; k < t->n2; k++) {
		put_piece(&c, t->header[k]);
		canon_u8(&c, t->kind[k]);
		canon_raw(&c, t->secret[k], ROUND_KEY);
	}
	put_piece(&c, t->list);
	put_piece(&c, t->certificate);
	canon_u16(&c, t->n3);
	for (size_t k = 0; k < t->n3; k++)
		put_piece(&c, t->trailer[k]);
	canon_u64(&c, t->words);
	canon_raw(&c, t->root, ROUND_DIGEST);
	return sealed(w, "result", &c);
}

static void
no_result(struct world *w, const struct taken *t, enum err_code code,
    const char *word)
{
	struct canon msg = put_together(w, t);

	assert_null(round_result_open(
	    &w->site[0].ctx, &w->about, msg.data, msg.len, &w->err));
	if (w->err.code != code || strstr(w->err.msg, word) == NULL)
		fail_msg("error %d: %s", w->err.code, w->err.msg);
	canon_free(&msg);
}

/* One upload never came. */
static struct world *
with_a_result(struct taken *t, struct canon *m8)
{
	struct world *w = world_new(5, 5);

	w->site[4].leaves = LEAVES_BEFORE_UPLOAD;
	assert_int_equal(world_run(w), 0);
	*m8 = world_owed(w, ROUND_RESULT, 0);
	take_apart(w, m8, t);
	return w;
}

static void
a_result_is_of_one_round(void **state)
{
	struct taken true_one, t;
	struct canon m8, again;
	struct world *w = with_a_result(&true_one, &m8);
	struct roster r;
	struct canon forged = { 0 };
	struct round_about about;
	struct round_result *result;

	(void)state;
	again = put_together(w, &true_one); /* (nothing is lost on the way) */
	assert_int_equal(again.len, m8.len);
	assert_memory_equal(again.data, m8.data, m8.len);
	canon_free(&again);
	t = true_one;
	t.header[1] = t.header[0];
	no_result(w, &t, ERR_PEER, "site 10 twice or out of order");
	t = true_one; /* too few have dealt */
	t.n2 = 3;
	no_result(w, &t, ERR_PEER, "a share set of 3 sites, at least 4");
	t = true_one; /* the key of one whose upload is in the sum */
	t.kind[0] = MSG_KEY;
	memcpy(t.secret[0], w->site[0].prekey_secret, ROUND_KEY);
	no_result(w, &t, ERR_PEER, "the wrong secret of site 10 was opened");
	t = true_one; /* neither, nothing, and no scalar */
	memcpy(t.secret[0], w->site[0].prekey_secret, ROUND_KEY);
	no_result(w, &t, ERR_PEER, "opened for site 10 is not its secret");
	memset(t.secret[0], 0, ROUND_KEY);
	no_result(w, &t, ERR_PEER, "opened for site 10 is not its secret");
	memset(t.secret[0], 0xff, ROUND_KEY);
	no_result(w, &t, ERR_PEER, "opened for site 10 is not its secret");
	t = true_one;
	t.words++;
	no_result(w, &t, ERR_FORMAT, "result");
	t = true_one;
	t.n3--;
	no_result(w, &t, ERR_FORMAT, "result");
	/* A roster of another announcement. */
	world_roster(w, &r);
	r.announce[0] ^= 1;
	w->ctx.secret = w->sk;
	assert_int_equal(roster_put(&w->ctx, &r, &forged, &w->err), 0);
	t = true_one;
	t.roster = (struct piece){ forged.data, forged.len };
	no_result(w, &t, ERR_PEER, "the roster is of another announcement");
	canon_free(&forged);
	/* Not what this site waits for. */
	about = w->about;
	for (size_t k = 0; k < 3; k++) {
		w->about = about;
		w->about.step += k == 0;
		w->about.words += k == 1;
		if (k == 2)
			strcpy(w->about.kind, "newton");
		no_result(w, &true_one, ERR_REFUSED, "than this site's step");
	}
	w->about = about;
	result = round_result_open(
	    &w->site[0].ctx, &w->about, m8.data, m8.len, &w->err);
	assert_non_null(result);
	round_result_free(result);
	canon_free(&m8);
	world_free(w);
}

static void
a_result_has_the_uploads_of_its_list(void **state)
{
	struct taken true_one, t;
	struct canon m8;
	struct world *w = with_a_result(&true_one, &m8);
	struct msg_upload u, changed;

	(void)state;
	assert_int_equal(msg_read_upload(true_one.trailer[1].p,
			     true_one.trailer[1].len, &u, &w->err),
	    0);
	for (size_t k = 0; k < 6; k++) {
		struct canon forged = { 0 };
		struct round_ctx ctx;

		t = true_one;
		changed = u;
		changed.words += k == 0;
		changed.roster[0] ^= k == 1;
		changed.u2[0] ^= k == 2;
		changed.root[0] ^= k == 3;
		if (k == 4)
			changed.site = 30;
		assert_int_equal(msg_put_upload(as(w, k == 4 ? 2 : 1, &ctx),
				     &changed, &forged, &w->err),
		    0);
		t.trailer[1] = (struct piece){ forged.data, forged.len };
		if (k == 5) /* the true one of another */
			t.trailer[1] = t.trailer[2];
		no_result(
		    w, &t, ERR_PEER, "result: site 20 signed another upload");
		canon_free(&forged);
	}
	canon_free(&m8);
	world_free(w);
}

/* The first look at what is not checked yet. */
static void
what_is_cut_short_is_not_looked_into(void **state)
{
	struct world *w = world_at(4, COORD_DONE);
	uint8_t digest[ROUND_DIGEST];
	struct canon content = { 0 }, msg;
	uint32_t epoch;

	(void)state;
	assert_int_equal(round_result_peek_roster("x", 1, digest, &w->err), -1);
	assert_int_equal(
	    round_result_peek("x", 1, &epoch, digest, &w->err), -1);
	assert_int_equal(round_announce_peek("x", 1, &epoch, &w->err), -1);
	canon_bytes(&content, "x", 1);
	msg = sealed(w, "result", &content);
	assert_int_equal(
	    round_result_peek(msg.data, msg.len, &epoch, digest, &w->err), -1);
	assert_string_equal(w->err.msg, "result: cut short");
	assert_int_equal(
	    round_result_peek_roster(msg.data, msg.len, digest, &w->err), -1);
	assert_string_equal(w->err.msg, "result: cut short");
	canon_free(&msg);
	msg = sealed(w, "result", &content);
	assert_int_equal(
	    round_result_peek(msg.data, msg.len, &epoch, digest, &w->err), -1);
	assert_string_equal(w->err.msg, "result: cut short");
	canon_free(&msg);
	canon_u8(&content, 1);
	msg = sealed(w, "announce", &content);
	assert_int_equal(
	    round_announce_peek(msg.data, msg.len, &epoch, &w->err), -1);
	assert_string_equal(w->err.msg, "announce: cut short");
	canon_free(&msg);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_share_set_has_each_dealer_once_and_this_site),
		cmocka_unit_test(deals_by_a_roster_with_itself_and_its_prekey),
		cmocka_unit_test(ends_by_an_abort_of_its_own_round_only),
		cmocka_unit_test(a_stored_round_has_keys_that_are_keys),
		cmocka_unit_test(
		    a_complaint_is_of_one_of_the_roster_about_another),
		cmocka_unit_test(a_dealer_that_signed_what_cannot_be_is_named),
		cmocka_unit_test(a_result_is_of_one_round),
		cmocka_unit_test(a_result_has_the_uploads_of_its_list),
		cmocka_unit_test(what_is_cut_short_is_not_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

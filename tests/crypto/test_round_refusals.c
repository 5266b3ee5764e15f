/*
 * What sites and coordinator refuse, by messages that are valid but for one
 * thing, signed by whoever should have signed them.
 */
#include "tests/check.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/macros.h"
#include "crypto/round_keys.h"
#include "crypto/round_msg.h"
#include "tests/crypto/world.h"

/* The site refuses msg (which is freed), and does not change. */
static void
assert_site_refuses(struct world *w, size_t site, enum round_type type,
    struct canon msg, enum err_code code, const char *word)
{
	struct canon before = { 0 }, after = { 0 }, out = { 0 };

	site_round_save(w->site[site].round, &before);
	assert_int_equal(world_answer(w, site, type, &msg, &out), -1);
	if (w->err.code != code || strstr(w->err.msg, word) == NULL)
		fail_msg("error %d: %s", w->err.code, w->err.msg);
	assert_int_equal(out.len, 0);
	site_round_save(w->site[site].round, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	canon_free(&msg);
	canon_free(&before);
	canon_free(&after);
}

static void
assert_coord_refuses(struct world *w, size_t site, struct canon msg,
    enum err_code code, const char *word)
{
	assert_int_equal(world_add(w, site, &msg), -1);
	if (w->err.code != code || strstr(w->err.msg, word) == NULL)
		fail_msg("error %d: %s", w->err.code, w->err.msg);
	canon_free(&msg);
}

/* And still accepts the true message. */
static void
assert_site_accepts(struct world *w, size_t site, enum round_type type)
{
	struct canon msg = world_owed(w, type, site), out = { 0 };

	if (world_answer(w, site, type, &msg, &out) != 0)
		fail_msg("%s", w->err.msg);
	canon_free(&msg);
	canon_free(&out);
}

static struct canon
announce_of(struct world *w, const struct round_about *about)
{
	struct canon msg = { 0 };

	w->ctx.secret = w->sk;
	assert_int_equal(msg_put_announce(&w->ctx, about, &msg, &w->err), 0);
	return msg;
}

/* Start a round at site 0 with msg, which is freed. */
static void
assert_not_started(struct world *w, struct canon msg, uint64_t last_round,
    enum err_code code, const char *word)
{
	struct round_ctx ctx = w->ctx;
	struct canon out = { 0 };

	ctx.self = w->members[0].id;
	ctx.secret = w->site[0].sk;
	assert_null(site_round_start(&ctx, &w->about, last_round,
	    &w->site[0].prekey, msg.data, msg.len, &out, &w->err));
	if (w->err.code != code || strstr(w->err.msg, word) == NULL)
		fail_msg("error %d: %s", w->err.code, w->err.msg);
	assert_int_equal(out.len, 0);
	canon_free(&msg);
}

static void
starts_only_from_its_own_state(void **state)
{
	struct world *w = world_new(3, 5);
	struct round_about about;

	(void)state;
	about = w->about;
	about.state[0] ^= 1;
	assert_not_started(
	    w, announce_of(w, &about), 0, ERR_REFUSED, "another state");
	about = w->about;
	about.step = 1;
	assert_not_started(w, announce_of(w, &about), 0, ERR_REFUSED, "plan");
	about = w->about;
	about.words = 6;
	assert_not_started(w, announce_of(w, &about), 0, ERR_REFUSED, "plan");
	about = w->about;
	strcpy(about.kind, "newton");
	assert_not_started(w, announce_of(w, &about), 0, ERR_REFUSED, "plan");
	assert_not_started(
	    w, announce_of(w, &w->about), 1, ERR_PEER, "has answered 1");
	w->ctx.epoch++;
	{
		struct canon msg = announce_of(w, &w->about);

		w->ctx.epoch--;
		assert_not_started(w, msg, 0, ERR_PEER, "epoch");
	}
	memcpy(w->sk, w->site[1].sk, sizeof(w->sk)); /* not the coordinator */
	assert_not_started(
	    w, announce_of(w, &w->about), 0, ERR_PEER, "signature");
	world_free(w);
}

static struct canon
roster_of(struct world *w, const struct roster *r)
{
	struct canon msg = { 0 };

	w->ctx.secret = w->sk;
	assert_int_equal(roster_put(&w->ctx, r, &msg, &w->err), 0);
	return msg;
}

static void
refuses_a_roster_with_other_parameters(void **state)
{
	struct world *w = world_at(5, COORD_SHARES);
	struct roster r, forged;

	(void)state;
	world_roster(w, &r);
#define REFUSED_WITH(field, value)                                             \
	forged = r;                                                            \
	forged.p.field = value;                                                \
	assert_site_refuses(                                                   \
	    w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER, "parameters")
	REFUSED_WITH(n_study, 4);
	REFUSED_WITH(corrupted, 2);
	REFUSED_WITH(honest_min, 1);
	REFUSED_WITH(u_frac_ppm, 500000);
	REFUSED_WITH(quorum, 3);
	REFUSED_WITH(threshold, 2);
	REFUSED_WITH(u_min, 3);
	REFUSED_WITH(d_max, 2);
	REFUSED_WITH(degree, 2);
	REFUSED_WITH(suite, 2);
	REFUSED_WITH(bits, 32);
	REFUSED_WITH(bits, 16);
	REFUSED_WITH(verify, ROUND_TRUST);
	REFUSED_WITH(cohort, ROUND_FIXED);
#undef REFUSED_WITH
	forged = r;
	forged.p.n = 3; /* and sites 40 and 50 left out */
	forged.p.quorum = forged.p.u_min = 3;
	assert_site_refuses(w, 0, ROUND_ROSTER, roster_of(w, &forged),
	    ERR_REFUSED, "at least 4");
	assert_site_accepts(w, 0, ROUND_ROSTER);
	world_free(w);
}

static void
refuses_a_roster_with_other_members(void **state)
{
	struct world *w = world_at(4, COORD_SHARES);
	struct roster r, forged;

	(void)state;
	world_roster(w, &r);
	forged = r; /* out of order, so maybe twice */
	forged.site[2] = r.site[1];
	assert_site_refuses(
	    w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER, "twice");
	forged = r; /* nobody */
	forged.site[3].id = 41;
	assert_site_refuses(w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER,
	    "not an active");
	w->members[3].active = false; /* revoked */
	assert_site_refuses(
	    w, 0, ROUND_ROSTER, roster_of(w, &r), ERR_PEER, "not an active");
	w->members[3].active = true;
	forged = r; /* another's prekey */
	forged.site[2].prekey = r.site[1].prekey;
	assert_site_refuses(w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER,
	    "not signed by site 30");
	forged = r; /* the same key, signed by two colluding sites */
	memcpy(forged.site[2].prekey.pk, r.site[1].prekey.pk, ROUND_KEY);
	world_sign_prekey(w, 2, &forged.site[2].prekey);
	assert_site_refuses(
	    w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER, "same prekey");
	forged = r; /* the identity */
	memset(forged.site[2].prekey.pk, 0, ROUND_KEY);
	world_sign_prekey(w, 2, &forged.site[2].prekey);
	assert_site_refuses(
	    w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER, "not a point");
	forged = r; /* not canonical */
	memset(forged.site[2].prekey.pk, 0xff, ROUND_KEY);
	world_sign_prekey(w, 2, &forged.site[2].prekey);
	assert_site_refuses(
	    w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER, "not a point");
	forged = r; /* expired */
	forged.site[2].prekey.expiry = WORLD_NOW;
	world_sign_prekey(w, 2, &forged.site[2].prekey);
	assert_site_refuses(
	    w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_REFUSED, "expired");
	forged = r; /* another of our own */
	forged.site[0].prekey.id++;
	world_sign_prekey(w, 0, &forged.site[0].prekey);
	assert_site_refuses(
	    w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER, "offered");
	forged = r; /* of another announcement */
	forged.announce[0] ^= 1;
	assert_site_refuses(w, 0, ROUND_ROSTER, roster_of(w, &forged), ERR_PEER,
	    "another announcement");
	assert_site_accepts(w, 0, ROUND_ROSTER);
	world_free(w);
}

/* The same bytes get the same answer in any later phase; others none. */
static void
answers_each_message_once(void **state)
{
	static const struct {
		enum round_type asked, answer;
	} pairs[] = {
		{ ROUND_ANNOUNCE, ROUND_READY },
		{ ROUND_ROSTER, ROUND_SHARES },
		{ ROUND_LIST, ROUND_CONFIRM },
		{ ROUND_CERTIFICATE, ROUND_UNMASK },
	};
	struct world *w = world_at(4, COORD_DONE);
	struct world_site *s = &w->site[0];
	struct canon out = { 0 };

	(void)state;
	for (size_t i = 0; i < nitems(pairs); i++) {
		const struct canon *msg = &s->got[pairs[i].asked];
		const struct canon *sent = &s->sent[pairs[i].answer];

		assert_true(
		    site_round_again(s->round, msg->data, msg->len, &out));
		assert_int_equal(out.len, sent->len);
		assert_memory_equal(out.data, sent->data, out.len);
		canon_free(&out);
		if (pairs[i].asked == ROUND_ANNOUNCE)
			continue;
		assert_int_equal(
		    world_answer(w, 0, pairs[i].asked, msg, &out), 0);
		assert_memory_equal(out.data, sent->data, sent->len);
		canon_free(&out);
	}
	/* Another site's share set, certificate ... of this very round. */
	{
		struct canon other = world_owed(w, ROUND_SHARESET, 1);
		uint16_t liar;

		assert_int_equal(
		    site_round_shareset(s->round, &s->ctx, other.data,
			other.len, &liar, &out, &w->err),
		    -1);
		assert_int_equal(w->err.code, ERR_PEER);
		canon_free(&other);
	}
	assert_false(site_round_again(s->round, "x", 1, &out));
	world_free(w);
}

/* The true list, for tests to change one thing in. */
static void
true_list(struct world *w, struct msg_list *l)
{
	struct canon msg = world_owed(w, ROUND_LIST, 0);

	assert_int_equal(msg_read_list(msg.data, msg.len, l, &w->err), 0);
	canon_free(&msg);
}

static struct canon
list_of(struct world *w, const struct msg_list *l)
{
	struct canon msg = { 0 };

	w->ctx.secret = w->sk;
	assert_int_equal(msg_put_list(&w->ctx, l, &msg, &w->err), 0);
	return msg;
}

static void
confirms_one_list_with_enough_sites(void **state)
{
	struct world *w = world_at(5, COORD_CONFIRMS);
	struct msg_list l, forged;

	(void)state;
	true_list(w, &l);
	forged = l;
	forged.n = 3; /* u_min is 4 */
	assert_site_refuses(
	    w, 0, ROUND_LIST, list_of(w, &forged), ERR_PEER, "at least 4");
	forged = l;
	forged.n = 4;
	memmove(forged.input, forged.input + 1, 4 * sizeof(*forged.input));
	assert_site_refuses(
	    w, 0, ROUND_LIST, list_of(w, &forged), ERR_PEER, "own upload");
	forged = l;
	forged.input[0].root[0] ^= 1;
	assert_site_refuses(
	    w, 0, ROUND_LIST, list_of(w, &forged), ERR_PEER, "own upload");
	forged = l;
	forged.input[4].site = 60;
	assert_site_refuses(
	    w, 0, ROUND_LIST, list_of(w, &forged), ERR_PEER, "share set");
	forged = l;
	forged.input[4] = l.input[3];
	assert_site_refuses(
	    w, 0, ROUND_LIST, list_of(w, &forged), ERR_FORMAT, "out of bounds");
	forged = l;
	forged.u2[0] ^= 1;
	assert_site_refuses(
	    w, 0, ROUND_LIST, list_of(w, &forged), ERR_PEER, "another roster");
	assert_site_accepts(w, 0, ROUND_LIST);
	forged = l;
	forged.n = 4; /* a good list, but the second one */
	assert_site_refuses(w, 0, ROUND_LIST, list_of(w, &forged), ERR_PEER,
	    "has answered another");
	world_free(w);
}

/* A certificate over f by the sites of signers, k-th signature by keys[k]. */
static struct canon
certificate_of(struct world *w, const struct msg_confirm *f,
    const size_t *signers, const size_t *keys, size_t n)
{
	struct msg_signer by[WORLD_MAX];
	struct canon confirms[WORLD_MAX] = { 0 }, msg = { 0 };

	for (size_t k = 0; k < n; k++) {
		struct round_ctx ctx = w->ctx;
		struct msg_confirm c = *f;

		c.site = w->members[signers[k]].id;
		ctx.secret = w->site[keys[k]].sk;
		assert_int_equal(
		    msg_put_confirm(&ctx, &c, &confirms[k], &w->err), 0);
		by[k].site = c.site;
		by[k].sig =
		    confirms[k].data + confirms[k].len - ROUND_SIGNATURE;
	}
	w->ctx.secret = w->sk;
	assert_int_equal(
	    msg_put_certificate(&w->ctx, f, by, n, &msg, &w->err), 0);
	for (size_t k = 0; k < n; k++)
		canon_free(&confirms[k]);
	return msg;
}

static void
opens_shares_only_for_a_quorum(void **state)
{
	static const size_t all[] = { 0, 1, 2, 3, 4 };
	static const size_t twice[] = { 0, 1, 2, 2 };
	static const size_t foreign[] = { 0, 1, 2, 5 };
	static const size_t forged[] = { 0, 1, 2, 2, 4 };
	struct world *w = world_new(6, 5);
	struct msg_confirm f;
	struct msg_list l;

	(void)state;
	w->site[5].leaves = LEAVES_BEFORE_UPLOAD; /* in U2, not in U3; q = 4 */
	assert_int_equal(world_ready(w), 0);
	assert_int_equal(world_shares(w), 0);
	assert_int_equal(world_uploads(w), 0);
	assert_int_equal(world_confirms(w), 0);
	true_list(w, &l);
	memcpy(f.roster, l.roster, ROUND_DIGEST);
	memcpy(f.u2, l.u2, ROUND_DIGEST);
	memcpy(f.u3, l.hash, ROUND_DIGEST);
#define REFUSED(signers, keys, n, code, word)                                  \
	assert_site_refuses(w, 0, ROUND_CERTIFICATE,                           \
	    certificate_of(w, &f, signers, keys, n), code, word)
	REFUSED(all, all, 3, ERR_PEER, "quorum is 4");
	REFUSED(twice, twice, 4, ERR_PEER, "twice");
	REFUSED(foreign, foreign, 4, ERR_PEER, "not one of the list");
	REFUSED(all, forged, 5, ERR_PEER, "has not confirmed");
	f.u3[0] ^= 1; /* another list, confirmed by all */
	REFUSED(all, all, 5, ERR_PEER, "another round or list");
	f.u3[0] ^= 1;
	f.roster[0] ^= 1;
	REFUSED(all, all, 5, ERR_PEER, "another round or list");
#undef REFUSED
	assert_site_accepts(w, 0, ROUND_CERTIFICATE);
	assert_int_equal(site_round_phase(w->site[0].round), SITE_UNMASKED);
	world_free(w);
}

static void
masks_one_vector_of_the_right_length(void **state)
{
	struct world *w = world_at(4, COORD_CONFIRMS);
	struct world_site *s = &w->site[0];
	struct canon out = { 0 };

	(void)state;
	assert_int_equal(
	    site_round_upload(s->round, &s->ctx, s->z, 5, &out, &w->err), -1);
	assert_int_equal(w->err.code, ERR_REFUSED);
	assert_true(s->z[1] == world_value(10, 1)); /* untouched */
	world_free(w);
}

/* Every signed message of a round, changed in any one byte or cut, is
   refused by whom it is for. */
static void
refuses_any_change_of_a_message(void **state)
{
	static const struct {
		enum coord_phase at;
		enum round_type type;
	} rows[] = {
		{ COORD_SHARES, ROUND_ROSTER },
		{ COORD_UPLOADS, ROUND_SHARESET },
		{ COORD_CONFIRMS, ROUND_LIST },
		{ COORD_UNMASKS, ROUND_CERTIFICATE },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct world *w = world_at(3, rows[i].at);
		struct canon msg, out = { 0 };

		/* The site has not answered it yet. */
		msg = world_owed(w, rows[i].type, 0);
		for (size_t at = 0; at < msg.len; at += 7) {
			size_t len = msg.len;

			msg.data[at] ^= 4;
			assert_int_equal(
			    world_answer(w, 0, rows[i].type, &msg, &out), -1);
			msg.data[at] ^= 4;
			msg.len = at;
			assert_int_equal(
			    world_answer(w, 0, rows[i].type, &msg, &out), -1);
			msg.len = len;
		}
		canon_u8(&msg, 0);
		assert_int_equal(
		    world_answer(w, 0, rows[i].type, &msg, &out), -1);
		assert_int_equal(out.len, 0);
		canon_free(&msg);
		assert_site_accepts(w, 0, rows[i].type);
		canon_free(&out);
		world_free(w);
	}
}

/* The same for what sites send. */
static void
coordinator_refuses_any_change_of_a_message(void **state)
{
	static const struct {
		enum coord_phase at;
		enum round_type asked;
	} rows[] = {
		{ COORD_SHARES, ROUND_ROSTER },
		{ COORD_UPLOADS, ROUND_SHARESET },
		{ COORD_CONFIRMS, ROUND_LIST },
		{ COORD_UNMASKS, ROUND_CERTIFICATE },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct world *w = world_at(3, rows[i].at);
		struct canon msg = world_owed(w, rows[i].asked, 0), out = { 0 };

		assert_int_equal(
		    world_answer(w, 0, rows[i].asked, &msg, &out), 0);
		for (size_t at = 0; at < out.len; at += 5) {
			size_t len = out.len;

			out.data[at] ^= 4;
			assert_int_equal(world_add(w, 0, &out), -1);
			out.data[at] ^= 4;
			out.len = at;
			assert_int_equal(world_add(w, 0, &out), -1);
			out.len = len;
		}
		assert_int_equal(world_add(w, 0, &out), 0);
		assert_int_equal(world_add(w, 0, &out), 0); /* again */
		canon_free(&msg);
		canon_free(&out);
		world_free(w);
	}
}

static void
names_who_opens_a_wrong_share_and_completes(void **state)
{
	struct world *w = world_at(4, COORD_UNMASKS);
	struct round_ctx ctx = w->ctx;
	struct canon msg = world_owed(w, ROUND_CERTIFICATE, 1), out = { 0 },
		     wrong = { 0 };
	bool all[ROUND_SITES_MAX] = { true, true, true, true };
	struct msg_unmask u;
	struct roster r;

	(void)state;
	world_roster(w, &r);
	assert_int_equal(world_answer(w, 1, ROUND_CERTIFICATE, &msg, &out), 0);
	ctx.secret = w->site[1].sk;
	assert_int_equal(
	    msg_get_unmask(&ctx, &r, all, all, out.data, out.len, &u, &w->err),
	    0);
	u.share[2][0] ^= 1;
	assert_int_equal(
	    msg_put_unmask(&ctx, &r, all, all, &u, &wrong, &w->err), 0);
	assert_coord_refuses(
	    w, 1, wrong, ERR_PEER, "site 20 opens a wrong share of site 30");
	canon_free(&msg);
	canon_free(&out);
	w->site[1].leaves = LEAVES_BEFORE_UNMASK;
	assert_int_equal(world_unmasks(w), 0);
	assert_int_equal(world_result(w), 0);
	world_check_sum(w);
	world_free(w);
}

/* Key shares where self-mask shares are due: both would unmask one vector. */
static void
coordinator_refuses_shares_that_are_not_due(void **state)
{
	struct world *w = world_at(4, COORD_UNMASKS);
	struct round_ctx ctx = w->ctx;
	bool all[ROUND_SITES_MAX] = { true, true, true, true };
	bool none[ROUND_SITES_MAX] = { false };
	struct canon wrong = { 0 };
	struct msg_unmask u = { 0 };
	struct roster r;

	(void)state;
	world_roster(w, &r);
	ctx.secret = w->site[1].sk;
	u.of.site = 20;
	assert_int_equal(
	    msg_put_unmask(&ctx, &r, all, none, &u, &wrong, &w->err), 0);
	assert_coord_refuses(w, 1, wrong, ERR_PEER, "other shares than");
	world_free(w);
}

static void
a_complaint_about_a_good_share_names_the_complainer(void **state)
{
	struct world *w = world_at(4, COORD_UPLOADS);
	struct canon roster = world_owed(w, ROUND_ROSTER, 1), complaint = { 0 };
	uint8_t leaves[ROUND_SITES_MAX][HASH_LEN],
	    path[MERKLE_DEPTH_MAX][HASH_LEN], context[32];
	const struct canon *m1 = &w->site[0].sent[ROUND_SHARES];
	struct msg_complaint c = { .site = 20, .dealer = 10 };
	struct round_ctx ctx = w->ctx;
	uint16_t complainer, liar;
	struct msg_shares s;
	struct roster r;

	(void)state;
	world_roster(w, &r);
	assert_int_equal(
	    msg_read_shares(&r, m1->data, m1->len, &s, &w->err), 0);
	memcpy(c.roster, r.hash, ROUND_DIGEST);
	msg_sealed_leaves(&r, 0, s.sealed, leaves);
	c.dealt = (struct msg_dealt){ .header = s.header,
		.header_len = s.header_len,
		.points = s.points,
		.sealed = msg_sealed_for(s.sealed, 0, 1),
		.path = path[0],
		.path_len = merkle_path(leaves, 4, 1, path) };
	pair_dh(&r, 0, w->site[1].prekey_secret, c.dh);
	complaint_context(&r, 20, 10, context);
	proof_make(
	    w->site[1].prekey_secret, r.site[0].prekey.pk, context, c.proof);
	ctx.secret = w->site[1].sk;
	assert_int_equal(
	    msg_put_complaint(&ctx, &r, &c, &complaint, &w->err), 0);
	assert_int_equal(
	    round_complaint_check(&w->ctx, roster.data, roster.len,
		complaint.data, complaint.len, &complainer, &liar, &w->err),
	    0);
	assert_int_equal(complainer, 20);
	assert_int_equal(liar, 20);
	/* Nor with a dh of its own choice, under which nothing opens. */
	c.dh[0] = 0;
	canon_free(&complaint);
	assert_int_equal(
	    msg_put_complaint(&ctx, &r, &c, &complaint, &w->err), 0);
	assert_int_equal(
	    round_complaint_check(&w->ctx, roster.data, roster.len,
		complaint.data, complaint.len, &complainer, &liar, &w->err),
	    0);
	assert_int_equal(liar, 20);
	canon_free(&roster);
	canon_free(&complaint);
	world_free(w);
}

/* Sign M8 anew after a change of its last field, the sum's root. */
static void
falsify(struct world *w, size_t site, enum round_type type, struct canon *msg)
{
	struct canon content = { 0 }, forged = { 0 };
	struct canon_in in;

	if (type != ROUND_RESULT || site != 1)
		return;
	assert_int_equal(
	    msg_peek(msg->data, msg->len, "result", &in, &w->err), 0);
	canon_raw(&content, in.p, (size_t)(in.end - in.p));
	content.data[content.len - 1] ^= 1;
	w->ctx.secret = w->sk;
	assert_int_equal(
	    msg_seal(&w->ctx, "result", &content, &forged, &w->err), 0);
	canon_free(msg);
	*msg = forged;
}

static void
refuses_a_false_sum_and_takes_the_true_one(void **state)
{
	struct world *w = world_at(4, COORD_DONE);
	struct round_uploads uploads = world_uploaded(w);
	struct world_site *s = &w->site[1];
	struct round_result *r;
	struct canon msg;
	uint64_t sum[5];

	(void)state;
	w->tamper = falsify;
	assert_int_equal(world_result(w), -1);
	assert_int_equal(w->err.code, ERR_PEER);
	assert_non_null(strstr(w->err.msg, "its sum is not"));
	assert_int_equal(site_round_phase(w->site[0].round), SITE_DONE);
	assert_int_equal(site_round_phase(s->round), SITE_UNMASKED);

	msg = world_owed(w, ROUND_RESULT, 1);
	r = round_result_open(&s->ctx, &w->about, msg.data, msg.len, &w->err);
	assert_non_null(r);
	assert_int_equal(round_result_inputs(r), 4);
	assert_int_equal(round_result_input(r, 2)->site, 30);
	s->y[3]++; /* an upload that is not the one on the list */
	assert_int_equal(
	    site_round_accept(s->round, &s->ctx, r, &uploads, sum, &w->err),
	    -1);
	assert_non_null(strstr(w->err.msg, "upload of site 20"));
	s->y[3]--;
	assert_int_equal(
	    site_round_accept(s->round, &s->ctx, r, &uploads, sum, &w->err), 0);
	assert_memory_equal(sum, w->sum, sizeof(sum));
	/* One that was away takes it too; one at another step does not. */
	assert_int_equal(
	    site_round_accept(NULL, &s->ctx, r, &uploads, sum, &w->err), 0);
	round_result_free(r);
	w->about.step++;
	assert_null(
	    round_result_open(&s->ctx, &w->about, msg.data, msg.len, &w->err));
	assert_int_equal(w->err.code, ERR_REFUSED);
	canon_free(&msg);
	world_free(w);
}

/* Everything before the sum's root is signed by others, or named by what they
   signed: change any byte, sign M8 anew, and it is refused. */
static void
refuses_any_change_of_a_result(void **state)
{
	struct world *w = world_at(4, COORD_UPLOADS);
	struct canon msg;
	struct canon_in in;

	(void)state;
	w->site[2].leaves = LEAVES_BEFORE_UPLOAD;
	canon_free(&w->site[2].sent[ROUND_UPLOAD]);
	assert_int_equal(world_uploads(w), 0);
	assert_int_equal(world_confirms(w), 0);
	assert_int_equal(world_unmasks(w), 0);
	assert_int_equal(world_result(w), 0);
	msg = world_owed(w, ROUND_RESULT, 0);
	assert_int_equal(
	    msg_peek(msg.data, msg.len, "result", &in, &w->err), 0);
	for (size_t at = 0; at < (size_t)(in.end - in.p) - ROUND_DIGEST;
	     at += 13) {
		struct canon content = { 0 }, forged = { 0 };

		canon_raw(&content, in.p, (size_t)(in.end - in.p));
		content.data[at] ^= 8;
		w->ctx.secret = w->sk;
		assert_int_equal(
		    msg_seal(&w->ctx, "result", &content, &forged, &w->err), 0);
		assert_null(round_result_open(&w->site[0].ctx, &w->about,
		    forged.data, forged.len, &w->err));
		canon_free(&forged);
	}
	canon_free(&msg);
	world_free(w);
}

static void
a_certified_round_is_not_aborted(void **state)
{
	struct world *w = world_at(4, COORD_DONE);
	struct world_site *s = &w->site[0];
	struct msg_abort a = { .why = "never mind" };
	struct canon t0 = world_owed(w, ROUND_ANNOUNCE, 0), msg = { 0 };
	uint16_t liar;
	char why[8];

	(void)state;
	assert_int_equal(
	    coord_round_abort(w->coord, &w->ctx, "never mind", &w->err), -1);
	assert_int_equal(w->err.code, ERR_REFUSED);
	assert_int_equal(
	    round_message_digest(t0.data, t0.len, a.announce, &w->err), 0);
	w->ctx.secret = w->sk;
	assert_int_equal(msg_put_abort(&w->ctx, &a, &msg, &w->err), 0);
	assert_int_equal(site_round_abort(s->round, &s->ctx, msg.data, msg.len,
			     &liar, why, sizeof(why), &w->err),
	    -1);
	assert_int_equal(w->err.code, ERR_PEER);
	canon_free(&t0);
	canon_free(&msg);
	world_free(w);
}

static void
gives_up_without_keeping_a_secret(void **state)
{
	struct world *w = world_at(4, COORD_CONFIRMS);
	struct world_site *s = &w->site[0];
	struct canon before = { 0 }, after = { 0 };
	struct canon msg = world_owed(w, ROUND_LIST, 0), out = { 0 };

	(void)state;
	site_round_save(s->round, &before);
	site_round_give_up(s->round);
	site_round_save(s->round, &after);
	/* key and seed, and two shares of each site */
	assert_int_equal(before.len - after.len, (2 + 2 * 4) * ROUND_KEY);
	assert_int_equal(site_round_list(s->round, &s->ctx, msg.data, msg.len,
			     &out, &w->err),
	    -1);
	assert_int_equal(w->err.code, ERR_REFUSED);
	canon_free(&before);
	canon_free(&after);
	canon_free(&msg);
	world_free(w);
}

static void
refuses_damaged_stored_rounds(void **state)
{
	struct world *w = world_at(3, COORD_UNMASKS);
	struct canon site = { 0 }, coord = { 0 };

	(void)state;
	site_round_save(w->site[0].round, &site);
	coord_round_save(w->coord, &coord);
	for (size_t len = 0; len < site.len; len += 11)
		assert_null(site_round_load(site.data, len, &w->err));
	for (size_t len = 0; len < coord.len; len += 37)
		assert_null(coord_round_load(coord.data, len, &w->err));
	canon_u8(&site, 0);
	assert_null(site_round_load(site.data, site.len, &w->err));
	assert_int_equal(w->err.code, ERR_FORMAT);
	canon_u8(&coord, 0);
	assert_null(coord_round_load(coord.data, coord.len, &w->err));
	assert_int_equal(w->err.code, ERR_FORMAT);
	canon_free(&site);
	canon_free(&coord);
	world_free(w);
}

/* A coordinator has shown other sites another roster of the same round, and that
   one came to a sum: a site takes it in whatever phase its own round is, and
   keeps no secret; but not if it has an upload in its name. */
static void
takes_the_sum_of_the_roster_that_others_were_shown(void **state)
{
	struct world *other = world_new(4, 5);
	struct canon m8;

	(void)state;
	other->site[3].leaves = LEAVES_BEFORE_READY;
	assert_int_equal(world_run(other), 0);
	m8 = world_owed(other, ROUND_RESULT, 0);
	for (enum coord_phase at = COORD_UPLOADS; at <= COORD_DONE; at++) {
		struct world *w = world_at(4, at);
		struct round_result *r = round_result_open(
		    &w->site[3].ctx, &w->about, m8.data, m8.len, &w->err);
		enum site_phase before = site_round_phase(w->site[0].round);
		struct canon saved = { 0 };

		assert_non_null(r);
		assert_int_equal(site_round_accept(w->site[0].round,
				     &w->site[0].ctx, r, NULL, NULL, &w->err),
		    -1);
		assert_int_equal(w->err.code, ERR_PEER);
		assert_non_null(strstr(w->err.msg, "not this site's"));
		assert_int_equal(site_round_phase(w->site[0].round), before);
		assert_int_equal(site_round_accept(w->site[3].round,
				     &w->site[3].ctx, r, NULL, NULL, &w->err),
		    0);
		assert_int_equal(site_round_phase(w->site[3].round), SITE_DONE);
		site_round_save(w->site[3].round, &saved);
		assert_int_equal(saved.data[saved.len - 1], 0); /* no secrets */
		canon_free(&saved);
		round_result_free(r);
		world_free(w);
	}
	canon_free(&m8);
	world_free(other);
}

/* One message too early, and one that it has: neither changes it. */
static void
the_coordinator_takes_each_message_in_its_phase(void **state)
{
	static const enum round_type types[] = { ROUND_READY, ROUND_SHARES,
		ROUND_UPLOAD, ROUND_CONFIRM, ROUND_UNMASK };
	struct world *all = world_at(4, COORD_DONE);

	(void)state;
	for (enum coord_phase at = COORD_SHARES; at <= COORD_DONE; at++) {
		struct world *w = world_at(4, at);
		struct canon before = { 0 }, after = { 0 };

		coord_round_save(w->coord, &before);
		for (size_t k = 0; k < nitems(types); k++) {
			enum coord_phase its =
			    COORD_READY + (enum coord_phase)k;
			int rv;

			if (its == at)
				continue;
			rv = world_add(w, 1, &all->site[1].sent[types[k]]);
			if (its < at && rv != 0)
				fail_msg("again: %s", w->err.msg);
			if (its > at) {
				assert_int_equal(rv, -1);
				assert_true(w->err.code == ERR_REFUSED ||
				    w->err.code == ERR_PEER);
			}
		}
		coord_round_save(w->coord, &after);
		assert_int_equal(before.len, after.len);
		assert_memory_equal(before.data, after.data, before.len);
		canon_free(&before);
		canon_free(&after);
		world_free(w);
	}
	world_free(all);
}

static void
the_coordinator_ends_each_phase_once(void **state)
{
	static int (*const ends[])(struct coord_round *,
	    const struct round_ctx *, struct err *) = { coord_round_roster,
		coord_round_shareset, coord_round_list,
		coord_round_certificate };

	(void)state;
	for (enum coord_phase at = COORD_SHARES; at <= COORD_UNMASKS; at++) {
		struct world *w = world_at(4, at);
		struct round_uploads uploads = world_uploaded(w);
		uint64_t sum[5];

		for (size_t k = 0; k < nitems(ends); k++) {
			if (COORD_READY + (enum coord_phase)k == at)
				continue;
			assert_int_equal(
			    ends[k](w->coord, &w->ctx, &w->err), -1);
			assert_int_equal(w->err.code, ERR_REFUSED);
			assert_non_null(strstr(w->err.msg, "the round is at"));
		}
		if (at != COORD_UNMASKS) {
			assert_int_equal(coord_round_finish(w->coord, &w->ctx,
					     &uploads, sum, &w->err),
			    -1);
			assert_int_equal(w->err.code, ERR_REFUSED);
		}
		world_free(w);
	}
}

static void
masks_no_vector_of_another_length(void **state)
{
	struct world *w = world_at(4, COORD_UPLOADS);
	struct world_site *s = &w->site[0];
	struct canon msg = world_owed(w, ROUND_SHARESET, 0), out = { 0 };
	uint64_t words[6] = { 1, 2, 3, 4, 5, 6 };
	uint16_t liar;

	(void)state;
	assert_int_equal(site_round_shareset(s->round, &s->ctx, msg.data,
			     msg.len, &liar, &out, &w->err),
	    0);
	assert_int_equal(
	    site_round_upload(s->round, &s->ctx, words, 6, &out, &w->err), -1);
	assert_int_equal(w->err.code, ERR_FORMAT);
	assert_int_equal(words[0], 1);
	assert_int_equal(
	    site_round_upload(s->round, &s->ctx, words, 5, &out, &w->err), 0);
	canon_free(&msg);
	canon_free(&out);
	world_free(w);
}

/* What a changed byte still makes a round of is that round: it is saved as the
   same bytes. */
static void
a_stored_round_is_what_it_says_or_nothing(void **state)
{
	struct canon again = { 0 };

	(void)state;
	for (enum coord_phase at = COORD_SHARES; at <= COORD_DONE; at++) {
		struct world *w = world_at(3, at);
		struct canon site = { 0 }, coord = { 0 };

		site_round_save(w->site[0].round, &site);
		coord_round_save(w->coord, &coord);
		for (size_t i = 0; i < site.len; i += i < 80 ? 1 : 17) {
			struct site_round *s;

			site.data[i] ^= 1u << i % 4;
			s = site_round_load(site.data, site.len, &w->err);
			if (s != NULL) {
				site_round_save(s, &again);
				assert_int_equal(again.len, site.len);
				assert_memory_equal(
				    again.data, site.data, site.len);
				canon_free(&again);
			} else {
				assert_int_equal(w->err.code, ERR_FORMAT);
			}
			site_round_free(s);
			site.data[i] ^= 1u << i % 4;
		}
		for (size_t i = 0; i < coord.len; i += i < 80 ? 1 : 41) {
			struct coord_round *c;

			coord.data[i] ^= 1u << i % 4;
			c = coord_round_load(coord.data, coord.len, &w->err);
			if (c != NULL) {
				coord_round_save(c, &again);
				assert_int_equal(again.len, coord.len);
				assert_memory_equal(
				    again.data, coord.data, coord.len);
				canon_free(&again);
			}
			coord_round_free(c);
			coord.data[i] ^= 1u << i % 4;
		}
		canon_free(&site);
		canon_free(&coord);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_only_from_its_own_state),
		cmocka_unit_test(refuses_a_roster_with_other_parameters),
		cmocka_unit_test(refuses_a_roster_with_other_members),
		cmocka_unit_test(answers_each_message_once),
		cmocka_unit_test(confirms_one_list_with_enough_sites),
		cmocka_unit_test(opens_shares_only_for_a_quorum),
		cmocka_unit_test(masks_one_vector_of_the_right_length),
		cmocka_unit_test(refuses_any_change_of_a_message),
		cmocka_unit_test(coordinator_refuses_any_change_of_a_message),
		cmocka_unit_test(names_who_opens_a_wrong_share_and_completes),
		cmocka_unit_test(coordinator_refuses_shares_that_are_not_due),
		cmocka_unit_test(
		    a_complaint_about_a_good_share_names_the_complainer),
		cmocka_unit_test(refuses_a_false_sum_and_takes_the_true_one),
		cmocka_unit_test(refuses_any_change_of_a_result),
		cmocka_unit_test(a_certified_round_is_not_aborted),
		cmocka_unit_test(gives_up_without_keeping_a_secret),
		cmocka_unit_test(refuses_damaged_stored_rounds),
		cmocka_unit_test(
		    the_coordinator_takes_each_message_in_its_phase),
		cmocka_unit_test(the_coordinator_ends_each_phase_once),
		cmocka_unit_test(masks_no_vector_of_another_length),
		cmocka_unit_test(a_stored_round_is_what_it_says_or_nothing),
		cmocka_unit_test(
		    takes_the_sum_of_the_roster_that_others_were_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

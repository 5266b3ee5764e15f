/*
 * Whom the coordinator waits for, and what it takes from whom: messages that are
 * valid but for one thing, signed by whoever should have signed them, and what
 * it has stored altered.
 */
#include "config.h"

#include "tests/check.h"

#include <stdlib.h>

#include "common/macros.h"
#include "crypto/group.h"
#include "crypto/round_msg.h"
#include "tests/crypto/world.h"

/* The coordinator refuses what a site sends (which is freed) and stays as it
   is. */
static void
refuses(struct world *w, size_t site, struct canon msg, enum err_code code,
    const char *word)
{
	struct canon before = { 0 }, after = { 0 };

	coord_round_save(w->coord, &before);
	assert_int_equal(world_add(w, site, &msg), -1);
	if (w->err.code != code || strstr(w->err.msg, word) == NULL)
		fail_msg("error %d: %s", w->err.code, w->err.msg);
	coord_round_save(w->coord, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	canon_free(&msg);
	canon_free(&before);
	canon_free(&after);
}

static const struct round_ctx *
as(struct world *w, size_t site, struct round_ctx *ctx)
{
	*ctx = w->ctx;
	ctx->self = w->members[site].id;
	ctx->secret = w->site[site].sk;
	return ctx;
}

/* A round that waits for all of four sites. */
static struct world *
announced(void)
{
	struct world *w = world_new(4, 5);

	w->ctx.secret = w->sk;
	w->coord = coord_round_start(&w->ctx, &w->about, &w->err);
	assert_non_null(w->coord);
	return w;
}

static struct canon
ready_of(struct world *w, size_t site)
{
	struct canon msg = world_owed(w, ROUND_ANNOUNCE, site), out = { 0 };

	assert_int_equal(world_answer(w, site, ROUND_ANNOUNCE, &msg, &out), 0);
	canon_free(&msg);
	return out;
}

static struct canon
copy(const struct canon *c)
{
	struct canon out = { 0 };

	canon_raw(&out, c->data, c->len);
	return out;
}

static void
takes_ready_from_the_active_of_the_fixed_set(void **state)
{
	static const uint16_t cohort[] = { 10, 20, 30 };
	struct world *w = announced();
	struct canon first = ready_of(w, 1), last = ready_of(w, 3);
	struct round_ctx ctx;
	struct msg_ready twin;

	(void)state;
	assert_null(coord_round_params(w->coord));
	assert_null(coord_round_roster_hash(w->coord));
	assert_int_equal(
	    coord_round_owed(w->coord, &w->ctx, 20), ROUND_ANNOUNCE);
	assert_int_equal(coord_round_owed(w->coord, &w->ctx, 21), ROUND_NONE);
	w->members[3].active = false;
	assert_int_equal(coord_round_owed(w->coord, &w->ctx, 40), ROUND_NONE);
	refuses(w, 3, copy(&last), ERR_REFUSED, "site 40 is revoked");
	w->members[3].active = true;
	w->ctx.rules.cohort = ROUND_FIXED;
	w->ctx.cohort = cohort;
	w->ctx.n_cohort = nitems(cohort);
	assert_int_equal(coord_round_owed(w->coord, &w->ctx, 40), ROUND_NONE);
	assert_int_equal(coord_round_tally(w->coord, &w->ctx).most, 3);
	refuses(w, 3, last, ERR_REFUSED, "not of the study's fixed set");
	w->ctx.rules.cohort = ROUND_OPEN;
	assert_int_equal(coord_round_tally(w->coord, &w->ctx).most, 4);
	assert_int_equal(world_add(w, 1, &first), 0);
	assert_int_equal(coord_round_owed(w->coord, &w->ctx, 20), ROUND_NONE);
	/* Two that share a prekey's key. */
	{
		struct canon own = ready_of(w, 0), forged = { 0 };

		assert_int_equal(
		    msg_get_ready(&w->ctx, own.data, own.len, &twin, &w->err),
		    0);
		memcpy(twin.prekey.pk, w->site[1].prekey.pk, ROUND_KEY);
		world_sign_prekey(w, 0, &twin.prekey);
		assert_int_equal(
		    msg_put_ready(as(w, 0, &ctx), &twin, &forged, &w->err), 0);
		refuses(w, 0, forged, ERR_PEER, "the prekey of site 20");
		/* A lower id comes before. */
		assert_int_equal(world_add(w, 0, &own), 0);
		canon_free(&own);
	}
	assert_int_equal(coord_round_tally(w->coord, &w->ctx).have, 2);
	canon_free(&first);
	world_free(w);
}

static void
takes_one_dealing_of_each_site_that_fits_itself(void **state)
{
	struct world *w = world_at(4, COORD_SHARES);
	struct canon roster = world_owed(w, ROUND_ROSTER, 0), m1 = { 0 },
		     other = { 0 }, header = { 0 }, saved = { 0 };
	struct round_ctx ctx;
	struct msg_shares s;
	uint8_t *points;
	struct roster r;
	size_t half;

	(void)state;
	world_roster(w, &r);
	half = r.p.threshold * (size_t)ROUND_KEY;
	site_round_save(w->site[0].round, &saved);
	assert_int_equal(world_answer(w, 0, ROUND_ROSTER, &roster, &m1), 0);
	/* A dealer that signs commitments which cannot be: to another key, to
	   another seed, no points. */
	assert_int_equal(msg_read_shares(&r, m1.data, m1.len, &s, &w->err), 0);
	points = malloc(2 * half);
	for (size_t k = 0; k < 4; k++) {
		struct dealing d = s.dealing;
		struct msg_points p = { points, points + half };

		memcpy(points, s.points.f, half);
		memcpy(points + half, s.points.g, half);
		memset(points +
			(size_t[]){ 0, half, ROUND_KEY, half + ROUND_KEY }[k],
		    0xff, ROUND_KEY);
		msg_commitments(&p, r.p.threshold, d.commitments);
		assert_int_equal(
		    msg_put_dealing(as(w, 0, &ctx), &d, &header, &w->err), 0);
		msg_put_shares(header.data, header.len, r.p.threshold, r.p.n,
		    &p, s.sealed, &other);
		refuses(w, 0, other, ERR_PEER,
		    "the commitments of site 10 are not valid");
		other = (struct canon){ 0 };
		canon_free(&header);
	}
	assert_int_equal(world_add(w, 0, &m1), 0);
	assert_true(coord_round_has(w->coord, 10));
	/* Dealt a second time, which a site never does. */
	site_round_free(w->site[0].round);
	w->site[0].round = site_round_load(saved.data, saved.len, &w->err);
	assert_int_equal(site_round_roster(w->site[0].round, as(w, 0, &ctx),
			     roster.data, roster.len, w->site[0].prekey_secret,
			     WORLD_NOW, &other, &w->err),
	    0);
	refuses(w, 0, other, ERR_PEER, "site 10 has sent another one");
	free(points);
	canon_free(&roster);
	canon_free(&m1);
	canon_free(&saved);
	world_free(w);
}

static struct canon
upload_of(struct world *w, size_t site, const struct msg_upload *u)
{
	struct canon out = { 0 };
	struct round_ctx ctx;

	assert_int_equal(
	    msg_put_upload(as(w, site, &ctx), u, &out, &w->err), 0);
	return out;
}

/* Of five sites one was never there and one has dealt nothing. */
static void
takes_uploads_from_those_who_have_dealt(void **state)
{
	struct world *w = world_new(6, 5);
	struct canon set, true_one = { 0 };
	struct msg_upload u, forged;
	uint16_t from;

	(void)state;
	w->site[4].leaves = LEAVES_BEFORE_READY;
	w->site[3].leaves = LEAVES_BEFORE_SHARES;
	w->ctx.rules.u_frac_ppm = 500000;
	assert_int_equal(world_ready(w), 0);
	assert_int_equal(world_shares(w), 0);
	set = world_owed(w, ROUND_SHARESET, 0);
	assert_int_equal(
	    world_answer(w, 0, ROUND_SHARESET, &set, &true_one), 0);
	assert_int_equal(
	    msg_read_upload(true_one.data, true_one.len, &u, &w->err), 0);
	for (size_t site = 3; site < 5; site++) {
		forged = u;
		forged.site = w->members[site].id;
		assert_int_equal(
		    coord_round_owed(w->coord, &w->ctx, forged.site),
		    ROUND_NONE);
		refuses(w, site, upload_of(w, site, &forged), ERR_PEER,
		    "is not of this round");
	}
	forged = u;
	forged.u2[0] ^= 1;
	refuses(
	    w, 0, upload_of(w, 0, &forged), ERR_PEER, "is not of this round");
	/* Less than was signed, or other words. */
	assert_int_equal(
	    coord_round_add_upload(w->coord, &w->ctx, true_one.data,
		true_one.len, w->site[0].y, 4, &from, &w->err),
	    -1);
	assert_non_null(strstr(w->err.msg, "not what it signed"));
	w->site[0].y[0]++;
	assert_int_equal(world_add(w, 0, &true_one), -1);
	assert_non_null(strstr(w->err.msg, "not what it signed"));
	w->site[0].y[0]--;
	assert_int_equal(world_add(w, 0, &true_one), 0);
	forged = u;
	forged.root[0] ^= 1;
	refuses(w, 0, upload_of(w, 0, &forged), ERR_PEER,
	    "site 10 has sent another one");
	canon_free(&set);
	canon_free(&true_one);
	world_free(w);
}

/* One site uploads nothing, one does not confirm in time. */
static void
takes_confirms_and_shares_of_its_list_while_they_count(void **state)
{
	struct world *w = world_new(6, 5);
	struct canon list, certificate, late = { 0 }, unmask = { 0 },
					forged = { 0 };
	const uint8_t *sig;
	struct msg_confirm f;
	struct round_ctx ctx;

	(void)state;
	w->ctx.rules.u_frac_ppm = 500000;
	w->site[5].leaves = LEAVES_BEFORE_UPLOAD;
	w->site[4].leaves = LEAVES_BEFORE_CONFIRM;
	assert_int_equal(world_ready(w), 0);
	assert_int_equal(world_shares(w), 0);
	assert_int_equal(world_uploads(w), 0);
	list = world_owed(w, ROUND_LIST, 0);
	assert_int_equal(world_answer(w, 4, ROUND_LIST, &list, &late), 0);
	assert_int_equal(
	    msg_get_confirm(&w->ctx, late.data, late.len, &f, &sig, &w->err),
	    0);
	f.site = 60;
	assert_int_equal(
	    msg_put_confirm(as(w, 5, &ctx), &f, &forged, &w->err), 0);
	refuses(w, 5, forged, ERR_PEER, "is not of this list");
	assert_int_equal(world_confirms(w), 0);
	assert_int_equal(coord_round_owed(w->coord, &w->ctx, 50), ROUND_LIST);
	assert_int_equal(coord_round_owed(w->coord, &w->ctx, 60), ROUND_NONE);
	certificate = world_owed(w, ROUND_CERTIFICATE, 0);
	assert_int_equal(
	    world_answer(w, 4, ROUND_CERTIFICATE, &certificate, &unmask), 0);
	assert_int_equal(world_unmasks(w), 0);
	assert_int_equal(world_result(w), 0);
	refuses(w, 4, late, ERR_REFUSED, "confirm: too late");
	refuses(w, 4, unmask, ERR_REFUSED, "unmask: too late");
	assert_int_equal(coord_round_owed(w->coord, &w->ctx, 60), ROUND_RESULT);
	canon_free(&list);
	canon_free(&certificate);
	world_free(w);
}

/* The first commitment of a dealing to its seed, as it was stored.  (Before it
   stands the signed header, which has it too.) */
static uint8_t *
stored_commitment(struct canon *saved, const struct msg_shares *s)
{
	uint8_t *header =
	    memmem(saved->data, saved->len, s->header, s->header_len);

	assert_non_null(header);
	return header + (s->points.g - s->header);
}

/* What it has stored was altered: it says so, and sums nothing. */
static void
an_altered_store_gives_no_sum(void **state)
{
	struct world *w = world_at(4, COORD_DONE);
	const struct canon *m1 = &w->site[2].sent[ROUND_SHARES];
	const struct canon *m7 = &w->site[0].sent[ROUND_UNMASK];
	struct round_uploads uploads = world_uploaded(w);
	struct canon saved = { 0 };
	struct coord_round *c;
	uint8_t one[ROUND_KEY], *at;
	struct msg_shares s;
	struct roster r;
	uint64_t sum[5];

	(void)state;
	w->ctx.secret = w->sk;
	world_roster(w, &r);
	assert_int_equal(
	    msg_read_shares(&r, m1->data, m1->len, &s, &w->err), 0);
	coord_round_save(w->coord, &saved);
	at = stored_commitment(&saved, &s);
	/* Another point than what the secret is of. */
	group_scalar_u16(1, one);
	assert_true(group_base(one, at));
	c = coord_round_load(saved.data, saved.len, &w->err);
	assert_non_null(c);
	assert_int_equal(
	    coord_round_finish(c, &w->ctx, &uploads, sum, &w->err), -1);
	assert_string_equal(
	    w->err.msg, "the shares do not give the secret of site 30");
	coord_round_free(c);
	memcpy(at, s.points.g, ROUND_KEY);
	/* A share that its site did not open. */
	at = memmem(saved.data, saved.len, m7->data, m7->len);
	assert_non_null(at);
	at[m7->len - ROUND_SIGNATURE - 1] ^= 1;
	c = coord_round_load(saved.data, saved.len, &w->err);
	assert_non_null(c);
	assert_int_equal(
	    coord_round_finish(c, &w->ctx, &uploads, sum, &w->err), -1);
	assert_non_null(strstr(w->err.msg, "signature"));
	assert_int_equal(coord_round_phase(c), COORD_UNMASKS);
	coord_round_free(c);
	canon_free(&saved);
	world_free(w);
}

static void
an_altered_store_opens_no_share(void **state)
{
	struct world *w = world_at(4, COORD_UNMASKS);
	struct canon cert = world_owed(w, ROUND_CERTIFICATE, 0), m7 = { 0 },
		     saved = { 0 };
	const struct canon *m1 = &w->site[2].sent[ROUND_SHARES];
	struct msg_shares s;
	struct roster r;
	uint8_t *at;

	(void)state;
	world_roster(w, &r);
	assert_int_equal(world_answer(w, 0, ROUND_CERTIFICATE, &cert, &m7), 0);
	assert_int_equal(
	    msg_read_shares(&r, m1->data, m1->len, &s, &w->err), 0);
	coord_round_save(w->coord, &saved);
	memset(stored_commitment(&saved, &s), 0xff, ROUND_KEY);
	coord_round_free(w->coord);
	w->coord = coord_round_load(saved.data, saved.len, &w->err);
	assert_non_null(w->coord);
	refuses(w, 0, m7, ERR_SYSTEM, "a commitment is no point");
	/* Nor is a roster with a prekey that is none of one loaded. */
	at = memmem(saved.data, saved.len, r.site[1].prekey.pk, ROUND_KEY);
	while (at != NULL) {
		memset(at, 0xff, ROUND_KEY);
		at = memmem(
		    saved.data, saved.len, r.site[1].prekey.pk, ROUND_KEY);
	}
	assert_null(coord_round_load(saved.data, saved.len, &w->err));
	assert_int_equal(w->err.code, ERR_FORMAT);
	canon_free(&cert);
	canon_free(&saved);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_ready_from_the_active_of_the_fixed_set),
		cmocka_unit_test(
		    takes_one_dealing_of_each_site_that_fits_itself),
		cmocka_unit_test(takes_uploads_from_those_who_have_dealt),
		cmocka_unit_test(
		    takes_confirms_and_shares_of_its_list_while_they_count),
		cmocka_unit_test(an_altered_store_gives_no_sum),
		cmocka_unit_test(an_altered_store_opens_no_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/check.h"
#include "tests/crypto/world.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/noise.h"
#include "crypto/prg.h"
#include "tests/crypto/random_fixed.h"

uint64_t
world_value(uint16_t id, size_t k)
{
	uint64_t x = (uint64_t)id * 0x9e3779b97f4a7c15u +
	    (uint64_t)k * 0xbf58476d1ce4e5b9u;

	return x ^ x >> 29;
}

static void
key_pair(const char *who, uint8_t pk[ROUND_KEY], uint8_t sk[ROUND_SECRET_KEY])
{
	uint8_t seed[HASH_LEN];

	hash_sha256(who, strlen(who), seed);
	crypto_sign_seed_keypair(pk, sk, seed);
}

struct world *
world_new(size_t n, size_t words)
{
	struct world *w = calloc(1, sizeof(*w));
	char who[32];

	assert_non_null(w);
	assert_int_not_equal(sodium_init(), -1);
	assert_int_equal(prg_selftest(&w->err), 0);
	w->n = n;
	key_pair("coordinator", w->ctx.coordinator, w->sk);
	hash_sha256("consortium", 10, w->ctx.consortium);
	hash_sha256("study", 5, w->ctx.study);
	w->ctx.epoch = 7;
	w->ctx.rules = (struct round_rules){ .corrupted = 1,
		.honest_min = 2,
		.u_frac_ppm = 750000,
		.suite = ROUND_AES256CTR,
		.bits = 64,
		.verify = ROUND_REPLAY,
		.cohort = ROUND_OPEN };
	w->ctx.members = w->members;
	w->ctx.n_members = n;
	w->about = (struct round_about){
		.round = 1, .step = 0, .kind = "counts", .words = words
	};
	round_state_first(w->ctx.study, w->about.state);
	w->sum = calloc(words, sizeof(*w->sum));
	for (size_t i = 0; i < n; i++) {
		struct world_site *s = &w->site[i];

		w->members[i] = (struct round_member){
			.id = (uint16_t)(10 * (i + 1)),
			.active = true,
			.in_study = true,
		};
		snprintf(who, sizeof(who), "site %u", 10 * ((unsigned)i + 1));
		key_pair(who, w->members[i].pk, s->sk);
		s->leaves = LEAVES_NEVER;
		s->z = calloc(words, sizeof(*s->z));
		s->y = calloc(words, sizeof(*s->y));
		for (size_t k = 0; k < words; k++)
			s->z[k] = world_value(w->members[i].id, k);
	}
	return w;
}

void
world_narrow(struct world *w)
{
	w->ctx.rules.bits = 32;
	for (size_t i = 0; i < w->n; i++) {
		uint32_t *z = (uint32_t *)w->site[i].z;

		for (size_t k = 0; k < w->about.words; k++)
			z[k] = (uint32_t)w->site[i].z[k];
	}
}

void
world_noise(struct world *w, uint64_t variance, uint64_t honest)
{
	char seed[32];

	for (size_t i = 0; i < w->n; i++) {
		uint64_t *z = w->site[i].z;

		snprintf(seed, sizeof(seed), "noise %u", w->members[i].id);
		random_fixed_seed(seed);
		for (size_t k = 0; k < w->about.words; k++) {
			int64_t parts = (int64_t)(z[k] >> 34) - (1 << 29);

			parts = noise_round(parts, 8);
			z[k] =
			    (uint64_t)(parts + noise_gauss(variance, honest));
		}
	}
}

static void
forget_round(struct world *w)
{
	coord_round_free(w->coord);
	w->coord = NULL;
	for (size_t i = 0; i < w->n; i++) {
		site_round_free(w->site[i].round);
		w->site[i].round = NULL;
		for (size_t t = 0; t < ROUND_TYPES; t++) {
			canon_free(&w->site[i].sent[t]);
			canon_free(&w->site[i].got[t]);
		}
	}
}

void
world_free(struct world *w)
{
	forget_round(w);
	for (size_t i = 0; i < w->n; i++) {
		free(w->site[i].z);
		free(w->site[i].y);
	}
	free(w->sum);
	free(w);
}

/* The site's view of the present rules. */
static const struct round_ctx *
site_ctx(struct world *w, size_t i)
{
	struct world_site *s = &w->site[i];

	s->ctx = w->ctx;
	s->ctx.self = w->members[i].id;
	s->ctx.secret = s->sk;
	return &s->ctx;
}

static const struct round_ctx *
coord_ctx(struct world *w)
{
	w->ctx.secret = w->sk;
	return &w->ctx;
}

/* Stop and start again from what was stored. */
static void
restart_site(struct world *w, size_t i)
{
	struct world_site *s = &w->site[i];
	struct canon saved = { 0 }, again = { 0 };

	if (s->round == NULL)
		return;
	site_round_save(s->round, &saved);
	site_round_free(s->round);
	s->round = site_round_load(saved.data, saved.len, &w->err);
	assert_non_null(s->round);
	site_round_save(s->round, &again);
	assert_int_equal(saved.len, again.len);
	assert_memory_equal(saved.data, again.data, saved.len);
	canon_free(&saved);
	canon_free(&again);
}

static void
restart_coord(struct world *w)
{
	struct canon saved = { 0 }, again = { 0 };

	coord_round_save(w->coord, &saved);
	coord_round_free(w->coord);
	w->coord = coord_round_load(saved.data, saved.len, &w->err);
	if (w->coord == NULL)
		print_message("load: %s\n", w->err.msg);
	assert_non_null(w->coord);
	coord_round_save(w->coord, &again);
	assert_int_equal(saved.len, again.len);
	assert_memory_equal(saved.data, again.data, saved.len);
	canon_free(&saved);
	canon_free(&again);
}

static int
answer_announce(
    struct world *w, size_t i, const struct canon *msg, struct canon *out)
{
	struct world_site *s = &w->site[i];
	const struct round_ctx *ctx = site_ctx(w, i);
	char seed[64];

	snprintf(seed, sizeof(seed), "prekey %u round %u",
	    (unsigned)w->members[i].id, (unsigned)w->about.round);
	random_fixed_seed(seed);
	if (prekey_make(ctx, (uint32_t)w->about.round, WORLD_EXPIRY, &s->prekey,
		s->prekey_secret, &w->err) != 0)
		return -1;
	s->round = site_round_start(ctx, &w->about, s->last_round, &s->prekey,
	    msg->data, msg->len, out, &w->err);
	if (s->round == NULL)
		return -1;
	s->last_round = site_round_about(s->round)->round;
	return 0;
}

int
world_answer(struct world *w, size_t i, enum round_type type,
    const struct canon *msg, struct canon *out)
{
	struct world_site *s = &w->site[i];
	const struct round_ctx *ctx = site_ctx(w, i);
	char seed[64];
	uint16_t liar;
	int r;

	switch (type) {
	case ROUND_ANNOUNCE:
		return answer_announce(w, i, msg, out);
	case ROUND_ROSTER:
		snprintf(seed, sizeof(seed), "shares %u round %u",
		    (unsigned)w->members[i].id, (unsigned)w->about.round);
		random_fixed_seed(seed);
		return site_round_roster(s->round, ctx, msg->data, msg->len,
		    s->prekey_secret, WORLD_NOW, out, &w->err);
	case ROUND_SHARESET:
		r = site_round_shareset(
		    s->round, ctx, msg->data, msg->len, &liar, out, &w->err);
		if (r != 0 || out->len != 0)
			return r;
		restart_site(w, i);
		memcpy(s->y, s->z, w->about.words * sizeof(*s->y));
		return site_round_upload(
		    s->round, ctx, s->y, w->about.words, out, &w->err);
	case ROUND_LIST:
		return site_round_list(
		    s->round, ctx, msg->data, msg->len, out, &w->err);
	case ROUND_CERTIFICATE:
		return site_round_certificate(
		    s->round, ctx, msg->data, msg->len, out, &w->err);
	default:
		return err_set(&w->err, ERR_FORMAT, "no answer to a %s",
		    round_type_name(type));
	}
}

int
world_add(struct world *w, size_t i, const struct canon *msg)
{
	const struct round_ctx *ctx = coord_ctx(w);
	struct coord_round *c = w->coord;
	uint16_t from = 0, liar;
	int r;

	switch (round_message_type(msg->data, msg->len)) {
	case ROUND_READY:
		r = coord_round_add_ready(
		    c, ctx, msg->data, msg->len, WORLD_NOW, &from, &w->err);
		break;
	case ROUND_SHARES:
		r = coord_round_add_shares(
		    c, ctx, msg->data, msg->len, &from, &w->err);
		break;
	case ROUND_COMPLAINT:
		r = coord_round_add_complaint(
		    c, ctx, msg->data, msg->len, &from, &liar, &w->err);
		break;
	case ROUND_UPLOAD:
		r = coord_round_add_upload(c, ctx, msg->data, msg->len,
		    w->site[i].y, w->about.words, &from, &w->err);
		break;
	case ROUND_CONFIRM:
		r = coord_round_add_confirm(
		    c, ctx, msg->data, msg->len, &from, &w->err);
		break;
	case ROUND_UNMASK:
		r = coord_round_add_unmask(
		    c, ctx, msg->data, msg->len, &from, &w->err);
		break;
	default:
		return err_set(&w->err, ERR_FORMAT, "not a site's message");
	}
	if (r == 0)
		assert_int_equal(from, w->members[i].id);
	return r;
}

/* One message there, one back, for all who are still there. */
static int
exchange(struct world *w, enum round_type type, enum leaves until)
{
	for (size_t i = 0; i < w->n; i++) {
		struct world_site *s = &w->site[i];
		enum round_type back;
		struct canon *msg = &s->got[type];
		struct canon answer = { 0 };

		bool last = w->lost && s->leaves == until;

		if ((s->leaves <= until && !last) ||
		    coord_round_owed(
			w->coord, coord_ctx(w), w->members[i].id) != type)
			continue;
		canon_free(msg);
		if (coord_round_message(w->coord, coord_ctx(w), type,
			w->members[i].id, msg, &w->err) != 0)
			return -1;
		if (w->tamper != NULL)
			w->tamper(w, i, type, msg);
		/* As the gate does: the same question, the same answer. */
		if ((s->round == NULL ||
			!site_round_again(
			    s->round, msg->data, msg->len, &answer)) &&
		    world_answer(w, i, type, msg, &answer) != 0)
			return -1;
		restart_site(w, i);
		back = round_message_type(answer.data, answer.len);
		canon_free(&s->sent[back]);
		s->sent[back] = answer;
		if (last)
			continue;
		if (w->tamper != NULL)
			w->tamper(w, i, back, &s->sent[back]);
		if (world_add(w, i, &s->sent[back]) != 0)
			return -1;
		restart_coord(w);
	}
	return 0;
}

int
world_ready(struct world *w)
{
	forget_round(w);
	w->coord = coord_round_start(coord_ctx(w), &w->about, &w->err);
	if (w->coord == NULL ||
	    exchange(w, ROUND_ANNOUNCE, LEAVES_BEFORE_READY) != 0)
		return -1;
	return coord_round_roster(w->coord, coord_ctx(w), &w->err);
}

int
world_shares(struct world *w)
{
	if (exchange(w, ROUND_ROSTER, LEAVES_BEFORE_SHARES) != 0)
		return -1;
	return coord_round_shareset(w->coord, coord_ctx(w), &w->err);
}

int
world_uploads(struct world *w)
{
	if (exchange(w, ROUND_SHARESET, LEAVES_BEFORE_UPLOAD) != 0)
		return -1;
	return coord_round_list(w->coord, coord_ctx(w), &w->err);
}

int
world_confirms(struct world *w)
{
	if (exchange(w, ROUND_LIST, LEAVES_BEFORE_CONFIRM) != 0)
		return -1;
	return coord_round_certificate(w->coord, coord_ctx(w), &w->err);
}

int
world_unmasks(struct world *w)
{
	return exchange(w, ROUND_CERTIFICATE, LEAVES_BEFORE_UNMASK);
}

static int
get_upload(void *arg, uint16_t site, const void **words, struct err *err)
{
	struct world *w = arg;

	(void)err;
	*words = w->site[site / 10 - 1].y;
	return 0;
}

struct round_uploads
world_uploaded(struct world *w)
{
	return (struct round_uploads){ .get = get_upload, .arg = w };
}

static int
accept_result(struct world *w, size_t i, const struct canon *msg)
{
	const struct round_ctx *ctx = site_ctx(w, i);
	struct round_uploads uploads = world_uploaded(w);
	struct world_site *s = &w->site[i];
	struct round_result *r =
	    round_result_open(ctx, &w->about, msg->data, msg->len, &w->err);
	uint64_t *sum = calloc(w->about.words, sizeof(*sum));
	int ret = -1;

	assert_non_null(sum);
	if (r != NULL)
		ret =
		    site_round_accept(s->round, ctx, r, &uploads, sum, &w->err);
	if (ret == 0)
		assert_memory_equal(sum, w->sum, w->about.words * sizeof(*sum));
	round_result_free(r);
	free(sum);
	return ret;
}

int
world_result(struct world *w)
{
	struct round_uploads uploads = world_uploaded(w);

	if (coord_round_finish(
		w->coord, coord_ctx(w), &uploads, w->sum, &w->err) != 0)
		return -1;
	restart_coord(w);
	for (size_t i = 0; i < w->n; i++) {
		struct canon *msg = &w->site[i].got[ROUND_RESULT];

		if (coord_round_message(w->coord, coord_ctx(w), ROUND_RESULT,
			w->members[i].id, msg, &w->err) != 0)
			return -1;
		if (w->tamper != NULL)
			w->tamper(w, i, ROUND_RESULT, msg);
		if (accept_result(w, i, msg) != 0)
			return -1;
		restart_site(w, i);
	}
	return 0;
}

int
world_run(struct world *w)
{
	if (world_ready(w) != 0 || world_shares(w) != 0 ||
	    world_uploads(w) != 0 || world_confirms(w) != 0 ||
	    world_unmasks(w) != 0)
		return -1;
	return world_result(w);
}

void
world_check_sum(struct world *w)
{
	for (size_t k = 0; k < w->about.words; k++) {
		uint64_t want = 0;

		for (size_t i = 0; i < w->n; i++)
			if (w->site[i].leaves > LEAVES_BEFORE_UPLOAD)
				want += w->site[i].z[k];
		assert_true(w->sum[k] == want);
	}
}

struct world *
world_at(size_t n, enum coord_phase phase)
{
	struct world *w = world_new(n, 5);

	if (phase > COORD_READY)
		assert_int_equal(world_ready(w), 0);
	if (phase > COORD_SHARES)
		assert_int_equal(world_shares(w), 0);
	if (phase > COORD_UPLOADS)
		assert_int_equal(world_uploads(w), 0);
	if (phase > COORD_CONFIRMS)
		assert_int_equal(world_confirms(w), 0);
	if (phase > COORD_UNMASKS)
		assert_int_equal(world_unmasks(w), 0);
	return w;
}

struct canon
world_owed(struct world *w, enum round_type type, size_t site)
{
	struct canon msg = { 0 };

	if (coord_round_message(w->coord, coord_ctx(w), type,
		w->members[site].id, &msg, &w->err) != 0)
		fail_msg("%s", w->err.msg);
	return msg;
}

void
world_roster(struct world *w, struct roster *r)
{
	struct canon msg = world_owed(w, ROUND_ROSTER, 0);

	assert_int_equal(roster_read(msg.data, msg.len, r, &w->err), 0);
	canon_free(&msg);
}

void
world_sign_prekey(struct world *w, size_t site, struct prekey *p)
{
	struct canon c = { 0 };

	canon_raw(&c, w->ctx.consortium, ROUND_DIGEST);
	canon_u32(&c, w->ctx.epoch);
	canon_u16(&c, w->members[site].id);
	canon_u32(&c, p->id);
	canon_raw(&c, p->pk, ROUND_KEY);
	canon_u64(&c, (uint64_t)p->expiry);
	assert_int_equal(msg_signature(w->site[site].sk, "prekey", c.data,
			     c.len, p->sig, &w->err),
	    0);
	canon_free(&c);
}

/* Whole rounds, byte for byte those of tests/reference/oracle.py. */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/hex.h"
#include "crypto/hash.h"
#include "crypto/round_behind.h"
#include "crypto/round_msg.h"
#include "crypto/round_vouch.h"
#include "tests/crypto/random_fixed.h"
#include "tests/crypto/world.h"

static enum round_type
type_of(const char *name)
{
	for (int t = ROUND_ANNOUNCE; t < ROUND_TYPES; t++)
		if (strcmp(name, round_type_name((enum round_type)t)) == 0)
			return (enum round_type)t;
	fail_msg("no message \"%s\"", name);
	return ROUND_NONE;
}

/* data as text is what the transcript has. */
static void
assert_is(const char *what, unsigned site, const uint8_t *data, size_t len,
    const char *text)
{
	uint8_t digest[HASH_LEN];
	char *hex;

	if (strncmp(text, "sha256:", 7) == 0) {
		hash_sha256(data, len, digest);
		data = digest;
		len = sizeof(digest);
		text += 7;
	}
	hex = malloc(2 * len + 1);
	assert_non_null(hex);
	hex_text(data, len, hex);
	if (strcmp(hex, text) != 0)
		fail_msg("%s of %u differs from the oracle's", what, site);
	free(hex);
}

/* The message of that type that went from or to a site (0: to any). */
static const struct canon *
message(const struct world *w, enum round_type type, unsigned site)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct world_site *s = &w->site[i];

		if (site != 0 && site != w->members[i].id)
			continue;
		if (s->sent[type].len != 0)
			return &s->sent[type];
		if (s->got[type].len != 0)
			return &s->got[type];
	}
	fail_msg("no %s of site %u", round_type_name(type), site);
	return NULL;
}

static void
check_state(const struct world *w, const char *text)
{
	uint8_t root[ROUND_DIGEST], state[ROUND_DIGEST];

	round_words_root(w->ctx.rules.bits, w->sum, w->about.words, root);
	round_state_next(w->ctx.study, w->about.step + 1, "moments",
	    w->about.state, root, "model", 5, state);
	assert_is("state", 0, state, sizeof(state), text);
}

static void
compare(const struct world *w, const char *name, size_t n_lines)
{
	char path[512], what[32], *line = NULL, *text;
	const struct canon *msg;
	size_t cap = 0, n = 0;
	unsigned site;
	FILE *f;
	int at;

	snprintf(path, sizeof(path), "%s/tests/vectors/round/%s",
	    getenv("top_srcdir"), name);
	if ((f = fopen(path, "r")) == NULL)
		fail_msg("%s is missing", path);
	while (getline(&line, &cap, f) > 0) {
		if (line[0] == '#')
			continue;
		assert_int_equal(
		    sscanf(line, "%31s %u %n", what, &site, &at), 2);
		text = line + at;
		text[strcspn(text, "\n")] = '\0';
		n++;
		if (strcmp(what, "state") == 0) {
			check_state(w, text);
			continue;
		}
		msg = message(w, type_of(what), site);
		assert_is(what, site, msg->data, msg->len, text);
	}
	assert_int_equal(n, n_lines);
	free(line);
	fclose(f);
}

/* Its share set is sent, whether it is there or not. */
static void
give_shareset(struct world *w, unsigned id)
{
	assert_int_equal(
	    coord_round_message(w->coord, &w->ctx, ROUND_SHARESET, (uint16_t)id,
		&w->site[id / 10 - 1].got[ROUND_SHARESET], &w->err),
	    0);
}

/* All that have confirmed sign the sum; the first c + 1 vouch for it. */
static void
vouch(struct world *w, unsigned late)
{
	struct round_vouched *v = calloc(1, sizeof(*v));
	struct world_site *to = &w->site[late / 10 - 1];
	struct canon *out = &to->got[ROUND_VOUCHED], m8 = { 0 };
	struct round_checked c, again;
	struct round_result *result;
	const uint8_t *sig;

	assert_non_null(v);
	memcpy(c.roster, coord_round_roster_hash(w->coord), ROUND_DIGEST);
	round_words_root(w->ctx.rules.bits, w->sum, w->about.words, c.sum);
	round_state_next(w->ctx.study, w->about.step + 1, "moments",
	    w->about.state, c.sum, "model", 5, c.state);
	for (size_t i = 0; i < w->n; i++) {
		struct world_site *s = &w->site[i];
		struct canon *msg = &s->sent[ROUND_CHECKED];
		struct round_ctx ctx = w->ctx;

		if (s->sent[ROUND_CONFIRM].len == 0 || w->members[i].id == late)
			continue;
		ctx.secret = s->sk;
		c.site = w->members[i].id;
		assert_int_equal(round_checked_put(&ctx, &c, msg, &w->err), 0);
		assert_int_equal(round_checked_open(&w->ctx, msg->data,
				     msg->len, &again, &sig, &w->err),
		    0);
		assert_memory_equal(&c, &again, sizeof(c));
		if (v->n > w->ctx.rules.corrupted)
			continue;
		v->by[v->n].site = c.site;
		memcpy(v->by[v->n++].sig, sig, ROUND_SIGNATURE);
	}
	assert_int_equal(coord_round_message(
			     w->coord, &w->ctx, ROUND_RESULT, 0, &m8, &w->err),
	    0);
	v->result = m8.data;
	v->result_len = m8.len;
	memcpy(v->state, c.state, ROUND_DIGEST);
	assert_int_equal(round_vouched_put(&w->ctx, v, out, &w->err), 0);
	/* The late site takes it; with one less it does not. */
	to->ctx = w->ctx;
	to->ctx.self = (uint16_t)late;
	assert_int_equal(
	    round_vouched_open(&to->ctx, out->data, out->len, v, &w->err), 0);
	result = round_result_open(
	    &to->ctx, &w->about, v->result, v->result_len, &w->err);
	assert_non_null(result);
	assert_int_equal(round_vouched_check(v, &to->ctx, result, &w->err), 0);
	v->n--;
	assert_int_equal(round_vouched_check(v, &to->ctx, result, &w->err), -1);
	round_result_free(result);
	canon_free(&m8);
	free(v);
}

/* What each has of the round goes to a coordinator that asks for it: of the first
   three sites with another wish each. */
static void
hand_back(struct world *w)
{
	struct round_behind b = { .step = w->about.step,
		.round = w->about.round },
			    again;
	int wish = 0;

	memcpy(b.state, w->about.state, ROUND_DIGEST);
	for (size_t i = 0; i < w->n; i++) {
		struct world_site *s = &w->site[i];
		struct canon *msg = &s->got[ROUND_BEHIND];

		if (s->round == NULL)
			continue;
		site_round_put_kept(s->round, s->sent[ROUND_UPLOAD].data,
		    s->sent[ROUND_UPLOAD].len, &s->sent[ROUND_KEPT]);
		if (wish == ROUND_WISHES)
			continue;
		b.wish = (enum round_wish)wish++;
		assert_int_equal(
		    round_behind_put(&w->ctx, &b, msg, &w->err), 0);
		assert_int_equal(round_behind_open(&w->ctx, msg->data, msg->len,
				     &again, &w->err),
		    0);
		assert_int_equal(again.wish, b.wish);
		assert_int_equal(again.round, b.round);
	}
	assert_int_equal(wish, ROUND_WISHES);
}

static int
get_words(void *arg, uint16_t site, const uint8_t root[ROUND_DIGEST],
    const void **words, struct err *err)
{
	struct world *w = arg;

	(void)root;
	(void)err;
	*words = w->site[site / 10 - 1].y;
	return *words != NULL ? 0 : -1;
}

/* Of all that the round is made again, and comes to the same sum; without what
   one of U3 has it is not. */
static void
make_again(struct world *w)
{
	struct round_words words = { .get = get_words, .arg = w };
	struct round_uploads uploads = world_uploaded(w);
	struct round_kept kept[WORLD_MAX];
	size_t n = 0, of = SIZE_MAX, len = w->about.words * 8;
	struct coord_round *c;
	void *sum = calloc(1, len);

	assert_non_null(sum);
	for (size_t i = 0; i < w->n; i++) {
		const struct canon *msg = &w->site[i].sent[ROUND_KEPT];

		if (msg->len == 0)
			continue;
		assert_int_equal(
		    round_kept_read(msg->data, msg->len, &kept[n], &w->err), 0);
		kept[n].site = w->members[i].id;
		if (kept[n].part[KEPT_UNMASK].len != 0)
			of = n;
		n++;
	}
	assert_true(of < n);
	c = round_kept_rebuild(&w->ctx, kept, n, of, &words, &w->err);
	if (c == NULL)
		fail_msg("%s", w->err.msg);
	assert_int_equal(
	    coord_round_finish(c, &w->ctx, &uploads, sum, &w->err), 0);
	assert_memory_equal(
	    sum, w->sum, w->about.words * w->ctx.rules.bits / 8);
	coord_round_free(c);
	free(sum);
	kept[of].part[KEPT_UPLOAD].len = 0;
	assert_null(round_kept_rebuild(&w->ctx, kept, n, of, &words, &w->err));
	assert_int_equal(w->err.code, ERR_REFUSED);
}

/* One is gone before its upload or its unmask: it takes the sum on the word of
   others. */
static void
run_with_late(struct world *w, unsigned late, const char *name, size_t n_lines)
{
	assert_int_equal(world_ready(w), 0);
	assert_int_equal(world_shares(w), 0);
	if (w->site[late / 10 - 1].leaves == LEAVES_BEFORE_UPLOAD)
		give_shareset(w, late);
	assert_int_equal(world_uploads(w), 0);
	assert_int_equal(world_confirms(w), 0);
	assert_int_equal(world_unmasks(w), 0);
	hand_back(w);
	assert_int_equal(world_result(w), 0);
	vouch(w, late);
	make_again(w);
	compare(w, name, n_lines);
	world_free(w);
}

static void
three_sites_one_silent_at_the_end(void **state)
{
	struct world *w = world_new(3, 5);

	(void)state;
	w->site[2].leaves = LEAVES_BEFORE_UNMASK;
	run_with_late(w, 30, "n3.txt", 32);
}

static void
four_sites_one_gone_before_its_upload(void **state)
{
	struct world *w = world_new(4, 33000);

	(void)state;
	w->site[2].leaves = LEAVES_BEFORE_UPLOAD;
	run_with_late(w, 30, "n4.txt", 37);
}

static void
five_of_six_sites_suite_2_one_gone(void **state)
{
	struct world *w = world_new(6, 100);

	(void)state;
	w->ctx.rules.suite = ROUND_CHACHA20;
	w->about.round = 9;
	w->about.step = 3;
	strcpy(w->about.kind, "newton");
	hash_sha256("some state", 10, w->about.state);
	w->site[5].leaves = LEAVES_BEFORE_READY;
	w->site[1].leaves = LEAVES_BEFORE_UPLOAD;
	run_with_late(w, 20, "n5.txt", 45);
}

static void
ten_sites_one_gone_in_each_phase(void **state)
{
	struct world *w = world_new(10, 40);

	(void)state;
	w->ctx.rules.verify = ROUND_SAMPLE;
	w->site[1].leaves = LEAVES_BEFORE_SHARES;
	w->site[9].leaves = LEAVES_BEFORE_UPLOAD;
	w->site[3].leaves = LEAVES_BEFORE_CONFIRM;
	w->site[6].leaves = LEAVES_BEFORE_UNMASK;
	run_with_late(w, 100, "n10.txt", 74);
}

static void
nine_of_ten_sites_with_other_options(void **state)
{
	struct world *w = world_new(10, 7);

	(void)state;
	w->ctx.rules.suite = ROUND_CHACHA20;
	w->ctx.rules.corrupted = 3;
	w->ctx.rules.verify = ROUND_TRUST;
	w->ctx.rules.cohort = ROUND_FIXED;
	w->about.round = 3;
	w->about.step = 2;
	strcpy(w->about.kind, "evaluation");
	hash_sha256("some state", 10, w->about.state);
	w->site[4].leaves = LEAVES_BEFORE_READY;
	w->site[0].leaves = LEAVES_BEFORE_UPLOAD;
	w->site[6].leaves = LEAVES_BEFORE_UNMASK;
	run_with_late(w, 10, "n10-chacha20.txt", 76);
}

/* b = 32: half as many bytes, and masks of 32-bit words of the keystream. */
static void
narrow_words_of_three_sites(void **state)
{
	struct world *w = world_new(3, 5);

	(void)state;
	world_narrow(w);
	w->site[2].leaves = LEAVES_BEFORE_UNMASK;
	run_with_late(w, 30, "n3-b32.txt", 32);
}

static void
narrow_words_of_five_sites_suite_2_one_gone(void **state)
{
	struct world *w = world_new(5, 65541);

	(void)state;
	world_narrow(w);
	w->ctx.rules.suite = ROUND_CHACHA20;
	w->site[1].leaves = LEAVES_BEFORE_UPLOAD;
	run_with_late(w, 20, "n5-b32.txt", 45);
}

/* What learning uploads: gradients rounded by chance, each site's noise in
   them. */
static void
noise_of_three_sites(void **state)
{
	struct world *w = world_new(3, 5);

	(void)state;
	world_noise(w, 3, 2);
	w->site[2].leaves = LEAVES_BEFORE_UNMASK;
	run_with_late(w, 30, "n3-noise.txt", 32);
}

static void
noise_of_five_sites_suite_2_one_gone(void **state)
{
	struct world *w = world_new(5, 300);

	(void)state;
	world_noise(w, 1 << 20, 3);
	world_narrow(w);
	w->ctx.rules.suite = ROUND_CHACHA20;
	w->site[1].leaves = LEAVES_BEFORE_UPLOAD;
	run_with_late(w, 20, "n5-noise.txt", 45);
}

static void
noise_of_ten_sites_one_gone_in_each_phase(void **state)
{
	struct world *w = world_new(10, 40);

	(void)state;
	world_noise(w, 123456789, 7);
	world_narrow(w);
	w->site[1].leaves = LEAVES_BEFORE_SHARES;
	w->site[9].leaves = LEAVES_BEFORE_UPLOAD;
	w->site[3].leaves = LEAVES_BEFORE_CONFIRM;
	w->site[6].leaves = LEAVES_BEFORE_UNMASK;
	run_with_late(w, 100, "n10-noise.txt", 74);
}

/* Site 10 seals a wrong share for site 30, and signs it. */
static void
spoil(struct world *w, size_t site, enum round_type type, struct canon *msg)
{
	uint8_t sealed[2 * MSG_SEALED], leaves[3][HASH_LEN];
	struct round_ctx ctx = w->ctx;
	struct canon header = { 0 };
	struct msg_shares s;
	struct roster r;
	struct err err;

	if (type == ROUND_SHARESET && site == 2)
		random_fixed_seed("complaint");
	if (type != ROUND_SHARES || site != 0)
		return;
	ctx.secret = w->site[0].sk;
	assert_int_equal(roster_read(w->site[0].got[ROUND_ROSTER].data,
			     w->site[0].got[ROUND_ROSTER].len, &r, &err),
	    0);
	assert_int_equal(msg_read_shares(&r, msg->data, msg->len, &s, &err), 0);
	memcpy(sealed, s.sealed, sizeof(sealed));
	sealed[MSG_SEALED] ^= 1;
	msg_sealed_leaves(&r, 0, sealed, leaves);
	merkle_root(leaves, 3, s.dealing.sealed_root);
	assert_int_equal(msg_put_dealing(&ctx, &s.dealing, &header, &err), 0);
	/* As long as before, so in place. */
	memcpy(msg->data + (s.header - msg->data), header.data, header.len);
	memcpy(msg->data + (s.sealed - msg->data), sealed, sizeof(sealed));
	canon_free(&header);
	/* The dealer knows its own header, or it would not go on. */
	site_round_free(w->site[0].round);
	w->site[0].round = NULL;
	w->site[0].leaves = LEAVES_BEFORE_UPLOAD;
}

static void
a_swapped_share_is_complained_of(void **state)
{
	struct world *w = world_new(3, 5);
	const struct canon *complaint, *roster;
	struct canon abort = { 0 };
	uint16_t complainer, liar;
	char why[64];

	(void)state;
	w->tamper = spoil;
	assert_int_equal(world_ready(w), 0);
	assert_int_equal(world_shares(w), 0);
	assert_int_equal(coord_round_message(w->coord, &w->ctx, ROUND_SHARESET,
			     10, &w->site[0].got[ROUND_SHARESET], &w->err),
	    0);
	assert_int_equal(world_uploads(w), -1);
	/* The complainer keeps nothing and never uploads. */
	assert_int_equal(site_round_phase(w->site[2].round), SITE_ENDED);
	complaint = &w->site[2].sent[ROUND_COMPLAINT];
	roster = &w->site[2].got[ROUND_ROSTER];
	assert_int_equal(
	    round_complaint_check(&w->ctx, roster->data, roster->len,
		complaint->data, complaint->len, &complainer, &liar, &w->err),
	    0);
	assert_int_equal(complainer, 30);
	assert_int_equal(liar, 10);
	/* The coordinator can only give up, and everybody learns why. */
	assert_int_equal(coord_round_abort(w->coord, &w->ctx,
			     "a site has complained", &w->err),
	    0);
	assert_int_equal(coord_round_message(w->coord, &w->ctx, ROUND_ABORT, 20,
			     &abort, &w->err),
	    0);
	w->site[1].got[ROUND_ABORT] = abort;
	assert_int_equal(
	    site_round_abort(w->site[1].round, &w->site[1].ctx, abort.data,
		abort.len, &liar, why, sizeof(why), &w->err),
	    0);
	assert_int_equal(liar, 10);
	assert_string_equal(why, "a site has complained");
	assert_int_equal(site_round_phase(w->site[1].round), SITE_ENDED);
	compare(w, "complaint.txt", 13);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_sites_one_silent_at_the_end),
		cmocka_unit_test(four_sites_one_gone_before_its_upload),
		cmocka_unit_test(five_of_six_sites_suite_2_one_gone),
		cmocka_unit_test(narrow_words_of_three_sites),
		cmocka_unit_test(narrow_words_of_five_sites_suite_2_one_gone),
		cmocka_unit_test(noise_of_three_sites),
		cmocka_unit_test(noise_of_five_sites_suite_2_one_gone),
		cmocka_unit_test(noise_of_ten_sites_one_gone_in_each_phase),
		cmocka_unit_test(ten_sites_one_gone_in_each_phase),
		cmocka_unit_test(nine_of_ten_sites_with_other_options),
		cmocka_unit_test(a_swapped_share_is_complained_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

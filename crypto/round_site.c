#include "crypto/round_site.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/prg.h"
#include "crypto/round_behind.h"
#include "crypto/round_keys.h"
#include "crypto/round_site_state.h"
#include "crypto/shamir.h"

#define TENSOR 0 /* a round sums one vector */

const char *
site_phase_name(enum site_phase phase)
{
	static const char *const names[] = {
		[SITE_READY] = "ready",
		[SITE_SHARED] = "shared",
		[SITE_KEYED] = "keyed",
		[SITE_UPLOADED] = "uploaded",
		[SITE_CONFIRMED] = "confirmed",
		[SITE_UNMASKED] = "unmasked",
		[SITE_DONE] = "done",
		[SITE_ENDED] = "ended",
	};

	assert(phase >= SITE_READY && phase <= SITE_ENDED);
	return names[phase];
}

static void
forget(struct site_round *s)
{
	sodium_free(s->x); /* wipes */
	s->x = NULL;
}

void
site_round_free(struct site_round *s)
{
	if (s == NULL)
		return;
	forget(s);
	canon_free(&s->announce_msg);
	canon_free(&s->roster_msg);
	for (size_t i = 0; i < ASKED_N; i++)
		canon_free(&s->answers[i].bytes);
	free(s);
}

enum site_phase
site_round_phase(const struct site_round *s)
{
	return s->phase;
}

const struct round_about *
site_round_about(const struct site_round *s)
{
	return &s->about;
}

uint32_t
site_round_epoch(const struct site_round *s)
{
	return s->epoch;
}

static void
put_part(struct round_kept *k, enum kept_part part, const struct canon *c)
{
	k->part[part].p = c->data;
	k->part[part].len = c->len;
}

void
site_round_put_kept(const struct site_round *s, const void *trailer, size_t len,
    struct canon *out)
{
	struct round_kept k = { 0 };

	put_part(&k, KEPT_ANNOUNCE, &s->announce_msg);
	if (s->phase >= SITE_SHARED && s->phase <= SITE_UNMASKED) {
		put_part(&k, KEPT_ROSTER, &s->roster_msg);
		put_part(&k, KEPT_SHARES, &s->answers[ASKED_ROSTER].bytes);
		k.part[KEPT_UPLOAD].p = trailer;
		k.part[KEPT_UPLOAD].len = len;
		put_part(&k, KEPT_CONFIRM, &s->answers[ASKED_LIST].bytes);
		put_part(&k, KEPT_UNMASK, &s->answers[ASKED_CERTIFICATE].bytes);
		k.n = s->roster.p.n;
		for (size_t i = 0; i < k.n; i++)
			k.marks[i] = (uint8_t)(s->u2[i] | s->u3[i] << 1);
	}
	if (k.part[KEPT_ANNOUNCE].len != 0)
		round_kept_put(&k, out);
}

uint32_t
site_round_prekey(const struct site_round *s)
{
	return s->prekey.id;
}

const struct round_params *
site_round_params(const struct site_round *s)
{
	return s->roster_msg.len != 0 ? &s->roster.p : NULL;
}

const uint8_t *
site_round_roster_hash(const struct site_round *s)
{
	return s->roster_msg.len != 0 ? s->roster.hash : NULL;
}

/*
 * Whether message `asked` may be answered now.  0: yes.  1: the same one was
 * answered, and the answer is in out.  -1: no.
 */
static int
may_answer(const struct site_round *s, enum asked asked, enum site_phase when,
    const void *msg, size_t len, struct canon *out, struct err *err)
{
	static const char *const names[ASKED_N] = { "announce", "roster",
		"shareset", "list", "certificate" };
	uint8_t question[HASH_LEN];

	if (s->answers[asked].given) {
		hash_sha256(msg, len, question);
		if (!group_equal(question, s->answers[asked].question))
			return err_set(err, ERR_PEER,
			    "%s: this site has answered another one in round "
			    "%llu",
			    names[asked], (unsigned long long)s->about.round);
		canon_raw(out, s->answers[asked].bytes.data,
		    s->answers[asked].bytes.len);
		return out->failed ? msg_no_memory(err) : 1;
	}
	if (s->phase != when)
		return err_set(err, ERR_REFUSED,
		    "%s: round %llu is %s, which does not wait for it",
		    names[asked], (unsigned long long)s->about.round,
		    site_phase_name(s->phase));
	return 0;
}

/* Keep answer (which becomes empty), hand out a copy. */
static int
keep_answer(struct site_round *s, enum asked asked, const void *msg, size_t len,
    struct canon *answer, struct canon *out, struct err *err)
{
	canon_raw(out, answer->data, answer->len);
	if (out->failed || answer->failed) {
		canon_free(answer);
		return msg_no_memory(err);
	}
	s->answers[asked].given = true;
	hash_sha256(msg, len, s->answers[asked].question);
	s->answers[asked].bytes = *answer;
	*answer = (struct canon){ 0 };
	return 0;
}

bool
site_round_again(
    const struct site_round *s, const void *msg, size_t len, struct canon *out)
{
	uint8_t question[HASH_LEN];

	hash_sha256(msg, len, question);
	for (size_t i = 0; i < ASKED_N; i++) {
		if (!s->answers[i].given ||
		    !group_equal(question, s->answers[i].question))
			continue;
		canon_raw(
		    out, s->answers[i].bytes.data, s->answers[i].bytes.len);
		return !out->failed;
	}
	return false;
}

static int
check_announced(const struct round_about *got, const struct round_about *expect,
    uint64_t last_round, struct err *err)
{
	if (got->round <= last_round)
		return err_set(err, ERR_PEER,
		    "announce: round %llu, this site has answered %llu",
		    (unsigned long long)got->round,
		    (unsigned long long)last_round);
	if (!group_equal(got->state, expect->state))
		return err_set(err, ERR_REFUSED,
		    "announce: step %lu starts from another state than this "
		    "site's, which is at step %lu",
		    (unsigned long)got->step, (unsigned long)expect->step);
	if (got->step != expect->step || strcmp(got->kind, expect->kind) != 0 ||
	    got->words != expect->words)
		return err_set(err, ERR_REFUSED,
		    "announce: step %lu, %s of %llu words; the plan says step "
		    "%lu, %s of %llu words",
		    (unsigned long)got->step, got->kind,
		    (unsigned long long)got->words, (unsigned long)expect->step,
		    expect->kind, (unsigned long long)expect->words);
	return 0;
}

struct site_round *
site_round_start(const struct round_ctx *ctx, const struct round_about *expect,
    uint64_t last_round, const struct prekey *prekey, const void *msg,
    size_t len, struct canon *ready, struct err *err)
{
	struct canon answer = { 0 };
	struct msg_ready t1 = { .site = ctx->self, .prekey = *prekey };
	struct site_round *s;
	struct msg_announce a;

	if (msg_get_announce(ctx, msg, len, &a, err) != 0 ||
	    check_announced(&a.about, expect, last_round, err) != 0)
		return NULL;
	memcpy(t1.announce, a.digest, ROUND_DIGEST);
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		msg_no_memory(err);
		return NULL;
	}
	s->phase = SITE_READY;
	s->self = ctx->self;
	s->epoch = ctx->epoch;
	s->about = a.about;
	memcpy(s->announce, a.digest, ROUND_DIGEST);
	s->prekey = *prekey;
	canon_raw(&s->announce_msg, msg, len);
	if (s->announce_msg.failed) {
		msg_no_memory(err);
		site_round_free(s);
		return NULL;
	}
	if (msg_put_ready(ctx, &t1, &answer, err) != 0 ||
	    keep_answer(s, ASKED_ANNOUNCE, msg, len, &answer, ready, err) !=
		0) {
		canon_free(&answer);
		site_round_free(s);
		return NULL;
	}
	return s;
}

/* Our own entry, exactly as offered, and the roster of our announcement. */
static int
check_own_entry(const struct site_round *s, const struct roster *r,
    const uint8_t secret[ROUND_KEY], size_t *index, struct err *err)
{
	uint8_t pk[ROUND_KEY];

	if (!group_equal(r->announce, s->announce))
		return err_set(
		    err, ERR_PEER, "roster: of another announcement");
	if ((*index = roster_index(r, s->self)) == SIZE_MAX)
		return err_set(err, ERR_PEER, "roster: this site is not in it");
	if (!prekey_equal(&s->prekey, &r->site[*index].prekey))
		return err_set(err, ERR_PEER,
		    "roster: not the prekey that this site offered");
	if (!group_base(secret, pk) || !group_equal(pk, s->prekey.pk))
		return err_set(err, ERR_REFUSED,
		    "the secret of prekey %lu is not the one given",
		    (unsigned long)s->prekey.id);
	return 0;
}

struct deal {
	uint8_t f[ROUND_SITES_MAX][GROUP_SCALAR],
	    g[ROUND_SITES_MAX][GROUP_SCALAR];
	uint8_t points[2][ROUND_SITES_MAX * GROUP_POINT];
	uint8_t sealed[ROUND_SITES_MAX * MSG_SEALED];
	uint8_t leaves[ROUND_SITES_MAX][HASH_LEN];
};

/* Draw a polynomial for each secret, seal its values for the others. */
static void
deal_shares(struct deal *d, const struct round_ctx *ctx, const struct roster *r,
    size_t self, struct secrets *x)
{
	uint8_t dh[ROUND_KEY], f[ROUND_KEY], g[ROUND_KEY];
	uint8_t *sealed = d->sealed;
	struct pair p;

	group_scalar_random(x->seed);
	memcpy(d->f[0], x->key, ROUND_KEY);
	memcpy(d->g[0], x->seed, ROUND_KEY);
	shamir_coefficients(d->f, r->p.threshold);
	shamir_coefficients(d->g, r->p.threshold);
	shamir_commit(d->f, r->p.threshold, d->points[0]);
	shamir_commit(d->g, r->p.threshold, d->points[1]);
	for (size_t j = 0; j < r->p.n; j++) {
		uint16_t at = (uint16_t)(j + 1);

		shamir_share(d->f, r->p.threshold, at, f);
		shamir_share(d->g, r->p.threshold, at, g);
		if (j == self) {
			memcpy(x->f[j], f, ROUND_KEY);
			memcpy(x->g[j], g, ROUND_KEY);
			continue;
		}
		pair_dh(r, j, x->key, dh);
		pair_make(ctx, r, self, j, dh, &p);
		shares_seal(&p, r, self, j, f, g, sealed);
		sealed += MSG_SEALED;
		pair_wipe(&p);
	}
	group_wipe(dh, sizeof(dh));
	group_wipe(f, sizeof(f));
	group_wipe(g, sizeof(g));
}

/* M1 from what was dealt, and the digest of its header. */
static int
write_shares(struct deal *d, const struct round_ctx *ctx,
    const struct roster *r, size_t self, uint8_t digest[ROUND_DIGEST],
    struct canon *out, struct err *err)
{
	struct msg_points points = { d->points[0], d->points[1] };
	struct dealing head = { .site = r->site[self].id };
	struct canon header = { 0 };
	int ret = -1;

	memcpy(head.roster, r->hash, ROUND_DIGEST);
	memcpy(head.self, points.g, ROUND_KEY);
	msg_sealed_leaves(r, self, d->sealed, d->leaves);
	merkle_root(d->leaves, r->p.n, head.sealed_root);
	msg_commitments(&points, r->p.threshold, head.commitments);
	if (msg_put_dealing(ctx, &head, &header, err) != 0 ||
	    round_message_digest(header.data, header.len, digest, err) != 0)
		goto out;
	msg_put_shares(header.data, header.len, r->p.threshold, r->p.n, &points,
	    d->sealed, out);
	ret = out->failed ? msg_no_memory(err) : 0;
out:
	canon_free(&header);
	return ret;
}

int
site_round_roster(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, const uint8_t secret[ROUND_KEY], int64_t now,
    struct canon *shares, struct err *err)
{
	int r = may_answer(s, ASKED_ROSTER, SITE_READY, msg, len, shares, err);
	struct canon answer = { 0 }, copy = { 0 };
	uint8_t digest[ROUND_DIGEST];
	struct deal *d = NULL;
	struct secrets *x = NULL;
	struct roster roster;
	size_t self = 0;

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (roster_open(ctx, msg, len, now, &roster, err) != 0 ||
	    check_own_entry(s, &roster, secret, &self, err) != 0)
		return -1;
	r = -1;
	if ((x = site_secrets_new(err)) == NULL)
		goto out;
	if ((d = sodium_malloc(sizeof(*d))) == NULL) {
		msg_no_memory(err);
		goto out;
	}
	memcpy(x->key, secret, ROUND_KEY);
	canon_raw(&copy, msg, len);
	if (copy.failed) {
		msg_no_memory(err);
		goto out;
	}
	deal_shares(d, ctx, &roster, self, x);
	if (write_shares(d, ctx, &roster, self, digest, &answer, err) != 0 ||
	    keep_answer(s, ASKED_ROSTER, msg, len, &answer, shares, err) != 0)
		goto out;
	s->roster = roster;
	s->roster_msg = copy;
	copy = (struct canon){ 0 };
	memcpy(s->digest, digest, ROUND_DIGEST);
	s->x = x;
	x = NULL;
	s->phase = SITE_SHARED;
	r = 0;
out:
	sodium_free(d);
	sodium_free(x);
	canon_free(&answer);
	canon_free(&copy);
	return r;
}

/* M2, its form and its dealers' signatures; dealt is by roster order. */
struct shareset {
	bool u2[ROUND_SITES_MAX];
	struct msg_dealt dealt[ROUND_SITES_MAX];
	uint8_t digests[ROUND_SITES_MAX][ROUND_DIGEST];
};

static int
read_shareset(const struct site_round *s, const struct round_ctx *ctx,
    size_t self, struct canon_in *in, struct shareset *set, struct err *err)
{
	const struct roster *r = &s->roster;
	uint8_t roster[ROUND_DIGEST];
	size_t next = 0, i;
	struct dealing d;
	uint16_t to, n;

	canon_get_raw(in, roster, sizeof(roster));
	to = canon_get_u16(in);
	n = canon_get_u16(in);
	if (in->failed || n > r->p.n)
		return err_set(err, ERR_FORMAT, "shareset: cut short");
	if (!group_equal(roster, r->hash) || to != s->self)
		return err_set(err, ERR_PEER,
		    "shareset: of another roster or for another site");
	if (n < r->p.u_min)
		return err_set(err, ERR_PEER,
		    "shareset: %u sites, at least %u needed", (unsigned)n,
		    (unsigned)r->p.u_min);
	for (uint16_t k = 0; k < n; k++) {
		struct msg_dealt dealt;

		msg_get_dealt(in, &dealt, r->p.threshold);
		if (in->failed)
			break;
		if (msg_get_dealing(
			ctx, r, dealt.header, dealt.header_len, &d, err) != 0)
			return -1;
		i = roster_index(r, d.site);
		if (i < next)
			return err_set(err, ERR_PEER,
			    "shareset: site %u twice or out of order",
			    (unsigned)d.site);
		next = i + 1;
		if (!dealt_is_signed(r, &d, i, self, &dealt) ||
		    !dealt_points_ok(r, &d, i, &dealt.points))
			return err_set(err, ERR_PEER,
			    "shareset: what is said to be site %u's is not "
			    "what it signed",
			    (unsigned)d.site);
		set->u2[i] = true;
		set->dealt[i] = dealt;
		memcpy(set->digests[i], d.digest, ROUND_DIGEST);
	}
	if (canon_end(in, "shareset", err) != 0)
		return -1;
	if (!set->u2[self] || !group_equal(set->digests[self], s->digest))
		return err_set(
		    err, ERR_PEER, "shareset: without this site's own shares");
	return 0;
}

/* Open all shares into s->x.  The first dealer whose share is bad, by roster
   order, or SIZE_MAX. */
static size_t
open_shares(struct site_round *s, const struct round_ctx *ctx, size_t self,
    const struct shareset *set)
{
	struct secrets *x = s->x;
	uint8_t dh[ROUND_KEY];
	size_t bad = SIZE_MAX;
	struct pair p;

	for (size_t j = 0; j < s->roster.p.n && bad == SIZE_MAX; j++) {
		if (!set->u2[j] || j == self)
			continue;
		pair_dh(&s->roster, j, x->key, dh);
		pair_make(ctx, &s->roster, j, self, dh, &p);
		if (!shares_open(&p, &s->roster, j, self, &set->dealt[j],
			x->f[j], x->g[j]))
			bad = j;
		pair_wipe(&p);
	}
	group_wipe(dh, sizeof(dh));
	return bad;
}

static int
complain(struct site_round *s, const struct round_ctx *ctx,
    const struct msg_dealt *dealt, size_t dealer, struct canon *out,
    struct err *err)
{
	const struct roster_entry *e = &s->roster.site[dealer];
	struct msg_complaint c = {
		.site = s->self, .dealer = e->id, .dealt = *dealt
	};
	uint8_t context[32];

	memcpy(c.roster, s->roster.hash, ROUND_DIGEST);
	complaint_context(&s->roster, s->self, e->id, context);
	pair_dh(&s->roster, dealer, s->x->key, c.dh);
	proof_make(s->x->key, e->prekey.pk, context, c.proof);
	return msg_put_complaint(ctx, &s->roster, &c, out, err);
}

int
site_round_shareset(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *liar, struct canon *complaint,
    struct err *err)
{
	int r = may_answer(
	    s, ASKED_SHARESET, SITE_SHARED, msg, len, complaint, err);
	struct shareset *set = NULL;
	struct canon answer = { 0 };
	struct canon_in in;
	size_t self, bad;

	*liar = 0;
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (msg_open(msg, len, "shareset", ctx->coordinator, &in, err) != 0)
		return -1;
	if ((set = calloc(1, sizeof(*set))) == NULL)
		return msg_no_memory(err);
	r = -1;
	self = roster_index(&s->roster, s->self);
	if (read_shareset(s, ctx, self, &in, set, err) != 0)
		goto out;
	bad = open_shares(s, ctx, self, set);
	if (bad != SIZE_MAX &&
	    complain(s, ctx, &set->dealt[bad], bad, &answer, err) != 0)
		goto out;
	if (keep_answer(s, ASKED_SHARESET, msg, len, &answer, complaint, err) !=
	    0)
		goto out;
	if (bad != SIZE_MAX) {
		*liar = s->roster.site[bad].id;
		forget(s);
		s->phase = SITE_ENDED;
	} else {
		memcpy(s->u2, set->u2, sizeof(s->u2));
		msg_u2_hash(&s->roster, s->u2, set->digests, s->u2_hash);
		s->phase = SITE_KEYED;
	}
	r = 0;
out:
	canon_free(&answer);
	free(set);
	return r;
}

static int
add_masks(const struct site_round *s, const struct round_ctx *ctx, void *words,
    size_t n, struct err *err)
{
	size_t self = roster_index(&s->roster, s->self);
	unsigned bits = s->roster.p.bits;
	uint8_t suite = s->roster.p.suite, dh[ROUND_KEY], key[PRG_KEY];
	struct pair p;
	int r;

	key_self(ctx, &s->roster, s->u2_hash, s->self, s->x->seed, TENSOR, key);
	r = prg_apply(suite, key, bits, 0, words, n, PRG_ADD, err);
	for (size_t j = 0; j < s->roster.p.n && r == 0; j++) {
		if (!s->u2[j] || j == self)
			continue;
		pair_dh(&s->roster, j, s->x->key, dh);
		pair_make(ctx, &s->roster, self, j, dh, &p);
		key_mask(&p, &s->roster, s->u2_hash, TENSOR, key);
		r = prg_apply(suite, key, bits, 0, words, n,
		    self < j ? PRG_ADD : PRG_SUBTRACT, err);
		pair_wipe(&p);
	}
	group_wipe(dh, sizeof(dh));
	group_wipe(key, sizeof(key));
	return r;
}

int
site_round_upload(struct site_round *s, const struct round_ctx *ctx,
    void *words, size_t n, struct canon *trailer, struct err *err)
{
	struct msg_upload u = { .site = s->self, .words = n };

	if (s->phase != SITE_KEYED)
		return err_set(err, ERR_REFUSED,
		    "round %llu is %s: it does not mask a vector now",
		    (unsigned long long)s->about.round,
		    site_phase_name(s->phase));
	if (n != s->about.words)
		return err_set(err, ERR_FORMAT,
		    "a vector of %zu words, the round sums %llu", n,
		    (unsigned long long)s->about.words);
	memcpy(u.roster, s->roster.hash, ROUND_DIGEST);
	memcpy(u.u2, s->u2_hash, ROUND_DIGEST);
	if (add_masks(s, ctx, words, n, err) != 0)
		return -1;
	round_words_root(s->roster.p.bits, words, n, u.root);
	if (msg_put_upload(ctx, &u, trailer, err) != 0)
		return -1;
	memcpy(s->root, u.root, ROUND_DIGEST);
	/* Only the shares are of use from here on. */
	group_wipe(s->x->key, sizeof(s->x->key));
	group_wipe(s->x->seed, sizeof(s->x->seed));
	s->phase = SITE_UPLOADED;
	return 0;
}

static void
this_round(const struct site_round *s, struct msg_confirm *f)
{
	memcpy(f->roster, s->roster.hash, ROUND_DIGEST);
	memcpy(f->u2, s->u2_hash, ROUND_DIGEST);
	memcpy(f->u3, s->u3_hash, ROUND_DIGEST);
	f->site = s->self;
}

int
site_round_list(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, struct canon *confirm, struct err *err)
{
	int r =
	    may_answer(s, ASKED_LIST, SITE_UPLOADED, msg, len, confirm, err);
	size_t self = roster_index(&s->roster, s->self);
	bool u3[ROUND_SITES_MAX] = { false };
	struct canon answer = { 0 };
	struct msg_confirm f;
	struct msg_list l;

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (msg_get_list(
		ctx, &s->roster, s->u2, s->u2_hash, msg, len, &l, u3, err) != 0)
		return -1;
	for (size_t k = 0; k < l.n; k++)
		if (l.input[k].site == s->self &&
		    !group_equal(l.input[k].root, s->root))
			u3[self] = false;
	if (!u3[self])
		return err_set(
		    err, ERR_PEER, "list: without this site's own upload");
	this_round(s, &f);
	memcpy(f.u3, l.hash, ROUND_DIGEST);
	if (msg_put_confirm(ctx, &f, &answer, err) != 0 ||
	    keep_answer(s, ASKED_LIST, msg, len, &answer, confirm, err) != 0) {
		canon_free(&answer);
		return -1;
	}
	memcpy(s->u3, u3, sizeof(s->u3));
	memcpy(s->u3_hash, l.hash, ROUND_DIGEST);
	s->phase = SITE_CONFIRMED;
	return 0;
}

int
site_round_certificate(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, struct canon *unmask, struct err *err)
{
	int r = may_answer(
	    s, ASKED_CERTIFICATE, SITE_CONFIRMED, msg, len, unmask, err);
	struct canon answer = { 0 };
	struct msg_unmask u;

	if (r != 0)
		return r < 0 ? -1 : 0;
	this_round(s, &u.of);
	if (msg_get_certificate(ctx, &s->roster, s->u3, &u.of, msg, len, err) !=
	    0)
		return -1;
	/* For each site of U2 one of its two secrets, never both. */
	for (size_t j = 0; j < s->roster.p.n; j++)
		memcpy(
		    u.share[j], s->u3[j] ? s->x->g[j] : s->x->f[j], ROUND_KEY);
	r = -1;
	if (msg_put_unmask(ctx, &s->roster, s->u2, s->u3, &u, &answer, err) ==
		0 &&
	    keep_answer(s, ASKED_CERTIFICATE, msg, len, &answer, unmask, err) ==
		0) {
		forget(s);
		s->phase = SITE_UNMASKED;
		r = 0;
	}
	canon_free(&answer);
	group_wipe(&u, sizeof(u));
	return r;
}

int
site_round_accept(struct site_round *s, const struct round_ctx *ctx,
    const struct round_result *r, const struct round_uploads *uploads,
    void *sum, struct err *err)
{
	/* Of another roster than ours: a coordinator has shown two, and this
	   is the sum of the other one.  Ours is given up, as if that one were
	   of another round; but an upload of ours cannot be in it. */
	for (size_t k = 0; s != NULL && k < round_result_inputs(r); k++) {
		const struct round_input *in = round_result_input(r, k);

		/* (root is zeros until the upload) */
		if (in->site == s->self && !group_equal(in->root, s->root))
			return err_set(err, ERR_PEER,
			    "result: with an upload that is not this site's");
	}
	if (uploads != NULL && round_result_sum(r, ctx, uploads, sum, err) != 0)
		return -1;
	if (s != NULL) {
		forget(s);
		s->phase = SITE_DONE;
	}
	return 0;
}

int
site_round_abort(struct site_round *s, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *liar, char *why, size_t size,
    struct err *err)
{
	struct msg_abort a;
	uint16_t complainer;

	*liar = 0;
	if (msg_get_abort(ctx, msg, len, &a, err) != 0)
		return -1;
	if (!group_equal(a.announce, s->announce))
		return err_set(err, ERR_PEER, "abort: of another round");
	if (s->phase == SITE_UNMASKED || s->phase == SITE_DONE)
		return err_set(err, ERR_PEER,
		    "abort: round %llu is certified and can only complete",
		    (unsigned long long)s->about.round);
	/* A complaint that cannot be checked convicts nobody. */
	if (a.complaint != NULL && s->roster_msg.len != 0 &&
	    round_complaint_check(ctx, s->roster_msg.data, s->roster_msg.len,
		a.complaint, a.complaint_len, &complainer, liar, err) != 0)
		*liar = 0;
	if (size > 0) {
		strncpy(why, a.why, size - 1);
		why[size - 1] = '\0';
	}
	site_round_give_up(s);
	return 0;
}

void
site_round_give_up(struct site_round *s)
{
	forget(s);
	s->phase = SITE_ENDED;
}

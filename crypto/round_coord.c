#include "crypto/round_coord.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "crypto/round_coord_state.h"
#include "crypto/round_keys.h"
#include "crypto/round_sum.h"
#include "crypto/shamir.h"

const char *
coord_phase_name(enum coord_phase phase)
{
	static const char *const names[] = {
		[COORD_READY] = "ready",
		[COORD_SHARES] = "shares",
		[COORD_UPLOADS] = "uploads",
		[COORD_CONFIRMS] = "confirms",
		[COORD_UNMASKS] = "unmasks",
		[COORD_DONE] = "done",
		[COORD_ABORTED] = "aborted",
	};

	assert(phase >= COORD_READY && phase <= COORD_ABORTED);
	return names[phase];
}

struct coord_round *
coord_round_start(const struct round_ctx *ctx, const struct round_about *about,
    struct err *err)
{
	struct coord_round *c = coord_round_new(err);
	struct canon *t0;

	if (c == NULL)
		return NULL;
	c->phase = COORD_READY;
	c->about = *about;
	t0 = &c->own[OWN_ANNOUNCE];
	if (msg_put_announce(ctx, about, t0, err) != 0 ||
	    round_message_digest(t0->data, t0->len, c->announce, err) != 0) {
		coord_round_free(c);
		return NULL;
	}
	return c;
}

enum coord_phase
coord_round_phase(const struct coord_round *c)
{
	return c->phase;
}

const struct round_about *
coord_round_about(const struct coord_round *c)
{
	return &c->about;
}

uint32_t
coord_round_epoch(const struct coord_round *c)
{
	const struct canon *t0 = &c->own[OWN_ANNOUNCE];
	uint32_t epoch = 0;
	struct err err;

	round_announce_peek(t0->data, t0->len, &epoch, &err); /* our own */
	return epoch;
}

const struct round_params *
coord_round_params(const struct coord_round *c)
{
	return c->own[OWN_ROSTER].len != 0 ? &c->roster.p : NULL;
}

const uint8_t *
coord_round_roster_hash(const struct coord_round *c)
{
	return c->own[OWN_ROSTER].len != 0 ? c->roster.hash : NULL;
}

/* The place of a site among those that are ready, or SIZE_MAX. */
static size_t
find(const struct coord_round *c, uint16_t id)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->m[i].id == id)
			return i;
	return SIZE_MAX;
}

static size_t
have(const struct coord_round *c, enum part part)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->m[i].part[part].len != 0;
	return n;
}

static size_t
may_be_ready(const struct round_ctx *ctx)
{
	size_t n = 0;

	for (size_t i = 0; i < ctx->n_members; i++)
		n += ctx->members[i].in_study && ctx->members[i].active;
	return MIN(n, (size_t)ROUND_SITES_MAX);
}

struct coord_tally
coord_round_tally(const struct coord_round *c, const struct round_ctx *ctx)
{
	bool fixed = ctx->rules.cohort == ROUND_FIXED && ctx->n_cohort != 0;
	struct coord_tally t = { .phase = c->phase };
	size_t n_study = 0;

	for (size_t i = 0; i < ctx->n_members; i++)
		n_study += ctx->members[i].in_study;
	switch (c->phase) {
	case COORD_READY:
		t.have = c->n;
		t.need = fixed ? ctx->n_cohort
			       : round_roster_min(&ctx->rules, n_study);
		t.most = fixed ? ctx->n_cohort : may_be_ready(ctx);
		break;
	case COORD_SHARES:
		t.have = have(c, PART_SHARES);
		t.need = fixed ? ctx->n_cohort : c->roster.p.u_min;
		t.most = c->n;
		break;
	case COORD_UPLOADS:
		t.have = have(c, PART_UPLOAD);
		t.need = fixed ? ctx->n_cohort : c->roster.p.u_min;
		t.most = coord_marked(c, c->u2);
		break;
	case COORD_CONFIRMS:
		t.have = have(c, PART_CONFIRM);
		t.need = c->roster.p.quorum;
		t.most = coord_marked(c, c->u3);
		break;
	case COORD_UNMASKS:
		t.have = have(c, PART_UNMASK);
		t.need = c->roster.p.threshold;
		t.most = coord_marked(c, c->u3);
		break;
	case COORD_DONE:
	case COORD_ABORTED:
		break;
	}
	return t;
}

bool
coord_round_has(const struct coord_round *c, uint16_t site)
{
	size_t i = find(c, site);

	if (i == SIZE_MAX || c->phase > COORD_UNMASKS)
		return false;
	return c->m[i].part[c->phase - COORD_READY].len != 0;
}

/* False for a site that a fixed cohort leaves out. */
static bool
may_take_part(const struct round_ctx *ctx, uint16_t site)
{
	if (ctx->rules.cohort != ROUND_FIXED || ctx->n_cohort == 0)
		return true;
	for (size_t k = 0; k < ctx->n_cohort; k++)
		if (ctx->cohort[k] == site)
			return true;
	return false;
}

enum round_type
coord_round_owed(
    const struct coord_round *c, const struct round_ctx *ctx, uint16_t site)
{
	const struct round_member *m = msg_member(ctx, site);
	size_t i = find(c, site);

	if (m == NULL)
		return ROUND_NONE;
	if (c->phase == COORD_DONE)
		return ROUND_RESULT;
	if (c->phase == COORD_ABORTED)
		return ROUND_ABORT;
	if (c->phase == COORD_READY)
		return i == SIZE_MAX && m->active && may_take_part(ctx, site)
		    ? ROUND_ANNOUNCE
		    : ROUND_NONE;
	if (i == SIZE_MAX || coord_round_has(c, site))
		return ROUND_NONE;
	switch (c->phase) {
	case COORD_SHARES:
		return ROUND_ROSTER;
	case COORD_UPLOADS:
		return c->u2[i] ? ROUND_SHARESET : ROUND_NONE;
	case COORD_CONFIRMS:
		return c->u3[i] ? ROUND_LIST : ROUND_NONE;
	case COORD_UNMASKS:
		/* A site that has not confirmed owes that first. */
		if (!c->u3[i])
			return ROUND_NONE;
		return c->m[i].part[PART_CONFIRM].len != 0 ? ROUND_CERTIFICATE
							   : ROUND_LIST;
	default:
		return ROUND_NONE;
	}
}

/* M2 for the site at place to. */
static int
put_shareset(const struct coord_round *c, const struct round_ctx *ctx,
    size_t to, struct canon *out, struct err *err)
{
	uint8_t leaves[ROUND_SITES_MAX][HASH_LEN],
	    path[MERKLE_DEPTH_MAX][HASH_LEN];
	const struct roster *r = &c->roster;
	struct canon content = { 0 };

	canon_raw(&content, r->hash, ROUND_DIGEST);
	canon_u16(&content, r->site[to].id);
	canon_u16(&content, (uint16_t)coord_marked(c, c->u2));
	for (size_t j = 0; j < c->n; j++) {
		const struct msg_shares *s = &c->m[j].shares;
		struct msg_dealt d;

		if (!c->u2[j])
			continue;
		d = (struct msg_dealt){ .header = s->header,
			.header_len = s->header_len,
			.points = s->points,
			.sealed = msg_sealed_for(s->sealed, j, to),
			.path = path[0] };
		if (j != to) {
			msg_sealed_leaves(r, j, s->sealed, leaves);
			d.path_len = merkle_path(leaves, c->n, to, path);
		}
		msg_put_dealt(&content, &d, r->p.threshold);
	}
	return msg_seal(ctx, "shareset", &content, out, err);
}

int
coord_round_message(const struct coord_round *c, const struct round_ctx *ctx,
    enum round_type type, uint16_t site, struct canon *out, struct err *err)
{
	static const struct {
		enum round_type type;
		enum own own;
	} owns[] = {
		{ ROUND_ANNOUNCE, OWN_ANNOUNCE },
		{ ROUND_ROSTER, OWN_ROSTER },
		{ ROUND_LIST, OWN_LIST },
		{ ROUND_CERTIFICATE, OWN_CERTIFICATE },
		{ ROUND_RESULT, OWN_RESULT },
		{ ROUND_ABORT, OWN_ABORT },
	};
	size_t i = find(c, site);

	if (type == ROUND_SHARESET && i != SIZE_MAX && c->u2[i])
		return put_shareset(c, ctx, i, out, err);
	for (size_t k = 0; k < nitems(owns); k++) {
		const struct canon *own = &c->own[owns[k].own];

		if (owns[k].type != type || own->len == 0)
			continue;
		canon_raw(out, own->data, own->len);
		return out->failed ? msg_no_memory(err) : 0;
	}
	return err_set(err, ERR_REFUSED, "no message \"%s\" for site %u",
	    round_type_name(type), (unsigned)site);
}

/*
 * Whether site's message is new: 0 it is, 1 the very same is here, -1 it is
 * not one to take now.
 */
static int
may_add(const struct coord_round *c, enum part part, uint16_t site,
    const void *msg, size_t len, struct err *err)
{
	static const char *const names[PART_N] = { "ready", "shares", "upload",
		"confirm", "unmask" };
	enum coord_phase when = COORD_READY + (enum coord_phase)part;
	const struct canon *old;
	size_t i = find(c, site);

	if (i != SIZE_MAX && (old = &c->m[i].part[part])->len != 0) {
		if (old->len == len && memcmp(old->data, msg, len) == 0)
			return 1;
		return err_set(err, ERR_PEER,
		    "%s: site %u has sent another one in this round",
		    names[part], (unsigned)site);
	}
	/* A confirm that was not needed may still come. */
	if (c->phase != when &&
	    !(part == PART_CONFIRM && c->phase == COORD_UNMASKS))
		return err_set(err, ERR_REFUSED,
		    "%s: too %s, the round is at %s", names[part],
		    c->phase < when ? "early" : "late",
		    coord_phase_name(c->phase));
	return 0;
}

static int
keep(struct canon *part, const void *msg, size_t len, struct err *err)
{
	struct canon copy = { 0 };

	canon_raw(&copy, msg, len);
	if (copy.failed)
		return msg_no_memory(err);
	*part = copy;
	return 0;
}

int
coord_round_add_ready(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, int64_t now, uint16_t *from, struct err *err)
{
	struct coord_member m = { 0 };
	struct msg_ready ready;
	size_t i = c->n;
	int r;

	*from = 0;
	if (msg_get_ready(ctx, msg, len, &ready, err) != 0)
		return -1;
	*from = ready.site;
	if ((r = may_add(c, PART_READY, ready.site, msg, len, err)) != 0)
		return r < 0 ? -1 : 0;
	if (!group_equal(ready.announce, c->announce))
		return err_set(err, ERR_PEER,
		    "ready: site %u answers another announcement",
		    (unsigned)ready.site);
	if (!may_take_part(ctx, ready.site))
		return err_set(err, ERR_REFUSED,
		    "ready: site %u is not of the study's fixed set",
		    (unsigned)ready.site);
	if (!msg_member(ctx, ready.site)->active)
		return err_set(err, ERR_REFUSED, "ready: site %u is revoked",
		    (unsigned)ready.site);
	if (prekey_check(ctx, ready.site, &ready.prekey, now, err) != 0)
		return err_prefix(err, "ready");
	for (size_t k = 0; k < c->n; k++)
		if (memcmp(c->m[k].ready.prekey.pk, ready.prekey.pk,
			ROUND_KEY) == 0)
			return err_set(err, ERR_PEER,
			    "ready: site %u offers the prekey of site %u",
			    (unsigned)ready.site, (unsigned)c->m[k].id);
	if (c->n == ROUND_SITES_MAX)
		return err_set(err, ERR_REFUSED,
		    "ready: %d sites are in the round already",
		    ROUND_SITES_MAX);
	m.id = ready.site;
	m.ready = ready;
	if (keep(&m.part[PART_READY], msg, len, err) != 0)
		return -1;
	for (; i > 0 && c->m[i - 1].id > m.id; i--)
		c->m[i] = c->m[i - 1];
	c->m[i] = m;
	c->n++;
	return 0;
}

static int
in_phase(const struct coord_round *c, enum coord_phase phase, struct err *err)
{
	if (c->phase == phase)
		return 0;
	return err_set(err, ERR_REFUSED, "the round is at %s, not at %s",
	    coord_phase_name(c->phase), coord_phase_name(phase));
}

int
coord_round_roster(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err)
{
	struct canon msg = { 0 };
	struct roster r = { 0 };
	size_t n_study = 0;

	if (in_phase(c, COORD_READY, err) != 0)
		return -1;
	for (size_t i = 0; i < ctx->n_members; i++)
		n_study += ctx->members[i].in_study;
	if (round_params(&ctx->rules, n_study, c->n, &r.p, err) != 0)
		return -1;
	memcpy(r.announce, c->announce, ROUND_DIGEST);
	for (size_t i = 0; i < c->n; i++) {
		r.site[i].id = c->m[i].id;
		r.site[i].prekey = c->m[i].ready.prekey;
	}
	if (!roster_is_cohort(&r, ctx, NULL))
		return err_set(err, ERR_REFUSED,
		    "the sites that are ready are not the study's fixed set");
	if (roster_put(ctx, &r, &msg, err) != 0)
		return -1;
	if (roster_read(msg.data, msg.len, &c->roster, err) != 0) {
		canon_free(&msg);
		return -1;
	}
	c->own[OWN_ROSTER] = msg;
	c->phase = COORD_SHARES;
	return 0;
}

int
coord_round_add_shares(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *from, struct err *err)
{
	uint8_t leaves[ROUND_SITES_MAX][HASH_LEN], digest[ROUND_DIGEST];
	const struct roster *r = &c->roster;
	struct msg_shares s;
	struct dealing d;
	struct canon *part;
	size_t i;
	int known;

	*from = 0;
	if (c->phase < COORD_SHARES)
		return err_set(err, ERR_REFUSED, "shares: too early");
	if (msg_read_shares(r, msg, len, &s, err) != 0 ||
	    msg_get_dealing(ctx, r, s.header, s.header_len, &d, err) != 0)
		return -1;
	*from = d.site;
	i = roster_index(r, d.site);
	if ((known = may_add(c, PART_SHARES, d.site, msg, len, err)) != 0)
		return known < 0 ? -1 : 0;
	msg_commitments(&s.points, r->p.threshold, digest);
	if (!group_equal(digest, d.commitments) ||
	    !dealt_points_ok(r, &d, i, &s.points))
		return err_set(err, ERR_PEER,
		    "shares: the commitments of site %u are not valid",
		    (unsigned)d.site);
	msg_sealed_leaves(r, i, s.sealed, leaves);
	merkle_root(leaves, r->p.n, digest);
	if (!group_equal(digest, d.sealed_root))
		return err_set(err, ERR_PEER,
		    "shares: those of site %u are not the ones it signed",
		    (unsigned)d.site);
	part = &c->m[i].part[PART_SHARES];
	if (keep(part, msg, len, err) != 0)
		return -1;
	/* The same again, viewed in our copy. */
	return msg_read_shares(r, part->data, part->len, &c->m[i].shares, err);
}

/* What is marked from now on: the sites that have sent part. */
static int
fix(struct coord_round *c, const struct round_ctx *ctx, enum part part,
    bool *in, struct err *err)
{
	size_t n = have(c, part);

	if (n < c->roster.p.u_min)
		return err_set(err, ERR_REFUSED,
		    "%zu sites, at least %u must be in a sum", n,
		    (unsigned)c->roster.p.u_min);
	for (size_t i = 0; i < c->n; i++)
		in[i] = c->m[i].part[part].len != 0;
	if (!roster_is_cohort(&c->roster, ctx, in)) {
		memset(in, 0, c->n * sizeof(*in));
		return err_set(err, ERR_REFUSED,
		    "%zu sites, and not the study's fixed set", n);
	}
	return 0;
}

int
coord_round_shareset(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err)
{
	if (in_phase(c, COORD_SHARES, err) != 0 ||
	    fix(c, ctx, PART_SHARES, c->u2, err) != 0)
		return -1;
	coord_hash_u2(c);
	c->phase = COORD_UPLOADS;
	return 0;
}

/* A trailer of this round, from a site of U2. */
static int
check_trailer(const struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, struct msg_upload *u, size_t *i,
    struct err *err)
{
	if (c->phase < COORD_UPLOADS)
		return err_set(err, ERR_REFUSED, "upload: too early");
	if (msg_get_upload(ctx, msg, len, u, err) != 0)
		return -1;
	*i = find(c, u->site);
	if (*i == SIZE_MAX || !c->u2[*i] ||
	    !group_equal(u->roster, c->roster.hash) ||
	    !group_equal(u->u2, c->u2_hash) || u->words != c->about.words)
		return err_set(err, ERR_PEER,
		    "upload: that of site %u is not of this round",
		    (unsigned)u->site);
	return 0;
}

int
coord_round_peek_upload(const struct coord_round *c,
    const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_input *upload, struct err *err)
{
	struct msg_upload u;
	size_t i;

	if (check_trailer(c, ctx, msg, len, &u, &i, err) != 0)
		return -1;
	upload->site = u.site;
	memcpy(upload->root, u.root, ROUND_DIGEST);
	return 0;
}

int
coord_round_add_upload(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, const void *words, size_t n, uint16_t *from,
    struct err *err)
{
	uint8_t root[ROUND_DIGEST];
	struct msg_upload u;
	size_t i;
	int known;

	*from = 0;
	if (check_trailer(c, ctx, msg, len, &u, &i, err) != 0)
		return -1;
	*from = u.site;
	if ((known = may_add(c, PART_UPLOAD, u.site, msg, len, err)) != 0)
		return known < 0 ? -1 : 0;
	if (n == c->about.words)
		round_words_root(c->roster.p.bits, words, n, root);
	if (n != c->about.words || !group_equal(root, u.root))
		return err_set(err, ERR_PEER,
		    "upload: that of site %u is not what it signed",
		    (unsigned)u.site);
	if (keep(&c->m[i].part[PART_UPLOAD], msg, len, err) != 0)
		return -1;
	c->m[i].upload = u;
	return 0;
}

int
coord_round_add_complaint(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *from, uint16_t *liar,
    struct err *err)
{
	const struct canon *m0 = &c->own[OWN_ROSTER];

	*from = *liar = 0;
	if (in_phase(c, COORD_UPLOADS, err) != 0 ||
	    round_complaint_check(
		ctx, m0->data, m0->len, msg, len, from, liar, err) != 0)
		return -1;
	if (c->complaint.len != 0) /* one is enough to end the round */
		return 0;
	return keep(&c->complaint, msg, len, err);
}

size_t
coord_round_inputs(const struct coord_round *c, struct round_input *inputs)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (!c->u3[i])
			continue;
		inputs[n].site = c->m[i].id;
		memcpy(inputs[n].root, c->m[i].upload.root, ROUND_DIGEST);
		n++;
	}
	return n;
}

int
coord_round_list(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err)
{
	struct canon msg = { 0 };
	struct msg_list l = { 0 };

	if (in_phase(c, COORD_UPLOADS, err) != 0)
		return -1;
	if (c->complaint.len != 0)
		return err_set(err, ERR_REFUSED,
		    "a site has complained: the round can only be aborted");
	if (fix(c, ctx, PART_UPLOAD, c->u3, err) != 0)
		return -1;
	memcpy(l.roster, c->roster.hash, ROUND_DIGEST);
	memcpy(l.u2, c->u2_hash, ROUND_DIGEST);
	l.n = coord_round_inputs(c, l.input);
	if (msg_put_list(ctx, &l, &msg, err) != 0 ||
	    round_message_digest(msg.data, msg.len, c->u3_hash, err) != 0) {
		canon_free(&msg);
		return -1;
	}
	c->own[OWN_LIST] = msg;
	c->phase = COORD_CONFIRMS;
	return 0;
}

/* Whether what a site confirms or opens is this round's list. */
static int
check_list(const struct coord_round *c, const struct msg_confirm *f,
    const char *what, struct err *err)
{
	size_t i = find(c, f->site);

	if (i == SIZE_MAX || !c->u3[i] ||
	    !group_equal(f->roster, c->roster.hash) ||
	    !group_equal(f->u2, c->u2_hash) || !group_equal(f->u3, c->u3_hash))
		return err_set(err, ERR_PEER,
		    "%s: that of site %u is not of this list", what,
		    (unsigned)f->site);
	return 0;
}

int
coord_round_add_confirm(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *from, struct err *err)
{
	struct msg_confirm f;
	const uint8_t *sig;
	int known;

	*from = 0;
	if (c->phase < COORD_CONFIRMS)
		return err_set(err, ERR_REFUSED, "confirm: too early");
	if (msg_get_confirm(ctx, msg, len, &f, &sig, err) != 0)
		return -1;
	*from = f.site;
	if (check_list(c, &f, "confirm", err) != 0)
		return -1;
	if ((known = may_add(c, PART_CONFIRM, f.site, msg, len, err)) != 0)
		return known < 0 ? -1 : 0;
	return keep(&c->m[find(c, f.site)].part[PART_CONFIRM], msg, len, err);
}

int
coord_round_certificate(
    struct coord_round *c, const struct round_ctx *ctx, struct err *err)
{
	struct msg_signer signers[ROUND_SITES_MAX];
	struct msg_confirm f;
	struct canon msg = { 0 };
	size_t n = 0;

	if (in_phase(c, COORD_CONFIRMS, err) != 0)
		return -1;
	for (size_t i = 0; i < c->n; i++) {
		const struct canon *p = &c->m[i].part[PART_CONFIRM];

		if (p->len == 0)
			continue;
		signers[n].site = c->m[i].id;
		signers[n].sig = p->data + p->len - ROUND_SIGNATURE;
		n++;
	}
	if (n < c->roster.p.quorum)
		return err_set(err, ERR_REFUSED,
		    "%zu confirms, the quorum is %u", n,
		    (unsigned)c->roster.p.quorum);
	memcpy(f.roster, c->roster.hash, ROUND_DIGEST);
	memcpy(f.u2, c->u2_hash, ROUND_DIGEST);
	memcpy(f.u3, c->u3_hash, ROUND_DIGEST);
	if (msg_put_certificate(ctx, &f, signers, n, &msg, err) != 0)
		return -1;
	c->own[OWN_CERTIFICATE] = msg;
	c->phase = COORD_UNMASKS;
	return 0;
}

/* Commitments to what is opened of the site at place j. */
static const uint8_t *
opened_points(const struct coord_round *c, size_t j)
{
	const struct msg_points *p = &c->m[j].shares.points;

	return c->u3[j] ? p->g : p->f;
}

static struct combined *
combine(const struct coord_round *c, struct err *err)
{
	const uint8_t *points[ROUND_SITES_MAX];
	struct combined *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		msg_no_memory(err);
		return NULL;
	}
	for (size_t j = 0; j < c->n; j++) {
		if (!c->u2[j])
			continue;
		points[k->n] = opened_points(c, j);
		group_scalar_random(k->weights[k->n]);
		k->member[k->n++] = j;
	}
	if (!shamir_combine(
		k->weights, points, k->n, c->roster.p.threshold, k->points)) {
		err_set(err, ERR_SYSTEM, "unmask: a commitment is no point");
		free(k);
		return NULL;
	}
	return k;
}

/* All of them at once; if that fails, the first dealer whose share is wrong, by
   place, else SIZE_MAX. */
static size_t
wrong_share(const struct coord_round *c, uint16_t x, struct msg_unmask *u)
{
	struct combined *k = c->combined;
	uint8_t shares[ROUND_SITES_MAX][ROUND_KEY], sum[ROUND_KEY];
	size_t t = c->roster.p.threshold;
	bool good = true;

	for (size_t i = 0; i < k->n; i++) {
		memcpy(shares[i], u->share[k->member[i]], ROUND_KEY);
		good &= group_scalar_ok(shares[i]);
	}
	shamir_combine_shares(k->weights, shares, k->n, sum);
	if (good && shamir_check(k->points, t, x, sum))
		return SIZE_MAX;
	for (size_t i = 0; i < k->n; i++) {
		size_t j = k->member[i];

		if (!shamir_check(opened_points(c, j), t, x, u->share[j]))
			return j;
	}
	return SIZE_MAX;
}

int
coord_round_add_unmask(struct coord_round *c, const struct round_ctx *ctx,
    const void *msg, size_t len, uint16_t *from, struct err *err)
{
	const struct roster *r = &c->roster;
	struct msg_unmask u;
	uint16_t x;
	size_t j;
	int known;

	*from = 0;
	if (c->phase < COORD_UNMASKS)
		return err_set(err, ERR_REFUSED, "unmask: too early");
	if (msg_get_unmask(ctx, r, c->u2, c->u3, msg, len, &u, err) != 0)
		return -1;
	*from = u.of.site;
	if (check_list(c, &u.of, "unmask", err) != 0)
		return -1;
	if ((known = may_add(c, PART_UNMASK, u.of.site, msg, len, err)) != 0)
		return known < 0 ? -1 : 0;
	x = (uint16_t)(roster_index(r, u.of.site) + 1);
	if (c->combined == NULL && (c->combined = combine(c, err)) == NULL)
		return -1;
	if ((j = wrong_share(c, x, &u)) != SIZE_MAX)
		return err_set(err, ERR_PEER,
		    "unmask: site %u opens a wrong share of site %u's secret",
		    (unsigned)u.of.site, (unsigned)c->m[j].id);
	return keep(&c->m[x - 1].part[PART_UNMASK], msg, len, err);
}

/* Join the shares of t answers to the secrets of all of U2. */
static int
open_secrets(const struct coord_round *c, const struct round_ctx *ctx,
    struct opened *o, struct err *err)
{
	uint8_t shares[ROUND_SITES_MAX][ROUND_KEY], point[ROUND_KEY];
	size_t t = c->roster.p.threshold, n = 0;
	uint16_t x[ROUND_SITES_MAX];
	struct msg_unmask *u;
	int r = -1;

	if ((u = calloc(t, sizeof(*u))) == NULL)
		return msg_no_memory(err);
	for (size_t i = 0; i < c->n && n < t; i++) {
		const struct canon *p = &c->m[i].part[PART_UNMASK];

		if (p->len == 0)
			continue;
		if (msg_get_unmask(ctx, &c->roster, c->u2, c->u3, p->data,
			p->len, &u[n], err) != 0)
			goto out;
		x[n++] = (uint16_t)(i + 1);
	}
	if (n < t) {
		err_set(
		    err, ERR_REFUSED, "%zu unmask answers, %zu needed", n, t);
		goto out;
	}
	for (size_t j = 0; j < c->n; j++) {
		const struct msg_points *p = &c->m[j].shares.points;

		if (!c->u2[j])
			continue;
		for (size_t k = 0; k < t; k++)
			memcpy(shares[k], u[k].share[j], ROUND_KEY);
		shamir_join(x, shares, t, o->secret[j]);
		if (!group_base(o->secret[j], point) ||
		    !group_equal(point, c->u3[j] ? p->g : p->f)) {
			err_set(err, ERR_PEER,
			    "the shares do not give the secret of site %u",
			    (unsigned)c->m[j].id);
			goto out;
		}
	}
	r = 0;
out:
	free(u);
	return r;
}

int
coord_round_finish(struct coord_round *c, const struct round_ctx *ctx,
    const struct round_uploads *uploads, void *sum, struct err *err)
{
	struct result_parts parts = {
		.announce = &c->own[OWN_ANNOUNCE],
		.roster = &c->own[OWN_ROSTER],
		.list = &c->own[OWN_LIST],
		.certificate = &c->own[OWN_CERTIFICATE],
	};
	struct canon msg = { 0 };
	struct opened *o;
	int r = -1;

	if (in_phase(c, COORD_UNMASKS, err) != 0)
		return -1;
	if ((o = calloc(1, sizeof(*o))) == NULL)
		return msg_no_memory(err);
	o->roster = c->roster;
	o->words = c->about.words;
	memcpy(o->u2, c->u2, sizeof(o->u2));
	memcpy(o->u3, c->u3, sizeof(o->u3));
	memcpy(o->u2_hash, c->u2_hash, ROUND_DIGEST);
	for (size_t i = 0; i < c->n; i++) {
		const struct canon *t = &c->m[i].part[PART_UPLOAD];

		memcpy(o->root[i], c->m[i].upload.root, ROUND_DIGEST);
		parts.header[i].p = c->m[i].shares.header;
		parts.header[i].len = c->m[i].shares.header_len;
		parts.trailer[i].p = t->data;
		parts.trailer[i].len = t->len;
	}
	if (open_secrets(c, ctx, o, err) != 0 ||
	    opened_sum(o, ctx, uploads, sum, err) != 0)
		goto out;
	round_words_root(c->roster.p.bits, sum, o->words, parts.sum_root);
	if (result_put(ctx, o, &parts, &msg, err) != 0)
		goto out;
	c->own[OWN_RESULT] = msg;
	c->phase = COORD_DONE;
	r = 0;
out:
	group_wipe(o, sizeof(*o));
	free(o);
	return r;
}

int
coord_round_abort(struct coord_round *c, const struct round_ctx *ctx,
    const char *why, struct err *err)
{
	struct msg_abort a = { .complaint = c->complaint.data,
		.complaint_len = c->complaint.len };
	struct canon msg = { 0 };

	if (c->phase >= COORD_UNMASKS)
		return err_set(err, ERR_REFUSED,
		    "the round is certified and can only complete");
	memcpy(a.announce, c->announce, ROUND_DIGEST);
	strncpy(a.why, why, sizeof(a.why) - 1);
	if (msg_put_abort(ctx, &a, &msg, err) != 0)
		return -1;
	c->own[OWN_ABORT] = msg;
	c->phase = COORD_ABORTED;
	return 0;
}

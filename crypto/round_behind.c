#include "crypto/round_behind.h"

#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/group.h"
#include "crypto/hash.h"
#include "crypto/round_coord_state.h"
#include "crypto/round_msg.h"

#define KEPT_LABEL HASH_LABEL "kept"

int
round_behind_put(const struct round_ctx *ctx, const struct round_behind *b,
    struct canon *out, struct err *err)
{
	struct canon content = { 0 };

	canon_raw(&content, ctx->study, ROUND_DIGEST);
	canon_u8(&content, (uint8_t)b->wish);
	canon_u32(&content, b->step);
	canon_raw(&content, b->state, ROUND_DIGEST);
	canon_u64(&content, b->round);
	return msg_seal(ctx, "behind", &content, out, err);
}

int
round_behind_open(const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_behind *b, struct err *err)
{
	uint8_t study[ROUND_DIGEST];
	struct canon_in in;

	if (msg_open(msg, len, "behind", ctx->coordinator, &in, err) != 0)
		return -1;
	canon_get_raw(&in, study, sizeof(study));
	b->wish = canon_get_u8(&in);
	in.failed |= b->wish >= ROUND_WISHES;
	b->step = canon_get_u32(&in);
	canon_get_raw(&in, b->state, ROUND_DIGEST);
	b->round = canon_get_u64(&in);
	if (canon_end(&in, "behind", err) != 0)
		return -1;
	if (memcmp(study, ctx->study, sizeof(study)) != 0)
		return err_set(err, ERR_PEER, "behind: another study");
	return 0;
}

void
round_kept_put(const struct round_kept *k, struct canon *out)
{
	canon_text(out, KEPT_LABEL);
	for (size_t i = 0; i < KEPT_PARTS; i++)
		canon_bytes(out, k->part[i].p, k->part[i].len);
	canon_u16(out, (uint16_t)k->n);
	canon_raw(out, k->marks, k->n);
}

int
round_kept_read(
    const void *msg, size_t len, struct round_kept *k, struct err *err)
{
	struct canon_in in = canon_in(msg, len);
	char label[64];

	memset(k, 0, sizeof(*k));
	canon_get_text(&in, label, sizeof(label));
	in.failed |= strcmp(label, KEPT_LABEL) != 0;
	for (size_t i = 0; i < KEPT_PARTS; i++)
		k->part[i].p =
		    canon_get_bytes(&in, 0, ROUND_MESSAGE_MAX, &k->part[i].len);
	k->n = canon_get_u16(&in);
	in.failed |= k->n > ROUND_SITES_MAX ||
	    k->part[KEPT_ANNOUNCE].len == 0 ||
	    (k->n == 0) != (k->part[KEPT_ROSTER].len == 0);
	if (!in.failed)
		canon_get_raw(&in, k->marks, k->n);
	return canon_end(&in, "kept", err);
}

/* T0 and M0 as they were. */
static int
begin_again(struct coord_round *c, const struct round_ctx *ctx,
    const struct round_kept *k, struct err *err)
{
	struct canon *t0 = &c->own[OWN_ANNOUNCE], *m0 = &c->own[OWN_ROSTER];
	struct msg_announce a;

	canon_raw(t0, k->part[KEPT_ANNOUNCE].p, k->part[KEPT_ANNOUNCE].len);
	canon_raw(m0, k->part[KEPT_ROSTER].p, k->part[KEPT_ROSTER].len);
	if (t0->failed || m0->failed)
		return msg_no_memory(err);
	if (msg_get_announce(ctx, t0->data, t0->len, &a, err) != 0 ||
	    roster_open(ctx, m0->data, m0->len, INT64_MIN, &c->roster, err) !=
		0)
		return -1;
	if (!group_equal(c->roster.announce, a.digest) || c->roster.p.n != k->n)
		return err_set(err, ERR_PEER, "kept: not of one round");
	c->about = a.about;
	memcpy(c->announce, a.digest, ROUND_DIGEST);
	c->n = k->n;
	for (size_t i = 0; i < c->n; i++) {
		c->m[i].id = c->roster.site[i].id;
		c->m[i].ready.prekey = c->roster.site[i].prekey;
	}
	c->phase = COORD_SHARES;
	return 0;
}

/* What the site of place i has handed back of this very round; or NULL. */
static const struct round_kept *
of_site(const struct coord_round *c, size_t i, const struct round_kept *kept,
    size_t n)
{
	const struct canon *m0 = &c->own[OWN_ROSTER];

	for (size_t k = 0; k < n; k++) {
		if (kept[k].site == c->m[i].id &&
		    kept[k].part[KEPT_ROSTER].len == m0->len &&
		    memcmp(kept[k].part[KEPT_ROSTER].p, m0->data, m0->len) == 0)
			return &kept[k];
	}
	return NULL;
}

/* What is only needed of enough sites: one that is wrong is left out. */
static int
add_answers(struct coord_round *c, const struct round_ctx *ctx,
    enum kept_part part, const struct round_kept *kept, size_t n,
    struct err *err)
{
	uint16_t from;

	for (size_t i = 0; i < c->n; i++) {
		const struct round_kept *k = of_site(c, i, kept, n);

		if (k == NULL || k->part[part].len == 0)
			continue;
		if ((part == KEPT_CONFIRM
			    ? coord_round_add_confirm(c, ctx, k->part[part].p,
				  k->part[part].len, &from, err)
			    : coord_round_add_unmask(c, ctx, k->part[part].p,
				  k->part[part].len, &from, err)) < 0 &&
		    err->code == ERR_SYSTEM)
			return -1;
	}
	return 0;
}

static int
add_upload(struct coord_round *c, const struct round_ctx *ctx,
    const uint8_t *msg, size_t len, const struct round_words *words,
    struct err *err)
{
	struct round_input in;
	const void *y;
	uint16_t from;

	if (coord_round_peek_upload(c, ctx, msg, len, &in, err) != 0 ||
	    words->get(words->arg, in.site, in.root, &y, err) != 0)
		return -1;
	return coord_round_add_upload(
	    c, ctx, msg, len, y, c->about.words, &from, err);
}

/* Of all sites with that mark. */
static int
add_marked(struct coord_round *c, const struct round_ctx *ctx,
    enum kept_part part, const uint8_t *marks, const struct round_kept *kept,
    size_t n, const struct round_words *words, struct err *err)
{
	uint8_t mark = part == KEPT_SHARES ? 1 : 2;
	uint16_t from;

	for (size_t i = 0; i < c->n; i++) {
		const struct round_kept *k = of_site(c, i, kept, n);

		if ((marks[i] & mark) == 0)
			continue;
		if (k == NULL || k->part[part].len == 0)
			return err_set(err, ERR_REFUSED,
			    "what site %u has kept of the round is missing",
			    (unsigned)c->m[i].id);
		if ((part == KEPT_SHARES
			    ? coord_round_add_shares(c, ctx, k->part[part].p,
				  k->part[part].len, &from, err)
			    : add_upload(c, ctx, k->part[part].p,
				  k->part[part].len, words, err)) != 0)
			return -1;
	}
	return 0;
}

struct coord_round *
round_kept_rebuild(const struct round_ctx *ctx, const struct round_kept *kept,
    size_t n, size_t of, const struct round_words *words, struct err *err)
{
	struct coord_round *c = coord_round_new(err);
	const uint8_t *marks = kept[of].marks;
	struct coord_tally t;

	if (c == NULL)
		return NULL;
	if (begin_again(c, ctx, &kept[of], err) != 0 ||
	    add_marked(c, ctx, KEPT_SHARES, marks, kept, n, words, err) != 0 ||
	    coord_round_shareset(c, ctx, err) != 0 ||
	    add_marked(c, ctx, KEPT_UPLOAD, marks, kept, n, words, err) != 0 ||
	    coord_round_list(c, ctx, err) != 0 ||
	    add_answers(c, ctx, KEPT_CONFIRM, kept, n, err) != 0 ||
	    coord_round_certificate(c, ctx, err) != 0 ||
	    add_answers(c, ctx, KEPT_UNMASK, kept, n, err) != 0)
		goto bad;
	t = coord_round_tally(c, ctx);
	if (t.have >= t.need)
		return c;
	err_set(err, ERR_REFUSED, "%zu of %zu answers that open the sum",
	    t.have, t.need);
bad:
	coord_round_free(c);
	return NULL;
}

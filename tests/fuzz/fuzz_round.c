/*
 * Messages of a round, both sides.  The first byte chooses message and phase;
 * the rest is the content, which is then signed by whoever should have signed
 * it: a site or coordinator that breaks the protocol and knows its own key.
 */
#include "config.h"

#include "tests/check.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/round_behind.h"
#include "crypto/round_coord.h"
#include "crypto/round_msg.h"
#include "crypto/round_site.h"
#include "crypto/round_vouch.h"
#include "tests/crypto/random_fixed.h"
#include "tests/crypto/world.h"
#include "tests/fuzz/fuzz.h"

enum { STARTED, READY, SHARED, UPLOADED, CONFIRMED, UNMASKED, PHASES };

/* What arrives, and after which phase. */
static const struct arrival {
	enum round_type type;
	int phase;
	bool at_site;
} arrivals[] = {
	{ ROUND_ANNOUNCE, STARTED, true },
	{ ROUND_ROSTER, READY, true },
	{ ROUND_SHARESET, SHARED, true },
	{ ROUND_LIST, UPLOADED, true },
	{ ROUND_CERTIFICATE, CONFIRMED, true },
	{ ROUND_RESULT, UNMASKED, true },
	{ ROUND_ABORT, UPLOADED, true },
	{ ROUND_READY, STARTED, false },
	{ ROUND_SHARES, READY, false },
	{ ROUND_UPLOAD, SHARED, false },
	{ ROUND_COMPLAINT, SHARED, false },
	{ ROUND_CONFIRM, UPLOADED, false },
	{ ROUND_UNMASK, CONFIRMED, false },
	{ ROUND_VOUCHED, UNMASKED, true },
	{ ROUND_CHECKED, UNMASKED, false },
	{ ROUND_BEHIND, STARTED, true },
	{ ROUND_KEPT, STARTED, false },
};

/* Both sides as they were saved after each phase. */
static struct world *w;
static struct canon coords[PHASES], sites[PHASES];
static bool valid; /* a seed: it must be accepted */

static void
keep(int phase)
{
	coord_round_save(w->coord, &coords[phase]);
	if (w->site[0].round != NULL)
		site_round_save(w->site[0].round, &sites[phase]);
}

/* All have checked the sum; the other two vouch for it to the first. */
static void
vouch(void)
{
	static struct round_vouched v;
	struct canon *m8 = &w->site[0].got[ROUND_RESULT];
	struct round_checked c;
	uint32_t epoch;

	FUZZ_MUST(
	    round_result_peek(m8->data, m8->len, &epoch, c.sum, &w->err) == 0);
	FUZZ_MUST(round_result_peek_roster(
		      m8->data, m8->len, c.roster, &w->err) == 0);
	memset(c.state, 7, sizeof(c.state));
	for (size_t i = 0; i < w->n; i++) {
		struct canon *msg = &w->site[i].sent[ROUND_CHECKED];
		struct round_ctx ctx = w->ctx;

		ctx.secret = w->site[i].sk;
		c.site = w->members[i].id;
		FUZZ_MUST(round_checked_put(&ctx, &c, msg, &w->err) == 0);
		if (i == 0)
			continue;
		v.by[v.n].site = c.site;
		memcpy(v.by[v.n++].sig, msg->data + msg->len - ROUND_SIGNATURE,
		    ROUND_SIGNATURE);
	}
	v.result = m8->data;
	v.result_len = m8->len;
	memcpy(v.state, c.state, sizeof(v.state));
	FUZZ_MUST(round_vouched_put(&w->ctx, &v, &w->site[0].got[ROUND_VOUCHED],
		      &w->err) == 0);
}

/* What each would hand back to a coordinator that has lost the round; and what
   that would have asked. */
static void
lose(void)
{
	struct round_behind b = { .step = w->about.step,
		.round = w->about.round };

	memcpy(b.state, w->about.state, sizeof(b.state));
	FUZZ_MUST(round_behind_put(&w->ctx, &b, &w->site[0].got[ROUND_BEHIND],
		      &w->err) == 0);
	for (size_t i = 0; i < w->n; i++) {
		struct world_site *s = &w->site[i];

		site_round_put_kept(s->round, s->sent[ROUND_UPLOAD].data,
		    s->sent[ROUND_UPLOAD].len, &s->sent[ROUND_KEPT]);
	}
}

static void
begin(void)
{
	struct coord_round *first;

	if (w != NULL)
		return;
	w = world_new(3, 5);
	w->ctx.secret = w->sk;
	FUZZ_MUST(
	    (first = coord_round_start(&w->ctx, &w->about, &w->err)) != NULL);
	coord_round_save(first, &coords[STARTED]);
	coord_round_free(first);
	FUZZ_MUST(world_ready(w) == 0);
	keep(READY);
	FUZZ_MUST(world_shares(w) == 0);
	keep(SHARED);
	FUZZ_MUST(world_uploads(w) == 0);
	keep(UPLOADED);
	FUZZ_MUST(world_confirms(w) == 0);
	keep(CONFIRMED);
	FUZZ_MUST(world_unmasks(w) == 0);
	keep(UNMASKED);
	lose();
	FUZZ_MUST(world_result(w) == 0);
	vouch();
}

static int
take_vouched(const struct round_ctx *ctx, const struct canon *msg)
{
	static struct round_vouched v;
	struct round_result *r;
	struct err err;
	int rc;

	if (round_vouched_open(ctx, msg->data, msg->len, &v, &err) < 0 ||
	    (r = round_result_open(
		 ctx, &w->about, v.result, v.result_len, &err)) == NULL)
		return -1;
	rc = round_vouched_check(&v, ctx, r, &err);
	round_result_free(r);
	return rc;
}

/* What is read is written as the same bytes. */
static int
take_behind(const struct round_ctx *ctx, const struct canon *msg)
{
	struct round_ctx coordinator = *ctx;
	struct canon out = { 0 };
	struct round_behind b;
	struct err err;

	if (round_behind_open(ctx, msg->data, msg->len, &b, &err) < 0)
		return -1;
	coordinator.secret = w->sk;
	FUZZ_MUST(round_behind_put(&coordinator, &b, &out, &err) == 0);
	FUZZ_MUST(
	    out.len == msg->len && memcmp(out.data, msg->data, out.len) == 0);
	canon_free(&out);
	return 0;
}

static int
get_words(void *arg, uint16_t site, const uint8_t root[ROUND_DIGEST],
    const void **words, struct err *err)
{
	(void)arg;
	(void)root;
	(void)err;
	*words = w->site[site / 10 - 1].y;
	return 0;
}

/* From what one has handed back with what the others have the round is made
   again: if at all, as it was. */
static int
take_kept(const struct canon *msg)
{
	struct round_words words = { .get = get_words };
	struct round_uploads uploads = world_uploaded(w);
	struct round_input inputs[ROUND_SITES_MAX];
	struct round_kept kept[3];
	struct canon out = { 0 };
	struct coord_round *c;
	uint64_t sum[5];
	struct err err;

	if (round_kept_read(msg->data, msg->len, &kept[0], &err) < 0)
		return -1;
	round_kept_put(&kept[0], &out);
	FUZZ_MUST(
	    out.len == msg->len && memcmp(out.data, msg->data, out.len) == 0);
	canon_free(&out);
	kept[0].site = w->members[0].id;
	for (size_t i = 1; i < w->n; i++) {
		const struct canon *other = &w->site[i].sent[ROUND_KEPT];

		FUZZ_MUST(round_kept_read(
			      other->data, other->len, &kept[i], &err) == 0);
		kept[i].site = w->members[i].id;
	}
	if ((c = round_kept_rebuild(&w->ctx, kept, w->n, 0, &words, &err)) ==
	    NULL)
		return -1;
	FUZZ_MUST(coord_round_about(c)->round == w->about.round);
	FUZZ_MUST(coord_round_inputs(c, inputs) == w->n);
	FUZZ_MUST(coord_round_finish(c, &w->ctx, &uploads, sum, &err) == 0);
	FUZZ_MUST(memcmp(sum, w->sum, sizeof(sum)) == 0);
	coord_round_free(c);
	return 0;
}

static int
at_site(const struct arrival *a, const struct round_ctx *ctx,
    const struct canon *msg)
{
	struct canon out = { 0 };
	struct site_round *s = NULL;
	struct round_result *r;
	int rc = -1;
	uint16_t liar;
	char why[64];
	struct err err;

	if (a->phase != STARTED)
		FUZZ_MUST((s = site_round_load(sites[a->phase].data,
			       sites[a->phase].len, &err)) != NULL);
	switch (a->type) {
	case ROUND_ANNOUNCE:
		s = site_round_start(ctx, &w->about, 0, &w->site[0].prekey,
		    msg->data, msg->len, &out, &err);
		rc = s != NULL ? 0 : -1;
		break;
	case ROUND_ROSTER:
		rc = site_round_roster(s, ctx, msg->data, msg->len,
		    w->site[0].prekey_secret, WORLD_NOW, &out, &err);
		break;
	case ROUND_SHARESET:
		rc = site_round_shareset(
		    s, ctx, msg->data, msg->len, &liar, &out, &err);
		break;
	case ROUND_LIST:
		rc = site_round_list(s, ctx, msg->data, msg->len, &out, &err);
		break;
	case ROUND_CERTIFICATE:
		rc = site_round_certificate(
		    s, ctx, msg->data, msg->len, &out, &err);
		break;
	case ROUND_RESULT:
		r = round_result_open(
		    ctx, &w->about, msg->data, msg->len, &err);
		rc = r != NULL ? 0 : -1;
		round_result_free(r);
		break;
	case ROUND_VOUCHED:
		rc = take_vouched(ctx, msg);
		break;
	case ROUND_BEHIND:
		rc = take_behind(ctx, msg);
		break;
	default:
		rc = site_round_abort(
		    s, ctx, msg->data, msg->len, &liar, why, sizeof(why), &err);
	}
	site_round_free(s);
	canon_free(&out);
	return rc;
}

static int
at_coordinator(const struct arrival *a, const struct canon *msg)
{
	const struct round_ctx *ctx = &w->ctx;
	struct round_checked checked;
	struct coord_round *c;
	const uint8_t *sig;
	int rc;
	uint16_t from, liar;
	struct err err;

	FUZZ_MUST((c = coord_round_load(coords[a->phase].data,
		       coords[a->phase].len, &err)) != NULL);
	switch (a->type) {
	case ROUND_READY:
		rc = coord_round_add_ready(
		    c, ctx, msg->data, msg->len, WORLD_NOW, &from, &err);
		break;
	case ROUND_SHARES:
		rc = coord_round_add_shares(
		    c, ctx, msg->data, msg->len, &from, &err);
		break;
	case ROUND_UPLOAD:
		rc = coord_round_add_upload(c, ctx, msg->data, msg->len,
		    w->site[0].y, w->about.words, &from, &err);
		break;
	case ROUND_COMPLAINT:
		rc = coord_round_add_complaint(
		    c, ctx, msg->data, msg->len, &from, &liar, &err);
		break;
	case ROUND_CONFIRM:
		rc = coord_round_add_confirm(
		    c, ctx, msg->data, msg->len, &from, &err);
		break;
	case ROUND_CHECKED:
		rc = round_checked_open(
		    ctx, msg->data, msg->len, &checked, &sig, &err);
		break;
	case ROUND_KEPT:
		rc = take_kept(msg);
		break;
	default:
		rc = coord_round_add_unmask(
		    c, ctx, msg->data, msg->len, &from, &err);
	}
	coord_round_free(c);
	return rc;
}

#define DEALING_LEN 130 /* bytes of the content that M1 signs */

/* M1 is a signed dealing, and what it has digests of; what a site has kept is
   signed in parts. */
static int
seal(const struct round_ctx *ctx, enum round_type type, struct canon *content,
    struct canon *msg, struct err *err)
{
	struct canon dealing = { 0 }, header = { 0 };
	int rc;

	if (type == ROUND_KEPT) {
		canon_text(msg, "consilium-1/kept");
		canon_raw(msg, content->data, content->len);
		canon_free(content);
		return 0;
	}
	if (type != ROUND_SHARES || content->len < DEALING_LEN)
		return msg_seal(ctx, round_type_name(type), content, msg, err);
	canon_raw(&dealing, content->data, DEALING_LEN);
	if ((rc = msg_seal(ctx, "dealing", &dealing, &header, err)) == 0) {
		canon_text(msg, "consilium-1/shares");
		canon_bytes(msg, header.data, header.len);
		canon_raw(msg, content->data + DEALING_LEN,
		    content->len - DEALING_LEN);
	}
	canon_free(&header);
	canon_free(content);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct canon content = { 0 }, msg = { 0 };
	const struct arrival *a;
	struct round_ctx ctx;
	struct err err;
	int rc;

	begin();
	if (len == 0)
		return 0;
	random_fixed_seed("fuzz");
	a = &arrivals[data[0] % nitems(arrivals)];
	ctx = w->ctx;
	ctx.secret = a->at_site ? w->sk : w->site[0].sk;
	canon_raw(&content, data + 1, len - 1);
	if (seal(&ctx, a->type, &content, &msg, &err) == 0) {
		ctx.self = w->members[0].id;
		ctx.secret = w->site[0].sk;
		rc = a->at_site ? at_site(a, &ctx, &msg)
				: at_coordinator(a, &msg);
		FUZZ_MUST(rc == 0 || !valid);
	}
	canon_free(&msg);
	return 0;
}

static void
accept(const void *data, size_t len)
{
	LLVMFuzzerTestOneInput(data, len);
}

static void
put_valid(fuzz_put *put, int i, const void *content, size_t len)
{
	valid = true;
	fuzz_put_bytes(accept, i, content, len);
	valid = false;
	fuzz_put_bytes(put, i, content, len);
}

static void
put_shares(fuzz_put *put, int i, const struct canon *msg)
{
	struct canon_in in = canon_in(msg->data, msg->len), dealing;
	struct canon content = { 0 };
	const uint8_t *header;
	struct err err;
	size_t len;

	canon_get_bytes(&in, 1, 64, &len);
	header = canon_get_bytes(&in, 1, MSG_HEADER_MAX, &len);
	FUZZ_MUST(msg_peek(header, len, "dealing", &dealing, &err) == 0);
	FUZZ_MUST(dealing.end - dealing.p == DEALING_LEN);
	canon_raw(&content, dealing.p, DEALING_LEN);
	canon_raw(&content, in.p, (size_t)(in.end - in.p));
	put_valid(put, i, content.data, content.len);
	canon_free(&content);
}

static void
put_kept(fuzz_put *put, int i, const struct canon *msg)
{
	struct canon_in in = canon_in(msg->data, msg->len);
	size_t len;

	canon_get_bytes(&in, 1, 64, &len);
	put_valid(put, i, in.p, (size_t)(in.end - in.p));
}

void
fuzz_seeds(fuzz_put *put)
{
	begin();
	for (size_t i = 0; i < nitems(arrivals); i++) {
		const struct arrival *a = &arrivals[i];
		const struct world_site *s = &w->site[0];
		const struct canon *msg =
		    a->at_site ? &s->got[a->type] : &s->sent[a->type];
		struct canon_in in;
		struct err err;

		if (msg->len ==
		    0) { /* abort and complaint: none in this round */
			fuzz_put_text(put, (int)i, "");
		} else if (a->type == ROUND_SHARES) {
			put_shares(put, (int)i, msg);
		} else if (a->type == ROUND_KEPT) {
			put_kept(put, (int)i, msg);
		} else {
			FUZZ_MUST(
			    msg_peek(msg->data, msg->len,
				round_type_name(a->type), &in, &err) == 0);
			put_valid(put, (int)i, in.p, (size_t)(in.end - in.p));
		}
	}
}

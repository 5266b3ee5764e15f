#include "crypto/round_result.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "crypto/prg.h"
#include "crypto/round_keys.h"
#include "crypto/round_sum.h"

#define TENSOR 0 /* a round sums one vector */

struct round_result {
	struct round_about about;
	struct opened o;
	struct round_input input[ROUND_SITES_MAX];
	size_t n_inputs;
	uint8_t sum_root[ROUND_DIGEST];
};

/* Remove the masks between a site whose key was opened and all of u3. */
static int
remove_pairs(const struct opened *o, const struct round_ctx *ctx, size_t gone,
    uint64_t first, void *sum, size_t n, struct err *err)
{
	uint8_t dh[ROUND_KEY], key[PRG_KEY];
	struct pair p;
	int r = 0;

	for (size_t j = 0; j < o->roster.p.n && r == 0; j++) {
		if (!o->u3[j])
			continue;
		pair_dh(&o->roster, j, o->secret[gone], dh);
		pair_make(ctx, &o->roster, gone, j, dh, &p);
		key_mask(&p, &o->roster, o->u2_hash, TENSOR, key);
		/* j added it if j came first. */
		r = prg_apply(o->roster.p.suite, key, o->roster.p.bits, first,
		    sum, n, j < gone ? PRG_SUBTRACT : PRG_ADD, err);
		pair_wipe(&p);
	}
	group_wipe(dh, sizeof(dh));
	group_wipe(key, sizeof(key));
	return r;
}

static int
add_upload(const struct opened *o, size_t j,
    const struct round_uploads *uploads, void *sum, struct err *err)
{
	uint16_t id = o->roster.site[j].id;
	uint8_t root[ROUND_DIGEST];
	unsigned bits = o->roster.p.bits;
	const void *y;

	if (uploads->get(uploads->arg, id, &y, err) != 0)
		return -1;
	round_words_root(bits, y, o->words, root);
	if (!group_equal(root, o->root[j]))
		return err_set(err, ERR_PEER,
		    "the upload of site %u is not the one that it signed",
		    (unsigned)id);
	round_words_add(bits, sum, y, o->words);
	return 0;
}

/* Remove all masks from words first to first + n of the uploads' sum. */
static int
remove_masks(const struct opened *o, const struct round_ctx *ctx,
    uint64_t first, void *sum, size_t n, struct err *err)
{
	uint8_t key[PRG_KEY];
	int r = 0;

	for (size_t j = 0; j < o->roster.p.n && r == 0; j++) {
		if (!o->u2[j])
			continue;
		if (!o->u3[j]) {
			r = remove_pairs(o, ctx, j, first, sum, n, err);
			continue;
		}
		key_self(ctx, &o->roster, o->u2_hash, o->roster.site[j].id,
		    o->secret[j], TENSOR, key);
		r = prg_apply(o->roster.p.suite, key, o->roster.p.bits, first,
		    sum, n, PRG_SUBTRACT, err);
	}
	group_wipe(key, sizeof(key));
	return r;
}

int
opened_sum(const struct opened *o, const struct round_ctx *ctx,
    const struct round_uploads *uploads, void *sum, struct err *err)
{
	memset(sum, 0, o->words * (o->roster.p.bits / 8));
	for (size_t j = 0; j < o->roster.p.n; j++)
		if (o->u3[j] && add_upload(o, j, uploads, sum, err) != 0)
			return -1;
	return remove_masks(o, ctx, 0, sum, o->words, err);
}

static uint16_t
count(const bool *in, size_t n)
{
	uint16_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint16_t)(sum + in[i]);
	return sum;
}

static void
put_message(struct canon *c, const struct canon *msg)
{
	canon_bytes(c, msg->data, msg->len);
}

int
result_put(const struct round_ctx *ctx, const struct opened *o,
    const struct result_parts *parts, struct canon *out, struct err *err)
{
	size_t n = o->roster.p.n;
	struct canon c = { 0 };

	put_message(&c, parts->announce);
	put_message(&c, parts->roster);
	canon_u16(&c, count(o->u2, n));
	for (size_t j = 0; j < n; j++) {
		if (!o->u2[j])
			continue;
		canon_bytes(&c, parts->header[j].p, parts->header[j].len);
		canon_u8(&c, o->u3[j] ? MSG_SELF : MSG_KEY);
		canon_raw(&c, o->secret[j], ROUND_KEY);
	}
	put_message(&c, parts->list);
	put_message(&c, parts->certificate);
	canon_u16(&c, count(o->u3, n));
	for (size_t j = 0; j < n; j++)
		if (o->u3[j])
			canon_bytes(
			    &c, parts->trailer[j].p, parts->trailer[j].len);
	canon_u64(&c, o->words);
	canon_raw(&c, parts->sum_root, ROUND_DIGEST);
	return msg_seal(ctx, "result", &c, out, err);
}

struct part {
	const uint8_t *p;
	size_t len;
};

static struct part
get_part(struct canon_in *in, size_t max)
{
	struct part part;

	part.p = canon_get_bytes(in, 1, max, &part.len);
	return part;
}

/* U2: the signed headers, and an opened secret for each. */
static int
get_u2(struct round_result *r, const struct round_ctx *ctx, struct canon_in *in,
    uint8_t *kinds, struct err *err)
{
	uint8_t digests[ROUND_SITES_MAX][ROUND_DIGEST], point[ROUND_KEY];
	struct opened *o = &r->o;
	uint16_t n = canon_get_u16(in);
	struct dealing d;
	size_t i, next = 0;

	for (uint16_t k = 0; k < n && !in->failed; k++) {
		struct part header = get_part(in, MSG_HEADER_MAX);

		if (in->failed)
			break;
		if (msg_get_dealing(
			ctx, &o->roster, header.p, header.len, &d, err) != 0)
			return -1;
		i = roster_index(&o->roster, d.site);
		if (i < next)
			return err_set(err, ERR_PEER,
			    "result: site %u twice or out of order",
			    (unsigned)d.site);
		next = i + 1;
		o->u2[i] = true;
		memcpy(digests[i], d.digest, ROUND_DIGEST);
		kinds[i] = canon_get_u8(in);
		canon_get_raw(in, o->secret[i], ROUND_KEY);
		if (in->failed)
			break;
		if (!group_scalar_ok(o->secret[i]) ||
		    !group_base(o->secret[i], point) ||
		    !group_equal(point,
			kinds[i] == MSG_SELF ? d.self
					     : o->roster.site[i].prekey.pk))
			return err_set(err, ERR_PEER,
			    "result: what was opened for site %u is not its "
			    "secret",
			    (unsigned)d.site);
	}
	if (in->failed)
		return canon_end(in, "result", err);
	if (n < o->roster.p.u_min)
		return err_set(err, ERR_PEER,
		    "result: a share set of %u sites, at least %u needed",
		    (unsigned)n, (unsigned)o->roster.p.u_min);
	msg_u2_hash(&o->roster, o->u2, digests, o->u2_hash);
	return 0;
}

/* U3: the list, its certificate, and each upload's own signed trailer. */
static int
get_u3(struct round_result *r, const struct round_ctx *ctx, struct canon_in *in,
    const uint8_t *kinds, struct err *err)
{
	struct part list = get_part(in, ROUND_MESSAGE_MAX),
		    cert = get_part(in, ROUND_MESSAGE_MAX), trailer;
	struct opened *o = &r->o;
	struct msg_confirm f;
	struct msg_upload u;
	struct msg_list l;

	if (in->failed)
		return canon_end(in, "result", err);
	if (msg_get_list(ctx, &o->roster, o->u2, o->u2_hash, list.p, list.len,
		&l, o->u3, err) != 0)
		return -1;
	memcpy(f.roster, o->roster.hash, ROUND_DIGEST);
	memcpy(f.u2, o->u2_hash, ROUND_DIGEST);
	memcpy(f.u3, l.hash, ROUND_DIGEST);
	if (msg_get_certificate(
		ctx, &o->roster, o->u3, &f, cert.p, cert.len, err) != 0)
		return -1;
	for (size_t i = 0; i < o->roster.p.n; i++)
		if (o->u2[i] && kinds[i] != (o->u3[i] ? MSG_SELF : MSG_KEY))
			return err_set(err, ERR_PEER,
			    "result: the wrong secret of site %u was opened",
			    (unsigned)o->roster.site[i].id);
	if (canon_get_u16(in) != l.n)
		in->failed = true;
	for (size_t k = 0; k < l.n && !in->failed; k++) {
		trailer = get_part(in, MSG_SMALL_MAX);
		if (in->failed)
			break;
		if (msg_get_upload(ctx, trailer.p, trailer.len, &u, err) != 0)
			return -1;
		if (u.site != l.input[k].site || u.words != r->about.words ||
		    !group_equal(u.roster, f.roster) ||
		    !group_equal(u.u2, f.u2) ||
		    !group_equal(u.root, l.input[k].root))
			return err_set(err, ERR_PEER,
			    "result: site %u signed another upload",
			    (unsigned)l.input[k].site);
		memcpy(o->root[roster_index(&o->roster, u.site)], u.root,
		    ROUND_DIGEST);
		r->input[k].site = u.site;
		memcpy(r->input[k].root, u.root, ROUND_DIGEST);
	}
	r->n_inputs = l.n;
	return in->failed ? canon_end(in, "result", err) : 0;
}

/* Whether what a round is about is what was expected. */
static int
check_about(const struct round_about *got, const struct round_about *expect,
    struct err *err)
{
	if (!group_equal(got->state, expect->state) ||
	    got->step != expect->step || strcmp(got->kind, expect->kind) != 0 ||
	    got->words != expect->words)
		return err_set(err, ERR_REFUSED,
		    "result: of step %lu (%s), or of another state than this "
		    "site's step %lu (%s)",
		    (unsigned long)got->step, got->kind,
		    (unsigned long)expect->step, expect->kind);
	return 0;
}

static int
get_result(struct round_result *r, const struct round_ctx *ctx,
    const struct round_about *expect, struct canon_in *in, struct err *err)
{
	struct part announce = get_part(in, ROUND_MESSAGE_MAX),
		    roster = get_part(in, ROUND_MESSAGE_MAX);
	uint8_t kinds[ROUND_SITES_MAX] = { 0 };
	struct round_ctx then = *ctx;
	struct msg_announce a;

	if (in->failed)
		return canon_end(in, "result", err);
	if (msg_get_announce(ctx, announce.p, announce.len, &a, err) != 0 ||
	    (expect != NULL && check_about(&a.about, expect, err) != 0))
		return -1;
	/* Who is in the first sum is the fixed set; its roster may have more. */
	if (a.about.step == 0)
		then.n_cohort = 0;
	if (roster_open(
		&then, roster.p, roster.len, INT64_MIN, &r->o.roster, err) != 0)
		return -1;
	if (!group_equal(r->o.roster.announce, a.digest))
		return err_set(err, ERR_PEER,
		    "result: the roster is of another announcement");
	r->about = a.about;
	r->o.words = a.about.words;
	if (get_u2(r, ctx, in, kinds, err) != 0 ||
	    get_u3(r, ctx, in, kinds, err) != 0)
		return -1;
	if (canon_get_u64(in) != r->about.words)
		in->failed = true;
	canon_get_raw(in, r->sum_root, ROUND_DIGEST);
	return canon_end(in, "result", err);
}

struct round_result *
round_result_open(const struct round_ctx *ctx, const struct round_about *expect,
    const void *msg, size_t len, struct err *err)
{
	struct round_result *r;
	struct canon_in in;

	if (msg_open(msg, len, "result", ctx->coordinator, &in, err) != 0)
		return NULL;
	if ((r = calloc(1, sizeof(*r))) == NULL) {
		msg_no_memory(err);
		return NULL;
	}
	if (get_result(r, ctx, expect, &in, err) != 0) {
		round_result_free(r);
		return NULL;
	}
	return r;
}

int
round_result_peek(const void *msg, size_t len, uint32_t *epoch,
    uint8_t sum_root[ROUND_DIGEST], struct err *err)
{
	struct canon_in in;
	struct part part;

	if (msg_peek(msg, len, "result", &in, err) != 0)
		return -1;
	part = get_part(&in, ROUND_MESSAGE_MAX);
	if (in.failed || in.end - in.p < ROUND_DIGEST)
		return err_set(err, ERR_FORMAT, "result: cut short");
	memcpy(sum_root, in.end - ROUND_DIGEST, ROUND_DIGEST); /* comes last */
	return round_announce_peek(part.p, part.len, epoch, err);
}

int
round_result_peek_roster(
    const void *msg, size_t len, uint8_t roster[ROUND_DIGEST], struct err *err)
{
	struct canon_in in;
	struct part part;

	if (msg_peek(msg, len, "result", &in, err) != 0)
		return -1;
	get_part(&in, ROUND_MESSAGE_MAX);
	part = get_part(&in, ROUND_MESSAGE_MAX);
	if (in.failed)
		return err_set(err, ERR_FORMAT, "result: cut short");
	return round_message_digest(part.p, part.len, roster, err);
}

void
round_result_free(struct round_result *r)
{
	if (r != NULL)
		group_wipe(r, sizeof(*r));
	free(r);
}

const struct round_about *
round_result_about(const struct round_result *r)
{
	return &r->about;
}

const struct round_params *
round_result_params(const struct round_result *r)
{
	return &r->o.roster.p;
}

const uint8_t *
round_result_roster(const struct round_result *r)
{
	return r->o.roster.hash;
}

const uint8_t *
round_result_sum_root(const struct round_result *r)
{
	return r->sum_root;
}

size_t
round_result_inputs(const struct round_result *r)
{
	return r->n_inputs;
}

const struct round_input *
round_result_input(const struct round_result *r, size_t k)
{
	return &r->input[k];
}

int
round_upload_peek(
    const void *msg, size_t len, struct round_input *upload, struct err *err)
{
	struct msg_upload u;

	if (msg_read_upload(msg, len, &u, err) != 0)
		return -1;
	upload->site = u.site;
	memcpy(upload->root, u.root, ROUND_DIGEST);
	return 0;
}

int
round_result_sum(const struct round_result *r, const struct round_ctx *ctx,
    const struct round_uploads *uploads, void *sum, struct err *err)
{
	uint8_t root[ROUND_DIGEST];

	if (opened_sum(&r->o, ctx, uploads, sum, err) != 0)
		return -1;
	round_words_root(r->o.roster.p.bits, sum, r->about.words, root);
	if (!group_equal(root, r->sum_root))
		return err_set(err, ERR_PEER,
		    "result: its sum is not that of the uploads");
	return 0;
}

int
round_result_unmask(const struct round_result *r, const struct round_ctx *ctx,
    uint64_t first, void *sum, size_t n, struct err *err)
{
	return remove_masks(&r->o, ctx, first, sum, n, err);
}

#include "crypto/round_msg.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/hash.h"

static const char *const type_names[] = {
	[ROUND_NONE] = "none",
	[ROUND_ANNOUNCE] = "announce",
	[ROUND_READY] = "ready",
	[ROUND_ROSTER] = "roster",
	[ROUND_SHARES] = "shares",
	[ROUND_SHARESET] = "shareset",
	[ROUND_COMPLAINT] = "complaint",
	[ROUND_UPLOAD] = "upload",
	[ROUND_LIST] = "list",
	[ROUND_CONFIRM] = "confirm",
	[ROUND_CERTIFICATE] = "certificate",
	[ROUND_UNMASK] = "unmask",
	[ROUND_RESULT] = "result",
	[ROUND_ABORT] = "abort",
	[ROUND_CHECKED] = "checked",
	[ROUND_VOUCHED] = "vouched",
	[ROUND_BEHIND] = "behind",
	[ROUND_KEPT] = "kept",
};

const char *
round_type_name(enum round_type t)
{
	assert((size_t)t < nitems(type_names));
	return type_names[t];
}

static bool
begins_with(const void *msg, size_t len, const char *type)
{
	struct canon_in in = canon_in(msg, len);
	char label[64];
	size_t n = strlen(HASH_LABEL);

	canon_get_text(&in, label, sizeof(label));
	return !in.failed && strncmp(label, HASH_LABEL, n) == 0 &&
	    strcmp(label + n, type) == 0;
}

enum round_type
round_message_type(const void *msg, size_t len)
{
	for (size_t t = ROUND_ANNOUNCE; t < nitems(type_names); t++)
		if (begins_with(msg, len, type_names[t]))
			return (enum round_type)t;
	return ROUND_NONE;
}

int
msg_no_memory(struct err *err)
{
	return err_set(err, ERR_SYSTEM, "not enough memory");
}

/* The two fields that a signature is over. */
static void
put_signed_part(
    struct canon *out, const char *type, const void *content, size_t len)
{
	char label[64];

	snprintf(label, sizeof(label), "%s%s", HASH_LABEL, type);
	canon_text(out, label);
	canon_bytes(out, content, len);
}

int
msg_signature(const uint8_t *secret, const char *type, const void *content,
    size_t len, uint8_t sig[ROUND_SIGNATURE], struct err *err)
{
	struct canon part = { 0 };
	int r = -1;

	put_signed_part(&part, type, content, len);
	if (secret == NULL)
		err_set(err, ERR_REFUSED, "no key to sign with");
	else if (part.failed)
		msg_no_memory(err);
	else
		r = crypto_sign_detached(
		    sig, NULL, part.data, part.len, secret);
	canon_free(&part);
	return r;
}

bool
msg_signed_by(const uint8_t pk[ROUND_KEY], const char *type,
    const void *content, size_t len, const uint8_t sig[ROUND_SIGNATURE])
{
	uint8_t room[MSG_SMALL + 2 * 4 + 64];
	struct canon part = canon_on(room, sizeof(room));

	put_signed_part(&part, type, content, len);
	return crypto_sign_verify_detached(sig, part.data, part.len, pk) == 0;
}

int
msg_seal(const struct round_ctx *ctx, const char *type, struct canon *content,
    struct canon *out, struct err *err)
{
	uint8_t sig[ROUND_SIGNATURE];
	int r = -1;

	if (content->failed) {
		msg_no_memory(err);
		goto out;
	}
	if (msg_signature(
		ctx->secret, type, content->data, content->len, sig, err) != 0)
		goto out;
	put_signed_part(out, type, content->data, content->len);
	canon_raw(out, sig, sizeof(sig));
	if (!out->failed)
		r = 0;
	else {
		canon_free(out);
		msg_no_memory(err);
	}
out:
	canon_free(content);
	return r;
}

/* The content, and how many bytes are signed. */
static int
split(const void *msg, size_t len, const char *type, struct canon_in *content,
    size_t *signed_len, const uint8_t **sig, struct err *err)
{
	struct canon_in in = canon_in(msg, len);
	const uint8_t *p;
	size_t n;

	if (len > ROUND_MESSAGE_MAX || !begins_with(msg, len, type))
		return err_set(err, ERR_FORMAT, "not a message \"%s\"", type);
	canon_get_bytes(&in, 1, 64, &n);
	p = canon_get_bytes(&in, 0, ROUND_MESSAGE_MAX, &n);
	*signed_len = (size_t)(in.p - (const uint8_t *)msg);
	*sig = canon_get_view(&in, ROUND_SIGNATURE);
	if (canon_end(&in, type, err) != 0)
		return -1;
	*content = canon_in(p, n);
	return 0;
}

int
msg_peek(const void *msg, size_t len, const char *type,
    struct canon_in *content, struct err *err)
{
	const uint8_t *sig;
	size_t n;

	return split(msg, len, type, content, &n, &sig, err);
}

int
msg_open(const void *msg, size_t len, const char *type,
    const uint8_t pk[ROUND_KEY], struct canon_in *content, struct err *err)
{
	const uint8_t *sig;
	size_t n;

	if (split(msg, len, type, content, &n, &sig, err) != 0)
		return -1;
	if (crypto_sign_verify_detached(sig, msg, n, pk) != 0)
		return err_set(err, ERR_PEER,
		    "%s: the signature is not its sender's", type);
	return 0;
}

int
round_message_digest(
    const void *msg, size_t len, uint8_t digest[ROUND_DIGEST], struct err *err)
{
	struct canon_in in = canon_in(msg, len);
	size_t n;

	canon_get_bytes(&in, 1, 64, &n);
	canon_get_bytes(&in, 0, ROUND_MESSAGE_MAX, &n);
	hash_sha256(msg, (size_t)(in.p - (const uint8_t *)msg), digest);
	canon_get_view(&in, ROUND_SIGNATURE);
	return canon_end(&in, "signed message", err);
}

const struct round_member *
msg_member(const struct round_ctx *ctx, uint16_t id)
{
	for (size_t i = 0; i < ctx->n_members; i++)
		if (ctx->members[i].id == id)
			return ctx->members[i].in_study ? &ctx->members[i]
							: NULL;
	return NULL;
}

int
msg_open_from_site(const struct round_ctx *ctx, const void *msg, size_t len,
    const char *type, size_t site_at, struct canon_in *content, struct err *err)
{
	const struct round_member *m;
	struct canon_in in;
	uint16_t id;

	if (msg_peek(msg, len, type, &in, err) != 0)
		return -1;
	canon_get_view(&in, site_at);
	id = canon_get_u16(&in);
	if (in.failed)
		return canon_end(&in, type, err);
	if ((m = msg_member(ctx, id)) == NULL)
		return err_set(err, ERR_PEER,
		    "%s: site %u is not one of the study", type, (unsigned)id);
	if (msg_open(msg, len, type, m->pk, content, err) != 0)
		return err_prefix(err, "site %u", (unsigned)id);
	return 0;
}

void
msg_put_about(struct canon *out, const struct round_about *about)
{
	canon_u64(out, about->round);
	canon_u32(out, about->step);
	canon_text(out, about->kind);
	canon_u64(out, about->words);
	canon_raw(out, about->state, ROUND_DIGEST);
}

void
msg_get_about(struct canon_in *in, struct round_about *about)
{
	*about = (struct round_about){ .round = canon_get_u64(in) };
	about->step = canon_get_u32(in);
	canon_get_text(in, about->kind, sizeof(about->kind));
	about->words = canon_get_u64(in);
	canon_get_raw(in, about->state, ROUND_DIGEST);
	if (about->words < 1 || about->words > ROUND_WORDS_MAX)
		in->failed = true;
}

int
msg_put_announce(const struct round_ctx *ctx, const struct round_about *about,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, ctx->consortium, ROUND_DIGEST);
	canon_u32(&c, ctx->epoch);
	canon_raw(&c, ctx->study, ROUND_DIGEST);
	msg_put_about(&c, about);
	return msg_seal(ctx, "announce", &c, out, err);
}

int
msg_get_announce(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_announce *a, struct err *err)
{
	uint8_t consortium[ROUND_DIGEST], study[ROUND_DIGEST];
	struct canon_in in;
	uint32_t epoch;

	if (msg_open(msg, len, "announce", ctx->coordinator, &in, err) != 0)
		return -1;
	canon_get_raw(&in, consortium, sizeof(consortium));
	epoch = canon_get_u32(&in);
	canon_get_raw(&in, study, sizeof(study));
	msg_get_about(&in, &a->about);
	if (canon_end(&in, "announce", err) != 0)
		return -1;
	if (memcmp(consortium, ctx->consortium, sizeof(consortium)) != 0)
		return err_set(err, ERR_PEER, "announce: another consortium");
	if (epoch != ctx->epoch)
		return err_set(err, ERR_PEER,
		    "announce: manifest epoch %lu, expected %lu",
		    (unsigned long)epoch, (unsigned long)ctx->epoch);
	if (memcmp(study, ctx->study, sizeof(study)) != 0)
		return err_set(err, ERR_PEER, "announce: another study");
	return round_message_digest(msg, len, a->digest, err);
}

int
msg_put_ready(const struct round_ctx *ctx, const struct msg_ready *r,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, r->announce, ROUND_DIGEST);
	canon_u16(&c, r->site);
	prekey_put(&c, &r->prekey);
	return msg_seal(ctx, "ready", &c, out, err);
}

int
msg_get_ready(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_ready *r, struct err *err)
{
	struct canon_in in;

	if (msg_open_from_site(
		ctx, msg, len, "ready", ROUND_DIGEST, &in, err) != 0)
		return -1;
	canon_get_raw(&in, r->announce, ROUND_DIGEST);
	r->site = canon_get_u16(&in);
	prekey_get(&in, &r->prekey);
	return canon_end(&in, "ready", err);
}

int
msg_put_upload(const struct round_ctx *ctx, const struct msg_upload *u,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, u->roster, ROUND_DIGEST);
	canon_raw(&c, u->u2, ROUND_DIGEST);
	canon_u16(&c, u->site);
	canon_u64(&c, u->words);
	canon_raw(&c, u->root, ROUND_DIGEST);
	return msg_seal(ctx, "upload", &c, out, err);
}

static int
read_upload(struct canon_in *in, struct msg_upload *u, struct err *err)
{
	canon_get_raw(in, u->roster, ROUND_DIGEST);
	canon_get_raw(in, u->u2, ROUND_DIGEST);
	u->site = canon_get_u16(in);
	u->words = canon_get_u64(in);
	canon_get_raw(in, u->root, ROUND_DIGEST);
	return canon_end(in, "upload", err);
}

int
msg_read_upload(
    const void *msg, size_t len, struct msg_upload *u, struct err *err)
{
	struct canon_in in;

	if (msg_peek(msg, len, "upload", &in, err) != 0)
		return -1;
	return read_upload(&in, u, err);
}

int
msg_get_upload(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_upload *u, struct err *err)
{
	struct canon_in in;

	if (msg_open_from_site(
		ctx, msg, len, "upload", 2 * ROUND_DIGEST, &in, err) != 0)
		return -1;
	return read_upload(&in, u, err);
}

int
msg_put_list(const struct round_ctx *ctx, const struct msg_list *l,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, l->roster, ROUND_DIGEST);
	canon_raw(&c, l->u2, ROUND_DIGEST);
	canon_u16(&c, (uint16_t)l->n);
	for (size_t k = 0; k < l->n; k++) {
		canon_u16(&c, l->input[k].site);
		canon_raw(&c, l->input[k].root, ROUND_DIGEST);
	}
	return msg_seal(ctx, "list", &c, out, err);
}

int
msg_read_list(const void *msg, size_t len, struct msg_list *l, struct err *err)
{
	struct canon_in in;

	if (msg_peek(msg, len, "list", &in, err) != 0)
		return -1;
	canon_get_raw(&in, l->roster, ROUND_DIGEST);
	canon_get_raw(&in, l->u2, ROUND_DIGEST);
	l->n = canon_get_u16(&in);
	if (l->n > ROUND_SITES_MAX)
		in.failed = true;
	for (size_t k = 0; k < l->n && !in.failed; k++) {
		l->input[k].site = canon_get_u16(&in);
		canon_get_raw(&in, l->input[k].root, ROUND_DIGEST);
		if (k > 0 && l->input[k].site <= l->input[k - 1].site)
			in.failed = true;
	}
	if (canon_end(&in, "list", err) != 0)
		return -1;
	return round_message_digest(msg, len, l->hash, err);
}

int
msg_get_list(const struct round_ctx *ctx, const struct roster *r,
    const bool *u2, const uint8_t u2_hash[ROUND_DIGEST], const void *msg,
    size_t len, struct msg_list *l, bool *in, struct err *err)
{
	struct canon_in content;

	if (msg_open(msg, len, "list", ctx->coordinator, &content, err) != 0 ||
	    msg_read_list(msg, len, l, err) != 0)
		return -1;
	if (!group_equal(l->roster, r->hash) || !group_equal(l->u2, u2_hash))
		return err_set(
		    err, ERR_PEER, "list: of another roster or share set");
	memset(in, 0, r->p.n * sizeof(*in));
	for (size_t k = 0; k < l->n; k++) {
		size_t i = roster_index(r, l->input[k].site);

		if (i == SIZE_MAX || !u2[i])
			return err_set(err, ERR_PEER,
			    "list: site %u is not one of the share set",
			    (unsigned)l->input[k].site);
		in[i] = true;
	}
	if (l->n < r->p.u_min)
		return err_set(err, ERR_PEER,
		    "list: %zu sites, at least %u must be in a sum", l->n,
		    (unsigned)r->p.u_min);
	if (!roster_is_cohort(r, ctx, in))
		return err_set(
		    err, ERR_PEER, "list: not the study's fixed set of sites");
	return 0;
}

static void
put_confirm(struct canon *c, const struct msg_confirm *f, uint16_t site)
{
	canon_raw(c, f->roster, ROUND_DIGEST);
	canon_raw(c, f->u2, ROUND_DIGEST);
	canon_raw(c, f->u3, ROUND_DIGEST);
	canon_u16(c, site);
}

static void
get_confirm(struct canon_in *in, struct msg_confirm *f)
{
	canon_get_raw(in, f->roster, ROUND_DIGEST);
	canon_get_raw(in, f->u2, ROUND_DIGEST);
	canon_get_raw(in, f->u3, ROUND_DIGEST);
	f->site = canon_get_u16(in);
}

int
msg_put_confirm(const struct round_ctx *ctx, const struct msg_confirm *f,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	put_confirm(&c, f, f->site);
	return msg_seal(ctx, "confirm", &c, out, err);
}

int
msg_get_confirm(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_confirm *f, const uint8_t **sig, struct err *err)
{
	struct canon_in in;

	if (msg_open_from_site(
		ctx, msg, len, "confirm", 3 * ROUND_DIGEST, &in, err) != 0)
		return -1;
	get_confirm(&in, f);
	*sig = (const uint8_t *)msg + len - ROUND_SIGNATURE;
	return canon_end(&in, "confirm", err);
}

int
msg_put_certificate(const struct round_ctx *ctx, const struct msg_confirm *f,
    const struct msg_signer *signers, size_t n, struct canon *out,
    struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, f->roster, ROUND_DIGEST);
	canon_raw(&c, f->u2, ROUND_DIGEST);
	canon_raw(&c, f->u3, ROUND_DIGEST);
	canon_u16(&c, (uint16_t)n);
	for (size_t k = 0; k < n; k++) {
		canon_u16(&c, signers[k].site);
		canon_raw(&c, signers[k].sig, ROUND_SIGNATURE);
	}
	return msg_seal(ctx, "certificate", &c, out, err);
}

/* Whether site, in u3, signed a confirm of f. */
static int
check_signer(const struct round_ctx *ctx, const struct roster *r,
    const bool *u3, const struct msg_confirm *f, const struct msg_signer *s,
    struct err *err)
{
	const struct round_member *m = msg_member(ctx, s->site);
	size_t i = roster_index(r, s->site);
	uint8_t room[MSG_SMALL];
	struct canon c = canon_on(room, sizeof(room));

	if (m == NULL || i == SIZE_MAX || !u3[i])
		return err_set(err, ERR_PEER,
		    "certificate: site %u is not one of the list",
		    (unsigned)s->site);
	put_confirm(&c, f, s->site);
	if (!msg_signed_by(m->pk, "confirm", c.data, c.len, s->sig))
		return err_set(err, ERR_PEER,
		    "certificate: site %u has not confirmed this list",
		    (unsigned)s->site);
	return 0;
}

int
msg_get_certificate(const struct round_ctx *ctx, const struct roster *r,
    const bool *u3, const struct msg_confirm *f, const void *msg, size_t len,
    struct err *err)
{
	uint16_t n, last = 0;
	struct msg_signer s;
	struct msg_confirm of;
	struct canon_in in;

	if (msg_open(msg, len, "certificate", ctx->coordinator, &in, err) != 0)
		return -1;
	canon_get_raw(&in, of.roster, ROUND_DIGEST);
	canon_get_raw(&in, of.u2, ROUND_DIGEST);
	canon_get_raw(&in, of.u3, ROUND_DIGEST);
	n = canon_get_u16(&in);
	if ((size_t)(in.end - in.p) != (size_t)n * (2 + ROUND_SIGNATURE))
		in.failed = true;
	if (in.failed)
		return canon_end(&in, "certificate", err);
	if (!group_equal(of.roster, f->roster) || !group_equal(of.u2, f->u2) ||
	    !group_equal(of.u3, f->u3))
		return err_set(
		    err, ERR_PEER, "certificate: of another round or list");
	if (n < r->p.quorum)
		return err_set(err, ERR_PEER,
		    "certificate: %u confirms, the quorum is %u", (unsigned)n,
		    (unsigned)r->p.quorum);
	for (size_t k = 0; k < n; k++) {
		s.site = canon_get_u16(&in);
		s.sig = canon_get_view(&in, ROUND_SIGNATURE);
		if (s.site <= last)
			return err_set(err, ERR_PEER,
			    "certificate: site %u twice or out of order",
			    (unsigned)s.site);
		if (check_signer(ctx, r, u3, f, &s, err) != 0)
			return -1;
		last = s.site;
	}
	return canon_end(&in, "certificate", err);
}

static size_t
count(const bool *in, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += in[i];
	return sum;
}

int
msg_put_unmask(const struct round_ctx *ctx, const struct roster *r,
    const bool *u2, const bool *u3, const struct msg_unmask *u,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	put_confirm(&c, &u->of, u->of.site);
	canon_u16(&c, (uint16_t)count(u2, r->p.n));
	for (size_t j = 0; j < r->p.n; j++) {
		if (!u2[j])
			continue;
		canon_u16(&c, r->site[j].id);
		canon_u8(&c, u3[j] ? MSG_SELF : MSG_KEY);
		canon_raw(&c, u->share[j], ROUND_KEY);
	}
	return msg_seal(ctx, "unmask", &c, out, err);
}

int
msg_get_unmask(const struct round_ctx *ctx, const struct roster *r,
    const bool *u2, const bool *u3, const void *msg, size_t len,
    struct msg_unmask *u, struct err *err)
{
	struct canon_in in;
	bool ok;

	if (msg_open_from_site(
		ctx, msg, len, "unmask", 3 * ROUND_DIGEST, &in, err) != 0)
		return -1;
	get_confirm(&in, &u->of);
	ok = canon_get_u16(&in) == count(u2, r->p.n);
	for (size_t j = 0; j < r->p.n && !in.failed; j++) {
		if (!u2[j])
			continue;
		ok = canon_get_u16(&in) == r->site[j].id && ok;
		ok = canon_get_u8(&in) == (u3[j] ? MSG_SELF : MSG_KEY) && ok;
		canon_get_raw(&in, u->share[j], ROUND_KEY);
	}
	if (canon_end(&in, "unmask", err) != 0)
		return -1;
	if (!ok)
		return err_set(err, ERR_PEER,
		    "unmask: site %u opens other shares than were due",
		    (unsigned)u->of.site);
	return 0;
}

int
msg_put_abort(const struct round_ctx *ctx, const struct msg_abort *a,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };

	canon_raw(&c, a->announce, ROUND_DIGEST);
	canon_text(&c, a->why);
	canon_bytes(&c, a->complaint, a->complaint_len);
	return msg_seal(ctx, "abort", &c, out, err);
}

int
msg_get_abort(const struct round_ctx *ctx, const void *msg, size_t len,
    struct msg_abort *a, struct err *err)
{
	struct canon_in in;

	if (msg_open(msg, len, "abort", ctx->coordinator, &in, err) != 0)
		return -1;
	canon_get_raw(&in, a->announce, ROUND_DIGEST);
	canon_get_text(&in, a->why, sizeof(a->why));
	a->complaint =
	    canon_get_bytes(&in, 0, MSG_COMPLAINT_MAX, &a->complaint_len);
	if (a->complaint_len == 0)
		a->complaint = NULL;
	return canon_end(&in, "abort", err);
}

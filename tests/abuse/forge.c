#include "config.h"

#include "tests/abuse/forge.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/round_keys.h"

struct canon told[2][SITES_MAX][ROUND_TYPES];
struct canon answered[2][SITES_MAX][ROUND_TYPES];
uint32_t at_step[SITES_MAX];
enum fate (*attack)(size_t site, enum round_type type, struct canon *msg);
enum fate (*lie)(size_t site, enum round_type type, struct canon *msg);
bool victim_first;

/* A quorum of the others could end the round before site 0 is asked. */
static bool
waits_for_victim(size_t i, enum round_type type)
{
	return victim_first && i != 0 && at_step[i] == at_step[0] &&
	    (type == ROUND_LIST || type == ROUND_CERTIFICATE) &&
	    last_told(0, type)->len == 0;
}

static void
record(struct canon *where, const struct canon *msg)
{
	canon_free(where);
	canon_raw(where, msg->data, msg->len);
}

static enum fate
on_told(struct site *s, enum round_type type, struct canon *msg)
{
	size_t i = (size_t)(s - h.sites);
	struct msg_announce a;
	struct context c;
	struct err err;

	if (type == ROUND_ANNOUNCE &&
	    msg_get_announce(ctx_of(NULL, &c), msg->data, msg->len, &a, &err) ==
		0)
		at_step[i] = a.about.step;
	if (waits_for_victim(i, type))
		return LOSE;
	record(&told[at_step[i] != 0][i][type], msg);
	return attack != NULL ? attack(i, type, msg) : PASS;
}

static enum fate
on_said(struct site *s, enum round_type type, struct canon *msg)
{
	size_t i = (size_t)(s - h.sites);

	record(&answered[at_step[i] != 0][i][type], msg);
	return lie != NULL ? lie(i, type, msg) : PASS;
}

void
forge_start(void)
{
	attack = NULL;
	lie = NULL;
	victim_first = false;
	memset(at_step, 0, sizeof(at_step));
	h.to_site = on_told;
	h.to_rounds = on_said;
}

void
forge_stop(void)
{
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < SITES_MAX; i++) {
			for (size_t j = 0; j < ROUND_TYPES; j++) {
				canon_free(&told[k][i][j]);
				canon_free(&answered[k][i][j]);
			}
		}
	}
}

const struct canon *
last_told(size_t site, enum round_type type)
{
	return &told[at_step[site] != 0][site][type];
}

const struct canon *
last_said(size_t site, enum round_type type)
{
	return &answered[at_step[site] != 0][site][type];
}

struct canon
copy_of(const struct canon *msg)
{
	struct canon copy = { 0 };

	assert_true(msg->len != 0);
	canon_raw(&copy, msg->data, msg->len);
	return copy;
}

struct canon
content_of(const struct canon *msg, const char *type)
{
	struct canon content = { 0 };
	struct canon_in in;
	struct err err;

	ok(msg_peek(msg->data, msg->len, type, &in, &err), &err);
	canon_raw(&content, in.p, (size_t)(in.end - in.p));
	return content;
}

struct canon
signed_anew(const struct site *s, const char *type, struct canon content)
{
	struct canon msg = { 0 };
	struct context c;
	struct err err;

	ok(msg_seal(ctx_of(s, &c), type, &content, &msg, &err), &err);
	return msg;
}

void
true_announce(size_t site, struct round_about *about)
{
	const struct canon *msg = last_told(site, ROUND_ANNOUNCE);
	struct context c;
	struct err err;

	ok(round_announce_open(
	       ctx_of(NULL, &c), msg->data, msg->len, about, &err),
	    &err);
}

struct canon
announce_of(const struct round_about *about)
{
	struct canon msg = { 0 };
	struct context c;
	struct err err;

	ok(msg_put_announce(ctx_of(NULL, &c), about, &msg, &err), &err);
	return msg;
}

void
true_roster(size_t site, struct roster *r)
{
	const struct canon *msg = last_told(site, ROUND_ROSTER);
	struct err err;

	ok(roster_read(msg->data, msg->len, r, &err), &err);
}

struct canon
roster_of(const struct roster *r)
{
	struct canon msg = { 0 };
	struct context c;
	struct err err;

	ok(roster_put(ctx_of(NULL, &c), r, &msg, &err), &err);
	return msg;
}

void
sign_prekey(const struct key *by, uint16_t site, struct prekey *p)
{
	const struct round_ctx *ctx;
	struct canon content = { 0 };
	struct context c;
	struct err err;

	ctx = ctx_of(NULL, &c);
	canon_raw(&content, ctx->consortium, ROUND_DIGEST);
	canon_u32(&content, ctx->epoch);
	canon_u16(&content, site);
	canon_u32(&content, p->id);
	canon_raw(&content, p->pk, ROUND_KEY);
	canon_u64(&content, (uint64_t)p->expiry);
	ok(msg_signature(key_secret(by), "prekey", content.data, content.len,
	       p->sig, &err),
	    &err);
	canon_free(&content);
}

struct canon
shareset_of(size_t to, const bool *in)
{
	uint8_t leaves[ROUND_SITES_MAX][HASH_LEN],
	    path[MERKLE_DEPTH_MAX][HASH_LEN];
	struct canon content = { 0 };
	struct roster r;
	uint16_t n = 0;
	struct err err;

	true_roster(to, &r);
	for (size_t j = 0; j < r.p.n; j++)
		n = (uint16_t)(n + in[j]);
	canon_raw(&content, r.hash, ROUND_DIGEST);
	canon_u16(&content, r.site[to].id);
	canon_u16(&content, n);
	for (size_t j = 0; j < r.p.n; j++) {
		const struct canon *m1 = last_said(j, ROUND_SHARES);
		struct msg_shares s;
		struct msg_dealt d;

		if (!in[j])
			continue;
		ok(msg_read_shares(&r, m1->data, m1->len, &s, &err), &err);
		d = (struct msg_dealt){ .header = s.header,
			.header_len = s.header_len,
			.points = s.points,
			.sealed = msg_sealed_for(s.sealed, j, to),
			.path = path[0] };
		if (j != to) {
			msg_sealed_leaves(&r, j, s.sealed, leaves);
			d.path_len = merkle_path(leaves, r.p.n, to, path);
		}
		msg_put_dealt(&content, &d, r.p.threshold);
	}
	return signed_anew(NULL, "shareset", content);
}

void
true_list(size_t site, struct msg_list *l)
{
	const struct canon *msg = last_told(site, ROUND_LIST);
	struct err err;

	ok(msg_read_list(msg->data, msg->len, l, &err), &err);
}

struct canon
list_of(const struct msg_list *l)
{
	struct canon msg = { 0 };
	struct context c;
	struct err err;

	ok(msg_put_list(ctx_of(NULL, &c), l, &msg, &err), &err);
	return msg;
}

struct msg_confirm
confirm_of(const struct msg_list *l)
{
	struct msg_confirm f = { 0 };

	memcpy(f.roster, l->roster, ROUND_DIGEST);
	memcpy(f.u2, l->u2, ROUND_DIGEST);
	memcpy(f.u3, l->hash, ROUND_DIGEST);
	return f;
}

struct canon
certificate_of(const struct msg_confirm *f, const struct msg_confirm *signs,
    const uint16_t *ids, const size_t *keys, size_t n)
{
	struct canon confirms[SITES_MAX] = { 0 }, msg = { 0 };
	struct msg_signer by[SITES_MAX];
	struct context c;
	struct err err;

	for (size_t k = 0; k < n; k++) {
		struct msg_confirm one = signs != NULL ? *signs : *f;

		one.site = ids[k];
		ok(msg_put_confirm(
		       ctx_of(&h.sites[keys[k]], &c), &one, &confirms[k], &err),
		    &err);
		by[k].site = ids[k];
		by[k].sig =
		    confirms[k].data + confirms[k].len - ROUND_SIGNATURE;
	}
	ok(msg_put_certificate(ctx_of(NULL, &c), f, by, n, &msg, &err), &err);
	for (size_t k = 0; k < n; k++)
		canon_free(&confirms[k]);
	return msg;
}

struct canon
abort_of(size_t site, const char *why)
{
	const struct canon *t0 = last_told(site, ROUND_ANNOUNCE);
	struct msg_abort a = { 0 };
	struct canon msg = { 0 };
	struct context c;
	struct err err;

	ok(round_message_digest(t0->data, t0->len, a.announce, &err), &err);
	snprintf(a.why, sizeof(a.why), "%s", why);
	ok(msg_put_abort(ctx_of(NULL, &c), &a, &msg, &err), &err);
	return msg;
}

struct canon
shares_of(size_t site, const struct roster *r, const struct msg_shares *shares)
{
	uint8_t leaves[ROUND_SITES_MAX][HASH_LEN];
	struct dealing d = shares->dealing;
	struct canon header = { 0 }, msg = { 0 };
	struct context c;
	struct err err;

	msg_sealed_leaves(r, site, shares->sealed, leaves);
	merkle_root(leaves, r->p.n, d.sealed_root);
	msg_commitments(&shares->points, r->p.threshold, d.commitments);
	ok(msg_put_dealing(ctx_of(&h.sites[site], &c), &d, &header, &err),
	    &err);
	msg_put_shares(header.data, header.len, r->p.threshold, r->p.n,
	    &shares->points, shares->sealed, &msg);
	canon_free(&header);
	return msg;
}

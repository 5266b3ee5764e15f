#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "crypto/hash.h"
#include "crypto/round_coord_state.h"

#define SAVED_LABEL HASH_LABEL "coord-round-1"

struct coord_round *
coord_round_new(struct err *err)
{
	struct coord_round *c = calloc(1, sizeof(*c));

	if (c == NULL ||
	    (c->m = calloc(ROUND_SITES_MAX, sizeof(*c->m))) == NULL) {
		msg_no_memory(err);
		free(c);
		return NULL;
	}
	return c;
}

void
coord_round_free(struct coord_round *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < PART_N; k++)
			canon_free(&c->m[i].part[k]);
	for (size_t k = 0; k < OWN_N; k++)
		canon_free(&c->own[k]);
	canon_free(&c->complaint);
	free(c->combined);
	free(c->m);
	free(c);
}

size_t
coord_marked(const struct coord_round *c, const bool *in)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += in[i];
	return n;
}

void
coord_hash_u2(struct coord_round *c)
{
	uint8_t digests[ROUND_SITES_MAX][ROUND_DIGEST];

	for (size_t i = 0; i < c->n; i++)
		if (c->u2[i])
			memcpy(digests[i], c->m[i].shares.dealing.digest,
			    ROUND_DIGEST);
	msg_u2_hash(&c->roster, c->u2, digests, c->u2_hash);
}

void
coord_round_save(const struct coord_round *c, struct canon *out)
{
	canon_text(out, SAVED_LABEL);
	canon_u8(out, (uint8_t)c->phase);
	msg_put_about(out, &c->about);
	for (size_t k = 0; k < OWN_N; k++)
		canon_bytes(out, c->own[k].data, c->own[k].len);
	canon_bytes(out, c->complaint.data, c->complaint.len);
	canon_u16(out, (uint16_t)c->n);
	for (size_t i = 0; i < c->n; i++) {
		canon_u16(out, c->m[i].id);
		canon_u8(out, (uint8_t)(c->u2[i] | c->u3[i] << 1));
		for (size_t k = 0; k < PART_N; k++)
			canon_bytes(
			    out, c->m[i].part[k].data, c->m[i].part[k].len);
	}
}

/* true: there is no memory for it. */
static bool
load_message(struct canon_in *in, struct canon *msg)
{
	size_t len;
	const uint8_t *p = canon_get_bytes(in, 0, ROUND_MESSAGE_MAX, &len);

	canon_raw(msg, p, p != NULL ? len : 0);
	return msg->failed;
}

/* What the parts say, from the stored messages: form only. */
static int
load_member(struct coord_round *c, size_t i, struct err *err)
{
	struct coord_member *m = &c->m[i];
	const struct canon *p = m->part;
	struct canon_in in;

	if (msg_peek(
		p[PART_READY].data, p[PART_READY].len, "ready", &in, err) != 0)
		return -1;
	canon_get_raw(&in, m->ready.announce, ROUND_DIGEST);
	m->ready.site = canon_get_u16(&in);
	prekey_get(&in, &m->ready.prekey);
	if (canon_end(&in, "ready", err) != 0)
		return -1;
	if (p[PART_SHARES].len != 0 &&
	    msg_read_shares(&c->roster, p[PART_SHARES].data, p[PART_SHARES].len,
		&m->shares, err) != 0)
		return -1;
	if (p[PART_UPLOAD].len != 0 &&
	    msg_read_upload(
		p[PART_UPLOAD].data, p[PART_UPLOAD].len, &m->upload, err) != 0)
		return -1;
	if (m->ready.site != m->id ||
	    (c->own[OWN_ROSTER].len != 0 && c->roster.site[i].id != m->id) ||
	    (c->u2[i] && p[PART_SHARES].len == 0) ||
	    (c->u3[i] && p[PART_UPLOAD].len == 0))
		return err_set(
		    err, ERR_FORMAT, "stored round: parts are missing");
	return 0;
}

static int
load_parts(struct coord_round *c, struct err *err)
{
	const struct canon *own = c->own;

	if (round_message_digest(own[OWN_ANNOUNCE].data, own[OWN_ANNOUNCE].len,
		c->announce, err) != 0)
		return -1;
	if (own[OWN_ROSTER].len != 0) {
		if (roster_read(own[OWN_ROSTER].data, own[OWN_ROSTER].len,
			&c->roster, err) != 0)
			return -1;
		if (c->roster.p.n != c->n || !roster_points_ok(&c->roster))
			return err_set(err, ERR_FORMAT,
			    "stored round: not its own roster");
	}
	for (size_t i = 0; i < c->n; i++)
		if (load_member(c, i, err) != 0)
			return -1;
	if (coord_marked(c, c->u2) != 0)
		coord_hash_u2(c);
	if (own[OWN_LIST].len != 0 &&
	    round_message_digest(
		own[OWN_LIST].data, own[OWN_LIST].len, c->u3_hash, err) != 0)
		return -1;
	return 0;
}

/* Whether the messages are there that a phase has behind it. */
static bool
complete(const struct coord_round *c)
{
	static const enum own behind[] = {
		[COORD_SHARES] = OWN_ROSTER,
		[COORD_UPLOADS] = OWN_ROSTER,
		[COORD_CONFIRMS] = OWN_LIST,
		[COORD_UNMASKS] = OWN_CERTIFICATE,
		[COORD_DONE] = OWN_RESULT,
		[COORD_ABORTED] = OWN_ABORT,
	};

	if (c->phase < COORD_READY || c->phase > COORD_ABORTED)
		return false;
	if (c->phase >= COORD_SHARES && c->phase <= COORD_DONE &&
	    c->own[OWN_ROSTER].len == 0)
		return false;
	return c->phase == COORD_READY || c->own[behind[c->phase]].len != 0;
}

struct coord_round *
coord_round_load(const void *bytes, size_t len, struct err *err)
{
	struct canon_in in = canon_in(bytes, len);
	struct coord_round *c = coord_round_new(err);
	bool no_memory = false;
	char label[64];

	if (c == NULL)
		return NULL;
	canon_get_text(&in, label, sizeof(label));
	if (strcmp(label, SAVED_LABEL) != 0)
		in.failed = true;
	c->phase = canon_get_u8(&in);
	msg_get_about(&in, &c->about);
	for (size_t k = 0; k < OWN_N; k++)
		no_memory |= load_message(&in, &c->own[k]);
	no_memory |= load_message(&in, &c->complaint);
	c->n = canon_get_u16(&in);
	if (in.failed || c->n > ROUND_SITES_MAX) {
		in.failed = true;
		c->n = 0;
	}
	for (size_t i = 0; i < c->n; i++) {
		uint8_t marks;

		c->m[i].id = canon_get_u16(&in);
		marks = canon_get_u8(&in);
		in.failed |= marks > 3;
		c->u2[i] = marks & 1;
		c->u3[i] = marks >> 1 & 1;
		for (size_t k = 0; k < PART_N; k++)
			no_memory |= load_message(&in, &c->m[i].part[k]);
	}
	if (no_memory) {
		msg_no_memory(err);
		goto bad;
	}
	if (canon_end(&in, "stored round", err) != 0)
		goto bad;
	if (!complete(c)) {
		err_set(err, ERR_FORMAT, "stored round: parts are missing");
		goto bad;
	}
	if (load_parts(c, err) != 0)
		goto bad;
	return c;
bad:
	coord_round_free(c);
	return NULL;
}

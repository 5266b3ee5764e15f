#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "crypto/round_site_state.h"

#define SAVED_LABEL HASH_LABEL "site-round-3"
#define SAVED_LABEL_2 HASH_LABEL "site-round-2" /* without T0 */

/* sodium_malloc() fills with a pattern; nothing here may look like a share. */
struct secrets *
site_secrets_new(struct err *err)
{
	struct secrets *x;

	if (sodium_init() < 0 || (x = sodium_malloc(sizeof(*x))) == NULL) {
		err_sys(err, "guarded memory for a round");
		return NULL;
	}
	memset(x, 0, sizeof(*x));
	return x;
}

void
site_round_save(const struct site_round *s, struct canon *out)
{
	canon_text(out, SAVED_LABEL);
	canon_u8(out, (uint8_t)s->phase);
	canon_u16(out, s->self);
	canon_u32(out, s->epoch);
	msg_put_about(out, &s->about);
	canon_bytes(out, s->announce_msg.data, s->announce_msg.len);
	canon_raw(out, s->announce, ROUND_DIGEST);
	prekey_put(out, &s->prekey);
	canon_bytes(out, s->roster_msg.data, s->roster_msg.len);
	canon_raw(out, s->digest, ROUND_DIGEST);
	for (size_t j = 0; j < s->roster.p.n; j++)
		canon_u8(out, (uint8_t)(s->u2[j] | s->u3[j] << 1));
	canon_raw(out, s->u2_hash, ROUND_DIGEST);
	canon_raw(out, s->u3_hash, ROUND_DIGEST);
	canon_raw(out, s->root, ROUND_DIGEST);
	for (size_t i = 0; i < ASKED_N; i++) {
		canon_u8(out, s->answers[i].given);
		canon_raw(out, s->answers[i].question, HASH_LEN);
		canon_bytes(
		    out, s->answers[i].bytes.data, s->answers[i].bytes.len);
	}
	canon_u8(out, s->x != NULL);
	if (s->x == NULL)
		return;
	canon_raw(out, s->x->key, ROUND_KEY);
	canon_raw(out, s->x->seed, ROUND_KEY);
	for (size_t j = 0; j < s->roster.p.n; j++) {
		canon_raw(out, s->x->f[j], ROUND_KEY);
		canon_raw(out, s->x->g[j], ROUND_KEY);
	}
}

static int
load_announce(struct site_round *s, struct canon_in *in, struct err *err)
{
	size_t len;
	const uint8_t *p = canon_get_bytes(in, 0, ROUND_MESSAGE_MAX, &len);

	canon_raw(&s->announce_msg, p, p != NULL ? len : 0);
	return s->announce_msg.failed ? msg_no_memory(err) : 0;
}

static int
load_roster(struct site_round *s, struct canon_in *in, struct err *err)
{
	size_t len;
	const uint8_t *p = canon_get_bytes(in, 0, ROUND_MESSAGE_MAX, &len);

	if (in->failed || len == 0)
		return 0;
	canon_raw(&s->roster_msg, p, len);
	if (s->roster_msg.failed)
		return msg_no_memory(err);
	return roster_read(p, len, &s->roster, err);
}

/* Everything after the roster. */
static int
load_rest(struct site_round *s, struct canon_in *in, struct err *err)
{
	uint8_t secrets;

	canon_get_raw(in, s->digest, ROUND_DIGEST);
	for (size_t j = 0; j < s->roster.p.n; j++) {
		uint8_t marks = canon_get_u8(in);

		in->failed |= marks > 3;
		s->u2[j] = marks & 1;
		s->u3[j] = marks >> 1 & 1;
	}
	canon_get_raw(in, s->u2_hash, ROUND_DIGEST);
	canon_get_raw(in, s->u3_hash, ROUND_DIGEST);
	canon_get_raw(in, s->root, ROUND_DIGEST);
	for (size_t i = 0; i < ASKED_N && !in->failed; i++) {
		uint8_t given = canon_get_u8(in);
		const uint8_t *p;
		size_t len;

		in->failed |= given > 1;
		s->answers[i].given = given != 0;
		canon_get_raw(in, s->answers[i].question, HASH_LEN);
		p = canon_get_bytes(in, 0, ROUND_MESSAGE_MAX, &len);
		canon_raw(&s->answers[i].bytes, p, p != NULL ? len : 0);
		if (s->answers[i].bytes.failed)
			return msg_no_memory(err);
	}
	secrets = canon_get_u8(in);
	in->failed |= secrets > 1;
	if (secrets == 0)
		return 0;
	if ((s->x = site_secrets_new(err)) == NULL)
		return -1;
	canon_get_raw(in, s->x->key, ROUND_KEY);
	canon_get_raw(in, s->x->seed, ROUND_KEY);
	for (size_t j = 0; j < s->roster.p.n; j++) {
		canon_get_raw(in, s->x->f[j], ROUND_KEY);
		canon_get_raw(in, s->x->g[j], ROUND_KEY);
	}
	return 0;
}

struct site_round *
site_round_load(const void *bytes, size_t len, struct err *err)
{
	struct canon_in in = canon_in(bytes, len);
	struct site_round *s;
	bool with_announce;
	char label[64];

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		msg_no_memory(err);
		return NULL;
	}
	canon_get_text(&in, label, sizeof(label));
	with_announce = strcmp(label, SAVED_LABEL) == 0;
	if (!with_announce && strcmp(label, SAVED_LABEL_2) != 0)
		in.failed = true;
	s->phase = canon_get_u8(&in);
	if (s->phase < SITE_READY || s->phase > SITE_ENDED)
		in.failed = true;
	s->self = canon_get_u16(&in);
	s->epoch = canon_get_u32(&in);
	msg_get_about(&in, &s->about);
	if (with_announce && load_announce(s, &in, err) != 0)
		goto bad;
	canon_get_raw(&in, s->announce, ROUND_DIGEST);
	prekey_get(&in, &s->prekey);
	if (load_roster(s, &in, err) != 0 || load_rest(s, &in, err) != 0 ||
	    canon_end(&in, "stored round", err) != 0)
		goto bad;
	/* What a phase relies on. */
	if (!roster_points_ok(&s->roster) ||
	    (s->x != NULL && s->phase <= SITE_KEYED &&
		!group_scalar_ok(s->x->key))) {
		err_set(err, ERR_FORMAT, "stored round: its keys are none");
		goto bad;
	}
	if ((s->roster_msg.len != 0 &&
		roster_index(&s->roster, s->self) == SIZE_MAX) ||
	    (s->x != NULL) !=
		(s->phase >= SITE_SHARED && s->phase <= SITE_CONFIRMED) ||
	    (s->roster_msg.len == 0 && s->phase >= SITE_SHARED &&
		s->phase <= SITE_UNMASKED)) {
		err_set(err, ERR_FORMAT, "stored round: parts are missing");
		goto bad;
	}
	return s;
bad:
	site_round_free(s);
	return NULL;
}

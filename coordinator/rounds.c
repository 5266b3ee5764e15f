/*
 * Process `rounds`: the coordinator's side of consilium-1.  See rounds.h.
 */
#include "coordinator/rounds.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/checkpoint.h"
#include "crypto/prg.h"
#include "crypto/signed.h"

#define HOLD_MS 20000 /* a question is answered by then, if with nothing */
#define TICK_MS 1000

/*
 * Answers to the listener
 */

static int
send_reply(struct rounds *s, uint64_t tag, uint32_t status, const void *body,
    size_t len, struct err *err)
{
	struct canon out = { 0 };

	canon_u32(&out, status);
	canon_raw(&out, body, len);
	return chan_send_canon(
	    child_peer(&s->child, PROC_LISTENER), MSG_REPLY, tag, &out, err);
}

/* An error of the site's; one of ours ends the process. */
static int
reply_error(
    struct rounds *s, uint64_t tag, const struct err *why, struct err *err)
{
	if (why->code == ERR_SYSTEM) {
		*err = *why;
		return -1;
	}
	s->refused++;
	return send_reply(
	    s, tag, (uint32_t)why->code, why->msg, strlen(why->msg), err);
}

static int
reply(struct rounds *s, uint64_t tag, const struct canon *body, struct err *err)
{
	if (body->failed)
		return err_set(err, ERR_SYSTEM, "reply: out of memory");
	return send_reply(s, tag, 0, body->data, body->len, err);
}

/*
 * Next
 */

static bool
knows(const struct exchange_next *q, const uint8_t digest[BOOK_DIGEST])
{
	for (size_t i = 0; i < q->n; i++) {
		if (memcmp(q->studies[i].digest, digest, BOOK_DIGEST) == 0)
			return true;
	}
	return false;
}

/* A study that names the site and that it does not have: 1, 0 or -1. */
static int
unknown_study(struct rounds *s, uint16_t site, const struct exchange_next *q,
    struct canon *out, struct err *err)
{
	for (struct work *w = s->works; w != NULL; w = w->next) {
		if (signed_study_index(w->sig, site) == SIZE_MAX ||
		    knows(q, w->digest))
			continue;
		return book_study_object(s->book, w->id, out, err);
	}
	return 0;
}

static void
say_unknown(struct rounds *s, uint16_t site)
{
	if (!s->lacks_study)
		log_event(EVENT_RESTORED, LOG_ERR, NULL, 0,
		    "site %u takes part in a study that this database does not "
		    "have: it was restored from a backup; submit the study "
		    "again",
		    site);
	s->lacks_study = true;
}

/* What there is to say to the site: 1 and the message, 0 or -1. */
static int
find_answer(struct rounds *s, uint16_t site, const struct exchange_next *q,
    struct canon *out, struct err *err)
{
	int rv;

	assert(s->manifest != NULL); /* or nobody could have asked */
	/* One after the other: results of each epoch are checked against the
	   manifest that was in force. */
	if (q->epoch > s->manifest->epoch && !s->is_old) {
		s->is_old = true;
		log_event(EVENT_RESTORED, LOG_ERR, NULL, 0,
		    "site %u has the manifest of epoch %u, this database "
		    "that of %u: it was restored from a backup; submit the "
		    "newer manifests again, one after the other",
		    site, q->epoch, s->manifest->epoch);
	}
	if (q->epoch < s->manifest->epoch)
		return book_manifest_after(s->book, q->epoch, out, err);
	if ((rv = unknown_study(s, site, q, out, err)) != 0)
		return rv;
	for (size_t i = 0; i < q->n; i++) {
		const struct exchange_study *x = &q->studies[i];
		struct work *w = work_find(s, x->digest);

		if (w == NULL && x->standing == EXCHANGE_READY)
			say_unknown(s, site);
		if (w == NULL || x->standing != EXCHANGE_READY)
			continue;
		if ((rv = work_owes(w, site, x, out, err)) != 0)
			return rv;
	}
	return 0;
}

static int tick(void *self, struct err *err);

int
rounds_wake(struct rounds *s, struct err *err)
{
	int64_t now = clock_mono_ms();

	for (struct waiting **p = &s->waiting; *p != NULL;) {
		struct waiting *w = *p;
		struct canon out = { 0 };
		int rv = find_answer(s, w->site, &w->question, &out, err);

		if (rv == 0 && now < w->until_ms) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		if (rv >= 0)
			rv = reply(s, w->tag, &out, err);
		canon_free(&out);
		free(w);
		if (rv < 0)
			return -1;
	}
	if (rounds_show(s, err) < 0)
		return -1;
	return loop_set_timer(s->loop,
	    s->waiting != NULL || rounds_connected(s) > 0 ? TICK_MS : -1, tick,
	    s, err);
}

static int
tick(void *self, struct err *err)
{
	return rounds_wake(self, err);
}

static int
on_next(struct rounds *s, uint64_t tag, uint16_t site, const uint8_t *body,
    size_t len, struct err *err)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct err why;

	if (w == NULL)
		return err_sys(err, "a question");
	if (exchange_next_read(body, len, &w->question, &why) < 0) {
		free(w);
		return reply_error(s, tag, &why, err);
	}
	/* A site asks one question at a time: a new one ends the old, so that
	   there are never more than members. */
	for (struct waiting **p = &s->waiting; *p != NULL;) {
		struct waiting *old = *p;

		if (old->site != site) {
			p = &old->next;
			continue;
		}
		*p = old->next;
		if (send_reply(s, old->tag, 0, NULL, 0, err) < 0) {
			free(old);
			free(w);
			return -1;
		}
		free(old);
	}
	w->tag = tag;
	w->site = site;
	w->until_ms = clock_mono_ms() + HOLD_MS;
	w->next = s->waiting;
	s->waiting = w;
	return rounds_wake(s, err);
}

/*
 * Send, PutChunk, GetChunk
 */

/* 1: it is new, 0: it is the one that we know; -1: why not. */
static int
check_checkpoint(const struct checkpoint *c, int known,
    const struct book_checkpoint *old, struct err *why)
{
	if (known == 0 || memcmp(old->key, c->key, sizeof(old->key)) != 0 ||
	    c->state.count > old->lines)
		return 1;
	if (c->state.count == old->lines &&
	    memcmp(old->head, c->state.head, sizeof(old->head)) == 0)
		return 0;
	return err_set(why, ERR_PEER,
	    "a checkpoint of %" PRIu64 " lines, and line %" PRIu64
	    " was countersigned: the audit log was shortened or written anew",
	    c->state.count, old->lines);
}

/*
 * A log that is not the one we know.  The site is shown what it has signed
 * itself: where it has lost its state it learns that from nobody's word but its
 * own.
 */
static int
refuse_checkpoint(struct rounds *s, uint64_t tag, uint16_t site,
    const struct err *why, struct err *err)
{
	struct canon old = { 0 }, out = { 0 };
	char who[8];
	int rv = -1;

	snprintf(who, sizeof(who), "%u", site);
	log_event(EVENT_SITE_REFUSED, LOG_WARNING,
	    (struct log_field[]){ log_field("SITE", "%u", site) }, 1,
	    "site %u: %s", site, why->msg);
	if (audit_event(s->audit, err, "refused", "site", who, "why", why->msg,
		NULL) < 0 ||
	    book_checkpoint_object(s->book, site, &old, err) < 0)
		goto out;
	if (old.len == 0)
		rv = reply_error(s, tag, why, err);
	else if (checkpoint_countersign(
		     old.data, old.len, clock_utc(), s->key, &out, err) == 0)
		rv = reply(s, tag, &out, err);
	s->refused += old.len != 0;
out:
	canon_free(&old);
	canon_free(&out);
	return rv;
}

/* A site's audit log: how far it is is a line of ours, and countersigned. */
static int
on_checkpoint(struct rounds *s, uint64_t tag, uint16_t site,
    const uint8_t *body, size_t len, struct err *err)
{
	const struct manifest_site *m = manifest_by_id(s->manifest, site);
	char who[8], lines[24], head[2 * AUDIT_HASH + 1];
	struct book_checkpoint old, new;
	struct canon out = { 0 };
	struct checkpoint c;
	struct err why;
	int known, rv;

	assert(m != NULL); /* on_request() takes none of others */
	if (checkpoint_open(body, len, m->member.key, &c, &why) < 0)
		return reply_error(s, tag, &why, err);
	if ((known = book_get_checkpoint(s->book, site, &old, err)) < 0)
		return -1;
	snprintf(who, sizeof(who), "%u", site);
	snprintf(lines, sizeof(lines), "%" PRIu64, c.state.count);
	hex_text(c.state.head, sizeof(c.state.head), head);
	if ((rv = check_checkpoint(&c, known, &old, &why)) < 0)
		return refuse_checkpoint(s, tag, site, &why, err);
	new.lines = c.state.count;
	memcpy(new.key, c.key, sizeof(new.key));
	memcpy(new.head, c.state.head, sizeof(new.head));
	if ((rv == 1 &&
		(audit_event(s->audit, err, "checkpoint", "site", who, "lines",
		     lines, "head", head, NULL) < 0 ||
		    book_put_checkpoint(s->book, site, &new, body, len, err) <
			0)) ||
	    checkpoint_countersign(body, len, clock_utc(), s->key, &out, err) <
		0)
		rv = -1;
	else
		rv = reply(s, tag, &out, err);
	canon_free(&out);
	return rv;
}

static int
on_send(struct rounds *s, uint64_t tag, uint16_t site, const uint8_t *body,
    size_t len, struct err *err)
{
	uint8_t study[BOOK_DIGEST];
	const uint8_t *msg;
	enum round_type type;
	size_t msg_len;
	struct work *w;
	char who[8], is[SIGNED_TYPE_MAX + 1];
	struct err why;

	if (signed_type(body, len, is, &why) == 0 &&
	    strcmp(is, CHECKPOINT_TYPE) == 0)
		return on_checkpoint(s, tag, site, body, len, err);
	if (exchange_unwrap(body, len, study, &msg, &msg_len, &why) < 0)
		return reply_error(s, tag, &why, err);
	if ((w = work_find(s, study)) == NULL) {
		err_set(&why, ERR_REFUSED, "no such study here");
		return reply_error(s, tag, &why, err);
	}
	type = round_message_type(msg, msg_len);
	if (work_message(w, site, msg, msg_len, &why) < 0) {
		/* A round goes on when enough have confirmed or unmasked; the
		   others did right, and nobody waits for them. */
		if (why.code == ERR_REFUSED &&
		    (type == ROUND_CONFIRM || type == ROUND_UNMASK))
			return send_reply(s, tag, 0, NULL, 0, err);
		snprintf(who, sizeof(who), "%u", site);
		if (why.code == ERR_PEER &&
		    audit_event(s->audit, err, "refused", "study", w->name,
			"site", who, "why", why.msg, NULL) < 0)
			return -1;
		if (why.code != ERR_SYSTEM)
			log_event(EVENT_SITE_REFUSED, LOG_WARNING,
			    (struct log_field[]){
				log_field("STUDY", "%s", w->name),
				log_field("SITE", "%u", site) },
			    2, "%s of site %u refused: %s",
			    round_type_name(type), site, why.msg);
		return reply_error(s, tag, &why, err);
	}
	if (send_reply(s, tag, 0, NULL, 0, err) < 0 ||
	    work_progress(w, err) < 0)
		return -1;
	return rounds_wake(s, err);
}

static int
on_put_chunk(struct rounds *s, uint64_t tag, uint16_t site, const uint8_t *body,
    size_t len, struct err *err)
{
	struct canon_in in = canon_in(body, len);
	uint8_t root[ROUND_DIGEST];
	struct canon out = { 0 };
	uint32_t index, have;
	struct err why;
	int rv;

	canon_get_raw(&in, root, sizeof(root));
	index = canon_get_u32(&in);
	if (in.failed) {
		err_set(&why, ERR_FORMAT, "chunk cut short");
		return reply_error(s, tag, &why, err);
	}
	if (rounds_put_chunk(s, site, root, index, in.p,
		(size_t)(in.end - in.p), &have, &why) < 0)
		return reply_error(s, tag, &why, err);
	canon_u32(&out, have);
	rv = reply(s, tag, &out, err);
	canon_free(&out);
	return rv;
}

static int
on_get_chunk(struct rounds *s, uint64_t tag, uint16_t site, const uint8_t *body,
    size_t len, struct err *err)
{
	struct canon_in in = canon_in(body, len);
	uint8_t root[ROUND_DIGEST];
	struct canon out = { 0 }, data = { 0 };
	uint32_t index, total;
	struct err why;
	int rv;

	(void)site;
	canon_get_raw(&in, root, sizeof(root));
	index = canon_get_u32(&in);
	if (canon_end(&in, "GetChunk", &why) < 0 ||
	    rounds_get_chunk(s, root, index, &total, &data, &why) < 0) {
		rv = reply_error(s, tag, &why, err);
	} else {
		canon_u32(&out, total);
		canon_raw(&out, data.data, data.len);
		rv = reply(s, tag, &out, err);
	}
	canon_free(&out);
	canon_free(&data);
	return rv;
}

static int (*const methods[])(struct rounds *s, uint64_t tag, uint16_t site,
    const uint8_t *body, size_t len, struct err *err) = {
	[REQUEST_NEXT] = on_next,
	[REQUEST_SEND] = on_send,
	[REQUEST_PUT_CHUNK] = on_put_chunk,
	[REQUEST_GET_CHUNK] = on_get_chunk,
};

static int
on_request(void *self, struct msg *m, struct err *err)
{
	struct rounds *s = self;
	struct canon_in in = canon_in(m->data, m->len);
	uint8_t method = canon_get_u8(&in);
	uint32_t site = canon_get_u32(&in);
	const struct manifest_site *by =
	    s->manifest != NULL && site <= UINT16_MAX
	    ? manifest_by_id(s->manifest, (uint16_t)site)
	    : NULL;
	struct err why;

	if (method == 0 || method >= nitems(methods))
		return err_set(err, ERR_PEER, "request %u", method);
	/* The listener holds the list; what it has let in may be revoked
	   meanwhile. */
	if (by == NULL || !by->active) {
		err_set(&why, ERR_REFUSED, "not an active member");
		return reply_error(s, m->tag, &why, err);
	}
	s->heard_ms[site] = clock_mono_ms();
	return methods[method](
	    s, m->tag, (uint16_t)site, in.p, (size_t)(in.end - in.p), err);
}

static const struct handler from_listener[] = {
	{ MSG_REQUEST, PROC_LISTENER, 5, 4 << 20, on_request },
};

static const struct handler from_control[] = {
	{ MSG_CTL_REQUEST, PROC_CONTROL, 1, 2 << 20, rounds_on_control },
};

/*
 * Start
 */

static int
open_all(struct rounds *s, struct err *err)
{
	const char *state = child_fact(&s->child, "state");
	char path[600];

	if (state == NULL || strlen(state) >= sizeof(s->state_dir))
		return err_set(err, ERR_CONFIG, "no folder for the state");
	snprintf(s->state_dir, sizeof(s->state_dir), "%s", state);
	s->key = key_load_fd(child_fd(&s->child, "coordinator.key"),
	    "coordinator.key", NULL, err);
	if (s->key == NULL ||
	    key_public_load_fd(
		child_fd(&s->child, "root.pub"), "root.pub", s->root, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/audit.log", state);
	if ((s->audit = audit_open(path, s->key, err)) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/db/rounds.db", state);
	if ((s->book = book_open(path, err)) == NULL)
		return -1;
	if (rounds_load(s, err) < 0)
		return err_prefix(err, "what %s holds cannot be used", path);
	return 0;
}

static int
start(struct rounds *s, struct err *err)
{
	if ((s->loop = loop_new(err)) == NULL ||
	    loop_add_chan(s->loop,
		(struct loop_chan){ s->child.parent, NULL, 0, s, NULL },
		err) < 0 ||
	    loop_add_chan(s->loop,
		(struct loop_chan){ child_peer(&s->child, PROC_LISTENER),
		    from_listener, nitems(from_listener), s, NULL },
		err) < 0 ||
	    loop_add_chan(s->loop,
		(struct loop_chan){ child_peer(&s->child, PROC_CONTROL),
		    from_control, nitems(from_control), s, NULL },
		err) < 0 ||
	    (child_peer(&s->child, PROC_BOARD) != NULL &&
		loop_add_chan(s->loop,
		    (struct loop_chan){
			child_peer(&s->child, PROC_BOARD), NULL, 0, s, NULL },
		    err) < 0) ||
	    rounds_send_allow_list(s, err) < 0)
		return -1;
	for (struct work *w = s->works; w != NULL; w = w->next) {
		if (work_progress(w, err) < 0)
			return -1;
	}
	if (rounds_wake(s, err) < 0)
		return -1;
	return child_ready(&s->child, "", err);
}

static void
close_all(struct rounds *s)
{
	while (s->works != NULL) {
		struct work *w = s->works;

		s->works = w->next;
		work_free(w);
	}
	while (s->waiting != NULL) {
		struct waiting *w = s->waiting;

		s->waiting = w->next;
		free(w);
	}
	loop_free(s->loop);
	book_close(s->book);
	audit_close(s->audit);
	manifest_free(s->manifest);
	key_free(s->key);
	child_free(&s->child);
}

int
main(void)
{
	static struct rounds s;
	struct err err;
	int rc = 0;

	if (prg_selftest(&err) < 0 ||
	    child_start(&s.child, PROC_ROUNDS, &err) < 0 ||
	    open_all(&s, &err) < 0 || start(&s, &err) < 0 ||
	    loop_run(s.loop, &err) < 0) {
		log_msg(LOG_ERR, "%s", err.msg);
		rc = 1;
	}
	close_all(&s);
	return rc;
}

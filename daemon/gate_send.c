/*
 * What goes to the coordinator: each answer is in the store before it leaves,
 * and a run is busy until it has arrived.
 */
#include "daemon/gate_run.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "crypto/exchange.h"
#include "model/step/plan.h"
#include "study/study.h"

int
run_answer(struct gate *g, struct run *r, enum round_type type,
    const struct canon *msg, struct err *err)
{
	struct canon out = { 0 };

	if (gate_keep_count(g, err) < 0)
		return -1;
	r->busy = true;
	r->sending = type;
	r->tag = ++g->last_tag;
	exchange_wrap(r->digest, msg->data, msg->len, &out);
	return chan_send_canon(child_peer(&g->child, PROC_UPLINK),
	    MSG_TO_COORDINATOR, r->tag, &out, err);
}

int
run_idle(struct gate *g, struct run *r, struct err *err)
{
	if (r->checked.len != 0)
		return run_answer(g, r, ROUND_CHECKED, &r->checked, err);
	r->busy = false;
	r->sending = ROUND_NONE;
	return gate_poll(g, err);
}

/* It was told, or is of no use to the coordinator. */
static int
drop_checked(struct gate *g, struct run *r, struct err *err)
{
	canon_free(&r->checked);
	return store_set_checked(g->store, r->id, NULL, 0, err);
}

int
gate_on_delivered(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct canon_in in = canon_in(m->data, m->len);
	enum err_code code = (enum err_code)canon_get_u32(&in);
	struct run *r = g->runs;
	const uint8_t *why;
	size_t len;

	why = canon_get_bytes(&in, 0, 1024, &len);
	if (canon_end(&in, "DELIVERED", err) < 0)
		return -1;
	if (m->tag == g->checkpoint_tag && m->tag != 0)
		return gate_on_checkpoint_sent(
		    g, code, (const char *)why, len, err);
	while (r != NULL && (!r->busy || r->tag != m->tag))
		r = r->next;
	if (r == NULL)
		return 0; /* of a run that is closed */
	if (r->sending == ROUND_CHECKED && code != ERR_SYSTEM &&
	    drop_checked(g, r, err) < 0)
		return -1;
	if (code != ERR_NONE) {
		log_fields(LOG_WARNING, ROUND_FIELDS(r), "%s not taken: %.*s",
		    round_type_name(r->sending), (int)len, (const char *)why);
		run_drop_replay(r);
		canon_free(&r->trailer);
		r->busy = false;
		/* Ask again, but not at once: it may be the same answer. */
		return gate_poll_later(g, err);
	}
	if (r->trailer.len != 0) {
		struct canon trailer = r->trailer;
		int rv;

		r->trailer = (struct canon){ 0 };
		rv = run_answer(g, r, r->sending, &trailer, err);
		canon_free(&trailer);
		return rv;
	}
	/* (what was checked is of the round before: no step of this one) */
	if (r->sending != ROUND_CHECKED)
		log_fields(LOG_INFO, ROUND_FIELDS(r), "sent %s",
		    round_type_name(r->sending));
	return run_idle(g, r, err);
}

int
run_send_vector(struct gate *g, struct run *r, enum round_type type,
    const uint8_t root[ROUND_DIGEST], const void *words, size_t words_len,
    const void *msg, size_t len, struct err *err)
{
	struct canon out = { 0 };

	if (gate_keep_count(g, err) < 0)
		return -1;
	r->busy = true;
	r->sending = type;
	r->tag = ++g->last_tag;
	canon_free(&r->trailer);
	canon_raw(&r->trailer, msg, len);
	if (r->trailer.failed)
		return err_set(err, ERR_SYSTEM, "upload: out of memory");
	canon_raw(&out, root, ROUND_DIGEST);
	canon_u64(&out, ROUND_CHUNK);
	canon_raw(&out, words, words_len);
	return chan_send_canon(
	    child_peer(&g->child, PROC_UPLINK), MSG_UPLOAD, r->tag, &out, err);
}

int
run_send_upload(struct gate *g, struct run *r, const void *words,
    const void *trailer, size_t trailer_len, struct err *err)
{
	uint8_t root[ROUND_DIGEST];

	round_words_root(
	    study_bits(r->study), words, plan_words(r->plan), root);
	return run_send_vector(g, r, ROUND_UPLOAD, root, words,
	    run_vector_len(r), trailer, trailer_len, err);
}

int
run_resend_upload(struct gate *g, struct run *r, struct err *err)
{
	size_t words_len = run_vector_len(r);
	char path[700];
	uint8_t *data;
	size_t len;
	int rv;

	run_spool_path(g, r->name, r->last_round, path, sizeof(path));
	data = file_read(path, words_len + ROUND_MESSAGE_MAX, &len, err);
	if (data == NULL)
		return -1;
	if (len <= words_len)
		rv = err_set(err, ERR_FORMAT, "%s: cut short", path);
	else
		rv = run_send_upload(
		    g, r, data, data + words_len, len - words_len, err);
	free(data);
	return rv;
}

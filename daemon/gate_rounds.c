/*
 * The gate's part in rounds: the coordinator's messages, each checked, and its
 * answer stored.
 */
#include "daemon/gate_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/context.h"
#include "crypto/exchange.h"
#include "crypto/round_site.h"
#include "model/step/plan.h"
#include "study/study.h"

#define PREKEYS_LOW 16
#define PREKEY_LIFE_S ((int64_t)90 * 86400)

int
run_refuse(
    struct gate *g, struct run *r, const struct err *why, struct err *err)
{
	if (why->code == ERR_SYSTEM) {
		*err = *why;
		return -1;
	}
	log_event(EVENT_COORD_REFUSED, LOG_WARNING, ROUND_FIELDS(r),
	    "refused: %s", why->msg);
	if (audit_event(g->audit, err, "refused", "study", r->name, "why",
		why->msg, NULL) < 0)
		return -1;
	r->busy = false;
	/* What is in memory may be ahead of what is in the store. */
	if (run_load_round(g, r, err) < 0)
		return -1;
	return gate_poll_later(g, err);
}

/*
 * Prekeys
 */

static int
more_prekeys(struct gate *g, const struct round_ctx *ctx, struct err *err)
{
	int64_t now = clock_utc();
	uint32_t next;
	size_t n;
	int rv = 0;

	if (store_count_prekeys(g->store, now, &n, &next, err) < 0)
		return -1;
	if (n > PREKEYS_LOW)
		return 0;
	if (store_begin(g->store, err) < 0)
		return -1;
	for (; rv == 0 && n < PREKEY_BATCH_MAX; n++, next++) {
		struct canon record = { 0 };
		uint8_t secret[ROUND_KEY];
		struct prekey pub;

		rv = prekey_make(
		    ctx, next, now + PREKEY_LIFE_S, &pub, secret, err);
		if (rv == 0) {
			prekey_put(&record, &pub);
			rv = record.failed
			    ? err_set(err, ERR_SYSTEM, "prekeys: out of memory")
			    : 0;
		}
		if (rv == 0) {
			rv = store_put_prekey(g->store, next, record.data,
			    record.len, secret, pub.expiry, err);
		}
		explicit_bzero(secret, sizeof(secret));
		canon_free(&record);
	}
	if (rv < 0) {
		store_rollback(g->store);
		return -1;
	}
	return store_commit(g->store, err);
}

/* Inside a transaction. */
static int
promise_prekey(struct gate *g, struct run *r, uint64_t round,
    struct prekey *pub, struct err *err)
{
	struct canon record = { 0 };
	struct canon_in in;
	uint32_t id;
	int rv = store_promise_prekey(
	    g->store, r->id, round, clock_utc(), &id, &record, err);

	if (rv == 0) {
		in = canon_in(record.data, record.len);
		prekey_get(&in, pub);
		rv = canon_end(&in, "prekey", err);
	}
	canon_free(&record);
	return rv;
}

/*
 * The messages of a round
 */

static int
on_announce(struct incoming *in, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	struct round_about about, expect = run_expected(r);
	struct site_round *fresh = NULL;
	struct canon ready = { 0 };
	struct prekey prekey;
	char path[700];
	uint64_t older = r->last_round;
	uint32_t from;
	int rv = -1;

	if (round_announce_open(in->ctx, in->msg, in->len, &about, err) < 0)
		return -1;
	if (r->study->expires < clock_utc() / 86400)
		return err_set(err, ERR_REFUSED, "the study has expired");
	if (store_answer_from(g->store, r->id, &from, err) < 0)
		return -1;
	/* Both are asked for again and again, until there is a newer state. */
	if ((about.step < from || r->made < g->since) &&
	    about.round == r->refused)
		return 1;
	if (about.step < from || r->made < g->since)
		r->refused = about.round;
	if (about.step < from)
		return err_set(err, ERR_REFUSED,
		    "a state that may have been answered before the database "
		    "was restored from a backup");
	if (r->made < g->since)
		return err_set(err, ERR_REFUSED,
		    "a state that is older than this site's identity, which "
		    "may have been answered by the one before");
	if (about.round <= r->last_round)
		return err_set(err, ERR_REFUSED,
		    "round %" PRIu64 " announced, expected one above %" PRIu64,
		    about.round, r->last_round);
	if (r->round != NULL && site_round_phase(r->round) == SITE_UNMASKED)
		return err_set(err, ERR_REFUSED,
		    "a round on a state that has a sum already");
	if (about.step != expect.step || about.words != expect.words ||
	    strcmp(about.kind, expect.kind) != 0 ||
	    memcmp(about.state, expect.state, ROUND_DIGEST) != 0)
		return err_set(err, ERR_REFUSED,
		    "a round on another state than this site's");
	if (run_can_pay(g, r, err) < 0)
		return -1;
	if (r->update == NULL)
		return run_train(g, r, in->msg, in->len, err);
	if (more_prekeys(g, in->ctx, err) < 0 || store_begin(g->store, err) < 0)
		return -1;
	if (promise_prekey(g, r, about.round, &prekey, err) == 0)
		fresh = site_round_start(in->ctx, &expect, r->last_round,
		    &prekey, in->msg, in->len, &ready, err);
	if (fresh == NULL)
		goto fail;
	/* Older rounds on this state are given up: they are never unmasked. */
	site_round_free(r->round);
	r->round = fresh;
	r->last_round = about.round;
	if (store_drop_rounds(g->store, r->id, about.round, err) < 0 ||
	    store_set_last_round(g->store, r->id, about.round, err) < 0 ||
	    run_put_round(g, r, err) < 0)
		goto fail;
	if (store_commit(g->store, err) < 0)
		goto out;
	/* Not before: until then it may be asked for.  (That of the last sum is
	   kept until there is another.) */
	run_spool_path(g, r->name, older, path, sizeof(path));
	if (older > r->summed)
		unlink(path);
	rv = run_answer(g, r, ROUND_READY, &ready, err);
	goto out;
fail:
	store_rollback(g->store);
out:
	canon_free(&ready);
	return rv;
}

static int
on_roster(struct incoming *in, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	uint8_t secret[ROUND_KEY];
	struct canon shares = { 0 };
	int rv = -1;

	if (store_begin(g->store, err) < 0)
		return -1;
	/* The prekey leaves the store in the transaction that keeps the
	   roster which names it. */
	if (store_take_prekey(
		g->store, site_round_prekey(r->round), secret, err) < 0 ||
	    site_round_roster(r->round, in->ctx, in->msg, in->len, secret,
		clock_utc(), &shares, err) < 0 ||
	    run_put_round(g, r, err) < 0) {
		store_rollback(g->store);
		goto out;
	}
	if (store_commit(g->store, err) < 0)
		goto out;
	rv = run_answer(g, r, ROUND_SHARES, &shares, err);
out:
	explicit_bzero(secret, sizeof(secret));
	canon_free(&shares);
	return rv;
}

/* The round with what it costs: the charge is there before the upload leaves,
   and neither is without the other. */
static int
keep_upload(struct gate *g, struct run *r, struct err *err)
{
	if (store_begin(g->store, err) < 0)
		return -1;
	if (run_pay(g, r, err) < 0 || run_put_round(g, r, err) < 0) {
		store_rollback(g->store);
		return -1;
	}
	return store_commit(g->store, err);
}

static int
make_upload(struct incoming *in, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	size_t n = plan_words(r->plan), len = run_vector_len(r);
	struct canon trailer = { 0 }, file = { 0 };
	char path[700], round[24], bytes[24], digest[DIGEST_TEXT];
	char rho[32], epsilon[32], delta[32];
	uint8_t root[ROUND_DIGEST];
	void *words;
	int rv = -1;

	if (run_can_pay(g, r, err) < 0 ||
	    run_price(g, r, rho, epsilon, delta, err) < 0)
		return -1;
	if ((words = malloc(len)) == NULL)
		return err_sys(err, "%zu words", n);
	run_noise(r, words);
	if (site_round_upload(r->round, in->ctx, words, n, &trailer, err) < 0)
		goto out;
	round_words_root(study_bits(r->study), words, n, root);
	canon_raw(&file, words, len);
	canon_raw(&file, trailer.data, trailer.len);
	if (file.failed) {
		err_set(err, ERR_SYSTEM, "out of memory");
		goto out;
	}
	hex_text(root, sizeof(root), digest);
	snprintf(round, sizeof(round), "%" PRIu64, r->last_round);
	snprintf(bytes, sizeof(bytes), "%zu", len);
	run_spool_path(g, r->name, r->last_round, path, sizeof(path));
	if (file_write(path, file.data, file.len, 0600, err) < 0 ||
	    audit_event(g->audit, err, "upload", "study", r->name, "round",
		round, "kind", plan_kind(r->plan), "bytes", bytes, "root",
		digest, "officer", r->officer, "purpose", r->study->purpose,
		rho[0] != '\0' ? "rho" : NULL, rho, "epsilon", epsilon, "delta",
		delta, NULL) < 0 ||
	    keep_upload(g, r, err) < 0)
		goto out;
	rv = run_send_upload(g, r, words, trailer.data, trailer.len, err);
out:
	explicit_bzero(words, len);
	free(words);
	canon_free(&file);
	canon_free(&trailer);
	return rv;
}

/* The masked update, once there is an update. */
static int
upload(struct incoming *in, struct err *err)
{
	if (in->r->update == NULL)
		return run_train(in->g, in->r, in->msg, in->len, err);
	return make_upload(in, err);
}

static int
on_shareset(struct incoming *in, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	struct canon complaint = { 0 };
	char text[16];
	uint16_t liar;
	int rv = -1;

	if (site_round_shareset(r->round, in->ctx, in->msg, in->len, &liar,
		&complaint, err) < 0 ||
	    run_keep_round(g, r, err) < 0)
		goto out;
	if (complaint.len == 0) {
		rv = upload(in, err);
		goto out;
	}
	snprintf(text, sizeof(text), "%u", liar);
	log_event(EVENT_DEALER, LOG_ERR, ROUND_FIELDS(r),
	    "site %u dealt a wrong share", liar);
	if (audit_event(g->audit, err, "complaint", "study", r->name, "dealer",
		text, NULL) == 0)
		rv = run_answer(g, r, ROUND_COMPLAINT, &complaint, err);
out:
	canon_free(&complaint);
	return rv;
}

/* A share set that was taken already, and that no complaint answered. */
static int
on_shareset_again(struct incoming *in, struct err *err)
{
	switch (site_round_phase(in->r->round)) {
	case SITE_KEYED: /* a crash came between it and the upload */
		return upload(in, err);
	case SITE_UPLOADED:
	case SITE_CONFIRMED:
	case SITE_UNMASKED:
		return run_resend_upload(in->g, in->r, err);
	default:
		return err_set(err, ERR_REFUSED,
		    "shareset: this site has given the round up");
	}
}

static int
on_list(struct incoming *in, struct err *err)
{
	struct canon confirm = { 0 };
	int rv = -1;

	if (site_round_list(
		in->r->round, in->ctx, in->msg, in->len, &confirm, err) == 0 &&
	    run_keep_round(in->g, in->r, err) == 0)
		rv = run_answer(in->g, in->r, ROUND_CONFIRM, &confirm, err);
	canon_free(&confirm);
	return rv;
}

static int
on_certificate(struct incoming *in, struct err *err)
{
	struct canon unmask = { 0 };
	char round[24];
	int rv = -1;

	snprintf(round, sizeof(round), "%" PRIu64, in->r->last_round);
	if (site_round_certificate(
		in->r->round, in->ctx, in->msg, in->len, &unmask, err) == 0 &&
	    audit_event(in->g->audit, err, "unmask", "study", in->r->name,
		"round", round, NULL) == 0 &&
	    run_keep_round(in->g, in->r, err) == 0)
		rv = run_answer(in->g, in->r, ROUND_UNMASK, &unmask, err);
	canon_free(&unmask);
	return rv;
}

static int
on_abort(struct incoming *in, struct err *err)
{
	char why[256], text[16];
	uint16_t liar;

	if (site_round_abort(in->r->round, in->ctx, in->msg, in->len, &liar,
		why, sizeof(why), err) < 0)
		return -1;
	/* It is told until the next round starts. */
	if (in->r->aborted == in->r->last_round)
		return 1;
	if (run_keep_round(in->g, in->r, err) < 0)
		return -1;
	log_event(EVENT_ROUND_ENDED, LOG_NOTICE, ROUND_FIELDS(in->r),
	    "round ended: %s", why);
	snprintf(text, sizeof(text), "%u", liar);
	if (audit_event(in->g->audit, err, "abort", "study", in->r->name, "why",
		why, "convicted", text, NULL) < 0)
		return -1;
	in->r->aborted = in->r->last_round;
	in->g->ended++;
	return run_idle(in->g, in->r, err);
}

/*
 * Which message is whose
 */

static const struct {
	enum round_type type;
	bool needs_round;
	int (*fn)(struct incoming *in, struct err *err);
} messages[] = {
	{ ROUND_ANNOUNCE, false, on_announce },
	{ ROUND_ROSTER, true, on_roster },
	{ ROUND_SHARESET, true, on_shareset },
	{ ROUND_LIST, true, on_list },
	{ ROUND_CERTIFICATE, true, on_certificate },
	{ ROUND_ABORT, true, on_abort },
	{ ROUND_RESULT, false, run_on_result },
	{ ROUND_VOUCHED, false, run_on_vouched },
	{ ROUND_BEHIND, false, run_on_behind },
};

/* What each message is answered with. */
static const enum round_type answers[] = {
	[ROUND_ANNOUNCE] = ROUND_READY,
	[ROUND_ROSTER] = ROUND_SHARES,
	[ROUND_SHARESET] = ROUND_COMPLAINT,
	[ROUND_LIST] = ROUND_CONFIRM,
	[ROUND_CERTIFICATE] = ROUND_UNMASK,
};

int
run_handle(
    struct gate *g, struct run *r, const void *msg, size_t len, struct err *err)
{
	enum round_type type = round_message_type(msg, len);
	struct context c;
	struct incoming in = { g, r, NULL, msg, len };
	uint32_t epoch = g->manifest->epoch;
	struct canon again = { 0 };
	int rv;

	if (type == ROUND_RESULT) {
		uint8_t sum[ROUND_DIGEST];

		if (round_result_peek(msg, len, &epoch, sum, err) < 0)
			return -1;
	} else if (type != ROUND_ANNOUNCE && type != ROUND_VOUCHED &&
	    type != ROUND_BEHIND && r->round != NULL) {
		epoch = site_round_epoch(r->round);
	}
	if ((in.ctx = run_context_of(g, r, epoch, &c, err)) == NULL)
		return -1;

	if (r->round != NULL && site_round_again(r->round, msg, len, &again)) {
		if (type != ROUND_SHARESET || again.len != 0)
			rv = run_answer(g, r, answers[type], &again, err);
		else
			rv = on_shareset_again(&in, err);
		canon_free(&again);
		return rv;
	}
	for (size_t i = 0; i < nitems(messages); i++) {
		if (messages[i].type != type)
			continue;
		if (messages[i].needs_round && r->round == NULL)
			return err_set(err, ERR_REFUSED,
			    "%s of a round that this site is not in",
			    round_type_name(type));
		return messages[i].fn(&in, err);
	}
	return err_set(err, ERR_FORMAT, "not a message of the coordinator's");
}

int
gate_on_round_message(
    struct gate *g, const void *p, size_t len, struct err *err)
{
	uint8_t study[STORE_DIGEST];
	const uint8_t *msg;
	size_t msg_len;
	struct run *r = g->runs;
	struct err why;
	int rv;

	if (exchange_unwrap(p, len, study, &msg, &msg_len, err) < 0)
		return -1;
	while (r != NULL && memcmp(r->digest, study, sizeof(study)) != 0)
		r = r->next;
	if (r == NULL)
		return err_set(err, ERR_REFUSED,
		    "a message for a study that is not approved here");
	if (g->restored)
		return err_set(err, ERR_REFUSED,
		    "the database was restored from a backup");
	if (r->busy || g->self == 0)
		return gate_poll(g, err); /* asked before we were busy */
	rv = run_handle(g, r, msg, msg_len, &why);
	if (rv < 0)
		return run_refuse(g, r, &why, err);
	return rv == 0 ? gate_poll(g, err) : gate_poll_later(g, err);
}

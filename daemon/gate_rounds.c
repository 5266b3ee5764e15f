/*
 * The gate's part in rounds: what the coordinator asks, what is computed,
 * stored and sent.  Every answer is in the store before it leaves.
 */
#include "daemon/gate.h"

#include <fcntl.h>
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
#include "crypto/round_check.h"
#include "crypto/round_site.h"
#include "crypto/round_vouch.h"
#include "crypto/signed_study.h"
#include "daemon/config.h"
#include "model/spec.h"
#include "model/step/learn.h"
#include "model/step/plan.h"
#include "study/study.h"

#define DIGEST_TEXT (2 * STORE_DIGEST + 1)
#define PREKEYS_LOW 16
#define PREKEY_LIFE_S ((int64_t)90 * 86400)

/* A result whose sum is being checked. */
struct replay {
	uint32_t epoch; /* that it is of */
	struct round_result *result;
	struct round_check *check;
	struct canon message;
	size_t n; /* inputs */
	bool vouched; /* others have checked it, and say that it leads to */
	uint8_t state[ROUND_DIGEST];
};

/*
 * What a round is checked against
 */

static const struct round_ctx *
context_under(const struct gate *g, const struct run *r,
    const struct manifest *m, struct context *c)
{
	struct round_ctx *ctx = context_fill(c, m, r->sig,
	    study_suite(r->study), study_bits(r->study), study_verify(r->study),
	    study_cohort(r->study));

	ctx->cohort = r->cohort;
	ctx->n_cohort = r->n_cohort;
	ctx->self = g->self;
	ctx->secret = key_secret(g->identity);
	return ctx;
}

static const struct round_ctx *
context(const struct gate *g, const struct run *r, struct context *c)
{
	return context_under(g, r, g->manifest, c);
}

/* A round is checked against the manifest that it began under, also when
   there is a newer one.  NULL if we do not have it. */
static const struct round_ctx *
context_of(struct gate *g, const struct run *r, uint32_t epoch,
    struct context *c, struct err *err)
{
	const struct manifest *m = gate_manifest_of(g, epoch, err);

	return m != NULL ? context_under(g, r, m, c) : NULL;
}

uint16_t
run_smallest(const struct gate *g, const struct run *r)
{
	struct round_params p = { 0 };
	struct context c;
	struct err err;

	round_params(&context(g, r, &c)->rules, r->sig->n_sites,
	    r->sig->n_sites, &p, &err);
	return p.u_min;
}

/* What our own plan says that the next round is about. */
static struct round_about
expected(const struct run *r)
{
	struct round_about a = {
		.step = plan_index(r->plan),
		.words = plan_words(r->plan),
	};

	snprintf(a.kind, sizeof(a.kind), "%s", plan_kind(r->plan));
	memcpy(a.state, r->state, ROUND_DIGEST);
	return a;
}

/* Bytes of an upload, and of the sum. */
static size_t
vector_len(const struct run *r)
{
	return plan_words(r->plan) * (study_bits(r->study) / 8);
}

static size_t
update_len(const struct run *r)
{
	return plan_words(r->plan) * sizeof(uint64_t);
}

#define ROUND_FIELDS(r)                                                        \
	(struct log_field[]){                                                  \
		log_field("STUDY", "%s", (r)->name),                           \
		log_field("ROUND", "%" PRIu64, (r)->last_round),               \
		log_field("KIND", "%s", plan_kind((r)->plan)),                 \
	},                                                                     \
	    3

/* The masked upload of a round, as it was sent: words, then trailer. */
static void
spool_path(const struct gate *g, const struct run *r, char *out, size_t size)
{
	snprintf(out, size, "%s/spool/%s.%" PRIu64, g->state_dir, r->name,
	    r->last_round);
}

/*
 * Runs
 */

struct run *
run_find(struct gate *g, int64_t study)
{
	struct run *r = g->runs;

	while (r != NULL && r->id != study)
		r = r->next;
	return r;
}

static void
replay_free(struct replay *p)
{
	if (p == NULL)
		return;
	round_check_free(p->check);
	round_result_free(p->result);
	canon_free(&p->message);
	free(p);
}

/* The update of a state that is past, or of a run that ends. */
static void
drop_update(struct run *r)
{
	if (r->update != NULL)
		explicit_bzero(r->update, update_len(r));
	free(r->update);
	r->update = NULL;
}

static void
run_free(struct run *r)
{
	if (r == NULL)
		return;
	if (r->plan != NULL)
		drop_update(r);
	replay_free(r->replay);
	canon_free(&r->held);
	canon_free(&r->trailer);
	canon_free(&r->checked);
	site_round_free(r->round);
	plan_free(r->plan);
	free(r->spec);
	study_free(r->study);
	signed_study_free(r->sig);
	free(r);
}

void
run_close(struct gate *g, int64_t study)
{
	for (struct run **p = &g->runs; *p != NULL; p = &(*p)->next) {
		struct run *r = *p;

		if (r->id != study)
			continue;
		*p = r->next;
		run_free(r);
		return;
	}
}

/* The plan at the last step; the first time, step 0 is made. */
static int
load_plan(struct gate *g, struct run *r, struct err *err)
{
	struct canon bytes = { 0 };
	struct store_step step;
	int rv = store_get_step(
	    g->store, r->id, UINT32_MAX, &step, &bytes, NULL, err);

	if (rv == 0) {
		step = (struct store_step){ .idx = 0 };
		round_state_first(r->digest, step.state);
		if ((r->plan = plan_new(r->spec, err)) == NULL)
			goto out;
		plan_save(r->plan, &bytes);
		rv = store_add_step(g->store, r->id, &step, bytes.data,
		    bytes.len, NULL, NULL, 0, err);
	} else if (rv == 1) {
		r->plan = plan_load(r->spec, bytes.data, bytes.len, err);
		rv = r->plan != NULL ? 0 : -1;
	}
	if (rv == 0)
		memcpy(r->state, step.state, STORE_DIGEST);
out:
	canon_free(&bytes);
	return r->plan == NULL ? -1 : rv;
}

/* The newest round as the store has it; none is fine. */
static int
load_round(struct gate *g, struct run *r, struct err *err)
{
	struct canon body = { 0 };
	int rv;

	site_round_free(r->round);
	r->round = NULL;
	rv = store_get_round(g->store, r->id, r->last_round, &body, err);
	if (rv == 1) {
		r->round = site_round_load(body.data, body.len, err);
		rv = r->round != NULL ? 0 : -1;
	}
	canon_free(&body);
	return rv;
}

/* Of which epoch the present state is. */
static int
load_made(struct gate *g, struct run *r, struct err *err)
{
	uint8_t sum[ROUND_DIGEST];
	struct canon m8 = { 0 };
	int rv = store_get_result(g->store, r->id, &m8, err);

	r->made = r->sig->epoch;
	if (rv == 1)
		rv = round_result_peek(m8.data, m8.len, &r->made, sum, err);
	canon_free(&m8);
	return rv < 0 ? -1 : 0;
}

int
run_open(struct gate *g, const struct store_study *st, struct err *err)
{
	struct canon object = { 0 };
	struct run *r = calloc(1, sizeof(*r));
	int rv = -1;

	if (r == NULL)
		return err_sys(err, "study %s", st->name);
	r->id = st->id;
	r->last_round = st->last_round;
	r->n_cohort = st->n_cohort;
	memcpy(r->cohort, st->cohort, sizeof(r->cohort));
	memcpy(r->digest, st->digest, STORE_DIGEST);
	memcpy(r->table, st->table, STORE_DIGEST);
	snprintf(r->name, sizeof(r->name), "%s", st->name);
	gate_base_name(st->name, st->job, r->table_file);
	strcat(r->table_file, ".table");
	if (store_study_object(g->store, st->id, &object, err) != 1 ||
	    (r->sig = signed_study_open_kept(
		 object.data, object.len, &g->manifest->roots, err)) == NULL ||
	    (r->study = study_parse(
		 "study", r->sig->text, r->sig->text_len, err)) == NULL)
		goto out;
	if ((r->spec = calloc(1, sizeof(*r->spec))) == NULL) {
		err_sys(err, "study %s", st->name);
		goto out;
	}
	if (study_model_spec(r->study, r->sig->n_sites, r->spec, err) < 0 ||
	    load_plan(g, r, err) < 0 || load_round(g, r, err) < 0 ||
	    store_get_checked(g->store, r->id, &r->checked, err) < 0 ||
	    load_made(g, r, err) < 0)
		goto out;
	r->next = g->runs;
	g->runs = r;
	r = NULL;
	rv = 0;
out:
	canon_free(&object);
	run_free(r);
	return rv;
}

/*
 * Sending
 */

/* Keep the run's round, as one transaction of the caller's. */
static int
put_round(struct gate *g, struct run *r, struct err *err)
{
	struct canon body = { 0 };
	int rv = -1;

	site_round_save(r->round, &body);
	if (body.failed)
		err_set(err, ERR_SYSTEM, "out of memory");
	else
		rv = store_put_round(g->store, r->id, r->last_round,
		    plan_index(r->plan), body.data, body.len, err);
	canon_free(&body);
	return rv < 0 ? -1 : gate_count(g, err);
}

static int
keep_round(struct gate *g, struct run *r, struct err *err)
{
	if (store_begin(g->store, err) < 0)
		return -1;
	if (put_round(g, r, err) < 0) {
		store_rollback(g->store);
		return -1;
	}
	return store_commit(g->store, err);
}

/*
 * A round of an older epoch ends here, unless this site has confirmed its list:
 * then it may have been certified, and can only complete.
 */
int
run_new_epoch(struct gate *g, struct run *r, struct err *err)
{
	enum site_phase phase;

	if (r->round == NULL)
		return 0;
	phase = site_round_phase(r->round);
	if (phase == SITE_CONFIRMED || phase == SITE_UNMASKED ||
	    phase == SITE_ENDED)
		return 0;
	site_round_give_up(r->round);
	r->aborted = r->last_round;
	if (audit_event(g->audit, err, "abort", "study", r->name, "why",
		"a new membership manifest", "convicted", "0", NULL) < 0)
		return -1;
	return put_round(g, r, err);
}

/* The same with what it costs: the charge is there before the upload leaves,
   and neither is without the other. */
static int
keep_upload(struct gate *g, struct run *r, struct err *err)
{
	if (store_begin(g->store, err) < 0)
		return -1;
	if (run_pay(g, r, err) < 0 || put_round(g, r, err) < 0) {
		store_rollback(g->store);
		return -1;
	}
	return store_commit(g->store, err);
}

/* Send an answer that is in the store; the run is busy until it is there. */
static int
answer(struct gate *g, struct run *r, enum round_type type,
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

/* The run waits for the coordinator again. */
static int
idle(struct gate *g, struct run *r, struct err *err)
{
	if (r->checked.len != 0)
		return answer(g, r, ROUND_CHECKED, &r->checked, err);
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
		replay_free(r->replay);
		r->replay = NULL;
		canon_free(&r->trailer);
		r->busy = false;
		/* Ask again, but not at once: it may be the same answer. */
		return gate_poll_later(g, err);
	}
	if (r->trailer.len != 0) {
		struct canon trailer = r->trailer;
		int rv;

		r->trailer = (struct canon){ 0 };
		rv = answer(g, r, ROUND_UPLOAD, &trailer, err);
		canon_free(&trailer);
		return rv;
	}
	/* (what was checked is of the round before: no step of this one) */
	if (r->sending != ROUND_CHECKED)
		log_fields(LOG_INFO, ROUND_FIELDS(r), "sent %s",
		    round_type_name(r->sending));
	return idle(g, r, err);
}

/*
 * Training
 */

/* Have the update computed; msg is looked at again when it is there. */
static int
train(
    struct gate *g, struct run *r, const void *msg, size_t len, struct err *err)
{
	struct canon out = { 0 };
	struct job *j =
	    gate_new_job(g, JOB_TRAINER, ++g->last_trainer, r->id, err);

	if (j == NULL)
		return -1;
	r->busy = true;
	canon_free(&r->held);
	canon_raw(&r->held, msg, len);
	canon_text(&out, r->name);
	canon_text(&out, r->table_file);
	return chan_send_canon(
	    g->child.parent, MSG_START_TRAINER, (uint64_t)j->number, &out, err);
}

int
run_training_failed(
    struct gate *g, int64_t study, const char *why, struct err *err)
{
	struct run *r = run_find(g, study);

	if (r == NULL)
		return 0;
	canon_free(&r->held);
	r->busy = false;
	if (audit_event(g->audit, err, "training-failed", "study", r->name,
		"why", why, NULL) < 0)
		return -1;
	return gate_poll_later(g, err);
}

/* The trainer's values as ring words, if they come from the table that the
   officer approved. */
static int
take_update(struct run *r, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	uint8_t table[STORE_DIGEST];
	double *values;
	uint32_t n;
	int rv = -1;

	canon_get_raw(&in, table, sizeof(table));
	n = canon_get_u32(&in);
	if (in.failed || n != plan_values(r->plan))
		return err_set(err, ERR_PEER,
		    "the trainer sent %u values, expected %zu", n,
		    plan_values(r->plan));
	if (memcmp(table, r->table, sizeof(table)) != 0)
		return err_set(err, ERR_REFUSED,
		    "the table is not the one that was approved");
	values = calloc(n, sizeof(*values));
	drop_update(r);
	r->update = calloc(1, update_len(r));
	if (values == NULL || r->update == NULL) {
		err_sys(err, "%u values", n);
		goto out;
	}
	for (uint32_t i = 0; i < n; i++)
		values[i] = canon_get_f64(&in);
	if (canon_end(&in, "TRAINED", err) < 0)
		goto out;
	if (plan_learn(r->plan) != NULL)
		rv = plan_encode_parts(r->plan, values, n, r->update, err);
	else
		rv = plan_encode(r->plan, values, n, r->update, err);
out:
	if (values != NULL)
		explicit_bzero(values, n * sizeof(*values));
	free(values);
	if (rv < 0)
		drop_update(r);
	return rv;
}

/* 0; 1: nothing new, ask again later; -1. */
static int handle(struct gate *g, struct run *r, const void *msg, size_t len,
    struct err *err);

/* What a message of the coordinator's may do to us: nothing, but a line. */
static int
refuse(struct gate *g, struct run *r, const struct err *why, struct err *err)
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
	if (load_round(g, r, err) < 0)
		return -1;
	return gate_poll_later(g, err);
}

int
gate_on_trained(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = g->jobs;
	struct canon held;
	struct err why;
	struct run *r;
	int rv;

	while (j != NULL && (uint64_t)j->number != m->tag)
		j = j->next;
	if (j == NULL || j->kind != JOB_TRAINER || j->answered)
		return err_set(err, ERR_PEER, "an answer to no job");
	j->answered = true;
	if ((r = run_find(g, j->study)) == NULL || r->held.len == 0)
		return 0; /* revoked meanwhile */
	if (take_update(r, m, &why) < 0) {
		log_fields(LOG_ERR, ROUND_FIELDS(r), "training: %s", why.msg);
		return run_training_failed(g, r->id, why.msg, err);
	}
	held = r->held;
	r->held = (struct canon){ 0 };
	r->busy = false;
	rv = handle(g, r, held.data, held.len, &why);
	if (rv < 0)
		rv = refuse(g, r, &why, err);
	canon_free(&held);
	return rv < 0 ? -1 : 0;
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

	if (rv == 1) {
		in = canon_in(record.data, record.len);
		prekey_get(&in, pub);
		rv = canon_end(&in, "prekey", err);
	} else if (rv == 0) {
		rv = err_set(err, ERR_REFUSED, "no prekey left");
	}
	canon_free(&record);
	return rv;
}

/*
 * The messages of a round
 */

struct incoming {
	struct gate *g;
	struct run *r;
	const struct round_ctx *ctx;
	const void *msg;
	size_t len;
};

static int
on_announce(struct incoming *in, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	struct round_about about, expect = expected(r);
	struct site_round *fresh = NULL;
	struct canon ready = { 0 };
	struct prekey prekey;
	char path[700];
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
		return train(g, r, in->msg, in->len, err);
	if (more_prekeys(g, in->ctx, err) < 0 || store_begin(g->store, err) < 0)
		return -1;
	if (promise_prekey(g, r, about.round, &prekey, err) == 0)
		fresh = site_round_start(in->ctx, &expect, r->last_round,
		    &prekey, in->msg, in->len, &ready, err);
	if (fresh == NULL)
		goto fail;
	/* Older rounds on this state are given up: they are never unmasked. */
	spool_path(g, r, path, sizeof(path));
	site_round_free(r->round);
	r->round = fresh;
	r->last_round = about.round;
	if (store_drop_rounds(g->store, r->id, about.round, err) < 0 ||
	    store_set_last_round(g->store, r->id, about.round, err) < 0 ||
	    put_round(g, r, err) < 0)
		goto fail;
	if (store_commit(g->store, err) < 0)
		goto out;
	unlink(path); /* not before: until then it may be asked for */
	rv = answer(g, r, ROUND_READY, &ready, err);
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
	    put_round(g, r, err) < 0) {
		store_rollback(g->store);
		goto out;
	}
	if (store_commit(g->store, err) < 0)
		goto out;
	rv = answer(g, r, ROUND_SHARES, &shares, err);
out:
	explicit_bzero(secret, sizeof(secret));
	canon_free(&shares);
	return rv;
}

/* Chunks first; the trailer goes when they are there. */
static int
send_upload(struct gate *g, struct run *r, const void *words,
    const void *trailer, size_t trailer_len, struct err *err)
{
	struct canon out = { 0 };
	uint8_t root[ROUND_DIGEST];

	if (round_words_root(study_bits(r->study), words, plan_words(r->plan),
		root, err) < 0 ||
	    gate_keep_count(g, err) < 0)
		return -1;
	r->busy = true;
	r->sending = ROUND_UPLOAD;
	r->tag = ++g->last_tag;
	canon_free(&r->trailer);
	canon_raw(&r->trailer, trailer, trailer_len);
	canon_raw(&out, root, sizeof(root));
	canon_u64(&out, ROUND_CHUNK);
	canon_raw(&out, words, vector_len(r));
	return chan_send_canon(
	    child_peer(&g->child, PROC_UPLINK), MSG_UPLOAD, r->tag, &out, err);
}

/* Send again what the spool has. */
static int
resend_upload(struct gate *g, struct run *r, struct err *err)
{
	size_t words_len = vector_len(r);
	char path[700];
	uint8_t *data;
	size_t len;
	int rv;

	spool_path(g, r, path, sizeof(path));
	data = file_read(path, words_len + ROUND_MESSAGE_MAX, &len, err);
	if (data == NULL)
		return -1;
	if (len <= words_len)
		rv = err_set(err, ERR_FORMAT, "%s: cut short", path);
	else
		rv = send_upload(
		    g, r, data, data + words_len, len - words_len, err);
	free(data);
	return rv;
}

static int
make_upload(struct incoming *in, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	size_t n = plan_words(r->plan), len = vector_len(r);
	struct canon trailer = { 0 }, file = { 0 };
	char path[700], round[24], bytes[24], digest[DIGEST_TEXT], rho[32] = "";
	uint8_t root[ROUND_DIGEST];
	void *words;
	int rv = -1;

	if (run_can_pay(g, r, err) < 0)
		return -1;
	if ((words = malloc(len)) == NULL)
		return err_sys(err, "%zu words", n);
	if (run_noise(r, words, err) < 0 ||
	    site_round_upload(r->round, in->ctx, words, n, &trailer, err) < 0 ||
	    round_words_root(study_bits(r->study), words, n, root, err) < 0)
		goto out;
	canon_raw(&file, words, len);
	canon_raw(&file, trailer.data, trailer.len);
	if (file.failed) {
		err_set(err, ERR_SYSTEM, "out of memory");
		goto out;
	}
	hex_text(root, sizeof(root), digest);
	snprintf(round, sizeof(round), "%" PRIu64, r->last_round);
	snprintf(bytes, sizeof(bytes), "%zu", len);
	if (plan_learn(r->plan) != NULL)
		snprintf(rho, sizeof(rho), "%.9g", plan_learn(r->plan)->rho);
	spool_path(g, r, path, sizeof(path));
	if (file_write(path, file.data, file.len, 0600, err) < 0 ||
	    audit_event(g->audit, err, "upload", "study", r->name, "round",
		round, "kind", plan_kind(r->plan), "bytes", bytes, "root",
		digest, rho[0] != '\0' ? "rho" : NULL, rho, NULL) < 0 ||
	    keep_upload(g, r, err) < 0)
		goto out;
	rv = send_upload(g, r, words, trailer.data, trailer.len, err);
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
		return train(in->g, in->r, in->msg, in->len, err);
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
	    keep_round(g, r, err) < 0)
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
		rv = answer(g, r, ROUND_COMPLAINT, &complaint, err);
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
		return resend_upload(in->g, in->r, err);
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
	    keep_round(in->g, in->r, err) == 0)
		rv = answer(in->g, in->r, ROUND_CONFIRM, &confirm, err);
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
	    keep_round(in->g, in->r, err) == 0)
		rv = answer(in->g, in->r, ROUND_UNMASK, &unmask, err);
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
	if (keep_round(in->g, in->r, err) < 0)
		return -1;
	log_event(EVENT_ROUND_ENDED, LOG_NOTICE, ROUND_FIELDS(in->r),
	    "round ended: %s", why);
	snprintf(text, sizeof(text), "%u", liar);
	if (audit_event(in->g->audit, err, "abort", "study", in->r->name, "why",
		why, "convicted", text, NULL) < 0)
		return -1;
	in->r->aborted = in->r->last_round;
	return idle(in->g, in->r, err);
}

/*
 * Results
 */

/* Fetch what the check wants next; 1 if it wants nothing more. */
static int
fetch_next(struct gate *g, struct run *r, struct err *err)
{
	struct canon out = { 0 };
	struct round_want want;

	if (!round_check_next(r->replay->check, &want))
		return 1;
	r->busy = true;
	r->sending = ROUND_RESULT;
	r->tag = ++g->last_tag;
	canon_raw(&out, want.name, sizeof(want.name));
	canon_u64(&out, want.bytes);
	if (want.one_chunk)
		canon_u32(&out, want.chunk);
	return chan_send_canon(
	    child_peer(&g->child, PROC_UPLINK), MSG_FETCH, r->tag, &out, err);
}

/* A result that is in order but for its sum, which is to be checked so. */
static struct replay *
replay_new(const struct run *r, const struct round_ctx *ctx, const void *msg,
    size_t len, enum round_verify verify, struct err *err)
{
	struct round_about expect = expected(r);
	struct replay *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_sys(err, "result");
		return NULL;
	}
	canon_raw(&p->message, msg, len);
	p->epoch = ctx->epoch;
	p->result = round_result_open(ctx, &expect, msg, len, err);
	if (p->result == NULL ||
	    (p->check = round_check_new(p->result, verify, err)) == NULL) {
		replay_free(p);
		return NULL;
	}
	p->n = round_result_inputs(p->result);
	return p;
}

static int
on_result(struct incoming *in, struct err *err)
{
	struct replay *p = replay_new(in->r, in->ctx, in->msg, in->len,
	    (enum round_verify)in->ctx->rules.verify, err);

	if (p == NULL)
		return -1;
	replay_free(in->r->replay);
	in->r->replay = p;
	return fetch_next(in->g, in->r, err);
}

/* The uploads have expired; enough others have checked their sum. */
static int
on_vouched(struct incoming *in, struct err *err)
{
	static struct round_vouched v; /* 64 KiB */
	const struct round_ctx *ctx;
	uint8_t sum[ROUND_DIGEST];
	struct replay *p;
	struct context c;
	uint32_t epoch;

	if (round_vouched_open(in->ctx, in->msg, in->len, &v, err) < 0 ||
	    round_result_peek(v.result, v.result_len, &epoch, sum, err) < 0 ||
	    (ctx = context_of(in->g, in->r, epoch, &c, err)) == NULL ||
	    (p = replay_new(
		 in->r, ctx, v.result, v.result_len, ROUND_TRUST, err)) == NULL)
		return -1;
	if (round_vouched_check(&v, in->ctx, p->result, err) < 0) {
		replay_free(p);
		return -1;
	}
	p->vouched = true;
	memcpy(p->state, v.state, ROUND_DIGEST);
	replay_free(in->r->replay);
	in->r->replay = p;
	return fetch_next(in->g, in->r, err);
}

/* What this site says of a sum that it has checked. */
static int
make_checked(const struct run *r, const struct round_ctx *ctx,
    const uint8_t state[ROUND_DIGEST], struct canon *out, struct err *err)
{
	const struct round_result *result = r->replay->result;
	struct round_checked c = { .site = ctx->self };

	if (r->replay->vouched || ctx->rules.verify == ROUND_TRUST)
		return 0;
	memcpy(c.roster, round_result_roster(result), ROUND_DIGEST);
	memcpy(c.sum, round_result_sum_root(result), ROUND_DIGEST);
	memcpy(c.state, state, ROUND_DIGEST);
	return round_checked_put(ctx, &c, out, err);
}

static int
store_next(struct gate *g, struct run *r, const struct store_step *step,
    const struct canon *plan, const uint16_t *sites,
    const struct canon *checked, bool done, struct err *err)
{
	const struct canon *m = &r->replay->message;

	if (store_begin(g->store, err) < 0)
		return -1;
	if (store_add_step(g->store, r->id, step, plan->data, plan->len, sites,
		m->data, m->len, err) < 0 ||
	    store_drop_rounds(g->store, r->id, UINT64_MAX, err) < 0 ||
	    store_set_checked(
		g->store, r->id, checked->data, checked->len, err) < 0 ||
	    (r->last_round < step->round &&
		store_set_last_round(g->store, r->id, step->round, err) < 0) ||
	    (r->study->privacy.cohort == STUDY_FIXED && r->n_cohort == 0 &&
		store_set_cohort(g->store, r->id, sites, step->n_sites, err) <
		    0) ||
	    (done &&
		store_set_status(g->store, r->id, STATUS_DONE, "", err) < 0)) {
		store_rollback(g->store);
		return -1;
	}
	return store_commit(g->store, err);
}

/* cohort = open: who is not in this sum and was in the one before, and who
   came; those can be told apart by the two sums. */
static int
audit_change(struct gate *g, const struct run *r, const uint16_t *sites,
    size_t n, const char *round, struct err *err)
{
	uint16_t before[ROUND_STUDY_MAX];
	char gone[1024], came[1024];
	struct store_step last;
	size_t changed;

	if (store_get_step(
		g->store, r->id, UINT32_MAX, &last, NULL, before, err) != 1)
		return -1;
	if (last.n_sites == 0)
		return 0; /* the first sum */
	changed = context_without(
	    g->manifest, before, last.n_sites, sites, n, gone, sizeof(gone));
	changed += context_without(
	    g->manifest, sites, n, before, last.n_sites, came, sizeof(came));
	if (changed == 0)
		return 0;
	log_event(EVENT_SET_CHANGED, LOG_WARNING, ROUND_FIELDS(r),
	    "the sum of round %s is without %s, with %s", round,
	    gone[0] != '\0' ? gone : "nobody less",
	    came[0] != '\0' ? came : "nobody new");
	return audit_event(g->audit, err, "set-changed", "study", r->name,
	    "round", round, "gone", gone, "new", came, NULL);
}

/* The coordinator has shown this site another roster of the round than those
   whose sum it is: two signed messages of its, which prove that. */
static int
audit_other_roster(struct gate *g, const struct run *r,
    const struct site_round *own, const char *round, struct err *err)
{
	const uint8_t *shown = own != NULL ? site_round_roster_hash(own) : NULL;
	char ours[DIGEST_TEXT], theirs[DIGEST_TEXT];

	if (shown == NULL ||
	    memcmp(shown, round_result_roster(r->replay->result),
		ROUND_DIGEST) == 0)
		return 0;
	hex_text(shown, ROUND_DIGEST, ours);
	hex_text(round_result_roster(r->replay->result), ROUND_DIGEST, theirs);
	log_fields(LOG_ERR, ROUND_FIELDS(r),
	    "the coordinator has signed two rosters of round %s", round);
	return audit_event(g->audit, err, "two-rosters", "study", r->name,
	    "round", round, "shown", ours, "summed", theirs, NULL);
}

/* The sum is checked: step the model, keep both. */
static int
finish(
    struct gate *g, struct run *r, const struct round_ctx *ctx, struct err *err)
{
	struct replay *p = r->replay;
	const struct round_about *about = round_result_about(p->result);
	struct site_round *own = r->round;
	struct store_step step = { .n_sites = p->n, .round = about->round };
	size_t n = plan_words(r->plan);
	const void *sum = round_check_sum(p->check);
	const char *how = p->vouched ? "vouched" : study_verify_name(r->study);
	struct canon before = { 0 }, after = { 0 }, checked = { 0 };
	struct plan *next = NULL;
	char path[700], round[24], state[DIGEST_TEXT], kind[33], sites_text[16];
	char learned[96];
	uint16_t sites[ROUND_STUDY_MAX];
	int rv = -1;

	for (size_t i = 0; i < p->n; i++)
		sites[i] = round_result_input(p->result, i)->site;
	if (own != NULL && site_round_about(own)->round != about->round)
		own = NULL;
	if (site_round_accept(own, ctx, p->result, NULL, NULL, err) < 0)
		goto out;
	snprintf(round, sizeof(round), "%" PRIu64, about->round);
	if (audit_other_roster(g, r, own, round, err) < 0)
		goto out;
	plan_save(r->plan, &before);
	next = plan_load(r->spec, before.data, before.len, err);
	if (next == NULL || plan_step(next, sum, n, (uint32_t)p->n, err) < 0)
		goto out;
	plan_save(next, &after);
	step.idx = plan_index(next);
	snprintf(kind, sizeof(kind), "%s", plan_kind(r->plan));
	round_state_next(r->digest, step.idx, plan_kind(next), r->state,
	    round_result_sum_root(p->result), after.data, after.len,
	    step.state);
	if (p->vouched && memcmp(p->state, step.state, ROUND_DIGEST) != 0) {
		err_set(err, ERR_PEER,
		    "vouched: the sum does not lead to the state that was "
		    "signed");
		goto out;
	}
	if (make_checked(r, ctx, step.state, &checked, err) < 0)
		goto out;
	hex_text(step.state, sizeof(step.state), state);
	snprintf(step.kind, sizeof(step.kind), "%s", kind);
	snprintf(sites_text, sizeof(sites_text), "%zu", p->n);
	run_learned(next, learned, sizeof(learned));
	if (audit_event(g->audit, err, "sum", "study", r->name, "round", round,
		"kind", kind, "sites", sites_text, "state", state, "verify",
		how, learned[0] != '\0' ? "learned" : NULL, learned,
		NULL) < 0 ||
	    audit_change(g, r, sites, p->n, round, err) < 0 ||
	    store_next(
		g, r, &step, &after, sites, &checked, plan_done(next), err) < 0)
		goto out;
	/* From here on the store is ahead; memory follows. */
	spool_path(g, r, path, sizeof(path));
	unlink(path);
	drop_update(r);
	plan_free(r->plan);
	r->plan = next;
	next = NULL;
	memcpy(r->state, step.state, STORE_DIGEST);
	r->made = p->epoch;
	canon_free(&r->checked);
	r->checked = checked;
	checked = (struct canon){ 0 };
	r->last_round = MAX(r->last_round, about->round);
	if (r->study->privacy.cohort == STUDY_FIXED && r->n_cohort == 0) {
		memcpy(r->cohort, sites, p->n * sizeof(*sites));
		r->n_cohort = p->n;
	}
	site_round_free(r->round);
	r->round = NULL;
	log_event(EVENT_ROUND_SUM, LOG_INFO, ROUND_FIELDS(r),
	    "sum of round %s (%s) over %zu sites accepted (%s)%s%s; %s", round,
	    kind, p->n, how, learned[0] != '\0' ? ": " : "", learned,
	    plan_done(r->plan) ? "the study is done" : "next");
	rv = plan_done(r->plan) ? gate_retention(g, err) : 0;
out:
	plan_free(next);
	canon_free(&before);
	canon_free(&after);
	canon_free(&checked);
	return rv;
}

int
gate_on_fetched(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	const struct round_ctx *ctx;
	struct run *r = g->runs;
	struct context c;
	struct replay *p;
	struct err why;
	int rv;

	while (r != NULL && (r->replay == NULL || r->tag != m->tag))
		r = r->next;
	if (r == NULL)
		return 0;
	p = r->replay;
	if ((ctx = context_of(g, r, p->epoch, &c, &why)) == NULL ||
	    round_check_take(p->check, ctx, m->data, m->len, &why) < 0)
		goto refused;
	if ((rv = fetch_next(g, r, err)) <= 0)
		return rv;
	if (finish(g, r, ctx, &why) < 0)
		goto refused;
	replay_free(p);
	r->replay = NULL;
	return idle(g, r, err);
refused:
	replay_free(p);
	r->replay = NULL;
	return refuse(g, r, &why, err);
}

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
	{ ROUND_RESULT, false, on_result },
	{ ROUND_VOUCHED, false, on_vouched },
};

/* What each message is answered with. */
static const enum round_type answers[] = {
	[ROUND_ANNOUNCE] = ROUND_READY,
	[ROUND_ROSTER] = ROUND_SHARES,
	[ROUND_SHARESET] = ROUND_COMPLAINT,
	[ROUND_LIST] = ROUND_CONFIRM,
	[ROUND_CERTIFICATE] = ROUND_UNMASK,
};

static int
handle(
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
	    r->round != NULL) {
		epoch = site_round_epoch(r->round);
	}
	if ((in.ctx = context_of(g, r, epoch, &c, err)) == NULL)
		return -1;

	if (r->round != NULL && site_round_again(r->round, msg, len, &again)) {
		if (type != ROUND_SHARESET || again.len != 0)
			rv = answer(g, r, answers[type], &again, err);
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
	rv = handle(g, r, msg, msg_len, &why);
	if (rv < 0)
		return refuse(g, r, &why, err);
	return rv == 0 ? gate_poll(g, err) : gate_poll_later(g, err);
}

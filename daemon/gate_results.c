/*
 * The end of a round: this site repeats the sum for itself, from the masked
 * uploads of all, before it steps the model.
 */
#include "daemon/gate_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/context.h"
#include "crypto/round_check.h"
#include "crypto/round_site.h"
#include "crypto/round_vouch.h"
#include "model/step/learn.h"
#include "model/step/plan.h"
#include "study/study.h"

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

void
run_drop_replay(struct run *r)
{
	replay_free(r->replay);
	r->replay = NULL;
}

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
	struct round_about expect = run_expected(r);
	struct replay *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_sys(err, "result");
		return NULL;
	}
	p->epoch = ctx->epoch;
	canon_raw(&p->message, msg, len);
	if (p->message.failed) {
		err_sys(err, "result");
		goto fail;
	}
	p->result = round_result_open(ctx, &expect, msg, len, err);
	if (p->result == NULL ||
	    (p->check = round_check_new(p->result, verify, err)) == NULL)
		goto fail;
	p->n = round_result_inputs(p->result);
	return p;
fail:
	replay_free(p);
	return NULL;
}

int
run_on_result(struct incoming *in, struct err *err)
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
int
run_on_vouched(struct incoming *in, struct err *err)
{
	static struct round_vouched v; /* 64 KiB */
	const struct round_ctx *ctx;
	uint8_t sum[ROUND_DIGEST];
	struct replay *p;
	struct context c;
	uint32_t epoch;

	if (round_vouched_open(in->ctx, in->msg, in->len, &v, err) < 0 ||
	    round_result_peek(v.result, v.result_len, &epoch, sum, err) < 0 ||
	    (ctx = run_context_of(in->g, in->r, epoch, &c, err)) == NULL ||
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
store_next(struct gate *g, struct run *r, const struct step *step,
    const struct canon *plan, const struct canon *checked, bool done,
    struct err *err)
{
	const struct canon *m = &r->replay->message;

	if (store_begin(g->store, err) < 0)
		return -1;
	if (store_add_step(g->store, r->id, step, plan->data, plan->len,
		m->data, m->len, err) < 0 ||
	    store_drop_rounds(g->store, r->id, UINT64_MAX, err) < 0 ||
	    store_set_checked(
		g->store, r->id, checked->data, checked->len, err) < 0 ||
	    (r->last_round < step->round &&
		store_set_last_round(g->store, r->id, step->round, err) < 0) ||
	    (r->study->privacy.cohort == STUDY_FIXED && r->n_cohort == 0 &&
		store_set_cohort(
		    g->store, r->id, step->sites, step->n_sites, err) < 0) ||
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
audit_change(struct gate *g, const struct run *r, const struct step *step,
    const char *round, struct err *err)
{
	char gone[1024], came[1024];
	struct step last;
	size_t changed;

	if (store_get_step(
		g->store, r->id, UINT32_MAX, &last, NULL, NULL, err) != 1)
		return -1;
	if (last.n_sites == 0)
		return 0; /* the first sum */
	changed = context_without(g->manifest, last.sites, last.n_sites,
	    step->sites, step->n_sites, gone, sizeof(gone));
	changed += context_without(g->manifest, step->sites, step->n_sites,
	    last.sites, last.n_sites, came, sizeof(came));
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

/* Of the uploads only the one that the last sum has may be asked for again: as
   long as others may have to check it. */
static void
drop_uploads(struct gate *g, const struct run *r, const struct step *now,
    const struct site_round *own)
{
	bool keep = own != NULL && r->study->privacy.verify != STUDY_TRUST;
	char path[700];

	run_spool_path(g, r->name, r->summed, path, sizeof(path));
	unlink(path);
	for (size_t i = 0; keep && i < now->n_sites; i++) {
		if (now->sites[i] == g->self)
			return;
	}
	run_spool_path(g, r->name, r->last_round, path, sizeof(path));
	unlink(path);
}

/* The sum is checked: step the model, keep both. */
static int
finish(
    struct gate *g, struct run *r, const struct round_ctx *ctx, struct err *err)
{
	struct replay *p = r->replay;
	const struct round_about *about = round_result_about(p->result);
	struct site_round *own = r->round;
	struct step step = { .n_sites = p->n, .round = about->round };
	size_t n = plan_words(r->plan);
	const void *sum = round_check_sum(p->check);
	const char *how = p->vouched ? "vouched" : study_verify_name(r->study);
	struct canon after = { 0 }, checked = { 0 };
	struct plan *next = NULL;
	char round[24], state[DIGEST_TEXT], kind[33], sites_text[16];
	char learned[96];
	int rv = -1;

	for (size_t i = 0; i < p->n; i++)
		step.sites[i] = round_result_input(p->result, i)->site;
	if (own != NULL && site_round_about(own)->round != about->round)
		own = NULL;
	if (site_round_accept(own, ctx, p->result, NULL, NULL, err) < 0)
		goto out;
	snprintf(round, sizeof(round), "%" PRIu64, about->round);
	if (audit_other_roster(g, r, own, round, err) < 0)
		goto out;
	if ((next = plan_next(r->plan, sum, n, (uint32_t)p->n, err)) == NULL)
		goto out;
	plan_save(next, &after);
	if (after.failed) {
		err_sys(err, "the next state");
		goto out;
	}
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
	learn_text(next, learned, sizeof(learned));
	if (audit_event(g->audit, err, "sum", "study", r->name, "round", round,
		"kind", kind, "sites", sites_text, "state", state, "verify",
		how, learned[0] != '\0' ? "learned" : NULL, learned,
		NULL) < 0 ||
	    audit_change(g, r, &step, round, err) < 0 ||
	    run_keep_sum(g, r, step.idx, &checked, sum, err) < 0 ||
	    store_next(g, r, &step, &after, &checked, plan_done(next), err) < 0)
		goto out;
	/* From here on the store is ahead; memory follows. */
	drop_uploads(g, r, &step, own);
	r->summed = step.round;
	run_drop_update(r);
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
		memcpy(r->cohort, step.sites, p->n * sizeof(*step.sites));
		r->n_cohort = p->n;
	}
	site_round_free(r->round);
	r->round = NULL;
	g->summed_utc = clock_utc();
	log_event(EVENT_ROUND_SUM, LOG_INFO, ROUND_FIELDS(r),
	    "sum of round %s (%s) over %zu sites accepted (%s)%s%s; %s", round,
	    kind, p->n, how, learned[0] != '\0' ? ": " : "", learned,
	    plan_done(r->plan) ? "the study is done" : "next");
	rv = plan_done(r->plan) ? gate_retention(g, err) : 0;
out:
	plan_free(next);
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
	if ((ctx = run_context_of(g, r, p->epoch, &c, &why)) == NULL ||
	    round_check_take(p->check, ctx, m->data, m->len, &why) < 0)
		goto refused;
	if ((rv = fetch_next(g, r, err)) <= 0)
		return rv;
	if (finish(g, r, ctx, &why) < 0)
		goto refused;
	run_drop_replay(r);
	return run_idle(g, r, err);
refused:
	run_drop_replay(r);
	return run_refuse(g, r, &why, err);
}

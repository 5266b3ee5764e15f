/*
 * A study that this site takes part in: what the store has of it, and what
 * its rounds are checked against.
 */
#include "daemon/gate_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/hex.h"
#include "crypto/approval.h"
#include "crypto/audit.h"
#include "crypto/context.h"
#include "crypto/round_site.h"
#include "crypto/signed_study.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "study/study.h"

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

const struct round_ctx *
run_context(const struct gate *g, const struct run *r, struct context *c)
{
	return context_under(g, r, g->manifest, c);
}

const struct round_ctx *
run_context_of(struct gate *g, const struct run *r, uint32_t epoch,
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

	round_params(&run_context(g, r, &c)->rules, r->sig->n_sites,
	    r->sig->n_sites, &p, &err);
	return p.u_min;
}

struct round_about
run_expected(const struct run *r)
{
	struct round_about a = {
		.step = plan_index(r->plan),
		.words = plan_words(r->plan),
	};

	snprintf(a.kind, sizeof(a.kind), "%s", plan_kind(r->plan));
	memcpy(a.state, r->state, ROUND_DIGEST);
	return a;
}

size_t
run_vector_len(const struct run *r)
{
	return plan_words(r->plan) * (study_bits(r->study) / 8);
}

size_t
run_update_len(const struct run *r)
{
	return plan_words(r->plan) * sizeof(uint64_t);
}

void
run_spool_path(const struct gate *g, const char *study, uint64_t round,
    char *out, size_t size)
{
	snprintf(out, size, "%s/spool/%s.%" PRIu64, g->state_dir, study, round);
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

void
run_drop_update(struct run *r)
{
	if (r->update != NULL)
		explicit_bzero(r->update, run_update_len(r));
	free(r->update);
	r->update = NULL;
}

static void
run_free(struct run *r)
{
	if (r == NULL)
		return;
	if (r->plan != NULL)
		run_drop_update(r);
	run_drop_replay(r);
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
	struct step step;
	int rv = store_get_step(
	    g->store, r->id, UINT32_MAX, &step, &bytes, NULL, err);

	if (rv == 0) {
		step = (struct step){ .idx = 0 };
		round_state_first(r->digest, step.state);
		if ((r->plan = plan_new(r->spec, err)) == NULL)
			goto out;
		plan_save(r->plan, &bytes);
		rv = bytes.failed ? err_sys(err, "study %s", r->name)
				  : store_add_step(g->store, r->id, &step,
					bytes.data, bytes.len, NULL, 0, err);
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

int
run_load_round(struct gate *g, struct run *r, struct err *err)
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

/* Of which epoch and round the present state is. */
static int
load_made(struct gate *g, struct run *r, struct err *err)
{
	uint8_t sum[ROUND_DIGEST];
	struct canon m8 = { 0 };
	struct step last;
	int rv =
	    store_get_step(g->store, r->id, UINT32_MAX, &last, NULL, &m8, err);

	r->made = r->sig->epoch;
	r->summed = rv == 1 ? last.round : 0;
	if (rv == 1 && m8.len != 0)
		rv = round_result_peek(m8.data, m8.len, &r->made, sum, err);
	canon_free(&m8);
	return rv < 0 ? -1 : 0;
}

/* Whose approval it is, for the audit log. */
static int
load_officer(struct gate *g, struct run *r, struct err *err)
{
	struct canon object = { 0 };
	struct approval a;
	int rv = store_last_decision(g->store, r->id, &object, err);

	if (rv == 1 &&
	    (rv = approval_open_kept(object.data, object.len, &a, err)) == 0)
		hex_text(a.officer, KEY_PUBLIC, r->officer);
	canon_free(&object);
	return rv;
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
	    load_plan(g, r, err) < 0 || run_load_round(g, r, err) < 0 ||
	    store_get_checked(g->store, r->id, &r->checked, err) < 0 ||
	    load_made(g, r, err) < 0 || load_officer(g, r, err) < 0)
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

int
run_put_round(struct gate *g, struct run *r, struct err *err)
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

int
run_keep_round(struct gate *g, struct run *r, struct err *err)
{
	if (store_begin(g->store, err) < 0)
		return -1;
	if (run_put_round(g, r, err) < 0) {
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
	g->ended++;
	if (audit_event(g->audit, err, "abort", "study", r->name, "why",
		"a new membership manifest", "convicted", "0", NULL) < 0)
		return -1;
	return run_put_round(g, r, err);
}

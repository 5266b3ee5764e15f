#include "ctl/transcript.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/context.h"
#include "crypto/round_result.h"
#include "model/spec.h"
#include "model/step/learn.h"
#include "model/step/plan.h"
#include "privsep/ctl_msg.h"
#include "study/study.h"

#define LABEL "consilium-1/transcript"

/*
 * Fetching.  The coordinator answers for one round at a time; a chain is
 * fetched backwards.
 */

struct piece {
	struct canon before; /* study, states, model: as a transcript begins */
	struct canon round; /* manifest, M8, uploads */
	uint64_t previous; /* round before it; 0: none */
};

static void
piece_free(struct piece *p)
{
	canon_free(&p->before);
	canon_free(&p->round);
}

static const char *
cell(const struct ctl_reply *r, size_t row, const char *column)
{
	for (size_t i = 0; i < r->n_columns; i++) {
		if (strcmp(r->columns[i], column) == 0)
			return r->cells[row * r->n_columns + i];
	}
	return "";
}

/* One upload, chunk by chunk. */
static int
fetch_upload(transcript_ask_fn *ask, void *arg, const uint8_t root[],
    uint64_t len, struct canon *out, struct err *err)
{
	uint64_t have = 0;

	canon_u32(out, (uint32_t)len);
	for (uint32_t i = 0; have < len; i++) {
		uint8_t room[ROUND_DIGEST + 4];
		struct canon q = canon_on(room, sizeof(room));
		struct ctl_reply r = { 0 };
		int rv;

		canon_raw(&q, root, ROUND_DIGEST);
		canon_u32(&q, i);
		rv = ask(arg, "chunk", q.data, q.len, &r, err);
		if (rv == 0 && r.body_len != MIN(len - have, ROUND_CHUNK))
			rv = err_set(err, ERR_PEER,
			    "a chunk of %zu bytes, expected %" PRIu64,
			    r.body_len, MIN(len - have, (uint64_t)ROUND_CHUNK));
		if (rv == 0)
			canon_raw(out, r.body, r.body_len);
		have += r.body_len;
		ctl_reply_free(&r);
		if (rv < 0)
			return -1;
	}
	return 0;
}

static int
fetch_uploads(transcript_ask_fn *ask, void *arg, const struct ctl_reply *r,
    struct canon *out, struct err *err)
{
	size_t n = ctl_reply_rows(r);

	canon_u16(out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		uint8_t root[ROUND_DIGEST];
		uint64_t len = strtoull(cell(r, i, "bytes"), NULL, 10);

		if (hex_bytes(cell(r, i, "root"), root, sizeof(root)) < 0 ||
		    len < 1 || len > ROUND_WORDS_MAX * 8)
			return err_set(
			    err, ERR_PEER, "the daemon names no upload");
		if (fetch_upload(ask, arg, root, len, out, err) < 0)
			return -1;
	}
	return 0;
}

static int
fetch_piece(transcript_ask_fn *ask, void *arg, uint64_t round, struct piece *p,
    struct err *err)
{
	struct ctl_reply r = { 0 };
	uint8_t room[8];
	struct canon q = canon_on(room, sizeof(room));
	struct canon_in in;
	const uint8_t *start;
	size_t len;
	int rv;

	*p = (struct piece){ 0 };
	canon_u64(&q, round);
	if ((rv = ask(arg, "transcript", q.data, q.len, &r, err)) < 0)
		goto out;
	rv = -1;
	in = canon_in(r.body, r.body_len);
	start = in.p;
	canon_get_bytes(&in, 1, SIGNED_STUDY_MAX, &len);
	canon_get_view(&in, 2 * ROUND_DIGEST);
	canon_get_bytes(&in, 1, PLAN_BYTES_MAX, &len);
	if (in.failed || ctl_reply_rows(&r) == 0) {
		err_set(err, ERR_PEER, "the daemon's answer is no transcript");
		goto out;
	}
	canon_raw(&p->before, start, (size_t)(in.p - start));
	canon_raw(&p->round, in.p, (size_t)(in.end - in.p));
	p->previous = strtoull(cell(&r, 0, "before"), NULL, 10);
	if ((rv = fetch_uploads(ask, arg, &r, &p->round, err)) < 0)
		err_prefix(err, "round %s", cell(&r, 0, "round"));
	else if (p->before.failed || p->round.failed)
		rv = err_sys(err, "transcript");
out:
	ctl_reply_free(&r);
	if (rv < 0)
		piece_free(p);
	return rv;
}

int
transcript_fetch(transcript_ask_fn *ask, void *arg, uint64_t round, bool chain,
    struct canon *out, struct err *err)
{
	struct piece *p = calloc(TRANSCRIPT_ROUNDS_MAX, sizeof(*p));
	size_t n = 0;
	int rv = -1;

	if (p == NULL)
		return err_sys(err, "transcript");
	do {
		if (fetch_piece(ask, arg, round, &p[n], err) < 0) {
			/* Here the kept ones end. */
			if (n > 0 && err->code == ERR_REFUSED)
				break;
			goto out;
		}
		round = p[n++].previous;
	} while (chain && round != 0 && n < TRANSCRIPT_ROUNDS_MAX);
	canon_text(out, LABEL);
	canon_raw(out, p[n - 1].before.data, p[n - 1].before.len);
	canon_u32(out, (uint32_t)n);
	for (size_t i = n; i-- > 0;)
		canon_raw(out, p[i].round.data, p[i].round.len);
	rv = out->failed ? err_sys(err, "transcript") : 0;
out:
	for (size_t i = 0; i < n; i++)
		piece_free(&p[i]);
	free(p);
	return rv;
}

/*
 * Replaying
 */

struct replay {
	const uint8_t *root;
	struct manifest_roots roots; /* as far as they have come */
	struct signed_study *sig;
	struct study *study;
	struct model_spec spec;
	struct plan *plan;
	uint8_t state[ROUND_DIGEST];
	uint16_t cohort[ROUND_SITES_MAX]; /* as the first sum had it */
	size_t n_cohort;
};

/* The uploads of one round, as they lie in the transcript. */
struct uploads {
	struct canon_in in; /* at the next one */
	void *words;
	size_t n, len; /* words, and their bytes */
	uint16_t left;
};

static int
next_upload(void *arg, uint16_t site, const void **words, struct err *err)
{
	struct uploads *u = arg;
	const uint8_t *p;
	size_t len;

	p = canon_get_bytes(&u->in, 1, ROUND_WORDS_MAX * 8, &len);
	if (p == NULL || u->left == 0)
		return err_set(
		    err, ERR_FORMAT, "the upload of site %u is missing", site);
	if (len != u->len)
		return err_set(err, ERR_FORMAT,
		    "the upload of site %u has %zu bytes, expected %zu", site,
		    len, u->len);
	u->left--;
	memcpy(u->words, p, len);
	*words = u->words;
	return 0;
}

/* That of the first round: it says who may have signed the study. */
static struct manifest *
first_manifest(const struct replay *r, struct canon_in in, struct err *err)
{
	const uint8_t *object;
	size_t len;

	canon_get_u32(&in);
	object = canon_get_bytes(&in, 1, MANIFEST_MAX, &len);
	if (in.failed) {
		err_set(err, ERR_FORMAT, "transcript: cut short");
		return NULL;
	}
	return manifest_open(object, len, r->root, err);
}

/* Where the transcript begins: the model bytes must be those that the first
   round's state stands for. */
static int
begin(struct replay *r, struct canon_in *in, struct err *err)
{
	uint8_t previous[ROUND_DIGEST], sum[ROUND_DIGEST];
	struct canon first = { 0 };
	const uint8_t *object, *model;
	size_t object_len, model_len;
	struct plan *fresh = NULL;
	struct manifest *m;
	int rv = -1;

	object = canon_get_bytes(in, 1, SIGNED_STUDY_MAX, &object_len);
	canon_get_raw(in, previous, sizeof(previous));
	canon_get_raw(in, sum, sizeof(sum));
	model = canon_get_bytes(in, 1, PLAN_BYTES_MAX, &model_len);
	if (in->failed)
		return canon_end(in, "transcript", err);
	if ((m = first_manifest(r, *in, err)) == NULL)
		return -1;
	r->roots = m->roots;
	manifest_free(m);
	if ((r->sig = signed_study_open_kept(
		 object, object_len, &r->roots, err)) == NULL ||
	    (r->study = study_parse(
		 "study", r->sig->text, r->sig->text_len, err)) == NULL ||
	    study_model_spec(r->study, r->sig->n_sites, &r->spec, err) < 0)
		return -1;
	if ((r->plan = plan_load(&r->spec, model, model_len, err)) == NULL)
		return -1;
	if (plan_index(r->plan) > 0) {
		round_state_next(r->sig->digest, plan_index(r->plan),
		    plan_kind(r->plan), previous, sum, model, model_len,
		    r->state);
		return 0;
	}
	round_state_first(r->sig->digest, r->state);
	if ((fresh = plan_new(&r->spec, err)) == NULL)
		return -1;
	plan_save(fresh, &first);
	for (size_t i = 0; i < ROUND_DIGEST; i++)
		previous[i] |= sum[i];
	if (first.len != model_len ||
	    memcmp(first.data, model, model_len) != 0 ||
	    memcmp(previous, (uint8_t[ROUND_DIGEST]){ 0 }, ROUND_DIGEST) != 0)
		err_set(err, ERR_PEER,
		    "what the first round starts from is not a beginning");
	else
		rv = 0;
	plan_free(fresh);
	canon_free(&first);
	return rv;
}

/* Repeat one sum, and step. */
static int
repeat(struct replay *r, const struct round_ctx *ctx,
    const struct round_result *result, struct uploads *u,
    struct transcript_round *out, struct err *err)
{
	struct round_uploads get = { .get = next_upload, .arg = u };
	struct canon model = { 0 };
	void *sum = calloc(u->len, 1);
	int rv = -1;

	u->words = calloc(u->len, 1);
	if (sum == NULL || u->words == NULL) {
		err_sys(err, "%zu words", u->n);
		goto out;
	}
	if (u->left != out->n_sites) {
		err_set(err, ERR_FORMAT, "%u uploads, expected %zu", u->left,
		    out->n_sites);
		goto out;
	}
	if (round_result_sum(result, ctx, &get, sum, err) < 0 ||
	    plan_step(r->plan, sum, u->n, (uint32_t)out->n_sites, err) < 0)
		goto out;
	plan_save(r->plan, &model);
	learn_text(r->plan, out->learned, sizeof(out->learned));
	memcpy(out->sum, round_result_sum_root(result), ROUND_DIGEST);
	round_state_next(r->sig->digest, plan_index(r->plan),
	    plan_kind(r->plan), r->state, out->sum, model.data, model.len,
	    out->next);
	memcpy(r->state, out->next, ROUND_DIGEST);
	rv = 0;
out:
	free(sum);
	free(u->words);
	canon_free(&model);
	return rv;
}

static void
fix_cohort(struct replay *r, const struct round_result *result)
{
	if (r->study->privacy.cohort != STUDY_FIXED || r->n_cohort != 0)
		return;
	r->n_cohort = round_result_inputs(result);
	for (size_t i = 0; i < r->n_cohort; i++)
		r->cohort[i] = round_result_input(result, i)->site;
}

static int
one_round(struct replay *r, struct canon_in *in, struct transcript_round *out,
    struct err *err)
{
	struct round_about expect = { .step = plan_index(r->plan),
		.words = plan_words(r->plan) };
	const uint8_t *object, *msg;
	size_t object_len, msg_len;
	struct round_result *result = NULL;
	struct manifest *m;
	struct round_ctx *ctx;
	struct uploads u = { .n = expect.words,
		.len = expect.words * (study_bits(r->study) / 8) };
	struct context c;
	int rv = -1;

	object = canon_get_bytes(in, 1, MANIFEST_MAX, &object_len);
	msg = canon_get_bytes(in, 1, ROUND_MESSAGE_MAX, &msg_len);
	u.left = canon_get_u16(in);
	if (in->failed)
		return canon_end(in, "transcript", err);
	if (plan_done(r->plan))
		return err_set(err, ERR_PEER, "a round after the plan's end");
	if ((m = manifest_open(object, object_len, r->root, err)) == NULL)
		return -1;
	if (manifest_roots_follow(&r->roots, &m->roots, err) < 0)
		goto out;
	r->roots = m->roots;
	if (signed_study_fits(r->sig, m, err) < 0)
		goto out;
	snprintf(expect.kind, sizeof(expect.kind), "%s", plan_kind(r->plan));
	memcpy(expect.state, r->state, ROUND_DIGEST);
	ctx = context_fill(&c, m, r->sig, study_suite(r->study),
	    study_bits(r->study), study_verify(r->study),
	    study_cohort(r->study));
	ctx->cohort = r->cohort;
	ctx->n_cohort = r->n_cohort;
	if ((result = round_result_open(ctx, &expect, msg, msg_len, err)) ==
	    NULL)
		goto out;
	out->round = round_result_about(result)->round;
	out->step = expect.step;
	memcpy(out->kind, expect.kind, sizeof(out->kind));
	out->n_sites = round_result_inputs(result);
	u.in = *in;
	if (repeat(r, ctx, result, &u, out, err) < 0)
		goto out;
	*in = u.in;
	fix_cohort(r, result);
	rv = 0;
out:
	round_result_free(result);
	manifest_free(m);
	return rv;
}

int
transcript_replay(const void *data, size_t len, const uint8_t root[KEY_PUBLIC],
    void (*fn)(void *arg, const struct transcript_round *r), void *arg,
    struct canon *model, struct err *err)
{
	struct replay *r = calloc(1, sizeof(*r));
	struct canon_in in = canon_in(data, len);
	char label[sizeof(LABEL)];
	uint32_t n;
	int rv = -1;

	if (r == NULL)
		return err_sys(err, "transcript");
	r->root = root;
	canon_get_text(&in, label, sizeof(label));
	if (in.failed || strcmp(label, LABEL) != 0) {
		err_set(err, ERR_FORMAT, "not a transcript");
		goto out;
	}
	if (begin(r, &in, err) < 0)
		goto out;
	n = canon_get_u32(&in);
	if (in.failed || n < 1 || n > TRANSCRIPT_ROUNDS_MAX) {
		err_set(err, ERR_FORMAT, "a transcript of %u rounds", n);
		goto out;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct transcript_round t = { 0 };

		if (one_round(r, &in, &t, err) < 0) {
			err_prefix(
			    err, "round at step %u", plan_index(r->plan));
			goto out;
		}
		if (fn != NULL)
			fn(arg, &t);
	}
	if ((rv = canon_end(&in, "transcript", err)) == 0 && model != NULL)
		plan_save(r->plan, model);
out:
	plan_free(r->plan);
	study_free(r->study);
	signed_study_free(r->sig);
	free(r);
	return rv;
}

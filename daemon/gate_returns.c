/*
 * The way back of a coordinator whose database was restored from a backup
 * (docs/PROTOCOL.md, section 6): this site hands back the results that the
 * coordinator has signed and lost, with their sums, which it keeps for that as
 * long as the study's table.  It answers nothing that it has not answered.
 */
#include "daemon/gate_run.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "crypto/audit.h"
#include "crypto/context.h"
#include "crypto/round_behind.h"
#include "crypto/round_result.h"
#include "crypto/round_site.h"
#include "model/step/plan.h"
#include "study/study.h"

/* bytes `checked` (none: empty), then the words of the sum that led to a step. */
static void
sum_path(const struct gate *g, const char *study, uint32_t idx, char *out,
    size_t size)
{
	snprintf(
	    out, size, "%s/spool/%s.%" PRIu32 ".sum", g->state_dir, study, idx);
}

int
run_keep_sum(struct gate *g, const struct run *r, uint32_t idx,
    const struct canon *checked, const void *sum, struct err *err)
{
	struct canon file = { 0 };
	char path[PATH_MAX];
	int rv;

	canon_bytes(&file, checked->data, checked->len);
	canon_raw(&file, sum, run_vector_len(r));
	sum_path(g, r->name, idx, path, sizeof(path));
	if (file.failed)
		rv = err_set(err, ERR_SYSTEM, "%s: out of memory", path);
	else
		rv = file_write(path, file.data, file.len, 0600, err);
	canon_free(&file);
	return rv;
}

int
gate_drop_sums(struct gate *g, const struct store_study *st, struct err *err)
{
	char path[PATH_MAX];
	struct step step;
	int rv;

	for (uint32_t idx = 1;; idx++) {
		if ((rv = store_get_step(
			 g->store, st->id, idx, &step, NULL, NULL, err)) != 1)
			return rv;
		sum_path(g, st->name, idx, path, sizeof(path));
		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(err, "remove %s", path);
		run_spool_path(g, st->name, step.round, path, sizeof(path));
		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(err, "remove %s", path);
	}
}

/* The file; the caller frees it.  The words are those that root names. */
struct kept {
	uint8_t *file;
	const uint8_t *checked, *words;
	size_t checked_len, words_len;
};

static int
read_kept(const struct gate *g, const struct run *r, uint32_t idx,
    const uint8_t root[ROUND_DIGEST], struct kept *k, struct err *err)
{
	size_t word = study_bits(r->study) / 8, len;
	uint8_t found[ROUND_DIGEST];
	char path[PATH_MAX];
	struct canon_in in;

	sum_path(g, r->name, idx, path, sizeof(path));
	if (file_missing(path))
		return err_set(err, ERR_REFUSED,
		    "behind: the sum of step %" PRIu32 " is not kept here",
		    idx);
	k->file = file_read(path,
	    ROUND_WORDS_MAX * sizeof(uint64_t) + ROUND_MESSAGE_MAX, &len, err);
	if (k->file == NULL)
		return -1;
	in = canon_in(k->file, len);
	k->checked =
	    canon_get_bytes(&in, 0, ROUND_MESSAGE_MAX, &k->checked_len);
	k->words = in.p;
	k->words_len = (size_t)(in.end - in.p);
	if (in.failed || k->words_len == 0 || k->words_len % word != 0)
		return err_set(err, ERR_FORMAT, "%s: damaged", path);
	round_words_root(
	    study_bits(r->study), k->words, k->words_len / word, found);
	if (memcmp(found, root, sizeof(found)) != 0)
		return err_set(err, ERR_FORMAT, "%s: damaged", path);
	return 0;
}

static int
audit_returned(struct gate *g, const struct run *r, uint64_t number,
    const char *what, struct err *err)
{
	char round[24];

	snprintf(round, sizeof(round), "%" PRIu64, number);
	log_event(EVENT_RETURNED, LOG_WARNING, ROUND_FIELDS(r),
	    "the coordinator says that it was restored from a backup; it gets "
	    "back the %s of round %s",
	    what, round);
	return audit_event(g->audit, err, "returned", "study", r->name, "round",
	    round, "what", what, NULL);
}

/* The result that led to step idx; or only what this site has signed of it. */
static int
give_step(
    struct incoming *in, enum round_wish wish, uint32_t idx, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	struct canon result = { 0 }, checked = { 0 };
	uint8_t root[ROUND_DIGEST];
	struct kept k = { 0 };
	struct step step;
	uint32_t epoch;
	int rv = -1;

	if (store_get_step(g->store, r->id, idx, &step, NULL, &result, err) !=
		1 ||
	    round_result_peek(result.data, result.len, &epoch, root, err) < 0 ||
	    read_kept(g, r, idx, root, &k, err) < 0)
		goto out;
	if (wish == ROUND_WISH_CHECKED && k.checked_len == 0) {
		err_set(err, ERR_REFUSED,
		    "behind: this site has not checked the sum itself");
	} else if (wish == ROUND_WISH_CHECKED) {
		canon_raw(&checked, k.checked, k.checked_len);
		rv = run_answer(g, r, ROUND_CHECKED, &checked, err);
	} else if (audit_returned(g, r, step.round, "result", err) == 0) {
		/* What is to be told of a later one goes when that is back. */
		canon_free(&r->checked);
		canon_raw(&r->checked, k.checked, k.checked_len);
		if (r->checked.failed) {
			canon_free(&r->checked);
			err_sys(err, "what was checked");
			goto out;
		}
		rv = run_send_vector(g, r, ROUND_RESULT, root, k.words,
		    k.words_len, result.data, result.len, err);
	}
out:
	free(k.file);
	canon_free(&checked);
	canon_free(&result);
	return rv;
}

/* This site's upload, which is an input of the sum that led to step idx. */
static int
give_input(struct incoming *in, const struct round_behind *b,
    const struct round_result *result, struct err *err)
{
	struct run *r = in->r;
	size_t n = round_result_about(result)->words, len, words_len;
	const struct round_input *own = NULL;
	uint8_t found[ROUND_DIGEST], *data;
	char path[700];
	int rv = -1;

	for (size_t i = 0; i < round_result_inputs(result); i++) {
		if (round_result_input(result, i)->site == in->g->self)
			own = round_result_input(result, i);
	}
	run_spool_path(in->g, r->name, b->round, path, sizeof(path));
	if (own == NULL || round_result_about(result)->round != b->round ||
	    file_missing(path))
		return err_set(err, ERR_REFUSED,
		    "behind: no upload to round %" PRIu64 " is kept here that "
		    "is in the sum",
		    b->round);
	words_len = n * (study_bits(r->study) / 8);
	if ((data = file_read(
		 path, words_len + ROUND_MESSAGE_MAX, &len, err)) == NULL)
		return -1;
	if (len > words_len)
		round_words_root(study_bits(r->study), data, n, found);
	if (len <= words_len || memcmp(found, own->root, sizeof(found)) != 0)
		err_set(err, ERR_FORMAT, "%s: damaged", path);
	else if (audit_returned(in->g, r, b->round, "upload", err) == 0)
		rv = run_send_vector(in->g, r, ROUND_UPLOAD, found, data,
		    words_len, data + words_len, len - words_len, err);
	free(data);
	return rv;
}

/* The sum that led on from b->step is lost, as are its inputs; others have to
   check it yet. */
static int
give_summed(struct incoming *in, const struct round_behind *b, struct err *err)
{
	struct round_result *result = NULL;
	const struct round_ctx *ctx;
	struct canon m8 = { 0 };
	uint8_t root[ROUND_DIGEST];
	struct context c;
	struct step step;
	uint32_t epoch;
	int rv = -1;

	if (store_get_step(in->g->store, in->r->id, b->step + 1, &step, NULL,
		&m8, err) == 1 &&
	    round_result_peek(m8.data, m8.len, &epoch, root, err) == 0 &&
	    (ctx = run_context_of(in->g, in->r, epoch, &c, err)) != NULL &&
	    (result = round_result_open(ctx, NULL, m8.data, m8.len, err)) !=
		NULL)
		rv = give_input(in, b, result, err);
	round_result_free(result);
	canon_free(&m8);
	return rv;
}

/* The same where this site is one of those who have no sum of the state yet. */
static int
give_unsummed(
    struct incoming *in, const struct round_behind *b, struct err *err)
{
	struct run *r = in->r;
	enum site_phase phase =
	    r->round != NULL ? site_round_phase(r->round) : SITE_READY;

	if (phase < SITE_UPLOADED || phase > SITE_UNMASKED ||
	    site_round_about(r->round)->round != b->round)
		return err_set(err, ERR_REFUSED,
		    "behind: this site has no upload to round %" PRIu64
		    ", or has given it up",
		    b->round);
	return audit_returned(in->g, r, b->round, "upload", err) < 0
	    ? -1
	    : run_resend_upload(in->g, r, err);
}

/* The upload that was spooled goes before what is kept. */
static int
give_upload(struct gate *g, struct run *r, struct err *err)
{
	size_t words_len = run_vector_len(r), len;
	uint8_t root[ROUND_DIGEST], *data;
	struct canon msg = { 0 };
	char path[700];
	int rv;

	run_spool_path(g, r->name, r->last_round, path, sizeof(path));
	data = file_read(path, words_len + ROUND_MESSAGE_MAX, &len, err);
	if (data == NULL)
		return -1;
	if (len <= words_len) {
		free(data);
		return err_set(err, ERR_FORMAT, "%s: cut short", path);
	}
	round_words_root(study_bits(r->study), data, plan_words(r->plan), root);
	site_round_put_kept(r->round, data + words_len, len - words_len, &msg);
	rv = msg.failed ? err_sys(err, "what is kept")
			: run_send_vector(g, r, ROUND_KEPT, root, data,
			      words_len, msg.data, msg.len, err);
	canon_free(&msg);
	free(data);
	return rv;
}

/* On the present state: what the coordinator does not know of its rounds. */
static int
give_round(struct incoming *in, const struct round_behind *b, struct err *err)
{
	struct run *r = in->r;
	struct canon msg = { 0 };
	uint64_t round;
	enum site_phase phase;
	int rv = 0;

	if (r->round == NULL)
		return 0;
	phase = site_round_phase(r->round);
	round = site_round_about(r->round)->round;
	/* It has stored each phase before this site could see it. */
	if (phase != SITE_UNMASKED && round <= b->round &&
	    (phase < SITE_SHARED || phase > SITE_UNMASKED || round < b->round))
		return 0;
	if (phase >= SITE_UPLOADED && phase <= SITE_UNMASKED)
		return give_upload(in->g, r, err);
	site_round_put_kept(r->round, NULL, 0, &msg);
	if (msg.len != 0)
		rv = run_answer(in->g, r, ROUND_KEPT, &msg, err);
	canon_free(&msg);
	return rv;
}

int
run_on_behind(struct incoming *in, struct err *err)
{
	struct gate *g = in->g;
	struct run *r = in->r;
	struct round_behind b;
	struct step step;
	int rv;

	if (round_behind_open(in->ctx, in->msg, in->len, &b, err) < 0)
		return -1;
	if (b.step > plan_index(r->plan))
		return err_set(err, ERR_REFUSED,
		    "behind: of step %" PRIu32 ", this site is at %" PRIu32,
		    b.step, plan_index(r->plan));
	rv = store_get_step(g->store, r->id, b.step, &step, NULL, NULL, err);
	if (rv < 0)
		return -1;
	assert(rv == 1); /* none is ever deleted */
	if (memcmp(step.state, b.state, ROUND_DIGEST) != 0)
		return err_set(err, ERR_PEER,
		    "behind: another state at step %" PRIu32 " than this "
		    "site's",
		    b.step);
	if (b.wish == ROUND_WISH_UPLOAD)
		return b.step < plan_index(r->plan)
		    ? give_summed(in, &b, err)
		    : give_unsummed(in, &b, err);
	if (b.step < plan_index(r->plan))
		return give_step(in, b.wish, b.step + 1, err);
	return b.wish == ROUND_WISH_NEXT ? give_round(in, &b, err) : 0;
}

/*
 * The way back of a coordinator whose database was restored from a backup
 * (docs/PROTOCOL.md, section 6): this site hands back the results that the
 * coordinator has signed and lost, with their sums, which it keeps for that as
 * long as the study's table.  It answers nothing that it has not answered.
 */
#include "daemon/gate_run.h"

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
	struct step last;
	char path[PATH_MAX];
	int rv = store_get_step(
	    g->store, st->id, UINT32_MAX, &last, NULL, NULL, err);

	for (uint32_t idx = 1; rv == 1 && idx <= last.idx; idx++) {
		sum_path(g, st->name, idx, path, sizeof(path));
		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(err, "remove %s", path);
	}
	return rv < 0 ? -1 : 0;
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
	if (access(path, F_OK) < 0 && errno == ENOENT)
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
audit_returned(
    struct gate *g, const struct run *r, uint64_t number, struct err *err)
{
	char round[24];

	snprintf(round, sizeof(round), "%" PRIu64, number);
	log_event(EVENT_RETURNED, LOG_WARNING, ROUND_FIELDS(r),
	    "the coordinator says that it was restored from a backup; it gets "
	    "back its result of round %s",
	    round);
	return audit_event(
	    g->audit, err, "returned", "study", r->name, "round", round, NULL);
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
	} else if (audit_returned(g, r, step.round, err) == 0) {
		if (r->checked.len == 0)
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

/* The upload that was spooled goes before what is kept. */
static int
give_upload(struct gate *g, struct run *r, struct err *err)
{
	size_t words_len = run_vector_len(r), len;
	uint8_t root[ROUND_DIGEST], *data;
	struct canon msg = { 0 };
	char path[700];
	int rv;

	run_spool_path(g, r, path, sizeof(path));
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
	if (rv == 0 || memcmp(step.state, b.state, ROUND_DIGEST) != 0)
		return err_set(err, ERR_PEER,
		    "behind: another state at step %" PRIu32 " than this "
		    "site's",
		    b.step);
	if (b.step < plan_index(r->plan))
		return give_step(in, b.wish, b.step + 1, err);
	return b.wish == ROUND_WISH_NEXT ? give_round(in, &b, err) : 0;
}

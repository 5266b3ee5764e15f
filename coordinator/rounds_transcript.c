/*
 * What the operator may export of a round that is done, so that an outsider
 * can repeat it (docs/PROTOCOL.md, "Transcripts"): all of it is signed, or
 * named by what is signed, and the coordinator could alter none of it.
 */
#include "coordinator/rounds.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"
#include "model/step/plan.h"
#include "privsep/ctl_msg.h"
#include "study/study.h"

/* A step, with what stands in the book beside it. */
struct kept {
	struct step step;
	struct canon plan, result;
};

static void
kept_free(struct kept *k)
{
	if (k == NULL)
		return;
	canon_free(&k->plan);
	canon_free(&k->result);
	free(k);
}

static struct kept *
kept_get(struct work *w, uint32_t idx, struct err *err)
{
	struct kept *k = calloc(1, sizeof(*k));
	int rv;

	if (k == NULL) {
		err_sys(err, "a step");
		return NULL;
	}
	rv = book_get_step(
	    w->rounds->book, w->id, idx, &k->step, &k->plan, &k->result, err);
	assert(rv != 0); /* none is ever deleted */
	if (rv == 1)
		return k;
	kept_free(k);
	return NULL;
}

/* One row for each upload; every row says which round it is. */
static int
put_rows(struct work *w, const struct kept *before, const struct kept *after,
    struct ctl_reply *r, struct err *err)
{
	static const char *const columns[] = { "round", "before", "site",
		"root", "bytes" };
	struct round_result *result = work_result(w, &after->result, err);

	if (result == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		ctl_reply_column(r, columns[i]);
	for (size_t i = 0; i < round_result_inputs(result); i++) {
		const struct round_input *in = round_result_input(result, i);
		char root[2 * ROUND_DIGEST + 1];

		hex_text(in->root, sizeof(in->root), root);
		ctl_reply_cell(r, "%" PRIu64, after->step.round);
		ctl_reply_cell(r, "%" PRIu64, before->step.round);
		ctl_reply_cell(r, "%u", in->site);
		ctl_reply_cell(r, "%s", root);
		ctl_reply_cell(r, "%" PRIu64,
		    round_result_about(result)->words *
			(study_bits(w->study) / 8));
	}
	round_result_free(result);
	return 0;
}

/* What a transcript has of one round, but the uploads: what was before it,
   then the round. */
static int
put_round(struct work *w, uint32_t idx, struct ctl_reply *r, struct err *err)
{
	struct canon body = { 0 }, study = { 0 }, manifest = { 0 };
	uint8_t zeros[ROUND_DIGEST] = { 0 }, sum[ROUND_DIGEST] = { 0 };
	struct kept *after = kept_get(w, idx, err), *before = NULL,
		    *past = NULL;
	uint32_t epoch;
	int rv = -1;

	if (after == NULL || (before = kept_get(w, idx - 1, err)) == NULL ||
	    (idx > 1 && (past = kept_get(w, idx - 2, err)) == NULL) ||
	    (past != NULL &&
		round_result_peek(before->result.data, before->result.len,
		    &epoch, sum, err) < 0))
		goto out;
	if (book_study_object(w->rounds->book, w->id, &study, err) != 1)
		goto out;
	canon_bytes(&body, study.data, study.len);
	canon_raw(&body, past != NULL ? past->step.state : zeros, ROUND_DIGEST);
	canon_raw(&body, sum, ROUND_DIGEST);
	canon_bytes(&body, before->plan.data, before->plan.len);
	if (round_result_peek(
		after->result.data, after->result.len, &epoch, sum, err) < 0 ||
	    book_manifest_of(w->rounds->book, epoch, &manifest, err) != 1)
		goto out;
	canon_bytes(&body, manifest.data, manifest.len);
	canon_bytes(&body, after->result.data, after->result.len);
	if (put_rows(w, before, after, r, err) < 0)
		goto out;
	ctl_reply_body(r, &body);
	rv = 0;
out:
	canon_free(&body);
	canon_free(&study);
	canon_free(&manifest);
	kept_free(after);
	kept_free(before);
	kept_free(past);
	return rv;
}

/* body: u64 round, 0 for the last one */
int
rounds_transcript(struct rounds *s, const struct ctl_request *q,
    struct ctl_reply *r, struct err *err)
{
	struct canon_in in = canon_in(q->body, q->body_len);
	uint64_t round = canon_get_u64(&in);
	struct work *w = s->works;
	uint32_t idx;
	int rv;

	if (canon_end(&in, "transcript", err) < 0)
		return -1;
	while (w != NULL && strcmp(w->name, q->study) != 0)
		w = w->next;
	if (w == NULL)
		return err_set(
		    err, ERR_CONFIG, "no study of the name %s here", q->study);
	idx = plan_index(w->plan);
	if (round == 0 && idx == 0)
		return err_set(
		    err, ERR_REFUSED, "study %s has no sum yet", w->name);
	if (round != 0) {
		rv = book_find_round(s->book, w->id, round, &idx, err);
		if (rv < 0)
			return -1;
		if (rv == 0)
			return err_set(err, ERR_REFUSED,
			    "study %s has no sum of round %" PRIu64, w->name,
			    round);
	}
	return put_round(w, idx, r, err);
}

/* body: 32 root, u32 index; the answer's body is the chunk. */
int
rounds_chunk(struct rounds *s, const struct ctl_request *q, struct ctl_reply *r,
    struct err *err)
{
	struct canon_in in = canon_in(q->body, q->body_len);
	struct canon chunk = { 0 };
	uint8_t root[ROUND_DIGEST];
	uint32_t index, total;
	int rv;

	canon_get_raw(&in, root, sizeof(root));
	index = canon_get_u32(&in);
	if (canon_end(&in, "chunk", err) < 0)
		return -1;
	rv = rounds_get_chunk(s, root, index, &total, &chunk, err);
	if (rv == 0)
		ctl_reply_body(r, &chunk);
	canon_free(&chunk);
	return rv;
}

/*
 * Uploads are kept for a while.  Sites that have checked a sum say so; to one
 * that comes back later, their signatures stand in place of the uploads.
 */
#include "coordinator/rounds.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "crypto/round_vouch.h"
#include "model/step/plan.h"
#include "study/study.h"

/* What a site that has checked the sum which led to step idx signs.  1, or 0 if
   there is no such step. */
static int
expected(struct work *w, uint32_t idx, struct round_checked *c,
    struct canon *result, struct err *err)
{
	struct step step;
	uint32_t epoch;
	int rv = book_get_step(
	    w->rounds->book, w->id, idx, &step, NULL, result, err);

	if (rv == 1) {
		memcpy(c->state, step.state, ROUND_DIGEST);
		if (round_result_peek(
			result->data, result->len, &epoch, c->sum, err) < 0 ||
		    round_result_peek_roster(
			result->data, result->len, c->roster, err) < 0)
			rv = -1;
	}
	return rv;
}

int
work_take_checked(struct work *w, const void *msg, size_t len, uint16_t *from,
    struct err *err)
{
	struct round_checked got, want = { 0 };
	struct canon result = { 0 };
	const struct round_ctx *ctx;
	const uint8_t *sig;
	struct context c;
	uint32_t idx;
	int rv;

	*from = 0;
	ctx = work_context_under(w, w->rounds->manifest, &c);
	if (round_checked_open(ctx, msg, len, &got, &sig, err) < 0)
		return -1;
	*from = want.site = got.site;
	rv = book_find_state(w->rounds->book, w->id, got.state, &idx, err);
	if (rv == 1)
		rv = expected(w, idx, &want, &result, err);
	canon_free(&result);
	if (rv < 0)
		return -1;
	if (rv == 0 || memcmp(want.roster, got.roster, ROUND_DIGEST) != 0 ||
	    memcmp(want.sum, got.sum, ROUND_DIGEST) != 0)
		return err_set(err, ERR_PEER,
		    "checked: site %u has come to another sum or state",
		    (unsigned)got.site);
	return book_put_checked(
	    w->rounds->book, w->id, idx, got.site, sig, err);
}

/* Those whose signature is good under the newest manifest, but for one. */
static int
collect(struct work *w, uint32_t idx, uint16_t but, struct round_checked c,
    struct round_vouched *v, struct err *err)
{
	uint8_t(*sigs)[BOOK_SIGNATURE] = calloc(BOOK_SITES_MAX, sizeof(*sigs));
	uint16_t sites[BOOK_SITES_MAX];
	const struct round_ctx *ctx;
	struct context k;
	size_t n, need;
	int rv;

	if (sigs == NULL)
		return err_sys(err, "signatures");
	ctx = work_context_under(w, w->rounds->manifest, &k);
	need = (size_t)ctx->rules.corrupted + 1;
	rv = book_get_checked(
	    w->rounds->book, w->id, idx, sites, sigs, BOOK_SITES_MAX, &n, err);
	v->n = 0;
	for (size_t i = 0; rv == 0 && i < n && v->n < need; i++) {
		c.site = sites[i];
		if (sites[i] == but || !round_checked_by(ctx, &c, sigs[i]))
			continue;
		v->by[v->n].site = sites[i];
		memcpy(v->by[v->n++].sig, sigs[i], ROUND_SIGNATURE);
	}
	free(sigs);
	return rv < 0 ? -1 : v->n == need;
}

/* Inputs of a sum that are not here: they have expired, or a restored backup has
   lost them. */
struct gone {
	bool some, of[BOOK_SITES_MAX]; /* by place in the study */
	size_t len; /* bytes of each */
};

static int
find_gone(
    struct work *w, const struct canon *result, struct gone *g, struct err *err)
{
	struct round_result *r = work_result(w, result, err);
	char path[PATH_MAX];

	memset(g, 0, sizeof(*g));
	if (r == NULL)
		return -1;
	for (size_t k = 0; k < round_result_inputs(r); k++) {
		const struct round_input *in = round_result_input(r, k);
		size_t i = signed_study_index(w->sig, in->site);

		spool_path(w->rounds, SPOOL_PUBLIC, in->site, in->root, path);
		if (access(path, R_OK) == 0)
			continue;
		g->some = true;
		if (i < BOOK_SITES_MAX)
			g->of[i] = true;
	}
	g->len = round_result_about(r)->words * (study_bits(w->study) / 8);
	round_result_free(r);
	return 0;
}

/* A site waits for the sum that led to step idx, or does not any more.  The
   inputs of the last sum are still with their sites. */
static void
wait_for(struct work *w, uint32_t idx, const struct gone *g, bool waits)
{
	struct returns *r = &w->returns;

	if (!waits && r->unchecked == idx) {
		r->unchecked = 0;
		r->unchecked_ms = 0;
	}
	if (!waits)
		return;
	r->unchecked = idx;
	r->unchecked_len = g->len;
	memset(r->gone, 0, sizeof(r->gone));
	if (idx == plan_index(w->plan))
		memcpy(r->gone, g->of, sizeof(r->gone));
}

int
work_vouched(struct work *w, uint16_t site, uint32_t idx, struct canon *out,
    struct err *err)
{
	bool expired =
	    plan_index(w->plan) >= idx + w->study->rounds.keep_uploads;
	struct round_vouched *v;
	struct canon result = { 0 };
	struct round_checked c;
	struct gone gone = { 0 };
	struct context k;
	int rv;

	if (w->study->privacy.verify == STUDY_TRUST)
		return 0; /* nobody needs them */
	if ((v = calloc(1, sizeof(*v))) == NULL)
		return err_sys(err, "signatures");
	rv = expected(w, idx, &c, &result, err);
	if (rv == 1 && find_gone(w, &result, &gone, err) < 0)
		rv = -1;
	if (rv == 1)
		rv =
		    gone.some || expired ? collect(w, idx, site, c, v, err) : 0;
	wait_for(w, idx, &gone, rv == 0 && gone.some);
	if (rv == 1) {
		v->result = result.data;
		v->result_len = result.len;
		memcpy(v->state, c.state, ROUND_DIGEST);
		if (round_vouched_put(
			work_context_under(w, w->rounds->manifest, &k), v, out,
			err) < 0)
			rv = -1;
	}
	canon_free(&result);
	free(v);
	return rv;
}

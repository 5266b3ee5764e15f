/*
 * A study from round to round.  A phase ends when all have done their part, or
 * at its deadline if enough have; the table below says which deadline, and
 * what comes next.
 */
#include "coordinator/rounds.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/round_check.h"
#include "model/step/plan.h"
#include "study/study.h"

#define DIGEST_TEXT (2 * BOOK_DIGEST + 1)
#define RETRY_S 3 /* after an abort, until the next round */

const struct round_ctx *
work_context_under(
    const struct work *w, const struct manifest *m, struct context *c)
{
	struct round_ctx *ctx = context_fill(c, m, w->sig,
	    study_suite(w->study), study_bits(w->study), study_verify(w->study),
	    study_cohort(w->study));

	ctx->cohort = w->cohort;
	ctx->n_cohort = w->n_cohort;
	ctx->secret = key_secret(w->rounds->key);
	return ctx;
}

const struct round_ctx *
work_context(const struct work *w, struct context *c)
{
	return work_context_under(
	    w, w->manifest != NULL ? w->manifest : w->rounds->manifest, c);
}

uint64_t
work_number(const struct work *w)
{
	return w->round != NULL ? coord_round_about(w->round)->round : 0;
}

static int
keep(struct work *w, struct err *err)
{
	struct canon body = { 0 };
	int rv = -1;

	coord_round_save(w->round, &body);
	if (body.failed)
		err_set(err, ERR_SYSTEM, "out of memory");
	else
		rv = book_put_round(w->rounds->book, w->id,
		    coord_round_about(w->round)->round, body.data, body.len,
		    err);
	canon_free(&body);
	return rv;
}

/* The trailer of an upload whose chunks should all be here. */
static int
take_upload(struct work *w, const struct round_ctx *ctx, const void *msg,
    size_t len, uint16_t *from, struct err *err)
{
	struct rounds *s = w->rounds;
	size_t n = coord_round_about(w->round)->words;
	struct round_input in;
	char path[PATH_MAX], up[PATH_MAX];
	void *words;
	int rv;

	if (coord_round_peek_upload(w->round, ctx, msg, len, &in, err) < 0)
		return -1;
	spool_path(s, SPOOL_PART, in.site, in.root, path);
	spool_path(s, SPOOL_UP, in.site, in.root, up);
	if (access(path, R_OK) < 0 && access(up, R_OK) == 0)
		snprintf(path, sizeof(path), "%s", up); /* sent again */
	if (access(path, R_OK) < 0)
		return err_set(err, ERR_REFUSED, "its chunks are not here");
	if ((words = spool_words(path, work_vector_len(w), err)) == NULL)
		rv = -1;
	else
		rv = coord_round_add_upload(
		    w->round, ctx, msg, len, words, n, from, err);
	free(words);
	if (rv < 0) {
		if (err->code != ERR_SYSTEM && strcmp(path, up) != 0)
			work_drop_parts(w, in.site);
		return -1;
	}
	if (strcmp(path, up) == 0)
		return 0;
	work_own_part(w, in.site, in.root);
	if (file_sync(path, err) < 0)
		return -1;
	return spool_move(s, SPOOL_PART, SPOOL_UP, in.site, in.root, err);
}

/*
 * Phases
 */

static int
on_deadline(void *self, struct err *err)
{
	struct work *w = self;

	w->timer = false;
	w->overdue = true;
	if (work_progress(w, err) < 0)
		return -1;
	return rounds_wake(w->rounds, err);
}

static int
set_deadline(struct work *w, size_t seconds, struct err *err)
{
	if (w->timer)
		return 0;
	w->timer = true;
	w->deadline = clock_utc() + (int64_t)seconds;
	return loop_set_timer(
	    w->rounds->loop, (int64_t)seconds * 1000, on_deadline, w, err);
}

static void
clear_deadline(struct work *w)
{
	struct err never;

	w->timer = w->overdue = false;
	loop_set_timer(w->rounds->loop, -1, on_deadline, w, &never);
}

int
work_start_round(struct work *w, struct err *err)
{
	struct round_about about = {
		.step = plan_index(w->plan),
		.words = plan_words(w->plan),
	};
	struct context c;

	snprintf(about.kind, sizeof(about.kind), "%s", plan_kind(w->plan));
	memcpy(about.state, w->state, ROUND_DIGEST);
	clear_deadline(w);
	if (book_begin(w->rounds->book, err) < 0)
		return -1;
	if (book_new_round(w->rounds->book, w->id, &about.round, err) < 0)
		goto fail;
	coord_round_free(w->round);
	work_forget_asked(w, false);
	w->round = coord_round_start(work_context(w, &c), &about, err);
	if (w->round == NULL || keep(w, err) < 0)
		goto fail;
	if (book_commit(w->rounds->book, err) < 0)
		return -1;
	w->last_round = about.round;
	log_event(
	    EVENT_ROUND_BEGAN, LOG_INFO, WORK_FIELDS(w), "round announced");
	return 0;
fail:
	book_rollback(w->rounds->book);
	return -1;
}

int
work_abort(struct work *w, const char *why, struct err *err)
{
	struct context c;
	char round[24];

	if (coord_round_phase(w->round) == COORD_ABORTED)
		return 0;
	snprintf(round, sizeof(round), "%" PRIu64,
	    coord_round_about(w->round)->round);
	if (coord_round_abort(w->round, work_context(w, &c), why, err) < 0 ||
	    audit_event(w->rounds->audit, err, "abort", "study", w->name,
		"round", round, "why", why, NULL) < 0 ||
	    keep(w, err) < 0)
		return -1;
	clear_deadline(w);
	w->rounds->aborted++;
	log_event(EVENT_ROUND_ENDED, LOG_WARNING, WORK_FIELDS(w),
	    "round aborted: %s", why);
	work_drop_parts(w, 0);
	return set_deadline(w, RETRY_S, err);
}

struct sources {
	struct work *w;
	struct round_input inputs[ROUND_SITES_MAX];
	size_t n;
	void *words;
};

/* An input of the sum; where it lies follows from the trailer's root, which
   the result names. */
static int
get_words(void *arg, uint16_t site, const void **words, struct err *err)
{
	struct sources *src = arg;
	const struct rounds *s = src->w->rounds;
	char path[PATH_MAX];

	free(src->words);
	src->words = NULL;
	for (size_t i = 0; i < src->n; i++) {
		if (src->inputs[i].site != site)
			continue;
		spool_path(s, SPOOL_UP, site, src->inputs[i].root, path);
		if (access(path, R_OK) < 0)
			spool_path(
			    s, SPOOL_PUBLIC, site, src->inputs[i].root, path);
		src->words = spool_words(path, work_vector_len(src->w), err);
		*words = src->words;
		return src->words != NULL ? 0 : -1;
	}
	return err_set(err, ERR_FORMAT, "site %u has no upload", site);
}

int
work_publish_leaves(const struct work *w, const uint8_t root[ROUND_DIGEST],
    const void *words, size_t n, struct err *err)
{
	unsigned bits = study_bits(w->study);
	size_t chunks = round_chunks(bits, n);
	uint8_t(*leaves)[ROUND_DIGEST] = calloc(chunks, sizeof(*leaves));
	uint8_t name[ROUND_DIGEST];
	char path[PATH_MAX];
	int rv;

	if (leaves == NULL)
		return err_sys(err, "%zu chunks", chunks);
	round_leaves(bits, words, n, leaves);
	round_leaves_name(root, name);
	spool_path(w->rounds, SPOOL_PUBLIC, 0, name, path);
	rv = file_write(path, leaves, chunks * sizeof(*leaves), 0600, err);
	free(leaves);
	return rv;
}

static int
publish_leaves(
    struct work *w, const struct round_input *in, size_t n, struct err *err)
{
	char path[PATH_MAX];
	void *words;
	int rv = -1;

	spool_path(w->rounds, SPOOL_PUBLIC, in->site, in->root, path);
	if ((words = spool_words(path, work_vector_len(w), err)) != NULL)
		rv = work_publish_leaves(w, in->root, words, n, err);
	free(words);
	return rv;
}

/* What sites need to check a sum becomes public: the sum, the uploads but for
   trust, and their leaves (sample).  The sum stays: who comes back late takes
   it as others have signed it. */
static int
publish(
    struct work *w, const struct sources *src, const void *sum, struct err *err)
{
	size_t n = coord_round_about(w->round)->words;
	uint8_t root[ROUND_DIGEST];
	char path[PATH_MAX];

	round_words_root(study_bits(w->study), sum, n, root);
	spool_path(w->rounds, SPOOL_PUBLIC, 0, root, path);
	if (file_write(path, sum, work_vector_len(w), 0600, err) < 0)
		return -1;
	if (w->study->privacy.verify == STUDY_TRUST)
		return 0; /* nobody needs them any more */
	for (size_t i = 0; i < src->n; i++) {
		const struct round_input *in = &src->inputs[i];

		if (spool_move(w->rounds, SPOOL_UP, SPOOL_PUBLIC, in->site,
			in->root, err) < 0 ||
		    (w->study->privacy.verify == STUDY_SAMPLE &&
			publish_leaves(w, in, n, err) < 0))
			return -1;
	}
	return 0;
}

struct round_result *
work_result(struct work *w, const struct canon *msg, struct err *err)
{
	uint8_t sum[ROUND_DIGEST];
	struct round_result *r;
	struct manifest *m;
	struct context c;
	uint32_t epoch;

	if (round_result_peek(msg->data, msg->len, &epoch, sum, err) < 0 ||
	    (m = rounds_manifest_of(w->rounds, epoch, err)) == NULL)
		return NULL;
	r = round_result_open(
	    work_context_under(w, m, &c), NULL, msg->data, msg->len, err);
	manifest_free(m);
	return r;
}

/* Uploads of the step that is keep-uploads rounds past are deleted. */
static int
expire_uploads(struct work *w, struct err *err)
{
	struct step step;
	struct canon result = { 0 };
	struct round_result *r = NULL;
	uint32_t idx = plan_index(w->plan);
	struct err why = { 0 };
	int rv;

	if (idx <= w->study->rounds.keep_uploads)
		return 0;
	rv = book_get_step(w->rounds->book, w->id,
	    idx - (uint32_t)w->study->rounds.keep_uploads, &step, NULL, &result,
	    err);
	if (rv == 1 && (r = work_result(w, &result, &why)) == NULL)
		log_fields(LOG_WARNING, WORK_FIELDS(w),
		    "uploads of an old round stay: %s", why.msg);
	if (r != NULL) {
		char round[24];

		snprintf(round, sizeof(round), "%" PRIu64, step.round);
		rv = audit_event(w->rounds->audit, err, "uploads-deleted",
		    "study", w->name, "round", round, NULL);
	}
	for (size_t i = 0; r != NULL && i < round_result_inputs(r); i++) {
		const uint8_t *root = round_result_input(r, i)->root;
		uint8_t name[ROUND_DIGEST];

		spool_unlink(w->rounds, root);
		round_leaves_name(root, name);
		spool_unlink(w->rounds, name);
	}
	round_result_free(r);
	canon_free(&result);
	return rv < 0 ? -1 : 0;
}

static int
store_next(struct work *w, const struct step *step, const struct canon *plan,
    const struct canon *result, bool done, struct err *err)
{
	struct book *b = w->rounds->book;

	if (book_begin(b, err) < 0)
		return -1;
	if (book_add_step(b, w->id, step, plan->data, plan->len, result->data,
		result->len, err) < 0 ||
	    book_skip_rounds(b, w->id, step->round, err) < 0 ||
	    book_drop_round(b, w->id, err) < 0 ||
	    (w->study->privacy.cohort == STUDY_FIXED && w->n_cohort == 0 &&
		book_set_cohort(b, w->id, step->sites, step->n_sites, err) <
		    0) ||
	    (done && book_set_status(b, w->id, BOOK_DONE, "", err) < 0)) {
		book_rollback(b);
		return -1;
	}
	return book_commit(b, err);
}

/* cohort = open: who is not in this sum and was in the one before, and who
   came. */
static int
audit_change(
    struct work *w, const struct step *step, const char *round, struct err *err)
{
	const struct manifest *m = w->rounds->manifest;
	char gone[1024], came[1024];
	struct step last;
	size_t changed;

	if (book_get_step(w->rounds->book, w->id, UINT32_MAX, &last, NULL, NULL,
		err) != 1)
		return -1;
	if (last.n_sites == 0)
		return 0; /* the first sum */
	changed = context_without(m, last.sites, last.n_sites, step->sites,
	    step->n_sites, gone, sizeof(gone));
	changed += context_without(m, step->sites, step->n_sites, last.sites,
	    last.n_sites, came, sizeof(came));
	if (changed == 0)
		return 0;
	return audit_event(w->rounds->audit, err, "set-changed", "study",
	    w->name, "round", round, "gone", gone, "new", came, NULL);
}

int
work_advance(struct work *w, const struct round_about *about,
    const struct round_input *inputs, size_t n, const void *sum,
    const struct canon *result, struct err *err)
{
	struct step step = { .round = about->round, .n_sites = n };
	struct canon after = { 0 };
	struct plan *next = NULL;
	uint8_t sum_root[ROUND_DIGEST];
	char round[24], n_text[16], state[DIGEST_TEXT];
	int rv = -1;

	next = plan_next(w->plan, sum, about->words, (uint32_t)n, err);
	if (next == NULL)
		goto out;
	round_words_root(study_bits(w->study), sum, about->words, sum_root);
	plan_save(next, &after);
	if (after.failed) {
		err_sys(err, "the next state");
		goto out;
	}
	step.idx = plan_index(next);
	for (size_t i = 0; i < n; i++)
		step.sites[i] = inputs[i].site;
	snprintf(step.kind, sizeof(step.kind), "%s", about->kind);
	round_state_next(w->digest, step.idx, plan_kind(next), w->state,
	    sum_root, after.data, after.len, step.state);
	hex_text(step.state, BOOK_DIGEST, state);
	snprintf(round, sizeof(round), "%" PRIu64, about->round);
	snprintf(n_text, sizeof(n_text), "%zu", n);
	if (audit_event(w->rounds->audit, err, "sum", "study", w->name, "round",
		round, "kind", step.kind, "sites", n_text, "state", state,
		NULL) < 0 ||
	    audit_change(w, &step, round, err) < 0 ||
	    store_next(w, &step, &after, result, plan_done(next), err) < 0)
		goto out;
	/* From here on the book is ahead; memory follows. */
	log_event(EVENT_ROUND_SUM, LOG_INFO, WORK_FIELDS(w),
	    "sum over %zu sites; %s", n,
	    plan_done(next) ? "the study is done" : plan_kind(next));
	w->rounds->summed++;
	w->rounds->summed_utc = clock_utc();
	w->last_round = MAX(w->last_round, about->round);
	coord_round_free(w->round);
	w->round = NULL;
	manifest_free(w->manifest);
	w->manifest = NULL;
	plan_free(w->plan);
	w->plan = next;
	next = NULL;
	memcpy(w->state, step.state, BOOK_DIGEST);
	work_forget_asked(w, true);
	if (w->study->privacy.cohort == STUDY_FIXED && w->n_cohort == 0) {
		memcpy(
		    w->cohort, step.sites, step.n_sites * sizeof(*w->cohort));
		w->n_cohort = step.n_sites;
	}
	if (plan_done(w->plan))
		w->status = BOOK_DONE;
	work_drop_parts(w, 0);
	for (size_t i = 0; w->study->privacy.verify == STUDY_TRUST && i < n;
	     i++) {
		char path[PATH_MAX];

		/* After a restart it is no part that we know. */
		spool_path(w->rounds, SPOOL_UP, 0, inputs[i].root, path);
		unlink(path);
	}
	clear_deadline(w);
	rv = expire_uploads(w, err);
out:
	plan_free(next);
	canon_free(&after);
	return rv;
}

static int
finish(struct work *w, const struct round_ctx *ctx, struct err *err)
{
	size_t len = work_vector_len(w);
	struct sources src = { .w = w };
	struct round_uploads uploads = { .get = get_words, .arg = &src };
	struct round_about about;
	void *sum = malloc(len);
	struct canon result = { 0 };
	int rv = -1;

	if (sum == NULL)
		return err_sys(err, "%zu bytes", len);
	src.n = coord_round_inputs(w->round, src.inputs);
	if (coord_round_finish(w->round, ctx, &uploads, sum, err) < 0 ||
	    coord_round_message(w->round, ctx, ROUND_RESULT, 0, &result, err) <
		0 ||
	    publish(w, &src, sum, err) < 0)
		goto out;
	about = *coord_round_about(w->round);
	rv = work_advance(w, &about, src.inputs, src.n, sum, &result, err);
out:
	canon_free(&result);
	free(src.words);
	explicit_bzero(sum, len);
	free(sum);
	return rv;
}

/* What ends a phase, and how. */
static const struct phase {
	enum coord_phase phase;
	size_t deadline; /* offset into struct study_rounds */
	bool waits_for_all; /* until the deadline; else enough is enough */
	bool aborts; /* if there are not enough at the deadline */
	int (*next)(struct coord_round *c, const struct round_ctx *ctx,
	    struct err *err);
} phases[] = {
	{ COORD_READY, offsetof(struct study_rounds, ready_wait_s), true, false,
	    coord_round_roster },
	{ COORD_SHARES, offsetof(struct study_rounds, share_s), true, true,
	    coord_round_shareset },
	{ COORD_UPLOADS, offsetof(struct study_rounds, upload_s), true, true,
	    coord_round_list },
	{ COORD_CONFIRMS, offsetof(struct study_rounds, confirm_s), false, true,
	    coord_round_certificate },
};

static const struct phase *
find_phase(enum coord_phase phase)
{
	const struct phase *p = phases;

	while (p->phase != phase)
		p++;
	assert(p < phases + nitems(phases));
	return p;
}

/* 1: the phase ended, look again; 0: wait; -1. */
static int
end_phase(struct work *w, const struct round_ctx *ctx,
    const struct coord_tally *t, struct err *err)
{
	const struct phase *p = find_phase(t->phase);
	bool enough = t->have >= t->need;
	size_t seconds;
	char why[128];

	memcpy(&seconds, (const char *)&w->study->rounds + p->deadline,
	    sizeof(seconds));
	if (t->have >= t->most ||
	    (enough && (!p->waits_for_all || w->overdue))) {
		if (p->next(w->round, ctx, err) < 0 || keep(w, err) < 0)
			return -1;
		clear_deadline(w);
		log_fields(LOG_INFO, WORK_FIELDS(w),
		    "%s: %zu of %zu sites, going on to %s",
		    coord_phase_name(t->phase), t->have, t->most,
		    coord_phase_name(coord_round_phase(w->round)));
		return 1;
	}
	if (w->overdue) {
		assert(p->aborts); /* before the roster it runs from enough */
		snprintf(why, sizeof(why),
		    "%s: %zu of %zu sites at the deadline, expected %zu",
		    coord_phase_name(t->phase), t->have, t->most, t->need);
		return work_abort(w, why, err) < 0 ? -1 : 1;
	}
	/* Before the roster, time runs from when there are enough. */
	if (p->aborts || enough)
		return set_deadline(w, seconds, err);
	return 0;
}

int
work_progress(struct work *w, struct err *err)
{
	for (;;) {
		struct coord_tally t;
		const struct round_ctx *ctx;
		struct context c;
		int rv;

		if (w->status != BOOK_RUNNING)
			return 0;
		if (w->round == NULL && work_start_round(w, err) < 0)
			return -1;
		ctx = work_context(w, &c);
		t = coord_round_tally(w->round, ctx);
		if (t.phase == COORD_READY && w->returns.certified != 0)
			return 0;
		switch (t.phase) {
		case COORD_ABORTED:
			if (!w->overdue)
				return set_deadline(w, RETRY_S, err);
			if (work_start_round(w, err) < 0)
				return -1;
			break;
		case COORD_UNMASKS:
			if (t.have < t.need)
				return 0;
			if (finish(w, ctx, err) < 0)
				return -1;
			break;
		default:
			if ((rv = end_phase(w, ctx, &t, err)) <= 0)
				return rv;
		}
	}
}

/*
 * Messages
 */

int
work_message(
    struct work *w, uint16_t site, const void *msg, size_t len, struct err *err)
{
	enum round_type type = round_message_type(msg, len);
	const struct round_ctx *ctx;
	struct context c;
	uint16_t from = 0, liar = 0;
	char why[96];
	int rv;

	if (type == ROUND_CHECKED)
		return work_take_checked(w, msg, len, &from, err);
	if (type == ROUND_RESULT)
		return work_take_result(w, site, msg, len, err);
	if (type == ROUND_UPLOAD &&
	    (rv = work_take_input(w, site, msg, len, err)) != 0)
		return rv < 0 ? -1 : 0;
	if (w->round == NULL)
		return err_set(err, ERR_REFUSED, "no round is open");
	if (type == ROUND_KEPT)
		return work_take_kept(w, site, msg, len, err);
	ctx = work_context(w, &c);
	switch (type) {
	case ROUND_READY:
		rv = coord_round_add_ready(
		    w->round, ctx, msg, len, clock_utc(), &from, err);
		break;
	case ROUND_SHARES:
		rv =
		    coord_round_add_shares(w->round, ctx, msg, len, &from, err);
		break;
	case ROUND_UPLOAD:
		rv = take_upload(w, ctx, msg, len, &from, err);
		break;
	case ROUND_COMPLAINT:
		rv = coord_round_add_complaint(
		    w->round, ctx, msg, len, &from, &liar, err);
		break;
	case ROUND_CONFIRM:
		rv = coord_round_add_confirm(
		    w->round, ctx, msg, len, &from, err);
		break;
	case ROUND_UNMASK:
		rv =
		    coord_round_add_unmask(w->round, ctx, msg, len, &from, err);
		break;
	default:
		return err_set(err, ERR_FORMAT, "not a message of a site's");
	}
	if (rv < 0)
		return -1;
	/* A signed message is good whoever brings it; say so if it was not
	   its author. */
	if (from != site)
		log_fields(LOG_WARNING, WORK_FIELDS(w),
		    "a %s of site %u came from site %u", round_type_name(type),
		    from, site);
	log_fields(LOG_DEBUG, WORK_FIELDS(w), "%s of site %u",
	    round_type_name(type), from);
	if (liar != 0) {
		snprintf(why, sizeof(why),
		    "site %u is convicted by a complaint of site %u", liar,
		    from);
		return work_abort(w, why, err);
	}
	return keep(w, err);
}

static int
get_result(struct work *w, uint32_t idx, struct canon *msg, struct err *err)
{
	struct step step;

	return book_get_step(
	    w->rounds->book, w->id, idx, &step, NULL, msg, err);
}

int
work_owes(struct work *w, uint16_t site, const struct exchange_study *q,
    struct canon *out, struct err *err)
{
	struct canon msg = { 0 };
	enum round_type type;
	struct context c;
	int rv = 0;

	if (q->idx > plan_index(w->plan))
		return work_ask_back(w, site, q->idx, out, err);
	if (q->idx == plan_index(w->plan) &&
	    memcmp(q->state, w->state, BOOK_DIGEST) != 0) {
		if (!w->returns.is_other)
			log_fields(LOG_ERR, WORK_FIELDS(w),
			    "site %u stands at step %u of another history than "
			    "this database's; the study cannot go on, a new "
			    "one has to begin",
			    site, q->idx);
		w->returns.is_other = true;
		return 0;
	}
	if (q->idx < plan_index(w->plan)) {
		rv = work_vouched(w, site, q->idx + 1, &msg, err);
		if (rv == 0 && w->returns.unchecked != q->idx + 1)
			rv = get_result(w, q->idx + 1, &msg, err);
		if (rv < 0)
			return -1;
	} else if (w->round != NULL) {
		const struct round_ctx *ctx = work_context(w, &c);

		type = coord_round_owed(w->round, ctx, site);
		if (type == ROUND_ANNOUNCE) {
			rv = work_ask_round(w, site, out, err);
			if (rv == 1 || rv < 0)
				return rv;
			if (rv == WORK_WAIT)
				type = ROUND_NONE;
			rv = 0;
		}
		if (type != ROUND_NONE)
			rv = coord_round_message(
				 w->round, ctx, type, site, &msg, err) < 0
			    ? -1
			    : 1;
	}
	if (rv == 1)
		exchange_wrap(w->digest, msg.data, msg.len, out);
	canon_free(&msg);
	if (rv == 0)
		rv = work_ask_checked(w, site, q->idx, out, err);
	return rv;
}

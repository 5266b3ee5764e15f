/*
 * The coordinator's manifest and studies, and what its operator may ask on
 * the control socket.  The root has signed both: the operator submits them,
 * and can alter neither.
 */
#include "coordinator/rounds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board/snapshot.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/finished.h"
#include "crypto/signed.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "privsep/ctl_msg.h"
#include "study/study.h"

#define DIGEST_TEXT (2 * BOOK_DIGEST + 1)
#define CONNECTED_MS 30000 /* a question is held for 20 s */

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	while (w->parts != NULL) {
		struct part *p = w->parts;

		w->parts = p->next;
		free(p);
	}
	work_drop_kept(w);
	coord_round_free(w->round);
	manifest_free(w->manifest);
	plan_free(w->plan);
	free(w->spec);
	study_free(w->study);
	signed_study_free(w->sig);
	free(w);
}

struct work *
work_find(struct rounds *s, const uint8_t digest[BOOK_DIGEST])
{
	struct work *w = s->works;

	while (w != NULL && memcmp(w->digest, digest, BOOK_DIGEST) != 0)
		w = w->next;
	return w;
}

/*
 * Load
 */

/* Whether a study can be run by the rules of a manifest. */
static int
runs_under(const struct work *w, const struct manifest *m, struct err *err)
{
	struct round_params params;
	struct context c;

	if (signed_study_fits(w->sig, m, err) < 0)
		return -1;
	return round_params(&work_context_under(w, m, &c)->rules,
	    w->sig->n_sites, w->sig->n_sites, &params, err);
}

/* Study text and spec: what a signed study must hold to be run. */
static int
read_study(struct rounds *s, struct work *w, const void *object, size_t len,
    struct err *err)
{
	if ((w->sig = signed_study_open_kept(
		 object, len, &s->manifest->roots, err)) == NULL ||
	    (w->study = study_parse(
		 "study", w->sig->text, w->sig->text_len, err)) == NULL)
		return -1;
	if ((w->spec = calloc(1, sizeof(*w->spec))) == NULL)
		return err_sys(err, "study");
	if (study_model_spec(w->study, w->sig->n_sites, w->spec, err) < 0)
		return -1;
	memcpy(w->digest, w->sig->digest, BOOK_DIGEST);
	snprintf(w->name, sizeof(w->name), "%s", w->study->name);
	w->rounds = s;
	return 0;
}

static int
load_step(struct rounds *s, struct work *w, struct err *err)
{
	struct canon bytes = { 0 };
	struct step step = { 0 };
	int rv = -1;

	switch (book_get_step(
	    s->book, w->id, UINT32_MAX, &step, &bytes, NULL, err)) {
	case 1:
		w->plan = plan_load(w->spec, bytes.data, bytes.len, err);
		break;
	case 0:
		round_state_first(w->digest, step.state);
		if ((w->plan = plan_new(w->spec, err)) == NULL)
			break;
		plan_save(w->plan, &bytes);
		if (bytes.failed) {
			err_sys(err, "study %s", w->name);
			goto out;
		}
		if (book_add_step(s->book, w->id, &step, bytes.data, bytes.len,
			NULL, 0, err) < 0)
			goto out;
		break;
	}
	if (w->plan == NULL)
		goto out;
	memcpy(w->state, step.state, BOOK_DIGEST);
	rv = 0;
out:
	canon_free(&bytes);
	return rv;
}

struct manifest *
rounds_manifest_of(struct rounds *s, uint32_t epoch, struct err *err)
{
	struct canon object = { 0 };
	struct manifest *m = NULL;
	int rv = book_manifest_of(s->book, epoch, &object, err);

	if (rv == 1)
		m = manifest_open_kept(
		    object.data, object.len, &s->manifest->roots, err);
	else if (rv == 0)
		err_set(err, ERR_FORMAT, "the manifest of epoch %u is missing",
		    epoch);
	canon_free(&object);
	return m;
}

/* What the open round goes on under, when m is the newest manifest. */
static int
set_manifest(struct work *w, const struct manifest *m, struct err *err)
{
	uint32_t epoch = coord_round_epoch(w->round);

	if (coord_round_phase(w->round) != COORD_UNMASKS || epoch == m->epoch)
		return 0;
	w->manifest = rounds_manifest_of(w->rounds, epoch, err);
	return w->manifest != NULL ? 0 : -1;
}

static int
load_work(struct rounds *s, const struct book_study *st, struct err *err)
{
	struct canon object = { 0 }, body = { 0 };
	struct work *w = calloc(1, sizeof(*w));
	uint64_t number;
	int rv = -1;

	if (w == NULL)
		return err_sys(err, "study %s", st->name);
	if (book_study_object(s->book, st->id, &object, err) != 1 ||
	    read_study(s, w, object.data, object.len, err) < 0)
		goto out;
	w->id = st->id;
	w->status = st->status;
	w->last_round = st->last_round;
	w->n_cohort = st->n_cohort;
	memcpy(w->cohort, st->cohort, sizeof(w->cohort));
	if (load_step(s, w, err) < 0)
		goto out;
	rv = book_get_round(s->book, w->id, &number, &body, err);
	if (rv == 1) {
		w->round = coord_round_load(body.data, body.len, err);
		rv = w->round != NULL ? set_manifest(w, s->manifest, err) : -1;
	}
	if (rv < 0)
		goto out;
	w->next = s->works;
	s->works = w;
	w = NULL;
out:
	canon_free(&object);
	canon_free(&body);
	work_free(w);
	return rv;
}

static int
load_manifest(struct rounds *s, struct err *err)
{
	struct canon object = { 0 };
	int rv = book_get_manifest(s->book, &object, err);

	if (rv == 1) {
		s->manifest = manifest_open_own(object.data, object.len, err);
		rv = s->manifest != NULL ? 0 : -1;
	}
	canon_free(&object);
	return rv;
}

int
rounds_load(struct rounds *s, struct err *err)
{
	struct book_study *st = calloc(1, sizeof(*st));
	int64_t id = 0;
	int rv = -1;

	if (st == NULL)
		return err_sys(err, "studies");
	if (load_manifest(s, err) < 0)
		goto out;
	while ((rv = book_study_after(s->book, id, st, err)) == 1) {
		id = st->id;
		if ((rv = load_work(s, st, err)) < 0)
			break;
	}
out:
	free(st);
	return rv;
}

int
rounds_send_allow_list(struct rounds *s, struct err *err)
{
	struct canon out = { 0 };
	uint32_t n = 0;

	for (size_t i = 0; s->manifest != NULL && i < s->manifest->n_sites; i++)
		n += s->manifest->sites[i].active;
	canon_u32(&out, n);
	for (size_t i = 0; s->manifest != NULL && i < s->manifest->n_sites;
	     i++) {
		const struct manifest_site *m = &s->manifest->sites[i];

		if (!m->active)
			continue;
		canon_u32(&out, m->id);
		canon_raw(&out, m->member.tls, MANIFEST_ID);
	}
	return chan_send_canon(
	    child_peer(&s->child, PROC_LISTENER), MSG_ALLOW_LIST, 0, &out, err);
}

/*
 * Control
 */

static int
reply(struct rounds *s, uint64_t tag, struct ctl_reply *r, struct err *err)
{
	return ctl_reply_send(r, child_peer(&s->child, PROC_CONTROL), tag, err);
}

/* A certified round whose sum needs a site that is revoked waits for ever. */
static void
warn_of_revoked(const struct work *w, const struct manifest *m)
{
	struct context c;
	const struct round_ctx *ctx = work_context(w, &c);
	struct coord_tally t = coord_round_tally(w->round, ctx);
	size_t can = t.have;

	for (size_t i = 0; i < m->n_sites; i++)
		can += m->sites[i].active &&
		    coord_round_owed(w->round, ctx, m->sites[i].id) !=
			ROUND_NONE;
	if (can < t.need)
		log_fields(LOG_WARNING,
		    (struct log_field[]){ log_field("STUDY", "%s", w->name) },
		    1,
		    "the sum that is being unmasked needs %zu answers, and "
		    "only %zu can come: the manifest revokes the others",
		    t.need, can);
}

static int
take_manifest(struct rounds *s, const void *p, size_t len, struct ctl_reply *r,
    struct err *err)
{
	struct manifest *m = manifest_open(p, len, s->root, err);
	char root[KEY_PUBLIC_TEXT];

	if (m == NULL)
		return -1;
	if (manifest_follows(s->manifest, m, err) < 0)
		goto fail;
	if (memcmp(m->coordinator.key, key_public(s->key), KEY_PUBLIC) != 0) {
		err_set(err, ERR_REFUSED,
		    "the manifest names another coordinator than this one");
		goto fail;
	}
	for (struct work *w = s->works; w != NULL; w = w->next) {
		if (w->status != BOOK_RUNNING || runs_under(w, m, err) == 0)
			continue;
		err_prefix(err, "study %s could not go on", w->name);
		goto fail;
	}
	if (manifest_audit(s->manifest, m, s->audit, root, err) < 0)
		goto fail;
	/* A round that is certified can only complete, under its own manifest;
	   the others end. */
	for (struct work *w = s->works; w != NULL; w = w->next) {
		if (w->round == NULL || w->manifest != NULL)
			continue;
		if (coord_round_phase(w->round) == COORD_UNMASKS)
			warn_of_revoked(w, m);
		if (coord_round_phase(w->round) == COORD_UNMASKS
			? set_manifest(w, m, err) < 0
			: work_abort(w, "a new membership manifest", err) < 0)
			goto fail;
	}
	if (book_put_manifest(s->book, m->epoch, p, len, err) < 0)
		goto fail;
	manifest_free(s->manifest);
	s->manifest = m;
	if (root[0] != '\0')
		log_msg(LOG_NOTICE, "the consortium's root is now %s", root);
	log_event(EVENT_MANIFEST, LOG_NOTICE,
	    (struct log_field[]){ log_field("EPOCH", "%u", m->epoch) }, 1,
	    "manifest of %s, epoch %u, sites: %zu", m->consortium, m->epoch,
	    m->n_sites);
	ctl_reply_column(r, "manifest");
	ctl_reply_column(r, "epoch");
	ctl_reply_column(r, "sites");
	ctl_reply_cell(r, "%s", m->consortium);
	ctl_reply_cell(r, "%u", m->epoch);
	ctl_reply_cell(r, "%zu", m->n_sites);
	return rounds_send_allow_list(s, err);
fail:
	manifest_free(m);
	return -1;
}

/* A new study is the present root's, not one's that it has followed. */
static int
signed_by_root(
    const struct rounds *s, const void *p, size_t len, struct err *err)
{
	struct signed_study *sig =
	    signed_study_open(p, len, manifest_root(&s->manifest->roots), err);

	signed_study_free(sig);
	return sig != NULL ? 0 : -1;
}

static int
take_study(struct rounds *s, const void *p, size_t len, struct ctl_reply *r,
    struct err *err)
{
	struct book_study *known = calloc(1, sizeof(*known));
	struct work *w = calloc(1, sizeof(*w));
	char digest[DIGEST_TEXT];
	int rv = -1;

	if (known == NULL || w == NULL) {
		err_sys(err, "study");
		goto out;
	}
	if (s->manifest == NULL) {
		err_set(err, ERR_REFUSED, "submit the manifest first");
		goto out;
	}
	if (read_study(s, w, p, len, err) < 0 ||
	    signed_by_root(s, p, len, err) < 0 ||
	    runs_under(w, s->manifest, err) < 0)
		goto out;
	if (w->study->expires < clock_utc() / 86400) {
		err_set(err, ERR_REFUSED, "the study has expired");
		goto out;
	}
	if ((rv = book_study_by_name(s->book, w->name, known, err)) != 0) {
		if (rv == 1)
			err_set(err, ERR_REFUSED,
			    "a study of the name %s is here already", w->name);
		rv = -1;
		goto out;
	}
	rv = -1;
	hex_text(w->digest, BOOK_DIGEST, digest);
	if (audit_event(s->audit, err, "study", "study", w->name, "digest",
		digest, "purpose", w->study->purpose, NULL) < 0 ||
	    book_add_study(s->book, w->name, w->digest, p, len, err) < 0 ||
	    book_study_by_name(s->book, w->name, known, err) != 1)
		goto out;
	ctl_reply_column(r, "study");
	ctl_reply_column(r, "digest");
	ctl_reply_column(r, "sites");
	ctl_reply_cell(r, "%s", w->name);
	ctl_reply_cell(r, "%s", digest);
	ctl_reply_cell(r, "%zu", w->sig->n_sites);
	log_event(EVENT_STUDY_NEW, LOG_NOTICE,
	    (struct log_field[]){ log_field("STUDY", "%s", w->name) }, 1,
	    "study submitted, %zu sites", w->sig->n_sites);
	if (load_work(s, known, err) < 0 ||
	    work_progress(work_find(s, known->digest), err) < 0)
		goto out;
	rv = 0;
out:
	free(known);
	work_free(w);
	return rv;
}

static int
cmd_submit(struct rounds *s, const struct ctl_request *q, struct ctl_reply *r,
    struct err *err)
{
	char type[SIGNED_TYPE_MAX + 1];

	if (signed_type(q->body, q->body_len, type, err) < 0)
		return -1;
	if (strcmp(type, MANIFEST_TYPE) == 0)
		return take_manifest(s, q->body, q->body_len, r, err);
	if (strcmp(type, SIGNED_STUDY_TYPE) == 0)
		return take_study(s, q->body, q->body_len, r, err);
	return err_set(err, ERR_FORMAT,
	    "a signed %s, expected a manifest or a study", type);
}

/* Who owes its part of the open phase: not who is revoked, nor who is not in the
   round. */
static void
missing(const struct work *w, char *out, size_t size)
{
	enum coord_phase phase = coord_round_phase(w->round);
	struct context c;
	const struct round_ctx *ctx = work_context(w, &c);
	size_t n = 0;

	out[0] = '\0';
	if (phase == COORD_DONE || phase == COORD_ABORTED)
		return;
	for (size_t i = 0; i < w->sig->n_sites && n < size; i++) {
		const struct manifest_site *m =
		    manifest_by_id(w->rounds->manifest, w->sig->sites[i]);

		if (m != NULL && m->active &&
		    coord_round_owed(w->round, ctx, m->id) != ROUND_NONE)
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			    n != 0 ? " " : "", m->member.name);
	}
}

static const char *
work_status(const struct work *w)
{
	return w->returns.certified != 0 ? "recovering"
					 : book_status_name(w->status);
}

size_t
rounds_connected(const struct rounds *s)
{
	int64_t since = clock_mono_ms() - CONNECTED_MS;
	size_t n = 0;

	for (size_t i = 0; s->manifest != NULL && i < s->manifest->n_sites;
	     i++) {
		const struct manifest_site *m = &s->manifest->sites[i];

		n += m->active && s->heard_ms[m->id] != 0 &&
		    s->heard_ms[m->id] >= since;
	}
	return n;
}

/* What the board shows of us. */
int
rounds_show(struct rounds *s, struct err *err)
{
	struct chan *board = child_peer(&s->child, PROC_BOARD);
	struct board_writer w = { 0 };

	if (board == NULL)
		return 0;
	for (const struct work *k = s->works; k != NULL; k = k->next) {
		struct board_study b = { 0 };
		struct context c;

		snprintf(b.name, sizeof(b.name), "%s", k->name);
		snprintf(b.status, sizeof(b.status), "%s", work_status(k));
		snprintf(b.kind, sizeof(b.kind), "%s", plan_kind(k->plan));
		b.step = plan_index(k->plan);
		b.rounds_done = b.step;
		b.round = k->last_round;
		if (k->round != NULL) {
			struct coord_tally t =
			    coord_round_tally(k->round, work_context(k, &c));

			b.have = (uint32_t)t.have;
			b.need = (uint32_t)t.need;
			b.most = (uint32_t)t.most;
			snprintf(b.phase, sizeof(b.phase), "%s",
			    coord_phase_name(t.phase));
			missing(k, b.missing, sizeof(b.missing));
			b.deadline = k->timer ? (uint64_t)k->deadline : 0;
		}
		board_study(&w, &b);
	}
	if (s->manifest != NULL) {
		board_fact(&w, "consortium", "%s", s->manifest->consortium);
		board_fact(&w, "manifest-epoch", "%u", s->manifest->epoch);
		board_fact(
		    &w, "members", "%zu", manifest_n_active(s->manifest));
	}
	board_fact(&w, "sites-connected", "%zu", rounds_connected(s));
	board_fact(&w, "refused-messages", "%" PRIu64, s->refused);
	board_fact(&w, "rounds-summed", "%" PRIu64, s->summed);
	board_fact(&w, "rounds-aborted", "%" PRIu64, s->aborted);
	if (s->summed_utc != 0)
		board_fact(&w, "round-finished-utc", "%" PRId64, s->summed_utc);
	return board_send(&w, board, err);
}

static int
cmd_status(struct rounds *s, const struct ctl_request *q, struct ctl_reply *r,
    struct err *err)
{
	static const char *const columns[] = { "study", "status", "step",
		"kind", "round", "phase", "have", "need", "of", "missing" };

	(void)err;
	for (size_t i = 0; i < nitems(columns); i++)
		ctl_reply_column(r, columns[i]);
	for (const struct work *w = s->works; w != NULL; w = w->next) {
		struct coord_tally t = { 0 };
		char names[512] = "";
		struct context c;

		if (q->study[0] != '\0' && strcmp(q->study, w->name) != 0)
			continue;
		if (w->round != NULL) {
			t = coord_round_tally(w->round, work_context(w, &c));
			missing(w, names, sizeof(names));
		}
		ctl_reply_cell(r, "%s", w->name);
		ctl_reply_cell(r, "%s", work_status(w));
		ctl_reply_cell(r, "%u", plan_index(w->plan));
		ctl_reply_cell(r, "%s", plan_kind(w->plan));
		ctl_reply_cell(r, "%" PRIu64, w->last_round);
		ctl_reply_cell(r, "%s",
		    w->round != NULL
			? coord_phase_name(coord_round_phase(w->round))
			: "");
		ctl_reply_cell(r, "%zu", t.have);
		ctl_reply_cell(r, "%zu", t.need);
		ctl_reply_cell(r, "%zu", t.most);
		ctl_reply_cell(r, "%s", names);
	}
	return 0;
}

static int
get_step(
    void *book, int64_t study, uint32_t idx, struct step *s, struct err *err)
{
	return book_get_step(book, study, idx, s, NULL, NULL, err);
}

/* The body is a struct finished. */
static int
result_body(
    struct rounds *s, const struct work *w, struct canon *body, struct err *err)
{
	struct round_params params;
	struct canon plan = { 0 };
	struct context c;
	int rv;

	if (round_params(&work_context(w, &c)->rules, w->sig->n_sites,
		w->sig->n_sites, &params, err) < 0)
		return -1;
	plan_save(w->plan, &plan);
	rv = finished_put(s->manifest, w->sig, params.u_min, &plan,
	    plan_index(w->plan), get_step, s->book, w->id, body, err);
	canon_free(&plan);
	return rv;
}

static int
cmd_result(struct rounds *s, const struct ctl_request *q, struct ctl_reply *r,
    struct err *err)
{
	struct canon body = { 0 };
	const struct work *w = s->works;
	int rv;

	while (w != NULL && strcmp(w->name, q->study) != 0)
		w = w->next;
	if (w == NULL)
		return err_set(
		    err, ERR_CONFIG, "no study of the name %s here", q->study);
	if (!plan_done(w->plan))
		return err_set(
		    err, ERR_REFUSED, "study %s has no result yet", w->name);
	if ((rv = result_body(s, w, &body, err)) == 0)
		ctl_reply_body(r, &body);
	canon_free(&body);
	return rv;
}

static const struct {
	const char *name;
	int (*fn)(struct rounds *s, const struct ctl_request *q,
	    struct ctl_reply *r, struct err *err);
} commands[] = {
	{ "chunk", rounds_chunk },
	{ "result", cmd_result },
	{ "status", cmd_status },
	{ "submit", cmd_submit },
	{ "transcript", rounds_transcript },
};

int
rounds_on_control(void *self, struct msg *m, struct err *err)
{
	struct rounds *s = self;
	struct ctl_reply r = { 0 };
	struct ctl_request q;
	struct err why;
	int rv;

	if (ctl_request_read(m->data, m->len, &q, err) < 0)
		return -1;
	rv = err_set(&why, ERR_CONFIG,
	    "the coordinator does not know the command %s", q.command);
	for (size_t i = 0; i < nitems(commands); i++) {
		if (strcmp(commands[i].name, q.command) == 0)
			rv = commands[i].fn(s, &q, &r, &why);
	}
	if (rv < 0) {
		if (why.code == ERR_SYSTEM) {
			ctl_reply_free(&r);
			*err = why;
			return -1;
		}
		ctl_reply_free(&r);
		r = (struct ctl_reply){ 0 };
		ctl_reply_error(&r, &why);
	}
	if (reply(s, m->tag, &r, err) < 0)
		return -1;
	return rounds_wake(s, err);
}

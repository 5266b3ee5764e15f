/*
 * The gate's authority: the manifest and the studies that the root signed,
 * the hospital's policy, preparations, the officer's decisions, and what the
 * control socket may ask.
 */
#include "daemon/gate.h"

#include <assert.h>
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
#include "crypto/approval.h"
#include "crypto/audit.h"
#include "crypto/context.h"
#include "crypto/finished.h"
#include "crypto/signed_report.h"
#include "crypto/signed_study.h"
#include "daemon/config.h"
#include "model/step/plan.h"
#include "privsep/ctl_msg.h"
#include "study/study.h"

#define DIGEST_TEXT (2 * STORE_DIGEST + 1)

#define STUDY_FIELD(n) (struct log_field[]){ log_field("STUDY", "%s", n) }, 1

/*
 * Manifest
 */

/* Which of the manifest's sites we are, by our identity key. */
static void
find_self(struct gate *g)
{
	const struct manifest *m = g->manifest;

	g->self = 0;
	for (size_t i = 0; m != NULL && i < m->n_sites; i++) {
		const struct manifest_site *s = &m->sites[i];

		if (memcmp(s->member.key, key_public(g->identity),
			KEY_PUBLIC) != 0)
			continue;
		if (strcmp(s->member.name, g->config->name) != 0)
			log_msg(LOG_ERR,
			    "%s: [site] name is %s, but the manifest calls "
			    "the holder of identity.key %s: taking no part",
			    g->child.config_path, g->config->name,
			    s->member.name);
		else if (s->active)
			g->self = s->id;
	}
	if (g->since == 0 && g->self != 0)
		g->since = m->epoch;
}

/* Which epoch is the first that knows us by the key that we have now. */
static int
find_since(struct gate *g, struct err *err)
{
	for (uint32_t epoch = 0; g->since == 0;) {
		const struct manifest *m;
		int rv = store_epoch_after(g->store, epoch, &epoch, err);

		if (rv <= 0)
			return rv;
		if ((m = gate_manifest_of(g, epoch, err)) == NULL)
			return -1;
		for (size_t i = 0; i < m->n_sites; i++) {
			if (memcmp(m->sites[i].member.key,
				key_public(g->identity), KEY_PUBLIC) == 0)
				g->since = epoch;
		}
	}
	return 0;
}

static int
load_manifest(struct gate *g, struct err *err)
{
	struct canon object = { 0 };
	struct err why;
	int rv = store_get_manifest(g->store, &object, err);

	if (rv == 1) {
		g->manifest = manifest_open_own(object.data, object.len, err);
		rv = g->manifest != NULL ? find_since(g, err) : -1;
	}
	if (rv == 0 && g->manifest != NULL) {
		struct manifest *pinned =
		    manifest_open(object.data, object.len, g->root, &why);

		if (pinned != NULL)
			find_self(g);
		else
			log_msg(LOG_ERR,
			    "%s: taking no part until there is a manifest of "
			    "the root in root.pub",
			    why.msg);
		manifest_free(pinned);
	}
	canon_free(&object);
	return rv;
}

const struct manifest *
gate_manifest_of(struct gate *g, uint32_t epoch, struct err *err)
{
	struct canon object = { 0 };
	int rv;

	if (g->manifest != NULL && g->manifest->epoch == epoch)
		return g->manifest;
	if (g->older != NULL && g->older->epoch == epoch)
		return g->older;
	manifest_free(g->older);
	g->older = NULL;
	rv = store_manifest_of(g->store, epoch, &object, err);
	if (rv == 1)
		g->older = manifest_open_kept(
		    object.data, object.len, &g->manifest->roots, err);
	else if (rv == 0)
		err_set(err, ERR_REFUSED,
		    "the manifest of epoch %u is not here", epoch);
	canon_free(&object);
	return g->older;
}

/* What was signed or begun under the last one ends with it. */
static int
store_new_epoch(struct gate *g, const struct manifest *m, const void *p,
    size_t len, struct err *err)
{
	if (store_begin(g->store, err) < 0)
		return -1;
	if (store_put_manifest(g->store, m->epoch, p, len, err) < 0 ||
	    store_drop_prekeys(g->store, err) < 0)
		goto fail;
	for (struct run *r = g->runs; r != NULL; r = r->next) {
		if (run_new_epoch(g, r, err) < 0)
			goto fail;
	}
	return store_commit(g->store, err);
fail:
	store_rollback(g->store);
	return -1;
}

/*
 * A site that joined under a later root cannot check what an earlier one has
 * signed, and needs none of it: it asks for the next.
 */
static int
skip_manifest(struct gate *g, const void *p, size_t len, struct err *err)
{
	struct err none;
	uint32_t epoch;

	if (g->manifest == NULL && err->code == ERR_REFUSED &&
	    manifest_peek_epoch(p, len, &epoch, &none) == 0 &&
	    epoch > g->skipped)
		g->skipped = epoch;
	return -1;
}

/* The root may have handed over, once, and to one. */
static int
check_roots(struct gate *g, const struct manifest_roots *now, struct err *err)
{
	const struct manifest_roots *before = &g->manifest->roots;
	char old[KEY_PUBLIC_TEXT], new[KEY_PUBLIC_TEXT];

	if (manifest_roots_follow(before, now, err) < 0)
		return -1;
	if (now->n == before->n)
		return 0;
	hex_text(manifest_root(before), KEY_PUBLIC, old);
	hex_text(manifest_root(now), KEY_PUBLIC, new);
	log_msg(LOG_NOTICE, "the consortium's root is now %s", new);
	return audit_event(
	    g->audit, err, "root", "before", old, "now", new, NULL);
}

int
gate_take_manifest(struct gate *g, const void *p, size_t len, struct err *err)
{
	struct manifest *m = manifest_open(p, len, g->root, err);
	char epoch[16], digest[DIGEST_TEXT];

	if (m == NULL)
		return skip_manifest(g, p, len, err);
	if (g->manifest != NULL &&
	    memcmp(m->digest, g->manifest->digest, MANIFEST_ID) == 0) {
		manifest_free(m);
		return gate_poll(g, err);
	}
	if (g->manifest != NULL && m->epoch <= g->manifest->epoch) {
		err_set(err, ERR_REFUSED,
		    "manifest epoch %u, expected one above %u", m->epoch,
		    g->manifest->epoch);
		goto fail;
	}
	if (g->manifest != NULL &&
	    memcmp(m->consortium_id, g->manifest->consortium_id, MANIFEST_ID) !=
		0) {
		err_set(err, ERR_REFUSED, "manifest of another consortium, %s",
		    m->consortium);
		goto fail;
	}
	if (memcmp(m->coordinator.key, g->coordinator, KEY_PUBLIC) != 0) {
		err_set(err, ERR_REFUSED,
		    "manifest names another coordinator than coordinator.pub");
		goto fail;
	}
	if (g->manifest != NULL && check_roots(g, &m->roots, err) < 0)
		goto fail;
	snprintf(epoch, sizeof(epoch), "%u", m->epoch);
	hex_text(m->digest, sizeof(m->digest), digest);
	if (audit_event(g->audit, err, "manifest", "consortium", m->consortium,
		"epoch", epoch, "digest", digest, NULL) < 0 ||
	    store_new_epoch(g, m, p, len, err) < 0)
		goto fail;
	manifest_free(g->manifest);
	g->manifest = m;
	find_self(g);
	log_event(EVENT_MANIFEST, LOG_NOTICE,
	    (struct log_field[]){ log_field("EPOCH", "%u", m->epoch) }, 1,
	    "manifest of %s, epoch %u, %zu sites%s", m->consortium, m->epoch,
	    m->n_sites,
	    g->self != 0 ? "" : "; this site is not an active member");
	return gate_poll(g, err);
fail:
	manifest_free(m);
	return -1;
}

/*
 * Studies
 */

/* Why this hospital does not take part: NULL, or *err filled in. */
static int
check_study(const struct gate *g, const struct signed_study *sig,
    const struct study *s, struct err *err)
{
	struct round_params params;
	struct context c;

	if (signed_study_fits(sig, g->manifest, err) < 0)
		return -1;
	if (g->self == 0 || signed_study_index(sig, g->self) == SIZE_MAX)
		return err_set(
		    err, ERR_REFUSED, "the study does not name this site");
	if (s->expires < clock_utc() / 86400)
		return err_set(err, ERR_REFUSED, "the study has expired");
	if (round_params(&context_fill(&c, g->manifest, sig, study_suite(s),
			     study_bits(s), study_verify(s), study_cohort(s))
			      ->rules,
		sig->n_sites, sig->n_sites, &params, err) < 0)
		return -1;
	return site_policy_check(&g->config->policy, s, sig->n_sites, err);
}

int
gate_take_study(struct gate *g, const void *p, size_t len, struct err *err)
{
	struct signed_study *sig = NULL;
	struct study *s = NULL;
	struct store_study known;
	char digest[DIGEST_TEXT];
	struct err why = { 0 };
	int rv = -1;

	if (g->manifest == NULL)
		return err_set(err, ERR_REFUSED, "a study before any manifest");
	sig =
	    signed_study_open(p, len, manifest_root(&g->manifest->roots), err);
	if (sig == NULL)
		return -1;
	if ((s = study_parse("study", sig->text, sig->text_len, err)) == NULL)
		goto out;
	rv = store_study_by_digest(g->store, sig->digest, &known, err);
	if (rv != 0)
		goto known;
	rv = store_study_by_name(g->store, s->name, &known, err);
	if (rv != 0) {
		if (rv > 0)
			err_set(err, ERR_REFUSED,
			    "another study of the name %s is here already",
			    s->name);
		rv = -1;
		goto out;
	}
	hex_text(sig->digest, sizeof(sig->digest), digest);
	if (check_study(g, sig, s, &why) < 0)
		log_event(EVENT_STUDY_REFUSED, LOG_WARNING,
		    STUDY_FIELD(s->name), "study %s refused: %s", s->name,
		    why.msg);
	else
		log_event(EVENT_STUDY_NEW, LOG_NOTICE, STUDY_FIELD(s->name),
		    "study %s received: %s; run consiliumctl prepare %s",
		    s->name, s->title, s->name);
	rv = -1;
	if (audit_event(g->audit, err, "study", "study", s->name, "digest",
		digest, "verdict",
		why.code == ERR_NONE ? "received" : "refused", "why", why.msg,
		NULL) < 0 ||
	    store_add_study(g->store, s->name, sig->digest, p, len,
		why.code == ERR_NONE ? STATUS_RECEIVED : STATUS_REFUSED_POLICY,
		why.msg, err) < 0)
		goto out;
	rv = gate_poll(g, err);
	goto out;
known:
	if (rv > 0)
		rv = gate_poll(g, err); /* it asked with an older list */
out:
	study_free(s);
	signed_study_free(sig);
	return rv;
}

int
gate_load(struct gate *g, struct err *err)
{
	struct store_study st;
	int rv;

	g->last_trainer = (int64_t)1 << 32;
	if (load_manifest(g, err) < 0)
		return -1;
	for (int64_t id = 0;; id = st.id) {
		if ((rv = store_study_after(g->store, id, &st, err)) <= 0)
			return rv;
		if ((st.status == STATUS_APPROVED ||
			st.status == STATUS_DONE) &&
		    run_open(g, &st, err) < 0)
			return -1;
	}
}

/*
 * Jobs
 */

struct job *
gate_new_job(struct gate *g, enum job_kind kind, int64_t number, int64_t study,
    struct err *err)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		err_sys(err, "a job");
		return NULL;
	}
	j->kind = kind;
	j->number = number;
	j->study = study;
	j->next = g->jobs;
	g->jobs = j;
	return j;
}

static struct job *
find_job(struct gate *g, uint64_t tag)
{
	struct job *j = g->jobs;

	while (j != NULL && (uint64_t)j->number != tag)
		j = j->next;
	return j;
}

static void
drop_job(struct gate *g, struct job *job)
{
	for (struct job **p = &g->jobs; *p != NULL; p = &(*p)->next) {
		if (*p != job)
			continue;
		*p = job->next;
		if (job->chan != NULL)
			loop_del_chan(g->loop, job->chan);
		chan_free(job->chan);
		free(job);
		return;
	}
}

static const struct handler from_reader[] = {
	{ MSG_READER_DONE, PROC_READER, 136, 136, gate_on_reader_done },
	{ MSG_JOB_FAILED, PROC_READER, 5, 1024, gate_on_job_failed },
};

static const struct handler from_trainer[] = {
	{ MSG_TRAINED, PROC_TRAINER, 36, CHAN_MAX, gate_on_trained },
	{ MSG_JOB_FAILED, PROC_TRAINER, 5, 1024, gate_on_job_failed },
};

/* What the job has to know; study text and, for a trainer, plan. */
static int
send_job(struct gate *g, struct job *j, struct err *err)
{
	struct canon object = { 0 }, out = { 0 };
	struct signed_study *sig = NULL;
	struct run *r = run_find(g, j->study);
	int rv = -1;

	if (store_study_object(g->store, j->study, &object, err) < 0)
		goto out;
	sig = signed_study_open_kept(
	    object.data, object.len, &g->manifest->roots, err);
	if (sig == NULL)
		goto out;
	if (j->kind == JOB_READER) {
		canon_raw(&out, sig->digest, sizeof(sig->digest));
		canon_text(&out, g->config->name);
		canon_u32(&out, (uint32_t)g->config->policy.smallest_k);
		canon_bytes(&out, sig->text, sig->text_len);
		rv = chan_send_canon(
		    j->chan, MSG_READER_JOB, (uint64_t)j->number, &out, err);
		goto out;
	}
	if (r == NULL) {
		err_set(err, ERR_REFUSED, "the study is not approved any more");
		goto out;
	}
	canon_raw(&out, sig->digest, sizeof(sig->digest));
	canon_u32(&out, (uint32_t)sig->n_sites);
	canon_u32(&out, (uint32_t)signed_study_index(sig, g->self));
	canon_bytes(&out, sig->text, sig->text_len);
	{
		struct canon plan = { 0 };

		plan_save(r->plan, &plan);
		canon_bytes(&out, plan.data, plan.len);
		canon_free(&plan);
	}
	rv =
	    chan_send_canon(j->chan, MSG_TRAIN, (uint64_t)j->number, &out, err);
out:
	canon_free(&out);
	canon_free(&object);
	signed_study_free(sig);
	return rv;
}

/* The end of the channel is the end of the job, and JOB_GONE says how. */
static int
on_job_chan_gone(void *self, struct chan *c, struct err *err)
{
	struct gate *g = self;

	(void)err;
	for (struct job *j = g->jobs; j != NULL; j = j->next) {
		if (j->chan != c)
			continue;
		loop_del_chan(g->loop, c);
		chan_free(c);
		j->chan = NULL;
		break;
	}
	return 0;
}

int
gate_on_job_channel(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = find_job(g, m->tag);
	struct canon_in in = canon_in(m->data, m->len);
	bool reader;

	if (j == NULL || j->chan != NULL || m->fd < 0)
		return err_set(err, ERR_PEER, "a channel of no job");
	canon_get_text(&in, j->table, sizeof(j->table));
	if (canon_end(&in, "JOB_CHANNEL", err) < 0)
		return -1;
	reader = j->kind == JOB_READER;
	j->chan = chan_new(m->fd, reader ? PROC_READER : PROC_TRAINER, err);
	m->fd = -1;
	if (j->chan == NULL)
		return -1;
	if (loop_add_chan(g->loop,
		(struct loop_chan){ j->chan,
		    reader ? from_reader : from_trainer,
		    reader ? nitems(from_reader) : nitems(from_trainer), g,
		    on_job_chan_gone },
		err) < 0)
		return -1;
	return send_job(g, j, err);
}

/*
 * Answers to control
 */

static int
reply(struct gate *g, uint64_t tag, struct ctl_reply *r, struct err *err)
{
	struct canon out = { 0 };
	int rv = ctl_reply_write(r, &out, err);

	ctl_reply_free(r);
	if (rv < 0) {
		canon_free(&out);
		return -1;
	}
	return chan_send_canon(
	    child_peer(&g->child, PROC_CONTROL), MSG_CTL_REPLY, tag, &out, err);
}

static int
reply_error(
    struct gate *g, uint64_t tag, const struct err *why, struct err *err)
{
	struct ctl_reply r = { 0 };

	ctl_reply_error(&r, why);
	return reply(g, tag, &r, err);
}

/*
 * Preparations
 */

/* The files of job NUMBER of a study, as the parent names them. */
void
gate_base_name(const char *study, int64_t job, char out[128])
{
	snprintf(out, 128, "%s.%" PRId64, study, job);
}

int
gate_on_reader_done(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = find_job(g, m->tag);
	struct canon_in in = canon_in(m->data, m->len);
	uint8_t table[STORE_DIGEST], report[STORE_DIGEST], list[STORE_DIGEST];
	char digest[DIGEST_TEXT], report_text[DIGEST_TEXT], kept_text[24];
	char list_text[DIGEST_TEXT], listed_text[24], objected_text[24];
	uint64_t kept, suppressed, rejected, objected, listed;
	struct ctl_reply r = { 0 };
	struct store_study st;
	struct err why;
	bool has_list;
	int rv;

	if (j == NULL || j->kind != JOB_READER || j->answered)
		return err_set(err, ERR_PEER, "an answer to no job");
	canon_get_raw(&in, table, sizeof(table));
	canon_get_raw(&in, report, sizeof(report));
	kept = canon_get_u64(&in);
	suppressed = canon_get_u64(&in);
	rejected = canon_get_u64(&in);
	objected = canon_get_u64(&in);
	listed = canon_get_u64(&in);
	canon_get_raw(&in, list, sizeof(list));
	if (canon_end(&in, "READER_DONE", err) < 0)
		return -1;
	j->answered = true;
	rv = -1;
	for (int64_t id = 0;; id = st.id) {
		if ((rv = store_study_after(g->store, id, &st, err)) <= 0)
			return rv < 0 ? -1
				      : err_set(err, ERR_PEER, "no such study");
		if (st.id == j->study)
			break;
	}
	if (st.status == STATUS_APPROVED || st.status == STATUS_DONE) {
		err_set(&why, ERR_REFUSED,
		    "study %s was approved while it was prepared again",
		    st.name);
		return reply_error(g, j->ctl_tag, &why, err);
	}
	hex_text(table, sizeof(table), digest);
	hex_text(report, sizeof(report), report_text);
	snprintf(kept_text, sizeof(kept_text), "%" PRIu64, kept);
	hex_text(list, sizeof(list), list_text);
	snprintf(listed_text, sizeof(listed_text), "%" PRIu64, listed);
	snprintf(objected_text, sizeof(objected_text), "%" PRIu64, objected);
	has_list = strspn(list_text, "0") < strlen(list_text);
	if (gate_drop_table(g, &st, "prepared again", err) < 0 ||
	    audit_event(g->audit, err, "prepared", "study", st.name, "table",
		digest, "report", report_text, "rows", kept_text,
		has_list ? "objections" : NULL, listed_text, "left-out",
		objected_text, "list", list_text, NULL) < 0 ||
	    store_set_prepared(
		g->store, st.id, j->number, report, table, kept, err) < 0)
		return -1;
	log_event(EVENT_PREPARED, LOG_NOTICE, STUDY_FIELD(st.name),
	    "prepared: %" PRIu64 " rows kept, %" PRIu64 " suppressed, %" PRIu64
	    " rejected; waits for the privacy officer",
	    kept, suppressed, rejected);
	ctl_reply_column(&r, "study");
	ctl_reply_column(&r, "kept");
	ctl_reply_column(&r, "suppressed");
	ctl_reply_column(&r, "rejected");
	ctl_reply_column(&r, "table");
	ctl_reply_column(&r, "report");
	ctl_reply_cell(&r, "%s", st.name);
	ctl_reply_cell(&r, "%" PRIu64, kept);
	ctl_reply_cell(&r, "%" PRIu64, suppressed);
	ctl_reply_cell(&r, "%" PRIu64, rejected);
	ctl_reply_cell(&r, "%s", digest);
	ctl_reply_cell(&r, "%s", report_text);
	return reply(g, j->ctl_tag, &r, err);
}

static int
job_failed(
    struct gate *g, struct job *j, const struct err *why, struct err *err)
{
	j->answered = true;
	log_event(EVENT_JOB_FAILED, LOG_ERR, NULL, 0, "%s: %s",
	    j->kind == JOB_READER ? "preparation" : "training", why->msg);
	if (j->kind == JOB_READER)
		return reply_error(g, j->ctl_tag, why, err);
	return run_training_failed(g, j->study, why->msg, err);
}

int
gate_on_job_failed(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = find_job(g, m->tag);
	struct canon_in in = canon_in(m->data, m->len);
	struct err why = { 0 };

	if (j == NULL || j->answered)
		return err_set(err, ERR_PEER, "an answer to no job");
	why.code = (enum err_code)canon_get_u32(&in);
	canon_get_text(&in, why.msg, sizeof(why.msg));
	if (canon_end(&in, "JOB_FAILED", err) < 0)
		return -1;
	return job_failed(g, j, &why, err);
}

int
gate_on_job_gone(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = find_job(g, m->tag);
	struct canon_in in = canon_in(m->data, m->len);
	char how[512];
	struct err why;
	int rv = 0;

	if (j == NULL)
		return 0; /* of an earlier gate */
	canon_get_u8(&in);
	canon_get_text(&in, how, sizeof(how));
	if (canon_end(&in, "JOB_GONE", err) < 0)
		return -1;
	/* Its answer may still be on its way, on its own channel. */
	while (!j->answered && j->chan != NULL) {
		bool reader = j->kind == JOB_READER;
		struct msg last;

		if ((rv = chan_recv(j->chan, &last, err)) <= 0)
			break;
		rv = chan_dispatch(reader ? from_reader : from_trainer,
		    reader ? nitems(from_reader) : nitems(from_trainer), g,
		    &last, err);
		msg_free(&last);
		if (rv < 0)
			return -1;
	}
	if (!j->answered) {
		err_set(&why, ERR_SYSTEM, "%s ended without an answer: %s",
		    j->kind == JOB_READER ? "reader" : "trainer", how);
		rv = job_failed(g, j, &why, err);
	}
	drop_job(g, j);
	return rv < 0 ? -1 : 0;
}

/*
 * Commands of the control socket
 */

struct command {
	const char *name;
	bool names_study;
	int (*fn)(struct gate *g, uint64_t tag, const struct ctl_request *q,
	    const struct store_study *st, struct err *err);
};

static int
cmd_prepare(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	struct canon out = { 0 };
	struct err why;
	struct job *j;
	int64_t number;

	(void)q;
	for (j = g->jobs; j != NULL; j = j->next) {
		if (j->kind != JOB_READER || j->study != st->id)
			continue;
		err_set(&why, ERR_REFUSED, "study %s is being prepared now",
		    st->name);
		return reply_error(g, tag, &why, err);
	}
	if (st->status == STATUS_APPROVED || st->status == STATUS_DONE ||
	    st->status == STATUS_REFUSED_POLICY) {
		err_set(&why, ERR_REFUSED, "study %s: %s%s%s", st->name,
		    study_status_name(st->status), *st->why != '\0' ? ": " : "",
		    st->why);
		return reply_error(g, tag, &why, err);
	}
	if (store_new_job(g->store, st->id, &number, err) < 0 ||
	    (j = gate_new_job(g, JOB_READER, number, st->id, err)) == NULL)
		return -1;
	j->ctl_tag = tag;
	canon_text(&out, st->name);
	canon_u64(&out, (uint64_t)st->job);
	return chan_send_canon(
	    g->child.parent, MSG_START_READER, (uint64_t)number, &out, err);
}

static int
cmd_digests(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	struct ctl_reply r = { 0 };
	char text[DIGEST_TEXT];
	struct err why;

	(void)q;
	if (st->job == 0) {
		err_set(
		    &why, ERR_REFUSED, "study %s is not prepared", st->name);
		return reply_error(g, tag, &why, err);
	}
	ctl_reply_column(&r, "study");
	ctl_reply_column(&r, "report");
	ctl_reply_column(&r, "table");
	hex_text(st->digest, STORE_DIGEST, text);
	ctl_reply_cell(&r, "%s", text);
	hex_text(st->report, STORE_DIGEST, text);
	ctl_reply_cell(&r, "%s", text);
	hex_text(st->table, STORE_DIGEST, text);
	ctl_reply_cell(&r, "%s", text);
	return reply(g, tag, &r, err);
}

/*
 * The files' name and our signature: control has the folder, and puts the files
 * there.  What is signed stands in the audit log since it was prepared.
 */
static int
cmd_report(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	struct canon body = { 0 }, object = { 0 };
	struct signed_report signature;
	struct ctl_reply r = { 0 };
	struct err why;
	char base[128];
	int rv;

	if (st->job == 0) {
		err_set(
		    &why, ERR_REFUSED, "study %s is not prepared", st->name);
		return reply_error(g, tag, &why, err);
	}
	if ((q->roles & CTL_OFFICER) != 0 &&
	    store_set_report_read(g->store, st->id, err) < 0)
		return -1;
	gate_base_name(st->name, st->job, base);
	memcpy(signature.study, st->digest, STORE_DIGEST);
	memcpy(signature.report, st->report, STORE_DIGEST);
	memcpy(signature.table, st->table, STORE_DIGEST);
	rv = signed_report_sign(&signature, g->identity, &object, err);
	if (rv == 0) {
		canon_text(&body, base);
		canon_bytes(&body, object.data, object.len);
		rv = body.failed ? err_sys(err, "report") : 0;
	}
	if (rv == 0) {
		ctl_reply_body(&r, body.data, body.len);
		rv = reply(g, tag, &r, err);
	}
	canon_free(&body);
	canon_free(&object);
	return rv;
}

/* The officer's queue: what waits for a decision. */
static int
cmd_reports(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *none, struct err *err)
{
	static const char *const columns[] = { "study", "prepared", "rows",
		"read" };
	char prepared[CLOCK_TEXT_SIZE], read[CLOCK_TEXT_SIZE];
	struct ctl_reply r = { 0 };
	struct store_study st;
	int rv;

	(void)q;
	(void)none;
	for (size_t i = 0; i < nitems(columns); i++)
		ctl_reply_column(&r, columns[i]);
	for (int64_t id = 0;; id = st.id) {
		if ((rv = store_study_after(g->store, id, &st, err)) < 0) {
			ctl_reply_free(&r);
			return -1;
		}
		if (rv == 0)
			break;
		if (st.status != STATUS_PREPARED)
			continue;
		clock_text(st.prepared, prepared);
		clock_text(st.report_read, read);
		ctl_reply_cell(&r, "%s", st.name);
		ctl_reply_cell(&r, "%s", st.prepared != 0 ? prepared : "");
		ctl_reply_cell(&r, "%" PRIu64, st.n_rows);
		ctl_reply_cell(&r, "%s", st.report_read != 0 ? read : "no");
	}
	return reply(g, tag, &r, err);
}

/* What an approval says of what can be deduced, or nothing. */
static int
warn(struct gate *g, int64_t study, char *warning, size_t size, struct err *err)
{
	struct canon object = { 0 };
	struct signed_study *sig = NULL;
	struct study *s = NULL;
	int rv = -1;

	warning[0] = '\0';
	if (store_study_object(g->store, study, &object, err) == 1 &&
	    (sig = signed_study_open_kept(
		 object.data, object.len, &g->manifest->roots, err)) != NULL &&
	    (s = study_parse("study", sig->text, sig->text_len, err)) != NULL) {
		if (s->learning.rounds != 0)
			snprintf(warning, size, STUDY_LEARNING_NOTE,
			    s->learning.epsilon, s->learning.delta);
		else if (s->privacy.cohort == STUDY_OPEN)
			snprintf(warning, size, "%s", STUDY_OPEN_WARNING);
		rv = 0;
	}
	study_free(s);
	signed_study_free(sig);
	canon_free(&object);
	return rv;
}

static int
reply_decision(struct gate *g, uint64_t tag, const struct store_study *st,
    const char *verdict, const char *warning, struct err *err)
{
	struct ctl_reply r = { 0 };

	ctl_reply_column(&r, "study");
	ctl_reply_column(&r, "decision");
	if (warning != NULL)
		ctl_reply_column(&r, "warning");
	ctl_reply_cell(&r, "%s", st->name);
	ctl_reply_cell(&r, "%s", verdict);
	if (warning != NULL)
		ctl_reply_cell(&r, "%s", warning);
	return reply(g, tag, &r, err);
}

/* approve, refuse and revoke: the signed decision says which. */
static int
cmd_decide(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	char officer[KEY_PUBLIC_TEXT], table[DIGEST_TEXT];
	char warning[256] = "";
	const char *verdict;
	enum study_status status;
	struct store_study now;
	struct approval a;
	struct err why;
	int rv;

	if (approval_open(q->body, q->body_len, g->config->officers,
		g->config->n_officers, &a, &why) < 0)
		return reply_error(g, tag, &why, err);
	verdict = approval_verdict_name(a.verdict);
	if (strcmp(verdict, q->command) != 0) {
		err_set(&why, ERR_FORMAT, "a signed %s, expected %s", verdict,
		    q->command);
		return reply_error(g, tag, &why, err);
	}
	if (st->job == 0 || st->status == STATUS_DONE) {
		err_set(&why, ERR_REFUSED, "study %s: %s", st->name,
		    study_status_name(st->status));
		return reply_error(g, tag, &why, err);
	}
	if (a.verdict == APPROVAL_APPROVE && st->table_gone) {
		err_set(&why, ERR_REFUSED,
		    "study %s: the table was deleted; prepare it again",
		    st->name);
		return reply_error(g, tag, &why, err);
	}
	if (memcmp(a.study, st->digest, STORE_DIGEST) != 0 ||
	    memcmp(a.report, st->report, STORE_DIGEST) != 0 ||
	    memcmp(a.table, st->table, STORE_DIGEST) != 0) {
		err_set(&why, ERR_REFUSED,
		    "the decision is about another study, report or table "
		    "than the present ones; read the report again");
		return reply_error(g, tag, &why, err);
	}
	if (a.verdict == APPROVAL_APPROVE &&
	    warn(g, st->id, warning, sizeof(warning), err) < 0)
		return -1;
	status =
	    a.verdict == APPROVAL_APPROVE ? STATUS_APPROVED : STATUS_REFUSED;
	/* Said again, by the same officer or by another: nothing new. */
	if (st->status == status)
		return reply_decision(g, tag, st, verdict, warning, err);
	hex_text(a.officer, KEY_PUBLIC, officer);
	hex_text(a.table, STORE_DIGEST, table);
	/* The record first: a decision without its line must not be. */
	if (audit_event(g->audit, err, verdict, "study", st->name, "officer",
		officer, "table", table, warning[0] != '\0' ? "warning" : NULL,
		warning, NULL) < 0 ||
	    store_begin(g->store, err) < 0)
		return -1;
	rv = store_add_decision(g->store, st->id, q->body, q->body_len, err);
	if (rv == 0)
		rv = store_set_status(g->store, st->id, status,
		    a.verdict == APPROVAL_APPROVE ? "" : "by the officer", err);
	if (rv < 0) {
		store_rollback(g->store);
		return -1;
	}
	if (store_commit(g->store, err) < 0)
		return -1;
	log_event(EVENT_DECIDED, LOG_NOTICE, STUDY_FIELD(st->name),
	    "the privacy officer's decision: %s", verdict);
	run_close(g, st->id);
	if (a.verdict == APPROVAL_APPROVE &&
	    (store_study_by_name(g->store, st->name, &now, err) != 1 ||
		run_open(g, &now, err) < 0))
		return -1;
	if (reply_decision(g, tag, st, verdict,
		warning[0] != '\0' ? warning : NULL, err) < 0)
		return -1;
	return gate_poll(g, err);
}

/* What the board shows of us. */
int
gate_show(struct gate *g, struct err *err)
{
	struct chan *board = child_peer(&g->child, PROC_BOARD);
	struct board_writer w = { 0 };
	struct store_study st;
	int rv;

	if (board == NULL)
		return 0;
	for (int64_t id = 0;; id = st.id) {
		struct board_study b = { 0 };
		const struct run *run;

		if ((rv = store_study_after(g->store, id, &st, err)) <= 0)
			break;
		run = run_find(g, st.id);
		snprintf(b.name, sizeof(b.name), "%s", st.name);
		snprintf(b.status, sizeof(b.status), "%s",
		    study_status_name(st.status));
		snprintf(b.why, sizeof(b.why), "%s", st.why);
		b.round = st.last_round;
		if (st.job != 0)
			snprintf(b.prepared, sizeof(b.prepared),
			    "%" PRIu64 " rows", st.n_rows);
		if (run != NULL) {
			b.step = plan_index(run->plan);
			b.rounds_done = b.step;
			snprintf(
			    b.kind, sizeof(b.kind), "%s", plan_kind(run->plan));
		}
		board_study(&w, &b);
	}
	if (g->manifest != NULL) {
		board_fact(&w, "consortium", "%s", g->manifest->consortium);
		board_fact(&w, "manifest-epoch", "%u", g->manifest->epoch);
		board_fact(&w, "members", "%zu", g->manifest->n_sites);
	}
	if (rv < 0) {
		struct canon none = { 0 };

		board_write(&w, &none, err);
		canon_free(&none);
		return -1;
	}
	return board_send(&w, board, err);
}

static int
cmd_status(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	static const char *const columns[] = { "study", "status", "rows",
		"step", "kind", "round", "epsilon", "why" };
	struct ctl_reply r = { 0 };
	struct store_study s;
	char epsilon[64];
	int rv;

	(void)st;
	for (size_t i = 0; i < nitems(columns); i++)
		ctl_reply_column(&r, columns[i]);
	for (int64_t id = 0;; id = s.id) {
		const struct run *run;

		if ((rv = store_study_after(g->store, id, &s, err)) < 0) {
			ctl_reply_free(&r);
			return -1;
		}
		if (rv == 0)
			break;
		if (q->study[0] != '\0' && strcmp(q->study, s.name) != 0)
			continue;
		run = run_find(g, s.id);
		if (run_epsilon(g, run, epsilon, sizeof(epsilon), err) < 0) {
			ctl_reply_free(&r);
			return -1;
		}
		ctl_reply_cell(&r, "%s", s.name);
		ctl_reply_cell(&r, "%s", study_status_name(s.status));
		ctl_reply_cell(&r, "%" PRIu64, s.n_rows);
		ctl_reply_cell(
		    &r, "%u", run != NULL ? plan_index(run->plan) : 0);
		ctl_reply_cell(
		    &r, "%s", run != NULL ? plan_kind(run->plan) : "");
		ctl_reply_cell(&r, "%" PRIu64, s.last_round);
		ctl_reply_cell(&r, "%s", epsilon);
		ctl_reply_cell(&r, "%s",
		    g->restored ? "restored from a backup; run consiliumctl "
				  "restored"
				: s.why);
	}
	return reply(g, tag, &r, err);
}

/* The body is a struct finished. */
static int
result_body(
    struct gate *g, const struct run *run, struct canon *body, struct err *err)
{
	struct canon plan = { 0 };
	struct finished f = {
		.n_sites = (uint32_t)run->sig->n_sites,
		.corrupted = g->manifest->policy.corrupted,
		.smallest_sites = run_smallest(g, run),
		.text = run->sig->text,
		.text_len = run->sig->text_len,
		.n_rounds = plan_index(run->plan),
	};
	struct store_step step;
	uint16_t sites[ROUND_STUDY_MAX];
	struct canon *sets = calloc(f.n_rounds + 1, sizeof(*sets));
	int rv = -1;

	snprintf(
	    f.consortium, sizeof(f.consortium), "%s", g->manifest->consortium);
	memcpy(f.digest, run->digest, sizeof(f.digest));
	plan_save(run->plan, &plan);
	f.plan = plan.data;
	f.plan_len = plan.len;
	f.rounds = calloc(f.n_rounds, sizeof(*f.rounds));
	if (sets == NULL || f.rounds == NULL) {
		err_sys(err, "result");
		goto out;
	}
	for (uint32_t i = 0; i < f.n_rounds; i++) {
		struct finished_round *x = &f.rounds[i];

		if (store_get_step(
			g->store, run->id, i + 1, &step, NULL, sites, err) != 1)
			goto out;
		x->round = step.round;
		x->step = i;
		x->n_sites = (uint32_t)step.n_sites;
		context_names(g->manifest, sites, step.n_sites, &sets[i]);
		x->set = (const char *)sets[i].data;
		x->set_len = sets[i].len;
		snprintf(x->kind, sizeof(x->kind), "%s", step.kind);
	}
	rv = finished_write(&f, body, err);
out:
	for (size_t i = 0; sets != NULL && i < f.n_rounds; i++)
		canon_free(&sets[i]);
	free(sets);
	free(f.rounds);
	canon_free(&plan);
	return rv;
}

static int
cmd_result(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	const struct run *run = run_find(g, st->id);
	struct ctl_reply r = { 0 };
	struct canon body = { 0 };
	struct err why;
	int rv = -1;

	(void)q;
	if (run == NULL || !plan_done(run->plan)) {
		err_set(
		    &why, ERR_REFUSED, "study %s has no result yet", st->name);
		return reply_error(g, tag, &why, err);
	}
	if (result_body(g, run, &body, err) == 0) {
		ctl_reply_body(&r, body.data, body.len);
		rv = reply(g, tag, &r, err);
	}
	canon_free(&body);
	return rv;
}

static int
cmd_checkpoint(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	struct ctl_reply r = { 0 };
	struct err why;

	(void)q;
	(void)st;
	if (g->self == 0) {
		err_set(&why, ERR_REFUSED,
		    "no manifest has this site, so nobody countersigns");
		return reply_error(g, tag, &why, err);
	}
	if (gate_send_checkpoint(g, err) < 0)
		return -1;
	ctl_reply_column(&r, "lines");
	ctl_reply_column(&r, "countersigned");
	ctl_reply_cell(&r, "%" PRIu64, audit_count(g->audit));
	ctl_reply_cell(&r, "%" PRIu64, g->checkpoint);
	return reply(g, tag, &r, err);
}

static int
cmd_restored(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	struct ctl_reply r = { 0 };
	struct err why;
	int rv;

	(void)q;
	(void)st;
	if (!g->restored) {
		err_set(&why, ERR_REFUSED,
		    "the database was not restored from a backup");
		return reply_error(g, tag, &why, err);
	}
	if (gate_accept_restored(g, err) < 0)
		return -1;
	ctl_reply_column(&r, "study");
	ctl_reply_column(&r, "answers-from-step");
	for (const struct run *run = g->runs; run != NULL; run = run->next) {
		uint32_t from;
		char number[16];

		if (store_answer_from(g->store, run->id, &from, err) < 0) {
			ctl_reply_free(&r);
			return -1;
		}
		snprintf(number, sizeof(number), "%u", from);
		ctl_reply_cell(&r, "%s", run->name);
		ctl_reply_cell(&r, "%s", from == UINT32_MAX ? "never" : number);
	}
	rv = reply(g, tag, &r, err);
	return rv < 0 ? -1 : gate_poll(g, err);
}

static const struct command commands[] = {
	{ "approve", true, cmd_decide },
	{ "checkpoint", false, cmd_checkpoint },
	{ "digests", true, cmd_digests },
	{ "prepare", true, cmd_prepare },
	{ "refuse", true, cmd_decide },
	{ "report", true, cmd_report },
	{ "reports", false, cmd_reports },
	{ "restored", false, cmd_restored },
	{ "result", true, cmd_result },
	{ "revoke", true, cmd_decide },
	{ "status", false, cmd_status },
};

int
gate_on_control(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct store_study st;
	struct ctl_request q;
	struct err why;
	int rv;

	if (ctl_request_read(m->data, m->len, &q, err) < 0)
		return -1;
	for (size_t i = 0; i < nitems(commands); i++) {
		if (strcmp(commands[i].name, q.command) != 0)
			continue;
		if (!commands[i].names_study)
			return commands[i].fn(g, m->tag, &q, NULL, err);
		rv = store_study_by_name(g->store, q.study, &st, err);
		if (rv < 0)
			return -1;
		if (rv == 1)
			return commands[i].fn(g, m->tag, &q, &st, err);
		err_set(
		    &why, ERR_CONFIG, "no study of the name %s here", q.study);
		return reply_error(g, m->tag, &why, err);
	}
	err_set(
	    &why, ERR_CONFIG, "a site does not know the command %s", q.command);
	return reply_error(g, m->tag, &why, err);
}

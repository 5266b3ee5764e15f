/*
 * Readers and trainers: what they are given, what they answer, how they end.
 */
#include "daemon/gate_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/signed_study.h"
#include "daemon/config.h"
#include "model/step/plan.h"
#include "privsep/ctl_msg.h"

#define STUDY_FIELD(n) (struct log_field[]){ log_field("STUDY", "%s", n) }, 1

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

struct job *
gate_find_job(struct gate *g, uint64_t tag)
{
	struct job *j = g->jobs;

	while (j != NULL && (uint64_t)j->number != tag)
		j = j->next;
	return j;
}

static void
drop_job(struct gate *g, struct job *job)
{
	struct job **p = &g->jobs;

	while (*p != job)
		p = &(*p)->next;
	*p = job->next;
	if (job->chan != NULL)
		loop_del_chan(g->loop, job->chan);
	chan_free(job->chan);
	free(job);
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
	canon_raw(&out, sig->digest, sizeof(sig->digest));
	canon_u32(&out, (uint32_t)sig->n_sites);
	canon_u32(&out, (uint32_t)signed_study_index(sig, g->self));
	canon_bytes(&out, sig->text, sig->text_len);
	{
		struct canon plan = { 0 };

		plan_save(run_find(g, j->study)->plan, &plan);
		canon_bytes(&out, plan.data, plan.len);
		out.failed |= plan.failed;
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
	struct job *j = g->jobs;

	(void)err;
	while (j->chan != c) /* there is one */
		j = j->next;
	loop_del_chan(g->loop, c);
	chan_free(c);
	j->chan = NULL;
	return 0;
}

int
gate_on_job_channel(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = gate_find_job(g, m->tag);
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
	/* Revoked, or expired, while it started: without an order it ends. */
	if (!reader && run_find(g, j->study) == NULL) {
		log_msg(LOG_NOTICE,
		    "a trainer is sent home: its study is not approved any "
		    "more");
		chan_free(j->chan);
		j->chan = NULL;
		j->answered = true;
		return 0;
	}
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
 * Preparations
 */

void
gate_base_name(const char *study, int64_t job, char out[128])
{
	snprintf(out, 128, "%s.%" PRId64, study, job);
}

int
gate_on_reader_done(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = gate_find_job(g, m->tag);
	struct canon_in in = canon_in(m->data, m->len);
	uint8_t table[STORE_DIGEST], report[STORE_DIGEST], list[STORE_DIGEST];
	char digest[DIGEST_TEXT], report_text[DIGEST_TEXT], kept_text[24];
	char list_text[DIGEST_TEXT], listed_text[24], objected_text[24];
	uint64_t kept, suppressed, rejected, objected, listed;
	struct ctl_reply r = { 0 };
	struct store_study st;
	struct err why;
	bool has_list;

	if (j == NULL || j->kind != JOB_READER || j->answered)
		return err_set(err, ERR_PEER, "an answer to no job");
	canon_get_raw(&in, table, sizeof(table));
	canon_get_raw(&in, report, sizeof(report));
	kept = canon_get_u64(&in);
	suppressed = canon_get_u64(&in);
	rejected = canon_get_u64(&in);
	objected = canon_get_u64(&in);
	listed = canon_get_u64(&in);
	canon_get_raw(&in, list, sizeof(list)); /* and nothing behind it */
	j->answered = true;
	if (store_get_study(g->store, j->study, &st, err) < 0)
		return -1;
	if (st.status == STATUS_APPROVED || st.status == STATUS_DONE) {
		err_set(&why, ERR_REFUSED,
		    "study %s was approved while it was prepared again",
		    st.name);
		return gate_reply_error(g, j->ctl_tag, &why, err);
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
	return gate_reply(g, j->ctl_tag, &r, err);
}

/* For who was not there when it failed; the next preparation replaces it. */
static int
keep_failure(struct gate *g, int64_t study, const char *why, struct err *err)
{
	struct store_study st;
	char text[sizeof(st.why)];

	if (store_get_study(g->store, study, &st, err) < 0)
		return -1;
	if (st.status != STATUS_RECEIVED && st.status != STATUS_PREPARED)
		return 0;
	snprintf(text, sizeof(text), "the last preparation failed: %s", why);
	return store_set_status(g->store, study, st.status, text, err);
}

static int
job_failed(
    struct gate *g, struct job *j, const struct err *why, struct err *err)
{
	j->answered = true;
	log_event(EVENT_JOB_FAILED, LOG_ERR, NULL, 0, "%s: %s",
	    j->kind == JOB_READER ? "preparation" : "training", why->msg);
	if (j->kind == JOB_READER) {
		g->failed++;
		if (keep_failure(g, j->study, why->msg, err) < 0 ||
		    gate_show(g, err) < 0)
			return -1;
		return gate_reply_error(g, j->ctl_tag, why, err);
	}
	return run_training_failed(g, j, why->msg, err);
}

int
gate_on_job_failed(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = gate_find_job(g, m->tag);
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
	struct job *j = gate_find_job(g, m->tag);
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

		if ((rv = chan_recv(j->chan, &last, err)) < 0 &&
		    err->code == ERR_SYSTEM)
			return -1; /* ours, not the job's */
		if (rv <= 0)
			break;
		rv = chan_dispatch(reader ? from_reader : from_trainer,
		    reader ? nitems(from_reader) : nitems(from_trainer), g,
		    &last, err);
		msg_free(&last);
		if (rv < 0)
			return -1;
	}
	if (!j->answered) {
		if (j->table[0] == '\0') /* it was never started */
			err_set(&why, ERR_SYSTEM, "%s", how);
		else
			err_set(&why, ERR_SYSTEM,
			    "%s ended without an answer: %s",
			    j->kind == JOB_READER ? "reader" : "trainer", how);
		rv = job_failed(g, j, &why, err);
	}
	drop_job(g, j);
	return rv < 0 ? -1 : 0;
}

/*
 * What the control socket may ask, among it the officer's decisions; what the
 * board shows.
 */
#include "daemon/gate_run.h"

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

#define STUDY_FIELD(n) (struct log_field[]){ log_field("STUDY", "%s", n) }, 1

/*
 * Answers to control
 */

int
gate_reply(struct gate *g, uint64_t tag, struct ctl_reply *r, struct err *err)
{
	return ctl_reply_send(r, child_peer(&g->child, PROC_CONTROL), tag, err);
}

int
gate_reply_error(
    struct gate *g, uint64_t tag, const struct err *why, struct err *err)
{
	struct ctl_reply r = { 0 };

	ctl_reply_error(&r, why);
	return gate_reply(g, tag, &r, err);
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

/* Why a study in that status cannot be what was asked, and what to do first. */
static void
say_status(const struct store_study *st, struct err *why)
{
	switch (st->status) {
	case STATUS_APPROVED:
		err_set(why, ERR_REFUSED,
		    "study %s is approved: revoke that first", st->name);
		break;
	case STATUS_DONE:
		err_set(why, ERR_REFUSED,
		    "study %s is done: its table is not used any more",
		    st->name);
		break;
	case STATUS_REFUSED_POLICY:
		err_set(why, ERR_REFUSED,
		    "study %s: %s: %s (judged again when the daemon starts)",
		    st->name, study_status_name(st->status), st->why);
		break;
	default:
		err_set(why, ERR_REFUSED, "study %s is not prepared", st->name);
	}
}

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
		return gate_reply_error(g, tag, &why, err);
	}
	if (st->status == STATUS_APPROVED || st->status == STATUS_DONE ||
	    st->status == STATUS_REFUSED_POLICY) {
		say_status(st, &why);
		return gate_reply_error(g, tag, &why, err);
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
		return gate_reply_error(g, tag, &why, err);
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
	return gate_reply(g, tag, &r, err);
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
		return gate_reply_error(g, tag, &why, err);
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
		ctl_reply_body(&r, &body);
		rv = gate_reply(g, tag, &r, err);
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
	return gate_reply(g, tag, &r, err);
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
	if (warning[0] != '\0')
		ctl_reply_column(&r, "warning");
	ctl_reply_cell(&r, "%s", st->name);
	ctl_reply_cell(&r, "%s", verdict);
	if (warning[0] != '\0')
		ctl_reply_cell(&r, "%s", warning);
	return gate_reply(g, tag, &r, err);
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
	struct run *run;
	struct err why;
	int rv;

	if (approval_open(q->body, q->body_len, g->config->officers,
		g->config->n_officers, &a, &why) < 0)
		return gate_reply_error(g, tag, &why, err);
	verdict = approval_verdict_name(a.verdict);
	if (strcmp(verdict, q->command) != 0) {
		err_set(&why, ERR_FORMAT, "a signed %s, expected %s", verdict,
		    q->command);
		return gate_reply_error(g, tag, &why, err);
	}
	if (st->job == 0 || st->status == STATUS_DONE) {
		say_status(st, &why);
		return gate_reply_error(g, tag, &why, err);
	}
	if (a.verdict == APPROVAL_APPROVE && st->table_gone) {
		err_set(&why, ERR_REFUSED,
		    "study %s: the table was deleted; prepare it again",
		    st->name);
		return gate_reply_error(g, tag, &why, err);
	}
	if (memcmp(a.study, st->digest, STORE_DIGEST) != 0 ||
	    memcmp(a.report, st->report, STORE_DIGEST) != 0 ||
	    memcmp(a.table, st->table, STORE_DIGEST) != 0) {
		err_set(&why, ERR_REFUSED,
		    "the decision is about another study, report or table "
		    "than the present ones; read the report again");
		return gate_reply_error(g, tag, &why, err);
	}
	if (a.verdict == APPROVAL_APPROVE &&
	    warn(g, st->id, warning, sizeof(warning), err) < 0)
		return -1;
	status =
	    a.verdict == APPROVAL_APPROVE ? STATUS_APPROVED : STATUS_REFUSED;
	if ((rv = store_has_decision(
		 g->store, st->id, q->body, q->body_len, err)) < 0)
		return -1;
	if (rv == 1 && st->status == status) /* sent again: nothing new */
		return reply_decision(g, tag, st, verdict, warning, err);
	/* What was taken back is not brought back by who kept a copy. */
	if (rv == 1) {
		err_set(&why, ERR_REFUSED,
		    "this decision was taken before, and another since; sign "
		    "it anew");
		return gate_reply_error(g, tag, &why, err);
	}
	hex_text(a.officer, KEY_PUBLIC, officer);
	hex_text(a.table, STORE_DIGEST, table);
	/* The record first: a decision without its line must not be. */
	if (audit_event(g->audit, err, verdict, "study", st->name, "officer",
		officer, "table", table, warning[0] != '\0' ? "warning" : NULL,
		warning, NULL) < 0 ||
	    store_begin(g->store, err) < 0)
		return -1;
	rv = store_add_decision(g->store, st->id, q->body, q->body_len, err);
	if (rv == 0 && st->status != status)
		rv = store_set_status(g->store, st->id, status,
		    a.verdict == APPROVAL_APPROVE ? ""
			: st->status == STATUS_APPROVED
			? "by the officer: approval taken back"
			: "by the officer",
		    err);
	if (rv < 0) {
		store_rollback(g->store);
		return -1;
	}
	if (store_commit(g->store, err) < 0)
		return -1;
	log_event(EVENT_DECIDED, LOG_NOTICE, STUDY_FIELD(st->name),
	    st->status != status ? "the privacy officer's decision: %s"
				 : "the privacy officer's decision, or a "
				   "deputy's, once more: %s",
	    verdict);
	/* It stands beside the one before, for who asks later who has decided. */
	if (st->status == status) {
		if ((run = run_find(g, st->id)) != NULL)
			hex_text(a.officer, KEY_PUBLIC, run->officer);
		return reply_decision(g, tag, st, verdict, warning, err);
	}
	run_close(g, st->id);
	if (a.verdict == APPROVAL_APPROVE &&
	    (store_study_by_name(g->store, st->name, &now, err) != 1 ||
		run_open(g, &now, err) < 0))
		return -1;
	/* Before anything is answered: who loses all of this will know. */
	if (a.verdict == APPROVAL_APPROVE && g->self != 0 &&
	    gate_send_checkpoint(g, err) < 0)
		return -1;
	if (reply_decision(g, tag, st, verdict, warning, err) < 0)
		return -1;
	return gate_poll(g, err);
}

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
		board_fact(
		    &w, "members", "%zu", manifest_n_active(g->manifest));
	}
	board_fact(&w, "needs-restore", "%d", g->restored);
	board_fact(&w, "failed-preparations", "%" PRIu64, g->failed);
	board_fact(&w, "refused-messages", "%" PRIu64, g->refused);
	board_fact(&w, "coordinator-reached", "%d", g->reached);
	board_fact(&w, "rounds-aborted", "%" PRIu64, g->ended);
	if (g->summed_utc != 0)
		board_fact(&w, "round-finished-utc", "%" PRId64, g->summed_utc);
	if (g->checkpoint_utc != 0)
		board_fact(&w, "checkpoint-utc", "%" PRId64, g->checkpoint_utc);
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
		    g->restored ? "empty, or restored from a backup; run "
				  "consiliumctl restored"
				: s.why);
	}
	return gate_reply(g, tag, &r, err);
}

static int
get_step(
    void *store, int64_t study, uint32_t idx, struct step *s, struct err *err)
{
	return store_get_step(store, study, idx, s, NULL, NULL, err);
}

/* The body is a struct finished. */
static int
result_body(
    struct gate *g, const struct run *run, struct canon *body, struct err *err)
{
	struct canon plan = { 0 };
	int rv;

	plan_save(run->plan, &plan);
	rv = finished_put(g->manifest, run->sig, run_smallest(g, run), &plan,
	    plan_index(run->plan), get_step, g->store, run->id, body, err);
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
		return gate_reply_error(g, tag, &why, err);
	}
	if (result_body(g, run, &body, err) == 0) {
		ctl_reply_body(&r, &body);
		rv = gate_reply(g, tag, &r, err);
	}
	canon_free(&body);
	return rv;
}

static int
cmd_checkpoint(struct gate *g, uint64_t tag, const struct ctl_request *q,
    const struct store_study *st, struct err *err)
{
	struct err why;

	(void)q;
	(void)st;
	if (g->self != 0)
		return gate_await_checkpoint(g, tag, err);
	err_set(&why, ERR_REFUSED,
	    "no manifest has this site, so nobody countersigns");
	return gate_reply_error(g, tag, &why, err);
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
		return gate_reply_error(g, tag, &why, err);
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
	rv = gate_reply(g, tag, &r, err);
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
		return gate_reply_error(g, m->tag, &why, err);
	}
	err_set(
	    &why, ERR_CONFIG, "a site does not know the command %s", q.command);
	return gate_reply_error(g, m->tag, &why, err);
}

/*
 * Process `gate`: decides what leaves the house.  See gate.h.
 */
#include "daemon/gate_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/checkpoint.h"
#include "crypto/exchange.h"
#include "crypto/prg.h"
#include "crypto/signed.h"
#include "crypto/signed_study.h"
#include "daemon/config.h"
#include "model/step/plan.h"

#define RETRY_MS 1000
#define FIRST_CHECKPOINT_MS 60000 /* after the start */

static enum exchange_standing
standing(const struct gate *g, const struct run *r)
{
	/* (also when it is done: a coordinator that was restored asks it) */
	if (r == NULL || r->busy || g->self == 0 || g->restored)
		return EXCHANGE_KNOWN;
	return EXCHANGE_READY;
}

int
gate_poll(struct gate *g, struct err *err)
{
	struct exchange_next x = { 0 };
	struct canon body = { 0 };
	struct store_study st;
	int rv;

	x.epoch = g->manifest != NULL ? g->manifest->epoch : g->skipped;
	for (int64_t id = 0; x.n < EXCHANGE_STUDIES_MAX; id = st.id) {
		struct exchange_study *s = &x.studies[x.n];
		const struct run *r;

		if ((rv = store_study_after(g->store, id, &st, err)) < 0)
			return -1;
		if (rv == 0)
			break;
		x.n++;
		memcpy(s->digest, st.digest, sizeof(s->digest));
		r = run_find(g, st.id);
		s->standing = standing(g, r);
		if (s->standing != EXCHANGE_READY)
			continue;
		s->idx = plan_index(r->plan);
		memcpy(s->state, r->state, sizeof(s->state));
	}
	exchange_next_write(&x, &body);
	if (gate_show(g, err) < 0) {
		canon_free(&body);
		return -1;
	}
	return chan_send_canon(
	    child_peer(&g->child, PROC_UPLINK), MSG_POLL, 0, &body, err);
}

static int
poll_again(void *self, struct err *err)
{
	return gate_poll(self, err);
}

int
gate_poll_later(struct gate *g, struct err *err)
{
	return loop_set_timer(g->loop, RETRY_MS, poll_again, g, err);
}

/* It answers what we sent: the coordinator need not be asked again. */
static int
take_countersigned(struct gate *g, const struct msg *m, struct err *err)
{
	struct err why;

	if (gate_on_countersigned(g, m->data, m->len, &why) == 0)
		return 0;
	if (why.code == ERR_SYSTEM) {
		*err = why;
		return -1;
	}
	g->refused++;
	log_msg(LOG_WARNING, "checkpoint refused: %s", why.msg);
	return audit_event(g->audit, err, "refused", "from", "coordinator",
	    "why", why.msg, NULL);
}

/*
 * One message of the coordinator's: a signed object (manifest, study) or a
 * message of a round.  What is wrong with it is logged, and changes nothing;
 * only our own troubles end the gate.
 */
static int
on_coordinator(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	char type[SIGNED_TYPE_MAX + 1] = "";
	struct err why;
	int rv;

	signed_type(m->data, m->len, type, &why);
	if (strcmp(type, COUNTERSIGNED_TYPE) == 0)
		return take_countersigned(g, m, err);
	if (strcmp(type, MANIFEST_TYPE) == 0)
		rv = gate_take_manifest(g, m->data, m->len, &why);
	else if (strcmp(type, SIGNED_STUDY_TYPE) == 0)
		rv = gate_take_study(g, m->data, m->len, &why);
	else
		rv = gate_on_round_message(g, m->data, m->len, &why);
	if (rv == 0)
		return 0;
	if (why.code == ERR_SYSTEM) {
		*err = why;
		return -1;
	}
	g->refused++;
	log_event(EVENT_COORD_REFUSED, LOG_WARNING, NULL, 0,
	    "refused a message of the coordinator: %s", why.msg);
	if (audit_event(g->audit, err, "refused", "from", "coordinator", "why",
		why.msg, NULL) < 0)
		return -1;
	return gate_poll_later(g, err);
}

static const struct handler from_parent[] = {
	{ MSG_JOB_CHANNEL, PROC_PARENT, 5, 256, gate_on_job_channel },
	{ MSG_JOB_GONE, PROC_PARENT, 5, 1024, gate_on_job_gone },
};

static int
on_reached(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;

	g->reached = m->data[0] != 0;
	return gate_show(g, err);
}

static const struct handler from_uplink[] = {
	{ MSG_FROM_COORDINATOR, PROC_UPLINK, 1, 4 << 20, on_coordinator },
	{ MSG_FETCHED, PROC_UPLINK, 1, CHAN_MAX, gate_on_fetched },
	{ MSG_DELIVERED, PROC_UPLINK, 8, 1024, gate_on_delivered },
	{ MSG_REACHED, PROC_UPLINK, 1, 1, on_reached },
};

static const struct handler from_control[] = {
	{ MSG_CTL_REQUEST, PROC_CONTROL, 1, 2 << 20, gate_on_control },
};

/* After consiliumctl site reset the database is another's. */
static int
take_identity(struct gate *g, struct err *err)
{
	int rv;

	if (store_begin(g->store, err) < 0)
		return -1;
	rv = store_take_identity(g->store, key_public(g->identity), err);
	if (rv < 0) {
		store_rollback(g->store);
		return -1;
	}
	if (store_commit(g->store, err) < 0)
		return -1;
	if (rv == 0)
		return 0;
	log_msg(LOG_NOTICE,
	    "this site has a new identity: prekeys and open rounds of the one "
	    "before are erased");
	if (audit_event(g->audit, err, "reset", NULL) < 0)
		return -1;
	return g->restored ? gate_accept_restored(g, err) : 0;
}

static int
open_all(struct gate *g, struct err *err)
{
	const char *state = child_fact(&g->child, "state");
	char path[600];

	if (state == NULL || strlen(state) >= sizeof(g->state_dir))
		return err_set(err, ERR_CONFIG, "no folder for the state");
	snprintf(g->state_dir, sizeof(g->state_dir), "%s", state);
	g->config = site_config_parse(
	    g->child.config_path, g->child.config, g->child.config_len, err);
	if (g->config == NULL)
		return -1;
	g->identity = key_load_fd(
	    child_fd(&g->child, "identity.key"), "identity.key", NULL, err);
	if (g->identity == NULL ||
	    key_public_load_fd(child_fd(&g->child, "root.pub"), "root.pub",
		g->root, err) < 0 ||
	    key_public_load_fd(child_fd(&g->child, "coordinator.pub"),
		"coordinator.pub", g->coordinator, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/audit.log", state);
	if ((g->audit = audit_open(path, g->identity, err)) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/db/gate.db", state);
	if ((g->store = store_open(path, g->identity, err)) == NULL)
		return -1;
	if (gate_load_checkpoint(g, err) < 0 || gate_check_count(g, err) < 0 ||
	    take_identity(g, err) < 0)
		return -1;
	if (gate_load_manifest(g, err) < 0 || gate_load_studies(g, err) < 0)
		return err_prefix(err, "what %s holds cannot be used", path);
	return 0;
}

static int
listen_all(struct gate *g, struct err *err)
{
	const struct loop_chan chans[] = {
		{ g->child.parent, from_parent, nitems(from_parent), g, NULL },
		{ child_peer(&g->child, PROC_UPLINK), from_uplink,
		    nitems(from_uplink), g, NULL },
		{ child_peer(&g->child, PROC_CONTROL), from_control,
		    nitems(from_control), g, NULL },
		{ child_peer(&g->child, PROC_BOARD), NULL, 0, g, NULL },
	};

	if ((g->loop = loop_new(err)) == NULL)
		return -1;
	for (size_t i = 0; i < nitems(chans); i++) {
		/* (there may be no board) */
		if (chans[i].chan != NULL &&
		    loop_add_chan(g->loop, chans[i], err) < 0)
			return -1;
	}
	return 0;
}

static void
close_all(struct gate *g)
{
	while (g->runs != NULL)
		run_close(g, g->runs->id);
	while (g->jobs != NULL) {
		struct job *j = g->jobs;

		g->jobs = j->next;
		chan_free(j->chan);
		free(j);
	}
	loop_free(g->loop);
	store_close(g->store);
	audit_close(g->audit);
	manifest_free(g->manifest);
	manifest_free(g->older);
	key_free(g->identity);
	site_config_free(g->config);
	child_free(&g->child);
}

int
main(void)
{
	static struct gate g;
	struct err err;
	int rc = 0;

	if (prg_selftest(&err) < 0 ||
	    child_start(&g.child, PROC_GATE, &err) < 0 ||
	    open_all(&g, &err) < 0 || listen_all(&g, &err) < 0 ||
	    child_ready(&g.child, "", &err) < 0 ||
	    loop_set_timer(
		g.loop, FIRST_CHECKPOINT_MS, gate_checkpoint, &g, &err) < 0 ||
	    gate_retention(&g, &err) < 0 || gate_poll(&g, &err) < 0 ||
	    loop_run(g.loop, &err) < 0) {
		log_msg(LOG_ERR, "%s", err.msg);
		rc = 1;
	}
	close_all(&g);
	return rc;
}

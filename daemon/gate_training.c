/*
 * The update of a study: a trainer computes it, from the table that the officer
 * approved and no other.
 */
#include "daemon/gate_run.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "crypto/audit.h"
#include "model/step/plan.h"

int
run_train(
    struct gate *g, struct run *r, const void *msg, size_t len, struct err *err)
{
	struct canon out = { 0 };
	struct job *j =
	    gate_new_job(g, JOB_TRAINER, ++g->last_trainer, r->id, err);

	if (j == NULL)
		return -1;
	r->busy = true;
	r->trainer = j->number;
	canon_free(&r->held);
	canon_raw(&r->held, msg, len);
	if (r->held.failed)
		return err_sys(err, "study %s", r->name);
	canon_text(&out, r->name);
	canon_text(&out, r->table_file);
	return chan_send_canon(
	    g->child.parent, MSG_START_TRAINER, (uint64_t)j->number, &out, err);
}

/* The run that waits for it.  One that was taken back, and approved again, has a
   trainer of its own, and may be at another state. */
static struct run *
run_of(struct gate *g, const struct job *j)
{
	struct run *r = run_find(g, j->study);

	return r != NULL && r->trainer == j->number ? r : NULL;
}

int
run_training_failed(
    struct gate *g, const struct job *j, const char *why, struct err *err)
{
	struct run *r = run_of(g, j);

	if (r == NULL)
		return 0;
	canon_free(&r->held);
	r->trainer = 0;
	r->busy = false;
	if (audit_event(g->audit, err, "training-failed", "study", r->name,
		"why", why, NULL) < 0)
		return -1;
	return gate_poll_later(g, err);
}

/* The trainer's values as ring words, if they come from the table that the
   officer approved. */
static int
take_update(struct run *r, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	uint8_t table[STORE_DIGEST];
	double *values;
	uint32_t n;
	int rv = -1;

	canon_get_raw(&in, table, sizeof(table));
	n = canon_get_u32(&in);
	if (n != plan_values(r->plan)) /* (it has both: from_trainer) */
		return err_set(err, ERR_PEER,
		    "the trainer sent %u values, expected %zu", n,
		    plan_values(r->plan));
	if (memcmp(table, r->table, sizeof(table)) != 0)
		return err_set(err, ERR_REFUSED,
		    "the table is not the one that was approved");
	values = calloc(n, sizeof(*values));
	run_drop_update(r);
	r->update = calloc(1, run_update_len(r));
	if (values == NULL || r->update == NULL) {
		err_sys(err, "%u values", n);
		goto out;
	}
	for (uint32_t i = 0; i < n; i++)
		values[i] = canon_get_f64(&in);
	if (canon_end(&in, "TRAINED", err) < 0)
		goto out;
	if (plan_learn(r->plan) != NULL)
		rv = plan_encode_parts(r->plan, values, n, r->update, err);
	else
		rv = plan_encode(r->plan, values, n, r->update, err);
out:
	if (values != NULL)
		explicit_bzero(values, n * sizeof(*values));
	free(values);
	if (rv < 0)
		run_drop_update(r);
	return rv;
}

int
gate_on_trained(void *self, struct msg *m, struct err *err)
{
	struct gate *g = self;
	struct job *j = gate_find_job(g, m->tag);
	struct canon held;
	struct err why;
	struct run *r;
	int rv;

	if (j == NULL || j->kind != JOB_TRAINER || j->answered)
		return err_set(err, ERR_PEER, "an answer to no job");
	j->answered = true;
	if ((r = run_of(g, j)) == NULL)
		return 0;
	if (take_update(r, m, &why) < 0) {
		if (why.code == ERR_SYSTEM) {
			*err = why;
			return -1;
		}
		log_fields(LOG_ERR, ROUND_FIELDS(r), "training: %s", why.msg);
		return run_training_failed(g, j, why.msg, err);
	}
	held = r->held;
	r->held = (struct canon){ 0 };
	r->trainer = 0;
	r->busy = false;
	rv = run_handle(g, r, held.data, held.len, &why);
	if (rv < 0)
		rv = run_refuse(g, r, &why, err);
	canon_free(&held);
	return rv < 0 ? -1 : 0;
}

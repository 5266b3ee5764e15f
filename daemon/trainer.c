/*
 * The process that computes: one job, then it ends.  It has the anonymized
 * table and the model; no key, no file of its own, no network.
 */
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/log.h"
#include "common/macros.h"
#include "daemon/train.h"
#include "model/step/plan.h"
#include "privsep/loop.h"
#include "privsep/start.h"
#include "study/study.h"

#define TRAIN_MAX ((size_t)STUDY_TEXT_MAX + PLAN_BYTES_MAX + 64)

struct trainer {
	struct child child;
	struct loop *loop;
};

/* Why a job failed goes to the gate, which logs it. */
static void
write_failure(struct canon *out, const struct err *why)
{
	canon_u32(out, (uint32_t)why->code);
	canon_text(out, why->msg);
}

static int
on_train(void *self, struct msg *m, struct err *err)
{
	struct trainer *t = self;
	struct chan *gate = child_peer(&t->child, PROC_GATE);
	enum msg_type answer = MSG_TRAINED;
	struct canon out = { 0 };
	struct err why;

	if (train(m->data, m->len, child_fd(&t->child, "table"), &out, &why) ==
	    -1) {
		canon_free(&out);
		write_failure(&out, &why);
		answer = MSG_JOB_FAILED;
	}
	loop_stop(t->loop);
	return chan_send_canon(gate, answer, m->tag, &out, err);
}

/* What the trainer accepts, and from whom. */
static const struct handler handlers[] = {
	{ MSG_TRAIN, PROC_GATE, 48, TRAIN_MAX, on_train },
};

static int
run(struct trainer *t, struct err *err)
{
	struct loop_chan parent = { .chan = t->child.parent };
	struct loop_chan gate = {
		.chan = child_peer(&t->child, PROC_GATE),
		.table = handlers,
		.n = nitems(handlers),
		.self = t,
	};

	if (gate.chan == NULL || child_fd(&t->child, "table") == -1)
		return err_set(
		    err, ERR_PEER, "started without a gate or a table");
	if ((t->loop = loop_new(err)) == NULL ||
	    loop_add_chan(t->loop, parent, err) == -1 ||
	    loop_add_chan(t->loop, gate, err) == -1 ||
	    child_ready(&t->child, "", err) == -1)
		return -1;
	return loop_run(t->loop, err);
}

int
main(void)
{
	struct trainer t = { 0 };
	struct err err;
	int rc = EXIT_SUCCESS;

	if (child_start(&t.child, PROC_TRAINER, &err) == -1 ||
	    run(&t, &err) == -1) {
		log_msg(LOG_ERR, "%s", err.msg);
		rc = EXIT_FAILURE;
	}
	loop_free(t.loop);
	child_free(&t.child);
	return rc;
}

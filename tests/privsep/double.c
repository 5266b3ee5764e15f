/*
 * Stands in for gate, uplink, listener, rounds, reader and trainer in the
 * tests of their parents and of control: it is what its executable's name
 * says.  The comment "# order ..." in the configuration tells gate and uplink
 * what to do.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/ctl_msg.h"
#include "privsep/loop.h"
#include "privsep/start.h"

#define JOB 7
#define WAIT_MS 60000 /* until the slowest of them is ready */

struct me {
	struct child child;
	struct loop *loop;
	struct chan *job;
	char order[64];
};

static bool
ordered(const struct me *me, const char *what)
{
	return strcmp(me->order, what) == 0;
}

/* Gate and jobs. */

static int
on_job_message(void *self, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	char text[200];

	(void)self;
	canon_get_text(&in, text, sizeof(text));
	log_msg(LOG_INFO, "%s says: %s", proc_name(m->from), text);
	return canon_end(&in, "job", err);
}

static const struct handler job_handlers[] = {
	{ MSG_JOB_FAILED, PROC_READER, 1, 200, on_job_message },
	{ MSG_JOB_FAILED, PROC_TRAINER, 1, 200, on_job_message },
};

static int
on_job_closed(void *self, struct chan *c, struct err *err)
{
	struct me *me = self;

	(void)err;
	chan_free(c);
	me->job = NULL;
	return 0;
}

static int
on_job_channel(void *self, struct msg *m, struct err *err)
{
	struct me *me = self;
	struct canon_in in = canon_in(m->data, m->len);
	enum proc p = m->tag == JOB || ordered(me, "gate read again")
	    ? PROC_READER
	    : PROC_TRAINER;
	struct loop_chan lc = { NULL, job_handlers, nitems(job_handlers), me,
		on_job_closed };
	char table[128];

	canon_get_text(&in, table, sizeof(table));
	log_msg(LOG_INFO, "job %d works on %s", (int)m->tag, table);
	me->job = chan_new(m->fd, p, err);
	m->fd = -1;
	lc.chan = me->job;
	if (me->job == NULL || loop_add_chan(me->loop, lc, err) < 0)
		return -1;
	return chan_send(me->job, p == PROC_READER ? MSG_READER_JOB : MSG_TRAIN,
	    0, me->order, strlen(me->order), -1, err);
}

static int
start_job(struct me *me, enum msg_type type, uint64_t tag, const char *study,
    const char *table, struct err *err)
{
	struct canon out = { 0 };

	canon_text(&out, study);
	if (table != NULL)
		canon_text(&out, table);
	else /* compared with the job before; there is none before the first */
		canon_u64(&out, tag == JOB ? 0 : tag == JOB + 1 ? JOB : 3);
	return chan_send_canon(me->child.parent, type, tag, &out, err);
}

static int
on_job_gone(void *self, struct msg *m, struct err *err)
{
	struct me *me = self;
	struct canon_in in = canon_in(m->data, m->len);
	unsigned ok = canon_get_u8(&in);
	char how[512];

	canon_get_text(&in, how, sizeof(how));
	if (me->job != NULL && loop_serve_chan(me->loop, me->job, err) < 0)
		return -1;
	log_msg(LOG_INFO, "job %d gone, ok %u: %s", (int)m->tag, ok, how);
	if (m->tag == JOB && ok && ordered(me, "gate read and train"))
		return start_job(
		    me, MSG_START_TRAINER, JOB + 1, "rfs", "rfs.7.table", err);
	if (m->tag < JOB + 2 && ok && ordered(me, "gate read again"))
		return start_job(
		    me, MSG_START_READER, m->tag + 1, "rfs", NULL, err);
	return 0;
}

static int
on_request(void *self, struct msg *m, struct err *err)
{
	struct me *me = self;
	struct ctl_reply r = { 0 };
	struct canon out = { 0 }, report = { 0 };
	struct ctl_request q;
	int rc;

	if (ctl_request_read(m->data, m->len, &q, err) < 0)
		return -1;
	canon_text(&report, q.study);
	canon_bytes(&report, "sig", 3);
	ctl_reply_column(&r, "command");
	ctl_reply_column(&r, "study");
	ctl_reply_column(&r, "roles");
	ctl_reply_cell(&r, "%s", q.command);
	ctl_reply_cell(&r, "%s", q.study);
	ctl_reply_cell(&r, "%u", q.roles);
	if (strcmp(q.command, "report") == 0)
		ctl_reply_body(&r, &report);
	else
		ctl_reply_bytes(&r, q.body, q.body_len);
	canon_free(&report);
	rc = ctl_reply_write(&r, &out, err);
	ctl_reply_free(&r);
	if (rc < 0)
		return -1;
	return chan_send_canon(child_peer(&me->child, PROC_CONTROL),
	    MSG_CTL_REPLY, m->tag, &out, err);
}

static const struct handler from_control[] = {
	{ MSG_CTL_REQUEST, PROC_CONTROL, 1, 2 * CTL_BODY_MAX, on_request },
};

/* Certificates. */

static int
on_file(void *self, struct msg *m, struct err *err)
{
	struct me *me = self;

	return child_take_file(&me->child, m, err);
}

static int
on_config(void *self, struct msg *m, struct err *err)
{
	struct me *me = self;

	if (child_take_config(&me->child, m, err) < 0)
		return -1;
	log_msg(LOG_INFO, "new certificates");
	return 0;
}

static const struct handler from_parent[] = {
	{ MSG_JOB_CHANNEL, PROC_PARENT, 5, 200, on_job_channel },
	{ MSG_JOB_GONE, PROC_PARENT, 5, 1000, on_job_gone },
	{ MSG_FILE, PROC_PARENT, 1, 100, on_file },
	{ MSG_CONFIG, PROC_PARENT, 8, 1 << 20, on_config },
};

/* Residents. */

/* The parent's first message says so: a ping.  0: it stops instead. */
static int
all_are_ready(struct child *c, struct err *err)
{
	enum child_msg what;
	struct msg m;
	int rc = chan_wait(c->parent, &m, WAIT_MS, err);

	if (rc <= 0)
		return rc;
	what = child_msg(c->parent, &m, err);
	msg_free(&m);
	if (what == CHILD_MSG_OTHER)
		return err_set(err, ERR_PEER, "another message than a ping");
	return what == CHILD_MSG_FAILED ? -1 : what == CHILD_MSG_DONE;
}

/* What a gate never says to its parent. */
static const struct {
	const char *order;
	enum msg_type type;
	const char *data;
	size_t len;
} nonsense[] = {
	{ "gate mumble reader", MSG_START_READER, "\0\0\0\7rfs......", 13 },
	{ "gate mumble trainer", MSG_START_TRAINER, "\0\0\0\7rfs...", 10 },
	{ "gate mumble table", MSG_DROP_TABLE, "\0\0\0\7rfs", 7 },
	{ "gate drop outside", MSG_DROP_TABLE, "\0\0\0\4../x", 8 },
	{ "gate drop nothing", MSG_DROP_TABLE, "\0\0\0\4rfsx", 8 },
};

/* Once all are ready. */
static int
obey(struct me *me, struct err *err)
{
	if (ordered(me, "gate read") || ordered(me, "gate read and train") ||
	    ordered(me, "gate read and fail") || ordered(me, "gate read again"))
		return start_job(me, MSG_START_READER, JOB, "rfs", NULL, err);
	if (ordered(me, "gate read at once"))
		return start_job(me, MSG_START_READER, JOB, "rfs", NULL, err) <
			0
		    ? -1
		    : start_job(me, MSG_START_READER, JOB, "rfs", NULL, err);
	for (size_t i = 0; i < nitems(nonsense); i++) {
		if (ordered(me, nonsense[i].order))
			return chan_send(me->child.parent, nonsense[i].type,
			    JOB, nonsense[i].data, nonsense[i].len, -1, err);
	}
	if (ordered(me, "gate read nothing"))
		return start_job(
		    me, MSG_START_READER, JOB, "unknown", NULL, err);
	if (ordered(me, "gate climb"))
		return start_job(
		    me, MSG_START_TRAINER, JOB, "rfs", "../order", err);
	if (ordered(me, "gate crash"))
		abort();
	return 0;
}

static void
read_order(struct me *me)
{
	const char *name = proc_name(me->child.proc), *order = NULL;

	if (me->child.config != NULL)
		order = strstr(me->child.config, "# order ");
	if (order == NULL)
		return;
	order += strlen("# order ");
	if (strncmp(order, name, strlen(name)) == 0)
		snprintf(me->order, sizeof(me->order), "%.*s",
		    (int)strcspn(order, "\n"), order);
}

static int
resident(struct me *me, struct err *err)
{
	struct child *c = &me->child;
	int rc;

	read_order(me);
	if (ordered(me, "uplink fail early"))
		return err_set(err, ERR_CONFIG, "this uplink cannot start");
	if (loop_add_chan(me->loop,
		(struct loop_chan){
		    c->parent, from_parent, nitems(from_parent), me, NULL },
		err) < 0)
		return -1;
	if (child_peer(c, PROC_CONTROL) != NULL &&
	    loop_add_chan(me->loop,
		(struct loop_chan){ child_peer(c, PROC_CONTROL), from_control,
		    nitems(from_control), me, NULL },
		err) < 0)
		return -1;
	log_msg(LOG_INFO, "pid %d, %zu files, %zu peers, config of %zu bytes",
	    getpid(), c->n_files, c->n_peers, c->config_len);
	if (child_status(c, "idle", err) < 0 || child_ready(c, "", err) < 0)
		return -1;
	if (c->proc == PROC_GATE && (rc = all_are_ready(c, err)) <= 0)
		return rc;
	if (obey(me, err) < 0)
		return -1;
	return loop_run(me->loop, err);
}

/* Jobs. */

static const char *
read_job(struct me *me, const struct msg *order)
{
	static const char *const made[] = { "table", "report.json",
		"report.html" };
	char row[16] = "";

	if (read(child_fd(&me->child, "source"), row, sizeof(row) - 1) <= 0 ||
	    child_fd(&me->child, "pseudonym.key") < 0)
		return "no source, or no pseudonym key";
	for (size_t i = 0; i < nitems(made); i++) {
		if (write(child_fd(&me->child, made[i]), row, strlen(row)) < 0)
			return "cannot write";
	}
	if (order->len == strlen("gate read and fail"))
		abort();
	return "read it";
}

static const char *
train_job(struct me *me)
{
	int table = child_fd(&me->child, "table");
	char row[16];

	if (read(table, row, sizeof(row)) <= 0)
		return "no table";
	if (write(table, "x", 1) == 1 || ftruncate(table, 0) == 0)
		return "could change the table";
	return me->child.n_files == 1 ? "trained on it" : "has other files";
}

static int
job(struct me *me, struct err *err)
{
	struct chan *gate = child_peer(&me->child, PROC_GATE);
	struct canon out = { 0 };
	struct msg m;

	if (chan_wait(gate, &m, 10000, err) <= 0)
		return -1;
	canon_text(&out,
	    me->child.proc == PROC_READER ? read_job(me, &m) : train_job(me));
	msg_free(&m);
	if (chan_send_canon(gate, MSG_JOB_FAILED, 0, &out, err) < 0)
		return -1;
	return chan_drain(gate, 10000, err);
}

int
main(int argc, char **argv)
{
	enum proc p = argc > 0 ? proc_find(basename(argv[0])) : PROC_NONE;
	struct me me = { 0 };
	struct err err;
	int rc;

	if ((me.loop = loop_new(&err)) == NULL ||
	    child_start(&me.child, p, &err) < 0)
		rc = -1;
	else if (p == PROC_READER || p == PROC_TRAINER)
		rc = job(&me, &err);
	else
		rc = resident(&me, &err);
	if (rc < 0)
		log_msg(LOG_ERR, "%s", err.msg);
	loop_free(me.loop);
	chan_free(me.job);
	child_free(&me.child);
	return rc < 0 ? 1 : 0;
}

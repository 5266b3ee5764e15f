/*
 * Checkpoints of the audit log: soon after the start, once an hour, when a study is approved and when an operator asks, the coordinator
 * countersigns how far it is.  What comes back is kept in db/checkpoint, for
 * consiliumctl audit verify.
 *
 * They also tell a site that its state is gone.  The coordinator shows who has a
 * shorter log the longest that it knows: signed by this site's own key, so that
 * nobody can make one up.  What that log says was answered is not here, and
 * nothing is answered (gate_counter.c).  A site without a manifest asks first,
 * before its log has a line that the lost one may have had.
 */
#include "daemon/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/checkpoint.h"
#include "privsep/ctl_msg.h"

#define HOUR_MS 3600000

static const char see_log[] = "it is not this log that the coordinator knows";

static int
path_of(const struct gate *g, char *path, size_t size)
{
	return snprintf(path, size, "%s/db/checkpoint", g->state_dir);
}

int
gate_send_checkpoint(struct gate *g, struct err *err)
{
	struct checkpoint c = { .utc = clock_utc() };
	struct canon out = { 0 };

	c.state.count = audit_count(g->audit);
	audit_head(g->audit, c.state.head);
	if (checkpoint_sign(&c, g->identity, &out, err) < 0) {
		canon_free(&out);
		return -1;
	}
	g->checkpoint_tag = ++g->last_tag;
	g->checkpoint_lines = c.state.count;
	return chan_send_canon(child_peer(&g->child, PROC_UPLINK),
	    MSG_TO_COORDINATOR, g->checkpoint_tag, &out, err);
}

int
gate_checkpoint(void *self, struct err *err)
{
	struct gate *g = self;

	if (g->self != 0 && gate_send_checkpoint(g, err) < 0)
		return -1;
	return loop_set_timer(g->loop, HOUR_MS, gate_checkpoint, g, err);
}

static int
keep(struct gate *g, const void *p, size_t len, uint64_t lines, struct err *err)
{
	char path[600];

	path_of(g, path, sizeof(path));
	if (file_write(path, p, len, 0600, err) < 0)
		return -1;
	g->proven = MAX(g->proven, lines);
	return 0;
}

/*
 * This site has signed a log that is not the one here.  If db/checkpoint knew of
 * it the log alone was cut, as the start has said.  Else the database is another
 * than the one which that log is of: an empty one, or an old image.
 */
static int
on_another_log(struct gate *g, const struct checkpoint *c, const void *p,
    size_t len, struct err *err)
{
	bool news = !g->restored;

	if (c->state.count <= g->proven)
		return err_set(err, ERR_REFUSED,
		    "audit.log has %" PRIu64 " lines, and the coordinator has "
		    "countersigned %" PRIu64 " others",
		    audit_count(g->audit), c->state.count);
	if ((news && gate_found_restored(g, err) < 0) ||
	    keep(g, p, len, c->state.count, err) < 0)
		return -1;
	if (!news)
		return 0;
	/* What runs was begun on the database as it was. */
	return err_set(err, ERR_SYSTEM,
	    "the coordinator has a checkpoint of this site's with %" PRIu64
	    " lines, and audit.log has %" PRIu64
	    ": the state folder is empty or old; starting again, to answer "
	    "nothing",
	    c->state.count, audit_count(g->audit));
}

static int
reply_to_command(struct gate *g, const struct err *why, struct err *err)
{
	struct ctl_reply r = { 0 };

	if (!g->checkpoint_awaited)
		return 0;
	g->checkpoint_awaited = false;
	if (why != NULL)
		return gate_reply_error(g, g->checkpoint_ctl, why, err);
	ctl_reply_column(&r, "lines");
	ctl_reply_column(&r, "countersigned");
	ctl_reply_cell(&r, "%" PRIu64, audit_count(g->audit));
	ctl_reply_cell(&r, "%" PRIu64, g->checkpoint);
	return gate_reply(g, g->checkpoint_ctl, &r, err);
}

int
gate_on_checkpoint_sent(struct gate *g, enum err_code code, const char *text,
    size_t len, struct err *err)
{
	bool good = code == ERR_NONE && g->checkpoint >= g->checkpoint_lines;
	struct err why;

	g->checkpoint_tag = 0;
	if (!good)
		err_set(&why, code == ERR_NONE ? ERR_REFUSED : code,
		    "not countersigned: %.*s",
		    code == ERR_NONE ? (int)strlen(see_log) : (int)len,
		    code == ERR_NONE ? see_log : text);
	if (!good)
		log_msg(LOG_WARNING, "checkpoint %s", why.msg);
	if (reply_to_command(g, good ? NULL : &why, err) < 0)
		return -1;
	if (g->manifest != NULL)
		return 0;
	return g->past_known ? gate_poll(g, err) : gate_poll_later(g, err);
}

int
gate_await_checkpoint(struct gate *g, uint64_t ctl_tag, struct err *err)
{
	struct err why;

	if (g->checkpoint_awaited) {
		err_set(&why, ERR_REFUSED,
		    "a checkpoint is on its way for another command");
		return gate_reply_error(g, ctl_tag, &why, err);
	}
	g->checkpoint_awaited = true;
	g->checkpoint_ctl = ctl_tag;
	return gate_send_checkpoint(g, err);
}

int
gate_on_countersigned(
    struct gate *g, const void *p, size_t len, struct err *err)
{
	uint8_t head[AUDIT_HASH];
	struct checkpoint c;

	if (checkpoint_open_countersigned(
		p, len, g->coordinator, key_public(g->identity), &c, err) < 0)
		return -1;
	g->past_known = true;
	audit_head(g->audit, head);
	if (c.state.count > audit_count(g->audit) ||
	    (c.state.count == audit_count(g->audit) &&
		memcmp(c.state.head, head, sizeof(head)) != 0))
		return on_another_log(g, &c, p, len, err);
	if (c.state.count < g->checkpoint)
		return err_set(err, ERR_REFUSED,
		    "a checkpoint of %" PRIu64 " lines, expected %" PRIu64
		    " to %" PRIu64,
		    c.state.count, g->checkpoint, audit_count(g->audit));
	if (keep(g, p, len, c.state.count, err) < 0)
		return -1;
	g->checkpoint = c.state.count;
	g->checkpoint_utc = clock_utc();
	log_msg(LOG_INFO, "audit log countersigned up to line %" PRIu64,
	    c.state.count);
	return 0;
}

/* Who shortens the log and leaves the checkpoint is found at the next start.  It
   may be from before a new identity, under which the same log goes on. */
int
gate_load_checkpoint(struct gate *g, struct err *err)
{
	char path[600], known[24], found[24];
	struct checkpoint c;
	struct err why;
	uint8_t *p;
	size_t len;
	int rv = 0;

	path_of(g, path, sizeof(path));
	if (access(path, F_OK) != 0)
		return 0;
	if ((p = file_read(path, CHECKPOINT_MAX, &len, err)) == NULL)
		return -1;
	if (checkpoint_open_countersigned(
		p, len, g->coordinator, NULL, &c, &why) < 0) {
		log_msg(LOG_ERR, "%s: %s", path, why.msg);
		free(p);
		return 0;
	}
	g->proven = c.state.count;
	g->checkpoint_utc = c.utc;
	if (c.state.count > audit_count(g->audit)) {
		snprintf(known, sizeof(known), "%" PRIu64, c.state.count);
		snprintf(
		    found, sizeof(found), "%" PRIu64, audit_count(g->audit));
		log_msg(LOG_ERR,
		    "audit.log has %s lines, and the coordinator has "
		    "countersigned %s: lines are missing at the end",
		    found, known);
		rv = audit_event(g->audit, err, "lines-missing",
		    "countersigned", known, "found", found, NULL);
	} else {
		g->checkpoint = c.state.count;
	}
	free(p);
	return rv;
}

/*
 * Checkpoints of the audit log: once an hour, if it has grown, and when an
 * operator asks, the coordinator countersigns how far it is.  What comes back is
 * kept in db/checkpoint, for consiliumctl audit verify.
 */
#include "daemon/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "crypto/audit.h"
#include "crypto/checkpoint.h"

#define HOUR_MS 3600000

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
	return chan_send_canon(child_peer(&g->child, PROC_UPLINK),
	    MSG_TO_COORDINATOR, ++g->last_tag, &out, err);
}

int
gate_checkpoint(void *self, struct err *err)
{
	struct gate *g = self;

	if (g->self != 0 && audit_count(g->audit) > g->checkpoint &&
	    gate_send_checkpoint(g, err) < 0)
		return -1;
	return loop_set_timer(g->loop, HOUR_MS, gate_checkpoint, g, err);
}

int
gate_on_countersigned(
    struct gate *g, const void *p, size_t len, struct err *err)
{
	struct checkpoint c;
	char path[600];

	if (checkpoint_open_countersigned(
		p, len, g->coordinator, key_public(g->identity), &c, err) < 0)
		return -1;
	if (c.state.count > audit_count(g->audit) ||
	    c.state.count < g->checkpoint)
		return err_set(err, ERR_REFUSED,
		    "a checkpoint of %" PRIu64 " lines, expected %" PRIu64
		    " to %" PRIu64,
		    c.state.count, g->checkpoint, audit_count(g->audit));
	path_of(g, path, sizeof(path));
	if (file_write(path, p, len, 0600, err) < 0)
		return -1;
	g->checkpoint = c.state.count;
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
	} else if (c.state.count > audit_count(g->audit)) {
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

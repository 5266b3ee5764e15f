#include "config.h"

#include "privsep/start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/log.h"
#include "privsep/lock.h"
#include "privsep/spawn.h"

/* Between two messages of the start. */
#define START_WAIT_MS 60000

int
child_take_file(struct child *c, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	char name[CHILD_NAME];
	size_t i;

	canon_get_text(&in, name, sizeof(name));
	if (canon_end(&in, "FILE", err) < 0)
		return -1;
	if (m->fd < 0)
		return err_set(err, ERR_PEER, "FILE %s without one", name);
	for (i = 0; i < c->n_files; i++) {
		if (strcmp(c->files[i].name, name) == 0)
			break;
	}
	if (i == CHILD_FILES_MAX)
		return err_set(err, ERR_PEER, "more than %zu files", i);
	if (i < c->n_files)
		close(c->files[i].fd);
	else
		c->n_files++;
	memcpy(c->files[i].name, name, sizeof(name));
	c->files[i].fd = m->fd;
	m->fd = -1;
	return 0;
}

static int
take_peer(struct child *c, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	unsigned proc = canon_get_u8(&in);
	struct chan *peer;

	if (canon_end(&in, "PEER", err) < 0)
		return -1;
	if (m->fd < 0 || proc <= PROC_PARENT || proc >= PROC_COUNT ||
	    child_peer(c, (enum proc)proc) != NULL ||
	    c->n_peers == CHILD_PEERS_MAX)
		return err_set(err, ERR_PEER, "PEER %u is not expected", proc);
	peer = chan_new(m->fd, (enum proc)proc, err);
	m->fd = -1;
	if (peer == NULL)
		return -1;
	c->peers[c->n_peers++] = peer;
	return 0;
}

static void
forget_config(struct child *c)
{
	free(c->config);
	c->config = NULL;
	for (size_t i = 0; i < c->n_facts; i++)
		free(c->facts[i].value);
	c->n_facts = 0;
}

static int
take_fact(struct child *c, struct canon_in *in, struct err *err)
{
	struct child_fact *f = &c->facts[c->n_facts];
	const uint8_t *value;
	size_t len;

	canon_get_text(in, f->name, sizeof(f->name));
	if ((value = canon_get_bytes(in, 0, 4096, &len)) == NULL)
		return 0; /* canon_end() will say it */
	f->value = strndup((const char *)value, len);
	if (f->value == NULL)
		return err_sys(err, "CONFIG");
	c->n_facts++;
	return 0;
}

int
child_take_config(struct child *c, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	const uint8_t *text;
	uint32_t n;

	forget_config(c);
	canon_get_text(&in, c->config_path, sizeof(c->config_path));
	text = canon_get_bytes(&in, 0, CHILD_CONFIG_MAX, &c->config_len);
	n = canon_get_u32(&in);
	if (n > CHILD_FACTS_MAX)
		return err_set(err, ERR_PEER, "CONFIG with %u facts", n);
	for (uint32_t i = 0; i < n && !in.failed; i++) {
		if (take_fact(c, &in, err) < 0)
			return -1;
	}
	if (canon_end(&in, "CONFIG", err) < 0)
		return -1;
	if ((c->config = malloc(c->config_len + 1)) == NULL)
		return err_sys(err, "CONFIG");
	memcpy(c->config, text, c->config_len);
	c->config[c->config_len] = '\0';
	return 0;
}

/* 1: that was all; 0: more is to come. */
static int
take_start(struct child *c, struct msg *m, struct err *err)
{
	switch (m->type) {
	case MSG_FILE:
		return child_take_file(c, m, err);
	case MSG_PEER:
		return take_peer(c, m, err);
	case MSG_CONFIG:
		return child_take_config(c, m, err) < 0 ? -1 : 1;
	case MSG_STOP:
		return err_set(err, ERR_PEER, "stopped before it began");
	default:
		if (child_msg(c->parent, m, err) == CHILD_MSG_DONE)
			return 0;
		return err_set(
		    err, ERR_PEER, "%s is no way to start", msg_name(m->type));
	}
}

static int
receive_start(struct child *c, struct err *err)
{
	struct msg m;
	int rc;

	do {
		rc = chan_wait(c->parent, &m, START_WAIT_MS, err);
		if (rc == 0)
			return err_set(
			    err, ERR_PEER, "the parent went before it began");
		if (rc > 0) {
			rc = take_start(c, &m, err);
			msg_free(&m);
		}
	} while (rc == 0);
	return rc < 0 ? -1 : 0;
}

static void
set_signals(void)
{
	/* Ctrl-C, hang-up and the end of a session or a container go to all:
	   the parent decides, and sends STOP.  If it dies, so do we. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

int
child_start(struct child *c, enum proc proc, struct err *err)
{
	const char *level = getenv(SPAWN_LOG_ENV);
	const struct lock_room room = lock_room_env();

	c->proc = proc;
	log_open(proc_name(proc), level != NULL ? atoi(level) : LOG_INFO);
	set_signals();
	if (fcntl(SPAWN_CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, ERR_CONFIG,
		    "%s is started by consiliumd or consilium-coordinator, "
		    "not by hand",
		    proc_name(proc));
	c->parent = chan_new(SPAWN_CHANNEL_FD, PROC_PARENT, err);
	if (c->parent == NULL)
		return -1;
	if (lock_in(proc, &room, err) < 0)
		return -1;
	return receive_start(c, err);
}

void
child_free(struct child *c)
{
	forget_config(c);
	for (size_t i = 0; i < c->n_files; i++)
		close(c->files[i].fd);
	for (size_t i = 0; i < c->n_peers; i++)
		chan_free(c->peers[i]);
	chan_free(c->parent);
	*c = (struct child){ .proc = c->proc };
}

struct chan *
child_peer(const struct child *c, enum proc peer)
{
	for (size_t i = 0; i < c->n_peers; i++) {
		if (chan_peer(c->peers[i]) == peer)
			return c->peers[i];
	}
	return NULL;
}

int
child_fd(const struct child *c, const char *name)
{
	for (size_t i = 0; i < c->n_files; i++) {
		if (strcmp(c->files[i].name, name) == 0)
			return c->files[i].fd;
	}
	return -1;
}

const char *
child_fact(const struct child *c, const char *name)
{
	for (size_t i = 0; i < c->n_facts; i++) {
		if (strcmp(c->facts[i].name, name) == 0)
			return c->facts[i].value;
	}
	return NULL;
}

int
child_ready(struct child *c, const char *text, struct err *err)
{
	struct canon out = { 0 };

	canon_bytes(&out, text, strlen(text));
	return chan_send_canon(c->parent, MSG_READY, 0, &out, err);
}

int
child_status(struct child *c, const char *text, struct err *err)
{
	struct canon out = { 0 };

	canon_text(&out, text);
	return chan_send_canon(c->parent, MSG_STATUS, 0, &out, err);
}

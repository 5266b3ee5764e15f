#include "rpc/process.h"

#include <assert.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "crypto/cert.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define WARN_DAYS 30 /* before a certificate expires */
#define TURN 32 /* messages from one channel before the others' turn */
#define DRAIN_MS 2000
#define QUIET_MS 1000 /* between two of gRPC's complaints */

enum { PEM_CA, PEM_CERT, PEM_KEY, PEMS };

static const char *const pem_names[PEMS] = { "ca.crt", "tls.crt", "tls.key" };

/* Anybody can make gRPC complain, by a bad handshake. */
static void
on_grpc_log(const char *text)
{
	static _Atomic int64_t last;
	int64_t now = clock_mono_ms();

	if (now - atomic_exchange(&last, now) >= QUIET_MS)
		log_msg(LOG_NOTICE, "gRPC: %.200s%s", text,
		    strstr(text, "certificate verify failed") != NULL
			? " (the other side's certificate has expired, or is "
			  "not one of our CA)"
			: "");
}

/*
 * Certificates
 */

static void
free_pems(char *pem[PEMS])
{
	for (int i = 0; i < PEMS; i++) {
		if (pem[i] != NULL)
			explicit_bzero(pem[i], strlen(pem[i]));
		free(pem[i]);
		pem[i] = NULL;
	}
}

static int
check_pems(char *const pem[PEMS], struct err *err)
{
	struct cert_pem c[PEMS];
	struct cert_info info;
	int64_t days;

	for (int i = 0; i < PEMS; i++)
		c[i] =
		    (struct cert_pem){ pem_names[i], pem[i], strlen(pem[i]) };
	if (cert_check(c[PEM_CERT], c[PEM_KEY], c[PEM_CA], clock_utc(), &info,
		err) < 0)
		return -1;
	days = (info.life.until - clock_utc()) / CERT_DAY;
	if (days < WARN_DAYS)
		log_msg(LOG_WARNING,
		    "%s expires in %lld days; ask the consortium's root for a "
		    "new one",
		    pem_names[PEM_CERT], (long long)days);
	return 0;
}

/* Read and check the files that the parent handed over. */
static int
load_tls(struct rpc_process *p, struct err *err)
{
	char *pem[PEMS] = { 0 };
	size_t len;

	for (int i = 0; i < PEMS; i++) {
		int fd = child_fd(&p->child, pem_names[i]);

		if (fd < 0) {
			err_set(err, ERR_CONFIG, "%s is missing", pem_names[i]);
			goto fail;
		}
		pem[i] = (char *)file_read_fd(
		    fd, pem_names[i], JOIN_PEM_MAX, &len, err);
		if (pem[i] == NULL)
			goto fail;
	}
	if (check_pems(pem, err) < 0)
		goto fail;
	free_pems(p->pem);
	memcpy(p->pem, pem, sizeof(pem));
	p->tls = (struct rpc_tls){ pem[PEM_CA], pem[PEM_CERT], pem[PEM_KEY] };
	return 0;
fail:
	free_pems(pem);
	return -1;
}

static int
on_day(void *self, struct err *err)
{
	struct rpc_process *p = self;
	struct err why;

	if (check_pems(p->pem, &why) < 0)
		log_msg(LOG_ERR, "%s", why.msg);
	return rpc_loop_set_timer(p->loop, DAY_MS, on_day, p, err);
}

static int
on_file(void *self, struct msg *m, struct err *err)
{
	struct rpc_process *p = self;

	return child_take_file(&p->child, m, err);
}

/* New files are complete.  Bad ones change nothing. */
static int
on_config(void *self, struct msg *m, struct err *err)
{
	struct rpc_process *p = self;
	struct err why;

	if (child_take_config(&p->child, m, err) < 0)
		return -1;
	if (load_tls(p, &why) < 0) {
		log_msg(
		    LOG_ERR, "%s; the old certificates stay in use", why.msg);
		return 0;
	}
	log_msg(LOG_INFO, "new certificates in use");
	return p->hooks.tls(p->hooks.self, &p->tls, err);
}

/*
 * Channels
 */

static const struct handler from_parent[] = {
	{ MSG_FILE, PROC_PARENT, 1, 4 + CHILD_NAME, on_file },
	{ MSG_CONFIG, PROC_PARENT, 8, CHILD_CONFIG_MAX, on_config },
};

static int
take_msg(struct rpc_served *s, struct msg *m, struct err *err)
{
	const struct rpc_hooks *h = &s->process->hooks;

	switch (child_msg(s->chan, m, err)) {
	case CHILD_MSG_DONE:
		return 0;
	case CHILD_MSG_FAILED:
		return -1;
	case CHILD_MSG_STOP:
		return h->stop(h->self, err);
	case CHILD_MSG_OTHER:
		break;
	}
	return chan_dispatch(s->table, s->n, s->self, m, err);
}

static int
on_chan(void *self, int fd, short revents, struct err *err)
{
	struct rpc_served *s = self;
	struct msg m;

	if ((revents & POLLOUT) != 0 && chan_flush(s->chan, err) < 0)
		return -1;
	for (int turn = 0; turn < TURN; turn++) {
		int rc = chan_recv(s->chan, &m, err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		rc = take_msg(s, &m, err);
		msg_free(&m);
		if (rc < 0)
			return -1;
	}
	if (!chan_closed(s->chan))
		return 0;
	rpc_loop_del_fd(s->process->loop, fd);
	/* Of a peer that is gone the parent knows, and ends us. */
	if (chan_peer(s->chan) == PROC_PARENT)
		rpc_loop_stop(s->process->loop);
	return 0;
}

/* Before each wait: a channel with a queue waits for room, too. */
static int
prepare(void *self, struct err *err)
{
	struct rpc_process *p = self;

	for (size_t i = 0; i < p->n_served; i++) {
		struct rpc_served *s = &p->served[i];

		if (chan_closed(s->chan))
			continue;
		if (rpc_loop_set_fd(p->loop, chan_fd(s->chan),
			chan_events(s->chan), on_chan, s, err) < 0)
			return -1;
	}
	return 0;
}

int
rpc_process_serve(struct rpc_process *p, struct chan *c,
    const struct handler *table, size_t n, void *self, struct err *err)
{
	if (c == NULL)
		return err_set(err, ERR_PEER, "no channel to a peer");
	assert(p->n_served < nitems(p->served));
	p->served[p->n_served++] = (struct rpc_served){ p, c, table, n, self };
	return 0;
}

int
rpc_process_start(struct rpc_process *p, enum proc proc,
    const struct rpc_hooks *hooks, struct err *err)
{
	p->hooks = *hooks;
	if (child_start(&p->child, proc, err) < 0 || load_tls(p, err) < 0 ||
	    (p->loop = rpc_loop_new(on_grpc_log, err)) == NULL)
		return -1;
	rpc_loop_set_prepare(p->loop, prepare, p);
	if (rpc_loop_set_timer(p->loop, DAY_MS, on_day, p, err) < 0)
		return -1;
	return rpc_process_serve(
	    p, p->child.parent, from_parent, nitems(from_parent), p, err);
}

int
rpc_process_run(struct rpc_process *p, struct err *err)
{
	struct err ignored;

	if (rpc_loop_run(p->loop, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n_served; i++)
		chan_drain(p->served[i].chan, DRAIN_MS, &ignored);
	return 0;
}

_Noreturn void
rpc_process_end(struct rpc_process *p, int rc)
{
	bool ended = rpc_loop_free(p->loop);

	free_pems(p->pem);
	child_free(&p->child);
	if (!ended)
		_exit(rc);
	exit(rc);
}

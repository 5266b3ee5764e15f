/*
 * Process `listener`: the only one of a coordinator that bytes from the
 * network reach.  It ends TLS, knows the members by their TLS keys, and hands
 * whole requests on to rounds; it has no access to the store.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bucket.h"
#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "coordinator/config.h"
#include "crypto/cert.h"
#include "rpc/process.h"
#include "rpc/server.h"

#define MEMBERS_MAX 65535
/* Of one member: calls at once, calls in a second, and at a stroke. */
#define MEMBER_CALLS_MAX 32
#define RATE_PER_S 1000
#define RATE_BURST 4000
/* Requests that rounds has not answered, but for Next; each may hold a
   descriptor. */
#define BUSY_MAX 256
#define GRACE_MS 2000
/* Who knocks in vain is logged this often. */
#define STRANGER_LOG_MS 10000

_Static_assert((int)RPC_NEXT == (int)REQUEST_NEXT &&
	(int)RPC_SEND == (int)REQUEST_SEND &&
	(int)RPC_PUT_CHUNK == (int)REQUEST_PUT_CHUNK &&
	(int)RPC_GET_CHUNK == (int)REQUEST_GET_CHUNK,
    "rpc and privsep number the methods differently");

struct member {
	uint8_t spki[CERT_SPKI];
	uint32_t site;
	int calls; /* that rounds has */
	struct bucket bucket; /* of calls that it may make */
};

/* A call that rounds has to answer. */
struct pending {
	struct pending *next;
	struct rpc_call *call;
	enum rpc_method method;
	uint32_t site;
	uint64_t tag;
};

struct listener {
	struct rpc_process process;
	struct rpc_server *server;
	struct chan *rounds;
	struct member *members; /* by spki */
	size_t n_members;
	struct pending *pending;
	size_t busy; /* of these, but for Next */
	uint64_t last_tag;
	int64_t logged_ms;
};

/*
 * Members
 */

static int
by_spki(const void *a, const void *b)
{
	return memcmp(a, b, CERT_SPKI);
}

static struct member *
member_by_site(const struct listener *l, uint32_t site)
{
	for (size_t i = 0; i < l->n_members; i++) {
		if (l->members[i].site == site)
			return &l->members[i];
	}
	return NULL;
}

static void
count_call(struct listener *l, const struct pending *p, int by)
{
	struct member *m = member_by_site(l, p->site);

	if (m != NULL)
		m->calls += by;
	if (p->method != RPC_NEXT)
		l->busy += (size_t)by;
}

/* The manifest changed: these and nobody else. */
static int
on_allow_list(void *self, struct msg *msg, struct err *err)
{
	struct canon_in in = canon_in(msg->data, msg->len);
	uint32_t n = canon_get_u32(&in);
	struct listener *l = self;
	struct member *members;

	if (n > MEMBERS_MAX || (size_t)(in.end - in.p) != n * (4 + CERT_SPKI))
		return err_set(err, ERR_PEER, "ALLOW_LIST of %u members", n);
	if ((members = calloc(n + 1, sizeof(*members))) == NULL)
		return err_sys(err, "ALLOW_LIST");
	for (uint32_t i = 0; i < n; i++) {
		members[i].site = canon_get_u32(&in);
		canon_get_raw(&in, members[i].spki, CERT_SPKI);
	}
	free(l->members);
	l->members = members;
	l->n_members = n;
	for (struct pending *p = l->pending; p != NULL; p = p->next) {
		struct member *m = member_by_site(l, p->site);

		if (m != NULL)
			m->calls++;
	}
	qsort(members, n, sizeof(*members), by_spki);
	log_msg(LOG_INFO, "members that may connect: %u", n);
	return 0;
}

static enum rpc_status
check_rate(struct member *m, struct err *err)
{
	if (m->calls < MEMBER_CALLS_MAX &&
	    bucket_take(&m->bucket, RATE_BURST, RATE_PER_S, clock_mono_ms()))
		return RPC_OK;
	err_set(err, ERR_REFUSED, "too many calls at once");
	return RPC_EXHAUSTED;
}

static void
log_stranger(struct listener *l, const struct rpc_peer *peer,
    const uint8_t spki[CERT_SPKI])
{
	int64_t now = clock_mono_ms();
	char hex[2 * CERT_SPKI + 1];

	if (l->logged_ms != 0 && now - l->logged_ms < STRANGER_LOG_MS)
		return;
	l->logged_ms = now;
	hex_text(spki, CERT_SPKI, hex);
	log_event(EVENT_STRANGER, LOG_WARNING, NULL, 0,
	    "refused %s: a certificate of our CA, but its key %s is not in the "
	    "manifest",
	    peer->address, hex);
}

static enum rpc_status
admit(void *self, const struct rpc_peer *peer, enum rpc_method method,
    uint32_t *who, struct err *err)
{
	struct cert_pem pem = { "peer", peer->cert, strlen(peer->cert) };
	struct listener *l = self;
	struct cert_info info;
	struct member *m;

	(void)method;
	if (cert_read(pem, &info, err) < 0)
		return RPC_DENIED;
	if (l->n_members == 0) {
		err_set(err, ERR_REFUSED, "the coordinator has no manifest");
		return RPC_UNAVAILABLE;
	}
	m = bsearch(info.spki, l->members, l->n_members, sizeof(*m), by_spki);
	if (m == NULL) {
		log_stranger(l, peer, info.spki);
		err_set(err, ERR_REFUSED,
		    "the manifest does not have this site's TLS key: ask the "
		    "consortium's root for one that has");
		return RPC_DENIED;
	}
	*who = m->site;
	return check_rate(m, err);
}

/*
 * Requests and answers
 */

static void
pending_end(struct listener *l, struct pending *p)
{
	struct pending **at = &l->pending;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	count_call(l, p, -1);
	free(p);
}

static void
write_request(
    const struct pending *p, const struct rpc_msg *msg, struct canon *out)
{
	canon_u8(out, (uint8_t)p->method);
	canon_u32(out, p->site);
	if (p->method == RPC_PUT_CHUNK || p->method == RPC_GET_CHUNK) {
		canon_raw(out, msg->id, sizeof(msg->id));
		canon_u32(out, msg->number);
	}
	canon_raw(out, msg->data, msg->len);
}

static int
on_request(void *self, struct rpc_call *call, enum rpc_method method,
    uint32_t who, const struct rpc_msg *msg, struct err *err)
{
	struct canon out = { 0 };
	struct listener *l = self;
	struct pending *p;
	struct err why;

	(void)err;
	if ((method != RPC_NEXT && l->busy >= BUSY_MAX) ||
	    (p = calloc(1, sizeof(*p))) == NULL) {
		rpc_call_refuse(call, RPC_UNAVAILABLE, "busy; try again");
		return 0;
	}
	*p = (struct pending){ l->pending, call, method, who, ++l->last_tag };
	l->pending = p;
	count_call(l, p, 1);
	rpc_call_set_data(call, p);
	write_request(p, msg, &out);
	if (chan_send_canon(l->rounds, MSG_REQUEST, p->tag, &out, &why) < 0) {
		log_msg(LOG_WARNING, "%s", why.msg);
		pending_end(l, p);
		rpc_call_refuse(call, RPC_UNAVAILABLE, "busy; try again");
	}
	return 0;
}

static void
on_gone(void *self, struct rpc_call *call)
{
	pending_end(self, rpc_call_data(call));
}

static void
on_turned_away(void *self, size_t n, const char *address)
{
	(void)self;
	log_event(EVENT_CROWD, LOG_WARNING, NULL, 0,
	    "%zu connections were ended or not let in, as there were too many "
	    "of one address, of one member or of all; the last from %s",
	    n, address);
}

static int
answer(struct pending *p, struct canon_in *in, struct err *err)
{
	struct rpc_msg reply = { .data = "" };
	struct err why;

	if (p->method == RPC_PUT_CHUNK || p->method == RPC_GET_CHUNK)
		reply.number = canon_get_u32(in);
	if (in->failed)
		return err_set(err, ERR_PEER, "REPLY cut short");
	reply.len = (size_t)(in->end - in->p);
	if (reply.len > 0)
		reply.data = in->p;
	if (rpc_call_reply(p->call, &reply, &why) < 0)
		log_msg(
		    LOG_ERR, "reply to site %" PRIu32 ": %s", p->site, why.msg);
	return 0;
}

static int
on_reply(void *self, struct msg *m, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);
	uint32_t code = canon_get_u32(&in);
	struct listener *l = self;
	struct pending *p = l->pending;
	char text[256];

	while (p != NULL && p->tag != m->tag)
		p = p->next;
	if (p == NULL)
		return 0; /* the caller is gone */
	if (code == ERR_NONE) {
		if (answer(p, &in, err) < 0)
			return -1; /* the call still has it */
	} else {
		snprintf(text, sizeof(text), "%.*s",
		    (int)MIN((size_t)(in.end - in.p), sizeof(text) - 1),
		    (const char *)in.p);
		rpc_call_refuse(
		    p->call, rpc_status_of((enum err_code)code), text);
	}
	pending_end(l, p);
	return 0;
}

/* A chunk is the largest with a number before it; Next's are within this. */
#define REPLY_MAX (RPC_BODY_MAX + 8)

static const struct handler from_rounds[] = {
	{ MSG_ALLOW_LIST, PROC_ROUNDS, 4, 4 + MEMBERS_MAX *(4 + CERT_SPKI),
	    on_allow_list },
	{ MSG_REPLY, PROC_ROUNDS, 4, REPLY_MAX, on_reply },
};

/*
 * Start and end
 */

static int
on_tls(void *self, const struct rpc_tls *tls, struct err *err)
{
	struct listener *l = self;

	return rpc_server_set_tls(l->server, tls, err);
}

static int
on_stopped(void *self, struct err *err)
{
	struct listener *l = self;

	(void)err;
	rpc_loop_stop(l->process.loop);
	return 0;
}

static int
on_stop(void *self, struct err *err)
{
	struct listener *l = self;

	while (l->pending != NULL) {
		rpc_call_refuse(l->pending->call, RPC_UNAVAILABLE,
		    "the coordinator is stopping");
		pending_end(l, l->pending);
	}
	return rpc_server_stop(l->server, GRACE_MS, on_stopped, l, err);
}

/* Where to listen stands in consilium-coordinator.conf. */
static int
start_server(struct listener *l, struct err *err)
{
	const struct rpc_service service = { admit, on_request, on_gone, l,
		NULL, on_turned_away };
	const struct child *c = &l->process.child;
	struct coordinator_config *config = coordinator_config_parse(
	    c->config_path, c->config, c->config_len, err);
	char host[260], address[300];

	if (config == NULL)
		return -1;
	snprintf(host, sizeof(host),
	    strchr(config->listen.host, ':') != NULL ? "[%s]" : "%s",
	    config->listen.host);
	snprintf(address, sizeof(address), "%s:%u", host, config->listen.port);
	coordinator_config_free(config);
	l->server = rpc_server_new(
	    l->process.loop, address, &l->process.tls, &service, err);
	if (l->server == NULL)
		return -1;
	log_msg(
	    LOG_INFO, "listening on %s:%d", host, rpc_server_port(l->server));
	return 0;
}

int
main(void)
{
	static struct listener l;
	struct rpc_hooks hooks = { on_tls, on_stop, &l };
	struct err err;
	int rc = 1;

	if (rpc_process_start(&l.process, PROC_LISTENER, &hooks, &err) < 0)
		goto out;
	l.rounds = child_peer(&l.process.child, PROC_ROUNDS);
	if (rpc_process_serve(&l.process, l.rounds, from_rounds,
		nitems(from_rounds), &l, &err) < 0 ||
	    start_server(&l, &err) < 0 ||
	    child_ready(&l.process.child, "", &err) < 0 ||
	    rpc_process_run(&l.process, &err) < 0)
		goto out;
	rc = 0;
out:
	if (rc != 0)
		log_msg(LOG_ERR, "%s", err.msg);
	rpc_server_free(l.server);
	free(l.members);
	rpc_process_end(&l.process, rc);
}

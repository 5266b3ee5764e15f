#include "rpc/server.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "rpc/core.h"
#include "rpc/door.h"

#define STREAMS_MAX 64 /* calls at once on a connection */
#define CALLS_MAX 4096 /* on all of them */
#define CALLS_OF_ONE_MAX 64 /* on all of a peer's */
#define HANDSHAKE_MS 5000
#define KEEPALIVE_MS 20000
#define KEEPALIVE_TIMEOUT_MS 5000
#define PING_MIN_MS 5000
#define HEADERS_MAX 8192 /* bytes */
/* A request has to be there so long after its call began, and its answer taken
   so long after it was given. */
#define RECEIVE_MS 60000
#define TAKE_MS 300000
#define SWEEP_MS 10000

/* What handshakes read, on whatever thread they run. */
struct certs {
	pthread_mutex_t lock;
	char *ca, *cert, *key;
	bool fresh; /* not handed to gRPC yet */
};

/*
 * A call.  It has one reference for each batch that runs, and one for its
 * service while that owes an answer.
 */
struct rpc_call {
	struct rpc_call *next, **prev; /* of all live ones */
	struct rpc_server *server;
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_metadata version; /* that we answer in */
	struct rpc_tag on_new, on_receive, on_close, on_sent;
	grpc_byte_buffer *in, *out;
	int cancelled;
	int refs;
	enum rpc_method method;
	uint32_t who;
	bool admitted;
	int64_t began, ended; /* clock_mono_ms() */
	bool received; /* its request, or the end */
	bool closed; /* all is over */
	bool owed; /* the service has it and has not answered */
	bool answered;
	void *data;
};

struct rpc_server {
	struct rpc_loop *loop;
	grpc_server *server;
	struct rpc_service service;
	struct certs certs;
	int port;
	struct rpc_call *calls;
	size_t n_calls;
	bool requested; /* a call to come is asked for */
	bool started, stopping, stopped;
	struct rpc_tag on_stopped;
	rpc_timer_fn *done;
	void *done_self;
};

static int request_call(struct rpc_server *s, struct err *err);

/* Certificates. */

static void
certs_clear(struct certs *c)
{
	free(c->ca);
	free(c->cert);
	if (c->key != NULL) {
		explicit_bzero(c->key, strlen(c->key));
		free(c->key);
	}
	c->ca = c->cert = c->key = NULL;
}

static int
certs_set(struct certs *c, const struct rpc_tls *tls, struct err *err)
{
	struct certs n = {
		.ca = strdup(tls->ca),
		.cert = strdup(tls->cert),
		.key = strdup(tls->key),
	};

	if (n.ca == NULL || n.cert == NULL || n.key == NULL) {
		certs_clear(&n);
		return err_sys(err, "certificates");
	}
	pthread_mutex_lock(&c->lock);
	certs_clear(c);
	c->ca = n.ca;
	c->cert = n.cert;
	c->key = n.key;
	c->fresh = true;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/* gRPC asks at every handshake.  It keeps what it has if it cannot read the
   new ones. */
static grpc_ssl_certificate_config_reload_status
fetch_certs(void *self, grpc_ssl_server_certificate_config **config)
{
	struct certs *c = self;
	grpc_ssl_certificate_config_reload_status rv =
	    GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;

	pthread_mutex_lock(&c->lock);
	if (c->fresh) {
		grpc_ssl_pem_key_cert_pair pair = { c->key, c->cert };

		*config =
		    grpc_ssl_server_certificate_config_create(c->ca, &pair, 1);
		c->fresh = false;
		rv = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
	}
	pthread_mutex_unlock(&c->lock);
	return rv;
}

int
rpc_server_set_tls(
    struct rpc_server *s, const struct rpc_tls *tls, struct err *err)
{
	return certs_set(&s->certs, tls, err);
}

/* Calls. */

static void
call_unref(struct rpc_call *c)
{
	struct rpc_server *s = c->server;

	if (--c->refs > 0)
		return;
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	s->n_calls--;
	grpc_byte_buffer_destroy(c->in);
	grpc_byte_buffer_destroy(c->out);
	grpc_slice_unref(c->details.method);
	grpc_slice_unref(c->details.host);
	grpc_metadata_array_destroy(&c->metadata);
	if (c->call != NULL)
		grpc_call_unref(c->call);
	free(c);
}

static void
call_batch(
    struct rpc_call *c, const grpc_op *ops, size_t n, struct rpc_tag *tag)
{
	grpc_call_error rc;

	c->refs++;
	rc = grpc_call_start_batch(c->call, ops, n, tag, NULL);
	assert(rc == GRPC_CALL_OK);
	(void)rc;
}

static int
on_sent(struct rpc_tag *tag, bool ok, struct err *err)
{
	(void)ok; /* on_close() sees whether the peer is gone */
	(void)err;
	call_unref(TAG_OWNER(tag, struct rpc_call, on_sent));
	return 0;
}

static const char *
version_of(const struct rpc_server *s)
{
	return s->service.version != NULL ? s->service.version : RPC_VERSION;
}

/* The one answer: c->out, unless it is NULL, and a status. */
static void
call_finish(struct rpc_call *c, enum rpc_status status, const char *text)
{
	grpc_slice details = grpc_slice_from_copied_string(text);
	grpc_op ops[3] = { { .op = GRPC_OP_SEND_INITIAL_METADATA,
	    .data.send_initial_metadata = {
		.count = 1, .metadata = &c->version } } };
	size_t n = 1;

	c->version.key = grpc_slice_from_static_string(CORE_VERSION_KEY);
	c->version.value = grpc_slice_from_static_string(version_of(c->server));
	assert(!c->answered);
	c->answered = true;
	c->ended = clock_mono_ms();
	if (c->out != NULL) {
		ops[n].op = GRPC_OP_SEND_MESSAGE;
		ops[n++].data.send_message.send_message = c->out;
	}
	ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[n].data.send_status_from_server.status = (grpc_status_code)status;
	ops[n++].data.send_status_from_server.status_details = &details;
	call_batch(c, ops, n, &c->on_sent);
	grpc_slice_unref(details);
}

/* The service is done with it, one way or the other. */
static void
call_settle(struct rpc_call *c)
{
	assert(c->owed);
	c->owed = false;
	call_unref(c);
}

int
rpc_call_reply(struct rpc_call *c, const struct rpc_msg *reply, struct err *err)
{
	c->out = core_pack(c->method, ENVELOPE_REPLY, reply, err);
	if (c->out == NULL) {
		rpc_call_refuse(c, RPC_INTERNAL, "no answer");
		return -1;
	}
	call_finish(c, RPC_OK, "");
	call_settle(c);
	return 0;
}

void
rpc_call_refuse(struct rpc_call *c, enum rpc_status status, const char *text)
{
	call_finish(c, status, text);
	call_settle(c);
}

void
rpc_call_set_data(struct rpc_call *c, void *data)
{
	c->data = data;
}

void *
rpc_call_data(const struct rpc_call *c)
{
	return c->data;
}

/* All is over: answered and sent, or the peer is gone. */
static int
on_close(struct rpc_tag *tag, bool ok, struct err *err)
{
	struct rpc_call *c = TAG_OWNER(tag, struct rpc_call, on_close);

	(void)ok;
	(void)err;
	c->closed = true;
	if (c->owed) {
		c->answered = true;
		c->server->service.gone(c->server->service.self, c);
		call_settle(c);
	}
	call_unref(c);
	return 0;
}

static int
on_receive(struct rpc_tag *tag, bool ok, struct err *err)
{
	struct rpc_call *c = TAG_OWNER(tag, struct rpc_call, on_receive);
	const struct rpc_service *sv = &c->server->service;
	struct envelope *e = NULL;
	struct rpc_msg msg;
	struct err why;
	int rv = 0;

	c->received = true;
	if (!ok || c->in == NULL || c->closed) {
		call_finish(c, RPC_INVALID, "no request");
		goto out;
	}
	e = core_unpack(c->method, ENVELOPE_REQUEST, c->in, &msg, &why);
	if (e == NULL) {
		call_finish(c, rpc_status_of(why.code), why.msg);
		goto out;
	}
	c->owed = true;
	c->refs++;
	rv = sv->request(sv->self, c, c->method, c->who, &msg, err);
out:
	envelope_free(e);
	grpc_byte_buffer_destroy(c->in);
	c->in = NULL;
	call_unref(c);
	return rv;
}

/* The same version of what is said, or neither understands the other: then
   who reads the refusal learns which side is behind. */
static int
check_version(const struct rpc_call *c, struct err *err)
{
	const char *ours = version_of(c->server);
	long theirs = 0;

	for (size_t i = 0; i < c->metadata.count; i++) {
		const grpc_metadata *m = &c->metadata.metadata[i];
		char text[8] = "";

		if (grpc_slice_str_cmp(m->key, CORE_VERSION_KEY) != 0)
			continue;
		if (grpc_slice_str_cmp(m->value, ours) == 0)
			return 0;
		memcpy(text, GRPC_SLICE_START_PTR(m->value),
		    MIN(GRPC_SLICE_LENGTH(m->value), sizeof(text) - 1));
		theirs = strtol(text, NULL, 10);
	}
	return err_set(err, ERR_CONFIG,
	    "the coordinator speaks version %s of the protocol, and you %ld: "
	    "%s",
	    ours, theirs,
	    theirs > strtol(ours, NULL, 10)
		? "the coordinator has to be upgraded"
		: "upgrade this site");
}

/* One peer's calls may not be all that there can be. */
static enum rpc_status
check_share(struct rpc_call *c, struct err *err)
{
	size_t n = 0;

	for (const struct rpc_call *o = c->server->calls; o != NULL;
	     o = o->next)
		n += o->admitted && o->who == c->who;
	if (n >= CALLS_OF_ONE_MAX) {
		err_set(err, ERR_REFUSED, "too many calls at once");
		return RPC_EXHAUSTED;
	}
	c->admitted = true;
	return RPC_OK;
}

/* Who is it, and may he? */
static enum rpc_status
check_peer(struct rpc_call *c, struct err *err)
{
	const struct rpc_service *sv = &c->server->service;
	grpc_auth_context *auth = grpc_call_auth_context(c->call);
	grpc_auth_property_iterator it =
	    grpc_auth_context_find_properties_by_name(auth, "x509_pem_cert");
	const grpc_auth_property *cert = grpc_auth_property_iterator_next(&it);
	char *address = grpc_call_get_peer(c->call);
	enum rpc_status status = RPC_DENIED;

	if (cert == NULL) { /* the handshake lets nobody in without */
		err_set(err, ERR_PEER, "no certificate");
	} else {
		struct rpc_peer peer = { cert->value, address };

		status = sv->admit(sv->self, &peer, c->method, &c->who, err);
		if (status == RPC_OK) {
			door_member(address, c->who);
			status = check_share(c, err);
		}
	}
	gpr_free(address);
	grpc_auth_context_release(auth);
	return status;
}

static enum rpc_status
check_call(struct rpc_call *c, struct err *err)
{
	const grpc_slice *path = &c->details.method;

	c->method = envelope_method(
	    GRPC_SLICE_START_PTR(*path), GRPC_SLICE_LENGTH(*path));
	if (c->method == 0) {
		err_set(err, ERR_PEER, "no such method");
		return RPC_UNIMPLEMENTED;
	}
	if (check_version(c, err) < 0)
		return RPC_UNIMPLEMENTED;
	return check_peer(c, err);
}

static int
on_new(struct rpc_tag *tag, bool ok, struct err *err)
{
	struct rpc_call *c = TAG_OWNER(tag, struct rpc_call, on_new);
	grpc_op closed = {
		.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
		.data.recv_close_on_server.cancelled = &c->cancelled,
	};
	grpc_op receive = {
		.op = GRPC_OP_RECV_MESSAGE,
		.data.recv_message.recv_message = &c->in,
	};
	enum rpc_status status;
	struct err why;
	int rv = 0;

	c->server->requested = false;
	if (!ok) { /* the server stops */
		call_unref(c);
		return 0;
	}
	c->began = clock_mono_ms();
	call_batch(c, &closed, 1, &c->on_close);
	if ((status = check_call(c, &why)) != RPC_OK)
		call_finish(c, status, why.msg);
	else
		call_batch(c, &receive, 1, &c->on_receive);
	rv = request_call(c->server, err);
	call_unref(c);
	return rv;
}

/* Ask for the next call, if there is room for it. */
static int
request_call(struct rpc_server *s, struct err *err)
{
	struct rpc_call *c;

	if (s->requested || s->stopping || s->n_calls >= CALLS_MAX)
		return 0;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return err_sys(err, "call");
	c->server = s;
	c->on_new.fn = on_new;
	c->on_receive.fn = on_receive;
	c->on_close.fn = on_close;
	c->on_sent.fn = on_sent;
	c->details.method = c->details.host = grpc_empty_slice();
	grpc_metadata_array_init(&c->metadata);
	c->refs = 1;
	c->prev = &s->calls;
	c->next = s->calls;
	if (c->next != NULL)
		c->next->prev = &c->next;
	s->calls = c;
	s->n_calls++;
	if (grpc_server_request_call(s->server, &c->call, &c->details,
		&c->metadata, rpc_loop_cq(s->loop), rpc_loop_cq(s->loop),
		&c->on_new) != GRPC_CALL_OK) {
		call_unref(c);
		return err_set(err, ERR_SYSTEM, "gRPC takes no calls");
	}
	s->requested = true;
	return 0;
}

/* Who opened a call and does not say what he wants is sent away, and so is who
   does not take his answer. */
static int
sweep(void *self, struct err *err)
{
	char address[DOOR_ADDRESS_SIZE];
	struct rpc_server *s = self;
	int64_t now = clock_mono_ms();
	size_t n = door_turned_away(address);

	if (n > 0 && s->service.turned_away != NULL)
		s->service.turned_away(s->service.self, n, address);
	for (struct rpc_call *c = s->calls; c != NULL; c = c->next) {
		if (c->began != 0 && !c->received && !c->answered &&
		    now - c->began > RECEIVE_MS)
			grpc_call_cancel_with_status(c->call,
			    GRPC_STATUS_DEADLINE_EXCEEDED, "no request", NULL);
		else if (c->answered && !c->closed && now - c->ended > TAKE_MS)
			grpc_call_cancel_with_status(c->call,
			    GRPC_STATUS_DEADLINE_EXCEEDED, "not taken", NULL);
	}
	if (request_call(s, err) < 0)
		return -1;
	return rpc_loop_set_timer(s->loop, SWEEP_MS, sweep, s, err);
}

/* The server. */

/* gRPC does not say why it cannot listen; bind(2) does. */
static int
listen_err(const char *address, struct err *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE,
		.ai_socktype = SOCK_STREAM },
			*ai = NULL;
	const char *colon = strrchr(address, ':');
	char host[256];
	int fd = -1, rc, why = EADDRINUSE;

	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	if (host[0] == '[') {
		host[strcspn(host, "]")] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	if ((rc = getaddrinfo(host, colon + 1, &hints, &ai)) != 0)
		return err_set(err, ERR_CONFIG, "cannot listen on %s: %s",
		    address, gai_strerror(rc));
	fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		why = errno;
	if (fd >= 0)
		close(fd);
	freeaddrinfo(ai);
	return err_set(
	    err, ERR_CONFIG, "cannot listen on %s: %s", address, strerror(why));
}

static grpc_arg
integer_arg(const char *key, int value)
{
	grpc_arg arg = { .type = GRPC_ARG_INTEGER };

	memcpy(&arg.key, &key, sizeof(key)); /* is only read */
	arg.value.integer = value;
	return arg;
}

static grpc_server *
make_server(void)
{
	grpc_arg args[] = {
		/* Else a second server on the port goes unnoticed. */
		integer_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
		integer_arg(
		    GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, CORE_RECEIVE_MAX),
		integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
		integer_arg(GRPC_ARG_MAX_METADATA_SIZE, HEADERS_MAX),
		integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX),
		integer_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
		integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
		integer_arg(
		    GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
		integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
		integer_arg(
		    GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
		    PING_MIN_MS),
	};
	grpc_channel_args all = { nitems(args), args };

	return grpc_server_create(&all, NULL);
}

static int
start(struct rpc_server *s, const char *address, struct err *err)
{
	grpc_server_credentials *creds =
	    grpc_ssl_server_credentials_create_with_options(
		grpc_ssl_server_credentials_create_options_using_config_fetcher(
		    GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
		    fetch_certs, &s->certs));

	s->server = make_server();
	grpc_server_register_completion_queue(
	    s->server, rpc_loop_cq(s->loop), NULL);
	rpc_be_quiet(true); /* the reason is ours to say, and shorter */
	s->port = grpc_server_add_http2_port(s->server, address, creds);
	rpc_be_quiet(false);
	grpc_server_credentials_release(creds);
	if (s->port <= 0)
		return listen_err(address, err);
	grpc_server_start(s->server);
	s->started = true;
	if (request_call(s, err) < 0)
		return -1;
	return rpc_loop_set_timer(s->loop, SWEEP_MS, sweep, s, err);
}

struct rpc_server *
rpc_server_new(struct rpc_loop *l, const char *address,
    const struct rpc_tls *tls, const struct rpc_service *service,
    struct err *err)
{
	struct rpc_server *s;

	if (strrchr(address, ':') == NULL) {
		err_set(err, ERR_CONFIG, "%s: expected HOST:PORT", address);
		return NULL;
	}
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		err_sys(err, "server");
		return NULL;
	}
	s->loop = l;
	s->service = *service;
	pthread_mutex_init(&s->certs.lock, NULL);
	if (certs_set(&s->certs, tls, err) < 0 || start(s, address, err) < 0) {
		rpc_server_free(s);
		return NULL;
	}
	return s;
}

int
rpc_server_port(const struct rpc_server *s)
{
	return s->port;
}

static int
on_stopped(struct rpc_tag *tag, bool ok, struct err *err)
{
	struct rpc_server *s = TAG_OWNER(tag, struct rpc_server, on_stopped);

	(void)ok;
	s->stopped = true;
	return s->done != NULL ? s->done(s->done_self, err) : 0;
}

static int
cancel_all(void *self, struct err *err)
{
	struct rpc_server *s = self;

	(void)err;
	grpc_server_cancel_all_calls(s->server);
	return 0;
}

int
rpc_server_stop(struct rpc_server *s, int64_t grace_ms, rpc_timer_fn *done,
    void *self, struct err *err)
{
	if (s->stopping)
		return 0;
	s->stopping = true;
	s->done = done;
	s->done_self = self;
	s->on_stopped.fn = on_stopped;
	grpc_server_shutdown_and_notify(
	    s->server, rpc_loop_cq(s->loop), &s->on_stopped);
	rpc_loop_set_timer(s->loop, -1, sweep, s, err);
	return rpc_loop_set_timer(s->loop, grace_ms, cancel_all, s, err);
}

void
rpc_server_free(struct rpc_server *s)
{
	struct err ignored;

	if (s == NULL)
		return;
	rpc_loop_finish(s->loop);
	if (s->server != NULL) {
		s->done = NULL;
		rpc_server_stop(s, -1, NULL, NULL, &ignored);
		rpc_loop_set_timer(s->loop, -1, cancel_all, s, &ignored);
		grpc_server_cancel_all_calls(s->server);
		while (!s->stopped || s->n_calls > 0)
			rpc_loop_turn(s->loop, INT64_MAX, &ignored);
		grpc_server_destroy(s->server);
	}
	certs_clear(&s->certs);
	pthread_mutex_destroy(&s->certs.lock);
	free(s);
}

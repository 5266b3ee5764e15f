#include "rpc/client.h"

#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "rpc/core.h"

#define KEEPALIVE_MS 10000
#define KEEPALIVE_TIMEOUT_MS 5000
#define RECONNECT_MIN_MS 200
#define CONNECT_MS 10000
#define RECONNECT_MAX_MS 60000 /* as who asks waits at most */
#define TEXT_MAX 256 /* of what the other side says */

/* A call on its way. */
struct rpc_op {
	struct rpc_op *next, **prev;
	struct rpc_client *client;
	struct rpc_tag tag;
	grpc_call *call;
	enum rpc_method method;
	grpc_byte_buffer *out, *in;
	grpc_metadata_array initial, trailing;
	grpc_metadata version;
	grpc_status_code status;
	grpc_slice details;
	rpc_done_fn *done; /* NULL: cancelled */
	void *self;
};

struct rpc_client {
	struct rpc_loop *loop;
	char *address, *server_name, *proxy;
	grpc_channel *channel;
	struct rpc_op *ops;
};

static grpc_arg
integer_arg(const char *key, int value)
{
	grpc_arg arg = { .type = GRPC_ARG_INTEGER };

	memcpy(&arg.key, &key, sizeof(key)); /* is only read */
	arg.value.integer = value;
	return arg;
}

static grpc_arg
text_arg(const char *key, char *value)
{
	grpc_arg arg = { .type = GRPC_ARG_STRING };

	memcpy(&arg.key, &key, sizeof(key));
	arg.value.string = value;
	return arg;
}

void
rpc_client_set_tls(struct rpc_client *c, const struct rpc_tls *tls)
{
	grpc_ssl_pem_key_cert_pair pair = { tls->key, tls->cert };
	grpc_channel_credentials *creds =
	    grpc_ssl_credentials_create_ex(tls->ca, &pair, NULL, NULL);
	grpc_arg args[] = {
		integer_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
		integer_arg(GRPC_ARG_ENABLE_RETRIES, 0),
		integer_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
		integer_arg(
		    GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, CORE_RECEIVE_MAX),
		integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
		integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
		integer_arg(
		    GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
		integer_arg(
		    GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MIN_MS),
		integer_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS),
		integer_arg(
		    GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MAX_MS),
		text_arg(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, c->server_name),
		/* Has gRPC ask who it connects to for a CONNECT to there. */
		text_arg("grpc.http_connect_server", c->address),
	};
	/* What may be left out comes last; with a proxy the name is set. */
	grpc_channel_args all = { nitems(args) - 2 + (c->server_name != NULL) +
		    (c->proxy != NULL),
		args };

	if (c->channel != NULL)
		grpc_channel_destroy(c->channel);
	c->channel = grpc_channel_create(
	    c->proxy != NULL ? c->proxy : c->address, creds, &all);
	grpc_channel_credentials_release(creds);
}

static void
client_free(struct rpc_client *c)
{
	if (c == NULL)
		return;
	free(c->address);
	free(c->server_name);
	free(c->proxy);
	free(c);
}

struct rpc_client *
rpc_client_new(struct rpc_loop *l, const char *address, const char *server_name,
    const char *proxy, const struct rpc_tls *tls, struct err *err)
{
	struct rpc_client *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->address = strdup(address)) == NULL ||
	    (server_name != NULL &&
		(c->server_name = strdup(server_name)) == NULL) ||
	    (proxy != NULL && (c->proxy = strdup(proxy)) == NULL)) {
		err_sys(err, "client");
		client_free(c);
		return NULL;
	}
	c->loop = l;
	rpc_client_set_tls(c, tls);
	return c;
}

void
rpc_client_free(struct rpc_client *c)
{
	struct err ignored;

	if (c == NULL)
		return;
	rpc_loop_finish(c->loop);
	for (struct rpc_op *op = c->ops; op != NULL; op = op->next)
		rpc_op_cancel(op);
	while (c->ops != NULL)
		rpc_loop_turn(c->loop, INT64_MAX, &ignored);
	grpc_channel_destroy(c->channel);
	client_free(c);
}

static void
op_free(struct rpc_op *op)
{
	*op->prev = op->next;
	if (op->next != NULL)
		op->next->prev = op->prev;
	grpc_byte_buffer_destroy(op->out);
	grpc_byte_buffer_destroy(op->in);
	grpc_metadata_array_destroy(&op->initial);
	grpc_metadata_array_destroy(&op->trailing);
	grpc_slice_unref(op->details);
	if (op->call != NULL)
		grpc_call_unref(op->call);
	free(op);
}

/* What the other side said, as one line for a log. */
static void
copy_text(const grpc_slice *from, char out[TEXT_MAX])
{
	size_t n = MIN(GRPC_SLICE_LENGTH(*from), TEXT_MAX - 1);

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = GRPC_SLICE_START_PTR(*from)[i];

		out[i] = byte < ' ' || byte > '~' ? '?' : (char)byte;
	}
	out[n] = '\0';
}

/* Of what was answered.  Coordinators of the first release do not say it. */
static bool
same_version(const struct rpc_op *op)
{
	for (size_t i = 0; i < op->initial.count; i++) {
		const grpc_metadata *m = &op->initial.metadata[i];

		if (grpc_slice_str_cmp(m->key, CORE_VERSION_KEY) == 0)
			return grpc_slice_str_cmp(m->value, RPC_VERSION) == 0;
	}
	return true;
}

static int
on_done(struct rpc_tag *tag, bool ok, struct err *err)
{
	struct rpc_op *op = TAG_OWNER(tag, struct rpc_op, tag);
	enum rpc_status status = (enum rpc_status)op->status;
	struct envelope *e = NULL;
	char text[TEXT_MAX];
	struct rpc_msg reply;
	struct err why;
	int rv = 0;

	(void)ok; /* always: it receives a status */
	if (op->done == NULL)
		goto out;
	copy_text(&op->details, text);
	if (status == RPC_OK && !same_version(op)) {
		status = RPC_UNIMPLEMENTED;
		snprintf(text, sizeof(text),
		    "the coordinator answers in another version of the "
		    "protocol than " RPC_VERSION ": upgrade this site");
	}
	if (status == RPC_OK) {
		err_set(&why, ERR_FORMAT, "none");
		if (op->in != NULL)
			e = core_unpack(
			    op->method, ENVELOPE_REPLY, op->in, &reply, &why);
		if (e == NULL) {
			status = rpc_status_of(why.code);
			snprintf(text, sizeof(text), "reply: %.240s", why.msg);
		}
	}
	rv = op->done(op->self, status, text, e != NULL ? &reply : NULL, err);
	envelope_free(e);
out:
	op_free(op);
	return rv;
}

static void
start(struct rpc_op *op)
{
	grpc_op ops[] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA,
		    .data.send_initial_metadata = { .count = 1,
			.metadata = &op->version } },
		{ .op = GRPC_OP_SEND_MESSAGE,
		    .data.send_message.send_message = op->out },
		{ .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
		{ .op = GRPC_OP_RECV_INITIAL_METADATA,
		    .data.recv_initial_metadata.recv_initial_metadata =
			&op->initial },
		{ .op = GRPC_OP_RECV_MESSAGE,
		    .data.recv_message.recv_message = &op->in },
		{ .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
		    .data.recv_status_on_client = { .trailing_metadata =
							&op->trailing,
			.status = &op->status,
			.status_details = &op->details } },
	};

	grpc_call_start_batch(op->call, ops, nitems(ops), &op->tag, NULL);
}

struct rpc_op *
rpc_client_call(struct rpc_client *c, enum rpc_method method,
    const struct rpc_msg *request, int64_t timeout_ms, rpc_done_fn *done,
    void *self, struct err *err)
{
	struct rpc_op *op = calloc(1, sizeof(*op));

	if (op == NULL) {
		err_sys(err, "call");
		return NULL;
	}
	op->client = c;
	op->tag.fn = on_done;
	op->method = method;
	op->done = done;
	op->self = self;
	op->details = grpc_empty_slice();
	grpc_metadata_array_init(&op->initial);
	grpc_metadata_array_init(&op->trailing);
	op->version.key = grpc_slice_from_static_string(CORE_VERSION_KEY);
	op->version.value = grpc_slice_from_static_string(RPC_VERSION);
	op->prev = &c->ops;
	op->next = c->ops;
	if (op->next != NULL)
		op->next->prev = &op->next;
	c->ops = op;
	op->out = core_pack(method, ENVELOPE_REQUEST, request, err);
	if (op->out == NULL) {
		op_free(op);
		return NULL;
	}
	op->call =
	    grpc_channel_create_call(c->channel, NULL, 0, rpc_loop_cq(c->loop),
		grpc_slice_from_static_string(envelope_path(method)), NULL,
		core_deadline(timeout_ms), NULL);
	start(op);
	return op;
}

void
rpc_op_cancel(struct rpc_op *op)
{
	op->done = NULL;
	grpc_call_cancel(op->call, NULL);
}

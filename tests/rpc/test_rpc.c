/*
 * Both ends of a connection over loopback, on one loop; and against them
 * clients that do not keep to the rules.
 */
#include "tests/check.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "rpc/client.h"
#include "rpc/core.h"
#include "rpc/server.h"
#include "tests/rpc/certs.h"

#define WAIT_MS 20000 /* that nothing here takes, but for valgrind */

extern char **environ;

static struct certs certs, other;

/* A loop with a server that echoes, and one well-behaved client. */
static struct fixture {
	struct rpc_loop *loop;
	struct rpc_server *server;
	struct rpc_client *client;
	char address[32];
	/* What the service saw. */
	int admitted, requests, gone;
	struct rpc_call *held;
	enum rpc_status admit;
	/* What the client got. */
	int done;
	enum rpc_status status;
	char text[300];
	struct rpc_msg reply;
	char data[64];
	bool late; /* the test took too long */
} f;

static int
on_late(void *self, struct err *err)
{
	(void)self;
	f.late = true;
	return err_set(err, ERR_SYSTEM, "nothing happened");
}

static void
run(void)
{
	struct err err = { 0 };

	assert_int_equal(
	    rpc_loop_set_timer(f.loop, WAIT_MS, on_late, NULL, &err), 0);
	if (rpc_loop_run(f.loop, &err) < 0)
		fail_msg("%s", err.msg);
	rpc_loop_set_timer(f.loop, -1, on_late, NULL, &err);
}

static enum rpc_status
admit(void *self, const struct rpc_peer *peer, enum rpc_method method,
    uint32_t *who, struct err *err)
{
	(void)self;
	(void)method;
	assert_non_null(strstr(peer->cert, "BEGIN CERTIFICATE"));
	assert_non_null(strstr(peer->address, "127.0.0.1"));
	f.admitted++;
	*who = 7;
	err_set(err, ERR_REFUSED, "not one of us");
	return f.admit;
}

/* Echo, but hold what says so. */
static int
request(void *self, struct rpc_call *call, enum rpc_method method, uint32_t who,
    const struct rpc_msg *msg, struct err *err)
{
	struct rpc_msg reply = *msg;

	(void)self;
	assert_int_equal(who, 7);
	f.requests++;
	if (msg->len >= 4 && memcmp(msg->data, "hold", 4) == 0) {
		f.held = call;
		rpc_loop_stop(f.loop);
		return 0;
	}
	if (msg->len >= 6 && memcmp(msg->data, "refuse", 6) == 0) {
		rpc_call_refuse(call, RPC_REFUSED, "no, thank you");
		return 0;
	}
	if (msg->len >= 6 && memcmp(msg->data, "babble", 6) == 0) {
		char text[601];

		memset(text, 'x', sizeof(text) - 1);
		memcpy(text, "a\n\tb\177\303\251", 7);
		text[sizeof(text) - 1] = '\0';
		rpc_call_refuse(call, RPC_REFUSED, text);
		return 0;
	}
	if (method == RPC_PUT_CHUNK)
		reply.len = 0;
	if (method == RPC_GET_CHUNK) {
		reply.data = "piece";
		reply.len = 5;
	}
	return rpc_call_reply(call, &reply, err);
}

static void
gone(void *self, struct rpc_call *call)
{
	(void)self;
	assert_ptr_equal(call, f.held);
	f.held = NULL;
	f.gone++;
	rpc_loop_stop(f.loop);
}

static struct rpc_service service = { admit, request, gone, NULL, NULL, NULL };

static int
on_done(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err)
{
	(void)self;
	(void)err;
	f.done++;
	f.status = status;
	snprintf(f.text, sizeof(f.text), "%s", text);
	assert_int_equal(status == RPC_OK, reply != NULL);
	if (reply != NULL) {
		size_t n =
		    reply->len < sizeof(f.data) ? reply->len : sizeof(f.data);

		f.reply = *reply;
		memcpy(f.data, reply->data, n);
	}
	rpc_loop_stop(f.loop);
	return 0;
}

static struct rpc_client *
make_client(const struct rpc_tls *tls)
{
	struct err err;
	struct rpc_client *c =
	    rpc_client_new(f.loop, f.address, NULL, NULL, tls, &err);

	assert_non_null(c);
	return c;
}

static void
make_server(void)
{
	struct rpc_tls tls = certs_host(&certs);
	struct err err;

	f.server = rpc_server_new(f.loop, "127.0.0.1:0", &tls, &service, &err);
	if (f.server == NULL)
		fail_msg("%s", err.msg);
	snprintf(f.address, sizeof(f.address), "127.0.0.1:%d",
	    rpc_server_port(f.server));
}

static int
set_up(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	struct err err;

	(void)state;
	memset(&f, 0, sizeof(f));
	if ((f.loop = rpc_loop_new(NULL, &err)) == NULL)
		return -1;
	make_server();
	f.client = make_client(&tls);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rpc_client_free(f.client);
	rpc_server_free(f.server);
	return rpc_loop_free(f.loop) ? 0 : -1;
}

static struct rpc_op *
call(struct rpc_client *c, enum rpc_method method, const char *data,
    int64_t timeout_ms)
{
	struct rpc_msg m = { .number = 3, .data = data, .len = strlen(data) };
	struct err err;
	struct rpc_op *op;

	memset(m.id, 0x5c, sizeof(m.id));
	op = rpc_client_call(c, method, &m, timeout_ms, on_done, NULL, &err);
	assert_non_null(op);
	return op;
}

static void
every_method_goes_there_and_back(void **state)
{
	(void)state;
	call(f.client, RPC_SEND, "echo", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	assert_int_equal(f.reply.len, 4);
	assert_memory_equal(f.data, "echo", 4);
	call(f.client, RPC_NEXT, "", WAIT_MS);
	run();
	assert_int_equal(f.reply.len, 0);
	call(f.client, RPC_PUT_CHUNK, "words", WAIT_MS);
	run();
	assert_int_equal(f.reply.number, 3);
	call(f.client, RPC_GET_CHUNK, "", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	assert_memory_equal(f.data, "piece", 5);
	assert_int_equal(f.done, 4);
	assert_int_equal(f.requests, 4);
}

static void
the_largest_message_goes_there_and_back(void **state)
{
	char *big = calloc(1, RPC_SEND_MAX + 1);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', RPC_SEND_MAX);
	call(f.client, RPC_SEND, big, WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	assert_int_equal(f.reply.len, RPC_SEND_MAX);
	free(big);
}

static void
a_held_call_is_answered_later(void **state)
{
	struct rpc_msg reply = { .data = "at last", .len = 7 };
	struct err err;

	(void)state;
	call(f.client, RPC_NEXT, "hold", WAIT_MS);
	run();
	assert_non_null(f.held);
	assert_int_equal(f.done, 0);
	call(f.client, RPC_SEND, "meanwhile", WAIT_MS);
	run();
	assert_memory_equal(f.data, "meanwhile", 9);
	rpc_call_set_data(f.held, &reply);
	assert_ptr_equal(rpc_call_data(f.held), &reply);
	assert_int_equal(rpc_call_reply(f.held, &reply, &err), 0);
	run();
	assert_int_equal(f.done, 2);
	assert_memory_equal(f.data, "at last", 7);
}

static void
a_refusal_arrives_with_its_reason(void **state)
{
	(void)state;
	call(f.client, RPC_SEND, "refuse", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_REFUSED);
	assert_string_equal(f.text, "no, thank you");
	assert_int_equal(rpc_err_of(f.status), ERR_REFUSED);
}

/* Whatever a server says is a line of a log. */
static void
a_reason_is_one_short_line(void **state)
{
	(void)state;
	call(f.client, RPC_SEND, "babble", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_REFUSED);
	assert_int_equal(strlen(f.text), 255);
	assert_int_equal(strspn(f.text, "abx?"), 255);
	assert_int_equal(strncmp(f.text, "a??b???x", 8), 0);
}

static void
a_request_that_is_too_large_is_not_sent(void **state)
{
	static char big[RPC_NEXT_MAX + 1];
	struct rpc_msg m = { .data = big, .len = sizeof(big) };
	struct err err;

	(void)state;
	assert_null(rpc_client_call(
	    f.client, RPC_NEXT, &m, WAIT_MS, on_done, NULL, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	call(f.client, RPC_SEND, "echo", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	assert_int_equal(f.requests, 1);
}

static void
a_call_that_its_client_drops_is_gone(void **state)
{
	struct rpc_op *op;

	(void)state;
	op = call(f.client, RPC_NEXT, "hold", WAIT_MS);
	run();
	rpc_op_cancel(op);
	run();
	assert_int_equal(f.gone, 1);
	assert_int_equal(f.done, 0);
	call(f.client, RPC_SEND, "still there", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
}

static void
a_deadline_ends_a_call_on_both_sides(void **state)
{
	(void)state;
	/* Connected before, since that may take longer than the deadline. */
	call(f.client, RPC_SEND, "echo", WAIT_MS);
	run();
	f.done = 0;
	call(f.client, RPC_NEXT, "hold", 1000);
	run(); /* it is held */
	run();
	if (f.done == 0 || f.gone == 0)
		run();
	assert_int_equal(f.status, RPC_DEADLINE);
	assert_int_equal(f.gone, 1);
}

static void
a_peer_that_is_not_known_is_denied(void **state)
{
	(void)state;
	f.admit = RPC_DENIED;
	call(f.client, RPC_SEND, "hello", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_DENIED);
	assert_string_equal(f.text, "not one of us");
	assert_int_equal(rpc_err_of(f.status), ERR_CONFIG);
	assert_int_equal(f.requests, 0);
}

static void
a_certificate_of_another_ca_is_refused(void **state)
{
	struct rpc_tls tls = certs_site(&other);
	struct rpc_client *c;

	(void)state;
	tls.ca = certs.ca; /* the server's is fine */
	c = make_client(&tls);
	call(c, RPC_SEND, "hello", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	assert_int_equal(f.admitted, 0);
	rpc_client_free(c);
}

static void
an_expired_certificate_is_refused(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	struct rpc_client *c;

	(void)state;
	tls.cert = certs.old;
	c = make_client(&tls);
	call(c, RPC_SEND, "hello", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	assert_int_equal(f.admitted, 0);
	rpc_client_free(c);
}

static void
a_server_of_another_name_is_not_spoken_to(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	struct rpc_client *c;
	struct err err;

	(void)state;
	c = rpc_client_new(
	    f.loop, f.address, "berlin.example", NULL, &tls, &err);
	assert_non_null(c);
	call(c, RPC_SEND, "hello", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	rpc_client_free(c);
}

static void
a_server_of_another_ca_is_not_spoken_to(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	struct rpc_client *c;

	(void)state;
	tls.ca = other.ca;
	c = make_client(&tls);
	call(c, RPC_SEND, "hello", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	assert_int_equal(f.admitted, 0);
	rpc_client_free(c);
}

/* Clients made of gRPC itself, on a thread of their own. */

struct raw {
	pthread_t thread;
	const char *key, *cert; /* NULL: without */
	const char *method;
	const char *version; /* NULL: says none */
	uint32_t compression;
	size_t len; /* of a SendRequest's body, made of zeros */
	grpc_status_code status;
	char text[300];
	int wake[2];
};

static grpc_byte_buffer *
raw_message(size_t len)
{
	uint8_t head[] = { 0x0a, (uint8_t)(len | 0x80),
		(uint8_t)(len >> 7 | 0x80), (uint8_t)(len >> 14 | 0x80),
		(uint8_t)(len >> 21) };
	grpc_slice slice = grpc_slice_malloc(sizeof(head) + len);
	grpc_byte_buffer *out;

	memset(GRPC_SLICE_START_PTR(slice), 0, sizeof(head) + len);
	memcpy(GRPC_SLICE_START_PTR(slice), head, sizeof(head));
	out = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return out;
}

static void
raw_call(struct raw *r, grpc_channel *channel)
{
	grpc_completion_queue *cq = grpc_completion_queue_create_for_next(NULL);
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *out = raw_message(r->len), *in = NULL;
	grpc_metadata md = { .key = grpc_slice_from_static_string(
				 CORE_VERSION_KEY) };
	grpc_slice details = grpc_empty_slice();
	grpc_call *c = grpc_channel_create_call(channel, NULL, 0, cq,
	    grpc_slice_from_static_string(r->method), NULL,
	    core_deadline(WAIT_MS / 2), NULL);
	grpc_op ops[] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA,
		    .data.send_initial_metadata = { .count = r->version != NULL,
			.metadata = &md } },
		{ .op = GRPC_OP_SEND_MESSAGE,
		    .data.send_message.send_message = out },
		{ .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
		{ .op = GRPC_OP_RECV_INITIAL_METADATA,
		    .data.recv_initial_metadata.recv_initial_metadata =
			&initial },
		{ .op = GRPC_OP_RECV_MESSAGE,
		    .data.recv_message.recv_message = &in },
		{ .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
		    .data.recv_status_on_client = { .trailing_metadata =
							&trailing,
			.status = &r->status,
			.status_details = &details } },
	};

	if (r->version != NULL)
		md.value = grpc_slice_from_static_string(r->version);
	grpc_metadata_array_init(&initial);
	grpc_metadata_array_init(&trailing);
	grpc_call_start_batch(c, ops, sizeof(ops) / sizeof(ops[0]), r, NULL);
	grpc_completion_queue_next(cq, core_deadline(WAIT_MS), NULL);
	snprintf(r->text, sizeof(r->text), "%.*s",
	    (int)GRPC_SLICE_LENGTH(details),
	    (const char *)GRPC_SLICE_START_PTR(details));
	grpc_slice_unref(details);
	grpc_metadata_array_destroy(&initial);
	grpc_metadata_array_destroy(&trailing);
	grpc_byte_buffer_destroy(out);
	grpc_byte_buffer_destroy(in);
	grpc_call_unref(c);
	grpc_completion_queue_shutdown(cq);
	while (
	    grpc_completion_queue_next(cq, core_deadline(WAIT_MS), NULL).type ==
	    GRPC_OP_COMPLETE)
		;
	grpc_completion_queue_destroy(cq);
}

static void *
raw_thread(void *arg)
{
	struct raw *r = arg;
	char key[] = "grpc.default_compression_algorithm";
	grpc_ssl_pem_key_cert_pair pair = { r->key, r->cert };
	grpc_channel_credentials *creds = grpc_ssl_credentials_create_ex(
	    certs.ca, r->key != NULL ? &pair : NULL, NULL, NULL);
	grpc_arg arg_compress = { .type = GRPC_ARG_INTEGER,
		.key = key,
		.value.integer = (int)r->compression };
	grpc_channel_args args = { 1, &arg_compress };
	grpc_channel *channel = grpc_channel_create(f.address, creds, &args);

	raw_call(r, channel);
	grpc_channel_destroy(channel);
	grpc_channel_credentials_release(creds);
	assert_int_equal(write(r->wake[1], "x", 1), 1);
	return NULL;
}

static int
on_wake(void *self, int fd, short revents, struct err *err)
{
	char c;

	(void)self;
	(void)err;
	assert_true((revents & POLLIN) != 0);
	assert_int_equal(read(fd, &c, 1), 1);
	rpc_loop_stop(f.loop);
	return 0;
}

/* Run the loop until fn(arg), on a thread of its own, has written to wake. */
static void
run_beside(void *(*fn)(void *), void *arg, int wake[2])
{
	pthread_t thread;
	struct err err;

	assert_int_equal(pipe(wake), 0);
	assert_int_equal(
	    rpc_loop_set_fd(f.loop, wake[0], POLLIN, on_wake, NULL, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
	run();
	pthread_join(thread, NULL);
	rpc_loop_del_fd(f.loop, wake[0]);
	close(wake[0]);
	close(wake[1]);
}

static struct raw
raw(void)
{
	return (struct raw){ .key = certs.site_key,
		.cert = certs.site,
		.method = "/consilium.v1.Consilium/Send",
		.version = RPC_VERSION,
		.len = 1000 };
}

static void
a_raw_client_is_answered_if_it_keeps_to_the_rules(void **state)
{
	struct raw r = raw();

	(void)state;
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_OK);
	assert_int_equal(f.requests, 1);
}

static void
a_client_without_certificate_is_refused(void **state)
{
	struct raw r = raw();

	(void)state;
	r.key = r.cert = NULL;
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_UNAVAILABLE);
	assert_int_equal(f.admitted, 0);
}

static void
a_message_that_is_too_large_is_refused(void **state)
{
	struct raw r = raw();

	(void)state;
	r.len = (size_t)CORE_RECEIVE_MAX + 1;
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
	r = raw();
	r.len = RPC_SEND_MAX + 1;
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(r.text, "3145729 bytes"));
	r = raw();
	r.method = "/consilium.v1.Consilium/Next";
	r.len = RPC_NEXT_MAX + 1;
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_int_equal(f.requests, 0);
}

static void
a_compressed_message_is_refused_unopened(void **state)
{
	struct raw r = raw();

	(void)state;
	r.compression = GRPC_COMPRESS_GZIP;
	r.len = 2000000;
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_INVALID_ARGUMENT);
	assert_string_equal(r.text, "compressed messages are not taken");
	assert_int_equal(f.requests, 0);
}

static void
another_version_or_method_is_refused(void **state)
{
	struct raw r = raw();

	(void)state;
	r.version = NULL;
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_UNIMPLEMENTED);
	assert_non_null(strstr(r.text, "version 1"));
	r = raw();
	r.version = "2";
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_UNIMPLEMENTED);
	assert_non_null(strstr(r.text,
	    "version 1 of the protocol, and you 2: the coordinator has to be "
	    "upgraded"));
	r = raw();
	r.version = "1000000000000"; /* of which seven digits are looked at */
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_UNIMPLEMENTED);
	assert_non_null(strstr(r.text, "and you 1000000: the coordinator"));
	r = raw();
	r.version = "0";
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_UNIMPLEMENTED);
	assert_non_null(strstr(r.text, "and you 0: upgrade this site"));
	r = raw();
	r.method = "/consilium.v1.Consilium/Nexx";
	run_beside(raw_thread, &r, r.wake);
	assert_int_equal(r.status, GRPC_STATUS_UNIMPLEMENTED);
	assert_int_equal(f.admitted, 0);
}

static int
set_up_newer(void **state)
{
	int rv;

	service.version = "2";
	rv = set_up(state);
	service.version = NULL;
	return rv;
}

/* A coordinator of a later release: the site is told what to do. */
static void
a_site_learns_which_side_is_behind(void **state)
{
	(void)state;
	call(f.client, RPC_SEND, "echo", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_UNIMPLEMENTED);
	assert_non_null(strstr(f.text,
	    "the coordinator speaks version 2 of the protocol, and you 1: "
	    "upgrade this site"));
}

static char spoken[] = "1"; /* that the server answers in */

static int
set_up_turncoat(void **state)
{
	int rv;

	spoken[0] = '1';
	service.version = spoken;
	rv = set_up(state);
	service.version = NULL;
	return rv;
}

/* One that takes the site's version and answers in its own. */
static void
an_answer_in_another_version_is_not_read(void **state)
{
	struct rpc_msg reply = { .data = "what?", .len = 5 };
	struct err err;

	(void)state;
	call(f.client, RPC_SEND, "echo", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	call(f.client, RPC_NEXT, "hold", WAIT_MS);
	run();
	spoken[0] = '2';
	assert_int_equal(rpc_call_reply(f.held, &reply, &err), 0);
	run();
	assert_int_equal(f.done, 2);
	assert_int_equal(f.status, RPC_UNIMPLEMENTED);
	assert_int_equal(rpc_err_of(f.status), ERR_CONFIG);
	assert_string_equal(f.text,
	    "the coordinator answers in another version of the protocol than "
	    "1: upgrade this site");
}

/* A server of another kind, made of gRPC itself: it says something of its own,
   and then that all is well. */

struct stranger {
	grpc_server *server;
	grpc_completion_queue *cq;
	int port;
};

static grpc_ssl_certificate_config_reload_status
strangers_certs(void *self, grpc_ssl_server_certificate_config **config)
{
	struct rpc_tls tls = certs_host(&certs);
	grpc_ssl_pem_key_cert_pair pair = { tls.key, tls.cert };

	(void)self;
	*config = grpc_ssl_server_certificate_config_create(tls.ca, &pair, 1);
	return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

static void
stranger_start(struct stranger *s)
{
	grpc_server_credentials *creds =
	    grpc_ssl_server_credentials_create_with_options(
		grpc_ssl_server_credentials_create_options_using_config_fetcher(
		    GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE, strangers_certs,
		    NULL));

	s->cq = grpc_completion_queue_create_for_next(NULL);
	s->server = grpc_server_create(NULL, NULL);
	grpc_server_register_completion_queue(s->server, s->cq, NULL);
	s->port = grpc_server_add_http2_port(s->server, "127.0.0.1:0", creds);
	grpc_server_credentials_release(creds);
	grpc_server_start(s->server);
}

static void *
stranger_thread(void *arg)
{
	struct stranger *s = arg;
	grpc_metadata md = { .key = grpc_slice_from_static_string("x-other"),
		.value = grpc_slice_from_static_string("1") };
	grpc_metadata_array heads;
	grpc_call_details details;
	grpc_call *c = NULL;
	grpc_op ops[] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA,
		    .data.send_initial_metadata = { .count = 1,
			.metadata = &md } },
		{ .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
		    .data.send_status_from_server.status = GRPC_STATUS_OK },
	};

	grpc_metadata_array_init(&heads);
	grpc_call_details_init(&details);
	grpc_server_request_call(
	    s->server, &c, &details, &heads, s->cq, s->cq, s);
	grpc_completion_queue_next(s->cq, core_deadline(WAIT_MS), NULL);
	grpc_call_start_batch(c, ops, 2, s, NULL);
	grpc_completion_queue_next(s->cq, core_deadline(WAIT_MS), NULL);
	grpc_call_unref(c);
	grpc_metadata_array_destroy(&heads);
	grpc_call_details_destroy(&details);
	return NULL;
}

static void
stranger_stop(struct stranger *s)
{
	grpc_server_shutdown_and_notify(s->server, s->cq, s);
	grpc_completion_queue_next(s->cq, core_deadline(WAIT_MS), NULL);
	grpc_server_destroy(s->server);
	grpc_completion_queue_shutdown(s->cq);
	grpc_completion_queue_next(s->cq, core_deadline(WAIT_MS), NULL);
	grpc_completion_queue_destroy(s->cq);
}

static void
an_answer_without_a_reply_is_none(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	struct rpc_client *c;
	struct stranger s;
	pthread_t thread;

	(void)state;
	stranger_start(&s);
	snprintf(f.address, sizeof(f.address), "127.0.0.1:%d", s.port);
	c = make_client(&tls);
	assert_int_equal(pthread_create(&thread, NULL, stranger_thread, &s), 0);
	call(c, RPC_SEND, "hello", WAIT_MS);
	run();
	pthread_join(thread, NULL);
	assert_int_equal(f.status, RPC_INVALID);
	assert_string_equal(f.text, "reply: none");
	rpc_client_free(c);
	stranger_stop(&s);
}

/* A handshake of at most a version, made of libssl. */
struct hello {
	int version, ok;
	int wake[2];
};

static SSL_CTX *
hello_context(int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *key = BIO_new_mem_buf(certs.site_key, -1);
	BIO *cert = BIO_new_mem_buf(certs.site, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	X509 *x509 = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	static const unsigned char h2[] = "\2h2";

	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, pkey), 1);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x509), 1);
	SSL_CTX_set_alpn_protos(ctx, h2, 3);
	SSL_CTX_set_max_proto_version(ctx, version);
	EVP_PKEY_free(pkey);
	X509_free(x509);
	BIO_free(key);
	BIO_free(cert);
	return ctx;
}

static void *
hello_thread(void *arg)
{
	struct hello *h = arg;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)rpc_server_port(f.server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL_CTX *ctx = hello_context(h->version);
	SSL *ssl = SSL_new(ctx);

	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	SSL_set_fd(ssl, fd);
	h->ok = SSL_connect(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	assert_int_equal(write(h->wake[1], "x", 1), 1);
	return NULL;
}

static void
only_tls_1_3_is_spoken(void **state)
{
	struct hello h = { .version = TLS1_3_VERSION };

	(void)state;
	run_beside(hello_thread, &h, h.wake);
	assert_int_equal(h.ok, 1);
	h.version = TLS1_2_VERSION;
	run_beside(hello_thread, &h, h.wake);
	assert_int_not_equal(h.ok, 1);
}

static void
a_port_in_use_is_said_clearly(void **state)
{
	struct rpc_tls tls = certs_host(&certs);
	char want[100];
	struct err err;

	(void)state;
	assert_null(rpc_server_new(f.loop, f.address, &tls, &service, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	snprintf(want, sizeof(want),
	    "cannot listen on %s: Address already in use", f.address);
	assert_string_equal(err.msg, want);
}

static void
an_address_that_is_not_ours_is_said_clearly(void **state)
{
	struct rpc_tls tls = certs_host(&certs);
	struct err err;

	(void)state;
	assert_null(
	    rpc_server_new(f.loop, "203.0.113.1:0", &tls, &service, &err));
	assert_string_equal(err.msg,
	    "cannot listen on 203.0.113.1:0: Cannot assign requested address");
}

static void
an_address_that_is_none_is_said_clearly(void **state)
{
	struct rpc_tls tls = certs_host(&certs);
	struct err err;

	(void)state;
	assert_null(rpc_server_new(f.loop, "127.0.0.1", &tls, &service, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_string_equal(err.msg, "127.0.0.1: expected HOST:PORT");
	assert_null(
	    rpc_server_new(f.loop, "[::1]:no-such-port", &tls, &service, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(
	    strstr(err.msg, "cannot listen on [::1]:no-such-port: Servname"));
}

static void
nobody_listening_is_seen_at_once(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	struct rpc_client *c;

	(void)state;
	snprintf(f.address, sizeof(f.address), "127.0.0.1:1");
	c = make_client(&tls);
	call(c, RPC_SEND, "hello", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	assert_int_equal(rpc_err_of(f.status), ERR_SYSTEM);
	rpc_client_free(c);
}

/* gRPC looks at them when a channel is made. */
static void
a_proxy_in_the_environment_is_ignored(void **state)
{
	static const char *const names[] = { "grpc_proxy", "https_proxy",
		"http_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY" };
	struct rpc_tls tls = certs_site(&certs);

	(void)state;
	rpc_client_free(f.client);
	for (size_t i = 0; i < nitems(names); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	f.client = make_client(&tls);
	call(f.client, RPC_SEND, "echo", WAIT_MS);
	run();
	for (size_t i = 0; i < nitems(names); i++)
		unsetenv(names[i]);
	assert_int_equal(f.status, RPC_OK);
}

static void
certificates_are_exchanged_while_it_runs(void **state)
{
	struct rpc_tls tls = certs_host(&other), site = certs_site(&other);
	struct rpc_client *c;
	struct err err;

	(void)state;
	call(f.client, RPC_SEND, "before", WAIT_MS);
	run();
	assert_int_equal(rpc_server_set_tls(f.server, &tls, &err), 0);
	c = make_client(&site);
	call(c, RPC_SEND, "new ones", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	/* A connection that stands is not disturbed. */
	call(f.client, RPC_SEND, "after", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	/* This client changes over, too. */
	rpc_client_set_tls(f.client, &site);
	call(f.client, RPC_SEND, "changed", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	rpc_client_free(c);
}

static void
unreadable_certificates_change_nothing(void **state)
{
	struct rpc_tls tls = certs_host(&certs), site = certs_site(&certs);
	struct rpc_client *c;
	struct err err;

	(void)state;
	tls.cert = "-----BEGIN CERTIFICATE-----\nnonsense\n";
	assert_int_equal(rpc_server_set_tls(f.server, &tls, &err), 0);
	c = make_client(&site);
	call(c, RPC_SEND, "echo", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	rpc_client_free(c);
}

static int
on_stopped(void *self, struct err *err)
{
	(void)err;
	*(bool *)self = true;
	rpc_loop_stop(f.loop);
	return 0;
}

static void
stopping_lets_running_calls_end(void **state)
{
	struct rpc_msg reply = { .data = "bye", .len = 3 };
	bool stopped = false;
	struct err err;

	(void)state;
	call(f.client, RPC_NEXT, "hold", WAIT_MS);
	run();
	assert_int_equal(
	    rpc_server_stop(f.server, WAIT_MS, on_stopped, &stopped, &err), 0);
	assert_int_equal(rpc_call_reply(f.held, &reply, &err), 0);
	while (!stopped || f.done == 0)
		run();
	assert_int_equal(f.status, RPC_OK);
	assert_memory_equal(f.data, "bye", 3);
}

static void
stopping_cancels_what_does_not_end(void **state)
{
	bool stopped = false;
	struct err err;

	(void)state;
	call(f.client, RPC_NEXT, "hold", WAIT_MS);
	run();
	assert_int_equal(
	    rpc_server_stop(f.server, 50, on_stopped, &stopped, &err), 0);
	while (!stopped || f.done == 0)
		run();
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	assert_int_equal(f.gone, 1);
}

/* The end of the server's process, as its client sees it. */

static const char *const files[] = { "ca", "cert", "key" };

/* argv: --serve FOLDER.  Prints the port, then echoes until it is killed. */
static int
serve(const char *dir)
{
	char text[3][4096] = { { 0 } }, path[300];
	struct rpc_tls tls = { text[0], text[1], text[2] };
	struct err err;

	for (int i = 0; i < 3; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		if ((file = fopen(path, "r")) == NULL ||
		    fread(text[i], 1, sizeof(text[i]) - 1, file) == 0)
			return 1;
		fclose(file);
	}
	f.loop = rpc_loop_new(NULL, &err);
	f.server = rpc_server_new(f.loop, "127.0.0.1:0", &tls, &service, &err);
	if (f.server == NULL)
		return 1;
	printf("%d\n", rpc_server_port(f.server));
	fflush(stdout);
	while (rpc_loop_run(f.loop, &err) == 0)
		; /* a held call stops the loop */
	return 1;
}

static void
write_files(const char *dir)
{
	struct rpc_tls tls = certs_host(&certs);
	const char *texts[] = { tls.ca, tls.cert, tls.key };
	char path[300];

	for (int i = 0; i < 3; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		assert_non_null(file = fopen(path, "w"));
		assert_true(fputs(texts[i], file) >= 0);
		fclose(file);
	}
}

static pid_t
spawn_server(const char *dir)
{
	char self[300] = "", flag[] = "--serve", folder[100];
	char *argv[] = { self, flag, folder, NULL }, line[16] = "";
	posix_spawn_file_actions_t actions;
	int out[2];
	pid_t pid;

	/* By name: /proc/self/exe is valgrind where the test is under it. */
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(folder, sizeof(folder), "%s", dir);
	assert_int_equal(pipe(out), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	assert_int_equal(
	    posix_spawn(&pid, self, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	assert_true(read(out[0], line, sizeof(line) - 1) > 0);
	close(out[0]);
	snprintf(f.address, sizeof(f.address), "127.0.0.1:%d", atoi(line));
	return pid;
}

static int
kill_it(void *self, struct err *err)
{
	(void)err;
	kill(*(pid_t *)self, SIGKILL);
	return 0;
}

static void
a_killed_server_ends_its_calls(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	char dir[] = "/tmp/test_rpc.XXXXXX", path[100];
	struct rpc_client *c;
	struct err err;
	pid_t pid;
	int status;

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_files(dir);
	pid = spawn_server(dir);
	c = make_client(&tls);
	call(c, RPC_SEND, "echo", WAIT_MS);
	run();
	assert_int_equal(f.status, RPC_OK);
	call(c, RPC_NEXT, "hold", WAIT_MS);
	assert_int_equal(
	    rpc_loop_set_timer(f.loop, 200, kill_it, &pid, &err), 0);
	run();
	assert_int_equal(f.done, 2);
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	rpc_client_free(c);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* gRPC asks this one, on a thread of its own: it answers when it may. */

static struct {
	atomic_bool held;
	atomic_int n; /* questions so far */
	atomic_int open; /* that have no answer yet */
} lookup;

int
getaddrinfo(const char *name, const char *service_name,
    const struct addrinfo *hints, struct addrinfo **answer)
{
	__typeof__(&getaddrinfo) real =
	    (__typeof__(real))dlsym(RTLD_NEXT, "getaddrinfo");
	int rv;

	lookup.open++;
	lookup.n++;
	while (lookup.held)
		usleep(1000);
	rv = real(name, service_name, hints, answer);
	lookup.open--;
	return rv;
}

/* All is freed but the loop, and one question is open. */
static void
leave_a_question(void)
{
	struct err err;

	lookup.held = true;
	lookup.n = 0;
	call(f.client, RPC_SEND, "hello", WAIT_MS);
	for (int i = 0; lookup.n == 0 && i < WAIT_MS; i++)
		rpc_loop_turn(f.loop, 1, &err);
	rpc_client_free(f.client);
	rpc_server_free(f.server);
	f.client = NULL;
	f.server = NULL;
	assert_int_equal(lookup.open, 1);
}

static void *
answer_soon(void *arg)
{
	(void)arg;
	usleep(200000);
	lookup.held = false;
	return NULL;
}

/* Else its threads would use what exit() takes down. */
static void
the_end_waits_for_a_name_that_is_looked_up(void **state)
{
	pthread_t thread;

	(void)state;
	leave_a_question();
	assert_int_equal(pthread_create(&thread, NULL, answer_soon, NULL), 0);
	assert_true(rpc_loop_free(f.loop));
	f.loop = NULL;
	assert_int_equal(lookup.open, 0);
	assert_false(grpc_is_initialized());
	pthread_join(thread, NULL);
}

static void
the_end_does_not_wait_for_ever(void **state)
{
	(void)state;
	leave_a_question();
	assert_false(rpc_loop_free(f.loop));
	f.loop = NULL;
	assert_int_equal(lookup.open, 1);
	lookup.held = false;
	for (int i = 0; grpc_is_initialized() && i < WAIT_MS; i++)
		usleep(1000);
	assert_false(grpc_is_initialized());
}

/* The loop by itself. */

static int
count(void *self, struct err *err)
{
	(void)err;
	(*(int *)self)++;
	rpc_loop_stop(f.loop);
	return 0;
}

static int
fail_it(void *self, struct err *err)
{
	(void)self;
	return err_set(err, ERR_PEER, "on purpose");
}

static int
fail_fd(void *self, int fd, short revents, struct err *err)
{
	(void)fd;
	(void)revents;
	return fail_it(self, err);
}

static void
timers_fire_once_in_time_or_not_at_all(void **state)
{
	int a = 0, b = 0;
	int64_t began = clock_mono_ms();
	struct err err;

	(void)state;
	rpc_loop_set_timer(f.loop, 10, count, &b, &err);
	rpc_loop_set_timer(f.loop, 5000, count, &a, &err);
	rpc_loop_set_timer(f.loop, 50, count, &a, &err); /* moved */
	rpc_loop_set_timer(f.loop, -1, count, &b, &err); /* removed */
	run();
	assert_int_equal(a, 1);
	assert_int_equal(b, 0);
	assert_true(clock_mono_ms() - began >= 50);
	rpc_loop_set_timer(f.loop, 1, fail_it, NULL, &err);
	assert_int_equal(rpc_loop_run(f.loop, &err), -1);
	assert_string_equal(err.msg, "on purpose");
}

static int
read_one(void *self, int fd, short revents, struct err *err)
{
	char c;

	(void)err;
	if ((revents & POLLIN) != 0 && read(fd, &c, 1) == 1 &&
	    ++*(int *)self == 3)
		rpc_loop_stop(f.loop);
	return 0;
}

static void
a_descriptor_is_served_until_it_is_deleted(void **state)
{
	int n = 0, never = 0, p[2], fired = 0;
	struct err err;

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "abcd", 4), 4);
	assert_int_equal(
	    rpc_loop_set_fd(f.loop, p[0], POLLIN, read_one, &never, &err), 0);
	assert_int_equal(
	    rpc_loop_set_fd(f.loop, p[0], POLLIN, read_one, &n, &err), 0);
	run();
	assert_int_equal(n, 3); /* one byte at a time: it is armed again */
	rpc_loop_del_fd(f.loop, p[0]);
	rpc_loop_set_timer(f.loop, 50, count, &fired, &err);
	run();
	assert_int_equal(n, 3);
	assert_int_equal(never, 0);
	/* The same number may come back. */
	assert_int_equal(
	    rpc_loop_set_fd(f.loop, p[0], POLLIN, read_one, &never, &err), 0);
	rpc_loop_set_timer(f.loop, 50, count, &fired, &err);
	run();
	assert_int_equal(never, 1);
	rpc_loop_del_fd(f.loop, p[0]);
	close(p[0]);
	close(p[1]);
}

static int
delete_itself(void *self, int fd, short revents, struct err *err)
{
	(void)err;
	*(short *)self = revents;
	rpc_loop_del_fd(f.loop, fd);
	rpc_loop_del_fd(f.loop, fd); /* there is nothing to do */
	rpc_loop_stop(f.loop);
	return 0;
}

/* Waits for the other thing next. */
static int
turn_round(void *self, int fd, short revents, struct err *err)
{
	assert_true((revents & POLLOUT) != 0);
	return rpc_loop_set_fd(f.loop, fd, POLLIN, delete_itself, self, err);
}

static void
a_descriptor_may_change_within_its_call(void **state)
{
	int p[2], q[2];
	short seen = 0;
	struct err err;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	assert_int_equal(pipe(q), 0);
	rpc_loop_del_fd(f.loop, p[0]); /* that was never set */
	assert_int_equal(
	    rpc_loop_set_fd(f.loop, q[0], POLLIN, fail_fd, NULL, &err), 0);
	assert_int_equal(
	    rpc_loop_set_fd(f.loop, p[0], POLLIN, fail_fd, NULL, &err), 0);
	assert_int_equal(rpc_loop_set_fd(f.loop, p[0], POLLIN | POLLOUT,
			     turn_round, &seen, &err),
	    0);
	assert_int_equal(write(p[1], "a", 1), 1);
	run();
	assert_int_equal(seen, POLLIN);
	assert_int_equal(write(q[1], "a", 1), 1);
	assert_int_equal(rpc_loop_run(f.loop, &err), -1);
	assert_string_equal(err.msg, "on purpose");
	rpc_loop_del_fd(f.loop, q[0]);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

#define rpc_test(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		rpc_test(every_method_goes_there_and_back),
		rpc_test(the_largest_message_goes_there_and_back),
		rpc_test(a_held_call_is_answered_later),
		rpc_test(a_refusal_arrives_with_its_reason),
		rpc_test(a_reason_is_one_short_line),
		rpc_test(a_request_that_is_too_large_is_not_sent),
		rpc_test(a_call_that_its_client_drops_is_gone),
		rpc_test(a_deadline_ends_a_call_on_both_sides),
		rpc_test(a_peer_that_is_not_known_is_denied),
		rpc_test(a_certificate_of_another_ca_is_refused),
		rpc_test(an_expired_certificate_is_refused),
		rpc_test(a_server_of_another_name_is_not_spoken_to),
		rpc_test(a_server_of_another_ca_is_not_spoken_to),
		rpc_test(a_raw_client_is_answered_if_it_keeps_to_the_rules),
		rpc_test(a_client_without_certificate_is_refused),
		rpc_test(a_message_that_is_too_large_is_refused),
		rpc_test(a_compressed_message_is_refused_unopened),
		rpc_test(another_version_or_method_is_refused),
		cmocka_unit_test_setup_teardown(
		    a_site_learns_which_side_is_behind, set_up_newer,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    an_answer_in_another_version_is_not_read, set_up_turncoat,
		    tear_down),
		rpc_test(an_answer_without_a_reply_is_none),
		rpc_test(only_tls_1_3_is_spoken),
		rpc_test(a_port_in_use_is_said_clearly),
		rpc_test(an_address_that_is_not_ours_is_said_clearly),
		rpc_test(an_address_that_is_none_is_said_clearly),
		rpc_test(nobody_listening_is_seen_at_once),
		rpc_test(a_proxy_in_the_environment_is_ignored),
		rpc_test(certificates_are_exchanged_while_it_runs),
		rpc_test(unreadable_certificates_change_nothing),
		rpc_test(stopping_lets_running_calls_end),
		rpc_test(stopping_cancels_what_does_not_end),
		rpc_test(a_killed_server_ends_its_calls),
		rpc_test(the_end_waits_for_a_name_that_is_looked_up),
		rpc_test(the_end_does_not_wait_for_ever),
		rpc_test(timers_fire_once_in_time_or_not_at_all),
		rpc_test(a_descriptor_is_served_until_it_is_deleted),
		rpc_test(a_descriptor_may_change_within_its_call),
	};
	int rv;

	if (argc == 3 && strcmp(argv[1], "--serve") == 0)
		return serve(argv[2]);
	signal(SIGPIPE, SIG_IGN);
	certs_make(&certs, "eurobreast");
	certs_make(&other, "another");
	rv = cmocka_run_group_tests(tests, NULL, NULL);
	certs_free(&certs);
	certs_free(&other);
	return rv;
}

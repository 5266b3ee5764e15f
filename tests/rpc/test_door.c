/*
 * A server that is flooded: who comes next is served all the same.
 */
#include "config.h"

#include "tests/check.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "rpc/client.h"
#include "rpc/core.h"
#include "rpc/door.h"
#include "rpc/server.h"
#include "tests/rpc/certs.h"

#define WAIT_MS 60000 /* that nothing here takes */
#define TURN_MS 50
#define DESCRIPTORS 400

static struct certs certs;

static struct {
	struct rpc_loop *loop;
	struct rpc_server *server;
	char address[32];
	uint32_t who; /* whom the next call is taken for */
	int admitted, held, gone;
	size_t turned_away; /* that the server has told of */
	int done; /* calls of our clients */
	enum rpc_status status; /* of the last */
	bool (*until)(void);
	int64_t end_ms;
} f;

static enum rpc_status
admit(void *self, const struct rpc_peer *peer, enum rpc_method method,
    uint32_t *who, struct err *err)
{
	(void)self;
	(void)peer;
	(void)method;
	(void)err;
	f.admitted++;
	*who = f.who;
	return RPC_OK;
}

/* Next waits for ever, all others are answered. */
static int
request(void *self, struct rpc_call *call, enum rpc_method method, uint32_t who,
    const struct rpc_msg *msg, struct err *err)
{
	(void)self;
	(void)who;
	if (method != RPC_NEXT)
		return rpc_call_reply(call, msg, err);
	f.held++;
	return 0;
}

static void
gone(void *self, struct rpc_call *call)
{
	(void)self;
	(void)call;
	f.gone++;
}

static void
turned_away(void *self, size_t n, const char *address)
{
	(void)self;
	(void)address;
	f.turned_away += n;
}

static int
on_done(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err)
{
	(void)self;
	(void)text;
	(void)reply;
	(void)err;
	f.done++;
	f.status = status;
	return 0;
}

static int
on_turn(void *self, struct err *err)
{
	(void)self;
	if (f.until())
		rpc_loop_stop(f.loop);
	else if (clock_mono_ms() > f.end_ms)
		return err_set(err, ERR_SYSTEM, "it never happened");
	return rpc_loop_set_timer(f.loop, TURN_MS, on_turn, NULL, err);
}

static void
run_until(bool (*until)(void))
{
	struct err err = { 0 };

	f.until = until;
	f.end_ms = clock_mono_ms() + WAIT_MS;
	rpc_loop_set_timer(f.loop, 0, on_turn, NULL, &err);
	if (rpc_loop_run(f.loop, &err) < 0)
		fail_msg("%s", err.msg);
	rpc_loop_set_timer(f.loop, -1, on_turn, NULL, &err);
}

static int
set_up(void **state)
{
	static const struct rpc_service service = { .admit = admit,
		.request = request,
		.gone = gone,
		.turned_away = turned_away };
	struct rpc_tls tls = certs_host(&certs);
	char address[DOOR_ADDRESS_SIZE];
	struct err err;

	(void)state;
	memset(&f, 0, sizeof(f));
	f.who = 7;
	door_turned_away(address);
	if ((f.loop = rpc_loop_new(NULL, &err)) == NULL)
		return -1;
	f.server = rpc_server_new(f.loop, "[::]:0", &tls, &service, &err);
	if (f.server == NULL)
		fail_msg("%s", err.msg);
	snprintf(f.address, sizeof(f.address), "127.0.0.1:%d",
	    rpc_server_port(f.server));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rpc_server_free(f.server);
	rpc_loop_free(f.loop);
	return 0;
}

static struct rpc_client *
make_client(void)
{
	struct rpc_tls tls = certs_site(&certs);
	struct rpc_client *c;
	struct err err;

	c = rpc_client_new(f.loop, f.address, NULL, NULL, &tls, &err);
	assert_non_null(c);
	return c;
}

static void
call(struct rpc_client *c, enum rpc_method method)
{
	struct rpc_msg m = { .data = "x", .len = 1 };
	struct err err;

	assert_non_null(
	    rpc_client_call(c, method, &m, WAIT_MS, on_done, NULL, &err));
}

static bool
is_done(void)
{
	return f.done > 0;
}

static enum rpc_status
answer_to(struct rpc_client *c)
{
	f.done = 0;
	call(c, RPC_SEND);
	run_until(is_done);
	return f.status;
}

/* Whoever comes now. */
static enum rpc_status
answer(void)
{
	struct rpc_client *c = make_client();
	enum rpc_status status = answer_to(c);

	rpc_client_free(c);
	return status;
}

/*
 * The flood: another process, which opens connections from some addresses of
 * the loopback, says half a word on each, and keeps as many as it can.
 */
static struct flood {
	pid_t pid;
	int enough; /* is readable when it has opened as many as it was to */
} flood;

static void
pour(unsigned n_addresses, size_t enough, int told)
{
	static int fds[1024];
	size_t opened = 0;

	for (size_t i = 0;; i = (i + 1) % nitems(fds)) {
		struct sockaddr_in from = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 +
			    (uint32_t)(i % n_addresses)) },
				   to = from;

		to.sin_port = htons((uint16_t)rpc_server_port(f.server));
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (fds[i] > 0)
			close(fds[i]);
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(fds[i], (struct sockaddr *)&from, sizeof(from)) < 0 ||
		    connect(fds[i], (struct sockaddr *)&to, sizeof(to)) < 0)
			continue;
		send(fds[i], "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL);
		if (++opened == enough && write(told, "x", 1) != 1)
			_exit(1);
	}
}

static bool
is_flooded(void)
{
	struct pollfd p = { flood.enough, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static void
start_flood(unsigned n_addresses, size_t enough)
{
	struct rlimit own, r;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	r = own;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if ((flood.pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pour(n_addresses, enough, ends[1]);
	}
	setrlimit(RLIMIT_NOFILE, &own);
	close(ends[1]);
	flood.enough = ends[0];
	run_until(is_flooded);
}

static void
end_flood(void)
{
	kill(flood.pid, SIGKILL);
	waitpid(flood.pid, NULL, 0);
	close(flood.enough);
}

static void
half_open_handshakes_of_one_address_keep_no_other_out(void **state)
{
	char address[DOOR_ADDRESS_SIZE];

	(void)state;
	start_flood(1, 3000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(answer(), RPC_OK);
	end_flood();
	assert_true(f.turned_away + door_turned_away(address) > 0);
	assert_string_equal(address, "127.0.0.2");
}

/* More than there are descriptors, from as many addresses as it takes. */
static void
half_open_handshakes_of_many_addresses_keep_nobody_out(void **state)
{
	struct rpc_client *member = make_client();

	(void)state;
	assert_int_equal(answer_to(member), RPC_OK);
	start_flood(200, 3000);
	for (int i = 0; i < 5; i++)
		assert_int_equal(answer_to(member), RPC_OK);
	end_flood();
	/* Those who wait to be accepted come first. */
	while (answer() != RPC_OK)
		;
	rpc_client_free(member);
}

static bool
is_held(void)
{
	return f.held > 0;
}

static bool
two_are_gone(void)
{
	return f.done == 2 && f.gone == 2;
}

static void
a_member_has_so_many_connections(void **state)
{
	struct rpc_client *c[DOOR_MEMBER_MAX + 2], *other = make_client();

	(void)state;
	f.who = 8;
	call(other, RPC_NEXT);
	run_until(is_held);
	f.who = 7;
	for (size_t i = 0; i < nitems(c); i++) {
		c[i] = make_client();
		call(c[i], RPC_NEXT);
	}
	run_until(two_are_gone);
	assert_int_equal(f.status, RPC_UNAVAILABLE);
	assert_int_equal(f.held, nitems(c) + 1);
	for (size_t i = 0; i < nitems(c); i++)
		rpc_client_free(c[i]);
	rpc_client_free(other);
}

/* Calls that never say what they want. */

#define CALLS 50 /* on each of two connections: fewer than it lets in */

static bool
all_admitted(void)
{
	return f.admitted == 2 * CALLS;
}

static void
a_member_has_so_many_calls(void **state)
{
	grpc_completion_queue *cq = grpc_completion_queue_create_for_next(NULL);
	struct rpc_tls tls = certs_site(&certs);
	grpc_metadata md = { .key = grpc_slice_from_static_string(
				 CORE_VERSION_KEY),
		.value = grpc_slice_from_static_string(RPC_VERSION) };
	grpc_op op = { .op = GRPC_OP_SEND_INITIAL_METADATA,
		.data.send_initial_metadata = { .count = 1, .metadata = &md } };
	grpc_call *calls[2 * CALLS];
	grpc_channel *channels[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		grpc_ssl_pem_key_cert_pair pair = { tls.key, tls.cert };
		grpc_channel_credentials *creds =
		    grpc_ssl_credentials_create_ex(tls.ca, &pair, NULL, NULL);

		channels[i] = grpc_channel_create(f.address, creds, NULL);
		grpc_channel_credentials_release(creds);
	}
	for (size_t i = 0; i < 2 * CALLS; i++) {
		calls[i] =
		    grpc_channel_create_call(channels[i % 2], NULL, 0, cq,
			grpc_slice_from_static_string(
			    "/consilium.v1.Consilium/Send"),
			NULL, core_deadline(WAIT_MS), NULL);
		assert_int_equal(
		    grpc_call_start_batch(calls[i], &op, 1, calls[i], NULL),
		    GRPC_CALL_OK);
	}
	run_until(all_admitted);
	assert_int_equal(answer(), RPC_EXHAUSTED);
	f.who = 8;
	assert_int_equal(answer(), RPC_OK);
	for (size_t i = 0; i < 2 * CALLS; i++) {
		grpc_call_cancel(calls[i], NULL);
		grpc_call_unref(calls[i]);
	}
	for (size_t i = 0; i < 2; i++)
		grpc_channel_destroy(channels[i]);
	grpc_completion_queue_shutdown(cq);
	while (
	    grpc_completion_queue_next(cq, core_deadline(WAIT_MS), NULL).type ==
	    GRPC_OP_COMPLETE)
		;
	grpc_completion_queue_destroy(cq);
}

/*
 * The door by itself, which stands in this program's accept4(), too.
 */

struct knock {
	int in; /* -1: it was not let in */
	int out; /* the other end */
	char peer[64]; /* as gRPC writes it */
};

static void
need_ipv6(void)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there =
	    fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

	close(fd);
	if (there)
		return;
	print_message("no IPv6 on this machine\n");
	skip();
}

/* A listener on the loopback that does not wait. */
static int
listener(int family)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (family == AF_INET)
		assert_int_equal(
		    bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	else
		assert_int_equal(
		    bind(fd, (struct sockaddr *)&in6, sizeof(in6)), 0);
	assert_int_equal(listen(fd, 100000), 0);
	return fd;
}

static struct knock
knock(int at)
{
	struct sockaddr_storage to, from;
	const struct sockaddr_in *in = (const void *)&from;
	const struct sockaddr_in6 *in6 = (const void *)&from;
	socklen_t len = sizeof(to);
	struct knock k;

	assert_int_equal(getsockname(at, (struct sockaddr *)&to, &len), 0);
	k.out = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(k.out >= 0);
	assert_int_equal(connect(k.out, (struct sockaddr *)&to, len), 0);
	len = sizeof(from);
	k.in = accept4(at, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
	if (from.ss_family == AF_INET)
		snprintf(k.peer, sizeof(k.peer), "ipv4:127.0.0.1:%u",
		    ntohs(in->sin_port));
	else
		snprintf(k.peer, sizeof(k.peer), "ipv6:%%5B::1%%5D:%u",
		    ntohs(in6->sin6_port));
	return k;
}

/* Has the other side closed it? */
static bool
is_sent_away(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static void
addresses_of_both_families_are_counted(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const char *const written[] = { "127.0.0.1", "::1" };
	struct knock k[DOOR_ADDRESS_MAX + 2];
	char address[DOOR_ADDRESS_SIZE];

	(void)state;
	need_ipv6();
	for (size_t f6 = 0; f6 < 2; f6++) {
		int at = listener(families[f6]);

		door_turned_away(address);
		k[0] = knock(at);
		assert_true(k[0].in >= 0);
		door_member(k[0].peer, 3); /* who does not count */
		door_member(k[0].peer, 3);
		for (size_t i = 1; i < nitems(k); i++) {
			k[i] = knock(at);
			assert_true(k[i].in >= 0);
		}
		assert_false(is_sent_away(k[0].out));
		assert_true(is_sent_away(k[1].out)); /* who came first */
		assert_false(is_sent_away(k[2].out));
		assert_int_equal(door_turned_away(address), 1);
		assert_string_equal(address, written[f6]);
		for (size_t i = 0; i < nitems(k); i++) {
			close(k[i].in);
			close(k[i].out);
		}
		close(at);
	}
}

/* As some versions of gRPC write it. */
static void
a_member_is_known_by_each_way_to_write_its_address(void **state)
{
	struct knock k[DOOR_MEMBER_MAX + 1];
	int at;

	(void)state;
	need_ipv6();
	at = listener(AF_INET6);
	for (size_t i = 0; i < nitems(k); i++) {
		char plain[64];

		k[i] = knock(at);
		snprintf(plain, sizeof(plain), "ipv6:[::1]:%s",
		    strrchr(k[i].peer, ':') + 1);
		door_member(i % 2 == 0 ? plain : k[i].peer, 4);
	}
	assert_true(is_sent_away(k[0].out));
	assert_false(is_sent_away(k[1].out));
	for (size_t i = 0; i < nitems(k); i++) {
		close(k[i].in);
		close(k[i].out);
	}
	close(at);
}

static void
nobody_is_a_member_by_another_address(void **state)
{
	static const char *const others[] = { "", "unix", "ipv4:127.0.0.1:x",
		"ipv6:%5B::2%5D:", "ipv4:127.0.0.1:" };
	struct knock k, more[DOOR_ADDRESS_MAX];
	int at;

	(void)state;
	need_ipv6();
	at = listener(AF_INET6);
	k = knock(at);
	for (size_t i = 0; i < nitems(others); i++) {
		char peer[64];

		snprintf(peer, sizeof(peer), "%s%s", others[i],
		    i < 3 ? "" : strrchr(k.peer, ':') + 1);
		door_member(peer, (uint32_t)i);
	}
	/* Others of the address send it away: it counts. */
	for (int i = 0; i < DOOR_ADDRESS_MAX; i++) {
		more[i] = knock(at);
		assert_int_equal(
		    is_sent_away(k.out), i == DOOR_ADDRESS_MAX - 1);
	}
	for (int i = 0; i < DOOR_ADDRESS_MAX; i++) {
		close(more[i].in);
		close(more[i].out);
	}
	close(k.in);
	close(k.out);
	close(at);
}

/* With half of the descriptors all members', nobody else comes in, and no
   member goes. */
static void
members_are_not_sent_away_for_others(void **state)
{
	int at = listener(AF_INET), ins[64], outs[64];
	struct rlimit own, few;
	struct knock other;
	size_t n = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	few = own;
	few.rlim_cur = 100; /* 50 of them */
	/* The tests before may have spent what this address may do at once. */
	sleep(2 * 51 / DOOR_RATE_PER_S);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (; n < 50; n++) {
		struct knock k = knock(at);

		assert_true(k.in >= 0);
		door_member(k.peer, (uint32_t)(100 + n));
		ins[n] = k.in;
		outs[n] = -1;
		if (n % 8 == 0)
			outs[n] = k.out;
		else
			close(k.out);
	}
	other = knock(at);
	assert_int_equal(other.in, -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(is_sent_away(other.out));
	close(other.out);
	for (size_t i = 0; i < n; i++) {
		if (outs[i] >= 0)
			assert_false(is_sent_away(outs[i]));
		close(ins[i]);
		close(outs[i]); /* of nothing, sometimes */
	}
	close(at);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &own), 0);
}

static void
who_comes_by_no_network_is_let_in(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);
	int at = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int out[2], in[2];

	(void)state;
	/* A name of the kernel's choice. */
	assert_int_equal(bind(at, (struct sockaddr *)&sun, len), 0);
	assert_int_equal(listen(at, 2), 0);
	len = sizeof(sun);
	assert_int_equal(getsockname(at, (struct sockaddr *)&sun, &len), 0);
	for (int i = 0; i < 2; i++) {
		out[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(
		    connect(out[i], (struct sockaddr *)&sun, len), 0);
	}
	in[0] = accept4(at, NULL, NULL, SOCK_CLOEXEC);
	len = sizeof(sun);
	in[1] = accept4(at, (struct sockaddr *)&sun, &len, SOCK_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		assert_true(in[i] >= 0);
		close(in[i]);
		close(out[i]);
	}
	close(at);
	assert_int_equal(close(-1), -1);
	assert_int_equal(errno, EBADF);
}

#define door_test(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		door_test(
		    half_open_handshakes_of_one_address_keep_no_other_out),
		door_test(
		    half_open_handshakes_of_many_addresses_keep_nobody_out),
		door_test(a_member_has_so_many_connections),
		door_test(a_member_has_so_many_calls),
		cmocka_unit_test(addresses_of_both_families_are_counted),
		cmocka_unit_test(
		    a_member_is_known_by_each_way_to_write_its_address),
		cmocka_unit_test(nobody_is_a_member_by_another_address),
		cmocka_unit_test(members_are_not_sent_away_for_others),
		cmocka_unit_test(who_comes_by_no_network_is_let_in),
	};
	struct rlimit few = { DESCRIPTORS, 0 };
	struct rlimit r;
	int rv;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	few.rlim_max = r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	certs_make(&certs, "eurobreast");
	rv = cmocka_run_group_tests(tests, NULL, NULL);
	certs_free(&certs);
	return rv;
}

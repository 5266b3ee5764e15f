/*
 * The executables uplink and listener, locked in as they run in production,
 * over loopback; this test is their parents, the gate and rounds.
 */
#include "tests/check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "privsep/chan.h"
#include "privsep/lock.h"
#include "privsep/spawn.h"
#include "tests/rpc/certs.h"

#define WAIT_MS 20000
#define SITE 3

static struct certs certs, other;

struct process {
	pid_t pid;
	struct chan *parent, *peer;
};

static struct fixture {
	struct process uplink, listener;
	int port;
	char log[64]; /* what both have said */
} f;

static const struct rpc_tls *
use(struct rpc_tls tls)
{
	static struct rpc_tls kept;

	kept = tls;
	return &kept;
}

static void
send_file(struct process *p, const char *name, const char *text)
{
	struct canon out = { 0 };
	struct err err;
	int fd = memfd_seal(name, text, strlen(text), &err);

	assert_true(fd >= 0);
	canon_text(&out, name);
	assert_int_equal(
	    chan_send(p->parent, MSG_FILE, 0, out.data, out.len, fd, &err), 0);
	canon_free(&out);
	close(fd);
}

static void
send_config(struct process *p, const struct rpc_tls *tls, const char *config)
{
	struct canon out = { 0 };
	struct err err;

	send_file(p, "ca.crt", tls->ca);
	send_file(p, "tls.crt", tls->cert);
	send_file(p, "tls.key", tls->key);
	canon_text(&out, "/etc/consilium/test.conf");
	canon_bytes(&out, config, strlen(config));
	canon_u32(&out, 0);
	assert_int_equal(
	    chan_send_canon(p->parent, MSG_CONFIG, 0, &out, &err), 0);
}

/* Its standard error is the log. */
static void
start(struct process *p, enum proc proc, enum proc peer,
    const struct rpc_tls *tls, const char *config)
{
	uint8_t peer_byte = (uint8_t)peer;
	int fds[2], own, log;
	struct err err;

	assert_int_equal(chan_pair(fds, &err), 0);
	own = dup(STDERR_FILENO);
	log = open(f.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dup2(log, STDERR_FILENO);
	p->pid = spawn(proc, 7, &p->parent, &err);
	dup2(own, STDERR_FILENO);
	close(own);
	close(log);
	assert_true(p->pid > 0);
	assert_int_equal(
	    chan_send(p->parent, MSG_PEER, 0, &peer_byte, 1, fds[1], &err), 0);
	close(fds[1]);
	p->peer = chan_new(fds[0], proc, &err);
	assert_non_null(p->peer);
	send_config(p, tls, config);
}

/* The next message of that type; STATUS and REACHED may come at any time. */
static struct msg
expect(struct chan *c, enum msg_type type)
{
	struct err err = { 0 };
	struct msg m;

	for (;;) {
		int rc = chan_wait(c, &m, WAIT_MS, &err);

		if (rc != 1)
			fail_msg("waiting for %s: %s", msg_name(type),
			    rc == 0 ? "the end" : err.msg);
		if (m.type == type)
			return m;
		if (m.type != MSG_STATUS && m.type != MSG_REACHED)
			fail_msg("%s, expected %s", msg_name(m.type),
			    msg_name(type));
		msg_free(&m);
	}
}

/* The status it exits with. */
static int
finish(struct process *p)
{
	struct err err;
	int status;

	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	chan_free(p->parent);
	chan_free(p->peer);
	(void)err;
	*p = (struct process){ 0 };
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
stop(struct process *p)
{
	struct err err;

	if (p->pid == 0)
		return 0;
	assert_int_equal(
	    chan_send(p->parent, MSG_STOP, 0, NULL, 0, -1, &err), 0);
	return finish(p);
}

static void
print_log(void)
{
	struct err err;
	size_t len;
	char *log = (char *)file_read(f.log, 1 << 20, &len, &err);

	print_error("the log says:\n%s\n", log != NULL ? log : "");
	free(log);
}

/* Until the log has it. */
static void
expect_log(const char *text)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	struct err err;

	for (;;) {
		size_t len;
		char *log = (char *)file_read(f.log, 1 << 20, &len, &err);
		bool found = log != NULL && strstr(log, text) != NULL;

		if (found || clock_mono_ms() > end) {
			free(log);
			if (!found)
				print_log();
			assert_true(found);
			return;
		}
		free(log);
		usleep(10000);
	}
}

/* The one TCP port that a process started from now on may use. */
static void
fence_port(int port)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", port);
	assert_int_equal(setenv(LOCK_PORT_ENV, number, 1), 0);
}

static void
start_listener(int port)
{
	char config[300], *log, *at;
	struct msg m;
	struct err err;
	size_t len;

	snprintf(config, sizeof(config),
	    "[coordinator]\nname = c\nstate = /s\nkeys = /k\n"
	    "listen = 127.0.0.1:%d\n[control]\nsocket = /c\n",
	    port);
	fence_port(port);
	start(&f.listener, PROC_LISTENER, PROC_ROUNDS, use(certs_host(&certs)),
	    config);
	m = expect(f.listener.parent, MSG_READY);
	msg_free(&m);
	log = (char *)file_read(f.log, 1 << 20, &len, &err);
	assert_non_null(log);
	assert_non_null(at = strstr(log, "listener info: "));
	assert_int_equal(
	    sscanf(at, "listener info: listening on 127.0.0.1:%d", &f.port), 1);
	free(log);
}

static const char *
uplink_config(const char *host)
{
	static char config[600];

	snprintf(config, sizeof(config),
	    "[site]\nname = lyon\nstate = /s\nkeys = /k\n"
	    "[coordinator]\naddress = %s:%d\nserver-name = 127.0.0.1\n"
	    "[officer]\npublic-key = d75a980182b10ab7d54bfed3c964073a0ee172f3"
	    "daa62325af021a68f707511a\n"
	    "[source]\ncsv = /a.csv\n[control]\nsocket = /c\n",
	    host, f.port);
	return config;
}

static void
start_uplink(const char *host)
{
	struct msg m;

	fence_port(f.port);
	start(&f.uplink, PROC_UPLINK, PROC_GATE, use(certs_site(&certs)),
	    uplink_config(host));
	m = expect(f.uplink.parent, MSG_READY);
	msg_free(&m);
}

/* Site 9, whose key is the other one, and maybe ours. */
static void
allow(bool ours)
{
	struct canon out = { 0 };
	struct err err;

	canon_u32(&out, ours ? 2 : 1);
	canon_u32(&out, 9);
	canon_raw(&out, other.site_spki, 32);
	if (ours) {
		canon_u32(&out, SITE);
		canon_raw(&out, certs.site_spki, 32);
	}
	assert_int_equal(
	    chan_send_canon(f.listener.peer, MSG_ALLOW_LIST, 0, &out, &err), 0);
}

static int
set_up(void **state)
{
	int fd;

	(void)state;
	memset(&f, 0, sizeof(f));
	snprintf(f.log, sizeof(f.log), "/tmp/test_processes.XXXXXX");
	if ((fd = mkstemp(f.log)) < 0)
		return -1;
	close(fd);
	start_listener(0);
	allow(true);
	start_uplink("127.0.0.1");
	return 0;
}

static int
tear_down(void **state)
{
	int rv = stop(&f.uplink);

	(void)state;
	rv |= stop(&f.listener);
	if (rv != 0) /* the reports of sanitizers, too */
		print_log();
	unlink(f.log);
	return rv;
}

static void
from_gate(enum msg_type type, uint64_t tag, const void *p, size_t len)
{
	struct err err;

	assert_int_equal(
	    chan_send(f.uplink.peer, type, tag, p, len, -1, &err), 0);
}

static void
from_rounds(uint64_t tag, uint32_t code, const void *p, size_t len)
{
	struct canon out = { 0 };
	struct err err;

	canon_u32(&out, code);
	canon_raw(&out, p, len);
	assert_int_equal(
	    chan_send_canon(f.listener.peer, MSG_REPLY, tag, &out, &err), 0);
}

/* A request as rounds sees it. */
static struct msg
expect_request(enum rpc_method method, struct canon_in *body)
{
	struct msg m = expect(f.listener.peer, MSG_REQUEST);

	*body = canon_in(m.data, m.len);
	assert_int_equal(canon_get_u8(body), method);
	assert_int_equal(canon_get_u32(body), SITE);
	return m;
}

static void
expect_question(const char *text, uint64_t *tag)
{
	struct canon_in body;
	struct msg m = expect_request(RPC_NEXT, &body);

	assert_int_equal(body.end - body.p, strlen(text));
	assert_memory_equal(body.p, text, strlen(text));
	*tag = m.tag;
	msg_free(&m);
}

static void
expect_at_gate(enum msg_type type, uint64_t tag, const char *text)
{
	struct msg m = expect(f.uplink.peer, type);

	assert_int_equal(m.tag, tag);
	assert_int_equal(m.len, strlen(text));
	assert_memory_equal(m.data, text, m.len);
	msg_free(&m);
}

static void
expect_reached(bool reached)
{
	struct msg m = expect(f.uplink.peer, MSG_REACHED);

	assert_int_equal(m.len, 1);
	assert_int_equal(m.data[0], reached);
	msg_free(&m);
}

/* How a job ended. */
static enum err_code
delivered(uint64_t tag, char *why, size_t size)
{
	struct msg m = expect(f.uplink.peer, MSG_DELIVERED);
	struct canon_in in = canon_in(m.data, m.len);
	enum err_code code = (enum err_code)canon_get_u32(&in);
	const uint8_t *text;
	struct err err;
	size_t len;

	text = canon_get_bytes(&in, 0, 1000, &len);
	assert_int_equal(canon_end(&in, "DELIVERED", &err), 0);
	assert_int_equal(m.tag, tag);
	snprintf(why, size, "%.*s", (int)len, (const char *)text);
	msg_free(&m);
	return code;
}

/* Its own certificate is fine, and the coordinator's is none of its CA: what
   an expired one looks like, too. */
static void
a_coordinator_with_a_bad_certificate_is_named(void **state)
{
	struct msg m;

	(void)state;
	assert_int_equal(stop(&f.uplink), 0);
	fence_port(f.port);
	start(&f.uplink, PROC_UPLINK, PROC_GATE, use(certs_site(&other)),
	    uplink_config("127.0.0.1"));
	m = expect(f.uplink.parent, MSG_READY);
	msg_free(&m);
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_log("the coordinator's certificate has expired, or is not one "
		   "of our CA");
}

/*
 * A proxy that a test is: it takes one connection at a time, expects a CONNECT,
 * answers with a line, and hands bytes on.
 */
#define ASKED_MAX 8
struct proxy {
	int listener, port;
	const char *answer;
	char asked[512]; /* the first line that it was asked */
	/* When it was; clock_mono_ms(). */
	_Atomic size_t n_asked;
	int64_t asked_at[ASKED_MAX];
	pthread_t thread;
};

/* Bytes from one side to the other, until one is at its end. */
static void
hand_on(int a, int b)
{
	struct pollfd p[2] = { { a, POLLIN, 0 }, { b, POLLIN, 0 } };
	char buf[16384];

	for (;;) {
		if (poll(p, 2, WAIT_MS) <= 0)
			return;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].revents == 0)
				continue;
			n = read(p[i].fd, buf, sizeof(buf));
			if (n <= 0 ||
			    send(p[1 - i].fd, buf, (size_t)n, MSG_NOSIGNAL) !=
				n)
				return;
		}
	}
}

static int
connect_to(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void *
proxy_thread(void *arg)
{
	struct proxy *p = arg;
	int from, to;

	while ((from = accept(p->listener, NULL, NULL)) >= 0) {
		char head[2048] = "";
		size_t n = 0;

		if (p->n_asked < ASKED_MAX) {
			p->asked_at[p->n_asked] = clock_mono_ms();
			p->n_asked++;
		}

		while (strstr(head, "\r\n\r\n") == NULL &&
		    n < sizeof(head) - 1 && read(from, head + n, 1) == 1)
			head[++n] = '\0';
		head[strcspn(head, "\r")] = '\0';
		if (p->asked[0] == '\0')
			snprintf(p->asked, sizeof(p->asked), "%.500s", head);
		n = strlen(p->answer);
		if (send(from, p->answer, n, MSG_NOSIGNAL) == (ssize_t)n &&
		    strstr(p->answer, " 200 ") != NULL &&
		    (to = connect_to(f.port)) >= 0) {
			hand_on(from, to);
			close(to);
		}
		close(from);
	}
	return NULL;
}

static void
proxy_start(struct proxy *p, const char *answer)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	*p = (struct proxy){ .answer = answer };
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(p->listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(p->listener, 4), 0);
	assert_int_equal(
	    getsockname(p->listener, (struct sockaddr *)&sin, &len), 0);
	p->port = ntohs(sin.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, proxy_thread, p), 0);
}

static void
proxy_stop(struct proxy *p)
{
	shutdown(p->listener, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->listener);
}

/* The uplink may use the proxy's port and no other; so it went there. */
static void
start_uplink_behind(int proxy_port)
{
	char config[800], *at;
	struct msg m;

	assert_int_equal(stop(&f.uplink), 0);
	snprintf(config, sizeof(config), "%s", uplink_config("127.0.0.1"));
	at = strstr(config, "[officer]");
	assert_non_null(at);
	snprintf(at, sizeof(config) - (size_t)(at - config),
	    "proxy = 127.0.0.1:%d\n%s", proxy_port,
	    strstr(uplink_config("127.0.0.1"), "[officer]"));
	fence_port(proxy_port);
	start(
	    &f.uplink, PROC_UPLINK, PROC_GATE, use(certs_site(&certs)), config);
	m = expect(f.uplink.parent, MSG_READY);
	msg_free(&m);
}

static void
a_proxy_is_gone_through(void **state)
{
	struct proxy p;
	char line[64];
	uint64_t tag;

	(void)state;
	proxy_start(&p, "HTTP/1.1 200 Connection established\r\n\r\n");
	start_uplink_behind(p.port);
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "announce", 8);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
	assert_int_equal(stop(&f.uplink), 0);
	proxy_stop(&p);
	snprintf(line, sizeof(line), "CONNECT 127.0.0.1:%d HTTP/1.", f.port);
	assert_int_equal(strncmp(p.asked, line, strlen(line)), 0);
}

static void
a_proxy_that_refuses_is_named_in_the_log(void **state)
{
	struct proxy p;

	(void)state;
	proxy_start(&p, "HTTP/1.1 403 Forbidden\r\n\r\n");
	start_uplink_behind(p.port);
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_log("HTTP proxy returned response code 403");
	assert_int_equal(stop(&f.uplink), 0);
	proxy_stop(&p);
}

/* gRPC's connection-backoff.md: 0.2 s, then 1.6 times as long each time, a fifth
   more or less by chance.  A busy machine only makes it later. */
static void
who_stays_away_is_asked_less_and_less(void **state)
{
	int64_t begun = clock_mono_ms();
	double least_ms = 0, wait_ms = 200;
	struct proxy p;

	(void)state;
	proxy_start(&p, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
	start_uplink_behind(p.port);
	from_gate(MSG_POLL, 0, "state 0", 7);
	while (p.n_asked < ASKED_MAX) {
		assert_true(clock_mono_ms() < begun + WAIT_MS);
		usleep(10000);
	}
	for (size_t k = 1; k < ASKED_MAX; k++, wait_ms *= 1.6) {
		least_ms += 0.8 * wait_ms;
		assert_true((double)(p.asked_at[k] - begun) >= least_ms - k);
	}
	assert_int_equal(stop(&f.uplink), 0);
	proxy_stop(&p);
}

static void
a_question_is_asked_until_there_is_an_answer(void **state)
{
	uint64_t tag;

	(void)state;
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "", 0); /* nothing for now */
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "announce", 8);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
	/* The gate says nothing: in time it is asked the same. */
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "announce", 8);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
	/* It has moved on. */
	from_gate(MSG_POLL, 0, "state 1", 7);
	expect_question("state 1", &tag);
	/* A new question takes the place of one that is held. */
	from_gate(MSG_POLL, 0, "state 2", 7);
	expect_question("state 2", &tag);
	from_rounds(tag, 0, "roster", 6);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "roster");
}

static void
an_answer_is_followed_by_the_next_question_at_once(void **state)
{
	struct canon_in body;
	int64_t began;
	uint64_t tag;
	char why[100];
	struct msg m;

	(void)state;
	from_gate(MSG_POLL, 0, "state 0", 7);
	for (int i = 0; i < 5; i++) { /* or the pause would be doubled */
		expect_question("state 0", &tag);
		from_rounds(tag, 0, "announce", 8);
		expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
		began = clock_mono_ms();
		from_gate(MSG_TO_COORDINATOR, 5, "ready", 5);
		m = expect_request(RPC_SEND, &body);
		assert_memory_equal(body.p, "ready", 5);
		from_rounds(m.tag, 0, "", 0);
		msg_free(&m);
		assert_int_equal(delivered(5, why, sizeof(why)), ERR_NONE);
	}
	expect_question("state 0", &tag);
	assert_true(clock_mono_ms() - began < 2000);
	from_rounds(tag, 0, "", 0);
}

static void
what_the_coordinator_refuses_the_gate_is_told(void **state)
{
	struct canon_in body;
	char why[100];
	struct msg m;

	(void)state;
	from_gate(MSG_TO_COORDINATOR, 17, "confirm", 7);
	m = expect_request(RPC_SEND, &body);
	from_rounds(m.tag, ERR_REFUSED, "too late", 8);
	msg_free(&m);
	assert_int_equal(delivered(17, why, sizeof(why)), ERR_REFUSED);
	assert_string_equal(why, "too late");
	from_gate(MSG_TO_COORDINATOR, 18, "confirm", 7);
	m = expect_request(RPC_SEND, &body);
	from_rounds(m.tag, ERR_PEER, "no signature", 12);
	msg_free(&m);
	assert_int_equal(delivered(18, why, sizeof(why)), ERR_PEER);
}

static uint8_t *
numbers(size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 31 + i / 1000);
	return p;
}

static void
upload(uint64_t tag, const uint8_t *words, size_t len)
{
	struct canon out = { 0 };
	uint8_t root[32];

	memset(root, 0xab, sizeof(root));
	canon_raw(&out, root, sizeof(root));
	canon_u64(&out, RPC_CHUNK);
	canon_raw(&out, words, len);
	from_gate(MSG_UPLOAD, tag, out.data, out.len);
	canon_free(&out);
}

/* Take the chunk that comes, and say how many stand. */
static void
take_chunk(uint32_t index, const uint8_t *words, size_t len, uint32_t have)
{
	struct canon out = { 0 };
	struct canon_in body;
	uint8_t root[32];
	struct msg m = expect_request(RPC_PUT_CHUNK, &body);

	canon_get_raw(&body, root, sizeof(root));
	assert_int_equal(root[31], 0xab);
	assert_int_equal(canon_get_u32(&body), index);
	assert_int_equal(body.end - body.p, len);
	assert_memory_equal(body.p, words + index * RPC_CHUNK, len);
	canon_u32(&out, have);
	from_rounds(m.tag, 0, out.data, out.len);
	canon_free(&out);
	msg_free(&m);
}

static void
an_upload_goes_in_chunks_and_on_where_it_stopped(void **state)
{
	size_t len = 3 * RPC_CHUNK + 8;
	uint8_t *words = numbers(len);
	char why[100];

	(void)state;
	upload(1, words, len);
	take_chunk(0, words, RPC_CHUNK, 1);
	take_chunk(1, words, RPC_CHUNK, 2);
	take_chunk(2, words, RPC_CHUNK, 3);
	take_chunk(3, words, 8, 4);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_NONE);
	/* Two stand from before; then a restart over there loses all. */
	upload(2, words, len);
	take_chunk(0, words, RPC_CHUNK, 2);
	take_chunk(2, words, RPC_CHUNK, 0);
	take_chunk(0, words, RPC_CHUNK, 3);
	take_chunk(3, words, 8, 4);
	assert_int_equal(delivered(2, why, sizeof(why)), ERR_NONE);
	/* All of them stand. */
	upload(3, words, len);
	take_chunk(0, words, RPC_CHUNK, 4);
	assert_int_equal(delivered(3, why, sizeof(why)), ERR_NONE);
	free(words);
}

static void
an_upload_that_gets_nowhere_ends(void **state)
{
	uint8_t *words = numbers(8);
	char why[100];

	(void)state;
	upload(1, words, 8);
	for (int i = 0; i < 10; i++)
		take_chunk(0, words, 8, 0);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_PEER);
	free(words);
}

static void
fetch(uint64_t tag, uint64_t len)
{
	struct canon out = { 0 };
	uint8_t digest[32];

	memset(digest, 0xcd, sizeof(digest));
	canon_raw(&out, digest, sizeof(digest));
	canon_u64(&out, len);
	from_gate(MSG_FETCH, tag, out.data, out.len);
	canon_free(&out);
}

static void
give_chunk(uint32_t index, const uint8_t *data, size_t len, uint32_t total)
{
	struct canon out = { 0 };
	struct canon_in body;
	uint8_t digest[32];
	struct msg m = expect_request(RPC_GET_CHUNK, &body);

	canon_get_raw(&body, digest, sizeof(digest));
	assert_int_equal(digest[0], 0xcd);
	assert_int_equal(canon_get_u32(&body), index);
	canon_u32(&out, total);
	canon_raw(&out, data + index * RPC_CHUNK, len);
	from_rounds(m.tag, 0, out.data, out.len);
	canon_free(&out);
	msg_free(&m);
}

static void
what_the_gate_fetches_comes_whole_or_not_at_all(void **state)
{
	size_t len = 2 * RPC_CHUNK + 100;
	uint8_t *data = numbers(len);
	char why[100];
	struct msg m;

	(void)state;
	fetch(1, len);
	give_chunk(0, data, RPC_CHUNK, 3);
	give_chunk(1, data, RPC_CHUNK, 3);
	give_chunk(2, data, 100, 3);
	m = expect(f.uplink.peer, MSG_FETCHED);
	assert_int_equal(m.tag, 1);
	assert_int_equal(m.len, len);
	assert_memory_equal(m.data, data, len);
	msg_free(&m);
	fetch(2, len);
	give_chunk(0, data, RPC_CHUNK, 3);
	give_chunk(1, data, RPC_CHUNK - 1, 3);
	assert_int_equal(delivered(2, why, sizeof(why)), ERR_PEER);
	fetch(3, len);
	give_chunk(0, data, RPC_CHUNK, 4);
	assert_int_equal(delivered(3, why, sizeof(why)), ERR_PEER);
	free(data);
}

static void
a_site_that_is_not_in_the_manifest_is_refused(void **state)
{
	struct canon_in body;
	char why[200];
	struct msg m;

	(void)state;
	allow(false);
	expect_log("members that may connect: 1");
	from_gate(MSG_TO_COORDINATOR, 1, "ready", 5);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_CONFIG);
	assert_string_equal(why,
	    "the manifest does not have this site's TLS key: ask the "
	    "consortium's root for one that has");
	expect_log("refused ipv4:127.0.0.1");
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_log("coordinator not reached: the manifest does not have");
	/* The next manifest has it. */
	allow(true);
	expect_log("members that may connect: 2\n");
	expect_question("state 0", &m.tag);
	from_gate(MSG_TO_COORDINATOR, 2, "ready", 5);
	m = expect_request(RPC_SEND, &body);
	from_rounds(m.tag, 0, "", 0);
	msg_free(&m);
	assert_int_equal(delivered(2, why, sizeof(why)), ERR_NONE);
}

static void
a_coordinator_that_was_away_is_found_again(void **state)
{
	uint64_t tag;
	char why[200];

	(void)state;
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "", 0);
	expect_reached(true);
	expect_question("state 0", &tag);
	kill(f.listener.pid, SIGKILL);
	assert_int_equal(finish(&f.listener), -1);
	expect_log("coordinator not reached: ");
	expect_reached(false);
	from_gate(MSG_TO_COORDINATOR, 1, "ready", 5);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_SYSTEM);
	start_listener(f.port);
	allow(true);
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "announce", 8);
	expect_reached(true);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
	expect_log("coordinator reached");
}

/* A later release of the coordinator, in the listener's place; its pid. */
static pid_t
start_newer(int port)
{
	static char dir[] = "/tmp/test_newer.XXXXXX";
	struct rpc_tls tls = certs_host(&certs);
	char program[1024], address[32], line[16] = "", path[64];
	const struct {
		const char *name, *text;
	} files[] = { { "ca.crt", tls.ca }, { "tls.crt", tls.cert },
		{ "tls.key", tls.key } };
	int out[2];
	struct err err;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		assert_int_equal(file_write(path, files[i].text,
				     strlen(files[i].text), 0600, &err),
		    0);
	}
	snprintf(
	    program, sizeof(program), "%s/tests/rpc/newer", getenv("builddir"));
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	assert_int_equal(pipe(out), 0);
	if ((pid = fork()) == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl(program, program, address, dir, NULL);
		_exit(127);
	}
	close(out[1]);
	assert_int_equal(read(out[0], line, sizeof(line) - 1), 10);
	assert_string_equal(line, "listening\n");
	close(out[0]);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		unlink(path);
	}
	rmdir(dir);
	return pid;
}

/* The site's log says which side has to be upgraded, and the gate hears it; when
   the versions are the same again, it goes on. */
static void
a_site_that_is_behind_says_so_and_waits(void **state)
{
	static const char words[] =
	    "the coordinator speaks version 2 of the protocol, and you 1: "
	    "upgrade this site";
	int port = f.port;
	char why[300];
	uint64_t tag;
	pid_t newer;

	(void)state;
	assert_int_equal(stop(&f.listener), 0);
	newer = start_newer(port);
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_log(words);
	from_gate(MSG_TO_COORDINATOR, 1, "ready", 5);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_CONFIG);
	assert_string_equal(why, words);
	kill(newer, SIGKILL);
	assert_int_equal(waitpid(newer, NULL, 0), newer);
	start_listener(port);
	allow(true);
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "announce", 8);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
	expect_log("coordinator reached");
}

static void
a_site_has_so_many_calls_at_once(void **state)
{
	struct canon_in body;
	char why[200];
	int refused = 0;
	struct msg m;

	(void)state;
	for (uint64_t i = 0; i < 40; i++)
		from_gate(MSG_TO_COORDINATOR, 7, "ready", 5);
	for (; refused < 8; refused++) {
		assert_int_equal(delivered(7, why, sizeof(why)), ERR_SYSTEM);
		assert_string_equal(why, "too many calls at once");
	}
	for (int i = 0; i < 32; i++) {
		m = expect_request(RPC_SEND, &body);
		from_rounds(m.tag, 0, "", 0);
		msg_free(&m);
		assert_int_equal(delivered(7, why, sizeof(why)), ERR_NONE);
	}
}

static void
certificates_are_taken_while_running(void **state)
{
	struct canon_in body;
	char why[200];
	struct msg m;

	(void)state;
	send_config(
	    &f.listener, use(certs_host(&other)), "[coordinator]\nx = 1\n");
	expect_log("listener info: new certificates in use");
	send_config(
	    &f.uplink, use(certs_site(&other)), uplink_config("127.0.0.1"));
	expect_log("uplink info: new certificates in use");
	from_gate(MSG_TO_COORDINATOR, 1, "ready", 5);
	m = expect(f.listener.peer, MSG_REQUEST);
	body = canon_in(m.data, m.len);
	assert_int_equal(canon_get_u8(&body), RPC_SEND);
	assert_int_equal(canon_get_u32(&body), 9); /* another site's key */
	from_rounds(m.tag, 0, "", 0);
	msg_free(&m);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_NONE);
}

static void
bad_certificates_are_not_taken_while_running(void **state)
{
	struct rpc_tls tls = certs_host(&certs);
	struct canon_in body;
	char why[200];
	struct msg m;

	(void)state;
	tls.key = certs.site_key;
	send_config(&f.listener, &tls, "");
	expect_log("tls.crt: does not belong to tls.key; the old certificates "
		   "stay in use");
	from_gate(MSG_TO_COORDINATOR, 1, "ready", 5);
	m = expect_request(RPC_SEND, &body);
	from_rounds(m.tag, 0, "", 0);
	msg_free(&m);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_NONE);
}

static void
the_parent_is_answered_while_a_call_is_held(void **state)
{
	uint64_t tag;
	struct msg m;
	struct err err;

	(void)state;
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
	for (uint64_t i = 1; i < 4; i++) {
		chan_send(f.uplink.parent, MSG_PING, i, NULL, 0, -1, &err);
		m = expect(f.uplink.parent, MSG_PONG);
		assert_int_equal(m.tag, i);
		msg_free(&m);
		chan_send(f.listener.parent, MSG_PING, i, NULL, 0, -1, &err);
		m = expect(f.listener.parent, MSG_PONG);
		assert_int_equal(m.tag, i);
		msg_free(&m);
	}
	assert_int_equal(stop(&f.listener), 0);
	assert_int_equal(stop(&f.uplink), 0);
}

static void
an_expired_certificate_is_said_at_the_start(void **state)
{
	struct rpc_tls tls = certs_site(&certs);

	(void)state;
	assert_int_equal(stop(&f.uplink), 0);
	tls.cert = certs.old;
	start(&f.uplink, PROC_UPLINK, PROC_GATE, &tls,
	    uplink_config("127.0.0.1"));
	assert_int_equal(finish(&f.uplink), 1);
	expect_log("uplink error: tls.crt: expired at ");
}

static void
a_port_in_use_is_said_at_the_start(void **state)
{
	struct process second = { 0 };
	char config[300], want[200];

	(void)state;
	snprintf(config, sizeof(config),
	    "[coordinator]\nname = c\nstate = /s\nkeys = /k\n"
	    "listen = 127.0.0.1:%d\n[control]\nsocket = /c\n",
	    f.port);
	start(&second, PROC_LISTENER, PROC_ROUNDS, use(certs_host(&certs)),
	    config);
	assert_int_equal(finish(&second), 1);
	snprintf(want, sizeof(want),
	    "listener error: cannot listen on 127.0.0.1:%d: Address already in "
	    "use",
	    f.port);
	expect_log(want);
}

/* The resolver runs locked in, too. */
static void
a_coordinator_is_found_by_its_name(void **state)
{
	uint64_t tag;

	(void)state;
	assert_int_equal(stop(&f.uplink), 0);
	start_uplink("localhost");
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "", 0);
}

/* Where there is a name server, this is the way to it and back. */
static void
a_name_that_does_not_exist_is_out_of_reach(void **state)
{
	char why[300];

	(void)state;
	assert_int_equal(stop(&f.uplink), 0);
	start_uplink("coordinator.invalid");
	from_gate(MSG_TO_COORDINATOR, 1, "ready", 5);
	assert_int_equal(delivered(1, why, sizeof(why)), ERR_SYSTEM);
	assert_non_null(strstr(why, "coordinator.invalid"));
}

/*
 * What the other processes of the house never send: who is told it ends, and
 * says so.
 */

static void
chunks(struct canon *out, uint64_t first, uint64_t second, size_t more)
{
	static const uint8_t bytes[64];

	canon_raw(out, bytes, RPC_ID);
	canon_u64(out, first);
	if (second != 0)
		canon_u64(out, second);
	canon_raw(out, bytes, more);
}

static void
uplink_ends(enum msg_type type, struct canon *what, const char *words)
{
	start_uplink("127.0.0.1");
	from_gate(type, 1, what->data, what->len);
	canon_free(what);
	assert_int_equal(finish(&f.uplink), 1);
	expect_log(words);
}

static void
an_uplink_ends_when_it_is_told_nonsense(void **state)
{
	struct canon c = { 0 };

	(void)state;
	assert_int_equal(stop(&f.uplink), 0);
	chunks(&c, 0, 0, 1);
	uplink_ends(MSG_UPLOAD, &c, "UPLOAD of 1 bytes in chunks of 0");
	chunks(&c, RPC_CHUNK + 1, 0, 2);
	uplink_ends(MSG_UPLOAD, &c, "UPLOAD of 2 bytes in chunks of 262145");
	chunks(&c, 0, 0, 0);
	uplink_ends(MSG_FETCH, &c, "FETCH of 0 bytes");
	chunks(&c, UINT64_MAX, 0, 0);
	uplink_ends(MSG_FETCH, &c, "FETCH of 18446744073709551615 bytes");
	chunks(&c, 10, 0, 2); /* half of an index */
	uplink_ends(MSG_FETCH, &c, "FETCH: ");
	chunks(&c, RPC_CHUNK + 1, 0, 4); /* an index */
	uplink_ends(MSG_FETCH, &c, "FETCH of 262145 bytes as a chunk");
	canon_u8(&c, 1);
	uplink_ends(
	    MSG_READY, &c, "READY of 1 bytes from gate is not expected");
}

static void
listener_ends(
    enum msg_type type, uint64_t tag, struct canon *what, const char *words)
{
	struct err err;

	assert_int_equal(
	    chan_send_canon(f.listener.peer, type, tag, what, &err), 0);
	assert_int_equal(finish(&f.listener), 1);
	expect_log(words);
	start_listener(f.port);
	allow(true);
}

static void
a_listener_ends_when_it_is_told_nonsense(void **state)
{
	struct canon c = { 0 };
	struct canon_in body;
	struct msg m;

	(void)state;
	canon_u32(&c, 2); /* and is one */
	canon_u32(&c, SITE);
	canon_raw(&c, certs.site_spki, 32);
	listener_ends(MSG_ALLOW_LIST, 0, &c, "ALLOW_LIST of 2 members");
	canon_u32(&c, 65536);
	listener_ends(MSG_ALLOW_LIST, 0, &c, "ALLOW_LIST of 65536 members");
	canon_u8(&c, 1);
	listener_ends(MSG_READY, 0, &c, "from rounds is not expected");
	/* Of nobody's request: who asked is gone. */
	from_rounds(9999, 0, "", 0);
	fetch(1, 10);
	m = expect_request(RPC_GET_CHUNK, &body);
	canon_u32(&c, ERR_NONE); /* and no number of chunks */
	listener_ends(MSG_REPLY, m.tag, &c, "REPLY cut short");
	msg_free(&m);
}

static void
an_answer_that_cannot_be_sent_is_none(void **state)
{
	struct canon_in body;
	char why[100];
	struct msg m;

	(void)state;
	fetch(1, 10);
	m = expect_request(RPC_GET_CHUNK, &body);
	from_rounds(m.tag, 0, "\0\0\0\1", 4); /* a chunk of no bytes */
	msg_free(&m);
	assert_int_not_equal(delivered(1, why, sizeof(why)), ERR_NONE);
	assert_string_equal(why, "no answer");
	expect_log("reply to site 3: GetChunkReply.data: 0 bytes, expected 1");
	fetch(2, 10); /* all goes on */
	give_chunk(0, (const uint8_t *)"0123456789", 10, 1);
	m = expect(f.uplink.peer, MSG_FETCHED);
	assert_memory_equal(m.data, "0123456789", 10);
	msg_free(&m);
}

static void
one_chunk_is_fetched_alone(void **state)
{
	static const uint8_t data[8 * RPC_CHUNK];
	struct canon c = { 0 };
	char why[100];
	struct msg m;

	(void)state;
	for (uint64_t tag = 1; tag <= 2; tag++) {
		uint8_t digest[32];

		memset(digest, 0xcd, sizeof(digest));
		canon_raw(&c, digest, sizeof(digest));
		canon_u64(&c, 100);
		canon_u32(&c, 7);
		from_gate(MSG_FETCH, tag, c.data, c.len);
		canon_free(&c);
		give_chunk(7, data, tag == 1 ? 100 : 99, 8);
	}
	m = expect(f.uplink.peer, MSG_FETCHED);
	assert_int_equal(m.tag, 1);
	assert_int_equal(m.len, 100);
	msg_free(&m);
	assert_int_equal(delivered(2, why, sizeof(why)), ERR_PEER);
	assert_string_equal(why, "a chunk of another size than due");
}

/* What is sent may have an answer of its own: a countersigned checkpoint. */
static void
an_answer_to_what_was_sent_goes_to_the_gate(void **state)
{
	struct canon_in body;
	char why[100];
	struct msg m;

	(void)state;
	from_gate(MSG_TO_COORDINATOR, 4, "checkpoint", 10);
	m = expect_request(RPC_SEND, &body);
	from_rounds(m.tag, 0, "countersigned", 13);
	msg_free(&m);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "countersigned");
	assert_int_equal(delivered(4, why, sizeof(why)), ERR_NONE);
}

static void
the_list_changes_while_a_call_is_held(void **state)
{
	uint64_t tag;

	(void)state;
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
	allow(true);
	allow(false);
	allow(true);
	expect_log("members that may connect: 1");
	from_rounds(tag, 0, "announce", 8);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
	from_gate(MSG_POLL, 0, "state 1", 7);
	expect_question("state 1", &tag);
}

static void
what_is_not_handed_over_is_missed_at_the_start(void **state)
{
	struct process p = { 0 };
	struct canon c = { 0 };
	int fds[2];
	struct err err;

	(void)state;
	assert_int_equal(chan_pair(fds, &err), 0);
	for (int with = 0; with < 2; with++) {
		int own = dup(STDERR_FILENO);
		int log = open(f.log, O_WRONLY | O_APPEND | O_CLOEXEC);

		dup2(log, STDERR_FILENO);
		p.pid = spawn(PROC_UPLINK, 7, &p.parent, &err);
		dup2(own, STDERR_FILENO);
		close(own);
		close(log);
		assert_true(p.pid > 0);
		if (with != 0) {
			send_config(&p, use(certs_site(&certs)),
			    uplink_config("127.0.0.1"));
		} else {
			send_file(&p, "ca.crt", certs.ca);
			canon_text(&c, "test.conf");
			canon_bytes(&c, "", 0);
			canon_u32(&c, 0);
			assert_int_equal(
			    chan_send_canon(p.parent, MSG_CONFIG, 0, &c, &err),
			    0);
		}
		assert_int_equal(finish(&p), 1);
	}
	close(fds[0]);
	close(fds[1]);
	expect_log("uplink error: tls.crt is missing");
	expect_log("uplink error: no channel to a peer");
}

/* All of it over IPv6, where an address is written another way. */
static void
a_coordinator_may_have_an_address_of_ipv6(void **state)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(sin6);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct process second = { 0 };
	uint64_t tag;

	(void)state;
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin6, len) < 0) {
		close(fd);
		print_message("no IPv6 on this machine\n");
		skip();
	}
	getsockname(fd, (struct sockaddr *)&sin6, &len);
	close(fd);
	assert_int_equal(stop(&f.uplink), 0);
	assert_int_equal(stop(&f.listener), 0);
	f.port = ntohs(sin6.sin6_port);
	fence_port(f.port);
	for (int i = 0; i < 2; i++) {
		char config[300];
		struct msg m;

		snprintf(config, sizeof(config),
		    "[coordinator]\nname = c\nstate = /s\nkeys = /k\n"
		    "listen = [::1]:%d\n[control]\nsocket = /c\n",
		    f.port);
		start(i == 0 ? &f.listener : &second, PROC_LISTENER,
		    PROC_ROUNDS, use(certs_host(&certs)), config);
		if (i == 0) {
			m = expect(f.listener.parent, MSG_READY);
			msg_free(&m);
		}
	}
	assert_int_equal(finish(&second), 1); /* the port is in use */
	expect_log("cannot listen on [::1]:");
	allow(true);
	start_uplink("[::1]");
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
	from_rounds(tag, 0, "announce", 8);
	expect_at_gate(MSG_FROM_COORDINATOR, 0, "announce");
	allow(false); /* a stranger's address is written so, too */
	from_gate(MSG_TO_COORDINATOR, 1, "ready", 5);
	expect_log("refused ipv6:");
}

static void
expect_pong(struct process *p, uint64_t tag)
{
	struct msg m;
	struct err err;

	assert_int_equal(
	    chan_send(p->parent, MSG_PING, tag, NULL, 0, -1, &err), 0);
	m = expect(p->parent, MSG_PONG);
	assert_int_equal(m.tag, tag);
	msg_free(&m);
}

#define JOBS 600 /* whose answers no channel holds at a time */

static void
a_gate_that_is_slow_to_read_misses_nothing(void **state)
{
	bool told[JOBS] = { 0 };

	(void)state;
	assert_int_equal(stop(&f.listener), 0);
	for (uint64_t i = 0; i < JOBS; i++)
		from_gate(MSG_TO_COORDINATOR, i, "ready", 5);
	expect_pong(&f.uplink, 1);
	for (size_t i = 0; i < JOBS; i++) {
		struct msg m = expect(f.uplink.peer, MSG_DELIVERED);

		assert_true(m.tag < JOBS && !told[m.tag]);
		told[m.tag] = true;
		msg_free(&m);
	}
}

/* It is for the parent to end it. */
static void
a_peer_that_is_gone_is_no_end(void **state)
{
	(void)state;
	chan_free(f.uplink.peer);
	f.uplink.peer = NULL;
	expect_pong(&f.uplink, 1);
	expect_pong(&f.uplink, 2);
	chan_free(f.listener.peer);
	f.listener.peer = NULL;
	expect_pong(&f.listener, 3);
	expect_pong(&f.listener, 4);
}

static void
a_certificate_that_expires_soon_is_said(void **state)
{
	struct rpc_tls tls = certs_site(&certs);
	uint64_t tag;
	struct msg m;

	(void)state;
	assert_int_equal(stop(&f.uplink), 0);
	tls.cert = certs.brief;
	fence_port(f.port);
	start(&f.uplink, PROC_UPLINK, PROC_GATE, &tls,
	    uplink_config("127.0.0.1"));
	m = expect(f.uplink.parent, MSG_READY);
	msg_free(&m);
	expect_log("uplink warning: tls.crt expires in 9 days; ask the "
		   "consortium's root for a new one");
	from_gate(MSG_POLL, 0, "state 0", 7);
	expect_question("state 0", &tag);
}

#define process_test(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		process_test(a_coordinator_with_a_bad_certificate_is_named),
		process_test(a_proxy_is_gone_through),
		process_test(a_proxy_that_refuses_is_named_in_the_log),
		process_test(who_stays_away_is_asked_less_and_less),
		process_test(a_question_is_asked_until_there_is_an_answer),
		process_test(
		    an_answer_is_followed_by_the_next_question_at_once),
		process_test(what_the_coordinator_refuses_the_gate_is_told),
		process_test(an_upload_goes_in_chunks_and_on_where_it_stopped),
		process_test(an_upload_that_gets_nowhere_ends),
		process_test(what_the_gate_fetches_comes_whole_or_not_at_all),
		process_test(a_site_that_is_not_in_the_manifest_is_refused),
		process_test(a_coordinator_is_found_by_its_name),
		process_test(a_name_that_does_not_exist_is_out_of_reach),
		process_test(a_coordinator_that_was_away_is_found_again),
		process_test(a_site_that_is_behind_says_so_and_waits),
		process_test(a_site_has_so_many_calls_at_once),
		process_test(certificates_are_taken_while_running),
		process_test(bad_certificates_are_not_taken_while_running),
		process_test(the_parent_is_answered_while_a_call_is_held),
		process_test(an_expired_certificate_is_said_at_the_start),
		process_test(a_port_in_use_is_said_at_the_start),
		process_test(an_uplink_ends_when_it_is_told_nonsense),
		process_test(a_listener_ends_when_it_is_told_nonsense),
		process_test(an_answer_that_cannot_be_sent_is_none),
		process_test(one_chunk_is_fetched_alone),
		process_test(an_answer_to_what_was_sent_goes_to_the_gate),
		process_test(the_list_changes_while_a_call_is_held),
		process_test(what_is_not_handed_over_is_missed_at_the_start),
		process_test(a_gate_that_is_slow_to_read_misses_nothing),
		process_test(a_peer_that_is_gone_is_no_end),
		process_test(a_certificate_that_expires_soon_is_said),
		process_test(a_coordinator_may_have_an_address_of_ipv6),
	};
	char dirs[1024];
	int rv;

	snprintf(dirs, sizeof(dirs), "%s/daemon:%s/coordinator",
	    getenv("builddir"), getenv("builddir"));
	setenv("CONSILIUM_LIBEXEC", dirs, 1);
	signal(SIGPIPE, SIG_IGN);
	certs_make(&certs, "eurobreast");
	certs_make(&other, "another");
	rv = cmocka_run_group_tests(tests, NULL, NULL);
	certs_free(&certs);
	certs_free(&other);
	return rv;
}

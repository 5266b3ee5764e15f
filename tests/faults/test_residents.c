/*
 * The real uplink, listener, control and board, each with a fault at each place
 * where the system can fail it (FAULT_PLACES).  The test is parent, gate,
 * rounds, operator and browser.  A process that meets a fault does without, or
 * ends and says why in a line; its successor does all that is asked of it, and
 * no fault is left in the end.
 */
#include "config.h"

#include "tests/check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "board/snapshot.h"
#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/ini.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/chan.h"
#include "privsep/ctl_wire.h"
#include "privsep/family.h"
#include "privsep/house_board.h"
#include "privsep/lock.h"
#include "rpc/msg.h"
#include "tests/faults/child.h"
#include "tests/faults/fault.h"
#include "tests/rpc/certs.h"

#define SITE 3
#define DATA ((size_t)RPC_CHUNK + 100) /* bytes of an upload: two chunks */

static struct certs certs;
static struct fault *fault;
static enum proc faulty;

struct resident {
	enum proc proc;
	pid_t pid;
	struct chan *parent, *peer;
	bool ready, gone;
	size_t n_pongs;
	void (*on_msg)(const struct msg *m); /* of its peer's channel */
};

static struct resident residents[2];
static int port; /* of the listener */

/* What has come of the job, or question, that was asked last. */
static struct {
	bool done;
	enum err_code code;
} job;

/*
 * Start and end
 */

static void
start(struct resident *r, enum proc proc, enum proc peer,
    void (*on_msg)(const struct msg *m))
{
	char number[16];

	*r = (struct resident){ .proc = proc, .on_msg = on_msg };
	snprintf(number, sizeof(number), "%d", port);
	setenv(LOCK_PORT_ENV, number, 1);
	r->pid = child_start(proc, proc == faulty,
	    proc == faulty ? LOG_ERR : LOG_CRIT, peer, &r->parent, &r->peer);
}

static void
give_text(struct resident *r, const char *name, const char *text)
{
	struct err err;
	int fd = memfd_seal(name, text, strlen(text), &err);

	assert_true(fd >= 0);
	family_give_file(r->parent, name, fd, &err);
	close(fd);
}

static void
give_tls(struct resident *r, const struct rpc_tls *tls, const char *config)
{
	struct err err;

	give_text(r, "ca.crt", tls->ca);
	give_text(r, "tls.crt", tls->cert);
	give_text(r, "tls.key", tls->key);
	family_give_config(
	    r->parent, "test.conf", config, strlen(config), NULL, 0, &err);
}

/* True if it had no reason to end but this. */
static bool
stop(struct resident *r)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct err err;
	int status;

	if (r->pid == 0)
		return true;
	chan_send(r->parent, MSG_STOP, 0, NULL, 0, -1, &err);
	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > until) {
			kill(r->pid, SIGKILL);
			waitpid(r->pid, &status, 0);
			fail_msg("%s does not end", proc_name(r->proc));
		}
		usleep(1000);
	}
	chan_free(r->parent);
	chan_free(r->peer);
	r->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		fail_msg("%s: wait status %#x after %s", proc_name(r->proc),
		    status, fault->where);
	if (status != 0 && r->proc != faulty)
		fail_msg("%s ended, and had no fault", proc_name(r->proc));
	return status == 0;
}

/*
 * What comes
 */

static void
take(struct resident *r)
{
	struct err err;
	struct msg m;

	while (!r->gone && chan_recv(r->parent, &m, &err) == 1) {
		r->ready |= m.type == MSG_READY;
		r->n_pongs += m.type == MSG_PONG;
		msg_free(&m);
	}
	r->gone |= chan_closed(r->parent);
	while (!r->gone && chan_recv(r->peer, &m, &err) == 1) {
		r->on_msg(&m);
		msg_free(&m);
	}
}

static bool
anybody_gone(void)
{
	return residents[0].gone || residents[1].gone;
}

/* For a moment, or until something comes. */
static void
pump(int fd, short events)
{
	struct pollfd p[5];
	nfds_t n = 0;

	for (size_t i = 0; i < nitems(residents); i++) {
		if (residents[i].pid == 0)
			continue;
		p[n++] =
		    (struct pollfd){ chan_fd(residents[i].parent), POLLIN, 0 };
		if (!chan_closed(residents[i].peer))
			p[n++] = (struct pollfd){ chan_fd(residents[i].peer),
				POLLIN, 0 };
	}
	p[n++] = (struct pollfd){ fd, events, 0 };
	poll(p, n, 100);
	for (size_t i = 0; i < nitems(residents); i++) {
		if (residents[i].pid != 0)
			take(&residents[i]);
	}
}

/* False if somebody ended first. */
static bool
await(const bool *what, const char *name)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;

	while (!*what) {
		if (anybody_gone())
			return false;
		if (clock_mono_ms() > until)
			fail_msg(
			    "no %s, after a fault at %s", name, fault->where);
		pump(-1, 0);
	}
	return true;
}

static bool
await_pong(struct resident *r)
{
	size_t n = r->n_pongs;
	struct err err;
	bool there = false;

	chan_send(r->parent, MSG_PING, 1, NULL, 0, -1, &err);
	while (!there && !anybody_gone()) {
		pump(-1, 0);
		there = r->n_pongs > n;
	}
	return there;
}

/*
 * Uplink and listener
 */

static struct resident *const uplink = &residents[0];
static struct resident *const listener = &residents[1];
static uint8_t data[DATA];

static void
on_gate(const struct msg *m)
{
	struct canon_in in = canon_in(m->data, m->len);

	if (m->type == MSG_DELIVERED) {
		job.done = true;
		job.code = (enum err_code)canon_get_u32(&in);
	} else if (m->type == MSG_FETCHED) {
		assert_int_equal(m->len, DATA);
		assert_memory_equal(m->data, data, DATA);
		job.done = true;
		job.code = ERR_NONE;
	} else if (m->type == MSG_FROM_COORDINATOR) {
		assert_int_equal(m->len, 8);
		assert_memory_equal(m->data, "announce", 8);
		job.done = true;
	}
}

/* All is well, the next chunk is due, here is one. */
static void
on_rounds(const struct msg *m)
{
	struct canon_in in = canon_in(m->data, m->len);
	uint8_t method = canon_get_u8(&in), id[32];
	struct canon out = { 0 };
	struct err err;
	uint32_t index;

	if (m->type != MSG_REQUEST)
		return;
	assert_int_equal(canon_get_u32(&in), SITE);
	canon_u32(&out, ERR_NONE);
	if (method == REQUEST_NEXT) {
		canon_raw(&out, "announce", 8);
	} else if (method != REQUEST_SEND) {
		canon_get_raw(&in, id, sizeof(id));
		index = canon_get_u32(&in);
		if (method == REQUEST_PUT_CHUNK) {
			canon_u32(&out, index + 1);
		} else {
			canon_u32(&out, 2);
			canon_raw(&out, data + index * RPC_CHUNK,
			    MIN(RPC_CHUNK, DATA - index * RPC_CHUNK));
		}
	}
	chan_send_canon(listener->peer, MSG_REPLY, m->tag, &out, &err);
}

static const char *
uplink_config(void)
{
	static char text[512];

	snprintf(text, sizeof(text),
	    "[site]\nname = lyon\nstate = /s\nkeys = /k\n"
	    "[coordinator]\naddress = 127.0.0.1:%d\n"
	    "[officer]\npublic-key = d75a980182b10ab7d54bfed3c964073a0ee172f3"
	    "daa62325af021a68f707511a\n"
	    "[source]\ncsv = /a.csv\n[control]\nsocket = /c\n",
	    port);
	return text;
}

static const char *
listener_config(void)
{
	static char text[256];

	snprintf(text, sizeof(text),
	    "[coordinator]\nname = c\nstate = /s\nkeys = /k\n"
	    "listen = 127.0.0.1:%d\n[control]\nsocket = /c\n",
	    port);
	return text;
}

static bool
start_listener(void)
{
	struct rpc_tls tls = certs_host(&certs);
	struct canon out = { 0 };
	struct err err;

	start(listener, PROC_LISTENER, PROC_ROUNDS, on_rounds);
	give_tls(listener, &tls, listener_config());
	if (!await(&listener->ready, "listener"))
		return false;
	canon_u32(&out, 1);
	canon_u32(&out, SITE);
	canon_raw(&out, certs.site_spki, 32);
	chan_send_canon(listener->peer, MSG_ALLOW_LIST, 0, &out, &err);
	return await_pong(listener);
}

/* The gate asks until it is told that it is done. */
static bool
until_done(enum msg_type type, const void *p, size_t len)
{
	struct err err;

	do {
		job.done = false;
		job.code = ERR_NONE;
		chan_send(uplink->peer, type, 7, p, len, -1, &err);
		if (!await(&job.done, msg_name(type)))
			return false;
	} while (job.code != ERR_NONE);
	return true;
}

static bool
transfers(void)
{
	struct canon up = { 0 }, down = { 0 };
	uint8_t id[32] = { 1 };
	bool good;

	canon_raw(&up, id, sizeof(id));
	canon_u64(&up, RPC_CHUNK);
	canon_raw(&up, data, sizeof(data));
	canon_raw(&down, id, sizeof(id));
	canon_u64(&down, sizeof(data));
	good = until_done(MSG_POLL, "state 0", 7) &&
	    until_done(MSG_TO_COORDINATOR, "ready", 5) &&
	    until_done(MSG_UPLOAD, up.data, up.len) &&
	    until_done(MSG_FETCH, down.data, down.len);
	canon_free(&up);
	canon_free(&down);
	return good;
}

static bool
network(void)
{
	struct rpc_tls host = certs_host(&certs), site = certs_site(&certs);

	if (!start_listener())
		return false;
	start(uplink, PROC_UPLINK, PROC_GATE, on_gate);
	give_tls(uplink, &site, uplink_config());
	if (!await(&uplink->ready, "uplink") || !transfers())
		return false;
	give_tls(uplink, &site, uplink_config());
	give_tls(listener, &host, listener_config());
	return await_pong(uplink) && await_pong(listener) &&
	    until_done(MSG_POLL, "state 1", 7);
}

/*
 * Control
 */

static int control_socket = -1, reports = -1;

static void
on_master(const struct msg *m)
{
	struct ctl_reply r = { 0 };
	struct canon out = { 0 }, body = { 0 };
	struct ctl_request q;
	struct err err;

	if (m->type != MSG_CTL_REQUEST)
		return;
	assert_int_equal(ctl_request_read(m->data, m->len, &q, &err), 0);
	ctl_reply_column(&r, "command");
	ctl_reply_cell(&r, "%s", q.command);
	if (strcmp(q.command, "report") == 0) {
		canon_text(&body, "rfs.1");
		canon_bytes(&body, "sig", 3);
		ctl_reply_body(&r, &body);
	}
	assert_int_equal(ctl_reply_write(&r, &out, &err), 0);
	chan_send_canon(residents[0].peer, MSG_CTL_REPLY, m->tag, &out, &err);
	canon_free(&body);
	ctl_reply_free(&r);
}

/* All that the other side sends until it closes. */
static size_t
hear(int fd, uint8_t *buf, size_t size)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	size_t len = 0;

	while (!anybody_gone() && len < size) {
		ssize_t n = recv(fd, buf + len, size - len, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0)
			len += (size_t)n;
		else
			pump(fd, POLLIN);
		if (clock_mono_ms() > until)
			fail_msg("no answer, after %s", fault->where);
	}
	return len;
}

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", in_dir("socket"));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* The operator asks until there is an answer. */
static bool
asks(const char *command, enum err_code expected)
{
	static uint8_t answer[65536];
	struct ctl_request q = { .body = (const uint8_t *)"", .body_len = 0 };
	bool good = false;

	snprintf(q.command, sizeof(q.command), "%s", command);
	snprintf(q.study, sizeof(q.study), "rfs");
	while (!good && !anybody_gone()) {
		struct canon out = { 0 };
		struct ctl_reply r = { 0 };
		struct err err;
		int fd = dial();
		size_t len;

		assert_int_equal(ctl_wire_request_write(&q, &out, &err), 0);
		send(fd, out.data, out.len, MSG_NOSIGNAL);
		canon_free(&out);
		len = hear(fd, answer, sizeof(answer));
		close(fd);
		if (len <= CTL_WIRE_HEAD)
			continue; /* it was dropped */
		assert_int_equal(ctl_wire_reply_read(answer + CTL_WIRE_HEAD,
				     len - CTL_WIRE_HEAD, &r, &err),
		    0);
		good = r.code == expected;
		ctl_reply_free(&r);
	}
	return good;
}

static void
start_control(void)
{
	char until[24], uid[16];
	const struct family_fact facts[] = {
		{ "uid", uid },
		{ "operator-gid", "-1" },
		{ "officer-gid", "-1" },
		{ "certificate-until", until },
	};
	struct err err;

	snprintf(uid, sizeof(uid), "%u", getuid());
	snprintf(
	    until, sizeof(until), "%lld", (long long)clock_utc() + 10 * 86400);
	start(&residents[0], PROC_CONTROL, PROC_GATE, on_master);
	family_give_file(residents[0].parent, "socket", control_socket, &err);
	family_give_file(residents[0].parent, "reports", reports, &err);
	family_give_config(
	    residents[0].parent, "c", "", 0, facts, nitems(facts), &err);
}

static bool
control(void)
{
	start_control();
	return await(&residents[0].ready, "control") &&
	    asks("status", ERR_NONE) && asks("report", ERR_NONE) &&
	    asks("nonsense", ERR_CONFIG) && await_pong(&residents[0]);
}

/*
 * Board
 */

static struct house_board house;

static void
on_board(const struct msg *m)
{
	(void)m;
}

static int
dial_board(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_port = htons((uint16_t)atoi(strchr(house.at, ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

/* The browser asks until there is a page with that word. */
static bool
shows(const char *path, const char *word)
{
	static uint8_t answer[65536];
	char request[128];
	bool good = false;

	snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	while (!good && !anybody_gone()) {
		int fd = dial_board();
		size_t len;

		send(fd, request, strlen(request), MSG_NOSIGNAL);
		len = hear(fd, answer, sizeof(answer) - 1);
		answer[len] = '\0';
		good = strstr((const char *)answer, word) != NULL;
		close(fd);
	}
	return good;
}

static bool
board(void)
{
	const struct board_study study = { .name = "rfs",
		.status = "running",
		.step = 3,
		.kind = "newton",
		.round = 4,
		.phase = "shares",
		.have = 2,
		.need = 3,
		.most = 4,
		.rounds_done = 3,
		.deadline = 1900000000,
		.missing = "lyon",
		.why = "no reason" };
	const struct family_fact facts[] = {
		{ "side", "site" },
		{ "name", "Freiburg" },
		{ "listen", house.at },
		{ "started", "1790000000" },
		{ "certificate-until", "1900000000" },
		{ "restarts", "2" },
	};
	struct resident *r = &residents[0];
	struct board_writer w = { 0 };
	struct err err;

	start(r, PROC_BOARD, PROC_GATE, on_board);
	family_give_file(r->parent, "board", house.fd, &err);
	family_give_config(
	    r->parent, "board", "", 0, facts, nitems(facts), &err);
	if (!await(&r->ready, "board"))
		return false;
	board_fact(&w, "members", "%d", 4);
	board_study(&w, &study);
	assert_int_equal(board_send(&w, r->peer, &err), 0);
	family_give_config(
	    r->parent, "board", "", 0, facts, nitems(facts), &err);
	return await_pong(r) && shows("/", "lyon") &&
	    shows("/metrics", "# EOF") && shows("/other", " 404 ") &&
	    await_pong(r);
}

/*
 * The sweep
 */

static const char *const due[] = { "memory", "No space left on device",
	"too much to wait for", "not by hand",
	"Resource temporarily unavailable" };

static void
sweep(enum proc proc, bool (*scenario)(void))
{
	size_t ends = 0, attempts = 0;
	uint64_t before;
	bool good;

	faulty = proc;
	fault = fault_places(
	    in_dir("state"), PLACES_MEMORY | PLACES_CHANNEL | PLACES_SYSTEM);
	do {
		before = fault->fired;
		memset(residents, 0, sizeof(residents));
		good = scenario();
		good &= stop(&residents[0]) & stop(&residents[1]);
		if (child_said(due, nitems(due), fault->where) == 0 && !good)
			fail_msg("it ended after %s, and did not say why",
			    fault->where);
		ends += !good;
		attempts++;
	} while (fault->fired > before);
	assert_true(good);
	assert_true(ends > 0);
	print_message("%s: a fault at each of %zu places: ended %zu times, "
		      "did without the rest; %zu starts\n",
	    proc_name(proc), (size_t)fault->n_places, ends, attempts);
	fault_close(fault);
}

static void
an_uplink(void **state)
{
	(void)state;
	sweep(PROC_UPLINK, network);
}

static void
a_listener(void **state)
{
	(void)state;
	sweep(PROC_LISTENER, network);
}

static void
a_control(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)state;
	control_socket =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", in_dir("socket"));
	assert_int_equal(
	    bind(control_socket, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(control_socket, 16), 0);
	reports = open(in_dir("state/reports"), O_RDONLY | O_CLOEXEC);
	sweep(PROC_CONTROL, control);
	close(control_socket);
	close(reports);
}

static void
a_board(void **state)
{
	static char host[] = "127.0.0.1", any[] = "127.0.0.1:0";
	struct ini_address address = { any, host, 0 };
	struct family_plan plan = { .residents = { PROC_GATE } };
	struct err err;

	(void)state;
	assert_int_equal(
	    house_board_open(&house, &address, &plan, PROC_GATE, &err), 0);
	sweep(PROC_BOARD, board);
	close(house.fd);
}

/* A port that is free now. */
static int
free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static int
set_up(void **state)
{
	struct err err;

	if (child_set_up(state) < 0 ||
	    mkdir(in_dir("state/reports"), 0700) < 0 ||
	    file_write(
		in_dir("state/reports/rfs.1.json"), "{}", 2, 0600, &err) < 0 ||
	    file_write(
		in_dir("state/reports/rfs.1.html"), "<p>", 3, 0600, &err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 1000);
	certs_make(&certs, "eurobreast");
	port = free_port();
	return 0;
}

static int
tear_down(void **state)
{
	certs_free(&certs);
	return child_tear_down(state);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_uplink),
		cmocka_unit_test(a_listener),
		cmocka_unit_test(a_control),
		cmocka_unit_test(a_board),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

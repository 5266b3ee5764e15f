/*
 * The process `board` of either side: a read-only page and metrics over HTTP,
 * on a socket that the parent opened.  It knows what the parent said at the
 * start and what gate or rounds last sent, and can open nothing.
 *
 * libmicrohttpd runs inside our own loop: one thread.
 */
#include "config.h"

#include <sys/socket.h>

#include <microhttpd.h>
#include <stdbool.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "board/metrics.h"
#include "board/page.h"
#include "board/snapshot.h"
#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/loop.h"
#include "privsep/start.h"

#define CONNECTIONS_MAX 32
#define WHOLE_MS 10000 /* for a request and its answer */
#define TICK_MS 1000 /* how exactly that is kept */
#define REQUEST_MAX ((size_t)8 * 1024) /* line and headers */

/* A connection; MHD closes its descriptor. */
struct visit {
	int fd;
	bool taken, leaving;
	int64_t since_ms;
};

struct board {
	struct child child;
	struct loop *loop;
	struct MHD_Daemon *http;
	struct visit visits[2 * CONNECTIONS_MAX]; /* half of them may leave */
	struct board_snapshot *snapshot;
	int64_t received;
};

/* What there is. */
static const struct resource {
	const char *path, *type;
	void (*write)(const struct board_view *v, struct canon *out);
} resources[] = {
	{ "/", PAGE_TYPE, page_write },
	{ "/metrics", METRICS_TYPE, metrics_write },
};

/* On every answer. */
static const char *const headers[][2] = {
	{ "Cache-Control", "no-store" },
	{ "Connection", "close" },
	{ "Content-Security-Policy",
	    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
	    "form-action 'none'; frame-ancestors 'none'" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Referrer-Policy", "no-referrer" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "X-Frame-Options", "DENY" },
};

static const char *
fact(const struct board *b, const char *name)
{
	const char *value = child_fact(&b->child, name);

	return value != NULL ? value : "";
}

static int64_t
fact_or(const struct board *b, const char *name, int64_t otherwise)
{
	int64_t value;

	return board_number(fact(b, name), &value) < 0 ? otherwise : value;
}

static int64_t
fact_number(const struct board *b, const char *name)
{
	return fact_or(b, name, 0);
}

static struct board_view
view(const struct board *b)
{
	return (struct board_view){
		.side = fact(b, "side"),
		.name = fact(b, "name"),
		.version = PACKAGE_VERSION,
		.started = fact_number(b, "started"),
		.certificate = fact_number(b, "certificate-until"),
		.restarts = fact_number(b, "restarts"),
		.state = fact_or(b, "state-bytes", -1),
		.state_free = fact_or(b, "state-free-bytes", -1),
		.audit = fact_or(b, "audit-bytes", -1),
		.snapshot = b->snapshot,
		.received = b->received,
		.now = clock_utc(),
	};
}

/* Answer with status and body, which is freed. */
static enum MHD_Result
reply(struct MHD_Connection *to, unsigned status, const char *type,
    struct canon *body)
{
	struct MHD_Response *r = NULL;
	enum MHD_Result rc = MHD_YES;

	if (!body->failed)
		r = MHD_create_response_from_buffer(
		    body->len, body->data, MHD_RESPMEM_MUST_COPY);
	canon_free(body);
	if (r == NULL)
		return MHD_NO; /* the connection is closed */
	for (size_t i = 0; i < nitems(headers) && rc == MHD_YES; i++)
		rc = MHD_add_response_header(r, headers[i][0], headers[i][1]);
	if (rc == MHD_YES)
		rc = MHD_add_response_header(r, "Content-Type", type);
	if (rc == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		rc = MHD_add_response_header(r, "Allow", "GET, HEAD");
	if (rc == MHD_YES)
		rc = MHD_queue_response(to, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result
refuse(struct MHD_Connection *to, unsigned status, const char *why)
{
	struct canon body = { 0 };

	canon_raw(&body, why, strlen(why));
	return reply(to, status, "text/plain; charset=utf-8", &body);
}

/* Answers at once, before a body is read, if there is one. */
static enum MHD_Result
on_request(void *self, struct MHD_Connection *from, const char *path,
    const char *method, const char *version, const char *data, size_t *size,
    void **state)
{
	const struct board *b = self;
	struct board_view v = view(b);
	struct canon body = { 0 };

	(void)version;
	(void)data;
	(void)size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(from, MHD_HTTP_METHOD_NOT_ALLOWED,
		    "This page is read-only.\n");
	for (size_t i = 0; i < nitems(resources); i++) {
		if (strcmp(path, resources[i].path) != 0)
			continue;
		resources[i].write(&v, &body);
		return reply(from, MHD_HTTP_OK, resources[i].type, &body);
	}
	return refuse(
	    from, MHD_HTTP_NOT_FOUND, "There are / and /metrics only.\n");
}

/* Who comes: the oldest makes room, and nobody stays longer than he may,
   however slowly he speaks or listens. */

static void
send_away(struct visit *v)
{
	shutdown(v->fd, SHUT_RDWR);
	v->leaving = true;
}

static void
make_room(struct board *b)
{
	struct visit *oldest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < nitems(b->visits); i++) {
		struct visit *v = &b->visits[i];

		if (!v->taken || v->leaving)
			continue;
		n++;
		if (oldest == NULL || v->since_ms < oldest->since_ms)
			oldest = v;
	}
	if (n >= CONNECTIONS_MAX)
		send_away(oldest);
}

static void
on_visit(void *self, struct MHD_Connection *c, void **place,
    enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct board *b = self;
	struct visit *v = *place;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (v != NULL)
			v->taken = false;
		return;
	}
	make_room(b);
	for (size_t i = 0; i < nitems(b->visits) && v == NULL; i++) {
		if (!b->visits[i].taken)
			v = &b->visits[i];
	}
	if (v == NULL || info == NULL)
		return; /* MHD has its own limit, which is that */
	*v = (struct visit){ info->connect_fd, true, false, clock_mono_ms() };
	*place = v;
}

static void
end_visits(struct board *b)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < nitems(b->visits); i++) {
		struct visit *v = &b->visits[i];

		if (v->taken && !v->leaving && now - v->since_ms >= WHOLE_MS)
			send_away(v);
	}
}

/* HTTP in our loop: its descriptors are behind one, and it has a timer. */

static int serve_http(void *self, struct err *err);

static int
on_http(void *self, int fd, short revents, struct err *err)
{
	(void)fd;
	(void)revents;
	return serve_http(self, err);
}

static unsigned
connections(struct board *b)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(b->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL ? info->num_connections : 0;
}

static int
serve_http(void *self, struct err *err)
{
	struct board *b = self;
	MHD_UNSIGNED_LONG_LONG wait_ms;
	int64_t delay = -1;
	unsigned before;

	/* At the limit it does not listen; when a connection ends, it begins
	   again in its next run only, which nothing would call for. */
	end_visits(b);
	do {
		before = connections(b);
		if (MHD_run(b->http) != MHD_YES)
			return err_set(err, ERR_SYSTEM, "HTTP: cannot go on");
	} while (connections(b) < before);
	if (MHD_get_timeout(b->http, &wait_ms) == MHD_YES)
		delay = (int64_t)MIN(wait_ms, WHOLE_MS);
	if (connections(b) > 0 && (delay < 0 || delay > TICK_MS))
		delay = TICK_MS;
	return loop_set_timer(b->loop, delay, serve_http, b, err);
}

/* The message about a request that is refused is its sender's business. */
static void
no_log(void *self, const char *fmt, va_list ap)
{
	(void)self;
	(void)fmt;
	(void)ap;
}

static int
start_http(struct board *b, struct err *err)
{
	const union MHD_DaemonInfo *info;
	int fd = child_fd(&b->child, "board");

	if (fd < 0)
		return err_set(err, ERR_PEER, "no listening socket");
	if ((fd = dup(fd)) < 0) /* MHD closes the one that it is given */
		return err_sys(err, "HTTP");
	b->http = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK,
	    0, NULL, NULL, on_request, b, MHD_OPTION_EXTERNAL_LOGGER, no_log,
	    NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)nitems(b->visits), MHD_OPTION_NOTIFY_CONNECTION, on_visit,
	    b, MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_MAX,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (b->http == NULL) {
		close(fd);
		return err_sys(err, "HTTP");
	}
	info = MHD_get_daemon_info(b->http, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return err_set(err, ERR_SYSTEM, "HTTP: no epoll");
	return loop_set_fd(b->loop, info->epoll_fd, POLLIN, on_http, b, err);
}

/* Messages. */

static int
on_snapshot(void *self, struct msg *m, struct err *err)
{
	struct board *b = self;
	struct board_snapshot *s = board_read(m->data, m->len, err);

	if (s == NULL)
		return -1;
	board_snapshot_free(b->snapshot);
	b->snapshot = s;
	b->received = clock_utc();
	return 0;
}

/* The certificate is a new one, or a minute has passed. */
static int
on_config(void *self, struct msg *m, struct err *err)
{
	struct board *b = self;

	return child_take_config(&b->child, m, err);
}

static const struct handler handlers[] = {
	{ MSG_BOARD, PROC_GATE, 8, BOARD_MAX, on_snapshot },
	{ MSG_BOARD, PROC_ROUNDS, 8, BOARD_MAX, on_snapshot },
	{ MSG_CONFIG, PROC_PARENT, 8, CHILD_CONFIG_MAX, on_config },
};

static int
run(struct board *b, struct err *err)
{
	char where[112];

	if ((b->loop = loop_new(err)) == NULL || start_http(b, err) < 0 ||
	    loop_add_chan(b->loop,
		(struct loop_chan){
		    b->child.parent, handlers, nitems(handlers), b, NULL },
		err) < 0)
		return -1;
	for (size_t i = 0; i < b->child.n_peers; i++) {
		if (loop_add_chan(b->loop,
			(struct loop_chan){ b->child.peers[i], handlers,
			    nitems(handlers), b, NULL },
			err) < 0)
			return -1;
	}
	snprintf(where, sizeof(where), "page at http://%s/", fact(b, "listen"));
	if (child_ready(&b->child, where, err) < 0)
		return -1;
	return loop_run(b->loop, err);
}

int
main(void)
{
	struct board b = { 0 };
	struct err err;
	int rc = 0;

	if (child_start(&b.child, PROC_BOARD, &err) < 0 || run(&b, &err) < 0) {
		log_msg(LOG_ERR, "%s", err.msg);
		rc = 1;
	}
	if (b.http != NULL)
		MHD_stop_daemon(b.http);
	loop_free(b.loop);
	board_snapshot_free(b.snapshot);
	child_free(&b.child);
	return rc;
}

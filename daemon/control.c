/*
 * Process control, on both sides: answers consiliumctl on a unix socket.  Who
 * calls is what the kernel says of the peer; what he may ask is in a table.
 * The rest is up to gate or rounds.  Control has the folder of reports, to
 * read: the gate only names one.
 */
#include <config.h> /* not the one beside this file */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/ctl_wire.h"
#include "privsep/loop.h"
#include "privsep/start.h"

#define CLIENTS_MAX 16
#define CLIENTS_OF_ONE_MAX 8 /* of a user */
#define STRANGERS_MAX 2 /* users who may ask for nothing */
#define GROUPS_MAX 1024
#define REQUEST_MS 10000 /* to send a request */
#define ANSWER_MS 120000 /* for gate or rounds to answer it */
#define REPLY_MS 30000 /* to read the reply */
#define TICK_MS 1000
#define DAY_S ((int64_t)86400)
#define WARN_DAYS 30 /* before a certificate expires */

#define REPORT_NAME_SIZE 128 /* of its files, without the ending */
#define REPORT_SIGNATURE_MAX 512 /* bytes */

#define ANYBODY (CTL_OPERATOR | CTL_OFFICER)

/* Who may ask for what; whether a daemon knows it is its own business. */
static const struct command {
	const char *name;
	unsigned roles;
} commands[] = {
	{ "approve", CTL_OFFICER },
	{ "checkpoint", CTL_OPERATOR },
	{ "chunk", CTL_OPERATOR },
	{ "digests", ANYBODY },
	{ "prepare", ANYBODY },
	{ "refuse", CTL_OFFICER },
	{ "report", ANYBODY },
	{ "reports", ANYBODY },
	{ "restored", CTL_OPERATOR },
	{ "result", ANYBODY },
	{ "revoke", CTL_OFFICER },
	{ "status", ANYBODY },
	{ "submit", CTL_OPERATOR },
	{ "transcript", CTL_OPERATOR },
};

struct control;

struct client {
	struct control *control;
	int fd; /* -1: a free slot */
	uint64_t tag; /* of the request that is being answered; 0: none */
	int64_t deadline;
	uint32_t uid;
	unsigned roles;
	bool report; /* the answer names one */
	uint8_t *in; /* head and message, as far as they came */
	size_t in_len, in_cap;
	struct canon out;
	size_t out_done;
};

struct control {
	struct child child;
	struct loop *loop;
	struct chan *master; /* gate or rounds */
	int listener, reports;
	uint32_t uid; /* the daemon's own */
	int64_t operator_gid, officer_gid; /* -1: the daemon's user alone */
	uint64_t last_tag;
	struct client clients[CLIENTS_MAX];
};

static int on_listener(void *self, int fd, short revents, struct err *err);
static int on_client(void *self, int fd, short revents, struct err *err);

/* Clients. */

static int
watch_listener(struct control *c, struct err *err)
{
	return loop_set_fd(c->loop, c->listener, POLLIN, on_listener, c, err);
}

static struct client *
free_client(struct control *c)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (c->clients[i].fd < 0)
			return &c->clients[i];
	}
	return NULL;
}

static int
drop(struct client *cl, struct err *err)
{
	struct control *c = cl->control;

	loop_del_fd(c->loop, cl->fd);
	close(cl->fd);
	free(cl->in);
	canon_free(&cl->out);
	*cl = (struct client){ .control = c, .fd = -1 };
	return watch_listener(c, err);
}

/* Is the caller in the group, by the kernel's account? */
static bool
in_group(int fd, gid_t primary, int64_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (primary == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

static bool
has_role(const struct control *c, int fd, const struct ucred *who, int64_t gid)
{
	if (who->uid == 0)
		return true;
	return gid < 0 ? who->uid == c->uid : in_group(fd, who->gid, gid);
}

static unsigned
roles_of(const struct control *c, int fd, const struct ucred *who)
{
	unsigned roles = 0;

	if (has_role(c, fd, who, c->operator_gid))
		roles |= CTL_OPERATOR;
	if (has_role(c, fd, who, c->officer_gid))
		roles |= CTL_OFFICER;
	return roles;
}

/* Nobody takes all places. */
static bool
has_enough(const struct control *c, uint32_t uid, unsigned roles)
{
	size_t same = 0, strangers = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *cl = &c->clients[i];

		same += cl->fd >= 0 && cl->uid == uid;
		strangers += cl->fd >= 0 && cl->roles == 0;
	}
	return same >= CLIENTS_OF_ONE_MAX ||
	    (roles == 0 && strangers >= STRANGERS_MAX);
}

/* What he has asked is not read: all of it must fit where it waits. */
static void
turn_away(int conn, uint32_t uid)
{
	struct ctl_reply r = { 0 };
	struct canon out = { 0 };
	struct err why;

	err_set(&why, ERR_REFUSED, "too many requests at once of user %u", uid);
	ctl_reply_error(&r, &why);
	if (ctl_wire_reply_write(&r, &out, &why) == 0)
		send(conn, out.data, out.len, MSG_NOSIGNAL);
	canon_free(&out);
	close(conn);
}

static int
on_listener(void *self, int fd, short revents, struct err *err)
{
	struct control *c = self;
	unsigned roles;
	struct client *cl = free_client(c);
	struct ucred who;
	socklen_t len = sizeof(who);
	int conn;

	(void)revents;
	if (cl == NULL) { /* the rest waits in the kernel */
		loop_del_fd(c->loop, fd);
		return 0;
	}
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return 0; /* it went again */
	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
		close(conn);
		return 0;
	}
	roles = roles_of(c, conn, &who);
	if (has_enough(c, who.uid, roles)) {
		turn_away(conn, who.uid);
		return 0;
	}
	cl->fd = conn;
	cl->uid = who.uid;
	cl->roles = roles;
	cl->deadline = clock_mono_ms() + REQUEST_MS;
	return loop_set_fd(c->loop, conn, POLLIN, on_client, cl, err);
}

/* Whatever was asked: who reads the answer may be who can mend it. */
static void
note_certificate(const struct control *c, struct ctl_reply *r)
{
	const char *text = child_fact(&c->child, "certificate-until");
	int64_t until = text != NULL ? strtoll(text, NULL, 10) : 0;
	int64_t left = until - clock_utc();

	if (until == 0 || left >= WARN_DAYS * DAY_S)
		return;
	if (left <= 0)
		snprintf(r->note, sizeof(r->note),
		    "the daemon's TLS certificate has expired");
	else
		snprintf(r->note, sizeof(r->note),
		    "the daemon's TLS certificate expires in %lld day%s",
		    (long long)(left / DAY_S), left / DAY_S == 1 ? "" : "s");
}

static int
start_reply(struct client *cl, struct ctl_reply *r, struct err *err)
{
	struct ctl_reply refusal = { 0 };
	struct err why;

	cl->tag = 0;
	note_certificate(cl->control, r);
	if (ctl_wire_reply_write(r, &cl->out, &why) < 0) {
		canon_free(&cl->out);
		ctl_reply_error(&refusal, &why);
		if (ctl_wire_reply_write(&refusal, &cl->out, &why) < 0)
			return drop(cl, err);
	}
	cl->deadline = clock_mono_ms() + REPLY_MS;
	return loop_set_fd(
	    cl->control->loop, cl->fd, POLLOUT, on_client, cl, err);
}

static int
refuse(struct client *cl, const struct err *why, struct err *err)
{
	struct ctl_reply r = { 0 };

	ctl_reply_error(&r, why);
	return start_reply(cl, &r, err);
}

/* Requests. */

static int
allowed(const struct client *cl, const char *name, struct err *err)
{
	for (size_t i = 0; i < nitems(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if ((commands[i].roles & cl->roles) != 0)
			return 0;
		return err_set(err, ERR_REFUSED,
		    "%s is for %s, and user %u is not in it", name,
		    commands[i].roles == CTL_OFFICER ? "the officer-group"
			: commands[i].roles == CTL_OPERATOR
			? "the operator-group"
			: "the operator-group and the officer-group",
		    cl->uid);
	}
	return err_set(err, ERR_CONFIG, "no daemon knows the command %s", name);
}

/* A whole request is there: hand it on. */
static int
take_request(struct client *cl, struct err *err)
{
	struct control *c = cl->control;
	struct canon out = { 0 };
	struct ctl_request r;
	struct err why;
	uint8_t *body;
	int rc;

	if (ctl_wire_request_read(cl->in + CTL_WIRE_HEAD,
		cl->in_len - CTL_WIRE_HEAD, &r, &body, &why) < 0 ||
	    allowed(cl, r.command, &why) < 0) {
		free(body);
		return refuse(cl, &why, err);
	}
	r.roles = cl->roles;
	r.uid = cl->uid;
	ctl_request_write(&r, &out);
	cl->report = strcmp(r.command, "report") == 0;
	cl->tag = ++c->last_tag;
	cl->deadline = clock_mono_ms() + ANSWER_MS;
	rc = chan_send_canon(c->master, MSG_CTL_REQUEST, cl->tag, &out, err);
	free(body);
	/* Until then only its end is of interest. */
	return rc < 0 ? -1
		      : loop_set_fd(c->loop, cl->fd, 0, on_client, cl, err);
}

/* How many bytes are due next; 0: the request is whole. */
static int
due(struct client *cl, size_t *n, struct err *why)
{
	size_t whole = CTL_WIRE_HEAD;

	if (cl->in_len >= CTL_WIRE_HEAD) {
		whole += ctl_wire_len(cl->in);
		if (whole > CTL_WIRE_HEAD + CTL_WIRE_REQUEST_MAX)
			return err_set(why, ERR_REFUSED,
			    "a request of %zu bytes; at most %zu are taken",
			    whole, CTL_WIRE_REQUEST_MAX);
	}
	*n = whole - cl->in_len;
	if (whole > cl->in_cap) {
		uint8_t *more = realloc(cl->in, whole);

		if (more == NULL)
			return err_sys(why, "request");
		cl->in = more;
		cl->in_cap = whole;
	}
	return 0;
}

static int
read_request(struct client *cl, struct err *err)
{
	struct err why;
	size_t n = 0;

	for (;;) {
		ssize_t got;

		if (due(cl, &n, &why) < 0)
			return refuse(cl, &why, err);
		if (n == 0)
			return take_request(cl, err);
		got = recv(cl->fd, cl->in + cl->in_len, n, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (got <= 0)
			return drop(cl, err);
		cl->in_len += (size_t)got;
	}
}

static int
write_reply(struct client *cl, struct err *err)
{
	while (cl->out_done < cl->out.len) {
		ssize_t n = send(cl->fd, cl->out.data + cl->out_done,
		    cl->out.len - cl->out_done, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			break;
		cl->out_done += (size_t)n;
	}
	shutdown(cl->fd, SHUT_WR);
	return drop(cl, err);
}

static int
on_client(void *self, int fd, short revents, struct err *err)
{
	struct client *cl = self;

	(void)fd;
	if (cl->out.len > 0)
		return write_reply(cl, err);
	if (cl->tag != 0) /* it went before its answer came */
		return (revents & (POLLHUP | POLLERR)) != 0 ? drop(cl, err) : 0;
	return read_request(cl, err);
}

static int
on_tick(void *self, struct err *err)
{
	struct control *c = self;
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &c->clients[i];

		if (cl->fd >= 0 && now > cl->deadline && drop(cl, err) < 0)
			return -1;
	}
	return loop_set_timer(c->loop, TICK_MS, on_tick, c, err);
}

/* Answers. */

/* One file of a report, as a byte string. */
static int
add_file(struct control *c, const char *base, const char *suffix,
    struct canon *out, struct err *err)
{
	char name[256];
	uint8_t *data;
	size_t len;
	int fd;

	snprintf(name, sizeof(name), "%s.%s", base, suffix);
	fd = openat(c->reports, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, "report %s", name);
	data = file_read_fd(fd, name, CTL_REPLY_MAX / 2, &len, err);
	close(fd);
	if (data == NULL)
		return -1;
	canon_bytes(out, data, len);
	free(data);
	return out->failed ? err_sys(err, "report %s", name) : 0;
}

/* The body has the report's name and signature; put its files before the
   signature. */
static int
fetch_report(struct control *c, struct ctl_reply *r, struct err *err)
{
	struct canon_in in = canon_in(r->body, r->body_len);
	struct canon files = { 0 };
	char base[REPORT_NAME_SIZE];
	const uint8_t *signature;
	size_t len;
	int rc = -1;

	canon_get_text(&in, base, sizeof(base));
	signature = canon_get_bytes(&in, 1, REPORT_SIGNATURE_MAX, &len);
	if (canon_end(&in, "the report's name", err) < 0)
		return -1;
	if (c->reports < 0 || !file_name_ok(base))
		return err_set(err, ERR_PEER, "there is no such report");
	if (add_file(c, base, "json", &files, err) == 0 &&
	    add_file(c, base, "html", &files, err) == 0) {
		canon_bytes(&files, signature, len);
		rc = files.failed ? err_sys(err, "report %s", base) : 0;
	}
	if (rc == 0)
		ctl_reply_body(r, &files);
	canon_free(&files);
	return rc;
}

static int
on_reply(void *self, struct msg *m, struct err *err)
{
	struct control *c = self;
	struct client *cl = NULL;
	struct ctl_reply r;
	struct err why;
	int rc;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (c->clients[i].fd >= 0 && c->clients[i].tag == m->tag)
			cl = &c->clients[i];
	}
	if (cl == NULL || m->tag == 0)
		return 0; /* it did not wait */
	if (ctl_reply_read(m->data, m->len, &r, err) < 0) {
		ctl_reply_free(&r);
		return -1;
	}
	if (cl->report && r.code == ERR_NONE && fetch_report(c, &r, &why) < 0)
		rc = refuse(cl, &why, err);
	else
		rc = start_reply(cl, &r, err);
	ctl_reply_free(&r);
	return rc;
}

/* There are new certificates. */
static int
on_config(void *self, struct msg *m, struct err *err)
{
	struct control *c = self;

	return child_take_config(&c->child, m, err);
}

static const struct handler from_parent[] = {
	{ MSG_CONFIG, PROC_PARENT, 8, CHILD_CONFIG_MAX, on_config },
};

static const struct handler handlers[] = {
	{ MSG_CTL_REPLY, PROC_GATE, 20, CTL_REPLY_MAX, on_reply },
	{ MSG_CTL_REPLY, PROC_ROUNDS, 20, CTL_REPLY_MAX, on_reply },
};

/* Start. */

static int
number_fact(const struct child *child, const char *name, int64_t absent)
{
	const char *text = child_fact(child, name);

	return text != NULL ? (int)strtoll(text, NULL, 10) : (int)absent;
}

static int
set_up(struct control *c, struct err *err)
{
	struct loop_chan parent = { .chan = c->child.parent,
		.table = from_parent,
		.n = nitems(from_parent),
		.self = c };
	struct loop_chan master = {
		.table = handlers, .n = nitems(handlers), .self = c
	};

	c->listener = child_fd(&c->child, "socket");
	c->reports = child_fd(&c->child, "reports");
	c->uid = (uint32_t)number_fact(&c->child, "uid", -1);
	c->operator_gid = number_fact(&c->child, "operator-gid", -1);
	c->officer_gid = number_fact(&c->child, "officer-gid", -1);
	c->master = child_peer(&c->child, PROC_GATE);
	if (c->master == NULL)
		c->master = child_peer(&c->child, PROC_ROUNDS);
	if (c->listener < 0 || c->master == NULL)
		return err_set(err, ERR_PEER, "no socket, or nobody to ask");
	master.chan = c->master;
	if ((c->loop = loop_new(err)) == NULL ||
	    loop_add_chan(c->loop, parent, err) < 0 ||
	    loop_add_chan(c->loop, master, err) < 0 ||
	    watch_listener(c, err) < 0 || on_tick(c, err) < 0)
		return -1;
	return child_ready(&c->child, "", err);
}

int
main(void)
{
	struct control c = { 0 };
	struct err err, ignored;
	int rc = 1;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		c.clients[i] = (struct client){ .control = &c, .fd = -1 };
	if (child_start(&c.child, PROC_CONTROL, &err) < 0 ||
	    set_up(&c, &err) < 0 || loop_run(c.loop, &err) < 0)
		log_msg(LOG_ERR, "%s", err.msg);
	else
		rc = 0;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (c.clients[i].fd >= 0)
			drop(&c.clients[i], &ignored);
	}
	loop_free(c.loop);
	child_free(&c.child);
	return rc;
}

/*
 * The real gates and the real rounds, started as in production.  This test is
 * everything between them: parent, uplink, listener, control and trainer.  So
 * it sees every message, can lose any, and can kill anybody at any of them.
 */
#include "config.h"

#include "tests/check.h"

#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/macros.h"
#include "crypto/approval.h"
#include "crypto/exchange.h"
#include "crypto/finished.h"
#include "crypto/hash.h"
#include "crypto/manifest.h"
#include "crypto/round.h"
#include "crypto/signed_study.h"
#include "daemon/train.h"
#include "model/contribute.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "privsep/chan.h"
#include "privsep/ctl_msg.h"
#include "privsep/spawn.h"
#include "study/study.h"
#include "study/table.h"

#define N 4 /* sites */
#define ROWS 40 /* at each */
#define TIMEOUT_MS 60000

static const char study_text[] = "[study]\n"
				 "name = small\n"
				 "title = A small study\n"
				 "purpose = medical research\n"
				 "legal-basis = consent\n"
				 "ethics = EK 1/26\n"
				 "contact = a@example.org\n"
				 "expires = 2099-01-31\n"
				 "[model]\n"
				 "kind = logistic\n"
				 "outcome = y\n"
				 "[rounds]\n"
				 "ready-wait = 60\n"
				 "share = 2\n"
				 "upload = 2\n"
				 "confirm = 2\n"
				 "[privacy]\n"
				 "k = 1\n"
				 "cohort = fixed\n"
				 "rows-per-site = 100\n"
				 "[column y]\n"
				 "type = levels\n"
				 "levels = no, yes\n"
				 "privacy = none\n"
				 "use = outcome\n"
				 "[column a]\n"
				 "type = real\n"
				 "range = -5..5\n"
				 "privacy = none\n"
				 "use = feature\n"
				 "[column b]\n"
				 "type = integer\n"
				 "range = 0..9\n"
				 "privacy = none\n"
				 "use = feature\n";

enum wait { W_NONE, W_NEXT, W_SEND, W_PUT, W_GET };

/* A gate, and our uplink for it. */
struct site {
	char name[8];
	char state[128];
	uint16_t id;
	struct key *key;
	pid_t pid;
	struct chan *parent, *uplink, *control;
	double y[ROWS], a[ROWS], b[ROWS];
	struct canon poll; /* body of Next; empty: do not ask */
	uint64_t next_tag; /* of the question that waits; 0: none */
	uint64_t answer_tag; /* of what it wants delivered or fetched */
	struct canon data; /* an upload that goes, a fetch that comes */
	uint8_t name_of_data[ROUND_DIGEST];
	size_t chunk;
	uint64_t size;
	enum round_type last; /* that it sent */
};

struct call {
	uint64_t tag;
	enum wait wait;
	struct site *site;
};

static struct {
	char dir[64];
	struct key *root, *coordinator, *officer;
	struct canon manifest, study;
	uint8_t digest[SIGNED_DIGEST];
	struct study *parsed;
	struct model_spec spec;
	struct site sites[N];
	pid_t pid; /* rounds */
	struct chan *parent, *listener, *control;
	struct call calls[64];
	uint64_t last_tag;
	/* Kill this site when it has sent that; then it stays away until
	   back. */
	int victim;
	enum round_type at;
	uint32_t after_step;
	bool killed;
	struct ctl_reply reply; /* of the last control request */
	bool replied;
	uint32_t step_seen;
} t;

static void
ok(int rv, const struct err *err)
{
	if (rv < 0)
		fail_msg("%s", err->msg);
}

/*
 * Starting
 */

static void
hand_over(struct chan *to, const char *name, const char *path)
{
	struct canon c = { 0 };
	struct err err;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	canon_text(&c, name);
	ok(chan_send(to, MSG_FILE, 0, c.data, c.len, fileno(f), &err), &err);
	fclose(f);
	canon_free(&c);
}

static struct chan *
peer(struct chan *to, enum proc proc, enum proc from)
{
	struct canon c = { 0 };
	struct chan *end;
	struct err err;
	int pair[2];

	ok(chan_pair(pair, &err), &err);
	assert_non_null(end = chan_new(pair[0], from, &err));
	canon_u8(&c, (uint8_t)proc);
	ok(chan_send(to, MSG_PEER, 0, c.data, c.len, pair[1], &err), &err);
	close(pair[1]);
	canon_free(&c);
	return end;
}

static void
configure(struct chan *to, const char *config, const char *state)
{
	struct canon c = { 0 };
	struct err err;
	struct msg m;

	canon_text(&c, "test.conf");
	canon_bytes(&c, config, strlen(config));
	canon_u32(&c, 1);
	canon_text(&c, "state");
	canon_bytes(&c, state, strlen(state));
	ok(chan_send_canon(to, MSG_CONFIG, 0, &c, &err), &err);
	if (chan_wait(to, &m, TIMEOUT_MS, &err) != 1)
		fail_msg("%s", err.msg);
	assert_int_equal(m.type, MSG_READY);
	msg_free(&m);
}

static const char *
in_dir(const char *name)
{
	static char path[4][160];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", t.dir, name);
	return path[i];
}

static void
start_site(struct site *s)
{
	char officer[KEY_PUBLIC_TEXT], config[1024], key[32];
	struct err err;

	hex_text(key_public(t.officer), KEY_PUBLIC, officer);
	snprintf(config, sizeof(config),
	    "[site]\nname = %s\nstate = %s\nkeys = %s\n"
	    "[coordinator]\naddress = localhost:1\n"
	    "[officer]\npublic-key = %s\n"
	    "[source]\ncsv = /nowhere.csv\n"
	    "[policy]\nsmallest-k = 1\n"
	    "[control]\nsocket = %s/socket\n",
	    s->name, s->state, t.dir, officer, t.dir);
	s->pid = spawn(PROC_GATE, LOG_WARNING, &s->parent, &err);
	ok(s->pid, &err);
	snprintf(key, sizeof(key), "%s.key", s->name);
	hand_over(s->parent, "identity.key", in_dir(key));
	hand_over(s->parent, "root.pub", in_dir("root.pub"));
	hand_over(s->parent, "coordinator.pub", in_dir("coordinator.pub"));
	s->uplink = peer(s->parent, PROC_UPLINK, PROC_GATE);
	s->control = peer(s->parent, PROC_CONTROL, PROC_GATE);
	configure(s->parent, config, s->state);
	s->next_tag = 0;
	canon_free(&s->poll);
	canon_free(&s->data);
}

static void
start_rounds(void)
{
	struct err err;

	t.pid = spawn(PROC_ROUNDS, LOG_WARNING, &t.parent, &err);
	ok(t.pid, &err);
	hand_over(t.parent, "coordinator.key", in_dir("coordinator.key"));
	hand_over(t.parent, "root.pub", in_dir("root.pub"));
	t.listener = peer(t.parent, PROC_LISTENER, PROC_ROUNDS);
	t.control = peer(t.parent, PROC_CONTROL, PROC_ROUNDS);
	configure(t.parent, "", in_dir("coordinator"));
}

static void
stop(pid_t *pid, int sig, struct chan **a, struct chan **b, struct chan **c)
{
	int status;

	if (*pid <= 0)
		return;
	kill(*pid, sig);
	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	*pid = 0;
	chan_free(*a);
	chan_free(*b);
	chan_free(*c);
	*a = *b = *c = NULL;
}

static void
kill_site(struct site *s)
{
	stop(&s->pid, SIGKILL, &s->parent, &s->uplink, &s->control);
	for (size_t i = 0; i < nitems(t.calls); i++) {
		if (t.calls[i].site == s)
			t.calls[i].site = NULL;
	}
}

static void
kill_rounds(void)
{
	stop(&t.pid, SIGKILL, &t.parent, &t.listener, &t.control);
	memset(t.calls, 0, sizeof(t.calls));
}

/*
 * The wire
 */

static void
request(struct site *s, enum wait wait, enum request_method method,
    const struct canon *body)
{
	struct canon c = { 0 };
	struct err err;

	for (size_t i = 0; i < nitems(t.calls); i++) {
		if (t.calls[i].wait != W_NONE)
			continue;
		t.calls[i] = (struct call){ ++t.last_tag, wait, s };
		canon_u8(&c, (uint8_t)method);
		canon_u32(&c, s->id);
		canon_raw(&c, body->data, body->len);
		ok(chan_send_canon(
		       t.listener, MSG_REQUEST, t.last_tag, &c, &err),
		    &err);
		return;
	}
	fail_msg("too many calls");
}

static void
delivered(struct site *s, uint32_t code, const char *why)
{
	struct canon c = { 0 };
	struct err err;

	canon_u32(&c, code);
	canon_bytes(&c, why, strlen(why));
	ok(chan_send_canon(s->uplink, MSG_DELIVERED, s->answer_tag, &c, &err),
	    &err);
}

static void
put_chunk(struct site *s)
{
	size_t at = s->chunk * ROUND_CHUNK;
	struct canon c = { 0 };

	canon_raw(&c, s->name_of_data, ROUND_DIGEST);
	canon_u32(&c, (uint32_t)s->chunk);
	canon_raw(&c, s->data.data + at, MIN(s->data.len - at, ROUND_CHUNK));
	request(s, W_PUT, REQUEST_PUT_CHUNK, &c);
	canon_free(&c);
}

static void
get_chunk(struct site *s)
{
	struct canon c = { 0 };

	canon_raw(&c, s->name_of_data, ROUND_DIGEST);
	canon_u32(&c, (uint32_t)s->chunk);
	request(s, W_GET, REQUEST_GET_CHUNK, &c);
	canon_free(&c);
}

static void
ask(struct site *s)
{
	request(s, W_NEXT, REQUEST_NEXT, &s->poll);
	s->next_tag = t.last_tag;
}

/* What rounds answered to a call of ours. */
static void
on_reply(const struct msg *m)
{
	struct canon_in in = canon_in(m->data, m->len);
	uint32_t status = canon_get_u32(&in);
	size_t len = (size_t)(in.end - in.p);
	char why[256];
	struct call *c = NULL, call;
	struct site *s;
	struct err err;

	for (size_t i = 0; i < nitems(t.calls); i++) {
		if (t.calls[i].wait != W_NONE && t.calls[i].tag == m->tag)
			c = &t.calls[i];
	}
	if (c == NULL)
		return;
	call = *c;
	*c = (struct call){ 0 };
	if ((s = call.site) == NULL || s->pid == 0)
		return;
	snprintf(why, sizeof(why), "%.*s", (int)len, (const char *)in.p);
	switch (call.wait) {
	case W_NEXT:
		if (call.tag != s->next_tag)
			break; /* an older question's */
		s->next_tag = 0;
		if (status == 0 && len != 0)
			ok(chan_send(s->uplink, MSG_FROM_COORDINATOR, 0, in.p,
			       len, -1, &err),
			    &err);
		else
			ask(s);
		break;
	case W_SEND:
		delivered(s, status, status != 0 ? why : "");
		break;
	case W_PUT:
		if (status != 0) {
			delivered(s, status, why);
			break;
		}
		s->chunk = canon_get_u32(&in);
		if (s->chunk * ROUND_CHUNK < s->data.len)
			put_chunk(s);
		else
			delivered(s, 0, "");
		break;
	case W_GET:
		if (status != 0) {
			delivered(s, status, why);
			break;
		}
		canon_get_u32(&in);
		canon_raw(&s->data, in.p, (size_t)(in.end - in.p));
		s->chunk++;
		if (s->data.len < s->size)
			get_chunk(s);
		else
			ok(chan_send(s->uplink, MSG_FETCHED, s->answer_tag,
			       s->data.data, s->data.len, -1, &err),
			    &err);
		break;
	default:
		break;
	}
}

static void
on_uplink(struct site *s, const struct msg *m)
{
	struct canon_in in = canon_in(m->data, m->len);
	struct canon body = { 0 };
	uint8_t study[32];
	const uint8_t *msg;
	size_t len;
	struct err err;

	switch (m->type) {
	case MSG_POLL:
		canon_free(&s->poll);
		canon_raw(&s->poll, m->data, m->len);
		ask(s);
		break;
	case MSG_TO_COORDINATOR:
		s->answer_tag = m->tag;
		ok(exchange_unwrap(m->data, m->len, study, &msg, &len, &err),
		    &err);
		s->last = round_message_type(msg, len);
		canon_raw(&body, m->data, m->len);
		request(s, W_SEND, REQUEST_SEND, &body);
		break;
	case MSG_UPLOAD:
		s->answer_tag = m->tag;
		canon_free(&s->data);
		canon_get_raw(&in, s->name_of_data, ROUND_DIGEST);
		canon_get_u64(&in);
		canon_raw(&s->data, in.p, (size_t)(in.end - in.p));
		s->chunk = 0;
		put_chunk(s);
		break;
	case MSG_FETCH:
		s->answer_tag = m->tag;
		canon_free(&s->data);
		canon_get_raw(&in, s->name_of_data, ROUND_DIGEST);
		s->size = canon_get_u64(&in);
		s->chunk = 0;
		get_chunk(s);
		break;
	default:
		fail_msg("%s to the uplink", msg_name(m->type));
	}
	canon_free(&body);
}

/*
 * Jobs: we are reader and trainer
 */

static int
table_file(const struct site *s)
{
	const double *columns[3];
	int fd = memfd_create("table", MFD_CLOEXEC);
	struct err err;

	assert_int_equal(t.parsed->n_table, 3);
	for (size_t i = 0; i < 3; i++) {
		const char *name = t.parsed->columns[t.parsed->table[i]].name;

		columns[i] = strcmp(name, "y") == 0 ? s->y
		    : strcmp(name, "a") == 0        ? s->a
						    : s->b;
	}
	ok(table_write(fd, t.parsed, t.digest, columns, ROWS, &err), &err);
	return fd;
}

static void
table_digest(const struct site *s, uint8_t out[HASH_LEN])
{
	int fd = table_file(s);
	struct err err;
	size_t len;
	uint8_t *p = file_read_fd(fd, "table", 1 << 20, &len, &err);

	assert_non_null(p);
	hash_sha256(p, len, out);
	free(p);
	close(fd);
}

static void
on_start_job(struct site *s, const struct msg *m, enum proc proc)
{
	struct canon c = { 0 }, out = { 0 };
	uint8_t digest[HASH_LEN];
	struct chan *job;
	struct msg order;
	struct err err;
	int pair[2], fd;

	ok(chan_pair(pair, &err), &err);
	assert_non_null(job = chan_new(pair[0], PROC_GATE, &err));
	canon_text(&c, "small.table");
	ok(chan_send(s->parent, MSG_JOB_CHANNEL, m->tag, c.data, c.len, pair[1],
	       &err),
	    &err);
	close(pair[1]);
	canon_free(&c);
	assert_int_equal(chan_wait(job, &order, TIMEOUT_MS, &err), 1);
	if (proc == PROC_READER) {
		assert_int_equal(order.type, MSG_READER_JOB);
		table_digest(s, digest);
		canon_raw(&out, digest, sizeof(digest));
		canon_raw(&out, digest, sizeof(digest));
		canon_u64(&out, ROWS);
		canon_u64(&out, 0);
		canon_u64(&out, 0);
		ok(chan_send_canon(job, MSG_READER_DONE, m->tag, &out, &err),
		    &err);
	} else {
		assert_int_equal(order.type, MSG_TRAIN);
		fd = table_file(s);
		ok(train(order.data, order.len, fd, &out, &err), &err);
		close(fd);
		ok(chan_send_canon(job, MSG_TRAINED, m->tag, &out, &err), &err);
	}
	msg_free(&order);
	ok(chan_drain(job, TIMEOUT_MS, &err), &err);
	canon_u8(&c, 1);
	canon_text(&c, "ended");
	ok(chan_send_canon(s->parent, MSG_JOB_GONE, m->tag, &c, &err), &err);
	chan_free(job);
}

static void
on_parent(struct site *s, const struct msg *m)
{
	if (m->type == MSG_START_READER)
		on_start_job(s, m, PROC_READER);
	else if (m->type == MSG_START_TRAINER)
		on_start_job(s, m, PROC_TRAINER);
}

static void
on_control(const struct msg *m)
{
	struct err err;

	ctl_reply_free(&t.reply);
	t.reply = (struct ctl_reply){ 0 };
	ok(ctl_reply_read(m->data, m->len, &t.reply, &err), &err);
	t.replied = true;
}

/*
 * The pump: everything that is there, then what comes within a moment.
 */

/* The victim dies when its answer of the chosen kind has been taken. */
static void
maybe_kill(struct site *s)
{
	if (t.killed || t.victim < 0 || s != &t.sites[t.victim] ||
	    s->last != t.at)
		return;
	t.killed = true;
	kill_site(s);
}

static bool
drain(struct chan *c, struct site *s)
{
	struct err err = { 0 };
	struct msg m;
	bool some = false;
	int rv = 0;

	while (c != NULL && (rv = chan_recv(c, &m, &err)) == 1) {
		some = true;
		if (s == NULL && c == t.listener) {
			struct site *of = NULL;

			for (size_t i = 0; i < nitems(t.calls); i++) {
				if (t.calls[i].wait == W_SEND &&
				    t.calls[i].tag == m.tag)
					of = t.calls[i].site;
			}
			if (m.type == MSG_REPLY)
				on_reply(&m);
			if (of != NULL)
				maybe_kill(of);
		} else if (s == NULL && c == t.control) {
			on_control(&m);
		} else if (s != NULL && c == s->uplink) {
			on_uplink(s, &m);
		} else if (s != NULL && c == s->control) {
			on_control(&m);
		} else if (s != NULL) {
			on_parent(s, &m);
		}
		msg_free(&m);
		if (s != NULL && s->pid == 0)
			return true;
	}
	if (rv < 0)
		fail_msg("%s", err.msg);
	if (c != NULL && chan_closed(c))
		fail_msg("%s ended", s == NULL ? "rounds" : s->name);
	if (c != NULL && chan_flush(c, &err) < 0)
		fail_msg("%s", err.msg);
	return some;
}

static void
pump(int timeout_ms)
{
	struct pollfd p[3 + 3 * N];
	nfds_t n = 0;
	bool some = drain(t.listener, NULL);

	some |= drain(t.control, NULL);
	some |= drain(t.parent, NULL);
	for (size_t i = 0; i < N; i++) {
		struct site *s = &t.sites[i];

		some |= s->pid > 0 && drain(s->uplink, s);
		some |= s->pid > 0 && drain(s->control, s);
		some |= s->pid > 0 && drain(s->parent, s);
	}
	if (some)
		return;
	p[n++] = (struct pollfd){ chan_fd(t.listener), POLLIN, 0 };
	p[n++] = (struct pollfd){ chan_fd(t.control), POLLIN, 0 };
	for (size_t i = 0; i < N; i++) {
		struct site *s = &t.sites[i];

		if (s->pid == 0)
			continue;
		p[n++] = (struct pollfd){ chan_fd(s->uplink), POLLIN, 0 };
		p[n++] = (struct pollfd){ chan_fd(s->control), POLLIN, 0 };
		p[n++] = (struct pollfd){ chan_fd(s->parent), POLLIN, 0 };
	}
	poll(p, n, timeout_ms);
}

/* One command on a control channel; the answer is in t.reply. */
static void
control(struct chan *c, const char *command, const char *study,
    const void *body, size_t len)
{
	struct ctl_request q = { .roles = CTL_OPERATOR | CTL_OFFICER,
		.body = body,
		.body_len = len };
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct canon out = { 0 };
	struct err err;

	snprintf(q.command, sizeof(q.command), "%s", command);
	snprintf(q.study, sizeof(q.study), "%s", study);
	ok(ctl_request_write(&q, &out), &err);
	ok(chan_send_canon(c, MSG_CTL_REQUEST, 1, &out, &err), &err);
	for (t.replied = false; !t.replied; pump(100)) {
		if (clock_mono_ms() > until)
			fail_msg("no answer to %s", command);
	}
}

static void
control_ok(struct chan *c, const char *command, const char *study,
    const void *body, size_t len)
{
	control(c, command, study, body, len);
	if (t.reply.code != ERR_NONE)
		fail_msg("%s: %s", command, t.reply.error);
}

static const char *
cell(const char *column)
{
	for (size_t i = 0; i < t.reply.n_columns; i++) {
		if (strcmp(t.reply.columns[i], column) == 0 &&
		    ctl_reply_rows(&t.reply) != 0)
			return t.reply.cells[i];
	}
	return "";
}

/*
 * A consortium
 */

static void
make_rows(struct site *s, unsigned seed)
{
	unsigned x = seed;

	for (size_t i = 0; i < ROWS; i++) {
		x = x * 1103515245u + 12345u;
		s->a[i] = (double)(x >> 16 & 1023) / 128.0 - 4.0;
		x = x * 1103515245u + 12345u;
		s->b[i] = x >> 16 & 7;
		x = x * 1103515245u + 12345u;
		s->y[i] = s->a[i] + s->b[i] / 4.0 +
			((double)(x >> 16 & 1023) / 128.0 - 4.0) >
		    1;
	}
}

static void
make_folders(const char *name, char state[128])
{
	static const char *const sub[] = { "db", "spool" };
	char path[160];
	struct err err;

	snprintf(state, 128, "%s/%s", t.dir, name);
	for (size_t i = 0; i < nitems(sub); i++) {
		snprintf(path, sizeof(path), "%s/%s", state, sub[i]);
		ok(file_mkdirs(path, 0700, &err), &err);
	}
}

static void
make_authority(void)
{
	struct manifest m = { .epoch = 1 };
	struct manifest_site sites[N] = { 0 };
	uint16_t ids[N];
	struct signed_study ss = { .epoch = 1, .sites = ids, .n_sites = N };
	struct signed_study *opened;
	struct err err;

	snprintf(m.consortium, sizeof(m.consortium), "test");
	m.policy = manifest_policy_default();
	snprintf(m.coordinator.name, sizeof(m.coordinator.name), "c");
	memcpy(m.coordinator.key, key_public(t.coordinator), KEY_PUBLIC);
	memset(m.coordinator.tls, 0xff, MANIFEST_ID);
	for (uint16_t i = 0; i < N; i++) {
		struct site *s = &t.sites[i];

		sites[i].id = ids[i] = s->id;
		sites[i].active = true;
		snprintf(sites[i].member.name, sizeof(sites[i].member.name),
		    "%s", s->name);
		memcpy(sites[i].member.key, key_public(s->key), KEY_PUBLIC);
		memset(sites[i].member.tls, i + 1, MANIFEST_ID);
	}
	m.sites = sites;
	m.n_sites = N;
	ok(manifest_sign(&m, t.root, &t.manifest, &err), &err);
	memcpy(ss.consortium_id, m.consortium_id, MANIFEST_ID);
	ss.text = strdup(study_text);
	ss.text_len = strlen(study_text);
	ok(signed_study_sign(&ss, t.root, &t.study, &err), &err);
	free(ss.text);
	opened = signed_study_open(
	    t.study.data, t.study.len, key_public(t.root), &err);
	assert_non_null(opened);
	memcpy(t.digest, opened->digest, SIGNED_DIGEST);
	signed_study_free(opened);
}

static int
setup(void **state)
{
	const char *build = getenv("builddir");
	char libexec[512], path[160];
	struct err err;

	(void)state;
	if (sodium_init() < 0)
		return -1;
	memset(&t, 0, sizeof(t));
	t.victim = -1;
	snprintf(
	    libexec, sizeof(libexec), "%s/daemon:%s/coordinator", build, build);
	setenv("CONSILIUM_LIBEXEC", libexec, 1);
	snprintf(t.dir, sizeof(t.dir), "/tmp/test_consortium.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	t.root = key_new(&err);
	t.coordinator = key_new(&err);
	t.officer = key_new(&err);
	ok(key_save(t.coordinator, in_dir("coordinator.key"), NULL, &err),
	    &err);
	ok(key_public_save(key_public(t.root), in_dir("root.pub"), &err), &err);
	ok(key_public_save(
	       key_public(t.coordinator), in_dir("coordinator.pub"), &err),
	    &err);
	make_folders("coordinator", path);
	for (uint16_t i = 0; i < N; i++) {
		struct site *s = &t.sites[i];

		s->id = (uint16_t)(10 + i);
		snprintf(s->name, sizeof(s->name), "s%u", i);
		make_folders(s->name, s->state);
		s->key = key_new(&err);
		snprintf(path, sizeof(path), "%s/%s.key", t.dir, s->name);
		ok(key_save(s->key, path, NULL, &err), &err);
		make_rows(s, 77u + i);
	}
	make_authority();
	t.parsed = study_parse("study", study_text, strlen(study_text), &err);
	if (t.parsed == NULL)
		fail_msg("%s", err.msg);
	ok(study_model_spec(t.parsed, N, &t.spec, &err), &err);
	start_rounds();
	for (size_t i = 0; i < N; i++)
		start_site(&t.sites[i]);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	kill_rounds();
	for (size_t i = 0; i < N; i++) {
		struct site *s = &t.sites[i];

		kill_site(s);
		key_free(s->key);
		canon_free(&s->poll);
		canon_free(&s->data);
	}
	key_free(t.root);
	key_free(t.coordinator);
	key_free(t.officer);
	canon_free(&t.manifest);
	canon_free(&t.study);
	ctl_reply_free(&t.reply);
	study_free(t.parsed);
	snprintf(command, sizeof(command), "rm -r %s", t.dir);
	return system(command);
}

/* Wait until the site has the study, then prepare and approve it. */
static void
approve(struct site *s)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct approval a = { .verdict = APPROVAL_APPROVE };
	struct canon out = { 0 };
	struct err err;

	do {
		control_ok(s->control, "status", "small", NULL, 0);
		assert_true(clock_mono_ms() < until);
		pump(10);
	} while (strcmp(cell("status"), "received") != 0);
	/* Nothing to approve yet. */
	control(s->control, "digests", "small", NULL, 0);
	assert_int_equal(t.reply.code, ERR_REFUSED);
	control_ok(s->control, "prepare", "small", NULL, 0);
	control_ok(s->control, "digests", "small", NULL, 0);
	assert_int_equal(hex_bytes(cell("study"), a.study, 32), 0);
	assert_int_equal(hex_bytes(cell("report"), a.report, 32), 0);
	assert_int_equal(hex_bytes(cell("table"), a.table, 32), 0);
	a.utc = clock_utc();
	ok(approval_sign(&a, t.officer, &out, &err), &err);
	control_ok(s->control, "approve", "small", out.data, out.len);
	canon_free(&out);
}

static void
begin(void)
{
	control_ok(t.control, "submit", "", t.manifest.data, t.manifest.len);
	control_ok(t.control, "submit", "", t.study.data, t.study.len);
	for (size_t i = 0; i < N; i++)
		approve(&t.sites[i]);
}

/* The plan after all rounds, by addition in the clear. */
static void
expected_plan(struct canon *out)
{
	struct err err;
	struct plan *p = plan_new(&t.spec, &err);

	assert_non_null(p);
	while (!plan_done(p)) {
		size_t n = plan_words(p), nv = plan_values(p);
		uint64_t *sum = calloc(n, sizeof(*sum));
		uint64_t *words = calloc(n, sizeof(*words));
		double *values = calloc(nv, sizeof(*values));

		for (size_t i = 0; i < N; i++) {
			struct site *s = &t.sites[i];
			double x[ROWS * 2];
			uint8_t event[ROWS];
			struct model_data d = { .n_rows = ROWS,
				.n_terms = 2,
				.x = x,
				.event = event };

			for (size_t k = 0; k < ROWS; k++) {
				x[2 * k] = s->a[k];
				x[2 * k + 1] = s->b[k];
				event[k] = s->y[k] != 0;
			}
			ok(contribute(p, &d, values, &err), &err);
			ok(plan_encode(p, values, nv, words, &err), &err);
			for (size_t k = 0; k < n; k++)
				sum[k] += words[k];
		}
		ok(plan_step(p, sum, n, N, &err), &err);
		free(sum);
		free(words);
		free(values);
	}
	plan_save(p, out);
	plan_free(p);
}

static bool
done(struct chan *c)
{
	control_ok(c, "status", "small", NULL, 0);
	return strcmp(cell("status"), "done") == 0;
}

static void
check_result(struct chan *c, const struct canon *expected)
{
	struct finished *f;
	struct err err;

	control_ok(c, "result", "small", NULL, 0);
	f = finished_read(t.reply.body, t.reply.body_len, &err);
	assert_non_null(f);
	assert_int_equal(f->plan_len, expected->len);
	assert_memory_equal(f->plan, expected->data, expected->len);
	for (size_t i = 0; i < f->n_rounds; i++)
		assert_int_equal(f->rounds[i].n_sites, N);
	finished_free(f);
}

/* Until all say that it is done; a site that was killed comes back when the
   round has gone on without it. */
static void
finish(void)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct canon expected = { 0 };
	bool all;

	do {
		struct site *v = t.victim >= 0 ? &t.sites[t.victim] : NULL;

		if (clock_mono_ms() > until)
			fail_msg("not done in time");
		if (v != NULL && t.killed && v->pid == 0)
			start_site(v);
		pump(20);
		all = done(t.control);
		for (size_t i = 0; all && i < N; i++)
			all = t.sites[i].pid != 0 && done(t.sites[i].control);
	} while (!all);
	assert_true(t.victim < 0 || t.killed);
	expected_plan(&expected);
	check_result(t.control, &expected);
	for (size_t i = 0; i < N; i++)
		check_result(t.sites[i].control, &expected);
	canon_free(&expected);
}

static void
a_study_gives_the_model_of_all_rows_together(void **state)
{
	(void)state;
	begin();
	finish();
}

static void
killed_at(int victim, enum round_type at)
{
	t.victim = victim;
	t.at = at;
	begin();
	finish();
}

static void
a_site_killed_after_its_ready_comes_back(void **state)
{
	(void)state;
	killed_at(1, ROUND_READY);
}

static void
a_site_killed_after_its_shares_comes_back(void **state)
{
	(void)state;
	killed_at(0, ROUND_SHARES);
}

static void
a_site_killed_after_its_upload_is_counted(void **state)
{
	(void)state;
	killed_at(2, ROUND_UPLOAD);
}

static void
a_site_killed_after_its_confirm_is_counted(void **state)
{
	(void)state;
	killed_at(3, ROUND_CONFIRM);
}

static void
a_site_killed_after_its_unmask_is_counted(void **state)
{
	(void)state;
	killed_at(0, ROUND_UNMASK);
}

static void
rounds_killed_again_and_again_loses_nothing(void **state)
{
	int64_t next, until = clock_mono_ms() + TIMEOUT_MS;

	(void)state;
	begin();
	next = clock_mono_ms() + 100;
	while (!done(t.control)) {
		assert_true(clock_mono_ms() < until);
		if (clock_mono_ms() > next) {
			kill_rounds();
			start_rounds();
			/* The uplinks see their calls fail, and call again. */
			for (size_t i = 0; i < N; i++) {
				struct site *s = &t.sites[i];

				kill_site(s);
				start_site(s);
			}
			next = clock_mono_ms() + 400;
		}
		pump(10);
	}
	finish();
}

static void
an_approval_of_another_table_is_refused(void **state)
{
	struct site *s = &t.sites[0];
	struct approval a = { .verdict = APPROVAL_APPROVE };
	struct canon out = { 0 };
	struct err err;

	(void)state;
	control_ok(t.control, "submit", "", t.manifest.data, t.manifest.len);
	control_ok(t.control, "submit", "", t.study.data, t.study.len);
	for (int i = 0; i < 100; i++)
		pump(20);
	control_ok(s->control, "prepare", "small", NULL, 0);
	memcpy(a.study, t.digest, sizeof(a.study));
	a.utc = clock_utc();
	ok(approval_sign(&a, t.officer, &out, &err), &err);
	control(s->control, "approve", "small", out.data, out.len);
	assert_int_equal(t.reply.code, ERR_REFUSED);
	/* Nor does somebody else's key approve anything. */
	out.len = 0;
	ok(approval_sign(&a, t.root, &out, &err), &err);
	control(s->control, "approve", "small", out.data, out.len);
	assert_int_equal(t.reply.code, ERR_REFUSED);
	control_ok(s->control, "status", "small", NULL, 0);
	assert_string_equal(cell("status"), "prepared");
	canon_free(&out);
}

static void
the_coordinator_refuses_what_the_root_did_not_sign(void **state)
{
	struct canon bad = { 0 };

	(void)state;
	canon_raw(&bad, t.manifest.data, t.manifest.len);
	bad.data[bad.len / 2] ^= 1;
	control(t.control, "submit", "", bad.data, bad.len);
	assert_true(t.reply.code != ERR_NONE);
	canon_free(&bad);
	control(t.control, "submit", "", t.study.data, t.study.len);
	assert_int_equal(t.reply.code, ERR_REFUSED); /* no manifest yet */
	control_ok(t.control, "submit", "", t.manifest.data, t.manifest.len);
	control(t.control, "submit", "", t.manifest.data, t.manifest.len);
	assert_int_equal(t.reply.code, ERR_REFUSED); /* the same epoch */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_study_gives_the_model_of_all_rows_together),
		TEST(a_site_killed_after_its_ready_comes_back),
		TEST(a_site_killed_after_its_shares_comes_back),
		TEST(a_site_killed_after_its_upload_is_counted),
		TEST(a_site_killed_after_its_confirm_is_counted),
		TEST(a_site_killed_after_its_unmask_is_counted),
		TEST(rounds_killed_again_and_again_loses_nothing),
		TEST(an_approval_of_another_table_is_refused),
		TEST(the_coordinator_refuses_what_the_root_did_not_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

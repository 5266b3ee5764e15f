#include "config.h"

#include "tests/check.h"
#include "tests/rounds/harness.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#include "crypto/checkpoint.h"
#include "crypto/exchange.h"
#include "crypto/finished.h"
#include "crypto/hash.h"
#include "crypto/manifest.h"
#include "crypto/round.h"
#include "crypto/signed.h"
#include "crypto/signed_study.h"
#include "daemon/train.h"
#include "model/contribute.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "privsep/chan.h"
#include "privsep/ctl_msg.h"
#include "privsep/lock.h"
#include "privsep/spawn.h"
#include "study/study.h"
#include "study/table.h"
#include "tests/faults/fault.h"

static const char study_format[] = "[study]\n"
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
				   "%s"
				   "ready-wait = %u\n"
				   "share = %u\n"
				   "upload = %u\n"
				   "confirm = %u\n%s"
				   "[privacy]\n"
				   "k = 1\n"
				   "cohort = %s\n%s"
				   "rows-per-site = 100\n"
				   "%s"
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

static char study_text[2048];

#define DEATHS_MAX 10000

enum wait { W_NONE, W_NEXT, W_SEND, W_CHECKPOINT, W_PUT, W_GET, W_ASIDE };

/* A call of an uplink's that rounds has not answered. */
struct call {
	uint64_t tag;
	enum wait wait;
	struct site *site;
	struct answer *answer; /* W_ASIDE: where it goes */
	uint64_t sent_as; /* W_CHECKPOINT, W_SEND: the gate's tag */
};

struct harness h;
static struct call calls[64];
static unsigned starts[SITES_MAX + 1]; /* of each site; of rounds, at n */
static uint64_t last_tag;
/* What rounds answered to the last call that a test made aside.  A hook may
   make one while another waits, so that each has its own until it is there. */
static struct answer {
	bool there;
	uint32_t status;
	struct canon body;
} aside;

void
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
	int rv;

	canon_text(&c, "test.conf");
	canon_bytes(&c, config, strlen(config));
	canon_u32(&c, 1);
	canon_text(&c, "state");
	canon_bytes(&c, state, strlen(state));
	ok(chan_send_canon(to, MSG_CONFIG, 0, &c, &err), &err);
	rv = chan_wait(to, &m, TIMEOUT_MS, &err);
	if (rv == 0 && h.may_die)
		return; /* the pump will see it */
	if (rv != 1)
		fail_msg("%s", rv < 0 ? err.msg : "it ended at its start");
	assert_int_equal(m.type, MSG_READY);
	msg_free(&m);
}

const char *
in_dir(const char *name)
{
	static char path[4][160];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", h.dir, name);
	return path[i];
}

void
start_site(struct site *s)
{
	char officer[KEY_PUBLIC_TEXT], deputy[KEY_PUBLIC_TEXT], config[1024],
	    key[32];
	struct err err;

	starts[s - h.sites]++;
	hex_text(key_public(h.officer), KEY_PUBLIC, officer);
	hex_text(key_public(h.deputy), KEY_PUBLIC, deputy);
	snprintf(config, sizeof(config),
	    "[site]\nname = %s\nstate = %s\nkeys = %s\n"
	    "[coordinator]\naddress = localhost:1\n"
	    "[officer]\npublic-key = %s, %s\n"
	    "[source]\ncsv = /nowhere.csv\n"
	    "[policy]\nsmallest-k = 1\ncohort = open\nverify = trust\n%s"
	    "keep-tables = %u\n"
	    "[control]\nsocket = %s/socket\n",
	    s->name, s->state, h.dir, officer, deputy,
	    h.o.policy != NULL ? h.o.policy : "", h.o.keep_tables, h.dir);
	assert_int_equal(setenv(LOCK_STATE_ENV, s->state, 1), 0);
	s->pid = spawn(PROC_GATE, LOG_ERR, &s->parent, &err);
	ok(s->pid, &err);
	snprintf(key, sizeof(key), "%s.key", s->name);
	hand_over(s->parent, "identity.key", in_dir(key));
	hand_over(s->parent, "root.pub", in_dir("root.pub"));
	hand_over(s->parent, "coordinator.pub", in_dir("coordinator.pub"));
	s->uplink = peer(s->parent, PROC_UPLINK, PROC_GATE);
	s->control = peer(s->parent, PROC_CONTROL, PROC_GATE);
	if (h.o.board)
		s->board = peer(s->parent, PROC_BOARD, PROC_GATE);
	configure(s->parent, config, s->state);
	s->next_tag = 0;
	s->ask_at = 0;
	s->sending = false;
	canon_free(&s->poll);
	canon_free(&s->data);
	s->moving = false;
	canon_free(&s->later.body);
}

void
start_rounds(void)
{
	struct err err;

	starts[h.n]++;
	assert_int_equal(setenv(LOCK_STATE_ENV, in_dir("coordinator"), 1), 0);
	h.pid = spawn(PROC_ROUNDS, LOG_ERR, &h.parent, &err);
	ok(h.pid, &err);
	hand_over(h.parent, "coordinator.key", in_dir("coordinator.key"));
	hand_over(h.parent, "root.pub", in_dir("root.pub"));
	h.listener = peer(h.parent, PROC_LISTENER, PROC_ROUNDS);
	h.control = peer(h.parent, PROC_CONTROL, PROC_ROUNDS);
	if (h.o.board)
		h.board = peer(h.parent, PROC_BOARD, PROC_ROUNDS);
	configure(h.parent, "", in_dir("coordinator"));
}

/* A process that is killed does not write its counters: for coverage it ends of
   itself, when its parent is gone.  That comes before its other messages. */
static void
end(pid_t pid, struct chan **parent)
{
#ifdef CONSILIUM_COVERAGE
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	siginfo_t info = { 0 };

	chan_free(*parent);
	*parent = NULL;
	while (info.si_pid == 0 && clock_mono_ms() < until) {
		if (waitid(P_PID, (id_t)pid, &info,
			WEXITED | WNOHANG | WNOWAIT) < 0)
			return;
		usleep(1000);
	}
#else
	(void)parent;
#endif
	kill(pid, SIGKILL);
}

static void
stop(pid_t *pid, struct chan **a, struct chan **b, struct chan **c)
{
	int status;

	if (*pid <= 0)
		return;
	end(*pid, a);
	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	*pid = 0;
	chan_free(*a);
	chan_free(*b);
	chan_free(*c);
	*a = *b = *c = NULL;
}

void
kill_site(struct site *s)
{
	stop(&s->pid, &s->parent, &s->uplink, &s->control);
	chan_free(s->board);
	s->board = NULL;
	for (size_t i = 0; i < nitems(calls); i++) {
		if (calls[i].site == s)
			calls[i].site = NULL;
	}
}

void
kill_rounds(void)
{
	stop(&h.pid, &h.parent, &h.listener, &h.control);
	chan_free(h.board);
	h.board = NULL;
	memset(calls, 0, sizeof(calls));
}

void
start_all(void)
{
	start_rounds();
	for (size_t i = 0; i < h.n; i++) {
		if (h.sites[i].pid == 0)
			continue;
		kill_site(&h.sites[i]);
		start_site(&h.sites[i]);
	}
}

static void
shell(const char *command, const char *a, const char *b)
{
	char line[400];

	snprintf(line, sizeof(line), "%s %s %s", command, a, b);
	assert_int_equal(system(line), 0);
}

void
back_up_rounds(void)
{
	kill_rounds();
	shell("cp -a", in_dir("coordinator"), in_dir("backup"));
	start_all();
}

void
restore_rounds(void)
{
	kill_rounds();
	shell("rm -r", in_dir("coordinator"), "");
	shell("mv", in_dir("backup"), in_dir("coordinator"));
	start_all();
}

/*
 * The wire
 */

static struct call *
request(struct site *s, enum wait wait, enum request_method method,
    const struct canon *body)
{
	struct canon c = { 0 };
	struct err err;

	for (size_t i = 0; i < nitems(calls); i++) {
		if (calls[i].wait != W_NONE)
			continue;
		calls[i] = (struct call){ ++last_tag, wait, s, NULL, 0 };
		canon_u8(&c, (uint8_t)method);
		canon_u32(&c, s->id);
		canon_raw(&c, body->data, body->len);
		ok(chan_send_canon(h.listener, MSG_REQUEST, last_tag, &c, &err),
		    &err);
		return &calls[i];
	}
	fail_msg("too many calls");
	return NULL;
}

static void
delivered_as(struct site *s, uint64_t tag, uint32_t code, const char *why)
{
	struct canon c = { 0 };
	struct err err;

	canon_u32(&c, code);
	canon_bytes(&c, why, strlen(why));
	ok(chan_send_canon(s->uplink, MSG_DELIVERED, tag, &c, &err), &err);
}

static void on_uplink(struct site *s, const struct msg *m);

/* A vector is where it was to go, or not: the next one. */
static void
moved(struct site *s)
{
	struct later next = s->later;
	struct msg m = { .type = next.type,
		.tag = next.tag,
		.data = next.body.data,
		.len = next.body.len,
		.fd = -1 };

	s->moving = false;
	s->later = (struct later){ 0 };
	if (m.len != 0)
		on_uplink(s, &m);
	canon_free(&next.body);
}

static void
delivered(struct site *s, uint32_t code, const char *why)
{
	s->sending = false;
	delivered_as(s, s->answer_tag, code, why);
	moved(s);
}

static size_t
study_by(const uint8_t digest[SIGNED_DIGEST])
{
	size_t i = 0;

	while (
	    i < h.n_studies && memcmp(h.digests[i], digest, SIGNED_DIGEST) != 0)
		i++;
	assert_true(i < h.n_studies);
	return i;
}

static void
tell_of(struct site *s, size_t study, const struct canon *msg)
{
	struct canon out = { 0 };

	hash_sha256(msg->data, msg->len, s->question[study]);
	exchange_wrap(h.digests[study], msg->data, msg->len, &out);
	tell_object(s, &out);
	canon_free(&out);
}

static void
put_chunk(struct site *s)
{
	size_t at = s->chunk * ROUND_CHUNK;
	struct canon c = { 0 };

	uint32_t index = (uint32_t)s->chunk;
	struct canon chunk = { 0 };

	canon_raw(
	    &chunk, s->data.data + at, MIN(s->data.len - at, ROUND_CHUNK));
	if (h.put != NULL)
		h.put(s, &index, &chunk);
	canon_raw(&c, s->name_of_data, ROUND_DIGEST);
	canon_u32(&c, index);
	canon_raw(&c, chunk.data, chunk.len);
	request(s, W_PUT, REQUEST_PUT_CHUNK, &c);
	canon_free(&c);
	canon_free(&chunk);
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
	s->ask_at = 0;
	request(s, W_NEXT, REQUEST_NEXT, &s->poll);
	s->next_tag = last_tag;
}

/*
 * What the coordinator has for a site, past the hook.  len bytes of an object
 * of the root's, or of an envelope.
 */
static void
hand_in(struct site *s, const uint8_t *p, size_t len)
{
	uint8_t study[32];
	const uint8_t *body;
	struct canon msg = { 0 };
	struct err err;
	size_t n, of;

	if (exchange_unwrap(p, len, study, &body, &n, &err) < 0) {
		ok(chan_send(
		       s->uplink, MSG_FROM_COORDINATOR, 0, p, len, -1, &err),
		    &err);
		return;
	}
	canon_raw(&msg, body, n);
	of = h.of = study_by(study);
	if (h.to_site != NULL &&
	    h.to_site(s, round_message_type(msg.data, msg.len), &msg) == LOSE)
		s->ask_at = clock_mono_ms() + 50;
	else if (s->pid != 0)
		tell_of(s, of, &msg);
	canon_free(&msg);
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

	for (size_t i = 0; i < nitems(calls); i++) {
		if (calls[i].wait != W_NONE && calls[i].tag == m->tag)
			c = &calls[i];
	}
	if (c == NULL)
		return;
	call = *c;
	*c = (struct call){ 0 };
	if (call.wait == W_ASIDE) {
		call.answer->there = true;
		call.answer->status = status;
		canon_raw(&call.answer->body, in.p, len);
		return;
	}
	if ((s = call.site) == NULL || s->pid == 0)
		return;
	snprintf(why, sizeof(why), "%.*s", (int)len, (const char *)in.p);
	switch (call.wait) {
	case W_NEXT:
		if (call.tag != s->next_tag)
			break; /* an older question's */
		s->next_tag = 0;
		if (status == 0 && len != 0)
			hand_in(s, in.p, len);
		else if (status == 0)
			ask(s);
		else /* revoked, perhaps not for ever */
			s->ask_at = clock_mono_ms() + 50;
		break;
	case W_SEND:
		snprintf(s->refusal, sizeof(s->refusal), "%s",
		    status != 0 ? why : "");
		if (status == 0 && len > 0)
			ok(chan_send(s->uplink, MSG_FROM_COORDINATOR, 0, in.p,
			       len, -1, &err),
			    &err);
		s->sending = false;
		delivered_as(s, call.sent_as, status, s->refusal);
		break;
	case W_CHECKPOINT:
		if (status == 0)
			ok(chan_send(s->uplink, MSG_FROM_COORDINATOR, 0, in.p,
			       len, -1, &err),
			    &err);
		delivered_as(s, call.sent_as, status, status != 0 ? why : "");
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
		if (s->data.len < s->size) {
			get_chunk(s);
			break;
		}
		if (h.fetched != NULL)
			h.fetched(s, &s->data);
		if (s->pid != 0)
			ok(chan_send(s->uplink, MSG_FETCHED, s->answer_tag,
			       s->data.data, s->data.len, -1, &err),
			    &err);
		moved(s);
		break;
	default:
		break;
	}
}

/*
 * Every answer of every gate, by its question.  One that differs from an
 * earlier one to the same question is what must never be.
 */
static struct {
	uint16_t site;
	enum round_type type;
	uint8_t question[HASH_LEN], answer[HASH_LEN];
} kept[4096];
static size_t n_kept;

/* Is it the first answer, or the first again? */
static bool
is_first(const struct site *s, size_t study, enum round_type type,
    const void *p, size_t len)
{
	const uint8_t *question = s->question[study];
	uint8_t answer[HASH_LEN];

	hash_sha256(p, len, answer);
	for (size_t i = 0; i < n_kept; i++) {
		if (kept[i].site == s->id && kept[i].type == type &&
		    memcmp(kept[i].question, question, HASH_LEN) == 0)
			return memcmp(kept[i].answer, answer, HASH_LEN) == 0;
	}
	assert_true(n_kept < nitems(kept));
	kept[n_kept].site = s->id;
	kept[n_kept].type = type;
	memcpy(kept[n_kept].question, question, HASH_LEN);
	memcpy(kept[n_kept++].answer, answer, HASH_LEN);
	return true;
}

/* A vector does not say of which study it is; where there are several, the
   message that names its root is held against the first one all the same. */
static void
keep_vector(const struct site *s, const void *p, size_t len)
{
	if (h.n_studies == 1 && !is_first(s, 0, ROUND_NONE, p, len))
		fail_msg("%s: a second, different vector", s->name);
}

static void
on_uplink(struct site *s, const struct msg *m)
{
	struct canon_in in = canon_in(m->data, m->len);
	struct canon body = { 0 }, msg = { 0 };
	char type[SIGNED_TYPE_MAX + 1];
	uint8_t study[32];
	const uint8_t *p;
	size_t len;
	struct err err;

	if (s->moving && (m->type == MSG_UPLOAD || m->type == MSG_FETCH)) {
		assert_int_equal(s->later.body.len, 0);
		s->later = (struct later){ m->type, m->tag, { 0 } };
		canon_raw(&s->later.body, m->data, m->len);
		return;
	}
	switch (m->type) {
	case MSG_POLL:
		canon_free(&s->poll);
		canon_raw(&s->poll, m->data, m->len);
		ask(s);
		break;
	case MSG_TO_COORDINATOR:
		if (signed_type(m->data, m->len, type, &err) == 0 &&
		    strcmp(type, CHECKPOINT_TYPE) == 0) {
			canon_raw(&body, m->data, m->len);
			if (h.lose_checkpoints) {
				delivered_as(s, m->tag, ERR_SYSTEM, "lost");
				break;
			}
			request(s, W_CHECKPOINT, REQUEST_SEND, &body)->sent_as =
			    m->tag;
			break;
		}
		s->n_sent++;
		s->sending = true;
		ok(exchange_unwrap(m->data, m->len, study, &p, &len, &err),
		    &err);
		canon_raw(&msg, p, len);
		s->last = round_message_type(msg.data, msg.len);
		h.of = study_by(study);
		if (!is_first(s, h.of, s->last, msg.data, msg.len))
			fail_msg("%s: a second, different %s", s->name,
			    round_type_name(s->last));
		if (h.to_rounds != NULL &&
		    h.to_rounds(s, s->last, &msg) == LOSE) {
			s->sending = false;
			if (s->pid != 0)
				delivered_as(s, m->tag, ERR_SYSTEM, "lost");
			break;
		}
		exchange_wrap(study, msg.data, msg.len, &body);
		request(s, W_SEND, REQUEST_SEND, &body)->sent_as = m->tag;
		break;
	case MSG_UPLOAD:
		s->n_sent++;
		s->moving = true;
		keep_vector(s, m->data, m->len);
		s->answer_tag = m->tag;
		canon_free(&s->data);
		canon_get_raw(&in, s->name_of_data, ROUND_DIGEST);
		canon_get_u64(&in);
		canon_raw(&s->data, in.p, (size_t)(in.end - in.p));
		if (h.upload != NULL) {
			h.upload(s, &s->data);
			round_words_root(study_bits(h.parsed), s->data.data,
			    s->data.len / (study_bits(h.parsed) / 8),
			    s->name_of_data);
		}
		s->chunk = 0;
		if (h.take_vectors)
			delivered(s, ERR_NONE, "");
		else
			put_chunk(s);
		break;
	case MSG_FETCH:
		s->n_sent++;
		s->moving = true;
		s->answer_tag = m->tag;
		canon_free(&s->data);
		canon_get_raw(&in, s->name_of_data, ROUND_DIGEST);
		s->size = canon_get_u64(&in);
		s->chunk = in.p < in.end ? canon_get_u32(&in) : 0;
		get_chunk(s);
		break;
	default:
		fail_msg("%s to the uplink", msg_name(m->type));
	}
	canon_free(&body);
	canon_free(&msg);
}

/*
 * Jobs: we are reader and trainer
 */

static int
table_file(const struct site *s, const uint8_t study[HASH_LEN])
{
	const double *columns[3];
	int fd = memfd_create("table", MFD_CLOEXEC);
	struct err err;

	assert_int_equal(h.parsed->n_table, 3);
	for (size_t i = 0; i < 3; i++) {
		const char *name = h.parsed->columns[h.parsed->table[i]].name;

		columns[i] = strcmp(name, "y") == 0 ? s->y
		    : strcmp(name, "a") == 0        ? s->a
						    : s->b;
	}
	ok(table_write(fd, h.parsed, study, columns, ROWS, &err), &err);
	return fd;
}

static void
table_digest(
    const struct site *s, const uint8_t study[HASH_LEN], uint8_t out[HASH_LEN])
{
	int fd = table_file(s, study);
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
	enum job_fate fate;
	struct chan *job;
	struct msg order;
	struct err err;
	int pair[2], fd, rv;

	if (h.starting != NULL)
		h.starting(s, proc);
	ok(chan_pair(pair, &err), &err);
	assert_non_null(job = chan_new(pair[0], PROC_GATE, &err));
	canon_text(&c, "small.table");
	ok(chan_send(s->parent, MSG_JOB_CHANNEL, m->tag, c.data, c.len, pair[1],
	       &err),
	    &err);
	close(pair[1]);
	canon_free(&c);
	if ((rv = chan_wait(job, &order, TIMEOUT_MS, &err)) == 0 && h.may_die) {
		chan_free(job);
		return;
	}
	if (rv == 0) { /* it has nothing to do, and ends */
		h.n_idle++;
		goto ended;
	}
	assert_int_equal(rv, 1);
	if (h.job != NULL && (fate = h.job(s, job, &order)) != JOB_PASS) {
		if (fate == JOB_FATAL)
			goto gone;
	} else if (proc == PROC_READER) {
		assert_int_equal(order.type, MSG_READER_JOB);
		table_digest(s, order.data, digest);
		canon_raw(&out, digest, sizeof(digest));
		canon_raw(&out, digest, sizeof(digest));
		canon_u64(&out, ROWS);
		canon_u64(&out, 0);
		canon_u64(&out, 0);
		canon_u64(&out, 0); /* nobody objects */
		canon_u64(&out, 0);
		canon_raw(&out, (const uint8_t[32]){ 0 }, 32);
		ok(chan_send_canon(job, MSG_READER_DONE, m->tag, &out, &err),
		    &err);
	} else {
		assert_int_equal(order.type, MSG_TRAIN);
		if (h.training != NULL)
			h.training(s);
		if (s->pid == 0)
			goto gone;
		fd = table_file(s, order.data);
		ok(train(order.data, order.len, fd, &out, &err), &err);
		close(fd);
		if (h.trained != NULL)
			h.trained(s, &out);
		ok(chan_send_canon(job, MSG_TRAINED, m->tag, &out, &err), &err);
	}
	msg_free(&order);
	ok(chan_drain(job, TIMEOUT_MS, &err), &err);
ended:
	canon_u8(&c, 1);
	canon_text(&c, "ended");
	ok(chan_send_canon(s->parent, MSG_JOB_GONE, m->tag, &c, &err), &err);
	chan_free(job);
	return;
gone:
	msg_free(&order);
	chan_free(job);
}

static void
on_parent(struct site *s, const struct msg *m)
{
	if (m->type == MSG_START_READER)
		on_start_job(s, m, PROC_READER);
	else if (m->type == MSG_START_TRAINER)
		on_start_job(s, m, PROC_TRAINER);
	else if (m->type == MSG_DROP_TABLE)
		h.n_dropped++;
}

/* Commands that wait for their answers: a hook may ask while one does. */
static struct command {
	uint64_t tag;
	bool replied;
	struct ctl_reply reply;
	struct command *outer;
} * commands;

static void
on_control(const struct msg *m)
{
	struct command *c = commands;
	struct err err;

	while (c != NULL && c->tag != m->tag)
		c = c->outer;
	if (c != NULL) {
		ok(ctl_reply_read(m->data, m->len, &c->reply, &err), &err);
		c->replied = true;
		return;
	}
	ctl_reply_free(&h.reply);
	ok(ctl_reply_read(m->data, m->len, &h.reply, &err), &err);
	h.replied = true;
}

/*
 * The pump: everything that is there, then what comes within a moment.
 */

/* The victim dies when its answer of the chosen kind has been taken. */
static void
maybe_kill(struct site *s)
{
	if (h.killed || h.victim < 0 || s != &h.sites[h.victim] ||
	    s->last != h.at)
		return;
	h.killed = true;
	kill_site(s);
}

/* What is waited for since then is not to be expected any more; a process that
   ended has had to start, and begins again. */
static bool
too_late(int64_t since)
{
	return clock_mono_ms() - MAX(since, h.died_at) > TIMEOUT_MS;
}

static void
died(struct site *s)
{
	if (!h.may_die)
		fail_msg("%s ended", s == NULL ? "rounds" : s->name);
	h.died_at = clock_mono_ms();
	if (h.n_deaths++ > DEATHS_MAX)
		fail_msg(
		    "%s ends again and again", s == NULL ? "rounds" : s->name);
	if (s != NULL) {
		kill_site(s);
		if (h.before_restart != NULL)
			h.before_restart(s);
		start_site(s);
		return;
	}
	/* Every uplink sees its calls fail: their gates start afresh, too. */
	kill_rounds();
	if (h.before_restart != NULL)
		h.before_restart(NULL);
	start_rounds();
	for (size_t i = 0; i < h.n; i++) {
		kill_site(&h.sites[i]);
		start_site(&h.sites[i]);
	}
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
		if (s == NULL && c == h.listener) {
			struct site *of = NULL;

			for (size_t i = 0; i < nitems(calls); i++) {
				if (calls[i].wait == W_SEND &&
				    calls[i].tag == m.tag)
					of = calls[i].site;
			}
			if (m.type == MSG_REPLY)
				on_reply(&m);
			if (of != NULL)
				maybe_kill(of);
		} else if (s == NULL && c == h.control) {
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
	if (c != NULL && chan_closed(c)) {
		died(s);
		return true;
	}
	if (c != NULL && chan_flush(c, &err) < 0)
		fail_msg("%s", err.msg);
	return some;
}

void
pump(int timeout_ms)
{
	struct pollfd p[3 + 3 * SITES_MAX];
	nfds_t n = 0;
	bool some = drain(h.listener, NULL);

	some |= drain(h.control, NULL);
	some |= drain(h.parent, NULL);
	for (size_t i = 0; i < h.n; i++) {
		struct site *s = &h.sites[i];

		some |= s->pid > 0 && drain(s->uplink, s);
		some |= s->pid > 0 && drain(s->control, s);
		some |= s->pid > 0 && drain(s->parent, s);
		if (s->pid > 0 && s->ask_at != 0 &&
		    clock_mono_ms() >= s->ask_at) {
			ask(s);
			some = true;
		}
	}
	if (some)
		return;
	p[n++] = (struct pollfd){ chan_fd(h.listener), POLLIN, 0 };
	p[n++] = (struct pollfd){ chan_fd(h.control), POLLIN, 0 };
	for (size_t i = 0; i < h.n; i++) {
		struct site *s = &h.sites[i];

		if (s->pid == 0)
			continue;
		p[n++] = (struct pollfd){ chan_fd(s->uplink), POLLIN, 0 };
		p[n++] = (struct pollfd){ chan_fd(s->control), POLLIN, 0 };
		p[n++] = (struct pollfd){ chan_fd(s->parent), POLLIN, 0 };
	}
	poll(p, n, timeout_ms);
}

/* Whose control channel it is: a site's number, or h.n. */
static size_t
whose(const struct chan *c)
{
	size_t i = 0;

	while (i < h.n && h.sites[i].control != c)
		i++;
	return i;
}

static bool
control_once(size_t to, const char *command, const char *study,
    const void *body, size_t len)
{
	struct ctl_request q = {
		.roles = h.roles, .body = body, .body_len = len
	};
	int64_t since = clock_mono_ms();
	struct chan *c = to < h.n ? h.sites[to].control : h.control;
	struct command asked = { .tag = ++last_tag, .outer = commands };
	unsigned start = starts[to];
	struct canon out = { 0 };
	struct err err;

	snprintf(q.command, sizeof(q.command), "%s", command);
	snprintf(q.study, sizeof(q.study), "%s", study);
	ok(ctl_request_write(&q, &out), &err);
	ok(chan_send_canon(c, MSG_CTL_REQUEST, asked.tag, &out, &err), &err);
	for (commands = &asked; !asked.replied && starts[to] == start;
	     pump(100)) {
		if (too_late(since))
			fail_msg("no answer to %s", command);
	}
	commands = asked.outer;
	if (asked.replied) {
		ctl_reply_free(&h.reply);
		h.reply = asked.reply;
	}
	return asked.replied;
}

bool
control(struct chan *c, const char *command, const char *study,
    const void *body, size_t len)
{
	size_t to = whose(c);
	bool again = false;

	for (; !control_once(to, command, study, body, len); again = true)
		continue;
	return again;
}

void
control_ok(struct chan *c, const char *command, const char *study,
    const void *body, size_t len)
{
	bool again = control(c, command, study, body, len);

	if (h.reply.code != ERR_NONE && !(again && h.reply.code == ERR_REFUSED))
		fail_msg("%s: %s", command, h.reply.error);
}

const char *
cell(const char *column)
{
	for (size_t i = 0; i < h.reply.n_columns; i++) {
		if (strcmp(h.reply.columns[i], column) == 0 &&
		    ctl_reply_rows(&h.reply) != 0)
			return h.reply.cells[i];
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

	snprintf(state, 128, "%s/%s", h.dir, name);
	for (size_t i = 0; i < nitems(sub); i++) {
		snprintf(path, sizeof(path), "%s/%s", state, sub[i]);
		ok(file_mkdirs(path, 0700, &err), &err);
	}
}

static void
make_manifest(uint32_t epoch, unsigned revoked)
{
	struct manifest m = { .epoch = epoch, .roots = h.roots };
	struct manifest_site sites[SITES_MAX + 1] = { 0 };
	struct err err;

	snprintf(m.consortium, sizeof(m.consortium), "test");
	m.policy = manifest_policy_default();
	snprintf(m.coordinator.name, sizeof(m.coordinator.name), "c");
	memcpy(m.coordinator.key, key_public(h.coordinator), KEY_PUBLIC);
	memset(m.coordinator.tls, 0xff, MANIFEST_ID);
	for (uint16_t i = 0; i < h.n; i++) {
		struct site *s = &h.sites[i];

		sites[i].id = s->id;
		sites[i].active = (revoked >> i & 1) == 0;
		snprintf(sites[i].member.name, sizeof(sites[i].member.name),
		    "%s", s->name);
		memcpy(sites[i].member.key, key_public(s->key), KEY_PUBLIC);
		memset(sites[i].member.tls, i + 1, MANIFEST_ID);
	}
	/* A member that no study names. */
	sites[h.n].id = OUTSIDER;
	sites[h.n].active = true;
	snprintf(
	    sites[h.n].member.name, sizeof(sites[h.n].member.name), "outsider");
	memcpy(sites[h.n].member.key, key_public(h.outsider), KEY_PUBLIC);
	memset(sites[h.n].member.tls, 0xee, MANIFEST_ID);
	m.sites = sites;
	m.n_sites = h.n + 1;
	canon_free(&h.manifest);
	manifest_free(h.opened);
	ok(manifest_sign(&m, h.root, &h.manifest, &err), &err);
	h.opened = manifest_open(
	    h.manifest.data, h.manifest.len, key_public(h.root), &err);
	assert_non_null(h.opened);
}

void
submit_epoch(unsigned revoked)
{
	make_manifest(h.opened->epoch + 1, revoked);
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
}

static void
make_authority(void)
{
	uint16_t ids[SITES_MAX];
	struct signed_study ss = { .epoch = 1, .sites = ids, .n_sites = h.n };
	struct err err;

	make_manifest(1, 0);
	for (size_t i = 0; i < h.n; i++)
		ids[i] = h.sites[i].id;
	memcpy(ss.consortium_id, h.opened->consortium_id, MANIFEST_ID);
	ss.text = strdup(study_text);
	ss.text_len = strlen(study_text);
	ok(signed_study_sign(&ss, h.root, &h.study, &err), &err);
	free(ss.text);
	h.sig = signed_study_open(
	    h.study.data, h.study.len, key_public(h.root), &err);
	assert_non_null(h.sig);
	memcpy(h.digest, h.sig->digest, SIGNED_DIGEST);
	memcpy(h.digests[0], h.digest, SIGNED_DIGEST);
	h.names[0] = h.name = "small";
	h.n_studies = 1;
}

/* Where tests/faults/forks runs the test: at each place of a gate or of rounds
   that no test before has reached a child meets a fault. */
static void
fork_faults(const char *folder)
{
	char file[256], name[192];

	for (size_t i = 0; folder != NULL && i <= h.n; i++) {
		snprintf(file, sizeof(file), "%s/%s.fault", folder,
		    i < h.n ? "gate" : "rounds");
		snprintf(name, sizeof(name), "%s.fault",
		    i < h.n ? h.sites[i].state : in_dir("coordinator"));
		assert_int_equal(symlink(file, name), 0);
	}
}

int
consortium_start(struct options o)
{
	const char *build = getenv("builddir");
	const char *forks = o.faults == NULL ? getenv("FAULT_FORKS") : NULL;
	char libexec[768], path[160], iterations[40] = "";
	struct err err;

	if (sodium_init() < 0)
		return -1;
	memset(&h, 0, sizeof(h));
	memset(calls, 0, sizeof(calls));
	n_kept = 0;
	commands = NULL;
	h.o = o;
	h.n = o.n;
	h.victim = -1;
	if (o.iterations != 0)
		snprintf(iterations, sizeof(iterations),
		    "max-iterations = %u\n", o.iterations);
	snprintf(study_text, sizeof(study_text), study_format, iterations,
	    o.ready_wait_s, o.deadline_s, o.deadline_s, o.deadline_s,
	    o.rounds != NULL ? o.rounds : "", o.cohort,
	    o.privacy != NULL ? o.privacy : "",
	    o.learning != NULL ? o.learning : "");
	snprintf(libexec, sizeof(libexec), "%s%s:%s/daemon:%s/coordinator",
	    build, o.faults != NULL || forks != NULL ? "/tests/faults" : "",
	    build, build);
	setenv("CONSILIUM_LIBEXEC", libexec, 1);
	snprintf(h.dir, sizeof(h.dir), "/tmp/consortium.XXXXXX");
	assert_non_null(mkdtemp(h.dir));
	h.root = key_new(&err);
	h.coordinator = key_new(&err);
	h.officer = key_new(&err);
	h.deputy = key_new(&err);
	h.roles = CTL_OPERATOR | CTL_OFFICER;
	h.outsider = key_new(&err);
	ok(key_save(h.coordinator, in_dir("coordinator.key"), NULL, &err),
	    &err);
	ok(key_public_save(key_public(h.root), in_dir("root.pub"), &err), &err);
	ok(key_public_save(
	       key_public(h.coordinator), in_dir("coordinator.pub"), &err),
	    &err);
	make_folders("coordinator", path);
	for (uint16_t i = 0; i < h.n; i++) {
		struct site *s = &h.sites[i];

		s->id = (uint16_t)(10 + i);
		snprintf(s->name, sizeof(s->name), "s%u", i);
		make_folders(s->name, s->state);
		s->key = key_new(&err);
		snprintf(path, sizeof(path), "%s/%s.key", h.dir, s->name);
		ok(key_save(s->key, path, NULL, &err), &err);
		make_rows(s, 77u + i);
	}
	make_authority();
	h.parsed = study_parse("study", study_text, strlen(study_text), &err);
	if (h.parsed == NULL)
		fail_msg("%s", err.msg);
	ok(study_model_spec(h.parsed, h.n, &h.spec, &err), &err);
	for (size_t i = 0; o.faults != NULL && i < h.n; i++)
		h.faults[i] = fault_open(h.sites[i].state);
	if (o.faults != NULL) {
		h.faults[h.n] = fault_open(in_dir("coordinator"));
		h.may_die = true;
		o.faults();
	}
	fork_faults(forks);
	start_rounds();
	for (size_t i = 0; i < h.n; i++)
		start_site(&h.sites[i]);
	return 0;
}

int
three_sites(void **state)
{
	(void)state;
	return consortium_start((struct options){ .n = 3,
	    .cohort = "fixed",
	    .ready_wait_s = 60,
	    .deadline_s = 600,
	    .iterations = 1 });
}

int
consortium_stop(void **state)
{
	char command[128];

	(void)state;
	kill_rounds();
	for (size_t i = 0; i <= h.n; i++)
		fault_close(h.faults[i]);
	for (size_t i = 0; i < h.n; i++) {
		struct site *s = &h.sites[i];

		kill_site(s);
		key_free(s->key);
		canon_free(&s->poll);
		canon_free(&s->data);
		canon_free(&s->later.body);
	}
	key_free(h.root);
	key_free(h.coordinator);
	key_free(h.officer);
	key_free(h.deputy);
	key_free(h.outsider);
	canon_free(&h.manifest);
	canon_free(&h.study);
	canon_free(&aside.body);
	signed_study_free(h.sig);
	manifest_free(h.opened);
	ctl_reply_free(&h.reply);
	study_free(h.parsed);
	snprintf(command, sizeof(command), "rm -r %s", h.dir);
	return system(command);
}

void
decide(struct site *s, enum approval_verdict verdict)
{
	struct canon object = { 0 };

	sign_decision(s, verdict, h.officer, &object);
	control_ok(s->control, approval_verdict_name(verdict), h.name,
	    object.data, object.len);
	canon_free(&object);
}

void
decide_anew(struct site *s, enum approval_verdict verdict)
{
	int64_t now = clock_utc();

	wait_until(clock_utc() != now);
	decide(s, verdict);
}

void
sign_decision(struct site *s, enum approval_verdict verdict,
    const struct key *k, struct canon *object)
{
	struct approval a = { .verdict = verdict, .utc = clock_utc() };
	struct err err;

	control_ok(s->control, "digests", h.name, NULL, 0);
	assert_int_equal(hex_bytes(cell("study"), a.study, 32), 0);
	assert_int_equal(hex_bytes(cell("report"), a.report, 32), 0);
	assert_int_equal(hex_bytes(cell("table"), a.table, 32), 0);
	ok(approval_sign(&a, k, object, &err), &err);
}

void
await_status(struct site *s, const char *status, const char *why)
{
	int64_t since = clock_mono_ms();

	for (;;) {
		control_ok(s->control, "status", h.name, NULL, 0);
		if (strcmp(cell("status"), status) == 0)
			break;
		if (too_late(since))
			fail_msg("%s: %s, expected %s", cell("status"),
			    cell("why"), status);
		pump(10);
	}
	if (strstr(cell("why"), why) == NULL)
		fail_msg("%s, expected %s", cell("why"), why);
}

/* Wait until the site has the study, then prepare and approve it. */
void
approve(struct site *s)
{
	await_status(s, "received", "");
	/* Nothing to approve yet. */
	control(s->control, "digests", h.name, NULL, 0);
	assert_int_equal(h.reply.code, ERR_REFUSED);
	control_ok(s->control, "prepare", h.name, NULL, 0);
	decide(s, APPROVAL_APPROVE);
}

void
add_study(const char *name)
{
	uint16_t ids[SITES_MAX];
	struct signed_study ss = {
		.epoch = h.opened->epoch, .sites = ids, .n_sites = h.n
	};
	const char *at = strstr(h.sig->text, "name = small\n");
	struct signed_study *sig;
	struct canon object = { 0 };
	char text[2100];
	struct err err;

	assert_true(h.n_studies < STUDIES_MAX);
	for (size_t i = 0; i < h.n; i++)
		ids[i] = h.sites[i].id;
	snprintf(text, sizeof(text), "%.*sname = %s\n%s",
	    (int)(at - h.sig->text), h.sig->text, name,
	    at + strlen("name = small\n"));
	memcpy(ss.consortium_id, h.opened->consortium_id, MANIFEST_ID);
	ss.text = text;
	ss.text_len = strlen(text);
	ok(signed_study_sign(&ss, h.root, &object, &err), &err);
	sig = signed_study_open(
	    object.data, object.len, key_public(h.root), &err);
	assert_non_null(sig);
	memcpy(h.digests[h.n_studies], sig->digest, SIGNED_DIGEST);
	h.names[h.n_studies++] = h.name = name;
	control_ok(h.control, "submit", "", object.data, object.len);
	signed_study_free(sig);
	canon_free(&object);
}

void
submit(void)
{
	control_ok(h.control, "submit", "", h.manifest.data, h.manifest.len);
	control_ok(h.control, "submit", "", h.study.data, h.study.len);
}

void
begin(void)
{
	submit();
	for (size_t i = 0; i < h.n; i++)
		approve(&h.sites[i]);
}

/* The plan after all rounds, by addition in the clear. */
static void
expected_plan(struct canon *out)
{
	struct err err;
	struct plan *p = plan_new(&h.spec, &err);

	assert_non_null(p);
	while (!plan_done(p)) {
		size_t n = plan_words(p), nv = plan_values(p);
		uint64_t *sum = calloc(n, sizeof(*sum));
		uint64_t *words = calloc(n, sizeof(*words));
		double *values = calloc(nv, sizeof(*values));

		unsigned missing = h.missing[plan_index(p)];
		uint32_t n_sites = 0;

		for (size_t i = 0; i < h.n; i++) {
			struct site *s = &h.sites[i];
			double x[ROWS * 2];
			uint8_t event[ROWS];
			struct model_data d = { .n_rows = ROWS,
				.n_terms = 2,
				.x = x,
				.event = event };

			if ((missing >> i & 1) != 0)
				continue;
			n_sites++;
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
		ok(plan_step(p, sum, n, n_sites, &err), &err);
		free(sum);
		free(words);
		free(values);
	}
	plan_save(p, out);
	plan_free(p);
}

bool
done(struct chan *c)
{
	control_ok(c, "status", h.name, NULL, 0);
	return strcmp(cell("status"), "done") == 0;
}

static void
check_result(struct chan *c, const struct canon *expected)
{
	struct finished *f;
	struct err err;

	control_ok(c, "result", h.name, NULL, 0);
	f = finished_read(h.reply.body, h.reply.body_len, &err);
	assert_non_null(f);
	assert_int_equal(f->plan_len, expected->len);
	assert_memory_equal(f->plan, expected->data, expected->len);
	for (size_t i = 0; i < f->n_rounds; i++)
		assert_int_equal(f->rounds[i].n_sites,
		    h.n -
			(unsigned)__builtin_popcount(
			    h.missing[f->rounds[i].step]));
	finished_free(f);
}

/* Until all say that it is done; a site that was killed comes back when the
   round has gone on without it. */
void
finish(void)
{
	int64_t since = clock_mono_ms();
	struct canon expected = { 0 };
	bool all;

	do {
		struct site *v = h.victim >= 0 ? &h.sites[h.victim] : NULL;

		if (too_late(since))
			fail_msg("not done in time");
		if (v != NULL && h.killed && v->pid == 0)
			start_site(v);
		pump(20);
		all = true;
		for (size_t k = 0; all && k < h.n_studies; k++) {
			h.name = h.names[k];
			all = done(h.control);
			for (size_t i = 0; all && i < h.n; i++)
				all = h.sites[i].pid != 0 &&
				    done(h.sites[i].control);
		}
	} while (!all);
	assert_true(h.victim < 0 || h.killed);
	expected_plan(&expected);
	for (size_t k = 0; k < h.n_studies; k++) {
		h.name = h.names[k];
		check_result(h.control, &expected);
		for (size_t i = 0; i < h.n; i++)
			check_result(h.sites[i].control, &expected);
	}
	canon_free(&expected);
}

void
finish_alike(void)
{
	struct canon result = { 0 };

	for (size_t i = 0; i < h.n; i++) {
		wait_until(done(h.sites[i].control));
		control_ok(h.sites[i].control, "result", h.name, NULL, 0);
		if (i == 0)
			canon_raw(&result, h.reply.body, h.reply.body_len);
		assert_int_equal(h.reply.body_len, result.len);
		assert_memory_equal(h.reply.body, result.data, result.len);
	}
	canon_free(&result);
}

/*
 * The attacker's side
 */

const struct round_ctx *
ctx_of(const struct site *s, struct context *c)
{
	struct round_ctx *ctx = context_fill(c, h.opened, h.sig,
	    study_suite(h.parsed), study_bits(h.parsed), study_verify(h.parsed),
	    study_cohort(h.parsed));

	ctx->self = s != NULL ? s->id : 0;
	ctx->secret = key_secret(s != NULL ? s->key : h.coordinator);
	return ctx;
}

void
tell_object(struct site *s, const struct canon *object)
{
	struct err err;

	assert_false(object->failed);
	ok(chan_send(s->uplink, MSG_FROM_COORDINATOR, 0, object->data,
	       object->len, -1, &err),
	    &err);
}

void
tell(struct site *s, const struct canon *msg)
{
	tell_of(s, 0, msg);
}

size_t
audit_lines(const char *name, const char *event, const char *word)
{
	char path[192], line[8300], text[64];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/audit.log", h.dir, name);
	snprintf(text, sizeof(text), " %s ", event);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL && strstr(line, word) != NULL;
	fclose(f);
	return n;
}

void
wait_for_audit(const char *name, const char *event, const char *word, size_t n)
{
	int64_t until = clock_mono_ms() + 3 * TIMEOUT_MS;

	while (audit_lines(name, event, word) <= n) {
		if (clock_mono_ms() > until)
			fail_msg("%s: no line \"%s\" with \"%s\"", name, event,
			    word);
		pump(20);
	}
}

/* A digest over all that the gate keeps but its audit log. */
static void
store_digest(const struct site *s, uint8_t out[HASH_LEN])
{
	static const char *const sub[] = { "db", "spool" };
	struct canon all = { 0 };

	for (size_t i = 0; i < nitems(sub); i++) {
		char path[512];
		struct dirent **names;
		int n;

		snprintf(path, sizeof(path), "%s/%s", s->state, sub[i]);
		n = scandir(path, &names, NULL, alphasort);
		assert_true(n >= 2);
		for (int k = 0; k < n; k++) {
			struct err err;
			uint8_t *p;
			size_t len;

			snprintf(path, sizeof(path), "%s/%s/%s", s->state,
			    sub[i], names[k]->d_name);
			/* (an empty journal is what stays of a rollback) */
			if (names[k]->d_name[0] != '.' &&
			    strstr(path, "-journal") == NULL) {
				p = file_read(path, 1 << 24, &len, &err);
				assert_non_null(p);
				canon_text(&all, names[k]->d_name);
				canon_bytes(&all, p, len);
				free(p);
			}
			free(names[k]);
		}
		free(names);
	}
	hash_sha256(all.data, all.len, out);
	canon_free(&all);
}

/*
 * Take what comes from the gate until its audit log has more than n lines of
 * that event.  Only a poll may leave it, or a job be started.
 */
static void
no_line(const char *name, const char *event, const char *word)
{
	char command[256];

	snprintf(command, sizeof(command), "tail -n 2 %s/%s/audit.log >&2",
	    h.dir, name);
	if (system(command) == 0)
		fail_msg("%s: no line \"%s\" with \"%s\"", name, event, word);
}

static void
wait_silently(struct site *s, const char *event, const char *word, size_t n)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	bool seen = false;

	while (!seen) {
		struct err err = { 0 };
		struct msg m;

		seen = audit_lines(s->name, event, word) > n;
		if (clock_mono_ms() > until)
			no_line(s->name, event, word);
		while (chan_recv(s->uplink, &m, &err) == 1) {
			if (m.type != MSG_POLL)
				fail_msg("%s: %s left the gate", s->name,
				    msg_name(m.type));
			canon_free(&s->poll);
			canon_raw(&s->poll, m.data, m.len);
			s->ask_at = clock_mono_ms() + 50;
			msg_free(&m);
		}
		while (chan_recv(s->parent, &m, &err) == 1) {
			on_parent(s, &m);
			msg_free(&m);
		}
		if (chan_closed(s->uplink))
			fail_msg("%s ended", s->name);
		if (!seen)
			usleep(500);
	}
}

void
wait_idle(struct site *s)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;

	while (s->sending) {
		assert_true(clock_mono_ms() < until);
		pump(5);
	}
}

void
refuses(struct site *s, struct canon *msg, const char *word)
{
	uint8_t before[HASH_LEN], after[HASH_LEN];
	size_t n = audit_lines(s->name, "refused", word);

	store_digest(s, before);
	tell(s, msg);
	wait_silently(s, "refused", word, n);
	store_digest(s, after);
	assert_memory_equal(before, after, HASH_LEN);
	canon_free(msg);
}

void
answers_again(struct site *s, const struct canon *msg, enum round_type type,
    const struct canon *answer)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct err err = { 0 };
	bool there = false;
	struct msg m;

	tell(s, msg);
	while (!there) {
		assert_true(clock_mono_ms() < until);
		while (!there && chan_recv(s->uplink, &m, &err) == 1) {
			uint8_t study[32];
			const uint8_t *p;
			size_t len;

			if (m.type == MSG_UPLOAD && type == ROUND_UPLOAD) {
				/* The trailer follows. */
				s->answer_tag = m.tag;
				delivered(s, 0, "");
			} else if (m.type == MSG_TO_COORDINATOR) {
				ok(exchange_unwrap(
				       m.data, m.len, study, &p, &len, &err),
				    &err);
				assert_int_equal(
				    round_message_type(p, len), type);
				assert_int_equal(len, answer->len);
				assert_memory_equal(p, answer->data, len);
				s->answer_tag = m.tag;
				delivered(s, 0, "");
				there = true;
			} else if (m.type == MSG_POLL) {
				canon_free(&s->poll);
				canon_raw(&s->poll, m.data, m.len);
				s->ask_at = clock_mono_ms() + 50;
			} else {
				fail_msg("%s left the gate", msg_name(m.type));
			}
			msg_free(&m);
		}
		usleep(500);
	}
}

static void
ask_aside(
    const struct site *s, enum request_method method, const struct canon *body)
{
	int64_t until = clock_mono_ms() + TIMEOUT_MS;
	struct answer own = { 0 };
	struct err err = { 0 };

	request((struct site *)(uintptr_t)s, W_ASIDE, method, body);
	for (size_t i = 0; i < nitems(calls); i++)
		if (calls[i].tag == last_tag)
			calls[i].answer = &own;
	while (!own.there) {
		struct msg m;

		assert_true(clock_mono_ms() < until);
		while (!own.there && chan_recv(h.listener, &m, &err) == 1) {
			if (m.type == MSG_REPLY)
				on_reply(&m);
			msg_free(&m);
		}
		if (chan_closed(h.listener))
			fail_msg("rounds ended");
		usleep(500);
	}
	canon_free(&aside.body);
	aside = own;
	canon_u8(&aside.body, 0);
}

const char *
rounds_say(struct site *s, const struct canon *msg)
{
	struct canon out = { 0 };

	exchange_wrap(h.digest, msg->data, msg->len, &out);
	ask_aside(s, REQUEST_SEND, &out);
	canon_free(&out);
	return aside.status != 0 ? (const char *)aside.body.data : "";
}

const char *
rounds_say_to_request(
    uint16_t site, unsigned method, const void *body, size_t len)
{
	const struct site from = { .id = site };
	struct canon out = { 0 };

	canon_raw(&out, body, len);
	ask_aside(&from, (enum request_method)method, &out);
	canon_free(&out);
	return aside.status != 0 ? (const char *)aside.body.data : "";
}

const char *
rounds_say_to_chunk(struct site *s, const uint8_t root[ROUND_DIGEST],
    uint32_t index, const void *data, size_t len, uint32_t *have)
{
	struct canon out = { 0 };
	struct canon_in in;

	canon_raw(&out, root, ROUND_DIGEST);
	canon_u32(&out, index);
	canon_raw(&out, data, len);
	ask_aside(s, REQUEST_PUT_CHUNK, &out);
	canon_free(&out);
	if (aside.status != 0)
		return (const char *)aside.body.data;
	in = canon_in(aside.body.data, aside.body.len);
	*have = canon_get_u32(&in);
	return "";
}

/*
 * Process `uplink`: the only one of a hospital that talks to the outside.  A
 * pump between gate and coordinator: it hands bytes on, reads none of them and
 * keeps nothing.  It holds the TLS key, and no other.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "daemon/backoff.h"
#include "daemon/config.h"
#include "privsep/lock.h"
#include "rpc/client.h"
#include "rpc/process.h"

#define NEXT_MS 40000 /* the coordinator holds it for 20 s */
#define SEND_MS 120000
#define CHUNK_MS 60000

/* Between two questions that were answered with nothing, at least. */
#define IDLE_MS 200
/* How long the gate may take over a message until it is asked again; doubled
   while the answer to the same question stays the same. */
#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 16000

#define WHY_MAX 300

struct uplink;

/* Something that the gate wants done. */
struct job {
	struct job *next;
	struct uplink *uplink;
	struct msg msg; /* as it came, with the payload */
	uint8_t id[RPC_ID]; /* of an upload or a fetch */
	const uint8_t *data; /* of a message or an upload */
	uint8_t *fetched;
	size_t len, chunk;
	uint32_t n_chunks, index;
	bool one_chunk; /* a fetch of that one alone */
	uint32_t left; /* chunks that may still be sent, again included */
};

struct uplink {
	struct rpc_process process;
	struct rpc_client *client;
	struct chan *gate;
	struct job *jobs;
	/* Next */
	uint8_t *question; /* NULL: the gate has not said it yet */
	size_t question_len;
	struct rpc_op *op;
	int64_t asked_ms, pause_ms;
	bool pausing; /* the gate has a message to think about */
	struct backoff backoff; /* of the coordinator that is away */
	char why[WHY_MAX]; /* of the last one, as logged */
	bool reached; /* as the gate was told */
};

static int ask(void *self, struct err *err);

/* Ask after a while; not before. */
static int
ask_later(struct uplink *u, int64_t delay_ms, struct err *err)
{
	return rpc_loop_set_timer(u->process.loop, delay_ms, ask, u, err);
}

/* Has the last question failed? */
static bool
is_away(const struct uplink *u)
{
	return u->backoff.most_ms > 0;
}

/* Say it once, not at every try. */
static int
log_failure(
    struct uplink *u, enum rpc_status status, const char *text, struct err *err)
{
	const char *hint = "";

	if (strcmp(u->why, text) == 0)
		return 0;
	snprintf(u->why, sizeof(u->why), "%s", text);
	/* Who is refused in the handshake sees just that. */
	if (status == RPC_UNAVAILABLE && strstr(text, "Socket closed") != NULL)
		hint = " (if this lasts: has tls.crt expired, or is it not one "
		       "that the coordinator's CA has issued?)";
	else if (strstr(text, "certificate verify failed") != NULL ||
	    strstr(text, "CERTIFICATE_VERIFY_FAILED") != NULL)
		hint = " (the coordinator's certificate has expired, or is not "
		       "one of our CA: tell its operator)";
	log_event(EVENT_COORD_AWAY, LOG_WARNING, NULL, 0,
	    "coordinator not reached: %s%s", text, hint);
	return child_status(
	    &u->process.child, "the coordinator is not reached", err);
}

static int
tell_gate(struct uplink *u, bool reached, struct err *err)
{
	uint8_t is = reached;

	if (u->reached == reached)
		return 0;
	u->reached = reached;
	return chan_send(u->gate, MSG_REACHED, 0, &is, 1, -1, err);
}

static int
on_failure(
    struct uplink *u, enum rpc_status status, const char *text, struct err *err)
{
	int64_t delay = backoff_next(&u->backoff, arc4random());
	const char *outdated = lock_outdated(PROC_UPLINK);

	/* The parent starts all of us afresh, and then it may be read. */
	if (outdated != NULL)
		return err_set(err, ERR_SYSTEM,
		    "%s was replaced: starting again to read it", outdated);
	if (log_failure(u, status, text, err) < 0 ||
	    tell_gate(u, false, err) < 0)
		return -1;
	return ask_later(u, delay, err);
}

static int
on_success(struct uplink *u, struct err *err)
{
	bool was_down = is_away(u);

	backoff_reset(&u->backoff);
	if (tell_gate(u, true, err) < 0)
		return -1;
	if (!was_down)
		return 0;
	u->why[0] = '\0';
	log_event(EVENT_COORD_HERE, LOG_INFO, NULL, 0, "coordinator reached");
	return child_status(
	    &u->process.child, "connected to the coordinator", err);
}

/* The gate is given the message, and time; then it may be asked again. */
static int
hand_over(struct uplink *u, const struct rpc_msg *m, struct err *err)
{
	int64_t pause = u->pause_ms;

	u->pausing = true;
	u->pause_ms = MIN(2 * u->pause_ms, PAUSE_MAX_MS);
	if (chan_send(
		u->gate, MSG_FROM_COORDINATOR, 0, m->data, m->len, -1, err) < 0)
		return -1;
	return ask_later(u, pause, err);
}

static int
on_next(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err)
{
	struct uplink *u = self;
	int64_t took = clock_mono_ms() - u->asked_ms;

	u->op = NULL;
	if (status != RPC_OK)
		return on_failure(u, status, text, err);
	if (on_success(u, err) < 0)
		return -1;
	if (reply->len > 0)
		return hand_over(u, reply, err);
	u->pause_ms = PAUSE_MIN_MS;
	return ask_later(u, took < IDLE_MS ? IDLE_MS - took : 0, err);
}

static int
ask(void *self, struct err *err)
{
	struct uplink *u = self;
	struct rpc_msg m = { .data = u->question, .len = u->question_len };

	if (u->question == NULL || u->op != NULL)
		return 0;
	u->pausing = false;
	u->asked_ms = clock_mono_ms();
	u->op =
	    rpc_client_call(u->client, RPC_NEXT, &m, NEXT_MS, on_next, u, err);
	return u->op == NULL ? -1 : 0;
}

static int
on_poll(void *self, struct msg *m, struct err *err)
{
	struct uplink *u = self;
	bool same = u->question != NULL && m->len == u->question_len &&
	    memcmp(m->data, u->question, m->len) == 0;
	bool away = is_away(u) && u->op == NULL;
	uint8_t *copy;

	if (same && !u->pausing)
		return 0;
	if (!same) {
		if ((copy = malloc(m->len + 1)) == NULL)
			return err_sys(err, "POLL");
		memcpy(copy, m->data, m->len);
		free(u->question);
		u->question = copy;
		u->question_len = m->len;
		u->pause_ms = PAUSE_MIN_MS;
		if (u->op != NULL) /* the old question */
			rpc_op_cancel(u->op);
		u->op = NULL;
	}
	/* While the coordinator is away, its time will come. */
	return away ? 0 : ask_later(u, 0, err);
}

/*
 * Jobs.  Each goes its own way; one that fails is told to the gate.
 */

static void
job_free(struct job *j)
{
	struct job **p = &j->uplink->jobs;

	while (*p != j)
		p = &(*p)->next;
	*p = j->next;
	msg_free(&j->msg);
	free(j->fetched);
	free(j);
}

static int
job_end(struct job *j, enum err_code code, const char *why, struct err *err)
{
	struct uplink *u = j->uplink;
	struct canon out = { 0 };

	canon_u32(&out, (uint32_t)code);
	canon_bytes(&out, why, strlen(why));
	if (chan_send_canon(u->gate, MSG_DELIVERED, j->msg.tag, &out, err) < 0)
		return -1;
	job_free(j);
	/* What the gate was given to think about is answered. */
	if (u->jobs == NULL && u->pausing && !is_away(u))
		return ask_later(u, 0, err);
	return 0;
}

/* Takes over what m holds. */
static struct job *
job_new(struct uplink *u, struct msg *m, struct err *err)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		err_sys(err, "%s", msg_name(m->type));
		return NULL;
	}
	j->uplink = u;
	j->msg = *m;
	*m = (struct msg){ .fd = -1 };
	j->next = u->jobs;
	u->jobs = j;
	return j;
}

static int
job_call(struct job *j, enum rpc_method method, const struct rpc_msg *m,
    int64_t timeout_ms, rpc_done_fn *done, struct err *err)
{
	struct err why;

	if (rpc_client_call(j->uplink->client, method, m, timeout_ms, done, j,
		&why) == NULL)
		return job_end(j, why.code, why.msg, err);
	return 0;
}

static int
on_sent(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err)
{
	struct job *j = self;

	if (status == RPC_OK && reply->len > 0 &&
	    chan_send(j->uplink->gate, MSG_FROM_COORDINATOR, 0, reply->data,
		reply->len, -1, err) < 0)
		return -1;
	return job_end(j, rpc_err_of(status), text, err);
}

static int
on_send(void *self, struct msg *m, struct err *err)
{
	struct job *j = job_new(self, m, err);
	struct rpc_msg request;

	if (j == NULL)
		return -1;
	request = (struct rpc_msg){ .data = j->msg.data, .len = j->msg.len };
	return job_call(j, RPC_SEND, &request, SEND_MS, on_sent, err);
}

static int put_chunk(struct job *j, struct err *err);

/* The coordinator says which chunk is the next: it may have some already, or
   none any more. */
static int
on_put(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err)
{
	struct job *j = self;

	if (status != RPC_OK)
		return job_end(j, rpc_err_of(status), text, err);
	j->index = reply->number;
	if (j->index >= j->n_chunks)
		return job_end(j, ERR_NONE, "", err);
	if (j->left == 0)
		return job_end(j, ERR_PEER,
		    "the coordinator does not keep the upload's chunks", err);
	return put_chunk(j, err);
}

static int
put_chunk(struct job *j, struct err *err)
{
	size_t at = j->index * j->chunk;
	struct rpc_msg m = {
		.number = j->index,
		.data = j->data + at,
		.len = MIN(j->chunk, j->len - at),
	};

	j->left--;
	memcpy(m.id, j->id, sizeof(m.id));
	return job_call(j, RPC_PUT_CHUNK, &m, CHUNK_MS, on_put, err);
}

static int
set_chunks(struct job *j, uint64_t len, uint64_t chunk, struct err *err)
{
	if (len == 0 || len > CHAN_MAX || chunk == 0 || chunk > RPC_CHUNK)
		return err_set(err, ERR_PEER,
		    "%s of %" PRIu64 " bytes in chunks of %" PRIu64,
		    msg_name(j->msg.type), len, chunk);
	j->len = (size_t)len;
	j->chunk = (size_t)chunk;
	j->n_chunks = (uint32_t)((j->len + j->chunk - 1) / j->chunk);
	j->left = 2 * j->n_chunks + 8;
	return 0;
}

static int
on_upload(void *self, struct msg *m, struct err *err)
{
	struct job *j = job_new(self, m, err);
	struct canon_in in;
	uint64_t chunk;

	if (j == NULL)
		return -1;
	in = canon_in(j->msg.data, j->msg.len);
	canon_get_raw(&in, j->id, sizeof(j->id));
	chunk = canon_get_u64(&in);
	j->data = in.p;
	if (set_chunks(j, (uint64_t)(in.end - in.p), chunk, err) < 0)
		return -1;
	return put_chunk(j, err);
}

static int get_chunk(struct job *j, struct err *err);

static int
on_got(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err)
{
	struct job *j = self;
	size_t at = j->one_chunk ? 0 : j->index * j->chunk;

	if (status != RPC_OK)
		return job_end(j, rpc_err_of(status), text, err);
	if ((!j->one_chunk && reply->number != j->n_chunks) ||
	    reply->len != MIN(j->chunk, j->len - at))
		return job_end(
		    j, ERR_PEER, "a chunk of another size than due", err);
	memcpy(j->fetched + at, reply->data, reply->len);
	if (!j->one_chunk && ++j->index < j->n_chunks)
		return get_chunk(j, err);
	if (chan_send(j->uplink->gate, MSG_FETCHED, j->msg.tag, j->fetched,
		j->len, -1, err) < 0)
		return -1;
	job_free(j);
	return 0;
}

static int
get_chunk(struct job *j, struct err *err)
{
	struct rpc_msg m = { .number = j->index };

	memcpy(m.id, j->id, sizeof(m.id));
	return job_call(j, RPC_GET_CHUNK, &m, CHUNK_MS, on_got, err);
}

static int
on_fetch(void *self, struct msg *m, struct err *err)
{
	struct job *j = job_new(self, m, err);
	struct canon_in in;
	uint64_t len;

	if (j == NULL)
		return -1;
	in = canon_in(j->msg.data, j->msg.len);
	canon_get_raw(&in, j->id, sizeof(j->id));
	len = canon_get_u64(&in);
	j->one_chunk = in.p < in.end;
	if (j->one_chunk)
		j->index = canon_get_u32(&in);
	if (canon_end(&in, "FETCH", err) < 0 ||
	    set_chunks(j, len, RPC_CHUNK, err) < 0)
		return -1;
	if (j->one_chunk && j->n_chunks != 1)
		return err_set(
		    err, ERR_PEER, "FETCH of %zu bytes as a chunk", j->len);
	if ((j->fetched = malloc(j->len)) == NULL)
		return err_sys(err, "FETCH of %zu bytes", j->len);
	return get_chunk(j, err);
}

static const struct handler from_gate[] = {
	{ MSG_POLL, PROC_GATE, 0, RPC_NEXT_MAX, on_poll },
	{ MSG_TO_COORDINATOR, PROC_GATE, 1, RPC_SEND_MAX, on_send },
	{ MSG_UPLOAD, PROC_GATE, RPC_ID + 8 + 1, CHAN_MAX, on_upload },
	{ MSG_FETCH, PROC_GATE, RPC_ID + 8, RPC_ID + 12, on_fetch },
};

static int
on_tls(void *self, const struct rpc_tls *tls, struct err *err)
{
	struct uplink *u = self;

	(void)err;
	rpc_client_set_tls(u->client, tls);
	return 0;
}

static int
on_stop(void *self, struct err *err)
{
	struct uplink *u = self;

	(void)err;
	rpc_loop_stop(u->process.loop);
	return 0;
}

static void
write_address(const struct ini_address *a, char *out, size_t size)
{
	snprintf(out, size, strchr(a->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
	    a->host, a->port);
}

/* Who the coordinator is stands in consiliumd.conf. */
static int
connect_to_coordinator(struct uplink *u, struct err *err)
{
	const struct child *c = &u->process.child;
	struct site_config *config =
	    site_config_parse(c->config_path, c->config, c->config_len, err);
	char address[300], proxy[300];

	if (config == NULL)
		return -1;
	write_address(&config->coordinator, address, sizeof(address));
	if (config->proxy.host != NULL)
		write_address(&config->proxy, proxy, sizeof(proxy));
	u->client = rpc_client_new(u->process.loop, address,
	    config->server_name, config->proxy.host != NULL ? proxy : NULL,
	    &u->process.tls, err);
	site_config_free(config);
	return u->client != NULL ? 0 : -1;
}

int
main(void)
{
	static struct uplink u = { .pause_ms = PAUSE_MIN_MS };
	struct rpc_hooks hooks = { on_tls, on_stop, &u };
	struct err err;
	int rc = 1;

	if (rpc_process_start(&u.process, PROC_UPLINK, &hooks, &err) < 0 ||
	    connect_to_coordinator(&u, &err) < 0)
		goto out;
	u.gate = child_peer(&u.process.child, PROC_GATE);
	if (rpc_process_serve(&u.process, u.gate, from_gate, nitems(from_gate),
		&u, &err) < 0 ||
	    child_ready(&u.process.child, "", &err) < 0 ||
	    rpc_process_run(&u.process, &err) < 0)
		goto out;
	rc = 0;
out:
	if (rc != 0)
		log_msg(LOG_ERR, "%s", err.msg);
	rpc_client_free(u.client);
	while (u.jobs != NULL)
		job_free(u.jobs);
	free(u.question);
	rpc_process_end(&u.process, rc);
}

#include "config.h"

#include "privsep/family.h"

#include <sys/signalfd.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "privsep/loop.h"
#include "privsep/spawn.h"

#define PING_MS 10000 /* where there is no watchdog */
#define STOP_MS 10000 /* until who was asked to stop is killed */
#define BACKOFF_MS 250 /* doubled with each death in a row */
#define BACKOFF_MAX_MS 30000
#define MINUTE_MS ((int64_t)60 * 1000)
#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define STATUS_MAX 120
#define HANDLERS_MAX 48

struct member {
	struct family *family;
	enum proc proc;
	pid_t pid; /* 0: not there */
	struct chan *chan;
	bool ready;
	uint64_t pong; /* the last PING that it answered */
	char status[STATUS_MAX];
};

struct job {
	enum proc proc;
	uint64_t tag;
	pid_t pid; /* 0: the slot is free */
	struct chan *chan;
	bool unwanted; /* nobody is told of its end */
};

enum phase {
	STARTING, /* not all are ready */
	RUNNING,
	RESTARTING, /* until all are gone; then they are started again */
	WAITING, /* for the time to start them again */
	STOPPING,
};

struct family {
	const struct family_plan *plan;
	void *self;
	int log_priority;
	struct loop *loop;
	int signals; /* signalfd */
	struct member members[FAMILY_RESIDENTS_MAX];
	size_t n;
	struct job jobs[FAMILY_JOBS_MAX];
	struct handler handlers[HANDLERS_MAX];
	size_t n_handlers;
	enum phase phase;
	bool was_ready; /* once, since the start of the parent */
	bool failed;
	uint64_t ping;
	int64_t ping_ms;
	int64_t deaths[FAMILY_DEATHS]; /* monotonic ms, newest first */
	size_t n_deaths;
	unsigned starts; /* of the residents */
};

static int on_signal(void *self, int fd, short revents, struct err *err);
static int on_ping_time(void *self, struct err *err);
static int on_day(void *self, struct err *err);
static int on_minute(void *self, struct err *err);
static int start_all(void *self, struct err *err);

/* Messages of residents. */

static void
show_status(struct family *f)
{
	char text[FAMILY_RESIDENTS_MAX * (STATUS_MAX + 16)];
	int len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < f->n; i++) {
		const struct member *m = &f->members[i];

		if (m->status[0] == '\0')
			continue;
		len +=
		    snprintf(text + len, sizeof(text) - (size_t)len, "%s%s: %s",
			len > 0 ? "; " : "", proc_name(m->proc), m->status);
	}
	sd_notifyf(0, "STATUS=%s", text);
}

static int
on_ready(void *self, struct msg *msg, struct err *err)
{
	struct member *m = self;
	struct family *f = m->family;
	struct canon_in in = canon_in(msg->data, msg->len);
	size_t len;
	const uint8_t *text = canon_get_bytes(&in, 0, STATUS_MAX, &len);

	if (canon_end(&in, "READY", err) < 0)
		return -1;
	if (len > 0)
		log_msg(LOG_INFO, "%.*s", (int)len, (const char *)text);
	m->ready = true;
	for (size_t i = 0; i < f->n; i++) {
		if (!f->members[i].ready)
			return 0;
	}
	if (f->phase != STARTING)
		return 0;
	f->phase = RUNNING;
	f->was_ready = true;
	log_event(EVENT_READY, LOG_NOTICE, NULL, 0, "ready");
	sd_notify(0, "READY=1");
	return on_ping_time(f, err);
}

static int
on_pong(void *self, struct msg *msg, struct err *err)
{
	struct member *m = self;

	(void)err;
	m->pong = msg->tag;
	return 0;
}

static int
on_status(void *self, struct msg *msg, struct err *err)
{
	struct member *m = self;
	struct canon_in in = canon_in(msg->data, msg->len);

	canon_get_text(&in, m->status, sizeof(m->status));
	show_status(m->family);
	return canon_end(&in, "STATUS", err);
}

static int
on_order(void *self, struct msg *msg, struct err *err)
{
	struct member *m = self;
	const struct family *f = m->family;

	return chan_dispatch(
	    f->plan->orders, f->plan->n_orders, f->self, msg, err);
}

/* A channel ends with its process, of which SIGCHLD tells. */
static int
on_chan_gone(void *self, struct chan *c, struct err *err)
{
	(void)self;
	(void)c;
	(void)err;
	return 0;
}

static void
make_handlers(struct family *f)
{
	for (size_t i = 0; i < f->n; i++) {
		enum proc p = f->members[i].proc;
		const struct handler own[] = {
			{ MSG_READY, p, 4, 4 + STATUS_MAX, on_ready },
			{ MSG_PONG, p, 0, 0, on_pong },
			{ MSG_STATUS, p, 5, 4 + STATUS_MAX, on_status },
		};

		memcpy(f->handlers + f->n_handlers, own, sizeof(own));
		f->n_handlers += nitems(own);
	}
	for (size_t i = 0; i < f->plan->n_orders; i++) {
		f->handlers[f->n_handlers] = f->plan->orders[i];
		f->handlers[f->n_handlers++].fn = on_order;
	}
}

/* Beginning and end. */

static int
open_signals(struct family *f, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, "sigprocmask");
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals < 0)
		return err_sys(err, "signalfd");
	return loop_set_fd(f->loop, f->signals, POLLIN, on_signal, f, err);
}

void
family_add(struct family_plan *plan, enum proc p, enum proc to)
{
	size_t i = 0, j = 0;

	while (plan->residents[i] != PROC_NONE)
		i++;
	while (plan->wires[j].a != PROC_NONE)
		j++;
	assert(i < FAMILY_RESIDENTS_MAX - 1 && j < FAMILY_RESIDENTS_MAX);
	plan->residents[i] = p;
	plan->wires[j] = (struct family_wire){ to, p };
}

struct family *
family_new(const struct family_plan *plan, void *self, int log_priority,
    struct err *err)
{
	struct family *f = calloc(1, sizeof(*f));
	uint64_t watchdog_us = 0;

	if (f == NULL || (f->loop = loop_new(err)) == NULL) {
		free(f);
		err_sys(err, "family");
		return NULL;
	}
	f->plan = plan;
	f->self = self;
	f->log_priority = log_priority;
	f->signals = -1;
	f->ping_ms = PING_MS;
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		f->ping_ms = (int64_t)(watchdog_us / 1000 / 3);
	for (; f->n < FAMILY_RESIDENTS_MAX; f->n++) {
		if (plan->residents[f->n] == PROC_NONE)
			break;
		f->members[f->n].family = f;
		f->members[f->n].proc = plan->residents[f->n];
	}
	make_handlers(f);
	if (open_signals(f, err) < 0 ||
	    loop_set_timer(f->loop, DAY_MS, on_day, f, err) < 0 ||
	    loop_set_timer(f->loop, MINUTE_MS, on_minute, f, err) < 0) {
		family_free(f);
		return NULL;
	}
	return f;
}

static void
close_member(struct family *f, struct member *m)
{
	if (m->chan != NULL)
		loop_del_chan(f->loop, m->chan);
	chan_free(m->chan);
	*m = (struct member){ .family = f, .proc = m->proc };
}

static void
close_job(struct job *j)
{
	chan_free(j->chan);
	*j = (struct job){ 0 };
}

void
family_free(struct family *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++) {
		if (f->members[i].pid > 0) {
			kill(f->members[i].pid, SIGKILL);
			waitpid(f->members[i].pid, NULL, 0);
		}
		close_member(f, &f->members[i]);
	}
	for (size_t i = 0; i < FAMILY_JOBS_MAX; i++) {
		if (f->jobs[i].pid > 0) {
			kill(f->jobs[i].pid, SIGKILL);
			waitpid(f->jobs[i].pid, NULL, 0);
			close_job(&f->jobs[i]);
		}
	}
	if (f->signals >= 0)
		close(f->signals);
	loop_free(f->loop);
	free(f);
}

unsigned
family_restarts(const struct family *f)
{
	return f->starts > 0 ? f->starts - 1 : 0;
}

struct chan *
family_chan(struct family *f, enum proc p)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->members[i].proc == p)
			return f->members[i].chan;
	}
	return NULL;
}

int
family_give_file(struct chan *to, const char *name, int fd, struct err *err)
{
	struct canon out = { 0 };
	int rc;

	canon_text(&out, name);
	if (out.failed)
		rc = err_set(err, ERR_SYSTEM, "%s: no memory", name);
	else
		rc = chan_send(to, MSG_FILE, 0, out.data, out.len, fd, err);
	canon_free(&out);
	return rc;
}

int
family_give_config(struct chan *to, const char *path, const void *text,
    size_t len, const struct family_fact *facts, size_t n, struct err *err)
{
	struct canon out = { 0 };

	canon_text(&out, path);
	canon_bytes(&out, text, len);
	canon_u32(&out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		canon_text(&out, facts[i].name);
		canon_bytes(&out, facts[i].value, strlen(facts[i].value));
	}
	return chan_send_canon(to, MSG_CONFIG, 0, &out, err);
}

static int
give_peer(struct chan *to, enum proc peer, int fd, struct err *err)
{
	uint8_t proc = (uint8_t)peer;

	return chan_send(to, MSG_PEER, 0, &proc, 1, fd, err);
}

/* A channel between two children, each of whom gets one end. */
static int
wire(struct family *f, const struct family_wire *w, struct err *err)
{
	int ends[2], rc = -1;

	if (chan_pair(ends, err) < 0)
		return -1;
	if (give_peer(family_chan(f, w->a), w->b, ends[0], err) == 0 &&
	    give_peer(family_chan(f, w->b), w->a, ends[1], err) == 0)
		rc = 0;
	close(ends[0]);
	close(ends[1]);
	return rc;
}

static int
start_member(struct family *f, struct member *m, struct err *err)
{
	struct loop_chan lc = { .table = f->handlers,
		.n = f->n_handlers,
		.self = m,
		.gone = on_chan_gone };

	m->pid = spawn(m->proc, f->log_priority, &m->chan, err);
	if (m->pid < 0) {
		m->pid = 0;
		return -1;
	}
	lc.chan = m->chan;
	return loop_add_chan(f->loop, lc, err);
}

static int
start_all(void *self, struct err *err)
{
	struct family *f = self;
	const struct family_plan *plan = f->plan;

	f->phase = STARTING;
	f->starts++;
	f->ping = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (start_member(f, &f->members[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < nitems(plan->wires); i++) {
		if (plan->wires[i].a != PROC_NONE &&
		    wire(f, &plan->wires[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < f->n; i++) {
		struct member *m = &f->members[i];

		if (plan->equip(f->self, m->proc, m->chan, err) < 0)
			return -1;
	}
	return 0;
}

static int
kill_all(void *self, struct err *err)
{
	struct family *f = self;

	(void)err;
	for (size_t i = 0; i < f->n; i++) {
		if (f->members[i].pid > 0) {
			log_msg(LOG_WARNING, "%s does not stop: killed",
			    proc_name(f->members[i].proc));
			kill(f->members[i].pid, SIGKILL);
		}
	}
	return 0;
}

static bool
anybody(const struct family *f)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->members[i].pid > 0)
			return true;
	}
	for (size_t i = 0; i < FAMILY_JOBS_MAX; i++) {
		if (f->jobs[i].pid > 0)
			return true;
	}
	return false;
}

/* All that were stopped are gone. */
static int
after_the_last(struct family *f, struct err *err)
{
	int64_t delay = BACKOFF_MS;

	loop_set_timer(f->loop, -1, kill_all, f, err);
	if (f->phase == STOPPING) {
		loop_stop(f->loop);
		return 0;
	}
	for (size_t i = 1; i < f->n_deaths && delay < BACKOFF_MAX_MS; i++)
		delay *= 2;
	f->phase = WAITING;
	log_msg(LOG_NOTICE, "starting again in %lld ms", (long long)delay);
	return loop_set_timer(f->loop, delay, start_all, f, err);
}

/* Ask all to end, for the reason that phase is. */
static int
stop_all(struct family *f, enum phase phase, struct err *err)
{
	struct err ignored;

	f->phase = phase;
	loop_set_timer(f->loop, -1, start_all, f, &ignored);
	loop_set_timer(f->loop, -1, on_ping_time, f, &ignored);
	for (size_t i = 0; i < FAMILY_JOBS_MAX; i++) {
		f->jobs[i].unwanted = true;
		if (f->jobs[i].pid > 0)
			kill(f->jobs[i].pid, SIGKILL);
	}
	for (size_t i = 0; i < f->n; i++) {
		if (f->members[i].pid > 0)
			chan_send(f->members[i].chan, MSG_STOP, 0, NULL, 0, -1,
			    &ignored);
	}
	if (!anybody(f))
		return after_the_last(f, err);
	return loop_set_timer(f->loop, STOP_MS, kill_all, f, err);
}

static int
finish(struct family *f, struct err *err)
{
	if (f->phase == STOPPING)
		return 0;
	sd_notify(0, "STOPPING=1");
	log_msg(LOG_NOTICE, "stopping");
	return stop_all(f, STOPPING, err);
}

/* Does this death end the parent? */
static bool
last_straw(struct family *f)
{
	int64_t now = clock_mono_ms();

	if (!f->was_ready)
		return true;
	memmove(f->deaths + 1, f->deaths, sizeof(f->deaths) - sizeof(now));
	f->deaths[0] = now;
	f->n_deaths = 1;
	for (size_t i = 1; i < FAMILY_DEATHS; i++) {
		if (f->deaths[i] != 0 && now - f->deaths[i] < FAMILY_MINUTE_MS)
			f->n_deaths++;
	}
	if (f->n_deaths < FAMILY_DEATHS)
		return false;
	log_event(EVENT_GAVE_UP, LOG_CRIT, NULL, 0,
	    "%d times within a minute: giving up", FAMILY_DEATHS);
	return true;
}

/* Something went wrong that only a new start can mend. */
static int
fall(struct family *f, struct err *err)
{
	if (f->phase != STARTING && f->phase != RUNNING && f->phase != WAITING)
		return 0;
	if (last_straw(f)) {
		f->failed = true;
		return finish(f, err);
	}
	return stop_all(f, RESTARTING, err);
}

static int
member_gone(struct family *f, struct member *m, int wstatus, struct err *err)
{
	bool asked = f->phase == STOPPING || f->phase == RESTARTING;
	bool clean = WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0;
	char how[128];

	spawn_how(wstatus, how, sizeof(how));
	if (!asked || !clean)
		log_event(EVENT_PROCESS_GONE, LOG_ERR, NULL, 0, "%s (%d) %s",
		    proc_name(m->proc), m->pid, how);
	close_member(f, m);
	if (asked)
		return anybody(f) ? 0 : after_the_last(f, err);
	return fall(f, err);
}

static int
job_gone(struct family *f, struct job *j, int wstatus, struct err *err)
{
	struct job was = *j;
	bool ok = WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0;
	char how[128];

	spawn_how(wstatus, how, sizeof(how));
	close_job(j);
	if (!was.unwanted) {
		if (!ok)
			log_msg(LOG_ERR, "%s (%d) of job %llu %s",
			    proc_name(was.proc), was.pid,
			    (unsigned long long)was.tag, how);
		if (f->plan->job_gone(f->self, was.tag, ok, how, err) < 0)
			return -1;
	}
	if ((f->phase == STOPPING || f->phase == RESTARTING) && !anybody(f))
		return after_the_last(f, err);
	return 0;
}

static int
child_gone(struct family *f, pid_t pid, int wstatus, struct err *err)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->members[i].pid == pid)
			return member_gone(f, &f->members[i], wstatus, err);
	}
	for (size_t i = 0; i < FAMILY_JOBS_MAX; i++) {
		if (f->jobs[i].pid == pid)
			return job_gone(f, &f->jobs[i], wstatus, err);
	}
	return 0;
}

static int
reap(struct family *f, struct err *err)
{
	int wstatus;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
		if (child_gone(f, pid, wstatus, err) < 0)
			return -1;
	}
	return 0;
}

/* New certificates, without a restart.  Broken ones change nothing. */
static int
reload(struct family *f, struct err *err)
{
	struct chan *to = family_chan(f, f->plan->reloads);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	if (f->phase != RUNNING || to == NULL)
		log_msg(LOG_NOTICE, "nothing to reload now");
	else if (f->plan->reload(f->self, err) < 0)
		log_event(EVENT_NOT_RELOADED, LOG_ERR, NULL, 0,
		    "not reloaded: %s", err->msg);
	else if (f->plan->equip(f->self, f->plan->reloads, to, err) < 0)
		return -1;
	else
		log_event(EVENT_RELOADED, LOG_NOTICE, NULL, 0, "reloaded");
	sd_notify(0, "READY=1");
	return 0;
}

static int
on_signal(void *self, int fd, short revents, struct err *err)
{
	struct family *f = self;
	struct signalfd_siginfo si;

	(void)revents;
	while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int rc = 0;

		switch (si.ssi_signo) {
		case SIGCHLD:
			rc = reap(f, err);
			break;
		case SIGHUP:
			rc = reload(f, err);
			break;
		default:
			rc = finish(f, err);
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Who answered the last one is alive; feed the watchdog if all are. */
static int
on_ping_time(void *self, struct err *err)
{
	struct family *f = self;
	const struct member *silent = NULL;

	for (size_t i = 0; i < f->n; i++) {
		if (f->members[i].pong != f->ping)
			silent = &f->members[i];
	}
	if (f->ping == 0 || silent == NULL)
		sd_notify(0, "WATCHDOG=1");
	else
		log_event(EVENT_SILENT, LOG_WARNING, NULL, 0,
		    "%s does not answer", proc_name(silent->proc));
	f->ping++;
	for (size_t i = 0; i < f->n; i++) {
		if (chan_send(f->members[i].chan, MSG_PING, f->ping, NULL, 0,
			-1, err) < 0)
			return -1;
	}
	return loop_set_timer(f->loop, f->ping_ms, on_ping_time, f, err);
}

static int
on_day(void *self, struct err *err)
{
	struct family *f = self;

	f->plan->daily(f->self);
	return loop_set_timer(f->loop, DAY_MS, on_day, f, err);
}

static int
on_minute(void *self, struct err *err)
{
	struct family *f = self;

	if (f->phase == RUNNING && f->plan->minutely(f->self, err) < 0)
		return -1;
	return loop_set_timer(f->loop, MINUTE_MS, on_minute, f, err);
}

int
family_run(struct family *f)
{
	struct err err;
	int rc = start_all(f, &err);

	for (;;) {
		if (rc < 0) {
			log_msg(LOG_ERR, "%s", err.msg);
			rc = fall(f, &err);
		}
		if (rc < 0) {
			log_msg(LOG_CRIT, "%s", err.msg);
			return 1;
		}
		if ((rc = loop_run(f->loop, &err)) == 0)
			return f->failed ? 1 : 0;
	}
}

/* Jobs.  The parent does not listen to them: they have no say. */

static struct job *
find_job(struct family *f, uint64_t tag)
{
	for (size_t i = 0; i < FAMILY_JOBS_MAX; i++) {
		if (f->jobs[i].pid > 0 && f->jobs[i].tag == tag)
			return &f->jobs[i];
	}
	return NULL;
}

static struct job *
free_job(struct family *f)
{
	for (size_t i = 0; i < FAMILY_JOBS_MAX; i++) {
		if (f->jobs[i].pid == 0)
			return &f->jobs[i];
	}
	return NULL;
}

struct chan *
family_start_job(struct family *f, enum proc proc, enum proc master,
    uint64_t tag, int *peer, struct err *err)
{
	struct job *j = free_job(f);
	int ends[2];

	*peer = -1;
	if (find_job(f, tag) != NULL || j == NULL) {
		err_set(err, ERR_REFUSED, "job %llu: %s",
		    (unsigned long long)tag,
		    j == NULL ? "too many jobs" : "it is running already");
		return NULL;
	}
	if (chan_pair(ends, err) < 0)
		return NULL;
	*j = (struct job){ .proc = proc, .tag = tag };
	j->pid = spawn(proc, f->log_priority, &j->chan, err);
	if (j->pid < 0) {
		*j = (struct job){ 0 };
		close(ends[0]);
		close(ends[1]);
		return NULL;
	}
	*peer = ends[0];
	if (give_peer(j->chan, master, ends[1], err) < 0) {
		family_end_job(f, tag);
		close(ends[0]);
		*peer = -1;
		j = NULL;
	}
	close(ends[1]);
	return j != NULL ? j->chan : NULL;
}

void
family_end_job(struct family *f, uint64_t tag)
{
	struct job *j = find_job(f, tag);

	if (j == NULL)
		return;
	j->unwanted = true;
	kill(j->pid, SIGKILL);
}

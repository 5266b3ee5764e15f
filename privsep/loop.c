#include "privsep/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "privsep/start.h"

/* Messages taken from one channel before the others have their turn. */
#define TURN 32
#define DRAIN_MS 5000
#define WATCHED_MAX 4096

struct watched_fd {
	int fd; /* -1: deleted, and swept before the next poll */
	short events;
	loop_fd_fn *fn;
	void *self;
};

struct timer {
	int64_t due;
	loop_timer_fn *fn; /* NULL: deleted */
	void *self;
};

struct loop {
	struct loop_chan *chans; /* .chan NULL: deleted */
	size_t n_chans, cap_chans;
	struct watched_fd *fds;
	size_t n_fds, cap_fds;
	struct timer *timers;
	size_t n_timers, cap_timers;
	struct pollfd *polled; /* channels, then descriptors */
	size_t cap_polled;
	bool stop;
};

struct loop *
loop_new(struct err *err)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		err_sys(err, "loop");
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	free(l->chans);
	free(l->fds);
	free(l->timers);
	free(l->polled);
	free(l);
}

/* Room for one more of size bytes behind *p. */
static int
grow(void **p, size_t n, size_t *cap, size_t size, struct err *err)
{
	void *more;
	size_t want = *cap == 0 ? 16 : 2 * *cap;

	if (n < *cap)
		return 0;
	if (want > WATCHED_MAX || (more = reallocarray(*p, want, size)) == NULL)
		return err_set(err, ERR_SYSTEM, "too much to wait for");
	*p = more;
	*cap = want;
	return 0;
}

int
loop_add_chan(struct loop *l, struct loop_chan lc, struct err *err)
{
	void *p = l->chans;

	if (grow(&p, l->n_chans, &l->cap_chans, sizeof(lc), err) < 0)
		return -1;
	l->chans = p;
	l->chans[l->n_chans++] = lc;
	return 0;
}

void
loop_del_chan(struct loop *l, struct chan *c)
{
	for (size_t i = 0; i < l->n_chans; i++) {
		if (l->chans[i].chan == c)
			l->chans[i].chan = NULL;
	}
}

int
loop_set_fd(struct loop *l, int fd, short events, loop_fd_fn *fn, void *self,
    struct err *err)
{
	struct watched_fd w = { fd, events, fn, self };
	void *p = l->fds;

	for (size_t i = 0; i < l->n_fds; i++) {
		if (l->fds[i].fd == fd) {
			l->fds[i] = w;
			return 0;
		}
	}
	if (grow(&p, l->n_fds, &l->cap_fds, sizeof(w), err) < 0)
		return -1;
	l->fds = p;
	l->fds[l->n_fds++] = w;
	return 0;
}

void
loop_del_fd(struct loop *l, int fd)
{
	for (size_t i = 0; i < l->n_fds; i++) {
		if (l->fds[i].fd == fd)
			l->fds[i].fd = -1;
	}
}

int
loop_set_timer(struct loop *l, int64_t delay_ms, loop_timer_fn *fn, void *self,
    struct err *err)
{
	struct timer t = { clock_mono_ms() + delay_ms, fn, self };
	void *p = l->timers;

	for (size_t i = 0; i < l->n_timers; i++) {
		if (l->timers[i].fn == fn && l->timers[i].self == self)
			l->timers[i].fn = NULL;
	}
	if (delay_ms < 0)
		return 0;
	if (grow(&p, l->n_timers, &l->cap_timers, sizeof(t), err) < 0)
		return -1;
	l->timers = p;
	l->timers[l->n_timers++] = t;
	return 0;
}

/* Only between two polls: what was deleted kept its place until here. */
static void
sweep(struct loop *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_chans; i++) {
		if (l->chans[i].chan != NULL)
			l->chans[n++] = l->chans[i];
	}
	l->n_chans = n;
	n = 0;
	for (size_t i = 0; i < l->n_fds; i++) {
		if (l->fds[i].fd >= 0)
			l->fds[n++] = l->fds[i];
	}
	l->n_fds = n;
	n = 0;
	for (size_t i = 0; i < l->n_timers; i++) {
		if (l->timers[i].fn != NULL)
			l->timers[n++] = l->timers[i];
	}
	l->n_timers = n;
}

static int
prepare(struct loop *l, struct err *err)
{
	size_t n = l->n_chans + l->n_fds;
	void *p;

	if (n > l->cap_polled) {
		p = reallocarray(l->polled, n, sizeof(*l->polled));
		if (p == NULL)
			return err_sys(err, "loop");
		l->polled = p;
		l->cap_polled = n;
	}
	for (size_t i = 0; i < l->n_chans; i++) {
		const struct chan *c = l->chans[i].chan;

		l->polled[i] = (struct pollfd){ chan_fd(c), chan_events(c), 0 };
		if (chan_closed(c)) /* poll() skips negative ones */
			l->polled[i].fd = -1;
	}
	for (size_t i = 0; i < l->n_fds; i++)
		l->polled[l->n_chans + i] =
		    (struct pollfd){ l->fds[i].fd, l->fds[i].events, 0 };
	return 0;
}

static int
timeout(const struct loop *l)
{
	int64_t now = clock_mono_ms(), least = -1;

	for (size_t i = 0; i < l->n_timers; i++) {
		int64_t left = l->timers[i].due - now;

		if (left < 0)
			left = 0;
		if (least < 0 || left < least)
			least = left;
	}
	return least > 60000 ? 60000 : (int)least;
}

enum child_msg
child_msg(struct chan *parent, const struct msg *m, struct err *err)
{
	if (m->from != PROC_PARENT || m->len != 0)
		return CHILD_MSG_OTHER;
	if (m->type == MSG_STOP)
		return CHILD_MSG_STOP;
	if (m->type != MSG_PING)
		return CHILD_MSG_OTHER;
	if (chan_send(parent, MSG_PONG, m->tag, NULL, 0, -1, err) < 0)
		return CHILD_MSG_FAILED;
	return CHILD_MSG_DONE;
}

static int
take_msg(
    struct loop *l, const struct loop_chan *lc, struct msg *m, struct err *err)
{
	switch (child_msg(lc->chan, m, err)) {
	case CHILD_MSG_DONE:
		return 0;
	case CHILD_MSG_FAILED:
		return -1;
	case CHILD_MSG_STOP:
		l->stop = true;
		return 0;
	case CHILD_MSG_OTHER:
		break;
	}
	return chan_dispatch(lc->table, lc->n, lc->self, m, err);
}

static int
chan_is_gone(struct loop *l, struct loop_chan lc, struct err *err)
{
	if (chan_peer(lc.chan) == PROC_PARENT)
		l->stop = true;
	if (lc.gone == NULL)
		return 0;
	loop_del_chan(l, lc.chan);
	return lc.gone(lc.self, lc.chan, err);
}

/* At most turn messages of the i-th channel. */
static int
serve_msgs(struct loop *l, size_t i, int turn, struct err *err)
{
	struct loop_chan lc = l->chans[i];
	struct msg m;

	for (; turn > 0 && !l->stop; turn--) {
		int rc = chan_recv(lc.chan, &m, err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		rc = take_msg(l, &lc, &m, err);
		msg_free(&m);
		if (rc < 0)
			return -1;
		if (l->chans[i].chan != lc.chan)
			return 0; /* its handler deleted it */
	}
	return chan_closed(lc.chan) ? chan_is_gone(l, lc, err) : 0;
}

int
loop_serve_chan(struct loop *l, struct chan *c, struct err *err)
{
	for (size_t i = 0; i < l->n_chans; i++) {
		if (l->chans[i].chan == c)
			return serve_msgs(l, i, WATCHED_MAX, err);
	}
	return 0;
}

static int
serve_chan(struct loop *l, size_t i, short revents, struct err *err)
{
	if ((revents & POLLOUT) != 0 && chan_flush(l->chans[i].chan, err) < 0)
		return -1;
	if ((revents & ~POLLOUT) == 0)
		return 0;
	return serve_msgs(l, i, TURN, err);
}

static int
serve_timers(struct loop *l, struct err *err)
{
	int64_t now = clock_mono_ms();
	size_t n = l->n_timers;

	for (size_t i = 0; i < n && !l->stop; i++) {
		struct timer t = l->timers[i];

		if (t.fn == NULL || t.due > now)
			continue;
		l->timers[i].fn = NULL;
		if (t.fn(t.self, err) < 0)
			return -1;
	}
	return 0;
}

static int
serve(struct loop *l, size_t n_chans, size_t n_fds, struct err *err)
{
	for (size_t i = 0; i < n_chans && !l->stop; i++) {
		if (l->polled[i].revents == 0 || l->chans[i].chan == NULL)
			continue;
		if (serve_chan(l, i, l->polled[i].revents, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < n_fds && !l->stop; i++) {
		struct pollfd p = l->polled[n_chans + i];
		struct watched_fd w = l->fds[i];

		if (p.revents == 0 || w.fd != p.fd)
			continue;
		if (w.fn(w.self, w.fd, p.revents, err) < 0)
			return -1;
	}
	return serve_timers(l, err);
}

int
loop_run(struct loop *l, struct err *err)
{
	struct err ignored;

	while (!l->stop) {
		size_t n_chans, n_fds;

		sweep(l);
		n_chans = l->n_chans;
		n_fds = l->n_fds;
		if (prepare(l, err) < 0)
			return -1;
		if (poll(l->polled, n_chans + n_fds, timeout(l)) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, "poll");
		}
		if (serve(l, n_chans, n_fds, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < l->n_chans; i++) {
		if (l->chans[i].chan != NULL)
			chan_drain(l->chans[i].chan, DRAIN_MS, &ignored);
	}
	return 0;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}

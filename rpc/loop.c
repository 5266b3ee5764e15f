#include "rpc/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <errno.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/log.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "rpc/core.h"

#define END_MS 2000 /* for gRPC's own threads */

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT &&
	POLLHUP == EPOLLHUP && POLLERR == EPOLLERR,
    "poll and epoll disagree");

/*
 * A descriptor that the helper thread waits for.  It is armed for one event at
 * a time: the helper posts that, and this thread arms it again when it has
 * dealt with it.  A watch is freed with the loop only, since an event of it
 * may be on its way; one whose descriptor is gone serves the next of the same
 * number.
 */
struct watch {
	struct rpc_tag tag;
	struct watch *next;
	struct rpc_loop *loop;
	int fd;
	short events;
	bool known; /* to epoll */
	bool armed;
	atomic_short revents; /* written by the helper before it posts */
	rpc_fd_fn *fn;
	void *self;
};

struct timer {
	int64_t due; /* clock_mono_ms() */
	rpc_timer_fn *fn; /* NULL: gone, and swept before the next wait */
	void *self;
};

struct rpc_loop {
	grpc_completion_queue *cq;
	/* A call that goes nowhere: an empty batch on it puts its tag into
	   the queue at once, from any thread. */
	grpc_channel *wake_channel;
	grpc_call *wake;
	int epoll, quit; /* quit: the helper ends */
	pthread_t helper;
	bool helping, stop, finishing;
	struct watch *watches;
	struct timer *timers;
	size_t n_timers, cap_timers;
	rpc_timer_fn *prepare;
	void *prepare_self;
};

static _Atomic(rpc_log_fn *) log_fn;
static atomic_bool quiet;

static void
on_log(gpr_log_func_args *args)
{
	rpc_log_fn *fn = atomic_load(&log_fn);

	if (fn != NULL && args->severity >= GPR_LOG_SEVERITY_ERROR &&
	    !atomic_load(&quiet))
		fn(args->message);
}

void
rpc_be_quiet(bool yes)
{
	atomic_store(&quiet, yes);
}

static void *
help(void *arg)
{
	struct rpc_loop *l = arg;
	struct epoll_event ev[16];

	for (;;) {
		int n = epoll_wait(l->epoll, ev, 16, -1);

		for (int i = 0; i < n; i++) {
			struct watch *w = ev[i].data.ptr;

			if (w == NULL)
				return NULL;
			atomic_store(&w->revents, (short)ev[i].events);
			grpc_call_start_batch(l->wake, NULL, 0, &w->tag, NULL);
		}
	}
}

static int
start_helper(struct rpc_loop *l, struct err *err)
{
	struct epoll_event ev = { .events = EPOLLIN };

	if ((l->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    (l->quit = eventfd(0, EFD_CLOEXEC)) < 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->quit, &ev) < 0)
		return err_sys(err, "epoll");
	if ((errno = pthread_create(&l->helper, NULL, help, l)) != 0)
		return err_sys(err, "thread");
	l->helping = true;
	return 0;
}

/* What gRPC has no other settings for. */
static int
set_environment(struct err *err)
{
	static const struct {
		const char *name, *value;
	} vars[] = {
		/* TLS 1.3 only: this is for the ciphers of 1.2, and with a
		   suite for RSA and keys that are all EC, a handshake of 1.2
		   finds none. */
		{ "GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384" },
		/* The system's resolver; the other one leaks the name. */
		{ "GRPC_DNS_RESOLVER", "native" },
	};

	for (size_t i = 0; i < nitems(vars); i++) {
		if (setenv(vars[i].name, vars[i].value, 1) < 0)
			return err_sys(err, "environment");
	}
	return 0;
}

struct rpc_loop *
rpc_loop_new(rpc_log_fn *log, struct err *err)
{
	struct rpc_loop *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_sys(err, "loop");
		return NULL;
	}
	l->epoll = l->quit = -1;
	if (set_environment(err) < 0) {
		free(l);
		return NULL;
	}
	atomic_store(&log_fn, log);
	gpr_set_log_function(on_log);
	gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
	grpc_init();
	l->cq = grpc_completion_queue_create_for_next(NULL);
	l->wake_channel = grpc_lame_client_channel_create(
	    "wake", GRPC_STATUS_UNAVAILABLE, "wake");
	l->wake = grpc_channel_create_call(l->wake_channel, NULL, 0, l->cq,
	    grpc_slice_from_static_string("/wake"), NULL,
	    gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
	if (start_helper(l, err) < 0) {
		rpc_loop_free(l);
		return NULL;
	}
	return l;
}

static void
stop_helper(struct rpc_loop *l)
{
	if (!l->helping)
		return;
	eventfd_write(l->quit, 1);
	pthread_join(l->helper, NULL);
}

/* What is on its way, such as the address of a name, keeps gRPC up for its
   own threads, though all of ours is freed. */
static bool
grpc_ended(void)
{
	int64_t until = clock_mono_ms() + END_MS;

	while (grpc_is_initialized()) {
		if (clock_mono_ms() > until)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

bool
rpc_loop_free(struct rpc_loop *l)
{
	struct err ignored;

	if (l == NULL)
		return true;
	stop_helper(l);
	rpc_loop_finish(l);
	grpc_call_unref(l->wake);
	grpc_channel_destroy(l->wake_channel);
	grpc_completion_queue_shutdown(l->cq);
	while (rpc_loop_turn(l, INT64_MAX, &ignored) != 0)
		;
	grpc_completion_queue_destroy(l->cq);
	grpc_shutdown_blocking();
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->quit >= 0)
		close(l->quit);
	while (l->watches != NULL) {
		struct watch *w = l->watches;

		l->watches = w->next;
		free(w);
	}
	free(l->timers);
	free(l);
	return grpc_ended();
}

grpc_completion_queue *
rpc_loop_cq(struct rpc_loop *l)
{
	return l->cq;
}

void
rpc_loop_finish(struct rpc_loop *l)
{
	l->finishing = true;
}

static int
arm(struct watch *w, struct err *err)
{
	struct epoll_event ev = {
		.events = (uint32_t)w->events | EPOLLONESHOT,
		.data.ptr = w,
	};

	if (epoll_ctl(w->loop->epoll, w->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		w->fd, &ev) < 0)
		return err_sys(err, "wait for a descriptor");
	w->known = w->armed = true;
	return 0;
}

static int
on_watch(struct rpc_tag *tag, bool ok, struct err *err)
{
	struct watch *w = TAG_OWNER(tag, struct watch, tag);

	(void)ok;
	w->armed = false;
	if (!w->known || w->loop->finishing)
		return 0;
	if (w->fn(w->self, w->fd, atomic_load(&w->revents), err) < 0)
		return -1;
	return w->known && !w->armed ? arm(w, err) : 0;
}

static struct watch *
find_watch(struct rpc_loop *l, int fd)
{
	struct watch *w = l->watches;

	while (w != NULL && w->fd != fd)
		w = w->next;
	return w;
}

int
rpc_loop_set_fd(struct rpc_loop *l, int fd, short events, rpc_fd_fn *fn,
    void *self, struct err *err)
{
	struct watch *w = find_watch(l, fd);

	if (w == NULL) {
		if ((w = calloc(1, sizeof(*w))) == NULL)
			return err_sys(err, "wait for a descriptor");
		w->tag.fn = on_watch;
		w->loop = l;
		w->fd = fd;
		w->next = l->watches;
		l->watches = w;
	}
	w->fn = fn;
	w->self = self;
	if (w->armed && w->events == events)
		return 0;
	w->events = events;
	return arm(w, err);
}

void
rpc_loop_del_fd(struct rpc_loop *l, int fd)
{
	struct watch *w = find_watch(l, fd);

	if (w == NULL || !w->known)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
	w->known = w->armed = false;
}

int
rpc_loop_set_timer(struct rpc_loop *l, int64_t delay_ms, rpc_timer_fn *fn,
    void *self, struct err *err)
{
	struct timer *p;

	for (size_t i = 0; i < l->n_timers; i++) {
		if (l->timers[i].fn == fn && l->timers[i].self == self)
			l->timers[i].fn = NULL;
	}
	if (delay_ms < 0)
		return 0;
	if (l->n_timers == l->cap_timers) {
		size_t cap = 2 * l->cap_timers + 8;

		if ((p = reallocarray(l->timers, cap, sizeof(*p))) == NULL)
			return err_sys(err, "timer");
		l->timers = p;
		l->cap_timers = cap;
	}
	l->timers[l->n_timers++] =
	    (struct timer){ clock_mono_ms() + delay_ms, fn, self };
	return 0;
}

void
rpc_loop_set_prepare(struct rpc_loop *l, rpc_timer_fn *fn, void *self)
{
	l->prepare = fn;
	l->prepare_self = self;
}

static int
serve_timers(struct rpc_loop *l, struct err *err)
{
	int64_t now = clock_mono_ms();
	size_t n = l->n_timers, kept = 0;

	for (size_t i = 0; i < n && !l->stop; i++) {
		struct timer t = l->timers[i];

		if (t.fn == NULL || t.due > now)
			continue;
		l->timers[i].fn = NULL;
		if (t.fn(t.self, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < l->n_timers; i++) {
		if (l->timers[i].fn != NULL)
			l->timers[kept++] = l->timers[i];
	}
	l->n_timers = kept;
	return 0;
}

/* Until the next timer. */
static int64_t
time_left(const struct rpc_loop *l)
{
	int64_t now = clock_mono_ms(), least = INT64_MAX;

	for (size_t i = 0; i < l->n_timers; i++) {
		const struct timer *t = &l->timers[i];

		if (t->fn != NULL && t->due - now < least)
			least = t->due > now ? t->due - now : 0;
	}
	return least;
}

int
rpc_loop_turn(struct rpc_loop *l, int64_t wait_ms, struct err *err)
{
	grpc_event ev =
	    grpc_completion_queue_next(l->cq, core_deadline(wait_ms), NULL);
	struct rpc_tag *tag;

	if (ev.type != GRPC_OP_COMPLETE)
		return 0;
	tag = ev.tag;
	return tag->fn(tag, ev.success != 0, err) < 0 ? -1 : 1;
}

int
rpc_loop_run(struct rpc_loop *l, struct err *err)
{
	while (!l->stop) {
		if (l->prepare != NULL && l->prepare(l->prepare_self, err) < 0)
			return -1;
		if (rpc_loop_turn(l, time_left(l), err) < 0 ||
		    serve_timers(l, err) < 0)
			return -1;
	}
	l->stop = false;
	return 0;
}

void
rpc_loop_stop(struct rpc_loop *l)
{
	l->stop = true;
}

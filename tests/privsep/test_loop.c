#include "tests/check.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/macros.h"
#include "privsep/loop.h"

struct fixture {
	struct loop *loop;
	struct chan *mine, *parent; /* both ends of a channel to the parent */
	struct chan *gate, *job; /* and of one to a gate */
	int calls, last;
	bool gone;
};

static int
setup(void **state)
{
	static struct fixture f;
	struct err err;
	int fds[2];

	f = (struct fixture){ 0 };
	assert_non_null(f.loop = loop_new(&err));
	assert_int_equal(chan_pair(fds, &err), 0);
	f.mine = chan_new(fds[0], PROC_PARENT, &err);
	f.parent = chan_new(fds[1], PROC_TRAINER, &err);
	assert_int_equal(chan_pair(fds, &err), 0);
	f.gate = chan_new(fds[0], PROC_GATE, &err);
	f.job = chan_new(fds[1], PROC_TRAINER, &err);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	chan_free(f->mine);
	chan_free(f->parent);
	chan_free(f->gate);
	chan_free(f->job);
	return 0;
}

static int
on_train(void *self, struct msg *m, struct err *err)
{
	struct fixture *f = self;

	(void)err;
	f->calls++;
	f->last = (int)m->tag;
	return 0;
}

static int
on_gone(void *self, struct chan *c, struct err *err)
{
	struct fixture *f = self;

	(void)err;
	assert_ptr_equal(c, f->gate);
	f->gone = true;
	return 0;
}

static const struct handler handlers[] = {
	{ MSG_TRAIN, PROC_GATE, 0, 8, on_train },
};

static void
add_both(struct fixture *f)
{
	struct loop_chan parent = { .chan = f->mine };
	struct loop_chan gate = { f->gate, handlers, nitems(handlers), f,
		on_gone };
	struct err err;

	assert_int_equal(loop_add_chan(f->loop, parent, &err), 0);
	assert_int_equal(loop_add_chan(f->loop, gate, &err), 0);
}

static void
send_to(struct chan *c, enum msg_type type, uint64_t tag)
{
	struct err err;

	assert_int_equal(chan_send(c, type, tag, NULL, 0, -1, &err), 0);
}

static void
it_answers_the_parent_and_stops_when_told(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct msg m;

	add_both(f);
	for (int i = 0; i < 100; i++)
		send_to(f->job, MSG_TRAIN, (uint64_t)i);
	send_to(f->parent, MSG_PING, 42);
	assert_int_equal(loop_serve_chan(f->loop, f->gate, &err), 0);
	assert_int_equal(f->calls, 100);
	assert_int_equal(f->last, 99);
	send_to(f->parent, MSG_STOP, 0);
	assert_int_equal(loop_run(f->loop, &err), 0);
	assert_int_equal(chan_recv(f->parent, &m, &err), 1);
	assert_int_equal(m.type, MSG_PONG);
	assert_int_equal(m.tag, 42);
	msg_free(&m);
}

static void
it_ends_with_its_parent(void **state)
{
	struct fixture *f = *state;
	struct err err;

	add_both(f);
	chan_free(f->parent);
	f->parent = NULL;
	assert_int_equal(loop_run(f->loop, &err), 0);
}

static void
what_is_not_expected_ends_it_with_an_error(void **state)
{
	struct fixture *f = *state;
	struct err err;

	add_both(f);
	send_to(f->job, MSG_STOP, 0); /* which is the parent's alone */
	assert_int_equal(loop_run(f->loop, &err), -1);
	assert_int_equal(err.code, ERR_PEER);
	assert_string_equal(
	    err.msg, "STOP of 0 bytes from gate is not expected");
}

static int
stop(void *self, struct err *err)
{
	struct fixture *f = self;

	(void)err;
	f->calls++;
	loop_stop(f->loop);
	return 0;
}

static void
the_end_of_a_peer_is_told_after_its_last_message(void **state)
{
	struct fixture *f = *state;
	struct err err;

	add_both(f);
	send_to(f->job, MSG_TRAIN, 7);
	chan_free(f->job);
	f->job = NULL;
	assert_int_equal(loop_set_timer(f->loop, 50, stop, f, &err), 0);
	assert_int_equal(loop_run(f->loop, &err), 0);
	assert_int_equal(f->last, 7);
	assert_true(f->gone);
}

static int
never(void *self, struct err *err)
{
	(void)self;
	return err_set(err, ERR_SYSTEM, "this timer was moved or removed");
}

static int
tick(void *self, struct err *err)
{
	struct fixture *f = self;

	if (++f->last == 3)
		return loop_set_timer(f->loop, 0, stop, f, err);
	return loop_set_timer(f->loop, 5, tick, f, err);
}

static void
timers_can_be_moved_removed_and_set_by_themselves(void **state)
{
	struct fixture *f = *state;
	int64_t start = clock_mono_ms();
	struct err err;

	assert_int_equal(loop_set_timer(f->loop, 1, never, f, &err), 0);
	assert_int_equal(loop_set_timer(f->loop, 60000, never, f, &err), 0);
	assert_int_equal(loop_set_timer(f->loop, 1, never, NULL, &err), 0);
	assert_int_equal(loop_set_timer(f->loop, -1, never, NULL, &err), 0);
	assert_int_equal(loop_set_timer(f->loop, 5, tick, f, &err), 0);
	if (loop_run(f->loop, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(f->last, 3);
	assert_true(clock_mono_ms() - start >= 15);
}

static int
on_readable(void *self, int fd, short revents, struct err *err)
{
	struct fixture *f = self;
	char c;

	(void)err;
	assert_int_equal(revents & POLLIN, POLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	if (++f->calls == 2)
		loop_del_fd(f->loop, fd);
	return 0;
}

static void
a_descriptor_is_watched_until_it_is_deleted(void **state)
{
	struct fixture *f = *state;
	struct err err;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "xxx", 3), 3);
	assert_int_equal(
	    loop_set_fd(f->loop, fds[0], 0, on_readable, f, &err), 0);
	assert_int_equal(
	    loop_set_fd(f->loop, fds[0], POLLIN, on_readable, f, &err), 0);
	assert_int_equal(loop_set_timer(f->loop, 50, stop, f, &err), 0);
	assert_int_equal(loop_run(f->loop, &err), 0);
	assert_int_equal(f->calls, 3); /* twice, and stop() */
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(it_answers_the_parent_and_stops_when_told),
		T(it_ends_with_its_parent),
		T(what_is_not_expected_ends_it_with_an_error),
		T(the_end_of_a_peer_is_told_after_its_last_message),
		T(timers_can_be_moved_removed_and_set_by_themselves),
		T(a_descriptor_is_watched_until_it_is_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

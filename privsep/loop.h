/*
 * The loop of a process without gRPC: channels, other descriptors and timers
 * on poll(2), one thread.  It answers the parent's PING and ends at STOP or
 * when the parent is gone, so that no process has to.
 *
 * A callback that returns -1 ends the loop with its error.
 */
#ifndef PRIVSEP_LOOP_H
#define PRIVSEP_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "privsep/chan.h"

struct err;
struct loop;

struct loop *loop_new(struct err *err);
void loop_free(struct loop *l); /* the channels stay their owners' */

/*
 * Hand the messages of c to a table.  gone, which may be NULL, is called once
 * when the other side is gone, after its last message; it may free c.  Without
 * it the channel is left alone, and the parent ends the loop.
 */
struct loop_chan {
	struct chan *chan;
	const struct handler *table;
	size_t n;
	void *self; /* for the handlers and for gone */
	int (*gone)(void *self, struct chan *c, struct err *err);
};
int loop_add_chan(struct loop *l, struct loop_chan lc, struct err *err);
/* Forget c, before it is freed.  Also allowed in its own handlers. */
void loop_del_chan(struct loop *l, struct chan *c);

/*
 * Hand over all messages of c that are there now.  For a message of the parent
 * about the end of c's process (JOB_GONE): what that one sent before it ended
 * comes first.  c may be gone afterwards, by its gone().
 */
int loop_serve_chan(struct loop *l, struct chan *c, struct err *err);

/* fn is called with what poll() said.  Setting events again replaces. */
typedef int loop_fd_fn(void *self, int fd, short revents, struct err *err);
int loop_set_fd(struct loop *l, int fd, short events, loop_fd_fn *fn,
    void *self, struct err *err);
void loop_del_fd(struct loop *l, int fd);

/*
 * Call fn(self) once after delay_ms; setting it again with the same fn and
 * self moves it.  A negative delay removes it.
 */
typedef int loop_timer_fn(void *self, struct err *err);
int loop_set_timer(struct loop *l, int64_t delay_ms, loop_timer_fn *fn,
    void *self, struct err *err);

/* 0 after STOP, loop_stop() or the end of the parent; -1 with an error, after
   which it may be run again. */
int loop_run(struct loop *l, struct err *err);
void loop_stop(struct loop *l);

#endif

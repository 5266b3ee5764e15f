/*
 * The loop of a process that talks gRPC.  All callbacks of loop, server and
 * client run on the thread that calls rpc_loop_run(), one at a time; a helper
 * thread waits for the other descriptors and hands each event over through
 * gRPC's completion queue.
 *
 * A callback that returns -1 ends the loop with its error.  It may be called
 * although there is nothing to do.
 *
 * One loop in a process at a time.  It starts gRPC, hence threads: lock in
 * first, fork never.
 */
#ifndef RPC_LOOP_H
#define RPC_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct rpc_loop;

/* gRPC's own complaints, for the log; called on any thread.  NULL: to nobody.
 */
typedef void rpc_log_fn(const char *text);

struct rpc_loop *rpc_loop_new(rpc_log_fn *log, struct err *err);
/* While yes they are dropped: whoever calls gRPC says himself what failed. */
void rpc_be_quiet(bool yes);
/*
 * After all servers and clients on it, of which the first to be freed ends
 * the service of descriptors.  Takes up to some 200 ms, unless gRPC waits for
 * something, such as the address of a name.  False if it still does after two
 * seconds: its threads may go on, and exit() would take OpenSSL from them.
 */
bool rpc_loop_free(struct rpc_loop *l); /* NULL is fine */

/* events and revents as for poll(2).  Setting an fd again replaces. */
typedef int rpc_fd_fn(void *self, int fd, short revents, struct err *err);
int rpc_loop_set_fd(struct rpc_loop *l, int fd, short events, rpc_fd_fn *fn,
    void *self, struct err *err);
/* Before the fd is closed. */
void rpc_loop_del_fd(struct rpc_loop *l, int fd);

/*
 * Call fn(self) once after delay_ms; setting it again with the same fn and
 * self moves it.  A negative delay removes it.
 */
typedef int rpc_timer_fn(void *self, struct err *err);
int rpc_loop_set_timer(struct rpc_loop *l, int64_t delay_ms, rpc_timer_fn *fn,
    void *self, struct err *err);

/* Call fn(self) each time before the loop waits.  One per loop. */
void rpc_loop_set_prepare(struct rpc_loop *l, rpc_timer_fn *fn, void *self);

/* 0 after rpc_loop_stop(); -1 with the error of a callback. */
int rpc_loop_run(struct rpc_loop *l, struct err *err);
void rpc_loop_stop(struct rpc_loop *l);

#endif

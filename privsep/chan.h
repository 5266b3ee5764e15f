/*
 * One end of a channel between two processes: a SOCK_SEQPACKET pair, so a
 * message arrives whole or not at all.  A payload over CHAN_INLINE bytes goes
 * as a sealed memfd (nobody can change or shorten it any more; the receiver
 * checks that before it maps it); the caller sees no difference.
 *
 * The sockets do not block.  What cannot be sent at once is queued, and goes
 * when the loop finds the socket writable: a process whose loop is not
 * privsep/loop.h polls for chan_events() and calls chan_flush().
 *
 * Sending to a process that is gone drops the message and is no error: the
 * parent knows, and is about to stop us.
 *
 * One thread owns a channel.
 */
#ifndef PRIVSEP_CHAN_H
#define PRIVSEP_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "privsep/msg.h"

struct canon;
struct chan;
struct err;

#define CHAN_INLINE ((size_t)16 * 1024)
#define CHAN_MAX ((size_t)1 << 30) /* of any payload */

/* Two connected sockets, close-on-exec.  0 or -1. */
int chan_pair(int fds[2], struct err *err);

/* Takes fd over, also when it fails.  self and peer: whose ends these are. */
struct chan *chan_new(int fd, enum proc peer, struct err *err);
void chan_free(struct chan *c); /* closes it; NULL is fine */

int chan_fd(const struct chan *c);
enum proc chan_peer(const struct chan *c);
/* What to poll for: POLLIN, and POLLOUT while something is queued. */
short chan_events(const struct chan *c);
/* The other side is gone, and all that it sent has been received. */
bool chan_closed(const struct chan *c);

/*
 * Send a message.  fd, if not -1, is duplicated: it stays the caller's.
 * payload is copied.  -1 only if memory runs out, the payload is too large,
 * or the receiver has not read for so long that the queue is full.
 */
int chan_send(struct chan *c, enum msg_type type, uint64_t tag,
    const void *payload, size_t len, int fd, struct err *err);
/* The same without a descriptor; frees the payload, and reports if it failed
   to grow. */
int chan_send_canon(struct chan *c, enum msg_type type, uint64_t tag,
    struct canon *payload, struct err *err);
/* Send what is queued, as far as it goes. */
int chan_flush(struct chan *c, struct err *err);
/* Send all that is queued, waiting for the reader. */
int chan_drain(struct chan *c, int timeout_ms, struct err *err);

/*
 * Receive one message.  1: *m is filled in, and msg_free() ends it; 0: nothing
 * is there now, or the other side is gone (chan_closed()); -1: it broke the
 * protocol (ERR_PEER), or the system failed.
 */
int chan_recv(struct chan *c, struct msg *m, struct err *err);
/* Wait for one; 0 is for the end of the channel, a timeout is ERR_PEER.
   timeout_ms -1: for ever. */
int chan_wait(struct chan *c, struct msg *m, int timeout_ms, struct err *err);
/* Unmaps the payload and closes the descriptor that nobody took. */
void msg_free(struct msg *m);

/*
 * What a process accepts, and from whom.  Anything else is ERR_PEER, and ends
 * the process that is told so.  A payload is min to max bytes long.  fn may
 * keep m->fd by setting it to -1.
 */
struct handler {
	enum msg_type type;
	enum proc from;
	size_t min, max;
	int (*fn)(void *self, struct msg *m, struct err *err);
};

int chan_dispatch(const struct handler *table, size_t n, void *self,
    struct msg *m, struct err *err);

/*
 * Sealed memory: a memfd whose content nobody can change.  memfd_seal() copies
 * len bytes; memfd_map() refuses one that is not sealed or not len bytes long,
 * and the result ends with munmap(p, len).
 */
int memfd_seal(const char *name, const void *data, size_t len, struct err *err);
void *memfd_map(int fd, size_t len, struct err *err);

#endif

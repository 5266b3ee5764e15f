/*
 * The coordinator's end: a gRPC server behind mutual TLS 1.3.  Only who has a
 * certificate of the CA gets through the handshake; whoever else tries sees a
 * closed socket.  Whether that certificate is somebody whom we know is asked
 * at the start of each call, before its message is received.
 *
 * A call is answered once, now or later, by rpc_call_reply() or
 * rpc_call_refuse(); unless it is gone before.
 *
 * Everything happens on the loop's thread.
 */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include <stdint.h>

#include "rpc/loop.h"
#include "rpc/msg.h"

struct err;
struct rpc_call;
struct rpc_server;

struct rpc_peer {
	const char *cert; /* the certificate that was proven, PEM */
	const char *address; /* for the log only */
};

struct rpc_service {
	/*
	 * May this peer call?  RPC_OK and *who, a number of one's own; or
	 * another status, and err.msg is what the peer is told.
	 */
	enum rpc_status (*admit)(void *self, const struct rpc_peer *peer,
	    enum rpc_method method, uint32_t *who, struct err *err);
	/* A whole request; msg is valid until the function returns. */
	int (*request)(void *self, struct rpc_call *call,
	    enum rpc_method method, uint32_t who, const struct rpc_msg *msg,
	    struct err *err);
	/* A call that was not answered yet is gone: forget it. */
	void (*gone)(void *self, struct rpc_call *call);
	void *self;
	const char *version; /* of the protocol; NULL: RPC_VERSION */
	/* So many connections were ended lately, or not let in, as there were
	   too many (rpc/door.h); the last was from address.  May be NULL. */
	void (*turned_away)(void *self, size_t n, const char *address);
};

/*
 * Listen on address ("127.0.0.1:7443", "[::1]:0"; port 0: any that is free),
 * and only there: a port that is in use is ERR_CONFIG.  tls is copied.
 */
struct rpc_server *rpc_server_new(struct rpc_loop *l, const char *address,
    const struct rpc_tls *tls, const struct rpc_service *service,
    struct err *err);
int rpc_server_port(const struct rpc_server *s);

/*
 * Certificates for connections from now on; those that stand are not
 * disturbed.  gRPC does not say whether it can read them: check them first.
 */
int rpc_server_set_tls(
    struct rpc_server *s, const struct rpc_tls *tls, struct err *err);

/*
 * Take nothing new, let running calls end, cancel those that have not after
 * grace_ms, then call done(self).
 */
int rpc_server_stop(struct rpc_server *s, int64_t grace_ms, rpc_timer_fn *done,
    void *self, struct err *err);
/* Cancels what still runs, gone() being told.  Then the loop is at its end,
   too.  NULL is fine. */
void rpc_server_free(struct rpc_server *s);

int rpc_call_reply(
    struct rpc_call *c, const struct rpc_msg *reply, struct err *err);
void rpc_call_refuse(
    struct rpc_call *c, enum rpc_status status, const char *text);
/* What the service likes to remember of a call; NULL at first. */
void rpc_call_set_data(struct rpc_call *c, void *data);
void *rpc_call_data(const struct rpc_call *c);

#endif

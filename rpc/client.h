/*
 * A site's end: one connection to the coordinator, made when first needed and
 * again when it broke.  Mutual TLS; no proxy, no retry and no setting that
 * comes from the environment or from the other side: whether to ask again is
 * for the caller to know.
 *
 * Everything happens on the loop's thread.
 */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include <stdint.h>

#include "rpc/loop.h"
#include "rpc/msg.h"

struct err;
struct rpc_client;
struct rpc_op;

/*
 * address is "host:port"; server_name is what the coordinator's certificate
 * must be for, or NULL for the host; proxy is that of an HTTP proxy that is to
 * CONNECT to address, or NULL.  Does not connect yet.  The environment has no
 * say in any of it.
 */
struct rpc_client *rpc_client_new(struct rpc_loop *l, const char *address,
    const char *server_name, const char *proxy, const struct rpc_tls *tls,
    struct err *err);
/* Cancels all calls without a word.  Then the loop is at its end, too.  NULL
   is fine. */
void rpc_client_free(struct rpc_client *c);

/* Other certificates: for a new connection, which the next call makes.  If
   gRPC cannot read them, that fails. */
void rpc_client_set_tls(struct rpc_client *c, const struct rpc_tls *tls);

/* How a call ended.  reply is NULL unless status is RPC_OK, and valid until
   the function returns; text is what the other side or gRPC said. */
typedef int rpc_done_fn(void *self, enum rpc_status status, const char *text,
    const struct rpc_msg *reply, struct err *err);

/*
 * Call a method.  request is copied.  done is called once, from the loop, after
 * timeout_ms at the latest.
 */
struct rpc_op *rpc_client_call(struct rpc_client *c, enum rpc_method method,
    const struct rpc_msg *request, int64_t timeout_ms, rpc_done_fn *done,
    void *self, struct err *err);
/* Forget it: done will not be called.  Not from done itself. */
void rpc_op_cancel(struct rpc_op *op);

#endif

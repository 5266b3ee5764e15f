/*
 * Inside of rpc/: what loop, server and client share of gRPC.
 */
#ifndef RPC_CORE_H
#define RPC_CORE_H

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <stdbool.h>

#include "rpc/envelope.h"
#include "rpc/loop.h"
#include "rpc/msg.h"

/* What is put into the completion queue: fn is called when it comes out. */
struct rpc_tag {
	int (*fn)(struct rpc_tag *tag, bool ok, struct err *err);
};

#define TAG_OWNER(tag, type, field)                                            \
	((type *)(void *)((char *)(tag)-offsetof(type, field)))

/* Messages of either direction, with their envelope. */
#define CORE_RECEIVE_MAX ((int)RPC_BODY_MAX + 4096)

#define CORE_VERSION_KEY "consilium-version"

grpc_completion_queue *rpc_loop_cq(struct rpc_loop *l);
/* Serve one completion, if one comes within wait_ms.  1, 0 if none came, -1. */
int rpc_loop_turn(struct rpc_loop *l, int64_t wait_ms, struct err *err);
/* For the end: no event of a descriptor is served any more. */
void rpc_loop_finish(struct rpc_loop *l);

/* ms from now; INT64_MAX for never. */
gpr_timespec core_deadline(int64_t ms);

/* A message to be sent.  The caller destroys it. */
grpc_byte_buffer *core_pack(enum rpc_method method, enum envelope_kind kind,
    const struct rpc_msg *m, struct err *err);
/* A message that came: as envelope_read(). */
struct envelope *core_unpack(enum rpc_method method, enum envelope_kind kind,
    grpc_byte_buffer *in, struct rpc_msg *m, struct err *err);

#endif

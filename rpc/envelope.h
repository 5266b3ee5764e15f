/*
 * struct rpc_msg to and from the protobuf messages of proto/consilium.proto.
 * Every limit of that file is checked here, in both directions.
 */
#ifndef RPC_ENVELOPE_H
#define RPC_ENVELOPE_H

#include "rpc/msg.h"

struct envelope;

enum envelope_kind { ENVELOPE_REQUEST, ENVELOPE_REPLY };

/* What gRPC calls a method: "/consilium.v1.Consilium/Next". */
const char *envelope_path(enum rpc_method method);
/* 0 if there is no such method. */
enum rpc_method envelope_method(const void *path, size_t len);

/* How many bytes m takes; ERR_FORMAT if it is beyond a limit. */
int envelope_size(enum rpc_method method, enum envelope_kind kind,
    const struct rpc_msg *m, size_t *size, struct err *err);
/* To out, with room for as many. */
void envelope_write(enum rpc_method method, enum envelope_kind kind,
    const struct rpc_msg *m, uint8_t *out);

/* m points into the result, which ends with envelope_free(). */
struct envelope *envelope_read(enum rpc_method method, enum envelope_kind kind,
    const void *data, size_t len, struct rpc_msg *m, struct err *err);
void envelope_free(struct envelope *e); /* NULL is fine */

#endif

/*
 * What site and coordinator say to each other: four methods, each one request
 * and one reply.  proto/consilium.proto is how that looks on the wire.
 *
 *     method     request                        reply
 *     NEXT       data: where the site stands    data: a message, or none
 *     SEND       data: a message                data: a message, or none
 *     PUT_CHUNK  id: upload, number: index,     number: chunks that stand
 *                data: words
 *     GET_CHUNK  id: digest, number: index      number: chunks in all,
 *                                               data: this one
 */
#ifndef RPC_MSG_H
#define RPC_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define RPC_VERSION "1" /* both sides name it with every call */

#define RPC_ID 32
#define RPC_NEXT_MAX ((size_t)64 * 1024) /* of data, in bytes */
#define RPC_SEND_MAX ((size_t)3 * 1024 * 1024)
#define RPC_BODY_MAX ((size_t)4 * 1024 * 1024)
#define RPC_CHUNK ((size_t)256 * 1024)

enum rpc_method {
	RPC_NEXT = 1,
	RPC_SEND,
	RPC_PUT_CHUNK,
	RPC_GET_CHUNK,
	RPC_METHODS
};

/* A request or a reply.  What the method does not use is zero. */
struct rpc_msg {
	uint8_t id[RPC_ID];
	uint32_t number;
	const void *data; /* somebody else's */
	size_t len;
};

/* How a call ended; the numbers are gRPC's. */
enum rpc_status {
	RPC_OK = 0,
	RPC_INVALID = 3, /* not what the method takes */
	RPC_DEADLINE = 4, /* no answer in time */
	RPC_DENIED = 7, /* who is that? */
	RPC_EXHAUSTED = 8, /* too large, or too often */
	RPC_REFUSED = 9, /* understood, and not allowed */
	RPC_UNIMPLEMENTED = 12, /* another version */
	RPC_INTERNAL = 13,
	RPC_UNAVAILABLE = 14, /* nobody there, or gone */
};

/* What the other side is told of an error, and what it makes of that.  All
   that may pass with time comes out as ERR_SYSTEM. */
enum rpc_status rpc_status_of(enum err_code code);
enum err_code rpc_err_of(enum rpc_status status);

/* A certificate with its key, and the CA that peers must have, all in PEM. */
struct rpc_tls {
	const char *ca, *cert, *key;
};

#endif

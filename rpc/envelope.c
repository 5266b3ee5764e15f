#include "rpc/envelope.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "proto/consilium.pb-c.h"

/* An offset that no field has: the base of a message is there. */
#define NONE 0

#define AT(type, field) offsetof(Consilium__V1__##type, field)

/* Where a message keeps the fields of struct rpc_msg, and their limits. */
static const struct layout {
	const ProtobufCMessageDescriptor *type;
	size_t id, number, data; /* offsets */
	size_t min, max; /* bytes of data */
} layouts[RPC_METHODS][2] = {
	[RPC_NEXT] = {
		{ &consilium__v1__next_request__descriptor, NONE, NONE,
		    AT(NextRequest, body), 0, RPC_NEXT_MAX },
		{ &consilium__v1__next_reply__descriptor, NONE, NONE,
		    AT(NextReply, body), 0, RPC_BODY_MAX },
	},
	[RPC_SEND] = {
		{ &consilium__v1__send_request__descriptor, NONE, NONE,
		    AT(SendRequest, body), 1, RPC_SEND_MAX },
		{ &consilium__v1__send_reply__descriptor, NONE, NONE,
		    AT(SendReply, body), 0, RPC_BODY_MAX },
	},
	[RPC_PUT_CHUNK] = {
		{ &consilium__v1__put_chunk_request__descriptor,
		    AT(PutChunkRequest, upload), AT(PutChunkRequest, index),
		    AT(PutChunkRequest, words), 1, RPC_CHUNK },
		{ &consilium__v1__put_chunk_reply__descriptor, NONE,
		    AT(PutChunkReply, have), NONE, 0, 0 },
	},
	[RPC_GET_CHUNK] = {
		{ &consilium__v1__get_chunk_request__descriptor,
		    AT(GetChunkRequest, digest), AT(GetChunkRequest, index),
		    NONE, 0, 0 },
		{ &consilium__v1__get_chunk_reply__descriptor, NONE,
		    AT(GetChunkReply, total), AT(GetChunkReply, data), 1,
		    RPC_CHUNK },
	},
};

static const char *const paths[RPC_METHODS] = {
	[RPC_NEXT] = "/consilium.v1.Consilium/Next",
	[RPC_SEND] = "/consilium.v1.Consilium/Send",
	[RPC_PUT_CHUNK] = "/consilium.v1.Consilium/PutChunk",
	[RPC_GET_CHUNK] = "/consilium.v1.Consilium/GetChunk",
};

/* Room for any of them. */
union message {
	ProtobufCMessage base;
	Consilium__V1__NextRequest next_request;
	Consilium__V1__NextReply next_reply;
	Consilium__V1__SendRequest send_request;
	Consilium__V1__SendReply send_reply;
	Consilium__V1__PutChunkRequest put_chunk_request;
	Consilium__V1__PutChunkReply put_chunk_reply;
	Consilium__V1__GetChunkRequest get_chunk_request;
	Consilium__V1__GetChunkReply get_chunk_reply;
};

/*
 * What unpacking may allocate in all: the bytes fields, which are no longer
 * than the message itself, and little else.  Messages that are made to blow up
 * (unknown fields by the thousand) fail here.
 */
struct budget {
	ProtobufCAllocator allocator;
	size_t left;
	bool no_memory; /* the system had none */
};

struct envelope {
	ProtobufCMessage *message;
	struct budget budget;
};

const char *
envelope_path(enum rpc_method method)
{
	return paths[method];
}

enum rpc_method
envelope_method(const void *path, size_t len)
{
	for (size_t i = 1; i < nitems(paths); i++) {
		if (strlen(paths[i]) == len && memcmp(paths[i], path, len) == 0)
			return (enum rpc_method)i;
	}
	return 0;
}

static int
check_len(
    const struct layout *l, size_t len, const char *field, struct err *err)
{
	if (len < l->min || len > l->max)
		return err_set(err, ERR_FORMAT,
		    "%s.%s: %zu bytes, expected %zu to %zu",
		    l->type->short_name, field, len, l->min, l->max);
	return 0;
}

static void
set_bytes(union message *u, size_t offset, const void *p, size_t len)
{
	ProtobufCBinaryData b = { .len = len };

	memcpy(&b.data, &p, sizeof(p)); /* is only read */
	memcpy((char *)u + offset, &b, sizeof(b));
}

/* A message whose fields are m's. */
static void
fill(const struct layout *l, const struct rpc_msg *m, union message *u)
{
	memset(u, 0, sizeof(*u));
	protobuf_c_message_init(l->type, u);
	if (l->id != NONE)
		set_bytes(u, l->id, m->id, sizeof(m->id));
	if (l->number != NONE)
		memcpy((char *)u + l->number, &m->number, sizeof(m->number));
	if (l->data != NONE)
		set_bytes(u, l->data, m->data, m->len);
}

int
envelope_size(enum rpc_method method, enum envelope_kind kind,
    const struct rpc_msg *m, size_t *size, struct err *err)
{
	const struct layout *l = &layouts[method][kind];
	union message u;

	if (check_len(l, m->len, "data", err) < 0)
		return -1;
	fill(l, m, &u);
	*size = protobuf_c_message_get_packed_size(&u.base);
	return 0;
}

void
envelope_write(enum rpc_method method, enum envelope_kind kind,
    const struct rpc_msg *m, uint8_t *out)
{
	union message u;

	fill(&layouts[method][kind], m, &u);
	protobuf_c_message_pack(&u.base, out);
}

static void *
budget_alloc(void *data, size_t size)
{
	struct budget *b = data;
	void *p;

	if (size > b->left)
		return NULL;
	b->left -= size;
	p = malloc(size);
	b->no_memory |= p == NULL;
	return p;
}

static void
budget_free(void *data, void *p)
{
	(void)data;
	free(p);
}

static int
take(const struct layout *l, const ProtobufCMessage *msg, struct rpc_msg *m,
    struct err *err)
{
	const char *p = (const char *)msg;
	ProtobufCBinaryData b;

	*m = (struct rpc_msg){ .data = "" };
	if (l->id != NONE) {
		memcpy(&b, p + l->id, sizeof(b));
		if (b.len != sizeof(m->id))
			return err_set(err, ERR_FORMAT,
			    "%s: an id of %zu bytes, expected %zu",
			    l->type->short_name, b.len, sizeof(m->id));
		memcpy(m->id, b.data, sizeof(m->id));
	}
	if (l->number != NONE)
		memcpy(&m->number, p + l->number, sizeof(m->number));
	if (l->data != NONE) {
		memcpy(&b, p + l->data, sizeof(b));
		if (check_len(l, b.len, "data", err) < 0)
			return -1;
		m->len = b.len;
		if (b.len > 0)
			m->data = b.data;
	}
	return 0;
}

struct envelope *
envelope_read(enum rpc_method method, enum envelope_kind kind, const void *data,
    size_t len, struct rpc_msg *m, struct err *err)
{
	const struct layout *l = &layouts[method][kind];
	struct envelope *e;

	if ((e = calloc(1, sizeof(*e))) == NULL) {
		err_sys(err, "%s", l->type->short_name);
		return NULL;
	}
	e->budget.allocator =
	    (ProtobufCAllocator){ budget_alloc, budget_free, &e->budget };
	e->budget.left = len + 4096;
	e->message =
	    protobuf_c_message_unpack(l->type, &e->budget.allocator, len, data);
	if (e->message == NULL && e->budget.no_memory) {
		err_sys(err, "%s", l->type->short_name);
		goto fail;
	}
	if (e->message == NULL) {
		err_set(err, ERR_FORMAT, "not a %s", l->type->short_name);
		goto fail;
	}
	if (take(l, e->message, m, err) < 0)
		goto fail;
	return e;
fail:
	envelope_free(e);
	return NULL;
}

void
envelope_free(struct envelope *e)
{
	if (e == NULL)
		return;
	if (e->message != NULL)
		protobuf_c_message_free_unpacked(
		    e->message, &e->budget.allocator);
	free(e);
}

#include "tests/check.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/err.h"
#include "proto/consilium.pb-c.h"
#include "rpc/envelope.h"
#include "tests/faults/inside.h"

static uint8_t *
packed(enum rpc_method method, enum envelope_kind kind, const struct rpc_msg *m,
    size_t *size)
{
	struct err err;
	uint8_t *p;

	assert_int_equal(envelope_size(method, kind, m, size, &err), 0);
	assert_non_null(p = malloc(*size + 1));
	envelope_write(method, kind, m, p);
	return p;
}

static void
every_message_comes_out_as_it_went_in(void **state)
{
	struct rpc_msg m = { .number = 77, .data = "words", .len = 5 }, got;
	static const struct {
		enum rpc_method method;
		enum envelope_kind kind;
		bool id, number, data;
	} has[] = {
		{ RPC_NEXT, ENVELOPE_REQUEST, false, false, true },
		{ RPC_NEXT, ENVELOPE_REPLY, false, false, true },
		{ RPC_SEND, ENVELOPE_REQUEST, false, false, true },
		{ RPC_SEND, ENVELOPE_REPLY, false, false, true },
		{ RPC_PUT_CHUNK, ENVELOPE_REQUEST, true, true, true },
		{ RPC_PUT_CHUNK, ENVELOPE_REPLY, false, true, false },
		{ RPC_GET_CHUNK, ENVELOPE_REQUEST, true, true, false },
		{ RPC_GET_CHUNK, ENVELOPE_REPLY, false, true, true },
	};

	(void)state;
	memset(m.id, 0xa5, sizeof(m.id));
	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++) {
		struct envelope *e;
		struct err err;
		uint8_t *p;
		size_t size;

		m.len = has[i].data ? 5 : 0;
		p = packed(has[i].method, has[i].kind, &m, &size);
		e = envelope_read(
		    has[i].method, has[i].kind, p, size, &got, &err);
		assert_non_null(e);
		assert_int_equal(got.len, m.len);
		assert_memory_equal(got.data, m.data, m.len);
		assert_int_equal(got.number, has[i].number ? 77 : 0);
		assert_int_equal(got.id[31], has[i].id ? 0xa5 : 0);
		envelope_free(e);
		free(p);
	}
}

static void
refuses_what_is_beyond_a_limit(void **state)
{
	uint8_t *big = calloc(1, RPC_BODY_MAX + 1);
	struct rpc_msg m = { .data = big };
	struct err err;
	size_t size;

	(void)state;
	assert_non_null(big);
	m.len = RPC_NEXT_MAX + 1;
	assert_int_equal(
	    envelope_size(RPC_NEXT, ENVELOPE_REQUEST, &m, &size, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	m.len = 0;
	assert_int_equal(
	    envelope_size(RPC_SEND, ENVELOPE_REQUEST, &m, &size, &err), -1);
	m.len = RPC_SEND_MAX;
	assert_int_equal(
	    envelope_size(RPC_SEND, ENVELOPE_REQUEST, &m, &size, &err), 0);
	m.len = RPC_SEND_MAX + 1;
	assert_int_equal(
	    envelope_size(RPC_SEND, ENVELOPE_REQUEST, &m, &size, &err), -1);
	m.len = RPC_CHUNK + 1;
	assert_int_equal(
	    envelope_size(RPC_PUT_CHUNK, ENVELOPE_REQUEST, &m, &size, &err),
	    -1);
	free(big);
}

/* The same limits hold for what the other side packed without them. */
static void
refuses_to_read_what_is_beyond_a_limit(void **state)
{
	Consilium__V1__PutChunkRequest msg =
	    CONSILIUM__V1__PUT_CHUNK_REQUEST__INIT;
	uint8_t id[RPC_ID] = { 0 }, *words, *p;
	struct rpc_msg got;
	struct err err;
	size_t size;

	(void)state;
	assert_non_null(words = calloc(1, RPC_CHUNK + 1));
	assert_non_null(p = malloc(RPC_CHUNK + 100));
	msg.upload.data = id;
	msg.upload.len = sizeof(id);
	msg.words.data = words;
	msg.words.len = RPC_CHUNK + 1;
	size = consilium__v1__put_chunk_request__pack(&msg, p);
	assert_null(envelope_read(
	    RPC_PUT_CHUNK, ENVELOPE_REQUEST, p, size, &got, &err));
	assert_non_null(strstr(err.msg, "262145 bytes, expected 1 to 262144"));
	msg.words.len = 8;
	msg.upload.len = 31;
	size = consilium__v1__put_chunk_request__pack(&msg, p);
	assert_null(envelope_read(
	    RPC_PUT_CHUNK, ENVELOPE_REQUEST, p, size, &got, &err));
	assert_non_null(strstr(err.msg, "31 bytes, expected 32"));
	free(words);
	free(p);
}

static void
refuses_broken_bytes(void **state)
{
	struct rpc_msg m = { .data = "words", .len = 5 }, got;
	struct err err;
	uint8_t *p;
	size_t size;

	(void)state;
	p = packed(RPC_SEND, ENVELOPE_REQUEST, &m, &size);
	for (size_t n = 1; n < size; n++)
		assert_null(envelope_read(
		    RPC_SEND, ENVELOPE_REQUEST, p, n, &got, &err));
	p[1] = 0x7f; /* longer than what is there */
	assert_null(
	    envelope_read(RPC_SEND, ENVELOPE_REQUEST, p, size, &got, &err));
	free(p);
}

/* Fields that we do not know are kept by protobuf-c, 40 bytes for 2. */
static void
refuses_a_message_that_blows_up(void **state)
{
	size_t size = 1 << 20;
	uint8_t *p = malloc(size);
	struct rpc_msg got;
	struct err err;

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < size; i += 2) {
		p[i] = 15 << 3; /* field 15, a varint */
		p[i + 1] = 1;
	}
	assert_null(
	    envelope_read(RPC_SEND, ENVELOPE_REQUEST, p, size, &got, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	free(p);
}

struct bytes {
	const uint8_t *p;
	size_t len;
};

static int
read_it(void *self, struct err *err)
{
	const struct bytes *b = self;
	struct envelope *e;
	struct rpc_msg got;

	e = envelope_read(
	    RPC_PUT_CHUNK, ENVELOPE_REQUEST, b->p, b->len, &got, err);
	envelope_free(e);
	return e != NULL ? 0 : -1;
}

/* Else who sent it would be told that it is none, and not try again. */
static void
a_message_is_not_blamed_for_want_of_memory(void **state)
{
	struct rpc_msg m = { .number = 1, .data = "words", .len = 5 };
	struct bytes b;
	size_t len;
	uint8_t *p = packed(RPC_PUT_CHUNK, ENVELOPE_REQUEST, &m, &len);

	(void)state;
	b = (struct bytes){ p, len };
	assert_true(every_fault(INSIDE_MEMORY, read_it, &b, NULL) >= 4);
	free(p);
	assert_int_equal(rpc_status_of(ERR_SYSTEM), RPC_UNAVAILABLE);
	assert_int_equal(rpc_status_of(ERR_FORMAT), RPC_INVALID);
	assert_int_equal(rpc_status_of((enum err_code)99), RPC_INTERNAL);
}

static void
knows_its_methods_and_no_others(void **state)
{
	const char *path = envelope_path(RPC_GET_CHUNK);

	(void)state;
	assert_string_equal(path, "/consilium.v1.Consilium/GetChunk");
	assert_int_equal(envelope_method(path, strlen(path)), RPC_GET_CHUNK);
	assert_int_equal(envelope_method(path, strlen(path) - 1), 0);
	assert_int_equal(envelope_method("", 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_out_as_it_went_in),
		cmocka_unit_test(refuses_what_is_beyond_a_limit),
		cmocka_unit_test(refuses_to_read_what_is_beyond_a_limit),
		cmocka_unit_test(refuses_broken_bytes),
		cmocka_unit_test(refuses_a_message_that_blows_up),
		cmocka_unit_test(a_message_is_not_blamed_for_want_of_memory),
		cmocka_unit_test(knows_its_methods_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Protobuf envelopes between site and coordinator. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "rpc/envelope.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum rpc_method method;
	enum envelope_kind kind;
	struct envelope *e;
	struct rpc_msg m;
	struct err err;
	size_t size;

	if (len == 0)
		return 0;
	method = (enum rpc_method)(1 + data[0] % (RPC_METHODS - 1));
	kind = data[0] & 0x80 ? ENVELOPE_REPLY : ENVELOPE_REQUEST;
	e = envelope_read(method, kind, data + 1, len - 1, &m, &err);
	if (e != NULL) { /* within its limits, so it can be written again */
		uint8_t *again;

		FUZZ_MUST(envelope_size(method, kind, &m, &size, &err) == 0);
		FUZZ_MUST((again = malloc(size + 1)) != NULL);
		envelope_write(method, kind, &m, again);
		free(again);
	}
	envelope_free(e);
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	struct rpc_msg m = { .number = 3, .data = "12345678", .len = 8 };
	uint8_t out[256];
	struct err err;
	size_t size;

	for (int method = 1; method < RPC_METHODS; method++) {
		for (int kind = 0; kind < 2; kind++) {
			if (envelope_size((enum rpc_method)method,
				(enum envelope_kind)kind, &m, &size, &err) < 0)
				continue;
			envelope_write((enum rpc_method)method,
			    (enum envelope_kind)kind, &m, out);
			fuzz_put_bytes(
			    put, (method - 1) | kind << 7, out, size);
		}
	}
}

#include "rpc/core.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include "common/err.h"

gpr_timespec
core_deadline(int64_t ms)
{
	if (ms == INT64_MAX)
		return gpr_inf_future(GPR_CLOCK_MONOTONIC);
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
	    gpr_time_from_millis(ms, GPR_TIMESPAN));
}

grpc_byte_buffer *
core_pack(enum rpc_method method, enum envelope_kind kind,
    const struct rpc_msg *m, struct err *err)
{
	grpc_byte_buffer *out;
	grpc_slice slice;
	size_t size;

	if (envelope_size(method, kind, m, &size, err) < 0)
		return NULL;
	slice = grpc_slice_malloc(size);
	envelope_write(method, kind, m, GRPC_SLICE_START_PTR(slice));
	out = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return out;
}

struct envelope *
core_unpack(enum rpc_method method, enum envelope_kind kind,
    grpc_byte_buffer *in, struct rpc_msg *m, struct err *err)
{
	grpc_byte_buffer_reader reader;
	struct envelope *e;
	grpc_slice all;

	/* gRPC was told not to unpack: its limit comes after that. */
	if (in->data.raw.compression != GRPC_COMPRESS_NONE) {
		err_set(err, ERR_FORMAT, "compressed messages are not taken");
		return NULL;
	}
	grpc_byte_buffer_reader_init(&reader, in);
	all = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	e = envelope_read(method, kind, GRPC_SLICE_START_PTR(all),
	    GRPC_SLICE_LENGTH(all), m, err);
	grpc_slice_unref(all);
	return e;
}

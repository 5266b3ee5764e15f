/* The control socket's frames, and what control makes of them for the gate. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "privsep/ctl_msg.h"
#include "privsep/ctl_wire.h"
#include "tests/fuzz/fuzz.h"

static void
request(const uint8_t *data, size_t len)
{
	struct ctl_request r, again;
	struct canon out = { 0 };
	uint8_t *body = NULL;
	struct err err;

	if (ctl_wire_request_read(data, len, &r, &body, &err) == 0) {
		/* What control hands on must be what the gate can read. */
		FUZZ_MUST(ctl_request_write(&r, &out) == 0);
		FUZZ_MUST(
		    ctl_request_read(out.data, out.len, &again, &err) == 0);
		FUZZ_MUST(strcmp(r.command, again.command) == 0);
		canon_free(&out);
		free(body);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ctl_reply reply = { 0 };
	struct ctl_request r;
	struct err err;

	if (len == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		request(data + 1, len - 1);
		break;
	case 1:
		ctl_wire_reply_read(data + 1, len - 1, &reply, &err);
		break;
	case 2:
		ctl_request_read(data + 1, len - 1, &r, &err);
		break;
	default:
		ctl_reply_read(data + 1, len - 1, &reply, &err);
	}
	ctl_reply_free(&reply);
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	struct ctl_request r = { .roles = CTL_OFFICER,
		.uid = 1,
		.command = "approve",
		.study = "rfs",
		.body = (const uint8_t *)"body",
		.body_len = 4 };
	struct ctl_reply reply = { 0 };
	struct canon out = { 0 };
	struct err err;

	if (ctl_wire_request_write(&r, &out, &err) == 0)
		fuzz_put_bytes(
		    put, 0, out.data + CTL_WIRE_HEAD, out.len - CTL_WIRE_HEAD);
	canon_free(&out);
	if (ctl_request_write(&r, &out) == 0)
		fuzz_put_bytes(put, 2, out.data, out.len);
	canon_free(&out);
	ctl_reply_column(&reply, "study");
	ctl_reply_column(&reply, "state");
	ctl_reply_cell(&reply, "rfs");
	ctl_reply_cell(&reply, "running");
	ctl_reply_bytes(&reply, "body", 4);
	if (ctl_wire_reply_write(&reply, &out, &err) == 0)
		fuzz_put_bytes(
		    put, 1, out.data + CTL_WIRE_HEAD, out.len - CTL_WIRE_HEAD);
	canon_free(&out);
	if (ctl_reply_write(&reply, &out, &err) == 0)
		fuzz_put_bytes(put, 3, out.data, out.len);
	canon_free(&out);
	ctl_reply_free(&reply);
}

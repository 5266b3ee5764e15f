/* Unsigned canonical layouts: questions, envelopes, finished studies. */
#include "config.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "crypto/exchange.h"
#include "crypto/finished.h"
#include "crypto/round.h"
#include "tests/fuzz/fuzz.h"

static void
next(const uint8_t *data, size_t len)
{
	static struct exchange_next x;
	struct canon out = { 0 };
	struct err err;

	if (exchange_next_read(data, len, &x, &err) != 0)
		return;
	exchange_next_write(&x, &out);
	FUZZ_MUST(out.len == len && memcmp(out.data, data, len) == 0);
	canon_free(&out);
}

static void
finished(const uint8_t *data, size_t len)
{
	struct canon out = { 0 };
	struct err err;
	struct finished *f = finished_read(data, len, &err);

	if (f == NULL)
		return;
	FUZZ_MUST(finished_write(f, &out, &err) == 0);
	FUZZ_MUST(out.len == len && memcmp(out.data, data, len) == 0);
	canon_free(&out);
	finished_free(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t study[32];
	const uint8_t *msg;
	struct err err;
	size_t n;

	if (len == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		next(data + 1, len - 1);
		break;
	case 1:
		finished(data + 1, len - 1);
		break;
	default:
		if (exchange_unwrap(data + 1, len - 1, study, &msg, &n, &err) ==
		    0)
			FUZZ_MUST(msg >= data && msg + n <= data + len);
		round_message_type(data + 1, len - 1);
	}
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	static struct exchange_next x = { .epoch = 1, .n = 2 };
	struct finished_round rounds[2] = {
		{ .round = 1, .kind = "counts", .n_sites = 3 },
		{ .round = 3, .step = 1, .kind = "moments", .n_sites = 3 },
	};
	struct finished f = { .consortium = "c",
		.n_sites = 3,
		.corrupted = 1,
		.smallest_sites = 3,
		.text = "[study]\n",
		.text_len = 8,
		.plan = (const uint8_t *)"plan",
		.plan_len = 4,
		.rounds = rounds,
		.n_rounds = 2 };
	struct canon out = { 0 };
	struct err err;

	x.studies[1].digest[0] = 1;
	x.studies[1].standing = EXCHANGE_READY;
	exchange_next_write(&x, &out);
	fuzz_put_bytes(put, 0, out.data, out.len);
	canon_free(&out);
	if (finished_write(&f, &out, &err) == 0)
		fuzz_put_bytes(put, 1, out.data, out.len);
	canon_free(&out);
	exchange_wrap(x.studies[1].digest, "message", 7, &out);
	fuzz_put_bytes(put, 2, out.data, out.len);
	canon_free(&out);
}

/* The JSON reader. */
#include "config.h"

#include "common/err.h"
#include "common/json_read.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;

	json_read_free(json_read("f", (const char *)data, len, &err));
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	fuzz_put_text(put, -1,
	    "{\"a\": [1, -2.5e-3, true, false, null], \"b\": {\"c\": "
	    "\"\\u00e4 \\ud83d\\ude00 \\n\\\"\"}}");
	fuzz_put_text(put, -1, "[[[[[[[[]]]]]]]]");
}

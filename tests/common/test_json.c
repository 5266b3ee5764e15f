#include "tests/check.h"

#include <math.h>

#include "common/canon.h"
#include "common/json.h"

static void
writes_nested_values(void **state)
{
	static const char expected[] = "{\n"
				       "  \"a\": [\n"
				       "    1,\n"
				       "    0.10000000000000001,\n"
				       "    null\n"
				       "  ],\n"
				       "  \"b\": {},\n"
				       "  \"c\": \"q\\\"\\u000a\",\n"
				       "  \"d\": true\n"
				       "}\n";
	struct canon out = { 0 };
	struct json j = json_start(&out);

	(void)state;
	json_object(&j, NULL);
	json_array(&j, "a");
	json_int(&j, NULL, 1);
	json_real(&j, NULL, 0.1);
	json_real(&j, NULL, NAN);
	json_end_array(&j);
	json_object(&j, "b");
	json_end_object(&j);
	json_text(&j, "c", "q\"\n");
	json_bool(&j, "d", true);
	json_end_object(&j);
	assert_int_equal(out.len, sizeof(expected) - 1);
	assert_memory_equal(out.data, expected, out.len);
	canon_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_nested_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

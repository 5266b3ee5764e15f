#include "tests/check.h"

#include "common/err.h"
#include "common/macros.h"
#include "common/json_read.h"

static struct json_value *
read(const char *text, struct err *err)
{
	return json_read("x.json", text, strlen(text), err);
}

static void
a_result_comes_back(void **state)
{
	struct json_value *v;
	const struct json_value *terms;
	struct err err;

	(void)state;
	v = read("{ \"kind\": \"cox\", \"converged\": true,\n"
		 " \"terms\": [{\"name\": \"age\", \"se\": 1.5e-3},\n"
		 " {\"name\": \"b\", \"se\": -2}], \"p\": null, \"e\": {} }\n",
	    &err);
	assert_non_null(v);
	assert_string_equal(json_get_text(v, "kind", ""), "cox");
	assert_int_equal(json_get(v, "converged")->kind, JSON_TRUE);
	assert_int_equal(json_get(v, "p")->kind, JSON_NULL);
	terms = json_get(v, "terms");
	assert_int_equal(terms->n, 2);
	assert_true(json_get_number(&terms->items[0], "se", 0) == 1.5e-3);
	assert_true(json_get_number(&terms->items[1], "se", 0) == -2);
	assert_null(json_get(v, "z"));
	assert_true(json_get_number(v, "kind", 7) == 7);
	json_read_free(v);
}

static void
escapes_become_characters(void **state)
{
	struct json_value *v;
	struct err err;

	(void)state;
	v = read("\"a\\n\\\"\\u00e4\\ud83c\\udfe5\"", &err);
	assert_non_null(v);
	assert_string_equal(v->text, "a\n\"\xc3\xa4\xf0\x9f\x8f\xa5");
	json_read_free(v);
}

static void
refuses_what_is_not_json(void **state)
{
	static const char *const bad[] = { "", "{", "[1,]", "{\"a\"}",
		"{\"a\":1,}", "\"a", "\"a\\", "\"\\x\"", "\"\\u00g0\"",
		"\"\\u0000\"", "\"\n\"", "1 2", "nul", "1e", "--1", "[1 2]",
		"\"\\u12" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		assert_null(read(bad[i], &err));
		assert_int_equal(err.code, ERR_FORMAT);
	}
	assert_null(read("{\"a\": [1, }", &err));
	assert_string_equal(err.msg, "x.json: byte 11: not JSON");
}

static void
refuses_more_depth_than_it_has(void **state)
{
	char text[2 * JSON_READ_DEPTH_MAX + 3] = { 0 };
	struct json_value *v;
	struct err err;
	size_t n = JSON_READ_DEPTH_MAX;

	(void)state;
	memset(text, '[', n);
	memset(text + n, ']', n);
	v = read(text, &err);
	assert_non_null(v);
	json_read_free(v);
	memset(text, '[', n + 1);
	memset(text + n + 1, ']', n + 1);
	assert_null(read(text, &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_result_comes_back),
		cmocka_unit_test(escapes_become_characters),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(refuses_more_depth_than_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

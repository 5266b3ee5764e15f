#include "tests/check.h"

#include <stdio.h>

#include "common/canon.h"
#include "common/err.h"

static void
reads_back_what_was_written(void **state)
{
	struct canon c = { 0 };
	struct canon_in in;
	struct err err;
	uint8_t raw[3];
	char text[8];
	size_t len;

	(void)state;
	canon_u8(&c, 0xab);
	canon_u16(&c, 0x1234);
	canon_u32(&c, 0xdeadbeef);
	canon_u64(&c, 0x0102030405060708);
	canon_f64(&c, -0.1);
	canon_raw(&c, "xyz", 3);
	canon_bytes(&c, "", 0);
	canon_text(&c, "name");
	assert_false(c.failed);
	assert_memory_equal(c.data, "\xab\x12\x34\xde\xad\xbe\xef", 7);

	in = canon_in(c.data, c.len);
	assert_int_equal(canon_get_u8(&in), 0xab);
	assert_int_equal(canon_get_u16(&in), 0x1234);
	assert_int_equal(canon_get_u32(&in), 0xdeadbeef);
	assert_true(canon_get_u64(&in) == 0x0102030405060708);
	assert_true(canon_get_f64(&in) == -0.1);
	canon_get_raw(&in, raw, 3);
	assert_memory_equal(raw, "xyz", 3);
	canon_get_bytes(&in, 0, 0, &len);
	assert_int_equal(len, 0);
	canon_get_text(&in, text, sizeof(text));
	assert_string_equal(text, "name");
	assert_int_equal(canon_end(&in, "test", &err), 0);
	canon_free(&c);
}

static void
refuses_every_cut_and_every_extra_byte(void **state)
{
	struct canon c = { 0 };
	struct err err;

	(void)state;
	canon_u32(&c, 7);
	canon_bytes(&c, "abcde", 5);
	canon_u8(&c, 0);
	for (size_t len = 0; len <= c.len; len++) {
		struct canon_in in = canon_in(c.data, len);
		size_t n;

		canon_get_u32(&in);
		canon_get_bytes(&in, 0, 16, &n);
		if (len == c.len - 1)
			assert_int_equal(canon_end(&in, "cut", &err), 0);
		else
			assert_int_equal(canon_end(&in, "cut", &err), -1);
	}
	canon_free(&c);
}

static void
refuses_lengths_out_of_bounds_and_control_characters(void **state)
{
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 'a' };
	static const uint8_t bell[] = { 0, 0, 0, 2, 'a', 7 };
	struct canon_in in = canon_in(huge, sizeof(huge));
	char text[8];
	size_t len;

	(void)state;
	assert_null(canon_get_bytes(&in, 0, SIZE_MAX, &len));
	assert_true(in.failed);
	in = canon_in(bell, sizeof(bell));
	canon_get_text(&in, text, sizeof(text));
	assert_true(in.failed);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_was_written),
		cmocka_unit_test(refuses_every_cut_and_every_extra_byte),
		cmocka_unit_test(
		    refuses_lengths_out_of_bounds_and_control_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

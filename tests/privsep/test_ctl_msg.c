#include "tests/check.h"

#include <stdlib.h>

#include "common/canon.h"
#include "privsep/ctl_msg.h"

static void
a_request_is_read_as_it_was_written(void **state)
{
	struct ctl_request r = { CTL_OFFICER, 1000, "approve", "rfs",
		(const uint8_t *)"abc", 3 };
	struct ctl_request back;
	struct canon c = { 0 };
	struct err err;

	(void)state;
	for (int named = 1; named >= 0; named--) {
		if (!named)
			r.study[0] = '\0';
		assert_int_equal(ctl_request_write(&r, &c), 0);
		assert_int_equal(
		    ctl_request_read(c.data, c.len, &back, &err), 0);
		assert_int_equal(back.roles, CTL_OFFICER);
		assert_int_equal(back.uid, 1000);
		assert_string_equal(back.command, "approve");
		assert_string_equal(back.study, r.study);
		assert_int_equal(back.body_len, 3);
		assert_memory_equal(back.body, "abc", 3);
		assert_int_equal(
		    ctl_request_read(c.data, c.len - 1, &back, &err), -1);
		canon_free(&c);
	}
}

static void
a_reply_is_read_as_it_was_written(void **state)
{
	struct ctl_reply r = { 0 }, back;
	struct canon c = { 0 };
	struct err err;

	(void)state;
	ctl_reply_column(&r, "study");
	ctl_reply_column(&r, "round");
	for (int i = 0; i < 5; i++) {
		ctl_reply_cell(&r, "%s", i == 3 ? "" : "rfs");
		ctl_reply_cell(&r, "%d", i);
	}
	ctl_reply_bytes(&r, "body", 4);
	assert_int_equal(ctl_reply_write(&r, &c, &err), 0);
	assert_int_equal(ctl_reply_read(c.data, c.len, &back, &err), 0);
	assert_int_equal(back.code, ERR_NONE);
	assert_int_equal(ctl_reply_rows(&back), 5);
	assert_string_equal(back.columns[1], "round");
	assert_string_equal(back.cells[9], "4");
	assert_string_equal(back.cells[6], "");
	assert_int_equal(back.body_len, 4);
	assert_memory_equal(back.body, "body", 4);
	ctl_reply_free(&back);
	for (size_t len = 0; len < c.len; len++) {
		assert_int_equal(ctl_reply_read(c.data, len, &back, &err), -1);
		ctl_reply_free(&back);
	}
	canon_free(&c);
	ctl_reply_free(&r);
}

static void
an_error_travels_with_its_code(void **state)
{
	struct ctl_reply r = { 0 }, back;
	struct canon c = { 0 };
	struct err err;

	(void)state;
	err_set(&err, ERR_REFUSED, "no approval");
	ctl_reply_error(&r, &err);
	assert_int_equal(ctl_reply_write(&r, &c, &err), 0);
	assert_int_equal(ctl_reply_read(c.data, c.len, &back, &err), 0);
	assert_int_equal(back.code, ERR_REFUSED);
	assert_string_equal(back.error, "no approval");
	ctl_reply_free(&back);
	canon_free(&c);
}

static void
a_claim_of_many_rows_allocates_nothing(void **state)
{
	struct ctl_reply back;
	struct canon c = { 0 };
	struct err err;

	(void)state;
	canon_u32(&c, 0);
	canon_bytes(&c, "", 0);
	canon_u32(&c, 1);
	canon_text(&c, "column");
	canon_u32(&c, 65000);
	assert_int_equal(ctl_reply_read(c.data, c.len, &back, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_int_equal(back.n_cells, 0);
	ctl_reply_free(&back);
	canon_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_as_it_was_written),
		cmocka_unit_test(a_reply_is_read_as_it_was_written),
		cmocka_unit_test(an_error_travels_with_its_code),
		cmocka_unit_test(a_claim_of_many_rows_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

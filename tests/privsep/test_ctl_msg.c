#include "tests/check.h"

#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
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

static void
a_request_is_refused(const void *p, size_t len)
{
	struct ctl_request r;
	struct err err;

	assert_int_equal(ctl_request_read(p, len, &r, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
}

static void
a_name_with_a_control_character_is_refused(void **state)
{
	static const char bad[] = { '\n', 0x7f, 0x1b };
	struct ctl_request r = { CTL_OFFICER, 1000, "approve", "rfs.",
		(const uint8_t *)"", 0 };
	struct canon c = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad); i++) {
		r.study[3] = bad[i];
		assert_int_equal(ctl_request_write(&r, &c), 0);
		a_request_is_refused(c.data, c.len);
		canon_free(&c);
	}
}

/* A reply that its own process has filled wrongly is none. */
static void
what_is_no_table_is_not_written(void **state)
{
	struct ctl_reply r[5] = { 0 };
	struct canon c = { 0 };
	struct err err;

	(void)state;
	for (int i = 0; i <= CTL_COLUMNS_MAX; i++)
		ctl_reply_column(&r[0], "column");
	ctl_reply_column(&r[1], "column");
	ctl_reply_cell(&r[1], "cell");
	ctl_reply_column(&r[1], "late");
	ctl_reply_cell(&r[2], "without a column");
	ctl_reply_column(&r[3], "column");
	for (int i = 0; i <= CTL_ROWS_MAX; i++)
		ctl_reply_cell(&r[3], "%d", i);
	ctl_reply_bytes(&r[4], "", 0);
	c.failed = true;
	ctl_reply_body(&r[4], &c);
	c.failed = false;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ctl_reply_write(&r[i], &c, &err), -1);
		assert_int_equal(err.code, ERR_SYSTEM);
		ctl_reply_free(&r[i]);
		canon_free(&c);
	}
}

static void
a_reply_that_is_too_long_is_not_written(void **state)
{
	static uint8_t big[CTL_REPLY_MAX];
	struct ctl_reply r = { 0 };
	struct canon c = { 0 };
	struct err err;

	(void)state;
	ctl_reply_bytes(&r, big, sizeof(big));
	assert_int_equal(ctl_reply_write(&r, &c, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	ctl_reply_free(&r);
	canon_free(&c);
}

static void
a_reply_that_is_no_table_is_refused(void **state)
{
	static const struct {
		uint32_t columns, rows;
	} bad[] = { { CTL_COLUMNS_MAX + 1, 0 }, { UINT32_MAX, 0 }, { 0, 1 },
		{ 1, CTL_ROWS_MAX + 1 } };
	struct ctl_reply r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct canon c = { 0 };

		canon_u32(&c, 0);
		canon_bytes(&c, "", 0);
		canon_u32(&c, bad[i].columns);
		for (uint32_t k = 0; k < bad[i].columns && k <= CTL_COLUMNS_MAX;
		     k++)
			canon_text(&c, "column");
		canon_u32(&c, bad[i].rows);
		for (uint32_t k = 0; k < bad[i].rows; k++)
			canon_bytes(&c, "x", 1);
		canon_bytes(&c, "", 0);
		assert_int_equal(ctl_reply_read(c.data, c.len, &r, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
		ctl_reply_free(&r);
		canon_free(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_as_it_was_written),
		cmocka_unit_test(a_reply_is_read_as_it_was_written),
		cmocka_unit_test(an_error_travels_with_its_code),
		cmocka_unit_test(a_claim_of_many_rows_allocates_nothing),
		cmocka_unit_test(a_name_with_a_control_character_is_refused),
		cmocka_unit_test(what_is_no_table_is_not_written),
		cmocka_unit_test(a_reply_that_is_too_long_is_not_written),
		cmocka_unit_test(a_reply_that_is_no_table_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

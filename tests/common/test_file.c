#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"

static void
writes_reads_and_respects_limits(void **state)
{
	char dir[] = "/tmp/test_file.XXXXXX", sub[80], path[96];
	struct stat st;
	struct err err;
	uint8_t *data;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/a/b", dir);
	snprintf(path, sizeof(path), "%s/f", sub);
	assert_int_equal(file_mkdirs(sub, 0700, &err), 0);
	assert_int_equal(file_mkdirs(sub, 0700, &err), 0);
	assert_int_equal(file_write(path, "old", 3, 0600, &err), 0);
	assert_int_equal(file_write(path, "new!", 4, 0640, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);

	data = file_read(path, 4, &len, &err);
	assert_non_null(data);
	assert_int_equal(len, 4);
	assert_string_equal((char *)data, "new!");
	free(data);
	assert_null(file_read(path, 3, &len, &err));
	assert_int_equal(err.code, ERR_FORMAT);

	assert_int_equal(file_create(path, "x", 1, 0600, &err), -1);
	data = file_read(path, 4, &len, &err);
	assert_string_equal((char *)data, "new!");
	free(data);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(sub), 0);
	snprintf(sub, sizeof(sub), "%s/a", dir);
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
hexadecimal_is_exact(void **state)
{
	uint8_t b[2];
	char text[5];

	(void)state;
	assert_int_equal(hex_bytes("00fF", b, 2), 0);
	assert_int_equal(b[1], 255);
	hex_text(b, 2, text);
	assert_string_equal(text, "00ff");
	assert_int_equal(hex_bytes("00f", b, 2), -1);
	assert_int_equal(hex_bytes("00fff", b, 2), -1);
	assert_int_equal(hex_bytes("00fg", b, 2), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_reads_and_respects_limits),
		cmocka_unit_test(hexadecimal_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

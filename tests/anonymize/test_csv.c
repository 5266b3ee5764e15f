#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anonymize/csv.h"
#include "common/err.h"

/* A file of these bytes, to be read from its start. */
static int
file_of(const void *data, size_t len)
{
	int fd = memfd_create("csv", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* All rows as text: cells between bars, rows on lines; the error at the end. */
static void
read_all(const void *data, size_t len, char *out, size_t size)
{
	int fd = file_of(data, len), r = -1;
	struct err err = { 0 };
	struct csv *c = csv_open(fd, "x.csv", 0, &err);
	size_t n = 0;

	out[0] = '\0';
	while (c != NULL && (r = csv_next(c, &err)) == 1) {
		for (size_t i = 0; i < csv_cells(c); i++) {
			assert_int_equal(
			    strlen(csv_cell(c, i)->text), csv_cell(c, i)->len);
			n += (size_t)snprintf(
			    out + n, size - n, "%s|", csv_cell(c, i)->text);
			assert_true(n < size);
		}
		n += (size_t)snprintf(out + n, size - n, "\n");
	}
	if (r == -1)
		snprintf(out + n, size - n, "%s", err.msg);
	csv_close(c);
	close(fd);
}

static void
expect(const char *data, const char *rows)
{
	char out[4096];

	read_all(data, strlen(data), out, sizeof(out));
	assert_string_equal(out, rows);
}

static void
reads_quotes_line_ends_and_separators(void **state)
{
	(void)state;
	expect("a,b\n1,2\n", "a|b|\n1|2|\n");
	expect("\xef\xbb\xbf"
	       "a;b,c;d\r\n1;2;3\r\n",
	    "a|b,c|d|\n1|2|3|\n");
	expect("a\tb\n\"x\"\"y\r\nz\"\t", "a|b|\nx\"y\r\nz||\n");
	expect("\"a;;\",b\n\"\",\"\"\"\"\n,\n", "a;;|b|\n|\"|\n||\n");
	expect("\xc3\xa4,\xe2\x82\xac\n", "\xc3\xa4|\xe2\x82\xac|\n");
	expect("one", "one|\n");
	expect("", "");
}

static void
says_where_a_cell_begins(void **state)
{
	static const char data[] =
	    "a,b,c\n\"\xc3\xa4\n\",\"x\",\xc3\xa4\n1,2,3";
	static const size_t place[3][3][2] = { { { 1, 1 }, { 1, 3 }, { 1, 5 } },
		{ { 2, 1 }, { 3, 3 }, { 3, 7 } },
		{ { 4, 1 }, { 4, 3 }, { 4, 5 } } };
	int fd = file_of(data, sizeof(data) - 1);
	struct csv *c = csv_open(fd, "x.csv", ',', NULL);

	(void)state;
	for (size_t row = 0; row < 3; row++) {
		assert_int_equal(csv_next(c, NULL), 1);
		assert_int_equal(csv_line(c), place[row][0][0]);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(
			    csv_cell(c, i)->line, place[row][i][0]);
			assert_int_equal(
			    csv_cell(c, i)->column, place[row][i][1]);
		}
		assert_int_equal(csv_open_end(c), row == 2);
	}
	assert_int_equal(csv_next(c, NULL), 0);
	csv_close(c);
	close(fd);
}

static void
refuses_with_the_place(void **state)
{
	(void)state;
	expect("a,b\n1,\"x\ny",
	    "a|b|\nx.csv:2:3: cut short: the file ends inside this quoted "
	    "cell");
	expect("a,b\n1,x\"y\n",
	    "a|b|\nx.csv:2:4: a quote inside a cell that does not begin with "
	    "one");
	expect("a,b\n\"1\n\" ,2\n",
	    "a|b|\nx.csv:3:2: expected a separator or a line end after the "
	    "closing quote");
	expect("a,b\n1\r2",
	    "a|b|\nx.csv:2:2: a carriage return without a line feed");
	expect("a,b\n1,\x01", "a|b|\nx.csv:2:3: a control character");
	expect("a,b\n1,\"\xc3\xa4\x7f\x1b\"",
	    "a|b|\nx.csv:2:6: a control character");
	expect("\xc3\xa4\n\xe4\n",
	    "\xc3\xa4|\nx.csv:2:1: not UTF-8: save the file as UTF-8");
	expect("\xc3\xa4\n\"\xed\xa0\x80\"",
	    "\xc3\xa4|\nx.csv:2:2: not UTF-8: save the file as UTF-8");
}

static void
refuses_nul(void **state)
{
	char out[256];

	(void)state;
	read_all("a,b\n1\0,2\n", 10, out, sizeof(out));
	assert_string_equal(out, "a|b|\nx.csv:2:2: a control character");
}

static void
refuses_what_is_too_large(void **state)
{
	static char data[2 * CSV_ROW_MAX], out[2 * CSV_ROW_MAX];

	(void)state;
	memset(data, 'x', sizeof(data));
	read_all(data, CSV_CELL_MAX + 1, out, sizeof(out));
	assert_string_equal(out, "x.csv:1:1: this cell is longer than 64 KiB");
	read_all(data, sizeof(data), out, sizeof(out));
	assert_string_equal(out, "x.csv:1:1: this row is longer than 1 MiB");
	data[0] = '"';
	read_all(data, CSV_CELL_MAX - 10, out, sizeof(out));
	assert_string_equal(
	    out, "x.csv:1:1: cut short: the file ends inside this quoted cell");
	data[CSV_CELL_MAX + 100] = '"';
	read_all(data, CSV_CELL_MAX + 200, out, sizeof(out));
	assert_string_equal(out,
	    "x.csv:1:1: this quoted cell is longer than 64 KiB: a closing "
	    "quote is missing");
	memset(data, ',', CSV_COLUMNS_MAX);
	read_all(data, CSV_COLUMNS_MAX, out, sizeof(out));
	assert_string_equal(out, "x.csv:1:4097: more than 4096 columns");
	memset(data, 'x', CSV_CELL_MAX);
	read_all(data, CSV_CELL_MAX, out, sizeof(out));
	assert_int_equal(strlen(out), CSV_CELL_MAX + 2);
}

/* Rows and cells must come out alike wherever a read() ends. */
static void
reads_alike_across_every_refill(void **state)
{
	static char data[200000], out[2 * sizeof(data)];
	const char row[] = "\"a\"\"\xc3\xa4\r\n\",b,\"\"\r\n";
	const char cells[] = "a\"\xc3\xa4\r\n|b||\n";

	(void)state;
	for (size_t pad = 0; pad < sizeof(row); pad++) {
		size_t len = pad, n = 0, at;

		memset(data, 'p', sizeof(data));
		memcpy(data + len, ",\n", 2);
		for (len += 2; len + sizeof(row) < sizeof(data); n++) {
			memcpy(data + len, row, sizeof(row) - 1);
			len += sizeof(row) - 1;
		}
		read_all(data, len, out, sizeof(out));
		at = pad + 3;
		for (size_t i = 0; i < n; i++, at += sizeof(cells) - 1)
			assert_memory_equal(out + at, cells, sizeof(cells) - 1);
		assert_int_equal(strlen(out), at);
	}
}

/* No input may read outside its bytes; the sanitizers look on. */
static void
survives_truncation_and_flips(void **state)
{
	static const char good[] =
	    "\xef\xbb\xbf"
	    "name,\"a \"\"b\"\"\",n\r\n\"x\r\ny\",\xc3\xa4,1\r\n"
	    "\xf0\x9f\x98\x80,,\"\"\r\n";
	char data[sizeof(good)], out[1024];

	(void)state;
	for (size_t len = 0; len < sizeof(good); len++)
		read_all(good, len, out, sizeof(out));
	for (size_t i = 0; i < 8 * (sizeof(good) - 1); i++) {
		memcpy(data, good, sizeof(good));
		data[i / 8] = (char)(data[i / 8] ^ (1 << i % 8));
		/* NUL is refused, so what is read has no NUL inside. */
		read_all(data, sizeof(good) - 1, out, sizeof(out));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_quotes_line_ends_and_separators),
		cmocka_unit_test(says_where_a_cell_begins),
		cmocka_unit_test(refuses_with_the_place),
		cmocka_unit_test(refuses_nul),
		cmocka_unit_test(refuses_what_is_too_large),
		cmocka_unit_test(reads_alike_across_every_refill),
		cmocka_unit_test(survives_truncation_and_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/check.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/ini.h"
#include "common/macros.h"
#include "common/utf8.h"

struct conf {
	char *name, *note;
	size_t count;
	double share;
	int kind;
	bool on;
	struct ini_list list;
	struct pair {
		char *name;
		size_t size;
	} pairs[2];
	size_t n_pairs;
};

static const char *const kinds[] = { "red", "green", NULL };

#define AT(field) .offset = offsetof(struct conf, field)
static const struct ini_field main_fields[] = {
	{ "name", ini_text, AT(name), .required = true, .max = 8 },
	{ "note", ini_text, AT(note) },
	{ "count", ini_size, AT(count), .min = 1, .max = 100 },
	{ "share", ini_real, AT(share), .min = -1, .max = 1 },
	{ "kind", ini_word, AT(kind), .words = kinds },
	{ "on", ini_bool, AT(on) },
	{ "list", ini_items, AT(list), .min = 1 },
};

static const struct ini_field pair_fields[] = {
	{ "size", ini_size, .offset = offsetof(struct pair, size), .max = 9 },
};

static void *
place_pair(
    struct ini *ini, const struct ini_section *s, void *ctx, struct err *err)
{
	struct conf *c = ctx;

	if (c->n_pairs == nitems(c->pairs)) {
		ini_error(ini, s->arg, err, "too many pairs");
		return NULL;
	}
	c->pairs[c->n_pairs].name = s->arg;
	return &c->pairs[c->n_pairs++];
}

static const struct ini_kind table[] = {
	{ "main", INI_NO_ARG, true, .fields = main_fields,
	    .n_fields = nitems(main_fields) },
	{ "pair", INI_ARG, false, .fields = pair_fields,
	    .n_fields = nitems(pair_fields), .place = place_pair },
};

static const char good[] = "\xef\xbb\xbf# a comment\r\n"
			   "\r\n"
			   "[main]\r\n"
			   "name = Zürich\r\n"
			   "note = one\r\n"
			   "   two   words\r\n"
			   "\t# said in between\r\n"
			   "\r\n"
			   "   three = four\r\n"
			   "count=17\n"
			   "share = -2.5e-1\n"
			   "kind = green\n"
			   "on = yes\n"
			   "list = a b, \"c, \"\"d\"\"\",\n"
			   "    \"\", e\n"
			   "[pair first one]\n"
			   "size = 3\n"
			   "[ pair second ]";

static struct ini *
read_text(const char *text, struct conf *c, struct err *err)
{
	struct ini *ini;

	*c = (struct conf){ 0 };
	if ((ini = ini_parse("x.conf", text, strlen(text), err)) == NULL)
		return NULL;
	if (ini_read(ini, table, nitems(table), c, err) == 0)
		return ini;
	ini_free(ini);
	return NULL;
}

static void
reads_every_kind_of_value(void **state)
{
	struct conf c;
	struct err err = { 0 };
	struct ini *ini = read_text(good, &c, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(ini);
	assert_string_equal(c.name, "Zürich");
	assert_string_equal(c.note, "one two words three = four");
	assert_int_equal(c.count, 17);
	assert_true(c.share == -0.25);
	assert_int_equal(c.kind, 1);
	assert_true(c.on);
	assert_int_equal(c.list.n, 4);
	assert_string_equal(c.list.items[0], "a b");
	assert_string_equal(c.list.items[1], "c, \"d\"");
	assert_string_equal(c.list.items[2], "");
	assert_string_equal(c.list.items[3], "e");
	assert_int_equal(c.n_pairs, 2);
	assert_string_equal(c.pairs[0].name, "first one");
	assert_int_equal(c.pairs[0].size, 3);
	assert_string_equal(c.pairs[1].name, "second");
	ini_free(ini);
}

static void
every_error_names_file_line_and_column(void **state)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ "", "x.conf:1:1: section [main] is missing" },
		{ "name = x\n",
		    "x.conf:1:1: expected a [section] before the first key" },
		{ "[main\n",
		    "x.conf:1:1: expected [section] or [section "
		    "argument]" },
		{ "[]\n",
		    "x.conf:1:1: expected [section] or [section argument]" },
		{ "[Main]\n",
		    "x.conf:1:1: expected a section's name of a-z, "
		    "0-9 and -" },
		{ "[main]\nname = a\nwhat\n",
		    "x.conf:3:1: expected key = value, [section] or a # "
		    "comment" },
		{ "[main]\n= a\n",
		    "x.conf:2:1: expected a key of a-z, 0-9 and - before =" },
		{ "[main]\n  name = a\n",
		    "x.conf:2:3: an indented line, but no key before it that "
		    "it could continue" },
		{ "[main]\nname = a\nname = b\n",
		    "x.conf:3:1: key \"name\" is there twice in [main]" },
		{ "[main]\nname = a\n[pair a]\n[pair b]\n[pair  a]\n",
		    "x.conf:5:1: section [pair a] is there twice" },
		{ "[main]\nname = a\n[main]\n",
		    "x.conf:3:1: section [main] is there twice" },
		{ "[main]\nname = a\nage = 7\n",
		    "x.conf:3:1: unknown key \"age\" in [main], expected one "
		    "of: name, note, count, share, kind, on, list" },
		{ "[main]\nname = a\n[other]\n",
		    "x.conf:3:2: unknown section [other], expected one of: "
		    "main, pair NAME" },
		{ "[main]\n", "x.conf:1:2: [main] has no key \"name\"" },
		{ "[main]\nnote = b\n# c\n\t name = a\n",
		    "x.conf:4:3: \"name\" is indented, and so a part of the "
		    "value above" },
		{ "[main]\nnote = b\n names = a\n[pair a]\nx = y\n name = a\n",
		    "x.conf:1:2: [main] has no key \"name\"" },
		{ "[main]\nname = a\n[pair]\n",
		    "x.conf:3:2: expected [pair NAME]" },
		{ "[main b]\nname = a\n",
		    "x.conf:1:7: expected [main] without a name" },
		{ "[main]\nname = a\n[pair a]\n[pair b]\n[pair c]\n",
		    "x.conf:5:7: too many pairs" },
		{ "[main]\nname =\n", "x.conf:2:7: name: expected text" },
		{ "[main]\nname = 123456789\n",
		    "x.conf:2:8: name: 9 bytes, expected at most 8" },
		{ "[main]\nname = a\ncount = 101\n",
		    "x.conf:3:9: count: expected a whole number from 1 to "
		    "100" },
		{ "[main]\nname = a\ncount = 1x\n",
		    "x.conf:3:9: count: expected a whole number from 1 to "
		    "100" },
		{ "[main]\nname = a\nshare = nan\n",
		    "x.conf:3:9: share: expected a number from -1 to 1" },
		{ "[main]\nname = a\nshare = 0x1\n",
		    "x.conf:3:9: share: expected a number from -1 to 1" },
		{ "[main]\nname = a\nkind = blue\n",
		    "x.conf:3:8: kind: \"blue\", expected one of: red, "
		    "green" },
		{ "[main]\nname = a\non = 1\n",
		    "x.conf:3:6: on: expected yes or no" },
		{ "[main]\nname = a\nlist =\n",
		    "x.conf:3:7: list: 0 items, expected 1 to 16384" },
		{ "[main]\nname = a\nlist = ü, b,\n  c,, d\n",
		    "x.conf:4:5: list: expected an item (an empty one is "
		    "\"\")" },
		{ "[main]\nname = a\nlist = \"b\n",
		    "x.conf:3:8: a quote that has no end" },
		{ "[main]\nname = a\nlist = \"b\" c\n",
		    "x.conf:3:12: expected one of \",\" or the end after a "
		    "quoted item" },
		{ "[main]\nname = a\x01\n",
		    "x.conf:2:9: control character 1, expected text" },
		{ "[main]\nname = \xc0\x80\n",
		    "x.conf:2:8: not UTF-8, expected text in it" },
		{ "[main]\rname = a\n",
		    "x.conf:1:7: control character 13, expected text" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		struct conf c;
		struct err err = { 0 };

		assert_null(read_text(bad[i].text, &c, &err));
		assert_string_equal(err.msg, bad[i].msg);
		assert_int_equal(err.code, ERR_CONFIG);
	}
}

static void
refuses_nul_and_what_is_too_long(void **state)
{
	static char big[INI_FILE_MAX + 1];
	struct err err;

	(void)state;
	assert_null(ini_parse("x", "[a]\0", 4, &err));
	assert_string_equal(
	    err.msg, "x:1:4: control character 0, expected text");
	memset(big, 'a', sizeof(big));
	assert_null(ini_parse("x", big, sizeof(big), &err));
	assert_string_equal(
	    err.msg, "x: 1048577 bytes, expected at most 1048576");
	assert_null(ini_parse("x", big, INI_LINE_MAX + 1, &err));
	assert_string_equal(
	    err.msg, "x:1:65537: a line of more than 65536 bytes");
	memcpy(big, "[a]\nb=", 6);
	big[INI_LINE_MAX] = '\n';
	big[INI_LINE_MAX + 1] = '\t';
	big[INI_LINE_MAX + 2] = 'x';
	ini_free(ini_parse("x", big, INI_LINE_MAX + 3, &err));
	for (size_t i = 0; i < 300; i++)
		memcpy(big + 4 + 8 * i, "kaa =  \n", 8);
	for (size_t i = 0; i < 300; i++) {
		big[5 + 8 * i] = (char)('a' + i % 26);
		big[6 + 8 * i] = (char)('a' + i / 26);
	}
	assert_null(ini_parse("x", big, 4 + 8 * 300, &err));
	assert_string_equal(err.msg, "x:258:1: more than 256 keys in [a]");
}

static void
numbers_are_plain_decimal(void **state)
{
	double v;

	(void)state;
	assert_int_equal(ini_number("-0.1", &v), 0);
	assert_true(v == -0.1);
	assert_int_equal(ini_number("+1.e3", &v), 0);
	assert_true(v == 1000);
	assert_int_equal(ini_number(".5", &v), 0);
	assert_int_equal(ini_number("", &v), -1);
	assert_int_equal(ini_number(".", &v), -1);
	assert_int_equal(ini_number("1e", &v), -1);
	assert_int_equal(ini_number("1,5", &v), -1);
	assert_int_equal(ini_number(" 1", &v), -1);
	assert_int_equal(ini_number("inf", &v), -1);
	assert_int_equal(ini_number("1e999", &v), -1);
}

static void
knows_utf8(void **state)
{
	(void)state;
	assert_int_equal(utf8_valid("a\xc3\xbc\xe2\x82\xac", 6), 6);
	assert_int_equal(utf8_count("a\xc3\xbc\xe2\x82\xac", 6), 3);
	assert_int_equal(utf8_prefix("a\xc3\xbc\xe2\x82\xac", 6, 2), 3);
	assert_int_equal(utf8_prefix("ab", 2, 5), 2);
	assert_int_equal(utf8_valid("\xf0\x9f\x8f\xa5", 4), 4);
	assert_int_equal(utf8_valid("a\xc3", 2), 1); /* cut short */
	assert_int_equal(utf8_valid("\xc0\xaf", 2), 0); /* overlong */
	assert_int_equal(utf8_valid("\xed\xa0\x80", 3), 0); /* surrogate */
	assert_int_equal(utf8_valid("\xf4\x90\x80\x80", 4), 0);
	assert_int_equal(utf8_valid("\x80", 1), 0);
}

static void
no_cut_and_no_changed_byte_crashes(void **state)
{
	static const char bytes[] = "\n\" =[],#\0\xff";
	char text[sizeof(good)];
	struct conf c;
	struct err err;
	struct ini *ini;

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++) {
		char *cut = malloc(n + 1); /* its end is watched */

		memcpy(cut, good, n);
		cut[n] = '\0';
		ini_free(read_text(cut, &c, &err));
		free(cut);
	}
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		for (size_t j = 0; j < sizeof(bytes); j++) {
			memcpy(text, good, sizeof(good));
			text[i] = bytes[j];
			ini = ini_parse("x", text, sizeof(good) - 1, &err);
			if (ini == NULL)
				continue;
			c = (struct conf){ 0 };
			ini_read(ini, table, nitems(table), &c, &err);
			ini_free(ini);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind_of_value),
		cmocka_unit_test(every_error_names_file_line_and_column),
		cmocka_unit_test(refuses_nul_and_what_is_too_long),
		cmocka_unit_test(numbers_are_plain_decimal),
		cmocka_unit_test(knows_utf8),
		cmocka_unit_test(no_cut_and_no_changed_byte_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* consiliumctl audit export: the log's lines, as what a program can read. */
#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/hex.h"
#include "common/json_read.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/keyfile.h"

#define NAME "lung"
#define ODD "a \"b\" 100% \\ \xc3\xa4"

static char path[] = "/tmp/consilium-audit-export-XXXXXX";
static char public_key[KEY_PUBLIC_TEXT];

static int
set_up(void **state)
{
	int fd = mkstemp(path);
	struct audit *a;
	struct err err;
	struct key *k;

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	if ((k = key_new(&err)) == NULL ||
	    (a = audit_open(path, k, &err)) == NULL)
		return -1;
	hex_text(key_public(k), KEY_PUBLIC, public_key);
	assert_int_equal(
	    audit_event(a, &err, "approve", "study", NAME, NULL), 0);
	assert_int_equal(
	    audit_event(a, &err, "refused", "study", NAME, "why", ODD, NULL),
	    0);
	assert_int_equal(audit_event(a, &err, "reset", NULL), 0);
	audit_close(a);
	key_free(k);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static const char *export(int status)
{
	static char out[8192];
	char command[1024];
	FILE *f;
	size_t n;

	snprintf(command, sizeof(command),
	    "%s/ctl/consiliumctl audit export --public-key %s %s 2>&1",
	    getenv("builddir"), public_key, path);
	assert_non_null(f = popen(command, "r"));
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	assert_int_equal(WEXITSTATUS(pclose(f)), status);
	return out;
}

static void
each_line_is_an_object_with_its_fields(void **state)
{
	static const char *const events[] = { "approve", "refused", "reset" };
	const char *out = export(0);
	struct json_value *v;
	struct err err;

	(void)state;
	v = json_read("export", out, strlen(out), &err);
	assert_non_null(v);
	assert_int_equal(v->kind, JSON_ARRAY);
	assert_int_equal(v->n, nitems(events));
	for (size_t i = 0; i < v->n; i++) {
		const struct json_value *line = &v->items[i];

		assert_int_equal(
		    (int)json_get_number(line, "seq", 0), (int)i + 1);
		assert_string_equal(
		    json_get_text(line, "event", ""), events[i]);
		assert_int_equal(strlen(json_get_text(line, "time", "")),
		    strlen("2026-11-23T09:30:00Z"));
		assert_null(json_get(line, "prev"));
		assert_null(json_get(line, "sig"));
	}
	assert_string_equal(json_get_text(&v->items[0], "study", ""), NAME);
	assert_string_equal(json_get_text(&v->items[1], "why", ""), ODD);
	assert_int_equal(v->items[2].n, 3);
	json_read_free(v);
}

/* Not one line of a log that is not whole. */
static void
an_altered_log_is_not_exported(void **state)
{
	char command[200];

	(void)state;
	snprintf(
	    command, sizeof(command), "sed -i '2s/" NAME "/lunx/' %s", path);
	assert_int_equal(system(command), 0);
	assert_non_null(strstr(export(1), ":2: altered"));
	assert_null(strstr(export(1), "approve"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_an_object_with_its_fields),
		cmocka_unit_test(an_altered_log_is_not_exported),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

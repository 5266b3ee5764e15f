#include "tests/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/audit.h"

static char dir[] = "/tmp/test_audit.XXXXXX";
static char path[64], bad[64];
static struct key *key;

static int
set_up(void **state)
{
	struct err err;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/audit.log", dir);
	snprintf(bad, sizeof(bad), "%s/bad.log", dir);
	return (key = key_new(&err)) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	key_free(key);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* A log of n lines in path, as text that the caller frees. */
static char *
make_log(size_t n, size_t *len)
{
	struct err err;
	struct audit *a;
	char *text;

	unlink(path);
	a = audit_open(path, key, &err);
	assert_non_null(a);
	for (size_t i = 0; i < n; i++) {
		char round[8];
		const struct audit_field fields[] = { { "study", "rfs" },
			{ "round", round }, { "why", "a \"b\"\n%=" } };

		snprintf(round, sizeof(round), "%zu", i);
		assert_int_equal(audit_add(a, "upload", fields, 3, &err), 0);
	}
	assert_int_equal(audit_count(a), n);
	audit_close(a);
	text = (char *)file_read(path, 1 << 20, len, &err);
	assert_non_null(text);
	return text;
}

static int
verify_bytes(const void *p, size_t len, struct err *err)
{
	assert_int_equal(file_write(bad, p, len, 0600, err), 0);
	return audit_verify(bad, key_public(key), NULL, NULL, err);
}

static void
a_log_verifies_and_goes_on_after_a_restart(void **state)
{
	struct audit_state found;
	uint8_t head[AUDIT_HASH];
	struct err err;
	struct audit *a;
	struct stat st;
	size_t len;

	(void)state;
	free(make_log(3, &len));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	a = audit_open(path, key, &err);
	assert_non_null(a);
	assert_int_equal(audit_count(a), 3);
	assert_int_equal(audit_add(a, "stopped", NULL, 0, &err), 0);
	audit_head(a, head);
	assert_null(audit_open(path, key, &err)); /* one writer */
	audit_close(a);
	assert_int_equal(
	    audit_verify(path, key_public(key), NULL, &found, &err), 0);
	assert_int_equal(found.count, 4);
	assert_memory_equal(found.head, head, AUDIT_HASH);
	assert_int_equal(
	    audit_verify(path, key_public(key), &found, NULL, &err), 0);
}

static void
fields_cannot_break_a_line(void **state)
{
	size_t len;
	char *text = make_log(1, &len);

	(void)state;
	assert_non_null(
	    strstr(text, " study=rfs round=0 why=\"a %22b%22%0A%25=\" prev="));
	assert_ptr_equal(strchr(text, '\n'), text + len - 1);
	free(text);
}

static void
every_altered_byte_is_found(void **state)
{
	size_t len;
	char *text = make_log(3, &len);
	struct err err;

	(void)state;
	assert_int_equal(verify_bytes(text, len, &err), 0);
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		assert_int_equal(verify_bytes(text, len, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
		text[i] ^= 1;
	}
	free(text);
}

static void
a_removed_a_moved_and_a_repeated_line_are_found(void **state)
{
	size_t len, two, three;
	char *text = make_log(3, &len), *mix = malloc(2 * len);
	struct err err;

	(void)state;
	two = (size_t)(strchr(text, '\n') + 1 - text);
	three = (size_t)(strchr(text + two, '\n') + 1 - text);

	/* 1 3 */
	memcpy(mix, text, two);
	memcpy(mix + two, text + three, len - three);
	assert_int_equal(verify_bytes(mix, len - (three - two), &err), -1);
	assert_non_null(strstr(err.msg, "bad.log:2:"));
	/* 2 3 */
	assert_int_equal(verify_bytes(text + two, len - two, &err), -1);
	assert_non_null(strstr(err.msg, "bad.log:1:"));
	/* 1 3 2 */
	memcpy(mix + two + len - three, text + two, three - two);
	assert_int_equal(verify_bytes(mix, len, &err), -1);
	/* 1 2 3 3 */
	memcpy(mix, text, len);
	memcpy(mix + len, text + three, len - three);
	assert_int_equal(verify_bytes(mix, 2 * len - three, &err), -1);
	assert_non_null(strstr(err.msg, "bad.log:4:"));
	free(text);
	free(mix);
}

static void
missing_lines_show_against_what_was_known(void **state)
{
	struct audit_state known, other;
	size_t len;
	char *text = make_log(3, &len);
	struct err err;

	(void)state;
	assert_int_equal(
	    audit_verify(path, key_public(key), NULL, &known, &err), 0);
	text[len - 1] = '\0';
	assert_int_equal(
	    file_write(bad, text, (size_t)(strrchr(text, '\n') + 1 - text),
		0600, &err),
	    0);
	assert_int_equal(
	    audit_verify(bad, key_public(key), NULL, NULL, &err), 0);
	assert_int_equal(
	    audit_verify(bad, key_public(key), &known, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "missing at the end"));
	/* A past that was written anew, by the key's own holder. */
	free(text);
	free(make_log(4, &len));
	other = known;
	other.head[0] ^= 1;
	assert_int_equal(
	    audit_verify(path, key_public(key), &other, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "audit.log:3:"));
}

static void
anothers_log_is_refused(void **state)
{
	struct err err;
	struct key *other = key_new(&err);
	size_t len;

	(void)state;
	free(make_log(2, &len));
	assert_int_equal(
	    audit_verify(path, key_public(other), NULL, NULL, &err), -1);
	assert_null(audit_open(path, other, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	key_free(other);
}

static void
a_line_cut_by_a_crash_is_dropped_and_said(void **state)
{
	size_t len;
	char *text = make_log(3, &len);
	struct audit_state found;
	struct err err;
	struct audit *a;

	(void)state;
	assert_int_equal(file_write(path, text, len - 10, 0600, &err), 0);
	assert_int_equal(
	    audit_verify(path, key_public(key), NULL, NULL, &err), -1);
	a = audit_open(path, key, &err);
	assert_non_null(a);
	assert_int_equal(audit_count(a), 3);
	audit_close(a);
	assert_int_equal(
	    audit_verify(path, key_public(key), NULL, &found, &err), 0);
	assert_int_equal(found.count, 3);
	free(text);
	text = (char *)file_read(path, 1 << 20, &len, &err);
	assert_non_null(strstr(text, " recovered bytes="));
	free(text);
	/* The first line, too. */
	assert_int_equal(file_write(path, "1 2026", 6, 0600, &err), 0);
	a = audit_open(path, key, &err);
	assert_non_null(a);
	audit_close(a);
	assert_int_equal(
	    audit_verify(path, key_public(key), NULL, &found, &err), 0);
	assert_int_equal(found.count, 1);
}

static void
a_damaged_last_line_and_foreign_names_are_refused(void **state)
{
	size_t len;
	char *text = make_log(2, &len);
	const struct audit_field field = { "Bad name", "x" };
	struct err err;
	struct audit *a;

	(void)state;
	a = audit_open(path, key, &err);
	assert_int_equal(audit_add(a, "two words", NULL, 0, &err), -1);
	assert_int_equal(audit_add(a, "ok", &field, 1, &err), -1);
	assert_int_equal(audit_count(a), 2);
	audit_close(a);
	text[len - 3] = text[len - 3] == '0' ? '1' : '0';
	assert_int_equal(file_write(path, text, len, 0600, &err), 0);
	assert_null(audit_open(path, key, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	free(text);
}

static void
what_is_no_log_is_refused(void **state)
{
	/* The last line, and why it is none; a newline follows. */
	static const char *const lines[] = { "", "x", "x y", "x y z" };
	char big[3 * AUDIT_LINE_MAX];
	struct err err;
	size_t len;
	char *text = make_log(1, &len);

	(void)state;
	for (size_t i = 0; i < nitems(lines); i++) {
		snprintf(big, sizeof(big), "%s\n", lines[i]);
		assert_int_equal(
		    file_write(path, big, strlen(big), 0600, &err), 0);
		assert_null(audit_open(path, key, &err));
		assert_non_null(
		    strstr(err.msg, "last line: not a line of an audit log"));
	}
	memset(big, 'x', sizeof(big));
	assert_int_equal(file_write(path, big, sizeof(big), 0600, &err), 0);
	assert_null(audit_open(path, key, &err));
	assert_non_null(strstr(err.msg, "audit.log: not an audit log"));
	assert_int_equal(verify_bytes(big, sizeof(big), &err), -1);
	assert_non_null(strstr(err.msg, ":1: cut short or too long"));
	assert_int_equal(verify_bytes("\0\n", 2, &err), -1);
	assert_non_null(strstr(err.msg, ":1: cut short or too long"));
	/* Numbers that are none: no digit, and one that no log comes to. */
	assert_true(len + 40 < sizeof(big));
	snprintf(big, sizeof(big), ":%s", text + 1);
	assert_int_equal(verify_bytes(big, len, &err), -1);
	assert_non_null(strstr(err.msg, ":1: not a line of an audit log"));
	snprintf(big, sizeof(big), "99999999999999999999%s", text + 1);
	assert_int_equal(verify_bytes(big, len + 19, &err), -1);
	assert_non_null(strstr(err.msg, ":1: not a line of an audit log"));
	free(text);
}

static void
another_logs_line_with_the_right_number_is_found(void **state)
{
	struct audit *a;
	struct err err;
	size_t len;
	char *text, big[2 * AUDIT_LINE_MAX];
	char *two = make_log(2, &len);

	(void)state;
	unlink(path);
	assert_non_null(a = audit_open(path, key, &err));
	assert_int_equal(audit_event(a, &err, "another", NULL), 0);
	audit_close(a);
	assert_non_null(text = (char *)file_read(path, 1 << 20, &len, &err));
	snprintf(
	    big, sizeof(big), "%.*s%s", (int)len, text, strchr(two, '\n') + 1);
	assert_int_equal(verify_bytes(big, strlen(big), &err), -1);
	assert_non_null(
	    strstr(err.msg, ":2: does not follow on the line before it"));
	free(text);
	free(two);
}

static void
lines_and_names_have_bounds(void **state)
{
	char value[AUDIT_LINE_MAX],
	    name[] = "an-event-with-a-name-of-forty-and-one-let";
	const struct audit_field field = { "why", value };
	struct audit *a;
	struct err err;

	(void)state;
	unlink(path);
	assert_non_null(a = audit_open(path, key, &err));
	assert_int_equal(strlen(name), 41);
	assert_int_equal(audit_add(a, name, NULL, 0, &err), -1);
	assert_string_equal(err.msg, "audit: not an event's name");
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(audit_add(a, "upload", &field, 1, &err), -1);
	assert_string_equal(err.msg, "audit: a line of more than 8192 bytes");
	assert_int_equal(audit_count(a), 0);
	audit_close(a);
	audit_close(NULL);
}

/* No file may grow beyond max bytes; 0: as far as it likes. */
static void
limit_file_size(size_t max)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = max != 0 ? max : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_IGN); /* write() fails instead */
}

static void
a_full_disk_leaves_whole_lines(void **state)
{
	struct audit_state found;
	struct err err;
	struct audit *a;
	size_t len;

	(void)state;
	free(make_log(2, &len));
	a = audit_open(path, key, &err);
	assert_non_null(a);
	limit_file_size(len + 50);
	assert_int_equal(audit_add(a, "upload", NULL, 0, &err), -1);
	assert_int_equal(err.code, ERR_SYSTEM);
	limit_file_size(0);
	assert_int_equal(
	    audit_verify(path, key_public(key), NULL, &found, &err), 0);
	assert_int_equal(found.count, 2);
	assert_int_equal(audit_add(a, "upload", NULL, 0, &err), 0);
	audit_close(a);
	assert_int_equal(
	    audit_verify(path, key_public(key), NULL, &found, &err), 0);
	assert_int_equal(found.count, 3);
}

/* A site's next identity goes on with the log of the one before. */
static void
a_log_goes_on_under_the_key_that_it_was_handed_to(void **state)
{
	struct audit_state found, known = { .count = 3 };
	struct key *next, *other;
	struct audit *a;
	struct err err;
	size_t len;
	char *text;

	(void)state;
	free(make_log(2, &len));
	assert_non_null(next = key_new(&err));
	assert_non_null(other = key_new(&err));
	assert_non_null(a = audit_open(path, key, &err));
	/* No daemon does that by chance. */
	assert_int_equal(
	    audit_event(a, &err, "identity", "next", "00", NULL), -1);
	assert_int_equal(audit_hand_over(a, key_public(next), &err), 0);
	assert_int_equal(audit_event(a, &err, "upload", NULL), -1);
	audit_close(a);
	assert_null(audit_open(path, key, &err));
	assert_int_equal(err.code, ERR_REFUSED);
	assert_null(audit_open(path, other, &err));
	assert_non_null(a = audit_open(path, next, &err));
	assert_int_equal(audit_event(a, &err, "reset", NULL), 0);
	audit_close(a);
	assert_int_equal(
	    audit_verify(path, key_public(key), &known, &found, &err), 0);
	assert_int_equal(found.count, 4);
	assert_int_equal(
	    audit_verify(path, key_public(next), NULL, &found, &err), -1);
	assert_non_null(text = (char *)file_read(path, 1 << 20, &len, &err));
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		assert_int_equal(verify_bytes(text, len, &err), -1);
		text[i] ^= 1;
	}
	free(text);
	key_free(next);
	key_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_verifies_and_goes_on_after_a_restart),
		cmocka_unit_test(fields_cannot_break_a_line),
		cmocka_unit_test(every_altered_byte_is_found),
		cmocka_unit_test(
		    a_removed_a_moved_and_a_repeated_line_are_found),
		cmocka_unit_test(missing_lines_show_against_what_was_known),
		cmocka_unit_test(anothers_log_is_refused),
		cmocka_unit_test(a_line_cut_by_a_crash_is_dropped_and_said),
		cmocka_unit_test(
		    a_damaged_last_line_and_foreign_names_are_refused),
		cmocka_unit_test(what_is_no_log_is_refused),
		cmocka_unit_test(
		    another_logs_line_with_the_right_number_is_found),
		cmocka_unit_test(lines_and_names_have_bounds),
		cmocka_unit_test(a_full_disk_leaves_whole_lines),
		cmocka_unit_test(
		    a_log_goes_on_under_the_key_that_it_was_handed_to),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

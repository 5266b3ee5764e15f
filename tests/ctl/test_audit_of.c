/* consiliumctl audit of: a state folder as a daemon leaves it, asked. */
#include "config.h"

#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anonymize/patients.h"
#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "crypto/audit.h"
#include "crypto/keyfile.h"

static char dir[] = "/tmp/consilium-audit-of-XXXXXX";
static char public_key[KEY_PUBLIC_TEXT];
static struct patients *patients;

static const char *
path(const char *name)
{
	static char p[4][256];
	static int next;

	next = (next + 1) % 4;
	snprintf(p[next], sizeof(p[0]), "%s/%s", dir, name);
	return p[next];
}

/* The table whose digest begins with this byte has two patients. */
static void
put_table(const char *file, uint8_t digest, const char *one, const char *two)
{
	uint8_t ids[2][PATIENTS_ID], table[32] = { digest };
	struct canon out = { 0 };
	struct err err;

	patients_id(patients, one, strlen(one), ids[0]);
	patients_id(patients, two, strlen(two), ids[1]);
	patients_write(ids, 2, table, &out);
	assert_int_equal(
	    file_write(path(file), out.data, out.len, 0600, &err), 0);
	canon_free(&out);
}

/* As the reader tells it. */
static void
list_digest(const char *text, char hex[65])
{
	uint8_t key[KEY_RAW], digest[32];
	struct patients *p;
	struct err err;
	int fd;

	assert_int_equal(
	    file_write(path("list"), text, strlen(text), 0600, &err), 0);
	assert_int_equal(secret_load(path("pseudonym.key"), key, &err), 0);
	assert_non_null(p = patients_new("pid", key, &err));
	assert_true((fd = open(path("list"), O_RDONLY | O_CLOEXEC)) >= 0);
	assert_int_equal(patients_read_objections(p, fd, "list", &err), 0);
	close(fd);
	patients_objections(p, digest);
	hex_text(digest, sizeof(digest), hex);
	patients_free(p);
}

static int
set_up(void **state)
{
	static char first[65], second[65], third[65], fourth[65], list[65];
	uint8_t secret[KEY_RAW];
	const uint8_t d1[32] = { 1 }, d2[32] = { 2 }, d3[32] = { 3 },
		      d4[32] = { 4 };
	struct key *k;
	struct audit *a;
	struct err err;

	(void)state;
	hex_text(d1, 32, first);
	hex_text(d2, 32, second);
	hex_text(d3, 32, third);
	if (mkdtemp(dir) == NULL || mkdir(path("patients"), 0700) < 0 ||
	    secret_create(path("pseudonym.key"), &err) < 0 ||
	    secret_load(path("pseudonym.key"), secret, &err) < 0 ||
	    (patients = patients_new("pid", secret, &err)) == NULL ||
	    (k = key_new(&err)) == NULL ||
	    (a = audit_open(path("audit.log"), k, &err)) == NULL)
		return -1;
	hex_text(key_public(k), KEY_PUBLIC, public_key);
	put_table("patients/rfs.1.ids", 1, "P-1", "P-2");
	put_table("patients/rfs.2.ids", 2, "P-2", "P-3");
	put_table("patients/los.3.ids", 3, "P-2", "P-4");
#define ADD(...) assert_int_equal(audit_event(a, &err, __VA_ARGS__, NULL), 0)
	ADD("prepared", "study", "rfs", "table", first);
	ADD("prepared", "study", "rfs", "table", second);
	ADD("approve", "study", "rfs", "table", second);
	ADD("upload", "study", "rfs", "round", "1");
	ADD("upload", "study", "rfs2", "round", "1");
	ADD("upload", "study", "rfs", "round", "2");
	/* What somebody has written is no field. */
	ADD("upload", "study", "rfs2", "purpose", "as in study=rfs table=x");
	ADD("prepared", "study", "los", "table", third);
	ADD("approve", "study", "los", "table", third);
	ADD("upload", "study", "los", "round", "1");
	ADD("revoke", "study", "los", "table", third);
	put_table("patients/obj.4.ids", 4, "P-5", "P-6");
	hex_text(d4, 32, fourth);
	list_digest("P-2\nP-8\n", list);
	ADD("prepared", "study", "obj", "table", fourth, "objections", "2",
	    "left-out", "3", "list", list);
	audit_close(a);
	key_free(k);
	return 0;
}

static int
tear_down(void **state)
{
	char command[300];

	(void)state;
	patients_free(patients);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* What it prints; its status is checked. */
static const char *
ask_for(const char *before, const char *what, const char *operand, int status)
{
	static char out[4096];
	char command[1024];
	FILE *f;
	size_t n;
	int rv;

	snprintf(command, sizeof(command),
	    "%s %s/ctl/consiliumctl audit %s --public-key %s --dir %s "
	    "--state %s %s 2>&1",
	    before, getenv("builddir"), what, public_key, dir, dir, operand);
	assert_non_null(f = popen(command, "r"));
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	rv = pclose(f);
	assert_int_equal(WEXITSTATUS(rv), status);
	return out;
}

static const char *
ask(const char *before, const char *patient, int status)
{
	return ask_for(before, "of", patient, status);
}

static size_t
lines(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

static void
every_table_of_a_patient_is_named(void **state)
{
	const char *out = ask("", "P-2", 0), *los, *first, *second;
	unsigned uploads;

	(void)state;
	assert_int_equal(lines(out), 4); /* a head, and three tables */
	los = strstr(out, "los ");
	first = strstr(out, "rfs ");
	assert_non_null(los);
	assert_non_null(first);
	second = strstr(first + 1, "rfs ");
	assert_non_null(second);
	assert_non_null(strstr(los, "taken back"));
	assert_non_null(strstr(first, "never"));
	assert_non_null(second = strstr(second, "stands"));
	/* Two uploads were of the second table, none of the first. */
	assert_int_equal(sscanf(second, "stands %u 02", &uploads), 1);
	assert_int_equal(uploads, 2);
	out = ask("", "P-1", 0);
	assert_int_equal(lines(out), 2);
	assert_non_null(strstr(out, "never"));
	assert_null(strstr(out, "P-1"));
}

static void
who_is_in_none_is_said_to_be_in_none(void **state)
{
	(void)state;
	assert_null(strstr(ask("", "P-9", 0), "rfs"));
	assert_null(strstr(ask("", "P", 0), "rfs"));
}

static void
standard_input_hides_who_is_asked_for(void **state)
{
	(void)state;
	assert_int_equal(lines(ask("echo P-3 |", "-", 0)), 2);
	assert_non_null(strstr(ask("</dev/null", "-", 1), "expected"));
}

/* One row of what "audit objections" prints. */
static void
assert_row(const char *out, const char *study, const char *cells)
{
	char line[256], want[128];
	const char *p = strstr(out, study);
	size_t n = 0;

	assert_non_null(p);
	for (; *p != '\n' && n < sizeof(line) - 1; p++) {
		if (*p != ' ' || line[n - 1] != ' ')
			line[n++] = *p;
	}
	line[n] = '\0';
	snprintf(want, sizeof(want), "Z %s ", cells);
	if (strstr(line, want) == NULL)
		fail_msg("no \"%s\" in \"%s\"", want, line);
}

/* In another order, and with a comment, it is the same list. */
static void
a_list_of_objections_is_proved(void **state)
{
	const char *list = path("refused"), *out;
	static const char text[] = "# refused\nP-8\r\nP-2\n",
			  longer[] = "P-8\nP-2\nP-5\n";
	struct err err;

	(void)state;
	assert_int_equal(
	    file_write(list, text, sizeof(text) - 1, 0600, &err), 0);
	out = ask_for("", "objections", list, 0);
	assert_int_equal(lines(out), 5);
	assert_row(out, "obj ", "this 2 3 0");
	/* Tables of before: nobody was left out, and one on it is in there. */
	assert_row(out, "los ", "none 1");
	assert_row(out, "rfs ", "none 1");
	assert_null(strstr(out, "P-"));
	/* Who was not on it then is in the table. */
	assert_int_equal(
	    file_write(list, longer, sizeof(longer) - 1, 0600, &err), 0);
	assert_row(ask_for("", "objections", list, 0), "obj ", "another 2 3 1");
	/* A table whose patients nobody knows any more. */
	unlink(path("patients/obj.4.ids"));
	assert_row(ask_for("", "objections", list, 0), "obj ", "another 2 3");
	assert_non_null(strstr(ask_for("", "objections", "none", 1), "none: "));
}

/* An altered log answers nothing. */
static void
a_log_that_is_not_whole_is_not_believed(void **state)
{
	char command[600];

	(void)state;
	snprintf(command, sizeof(command), "sed -i 's/los/lox/' %s",
	    path("audit.log"));
	assert_int_equal(system(command), 0);
	assert_non_null(strstr(ask("", "P-2", 1), "audit.log:8: altered"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_of_a_patient_is_named),
		cmocka_unit_test(who_is_in_none_is_said_to_be_in_none),
		cmocka_unit_test(standard_input_hides_who_is_asked_for),
		cmocka_unit_test(a_list_of_objections_is_proved),
		cmocka_unit_test(a_log_that_is_not_whole_is_not_believed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

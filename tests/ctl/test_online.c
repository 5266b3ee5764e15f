#include "tests/check.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "crypto/approval.h"
#include "crypto/hash.h"
#include "crypto/signed_report.h"
#include "ctl/ctl.h"
#include "ctl/report_files.h"
#include "ctl/rows.h"
#include "privsep/ctl_client.h"
#include "tests/faults/inside.h"

/*
 * A daemon made of this: what it holds, and what it was last sent.
 */
static struct {
	const char *json, *html; /* the report that it shows */
	struct canon sig;
	uint8_t study[HASH_LEN], report[HASH_LEN], table[HASH_LEN];
	struct err error; /* what it answers to the last command */
	char command[CTL_COMMAND_MAX], studied[CTL_STUDY_MAX];
	uint8_t body[4096];
	size_t body_len;
	bool knows_no_study;
} fake;

static void
answer_digests(struct ctl_reply *r)
{
	char hex[2 * HASH_LEN + 1];

	ctl_reply_column(r, "study");
	ctl_reply_column(r, "report");
	ctl_reply_column(r, "table");
	hex_text(fake.study, HASH_LEN, hex);
	ctl_reply_cell(r, "%s", hex);
	hex_text(fake.report, HASH_LEN, hex);
	ctl_reply_cell(r, "%s", hex);
	hex_text(fake.table, HASH_LEN, hex);
	ctl_reply_cell(r, "%s", hex);
}

/* As the true one: an answer for which memory was short is none. */
static int
answered(const struct ctl_reply *r, struct err *err)
{
	return r->failed ? err_sys(err, "control reply") : 0;
}

int
ctl_call(const char *socket_path, const char *command, const char *study,
    const void *body, size_t len, struct ctl_reply *reply, struct err *err)
{
	struct canon report = { 0 };

	assert_string_equal(socket_path, "sock");
	assert_true(len <= sizeof(fake.body));
	*reply = (struct ctl_reply){ 0 };
	if (strcmp(command, "digests") == 0) {
		answer_digests(reply);
		return answered(reply, err);
	}
	if (strcmp(command, "report") == 0) {
		canon_bytes(&report, fake.json, strlen(fake.json));
		canon_bytes(&report, fake.html, strlen(fake.html));
		canon_bytes(&report, fake.sig.data, fake.sig.len);
		ctl_reply_body(reply, &report);
		reply->failed |= report.failed;
		canon_free(&report);
		return answered(reply, err);
	}
	snprintf(fake.command, sizeof(fake.command), "%s", command);
	snprintf(fake.studied, sizeof(fake.studied), "%s",
	    study != NULL ? study : "");
	if (len != 0)
		memcpy(fake.body, body, len);
	fake.body_len = len;
	if (fake.error.code != ERR_NONE) {
		ctl_reply_error(reply, &fake.error);
		return 0;
	}
	ctl_reply_column(reply, "study");
	ctl_reply_column(reply, "status");
	if (fake.knows_no_study)
		return answered(reply, err);
	ctl_reply_cell(reply, "%s", "rfs");
	ctl_reply_cell(reply, "%s", "\"ready\"\n");
	return answered(reply, err);
}

static char dir[] = "/tmp/test_online.XXXXXX";
static char key_path[64], pass_path[64], out_path[64], json_path[64];
static char html_hash[2 * HASH_LEN + 1], json[512];
static struct key *site_key; /* signs the report */
static uint8_t officer[1][KEY_PUBLIC];

static int
set_up(void **state)
{
	uint8_t hash[HASH_LEN];
	struct err err;
	struct key *k;

	(void)state;
	if (mkdtemp(dir) == NULL || (k = key_new(&err)) == NULL)
		return -1;
	snprintf(key_path, sizeof(key_path), "%s/officer.key", dir);
	snprintf(pass_path, sizeof(pass_path), "%s/pass", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	snprintf(json_path, sizeof(json_path), "%s/out/report.json", dir);
	memcpy(officer[0], key_public(k), KEY_PUBLIC);
	if (key_save(k, key_path, "passphrase", &err) < 0 ||
	    file_write(pass_path, "passphrase\n", 11, 0600, &err) < 0)
		return -1;
	key_free(k);
	hash_sha256("<html>", 6, hash);
	hex_text(hash, sizeof(hash), html_hash);
	snprintf(json, sizeof(json),
	    "{\"format\": \"consilium-report\", \"site\": \"berlin\", "
	    "\"study\": {\"name\": \"rfs\", \"digest\": \"%064d\"}, "
	    "\"table_digest\": \"%064d\", \"html_digest\": \"%s\"}",
	    0, 0, html_hash);
	return (site_key = key_new(&err)) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	key_free(site_key);
	canon_free(&fake.sig);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* An honest daemon again. */
static int
reset(void **state)
{
	struct signed_report r = { 0 };
	struct err err;

	(void)state;
	canon_free(&fake.sig);
	memset(&fake, 0, sizeof(fake));
	fake.json = json;
	fake.html = "<html>";
	memset(fake.study, 1, HASH_LEN);
	memset(fake.table, 3, HASH_LEN);
	hash_sha256(json, strlen(json), fake.report);
	memcpy(r.report, fake.report, HASH_LEN);
	return signed_report_sign(&r, site_key, &fake.sig, &err);
}

static struct ctl_args
args(const char *command)
{
	struct ctl_args a = { .command = command, .operand = "rfs" };

	a.opt[CTL_SOCKET] = "sock";
	a.opt[CTL_KEY] = key_path;
	a.opt[CTL_PASSPHRASE_FILE] = pass_path;
	a.opt[CTL_OUT] = out_path;
	return a;
}

static void
an_approval_says_what_the_officer_saw(void **state)
{
	struct ctl_args a = args("approve");
	struct approval got;
	struct err err;

	(void)state;
	assert_int_equal(ctl_decide(&a, &err), 0);
	assert_string_equal(fake.command, "approve");
	assert_string_equal(fake.studied, "rfs");
	assert_int_equal(
	    approval_open(fake.body, fake.body_len,
		(const uint8_t(*)[KEY_PUBLIC])officer, 1, &got, &err),
	    0);
	assert_int_equal(got.verdict, APPROVAL_APPROVE);
	assert_memory_equal(got.study, fake.study, HASH_LEN);
	assert_memory_equal(got.report, fake.report, HASH_LEN);
	assert_memory_equal(got.table, fake.table, HASH_LEN);
	a.command = "revoke";
	assert_int_equal(ctl_decide(&a, &err), 0);
	assert_int_equal(
	    approval_open(fake.body, fake.body_len,
		(const uint8_t(*)[KEY_PUBLIC])officer, 1, &got, &err),
	    0);
	assert_int_equal(got.verdict, APPROVAL_REVOKE);
}

static void
a_report_that_is_not_the_signed_one_is_not_approved(void **state)
{
	struct ctl_args a = args("approve");
	char other[600];
	struct err err;

	(void)state;
	snprintf(other, sizeof(other), "%s ", json);
	fake.json = other;
	assert_int_equal(ctl_decide(&a, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	fake.json = json;
	fake.html = "<html><p>";
	assert_int_equal(ctl_decide(&a, &err), -1);
	assert_non_null(strstr(err.msg, "report.html is not the one"));
	assert_string_equal(fake.command, ""); /* nothing was sent */
}

static void
only_the_report_that_was_read_is_approved(void **state)
{
	struct ctl_args a = args("report");
	char newer[600];
	struct err err;

	(void)state;
	assert_int_equal(ctl_report(&a, &err), 0);
	a.command = "approve";
	a.opt[CTL_REPORT] = json_path;
	assert_int_equal(ctl_decide(&a, &err), 0);
	/* The table was made again meanwhile. */
	fake.command[0] = '\0';
	snprintf(newer, sizeof(newer), "{\"newer\": \"%s\"}", html_hash);
	fake.json = newer;
	hash_sha256(newer, strlen(newer), fake.report);
	assert_int_equal(ctl_decide(&a, &err), -1);
	assert_non_null(strstr(err.msg, "read it again"));
	assert_string_equal(fake.command, "");
	a.opt[CTL_REPORT] = NULL;
	assert_int_equal(ctl_decide(&a, &err), 0);
}

/* Is the report in the folder refused, for this reason? */
static void
not_verified(const char *why)
{
	struct ctl_args a = args("report verify");
	char key[2 * KEY_PUBLIC + 1];
	struct err err;

	hex_text(key_public(site_key), KEY_PUBLIC, key);
	a.opt[CTL_PUBLIC_KEY] = key;
	a.operand = out_path;
	assert_int_equal(ctl_report_verify(&a, &err), -1);
	if (strstr(err.msg, why) == NULL)
		fail_msg("%s: not in: %s", why, err.msg);
	assert_null(strchr(err.msg, '\n'));
}

/* The file of the folder with a byte changed, and without its last one. */
static void
spoil(enum report_file f, size_t at, const char *why)
{
	char path[128];
	struct err err;
	uint8_t *data;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", out_path, report_files[f]);
	data = file_read(path, REPORT_FILE_MAX, &len, &err);
	assert_non_null(data);
	data[at] ^= 1;
	assert_int_equal(file_write(path, data, len, 0600, &err), 0);
	not_verified(why);
	data[at] ^= 1;
	assert_int_equal(file_write(path, data, len - 1, 0600, &err), 0);
	not_verified(f == REPORT_SIG ? report_files[f] : why);
	assert_int_equal(file_write(path, data, len, 0600, &err), 0);
	free(data);
}

static void
a_report_that_the_site_did_not_make_is_told(void **state)
{
	struct ctl_args a = args("report"), verify = args("report verify");
	struct signed_report r = { 0 };
	char key[2 * KEY_PUBLIC + 1];
	struct key *other;
	struct err err;

	(void)state;
	hex_text(key_public(site_key), KEY_PUBLIC, key);
	verify.opt[CTL_PUBLIC_KEY] = key;
	verify.operand = out_path;
	assert_int_equal(ctl_report(&a, &err), 0);
	assert_int_equal(ctl_report_verify(&verify, &err), 0);
	spoil(REPORT_JSON, 30, "report.json: is not the report that was");
	spoil(REPORT_HTML, 0, "report.html: is not the one that report.json");
	for (size_t at = 0; at < fake.sig.len; at++)
		spoil(REPORT_SIG, at, "report.sig");
	assert_int_equal(ctl_report_verify(&verify, &err), 0);
	/* The same report, signed by another site; then of another table. */
	other = key_new(&err);
	assert_non_null(other);
	memcpy(r.report, fake.report, HASH_LEN);
	canon_free(&fake.sig);
	assert_int_equal(signed_report_sign(&r, other, &fake.sig, &err), 0);
	key_free(other);
	assert_int_equal(ctl_report(&a, &err), 0);
	not_verified("of another site, with the key ");
	r.table[0] = 1;
	canon_free(&fake.sig);
	assert_int_equal(signed_report_sign(&r, site_key, &fake.sig, &err), 0);
	assert_int_equal(ctl_report(&a, &err), 0);
	not_verified("names another study or table");
}

static void
a_wrong_passphrase_signs_nothing(void **state)
{
	struct ctl_args a = args("approve");
	struct err err;

	(void)state;
	assert_int_equal(
	    file_write(pass_path, "Passphrase\n", 11, 0600, &err), 0);
	assert_int_equal(ctl_decide(&a, &err), -1);
	assert_non_null(strstr(err.msg, "wrong passphrase"));
	assert_string_equal(fake.command, "");
	assert_int_equal(
	    file_write(pass_path, "passphrase\n", 11, 0600, &err), 0);
}

static void
a_daemons_refusal_is_the_commands(void **state)
{
	struct ctl_args a = args("prepare");
	struct err err;

	(void)state;
	err_set(&fake.error, ERR_REFUSED, "study rfs: k = 2, expected 5");
	assert_int_equal(ctl_ask(&a, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_string_equal(err.msg, "study rfs: k = 2, expected 5");
	assert_string_equal(fake.command, "prepare");
}

static void
a_study_that_is_not_there_has_no_status(void **state)
{
	struct ctl_args a = args("status");
	struct err err;

	(void)state;
	assert_int_equal(ctl_ask(&a, &err), 0);
	fake.knows_no_study = true;
	assert_int_equal(ctl_ask(&a, &err), -1);
	assert_string_equal(err.msg, "no study of the name rfs here");
	a.operand = NULL; /* all of none */
	assert_int_equal(ctl_ask(&a, &err), 0);
}

static void
only_manifests_and_studies_are_submitted(void **state)
{
	struct canon object = { 0 };
	struct err err;
	struct key *k = key_new(&err);
	struct ctl_args a = args("submit");
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/object", dir);
	a.operand = path;
	assert_int_equal(signed_make(k, "welcome", "x", 1, &object, &err), 0);
	assert_int_equal(
	    file_write(path, object.data, object.len, 0600, &err), 0);
	assert_int_equal(ctl_submit(&a, &err), -1);
	assert_non_null(strstr(err.msg, "expected a manifest or a study"));
	assert_int_equal(file_write(path, "[study]", 7, 0600, &err), 0);
	assert_int_equal(ctl_submit(&a, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_string_equal(fake.command, "");
	object.len = 0;
	assert_int_equal(signed_make(k, "study", "x", 1, &object, &err), 0);
	assert_int_equal(
	    file_write(path, object.data, object.len, 0600, &err), 0);
	assert_int_equal(ctl_submit(&a, &err), 0);
	assert_string_equal(fake.command, "submit");
	assert_string_equal(fake.studied, "");
	assert_int_equal(fake.body_len, object.len);
	assert_memory_equal(fake.body, object.data, object.len);
	canon_free(&object);
	key_free(k);
}

/* What rows_print() prints; the caller frees it. */
static char *
printed(bool as_json)
{
	static const char *const columns[] = { "study", "n", "why" };
	static const char *const cells[] = { "rfs", "1250", "", "größe", "7",
		"\"a\nb\"" };
	int out = dup(STDOUT_FILENO);
	struct err err;
	char path[64], *text;
	size_t len;

	snprintf(path, sizeof(path), "%s/printed", dir);
	fflush(stdout);
	assert_non_null(freopen(path, "w", stdout));
	assert_int_equal(rows_print(columns, 3, cells, 6, as_json, &err), 0);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	text = (char *)file_read(path, 4096, &len, &err);
	assert_non_null(text);
	return text;
}

static void
rows_are_aligned_or_json(void **state)
{
	char *text = printed(false);

	(void)state;
	assert_string_equal(text,
	    "study  n     why\n"
	    "rfs    1250  \n"
	    "größe  7     \"a?b\"\n");
	free(text);
	text = printed(true);
	assert_non_null(strstr(text, "\"n\": \"1250\""));
	assert_non_null(strstr(text, "\"why\": \"\\\"a\\u000ab\\\"\""));
	assert_int_equal(text[0], '[');
	free(text);
}

/*
 * Faults
 */

struct asked {
	ctl_fn *fn;
	struct ctl_args args;
};

static int
ask(void *self, struct err *err)
{
	struct asked *x = self;
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int shown = dup(STDOUT_FILENO), rv;

	if (nowhere < 0 || shown < 0) {
		/* The test's own; a fault, too. */
		rv = err_sys(err, "open /dev/null");
	} else {
		fflush(stdout);
		dup2(nowhere, STDOUT_FILENO);
		rv = x->fn(&x->args, err);
		fflush(stdout);
		dup2(shown, STDOUT_FILENO);
	}
	if (nowhere >= 0)
		close(nowhere);
	if (shown >= 0)
		close(shown);
	ctl_paths_free();
	return rv;
}

static void
nothing_was_sent(void *self)
{
	const struct asked *x = self;

	if (x->fn == ctl_decide)
		assert_string_equal(fake.command, "");
	fake.command[0] = '\0';
}

/* What is half done is neither sent to the daemon nor said to be done. */
static void
commands_fail_at_each_of_their_calls(void **state)
{
	char key[2 * KEY_PUBLIC + 1];
	struct asked report = { ctl_report, args("report") };
	struct asked verify = { ctl_report_verify, args("report verify") };
	struct asked ask_it = { ctl_ask, args("prepare") };
	struct asked approve = { ctl_decide, args("approve") };

	(void)state;
	hex_text(key_public(site_key), KEY_PUBLIC, key);
	verify.args.opt[CTL_PUBLIC_KEY] = key;
	verify.args.operand = out_path;
	approve.args.opt[CTL_REPORT] = json_path;
	every_fault(INSIDE_MEMORY, ask, &report, nothing_was_sent);
	every_fault(INSIDE_FILES, ask, &report, nothing_was_sent);
	every_fault(INSIDE_MEMORY, ask, &verify, NULL);
	every_fault(INSIDE_FILES, ask, &verify, NULL);
	every_fault(INSIDE_MEMORY, ask, &ask_it, NULL);
	ask_it.args.json = true;
	every_fault(INSIDE_MEMORY, ask, &ask_it, NULL);
	fake.command[0] = '\0';
	every_fault(INSIDE_FILES, ask, &approve, nothing_was_sent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    an_approval_says_what_the_officer_saw, reset),
		cmocka_unit_test_setup(
		    a_report_that_is_not_the_signed_one_is_not_approved, reset),
		cmocka_unit_test_setup(
		    only_the_report_that_was_read_is_approved, reset),
		cmocka_unit_test_setup(
		    a_report_that_the_site_did_not_make_is_told, reset),
		cmocka_unit_test_setup(a_wrong_passphrase_signs_nothing, reset),
		cmocka_unit_test_setup(
		    a_study_that_is_not_there_has_no_status, reset),
		cmocka_unit_test_setup(
		    a_daemons_refusal_is_the_commands, reset),
		cmocka_unit_test_setup(
		    only_manifests_and_studies_are_submitted, reset),
		cmocka_unit_test(rows_are_aligned_or_json),
		cmocka_unit_test_setup(
		    commands_fail_at_each_of_their_calls, reset),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

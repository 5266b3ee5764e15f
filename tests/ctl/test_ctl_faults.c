/*
 * consiliumctl's commands when memory or files fail at each of their calls: the
 * whole enrolment of a consortium, its studies, a site's audit log and records.
 * What failed is said, leaves no memory behind, and nothing that would be in
 * the way of the same command, given again.
 */
#include "tests/check.h"

#include <dirent.h>
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
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/keyfile.h"
#include "ctl/ctl.h"
#include "tests/faults/inside.h"

static char dir[] = "/tmp/test_ctl_faults.XXXXXX";
static int nowhere;

struct command {
	ctl_fn *fn;
	const char *operand;
	struct {
		enum ctl_opt opt;
		const char *value;
	} opts[6];
};

static int
run(void *self, struct err *err)
{
	const struct command *c = self;
	struct ctl_args a = { .operand = c->operand, .command = "test" };
	int shown, rv;

	for (size_t i = 0; i < nitems(c->opts); i++)
		if (c->opts[i].value != NULL)
			a.opt[c->opts[i].opt] = c->opts[i].value;
	fflush(stdout);
	shown = dup(STDOUT_FILENO);
	dup2(nowhere, STDOUT_FILENO);
	rv = c->fn(&a, err);
	fflush(stdout);
	dup2(shown, STDOUT_FILENO);
	close(shown);
	ctl_paths_free();
	return rv;
}

static void
shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

/*
 * Not given again over what it has left: keys are never overwritten, and who is
 * on the list by its new keys cannot be replaced by them (only join again).
 */
static bool
is_once(const struct command *c)
{
	return c->fn == ctl_root_init || c->fn == ctl_coordinator_init ||
	    c->fn == ctl_site_init || c->fn == ctl_officer_init ||
	    (c->fn == ctl_join && c->opts[2].value != NULL);
}

static void
as_before(void *self)
{
	(void)self;
	shell("find . -mindepth 1 -delete && cp -a ../before/. .");
}

/* The folder is as the command, done, leaves it. */
static void
fails_everywhere(const struct command *c)
{
	void (*between)(void *) = is_once(c) ? as_before : NULL;
	struct command own = *c;

	shell("rm -rf ../before && cp -a . ../before");
	if (c->fn != ctl_audit_show) /* it asks for none */
		every_fault(INSIDE_MEMORY, run, &own, between);
	as_before(NULL);
	every_fault(INSIDE_FILES, run, &own, between);
}

static void
all_fail_everywhere(const struct command *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fails_everywhere(&c[i]);
}

static void
put(const char *path, const char *text, mode_t mode)
{
	struct err err;

	assert_int_equal(file_write(path, text, strlen(text), mode, &err), 0);
}

static int
set_up(void **state)
{
	char work[64];

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(work, sizeof(work), "%s/work", dir);
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return mkdir(work, 0700) < 0 || chdir(work) < 0 || nowhere < 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	if (chdir("/") < 0)
		return -1;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static char root_key[KEY_PUBLIC_TEXT], site_key[KEY_PUBLIC_TEXT];

static void
read_key(const char *path, char key[KEY_PUBLIC_TEXT])
{
	uint8_t pk[KEY_PUBLIC];
	struct err err;

	assert_int_equal(key_public_load(path, pk, &err), 0);
	hex_text(pk, KEY_PUBLIC, key);
}

static void
does(const struct command *c)
{
	struct command own = *c;
	struct err err;

	if (run(&own, &err) != 0)
		fail_msg("%s", err.msg);
}

static void
enrolment(void **state)
{
	static const struct command root = { ctl_root_init, NULL,
		{ { CTL_DIR, "root" }, { CTL_CONSORTIUM, "heart" },
		    { CTL_NO_PASSPHRASE, "" } } };
	static const struct command others[] = {
		{ ctl_site_init, NULL,
		    { { CTL_DIR, "b" }, { CTL_NAME, "b" } } },
		{ ctl_site_init, NULL,
		    { { CTL_DIR, "c" }, { CTL_NAME, "c" } } },
	};
	static const struct command faulty[] = {
		{ ctl_coordinator_init, NULL,
		    { { CTL_DIR, "hub" }, { CTL_NAME, "hub" },
			{ CTL_HOST, "hub.example" } } },
		{ ctl_site_init, NULL,
		    { { CTL_DIR, "a" }, { CTL_NAME, "a" } } },
		{ ctl_join, "hub/request",
		    { { CTL_ROOT, "root" }, { CTL_OUT, "hub/welcome" } } },
		{ ctl_join, "a/request",
		    { { CTL_ROOT, "root" }, { CTL_OUT, "a/welcome" } } },
		{ ctl_welcome, "a/welcome",
		    { { CTL_DIR, "a" }, { CTL_ROOT_KEY, root_key } } },
		{ ctl_certificates_check, NULL, { { CTL_DIR, "a" } } },
		{ ctl_officer_init, NULL,
		    { { CTL_KEY, "officer.key" },
			{ CTL_PASSPHRASE_FILE, "pass" } } },
	};
	static const struct command joins[] = {
		{ ctl_join, "b/request",
		    { { CTL_ROOT, "root" }, { CTL_OUT, "b/welcome" } } },
		{ ctl_join, "c/request",
		    { { CTL_ROOT, "root" }, { CTL_OUT, "c/welcome" } } },
	};
	static const struct command manifest = { ctl_manifest_sign, NULL,
		{ { CTL_ROOT, "root" }, { CTL_OUT, "manifest" },
		    { CTL_HONEST_MIN, "2" }, { CTL_CORRUPTED, "1" },
		    { CTL_SUITES, "aes-256-ctr,chacha20" } } };

	(void)state;
	put("pass", "a passphrase of some length\n", 0600);
	fails_everywhere(&root);
	read_key("root/root.pub", root_key);
	for (size_t i = 0; i < nitems(others); i++)
		does(&others[i]);
	all_fail_everywhere(faulty, nitems(faulty));
	for (size_t i = 0; i < nitems(joins); i++)
		does(&joins[i]);
	fails_everywhere(&manifest);
}

#define STUDY_HEAD                                                             \
	"[study]\nname = test\ntitle = t\npurpose = p\nlegal-basis = l\n"      \
	"ethics = e\ncontact = c\nexpires = 2099-12-31\n"                      \
	"[model]\nkind = logistic\noutcome = ill\n"                            \
	"[privacy]\nk = 2\nsuppression-limit = 0.2\ncohort = fixed\n"          \
	"population = 5000\n"
#define STUDY_COLUMNS                                                          \
	"[column ill]\ntype = levels\nlevels = no, yes\nprivacy = sensitive\n" \
	"use = outcome\ndiversity = distinct 2\n"                              \
	"[column age]\ntype = integer\nrange = 0..99\n"                        \
	"privacy = quasi-identifier\nlevel = 0\nuse = feature\n"               \
	"[hierarchy age]\nlevel-1 = cut 0 50 99\n"                             \
	"[column land]\ntype = levels\nlevels = AT, DE, FR, IT\n"              \
	"privacy = quasi-identifier\nlevel = 0\n"                              \
	"[hierarchy land]\n"                                                   \
	"level-1 = group \"german\": AT, DE; \"latin\": FR, IT\n"

static void
studies(void **state)
{
	static const struct command commands[] = {
		{ ctl_study_check, "test.study", { { CTL_ROWS, "9,9,9" } } },
		{ ctl_study_check, "test.study",
		    { { CTL_FEASIBILITY, "result.json" } } },
		{ ctl_study_feasibility, "test.study",
		    { { CTL_OUT, "small.study" } } },
		{ ctl_study_sign, "test.study",
		    { { CTL_ROOT, "root" }, { CTL_OUT, "signed" } } },
		{ ctl_study_sign, "test.study",
		    { { CTL_ROOT, "root" }, { CTL_OUT, "signed" },
			{ CTL_SITES, "a,b,c" } } },
		{ ctl_study_init, "table.csv",
		    { { CTL_OUT, "new.study" }, { CTL_NAME, "new" },
			{ CTL_KIND, "logistic" }, { CTL_OUTCOME, "ill" } } },
		{ ctl_study_hierarchy, "land.csv", { { CTL_NAME, "land" } } },
		{ ctl_study_hierarchy, "icd10",
		    { { CTL_NAME, "code" }, { CTL_ICD10, "" } } },
		{ ctl_study_hierarchy, "codes",
		    { { CTL_NAME, "test" }, { CTL_LOINC, "Loinc.csv" } } },
		{ ctl_study_recode, "test.study",
		    { { CTL_CSV, "table.csv" }, { CTL_COUNTS, "counts" } } },
		{ ctl_study_recode, "local.study",
		    { { CTL_CSV, "table.csv" } } },
		{ ctl_study_recode, "test.study",
		    { { CTL_OUT, "counting.study" } } },
	};

	(void)state;
	put("test.study", STUDY_HEAD STUDY_COLUMNS, 0600);
	put("local.study", STUDY_HEAD "recoding = local\n" STUDY_COLUMNS, 0600);
	put("result.json",
	    "{ \"kind\": \"feasibility\", \"sites\": 3, \"n\": 212, "
	    "\"eligible\": 150, \"eligible_at_most\": 150, \"events\": 4, "
	    "\"columns\": [ { \"name\": \"age\", \"missing\": 62 } ] }",
	    0600);
	put("table.csv",
	    "ill,age,land\nno,20,AT\nyes,30,DE\nno,25,AT\nyes,25,DE\n"
	    "no,70,FR\nyes,71,IT\nno,72,FR\nyes,73,FR\nyes,10,IT\n",
	    0600);
	put("land.csv", "AT;german;*\nDE;german;*\nFR;latin;*\nIT;latin;*\n",
	    0600);
	put("icd10", "I21.0\nI21.9\nI50\nC50.9\n", 0600);
	put("codes", "2345-7\n718-7\n", 0600);
	put("Loinc.csv",
	    "\"LOINC_NUM\",\"COMPONENT\",\"CLASS\",\"CLASSTYPE\"\n"
	    "\"718-7\",\"a\",\"HEM/BC\",\"1\"\n"
	    "\"2345-7\",\"b\",\"CHEM\",\"1\"\n",
	    0600);
	all_fail_everywhere(commands, nitems(commands));
}

/* A site's state: a log of what it did, and who was in which table. */
static void
make_state(void)
{
	uint8_t ids[1][PATIENTS_ID], table[32] = { 1 }, secret[KEY_RAW];
	struct canon out = { 0 };
	struct patients *p;
	struct audit *log;
	char digest[65];
	struct key *k;
	struct err err;

	assert_int_equal(mkdir("state", 0700), 0);
	assert_int_equal(mkdir("state/patients", 0700), 0);
	assert_int_equal(secret_load("a/pseudonym.key", secret, &err), 0);
	assert_non_null(p = patients_new("pid", secret, &err));
	patients_id(p, "P-1", 3, ids[0]);
	patients_write(ids, 1, table, &out);
	assert_int_equal(file_write("state/patients/rfs.1.ids", out.data,
			     out.len, 0600, &err),
	    0);
	canon_free(&out);
	patients_free(p);
	hex_text(table, sizeof(table), digest);
	assert_non_null(k = key_load("a/identity.key", NULL, &err));
	hex_text(key_public(k), KEY_PUBLIC, site_key);
	assert_non_null(log = audit_open("state/audit.log", k, &err));
	assert_int_equal(audit_event(log, &err, "prepared", "study", "rfs",
			     "table", digest, NULL),
	    0);
	assert_int_equal(audit_event(log, &err, "approve", "study", "rfs",
			     "table", digest, "why", "\"a\" 100%", NULL),
	    0);
	assert_int_equal(audit_event(log, &err, "upload", "study", "rfs",
			     "round", "1", NULL),
	    0);
	audit_close(log);
	key_free(k);
}

static void
records(void **state)
{
	static const struct command commands[] = {
		{ ctl_audit_show, "state/audit.log",
		    { { CTL_PUBLIC_KEY, site_key } } },
		{ ctl_audit_export, "state/audit.log",
		    { { CTL_PUBLIC_KEY, site_key } } },
		{ ctl_audit_of, "P-1",
		    { { CTL_PUBLIC_KEY, site_key }, { CTL_DIR, "a" },
			{ CTL_STATE, "state" } } },
		{ ctl_audit_objections, "refused",
		    { { CTL_PUBLIC_KEY, site_key }, { CTL_DIR, "a" },
			{ CTL_STATE, "state" } } },
	};

	(void)state;
	make_state();
	put("refused", "P-1\n", 0600);
	all_fail_everywhere(commands, nitems(commands));
}

static void
successors(void **state)
{
	static const struct command commands[] = {
		{ ctl_site_reset, NULL,
		    { { CTL_DIR, "a" }, { CTL_STATE, "state" } } },
		{ ctl_join, "a/request",
		    { { CTL_ROOT, "root" }, { CTL_OUT, "a/welcome" },
			{ CTL_REPLACE, "" } } },
		{ ctl_root_rotate, NULL, { { CTL_ROOT, "root" } } },
		{ ctl_manifest_sign, NULL,
		    { { CTL_ROOT, "root" }, { CTL_OUT, "manifest" } } },
		{ ctl_root_adopt, "manifest", { { CTL_DIR, "a" } } },
	};

	(void)state;
	all_fail_everywhere(commands, nitems(commands));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enrolment),
		cmocka_unit_test(studies),
		cmocka_unit_test(records),
		cmocka_unit_test(successors),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

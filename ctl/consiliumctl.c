/*
 * consiliumctl: what an operator, a privacy officer and the consortium's root
 * do by hand.  One table holds all commands and makes the help.
 */
#include "config.h"

#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/macros.h"
#include "privsep/ctl_client.h"

#define WORDS_MAX 2 /* of a command's name */

static const struct option {
	const char *name, *value;
} options[CTL_OPTS] = {
	[CTL_CHAIN] = { "chain", NULL },
	[CTL_CHECKPOINT] = { "checkpoint", "FILE" },
	[CTL_CONSORTIUM] = { "consortium", "NAME" },
	[CTL_COORDINATOR_KEY] = { "coordinator-key", "KEY" },
	[CTL_CORRUPTED] = { "corrupted", "N" },
	[CTL_COUNTS] = { "counts", "FILE" },
	[CTL_CSV] = { "csv", "FILE" },
	[CTL_DIR] = { "dir", "DIR" },
	[CTL_EPOCH] = { "epoch", "N" },
	[CTL_EVENT] = { "event", "COLUMN" },
	[CTL_EXPECT] = { "expect", "COUNT[:HASH]" },
	[CTL_FEASIBILITY] = { "feasibility", "RESULT" },
	[CTL_HONEST_MIN] = { "honest-min", "N" },
	[CTL_HOST] = { "host", "HOST" },
	[CTL_ICD10] = { "icd10", NULL },
	[CTL_K] = { "k", "N" },
	[CTL_KEY] = { "key", "FILE" },
	[CTL_KIND] = { "kind", "KIND" },
	[CTL_LOINC] = { "loinc", "FILE" },
	[CTL_NAME] = { "name", "NAME" },
	[CTL_NO_PASSPHRASE] = { "no-passphrase", NULL },
	[CTL_OUT] = { "out", "PATH" },
	[CTL_OUTCOME] = { "outcome", "COLUMN" },
	[CTL_PASSPHRASE_FILE] = { "passphrase-file", "FILE" },
	[CTL_PUBLIC_KEY] = { "public-key", "KEY" },
	[CTL_REPLACE] = { "replace", NULL },
	[CTL_REPORT] = { "report", "FILE" },
	[CTL_RESULT] = { "result", "RESULT" },
	[CTL_ROOT] = { "root", "DIR" },
	[CTL_ROOT_KEY] = { "root-key", "KEY" },
	[CTL_ROUND] = { "round", "N" },
	[CTL_ROWS] = { "rows", "N,N,..." },
	[CTL_SITES] = { "sites", "A,B,C" },
	[CTL_SOCKET] = { "socket", "SOCKET" },
	[CTL_STATE] = { "state", "DIR" },
	[CTL_SUITES] = { "suites", "A,B" },
	[CTL_TIME] = { "time", "COLUMN" },
};

#define OPT(o) (UINT64_C(1) << CTL_##o)
#define AUDIT_TAKES (OPT(EXPECT) | OPT(CHECKPOINT) | OPT(COORDINATOR_KEY))

enum operand { NO_OPERAND, OPERAND, MAY_OPERAND };

static const struct command {
	const char *name;
	ctl_fn *fn;
	uint64_t needs, takes; /* options */
	enum operand operand;
	const char *operand_name;
	bool json;
	const char *help;
} commands[] = {
	{ "root init", ctl_root_init, OPT(DIR) | OPT(CONSORTIUM),
	    OPT(PASSPHRASE_FILE) | OPT(NO_PASSPHRASE), NO_OPERAND, NULL, false,
	    "make a consortium's root and CA keys" },
	{ "root rotate", ctl_root_rotate, OPT(ROOT), OPT(PASSPHRASE_FILE),
	    NO_OPERAND, NULL, false,
	    "root: make the next root's key, and have this one sign it" },
	{ "root adopt", ctl_root_adopt, OPT(DIR), 0, OPERAND, "MANIFEST", false,
	    "member: pin the root that the pinned one has handed over to" },
	{ "coordinator init", ctl_coordinator_init,
	    OPT(DIR) | OPT(NAME) | OPT(HOST), 0, NO_OPERAND, NULL, false,
	    "make a coordinator's keys and its request to join" },
	{ "site init", ctl_site_init, OPT(DIR) | OPT(NAME), 0, NO_OPERAND, NULL,
	    false, "make a site's keys and its request to join" },
	{ "certificates check", ctl_certificates_check, OPT(DIR), 0, NO_OPERAND,
	    NULL, false, "member: is the TLS certificate good for 30 days" },
	{ "site reset", ctl_site_reset, OPT(DIR) | OPT(STATE), 0, NO_OPERAND,
	    NULL, false,
	    "make a site's next keys, and its request to join with them" },
	{ "officer init", ctl_officer_init, OPT(KEY), OPT(PASSPHRASE_FILE),
	    NO_OPERAND, NULL, false, "make a privacy officer's key" },
	{ "join", ctl_join, OPT(ROOT) | OPT(OUT),
	    OPT(PASSPHRASE_FILE) | OPT(REPLACE), OPERAND, "REQUEST", false,
	    "root: let a member in, issue its certificate" },
	{ "welcome", ctl_welcome, OPT(DIR), OPT(ROOT_KEY), OPERAND, "WELCOME",
	    false, "member: install what the root answered" },
	{ "manifest sign", ctl_manifest_sign, OPT(ROOT) | OPT(OUT),
	    OPT(CORRUPTED) | OPT(HONEST_MIN) | OPT(EPOCH) | OPT(SUITES) |
		OPT(PASSPHRASE_FILE),
	    NO_OPERAND, NULL, false, "root: sign who belongs to it" },
	{ "study init", ctl_study_init, OPT(OUT),
	    OPT(NAME) | OPT(K) | OPT(KIND) | OPT(TIME) | OPT(EVENT) |
		OPT(OUTCOME),
	    OPERAND, "CSV", false,
	    "write a study's skeleton from a table's header" },
	{ "study check", ctl_study_check, 0, OPT(FEASIBILITY) | OPT(ROWS),
	    OPERAND, "FILE", false,
	    "check a study's file, say what it means and what would fail" },
	{ "study feasibility", ctl_study_feasibility, OPT(OUT), OPT(NAME),
	    OPERAND, "FILE", false,
	    "make a small study that counts who could take part" },
	{ "study hierarchy", ctl_study_hierarchy, OPT(NAME),
	    OPT(ICD10) | OPT(LOINC), OPERAND, "FILE", false,
	    "print a hierarchy's file as a study's column and hierarchy" },
	{ "study recode", ctl_study_recode, 0,
	    OPT(CSV) | OPT(COUNTS) | OPT(RESULT) | OPT(OUT) | OPT(NAME),
	    OPERAND, "FILE", false,
	    "find the levels that lose least and keep the study's rules" },
	{ "study sign", ctl_study_sign, OPT(ROOT) | OPT(OUT),
	    OPT(SITES) | OPT(PASSPHRASE_FILE), OPERAND, "FILE", false,
	    "root: sign a study for its sites" },
	{ "audit verify", ctl_audit_verify, OPT(PUBLIC_KEY), AUDIT_TAKES,
	    OPERAND, "FILE", false, "check an audit log" },
	{ "audit show", ctl_audit_show, OPT(PUBLIC_KEY), AUDIT_TAKES, OPERAND,
	    "FILE", false, "check an audit log and print what it says" },
	{ "audit export", ctl_audit_export, OPT(PUBLIC_KEY), AUDIT_TAKES,
	    OPERAND, "FILE", false, "check an audit log and print it as JSON" },
	{ "report verify", ctl_report_verify, OPT(PUBLIC_KEY), 0, OPERAND,
	    "DIR", false, "check a report that \"report\" has written" },
	{ "audit of", ctl_audit_of, OPT(PUBLIC_KEY) | OPT(DIR) | OPT(STATE), 0,
	    OPERAND, "PATIENT", true,
	    "site: in which studies a patient's rows were used" },
	{ "audit objections", ctl_audit_objections,
	    OPT(PUBLIC_KEY) | OPT(DIR) | OPT(STATE), 0, OPERAND, "LIST", true,
	    "site: show which tables a list of objections was applied to" },
	{ "audit replay", ctl_audit_replay, OPT(ROOT_KEY), OPT(OUT), OPERAND,
	    "TRANSCRIPT", true, "repeat a study's rounds, as an outsider" },
	{ "submit", ctl_submit, 0, OPT(SOCKET), OPERAND, "FILE", true,
	    "coordinator: hand in a signed manifest or study" },
	{ "prepare", ctl_ask, 0, OPT(SOCKET), OPERAND, "STUDY", true,
	    "site: make the study's anonymized table and its report" },
	{ "report", ctl_report, OPT(OUT), OPT(SOCKET), OPERAND, "STUDY", true,
	    "site: write the table's report to a folder" },
	{ "reports", ctl_ask, 0, OPT(SOCKET), NO_OPERAND, NULL, true,
	    "site: what waits for the privacy officer" },
	{ "approve", ctl_decide, OPT(KEY),
	    OPT(SOCKET) | OPT(PASSPHRASE_FILE) | OPT(REPORT), OPERAND, "STUDY",
	    true, "privacy officer: let the table take part" },
	{ "refuse", ctl_decide, OPT(KEY), OPT(SOCKET) | OPT(PASSPHRASE_FILE),
	    OPERAND, "STUDY", true, "privacy officer: do not let it" },
	{ "revoke", ctl_decide, OPT(KEY), OPT(SOCKET) | OPT(PASSPHRASE_FILE),
	    OPERAND, "STUDY", true, "privacy officer: take an approval back" },
	{ "status", ctl_ask, 0, OPT(SOCKET), MAY_OPERAND, "STUDY", true,
	    "what the daemon does in its studies" },
	{ "result", ctl_result, OPT(OUT), OPT(SOCKET), OPERAND, "STUDY", true,
	    "write a finished study's result to a folder" },
	{ "checkpoint", ctl_ask, 0, OPT(SOCKET), NO_OPERAND, NULL, true,
	    "site: have the coordinator countersign the audit log" },
	{ "restored", ctl_ask, 0, OPT(SOCKET), NO_OPERAND, NULL, true,
	    "site: go on after its database was restored from a backup" },
	{ "transcript", ctl_transcript, OPT(OUT),
	    OPT(SOCKET) | OPT(CHAIN) | OPT(ROUND), OPERAND, "STUDY", false,
	    "coordinator: write what an outsider repeats a round from" },
};

static void
print_option(FILE *f, const char *before, size_t o, const char *after)
{
	fprintf(f, " %s--%s", before, options[o].name);
	if (options[o].value != NULL)
		fprintf(f, " %s", options[o].value);
	fprintf(f, "%s", after);
}

static void
print_usage(FILE *f, const struct command *c)
{
	fprintf(f, "consiliumctl %s", c->name);
	for (size_t o = 0; o < CTL_OPTS; o++)
		if ((c->needs >> o & 1) != 0)
			print_option(f, "", o, "");
	for (size_t o = 0; o < CTL_OPTS; o++)
		if ((c->takes >> o & 1) != 0)
			print_option(f, "[", o, "]");
	if (c->json)
		fprintf(f, " [--json]");
	if (c->operand != NO_OPERAND)
		fprintf(f, c->operand == OPERAND ? " %s" : " [%s]",
		    c->operand_name);
	fprintf(f, "\n");
}

/* Every command in a line. */
static void
print_help(FILE *f)
{
	fprintf(f,
	    "usage: consiliumctl COMMAND [--OPTION VALUE ...] [OPERAND]\n"
	    "       consiliumctl help [COMMAND]\n"
	    "       consiliumctl --version\n\n");
	for (size_t i = 0; i < nitems(commands); i++)
		fprintf(f, "  %-19s %s\n", commands[i].name, commands[i].help);
}

/* Does the command's name begin with these whole words? */
static bool
begins_with(const char *name, char *const *words, int n)
{
	for (int i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (strncmp(name, words[i], len) != 0 ||
		    (name[len] != ' ' && name[len] != '\0'))
			return false;
		name += len + (name[len] == ' ');
	}
	return true;
}

/* How the commands that begin with these words are used; how many there are. */
static size_t
print_usages(FILE *f, char *const *words, int n)
{
	size_t found = 0;

	for (size_t i = 0; i < nitems(commands); i++) {
		if (!begins_with(commands[i].name, words, n))
			continue;
		print_usage(f, &commands[i]);
		fprintf(f, "        %s\n", commands[i].help);
		found++;
	}
	return found;
}

/* "report" is a command, "report verify" another; "root" is none. */
static int
unknown_command(int argc, char *const *argv)
{
	if (argc == 0) {
		fprintf(stderr, "consiliumctl: a command is missing\n");
		print_help(stderr);
		return 2;
	}
	fprintf(stderr, "consiliumctl: unknown command: %s", argv[0]);
	for (int i = 1; i < MIN(argc, WORDS_MAX) && argv[i][0] != '-'; i++)
		fprintf(stderr, " %s", argv[i]);
	fprintf(stderr, "; \"consiliumctl help\" lists them\n");
	print_usages(stderr, argv, 1);
	return 2;
}

static int
help(int argc, char *const *argv)
{
	if (argc == 0)
		print_help(stdout);
	else if (print_usages(stdout, argv, argc) == 0)
		return unknown_command(argc, argv);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* The command whose words argv begins with; *used of them. */
static const struct command *
find_command(int argc, char *const *argv, int *used)
{
	char name[64];

	for (int words = MIN(argc, WORDS_MAX); words > 0; words--) {
		snprintf(name, sizeof(name), words == 2 ? "%s %s" : "%s",
		    argv[0], words == 2 ? argv[1] : "");
		for (size_t i = 0; i < nitems(commands); i++) {
			if (strcmp(commands[i].name, name) == 0) {
				*used = words;
				return &commands[i];
			}
		}
	}
	return NULL;
}

/* "--name value" or "--name=value" at argv; how many words it was, or -1. */
static int
read_option(const struct command *c, char *const *argv, struct ctl_args *a,
    struct err *err)
{
	const char *name = argv[0] + 2, *value = strchr(name, '=');
	size_t len = value != NULL ? (size_t)(value - name) : strlen(name);

	if (c->json && strcmp(name, "json") == 0) {
		a->json = true;
		return 1;
	}
	for (size_t o = 0; o < CTL_OPTS; o++) {
		if (((c->needs | c->takes) >> o & 1) == 0 ||
		    (options[o].value == NULL && value != NULL) ||
		    strlen(options[o].name) != len ||
		    strncmp(options[o].name, name, len) != 0)
			continue;
		if (a->opt[o] != NULL)
			return err_set(err, ERR_CONFIG, "--%s is there twice",
			    options[o].name);
		if (options[o].value == NULL && value == NULL) {
			a->opt[o] = "";
			return 1;
		}
		a->opt[o] = value != NULL ? value + 1 : argv[1];
		if (a->opt[o] == NULL || a->opt[o][0] == '\0')
			return err_set(err, ERR_CONFIG, "--%s: expected %s",
			    options[o].name, options[o].value);
		return value != NULL ? 1 : 2;
	}
	return err_set(
	    err, ERR_CONFIG, "%s: no option of \"%s\"", argv[0], c->name);
}

static int
read_args(const struct command *c, char *const *argv, struct ctl_args *a,
    struct err *err)
{
	while (*argv != NULL) {
		int n = 1;

		if (strncmp(*argv, "--", 2) == 0) {
			if ((n = read_option(c, argv, a, err)) < 0)
				return -1;
		} else if (c->operand == NO_OPERAND || a->operand != NULL) {
			return err_set(
			    err, ERR_CONFIG, "%s: one word too many", *argv);
		} else {
			a->operand = *argv;
		}
		argv += n;
	}
	for (size_t o = 0; o < CTL_OPTS; o++)
		if ((c->needs >> o & 1) != 0 && a->opt[o] == NULL)
			return err_set(err, ERR_CONFIG, "--%s %s is missing",
			    options[o].name, options[o].value);
	if (c->operand == OPERAND && a->operand == NULL)
		return err_set(
		    err, ERR_CONFIG, "%s is missing", c->operand_name);
	return 0;
}

/* The coordinator's only where there is no site. */
static const char *
default_socket(void)
{
	return access(CTL_SITE_SOCKET, F_OK) < 0 &&
		access(CTL_COORDINATOR_SOCKET, F_OK) == 0
	    ? CTL_COORDINATOR_SOCKET
	    : CTL_SITE_SOCKET;
}

int
main(int argc, char **argv)
{
	const struct command *c;
	struct ctl_args a = { 0 };
	struct err err = { 0 };
	int used = 0, rv;

	if (argc >= 2 &&
	    (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0))
		return help(argc - 2, argv + 2);
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		puts("consiliumctl " PACKAGE_VERSION);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	/* --json may stand before the command, too. */
	if (argc >= 2 && strcmp(argv[1], "--json") == 0) {
		a.json = true;
		argc--;
		argv++;
	}
	if ((c = find_command(argc - 1, argv + 1, &used)) == NULL)
		return unknown_command(argc - 1, argv + 1);
	a.command = c->name;
	if (a.json && !c->json) {
		fprintf(stderr, "consiliumctl: %s has no --json\n", c->name);
		return 2;
	}
	if (read_args(c, argv + 1 + used, &a, &err) < 0) {
		fprintf(stderr, "consiliumctl: %s\nusage: ", err.msg);
		print_usage(stderr, c);
		return 2;
	}
	if (a.opt[CTL_SOCKET] == NULL)
		a.opt[CTL_SOCKET] = default_socket();
	rv = c->fn(&a, &err);
	ctl_paths_free();
	if (rv < 0) {
		fprintf(stderr, "consiliumctl: %s\n", err.msg);
		return 1;
	}
	if (fflush(stdout) != 0) {
		perror("consiliumctl: standard output");
		return 1;
	}
	return 0;
}

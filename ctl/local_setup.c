#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "ctl/local.h"
#include "study/study.h"

#define ARGS_MAX 32
#define SOCKET_PATH_MAX 107 /* bytes that fit into sun_path */
#define PASSPHRASE "the officer of a consilium-local run\n"

int
local_ctl(struct local *l, struct canon *out, struct err *err, ...)
{
	char *argv[ARGS_MAX];
	size_t n = 0;
	va_list ap;

	argv[n++] = local_text(l, "%s", l->ctl);
	va_start(ap, err);
	do {
		const char *arg = va_arg(ap, const char *);

		argv[n] = arg == NULL ? NULL : local_text(l, "%s", arg);
	} while (argv[n++] != NULL && n < ARGS_MAX);
	va_end(ap);
	return proc_run(&l->procs, argv, NULL, out, err);
}

/* The first of the places where a program may be, or NULL. */
static const char *
find_program(struct local *l, const char *name, const char *const *dirs)
{
	char *path = getenv("PATH"), *dir, *save;

	for (; *dirs != NULL; dirs++) {
		char *p = local_text(l, "%s/%s", *dirs, name);

		if (access(p, X_OK) == 0)
			return p;
	}
	path = local_text(l, "%s", path == NULL ? "" : path);
	for (dir = strtok_r(path, ":", &save); dir != NULL;
	     dir = strtok_r(NULL, ":", &save)) {
		char *p = local_text(l, "%s/%s", dir, name);

		if (dir[0] == '/' && access(p, X_OK) == 0)
			return p;
	}
	return NULL;
}

/* Beside ourselves, as installed, or in the build tree. */
static int
find_programs(struct local *l, struct err *err)
{
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dirs[6] = { 0 };

	if (n < 0)
		return err_sys(err, "/proc/self/exe");
	self[n] = '\0';
	if ((slash = strrchr(self, '/')) != NULL)
		*slash = '\0';
	dirs[0] = self;
	dirs[1] = local_text(l, "%s/../sbin", self);
	dirs[2] = local_text(l, "%s/../daemon", self);
	dirs[3] = local_text(l, "%s/../coordinator", self);
	/* In the build tree the daemons' processes lie beside them. */
	if (access(local_text(l, "%s/gate", dirs[2]), X_OK) == 0 &&
	    access(local_text(l, "%s/rounds", dirs[3]), X_OK) == 0) {
		setenv("CONSILIUM_LIBEXEC",
		    local_text(l, "%s:%s", dirs[2], dirs[3]), 0);
		setenv("CONSILIUM_LOCALE", local_text(l, "%s/../po", self), 0);
	}
	if ((l->ctl = find_program(l, "consiliumctl", dirs)) == NULL ||
	    (l->sited = find_program(l, "consiliumd", dirs)) == NULL ||
	    (l->coordinatord =
		    find_program(l, "consilium-coordinator", dirs)) == NULL)
		return err_set(err, ERR_CONFIG,
		    "consiliumctl, consiliumd or consilium-coordinator is "
		    "neither in %s nor in PATH",
		    self);
	return 0;
}

static int
make_dirs(struct local *l, struct err *err)
{
	const char *longest = "coordinator";

	for (size_t i = 0; i < l->n_sites; i++) {
		struct local_site *s = &l->sites[i];

		s->dir = local_text(l, "%s/sites/%s", l->out, s->name);
		s->conf = local_text(l, "%s/consiliumd.conf", s->dir);
		if (file_mkdirs(s->dir, 0700, err) < 0)
			return -1;
		if (strlen(s->name) > strlen(longest))
			longest = s->name;
	}
	if (file_mkdirs(local_text(l, "%s/root", l->out), 0700, err) < 0 ||
	    file_mkdirs(local_text(l, "%s/officer", l->out), 0700, err) < 0 ||
	    file_mkdirs(local_text(l, "%s/coordinator", l->out), 0700, err) < 0)
		return -1;
	/* A long DIR would not fit into a socket's address. */
	l->run = local_text(l, "%s/run", l->out);
	if (strlen(l->run) + strlen(longest) + strlen("/site-.sock") >
	    SOCKET_PATH_MAX) {
		char *t = local_text(l, "/tmp/consilium-local.XXXXXX");

		if (mkdtemp(t) == NULL)
			return err_sys(err, "make %s", t);
		l->run = t;
		l->run_is_temporary = true;
	} else if (file_mkdirs(l->run, 0700, err) < 0) {
		return -1;
	}
	l->coordinator_socket = local_text(l, "%s/coordinator.sock", l->run);
	for (size_t i = 0; i < l->n_sites; i++)
		l->sites[i].socket =
		    local_text(l, "%s/site-%s.sock", l->run, l->sites[i].name);
	return 0;
}

/* A member's keys are in DIR/keys; the root lets it in and it learns the rest.
 */
static int
join(struct local *l, const char *dir, struct err *err)
{
	const char *keys = local_text(l, "%s/keys", dir);
	const char *request = local_text(l, "%s/request", keys);
	const char *welcome = local_text(l, "%s/welcome", keys);
	const char *root = local_text(l, "%s/root", l->out);

	if (local_ctl(l, NULL, err, "join", "--root", root, request, "--out",
		welcome, NULL) < 0)
		return -1;
	return local_ctl(l, NULL, err, "welcome", "--dir", keys, welcome, NULL);
}

static int
enrol(struct local *l, struct err *err)
{
	const char *root = local_text(l, "%s/root", l->out);
	const char *dir = local_text(l, "%s/coordinator", l->out);

	if (local_ctl(l, NULL, err, "root", "init", "--dir", root,
		"--consortium", "local", "--no-passphrase", NULL) < 0 ||
	    local_ctl(l, NULL, err, "coordinator", "init", "--dir",
		local_text(l, "%s/keys", dir), "--name", "coordinator",
		"--host", "127.0.0.1", NULL) < 0 ||
	    join(l, dir, err) < 0)
		return -1;
	for (size_t i = 0; i < l->n_sites; i++) {
		struct local_site *s = &l->sites[i];

		if (local_ctl(l, NULL, err, "site", "init", "--dir",
			local_text(l, "%s/keys", s->dir), "--name", s->name,
			NULL) < 0 ||
		    join(l, s->dir, err) < 0)
			return -1;
	}
	return 0;
}

/* The root signs who belongs to it, and the study with these sites. */
static int
sign(struct local *l, struct err *err)
{
	const char *root = local_text(l, "%s/root", l->out);
	char *sites = local_text(l, "%s", l->sites[0].name);

	for (size_t i = 1; i < l->n_sites; i++)
		sites = local_text(l, "%s,%s", sites, l->sites[i].name);
	if (local_ctl(l, NULL, err, "manifest", "sign", "--root", root, "--out",
		local_text(l, "%s/manifest.signed", root), NULL) < 0)
		return -1;
	return local_ctl(l, NULL, err, "study", "sign", "--root", root,
	    l->study_path, "--sites", sites, "--out",
	    local_text(l, "%s/study.signed", root), NULL);
}

static int
make_officer(struct local *l, struct err *err)
{
	const char *key = local_text(l, "%s/officer/officer.key", l->out);
	const char *pass = local_text(l, "%s/officer/passphrase", l->out);
	uint8_t *text;
	size_t len;

	if (file_create(pass, PASSPHRASE, strlen(PASSPHRASE), 0600, err) < 0 ||
	    local_ctl(l, NULL, err, "officer", "init", "--key", key,
		"--passphrase-file", pass, NULL) < 0)
		return -1;
	text = file_read(local_text(l, "%s.pub", key), 4096, &len, err);
	if (text == NULL)
		return -1;
	l->officer_key = local_text(l, "%.*s",
	    (int)strspn((char *)text, "0123456789abcdefABCDEF"), (char *)text);
	free(text);
	return 0;
}

static int
configure_coordinator(struct local *l, struct err *err)
{
	char *dir = local_text(l, "%s/coordinator", l->out);
	char *text = local_text(l,
	    "# written by consilium-local\n"
	    "[coordinator]\n"
	    "name = coordinator\n"
	    "state = %s/state\n"
	    "keys = %s/keys\n"
	    "listen = 127.0.0.1:0\n"
	    "\n"
	    "[control]\n"
	    "socket = %s\n",
	    dir, dir, l->coordinator_socket);

	return file_create(local_text(l, "%s/consilium-coordinator.conf", dir),
	    text, strlen(text), 0600, err);
}

/*
 * A site's configuration.  A real hospital's policy is its own; a test's takes
 * exactly what this study asks for.
 */
int
local_configure_site(struct local *l, struct local_site *s, struct err *err)
{
	static const char *const cohort_words[] = { "fixed", "open" };
	static const char *const verify_words[] = { "replay", "sample",
		"trust" };
	const struct study *study = l->study;
	const struct study_rules *r = &study->privacy;
	char *text = local_text(l,
	    "# written by consilium-local\n"
	    "[site]\n"
	    "name = %s\n"
	    "language = %s\n"
	    "state = %s/state\n"
	    "keys = %s/keys\n"
	    "\n"
	    "[coordinator]\n"
	    "address = %s\n"
	    "\n"
	    "[officer]\n"
	    "public-key = %s\n"
	    "\n"
	    "[source]\n"
	    "csv = %s\n"
	    "\n"
	    "[policy]\n"
	    "purposes = *\n"
	    "smallest-k = %zu\n"
	    "smallest-sites = 3\n"
	    "smallest-risk-set-step = %zu\n"
	    "smallest-cell = %zu\n"
	    "keep-uploads = %zu\n"
	    "largest-suppression = %.17g\n"
	    "largest-epsilon = %.17g\n"
	    "total-epsilon = %.17g\n"
	    "largest-delta = %.17g\n"
	    "cohort = %s\n"
	    "verify = %s\n"
	    "\n"
	    "[control]\n"
	    "socket = %s\n",
	    s->name, l->language != NULL ? l->language : "en", s->dir, s->dir,
	    l->address, l->officer_key, s->csv, r->k, r->smallest_risk_set_step,
	    r->smallest_cell, study->rounds.keep_uploads, r->suppression_limit,
	    study->learning.epsilon, study->learning.epsilon,
	    study->learning.rounds != 0 ? study->learning.delta : 1e-5,
	    cohort_words[r->cohort], verify_words[r->verify], s->socket);

	return file_create(s->conf, text, strlen(text), 0600, err);
}

int
local_setup(struct local *l, struct err *err)
{
	if (find_programs(l, err) < 0 || make_dirs(l, err) < 0)
		return -1;
	if (enrol(l, err) < 0 || sign(l, err) < 0 || make_officer(l, err) < 0)
		return -1;
	return configure_coordinator(l, err);
}

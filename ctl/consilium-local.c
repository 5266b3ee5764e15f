/*
 * consilium-local(1): a whole consortium on this machine, made of the same
 * programs, keys and protocol as one of many, from a study and one source per
 * site.
 */
#include "config.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "ctl/local.h"
#include "study/study.h"

#define STOP_MS 5000

static const char usage[] =
    "usage: consilium-local --study FILE --site NAME=PATH [--site ...] "
    "--out DIR\n"
    "                       [--kill SITE@PHASE[:ROUND]] [--keep-running]\n"
    "                       [--language LANGUAGE]\n";

static const char *const phases[] = { "ready", "shares", "upload", "confirm",
	"unmask" };

char *
local_text(struct local *l, const char *fmt, ...)
{
	void **memory;
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	memory = realloc(l->memory, (l->n_memory + 1) * sizeof(*memory));
	if (n < 0 || memory == NULL) {
		fputs("consilium-local: no memory\n", stderr);
		procs_stop(&l->procs, 0);
		exit(1);
	}
	l->memory = memory;
	l->memory[l->n_memory++] = text;
	return text;
}

void
local_say(struct local *l, const char *fmt, ...)
{
	va_list ap;

	if (l->line_open)
		fputs("\r\033[K", stderr);
	l->line_open = false;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* NAME=PATH */
static int
add_site(struct local *l, char *arg, struct err *err)
{
	char *path = strchr(arg, '='), resolved[PATH_MAX];
	struct local_site *s = &l->sites[l->n_sites];

	if (path == NULL || path == arg)
		return err_set(
		    err, ERR_CONFIG, "--site %s: expected NAME=PATH", arg);
	*path++ = '\0';
	if (strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
		strlen(arg) ||
	    strlen(arg) > 32)
		return err_set(err, ERR_CONFIG,
		    "--site %s: a name is 1 to 32 of a-z, 0-9 and -", arg);
	for (size_t i = 0; i < l->n_sites; i++)
		if (strcmp(l->sites[i].name, arg) == 0)
			return err_set(err, ERR_CONFIG,
			    "--site %s: this name is there twice", arg);
	if (l->n_sites == LOCAL_SITES_MAX)
		return err_set(
		    err, ERR_CONFIG, "more than %d sites", LOCAL_SITES_MAX);
	if (realpath(path, resolved) == NULL || access(resolved, R_OK) < 0)
		return err_sys(err, "--site %s: %s", arg, path);
	s->name = arg;
	s->csv = local_text(l, "%s", resolved);
	l->n_sites++;
	return 0;
}

/* SITE@PHASE[:ROUND] */
static int
set_kill(struct local *l, char *arg, struct err *err)
{
	char *phase = strchr(arg, '@'), *round, *end = NULL;

	if (phase == NULL)
		return err_set(err, ERR_CONFIG,
		    "--kill %s: expected SITE@PHASE or SITE@PHASE:ROUND", arg);
	*phase++ = '\0';
	if ((round = strchr(phase, ':')) != NULL) {
		*round++ = '\0';
		l->kill_round = strtoull(round, &end, 10);
		if (l->kill_round == 0 || *end != '\0')
			return err_set(err, ERR_CONFIG,
			    "--kill: round \"%s\", expected 1 or more", round);
	}
	for (size_t i = 0; i < l->n_sites; i++)
		if (strcmp(l->sites[i].name, arg) == 0)
			l->kill_site = &l->sites[i];
	if (l->kill_site == NULL)
		return err_set(
		    err, ERR_CONFIG, "--kill: there is no site \"%s\"", arg);
	for (size_t i = 0; i < nitems(phases); i++)
		if (strcmp(phases[i], phase) == 0)
			l->kill_phase = phases[i];
	if (l->kill_phase == NULL)
		return err_set(err, ERR_CONFIG,
		    "--kill: phase \"%s\", expected ready, shares, upload, "
		    "confirm or unmask",
		    phase);
	l->kill = KILL_WAITING;
	return 0;
}

/* DIR is made, or is there and empty. */
static int
set_out(struct local *l, const char *dir, struct err *err)
{
	char resolved[PATH_MAX];
	struct dirent *e;
	DIR *d;
	int rv = 0;

	if (file_mkdirs(dir, 0700, err) < 0)
		return -1;
	if (realpath(dir, resolved) == NULL || (d = opendir(dir)) == NULL)
		return err_sys(err, "--out %s", dir);
	while (rv == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rv = err_set(err, ERR_CONFIG,
			    "--out %s: the folder is not empty", dir);
	closedir(d);
	l->out = local_text(l, "%s", resolved);
	return rv;
}

/* The study must be able to run with these sites. */
static int
set_study(struct local *l, const char *path, struct err *err)
{
	if ((l->study = study_load(path, err)) == NULL)
		return -1;
	l->study_path = path;
	if (l->n_sites < 3)
		return err_set(err, ERR_CONFIG,
		    "number of sites %zu, a study needs at least 3",
		    l->n_sites);
	for (size_t i = 0; i < l->study->sites.n; i++) {
		size_t k = 0;

		while (k < l->n_sites &&
		    strcmp(l->sites[k].name, l->study->sites.items[i]) != 0)
			k++;
		if (k == l->n_sites)
			return err_set(err, ERR_CONFIG,
			    "the study names site %s: --site %s=PATH is "
			    "missing",
			    l->study->sites.items[i], l->study->sites.items[i]);
	}
	if (l->study->sites.n != 0 && l->study->sites.n != l->n_sites)
		return err_set(err, ERR_CONFIG,
		    "%zu sites, but the study names %zu", l->n_sites,
		    l->study->sites.n);
	return 0;
}

static int
bad_usage(void)
{
	fputs(usage, stderr);
	return -1;
}

/* -1: said why; 0: go on; 1: nothing to do. */
static int
arguments(struct local *l, int argc, char **argv)
{
	static const struct option options[] = {
		{ "study", required_argument, NULL, 's' },
		{ "site", required_argument, NULL, 'i' },
		{ "out", required_argument, NULL, 'o' },
		{ "kill", required_argument, NULL, 'k' },
		{ "keep-running", no_argument, NULL, 'r' },
		{ "language", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	char *study = NULL, *out = NULL, *kill = NULL;
	struct err err;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			study = optarg;
			break;
		case 'i':
			if (add_site(l, optarg, &err) < 0)
				goto bad;
			break;
		case 'o':
			out = optarg;
			break;
		case 'k':
			kill = optarg;
			break;
		case 'r':
			l->keep_running = true;
			break;
		case 'l':
			l->language = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		case 'v':
			puts("consilium-local " PACKAGE_VERSION);
			return 1;
		default:
			return bad_usage();
		}
	}
	if (study == NULL || out == NULL || l->n_sites == 0 || optind != argc)
		return bad_usage();
	if (set_study(l, study, &err) < 0 ||
	    (kill != NULL && set_kill(l, kill, &err) < 0) ||
	    set_out(l, out, &err) < 0)
		goto bad;
	return 0;
bad:
	fprintf(stderr, "consilium-local: %s\n", err.msg);
	return -1;
}

static int
run(struct local *l)
{
	int64_t start = clock_mono_ms();
	struct err err;
	int rv = -1;

	l->procs.n = l->n_sites + 1;
	if ((l->procs.items = calloc(l->procs.n, sizeof(*l->procs.items))) ==
	    NULL) {
		fputs("consilium-local: no memory\n", stderr);
		return -1;
	}
	for (size_t i = 0; i < l->procs.n; i++) {
		struct proc *p = &l->procs.items[i];

		p->name = i == 0 ? "coordinator" : l->sites[i - 1].name;
		p->log_fd = p->pipe_fd = -1;
		p->arg = l;
		if (i > 0)
			l->sites[i - 1].proc = p;
	}
	if (procs_init(&err) == 0 && local_setup(l, &err) == 0 &&
	    local_run(l, &err) == 0)
		rv = 0;
	procs_stop(&l->procs, STOP_MS);
	if (l->run_is_temporary)
		rmdir(l->run);
	if (rv == 0)
		local_say(l, "study %s is done after %.1f s", l->study->name,
		    (double)(clock_mono_ms() - start) / 1000);
	if (rv == 0)
		rv = local_check(l, &err);
	if (rv < 0)
		local_say(l, "consilium-local: %s", err.msg);
	free(l->procs.items);
	return rv;
}

int
main(int argc, char **argv)
{
	static struct local_site sites[LOCAL_SITES_MAX];
	struct local l = { .sites = sites };
	int rv;

	l.terminal = isatty(STDERR_FILENO);
	rv = arguments(&l, argc, argv);
	if (rv == 0)
		rv = run(&l) < 0 ? 1 : 0;
	else
		rv = rv < 0 ? 2 : 0;
	study_free(l.study);
	for (size_t i = 0; i < l.n_memory; i++)
		free(l.memory[i]);
	free(l.memory);
	return rv;
}

#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/json_read.h"
#include "ctl/local.h"
#include "study/study.h"

#define START_MS 20000 /* for a daemon to answer */
#define PREPARE_MS 300000 /* for a site to read and anonymize its source */
#define RESTART_MS 60000 /* a killed site stays away at most so long */
#define BACK_MS 30000 /* and takes part again within this */
#define POLL_MS 100

/*
 * What the logs say
 */

/* The value of a field NAME=... of a log line, or false. */
static bool
field(const char *line, const char *name, char *buf, size_t size)
{
	const char *at = line;
	size_t n = strlen(name);

	while ((at = strstr(at, name)) != NULL) {
		if (at > line && at[-1] == ' ' && at[n] == '=') {
			at += n + 1;
			snprintf(buf, size, "%.*s", (int)strcspn(at, " "), at);
			return true;
		}
		at += n;
	}
	return false;
}

static uint64_t
field_number(const char *line, const char *name)
{
	char buf[24];

	return field(line, name, buf, sizeof(buf)) ? strtoull(buf, NULL, 10)
						   : 0;
}

/* Does the line say so, behind its time, process and priority? */
static bool
says(const char *line, const char *text)
{
	const char *at = strstr(line, ": ");

	return at != NULL && strncmp(at + 2, text, strlen(text)) == 0;
}

static void
show_status(struct local *l)
{
	if (!l->terminal)
		return;
	fprintf(stderr, "\r\033[K  round %llu: %s: %s",
	    (unsigned long long)l->round, l->kind, l->phases);
	l->line_open = true;
}

static void
kill_now(struct local *l, struct local_site *s, uint64_t round)
{
	proc_kill(&l->procs, s->proc);
	l->kill = KILL_DONE;
	l->kill_round = round;
	proc_note(s->proc,
	    "all processes of %s were killed (SIGKILL) now that its %s has "
	    "left ROUND=%llu",
	    s->name, l->kill_phase, (unsigned long long)round);
	local_say(l, "%s: all processes killed, its %s of round %llu has left",
	    s->name, l->kill_phase, (unsigned long long)round);
}

/* "sent KIND": a message of a site has left. */
static void
on_site_line(struct local *l, struct local_site *s, const char *line)
{
	uint64_t round = field_number(line, "ROUND");
	char message[24], kind[24] = "";

	if (!says(line, "sent ") || s != l->kill_site)
		return;
	snprintf(message, sizeof(message), "%s", strstr(line, ": sent ") + 7);
	message[strcspn(message, " ")] = '\0';
	field(line, "KIND", kind, sizeof(kind));
	if (l->kill_round == 0 &&
	    (strcmp(kind, "newton") == 0 || strcmp(kind, "times") == 0))
		l->kill_round = round;
	if (l->kill == KILL_WAITING && l->kill_round == round &&
	    strcasecmp(message, l->kill_phase) == 0)
		kill_now(l, s, round);
	if (l->kill == KILL_RESTARTED && round > l->kill_round) {
		l->kill = KILL_BACK;
		proc_note(s->proc, "%s takes part again ROUND=%llu", s->name,
		    (unsigned long long)round);
		local_say(l, "%s: takes part again, in round %llu", s->name,
		    (unsigned long long)round);
	}
}

/* PHASE: HAVE of MOST sites, going on to NEXT */
static void
add_phase(struct local *l, const char *text)
{
	size_t n = strlen(l->phases);
	size_t phase = strcspn(text, ":");

	if (text[phase] == ':')
		snprintf(l->phases + n, sizeof(l->phases) - n, "%s%.*s %.*s",
		    n == 0 ? "" : ", ", (int)phase, text,
		    (int)strspn(text + phase + 2, "0123456789"),
		    text + phase + 2);
}

static void
on_coordinator_line(struct local *l, const char *line)
{
	uint64_t round = field_number(line, "ROUND");
	const char *at;

	if ((at = strstr(line, ": listening on ")) != NULL &&
	    l->address[0] == '\0')
		snprintf(l->address, sizeof(l->address), "%.*s",
		    (int)strcspn(at + 15, " "), at + 15);
	if (round == 0)
		return;
	if (says(line, "round announced")) {
		l->round = round;
		field(line, "KIND", l->kind, sizeof(l->kind));
		l->phases[0] = '\0';
	} else if (says(line, "sum over ")) {
		l->completed = round;
		l->contributors =
		    strtoull(strstr(line, ": sum over ") + 11, NULL, 10);
		if (!l->terminal || l->kill == KILL_DONE)
			local_say(l, "round %llu: %s: %s; sum over %zu sites",
			    (unsigned long long)round, l->kind, l->phases,
			    l->contributors);
	} else if (says(line, "round aborted")) {
		const char *why = strstr(line, ": round aborted") + 2;
		const char *end = strstr(why, " STUDY=");

		l->aborted = round;
		local_say(l, "round %llu: %s: %s; %.*s",
		    (unsigned long long)round, l->kind, l->phases,
		    (int)(end != NULL ? (size_t)(end - why) : strlen(why)),
		    why);
	} else if (strstr(line, ", going on to ") != NULL) {
		add_phase(l, strstr(line, ": ") + 2);
	}
	show_status(l);
}

static void
on_line(struct proc *p, const char *line)
{
	struct local *l = p->arg;

	if (p == &l->procs.items[0])
		on_coordinator_line(l, line);
	else
		on_site_line(l, &l->sites[p - l->procs.items - 1], line);
}

/*
 * Questions to the daemons
 */

static int
wait_ms(struct local *l, int ms, struct err *err)
{
	int64_t until = clock_mono_ms() + ms;

	do {
		if (procs_wait(&l->procs, 20, err) < 0)
			return -1;
		if (proc_interrupted)
			return err_set(err, ERR_SYSTEM, "interrupted");
	} while (clock_mono_ms() < until);
	return 0;
}

/*
 * The cell of a study's row in the answer to status; "" if the daemon does not
 * know the study (yet).
 */
static int
status(struct local *l, const char *socket, const char *column, char *buf,
    size_t size, struct err *err)
{
	struct canon out = { 0 };
	struct json_value *v;

	buf[0] = '\0';
	if (local_ctl(l, &out, err, "status", "--socket", socket, "--json",
		NULL) < 0) {
		canon_free(&out);
		return -1;
	}
	v = json_read("status", (const char *)out.data, out.len, err);
	canon_free(&out);
	if (v == NULL)
		return -1;
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(json_get_text(&v->items[i], "study", ""),
			l->study->name) == 0)
			snprintf(buf, size, "%s",
			    json_get_text(&v->items[i], column, ""));
	json_read_free(v);
	return 0;
}

/* A control socket that answers. */
static int
wait_answer(struct local *l, const char *socket, struct err *err)
{
	int64_t until = clock_mono_ms() + START_MS;
	struct err why;
	char cell[64];

	for (;;) {
		if (wait_ms(l, POLL_MS / 2, err) < 0)
			return -1;
		if (access(socket, F_OK) == 0 &&
		    status(l, socket, "status", cell, sizeof(cell), &why) == 0)
			return 0;
		if (clock_mono_ms() > until)
			return err_set(err, ERR_PEER,
			    "nobody answers at %s after %d s", socket,
			    START_MS / 1000);
	}
}

/* Wait for the study to be in state want at a site. */
static int
wait_status(struct local *l, struct local_site *s, const char *want,
    int timeout_ms, struct err *err)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	char state[64], why[300];

	for (;;) {
		if (status(l, s->socket, "status", state, sizeof(state), err) <
		    0)
			return -1;
		if (strcmp(state, want) == 0)
			return 0;
		if (strncmp(state, "refused", 7) == 0 ||
		    strcmp(state, "failed") == 0) {
			if (status(l, s->socket, "why", why, sizeof(why), err) <
			    0)
				return -1;
			return err_set(err, ERR_REFUSED, "%s: %s: %s", s->name,
			    state, why);
		}
		if (clock_mono_ms() > until)
			return err_set(err, ERR_PEER,
			    "%s: study %s is \"%s\", not \"%s\" after %d s",
			    s->name, l->study->name, state, want,
			    timeout_ms / 1000);
		if (wait_ms(l, POLL_MS, err) < 0)
			return -1;
	}
}

/*
 * The run
 */

static int
start_coordinator(struct local *l, struct err *err)
{
	int64_t until = clock_mono_ms() + START_MS;
	struct proc *p = &l->procs.items[0];
	char *dir = local_text(l, "%s/coordinator", l->out);
	char *argv[] = { local_text(l, "%s", l->coordinatord),
		local_text(l, "-f"),
		local_text(l, "%s/consilium-coordinator.conf", dir), NULL };

	if (proc_start(p, local_text(l, "%s/log", dir), argv, err) < 0)
		return -1;
	while (l->address[0] == '\0') {
		if (wait_ms(l, 20, err) < 0)
			return -1;
		if (clock_mono_ms() > until)
			return err_set(err, ERR_PEER,
			    "the coordinator does not listen after %d s: %s",
			    START_MS / 1000, p->line);
	}
	return wait_answer(l, l->coordinator_socket, err);
}

static int
start_site(struct local *l, struct local_site *s, struct err *err)
{
	char *argv[] = { local_text(l, "%s", l->sited), local_text(l, "-f"),
		local_text(l, "%s", s->conf), NULL };

	return proc_start(s->proc, local_text(l, "%s/log", s->dir), argv, err);
}

static int
start_sites(struct local *l, struct err *err)
{
	for (size_t i = 0; i < l->n_sites; i++)
		if (local_configure_site(l, &l->sites[i], err) < 0 ||
		    start_site(l, &l->sites[i], err) < 0)
			return -1;
	for (size_t i = 0; i < l->n_sites; i++)
		if (wait_answer(l, l->sites[i].socket, err) < 0)
			return -1;
	return 0;
}

static int
submit(struct local *l, struct err *err)
{
	const char *root = local_text(l, "%s/root", l->out);

	if (local_ctl(l, NULL, err, "submit", "--socket", l->coordinator_socket,
		local_text(l, "%s/manifest.signed", root), NULL) < 0)
		return -1;
	return local_ctl(l, NULL, err, "submit", "--socket",
	    l->coordinator_socket, local_text(l, "%s/study.signed", root),
	    NULL);
}

/*
 * Keep the table that was prepared under another name, for the check at the
 * end: a site drops it when the study has ended.
 */
static int
keep_table(struct local *l, const struct local_site *s, struct err *err)
{
	char *folder = local_text(l, "%s/state/tables", s->dir);
	struct dirent *e;
	DIR *d = opendir(folder);
	int rv = 1;

	if (d == NULL)
		return err_sys(err, "open %s", folder);
	while (rv == 1 && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			rv = link(local_text(l, "%s/%s", folder, e->d_name),
			    local_text(l, "%s/table", s->dir));
	closedir(d);
	if (rv == 1)
		return err_set(err, ERR_PEER, "%s: no table", folder);
	return rv == 0 ? 0 : err_sys(err, "link %s/table", s->dir);
}

/* Each site anonymizes its source; the officer reads and signs. */
static int
prepare(struct local *l, struct err *err)
{
	const char *name = l->study->name;

	for (size_t i = 0; i < l->n_sites; i++) {
		struct local_site *s = &l->sites[i];

		if (wait_status(l, s, "received", START_MS, err) < 0)
			return -1;
		if (local_ctl(l, NULL, err, "prepare", "--socket", s->socket,
			name, NULL) < 0)
			return err_prefix(err, "%s", s->name);
	}
	for (size_t i = 0; i < l->n_sites; i++) {
		struct local_site *s = &l->sites[i];

		if (wait_status(l, s, "prepared", PREPARE_MS, err) < 0 ||
		    keep_table(l, s, err) < 0)
			return -1;
		if (local_ctl(l, NULL, err, "report", "--socket", s->socket,
			name, "--out", s->dir, NULL) < 0)
			return err_prefix(err, "%s", s->name);
	}
	local_say(l,
	    "%zu tables anonymized; approved with a test officer's "
	    "key, not by a person",
	    l->n_sites);
	for (size_t i = 0; i < l->n_sites; i++) {
		struct local_site *s = &l->sites[i];

		if (local_ctl(l, NULL, err, "approve", "--socket", s->socket,
			name, "--key",
			local_text(l, "%s/officer/officer.key", l->out),
			"--passphrase-file",
			local_text(l, "%s/officer/passphrase", l->out),
			NULL) < 0)
			return err_prefix(err, "%s", s->name);
	}
	return 0;
}

/* A killed site comes back when its round has ended without it. */
static int
after_kill(struct local *l, int64_t *since, struct err *err)
{
	struct local_site *s = l->kill_site;

	if (l->kill != KILL_DONE)
		return 0;
	if (*since == 0)
		*since = clock_mono_ms();
	if (l->completed < l->kill_round && l->aborted < l->kill_round &&
	    clock_mono_ms() - *since < RESTART_MS)
		return 0;
	l->counted = l->completed >= l->kill_round;
	l->kill = KILL_RESTARTED;
	proc_note(s->proc,
	    l->counted ? "round %llu is complete with %zu inputs; starting %s "
			 "again"
		       : "round %llu is not complete (%zu inputs); starting %s "
			 "again",
	    (unsigned long long)l->kill_round, l->contributors, s->name);
	local_say(l, "%s: started again", s->name);
	return start_site(l, s, err);
}

static int
follow(struct local *l, struct err *err)
{
	int64_t since = 0;
	char state[64];

	for (;;) {
		if (wait_ms(l, POLL_MS, err) < 0 ||
		    after_kill(l, &since, err) < 0 ||
		    status(l, l->coordinator_socket, "status", state,
			sizeof(state), err) < 0)
			return -1;
		if (strcmp(state, "done") == 0)
			return 0;
		if (strcmp(state, "") == 0 || strcmp(state, "stopped") == 0)
			return err_set(err, ERR_REFUSED,
			    "the coordinator does not go on with study %s",
			    l->study->name);
	}
}

/* Blank out the line of when it was computed: each has its own clock. */
static void
without_time(uint8_t *text)
{
	char *at = strstr((char *)text, "\"finished\":");

	for (; at != NULL && *at != '\n' && *at != '\0'; at++)
		*at = ' ';
}

/*
 * The result, from the coordinator; and from every site, which computed it for
 * itself: but for the time all must be the same bytes.
 */
static int
fetch(struct local *l, struct err *err)
{
	const char *name = l->study->name;
	char *ours = local_text(l, "%s/result.json", l->out);
	uint8_t *want, *got;
	size_t len, n;
	int rv = 0;

	if (local_ctl(l, NULL, err, "result", "--socket", l->coordinator_socket,
		name, "--out", l->out, NULL) < 0)
		return -1;
	if ((want = file_read(ours, JSON_READ_MAX, &len, err)) == NULL)
		return -1;
	without_time(want);
	for (size_t i = 0; rv == 0 && i < l->n_sites; i++) {
		struct local_site *s = &l->sites[i];
		char *theirs = local_text(l, "%s/result.json", s->dir);

		if (wait_status(l, s, "done", BACK_MS, err) < 0 ||
		    local_ctl(l, NULL, err, "result", "--socket", s->socket,
			name, "--out", s->dir, NULL) < 0 ||
		    (got = file_read(theirs, JSON_READ_MAX, &n, err)) == NULL) {
			rv = -1;
			break;
		}
		without_time(got);
		if (n != len || memcmp(got, want, n) != 0)
			rv = err_set(err, ERR_PEER,
			    "%s and %s are not the same result", ours, theirs);
		free(got);
	}
	free(want);
	return rv;
}

/* Did the kill that was asked for happen, and the site come back? */
static int
check_kill(struct local *l, struct err *err)
{
	struct local_site *s = l->kill_site;

	if (s == NULL)
		return 0;
	if (l->kill == KILL_WAITING)
		return err_set(err, ERR_CONFIG,
		    "--kill: no %s of %s left in the round that was meant",
		    l->kill_phase, s->name);
	if (l->kill == KILL_RESTARTED && l->kill_round < l->completed)
		return err_set(err, ERR_PEER,
		    "%s did not take part again after round %llu", s->name,
		    (unsigned long long)l->kill_round);
	proc_note(
	    s->proc, "%s has the study's result, equal to all others", s->name);
	return 0;
}

static int
keep_running(struct local *l, struct err *err)
{
	local_say(l,
	    "still running; end with Ctrl-C. For example:\n"
	    "  %s status --socket %s",
	    l->ctl, l->coordinator_socket);
	while (!proc_interrupted)
		if (procs_wait(&l->procs, 500, err) < 0)
			return -1;
	proc_interrupted = 0;
	return 0;
}

int
local_run(struct local *l, struct err *err)
{
	l->procs.on_line = on_line;
	if (start_coordinator(l, err) < 0 || start_sites(l, err) < 0)
		return -1;
	local_say(l, "a coordinator at %s and %zu sites are running",
	    l->address, l->n_sites);
	if (submit(l, err) < 0 || prepare(l, err) < 0 || follow(l, err) < 0 ||
	    fetch(l, err) < 0 || check_kill(l, err) < 0)
		return -1;
	return l->keep_running ? keep_running(l, err) : 0;
}

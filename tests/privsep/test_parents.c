/*
 * consiliumd (and consilium-coordinator, which shares nearly all with it), with
 * process control as it is and doubles for the others: start, restart, jobs,
 * reload, stop, and what keeps it from starting.
 */
#include "config.h"

#include "tests/check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/cert.h"
#include "privsep/ctl_client.h"
#include "tests/privsep/parent.h"

#define NOBODY 65534
#define NOGROUP 65534

static void
all_start_and_all_stop(void **state)
{
	(void)state;
	start("");
	await(d.heard, "READY=1", 1);
	await(d.heard, "STATUS=gate: idle; uplink: idle", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_non_null(strstr(d.heard, "STOPPING=1"));
	assert_non_null(strstr(d.log, "gate info: pid "));
	/* Each has its own files and no others: see consiliumd's grants. */
	assert_non_null(strstr(d.log, ", 3 files, 2 peers"));
	assert_non_null(strstr(d.log, ", 3 files, 1 peers"));
	assert_null(strstr(d.log, "error"));
	assert_int_equal(access(path("socket"), F_OK), -1);
}

/* The end of a session or a container goes to all at once. */
static void
a_signal_to_all_is_an_orderly_end(void **state)
{
	pid_t gate, uplink;

	(void)state;
	start("");
	await(d.heard, "READY=1", 1);
	gate = pid_of("gate", 1);
	uplink = pid_of("uplink", 1);
	kill(gate, SIGTERM);
	kill(uplink, SIGTERM);
	assert_int_equal(ended(SIGTERM), 0);
	assert_null(strstr(d.log, "error"));
	assert_null(strstr(d.log, "was killed"));
}

static int
listen_as_systemd(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path(name));
	unlink(sun.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static void
the_socket_of_a_socket_unit_is_used_and_stays(void **state)
{
	struct ctl_reply r;
	struct err err;

	(void)state;
	socket_unit = listen_as_systemd("socket");
	start("");
	await(d.heard, "READY=1", 1);
	assert_int_equal(
	    ctl_call(path("socket"), "status", NULL, NULL, 0, &r, &err), 0);
	ctl_reply_free(&r);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(access(path("socket"), F_OK), 0);
	close(socket_unit);

	/* One that listens elsewhere than the configuration says. */
	socket_unit = listen_as_systemd("elsewhere");
	start("");
	assert_int_equal(ended(0), 1);
	assert_non_null(strstr(d.log, "have to be one path"));
	assert_int_equal(count(d.log, "\n"), 1);
	close(socket_unit);
	socket_unit = -1;
	unlink(path("elsewhere"));
	/* What is left of it is replaced, without one. */
	start("");
	await(d.heard, "READY=1", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(access(path("socket"), F_OK), -1);
}

static void
a_key_may_be_a_credential(void **state)
{
	(void)state;
	mkdir(path("credentials"), 0700);
	rename(path("keys/identity.key"), path("credentials/identity.key"));
	rename(path("keys/tls.key"), path("credentials/tls.key"));
	start("");
	assert_int_equal(ended(0), 1);
	assert_non_null(strstr(d.log, "keys/identity.key: No such file"));

	setenv("CREDENTIALS_DIRECTORY", path("credentials"), 1);
	start("");
	await(d.heard, "READY=1", 1);
	assert_non_null(strstr(d.log, ", 3 files, 2 peers"));
	assert_int_equal(ended(SIGTERM), 0);
	unsetenv("CREDENTIALS_DIRECTORY");
	rename(path("credentials/identity.key"), path("keys/identity.key"));
	rename(path("credentials/tls.key"), path("keys/tls.key"));
}

static void
one_killed_all_start_again(void **state)
{
	pid_t uplink, gate;

	(void)state;
	start("");
	await(d.log, "notice: ready", 1);
	uplink = pid_of("uplink", 1);
	gate = pid_of("gate", 1);
	kill(uplink, SIGKILL);
	await(d.log, "notice: ready", 2);
	assert_non_null(strstr(d.log, "was killed by SIGKILL"));
	assert_int_not_equal(pid_of("gate", 2), gate);
	assert_int_not_equal(pid_of("uplink", 2), uplink);
	assert_int_equal(ended(SIGINT), 0);
}

static void
who_dies_again_and_again_is_given_up(void **state)
{
	(void)state;
	start("gate crash");
	assert_int_equal(ended(0), 1);
	assert_int_equal(count(d.log, "gate info: pid "), 5);
	assert_non_null(strstr(d.log, "5 times within a minute: giving up"));
}

static void
who_cannot_start_ends_the_parent(void **state)
{
	(void)state;
	start("uplink fail early");
	assert_int_equal(ended(0), 1);
	assert_int_equal(count(d.log, "uplink error: "), 1);
	assert_non_null(strstr(d.log, "error: this uplink cannot start"));
	assert_null(strstr(d.heard, "READY=1"));
}

static void
no_process_outlives_its_parent(void **state)
{
	pid_t pids[2];

	(void)state;
	start("");
	await(d.log, "notice: ready", 1);
	pids[0] = pid_of("gate", 1);
	pids[1] = pid_of("uplink", 1);
	assert_int_equal(ended(SIGKILL), 128 + SIGKILL);
	for (size_t i = 0; i < nitems(pids); i++) {
		int64_t end = clock_mono_ms() + WAIT_MS;

		while (kill(pids[i], 0) == 0 && clock_mono_ms() < end)
			usleep(10000);
		assert_int_equal(kill(pids[i], 0), -1);
	}
}

static void
a_reader_makes_what_a_trainer_can_only_read(void **state)
{
	struct stat st;

	(void)state;
	start("gate read and train");
	await(d.log, "job 8 gone", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_non_null(strstr(d.log, "job 7 works on rfs.7.table"));
	assert_non_null(strstr(d.log, "reader says: read it"));
	assert_non_null(strstr(d.log, "job 7 gone, ok 1"));
	assert_non_null(strstr(d.log, "trainer says: trained on it"));
	assert_non_null(strstr(d.log, "job 8 gone, ok 1"));
	assert_int_equal(stat(path("state/tables/rfs.7.table"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(there("state/reports/rfs.7.json"));

	/* A job's number is used once. */
	start("gate read");
	await(d.log, "job 7 gone, ok 0: make rfs.7.table: File exists", 1);
	assert_int_equal(ended(SIGTERM), 0);
	remove_outputs();
}

static void
a_reader_that_fails_leaves_nothing(void **state)
{
	(void)state;
	start("gate read and fail");
	await(d.log, "job 7 gone, ok 0: was killed by SIGABRT", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_false(there("state/tables/rfs.7.table"));
	assert_false(there("state/reports/rfs.7.json"));
	assert_false(there("state/reports/rfs.7.html"));
}

static void
a_study_without_a_source_is_the_gates_business(void **state)
{
	(void)state;
	start("gate read nothing");
	await(d.log, "job 7 gone, ok 0: ", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(count(d.log, "notice: ready"), 1);
}

static void
a_gate_that_asks_for_another_file_is_stopped(void **state)
{
	(void)state;
	start("gate climb");
	await(d.log, "asks for a file that no study or table can have", 2);
	assert_int_equal(ended(SIGTERM), 0);
	assert_null(strstr(d.log, "job 7 works on"));
}

static void
a_gate_that_makes_no_sense_is_stopped(void **state)
{
	static const char *const orders[][2] = {
		{ "gate mumble reader", "error: START_READER: " },
		{ "gate mumble trainer", "error: START_TRAINER: " },
		{ "gate mumble table", "error: DROP_TABLE: " },
		{ "gate drop outside", "error: the gate names no table" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(orders); i++) {
		start(orders[i][0]);
		await(d.log, orders[i][1], 2); /* and so is the next one */
		assert_int_equal(ended(SIGTERM), 0);
		assert_int_equal(
		    count(d.log, orders[i][1]), count(d.log, " error: "));
	}
	/* A table that is gone already is no reason to stop anybody. */
	start("gate drop nothing");
	await(d.log, "warning: table rfsx: No such file", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(count(d.log, "notice: ready"), 1);
	/* A number is a job's own. */
	start("gate read at once");
	await(d.log, "too many jobs, or its number twice", 1);
	await(d.log, "job 7 gone, ok 1", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(count(d.log, "notice: ready"), 1);
	remove_outputs();
}

/* Patients, objections, a language, groups, and the report before. */
static void
a_reader_is_given_all_that_is_configured(void **state)
{
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text),
	    "[site]\nname = freiburg\nstate = %s\nkeys = %s\n"
	    "language = de\n"
	    "[coordinator]\naddress = 127.0.0.1:7443\n"
	    "[officer]\npublic-key = d75a980182b10ab7d54bfed3c964073a0ee172f3"
	    "daa62325af021a68f707511a\n"
	    "[source rfs]\ncsv = %s\npatient = pid\nobjections = %s\n"
	    "[control]\nsocket = %s\n",
	    path("state"), path("keys"), path("rfs.csv"), path("refused"),
	    path("socket"));
	put_text("daemon.conf", text);
	put_text("refused", "17\n");
	setenv("CONSILIUM_LOCALE", path("locale"), 1);
	start("");
	assert_int_equal(ended(0), 1);
	assert_non_null(strstr(d.log, "[site] language = de: open "));
	mkdir(path("locale"), 0700);
	mkdir(path("locale/de"), 0700);
	mkdir(path("locale/de/LC_MESSAGES"), 0700);
	put_text("locale/de/LC_MESSAGES/consilium.mo", "a catalogue");
	start("gate read again");
	await(d.log, "job 9 gone, ok 1", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(count(d.log, "reader says: read it"), 3);
	assert_int_equal(count(d.log, "report rfs."), 1);
	assert_non_null(
	    strstr(d.log, "warning: report rfs.3.json: No such file"));
	for (int job = 7; job <= 9; job++) {
		char name[64];

		snprintf(name, sizeof(name), "state/patients/rfs.%d.ids", job);
		assert_true(there(name));
		unlink(path(name));
		snprintf(name, sizeof(name), "state/tables/rfs.%d.table", job);
		unlink(path(name));
		snprintf(name, sizeof(name), "state/reports/rfs.%d.json", job);
		unlink(path(name));
		snprintf(name, sizeof(name), "state/reports/rfs.%d.html", job);
		unlink(path(name));
	}
	/* Whose list is gone has nothing read. */
	unlink(path("refused"));
	start("gate read");
	await(d.log, "job 7 gone, ok 0: open ", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_false(there("state/patients/rfs.7.ids"));
	put_config("");
	unsetenv("CONSILIUM_LOCALE");
}

static void
new_certificates_come_without_a_restart(void **state)
{
	struct ctl_reply r;
	struct err err;

	(void)state;
	start("");
	await(d.log, "notice: ready", 1);
	kill(d.pid, SIGHUP);
	await(d.log, "uplink info: new certificates", 1);
	await(d.heard, "RELOADING=1\nMONOTONIC_USEC=", 1);
	await(d.heard, "READY=1", 2);

	put_certificate(clock_utc() - 90 * CERT_DAY, clock_utc() - CERT_DAY);
	kill(d.pid, SIGHUP);
	await(d.log, "error: not reloaded: ", 1);
	await(d.log, "expired", 1);
	/* The configuration is not read again, and that is said. */
	put_config("[polcy]\n");
	kill(d.pid, SIGHUP);
	await(d.log, "error: not reloaded: ", 2);
	await(d.log, "polcy", 1);
	assert_null(strstr(d.log, "has changed: restart"));
	put_config("[sandbox]\nrequire = no\n");
	kill(d.pid, SIGHUP);
	await(d.log, "daemon.conf has changed: restart", 1);
	await(d.log, "error: not reloaded: ", 3); /* the certificate */
	put_config("");
	put_certificate(
	    clock_utc() - CERT_DAY, clock_utc() + 9 * CERT_DAY - 60);
	assert_int_equal(
	    ctl_call(path("socket"), "status", NULL, NULL, 0, &r, &err), 0);
	assert_string_equal(r.note, "");
	ctl_reply_free(&r);
	kill(d.pid, SIGHUP);
	await(d.log, "uplink info: new certificates", 2);
	/* Whoever asks for anything is told. */
	assert_int_equal(
	    ctl_call(path("socket"), "status", NULL, NULL, 0, &r, &err), 0);
	assert_string_equal(
	    r.note, "the daemon's TLS certificate expires in 8 days");
	ctl_reply_free(&r);
	put_certificate(clock_utc() - CERT_DAY, clock_utc() + 90 * CERT_DAY);
	assert_int_equal(ended(SIGTERM), 0);
	assert_non_null(strstr(d.log, "expires in 8 days: have it renewed"));
	assert_int_equal(count(d.log, "gate info: pid "), 1);
}

/* A line of a file of /proc, without its end. */
static void
proc_line(char line[1024], pid_t pid, const char *what)
{
	char file[64];
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/%s", pid, what);
	assert_non_null(f = fopen(file, "re"));
	assert_non_null(fgets(line, 1024, f));
	line[strcspn(line, "\n")] = '\0';
	fclose(f);
}

/* A child of the daemon. */
static pid_t
child_named(const char *name)
{
	char children[1024], comm[1024], what[64], *p = children;

	snprintf(what, sizeof(what), "task/%d/children", d.pid);
	proc_line(children, d.pid, what);
	for (pid_t pid; (pid = (pid_t)strtol(p, &p, 10)) > 0;) {
		proc_line(comm, pid, "comm");
		if (strcmp(comm, name) == 0)
			return pid;
	}
	fail_msg("no process %s", name);
	return 0;
}

/* All that has been said so far. */
static void
catch_up(void)
{
	size_t len;

	do {
		len = d.log_len + d.heard_len;
		listen_for(0);
	} while (d.log_len + d.heard_len > len);
}

/* Each is held still in turn: from then on it is not fed, and again when all
   answer. */
static void
the_watchdog_is_fed_only_when_all_answer(void **state)
{
	static const char *const names[] = { "gate", "uplink", "control" };

	(void)state;
	setenv("WATCHDOG_USEC", "300000", 1);
	start("");
	await(d.heard, "WATCHDOG=1", 4);
	for (size_t i = 0; i < nitems(names); i++) {
		pid_t pid = child_named(names[i]);
		char what[64];
		int fed, silent;

		snprintf(what, sizeof(what), "%s does not answer", names[i]);
		kill(pid, SIGSTOP);
		catch_up();
		silent = count(d.log, what);
		/* An answer may have been on its way. */
		await(d.log, what, silent + 2);
		catch_up();
		fed = count(d.heard, "WATCHDOG=1");
		silent = count(d.log, what);
		await(d.log, what, silent + 4);
		catch_up();
		assert_int_equal(count(d.heard, "WATCHDOG=1"), fed);
		kill(pid, SIGCONT);
		await(d.heard, "WATCHDOG=1", fed + 2);
	}
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(ended(SIGTERM), 0);
	/* To end who does not answer is systemd's business. */
	assert_int_equal(count(d.log, "notice: ready"), 1);
}

/* What a daemon prints when it is given these options only, and its status. */
static int
prints(const char *options, char out[1024])
{
	static const char *const daemons[] = { "daemon/consiliumd",
		"coordinator/consilium-coordinator" };
	char command[256];
	int status = -1;

	for (size_t i = 0; i < nitems(daemons); i++) {
		FILE *f;
		int rc;

		snprintf(command, sizeof(command), "timeout 60 %s %s 2>&1",
		    daemons[i], options);
		f = popen(command, "re");
		assert_non_null(f);
		out[fread(out, 1, 1023, f)] = '\0';
		rc = pclose(f);
		assert_true(WIFEXITED(rc));
		assert_true(i == 0 || WEXITSTATUS(rc) == status);
		status = WEXITSTATUS(rc);
	}
	return status;
}

static void
options_that_are_none_are_wrong_usage(void **state)
{
	static const char *const wrong[] = { "-x", "--nothing", "-f", "file",
		"-n file", "-x -n" };
	char out[1024];

	(void)state;
	for (size_t i = 0; i < nitems(wrong); i++) {
		assert_int_equal(prints(wrong[i], out), 2);
		assert_non_null(strstr(out, "usage: consilium-coordinator "));
	}
	assert_int_equal(prints("--help", out), 0);
	assert_int_equal(strncmp(out, "usage: ", 7), 0);
	assert_int_equal(prints("--version", out), 0);
	assert_string_equal(out, "consilium-coordinator " PACKAGE_VERSION "\n");
}

/* What it says at once, and that it then ends with status. */
static void
says(const char *what, int status)
{
	assert_int_equal(ended(0), status);
	if (strstr(d.log, what) == NULL)
		fail_msg("no \"%s\" in:\n%s", what, d.log);
	assert_int_equal(count(d.log, "\n"), 1);
}

static void
what_is_wrong_is_one_line(void **state)
{
	int fd, out[2];
	char line[256];
	pid_t first;

	(void)state;
	put_config("[contol]\n");
	start("");
	says("daemon.conf:13:2", 1);
	rename(path("daemon.conf"), path("gone"));
	start("");
	says("daemon.conf: No such file", 1);
	put_config("operator-group = nobody-has-this-group\n");
	start("");
	says("daemon.conf:13:18: no group nobody-has-this-group", 1);
	put_config("");

	rename(path("keys/identity.key"), path("gone"));
	start("");
	says("keys/identity.key: No such file", 1);
	rename(path("gone"), path("keys/identity.key"));
	chmod(path("keys/identity.key"), 0640);
	start("");
	says("daemon.conf:4:8: ", 1);
	assert_non_null(strstr(
	    d.log, "keys/identity.key: mode 0640 lets others at a secret"));
	chmod(path("keys/identity.key"), 0400);
	put_certificate(clock_utc() - 90 * CERT_DAY, clock_utc() - CERT_DAY);
	start("");
	says("keys/tls.crt: ", 1);
	assert_non_null(strstr(d.log, "expired"));
	put_certificate(clock_utc() - CERT_DAY, clock_utc() + 90 * CERT_DAY);

	rename(path("libexec/uplink"), path("gone"));
	start("");
	says("no executable uplink in ", 1);
	rename(path("gone"), path("libexec/uplink"));

	rename(path("state/tables"), path("gone"));
	fd = open(path("state/tables"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	start("");
	says("state/tables", 1);
	unlink(path("state/tables"));
	rename(path("gone"), path("state/tables"));

	/* What lies where the control socket should is nobody's to remove. */
	put_text("socket", "a file");
	start("");
	says("socket: there, and not a socket", 1);
	unlink(path("socket"));
	fd = listen_as_systemd("socket");
	start("");
	says("socket: socket in use by another daemon", 1);
	close(fd);
	unlink(path("socket"));

	start("");
	await(d.log, "notice: ready", 1);
	/* A second one, on the same state and socket. */
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	first = fork();
	if (first == 0)
		become_parent(out[1], NULL);
	close(out[1]);
	waitpid(first, &fd, 0);
	assert_int_equal(WEXITSTATUS(fd), 1);
	line[read(out[0], line, sizeof(line) - 1)] = '\0';
	close(out[0]);
	assert_non_null(strstr(line, "another daemon works in this folder"));
	assert_int_equal(ended(SIGTERM), 0);
}

/* Its status with an option, and whether what it says has what in it. */
static void
says_with(const char *option, int status, const char *what)
{
	/* A process for coverage that has become another user says of each
	   file of counters that it may not write it. */
	static char line[65536];
	int out[2], wstatus;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		become_parent(out[1], option);
	close(out[1]);
	while ((n = read(out[0], line + len, sizeof(line) - 1 - len)) > 0)
		len += (size_t)n;
	line[len] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	assert_int_equal(WEXITSTATUS(wstatus), status);
	if (strstr(line, what) == NULL)
		fail_msg("no \"%s\" in: %s", what, line);
	assert_false(there("socket"));
}

static void
check_says(int status, const char *what)
{
	says_with("-n", status, what);
}

static void
a_check_starts_and_touches_nothing(void **state)
{
	(void)state;
	check_says(0,
	    "daemon.conf: ok: site freiburg, sources: 1, officers: 1, TLS "
	    "certificate until 20");
	says_with("-nd", 0, "daemon.conf: ok: ");
	says_with("-nv", 0, "daemon.conf: ok: ");
	says_with("-nr", 0, "daemon.conf: ok: ");
	put_coordinator_config("");
	coordinator = true;
	check_says(0, "daemon.conf: ok: coordinator freiburg, listens at ");
	put_certificate(clock_utc() - 90 * CERT_DAY, clock_utc() - CERT_DAY);
	check_says(1, "keys/tls.crt: ");
	put_certificate(clock_utc() - CERT_DAY, clock_utc() + 90 * CERT_DAY);
	coordinator = false;
	put_config("");
	put_text("rfs.csv", "");
	check_says(1, "rfs.csv:1: no line that ends, expected a header");
	put_text("rfs.csv", "pid,age");
	check_says(1, "rfs.csv:1: no line that ends, expected a header");
	put_text("rfs.csv", "p\351d,age\n");
	check_says(1, "rfs.csv:1:2: not UTF-8");
	unlink(path("rfs.csv"));
	check_says(1, "daemon.conf:10:7: open ");
	check_says(1, "rfs.csv: No such file");
	put_text("rfs.csv", "pid,age\n");
	configured_name = "Freiburg";
	put_config("");
	check_says(1,
	    "keys/tls.crt: issued to freiburg, and the configuration has name "
	    "= Freiburg");
	put_coordinator_config("");
	coordinator = true;
	check_says(1, "issued to freiburg");
	coordinator = false;
	configured_name = "freiburg";
	put_config("");
}

/* Instead of the configuration's line that begins so. */
static void
put_line(const char *begins, const char *key, const char *value)
{
	char text[8192], *old, *at, *end;
	struct err err;
	size_t len;

	put_config("");
	old = (char *)file_read(path("daemon.conf"), 4096, &len, &err);
	assert_non_null(old);
	assert_non_null(at = strstr(old, begins));
	assert_non_null(end = strchr(at, '\n'));
	snprintf(text, sizeof(text), "%.*s%s%s%s", (int)(at - old), old, key,
	    value, end);
	put_text("daemon.conf", text);
	free(old);
}

static void
a_check_names_file_and_line(void **state)
{
	char list[300];

	(void)state;
	put_line("[source rfs]", "[source Reha!]", "");
	check_says(
	    1, "daemon.conf:9:9: [source Reha!]: expected a study's name");
	put_line("state = ", "state = ", path("no/state"));
	check_says(1, "daemon.conf:3:9: there is no folder ");
	check_says(1, "/no/state, and it cannot be made in ");
	put_line("state = ", "state = ", path("rfs.csv"));
	check_says(1, "daemon.conf:3:9: ");
	check_says(1, "rfs.csv: not a folder, expected one");
	put_line("keys = ", "keys = ", path("no"));
	check_says(1, "daemon.conf:4:8: there is no folder ");
	put_line("socket = ", "socket = ", path("no/run/socket"));
	check_says(1, "daemon.conf:12:10: there is no folder ");
	put_config("operator-group = nobody-has-this-group\n");
	check_says(1, "daemon.conf:13:18: no group nobody-has-this-group");
	put_config("officer-group = nobody-has-this-group\n");
	check_says(1, "daemon.conf:13:17: no group nobody-has-this-group");

	chmod(path("keys/identity.key"), 0604);
	put_config("");
	check_says(1, "daemon.conf:4:8: ");
	check_says(1,
	    "keys/identity.key: mode 0604 lets others at a secret, expected "
	    "0400 or 0600");
	chmod(path("keys/identity.key"), 0600);

	/* Columns are named by the configuration, never by the source. */
	put_line("[source rfs]", "[source rfs]\npatient = ", "mrn");
	check_says(1,
	    "daemon.conf:10:11: patient: no column \"mrn\" in the header of ");
	check_says(1, "rfs.csv, expected one of its 2\n");
	snprintf(list, sizeof(list), "pid\nobjections = %s", path("refused"));
	put_line("[source rfs]", "[source rfs]\npatient = ", list);
	unlink(path("refused"));
	check_says(1, "daemon.conf:11:14: open ");
	put_text("refused", "17\n");
	check_says(0, "sources: 1");
	put_text("rfs.csv", "age;\"pid\"\n1;2\n");
	check_says(0, "sources: 1");
	put_text("rfs.csv", "pid,age\n");

	put_coordinator_config("operator-group = nobody-has-this-group\n");
	coordinator = true;
	check_says(1, "no group nobody-has-this-group");
	check_says(1, "daemon.conf:");
	chmod(path("keys/coordinator.key"), 0440);
	put_coordinator_config("");
	check_says(1, "keys/coordinator.key: mode 0440 lets others at");
	chmod(path("keys/coordinator.key"), 0600);
	coordinator = false;
	put_config("");
}

/* What a daemon's user has to be able to read. */
static const char *const readable[] = { "keys", "keys/ca.crt",
	"keys/coordinator.pub", "keys/identity.key", "keys/pseudonym.key",
	"keys/root.pub", "keys/tls.crt", "keys/tls.key", "rfs.csv" };

/* Those in the build's folder may be out of nobody's reach: copies of what
   stands for the processes, and of control. */
static void
put_programs(void)
{
	static const char *const names[] = { "gate", "uplink", "reader",
		"trainer" };
	char command[4096];

	rename(path("libexec"), path("libexec.root"));
	assert_int_equal(mkdir(path("libexec"), 0711), 0);
	for (size_t i = 0; i < nitems(names); i++) {
		snprintf(command, sizeof(command),
		    "cp \"$builddir/tests/privsep/double\" %s/%s",
		    path("libexec"), names[i]);
		assert_int_equal(system(command), 0);
	}
	snprintf(command, sizeof(command),
	    "cp \"$builddir/daemon/control\" %s && chmod 711 %s/*",
	    path("libexec"), path("libexec"));
	assert_int_equal(system(command), 0);
	assert_int_equal(chmod(path(""), 0711), 0);
}

static void
remove_programs(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -r %s", path("libexec"));
	assert_int_equal(system(command), 0);
	rename(path("libexec.root"), path("libexec"));
}

static void
give_readable(uid_t uid, gid_t gid)
{
	for (size_t i = 0; i < nitems(readable); i++)
		assert_int_equal(chown(path(readable[i]), uid, gid), 0);
}

/* Root is told what the daemon's user will be. */
static void
a_check_by_root_is_one_as_the_daemons_user(void **state)
{
	struct passwd *nobody = getpwuid(NOBODY);
	char as[64];

	(void)state;
	if (geteuid() != 0)
		return; /* who else could become another? */
	assert_non_null(nobody);
	snprintf(as, sizeof(as), " (as user %s)", nobody->pw_name);
	put_config("");
	put_programs();
	assert_int_equal(chown(path("state"), NOBODY, NOGROUP), 0);
	check_says(1, "daemon.conf: Permission denied");
	check_says(1, as);
	assert_int_equal(chmod(path("daemon.conf"), 0644), 0);
	for (size_t i = 0; i < nitems(readable); i++) {
		check_says(1, ": Permission denied");
		check_says(1, as);
		assert_int_equal(chown(path(readable[i]), NOBODY, NOGROUP), 0);
	}
	check_says(0, as);
	give_readable(0, 0);
	assert_int_equal(chown(path("state"), 0, 0), 0);
	remove_programs();
	put_config("");
}

/* All four of a process: real, effective, saved, and of files. */
static void
assert_user(pid_t pid, unsigned uid)
{
	char file[64], line[256], want[64];
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/status", pid);
	snprintf(
	    want, sizeof(want), "Uid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
	assert_non_null(f = fopen(file, "re"));
	while (fgets(line, sizeof(line), f) != NULL &&
	    strncmp(line, "Uid:", 4) != 0)
		;
	fclose(f);
	assert_string_equal(line, want);
}

/* A daemon that root starts by hand is no more than one of systemd's. */
static void
a_start_by_root_is_one_as_the_daemons_user(void **state)
{
	static const char *const names[] = { "gate", "uplink", "control" };
	char text[2048];

	(void)state;
	if (geteuid() != 0)
		return;
	snprintf(text, sizeof(text),
	    "[site]\nname = freiburg\nstate = %s\nkeys = %s\n"
	    "[coordinator]\naddress = 127.0.0.1:7443\n"
	    "[officer]\npublic-key = d75a980182b10ab7d54bfed3c964073a0ee172f3"
	    "daa62325af021a68f707511a\n"
	    "[source rfs]\ncsv = %s\n[control]\nsocket = %s\n",
	    path("nobody"), path("keys"), path("rfs.csv"),
	    path("nobody/socket"));
	put_text("daemon.conf", text);
	assert_int_equal(chmod(path("daemon.conf"), 0644), 0);
	assert_int_equal(mkdir(path("nobody"), 0700), 0);
	assert_int_equal(chown(path("nobody"), NOBODY, NOGROUP), 0);
	put_programs();
	give_readable(NOBODY, NOGROUP);
	start("");
	await(d.log, "notice: ready", 1);
	assert_user(d.pid, NOBODY);
	for (size_t i = 0; i < nitems(names); i++)
		assert_user(child_named(names[i]), NOBODY);
	assert_int_equal(ended(SIGTERM), 0);
	give_readable(0, 0);
	remove_programs();
	put_config("");
}

/* It starts, and says what this kernel cannot limit (NULL: nothing). */
static void
starts_and_says(const char *lacks)
{
	start("");
	await(d.heard, "READY=1", 1);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(count(d.log, "notice: this kernel"), lacks != NULL);
	if (lacks != NULL && strstr(d.log, lacks) == NULL)
		fail_msg("no \"%s\" in:\n%s", lacks, d.log);
}

/* What a kernel cannot limit is said at the start, and refused by who asks for
   more: -r, or [sandbox] require. */
static void
an_older_kernel_is_said_or_refused(void **state)
{
	static const struct {
		const char *landlock, *require;
		bool starts;
		const char *lacks;
	} kernels[] = {
		{ "0", "no", true, "files, TCP ports and signals" },
		{ "0", "files", false, "files, TCP ports and signals" },
		{ "0", "yes", false, "files, TCP ports and signals" },
		{ "1", "files", true, "truncation, TCP ports and signals" },
		{ "2", "yes", false, "truncation, TCP ports and signals" },
		{ "3", "yes", false, "TCP ports and signals" },
		{ "3", "no", true, "TCP ports and signals" },
		{ "5", "yes", false, "signals" },
		{ "6", "yes", true, NULL },
	};
	char library[4096], more[64], what[160];

	(void)state;
	snprintf(library, sizeof(library), "%s/tests/privsep/kernel.so",
	    getenv("builddir"));
	preload = library;
	for (size_t i = 0; i < 2 * nitems(kernels); i++) {
		size_t k = i / 2;

		coordinator = i % 2 == 1;
		setenv("TEST_LANDLOCK", kernels[k].landlock, 1);
		snprintf(more, sizeof(more), "[sandbox]\nrequire = %s\n",
		    kernels[k].require);
		(coordinator ? put_coordinator_config : put_config)(more);
		snprintf(what, sizeof(what),
		    "(Landlock version %s) cannot limit %s",
		    kernels[k].landlock,
		    kernels[k].lacks != NULL ? kernels[k].lacks : "");
		if (kernels[k].starts) {
			starts_and_says(kernels[k].lacks != NULL ? what : NULL);
			continue;
		}
		strcat(what, ": refused, as -r or [sandbox] require says");
		start("");
		says(what, 1);
		assert_string_equal(d.heard, "");
	}
	setenv("TEST_LANDLOCK", "0", 1);
	put_coordinator_config("");
	says_with("-r", 1, ": refused, as -r or");
	coordinator = false;
	put_config("");
	says_with("-r", 1, ": refused, as -r or");
	preload = NULL;
	unsetenv("TEST_LANDLOCK");
}

static void
the_coordinator_has_its_own_processes(void **state)
{
	struct ctl_reply r;
	struct err err;

	(void)state;
	put_coordinator_config("");
	coordinator = true;
	start("");
	await(d.log, "consilium-coordinator notice: ready", 1);
	assert_int_equal(
	    ctl_call(path("socket"), "status", NULL, NULL, 0, &r, &err), 0);
	assert_string_equal(r.cells[0], "status");
	ctl_reply_free(&r);
	kill(d.pid, SIGHUP);
	await(d.log, "listener info: new certificates", 1);
	assert_int_equal(ended(SIGTERM), 0);
	/* rounds: two files, to listener and control; listener: three, to
	   rounds. */
	assert_non_null(strstr(d.log, ", 2 files, 2 peers"));
	assert_non_null(strstr(d.log, ", 3 files, 1 peers"));
	assert_null(strstr(d.log, "error"));
	coordinator = false;
	put_config("");
}

/* Control. */

static int
call(const char *command, const char *study, const void *body, size_t len,
    struct ctl_reply *r, struct err *err)
{
	return ctl_call(path("socket"), command, study, body, len, r, err);
}

static void
a_command_reaches_the_gate_and_its_answer_the_caller(void **state)
{
	static uint8_t big[CTL_BODY_MAX];
	struct ctl_reply r;
	struct err err;

	(void)state;
	start("");
	await(d.log, "notice: ready", 1);
	memset(big, 'x', sizeof(big));
	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_NONE);
	assert_string_equal(r.columns[0], "command");
	assert_string_equal(r.cells[0], "status");
	assert_string_equal(r.cells[1], "");
	assert_string_equal(r.cells[2], "3"); /* both roles: its own user */
	ctl_reply_free(&r);
	assert_int_equal(call("approve", "rfs", big, sizeof(big), &r, &err), 0);
	assert_int_equal(r.code, ERR_NONE);
	assert_string_equal(r.cells[1], "rfs");
	assert_int_equal(r.body_len, sizeof(big));
	assert_memory_equal(r.body, big, sizeof(big));
	ctl_reply_free(&r);
	assert_int_equal(call("dance", NULL, NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_CONFIG);
	assert_string_equal(r.error, "no daemon knows the command dance");
	ctl_reply_free(&r);
	assert_int_equal(ended(SIGTERM), 0);
	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), -1);
	assert_non_null(strstr(err.msg, "no daemon at "));
}

static void
a_report_is_read_from_its_folder_and_from_nowhere_else(void **state)
{
	struct ctl_reply r;
	struct canon_in in;
	struct err err;
	size_t len;

	(void)state;
	start("gate read");
	await(d.log, "job 7 gone, ok 1", 1);
	assert_int_equal(call("report", "rfs.7", NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_NONE);
	in = canon_in(r.body, r.body_len);
	assert_memory_equal(canon_get_bytes(&in, 8, 8, &len), "pid,age\n", 8);
	assert_memory_equal(canon_get_bytes(&in, 8, 8, &len), "pid,age\n", 8);
	assert_memory_equal(canon_get_bytes(&in, 3, 3, &len), "sig", 3);
	assert_int_equal(canon_end(&in, "report", &err), 0);
	ctl_reply_free(&r);
	assert_int_equal(call("report", "rfs.8", NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_SYSTEM);
	ctl_reply_free(&r);
	assert_int_equal(call("report", "../order", NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_PEER);
	ctl_reply_free(&r);
	assert_int_equal(ended(SIGTERM), 0);
	remove_outputs();
}

/* As somebody who is in the operators' group and not in the officers'. */
static int
call_as_operator(const char *command)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct ctl_reply r;
		struct err err;

		if (geteuid() == 0 &&
		    (setgroups(0, NULL) < 0 || setgid(NOGROUP) < 0 ||
			setuid(NOBODY) < 0))
			_exit(99);
		if (call(command, "rfs", NULL, 0, &r, &err) < 0)
			_exit(98);
		_exit((int)r.code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
put_operators(const char *group)
{
	char more[256];

	snprintf(more, sizeof(more),
	    "operator-group = %s\nofficer-group = root\n", group);
	put_config(more);
	assert_int_equal(chmod(path(""), 0711), 0);
}

static void
an_operator_is_no_officer(void **state)
{
	struct group *own = getgrgid(geteuid() == 0 ? NOGROUP : getegid());

	(void)state;
	assert_non_null(own);
	put_operators(own->gr_name);
	start("");
	await(d.log, "notice: ready", 1);
	assert_int_equal(call_as_operator("prepare"), ERR_NONE);
	assert_int_equal(call_as_operator("submit"), ERR_NONE);
	assert_int_equal(call_as_operator("approve"), ERR_REFUSED);
	assert_int_equal(call_as_operator("revoke"), ERR_REFUSED);
	assert_int_equal(call_as_operator("status"), ERR_NONE);
	assert_int_equal(ended(SIGTERM), 0);
	put_config("");
}

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path("socket"));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void
others_are_served_whatever_one_client_sends(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "", 0 }, { "\0\0", 2 }, { "\xff\xff\xff\xff", 4 },
		{ "\0\0\0\0", 4 }, { "\0\0\0\3\xff\xff\xff", 7 },
		{ "\0\0\0\4\x0a\x02\x01x", 8 }, /* a control character */
	};
	struct ctl_reply r;
	struct err err;
	int fds[7];

	(void)state;
	start("");
	await(d.log, "notice: ready", 1);
	for (size_t i = 0; i < nitems(bad); i++) {
		int fd = dial();

		assert_int_equal(
		    send(fd, bad[i].bytes, bad[i].len, MSG_NOSIGNAL),
		    bad[i].len);
		if (i >= 2) { /* a refusal with its reason, and the end */
			char answer[512];

			assert_true(recv(fd, answer, sizeof(answer), 0) > 6);
		}
		close(fd);
	}
	for (size_t i = 0; i < nitems(fds); i++)
		fds[i] = dial(); /* and say nothing */
	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_NONE);
	ctl_reply_free(&r);
	for (size_t i = 0; i < nitems(fds); i++)
		close(fds[i]);
	assert_int_equal(ended(SIGTERM), 0);
	assert_null(strstr(d.log, "error"));
}

/* A request has so long to be there, also if each byte of it comes in time. */
static void
who_sends_byte_after_byte_is_ended(void **state)
{
	int64_t end = clock_mono_ms() + 3 * WAIT_MS;
	struct ctl_reply r;
	struct err err;
	int fds[8];

	(void)state;
	start("");
	await(d.log, "notice: ready", 1);
	for (size_t i = 0; i < nitems(fds); i++) {
		fds[i] = dial();
		assert_int_equal(send(fds[i], "\0\0\x7f\x7f", 4, 0), 4);
	}
	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_REFUSED); /* all places are taken */
	ctl_reply_free(&r);
	for (size_t i = 0; i < nitems(fds);) {
		if (send(fds[i], "x", 1, MSG_NOSIGNAL) == 1) {
			assert_true(clock_mono_ms() < end);
			usleep(20000);
		} else {
			close(fds[i++]);
		}
	}
	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_NONE);
	ctl_reply_free(&r);
	assert_int_equal(ended(SIGTERM), 0);
	assert_null(strstr(d.log, "error"));
}

/* A user takes the places that he may have, and says nothing: others, and
   later he himself, are served. */
static void
a_user_does_not_take_all_places(void **state)
{
	struct group *nogroup = getgrgid(NOGROUP);
	struct ctl_reply r;
	struct err err;
	int fds[8];

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root: there is one user only\n");
		skip();
	}
	assert_non_null(nogroup);
	put_operators(nogroup->gr_name);
	start("");
	await(d.log, "notice: ready", 1);
	for (size_t i = 0; i < nitems(fds); i++)
		fds[i] = dial();
	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_REFUSED);
	assert_string_equal(r.error, "too many requests at once of user 0");
	ctl_reply_free(&r);
	assert_int_equal(call_as_operator("status"), ERR_NONE);
	for (size_t i = 0; i < nitems(fds); i++)
		close(fds[i]);
	do {
		assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
		ctl_reply_free(&r);
	} while (r.code == ERR_REFUSED); /* until it has seen them go */
	assert_int_equal(r.code, ERR_NONE);
	assert_int_equal(ended(SIGTERM), 0);
	put_config("");
}

/* Who may ask for nothing has two places. */
static void
strangers_do_not_take_the_places_of_others(void **state)
{
	struct ctl_reply r;
	struct err err;
	int ends[2], status;
	pid_t pid;
	char c;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root: there is one user only\n");
		skip();
	}
	put_operators("daemon"); /* so that all may connect */
	start("");
	await(d.log, "notice: ready", 1);
	assert_int_equal(call_as_operator("status"), ERR_REFUSED);
	assert_int_equal(call_as_operator("submit"), ERR_REFUSED);
	assert_int_equal(pipe(ends), 0);
	if ((pid = fork()) == 0) {
		if (setgroups(0, NULL) < 0 || setgid(NOGROUP) < 0 ||
		    setuid(NOBODY) < 0)
			_exit(99);
		dial();
		dial();
		_exit(call("status", NULL, NULL, 0, &r, &err) == 0 &&
			    r.code == ERR_REFUSED &&
			    strstr(r.error, "too many") != NULL &&
			    write(ends[1], "x", 1) == 1 && pause() < 0
			? 0
			: 1);
	}
	assert_int_equal(read(ends[0], &c, 1), 1);
	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
	assert_int_equal(r.code, ERR_NONE);
	ctl_reply_free(&r);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(ended(SIGTERM), 0);
	put_config("");
}

/* Where process board listens, as it was logged the n-th time. */
static const char *
fetch(const char *resource, int n)
{
	static const char what[] = "info: page at http://127.0.0.1:";
	static char answer[65536];
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	char request[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len = 0, more;

	await(d.log, what, n);
	sin.sin_port =
	    htons((uint16_t)atoi(strstr(d.log, what) + strlen(what)));
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
	    resource);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL),
	    (ssize_t)strlen(request));
	do {
		more = len;
		take(fd, answer, sizeof(answer), &len);
	} while (len > more);
	close(fd);
	return answer;
}

static void
the_board_is_there_where_it_is_configured(void **state)
{
	static const uint8_t zeros[70000];
	char target[4096], line[128];
	int64_t until = clock_utc() + 50 * CERT_DAY;

	(void)state;
	snprintf(target, sizeof(target), "%s/board/board", getenv("builddir"));
	put_config("[board]\nlisten = localhost:0\n");
	start("");
	assert_int_equal(ended(0), 1); /* no such executable */
	assert_non_null(strstr(d.log, "board"));

	assert_int_equal(symlink(target, path("libexec/board")), 0);
	start("");
	await(d.log, "notice: ready", 1);
	assert_non_null(strstr(fetch("/", 1), "<h1>freiburg</h1>"));
	assert_non_null(strstr(fetch("/metrics", 1), "\nconsilium_up 0\n"));
	put_certificate(clock_utc() - CERT_DAY, until);
	put_text("state/audit.log", "12345");
	put("state/db/gate.db", zeros, sizeof(zeros));
	kill(d.pid, SIGHUP);
	await(d.log, "notice: reloaded", 1);
	snprintf(line, sizeof(line),
	    "\nconsilium_certificate_expiry_timestamp_seconds "
	    "%lld\n",
	    (long long)until);
	assert_non_null(strstr(fetch("/metrics", 1), line));
	snprintf(line, sizeof(line), "\nconsilium_state_bytes %zu\n",
	    sizeof(zeros) + 5);
	assert_non_null(strstr(fetch("/metrics", 1), line));
	assert_non_null(
	    strstr(fetch("/metrics", 1), "\nconsilium_audit_log_bytes 5\n"));
	assert_non_null(
	    strstr(fetch("/metrics", 1), "\nconsilium_state_free_bytes "));
	unlink(path("state/audit.log"));
	unlink(path("state/db/gate.db"));
	kill(pid_of("gate", 1), SIGKILL);
	await(d.log, "notice: ready", 2);
	assert_non_null(strstr(
	    fetch("/metrics", 2), "\nconsilium_process_restarts_total 1\n"));
	assert_int_equal(ended(SIGTERM), 0);

	put_coordinator_config("[board]\nlisten = 127.0.0.1:0\n");
	coordinator = true;
	start("");
	await(d.log, "notice: ready", 1);
	assert_non_null(strstr(d.log, "info: page at http://127.0.0.1:"));
	assert_int_equal(ended(SIGTERM), 0);
	coordinator = false;
	put_config("");
}

/* What is said of a certificate that has so long: in the log, in the answer to
   any command, as a metric (with the alarm of docs/OPERATION.md) and on the
   page.  days < 0: nothing. */
static void
warned(int64_t left, int days)
{
	static const char metric[] =
	    "\nconsilium_certificate_expiry_timestamp_seconds ";
	int64_t until = clock_utc() + left, shown;
	char log[96] = "", note[96] = "";
	const char *found;
	struct ctl_reply r;
	struct err err;

	if (days >= 0) {
		snprintf(log, sizeof(log),
		    "keys/tls.crt expires in %d days: have it renewed", days);
		snprintf(note, sizeof(note),
		    "the daemon's TLS certificate expires in %d days", days);
	}
	put_certificate(clock_utc() - CERT_DAY, until);
	start("");
	await(d.log, "notice: ready", 1);
	if (days >= 0)
		assert_non_null(strstr(d.log, log));
	else
		assert_null(strstr(d.log, "expires in"));

	assert_int_equal(call("status", NULL, NULL, 0, &r, &err), 0);
	assert_string_equal(r.note, note);
	ctl_reply_free(&r);

	assert_non_null(found = strstr(fetch("/metrics", 1), metric));
	shown = strtoll(found + strlen(metric), NULL, 10);
	assert_int_equal(shown, until);
	assert_int_equal(shown - clock_utc() < 30 * CERT_DAY, days >= 0);
	found = strstr(fetch("/", 1), "TLS certificate, until ");
	assert_non_null(found);
	while (strncmp(found, "<div ", 5) != 0)
		found--;
	assert_int_equal(
	    strncmp(found, "<div class=\"fact warn\">", 23) == 0, days >= 0);
	assert_int_equal(ended(SIGTERM), 0);
}

/* A minute less than the days, as a busy machine may take a while. */
static void
an_expiry_is_told_30_days_ahead(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		coordinator = i == 1;
		if (coordinator)
			put_coordinator_config(
			    "[board]\nlisten = localhost:0\n");
		else
			put_config("[board]\nlisten = localhost:0\n");
		warned(30 * CERT_DAY - 60, 29);
		warned(3600, 0);
		warned(31 * CERT_DAY, -1);
	}
	coordinator = false;
	put_certificate(clock_utc() - CERT_DAY, clock_utc() + 90 * CERT_DAY);
	put_config("");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_start_and_all_stop),
		cmocka_unit_test(a_signal_to_all_is_an_orderly_end),
		cmocka_unit_test(the_socket_of_a_socket_unit_is_used_and_stays),
		cmocka_unit_test(a_key_may_be_a_credential),
		cmocka_unit_test(one_killed_all_start_again),
		cmocka_unit_test(who_dies_again_and_again_is_given_up),
		cmocka_unit_test(who_cannot_start_ends_the_parent),
		cmocka_unit_test(no_process_outlives_its_parent),
		cmocka_unit_test(a_reader_makes_what_a_trainer_can_only_read),
		cmocka_unit_test(a_reader_that_fails_leaves_nothing),
		cmocka_unit_test(
		    a_study_without_a_source_is_the_gates_business),
		cmocka_unit_test(a_gate_that_asks_for_another_file_is_stopped),
		cmocka_unit_test(a_gate_that_makes_no_sense_is_stopped),
		cmocka_unit_test(a_reader_is_given_all_that_is_configured),
		cmocka_unit_test(new_certificates_come_without_a_restart),
		cmocka_unit_test(the_watchdog_is_fed_only_when_all_answer),
		cmocka_unit_test(options_that_are_none_are_wrong_usage),
		cmocka_unit_test(what_is_wrong_is_one_line),
		cmocka_unit_test(a_check_starts_and_touches_nothing),
		cmocka_unit_test(a_check_names_file_and_line),
		cmocka_unit_test(a_check_by_root_is_one_as_the_daemons_user),
		cmocka_unit_test(a_start_by_root_is_one_as_the_daemons_user),
		cmocka_unit_test(an_older_kernel_is_said_or_refused),
		cmocka_unit_test(the_coordinator_has_its_own_processes),
		cmocka_unit_test(
		    a_command_reaches_the_gate_and_its_answer_the_caller),
		cmocka_unit_test(
		    a_report_is_read_from_its_folder_and_from_nowhere_else),
		cmocka_unit_test(an_operator_is_no_officer),
		cmocka_unit_test(others_are_served_whatever_one_client_sends),
		cmocka_unit_test(who_sends_byte_after_byte_is_ended),
		cmocka_unit_test(a_user_does_not_take_all_places),
		cmocka_unit_test(strangers_do_not_take_the_places_of_others),
		cmocka_unit_test(the_board_is_there_where_it_is_configured),
		cmocka_unit_test(an_expiry_is_told_30_days_ahead),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

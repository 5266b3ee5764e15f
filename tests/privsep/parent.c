#include "config.h"

#include "tests/check.h"
#include "tests/privsep/parent.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
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
#include "privsep/lock.h"

static char dir[] = "/tmp/consilium-parents-XXXXXX";
const char *configured_name = "freiburg";
static struct join_request site = { .role = JOIN_SITE, .name = "freiburg" };
static struct cert_key *ca, *tls;
static struct canon ca_pem;

bool coordinator;
int socket_unit = -1;
const char *preload;
struct daemon d;

const char *
path(const char *name)
{
	static char p[8][256];
	static int next;
	char *s = p[next++ % 8];

	snprintf(s, sizeof(p[0]), "%s/%s", dir, name);
	return s;
}

void
put(const char *name, const void *data, size_t len)
{
	struct err err;

	if (file_write(path(name), data, len, 0600, &err) < 0)
		fail_msg("%s", err.msg);
}

void
put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

void
put_certificate(int64_t from, int64_t until)
{
	struct cert_life life = { from, until };
	struct cert_pem pem = { "ca.crt", (const char *)ca_pem.data,
		ca_pem.len };
	struct canon out = { 0 };
	struct err err;

	if (cert_issue(ca, pem, "eurobreast", &site, life, &out, &err) < 0)
		fail_msg("%s", err.msg);
	put("keys/tls.crt", out.data, out.len);
	canon_free(&out);
}

void
put_config(const char *more)
{
	char text[4096];

	snprintf(text, sizeof(text),
	    "[site]\nname = %s\nstate = %s\nkeys = %s\n"
	    "[coordinator]\naddress = 127.0.0.1:7443\n"
	    "[officer]\npublic-key = d75a980182b10ab7d54bfed3c964073a0ee172f3"
	    "daa62325af021a68f707511a\n"
	    "[source rfs]\ncsv = %s\n"
	    "[control]\nsocket = %s\n%s",
	    configured_name, path("state"), path("keys"), path("rfs.csv"),
	    path("socket"), more);
	put_text("daemon.conf", text);
}

int
set_up(void **state)
{
	static const char *const keys[] = { "identity.key", "root.pub",
		"coordinator.pub", "pseudonym.key", "coordinator.key" };
	static const char *const doubles[] = { "gate", "uplink", "reader",
		"trainer", "listener", "rounds" };
	const char *build = getenv("builddir");
	struct cert_life life = { clock_utc() - 100 * CERT_DAY,
		clock_utc() + 1000 * CERT_DAY };
	struct canon spki = { 0 };
	char target[4096];
	struct err err;

	(void)state;
	if (mkdtemp(dir) == NULL || (ca = cert_key_new(&err)) == NULL ||
	    (tls = cert_key_new(&err)) == NULL ||
	    cert_make_ca(ca, "eurobreast", life, &ca_pem, &err) < 0 ||
	    cert_key_spki(tls, &spki, &err) < 0)
		return -1;
	memcpy(site.spki, spki.data, spki.len);
	site.spki_len = spki.len;
	canon_free(&spki);
	mkdir(path("keys"), 0700);
	mkdir(path("libexec"), 0700);
	mkdir(path("state"), 0700);
	for (size_t i = 0; i < nitems(keys); i++) {
		char name[64];

		snprintf(name, sizeof(name), "keys/%s", keys[i]);
		put_text(name, "a key");
	}
	if (cert_key_save(tls, path("keys/tls.key"), &err) < 0)
		return -1;
	put("keys/ca.crt", ca_pem.data, ca_pem.len);
	put_certificate(clock_utc() - CERT_DAY, clock_utc() + 90 * CERT_DAY);
	put_text("rfs.csv", "pid,age\n");
	put_config("");
	for (size_t i = 0; i < nitems(doubles); i++) {
		char name[64];

		snprintf(
		    target, sizeof(target), "%s/tests/privsep/double", build);
		snprintf(name, sizeof(name), "libexec/%s", doubles[i]);
		if (symlink(target, path(name)) < 0)
			return -1;
	}
	snprintf(target, sizeof(target), "%s/daemon/control", build);
	return symlink(target, path("libexec/control"));
}

int
tear_down(void **state)
{
	char command[300];

	(void)state;
	cert_key_free(ca);
	cert_key_free(tls);
	canon_free(&ca_pem);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int
notify_socket(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path("notify"));
	unlink(sun.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* As systemd hands over a socket: descriptor 3, and who is meant. */
static void
hand_over(int fd)
{
	char pid[16];

	if (fd != 3)
		dup2(fd, 3);
	fcntl(3, F_SETFD, 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "control", 1);
}

void
become_parent(int out, const char *option)
{
	char program[4096];

	dup2(out, STDERR_FILENO);
	if (option != NULL)
		dup2(out, STDOUT_FILENO);
	if (socket_unit >= 0)
		hand_over(socket_unit);
	snprintf(program, sizeof(program), "%s/%s", getenv("builddir"),
	    coordinator ? "coordinator/consilium-coordinator"
			: "daemon/consiliumd");
	setenv("CONSILIUM_LIBEXEC", path("libexec"), 1);
	setenv("NOTIFY_SOCKET", path("notify"), 1);
	if (preload != NULL) {
		setenv(LOCK_STATE_ENV, path("state"), 1);
		setenv("LD_PRELOAD", preload, 1);
	}
	execl(program, program, "-f", path("daemon.conf"), option, NULL);
	_exit(99);
}

/* The last line of the configuration is for the doubles. */
static void
put_order(const char *order)
{
	char text[8192], *old, *end;
	struct stat was;
	struct err err;
	size_t len;

	old = (char *)file_read(path("daemon.conf"), 4096, &len, &err);
	if (old == NULL) /* the test has taken it away */
		return;
	if ((end = strstr(old, "# order ")) != NULL)
		*end = '\0';
	snprintf(text, sizeof(text), "%s# order %s\n", old, order);
	assert_int_equal(stat(path("daemon.conf"), &was), 0);
	put_text("daemon.conf", text);
	assert_int_equal(chmod(path("daemon.conf"), was.st_mode & 0777), 0);
	free(old);
}

void
start(const char *order)
{
	int out[2];

	put_order(order);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	d.log_len = d.heard_len = 0;
	d.log[0] = d.heard[0] = '\0';
	d.notify = notify_socket();
	d.out = out[0];
	assert_true((d.pid = fork()) >= 0);
	if (d.pid == 0)
		become_parent(out[1], NULL);
	close(out[1]);
}

void
take(int fd, char *buf, size_t size, size_t *len)
{
	ssize_t n = read(fd, buf + *len, size - 1 - *len);

	if (n <= 0)
		return;
	*len += (size_t)n;
	buf[*len] = '\0';
}

bool
listen_for(int ms)
{
	struct pollfd p[2] = { { d.out, POLLIN, 0 }, { d.notify, POLLIN, 0 } };
	size_t before = d.log_len;

	poll(p, 2, ms);
	if ((p[1].revents & POLLIN) != 0)
		take(d.notify, d.heard, sizeof(d.heard), &d.heard_len);
	if (p[0].revents != 0)
		take(d.out, d.log, sizeof(d.log), &d.log_len);
	return p[0].revents == 0 || d.log_len > before;
}

int
count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

void
await(const char *text, const char *what, int n)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	while (count(text, what) < n) {
		if (clock_mono_ms() > end || !listen_for(100))
			break;
	}
	if (count(text, what) < n)
		fail_msg("no \"%s\" in:\n%s\n%s", what, d.log, d.heard);
}

int
ended(int sig)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	int status;

	if (sig != 0)
		kill(d.pid, sig);
	while (waitpid(d.pid, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > end) {
			kill(d.pid, SIGKILL);
			waitpid(d.pid, &status, 0);
			fail_msg("it does not end:\n%s", d.log);
		}
		listen_for(10);
	}
	while (listen_for(0) && d.log_len < sizeof(d.log) - 1) {
		struct pollfd p = { d.out, POLLIN, 0 };

		if (poll(&p, 1, 0) == 0)
			break;
	}
	while (recv(d.notify, d.heard + d.heard_len,
		   sizeof(d.heard) - 1 - d.heard_len, MSG_DONTWAIT) > 0)
		d.heard_len = strlen(d.heard);
	close(d.out);
	close(d.notify);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t
pid_of(const char *name, int n)
{
	char what[64];
	const char *p = d.log;

	snprintf(what, sizeof(what), "%s info: pid ", name);
	await(d.log, what, n);
	for (int i = 0; i < n; i++)
		p = strstr(p, what) + strlen(what);
	return atoi(p);
}

void
put_coordinator_config(const char *more)
{
	char text[4096];

	snprintf(text, sizeof(text),
	    "[coordinator]\nname = %s\nstate = %s\nkeys = %s\n"
	    "listen = 127.0.0.1:0\n[control]\nsocket = %s\n%s",
	    configured_name, path("state"), path("keys"), path("socket"), more);
	put_text("daemon.conf", text);
}

bool
there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

void
remove_outputs(void)
{
	unlink(path("state/tables/rfs.7.table"));
	unlink(path("state/reports/rfs.7.json"));
	unlink(path("state/reports/rfs.7.html"));
}

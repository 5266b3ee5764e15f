/*
 * The process control, locked in as in production.  The test is its parent, the
 * gate behind it, and whoever calls.
 */
#include "config.h"

#include "tests/check.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/ctl_wire.h"
#include "privsep/family.h"
#include "tests/faults/child.h"

#define OPERATORS "12345"
#define OFFICERS "23456"
#define NOBODY 65534
#define DAY_S 86400

static pid_t pid;
static struct chan *parent, *gate;
static int listener = -1, reports = -1;

/*
 * Start and end
 */

static void
give_facts(const char *until, bool groups)
{
	char uid[16];
	const struct family_fact facts[] = {
		{ "uid", uid },
		{ "operator-gid", groups ? OPERATORS : "-1" },
		{ "officer-gid", groups ? OFFICERS : "-1" },
		{ "certificate-until", until },
	};
	struct err err;

	snprintf(uid, sizeof(uid), "%u", getuid());
	assert_int_equal(family_give_config(parent, "c", "", 0, facts,
			     until != NULL ? 4 : 3, &err),
	    0);
}

static void
begin(void)
{
	unlink(in_dir("log"));
	pid = child_start(
	    PROC_CONTROL, false, LOG_WARNING, PROC_GATE, &parent, &gate);
}

static void
start(bool groups, bool with_reports)
{
	struct err err;
	struct msg m;

	begin();
	family_give_file(parent, "socket", listener, &err);
	if (with_reports)
		family_give_file(parent, "reports", reports, &err);
	give_facts(NULL, groups);
	assert_int_equal(chan_wait(parent, &m, TIMEOUT_MS, &err), 1);
	assert_int_equal(m.type, MSG_READY);
	msg_free(&m);
}

/* Its exit status; what it said is in the log. */
static int
ended(void)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	chan_free(parent);
	chan_free(gate);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
stop(void)
{
	struct err err;

	chan_send(parent, MSG_STOP, 0, NULL, 0, -1, &err);
	assert_int_equal(ended(), 0);
}

static void
said(const char *words)
{
	struct err err;
	size_t len;
	char *text = (char *)file_read(in_dir("log"), 1 << 20, &len, &err);

	if (text == NULL || strstr(text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, text);
	free(text);
}

/*
 * Who calls
 */

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = TIMEOUT_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", in_dir("socket"));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

static int
ask(const char *command)
{
	struct ctl_request q = { .body = (const uint8_t *)"", .body_len = 0 };
	struct canon out = { 0 };
	struct err err;
	int fd = dial();

	snprintf(q.command, sizeof(q.command), "%s", command);
	assert_int_equal(ctl_wire_request_write(&q, &out, &err), 0);
	assert_int_equal(
	    send(fd, out.data, out.len, MSG_NOSIGNAL), (ssize_t)out.len);
	canon_free(&out);
	return fd;
}

static void
hear(int fd, struct ctl_reply *r)
{
	static uint8_t answer[CTL_WIRE_REPLY_MAX];
	struct err err;
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, answer + len, sizeof(answer) - len, 0)) > 0)
		len += (size_t)n;
	close(fd);
	assert_true(len >= CTL_WIRE_HEAD);
	if (ctl_wire_reply_read(
		answer + CTL_WIRE_HEAD, len - CTL_WIRE_HEAD, r, &err) < 0)
		fail_msg("%s", err.msg);
}

/* The number of the request that reaches the gate. */
static uint64_t
asked(void)
{
	struct err err;
	struct msg m;
	uint64_t tag;

	assert_int_equal(chan_wait(gate, &m, TIMEOUT_MS, &err), 1);
	assert_int_equal(m.type, MSG_CTL_REQUEST);
	tag = m.tag;
	msg_free(&m);
	return tag;
}

static void
answer(uint64_t tag, const void *body, size_t len)
{
	struct ctl_reply r = { 0 };
	struct err err;

	ctl_reply_bytes(&r, body, len);
	assert_int_equal(ctl_reply_send(&r, gate, tag, &err), 0);
	assert_int_equal(chan_drain(gate, TIMEOUT_MS, &err), 0);
}

static void
is_well(void)
{
	struct ctl_reply r;
	int fd = ask("status");

	answer(asked(), "well", 4);
	hear(fd, &r);
	assert_int_equal(r.code, ERR_NONE);
	assert_memory_equal(r.body, "well", 4);
	ctl_reply_free(&r);
}

static void
who_asks_is_told_when_the_certificate_ends(void **state)
{
	static const struct {
		int64_t left;
		const char *note;
	} cases[] = {
		{ -5, "the daemon's TLS certificate has expired" },
		{ DAY_S + DAY_S / 2,
		    "the daemon's TLS certificate expires in 1 day" },
		{ 10 * DAY_S + DAY_S / 2,
		    "the daemon's TLS certificate expires in 10 days" },
		{ 31 * DAY_S, "" },
	};
	struct ctl_reply r;
	struct err err;
	struct msg m;

	(void)state;
	start(false, false);
	for (size_t i = 0; i < nitems(cases); i++) {
		char until[24];
		int fd;

		snprintf(until, sizeof(until), "%lld",
		    (long long)(clock_utc() + cases[i].left));
		give_facts(until, false);
		chan_send(parent, MSG_PING, i, NULL, 0, -1, &err);
		assert_int_equal(chan_wait(parent, &m, TIMEOUT_MS, &err), 1);
		assert_int_equal(m.type, MSG_PONG);
		msg_free(&m);
		fd = ask("nonsense"); /* also beside an error */
		hear(fd, &r);
		assert_int_equal(r.code, ERR_CONFIG);
		assert_string_equal(r.note, cases[i].note);
		ctl_reply_free(&r);
	}
	stop();
}

/* As another user, who has these groups beside his first. */
static enum err_code
ask_as(const char *command, gid_t first, const gid_t *groups, size_t n)
{
	struct ctl_reply r;
	pid_t caller;
	int status;

	if ((caller = fork()) == 0) {
		if (setgroups(n, groups) < 0 || setgid(first) < 0 ||
		    setuid(NOBODY) < 0)
			_exit(99);
		hear(ask(command), &r);
		_exit((int)r.code);
	}
	/* Who may not is answered by control itself. */
	for (;;) {
		struct err err;
		struct msg m;

		if (waitpid(caller, &status, WNOHANG) == caller)
			break;
		if (chan_recv(gate, &m, &err) == 1) {
			answer(m.tag, "", 0);
			msg_free(&m);
		}
		usleep(1000);
	}
	assert_true(WIFEXITED(status));
	return (enum err_code)WEXITSTATUS(status);
}

static void
a_group_counts_whether_it_is_the_first_or_not(void **state)
{
	const gid_t operators = (gid_t)atoi(OPERATORS),
		    officers = (gid_t)atoi(OFFICERS),
		    both[] = { 7, officers, operators };

	(void)state;
	if (geteuid() != 0)
		return; /* who else could become another? */
	start(true, false);
	assert_int_equal(ask_as("submit", operators, NULL, 0), ERR_NONE);
	assert_int_equal(ask_as("approve", operators, NULL, 0), ERR_REFUSED);
	assert_int_equal(ask_as("submit", NOBODY, both, 3), ERR_NONE);
	assert_int_equal(ask_as("approve", NOBODY, both, 3), ERR_NONE);
	assert_int_equal(ask_as("approve", NOBODY, both, 1), ERR_REFUSED);
	assert_int_equal(ask_as("status", NOBODY, both, 2), ERR_NONE);
	assert_int_equal(ask_as("status", NOBODY, both, 1), ERR_REFUSED);
	assert_int_equal(ask_as("submit", NOBODY, NULL, 0), ERR_REFUSED);
	stop();
}

static void
report_is(const void *body, size_t len, enum err_code code, const char *words)
{
	struct ctl_reply r;
	int fd = ask("report");

	answer(asked(), body, len);
	hear(fd, &r);
	assert_int_equal(r.code, code);
	if (strstr(r.error, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, r.error);
	ctl_reply_free(&r);
}

static void
named_report_is(const char *name, enum err_code code, const char *words)
{
	struct canon c = { 0 };

	canon_text(&c, name);
	canon_bytes(&c, "signature", 9);
	report_is(c.data, c.len, code, words);
	canon_free(&c);
}

static void
put(const char *name, const void *p, size_t len)
{
	struct err err;
	char path[64];

	snprintf(path, sizeof(path), "state/reports/%s", name);
	assert_int_equal(file_write(in_dir(path), p, len, 0600, &err), 0);
}

static void
a_report_is_all_of_it_or_an_error(void **state)
{
	static uint8_t big[CTL_REPLY_MAX / 2 + 1];

	(void)state;
	put("half.1.json", "{}", 2);
	put("big.1.json", big, sizeof(big));
	put("rfs.1.json", "{}", 2);
	put("rfs.1.html", "<p>", 3);
	start(false, true);
	named_report_is("rfs.1", ERR_NONE, "");
	named_report_is(
	    "../reports/rfs.1", ERR_PEER, "there is no such report");
	named_report_is("none.1", ERR_SYSTEM, "report none.1.json: No such");
	named_report_is("half.1", ERR_SYSTEM, "report half.1.html: No such");
	named_report_is("big.1", ERR_FORMAT, "big.1.json");
	report_is("\0\0\0\5rfs", 7, ERR_FORMAT, "the report's name");
	stop();
	start(false, false);
	named_report_is("rfs.1", ERR_PEER, "there is no such report");
	stop();
}

static uint8_t much[CTL_REPLY_MAX / 2]; /* more than a socket holds */

static void
who_reads_slowly_gets_all_of_it(void **state)
{
	struct ctl_reply r;
	int fd;

	(void)state;
	memset(much, 'x', sizeof(much));
	start(false, false);
	fd = ask("result");
	answer(asked(), much, sizeof(much));
	is_well(); /* meanwhile */
	hear(fd, &r);
	assert_int_equal(r.body_len, sizeof(much));
	assert_memory_equal(r.body, much, sizeof(much));
	ctl_reply_free(&r);
	stop();
}

static void
who_does_not_wait_is_nobodys_loss(void **state)
{
	struct ctl_reply r;
	uint64_t tag;
	int fd, other;
	char c;

	(void)state;
	start(false, false);
	/* Gone before the answer. */
	fd = ask("status");
	tag = asked();
	close(fd);
	is_well();
	answer(tag, "late", 4);
	/* Of nobody's question. */
	answer(0, "zero", 4);
	answer(9999, "none", 4);
	is_well();
	/* Gone in the middle of it. */
	fd = ask("result");
	answer(asked(), much, sizeof(much));
	assert_int_equal(recv(fd, &c, 1, 0), 1);
	close(fd);
	is_well();
	/* Gone in the middle of the question. */
	fd = dial();
	assert_int_equal(send(fd, "\0\0", 2, MSG_NOSIGNAL), 2);
	close(fd);
	/* No more to say, and waits for the answer. */
	fd = ask("status");
	shutdown(fd, SHUT_WR);
	tag = asked();
	is_well();
	answer(tag, "", 0);
	hear(fd, &r);
	assert_int_equal(r.code, ERR_NONE);
	ctl_reply_free(&r);
	/* At its end there may be some. */
	fd = ask("status");
	tag = asked();
	other = dial();
	is_well();
	stop();
	close(fd);
	close(other);
}

static void
a_question_is_as_long_as_it_may_be(void **state)
{
	struct ctl_reply r;
	int fd;

	(void)state;
	start(false, false);
	fd = dial();
	assert_int_equal(send(fd, "\x7f\xff\xff\xff", 4, MSG_NOSIGNAL), 4);
	hear(fd, &r);
	assert_int_equal(r.code, ERR_REFUSED);
	assert_non_null(strstr(r.error, "a request of 2147483651 bytes"));
	ctl_reply_free(&r);
	is_well();
	stop();
}

static void
a_gate_that_makes_no_sense_is_its_end(void **state)
{
	static const uint8_t nonsense[32] = { 0, 0, 0, 0, 0xff };
	struct err err;
	int fd;

	(void)state;
	start(false, false);
	fd = ask("status");
	assert_int_equal(chan_send(gate, MSG_CTL_REPLY, asked(), nonsense,
			     sizeof(nonsense), -1, &err),
	    0);
	assert_int_equal(ended(), 1);
	said("control error: CTL_REPLY");
	close(fd);
}

static void
without_a_socket_it_does_not_start(void **state)
{
	(void)state;
	begin();
	give_facts(NULL, false);
	assert_int_equal(ended(), 1);
	said("control error: no socket, or nobody to ask");
}

static int
set_up(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (child_set_up(state) < 0 || mkdir(in_dir("state/reports"), 0700) < 0)
		return -1;
	/* Others come to the socket. */
	chmod(in_dir(""), 0711);
	listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", in_dir("socket"));
	if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    chmod(sun.sun_path, 0666) < 0 || listen(listener, 16) < 0)
		return -1;
	reports = open(in_dir("state/reports"), O_RDONLY | O_CLOEXEC);
	return reports < 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	close(listener);
	close(reports);
	return child_tear_down(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asks_is_told_when_the_certificate_ends),
		cmocka_unit_test(a_group_counts_whether_it_is_the_first_or_not),
		cmocka_unit_test(a_report_is_all_of_it_or_an_error),
		cmocka_unit_test(who_reads_slowly_gets_all_of_it),
		cmocka_unit_test(who_does_not_wait_is_nobodys_loss),
		cmocka_unit_test(a_question_is_as_long_as_it_may_be),
		cmocka_unit_test(a_gate_that_makes_no_sense_is_its_end),
		cmocka_unit_test(without_a_socket_it_does_not_start),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

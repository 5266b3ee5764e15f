/*
 * Process board, as its parent starts it, with this test as parent, gate and
 * browser.
 */
#include "config.h"

#include "tests/check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "board/snapshot.h"
#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/ini.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/family.h"
#include "privsep/house_board.h"
#include "privsep/spawn.h"
#include "tests/board/openmetrics.h"

#define WAIT_MS 20000
#define UNTIL "1900000000" /* 2030-03-17 17:46:40 UTC */

static struct {
	struct house_board house;
	uint16_t port;
	pid_t pid;
	struct chan *parent, *gate;
} b;

static char host[] = "127.0.0.1", any[] = "127.0.0.1:0";
static struct ini_address any_port = { any, host, 0 };

static void
tell(const char *until)
{
	const struct family_fact facts[] = {
		{ "side", "site" },
		{ "name", "Frei<b>urg" },
		{ "listen", b.house.at },
		{ "started", "1790000000" },
		{ "certificate-until", until },
		{ "restarts", "2" },
		{ "state-bytes", "2540000000" },
		{ "state-free-bytes", "731000" },
		{ "audit-bytes", "1234" },
	};
	struct err err;

	assert_int_equal(family_give_config(b.parent, "board", "", 0, facts,
			     nitems(facts), &err),
	    0);
}

static int
start(void **state)
{
	struct family_plan plan = { .residents = { PROC_GATE } };
	uint8_t gate = PROC_GATE;
	struct err err;
	struct msg m;
	int ends[2];

	(void)state;
	assert_int_equal(
	    house_board_open(&b.house, &any_port, &plan, PROC_GATE, &err), 0);
	assert_int_equal(plan.residents[1], PROC_BOARD);
	assert_int_equal(plan.wires[0].a, PROC_GATE);
	assert_int_equal(plan.wires[0].b, PROC_BOARD);
	b.port = (uint16_t)atoi(strchr(b.house.at, ':') + 1);
	b.pid = spawn(PROC_BOARD, LOG_INFO, &b.parent, &err);
	assert_true(b.pid > 0);
	assert_int_equal(chan_pair(ends, &err), 0);
	assert_int_equal(
	    chan_send(b.parent, MSG_PEER, 0, &gate, 1, ends[0], &err), 0);
	close(ends[0]);
	b.gate = chan_new(ends[1], PROC_BOARD, &err);
	assert_int_equal(
	    family_give_file(b.parent, "board", b.house.fd, &err), 0);
	tell(UNTIL);
	assert_int_equal(chan_wait(b.parent, &m, WAIT_MS, &err), 1);
	assert_int_equal(m.type, MSG_READY);
	assert_non_null(memmem(m.data, m.len, b.house.at, strlen(b.house.at)));
	msg_free(&m);
	return 0;
}

/* How it ended. */
static int
end(void)
{
	int status;

	assert_int_equal(waitpid(b.pid, &status, 0), b.pid);
	chan_free(b.parent);
	chan_free(b.gate);
	close(b.house.fd);
	return status;
}

static int
stop(void **state)
{
	struct err err;

	(void)state;
	chan_send(b.parent, MSG_STOP, 0, NULL, 0, -1, &err);
	return end();
}

/* All that was sent before this is dealt with after it. */
static void
ping(void)
{
	static uint64_t tag;
	struct err err;
	struct msg m;

	assert_int_equal(
	    chan_send(b.parent, MSG_PING, ++tag, NULL, 0, -1, &err), 0);
	assert_int_equal(chan_wait(b.parent, &m, WAIT_MS, &err), 1);
	assert_int_equal(m.type, MSG_PONG);
	assert_true(m.tag == tag);
	msg_free(&m);
}

/* The browser. */

static int
dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(b.port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

/* Everything until the other side closes. */
static const char *
hear(int fd)
{
	static char answer[256 * 1024];
	size_t len = 0;
	ssize_t n;

	do {
		struct pollfd p = { fd, POLLIN, 0 };

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
		assert_true(len < sizeof(answer) - 1);
	} while (n > 0);
	answer[len] = '\0';
	close(fd);
	return answer;
}

static const char *
say(const char *request)
{
	int fd = dial();

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL),
	    (ssize_t)strlen(request));
	return hear(fd);
}

static const char *
fetch(const char *method, const char *path)
{
	char request[512];

	snprintf(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path);
	return say(request);
}

static const char *
body_of(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	assert_non_null(body);
	return body + 4;
}

static void
has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("there is no %s in:\n%s", part, text);
}

static void
lacks(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("there is %s in:\n%s", part, text);
}

static void
send_state(void)
{
	const struct board_study lung = { .name = "lung",
		.status = "approved",
		.step = 3,
		.kind = "newton",
		.round = 4,
		.phase = "uploading",
		.have = 2,
		.need = 3,
		.most = 5,
		.rounds_done = 6,
		.deadline = 1795000000,
		.missing = "lyon, <script>alert('x')</script>",
		.prepared = "2386 rows, 4 suppressed",
		.decided = "approved on 2026-11-20" };
	const struct board_study birth = { .name = "bi\"rth\\weight",
		.status = "refused",
		.why = "smallest-k 3 < 5 & purpose unknown" };
	struct board_writer w = { 0 };
	struct err err;

	board_study(&w, &lung);
	board_study(&w, &birth);
	board_fact(&w, "manifest-epoch", "12");
	board_fact(&w, "needs-restore", "1");
	board_fact(&w, "failed-preparations", "3");
	board_fact(&w, "refused-messages", "0");
	board_fact(&w, "checkpoint-utc", "1795000001");
	board_fact(&w, "coordinator-reached", "1");
	board_fact(&w, "sites-connected", "3");
	board_fact(&w, "rounds-summed", "7");
	board_fact(&w, "rounds-aborted", "2");
	board_fact(&w, "round-finished-utc", "1795000002");
	board_fact(&w, "members", "not a number");
	board_fact(&w, "policy <purposes>", "research & teaching");
	assert_int_equal(board_send(&w, b.gate, &err), 0);
	assert_int_equal(chan_drain(b.gate, WAIT_MS, &err), 0);
}

/* A snapshot travels beside the parent's channel: wait until it is shown. */
static void
wait_for(const char *path, const char *part)
{
	for (int i = 0; i < 200; i++) {
		if (strstr(fetch("GET", path), part) != NULL)
			return;
		usleep(10000);
	}
	fail_msg("there never was %s", part);
}

/* The tests. */

static void
before_the_first_snapshot_it_says_so(void **state)
{
	(void)state;
	has(fetch("GET", "/"), "have not told their state yet");
	has(fetch("GET", "/metrics"), "\nconsilium_up 0\n");
	assert_null(openmetrics_check(body_of(fetch("GET", "/metrics"))));
}

static void
the_page_shows_what_was_sent_and_escapes_it(void **state)
{
	static const char *const parts[] = { "<h1>Frei&lt;b&gt;urg</h1>",
		"<td>lung</td><td>approved</td><td>3: newton</td><td>4</td>"
		"<td>uploading</td><td class=\"long\">2 of 5, 3 needed</td>",
		"lyon, &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
		"<td class=\"long\">2026-11-18 11:06:40 UTC</td>",
		"2386 rows, 4 suppressed", "approved on 2026-11-20",
		"bi&quot;rth\\weight",
		"smallest-k 3 &lt; 5 &amp; purpose unknown",
		"<dt>policy &lt;purposes&gt;</dt><dd>research &amp; teaching",
		"2030-03-17 17:46:40 UTC", "<b>2</b>restarts",
		"<b>731 KB</b>free for the state, which has 2.5 GB",
		"<div class=\"fact\"><b>reached</b>coordinator</div>",
		"<dt>round finished</dt><dd>2026-11-18 11:06:42 UTC</dd>",
		"<dt>refused messages</dt><dd>0</dd>", PACKAGE_VERSION };
	const char *page;

	(void)state;
	send_state();
	wait_for("/", "lung");
	page = fetch("GET", "/");
	for (size_t i = 0; i < nitems(parts); i++)
		has(page, parts[i]);
	lacks(page, "<script");
	lacks(page, "http://");
	lacks(page, "src=");
}

static void
a_column_that_says_nothing_is_left_out(void **state)
{
	const struct board_study s = { .name = "lung", .status = "running" };
	struct board_writer w = { 0 };
	struct err err;

	(void)state;
	board_study(&w, &s);
	assert_int_equal(board_send(&w, b.gate, &err), 0);
	wait_for("/", "<td>lung</td><td>running</td></tr>");
	lacks(fetch("GET", "/"), "Deadline");
}

static void
contact_that_is_missing_is_marked(void **state)
{
	struct board_writer w = { 0 };
	struct err err;

	(void)state;
	board_fact(&w, "members", "4");
	board_fact(&w, "sites-connected", "3");
	board_fact(&w, "coordinator-reached", "0");
	assert_int_equal(board_send(&w, b.gate, &err), 0);
	wait_for("/", "class=\"fact warn\"><b>3 of 4</b>members connected");
	has(fetch("GET", "/"),
	    "class=\"fact warn\"><b>not reached</b>coordinator");
	board_fact(&w, "members", "4");
	board_fact(&w, "sites-connected", "4");
	assert_int_equal(board_send(&w, b.gate, &err), 0);
	wait_for("/", "class=\"fact\"><b>4 of 4</b>members connected");
	lacks(fetch("GET", "/"), "</b>coordinator");
}

static void
every_answer_forbids_the_browser_all_else(void **state)
{
	static const char *const paths[] = { "/", "/metrics", "/nothing" };

	(void)state;
	for (size_t i = 0; i < nitems(paths); i++) {
		const char *answer = fetch("GET", paths[i]);

		has(answer,
		    "\r\nContent-Security-Policy: default-src 'none'; "
		    "style-src 'unsafe-inline'; ");
		has(answer, "\r\nX-Content-Type-Options: nosniff\r\n");
		has(answer, "\r\nCache-Control: no-store\r\n");
		has(answer, "\r\nConnection: close\r\n");
	}
}

static void
the_metrics_are_openmetrics(void **state)
{
	static const char *const lines[] = {
		"consilium_build_info{side=\"site\",name=\"Frei<b>urg\","
		"version=\"" PACKAGE_VERSION "\"} 1",
		"consilium_up 1",
		"consilium_certificate_expiry_timestamp_seconds " UNTIL,
		"consilium_process_restarts_total 2",
		"consilium_manifest_epoch 12",
		"consilium_needs_restore 1",
		"consilium_preparation_failures_total 3",
		"consilium_refused_messages_total 0",
		"consilium_checkpoint_timestamp_seconds 1795000001",
		"consilium_state_bytes 2540000000",
		"consilium_state_free_bytes 731000",
		"consilium_audit_log_bytes 1234",
		"consilium_coordinator_reached 1",
		"consilium_sites_connected 3",
		"consilium_rounds_summed_total 7",
		"consilium_rounds_aborted_total 2",
		"consilium_round_finished_timestamp_seconds 1795000002",
		"consilium_study_status{study=\"lung\",status=\"approved\"} 1",
		"consilium_study_step{study=\"lung\"} 3",
		"consilium_round{study=\"lung\"} 4",
		"consilium_rounds_total{study=\"lung\"} 6",
		"consilium_round_phase{study=\"lung\",phase=\"uploading\"} 1",
		"consilium_round_deadline_timestamp_seconds{study=\"lung\"} "
		"1795000000",
		"consilium_sites_present{study=\"lung\"} 2",
		"consilium_sites_needed{study=\"lung\"} 3",
		"consilium_sites_expected{study=\"lung\"} 5",
		"consilium_study_step{study=\"bi\\\"rth\\\\weight\"} 0",
	};
	const char *answer, *wrong;

	(void)state;
	send_state();
	wait_for("/metrics", "\nconsilium_up 1\n");
	answer = fetch("GET", "/metrics");
	has(answer,
	    "\r\nContent-Type: application/openmetrics-text; "
	    "version=1.0.0; charset=utf-8\r\n");
	if ((wrong = openmetrics_check(body_of(answer))) != NULL)
		fail_msg("%s", wrong);
	for (size_t i = 0; i < nitems(lines); i++) {
		char line[256];

		snprintf(line, sizeof(line), "\n%s\n", lines[i]);
		has(answer, line);
	}
	lacks(answer, "\nconsilium_members ");
	lacks(answer, "sites_present{study=\"bi");
	/* There is no round 0. */
	lacks(answer, "consilium_round{study=\"bi");
}

static void
the_checker_finds_what_is_wrong(void **state)
{
	static const char *const wrong[] = { "", "# EOF", "a 1\n# EOF\n",
		"# TYPE a gauge\na 1\n", "# TYPE a gauge\na 1\na 2\n# EOF\n",
		"# TYPE a counter\na 1\n# EOF\n",
		"# TYPE a gauge\n# TYPE a gauge\n# EOF\n",
		"# TYPE a gauge\n# UNIT a seconds\n# EOF\n",
		"# TYPE a gauge\na{x=\"1} 1\n# EOF\n",
		"# TYPE a gauge\na{x=\"\\x\"} 1\n# EOF\n",
		"# TYPE a gauge\na one\n# EOF\n",
		"# TYPE a gauge\n# EOF\na 1\n",
		"# TYPE a gauge\na 1\n# HELP a late\n# EOF\n" };

	(void)state;
	for (size_t i = 0; i < nitems(wrong); i++) {
		if (openmetrics_check(wrong[i]) == NULL)
			fail_msg("not found: %s", wrong[i]);
	}
	assert_null(openmetrics_check("# TYPE a_seconds counter\n"
				      "# UNIT a_seconds seconds\n"
				      "a_seconds_total{x=\"\\\"\"} 1\n"
				      "# EOF\n"));
}

static void
head_is_get_without_the_body(void **state)
{
	const char *answer;
	char length[64];

	(void)state;
	/* Metrics do not hold the time, so that two of them are equal. */
	answer = body_of(fetch("GET", "/metrics"));
	snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n",
	    strlen(answer));
	answer = fetch("HEAD", "/metrics");
	has(answer, "HTTP/1.1 200 ");
	has(answer, length);
	assert_string_equal(body_of(answer), "");
}

static void
other_methods_are_refused(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE",
		"OPTIONS", "PATCH", "TRACE", "BREW" };

	(void)state;
	for (size_t i = 0; i < nitems(methods); i++) {
		const char *answer = fetch(methods[i], "/");

		has(answer, "HTTP/1.1 405 ");
		has(answer, "\r\nAllow: GET, HEAD\r\n");
		lacks(answer, "<html");
	}
	has(say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
		"and no more"),
	    "HTTP/1.1 405 ");
}

static void
there_is_nothing_else(void **state)
{
	static const char *const paths[] = { "/metrics/", "//",
		"/../etc/passwd", "/favicon.ico", "/%2e%2e/", "/METRICS" };

	(void)state;
	for (size_t i = 0; i < nitems(paths); i++)
		has(fetch("GET", paths[i]), "HTTP/1.1 404 ");
	has(fetch("GET", "/?refresh=1"), "HTTP/1.1 200 ");
}

static void
a_request_without_measure_is_refused(void **state)
{
	static char request[64 * 1024];
	char *p;

	(void)state;
	p = request + sprintf(request, "GET /");
	memset(p, 'a', 20000);
	strcpy(p + 20000, " HTTP/1.1\r\nHost: x\r\n\r\n");
	has(say(request), "HTTP/1.1 414 ");
	p = request + sprintf(request, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ");
	memset(p, 'a', 20000);
	strcpy(p + 20000, "\r\n\r\n");
	has(say(request), "HTTP/1.1 431 ");
	has(say("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 "); /* no Host */
	has(fetch("GET", "/"), "HTTP/1.1 200 ");
}

/* Is it ended by the other side within ms?  What came before is dropped. */
static bool
ends_within(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char c;

	while (poll(&p, 1, ms) == 1) {
		if (recv(fd, &c, 1, 0) <= 0)
			return true;
	}
	return false;
}

static void
who_connects_and_is_silent_makes_room(void **state)
{
	int silent[32], fd;

	(void)state;
	for (size_t i = 0; i < nitems(silent); i++)
		silent[i] = dial();
	ping();
	assert_false(ends_within(silent[0], 0));
	/* All places are taken: the next one is served, the first one goes. */
	has(fetch("GET", "/"), "HTTP/1.1 200 ");
	assert_true(ends_within(silent[0], WAIT_MS));
	/* And so for ever: many more than there may be descriptors. */
	for (int i = 0; i < 500; i++) {
		fd = dial();
		close(silent[i % nitems(silent)]);
		silent[i % nitems(silent)] = fd;
	}
	has(fetch("GET", "/"), "HTTP/1.1 200 ");
	ping();
	for (size_t i = 0; i < nitems(silent); i++)
		close(silent[i]);
}

static void
who_sends_a_byte_a_second_is_ended_all_the_same(void **state)
{
	int64_t began = clock_mono_ms();
	int fd = dial();

	(void)state;
	assert_int_equal(
	    send(fd, "GET / HTTP/1.1\r\nX: ", 19, MSG_NOSIGNAL), 19);
	while (!ends_within(fd, 100)) {
		assert_true(clock_mono_ms() - began < WAIT_MS);
		send(fd, "x", 1, MSG_NOSIGNAL);
	}
	assert_true(clock_mono_ms() - began >= 10000);
	close(fd);
	has(fetch("GET", "/"), "HTTP/1.1 200 ");
}

static void
a_new_certificate_is_shown(void **state)
{
	(void)state;
	tell("1950000000");
	ping();
	has(fetch("GET", "/metrics"),
	    "\nconsilium_certificate_expiry_timestamp_seconds 1950000000\n");
	tell("1700000000");
	ping();
	has(fetch("GET", "/"), "class=\"fact warn\"><b>expired</b>");
}

static void
a_snapshot_that_is_none_ends_it(void **state)
{
	struct err err;
	int status;

	start(state);
	assert_int_equal(
	    chan_send(b.gate, MSG_BOARD, 0, "\0\0\0\1\0\0\0\0", 8, -1, &err),
	    0);
	status = end();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
only_gate_and_rounds_may_send_one(void **state)
{
	struct err err;
	int status;

	start(state);
	assert_int_equal(
	    chan_send(b.parent, MSG_BOARD, 0, "\0\0\0\0\0\0\0\0", 8, -1, &err),
	    0);
	status = end();
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
a_port_in_use_is_said_in_one_line(void **state)
{
	struct family_plan plan = { .residents = { PROC_GATE } };
	struct house_board other;
	struct ini_address taken = { b.house.at, host, b.port };
	char want[128];
	struct err err;

	(void)state;
	snprintf(want, sizeof(want), "[board] listen = %s: the port is in use",
	    b.house.at);
	assert_int_equal(
	    house_board_open(&other, &taken, &plan, PROC_GATE, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_string_equal(err.msg, want);
}

static void
without_an_address_there_is_no_board(void **state)
{
	struct family_plan plan = { .residents = { PROC_GATE } };
	struct house_board none;
	struct ini_address unset = { NULL, NULL, 0 };
	struct err err;

	(void)state;
	assert_int_equal(
	    house_board_open(&none, &unset, &plan, PROC_GATE, &err), 0);
	assert_int_equal(none.fd, -1);
	assert_int_equal(plan.residents[1], PROC_NONE);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(before_the_first_snapshot_it_says_so),
		LIVE(the_page_shows_what_was_sent_and_escapes_it),
		LIVE(a_column_that_says_nothing_is_left_out),
		LIVE(contact_that_is_missing_is_marked),
		LIVE(every_answer_forbids_the_browser_all_else),
		LIVE(the_metrics_are_openmetrics),
		cmocka_unit_test(the_checker_finds_what_is_wrong),
		LIVE(head_is_get_without_the_body),
		LIVE(other_methods_are_refused),
		LIVE(there_is_nothing_else),
		LIVE(a_request_without_measure_is_refused),
		LIVE(who_connects_and_is_silent_makes_room),
		LIVE(who_sends_a_byte_a_second_is_ended_all_the_same),
		LIVE(a_new_certificate_is_shown),
		cmocka_unit_test(a_snapshot_that_is_none_ends_it),
		cmocka_unit_test(only_gate_and_rounds_may_send_one),
		LIVE(a_port_in_use_is_said_in_one_line),
		cmocka_unit_test(without_an_address_there_is_no_board),
	};
	const char *builddir = getenv("builddir");
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s/board",
	    builddir != NULL ? builddir : ".");
	setenv("CONSILIUM_LIBEXEC", folder, 1);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

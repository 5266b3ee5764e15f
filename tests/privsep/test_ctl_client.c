/*
 * The client's end of the control socket, and daemons that answer badly: the
 * test is the daemon.
 */
#include "config.h"

#include "tests/check.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "privsep/ctl_client.h"
#include "privsep/ctl_msg.h"
#include "privsep/ctl_wire.h"

static char dir[] = "/tmp/consilium-client-XXXXXX";
static char path[64];

/* A daemon that reads so many bytes of the request, answers, and closes. */
struct daemon {
	int fd;
	size_t reads;
	const void *answer;
	size_t len;
	pthread_t thread;
};

static void *
serve(void *arg)
{
	const struct daemon *d = arg;
	char request[4096];
	int conn = accept(d->fd, NULL, NULL);

	for (size_t n = 0; n < d->reads; n++) {
		if (read(conn, request, 1) != 1)
			break;
	}
	send(conn, d->answer, d->len, MSG_NOSIGNAL);
	close(conn);
	return NULL;
}

/* One call; what the daemon does is in d. */
static int
call(struct daemon d, struct ctl_reply *r, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int rv;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	unlink(path);
	d.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d.fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(d.fd, 1), 0);
	assert_int_equal(pthread_create(&d.thread, NULL, serve, &d), 0);
	rv = ctl_call(path, "status", "rfs", "body", 4, r, err);
	pthread_join(d.thread, NULL);
	close(d.fd);
	return rv;
}

static size_t
request_len(void)
{
	struct ctl_request q = { .command = "status",
		.study = "rfs",
		.body = (const uint8_t *)"body",
		.body_len = 4 };
	struct canon out = { 0 };
	struct err err;
	size_t len;

	assert_int_equal(ctl_wire_request_write(&q, &out, &err), 0);
	len = out.len;
	canon_free(&out);
	return len;
}

static void
fails(struct daemon d, const char *words)
{
	struct ctl_reply r;
	struct err err;

	assert_int_equal(call(d, &r, &err), -1);
	assert_memory_equal(err.msg, path, strlen(path));
	if (strstr(err.msg, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, err.msg);
}

static void
an_answer_that_is_none_is_said(void **state)
{
	size_t all = request_len();

	(void)state;
	fails((struct daemon){ .reads = all, .answer = "", .len = 0 },
	    "no answer from the daemon");
	fails((struct daemon){ .reads = all, .answer = "\0\0", .len = 2 },
	    "no answer from the daemon");
	fails((struct daemon){ .reads = all, .answer = "\xff\0\0\0", .len = 4 },
	    "the daemon answers with 4278190080 bytes");
	fails((struct daemon){ .reads = all, .answer = "\0\0\0\7xx", .len = 6 },
	    "the daemon's answer is cut short");
	fails(
	    (struct daemon){
		.reads = all, .answer = "\0\0\0\3\xff\xff\xff", .len = 7 },
	    "");
}

/* As protobuf has it. */
static void
field(struct canon *c, uint8_t number, const void *p, uint8_t len)
{
	canon_u8(c, (uint8_t)(number << 3 | 2));
	canon_u8(c, len);
	if (len > 127)
		canon_u8(c, 1);
	canon_raw(c, p, len);
}

/* Protobuf that is well formed, and no reply of a daemon's. */
static void
a_reply_that_no_daemon_makes_is_refused(void **state)
{
	enum { ERROR = 2, COLUMN, ROW, BODY, NOTE };
	struct canon c[7] = { 0 };
	static const char *const words[] = { "an error that is none",
		"an error that is none", "an error that is none",
		"a row of 1 cells, expected 2", "a row of 1 cells, expected 0",
		"too many rows", "not a control reply" };
	static const char longer[] = "a note of more than 127 bytes: "
				     "...................................."
				     "........................................."
				     ".........................";

	(void)state;
	field(&c[0], ERROR, "two\nlines", 9);
	field(&c[1], NOTE, "\x7f", 1);
	field(&c[2], NOTE, longer, sizeof(longer) - 1);
	field(&c[3], COLUMN, "a", 1);
	field(&c[3], COLUMN, "b", 1);
	field(&c[3], ROW, "\x0a\1x", 3);
	field(&c[4], ROW, "\x0a\1x", 3);
	for (int i = 0; i <= CTL_COLUMNS_MAX; i++)
		field(&c[5], COLUMN, "a", 1);
	for (int i = 0; i < 50000; i++) /* each grows to many times its size */
		field(&c[6], ROW, "", 0);
	for (size_t i = 0; i < nitems(c); i++) {
		struct canon out = { 0 };

		canon_u32(&out, (uint32_t)c[i].len);
		canon_raw(&out, c[i].data, c[i].len);
		fails((struct daemon){ .reads = request_len(),
			  .answer = out.data,
			  .len = out.len },
		    words[i]);
		canon_free(&out);
		canon_free(&c[i]);
	}
}

/* It closes with the rest of the request unread: the kernel says that first,
   and the answer is behind it. */
static void
a_refusal_before_all_was_read_is_heard(void **state)
{
	struct ctl_reply refusal = { 0 }, r;
	struct canon out = { 0 };
	struct err err;

	(void)state;
	err_set(&err, ERR_REFUSED, "too many requests");
	ctl_reply_error(&refusal, &err);
	assert_int_equal(ctl_wire_reply_write(&refusal, &out, &err), 0);
	assert_int_equal(call((struct daemon){ .reads = 1,
				  .answer = out.data,
				  .len = out.len },
			     &r, &err),
	    0);
	assert_int_equal(r.code, ERR_REFUSED);
	assert_string_equal(r.error, "too many requests");
	ctl_reply_free(&r);
	canon_free(&out);
	/* And there may be none. */
	fails((struct daemon){ .reads = 1, .answer = "", .len = 0 },
	    "no answer from the daemon");
}

static void
what_no_daemon_takes_is_not_sent(void **state)
{
	static uint8_t body[CTL_BODY_MAX + 1];
	char longer[200];
	struct ctl_reply r;
	struct err err;

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	unlink(path);
	assert_int_equal(ctl_call(path, longer, NULL, NULL, 0, &r, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(
	    ctl_call(path, "status", longer, NULL, 0, &r, &err), -1);
	assert_string_equal(err.msg, "status: more than a daemon can be asked");
	assert_int_equal(
	    ctl_call(path, "submit", NULL, body, sizeof(body), &r, &err), -1);
	assert_string_equal(err.msg, "submit: more than a daemon can be asked");
	assert_int_equal(
	    ctl_call(longer, "status", NULL, NULL, 0, &r, &err), -1);
	assert_non_null(strstr(err.msg, "path too long"));
	assert_int_equal(ctl_call(path, "status", NULL, NULL, 0, &r, &err), -1);
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_non_null(strstr(err.msg, "no daemon at "));
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_is_none_is_said),
		cmocka_unit_test(a_reply_that_no_daemon_makes_is_refused),
		cmocka_unit_test(a_refusal_before_all_was_read_is_heard),
		cmocka_unit_test(what_no_daemon_takes_is_not_sent),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

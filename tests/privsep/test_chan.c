#include "config.h"

#include "tests/check.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "privsep/chan.h"

struct ends {
	struct chan *gate; /* the trainer's end */
	struct chan *trainer; /* the gate's end */
	int raw; /* gate's socket, for what chan_send() would never send */
};

static int
setup(void **state)
{
	static struct ends e;
	struct err err;
	int fds[2];

	assert_int_equal(chan_pair(fds, &err), 0);
	e.raw = fds[1];
	e.gate = chan_new(fds[0], PROC_GATE, &err);
	e.trainer = chan_new(fds[1], PROC_TRAINER, &err);
	assert_non_null(e.gate);
	assert_non_null(e.trainer);
	*state = &e;
	return 0;
}

static int
teardown(void **state)
{
	struct ends *e = *state;

	chan_free(e->gate);
	chan_free(e->trainer);
	return 0;
}

static void
pattern(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 31 + len);
}

static void
any_length_arrives_as_it_was_sent(void **state)
{
	static const size_t lengths[] = { 0, 1, CHAN_INLINE, CHAN_INLINE + 1,
		3 * 1024 * 1024 };
	struct ends *e = *state;
	struct err err;
	struct msg m;

	for (size_t i = 0; i < nitems(lengths); i++) {
		uint8_t *p = malloc(lengths[i] + 1);

		pattern(p, lengths[i]);
		assert_int_equal(chan_send(e->trainer, MSG_TRAIN, i, p,
				     lengths[i], -1, &err),
		    0);
		assert_int_equal(chan_recv(e->gate, &m, &err), 1);
		assert_int_equal(m.type, MSG_TRAIN);
		assert_int_equal(m.from, PROC_GATE);
		assert_int_equal(m.tag, i);
		assert_int_equal(m.len, lengths[i]);
		assert_memory_equal(m.data, p, lengths[i]);
		assert_int_equal(m.fd, -1);
		msg_free(&m);
		free(p);
	}
	assert_int_equal(chan_recv(e->gate, &m, &err), 0);
	assert_false(chan_closed(e->gate));
}

static void
a_descriptor_travels_with_a_payload_of_any_length(void **state)
{
	static uint8_t big[CHAN_INLINE + 1];
	struct ends *e = *state;
	struct err err;
	struct msg m;
	int fd = memfd_seal("x", "hello", 5, &err);

	for (size_t len = 1; len <= sizeof(big); len += sizeof(big) - 1) {
		void *p;

		assert_int_equal(
		    chan_send(e->trainer, MSG_FILE, 0, big, len, fd, &err), 0);
		assert_int_equal(chan_recv(e->gate, &m, &err), 1);
		assert_int_equal(m.len, len);
		assert_true(m.fd >= 0);
		assert_int_equal(fcntl(m.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		p = memfd_map(m.fd, 5, &err);
		assert_non_null(p);
		assert_memory_equal(p, "hello", 5);
		munmap(p, 5);
		msg_free(&m);
	}
	close(fd);
}

static void
what_does_not_fit_is_queued_and_nothing_is_lost(void **state)
{
	static uint8_t p[CHAN_INLINE];
	struct ends *e = *state;
	struct err err;
	struct msg m;
	uint64_t n = 200, next = 0;
	int fd = memfd_seal("x", "hello", 5, &err);

	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(chan_send(e->trainer, MSG_TRAIN, i, p,
				     sizeof(p), i == 150 ? fd : -1, &err),
		    0);
	close(fd);
	assert_int_equal(chan_events(e->trainer), POLLIN | POLLOUT);
	while (next < n) {
		int rc = chan_recv(e->gate, &m, &err);

		assert_true(rc >= 0);
		if (rc == 0) {
			assert_int_equal(chan_flush(e->trainer, &err), 0);
			continue;
		}
		assert_int_equal(m.tag, next);
		assert_int_equal(m.fd >= 0, next == 150);
		next++;
		msg_free(&m);
	}
	assert_int_equal(chan_events(e->trainer), POLLIN);
}

static void
who_never_reads_is_an_error(void **state)
{
	struct ends *e = *state;
	struct err err;
	int rc = 0;

	for (int i = 0; i < 10000 && rc == 0; i++)
		rc = chan_send(e->trainer, MSG_PING, 0, NULL, 0, -1, &err);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_PEER);
}

static void
who_does_not_read_is_not_waited_for_for_ever(void **state)
{
	struct ends *e = *state;
	uint64_t next = 0;
	struct err err;
	struct msg m;

	for (uint64_t i = 0; i < 2000; i++)
		assert_int_equal(
		    chan_send(e->trainer, MSG_PING, i, NULL, 0, -1, &err), 0);
	assert_int_equal(chan_drain(e->trainer, 10, &err), -1);
	assert_int_equal(err.code, ERR_PEER);
	assert_string_equal(err.msg, "trainer does not read");
	while (next < 2000) {
		if (chan_drain(e->trainer, 0, &err) == 0)
			assert_int_equal(chan_events(e->trainer), POLLIN);
		while (chan_recv(e->gate, &m, &err) == 1)
			assert_int_equal(m.tag, next++);
	}
	assert_int_equal(chan_drain(e->trainer, 0, &err), 0);
}

/* Nor is what waits for it kept. */
static void
who_is_gone_is_sent_nothing_more(void **state)
{
	static uint8_t p[CHAN_INLINE];
	struct ends *e = *state;
	struct err err;

	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    chan_send(e->trainer, MSG_TRAIN, 0, p, sizeof(p), -1, &err),
		    0);
	assert_int_equal(chan_events(e->trainer), POLLIN | POLLOUT);
	chan_free(e->gate);
	e->gate = NULL;
	assert_int_equal(chan_drain(e->trainer, 60000, &err), 0);
	assert_int_equal(chan_events(e->trainer), POLLIN);
	assert_int_equal(
	    chan_send(e->trainer, MSG_TRAIN, 0, p, sizeof(p), -1, &err), 0);
}

static void
what_is_too_long_for_any_message_is_refused(void **state)
{
	struct ends *e = *state;
	struct err err;

	assert_int_equal(chan_send(e->trainer, MSG_TRAIN, 0, "",
			     (size_t)CHAN_MAX + 1, -1, &err),
	    -1);
	assert_int_equal(err.code, ERR_PEER);
}

static void
what_was_sent_before_the_end_is_still_read(void **state)
{
	struct ends *e = *state;
	struct err err;
	struct msg m;

	/* Unread bytes at the sender make the kernel say ECONNRESET. */
	assert_int_equal(chan_send(e->gate, MSG_PONG, 0, NULL, 0, -1, &err), 0);
	assert_int_equal(
	    chan_send(e->trainer, MSG_TRAIN, 7, "x", 1, -1, &err), 0);
	chan_free(e->trainer);
	e->trainer = NULL;
	assert_int_equal(chan_wait(e->gate, &m, 1000, &err), 1);
	assert_int_equal(m.tag, 7);
	msg_free(&m);
	assert_int_equal(chan_wait(e->gate, &m, 1000, &err), 0);
	assert_true(chan_closed(e->gate));
	assert_int_equal(chan_send(e->gate, MSG_PONG, 0, NULL, 0, -1, &err), 0);
}

static void
waiting_ends_in_time(void **state)
{
	struct ends *e = *state;
	struct err err;
	struct msg m;

	assert_int_equal(chan_wait(e->gate, &m, 20, &err), -1);
	assert_int_equal(err.code, ERR_PEER);
}

/* As chan.c lays it out. */
struct raw_head {
	uint32_t magic;
	uint16_t type, flags;
	uint64_t tag, len;
};

static void
send_raw(int fd, struct raw_head h, size_t payload, int memfd)
{
	static uint8_t zeros[64];
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov[2] = { { &h, sizeof(h) }, { zeros, payload } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };

	if (memfd >= 0) {
		struct cmsghdr *cm;

		mh.msg_control = control;
		mh.msg_controllen = sizeof(control);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &memfd, sizeof(int));
	}
	assert_true(sendmsg(fd, &mh, 0) > 0);
}

static void
a_broken_head_is_refused(void **state)
{
	struct raw_head good = { 0x434f4e53, MSG_TRAIN, 0, 0, 4 };
	struct raw_head bad[8];
	struct ends *e = *state;
	struct err err;
	struct msg m;

	send_raw(e->raw, good, 4, -1);
	assert_int_equal(chan_recv(e->gate, &m, &err), 1);
	msg_free(&m);
	for (size_t i = 0; i < nitems(bad); i++)
		bad[i] = good;
	bad[0].magic = 1;
	bad[1].type = MSG_NONE;
	bad[2].type = MSG_COUNT;
	bad[3].flags = 4;
	bad[4].flags = 2; /* a descriptor that is not there */
	bad[5].len = 3;
	bad[6].len = 5;
	bad[7].len = (uint64_t)CHAN_MAX + 1;
	for (size_t i = 0; i < nitems(bad); i++) {
		send_raw(e->raw, bad[i], 4, -1);
		assert_int_equal(chan_recv(e->gate, &m, &err), -1);
		assert_int_equal(err.code, ERR_PEER);
	}
}

static int
memfd_with(size_t len, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void
memory_that_could_change_is_refused(void **state)
{
	static const int all =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	size_t len = CHAN_INLINE + 1;
	const struct {
		size_t len;
		int seals, rc;
	} cases[] = {
		{ len, all, 1 },
		{ len, 0, -1 },
		{ len, all & ~F_SEAL_WRITE, -1 },
		{ len, all & ~F_SEAL_SHRINK, -1 },
		{ len - 1, all, -1 },
		{ len + 1, all, -1 },
	};
	struct ends *e = *state;
	struct err err;
	struct msg m;

	for (size_t i = 0; i < nitems(cases); i++) {
		int fd = memfd_with(cases[i].len, cases[i].seals);

		send_raw(e->raw,
		    (struct raw_head){ 0x434f4e53, MSG_TRAIN, 1, 0, len }, 0,
		    fd);
		close(fd);
		assert_int_equal(chan_recv(e->gate, &m, &err), cases[i].rc);
		msg_free(&m);
	}
}

static int
count(void *self, struct msg *m, struct err *err)
{
	int *n = self;

	(void)m;
	(void)err;
	return ++*n;
}

static void
a_table_is_closed(void **state)
{
	static const struct handler table[] = {
		{ MSG_TRAIN, PROC_GATE, 2, 3, count },
		{ MSG_CONFIG, PROC_PARENT, 0, 9, count },
	};
	const struct {
		enum msg_type type;
		enum proc from;
		size_t len;
		int calls;
	} cases[] = {
		{ MSG_TRAIN, PROC_GATE, 2, 1 },
		{ MSG_TRAIN, PROC_GATE, 3, 1 },
		{ MSG_TRAIN, PROC_GATE, 1, 0 },
		{ MSG_TRAIN, PROC_GATE, 4, 0 },
		{ MSG_TRAIN, PROC_UPLINK, 2, 0 },
		{ MSG_TRAINED, PROC_GATE, 2, 0 },
		{ MSG_CONFIG, PROC_PARENT, 0, 1 },
		{ MSG_CONFIG, PROC_GATE, 0, 0 },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct msg m = { .type = cases[i].type,
			.from = cases[i].from,
			.len = cases[i].len,
			.fd = -1 };
		int n = 0;
		int rc = chan_dispatch(table, nitems(table), &n, &m, &err);

		assert_int_equal(n, cases[i].calls);
		assert_int_equal(rc, cases[i].calls == 1 ? 1 : -1);
		if (rc < 0)
			assert_int_equal(err.code, ERR_PEER);
	}
}

static void
every_message_and_process_has_a_name(void **state)
{
	(void)state;
	for (int i = MSG_NONE; i < MSG_COUNT; i++)
		assert_string_not_equal(msg_name((enum msg_type)i), "unknown");
	assert_string_equal(msg_name(MSG_COUNT), "unknown");
	for (int i = PROC_PARENT; i < PROC_COUNT; i++)
		assert_int_equal(proc_find(proc_name((enum proc)i)), i);
	assert_int_equal(proc_find("nobody"), PROC_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(any_length_arrives_as_it_was_sent),
		T(a_descriptor_travels_with_a_payload_of_any_length),
		T(what_does_not_fit_is_queued_and_nothing_is_lost),
		T(who_never_reads_is_an_error),
		T(who_does_not_read_is_not_waited_for_for_ever),
		T(who_is_gone_is_sent_nothing_more),
		T(what_is_too_long_for_any_message_is_refused),
		T(what_was_sent_before_the_end_is_still_read),
		T(waiting_ends_in_time),
		T(a_broken_head_is_refused),
		T(memory_that_could_change_is_refused),
		cmocka_unit_test(a_table_is_closed),
		cmocka_unit_test(every_message_and_process_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

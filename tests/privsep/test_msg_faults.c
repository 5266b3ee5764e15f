/*
 * What processes and the control socket say to each other, without memory: it
 * is said to be the system's failure, not the other side's, and nothing is
 * left.
 */
#include "config.h"

#include "tests/check.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "privsep/chan.h"
#include "privsep/ctl_msg.h"
#include "privsep/ctl_wire.h"
#include "tests/faults/inside.h"

static struct canon request, reply, wire_request, wire_reply;

static void
fill(struct ctl_reply *r)
{
	struct canon body = { 0 };

	*r = (struct ctl_reply){ 0 };
	ctl_reply_column(r, "study");
	ctl_reply_column(r, "round");
	for (int i = 0; i < 3; i++) {
		ctl_reply_cell(r, "%s", "rfs");
		ctl_reply_cell(r, "%d", i);
	}
	canon_text(&body, "body");
	ctl_reply_body(r, &body);
	canon_free(&body);
}

static const struct ctl_request asked = { CTL_OFFICER, 1000, "approve", "rfs",
	(const uint8_t *)"abc", 3 };

static int
write_request(void *self, struct err *err)
{
	struct canon out = { 0 };
	int rv = ctl_request_write(&asked, &out);

	(void)self;
	canon_free(&out);
	return rv < 0 ? err_set(err, ERR_SYSTEM, "no memory") : 0;
}

static int
write_reply(void *self, struct err *err)
{
	struct canon out = { 0 };
	struct ctl_reply r;
	int rv;

	(void)self;
	fill(&r);
	rv = ctl_reply_write(&r, &out, err);
	ctl_reply_free(&r);
	canon_free(&out);
	return rv;
}

static int
read_reply(void *self, struct err *err)
{
	struct ctl_reply r;
	int rv = ctl_reply_read(reply.data, reply.len, &r, err);

	(void)self;
	ctl_reply_free(&r);
	return rv;
}

static int
write_wire_request(void *self, struct err *err)
{
	struct canon out = { 0 };
	int rv = ctl_wire_request_write(&asked, &out, err);

	(void)self;
	canon_free(&out);
	return rv;
}

static int
read_wire_request(void *self, struct err *err)
{
	struct ctl_request r;
	uint8_t *body;
	int rv = ctl_wire_request_read(wire_request.data + CTL_WIRE_HEAD,
	    wire_request.len - CTL_WIRE_HEAD, &r, &body, err);

	(void)self;
	free(body);
	return rv;
}

static int
write_wire_reply(void *self, struct err *err)
{
	struct canon out = { 0 };
	struct ctl_reply r;
	int rv = -1;

	(void)self;
	fill(&r);
	if (r.failed)
		err_set(err, ERR_SYSTEM, "no memory");
	else
		rv = ctl_wire_reply_write(&r, &out, err);
	ctl_reply_free(&r);
	canon_free(&out);
	return rv;
}

static int
read_wire_reply(void *self, struct err *err)
{
	struct ctl_reply r;
	int rv = ctl_wire_reply_read(wire_reply.data + CTL_WIRE_HEAD,
	    wire_reply.len - CTL_WIRE_HEAD, &r, err);

	(void)self;
	ctl_reply_free(&r);
	return rv;
}

static void
control_messages_are_not_blamed(void **state)
{
	static const operation ops[] = { write_request, write_reply, read_reply,
		write_wire_request, read_wire_request, write_wire_reply,
		read_wire_reply };
	struct ctl_reply r;
	struct err err;

	(void)state;
	fill(&r);
	assert_int_equal(ctl_request_write(&asked, &request), 0);
	assert_int_equal(ctl_reply_write(&r, &reply, &err), 0);
	assert_int_equal(
	    ctl_wire_request_write(&asked, &wire_request, &err), 0);
	assert_int_equal(ctl_wire_reply_write(&r, &wire_reply, &err), 0);
	for (size_t i = 0; i < nitems(ops); i++)
		every_fault(INSIDE_MEMORY, ops[i], NULL, NULL);
	ctl_reply_free(&r);
	canon_free(&request);
	canon_free(&reply);
	canon_free(&wire_request);
	canon_free(&wire_reply);
}

/*
 * Channels
 */

#define MESSAGES 400 /* more than one holds */

/* From one end to the other, a part of it by way of the queue; and what was
   kept in memory, and a descriptor. */
static int
talk(void *self, struct err *err)
{
	static uint8_t big[CHAN_INLINE + 1];
	struct chan *a = NULL, *b = NULL;
	int fds[2], n = 0, rv = -1;
	struct msg m;

	(void)self;
	if (chan_pair(fds, err) < 0)
		return -1;
	a = chan_new(fds[0], PROC_GATE, err);
	b = a != NULL ? chan_new(fds[1], PROC_UPLINK, err) : NULL;
	if (a == NULL)
		close(fds[0]);
	if (b == NULL) {
		close(fds[1]);
		goto out;
	}
	if (chan_send(a, MSG_TRAIN, 0, big, sizeof(big), STDERR_FILENO, err) <
	    0)
		goto out;
	for (int i = 1; i < MESSAGES; i++) {
		if (chan_send(a, MSG_TRAIN, 0, "x", 1,
			i == MESSAGES - 1 ? STDERR_FILENO : -1, err) < 0)
			goto out;
	}
	while (n < MESSAGES) {
		int rc = chan_recv(b, &m, err);

		if (rc < 0 || (rc == 0 && chan_flush(a, err) < 0))
			goto out;
		n += rc;
		if (rc == 1)
			msg_free(&m);
	}
	rv = 0;
out:
	chan_free(a);
	chan_free(b);
	return rv;
}

static void
a_channel_says_what_it_has_no_memory_for(void **state)
{
	(void)state;
	assert_true(every_fault(INSIDE_MEMORY, talk, NULL, NULL) > MESSAGES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_messages_are_not_blamed),
		cmocka_unit_test(a_channel_says_what_it_has_no_memory_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

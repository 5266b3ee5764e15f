/*
 * Fetching a transcript from a coordinator, which is the test itself, and may
 * lie.  What is fetched is replayed in tests/e2e/replay.sh.
 */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"
#include "ctl/transcript.h"
#include "privsep/ctl_msg.h"
#include "tests/faults/inside.h"

#define UPLOAD 5 /* bytes of each upload */

/* Rounds 1 to 3, two uploads each; asked for 0, it is the last. */
static struct {
	uint64_t oldest; /* none before it is kept */
	enum err_code kept; /* what it says of those */
	const char *root, *bytes; /* instead of the true ones */
	size_t rows, chunk;
	bool cut; /* the body */
	uint64_t asked[8];
	size_t n_asked;
} hub;

static int
reset(void **state)
{
	(void)state;
	memset(&hub, 0, sizeof(hub));
	hub.oldest = 1;
	hub.kept = ERR_REFUSED;
	hub.rows = 2;
	hub.chunk = UPLOAD;
	return 0;
}

static void
put_before(struct canon *c, uint64_t round)
{
	uint8_t states[2 * ROUND_DIGEST];

	memset(states, (int)round, sizeof(states));
	canon_bytes(c, "study", 5);
	canon_raw(c, states, sizeof(states));
	canon_bytes(c, "model", 5);
}

static void
answer_round(struct ctl_reply *r, uint64_t round)
{
	char root[2 * ROUND_DIGEST + 1];
	struct canon body = { 0 };

	ctl_reply_column(r, "round");
	ctl_reply_column(r, "before");
	ctl_reply_column(r, "root");
	ctl_reply_column(r, "bytes");
	for (size_t i = 0; i < hub.rows; i++) {
		memset(root, '0' + (int)i, sizeof(root) - 1);
		root[sizeof(root) - 1] = '\0';
		ctl_reply_cell(r, "%llu", (unsigned long long)round);
		ctl_reply_cell(r, "%llu", (unsigned long long)round - 1);
		ctl_reply_cell(r, "%s", hub.root != NULL ? hub.root : root);
		ctl_reply_cell(r, "%s", hub.bytes != NULL ? hub.bytes : "5");
	}
	put_before(&body, round);
	if (hub.cut)
		body.len--;
	else
		canon_u64(&body, round); /* for manifest and M8 */
	ctl_reply_body(r, &body);
	canon_free(&body);
}

static int
ask(void *arg, const char *command, const void *body, size_t len,
    struct ctl_reply *r, struct err *err)
{
	struct canon_in in = canon_in(body, len);
	uint8_t root[ROUND_DIGEST], chunk[16];
	uint64_t round;

	assert_ptr_equal(arg, &hub);
	if (strcmp(command, "chunk") == 0) {
		canon_get_raw(&in, root, sizeof(root));
		assert_int_equal(canon_get_u32(&in), 0);
		memset(chunk, root[0], sizeof(chunk));
		ctl_reply_bytes(r, chunk, hub.chunk);
	} else {
		assert_string_equal(command, "transcript");
		round = canon_get_u64(&in);
		hub.asked[hub.n_asked++ % 8] = round;
		round = round == 0 ? 3 : round;
		if (round < hub.oldest)
			return err_set(err, hub.kept, "no memory of round %llu",
			    (unsigned long long)round);
		answer_round(r, round);
	}
	assert_int_equal(canon_end(&in, "question", err), 0);
	return r->failed ? err_sys(err, "answer") : 0;
}

static void
is_transcript_of(const struct canon *got, uint64_t first, uint64_t last)
{
	struct canon want = { 0 };

	canon_text(&want, "consilium-1/transcript");
	put_before(&want, first);
	canon_u32(&want, (uint32_t)(last - first + 1));
	for (uint64_t round = first; round <= last; round++) {
		canon_u64(&want, round);
		canon_u16(&want, 2);
		canon_u32(&want, UPLOAD);
		canon_raw(&want, "\0\0\0\0\0", UPLOAD);
		canon_u32(&want, UPLOAD);
		canon_raw(&want, "\x11\x11\x11\x11\x11", UPLOAD);
	}
	assert_int_equal(got->len, want.len);
	assert_memory_equal(got->data, want.data, want.len);
	canon_free(&want);
}

static void
one_round_or_all_that_are_kept(void **state)
{
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(transcript_fetch(ask, &hub, 2, false, &out, &err), 0);
	is_transcript_of(&out, 2, 2);
	out.len = 0;
	hub.n_asked = 0;
	assert_int_equal(transcript_fetch(ask, &hub, 0, true, &out, &err), 0);
	is_transcript_of(&out, 1, 3);
	assert_int_equal(hub.n_asked, 3);
	assert_int_equal(hub.asked[0], 0);
	assert_int_equal(hub.asked[1], 2);
	assert_int_equal(hub.asked[2], 1);
	/* The first is no longer kept. */
	out.len = 0;
	hub.oldest = 2;
	assert_int_equal(transcript_fetch(ask, &hub, 0, true, &out, &err), 0);
	is_transcript_of(&out, 2, 3);
	canon_free(&out);
}

static void
is_refused(enum err_code code, const char *why)
{
	struct canon out = { 0 };
	struct err err = { 0 };

	assert_int_equal(transcript_fetch(ask, &hub, 0, true, &out, &err), -1);
	assert_int_equal(err.code, code);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, err.msg);
	assert_int_equal(out.len, 0); /* nothing half */
	reset(NULL);
}

static void
what_is_no_transcript_is_refused(void **state)
{
	(void)state;
	hub.rows = 0;
	is_refused(ERR_PEER, "no transcript");
	hub.cut = true;
	is_refused(ERR_PEER, "no transcript");
	hub.root = "12";
	is_refused(ERR_PEER, "round 3: the daemon names no upload");
	hub.bytes = "0";
	is_refused(ERR_PEER, "names no upload");
	hub.bytes = "18446744073709551615";
	is_refused(ERR_PEER, "names no upload");
	hub.chunk = UPLOAD - 1;
	is_refused(ERR_PEER, "a chunk of 4 bytes, expected 5");
	hub.chunk = UPLOAD + 1;
	is_refused(ERR_PEER, "a chunk of 6 bytes, expected 5");
	/* Not that it is no longer kept, but that nobody answers. */
	hub.oldest = 2;
	hub.kept = ERR_SYSTEM;
	is_refused(ERR_SYSTEM, "round 1");
	hub.oldest = 4;
	is_refused(ERR_REFUSED, "round 3");
}

static struct canon whole;

static int
fetch(void *self, struct err *err)
{
	struct canon out = { 0 };
	int rv = transcript_fetch(ask, self, 0, true, &out, err);

	if (rv == 0 &&
	    (out.len != whole.len ||
		memcmp(out.data, whole.data, out.len) != 0))
		rv = err_set(err, ERR_FORMAT, "a part of a transcript");
	canon_free(&out);
	return rv;
}

static void
a_transcript_is_whole_or_none(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(transcript_fetch(ask, &hub, 0, true, &whole, &err), 0);
	every_fault(INSIDE_MEMORY, fetch, &hub, NULL);
	canon_free(&whole);
}

static void
what_was_not_fetched_is_not_replayed(void **state)
{
	static const uint8_t root[KEY_PUBLIC];
	struct canon data = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(
	    transcript_replay("x", 1, root, NULL, NULL, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "not a transcript"));
	canon_text(&data, "consilium-1/transcripts");
	assert_int_equal(transcript_replay(
			     data.data, data.len, root, NULL, NULL, NULL, &err),
	    -1);
	assert_non_null(strstr(err.msg, "not a transcript"));
	data.len = 0;
	assert_int_equal(transcript_fetch(ask, &hub, 0, true, &data, &err), 0);
	assert_int_equal(transcript_replay(
			     data.data, data.len, root, NULL, NULL, NULL, &err),
	    -1);
	assert_int_equal(err.code, ERR_FORMAT); /* "study" is no study */
	canon_free(&data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_round_or_all_that_are_kept, reset),
		cmocka_unit_test_setup(what_is_no_transcript_is_refused, reset),
		cmocka_unit_test_setup(a_transcript_is_whole_or_none, reset),
		cmocka_unit_test_setup(
		    what_was_not_fetched_is_not_replayed, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

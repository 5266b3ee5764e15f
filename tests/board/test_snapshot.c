#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "board/snapshot.h"
#include "common/err.h"
#include "privsep/chan.h"

static const struct board_study lung = {
	.name = "lung",
	.status = "running",
	.step = 3,
	.kind = "newton",
	.round = 4,
	.phase = "uploading",
	.have = 2,
	.need = 3,
	.most = 4,
	.rounds_done = 3,
	.deadline = 1800000000,
	.missing = "göttingen, lyon",
	.prepared = "2386 rows",
	.decided = "approved",
	.why = "",
};

static void
whole(struct canon *out)
{
	struct board_writer w = { 0 };
	struct board_study done = { .name = "birth", .status = "done" };
	struct err err;

	board_fact(&w, "manifest-epoch", "%u", 7U);
	board_fact(&w, "note", "%s", "");
	board_study(&w, &lung);
	board_study(&w, &done);
	assert_int_equal(board_write(&w, out, &err), 0);
}

static void
what_is_written_is_read(void **state)
{
	struct canon out = { 0 };
	struct board_snapshot *s;
	struct err err;

	(void)state;
	whole(&out);
	s = board_read(out.data, out.len, &err);
	assert_non_null(s);
	assert_int_equal(s->n_facts, 2);
	assert_string_equal(s->facts[0].name, "manifest-epoch");
	assert_string_equal(s->facts[0].value, "7");
	assert_string_equal(s->facts[1].value, "");
	assert_int_equal(s->n_studies, 2);
	/* Every byte: the reader starts from zeros, and so did the writer. */
	assert_memory_equal(&s->studies[0], &lung, sizeof(lung));
	assert_string_equal(s->studies[1].name, "birth");
	board_snapshot_free(s);
	canon_free(&out);
}

static void
nothing_is_a_snapshot_too(void **state)
{
	struct board_writer w = { 0 };
	struct canon out = { 0 };
	struct board_snapshot *s;
	struct err err;

	(void)state;
	assert_int_equal(board_write(&w, &out, &err), 0);
	assert_int_equal(out.len, 8);
	s = board_read(out.data, out.len, &err);
	assert_non_null(s);
	board_snapshot_free(s);
	canon_free(&out);
}

static void
refuses(const void *data, size_t len)
{
	struct err err = { 0 };

	assert_null(board_read(data, len, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	assert_memory_equal(err.msg, "BOARD", 5);
}

static void
refuses_what_is_cut_short_or_too_long(void **state)
{
	struct canon out = { 0 };

	(void)state;
	whole(&out);
	for (size_t len = 0; len < out.len; len++) {
		uint8_t *exact = malloc(len + 1); /* for the sanitizer */

		memcpy(exact, out.data, len);
		refuses(exact, len);
		free(exact);
	}
	canon_u8(&out, 0);
	refuses(out.data, out.len);
	canon_free(&out);
}

static void
refuses_counts_beyond_the_limits(void **state)
{
	struct canon facts = { 0 }, studies = { 0 };

	(void)state;
	canon_u32(&facts, BOARD_FACTS_MAX + 1);
	canon_u32(&studies, 0);
	canon_u32(&studies, UINT32_MAX);
	for (int i = 0; i < 100000; i++) {
		canon_u64(&facts, 0);
		canon_u64(&studies, 0);
	}
	refuses(facts.data, facts.len);
	refuses(studies.data, studies.len);
	canon_free(&facts);
	canon_free(&studies);
}

static void
refuses_a_fact(const char *name, const char *value, size_t value_len)
{
	struct canon out = { 0 };

	canon_u32(&out, 1);
	canon_bytes(&out, name, strlen(name));
	canon_bytes(&out, value, value_len);
	canon_u32(&out, 0);
	refuses(out.data, out.len);
	canon_free(&out);
}

static void
refuses_text_that_is_not_plain(void **state)
{
	char lengthy[BOARD_TEXT] = { 0 };

	(void)state;
	memset(lengthy, 'x', sizeof(lengthy));
	refuses_a_fact("a", "two\nlines", 9);
	refuses_a_fact("a", "nul\0l", 5);
	refuses_a_fact("a", "\x7f", 1);
	refuses_a_fact("a", "\xc3", 1); /* UTF-8, cut */
	refuses_a_fact("a", "\xc0\xaf", 2); /* overlong */
	refuses_a_fact("a", lengthy, BOARD_TEXT);
	refuses_a_fact("", "x", 1);
}

static void
refuses_a_name_twice(void **state)
{
	struct board_writer w = { 0 }, v = { 0 };
	struct canon out = { 0 };
	struct err err;

	(void)state;
	board_study(&w, &lung);
	board_study(&w, &lung);
	assert_int_equal(board_write(&w, &out, &err), 0);
	refuses(out.data, out.len);
	canon_free(&out);
	board_fact(&v, "a", "1");
	board_fact(&v, "a", "2");
	assert_int_equal(board_write(&v, &out, &err), 0);
	refuses(out.data, out.len);
	canon_free(&out);
}

static void
the_sender_mends_its_text(void **state)
{
	struct board_writer w = { 0 };
	struct board_study s = lung;
	struct canon out = { 0 };
	struct board_snapshot *got;
	struct err err;

	(void)state;
	snprintf(s.why, sizeof(s.why), "a\nb\xc3");
	for (size_t i = 0; i + 2 < sizeof(s.missing); i += 2)
		memcpy(s.missing + i, "\xc3\xb6", 2); /* an even number fits */
	board_study(&w, &s);
	board_fact(&w, "long", "x%s%s", s.missing, s.missing);
	assert_int_equal(board_write(&w, &out, &err), 0);
	got = board_read(out.data, out.len, &err);
	assert_non_null(got);
	assert_string_equal(got->studies[0].why, "a?b");
	assert_string_equal(got->studies[0].missing, s.missing);
	assert_int_equal(strlen(got->facts[0].value), BOARD_TEXT - 2);
	board_snapshot_free(got);
	canon_free(&out);
}

static void
more_studies_than_fit_are_counted(void **state)
{
	struct board_writer w = { 0 };
	struct canon out = { 0 };
	struct board_snapshot *s;
	struct err err;

	(void)state;
	for (int i = 0; i < BOARD_STUDIES_MAX + 3; i++) {
		struct board_study one = lung;

		snprintf(one.name, sizeof(one.name), "study-%d", i);
		memset(one.why, 'w', sizeof(one.why) - 1);
		memset(one.prepared, 'p', sizeof(one.prepared) - 1);
		memset(one.decided, 'd', sizeof(one.decided) - 1);
		memset(one.missing, 'm', sizeof(one.missing) - 1);
		board_study(&w, &one);
	}
	assert_int_equal(board_write(&w, &out, &err), 0);
	assert_true(out.len < BOARD_MAX);
	s = board_read(out.data, out.len, &err);
	assert_non_null(s);
	assert_int_equal(s->n_studies, BOARD_STUDIES_MAX);
	assert_string_equal(s->facts[0].name, "studies not shown");
	assert_string_equal(s->facts[0].value, "3");
	board_snapshot_free(s);
	canon_free(&out);
}

static void
it_is_sent_if_there_is_a_board(void **state)
{
	struct board_writer w = { 0 };
	struct board_snapshot *s;
	struct chan *rounds, *board;
	struct msg m;
	struct err err;
	int fds[2];

	(void)state;
	board_study(&w, &lung);
	assert_int_equal(board_send(&w, NULL, &err), 0);
	assert_int_equal(chan_pair(fds, &err), 0);
	board = chan_new(fds[0], PROC_BOARD, &err);
	rounds = chan_new(fds[1], PROC_ROUNDS, &err);
	board_study(&w, &lung);
	assert_int_equal(board_send(&w, board, &err), 0);
	assert_int_equal(chan_wait(rounds, &m, 1000, &err), 1);
	assert_int_equal(m.type, MSG_BOARD);
	s = board_read(m.data, m.len, &err);
	assert_non_null(s);
	assert_int_equal(s->n_studies, 1);
	board_snapshot_free(s);
	msg_free(&m);
	chan_free(board);
	chan_free(rounds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(nothing_is_a_snapshot_too),
		cmocka_unit_test(refuses_what_is_cut_short_or_too_long),
		cmocka_unit_test(refuses_counts_beyond_the_limits),
		cmocka_unit_test(refuses_text_that_is_not_plain),
		cmocka_unit_test(refuses_a_name_twice),
		cmocka_unit_test(the_sender_mends_its_text),
		cmocka_unit_test(more_studies_than_fit_are_counted),
		cmocka_unit_test(it_is_sent_if_there_is_a_board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

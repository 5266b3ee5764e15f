#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "coordinator/book.h"
#include "tests/common/raw_db.h"

static char dir[] = "/tmp/test_book.XXXXXX";
static char path[64];
static const uint8_t digest[BOOK_DIGEST] = { 7 };

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/rounds.db", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void
a_round_number_is_given_once_also_after_a_crash(void **state)
{
	struct canon body = { 0 };
	struct book_study st;
	struct book *b;
	struct err err;
	uint64_t round, open;

	(void)state;
	b = book_open(path, &err);
	assert_non_null(b);
	assert_int_equal(book_add_study(b, "rfs", digest, "obj", 3, &err), 0);
	assert_int_equal(book_study_by_name(b, "rfs", &st, &err), 1);
	assert_int_equal(book_new_round(b, st.id, &round, &err), 0);
	assert_int_equal(round, 1);
	assert_int_equal(book_put_round(b, st.id, 1, "one", 3, &err), 0);
	/* A transaction that did not end leaves what was there. */
	assert_int_equal(book_begin(b, &err), 0);
	assert_int_equal(book_new_round(b, st.id, &round, &err), 0);
	assert_int_equal(book_put_round(b, st.id, 2, "two", 3, &err), 0);
	book_close(b);

	b = book_open(path, &err);
	assert_non_null(b);
	assert_int_equal(book_get_round(b, st.id, &open, &body, &err), 1);
	assert_int_equal(open, 1);
	assert_memory_equal(body.data, "one", 3);
	assert_int_equal(book_drop_round(b, st.id, &err), 0);
	assert_int_equal(book_get_round(b, st.id, &open, &body, &err), 0);
	assert_int_equal(book_new_round(b, st.id, &round, &err), 0);
	assert_int_equal(round, 2);
	assert_int_equal(book_new_round(b, 99, &round, &err), -1);
	canon_free(&body);
	book_close(b);
}

static void
keeps_the_chain_of_states(void **state)
{
	static struct step step, back;
	static const uint16_t cohort[] = { 1, 2, 300 };
	struct canon plan = { 0 }, result = { 0 };
	struct book_study st;
	struct book *b;
	struct err err;

	(void)state;
	b = book_open(path, &err);
	assert_non_null(b);
	assert_int_equal(book_study_by_name(b, "rfs", &st, &err), 1);
	assert_int_equal(
	    book_get_step(b, st.id, UINT32_MAX, &back, NULL, NULL, &err), 0);
	assert_int_equal(
	    book_add_step(b, st.id, &step, "p0", 2, NULL, 0, &err), 0);
	step = (struct step){
		.idx = 1,
		.state = { 3 },
		.round = 5,
		.kind = "counts",
		.n_sites = 2,
		.sites = { 1, 300 },
	};
	assert_int_equal(
	    book_add_step(b, st.id, &step, "p1", 2, "m8", 2, &err), 0);
	/* A step is written once. */
	assert_int_equal(
	    book_add_step(b, st.id, &step, "px", 2, "m9", 2, &err), -1);
	assert_int_equal(
	    book_get_step(b, st.id, 1, &back, &plan, &result, &err), 1);
	assert_true(back.round == 5 && back.n_sites == 2);
	assert_true(back.sites[1] == 300 && back.utc > 0);
	assert_string_equal(back.kind, "counts");
	assert_memory_equal(plan.data, "p1", 2);
	assert_memory_equal(result.data, "m8", 2);
	assert_int_equal(
	    book_get_step(b, st.id, 2, &back, NULL, NULL, &err), 0);

	assert_int_equal(book_set_cohort(b, st.id, cohort, 3, &err), 0);
	assert_int_equal(
	    book_set_status(b, st.id, BOOK_STOPPED, "why", &err), 0);
	assert_int_equal(book_study_after(b, 0, &st, &err), 1);
	assert_int_equal(st.status, BOOK_STOPPED);
	assert_string_equal(st.why, "why");
	assert_int_equal(st.n_cohort, 3);
	assert_int_equal(st.cohort[2], 300);
	canon_free(&plan);
	canon_free(&result);
	book_close(b);
}

/* A bit of a value that SQLite has no opinion on. */
static void
a_value_that_changed_by_itself_is_found(void **state)
{
	static struct step step;
	struct canon body = { 0 };
	struct book *b;
	struct err err;
	uint64_t round;

	(void)state;
	b = book_open(path, &err);
	assert_non_null(b);
	assert_int_equal(book_put_round(b, 1, 3, "three", 5, &err), 0);
	book_close(b);
	raw_db_change(path, "UPDATE round SET body = x'7468726564'");
	raw_db_change(path, "UPDATE step SET plan = x'7131' WHERE idx = 1");
	b = book_open(path, &err);
	assert_non_null(b);
	assert_int_equal(book_get_round(b, 1, &round, &body, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_non_null(
	    strstr(err.msg, "study rfs, round 3: not as it was written"));
	assert_int_equal(
	    book_get_step(b, 1, UINT32_MAX, &step, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_non_null(
	    strstr(err.msg, "study rfs, step 1: not as it was written"));
	canon_free(&body);
	book_close(b);
}

/* What others have signed, where the database has less, or room is short. */
static void
signatures_that_are_none_are_left_out(void **state)
{
	static uint8_t sigs[2][BOOK_SIGNATURE];
	static const uint8_t sig[3][BOOK_SIGNATURE] = { { 1 }, { 2 }, { 3 } };
	uint16_t sites[2];
	struct book *b;
	struct err err;
	size_t n;

	(void)state;
	b = book_open(path, &err);
	assert_non_null(b);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(
		    book_put_checked(b, 1, 9, (uint16_t)(20 + i), sig[i], &err),
		    0);
	assert_int_equal(
	    book_get_checked(b, 1, 9, sites, sigs, 2, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(sites[1], 21);
	book_close(b);
	raw_db_change(path, "UPDATE checked SET sig = x'01' WHERE site = 20");
	b = book_open(path, &err);
	assert_non_null(b);
	assert_int_equal(
	    book_get_checked(b, 1, 9, sites, sigs, 2, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(sites[0], 21);
	assert_int_equal(sites[1], 22);
	assert_memory_equal(sigs[1], sig[2], BOOK_SIGNATURE);
	book_close(b);
}

static void
a_status_that_is_none_is_said(void **state)
{
	struct book_study st;
	struct book *b;
	struct err err;

	(void)state;
	raw_db_change(path, "UPDATE study SET status = 77");
	b = book_open(path, &err);
	assert_non_null(b);
	assert_int_equal(book_study_by_name(b, "rfs", &st, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_string_equal(err.msg, "study rfs: unknown status 77");
	book_close(b);
	raw_db_change(path, "UPDATE study SET status = 0");
}

static void
a_database_of_the_first_release_goes_on(void **state)
{
	struct canon body = { 0 };
	struct book_study st;
	struct book *b;
	struct err err;
	uint64_t round;

	(void)state;
	raw_db_first_release(path, "rounds-1.sql");
	b = book_open(path, &err);
	if (b == NULL)
		fail_msg("%s", err.msg);
	assert_int_equal(book_get_manifest(b, &body, &err), 1);
	assert_int_equal(body.len, 2);
	assert_int_equal(book_study_by_name(b, "rfs", &st, &err), 1);
	assert_int_equal(st.status, BOOK_RUNNING);
	assert_int_equal(st.n_cohort, 3);
	assert_int_equal(book_new_round(b, st.id, &round, &err), 0);
	assert_int_equal(round, 10);
	canon_free(&body);
	book_close(b);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_database_of_the_first_release_goes_on),
		cmocka_unit_test(
		    a_round_number_is_given_once_also_after_a_crash),
		cmocka_unit_test(keeps_the_chain_of_states),
		cmocka_unit_test(a_value_that_changed_by_itself_is_found),
		cmocka_unit_test(signatures_that_are_none_are_left_out),
		cmocka_unit_test(a_status_that_is_none_is_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

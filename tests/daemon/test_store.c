#include "tests/check.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/keyfile.h"
#include "daemon/store.h"
#include "tests/common/raw_db.h"

static char dir[] = "/tmp/test_store.XXXXXX";
static char path[64];
static struct key *identity;
static const uint8_t digest[STORE_DIGEST] = { 7 };

static int
setup(void **state)
{
	struct err err;

	(void)state;
	if (sodium_init() < 0 || mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/gate.db", dir);
	identity = key_new(&err);
	return identity != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_free(identity);
	unlink(path);
	return rmdir(dir);
}

static void
a_prekey_is_taken_once(void **state)
{
	struct canon record = { 0 };
	uint8_t secret[32] = { 1, 2, 3 }, got[32];
	struct store *s;
	struct err err;
	uint32_t id, next;
	size_t n;

	(void)state;
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_count_prekeys(s, 0, &n, &next, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(next, 1);
	assert_int_equal(
	    store_put_prekey(s, next, "rec", 3, secret, 1000, &err), 0);
	/* An expired one is not promised. */
	assert_int_equal(
	    store_promise_prekey(s, 1, 1, 1000, &id, &record, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_int_equal(
	    store_promise_prekey(s, 1, 1, 999, &id, &record, &err), 0);
	assert_int_equal(id, 1);
	assert_memory_equal(record.data, "rec", 3);
	/* Promised to one round, it is not promised to another. */
	assert_int_equal(
	    store_promise_prekey(s, 1, 2, 999, &id, &record, &err), -1);
	assert_int_equal(store_take_prekey(s, 1, got, &err), 0);
	assert_memory_equal(got, secret, 32);
	assert_int_equal(store_take_prekey(s, 1, got, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	/* Its number is not given again. */
	assert_int_equal(store_count_prekeys(s, 0, &n, &next, &err), 0);
	assert_int_equal(next, 2);
	canon_free(&record);
	store_close(s);
}

static void
a_transaction_is_all_or_nothing(void **state)
{
	uint8_t secret[32] = { 9 }, got[32];
	struct store *s;
	struct err err;
	uint32_t next;
	size_t n;

	(void)state;
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_count_prekeys(s, 0, &n, &next, &err), 0);
	assert_int_equal(
	    store_put_prekey(s, next, "rec", 3, secret, 1000, &err), 0);
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_take_prekey(s, next, got, &err), 0);
	/* A crash here must not lose the prekey without its round. */
	store_close(s);
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_take_prekey(s, next, got, &err), 0);
	store_close(s);
}

static void
keeps_studies_steps_and_rounds(void **state)
{
	static const uint16_t sites[] = { 1, 300 };
	struct step step = { .idx = 0, .state = { 5 } }, back;
	struct canon plan = { 0 }, body = { 0 };
	struct store_study st;
	struct store *s;
	struct err err;
	int64_t job1, job2;

	(void)state;
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_add_study(s, "rfs", digest, "obj", 3,
			     STATUS_RECEIVED, "", &err),
	    0);
	assert_int_equal(store_study_by_name(s, "rfs", &st, &err), 1);
	assert_int_equal(store_study_by_name(s, "other", &st, &err), 0);
	assert_int_equal(store_study_by_digest(s, digest, &st, &err), 1);
	assert_int_equal(store_new_job(s, st.id, &job1, &err), 0);
	assert_int_equal(store_new_job(s, st.id, &job2, &err), 0);
	assert_true(job2 > job1);
	assert_int_equal(
	    store_set_prepared(s, st.id, job2, digest, digest, 40, &err), 0);
	assert_int_equal(store_set_cohort(s, st.id, sites, 2, &err), 0);
	assert_int_equal(store_study_after(s, 0, &st, &err), 1);
	assert_int_equal(st.status, STATUS_PREPARED);
	assert_true(st.job == job2 && st.n_rows == 40);
	assert_int_equal(st.n_cohort, 2);
	assert_int_equal(st.cohort[1], 300);
	assert_int_equal(store_study_after(s, st.id, &st, &err), 0);

	assert_int_equal(store_study_by_name(s, "rfs", &st, &err), 1);
	assert_int_equal(
	    store_get_step(s, st.id, UINT32_MAX, &back, NULL, NULL, &err), 0);
	assert_int_equal(
	    store_add_step(s, st.id, &step, "p0", 2, NULL, 0, &err), 0);
	step = (struct step){
		.idx = 1,
		.state = { 6 },
		.round = 4,
		.n_sites = 2,
		.sites = { 1, 300 },
	};
	assert_int_equal(
	    store_add_step(s, st.id, &step, "p1", 2, "r", 1, &err), 0);
	assert_int_equal(
	    store_get_step(s, st.id, UINT32_MAX, &back, &plan, &body, &err), 1);
	assert_true(back.idx == 1 && back.round == 4 && back.n_sites == 2);
	assert_int_equal(back.sites[1], 300);
	assert_memory_equal(body.data, "r", 1);
	canon_free(&body);
	assert_memory_equal(plan.data, "p1", 2);
	assert_int_equal(
	    store_get_step(s, st.id, 7, &back, NULL, NULL, &err), 0);

	assert_int_equal(store_put_round(s, st.id, 4, 0, "secret", 6, &err), 0);
	assert_int_equal(
	    store_put_round(s, st.id, 4, 0, "secret2", 7, &err), 0);
	assert_int_equal(store_get_round(s, st.id, 4, &body, &err), 1);
	assert_memory_equal(body.data, "secret2", 7);
	assert_int_equal(store_drop_rounds(s, st.id, UINT64_MAX, &err), 0);
	assert_int_equal(store_get_round(s, st.id, 4, &body, &err), 0);
	canon_free(&plan);
	canon_free(&body);
	store_close(s);
}

/* With the upload's transaction or not at all, and never less. */
static void
keeps_what_uploads_reveal(void **state)
{
	struct store_spent one, all;
	struct store_study st;
	struct store *s;
	struct err err;

	(void)state;
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_study_by_name(s, "rfs", &st, &err), 1);
	assert_int_equal(store_spent(s, st.id, &one, &err), 0);
	assert_true(one.uploads == 0 && one.rho == 0);
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_charge(s, st.id, 5, 0.5, &err), 0);
	/* A crash before the commit: the upload is not there either. */
	store_close(s);
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_spent(s, st.id, &one, &err), 0);
	assert_true(one.uploads == 0);
	assert_int_equal(store_charge(s, st.id, 5, 0.5, &err), 0);
	/* The same round's number again is another upload. */
	assert_int_equal(store_charge(s, st.id, 5, 0.25, &err), 0);
	store_close(s);
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_spent(s, st.id, &one, &err), 0);
	assert_int_equal(store_spent(s, 0, &all, &err), 0);
	assert_true(one.uploads == 2 && one.rho == 0.75);
	assert_true(all.uploads == 2 && all.rho == 0.75);
	assert_int_equal(store_spent(s, st.id + 1, &one, &err), 0);
	assert_true(one.uploads == 0 && one.rho == 0);
	store_close(s);
}

/* A bit of a value that SQLite has no opinion on. */
static void
a_value_that_changed_by_itself_is_found(void **state)
{
	static const struct {
		const char *change, *back, *says;
	} cases[] = {
		{ "UPDATE step SET plan = x'7130' WHERE idx = 1",
		    "UPDATE step SET plan = x'7031' WHERE idx = 1",
		    "study rfs, step 1: not as it was written" },
		{ "UPDATE step SET round = 5 WHERE idx = 1",
		    "UPDATE step SET round = 4 WHERE idx = 1",
		    "study rfs, step 1: not as it was written" },
		{ "UPDATE step SET result = x'73' WHERE idx = 1",
		    "UPDATE step SET result = x'72' WHERE idx = 1",
		    "study rfs, step 1: not as it was written" },
		{ "UPDATE charge SET rho = 0.125 WHERE rho = 0.25",
		    "UPDATE charge SET rho = 0.25 WHERE rho = 0.125",
		    "1 of 2 charges are not as they were written" },
	};
	struct store_spent spent;
	struct step step;
	struct store *s;
	struct err err;

	(void)state;
	for (size_t i = 0; i < 2 * nitems(cases); i++) {
		bool bad = i % 2 == 0;
		bool ledger = i / 2 == nitems(cases) - 1;

		raw_db_change(
		    path, bad ? cases[i / 2].change : cases[i / 2].back);
		s = store_open(path, identity, &err);
		assert_non_null(s);
		assert_int_equal(
		    store_get_step(s, 1, UINT32_MAX, &step, NULL, NULL, &err),
		    bad && !ledger ? -1 : 1);
		if (bad && !ledger)
			assert_non_null(strstr(err.msg, cases[i / 2].says));
		assert_int_equal(
		    store_spent(s, 0, &spent, &err), bad && ledger ? -1 : 0);
		if (bad) {
			assert_int_equal(err.code, ERR_FORMAT);
			assert_non_null(strstr(err.msg, cases[i / 2].says));
		}
		store_close(s);
	}
}

static void
another_identity_cannot_read_what_is_sealed(void **state)
{
	struct canon body = { 0 };
	struct key *other;
	struct store *s;
	struct err err;

	(void)state;
	other = key_new(&err);
	assert_non_null(other);
	s = store_open(path, identity, &err);
	assert_int_equal(store_put_round(s, 1, 9, 0, "secret", 6, &err), 0);
	store_close(s);
	s = store_open(path, other, &err);
	assert_non_null(s);
	assert_int_equal(store_get_round(s, 1, 9, &body, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	store_close(s);
	key_free(other);
}

static void
a_database_of_the_first_release_goes_on(void **state)
{
	const uint8_t report[STORE_DIGEST] = { 1 }, table[STORE_DIGEST] = { 2 };
	struct canon object = { 0 };
	struct step step;
	struct store_study st;
	struct store *s;
	struct err err;
	struct store_counter counter;
	bool restored;
	int64_t job;

	(void)state;
	raw_db_first_release(path, "gate-1.sql");
	for (int i = 0; i < 2; i++) { /* brought forward, then as it is */
		s = store_open(path, identity, &err);
		if (s == NULL)
			fail_msg("%s", err.msg);
		assert_int_equal(store_study_by_name(s, "rfs", &st, &err), 1);
		assert_int_equal(st.status, STATUS_APPROVED);
		assert_int_equal(st.last_round, 9);
		assert_int_equal(st.n_rows, 686);
		assert_int_equal(st.n_cohort, 3);
		assert_int_equal(st.cohort[2], 12);
		assert_int_equal(st.table[31], 10);
		assert_int_equal(st.prepared, 0);
		assert_false(st.table_gone);
		assert_int_equal(store_get_step(s, st.id, UINT32_MAX, &step,
				     NULL, NULL, &err),
		    1);
		assert_int_equal(step.round, 8);
		assert_string_equal(step.kind, "newton");
		assert_int_equal(step.n_sites, 3);
		assert_int_equal(
		    store_get_counter(s, &counter, &restored, &err), 0);
		assert_int_equal(counter.answers, 0);
		assert_int_equal(counter.steps, 1);
		assert_false(restored);
		store_close(s);
	}
	/* And is one in which work goes on. */
	s = store_open(path, identity, &err);
	assert_non_null(s);
	assert_int_equal(store_get_manifest(s, &object, &err), 1);
	assert_int_equal(object.len, 2);
	assert_int_equal(store_new_job(s, st.id, &job, &err), 0);
	assert_int_equal(job, 3);
	assert_int_equal(
	    store_set_prepared(s, st.id, job, report, table, 7, &err), 0);
	assert_int_equal(store_study_by_name(s, "rfs", &st, &err), 1);
	assert_true(st.prepared > 1764000000);
	canon_free(&object);
	store_close(s);
	unlink(path);
}

/* What the lost time may have answered is not answered again, of studies that
   the old copy has and of those that it does not have; until there is another
   identity. */
static void
an_old_copy_answers_nothing_that_may_have_been(void **state)
{
	static const uint8_t one[STORE_DIGEST] = { 1 },
			     two[STORE_DIGEST] = { 2 };
	struct store_study st;
	struct store_counter counter;
	bool restored;
	uint32_t from;
	struct store *s;
	struct key *other;
	struct err err;

	(void)state;
	assert_non_null(other = key_new(&err));
	unlink(path);
	assert_non_null(s = store_open(path, identity, &err));
	assert_int_equal(store_take_identity(s, key_public(identity), &err), 0);
	assert_int_equal(
	    store_add_study(s, "here", one, "s", 1, STATUS_APPROVED, "", &err),
	    0);
	assert_int_equal(store_mark_restored(s, 11, 3, &err), 0);
	assert_int_equal(
	    store_add_study(s, "lost", two, "s", 1, STATUS_RECEIVED, "", &err),
	    0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    store_study_by_name(s, i == 0 ? "here" : "lost", &st, &err),
		    1);
		assert_int_equal(store_answer_from(s, st.id, &from, &err), 0);
		assert_int_equal(from, 3);
	}
	assert_int_equal(store_get_counter(s, &counter, &restored, &err), 0);
	assert_true(restored);
	assert_int_equal(store_take_identity(s, key_public(identity), &err), 0);
	assert_int_equal(store_take_identity(s, key_public(other), &err), 1);
	assert_int_equal(store_answer_from(s, st.id, &from, &err), 0);
	assert_int_equal(from, 0);
	store_close(s);
	key_free(other);
}

static void
a_status_that_is_none_is_refused(void **state)
{
	struct store_study st;
	struct store *s;
	struct err err;

	(void)state;
	unlink(path);
	assert_non_null(s = store_open(path, identity, &err));
	assert_int_equal(store_add_study(s, "rfs", digest, "s", 1,
			     STATUS_RECEIVED, "", &err),
	    0);
	store_close(s);
	raw_db_change(path, "UPDATE study SET status = 99");
	assert_non_null(s = store_open(path, identity, &err));
	assert_int_equal(store_study_by_name(s, "rfs", &st, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_string_equal(err.msg, "study rfs: unknown status 99");
	store_close(s);
}

/* What is to happen at once has happened not at all where one statement of it
   cannot be. */
static void
a_database_that_lacks_a_table_is_an_error(void **state)
{
	static const struct {
		const char *drop;
		bool restored, identity; /* which of the two cannot be */
	} cases[] = {
		{ "DROP TABLE prekey", true, true },
		{ "DROP TABLE round", true, true },
		{ "DROP TABLE step", true, false },
		{ "DROP TABLE study", true, true },
		{ "DROP TABLE counter", true, true },
		{ "DROP TABLE identity", false, true },
	};
	struct key *other;
	struct store *s;
	struct err err;

	(void)state;
	assert_non_null(other = key_new(&err));
	for (size_t i = 0; i < nitems(cases); i++) {
		sqlite3 *raw;

		unlink(path);
		assert_non_null(s = store_open(path, identity, &err));
		assert_int_equal(
		    store_take_identity(s, key_public(identity), &err), 0);
		store_close(s);
		assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
		assert_int_equal(
		    sqlite3_exec(raw, cases[i].drop, NULL, NULL, NULL),
		    SQLITE_OK);
		sqlite3_close(raw);
		assert_non_null(s = store_open(path, identity, &err));
		assert_int_equal(store_mark_restored(s, 1, 1, &err),
		    cases[i].restored ? -1 : 0);
		if (cases[i].restored)
			assert_non_null(strstr(err.msg, "no such table"));
		assert_int_equal(
		    store_take_identity(s, key_public(other), &err),
		    cases[i].identity ? -1 : 1);
		if (cases[i].identity)
			assert_non_null(strstr(err.msg, "no such table"));
		store_close(s);
	}
	key_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_database_of_the_first_release_goes_on),
		cmocka_unit_test(a_status_that_is_none_is_refused),
		cmocka_unit_test(a_database_that_lacks_a_table_is_an_error),
		cmocka_unit_test(a_prekey_is_taken_once),
		cmocka_unit_test(a_transaction_is_all_or_nothing),
		cmocka_unit_test(keeps_studies_steps_and_rounds),
		cmocka_unit_test(keeps_what_uploads_reveal),
		cmocka_unit_test(a_value_that_changed_by_itself_is_found),
		cmocka_unit_test(another_identity_cannot_read_what_is_sealed),
		cmocka_unit_test(
		    an_old_copy_answers_nothing_that_may_have_been),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

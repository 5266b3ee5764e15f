/* Keyed hashes of patients, the list of those who object, and what is kept. */
#include "config.h"

#include "anonymize/patients.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "crypto/hash.h"

static const uint8_t key[PATIENTS_KEY] = { 1, 2, 3 }, other[PATIENTS_KEY];

static struct patients *
with_list(const char *list, size_t len, struct err *err)
{
	struct patients *p = patients_new("pid", key, err);
	int fd = memfd_create("list", MFD_CLOEXEC), rv;

	assert_non_null(p);
	assert_int_equal(write(fd, list, len), len);
	rv = patients_read_objections(p, fd, "refused.txt", err);
	close(fd);
	if (rv == 0)
		return p;
	patients_free(p);
	return NULL;
}

static bool
refuses(const struct patients *p, const char *who)
{
	uint8_t id[PATIENTS_ID];

	patients_id(p, who, strlen(who), id);
	return patients_objects(p, id);
}

static void
an_identifier_is_told_by_its_key_alone(void **state)
{
	struct err err;
	struct patients *a = patients_new("pid", key, &err);
	struct patients *b = patients_new("pid", other, &err);
	uint8_t x[PATIENTS_ID], y[PATIENTS_ID], secret[HASH_LEN],
	    whole[HASH_LEN];

	(void)state;
	patients_id(a, "P-1", 3, x);
	patients_id(b, "P-1", 3, y);
	assert_memory_not_equal(x, y, sizeof(x));
	patients_id(a, "P-10", 4, y);
	assert_memory_not_equal(x, y, sizeof(x));
	/* By hand: HMAC under a key that HKDF has made for this alone. */
	hkdf_expand(key, "consilium-1/patient-id", 22, secret, sizeof(secret));
	hash_hmac(secret, sizeof(secret), "P-1", 3, whole);
	assert_memory_equal(x, whole, sizeof(x));
	patients_free(a);
	patients_free(b);
}

static void
a_list_is_read_whatever_its_line_ends(void **state)
{
	static const char text[] = "# who refused\r\n P-7 \r\n\nP-2\nP-7\nP-11";
	uint8_t digest[HASH_LEN], again[HASH_LEN], none[HASH_LEN] = { 0 };
	struct err err;
	struct patients *p = with_list(text, sizeof(text) - 1, &err);

	(void)state;
	assert_non_null(p);
	assert_int_equal(patients_objections(p, digest), 3);
	assert_true(refuses(p, "P-2") && refuses(p, "P-7"));
	assert_true(refuses(p, "P-11"));
	assert_false(refuses(p, "P-1") || refuses(p, "# who refused"));
	patients_free(p);

	/* The digest is of who is on it, not of how it is written. */
	p = with_list("P-11\nP-2\nP-7\n", 13, &err);
	assert_int_equal(patients_objections(p, again), 3);
	assert_memory_equal(digest, again, sizeof(digest));
	patients_free(p);
	p = with_list("P-11\nP-2\n", 9, &err);
	assert_int_equal(patients_objections(p, again), 2);
	assert_memory_not_equal(digest, again, sizeof(digest));
	patients_free(p);
	p = with_list("", 0, &err);
	assert_int_equal(patients_objections(p, again), 0);
	assert_memory_not_equal(again, none, sizeof(none)); /* there is one */
	patients_free(p);
	p = patients_new("pid", key, &err);
	assert_int_equal(patients_objections(p, again), 0);
	assert_memory_equal(again, none, sizeof(none));
	assert_false(refuses(p, "P-2"));
	patients_free(p);

	assert_null(with_list("P-1\nP-\xff\n", 8, &err));
	assert_string_equal(
	    err.msg, "refused.txt:2: expected a patient's identifier in UTF-8");
}

static void
what_is_kept_says_who_is_in_it_and_no_more(void **state)
{
	static const char *const in[] = { "P-5", "P-1", "P-5", "P-3" };
	const uint8_t table[32] = { 7 };
	uint8_t ids[4][PATIENTS_ID], id[PATIENTS_ID], found[32];
	struct canon out = { 0 };
	struct err err;
	struct patients *p = patients_new("pid", key, &err);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		patients_id(p, in[i], strlen(in[i]), ids[i]);
	patients_write(ids, 4, table, &out);
	/* Three patients: label, digest, number. */
	assert_int_equal(out.len, 4 + 20 + 32 + 4 + 3 * PATIENTS_ID);
	for (int i = 1; i < 7; i++) {
		char who[8];
		int there = i == 1 || i == 3 || i == 5;

		snprintf(who, sizeof(who), "P-%d", i);
		assert_null(memmem(out.data, out.len, who, strlen(who)));
		patients_id(p, who, strlen(who), id);
		assert_int_equal(patients_find(out.data, out.len, "a.1.ids", id,
				     found, &err),
		    there);
		assert_memory_equal(found, table, sizeof(found));
	}
	for (size_t cut = 0; cut < out.len; cut++) {
		assert_int_equal(
		    patients_find(out.data, cut, "a.1.ids", id, found, &err),
		    -1);
		assert_int_equal(err.code, ERR_FORMAT);
	}
	canon_free(&out);
	patients_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identifier_is_told_by_its_key_alone),
		cmocka_unit_test(a_list_is_read_whatever_its_line_ends),
		cmocka_unit_test(what_is_kept_says_who_is_in_it_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

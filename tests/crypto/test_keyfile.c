#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/keyfile.h"
#include "crypto/signed.h"

static char dir[] = "/tmp/test_keyfile.XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void
a_plain_key_comes_back_and_is_never_overwritten(void **state)
{
	struct err err;
	struct key *k = key_new(&err), *back;
	struct stat st;

	(void)state;
	assert_non_null(k);
	assert_int_equal(key_save(k, in_dir("plain"), NULL, &err), 0);
	assert_int_equal(stat(in_dir("plain"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	back = key_load(in_dir("plain"), NULL, &err);
	assert_non_null(back);
	assert_memory_equal(key_secret(k), key_secret(back), KEY_SECRET);
	assert_memory_equal(key_public(k), key_public(back), KEY_PUBLIC);
	assert_int_equal(key_save(k, in_dir("plain"), NULL, &err), -1);
	key_free(k);
	key_free(back);
}

static void
a_file_that_others_may_touch_is_refused(void **state)
{
	static const mode_t open_modes[] = { 0440, 0404, 0644, 0620, 0601 };
	struct err err;
	struct key *k = key_new(&err);
	uint8_t secret[KEY_RAW];

	(void)state;
	assert_int_equal(key_save(k, in_dir("open"), NULL, &err), 0);
	assert_int_equal(secret_create(in_dir("raw"), &err), 0);
	key_free(k);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(chmod(in_dir("open"), open_modes[i]), 0);
		assert_null(key_load(in_dir("open"), NULL, &err));
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.msg, "expected 0400 or 0600"));
		assert_int_equal(chmod(in_dir("raw"), open_modes[i]), 0);
		assert_int_equal(secret_load(in_dir("raw"), secret, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
	}
	assert_int_equal(chmod(in_dir("open"), 0600), 0);
	k = key_load(in_dir("open"), NULL, &err);
	assert_non_null(k);
	key_free(k);
}

static void
a_locked_key_opens_with_its_passphrase_alone(void **state)
{
	struct err err;
	struct key *k = key_new(&err), *back;
	const char *pass = "correct horse battery";

	(void)state;
	assert_int_equal(key_save(k, in_dir("short"), "1234567", &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(key_save(k, in_dir("locked"), pass, &err), 0);
	assert_null(key_load(in_dir("locked"), NULL, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_null(key_load(in_dir("locked"), "correct horse batterz", &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "wrong passphrase"));
	back = key_load(in_dir("locked"), pass, &err);
	assert_non_null(back);
	assert_memory_equal(key_secret(k), key_secret(back), KEY_SECRET);
	key_free(k);
	key_free(back);
}

/* Not the argon2id settings: a flip there is a matter of minutes and GiB. */
static void
an_altered_key_file_is_refused(void **state)
{
	struct err err;
	struct key *k = key_new(&err);
	size_t len;
	uint8_t *file;
	static const size_t places[] = { 3, 8, 19, 28, 44, 70, 100 };

	(void)state;
	assert_int_equal(
	    key_save(k, in_dir("whole"), "a long passphrase", &err), 0);
	key_free(k);
	file = file_read(in_dir("whole"), 4096, &len, &err);
	assert_non_null(file);
	assert_true(len > 100);
	for (size_t i = 0; i < 7; i++) {
		file[places[i]] ^= 1;
		assert_int_equal(
		    file_write(in_dir("bad"), file, len, 0600, &err), 0);
		assert_null(key_load(in_dir("bad"), "a long passphrase", &err));
		file[places[i]] ^= 1;
	}
	for (size_t cut = 1; cut < len; cut++) {
		assert_int_equal(
		    file_write(in_dir("bad"), file, cut, 0600, &err), 0);
		assert_null(key_load(in_dir("bad"), "a long passphrase", &err));
		assert_int_equal(err.code, ERR_FORMAT);
	}
	free(file);
}

/* A file could make its reader work for hours. */
static void
argon2id_settings_out_of_bounds_are_refused(void **state)
{
	/* passes, memory in KiB: from byte 20 on */
	static const uint8_t settings[][8] = {
		{ 0, 0, 0, 0, 0, 1, 0, 0 },
		{ 0, 0, 0, 17, 0, 1, 0, 0 },
		{ 0, 0, 0, 3, 0, 0, 0, 7 },
		{ 0, 0, 0, 3, 0, 16, 0, 1 },
	};
	struct err err;
	struct key *k = key_new(&err);
	uint8_t *file;
	size_t len;

	(void)state;
	assert_int_equal(
	    key_save(k, in_dir("bounds"), "a long passphrase", &err), 0);
	key_free(k);
	assert_int_equal(key_locked(in_dir("bounds"), &err), 1);
	file = file_read(in_dir("bounds"), 4096, &len, &err);
	assert_non_null(file);
	for (size_t i = 0; i < nitems(settings); i++) {
		memcpy(file + 20, settings[i], 8);
		assert_int_equal(
		    file_write(in_dir("bad"), file, len, 0600, &err), 0);
		assert_null(key_load(in_dir("bad"), "a long passphrase", &err));
		assert_int_equal(err.code, ERR_FORMAT);
		assert_non_null(strstr(err.msg, "settings out of bounds"));
	}
	free(file);
}

static void
what_is_no_key_file_is_refused(void **state)
{
	uint8_t pk[KEY_PUBLIC], secret[KEY_RAW], *file;
	struct key *k;
	struct err err;
	size_t len;

	(void)state;
	assert_non_null(k = key_new(&err));
	assert_int_equal(key_save(k, in_dir("more"), NULL, &err), 0);
	file = file_read(in_dir("more"), 4096, &len, &err);
	assert_non_null(file);
	assert_int_equal(secret_load(in_dir("more"), secret, &err), -1);
	assert_non_null(strstr(err.msg, "not a secret's file"));
	assert_non_null(file = realloc(file, len + 1));
	file[len] = 0;
	assert_int_equal(
	    file_write(in_dir("bad"), file, len + 1, 0600, &err), 0);
	assert_null(key_load(in_dir("bad"), NULL, &err));
	assert_int_equal(err.code, ERR_FORMAT);
	free(file);
	assert_int_equal(file_write(in_dir("bad"), "x", 1, 0600, &err), 0);
	assert_int_equal(key_locked(in_dir("bad"), &err), -1);
	assert_non_null(strstr(err.msg, "not a key file"));
	assert_int_equal(secret_load(in_dir("bad"), secret, &err), -1);
	assert_non_null(strstr(err.msg, "not a secret's file"));
	assert_int_equal(key_public_load(in_dir("bad"), pk, &err), -1);
	assert_non_null(strstr(err.msg, "/bad: not a public key"));
	assert_int_equal(file_write(in_dir("bad"), "", 0, 0600, &err), 0);
	assert_int_equal(key_public_load(in_dir("bad"), pk, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	key_free(k);
}

static void
public_keys_are_points_in_hexadecimal(void **state)
{
	struct err err;
	struct key *k = key_new(&err);
	uint8_t pk[KEY_PUBLIC];

	(void)state;
	assert_int_equal(
	    key_public_save(key_public(k), in_dir("pub"), &err), 0);
	assert_int_equal(key_public_load(in_dir("pub"), pk, &err), 0);
	assert_memory_equal(pk, key_public(k), KEY_PUBLIC);
	key_free(k);
	/* The identity, a point of order 4, p itself, and text cut short. */
	assert_int_equal(key_public_parse("01000000000000000000000000000000"
					  "00000000000000000000000000000000",
			     pk, &err),
	    -1);
	assert_int_equal(key_public_parse("00000000000000000000000000000000"
					  "00000000000000000000000000000000",
			     pk, &err),
	    -1);
	assert_int_equal(key_public_parse("edffffffffffffffffffffffffffffff"
					  "ffffffffffffffffffffffffffffff7f",
			     pk, &err),
	    -1);
	assert_int_equal(key_public_parse("58666666", pk, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
}

static void
raw_secrets_come_back_and_differ(void **state)
{
	uint8_t a[KEY_RAW], again[KEY_RAW], b[KEY_RAW];
	struct err err;

	(void)state;
	assert_int_equal(secret_create(in_dir("a"), &err), 0);
	assert_int_equal(secret_create(in_dir("b"), &err), 0);
	assert_int_equal(secret_create(in_dir("a"), &err), -1);
	assert_int_equal(secret_load(in_dir("a"), a, &err), 0);
	assert_int_equal(secret_load(in_dir("a"), again, &err), 0);
	assert_int_equal(secret_load(in_dir("b"), b, &err), 0);
	assert_memory_equal(a, again, KEY_RAW);
	assert_memory_not_equal(a, b, KEY_RAW);
	/* One kind of file is not taken for the other. */
	assert_null(key_load(in_dir("a"), NULL, &err));
	assert_int_equal(err.code, ERR_FORMAT);
}

static void
a_signature_alone_holds_for_its_label_bytes_and_key(void **state)
{
	struct err err;
	struct key *k = key_new(&err), *other = key_new(&err);
	uint8_t sig[KEY_SIGNATURE];

	(void)state;
	signed_sign(k, "confirm", "abc", 3, sig);
	assert_int_equal(
	    signed_check(key_public(k), "confirm", "abc", 3, sig, &err), 0);
	assert_int_equal(
	    signed_check(key_public(k), "confirn", "abc", 3, sig, &err), -1);
	assert_int_equal(
	    signed_check(key_public(k), "confirm", "abd", 3, sig, &err), -1);
	assert_int_equal(
	    signed_check(key_public(k), "confirm", "abc", 2, sig, &err), -1);
	assert_int_equal(
	    signed_check(key_public(other), "confirm", "abc", 3, sig, &err),
	    -1);
	sig[0] ^= 1;
	assert_int_equal(
	    signed_check(key_public(k), "confirm", "abc", 3, sig, &err), -1);
	key_free(k);
	key_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_plain_key_comes_back_and_is_never_overwritten),
		cmocka_unit_test(a_file_that_others_may_touch_is_refused),
		cmocka_unit_test(a_locked_key_opens_with_its_passphrase_alone),
		cmocka_unit_test(an_altered_key_file_is_refused),
		cmocka_unit_test(argon2id_settings_out_of_bounds_are_refused),
		cmocka_unit_test(what_is_no_key_file_is_refused),
		cmocka_unit_test(public_keys_are_points_in_hexadecimal),
		cmocka_unit_test(raw_secrets_come_back_and_differ),
		cmocka_unit_test(
		    a_signature_alone_holds_for_its_label_bytes_and_key),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

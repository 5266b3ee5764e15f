#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/catalogue.h"
#include "common/err.h"

/* A catalogue of four texts as msgfmt(1) lays it out; sorted. */
#define N 4
static const struct {
	const char *original, *translation;
	size_t original_len, translation_len;
} texts[N] = {
	{ "", "Language: zh_CN\nPlural-Forms: nplurals=1; plural=0;\n", 0, 0 },
	{ "day\004May", "may", 0, 0 },
	{ "one %zu\0many %zu", "all %zu", sizeof("one %zu\0many %zu") - 1, 0 },
	{ "yes", "ja", 0, 0 },
};

static uint8_t mo[1024];

static void
put(size_t at, size_t v)
{
	for (size_t i = 0; i < 4; i++)
		mo[at + i] = (uint8_t)(v >> 8 * i);
}

static size_t
make(void)
{
	size_t at = 28 + 16 * N;

	memset(mo, 0, sizeof(mo));
	put(0, 0x950412de);
	put(8, N);
	put(12, 28);
	put(16, 28 + 8 * N);
	for (size_t i = 0; i < 2 * N; i++) {
		const char *s =
		    i < N ? texts[i].original : texts[i - N].translation;
		size_t len = i < N ? texts[i].original_len
				   : texts[i - N].translation_len;

		len = len != 0 ? len : strlen(s);
		put(28 + 8 * i, len);
		put(28 + 8 * i + 4, at);
		memcpy(mo + at, s, len);
		at += len + 1;
	}
	return at;
}

static void
a_catalogue_translates_what_it_has(void **state)
{
	struct err err;

	(void)state;
	catalogue_drop();
	assert_string_equal(_("yes"), "yes");
	assert_string_equal(catalogue_language(), "en");
	assert_string_equal(P_("one %zu", "many %zu", 1), "one %zu");
	assert_string_equal(P_("one %zu", "many %zu", 2), "many %zu");
	assert_int_equal(catalogue_use("x.mo", mo, make(), &err), 0);
	assert_string_equal(_("yes"), "ja");
	assert_string_equal(_("no"), "no");
	assert_string_equal(_("May"), "May");
	assert_string_equal(C_("day", "May"), "may");
	assert_string_equal(P_("one %zu", "many %zu", 1), "all %zu");
	assert_string_equal(P_("one %zu", "many %zu", 0), "all %zu");
	assert_string_equal(catalogue_language(), "zh-CN");
	catalogue_drop();
	assert_string_equal(_("yes"), "yes");
}

/* Cut anywhere, or with any bit flipped, it is refused or harmless. */
static void
survives_truncation_and_flips(void **state)
{
	struct err err;
	size_t len = make();

	(void)state;
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, mo, n);
		assert_int_equal(catalogue_use("x.mo", cut, n, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
		free(cut);
	}
	for (size_t bit = 0; bit < 8 * len; bit++) {
		mo[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (catalogue_use("x.mo", mo, len, &err) == 0)
			assert_non_null(_("yes"));
		assert_non_null(P_("one %zu", "many %zu", 3));
		mo[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	catalogue_drop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_catalogue_translates_what_it_has),
		cmocka_unit_test(survives_truncation_and_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

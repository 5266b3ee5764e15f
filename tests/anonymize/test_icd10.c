#include "config.h"

#include "tests/check.h"

#include "anonymize/icd10.h"
#include "common/macros.h"

static void
knows_block_and_chapter(void **state)
{
	static const struct {
		const char *code, *category, *block, *chapter;
	} codes[] = {
		{ "A00", "A00", "A00-A09", "A00-B99" },
		{ "B99.9", "B99", "B99-B99", "A00-B99" },
		{ "C50.9", "C50", "C50-C50", "C00-D48" },
		{ "D48", "D48", "D37-D48", "C00-D48" },
		{ "D50", "D50", "D50-D53", "D50-D89" },
		{ "E11.65", "E11", "E10-E14", "E00-E90" },
		{ "H59.9", "H59", "H55-H59", "H00-H59" },
		{ "H60", "H60", "H60-H62", "H60-H95" },
		{ "I21.0", "I21", "I20-I25", "I00-I99" },
		{ "I2510", "I25", "I20-I25", "I00-I99" },
		{ "T98.3", "T98", "T90-T98", "S00-T98" },
		{ "S72.001A", "S72", "S70-S79", "S00-T98" },
		{ "W19", "W19", "V01-X59", "V01-Y98" },
		{ "Y98", "Y98", "Y90-Y98", "V01-Y98" },
		{ "Z99.2", "Z99", "Z80-Z99", "Z00-Z99" },
		{ "U07.1", "U07", "U00-U49", "U00-U99" },
		/* In no block; behind a chapter's end; modified. */
		{ "B97", "B97", "B95-B98", "A00-B99" },
		{ "A93.1", "A93", "A90-A99", "A00-B99" },
		{ "I99", "I99", "I95-I99", "I00-I99" },
		{ "G13", "G13", "G10-G14", "G00-G99" },
		{ "G27", "G27", "G27", "G00-G99" },
		{ "D49.2", "D49", "D49", "D" },
		{ "C4A.9", "C4A", "C4A", "C00-D48" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(codes); i++) {
		struct icd10 c;

		if (!icd10_parse(codes[i].code, &c))
			fail_msg("%s", codes[i].code);
		assert_string_equal(c.category, codes[i].category);
		assert_string_equal(c.block, codes[i].block);
		assert_string_equal(c.chapter, codes[i].chapter);
	}
}

static void
refuses_what_is_no_code(void **state)
{
	static const char *const bad[] = { "", "I", "I2", "21", "i21", "I21.",
		"I21.00000", "I21 0", "II1", "I21.0x", "I21,0" };

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		struct icd10 c;

		if (icd10_parse(bad[i], &c))
			fail_msg("%s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_block_and_chapter),
		cmocka_unit_test(refuses_what_is_no_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

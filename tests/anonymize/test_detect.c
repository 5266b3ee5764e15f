#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anonymize/detect.h"
#include "anonymize/rows.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "study/study.h"

static bool
looks_like(const char *cell, enum detect_kind kind)
{
	struct detect d = { 0 };

	detect_cell(&d, 1u << kind, cell, strlen(cell));
	return d.hits[kind] == 1;
}

static void
knows_an_identifier_when_it_sees_one(void **state)
{
	static const struct {
		enum detect_kind kind;
		const char *is, *is_not; /* made up, or of textbooks */
	} cells[] = {
		{ DETECT_NAME, "Jane Q. Public", "Adenocarcinoma" },
		{ DETECT_NAME, "Public, Jane", "no metastasis" },
		{ DETECT_EMAIL, "a.b@example.org", "a@b" },
		{ DETECT_PHONE, "+43 1 555 0100", "120/80" },
		{ DETECT_PHONE, "(555) 555-0100", "5550100" },
		{ DETECT_NATIONAL, "1237 010180", "1236 010180" },
		{ DETECT_NATIONAL, "943 476 5919", "943 476 5918" },
		{ DETECT_NATIONAL, "86095742719", "86095742718" },
		{ DETECT_NATIONAL, "111222333", "111222334" },
		{ DETECT_NATIONAL, "12345678Z", "12345678A" },
		{ DETECT_NATIONAL, "11010519491231002X", "110105194912310021" },
		{ DETECT_NATIONAL, "756.9217.0769.85", "756.9217.0769.84" },
		{ DETECT_NATIONAL, "000-12-3456", "000.12.3457" },
		{ DETECT_IBAN, "GB82 WEST 1234 5698 7654 32",
		    "GB82 WEST 1234 5698 7654 33" },
		{ DETECT_IP, "192.0.2.1", "192.0.2" },
		{ DETECT_IP, "2001:db8::1", "12:30" },
		{ DETECT_URL, "https://example.org/x", "httpd" },
		{ DETECT_DATE, "1980-02-29", "1981-02-29" },
		{ DETECT_DATE, "19800229", "19810229" },
		{ DETECT_DATE, "2001-02-03T04:05:06Z", "2001-02" },
		{ DETECT_POSTCODE, "01067", "0106" },
		{ DETECT_POSTCODE, "SW1A 1AA", "T2 N0 M0" },
		{ DETECT_COORDINATES, "48.2082, 16.3738", "1.5, 2.5" },
		{ DETECT_ADDRESS, "Hauptstr. 12, 01067 Dresden",
		    "grade 2, 1067 cells" },
		{ DETECT_ADDRESS, "Rue de la Gare 102, 3000 Leuven",
		    "T2, N0, M0" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(cells); i++) {
		if (!looks_like(cells[i].is, cells[i].kind))
			fail_msg("%s is one", cells[i].is);
		if (looks_like(cells[i].is_not, cells[i].kind))
			fail_msg("%s is none", cells[i].is_not);
	}
}

static void
record_numbers_come_one_after_another(void **state)
{
	struct detect counted = { 0 }, few = { 0 }, drawn = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {
		char cell[16];

		snprintf(cell, sizeof(cell), "%d", 4711 + i);
		detect_cell(&counted, DETECT_ALL, cell, strlen(cell));
		if (i < 10)
			detect_cell(&few, DETECT_ALL, cell, strlen(cell));
		snprintf(cell, sizeof(cell), "%d", i * i % 97);
		detect_cell(&drawn, DETECT_ALL, cell, strlen(cell));
	}
	assert_true(detect_found(&counted, DETECT_RECORD));
	assert_false(detect_found(&few, DETECT_RECORD));
	assert_false(detect_found(&drawn, DETECT_RECORD));
}

static void
one_hit_of_many_cells_is_chance(void **state)
{
	struct detect d = { 0 };

	(void)state;
	for (int i = 0; i < 99; i++)
		detect_cell(&d, DETECT_ALL, "grade 2", 7);
	detect_cell(&d, DETECT_ALL, "Jane Public", 11);
	assert_false(detect_found(&d, DETECT_NAME));
	detect_cell(&d, DETECT_ALL, "a@example.org", 13);
	assert_false(detect_found(&d, DETECT_EMAIL)); /* below 2 % */
	for (int i = 0; i < 5; i++)
		detect_cell(&d, DETECT_ALL, "a@example.org", 13);
	assert_true(detect_found(&d, DETECT_EMAIL));
	detect_cell(&d, DETECT_ALL, "", 0);
	assert_int_equal(d.cells, 106);
}

static void
headers_and_harbor_cover_the_kinds(void **state)
{
	const struct detect_harbor *items = detect_harbor();
	unsigned all = 0;

	(void)state;
	assert_int_equal(detect_header("Patient_EMail"), 1u << DETECT_EMAIL);
	assert_int_equal(detect_header("tumour_size"), 0);
	assert_int_equal(detect_header("Name"), 1u << DETECT_NAME);
	assert_int_equal(detect_header("drug_name"), 0);
	assert_int_equal(detect_header("birth_date"), 1u << DETECT_DATE);
	assert_int_equal(
	    detect_header("Versichertennummer"), 1u << DETECT_NATIONAL);
	assert_int_equal(detect_header("insurance_type"), 0);
	assert_int_equal(detect_header("Stra\303\237e"), 1u << DETECT_ADDRESS);
	assert_int_equal(detect_header("address"), 1u << DETECT_ADDRESS);
	for (size_t i = 0; i < DETECT_HARBOR; i++)
		all |= items[i].kinds;
	assert_int_equal(all, DETECT_ALL);
}

static const char study[] = "[study]\n"
			    "name = t\ntitle = t\npurpose = p\n"
			    "legal-basis = l\nethics = e\ncontact = c\n"
			    "expires = 2099-12-31\nextra-columns = drop\n"
			    "[model]\nkind = logistic\noutcome = ill\n"
			    "[privacy]\nk = 2\ncohort = fixed\n"
			    "[column number]\n"
			    "type = integer\nrange = 0..100000\n"
			    "privacy = none\nuse = feature\n"
			    "[column ill]\n"
			    "type = levels\nlevels = no, yes\n"
			    "privacy = sensitive\nuse = outcome\n";

/* 50 rows with a number from 1000 on, by step; and what nobody declared. */
static struct rows *
read_numbers(int step, struct err *err)
{
	int fd = memfd_create("rows", MFD_CLOEXEC);
	struct study *s = study_parse("s", study, sizeof(study) - 1, err);
	struct rows *r;
	char text[4096], *p = text;

	assert_non_null(s);
	p += sprintf(p, "number,ill,who\n");
	for (int i = 0; i < 50; i++)
		p += sprintf(p, "%d,no,Jane Public\n", 1000 + i * step);
	assert_int_equal(file_write_all(fd, text, (size_t)(p - text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	r = rows_read(fd, "x.csv", s, NULL, err);
	close(fd);
	if (r != NULL) {
		assert_int_equal(r->n_seen, 3);
		assert_true(detect_found(&r->seen[2].cells, DETECT_NAME));
		assert_int_equal(r->seen[2].column, STUDY_NONE);
	}
	rows_free(r);
	study_free(s);
	return r;
}

static void
an_identifier_in_a_feature_stops_the_preparation(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(read_numbers(1, &err));
	assert_int_equal(err.code, ERR_REFUSED);
	assert_string_equal(err.msg,
	    "x.csv: the feature \"number\" looks like record numbers in 49 of "
	    "50 cells: expected no identifier in a feature");
	assert_non_null(read_numbers(3, &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_an_identifier_when_it_sees_one),
		cmocka_unit_test(record_numbers_come_one_after_another),
		cmocka_unit_test(one_hit_of_many_cells_is_chance),
		cmocka_unit_test(headers_and_harbor_cover_the_kinds),
		cmocka_unit_test(
		    an_identifier_in_a_feature_stops_the_preparation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

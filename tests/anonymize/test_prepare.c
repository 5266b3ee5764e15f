#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anonymize/prepare.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/table.h"

static const char study_text[] = "[study]\n"
				 "name = test\n"
				 "title = A <b>title</b> & \"quotes\"\n"
				 "purpose = research\n"
				 "legal-basis = consent\n"
				 "ethics = 1/2026\n"
				 "contact = nobody\n"
				 "expires = 2099-12-31\n"
				 "[model]\n"
				 "kind = logistic\n"
				 "outcome = ill\n"
				 "event-level = yes\n"
				 "terms = age, dose, group\n"
				 "[privacy]\n"
				 "k = 3\n"
				 "suppression-limit = 0.25\n"
				 "cohort = fixed\n"
				 "max-rejected-rows = 2\n"
				 "[column name]\n"
				 "type = text\n"
				 "privacy = direct-identifier\n"
				 "[column postcode]\n"
				 "type = text\n"
				 "privacy = quasi-identifier\n"
				 "level = 1\n"
				 "[hierarchy postcode]\n"
				 "level-1 = mask 1\n"
				 "[column age]\n"
				 "type = integer\n"
				 "range = 0..100\n"
				 "privacy = quasi-identifier\n"
				 "level = 1\n"
				 "use = feature\n"
				 "[hierarchy age]\n"
				 "level-1 = cut 0 50 100\n"
				 "[column first]\n"
				 "type = date\n"
				 "format = DD.MM.YYYY\n"
				 "privacy = quasi-identifier\n"
				 "[column last]\n"
				 "type = date\n"
				 "format = DD.MM.YYYY\n"
				 "privacy = quasi-identifier\n"
				 "range = 1990-01-01..2020-12-31\n"
				 "[column dose]\n"
				 "type = interval\n"
				 "from = first\n"
				 "to = last\n"
				 "privacy = sensitive\n"
				 "range = 0..365\n"
				 "use = feature\n"
				 "[column group]\n"
				 "type = levels\n"
				 "levels = a, b, c\n"
				 "privacy = sensitive\n"
				 "use = feature\n"
				 "[column ill]\n"
				 "type = levels\n"
				 "levels = no, yes\n"
				 "privacy = sensitive\n"
				 "use = outcome\n";

#define HEADER "name,postcode,age,first,last,group,ill\n"
/* Three old in 1..., three young in 2...; with a row of one's own after. */
#define OLD(n) n ",1000,7" n ",01.01.2000,0" n ".02.2000,a,no\n"
#define YOUNG(n) n ",2000,2" n ",01.01.2000,0" n ".03.2000,b,yes\n"
#define SIX OLD("1") OLD("2") OLD("3") YOUNG("1") YOUNG("2") YOUNG("3")
#define ALONE "9,3000,29,01.01.2000,09.03.2000,c,yes\n"

static const uint8_t digest[TABLE_DIGEST_LEN] = { 1, 2, 3 };

/* What a preparation leaves, as files in memory. */
struct outcome {
	int r;
	struct err err;
	struct prepare_result result;
	uint8_t *table;
	char *json, *html;
	size_t table_len;
};

static int
memory(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	return fd;
}

/* What the study says of "group", and of all, beside its own text. */
static const char *group_rule = "", *privacy_rule = "";

static struct study *
test_study(void)
{
	static const char privacy_at[] = "cohort = fixed\n";
	static const char group_at[] = "levels = a, b, c\n";
	const char *p = strstr(study_text, privacy_at) + strlen(privacy_at);
	const char *g = strstr(study_text, group_at) + strlen(group_at);
	struct err err = { 0 };
	struct study *s;
	char text[4096];
	int n;

	n = snprintf(text, sizeof(text), "%.*s%s%.*s%s%s",
	    (int)(p - study_text), study_text, privacy_rule, (int)(g - p), p,
	    group_rule, g);
	assert_true(n > 0 && (size_t)n < sizeof(text));
	s = study_parse("t", text, (size_t)n, &err);

	if (s == NULL)
		fail_msg("%s", err.msg);
	return s;
}

static void
run(struct outcome *o, const void *csv, size_t len, size_t smallest_k)
{
	struct study *s = test_study();
	struct prepare p = { .study = s,
		.study_digest = digest,
		.site = "here",
		.source_fd = memory(),
		.source = "x.csv",
		.smallest_k = smallest_k,
		.table_fd = memory(),
		.json_fd = memory(),
		.html_fd = memory() };
	struct err err;
	size_t n;

	memset(o, 0, sizeof(*o));
	assert_int_equal(write(p.source_fd, csv, len), (ssize_t)len);
	assert_int_equal(lseek(p.source_fd, 0, SEEK_SET), 0);
	o->r = prepare(&p, &o->result, &o->err);
	o->table =
	    file_read_fd(p.table_fd, "table", 1 << 20, &o->table_len, &err);
	o->json = (char *)file_read_fd(p.json_fd, "json", 1 << 20, &n, &err);
	o->html = (char *)file_read_fd(p.html_fd, "html", 1 << 20, &n, &err);
	assert_true(o->table != NULL && o->json != NULL && o->html != NULL);
	close(p.source_fd);
	close(p.table_fd);
	close(p.json_fd);
	close(p.html_fd);
	study_free(s);
}

static void
end(struct outcome *o)
{
	free(o->table);
	free(o->json);
	free(o->html);
}

static void
refused(const char *csv, enum err_code code, const char *why)
{
	struct outcome o;

	run(&o, csv, strlen(csv), 0);
	assert_int_equal(o.r, -1);
	assert_string_equal(o.err.msg, why);
	assert_int_equal(o.err.code, code);
	assert_string_equal(o.json, "");
	end(&o);
}

/* The row is rejected for one cell; place says which. */
static void
rejected(const char *row, const char *place)
{
	char csv[4096];
	struct outcome o;

	snprintf(csv, sizeof(csv), "%s%s\n%s", HEADER, row, SIX);
	run(&o, csv, strlen(csv), 0);
	if (o.r == -1)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_rejected, 1);
	assert_int_equal(o.result.n_kept, 6);
	assert_int_equal(o.result.n_places, 1);
	assert_string_equal(o.result.places[0], place);
	end(&o);
}

static void
recodes_suppresses_and_measures_the_file(void **state)
{
	struct study *s = test_study();
	struct outcome o;
	struct table t;
	struct err err;

	(void)state;
	run(&o, HEADER SIX ALONE, strlen(HEADER SIX ALONE), 0);
	if (o.r == -1)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_read, 7);
	assert_int_equal(o.result.n_suppressed, 1);
	assert_int_equal(o.result.n_kept, 6);
	assert_int_equal(o.result.smallest_class, 3);
	/* Seven known patients; by the age, which the table has, the one who
	   is suppressed fits the young, too. */
	assert_non_null(strstr(o.json,
	    "\"tried\": 7,\n      \"fitting\": 7,\n      \"single\": 0,\n"));
	assert_null(strstr(o.json, "\"population\""));
	assert_int_equal(
	    table_read(&t, o.table, o.table_len, s, digest, &err), 0);
	assert_int_equal(t.n_rows, 6);
	for (size_t c = 0; c < s->n_table; c++) {
		const char *name = s->columns[s->table[c]].name;
		const double *v = table_column(&t, c);

		/* The middle of 0-49 and of 50-100; days; the level. */
		for (size_t i = 0; i < 6; i++) {
			if (strcmp(name, "age") == 0)
				assert_true(v[i] == (i < 3 ? 24.5 : 75));
			if (strcmp(name, "dose") == 0)
				assert_true(v[i] ==
				    (double)(i < 3 ? 60 + i : 31 + i - 3));
			if (strcmp(name, "ill") == 0)
				assert_true(v[i] == (i < 3));
		}
	}
	end(&o);
	study_free(s);
}

static void
the_hospitals_k_holds_if_it_is_stricter(void **state)
{
	struct outcome o;

	(void)state;
	run(&o, HEADER SIX, strlen(HEADER SIX), 3);
	assert_int_equal(o.r, 0);
	assert_null(strstr(o.json, "stricter-k"));
	end(&o);
	run(&o, HEADER SIX, strlen(HEADER SIX), 4);
	assert_int_equal(o.r, -1);
	assert_int_equal(o.err.code, ERR_REFUSED);
	assert_int_equal(o.result.k, 4);
	end(&o);
	run(&o, HEADER SIX OLD("4") YOUNG("4"),
	    strlen(HEADER SIX OLD("4") YOUNG("4")), 4);
	assert_int_equal(o.r, 0);
	assert_int_equal(o.result.smallest_class, 4);
	assert_non_null(strstr(o.json, "stricter-k"));
	end(&o);
}

/* Three old of groups a, b, c; three young of group b; all as often ill. */
#define VARIED                                                                 \
	"1,1000,71,01.01.2000,01.02.2000,a,no\n"                               \
	"1,1000,72,01.01.2000,02.02.2000,b,no\n"                               \
	"1,1000,73,01.01.2000,03.02.2000,c,no\n"
#define SAME YOUNG("1") YOUNG("2") YOUNG("3")

static void
keeps_rules(const char *csv, const char *rule, const char *privacy,
    size_t suppressed, const char *json)
{
	struct outcome o;

	group_rule = rule;
	privacy_rule = privacy;
	run(&o, csv, strlen(csv), 0);
	if (o.r == -1)
		fail_msg("%s: %s", rule, o.err.msg);
	assert_int_equal(o.result.n_suppressed, suppressed);
	if (strstr(o.json, json) == NULL)
		fail_msg("%s: %s", rule, o.json);
	end(&o);
	group_rule = privacy_rule = "";
}

static void
classes_that_break_a_rule_are_suppressed(void **state)
{
	static const char csv[] = HEADER VARIED VARIED VARIED SAME;

	(void)state;
	keeps_rules(csv, "diversity = distinct 3\n", "", 3,
	    "\"rule\": \"distinct-diversity\",\n        \"l\": 3,\n"
	    "        \"measured\": 3");
	keeps_rules(
	    csv, "diversity = entropy 2.5\n", "", 3, "entropy-diversity");
	keeps_rules(
	    csv, "diversity = recursive 2 2\n", "", 3, "\"measured\": 0.5");
	keeps_rules(csv, "closeness = equal 0.5\n", "", 0, "\"measured\": 0.5");
	keeps_rules(csv, "closeness = ordered 0.2\n", "", 3, "ordered");
	keeps_rules(csv, "", "population = 1000000\n", 0,
	    "\"unique_after\": {\n        \"zayatz\": 0,");
	keeps_rules(csv, "", "average-risk = 0.17\n", 0,
	    "\"average_risk_at_most\": 0.17");
}

static void
refuses_what_breaks_the_studys_rules(void **state)
{
	(void)state;
	group_rule = "diversity = distinct 3\n";
	refused(HEADER VARIED SAME, ERR_REFUSED,
	    "x.csv: 3 of 6 rows share their quasi-identifiers with fewer than "
	    "3 patients, or with too few values of a sensitive column; the "
	    "study lets 1 be suppressed. Without \"postcode\" it would be 3: "
	    "a higher level of its hierarchy would help most");
	group_rule = "";
	privacy_rule = "average-risk = 0.16\n";
	refused(HEADER VARIED VARIED VARIED SAME, ERR_REFUSED,
	    "x.csv: 2 classes of 12 rows, an average risk of 0.1667; the study "
	    "allows 0.16: higher levels of the hierarchies would help");
	privacy_rule = "";
}

static void
finds_identifiers_that_nobody_declared(void **state)
{
	struct outcome o;

	(void)state;
	privacy_rule = "";
	run(&o, HEADER SIX, strlen(HEADER SIX), 0);
	assert_int_equal(o.r, 0);
	assert_null(strstr(o.json, "undeclared-identifiers"));
	assert_non_null(strstr(o.json,
	    "\"identifier\": \"names\",\n      \"looked_for\": true,\n"));
	end(&o);
}

static void
refuses_to_suppress_more_than_the_limit(void **state)
{
	(void)state;
	/* Two young in 3..., one in 4...: 3 of 9 rows, where 2 may go.  Without
	   the postcode they are with the young in 2... */
	refused(HEADER SIX ALONE ALONE
	    "9,4000,29,01.01.2000,09.03.2000,c,yes\n",
	    ERR_REFUSED,
	    "x.csv: 3 of 9 rows share their quasi-identifiers with fewer than "
	    "3 patients; the study lets 2 be suppressed. Without \"postcode\" "
	    "it "
	    "would be 0: a higher level of its hierarchy would help most");
}

static void
rejects_a_bad_cell_with_its_place(void **state)
{
	(void)state;
	rejected("x,1000,101,01.01.2000,01.02.2000,a,no",
	    "x.csv:2:8: age: expected a whole number from 0 to 100");
	rejected("x,1000,3.5,01.01.2000,01.02.2000,a,no",
	    "x.csv:2:8: age: expected a whole number from 0 to 100");
	rejected("\"x\ny\",1000,old,01.01.2000,01.02.2000,a,no",
	    "x.csv:3:9: age: expected a whole number from 0 to 100");
	rejected("\"\xc3\xa4\xc3\xb6\",1000,3,2000-01-01,01.02.2000,a,no",
	    "x.csv:2:13: first: expected a date as DD.MM.YYYY");
	rejected("x,1000,3,01.01.2000,30.02.2000,a,no",
	    "x.csv:2:21: last: expected a date as DD.MM.YYYY from 1990-01-01 "
	    "to "
	    "2020-12-31");
	rejected("x,1000,3,01.01.2000,01.02.2021,a,no",
	    "x.csv:2:21: last: expected a date as DD.MM.YYYY from 1990-01-01 "
	    "to "
	    "2020-12-31");
	rejected("x,1000,3,02.01.2000,01.01.2000,a,no",
	    "x.csv:2:21: dose: expected a date 0 to 365 days after the first "
	    "one");
	rejected("x,1000,3,01.01.2000,01.02.2000,A,no",
	    "x.csv:2:32: group: expected one of a, b, c");
	rejected("x,1000,3,01.01.2000,01.02.2000,a",
	    "x.csv:2:1: expected 7 cells as in the header");
	rejected("x,1000,3,01.01.2000,01.02.2000,a,no,",
	    "x.csv:2:1: expected 7 cells as in the header");
}

static void
refuses_more_bad_rows_than_the_study_allows(void **state)
{
#define BAD "x,1,-1,01.01.2000,01.02.2000,a,no\n"
	struct outcome o;

	(void)state;
	refused(HEADER SIX BAD BAD BAD, ERR_FORMAT,
	    "x.csv: rows rejected: 3 of 9, the study allows 2; the first: "
	    "x.csv:8:5: age: expected a whole number from 0 to 100");
	run(&o, HEADER SIX BAD BAD BAD, strlen(HEADER SIX BAD BAD BAD), 0);
	assert_int_equal(o.result.n_places, 3);
	assert_int_equal(o.result.n_rejected, 3);
	end(&o);
}

static void
counts_rows_with_a_missing_value(void **state)
{
	/* A missing direct identifier is nobody's loss. */
	static const char csv[] =
	    HEADER SIX "x,,30,01.01.2000,01.02.2000,a,no\n"
		       "x,2000,NA,01.01.2000,01.02.2000,a,no\n"
		       "x,2000,30,,01.02.2000,a,no\n"
		       "x,2000,30,01.01.2000,01.02.2000,,no\n"
		       "NA,2000, 30 ,01.01.2000,01.02.2000,a,no\n";
	struct outcome o;

	(void)state;
	run(&o, csv, sizeof(csv) - 1, 0);
	assert_int_equal(o.r, 0);
	assert_int_equal(o.result.n_read, 11);
	assert_int_equal(o.result.n_incomplete, 4);
	assert_int_equal(o.result.n_kept, 7);
	end(&o);
}

static void
refuses_a_wrong_header(void **state)
{
	(void)state;
	refused("", ERR_FORMAT,
	    "x.csv:1:1: empty: expected a line of column names");
	refused("name,postcode,age,first,last,group\n", ERR_FORMAT,
	    "x.csv:1:1: no column \"ill\", which the study's codebook has");
	refused("name,postcode,age,first,last,group,ill,nhs_number\n",
	    ERR_FORMAT,
	    "x.csv:1:40: this column is not in the study's codebook");
	refused("name,postcode, Age ,first,last,group,ill\n", ERR_FORMAT,
	    "x.csv:1:15: this column is not in the study's codebook, which has "
	    "\"age\"");
	refused("name,postcode,age,first,last,group,ill,age\n", ERR_FORMAT,
	    "x.csv:1:40: a second column \"age\"");
	refused("Mrs Miller,1000,71\n", ERR_FORMAT,
	    "x.csv:1:1: this column is not in the study's codebook");
}

static void
refuses_a_source_that_was_cut_short(void **state)
{
	static const char csv[] = HEADER SIX "x,1000,3,01.01.2000";
	struct outcome o;

	(void)state;
	refused(csv, ERR_FORMAT,
	    "x.csv:8:1: cut short: the last row has 4 of 7 cells");
	refused(HEADER SIX "\"x,1000,3", ERR_FORMAT,
	    "x.csv:8:1: cut short: the file ends inside this quoted cell");
	refused(HEADER, ERR_REFUSED,
	    "x.csv: 0 complete rows are left, at least 3 are needed");
	/* All cells are there: only a person can tell. */
	run(&o, HEADER SIX, strlen(HEADER SIX) - 1, 0);
	assert_int_equal(o.r, 0);
	assert_non_null(strstr(o.json, "no-line-end"));
	end(&o);
}

static void
the_report_hides_small_cells_and_what_gives_them_away(void **state)
{
	/* group: 3 a, 3 b, 2 c of 8.  c is below k; with c alone hidden, the
	   total would tell it. */
	static const char csv[] =
	    HEADER SIX "7,2000,27,01.01.2000,07.03.2000,c,yes\n"
		       "8,2000,28,01.01.2000,08.03.2000,c,yes\n";
	struct outcome o;
	const char *group;

	(void)state;
	run(&o, csv, sizeof(csv) - 1, 0);
	if (o.r == -1)
		fail_msg("%s", o.err.msg);
	assert_int_equal(o.result.n_kept, 8);
	group = strstr(o.json, "\"name\": \"group\"");
	assert_non_null(group);
	assert_non_null(group = strstr(group, "\"label\": \"a\""));
	assert_non_null(group = strstr(group, "\"patients\": "));
	assert_memory_equal(group, "\"patients\": null", 16);
	assert_non_null(group = strstr(group, "\"label\": \"c\""));
	assert_non_null(group = strstr(group, "\"patients\": "));
	assert_memory_equal(group, "\"patients\": null", 16);
	assert_null(strstr(o.html, "c: 2 patients"));
	assert_non_null(strstr(o.html, "c: too few to show"));
	end(&o);
}

static void
the_report_is_one_safe_page(void **state)
{
	struct outcome o;

	(void)state;
	run(&o, HEADER SIX, strlen(HEADER SIX), 0);
	assert_int_equal(o.r, 0);
	assert_non_null(strstr(
	    o.html, "A &lt;b&gt;title&lt;/b&gt; &amp; &quot;quotes&quot;"));
	assert_null(strstr(o.html, "<b>title"));
	assert_null(strstr(o.html, "<script"));
	assert_null(strstr(o.html, "http://"));
	assert_null(strstr(o.html, "https://"));
	assert_null(strstr(o.html, "src="));
	assert_null(strstr(o.html, "href="));
	assert_non_null(strstr(o.html, "1 in 3"));
	assert_non_null(strstr(o.json, "\"format\": \"consilium-report\""));
	end(&o);
}

/* Nothing of a hostile file may do more than be refused. */
static void
survives_truncation_and_flips(void **state)
{
	static const char good[] = HEADER SIX ALONE;
	char csv[sizeof(good)];
	struct outcome o;

	(void)state;
	for (size_t len = 0; len < sizeof(good); len += 3) {
		run(&o, good, len, 0);
		assert_true(o.r == 0 || o.err.msg[0] != '\0');
		end(&o);
	}
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		memcpy(csv, good, sizeof(good));
		csv[i] = (char)(csv[i] ^ (1 << i % 8));
		run(&o, csv, sizeof(good) - 1, 0);
		assert_true(o.r == 0 || o.err.msg[0] != '\0');
		if (o.r == 0)
			assert_true(o.result.smallest_class >= 3);
		end(&o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recodes_suppresses_and_measures_the_file),
		cmocka_unit_test(the_hospitals_k_holds_if_it_is_stricter),
		cmocka_unit_test(classes_that_break_a_rule_are_suppressed),
		cmocka_unit_test(refuses_what_breaks_the_studys_rules),
		cmocka_unit_test(finds_identifiers_that_nobody_declared),
		cmocka_unit_test(refuses_to_suppress_more_than_the_limit),
		cmocka_unit_test(rejects_a_bad_cell_with_its_place),
		cmocka_unit_test(refuses_more_bad_rows_than_the_study_allows),
		cmocka_unit_test(counts_rows_with_a_missing_value),
		cmocka_unit_test(refuses_a_wrong_header),
		cmocka_unit_test(refuses_a_source_that_was_cut_short),
		cmocka_unit_test(
		    the_report_hides_small_cells_and_what_gives_them_away),
		cmocka_unit_test(the_report_is_one_safe_page),
		cmocka_unit_test(survives_truncation_and_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

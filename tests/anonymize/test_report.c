/* What the reports of preparations say. */
#include "config.h"

#include "tests/check.h"

#include <math.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anonymize/prepare.h"
#include "common/catalogue.h"
#include "common/err.h"
#include "common/file.h"
#include "common/json_read.h"
#include "common/macros.h"
#include "study/study.h"
#include "tests/anonymize/prepared.h"

#define REPORT_MAX ((size_t)1 << 20)

static const char study_head[] = "[study]\n"
				 "name = test\n"
				 "title = Title\n"
				 "purpose = research\n"
				 "legal-basis = consent\n"
				 "ethics = 1/2026\n"
				 "contact = nobody\n"
				 "expires = 2099-12-31\n"
				 "[model]\n"
				 "kind = logistic\n"
				 "outcome = ill\n"
				 "event-level = yes\n"
				 "terms = age, group\n";
static const char study_privacy[] = "[privacy]\n"
				    "suppression-limit = 0.3\n"
				    "cohort = fixed\n";
static const char *more_of_model = "";
static const char *control_socket;
static const char *last_cut = "90";
#define study_columns                                                          \
	"[column zip]\n"                                                       \
	"type = text\n"                                                        \
	"privacy = quasi-identifier\n"                                         \
	"level = 1\n"                                                          \
	"[hierarchy zip]\n"                                                    \
	"level-1 = mask 1\n"                                                   \
	"[column age]\n"                                                       \
	"type = integer\n"                                                     \
	"range = 0..110\n"                                                     \
	"privacy = quasi-identifier\n"                                         \
	"level = 1\n"                                                          \
	"use = feature\n"                                                      \
	"[hierarchy age]\n"                                                    \
	"level-1 = cut 0 50 %s 110\n"                                          \
	"[column group]\n"                                                     \
	"type = levels\n"                                                      \
	"levels = a, b, c\n"                                                   \
	"privacy = sensitive\n"                                                \
	"use = feature\n"                                                      \
	"[column ill]\n"                                                       \
	"type = levels\n"                                                      \
	"levels = no, yes\n"                                                   \
	"privacy = sensitive\n"                                                \
	"use = outcome\n"

struct outcome {
	struct json_value *json;
	char *text, *html;
	size_t text_len;
};

static int
memory(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* privacy: lines of [privacy]; last: the report before, or NULL. */
static struct outcome
prepared(const char *privacy, const char *csv, const struct outcome *last)
{
	static const uint8_t digest[TABLE_DIGEST_LEN] = { 1, 2, 3 };
	struct prepare_result result;
	struct outcome o;
	struct prepare p = { .study_digest = digest,
		.site = "here",
		.source = "x.csv",
		.socket = control_socket,
		.source_fd = memory(csv),
		.table_fd = memory(""),
		.json_fd = memory(""),
		.html_fd = memory(""),
		.last_report = last != NULL ? last->text : NULL,
		.last_report_len = last != NULL ? last->text_len : 0 };
	char text[4096], columns[2048];
	struct study *s;
	struct err err;
	size_t n;

	snprintf(columns, sizeof(columns), study_columns, last_cut);
	snprintf(text, sizeof(text), "%s%s%s%s%s", study_head, more_of_model,
	    study_privacy, privacy, columns);
	if ((s = study_parse("t", text, strlen(text), &err)) == NULL)
		fail_msg("%s", err.msg);
	p.study = s;
	if (prepare(&p, &result, &err) == -1)
		fail_msg("%s", err.msg);
	o.text = (char *)file_read_fd(
	    p.json_fd, "json", REPORT_MAX, &o.text_len, &err);
	o.html = (char *)file_read_fd(p.html_fd, "html", REPORT_MAX, &n, &err);
	assert_true(o.text != NULL && o.html != NULL);
	o.json = json_read("report.json", o.text, o.text_len, &err);
	if (o.json == NULL)
		fail_msg("%s", err.msg);
	study_free(s);
	close(p.source_fd);
	close(p.table_fd);
	close(p.json_fd);
	close(p.html_fd);
	return o;
}

static void
end(struct outcome *o)
{
	json_read_free(o->json);
	free(o->text);
	free(o->html);
}

/* 24 patients of two groups: 12 young, 12 old; from ZIP codes of one area. */
static const char *
source(const char *zip, size_t old)
{
	static char csv[4096];
	size_t n = (size_t)snprintf(csv, sizeof(csv), "zip,age,group,ill\n");

	for (size_t i = 0; i < 24; i++)
		n += (size_t)snprintf(csv + n, sizeof(csv) - n,
		    "%s%02zu,%zu,%c,%s\n", zip, i % 7,
		    (i < old ? 60 : 20) + i * 7 % 24, "ab"[i % 2],
		    i % 3 == 0 ? "yes" : "no");
	return csv;
}

static const struct json_value *
finding(const struct outcome *o, const char *id)
{
	const struct json_value *all = json_get(o->json, "findings");

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(json_get_text(&all->items[i], "id", ""), id) == 0)
			return &all->items[i];
	return NULL;
}

static bool
decide(const struct outcome *o, const char *id)
{
	const struct json_value *f = finding(o, id);

	if (f == NULL)
		fail_msg("no finding %s", id);
	return json_get(f, "decide")->kind == JSON_TRUE;
}

/*
 * JSON Schema (draft 2020-12), as much of it as docs/report.schema.json uses;
 * another word there fails.
 */

static const struct json_value *schema; /* the whole */

static void valid(
    const struct json_value *s, const struct json_value *v, const char *path);

static bool
is_type(const char *type, const struct json_value *v)
{
	switch (v->kind) {
	case JSON_NULL:
		return strcmp(type, "null") == 0;
	case JSON_FALSE:
	case JSON_TRUE:
		return strcmp(type, "boolean") == 0;
	case JSON_NUMBER:
		return strcmp(type, "number") == 0 ||
		    (strcmp(type, "integer") == 0 &&
			v->number == floor(v->number));
	case JSON_TEXT:
		return strcmp(type, "string") == 0;
	case JSON_ARRAY:
		return strcmp(type, "array") == 0;
	default:
		return strcmp(type, "object") == 0;
	}
}

static bool
is_one(const struct json_value *a, const struct json_value *b)
{
	return a->kind == b->kind &&
	    (a->kind == JSON_TEXT ? strcmp(a->text, b->text) == 0
				  : a->number == b->number);
}

static void
valid_object(
    const struct json_value *s, const struct json_value *v, const char *path)
{
	const struct json_value *known = json_get(s, "properties");
	const struct json_value *needed = json_get(s, "required");
	char inner[512];

	for (size_t i = 0; needed != NULL && i < needed->n; i++)
		if (json_get(v, needed->items[i].text) == NULL)
			fail_msg("%s: no %s", path, needed->items[i].text);
	for (size_t i = 0; i < v->n; i++) {
		const struct json_value *of = json_get(known, v->items[i].key);

		if (of == NULL)
			fail_msg("%s: %s is not in the schema", path,
			    v->items[i].key);
		snprintf(
		    inner, sizeof(inner), "%.400s.%s", path, v->items[i].key);
		valid(of, &v->items[i], inner);
	}
}

static void
valid_array(
    const struct json_value *s, const struct json_value *v, const char *path)
{
	if ((double)v->n < json_get_number(s, "minItems", 0) ||
	    (double)v->n > json_get_number(s, "maxItems", 1e9))
		fail_msg("%s: %zu items", path, v->n);
	for (size_t i = 0; i < v->n; i++)
		valid(json_get(s, "items"), &v->items[i], path);
}

static void
valid(const struct json_value *s, const struct json_value *v, const char *path)
{
	static const char refs[] = "#/$defs/";
	bool some = false;

	assert_non_null(s);
	for (size_t i = 0; i < s->n; i++) {
		const struct json_value *rule = &s->items[i];

		if (strcmp(rule->key, "$ref") == 0) {
			assert_memory_equal(rule->text, refs, sizeof(refs) - 1);
			valid(json_get(json_get(schema, "$defs"),
				  rule->text + sizeof(refs) - 1),
			    v, path);
		} else if (strcmp(rule->key, "type") == 0) {
			some =
			    rule->kind == JSON_TEXT && is_type(rule->text, v);
			for (size_t k = 0;
			     rule->kind == JSON_ARRAY && k < rule->n; k++)
				some = some || is_type(rule->items[k].text, v);
			if (!some)
				fail_msg("%s: another type", path);
		} else if (strcmp(rule->key, "enum") == 0) {
			some = false;
			for (size_t k = 0; k < rule->n; k++)
				some = some || is_one(&rule->items[k], v);
			if (!some)
				fail_msg("%s: none of the values", path);
		} else if (strcmp(rule->key, "pattern") == 0) {
			regex_t re;

			assert_int_equal(
			    regcomp(&re, rule->text, REG_EXTENDED), 0);
			if (regexec(&re, v->text, 0, NULL, 0) != 0)
				fail_msg("%s: another shape", path);
			regfree(&re);
		} else if (strcmp(rule->key, "minimum") == 0) {
			if (v->kind == JSON_NUMBER && v->number < rule->number)
				fail_msg("%s: too small", path);
		} else if (strcmp(rule->key, "maximum") == 0) {
			if (v->kind == JSON_NUMBER && v->number > rule->number)
				fail_msg("%s: too large", path);
		} else if (strcmp(rule->key, "properties") == 0) {
			valid_object(s, v, path);
		} else if (strcmp(rule->key, "items") == 0) {
			valid_array(s, v, path);
		} else if (strcmp(rule->key, "additionalProperties") == 0) {
			assert_int_equal(rule->kind, JSON_FALSE);
		} else if (strcmp(rule->key, "required") != 0 &&
		    strcmp(rule->key, "minItems") != 0 &&
		    strcmp(rule->key, "maxItems") != 0 &&
		    strcmp(rule->key, "title") != 0 &&
		    strcmp(rule->key, "$schema") != 0 &&
		    strcmp(rule->key, "$defs") != 0) {
			fail_msg("%s: the test does not know \"%s\"", path,
			    rule->key);
		}
	}
}

static char *
read_in(const char *root, const char *name, size_t *len)
{
	char path[1024];
	struct err err;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", getenv(root), name);
	if ((text = (char *)file_read(path, REPORT_MAX, len, &err)) == NULL)
		fail_msg("%s", err.msg);
	return text;
}

/* With every part that a report may have. */
#define ALL_RULES "k = 3\npopulation = 1000\naverage-risk = 0.5\n"

static void
report_json_is_as_its_schema_says(void **state)
{
	static const uint8_t key[PATIENTS_KEY] = { 1 };
	struct outcome first, second;
	struct prepared linked;
	struct json_value *s;
	struct err err;
	size_t len;
	char *text = read_in("top_srcdir", "docs/report.schema.json", &len);

	(void)state;
	s = json_read("report.schema.json", text, len, &err);
	if (s == NULL)
		fail_msg("%s", err.msg);
	schema = s;
	first = prepared(ALL_RULES, source("102", 12), NULL);
	valid(s, first.json, "report");
	second = prepared("k = 5\n", source("999", 12), &first);
	assert_non_null(json_get(second.json, "last"));
	valid(s, second.json, "report");
	end(&first);
	end(&second);
	prepared_run(&linked,
	    PREPARED_HEAD
	    "[privacy]\nk = 2\ncohort = fixed\npatient = mrn\n"
	    "pseudonym = yes\ndate-shift = 9\n"
	    "[column mrn]\ntype = text\nprivacy = direct-identifier\n"
	    "[column seen]\ntype = date\nrange = 2010-03-01..2010-10-31\n"
	    "privacy = quasi-identifier\nlevel = 1\nuse = feature\n"
	    "[hierarchy seen]\nlevel-1 = decade\n",
	    "mrn,seen,ill\nA,2010-06-01,no\nA,2010-07-01,no\n"
	    "B,2010-06-01,no\nB,2010-07-01,yes\n",
	    &(const struct prepare){ .secret = key });
	if (linked.r != 0)
		fail_msg("%s", linked.err.msg);
	assert_true(prepared_number(&linked, "patients.in_table") == 2);
	valid(s, linked.report, "report");
	prepared_free(&linked);
	json_read_free(s);
	free(text);
}

/* Whoever is alone in the sample may be alone in the population. */
static void
a_journalist_finds_those_who_are_alone(void **state)
{
	struct outcome o =
	    prepared("k = 5\npopulation = 100000\n", source("999", 12), NULL);
	const struct json_value *p = json_get(o.json, "privacy");
	const struct json_value *before = json_get(p, "before");
	double likely = json_get_number(
	    json_get(json_get(p, "population"), "unique_before"), "likely", -1);

	(void)state;
	/* All ages and ZIP codes are somebody's own. */
	assert_true(json_get_number(before, "unique", 0) > 0.999);
	assert_true(likely > 0.5);
	/* To the rounding of a sum. */
	assert_true(json_get_number(before, "marketer", 0) > likely - 1e-12);
	assert_true(json_get_number(json_get(before, "journalist"), "highest",
			0) > likely - 1e-12);
	/* In the table nobody is: 12 of thousands. */
	assert_true(
	    json_get_number(json_get(json_get(p, "after"), "journalist"),
		"highest", 1) < 12.0 / 10000);
	end(&o);
}

static void
names_the_thresholds_of_others(void **state)
{
	struct outcome o = prepared("k = 5\n", source("999", 12), NULL);

	(void)state;
	/* Groups of 12: 1 in 12 is below 0.09, and 12 no fewer than 11. */
	assert_false(decide(&o, "ema-0070"));
	assert_non_null(strstr(o.html, "no fewer than the 11"));
	/* The study names no sites. */
	assert_non_null(strstr(o.html,
	    "all of the consortium, or those of them whom the signed study "
	    "names"));
	assert_null(finding(&o, "above-threshold"));
	end(&o);
	o = prepared("k = 5\nrisk-threshold = 0.05\n", source("999", 8), NULL);
	assert_true(decide(&o, "ema-0070"));
	assert_true(decide(&o, "above-threshold"));
	assert_false(decide(&o, "cms-11"));
	assert_non_null(
	    strstr(o.html, "publishes no number of patients below"));
	end(&o);
}

static void
knows_areas_where_few_people_live(void **state)
{
	struct outcome o = prepared("k = 5\n", source("102", 12), NULL);

	(void)state;
	assert_false(decide(&o, "zip3"));
	assert_non_null(strstr(o.html, "24 of the 24 codes"));
	end(&o);
	o = prepared("k = 5\n", source("100", 12), NULL);
	assert_non_null(strstr(o.html, "none is from such an area"));
	end(&o);
}

static void
ages_over_89_want_one_group(void **state)
{
	struct outcome o = prepared("k = 5\n", source("999", 12), NULL);

	(void)state;
	/* The last group begins at 90. */
	assert_null(finding(&o, "ages-over-89"));
	end(&o);
	last_cut = "95";
	o = prepared("k = 5\n", source("999", 12), NULL);
	last_cut = "90";
	assert_true(decide(&o, "ages-over-89"));
	end(&o);
}

static void
says_what_changed(void **state)
{
	struct outcome first = prepared("k = 5\n", source("999", 12), NULL);
	struct outcome same = prepared("k = 5\n", source("999", 12), &first);
	struct outcome next = prepared("k = 5\n", source("999", 9), &first);
	const struct json_value *last, *changes;

	(void)state;
	assert_null(json_get(first.json, "last"));
	assert_null(strstr(first.html, "What changed since"));
	last = json_get(same.json, "last");
	assert_int_equal(json_get(last, "same_table")->kind, JSON_TRUE);
	assert_int_equal(json_get(last, "changes")->n, 0);
	assert_string_equal(
	    json_get_text(last, "made", ""), "1970-01-01T00:00:00Z");
	last = json_get(next.json, "last");
	assert_int_equal(json_get(last, "same_table")->kind, JSON_FALSE);
	changes = json_get(last, "changes");
	assert_true(changes->n >= 1);
	assert_string_equal(
	    json_get_text(&changes->items[0], "what", ""), "highest");
	assert_true(fabs(json_get_number(&changes->items[0], "last", 0) -
			1.0 / 12) < 1e-15);
	assert_true(fabs(json_get_number(&changes->items[0], "now", 0) -
			1.0 / 9) < 1e-15);
	assert_non_null(strstr(next.html, "1 in 12"));
	end(&first);
	end(&same);
	end(&next);
}

static void
speaks_chinese(void **state)
{
	struct outcome o;
	struct err err;
	size_t len;
	char *mo =
	    read_in("builddir", "po/zh_CN/LC_MESSAGES/consilium.mo", &len);

	(void)state;
	if (catalogue_use("zh_CN", mo, len, &err) == -1)
		fail_msg("%s", err.msg);
	o = prepared(ALL_RULES, source("102", 9), NULL);
	catalogue_drop();
	free(mo);
	assert_non_null(strstr(o.html, "<html lang=\"zh-CN\">"));
	assert_string_equal(json_get_text(o.json, "language", ""), "zh-CN");
	assert_non_null(strstr(o.html,
	    "\345\216\273\346\240\207\350\257\206"
	    "\345\214\226\346\212\245\345\221\212"));
	assert_null(strstr(o.html, "Anonymization"));
	assert_null(strstr(o.html, "patients"));
	assert_null(strstr(o.html, "decision"));
	end(&o);
	o = prepared("k = 5\n", source("102", 9), NULL);
	assert_non_null(strstr(o.html, "<html lang=\"en\">"));
	end(&o);
}

/* Light bars are of the complete rows, and of multiples of k alone. */
static void
numbers_before_are_rounded(void **state)
{
	struct outcome o = prepared("k = 5\n", source("999", 9), NULL);
	const struct json_value *columns = json_get(o.json, "columns");
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < columns->n; i++) {
		const struct json_value *b =
		    json_get(&columns->items[i], "values_before");

		for (size_t g = 0; b != NULL && g < b->n; g++) {
			const struct json_value *n =
			    json_get(&b->items[g], "patients_about");

			assert_true(
			    n->kind == JSON_NULL || fmod(n->number, 5) == 0);
			seen++;
		}
	}
	assert_true(seen >= 15); /* of age, group and ill */
	end(&o);
}

/* The commands are those that work at this hospital. */
static void
says_where_the_daemon_is_asked(void **state)
{
	struct outcome o = prepared("k = 5\n", source("999", 12), NULL);

	(void)state;
	assert_non_null(
	    strstr(o.html, "consiliumctl approve test --key OFFICER.key\n"));
	end(&o);
	control_socket = "/srv/a&b.sock";
	o = prepared("k = 5\n", source("999", 12), NULL);
	control_socket = NULL;
	assert_non_null(strstr(o.html,
	    "consiliumctl revoke --socket /srv/a&amp;b.sock test --key"));
	end(&o);
}

static void
only_counts_leave_for_feasibility(void **state)
{
	struct outcome o = prepared("k = 5\n", source("999", 12), NULL);

	(void)state;
	assert_non_null(strstr(o.html, "and sums of the columns"));
	end(&o);
	more_of_model = "feasibility = yes\n";
	o = prepared("k = 5\n", source("999", 12), NULL);
	more_of_model = "";
	assert_non_null(strstr(o.html, "Numbers of patients and nothing else"));
	assert_null(strstr(o.html, "sums of the columns"));
	assert_null(strstr(o.html, "model&#39;s numbers"));
	assert_null(strstr(o.html, "model's numbers"));
	end(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_json_is_as_its_schema_says),
		cmocka_unit_test(a_journalist_finds_those_who_are_alone),
		cmocka_unit_test(names_the_thresholds_of_others),
		cmocka_unit_test(knows_areas_where_few_people_live),
		cmocka_unit_test(ages_over_89_want_one_group),
		cmocka_unit_test(says_what_changed),
		cmocka_unit_test(speaks_chinese),
		cmocka_unit_test(numbers_before_are_rounded),
		cmocka_unit_test(says_where_the_daemon_is_asked),
		cmocka_unit_test(only_counts_leave_for_feasibility),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

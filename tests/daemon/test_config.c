#include "config.h"

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "daemon/config.h"
#include "study/study.h"

#define KEY "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define SITE "[site]\nname = a\nstate = /s\nkeys = /k\n"
#define COORD "[coordinator]\naddress = h:1\n"
#define OFFICER "[officer]\npublic-key = " KEY "\n"
#define SOURCE "[source]\ncsv = /a.csv\n"
#define CONTROL "[control]\nsocket = /c\n"
#define ALL SITE COORD OFFICER SOURCE CONTROL

static struct site_config *
parse(const char *text, struct err *err)
{
	return site_config_parse("x.conf", text, strlen(text), err);
}

/* The example waits for a key of the hospital's own. */
static void
reads_the_example(void **state)
{
	char path[4096], text[4096];
	struct err err = { 0 };
	struct site_config *c;
	uint8_t *example;
	char *gap;
	size_t len;

	(void)state;
	snprintf(path, sizeof(path), "%s/examples/consiliumd.conf",
	    getenv("top_srcdir"));
	assert_null(site_config_load(path, &err));
	assert_non_null(strstr(err.msg, "public-key: expected a public key"));
	err.msg[0] = '\0';

	example = file_read(path, sizeof(text) - 128, &len, &err);
	assert_non_null(example);
	gap = memmem(example, len, "OFFICERS-KEY", strlen("OFFICERS-KEY"));
	assert_non_null(gap);
	snprintf(text, sizeof(text), "%.*s" KEY "%.*s",
	    (int)(gap - (char *)example), (char *)example,
	    (int)(len - (size_t)(gap - (char *)example) -
		strlen("OFFICERS-KEY")),
	    gap + strlen("OFFICERS-KEY"));
	free(example);
	c = parse(text, &err);
	assert_string_equal(err.msg, "");
	assert_non_null(c);
	assert_string_equal(c->name, "freiburg");
	assert_string_equal(c->coordinator.host, "coordinator.example.org");
	assert_int_equal(c->coordinator.port, 7443);
	assert_string_equal(c->server_name, "coordinator.example.org");
	assert_int_equal(c->n_officers, 1);
	assert_int_equal(c->officers[0][0], 0xd7);
	assert_int_equal(c->officers[0][31], 0x1a);
	assert_int_equal(c->policy.purposes.n, 2);
	assert_int_equal(c->policy.smallest_sites, 4);
	assert_int_equal(c->policy.cohort, STUDY_FIXED);
	assert_string_equal(c->board.text, "127.0.0.1:7480");
	assert_string_equal(c->officer_group, "consilium-officer");
	assert_string_equal(
	    site_config_source(c, "rfs", &err)->csv, "/srv/research/rfs.csv");
	assert_string_equal(site_config_source(c, "los", &err)->csv,
	    "/srv/research/oncology.csv");
	site_config_free(c);
}

static void
what_is_left_out_has_the_strict_default(void **state)
{
	struct err err = { 0 };
	struct site_config *c = parse(ALL, &err);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->policy.smallest_k, 5);
	assert_int_equal(c->policy.smallest_sites, 3);
	assert_int_equal(c->policy.smallest_risk_set_step, 5);
	assert_int_equal(c->policy.verify, STUDY_REPLAY);
	assert_null(c->operator_group);
	assert_null(c->board.host);
	site_config_free(c);
}

static void
a_study_without_a_source_is_an_error(void **state)
{
	struct err err;
	struct site_config *c = parse(
	    SITE COORD OFFICER CONTROL "[source rfs]\ncsv = /r.csv\n", &err);

	(void)state;
	assert_non_null(c);
	assert_null(site_config_source(c, "other", &err));
	assert_string_equal(
	    err.msg, "no [source] for study other in the configuration");
	site_config_free(c);
}

static void
errors_name_line_and_column(void **state)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ SITE "csv = /x\n",
		    "x.conf:5:1: unknown key \"csv\" in [site], expected one "
		    "of: name, language, state, keys" },
		{ SITE "[coordinator]\naddress = host\n",
		    "x.conf:6:11: address: expected HOST:PORT or "
		    "[IPV6-ADDRESS]:PORT" },
		{ SITE "[coordinator]\naddress = ::1\n",
		    "x.conf:6:11: address: expected HOST:PORT or "
		    "[IPV6-ADDRESS]:PORT" },
		{ SITE "[coordinator]\naddress = []:1\n",
		    "x.conf:6:11: address: expected HOST:PORT or "
		    "[IPV6-ADDRESS]:PORT" },
		{ SITE "[coordinator]\naddress = h:0\n",
		    "x.conf:6:13: address: expected a whole number from 1 to "
		    "65535" },
		{ SITE COORD "[officer]\npublic-key = " KEY ", 12\n",
		    "x.conf:8:80: public-key: expected a public key of 64 "
		    "hexadecimal digits" },
		{ ALL "[source a]\ncsv = /1\nobjections = /refused.txt\n",
		    "x.conf:15:14: objections without patient: expected the "
		    "column that says whose row it is" },
		{ SITE COORD OFFICER "[source]\ncsv = a.csv\n",
		    "x.conf:10:7: csv: expected an absolute path" },
		{ SITE COORD OFFICER CONTROL,
		    "x.conf:11:1: section [source] is missing" },
		{ ALL "[policy]\nsmallest-sites = 2\n",
		    "x.conf:14:18: smallest-sites: expected a whole number "
		    "from 3 to 1024" },
		{ ALL "[policy]\nverify = never\n",
		    "x.conf:14:10: verify: \"never\", expected one of: replay, "
		    "sample, trust" },
		{ SITE COORD OFFICER CONTROL "[source Reha!]\ncsv = /1\n",
		    "x.conf:11:9: [source Reha!]: expected a study's name, 1 "
		    "to "
		    "48 of a-z, 0-9 and -, not starting with -" },
		{ ALL "[source a]\ncsv = /1\n[source a]\ncsv = /2\n",
		    "x.conf:15:1: section [source a] is there twice" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		struct err err = { 0 };

		assert_null(parse(bad[i].text, &err));
		assert_string_equal(err.msg, bad[i].msg);
	}
}

static void
a_language_is_a_short_word(void **state)
{
	static const struct {
		const char *text, *language; /* NULL: it is refused */
	} words[] = {
		{ "zh_CN", "zh_CN" },
		{ "de", "de" },
		{ "d", NULL },
		{ "de_DE_long", NULL },
		{ "../de", NULL },
		{ "zh-CN", NULL },
	};

	(void)state;
	for (size_t i = 0; i < nitems(words); i++) {
		struct err err = { 0 };
		struct site_config *c;
		char text[600];

		snprintf(text, sizeof(text), SITE "language = %s\n%s",
		    words[i].text, COORD OFFICER SOURCE CONTROL);
		c = parse(text, &err);
		if (words[i].language == NULL) {
			assert_null(c);
			assert_string_equal(err.msg,
			    "x.conf:5:12: language: expected a language, en or "
			    "zh_CN");
			continue;
		}
		assert_non_null(c);
		assert_string_equal(c->language, words[i].language);
		site_config_free(c);
	}
}

static void
there_are_so_many_sources(void **state)
{
	char text[65536];
	struct err err = { 0 };
	size_t len;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text), "%s", ALL);
	for (int i = 0; i < SITE_SOURCES_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "[source s%d]\ncsv = /%d\n", i, i);
	assert_null(parse(text, &err));
	snprintf(text, sizeof(text), "more than %d sources", SITE_SOURCES_MAX);
	assert_non_null(strstr(err.msg, text));
}

static void
a_file_that_is_not_there_is_the_systems_error(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(site_config_load("/nowhere/consiliumd.conf", &err));
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_non_null(strstr(err.msg, "/nowhere/consiliumd.conf"));
}

static void
an_ipv6_address_loses_its_brackets(void **state)
{
	struct err err;
	struct site_config *c = parse(SITE OFFICER SOURCE CONTROL
	    "[coordinator]\naddress = [2001:db8::1]:7443\nserver-name = c\n",
	    &err);

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->coordinator.host, "2001:db8::1");
	assert_string_equal(c->coordinator.text, "[2001:db8::1]:7443");
	assert_string_equal(c->server_name, "c");
	site_config_free(c);
}

static void
the_policy_is_a_floor(void **state)
{
	static char purpose[] = "medical research: los", name[] = "los";
	static char x[] = "x", recoding[] = STUDY_RECODING_VALUE;
	struct study_column none = { .type = STUDY_REAL };
	struct study_column sensitive = {
		.name = x,
		.type = STUDY_LEVELS,
		.privacy = STUDY_SENSITIVE,
		.in_table = true,
	};
	struct study_column code = {
		.name = x,
		.type = STUDY_INTEGER,
		.hi = 1e6,
		.in_table = true,
	};
	struct err err;
	struct site_config *c = parse(
	    ALL "[policy]\npurposes = quality*, medical research*\n", &err);
	struct study good = {
		.name = name,
		.purpose = purpose,
		.rounds = { .keep_uploads = 16 },
		.privacy = { .k = 5,
		    .suppression_limit = 0.1,
		    .smallest_risk_set_step = 5,
		    .cohort = STUDY_FIXED,
		    .verify = STUDY_REPLAY },
	};
	struct study s;

	(void)state;
	assert_non_null(c);
	good.columns = &none;
	good.n_columns = 1;
	assert_int_equal(site_policy_check(&c->policy, &good, 3, &err), 0);
	assert_int_equal(site_policy_check(&c->policy, &good, 2, &err), -1);
	assert_int_equal(err.code, ERR_REFUSED);
	assert_string_equal(err.msg,
	    "study los: number of sites is 2, this site's policy wants at "
	    "least 3");
#define REFUSED(change, why)                                                   \
	do {                                                                   \
		s = good;                                                      \
		s.change;                                                      \
		assert_int_equal(                                              \
		    site_policy_check(&c->policy, &s, 3, &err), -1);           \
		assert_int_equal(err.code, ERR_REFUSED);                       \
		assert_non_null(strstr(err.msg, why));                         \
	} while (0)
	REFUSED(privacy.k = 4, "k is 4");
	REFUSED(
	    privacy.smallest_risk_set_step = 1, "smallest-risk-set-step is 1");
	/* Only of a study that has cells. */
	good.privacy.smallest_cell = 4;
	assert_int_equal(site_policy_check(&c->policy, &good, 3, &err), 0);
	REFUSED(model.kind = STUDY_SUMMARY, "smallest-cell is 4");
	REFUSED(model.feasibility = STUDY_YES, "smallest-cell is 4");
	REFUSED(privacy.suppression_limit = 0.3, "suppression-limit is 0.3");
	REFUSED(privacy.cohort = STUDY_OPEN, "cohort = open");
	REFUSED(privacy.verify = STUDY_TRUST, "verify = trust");
	REFUSED(rounds.keep_uploads = 101, "keep-uploads is 101");
	REFUSED(purpose = name, "purpose");
	/* Only of a study that sums over terms. */
	c->policy.smallest_events_per_term = 3;
	good.privacy.events_per_term = 2;
	assert_int_equal(site_policy_check(&c->policy, &good, 3, &err), 0);
	REFUSED(
	    n_terms = 1, "events-per-term is 2, this site's policy wants at");
	c->policy.smallest_events_per_term = 1;
	REFUSED(columns = &code,
	    "\"x\" may be any of 1000001 whole numbers, as a code of patients "
	    "may; this site's policy wants at most 1000000");
	code.lo = 1;
	s = good;
	s.columns = &code;
	assert_int_equal(site_policy_check(&c->policy, &s, 3, &err), 0);
	/* What is counted for a recoding is no patient's. */
	code.lo = 0;
	code.name = recoding;
	assert_int_equal(site_policy_check(&c->policy, &s, 3, &err), 0);
	/* Learning: noise takes the place of a fixed cohort. */
	good.learning = (struct study_learning){
		.rounds = 10, .epsilon = 4, .delta = 1e-5
	};
	good.privacy.cohort = STUDY_OPEN;
	assert_int_equal(site_policy_check(&c->policy, &good, 3, &err), 0);
	c->policy.smallest_events_per_term = 3;
	s = good;
	s.n_terms = 1;
	assert_int_equal(site_policy_check(&c->policy, &s, 3, &err), 0);
	c->policy.smallest_events_per_term = 1;
	REFUSED(learning.epsilon = 4.1, "epsilon is 4.1, this site's policy");
	REFUSED(learning.delta = 1e-4, "delta is 0.0001, this site's policy");
	good.learning.rounds = 0;
	good.privacy.cohort = STUDY_FIXED;
	c->policy.largest_average_risk = 0.1;
	REFUSED(name = good.name, "average-risk is 1,");
	REFUSED(privacy.average_risk = 0.2, "average-risk is 0.2,");
	s = good;
	s.privacy.average_risk = 0.1;
	assert_int_equal(site_policy_check(&c->policy, &s, 3, &err), 0);
	c->policy.largest_average_risk = 1;
	c->policy.smallest_diversity = 2;
	REFUSED(columns = &sensitive, "the diversity of \"x\" is 1,");
	sensitive.diversity = STUDY_ENTROPY;
	sensitive.diversity_l = 1.9;
	REFUSED(columns = &sensitive, "the diversity of \"x\" is 1.9,");
	sensitive.diversity_l = 2;
	c->policy.largest_closeness = 0.2;
	REFUSED(columns = &sensitive, "the closeness of \"x\" is 1,");
	sensitive.closeness = STUDY_EQUAL;
	sensitive.closeness_t = 0.3;
	REFUSED(columns = &sensitive, "the closeness of \"x\" is 0.3,");
	sensitive.closeness_t = 0.2;
	s = good;
	s.columns = &sensitive;
	assert_int_equal(site_policy_check(&c->policy, &s, 3, &err), 0);
	site_config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_example),
		cmocka_unit_test(what_is_left_out_has_the_strict_default),
		cmocka_unit_test(a_study_without_a_source_is_an_error),
		cmocka_unit_test(errors_name_line_and_column),
		cmocka_unit_test(a_language_is_a_short_word),
		cmocka_unit_test(there_are_so_many_sources),
		cmocka_unit_test(a_file_that_is_not_there_is_the_systems_error),
		cmocka_unit_test(an_ipv6_address_loses_its_brackets),
		cmocka_unit_test(the_policy_is_a_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "model/spec.h"
#include "study/study.h"
#include "tests/study/small.h"

static struct study *
parse(const char *text, struct err *err)
{
	return study_parse("s", text, strlen(text), err);
}

static void
reads_every_section(void **state)
{
	struct err err = { 0 };
	struct study *s = parse(small, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	assert_string_equal(s->name, "small");
	assert_int_equal(s->sites.n, 3);
	assert_int_equal(s->expires, 20849);
	assert_int_equal(s->model.kind, STUDY_COX);
	assert_int_equal(s->model.ties, STUDY_EFRON);
	assert_int_equal(s->model.n_times, 1001);
	assert_int_equal(s->model.event_level, 1);
	assert_int_equal(s->privacy.k, 3);
	assert_int_equal(s->privacy.smallest_risk_set_step, 5);
	assert_int_equal(s->privacy.verify, STUDY_REPLAY);
	assert_true(s->rounds.tolerance == 1e-10);
	assert_int_equal(s->rounds.max_iterations, 25);
	assert_int_equal(s->n_columns, 11);
	assert_int_equal(s->n_strata, 2);
	study_free(s);
}

static void
only_what_the_model_reads_is_in_the_table(void **state)
{
	static const char *const names[] = { "t", "dead", "age", "bmi", "sex",
		"land" };
	static const char *const quasi[] = { "zip", "age", "land" };
	struct err err;
	struct study *s = parse(small, &err);
	char *text = small_with("strata = sex\n", "terms = age\n");

	(void)state;
	assert_int_equal(s->n_table, nitems(names));
	for (size_t i = 0; i < nitems(names); i++)
		assert_string_equal(s->columns[s->table[i]].name, names[i]);
	assert_int_equal(s->n_quasi, nitems(quasi));
	for (size_t i = 0; i < nitems(quasi); i++)
		assert_string_equal(s->columns[s->quasi[i]].name, quasi[i]);
	study_free(s);
	s = parse(text, &err);
	assert_int_equal(s->n_table, 3); /* t, dead, age */
	study_free(s);
	free(text);
}

static void
levels_become_terms_beside_the_reference(void **state)
{
	static const struct {
		const char *name;
		double min, max;
	} want[] = {
		{ "age", 23.5, 82 },
		{ "bmi", 10, 80 },
		{ "land=latin", 0, 1 },
		{ "land=other", 0, 1 },
	};
	struct model_spec spec;
	struct err err;
	struct study *s = parse(small, &err);

	(void)state;
	assert_int_equal(study_model_spec(s, 3, &spec, &err), 0);
	assert_int_equal(spec.n_terms, nitems(want));
	for (size_t i = 0; i < nitems(want); i++) {
		assert_string_equal(spec.terms[i].name, want[i].name);
		assert_true(spec.terms[i].min == want[i].min);
		assert_true(spec.terms[i].max == want[i].max);
	}
	assert_int_equal(spec.kind, MODEL_COX);
	assert_int_equal(spec.ties, TIES_EFRON);
	assert_int_equal(spec.strata, STRATA_COLUMN);
	assert_int_equal(spec.n_strata, 2);
	assert_int_equal(spec.n_times, 1001);
	assert_true(spec.time_min == 0 && spec.time_step == 1);
	assert_int_equal(spec.rows_per_site, 100);
	assert_int_equal(spec.n_sites, 3);
	assert_int_equal(study_model_spec(s, 4, &spec, &err), -1);
	assert_string_equal(err.msg, "study small: 4 sites, expected 3 to 3");
	study_free(s);
}

static void
the_reference_may_be_any_level(void **state)
{
	char *text = small_with("level = 1\nuse = feature\n[hierarchy land]",
	    "level = 1\nuse = feature\nreference = it\n[hierarchy land]");
	struct err err = { 0 };
	struct study *s = parse(text, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	/* "it" is of the group "latin". */
	assert_string_equal(s->terms[2].name, "land=german");
	assert_string_equal(s->terms[3].name, "land=other");
	study_free(s);
	free(text);
}

static void
reads_a_glm_and_takes_binomial_for_logistic(void **state)
{
	char *text = small_with("kind = cox\ntime = t\nevent = dead\n"
				"strata = sex\n",
	    "kind = glm\nfamily = gaussian\noutcome = t\n");
	struct model_spec spec;
	struct err err = { 0 };
	struct study *s = parse(text, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	assert_int_equal(study_model_spec(s, 3, &spec, &err), 0);
	assert_int_equal(spec.kind, MODEL_GAUSSIAN);
	assert_true(spec.y_min == 0 && spec.y_max == 1000);
	assert_false(study_is_event(s, study_find(s, "t")));
	assert_true(study_table_value(s, study_find(s, "t"), 17) == 17);
	study_free(s);
	free(text);
	text = small_with("kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = glm\nfamily = binomial\noutcome = dead\n");
	assert_non_null(s = parse(text, &err));
	assert_int_equal(s->model.kind, STUDY_LOGISTIC);
	study_free(s);
	free(text);
}

static void
groups_of_a_km_study_are_crossed_behind_its_strata(void **state)
{
	char *text = small_with("kind = cox\ntime = t\nevent = dead\n"
				"strata = sex\n",
	    "kind = km\ntime = t\nevent = dead\ngroups = sex\n"
	    "rmst-until = 500\n");
	struct model_spec spec;
	struct err err = { 0 };
	struct study *s = parse(text, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	assert_int_equal(s->n_terms, 0);
	assert_int_equal(s->n_table, 3); /* t, dead, sex */
	assert_int_equal(study_model_spec(s, 3, &spec, &err), 0);
	assert_int_equal(spec.kind, MODEL_KM);
	assert_int_equal(spec.n_strata, 1);
	assert_int_equal(spec.n_terms, s->n_groups);
	assert_true(spec.n_terms >= 2);
	assert_memory_equal(spec.terms[1].name, "sex=", 4);
	assert_true(spec.rmst_until == 500 && spec.n_times == 1001);
	study_free(s);
	free(text);
}

/* Levels, the first one too; numbers as they are recoded. */
static void
a_summary_has_variables_by_groups(void **state)
{
	char *text = small_with("kind = cox\ntime = t\nevent = dead\n"
				"strata = sex\n",
	    "kind = summary\ngroups = sex\n");
	struct model_spec spec;
	struct err err = { 0 };
	struct study *s = parse(text, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	assert_true(study_has_cells(s));
	assert_int_equal(study_outcome(s), STUDY_NONE);
	assert_int_equal(s->n_table, 4); /* age, bmi, sex, land */
	assert_true(study_may_miss(s, study_find(s, "bmi")));
	assert_false(study_may_miss(s, study_find(s, "sex")));
	assert_int_equal(study_model_spec(s, 3, &spec, &err), 0);
	assert_int_equal(spec.kind, MODEL_SUMMARY);
	assert_int_equal(spec.n_terms, 2);
	assert_string_equal(spec.terms[1].name, "sex=m");
	assert_int_equal(spec.n_variables, 3);
	assert_string_equal(spec.variables[0].name, "age");
	assert_false(spec.variables[0].whole); /* middles of intervals */
	assert_true(spec.variables[0].min == 23.5);
	assert_true(spec.variables[1].max == 80);
	assert_int_equal(spec.variables[2].n_levels, 3);
	assert_string_equal(spec.levels[0], "german");
	assert_int_equal(spec.summary_bins, 64);
	assert_int_equal(spec.risk_set_step, 5);
	assert_int_equal(spec.dominance, 10);
	study_free(s);
	free(text);
}

/* All columns of the model, and nothing of it but its terms' names. */
static void
feasibility_counts_the_models_columns(void **state)
{
	char *text =
	    small_with("kind = cox\n", "kind = cox\nfeasibility = yes\n");
	struct model_spec spec;
	struct err err = { 0 };
	struct study *s = parse(text, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	assert_true(study_has_cells(s));
	assert_true(study_may_miss(s, study_find(s, "dead")));
	assert_true(study_table_value(s, study_find(s, "t"), STUDY_MISSING) ==
	    STUDY_MISSING);
	assert_int_equal(study_model_spec(s, 3, &spec, &err), 0);
	assert_int_equal(spec.kind, MODEL_FEASIBILITY);
	assert_int_equal(spec.n_variables, 6);
	assert_int_equal(spec.n_terms, 4);
	study_free(s);
	free(text);
}

static void
reads_a_logistic_study(void **state)
{
	char *text = small_with("kind = cox\ntime = t\nevent = dead\n"
				"strata = sex\n",
	    "kind = logistic\noutcome = dead\nevent-level = alive\n");
	struct model_spec spec;
	struct err err = { 0 };
	struct study *s = parse(text, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	assert_int_equal(s->model.event_level, 0);
	assert_int_equal(study_model_spec(s, 3, &spec, &err), 0);
	assert_int_equal(spec.kind, MODEL_LOGISTIC);
	assert_int_equal(spec.strata, STRATA_NONE);
	assert_int_equal(spec.n_times, 0);
	assert_true(study_table_value(s, study_find(s, "dead"), 0) == 1);
	assert_true(study_table_value(s, study_find(s, "dead"), 1) == 0);
	study_free(s);
	free(text);
}

/* What is changed in the small study, and what is said then. */
static const struct {
	const char *old, *new, *msg;
} bad[] = {
	{ "privacy = sensitive\n", "privacy = sensitive\ndiversity = many 2\n",
	    "s:47:13: expected distinct, entropy or recursive and its number; "
	    "recursive has two, C and L" },
	{ "privacy = sensitive\n",
	    "privacy = sensitive\ndiversity = recursive 2\n",
	    "s:47:13: expected distinct, entropy or recursive and its number; "
	    "recursive has two, C and L" },
	{ "privacy = sensitive\n",
	    "privacy = sensitive\ndiversity = distinct 3\n",
	    "s:47:13: diversity: expected L from 1 to the 2 levels of "
	    "\"dead\", and C above 0" },
	{ "privacy = sensitive\n",
	    "privacy = sensitive\ncloseness = equal 1.5\n",
	    "s:47:13: closeness: expected a number from 0 to 1" },
	{ "privacy = sensitive\n",
	    "privacy = sensitive\ncloseness = hierarchical 0.2\n",
	    "s:47:13: closeness: \"dead\" is an outcome, which the table has "
	    "as 0 or 1: expected equal" },
	{ "range = 18..99\n", "range = 18..99\ncloseness = equal 0.2\n",
	    "s:51:13: column \"age\": only a sensitive column of levels has a "
	    "diversity and a closeness" },
	{ "range = 0..1000\n", "range = 0..1000\nweight = 2\n",
	    "s:36:9: column \"t\": only a quasi-identifier has a weight" },
	{ "name = small", "name = Small",
	    "s:2:8: name: expected 1 to 48 of a-z, 0-9 and -, not starting "
	    "with -" },
	{ "ethics = EK 1/26\n", "", "s:1:2: [study] has no key \"ethics\"" },
	{ "sites = a, b, c", "sites = a, b",
	    "s:8:9: sites: 2 items, expected 3 to 1024" },
	{ "sites = a, b, c", "sites = a, b, a",
	    "s:8:15: sites: \"a\" is there twice" },
	{ "sites = a, b, c", "sites = a, b, C",
	    "s:8:15: sites: a site's name is 1 to 48 of a-z, 0-9 and -" },
	{ "2027-01-31", "2027-02-29",
	    "s:9:11: expires: expected a date as YYYY-MM-DD" },
	{ "kind = cox", "kind = cocks",
	    "s:11:8: kind: \"cocks\", expected one of: cox, logistic, "
	    "glm, km, summary, recoding, cuminc" },
	{ "time = t\n", "",
	    "s:18:9: [model] has no key \"time\", which kind = cox needs" },
	{ "time = t\n", "time = u\n", "s:12:8: time: there is no [column u]" },
	{ "time = t\n", "time = age\n",
	    "s:12:8: time: column \"age\" has use = feature, expected use = "
	    "outcome" },
	{ "time = t\n", "time = dead\n",
	    "s:12:8: time: column \"dead\" must be a number or an interval" },
	{ "time = t\n", "time = t\ntime-step = 0.0001\n",
	    "s:12:8: time: 10000000 steps of 0.0001 in the range of \"t\", "
	    "expected 1 to 1048575; change time-step" },
	{ "range = 0..1000", "range = -5..1000",
	    "s:12:8: time: the range of \"t\" starts below 0" },
	{ "event = dead\n", "event = dead\noutcome = dead\n",
	    "s:14:11: outcome: a cox model has none" },
	{ "event = dead\n", "event = t\n",
	    "s:13:9: event: column \"t\" must have type = levels" },
	{ "event = dead\n", "event = dead\nevent-level = gone\n",
	    "s:14:15: event-level: \"gone\" is no level of \"dead\"" },
	{ "levels = alive, dead", "levels = alive, dead, lost",
	    "s:13:9: event: column \"dead\" has 3 levels, expected "
	    "event-level = the one that counts" },
	{ "kind = cox\n", "kind = logistic\n",
	    "s:12:8: time: a logistic model has none" },
	{ "levels = alive, dead", "levels = alive, dead\nreference = gone",
	    "s:46:13: reference: \"gone\" is no level of \"dead\"" },
	{ "range = 10..80", "range = 10..80\nknots = 20, 30, 25",
	    "s:60:17: knots: expected numbers, each larger than the one "
	    "before" },
	{ "strata = sex\n", "strata = sex\nweights = age\n",
	    "s:15:11: weights: only kind = glm has them (for yes or no: family "
	    "= quasibinomial)" },
	{ "strata = sex\n", "strata = sex\noffset = age\n",
	    "s:15:10: offset: the range of \"age\" is not within -20..20, "
	    "which is the scale of a logarithm" },
	{ "strata = sex\n", "strata = sex\nfamily = poisson\n",
	    "s:20:9: family: only kind = glm has one" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = glm\nfamily = poisson\noutcome = dead\n",
	    "s:13:11: outcome: column \"dead\" must be a number" },
	{ "kind = cox\n", "kind = km\nrobust = patient\n",
	    "s:20:9: robust: only kind = cox, logistic and glm have it" },
	{ "strata = sex\n", "strata = sex\nridge = 2\n",
	    "s:20:9: ridge: only kind = logistic and kind = glm have one, "
	    "without robust errors" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = logistic\noutcome = dead\nrobust = site\n",
	    "s:18:9: robust = site: 3 sites, expected at least 5: from the "
	    "sum over fewer, single sites could be told" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = logistic\noutcome = dead\nridge = 2\nrobust = patient\n",
	    "s:19:9: ridge: only kind = logistic and kind = glm have one, "
	    "without robust errors" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n[privacy]\n",
	    "kind = logistic\noutcome = dead\nrobust = patient\n[privacy]\n"
	    "patient = name\n",
	    "s:15:11: patient: entry, time-cuts and robust = patient need "
	    "pseudonym = yes, so that the table tells which rows are one "
	    "patient's" },
	{ "kind = cox\n", "kind = cuminc\n",
	    "s:13:9: [model] has no key \"censored\", which kind = cuminc "
	    "needs: the level of \"dead\" that means no event" },
	{ "kind = cox\n", "kind = cox\nband = hall-wellner\n",
	    "s:20:9: rmst-until, rho, band: only kind = km has them" },
	{ "kind = cox\n", "kind = km\ncensored = 0\n",
	    "s:12:12: censored: only kind = cuminc has it; use event-level" },
	{ "strata = sex\n", "strata = sex\nbounds = plain\n",
	    "s:20:9: bounds: only kind = km and kind = cuminc have them" },
	{ "kind = cox\n", "kind = km\nph-test = yes\n",
	    "s:20:9: ph-test, baseline: only kind = cox has them" },
	{ "strata = sex\n", "strata = site\nbaseline = yes\n",
	    "s:20:9: baseline: not with strata = site, for it would be each "
	    "site's own" },
	{ "strata = sex\n", "entry = age\n",
	    "s:14:9: entry: column \"age\" has use = feature, expected use = "
	    "outcome" },
	{ "strata = sex\n", "entry = t\n",
	    "s:14:9: entry: column \"t\" must be a number or an interval, and "
	    "not the time" },
	{ "strata = sex\n", "time-varying = age\n",
	    "s:14:16: time-varying and time-cuts: neither goes without the "
	    "other" },
	{ "strata = sex\n", "time-varying = age\ntime-cuts = 5, 5\n",
	    "s:15:16: time-cuts: expected each larger than the one before, on "
	    "the grid of times" },
	{ "strata = sex\n", "time-varying = age\ntime-cuts = 1000\n",
	    "s:15:13: time-cuts: expected numbers within the range of \"t\"" },
	{ "strata = sex\n", "time-varying = zip\ntime-cuts = 5\n",
	    "s:14:16: time-varying: \"zip\" is no effect of the model" },
	{ "kind = cox\n", "kind = km\nentry = t\n",
	    "s:12:9: entry: only kind = cox has it" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = cox\nformula = Surv(t, t, dead, age) ~ bmi\n",
	    "s:12:26: formula: expected ) after the event" },
	{ "strata = sex\n", "strata = sex\nrobust = site\n",
	    "s:20:9: robust = site: 3 sites, expected at least 5: from the "
	    "sum over fewer, single sites could be told" },
	{ "kind = cox\n", "kind = km\nterms = age\n",
	    "s:12:9: terms: kind = km has none; use groups" },
	{ "kind = cox\n", "kind = km\ngroups = age\n",
	    "s:12:10: groups: column \"age\" has use = feature, expected use "
	    "= stratum" },
	{ "kind = cox\n", "kind = km\ngroups = sex\n",
	    "s:12:10: groups: \"sex\" is there twice" },
	{ "kind = cox\n", "kind = cox\ngroups = sex\n",
	    "s:12:10: groups: only kind = km, cuminc and summary have them" },
	{ "kind = cox\n", "kind = cox\nbins = 20\n",
	    "s:20:9: bins: only kind = summary has them" },
	{ "kind = cox\n", "kind = summary\n",
	    "s:12:8: time: a summary model has none" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = summary\nterms = age, age\n",
	    "s:12:14: terms: \"age\" is there twice" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = summary\nfeasibility = yes\n",
	    "s:17:9: feasibility: a summary says itself how many there are" },
	{ "kind = cox\ntime = t\nevent = dead\nstrata = sex\n",
	    "kind = km\ntime = t\nevent = dead\nstrata = site\n",
	    "s:14:10: strata: kind = km and kind = cuminc have none by site" },
	{ "strata = sex\n", "strata = sex, sex\n",
	    "s:14:15: strata: \"sex\" is there twice" },
	{ "strata = sex\n", "strata = sex\nconcordance-bins = 2\n",
	    "s:15:20: concordance-bins: expected a whole number from 16 to "
	    "16384" },
	{ "strata = sex\n", "strata = age\n",
	    "s:14:10: strata: column \"age\" has use = feature, expected use "
	    "= stratum" },
	{ "strata = sex\n", "terms = age, weight\n",
	    "s:14:14: terms: there is no [column weight]" },
	{ "strata = sex\n", "terms = age, name\n",
	    "s:14:14: terms: column \"name\" has use = ignored, expected use "
	    "= feature" },
	{ "strata = sex\n", "terms = age, age\n",
	    "s:14:14: two terms would be called \"age\"" },
	{ "k = 3\n", "", "s:15:2: [privacy] has no key \"k\"" },
	{ "k = 3\n", "k = 0\n",
	    "s:16:5: k: expected a whole number from 1 to 100000" },
	{ "cohort = fixed\n", "",
	    "s:18:9: [privacy] has no key \"cohort\", which a study without "
	    "[learning] needs" },
	{ "rows-per-site = 100", "rows-per-site = 100000000",
	    "s:18:17: rows-per-site: expected a whole number from 1 to "
	    "16777216" },
	{ "privacy = direct-identifier\n",
	    "privacy = direct-identifier\nuse = feature\n",
	    "s:19:9: column \"name\" is a direct identifier: it is always "
	    "dropped, expected use = ignored" },
	{ "[column zip]\ntype = text\nprivacy = quasi-identifier\nlevel = 1\n",
	    "[column zip]\ntype = text\nprivacy = quasi-identifier\nlevel = "
	    "1\nuse = feature\n",
	    "s:22:9: column \"zip\" is text: no model can use it, expected "
	    "use = ignored, or type = levels" },
	{ "format = DD.MM.YYYY, YYYY-MM-DD\n", "use = feature\n",
	    "s:29:9: column \"in\" is a date: dates are dropped, expected use "
	    "= ignored and a column of type = interval" },
	{ "format = DD.MM.YYYY, YYYY-MM-DD\n",
	    "format = DD/MM/YYYY, "
	    "MM/DD/YYYY\n",
	    "s:31:22: format: a date could be both DD/MM/YYYY and "
	    "MM/DD/YYYY" },
	{ "format = DD.MM.YYYY", "format = DD.MM.YY",
	    "s:31:10: format: expected YYYY, MM and DD once each, with - . / "
	    ": or blanks between them" },
	{ "format = DD.MM.YYYY, YYYY-MM-DD\n",
	    "range = 2020-01-01..2019-01-01\n",
	    "s:31:9: range: expected LOWEST..HIGHEST as two dates YYYY-MM-DD, "
	    "the first one smaller" },
	{ "from = in\n", "",
	    "s:36:9: interval \"t\" has no key \"from\", expected a date "
	    "column" },
	{ "from = in\n", "from = age\n",
	    "s:38:8: from: \"age\" is not a column of type = date" },
	{ "from = in\n", "from = out\n",
	    "s:39:6: to: the same column as "
	    "from" },
	{ "range = 0..1000\n", "range = 0..1000\nunit = weeks\n",
	    "s:41:8: unit: an interval is in days" },
	{ "range = 0..1000\n", "",
	    "s:36:9: column \"t\" is used and has no range, expected range = "
	    "LOWEST..HIGHEST" },
	{ "range = 18..99\n", "range = 18-99\n",
	    "s:50:9: range: expected LOWEST..HIGHEST" },
	{ "range = 18..99\n", "range = 18..98.5\n",
	    "s:50:9: range: expected LOWEST..HIGHEST as two whole numbers, "
	    "the first one smaller" },
	{ "levels = alive, dead\n", "levels = alive, alive\n",
	    "s:45:17: levels: \"alive\" is there twice" },
	{ "levels = alive, dead\n", "levels = alive\n",
	    "s:45:10: levels: one level, expected two or more" },
	{ "levels = alive, dead\n", "levels = alive, NA\n",
	    "s:45:17: levels: \"NA\" is also a code for missing" },
	{ "levels = alive, dead\n", "levels = alive, : dead\n",
	    "s:45:17: levels: expected VALUE or VALUE: LABEL, separated by "
	    "commas" },
	{ "levels = alive, dead\n", "",
	    "s:43:9: column \"dead\" has no levels, expected levels = A, B, "
	    "..." },
	{ "range = 18..99\nprivacy = quasi-identifier\nlevel = 1\n",
	    "range = 18..99\nprivacy = quasi-identifier\n",
	    "s:48:9: column \"age\" is a quasi-identifier and has no level, "
	    "expected level = 1, 2, ... or top of its [hierarchy age], or "
	    "level = 0 to keep it as it is" },
	{ "range = 18..99\nprivacy = quasi-identifier\nlevel = 1\n",
	    "range = 18..99\nprivacy = quasi-identifier\nlevel = 3\n",
	    "s:52:9: level: expected 0 to 2 or top" },
	{ "range = 18..99\nprivacy = quasi-identifier\nlevel = 1\n",
	    "range = 18..99\nprivacy = quasi-identifier\nlevel = top\n",
	    "s:52:9: level: nothing is left of \"age\" at the top, expected a "
	    "lower level or use = ignored" },
	{ "range = 18..99\nprivacy = quasi-identifier\nlevel = 1\n",
	    "range = 18..99\nprivacy = none\n",
	    "s:53:12: column \"age\": only a quasi-identifier has a level and "
	    "a hierarchy" },
	{ "[hierarchy age]\n", "[hierarchy size]\n",
	    "s:54:12: there is no [column size]" },
	{ "cut 18 30 40 65 99", "cut 18 30 40 65 98",
	    "s:55:15: the first and the last cut must be the range's ends, 18 "
	    "and 99" },
	{ "cut 18 30 40 65 99", "cut 18 30 30 99",
	    "s:55:15: the cuts must increase" },
	{ "cut 18 30 40 65 99", "cut 18 30.5 99",
	    "s:55:15: \"age\" has whole numbers, and so must its cuts" },
	{ "cut 18 30 40 65 99", "cut 18 x 99",
	    "s:55:18: expected a number, or : before the documented numbers" },
	{ "cut 18 30 40 65 99", "cut 18",
	    "s:55:15: expected two or more numbers to cut at" },
	{ "cut 18 30 40 65 99", "group a: b",
	    "s:55:11: expected \"cut ...\", \"every ...\" or \"code ...\" "
	    "for the values of \"age\"" },
	{ "cut 18 30 40 65 99", "cut 18 30 65 99",
	    "s:56:15: cut 40 is none of the level before, so this level would "
	    "cut its groups apart" },
	{ "cut 18 40 99 : 30 70", "cut 18 40 99 : 30",
	    "s:56:26: expected 2 documented numbers, one per interval" },
	{ "cut 18 40 99 : 30 70", "cut 18 40 99 : 30 70 : 1",
	    "s:56:26: expected 2 documented numbers, one per interval" },
	{ "cut 18 40 99 : 30 70", "cut 18 40 99 : 30 39",
	    "s:56:26: documented number 2 lies outside of its interval" },
	{ "cut 18 40 99 : 30 70", "cut 18 40 99 : 17 70",
	    "s:56:26: documented number 1 lies outside of its interval" },
	{ "level-2 = cut", "level-3 = cut",
	    "s:56:11: level-3 without level-2" },
	{ "german: de, at;", "german: de;", "s:75:17: \"at\" is in no group" },
	{ "german: de, at;", "german: de, at, fr;",
	    "s:75:44: \"fr\" is in two groups" },
	{ "german: de, at;", "german: de, at, pl;",
	    "s:75:33: \"pl\" is no level of \"land\"" },
	{ "german: de, at;", "german;",
	    "s:75:17: expected LABEL: MEMBER, MEMBER, ...; LABEL: ..." },
	{ "abroad: latin, other", "abroad: latin, fr",
	    "s:76:46: \"fr\" is no group of \"land\" at the level before" },
	{ "abroad: latin, other", "home: latin, other",
	    "s:76:31: group \"home\" is there twice" },
	{ "mask 1", "mask 3",
	    "s:28:16: mask: expected fewer characters than the 3 of the level "
	    "before" },
	{ "[column note]\n", "[column note]\nsecret = yes\n",
	    "s:78:1: unknown key \"secret\" in [column], expected one of: "
	    "title, type, privacy, use, unit, range, levels, reference, "
	    "knots, missing, format, "
	    "from, to, level, weight, diversity, closeness" },
	{ "[column note]\n", "[column note]\nrange = 1..2\n",
	    "s:78:9: range: only numbers, dates and intervals have one" },
	{ "[column note]\n", "[column note]\nformat = YYYY-MM-DD\n",
	    "s:78:10: format: only dates have one" },
	{ "[column note]\n", "[column note]\nlevels = a, b\n",
	    "s:78:10: levels: only type = levels has them" },
	{ "[column note]\n", "[column note]\nto = in\n",
	    "s:78:6: from, to: only type = interval has them" },
	{ "[column note]\n", "[columns]\n",
	    "s:77:2: unknown section [columns], expected one of: study, "
	    "model, rounds, privacy, learning, column NAME, hierarchy NAME" },
};

static void
every_mistake_is_named_with_its_place(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		char *text = small_with(bad[i].old, bad[i].new);
		struct err err = { 0 };
		struct study *s = parse(text, &err);

		if (s != NULL || err.code != ERR_CONFIG ||
		    strcmp(err.msg, bad[i].msg) != 0) {
			print_error("%s: \"%s\", expected \"%s\"\n", bad[i].new,
			    err.msg, bad[i].msg);
			wrong++;
		}
		study_free(s);
		free(text);
	}
	assert_int_equal(wrong, 0);
}

static void
too_many_terms_are_refused(void **state)
{
	char levels[600] = "levels = l0", *text;
	struct err err;

	(void)state;
	for (size_t i = 1; i < 80; i++)
		snprintf(levels + strlen(levels),
		    sizeof(levels) - strlen(levels), ", l%zu", i);
	strcat(levels, "\nuse = feature\nprivacy = none\n");
	text = small_with("range = 10..80\nmissing = -9, \"\"\nprivacy = none\n"
			  "use = feature\n",
	    levels);
	memcpy(strstr(text, "type = real"), "type=levels", 11);
	assert_null(parse(text, &err));
	assert_non_null(strstr(err.msg, "more than 64 terms"));
	free(text);
}

static struct study *
load_example(const char *name, struct model_spec *spec)
{
	char path[4096];
	struct err err = { 0 };
	struct study *s;

	snprintf(
	    path, sizeof(path), "%s/examples/%s", getenv("top_srcdir"), name);
	s = study_load(path, &err);
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	assert_int_equal(study_model_spec(s, 4, spec, &err), 0);
	return s;
}

static void
the_demonstrations_study_is_good(void **state)
{
	struct model_spec spec;
	struct study *s = load_example("breast-cancer/rfs.study", &spec);

	(void)state;
	assert_int_equal(spec.n_terms, 9);
	assert_string_equal(spec.terms[2].name, "size=20-50");
	assert_string_equal(spec.terms[3].name, "size=>50");
	assert_string_equal(spec.terms[4].name, "grade3");
	study_free(s);
}

static void
the_manuals_study_is_good(void **state)
{
	struct model_spec spec;
	struct study *s = load_example("readmission.study", &spec);

	(void)state;
	assert_int_equal(spec.kind, MODEL_LOGISTIC);
	assert_int_equal(spec.n_terms, 5);
	assert_true(spec.terms[0].min == 40 && spec.terms[0].max == 85);
	assert_string_equal(spec.terms[1].name, "land=latin");
	study_free(s);
}

static void
parse_copy(const char *text, size_t len)
{
	char *copy = malloc(len != 0 ? len : 1); /* its end is watched */
	struct err err;

	assert_non_null(copy);
	memcpy(copy, text, len);
	study_free(study_parse("s", copy, len, &err));
	free(copy);
}

static void
no_cut_and_no_changed_byte_crashes(void **state)
{
	static const char bytes[] = "\n\",:;.=[]#- 0z\0\xff";
	char text[sizeof(small)];

	(void)state;
	for (size_t n = 0; n < sizeof(small); n++)
		parse_copy(small, n);
	for (size_t i = 0; i < sizeof(small) - 1; i++) {
		memcpy(text, small, sizeof(small));
		for (size_t j = 0; j < sizeof(bytes) - 1; j++) {
			text[i] = bytes[j];
			parse_copy(text, sizeof(small) - 1);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_section),
		cmocka_unit_test(only_what_the_model_reads_is_in_the_table),
		cmocka_unit_test(levels_become_terms_beside_the_reference),
		cmocka_unit_test(reads_a_logistic_study),
		cmocka_unit_test(
		    groups_of_a_km_study_are_crossed_behind_its_strata),
		cmocka_unit_test(the_reference_may_be_any_level),
		cmocka_unit_test(a_summary_has_variables_by_groups),
		cmocka_unit_test(feasibility_counts_the_models_columns),
		cmocka_unit_test(reads_a_glm_and_takes_binomial_for_logistic),
		cmocka_unit_test(every_mistake_is_named_with_its_place),
		cmocka_unit_test(too_many_terms_are_refused),
		cmocka_unit_test(the_demonstrations_study_is_good),
		cmocka_unit_test(the_manuals_study_is_good),
		cmocka_unit_test(no_cut_and_no_changed_byte_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

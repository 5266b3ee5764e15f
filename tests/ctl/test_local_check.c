/*
 * consilium-local's check of a result, one per kind of model: the true numbers
 * pass, and no number of them can be another, nor any key be missing, without
 * its being found.  The numbers are those of the plain code, which has its own
 * test (test_pooled).
 */
#include "tests/check.h"

#include <ctype.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "anonymize/prepare.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/json_read.h"
#include "common/macros.h"
#include "ctl/local_check.h"
#include "study/study.h"
#include "tests/faults/inside.h"

#define SITES 2
#define HEAD                                                                   \
	"[study]\nname = s\ntitle = t\npurpose = p\nlegal-basis = l\n"         \
	"ethics = e\ncontact = c\nexpires = 2099-12-31\n[model]\n"
#define PRIVACY                                                                \
	"[privacy]\nk = 1\ncohort = fixed\nrows-per-site = 100\n"              \
	"smallest-risk-set-step = 1\nsmallest-cell = 1\ndominance = 0\n"

/* A column, and how it is used in a study; "": it is not. */
#define TIME(use) "[column time]\ntype = integer\nrange = 0..99\n" PRIV use
#define EVENT(use) "[column event]\ntype = levels\nlevels = 0, 1, 2\n" PRIV use
#define DEAD(use) "[column dead]\ntype = levels\nlevels = 0, 1\n" PRIV use
#define AGE(use) "[column age]\ntype = integer\nrange = 0..99\n" PRIV use
#define SEX(use) "[column sex]\ntype = levels\nlevels = f, m\n" PRIV use
#define PRIV "privacy = none\n"
#define OUTCOME "use = outcome\n"
#define FEATURE "use = feature\n"
#define STRATUM "use = stratum\n"
#define NOT "use = ignored\n"

static const char *const csv[SITES] = {
	"time,event,dead,age,sex\n"
	"3,1,1,40,f\n5,0,0,52,m\n7,1,1,61,f\n8,2,1,48,m\n11,1,1,55,f\n"
	"14,0,0,35,m\n15,2,1,70,f\n19,1,1,66,m\n21,0,0,44,f\n25,1,0,58,m\n",
	"time,event,dead,age,sex\n"
	"2,2,1,63,m\n5,1,1,41,f\n6,0,0,50,m\n9,1,1,72,f\n10,2,0,38,m\n"
	"13,1,1,47,f\n16,0,0,59,m\n18,1,1,64,f\n22,2,1,53,m\n27,0,0,45,f\n",
};

static char dir[] = "/tmp/test_local_check.XXXXXX", study_path[64];
static struct local_site sites[SITES];
static char places[SITES][3][64];
static struct local l = {
	.out = dir, .study_path = study_path, .sites = sites, .n_sites = SITES
};
static int nowhere;

/* In place of consilium-local's own, which ends the program without memory. */
char *
local_text(struct local *unused, const char *fmt, ...)
{
	static char text[8][256];
	static unsigned next;
	char *p = text[next++ % nitems(text)];
	va_list ap;

	(void)unused;
	va_start(ap, fmt);
	vsnprintf(p, sizeof(text[0]), fmt, ap);
	va_end(ap);
	return p;
}

static void
put(const char *path, const char *text)
{
	struct err err;

	if (file_write(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.msg);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	snprintf(study_path, sizeof(study_path), "%s/study", dir);
	put(local_text(&l, "%s/result.txt", dir), "the result\n");
	for (size_t i = 0; i < SITES; i++) {
		char(*p)[64] = places[i];
		struct err err;

		snprintf(p[0], sizeof(p[0]), "%s/%zu", dir, i);
		snprintf(p[1], sizeof(p[1]), "%s/%zu.csv", dir, i);
		snprintf(p[2], sizeof(p[2]), "site%zu", i);
		sites[i] = (struct local_site){
			.name = p[2], .csv = p[1], .dir = p[0]
		};
		put(p[1], csv[i]);
		if (file_mkdirs(p[0], 0700, &err) < 0)
			return -1;
	}
	return nowhere < 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	study_free(l.study);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* The study, and each site's table of it. */
static void
make_study(const char *text)
{
	static const uint8_t digest[TABLE_DIGEST_LEN];
	struct err err;

	put(study_path, text);
	study_free(l.study);
	if ((l.study = study_load(study_path, &err)) == NULL)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < SITES; i++) {
		const char *table = local_text(&l, "%s/table", sites[i].dir);
		struct prepare_result result;
		struct prepare p = {
			.study = l.study,
			.study_digest = digest,
			.site = sites[i].name,
			.source = sites[i].csv,
			.smallest_k = 1,
			.utc = clock_utc(),
			.json_fd = -1,
			.html_fd = -1,
			.raw = true,
		};

		unlink(table);
		p.source_fd = open(sites[i].csv, O_RDONLY | O_CLOEXEC);
		p.table_fd =
		    open(table, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(p.source_fd >= 0 && p.table_fd >= 0);
		if (prepare(&p, &result, &err) < 0)
			fail_msg("%s", err.msg);
		close(p.source_fd);
		close(p.table_fd);
	}
}

/*
 * A result, written by a test
 */

static char json[16384];

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	size_t n = strlen(json);
	va_list ap;

	va_start(ap, fmt);
	assert_true((size_t)vsnprintf(json + n, sizeof(json) - n, fmt, ap) <
	    sizeof(json) - n);
	va_end(ap);
}

static int
check(void *self, struct err *err)
{
	int shown = dup(STDOUT_FILENO), rv;

	(void)self;
	fflush(stdout);
	dup2(nowhere, STDOUT_FILENO);
	rv = local_check(&l, err);
	fflush(stdout);
	dup2(shown, STDOUT_FILENO);
	close(shown);
	return rv;
}

static void
is_found(const char *text, const char *what, size_t at)
{
	struct err err = { 0 };

	put(local_text(&l, "%s/result.json", dir), text);
	if (check(NULL, &err) != -1 || err.code == ERR_NONE)
		fail_msg("another %s at %zu passes: %.40s", what, at,
		    json + (at < 20 ? 0 : at - 20));
}

/* In json at a number's first digit, its end and the number. */
static bool
number_at(size_t at, char **end, double *v)
{
	char before = at == 0 ? ' ' : json[at - 1];

	if (!isdigit((unsigned char)json[at]) ||
	    isdigit((unsigned char)before) || isalpha((unsigned char)before) ||
	    strchr(".-+_\"", before) != NULL)
		return false;
	*v = strtod(json + at, end);
	return true;
}

/* Each number is altered and each key renamed, but " KEY " or " KEY= " (its
   numbers) of skip. */
static void
only_the_truth_passes(const char *skip)
{
	static char other[sizeof(json) + 64];
	char key[16] = "";
	struct err err = { 0 };
	size_t n = 0;

	put(local_text(&l, "%s/result.json", dir), json);
	if (check(NULL, &err) != 0)
		fail_msg("%s: %s", err.msg, json);
	for (size_t i = 0; json[i] != '\0'; i++) {
		char *end;
		double v;

		end = json[i] == '"' ? strchr(json + i + 1, '"') : NULL;
		if (end != NULL && end > json + i + 1 && end[1] == ':') {
			snprintf(key, sizeof(key), " %.*s ",
			    (int)(end - json - (ptrdiff_t)i - 1), json + i + 1);
			if (strstr(skip, key) != NULL)
				continue;
			snprintf(other, sizeof(other), "%s", json);
			other[i + 1] = 'X';
			is_found(other, "key", i);
			n++;
		}
		if (number_at(i, &end, &v) &&
		    (strstr(skip, "= ") == NULL ||
			strncmp(strstr(skip, "= ") - strlen(key) + 1, key,
			    strlen(key) - 1) != 0)) {
			snprintf(other, sizeof(other), "%.*s%.17g%s", (int)i,
			    json, v * 1.0000001 + 1e-7, end);
			is_found(other, "number", i);
			n++;
		}
	}
	assert_true(n > 3);
	is_found("{}", "result", 0);
	is_found("{", "file", 0);
	put(local_text(&l, "%s/result.json", dir), json);
	every_fault(INSIDE_MEMORY, check, NULL, NULL);
	assert_int_equal(unlink(local_text(&l, "%s/result.json", dir)), 0);
	assert_int_equal(check(NULL, &err), -1);
	assert_int_equal(err.code, ERR_SYSTEM);
}

/* The grids that merge nothing: the times of a death, and of any event. */
static const double of_death[] = { 2, 3, 5, 7, 8, 9, 11, 13, 15, 18, 19, 22 };
static const double of_event[] = { 2, 3, 5, 7, 8, 9, 10, 11, 13, 15, 18, 19, 22,
	25 };
static const struct pooled_grid deaths = { of_death, nitems(of_death), NULL };
static const struct pooled_grid events = { of_event, nitems(of_event), NULL };

static void
say_grid(const struct pooled_grid *g)
{
	json[0] = '\0';
	say("{ \"grid\": { \"strata\": [ { \"starts\": [ ");
	for (size_t i = 0; i < g->n; i++)
		say("%s%g", i == 0 ? "" : ", ", g->starts[i]);
	say(" ] } ] }, ");
}

/* All tables in the plain code; the caller ends it. */
static struct pooled *
all_rows(struct check *c)
{
	struct pooled *p;
	struct err err;

	*c = (struct check){ .l = &l };
	if (check_model(c, &err) < 0 ||
	    (p = check_rows(c, false, &err)) == NULL)
		fail_msg("%s", err.msg);
	return p;
}

static void
end_rows(struct check *c, struct pooled *p)
{
	pooled_free(p);
	free(c->terms);
	free(c->strata);
}

static void
say_fit(const char *study, bool cox)
{
	struct pooled_fit fit;
	struct pooled *p;
	struct check c;
	struct err err;

	make_study(study);
	p = all_rows(&c);
	if (pooled_fit(p, cox ? &deaths : NULL, cox, &fit, &err) < 0)
		fail_msg("%s", err.msg);
	if (cox)
		say_grid(&deaths);
	else
		snprintf(json, sizeof(json), "{ ");
	say("\"terms\": [ ");
	for (size_t i = 0; i < fit.n_coef; i++)
		say("%s{ \"name\": \"%s\", \"estimate\": %.17g, "
		    "\"se\": %.17g }",
		    i == 0 ? "" : ", ",
		    cox          ? l.study->terms[i].name
			: i == 0 ? "(Intercept)"
				 : l.study->terms[i - 1].name,
		    fit.coef[i], fit.se[i]);
	say(" ] }");
	pooled_fit_clear(&fit);
	end_rows(&c, p);
}

static void
hazard_ratios(void **state)
{
	(void)state;
	say_fit(HEAD "kind = cox\ntime = time\nevent = dead\nties = efron\n"
		     "strata = none\nterms = age, sex\n" PRIVACY TIME(OUTCOME)
			 EVENT(NOT) DEAD(OUTCOME) AGE(FEATURE) SEX(FEATURE),
	    true);
	only_the_truth_passes("");
}

static void
odds_ratios(void **state)
{
	(void)state;
	say_fit(HEAD
	    "kind = logistic\noutcome = dead\nterms = age, sex\n" PRIVACY TIME(
		NOT) EVENT(NOT) DEAD(OUTCOME) AGE(FEATURE) SEX(FEATURE),
	    false);
	only_the_truth_passes("");
}

/* What the plan left out has no number, and is no part of the plain fit. */
static void
odds_ratios_but_one(void **state)
{
	static const char model[] = HEAD
	    "kind = logistic\noutcome = dead\nterms = age%s\n" PRIVACY TIME(NOT)
		EVENT(NOT) DEAD(OUTCOME) AGE(FEATURE) SEX(FEATURE);
	char study[sizeof(model) + 8];

	(void)state;
	snprintf(study, sizeof(study), model, "");
	say_fit(study, false);
	snprintf(study, sizeof(study), model, ", sex");
	make_study(study);
	json[strlen(json) - strlen(" ] }")] = '\0';
	say(", { \"name\": \"%s\", \"estimate\": null, \"se\": null } ] }",
	    l.study->terms[1].name);
	only_the_truth_passes(" estimate  se ");
}

static void
survival_curves(void **state)
{
	double s[nitems(of_death)], se[nitems(of_death)], chi2;
	struct pooled *p;
	struct check c;
	struct err err;

	(void)state;
	make_study(HEAD "kind = km\ntime = time\nevent = dead\n"
			"groups = sex\n" PRIVACY TIME(OUTCOME) EVENT(NOT)
			    DEAD(OUTCOME) AGE(NOT) SEX(STRATUM));
	p = all_rows(&c);
	say_grid(&deaths);
	say("\"groups\": [ ");
	for (size_t g = 0; g < 2; g++) {
		pooled_survival(p, g, 1, &deaths, s, se);
		say("%s{ \"curve\": [ ", g == 0 ? "" : ", ");
		for (size_t i = 0; i < deaths.n; i++)
			say("%s{ \"time\": %g, \"survival\": %.17g, "
			    "\"se\": %.17g }",
			    i == 0 ? "" : ", ", of_death[i], s[i],
			    isnan(se[i]) ? 0 : se[i]);
		say(" ] }");
	}
	assert_int_equal(pooled_logrank(p, 1, &deaths, &chi2, &err), 0);
	say(" ], \"tests\": [ { \"chi2\": %.17g } ] }", chi2);
	end_rows(&c, p);
	/* A group whose curve may not be shown has none. */
	only_the_truth_passes(" curve ");
}

static void
incidences(void **state)
{
	double f[nitems(of_event)], chi2;
	struct pooled *p;
	struct check c;
	struct err err;

	(void)state;
	make_study(HEAD "kind = cuminc\ntime = time\nevent = event\n"
			"censored = 0\ngroups = sex\n" PRIVACY TIME(OUTCOME)
			    EVENT(OUTCOME) DEAD(NOT) AGE(NOT) SEX(STRATUM));
	p = all_rows(&c);
	say_grid(&events);
	say("\"groups\": [ ");
	for (size_t g = 0; g < 2; g++) {
		say("%s{ \"causes\": [ ", g == 0 ? "" : ", ");
		for (size_t cause = 1; cause < 3; cause++) {
			pooled_incidence(p, g, cause, 1, &events, f);
			say("%s{ \"curve\": [ ", cause == 1 ? "" : ", ");
			for (size_t i = 0; i < events.n; i++)
				say("%s{ \"time\": %g, \"incidence\": %.17g, "
				    "\"se\": 1 }",
				    i == 0 ? "" : ", ", of_event[i], f[i]);
			say(" ] }");
		}
		say(" ] }");
	}
	say(" ], \"tests\": [ ");
	for (size_t cause = 1; cause < 3; cause++) {
		assert_int_equal(
		    pooled_gray(p, cause, 1, &events, &chi2, &err), 0);
		say("%s{ \"cause\": \"%zu\", \"chi2\": %.17g }",
		    cause == 1 ? "" : ", ", cause, chi2);
	}
	say(" ] }");
	end_rows(&c, p);
	only_the_truth_passes(" causes  se= ");
}

static void
say_cells(const struct pooled *p, size_t term, bool mean)
{
	say("\"groups\": [ ");
	for (size_t g = 0; g < 2; g++) {
		double m, sd;
		size_t n = pooled_moments(p, g, term, STUDY_MISSING, &m, &sd);

		say("%s{ \"n\": %zu", g == 0 ? "" : ", ", n);
		if (mean)
			say(", \"mean\": %.17g, \"sd\": %.17g", m, sd);
		say(" }");
	}
	say(" ]");
}

static void
descriptions(void **state)
{
	struct pooled *p;
	struct check c;

	(void)state;
	make_study(HEAD "kind = summary\ngroups = sex\n" PRIVACY TIME(NOT)
		EVENT(NOT) DEAD(FEATURE) AGE(FEATURE) SEX(STRATUM));
	p = all_rows(&c);
	assert_int_equal(l.study->n_variables, 2);
	snprintf(json, sizeof(json), "{ \"variables\": [ { ");
	say_cells(p, 0, false);
	say(", \"levels\": [ ");
	for (size_t level = 0; level < 2; level++)
		say("%s{ \"names\": [ \"%zu\" ], \"counts\": [ %zu, %zu ] }",
		    level == 0 ? "" : ", ", level,
		    pooled_count(p, 0, 0, (double)level),
		    pooled_count(p, 1, 0, (double)level));
	say(" ] }, { ");
	say_cells(p, 1, true);
	say(" } ] }");
	end_rows(&c, p);
	/* What may not be shown is not there. */
	only_the_truth_passes(" n  mean  levels ");
}

static void
feasibilities(void **state)
{
	struct pooled *p;
	struct check c;

	(void)state;
	make_study(HEAD "kind = logistic\noutcome = dead\nterms = age, sex\n"
			"feasibility = yes\n" PRIVACY TIME(NOT) EVENT(NOT)
			    DEAD(OUTCOME) AGE(FEATURE) SEX(FEATURE));
	p = all_rows(&c);
	snprintf(json, sizeof(json),
	    "{ \"eligible\": %zu, \"events\": %zu, \"columns\": [ ",
	    pooled_complete(p, STUDY_MISSING, false),
	    pooled_complete(p, STUDY_MISSING, true));
	for (size_t i = 0; i < l.study->n_variables; i++)
		say("%s{ \"missing\": %zu }", i == 0 ? "" : ", ",
		    pooled_count(p, POOLED_ALL, i, STUDY_MISSING));
	say(" ] }");
	end_rows(&c, p);
	only_the_truth_passes(" eligible  events  missing ");
}

static void
say_learned(double off)
{
	const struct study_term *age = &l.study->terms[0];
	double half = (age->max - age->min) / 2, middle = age->min + half;
	struct pooled_learning how = { .middle = &middle,
		.half = &half,
		.y_half = 1,
		.clip = l.study->learning.clip * sqrt(0.875),
		.step = l.study->learning.step,
		.momentum = l.study->learning.momentum,
		.rounds = l.study->learning.rounds };
	double coef[2], away;
	struct pooled *p;
	struct check c;
	struct err err;

	p = all_rows(&c);
	assert_int_equal(pooled_learn(p, &how, coef, &away, &err), 0);
	end_rows(&c, p);
	coef[1] += off;
	snprintf(json, sizeof(json),
	    "{ \"sites\": 3, \"privacy\": { \"units_per_clip\": 1e9, "
	    "\"smallest_sites\": 3, \"corrupted_sites_tolerated\": 1, "
	    "\"variance\": 1000 }, \"terms\": [ "
	    "{ \"name\": \"(Intercept)\", \"estimate\": %.17g }, "
	    "{ \"name\": \"age\", \"estimate\": %.17g } ] }",
	    coef[0] - coef[1] / half * middle, coef[1] / half);
	put(local_text(&l, "%s/result.json", dir), json);
}

static void
what_was_learned(void **state)
{
	struct err err = { 0 };

	(void)state;
	make_study(
	    HEAD "kind = logistic\noutcome = dead\nterms = age\n"
		 "[learning]\nepsilon = 2\ndelta = 1e-5\nrounds = 10\n"
		 "clip = 2\nstep-size = 2\nmomentum = 0\n" PRIVACY TIME(NOT)
		     EVENT(NOT) DEAD(OUTCOME) AGE(FEATURE) SEX(NOT));
	say_learned(0);
	if (check(NULL, &err) != 0)
		fail_msg("%s", err.msg);
	every_fault(INSIDE_MEMORY, check, NULL, NULL);
	/* Far beyond what noise of this variance can do. */
	say_learned(0.01);
	assert_int_equal(check(NULL, &err), -1);
	assert_non_null(
	    strstr(err.msg, "further from the steps without noise"));
	put(local_text(&l, "%s/result.json", dir), "{}");
	assert_int_equal(check(NULL, &err), -1);
	assert_int_equal(err.code, ERR_NUMERIC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hazard_ratios),
		cmocka_unit_test(odds_ratios),
		cmocka_unit_test(odds_ratios_but_one),
		cmocka_unit_test(survival_curves),
		cmocka_unit_test(incidences),
		cmocka_unit_test(descriptions),
		cmocka_unit_test(feasibilities),
		cmocka_unit_test(what_was_learned),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

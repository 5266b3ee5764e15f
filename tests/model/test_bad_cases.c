/*
 * What the data do not allow, for each estimator: it is said in words, and no
 * table has a NaN, an infinity, or a number that is missing without a word.
 */
#include "tests/check.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "tests/model/consortium.h"
#include "tests/model/described.h"
#include "tests/model/golden.h"

#define SITES 5

/* Of the outcome, as the cases see it. */
enum outcome {
	NUMBER, /* any number */
	POSITIVE,
	COUNT,
	CLASSES, /* one of two */
	TRIALS, /* successes of them */
	TIME,
	OUTCOMES,
};

static const struct estimator {
	const char *name;
	enum model_kind kind;
	enum outcome outcome;
	enum model_strata strata;
	enum model_robust robust;
	double ridge;
	bool weights, offset, ph, efron;
} estimators[] = {
	{ .name = "gaussian", .kind = MODEL_GAUSSIAN, .outcome = NUMBER },
	{ .name = "gaussian, weights, offset, robust",
	    .kind = MODEL_GAUSSIAN,
	    .outcome = NUMBER,
	    .weights = true,
	    .offset = true,
	    .robust = ROBUST_PATIENT },
	{ .name = "gaussian, ridge",
	    .kind = MODEL_GAUSSIAN,
	    .outcome = NUMBER,
	    .ridge = 1.0 },
	{ .name = "gamma", .kind = MODEL_GAMMA, .outcome = POSITIVE },
	{ .name = "gamma, weights, offset",
	    .kind = MODEL_GAMMA,
	    .outcome = POSITIVE,
	    .weights = true,
	    .offset = true },
	{ .name = "gamma, inverse link",
	    .kind = MODEL_GAMMA_INVERSE,
	    .outcome = POSITIVE },
	{ .name = "gamma, inverse link, weights, robust",
	    .kind = MODEL_GAMMA_INVERSE,
	    .outcome = POSITIVE,
	    .weights = true,
	    .robust = ROBUST_SITE },
	{ .name = "poisson", .kind = MODEL_POISSON, .outcome = COUNT },
	{ .name = "poisson, weights, offset, robust",
	    .kind = MODEL_POISSON,
	    .outcome = COUNT,
	    .weights = true,
	    .offset = true,
	    .robust = ROBUST_SITE },
	{ .name = "poisson, ridge",
	    .kind = MODEL_POISSON,
	    .outcome = COUNT,
	    .ridge = 1.0 },
	{ .name = "quasipoisson",
	    .kind = MODEL_QUASIPOISSON,
	    .outcome = COUNT },
	{ .name = "quasipoisson, weights",
	    .kind = MODEL_QUASIPOISSON,
	    .outcome = COUNT,
	    .weights = true },
	{ .name = "negative binomial", .kind = MODEL_NEGBIN, .outcome = COUNT },
	{ .name = "negative binomial, weights, offset, robust",
	    .kind = MODEL_NEGBIN,
	    .outcome = COUNT,
	    .weights = true,
	    .offset = true,
	    .robust = ROBUST_PATIENT },
	{ .name = "quasibinomial",
	    .kind = MODEL_QUASIBINOMIAL,
	    .outcome = CLASSES },
	{ .name = "quasibinomial, weights, robust",
	    .kind = MODEL_QUASIBINOMIAL,
	    .outcome = CLASSES,
	    .weights = true,
	    .robust = ROBUST_PATIENT },
	{ .name = "binomial",
	    .kind = MODEL_BINOMIAL,
	    .outcome = TRIALS,
	    .weights = true },
	{ .name = "binomial, ridge",
	    .kind = MODEL_BINOMIAL,
	    .outcome = TRIALS,
	    .weights = true,
	    .ridge = 1.0 },
	{ .name = "logistic", .kind = MODEL_LOGISTIC, .outcome = CLASSES },
	{ .name = "logistic, offset, robust",
	    .kind = MODEL_LOGISTIC,
	    .outcome = CLASSES,
	    .offset = true,
	    .robust = ROBUST_SITE },
	{ .name = "logistic, ridge",
	    .kind = MODEL_LOGISTIC,
	    .outcome = CLASSES,
	    .ridge = 1.0 },
	{ .name = "cox", .kind = MODEL_COX, .outcome = TIME },
	{ .name = "cox, efron, everything",
	    .kind = MODEL_COX,
	    .outcome = TIME,
	    .efron = true,
	    .ph = true,
	    .offset = true,
	    .robust = ROBUST_PATIENT },
	{ .name = "cox, clusters of sites",
	    .kind = MODEL_COX,
	    .outcome = TIME,
	    .robust = ROBUST_SITE },
	{ .name = "cox, strata of sites",
	    .kind = MODEL_COX,
	    .outcome = TIME,
	    .strata = STRATA_SITE,
	    .ph = true,
	    .robust = ROBUST_PATIENT },
};

/* Three terms and an outcome of each kind; who is at which site: stratum. */
static struct rows
plain_rows(size_t n, size_t n_terms)
{
	struct rows r = rows_new(n, n_terms);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n_terms; k++)
			r.x[i * n_terms + k] =
			    (double)((i + 1) * (2 * k + 3) % (11 + 2 * k));
		r.y[i] = (double)(1 + i * i % 11);
		r.event[i] = i * i % 11 > 3;
		r.weight[i] = 1.0 + (double)(i % 3);
		r.offset[i] = (double)(i % 5) / 8.0;
		r.time[i] = (double)(1 + i * 7 % 23);
		r.stratum[i] = (uint32_t)(i % SITES);
	}
	return r;
}

static struct rows
nothing_is_wrong(void)
{
	return plain_rows(120, 3);
}

static struct rows
separated(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++) {
		double *x = &r.x[3 * i + 2];

		*x = i % 2;
		r.event[i] = *x == 1.0;
		r.y[i] = 4.0 * *x;
		r.weight[i] = 4.0;
		r.offset[i] = 0.0;
	}
	return r;
}

/* An outcome that the terms give without an error; of above 0, and of all. */
static struct rows
determined(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++) {
		r.x[3 * i + 2] = i % 2;
		r.y[i] = 1.0 + (double)(i % 2);
		r.offset[i] = 0.0;
	}
	return r;
}

static struct rows
collinear(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++)
		r.x[3 * i + 1] = 3.0 * r.x[3 * i] - 1.0;
	return r;
}

static struct rows
constant_column(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++)
		r.x[3 * i + 1] = 0.1;
	return r;
}

static struct rows
all_constant(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < 3 * r.n; i++)
		r.x[i] = 7.0;
	return r;
}

static struct rows
no_events(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++) {
		r.event[i] = 0;
		r.y[i] = r.offset[i] = 0.0;
	}
	return r;
}

static struct rows
all_alike(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++) {
		r.event[i] = 1;
		r.y[i] = 4.0;
		r.weight[i] = 2.0; /* all trials succeed */
		r.offset[i] = 0.0;
	}
	return r;
}

/* Some sites have no event, one nothing but events. */
static struct rows
one_class_at_a_site(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++) {
		r.stratum[i] =
		    r.event[i] == 1 ? (uint32_t)(i % 3) : 3 + (uint32_t)(i % 2);
	}
	return r;
}

static struct rows
an_empty_site(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++)
		r.stratum[i] = (uint32_t)(i % (SITES - 1));
	return r;
}

static struct rows
some_weigh_nothing(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i += 4) {
		r.weight[i] = 0.0;
		r.y[i] = 1.0;
	}
	return r;
}

static struct rows
all_weigh_nothing(void)
{
	struct rows r = plain_rows(120, 3);

	for (size_t i = 0; i < r.n; i++)
		r.weight[i] = 0.0;
	return r;
}

/* More coefficients than rows. */
static struct rows
fewer_rows_than_terms(void)
{
	return plain_rows(6, 9);
}

static struct rows
as_many_rows_as_coefficients(void)
{
	struct rows r = plain_rows(4, 3);

	for (size_t i = 0; i < r.n; i++)
		r.event[i] = i % 2;
	return r;
}

static struct rows
one_row(void)
{
	return plain_rows(1, 3);
}

static struct rows
no_rows(void)
{
	return plain_rows(0, 3);
}

#define ALL(words)                                                             \
	{                                                                      \
		words, words, words, words, words, words                       \
	}
#define DETERMINE "determine the outcome"
#define SEPARATION "separation: x"
#define SAME "the outcome is the same in all patients"
#define NO_EVENT "no patient had an event"
#define TOO_FEW "too few events or patients"
#define FEW_SITES "fewer than 5 sites have"
#define UNEVEN "the weights add up to less than"
#define LEFT_OUT "left out of the model: x"
#define NO_ERRORS "residuals add up to nothing"
#define PER_TERM "per term for 9 terms"

/*
 * What is said: "", nothing, for it is fitted; else a warning has one of these
 * words, with a bar between them.
 */
static const struct bad_case {
	const char *name;
	struct rows (*make)(void);
	const char *words[OUTCOMES]; /* in the order of enum outcome */
	/* Instead, if not NULL; the first that holds. */
	const char *by_site, *with_weights, *with_ridge;
	bool needs_weights;
	uint32_t step, per_term; /* 0: 1, and none */
} cases[] = {
	{ .name = "nothing is wrong",
	    .make = nothing_is_wrong,
	    .words = ALL("") },
	{ .name = "separated",
	    .make = separated,
	    .words = { DETERMINE, DETERMINE, SEPARATION, SEPARATION, SEPARATION,
		SEPARATION },
	    .with_ridge = "" },
	{ .name = "determined",
	    .make = determined,
	    .words = { DETERMINE, DETERMINE, "|" DETERMINE "|" NO_ERRORS, "",
		SEPARATION, "" },
	    .with_ridge = "" },
	{ .name = "collinear",
	    .make = collinear,
	    .words =
		ALL("a combination of the terms before it, and " LEFT_OUT "2"),
	    .with_ridge = "" },
	{ .name = "constant column",
	    .make = constant_column,
	    .words = ALL("the same in all patients, and " LEFT_OUT "2") },
	{ .name = "all columns constant",
	    .make = all_constant,
	    .words = ALL("no term varies between patients") },
	{ .name = "no events",
	    .make = no_events,
	    .words = { SAME, DETERMINE, NO_EVENT, SAME, SAME, NO_EVENT } },
	/* Robust errors of counts that are all alike are nothing. */
	{ .name = "all alike",
	    .make = all_alike,
	    .words = { SAME, DETERMINE, "|" DETERMINE "|" NO_ERRORS, SAME, SAME,
		"" } },
	{ .name = "one class at a site",
	    .make = one_class_at_a_site,
	    .words = ALL("") },
	{ .name = "an empty site",
	    .make = an_empty_site,
	    .words = ALL(""),
	    .by_site = FEW_SITES },
	{ .name = "some weigh nothing",
	    .make = some_weigh_nothing,
	    .words = { "30 patients have a weight of 0",
		"30 patients have a weight of 0",
		"30 patients have a weight of 0",
		"30 patients have a weight of 0", "30 patients have no trial",
		NULL },
	    .needs_weights = true },
	{ .name = "all weigh nothing",
	    .make = all_weigh_nothing,
	    .words = ALL(TOO_FEW),
	    .needs_weights = true },
	{ .name = "fewer rows than terms",
	    .make = fewer_rows_than_terms,
	    .words = { LEFT_OUT, LEFT_OUT, LEFT_OUT, SEPARATION,
		SEPARATION "|" LEFT_OUT, SEPARATION "|no term varies" },
	    .with_ridge = "" },
	{ .name = "few rows per term",
	    .make = fewer_rows_than_terms,
	    .words = ALL(PER_TERM),
	    .per_term = 2 },
	{ .name = "as many rows as coefficients",
	    .make = as_many_rows_as_coefficients,
	    .words = { DETERMINE, DETERMINE,
		DETERMINE "|as many coefficients as patients", SEPARATION, NULL,
		SEPARATION "|no term varies" },
	    .by_site = FEW_SITES "|" UNEVEN,
	    .with_weights = UNEVEN,
	    .with_ridge = "" },
	{ .name = "few rows",
	    .make = as_many_rows_as_coefficients,
	    .words = ALL(TOO_FEW),
	    .step = 5 },
	{ .name = "one row",
	    .make = one_row,
	    .words = { TOO_FEW, TOO_FEW, TOO_FEW, SAME "|" TOO_FEW, TOO_FEW,
		NO_EVENT } },
	{ .name = "no rows",
	    .make = no_rows,
	    .words = { TOO_FEW, TOO_FEW, TOO_FEW, SAME "|" TOO_FEW, TOO_FEW,
		NO_EVENT } },
};

static struct model_spec
spec_of(const struct rows *r, const struct estimator *e)
{
	struct model_spec s = spec_for(r, e->kind, SITES);

	s.strata = e->strata;
	s.robust = e->robust;
	s.ridge = e->ridge;
	s.has_weights = e->weights;
	s.has_offset = e->offset;
	s.ties = e->efron ? TIES_EFRON : TIES_BRESLOW;
	s.ph_test = e->ph;
	s.baseline = e->ph && e->strata != STRATA_SITE;
	s.max_iterations = 40;
	s.n_effects = s.n_terms;
	for (uint32_t i = 0; i < s.n_terms; i++) {
		s.terms[i].effect = i;
		memcpy(s.effects[i], s.terms[i].name, MODEL_NAME_SIZE);
		if (r->n == 0)
			s.terms[i].min = s.terms[i].max = 0.0;
	}
	s.offset_max = 1.0;
	s.weight_max = 4.0;
	s.y_min = e->outcome == POSITIVE ? 1.0 : 0.0;
	s.y_max = 11.0;
	return s;
}

/* An outcome that the family can have. */
static struct rows
rows_for(const struct estimator *e, const struct bad_case *b)
{
	struct rows r = b->make();

	for (size_t i = 0; i < r.n; i++) {
		if (e->outcome == POSITIVE)
			r.y[i] = fmax(r.y[i], 1.0);
		if (e->outcome == TRIALS)
			r.y[i] = fmin(floor(0.5 * r.y[i]), r.weight[i]);
	}
	return r;
}

static void
add_text(struct canon *out, const struct plan *p)
{
	const struct result_meta meta = { .study = "t" };
	struct err err;

	if (result_text(p, &meta, out, &err) == -1 ||
	    result_json(p, &meta, out, &err) == -1)
		fail_msg("%s", err.msg);
	canon_u8(out, 0);
}

/* No such number anywhere, as a word. */
static void
has_no_nan(const struct canon *out)
{
	const char *text = (const char *)out->data;

	for (const char *v = text; *v != '\0'; v++) {
		bool begins = v == text || isalnum((unsigned char)v[-1]) == 0;

		if (begins &&
		    (strncmp(v, "nan", 3) == 0 || strncmp(v, "inf", 3) == 0) &&
		    isalnum((unsigned char)v[3]) == 0)
			fail_msg("%.60s", v);
	}
}

/* A coefficient is a number, or named. */
static void
every_term_is_there_or_named(const struct result *r)
{
	for (size_t i = 0; i < r->n_terms && r->fitted; i++) {
		const struct result_term *t = &r->terms[i];
		bool named = false;

		for (size_t k = 0; k < r->n_warnings; k++)
			named |= strstr(r->warnings[k], t->name) != NULL;
		if (strcmp(t->name, "(Intercept)") == 0)
			named = r->n_warnings > 0;
		if (!t->estimated && !named)
			fail_msg("nothing is said of %s", t->name);
		if (!t->estimated)
			continue;
		if (!isfinite(t->estimate) || !isfinite(t->se) ||
		    !(t->se > 0.0))
			fail_msg("%s: %g, se %g", t->name, t->estimate, t->se);
		if (r->ridge == 0.0 &&
		    (!isfinite(t->z) || !isfinite(t->p) ||
			!isfinite(t->ci_low) || !isfinite(t->ci_high)))
			fail_msg("%s: z %g", t->name, t->z);
	}
}

static const char *
words_of(const struct estimator *e, const struct bad_case *b)
{
	if (e->robust == ROBUST_SITE && b->by_site != NULL)
		return b->by_site;
	if (e->weights && b->with_weights != NULL)
		return b->with_weights;
	if (e->ridge > 0.0 && b->with_ridge != NULL)
		return b->with_ridge;
	return b->words[e->outcome];
}

/* One of the words between bars, in one of the warnings. */
static bool
is_said(const struct result *r, const char *words)
{
	char all[256], *save, *one;

	if (r->n_warnings == 0)
		return (words[0] == '\0' || words[0] == '|') && r->fitted;
	snprintf(all, sizeof(all), "%s", words);
	for (one = strtok_r(all, "|", &save); one != NULL;
	     one = strtok_r(NULL, "|", &save)) {
		for (size_t i = 0; i < r->n_warnings; i++)
			if (strstr(r->warnings[i], one) != NULL)
				return true;
	}
	return false;
}

static void
check_case(const struct estimator *e, const struct bad_case *b)
{
	struct rows r = rows_for(e, b);
	struct model_spec s = spec_of(&r, e);
	struct canon out = { 0 };
	struct consortium c;
	struct result got;

	s.risk_set_step = MAX(b->step, 1u);
	s.events_per_term = b->per_term;
	consortium_open(&c, &s, &r, deal_by_stratum);
	consortium_run(&c);
	got = consortium_result(&c);
	add_text(&out, c.plan);
	has_no_nan(&out);
	if (!is_said(&got, words_of(e, b)))
		fail_msg("%s, %s: expected \"%s\", got \"%s\"", b->name,
		    e->name, words_of(e, b),
		    got.n_warnings > 0 ? got.warnings[0] : "");
	every_term_is_there_or_named(&got);
	canon_free(&out);
	consortium_close(&c);
	rows_free(&r);
}

static void
each_is_said_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		for (size_t k = 0; k < nitems(estimators); k++) {
			if (cases[i].needs_weights && !estimators[k].weights)
				continue;
			check_case(&estimators[k], &cases[i]);
		}
	}
}

/* Two groups: stratum is the group here, rows go to sites in turn. */
static struct rows
curves(void)
{
	struct rows r = plain_rows(60, 0);

	for (size_t i = 0; i < r.n; i++)
		r.stratum[i] = i % 3 == 0;
	return r;
}

static struct rows
curves_without_events(void)
{
	struct rows r = curves();

	memset(r.event, 0, r.n);
	return r;
}

static struct rows
one_group_without_events(void)
{
	struct rows r = curves();

	for (size_t i = 0; i < r.n; i++)
		r.event[i] &= r.stratum[i] == 0;
	return r;
}

static struct rows
one_group_is_empty(void)
{
	struct rows r = curves();

	memset(r.stratum, 0, r.n * sizeof(*r.stratum));
	return r;
}

static struct rows
all_leave_at_once(void)
{
	struct rows r = curves();

	for (size_t i = 0; i < r.n; i++) {
		r.time[i] = 5.0;
		r.event[i] = 1;
	}
	return r;
}

/* Sites are in turn: the events are all at the first two. */
static struct rows
events_at_two_sites(void)
{
	struct rows r = curves();

	for (size_t i = 0; i < r.n; i++)
		r.event[i] = i % SITES < 2;
	return r;
}

static struct rows
one_row_of_curves(void)
{
	struct rows r = plain_rows(1, 0);

	r.event[0] = 1;
	r.stratum[0] = 0;
	return r;
}

static struct rows
no_rows_of_curves(void)
{
	return plain_rows(0, 0);
}

static const struct curve_case {
	const char *name;
	struct rows (*make)(void);
	const char *words;
	uint32_t step; /* 0: 1 */
} curve_cases[] = {
	{ .name = "nothing is wrong", .make = curves, .words = "" },
	{ .name = "no events",
	    .make = curves_without_events,
	    .words = NO_EVENT },
	{ .name = "one group without events",
	    .make = one_group_without_events,
	    .words = "" },
	{ .name = "an empty group", .make = one_group_is_empty, .words = "" },
	{ .name = "all leave at once", .make = all_leave_at_once, .words = "" },
	{ .name = "events at two sites",
	    .make = events_at_two_sites,
	    .words = "" },
	{ .name = "small groups",
	    .make = curves,
	    .words = TOO_FEW,
	    .step = 50 },
	{ .name = "a small group",
	    .make = curves,
	    .words = "left out: 1 groups|" TOO_FEW,
	    .step = 15 },
	{ .name = "one row", .make = one_row_of_curves, .words = "" },
	{ .name = "no rows", .make = no_rows_of_curves, .words = NO_EVENT },
};

static void
check_curves(
    enum model_kind kind, enum model_bounds bounds, const struct curve_case *b)
{
	struct rows r = b->make();
	struct model_spec s = spec_for(&r, kind, SITES);
	struct canon out = { 0 };
	struct consortium c;
	struct result got;

	s.n_times = 30;
	s.n_terms = 2;
	snprintf(s.terms[0].name, MODEL_NAME_SIZE, "g=0");
	snprintf(s.terms[1].name, MODEL_NAME_SIZE, "g=1");
	s.bounds = bounds;
	s.rmst_until = kind == MODEL_KM ? 20.0 : 0.0;
	s.risk_set_step = MAX(b->step, 1u);
	s.n_causes = kind == MODEL_CUMINC ? 2 : 0;
	snprintf(s.causes[0], MODEL_NAME_SIZE, "first");
	snprintf(s.causes[1], MODEL_NAME_SIZE, "second");
	for (size_t i = 0; kind == MODEL_CUMINC && i < r.n; i += 4)
		r.event[i] *= 2;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	got.fitted = true; /* no curve is */
	add_text(&out, c.plan);
	has_no_nan(&out);
	if (!is_said(&got, b->words))
		fail_msg("%s: expected \"%s\", got \"%s\"", b->name, b->words,
		    got.n_warnings > 0 ? got.warnings[0] : "");
	canon_free(&out);
	consortium_close(&c);
	rows_free(&r);
}

static void
curves_say_it_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(curve_cases); i++) {
		for (int k = BOUNDS_LOG; k <= BOUNDS_PLAIN; k++) {
			check_curves(MODEL_KM, k, &curve_cases[i]);
			check_curves(MODEL_CUMINC, k, &curve_cases[i]);
		}
	}
}

/* Numbers v1, v2, v3 and levels v4 in two groups; what becomes of them. */
enum fault {
	NO_FAULT,
	CONSTANT, /* v1 */
	COLLINEAR, /* v2 is v1 twice */
	MISSING, /* v1 of all */
	MISSING_IN_GROUP, /* v1 of the second group */
	ONE_LEVEL, /* v4 */
	LEVEL_AT_A_SITE, /* a level of v4 is one site's */
	EMPTY_GROUP,
	FEW, /* as many rows as variables */
	ONE,
	FAULTS,
};

static double
value_of(enum fault fault, size_t row, size_t v, uint32_t group)
{
	double x = (double)((row + 2) * (2 * v + 3) % 17);

	if (v == 3)
		return fault == ONE_LEVEL      ? 0.0
		    : fault == LEVEL_AT_A_SITE ? row % DESCRIBED_SITES == 1
					       : (double)(row / 2 % 2);
	if (v == 0 &&
	    (fault == MISSING || (fault == MISSING_IN_GROUP && group == 1)))
		return NAN;
	if (v == 0 && fault == CONSTANT)
		return 3.0;
	return v == 1 && fault == COLLINEAR
	    ? 2.0 * value_of(fault, row, 0, group)
	    : x;
}

static void
summaries_say_it_too(void **state)
{
	static const char *const said[FAULTS] = {
		[NO_FAULT] = "\"warnings\": []",
		[CONSTANT] = " 3 (0) ",
		[COLLINEAR] = "\"warnings\": []",
		[MISSING] = "not counted: 2 cells of a group",
		[MISSING_IN_GROUP] = "not counted: 1 cells of a group",
		[ONE_LEVEL] = "30 (100.0%)",
		[LEVEL_AT_A_SITE] = "",
		[EMPTY_GROUP] = "not counted",
		[FEW] = "not counted",
		[ONE] = "not counted",
	};

	(void)state;
	for (enum fault fault = NO_FAULT; fault < FAULTS; fault++) {
		for (uint32_t step = 1; step <= 5; step += 4) {
			size_t n = fault == FEW ? 4 : fault == ONE ? 1 : 60;
			struct described d = described_new(n, 4, 2);
			struct canon out = { 0 };

			for (size_t i = 0; i < n; i++) {
				d.group[i] = i % 2 && fault != EMPTY_GROUP;
				for (size_t v = 0; v < 4; v++)
					*described_x(&d, i, v) =
					    value_of(fault, i, v, d.group[i]);
			}
			for (size_t v = 0; v < 3; v++) {
				d.spec.variables[v].min = 0.0;
				d.spec.variables[v].max = 40.0;
			}
			d.spec.variables[3].n_levels = d.spec.n_levels = 2;
			snprintf(d.spec.levels[0], MODEL_NAME_SIZE, "no");
			snprintf(d.spec.levels[1], MODEL_NAME_SIZE, "yes");
			d.spec.risk_set_step = step;
			described_run(&d);
			add_text(&out, d.plan);
			has_no_nan(&out);
			if (strstr((char *)out.data, said[fault]) == NULL)
				fail_msg("%d: nothing says \"%s\"", fault,
				    said[fault]);
			canon_free(&out);
			described_free(&d);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_said_in_words),
		cmocka_unit_test(curves_say_it_too),
		cmocka_unit_test(summaries_say_it_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Plan bytes: what is loaded is saved as the same bytes. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/contribute.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "study/study.h"
#include "tests/fuzz/fuzz.h"
#include "tests/study/small.h"

#define STUDY(model, privacy)                                                  \
	"[study]\nname = s\ntitle = t\npurpose = p\nlegal-basis = c\n"         \
	"ethics = e\ncontact = a@b\nexpires = 2099-01-31\n"                    \
	"[model]\n" model "[privacy]\nk = 2\ncohort = fixed\n"                 \
	"rows-per-site = 100\n" privacy
#define LEVELS(name, levels, use)                                              \
	"[column " name "]\ntype = levels\nlevels = " levels                   \
	"\nprivacy = none\nuse = " use "\n"
#define NUMBER(name, type, range, use)                                         \
	"[column " name "]\ntype = " type "\nrange = " range                   \
	"\nprivacy = none\nuse = " use "\n"

#define TIME NUMBER("t", "integer", "0..12", "outcome")
#define EVENT(levels) LEVELS("e", levels, "outcome")
#define YES_NO LEVELS("y", "no, yes", "outcome")
#define GROUPS LEVELS("g", "a, b, c", "stratum")
#define TERM NUMBER("a", "real", "-5..5", "feature")
#define RARE LEVELS("rare", "no, yes", "feature")
#define VARIED LEVELS("varied", "x, y, z", "feature")

/* One of each way to sum. */
static const char *const studies[] = {
	small,
	STUDY("kind = logistic\noutcome = y\nconcordance-bins = 16\n",
	    "events-per-term = 1\n" YES_NO TERM RARE VARIED),
	STUDY("kind = cuminc\ntime = t\nevent = e\ncensored = 0\ngroups = g\n",
	    "smallest-risk-set-step = 3\n" TIME EVENT("0, 1, 2") GROUPS),
	STUDY("kind = summary\ngroups = g\nbins = 4\n",
	    "smallest-cell = 3\n" GROUPS TERM VARIED),
	STUDY("kind = km\ntime = t\nevent = e\ngroups = g\n",
	    "smallest-risk-set-step = 3\n" TIME EVENT("0, 1") GROUPS),
	STUDY("kind = logistic\noutcome = y\nfeasibility = yes\n",
	    YES_NO TERM VARIED),
	STUDY("kind = cox\ntime = t\nevent = e\nconcordance-bins = 16\n"
	      "baseline = yes\nph-test = yes\n",
	    "events-per-term = 1\nsmallest-risk-set-step = 3\n" TIME EVENT(
		"0, 1") TERM RARE),
};

static void
must(bool so, const struct err *err)
{
	if (so)
		return;
	fprintf(stderr, "%s\n", err->msg);
	abort();
}

static const struct model_spec *
the_spec(size_t which)
{
	static struct model_spec specs[nitems(studies)];
	static struct study *parsed[nitems(studies)];
	const char *text = studies[which];
	struct err err;

	if (parsed[which] == NULL) {
		parsed[which] = study_parse("f", text, strlen(text), &err);
		must(parsed[which] != NULL, &err);
		must(study_model_spec(parsed[which], 3, &specs[which], &err) ==
			0,
		    &err);
	}
	return &specs[which];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct canon out = { 0 };
	struct plan *plan;
	struct err err;

	if (len == 0)
		return 0;
	plan = plan_load(
	    the_spec(data[0] % nitems(studies)), data + 1, len - 1, &err);
	if (plan != NULL) {
		plan_save(plan, &out);
		FUZZ_MUST(!out.failed && out.len == len - 1 &&
		    memcmp(out.data, data + 1, len - 1) == 0);
		FUZZ_MUST(plan_done(plan) == (plan_words(plan) == 0));
		FUZZ_MUST(strlen(plan_kind(plan)) > 0);
	}
	canon_free(&out);
	plan_free(plan);
	return 0;
}

/*
 * The patients of a site.  Only two of all have the second term, and one is in the
 * last group: too few to be summed over, so that plans have p->few.
 */
#define ROWS 40

struct rows {
	double x[ROWS * MODEL_TERMS_MAX], y[ROWS],
	    variables[ROWS * MODEL_TERMS_MAX];
	uint8_t event[ROWS];
	uint32_t time[ROWS], entry[ROWS], stratum[ROWS];
};

static struct model_data
site_rows(const struct model_spec *s, struct rows *r, unsigned site)
{
	bool describes = s->n_variables != 0;
	struct model_data d = { .n_rows = ROWS,
		.x = r->x,
		.y = r->y,
		.event = r->event,
		.time_index = r->time,
		.stratum = r->stratum,
		.variables = r->variables };
	uint32_t groups = MAX(s->n_strata, 1u);

	memset(r, 0, sizeof(*r));
	if (s->kind == MODEL_KM || s->kind == MODEL_CUMINC ||
	    s->kind == MODEL_SUMMARY)
		groups *= MAX(s->n_terms, 1u);
	else if (!describes)
		d.n_terms = s->n_terms;
	for (uint32_t i = 0; i < ROWS; i++) {
		uint32_t k = i + site * 17;
		uint32_t most = s->n_causes != 0 ? s->n_causes : 1;

		r->event[i] = (uint8_t)(k * 11 % 17 % (most + 1));
		r->y[i] = r->event[i];
		r->time[i] = s->n_times != 0 ? k * 7 % s->n_times : 0;
		r->stratum[i] = i == 0 && site == 0 ? groups - 1
		    : groups > 1                    ? k % (groups - 1)
						    : 0;
		for (size_t j = 0; j < d.n_terms; j++) {
			const struct model_term *t = &s->terms[j];

			r->x[i * d.n_terms + j] = j == 1
			    ? (i == 0 && site < 2 ? t->max : t->min)
			    : t->min +
				(t->max - t->min) * (k % (5 + j)) / (4 + j);
		}
		for (size_t j = 0; describes && j < s->n_variables; j++) {
			const struct model_variable *v = &s->variables[j];

			r->variables[i * s->n_variables + j] = k % 13 == 0 ? NAN
			    : v->n_levels != 0
			    ? k % 9 % v->n_levels
			    : v->min + (v->max - v->min) * (k % 11) / 10;
		}
	}
	return d;
}

/* What the three sites sum; the caller frees it. */
static uint64_t *
sum_of(const struct plan *p)
{
	static struct rows rows; /* large */
	size_t n = plan_words(p), nv = plan_values(p);
	uint64_t *sum = calloc(n, sizeof(*sum)),
		 *words = calloc(n, sizeof(*words));
	double *values = calloc(nv, sizeof(*values));
	struct err err;

	FUZZ_MUST(sum != NULL && words != NULL && values != NULL);
	for (unsigned site = 0; site < 3; site++) {
		struct model_data d = site_rows(plan_spec(p), &rows, site);

		must(contribute(p, &d, values, &err) == 0 &&
			plan_encode(p, values, nv, words, &err) == 0,
		    &err);
		for (size_t k = 0; k < n; k++)
			sum[k] += words[k];
	}
	free(words);
	free(values);
	return sum;
}

/* The plan before each round: where there are patients, and where every sum is
   zero. */
static void
put_plans(fuzz_put *put, size_t which, bool patients)
{
	struct err err;
	struct plan *plan = plan_new(the_spec(which), &err), *again;
	uint64_t *sum;

	FUZZ_MUST(plan != NULL);
	for (;;) {
		struct canon out = { 0 };

		plan_save(plan, &out);
		again = plan_load(the_spec(which), out.data, out.len, &err);
		must(again != NULL, &err);
		plan_free(again);
		fuzz_put_bytes(put, (int)which, out.data, out.len);
		canon_free(&out);
		if (plan_done(plan))
			break;
		sum = patients ? sum_of(plan)
			       : calloc(plan_words(plan), sizeof(*sum));
		FUZZ_MUST(sum != NULL);
		FUZZ_MUST(plan_step(plan, sum, plan_words(plan), 3, &err) == 0);
		free(sum);
	}
	plan_free(plan);
}

void
fuzz_seeds(fuzz_put *put)
{
	for (size_t i = 0; i < nitems(studies); i++) {
		put_plans(put, i, false);
		if (i != 0) /* (its plans would be too long) */
			put_plans(put, i, true);
	}
}

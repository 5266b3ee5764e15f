/* The model of a study: outcome, strata, terms, and what the trainer needs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/spec.h"
#include "study/draft.h"
#include "study/formula.h"
#include "study/study.h"

static const char *const use_names[] = { "ignored", "feature", "outcome",
	"stratum" };

/* The column called name, which the codebook must hold for this use. */
int
draft_column(struct draft *d, const char *key, const char *name, int use,
    size_t *at, struct err *err)
{
	size_t i = study_find(d->s, name);

	if (i == STUDY_NONE)
		return ini_error(d->ini, name, err,
		    "%s: there is no [column %.60s]", key, name);
	if (d->s->columns[i].use != use)
		return ini_error(d->ini, name, err,
		    "%s: column \"%s\" has use = %s, expected use = %s", key,
		    name, use_names[d->s->columns[i].use], use_names[use]);
	*at = i;
	return 0;
}

/* A key that the model's kind needs, or cannot have. */
static int
check_key(struct draft *d, const char *key, const char *value, bool wanted,
    struct err *err)
{
	static const char *const kinds[] = { "cox", "logistic", "glm", "km",
		"summary", "recoding", "cuminc" };
	const char *kind = kinds[d->s->model.kind];

	if (value != NULL && !wanted)
		return ini_error(
		    d->ini, value, err, "%s: a %s model has none", key, kind);
	if (value != NULL || !wanted)
		return 0;
	return ini_error(d->ini, d->s->columns[0].name, err,
	    "[model] has no key \"%s\", which kind = %s needs", key, kind);
}

/* Which level of the event or outcome column means 1. */
static int
check_event(struct draft *d, const char *key, const char *name, size_t at,
    struct err *err)
{
	const struct study_column *c = &d->s->columns[at];
	const char *text = d->model.event_level;

	if (c->type != STUDY_LEVELS)
		return ini_error(d->ini, name, err,
		    "%s: column \"%s\" must have type = levels", key, name);
	if (text == NULL && c->n_levels != 2)
		return ini_error(d->ini, name, err,
		    "%s: column \"%s\" has %zu levels, expected event-level = "
		    "the one that counts",
		    key, name, c->n_levels);
	d->s->model.event_level = 1;
	if (text == NULL)
		return 0;
	d->s->model.event_level = study_level(c, text, strlen(text));
	if (d->s->model.event_level == STUDY_NONE)
		return ini_error(d->ini, text, err,
		    "event-level: \"%.60s\" is no level of \"%s\"", text, name);
	return 0;
}

static int
check_time(struct draft *d, struct err *err)
{
	struct study_model *m = &d->s->model;
	const struct study_column *c = &d->s->columns[m->time];
	double steps;

	if (c->type == STUDY_LEVELS)
		return ini_error(d->ini, d->model.time, err,
		    "time: column \"%s\" must be a number or an interval",
		    c->name);
	if (c->lo < 0)
		return ini_error(d->ini, d->model.time, err,
		    "time: the range of \"%s\" starts below 0", c->name);
	if (m->time_step == 0)
		m->time_step = 1;
	steps = (c->hi - c->lo) / m->time_step + 0.5;
	if (steps < 1 || steps >= MODEL_TIMES_MAX)
		return ini_error(d->ini, d->model.time, err,
		    "time: %.0f steps of %g in the range of \"%s\", expected 1 "
		    "to %u; change time-step",
		    steps - 0.5, m->time_step, c->name, MODEL_TIMES_MAX - 1);
	m->n_times = (size_t)steps + 1;
	return 0;
}

/* Binomial with a logit link, but for trials, is logistic regression. */
static int
check_family(struct draft *d, struct err *err)
{
	struct study_model *m = &d->s->model;

	if (m->kind != STUDY_GLM && m->family != -1)
		return ini_error(d->ini, d->s->columns[0].name, err,
		    "family: only kind = glm has one");
	if (m->kind == STUDY_GLM && m->family == -1)
		return ini_error(d->ini, d->s->columns[0].name, err,
		    "[model] has no key \"family\", which kind = glm needs");
	if ((m->theta != 0) != (m->family == STUDY_NEGBIN))
		return ini_error(d->ini, d->s->columns[0].name, err,
		    "theta: family = negative-binomial needs it, no other has "
		    "it");
	if (m->link != -1 && m->family != STUDY_GAMMA)
		return ini_error(d->ini, d->s->columns[0].name, err,
		    "link: only family = gamma has more than one");
	if (m->link == STUDY_INVERSE_LINK &&
	    (m->ridge != 0 || d->model.offset != NULL))
		return ini_error(d->ini,
		    m->ridge == 0 ? d->model.offset : d->s->columns[0].name,
		    err, "ridge, offset: not with link = inverse");
	if (d->model.trials != NULL && m->family != STUDY_BINOMIAL)
		return ini_error(d->ini, d->model.trials, err,
		    "trials: only family = binomial has them");
	if (d->model.trials != NULL && d->model.weights != NULL)
		return ini_error(
		    d->ini, d->model.weights, err, "weights: not with trials");
	if (m->family == STUDY_BINOMIAL && d->model.trials == NULL)
		m->kind = STUDY_LOGISTIC;
	return 0;
}

/* Standard errors, and a penalty. */
static int
check_errors(struct draft *d, struct err *err)
{
	const struct study_model *m = &d->s->model;
	const struct study_rules *r = &d->s->privacy;
	bool glm = m->kind == STUDY_LOGISTIC || m->kind == STUDY_GLM;
	const char *at = d->s->columns[0].name;
	size_t n_sites = d->s->sites.n;

	if (m->robust != STUDY_ROBUST_NO && !glm && m->kind != STUDY_COX)
		return ini_error(d->ini, at, err,
		    "robust: only kind = cox, logistic and glm have it");
	if (study_links_rows(d->s) && r->pseudonym != STUDY_YES)
		return ini_error(d->ini, r->patient_name, err,
		    "patient: entry, time-cuts and robust = patient need "
		    "pseudonym = yes, so that the table tells which rows are "
		    "one patient's");
	if (m->robust == STUDY_ROBUST_SITE && n_sites != 0 &&
	    n_sites < MODEL_CLUSTERS_MIN)
		return ini_error(d->ini, at, err,
		    "robust = site: %zu sites, expected at least %d: from the "
		    "sum over fewer, single sites could be told",
		    n_sites, MODEL_CLUSTERS_MIN);
	if (m->robust == STUDY_ROBUST_SITE && r->cohort == STUDY_OPEN)
		return ini_error(d->ini, at, err,
		    "robust = site: expected cohort = fixed, so that as many "
		    "sites are in the sum as the study says");
	if (m->ridge != 0 && (!glm || m->robust != STUDY_ROBUST_NO))
		return ini_error(d->ini, at, err,
		    "ridge: only kind = logistic and kind = glm have one, "
		    "without robust errors");
	if (d->s->learning.rounds != 0 &&
	    (m->ridge != 0 || m->robust != STUDY_ROBUST_NO))
		return ini_error(d->ini, at, err,
		    "ridge, robust: a study that learns has neither");
	return 0;
}

/* A feature that is not a term: offset, weights. */
static int
check_number_key(struct draft *d, const char *key, const char *name, size_t *at,
    struct err *err)
{
	const struct study_column *c;

	if (name == NULL)
		return 0;
	if (draft_column(d, key, name, STUDY_FEATURE, at, err) < 0)
		return -1;
	c = &d->s->columns[*at];
	if (c->type == STUDY_LEVELS)
		return ini_error(d->ini, name, err,
		    "%s: column \"%s\" must be a number", key, name);
	return 0;
}

static double
largest_of(const struct study_column *c)
{
	double lo, hi;

	study_bounds(c, &lo, &hi);
	return MAX(fabs(lo), fabs(hi));
}

static double
largest_offset(const struct study *s)
{
	const struct study_column *c = &s->columns[s->model.offset];
	double lo, hi;

	if (!s->model.offset_is_log)
		return largest_of(c);
	study_bounds(c, &lo, &hi);
	study_log_bounds(lo, hi, &lo, &hi);
	return MAX(fabs(lo), fabs(hi));
}

static int
check_row_numbers(struct draft *d, struct err *err)
{
	const struct draft_model *dm = &d->model;
	struct study_model *m = &d->s->model;
	double lo, hi;

	if (check_number_key(d, "offset", dm->offset, &m->offset, err) < 0 ||
	    check_number_key(d, "weights", dm->weights, &m->weights, err) < 0 ||
	    check_number_key(d, "trials", dm->trials, &m->weights, err) < 0)
		return -1;
	if (m->offset != STUDY_NONE &&
	    (study_has_curves(d->s) || m->kind == STUDY_SUMMARY))
		return ini_error(d->ini, dm->offset, err,
		    "offset: kind = km, cuminc and summary have none");
	if (m->offset != STUDY_NONE && m->offset_is_log) {
		study_bounds(&d->s->columns[m->offset], &lo, &hi);
		if (!(lo >= 1e-100))
			return ini_error(d->ini, dm->offset, err,
			    "offset: the range of \"%s\" is not above 0, as a "
			    "logarithm needs it",
			    d->s->columns[m->offset].name);
	}
	if (m->offset != STUDY_NONE && m->family != STUDY_GAUSSIAN &&
	    largest_offset(d->s) > 20)
		return ini_error(d->ini, dm->offset, err,
		    "offset: the range of \"%s\" is not within -20..20, which "
		    "is the scale of a logarithm",
		    dm->offset);
	if (m->weights == STUDY_NONE)
		return 0;
	if (m->kind != STUDY_GLM)
		return ini_error(d->ini, dm->weights, err,
		    "weights: only kind = glm has them (for yes or no: "
		    "family = quasibinomial)");
	study_bounds(&d->s->columns[m->weights], &lo, &hi);
	if (dm->trials != NULL &&
	    (d->s->columns[m->weights].type != STUDY_INTEGER || lo < 0 ||
		!(hi > 0) || hi > MODEL_COUNT_MAX))
		return ini_error(d->ini, dm->trials, err,
		    "trials: column \"%s\" must be a count: type = integer, "
		    "range within 0..%u",
		    dm->trials, MODEL_COUNT_MAX);
	if (lo < 0 || !(hi > 0) || hi > 1e9)
		return ini_error(d->ini, dm->weights, err,
		    "weights: the range of \"%s\" is not within 0..1e9",
		    dm->weights);
	return 0;
}

/* The outcome of a glm: a number; a count, if the family is poisson. */
static int
check_number(struct draft *d, struct err *err)
{
	struct study_model *m = &d->s->model;
	const struct study_column *c = &d->s->columns[m->outcome];
	bool whole = c->type == STUDY_INTEGER || c->type == STUDY_INTERVAL;

	if (d->model.event_level != NULL)
		return ini_error(d->ini, d->model.event_level, err,
		    "event-level: the outcome of this family is a number");
	if (c->type == STUDY_LEVELS)
		return ini_error(d->ini, d->model.outcome, err,
		    "outcome: column \"%s\" must be a number", c->name);
	if (m->family == STUDY_GAUSSIAN)
		return 0;
	if (m->family == STUDY_GAMMA && c->lo >= 1e-9 && c->hi <= 1e9)
		return 0;
	if (m->family == STUDY_GAMMA)
		return ini_error(d->ini, d->model.outcome, err,
		    "outcome: the range of \"%s\" must lie above 0, within "
		    "1e-9..1e9, for family = gamma",
		    c->name);
	if (!whole || c->lo < 0 || c->hi > MODEL_COUNT_MAX)
		return ini_error(d->ini, d->model.outcome, err,
		    "outcome: column \"%s\" must be a count: type = integer, "
		    "range within 0..%u",
		    c->name, MODEL_COUNT_MAX);
	return 0;
}

/* Curves and summary have groups, the first of them no terms. */
static int
check_curves(struct draft *d, struct err *err)
{
	const struct draft_model *dm = &d->model;
	struct study_model *m = &d->s->model;
	bool curves = study_has_curves(d->s),
	     summary = m->kind == STUDY_SUMMARY;
	const char *at = d->s->columns[0].name;

	if (!curves && !summary && dm->groups.n > 0)
		return ini_error(d->ini, dm->groups.items[0], err,
		    "groups: only kind = km, cuminc and summary have them");
	if (!summary && m->summary_bins != 0)
		return ini_error(
		    d->ini, at, err, "bins: only kind = summary has them");
	if (summary && m->feasibility != STUDY_NO)
		return ini_error(d->ini, at, err,
		    "feasibility: a summary says itself how many there are");
	if (m->kind != STUDY_KM &&
	    (m->rmst_until != 0 || m->rho >= 0 || m->band != STUDY_NO_BAND))
		return ini_error(d->ini, at, err,
		    "rmst-until, rho, band: only kind = km has them");
	if (!curves && m->bounds != STUDY_LOG_BOUNDS)
		return ini_error(d->ini, at, err,
		    "bounds: only kind = km and kind = cuminc have them");
	if (curves && dm->terms.n > 0)
		return ini_error(d->ini, dm->terms.items[0], err,
		    "terms: kind = %s has none; use groups",
		    m->kind == STUDY_KM ? "km" : "cuminc");
	if (curves && m->ties != -1)
		return ini_error(
		    d->ini, at, err, "ties: only kind = cox has them");
	if (m->rho < 0)
		m->rho = 1;
	return 0;
}

/* Which level of a cuminc study's event is none; the others are causes. */
static int
check_causes(struct draft *d, struct err *err)
{
	struct study_model *m = &d->s->model;
	const struct study_column *c = &d->s->columns[m->event];
	const char *text = d->model.censored;

	if (d->model.event_level != NULL)
		return ini_error(d->ini, d->model.event_level, err,
		    "event-level: kind = cuminc has none; use censored");
	if (c->type != STUDY_LEVELS || c->n_recodes != 0)
		return ini_error(d->ini, d->model.event, err,
		    "event: column \"%s\" must have type = levels and no "
		    "hierarchy",
		    c->name);
	if (text == NULL)
		return ini_error(d->ini, d->model.event, err,
		    "[model] has no key \"censored\", which kind = cuminc "
		    "needs: the level of \"%s\" that means no event",
		    c->name);
	m->event_level = study_level(c, text, strlen(text));
	if (m->event_level == STUDY_NONE)
		return ini_error(d->ini, text, err,
		    "censored: \"%.60s\" is no level of \"%s\"", text, c->name);
	if (c->n_levels < 2 || c->n_levels > 1 + MODEL_CAUSES_MAX)
		return ini_error(d->ini, d->model.event, err,
		    "event: %zu levels of \"%s\", expected 2 to %d: no event, "
		    "and causes",
		    c->n_levels, c->name, 1 + MODEL_CAUSES_MAX);
	return 0;
}

/*
 * Counts by item, in columns of these names and no others: whoever made them
 * from a table of patients was the site's own anonymizer.
 */
static int
check_recoding(struct draft *d, struct err *err)
{
	const struct study *s = d->s;
	const struct study_column *c = s->columns;

	if (s->n_columns != 2 || s->extra_columns != STUDY_EXTRA_REFUSE ||
	    strcmp(c[0].name, STUDY_RECODING_ITEM) != 0 ||
	    strcmp(c[1].name, STUDY_RECODING_VALUE) != 0)
		return ini_error(d->ini, c[0].name, err,
		    "kind = recoding: expected the columns " STUDY_RECODING_ITEM
		    " and " STUDY_RECODING_VALUE
		    " and no others; consiliumctl study recode makes such a "
		    "study");
	for (size_t i = 0; i < 2; i++)
		if (c[i].type != STUDY_INTEGER || c[i].use != STUDY_FEATURE ||
		    c[i].privacy != STUDY_PLAIN || c[i].lo != 0 ||
		    c[i].hi >
			(i == 0 ? MODEL_ITEMS_MAX - 1 : (double)MODEL_ITEM_MAX))
			return ini_error(d->ini, c[i].name, err,
			    "kind = recoding: expected type = integer, "
			    "privacy = none, use = feature and a range of "
			    "counts from 0");
	return 0;
}

static int
check_outcome(struct draft *d, struct err *err)
{
	const struct draft_model *dm = &d->model;
	struct study_model *m = &d->s->model;
	bool time = study_has_time(d->s);
	bool describes = m->kind == STUDY_SUMMARY || m->kind == STUDY_RECODING;

	if (dm->censored != NULL && m->kind != STUDY_CUMINC)
		return ini_error(d->ini, dm->censored, err,
		    "censored: only kind = cuminc has it; use event-level");
	if (check_family(d, err) < 0 || check_curves(d, err) < 0 ||
	    check_key(d, "time", dm->time, time, err) < 0 ||
	    check_key(d, "event", dm->event, time, err) < 0 ||
	    check_key(d, "outcome", dm->outcome, !time && !describes, err) < 0)
		return -1;
	if (m->kind == STUDY_RECODING && check_recoding(d, err) < 0)
		return -1;
	if (describes) {
		if (dm->event_level != NULL)
			return ini_error(d->ini, dm->event_level, err,
			    "event-level: this kind has no outcome");
		if (m->ties != -1 || m->time_step != 0)
			return ini_error(d->ini, d->s->columns[0].name, err,
			    "ties, time-step: only models of time have them");
		m->ties = STUDY_EFRON;
		if (m->summary_bins == 0)
			m->summary_bins = 64;
		return 0;
	}
	if (!time) {
		if (m->ties != -1 || m->time_step != 0)
			return ini_error(d->ini, dm->outcome, err,
			    "ties, time-step: only models of time have them");
		m->ties = STUDY_EFRON;
		if (draft_column(d, "outcome", dm->outcome, STUDY_OUTCOME,
			&m->outcome, err) < 0)
			return -1;
		if (study_has_y(d->s))
			return check_number(d, err);
		return check_event(d, "outcome", dm->outcome, m->outcome, err);
	}
	if (m->ties == -1)
		m->ties = STUDY_EFRON;
	if (draft_column(d, "time", dm->time, STUDY_OUTCOME, &m->time, err) <
		0 ||
	    draft_column(d, "event", dm->event, STUDY_OUTCOME, &m->event, err) <
		0 ||
	    check_time(d, err) < 0)
		return -1;
	if (m->kind == STUDY_CUMINC)
		return check_causes(d, err);
	return check_event(d, "event", dm->event, m->event, err);
}

/* Columns whose levels are crossed; *n becomes n times how many there are. */
static int
cross(struct draft *d, const char *key, const struct ini_list *l, size_t *n,
    struct err *err)
{
	struct study_model *m = &d->s->model;

	for (size_t i = 0; i < l->n; i++) {
		size_t at;

		if (draft_column(d, key, l->items[i], STUDY_STRATUM, &at, err) <
		    0)
			return -1;
		for (size_t j = 0; j < m->n_strata_columns; j++) {
			if (m->strata_columns[j] == at)
				return ini_error(d->ini, l->items[i], err,
				    "%s: \"%s\" is there twice", key,
				    l->items[i]);
		}
		m->strata_columns[m->n_strata_columns++] = at;
		*n *= study_n_groups(&d->s->columns[at]);
		if (*n > MODEL_STRATA_MAX)
			return ini_error(d->ini, l->items[i], err,
			    "%s: more than %d", key, MODEL_STRATA_MAX);
	}
	return 0;
}

/* "sex=1, arm=2" of the last n_columns of the strata's. */
static char *
group_name(struct draft *d, size_t group, size_t n_columns, struct err *err)
{
	const struct study_model *m = &d->s->model;
	char *name = draft_printf(d, err, "%s", "");

	for (size_t k = 0; name != NULL && k < n_columns; k++) {
		const struct study_column *c =
		    &d->s->columns[m->strata_columns[m->n_strata_columns - 1 -
			k]];
		const struct study_recode *r = study_recode(c);
		size_t g = group % study_n_groups(c);

		group /= study_n_groups(c);
		name = draft_printf(d, err, "%s=%s%s%s", c->name,
		    r != NULL ? r->labels[g] : c->levels[g].value,
		    k > 0 ? ", " : "", name);
	}
	return name;
}

static int
check_groups(struct draft *d, struct err *err)
{
	const struct ini_list *l = &d->model.groups;
	struct study *s = d->s;

	s->n_groups = 1;
	if (cross(d, "groups", l, &s->n_groups, err) < 0)
		return -1;
	if (s->n_groups > MODEL_TERMS_MAX)
		return ini_error(d->ini, l->items[0], err,
		    "groups: %zu of them, expected at most %d", s->n_groups,
		    MODEL_TERMS_MAX);
	s->groups = ini_alloc(d->ini, s->n_groups, sizeof(char *), err);
	for (size_t i = 0; s->groups != NULL && i < s->n_groups; i++) {
		s->groups[i] = l->n == 0 ? draft_printf(d, err, "all")
					 : group_name(d, i, l->n, err);
		if (s->groups[i] == NULL)
			return -1;
		if (strlen(s->groups[i]) >= MODEL_NAME_SIZE)
			return ini_error(d->ini, l->items[0], err,
			    "groups: \"%.80s\" is longer than %d bytes",
			    s->groups[i], MODEL_NAME_SIZE - 1);
	}
	return s->groups == NULL ? -1 : 0;
}

/* The plan's own limits (model/spec.c), said with their place. */
static int
check_cells(struct draft *d, const char *at, struct err *err)
{
	bool km = d->s->n_groups != 0;
	size_t most = km ? MODEL_TIMES_MAX : 4 * (size_t)MODEL_TIMES_MAX;
	size_t n = d->s->n_strata, n_times = d->s->model.n_times;

	if (n <= MODEL_STRATA_MAX && n * n_times <= most)
		return 0;
	return ini_error(d->ini, at, err,
	    "%s: %zu %s with %zu possible times each, expected a product of at "
	    "most %zu%s; change time-step",
	    km ? "groups" : "strata", n, km ? "groups in strata" : "strata",
	    n_times, most, km ? " and at most 1024 of them" : "");
}

/* none, site, or columns; for km and summary, groups too. */
static int
check_strata(struct draft *d, struct err *err)
{
	const struct ini_list *l = &d->model.strata;
	struct study_model *m = &d->s->model;
	bool none =
	    l->n == 0 || (l->n == 1 && strcmp(l->items[0], "none") == 0);
	bool site = l->n == 1 && strcmp(l->items[0], "site") == 0;

	d->s->n_strata = 1;
	m->strata_columns = ini_alloc(
	    d->ini, l->n + d->model.groups.n + 1, sizeof(size_t), err);
	if (m->strata_columns == NULL)
		return -1;
	if (!none && !study_has_time(d->s))
		return ini_error(d->ini, l->items[0], err,
		    "strata: only models of time have them; use a feature");
	if (site && study_has_curves(d->s))
		return ini_error(d->ini, l->items[0], err,
		    "strata: kind = km and kind = cuminc have none by site");
	if (site) {
		m->strata = STUDY_STRATA_SITE;
		d->s->n_strata = 0;
	} else if (!none) {
		m->strata = STUDY_STRATA_COLUMNS;
		if (cross(d, "strata", l, &d->s->n_strata, err) < 0)
			return -1;
	}
	if (study_has_curves(d->s) || m->kind == STUDY_SUMMARY) {
		if (check_groups(d, err) < 0)
			return -1;
		d->s->n_strata *= d->s->n_groups;
	}
	return check_cells(d,
	    none && d->model.groups.n == 0 ? d->s->columns[0].name
		: none                     ? d->model.groups.items[0]
					   : l->items[0],
	    err);
}

size_t
study_reference(const struct study_column *c)
{
	const struct study_recode *r = study_recode(c);

	return r != NULL ? study_group(r, (double)c->reference) : c->reference;
}

/* A number is one term; levels are one each, but for the reference. */
static int
expand(struct draft *d, const char *at, size_t column, struct err *err)
{
	const struct study_column *c = &d->s->columns[column];
	struct formula_effect e = {
		.atoms[0] = { .fn = c->type == STUDY_LEVELS ? STUDY_LEVEL
							    : STUDY_VALUE,
		    .at = at,
		    .name = c->name,
		    .column = column },
		.n_atoms = 1,
	};

	return term_expand(d, &e, false, err);
}

/* What a summary describes, within the plan's own limits (model/spec.h). */
static int
check_variables(struct draft *d, struct err *err)
{
	const struct ini_list *l = &d->model.terms;
	struct study *s = d->s;
	size_t n = l->n > 0 ? l->n : s->n_columns, levels = 0, at;

	for (size_t i = 0; i < n; i++) {
		const struct study_column *c;

		if (l->n == 0 && s->columns[i].use != STUDY_FEATURE)
			continue;
		at = i;
		if (l->n > 0 &&
		    draft_column(
			d, "terms", l->items[i], STUDY_FEATURE, &at, err) < 0)
			return -1;
		c = &s->columns[at];
		for (size_t k = 0; k < s->n_variables; k++)
			if (s->variables[k] == at)
				return ini_error(d->ini, l->items[i], err,
				    "terms: \"%s\" is there twice", c->name);
		if (c->type == STUDY_LEVELS)
			levels += study_n_groups(c);
		if (s->n_variables == MODEL_TERMS_MAX ||
		    levels > MODEL_LEVELS_MAX)
			return ini_error(d->ini,
			    l->n > 0 ? l->items[i] : c->name, err,
			    "terms: more than %d columns, or more than %d "
			    "levels of all of them",
			    MODEL_TERMS_MAX, MODEL_LEVELS_MAX);
		s->variables[s->n_variables++] = at;
	}
	if (s->n_variables == 0)
		return ini_error(d->ini, s->columns[0].name, err,
		    "no column has use = feature, so that there is nothing to "
		    "describe");
	return 0;
}

static int
check_terms(struct draft *d, struct err *err)
{
	const struct ini_list *l = &d->model.terms;
	struct study *s = d->s;
	size_t at;

	s->terms = ini_alloc(d->ini, MODEL_TERMS_MAX, sizeof(*s->terms), err);
	s->variables =
	    ini_alloc(d->ini, s->n_columns + 1, sizeof(*s->variables), err);
	s->effects =
	    ini_alloc(d->ini, MODEL_TERMS_MAX, sizeof(*s->effects), err);
	if (s->terms == NULL || s->variables == NULL || s->effects == NULL)
		return -1;
	if (s->model.kind == STUDY_SUMMARY)
		return check_variables(d, err);
	if (s->model.kind == STUDY_RECODING) {
		s->variables[0] = 0;
		s->variables[1] = 1;
		s->n_variables = 2;
		return 0;
	}
	if (d->model.formula != NULL)
		return terms_of_formula(d, d->model.formula, err);
	for (size_t i = 0; i < l->n; i++) {
		if (draft_column(
			d, "terms", l->items[i], STUDY_FEATURE, &at, err) < 0 ||
		    expand(d, l->items[i], at, err) < 0)
			return -1;
	}
	if (study_has_curves(s))
		return 0;
	for (size_t i = 0; l->n == 0 && i < s->n_columns; i++) {
		if (s->columns[i].use == STUDY_FEATURE &&
		    i != s->model.offset && i != s->model.weights &&
		    expand(d, s->columns[i].name, i, err) < 0)
			return -1;
	}
	if (s->n_terms == 0)
		return ini_error(d->ini, s->columns[0].name, err,
		    "no column has use = feature, so that the model has no "
		    "terms");
	return 0;
}

/* A formula instead of the keys that it stands for. */
static int
take_formula(struct draft *d, struct err *err)
{
	struct draft_model *dm = &d->model;
	char *text = dm->formula_text;
	struct formula *f;

	if (text == NULL)
		return 0;
	if (study_has_curves(d->s) || d->s->model.kind == STUDY_SUMMARY)
		return ini_error(d->ini, text, err,
		    "formula: kind = km, cuminc and summary have none; use "
		    "groups");
	if (dm->terms.n > 0 || dm->outcome != NULL || dm->time != NULL ||
	    dm->event != NULL || dm->entry != NULL)
		return ini_error(d->ini, text, err,
		    "formula: stands for terms, outcome, time, entry and "
		    "event, which may not be there too");
	if ((f = ini_alloc(d->ini, 1, sizeof(*f), err)) == NULL ||
	    formula_parse(d, text, f, err) < 0)
		return -1;
	if (f->offset != NULL && dm->offset != NULL)
		return ini_error(d->ini, dm->offset, err,
		    "offset: the formula has one already");
	if (f->offset != NULL)
		dm->offset = f->offset;
	d->s->model.offset_is_log = f->offset_is_log;
	dm->time = f->time;
	dm->entry = f->entry;
	dm->event = f->event;
	dm->outcome = f->outcome;
	dm->formula = f;
	return 0;
}

int
model_check(struct draft *d, struct err *err)
{
	struct study *s = d->s;
	struct study_model *m = &s->model;

	*m = d->model.m;
	if (take_formula(d, err) < 0 || check_outcome(d, err) < 0 ||
	    cox_check(d, err) < 0 || check_row_numbers(d, err) < 0 ||
	    check_errors(d, err) < 0 || check_strata(d, err) < 0 ||
	    check_terms(d, err) < 0 || cox_vary(d, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_terms; i++) {
		const struct study_term *t = &s->terms[i];

		for (size_t k = 0; k < t->n_factors; k++)
			s->columns[t->factors[k].column].in_table = true;
	}
	for (size_t i = 0; i < s->n_variables; i++)
		s->columns[s->variables[i]].in_table = true;
	for (size_t i = 0; i < m->n_strata_columns; i++)
		s->columns[m->strata_columns[i]].in_table = true;
	if (m->offset != STUDY_NONE)
		s->columns[m->offset].in_table = true;
	if (m->weights != STUDY_NONE)
		s->columns[m->weights].in_table = true;
	if (study_has_time(s)) {
		s->columns[m->time].in_table = true;
		s->columns[m->event].in_table = true;
		if (m->entry != STUDY_NONE)
			s->columns[m->entry].in_table = true;
	} else if (m->outcome != STUDY_NONE) {
		s->columns[m->outcome].in_table = true;
	}
	if (s->privacy.pseudonym == STUDY_YES)
		s->columns[s->privacy.patient].in_table = true;
	s->table = ini_alloc(d->ini, s->n_columns, sizeof(size_t), err);
	if (s->table == NULL)
		return -1;
	for (size_t i = 0; i < s->n_columns; i++) {
		if (s->columns[i].in_table)
			s->table[s->n_table++] = i;
	}
	if (m->feasibility == STUDY_NO)
		return 0;
	if (s->n_table > MODEL_TERMS_MAX)
		return ini_error(d->ini, s->columns[0].name, err,
		    "feasibility: %zu columns, expected at most %d", s->n_table,
		    MODEL_TERMS_MAX);
	for (size_t i = 0; i < s->n_table; i++)
		if (!study_is_pseudonym(s, s->table[i]))
			s->variables[s->n_variables++] = s->table[i];
	return 0;
}

size_t
study_time_index(const struct study *s, double v)
{
	return (
	    size_t)((v - s->columns[s->model.time].lo) / s->model.time_step +
	    0.5);
}

double
study_time(const struct study *s, size_t index)
{
	return s->columns[s->model.time].lo +
	    (double)index * s->model.time_step;
}

bool
study_has_time(const struct study *s)
{
	return s->model.kind == STUDY_COX || study_has_curves(s);
}

bool
study_has_curves(const struct study *s)
{
	return s->model.kind == STUDY_KM || s->model.kind == STUDY_CUMINC;
}

size_t
study_cause(const struct study *s, double level)
{
	size_t i = (size_t)level, none = s->model.event_level;

	return i == none ? 0 : i < none ? i + 1 : i;
}

bool
study_has_cells(const struct study *s)
{
	return s->model.kind == STUDY_SUMMARY ||
	    s->model.kind == STUDY_RECODING ||
	    s->model.feasibility == STUDY_YES;
}

bool
study_may_miss(const struct study *s, size_t column)
{
	const struct study_column *c = &s->columns[column];

	if (c->diversity != STUDY_ANY || c->closeness != STUDY_FAR ||
	    s->model.kind == STUDY_RECODING)
		return false;
	for (size_t i = 0; i < s->n_variables; i++)
		if (s->variables[i] == column)
			return true;
	return false;
}

bool
study_is_event(const struct study *s, size_t column)
{
	return column != STUDY_NONE && column == study_outcome(s) &&
	    !study_has_y(s) && s->model.kind != STUDY_CUMINC;
}

bool
study_is_pseudonym(const struct study *s, size_t column)
{
	return s->privacy.pseudonym == STUDY_YES &&
	    column == s->privacy.patient;
}

bool
study_wants_secret(const struct study *s)
{
	return s->privacy.pseudonym == STUDY_YES || s->privacy.date_shift > 0;
}

bool
study_has_y(const struct study *s)
{
	return s->model.kind == STUDY_GLM &&
	    s->model.family != STUDY_QUASIBINOMIAL;
}

size_t
study_outcome(const struct study *s)
{
	return study_has_time(s) ? s->model.event : s->model.outcome;
}

double
study_table_value(const struct study *s, size_t column, double v)
{
	const struct study_model *m = &s->model;
	const struct study_column *c = &s->columns[column];

	if (v == STUDY_MISSING || study_is_pseudonym(s, column))
		return v;
	if (study_is_event(s, column))
		return v == (double)m->event_level;
	if (column == m->time || (m->entry != STUDY_NONE && column == m->entry))
		return study_time(s, study_time_index(s, v));
	return study_recoded(c, v);
}

static enum model_kind
kind_of(const struct study_model *m)
{
	static const enum model_kind families[] = {
		[STUDY_GAUSSIAN] = MODEL_GAUSSIAN,
		[STUDY_BINOMIAL] = MODEL_BINOMIAL,
		[STUDY_POISSON] = MODEL_POISSON,
		[STUDY_QUASIPOISSON] = MODEL_QUASIPOISSON,
		[STUDY_GAMMA] = MODEL_GAMMA,
		[STUDY_NEGBIN] = MODEL_NEGBIN,
		[STUDY_QUASIBINOMIAL] = MODEL_QUASIBINOMIAL,
	};

	if (m->kind == STUDY_GLM && m->link == STUDY_INVERSE_LINK)
		return MODEL_GAMMA_INVERSE;
	if (m->kind == STUDY_GLM)
		return families[m->family];
	return m->kind == STUDY_COX     ? MODEL_COX
	    : m->kind == STUDY_KM       ? MODEL_KM
	    : m->kind == STUDY_CUMINC   ? MODEL_CUMINC
	    : m->kind == STUDY_SUMMARY  ? MODEL_SUMMARY
	    : m->kind == STUDY_RECODING ? MODEL_RECODING
					: MODEL_LOGISTIC;
}

static void
set_causes(const struct study *s, struct model_spec *spec)
{
	const struct study_column *c = &s->columns[s->model.event];

	for (size_t i = 0; i < c->n_levels; i++) {
		if (i != s->model.event_level)
			snprintf(spec->causes[spec->n_causes++],
			    MODEL_NAME_SIZE, "%s", c->levels[i].label);
	}
}

/* Its groups are the plan's terms by name. */
static void
set_groups(const struct study *s, struct model_spec *spec)
{
	spec->n_terms = (uint32_t)s->n_groups;
	spec->n_strata = (uint32_t)(s->n_strata / s->n_groups);
	spec->rmst_until = s->model.rmst_until;
	spec->rho = s->model.rho;
	spec->bounds = s->model.bounds == STUDY_LOG_LOG_BOUNDS ? BOUNDS_LOG_LOG
	    : s->model.bounds == STUDY_PLAIN_BOUNDS            ? BOUNDS_PLAIN
							       : BOUNDS_LOG;
	spec->band = s->model.band == STUDY_HALL_WELLNER ? BAND_HALL_WELLNER
	    : s->model.band == STUDY_EQUAL_PRECISION     ? BAND_EQUAL_PRECISION
							 : BAND_NO;
	if (s->model.kind == STUDY_CUMINC)
		set_causes(s, spec);
	for (size_t i = 0; i < s->n_groups; i++)
		snprintf(
		    spec->terms[i].name, MODEL_NAME_SIZE, "%s", s->groups[i]);
}

/* A column of the codebook as a variable of the plan. */
static void
set_variable(const struct study_column *c, struct model_spec *spec)
{
	struct model_variable *v = &spec->variables[spec->n_variables++];
	const struct study_recode *r = study_recode(c);

	snprintf(v->name, sizeof(v->name), "%s", c->name);
	if (c->type == STUDY_LEVELS) {
		v->first_level = spec->n_levels;
		v->n_levels = (uint32_t)study_n_groups(c);
		for (size_t g = 0; g < v->n_levels; g++)
			snprintf(spec->levels[spec->n_levels++],
			    MODEL_NAME_SIZE, "%s", study_label(c, g));
		return;
	}
	v->min = r != NULL ? r->numbers[0] : c->lo;
	v->max = r != NULL ? r->numbers[r->n_groups - 1] : c->hi;
	v->whole = r == NULL && c->type != STUDY_REAL;
}

static void
set_variables(const struct study *s, struct model_spec *spec)
{
	for (size_t i = 0; i < s->n_variables; i++)
		set_variable(&s->columns[s->variables[i]], spec);
	spec->risk_set_step = (uint32_t)s->privacy.smallest_cell;
	spec->dominance = (uint32_t)s->privacy.dominance;
	spec->summary_bins = (uint32_t)s->model.summary_bins;
}

static void
set_items(const struct study *s, struct model_spec *spec)
{
	spec->n_items = (uint32_t)s->columns[0].hi + 1;
	spec->risk_set_step = (uint32_t)s->privacy.smallest_cell;
	spec->n_terms = 1;
	snprintf(spec->terms[0].name, MODEL_NAME_SIZE, "counts");
}

/* The terms stay, as those that the model would have. */
static void
only_count(const struct study *s, struct model_spec *spec)
{
	spec->has_y = study_has_y(s);
	spec->kind = MODEL_FEASIBILITY;
	spec->strata = STRATA_NONE;
	spec->n_strata = 1;
	spec->n_times = 0;
	spec->has_offset = spec->has_weights = spec->has_entry = false;
	spec->robust = ROBUST_NO;
	spec->ph_test = spec->baseline = false;
	spec->ridge = 0;
	spec->risk_set_step = (uint32_t)s->privacy.smallest_cell;
	for (size_t i = 0; i < s->n_variables; i++)
		snprintf(spec->variables[spec->n_variables++].name,
		    MODEL_NAME_SIZE, "%s", s->columns[s->variables[i]].name);
}

int
study_model_spec(const struct study *s, size_t n_sites, struct model_spec *spec,
    struct err *err)
{
	const struct study_model *m = &s->model;

	if (n_sites < 2 || n_sites > MODEL_SITES_MAX ||
	    (s->sites.n != 0 && s->sites.n != n_sites))
		return err_set(err, ERR_CONFIG,
		    "study %s: %zu sites, expected %zu to %zu", s->name,
		    n_sites, s->sites.n != 0 ? s->sites.n : 2,
		    s->sites.n != 0 ? s->sites.n : (size_t)MODEL_SITES_MAX);
	*spec = (struct model_spec){
		.kind = kind_of(m),
		.ties = m->ties == STUDY_EFRON ? TIES_EFRON : TIES_BRESLOW,
		.strata = m->strata == STUDY_STRATA_SITE ? STRATA_SITE
		    : m->strata == STUDY_STRATA_COLUMNS  ? STRATA_COLUMN
							 : STRATA_NONE,
		.n_strata = s->n_strata != 0 ? (uint32_t)s->n_strata : 1,
		.n_terms = (uint32_t)s->n_terms,
		.n_times = (uint32_t)m->n_times,
		.risk_set_step = (uint32_t)s->privacy.smallest_risk_set_step,
		.events_per_term = (uint32_t)s->privacy.events_per_term,
		.n_sites = (uint32_t)n_sites,
		.rows_per_site = (uint32_t)s->privacy.rows_per_site,
		.max_iterations = (uint32_t)s->rounds.max_iterations,
		.tolerance = s->rounds.tolerance,
		.concordance_bins = (uint32_t)m->concordance_bins,
	};
	if (s->learning.rounds != 0)
		spec->learning = (struct model_learning){
			.rounds = (uint32_t)s->learning.rounds,
			.retries = (uint32_t)s->learning.retries,
			.step = s->learning.step,
			.momentum = s->learning.momentum,
			.clip = s->learning.clip,
			.epsilon = s->learning.epsilon,
			.delta = s->learning.delta,
			.bits = study_bits(s),
		};
	if (s->n_groups != 0)
		set_groups(s, spec);
	if (m->kind == STUDY_SUMMARY)
		set_variables(s, spec);
	if (m->kind == STUDY_RECODING)
		set_items(s, spec);
	if (study_has_time(s)) {
		spec->time_min = s->columns[m->time].lo;
		spec->time_step = m->time_step;
	}
	spec->theta = m->theta;
	spec->robust = m->robust == STUDY_ROBUST_SITE ? ROBUST_SITE
	    : m->robust == STUDY_ROBUST_PATIENT       ? ROBUST_PATIENT
						      : ROBUST_NO;
	spec->ph_test = m->ph_test == STUDY_YES;
	spec->baseline = m->baseline == STUDY_YES;
	spec->ridge = m->ridge;
	spec->has_entry = m->entry != STUDY_NONE || m->n_cuts > 0;
	if (m->n_cuts > 0) /* rows are split there (study/split.c) */
		spec->rows_per_site *= (uint32_t)m->n_cuts + 1;
	if (m->n_cuts > 0 && m->entry == STUDY_NONE) {
		/* A point before the first time, at which all enter. */
		spec->time_min -= spec->time_step;
		spec->n_times++;
	}
	spec->has_offset = m->offset != STUDY_NONE;
	if (spec->has_offset)
		spec->offset_max = largest_offset(s);
	spec->has_weights = m->weights != STUDY_NONE;
	if (spec->has_weights)
		spec->weight_max = largest_of(&s->columns[m->weights]);
	if (study_has_y(s)) {
		spec->y_min = s->columns[m->outcome].lo;
		spec->y_max = s->columns[m->outcome].hi;
	}
	spec->n_effects = (uint32_t)s->n_effects;
	for (size_t i = 0; i < s->n_effects; i++)
		snprintf(
		    spec->effects[i], MODEL_NAME_SIZE, "%s", s->effects[i]);
	for (size_t i = 0; i < s->n_terms; i++) {
		snprintf(spec->terms[i].name, MODEL_NAME_SIZE, "%s",
		    s->terms[i].name);
		spec->terms[i].min = s->terms[i].min;
		spec->terms[i].max = s->terms[i].max;
		spec->terms[i].effect = (uint32_t)s->terms[i].effect;
	}
	if (m->feasibility == STUDY_YES)
		only_count(s, spec);
	return 0;
}

#include "model/spec.h"

#include <float.h>
#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/kind.h"
#include "model/step/learn.h"

const char *
model_kind_name(enum model_kind kind)
{
	return kind < MODEL_KINDS ? plan_kind_of(kind)->name : "unknown";
}

bool
model_kind_has_y(enum model_kind kind)
{
	return plan_kind_of(kind)->has_y;
}

static bool
within(double x, double min, double max)
{
	return x >= min && x <= max; /* false for NaN */
}

static int
check_terms(const struct model_spec *s, struct err *err)
{
	if (s->n_terms < 1 || s->n_terms > MODEL_TERMS_MAX)
		return err_set(err, ERR_CONFIG,
		    "the model has %u terms, expected 1 to %d", s->n_terms,
		    MODEL_TERMS_MAX);
	for (uint32_t i = 0; i < s->n_terms; i++) {
		const struct model_term *t = &s->terms[i];

		if (memchr(t->name, '\0', sizeof(t->name)) == NULL ||
		    t->name[0] == '\0')
			return err_set(err, ERR_CONFIG,
			    "term %u has no name of 1 to %d bytes", i + 1,
			    MODEL_NAME_SIZE - 1);
		if (!within(t->min, -1e30, 1e30) ||
		    !within(t->max, -1e30, 1e30) || t->min > t->max)
			return err_set(err, ERR_CONFIG,
			    "term %s: its range is not two numbers in order "
			    "within +-1e30",
			    t->name);
	}
	return 0;
}

static int
check_times(const struct model_spec *s, struct err *err)
{
	bool one = s->strata != STRATA_COLUMN;

	if (s->n_times < 1 || s->n_times > MODEL_TIMES_MAX)
		return err_set(err, ERR_CONFIG,
		    "%u possible times, expected 1 to %u (a wider step of the "
		    "time column makes fewer)",
		    s->n_times, MODEL_TIMES_MAX);
	if (!within(s->time_min, -1e15, 1e15) ||
	    !within(s->time_step, 1e-9, 1e15))
		return err_set(
		    err, ERR_CONFIG, "the time's start and step are not sane");
	if (s->ties > TIES_BRESLOW || s->strata > STRATA_SITE)
		return err_set(err, ERR_CONFIG, "unknown ties or strata");
	if (s->n_strata < 1 || s->n_strata > MODEL_STRATA_MAX ||
	    (one && s->n_strata != 1))
		return err_set(err, ERR_CONFIG, "%u strata, expected 1%s",
		    s->n_strata, one ? "" : " to 1024");
	if ((uint64_t)s->n_strata * s->n_times > 4u * MODEL_TIMES_MAX)
		return err_set(err, ERR_CONFIG,
		    "%u strata with %u possible times each are too many (the "
		    "product may be %u)",
		    s->n_strata, s->n_times, 4u * MODEL_TIMES_MAX);
	return 0;
}

static int
check_outcome(const struct model_spec *s, struct err *err)
{
	if (!within(s->y_min, -1e30, 1e30) || !within(s->y_max, -1e30, 1e30) ||
	    s->y_min > s->y_max)
		return err_set(err, ERR_CONFIG,
		    "the outcome's range is not two numbers in order within "
		    "+-1e30");
	return 0;
}

/* Of a linear predictor with a log link or the like: see ETA_CAP. */
#define OFFSET_MAX 20.0

static int
check_rows(const struct model_spec *s, struct err *err)
{
	const struct plan_kind *kind = plan_kind_of(s->kind);
	double most = kind->scales_y ? 1e30 : OFFSET_MAX;

	if (s->has_offset &&
	    (kind->has_groups || !within(s->offset_max, 0.0, most)))
		return err_set(err, ERR_CONFIG,
		    "the offset: a %s model has %s%.0g", kind->name,
		    kind->has_groups ? "none beyond +-" : "one within +-",
		    kind->has_groups ? 0.0 : most);
	if (s->has_entry && s->kind != MODEL_COX)
		return err_set(
		    err, ERR_CONFIG, "a %s model has no entry", kind->name);
	if (s->has_weights && !kind->has_weights)
		return err_set(
		    err, ERR_CONFIG, "a %s model has no weights", kind->name);
	if (s->has_weights && !within(s->weight_max, 1e-9, 1e9))
		return err_set(err, ERR_CONFIG,
		    "the weights: expected a largest one of 1e-9 to 1e9");
	return 0;
}

static int
check_errors(const struct model_spec *s, struct err *err)
{
	const struct plan_kind *kind = plan_kind_of(s->kind);

	if (s->robust > ROBUST_SITE ||
	    (s->robust != ROBUST_NO && kind->meat == NULL))
		return err_set(err, ERR_CONFIG,
		    "a %s model has no robust standard errors", kind->name);
	if (s->robust == ROBUST_SITE && s->n_sites < MODEL_CLUSTERS_MIN)
		return err_set(err, ERR_CONFIG,
		    "robust = site: %u sites, expected at least %u", s->n_sites,
		    MODEL_CLUSTERS_MIN);
	if (!within(s->ridge, 0.0, 1e12))
		return err_set(err, ERR_CONFIG, "ridge: expected 0 to 1e12");
	if (s->ridge != 0.0 && (!kind->has_ridge || s->robust != ROBUST_NO))
		return err_set(err, ERR_CONFIG,
		    "ridge: not for a %s model, nor with robust errors",
		    kind->name);
	return 0;
}

static int
check_learning(const struct model_spec *s, struct err *err)
{
	const struct model_learning *m = &s->learning;
	struct learn setup;

	if (s->kind != MODEL_LOGISTIC && s->kind != MODEL_GAUSSIAN)
		return err_set(err, ERR_CONFIG,
		    "learning: expected a logistic or gaussian model");
	if (s->has_weights || s->has_offset || s->ridge != 0.0 ||
	    s->robust != ROBUST_NO)
		return err_set(err, ERR_CONFIG,
		    "learning: there are neither weights nor an offset, a "
		    "ridge or robust errors");
	if (m->rounds > 10000 || m->retries > 10000 ||
	    !within(m->step, 1e-6, 1e6) || !within(m->momentum, 0.0, 0.999) ||
	    !within(m->clip, 1e-6, 1e6) || !within(m->epsilon, 1e-3, 1e6) ||
	    !within(m->delta, 1e-15, 0.1) || (m->bits != 32 && m->bits != 64))
		return err_set(
		    err, ERR_CONFIG, "learning: a number beyond its bounds");
	return learn_setup(s, &setup, err);
}

int
model_spec_check(const struct model_spec *s, struct err *err)
{
	const struct {
		const char *name;
		uint32_t v, min, max;
	} bounds[] = {
		{ "number of sites", s->n_sites, 1, MODEL_SITES_MAX },
		{ "rows per site", s->rows_per_site, 1, MODEL_ROWS_MAX },
		{ "smallest risk-set step", s->risk_set_step, 1, 1000000 },
		{ "events per term", s->events_per_term, 0, 1000 },
		{ "iterations", s->max_iterations, 1, 1000 },
		{ "concordance bins", s->concordance_bins, 16, MODEL_BINS_MAX },
	};
	const struct plan_kind *kind;

	if (s->kind >= MODEL_KINDS)
		return err_set(err, ERR_CONFIG, "unknown kind of model");
	kind = plan_kind_of(s->kind);
	if (check_terms(s, err) == -1)
		return -1;
	if (kind->has_time && check_times(s, err) == -1)
		return -1;
	if (kind->has_y && check_outcome(s, err) == -1)
		return -1;
	if (check_rows(s, err) == -1 || check_errors(s, err) == -1)
		return -1;
	if (kind->check != NULL && kind->check(s, err) == -1)
		return -1;
	if (!kind->has_time &&
	    (s->n_times != 0 || s->n_strata != 1 || s->strata != STRATA_NONE))
		return err_set(err, ERR_CONFIG,
		    "a %s model has neither times nor strata", kind->name);
	for (size_t i = 0; i < nitems(bounds); i++) {
		if (bounds[i].v < bounds[i].min || bounds[i].v > bounds[i].max)
			return err_set(err, ERR_CONFIG,
			    "%s: %u, expected %u to %u", bounds[i].name,
			    bounds[i].v, bounds[i].min, bounds[i].max);
	}
	if (!within(s->tolerance, 1e-11, 1e-2))
		return err_set(
		    err, ERR_CONFIG, "tolerance: expected 1e-11 to 1e-2");
	return s->learning.rounds == 0 ? 0 : check_learning(s, err);
}

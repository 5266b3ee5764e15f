/* Terms: numbers of a row that get a coefficient, from effects of columns. */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/spec.h"
#include "study/draft.h"
#include "study/formula.h"
#include "study/study.h"

static double
cubed(double x)
{
	return x > 0.0 ? x * x * x : 0.0;
}

/*
 * Harrell, Regression Modeling Strategies (2015), equation 2.25: linear beyond
 * the outer knots, scaled by the square of their distance.  It is 0 up to
 * knot i and never decreases.
 */
double
study_spline(const double *t, size_t n, size_t i, double x)
{
	double last = t[n - 1], before = t[n - 2], width = last - t[0];
	double v = cubed(x - t[i]) -
	    cubed(x - before) * (last - t[i]) / (last - before) +
	    cubed(x - last) * (before - t[i]) / (last - before);

	return v / (width * width);
}

double
study_power(double x, size_t power)
{
	double v = 1.0;

	for (size_t i = 0; i < power; i++)
		v *= x;
	return v;
}

/*
 * Bounds that must be the same on every machine, and may be wider than they
 * need be: of log(x), from the power of two that is next.
 */
static double
log_bound(double x, bool upper)
{
	int e = 0;

	for (; x > 1.0; e++)
		x *= 0.5;
	for (; x <= 0.5; e--)
		x *= 2.0;
	return 0.6931472 * (upper ? e : e - 1);
}

void
study_log_bounds(double lo, double hi, double *min, double *max)
{
	*min = log_bound(lo, false);
	*max = log_bound(hi, true);
}

/* The range of a number after recoding. */
void
study_bounds(const struct study_column *c, double *lo, double *hi)
{
	const struct study_recode *r = c->local ? NULL : study_recode(c);

	*lo = r != NULL ? r->numbers[0] : c->lo;
	*hi = r != NULL ? r->numbers[r->n_groups - 1] : c->hi;
}

static void
factor_bounds(const struct study *s, const struct study_factor *f, double *min,
    double *max)
{
	double lo, hi, a, b;

	*min = 0.0;
	*max = 1.0;
	if (f->fn == STUDY_LEVEL)
		return;
	study_bounds(&s->columns[f->column], &lo, &hi);
	*min = lo;
	*max = hi;
	switch (f->fn) {
	case STUDY_LOG:
		study_log_bounds(lo, hi, min, max);
		break;
	case STUDY_POWER:
		a = study_power(lo, f->power);
		b = study_power(hi, f->power);
		*min =
		    f->power % 2 == 0 && lo < 0.0 && hi > 0.0 ? 0.0 : MIN(a, b);
		*max = MAX(a, b);
		break;
	case STUDY_SPLINE:
		*min = study_spline(f->knots, f->n_knots, f->spline, lo);
		*max = study_spline(f->knots, f->n_knots, f->spline, hi);
		break;
	default:
		break;
	}
}

/* Of a product, from those of its factors; a little wider, for rounding. */
void
study_term_bounds(const struct study *s, struct study_term *t)
{
	double slack;

	factor_bounds(s, &t->factors[0], &t->min, &t->max);
	for (size_t i = 1; i < t->n_factors; i++) {
		double lo, hi, v[4];

		factor_bounds(s, &t->factors[i], &lo, &hi);
		v[0] = t->min * lo;
		v[1] = t->min * hi;
		v[2] = t->max * lo;
		v[3] = t->max * hi;
		t->min = MIN(MIN(v[0], v[1]), MIN(v[2], v[3]));
		t->max = MAX(MAX(v[0], v[1]), MAX(v[2], v[3]));
	}
	if (t->piece > 0) {
		t->min = MIN(t->min, 0.0);
		t->max = MAX(t->max, 0.0);
	}
	if (t->n_factors == 1 && t->factors[0].fn <= STUDY_LEVEL)
		return; /* the codebook's own */
	slack = 1e-9 * MAX(MAX(t->max, -t->min), 1e-9);
	t->min -= slack;
	t->max += slack;
}

int
draft_term(
    struct draft *d, const char *at, struct study_term t, struct err *err)
{
	struct study *s = d->s;

	if (t.name == NULL)
		return -1;
	if (strlen(t.name) >= MODEL_NAME_SIZE)
		return ini_error(d->ini, at, err,
		    "term \"%.80s\" has a name of %zu bytes, expected at most "
		    "%d",
		    t.name, strlen(t.name), MODEL_NAME_SIZE - 1);
	if (s->n_terms == MODEL_TERMS_MAX)
		return ini_error(
		    d->ini, at, err, "more than %d terms", MODEL_TERMS_MAX);
	for (size_t i = 0; i < s->n_terms; i++) {
		if (strcmp(s->terms[i].name, t.name) == 0)
			return ini_error(d->ini, at, err,
			    "two terms would be called \"%s\"", t.name);
	}
	study_term_bounds(s, &t);
	s->terms[s->n_terms++] = t;
	return 0;
}

/* How many factors an atom can be: levels but the reference, parts of a spline,
   or one. */
static size_t
atom_size(const struct study *s, const struct formula_atom *a)
{
	const struct study_column *c = &s->columns[a->column];

	if (a->fn == STUDY_LEVEL)
		return study_n_groups(c) - 1;
	return a->fn == STUDY_SPLINE ? a->n_knots - 1 : 1;
}

/* Number i of these. */
static struct study_factor
atom_factor(const struct study *s, const struct formula_atom *a, size_t i)
{
	struct study_factor f = { .fn = a->fn,
		.column = a->column,
		.power = a->power,
		.knots = a->knots,
		.n_knots = a->n_knots };

	if (a->fn == STUDY_LEVEL)
		f.level = i + (i >= study_reference(&s->columns[a->column]));
	if (a->fn == STUDY_SPLINE) {
		f.fn = i == 0 ? STUDY_VALUE : STUDY_SPLINE;
		f.spline = i == 0 ? 0 : i - 1;
	}
	return f;
}

/* As R calls it; levels of a list of terms have "=" before them. */
static char *
factor_name(struct draft *d, const struct study_factor *f, bool formula,
    struct err *err)
{
	const struct study_column *c = &d->s->columns[f->column];
	const struct study_recode *r = study_recode(c);

	switch (f->fn) {
	case STUDY_LEVEL:
		return draft_printf(d, err, "%s%s%s", c->name,
		    formula ? "" : "=",
		    r != NULL ? r->labels[f->level]
			      : c->levels[f->level].value);
	case STUDY_LOG:
		return draft_printf(d, err, "log(%s)", c->name);
	case STUDY_POWER:
		return draft_printf(d, err, "I(%s^%zu)", c->name, f->power);
	case STUDY_SPLINE:
		return draft_printf(
		    d, err, "%s%.*s", c->name, (int)f->spline + 1, "'''''''''");
	default:
		return draft_printf(d, err, "%s", c->name);
	}
}

_Static_assert(STUDY_KNOTS_MAX - 2 <= 9, "more quotes");

static char *
atom_name(struct draft *d, const struct formula_atom *a, struct err *err)
{
	const char *column = d->s->columns[a->column].name;

	switch (a->fn) {
	case STUDY_LOG:
		return draft_printf(d, err, "log(%s)", column);
	case STUDY_POWER:
		return draft_printf(d, err, "I(%s^%zu)", column, a->power);
	case STUDY_SPLINE:
		return draft_printf(d, err, "rcs(%s, %zu)", column, a->n_knots);
	default:
		return draft_printf(d, err, "%s", column);
	}
}

static char *
joined(struct draft *d, char *a, char *b, struct err *err)
{
	if (a == NULL || b == NULL)
		return NULL;
	return draft_printf(d, err, "%s:%s", a, b);
}

int
term_expand(struct draft *d, const struct formula_effect *e, bool formula,
    struct err *err)
{
	struct study *s = d->s;
	char *effect = NULL;
	size_t n = 1;

	for (size_t i = 0; i < e->n_atoms; i++) {
		char *more = atom_name(d, &e->atoms[i], err);

		effect = i == 0 ? more : joined(d, effect, more, err);
		n *= atom_size(s, &e->atoms[i]);
		if (n > MODEL_TERMS_MAX)
			return ini_error(d->ini, e->atoms[0].at, err,
			    "more than %d terms", MODEL_TERMS_MAX);
	}
	if (effect == NULL)
		return -1;
	if (strlen(effect) >= MODEL_NAME_SIZE)
		return ini_error(d->ini, e->atoms[0].at, err,
		    "\"%.80s\" is longer than %d bytes", effect,
		    MODEL_NAME_SIZE - 1);
	for (size_t k = 0; k < n; k++) {
		struct study_term t = { .effect = s->n_effects,
			.n_factors = e->n_atoms };
		size_t rest = k;

		t.factors =
		    ini_alloc(d->ini, e->n_atoms, sizeof(*t.factors), err);
		if (t.factors == NULL)
			return -1;
		/* The first one changes fastest, as in R. */
		for (size_t i = 0; i < e->n_atoms; i++) {
			size_t size = atom_size(s, &e->atoms[i]);
			char *more;

			t.factors[i] =
			    atom_factor(s, &e->atoms[i], rest % size);
			rest /= size;
			more = factor_name(d, &t.factors[i], formula, err);
			t.name = i == 0 ? more : joined(d, t.name, more, err);
		}
		if (draft_term(d, e->atoms[0].at, t, err) < 0)
			return -1;
	}
	if (n > 0)
		s->effects[s->n_effects++] = effect;
	return 0;
}

/* What an atom's column must be like. */
static int
check_atom(struct draft *d, struct formula_atom *a, struct err *err)
{
	struct study_column *c;
	double lo, hi;

	a->column = study_find(d->s, a->name);
	if (a->column == STUDY_NONE)
		return ini_error(d->ini, a->at, err,
		    "formula: there is no [column %.60s]", a->name);
	c = &d->s->columns[a->column];
	if (c->use != STUDY_FEATURE)
		return ini_error(d->ini, a->at, err,
		    "formula: column \"%.60s\" must have use = feature",
		    a->name);
	if (c->type == STUDY_LEVELS && a->fn == STUDY_VALUE)
		a->fn = STUDY_LEVEL;
	if (a->fn <= STUDY_LEVEL)
		return 0;
	if (c->type == STUDY_LEVELS)
		return ini_error(d->ini, a->at, err,
		    "formula: column \"%.60s\" has levels, expected a number",
		    a->name);
	study_bounds(c, &lo, &hi);
	if (a->fn == STUDY_LOG && !(lo >= 1e-100))
		return ini_error(d->ini, a->at, err,
		    "formula: the range of \"%.60s\" is not above 0, as a "
		    "logarithm needs it",
		    a->name);
	if (a->fn != STUDY_SPLINE || a->knots != NULL)
		return 0;
	if (c->n_knots != a->n_knots)
		return ini_error(d->ini, a->at, err,
		    "formula: column \"%.60s\" has %zu knots, expected %zu "
		    "(knots = ... in its section; they are the same at all "
		    "sites)",
		    a->name, c->n_knots, a->n_knots);
	a->knots = c->knots;
	return 0;
}

static bool
has_effect(const struct formula *f, const struct formula_effect *e, size_t but)
{
	for (size_t i = 0; i < f->n_effects; i++) {
		const struct formula_effect *g = &f->effects[i];
		size_t found = 0;

		for (size_t j = 0; j < e->n_atoms; j++) {
			for (size_t k = 0; j != but && k < g->n_atoms; k++)
				found +=
				    e->atoms[j].column == g->atoms[k].column &&
				    e->atoms[j].fn == g->atoms[k].fn &&
				    e->atoms[j].power == g->atoms[k].power;
		}
		if (found == e->n_atoms - 1 && g->n_atoms == found)
			return true;
	}
	return false;
}

/*
 * Where the product without a column of levels is not in the model R would
 * give the product a term for the reference too, and nobody would expect it.
 */
static int
check_margins(struct draft *d, const struct formula *f,
    const struct formula_effect *e, struct err *err)
{
	for (size_t i = 0; i < e->n_atoms && e->n_atoms > 1; i++) {
		if (e->atoms[i].fn == STUDY_LEVEL && !has_effect(f, e, i))
			return ini_error(d->ini, e->atoms[0].at, err,
			    "formula: a product with \"%.60s\" needs the "
			    "product without it in the model; write * instead "
			    "of :",
			    e->atoms[i].name);
	}
	return 0;
}

int
terms_of_formula(struct draft *d, struct formula *f, struct err *err)
{
	for (size_t i = 0; i < f->n_effects; i++) {
		for (size_t j = 0; j < f->effects[i].n_atoms; j++) {
			if (check_atom(d, &f->effects[i].atoms[j], err) < 0)
				return -1;
		}
	}
	for (size_t i = 0; i < f->n_effects; i++) {
		if (check_margins(d, f, &f->effects[i], err) < 0 ||
		    term_expand(d, &f->effects[i], true, err) < 0)
			return -1;
	}
	return 0;
}

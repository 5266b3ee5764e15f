/* What is asked of a Cox model beside its coefficients. */
#include <string.h>

#include "common/err.h"
#include "model/spec.h"
#include "study/draft.h"
#include "study/study.h"

/* A key that is an enumeration has no place of its own in the file. */
static int
refuse(struct draft *d, struct err *err, const char *why)
{
	return ini_error(d->ini, d->s->columns[0].name, err, "%s", why);
}

/*
 * The rows are there from the entry on, a point of the grid of times; patients
 * who have several rows are told apart by the pseudonym in the table.
 */
static int
check_entry(struct draft *d, struct err *err)
{
	struct study_model *m = &d->s->model;
	const char *name = d->model.entry;
	const struct study_column *c, *time;

	if (name == NULL)
		return 0;
	if (m->kind != STUDY_COX)
		return ini_error(
		    d->ini, name, err, "entry: only kind = cox has it");
	if (draft_column(d, "entry", name, STUDY_OUTCOME, &m->entry, err) < 0)
		return -1;
	c = &d->s->columns[m->entry];
	time = &d->s->columns[m->time];
	if (c->type == STUDY_LEVELS || m->entry == m->time)
		return ini_error(d->ini, name, err,
		    "entry: column \"%s\" must be a number or an interval, and "
		    "not the time",
		    c->name);
	if (c->lo < time->lo || c->hi > time->hi)
		return ini_error(d->ini, name, err,
		    "entry: the range of \"%s\" is not within that of \"%s\"",
		    c->name, time->name);
	return 0;
}

static int
check_cuts(struct draft *d, struct err *err)
{
	struct study_model *m = &d->s->model;
	const struct study_column *time;
	const struct ini_list *l = &d->model.cuts;

	if ((l->n == 0) != (d->model.varying.n == 0))
		return ini_error(d->ini,
		    l->n > 0 ? l->items[0] : d->model.varying.items[0], err,
		    "time-varying and time-cuts: neither goes without the "
		    "other");
	if (l->n == 0)
		return 0;
	if (m->kind != STUDY_COX)
		return ini_error(d->ini, l->items[0], err,
		    "time-cuts: only kind = cox has them");
	m->cuts = ini_alloc(d->ini, l->n, sizeof(*m->cuts), err);
	if (m->cuts == NULL)
		return -1;
	time = &d->s->columns[m->time];
	for (size_t i = 0; i < l->n; i++) {
		double v;

		if (ini_number(l->items[i], &v) < 0 || v <= time->lo ||
		    v >= time->hi)
			return ini_error(d->ini, l->items[i], err,
			    "time-cuts: expected numbers within the range of "
			    "\"%s\"",
			    time->name);
		m->cuts[i] = study_time(d->s, study_time_index(d->s, v));
		if (i > 0 && m->cuts[i] <= m->cuts[i - 1])
			return ini_error(d->ini, l->items[i], err,
			    "time-cuts: expected each larger than the one "
			    "before, on the grid of times");
		m->n_cuts++;
	}
	if (m->baseline == STUDY_YES)
		return ini_error(d->ini, l->items[0], err,
		    "time-cuts: not with baseline = yes, for no patient has "
		    "the mean of terms that vary with time");
	if (d->s->privacy.rows_per_site * (m->n_cuts + 1) > MODEL_ROWS_MAX)
		return ini_error(d->ini, l->items[0], err,
		    "time-cuts: rows-per-site times %zu is more than %u",
		    m->n_cuts + 1, MODEL_ROWS_MAX);
	return 0;
}

/* "treat:365-730", "treat:730+" */
static char *
piece_name(
    struct draft *d, const struct study_term *t, size_t piece, struct err *err)
{
	const struct study_model *m = &d->s->model;

	if (piece == m->n_cuts)
		return draft_printf(
		    d, err, "%s:%g+", t->name, m->cuts[piece - 1]);
	return draft_printf(
	    d, err, "%s:%g-%g", t->name, m->cuts[piece - 1], m->cuts[piece]);
}

/*
 * Beside a column's terms, which stay what they are until the first cut, what
 * they differ by after each cut: one effect, whose test is that of a change.
 */
static int
vary(struct draft *d, const char *name, struct err *err)
{
	struct study *s = d->s;
	size_t effect = 0, n_terms = s->n_terms;

	while (effect < s->n_effects && strcmp(s->effects[effect], name) != 0)
		effect++;
	if (effect == s->n_effects)
		return ini_error(d->ini, name, err,
		    "time-varying: \"%.60s\" is no effect of the model", name);
	for (size_t piece = 1; piece <= s->model.n_cuts; piece++) {
		for (size_t i = 0; i < n_terms; i++) {
			struct study_term t = s->terms[i];

			if (t.effect != effect)
				continue;
			t.name = piece_name(d, &s->terms[i], piece, err);
			t.piece = piece;
			t.effect = s->n_effects;
			if (draft_term(d, name, t, err) < 0)
				return -1;
		}
	}
	s->effects[s->n_effects] = draft_printf(d, err, "%s:time", name);
	return s->effects[s->n_effects++] == NULL ? -1 : 0;
}

int
cox_vary(struct draft *d, struct err *err)
{
	const struct ini_list *l = &d->model.varying;

	for (size_t i = 0; i < l->n; i++) {
		if (vary(d, l->items[i], err) < 0)
			return -1;
	}
	return 0;
}

bool
study_is_observed(const struct study *s, double entry, double time)
{
	return study_time_index(s, entry) < study_time_index(s, time);
}

bool
study_links_rows(const struct study *s)
{
	return s->privacy.patient != STUDY_NONE &&
	    (s->model.entry != STUDY_NONE || s->model.n_cuts > 0 ||
		s->model.robust == STUDY_ROBUST_PATIENT);
}

int
cox_check(struct draft *d, struct err *err)
{
	const struct study_model *m = &d->s->model;
	const struct ini_list *strata = &d->model.strata;
	bool by_site = strata->n == 1 && strcmp(strata->items[0], "site") == 0;

	if (check_entry(d, err) < 0 || check_cuts(d, err) < 0)
		return -1;
	if (m->kind != STUDY_COX) {
		if (m->ph_test != STUDY_NO || m->baseline != STUDY_NO)
			return refuse(d, err,
			    "ph-test, baseline: only kind = cox has them");
		return 0;
	}
	if (m->baseline == STUDY_YES && by_site)
		return refuse(d, err,
		    "baseline: not with strata = site, for it would be each "
		    "site's own");
	return 0;
}

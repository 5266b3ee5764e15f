/* What is asked of a Cox model beside its coefficients. */
#include <string.h>

#include "common/err.h"
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

bool
study_is_observed(const struct study *s, double entry, double time)
{
	return study_time_index(s, entry) < study_time_index(s, time);
}

bool
study_links_rows(const struct study *s)
{
	return s->privacy.patient != STUDY_NONE &&
	    (s->model.entry != STUDY_NONE ||
		s->model.robust == STUDY_ROBUST_PATIENT);
}

int
cox_check(struct draft *d, struct err *err)
{
	const struct study_model *m = &d->s->model;
	const struct ini_list *strata = &d->model.strata;
	bool by_site = strata->n == 1 && strcmp(strata->items[0], "site") == 0;

	if (check_entry(d, err) < 0)
		return -1;
	if (m->kind != STUDY_COX) {
		if (m->ph_test != STUDY_NO || m->baseline != STUDY_NO)
			return refuse(d, err,
			    "ph-test, baseline: only kind = cox has them");
		return 0;
	}
	if (study_links_rows(d->s) && d->s->privacy.pseudonym != STUDY_YES)
		return ini_error(d->ini, d->s->privacy.patient_name, err,
		    "patient: entry and robust = patient need pseudonym = yes, "
		    "so that the table tells which rows are one patient's");
	if (m->entry != STUDY_NONE && by_site)
		return ini_error(d->ini, d->model.entry, err,
		    "entry: not with strata = site");
	if (m->baseline == STUDY_YES && by_site)
		return refuse(d, err,
		    "baseline: not with strata = site, for it would be each "
		    "site's own");
	return 0;
}

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

int
cox_check(struct draft *d, struct err *err)
{
	const struct study_model *m = &d->s->model;
	const struct ini_list *strata = &d->model.strata;
	bool by_site = strata->n == 1 && strcmp(strata->items[0], "site") == 0;

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

/*
 * Before a study: a small one that counts who could take part.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "ctl/ctl.h"
#include "ctl/study_edit.h"
#include "study/study.h"

#define SUFFIX "-feasibility"

int
ctl_study_feasibility(const struct ctl_args *a, struct err *err)
{
	struct study *s = study_load(a->operand, err);
	char name[STUDY_NAME_MAX + 1];
	const struct study_change changes[] = {
		{ "study", NULL, "name", name },
		{ "model", NULL, "feasibility", "yes" },
	};
	int r = -1;

	if (s == NULL)
		return -1;
	if (study_has_cells(s))
		err_set(err, ERR_CONFIG,
		    "%s: it only counts already, expected a study with a model",
		    a->operand);
	else if (study_edit_name(
		     s, a->operand, a->opt[CTL_NAME], SUFFIX, name, err) == 0)
		r = study_edit_file(
		    a->operand, changes, nitems(changes), a->opt[CTL_OUT], err);
	if (r == 0)
		printf("%s: study %s counts who could take part in %s; sign "
		       "and approve it as any other\n",
		    a->opt[CTL_OUT], name, s->name);
	study_free(s);
	return r;
}

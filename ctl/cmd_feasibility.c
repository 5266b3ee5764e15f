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
#define TITLE "Who could take part in: "
#define TITLE_MAX 2000 /* bytes, as of any study */

/* Told from the study's own on a page; one that would be too long stays. */
static void
make_title(const struct study *s, char title[TITLE_MAX + 1])
{
	if (snprintf(title, TITLE_MAX + 1, TITLE "%s", s->title) > TITLE_MAX)
		snprintf(title, TITLE_MAX + 1, "%s", s->title);
	for (char *p = title; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
}

int
ctl_study_feasibility(const struct ctl_args *a, struct err *err)
{
	struct study *s = study_load(a->operand, err);
	char name[STUDY_NAME_MAX + 1], title[TITLE_MAX + 1];
	const struct study_change changes[] = {
		{ "study", NULL, "name", name },
		{ "study", NULL, "title", title },
		{ "model", NULL, "feasibility", "yes" },
	};
	int r = -1;

	if (s == NULL)
		return -1;
	make_title(s, title);
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

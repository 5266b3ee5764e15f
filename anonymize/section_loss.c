/* What anonymization has cost, in words. */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include "anonymize/facts.h"
#include "anonymize/html.h"
#include "anonymize/sections.h"
#include "anonymize/words.h"
#include "common/catalogue.h"
#include "common/macros.h"
#include "study/study.h"

static void
columns(struct html *h, const struct report *r)
{
	const struct study *s = r->in.study;
	const char *const titles[] = {
		_("Detail lost, of what an intruder could know"), _("lost")
	};

	html_open(h, "table", NULL);
	section_table(h, titles, nitems(titles));
	html_open(h, "tbody", NULL);
	for (size_t q = 0; q < s->n_quasi; q++)
		section_row(h, s->columns[s->quasi[q]].title,
		    (const char *[]){ words_percent(r->lost[q]).text }, 1,
		    NULL);
	if (s->n_quasi > 1)
		section_row(h, _("all of them together (Loss)"),
		    (const char *[]){ words_percent(r->loss.loss).text }, 1,
		    NULL);
	html_close(h);
	html_close(h);
}

void
section_loss(struct html *h, const struct report *r)
{
	const struct loss *l = &r->loss;
	double rows = (double)MAX(r->in.rows->n, 1);

	if (r->in.study->n_quasi == 0)
		return;
	section_heading(h, _("What anonymization has cost"));
	html_element(h, "p", NULL, "%s",
	    _("Nothing is lost of the source as it was; all is lost of a row "
	      "that was removed, and of a column that was only used to form "
	      "groups."));
	columns(h, r);
	html_element(h, "p", "class=\"small soft\"",
	    _("Other figures of the same, to compare with other programs: a "
	      "value stands for %1$s of the values that its column may have, "
	      "on average (granularity); a group has %2$.1f rows on average; "
	      "a row cannot be told from %3$.1f rows on average, itself "
	      "included (discernibility, by rows); %4$.2g bits are lost per "
	      "row (non-uniform entropy)."),
	    words_percent(l->granularity).text, l->average_size,
	    l->discernibility / rows, l->entropy / rows);
}

/* Hierarchies: compiled from the study, and applied to values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "common/utf8.h"
#include "study/draft.h"
#include "study/study.h"
#include "study/zip3.h"

#define BLANKS " \t\r\n"

/* The level before, or NULL: the values themselves. */
static const struct study_recode *
before(const struct study_column *c)
{
	return c->n_recodes > 0 ? &c->recodes[c->n_recodes - 1] : NULL;
}

/* The next word of *p, or NULL; up to max of them are numbers. */
static char *
next_word(char **p)
{
	char *word = *p + strspn(*p, BLANKS);

	if (*word == '\0')
		return NULL;
	*p = word + strcspn(word, BLANKS);
	if (**p != '\0')
		*(*p)++ = '\0';
	return word;
}

/* Numbers up to the end of p or to a colon, which goes to *rest. */
static int
read_numbers(struct draft *d, char *p, double *v, size_t *n, char **rest,
    struct err *err)
{
	char *word;

	*n = 0;
	*rest = NULL;
	while ((word = next_word(&p)) != NULL) {
		if (strcmp(word, ":") == 0) {
			*rest = p;
			break;
		}
		if (ini_number(word, &v[*n]) < 0)
			return ini_error(d->ini, word, err,
			    "expected a number, or : before the documented "
			    "numbers");
		(*n)++;
	}
	return 0;
}

/* The cuts are the range's ends and, in between, some of those before. */
static int
check_cuts(struct draft *d, const struct study_column *c,
    const struct study_recode *r, const char *at, struct err *err)
{
	const struct study_recode *b = before(c);
	size_t n = r->n_groups;

	for (size_t i = 0; i <= n; i++) {
		size_t j = 0;

		if (i > 0 && !(r->cuts[i - 1] < r->cuts[i]))
			return ini_error(
			    d->ini, at, err, "the cuts must increase");
		if (c->type != STUDY_REAL && !study_whole(r->cuts[i]))
			return ini_error(d->ini, at, err,
			    "\"%s\" has whole numbers, and so must its cuts",
			    c->name);
		while (
		    b != NULL && j <= b->n_groups && b->cuts[j] != r->cuts[i])
			j++;
		if (b != NULL && j > b->n_groups)
			return ini_error(d->ini, at, err,
			    "cut %.15g is none of the level before, so this "
			    "level would cut its groups apart",
			    r->cuts[i]);
	}
	if (r->cuts[0] != c->lo || r->cuts[n] != c->hi)
		return ini_error(d->ini, at, err,
		    "the first and the last cut must be the range's ends, "
		    "%.15g and %.15g",
		    c->lo, c->hi);
	return 0;
}

/* What a group is called, and its number where the study says none. */
static int
name_cut(struct draft *d, const struct study_column *c, struct study_recode *r,
    size_t g, bool given, struct err *err)
{
	bool last = g + 1 == r->n_groups, whole = c->type != STUDY_REAL;
	double lo = r->cuts[g], hi = r->cuts[g + 1];

	if (whole && !last)
		hi -= 1;
	if (!given)
		r->numbers[g] = lo / 2 + hi / 2;
	if (whole && lo == hi)
		r->labels[g] = draft_printf(d, err, "%.15g", lo);
	else if (whole)
		r->labels[g] = draft_printf(d, err, "%.15g-%.15g", lo, hi);
	else
		r->labels[g] = draft_printf(
		    d, err, "[%.15g, %.15g%c", lo, hi, last ? ']' : ')');
	return r->labels[g] != NULL ? 0 : -1;
}

/* cut 20 35 50 91, or with the documented numbers: cut 20 35 91 : 30 60 */
static int
compile_cut(struct draft *d, const struct study_column *c,
    struct study_recode *r, char *text, struct err *err)
{
	size_t cap = strlen(text) / 2 + 2, n_cuts, n_numbers = 0;
	char *rest;

	r->kind = STUDY_CUT;
	r->cuts = ini_alloc(d->ini, cap, sizeof(*r->cuts), err);
	r->numbers = ini_alloc(d->ini, cap, sizeof(*r->numbers), err);
	r->labels = ini_alloc(d->ini, cap, sizeof(*r->labels), err);
	if (r->cuts == NULL || r->numbers == NULL || r->labels == NULL)
		return -1;
	if (read_numbers(d, text, r->cuts, &n_cuts, &rest, err) < 0)
		return -1;
	if (n_cuts < 2)
		return ini_error(d->ini, text, err,
		    "expected two or more numbers to cut at");
	r->n_groups = n_cuts - 1;
	if (check_cuts(d, c, r, text, err) < 0)
		return -1;
	if (rest != NULL &&
	    (read_numbers(d, rest, r->numbers, &n_numbers, &text, err) < 0 ||
		text != NULL || n_numbers != r->n_groups))
		return ini_error(d->ini, rest, err,
		    "expected %zu documented numbers, one per interval",
		    r->n_groups);
	for (size_t g = 0; g < r->n_groups; g++) {
		if (name_cut(d, c, r, g, rest != NULL, err) < 0)
			return -1;
		if (study_group(r, r->numbers[g]) != g ||
		    r->numbers[g] < c->lo || r->numbers[g] > c->hi)
			return ini_error(d->ini, rest != NULL ? rest : text,
			    err,
			    "documented number %zu lies outside of its "
			    "interval",
			    g + 1);
	}
	return 0;
}

/* Room for at most n groups by cuts. */
static int
allocate_cuts(
    struct draft *d, struct study_recode *r, size_t n, struct err *err)
{
	r->kind = STUDY_CUT;
	r->cuts = ini_alloc(d->ini, n + 1, sizeof(*r->cuts), err);
	r->numbers = ini_alloc(d->ini, n, sizeof(*r->numbers), err);
	r->labels = ini_alloc(d->ini, n, sizeof(*r->labels), err);
	return r->cuts == NULL || r->numbers == NULL || r->labels == NULL ? -1
									  : 0;
}

/* Check and name the groups of cuts that were computed. */
static int
finish_cuts(struct draft *d, const struct study_column *c,
    struct study_recode *r, const char *at, struct err *err)
{
	if (check_cuts(d, c, r, at, err) < 0)
		return -1;
	for (size_t g = 0; g < r->n_groups; g++)
		if (name_cut(d, c, r, g, false, err) < 0)
			return -1;
	return 0;
}

static int
too_many(struct draft *d, const char *at, struct err *err)
{
	return ini_error(
	    d->ini, at, err, "more than %d groups", STUDY_LEVELS_MAX);
}

/* every 5: cuts at the multiples of 5 */
static int
compile_every(struct draft *d, const struct study_column *c,
    struct study_recode *r, char *text, struct err *err)
{
	double width, first, n;

	if (ini_number(text, &width) < 0 || !(width > 0) || width > 1e15)
		return ini_error(
		    d->ini, text, err, "every: expected a number above 0");
	first = floor(c->lo / width) + 1;
	n = ceil(c->hi / width) - first + 1;
	if (n > STUDY_LEVELS_MAX)
		return too_many(d, text, err);
	if (allocate_cuts(d, r, (size_t)MAX(n, 1), err) < 0)
		return -1;
	r->cuts[0] = c->lo;
	for (double i = first; i * width < c->hi; i++)
		r->cuts[++r->n_groups] = i * width;
	r->cuts[++r->n_groups] = c->hi;
	return finish_cuts(d, c, r, text, err);
}

/* code 18..89, code ..89: these stay, those below and above are one group
   each */
static int
compile_code(struct draft *d, const struct study_column *c,
    struct study_recode *r, char *text, struct err *err)
{
	char *dots = strstr(text, ".."), *end;
	double low = c->lo, high;

	if (c->type == STUDY_REAL)
		return ini_error(d->ini, text, err,
		    "code: only whole numbers can stay as they are");
	if (dots == NULL || ini_number(dots + 2, &high) < 0)
		return ini_error(d->ini, text, err,
		    "code: expected LOWEST..HIGHEST or ..HIGHEST");
	for (end = dots; end > text && strchr(BLANKS, end[-1]) != NULL;)
		end--;
	*end = '\0';
	if (end > text && ini_number(text, &low) < 0)
		return ini_error(d->ini, text, err,
		    "code: expected LOWEST..HIGHEST or ..HIGHEST");
	if (!study_whole(low) || !study_whole(high) ||
	    !(c->lo <= low && low <= high && high < c->hi))
		return ini_error(d->ini, text, err,
		    "code: expected whole numbers from %.15g to below %.15g, "
		    "the first not larger",
		    c->lo, c->hi);
	if (high - low + 3 > STUDY_LEVELS_MAX)
		return too_many(d, text, err);
	if (allocate_cuts(d, r, (size_t)(high - low) + 3, err) < 0)
		return -1;
	r->cuts[0] = c->lo;
	for (double v = MAX(low, c->lo + 1); v <= high + 1; v++)
		if (v < c->hi)
			r->cuts[++r->n_groups] = v;
	r->cuts[++r->n_groups] = c->hi;
	return finish_cuts(d, c, r, text, err);
}

/* The first day of the period of so many months that a day lies in. */
static int64_t
period_start(int64_t day, int months, int *year, int *month)
{
	char text[STUDY_DATE_TEXT_SIZE];
	int64_t start = day;

	study_date_text(day, text);
	*year = atoi(text);
	*month = (atoi(text + 5) - 1) / months * months + 1;
	if (months > 12) {
		*year -= *year % (months / 12);
		*month = 1;
	}
	snprintf(text, sizeof(text), "%04u-%02u-01",
	    (unsigned)MAX(*year, 1) % 10000, (unsigned)*month % 100);
	study_date("YYYY-MM-DD", text, strlen(text), &start);
	return start;
}

/* month, quarter, year, decade: the periods of the calendar */
static int
compile_period(struct draft *d, const struct study_column *c,
    struct study_recode *r, int months, const char *at, struct err *err)
{
	size_t most = (size_t)((c->hi - c->lo) / (28.0 * months)) + 2;
	int64_t lo = (int64_t)c->lo, hi = (int64_t)c->hi;
	int year, month;

	if (!c->has_range)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" has periods and no range, expected range = "
		    "FIRST..LAST",
		    c->name);
	if (most > STUDY_LEVELS_MAX)
		return too_many(d, at, err);
	if (allocate_cuts(d, r, most, err) < 0)
		return -1;
	if (hi > lo && period_start(hi, months, &year, &month) == hi)
		return ini_error(d->ini, at, err,
		    "the range of \"%s\" ends with the first day of a period, "
		    "expected a later or an earlier day",
		    c->name);
	for (int64_t day = lo; day <= hi;) {
		size_t g = r->n_groups++;
		int64_t in = day + 28;

		period_start(day, months, &year, &month);
		r->labels[g] = months == 1
		    ? draft_printf(d, err, "%04d-%02d", year, month)
		    : months == 3
		    ? draft_printf(d, err, "%04d-Q%d", year, month / 3 + 1)
		    : draft_printf(
			  d, err, months == 12 ? "%04d" : "%04ds", year);
		if (r->labels[g] == NULL)
			return -1;
		r->cuts[g] = r->numbers[g] = (double)day;
		/* Into the next period, and back to its first day. */
		while (period_start(in, months, &year, &month) <= day)
			in += 28;
		day = period_start(in, months, &year, &month);
	}
	r->cuts[r->n_groups] = c->hi;
	return check_cuts(d, c, r, at, err);
}

/* The members of the level before that are called name get group g. */
static int
add_member(struct draft *d, const struct study_column *c,
    struct study_recode *r, const char *name, size_t g, struct err *err)
{
	const struct study_recode *b = before(c);
	bool found = false;

	for (size_t i = 0; i < c->n_levels; i++) {
		const char *member =
		    b != NULL ? b->labels[b->group_of[i]] : c->levels[i].value;

		if (strcmp(member, name) != 0)
			continue;
		if (r->group_of[i] != STUDY_NONE)
			return ini_error(d->ini, name, err,
			    "\"%.60s\" is in two groups", name);
		r->group_of[i] = g;
		found = true;
	}
	if (found)
		return 0;
	return ini_error(d->ini, name, err, "\"%.60s\" is no %s of \"%s\"%s",
	    name, b != NULL ? "group" : "level", c->name,
	    b != NULL ? " at the level before" : "");
}

/* group LABEL: member, member; LABEL: member */
static int
compile_group(struct draft *d, const struct study_column *c,
    struct study_recode *r, char *text, struct err *err)
{
	char *p = text, *member, stop = ';';

	r->kind = STUDY_GROUP;
	r->group_of = ini_alloc(d->ini, c->n_levels, sizeof(size_t), err);
	/* A group has at least one level; the one more is for the error. */
	r->labels = ini_alloc(d->ini, c->n_levels + 1, sizeof(char *), err);
	if (r->group_of == NULL || r->labels == NULL)
		return -1;
	for (size_t i = 0; i < c->n_levels; i++)
		r->group_of[i] = STUDY_NONE;
	while (stop == ';') {
		size_t g = r->n_groups++;

		if (ini_item(
			d->ini, &p, ":;,", &r->labels[g], &stop, NULL, err) < 0)
			return -1;
		if (stop != ':' || *r->labels[g] == '\0')
			return ini_error(d->ini, r->labels[g], err,
			    "expected LABEL: MEMBER, MEMBER, ...; LABEL: ...");
		for (size_t i = 0; i < g; i++) {
			if (strcmp(r->labels[i], r->labels[g]) == 0)
				return ini_error(d->ini, r->labels[g], err,
				    "group \"%.60s\" is there twice",
				    r->labels[g]);
		}
		do {
			if (ini_item(d->ini, &p, ",;", &member, &stop, NULL,
				err) < 0 ||
			    add_member(d, c, r, member, g, err) < 0)
				return -1;
		} while (stop == ',');
	}
	for (size_t i = 0; i < c->n_levels; i++) {
		if (r->group_of[i] == STUDY_NONE)
			return ini_error(d->ini, text, err,
			    "\"%.60s\" is in no group", c->levels[i].value);
	}
	return 0;
}

/* mask 3: the first three characters stay */
static int
compile_mask(struct draft *d, const struct study_column *c,
    struct study_recode *r, char *text, struct err *err)
{
	static const struct ini_field keep = { "mask", ini_size, .min = 1,
		.max = 100 };
	const struct study_recode *b = before(c);

	r->kind = STUDY_MASK;
	if (ini_size(d->ini, &keep, text, &r->keep, err) < 0)
		return -1;
	if (b != NULL && b->zip3)
		return ini_error(d->ini, text, err,
		    "mask: not above zip3, whose 000 is of no region");
	if (b != NULL && r->keep >= b->keep)
		return ini_error(d->ini, text, err,
		    "mask: expected fewer characters than the %zu of the level "
		    "before",
		    b->keep);
	return 0;
}

/* zip3: the first three digits stay where enough people live */
static int
compile_zip3(struct draft *d, const struct study_column *c,
    struct study_recode *r, const char *at, struct err *err)
{
	const struct study_recode *b = before(c);

	*r = (struct study_recode){
		.kind = STUDY_MASK, .keep = 3, .zip3 = true
	};
	if (b != NULL && (b->zip3 || b->keep <= 3))
		return ini_error(d->ini, at, err,
		    "zip3: expected more than 3 characters at the level "
		    "before");
	return 0;
}

static int
compile_level(struct draft *d, const struct study_column *c,
    struct study_recode *r, char *text, struct err *err)
{
	static const struct {
		const char *word;
		enum { NUMBERS, LEVELS, TEXTS } of;
		int (*fn)(struct draft *, const struct study_column *,
		    struct study_recode *, char *, struct err *);
	} ways[] = {
		{ "cut", NUMBERS, compile_cut },
		{ "every", NUMBERS, compile_every },
		{ "code", NUMBERS, compile_code },
		{ "group", LEVELS, compile_group },
		{ "mask", TEXTS, compile_mask },
	};
	static const struct {
		const char *word;
		int months;
	} periods[] = { { "month", 1 }, { "quarter", 3 }, { "year", 12 },
		{ "decade", 120 } };
	unsigned of = c->type == STUDY_LEVELS ? LEVELS
	    : c->type == STUDY_TEXT           ? TEXTS
					      : NUMBERS;

	for (size_t i = 0; c->type == STUDY_DATE && i < nitems(periods); i++)
		if (strcmp(text, periods[i].word) == 0)
			return compile_period(
			    d, c, r, periods[i].months, text, err);
	if (c->type == STUDY_DATE)
		return ini_error(d->ini, text, err,
		    "expected month, quarter, year or decade for the dates of "
		    "\"%s\"",
		    c->name);
	if (of == TEXTS && strcmp(text, "zip3") == 0)
		return compile_zip3(d, c, r, text, err);
	for (size_t i = 0; i < nitems(ways); i++) {
		size_t n = strlen(ways[i].word);

		if (ways[i].of == of && strncmp(text, ways[i].word, n) == 0 &&
		    strchr(BLANKS, text[n]) != NULL)
			return ways[i].fn(
			    d, c, r, text + n + strspn(text + n, BLANKS), err);
	}
	return ini_error(d->ini, text, err,
	    "expected \"%s\" for the values of \"%s\"",
	    of == NUMBERS      ? "cut ...\", \"every ...\" or \"code ..."
		: of == LEVELS ? "group ..."
			       : "mask ...\" or \"zip3",
	    c->name);
}

static int
compile_all(struct draft *d, struct study_column *c,
    const struct draft_hierarchy *h, struct err *err)
{
	static char star[] = "*";
	static char *stars[] = { star };

	c->recodes = ini_alloc(
	    d->ini, STUDY_HIERARCHY_MAX + 1, sizeof(*c->recodes), err);
	if (c->recodes == NULL)
		return -1;
	for (size_t i = 0; h != NULL && i < STUDY_HIERARCHY_MAX; i++) {
		if (h->levels[i] == NULL)
			continue;
		if (i != c->n_recodes)
			return ini_error(d->ini, h->levels[i], err,
			    "level-%zu without level-%zu", i + 1, i);
		if (compile_level(d, c, &c->recodes[i], h->levels[i], err) < 0)
			return -1;
		c->n_recodes++;
	}
	c->recodes[c->n_recodes++] = (struct study_recode){
		.kind = STUDY_TOP,
		.n_groups = 1,
		.labels = stars,
	};
	return 0;
}

int
recode_compile(struct draft *d, struct draft_column *dc,
    const struct draft_hierarchy *h, struct err *err)
{
	struct study_column *c = &dc->c;
	size_t n;

	if (compile_all(d, c, h, err) < 0)
		return -1;
	n = c->n_recodes;
	if (strcmp(dc->level, "top") == 0) {
		c->level = n;
		return 0;
	}
	if (dc->level[0] < '0' || dc->level[0] > '9' || dc->level[1] != '\0' ||
	    (size_t)(dc->level[0] - '0') >= n)
		return ini_error(d->ini, dc->level, err,
		    "level: expected 0%s%.0zu or top%s", n > 1 ? " to " : "",
		    n - 1, h != NULL ? "" : ": there is no hierarchy");
	c->level = (size_t)(dc->level[0] - '0');
	return 0;
}

const struct study_recode *
study_recode(const struct study_column *c)
{
	return c->level > 0 ? &c->recodes[c->level - 1] : NULL;
}

size_t
study_n_groups(const struct study_column *c)
{
	return c->level > 0 ? study_recode(c)->n_groups : c->n_levels;
}

size_t
study_group(const struct study_recode *r, double v)
{
	size_t lo = 0, hi = r->n_groups;

	if (r->kind == STUDY_TOP)
		return 0;
	if (r->kind == STUDY_GROUP)
		return r->group_of[(size_t)v];
	while (hi - lo > 1) { /* cuts[lo] <= v < cuts[hi] */
		size_t mid = lo + (hi - lo) / 2;

		if (v < r->cuts[mid])
			hi = mid;
		else
			lo = mid;
	}
	return lo;
}

double
study_number(const struct study_column *c, size_t level, double v)
{
	const struct study_recode *r;

	if (level == 0)
		return v;
	r = &c->recodes[level - 1];
	return r->kind == STUDY_CUT ? r->numbers[study_group(r, v)]
				    : (double)study_group(r, v);
}

double
study_recoded(const struct study_column *c, double v)
{
	return study_number(c, c->level, v);
}

void
study_keep_numbers(struct study *s)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		struct study_column *c = &s->columns[i];

		if (c->level == 0 || study_recode(c)->kind != STUDY_CUT)
			continue;
		c->level = 0;
	}
	for (size_t t = 0; t < s->n_terms; t++)
		study_term_bounds(s, &s->terms[t]);
}

const char *
study_label(const struct study_column *c, size_t g)
{
	const struct study_recode *r = study_recode(c);

	if (r != NULL)
		return g < r->n_groups ? r->labels[g] : NULL;
	return g < c->n_levels ? c->levels[g].label : NULL;
}

const char *
study_mask(const struct study_recode *r, const char *text, size_t *len)
{
	if (r->zip3) {
		text = zip3(text, *len);
		*len = 3;
	} else {
		*len = utf8_prefix(text, *len, r->keep);
	}
	return text;
}

/* The codebook: what each [column NAME] says, checked alone and together. */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "study/draft.h"
#include "study/study.h"

static bool
is_number(const struct study_column *c)
{
	return c->type == STUDY_REAL || c->type == STUDY_INTEGER ||
	    c->type == STUDY_INTERVAL;
}

/* One end of a range: a number, or a date. */
static int
range_end(const struct study_column *c, const char *text, double *v)
{
	int64_t day;

	if (c->type == STUDY_DATE) {
		if (study_date("YYYY-MM-DD", text, strlen(text), &day) < 0)
			return -1;
		*v = (double)day;
		return 0;
	}
	if (ini_number(text, v) < 0 || *v < -1e15 || *v > 1e15)
		return -1;
	return c->type != STUDY_REAL && !study_whole(*v) ? -1 : 0;
}

static int
check_range(struct draft *d, struct draft_column *dc, struct err *err)
{
	struct study_column *c = &dc->c;
	char *dots, *hi, *end;

	if (dc->range == NULL) {
		if ((is_number(c) || c->type == STUDY_DATE) &&
		    c->use != STUDY_IGNORED)
			return ini_error(d->ini, c->name, err,
			    "column \"%s\" is used and has no range, expected "
			    "range = LOWEST..HIGHEST",
			    c->name);
		return 0;
	}
	if (!is_number(c) && c->type != STUDY_DATE)
		return ini_error(d->ini, dc->range, err,
		    "range: only numbers, dates and intervals have one");
	if ((dots = strstr(dc->range, "..")) == NULL)
		return ini_error(
		    d->ini, dc->range, err, "range: expected LOWEST..HIGHEST");
	hi = dots + 2 + strspn(dots + 2, " \t");
	for (end = dots; end > dc->range && strchr(" \t", end[-1]) != NULL;)
		end--;
	*end = '\0';
	if (range_end(c, dc->range, &c->lo) < 0 ||
	    range_end(c, hi, &c->hi) < 0 || !(c->lo < c->hi))
		return ini_error(d->ini, dc->range, err,
		    "range: expected LOWEST..HIGHEST as two %s, the first one "
		    "smaller",
		    c->type == STUDY_DATE       ? "dates YYYY-MM-DD"
			: c->type == STUDY_REAL ? "numbers"
						: "whole numbers");
	c->has_range = true;
	if (c->type == STUDY_DATE && d->s->privacy.date_shift > 0) {
		c->shift = (double)d->s->privacy.date_shift;
		c->lo -= c->shift;
		c->hi += c->shift;
	}
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	const struct study_value *const *x = a, *const *y = b;

	return strcmp((*x)->value, (*y)->value);
}

static int
index_levels(struct draft *d, struct study_column *c, struct err *err)
{
	c->by_value = ini_alloc(d->ini, c->n_levels, sizeof(*c->by_value), err);
	if (c->by_value == NULL)
		return -1;
	for (size_t i = 0; i < c->n_levels; i++)
		c->by_value[i] = &c->levels[i];
	qsort(c->by_value, c->n_levels, sizeof(*c->by_value), by_value);
	for (size_t i = 1; i < c->n_levels; i++) {
		const struct study_value *a = c->by_value[i - 1];
		const struct study_value *b = c->by_value[i];

		if (strcmp(a->value, b->value) == 0)
			return ini_error(d->ini, a > b ? a->value : b->value,
			    err, "levels: \"%.60s\" is there twice", a->value);
	}
	return 0;
}

/* value, value: label, "a value, quoted": "its label" */
static int
check_levels(struct draft *d, struct draft_column *dc, struct err *err)
{
	struct study_column *c = &dc->c;
	char *p = dc->levels, stop = ',';
	size_t cap = 1;

	if (c->type != STUDY_LEVELS && dc->levels == NULL)
		return 0;
	if (c->type != STUDY_LEVELS)
		return ini_error(d->ini, dc->levels, err,
		    "levels: only type = levels has them");
	if (dc->levels == NULL)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" has no levels, expected levels = A, B, ...",
		    c->name);
	for (const char *s = dc->levels; *s != '\0'; s++)
		cap += *s == ',';
	if (cap > STUDY_LEVELS_MAX)
		return ini_error(d->ini, dc->levels, err,
		    "levels: more than %d", STUDY_LEVELS_MAX);
	c->levels = ini_alloc(d->ini, cap, sizeof(*c->levels), err);
	if (c->levels == NULL)
		return -1;
	for (; stop != '\0'; c->n_levels++) {
		struct study_value *v = &c->levels[c->n_levels];

		if (ini_item(d->ini, &p, ":,", &v->value, &stop, NULL, err) < 0)
			return -1;
		v->label = v->value;
		if (stop == ':' &&
		    ini_item(d->ini, &p, ",", &v->label, &stop, NULL, err) < 0)
			return -1;
		if (*v->value == '\0' || *v->label == '\0')
			return ini_error(d->ini,
			    *v->value == '\0' ? v->value : v->label, err,
			    "levels: expected VALUE or VALUE: LABEL, separated "
			    "by commas");
		if (study_missing(c, v->value, strlen(v->value)))
			return ini_error(d->ini, v->value, err,
			    "levels: \"%.60s\" is also a code for missing",
			    v->value);
	}
	if (c->n_levels < 2)
		return ini_error(d->ini, dc->levels, err,
		    "levels: one level, expected two or more");
	return index_levels(d, c, err);
}

static int
check_reference(struct draft *d, struct draft_column *dc, struct err *err)
{
	const char *text = dc->reference;
	size_t level;

	if (text == NULL)
		return 0;
	level = dc->c.type == STUDY_LEVELS
	    ? study_level(&dc->c, text, strlen(text))
	    : STUDY_NONE;
	if (level == STUDY_NONE)
		return ini_error(d->ini, text, err,
		    "reference: \"%.60s\" is no level of \"%s\"", text,
		    dc->c.name);
	dc->c.reference = level;
	return 0;
}

/* Of a spline, 3 or more, in order. */
static int
check_knots(struct draft *d, struct draft_column *dc, struct err *err)
{
	struct study_column *c = &dc->c;
	char *p = dc->knots, *item, stop = ',';

	if (p == NULL)
		return 0;
	if (!is_number(c))
		return ini_error(
		    d->ini, p, err, "knots: only numbers have them");
	c->knots = ini_alloc(d->ini, STUDY_KNOTS_MAX, sizeof(double), err);
	if (c->knots == NULL)
		return -1;
	while (stop == ',') {
		double v;

		if (ini_item(d->ini, &p, ",", &item, &stop, NULL, err) < 0)
			return -1;
		if (c->n_knots == STUDY_KNOTS_MAX)
			return ini_error(d->ini, item, err,
			    "knots: more than %d", STUDY_KNOTS_MAX);
		if (ini_number(item, &v) < 0 || v < -1e15 || v > 1e15 ||
		    (c->n_knots > 0 && v <= c->knots[c->n_knots - 1]))
			return ini_error(d->ini, item, err,
			    "knots: expected numbers, each larger than the "
			    "one before");
		c->knots[c->n_knots++] = v;
	}
	if (c->n_knots < 3)
		return ini_error(d->ini, dc->knots, err,
		    "knots: %zu of them, expected at least 3", c->n_knots);
	return 0;
}

/* Could one text be both?  "05/06/2020" is, as DD/MM/YYYY and MM/DD/YYYY. */
static bool
same_shape(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++) {
		bool digit_a = strchr("YMD", *a) != NULL;
		bool digit_b = strchr("YMD", *b) != NULL;

		if (digit_a != digit_b || (!digit_a && *a != *b))
			return false;
	}
	return *a == *b;
}

static int
check_formats(struct draft *d, struct draft_column *dc, struct err *err)
{
	static char iso[] = "YYYY-MM-DD";
	static char *only_iso[] = { iso };
	struct ini_list *l = &dc->c.formats;

	if (dc->c.type != STUDY_DATE && l->n != 0)
		return ini_error(
		    d->ini, l->items[0], err, "format: only dates have one");
	if (dc->c.type == STUDY_DATE && l->n == 0)
		*l = (struct ini_list){ only_iso, 1 };
	for (size_t i = 0; i < l->n; i++) {
		if (!date_format_valid(l->items[i]))
			return ini_error(d->ini, l->items[i], err,
			    "format: expected YYYY, MM and DD once each, with "
			    "- . / : or blanks between them");
		for (size_t j = 0; j < i; j++) {
			if (same_shape(l->items[i], l->items[j]))
				return ini_error(d->ini, l->items[i], err,
				    "format: a date could be both %.40s and "
				    "%.40s",
				    l->items[j], l->items[i]);
		}
	}
	return 0;
}

static int
find_date(struct draft *d, const struct study_column *c, const char *key,
    const char *name, size_t *at, struct err *err)
{
	if (name == NULL)
		return ini_error(d->ini, c->name, err,
		    "interval \"%s\" has no key \"%s\", expected a date column",
		    c->name, key);
	for (size_t i = 0; i < d->n_columns; i++) {
		if (strcmp(d->columns[i].c.name, name) != 0)
			continue;
		if (d->columns[i].c.type != STUDY_DATE)
			break;
		*at = i;
		return 0;
	}
	return ini_error(d->ini, name, err,
	    "%s: \"%.60s\" is not a column of type = date", key, name);
}

static int
check_interval(struct draft *d, struct draft_column *dc, struct err *err)
{
	struct study_column *c = &dc->c;

	if (c->type != STUDY_INTERVAL) {
		if (dc->from == NULL && dc->to == NULL)
			return 0;
		return ini_error(d->ini, dc->from != NULL ? dc->from : dc->to,
		    err, "from, to: only type = interval has them");
	}
	if (find_date(d, c, "from", dc->from, &c->from, err) < 0 ||
	    find_date(d, c, "to", dc->to, &c->to, err) < 0)
		return -1;
	if (c->from == c->to)
		return ini_error(
		    d->ini, dc->to, err, "to: the same column as from");
	if (c->unit != NULL && strcmp(c->unit, "days") != 0)
		return ini_error(
		    d->ini, c->unit, err, "unit: an interval is in days");
	if (c->privacy == STUDY_DIRECT)
		return ini_error(d->ini, c->name, err,
		    "interval \"%s\": an interval is no direct identifier",
		    c->name);
	return 0;
}

static int
check_use(struct draft *d, struct draft_column *dc, struct err *err)
{
	struct study_column *c = &dc->c;

	if (c->use == STUDY_IGNORED)
		return 0;
	if (c->privacy == STUDY_DIRECT)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" is a direct identifier: it is always "
		    "dropped, expected use = ignored",
		    c->name);
	if (c->type == STUDY_TEXT)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" is text: no model can use it, expected "
		    "use = ignored, or type = levels",
		    c->name);
	if (c->type == STUDY_DATE && d->s->privacy.date_shift == 0)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" is a date: dates are dropped, expected "
		    "use = ignored and a column of type = interval",
		    c->name);
	if (c->type == STUDY_DATE &&
	    (c->use != STUDY_FEATURE || c->privacy != STUDY_QUASI))
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" is a date, and shifted: expected "
		    "use = feature and privacy = quasi-identifier",
		    c->name);
	if (c->use == STUDY_STRATUM && c->type != STUDY_LEVELS)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\": a stratum has type = levels", c->name);
	return 0;
}

/* "WORD NUMBER" or "WORD NUMBER NUMBER": which word, or -1. */
static int
read_rule(struct draft *d, char *text, const char *const *words, double *a,
    double *b, struct err *err)
{
	char *word = text, *first, *second = NULL;
	int i = 0;

	first = word + strcspn(word, " ");
	if (*first != '\0')
		*first++ = '\0';
	while (words[i] != NULL && strcmp(words[i], word) != 0)
		i++;
	if (b != NULL && (second = strchr(first, ' ')) != NULL)
		*second++ = '\0';
	if (words[i] == NULL || ini_number(first, a) < 0 ||
	    (second != NULL && ini_number(second, b) < 0) ||
	    (b != NULL && second == NULL && i == 2))
		return ini_error(d->ini, text, err,
		    "expected %s, %s or %s and its number%s", words[0],
		    words[1], words[2],
		    b != NULL ? "; recursive has two, C and L" : "");
	return i;
}

/* The rules for a sensitive column. */
static int
check_rules(struct draft *d, struct draft_column *dc, struct err *err)
{
	static const char *const ways[] = { "distinct", "entropy", "recursive",
		NULL };
	static const char *const distances[] = { "equal", "ordered",
		"hierarchical", NULL };
	struct study_column *c = &dc->c;
	char *at = dc->diversity != NULL ? dc->diversity : dc->closeness;
	double second = 0;
	int i;

	if (at == NULL)
		return 0;
	if (c->privacy != STUDY_SENSITIVE || c->type != STUDY_LEVELS)
		return ini_error(d->ini, at, err,
		    "column \"%s\": only a sensitive column of levels has a "
		    "diversity and a closeness",
		    c->name);
	if (dc->diversity != NULL) {
		i = read_rule(
		    d, dc->diversity, ways, &c->diversity_l, &second, err);
		if (i < 0)
			return -1;
		c->diversity = STUDY_DISTINCT + i;
		if (c->diversity == STUDY_RECURSIVE) {
			c->diversity_c = c->diversity_l;
			c->diversity_l = second;
		}
		if (c->diversity_l < 1 ||
		    c->diversity_l > (double)c->n_levels ||
		    (c->diversity == STUDY_RECURSIVE && c->diversity_c <= 0) ||
		    (c->diversity != STUDY_ENTROPY &&
			!study_whole(c->diversity_l)))
			return ini_error(d->ini, dc->diversity, err,
			    "diversity: expected L from 1 to the %zu levels of "
			    "\"%s\", and C above 0",
			    c->n_levels, c->name);
	}
	if (dc->closeness == NULL)
		return 0;
	i = read_rule(d, dc->closeness, distances, &c->closeness_t, NULL, err);
	if (i < 0)
		return -1;
	c->closeness = STUDY_EQUAL + i;
	if (!(c->closeness_t >= 0 && c->closeness_t <= 1))
		return ini_error(d->ini, dc->closeness, err,
		    "closeness: expected a number from 0 to 1");
	if (c->closeness == STUDY_HIERARCHICAL && c->use == STUDY_OUTCOME)
		return ini_error(d->ini, dc->closeness, err,
		    "closeness: \"%s\" is an outcome, which the table has as "
		    "0 or 1: expected equal",
		    c->name);
	return 0;
}

/* Local recoding counts the values under a group. */
static int
check_countable(struct draft *d, const struct study_column *c, struct err *err)
{
	if (d->s->privacy.recoding == STUDY_GLOBAL || c->type == STUDY_LEVELS ||
	    ((c->type == STUDY_INTEGER || c->type == STUDY_INTERVAL ||
		 c->type == STUDY_DATE) &&
		c->has_range && c->hi - c->lo < STUDY_COUNTABLE_MAX))
		return 0;
	return ini_error(d->ini, c->name, err,
	    "column \"%s\": recoding = local needs values that can be "
	    "counted, expected levels, or whole numbers with a range of at "
	    "most %d",
	    c->name, STUDY_COUNTABLE_MAX);
}

/* level = mean */
static int
check_mean(struct draft *d, struct draft_column *dc,
    const struct draft_hierarchy *h, struct err *err)
{
	struct study_column *c = &dc->c;

	if (!is_number(c) || c->use != STUDY_FEATURE)
		return ini_error(d->ini, dc->level, err,
		    "level: only a number that is a feature can be a mean");
	if (h != NULL)
		return ini_error(d->ini, h->column, err,
		    "column \"%s\" is a mean and has no use for a hierarchy",
		    c->name);
	if (d->s->privacy.recoding == STUDY_LOCAL)
		return ini_error(d->ini, dc->level, err,
		    "level: mean, expected recoding = global");
	c->mean = true;
	return 0;
}

/* What the level says, which hierarchy it is from, and what is left. */
static int
check_privacy(struct draft *d, struct draft_column *dc, struct err *err)
{
	struct study_column *c = &dc->c;
	const struct draft_hierarchy *h = NULL;

	for (size_t i = 0; i < d->n_hierarchies; i++) {
		if (strcmp(d->hierarchies[i].column, c->name) == 0)
			h = &d->hierarchies[i];
	}
	if (check_rules(d, dc, err) < 0)
		return -1;
	if (c->privacy != STUDY_QUASI && c->weight != 1)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\": only a quasi-identifier has a weight",
		    c->name);
	if (c->closeness == STUDY_HIERARCHICAL && dc->level == NULL) {
		static char as_it_is[] = "0";

		if (h == NULL)
			return ini_error(d->ini, dc->closeness, err,
			    "closeness: hierarchical, but there is no "
			    "[hierarchy %s]",
			    c->name);
		dc->level = as_it_is;
		return recode_compile(d, dc, h, err);
	}
	if (c->privacy != STUDY_QUASI) {
		if (dc->level == NULL && h == NULL)
			return 0;
		return ini_error(d->ini,
		    dc->level != NULL ? dc->level : h->column, err,
		    "column \"%s\": only a quasi-identifier has a level and a "
		    "hierarchy",
		    c->name);
	}
	if (dc->level == NULL && c->use == STUDY_IGNORED)
		return 0; /* dropped */
	if (dc->level == NULL)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" is a quasi-identifier and has no level, "
		    "expected level = 1, 2, ... or top of its [hierarchy %s], "
		    "or level = 0 to keep it as it is",
		    c->name, c->name);
	c->in_k = true;
	if ((is_number(c) || (c->type == STUDY_DATE && h != NULL)) &&
	    !c->has_range)
		return ini_error(d->ini, c->name, err,
		    "column \"%s\" is held to k and has no range, expected "
		    "range = LOWEST..HIGHEST",
		    c->name);
	if (strcmp(dc->level, "mean") == 0)
		return check_mean(d, dc, h, err);
	if (check_countable(d, c, err) < 0 || recode_compile(d, dc, h, err) < 0)
		return -1;
	c->local = d->s->privacy.recoding == STUDY_LOCAL && c->level > 0 &&
	    (c->type != STUDY_LEVELS || c->use == STUDY_IGNORED);
	if (c->use != STUDY_IGNORED && c->level > 0 &&
	    c->recodes[c->level - 1].kind == STUDY_TOP)
		return ini_error(d->ini, dc->level, err,
		    "level: nothing is left of \"%s\" at the top, expected a "
		    "lower level or use = ignored",
		    c->name);
	if (c->use == STUDY_OUTCOME && c->level > 0)
		return ini_error(d->ini, dc->level, err,
		    "level: \"%s\" is an outcome, which is not recoded, "
		    "expected level = 0",
		    c->name);
	return 0;
}

static int
check_names(struct draft *d, struct err *err)
{
	for (size_t i = 0; i < d->n_hierarchies; i++) {
		const char *name = d->hierarchies[i].column;
		size_t j = 0;

		while (
		    j < d->n_columns && strcmp(d->columns[j].c.name, name) != 0)
			j++;
		if (j == d->n_columns)
			return ini_error(d->ini, name, err,
			    "there is no [column %.60s]", name);
	}
	return 0;
}

/* The column that tells patients apart. */
static int
check_patient(struct draft *d, struct err *err)
{
	struct study *s = d->s;
	char *name = s->privacy.patient_name;
	size_t i = name != NULL ? study_find(s, name) : STUDY_NONE;

	s->privacy.patient = i;
	if (name == NULL && study_wants_secret(s))
		return ini_error(d->ini, s->name, err,
		    "pseudonym, date-shift: expected patient = COLUMN");
	if (name == NULL)
		return 0;
	if (i == STUDY_NONE || s->columns[i].privacy != STUDY_DIRECT)
		return ini_error(d->ini, name, err,
		    "patient: \"%.60s\" is no column that is a "
		    "direct-identifier",
		    name);
	return 0;
}

int
codebook_check(struct draft *d, struct err *err)
{
	struct study *s = d->s;

	if (check_names(d, err) < 0)
		return -1;
	for (size_t i = 0; i < d->n_columns; i++) {
		struct draft_column *dc = &d->columns[i];

		if (check_use(d, dc, err) < 0 || check_range(d, dc, err) < 0 ||
		    check_levels(d, dc, err) < 0 ||
		    check_reference(d, dc, err) < 0 ||
		    check_knots(d, dc, err) < 0 ||
		    check_formats(d, dc, err) < 0 ||
		    check_interval(d, dc, err) < 0 ||
		    check_privacy(d, dc, err) < 0)
			return -1;
	}
	s->columns = ini_alloc(d->ini, d->n_columns, sizeof(*s->columns), err);
	s->quasi = ini_alloc(d->ini, d->n_columns, sizeof(*s->quasi), err);
	if (s->columns == NULL || s->quasi == NULL)
		return -1;
	s->n_columns = d->n_columns;
	for (size_t i = 0; i < d->n_columns; i++) {
		s->columns[i] = d->columns[i].c;
		if (s->columns[i].in_k)
			s->quasi[s->n_quasi++] = i;
	}
	return check_patient(d, err);
}

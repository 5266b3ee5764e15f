#include "study/formula.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "study/draft.h"

struct parser {
	struct draft *d;
	struct formula *f;
	char *p;
	struct err *err;
	struct formula_atom seen[2 * FORMULA_EFFECTS_MAX]; /* (n_seen) */
	size_t n_seen;
	char *ends[4]; /* where names that are kept end, for a NUL */
	size_t n_ends;
};

static void
skip_blanks(struct parser *s)
{
	s->p += strspn(s->p, " \t\r\n");
}

/* Is the next character this one?  Then it is behind us. */
static bool
take(struct parser *s, char c)
{
	skip_blanks(s);
	if (*s->p != c)
		return false;
	s->p++;
	return true;
}

static int
expect(struct parser *s, char c, const char *where)
{
	if (take(s, c))
		return 0;
	return ini_error(
	    s->d->ini, s->p, s->err, "formula: expected %c %s", c, where);
}

static size_t
word_length(const char *p)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.";
	size_t n = 0;

	/* Bytes beyond ASCII are letters of some language. */
	while (p[n] != '\0' &&
	    (strchr(first, p[n]) != NULL || (unsigned char)p[n] >= 0x80 ||
		(n > 0 && strchr("0123456789", p[n]) != NULL)))
		n++;
	return n;
}

/* A name, `quoted` or not.  *at is where it stands. */
static char *
name(struct parser *s, const char **at)
{
	size_t n;
	char *text;

	skip_blanks(s);
	*at = s->p;
	if (*s->p == '`') {
		n = strcspn(s->p + 1, "`");
		if (s->p[n + 1] == '\0') {
			ini_error(s->d->ini, s->p, s->err,
			    "formula: a ` that is not closed");
			return NULL;
		}
		text = draft_printf(s->d, s->err, "%.*s", (int)n, s->p + 1);
		s->p += n + 2;
		return text;
	}
	if ((n = word_length(s->p)) == 0) {
		ini_error(s->d->ini, s->p, s->err,
		    *s->p == '\0'
			? "formula: ends where a column was expected"
			: "formula: expected a column, or one of log, I, rcs, "
			  "offset");
		return NULL;
	}
	text = draft_printf(s->d, s->err, "%.*s", (int)n, s->p);
	s->p += n;
	return text;
}

/*
 * A name that is kept where it stands, so that later errors can point at it.
 * What follows it is still to be read: the NUL is written at the end.
 */
static char *
kept_name(struct parser *s)
{
	const char *at;
	char *copy = name(s, &at), *start;

	if (copy == NULL)
		return NULL;
	start = s->p - strlen(copy) - (*at == '`');
	s->ends[s->n_ends++] = start + strlen(copy);
	return start;
}

/* Is the kept name this word? */
static bool
is_word(const struct parser *s, const char *kept, const char *word)
{
	return s->ends[s->n_ends - 1] == kept + strlen(word) &&
	    strncmp(kept, word, strlen(word)) == 0;
}

static int
number(struct parser *s, double *v)
{
	char *end;

	skip_blanks(s);
	*v = strtod(s->p, &end);
	if (end == s->p || !(*v >= -1e15 && *v <= 1e15))
		return ini_error(
		    s->d->ini, s->p, s->err, "formula: expected a number");
	s->p = end;
	return 0;
}

static int
whole(struct parser *s, double min, double max, size_t *n)
{
	char *at;
	double v;

	skip_blanks(s);
	at = s->p;
	if (number(s, &v) < 0)
		return -1;
	if (v < min || v > max || !study_whole(v))
		return ini_error(s->d->ini, at, s->err,
		    "formula: expected a whole number of %.0f to %.0f", min,
		    max);
	*n = (size_t)v;
	return 0;
}

/* c(1, 2, 3), from the parenthesis on. */
static int
knots(struct parser *s, struct formula_atom *a)
{
	double *v = ini_alloc(s->d->ini, STUDY_KNOTS_MAX, sizeof(*v), s->err);
	const char *at;

	if (v == NULL || expect(s, '(', "after c") < 0)
		return -1;
	do {
		skip_blanks(s);
		at = s->p;
		if (a->n_knots == STUDY_KNOTS_MAX)
			return ini_error(s->d->ini, at, s->err,
			    "formula: more than %d knots", STUDY_KNOTS_MAX);
		if (number(s, &v[a->n_knots]) < 0)
			return -1;
		if (a->n_knots > 0 && v[a->n_knots] <= v[a->n_knots - 1])
			return ini_error(s->d->ini, at, s->err,
			    "formula: expected knots in order, each larger "
			    "than the one before");
		a->n_knots++;
	} while (take(s, ','));
	if (a->n_knots < 3)
		return ini_error(s->d->ini, at, s->err,
		    "formula: %zu knots, expected at least 3", a->n_knots);
	a->knots = v;
	return expect(s, ')', "after the knots");
}

/* The inside of log(), I() and rcs(), with their parentheses. */
static int
function(struct parser *s, struct formula_atom *a)
{
	const char *at;

	if (expect(s, '(', "after a function's name") < 0 ||
	    (a->name = name(s, &at)) == NULL)
		return -1;
	switch (a->fn) {
	case STUDY_POWER:
		if (expect(s, '^', "after the column: I(column^2)") < 0 ||
		    whole(s, 2, 9, &a->power) < 0)
			return -1;
		break;
	case STUDY_SPLINE:
		if (expect(s, ',', "and the knots after the column") < 0)
			return -1;
		skip_blanks(s);
		if (*s->p == 'c') {
			s->p++;
			if (knots(s, a) < 0)
				return -1;
		} else if (whole(s, 3, STUDY_KNOTS_MAX, &a->n_knots) < 0)
			return -1;
		break;
	default:
		break;
	}
	return expect(s, ')', "at the end of the function");
}

static bool
same_atom(const struct formula_atom *a, const struct formula_atom *b)
{
	return a->fn == b->fn && strcmp(a->name, b->name) == 0 &&
	    a->power == b->power;
}

/* A product of atoms is a set: b:a is a:b. */
static bool
same_effect(const struct formula_effect *a, const struct formula_effect *b)
{
	if (a->n_atoms != b->n_atoms)
		return false;
	for (size_t i = 0; i < a->n_atoms; i++) {
		size_t j = 0;

		while (j < b->n_atoms && !same_atom(&a->atoms[i], &b->atoms[j]))
			j++;
		if (j == b->n_atoms)
			return false;
	}
	return true;
}

static int
add_effect(struct parser *s, const struct formula_effect *e)
{
	struct formula *f = s->f;

	for (size_t i = 0; i < f->n_effects; i++) {
		if (same_effect(&f->effects[i], e))
			return 0;
	}
	if (f->n_effects == FORMULA_EFFECTS_MAX)
		return ini_error(s->d->ini, e->atoms[0].at, s->err,
		    "formula: more than %d effects", FORMULA_EFFECTS_MAX);
	f->effects[f->n_effects++] = *e;
	return 0;
}

/* offset(a) or offset(log(a)), from the parenthesis on. */
static int
offset(struct parser *s, const char *at)
{
	if (s->f->offset != NULL)
		return ini_error(
		    s->d->ini, at, s->err, "formula: a second offset");
	if (expect(s, '(', "after offset") < 0 ||
	    (s->f->offset = kept_name(s)) == NULL)
		return -1;
	skip_blanks(s);
	if (is_word(s, s->f->offset, "log") && *s->p == '(') {
		s->p++;
		s->n_ends--;
		if ((s->f->offset = kept_name(s)) == NULL ||
		    expect(s, ')', "after log(column") < 0)
			return -1;
		s->f->offset_is_log = true;
	}
	return expect(s, ')', "at the end of offset");
}

/* *was_offset: nothing but offset(...) was read. */
static int
atom(struct parser *s, struct formula_atom *a, bool *was_offset)
{
	static const struct {
		const char *word;
		int fn;
	} functions[] = { { "log", STUDY_LOG }, { "I", STUDY_POWER },
		{ "rcs", STUDY_SPLINE } };
	const char *at;
	char *word;

	*a = (struct formula_atom){ .fn = STUDY_VALUE };
	*was_offset = false;
	skip_blanks(s);
	if (strchr("0123456789", *s->p) != NULL && *s->p != '\0')
		return ini_error(s->d->ini, s->p, s->err,
		    "formula: numbers are no terms; the intercept is where "
		    "the kind of model has one");
	if ((word = name(s, &at)) == NULL)
		return -1;
	a->at = at;
	a->name = word;
	skip_blanks(s);
	if (*at == '`' || *s->p != '(')
		return 0;
	if (strcmp(word, "offset") == 0) {
		*was_offset = true;
		return offset(s, at);
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		if (strcmp(word, functions[i].word) == 0) {
			a->fn = functions[i].fn;
			return function(s, a);
		}
	}
	return ini_error(s->d->ini, at, s->err,
	    "formula: %.40s is no function here, expected log, I, rcs or "
	    "offset",
	    word);
}

/* Each atom once, in the order of the text. */
static int
number_atom(struct parser *s, struct formula_atom *a)
{
	while (a->order < s->n_seen && !same_atom(&s->seen[a->order], a))
		a->order++;
	if (a->order < s->n_seen)
		return 0;
	if (s->n_seen == sizeof(s->seen) / sizeof(*s->seen))
		return ini_error(s->d->ini, a->at, s->err,
		    "formula: more than %zu different terms", s->n_seen);
	s->seen[s->n_seen++] = *a;
	return 0;
}

/* a:b:c */
static int
product(struct parser *s, struct formula_effect *e, bool *was_offset)
{
	e->n_atoms = 0;
	do {
		struct formula_atom a;

		if (atom(s, &a, was_offset) < 0)
			return -1;
		if (*was_offset && e->n_atoms > 0)
			return ini_error(s->d->ini, a.at, s->err,
			    "formula: an offset is in no product");
		if (*was_offset)
			return 0;
		for (size_t i = 0; i < e->n_atoms; i++) {
			if (same_atom(&e->atoms[i], &a))
				return ini_error(s->d->ini, a.at, s->err,
				    "formula: \"%.60s\" is in this product "
				    "twice",
				    a.name);
		}
		if (e->n_atoms == FORMULA_ATOMS_MAX)
			return ini_error(s->d->ini, a.at, s->err,
			    "formula: a product of more than %d",
			    FORMULA_ATOMS_MAX);
		if (number_atom(s, &a) < 0)
			return -1;
		e->atoms[e->n_atoms++] = a;
	} while (take(s, ':'));
	return 0;
}

static int
multiply(struct parser *s, const struct formula_effect *a,
    const struct formula_effect *b, struct formula_effect *out)
{
	if (a->n_atoms + b->n_atoms > FORMULA_ATOMS_MAX)
		return ini_error(s->d->ini, b->atoms[0].at, s->err,
		    "formula: a product of more than %d", FORMULA_ATOMS_MAX);
	*out = *a;
	for (size_t i = 0; i < b->n_atoms; i++) {
		size_t j = 0;

		while (j < out->n_atoms &&
		    !same_atom(&out->atoms[j], &b->atoms[i]))
			j++;
		if (j == out->n_atoms)
			out->atoms[out->n_atoms++] = b->atoms[i];
	}
	return 0;
}

/* p*q*r: all products of some of them. */
static int
crossed(struct parser *s)
{
	struct formula_effect all[1 << FORMULA_ATOMS_MAX], e;
	size_t n = 0;
	bool was_offset;

	do {
		size_t before = n;

		if (product(s, &e, &was_offset) < 0)
			return -1;
		if (was_offset) {
			skip_blanks(s);
			if (n > 0 || *s->p == '*' || *s->p == ':')
				return ini_error(s->d->ini, s->p, s->err,
				    "formula: an offset is in no product");
			return 0;
		}
		if (n >= 1u << (FORMULA_ATOMS_MAX - 1))
			return ini_error(s->d->ini, e.atoms[0].at, s->err,
			    "formula: a product of more than %d",
			    FORMULA_ATOMS_MAX);
		all[n++] = e;
		for (size_t i = 0; i < before; i++) {
			if (multiply(s, &all[i], &e, &all[n++]) < 0)
				return -1;
		}
	} while (take(s, '*'));
	for (size_t i = 0; i < n; i++) {
		if (add_effect(s, &all[i]) < 0)
			return -1;
	}
	return 0;
}

/* outcome, Surv(time, event) or Surv(entry, time, event) */
static int
left_side(struct parser *s)
{
	char *word = kept_name(s);

	if (word == NULL)
		return -1;
	skip_blanks(s);
	if (!is_word(s, word, "Surv") || *s->p != '(') {
		s->f->outcome = word;
		return 0;
	}
	s->p++;
	s->n_ends--;
	if ((s->f->time = kept_name(s)) == NULL ||
	    expect(s, ',', "after the time: Surv(time, event)") < 0 ||
	    (s->f->event = kept_name(s)) == NULL)
		return -1;
	if (take(s, ',')) {
		s->f->entry = s->f->time;
		s->f->time = s->f->event;
		if ((s->f->event = kept_name(s)) == NULL)
			return -1;
	}
	return expect(s, ')', "after the event");
}

/* In a product, by where each stands first in the text, as R has it. */
static void
sort_atoms(struct formula_effect *e)
{
	for (size_t i = 1; i < e->n_atoms; i++) {
		struct formula_atom a = e->atoms[i];
		size_t j = i;

		for (; j > 0 && e->atoms[j - 1].order > a.order; j--)
			e->atoms[j] = e->atoms[j - 1];
		e->atoms[j] = a;
	}
}

/* Stable: what came first stays first. */
static void
lower_products_first(struct formula *f)
{
	for (size_t i = 1; i < f->n_effects; i++) {
		struct formula_effect e = f->effects[i];
		size_t j = i;

		for (; j > 0 && f->effects[j - 1].n_atoms > e.n_atoms; j--)
			f->effects[j] = f->effects[j - 1];
		f->effects[j] = e;
	}
}

int
formula_parse(struct draft *d, char *text, struct formula *f, struct err *err)
{
	struct parser s = { .d = d, .f = f, .p = text, .err = err };

	*f = (struct formula){ 0 };
	if (left_side(&s) < 0 || expect(&s, '~', "after the outcome") < 0)
		return -1;
	do {
		if (crossed(&s) < 0)
			return -1;
	} while (take(&s, '+'));
	skip_blanks(&s);
	if (*s.p != '\0')
		return ini_error(
		    d->ini, s.p, err, "formula: expected + * : or the end");
	if (f->n_effects == 0)
		return ini_error(d->ini, s.p, err, "formula: there is no term");
	lower_products_first(f);
	for (size_t i = 0; i < f->n_effects; i++)
		sort_atoms(&f->effects[i]);
	for (size_t i = 0; i < s.n_ends; i++)
		*s.ends[i] = '\0';
	return 0;
}

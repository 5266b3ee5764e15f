/*
 * The formula of a model, as R writes it:
 *
 *     outcome ~ age + sex*stage + rcs(bmi, 4) + offset(log(t))
 *
 *     Surv(time, event) ~ ...     the outcome of a Cox model
 *     a:b     the product; a*b    a + b + a:b
 *     log(a), I(a^2)              of a number
 *     rcs(a, c(1, 2, 3))          a restricted cubic spline with these knots;
 *     rcs(a, 4)                   with those of the column, which must be 4
 *     offset(a), offset(log(a))   added to the linear predictor
 *     `a b`                       a column whose name is no word
 *
 * Lower products stand before higher ones, whatever the order of the text.
 */
#ifndef STUDY_FORMULA_H
#define STUDY_FORMULA_H

#include "study/study.h"

struct draft;

#define FORMULA_EFFECTS_MAX 64
#define FORMULA_ATOMS_MAX 4 /* in one product */

/* What stands between + and :, before levels and splines become terms. */
struct formula_atom {
	int fn; /* enum study_fn */
	const char *at, *name; /* where it stands; the column as written */
	size_t column; /* set by the model's check */
	size_t power;
	const double
	    *knots; /* (n_knots); NULL: the column's, n_knots of them */
	size_t n_knots;
	size_t order; /* by where it stands first in the text */
};

struct formula_effect {
	struct formula_atom atoms[FORMULA_ATOMS_MAX];
	size_t n_atoms;
};

struct formula {
	char *time, *entry, *event, *outcome; /* names of columns, or NULL */
	char *offset; /* a column's name, or NULL */
	bool offset_is_log;
	struct formula_effect effects[FORMULA_EFFECTS_MAX];
	size_t n_effects;
};

/* Text is a value of d->ini.  -1 with "FILE:LINE:COLUMN: ..." */
int formula_parse(
    struct draft *d, char *text, struct formula *f, struct err *err);

#endif

/*
 * A study while it is being read: what the file says, before the checks have
 * resolved names and texts.  For study/ alone.
 */
#ifndef STUDY_DRAFT_H
#define STUDY_DRAFT_H

#include "study/study.h"

struct formula;
struct formula_effect;

struct draft_column {
	struct study_column c;
	char *range, *levels, *reference, *knots, *level, *from, *to,
	    *diversity, *closeness;
};

struct draft_hierarchy {
	char *column;
	char *levels[STUDY_HIERARCHY_MAX]; /* level-1, level-2, ... */
};

struct draft_model {
	struct study_model m;
	char *time, *entry, *event, *outcome, *event_level, *censored, *offset,
	    *weights, *trials, *formula_text;
	struct formula *formula; /* NULL: a list of terms */
	struct ini_list terms, strata, groups, varying, cuts;
};

struct draft {
	struct study *s;
	struct ini *ini;
	struct draft_column *columns; /* (n_columns) */
	struct draft_hierarchy *hierarchies; /* (n_hierarchies) */
	size_t n_columns, n_hierarchies;
	struct draft_model model;
};

/* Types, ranges, levels, intervals, privacy and use of every column. */
int codebook_check(struct draft *d, struct err *err);

/* The hierarchy of a column (NULL: none), and the level that is chosen. */
int recode_compile(struct draft *d, struct draft_column *dc,
    const struct draft_hierarchy *h, struct err *err);

/* Outcome, strata and terms, and which columns the table has. */
int model_check(struct draft *d, struct err *err);

/* One more term; at: where errors point to. */
int draft_term(
    struct draft *d, const char *at, struct study_term t, struct err *err);
/* The differences of terms that vary with time, once all others are there. */
int cox_vary(struct draft *d, struct err *err);
/* What a Cox model says beside its coefficients. */
int cox_check(struct draft *d, struct err *err);

/* A column of this use (enum study_use), which the codebook must have. */
int draft_column(struct draft *d, const char *key, const char *name, int use,
    size_t *at, struct err *err);

/* The terms of an effect whose columns are known; names as in R, or with "=". */
int term_expand(struct draft *d, const struct formula_effect *e, bool formula,
    struct err *err);
/* Finds the columns of a formula, and adds the terms of all its effects. */
int terms_of_formula(struct draft *d, struct formula *f, struct err *err);

/* Is it made of YYYY, MM and DD, each once, and punctuation? */
bool date_format_valid(const char *format);

/* printf into memory of the study. */
char *draft_printf(struct draft *d, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif

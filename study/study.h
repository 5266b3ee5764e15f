/*
 * A study file (consilium-study(5)), read and checked: what is asked, of
 * whom, of which columns, by which model, under which privacy rules.  What is
 * signed is the file's text; every site reads the same bytes into this.
 *
 * All memory belongs to the study and is read-only to everybody else; nothing
 * here depends on the time, the locale or the machine.
 */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ini.h"

struct err;
struct model_spec;

#define STUDY_TEXT_MAX INI_FILE_MAX
#define STUDY_NAME_MAX 48 /* bytes, [a-z0-9-] */
#define STUDY_COLUMNS_MAX 1024
#define STUDY_COLUMN_NAME_MAX 63 /* bytes */
#define STUDY_LEVELS_MAX 4096 /* of one column */
#define STUDY_KNOTS_MAX 10 /* of a spline */
#define STUDY_CUTS_MAX 8 /* of the time, for terms that vary with it */
#define STUDY_HIERARCHY_MAX 9 /* levels, beside 0 (as it is) and the top */

#define STUDY_PSEUDONYM_MAX 0xfffffffffffffp0 /* 2^52 - 1 */
#define STUDY_COUNTABLE_MAX (1 << 20) /* values of a hierarchy's column */

/* The columns of a recoding study, which no table of patients has. */
#define STUDY_RECODING_ITEM "recoding-item"
#define STUDY_RECODING_VALUE "recoding-value"

#define STUDY_NONE SIZE_MAX /* no such column */

/* A value that is missing, where a table may hold one; below any range. */
#define STUDY_MISSING (-0x1p1000)

enum study_kind {
	STUDY_COX,
	STUDY_LOGISTIC,
	STUDY_GLM,
	STUDY_KM,
	STUDY_SUMMARY,
	STUDY_RECODING,
	STUDY_CUMINC
};
enum study_family {
	STUDY_GAUSSIAN,
	/* Without trials it is STUDY_LOGISTIC once the study is read. */
	STUDY_BINOMIAL,
	STUDY_POISSON,
	STUDY_QUASIPOISSON,
	STUDY_GAMMA,
	STUDY_NEGBIN,
	STUDY_QUASIBINOMIAL
};
enum study_link { STUDY_LOG_LINK, STUDY_INVERSE_LINK }; /* gamma */
enum study_bounds {
	STUDY_LOG_BOUNDS,
	STUDY_LOG_LOG_BOUNDS,
	STUDY_PLAIN_BOUNDS
};
enum study_band { STUDY_NO_BAND, STUDY_HALL_WELLNER, STUDY_EQUAL_PRECISION };
enum study_ties { STUDY_BRESLOW, STUDY_EFRON };
enum study_strata {
	STUDY_STRATA_NONE,
	STUDY_STRATA_SITE,
	STUDY_STRATA_COLUMNS
};
/* Whose residuals standard errors follow from. */
enum study_robust { STUDY_ROBUST_NO, STUDY_ROBUST_PATIENT, STUDY_ROBUST_SITE };
enum study_suite { STUDY_AES256CTR, STUDY_CHACHA20 };
enum study_cohort { STUDY_FIXED, STUDY_OPEN };
/* Every report and every approval of a study with an open cohort says so. */
#define STUDY_OPEN_WARNING "the coordinator can deduce this hospital's totals"
/* Every report and every approval of a study that learns says so. */
#define STUDY_LEARNING_NOTE                                                    \
	"all that leaves is noised sums; what they tell of one patient is "    \
	"limited to epsilon %g (delta %g), what they tell of this hospital "   \
	"as a whole is not"
enum study_recoding { STUDY_GLOBAL, STUDY_LOCAL };
enum study_verify { STUDY_REPLAY, STUDY_SAMPLE, STUDY_TRUST };
enum study_yes { STUDY_NO, STUDY_YES };
enum study_extra { STUDY_EXTRA_REFUSE, STUDY_EXTRA_DROP };

enum study_type {
	STUDY_REAL,
	STUDY_INTEGER,
	STUDY_DATE,
	STUDY_LEVELS,
	STUDY_TEXT,
	STUDY_INTERVAL, /* days between two date columns; not in the source */
};

enum study_privacy {
	STUDY_PLAIN, /* none */
	STUDY_DIRECT, /* direct-identifier: dropped, whatever else */
	STUDY_QUASI, /* quasi-identifier */
	STUDY_SENSITIVE,
};

enum study_use {
	STUDY_IGNORED,
	STUDY_FEATURE,
	STUDY_OUTCOME,
	STUDY_STRATUM,
};

/* What a class of patients must be like in a sensitive column. */
enum study_diversity {
	STUDY_ANY,
	STUDY_DISTINCT,
	STUDY_ENTROPY,
	STUDY_RECURSIVE
};
enum study_closeness {
	STUDY_FAR,
	STUDY_EQUAL,
	STUDY_ORDERED,
	STUDY_HIERARCHICAL
};

/* One level of a column: what stands in the source, and what people read. */
struct study_value {
	char *value, *label; /* label is value where none was given */
};

/*
 * One level of a hierarchy.  The groups of a level partition those of the
 * level before, so that the groups form a tree.
 */
struct study_recode {
	enum study_recode_kind {
		STUDY_CUT, /* numbers into intervals */
		STUDY_GROUP, /* levels into groups */
		STUDY_MASK, /* text: the first keep characters */
		STUDY_TOP, /* everything into one group, "*" */
	} kind;
	size_t n_groups; /* 0 for STUDY_MASK */
	char **labels; /* (n_groups) */
	/* STUDY_CUT: group g is cuts[g] <= v < cuts[g + 1], the last one
	   with its upper end; its documented number is numbers[g]. */
	double *cuts; /* (n_groups + 1), increasing */
	double *numbers; /* (n_groups) */
	size_t *group_of; /* STUDY_GROUP: (n_levels) of the column */
	size_t keep; /* STUDY_MASK: characters, not bytes */
	bool zip3; /* STUDY_MASK: by study/zip3.h */
};

struct study_column {
	char *name;
	char *title; /* what people read; the name where none was given */
	int type; /* enum study_type */
	int privacy; /* enum study_privacy */
	int use; /* enum study_use */
	char *unit; /* or NULL */
	double lo, hi; /* range: real, integer, interval; dates in days since
			  1970-01-01 */
	bool has_range;
	double shift; /* dates: days by which lo and hi are further apart than
			 what a source may have, at each end */
	struct study_value *levels; /* (n_levels) */
	size_t n_levels;
	size_t reference; /* the level that has no term */
	double *knots; /* (n_knots), increasing; of rcs() in a formula */
	size_t n_knots;
	const struct study_value **by_value; /* (n_levels), sorted */
	struct ini_list missing; /* codes; NA and the empty cell by default */
	struct ini_list formats; /* dates, e.g. DD.MM.YYYY; any of them */
	size_t from, to; /* interval: indexes of its two date columns */
	/* Its hierarchy: level i is recodes[i - 1], the last one is the top.
	   0 of them where there is no hierarchy and level is 0. */
	struct study_recode *recodes;
	size_t n_recodes;
	size_t level; /* the study's choice; 0: as it is */
	bool local; /* each class of patients has its own level, up to level */
	bool mean; /* level = mean: each number becomes the mean of k near it */
	double weight; /* quasi-identifier: of its loss */
	int diversity, closeness; /* sensitive levels */
	double diversity_l, diversity_c, closeness_t;
	bool in_table; /* the model reads it */
	bool in_k; /* a quasi-identifier that is held to k */
};

/* One number of a row, from one column. */
struct study_factor {
	enum study_fn {
		STUDY_VALUE, /* the number itself */
		STUDY_LEVEL, /* 1 if the row's level (group) is level, else 0 */
		STUDY_LOG, /* natural logarithm */
		STUDY_POWER, /* the number to the power of power, 2 to 9 */
		STUDY_SPLINE, /* study_spline() */
	} fn;
	size_t column, level, power;
	const double *knots; /* (n_knots), increasing */
	size_t n_knots, spline;
};

/* One number per patient that the model gives a coefficient. */
struct study_term {
	char *name; /* "age", "size=20-50"; of a formula "size20-50:age" */
	struct study_factor *factors; /* (n_factors) it is the product of */
	size_t n_factors;
	size_t effect; /* which of study->effects it is part of */
	/* It is 0 but from time cut number piece (from 1) to the next; 0: it
	   is what it is all the time. */
	size_t piece;
	double min, max; /* bounds that the codebook and the recoding prove */
};

struct study {
	/* [study] */
	char *name, *title, *purpose, *legal_basis, *ethics, *contact;
	struct ini_list sites; /* names; empty: whom the signature names */
	int64_t expires; /* the last day, in days since 1970-01-01 */
	int extra_columns; /* enum study_extra */

	/* [model] */
	struct study_model {
		int kind, ties; /* enum study_kind, study_ties */
		int family; /* enum study_family; glm */
		int link; /* enum study_link; -1: not said */
		double time_step; /* of the grid of times, in time's unit */
		/* Regressions: enum study_robust. */
		int robust;
		int ph_test, baseline; /* Cox: enum study_yes */
		double rmst_until; /* km; 0: no restricted mean */
		int bounds; /* km, cuminc: enum study_bounds */
		int band; /* km: enum study_band */
		double rho; /* km: of the weighted test; -1: not said */
		size_t summary_bins; /* summary: of a number's range */
		/* Only to count who could take part: enum study_yes. */
		int feasibility;
		size_t time, event; /* Cox, km: columns */
		size_t entry; /* Cox: column, or STUDY_NONE */
		double *cuts; /* (n_cuts), Cox: points of the grid */
		size_t n_cuts;
		size_t n_times; /* Cox, km: points of the grid */
		size_t outcome; /* logistic, glm: column */
		double theta; /* glm, negative binomial; 0: not said */
		double ridge; /* logistic, glm: lambda; 0: no penalty */
		size_t offset; /* column, or STUDY_NONE */
		size_t weights; /* the same; family = binomial: trials */
		bool offset_is_log; /* the logarithm of offset is added */
		size_t event_level; /* the level of event or outcome that
				       means 1; cuminc: that means none */
		size_t concordance_bins;
		int strata; /* enum study_strata */
		size_t *strata_columns; /* km, summary: and those of the
					   groups */
		size_t n_strata_columns;
	} model;
	struct study_term *terms; /* in the order of the results */
	size_t n_terms;
	char **effects; /* (n_effects) columns, or products, of the terms */
	size_t n_effects;
	size_t n_strata; /* 1 for none; 0 for site: one per site;
			    km: groups in strata */
	char **groups; /* km, summary: (n_groups) names, "sex=1" */
	size_t n_groups;
	/* Summary: what is described; feasibility: the table's columns. */
	size_t *variables; /* (n_variables) columns */
	size_t n_variables;

	/* [rounds]; times in seconds */
	struct study_rounds {
		size_t max_iterations;
		double tolerance; /* largest Newton step, in standard errors */
		size_t ready_wait_s, share_s, upload_s, confirm_s, unmask_s;
		size_t keep_uploads; /* rounds */
	} rounds;

	/* [privacy] */
	struct study_rules {
		size_t k;
		double suppression_limit; /* share of the rows, 0 to 1 */
		double population; /* people of whom a site's patients are a
				      sample; 0: not said */
		double average_risk; /* most classes by rows; 0: any */
		double risk_threshold; /* a chance to point at the right row
					  that the report calls high */
		size_t smallest_risk_set_step; /* patients */
		size_t events_per_term;
		size_t smallest_cell; /* patients; summary, feasibility */
		size_t dominance; /* percent; summary; 0: no rule */
		/* enum study_suite, study_cohort, study_verify */
		int suite, cohort, verify;
		int recoding; /* enum study_recoding */
		char *patient_name; /* or NULL */
		size_t patient; /* the column that tells patients apart, where
				   one may have several rows; STUDY_NONE */
		int pseudonym; /* enum study_yes: the table has it as a number
				  that only the reader can make */
		size_t date_shift; /* all dates of a patient, by one number of
				      days up to this; 0: none */
		size_t max_rejected_rows;
		size_t rows_per_site; /* upper bound; no sum can overflow */
	} privacy;

	/* [learning]; rounds is 0 where there is none */
	struct study_learning {
		size_t rounds, retries;
		double step, momentum; /* of the gradient steps */
		double clip; /* C, largest norm of what a patient adds */
		double epsilon, delta; /* for one patient, of all sums */
		size_t ring; /* bits of a word: 32 or 64 */
	} learning;

	/* The codebook, in the file's order. */
	struct study_column *columns; /* (n_columns) */
	size_t n_columns;
	/* The anonymized table's columns: indexes into columns. */
	size_t *table; /* (n_table) */
	size_t n_table;
	/* Quasi-identifiers that are held to k: indexes into columns. */
	size_t *quasi; /* (n_quasi) */
	size_t n_quasi;

	struct ini *ini; /* owns all of the above */
};

/* May a study, or a site, have this name? */
bool study_name_ok(const char *s);

/*
 * Read a study's text; name is what errors call it.  NULL with ERR_CONFIG and
 * "NAME:LINE:COLUMN: ..." if it is not one that could be run.
 */
struct study *study_parse(
    const char *name, const void *text, size_t len, struct err *err);
struct study *study_load(const char *path, struct err *err);
void study_free(struct study *s); /* NULL is fine */

/* How the study wants its rounds, in the numbers that a roster has
   (docs/PROTOCOL.md, M0). */
uint8_t study_suite(const struct study *s);
/* Bits of a ring word. */
uint8_t study_bits(const struct study *s);
uint8_t study_verify(const struct study *s);
uint8_t study_cohort(const struct study *s);
/* "replay", "sample" or "trust" */
const char *study_verify_name(const struct study *s);

/* The model's part of it, for n_sites sites. */
int study_model_spec(const struct study *s, size_t n_sites,
    struct model_spec *spec, struct err *err);
/* The index of a column, or STUDY_NONE. */
size_t study_find(const struct study *s, const char *column);
/* Km and cuminc: are there groups of patients, and no terms? */
bool study_has_curves(const struct study *s);
/* The cause of a cuminc study's event, from 1 on; 0: there was none. */
size_t study_cause(const struct study *s, double level);
/* Does it have a time and an event? */
bool study_has_time(const struct study *s);
/* Is it the event or the outcome that the table holds as 0 or 1? */
bool study_is_event(const struct study *s, size_t column);
/* Is it the pseudonym that the table holds in place of an identifier? */
bool study_is_pseudonym(const struct study *s, size_t column);
/* Are its tables made with a secret of the site? */
bool study_wants_secret(const struct study *s);
/* Is what the model explains a number, not a level that is there or not? */
bool study_has_y(const struct study *s);
/* Is only counted or described what there is, so that no number may be about
   fewer patients than privacy.smallest_cell? */
bool study_has_cells(const struct study *s);
/* May the table hold STUDY_MISSING there?  Else a row without is left out. */
bool study_may_miss(const struct study *s, size_t column);
/* The column that the model explains; STUDY_NONE: a summary has none. */
size_t study_outcome(const struct study *s);

/*
 * Recoding.  Values are numbers; a levels column's value is its level's index.
 */
/* The recode that the study chose, or NULL: as it is. */
const struct study_recode *study_recode(const struct study_column *c);
/* Numbers: the range after recoding. */
void study_bounds(const struct study_column *c, double *lo, double *hi);
/* Sets a term's min and max. */
void study_term_bounds(const struct study *s, struct study_term *t);
/* Bounds of log(x) for 0 < lo <= x <= hi, the same on every machine. */
void study_log_bounds(double lo, double hi, double *min, double *max);
/* Nonlinear part i (0 to n - 3) of the restricted cubic spline with n knots. */
double study_spline(const double *knots, size_t n, size_t i, double x);
double study_power(double x, size_t power);
/* Levels: the level, or the group of it, that has no term. */
size_t study_reference(const struct study_column *c);
/* How many values the column has after recoding; 0: as many as there are
   numbers (or texts). */
size_t study_n_groups(const struct study_column *c);
/* The group of v in r; v lies in the column's range.  Not for STUDY_MASK. */
size_t study_group(const struct study_recode *r, double v);
/* What the table holds for v: v, a group's documented number, or a group's
   index (levels).  For the outcome of a model see study_table_value(). */
double study_recoded(const struct study_column *c, double v);
/* A quasi-identifier's number at one of its levels: of a group, or v itself. */
double study_number(const struct study_column *c, size_t level, double v);
/* The same as study_recoded() for a column of the table that is not local:
   event and outcome become 0 or 1, times the nearest point of the grid. */
double study_table_value(const struct study *s, size_t column, double v);
/* Cox, km: the nearest point of the grid to a time in the column's range, and the
   time of a point. */
size_t study_time_index(const struct study *s, double v);
double study_time(const struct study *s, size_t index);
/* Is an entry before a time, at their nearest points of the grid? */
bool study_is_observed(const struct study *s, double entry, double time);
/* Does the model ask which rows are of one patient? */
bool study_links_rows(const struct study *s);
/*
 * Forget the recoding of numbers: they are as they are from now on, and the
 * model's bounds for them the codebook's range.  Groups of levels stay, since
 * the model's terms are made of them.  Only for showing what anonymization
 * costs; nothing that is sent may come of it.
 */
void study_keep_numbers(struct study *s);
/* What people read for a value after recoding: a group's or level's label;
   NULL for plain numbers.  g is study_group()'s or a level's index. */
const char *study_label(const struct study_column *c, size_t g);
/* STUDY_MASK: what is kept of a text, and its bytes. */
const char *study_mask(
    const struct study_recode *r, const char *text, size_t *len);

/*
 * A cell as what the codebook says it is.  0, or -1 where it is not: not a
 * number, not whole, no such level, no such date, outside of the range.
 * Missing codes are the caller's to look for first.  For real, integer, date
 * (days since 1970-01-01) and levels (index).
 */
int study_cell(
    const struct study_column *c, const char *cell, size_t len, double *v);
/* Is it a whole number, not too large to be told from its neighbours? */
bool study_whole(double v);
/* Text by a date format (YYYY, MM and DD, each once, and punctuation) into
   days since 1970-01-01; -1 if it is not such a date. */
int study_date(const char *format, const char *text, size_t len, int64_t *day);
#define STUDY_DATE_TEXT_SIZE 16 /* YYYY-MM-DD and NUL */
void study_date_text(int64_t day, char out[STUDY_DATE_TEXT_SIZE]);

/* Is this cell one of the column's missing codes? */
bool study_missing(const struct study_column *c, const char *cell, size_t len);
/* The index of the level whose value this cell is, or STUDY_NONE. */
size_t study_level(const struct study_column *c, const char *cell, size_t len);

#endif

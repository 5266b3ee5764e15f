/*
 * What a kind of model has in its result, for model/ alone: one entry in a table
 * of operations.  The entry of kind NAME is report_NAME: of regressions in
 * model/regression.c, of others in a file of their own.
 */
#ifndef MODEL_REPORT_H
#define MODEL_REPORT_H

#include <stdbool.h>

#include "model/result.h"
#include "model/step/kind.h"

struct canon;
struct json;

struct report_kind {
	/* result.json's "kind"; "family" and "link" of a glm, else NULL. */
	const char *kind, *family, *link;
	/* result.txt's, as "Linear regression". */
	const char *heading;
	/* What events_per_term counts, as "events". */
	const char *per_term;

	/* What is told of it after the heading; NULL: nothing. */
	void (*text_heading)(const struct plan *p, struct canon *out);
	void (*json_heading)(const struct plan *p, struct json *j);
	/* Warnings of this kind alone; NULL: there are none. */
	void (*warn)(const struct plan *p, struct result *r);
	/* Numbers of *r that are not of every kind; NULL: there are none. */
	void (*read)(const struct plan *p, struct result *r);
	/* The body of each file: all between the heading and the grid. */
	int (*json)(const struct plan *p, const struct result *r,
	    struct json *j, struct err *err);
	int (*text)(const struct plan *p, const struct result *r,
	    struct canon *out, struct err *err);

	/* Regressions (model/regression.c). */
	const char *ratio; /* what exp(coefficient) is, "HR"; NULL: nothing */
	const char *events; /* what is counted, "events"; NULL: nothing is */
	bool has_dispersion; /* it is estimated, with t and F tests */
	bool has_likelihood; /* else no AIC */
	bool has_concordance;
};

#define MODEL_DECLARE(constant, name)                                          \
	extern const struct report_kind report_##name;
MODEL_EACH_KIND(MODEL_DECLARE)
#undef MODEL_DECLARE

/* Cox (model/cox_report.c): what there is beside the coefficients. */
void cox_read(const struct plan *p, struct result *r);
int cox_json(const struct plan *p, const struct result *r, struct json *j,
    struct err *err);
int cox_text(const struct plan *p, const struct result *r, struct canon *out,
    struct err *err);

const struct report_kind *report_kind_of(const struct plan *p);

/* Another warning of the result: a clause without its full stop. */
void result_warn(struct result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* printf() to the end of out, at most 2 KiB. */
void report_print(struct canon *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Columns that a terminal takes for it: a character, one. */
int report_width(const char *s);

/* A number, or null. */
void report_number(struct json *j, const char *key, bool there, double v);

/* "<0.0001", "0.0123" */
const char *report_p(double p, char out[16]);
/* Six digits, or "-" where there is no such number. */
const char *report_digits(double v, char out[24]);

#endif

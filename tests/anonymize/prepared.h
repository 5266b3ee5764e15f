/*
 * A preparation from texts: what comes out, in memory.  For tests that look at
 * tables and reports; fails the test where the study cannot be read.
 */
#ifndef TESTS_ANONYMIZE_PREPARED_H
#define TESTS_ANONYMIZE_PREPARED_H

#include "anonymize/prepare.h"
#include "common/canon.h"
#include "common/err.h"
#include "common/json_read.h"
#include "study/study.h"
#include "study/table.h"

/* What every study of these tests has; a logistic model of "ill". */
#define PREPARED_HEAD PREPARED_MODEL("")
#define PREPARED_MODEL(more)                                                   \
	"[study]\nname = t\ntitle = T\npurpose = p\nlegal-basis = l\n"         \
	"ethics = e\ncontact = c\nexpires = 2099-12-31\n"                      \
	"[model]\nkind = logistic\noutcome = ill\n" more                       \
	"[column ill]\ntype = levels\nlevels = no, yes\n"                      \
	"privacy = sensitive\nuse = outcome\n"

struct prepared {
	int r; /* prepare()'s */
	struct err err;
	struct prepare_result result;
	struct study *s;
	uint8_t *file;
	struct table table; /* if r is 0 */
	char *json, *html; /* NUL-terminated */
	size_t json_len;
	struct json_value *report; /* json, if r is 0 */
};

/* more: the rest of a preparation's input (site, patients, last report ...), or
   NULL. */
void prepared_run(struct prepared *o, const char *study, const char *csv,
    const struct prepare *more);
void prepared_free(struct prepared *o);

/* The values of a column of the table. */
const double *prepared_values(const struct prepared *o, const char *name);
/* A number of the report: "privacy.after.highest". */
double prepared_number(const struct prepared *o, const char *path);
/* The study cannot be read, and the message has why. */
void prepared_refused(const char *study, const char *why);

/* Text that grows, and numbers that are the same in every run. */
struct text {
	struct canon c;
	uint64_t seed;
};

unsigned text_draw(struct text *t, unsigned below);
void text_add(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
const char *text_end(struct text *t); /* end it with canon_free(&t->c) */

#endif

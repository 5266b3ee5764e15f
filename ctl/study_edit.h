/*
 * A study's text with some keys changed; everything else, comments too, stays as
 * it is.
 */
#ifndef CTL_STUDY_EDIT_H
#define CTL_STUDY_EDIT_H

#include <stddef.h>

#include "study/study.h"

struct canon;
struct err;

struct study_change {
	const char *section, *arg; /* "column", "age"; arg NULL: none */
	const char *key, *value;
};

/* A name for what is made of the study in the file path: wanted, or if that is
   NULL the study's own with suffix. */
int study_edit_name(const struct study *s, const char *path, const char *wanted,
    const char *suffix, char name[STUDY_NAME_MAX + 1], struct err *err);

/* text is one that study_parse() takes; out->failed if there is no memory. */
void study_edit(const char *text, size_t len, const struct study_change *c,
    size_t n, struct canon *out);

/* Change the study in a file, check what comes of it, and create out. */
int study_edit_file(const char *path, const struct study_change *c, size_t n,
    const char *out, struct err *err);

#endif

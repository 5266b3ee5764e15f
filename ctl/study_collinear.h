/*
 * Terms of a model that no data can tell apart: what the codebook alone says.
 */
#ifndef CTL_STUDY_COLLINEAR_H
#define CTL_STUDY_COLLINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct study;

/*
 * The design matrix of rows that are drawn from the codebook's ranges and levels,
 * each column on its own: a term that is a combination of the terms before it there
 * is one in any rows.  (Two columns that always go together in patients are not
 * found.)  constant, collinear: bit i, term i.  -1: no memory.
 */
int study_collinear(const struct study *s, uint64_t *constant,
    uint64_t *collinear, struct err *err);

#endif

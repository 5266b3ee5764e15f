/*
 * A generalization hierarchy: a tree whose leaves are all values that a column
 * may have, and whose every level puts the groups of the level before
 * together.  Level 0 is the values as they are.
 */
#ifndef ANONYMIZE_HIERARCHY_H
#define ANONYMIZE_HIERARCHY_H

#include <stddef.h>
#include <stdint.h>

#include "anonymize/dictionary.h"

#define HIERARCHY_LEVELS_MAX 16 /* with level 0 */
#define HIERARCHY_LEAVES_MAX (1 << 20)

struct err;
struct study_column;

struct hierarchy_level {
	struct dictionary labels; /* of its groups */
	uint32_t *group_of; /* (n_leaves) */
	uint32_t *leaves; /* (labels.n) under each group */
	uint32_t *above; /* (labels.n) group of the next level; top: NULL */
};

struct hierarchy {
	size_t n_leaves, n_levels;
	struct hierarchy_level level[HIERARCHY_LEVELS_MAX];
};

/*
 * Read a file: one line per leaf, its groups from level 0 up, separated by
 * semicolons (or as csv.h finds).  ERR_FORMAT with name:line:column if a leaf
 * is there twice, lines are of unequal length, or a group lies in two of the
 * next level, so that it is no tree.  End with hierarchy_free().
 */
int hierarchy_read(
    struct hierarchy *h, int fd, const char *name, struct err *err);
/* A study's: columns of levels, and whole numbers with a range. */
int hierarchy_study(
    struct hierarchy *h, const struct study_column *c, struct err *err);
void hierarchy_free(struct hierarchy *h); /* leaves all zeros */

/* The leaf with this text, or DICTIONARY_NONE. */
uint32_t hierarchy_leaf(
    const struct hierarchy *h, const char *text, size_t len);

#endif

#include "anonymize/hierarchy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/csv.h"
#include "common/err.h"
#include "study/study.h"

static int
no_memory(const char *name, struct err *err)
{
	return err_sys(err, "%s: memory for its hierarchy", name);
}

void
hierarchy_free(struct hierarchy *h)
{
	for (size_t i = 0; i < HIERARCHY_LEVELS_MAX; i++) {
		struct hierarchy_level *l = &h->level[i];

		dictionary_free(&l->labels);
		free(l->group_of);
		free(l->leaves);
		free(l->above);
	}
	*h = (struct hierarchy){ 0 };
}

uint32_t
hierarchy_leaf(const struct hierarchy *h, const char *text, size_t len)
{
	return dictionary_find(&h->level[0].labels, text, len);
}

/* Room for one more leaf; *cap leaves fit. */
static int
grow(struct hierarchy *h, size_t *cap)
{
	size_t want = *cap == 0 ? 64 : 2 * *cap;

	if (h->n_leaves < *cap)
		return 0;
	for (size_t i = 0; i < h->n_levels; i++) {
		uint32_t *p = realloc(h->level[i].group_of, want * sizeof(*p));

		if (p == NULL)
			return -1;
		h->level[i].group_of = p;
	}
	*cap = want;
	return 0;
}

/* Count the leaves of every group, and find what is above it; 0, or the level
   above which *leaf shows that it is no tree, or -1. */
static int
link_levels(
    struct hierarchy *h, size_t *leaf, const char *name, struct err *err)
{
	for (size_t i = 0; i < h->n_levels; i++) {
		struct hierarchy_level *l = &h->level[i];
		size_t n = l->labels.n;

		l->leaves = calloc(n + 1, sizeof(*l->leaves));
		if (i + 1 < h->n_levels &&
		    (l->above = malloc((n + 1) * sizeof(*l->above))) == NULL)
			return no_memory(name, err);
		if (l->leaves == NULL)
			return no_memory(name, err);
		for (size_t g = 0; l->above != NULL && g < n; g++)
			l->above[g] = DICTIONARY_NONE;
		for (*leaf = 0; *leaf < h->n_leaves; ++*leaf) {
			uint32_t g = l->group_of[*leaf], up;

			l->leaves[g]++;
			if (l->above == NULL)
				continue;
			up = h->level[i + 1].group_of[*leaf];
			if (l->above[g] != DICTIONARY_NONE && l->above[g] != up)
				return (int)i + 1;
			l->above[g] = up;
		}
	}
	return 0;
}

static int
read_leaf(struct hierarchy *h, struct csv *csv, const char *name, size_t *cap,
    struct err *err)
{
	size_t n = csv_cells(csv), line = csv_line(csv);

	if (h->n_levels == 0)
		h->n_levels = n;
	if (n > HIERARCHY_LEVELS_MAX)
		return err_set(err, ERR_FORMAT,
		    "%s:%zu:1: %zu levels, at most %d are possible", name, line,
		    n, HIERARCHY_LEVELS_MAX);
	if (n != h->n_levels)
		return err_set(err, ERR_FORMAT,
		    "%s:%zu:1: %zu levels, the lines before have %zu", name,
		    line, n, h->n_levels);
	if (h->n_leaves == HIERARCHY_LEAVES_MAX)
		return err_set(err, ERR_FORMAT, "%s:%zu:1: more than %d values",
		    name, line, HIERARCHY_LEAVES_MAX);
	if (grow(h, cap) == -1)
		return no_memory(name, err);
	for (size_t i = 0; i < n; i++) {
		const struct csv_cell *c = csv_cell(csv, i);
		uint32_t g =
		    dictionary_add(&h->level[i].labels, c->text, c->len);

		if (g == DICTIONARY_NONE)
			return no_memory(name, err);
		if (i == 0 && g != h->n_leaves)
			return err_set(err, ERR_FORMAT,
			    "%s:%zu:1: this value is there twice", name, line);
		h->level[i].group_of[h->n_leaves] = g;
	}
	h->n_leaves++;
	return 0;
}

int
hierarchy_read(struct hierarchy *h, int fd, const char *name, struct err *err)
{
	struct csv *csv;
	size_t cap = 0, leaf = 0;
	int more, bad, r = -1;

	*h = (struct hierarchy){ 0 };
	if ((csv = csv_open(fd, name, '\0', err)) == NULL)
		return -1;
	while ((more = csv_next(csv, err)) == 1)
		if (read_leaf(h, csv, name, &cap, err) == -1)
			goto out;
	if (more == -1)
		goto out;
	if (h->n_leaves == 0) {
		err_set(err, ERR_FORMAT, "%s:1:1: no value", name);
		goto out;
	}
	if ((bad = link_levels(h, &leaf, name, err)) > 0)
		err_set(err, ERR_FORMAT,
		    "%s:%zu:%d: no tree: this group of level %d lies in "
		    "another group of level %d on a line before",
		    name, leaf + 1, bad, bad - 1, bad);
	else
		r = bad;
out:
	csv_close(csv);
	if (r == -1)
		hierarchy_free(h);
	return r;
}

/* All levels but group_of and labels are there: link them. */
static int
finish(struct hierarchy *h, const char *name, struct err *err)
{
	size_t leaf;

	/* What a study compiled is a tree. */
	if (link_levels(h, &leaf, name, err) == 0)
		return 0;
	hierarchy_free(h);
	return -1;
}

static int
allocate(struct hierarchy *h, size_t n_levels, size_t n_leaves)
{
	*h = (struct hierarchy){ .n_levels = n_levels, .n_leaves = n_leaves };
	for (size_t i = 0; i < n_levels; i++)
		if ((h->level[i].group_of = calloc(
			 n_leaves + 1, sizeof(*h->level[i].group_of))) == NULL)
			return -1;
	return 0;
}

static int
study_leaf(struct hierarchy *h, const struct study_column *c, size_t leaf)
{
	double v =
	    c->type == STUDY_LEVELS ? (double)leaf : c->lo + (double)leaf;
	char text[32];
	const char *label = text;

	snprintf(text, sizeof(text), "%.15g", v);
	if (c->type == STUDY_LEVELS)
		label = c->levels[leaf].value;
	h->level[0].group_of[leaf] =
	    dictionary_add(&h->level[0].labels, label, strlen(label));
	if (h->level[0].group_of[leaf] == DICTIONARY_NONE)
		return -1;
	for (size_t i = 1; i < h->n_levels; i++)
		h->level[i].group_of[leaf] =
		    (uint32_t)study_group(&c->recodes[i - 1], v);
	return 0;
}

int
hierarchy_study(
    struct hierarchy *h, const struct study_column *c, struct err *err)
{
	double n =
	    c->type == STUDY_LEVELS ? (double)c->n_levels : c->hi - c->lo + 1;

	*h = (struct hierarchy){ 0 };
	if ((c->type != STUDY_LEVELS && c->type != STUDY_INTEGER &&
		c->type != STUDY_INTERVAL && c->type != STUDY_DATE) ||
	    (c->type != STUDY_LEVELS && !c->has_range) ||
	    n > HIERARCHY_LEAVES_MAX)
		return err_set(err, ERR_CONFIG,
		    "\"%s\": only levels, and whole numbers with a range of at "
		    "most %d, have a hierarchy with countable values",
		    c->name, HIERARCHY_LEAVES_MAX);
	if (allocate(h, c->n_recodes + 1, (size_t)n) == -1)
		goto fail;
	for (size_t i = 1; i < h->n_levels; i++)
		for (size_t g = 0; g < c->recodes[i - 1].n_groups; g++) {
			const char *label = c->recodes[i - 1].labels[g];

			if (dictionary_add(&h->level[i].labels, label,
				strlen(label)) == DICTIONARY_NONE)
				goto fail;
		}
	for (size_t i = 0; i < h->n_leaves; i++)
		if (study_leaf(h, c, i) == -1)
			goto fail;
	return finish(h, c->name, err);
fail:
	no_memory(c->name, err);
	hierarchy_free(h);
	return -1;
}

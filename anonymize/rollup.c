#include "config.h"

#include "anonymize/rollup.h"

#include <stdlib.h>
#include <string.h>

#include "anonymize/grouping.h"
#include "anonymize/hierarchy.h"
#include "anonymize/lattice.h"
#include "anonymize/models.h"
#include "common/err.h"
#include "common/macros.h"

/* Tables that are kept: so many bytes, or so many per class of the rows,
   whichever is more. */
#define KEPT_MIN (16 << 20)
#define KEPT_PER_CLASS 100
#define NEAR 1000 /* classes: a way over another node would not be shorter */
#define PIECE 1024 /* keys */
#define COUNTS_MAX (1 << 28) /* sensitive counts of one table */

/* Classes that are kept, for those of the nodes above. */
struct kept {
	struct rollup_classes c;
	uint8_t *data; /* what c points to */
	size_t bytes;
	bool used; /* since it was last thought of forgetting it */
};

struct attribute {
	const struct hierarchy *h;
	unsigned shift;
	uint64_t mask; /* of its field, at shift 0 */
	size_t stride; /* in the number of a node */
	/* From a level's groups to a higher one's; made when first needed. */
	uint32_t *map[HIERARCHY_LEVELS_MAX][HIERARCHY_LEVELS_MAX];
};

struct rollup {
	const struct lattice_input *in;
	size_t m, size, n_counts;
	struct attribute *a; /* (m) */
	struct kept **at; /* (size) */
	/* Those that may be forgotten, what they take, and whose turn it is.
	   The rows' own classes are kept apart. */
	struct kept *rows, **kept; /* (n_kept) */
	size_t n_kept, kept_cap, bytes, hand;
	/* The last ones made. */
	struct rollup_classes last;
	struct grouping groups;
	uint32_t *becomes; /* (n_rows) */
	uint32_t *counts; /* of groups, (n, n_counts) */
	size_t counts_cap;
};

struct rollup_node
rollup_with(const struct rollup *r, const struct rollup_node *node, size_t a,
    size_t level)
{
	struct rollup_node to = *node;
	size_t old = rollup_level(node, a);

	to.number = to.number - old * r->a[a].stride + level * r->a[a].stride;
	to.packed[a / ROLLUP_WORD_LEVELS] ^= (uint64_t)(old ^ level)
	    << 5 * (a % ROLLUP_WORD_LEVELS);
	return to;
}

unsigned
rollup_shift(const struct rollup *r, size_t a)
{
	return r->a[a].shift;
}

uint64_t
rollup_mask(const struct rollup *r, size_t a)
{
	return r->a[a].mask;
}

size_t
rollup_size(const struct rollup *r)
{
	return r->size;
}

static void
forget(struct kept *k)
{
	if (k == NULL)
		return;
	free(k->data);
	free(k);
}

/* A copy of the last ones, in one piece of memory. */
static struct kept *
copy(const struct rollup *r)
{
	const struct rollup_classes *c = &r->last;
	struct kept *k = calloc(1, sizeof(*k));
	size_t keys = c->n * sizeof(*c->key), sizes = c->n * sizeof(*c->size);
	size_t counts = c->n * r->n_counts * sizeof(*c->counts);

	if (k == NULL ||
	    (k->data = malloc(keys + sizes + counts + 1)) == NULL) {
		free(k);
		return NULL;
	}
	k->c = *c;
	k->bytes = keys + sizes + counts;
	k->c.key = memcpy(k->data, c->key, keys);
	k->c.size = memcpy(k->data + keys, c->size, sizes);
	if (r->n_counts > 0)
		k->c.counts = memcpy(k->data + keys + sizes, c->counts, counts);
	return k;
}

/* Zeros for the sensitive counts of the groups. */
static int
clear_counts(struct rollup *r)
{
	size_t n = r->groups.n * r->n_counts;

	if (n > COUNTS_MAX)
		return -1;
	if (n > r->counts_cap) {
		free(r->counts);
		r->counts_cap = 0;
		if ((r->counts = malloc(n * sizeof(*r->counts))) == NULL)
			return -1;
		r->counts_cap = n;
	}
	if (n > 0)
		memset(r->counts, 0, n * sizeof(*r->counts));
	return 0;
}

static void
set_last(struct rollup *r, const struct rollup_node *node)
{
	r->last = (struct rollup_classes){
		.node = *node,
		.n = r->groups.n,
		.key = r->groups.key,
		.size = r->groups.count,
		.counts = r->n_counts > 0 ? r->counts : NULL,
	};
}

/* The rows' own classes: the one time that rows are read. */
static int
read_rows(struct rollup *r)
{
	const struct models *m = r->in->models;
	size_t n = r->in->n_rows;
	uint64_t *key = grouping_keys(&r->groups, n);

	r->becomes = malloc((n + 1) * sizeof(*r->becomes));
	if (key == NULL || r->becomes == NULL)
		return -1;
	memset(key, 0, n * sizeof(*key));
	for (size_t a = 0; a < r->m; a++) {
		const uint32_t *leaf = r->in->attributes[a].leaf;

		for (size_t i = 0; i < n; i++)
			key[i] |= (uint64_t)leaf[i] << r->a[a].shift;
	}
	if (grouping_make(&r->groups, n, NULL, r->becomes) == -1 ||
	    clear_counts(r) == -1)
		return -1;
	for (size_t c = 0; c < m->n_columns; c++)
		for (size_t i = 0; i < n; i++)
			r->counts[r->becomes[i] * r->n_counts +
			    m->columns[c].at + m->columns[c].code[i]]++;
	set_last(r, &(struct rollup_node){ 0 });
	return (r->rows = copy(r)) != NULL ? 0 : -1;
}

static const uint32_t *
map_of(struct attribute *a, size_t from, size_t to)
{
	size_t n = a->h->level[from].labels.n;
	uint32_t *map = a->map[from][to];

	if (map != NULL)
		return map;
	if ((map = malloc((n + 1) * sizeof(*map))) == NULL)
		return NULL;
	for (size_t g = 0; g < n; g++) {
		uint32_t up = (uint32_t)g;

		for (size_t i = from; i < to; i++)
			up = a->h->level[i].above[up];
		map[g] = up;
	}
	return a->map[from][to] = map;
}

/* From the groups of one attribute to those of a higher level. */
struct step {
	const uint32_t *map;
	uint64_t mask;
	unsigned shift;
};

static void
take_step(const struct step *s, uint64_t *key, size_t n)
{
	uint64_t others = ~(s->mask << s->shift);

	for (size_t i = 0; i < n; i++)
		key[i] = (key[i] & others) |
		    (uint64_t)s->map[key[i] >> s->shift & s->mask] << s->shift;
}

/* The keys of a node below become those of a node, a piece after another so
   that it stays in the processor's cache. */
static int
raise_keys(struct rollup *r, const struct rollup_classes *from,
    const struct rollup_node *node)
{
	uint64_t *to = grouping_keys(&r->groups, from->n);
	struct step steps[LATTICE_ATTRIBUTES_MAX];
	size_t n_steps = 0;

	for (size_t a = 0; a < r->m; a++) {
		size_t low = rollup_level(&from->node, a);
		size_t high = rollup_level(node, a);

		if (low == high)
			continue;
		steps[n_steps] = (struct step){ map_of(&r->a[a], low, high),
			r->a[a].mask, r->a[a].shift };
		if (steps[n_steps++].map == NULL)
			return -1;
	}
	for (size_t i = 0; i < from->n; i += PIECE) {
		size_t n = MIN(PIECE, from->n - i);

		memcpy(to + i, from->key + i, n * sizeof(*to));
		for (size_t k = 0; k < n_steps; k++)
			take_step(&steps[k], to + i, n);
	}
	return 0;
}

/* The classes of a node, made of those of one below it. */
static int
roll_up(struct rollup *r, const struct rollup_classes *from,
    const struct rollup_node *node)
{
	uint32_t *becomes = r->n_counts > 0 ? r->becomes : NULL;

	if (raise_keys(r, from, node) == -1 ||
	    grouping_make(&r->groups, from->n, from->size, becomes) == -1 ||
	    clear_counts(r) == -1)
		return -1;
	for (size_t i = 0; becomes != NULL && i < from->n; i++)
		for (size_t v = 0; v < r->n_counts; v++)
			r->counts[becomes[i] * r->n_counts + v] +=
			    from->counts[i * r->n_counts + v];
	set_last(r, node);
	return 0;
}

/* Forget what was not used since its last turn. */
static void
forget_one(struct rollup *r)
{
	struct kept *k;

	for (;; r->hand++) {
		r->hand = r->hand < r->n_kept ? r->hand : 0;
		k = r->kept[r->hand];
		if (!k->used)
			break;
		k->used = false;
	}
	r->bytes -= k->bytes;
	r->at[k->c.node.number] = NULL;
	r->kept[r->hand] = r->kept[--r->n_kept];
	forget(k);
}

/* Keep the last ones, and others no longer if there are too many. */
static struct kept *
keep(struct rollup *r)
{
	size_t most = MAX(KEPT_MIN, KEPT_PER_CLASS * r->rows->c.n);
	struct kept *k = copy(r);

	if (k == NULL)
		return NULL;
	while (r->n_kept > 0 && r->bytes + k->bytes > most)
		forget_one(r);
	if (r->n_kept == r->kept_cap) {
		size_t cap = MAX(64, 2 * r->kept_cap);
		void *p = realloc(r->kept, cap * sizeof(*r->kept));

		if (p == NULL) {
			forget(k);
			return NULL;
		}
		r->kept = p;
		r->kept_cap = cap;
	}
	r->at[k->c.node.number] = k;
	r->kept[r->n_kept++] = k;
	r->bytes += k->bytes;
	return k;
}

/* The smallest of a node below; the rows' own is below all. */
static struct kept *
smallest_below(const struct rollup *r, const struct rollup_node *node)
{
	struct kept *from = r->rows;

	for (size_t i = 0; i < r->n_kept; i++)
		if (r->kept[i]->c.n < from->c.n &&
		    rollup_below(&r->kept[i]->c.node, node))
			from = r->kept[i];
	return from;
}

static struct kept *hub(struct rollup *, const struct rollup_node *);

/*
 * Where to make a node's classes from: the smallest kept below it; where that
 * is large, a node that is a level lower in all that is recoded on the way,
 * which then serves those around, too.
 */
static const struct kept *
source(struct rollup *r, const struct rollup_node *node)
{
	struct kept *from = smallest_below(r, node);
	struct rollup_node via = *node;

	for (size_t a = 0; from->c.n > NEAR + r->rows->c.n / 16 && a < r->m;
	     a++)
		if (rollup_level(&from->c.node, a) < rollup_level(node, a))
			via =
			    rollup_with(r, &via, a, rollup_level(node, a) - 1);
	if (via.number != node->number && via.number != from->c.node.number)
		from = hub(r, &via);
	if (from != NULL)
		from->used = true;
	return from;
}

/* Make a node's classes the last ones. */
static int
make(struct rollup *r, const struct rollup_node *node)
{
	const struct kept *from = source(r, node);

	return from != NULL ? roll_up(r, &from->c, node) : -1;
}

static struct kept *
hub(struct rollup *r, const struct rollup_node *node)
{
	if (r->at[node->number] != NULL)
		return r->at[node->number];
	return make(r, node) == 0 ? keep(r) : NULL;
}

const struct rollup_classes *
rollup_at(struct rollup *r, const struct rollup_node *node)
{
	if (r->at[node->number] != NULL)
		return &r->at[node->number]->c;
	return make(r, node) == 0 ? &r->last : NULL;
}

static int
place_attributes(struct rollup *r, struct err *err)
{
	unsigned shift = 0;

	r->size = 1;
	for (size_t i = r->m; i-- > 0;) {
		const struct lattice_attribute *at = &r->in->attributes[i];
		struct attribute *a = &r->a[i];
		unsigned bits = 1;

		a->h = at->hierarchy;
		while (((uint64_t)1 << bits) < a->h->n_leaves)
			bits++;
		a->shift = shift;
		a->mask = ((uint64_t)1 << bits) - 1;
		a->stride = r->size;
		r->size *= a->h->n_levels;
		if ((shift += bits) > 64)
			return err_set(err, ERR_CONFIG,
			    "\"%s\": the attributes have too many values "
			    "together, more than 2^64 combinations",
			    at->name);
		if (r->size > LATTICE_NODES_MAX)
			return err_set(err, ERR_CONFIG,
			    "\"%s\": more than %d combinations of levels",
			    at->name, LATTICE_NODES_MAX);
	}
	return 0;
}

struct rollup *
rollup_new(const struct lattice_input *in, struct err *err)
{
	struct rollup *r = calloc(1, sizeof(*r));

	if (r == NULL ||
	    (r->a = calloc(in->n_attributes + 1, sizeof(*r->a))) == NULL)
		goto memory;
	r->in = in;
	r->m = in->n_attributes;
	r->n_counts = in->models->n_counts;
	if (place_attributes(r, err) == -1)
		goto fail;
	if ((r->at = calloc(r->size, sizeof(*r->at))) == NULL ||
	    read_rows(r) == -1)
		goto memory;
	r->at[0] = r->rows;
	return r;
memory:
	err_sys(err, "memory for the lattice");
fail:
	rollup_free(r);
	return NULL;
}

void
rollup_free(struct rollup *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_kept; i++)
		forget(r->kept[i]);
	forget(r->rows);
	for (size_t a = 0; r->a != NULL && a < r->m; a++)
		for (size_t i = 0; i < HIERARCHY_LEVELS_MAX; i++)
			for (size_t j = 0; j < HIERARCHY_LEVELS_MAX; j++)
				free(r->a[a].map[i][j]);
	free(r->kept);
	free(r->at);
	free(r->a);
	grouping_free(&r->groups);
	free(r->becomes);
	free(r->counts);
	free(r);
}

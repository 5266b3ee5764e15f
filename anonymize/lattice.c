#include "config.h"

#include "anonymize/lattice.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/hierarchy.h"
#include "anonymize/models.h"
#include "common/err.h"
#include "common/macros.h"

/* Class tables that are kept: so many bytes, or so many per class of the rows,
   whichever is more. */
#define CACHE_MIN (16 << 20)
#define CACHE_PER_CLASS 200
#define NEAR 1000 /* classes: a way over another node would not be shorter */
#define BATCH 64 /* keys whose slots are fetched together */
#define COUNTS_MAX (1 << 28) /* sensitive counts of one table */
#define WORDS 2 /* of packed levels */
#define WORD_LEVELS 12 /* levels in a word: 4 bits and a guard each */
#define SLACK 1e-12 /* a bound is a rounded number */

/* A node: its number, and its levels side by side. */
struct place {
	size_t number;
	uint64_t packed[WORDS];
};

/* The classes of a node. */
struct classes_of {
	struct place node;
	size_t n, bytes;
	uint64_t *key; /* (n) the groups of all attributes, side by side */
	uint32_t *size; /* (n) rows */
	uint32_t *counts; /* (n, models->n_counts), class by class */
	bool used; /* since it was last thought of forgetting it */
};

/* What is fixed for an attribute. */
struct dimension {
	const struct hierarchy *h;
	unsigned shift;
	uint64_t mask; /* of its field, at shift 0 */
	size_t stride; /* in the number of a node */
	double exponent; /* weight by the sum of weights */
	/* By level: sum of shares and bits lost over all rows, and the factor
	   that it makes of the Loss. */
	double sum[HIERARCHY_LEVELS_MAX], bits[HIERARCHY_LEVELS_MAX];
	double factor[HIERARCHY_LEVELS_MAX];
	uint32_t *rows[HIERARCHY_LEVELS_MAX]; /* by group */
	double *lost[HIERARCHY_LEVELS_MAX]; /* by group: 1 - share */
	/* From a level's groups to a higher one's; made when first needed. */
	uint32_t *map[HIERARCHY_LEVELS_MAX][HIERARCHY_LEVELS_MAX];
};

/* A node that was measured, for the bounds of those below it. */
struct witness {
	struct place node;
	size_t suppressed; /* rows that any node below suppresses, too */
	double *extra; /* (m) what that adds to the sums of shares */
};

struct lattice {
	const struct lattice_input *in;
	size_t m, size, visited, most;
	struct dimension *d; /* (m) */
	struct classes_of **made; /* (size) */
	/* Those that may be forgotten, what they take, and whose turn it is. */
	struct classes_of **kept; /* (n_kept) */
	struct place *kept_at; /* (n_kept) */
	size_t n_kept, kept_cap, bytes, hand;
	/* Scratch: a hash table, the classes in it, and which of them the rows
	   or classes that are put together become. */
	uint32_t *slots; /* (1 << bits) used of (n_slots) */
	size_t n_slots, n_classes;
	int bits;
	uint64_t *key;
	uint32_t *count, *becomes; /* (n_rows) */
	struct witness *witnesses;
	size_t n_witnesses, witnesses_cap;
};

static int
no_memory(struct err *err)
{
	return err_sys(err, "memory for the lattice");
}

/*
 * Nodes.
 */

static size_t
level_of(const struct place *p, size_t a)
{
	return p->packed[a / WORD_LEVELS] >> 5 * (a % WORD_LEVELS) & 15;
}

/* The node with attribute a at another level. */
static struct place
with_level(
    const struct lattice *l, const struct place *p, size_t a, size_t level)
{
	struct place q = *p;
	size_t old = level_of(p, a);

	q.number = q.number - old * l->d[a].stride + level * l->d[a].stride;
	q.packed[a / WORD_LEVELS] ^= (uint64_t)(old ^ level)
	    << 5 * (a % WORD_LEVELS);
	return q;
}

/* Every level of a is at most that of b: one subtraction. */
#define GUARDS 0x0842108421084210u /* the top bit of each 5, 12 times */

static bool
below(const struct place *a, const struct place *b)
{
	for (size_t w = 0; w < WORDS; w++)
		if ((((b->packed[w] | GUARDS) - a->packed[w]) & GUARDS) !=
		    GUARDS)
			return false;
	return true;
}

/*
 * Class tables.
 */

static void
table_free(struct classes_of *t)
{
	if (t == NULL)
		return;
	free(t->key);
	free(t->size);
	free(t->counts);
	free(t);
}

/* A table of the classes that stand in the scratch arrays. */
static struct classes_of *
table_new(const struct lattice *l)
{
	size_t n = l->n_classes;
	size_t counts = l->in->models->n_counts;
	struct classes_of *t = calloc(1, sizeof(*t));

	if (t == NULL || n * MAX(counts, 1) > COUNTS_MAX)
		goto fail;
	t->n = n;
	t->bytes = n *
	    (sizeof(*t->key) + sizeof(*t->size) + counts * sizeof(*t->counts));
	t->key = malloc((n + 1) * sizeof(*t->key));
	t->size = malloc((n + 1) * sizeof(*t->size));
	if (counts > 0)
		t->counts = calloc((n + 1) * counts, sizeof(*t->counts));
	if (t->key == NULL || t->size == NULL ||
	    (counts > 0 && t->counts == NULL))
		goto fail;
	memcpy(t->key, l->key, n * sizeof(*t->key));
	memcpy(t->size, l->count, n * sizeof(*t->size));
	return t;
fail:
	table_free(t);
	return NULL;
}

static size_t
slot_of(const struct lattice *l, uint64_t key)
{
	return (size_t)(key * 0x9e3779b97f4a7c15u >> (64 - l->bits));
}

/* A hash table with room for n keys, and those in it that are there. */
static int
set_slots(struct lattice *l, size_t n)
{
	size_t want = 16;

	while (want < 2 * n)
		want *= 2;
	if (want > l->n_slots) {
		free(l->slots);
		if ((l->slots = malloc(want * sizeof(*l->slots))) == NULL) {
			l->n_slots = 0;
			return -1;
		}
		l->n_slots = want;
	}
	memset(l->slots, 0, want * sizeof(*l->slots));
	l->bits = __builtin_ctzll(want);
	for (size_t i = 0; i < l->n_classes; i++) {
		size_t s = slot_of(l, l->key[i]);

		while (l->slots[s] != 0)
			s = (s + 1) & (want - 1);
		l->slots[s] = (uint32_t)i + 1;
	}
	return 0;
}

/* Add rows to the class with this key; which one.  There is room for it. */
static uint32_t
class_of(struct lattice *l, uint64_t key, uint32_t rows)
{
	size_t mask = ((size_t)1 << l->bits) - 1, s = slot_of(l, key);

	for (; l->slots[s] != 0; s = (s + 1) & mask)
		if (l->key[l->slots[s] - 1] == key) {
			l->count[l->slots[s] - 1] += rows;
			return l->slots[s] - 1;
		}
	l->key[l->n_classes] = key;
	l->count[l->n_classes] = rows;
	l->slots[s] = (uint32_t)++l->n_classes;
	return (uint32_t)l->n_classes - 1;
}

/* Put n keys of rows (NULL: one each) into classes.  Slots are fetched from
   memory ahead, since that is what this waits for. */
static int
put_together(struct lattice *l, const uint64_t *key, const uint32_t *rows,
    size_t n, uint32_t *becomes)
{
	if (l->n_classes + n > (size_t)1 << (l->bits - 1) &&
	    set_slots(l, 2 * (l->n_classes + n)) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch(&l->slots[slot_of(l, key[i])]);
	for (size_t i = 0; i < n; i++)
		becomes[i] = class_of(l, key[i], rows != NULL ? rows[i] : 1);
	return 0;
}

static void
add_counts(uint32_t *to, const uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += from[i];
}

/* The rows' own classes: the one time that rows are read. */
static struct classes_of *
read_rows(struct lattice *l)
{
	const struct models *m = l->in->models;
	size_t n = l->in->n_rows;
	struct classes_of *t;

	l->key = malloc((n + 1) * sizeof(*l->key));
	l->count = malloc((n + 1) * sizeof(*l->count));
	l->becomes = malloc((n + 1) * sizeof(*l->becomes));
	if (l->key == NULL || l->count == NULL || l->becomes == NULL ||
	    set_slots(l, n) == -1)
		return NULL;
	for (size_t r = 0; r < n; r += BATCH) {
		uint64_t key[BATCH] = { 0 };
		size_t batch = MIN(BATCH, n - r);

		for (size_t a = 0; a < l->m; a++)
			for (size_t i = 0; i < batch; i++)
				key[i] |=
				    (uint64_t)l->in->attributes[a].leaf[r + i]
				    << l->d[a].shift;
		if (put_together(l, key, NULL, batch, l->becomes + r) == -1)
			return NULL;
	}
	if ((t = table_new(l)) == NULL)
		return NULL;
	for (size_t i = 0; i < m->n_columns; i++)
		for (size_t r = 0; r < n; r++)
			t->counts[l->becomes[r] * m->n_counts +
			    m->columns[i].at + m->columns[i].code[r]]++;
	return t;
}

static const uint32_t *
map_of(struct dimension *d, size_t from, size_t to)
{
	size_t n = d->h->level[from].labels.n;
	uint32_t *map = d->map[from][to];

	if (map != NULL)
		return map;
	if ((map = malloc((n + 1) * sizeof(*map))) == NULL)
		return NULL;
	for (size_t g = 0; g < n; g++) {
		uint32_t up = (uint32_t)g;

		for (size_t i = from; i < to; i++)
			up = d->h->level[i].above[up];
		map[g] = up;
	}
	return d->map[from][to] = map;
}

/* From the keys of one node to those of a node above it. */
struct way {
	uint64_t same; /* the fields that stay as they are */
	size_t n;
	struct {
		const uint32_t *map;
		uint64_t mask;
		unsigned shift;
	} step[LATTICE_ATTRIBUTES_MAX]; /* (n) */
};

static int
find_way(const struct lattice *l, const struct place *from,
    const struct place *to, struct way *w)
{
	w->same = ~(uint64_t)0;
	w->n = 0;
	for (size_t a = 0; a < l->m; a++) {
		size_t low = level_of(from, a), high = level_of(to, a);
		struct dimension *d = &l->d[a];

		if (low == high)
			continue;
		if ((w->step[w->n].map = map_of(d, low, high)) == NULL)
			return -1;
		w->step[w->n].mask = d->mask;
		w->step[w->n++].shift = d->shift;
		w->same &= ~(d->mask << d->shift);
	}
	return 0;
}

static uint64_t
go(const struct way *w, uint64_t key)
{
	uint64_t to = key & w->same;

	for (size_t i = 0; i < w->n; i++)
		to |= (uint64_t)w->step[i]
			  .map[key >> w->step[i].shift & w->step[i].mask]
		    << w->step[i].shift;
	return to;
}

/* The classes of a node, made of those of one below it. */
static struct classes_of *
roll_up(
    struct lattice *l, const struct classes_of *from, const struct place *node)
{
	size_t n_counts = l->in->models->n_counts;
	struct classes_of *t;
	struct way w;

	l->n_classes = 0;
	if (find_way(l, &from->node, node, &w) == -1 ||
	    set_slots(l, from->n / 8 + BATCH) == -1)
		return NULL;
	for (size_t i = 0; i < from->n; i += BATCH) {
		uint64_t key[BATCH];
		size_t batch = MIN(BATCH, from->n - i);

		for (size_t k = 0; k < batch; k++)
			key[k] = go(&w, from->key[i + k]);
		if (put_together(
			l, key, from->size + i, batch, l->becomes + i) == -1)
			return NULL;
	}
	if ((t = table_new(l)) == NULL)
		return NULL;
	for (size_t i = 0; n_counts > 0 && i < from->n; i++)
		add_counts(t->counts + l->becomes[i] * n_counts,
		    from->counts + i * n_counts, n_counts);
	t->node = *node;
	return t;
}

/* Forget a table that was not used since its last turn. */
static void
forget_one(struct lattice *l)
{
	struct classes_of *t;

	for (;; l->hand++) {
		l->hand = l->hand < l->n_kept ? l->hand : 0;
		t = l->kept[l->hand];
		if (!t->used)
			break;
		t->used = false;
	}
	l->bytes -= t->bytes;
	l->made[t->node.number] = NULL;
	l->kept[l->hand] = l->kept[--l->n_kept];
	l->kept_at[l->hand] = l->kept_at[l->n_kept];
	table_free(t);
}

/* Keep a table, and others no longer if there are too many. */
static int
keep(struct lattice *l, struct classes_of *t)
{
	size_t most = MAX(CACHE_MIN, CACHE_PER_CLASS * l->made[0]->n);

	while (l->n_kept > 0 && l->bytes + t->bytes > most)
		forget_one(l);
	if (l->n_kept == l->kept_cap) {
		size_t cap = MAX(64, 2 * l->kept_cap);
		void *kept = realloc(l->kept, cap * sizeof(*l->kept)), *at;

		if (kept == NULL)
			return -1;
		l->kept = kept;
		at = realloc(l->kept_at, cap * sizeof(*l->kept_at));
		if (at == NULL)
			return -1;
		l->kept_at = at;
		l->kept_cap = cap;
	}
	l->made[t->node.number] = t;
	l->kept_at[l->n_kept] = t->node;
	l->kept[l->n_kept++] = t;
	l->bytes += t->bytes;
	return 0;
}

/* The smallest table of a node below; the rows' own is below all. */
static struct classes_of *
smallest_below(const struct lattice *l, const struct place *node)
{
	struct classes_of *from = l->made[0];

	for (size_t i = 0; i < l->n_kept; i++)
		if (below(&l->kept_at[i], node) && l->kept[i]->n < from->n)
			from = l->kept[i];
	return from;
}

/*
 * The classes of a node, from the smallest table below it; where that is large,
 * over the node that is a level lower in all that is recoded on the way: its
 * table then serves those around, too.  Valid until the next call.
 */
static struct classes_of *
classes_at(struct lattice *l, const struct place *node)
{
	struct classes_of *from, *t;
	struct place hub = *node;

	if (l->made[node->number] != NULL)
		return l->made[node->number];
	from = smallest_below(l, node);
	for (size_t a = 0; from->n > NEAR + l->made[0]->n / 16 && a < l->m; a++)
		if (level_of(&from->node, a) < level_of(node, a))
			hub = with_level(l, &hub, a, level_of(node, a) - 1);
	if (hub.number != node->number && hub.number != from->node.number &&
	    (from = classes_at(l, &hub)) == NULL)
		return NULL;
	from->used = true;
	if ((t = roll_up(l, from, node)) == NULL)
		return NULL;
	if (keep(l, t) == -1) {
		table_free(t);
		return NULL;
	}
	return t;
}

/*
 * Measures.
 */

static double
loss_of(const struct lattice *l, size_t a, double sum)
{
	double n = (double)l->in->n_rows;
	double least = n / (double)l->d[a].h->n_leaves;

	return n > least ? MAX(0, (sum - least) / (n - least)) : 0;
}

static double
share(const struct dimension *d, size_t level, size_t group)
{
	return d->h->level[level].leaves[group] / (double)d->h->n_leaves;
}

/* What is true of a node whatever is suppressed. */
static double
bound(const struct lattice *l, const struct place *node)
{
	double product = 1;

	for (size_t a = 0; a < l->m; a++)
		product *= l->d[a].factor[level_of(node, a)];
	return product - 1;
}

static double
loss_with(
    const struct lattice *l, const struct place *node, const double *extra)
{
	double product = 1;

	for (size_t a = 0; a < l->m; a++) {
		const struct dimension *d = &l->d[a];
		size_t level = level_of(node, a);

		product *= extra[a] == 0
		    ? d->factor[level]
		    : pow(loss_of(l, a, d->sum[level] + extra[a]) + 1,
			  d->exponent);
	}
	return product - 1;
}

/* What a suppressed class adds to the sums of shares. */
static void
suppress(const struct lattice *l, const struct classes_of *t, size_t i,
    double *extra)
{
	for (size_t a = 0; a < l->m; a++) {
		const struct dimension *d = &l->d[a];

		extra[a] += t->size[i] *
		    d->lost[level_of(&t->node, a)]
			   [t->key[i] >> d->shift & d->mask];
	}
}

static const uint32_t *
counts_of(const struct lattice *l, const struct classes_of *t, size_t i)
{
	return t->counts != NULL ? t->counts + i * l->in->models->n_counts
				 : NULL;
}

/* Which rows would any node below suppress?  extra is whole only if they are
   not too many. */
static void
measure_for_good(
    const struct lattice *l, const struct classes_of *t, struct witness *w)
{
	w->node = t->node;
	for (size_t i = 0; i < t->n; i++)
		if (!models_hold_for_good(
			l->in->models, t->size[i], counts_of(l, t, i)))
			w->suppressed += t->size[i];
	for (size_t i = 0; w->suppressed <= l->most && i < t->n; i++)
		if (!models_hold_for_good(
			l->in->models, t->size[i], counts_of(l, t, i)))
			suppress(l, t, i, w->extra);
}

/* extra may be known already.  What fails is listed first, since a node that
   suppresses too much needs no more: only with all is extra made then. */
static void
measure_classes(const struct lattice *l, const struct classes_of *t,
    struct lattice_node *node, bool all, bool extra_known, double *extra)
{
	double n = (double)l->in->n_rows;
	size_t n_failed = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t size = t->size[i];

		if (!models_hold(l->in->models, size, counts_of(l, t, i))) {
			node->suppressed += size;
			node->discernibility += (double)size * n;
			l->becomes[n_failed++] = (uint32_t)i;
			continue;
		}
		node->classes++;
		node->smallest =
		    node->smallest == 0 ? size : MIN(node->smallest, size);
		node->largest = MAX(node->largest, size);
		node->discernibility += (double)size * (double)size;
	}
	if (extra_known || (!all && node->suppressed > l->most))
		return;
	for (size_t i = 0; i < n_failed; i++)
		suppress(l, t, l->becomes[i], extra);
}

static bool
fits(const struct lattice *l, const struct lattice_node *node)
{
	return node->suppressed <= l->most &&
	    node->suppressed < l->in->n_rows &&
	    models_hold_table(
		l->in->models, node->classes, l->in->n_rows - node->suppressed);
}

/* Bits of all cells: of their recoding, and where they are suppressed. */
static double
bits_lost(const struct lattice *l, const struct classes_of *t)
{
	double bits = 0, n = (double)l->in->n_rows;

	for (size_t a = 0; a < l->m; a++) {
		const struct dimension *d = &l->d[a];
		size_t level = level_of(&t->node, a);

		bits += d->bits[level];
		for (size_t i = 0; i < t->n; i++)
			if (!models_hold(
				l->in->models, t->size[i], counts_of(l, t, i)))
				bits += t->size[i] *
				    log2(n /
					d->rows[level][t->key[i] >> d->shift &
					    d->mask]);
	}
	return bits;
}

/* Measure what the search needs to know: 1 if the node fits.  w: of the same
   node and whole, or NULL. */
static int
measure(const struct lattice *l, const struct classes_of *t,
    const struct witness *w, struct lattice_node *node)
{
	double n = (double)l->in->n_rows, cells = 0;
	double extra[LATTICE_ATTRIBUTES_MAX] = { 0 };

	*node = (struct lattice_node){ .most_suppressed = l->most };
	if (w != NULL && l->in->models->n == 0) {
		memcpy(extra, w->extra, l->m * sizeof(*extra));
		measure_classes(l, t, node, false, true, extra);
	} else {
		measure_classes(l, t, node, w == NULL, false, extra);
	}
	if (w != NULL && node->suppressed > l->most)
		return 0;
	for (size_t a = 0; a < l->m; a++) {
		size_t level = level_of(&t->node, a);

		node->level[a] = (uint8_t)level;
		cells += l->d[a].sum[level] + extra[a];
	}
	node->loss = loss_with(l, &t->node, extra);
	node->granularity = cells / (n * (double)MAX(l->m, 1));
	node->average_size = node->classes > 0
	    ? (n - (double)node->suppressed) / (double)node->classes
	    : 0;
	return fits(l, node);
}

/*
 * Search.
 */

struct candidate {
	double bound;
	struct place node;
};

static int
by_bound(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->bound != y->bound)
		return x->bound < y->bound ? -1 : 1;
	return (x->node.number > y->node.number) -
	    (x->node.number < y->node.number);
}

/* Can this node still be better than best, as far as is known? */
static bool
open(const struct lattice *l, const struct candidate *c, double best)
{
	const struct witness *most = NULL;

	if (c->bound > best)
		return false;
	for (size_t i = 0; i < l->n_witnesses; i++) {
		const struct witness *w = &l->witnesses[i];

		if ((most != NULL && w->suppressed <= most->suppressed) ||
		    !below(&c->node, &w->node))
			continue;
		if (w->suppressed > l->most)
			return false;
		most = w;
	}
	/* What is suppressed above is suppressed here, and lost more by it. */
	return most == NULL ||
	    loss_with(l, &c->node, most->extra) <= best + SLACK;
}

static int
remember(struct lattice *l, const struct witness *w, struct err *err)
{
	struct witness *to;

	if (w->suppressed == 0)
		return 0;
	if (l->n_witnesses == l->witnesses_cap) {
		size_t cap = MAX(64, 2 * l->witnesses_cap);
		void *p = realloc(l->witnesses, cap * sizeof(*l->witnesses));

		if (p == NULL)
			return no_memory(err);
		l->witnesses = p;
		l->witnesses_cap = cap;
	}
	to = &l->witnesses[l->n_witnesses];
	*to = *w;
	if ((to->extra = malloc((l->m + 1) * sizeof(*to->extra))) == NULL)
		return no_memory(err);
	memcpy(to->extra, w->extra, l->m * sizeof(*to->extra));
	l->n_witnesses++;
	return 0;
}

struct search {
	struct candidate *list; /* (n) by bound */
	size_t n;
	double loss; /* the smallest so far */
	struct place best;
};

/* Look at one candidate: 1 if it fits, 0 if not or not worth it, or -1. */
static int
look(struct lattice *l, struct search *s, size_t i, struct err *err)
{
	double extra[LATTICE_ATTRIBUTES_MAX] = { 0 };
	struct witness w = { .extra = extra };
	const struct place *p = &s->list[i].node;
	const struct classes_of *t;
	struct lattice_node node;

	if (!open(l, &s->list[i], s->loss))
		return 0;
	if ((t = classes_at(l, p)) == NULL)
		return no_memory(err);
	l->visited++;
	measure_for_good(l, t, &w);
	if (remember(l, &w, err) == -1)
		return -1;
	if (w.suppressed > l->most || !measure(l, t, &w, &node))
		return 0;
	if (node.loss < s->loss ||
	    (node.loss == s->loss && p->number < s->best.number)) {
		s->loss = node.loss;
		s->best = *p;
	}
	return 1;
}

/*
 * First halve the way to where nodes begin to fit, for a good first best; then
 * from there down, where a node that suppresses too much rules out all that
 * are below it.
 */
static int
search(struct lattice *l, struct search *s, struct err *err)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = look(l, s, mid, err);

		if (r == -1)
			return -1;
		if (r == 1)
			hi = mid;
		else
			lo = mid + 1;
	}
	for (size_t i = s->n; i-- > 0;)
		if (look(l, s, i, err) == -1)
			return -1;
	return 0;
}

/* Rows that fail at the highest node that may be chosen, but for one attribute
   (or m: none) that goes to the top of its hierarchy; -1 without memory. */
static int
fail_at_top(struct lattice *l, size_t but, size_t *rows)
{
	const struct classes_of *t;
	struct place p = { 0 };

	for (size_t a = 0; a < l->m; a++)
		p = with_level(l, &p, a,
		    a == but ? l->d[a].h->n_levels - 1
			     : l->in->attributes[a].top);
	if ((t = classes_at(l, &p)) == NULL)
		return -1;
	*rows = 0;
	for (size_t i = 0; i < t->n; i++)
		if (!models_hold(l->in->models, t->size[i], counts_of(l, t, i)))
			*rows += t->size[i];
	return 0;
}

/* What stands in the way, and what would help. */
static int
refuse(struct lattice *l, struct err *err)
{
	size_t now, best = l->m, least = SIZE_MAX;

	if (l->in->n_rows < l->in->models->k)
		return err_set(err, ERR_REFUSED,
		    "%zu rows cannot be made classes of %zu", l->in->n_rows,
		    l->in->models->k);
	if (fail_at_top(l, l->m, &now) == -1)
		return no_memory(err);
	for (size_t a = 0; a < l->m; a++) {
		size_t rows;

		if (l->in->attributes[a].top + 1 == l->d[a].h->n_levels)
			continue;
		if (fail_at_top(l, a, &rows) == -1)
			return no_memory(err);
		if (rows < least) {
			least = rows;
			best = a;
		}
	}
	if (best == l->m)
		return err_set(err, ERR_REFUSED,
		    "no recoding satisfies the privacy models, not even one "
		    "class of all %zu rows: a sensitive column has too few "
		    "values, or one of them nearly everywhere",
		    l->in->n_rows);
	return err_set(err, ERR_REFUSED,
	    "no recoding satisfies the privacy models: at the highest levels "
	    "%zu of %zu rows fail, %zu may; without \"%s\", which may not go "
	    "above level %zu, it would be %zu: a higher level in its hierarchy "
	    "would help most, or a smaller k",
	    now, l->in->n_rows, l->most, l->in->attributes[best].name,
	    l->in->attributes[best].top, least);
}

/* All nodes, by their bounds. */
static struct candidate *
candidates(const struct lattice *l, size_t *n)
{
	struct candidate *list;
	struct place p = { 0 };

	*n = 1;
	for (size_t a = 0; a < l->m; a++)
		*n *= l->in->attributes[a].top + 1;
	if ((list = malloc(*n * sizeof(*list))) == NULL)
		return NULL;
	for (size_t i = 0; i < *n; i++) {
		list[i] = (struct candidate){ bound(l, &p), p };
		for (size_t a = l->m; a-- > 0;) {
			size_t up = level_of(&p, a) + 1;

			if (up <= l->in->attributes[a].top) {
				p = with_level(l, &p, a, up);
				break;
			}
			p = with_level(l, &p, a, 0);
		}
	}
	qsort(list, *n, sizeof(*list), by_bound);
	return list;
}

static int
measure_place(struct lattice *l, const struct place *p,
    struct lattice_node *node, struct err *err)
{
	const struct classes_of *t = classes_at(l, p);
	int r;

	if (t == NULL)
		return no_memory(err);
	r = measure(l, t, NULL, node);
	node->entropy = bits_lost(l, t);
	return r;
}

int
lattice_search(struct lattice *l, struct lattice_node *best, struct err *err)
{
	struct search s = { .loss = INFINITY };
	int r;

	if ((s.list = candidates(l, &s.n)) == NULL)
		return no_memory(err);
	r = search(l, &s, err);
	free(s.list);
	if (r == -1)
		return -1;
	if (s.loss == INFINITY)
		return refuse(l, err);
	return measure_place(l, &s.best, best, err) == -1 ? -1 : 0;
}

int
lattice_measure(struct lattice *l, const uint8_t *level,
    struct lattice_node *node, struct err *err)
{
	struct place p = { 0 };

	for (size_t a = 0; a < l->m; a++)
		p = with_level(l, &p, a, level[a]);
	return measure_place(l, &p, node, err);
}

/*
 * Beginning and end.
 */

/* Sums over all rows, level by level. */
static int
measure_levels(struct lattice *l, size_t a)
{
	const uint32_t *leaf = l->in->attributes[a].leaf;
	struct dimension *d = &l->d[a];

	for (size_t i = 0; i < d->h->n_levels; i++) {
		const struct hierarchy_level *level = &d->h->level[i];

		d->rows[i] = calloc(level->labels.n + 1, sizeof(uint32_t));
		d->lost[i] = calloc(level->labels.n + 1, sizeof(double));
		if (d->rows[i] == NULL || d->lost[i] == NULL)
			return -1;
		for (size_t g = 0; g < level->labels.n; g++)
			d->lost[i][g] = 1 - share(d, i, g);
	}
	for (size_t r = 0; r < l->in->n_rows; r++)
		d->rows[0][leaf[r]]++;
	for (size_t i = 0; i < d->h->n_levels; i++) {
		const struct hierarchy_level *level = &d->h->level[i];

		for (size_t v = 0; i > 0 && v < d->h->n_leaves; v++)
			d->rows[i][level->group_of[v]] += d->rows[0][v];
		for (size_t g = 0; g < level->labels.n; g++) {
			double rows = d->rows[i][g];

			d->sum[i] += rows * share(d, i, g);
			d->bits[i] += rows > 0 ? rows * log2(rows) : 0;
		}
		d->factor[i] = pow(loss_of(l, a, d->sum[i]) + 1, d->exponent);
	}
	for (size_t i = d->h->n_levels; i-- > 0;)
		d->bits[i] -= d->bits[0];
	return 0;
}

static int
measure_attributes(struct lattice *l, struct err *err)
{
	double weights = 0;
	unsigned shift = 0;

	l->size = 1;
	for (size_t a = 0; a < l->m; a++)
		weights += l->in->attributes[a].weight;
	for (size_t a = l->m; a-- > 0;) {
		const struct lattice_attribute *at = &l->in->attributes[a];
		struct dimension *d = &l->d[a];
		unsigned bits = 1;

		d->h = at->hierarchy;
		while (((uint64_t)1 << bits) < d->h->n_leaves)
			bits++;
		d->shift = shift;
		d->mask = ((uint64_t)1 << bits) - 1;
		d->exponent = at->weight / weights;
		d->stride = l->size;
		l->size *= d->h->n_levels;
		if ((shift += bits) > 64)
			return err_set(err, ERR_CONFIG,
			    "\"%s\": the attributes have too many values "
			    "together, more than 2^64 combinations",
			    at->name);
		if (l->size > LATTICE_NODES_MAX)
			return err_set(err, ERR_CONFIG,
			    "\"%s\": more than %d combinations of levels",
			    at->name, LATTICE_NODES_MAX);
		if (measure_levels(l, a) == -1)
			return no_memory(err);
	}
	return 0;
}

struct lattice *
lattice_new(const struct lattice_input *in, struct err *err)
{
	struct lattice *l = calloc(1, sizeof(*l));
	struct classes_of *rows;

	if (l == NULL || in->n_rows > UINT32_MAX / 2) {
		no_memory(err);
		goto fail;
	}
	l->in = in;
	l->m = in->n_attributes;
	l->most = (size_t)floor(in->suppression_limit * (double)in->n_rows);
	if (l->m > LATTICE_ATTRIBUTES_MAX) {
		err_set(err, ERR_CONFIG, "more than %d attributes",
		    LATTICE_ATTRIBUTES_MAX);
		goto fail;
	}
	l->d = calloc(l->m + 1, sizeof(*l->d));
	if (l->d == NULL) {
		no_memory(err);
		goto fail;
	}
	if (measure_attributes(l, err) == -1)
		goto fail;
	if ((l->made = calloc(l->size, sizeof(*l->made))) == NULL ||
	    (rows = read_rows(l)) == NULL) {
		no_memory(err);
		goto fail;
	}
	l->made[0] = rows;
	return l;
fail:
	lattice_free(l);
	return NULL;
}

void
lattice_free(struct lattice *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; l->made != NULL && i < l->size; i++)
		table_free(l->made[i]);
	for (size_t a = 0; l->d != NULL && a < l->m; a++)
		for (size_t i = 0; i < HIERARCHY_LEVELS_MAX; i++) {
			free(l->d[a].rows[i]);
			free(l->d[a].lost[i]);
			for (size_t j = 0; j < HIERARCHY_LEVELS_MAX; j++)
				free(l->d[a].map[i][j]);
		}
	for (size_t i = 0; i < l->n_witnesses; i++)
		free(l->witnesses[i].extra);
	free(l->witnesses);
	free(l->made);
	free(l->kept);
	free(l->kept_at);
	free(l->d);
	free(l->slots);
	free(l->key);
	free(l->count);
	free(l->becomes);
	free(l);
}

size_t
lattice_size(const struct lattice *l)
{
	return l->size;
}

size_t
lattice_visited(const struct lattice *l)
{
	return l->visited;
}

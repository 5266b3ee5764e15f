#include "config.h"

#include "anonymize/local.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/hierarchy.h"
#include "anonymize/models.h"
#include "common/err.h"
#include "common/macros.h"

/* Sums that differ by less are the same, so that what comes first does not
   depend on how they were rounded. */
#define STEP 1e-12 /* of a loss */
#define SLACK 1e-9 /* of what it grows by */

/* Rows with the same values throughout, which stay together. */
struct atoms {
	size_t n;
	uint32_t *of_row; /* (n_rows) */
	uint32_t *first; /* (n) a row of each */
	uint32_t *size; /* (n) rows */
	uint32_t *counts; /* (n, models->n_counts) */
	uint32_t *class_of; /* (n) */
	/* With patients: those of atom i's rows are whose[from[i]] up to
	   whose[from[i + 1]]. */
	uint32_t *from, *whose;
};

/* A node of the lattice, and what recoding all rows to it would lose. */
struct node {
	double loss; /* in steps */
	uint8_t level[LATTICE_ATTRIBUTES_MAX];
};

struct job {
	const struct lattice_input *in;
	const uint32_t *patient; /* (n_rows) or NULL */
	size_t n_patients;
	struct local *l;
	size_t m, n_counts;
	unsigned shift[LATTICE_ATTRIBUTES_MAX];
	double scale[LATTICE_ATTRIBUTES_MAX]; /* loss_a for one row's share */
	struct atoms atoms;
	/* What a node puts together: a hash table of keys and its groups. */
	uint32_t *slots; /* (n_slots) a group's number + 1, or 0 */
	size_t n_slots; /* a power of 2 */
	uint64_t *key; /* (n) */
	uint32_t *size, *counts, *becomes; /* of group, atom */
	uint32_t *open; /* (n_open) atoms that are in no class */
	size_t n_open;
	/* With patients: how many a group has, the open atoms group by group,
	   and the last group that a patient was counted in. */
	uint32_t *people, *start, *by_group;
	uint64_t *counted, n_counted;
	/* Classes. */
	size_t cap;
	uint32_t *class_size;
	uint32_t *class_counts; /* (n, n_counts) */
};

static int
no_memory(struct err *err)
{
	return err_sys(err, "memory for local recoding");
}

static uint32_t
group_of(const struct job *j, size_t a, size_t level, uint32_t leaf)
{
	return j->in->attributes[a].hierarchy->level[level].group_of[leaf];
}

static double
share(const struct job *j, size_t a, size_t level, uint32_t group)
{
	const struct hierarchy *h = j->in->attributes[a].hierarchy;

	return h->level[level].leaves[group] / (double)h->n_leaves;
}

static uint32_t
leaf_of(const struct job *j, size_t a, size_t atom)
{
	return j->in->attributes[a].leaf[j->atoms.first[atom]];
}

/*
 * Putting together.
 */

static void
clear_slots(struct job *j, size_t n)
{
	size_t want = 64;

	while (want < 2 * n)
		want *= 2;
	j->n_slots = want;
	memset(j->slots, 0, want * sizeof(*j->slots));
}

/* The group with this key, made if there is none; *n are there. */
static uint32_t
find_group(struct job *j, uint64_t key, size_t *n)
{
	size_t mask = j->n_slots - 1;
	size_t s = key * 0x9e3779b97f4a7c15u >> 20 & mask;

	for (; j->slots[s] != 0; s = (s + 1) & mask)
		if (j->key[j->slots[s] - 1] == key)
			return j->slots[s] - 1;
	j->key[*n] = key;
	j->slots[s] = (uint32_t)++ * n;
	return (uint32_t)*n - 1;
}

/* The patients of each atom's rows. */
static int
make_whose(struct job *j, struct err *err)
{
	struct atoms *t = &j->atoms;
	size_t n = j->in->n_rows;

	t->from = calloc(t->n + 2, sizeof(*t->from));
	t->whose = malloc((n + 1) * sizeof(*t->whose));
	j->people = malloc((t->n + 1) * sizeof(*j->people));
	j->start = malloc((t->n + 2) * sizeof(*j->start));
	j->by_group = malloc((t->n + 1) * sizeof(*j->by_group));
	j->counted = calloc(j->n_patients + 1, sizeof(*j->counted));
	if (t->from == NULL || t->whose == NULL || j->people == NULL ||
	    j->start == NULL || j->by_group == NULL || j->counted == NULL)
		return no_memory(err);
	/* from[i + 2] counts, so that filling moves from[i + 1] to its end. */
	for (size_t r = 0; r < n; r++)
		if (t->of_row[r] + 2 <= t->n)
			t->from[t->of_row[r] + 2]++;
	for (size_t i = 2; i <= t->n; i++)
		t->from[i] += t->from[i - 1];
	for (size_t r = 0; r < n; r++)
		t->whose[t->from[t->of_row[r] + 1]++] = j->patient[r];
	return 0;
}

static int
make_atoms(struct job *j, struct err *err)
{
	const struct models *m = j->in->models;
	struct atoms *t = &j->atoms;
	size_t n = j->in->n_rows, slots = 64;

	while (slots < 2 * n)
		slots *= 2;
	j->slots = malloc(slots * sizeof(*j->slots));
	j->key = malloc((n + 1) * sizeof(*j->key));
	t->of_row = malloc((n + 1) * sizeof(*t->of_row));
	t->first = malloc((n + 1) * sizeof(*t->first));
	t->size = calloc(n + 1, sizeof(*t->size));
	if (j->slots == NULL || j->key == NULL || t->of_row == NULL ||
	    t->first == NULL || t->size == NULL)
		return no_memory(err);
	clear_slots(j, n);
	for (size_t r = 0; r < n; r++) {
		uint64_t key = 0;
		uint32_t i;

		for (size_t a = 0; a < j->m; a++)
			key |= (uint64_t)j->in->attributes[a].leaf[r]
			    << j->shift[a];
		i = find_group(j, key, &t->n);
		if (t->size[i]++ == 0)
			t->first[i] = (uint32_t)r;
		t->of_row[r] = i;
	}
	t->class_of = malloc((t->n + 1) * sizeof(*t->class_of));
	t->counts = calloc(t->n * j->n_counts + 1, sizeof(*t->counts));
	j->size = malloc((t->n + 1) * sizeof(*j->size));
	j->counts = malloc((t->n * j->n_counts + 1) * sizeof(*j->counts));
	j->becomes = malloc((t->n + 1) * sizeof(*j->becomes));
	j->open = malloc((t->n + 1) * sizeof(*j->open));
	if (t->class_of == NULL || t->counts == NULL || j->size == NULL ||
	    j->counts == NULL || j->becomes == NULL || j->open == NULL)
		return no_memory(err);
	for (size_t c = 0; c < m->n_columns; c++)
		for (size_t r = 0; r < n; r++)
			t->counts[t->of_row[r] * j->n_counts +
			    m->columns[c].at + m->columns[c].code[r]]++;
	for (size_t i = 0; i < t->n; i++) {
		t->class_of[i] = LOCAL_NONE;
		j->open[j->n_open++] = (uint32_t)i;
	}
	return j->patient != NULL ? make_whose(j, err) : 0;
}

/*
 * Nodes.
 */

static int
by_loss(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->loss != y->loss)
		return x->loss < y->loss ? -1 : 1;
	return memcmp(x->level, y->level, sizeof(x->level));
}

static double
loss_of_level(const struct job *j, size_t a, size_t level)
{
	double sum = 0;

	for (size_t i = 0; i < j->atoms.n; i++)
		sum += j->atoms.size[i] *
		    share(j, a, level, group_of(j, a, level, leaf_of(j, a, i)));
	return sum * j->scale[a];
}

static struct node *
make_nodes(const struct job *j, size_t *n, struct err *err)
{
	const struct lattice_attribute *at = j->in->attributes;
	double loss[LATTICE_ATTRIBUTES_MAX][HIERARCHY_LEVELS_MAX];
	struct node *nodes, now = { 0 };

	*n = 1;
	for (size_t a = 0; a < j->m; a++) {
		if (*n > LATTICE_NODES_MAX / (at[a].top - at[a].bottom + 1)) {
			err_set(err, ERR_CONFIG,
			    "\"%s\": more than %d combinations of levels",
			    at[a].name, LATTICE_NODES_MAX);
			return NULL;
		}
		*n *= at[a].top - at[a].bottom + 1;
		now.level[a] = (uint8_t)at[a].bottom;
		for (size_t i = at[a].bottom; i <= at[a].top; i++)
			loss[a][i] = loss_of_level(j, a, i);
	}
	if ((nodes = malloc(*n * sizeof(*nodes))) == NULL) {
		no_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < *n; i++) {
		now.loss = 0;
		for (size_t a = 0; a < j->m; a++)
			now.loss += loss[a][now.level[a]];
		now.loss = round(now.loss / STEP);
		nodes[i] = now;
		for (size_t a = 0; a < j->m; a++) {
			if (now.level[a]++ < at[a].top)
				break;
			now.level[a] = (uint8_t)at[a].bottom;
		}
	}
	qsort(nodes, *n, sizeof(*nodes), by_loss);
	return nodes;
}

/*
 * Classes.
 */

static int
new_class(struct job *j, uint32_t *c, struct err *err)
{
	struct local *l = j->l;

	if (l->n == j->cap) {
		size_t cap = 2 * j->cap + 256;
		uint32_t *size = realloc(j->class_size, cap * sizeof(*size));
		uint32_t *counts, *group;
		uint8_t *level;

		if (size == NULL)
			return no_memory(err);
		j->class_size = size;
		counts = realloc(
		    j->class_counts, (cap * j->n_counts + 1) * sizeof(*counts));
		if (counts == NULL)
			return no_memory(err);
		j->class_counts = counts;
		level = realloc(l->level, cap * j->m + 1);
		if (level == NULL)
			return no_memory(err);
		l->level = level;
		group = realloc(l->group, (cap * j->m + 1) * sizeof(*group));
		if (group == NULL)
			return no_memory(err);
		l->group = group;
		j->cap = cap;
	}
	*c = (uint32_t)l->n++;
	j->class_size[*c] = 0;
	memset(j->class_counts + *c * j->n_counts, 0,
	    j->n_counts * sizeof(*j->class_counts));
	return 0;
}

/* The lowest level at which the class's group also has this leaf. */
static size_t
common_level(const struct job *j, uint32_t c, size_t a, uint32_t leaf)
{
	const struct hierarchy *h = j->in->attributes[a].hierarchy;
	size_t level = j->l->level[c * j->m + a];
	uint32_t group = j->l->group[c * j->m + a];

	while (h->level[level].group_of[leaf] != group) {
		group = h->level[level].above[group];
		level++;
	}
	return level;
}

static void
join(struct job *j, uint32_t c, size_t atom)
{
	bool empty = j->class_size[c] == 0;

	for (size_t a = 0; a < j->m; a++) {
		uint32_t leaf = leaf_of(j, a, atom);
		size_t level = empty ? j->in->attributes[a].bottom
				     : common_level(j, c, a, leaf);

		j->l->level[c * j->m + a] = (uint8_t)level;
		j->l->group[c * j->m + a] = group_of(j, a, level, leaf);
	}
	for (size_t i = 0; i < j->n_counts; i++)
		j->class_counts[c * j->n_counts + i] +=
		    j->atoms.counts[atom * j->n_counts + i];
	j->class_size[c] += j->atoms.size[atom];
	j->atoms.class_of[atom] = c;
}

/* What the open atoms are put together to at this node. */
static size_t
group_open(struct job *j, const struct node *node)
{
	const uint32_t *map[LATTICE_ATTRIBUTES_MAX];
	size_t n = 0;

	for (size_t a = 0; a < j->m; a++)
		map[a] = j->in->attributes[a]
			     .hierarchy->level[node->level[a]]
			     .group_of;
	clear_slots(j, j->n_open);
	for (size_t i = 0; i < j->n_open; i++) {
		size_t atom = j->open[i], before = n;
		uint64_t key = 0;
		uint32_t g;

		for (size_t a = 0; a < j->m; a++)
			key |= (uint64_t)map[a][leaf_of(j, a, atom)]
			    << j->shift[a];
		g = find_group(j, key, &n);
		if (g == before) {
			j->size[g] = 0;
			memset(j->counts + g * j->n_counts, 0,
			    j->n_counts * sizeof(*j->counts));
		}
		j->size[g] += j->atoms.size[atom];
		for (size_t v = 0; v < j->n_counts; v++)
			j->counts[g * j->n_counts + v] +=
			    j->atoms.counts[atom * j->n_counts + v];
		j->becomes[i] = g;
	}
	return n;
}

/* How many patients each of n groups has. */
static void
count_people(struct job *j, size_t n)
{
	const struct atoms *t = &j->atoms;

	memset(j->start, 0, (n + 2) * sizeof(*j->start));
	for (size_t i = 0; i < j->n_open; i++)
		j->start[j->becomes[i] + 2]++;
	for (size_t g = 2; g <= n; g++)
		j->start[g] += j->start[g - 1];
	for (size_t i = 0; i < j->n_open; i++)
		j->by_group[j->start[j->becomes[i] + 1]++] = j->open[i];
	for (size_t g = 0; g < n; g++) {
		j->people[g] = 0;
		j->n_counted++;
		for (size_t i = j->start[g]; i < j->start[g + 1]; i++) {
			size_t atom = j->by_group[i];

			for (size_t k = t->from[atom]; k < t->from[atom + 1];
			     k++) {
				uint64_t *at = &j->counted[t->whose[k]];

				j->people[g] += *at != j->n_counted;
				*at = j->n_counted;
			}
		}
	}
}

/* Freeze what holds the models at this node. */
static int
visit(struct job *j, const struct node *node, struct err *err)
{
	size_t n = group_open(j, node), open = 0;
	bool any = false;

	if (j->patient != NULL)
		count_people(j, n);
	for (size_t g = 0; g < n; g++) {
		bool holds = models_hold(j->in->models, j->size[g],
				 j->counts + g * j->n_counts) &&
		    (j->people == NULL || j->people[g] >= j->in->models->k);
		uint32_t c = LOCAL_NONE;

		if (holds && new_class(j, &c, err) == -1)
			return -1;
		any = any || holds;
		j->size[g] = c; /* from here on, which class it is */
	}
	if (!any)
		return 0;
	for (size_t i = 0; i < j->n_open; i++) {
		uint32_t c = j->size[j->becomes[i]];

		if (c == LOCAL_NONE)
			j->open[open++] = j->open[i];
		else
			join(j, c, j->open[i]);
	}
	j->n_open = open;
	return 0;
}

/* What the loss grows by if the atom joins the class, INFINITY if it goes
   above a top; at least most is as good as that. */
static double
growth(const struct job *j, uint32_t c, size_t atom, double most)
{
	double sum = 0;

	for (size_t a = 0; a < j->m && sum < most; a++) {
		const struct lattice_attribute *at = &j->in->attributes[a];
		uint32_t leaf = leaf_of(j, a, atom);
		size_t level = common_level(j, c, a, leaf);
		double s = share(j, a, level, group_of(j, a, level, leaf));
		size_t old = j->l->level[c * j->m + a];

		if (level > at->top)
			return INFINITY;
		sum += j->scale[a] * j->atoms.size[atom] * s;
		if (level != old)
			sum += j->scale[a] * j->class_size[c] *
			    (s - share(j, a, old, j->l->group[c * j->m + a]));
	}
	return sum;
}

/* Would the class still hold the models with the atom? */
static bool
holds_with(struct job *j, uint32_t c, size_t atom)
{
	uint32_t *sum = j->counts;

	if (j->in->models->n == 0)
		return true;
	for (size_t i = 0; i < j->n_counts; i++)
		sum[i] = j->class_counts[c * j->n_counts + i] +
		    j->atoms.counts[atom * j->n_counts + i];
	return models_hold(
	    j->in->models, j->class_size[c] + j->atoms.size[atom], sum);
}

static void
attach(struct job *j)
{
	size_t open = 0;

	for (size_t i = 0; i < j->n_open; i++) {
		size_t atom = j->open[i];
		uint32_t best = LOCAL_NONE;
		double least = INFINITY;

		for (size_t c = 0; c < j->l->n; c++) {
			double g = growth(j, (uint32_t)c, atom, least);

			if (g < least * (1 - SLACK) &&
			    holds_with(j, (uint32_t)c, atom)) {
				least = g;
				best = (uint32_t)c;
			}
		}
		if (best != LOCAL_NONE)
			join(j, best, atom);
		else
			j->open[open++] = j->open[i];
	}
	j->n_open = open;
}

/*
 * Beginning and end.
 */

static int
prepare_attributes(struct job *j, struct err *err)
{
	double n = (double)j->in->n_rows;
	unsigned shift = 0;

	for (size_t a = 0; a < j->m; a++) {
		double leaves =
		    (double)j->in->attributes[a].hierarchy->n_leaves;
		unsigned bits = 1;

		while (ldexp(1, (int)bits) < leaves)
			bits++;
		j->shift[a] = shift;
		if ((shift += bits) > 64)
			return err_set(err, ERR_CONFIG,
			    "\"%s\": the attributes have too many values "
			    "together, more than 2^64 combinations",
			    j->in->attributes[a].name);
		/* Less the least, N / size, which is the same for all. */
		j->scale[a] = leaves > 1 && n > 0 ? 1 / (n - n / leaves) : 0;
	}
	return 0;
}

static void
measure(struct job *j)
{
	struct local *l = j->l;
	const struct atoms *t = &j->atoms;

	for (size_t a = 0; a < j->m; a++) {
		double least =
		    1 / (double)j->in->attributes[a].hierarchy->n_leaves;
		double sum = 0;

		for (size_t c = 0; c < l->n; c++)
			sum += j->class_size[c] *
			    (share(j, a, l->level[c * j->m + a],
				 l->group[c * j->m + a]) -
				least);
		for (size_t i = 0; i < j->n_open; i++)
			sum += t->size[j->open[i]] * (1 - least);
		l->loss[a] = MAX(0, sum * j->scale[a]);
		l->mean += l->loss[a] / (double)MAX(j->m, 1);
	}
	for (size_t i = 0; i < j->n_open; i++)
		l->left += t->size[j->open[i]];
	for (size_t r = 0; r < j->in->n_rows; r++)
		l->of_row[r] = t->class_of[t->of_row[r]];
}

static int
run(struct job *j, struct err *err)
{
	struct node *nodes = NULL;
	size_t n;
	int r = -1;

	if (prepare_attributes(j, err) == -1 || make_atoms(j, err) == -1)
		return -1;
	j->l->of_row = malloc((j->in->n_rows + 1) * sizeof(*j->l->of_row));
	if (j->l->of_row == NULL)
		return no_memory(err);
	if ((nodes = make_nodes(j, &n, err)) == NULL)
		return -1;
	for (size_t i = 0; i < n && j->n_open > 0; i++)
		if (visit(j, &nodes[i], err) == -1)
			goto out;
	attach(j);
	measure(j);
	r = 0;
out:
	free(nodes);
	return r;
}

int
local_recode(const struct lattice_input *in, const uint32_t *patient,
    size_t n_patients, struct local *l, struct err *err)
{
	struct job j = {
		.in = in,
		.patient = patient,
		.n_patients = n_patients,
		.l = l,
		.m = in->n_attributes,
		.n_counts = in->models->n_counts,
	};
	int r;

	*l = (struct local){ .n_attributes = in->n_attributes };
	if (in->n_attributes > LATTICE_ATTRIBUTES_MAX)
		return err_set(err, ERR_CONFIG, "more than %d attributes",
		    LATTICE_ATTRIBUTES_MAX);
	r = run(&j, err);
	free(j.atoms.of_row);
	free(j.atoms.first);
	free(j.atoms.size);
	free(j.atoms.counts);
	free(j.atoms.class_of);
	free(j.slots);
	free(j.key);
	free(j.size);
	free(j.counts);
	free(j.becomes);
	free(j.open);
	free(j.atoms.from);
	free(j.atoms.whose);
	free(j.people);
	free(j.start);
	free(j.by_group);
	free(j.counted);
	free(j.class_size);
	free(j.class_counts);
	return r;
}

void
local_free(struct local *l)
{
	free(l->of_row);
	free(l->level);
	free(l->group);
	*l = (struct local){ 0 };
}

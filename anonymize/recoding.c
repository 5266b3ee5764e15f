#include "config.h"

#include "anonymize/recoding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/hierarchy.h"
#include "anonymize/local.h"
#include "anonymize/rows.h"
#include "anonymize/rules.h"
#include "common/err.h"
#include "study/study.h"

struct job {
	const struct study *s;
	const struct rows *rows;
	size_t n; /* quasi-identifiers */
	struct hierarchy *trees; /* (n) */
	uint32_t **leaf; /* (n) */
	struct lattice_attribute *attributes; /* (n) */
	struct rules rules;
};

static int
no_memory(struct err *err)
{
	return err_sys(err, "memory for the recoding");
}

static int
make_leaves(struct job *j, size_t q, struct err *err)
{
	const struct study_column *c = &j->s->columns[j->s->quasi[q]];
	const double *values = j->rows->columns[j->s->quasi[q]].values;

	if ((j->leaf[q] = calloc(j->rows->n + 1, sizeof(uint32_t))) == NULL)
		return no_memory(err);
	for (size_t i = 0; i < j->rows->n; i++) {
		if (values[i] == STUDY_MISSING)
			return err_set(err, ERR_REFUSED,
			    "\"%s\" is missing in a row, and a missing value "
			    "has no place in its hierarchy",
			    c->name);
		j->leaf[q][i] =
		    (uint32_t)(c->type == STUDY_LEVELS ? values[i]
						       : values[i] - c->lo);
	}
	return 0;
}

static int
add_attribute(struct job *j, size_t q, struct err *err)
{
	const struct study_column *c = &j->s->columns[j->s->quasi[q]];
	struct lattice_attribute *a = &j->attributes[q];

	if (c->mean)
		return err_set(err, ERR_CONFIG,
		    "\"%s\" has level = mean: there is no level to choose",
		    c->name);
	if (hierarchy_study(&j->trees[q], c, err) == -1)
		return -1;
	if (j->rows != NULL && make_leaves(j, q, err) == -1)
		return -1;
	*a = (struct lattice_attribute){
		.name = c->name,
		.hierarchy = &j->trees[q],
		.leaf = j->leaf[q],
		.weight = c->weight,
		.top = j->trees[q].n_levels - 1,
	};
	/* What codebook_check() allows. */
	if (c->use == STUDY_OUTCOME)
		a->top = 0;
	else if (c->use != STUDY_IGNORED)
		a->top--;
	return 0;
}

static struct lattice_input
input_of(const struct job *j)
{
	return (struct lattice_input){
		.attributes = j->attributes,
		.n_attributes = j->n,
		.n_rows = j->rows->n,
		.models = &j->rules.models,
		.suppression_limit = j->s->privacy.suppression_limit,
	};
}

static int
search(struct job *j, struct recoding *r, struct err *err)
{
	const struct lattice_input in = input_of(j);
	uint8_t now[LATTICE_ATTRIBUTES_MAX];
	struct lattice *l = lattice_new(&in, err);
	int fits, rv = -1;

	if (l == NULL)
		return -1;
	for (size_t q = 0; q < j->n; q++)
		now[q] = (uint8_t)j->s->columns[j->s->quasi[q]].level;
	if (lattice_search(l, &r->best, err) == -1 ||
	    (fits = lattice_measure(l, now, &r->now, err)) == -1)
		goto out;
	r->now_fits = fits == 1;
	r->nodes = lattice_size(l);
	r->visited = lattice_visited(l);
	rv = 0;
out:
	lattice_free(l);
	return rv;
}

/* Hierarchies, and with rows their leaves; finish() ends it in any case. */
static int
start(struct job *j, const struct study *s, const struct rows *rows,
    struct err *err)
{
	*j = (struct job){ .s = s, .rows = rows, .n = s->n_quasi };
	if (j->n == 0)
		return err_set(err, ERR_CONFIG,
		    "the study holds no quasi-identifier to k: nothing is "
		    "recoded");
	if (j->n > LATTICE_ATTRIBUTES_MAX)
		return err_set(err, ERR_CONFIG,
		    "more than %d quasi-identifiers", LATTICE_ATTRIBUTES_MAX);
	j->trees = calloc(j->n, sizeof(*j->trees));
	j->leaf = calloc(j->n, sizeof(*j->leaf));
	j->attributes = calloc(j->n, sizeof(*j->attributes));
	if (j->trees == NULL || j->leaf == NULL || j->attributes == NULL)
		return no_memory(err);
	for (size_t q = 0; q < j->n; q++)
		if (add_attribute(j, q, err) == -1)
			return -1;
	return 0;
}

static void
finish(struct job *j)
{
	for (size_t q = 0; q < j->n; q++) {
		if (j->trees != NULL)
			hierarchy_free(&j->trees[q]);
		if (j->leaf != NULL && j->leaf[q] != NULL)
			explicit_bzero(
			    j->leaf[q], j->rows->n * sizeof(**j->leaf));
		if (j->leaf != NULL)
			free(j->leaf[q]);
	}
	free(j->trees);
	free(j->leaf);
	free(j->attributes);
	rules_free(&j->rules);
}

/* The first row of each patient.  End with free_first(). */
static int
first_rows(const struct rows *rows, struct rows *first, struct err *err)
{
	size_t columns = rows->study->n_columns, seen = 0;

	*first = *rows;
	first->n = 0;
	first->patient = NULL;
	if ((first->columns = calloc(columns, sizeof(*first->columns))) == NULL)
		return no_memory(err);
	for (size_t c = 0; c < columns; c++) {
		const double *from = rows->columns[c].values;
		double *to;

		if (from == NULL)
			continue;
		if ((to = malloc((rows->n_patients + 1) * sizeof(*to))) == NULL)
			return no_memory(err);
		first->columns[c].values = to;
		/* Patients are numbered as they come. */
		seen = 0;
		for (size_t i = 0; i < rows->n; i++)
			if (rows->patient[i] == seen)
				to[seen++] = from[i];
	}
	first->n = seen;
	return 0;
}

static void
free_first(struct rows *first)
{
	for (size_t c = 0;
	     first->columns != NULL && c < first->study->n_columns; c++) {
		double *values = first->columns[c].values;

		if (values != NULL)
			explicit_bzero(values, first->n * sizeof(*values));
		free(values);
	}
	free(first->columns);
}

/* *rows become those of *first if patients have several. */
static int
one_row_each(const struct rows **rows, struct rows *first, struct err *err)
{
	const struct rows *all = *rows;

	if (all->patient == NULL)
		return 0;
	*rows = first;
	return first_rows(all, first, err);
}

int
recoding_choose(const struct study *s, const struct rows *rows,
    struct recoding *r, struct err *err)
{
	struct rows first = { 0 };
	struct job j = { 0 };
	int rv = one_row_each(&rows, &first, err);

	if (rv == 0 && (rv = start(&j, s, rows, err)) == 0 &&
	    (rv = rules_of_rows(&j.rules, s, s->privacy.k, rows, NULL, err)) ==
		0)
		rv = search(&j, r, err);
	finish(&j);
	free_first(&first);
	return rv;
}

/* What a row has of a column, or what tells its group from all others. */
static double
local_key(const struct job *j, const struct local *l, size_t q, size_t row)
{
	size_t column = j->s->quasi[q], at;
	double v = j->rows->columns[column].values[row];

	if (l->of_row[row] == LOCAL_NONE)
		return -1e16 - 4 * (double)row; /* in no range */
	at = l->of_row[row] * l->n_attributes + q;
	if (!j->s->columns[column].local)
		return study_table_value(j->s, column, v);
	if (j->s->columns[column].in_table)
		return study_number(&j->s->columns[column], l->level[at], v);
	return (double)l->level[at] * HIERARCHY_LEAVES_MAX + l->group[at];
}

int
recoding_locally(const struct study *s, const struct rows *rows, size_t k,
    double **keys, struct recoding_local *r, struct err *err)
{
	struct lattice_input in = { .n_rows = rows->n };
	struct local l = { 0 };
	struct job j;
	int rv = start(&j, s, rows, err);

	if (rv == 0)
		rv = rules_of_rows(&j.rules, s, k, rows, NULL, err);

	for (size_t q = 0; rv == 0 && q < j.n; q++) {
		size_t level = s->columns[s->quasi[q]].level;

		j.attributes[q].top = level;
		j.attributes[q].bottom =
		    s->columns[s->quasi[q]].local ? 0 : level;
	}
	in.attributes = j.attributes;
	in.n_attributes = j.n;
	in.models = &j.rules.models;
	if (rv == 0 &&
	    (rv = local_recode(
		 &in, rows->patient, rows->n_patients, &l, err)) == 0)
		*r = (struct recoding_local){ l.mean, l.n, l.left };
	for (size_t q = 0; rv == 0 && keys != NULL && q < j.n; q++)
		for (size_t i = 0; i < rows->n; i++)
			keys[q][i] = local_key(&j, &l, q, i);
	local_free(&l);
	finish(&j);
	return rv;
}

/*
 * One recoding for all sites.
 */

static size_t
n_nodes(const struct job *j)
{
	size_t n = 1;

	for (size_t q = 0; q < j->n && n <= RECODING_ITEMS_MAX; q++)
		n *= j->attributes[q].top + 1;
	return n;
}

static int
count_items(const struct job *j, size_t *n, struct err *err)
{
	*n = 1 + 2 * n_nodes(j);
	for (size_t q = 0; q < j->n; q++)
		*n += j->attributes[q].top + 1;
	if (*n > RECODING_ITEMS_MAX)
		return err_set(err, ERR_CONFIG,
		    "more than %zu combinations of levels: too many to count "
		    "at every site",
		    RECODING_ITEMS_MAX / 2);
	return 0;
}

int
recoding_count(const struct study *s, size_t *n_items, struct err *err)
{
	struct job j;
	int r = start(&j, s, NULL, err);

	if (r == 0)
		r = count_items(&j, n_items, err);
	finish(&j);
	return r;
}

/* The next node, the last attribute fastest; false after the last one. */
static bool
next_node(const struct job *j, uint8_t *level)
{
	for (size_t q = j->n; q-- > 0;) {
		if (level[q] < j->attributes[q].top) {
			level[q]++;
			return true;
		}
		level[q] = 0;
	}
	return false;
}

static uint64_t
leaves_under(const struct job *j, size_t q, size_t level)
{
	const struct hierarchy_level *l = &j->trees[q].level[level];
	uint64_t sum = 0;

	for (size_t i = 0; i < j->rows->n; i++)
		sum += l->leaves[l->group_of[j->leaf[q][i]]];
	return sum;
}

static int
measure_nodes(struct job *j, uint64_t *item, struct err *err)
{
	const struct lattice_input in = input_of(j);
	uint8_t level[LATTICE_ATTRIBUTES_MAX] = { 0 };
	struct lattice *l = lattice_new(&in, err);
	size_t suppressed;
	int fits, r = -1;

	if (l == NULL)
		return -1;
	do {
		if ((fits = lattice_count(l, level, &suppressed, err)) == -1)
			goto out;
		*item++ = suppressed;
		*item++ = fits == 0;
	} while (next_node(j, level));
	r = 0;
out:
	lattice_free(l);
	return r;
}

int
recoding_measure(const struct study *s, const struct rows *rows,
    struct recoding_items *items, struct err *err)
{
	struct rows first = { 0 };
	struct job j = { 0 };
	uint64_t *at;
	int r = one_row_each(&rows, &first, err);

	*items = (struct recoding_items){ 0 };
	if (r == -1 || (r = start(&j, s, rows, err)) == -1 ||
	    (r = rules_of_rows(&j.rules, s, s->privacy.k, rows, NULL, err)) ==
		-1 ||
	    (r = count_items(&j, &items->n, err)) == -1)
		goto out;
	r = -1;
	if ((at = items->item = calloc(items->n, sizeof(*at))) == NULL) {
		no_memory(err);
		goto out;
	}
	*at++ = rows->n;
	for (size_t q = 0; q < j.n; q++)
		for (size_t i = 0; i <= j.attributes[q].top; i++)
			*at++ = leaves_under(&j, q, i);
	r = measure_nodes(&j, at, err);
out:
	finish(&j);
	free_first(&first);
	return r;
}

void
recoding_items_free(struct recoding_items *items)
{
	free(items->item);
	*items = (struct recoding_items){ 0 };
}

/* The Loss of a node; see the header. */
static double
loss_of_sums(const struct job *j, const uint64_t *leaves, const uint8_t *level,
    double rows, double suppressed)
{
	double product = 1, weights = 0;

	for (size_t q = 0; q < j->n; q++)
		weights += j->attributes[q].weight;
	for (size_t q = 0; q < j->n; q++) {
		double size = (double)j->trees[q].n_leaves;
		double shares = (double)leaves[level[q]] / size;
		double sum = shares * (1 - suppressed / rows) + suppressed;
		double loss = (sum - rows / size) / (rows - rows / size);

		product *=
		    pow(fmax(loss, 0) + 1, j->attributes[q].weight / weights);
		leaves += j->attributes[q].top + 1;
	}
	return product - 1;
}

static int
choose(const struct job *j, const struct recoding_items *sums,
    struct recoding_choice *c, struct err *err)
{
	const uint64_t *leaves = sums->item + 1;
	const uint64_t *node = leaves;
	uint8_t level[LATTICE_ATTRIBUTES_MAX] = { 0 };

	*c =
	    (struct recoding_choice){ .rows = sums->item[0], .loss = INFINITY };
	for (size_t q = 0; q < j->n; q++)
		node += j->attributes[q].top + 1;
	do {
		uint64_t suppressed = *node++, misfits = *node++;
		double loss;

		c->nodes++;
		if (misfits != 0 || suppressed >= c->rows)
			continue;
		c->fitting++;
		loss = loss_of_sums(
		    j, leaves, level, (double)c->rows, (double)suppressed);
		if (!(loss < c->loss))
			continue;
		c->loss = loss;
		c->suppressed = suppressed;
		memcpy(c->level, level, sizeof(level));
	} while (next_node(j, level));
	if (c->fitting == 0)
		return err_set(err, ERR_REFUSED,
		    "none of %zu combinations of levels fits the study's rules "
		    "at every site",
		    c->nodes);
	return 0;
}

int
recoding_choose_sums(const struct study *s, const struct recoding_items *sums,
    struct recoding_choice *choice, struct err *err)
{
	struct job j;
	size_t n = 0;
	int r = start(&j, s, NULL, err);

	if (r == 0 && (r = count_items(&j, &n, err)) == 0 && n != sums->n)
		r = err_set(err, ERR_FORMAT,
		    "%zu sums, expected %zu: they are of another study",
		    sums->n, n);
	if (r == 0)
		r = choose(&j, sums, choice, err);
	finish(&j);
	return r;
}

#include "config.h"

#include "anonymize/attack.h"

#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "anonymize/ranking.h"
#include "common/err.h"
#include "common/macros.h"

/* Both tables' rows together, so that those that agree are one class. */
static int
join(const double *const *table, const double *const *source, size_t n_keys,
    size_t n_table, size_t n_source, struct classes *c, struct err *err)
{
	struct ranking r = { 0 };
	int result = ranking_start(&r, n_table + n_source);

	for (size_t k = 0; result == 0 && k < n_keys; k++) {
		uint64_t *key = ranking_column(&r);

		for (size_t i = 0; key != NULL && i < n_table; i++)
			key[i] = ranking_key(table[k][i]);
		for (size_t i = 0; key != NULL && i < n_source; i++)
			key[n_table + i] = ranking_key(source[k][i]);
		result = key != NULL ? ranking_add(&r) : -1;
	}
	if (result == 0)
		result = ranking_end(&r);
	result = result == -1 ? err_sys(err, "memory for the linkage attack")
			      : classes_ranked(c, &r, err);
	ranking_free(&r);
	return result;
}

/* The intruder's dice (splitmix64): not for keeping anything secret. */
static uint64_t
roll(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* What the intruder compares: which class each item of the table and of the source
   is in, CLASSES_NONE: in none. */
struct game {
	const size_t *table, *source; /* (n_table), (n_source) */
	size_t n_table, n_source, n_classes;
	const size_t
	    *origin; /* (n_table) of the source; NULL: the same number */
};

/* items: the table's, class by class; those of class c from first[c] on. */
static void
list_items(const struct game *g, size_t *first, size_t *items)
{
	size_t n = 0;

	for (size_t t = 0; t < g->n_table; t++)
		if (g->table[t] != CLASSES_NONE) {
			first[g->table[t] + 1]++;
			n++;
		}
	for (size_t i = 0; i < g->n_classes; i++)
		first[i + 1] += first[i];
	for (size_t t = g->n_table; t-- > 0;)
		if (g->table[t] != CLASSES_NONE)
			items[--first[g->table[t] + 1]] = t;
	/* Every first[i + 1] is now the start of class i. */
	memmove(first, first + 1, g->n_classes * sizeof(*first));
	first[g->n_classes] = n;
}

static int
play(const struct game *g, uint64_t seed, struct attack *a, struct err *err)
{
	size_t *first = calloc(g->n_classes + 2, sizeof(*first));
	size_t *items = calloc(g->n_table + 1, sizeof(*items));

	*a = (struct attack){ 0 };
	if (first == NULL || items == NULL) {
		free(first);
		free(items);
		return err_sys(err, "memory for the linkage attack");
	}
	list_items(g, first, items);
	for (size_t i = 0; i < g->n_source; i++) {
		size_t class = g->source[i], fit, item;

		if (class == CLASSES_NONE)
			continue;
		a->tried++;
		if ((fit = first[class + 1] - first[class]) == 0)
			continue;
		a->fitting++;
		a->single += fit == 1;
		item = items[first[class] + roll(&seed) % fit];
		a->correct += (g->origin != NULL ? g->origin[item] : item) == i;
	}
	free(first);
	free(items);
	return 0;
}

int
attack_link(const double *const *table, const double *const *source,
    size_t n_keys, size_t n_table, size_t n_source, const size_t *origin,
    uint64_t seed, struct attack *a, struct err *err)
{
	struct classes c = { 0 };
	int r = join(table, source, n_keys, n_table, n_source, &c, err);

	if (r == 0)
		r = play(
		    &(const struct game){
			.table = c.of_row,
			.source = c.of_row + n_table,
			.n_table = n_table,
			.n_source = n_source,
			.n_classes = c.n,
			.origin = origin,
		    },
		    seed, a, err);
	classes_free(&c);
	return r;
}

int
attack_link_patients(const double *const *table, const double *const *source,
    size_t n_keys, size_t n_table, size_t n_source, const size_t *origin,
    const uint32_t *patient, size_t n_patients, uint64_t seed, struct attack *a,
    struct err *err)
{
	uint32_t *who = malloc((n_table + n_source + 1) * sizeof(*who));
	struct classes c = { 0 }, h = { 0 };
	int r = -1;

	if (who == NULL) {
		err_sys(err, "memory for the linkage attack");
		goto out;
	}
	/* The table's patients, and then the source's, as if others. */
	for (size_t t = 0; t < n_table; t++)
		who[t] = patient[origin[t]];
	for (size_t i = 0; i < n_source; i++)
		who[n_table + i] = (uint32_t)n_patients + patient[i];
	if (join(table, source, n_keys, n_table, n_source, &c, err) == -1 ||
	    classes_histories(&c, who, 2 * n_patients, NULL, &h, err) == -1)
		goto out;
	r = play(
	    &(const struct game){
		.table = h.of_row,
		.source = h.of_row + n_patients,
		.n_table = n_patients,
		.n_source = n_patients,
		.n_classes = h.n,
	    },
	    seed, a, err);
out:
	classes_free(&c);
	classes_free(&h);
	free(who);
	return r;
}

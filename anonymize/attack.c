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

/* rows: the table's, class by class; those of class c from first[c] on. */
static void
list_rows(const struct classes *c, size_t n_table, size_t *first, size_t *rows)
{
	for (size_t t = 0; t < n_table; t++)
		first[c->of_row[t] + 1]++;
	for (size_t i = 0; i < c->n; i++)
		first[i + 1] += first[i];
	for (size_t t = n_table; t-- > 0;)
		rows[--first[c->of_row[t] + 1]] = t;
	/* Every first[i + 1] is now the start of class i. */
	memmove(first, first + 1, c->n * sizeof(*first));
	first[c->n] = n_table;
}

int
attack_link(const double *const *table, const double *const *source,
    size_t n_keys, size_t n_table, size_t n_source, const size_t *origin,
    uint64_t seed, struct attack *a, struct err *err)
{
	struct classes c = { 0 };
	size_t *first = NULL, *rows = NULL;
	int r = -1;

	*a = (struct attack){ .tried = n_source };
	if (join(table, source, n_keys, n_table, n_source, &c, err) == -1)
		goto out;
	first = calloc(c.n + 2, sizeof(*first));
	rows = calloc(n_table + 1, sizeof(*rows));
	if (first == NULL || rows == NULL) {
		err_sys(err, "memory for the linkage attack");
		goto out;
	}
	list_rows(&c, n_table, first, rows);
	for (size_t i = 0; i < n_source; i++) {
		size_t class = c.of_row[n_table + i];
		size_t fit = first[class + 1] - first[class], row;

		if (fit == 0)
			continue;
		a->fitting++;
		a->single += fit == 1;
		row = rows[first[class] + roll(&seed) % fit];
		a->correct += origin[row] == i;
	}
	r = 0;
out:
	free(first);
	free(rows);
	classes_free(&c);
	return r;
}

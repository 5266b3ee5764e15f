#include "config.h"

#include "anonymize/ranking.h"

#include <stdbool.h>
#include <stdlib.h>

#define DIGITS 256

/* A group, and the number that it had. */
struct item {
	uint64_t key;
	uint32_t count, from;
};

/* Sort by 8 bits of the keys; false if they are the same in all. */
static bool
sort_digit(const struct item *from, struct item *to, size_t n, unsigned shift)
{
	size_t at[DIGITS] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[from[i].key >> shift & (DIGITS - 1)]++;
	for (size_t d = 0; d < DIGITS; d++) {
		size_t size = at[d];

		if (size == n)
			return false;
		at[d] = sum;
		sum += size;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
	return true;
}

/* Number the groups in the order of their keys. */
static int
sort_groups(struct ranking *r)
{
	size_t n = r->g.n;
	struct item *items = malloc((2 * n + 1) * sizeof(*items));
	struct item *now = items, *next = items + n;
	uint32_t *place = malloc((n + 1) * sizeof(*place));

	if (items == NULL || place == NULL) {
		free(items);
		free(place);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		now[i] =
		    (struct item){ r->g.key[i], r->g.count[i], (uint32_t)i };
	for (unsigned shift = 0; n > 0 && shift < 64; shift += 8)
		if (sort_digit(now, next, n, shift)) {
			struct item *last = now;

			now = next;
			next = last;
		}
	for (size_t i = 0; i < n; i++) {
		r->g.key[i] = now[i].key;
		r->g.count[i] = now[i].count;
		place[now[i].from] = (uint32_t)i;
	}
	for (size_t i = 0; i < r->n_rows; i++)
		r->rank[i] = place[r->rank[i]];
	explicit_bzero(items, 2 * n * sizeof(*items));
	free(items);
	free(place);
	return 0;
}

int
ranking_start(struct ranking *r, size_t n_rows)
{
	*r = (struct ranking){ .n_rows = n_rows };
	r->rank = malloc((n_rows + 1) * sizeof(*r->rank));
	r->row = calloc(n_rows + 1, sizeof(*r->row));
	return r->rank != NULL && r->row != NULL ? 0 : -1;
}

uint64_t *
ranking_column(struct ranking *r)
{
	return grouping_keys(&r->g, r->n_rows);
}

static int
rank(struct ranking *r)
{
	return grouping_make(&r->g, r->n_rows, NULL, r->rank) == -1 ||
		sort_groups(r) == -1
	    ? -1
	    : 0;
}

int
ranking_end(struct ranking *r)
{
	uint64_t *key = ranking_column(r);

	if (key == NULL)
		return -1;
	memcpy(key, r->row, r->n_rows * sizeof(*key));
	return rank(r);
}

static unsigned
bits_for(size_t n)
{
	unsigned bits = 0;

	while ((size_t)1 << bits < n)
		bits++;
	return bits;
}

int
ranking_add(struct ranking *r)
{
	uint32_t *column;
	unsigned bits;

	if (rank(r) == -1)
		return -1;
	bits = bits_for(r->g.n);
	if (r->bits + bits > 64) {
		/* The ranks of what is there are as good, and shorter. */
		if ((column = malloc((r->n_rows + 1) * sizeof(*column))) ==
		    NULL)
			return -1;
		memcpy(column, r->rank, r->n_rows * sizeof(*column));
		if (ranking_end(r) == -1) {
			free(column);
			return -1;
		}
		for (size_t i = 0; i < r->n_rows; i++)
			r->row[i] = r->rank[i];
		r->bits = bits_for(r->g.n);
		free(r->rank);
		r->rank = column;
	}
	for (size_t i = 0; i < r->n_rows; i++)
		r->row[i] = r->row[i] << bits | r->rank[i];
	r->bits += bits;
	return 0;
}

int
ranking_one(struct ranking *r, const double *values, size_t n_rows)
{
	uint64_t *key;

	if (ranking_start(r, n_rows) == -1 || (key = ranking_column(r)) == NULL)
		return -1;
	for (size_t i = 0; i < n_rows; i++)
		key[i] = ranking_key(values[i]);
	return ranking_add(r);
}

void
ranking_free(struct ranking *r)
{
	if (r->row != NULL)
		explicit_bzero(r->row, r->n_rows * sizeof(*r->row));
	if (r->rank != NULL)
		explicit_bzero(r->rank, r->n_rows * sizeof(*r->rank));
	free(r->row);
	free(r->rank);
	grouping_free(&r->g);
	*r = (struct ranking){ 0 };
}

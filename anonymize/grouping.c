#include "config.h"

#include "anonymize/grouping.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"

#define FEW 16384 /* different keys that need no dealing */
#define PART 2048 /* keys of a part, about */
#define PART_BITS_MAX 11

struct grouping_item {
	uint64_t key;
	uint32_t count, from;
};

/* Groups, while there are few. */
struct grouping_few {
	uint64_t key[FEW];
	uint32_t count[FEW];
};

/* Groups in the order in which they came, and where to find them. */
struct groups {
	uint32_t *slots; /* (1 << bits) number + 1, or 0; open addressing */
	unsigned bits;
	uint64_t *key; /* (n) */
	uint32_t *count; /* (n) */
	size_t n;
};

static void
wipe(void *p, size_t len)
{
	if (p != NULL)
		explicit_bzero(p, len);
	free(p);
}

void
grouping_free(struct grouping *g)
{
	wipe(g->key, g->cap * sizeof(*g->key));
	wipe(g->dealt, g->dealt_cap * sizeof(*g->dealt));
	wipe(g->few, sizeof(*g->few));
	free(g->count);
	free(g->slots);
	*g = (struct grouping){ 0 };
}

uint64_t *
grouping_keys(struct grouping *g, size_t n)
{
	if (n <= g->cap && g->key != NULL)
		return g->key;
	grouping_free(g);
	if (n > GROUPING_MAX)
		return NULL;
	g->key = malloc((n + 1) * sizeof(*g->key));
	g->count = malloc((n + 1) * sizeof(*g->count));
	g->few = malloc(sizeof(*g->few));
	if (g->key == NULL || g->count == NULL || g->few == NULL) {
		grouping_free(g);
		return NULL;
	}
	g->cap = n;
	return g->key;
}

/* Every bit of the key reaches the high ones, which say part and slot. */
static uint64_t
hash(uint64_t key)
{
	return (key ^ key >> 32) * 0x9e3779b97f4a7c15u;
}

/* An empty table with room for n groups, whose keys and counts go there. */
static int
groups_start(struct grouping *g, struct groups *t, size_t n, uint64_t *key,
    uint32_t *count)
{
	size_t size;

	*t = (struct groups){ .key = key, .count = count, .bits = 4 };
	while ((size = (size_t)1 << t->bits) < 2 * n)
		t->bits++;
	if (size > g->slots_cap) {
		free(g->slots);
		g->slots_cap = 0;
		if ((g->slots = malloc(size * sizeof(*g->slots))) == NULL)
			return -1;
		g->slots_cap = size;
	}
	t->slots = g->slots;
	memset(t->slots, 0, size * sizeof(*t->slots));
	return 0;
}

/* Add to the key's group; which one. */
static uint32_t
groups_add(struct groups *t, uint64_t h, uint64_t key, uint32_t count)
{
	size_t mask = ((size_t)1 << t->bits) - 1, s = h >> (64 - t->bits);

	for (; t->slots[s] != 0; s = (s + 1) & mask)
		if (t->key[t->slots[s] - 1] == key) {
			t->count[t->slots[s] - 1] += count;
			return t->slots[s] - 1;
		}
	t->key[t->n] = key;
	t->count[t->n] = count;
	t->slots[s] = (uint32_t)++t->n;
	return (uint32_t)t->n - 1;
}

/* 1, or 0 if there are too many different keys, or -1. */
static int
group_few(
    struct grouping *g, size_t n, const uint32_t *count, uint32_t *becomes)
{
	struct groups t;

	if (groups_start(g, &t, MIN(n, FEW), g->few->key, g->few->count) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint32_t to;

		if (t.n == FEW)
			return 0;
		to = groups_add(&t, hash(g->key[i]), g->key[i],
		    count != NULL ? count[i] : 1);
		if (becomes != NULL)
			becomes[i] = to;
	}
	g->n = t.n;
	memcpy(g->key, t.key, t.n * sizeof(*g->key));
	memcpy(g->count, t.count, t.n * sizeof(*g->count));
	return 1;
}

/* Deal the keys into parts by the hash's first bits; end: of each part. */
static int
deal(struct grouping *g, size_t n, const uint32_t *count, unsigned bits,
    size_t *end)
{
	size_t at = 0;

	if (n > g->dealt_cap) {
		wipe(g->dealt, g->dealt_cap * sizeof(*g->dealt));
		g->dealt_cap = 0;
		if ((g->dealt = malloc(n * sizeof(*g->dealt))) == NULL)
			return -1;
		g->dealt_cap = n;
	}
	for (size_t i = 0; i < n; i++)
		end[hash(g->key[i]) >> (64 - bits)]++;
	for (size_t p = 0; p < (size_t)1 << bits; p++) {
		size_t size = end[p];

		end[p] = at;
		at += size;
	}
	for (size_t i = 0; i < n; i++)
		g->dealt[end[hash(g->key[i]) >> (64 - bits)]++] =
		    (struct grouping_item){ g->key[i],
			    count != NULL ? count[i] : 1, (uint32_t)i };
	return 0;
}

static int
group_parts(
    struct grouping *g, size_t n, const uint32_t *count, uint32_t *becomes)
{
	size_t end[1 << PART_BITS_MAX] = { 0 }, i = 0;
	unsigned bits = 1;

	while (bits < PART_BITS_MAX && (size_t)PART << bits < n)
		bits++;
	if (deal(g, n, count, bits, end) == -1)
		return -1;
	g->n = 0;
	for (size_t p = 0; p < (size_t)1 << bits; p++) {
		struct groups t;

		if (groups_start(g, &t, end[p] - i, g->key + g->n,
			g->count + g->n) == -1)
			return -1;
		for (; i < end[p]; i++) {
			const struct grouping_item *d = &g->dealt[i];
			uint32_t to = groups_add(
			    &t, hash(d->key) << bits, d->key, d->count);

			if (becomes != NULL)
				becomes[d->from] = (uint32_t)g->n + to;
		}
		g->n += t.n;
	}
	return 0;
}

int
grouping_make(
    struct grouping *g, size_t n, const uint32_t *count, uint32_t *becomes)
{
	int r = group_few(g, n, count, becomes);

	return r == 0 ? group_parts(g, n, count, becomes) : MIN(r, 0);
}

#include "crypto/merkle.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

void
merkle_chunk(const void *p, size_t len, uint8_t leaf[HASH_LEN])
{
	struct hash h;

	hash_label(&h, "chunk");
	hash_bytes(&h, p, len);
	hash_end(&h, leaf);
}

static void
join(const uint8_t left[HASH_LEN], const uint8_t right[HASH_LEN],
    uint8_t out[HASH_LEN])
{
	struct hash h;

	hash_label(&h, "node");
	hash_add(&h, left, HASH_LEN);
	hash_add(&h, right, HASH_LEN);
	hash_end(&h, out);
}

void
merkle_add(struct merkle *m, const void *p, size_t len)
{
	size_t top = (size_t)__builtin_popcountll(m->n);

	assert(top < MERKLE_DEPTH_MAX);
	merkle_chunk(p, len, m->root[top]);
	/* As a carry goes through the bits of n. */
	for (size_t n = m->n++; n % 2 != 0; n /= 2, top--)
		join(m->root[top - 1], m->root[top], m->root[top - 1]);
}

void
merkle_end(struct merkle *m, uint8_t root[HASH_LEN])
{
	size_t top = (size_t)__builtin_popcountll(m->n);

	assert(top >= 1);
	for (; top > 1; top--)
		join(m->root[top - 2], m->root[top - 1], m->root[top - 2]);
	memcpy(root, m->root[0], HASH_LEN);
}

/* One level up, in place; the number of nodes there. */
static size_t
up(uint8_t (*nodes)[HASH_LEN], size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		join(nodes[i], nodes[i + 1], nodes[i / 2]);
	if (n % 2 != 0)
		memmove(nodes[n / 2], nodes[n - 1], HASH_LEN);
	return (n + 1) / 2;
}

void
merkle_root(uint8_t (*leaves)[HASH_LEN], size_t n, uint8_t root[HASH_LEN])
{
	assert(n >= 1);
	while (n > 1)
		n = up(leaves, n);
	memcpy(root, leaves[0], HASH_LEN);
}

size_t
merkle_path(uint8_t (*leaves)[HASH_LEN], size_t n, size_t index,
    uint8_t path[MERKLE_DEPTH_MAX][HASH_LEN])
{
	size_t len = 0;

	assert(index < n);
	for (; n > 1; n = up(leaves, n), index /= 2)
		if ((index ^ 1) < n)
			memcpy(path[len++], leaves[index ^ 1], HASH_LEN);
	return len;
}

bool
merkle_check(const uint8_t leaf[HASH_LEN], size_t n, size_t index,
    const uint8_t *path, size_t len, const uint8_t root[HASH_LEN])
{
	uint8_t node[HASH_LEN];
	size_t used = 0;

	if (index >= n)
		return false;
	memcpy(node, leaf, HASH_LEN);
	for (; n > 1; n = (n + 1) / 2, index /= 2) {
		if ((index ^ 1) >= n)
			continue;
		if (used == len)
			return false;
		if (index % 2 == 0)
			join(node, path + used * HASH_LEN, node);
		else
			join(path + used * HASH_LEN, node, node);
		used++;
	}
	return used == len && sodium_memcmp(node, root, HASH_LEN) == 0;
}

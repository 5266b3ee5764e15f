/*
 * Merkle trees: a node is H("node" || left || right); a node without a right
 * neighbour goes up as it is.  What a leaf is, is the caller's; for vectors it
 * is H("chunk" || bytes) of 256 KiB of little-endian words.
 */
#ifndef CRYPTO_MERKLE_H
#define CRYPTO_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"

#define MERKLE_CHUNK (256 * 1024) /* bytes */
#define MERKLE_DEPTH_MAX 32

void merkle_chunk(const void *p, size_t len, uint8_t leaf[HASH_LEN]);

/* A root over chunks that come one after the other, one at least.  Start from
   all zeros. */
struct merkle {
	size_t n; /* chunks */
	/* The roots of whole trees, one for each bit of n, the largest first. */
	uint8_t root[MERKLE_DEPTH_MAX][HASH_LEN];
};

void merkle_add(struct merkle *m, const void *p, size_t len);
void merkle_end(struct merkle *m, uint8_t root[HASH_LEN]);

/* n >= 1; the leaves are overwritten. */
void merkle_root(uint8_t (*leaves)[HASH_LEN], size_t n, uint8_t root[HASH_LEN]);

/* The neighbours from leaf index to the root, and how many; the leaves are
   overwritten. */
size_t merkle_path(uint8_t (*leaves)[HASH_LEN], size_t n, size_t index,
    uint8_t path[MERKLE_DEPTH_MAX][HASH_LEN]);
/* Whether leaf is the index'th of n under root.  path: (len, HASH_LEN). */
bool merkle_check(const uint8_t leaf[HASH_LEN], size_t n, size_t index,
    const uint8_t *path, size_t len, const uint8_t root[HASH_LEN]);

#endif

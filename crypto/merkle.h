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

#include "tests/crypto/random_fixed.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/random.h"

static char seed[100] = "unseeded";
static unsigned next_block;
static uint8_t block[HASH_LEN];
static size_t used = HASH_LEN;

void
random_fixed_seed(const char *s)
{
	snprintf(seed, sizeof(seed), "%s", s);
	next_block = 0;
	used = HASH_LEN;
}

void
random_bytes(void *p, size_t len)
{
	uint8_t *out = p;
	char text[128];

	for (size_t i = 0; i < len; i++) {
		if (used == HASH_LEN) {
			snprintf(
			    text, sizeof(text), "%s:%u", seed, next_block++);
			hash_sha256(text, strlen(text), block);
			used = 0;
		}
		out[i] = block[used++];
	}
}

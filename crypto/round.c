#include "crypto/round.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/round_msg.h"

_Static_assert(ROUND_CHUNK == MERKLE_CHUNK, "one size of chunk");

void
round_state_first(
    const uint8_t study[ROUND_DIGEST], uint8_t state[ROUND_DIGEST])
{
	struct hash h;

	hash_label(&h, "first-state");
	hash_add(&h, study, ROUND_DIGEST);
	hash_end(&h, state);
}

void
round_state_next(const uint8_t study[ROUND_DIGEST], uint32_t step,
    const char *kind, const uint8_t previous[ROUND_DIGEST],
    const uint8_t sum[ROUND_DIGEST], const void *model, size_t len,
    uint8_t state[ROUND_DIGEST])
{
	struct hash h;

	hash_label(&h, "state");
	hash_add(&h, study, ROUND_DIGEST);
	hash_u32(&h, step);
	hash_text(&h, kind);
	hash_add(&h, previous, ROUND_DIGEST);
	hash_add(&h, sum, ROUND_DIGEST);
	hash_bytes(&h, model, len);
	hash_end(&h, state);
}

void
round_words_root(
    unsigned bits, const void *words, size_t n, uint8_t root[ROUND_DIGEST])
{
	const uint8_t *p = words;
	size_t len = n * (bits / 8);
	struct merkle m = { .n = 0 };

	for (size_t at = 0; at < len; at += ROUND_CHUNK)
		merkle_add(&m, p + at, MIN((size_t)ROUND_CHUNK, len - at));
	merkle_end(&m, root);
}

void
round_words_add(unsigned bits, void *sum, const void *words, size_t n)
{
	const uint8_t *p = words;
	uint64_t *sum64 = sum, w64;
	uint32_t *sum32 = sum, w32;

	for (size_t k = 0; bits == 64 && k < n; k++) {
		memcpy(&w64, p + k * sizeof(w64), sizeof(w64));
		sum64[k] += w64;
	}
	for (size_t k = 0; bits == 32 && k < n; k++) {
		memcpy(&w32, p + k * sizeof(w32), sizeof(w32));
		sum32[k] += w32;
	}
}

int
round_announce_peek(
    const void *msg, size_t len, uint32_t *epoch, struct err *err)
{
	uint8_t consortium[ROUND_DIGEST];
	struct canon_in in;

	if (msg_peek(msg, len, "announce", &in, err) != 0)
		return -1;
	canon_get_raw(&in, consortium, sizeof(consortium));
	*epoch = canon_get_u32(&in);
	return in.failed ? err_set(err, ERR_FORMAT, "announce: cut short") : 0;
}

int
round_announce_open(const struct round_ctx *ctx, const void *msg, size_t len,
    struct round_about *about, struct err *err)
{
	struct msg_announce a;

	if (msg_get_announce(ctx, msg, len, &a, err) != 0)
		return -1;
	*about = a.about;
	return 0;
}

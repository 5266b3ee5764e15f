#include "crypto/round_check.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "crypto/group.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/random.h"

enum stage { UPLOADS, SUM, LEAVES, CHUNKS, CHECKED };

struct round_check {
	const struct round_result *result;
	enum round_verify verify;
	enum stage stage;
	unsigned bits;
	size_t n, words, len, chunks; /* inputs; of a vector, len in bytes */
	size_t at; /* the input that is wanted */
	void *sum; /* (words) */
	uint8_t (*leaves)[ROUND_DIGEST]; /* (n, chunks); replay: (chunks) */
	size_t sample[ROUND_SAMPLES], n_samples, sampled;
	uint64_t part[ROUND_CHUNK / 8]; /* of the uploads' sum */
};

void
round_leaves_name(const uint8_t root[ROUND_DIGEST], uint8_t name[ROUND_DIGEST])
{
	struct hash h;

	hash_label(&h, "leaves");
	hash_add(&h, root, ROUND_DIGEST);
	hash_end(&h, name);
}

size_t
round_chunks(unsigned bits, size_t n_words)
{
	return (n_words * (bits / 8) + ROUND_CHUNK - 1) / ROUND_CHUNK;
}

void
round_leaves(
    unsigned bits, const void *words, size_t n, uint8_t (*leaves)[ROUND_DIGEST])
{
	size_t len = n * (bits / 8);

	for (size_t at = 0; at < len; at += ROUND_CHUNK)
		merkle_chunk((const uint8_t *)words + at,
		    MIN((size_t)ROUND_CHUNK, len - at),
		    leaves[at / ROUND_CHUNK]);
}

/* Distinct chunks, each choice as likely as any. */
static void
choose(struct round_check *c)
{
	size_t most = MIN(c->chunks, (size_t)ROUND_SAMPLES);

	while (c->n_samples < most) {
		uint64_t r, limit = UINT64_MAX - UINT64_MAX % c->chunks;
		bool twice = false;

		random_bytes(&r, sizeof(r));
		if (r >= limit)
			continue;
		r %= c->chunks;
		for (size_t i = 0; i < c->n_samples; i++)
			twice |= c->sample[i] == r;
		if (!twice)
			c->sample[c->n_samples++] = (size_t)r;
	}
}

struct round_check *
round_check_new(const struct round_result *result, enum round_verify verify,
    struct err *err)
{
	struct round_check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		goto fail;
	c->result = result;
	c->verify = verify;
	c->stage = verify == ROUND_REPLAY ? UPLOADS : SUM;
	c->n = round_result_inputs(result);
	c->words = (size_t)round_result_about(result)->words;
	c->bits = round_result_params(result)->bits;
	c->len = c->words * (c->bits / 8);
	c->chunks = round_chunks(c->bits, c->words);
	c->sum = calloc(c->words, c->bits / 8);
	c->leaves = calloc((verify == ROUND_SAMPLE ? c->n : 1) * c->chunks,
	    sizeof(*c->leaves));
	if (c->sum == NULL || c->leaves == NULL)
		goto fail;
	if (verify == ROUND_SAMPLE)
		choose(c);
	return c;
fail:
	err_sys(err, "result");
	round_check_free(c);
	return NULL;
}

void
round_check_free(struct round_check *c)
{
	if (c == NULL)
		return;
	free(c->leaves);
	if (c->sum != NULL)
		explicit_bzero(c->sum, c->len);
	free(c->sum);
	free(c);
}

/* Bytes of the chunk that is wanted. */
static size_t
chunk_len(const struct round_check *c)
{
	return MIN(
	    (size_t)ROUND_CHUNK, c->len - c->sample[c->sampled] * ROUND_CHUNK);
}

bool
round_check_next(const struct round_check *c, struct round_want *want)
{
	const uint8_t *root =
	    c->at < c->n ? round_result_input(c->result, c->at)->root : NULL;

	*want = (struct round_want){ .bytes = c->len };
	switch (c->stage) {
	case UPLOADS:
		memcpy(want->name, root, ROUND_DIGEST);
		return true;
	case SUM:
		memcpy(
		    want->name, round_result_sum_root(c->result), ROUND_DIGEST);
		return true;
	case LEAVES:
		round_leaves_name(root, want->name);
		want->bytes = c->chunks * ROUND_DIGEST;
		return true;
	case CHUNKS:
		memcpy(want->name, root, ROUND_DIGEST);
		want->one_chunk = true;
		want->chunk = (uint32_t)c->sample[c->sampled];
		want->bytes = chunk_len(c);
		return true;
	case CHECKED:
		break;
	}
	return false;
}

/* One after the other into the one sum: n uploads take no more memory than
   one. */
static int
take_upload(struct round_check *c, const struct round_ctx *ctx,
    const void *data, size_t len, struct err *err)
{
	const struct round_input *in = round_result_input(c->result, c->at);
	const uint8_t *p = data;
	uint8_t root[HASH_LEN];

	for (size_t at = 0; at < len; at += ROUND_CHUNK)
		merkle_chunk(p + at, MIN(len - at, (size_t)ROUND_CHUNK),
		    c->leaves[at / ROUND_CHUNK]);
	merkle_root(c->leaves, c->chunks, root);
	if (!group_equal(root, in->root))
		return err_set(err, ERR_PEER,
		    "the upload of site %u is not the one that it signed",
		    (unsigned)in->site);
	round_words_add(c->bits, c->sum, p, c->words);
	if (++c->at < c->n)
		return 0;
	if (round_result_unmask(c->result, ctx, 0, c->sum, c->words, err) < 0)
		return -1;
	round_words_root(c->bits, c->sum, c->words, root);
	if (!group_equal(root, round_result_sum_root(c->result)))
		return err_set(err, ERR_PEER,
		    "result: its sum is not that of the uploads");
	c->stage = CHECKED;
	return 0;
}

static int
take_sum(struct round_check *c, const void *data, size_t len, struct err *err)
{
	uint8_t root[ROUND_DIGEST];

	memcpy(c->sum, data, len);
	round_words_root(c->bits, c->sum, c->words, root);
	if (!group_equal(root, round_result_sum_root(c->result)))
		return err_set(err, ERR_PEER,
		    "result: the sum is not the one that it names");
	c->stage = c->verify == ROUND_SAMPLE ? LEAVES : CHECKED;
	return 0;
}

static int
take_leaves(
    struct round_check *c, const void *data, size_t len, struct err *err)
{
	const struct round_input *in = round_result_input(c->result, c->at);
	uint8_t(*copy)[HASH_LEN] = malloc(len), root[HASH_LEN];

	if (copy == NULL)
		return err_sys(err, "%zu bytes", len);
	memcpy(copy, data, len);
	memcpy(c->leaves[c->at * c->chunks], data, len);
	merkle_root(copy, c->chunks, root);
	free(copy);
	if (!group_equal(root, in->root))
		return err_set(err, ERR_PEER,
		    "the upload of site %u has another root than its chunks",
		    in->site);
	if (++c->at == c->n) {
		c->at = 0;
		c->stage = CHUNKS;
	}
	return 0;
}

/* One chunk of one upload; after the last upload, of the sum. */
static int
take_chunk(struct round_check *c, const struct round_ctx *ctx, const void *data,
    size_t len, struct err *err)
{
	size_t chunk = c->sample[c->sampled], word = c->bits / 8;
	size_t n = len / word;
	uint8_t leaf[HASH_LEN];

	merkle_chunk(data, len, leaf);
	if (!group_equal(leaf, c->leaves[c->at * c->chunks + chunk]))
		return err_set(err, ERR_PEER,
		    "chunk %zu of the upload of site %u is not the one that "
		    "it signed",
		    chunk, round_result_input(c->result, c->at)->site);
	if (c->at == 0)
		memset(c->part, 0, sizeof(c->part));
	round_words_add(c->bits, c->part, data, n);
	if (++c->at < c->n)
		return 0;
	c->at = 0;
	if (round_result_unmask(c->result, ctx, chunk * (ROUND_CHUNK / word),
		c->part, n, err) < 0)
		return -1;
	if (memcmp(c->part, (const uint8_t *)c->sum + chunk * ROUND_CHUNK,
		len) != 0)
		return err_set(err, ERR_PEER,
		    "result: chunk %zu of its sum is not that of the uploads",
		    chunk);
	if (++c->sampled == c->n_samples)
		c->stage = CHECKED;
	return 0;
}

int
round_check_take(struct round_check *c, const struct round_ctx *ctx,
    const void *data, size_t len, struct err *err)
{
	struct round_want want;

	if (!round_check_next(c, &want))
		return err_set(err, ERR_PEER, "nothing was to be fetched");
	if (len != want.bytes)
		return err_set(err, ERR_PEER,
		    "%zu bytes of an upload or sum, expected %llu", len,
		    (unsigned long long)want.bytes);
	switch (c->stage) {
	case UPLOADS:
		return take_upload(c, ctx, data, len, err);
	case SUM:
		return take_sum(c, data, len, err);
	case LEAVES:
		return take_leaves(c, data, len, err);
	default:
		return take_chunk(c, ctx, data, len, err);
	}
}

const void *
round_check_sum(const struct round_check *c)
{
	return c->stage == CHECKED ? c->sum : NULL;
}

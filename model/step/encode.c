#include "model/step/encode.h"

#include <stdlib.h>

#include "common/err.h"
#include "model/spec.h"

#define LIMB 0x1p52

/* What the header claims for 1024 sites, checked here once. */
_Static_assert(MODEL_SITES_MAX <= 1024, "the sums of limbs could wrap");
_Static_assert(ENCODE_BITS - ENCODE_LIMB_BITS == 52, "high fits a double");

void
layout_start(struct layout *l, uint64_t max_weight)
{
	*l = (struct layout){ .n_values = 1, .n_words = 2 };
	l->max_weight = max_weight;
}

static void
add_group(struct layout *l, struct group g)
{
	struct group *more;
	size_t cap;

	if (l->n_groups == l->cap) {
		cap = l->cap == 0 ? 64 : 2 * l->cap;
		more = realloc(l->groups, cap * sizeof(*more));
		if (more == NULL) {
			l->failed = true;
			return;
		}
		l->groups = more;
		l->cap = cap;
	}
	g.value_at = l->n_values;
	g.word_at = l->n_words;
	l->groups[l->n_groups++] = g;
	l->n_values += g.n;
	l->n_words += g.n * g.words;
}

void
layout_counts(struct layout *l, size_t n, uint64_t max)
{
	add_group(l, (struct group){ .n = n, .words = 1, .max = max });
}

void
layout_reals(struct layout *l, size_t n, int bound_bits)
{
	add_group(
	    l, (struct group){ .n = n, .words = 2, .bound_bits = bound_bits });
}

void
layout_free(struct layout *l)
{
	free(l->groups);
	*l = (struct layout){ 0 };
}

static int
encode_count(double x, uint64_t max, uint64_t *word)
{
	if (!(x >= 0.0 && x <= (double)max) || (double)(uint64_t)x != x)
		return -1;
	*word = (uint64_t)x;
	return 0;
}

static int
encode_real(double x, const struct group *g, uint64_t word[2])
{
	double v = num_abs(x), high;
	int64_t h;

	if (!(v <= num_pow2(g->bound_bits)))
		return -1;
	v *= num_pow2(group_scale(g)); /* exact */
	if (v < LIMB)
		v = (v + LIMB) - LIMB; /* to the nearest integer */
	if (x < 0.0)
		v = -v;
	h = (int64_t)(v / LIMB); /* exact, then towards zero */
	high = (double)h;
	if (v < high * LIMB) {
		high -= 1.0;
		h--;
	}
	word[0] = (uint64_t)(v - high * LIMB);
	word[1] = (uint64_t)h;
	return 0;
}

int
encode(const struct layout *l, const double *values, uint64_t *words,
    struct err *err)
{
	if (encode_count(values[0], l->max_weight, &words[0]) == -1)
		return err_set(err, ERR_FORMAT,
		    "the update's weight is not a count up to %llu",
		    (unsigned long long)l->max_weight);
	words[1] = 0;
	for (size_t k = 0; k < l->n_groups; k++) {
		const struct group *g = &l->groups[k];
		const double *v = values + g->value_at;
		uint64_t *w = words + g->word_at;

		for (size_t i = 0; i < g->n; i++) {
			int r = g->words == 1
			    ? encode_count(v[i], g->max, &w[i])
			    : encode_real(v[i], g, &w[2 * i]);

			if (r == -1)
				return err_set(err, ERR_FORMAT,
				    "number %zu of the update (group %zu, "
				    "place %zu) is not finite or is beyond "
				    "its bound",
				    g->value_at + i, k, i);
		}
	}
	return 0;
}

uint64_t
sum_count(const struct group *g, const uint64_t *sum, size_t i)
{
	return sum[g->word_at + i];
}

wide
sum_wide(const struct group *g, const uint64_t *sum, size_t i)
{
	const uint64_t *w = sum + g->word_at + 2 * i;
	wide high = w[1];

	if (w[1] >> 63 != 0)
		high |= (wide)UINT64_MAX << 64;
	return (high << ENCODE_LIMB_BITS) + w[0];
}

double
sum_real(const struct group *g, const uint64_t *sum, size_t i)
{
	return num_wide(sum_wide(g, sum, i), group_scale(g));
}

static bool
real_is_plausible(const uint64_t w[2], uint64_t n)
{
	uint64_t high = w[1] >> 63 != 0 ? -w[1] : w[1];

	/* A site's high is -2^52 to 2^52, its low below 2^52. */
	return w[0] <= n * ((UINT64_C(1) << 52) - 1) &&
	    high <= n << (ENCODE_BITS - ENCODE_LIMB_BITS);
}

bool
sum_is_plausible(
    const struct layout *l, const uint64_t *sum, uint32_t n_contributors)
{
	uint64_t n = n_contributors;

	if (sum[0] > n * l->max_weight || sum[1] != 0)
		return false;
	for (size_t k = 0; k < l->n_groups; k++) {
		const struct group *g = &l->groups[k];
		const uint64_t *w = sum + g->word_at;

		for (size_t i = 0; i < g->n; i++) {
			if (g->words == 1 ? w[i] > n * g->max
					  : !real_is_plausible(&w[2 * i], n))
				return false;
		}
	}
	return true;
}

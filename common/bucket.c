#include "common/bucket.h"

#include "common/macros.h"

bool
bucket_take(struct bucket *b, unsigned burst, unsigned per_s, int64_t now_ms)
{
	if (b->filled_ms == 0)
		b->tokens = burst;
	else
		b->tokens += (double)(now_ms - b->filled_ms) * per_s / 1000;
	b->tokens = MIN(b->tokens, burst);
	b->filled_ms = now_ms;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

#include "daemon/backoff.h"

#include "common/macros.h"

int64_t
backoff_next(struct backoff *b, uint32_t random)
{
	b->most_ms = b->most_ms == 0 ? BACKOFF_MIN_MS
				     : MIN(2 * b->most_ms, BACKOFF_MAX_MS);
	return b->most_ms / 2 + random % (b->most_ms / 2 + 1);
}

void
backoff_reset(struct backoff *b)
{
	b->most_ms = 0;
}

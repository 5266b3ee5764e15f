/*
 * How long to wait after a failure: half of a time that doubles with each
 * failure in a row, up to a limit, and by chance up to all of it, so that sites
 * which lost the coordinator together do not come back all at once.
 */
#ifndef DAEMON_BACKOFF_H
#define DAEMON_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 60000

struct backoff {
	int64_t most_ms; /* of the last wait; 0: nothing has failed */
};

/* It has failed again: milliseconds to wait, from most_ms / 2 to most_ms.
   random is any number, all equally likely. */
int64_t backoff_next(struct backoff *b, uint32_t random);

/* It has succeeded: the next failure is the first. */
void backoff_reset(struct backoff *b);

#endif

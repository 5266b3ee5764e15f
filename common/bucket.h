/*
 * How often something may happen: burst times at once, and per_s times a second
 * in the long run.  A bucket of zeros is full.
 */
#ifndef COMMON_BUCKET_H
#define COMMON_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	double tokens; /* what may happen at once */
	int64_t filled_ms; /* when that was true; 0: never */
};

/* May it happen now (monotonic ms, > 0)?  Then one token less is in there. */
bool bucket_take(
    struct bucket *b, unsigned burst, unsigned per_s, int64_t now_ms);

#endif

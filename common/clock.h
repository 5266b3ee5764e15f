/*
 * Clocks.  Deadlines are on the monotonic clock; what people read and what
 * expires is in UTC.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 21 /* 2026-11-23T09:30:00Z and NUL */

int64_t clock_mono_ms(void);
int64_t clock_utc(void); /* seconds since 1970 */
void clock_text(int64_t utc, char out[CLOCK_TEXT_SIZE]);

#endif

/*
 * Numbers, dates and lists as people read them, in the language of the
 * catalogue (common/catalogue.h).
 */
#ifndef ANONYMIZE_WORDS_H
#define ANONYMIZE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORDS_SIZE 64

struct words {
	char text[WORDS_SIZE];
};

/* "30,162" */
struct words words_count(size_t n);
/* "1 in 12", of a chance; "none" of none. */
struct words words_one_in(double chance);
/* "8.3%"; a dash for NaN. */
struct words words_percent(double share);
/* "28 November 2026"; seconds since 1970, UTC. */
struct words words_date(int64_t utc);
/* The same of "2026-11-28", whatever follows. */
struct words words_day(const char *text);

/* Cut a text that snprintf() may have cut where a character ends. */
void words_fit(char *text);
/* At most n characters of text, with an ellipsis if that is not all. */
struct words words_short(const char *text, size_t n);

/* Append item number i of n to what stands in out: "a, b and c". */
void words_list(char *out, size_t size, size_t i, size_t n, const char *item);

#endif

/*
 * What a report says that the last one of the same study did not: it is read
 * from that one's report.json.
 */
#ifndef ANONYMIZE_CHANGES_H
#define ANONYMIZE_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct report;

#define CHANGES_MAX 12

struct changes {
	bool any; /* there is a last report */
	char made[21]; /* when, as report.json has it */
	bool same_study, same_table; /* to the byte */
	struct change {
		const char *what; /* in the reader's language */
		const char *key; /* for programs */
		double last, now;
		bool chance; /* else a number of things */
	} list[CHANGES_MAX]; /* that are not the same */
	size_t n;
};

/* json: NULL if there was none.  ERR_FORMAT if it is no report. */
int changes_find(const struct report *r, const char *json, size_t len,
    struct changes *c, struct err *err);

#endif

/*
 * What would make a study fail later, or disappoint: seen from its text, and
 * from how many patients there are where that is known.
 */
#ifndef CTL_STUDY_FINDINGS_H
#define CTL_STUDY_FINDINGS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct study;

struct findings_known {
	const char *feasibility; /* its result.json, or NULL */
	const uint64_t *rows; /* (n_rows) of the sites; 0: not known */
	size_t n_rows;
	int64_t today; /* days since 1970-01-01 */
};

/*
 * Print a line for each: "would fail: ..." or "look at: ...".  How many would
 * fail, or -1 if the result cannot be read.
 */
int study_findings(
    const struct study *s, const struct findings_known *known, struct err *err);

#endif

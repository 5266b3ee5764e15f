/*
 * Descriptive statistics from a finished plan of kind summary: what result.json
 * and result.txt have of it.  NAN where there is no such number.
 */
#ifndef MODEL_SUMMARY_REPORT_H
#define MODEL_SUMMARY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/spec.h"
#include "model/step/summary.h"

struct err;
struct plan;

enum { SUMMARY_QUANTILES = 5 };
extern const double summary_quantile[SUMMARY_QUANTILES]; /* 0.05 ... 0.95 */

/* One cell; of the whole, only groups that have the variable count. */
struct summary_cell {
	uint64_t n, missing;
	double mean, sd;
	/* R's type 7: between low and high for certain. */
	double quantile[SUMMARY_QUANTILES];
	double low[SUMMARY_QUANTILES], high[SUMMARY_QUANTILES];
};

struct summary_test {
	bool there;
	double statistic, df, df2, p; /* df 0: none */
	double bound; /* of the statistic: off by at most that */
	double p_low, p_high; /* p lies between these for certain */
};

struct summary_variable {
	struct summary_cell all, group[MODEL_TERMS_MAX];
	/* The largest of two groups, without a sign. */
	double smd;
	/*
	 * Of all groups that have the variable.  Numbers: equal variances and
	 * Welch's, each t for two groups (the first less the second), F for
	 * more; ranks: Mann and Whitney's W of the first group, with correction
	 * for continuity, or Kruskal and Wallis's H.  Levels: chi2.
	 */
	struct summary_test equal, welch, ranks, chi2;
};

struct summary_result {
	size_t n_variables;
	uint64_t n; /* of all groups that are counted */
	struct summary_variable *variables;
	uint64_t n_pairs; /* rows that correlations are of */
	double *correlation; /* (n_variables, n_variables), NAN: none */
};

/* The plan must be done, s of it.  NULL with ERR_SYSTEM. */
struct summary_result *summary_read(
    const struct plan *p, const struct summary *s, struct err *err);
void summary_free(struct summary_result *r); /* NULL is fine */

#endif

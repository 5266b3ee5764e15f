/*
 * A study's result from its final plan: numbers in the study's own units, as
 * consilium-result(5) (result.json) and as a table to read (result.txt).
 */
#ifndef MODEL_RESULT_H
#define MODEL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/spec.h"

struct canon;
struct err;
struct plan;

/* One round that was summed. */
struct result_round {
	uint64_t round; /* its number in the protocol */
	uint32_t step; /* plan_index() before it */
	const char *kind; /* plan_kind() before it */
	uint32_t n_sites; /* whose input is in the sum */
	const char *const *sites; /* (n_sites) names; NULL: leave them out */
};

/*
 * What the plan does not know.  All text is UTF-8 and belongs to the caller; a
 * NULL text or a zero number is left out.
 */
struct result_meta {
	const char *study; /* name */
	const char *study_digest; /* hexadecimal */
	const char *consortium;
	const char *purpose;
	const char *finished; /* UTC, as clock_text() */
	const char *outcome; /* column; for the heading */
	const char *time_unit; /* "days" */
	const struct result_round *rounds;
	size_t n_rounds;
	const char *const *warnings; /* beyond those of the fit */
	size_t n_warnings;
	/* privacy */
	uint32_t k; /* k-anonymity of the tables */
	uint32_t smallest_sites; /* fewest inputs in a sum */
	uint32_t corrupted; /* c */
	const char *cohort, *verify, *noise;
};

/* One coefficient; the intercept is the first term where there is one. */
struct result_term {
	char name[MODEL_NAME_SIZE];
	bool estimated; /* else the numbers are 0 and a warning says why */
	double estimate, se, z, p, ci_low, ci_high; /* 95%, Wald */
	double model_se; /* where se is a robust one: the model's; else se */
};

struct result_test {
	double chi2, p;
	unsigned df;
};

/*
 * All coefficients of an effect (spec.h) at once: Wald's test that they are 0,
 * given all others; with a dispersion chi2 / df is an F.  The generalized
 * variance inflation factor (Fox and Monette 1992) to the power of 1 / df: by
 * what the square of a confidence ellipsoid's radius is larger than if the
 * effect were orthogonal to all others.
 */
struct result_effect {
	char name[MODEL_NAME_SIZE];
	struct result_test wald; /* df 0: not estimated */
	double vif;
};

/*
 * Cox: score tests (Grambsch and Therneau 1994, without their approximation)
 * of each effect, and of all, against coefficients that change with a function
 * of time.
 */
struct result_ph {
	bool there;
	const char *transform; /* "km", "rank", "identity", "log" */
	struct result_test effects[MODEL_TERMS_MAX]; /* df 0: not estimated */
	struct result_test global;
};
#define RESULT_PH 4

/* Cox: the cumulative hazard of a patient who has the mean of every term. */
struct result_hazard {
	uint32_t stratum;
	double time;
	/*
	 * Patients at risk when the step began, that is after the last one of
	 * the stratum, and its events: none is about fewer than the study's
	 * smallest step.
	 */
	uint64_t at_risk, events;
	double hazard; /* after time */
};

#define RESULT_WARNINGS_MAX 8
#define RESULT_WARNING_SIZE 512

/* A plan's fit. */
struct result {
	enum model_kind kind;
	bool converged;
	bool fitted; /* there is a log-likelihood, and some term */
	bool has_concordance;
	uint64_t n, n_events;
	uint32_t iterations, halvings;
	size_t n_terms;
	struct result_term terms[MODEL_TERMS_MAX + 1];
	size_t n_effects;
	struct result_effect effects[MODEL_TERMS_MAX];
	double loglik, null_loglik, aic;
	struct result_test lr, score, wald;
	/* All but Cox. */
	bool has_deviance;
	double deviance, null_deviance;
	/* Glm: has_dispersion if it is estimated; z and p of terms are then of
	   Student's t with df_residual degrees of freedom. */
	bool has_dispersion, has_r2;
	double df_residual; /* whole, unless there is a penalty */
	double dispersion, pearson_dispersion, r2, adjusted_r2;
	struct {
		double f, p;
		unsigned df1; /* 0: there is none */
		double df2;
	} f;
	/* Cox: Harrell's C; logistic: area under the ROC curve. */
	double concordance, concordance_bound; /* |error| is at most that */
	enum model_robust robust; /* the standard errors */
	uint64_t clusters; /* how many, with robust ones */
	struct result_ph ph[RESULT_PH];
	/*
	 * With a ridge penalty: estimates and their sampling errors, no tests;
	 * the likelihood is that without the penalty.
	 */
	double ridge, edf; /* lambda; parameters that the penalty leaves */
	char warnings[RESULT_WARNINGS_MAX][RESULT_WARNING_SIZE];
	size_t n_warnings;
};

/* -1 with ERR_FORMAT if the plan is not done. */
int result_read(
    const struct plan *plan, struct result *result, struct err *err);

/*
 * Cox: the baseline hazard, by stratum and time, n steps; the caller frees
 * them.  NULL if the study has none (n 0), or there is no memory.
 */
struct result_hazard *result_baseline(const struct plan *plan, size_t *n);

/* Canonical as far as JSON can be: the same input gives the same bytes. */
int result_json(const struct plan *plan, const struct result_meta *meta,
    struct canon *out, struct err *err);
int result_text(const struct plan *plan, const struct result_meta *meta,
    struct canon *out, struct err *err);

#endif

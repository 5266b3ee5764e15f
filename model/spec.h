/*
 * What a study asks of a model: everything that the arithmetic needs and
 * nothing else.  A study file becomes one of these (study_model_spec()); the
 * same study gives the same spec on every machine, bit for bit.
 *
 * Possible time i (0 to n_times - 1) is time_min + i * time_step, in the
 * study's unit.  A row's time is given as this index.
 */
#ifndef MODEL_SPEC_H
#define MODEL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define MODEL_TERMS_MAX 64
#define MODEL_NAME_SIZE 64
#define MODEL_STRATA_MAX 1024
#define MODEL_TIMES_MAX (1u << 20)
#define MODEL_SITES_MAX 1024
#define MODEL_ROWS_MAX (1u << 24) /* at one site */
#define MODEL_BINS_MAX 16384
#define MODEL_LEVELS_MAX 256 /* of all variables of a summary */
#define MODEL_ITEMS_MAX (1u << 20) /* of a recoding */
#define MODEL_ITEM_MAX (UINT64_C(1) << 48) /* one of them, at one site */
/*
 * Robust errors by site need as many: with fewer, the sites' scores could be
 * told from the sum of their squares.
 */
#define MODEL_CLUSTERS_MIN 5
#define MODEL_CAUSES_MAX 8
#define MODEL_COUNT_MAX (1u << 24) /* of a Poisson outcome */

/*
 * The kinds of model.  A kind NAME has an entry in each of three tables of
 * operations: plan_NAME (model/step/kind.h), contribute_NAME (model/work.h) and
 * report_NAME (model/report.h); model/README.md says what a new one needs.
 */
#define MODEL_EACH_KIND(KIND)                                                  \
	KIND(COX, cox)                                                         \
	KIND(LOGISTIC, logistic)                                               \
	KIND(GAUSSIAN, gaussian) /* identity link */                           \
	KIND(POISSON, poisson) /* log link */                                  \
	KIND(QUASIPOISSON, quasipoisson) /* its dispersion estimated */        \
	KIND(KM, km) /* Kaplan-Meier, by groups */                             \
	KIND(GAMMA, gamma) /* log link */                                      \
	KIND(NEGBIN, negbin) /* negative binomial, theta given; log link */    \
	KIND(QUASIBINOMIAL, quasibinomial) /* logit link */                    \
	KIND(SUMMARY, summary) /* descriptive statistics, by groups */         \
	KIND(FEASIBILITY, feasibility) /* how many could take part */          \
	KIND(RECODING, recoding) /* counts for one recoding of all sites */    \
	KIND(CUMINC, cuminc) /* incidence of competing causes, by groups */    \
	KIND(BINOMIAL, binomial) /* successes of trials; logit link */         \
	KIND(GAMMA_INVERSE, gamma_inverse) /* 1 / mu is linear */

enum model_kind {
#define MODEL_CONSTANT(constant, name) MODEL_##constant,
	MODEL_EACH_KIND(MODEL_CONSTANT)
#undef MODEL_CONSTANT
	    MODEL_KINDS,
};

enum model_ties {
	TIES_EFRON,
	TIES_BRESLOW,
};

enum model_strata {
	STRATA_NONE,
	STRATA_COLUMN, /* n_strata levels of a column; data has the index */
	STRATA_SITE, /* each site is a stratum of its own */
};

/* Km, cuminc: what is symmetric about the estimate. */
enum model_bounds {
	BOUNDS_LOG, /* its logarithm */
	BOUNDS_LOG_LOG, /* the logarithm of minus that */
	BOUNDS_PLAIN, /* itself */
};

/* Km: bounds that hold for the whole curve at once. */
enum model_band {
	BAND_NO,
	BAND_HALL_WELLNER,
	BAND_EQUAL_PRECISION,
};

/* Regressions: whose residuals standard errors follow from, as a sandwich. */
enum model_robust {
	ROBUST_NO, /* those of the model */
	ROBUST_PATIENT, /* each patient (data has the index), or each row */
	ROBUST_SITE, /* all rows of a site together */
};

struct model_term {
	char name[MODEL_NAME_SIZE];
	double min, max; /* the codebook's range, min <= max */
	uint32_t effect; /* which of the effects it is part of */
};

/* What a summary describes: a number, or one of n_levels levels. */
struct model_variable {
	char name[MODEL_NAME_SIZE];
	double min, max; /* a number's range, min < max */
	bool whole; /* a number: only whole ones */
	uint32_t first_level, n_levels; /* in model_spec.levels; 0: a number */
};

/*
 * Learning from noised gradients (model/step/learn.h), logistic and gaussian
 * only, in place of exact statistics.
 */
struct model_learning {
	uint32_t rounds; /* gradient steps; 0: no learning */
	uint32_t retries; /* sums that may be lost beside them */
	double step, momentum;
	double clip; /* C: largest norm of what a patient adds to a sum */
	double epsilon, delta; /* of all sums together, for one patient */
	unsigned bits; /* of a ring word: 32 or 64 */
};

struct model_spec {
	enum model_kind kind;
	enum model_ties ties; /* cox */
	enum model_strata strata; /* cox, km; the others have STRATA_NONE */
	uint32_t n_strata; /* 1 unless STRATA_COLUMN */
	/* Km, summary: the groups, of which only the names count; at least
	   one. */
	uint32_t n_terms;
	struct model_term terms[MODEL_TERMS_MAX];
	/*
	 * What is tested and named as one: a column with all its levels, a
	 * spline, a product.  Terms of one effect stand together.
	 */
	uint32_t n_effects;
	char effects[MODEL_TERMS_MAX][MODEL_NAME_SIZE];

	/* The outcome's range, where it is a number. */
	double y_min, y_max;

	double theta; /* negbin: the variance is mu + mu^2 / theta */

	/*
	 * Regressions: a number that is added to each row's linear predictor,
	 * at most offset_max in size.
	 */
	bool has_offset;
	double offset_max;
	/* Glm: prior weights of rows, 0 to weight_max; 0: the row is not used.
	   Binomial: how many trials. */
	bool has_weights;
	double weight_max;

	/*
	 * Cox: rows are observed from an entry on, a time that is not in the
	 * row's risk sets; a patient may have several rows.
	 */
	bool has_entry;
	enum model_robust robust; /* regressions */
	bool ph_test; /* cox: are hazards proportional? */
	bool baseline; /* cox, not by site: the baseline hazard is shown */
	/* Glm: lambda of a penalty on standardised terms; 0: none. */
	double ridge;

	/* Cuminc: a row's event is 0 or one of these causes, from 1 on. */
	uint32_t n_causes;
	char causes[MODEL_CAUSES_MAX][MODEL_NAME_SIZE];
	enum model_bounds bounds; /* km, cuminc */
	enum model_band band; /* km */
	double rho; /* km: of the weighted test beside the log-rank test */

	double rmst_until; /* km: restricted mean until then; 0: none */

	/* Times, cox and km.  n_times is 0 for the others. */
	double time_min, time_step;
	uint32_t n_times;

	/*
	 * No covariate sum over fewer patients than this leaves a round (5 is
	 * usual): neighbouring times are merged until it holds.  Summary: the
	 * smallest cell.
	 */
	uint32_t risk_set_step;

	/*
	 * At least so many events per term (gaussian: patients; logistic: of
	 * the rarer outcome), or nothing but counts is summed.
	 */
	uint32_t events_per_term;

	/* Feasibility: the terms and the outcome are those of the model. */
	bool has_y; /* there are no events */
	/* Summary, feasibility; of the latter, only the names count. */
	uint32_t n_variables;
	struct model_variable variables[MODEL_TERMS_MAX];
	uint32_t n_levels; /* of all variables */
	char levels[MODEL_LEVELS_MAX][MODEL_NAME_SIZE];
	uint32_t summary_bins; /* of a number's range, in the first round */
	/* No sum of numbers >= 0 is made if all but its two largest could be
	   less than so many percent of the largest; 0: any. */
	uint32_t dominance;

	uint32_t n_items; /* recoding: how many counts a site has */

	uint32_t n_sites; /* named by the study */
	uint32_t rows_per_site; /* no site has more rows than this */
	uint32_t max_iterations; /* Newton rounds */
	double tolerance; /* largest |Newton step| / se at the end; 1e-9 */
	uint32_t concordance_bins; /* most bins of the linear predictor; 4096 */

	struct model_learning learning;
};

/* "cox", "logistic", "gaussian", ... */
const char *model_kind_name(enum model_kind kind);

/* Is its outcome a number (y), not an event? */
bool model_kind_has_y(enum model_kind kind);

/* 0 if a plan can run on it; else -1 with ERR_CONFIG naming the field. */
int model_spec_check(const struct model_spec *spec, struct err *err);

#endif

/*
 * Inside of a plan, for model/ alone.  docs/NUMERICS.md has the formulas.
 *
 * z = (x - mean) / sd is a standardised term; eta = beta'z (but for Cox: plus the
 * intercept) the linear predictor; w = exp(eta).  Parameters are numbered 0 to
 * n_par - 1: the intercept first where there is one, then the active terms.
 * A symmetric matrix is its upper triangle, packed row by row.
 */
#ifndef MODEL_STEP_STATE_H
#define MODEL_STEP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"
#include "model/spec.h"
#include "model/step/encode.h"
#include "model/step/grid.h"
#include "model/step/learn.h"
#include "model/step/pairs.h"
#include "model/step/plan.h"

#define PAR_MAX (MODEL_TERMS_MAX + 1)
#define PACKED(n) ((size_t)(n) * ((n) + 1) / 2)

enum phase {
	PHASE_COUNTS,
	PHASE_TIMES, /* km: who leaves when */
	PHASE_MOMENTS,
	PHASE_NEWTON,
	PHASE_SCORES, /* evaluation, 1st round: who has which predictor */
	PHASE_PAIRS, /* evaluation, 2nd round: which of two is higher */
	PHASE_DONE,
	PHASE_NULL, /* newton of the intercept alone, where there is an offset */
	/* Summary, after its counts. */
	PHASE_BINS,
	PHASE_SUMS,
	PHASE_GRADIENT, /* learning; it has no other */
	PHASE_RESIDUALS, /* at the end: sums of patients' residuals */
	PHASES,
};

/* How it ended.  What is not FIT_OK has its words in result.c. */
enum fit_status {
	FIT_OK,
	FIT_NO_EVENTS,
	FIT_ONE_CLASS, /* logistic: all outcomes are the same */
	FIT_TOO_FEW, /* fewer than the smallest step */
	FIT_NO_TERMS, /* nothing varies */
	FIT_SEPARATED, /* terms in `blamed` run away */
	FIT_SINGULAR, /* terms in `blamed` cannot be told from the others */
	FIT_NOT_CONVERGED,
	FIT_SUSPECT, /* sums beyond their bounds */
	FIT_CHANGING, /* the set of rows changed again and again */
	FIT_FEW_PER_TERM, /* fewer events per term than the study asks for */
	FIT_WEIGHTS, /* few weigh more than all others can */
	FIT_FEW_SITES, /* for standard errors by site */
	FIT_STATUSES,
};

struct plan {
	struct model_spec spec;
	struct layout next; /* of the round that the plan waits for */
	struct learn learn; /* if there is learning */

	/* From here on: the model bytes, in this order. */
	uint32_t index;
	enum phase phase;
	enum fit_status status;
	uint32_t suspects, restarts;

	uint64_t n, n_events; /* rows and events in the sums */
	uint64_t n_used; /* rows in some risk set (others: all) */
	uint64_t n_out; /* rows in strata that were left out */
	uint32_t n_strata_out;
	struct grid grid; /* cox, unless strata = site; km: all cells' */

	/*
	 * The kind's own numbers.  Km, cuminc: leavers and events of each cell,
	 * then of each interval's cells, (1 + grid.n, plan_cells(),
	 * plan_width()).
	 */
	uint64_t *cells;
	size_t n_cells; /* numbers in it; 0 before the first sum */
	double *reals; /* finite ones; cox: hazard.h, glm: robust.h */
	size_t n_reals;

	double mean[MODEL_TERMS_MAX], sd[MODEL_TERMS_MAX]; /* sd 0: constant */
	/* Bit i: term i.  Few: the plan asks for no sum of it. */
	uint64_t few, constant, aliased, blamed;

	double beta[PAR_MAX]; /* where the next sums are taken */
	double base[PAR_MAX]; /* the best point so far */
	double step[PAR_MAX]; /* Newton's step from it */
	double loglik; /* at base */
	uint32_t iterations, halving, halvings, flat;
	double null_loglik, score_test;
	double info[PACKED(PAR_MAX)]; /* (n_par, n_par) at base */
	double event_z[MODEL_TERMS_MAX]; /* sum of z over events, cox */
	double cov_z[PACKED(MODEL_TERMS_MAX)]; /* (n_active, n_active) */

	/* Gaussian: of the outcome. */
	double y_mean, y_sd;
	/*
	 * Glm: what the log-likelihood has beside what depends on the
	 * coefficients, and the most that this can be (docs/NUMERICS.md).
	 */
	double y_factorials, y_saturated;
	double pearson; /* squared Pearson residuals at base */

	double score_sd; /* of the linear predictor */
	uint64_t *scores; /* (bins) rows per bin, phase pairs only */
	uint32_t bins; /* 0: no scores */
	double concordant, discordant, tied, tied_by_bins; /* pairs */

	/* Only where there are weights: sums of w, of log(w) where w > 0. */
	double weights, weight_logs;
	double event_offset; /* cox with an offset: its sum over events */
	/* Learning: patients and clipped gradients, over all noised sums. */
	double seen, clipped;
};

static inline bool
plan_learns(const struct plan *p)
{
	return p->spec.learning.rounds != 0;
}

/* Which terms take part, in order; returns how many. */
uint32_t plan_active(const struct plan *p, uint32_t active[MODEL_TERMS_MAX]);
bool plan_has_intercept(const struct plan *p);
uint32_t plan_parameters(const struct plan *p);

/* From the moments on: are the next sums over standardised terms? */
bool plan_has_z(const struct plan *p);

/*
 * Is there an offset beside an intercept?  Then its mean is summed with the
 * moments, and the null model is found by rounds of its own (PHASE_NULL).
 */
bool plan_sums_offset(const struct plan *p);

/* The middle of a term's range, which the moments are about. */
double plan_centre(const struct plan *p, uint32_t term);
/* The largest |z| that the codebook allows. */
double plan_z_max(const struct plan *p, uint32_t term);
/* |z| of a parameter of a model with an intercept, whose own is 1. */
double plan_reach(
    const struct plan *p, const uint32_t *active, uint32_t parameter);
/* The largest |eta| that it allows at beta; of residuals, at base. */
double plan_eta_max(const struct plan *p);

/*
 * Cox: a row whose |eta| is larger than this contributes nothing but a flag,
 * and the step is halved: bounds stay small enough for 1e-12 in every sum.
 */
#define ETA_CAP 20.0
/*
 * Inverse link: a row whose mean would be 0 or less, or not within this many times
 * the mean of all, is flagged likewise.
 */
#define INVERSE_CAP 65536.0

/* Km: a cell is a group in a stratum, number stratum * n_groups + group. */
static inline uint32_t
plan_cells(const struct plan *p)
{
	return p->spec.n_strata * p->spec.n_terms;
}

/* Numbers of a cell: who leaves; by an event, of each cause. */
static inline uint32_t
plan_width(const struct plan *p)
{
	return 1 + (p->spec.kind == MODEL_CUMINC ? p->spec.n_causes : 1);
}

/*
 * Of fewer sites' patients than this no sum is made, nor a count shown: each of
 * two could subtract its own.
 */
#define PLAN_SITES 3

/* Do some sites have such patients, but too few?  A step of 1 protects nobody. */
static inline bool
plan_few_sites(const struct plan *p, uint64_t sites)
{
	return p->spec.risk_set_step > 1 && sites > 0 &&
	    sites < MIN((uint32_t)PLAN_SITES, p->spec.n_sites);
}

/* Nobody, or enough patients that a sum is not about single ones? */
static inline bool
plan_is_enough(const struct plan *p, uint64_t n)
{
	return n == 0 || n >= p->spec.risk_set_step;
}

/* Are this round's counts of who has each term (model/step/few.h)? */
bool plan_counts_terms(const struct plan *p);

/* Large enough for its times to be summed?  From the first sum on. */
bool plan_cell_kept(const struct plan *p, uint32_t cell);

/* End with a status; terms named by `blamed`. */
void plan_end(struct plan *p, enum fit_status status);

#endif

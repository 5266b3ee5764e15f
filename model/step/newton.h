/*
 * Newton's method, one sum at a time: accept the point that was summed or go
 * half the way back, and say where to sum next.
 */
#ifndef MODEL_STEP_NEWTON_H
#define MODEL_STEP_NEWTON_H

#include "model/step/state.h"

/* At plan->beta. */
struct newton_sums {
	double loglik;
	double score[PAR_MAX]; /* (n_par) */
	double info[PACKED(PAR_MAX)]; /* (n_par, n_par), observed */
	/* Expected, where that is another one; it is what errors come of. */
	bool has_expected;
	double expected[PACKED(PAR_MAX)];
};

/*
 * The intercept alone (PHASE_NULL), where an offset leaves no formula for it:
 * on to PHASE_NEWTON when it does not move any more.
 */
void newton_null(struct plan *p, const struct newton_sums *sums);

/*
 * The penalty ridge / 2 times the sum of squares of all parameters but the
 * intercept is subtracted from the log-likelihood at plan->beta.
 */
void newton_penalize(const struct plan *p, struct newton_sums *sums);

/* Changes *sums where it drops a parameter; call it with all terms active. */
void newton_first(struct plan *p, struct newton_sums *sums);

/* After a later round; NULL: somebody's linear predictor is beyond ETA_CAP. */
void newton_next(struct plan *p, const struct newton_sums *sums);

#endif

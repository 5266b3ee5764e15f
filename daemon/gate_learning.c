/*
 * The gate's part in learning with differential privacy: rounding and noise,
 * and the ledger that says how much of a patient has left the house.
 */
#include "daemon/gate_run.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "crypto/noise.h"
#include "crypto/round_site.h"
#include "daemon/config.h"
#include "model/step/learn.h"
#include "model/step/plan.h"
#include "model/step/privacy.h"
#include "study/study.h"

/* At delta, less what rounding takes of it. */
static double
epsilon_of(const struct store_spent *spent, double delta)
{
	return privacy_epsilon(
	    spent->rho, delta - (double)spent->uploads * PRIVACY_ROUNDING);
}

int
run_epsilon(struct gate *g, const struct run *r, char *out, size_t size,
    struct err *err)
{
	const struct study_learning *l = r != NULL ? &r->study->learning : NULL;
	struct store_spent spent;

	out[0] = '\0';
	if (l == NULL || l->rounds == 0)
		return 0;
	if (store_spent(g->store, r->id, &spent, err) < 0)
		return -1;
	snprintf(out, size, "%.3g of %g at delta %g",
	    epsilon_of(&spent, l->delta), l->epsilon, l->delta);
	return 0;
}

int
run_price(struct gate *g, const struct run *r, char rho[32], char epsilon[32],
    char delta[32], struct err *err)
{
	const struct learn *l = plan_learn(r->plan);
	struct store_spent spent;

	rho[0] = epsilon[0] = delta[0] = '\0';
	if (l == NULL)
		return 0;
	if (store_spent(g->store, r->id, &spent, err) < 0)
		return -1;
	spent.uploads++;
	spent.rho += l->rho;
	snprintf(rho, 32, "%.9g", l->rho);
	snprintf(
	    epsilon, 32, "%.9g", epsilon_of(&spent, r->study->learning.delta));
	snprintf(delta, 32, "%g", r->study->learning.delta);
	return 0;
}

int
run_can_pay(struct gate *g, const struct run *r, struct err *err)
{
	const struct site_policy *policy = &g->config->policy;
	const struct learn *l = plan_learn(r->plan);
	struct store_spent study, all;

	if (l == NULL)
		return 0;
	if (store_spent(g->store, r->id, &study, err) < 0 ||
	    store_spent(g->store, 0, &all, err) < 0)
		return -1;
	if (study.uploads >= l->sums)
		return err_set(err, ERR_BUDGET,
		    "the study's budget is spent: epsilon %g pays for %u "
		    "uploads",
		    r->study->learning.epsilon, l->sums);
	all.uploads++;
	all.rho += l->rho;
	if (!(epsilon_of(&all, policy->largest_delta) <= policy->total_epsilon))
		return err_set(err, ERR_BUDGET,
		    "this site's budget is spent: one more upload would make "
		    "the epsilon of all studies %.3g at delta %g, its policy's "
		    "total-epsilon is %g",
		    epsilon_of(&all, policy->largest_delta),
		    policy->largest_delta, policy->total_epsilon);
	return 0;
}

int
run_pay(struct gate *g, const struct run *r, struct err *err)
{
	const struct learn *l = plan_learn(r->plan);

	return l == NULL
	    ? 0
	    : store_charge(g->store, r->id, r->last_round, l->rho, err);
}

void
run_noise(const struct run *r, void *words)
{
	const struct round_params *p = site_round_params(r->round);
	const struct learn *l = plan_learn(r->plan);
	const int64_t *parts = r->update;

	if (l == NULL) {
		memcpy(
		    words, r->update, plan_words(r->plan) * sizeof(uint64_t));
		return;
	}
	/* The honest inputs alone, of which there are u_min - c or more, make
	   up the whole variance. */
	assert(p != NULL && p->u_min > p->corrupted && l->bits == p->bits);
	for (uint32_t i = 0; i < l->dim; i++) {
		int64_t z = noise_round(parts[i], LEARN_PART_BITS) +
		    noise_gauss((uint64_t)l->variance,
			(uint64_t)(p->u_min - p->corrupted));

		if (l->bits == 32)
			((uint32_t *)words)[i] = (uint32_t)z;
		else
			((uint64_t *)words)[i] = (uint64_t)z;
	}
}

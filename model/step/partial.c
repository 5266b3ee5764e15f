#include "model/step/partial.h"

#include "model/step/number.h"

/* One of the d terms: the mean and the variance of z with weights S - f E. */
static void
subtract_one(
    struct partial *a, const double *S, const double *E, double f, double times)
{
	uint32_t p = a->p;
	double s0 = E == NULL ? S[0] : S[0] - f * E[0];
	size_t at = 1 + p, packed = 0;

	a->loglik -= times * num_log(s0);
	for (uint32_t i = 0; i < p; i++) {
		double mi = E == NULL ? S[1 + i] : S[1 + i] - f * E[1 + i];

		mi /= s0;
		a->score[i] -= times * mi;
		for (uint32_t j = i; j < p; j++, at++, packed++) {
			double mj =
			    E == NULL ? S[1 + j] : S[1 + j] - f * E[1 + j];
			double v = E == NULL ? S[at] : S[at] - f * E[at];

			a->info[packed] += times * (v / s0 - mi * (mj / s0));
		}
	}
}

void
partial_subtract(
    struct partial *a, const double *S, const double *E, uint64_t d)
{
	if (!a->efron || d < 2) {
		subtract_one(a, S, NULL, 0.0, (double)d);
		return;
	}
	for (uint64_t r = 0; r < d; r++)
		subtract_one(a, S, E, (double)r / (double)d, 1.0);
}

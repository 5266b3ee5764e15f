#include "model/step/partial.h"

#include "model/step/number.h"

/* d events, each with the whole risk set. */
static void
subtract_breslow(struct partial *a, const double *S, double d)
{
	uint32_t p = a->p;
	size_t at = 1 + p, packed = 0;

	a->loglik -= d * num_log(S[0]);
	for (uint32_t i = 0; i < p; i++) {
		double m = S[1 + i] / S[0];

		a->score[i] -= d * m;
		for (uint32_t j = i; j < p; j++, at++, packed++)
			a->info[packed] +=
			    d * (S[at] / S[0] - m * (S[1 + j] / S[0]));
	}
}

/*
 * With f = r/d, r = 0 to d - 1, and C the sums over who has no event, S - f E is
 * C + (1 - f) E.  What depends on r are five sums of numbers, none of which
 * cancels.
 */
static void
subtract_efron(struct partial *a, const double *S, const double *E, uint64_t d)
{
	double c0 = S[0] - E[0], t = 0.0, tg = 0.0;
	double tt = 0.0, ttg = 0.0, ttgg = 0.0;
	uint32_t p = a->p;
	size_t at = 1 + p, packed = 0;

	for (uint64_t r = 0; r < d; r++) {
		double g = (double)(d - r) / (double)d, s = c0 + g * E[0];
		double u = 1.0 / s;

		a->loglik -= num_log(s);
		t += u;
		tg += g * u;
		tt += u * u;
		ttg += g * u * u;
		ttgg += g * u * (g * u);
	}
	for (uint32_t i = 0; i < p; i++) {
		double ei = E[1 + i], ci = S[1 + i] - ei;

		a->score[i] -= ci * t + ei * tg;
		for (uint32_t j = i; j < p; j++, at++, packed++) {
			double ej = E[1 + j], cj = S[1 + j] - ej;

			a->info[packed] += (S[at] - E[at]) * t + E[at] * tg -
			    (ci * cj * tt + (ci * ej + ei * cj) * ttg +
				ei * ej * ttgg);
		}
	}
}

void
partial_subtract(
    struct partial *a, const double *S, const double *E, uint64_t d)
{
	if (a->efron && d > 1)
		subtract_efron(a, S, E, d);
	else
		subtract_breslow(a, S, (double)d);
}

#include "model/step/privacy.h"

#include "common/macros.h"
#include "model/step/number.h"

#define UP (1.0 + 0x1p-40) /* over what a few operations round */
#define LN2 0x1.62e42fefa39efp-1
#define PI_SQUARED 9.8696044010893580

/* Not below exp(-x), x >= 0, and at most 6.2% above: 2^-f <= 1 - f / 2. */
static double
exp_minus(double x)
{
	double y = x / LN2 * (1.0 - 0x1p-40), whole;

	if (!(y < 1000.0))
		y = 1000.0;
	whole = (double)(int)y;
	return num_pow2(-(int)whole) * (1.0 - 0.5 * (y - whole)) * UP;
}

double
privacy_sensitivity(double norm, uint32_t dim)
{
	double root = num_sqrt((double)dim), always = norm + root;
	/* sqrt(2 log(1 / 2^-80)) */
	double tail = num_sqrt(160.0 * LN2);
	double square =
	    norm * norm + 0.25 * (double)dim + tail * (norm + 0.5 * root);

	return MIN(always, num_sqrt(square)) * UP;
}

/* How far the sum of discrete Gaussians is from one: the paper's tau. */
static double
tau(double variance, uint32_t contributors)
{
	double x = 2.0 * PI_SQUARED * variance / (double)contributors;
	double sum = 0.0;

	for (uint32_t k = 1; k < contributors; k++)
		sum += exp_minus(x * (double)k / (double)(k + 1));
	return 10.0 * sum;
}

double
privacy_rho(
    double sensitivity, uint32_t dim, double variance, uint32_t contributors)
{
	double d = (double)dim, t = tau(variance, contributors);
	double l2 = sensitivity / num_sqrt(variance);
	double l1 = l2 * MIN(num_sqrt(d), sensitivity);
	double a = l2 * l2 + 2.0 * l1 * t + t * t * d;
	double b = (l2 + num_sqrt(d) * t) * (l2 + num_sqrt(d) * t);

	return 0.5 * MIN(a, b) * UP;
}

/* At order 1 + x. */
static double
epsilon_at(double x, double rho, double log_delta)
{
	double a = 1.0 + x;

	return rho * a + num_log(x / a) - (log_delta + num_log(a)) / x;
}

double
privacy_epsilon(double rho, double delta)
{
	const double ratio = 1.0625;
	double log_delta = num_log(delta), best = num_pow2(1023), at = 1.0;

	if (!(delta > 0.0))
		return best * 2.0; /* infinity */
	if (!(rho > 0.0))
		return 0.0;
	for (double x = 0x1p-24; x < 0x1p40; x *= ratio) {
		double e = epsilon_at(x, rho, log_delta);

		if (e < best) {
			best = e;
			at = x;
		}
	}
	/* Any order is a proof; a better one may lie between the neighbours. */
	for (double low = at / ratio, high = at * ratio, n = 0.0; n < 60.0;
	     n += 1.0) {
		double third = (high - low) / 3.0;
		double e1 = epsilon_at(low + third, rho, log_delta);
		double e2 = epsilon_at(high - third, rho, log_delta);

		best = MIN(best, MIN(e1, e2));
		if (e1 < e2)
			high -= third;
		else
			low += third;
	}
	return best > 0.0 ? best * UP : 0.0;
}

double
privacy_budget(double epsilon, double delta)
{
	double low = 0.0, high = 1.0;

	while (high < 0x1p60 && privacy_epsilon(high, delta) <= epsilon) {
		low = high;
		high *= 2.0;
	}
	for (int i = 0; i < 60; i++) {
		double middle = 0.5 * (low + high);

		if (privacy_epsilon(middle, delta) <= epsilon)
			low = middle;
		else
			high = middle;
	}
	return low;
}

double
privacy_variance(
    double sensitivity, uint32_t dim, uint32_t contributors, double rho)
{
	double low = 0.0, high = PRIVACY_VARIANCE_MAX;

	if (!(privacy_rho(sensitivity, dim, high, contributors) <= rho))
		return 0.0;
	while (high - low > 1.0) {
		double middle = (double)(uint64_t)(0.5 * (low + high));

		if (privacy_rho(sensitivity, dim, middle, contributors) <= rho)
			high = middle;
		else
			low = middle;
	}
	return high;
}

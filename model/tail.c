#include "model/tail.h"

#include <float.h>
#include <math.h>

/* Abramowitz, Stegun 26.4.4-5. */
double
tail_chi2(double x, unsigned df)
{
	double y = 0.5 * x, term, sum = 0.0;
	unsigned first = df % 2 == 0 ? 0 : 1;

	if (df == 0 || !(x > 0.0))
		return 1.0;
	/* y^(i/2) exp(-y) / Gamma(i/2 + 1) for i = first, first + 2, ... */
	term = first == 0 ? exp(-y) : exp(-y) * sqrt(y) / (0.5 * sqrt(M_PI));
	for (unsigned i = first; i + 2 <= df; i += 2) {
		sum += term;
		term *= y / (0.5 * i + 1.0);
	}
	return fmin(1.0, first == 0 ? sum : erfc(sqrt(y)) + sum);
}

double
tail_normal(double z)
{
	return erfc(fabs(z) / M_SQRT2);
}

/*
 * The continued fraction of the incomplete beta function (Abramowitz, Stegun
 * 26.5.8), evaluated by Lentz's method.
 */
static double
beta_fraction(double x, double a, double b)
{
	double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0), f;

	d = 1.0 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
	f = d;
	for (int m = 1; m < 10000; m++) {
		double step = 1.0;

		for (int odd = 0; odd <= 1; odd++) {
			double k = odd == 1
			    ? -(a + m) * (a + b + m) * x /
				((a + 2 * m) * (a + 2 * m + 1))
			    : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));

			d = 1.0 + k * d;
			d = 1.0 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
			c = 1.0 + k / c;
			c = fabs(c) < DBL_MIN ? DBL_MIN : c;
			f *= c * d;
			step = c * d;
		}
		if (fabs(step - 1.0) < 1e-16)
			break;
	}
	return f;
}

/* I_x(a, b); y is 1 - x, given apart so that neither end cancels. */
static double
beta_incomplete(double x, double y, double a, double b)
{
	double front;

	if (x <= 0.0 || y <= 0.0)
		return x <= 0.0 ? 0.0 : 1.0;
	if (x > (a + 1.0) / (a + b + 2.0))
		return 1.0 - beta_incomplete(y, x, b, a);
	front = exp(
	    lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
	return front * beta_fraction(x, a, b) / a;
}

double
tail_t(double t, double df)
{
	double s = t * t;

	return beta_incomplete(df / (df + s), s / (df + s), 0.5 * df, 0.5);
}

double
tail_f(double f, double df1, double df2)
{
	double s = df2 + df1 * f;

	if (!(f > 0.0))
		return 1.0;
	return beta_incomplete(df2 / s, df1 * f / s, 0.5 * df2, 0.5 * df1);
}

/* By bisection; more than 1000 for df = 1 is impossible. */
double
tail_t_95(double df)
{
	double low = 1.9, high = 1000.0;

	for (int i = 0; i < 200 && high - low > 4e-16 * high; i++) {
		double t = 0.5 * (low + high);

		if (tail_t(t, df) > 0.05)
			low = t;
		else
			high = t;
	}
	return 0.5 * (low + high);
}

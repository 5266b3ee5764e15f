#include "model/band.h"

#include <math.h>
#include <stdlib.h>

#include "common/macros.h"

#define LEVEL 0.95
#define Z_95 1.9599639845400545

/* The chance that a process stays below c; its context is its own. */
typedef double (*chance_fn)(const void *context, double c);

/* Where it is 95%: the chance grows with c. */
static double
solve(chance_fn chance, const void *context, double from, double to)
{
	for (int i = 0; i < 50 && to - from > 1e-9; i++) {
		double c = 0.5 * (from + to);

		if (chance(context, c) < LEVEL)
			from = c;
		else
			to = c;
	}
	return 0.5 * (from + to);
}

/* Gauss and Legendre's points in -1..1, 16 in each of PANELS equal parts. */
#define POINTS 16
#define PANELS 4
static const double place[POINTS / 2] = { 0.0950125098376374402,
	0.2816035507792589132, 0.4580167776572273863, 0.6178762444026437484,
	0.7554044083550030339, 0.8656312023878317439, 0.9445750230732325761,
	0.9894009349916499326 };
static const double share[POINTS / 2] = { 0.1894506104550684963,
	0.1826034150449235889, 0.1691565193950025382, 0.1495959888165767321,
	0.1246289712555338720, 0.0951585116824927848, 0.0622535239386478929,
	0.0271524594117540949 };

/* Point k of PANELS * POINTS in low..high, and its weight. */
static double
point(double low, double high, int k, double *weight)
{
	double half = 0.5 * (high - low) / PANELS;
	int i = k % POINTS;
	double x = i % 2 == 0 ? place[i / 2] : -place[i / 2];

	*weight = half * share[i / 2];
	return low + half * (2.0 * (k / POINTS) + 1.0 + x);
}

static double
normal_density(double x, double variance)
{
	return exp(-0.5 * x * x / variance) / sqrt(2.0 * M_PI * variance);
}

/*
 * A Brownian bridge from x to y, both within -k..k, in a time t: that it stays
 * there, by images.
 */
static double
stays(double x, double y, double t, double k)
{
	double direct = (y - x) * (y - x), sum = 0.0;

	for (int m = -6; m <= 6; m++) {
		double same = y - x + 4.0 * k * m;
		double other = y + x + 2.0 * k + 4.0 * k * m;

		sum += exp((direct - same * same) / (2.0 * t)) -
		    exp((direct - other * other) / (2.0 * t));
	}
	return sum;
}

struct bridge {
	double low, high;
};

#define FAR 9.0 /* standard deviations */

static double
bridge_chance(const void *context, double k)
{
	const struct bridge *b = context;
	double first = b->low * (1.0 - b->low), t = b->high - b->low;
	double shrink = (1.0 - b->high) / (1.0 - b->low), sum = 0.0;
	double variance = t * shrink, sd = sqrt(variance);
	double reach = MIN(k, FAR * sqrt(first));

	for (int i = 0; i < PANELS * POINTS; i++) {
		double wx, x = point(-reach, reach, i, &wx), inner = 0.0;
		double from = MAX(-k, x * shrink - FAR * sd);
		double to = MIN(k, x * shrink + FAR * sd);

		for (int j = 0; to > from && j < PANELS * POINTS; j++) {
			double wy, y = point(from, to, j, &wy);

			inner += wy * normal_density(y - x * shrink, variance) *
			    stays(x, y, t, k);
		}
		sum += wx * normal_density(x, first) * inner;
	}
	return sum;
}

/* A bridge that is hardly there yet, or gone, or of one time. */
#define LEAST 1e-8

double
band_hall_wellner(double low, double high)
{
	struct bridge b = { MAX(low, LEAST), MIN(high, 1.0 - LEAST) };
	double most = b.low < 0.5 && b.high > 0.5
	    ? 0.25
	    : MAX(b.low * (1.0 - b.low), b.high * (1.0 - b.high));

	if (!(b.high - b.low > LEAST))
		return Z_95 * sqrt(most);
	return solve(bridge_chance, &b, Z_95 * sqrt(most), 1.4);
}

/*
 * In the time t = log(u / (1 - u)) / 2, W / sqrt(u (1 - u)) is Ornstein and
 * Uhlenbeck's process, whose generator is d^2/dx^2 - x d/dx.  Times exp(-x^2/4)
 * its functions within -c..c are those of H = -d^2/dx^2 + x^2/4 - 1/2, here in
 * cosines that are 0 at both ends: the chance is w' exp(-H t) w, w of the density's
 * root.
 */
#define COSINES_MAX 100
#define SIMPSON 2000

struct precision {
	double time;
};

static void
set_operator(double c, int n, double *h)
{
	for (int j = 1; j <= n; j++) {
		for (int k = 1; k <= n; k++) {
			double minus = j - k, plus = j + k - 1, x2;
			double sign = (j - k) % 2 == 0 ? 1.0 : -1.0;
			double wave = (j - 0.5) * M_PI / c;

			x2 = -sign / (plus * plus);
			if (j != k)
				x2 += sign / (minus * minus);
			x2 *= 2.0 * c * c / (M_PI * M_PI);
			if (j == k)
				x2 += c * c / 3.0 + 4.0 * (wave * wave - 0.5);
			h[(j - 1) * n + k - 1] = 0.25 * x2;
		}
	}
}

static void
set_root_of_density(double c, int n, double *w)
{
	double step = c / SIMPSON;

	for (int j = 1; j <= n; j++) {
		double sum = 0.0;

		for (int i = 0; i <= SIMPSON; i++) {
			double x = i * step;
			double times = i == 0 || i == SIMPSON ? 1.0
			    : i % 2 == 1                      ? 4.0
							      : 2.0;

			sum += times * cos((j - 0.5) * M_PI * x / c) *
			    exp(-0.25 * x * x);
		}
		w[j - 1] =
		    2.0 * sum * step / 3.0 / sqrt(c) / pow(2.0 * M_PI, 0.25);
	}
}

/* out = a b, each (n, n). */
static void
multiply(const double *a, const double *b, int n, double *out)
{
	for (int i = 0; i < n * n; i++)
		out[i] = 0.0;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			for (int j = 0; j < n; j++)
				out[i * n + j] += a[i * n + k] * b[k * n + j];
}

/* exp(-a), by Taylor's series of a part of it, which is then squared. */
static void
exponential(double *a, int n, double *out, double *tmp)
{
	double norm = 0.0;
	int squarings = 0;

	for (int i = 0; i < n; i++) {
		double sum = 0.0;

		for (int j = 0; j < n; j++)
			sum += fabs(a[i * n + j]);
		norm = fmax(norm, sum);
	}
	for (; norm > 0.5; norm *= 0.5)
		squarings++;
	for (int i = 0; i < n * n; i++) {
		a[i] = ldexp(a[i], -squarings);
		out[i] = i % (n + 1) == 0;
	}
	/* Horner: 1 - a/1 (1 - a/2 (1 - ...)) */
	for (int k = 14; k > 0; k--) {
		multiply(a, out, n, tmp);
		for (int i = 0; i < n * n; i++)
			out[i] = (i % (n + 1) == 0) - tmp[i] / k;
	}
	for (; squarings > 0; squarings--) {
		multiply(out, out, n, tmp);
		for (int i = 0; i < n * n; i++)
			out[i] = tmp[i];
	}
}

static double
precision_chance(const void *context, double c)
{
	const struct precision *p = context;
	/* Beyond exp(-40) of the fastest of them. */
	int n = MIN((int)(c / M_PI * sqrt(40.0 / p->time)) + 8, COSINES_MAX);
	size_t size = (size_t)n * (size_t)n;
	double *room = calloc(3 * size + (size_t)n, sizeof(*room));
	double *h = room, *e = h + size, *w = e + 2 * size, sum = 0.0;

	if (room == NULL)
		return NAN;
	set_operator(c, n, h);
	set_root_of_density(c, n, w);
	for (size_t i = 0; i < size; i++)
		h[i] *= p->time;
	exponential(h, n, e, e + size);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			sum += w[i] * e[i * n + j] * w[j];
	free(room);
	return sum;
}

double
band_equal_precision(double low, double high)
{
	double l = MAX(low, LEAST), h = MIN(high, 1.0 - LEAST);
	struct precision p = {
		0.5 * (log(h / (1.0 - h)) - log(l / (1.0 - l))),
	};

	if (!(h > l))
		return Z_95;
	/* So that the cosines are enough; a longer time is a wider band. */
	p.time = MAX(p.time, 0x1p-8);
	return solve(precision_chance, &p, 1.9, 5.0);
}

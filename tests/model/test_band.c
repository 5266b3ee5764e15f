/*
 * Simultaneous bands: critical values against printed tables (tests/reference/
 * bands.R) and a slow computation, bands against the textbook's formulas and km.ci's.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/band.h"
#include "model/survival.h"
#include "tests/model/consortium.h"
#include "tests/model/golden.h"

/* What Nair's table is of (Miller and Siegmund 1982): the chance to be beyond c. */
static double
approximate(double c, double low, double high)
{
	double phi = exp(-0.5 * c * c) / sqrt(2.0 * M_PI);

	return 4.0 * phi / c +
	    phi * (c - 1.0 / c) *
	    log(high * (1.0 - low) / (low * (1.0 - high)));
}

static void
critical_values_are_those_of_the_tables(void **state)
{
	FILE *f = open_vectors("band_critical.csv");
	double low, high, c, worst = 0.0;
	char line[128], band[16];
	size_t n = 0;

	(void)state;
	assert_non_null(fgets(line, sizeof(line), f));
	for (; fgets(line, sizeof(line), f) != NULL; n++) {
		assert_int_equal(
		    sscanf(line, "%15[^,],%lf,%lf,%lf", band, &low, &high, &c),
		    4);
		if (strcmp(band, "hall") == 0) {
			/* Four digits, of which the last is not always right. */
			assert_true(
			    fabs(band_hall_wellner(low, high) - c) < 6e-5);
			continue;
		}
		assert_true(fabs(approximate(c, low, high) - 0.05) < 3e-5);
		worst = fmax(worst, fabs(band_equal_precision(low, high) - c));
	}
	fclose(f);
	assert_true(n > 80);
	print_message("Nair's approximation is off by up to %.3f\n", worst);
	assert_true(worst < 0.031);
	/* Kolmogorov's. */
	assert_true(fabs(band_hall_wellner(0.0, 1.0) - 1.3580986) < 1e-6);
	/* A single time: the normal distribution's. */
	assert_true(fabs(band_hall_wellner(0.2, 0.2) - 0.4 * 1.9599640) < 1e-6);
	assert_true(fabs(band_equal_precision(0.2, 0.2) - 1.9599640) < 1e-6);
}

#define CELLS_MAX 1600

/*
 * The chance that Ornstein and Uhlenbeck's process stays within c for a time: the
 * backward equation u_t = u_xx - x u_x on 0..c, u_x(0) = u(c) = 0, by Crank and
 * Nicolson, after four implicit steps since u(x, 0) = 1 does not end at 0.
 */
static double
stays_within(double c, double time, int n)
{
	static double u[CELLS_MAX + 1], below[CELLS_MAX], diagonal[CELLS_MAX],
	    above[CELLS_MAX], right[CELLS_MAX];
	double h = c / n, sum = 0.0, phi0 = 1.0 / sqrt(2.0 * M_PI);

	for (int i = 0; i <= n; i++)
		u[i] = i < n;
	for (int k = 0; k < n + 4; k++) {
		bool implicit = k < 4;
		double dt = implicit ? 0.5 * time / n : time * (n - 2) / n / n;
		double now = implicit ? 0.0 : 0.5 * dt;
		double next = implicit ? dt : 0.5 * dt;

		for (int i = 0; i < n; i++) {
			double x = i * h, a = 1.0 / (h * h) + x / (2.0 * h);
			double b = -2.0 / (h * h);
			double d = 1.0 / (h * h) - x / (2.0 * h);
			double left = i == 0 ? u[1] : u[i - 1];

			right[i] =
			    u[i] + now * (a * left + b * u[i] + d * u[i + 1]);
			below[i] = i == 0 ? 0.0 : -next * a;
			diagonal[i] = 1.0 - next * b;
			above[i] = -next * (i == 0 ? a + d : d);
		}
		for (int i = 1; i < n; i++) {
			double m = below[i] / diagonal[i - 1];

			diagonal[i] -= m * above[i - 1];
			right[i] -= m * right[i - 1];
		}
		for (int i = n; i-- > 0;)
			u[i] = (right[i] -
				   (i + 1 < n ? above[i] * u[i + 1] : 0.0)) /
			    diagonal[i];
	}
	for (int i = 0; i < n; i++)
		sum += (i == 0 ? 1.0 : 2.0) * u[i] * exp(-0.5 * i * h * i * h);
	return sum * h * phi0;
}

static void
equal_precision_holds_in_95_of_100(void **state)
{
	static const double ends[][2] = { { 0.1, 0.6 }, { 0.02, 0.9 },
		{ 0.4, 0.5 }, { 0.001, 0.95 }, { 0.3, 0.32 } };

	(void)state;
	for (size_t i = 0; i < nitems(ends); i++) {
		double l = ends[i][0], h = ends[i][1];
		double c = band_equal_precision(l, h);
		double t = 0.5 * log(h * (1.0 - l) / (l * (1.0 - h)));
		/* Its error falls with the square of the cell. */
		double p = (4.0 * stays_within(c, t, CELLS_MAX) -
			       stays_within(c, t, CELLS_MAX / 2)) /
		    3.0;

		print_message("%g..%g: %.6f, within it %.8f\n", l, h, c, p);
		assert_true(fabs(p - 0.95) < 1e-6);
	}
}

static struct survival *
by_sex(enum model_band band, enum model_bounds bounds)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_KM, 3);
	struct consortium c;
	struct survival *got;
	struct err err;

	s.n_times = 0;
	for (size_t i = 0; i < r.n; i++) {
		s.n_times = MAX(s.n_times, (uint32_t)r.time[i] + 1);
		for (size_t k = 0; k < r.n_terms; k++)
			if (strcmp(r.names[k], "sex") == 0)
				r.stratum[i] =
				    (uint32_t)r.x[i * r.n_terms + k] - 1;
	}
	s.n_terms = 2;
	r.n_terms = 0;
	s.band = band;
	s.bounds = bounds;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	assert_non_null(got = survival_read(c.plan, &err));
	consortium_close(&c);
	rows_free(&r);
	return got;
}

/* Klein and Moeschberger's formulas (4.4.1 to 4.4.3 and those of 4.4.6 to 4.4.8),
   from a point's own figures. */
static void
textbook(const struct survival_group *g, const struct survival_point *v,
    enum model_band band, enum model_bounds bounds, double *low, double *high)
{
	double n = (double)g->n, S = v->survival, sigma = v->se / S;
	double w = band == BAND_EQUAL_PRECISION
	    ? g->band * sigma
	    : g->band * (1.0 + n * sigma * sigma) / sqrt(n);
	double theta = exp(w / log(S));

	if (bounds == BOUNDS_PLAIN) {
		*low = fmax(S - w * S, 0.0);
		*high = fmin(S + w * S, 1.0);
	} else {
		*low = pow(S, 1.0 / theta);
		*high = pow(S, theta);
	}
}

static void
bands_are_those_of_the_textbook(void **state)
{
	static const char *const names[] = { "", "hall-wellner",
		"equal-precision" };
	double worst[2] = { 0.0, 0.0 };
	size_t found = 0;

	(void)state;
	for (int k = 0; k < 4; k++) {
		enum model_band band =
		    k < 2 ? BAND_HALL_WELLNER : BAND_EQUAL_PRECISION;
		enum model_bounds bounds =
		    k % 2 == 0 ? BOUNDS_PLAIN : BOUNDS_LOG_LOG;
		struct survival *s = by_sex(band, bounds);
		FILE *f = open_vectors("band_lung.csv");
		char line[256], name[32], kind[32];
		double time, low, high, l, h;
		unsigned group;

		while (fgets(line, sizeof(line), f) != NULL) {
			const struct survival_group *g;
			size_t i = 0;

			if (sscanf(line, "%31[^,],%31[^,],%u,%lf,%lf,%lf", name,
				kind, &group, &time, &low, &high) != 6 ||
			    strcmp(name, names[band]) != 0 ||
			    (strcmp(kind, "plain") == 0) != (k % 2 == 0))
				continue;
			low = fmax(low, 0.0); /* which it does not cut */
			high = fmin(high, 1.0);
			g = &s->group[group];
			while (i < g->n_points && g->points[i].time != time)
				i++;
			assert_true(i < g->n_points);
			textbook(g, &g->points[i], band, bounds, &l, &h);
			close_to("low", g->points[i].band_low, l, 1.0);
			close_to("high", g->points[i].band_high, h, 1.0);
			worst[k / 2] = fmax(
			    worst[k / 2], fmax(fabs(l - low), fabs(h - high)));
			found++;
		}
		fclose(f);
		survival_free(s);
	}
	print_message(
	    "off km.ci by at most %.4f and %.4f\n", worst[0], worst[1]);
	assert_true(found > 400);
	/* Its critical values are of four digits, and of Nair's table. */
	assert_true(worst[0] < 1e-4 && worst[1] < 3e-3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(critical_values_are_those_of_the_tables),
		cmocka_unit_test(equal_precision_holds_in_95_of_100),
		cmocka_unit_test(bands_are_those_of_the_textbook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

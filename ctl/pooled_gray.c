/*
 * Gray's test by its definition (Gray 1988, rho = 0): the score of a group is a sum
 * of martingale differences, each with what it does to the score now and to all
 * scores later; the variance is the sum of the squares of both together.
 */
#include <math.h>
#include <stdlib.h>

#include "common/err.h"
#include "ctl/pooled_parts.h"

/* A stratum's event times; arrays of groups are (n, g). */
struct times {
	size_t n, g;
	/* At risk; events of the cause, of all others; the survival from all
	   causes and the incidence before it; the survival after it. */
	long double *at_risk, *own, *others, *s, *f, *s_after;
	/* (n) of all groups: events of the cause; Y/S; the common incidence. */
	long double *events, *sum_h, *common, *common_after;
	/* (n, g, g) what a change of group k's incidence did to group i's score
	   until then, and with it. */
	long double *c;
};

static bool
make_room(struct times *t, size_t n, size_t g)
{
	bool failed = false;
	long double **wide[] = { &t->at_risk, &t->own, &t->others, &t->s, &t->f,
		&t->s_after };
	long double **narrow[] = { &t->events, &t->sum_h, &t->common,
		&t->common_after };

	t->n = n;
	t->g = g;
	for (size_t k = 0; k < 6; k++)
		*wide[k] = pooled_zeroed(n * g, sizeof(***wide), &failed);
	for (size_t k = 0; k < 4; k++)
		*narrow[k] = pooled_zeroed(n, sizeof(***narrow), &failed);
	t->c = pooled_zeroed(n * g * g, sizeof(*t->c), &failed);
	return !failed;
}

static void
free_room(struct times *t)
{
	free(t->at_risk);
	free(t->own);
	free(t->others);
	free(t->s);
	free(t->f);
	free(t->s_after);
	free(t->events);
	free(t->sum_h);
	free(t->common);
	free(t->common_after);
	free(t->c);
}

static void
count_times(const struct pooled *p, size_t stratum, size_t level, size_t step,
    const struct pooled_grid *grid, struct times *t)
{
	for (size_t k = 0; k < t->g; k++) {
		size_t cell = stratum * t->g + k;

		if (pooled_is_left_out(p, cell, step))
			continue;
		for (size_t i = 0; i < t->n; i++) {
			double start = grid->starts[i];
			double end =
			    i + 1 < grid->n ? grid->starts[i + 1] : HUGE_VAL;

			for (size_t l = 0; l < p->model->n_events; l++) {
				double n = pooled_leave(p, cell, start, end, l);

				if (l == level)
					t->own[i * t->g + k] += n;
				else if (l != p->model->censored)
					t->others[i * t->g + k] += n;
				t->at_risk[i * t->g + k] +=
				    pooled_leave(p, cell, start, HUGE_VAL, l);
			}
		}
	}
}

/* Survival and incidences along the times. */
static void
follow(struct times *t)
{
	size_t g = t->g;

	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < g; k++) {
			size_t at = i * g + k;
			long double y = t->at_risk[at];

			t->s[at] = i == 0 ? 1 : t->s_after[at - g];
			t->f[at] = i == 0 ? 0 : t->f[at - g];
			if (i > 0 && t->at_risk[at - g] > 0)
				t->f[at] += t->s[at - g] * t->own[at - g] /
				    t->at_risk[at - g];
			t->s_after[at] = t->s[at];
			if (!(y > 0))
				continue;
			t->s_after[at] *= (y - t->own[at] - t->others[at]) / y;
			t->events[i] += t->own[at];
			t->sum_h[i] += y / t->s[at];
		}
		t->common[i] = i == 0 ? 0 : t->common_after[i - 1];
		t->common_after[i] = t->common[i];
		if (t->sum_h[i] > 0)
			t->common_after[i] += t->events[i] / t->sum_h[i];
	}
}

static long double
h_of(const struct times *t, size_t i, size_t k)
{
	long double y = t->at_risk[i * t->g + k];

	return y > 0 ? y / t->s[i * t->g + k] : 0;
}

/* What a difference of group k does to the score of group a at once. */
static long double
at_once(const struct times *t, size_t i, size_t a, size_t k)
{
	return (a == k ? h_of(t, i, a) : 0) -
	    h_of(t, i, a) * h_of(t, i, k) / t->sum_h[i];
}

static void
add_scores(struct times *t, long double *u)
{
	size_t g = t->g;

	for (size_t i = 0; i < t->n; i++) {
		long double r = 0;

		for (size_t k = 0; k < g; k++)
			r += h_of(t, i, k) * (1 - t->f[i * g + k]);
		for (size_t a = 0; a < g; a++) {
			if (r > 0 && h_of(t, i, a) > 0)
				u[a] += t->own[i * g + a] -
				    t->events[i] * h_of(t, i, a) *
					(1 - t->f[i * g + a]) / r;
			for (size_t k = 0; k < g; k++) {
				long double *c = &t->c[(i * g + a) * g + k];

				*c = i == 0 ? 0 : c[-(ptrdiff_t)(g * g)];
				if (t->events[i] > 0)
					*c += at_once(t, i, a, k) *
					    t->events[i] / t->sum_h[i] /
					    (1 - t->common[i]);
			}
		}
	}
}

/* Greenwood's factor for n of y that go at one time. */
static long double
tied(long double n, long double y)
{
	return n > 1 ? 1 - (n - 1) / (y - 1) : 1;
}

/* weight of the two groups' scores, their product times the variance v. */
static void
add_square(const struct times *t, const long double *weight, long double v,
    long double *out)
{
	for (size_t a = 0; a < t->g; a++)
		for (size_t b = 0; b < t->g; b++)
			out[a * t->g + b] += weight[a] * weight[b] * v;
}

static void
add_variance(const struct times *t, long double *weight, long double *out)
{
	size_t g = t->g;
	const long double *all = t->c + (t->n - 1) * g * g;

	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < g; k++) {
			size_t at = i * g + k;
			long double y = t->at_risk[at], s = t->s[at], q = 0;

			if (!(y > 0))
				continue;
			if (t->s_after[at] > 0)
				q = (1 - t->common_after[i]) / t->s_after[at];
			for (size_t a = 0; a < g; a++)
				weight[a] = at_once(t, i, a, k) +
				    (1 - q) *
					(all[a * g + k] -
					    t->c[(i * g + a) * g + k]);
			add_square(t, weight,
			    tied(t->events[i], t->sum_h[i] * s) * s *
				t->events[i] / (t->sum_h[i] * y),
			    out);
			for (size_t a = 0; a < g; a++)
				weight[a] = -q *
				    (all[a * g + k] -
					t->c[(i * g + a) * g + k]);
			add_square(t, weight,
			    tied(t->others[at], y) * s * s * t->others[at] /
				(y * y),
			    out);
		}
	}
}

int
pooled_gray(const struct pooled *p, size_t level, size_t step,
    const struct pooled_grid *grid, double *chi2, struct err *err)
{
	size_t g = p->model->n_groups;
	bool failed = false;
	long double *u = pooled_zeroed(g, sizeof(*u), &failed);
	long double *v = pooled_zeroed(g * g, sizeof(*v), &failed);
	long double *weight = pooled_zeroed(g, sizeof(*weight), &failed);

	*chi2 = NAN;
	for (size_t s = 0; grid->n > 0 && s < pooled_n_cells(p) / g; s++) {
		struct times t = { 0 };

		failed = !make_room(&t, grid->n, g) || failed;
		if (!failed) {
			count_times(p, s, level, step, grid, &t);
			follow(&t);
			add_scores(&t, u);
			add_variance(&t, weight, v);
		}
		free_room(&t);
	}
	if (!failed && grid->n > 0)
		*chi2 = pooled_quadratic_form(u, v, g);
	free(u);
	free(v);
	free(weight);
	return failed ? err_sys(err, "Gray's test") : 0;
}

/*
 * Studies with merged risk sets, and with data that R would not be given,
 * against the textbook's sums in long double: slow, obvious, and without any
 * of the code under test but the grid's starts.
 */
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

#include "common/macros.h"
#include "model/step/state.h"
#include "tests/model/consortium.h"

#define P_MAX 12

struct textbook {
	const struct rows *rows;
	bool efron;
	int64_t *interval; /* (n) -1: in no risk set */
	long double *x; /* (n, p) about the mean */
	size_t p;
	long double beta[P_MAX], loglik, score[P_MAX], info[P_MAX][P_MAX];
	long double se[P_MAX];
};

static long double
eta_of(const struct textbook *t, size_t i)
{
	long double eta = 0;

	for (size_t k = 0; k < t->p; k++)
		eta += t->beta[k] * t->x[i * t->p + k];
	return eta;
}

/* Add sign * weight * (1, x, xx') of row i to s0, s1, s2. */
static void
add(const struct textbook *t, size_t i, long double weight, long double *s0,
    long double *s1, long double (*s2)[P_MAX])
{
	const long double *x = t->x + i * t->p;

	*s0 += weight;
	for (size_t a = 0; a < t->p; a++) {
		s1[a] += weight * x[a];
		for (size_t b = 0; b < t->p; b++)
			s2[a][b] += weight * x[a] * x[b];
	}
}

/* One of the d tied events of an interval, with its share of the others. */
static void
one_event(struct textbook *t, size_t event, long double share)
{
	const struct rows *r = t->rows;
	long double s0 = 0, s1[P_MAX] = { 0 }, s2[P_MAX][P_MAX] = { { 0 } };

	for (size_t i = 0; i < r->n; i++) {
		long double w = expl(eta_of(t, i));

		if (t->interval[i] < t->interval[event] ||
		    r->stratum[i] != r->stratum[event])
			continue;
		if (t->interval[i] == t->interval[event] && r->event[i] == 1)
			w *= 1 - share;
		add(t, i, w, &s0, s1, s2);
	}
	t->loglik += eta_of(t, event) - logl(s0);
	for (size_t a = 0; a < t->p; a++) {
		t->score[a] += t->x[event * t->p + a] - s1[a] / s0;
		for (size_t b = 0; b < t->p; b++)
			t->info[a][b] +=
			    s2[a][b] / s0 - s1[a] / s0 * s1[b] / s0;
	}
}

static void
likelihood(struct textbook *t)
{
	const struct rows *r = t->rows;

	t->loglik = 0;
	memset(t->score, 0, sizeof(t->score));
	memset(t->info, 0, sizeof(t->info));
	for (size_t i = 0; i < r->n; i++) {
		size_t before = 0, d = 0;

		if (t->interval[i] < 0 || r->event[i] == 0)
			continue;
		for (size_t j = 0; j < r->n; j++) {
			bool tied = r->event[j] == 1 &&
			    r->stratum[j] == r->stratum[i] &&
			    t->interval[j] == t->interval[i];

			d += tied;
			before += tied && j < i;
		}
		one_event(
		    t, i, t->efron ? (long double)before / (long double)d : 0);
	}
}

/* Gauss and Jordan: info becomes its inverse. */
static void
invert(long double (*m)[P_MAX], size_t p)
{
	long double inv[P_MAX][P_MAX] = { { 0 } };

	for (size_t i = 0; i < p; i++)
		inv[i][i] = 1;
	for (size_t i = 0; i < p; i++) {
		long double pivot = m[i][i];

		assert_true(pivot > 0);
		for (size_t k = 0; k < p; k++) {
			m[i][k] /= pivot;
			inv[i][k] /= pivot;
		}
		for (size_t j = 0; j < p; j++) {
			long double f = j == i ? 0 : m[j][i];

			for (size_t k = 0; k < p; k++) {
				m[j][k] -= f * m[i][k];
				inv[j][k] -= f * inv[i][k];
			}
		}
	}
	memcpy(m, inv, sizeof(inv));
}

static void
fit(struct textbook *t)
{
	for (int iteration = 0; iteration < 25; iteration++) {
		likelihood(t);
		invert(t->info, t->p);
		for (size_t a = 0; a < t->p; a++) {
			t->se[a] = sqrtl(t->info[a][a]);
			for (size_t b = 0; b < t->p; b++)
				t->beta[a] += t->info[a][b] * t->score[b];
		}
	}
}

static void
open_textbook(struct textbook *t, const struct rows *r, const struct plan *p)
{
	*t = (struct textbook){ .rows = r, .p = r->n_terms };
	t->efron = p->spec.ties == TIES_EFRON;
	t->interval = calloc(r->n, sizeof(*t->interval));
	t->x = calloc(r->n * r->n_terms, sizeof(*t->x));
	assert_true(t->interval && t->x);
	for (size_t i = 0; i < r->n; i++) {
		t->interval[i] = -1;
		for (uint32_t g = 0; g < p->grid.n; g++) {
			const struct grid_interval *v = &p->grid.intervals[g];

			if (v->stratum == r->stratum[i] &&
			    v->start <= (uint32_t)r->time[i])
				t->interval[i] = g;
		}
		for (size_t k = 0; k < t->p; k++) {
			size_t at = i * t->p + k;
			const struct model_term *m = &p->spec.terms[k];

			t->x[at] =
			    (long double)r->x[at] - (m->min + m->max) / 2;
		}
	}
}

static void
compare(struct consortium *c, const struct rows *r)
{
	struct textbook t;
	struct result got = consortium_result(c);

	open_textbook(&t, r, c->plan);
	fit(&t);
	assert_true(got.converged);
	for (size_t k = 0; k < t.p; k++) {
		double se = (double)t.se[k];

		assert_true(fabs(got.terms[k].estimate - (double)t.beta[k]) <
		    1e-9 * se);
		assert_true(fabs(got.terms[k].se - se) < 1e-9 * se);
	}
	assert_true(fabs(got.loglik - (double)t.loglik) <
	    1e-9 * fabs((double)t.loglik));
	free(t.interval);
	free(t.x);
}

/* Few distinct times, so that many are tied; two strata. */
static struct rows
random_rows(size_t n)
{
	struct rows r = rows_new(n, 4);

	srandom(11);
	for (size_t i = 0; i < n; i++) {
		double risk = 0;

		for (size_t k = 0; k < r.n_terms; k++) {
			double u = (double)random() / RAND_MAX;

			r.x[i * r.n_terms + k] = k == 0 ? 1e6 + 5 * u
			    : k == 1                    ? u < 0.3
							: 40 * u;
			risk += k == 1 ? u < 0.3 : 0.5 * u;
		}
		r.time[i] = floor(
		    -30 * exp(-risk) * log((1 + (double)random()) / 0x1p31));
		r.event[i] = random() % 3 != 0;
		r.stratum[i] = random() % 2;
	}
	return r;
}

static void
merged_risk_sets_give_the_fit_of_the_grid(void **state)
{
	static const uint32_t steps[] = { 1, 2, 5, 20 };
	struct rows r = random_rows(240);

	(void)state;
	for (int k = 0; k < 8; k++) {
		struct model_spec s = spec_for(&r, MODEL_COX, 3);
		struct consortium c;

		s.risk_set_step = steps[k / 2];
		s.ties = k % 2 == 0 ? TIES_EFRON : TIES_BRESLOW;
		s.strata = STRATA_COLUMN;
		s.n_strata = 2;
		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		compare(&c, &r);
		consortium_close(&c);
	}
	rows_free(&r);
}

static void
lung_on_a_grid_of_5_patients_is_the_textbooks(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 4);
	struct consortium c;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.stratum[i] = 0;
	s.risk_set_step = 5;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	for (uint32_t g = 0; g < c.plan->grid.n; g++)
		assert_true(c.plan->grid.intervals[g].leavers >= 5);
	compare(&c, &r);
	consortium_close(&c);
	rows_free(&r);
}

static double
slow_concordance(
    const struct rows *r, const struct plan *p, const struct result *fit)
{
	struct textbook t;
	double agree = 0, all = 0;

	open_textbook(&t, r, p);
	for (size_t k = 0; k < t.p; k++)
		t.beta[k] = fit->terms[k].estimate;
	for (size_t i = 0; i < r->n; i++) {
		for (size_t j = 0; j < r->n; j++) {
			long double a = eta_of(&t, i), b = eta_of(&t, j);
			bool later = t.interval[j] > t.interval[i] ||
			    (t.interval[j] == t.interval[i] &&
				r->event[j] == 0);

			if (t.interval[i] < 0 || r->event[i] == 0 || !later ||
			    r->stratum[i] != r->stratum[j])
				continue;
			all += 1;
			agree += fabsl(a - b) < 1e-12L ? 0.5 : a > b;
		}
	}
	free(t.interval);
	free(t.x);
	return agree / all;
}

static void
concordance_is_within_its_bound_of_all_pairs(void **state)
{
	struct rows r = random_rows(400);

	(void)state;
	for (uint32_t step = 1; step <= 9; step += 4) {
		struct model_spec s = spec_for(&r, MODEL_COX, 4);
		struct consortium c;
		struct result got;
		double slow;

		s.risk_set_step = step;
		s.strata = STRATA_COLUMN;
		s.n_strata = 2;
		consortium_open(&c, &s, &r, deal_in_turn);
		consortium_run(&c);
		got = consortium_result(&c);
		slow = slow_concordance(&r, c.plan, &got);
		assert_true(got.concordance_bound <= 1e-3);
		assert_true(fabs(got.concordance - slow) <=
		    got.concordance_bound + 1e-12);
		consortium_close(&c);
	}
	rows_free(&r);
}

static void
scores_that_are_really_tied_are_no_error(void **state)
{
	struct rows r = random_rows(300);
	struct model_spec s;
	struct consortium c;
	struct result got;
	double slow;

	(void)state;
	/* Two binary terms: four values of the linear predictor. */
	for (size_t i = 0; i < r.n; i++) {
		r.x[2 * i] = r.x[4 * i + 1];
		r.x[2 * i + 1] = r.x[4 * i + 2] > 20;
		r.stratum[i] = 0;
	}
	r.n_terms = 2;
	s = spec_for(&r, MODEL_COX, 4);
	s.risk_set_step = 5;
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	slow = slow_concordance(&r, c.plan, &got);
	assert_true(got.concordance_bound == 0.0);
	assert_true(fabs(got.concordance - slow) < 1e-12);
	consortium_close(&c);
	rows_free(&r);
}

/* Place k of 1 + p + p(p+1)/2: w, w z, w z z' of row i. */
static long double
term_of_row(const struct textbook *t, const struct plan *p, size_t i, size_t k)
{
	long double z[P_MAX], eta = 0;
	size_t at = 1 + t->p;

	for (size_t a = 0; a < t->p; a++) {
		z[a] = ((long double)t->rows->x[i * t->p + a] - p->mean[a]) /
		    p->sd[a];
		eta += p->beta[a] * z[a];
	}
	if (k == 0)
		return expl(eta);
	if (k <= t->p)
		return expl(eta) * z[k - 1];
	for (size_t a = 0; a < t->p; a++) {
		for (size_t b = a; b < t->p; b++, at++) {
			if (at == k)
				return expl(eta) * z[a] * z[b];
		}
	}
	fail();
	return 0;
}

/* docs/NUMERICS.md, section 3. */
static long double
error_bound(const struct plan *p, const struct group *g, long double A)
{
	long double u = 0x1p-53L, P = p->spec.n_terms;
	double E = fmin(plan_eta_max(p), ETA_CAP);

	return ((P + 4) * E + p->spec.rows_per_site + 13) * u * A +
	    (long double)p->spec.n_sites * p->grid.n *
	    ldexpl(1, g->bound_bits - 105);
}

static void
check_risk_sets(struct consortium *c, const struct rows *r)
{
	const struct plan *p = c->plan;
	uint64_t *sum = consortium_sum(c);
	struct textbook t;

	open_textbook(&t, r, p);
	for (size_t k = 0; k < 1 + t.p + t.p * (t.p + 1) / 2; k++) {
		const struct group *g = &p->next.groups[1 + k];
		long double S = 0, A = 0;
		wide total = 0;

		for (uint32_t v = p->grid.n; v-- > 0;) {
			for (size_t i = 0; i < r->n; i++) {
				long double x;

				if (t.interval[i] != v)
					continue;
				x = term_of_row(&t, p, i, k);
				S += x;
				A += fabsl(x);
			}
			total += sum_wide(g, sum, v);
			assert_true(fabsl(num_wide(total, group_scale(g)) -
					S) <= error_bound(p, g, A));
			/* What the encoding adds is below 1e-12 of it. */
			assert_true(error_bound(p, g, 0) <= 1e-12L * A);
		}
	}
	free(sum);
	free(t.interval);
	free(t.x);
}

static void
every_risk_set_is_within_the_derived_bound(void **state)
{
	struct rows r = rows_read("lung.csv");
	struct model_spec s = spec_for(&r, MODEL_COX, 4);
	struct consortium c;

	(void)state;
	for (size_t i = 0; i < r.n; i++)
		r.stratum[i] = 0;
	s.rows_per_site = 60;
	/* A codebook with wide ranges, as they are in practice. */
	for (uint32_t k = 0; k < s.n_terms; k++) {
		s.terms[k].min = -50;
		s.terms[k].max = 200;
	}
	consortium_open(&c, &s, &r, deal_in_turn);
	while (!plan_done(c.plan)) {
		if (c.plan->phase == PHASE_NEWTON)
			check_risk_sets(&c, &r);
		consortium_round(&c);
	}
	consortium_close(&c);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merged_risk_sets_give_the_fit_of_the_grid),
		cmocka_unit_test(lung_on_a_grid_of_5_patients_is_the_textbooks),
		cmocka_unit_test(concordance_is_within_its_bound_of_all_pairs),
		cmocka_unit_test(scores_that_are_really_tied_are_no_error),
		cmocka_unit_test(every_risk_set_is_within_the_derived_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

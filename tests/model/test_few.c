/*
 * Attacks on few patients through a regression's terms and strata and through a
 * curve's groups.  Two worlds: the same patients, but others of them have what is
 * rare.  If all sums after the counts and the last state have the same bytes in
 * both, nobody can tell who has it.  Each attack succeeds where the smallest step
 * is 1, which protects nobody, and fails where it is STEP.
 */
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "tests/model/consortium.h"

#define ROWS 120
#define STEP 5
#define SITES 3

enum { AGE, DRUG, STAGE2, STAGE3, TERMS };

/*
 * Ages; a drug that a third have; three stages, the third least often; outcomes of
 * all kinds.  Row i is at site i % SITES.
 */
static struct rows
patients(void)
{
	struct rows r = rows_new(ROWS, TERMS);

	for (size_t i = 0; i < ROWS; i++) {
		double *x = r.x + i * TERMS;

		x[AGE] = 20.0 + (double)(i * 37 % 61);
		x[DRUG] = i % 7 < 2;
		x[STAGE2] = i % 5 == 1 || i % 5 == 2;
		x[STAGE3] = i % 5 == 3;
		r.event[i] = i * 11 % 17 < 8;
		r.y[i] = 1.0 + (double)(i * 13 % 5);
		r.time[i] = (double)(i * 29 % 40);
		r.weight[i] = 6.0;
	}
	return r;
}

static struct model_spec
spec_of(const struct rows *r, enum model_kind kind, uint32_t step)
{
	struct model_spec s = spec_for(r, kind, SITES);

	s.risk_set_step = step;
	s.has_weights = kind == MODEL_BINOMIAL;
	s.n_effects = 3;
	s.terms[DRUG].effect = 1;
	s.terms[STAGE2].effect = s.terms[STAGE3].effect = 2;
	return s;
}

/* All sums after the counts, then the last state. */
static struct canon
everything(const struct model_spec *s, const struct rows *r, deal_fn deal)
{
	struct canon all = { 0 };
	struct consortium c;
	struct err err;

	consortium_open(&c, s, r, deal);
	while (!plan_done(c.plan)) {
		uint64_t *sum = consortium_sum(&c);
		size_t n = plan_words(c.plan);

		if (strcmp(plan_kind(c.plan), "counts") != 0)
			for (size_t i = 0; i < n; i++)
				canon_u64(&all, sum[i]);
		if (plan_step(c.plan, sum, n, s->n_sites, &err) == -1)
			fail_msg("%s", err.msg);
		free(sum);
	}
	plan_save(c.plan, &all);
	consortium_close(&c);
	return all;
}

static bool
differ(const struct model_spec *s, const struct rows *a, const struct rows *b,
    deal_fn deal)
{
	struct canon x = everything(s, a, deal), y = everything(s, b, deal);
	bool d = x.len != y.len || memcmp(x.data, y.data, x.len) != 0;

	canon_free(&x);
	canon_free(&y);
	return d;
}

static const enum model_kind regressions[] = { MODEL_COX, MODEL_LOGISTIC,
	MODEL_GAUSSIAN, MODEL_POISSON, MODEL_QUASIPOISSON, MODEL_GAMMA,
	MODEL_NEGBIN, MODEL_QUASIBINOMIAL, MODEL_BINOMIAL };

/* Are two worlds told apart, in no kind or in all of them? */
static void
check_kinds(struct rows *a, struct rows *b)
{
	for (size_t k = 0; k < sizeof(regressions) / sizeof(*regressions);
	     k++) {
		struct model_spec s = spec_of(a, regressions[k], 1);

		assert_true(differ(&s, a, b, deal_in_turn));
		s.risk_set_step = STEP;
		assert_false(differ(&s, a, b, deal_in_turn));
	}
	rows_free(a);
	rows_free(b);
}

static void
only(struct rows *r, size_t term, const size_t *rows, size_t n)
{
	for (size_t i = 0; i < ROWS; i++)
		r->x[i * TERMS + term] = 0.0;
	for (size_t i = 0; i < n; i++)
		r->x[rows[i] * TERMS + term] = 1.0;
}

/* Four have the drug, one or two at each site. */
static void
a_term_that_few_have(void **state)
{
	struct rows a = patients(), b = patients();

	(void)state;
	only(&a, DRUG, (const size_t[]){ 3, 7, 11, 30 }, 4);
	only(&b, DRUG, (const size_t[]){ 3, 19, 11, 30 }, 4);
	check_kinds(&a, &b);
}

/* All but four: the sum over all, less that over those who have it. */
static void
a_term_that_few_lack(void **state)
{
	struct rows a = patients(), b = patients();

	(void)state;
	only(&a, DRUG, (const size_t[]){ 3, 7, 11, 30 }, 4);
	only(&b, DRUG, (const size_t[]){ 3, 19, 11, 30 }, 4);
	for (size_t i = 0; i < ROWS; i++) {
		a.x[i * TERMS + DRUG] = 1.0 - a.x[i * TERMS + DRUG];
		b.x[i * TERMS + DRUG] = 1.0 - b.x[i * TERMS + DRUG];
	}
	check_kinds(&a, &b);
}

/* A dose that is 0 but for four. */
static void
a_number_that_few_have(void **state)
{
	struct rows a = patients(), b = patients();

	(void)state;
	only(&a, DRUG, (const size_t[]){ 3, 7, 11, 30 }, 4);
	only(&b, DRUG, (const size_t[]){ 3, 19, 11, 30 }, 4);
	a.x[3 * TERMS + DRUG] = b.x[3 * TERMS + DRUG] = 250.0;
	check_kinds(&a, &b);
}

/* A score that is the lowest, or the highest, of its range but for four. */
static void
a_number_that_few_have_another_one_of(void **state)
{
	(void)state;
	for (int high = 0; high < 2; high++) {
		struct rows a = patients(), b = patients();

		only(&a, DRUG, (const size_t[]){ 3, 7, 11, 30 }, 4);
		only(&b, DRUG, (const size_t[]){ 3, 19, 11, 30 }, 4);
		for (size_t i = 0; i < ROWS; i++) {
			double *x = &a.x[i * TERMS + DRUG];
			double *y = &b.x[i * TERMS + DRUG];

			*x = high ? 9.0 - *x : 7.0 + *x;
			*y = high ? 9.0 - *y : 7.0 + *y;
		}
		/* And one in the middle of the range. */
		a.x[11 * TERMS + DRUG] = b.x[11 * TERMS + DRUG] = 8.5;
		check_kinds(&a, &b);
	}
}

/* Twenty have the drug, all at one site: the sum is that site's own. */
static void
a_term_that_one_site_has(void **state)
{
	struct rows a = patients(), b = patients();
	size_t who[20];

	(void)state;
	for (size_t i = 0; i < 20; i++)
		who[i] = SITES * i;
	only(&a, DRUG, who, 20);
	who[0] = SITES * 30;
	only(&b, DRUG, who, 20);
	check_kinds(&a, &b);
}

/*
 * Three are of the first stage, which no term is of: the sum over all less those
 * over the two others.  The rarer of these is left out, and nobody can tell its
 * patients from the three.
 */
static void
a_reference_that_few_have(void **state)
{
	struct rows a = patients(), b;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		bool none = i == 3 || i == 7 || i == 11;

		a.x[i * TERMS + STAGE3] = !none && i % 5 == 3;
		a.x[i * TERMS + STAGE2] = !none && i % 5 != 3;
	}
	b = patients();
	memcpy(b.x, a.x, ROWS * TERMS * sizeof(*a.x));
	/* Row 7 is of the third stage, row 23 of the first. */
	assert_true(b.x[23 * TERMS + STAGE3] == 1.0);
	b.x[7 * TERMS + STAGE3] = 1.0;
	b.x[23 * TERMS + STAGE3] = 0.0;
	check_kinds(&a, &b);
}

/* Six rows of one patient are one patient. */
static void
rows_of_a_patient_count_once(void **state)
{
	struct rows a = patients(), b = patients();
	const size_t rows_a[] = { 3, 6, 9, 12, 15, 18 };
	const size_t rows_b[] = { 3, 6, 9, 12, 15, 21 };

	(void)state;
	only(&a, DRUG, rows_a, 6);
	only(&b, DRUG, rows_b, 6);
	for (int own = 0; own < 2; own++) {
		struct model_spec s = spec_of(&a, MODEL_GAUSSIAN, STEP);

		s.robust = ROBUST_PATIENT;
		s.n_sites = SITES;
		a.patient = calloc(ROWS + 1, sizeof(*a.patient));
		b.patient = calloc(ROWS + 1, sizeof(*b.patient));
		assert_true(a.patient && b.patient);
		for (size_t i = 0; i < ROWS; i++)
			a.patient[i] = b.patient[i] = (uint32_t)i;
		for (size_t i = 0; own == 0 && i < 8; i++)
			a.patient[SITES * i] = b.patient[SITES * i] = 0;
		/* All at one site in either case: so that alone decides. */
		s.n_sites = 1;
		assert_int_equal(own == 1, differ(&s, &a, &b, deal_in_turn));
		free(a.patient);
		free(b.patient);
		a.patient = b.patient = NULL;
	}
	rows_free(&a);
	rows_free(&b);
}

/* What is left out is named, and the rest is the fit without it. */
static void
the_rest_is_fitted(void **state)
{
	struct rows r = patients(), rest = rows_new(ROWS, 1);
	struct model_spec s, s1;
	struct consortium c;
	struct result out, plain;

	(void)state;
	only(&r, DRUG, (const size_t[]){ 3, 7, 11, 30 }, 4);
	only(&r, STAGE2, (const size_t[]){ 4 }, 1);
	only(&r, STAGE3, (const size_t[]){ 5 }, 1);
	for (size_t i = 0; i < ROWS; i++) {
		rest.x[i] = r.x[i * TERMS + AGE];
		rest.y[i] = r.y[i];
	}
	s = spec_of(&r, MODEL_GAUSSIAN, STEP);
	consortium_open(&c, &s, &r, deal_in_turn);
	consortium_run(&c);
	out = consortium_result(&c);
	consortium_close(&c);
	s1 = spec_for(&rest, MODEL_GAUSSIAN, SITES);
	consortium_open(&c, &s1, &rest, deal_in_turn);
	consortium_run(&c);
	plain = consortium_result(&c);
	consortium_close(&c);
	assert_true(out.converged && plain.converged);
	assert_true(fabs(out.terms[1].estimate - plain.terms[1].estimate) <
	    1e-12 * plain.terms[1].se);
	assert_int_equal(out.n_warnings, 1);
	assert_non_null(strstr(out.warnings[0], "fewer than 5 patients"));
	assert_non_null(strstr(out.warnings[0], r.names[DRUG]));
	assert_non_null(strstr(out.warnings[0], r.names[STAGE3]));
	rows_free(&r);
	rows_free(&rest);
}

/* A stratum that is a site: its sums would be that site's. */
static void
a_stratum_that_one_site_has(void **state)
{
	struct rows a = patients(), b = patients();
	struct model_spec s = spec_of(&a, MODEL_COX, 1);

	(void)state;
	s.strata = STRATA_COLUMN;
	s.n_strata = 2;
	for (size_t i = 0; i < ROWS; i++)
		a.stratum[i] = b.stratum[i] = i % SITES == 0;
	b.x[3 * TERMS + AGE] += 1.0;
	assert_true(differ(&s, &a, &b, deal_in_turn));
	s.risk_set_step = STEP;
	/* Two sites have the others: each would see the other's. */
	assert_false(differ(&s, &a, &b, deal_in_turn));
	b.x[3 * TERMS + AGE] -= 1.0;
	b.x[4 * TERMS + AGE] += 1.0;
	assert_false(differ(&s, &a, &b, deal_in_turn));
	rows_free(&a);
	rows_free(&b);
}

/* A curve of one hospital's patients. */
static void
a_group_that_one_site_has(void **state)
{
	static const enum model_kind kinds[] = { MODEL_KM, MODEL_CUMINC };
	struct rows a = patients(), b = patients();

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		a.stratum[i] = b.stratum[i] = i % SITES == 0;
	b.time[3] = a.time[3] + 1.0;
	a.n_terms = b.n_terms = 0;
	for (int k = 0; k < 2; k++) {
		struct model_spec s = spec_for(&a, kinds[k], SITES);

		s.n_terms = 2;
		strcpy(s.terms[0].name, "a");
		strcpy(s.terms[1].name, "b");
		s.n_times = 64;
		s.n_causes = kinds[k] == MODEL_CUMINC ? 1 : 0;
		s.rho = 0.0;
		assert_true(differ(&s, &a, &b, deal_in_turn));
		s.risk_set_step = STEP;
		assert_false(differ(&s, &a, &b, deal_in_turn));
	}
	rows_free(&a);
	rows_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_term_that_few_have),
		cmocka_unit_test(a_term_that_few_lack),
		cmocka_unit_test(a_number_that_few_have),
		cmocka_unit_test(a_number_that_few_have_another_one_of),
		cmocka_unit_test(a_term_that_one_site_has),
		cmocka_unit_test(a_reference_that_few_have),
		cmocka_unit_test(rows_of_a_patient_count_once),
		cmocka_unit_test(the_rest_is_fitted),
		cmocka_unit_test(a_stratum_that_one_site_has),
		cmocka_unit_test(a_group_that_one_site_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

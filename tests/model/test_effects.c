/*
 * Tests of effects and variance inflation factors against R's figures, which
 * tests/reference/effects.R writes; and where there are none.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "tests/model/consortium.h"

#define TOLERANCE 1e-9

/* Terms whose names differ in a last digit of 2 or 3 are one effect. */
static void
name_effects(struct model_spec *s)
{
	for (uint32_t i = 0; i < s->n_terms; i++) {
		char name[MODEL_NAME_SIZE];
		size_t n;

		memcpy(name, s->terms[i].name, sizeof(name));
		n = strlen(name);
		if (name[n - 1] == '2' || name[n - 1] == '3')
			name[n - 1] = '\0';
		if (s->n_effects == 0 ||
		    strcmp(s->effects[s->n_effects - 1], name) != 0)
			memcpy(s->effects[s->n_effects++], name, sizeof(name));
		s->terms[i].effect = s->n_effects - 1;
	}
}

static void
check(const struct result *r, const char *model)
{
	char path[1024], line[512], m[64], name[64];
	unsigned df;
	double chi2, p, vif;
	size_t found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/model/effects.csv",
	    getenv("top_srcdir"));
	assert_non_null(f = fopen(path, "re"));
	while (fgets(line, sizeof(line), f) != NULL) {
		const struct result_effect *e = &r->effects[found];

		if (sscanf(line, "%63[^,],%63[^,],%lf,%u,%lf,%lf", m, name,
			&chi2, &df, &p, &vif) != 6 ||
		    strcmp(m, model) != 0)
			continue;
		assert_string_equal(e->name, name);
		assert_int_equal(e->wald.df, df);
		assert_true(
		    fabs(e->wald.chi2 - chi2) <= TOLERANCE * (1 + chi2));
		assert_true(fabs(e->wald.p - p) <= 100 * TOLERANCE * p);
		assert_true(fabs(e->vif - vif) <= TOLERANCE * vif);
		found++;
	}
	fclose(f);
	assert_int_equal(found, r->n_effects);
}

static struct result
run(struct rows *r, struct model_spec s)
{
	struct result_meta meta = { .study = "t" };
	struct canon out = { 0 };
	struct consortium c;
	struct result got;
	struct err err;

	name_effects(&s);
	consortium_open(&c, &s, r, deal_in_turn);
	consortium_run(&c);
	got = consortium_result(&c);
	assert_int_equal(result_json(c.plan, &meta, &out, &err), 0);
	assert_int_equal(result_text(c.plan, &meta, &out, &err), 0);
	canon_u8(&out, 0);
	assert_null(strstr((char *)out.data, "nan"));
	canon_free(&out);
	consortium_close(&c);
	return got;
}

static void
run_file(const char *file, enum model_kind kind, const char *model)
{
	struct rows r = rows_read(file);
	struct result got = run(&r, spec_for(&r, kind, 3));

	check(&got, model);
	rows_free(&r);
}

static void
effects_are_tested_as_in_r(void **state)
{
	(void)state;
	run_file("birthweight.csv", MODEL_GAUSSIAN, "gaussian");
	run_file("birthwt.csv", MODEL_LOGISTIC, "logistic");
	run_file("lung.csv", MODEL_COX, "cox");
}

/* Constant, collinear or running away: no test; the others have theirs. */
static void
what_is_not_estimated_has_no_test(void **state)
{
	struct rows r = rows_new(90, 4);
	struct result got;

	(void)state;
	for (size_t i = 0; i < r.n; i++) {
		r.x[4 * i] = (double)(i % 7);
		r.x[4 * i + 1] = 1.0;
		r.x[4 * i + 2] = 2.0 * r.x[4 * i];
		r.x[4 * i + 3] = i % 3 == 0;
		r.event[i] = i * i % 11 > 4 && i % 3 != 0;
	}
	for (size_t k = 0; k < 4; k++)
		snprintf(r.names[k], sizeof(r.names[k]), "v%c", (int)('a' + k));
	got = run(&r, spec_for(&r, MODEL_LOGISTIC, 3));
	assert_int_equal(got.n_effects, 4);
	assert_int_equal(got.effects[0].wald.df, 1);
	assert_int_equal(got.effects[1].wald.df, 0);
	assert_int_equal(got.effects[2].wald.df, 0);
	assert_int_equal(got.effects[3].wald.df, 0);
	assert_true(got.effects[0].vif >= 1.0);
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(effects_are_tested_as_in_r),
		cmocka_unit_test(what_is_not_estimated_has_no_test),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

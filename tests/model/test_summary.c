/*
 * Descriptive statistics over rows dealt to three sites against R's figures,
 * which tests/reference/summary.R writes, and ranks against the slow way.
 */
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/tail.h"
#include "model/result.h"
#include "tests/model/described.h"

#define TOLERANCE 1e-11

static double worst;

static void
close_to(const char *study, const char *v, const char *what, double got,
    const char *expected)
{
	double e = strtod(expected, NULL), off;

	off = fabs(got - e) / (fabs(e) + 1e-3);
	if (!(off <= TOLERANCE))
		fail_msg(
		    "%s %s %s: %.17g, R has %s", study, v, what, got, expected);
	worst = fmax(worst, off);
}

static const struct summary_variable *
variable(const struct described *d, const char *name, uint32_t *v)
{
	for (*v = 0; *v < d->n_variables; ++*v)
		if (strcmp(d->spec.variables[*v].name, name) == 0)
			return &d->result->variables[*v];
	return NULL;
}

static void
check_quantile(const struct described *d, const char *what,
    const struct summary_cell *c, const char *expected)
{
	size_t q = (size_t)(what[1] - '0');
	double e = strtod(expected, NULL);

	(void)d;
	assert_true(
	    c->low[q] <= c->quantile[q] && c->quantile[q] <= c->high[q]);
	if (!(e >= c->low[q] - 1e-9 && e <= c->high[q] + 1e-9))
		fail_msg("%s: R has %s, not within %.17g to %.17g", what,
		    expected, c->low[q], c->high[q]);
	/* Parts of bins: 1/1024 of the range. */
	assert_true(c->high[q] - c->low[q] <= 1.0 + 5000.0 / 1024.0 + 1e-9);
}

/* One line of summary.csv: study,variable,what,group,value */
static void
check_line(const struct described *d, char **cell)
{
	const char *study = cell[0], *what = cell[2], *value = cell[4];
	uint32_t v, u;
	const struct summary_variable *x = variable(d, cell[1], &v);
	const struct summary_cell *c;
	const struct {
		const char *name;
		double v;
	} numbers[] = {
		{ "smd", x != NULL ? x->smd : 0 },
		{ "chi2", x != NULL ? x->chi2.statistic : 0 },
		{ "chi2_df", x != NULL ? x->chi2.df : 0 },
		{ "chi2_p", x != NULL ? x->chi2.p : 0 },
		{ "equal", x != NULL ? x->equal.statistic : 0 },
		{ "equal_p", x != NULL ? x->equal.p : 0 },
		{ "welch", x != NULL ? x->welch.statistic : 0 },
		{ "welch_df",
		    x == NULL                ? 0
			: x->welch.df2 > 0.0 ? x->welch.df2
					     : x->welch.df },
		{ "welch_p", x != NULL ? x->welch.p : 0 },
	};

	if (strcmp(what, "pairs") == 0) {
		close_to(study, "", what, (double)d->result->n_pairs, value);
		return;
	}
	assert_non_null(x);
	if (strncmp(what, "cor:", 4) == 0) {
		assert_non_null(variable(d, what + 4, &u));
		close_to(study, cell[1], what,
		    d->result->correlation[v * d->n_variables + u], value);
		return;
	}
	for (size_t i = 0; i < nitems(numbers); i++) {
		if (strcmp(numbers[i].name, what) != 0)
			continue;
		close_to(study, cell[1], what, numbers[i].v, value);
		return;
	}
	if (strcmp(what, "ranks") == 0) {
		double e = strtod(value, NULL);

		assert_true(
		    fabs(x->ranks.statistic - e) <= x->ranks.bound + 1e-9);
		return;
	}
	if (strcmp(what, "ranks_p") == 0) {
		double e = strtod(value, NULL);

		assert_true(e >= x->ranks.p_low * (1 - 1e-9) &&
		    e <= x->ranks.p_high * (1 + 1e-9));
		return;
	}
	c = strcmp(cell[3], "all") == 0 ? &x->all
					: &x->group[strtoul(cell[3], NULL, 10)];
	if (strcmp(what, "n") == 0)
		close_to(study, cell[1], what, (double)c->n, value);
	else if (strcmp(what, "missing") == 0)
		close_to(study, cell[1], what, (double)c->missing, value);
	else if (strcmp(what, "mean") == 0)
		close_to(study, cell[1], what, c->mean, value);
	else if (strcmp(what, "sd") == 0)
		close_to(study, cell[1], what, c->sd, value);
	else if (*what == 'q')
		check_quantile(d, what, c, value);
	else if (strncmp(what, "level", 5) == 0)
		close_to(study, cell[1], what,
		    (double)d->state
			.level[strtoul(cell[3], NULL, 10) * d->state.levels +
			    d->spec.variables[v].first_level +
			    strtoul(what + 5, NULL, 10)],
		    value);
	else
		fail_msg("unknown figure %s", what);
}

static void
check_study(const char *study)
{
	struct described d = described_read(study);
	char path[1024], line[512], *cell[5];
	size_t lines = 0;
	FILE *f;

	described_run(&d);
	snprintf(path, sizeof(path), "%s/tests/vectors/model/summary.csv",
	    getenv("top_srcdir"));
	assert_non_null(f = fopen(path, "re"));
	while (fgets(line, sizeof(line), f) != NULL) {
		char *at = line;

		for (size_t i = 0; i < 5; i++)
			cell[i] = strsep(&at, ",\n");
		if (strcmp(cell[0], study) != 0)
			continue;
		check_line(&d, cell);
		lines++;
	}
	fclose(f);
	assert_true(lines > 50);
	described_free(&d);
}

static void
like_r(void **state)
{
	(void)state;
	check_study("births");
	check_study("races");
	check_study("pbc");
	check_study("lung");
	printf("largest relative difference from R: %.1e\n", worst);
}

/* Ranks row by row, equal values share theirs. */
static double
slow_rank_sum(struct described *d, size_t v, uint32_t group)
{
	double sum = 0.0;

	for (size_t i = 0; i < d->n; i++) {
		double x = *described_x(d, i, v), rank = 0.5;

		if (d->group[i] != group || isnan(x))
			continue;
		for (size_t k = 0; k < d->n; k++) {
			double y = *described_x(d, k, v);

			rank += y < x ? 1.0 : y == x ? 0.5 : 0.0;
		}
		sum += rank;
	}
	return sum;
}

/* Kruskal and Wallis's H, all ranks and ties row by row. */
static double
slow_kruskal_wallis(struct described *d, size_t v)
{
	double n = 0.0, h = 0.0, ties = 0.0;

	for (size_t i = 0; i < d->n; i++) {
		double x = *described_x(d, i, v), same = 0.0;

		if (isnan(x))
			continue;
		n += 1.0;
		for (size_t k = 0; k < d->n; k++)
			same += *described_x(d, k, v) == x;
		ties += same * same - 1.0; /* sums up to same^3 - same */
	}
	for (uint32_t g = 0; g < d->spec.n_terms; g++) {
		double r = slow_rank_sum(d, v, g), own = 0.0;

		for (size_t i = 0; i < d->n; i++)
			own +=
			    d->group[i] == g && !isnan(*described_x(d, i, v));
		h += r * r / own;
	}
	return (12.0 * h / (n * (n + 1.0)) - 3.0 * (n + 1.0)) /
	    (1.0 - ties / (n * n * n - n));
}

static void
ranks_of_three_groups_are_within_their_bound(void **state)
{
	static const size_t bins[] = { 4, 16, 64, 1024 };
	double last = HUGE_VAL, furthest = 0.0;

	(void)state;
	for (size_t k = 0; k < nitems(bins); k++) {
		struct described d = described_read("races");
		double sum = 0.0;

		d.spec.summary_bins = (uint32_t)bins[k];
		described_run(&d);
		for (uint32_t v = 0; v < d.n_variables; v++) {
			const struct summary_test *t =
			    &d.result->variables[v].ranks;
			double h, p;

			if (d.spec.variables[v].n_levels > 0)
				continue;
			assert_true(t->there);
			h = slow_kruskal_wallis(&d, v);
			p = tail_chi2(h, 2);
			sum += t->bound;
			if (t->bound > 0.0)
				furthest = fmax(furthest,
				    fabs(t->statistic - h) / t->bound);
			assert_true(fabs(t->statistic - h) <= t->bound + 1e-9);
			assert_true(p >= t->p_low * (1.0 - 1e-9) &&
			    p <= t->p_high * (1.0 + 1e-9));
		}
		assert_true(sum < last); /* finer bins say more */
		last = sum;
		described_free(&d);
	}
	assert_true(last < 1e-9); /* each value has a bin of its own */
	print_message("off by at most %.2f of the bound\n", furthest);
}

static void
ranks_are_within_their_bound(void **state)
{
	static const char *const studies[] = { "births", "races", "pbc" };

	(void)state;
	for (size_t k = 0; k < nitems(studies); k++) {
		struct described d = described_read(studies[k]);

		d.spec.summary_bins = 16;
		described_run(&d);
		for (uint32_t v = 0; v < d.n_variables; v++) {
			for (uint32_t g = 0; g < d.spec.n_terms; g++) {
				size_t cell = g * d.n_variables + v;

				if (d.spec.variables[v].n_levels > 0)
					continue;
				assert_true(fabs(d.state.rank[cell] -
						slow_rank_sum(&d, v, g)) <=
				    d.state.doubt[cell] + 1e-6);
			}
		}
		described_free(&d);
	}
}

/* A narrow spread far from the middle of a wide range. */
static void
squares_do_not_cancel(void **state)
{
	struct described d = described_new(300, 1, 1);
	long double mean = 0.0L, square = 0.0L;

	(void)state;
	for (size_t i = 0; i < d.n; i++)
		*described_x(&d, i, 0) = 1e6 + 0.001 * (double)(i * i % 101);
	d.spec.variables[0].min = -1e9;
	d.spec.variables[0].max = 1e9;
	described_run(&d);
	for (size_t i = 0; i < d.n; i++)
		mean += (long double)*described_x(&d, i, 0) / 300.0L;
	for (size_t i = 0; i < d.n; i++) {
		long double e = *described_x(&d, i, 0) - mean;

		square += e * e;
	}
	/* The centre is off by up to half a bin, here 1.6e7: its square by the
	   variance, times 2^-53, is what cancels. */
	assert_true(fabs(d.result->variables[0].all.mean - (double)mean) <
	    1e-9 * fabs((double)mean));
	described_free(&d);
}

static void
makes_both_files(void **state)
{
	struct described d = described_read("births");
	struct canon json = { 0 }, text = { 0 };
	const struct result_meta meta = { .study = "births" };
	struct err err;

	(void)state;
	d.spec.risk_set_step = 5;
	described_run(&d);
	assert_int_equal(result_json(d.plan, &meta, &json, &err), 0);
	assert_int_equal(result_text(d.plan, &meta, &text, &err), 0);
	canon_u8(&json, 0);
	canon_u8(&text, 0);
	if (getenv("SHOW") != NULL)
		printf("%s\n%s\n", (char *)json.data, (char *)text.data);
	assert_non_null(strstr((char *)text.data, "bwt, mean (sd)"));
	assert_non_null(strstr((char *)json.data, "\"welch_test\""));
	assert_null(strstr((char *)json.data, ": nan"));
	canon_free(&json);
	canon_free(&text);
	described_free(&d);
}

/* What is saved in each phase is loaded as the same bytes. */
static void
saves_and_loads_every_phase(void **state)
{
	struct described d = described_read("lung");
	struct err err;

	(void)state;
	described_run(&d);
	for (size_t i = 0; i < d.saved.len; i += 7) {
		struct canon bad = { 0 };
		struct plan *p;

		canon_raw(&bad, d.saved.data, d.saved.len);
		bad.data[i] ^= 0x40;
		/* Either it is refused, or it is sane: no result may crash. */
		if ((p = plan_load(&d.spec, bad.data, bad.len, &err)) != NULL) {
			struct canon out = { 0 };
			const struct result_meta meta = { .study = "x" };

			if (plan_done(p))
				assert_int_equal(
				    result_json(p, &meta, &out, &err), 0);
			canon_free(&out);
		}
		plan_free(p);
		canon_free(&bad);
	}
	described_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_r),
		cmocka_unit_test(ranks_are_within_their_bound),
		cmocka_unit_test(ranks_of_three_groups_are_within_their_bound),
		cmocka_unit_test(squares_do_not_cancel),
		cmocka_unit_test(makes_both_files),
		cmocka_unit_test(saves_and_loads_every_phase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What was learned with differential privacy against the same steps without
 * noise, on all rows put together.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/json_read.h"
#include "ctl/local_check.h"
#include "study/study.h"

/* The learned coefficients in the scaled terms, by name; NAN: not there. */
static double
learned(const struct check *c, const struct pooled_learning *l, size_t k)
{
	const struct json_value *terms = json_get(c->result, "terms");
	double intercept = NAN, wanted = NAN;

	for (size_t i = 0; terms != NULL && i < terms->n; i++) {
		const struct json_value *t = &terms->items[i];
		const char *name = json_get_text(t, "name", "");
		double b = json_get_number(t, "estimate", NAN) / l->y_half;

		if (strcmp(name, "(Intercept)") == 0)
			intercept = isnan(intercept) ? b : intercept + b;
		for (size_t j = 0; j < c->model.n_terms; j++) {
			if (strcmp(name, c->l->study->terms[j].name) != 0)
				continue;
			if (i == 0) /* (a term may be called anything) */
				break;
			intercept += b * l->middle[j];
			if (j + 1 == k)
				wanted = b * l->half[j];
		}
	}
	if (k > 0)
		return l->half[k - 1] == 0 ? 0 : wanted;
	return intercept - l->y_middle / l->y_half;
}

/*
 * What noise, rounding and cutting can do to a mean gradient, beyond it with
 * a chance of exp(-24) a round: the noise of all n inputs has the variance
 * n v / (u_min - c), rounding adds 1/4 each; P(|w| >= sd (sqrt(d) + 7)).
 */
static void
learning_errors(const struct check *c, size_t n, struct pooled_learning *l)
{
	const struct json_value *privacy = json_get(c->result, "privacy");
	double sites = json_get_number(c->result, "sites", NAN);
	double units = json_get_number(privacy, "units_per_clip", NAN);
	double honest = json_get_number(privacy, "smallest_sites", NAN) -
	    json_get_number(privacy, "corrupted_sites_tolerated", NAN);
	double sd =
	    sqrt(sites * json_get_number(privacy, "variance", NAN) / honest +
		sites / 4);
	double d = (double)c->model.n_terms + 1;
	double unit = c->l->study->learning.clip / units;

	l->error = unit * (sd * (sqrt(d) + 7) / (double)n + sqrt(d) / 256);
	l->row_error = 7 * sd / (units / 4) / (double)n;
}

static void
learning_scales(const struct study *s, struct pooled_learning *l,
    double *middle, double *half)
{
	const struct study_column *y = &s->columns[study_outcome(s)];

	for (size_t i = 0; i < s->n_terms; i++) {
		half[i] = (s->terms[i].max - s->terms[i].min) / 2;
		middle[i] = s->terms[i].min + half[i];
	}
	*l = (struct pooled_learning){
		.middle = middle,
		.half = half,
		.y_half = 1,
		.clip = s->learning.clip * sqrt(0.875),
		.step = s->learning.step,
		.momentum = s->learning.momentum,
		.rounds = s->learning.rounds,
	};
	if (s->model.kind == STUDY_GLM) {
		l->y_half = (y->hi - y->lo) / 2;
		l->y_middle = y->lo + l->y_half;
	}
}

int
check_learning(struct check *c, struct err *err)
{
	const struct study *s = c->l->study;
	double middle[STUDY_COLUMNS_MAX], half[STUDY_COLUMNS_MAX];
	double coef[STUDY_COLUMNS_MAX + 1], bound, square = 0;
	struct pooled_learning l;
	struct pooled *p = check_rows(c, false, err);

	if (p == NULL)
		return -1;
	learning_scales(s, &l, middle, half);
	learning_errors(c, pooled_rows(p), &l);
	if (pooled_learn(p, &l, coef, &bound, err) < 0) {
		pooled_free(p);
		return -1;
	}
	printf("\nThe same steps on all %zu rows, without noise (terms scaled "
	       "by their ranges)\n\n  %-24s %12s %12s\n",
	    pooled_rows(p), "term", "learned", "no noise");
	for (size_t k = 0; k <= s->n_terms; k++) {
		double b = learned(c, &l, k);

		printf("  %-24s %12.6f %12.6f\n",
		    k == 0 ? "(Intercept)" : s->terms[k - 1].name, b, coef[k]);
		square += (b - coef[k]) * (b - coef[k]);
	}
	pooled_free(p);
	check_print_places(c->l);
	printf("|learned - no noise| = %.3g, the noise allows %.3g\n",
	    sqrt(square), bound);
	fflush(stdout);
	if (sqrt(square) <= bound || (l.momentum > 0 && isfinite(square)))
		return 0;
	return err_set(err, ERR_NUMERIC,
	    "what was learned is further from the steps without noise than "
	    "noise can explain");
}

/*
 * Descriptive statistics
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/macros.h"
#include "ctl/pooled_parts.h"

static bool
is_in(const struct pooled_row *r, size_t group)
{
	return group == POOLED_ALL || r->stratum == group;
}

size_t
pooled_moments(const struct pooled *p, size_t group, size_t term,
    double missing, double *mean, double *sd)
{
	long double sum = 0, square = 0, m;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		double x = p->rows[i].x[term];

		if (!is_in(&p->rows[i], group) || x == missing)
			continue;
		sum += x;
		n++;
	}
	m = sum / (long double)n;
	for (size_t i = 0; i < p->n; i++) {
		double x = p->rows[i].x[term];

		if (is_in(&p->rows[i], group) && x != missing)
			square += (x - m) * (x - m);
	}
	*mean = (double)m;
	*sd = n > 1 ? (double)sqrtl(square / (long double)(n - 1)) : NAN;
	return n;
}

/* In a stratum that is itself large enough. */
static bool
few_miss(const struct pooled *p, size_t stratum, size_t term, double missing,
    size_t least)
{
	size_t n = 0, without = pooled_count(p, stratum, term, missing);

	for (size_t i = 0; i < p->n; i++)
		n += is_in(&p->rows[i], stratum);
	return n >= least && without > 0 && without < least;
}

static void
drop_who_miss(struct pooled *p, size_t stratum, size_t term, double missing)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct pooled_row *r = &p->rows[i];

		if (is_in(r, stratum) && r->x[term] == missing)
			free(r->x);
		else
			p->rows[kept++] = *r;
	}
	p->n = kept;
}

void
pooled_drop_few(struct pooled *p, double missing, size_t least)
{
	for (size_t before = p->n + 1; before != p->n;) {
		size_t strata = 0;

		before = p->n;
		for (size_t i = 0; i < p->n; i++)
			strata = MAX(strata, p->rows[i].stratum + 1);
		for (size_t s = 0; s < strata; s++) {
			uint64_t few = 0;

			/* All are judged by the same rows. */
			for (size_t k = 0; k < p->model->n_terms; k++)
				if (few_miss(p, s, k, missing, least))
					few |= UINT64_C(1) << k;
			for (size_t k = 0; k < p->model->n_terms; k++)
				if ((few >> k & 1) != 0)
					drop_who_miss(p, s, k, missing);
		}
	}
}

size_t
pooled_count(const struct pooled *p, size_t group, size_t term, double value)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += is_in(&p->rows[i], group) && p->rows[i].x[term] == value;
	return n;
}

double
pooled_sum(const struct pooled *p, size_t term, double value, size_t of)
{
	double sum = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].x[term] == value)
			sum += p->rows[i].x[of];
	return sum;
}

size_t
pooled_complete(const struct pooled *p, double missing, bool event)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		bool complete = p->rows[i].event || !event;

		for (size_t k = 0; k < p->model->n_terms; k++)
			complete = complete && p->rows[i].x[k] != missing;
		n += complete;
	}
	return n;
}

/*
 * Descriptive statistics
 */
#include <math.h>

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

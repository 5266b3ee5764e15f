#include "ctl/pooled_parts.h"

#include <stdlib.h>

void *
pooled_zeroed(size_t n, size_t size, bool *failed)
{
	void *p = calloc(n == 0 ? 1 : n, size);

	if (p == NULL)
		*failed = true;
	return p;
}

int
pooled_latest_first(const void *a, const void *b)
{
	const struct pooled_row *x = a, *y = b;

	if (x->stratum != y->stratum)
		return x->stratum < y->stratum ? -1 : 1;
	return (x->time < y->time) - (x->time > y->time);
}

int
pooled_invert(long double *m, size_t p)
{
	long double diagonal[POOLED_TERMS_MAX + 1];

	for (size_t a = 0; a < p; a++)
		diagonal[a] = m[a * p + a];
	for (size_t k = 0; k < p; k++) {
		long double pivot = m[k * p + k];

		if (!(pivot > 1e-14L * diagonal[k]))
			return -1;
		m[k * p + k] = 1;
		for (size_t b = 0; b < p; b++)
			m[k * p + b] /= pivot;
		for (size_t a = 0; a < p; a++) {
			long double f = m[a * p + k];

			if (a == k)
				continue;
			m[a * p + k] = 0;
			for (size_t b = 0; b < p; b++)
				m[a * p + b] -= f * m[k * p + b];
		}
	}
	return 0;
}

#include "model/step/ldl.h"

#include <string.h>

#include "model/step/number.h"

int64_t
ldl_factor(double *a, uint32_t n, double tolerance)
{
	for (uint32_t i = 0; i < n; i++) {
		double diagonal = a[packed_at(n, i, i)];

		for (uint32_t j = i; j < n; j++) {
			double s = a[packed_at(n, i, j)];

			for (uint32_t k = 0; k < i; k++)
				s -= a[packed_at(n, k, i)] *
				    a[packed_at(n, k, j)] *
				    a[packed_at(n, k, k)];
			a[packed_at(n, i, j)] = s;
			if (j == i &&
			    (!(s > tolerance * diagonal) || !(s > 0.0) ||
				!num_finite(s)))
				return i;
		}
		for (uint32_t j = i + 1; j < n; j++)
			a[packed_at(n, i, j)] /= a[packed_at(n, i, i)];
	}
	return -1;
}

void
ldl_solve(const double *f, uint32_t n, double *b)
{
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < i; k++)
			b[i] -= f[packed_at(n, k, i)] * b[k];
	}
	for (uint32_t i = 0; i < n; i++)
		b[i] /= f[packed_at(n, i, i)];
	for (uint32_t i = n; i-- > 0;) {
		for (uint32_t k = i + 1; k < n; k++)
			b[i] -= f[packed_at(n, i, k)] * b[k];
	}
}

void
ldl_inverse(const double *f, uint32_t n, double *inverse, double *column)
{
	for (uint32_t j = 0; j < n; j++) {
		memset(column, 0, n * sizeof(*column));
		column[j] = 1.0;
		ldl_solve(f, n, column);
		for (uint32_t i = 0; i <= j; i++)
			inverse[packed_at(n, i, j)] = column[i];
	}
}

double
packed_form(const double *a, uint32_t n, const double *b)
{
	double sum = 0.0;

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++)
			sum += (i == j ? 1.0 : 2.0) * b[i] * b[j] *
			    a[packed_at(n, i, j)];
	}
	return sum;
}

void
packed_drop(double *a, uint32_t n, uint32_t k)
{
	size_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j < n; j++) {
			if (i != k && j != k)
				a[at++] = a[packed_at(n, i, j)];
		}
	}
}

/*
 * A = U' D U of a symmetric positive definite matrix, packed by rows of its
 * upper triangle, in place: D on the diagonal, U (unit diagonal) above it.
 */
#ifndef MODEL_STEP_LDL_H
#define MODEL_STEP_LDL_H

#include <stddef.h>
#include <stdint.h>

/* Where (i, j), i <= j, of an n x n matrix is. */
static inline size_t
packed_at(uint32_t n, uint32_t i, uint32_t j)
{
	return (size_t)i * n - (size_t)i * (i + 1) / 2 + j;
}

/*
 * -1 if it worked.  Else the first row whose pivot is not larger than
 * tolerance times its diagonal element: a combination of the rows before it
 * (or not finite).
 */
int64_t ldl_factor(double *a, uint32_t n, double tolerance);

/* b becomes the solution of A x = b. */
void ldl_solve(const double *factor, uint32_t n, double *b);

/* The inverse of A, packed.  column is room for n numbers. */
void ldl_inverse(
    const double *factor, uint32_t n, double *inverse, double *column);

/* b' A b for a packed symmetric A. */
double packed_form(const double *a, uint32_t n, const double *b);

/* Take row and column k out of a packed matrix. */
void packed_drop(double *a, uint32_t n, uint32_t k);

#endif

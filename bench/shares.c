/*
 * What the coordinator computes to check the unmask answers of a round of n
 * sites: each share against its dealer's commitments, as it would be without
 * weights, and all shares of an answer at once.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/macros.h"
#include "crypto/shamir.h"

#define N_MAX 128

static double
cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint8_t c[N_MAX][GROUP_SCALAR], shares[N_MAX][GROUP_SCALAR],
    weights[N_MAX][GROUP_SCALAR], points[N_MAX][N_MAX * GROUP_POINT],
    combined[N_MAX * GROUP_POINT];

static int
measure(size_t n)
{
	const uint8_t *commitments[N_MAX];
	uint8_t sum[GROUP_SCALAR];
	size_t t = (n + 2) / 2; /* c = 1 */
	uint16_t x = (uint16_t)n;
	double at, single, weigh, once;
	bool good = true;

	for (size_t j = 0; j < n; j++) {
		group_scalar_random(c[0]);
		shamir_coefficients(c, t);
		shamir_commit(c, t, points[j]);
		shamir_share(c, t, x, shares[j]);
		group_scalar_random(weights[j]);
		commitments[j] = points[j];
	}
	at = cpu_s();
	for (size_t j = 0; j < n; j++)
		good &= shamir_check(points[j], t, x, shares[j]);
	single = cpu_s() - at;
	at = cpu_s();
	good &= shamir_combine(weights, commitments, n, t, combined);
	weigh = cpu_s() - at;
	at = cpu_s();
	shamir_combine_shares(weights, shares, n, sum);
	good &= shamir_check(combined, t, x, sum);
	once = cpu_s() - at;
	printf("%4zu sites, t = %2zu: %7.2f s one by one; %5.2f s at once\n", n,
	    t, (double)n * single, weigh + (double)n * once);
	return good ? 0 : 1;
}

int
main(void)
{
	static const size_t sizes[] = { 4, 16, 64, 128 };
	int rc = 0;

	if (sodium_init() < 0)
		return 1;
	for (size_t i = 0; i < nitems(sizes); i++)
		rc |= measure(sizes[i]);
	return rc;
}

#include "tests/check.h"

#include "tests/model/golden.h"

#include <math.h>
#include <stdlib.h>

FILE *
open_vectors(const char *name)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/vectors/model/%s",
	    getenv("top_srcdir"), name);
	assert_non_null(f = fopen(path, "re"));
	return f;
}

void
close_to(const char *what, double got, double expected, double scale)
{
	if (!(fabs(got - expected) <= GOLDEN_TOLERANCE * scale))
		fail_msg("%s: %.17g, expected %.17g (off by %.2g)", what, got,
		    expected, (got - expected) / scale);
}

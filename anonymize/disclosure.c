#include "config.h"

#include "anonymize/disclosure.h"

#include <stdlib.h>

#include "anonymize/classes.h"
#include "anonymize/ranking.h"
#include "common/err.h"
#include "common/macros.h"

int
disclosure_measure(const struct classes *c, const double *values,
    struct disclosure *d, struct err *err)
{
	uint32_t *most = calloc(c->n + 1, sizeof(*most));
	size_t certain = 0, right = 0, anyway = 0;
	struct ranking r = { 0 };
	uint64_t *key;
	int result = -1;

	*d = (struct disclosure){ 0 };
	if (most == NULL || ranking_one(&r, values, c->n_rows) == -1)
		goto out;
	for (size_t i = 0; i < r.g.n; i++)
		anyway = MAX(anyway, r.g.count[i]);
	/* How often each value comes in each class. */
	key = ranking_column(&r);
	for (size_t i = 0; i < c->n_rows; i++)
		key[i] = (uint64_t)c->of_row[i] << 32 | r.rank[i];
	if (grouping_make(&r.g, c->n_rows, NULL, NULL) == -1)
		goto out;
	for (size_t i = 0; i < r.g.n; i++) {
		size_t class = r.g.key[i] >> 32;

		most[class] = MAX(most[class], r.g.count[i]);
	}
	for (size_t i = 0; i < c->n; i++) {
		right += most[i];
		certain += most[i] == c->size[i] ? most[i] : 0;
	}
	if (c->n_rows > 0) {
		d->certain = (double)certain / (double)c->n_rows;
		d->right = (double)right / (double)c->n_rows;
		d->anyway = (double)anyway / (double)c->n_rows;
	}
	result = 0;
out:
	ranking_free(&r);
	free(most);
	return result == -1 ? err_sys(err, "memory for %zu rows", c->n_rows)
			    : 0;
}

/*
 * A grid of one stratum's own
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ctl/pooled_parts.h"

struct interval {
	double start;
	size_t leavers, events;
};

static bool
enough(const struct interval *v, size_t step, bool efron)
{
	size_t censored = v->leavers - v->events;

	if (v->events == 0 || v->leavers < step)
		return false;
	return !efron ||
	    (v->events >= step && (censored == 0 || censored >= step));
}

/* rows: (n) of one stratum, latest first.  out has room for n. */
static size_t
make_intervals(const struct pooled_row *rows, size_t n, size_t step, bool efron,
    struct interval *out)
{
	struct interval open = { 0 }, rest = { 0 };
	size_t k = 0;

	for (size_t i = 0, j; i < n; i = j) {
		size_t before = open.events;

		for (j = i; j < n && rows[j].time == rows[i].time; j++) {
			open.leavers++;
			open.events += rows[j].event;
		}
		if (open.events == before)
			continue;
		open.start = rows[i].time;
		rest = open; /* who leaves before any event is at no risk */
		if (enough(&open, step, efron)) {
			out[k++] = open;
			memset(&open, 0, sizeof(open));
			memset(&rest, 0, sizeof(rest));
		}
	}
	if (k == 0 || rest.events == 0)
		return k;
	/* What is left at the beginning goes to its neighbours. */
	out[k++] = rest;
	while (k > 1) {
		out[k - 2].start = out[k - 1].start;
		out[k - 2].leavers += out[k - 1].leavers;
		out[k - 2].events += out[k - 1].events;
		k--;
		if (enough(&out[k - 1], step, efron))
			return k;
	}
	return 0;
}

int
pooled_grid_make(const struct pooled *p, size_t stratum, size_t step,
    double **starts, size_t *n, struct err *err)
{
	struct pooled_row *rows = calloc(p->n + 1, sizeof(*rows));
	struct interval *v = calloc(p->n + 1, sizeof(*v));
	size_t n_rows = 0;
	int rv = -1;

	*starts = calloc(p->n + 1, sizeof(**starts));
	if (rows == NULL || v == NULL || *starts == NULL) {
		err_sys(err, "pooled fit");
		free(*starts);
		*starts = NULL;
		goto out;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].stratum == stratum)
			rows[n_rows++] = p->rows[i];
	qsort(rows, n_rows, sizeof(*rows), pooled_latest_first);
	*n = make_intervals(rows, n_rows, step, p->model->efron, v);
	for (size_t i = 0; i < *n; i++)
		(*starts)[i] = v[*n - 1 - i].start;
	rv = 0;
out:
	free(rows);
	free(v);
	return rv;
}

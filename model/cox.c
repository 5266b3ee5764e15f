/*
 * Cox's proportional hazards model: what rows contribute.  The layouts are in
 * model/step/cox.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "model/data.h"
#include "model/step/partial.h"
#include "model/work.h"

static bool
by_site(const struct work *w)
{
	return w->plan->spec.strata == STRATA_SITE;
}

static uint32_t
stratum_of(const struct work *w, size_t row)
{
	if (w->plan->spec.strata != STRATA_COLUMN)
		return 0;
	return w->data->stratum[row];
}

/* Add each row to its stratum and time. */
static void
count_times(const struct work *w, double *leavers, double *events)
{
	uint32_t n_times = w->plan->spec.n_times;

	for (size_t i = 0; i < w->data->n_rows; i++) {
		size_t at =
		    (size_t)stratum_of(w, i) * n_times + w->data->time_index[i];

		leavers[at] += 1.0;
		events[at] += w->data->event[i];
	}
}

/* A site that is a stratum makes its own grid, by the same rule. */
static int
make_own_grid(struct work *w)
{
	const struct model_spec *s = &w->plan->spec;
	uint64_t *leavers = calloc(s->n_times, sizeof(*leavers));
	uint64_t *events = calloc(s->n_times, sizeof(*events));
	int ret = -1;

	if (leavers == NULL || events == NULL)
		goto out;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		leavers[w->data->time_index[i]]++;
		events[w->data->time_index[i]] += w->data->event[i];
	}
	ret = grid_make(&w->own, leavers, events, 1, s->n_times,
	    s->risk_set_step, s->ties == TIES_EFRON);
	w->grid = &w->own;
out:
	free(leavers);
	free(events);
	return ret;
}

static int
find_intervals(struct work *w)
{
	if (by_site(w) && make_own_grid(w) == -1)
		return -1;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		uint32_t time = w->data->time_index[i];

		/* Sorted rows often have the time of the one before. */
		if (i > 0 && time == w->data->time_index[i - 1] &&
		    stratum_of(w, i) == stratum_of(w, i - 1))
			w->interval[i] = w->interval[i - 1];
		else
			w->interval[i] =
			    (int32_t)grid_find(w->grid, stratum_of(w, i), time);
	}
	return 0;
}

static int
counts(struct work *w)
{
	double *v = work_group(w, 0);

	if (!by_site(w)) {
		count_times(w, v, work_group(w, 1));
		return 0;
	}
	for (size_t i = 0; i < w->data->n_rows; i++)
		v[0] += w->data->event[i];
	v[1] = (double)w->own.n_used;
	v[2] = (double)w->own.n_out;
	*work_group(w, 1) = w->own.strata_out;
	return 0;
}

/*
 * Rows by interval: number first[g] to first[g] + n[g] - 1 of order; or of the
 * rows themselves, where those of an interval stand together.
 */
struct by_interval {
	uint32_t *order; /* at most MODEL_ROWS_MAX */
	size_t *first, *n;
};

static void
by_interval_free(struct by_interval *by)
{
	free(by->order);
	free(by->first);
	free(by->n);
}

static int
by_interval_make(const struct work *w, struct by_interval *by)
{
	size_t n = (size_t)w->grid->n + 1, at = 0;
	bool together = true;

	*by = (struct by_interval){ .first = calloc(n, sizeof(*by->first)),
		.n = calloc(n, sizeof(*by->n)) };
	if (by->first == NULL || by->n == NULL)
		return -1;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		int32_t g = w->interval[i];

		if (g < 0)
			continue;
		if (by->n[g] == 0)
			by->first[g] = i;
		together &= i == by->first[g] + by->n[g]++;
	}
	if (together)
		return 0;
	by->order = calloc(w->data->n_rows + 1, sizeof(*by->order));
	if (by->order == NULL)
		return -1;
	for (size_t g = 0; g + 1 < n; g++) {
		by->first[g] = at;
		at += by->n[g];
		by->n[g] = 0;
	}
	for (size_t i = 0; i < w->data->n_rows; i++) {
		int32_t g = w->interval[i];

		if (g >= 0)
			by->order[by->first[g] + by->n[g]++] = (uint32_t)i;
	}
	return 0;
}

static size_t
by_interval_row(const struct by_interval *by, size_t g, size_t k)
{
	size_t at = by->first[g] + k;

	return by->order == NULL ? at : by->order[at];
}

/* Rows on their way into a sum, some at a time, while they are in the cache. */
struct side {
	struct gram *gram;
	double *z; /* (GRAM_ROWS, n_active) */
	size_t rows[GRAM_ROWS], n;
};

enum { CENSORED, EVENTS };

struct pass {
	struct work *w;
	struct by_interval by;
	struct side sides[2];
	double shift; /* is subtracted from every linear predictor */
	double beyond; /* rows whose sums are left out */
};

static void
pass_end(struct pass *s)
{
	by_interval_free(&s->by);
	for (size_t k = 0; k < nitems(s->sides); k++) {
		gram_free(s->sides[k].gram);
		free(s->sides[k].z);
	}
}

static int
pass_begin(struct pass *s, struct work *w)
{
	*s = (struct pass){ .w = w };
	for (size_t k = 0; k < nitems(s->sides); k++) {
		struct side *side = &s->sides[k];

		side->gram = gram_new(w->n_active);
		side->z = calloc(
		    GRAM_ROWS * (size_t)w->n_active + 1, sizeof(*side->z));
		if (side->gram == NULL || side->z == NULL)
			return -1;
	}
	return by_interval_make(w, &s->by);
}

/* Add the rows that wait, with weights exp(eta); 0 beyond the cap. */
static void
flush(struct pass *s, struct side *side)
{
	const struct work *w = s->w;
	bool capped = !by_site(w);
	double root[GRAM_ROWS];

	work_eta(w, side->z, side->n, root);
	for (size_t k = 0; k < side->n; k++) {
		double eta = root[k];

		if (w->plan->spec.has_offset)
			eta += w->data->offset[side->rows[k]];
		if (capped && fabs(eta) > ETA_CAP) {
			s->beyond += 1.0;
			root[k] = 0.0;
		} else
			root[k] = exp(0.5 * (eta - s->shift));
	}
	gram_add_rows(side->gram, side->z, root, side->n);
	side->n = 0;
}

/*
 * Sums over the rows of an interval: by event, or all of them on the side of
 * the censored.
 */
static void
sum_rows(struct pass *s, size_t g, bool by_event)
{
	const struct work *w = s->w;

	for (size_t k = 0; k < nitems(s->sides); k++)
		gram_clear(s->sides[k].gram);
	for (size_t k = 0; k < s->by.n[g]; k++) {
		size_t i = by_interval_row(&s->by, g, k);
		struct side *side =
		    &s->sides[by_event ? w->data->event[i] : CENSORED];

		work_z(w, i, side->z + side->n * w->n_active);
		side->rows[side->n++] = i;
		if (side->n == GRAM_ROWS)
			flush(s, side);
	}
	for (size_t k = 0; k < nitems(s->sides); k++)
		flush(s, &s->sides[k]);
}

static void
add_event_z(const struct work *w, double *sum)
{
	double z[MODEL_TERMS_MAX];

	for (size_t i = 0; i < w->data->n_rows; i++) {
		if (w->interval[i] < 0 || w->data->event[i] == 0)
			continue;
		work_z(w, i, z);
		for (uint32_t k = 0; k < w->n_active; k++)
			sum[k] += z[k];
	}
}

static void
risk_sets(struct pass *s)
{
	struct work *w = s->w;
	bool efron = w->plan->spec.ties == TIES_EFRON;
	size_t n_sums = PARTIAL_SUMS(w->n_active), tied = 0;
	size_t n = w->grid->n, n_tied = efron ? grid_tied(w->grid) : 0;
	double *beyond = work_group(w, 0);
	double *leaving = beyond + 1, *events = leaving + n * n_sums;

	for (size_t g = 0; g < n; g++) {
		if (!efron || w->grid->intervals[g].events < 2) {
			sum_rows(s, g, false);
			gram_take(s->sides[CENSORED].gram, leaving + g, n);
			continue;
		}
		/* Each row is summed once: all are both kinds together. */
		sum_rows(s, g, true);
		gram_take(s->sides[EVENTS].gram, events + tied, n_tied);
		gram_take(s->sides[CENSORED].gram, leaving + g, n);
		for (size_t k = 0; k < n_sums; k++)
			leaving[g + k * n] += events[tied + k * n_tied];
		tied++;
	}
	*beyond = s->beyond;
	if (w->plan->iterations > 0)
		return;
	events += n_tied * n_sums;
	add_event_z(w, events);
	for (size_t i = 0; w->data->offset != NULL && i < w->data->n_rows;
	     i++) {
		if (w->interval[i] >= 0 && w->data->event[i] == 1)
			events[w->n_active] += w->data->offset[i];
	}
}

/* The own stratum's log-likelihood, score and information. */
static int
own_likelihood(struct pass *s)
{
	struct work *w = s->w;
	uint32_t a = w->n_active;
	size_t n = PARTIAL_SUMS(a);
	double *loglik = work_group(w, 0);
	struct partial out = { .p = a,
		.efron = w->plan->spec.ties == TIES_EFRON,
		.score = loglik + 1,
		.info = loglik + 1 + a };
	long double *total = calloc(n, sizeof(*total));
	double *S = calloc(n, sizeof(*S)), *E = calloc(n, sizeof(*E));
	int ret = -1;

	if (total == NULL || S == NULL || E == NULL)
		goto out;
	/* exp() of large predictors: only their differences matter. */
	s->shift = -HUGE_VAL;
	for (size_t i = 0; i < w->data->n_rows; i++)
		s->shift = fmax(s->shift, w->score[i]);
	for (size_t g = w->grid->n; g-- > 0;) {
		sum_rows(s, g, true);
		gram_take(s->sides[CENSORED].gram, S, 1);
		gram_take(s->sides[EVENTS].gram, E, 1);
		for (size_t k = 0; k < n; k++)
			S[k] = (double)(total[k] += S[k] + E[k]);
		partial_subtract(&out, S, E, w->grid->intervals[g].events);
	}
	add_event_z(w, out.score);
	*loglik = out.loglik;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		if (w->interval[i] >= 0 && w->data->event[i] == 1)
			*loglik += w->score[i] - s->shift;
	}
	ret = 0;
out:
	free(total);
	free(S);
	free(E);
	return ret;
}

static int
newton(struct work *w)
{
	struct pass s;
	int ret = -1;

	if (pass_begin(&s, w) == 0) {
		ret = 0;
		if (by_site(w))
			ret = own_likelihood(&s);
		else
			risk_sets(&s);
	}
	pass_end(&s);
	return ret;
}

/* A Fenwick tree: how many of the rows so far have at most this rank. */
static void
rank_add(uint64_t *tree, size_t n, size_t rank)
{
	for (size_t k = rank + 1; k <= n; k += k & -k)
		tree[k]++;
}

static uint64_t
rank_count(const uint64_t *tree, size_t below)
{
	uint64_t sum = 0;

	for (size_t k = below; k > 0; k -= k & -k)
		sum += tree[k];
	return sum;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Distinct scores in order; rank[i] is where row i's is.  Returns how many. */
static size_t
rank_scores(const struct work *w, double *sorted, size_t *rank)
{
	size_t n = w->data->n_rows, m = 0;

	memcpy(sorted, w->score, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_doubles);
	for (size_t i = 0; i < n; i++) {
		if (m == 0 || sorted[i] > sorted[m - 1])
			sorted[m++] = sorted[i];
	}
	for (size_t i = 0; i < n; i++) {
		const double *at = bsearch(
		    &w->score[i], sorted, m, sizeof(*sorted), compare_doubles);

		rank[i] = (size_t)(at - sorted);
	}
	return m;
}

/*
 * Comparable pairs within the own stratum, from the last interval to the
 * first: an event is compared with all who leave later and with those who are
 * censored in its own interval (pass 0 adds these, 1 compares, 2 adds events).
 */
static int
local_pairs(struct work *w)
{
	size_t n = w->data->n_rows, m, so_far = 0;
	struct by_interval by = { 0 };
	size_t *rank = calloc(n + 1, sizeof(*rank));
	double *sorted = calloc(n + 1, sizeof(*sorted));
	uint64_t *tree = calloc(n + 1, sizeof(*tree));
	double *v = work_group(w, 0); /* concordant, discordant, tied */
	int ret = -1;

	if (rank == NULL || sorted == NULL || tree == NULL ||
	    by_interval_make(w, &by) == -1)
		goto out;
	m = rank_scores(w, sorted, rank);
	for (size_t g = w->grid->n; g-- > 0;) {
		for (int pass = 0; pass < 3; pass++) {
			for (size_t k = 0; k < by.n[g]; k++) {
				size_t i = by_interval_row(&by, g, k);
				uint64_t less, upto;

				if (w->data->event[i] != (pass > 0))
					continue;
				if (pass != 1) {
					rank_add(tree, m, rank[i]);
					so_far++;
					continue;
				}
				less = rank_count(tree, rank[i]);
				upto = rank_count(tree, rank[i] + 1);
				v[0] += (double)less;
				v[1] += (double)(so_far - upto);
				v[2] += (double)(upto - less);
			}
		}
	}
	ret = 0;
out:
	by_interval_free(&by);
	free(rank);
	free(sorted);
	free(tree);
	return ret;
}

static int
pairs(struct work *w)
{
	return by_site(w) ? local_pairs(w) : contribute_pairs(w);
}

const struct contribute_kind contribute_cox = {
	.find_intervals = find_intervals,
	.rounds = { [PHASE_COUNTS] = counts,
	    [PHASE_MOMENTS] = contribute_moments,
	    [PHASE_NEWTON] = newton,
	    [PHASE_SCORES] = contribute_scores,
	    [PHASE_PAIRS] = pairs },
};

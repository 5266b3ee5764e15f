/*
 * Cox's proportional hazards model: what rows contribute.  The layouts are in
 * model/step/cox.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "model/data.h"
#include "model/risk_sets.h"
#include "model/step/partial.h"

/* Add each row to its stratum and times; entries: NULL without delayed entry. */
static void
count_times(const struct work *w, double *leavers, double *events,
    double *entries, double *continued)
{
	uint32_t n_times = w->plan->spec.n_times;

	for (size_t i = 0; i < w->data->n_rows; i++) {
		size_t first = (size_t)stratum_of(w, i) * n_times;
		size_t at = first + w->data->time_index[i];

		if (entries != NULL && (w->episode[i] & EPISODE_JOINED) != 0)
			continue;
		leavers[at] += 1.0;
		events[at] += w->data->event[i];
		if (entries == NULL)
			continue;
		at = first + w->entry[i];
		entries[at] += 1.0;
		if ((w->episode[i] & EPISODE_CONTINUES) != 0)
			continued[at] += 1.0;
	}
}

/* A site that is a stratum makes its own grid, by the same rule. */
static int
make_own_grid(struct work *w)
{
	const struct model_spec *s = &w->plan->spec;
	size_t n = s->n_times;
	double *counts = calloc(4 * n, sizeof(*counts));
	uint64_t *whole = calloc(4 * n, sizeof(*whole));
	const struct grid_counts c = { .n_strata = 1,
		.n_times = s->n_times,
		.leavers = whole,
		.events = whole + n,
		.entries = s->has_entry ? whole + 2 * n : NULL,
		.continued = s->has_entry ? whole + 3 * n : NULL };
	int ret = -1;

	if (counts == NULL || whole == NULL)
		goto out;
	count_times(w, counts, counts + n, s->has_entry ? counts + 2 * n : NULL,
	    counts + 3 * n);
	for (size_t i = 0; i < 4 * n; i++)
		whole[i] = (uint64_t)counts[i];
	ret = grid_make(&w->own, &c, s->risk_set_step, s->ties == TIES_EFRON);
	w->grid = &w->own;
out:
	free(counts);
	free(whole);
	return ret;
}

/* Where the rows enter; those that are part of others are not used. */
static void
find_slots(struct work *w)
{
	for (size_t i = 0; i < w->data->n_rows; i++) {
		if ((w->episode[i] & EPISODE_JOINED) != 0)
			w->interval[i] = -1;
		w->slot[i] = w->interval[i] < 0
		    ? -1
		    : (int32_t)grid_slot(
			  w->grid, stratum_of(w, i), w->entry[i]);
	}
}

static int
find_intervals(struct work *w)
{
	if (w->plan->spec.has_entry && episodes_make(w) == -1)
		return -1;
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
	if (w->slot != NULL)
		find_slots(w);
	return 0;
}

static int
counts(struct work *w)
{
	const struct model_spec *s = &w->plan->spec;
	const struct model_data *d = w->data;
	size_t patients = d->patient != NULL ? d->n_patients : d->n_rows;
	double *v = work_group(w, 0);

	if (s->robust == ROBUST_SITE)
		*work_group(w, work_last_counts(w)) =
		    patients >= s->risk_set_step;
	if (!by_site(w)) {
		count_times(w, v, work_group(w, 1),
		    s->has_entry ? work_group(w, 2) : NULL,
		    s->has_entry ? work_group(w, 3) : NULL);
		v = work_group(w, s->has_entry ? 4 : 2);
		for (size_t i = 0; i < d->n_rows; i++)
			v[stratum_of(w, i)] = 1.0;
		return 0;
	}
	for (size_t i = 0; i < d->n_rows; i++)
		v[0] += d->event[i];
	v[1] = (double)w->own.n_used;
	v[2] = (double)w->own.n_out;
	*work_group(w, 1) = w->own.strata_out;
	return 0;
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
			pass_sum(s, &s->by, g, false);
			gram_take(s->sides[CENSORED].gram, leaving + g, n);
			continue;
		}
		/* Each row is summed once: all are both kinds together. */
		pass_sum(s, &s->by, g, true);
		gram_take(s->sides[EVENTS].gram, events + tied, n_tied);
		gram_take(s->sides[CENSORED].gram, leaving + g, n);
		for (size_t k = 0; k < n_sums; k++)
			leaving[g + k * n] += events[tied + k * n_tied];
		tied++;
	}
	*beyond = s->beyond;
	events += n_tied * n_sums;
	for (size_t g = 0; w->slot != NULL && g < n; g++) {
		pass_sum(s, &s->entering, g, false);
		gram_take(s->sides[CENSORED].gram, events + g, n);
	}
	if (w->plan->iterations > 0)
		return;
	events += w->slot != NULL ? n * n_sums : 0;
	add_event_z(w, events);
	for (size_t i = 0; w->plan->spec.has_offset && i < w->data->n_rows;
	     i++) {
		if (w->interval[i] >= 0 && w->data->event[i] == 1)
			events[w->n_active] += w->data->offset[i];
	}
}

struct own {
	struct pass pass;
	struct partial out;
};

static void
subtract_own(void *arg, size_t g, const double *S, const double *E)
{
	struct own *own = arg;

	partial_subtract(
	    &own->out, S, E, own->pass.w->grid->intervals[g].events);
}

/* The own stratum's log-likelihood, score and information. */
static int
own_likelihood(struct own *own)
{
	const struct work *w = own->pass.w;
	uint32_t a = w->n_active;
	double *loglik = work_group(w, 0);

	own->out = (struct partial){ .p = a,
		.efron = w->plan->spec.ties == TIES_EFRON,
		.score = loglik + 1,
		.info = loglik + 1 + a };
	if (pass_own(&own->pass, subtract_own, own) == -1)
		return -1;
	add_event_z(w, own->out.score);
	*loglik = own->out.loglik;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		if (w->interval[i] >= 0 && w->data->event[i] == 1)
			*loglik += w->score[i] - own->pass.shift;
	}
	return 0;
}

static int
newton(struct work *w)
{
	struct own own;
	int ret = -1;

	if (pass_begin(&own.pass, w) == 0) {
		ret = 0;
		if (by_site(w))
			ret = own_likelihood(&own);
		else
			risk_sets(&own.pass);
	}
	pass_end(&own.pass);
	return ret;
}

/* A Fenwick tree: how many of the rows so far have at most this rank. */
static void
rank_add(uint64_t *tree, size_t n, size_t rank)
{
	for (size_t k = rank + 1; k <= n; k += k & -k)
		tree[k]++;
}

/* A row that is not there any more, or is not yet added. */
static void
rank_take(uint64_t *tree, size_t n, size_t rank)
{
	for (size_t k = rank + 1; k <= n; k += k & -k)
		tree[k]--;
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
 * censored in its own interval (pass 0 adds these, 1 compares, 2 adds events),
 * less who enters later.
 */
static int
local_pairs(struct work *w)
{
	size_t n = w->data->n_rows, m, so_far = 0;
	struct by_interval by = { 0 }, entering = { 0 };
	size_t *rank = calloc(n + 1, sizeof(*rank));
	double *sorted = calloc(n + 1, sizeof(*sorted));
	uint64_t *tree = calloc(n + 1, sizeof(*tree));
	double *v = work_group(w, 0); /* concordant, discordant, tied */
	int ret = -1;

	if (rank == NULL || sorted == NULL || tree == NULL ||
	    by_interval_make(w, w->interval, &by) == -1)
		goto out;
	m = rank_scores(w, sorted, rank);
	if (w->slot != NULL && by_interval_make(w, w->slot, &entering) == -1)
		goto out;
	for (size_t g = w->grid->n; g-- > 0;) {
		for (size_t k = 0; w->slot != NULL && g + 1 < w->grid->n &&
		     k < entering.n[g + 1];
		     k++) {
			rank_take(tree, m,
			    rank[by_interval_row(&entering, g + 1, k)]);
			so_far--;
		}
		for (int pass = 0; pass < 3; pass++) {
			for (size_t k = 0; k < by.n[g]; k++) {
				size_t i = by_interval_row(&by, g, k);
				uint64_t less, upto;

				if (w->data->event[i] != (pass > 0) ||
				    !work_is_compared(w, i))
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
	by_interval_free(&entering);
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
	    [PHASE_RESIDUALS] = contribute_residuals,
	    [PHASE_SCORES] = contribute_scores,
	    [PHASE_PAIRS] = pairs },
};

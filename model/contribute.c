#include "model/contribute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "model/data.h"
#include "model/step/few.h"
#include "model/step/rounds.h"
#include "model/work.h"

static const struct contribute_kind *
kind_of(const struct work *w)
{
	static const struct contribute_kind *const kinds[MODEL_KINDS] = {
#define MODEL_ENTRY(constant, name) [MODEL_##constant] = &contribute_##name,
		MODEL_EACH_KIND(MODEL_ENTRY)
#undef MODEL_ENTRY
	};

	return kinds[w->plan->spec.kind];
}

/* Strata; groups in strata where there are groups. */
static uint32_t
n_cells(const struct model_spec *s)
{
	if (plan_kind_of(s->kind)->has_groups)
		return s->n_strata * s->n_terms;
	return s->strata == STRATA_COLUMN ? s->n_strata : 1;
}

static int
bad_row(size_t i, const char *what, struct err *err)
{
	return err_set(
	    err, ERR_FORMAT, "row %zu of the table: %s", i + 1, what);
}

/* Messages name a row by its place in the table, never by what it holds. */
static int
check_row(const struct work *w, size_t i, struct err *err)
{
	const struct model_spec *s = &w->plan->spec;
	const struct plan_kind *kind = plan_kind_of(s->kind);
	const struct model_data *d = w->data;
	const char *what = NULL;

	if (kind->has_y && !(d->y[i] >= s->y_min && d->y[i] <= s->y_max))
		return bad_row(
		    i, "the outcome is not within the codebook's range", err);
	if (!kind->has_y &&
	    d->event[i] > (s->kind == MODEL_CUMINC ? s->n_causes : 1))
		return bad_row(i, "there is no such event", err);
	if (kind->has_time && d->time_index[i] >= s->n_times)
		return bad_row(
		    i, "the time is not within the codebook's range", err);
	if (s->has_entry && d->entry[i] >= d->time_index[i])
		return bad_row(i, "the entry is not before the time", err);
	if (n_cells(s) > 1 && d->stratum[i] >= n_cells(s))
		return bad_row(i, "there is no such stratum", err);
	if (s->has_offset && !(fabs(d->offset[i]) <= s->offset_max))
		return bad_row(
		    i, "the offset is not within the codebook's range", err);
	if (s->has_weights &&
	    !(d->weight[i] >= 0.0 && d->weight[i] <= s->weight_max))
		return bad_row(
		    i, "the weight is not within the codebook's range", err);
	if (kind_of(w)->check_row != NULL)
		what = kind_of(w)->check_row(w, i);
	return what == NULL ? 0 : bad_row(i, what, err);
}

/*
 * All terms of all rows, quickly: ranges side by side, and no branch until a
 * row has a term that is not within its own.
 */
static int
check_terms(
    const struct model_spec *s, const struct model_data *d, struct err *err)
{
	double min[MODEL_TERMS_MAX], max[MODEL_TERMS_MAX];
	const double *x = d->x;

	for (size_t k = 0; k < d->n_terms; k++) {
		min[k] = s->terms[k].min;
		max[k] = s->terms[k].max;
	}
	for (size_t i = 0; i < d->n_rows; i++, x += d->n_terms) {
		unsigned long good = 0;

		for (size_t k = 0; k < d->n_terms; k++)
			good += (x[k] >= min[k]) & (x[k] <= max[k]);
		for (size_t k = 0; good < d->n_terms; k++) {
			if (!(x[k] >= min[k] && x[k] <= max[k]))
				return err_set(err, ERR_FORMAT,
				    "row %zu of the table: %s is not within "
				    "the codebook's range",
				    i + 1, s->terms[k].name);
		}
	}
	return 0;
}

static int
check_data(const struct work *w, struct err *err)
{
	const struct model_spec *s = &w->plan->spec;
	const struct plan_kind *kind = plan_kind_of(s->kind);
	const struct model_data *d = w->data;
	uint32_t n_terms = kind->has_groups ? 0 : s->n_terms;

	if (d->n_terms != n_terms)
		return err_set(err, ERR_FORMAT,
		    "the table has %zu terms, the study %u", d->n_terms,
		    n_terms);
	if (d->y == NULL && kind->has_y)
		return err_set(
		    err, ERR_FORMAT, "the table does not have the outcome");
	if ((d->offset == NULL && s->has_offset) ||
	    (d->weight == NULL && s->has_weights))
		return err_set(err, ERR_FORMAT,
		    "the table does not have the offset or the weights");
	if (d->entry == NULL && s->has_entry)
		return err_set(
		    err, ERR_FORMAT, "the table does not have the entry");
	if (d->n_rows > s->rows_per_site)
		return err_set(err, ERR_FORMAT,
		    "the table has %zu rows, more than the study's rows per "
		    "site (%u)",
		    d->n_rows, s->rows_per_site);
	if (d->stratum == NULL && n_cells(s) > 1)
		return err_set(
		    err, ERR_FORMAT, "the table does not have the strata");
	/*
	 * The table of Newton's rounds is that of the rounds before, which have
	 * looked at every number of it: to read it once more would take as long
	 * as the round.
	 */
	if (w->plan->phase == PHASE_NEWTON)
		return 0;
	if (check_terms(s, d, err) == -1)
		return -1;
	for (size_t i = 0; i < d->n_rows; i++) {
		if (check_row(w, i, err) == -1)
			return -1;
	}
	return 0;
}

static void
work_free(struct work *w)
{
	free(w->interval);
	free(w->entry);
	free(w->episode);
	free(w->slot);
	free(w->score);
	grid_free(&w->own);
}

size_t
work_last_counts(const struct work *w)
{
	return w->plan->next.n_groups - FEW_GROUPS - 1;
}

double
work_unit(const struct work *w)
{
	const struct plan *p = w->plan;

	return plan_kind_of(p->spec.kind)->scales_y ? p->y_sd : 1.0;
}

/* Linear predictors without the intercept; from the moments on. */
static int
predict(struct work *w)
{
	const struct plan *p = w->plan;
	double unit = work_unit(w), z[MODEL_TERMS_MAX];

	/* Newton's rounds over risk sets make them as they go. */
	if (p->spec.kind == MODEL_COX && p->phase == PHASE_NEWTON &&
	    p->spec.strata != STRATA_SITE)
		return 0;
	w->score = calloc(w->data->n_rows + 1, sizeof(*w->score));
	if (w->score == NULL)
		return -1;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		w->score[i] = work_z(w, i, z);
		if (p->spec.has_offset)
			w->score[i] += w->data->offset[i] / unit;
	}
	return 0;
}

int
contribute_moments(struct work *w)
{
	uint32_t n = w->plan->spec.n_terms;
	double centre[MODEL_TERMS_MAX];
	/* Sum and sum of squares of each term, one after the other. */
	double *sums = work_group(w, 0);

	for (uint32_t k = 0; k < n; k++)
		centre[k] = plan_centre(w->plan, k);
	for (size_t i = 0; i < w->data->n_rows; i++) {
		const double *x = w->data->x + i * n;

		if (w->interval[i] < 0)
			continue;
		for (uint32_t k = 0; k < n; k++) {
			double v = x[k] - centre[k];

			sums[2 * k] += v;
			sums[2 * k + 1] += v * v;
		}
	}
	for (uint32_t k = 0; k < n; k++)
		if ((w->plan->few >> k & 1) != 0)
			sums[2 * k] = sums[2 * k + 1] = 0.0;
	if (!plan_sums_offset(w->plan))
		return 0;
	for (size_t i = 0; i < w->data->n_rows; i++) {
		if (w->interval[i] >= 0)
			*work_group(w, 2 * (size_t)w->plan->spec.n_terms) +=
			    w->data->offset[i];
	}
	return 0;
}

int
contribute_scores(struct work *w)
{
	const struct plan *p = w->plan;
	double *count = work_group(w, 0);
	uint32_t place;

	for (size_t i = 0; i < w->data->n_rows; i++) {
		if (w->interval[i] >= 0)
			count[pairs_bin(
			    w->score[i], p->score_sd, p->bins, &place)] += 1.0;
	}
	return 0;
}

/* A tree over m intervals has 2 m - 1 nodes. */
static size_t
tree_size(const struct pair_node *v)
{
	return 2 * (size_t)(v->to - v->from) - 1;
}

static void
count_at(double *cells, const struct pair_node *v, uint32_t histogram,
    uint32_t bin, uint32_t bins)
{
	if (v->bins > 0)
		cells[v->at + histogram * v->bins + bin / (bins / v->bins)] +=
		    1.0;
}

/* Who enters an interval, at the nodes that have it in their later half. */
static void
count_entry(
    const struct pair_tree *t, double *cells, uint32_t slot, uint32_t bin)
{
	const struct pair_node *v = t->nodes;

	while (slot >= v->to)
		v += tree_size(v);
	while (!pairs_leaf(v)) {
		bool later = slot >= v->middle;

		if (later)
			count_at(cells, v, 2, bin, t->bins);
		v = later ? v + 1 + tree_size(v + 1) : v + 1;
	}
}

/* From the root of the row's stratum down to the leaf of its interval. */
static void
count_row(const struct pair_tree *t, double *cells, uint32_t interval,
    bool event, uint32_t bin)
{
	const struct pair_node *v = t->nodes;

	while (interval >= v->to)
		v += tree_size(v);
	while (!pairs_leaf(v)) {
		bool later = interval >= v->middle;

		if (later || event)
			count_at(cells, v, later, bin, t->bins);
		v = later ? v + 1 + tree_size(v + 1) : v + 1;
	}
	count_at(cells, v, !event, bin, t->bins);
}

bool
work_is_compared(const struct work *w, size_t i)
{
	return w->slot == NULL || w->slot[i] < 0 ||
	    !grid_is_first(w->grid, (size_t)w->slot[i]);
}

int
contribute_pairs(struct work *w)
{
	const struct plan *p = w->plan;
	double *cells, *sums, *squares;
	uint32_t *heavy_index;
	struct pair_round r;

	if (pair_round(p, &r) == -1)
		return -1;
	heavy_index = calloc((size_t)p->bins + 1, sizeof(*heavy_index));
	if (heavy_index == NULL) {
		pair_round_free(&r);
		return -1;
	}
	for (uint32_t b = 0; b < p->bins; b++)
		heavy_index[b + 1] = heavy_index[b] + (p->scores[b] >= r.heavy);
	cells = work_group(w, 0);
	sums = work_group(w, 1);
	squares = work_group(w, 2);
	for (size_t i = 0; i < w->data->n_rows; i++) {
		uint32_t place, bin;

		if (w->interval[i] < 0)
			continue;
		bin = pairs_bin(w->score[i], p->score_sd, p->bins, &place);
		if (work_is_compared(w, i))
			count_row(&r.tree, cells, (uint32_t)w->interval[i],
			    w->data->event[i] == 1, r.to_bin[bin]);
		if (work_is_compared(w, i) && w->slot != NULL &&
		    w->slot[i] >= 0)
			count_entry(&r.tree, cells, (uint32_t)w->slot[i],
			    r.to_bin[bin]);
		if (p->scores[bin] >= r.heavy) {
			sums[heavy_index[bin]] += place;
			squares[heavy_index[bin]] += (double)place * place;
		}
	}
	free(heavy_index);
	pair_round_free(&r);
	return 0;
}

static void
standardise(struct work *w)
{
	const struct plan *p = w->plan;

	w->n_active = plan_active(p, w->active);
	for (uint32_t k = 0; k < w->n_active; k++) {
		w->mean[k] = p->mean[w->active[k]];
		w->scale[k] = 1.0 / p->sd[w->active[k]];
	}
}

/* Rounds that make the linear predictors block by block. */
static bool
in_blocks(const struct plan *p)
{
	return plan_has_intercept(p) &&
	    (p->phase == PHASE_NULL || p->phase == PHASE_NEWTON ||
		p->phase == PHASE_RESIDUALS);
}

static int
run(struct work *w)
{
	const struct contribute_kind *kind = kind_of(w);
	const struct plan *p = w->plan;

	w->interval = calloc(w->data->n_rows + 1, sizeof(*w->interval));
	if (w->interval == NULL)
		return -1;
	if (kind->find_intervals != NULL && kind->find_intervals(w) == -1)
		return -1;
	if (plan_has_z(p))
		standardise(w);
	if (plan_has_z(p) && !in_blocks(p) && predict(w) == -1)
		return -1;
	if (p->phase == PHASE_GRADIENT)
		return contribute_gradient(w);
	if (plan_counts_terms(p) && contribute_few(w) == -1)
		return -1;
	return kind->rounds[p->phase](w);
}

int
contribute(const struct plan *plan, const struct model_data *data,
    double *values, struct err *err)
{
	struct work w = { .plan = plan, .data = data, .values = values };
	int ret = 0;

	if (plan_done(plan))
		return err_set(err, ERR_FORMAT, "the plan is done");
	if (check_data(&w, err) == -1)
		return -1;
	memset(values, 0, plan_values(plan) * sizeof(*values));
	values[0] = (double)data->n_rows;
	w.grid = &plan->grid;
	if (run(&w) == -1)
		ret =
		    err_sys(err, "a contribution from %zu rows", data->n_rows);
	work_free(&w);
	return ret;
}

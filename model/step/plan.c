#include "model/step/plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "model/step/few.h"
#include "model/step/kind.h"
#include "model/step/state.h"

#define PLAN_LABEL "consilium-1/plan"
#define SUSPECTS_MAX 3
#define RESTARTS_MAX 5

bool
plan_has_intercept(const struct plan *p)
{
	return plan_kind_of(p->spec.kind)->has_intercept;
}

uint32_t
plan_active(const struct plan *p, uint32_t active[MODEL_TERMS_MAX])
{
	uint32_t n = 0;

	if (p->phase == PHASE_NULL)
		return 0;
	for (uint32_t i = 0; i < p->spec.n_terms; i++) {
		if (((p->constant | p->aliased) >> i & 1) == 0)
			active[n++] = i;
	}
	return n;
}

uint32_t
plan_parameters(const struct plan *p)
{
	uint32_t active[MODEL_TERMS_MAX];

	return plan_active(p, active) + plan_has_intercept(p);
}

bool
plan_has_z(const struct plan *p)
{
	return p->phase == PHASE_NULL || p->phase == PHASE_GRADIENT ||
	    p->phase == PHASE_RESIDUALS ||
	    (p->phase > PHASE_MOMENTS && p->phase < PHASE_DONE);
}

bool
plan_counts_terms(const struct plan *p)
{
	return p->phase == PHASE_COUNTS &&
	    !plan_kind_of(p->spec.kind)->has_groups;
}

bool
plan_sums_offset(const struct plan *p)
{
	return p->spec.has_offset && plan_has_intercept(p);
}

double
plan_centre(const struct plan *p, uint32_t term)
{
	const struct model_term *t = &p->spec.terms[term];

	return t->min + 0.5 * (t->max - t->min);
}

double
plan_z_max(const struct plan *p, uint32_t i)
{
	const struct model_term *t = &p->spec.terms[i];
	double up = t->max - p->mean[i], down = p->mean[i] - t->min;

	return MAX(up, down) / p->sd[i];
}

double
plan_reach(const struct plan *p, const uint32_t *active, uint32_t parameter)
{
	return parameter == 0 ? 1.0 : plan_z_max(p, active[parameter - 1]);
}

double
plan_eta_max(const struct plan *p)
{
	uint32_t active[MODEL_TERMS_MAX], n = plan_active(p, active);
	uint32_t off = plan_has_intercept(p);
	const double *beta = p->phase == PHASE_RESIDUALS ? p->base : p->beta;
	double sum = off == 1 ? num_abs(beta[0]) : 0.0;

	for (uint32_t i = 0; i < n; i++)
		sum += num_abs(beta[i + off]) * plan_z_max(p, active[i]);
	if (p->spec.has_offset) {
		double unit =
		    plan_kind_of(p->spec.kind)->scales_y ? p->y_sd : 1.0;

		sum += p->spec.offset_max / unit;
	}
	return sum;
}

void
plan_end(struct plan *p, enum fit_status status)
{
	p->status = status;
	p->phase = PHASE_DONE;
	free(p->scores);
	p->scores = NULL;
	p->bins = 0;
}

/* What the plan waits for, from its state. */
static int
lay_out(struct plan *p, struct err *err)
{
	layout_free(&p->next);
	layout_start(&p->next, p->spec.rows_per_site);
	if (p->phase == PHASE_DONE)
		return 0;
	plan_round(p)->layout(p, &p->next);
	if (plan_counts_terms(p))
		few_layout(p, &p->next);
	if (!p->next.failed)
		return 0;
	return err_sys(err, "the layout of a round of %s", plan_kind(p));
}

static struct plan *
allocate(const struct model_spec *spec, struct err *err)
{
	struct plan *p;

	if (!num_environment_is_ieee()) {
		err_set(err, ERR_NUMERIC,
		    "this processor is not set to round to nearest and to "
		    "keep subnormal numbers");
		return NULL;
	}
	if (model_spec_check(spec, err) == -1)
		return NULL;
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		err_sys(err, "plan");
		return NULL;
	}
	p->spec = *spec;
	if (plan_learns(p) && learn_setup(spec, &p->learn, err) == -1) {
		free(p);
		return NULL;
	}
	return p;
}

struct plan *
plan_new(const struct model_spec *spec, struct err *err)
{
	struct plan *p = allocate(spec, err);

	if (p == NULL)
		return NULL;
	p->phase = PHASE_COUNTS;
	if (plan_learns(p))
		learn_begin(p);
	if (lay_out(p, err) == -1) {
		plan_free(p);
		return NULL;
	}
	return p;
}

/* What a copy owns for itself. */
static void
free_parts(struct plan *p)
{
	layout_free(&p->next);
	grid_free(&p->grid);
	free(p->scores);
	p->scores = NULL;
	free(p->cells);
	p->cells = NULL;
	free(p->reals);
	p->reals = NULL;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	free_parts(p);
	free(p);
}

const struct model_spec *
plan_spec(const struct plan *p)
{
	return &p->spec;
}

uint32_t
plan_index(const struct plan *p)
{
	return p->index;
}

const char *
plan_kind(const struct plan *p)
{
	return plan_done(p) ? "done" : plan_round(p)->name;
}

bool
plan_done(const struct plan *p)
{
	return p->phase == PHASE_DONE;
}

size_t
plan_words(const struct plan *p)
{
	if (p->phase == PHASE_GRADIENT)
		return p->learn.dim;
	return plan_done(p) ? 0 : p->next.n_words;
}

size_t
plan_values(const struct plan *p)
{
	if (p->phase == PHASE_GRADIENT)
		return p->learn.dim;
	return plan_done(p) ? 0 : p->next.n_values;
}

int
plan_encode(const struct plan *p, const double *values, size_t n, void *words,
    struct err *err)
{
	if (plan_done(p) || plan_learns(p) || n != plan_values(p))
		return err_set(err, ERR_FORMAT,
		    "an update of %zu numbers, expected %zu", n,
		    plan_values(p));
	return encode(&p->next, values, words, err);
}

/* Weight and clipped ones as counts, then numbers of units, which no more
   patients of that norm can pass. */
static int
encode_units(
    const struct plan *p, const double *v, int64_t *parts, struct err *err)
{
	const struct learn *l = &p->learn;
	double unit = num_pow2(LEARN_PART_BITS);
	double norm = num_pow2((int)l->m), quarter = 0.25 * norm;

	if (!(v[0] >= 0.0 && v[0] <= p->spec.rows_per_site) ||
	    (double)(uint32_t)v[0] != v[0])
		return err_set(err, ERR_FORMAT,
		    "the update's weight is not a count up to %u",
		    p->spec.rows_per_site);
	if (!(v[1] >= 0.0 && v[1] <= v[0]) || (double)(uint32_t)v[1] != v[1])
		return err_set(err, ERR_FORMAT,
		    "the update's clipped ones are not a count up to its "
		    "weight");
	parts[0] = (int64_t)(v[0] * quarter * unit);
	parts[1] = (int64_t)(v[1] * quarter * unit);
	for (uint32_t i = 2; i < l->dim; i++) {
		double x = v[i] * unit;

		if (!(num_abs(v[i]) <= v[0] * norm) || (double)(int64_t)x != x)
			return err_set(err, ERR_FORMAT,
			    "number %u of the update is not finite, beyond "
			    "its bound or not cut to parts of a unit",
			    i);
		parts[i] = (int64_t)x;
	}
	return 0;
}

int
plan_encode_parts(const struct plan *p, const double *values, size_t n,
    int64_t *parts, struct err *err)
{
	if (p->phase != PHASE_GRADIENT || n != p->learn.dim)
		return err_set(err, ERR_FORMAT,
		    "an update of %zu numbers, expected %zu", n,
		    plan_values(p));
	return encode_units(p, values, parts, err);
}

bool
plan_learned(const struct plan *p, struct plan_learned *out)
{
	double share;

	if (!plan_learns(p) || p->iterations == 0)
		return false;
	share = p->clipped / MAX(p->seen, 1.0);
	*out = (struct plan_learned){
		.sums = p->iterations,
		.patients = p->seen / (double)p->iterations,
		.clipped = MIN(MAX(share, 0.0), 1.0),
	};
	return true;
}

const struct learn *
plan_learn(const struct plan *p)
{
	return plan_learns(p) ? &p->learn : NULL;
}

static void
save_reals(struct canon *out, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		canon_f64(out, v[i]);
}

static void
save_grid(struct canon *out, const struct grid *g, bool has_entry)
{
	canon_u32(out, g->n);
	canon_u32(out, g->step);
	for (uint32_t i = 0; i < g->n; i++) {
		canon_u32(out, g->intervals[i].stratum);
		canon_u32(out, g->intervals[i].start);
		canon_u64(out, g->intervals[i].leavers);
		canon_u64(out, g->intervals[i].events);
		if (!has_entry)
			continue;
		canon_u32(out, g->intervals[i].last);
		canon_u64(out, g->intervals[i].at_risk);
	}
}

void
plan_save(const struct plan *p, struct canon *out)
{
	uint32_t terms = p->spec.n_terms, n = plan_parameters(p);
	uint32_t a = n - plan_has_intercept(p);

	canon_text(out, PLAN_LABEL);
	canon_u32(out, p->index);
	canon_u8(out, (uint8_t)p->phase);
	canon_u8(out, (uint8_t)p->status);
	canon_u32(out, p->suspects);
	canon_u32(out, p->restarts);
	canon_u64(out, p->n);
	canon_u64(out, p->n_events);
	canon_u64(out, p->n_used);
	canon_u64(out, p->n_out);
	canon_u32(out, p->n_strata_out);
	save_grid(out, &p->grid, p->spec.has_entry);
	canon_u64(out, p->n_cells);
	for (size_t i = 0; i < p->n_cells; i++)
		canon_u64(out, p->cells[i]);
	canon_u64(out, p->n_reals);
	save_reals(out, p->reals, p->n_reals);
	canon_u64(out, p->few);
	canon_u64(out, p->constant);
	canon_u64(out, p->aliased);
	canon_u64(out, p->blamed);
	save_reals(out, p->mean, terms);
	save_reals(out, p->sd, terms);
	save_reals(out, p->beta, n);
	save_reals(out, p->base, n);
	save_reals(out, p->step, n);
	canon_f64(out, p->loglik);
	canon_u32(out, p->iterations);
	canon_u32(out, p->halving);
	canon_u32(out, p->halvings);
	canon_u32(out, p->flat);
	canon_f64(out, p->null_loglik);
	canon_f64(out, p->score_test);
	save_reals(out, p->info, PACKED(n));
	save_reals(out, p->event_z, a);
	save_reals(out, p->cov_z, PACKED(a));
	canon_f64(out, p->y_mean);
	canon_f64(out, p->y_sd);
	canon_f64(out, p->y_factorials);
	canon_f64(out, p->y_saturated);
	canon_f64(out, p->pearson);
	canon_f64(out, p->score_sd);
	canon_u32(out, p->bins);
	for (uint32_t i = 0; i < p->bins; i++)
		canon_u64(out, p->scores[i]);
	canon_f64(out, p->concordant);
	canon_f64(out, p->discordant);
	canon_f64(out, p->tied);
	canon_f64(out, p->tied_by_bins);
	if (p->spec.has_weights) {
		canon_f64(out, p->weights);
		canon_f64(out, p->weight_logs);
	}
	if (p->spec.has_offset)
		canon_f64(out, p->event_offset);
	if (plan_learns(p)) {
		canon_f64(out, p->seen);
		canon_f64(out, p->clipped);
	}
}

static void
load_reals(struct canon_in *in, double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		v[i] = canon_get_f64(in);
		if (!num_finite(v[i]))
			in->failed = true;
	}
}

static uint32_t
load_enum(struct canon_in *in, uint32_t n)
{
	uint8_t v = canon_get_u8(in);

	if (v >= n) {
		in->failed = true;
		return 0;
	}
	return v;
}

/* Intervals in order, within the spec's times and strata. */
static bool
grid_is_sane(const struct plan *p)
{
	const struct grid_interval *v = p->grid.intervals, *last = NULL;
	uint32_t times = MAX(p->spec.n_times, 1u);

	for (uint32_t i = 0; i < p->grid.n; i++, last = v++) {
		if (v->stratum >= p->spec.n_strata || v->start >= times ||
		    v->events > v->leavers || v->leavers > p->n)
			return false;
		if (p->spec.has_entry &&
		    (v->last < v->start || v->at_risk > p->n))
			return false;
		if (last != NULL &&
		    (v->stratum < last->stratum ||
			(v->stratum == last->stratum &&
			    v->start <= last->start)))
			return false;
	}
	return true;
}

static void
load_grid(struct plan *p, struct canon_in *in)
{
	struct grid *g = &p->grid;

	g->n = canon_get_u32(in);
	g->step = canon_get_u32(in);
	/* 24 bytes each: no more than are there is allocated. */
	if (in->failed || g->n > (size_t)(in->end - in->p) / 24) {
		g->n = 0;
		in->failed = true;
		return;
	}
	g->intervals = canon_room(in, g->n, sizeof(*g->intervals));
	if (g->intervals == NULL) {
		g->n = 0;
		return;
	}
	for (uint32_t i = 0; i < g->n; i++) {
		g->intervals[i].stratum = canon_get_u32(in);
		g->intervals[i].start = canon_get_u32(in);
		g->intervals[i].leavers = canon_get_u64(in);
		g->intervals[i].events = canon_get_u64(in);
		if (!p->spec.has_entry)
			continue;
		g->intervals[i].last = canon_get_u32(in);
		g->intervals[i].at_risk = canon_get_u64(in);
	}
	g->n_used = p->n_used;
	g->n_out = p->n_out;
	g->strata_out = p->n_strata_out;
	if (!grid_is_sane(p))
		in->failed = true;
}

static void
load_cells(struct plan *p, struct canon_in *in)
{
	const struct plan_kind *kind = plan_kind_of(p->spec.kind);
	uint64_t n = canon_get_u64(in), wanted = 0;
	/* A plan may end before it has counted. */
	bool ended = p->phase == PHASE_DONE && n == 0 && p->grid.n == 0;

	if (kind->n_cells != NULL && p->phase != PHASE_COUNTS)
		wanted = kind->n_cells(p);
	else if (kind->cells_are_sane != NULL)
		wanted = n;
	if (in->failed || n > (size_t)(in->end - in->p) / 8 ||
	    (n != wanted && !ended)) {
		in->failed = true;
		return;
	}
	if ((p->cells = canon_room(in, n, sizeof(*p->cells))) == NULL)
		return;
	p->n_cells = n;
	for (size_t i = 0; i < n; i++)
		p->cells[i] = canon_get_u64(in);
	if (n > 0 && kind->n_cells != NULL && !kind->cells_are_sane(p))
		in->failed = true;
}

static void
load_own_reals(struct plan *p, struct canon_in *in)
{
	const struct plan_kind *kind = plan_kind_of(p->spec.kind);
	uint64_t n = canon_get_u64(in);
	bool has_own = kind->n_cells == NULL && kind->cells_are_sane != NULL;

	if (in->failed || n > (size_t)(in->end - in->p) / 8 ||
	    (!has_own && n != 0)) {
		in->failed = true;
		return;
	}
	if ((p->reals = canon_room(in, n, sizeof(*p->reals))) == NULL)
		return;
	p->n_reals = n;
	load_reals(in, p->reals, n);
}

/* Once the state is whole: how many there are may depend on which terms are. */
static bool
own_numbers_are_sane(const struct plan *p)
{
	const struct plan_kind *kind = plan_kind_of(p->spec.kind);

	return kind->n_cells != NULL || kind->cells_are_sane == NULL ||
	    kind->cells_are_sane(p);
}

static void
load_scores(struct plan *p, struct canon_in *in)
{
	bool evaluates = p->phase == PHASE_SCORES || p->phase == PHASE_PAIRS;
	bool local = p->spec.strata == STRATA_SITE;

	p->bins = canon_get_u32(in);
	if (p->bins != 0 && p->bins != p->spec.concordance_bins)
		in->failed = true;
	/* The evaluation cannot do without, unless the sites count. */
	if ((p->bins != 0) != (evaluates && !local) ||
	    (local && p->phase == PHASE_SCORES))
		in->failed = true;
	if (in->failed || p->bins == 0) {
		p->bins = 0;
		return;
	}
	if ((p->scores = canon_room(in, p->bins, sizeof(*p->scores))) == NULL)
		return;
	for (uint32_t i = 0; i < p->bins; i++) {
		p->scores[i] = canon_get_u64(in);
		if (p->scores[i] > p->n)
			in->failed = true;
	}
}

static bool
terms_are_sane(const struct plan *p)
{
	uint64_t all = p->spec.n_terms == 64
	    ? UINT64_MAX
	    : (UINT64_C(1) << p->spec.n_terms) - 1;
	uint64_t out = p->constant | p->aliased;

	if (((out | p->few | p->blamed) & ~all) != 0)
		return false;
	if (plan_learns(p) != (p->phase == PHASE_GRADIENT) && !plan_done(p))
		return false;
	if (!plan_has_z(p))
		return true;
	/* Also of those that take part only after PHASE_NULL. */
	for (uint32_t i = 0; i < p->spec.n_terms; i++) {
		if ((out >> i & 1) == 0 && !(p->sd[i] > 0.0))
			return false;
	}
	if (plan_kind_of(p->spec.kind)->scales_y && !(p->y_sd > 0.0))
		return false;
	if (plan_kind_of(p->spec.kind)->has_inverse_link &&
	    !(2.0 * p->y_mean > p->spec.y_min))
		return false;
	return out != all;
}

static void
load_state(struct plan *p, struct canon_in *in)
{
	char label[sizeof(PLAN_LABEL) + 1];
	uint32_t terms = p->spec.n_terms, n, a;

	canon_get_text(in, label, sizeof(label));
	if (in->failed || strcmp(label, PLAN_LABEL) != 0) {
		in->failed = true;
		return;
	}
	p->index = canon_get_u32(in);
	p->phase = load_enum(in, PHASES);
	if (!plan_done(p) && plan_round(p)->layout == NULL) {
		in->failed = true; /* no phase of this kind */
		return;
	}
	p->status = load_enum(in, FIT_STATUSES);
	p->suspects = canon_get_u32(in);
	p->restarts = canon_get_u32(in);
	p->n = canon_get_u64(in);
	p->n_events = canon_get_u64(in);
	p->n_used = canon_get_u64(in);
	p->n_out = canon_get_u64(in);
	p->n_strata_out = canon_get_u32(in);
	load_grid(p, in);
	load_cells(p, in);
	load_own_reals(p, in);
	p->few = canon_get_u64(in);
	p->constant = canon_get_u64(in);
	p->aliased = canon_get_u64(in);
	p->blamed = canon_get_u64(in);
	n = plan_parameters(p);
	a = n - plan_has_intercept(p);
	load_reals(in, p->mean, terms);
	load_reals(in, p->sd, terms);
	load_reals(in, p->beta, n);
	load_reals(in, p->base, n);
	load_reals(in, p->step, n);
	load_reals(in, &p->loglik, 1);
	p->iterations = canon_get_u32(in);
	p->halving = canon_get_u32(in);
	p->halvings = canon_get_u32(in);
	p->flat = canon_get_u32(in);
	load_reals(in, &p->null_loglik, 1);
	load_reals(in, &p->score_test, 1);
	load_reals(in, p->info, PACKED(n));
	load_reals(in, p->event_z, a);
	load_reals(in, p->cov_z, PACKED(a));
	load_reals(in, &p->y_mean, 1);
	load_reals(in, &p->y_sd, 1);
	load_reals(in, &p->y_factorials, 1);
	load_reals(in, &p->y_saturated, 1);
	load_reals(in, &p->pearson, 1);
	load_reals(in, &p->score_sd, 1);
	load_scores(p, in);
	load_reals(in, &p->concordant, 1);
	load_reals(in, &p->discordant, 1);
	load_reals(in, &p->tied, 1);
	load_reals(in, &p->tied_by_bins, 1);
	if (p->spec.has_weights) {
		load_reals(in, &p->weights, 1);
		load_reals(in, &p->weight_logs, 1);
	}
	if (p->spec.has_offset)
		load_reals(in, &p->event_offset, 1);
	if (plan_learns(p)) {
		load_reals(in, &p->seen, 1);
		load_reals(in, &p->clipped, 1);
	}
	if (in->failed || !terms_are_sane(p) || !own_numbers_are_sane(p) ||
	    p->n_used > p->n ||
	    p->n > (uint64_t)p->spec.n_sites * p->spec.rows_per_site)
		in->failed = true;
}

struct plan *
plan_load(const struct model_spec *spec, const void *bytes, size_t len,
    struct err *err)
{
	struct canon_in in = canon_in(bytes, len);
	struct plan *p = allocate(spec, err);

	if (p == NULL)
		return NULL;
	load_state(p, &in);
	if (canon_end(&in, "the plan's state", err) == -1 ||
	    lay_out(p, err) == -1) {
		plan_free(p);
		return NULL;
	}
	return p;
}

/* Other rows than before: what was learned of them no longer holds. */
static void
restart(struct plan *p)
{
	struct plan fresh = {
		.spec = p->spec,
		.index = p->index,
		.suspects = p->suspects,
		.restarts = p->restarts + 1,
		.phase = PHASE_COUNTS,
	};

	free_parts(p);
	*p = fresh;
	if (p->restarts > RESTARTS_MAX)
		plan_end(p, FIT_CHANGING);
}

/* 0; 1: the sum is suspect, *p is spoilt; -1: no memory, *p is spoilt. */
static int
advance(struct plan *p, const void *words, uint32_t n_contributors)
{
	const uint64_t *sum = words;

	p->index++;
	if (p->phase == PHASE_GRADIENT)
		return learn_step(p, words, n_contributors);
	if (!sum_is_plausible(&p->next, sum, n_contributors))
		return 1;
	if (p->phase != PHASE_COUNTS && sum[0] != p->n) {
		restart(p);
		return 0;
	}
	if (p->phase == PHASE_COUNTS)
		p->n = sum[0];
	if (plan_counts_terms(p) && !few_step(p, sum))
		return 1;
	return plan_round(p)->step(p, sum);
}

static struct plan *
stepped(const struct plan *p, const struct canon *bytes, const void *sum,
    uint32_t n_contributors, struct err *err)
{
	struct plan *q = plan_load(&p->spec, bytes->data, bytes->len, err);
	int r;

	if (q == NULL)
		return NULL;
	if ((r = advance(q, sum, n_contributors)) == 1) {
		plan_free(q);
		q = plan_load(&p->spec, bytes->data, bytes->len, err);
		if (q == NULL)
			return NULL;
		q->index++;
		if (++q->suspects >= SUSPECTS_MAX)
			plan_end(q, FIT_SUSPECT);
	} else if (r == -1) {
		err_sys(err, "a step of %s", plan_kind(p));
		plan_free(q);
		return NULL;
	}
	if (lay_out(q, err) == -1) {
		plan_free(q);
		return NULL;
	}
	return q;
}

static int
check_sum(
    const struct plan *p, size_t n, uint32_t n_contributors, struct err *err)
{
	if (plan_done(p))
		return err_set(err, ERR_FORMAT, "the plan is done");
	if (n != plan_words(p))
		return err_set(err, ERR_FORMAT,
		    "a sum of %zu words, expected %zu", n, plan_words(p));
	if (n_contributors < 1 || n_contributors > p->spec.n_sites)
		return err_set(err, ERR_FORMAT,
		    "a sum of %u sites, expected 1 to %u", n_contributors,
		    p->spec.n_sites);
	return 0;
}

struct plan *
plan_next(const struct plan *p, const void *sum, size_t n,
    uint32_t n_contributors, struct err *err)
{
	struct canon bytes = { 0 };
	struct plan *q = NULL;

	if (check_sum(p, n, n_contributors, err) < 0)
		return NULL;
	/* The copy that is stepped is what the model bytes say, nothing more. */
	plan_save(p, &bytes);
	if (bytes.failed)
		err_sys(err, "the plan's state");
	else
		q = stepped(p, &bytes, sum, n_contributors, err);
	canon_free(&bytes);
	return q;
}

int
plan_step(struct plan *p, const void *sum, size_t n, uint32_t n_contributors,
    struct err *err)
{
	struct plan *q = plan_next(p, sum, n, n_contributors, err), t;

	if (q == NULL)
		return -1;
	t = *p;
	*p = *q;
	*q = t;
	plan_free(q);
	return 0;
}

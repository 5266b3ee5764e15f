/*
 * Cox's proportional hazards model: the deterministic half of it.  The
 * trainer's half is model/cox.c; both follow the layouts here.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/hazard.h"
#include "model/step/ldl.h"
#include "model/step/newton.h"
#include "model/step/partial.h"
#include "model/step/robust.h"
#include "model/step/rounds.h"

/*
 * A round's vector per site may have this many bytes, and all sites' together
 * that many (a site that replays a sum fetches them all).  A longer one makes
 * the grid coarser.
 */
#define VECTOR_MAX (12u << 20)
#define VECTOR_MIN (3u << 20)
#define VECTORS_MAX (56u << 20)

static bool
by_site(const struct plan *p)
{
	return p->spec.strata == STRATA_SITE;
}

/*
 * Who leaves, and by an event, at each possible time of each stratum, and with
 * delayed entry who enters, and who of these continues a row; which strata the
 * site has; or, by site: events, rows in some risk set, rows in a stratum that is left out,
 * strata (this site: 0 or 1) left out.  Then what robust errors need.
 */
static void
counts_layout(const struct plan *p, struct layout *l)
{
	const struct model_spec *s = &p->spec;
	size_t times = (size_t)s->n_strata * s->n_times;

	if (by_site(p)) {
		layout_counts(l, 3, s->rows_per_site);
		layout_counts(l, 1, 1);
	} else {
		for (int k = 0; k < (s->has_entry ? 4 : 2); k++)
			layout_counts(l, times, s->rows_per_site);
		layout_counts(l, s->n_strata, 1);
	}
	robust_counts_layout(p, l);
}

static size_t
newton_bytes(const struct plan *p, const struct grid *g)
{
	bool efron = p->spec.ties == TIES_EFRON;
	size_t sets =
	    g->n + (efron ? grid_tied(g) : 0) + (p->spec.has_entry ? g->n : 0);

	return sets * PARTIAL_SUMS(p->spec.n_terms) * 2 * sizeof(uint64_t);
}

static int
make_grid(struct plan *p, const struct grid_counts *c)
{
	const struct model_spec *s = &p->spec;
	size_t max = VECTORS_MAX / s->n_sites;
	uint32_t step = s->risk_set_step;

	max = MAX(MIN(max, (size_t)VECTOR_MAX), (size_t)VECTOR_MIN);
	for (;; step *= 2) {
		grid_free(&p->grid);
		if (grid_make(&p->grid, c, step, s->ties == TIES_EFRON) == -1)
			return -1;
		if (newton_bytes(p, &p->grid) <= max || step > 1u << 28)
			return 0;
	}
}

/*
 * Nobody leaves who has not entered, and no time has more events or rows that
 * are continued than rows.
 */
static bool
counts_are_sane(const struct plan *p, const struct grid_counts *c)
{
	uint64_t left = 0, there = 0;

	for (size_t s = 0; s < c->n_strata; s++) {
		for (size_t t = 0; t < c->n_times; t++) {
			size_t i = s * c->n_times + t;

			left += c->leavers[i];
			if (c->events[i] > c->leavers[i])
				return false;
			if (c->entries == NULL)
				continue;
			if (c->continued[i] > c->leavers[i] ||
			    c->continued[i] > c->entries[i] ||
			    c->leavers[i] > there)
				return false;
			there += c->entries[i] - c->leavers[i];
		}
		if (there != 0)
			return false;
	}
	/* Rows that only continue another one may be put together. */
	return c->entries != NULL ? left <= p->n : left == p->n;
}

static int
counts_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	bool delayed = p->spec.has_entry && !by_site(p);
	const struct group *sites = &g[delayed ? 4 : 2];
	bool out[MODEL_STRATA_MAX];
	const struct grid_counts c = {
		.n_strata = p->spec.n_strata,
		.n_times = p->spec.n_times,
		.leavers = sum + g[0].word_at,
		.events = sum + g[1].word_at,
		.entries = delayed ? sum + g[2].word_at : NULL,
		.continued = delayed ? sum + g[3].word_at : NULL,
		.out = out,
	};

	p->n_events = 0;
	if (by_site(p)) {
		p->n_events = c.leavers[0];
		p->n_used = c.leavers[1];
		p->n_out = c.leavers[2];
		p->n_strata_out = (uint32_t)c.events[0];
		if (p->n_events > p->n || p->n_used + p->n_out > p->n)
			return 1;
	} else {
		if (!counts_are_sane(p, &c))
			return 1;
		for (size_t i = 0; i < g[1].n; i++)
			p->n_events += c.events[i];
		for (uint32_t s = 0; s < p->spec.n_strata; s++)
			out[s] = plan_few_sites(p, sum_count(sites, sum, s));
		if (make_grid(p, &c) == -1 || hazard_start(p, &c) == -1)
			return -1;
		p->n_used = p->grid.n_used;
		p->n_out = p->grid.n_out;
		p->n_strata_out = p->grid.strata_out;
	}
	if (p->n_events == 0 || p->n_used == 0) {
		plan_end(p, p->n_events == 0 ? FIT_NO_EVENTS : FIT_TOO_FEW);
		return 0;
	}
	if (robust_counted(p, by_site(p) ? &g[2] : sites + 1, sum))
		return 0;
	return rounds_counted(p, p->n_events);
}

/* 2^(this) is beyond rows times the largest product of the two |z|. */
static int
z_bits(const struct plan *p, double times, uint32_t i, uint32_t j)
{
	return num_bits(times * p->spec.rows_per_site * plan_z_max(p, i) *
		   plan_z_max(p, j)) +
	    1;
}

/* One group per kind of sum, each with a number per risk set. */
static void
risk_set_groups(const struct plan *p, struct layout *l, size_t n)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	double rows = p->spec.rows_per_site;
	double eta = MIN(plan_eta_max(p), ETA_CAP);
	/* exp(eta) <= 2^w; 1.4427 is beyond 1 / ln 2. */
	int w = (int)(eta * 1.4427) + 1;

	layout_reals(l, n, w + num_bits(rows) + 1);
	for (uint32_t i = 0; i < a; i++)
		layout_reals(
		    l, n, w + num_bits(rows * plan_z_max(p, active[i])) + 1);
	for (uint32_t i = 0; i < a; i++) {
		for (uint32_t j = i; j < a; j++)
			layout_reals(
			    l, n, w + z_bits(p, 1.0, active[i], active[j]));
	}
}

/* By site: log-likelihood, its gradient and the information. */
static void
by_site_layout(const struct plan *p, struct layout *l)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	double rows = p->spec.rows_per_site;

	/* Each event adds eta - log(sum of w), at most 2 eta + log(rows). */
	layout_reals(l, 1, num_bits(rows * (2.0 * plan_eta_max(p) + 20.0)) + 1);
	for (uint32_t i = 0; i < a; i++)
		layout_reals(
		    l, 1, num_bits(2.0 * rows * plan_z_max(p, active[i])) + 1);
	for (uint32_t i = 0; i < a; i++) {
		for (uint32_t j = i; j < a; j++)
			layout_reals(
			    l, 1, z_bits(p, 4.0, active[i], active[j]));
	}
}

/*
 * Rows beyond ETA_CAP; w, w z, w z z' of the leavers of each interval; with
 * Efron the same of the events of each interval that has two or more; with
 * delayed entry of who enters (grid_slot()); and the first time, for good, z
 * (and the offset) of all events.
 */
static void
newton_layout(const struct plan *p, struct layout *l)
{
	uint32_t active[MODEL_TERMS_MAX], a = plan_active(p, active);
	double rows = p->spec.rows_per_site;

	if (by_site(p)) {
		by_site_layout(p, l);
		return;
	}
	layout_counts(l, 1, p->spec.rows_per_site);
	risk_set_groups(p, l, p->grid.n);
	if (p->spec.ties == TIES_EFRON)
		risk_set_groups(p, l, grid_tied(&p->grid));
	if (p->spec.has_entry)
		risk_set_groups(p, l, p->grid.n);
	if (p->iterations > 0)
		return;
	for (uint32_t i = 0; i < a; i++)
		layout_reals(
		    l, 1, num_bits(rows * plan_z_max(p, active[i])) + 1);
	if (p->spec.has_offset)
		layout_reals(l, 1, num_bits(rows * p->spec.offset_max) + 1);
}

/* Sums over risk sets, from the last of a stratum to its first. */
struct walk {
	const uint64_t *sum;
	/* The first group of each; entering: NULL if nobody does. */
	const struct group *leaving, *events, *entering;
	size_t n_sums;
	wide *total; /* (n_sums) over the risk set, exact */
	double *S, *E; /* (n_sums) */
};

/* From the end of a stratum: who never enters a risk set leaves the last. */
static void
start_stratum(const struct plan *p, struct walk *w, uint32_t last)
{
	uint32_t first = last;

	memset(w->total, 0, w->n_sums * sizeof(*w->total));
	if (w->entering == NULL)
		return;
	while (!grid_is_first(&p->grid, first))
		first--;
	for (size_t k = 0; k < w->n_sums; k++)
		w->total[k] -= sum_wide(&w->entering[k], w->sum, first);
}

/*
 * Backwards over all intervals: add who leaves, then subtract the risk set's
 * part of the likelihood (or, where there is no out, keep it), then take away
 * who enters it.
 */
static void
walk_back(struct plan *p, struct walk *w, struct partial *out)
{
	const struct grid *grid = &p->grid;
	bool efron = p->spec.ties == TIES_EFRON;
	uint32_t tied = grid_tied(grid);

	for (uint32_t g = grid->n; g-- > 0;) {
		const struct grid_interval *v = &grid->intervals[g];

		if (grid_is_last(grid, g))
			start_stratum(p, w, g);
		for (size_t k = 0; k < w->n_sums; k++) {
			w->total[k] += sum_wide(&w->leaving[k], w->sum, g);
			w->S[k] =
			    num_wide(w->total[k], group_scale(&w->leaving[k]));
		}
		if (v->events > 1 && efron) {
			tied--;
			for (size_t k = 0; k < w->n_sums; k++)
				w->E[k] = sum_real(&w->events[k], w->sum, tied);
		}
		if (out != NULL)
			partial_subtract(out, w->S, w->E, v->events);
		else
			hazard_keep(p, g, w->S, w->E);
		if (w->entering == NULL || grid_is_first(grid, g))
			continue;
		for (size_t k = 0; k < w->n_sums; k++)
			w->total[k] -= sum_wide(&w->entering[k], w->sum, g);
	}
}

static int
walk_risk_sets(struct plan *p, const uint64_t *sum, struct partial *out)
{
	size_t n = PARTIAL_SUMS(plan_parameters(p));
	const struct group *leaving = p->next.groups + 1;
	bool efron = p->spec.ties == TIES_EFRON;
	struct walk w = { .sum = sum,
		.leaving = leaving,
		.events = leaving + n,
		.entering =
		    p->spec.has_entry ? leaving + n + (efron ? n : 0) : NULL,
		.n_sums = n,
		.total = calloc(n, sizeof(*w.total)),
		.S = calloc(n, sizeof(*w.S)),
		.E = calloc(n, sizeof(*w.E)) };
	int ret = -1;

	if (w.total != NULL && w.S != NULL && w.E != NULL) {
		walk_back(p, &w, out);
		ret = 0;
	}
	free(w.total);
	free(w.S);
	free(w.E);
	return ret;
}

/* Over all used rows; at beta = 0, where w = 1 (or is of the offset). */
static void
take_covariance(
    struct plan *p, const uint64_t *sum, const struct group *leaving)
{
	uint32_t a = plan_parameters(p);
	double n = 0.0, mean[MODEL_TERMS_MAX];
	size_t at = 0;

	for (size_t k = 0; k < PARTIAL_SUMS(a); k++) {
		const struct group *g = &leaving[k];
		wide total = 0;

		for (uint32_t i = 0; i < p->grid.n; i++)
			total += sum_wide(g, sum, i);
		if (k == 0)
			n = num_wide(total, group_scale(g));
		else if (k <= a)
			mean[k - 1] = num_wide(total, group_scale(g)) / n;
		else
			p->cov_z[at++] = num_wide(total, group_scale(g)) / n;
	}
	for (uint32_t i = 0; i < a; i++) {
		for (uint32_t j = i; j < a; j++)
			p->cov_z[packed_at(a, i, j)] -= mean[i] * mean[j];
	}
}

/* The part of the events themselves. */
static void
add_events(const struct plan *p, struct newton_sums *s)
{
	double eta = p->event_offset;

	for (uint32_t i = 0; i < plan_parameters(p); i++) {
		eta += p->beta[i] * p->event_z[i];
		s->score[i] += p->event_z[i];
	}
	s->loglik += eta;
}

static int
sums_of_risk_sets(struct plan *p, const uint64_t *sum, struct newton_sums *s)
{
	uint32_t a = plan_parameters(p);
	size_t n = PARTIAL_SUMS(a);
	bool efron = p->spec.ties == TIES_EFRON;
	struct partial out = {
		.p = a, .efron = efron, .score = s->score, .info = s->info
	};
	const struct group *leaving = p->next.groups + 1;
	const struct group *z =
	    leaving + n * (1 + (size_t)efron + (size_t)p->spec.has_entry);

	if (p->iterations == 0) {
		for (uint32_t i = 0; i < a; i++)
			p->event_z[i] = sum_real(&z[i], sum, 0);
		if (p->spec.has_offset)
			p->event_offset = sum_real(&z[a], sum, 0);
		take_covariance(p, sum, leaving);
	}
	if (walk_risk_sets(p, sum, &out) == -1)
		return -1;
	s->loglik = out.loglik;
	add_events(p, s);
	return 0;
}

static void
sums_by_site(const struct plan *p, const uint64_t *sum, struct newton_sums *s)
{
	const struct group *g = p->next.groups;
	uint32_t a = plan_parameters(p);

	s->loglik = sum_real(g++, sum, 0);
	for (uint32_t i = 0; i < a; i++)
		s->score[i] = sum_real(g++, sum, 0);
	for (size_t k = 0; k < PACKED(a); k++)
		s->info[k] = sum_real(g++, sum, 0);
}

/* What else is asked of the fit, from the sums that it converged with. */
static int
converged(struct plan *p, const uint64_t *sum)
{
	if (hazard_is_kept(p) &&
	    (hazard_converged(p) == -1 ||
		(!by_site(p) && walk_risk_sets(p, sum, NULL) == -1)))
		return -1;
	if (!hazard_has_residuals(p))
		return rounds_evaluate(p);
	p->phase = PHASE_RESIDUALS;
	return 0;
}

static int
newton_step(struct plan *p, const uint64_t *sum)
{
	struct newton_sums s = { 0 };

	if (by_site(p))
		sums_by_site(p, sum, &s);
	else if (sum_count(&p->next.groups[0], sum, 0) > 0) {
		if (p->iterations == 0)
			return 1; /* beta is 0: no offset is beyond */
		newton_next(p, NULL);
		return 0;
	} else if (sums_of_risk_sets(p, sum, &s) == -1)
		return -1;
	if (p->iterations == 0) {
		newton_first(p, &s);
		/* What is kept is of the terms that are left. */
		if (p->phase == PHASE_SCORES && hazard_is_kept(p))
			p->phase = PHASE_NEWTON;
	} else
		newton_next(p, &s);
	return p->phase == PHASE_SCORES ? converged(p, sum) : 0;
}

static const double *
meat(const struct plan *p)
{
	struct hazard_reals at = hazard_reals(p, true);

	return p->status != FIT_OK || p->spec.robust == ROBUST_NO
	    ? NULL
	    : p->reals + at.meat;
}

static int
check(const struct model_spec *s, struct err *err)
{
	if (s->baseline && s->strata == STRATA_SITE)
		return err_set(err, ERR_CONFIG,
		    "baseline: not with strata = site, for it would be each "
		    "site's own");
	return 0;
}

const struct plan_kind plan_cox = {
	.name = "cox",
	.has_time = true,
	.check = check,
	.cells_are_sane = hazard_is_sane,
	.meat = meat,
	.rounds = { [PHASE_COUNTS] = { "counts", counts_layout, counts_step },
	    [PHASE_MOMENTS] = ROUND_MOMENTS,
	    [PHASE_NEWTON] = { "newton", newton_layout, newton_step },
	    [PHASE_RESIDUALS] = { "residuals", hazard_layout, hazard_step },
	    [PHASE_SCORES] = ROUND_SCORES,
	    [PHASE_PAIRS] = ROUND_PAIRS },
};

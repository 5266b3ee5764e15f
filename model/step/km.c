/*
 * Kaplan-Meier, and cumulative incidence of competing causes: the deterministic
 * half of it.  The trainer's half is model/km.c; both follow the layouts here.
 * What is made of the counts is in model/survival.h and model/cuminc_report.c.
 *
 * A cell is a group in a stratum, number stratum * n_groups + group.  It has
 * plan_width() counts: who leaves, and by an event of each cause.
 */
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/kind.h"

/* Leavers, then events of each cause, n numbers each. */
static void
each_layout(const struct plan *p, struct layout *l, size_t n)
{
	for (uint32_t k = 0; k < plan_width(p); k++)
		layout_counts(l, n, p->spec.rows_per_site);
}

/* And which cells the site has. */
static void
counts_layout(const struct plan *p, struct layout *l)
{
	each_layout(p, l, plan_cells(p));
	layout_counts(l, plan_cells(p), 1);
}

/* None, or enough that they are not about single patients. */
static bool
is_enough(uint64_t n, uint32_t step)
{
	return n == 0 || n >= step;
}

/* Leavers (k = 0), events of cause k. */
static uint64_t
total(const struct plan *p, uint32_t cell, uint32_t k)
{
	return p->cells[(size_t)cell * plan_width(p) + k];
}

/* Nobody or enough left by each cause, and without an event. */
static bool
may_be_shown(const uint64_t *v, uint32_t width, uint32_t step)
{
	uint64_t events = 0;

	for (uint32_t k = 1; k < width; k++) {
		if (!is_enough(v[k], step))
			return false;
		events += v[k];
	}
	return is_enough(v[0] - events, step);
}

bool
plan_cell_kept(const struct plan *p, uint32_t cell)
{
	uint32_t step = p->spec.risk_set_step, width = plan_width(p);

	return total(p, cell, 0) >= step &&
	    may_be_shown(p->cells + (size_t)cell * width, width, step);
}

static uint32_t
n_kept(const struct plan *p)
{
	uint32_t n = 0;

	for (uint32_t c = 0; c < plan_cells(p); c++)
		n += plan_cell_kept(p, c);
	return n;
}

static int
counts_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	uint32_t cells = plan_cells(p), width = plan_width(p);
	uint64_t all = 0, kept_events = 0;

	free(p->cells);
	p->n_cells = (size_t)width * cells;
	if ((p->cells = calloc(p->n_cells, sizeof(*p->cells))) == NULL)
		return -1;
	p->n_events = 0;
	for (uint32_t c = 0; c < cells; c++) {
		uint64_t *v = p->cells + (size_t)c * width, events = 0;

		for (uint32_t k = 0; k < width; k++) {
			v[k] = sum_count(&g[k], sum, c);
			events += k > 0 ? v[k] : 0;
		}
		if (events > v[0])
			return 1;
		all += v[0];
		p->n_events += events;
		if (plan_few_sites(p, sum_count(&g[width], sum, c))) {
			p->n_out += v[0];
			p->n_strata_out++;
			for (uint32_t k = 0; k < width; k++)
				v[k] = 0;
		} else if (plan_cell_kept(p, c)) {
			p->n_used += v[0];
			kept_events += events;
		} else if (v[0] > 0) {
			p->n_out += v[0];
			p->n_strata_out++;
		}
	}
	if (all != p->n)
		return 1;
	p->phase = PHASE_TIMES;
	if (p->n_events == 0)
		plan_end(p, FIT_NO_EVENTS);
	else if (kept_events == 0)
		plan_end(p, FIT_TOO_FEW);
	return 0;
}

/* Leavers and events at each possible time, of the cells that are kept. */
static void
times_layout(const struct plan *p, struct layout *l)
{
	each_layout(p, l, (size_t)n_kept(p) * p->spec.n_times);
}

/* Intervals from the last to the first while they are made. */
struct maker {
	const struct plan *p;
	uint32_t cells, width, n; /* intervals so far */
	uint32_t *start; /* (n) */
	uint64_t *counts; /* (n + 1, cells, width): the last one is open */
};

static uint64_t *
counts_of(const struct maker *m, uint32_t interval)
{
	return m->counts + (size_t)interval * m->width * m->cells;
}

/*
 * In every group, whose curve the result shows: no event or enough, nobody
 * censored or enough.
 */
static bool
may_stand(const struct maker *m, uint32_t interval)
{
	const uint64_t *v = counts_of(m, interval);
	uint32_t step = m->p->spec.risk_set_step, groups = m->p->spec.n_terms;

	for (uint32_t g = 0; g < groups; g++) {
		uint64_t in_group[1 + MODEL_CAUSES_MAX] = { 0 };

		for (uint32_t c = g; c < m->cells; c += groups) {
			for (uint32_t k = 0; k < m->width; k++)
				in_group[k] += v[c * m->width + k];
		}
		if (!may_be_shown(in_group, m->width, step))
			return false;
	}
	return true;
}

/* The interval joins the one after it, which was made before it. */
static void
join(struct maker *m, uint32_t interval)
{
	uint64_t *from = counts_of(m, interval);
	uint64_t *to = counts_of(m, interval - 1);

	for (uint32_t k = 0; k < m->width * m->cells; k++)
		to[k] += from[k];
	m->start[interval - 1] = m->start[interval];
}

/* The sum's number of a cell at a time; cells that are left out have none. */
static void
add_time(struct maker *m, const uint64_t *sum, uint32_t t, uint64_t *leavers,
    uint64_t *events)
{
	const struct group *g = m->p->next.groups;
	uint64_t *open = counts_of(m, m->n);
	size_t k = 0;

	*leavers = *events = 0;
	for (uint32_t c = 0; c < m->cells; c++) {
		size_t at = k * m->p->spec.n_times + t;

		if (!plan_cell_kept(m->p, c))
			continue;
		for (uint32_t i = 0; i < m->width; i++) {
			uint64_t n = sum_count(&g[i], sum, at);

			open[c * m->width + i] += n;
			*(i == 0 ? leavers : events) += n;
		}
		k++;
	}
}

/*
 * An interval begins at a time with an event, in whatever cell.  Who leaves
 * before the first one is in no risk set; but if those are too few in some
 * group, they and the intervals after them are one, from the first of them on.
 */
static void
make_intervals(struct maker *m, const uint64_t *sum)
{
	bool some_events = false, some = false;
	uint32_t first_leaver = 0;

	for (uint32_t t = m->p->spec.n_times; t-- > 0;) {
		uint64_t leavers, events;

		add_time(m, sum, t, &leavers, &events);
		if (leavers > 0) {
			first_leaver = t;
			some = true;
		}
		if (events == 0)
			continue;
		some_events = true;
		if (may_stand(m, m->n)) {
			m->start[m->n++] = t;
			some_events = some = false;
		}
	}
	if (!some || (!some_events && may_stand(m, m->n)))
		return;
	m->start[m->n] = first_leaver;
	while (m->n > 0 && !may_stand(m, m->n)) {
		join(m, m->n);
		m->n--;
	}
	m->n++;
}

/* Does the sum agree with the counts of the round before? */
static bool
is_consistent(const struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	size_t at = 0;

	for (uint32_t c = 0; c < plan_cells(p); c++) {
		uint64_t in_cell[1 + MODEL_CAUSES_MAX] = { 0 };

		if (!plan_cell_kept(p, c))
			continue;
		for (uint32_t t = 0; t < p->spec.n_times; t++, at++) {
			uint64_t leavers = sum_count(&g[0], sum, at);

			for (uint32_t k = 0; k < plan_width(p); k++) {
				uint64_t n = sum_count(&g[k], sum, at);

				in_cell[k] += n;
				if (k > 0 && n > leavers)
					return false;
				leavers -= k > 0 ? n : 0;
			}
		}
		for (uint32_t k = 0; k < plan_width(p); k++) {
			if (in_cell[k] != total(p, c, k))
				return false;
		}
	}
	return true;
}

/* The totals, then the intervals from the first to the last. */
static int
keep(struct plan *p, const struct maker *m)
{
	size_t row = (size_t)m->width * m->cells;
	uint64_t *cells = calloc(row * (m->n + 1), sizeof(*cells));

	grid_free(&p->grid);
	p->grid.intervals = calloc(m->n + 1, sizeof(*p->grid.intervals));
	if (cells == NULL || p->grid.intervals == NULL) {
		free(cells);
		return -1;
	}
	for (size_t k = 0; k < row; k++)
		cells[k] = p->cells[k];
	p->grid.n = m->n;
	p->grid.step = p->spec.risk_set_step;
	for (uint32_t i = 0; i < m->n; i++) {
		const uint64_t *from = counts_of(m, m->n - 1 - i);
		struct grid_interval *v = &p->grid.intervals[i];

		v->start = m->start[m->n - 1 - i];
		for (size_t k = 0; k < row; k++) {
			cells[(i + 1) * row + k] = from[k];
			if (k % m->width == 0)
				v->leavers += from[k];
			else
				v->events += from[k];
		}
	}
	free(p->cells);
	p->cells = cells;
	p->n_cells = row * (m->n + 1);
	return 0;
}

/* Times at which somebody has an event: so many intervals there can be. */
static uint32_t
times_with_events(const struct plan *p, const uint64_t *sum)
{
	uint32_t kept = n_kept(p), n = 0;

	for (uint32_t t = 0; t < p->spec.n_times; t++) {
		bool any = false;

		for (uint32_t i = 1; i < plan_width(p); i++) {
			const struct group *g = &p->next.groups[i];

			for (uint32_t k = 0; k < kept && !any; k++)
				any = sum_count(g, sum,
					  (size_t)k * p->spec.n_times + t) > 0;
		}
		n += any;
	}
	return n;
}

static int
times_step(struct plan *p, const uint64_t *sum)
{
	struct maker m = {
		.p = p, .cells = plan_cells(p), .width = plan_width(p)
	};
	size_t most;
	int ret = -1;

	if (!is_consistent(p, sum))
		return 1;
	most = (size_t)times_with_events(p, sum) + 1;
	m.start = calloc(most, sizeof(*m.start));
	m.counts = calloc(most * m.width * m.cells, sizeof(*m.counts));
	if (m.start == NULL || m.counts == NULL)
		goto out;
	make_intervals(&m, sum);
	if ((ret = keep(p, &m)) == 0)
		plan_end(p, FIT_OK);
out:
	free(m.start);
	free(m.counts);
	return ret;
}

static int
check(const struct model_spec *s, struct err *err)
{
	uint64_t cells = (uint64_t)s->n_terms * s->n_strata;

	if (s->strata == STRATA_SITE)
		return err_set(err, ERR_CONFIG,
		    "a %s model has no strata by site",
		    model_kind_name(s->kind));
	if (s->kind == MODEL_CUMINC &&
	    (s->n_causes < 1 || s->n_causes > MODEL_CAUSES_MAX))
		return err_set(err, ERR_CONFIG, "%u causes, expected 1 to %d",
		    s->n_causes, MODEL_CAUSES_MAX);
	if (s->band > BAND_EQUAL_PRECISION ||
	    (s->band != BAND_NO && s->kind != MODEL_KM))
		return err_set(err, ERR_CONFIG, "only a km model has bands");
	if (s->bounds > BOUNDS_PLAIN || !(s->rho >= 0.0 && s->rho <= 10.0))
		return err_set(err, ERR_CONFIG,
		    "unknown confidence bounds, or rho beyond 0 to 10");
	if (cells > MODEL_STRATA_MAX || cells * s->n_times > MODEL_TIMES_MAX)
		return err_set(err, ERR_CONFIG,
		    "%u groups in %u strata with %u possible times each are "
		    "too many (the product may be %u)",
		    s->n_terms, s->n_strata, s->n_times, MODEL_TIMES_MAX);
	if (!(s->rmst_until >= 0.0 && s->rmst_until <= 1e15))
		return err_set(
		    err, ERR_CONFIG, "the restricted mean's time is not sane");
	return 0;
}

static size_t
n_cells(const struct plan *p)
{
	return (size_t)plan_width(p) * plan_cells(p) * (1 + (size_t)p->grid.n);
}

/* Leavers, at most all rows; events, at most the leavers. */
static bool
cells_are_sane(const struct plan *p)
{
	uint32_t width = plan_width(p);
	uint64_t left = 0;

	for (size_t i = 0; i < p->n_cells; i++) {
		if (p->cells[i] > (i % width == 0 ? p->n : left))
			return false;
		left = i % width == 0 ? p->cells[i] : left - p->cells[i];
	}
	return true;
}

const struct plan_kind plan_km = {
	.name = "km",
	.has_time = true,
	.has_groups = true,
	.check = check,
	.rounds = { [PHASE_COUNTS] = { "counts", counts_layout, counts_step },
	    [PHASE_TIMES] = { "times", times_layout, times_step } },
	.n_cells = n_cells,
	.cells_are_sane = cells_are_sane,
};

const struct plan_kind plan_cuminc = {
	.name = "cuminc",
	.has_time = true,
	.has_groups = true,
	.check = check,
	.rounds = { [PHASE_COUNTS] = { "counts", counts_layout, counts_step },
	    [PHASE_TIMES] = { "times", times_layout, times_step } },
	.n_cells = n_cells,
	.cells_are_sane = cells_are_sane,
};

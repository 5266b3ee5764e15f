/*
 * Kaplan-Meier: the deterministic half of it.  The trainer's half is
 * model/km.c; both follow the layouts here.  What is made of the counts is in
 * model/survival.h.
 *
 * A cell is a group in a stratum, number stratum * n_groups + group.
 */
#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/kind.h"

/* Leavers and events of each cell. */
static void
counts_layout(const struct plan *p, struct layout *l)
{
	layout_counts(l, plan_cells(p), p->spec.rows_per_site);
	layout_counts(l, plan_cells(p), p->spec.rows_per_site);
}

/* None, or enough that they are not about single patients. */
static bool
is_enough(uint64_t n, uint32_t step)
{
	return n == 0 || n >= step;
}

bool
plan_cell_kept(const struct plan *p, uint32_t cell)
{
	uint64_t leavers = p->cells[2 * cell], events = p->cells[2 * cell + 1];
	uint32_t step = p->spec.risk_set_step;

	return leavers >= step && is_enough(events, step) &&
	    is_enough(leavers - events, step);
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
	uint32_t cells = plan_cells(p);
	uint64_t total = 0, kept_events = 0;

	free(p->cells);
	p->n_cells = 2 * (size_t)cells;
	if ((p->cells = calloc(p->n_cells, sizeof(*p->cells))) == NULL)
		return -1;
	p->n_events = 0;
	for (uint32_t c = 0; c < cells; c++) {
		p->cells[2 * c] = sum_count(&g[0], sum, c);
		p->cells[2 * c + 1] = sum_count(&g[1], sum, c);
		if (p->cells[2 * c + 1] > p->cells[2 * c])
			return 1;
		total += p->cells[2 * c];
		p->n_events += p->cells[2 * c + 1];
		if (plan_cell_kept(p, c)) {
			p->n_used += p->cells[2 * c];
			kept_events += p->cells[2 * c + 1];
		} else if (p->cells[2 * c] > 0) {
			p->n_out += p->cells[2 * c];
			p->n_strata_out++;
		}
	}
	if (total != p->n)
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
	size_t n = (size_t)n_kept(p) * p->spec.n_times;

	layout_counts(l, n, p->spec.rows_per_site);
	layout_counts(l, n, p->spec.rows_per_site);
}

/* Intervals from the last to the first while they are made. */
struct maker {
	const struct plan *p;
	uint32_t cells, n; /* intervals so far */
	uint32_t *start; /* (n) */
	uint64_t *counts; /* (n + 1, cells, 2): the last one is open */
};

static uint64_t *
counts_of(const struct maker *m, uint32_t interval)
{
	return m->counts + (size_t)interval * 2 * m->cells;
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
		uint64_t leavers = 0, events = 0;

		for (uint32_t c = g; c < m->cells; c += groups) {
			leavers += v[2 * c];
			events += v[2 * c + 1];
		}
		if (!is_enough(events, step) ||
		    !is_enough(leavers - events, step))
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

	for (uint32_t k = 0; k < 2 * m->cells; k++)
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
		open[2 * c] += sum_count(&g[0], sum, at);
		open[2 * c + 1] += sum_count(&g[1], sum, at);
		*leavers += sum_count(&g[0], sum, at);
		*events += sum_count(&g[1], sum, at);
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
		uint64_t leavers = 0, events = 0;

		if (!plan_cell_kept(p, c))
			continue;
		for (uint32_t t = 0; t < p->spec.n_times; t++, at++) {
			if (sum_count(&g[1], sum, at) >
			    sum_count(&g[0], sum, at))
				return false;
			leavers += sum_count(&g[0], sum, at);
			events += sum_count(&g[1], sum, at);
		}
		if (leavers != p->cells[2 * c] || events != p->cells[2 * c + 1])
			return false;
	}
	return true;
}

/* The totals, then the intervals from the first to the last. */
static int
keep(struct plan *p, const struct maker *m)
{
	size_t row = 2 * (size_t)m->cells;
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
			if (k % 2 == 0)
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
	const struct group *g = &p->next.groups[1];
	uint32_t kept = n_kept(p), n = 0;

	for (uint32_t t = 0; t < p->spec.n_times; t++) {
		bool any = false;

		for (uint32_t k = 0; k < kept && !any; k++)
			any = sum_count(
				  g, sum, (size_t)k * p->spec.n_times + t) > 0;
		n += any;
	}
	return n;
}

static int
times_step(struct plan *p, const uint64_t *sum)
{
	struct maker m = { .p = p, .cells = plan_cells(p) };
	size_t most;
	int ret = -1;

	if (!is_consistent(p, sum))
		return 1;
	most = (size_t)times_with_events(p, sum) + 1;
	m.start = calloc(most, sizeof(*m.start));
	m.counts = calloc(most * 2 * m.cells, sizeof(*m.counts));
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
		return err_set(err, ERR_CONFIG, "km has no strata by site");
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
	return 2 * (size_t)plan_cells(p) * (1 + (size_t)p->grid.n);
}

/* Leavers, at most all rows; events, at most the leavers. */
static bool
cells_are_sane(const struct plan *p)
{
	for (size_t i = 0; i < p->n_cells; i++) {
		if (p->cells[i] > (i % 2 == 0 ? p->n : p->cells[i - 1]))
			return false;
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

/*
 * Descriptive statistics: the deterministic half.  The trainer's half is
 * model/summary.c; both follow the layouts here.  What is made of the sums is in
 * model/summary_report.c.
 */
#include "model/step/summary.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/macros.h"
#include "model/step/kind.h"
#include "model/step/ldl.h"

static size_t
head_length(const struct plan *p)
{
	size_t g = p->spec.n_terms, v = p->spec.n_variables;
	size_t l = p->spec.n_levels;

	return 3 * g + 4 * g * v + g * l + l + 1;
}

static size_t
reals_length(const struct plan *p)
{
	size_t g = p->spec.n_terms, v = p->spec.n_variables;

	return 4 * v + 4 * g * v + PACKED(v);
}

static uint64_t *
take(uint64_t **at, size_t n)
{
	uint64_t *from = *at;

	*at += n;
	return from;
}

static double *
take_reals(double **at, size_t n)
{
	double *from = *at;

	*at += n;
	return from;
}

bool
summary_at(const struct plan *p, struct summary *s)
{
	size_t g = p->spec.n_terms, v = p->spec.n_variables;
	size_t l = p->spec.n_levels, head = head_length(p);
	uint64_t *at = p->cells;
	double *reals = p->reals;

	if (p->n_cells < head || p->n_reals != reals_length(p))
		return false;
	*s = (struct summary){
		.groups = (uint32_t)g,
		.variables = (uint32_t)v,
		.levels = (uint32_t)l,
		.n = take(&at, g),
		.complete = take(&at, g),
		.complete_sites = take(&at, g),
		.present = take(&at, g * v),
		.sites = take(&at, g * v),
		.summed = take(&at, g * v),
		.strict = take(&at, g * v),
		.level = take(&at, g * l),
		.joined = take(&at, l),
		.n_pairs = take(&at, 1),
		.tail = at,
		.n_tail = p->n_cells - head,
		.centre = take_reals(&reals, v),
		.ties = take_reals(&reals, v),
		.sure_ties = take_reals(&reals, v),
		.pair_sum = take_reals(&reals, v),
		.sum = take_reals(&reals, g * v),
		.square = take_reals(&reals, g * v),
		.rank = take_reals(&reals, g * v),
		.doubt = take_reals(&reals, g * v),
		.pair_square = take_reals(&reals, PACKED(v)),
	};
	return true;
}

/*
 * Bins.
 */

/* How many whole numbers the range has. */
static uint64_t
span_of(const struct model_variable *m)
{
	return (uint64_t)(m->max - m->min) + 1;
}

static uint64_t
divide_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* Whole numbers in a bin, in a part of one. */
static uint64_t
bin_width(const struct plan *p, uint32_t v)
{
	return divide_up(span_of(&p->spec.variables[v]), p->spec.summary_bins);
}

static uint64_t
part_width(const struct plan *p, uint32_t v)
{
	return divide_up(bin_width(p, v), SUMMARY_PARTS);
}

uint32_t
summary_bins(const struct plan *p, uint32_t v)
{
	const struct model_variable *m = &p->spec.variables[v];

	if (!m->whole)
		return p->spec.summary_bins;
	return (uint32_t)divide_up(span_of(m), bin_width(p, v));
}

uint32_t
summary_parts(const struct plan *p, uint32_t v)
{
	if (!p->spec.variables[v].whole)
		return SUMMARY_PARTS;
	return (uint32_t)divide_up(bin_width(p, v), part_width(p, v));
}

static double
real_width(const struct plan *p, uint32_t v)
{
	const struct model_variable *m = &p->spec.variables[v];

	return (m->max - m->min) / (double)p->spec.summary_bins;
}

uint32_t
summary_bin(const struct plan *p, uint32_t v, double x)
{
	const struct model_variable *m = &p->spec.variables[v];
	double at;

	if (m->whole)
		return (uint32_t)((uint64_t)(x - m->min) / bin_width(p, v));
	at = (x - m->min) / real_width(p, v);
	return (uint32_t)MIN(at, (double)(p->spec.summary_bins - 1));
}

uint32_t
summary_part(const struct plan *p, uint32_t v, uint32_t bin, double x)
{
	const struct model_variable *m = &p->spec.variables[v];
	double at;

	if (m->whole)
		return (
		    uint32_t)(((uint64_t)(x - m->min) - bin * bin_width(p, v)) /
		    part_width(p, v));
	at = (x - m->min) / real_width(p, v) - (double)bin;
	at = MAX(at * SUMMARY_PARTS, 0.0);
	return (uint32_t)MIN(at, (double)(SUMMARY_PARTS - 1));
}

double
summary_edge(const struct plan *p, uint32_t v, uint64_t position)
{
	const struct model_variable *m = &p->spec.variables[v];
	uint64_t bin = position / SUMMARY_PARTS,
		 part = position % SUMMARY_PARTS;
	double end = m->whole ? m->max + 1.0 : m->max, at;

	if (bin >= summary_bins(p, v))
		return end;
	if (m->whole)
		at = m->min +
		    (double)(bin * bin_width(p, v) + part * part_width(p, v));
	else
		at = m->min +
		    real_width(p, v) *
			((double)bin + (double)part / SUMMARY_PARTS);
	return MIN(at, end);
}

/* Of the state between bins and sums. */
static uint64_t *
bin_at(const struct plan *p, const struct summary *s, uint32_t g, uint32_t v)
{
	return s->tail + ((size_t)g * s->variables + v) * p->spec.summary_bins;
}

bool
summary_refined(
    const struct plan *p, const struct summary *s, uint32_t v, uint32_t bin)
{
	uint64_t total = 0;

	if (summary_parts(p, v) == 1)
		return false;
	for (uint32_t g = 0; g < s->groups; g++) {
		uint64_t n;

		if (!summary_has(p, s, g, v))
			continue;
		n = bin_at(p, s, g, v)[bin];
		if (!plan_is_enough(p, n))
			return false;
		total += n;
	}
	return total > 0;
}

/*
 * Counts.
 */

enum {
	COUNT_N,
	COUNT_COMPLETE,
	COUNT_COMPLETE_SITES,
	COUNT_PRESENT,
	COUNT_SITES,
	COUNT_LEVELS,
	COUNT_GROUP_SITES,
	COUNT_LEVEL_SITES
};

static void
counts_layout(const struct plan *p, struct layout *l)
{
	size_t g = p->spec.n_terms, v = p->spec.n_variables;
	uint64_t rows = p->spec.rows_per_site;

	layout_counts(l, g, rows);
	layout_counts(l, g, rows);
	layout_counts(l, g, 1);
	layout_counts(l, g * v, rows);
	layout_counts(l, g * v, 1);
	layout_counts(l, g * p->spec.n_levels, rows);
	layout_counts(l, g, 1);
	layout_counts(l, g * p->spec.n_levels, 1);
}

static void
read_counts(
    const struct plan *p, const uint64_t *sum, uint32_t group, uint64_t *out)
{
	const struct group *g = &p->next.groups[group];

	for (size_t i = 0; i < g->n; i++)
		out[i] = sum_count(g, sum, i);
}

static bool
counts_agree(const struct plan *p, const struct summary *s)
{
	uint64_t total = 0;

	for (uint32_t g = 0; g < s->groups; g++) {
		total += s->n[g];
		if (s->complete[g] > s->n[g])
			return false;
		for (uint32_t v = 0; v < s->variables; v++) {
			const struct model_variable *m = &p->spec.variables[v];
			const uint64_t *level =
			    s->level + (size_t)g * s->levels + m->first_level;
			uint64_t n = s->present[(size_t)g * s->variables + v];
			uint64_t in_levels = 0;

			for (uint32_t k = 0; k < m->n_levels; k++)
				in_levels += level[k];
			if (n > s->n[g] || (m->n_levels > 0 && in_levels != n))
				return false;
		}
	}
	return total <= p->n;
}

/*
 * Few who lack a value would be told by its number of patients, also where that is
 * not shown: tests, bins and levels add up to it.  So they are left out, and all is
 * counted again: their other values may have been some of few.
 */
static bool
make_strict(const struct plan *p, const struct summary *s)
{
	bool more = false;

	for (uint32_t g = 0; g < s->groups; g++) {
		for (uint32_t v = 0; v < s->variables; v++) {
			size_t cell = (size_t)g * s->variables + v;

			if (plan_is_enough(p, s->n[g]) &&
			    !plan_is_enough(p, s->n[g] - s->present[cell])) {
				s->strict[cell] = 1;
				more = true;
			}
		}
	}
	return more;
}

/* Nothing is kept of counts that are made again but what they are made of. */
static void
forget_counts(const struct plan *p, const struct summary *s)
{
	for (size_t i = 0; i < p->n_cells; i++)
		if (p->cells + i < s->strict ||
		    p->cells + i >=
			s->strict + (size_t)s->groups * s->variables)
			p->cells[i] = 0;
}

/* Forget what is about too few patients or too few sites. */
static void
forget_small(struct plan *p, struct summary *s, const uint64_t *sum)
{
	const struct group *sites = &p->next.groups[COUNT_GROUP_SITES];

	for (uint32_t g = 0; g < s->groups; g++) {
		bool small = s->n[g] < p->spec.risk_set_step ||
		    plan_few_sites(p, sum_count(sites, sum, g));

		if (small && s->n[g] > 0) {
			p->n_strata_out++;
			p->n_out += s->n[g];
		}
		if (small || s->complete[g] < p->spec.risk_set_step ||
		    s->complete_sites[g] < PLAN_SITES)
			s->complete[g] = s->complete_sites[g] = 0;
		if (small)
			s->n[g] = 0;
		p->n_used += s->n[g];
		for (uint32_t v = 0; v < s->variables; v++) {
			const struct model_variable *m = &p->spec.variables[v];
			size_t cell = (size_t)g * s->variables + v;

			if (!small &&
			    s->present[cell] >= p->spec.risk_set_step &&
			    s->sites[cell] >= PLAN_SITES)
				continue;
			s->present[cell] = s->sites[cell] = 0;
			for (uint32_t k = 0; k < m->n_levels; k++)
				s->level[(size_t)g * s->levels +
				    m->first_level + k] = 0;
		}
	}
}

/* Sites that have a level in a group. */
static uint64_t
level_sites(
    const struct plan *p, const uint64_t *sum, uint32_t g, uint32_t level)
{
	return sum_count(&p->next.groups[COUNT_LEVEL_SITES], sum,
	    (size_t)g * p->spec.n_levels + level);
}

/* The sites of levels together are at least those of one of them. */
static bool
joined_is_enough(const struct plan *p, const struct summary *s,
    const struct model_variable *m, const uint64_t *sum)
{
	for (uint32_t g = 0; g < s->groups; g++) {
		uint64_t n = 0, sites = 0;

		for (uint32_t k = m->first_level;
		     k < m->first_level + m->n_levels; k++) {
			if (s->joined[k] == 0)
				continue;
			n += s->level[(size_t)g * s->levels + k];
			sites = MAX(sites, level_sites(p, sum, g, k));
		}
		if (n > 0 &&
		    (!plan_is_enough(p, n) || plan_few_sites(p, sites)))
			return false;
	}
	return true;
}

/* The rarest level that is not joined yet; false if there is none. */
static bool
join_rarest(const struct summary *s, const struct model_variable *m)
{
	uint64_t least = UINT64_MAX;
	uint32_t which = m->n_levels;

	for (uint32_t k = 0; k < m->n_levels; k++) {
		uint64_t n = 0;

		for (uint32_t g = 0; g < s->groups; g++)
			n += s->level[(size_t)g * s->levels + m->first_level +
			    k];
		if (s->joined[m->first_level + k] == 0 && n < least) {
			least = n;
			which = k;
		}
	}
	if (which == m->n_levels)
		return false;
	s->joined[m->first_level + which] = 1;
	return true;
}

/*
 * A level with too few patients, or those of too few sites, in some group is known
 * by its sum with others alone, in all groups: neither a margin nor another group
 * gives it away.
 */
static void
join_levels(const struct plan *p, const struct summary *s, uint32_t v,
    const uint64_t *sum)
{
	const struct model_variable *m = &p->spec.variables[v];
	uint32_t first = m->n_levels;

	for (uint32_t k = 0; k < m->n_levels; k++)
		for (uint32_t g = 0; g < s->groups; g++) {
			uint64_t n = s->level[(size_t)g * s->levels +
			    m->first_level + k];

			if (n > 0 &&
			    (!plan_is_enough(p, n) ||
				plan_few_sites(p,
				    level_sites(
					p, sum, g, m->first_level + k))))
				s->joined[m->first_level + k] = 1;
		}
	while (!joined_is_enough(p, s, m, sum) && join_rarest(s, m))
		;
	for (uint32_t k = 0; k < m->n_levels; k++) {
		if (s->joined[m->first_level + k] == 0)
			continue;
		first = MIN(first, k);
		for (uint32_t g = 0; g < s->groups && k != first; g++) {
			uint64_t *level =
			    s->level + (size_t)g * s->levels + m->first_level;

			level[first] += level[k];
			level[k] = 0;
		}
	}
}

static bool
has_numbers(const struct plan *p, const struct summary *s)
{
	for (uint32_t g = 0; g < s->groups; g++)
		for (uint32_t v = 0; v < s->variables; v++)
			if (summary_has(p, s, g, v))
				return true;
	return false;
}

static int
counts_step(struct plan *p, const uint64_t *sum)
{
	struct summary s;

	p->n = sum[0];
	if (p->n_cells == 0) {
		free(p->cells);
		free(p->reals);
		p->n_cells = head_length(p);
		p->n_reals = reals_length(p);
		p->cells = calloc(p->n_cells, sizeof(*p->cells));
		p->reals = calloc(p->n_reals, sizeof(*p->reals));
		if (p->cells == NULL || p->reals == NULL)
			return -1;
	}
	summary_at(p, &s);
	read_counts(p, sum, COUNT_N, s.n);
	read_counts(p, sum, COUNT_COMPLETE, s.complete);
	read_counts(p, sum, COUNT_COMPLETE_SITES, s.complete_sites);
	read_counts(p, sum, COUNT_PRESENT, s.present);
	read_counts(p, sum, COUNT_SITES, s.sites);
	read_counts(p, sum, COUNT_LEVELS, s.level);
	if (!counts_agree(p, &s))
		return 1;
	if (make_strict(p, &s)) {
		forget_counts(p, &s);
		return 0;
	}
	forget_small(p, &s, sum);
	for (uint32_t v = 0; v < s.variables; v++)
		join_levels(p, &s, v, sum);
	p->phase = PHASE_BINS;
	if (p->n_used == 0)
		plan_end(p, FIT_TOO_FEW);
	else if (!has_numbers(p, &s))
		plan_end(p, FIT_OK);
	return 0;
}

/*
 * Bins.
 */

static void
bins_layout(const struct plan *p, struct layout *l)
{
	struct summary s;
	size_t n = 0;

	summary_at(p, &s);
	for (uint32_t g = 0; g < s.groups; g++)
		for (uint32_t v = 0; v < s.variables; v++)
			if (summary_has(p, &s, g, v))
				n += summary_bins(p, v);
	layout_counts(l, n, p->spec.rows_per_site);
}

/* Room for n more cells; -1: no memory. */
static int
set_tail(struct plan *p, struct summary *s, size_t n)
{
	size_t head = head_length(p);
	uint64_t *more = realloc(p->cells, (head + n) * sizeof(*more));

	if (more == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		more[head + i] = 0;
	p->cells = more;
	p->n_cells = head + n;
	summary_at(p, s);
	return 0;
}

/*
 * The p% rule: all but the two largest values together are at least so many
 * percent of the largest.  The bins alone tell: each value counts as the lowest
 * of its bin, the two largest as the highest of the last bins.
 */
static bool
is_dominated(
    const struct plan *p, const struct summary *s, uint32_t g, uint32_t v)
{
	const uint64_t *bin = bin_at(p, s, g, v);
	double largest = 0.0, rest = 0.0;
	uint64_t off = 2;

	if (p->spec.dominance == 0 || p->spec.variables[v].min < 0.0)
		return false;
	for (uint32_t b = summary_bins(p, v); b-- > 0;) {
		uint64_t n = bin[b], mine = MIN(n, off);

		if (mine > 0 && off == 2)
			largest = summary_edge(
			    p, v, (uint64_t)(b + 1) * SUMMARY_PARTS);
		off -= mine;
		rest += (double)(n - mine) *
		    summary_edge(p, v, (uint64_t)b * SUMMARY_PARTS);
	}
	return rest * 100.0 < largest * (double)p->spec.dominance;
}

/* Near the mean, so that little of the squares cancels. */
static double
find_centre(const struct plan *p, const struct summary *s, uint32_t v)
{
	double n = 0.0, sum = 0.0;

	for (uint32_t g = 0; g < s->groups; g++) {
		for (uint32_t b = 0; b < summary_bins(p, v); b++) {
			double k = (double)bin_at(p, s, g, v)[b];
			uint64_t at = (uint64_t)b * SUMMARY_PARTS;

			n += k;
			sum += k * 0.5 *
			    (summary_edge(p, v, at) +
				summary_edge(p, v, at + SUMMARY_PARTS));
		}
	}
	return n > 0.0 ? MIN(sum / n, p->spec.variables[v].max) : 0.0;
}

/*
 * Over the complete rows of all groups whose numbers are all summed; only if
 * for each number the rows that it has beyond these are none or enough, so
 * that no difference of two sums is about fewer.
 */
static uint64_t
find_pairs(const struct plan *p, const struct summary *s)
{
	uint64_t n = 0, sites = 0;
	uint32_t numbers = 0;

	for (uint32_t g = 0; g < s->groups; g++) {
		bool all = s->complete[g] > 0;

		for (uint32_t v = 0; v < s->variables; v++)
			if (summary_is_number(p, v) &&
			    s->summed[(size_t)g * s->variables + v] == 0)
				all = false;
		/* From here on: whether the group's rows are in pairs. */
		if (!all)
			s->complete[g] = 0;
		n += s->complete[g];
		sites = MAX(sites, all ? s->complete_sites[g] : 0);
	}
	for (uint32_t v = 0; v < s->variables; v++) {
		uint64_t beyond = 0;

		if (!summary_is_number(p, v))
			continue;
		numbers++;
		for (uint32_t g = 0; g < s->groups; g++)
			if (s->complete[g] > 0)
				beyond +=
				    s->present[(size_t)g * s->variables + v] -
				    s->complete[g];
		if (!plan_is_enough(p, beyond))
			return 0;
	}
	return numbers > 1 && sites >= PLAN_SITES ? n : 0;
}

static int
bins_step(struct plan *p, const uint64_t *sum)
{
	const struct group *counts = &p->next.groups[0];
	struct summary s;
	size_t at = 0;

	summary_at(p, &s);
	if (set_tail(p, &s,
		(size_t)s.groups * s.variables * p->spec.summary_bins) == -1)
		return -1;
	for (uint32_t g = 0; g < s.groups; g++) {
		for (uint32_t v = 0; v < s.variables; v++) {
			size_t cell = (size_t)g * s.variables + v;
			uint64_t total = 0;

			if (!summary_has(p, &s, g, v))
				continue;
			for (uint32_t b = 0; b < summary_bins(p, v); b++) {
				uint64_t n = sum_count(counts, sum, at++);

				bin_at(p, &s, g, v)[b] = n;
				total += n;
			}
			if (total != s.present[cell])
				return 1;
			s.summed[cell] = !is_dominated(p, &s, g, v);
		}
	}
	for (uint32_t v = 0; v < s.variables; v++)
		if (summary_is_number(p, v))
			s.centre[v] = find_centre(p, &s, v);
	*s.n_pairs = find_pairs(p, &s);
	p->phase = PHASE_SUMS;
	return 0;
}

/*
 * Sums.
 */

/* The largest |x - centre|. */
static double
reach_of(const struct plan *p, const struct summary *s, uint32_t v)
{
	const struct model_variable *m = &p->spec.variables[v];

	return MAX(m->max - s->centre[v], s->centre[v] - m->min);
}

/*
 * For each number the sums and the sums of squares of the groups that have
 * them; for pairs the sums of each, then the products; then the parts of all
 * bins that are refined.
 */
static void
sums_layout(const struct plan *p, struct layout *l)
{
	double rows = p->spec.rows_per_site;
	struct summary s;
	size_t parts = 0;

	summary_at(p, &s);
	for (uint32_t v = 0; v < s.variables; v++) {
		double reach = reach_of(p, &s, v);
		size_t n = 0;

		if (!summary_is_number(p, v))
			continue;
		for (uint32_t g = 0; g < s.groups; g++)
			n += s.summed[(size_t)g * s.variables + v];
		layout_reals(l, n, num_bits(rows * reach) + 1);
		layout_reals(l, n, num_bits(rows * reach * reach) + 1);
	}
	for (uint32_t v = 0; v<s.variables && * s.n_pairs> 0; v++) {
		double reach = reach_of(p, &s, v);

		if (!summary_is_number(p, v))
			continue;
		layout_reals(l, 1, num_bits(rows * reach) + 1);
		for (uint32_t u = v; u < s.variables; u++)
			if (summary_is_number(p, u))
				layout_reals(l, 1,
				    num_bits(
					rows * reach * reach_of(p, &s, u)) +
					1);
	}
	for (uint32_t v = 0; v < s.variables; v++) {
		size_t cells = 0;

		for (uint32_t g = 0; g < s.groups; g++)
			cells += summary_has(p, &s, g, v);
		for (uint32_t b = 0; cells > 0 && b < summary_bins(p, v); b++)
			if (summary_refined(p, &s, v, b))
				parts += cells * summary_parts(p, v);
	}
	layout_counts(l, parts, p->spec.rows_per_site);
}

static const struct group *
read_sums(const struct plan *p, const struct summary *s, const uint64_t *sum)
{
	const struct group *next = p->next.groups;

	for (uint32_t v = 0; v < s->variables; v++) {
		size_t at = 0;

		if (!summary_is_number(p, v))
			continue;
		for (uint32_t g = 0; g < s->groups; g++) {
			size_t cell = (size_t)g * s->variables + v;

			if (s->summed[cell] == 0)
				continue;
			s->sum[cell] = sum_real(&next[0], sum, at);
			s->square[cell] = sum_real(&next[1], sum, at);
			at++;
		}
		next += 2;
	}
	for (uint32_t v = 0; v<s->variables && * s->n_pairs> 0; v++) {
		if (!summary_is_number(p, v))
			continue;
		s->pair_sum[v] = sum_real(next++, sum, 0);
		for (uint32_t u = v; u < s->variables; u++)
			if (summary_is_number(p, u))
				s->pair_square[packed_at(s->variables, v, u)] =
				    sum_real(next++, sum, 0);
	}
	return next;
}

/* The bins of one variable while they are put together. */
struct joint {
	uint64_t *n; /* (groups) */
	uint64_t *out; /* bins that are closed */
	size_t n_out;
	double below; /* rows in the positions before */
};

/* A place at which the counts of all groups are known: ranks. */
static void
add_ranks(const struct plan *p, const struct summary *s, uint32_t v,
    struct joint *j, bool one_value)
{
	double t = 0.0, place, tied;

	(void)p;
	for (uint32_t g = 0; g < s->groups; g++)
		t += (double)j->n[g];
	if (!(t > 0.0))
		return;
	place = j->below + 0.5 * (t + 1.0);
	tied = t * t * t - t;
	s->ties[v] += tied;
	if (one_value)
		s->sure_ties[v] += tied;
	for (uint32_t g = 0; g < s->groups; g++) {
		size_t cell = (size_t)g * s->variables + v;
		double n = (double)j->n[g];

		s->rank[cell] += n * place;
		if (!one_value)
			s->doubt[cell] += 0.5 * n * (t - n);
	}
	j->below += t;
}

/*
 * The counts of a place go to the bin that is open: the last one of out, which
 * is closed if in every group it has none or enough.
 */
static void
add_place(const struct plan *p, const struct summary *s, struct joint *j,
    uint64_t position)
{
	size_t row = 1 + (size_t)s->groups;
	uint64_t *open = j->out + j->n_out * row, *last = open - row;
	bool empty = true, open_empty = true, closed = true;

	for (uint32_t g = 0; g < s->groups; g++) {
		empty = empty && j->n[g] == 0;
		if (j->n_out > 0)
			open_empty = open_empty && last[1 + g] == 0;
		if (j->n_out > 0 && !plan_is_enough(p, last[1 + g]))
			closed = false;
	}
	/* Nobody, and nobody before: the same empty bin. */
	if (j->n_out > 0 && (!closed || (empty && open_empty))) {
		for (uint32_t g = 0; g < s->groups; g++)
			last[1 + g] += j->n[g];
		return;
	}
	open[0] = position;
	for (uint32_t g = 0; g < s->groups; g++)
		open[1 + g] = j->n[g];
	j->n_out++;
}

/* The last bin may be too small: it joins the ones before it. */
static void
close_last(const struct plan *p, const struct summary *s, struct joint *j)
{
	size_t row = 1 + (size_t)s->groups;

	while (j->n_out > 1) {
		uint64_t *last = j->out + (j->n_out - 1) * row;
		bool closed = true;

		for (uint32_t g = 0; g < s->groups; g++)
			closed = closed && plan_is_enough(p, last[1 + g]);
		if (closed)
			return;
		for (uint32_t g = 0; g < s->groups; g++)
			last[(ptrdiff_t)(1 + g) - (ptrdiff_t)row] +=
			    last[1 + g];
		j->n_out--;
	}
}

/* All places of a variable, from the lowest; *at goes through the parts. */
static void
join_bins(const struct plan *p, const struct summary *s, uint32_t v,
    struct joint *j, const struct group *counts, const uint64_t *sum,
    size_t *at)
{
	uint32_t parts = summary_parts(p, v), cells = 0;

	j->n_out = 0;
	j->below = 0.0;
	for (uint32_t g = 0; g < s->groups; g++)
		cells += summary_has(p, s, g, v);
	for (uint32_t b = 0; cells > 0 && b < summary_bins(p, v); b++) {
		bool refined = summary_refined(p, s, v, b);

		for (uint32_t k = 0; k < (refined ? parts : 1); k++) {
			uint64_t position = (uint64_t)b * SUMMARY_PARTS + k;
			bool one_value = p->spec.variables[v].whole &&
			    (refined ? part_width(p, v) : bin_width(p, v)) == 1;

			for (uint32_t g = 0; g < s->groups; g++)
				j->n[g] = !summary_has(p, s, g, v) ? 0
				    : refined ? sum_count(counts, sum, (*at)++)
					      : bin_at(p, s, g, v)[b];
			add_ranks(p, s, v, j, one_value);
			add_place(p, s, j, position);
		}
	}
	close_last(p, s, j);
}

/* Do the parts of each refined bin add up to it? */
static bool
parts_agree(const struct plan *p, const struct summary *s, uint32_t v,
    const struct group *counts, const uint64_t *sum, size_t at)
{
	uint32_t parts = summary_parts(p, v), cells = 0, c;

	for (uint32_t g = 0; g < s->groups; g++)
		cells += summary_has(p, s, g, v);
	for (uint32_t b = 0; cells > 0 && b < summary_bins(p, v); b++) {
		if (!summary_refined(p, s, v, b))
			continue;
		c = 0;
		for (uint32_t g = 0; g < s->groups; g++) {
			uint64_t n = 0;

			if (!summary_has(p, s, g, v))
				continue;
			for (uint32_t k = 0; k < parts; k++)
				n += sum_count(
				    counts, sum, at + (size_t)k * cells + c);
			if (n != bin_at(p, s, g, v)[b])
				return false;
			c++;
		}
		at += (size_t)cells * parts;
	}
	return true;
}

/* The bins of all variables, one after the other, become the state's tail. */
static int
keep_bins(struct plan *p, struct summary *s, const uint64_t *all, size_t n)
{
	if (set_tail(p, s, n) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		s->tail[i] = all[i];
	return 0;
}

static int
sums_step(struct plan *p, const uint64_t *sum)
{
	const struct group *counts;
	struct joint j = { 0 };
	struct summary s;
	uint64_t *all = NULL;
	size_t row, at = 0, n = 0, most;
	int ret = -1;

	summary_at(p, &s);
	row = 1 + (size_t)s.groups;
	most = ((size_t)p->spec.summary_bins * SUMMARY_PARTS + 1) * row;
	counts = read_sums(p, &s, sum);
	j.n = calloc(s.groups, sizeof(*j.n));
	all = calloc((most + 1) * s.variables, sizeof(*all));
	if (j.n == NULL || all == NULL)
		goto out;
	for (uint32_t v = 0; v < s.variables; v++) {
		j.out = all + n + 1;
		if (summary_is_number(p, v)) {
			if (!parts_agree(p, &s, v, counts, sum, at)) {
				ret = 1;
				goto out;
			}
			join_bins(p, &s, v, &j, counts, sum, &at);
		}
		all[n] = summary_is_number(p, v) ? j.n_out : 0;
		n += 1 + all[n] * row;
	}
	if ((ret = keep_bins(p, &s, all, n)) == 0)
		plan_end(p, FIT_OK);
out:
	free(j.n);
	free(all);
	return ret;
}

static int
check_variables(const struct model_spec *s, struct err *err)
{
	uint32_t next = 0;

	if (s->n_variables < 1 || s->n_variables > MODEL_TERMS_MAX ||
	    s->n_levels > MODEL_LEVELS_MAX)
		return err_set(err, ERR_CONFIG,
		    "%u variables with %u levels, expected 1 to %d with at "
		    "most %d",
		    s->n_variables, s->n_levels, MODEL_TERMS_MAX,
		    MODEL_LEVELS_MAX);
	for (uint32_t v = 0; v < s->n_variables; v++) {
		const struct model_variable *m = &s->variables[v];
		double most = m->whole ? 1e15 : 1e30;

		if (m->n_levels > 0 &&
		    (m->first_level != next || m->n_levels > s->n_levels ||
			next > s->n_levels - m->n_levels))
			return err_set(err, ERR_CONFIG,
			    "variable %u: its levels are not the next ones",
			    v + 1);
		next += m->n_levels;
		if (m->n_levels == 0 &&
		    !(m->min >= -most && m->max <= most && m->min < m->max))
			return err_set(err, ERR_CONFIG,
			    "variable %u: its range is not two numbers in "
			    "order within +-%g",
			    v + 1, most);
	}
	return 0;
}

static int
check(const struct model_spec *s, struct err *err)
{
	uint64_t cells = (uint64_t)s->n_terms * s->n_variables;

	if (check_variables(s, err) == -1)
		return -1;
	if (s->summary_bins < 4 || s->summary_bins > SUMMARY_BINS_MAX ||
	    s->dominance > 100)
		return err_set(err, ERR_CONFIG,
		    "%u bins, dominance %u%%: expected 4 to %u, 0 to 100",
		    s->summary_bins, s->dominance, SUMMARY_BINS_MAX);
	if (cells * s->summary_bins * SUMMARY_PARTS > SUMMARY_COUNTS_MAX)
		return err_set(err, ERR_CONFIG,
		    "%u variables in %u groups with %u bins are too many (the "
		    "product may be %u)",
		    s->n_variables, s->n_terms, s->summary_bins,
		    SUMMARY_COUNTS_MAX / SUMMARY_PARTS);
	return 0;
}

/* The bins at the end: as many as they say, in order, with all rows. */
static bool
tail_is_sane(const struct plan *p, const struct summary *s)
{
	size_t row = 1 + (size_t)s->groups, at = 0;

	for (uint32_t v = 0; v < s->variables; v++) {
		uint64_t most = (uint64_t)summary_bins(p, v) * SUMMARY_PARTS;
		uint64_t n;

		if (at >= s->n_tail)
			return false;
		n = s->tail[at++];
		if (!summary_is_number(p, v) && n != 0)
			return false;
		if (n > (s->n_tail - at) / row)
			return false;
		for (uint64_t b = 0; b < n; b++, at += row) {
			if (s->tail[at] >= most ||
			    (b > 0 && s->tail[at] <= s->tail[at - row]))
				return false;
			for (uint32_t g = 0; g < s->groups; g++)
				if (s->tail[at + 1 + g] > p->n)
					return false;
		}
	}
	return at == s->n_tail;
}

static bool
cells_are_sane(const struct plan *p)
{
	struct summary s;
	size_t head = head_length(p), bins;

	/* Before it has counted, or if it ended before that. */
	if (p->n_cells == 0)
		return p->n_reals == 0 &&
		    (p->phase == PHASE_COUNTS || p->phase == PHASE_DONE);
	if (!summary_at(p, &s))
		return false;
	for (size_t i = 0; i < head; i++)
		if (p->cells[i] > p->n)
			return false;
	for (size_t i = 0; i < (size_t)s.groups * s.variables; i++)
		if (s.summed[i] > 1 || s.strict[i] > 1)
			return false;
	bins = (size_t)s.groups * s.variables * p->spec.summary_bins;
	if (p->phase == PHASE_COUNTS || p->phase == PHASE_BINS)
		return s.n_tail == 0;
	if (p->phase == PHASE_DONE)
		return s.n_tail == 0 || tail_is_sane(p, &s);
	for (size_t i = 0; i < s.n_tail; i++)
		if (s.tail[i] > p->n)
			return false;
	for (uint32_t v = 0; v < s.variables; v++)
		if (summary_is_number(p, v) &&
		    !(s.centre[v] >= p->spec.variables[v].min - 1.0 &&
			s.centre[v] <= p->spec.variables[v].max + 1.0) &&
		    s.centre[v] != 0.0)
			return false;
	return s.n_tail == bins;
}

const struct plan_kind plan_summary = {
	.name = "summary",
	.has_groups = true,
	.check = check,
	.rounds = { [PHASE_COUNTS] = { "counts", counts_layout, counts_step },
	    [PHASE_BINS] = { "bins", bins_layout, bins_step },
	    [PHASE_SUMS] = { "sums", sums_layout, sums_step } },
	.cells_are_sane = cells_are_sane,
};

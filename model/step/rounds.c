#include "model/step/rounds.h"

#include <stdlib.h>
#include <string.h>

#include "common/macros.h"
#include "model/step/ldl.h"

/* A fit with hardly more patients than terms is about single patients. */
int
rounds_counted(struct plan *p, uint64_t events)
{
	if (events < (uint64_t)p->spec.events_per_term * p->spec.n_terms)
		plan_end(p, FIT_FEW_PER_TERM);
	else
		p->phase = PHASE_MOMENTS;
	return 0;
}

/* Sums of x - centre and of its square over the rows that are used. */
void
moments_layout(const struct plan *p, struct layout *l)
{
	double rows = p->spec.rows_per_site;

	for (uint32_t i = 0; i < p->spec.n_terms; i++) {
		const struct model_term *t = &p->spec.terms[i];
		double half = 0.5 * (t->max - t->min);

		layout_reals(l, 1, num_bits(rows * half) + 1);
		layout_reals(l, 1, num_bits(rows * half * half) + 1);
	}
	if (plan_sums_offset(p))
		layout_reals(l, 1, num_bits(rows * p->spec.offset_max) + 1);
}

/* All are 0 or 1: then each is as far from 1/2. */
static bool
is_level(const struct plan *p, uint32_t term, double square)
{
	return plan_centre(p, term) == 0.5 && square == 0.25;
}

/* Rows of a level and of all others: neither is some, but too few. */
static bool
level_is_enough(const struct plan *p, double rows)
{
	double others = (double)p->n_used - rows, s = p->spec.risk_set_step;

	return !(rows > 0.5 && rows < s - 0.5) &&
	    !(others > 0.5 && others < s - 0.5);
}

int
moments_step(struct plan *p, const uint64_t *sum)
{
	double n = (double)p->n_used;

	p->constant = p->aliased = 0;
	for (uint32_t i = 0; i < p->spec.n_terms; i++) {
		const struct group *g = &p->next.groups[2 * i];
		double m = sum_real(g, sum, 0) / n;
		double square = sum_real(g + 1, sum, 0) / n;
		double v = square - m * m;

		p->mean[i] = plan_centre(p, i) + m;
		/*
		 * Who is in no risk set is not among the rows any more.  (A
		 * term that is left out has sums of 0 and is a constant.)
		 */
		if (is_level(p, i, square) &&
		    !level_is_enough(p, p->mean[i] * n))
			p->few |= UINT64_C(1) << i;
		/* What rounding makes of a constant is no variance. */
		if ((p->few >> i & 1) != 0 || !(v > 1e-13 * square) ||
		    !(v > 0.0)) {
			p->sd[i] = 0.0;
			p->constant |= UINT64_C(1) << i;
		} else
			p->sd[i] = num_sqrt(v);
	}
	p->phase = PHASE_NEWTON;
	if (plan_parameters(p) == plan_has_intercept(p))
		plan_end(p, FIT_NO_TERMS);
	else if (plan_sums_offset(p)) {
		const struct group *g = &p->next.groups[2 * p->spec.n_terms];
		double unit =
		    plan_kind_of(p->spec.kind)->scales_y ? p->y_sd : 1.0;

		p->beta[0] -= sum_real(g, sum, 0) / n / unit;
		p->phase = PHASE_NULL;
	}
	return 0;
}

static bool
pairs_are_local(const struct plan *p)
{
	return p->spec.strata == STRATA_SITE;
}

int
rounds_evaluate(struct plan *p)
{
	uint32_t off = plan_has_intercept(p), n = plan_parameters(p) - off;

	if (pairs_are_local(p)) {
		p->phase = PHASE_PAIRS;
		return 0;
	}
	p->phase = PHASE_SCORES;
	p->score_sd =
	    num_sqrt(MAX(packed_form(p->cov_z, n, p->beta + off), 0.0));
	p->bins = p->spec.concordance_bins;
	p->scores = calloc(p->bins, sizeof(*p->scores));
	return p->scores == NULL ? -1 : 0;
}

void
scores_layout(const struct plan *p, struct layout *l)
{
	layout_counts(l, p->bins, p->spec.rows_per_site);
}

int
scores_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = &p->next.groups[0];
	uint64_t total = 0;

	for (uint32_t i = 0; i < p->bins; i++)
		total += sum_count(g, sum, i);
	if (total != p->n_used)
		return 1;
	for (uint32_t i = 0; i < p->bins; i++)
		p->scores[i] = sum_count(g, sum, i);
	p->phase = PHASE_PAIRS;
	return 0;
}

int
pair_round(const struct plan *p, struct pair_round *r)
{
	*r = (struct pair_round){ 0 };
	if (pairs_plan(&r->tree, &p->grid, p->spec.has_entry,
		p->spec.concordance_bins) == -1)
		return -1;
	r->to_bin = calloc(p->bins + 1, sizeof(*r->to_bin));
	if (r->to_bin == NULL) {
		pair_round_free(r);
		return -1;
	}
	if (r->tree.bins > 0)
		pairs_equalise(p->scores, p->bins, r->tree.bins, r->to_bin);
	r->heavy = pairs_heavy(p->n_used, p->bins, p->spec.risk_set_step);
	for (uint32_t i = 0; i < p->bins; i++)
		r->n_heavy += p->scores[i] >= r->heavy;
	return 0;
}

void
pair_round_free(struct pair_round *r)
{
	pairs_free(&r->tree);
	free(r->to_bin);
	*r = (struct pair_round){ 0 };
}

/*
 * The cells, then over the rows of each heavy first-round bin the sums of
 * their places and of the squares: all are at one place if n * sum of squares
 * is the square of the sum.  Where sites count their own pairs: concordant,
 * discordant and tied ones.
 */
void
pairs_layout(const struct plan *p, struct layout *l)
{
	uint64_t rows = p->spec.rows_per_site;
	struct pair_round r;

	if (pairs_are_local(p)) {
		layout_counts(l, 3, rows * rows);
		return;
	}
	if (pair_round(p, &r) == -1) {
		l->failed = true;
		return;
	}
	layout_counts(l, r.tree.n_cells, rows);
	layout_counts(l, r.n_heavy, rows * PAIRS_PLACES);
	layout_counts(l, r.n_heavy, rows * PAIRS_PLACES * PAIRS_PLACES);
	pair_round_free(&r);
}

static bool
all_tied(uint64_t n, uint64_t sum, uint64_t squares)
{
	return (wide)n * squares == (wide)sum * sum;
}

static int
count_pairs(struct plan *p, const struct pair_round *r, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	uint32_t *filled = calloc((size_t)r->tree.bins + 1, sizeof(*filled));
	uint32_t *mixed = calloc((size_t)r->tree.bins + 1, sizeof(*mixed));
	struct pair_counts c;
	int ret = -1;

	if (filled == NULL || mixed == NULL)
		goto out;
	for (uint32_t i = 0, h = 0; i < p->bins; i++) {
		uint64_t n = p->scores[i];
		bool tied = n == 1;

		if (n >= r->heavy) {
			tied = all_tied(n, sum_count(&g[1], sum, h),
			    sum_count(&g[2], sum, h));
			h++;
		}
		filled[r->to_bin[i]] += n > 0;
		mixed[r->to_bin[i]] += n > 0 && !tied;
	}
	ret = pairs_count(&r->tree, sum + g[0].word_at, filled, mixed, &c);
	if (ret != 0)
		goto out;
	p->concordant = c.concordant;
	p->discordant = c.discordant;
	p->tied = c.tied;
	p->tied_by_bins = c.tied_by_bins;
	ret = 0;
out:
	free(filled);
	free(mixed);
	return ret;
}

int
pairs_step(struct plan *p, const uint64_t *sum)
{
	const struct group *g = p->next.groups;
	struct pair_round r;
	int ret = 0;

	if (pairs_are_local(p)) {
		p->concordant = (double)sum_count(g, sum, 0);
		p->discordant = (double)sum_count(g, sum, 1);
		p->tied = (double)sum_count(g, sum, 2);
	} else {
		if (pair_round(p, &r) == -1)
			return -1;
		ret = count_pairs(p, &r, sum);
		pair_round_free(&r);
	}
	if (ret == 0)
		plan_end(p, FIT_OK);
	return ret;
}

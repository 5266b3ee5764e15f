#include "model/step/few.h"

#include "common/macros.h"
#include "model/step/kind.h"

void
few_layout(const struct plan *p, struct layout *l)
{
	size_t n = p->spec.n_terms;

	layout_counts(l, FEW_KINDS * n, p->spec.rows_per_site);
	layout_counts(l, FEW_KINDS * n, 1);
}

double
few_base(const struct plan *p, uint32_t term, int kind)
{
	const struct model_term *t = &p->spec.terms[term];

	if (kind == FEW_ZERO)
		return MAX(t->min, MIN(0.0, t->max));
	return kind == FEW_LOW ? t->min : t->max;
}

uint32_t
few_effect(const struct plan *p, uint32_t term)
{
	const struct model_term *t = p->spec.terms;
	uint32_t first = term;

	while (p->spec.n_effects > 0 && first > 0 &&
	    t[first - 1].effect == t[term].effect)
		first--;
	return first;
}

/* Patients, and the sites that have some. */
struct who {
	uint64_t n, sites;
};

static struct who
who(const struct plan *p, const uint64_t *sum, uint32_t term, int kind)
{
	const struct group *g = p->next.groups + p->next.n_groups - FEW_GROUPS;
	size_t i = (size_t)kind * p->spec.n_terms + term;

	return (struct who){ sum_count(&g[FEW_PATIENTS], sum, i),
		sum_count(&g[FEW_SITES], sum, i) };
}

static bool
is_few(const struct plan *p, struct who w)
{
	return !plan_is_enough(p, w.n) || plan_few_sites(p, w.sites);
}

static bool
is_out(const struct plan *p, uint32_t term)
{
	return (p->few >> term & 1) != 0;
}

static void
leave_out(struct plan *p, uint32_t term)
{
	p->few |= UINT64_C(1) << term;
}

/* Who has none of the terms first to end - 1: with those that are left out, as
   nothing tells them apart any more. */
static struct who
who_has_none(
    const struct plan *p, const uint64_t *sum, uint32_t first, uint32_t end)
{
	struct who none = who(p, sum, first, FEW_NONE);

	for (uint32_t i = first; i < end; i++) {
		struct who w = who(p, sum, i, FEW_ZERO);

		if (!is_out(p, i))
			continue;
		none.n += w.n;
		none.sites = MAX(none.sites, w.sites);
	}
	return none;
}

/* The rarest of the terms that are left; end: there is none. */
static uint32_t
rarest(const struct plan *p, const uint64_t *sum, uint32_t first, uint32_t end)
{
	uint32_t least = end;

	for (uint32_t i = first; i < end; i++)
		if (!is_out(p, i) &&
		    (least == end ||
			who(p, sum, i, FEW_ZERO).n <
			    who(p, sum, least, FEW_ZERO).n))
			least = i;
	return least;
}

static bool
are_levels(const struct plan *p, uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++)
		if (p->spec.terms[i].min != 0.0 || p->spec.terms[i].max != 1.0)
			return false;
	return true;
}

bool
few_step(struct plan *p, const uint64_t *sum)
{
	uint32_t n = p->spec.n_terms, end, least;

	p->few = 0;
	for (uint32_t i = 0; i < n; i++) {
		for (int kind = FEW_ZERO; kind < FEW_KINDS; kind++) {
			struct who w = who(p, sum, i, kind);

			if (w.n > p->n || w.sites > w.n)
				return false;
			if (kind != FEW_NONE && is_few(p, w))
				leave_out(p, i);
		}
	}
	for (uint32_t first = 0; first < n; first = end) {
		for (end = first + 1; end < n && few_effect(p, end) == first;)
			end++;
		while (are_levels(p, first, end) &&
		    is_few(p, who_has_none(p, sum, first, end)) &&
		    (least = rarest(p, sum, first, end)) < end)
			leave_out(p, least);
	}
	return true;
}

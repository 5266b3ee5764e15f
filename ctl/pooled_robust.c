/*
 * Robust standard errors of the independent check: each row's scores by the
 * textbook, then the sum over clusters of U U'.  A Cox model's is the score
 * residual of Therneau and Grambsch (2000), section 4.3, row by death.
 */
#include <stdlib.h>

#include "common/err.h"
#include "ctl/pooled_likelihood.h"

/* One death: those who are at risk then, with Efron's part of the tied taken
   off. */
struct death {
	size_t stratum;
	double time;
	long double done; /* the share of the tied that is taken off */
	long double s0;
	long double *mean; /* (p) */
};

static bool
at_risk(const struct pooled_row *r, size_t stratum, double time)
{
	return r->stratum == stratum && r->after < time && r->time >= time;
}

/* Sums over who is at risk when row `first` leaves, less done of its tied. */
static void
sum_death(const struct pooled_row *rows, size_t n, size_t p,
    const long double *risk, const struct pooled_row *first, struct death *d)
{
	d->stratum = first->stratum;
	d->time = first->time;
	for (size_t i = 0; i < n; i++) {
		const struct pooled_row *r = &rows[i];
		long double w = risk[i];

		if (!at_risk(r, d->stratum, d->time))
			continue;
		if (r->event && r->time == d->time)
			w *= 1 - d->done;
		d->s0 += w;
		for (size_t a = 0; a < p; a++)
			d->mean[a] += w * r->x[a];
	}
	for (size_t a = 0; a < p; a++)
		d->mean[a] /= d->s0;
}

/* One death's part of a row's scores. */
static void
add_death(const struct pooled_row *r, long double risk, const struct death *d,
    size_t tied, size_t p, long double *score)
{
	bool own = r->event && r->time == d->time;
	long double hazard = risk * (own ? 1 - d->done : 1) / d->s0;

	for (size_t a = 0; a < p; a++) {
		long double away = r->x[a] - d->mean[a];

		score[a] +=
		    (own ? away / (long double)tied : 0) - hazard * away;
	}
}

static size_t
count_tied(const struct pooled_row *rows, size_t n, size_t i, size_t *end)
{
	size_t tied = 0, j = i;

	for (; j < n && rows[j].stratum == rows[i].stratum &&
	     rows[j].time == rows[i].time;
	     j++)
		tied += rows[j].event;
	*end = j;
	return tied;
}

static int
cox_scores(const struct pooled_model *m, const struct pooled_row *rows,
    size_t n, size_t p, const long double *beta, long double *scores)
{
	bool failed = false;
	long double *risk = pooled_zeroed(n, sizeof(*risk), &failed);
	long double *mean = pooled_zeroed(p, sizeof(*mean), &failed);

	for (size_t i = 0; !failed && i < n; i++)
		risk[i] = pooled_risk(&rows[i], beta, p);
	for (size_t i = 0, end; !failed && i < n; i = end) {
		size_t tied = count_tied(rows, n, i, &end);

		for (size_t l = 0; l < tied; l++) {
			struct death d = { .mean = mean };

			if (m->efron)
				d.done = (long double)l / (long double)tied;
			for (size_t a = 0; a < p; a++)
				mean[a] = 0;
			sum_death(rows, n, p, risk, &rows[i], &d);
			for (size_t k = 0; k < n; k++)
				if (at_risk(&rows[k], d.stratum, d.time))
					add_death(&rows[k], risk[k], &d, tied,
					    p, scores + k * p);
		}
	}
	free(risk);
	free(mean);
	return failed ? -1 : 0;
}

/* Whose row it is: clusters are rows that are alike in this. */
struct owner {
	size_t site, row;
	double patient;
};

static int
compare_owners(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return (x->patient > y->patient) - (x->patient < y->patient);
}

static void
add_clusters(const struct owner *owners, size_t n, size_t p,
    const long double *scores, long double *u, long double *meat)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t a = 0; a < p; a++)
			u[a] += scores[owners[i].row * p + a];
		if (i + 1 < n &&
		    compare_owners(&owners[i], &owners[i + 1]) == 0)
			continue;
		for (size_t a = 0; a < p; a++)
			for (size_t b = 0; b < p; b++)
				meat[a * p + b] += u[a] * u[b];
		for (size_t a = 0; a < p; a++)
			u[a] = 0;
	}
}

int
pooled_meat(const struct pooled_model *m, const struct pooled_row *rows,
    size_t n, size_t p, const long double *beta, long double *meat,
    struct err *err)
{
	bool failed = false;
	long double *scores = pooled_zeroed(n * p, sizeof(*scores), &failed);
	long double *u = pooled_zeroed(p, sizeof(*u), &failed);
	struct owner *owners = pooled_zeroed(n, sizeof(*owners), &failed);
	bool site = m->errors == POOLED_BY_SITE;

	for (size_t i = 0; !failed && i < n; i++) {
		long double s;

		owners[i] = (struct owner){ rows[i].site, i,
			site ? 0 : rows[i].patient };
		if (m->cox)
			continue;
		s = pooled_score(m, &rows[i], beta, p);
		for (size_t a = 0; a < p; a++)
			scores[i * p + a] = s * rows[i].x[a];
	}
	if (!failed && m->cox)
		failed = cox_scores(m, rows, n, p, beta, scores) < 0;
	if (!failed) {
		qsort(owners, n, sizeof(*owners), compare_owners);
		add_clusters(owners, n, p, scores, u, meat);
	}
	free(scores);
	free(u);
	free(owners);
	return failed ? err_sys(err, "pooled fit") : 0;
}

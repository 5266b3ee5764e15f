/*
 * A grid of one stratum's own; with delayed entry everything is counted row by row
 * for each span of event times that could become an interval.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ctl/pooled_parts.h"

struct interval {
	double start;
	size_t leavers, events;
};

static bool
enough(const struct interval *v, size_t step, bool efron)
{
	size_t censored = v->leavers - v->events;

	if (v->events == 0 || v->leavers < step)
		return false;
	return !efron ||
	    (v->events >= step && (censored == 0 || censored >= step));
}

/* rows: (n) of one stratum, latest first.  out has room for n. */
static size_t
make_intervals(const struct pooled_row *rows, size_t n, size_t step, bool efron,
    struct interval *out)
{
	struct interval open = { 0 }, rest = { 0 };
	size_t k = 0;

	for (size_t i = 0, j; i < n; i = j) {
		size_t before = open.events;

		for (j = i; j < n && rows[j].time == rows[i].time; j++) {
			open.leavers++;
			open.events += rows[j].event;
		}
		if (open.events == before)
			continue;
		open.start = rows[i].time;
		rest = open; /* who leaves before any event is at no risk */
		if (enough(&open, step, efron)) {
			out[k++] = open;
			memset(&open, 0, sizeof(open));
			memset(&rest, 0, sizeof(rest));
		}
	}
	if (k == 0 || rest.events == 0)
		return k;
	/* What is left at the beginning goes to its neighbours. */
	out[k++] = rest;
	while (k > 1) {
		out[k - 2].start = out[k - 1].start;
		out[k - 2].leavers += out[k - 1].leavers;
		out[k - 2].events += out[k - 1].events;
		k--;
		if (enough(&out[k - 1], step, efron))
			return k;
	}
	return 0;
}

/* Delayed entry: rows, joined where nothing changes between them. */
struct delayed {
	struct pooled_row *rows;
	bool *continues; /* (n) it begins when a row of the patient ends */
	size_t n, p, step;
	double *events; /* (n_events) times with an event, the earliest first */
	size_t n_events;
	bool efron, tail_joins; /* who comes after all events enters the last */
};

static int
by_patient(const void *a, const void *b)
{
	const struct pooled_row *x = a, *y = b;

	if (x->patient != y->patient)
		return x->patient < y->patient ? -1 : 1;
	return (x->time > y->time) - (x->time < y->time);
}

static void
join_rows(struct delayed *d)
{
	size_t n = 0;

	qsort(d->rows, d->n, sizeof(*d->rows), by_patient);
	for (size_t i = 0; i < d->n; i++) {
		struct pooled_row b = d->rows[i], *a = &d->rows[n - (n > 0)];
		bool follows =
		    n > 0 && a->patient == b.patient && a->time == b.after;

		if (follows && !a->event && a->offset == b.offset &&
		    memcmp(a->x, b.x, d->p * sizeof(*a->x)) == 0) {
			b.after = a->after;
			*a = b;
			continue;
		}
		d->continues[n] = follows;
		d->rows[n++] = b;
	}
	d->n = n;
}

static double
event_at(const struct delayed *d, size_t k)
{
	return k < d->n_events ? d->events[k] : HUGE_VAL;
}

/* Rows that leave (or enter) from one time on and before another. */
static size_t
count(const struct delayed *d, bool enter, bool continuing, double from,
    double to)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		double t = enter ? d->rows[i].after : d->rows[i].time;

		n += t >= from && t < to && (!continuing || d->continues[i]);
	}
	return n;
}

static bool
none_or(const struct delayed *d, size_t n)
{
	return n == 0 || n >= d->step;
}

/* Events first to last, together: an interval by the rule of model/step/grid.h? */
static bool
may_be_interval(const struct delayed *d, size_t first, size_t last)
{
	double start = event_at(d, first), end = event_at(d, last + 1);
	double enters = first == 0 ? -HUGE_VAL : event_at(d, first - 1);
	double until = last + 1 == d->n_events && d->tail_joins
	    ? HUGE_VAL
	    : event_at(d, last);
	size_t leave = count(d, false, false, start, end), events = 0, risk = 0;
	size_t come = count(d, true, false, enters, until);
	size_t back = count(d, true, true, start, end); /* of who leaves */
	size_t known = count(d, true, true, enters, until);

	for (size_t i = 0; i < d->n; i++) {
		const struct pooled_row *r = &d->rows[i];

		events += r->event && r->time >= start && r->time < end;
		risk += r->after < until && r->time >= start;
	}
	return leave >= d->step &&
	    (!d->efron || (events >= d->step && none_or(d, leave - events))) &&
	    risk >= d->step && none_or(d, leave - back) && none_or(d, back) &&
	    (first == 0 || (none_or(d, come - known) && none_or(d, known)));
}

/* From the last event backwards; what is left at the beginning goes on. */
static size_t
delayed_intervals(struct delayed *d, double *starts, double *lasts)
{
	size_t n = 0, last = d->n_events - 1, first[2], k;
	double tail = event_at(d, d->n_events - 1);

	d->tail_joins = d->n_events > 0 &&
	    !(none_or(d,
		  count(d, true, false, tail, HUGE_VAL) -
		      count(d, true, true, tail, HUGE_VAL)) &&
		none_or(d, count(d, true, true, tail, HUGE_VAL)));
	for (k = d->n_events; k-- > 0;) {
		if (!may_be_interval(d, k, last))
			continue;
		starts[n] = event_at(d, k);
		lasts[n++] = (double)last;
		last = k - 1;
	}
	if (n == 0)
		return 0;
	/* The rest, and then the earliest, join their neighbours. */
	if (last != (size_t)-1)
		starts[n - 1] = event_at(d, 0);
	for (; n > 1; n--) {
		first[0] = 0;
		first[1] = (size_t)lasts[n - 1];
		if (may_be_interval(d, first[0], first[1]))
			break;
		starts[n - 2] = starts[n - 1];
	}
	return may_be_interval(d, 0, (size_t)lasts[n - 1]) ? n : 0;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* rows: (n) of one stratum; what it makes of them is the latest first. */
static int
make_delayed(const struct pooled_model *m, struct pooled_row *rows, size_t n,
    size_t step, double *starts, double *lasts, size_t *n_out)
{
	struct delayed d = { .rows = rows,
		.n = n,
		.p = m->n_terms,
		.step = step,
		.efron = m->efron };
	bool failed = false;

	d.continues = pooled_zeroed(n, sizeof(*d.continues), &failed);
	d.events = pooled_zeroed(n, sizeof(*d.events), &failed);
	if (!failed) {
		join_rows(&d);
		for (size_t i = 0; i < d.n; i++)
			if (d.rows[i].event)
				d.events[d.n_events++] = d.rows[i].time;
		qsort(d.events, d.n_events, sizeof(*d.events), compare_doubles);
		for (size_t i = n = 0; i < d.n_events; i++)
			if (n == 0 || d.events[i] > d.events[n - 1])
				d.events[n++] = d.events[i];
		d.n_events = n;
		*n_out = n == 0 ? 0 : delayed_intervals(&d, starts, lasts);
		for (size_t i = 0; i < *n_out; i++)
			lasts[i] = i == 0 && d.tail_joins
			    ? HUGE_VAL
			    : d.events[(size_t)lasts[i]];
	}
	free(d.continues);
	free(d.events);
	return failed ? -1 : 0;
}

static void
reverse(double *v, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		double t = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = t;
	}
}

int
pooled_grid_make(const struct pooled *p, size_t stratum, size_t step,
    double **starts, double **lasts, size_t *n, struct err *err)
{
	bool delayed = p->model->entry != NULL || p->model->n_cuts > 0;
	bool failed = false;
	struct pooled_row *rows = pooled_zeroed(p->n, sizeof(*rows), &failed);
	struct interval *v = pooled_zeroed(p->n, sizeof(*v), &failed);
	size_t n_rows = 0;

	*starts = pooled_zeroed(p->n, sizeof(**starts), &failed);
	*lasts = pooled_zeroed(p->n, sizeof(**lasts), &failed);
	for (size_t i = 0; !failed && i < p->n; i++)
		if (p->rows[i].stratum == stratum)
			rows[n_rows++] = p->rows[i];
	if (!failed && delayed)
		failed = make_delayed(p->model, rows, n_rows, step, *starts,
			     *lasts, n) < 0;
	else if (!failed) {
		qsort(rows, n_rows, sizeof(*rows), pooled_latest_first);
		*n = make_intervals(rows, n_rows, step, p->model->efron, v);
		for (size_t i = 0; i < *n; i++)
			(*starts)[i] = v[i].start;
	}
	free(rows);
	free(v);
	if (failed) {
		free(*starts);
		free(*lasts);
		*starts = *lasts = NULL;
		return err_sys(err, "pooled fit");
	}
	reverse(*starts, *n);
	reverse(*lasts, *n);
	return 0;
}

#include "model/step/newton.h"

#include <string.h>

#include "common/macros.h"
#include "model/step/kind.h"
#include "model/step/ldl.h"

/*
 * 1 - R^2 of a term on those before it.  At the start a smaller one means that
 * the term is a combination of others; later, that the fit has lost it.
 */
#define ALIASED 1e-10
#define LOST 1e-12

#define HALVINGS_MAX 20

/* A likelihood that grows by less than this is flat ... */
#define FLAT 1e-4
/* ... and a step that has not shrunk to this share of the last runs away, */
#define RUNNING 0.3
/* unless it moves no linear predictor by more than this. */
#define MOVING 0.05

static uint32_t
term_of(const struct plan *p, uint32_t parameter)
{
	uint32_t active[MODEL_TERMS_MAX];

	plan_active(p, active);
	return active[parameter - plan_has_intercept(p)];
}

static bool
is_intercept(const struct plan *p, uint32_t parameter)
{
	return parameter == 0 && plan_has_intercept(p);
}

static void
blame(struct plan *p, uint32_t parameter)
{
	if (!is_intercept(p, parameter))
		p->blamed |= UINT64_C(1) << term_of(p, parameter);
}

static void
drop(double *v, uint32_t n, uint32_t k)
{
	memmove(v + k, v + k + 1, (n - k - 1) * sizeof(*v));
	v[n - 1] = 0.0;
}

/* Leave out what is a combination of the terms before it, as R does. */
static void
drop_aliased(struct plan *p, struct newton_sums *s)
{
	double f[PACKED(PAR_MAX)];

	for (;;) {
		uint32_t n = plan_parameters(p), off = plan_has_intercept(p);
		int64_t bad;

		memcpy(f, s->info, PACKED(n) * sizeof(*f));
		bad = ldl_factor(f, n, ALIASED);
		if (bad < 0 || is_intercept(p, (uint32_t)bad))
			return;
		packed_drop(s->info, n, (uint32_t)bad);
		if (s->has_expected)
			packed_drop(s->expected, n, (uint32_t)bad);
		packed_drop(p->cov_z, n - off, (uint32_t)bad - off);
		drop(s->score, n, (uint32_t)bad);
		drop(p->event_z, n - off, (uint32_t)bad - off);
		drop(p->beta, n, (uint32_t)bad);
		p->aliased |= UINT64_C(1) << term_of(p, (uint32_t)bad);
		if (plan_parameters(p) == off)
			return;
	}
}

static bool
all_finite(const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!num_finite(v[i]))
			return false;
	}
	return true;
}

static bool
sums_are_finite(const struct plan *p, const struct newton_sums *s)
{
	uint32_t n = plan_parameters(p);

	return num_finite(s->loglik) && all_finite(s->score, n) &&
	    all_finite(s->info, PACKED(n)) &&
	    all_finite(s->expected, PACKED(n));
}

static void
go_back_half(struct plan *p)
{
	uint32_t n = plan_parameters(p);

	if (p->halving == HALVINGS_MAX ||
	    p->iterations >= p->spec.max_iterations) {
		memcpy(p->beta, p->base, sizeof(p->beta));
		plan_end(p, FIT_NOT_CONVERGED);
		return;
	}
	p->halving++;
	p->halvings++;
	for (uint32_t i = 0; i < n; i++)
		p->beta[i] =
		    p->base[i] + p->step[i] * num_pow2(-(int)p->halving);
}

/* Has this parameter moved as before, and far enough to matter? */
static bool
runs_away(const struct plan *p, const double *moved, const double *delta,
    uint32_t j, double largest)
{
	double size = num_abs(delta[j]), reach = 1.0;

	if (!is_intercept(p, j))
		reach = plan_z_max(p, term_of(p, j));
	return size >= RUNNING * num_abs(moved[j]) && size >= 0.1 * largest &&
	    size * reach >= MOVING;
}

/*
 * Separation: the likelihood is flat, yet a coefficient keeps moving.  (Near
 * an optimum Newton's steps shrink quadratically.)  True if the plan ended.
 */
static bool
ended_by_separation(
    struct plan *p, const double *moved, const double *delta, double gain)
{
	uint32_t n = plan_parameters(p);
	double largest = 0.0;
	uint64_t before = p->blamed;
	bool any = false;

	for (uint32_t j = 0; j < n; j++) {
		if (!is_intercept(p, j))
			largest = MAX(largest, num_abs(delta[j]));
	}
	for (uint32_t j = 0; j < n; j++) {
		if (!is_intercept(p, j) &&
		    runs_away(p, moved, delta, j, largest)) {
			blame(p, j);
			any = true;
		}
	}
	p->flat = any && gain < FLAT ? p->flat + 1 : 0;
	if (p->flat >= 2) {
		plan_end(p, FIT_SEPARATED);
		return true;
	}
	p->blamed = before;
	return false;
}

/*
 * Newton's step from the accepted point, delta; *ratio is the largest of
 * (step / se)^2.  -1 if the plan ended.
 */
static int
newton_delta(
    struct plan *p, const struct newton_sums *s, double *delta, double *ratio)
{
	double f[PACKED(PAR_MAX)], inverse[PACKED(PAR_MAX)], column[PAR_MAX];
	uint32_t n = plan_parameters(p);
	int64_t bad;

	memcpy(f, s->info, PACKED(n) * sizeof(*f));
	if ((bad = ldl_factor(f, n, LOST)) >= 0) {
		blame(p, (uint32_t)bad);
		plan_end(p, FIT_SINGULAR);
		return -1;
	}
	memcpy(delta, s->score, n * sizeof(*delta));
	ldl_solve(f, n, delta);
	ldl_inverse(f, n, inverse, column);
	*ratio = 0.0;
	for (uint32_t j = 0; j < n; j++) {
		double r = delta[j] * delta[j] / inverse[packed_at(n, j, j)];

		*ratio = MAX(*ratio, r);
	}
	if (!all_finite(delta, n) || !num_finite(*ratio)) {
		plan_end(p, FIT_SINGULAR);
		return -1;
	}
	return 0;
}

static void
accept(struct plan *p, const struct newton_sums *s)
{
	p->loglik = s->loglik;
	memcpy(p->base, p->beta, sizeof(p->base));
	memcpy(
	    p->info, s->has_expected ? s->expected : s->info, sizeof(p->info));
	p->halving = 0;
}

static void
move_on(struct plan *p, const double *delta, double ratio)
{
	uint32_t n = plan_parameters(p);
	double tolerance = p->spec.tolerance;

	memset(p->step, 0, sizeof(p->step));
	for (uint32_t j = 0; j < n; j++) {
		p->step[j] = delta[j];
		p->beta[j] = p->base[j] + delta[j];
	}
	if (ratio <= tolerance * tolerance)
		p->phase = PHASE_SCORES; /* converged: the kind goes on */
	else if (p->iterations >= p->spec.max_iterations) {
		memcpy(p->beta, p->base, sizeof(p->beta));
		plan_end(p, FIT_NOT_CONVERGED);
	}
}

/* More rounds than this mean that it does not converge. */
#define NULL_ROUNDS_MAX 50

/*
 * Its log-likelihood is concave, but may be far from a parabola: no step is
 * longer than 1 (gaussian: there it is a parabola).
 */
void
newton_null(struct plan *p, const struct newton_sums *s)
{
	bool bounded = !plan_kind_of(p->spec.kind)->scales_y;
	double step;

	if (!sums_are_finite(p, s) || !(s->info[0] > 0.0)) {
		plan_end(p, FIT_SUSPECT);
		return;
	}
	step = s->score[0] / s->info[0];
	if (bounded && num_abs(step) > 1.0)
		step = step > 0.0 ? 1.0 : -1.0;
	p->beta[0] += step;
	if (step * step * s->info[0] <= p->spec.tolerance * p->spec.tolerance) {
		p->phase = PHASE_NEWTON;
		p->flat = 0;
	} else if (++p->flat > NULL_ROUNDS_MAX)
		plan_end(p, FIT_NOT_CONVERGED);
}

void
newton_penalize(const struct plan *p, struct newton_sums *s)
{
	uint32_t n = plan_parameters(p);
	double lambda = p->spec.ridge;

	for (uint32_t i = plan_has_intercept(p); i < n && lambda > 0.0; i++) {
		s->loglik -= 0.5 * lambda * p->beta[i] * p->beta[i];
		s->score[i] -= lambda * p->beta[i];
		s->info[packed_at(n, i, i)] += lambda;
		s->expected[packed_at(n, i, i)] += lambda;
	}
}

void
newton_first(struct plan *p, struct newton_sums *s)
{
	double delta[PAR_MAX], ratio;

	p->iterations = 1;
	if (!sums_are_finite(p, s)) {
		plan_end(p, FIT_SUSPECT);
		return;
	}
	p->null_loglik = s->loglik;
	drop_aliased(p, s);
	if (plan_parameters(p) == plan_has_intercept(p)) {
		plan_end(p, FIT_NO_TERMS);
		return;
	}
	accept(p, s);
	if (newton_delta(p, s, delta, &ratio) == -1)
		return;
	p->score_test = 0.0;
	for (uint32_t j = 0; j < plan_parameters(p); j++)
		p->score_test += delta[j] * s->score[j];
	move_on(p, delta, ratio);
}

void
newton_next(struct plan *p, const struct newton_sums *s)
{
	double delta[PAR_MAX], moved[PAR_MAX], ratio, gain;
	uint32_t n = plan_parameters(p);
	/* What rounding alone may take away from the likelihood. */
	double slack = 1e-12 * (1.0 + num_abs(p->loglik));

	p->iterations++;
	if (s != NULL && !sums_are_finite(p, s)) {
		plan_end(p, FIT_SUSPECT);
		return;
	}
	if (s == NULL || s->loglik < p->loglik - slack) {
		go_back_half(p);
		return;
	}
	for (uint32_t j = 0; j < n; j++)
		moved[j] = p->beta[j] - p->base[j];
	gain = s->loglik - p->loglik;
	accept(p, s);
	if (newton_delta(p, s, delta, &ratio) == -1 ||
	    ended_by_separation(p, moved, delta, gain))
		return;
	move_on(p, delta, ratio);
}

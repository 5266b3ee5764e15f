#include "crypto/finished.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/steps.h"
#include "crypto/context.h"
#include "crypto/signed_study.h"

#define ROUND_MIN (8 + 4 + 4 + 1 + 4 + 4) /* bytes of one, in the layout */

int
finished_write(const struct finished *f, struct canon *out, struct err *err)
{
	if (f->n_rounds > FINISHED_ROUNDS_MAX ||
	    f->plan_len > FINISHED_PLAN_MAX)
		return err_set(err, ERR_FORMAT,
		    "a finished study of %zu rounds and %zu bytes of plan",
		    f->n_rounds, f->plan_len);
	canon_text(out, f->consortium);
	canon_raw(out, f->digest, sizeof(f->digest));
	canon_u32(out, f->n_sites);
	canon_u16(out, f->corrupted);
	canon_u32(out, f->smallest_sites);
	canon_bytes(out, f->text, f->text_len);
	canon_bytes(out, f->plan, f->plan_len);
	canon_u32(out, (uint32_t)f->n_rounds);
	for (size_t i = 0; i < f->n_rounds; i++) {
		canon_u64(out, f->rounds[i].round);
		canon_u32(out, f->rounds[i].step);
		canon_text(out, f->rounds[i].kind);
		canon_u32(out, f->rounds[i].n_sites);
		canon_bytes(out, f->rounds[i].set, f->rounds[i].set_len);
	}
	return out->failed ? err_sys(err, "finished study") : 0;
}

int
finished_put(const struct manifest *m, const struct signed_study *study,
    uint32_t smallest_sites, const struct canon *plan, uint32_t n_rounds,
    finished_step_fn *get, void *arg, int64_t id, struct canon *out,
    struct err *err)
{
	struct finished f = {
		.n_sites = (uint32_t)study->n_sites,
		.corrupted = m->policy.corrupted,
		.smallest_sites = smallest_sites,
		.text = study->text,
		.text_len = study->text_len,
		.plan = plan->data,
		.plan_len = plan->len,
		.rounds = calloc(n_rounds + 1, sizeof(*f.rounds)),
		.n_rounds = n_rounds,
	};
	struct canon *sets = calloc(n_rounds + 1, sizeof(*sets));
	struct step step;
	int rv = -1;

	snprintf(f.consortium, sizeof(f.consortium), "%s", m->consortium);
	memcpy(f.digest, study->digest, sizeof(f.digest));
	if (sets == NULL || f.rounds == NULL || plan->failed) {
		err_sys(err, "result");
		goto out;
	}
	for (uint32_t i = 0; i < n_rounds; i++) {
		struct finished_round *x = &f.rounds[i];

		if ((rv = get(arg, id, i + 1, &step, err)) != 1) {
			if (rv == 0)
				rv = err_set(err, ERR_FORMAT,
				    "step %u is missing", i + 1);
			goto out;
		}
		x->round = step.round;
		x->step = i;
		x->n_sites = (uint32_t)step.n_sites;
		context_names(m, step.sites, step.n_sites, &sets[i]);
		if (sets[i].failed) {
			rv = err_sys(err, "result");
			goto out;
		}
		x->set = (const char *)sets[i].data;
		x->set_len = sets[i].len;
		snprintf(x->kind, sizeof(x->kind), "%s", step.kind);
	}
	rv = finished_write(&f, out, err);
out:
	for (size_t i = 0; sets != NULL && i < n_rounds; i++)
		canon_free(&sets[i]);
	free(sets);
	free(f.rounds);
	return rv;
}

static int
get_rounds(struct canon_in *in, struct finished *f, struct err *err)
{
	uint32_t n = canon_get_u32(in);

	if (in->failed || n > FINISHED_ROUNDS_MAX ||
	    n > (size_t)(in->end - in->p) / ROUND_MIN)
		return err_set(err, ERR_FORMAT,
		    "finished study: more rounds than there is room for");
	if ((f->rounds = calloc((size_t)n + 1, sizeof(*f->rounds))) == NULL)
		return err_sys(err, "finished study");
	f->n_rounds = n;
	for (size_t i = 0; i < n; i++) {
		struct finished_round *r = &f->rounds[i];

		r->round = canon_get_u64(in);
		r->step = canon_get_u32(in);
		canon_get_text(in, r->kind, sizeof(r->kind));
		r->n_sites = canon_get_u32(in);
		r->set = (const char *)canon_get_bytes(
		    in, 0, FINISHED_SET_MAX, &r->set_len);
	}
	return canon_end(in, "finished study", err);
}

struct finished *
finished_read(const void *data, size_t len, struct err *err)
{
	struct finished *f = calloc(1, sizeof(*f));
	struct canon_in in = canon_in(data, len);

	if (f == NULL) {
		err_sys(err, "finished study");
		return NULL;
	}
	canon_get_text(&in, f->consortium, sizeof(f->consortium));
	canon_get_raw(&in, f->digest, sizeof(f->digest));
	f->n_sites = canon_get_u32(&in);
	f->corrupted = canon_get_u16(&in);
	f->smallest_sites = canon_get_u32(&in);
	f->text = (const char *)canon_get_bytes(
	    &in, 1, SIGNED_STUDY_TEXT_MAX, &f->text_len);
	f->plan = canon_get_bytes(&in, 1, FINISHED_PLAN_MAX, &f->plan_len);
	if (get_rounds(&in, f, err) < 0) {
		finished_free(f);
		return NULL;
	}
	return f;
}

void
finished_free(struct finished *f)
{
	if (f == NULL)
		return;
	free(f->rounds);
	free(f);
}

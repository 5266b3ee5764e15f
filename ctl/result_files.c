#include "ctl/result_files.h"

#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"
#include "crypto/finished.h"
#include "model/result.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "study/study.h"

/* What stands around the numbers. */
static struct result_meta
describe(const struct finished *f, const struct study *s, const char *digest,
    const struct result_round *rounds)
{
	const struct study_model *m = &s->model;

	return (struct result_meta){
		.study = s->name,
		.study_digest = digest,
		.consortium = f->consortium,
		.purpose = s->purpose,
		.outcome = s->columns[study_outcome(s)].title,
		.time_unit =
		    study_has_time(s) ? s->columns[m->time].unit : NULL,
		.rounds = rounds,
		.n_rounds = f->n_rounds,
		.k = (uint32_t)s->privacy.k,
		.smallest_sites = f->smallest_sites,
		.corrupted = f->corrupted,
		.cohort = s->privacy.cohort == STUDY_FIXED ? "fixed" : "open",
		.verify = study_verify_name(s),
		.noise = "none",
	};
}

static int
write_files(const struct finished *f, const struct study *s, struct canon *json,
    struct canon *text, struct err *err)
{
	static struct model_spec spec; /* some KiB */
	char digest[2 * SIGNED_DIGEST + 1];
	struct result_round *rounds = NULL;
	struct result_meta meta;
	struct plan *plan = NULL;
	int rv = -1;

	if (study_model_spec(s, f->n_sites, &spec, err) < 0 ||
	    (plan = plan_load(&spec, f->plan, f->plan_len, err)) == NULL)
		return -1;
	if ((rounds = calloc(f->n_rounds + 1, sizeof(*rounds))) == NULL) {
		err_sys(err, "result");
		goto out;
	}
	for (size_t i = 0; i < f->n_rounds; i++)
		rounds[i] = (struct result_round){
			.round = f->rounds[i].round,
			.step = f->rounds[i].step,
			.kind = f->rounds[i].kind,
			.n_sites = f->rounds[i].n_sites,
		};
	hex_text(f->digest, sizeof(f->digest), digest);
	meta = describe(f, s, digest, rounds);
	if (result_json(plan, &meta, json, err) == 0)
		rv = result_text(plan, &meta, text, err);
out:
	free(rounds);
	plan_free(plan);
	return rv;
}

int
result_files(const void *body, size_t len, struct canon *json,
    struct canon *text, struct err *err)
{
	struct finished *f = finished_read(body, len, err);
	struct study *s;
	int rv = -1;

	if (f == NULL)
		return -1;
	if ((s = study_parse("study", f->text, f->text_len, err)) != NULL)
		rv = write_files(f, s, json, text, err);
	study_free(s);
	finished_free(f);
	return rv;
}

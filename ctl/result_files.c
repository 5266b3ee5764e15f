#include "ctl/result_files.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/macros.h"
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
		.outcome = study_outcome(s) == STUDY_NONE
		    ? NULL
		    : s->columns[study_outcome(s)].title,
		.time_unit =
		    study_has_time(s) ? s->columns[m->time].unit : NULL,
		.rounds = rounds,
		.n_rounds = f->n_rounds,
		.k = (uint32_t)s->privacy.k,
		.smallest_sites = f->smallest_sites,
		.corrupted = f->corrupted,
		.cohort = s->privacy.cohort == STUDY_FIXED ? "fixed" : "open",
		.verify = study_verify_name(s),
		.noise = s->learning.rounds != 0 ? "discrete gaussian" : "none",
	};
}

/*
 * Sets of sites, from "a b c" to names; and what to say where one is not that
 * of the sum before.
 */

struct sets {
	char *text; /* of all sets, cut into names */
	const char **names; /* of all rounds, one after the other */
	char (*said)[512];
	const char **warnings;
	size_t n_warnings;
};

static void
sets_free(struct sets *x)
{
	free(x->text);
	free(x->names);
	free(x->said);
	free(x->warnings);
}

static bool
same_set(const struct finished_round *a, const struct finished_round *b)
{
	return a->set_len == b->set_len &&
	    (a->set_len == 0 || memcmp(a->set, b->set, a->set_len) == 0);
}

static int
sets_read(const struct finished *f, struct result_round *rounds, struct sets *x,
    struct err *err)
{
	size_t len = 1, n = 1, at = 0, name = 0;

	for (size_t i = 0; i < f->n_rounds; i++) {
		len += f->rounds[i].set_len + 1;
		n += f->rounds[i].set_len / 2 + 1;
	}
	x->text = malloc(len);
	x->names = calloc(n, sizeof(*x->names));
	x->said = calloc(f->n_rounds + 1, sizeof(*x->said));
	x->warnings = calloc(f->n_rounds + 1, sizeof(*x->warnings));
	if (x->text == NULL || x->names == NULL || x->said == NULL ||
	    x->warnings == NULL)
		return err_sys(err, "result");
	for (size_t i = 0; i < f->n_rounds; i++) {
		const struct finished_round *r = &f->rounds[i];
		char *text = x->text + at, *rest = NULL;
		size_t first = name;

		if (i > 0 && !same_set(r, r - 1)) {
			char *w = x->said[x->n_warnings];

			snprintf(w, sizeof(*x->said),
			    "The sites of the sums changed with round %" PRIu64
			    " (%s): from %.*s to %.*s",
			    r->round, r->kind,
			    (int)MIN((r - 1)->set_len, (size_t)180),
			    (r - 1)->set, (int)MIN(r->set_len, (size_t)180),
			    r->set);
			x->warnings[x->n_warnings++] = w;
		}
		if (r->set_len == 0)
			continue;
		memcpy(text, r->set, r->set_len);
		text[r->set_len] = '\0';
		at += r->set_len + 1;
		for (char *s = strtok_r(text, " ", &rest); s != NULL;
		     s = strtok_r(NULL, " ", &rest))
			x->names[name++] = s;
		if (name - first != r->n_sites)
			return err_set(err, ERR_FORMAT,
			    "finished study: round %" PRIu64 " names %zu "
			    "sites, expected %u",
			    r->round, name - first, r->n_sites);
		rounds[i].sites = x->names + first;
	}
	return 0;
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
	struct sets sets = { 0 };
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
	if (sets_read(f, rounds, &sets, err) < 0)
		goto out;
	meta = describe(f, s, digest, rounds);
	meta.warnings = sets.warnings;
	meta.n_warnings = sets.n_warnings;
	if (result_json(plan, &meta, json, err) == 0)
		rv = result_text(plan, &meta, text, err);
out:
	sets_free(&sets);
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

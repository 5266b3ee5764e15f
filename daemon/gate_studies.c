/*
 * The studies that the root signed, held against the hospital's policy.
 */
#include "daemon/gate_run.h"

#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/log_events.h"
#include "crypto/audit.h"
#include "crypto/context.h"
#include "crypto/signed_study.h"
#include "daemon/config.h"
#include "study/study.h"

#define STUDY_FIELD(n) (struct log_field[]){ log_field("STUDY", "%s", n) }, 1

/* Why this hospital does not take part: 0, or *err filled in. */
static int
check_study(const struct gate *g, const struct signed_study *sig,
    const struct study *s, struct err *err)
{
	struct round_params params;
	struct context c;

	if (g->misnamed != NULL)
		return err_set(err, ERR_REFUSED,
		    "not judged: [site] name is %s, and the manifest calls "
		    "this site %s",
		    g->config->name, g->misnamed);
	if (signed_study_fits(sig, g->manifest, err) < 0)
		return -1;
	if (g->self == 0 || signed_study_index(sig, g->self) == SIZE_MAX)
		return err_set(
		    err, ERR_REFUSED, "the study does not name this site");
	if (s->expires < clock_utc() / 86400)
		return err_set(err, ERR_REFUSED, "the study has expired");
	if (round_params(&context_fill(&c, g->manifest, sig, study_suite(s),
			     study_bits(s), study_verify(s), study_cohort(s))
			      ->rules,
		sig->n_sites, sig->n_sites, &params, err) < 0)
		return -1;
	return site_policy_check(&g->config->policy, s, sig->n_sites, err);
}

static enum study_status
judge(const struct gate *g, const struct signed_study *sig,
    const struct study *s, struct err *why)
{
	*why = (struct err){ 0 };
	return check_study(g, sig, s, why) < 0 ? STATUS_REFUSED_POLICY
					       : STATUS_RECEIVED;
}

/* A verdict and its reason, for the log and the record. */
static int
record(const struct gate *g, const struct signed_study *sig,
    const struct study *s, enum study_status status, const char *why,
    struct err *err)
{
	char digest[DIGEST_TEXT];

	if (status == STATUS_REFUSED_POLICY)
		log_event(EVENT_STUDY_REFUSED, LOG_WARNING,
		    STUDY_FIELD(s->name), "study %s refused: %s", s->name, why);
	else
		log_event(EVENT_STUDY_NEW, LOG_NOTICE, STUDY_FIELD(s->name),
		    "study %s received: %s; run consiliumctl prepare %s",
		    s->name, s->title, s->name);
	hex_text(sig->digest, sizeof(sig->digest), digest);
	return audit_event(g->audit, err, "study", "study", s->name, "digest",
	    digest, "verdict", study_status_name(status), "why", why, "purpose",
	    s->purpose, NULL);
}

/* The configuration may be another one than when the study came. */
static int
judge_again(struct gate *g, const struct store_study *st, struct err *err)
{
	struct canon object = { 0 };
	struct signed_study *sig = NULL;
	struct study *s = NULL;
	enum study_status status;
	struct err why;
	int rv = -1;

	if (store_study_object(g->store, st->id, &object, err) != 1 ||
	    (sig = signed_study_open_kept(
		 object.data, object.len, &g->manifest->roots, err)) == NULL ||
	    (s = study_parse("study", sig->text, sig->text_len, err)) == NULL)
		goto out;
	status = judge(g, sig, s, &why);
	if (status == st->status &&
	    (status == STATUS_RECEIVED || strcmp(why.msg, st->why) == 0))
		rv = 0;
	else if (record(g, sig, s, status, why.msg, err) == 0)
		rv = store_set_status(g->store, st->id, status, why.msg, err);
out:
	canon_free(&object);
	study_free(s);
	signed_study_free(sig);
	return rv;
}

int
gate_take_study(struct gate *g, const void *p, size_t len, struct err *err)
{
	struct signed_study *sig = NULL;
	struct study *s = NULL;
	struct store_study known;
	enum study_status status;
	struct err why;
	int rv = -1;

	if (g->manifest == NULL)
		return err_set(err, ERR_REFUSED, "a study before any manifest");
	sig =
	    signed_study_open(p, len, manifest_root(&g->manifest->roots), err);
	if (sig == NULL)
		return -1;
	if ((s = study_parse("study", sig->text, sig->text_len, err)) == NULL)
		goto out;
	rv = store_study_by_digest(g->store, sig->digest, &known, err);
	if (rv != 0)
		goto known;
	rv = store_study_by_name(g->store, s->name, &known, err);
	if (rv != 0) {
		if (rv > 0)
			err_set(err, ERR_REFUSED,
			    "another study of the name %s is here already",
			    s->name);
		rv = -1;
		goto out;
	}
	rv = -1;
	status = judge(g, sig, s, &why);
	if (record(g, sig, s, status, why.msg, err) < 0 ||
	    store_add_study(g->store, s->name, sig->digest, p, len, status,
		why.msg, err) < 0)
		goto out;
	rv = gate_poll(g, err);
	goto out;
known:
	if (rv > 0)
		rv = gate_poll(g, err); /* it asked with an older list */
out:
	study_free(s);
	signed_study_free(sig);
	return rv;
}

int
gate_load_studies(struct gate *g, struct err *err)
{
	struct store_study st;
	int rv;

	g->last_trainer = (int64_t)1 << 32;
	for (int64_t id = 0;; id = st.id) {
		if ((rv = store_study_after(g->store, id, &st, err)) <= 0)
			return rv;
		/* As long as nothing was made of it, and nothing said. */
		if (g->self != 0 && st.job == 0 && st.last_round == 0 &&
		    (st.status == STATUS_RECEIVED ||
			st.status == STATUS_REFUSED_POLICY) &&
		    judge_again(g, &st, err) < 0)
			return -1;
		if ((st.status == STATUS_APPROVED ||
			st.status == STATUS_DONE) &&
		    run_open(g, &st, err) < 0)
			return -1;
	}
}

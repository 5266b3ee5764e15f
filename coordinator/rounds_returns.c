/*
 * The way back after the database was restored from a backup: sites hand back
 * the results that it has lost, each of which this coordinator has signed, and
 * the sums that they name.  So each is checked as if it were new: its signature,
 * its state, the root of its sum; and the model is stepped here.
 *
 * On the last state it asks all sites what they have of rounds that it does not
 * know, before it announces another.  If one has unmasked, there is no other: of
 * what all have kept the round is made again, and ends with the same sum.
 */
#include "coordinator/rounds.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/log_events.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/round_behind.h"
#include "model/step/plan.h"
#include "study/study.h"

/* How long a site has to hand back a result until another is asked. */
#define ASK_MS 5000
/* How often all are asked again what they have checked; and how long that is to
   be enough before they are asked for their uploads. */
#define CHECKED_MS 30000
#define UPLOADS_MS 3000

/* What a site was told last that the round has not begun with. */
enum told {
	TOLD_NOTHING,
	TOLD_AGAIN, /* it was asked, and is to be asked again */
	TOLD_BEHIND,
	TOLD_WAIT,
	TOLD_ANNOUNCE
};

/* What a site was asked last of a sum that a late one cannot check. */
enum said { SAID_NOTHING, SAID_CHECKED, SAID_UPLOAD };

void
work_drop_kept(struct work *w)
{
	for (size_t i = 0; w->returns.kept != NULL && i < w->sig->n_sites; i++)
		canon_free(&w->returns.kept[i]);
	free(w->returns.kept);
	w->returns.kept = NULL;
}

void
work_forget_asked(struct work *w, bool new_state)
{
	struct returns *r = &w->returns;

	for (size_t i = 0; i < w->sig->n_sites; i++) {
		if (r->told[i] == TOLD_ANNOUNCE)
			r->told[i] = TOLD_WAIT;
	}
	if (!new_state)
		return;
	r->asked = 0;
	r->certified = 0;
	r->lost[0] = '\0';
	work_drop_kept(w);
}

static int
ask(struct work *w, enum round_wish wish, const struct step *step,
    uint64_t round, struct canon *out, struct err *err)
{
	struct round_behind b = {
		.wish = wish, .step = step->idx, .round = round
	};
	struct canon msg = { 0 };
	struct context c;
	int rv;

	memcpy(b.state, step->state, ROUND_DIGEST);
	rv = round_behind_put(
	    work_context_under(w, w->rounds->manifest, &c), &b, &msg, err);
	if (rv == 0)
		exchange_wrap(w->digest, msg.data, msg.len, out);
	canon_free(&msg);
	return rv < 0 ? -1 : 1;
}

static struct step
present(const struct work *w)
{
	struct step step = { .idx = plan_index(w->plan) };

	memcpy(step.state, w->state, STEP_STATE);
	return step;
}

/* Said once. */
static int
found_behind(struct work *w, const char *what, struct err *err)
{
	if (w->returns.is_behind)
		return 0;
	w->returns.is_behind = true;
	log_event(EVENT_RESTORED, LOG_ERR, WORK_FIELDS(w),
	    "%s, which this database does not know: it was restored from a "
	    "backup; the sites are asked for what it has lost",
	    what);
	return audit_event(
	    w->rounds->audit, err, "backup-found", "study", w->name, NULL);
}

int
work_ask_back(struct work *w, uint16_t site, uint32_t idx, struct canon *out,
    struct err *err)
{
	struct returns *r = &w->returns;
	int64_t past = clock_mono_ms() - r->asked_ms;
	struct step step = present(w);
	char what[64];

	snprintf(what, sizeof(what), "site %u stands at step %u", site, idx);
	if (found_behind(w, what, err) < 0)
		return -1;
	/* One at a time; who has come back without it has had its turn. */
	if (w->status != BOOK_RUNNING ||
	    (r->asked != 0 && past < (r->asked == site ? 2 : 1) * ASK_MS))
		return 0;
	r->asked = site;
	r->asked_ms = clock_mono_ms();
	return ask(w, ROUND_WISH_NEXT, &step, work_number(w), out, err);
}

/* All who can be in a round have said what they know of others, or had the
   study's time for those who come late. */
static bool
call_ended(const struct work *w)
{
	const struct returns *r = &w->returns;
	int64_t wait_ms = (int64_t)w->study->rounds.ready_wait_s * 1000;
	struct context c;
	const struct round_ctx *ctx = work_context(w, &c);

	if (clock_mono_ms() - r->call_ms >= wait_ms)
		return true;
	for (size_t i = 0; i < w->sig->n_sites; i++) {
		if (coord_round_owed(w->round, ctx, w->sig->sites[i]) ==
			ROUND_ANNOUNCE &&
		    r->told[i] < TOLD_WAIT)
			return false;
	}
	return true;
}

static int try_rebuild(struct work *w, struct err *err);

int
work_ask_round(
    struct work *w, uint16_t site, struct canon *out, struct err *err)
{
	struct returns *r = &w->returns;
	size_t i = signed_study_index(w->sig, site);
	struct step step = present(w);

	assert(i < BOOK_SITES_MAX); /* it owes a ready */
	/* What it was asked may never have arrived. */
	if (r->told[i] == TOLD_WAIT && r->certified != 0 &&
	    r->kept[i].len == 0 && clock_mono_ms() - r->call_ms > ASK_MS) {
		r->told[i] = TOLD_AGAIN;
		r->call_ms = clock_mono_ms();
	}
	/* Who was told the announcement and comes back without an answer may
	   have refused it for its number. */
	if (r->told[i] < TOLD_BEHIND || r->told[i] == TOLD_ANNOUNCE) {
		r->told[i] = TOLD_BEHIND;
		if (r->call_ms == 0)
			r->call_ms = clock_mono_ms();
		return ask(w, ROUND_WISH_NEXT, &step,
		    r->certified != 0 ? r->certified : work_number(w), out,
		    err);
	}
	r->told[i] = TOLD_WAIT;
	if (!r->called && (r->called = call_ended(w)) && r->certified != 0 &&
	    try_rebuild(w, err) < 0)
		return -1;
	if (!r->called || r->certified != 0)
		return WORK_WAIT;
	r->told[i] = TOLD_ANNOUNCE;
	return 0;
}

bool
work_asked(const struct work *w, uint16_t site)
{
	size_t i = signed_study_index(w->sig, site);

	return w->returns.asked == site ||
	    (i < BOOK_SITES_MAX && w->returns.told[i] != TOLD_NOTHING &&
		w->round != NULL && coord_round_phase(w->round) == COORD_READY);
}

size_t
work_asked_len(const struct work *w, uint16_t site)
{
	const struct returns *r = &w->returns;
	size_t i = signed_study_index(w->sig, site);
	size_t len = work_asked(w, site) ? work_vector_len(w) : 0;

	if (r->unchecked != 0 && i < BOOK_SITES_MAX &&
	    r->said[i] == SAID_UPLOAD)
		len = MAX(len, r->unchecked_len);
	return len;
}

/* Each reason once: what nobody has brought. */
static int
say_lost(struct work *w, const char *what, const char *why, const char *next,
    struct err *err)
{
	struct returns *r = &w->returns;

	if (strcmp(r->lost, why) == 0)
		return 0;
	snprintf(r->lost, sizeof(r->lost), "%s", why);
	log_event(EVENT_SUM_LOST, LOG_ERR, WORK_FIELDS(w), "%s: %s; %s", what,
	    why, next);
	return audit_event(w->rounds->audit, err, "sum-lost", "study", w->name,
	    "why", why, NULL);
}

static int
say_unchecked(struct work *w, struct err *err)
{
	struct returns *r = &w->returns;
	char why[200], sites[120] = "";
	size_t n = 0;

	for (size_t i = 0; i < w->sig->n_sites && n < sizeof(sites) - 8; i++) {
		if (r->gone[i])
			n += (size_t)snprintf(sites + n, sizeof(sites) - n,
			    " %u", (unsigned)w->sig->sites[i]);
	}
	snprintf(why, sizeof(why),
	    "too few sites have checked the sum of step %" PRIu32
	    ", and inputs are missing%s%s",
	    r->unchecked, n != 0 ? ", of site" : "", sites);
	return say_lost(w, "a site cannot take a sum whose uploads are gone",
	    why, "the study waits for them, or a new one has to begin", err);
}

int
work_ask_checked(struct work *w, uint16_t site, uint32_t idx, struct canon *out,
    struct err *err)
{
	struct returns *r = &w->returns;
	size_t i = signed_study_index(w->sig, site);
	int64_t past = clock_mono_ms() - r->unchecked_ms;
	struct step step, to;
	enum said say;
	int rv;

	if (r->unchecked == 0 || idx + 1 < r->unchecked || i >= BOOK_SITES_MAX)
		return 0;
	if (r->unchecked_ms == 0 || past > CHECKED_MS) {
		if (r->unchecked_ms != 0 && say_unchecked(w, err) < 0)
			return -1;
		past = 0;
		r->unchecked_ms = clock_mono_ms();
		memset(r->said, SAID_NOTHING, sizeof(r->said));
	}
	if (r->said[i] == SAID_NOTHING && idx >= r->unchecked)
		say = SAID_CHECKED;
	else if (r->said[i] != SAID_UPLOAD && r->gone[i] && past > UPLOADS_MS)
		say = SAID_UPLOAD;
	else
		return 0;
	r->said[i] = (uint8_t)say;
	if ((rv = book_get_step(w->rounds->book, w->id, r->unchecked - 1, &step,
		 NULL, NULL, err)) != 1 ||
	    (rv = book_get_step(w->rounds->book, w->id, r->unchecked, &to, NULL,
		 NULL, err)) != 1)
		return rv;
	return say == SAID_UPLOAD
	    ? ask(w, ROUND_WISH_UPLOAD, &step, to.round, out, err)
	    : ask(w, ROUND_WISH_CHECKED, &step, work_number(w), out, err);
}

/*
 * What comes back
 */

/* The sum, as its chunks have come; NULL if it is not the one. */
static void *
returned_sum(struct work *w, uint16_t site, const uint8_t root[ROUND_DIGEST],
    struct err *err)
{
	uint8_t found[ROUND_DIGEST];
	char path[PATH_MAX];
	void *sum;

	spool_path(w->rounds, SPOOL_PART, site, root, path);
	if (access(path, R_OK) < 0) {
		err_set(err, ERR_PEER,
		    "a result is handed back without the sum that it names");
		return NULL;
	}
	if ((sum = spool_words(path, work_vector_len(w), err)) == NULL)
		return NULL;
	round_words_root(study_bits(w->study), sum, plan_words(w->plan), found);
	if (memcmp(found, root, sizeof(found)) == 0 &&
	    file_sync(path, err) == 0 &&
	    spool_move(w->rounds, SPOOL_PART, SPOOL_PUBLIC, site, root, err) ==
		0)
		return sum;
	if (memcmp(found, root, sizeof(found)) != 0)
		err_set(err, ERR_PEER,
		    "a result is handed back with another sum than it names");
	free(sum);
	return NULL;
}

/* What sites know of rounds on this state was not asked. */
static void
call_again(struct work *w)
{
	struct returns *r = &w->returns;

	memset(r->told, TOLD_NOTHING, sizeof(r->told));
	r->called = false;
	r->call_ms = 0;
}

static int
audit_returned(struct work *w, uint16_t site, uint64_t number, const char *what,
    struct err *err)
{
	char from[8], round[24];

	snprintf(from, sizeof(from), "%u", site);
	snprintf(round, sizeof(round), "%" PRIu64, number);
	if (audit_event(w->rounds->audit, err, "returned", "study", w->name,
		"round", round, "site", from, "what", what, NULL) < 0)
		return -1;
	log_event(EVENT_RETURNED, LOG_NOTICE, WORK_FIELDS(w),
	    "site %u has handed back its %s of round %s", site, what, round);
	return 0;
}

static int
take_back(struct work *w, uint16_t site, const struct round_result *result,
    const struct canon *msg, struct err *err)
{
	const struct round_about *about = round_result_about(result);
	struct round_input inputs[ROUND_SITES_MAX];
	size_t n = round_result_inputs(result);
	void *sum;
	int rv = -1;

	if ((sum = returned_sum(w, site, round_result_sum_root(result), err)) ==
	    NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		inputs[i] = *round_result_input(result, i);
	if (audit_returned(w, site, about->round, "result", err) == 0) {
		rv = work_advance(w, about, inputs, n, sum, msg, err);
		call_again(w);
	}
	free(sum);
	return rv;
}

int
work_take_result(
    struct work *w, uint16_t site, const void *msg, size_t len, struct err *err)
{
	struct canon bytes = { 0 };
	struct round_result *result;
	const struct round_about *about;
	int rv = 0;

	canon_raw(&bytes, msg, len);
	if (bytes.failed) {
		canon_free(&bytes);
		return err_set(err, ERR_SYSTEM, "a result: out of memory");
	}
	if ((result = work_result(w, &bytes, err)) == NULL) {
		canon_free(&bytes);
		return -1;
	}
	about = round_result_about(result);
	if (about->step < plan_index(w->plan))
		rv = 0; /* another site was faster */
	else if (w->returns.asked != site)
		rv = err_set(err, ERR_REFUSED, "no result is missing here");
	else if (about->step != plan_index(w->plan) ||
	    about->words != plan_words(w->plan) ||
	    memcmp(about->state, w->state, ROUND_DIGEST) != 0)
		rv = err_set(err, ERR_PEER,
		    "a result on another state than this study's");
	else
		rv = take_back(w, site, result, &bytes, err);
	/* What was sent of it is of no use, or public. */
	if (rv < 0 && err->code != ERR_SYSTEM)
		work_drop_parts(w, site);
	round_result_free(result);
	canon_free(&bytes);
	return rv;
}

/* The words came before, and are those that root names: they become public, as
   before the database was lost. */
static int
publish_again(struct work *w, uint16_t site, const uint8_t root[ROUND_DIGEST],
    size_t n, struct err *err)
{
	uint8_t found[ROUND_DIGEST];
	char path[PATH_MAX];
	void *words;
	int rv = -1;

	spool_path(w->rounds, SPOOL_PART, site, root, path);
	if (access(path, R_OK) < 0)
		return err_set(err, ERR_REFUSED, "its chunks are not here");
	if ((words = spool_words(path, w->returns.unchecked_len, err)) == NULL)
		return -1;
	round_words_root(study_bits(w->study), words, n, found);
	if (memcmp(found, root, sizeof(found)) != 0)
		err_set(err, ERR_PEER,
		    "an upload is handed back that is not what its site "
		    "signed");
	else if ((w->study->privacy.verify != STUDY_SAMPLE ||
		     work_publish_leaves(w, root, words, n, err) == 0) &&
	    file_sync(path, err) == 0)
		rv = spool_move(
		    w->rounds, SPOOL_PART, SPOOL_PUBLIC, site, root, err);
	free(words);
	return rv;
}

/* Whether an upload is the input that the sum has of site. */
static bool
is_input(const struct round_result *result, uint16_t site,
    const struct round_input *in)
{
	for (size_t k = 0; k < round_result_inputs(result); k++) {
		const struct round_input *x = round_result_input(result, k);

		if (x->site == site)
			return in->site == site &&
			    memcmp(x->root, in->root, ROUND_DIGEST) == 0;
	}
	return false;
}

int
work_take_input(
    struct work *w, uint16_t site, const void *msg, size_t len, struct err *err)
{
	struct returns *r = &w->returns;
	size_t i = signed_study_index(w->sig, site);
	struct round_result *result = NULL;
	struct canon m8 = { 0 };
	struct round_input in;
	struct step step;
	int rv;

	if (r->unchecked == 0 || i >= BOOK_SITES_MAX || !r->gone[i] ||
	    r->said[i] != SAID_UPLOAD)
		return 0;
	if (round_upload_peek(msg, len, &in, err) < 0)
		return -1;
	rv = book_get_step(
	    w->rounds->book, w->id, r->unchecked, &step, NULL, &m8, err);
	if (rv == 1 && (result = work_result(w, &m8, err)) == NULL)
		rv = -1;
	canon_free(&m8);
	if (rv == 1 && !is_input(result, site, &in))
		rv = 0;
	if (rv == 1 &&
	    (publish_again(w, site, in.root, round_result_about(result)->words,
		 err) < 0 ||
		audit_returned(w, site, step.round, "upload", err) < 0)) {
		if (err->code != ERR_SYSTEM)
			work_drop_parts(w, site);
		r->said[i] = SAID_CHECKED; /* and is asked again */
		rv = -1;
	}
	round_result_free(result);
	if (rv == 1) {
		r->gone[i] = false;
		work_drop_parts(w, site);
	}
	return rv;
}

/* Whether a roster is that of the round which led to the present state: it is no
   news.  1, 0 or -1. */
static int
is_last(const struct work *w, const struct round_kept *k, struct err *err)
{
	uint8_t last[ROUND_DIGEST], roster[ROUND_DIGEST];
	struct canon result = { 0 };
	struct step step;
	int rv = book_get_step(w->rounds->book, w->id, plan_index(w->plan),
	    &step, NULL, &result, err);

	if (rv == 1 && (result.len == 0 || k->part[KEPT_ROSTER].len == 0))
		rv = 0;
	if (rv == 1 &&
	    (round_result_peek_roster(result.data, result.len, last, err) < 0 ||
		round_message_digest(k->part[KEPT_ROSTER].p,
		    k->part[KEPT_ROSTER].len, roster, err) < 0))
		rv = -1;
	else if (rv == 1)
		rv = memcmp(last, roster, sizeof(last)) == 0;
	canon_free(&result);
	return rv;
}

static int
keep_kept(
    struct work *w, size_t i, const void *msg, size_t len, struct err *err)
{
	struct returns *r = &w->returns;

	if (r->kept == NULL &&
	    (r->kept = calloc(w->sig->n_sites, sizeof(*r->kept))) == NULL)
		return err_sys(err, "what sites have kept");
	canon_free(&r->kept[i]);
	canon_raw(&r->kept[i], msg, len);
	return r->kept[i].failed
	    ? err_set(err, ERR_SYSTEM, "what sites have kept: out of memory")
	    : 0;
}

struct vectors {
	struct work *w;
	void *words;
};

static int
get_vector(void *arg, uint16_t site, const uint8_t root[ROUND_DIGEST],
    const void **words, struct err *err)
{
	struct vectors *v = arg;
	char path[PATH_MAX];

	free(v->words);
	spool_path(v->w->rounds, SPOOL_PART, site, root, path);
	if (access(path, R_OK) < 0)
		spool_path(v->w->rounds, SPOOL_UP, site, root, path);
	v->words = NULL;
	if (file_missing(path))
		return err_set(
		    err, ERR_PEER, "the upload of site %u is missing", site);
	v->words = spool_words(path, work_vector_len(v->w), err);
	*words = v->words;
	return v->words != NULL ? 0 : -1;
}

/* Its inputs become those of a round that is at its end. */
static int
move_inputs(struct work *w, const struct coord_round *c, struct err *err)
{
	struct round_input inputs[ROUND_SITES_MAX];
	size_t n = coord_round_inputs(c, inputs);
	char path[PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct round_input *in = &inputs[i];

		spool_path(w->rounds, SPOOL_PART, in->site, in->root, path);
		if (access(path, R_OK) == 0 &&
		    (file_sync(path, err) < 0 ||
			spool_move(w->rounds, SPOOL_PART, SPOOL_UP, in->site,
			    in->root, err) < 0))
			return -1;
	}
	return 0;
}

static int
take_up(
    struct work *w, struct coord_round *c, struct manifest **m, struct err *err)
{
	char round[24];

	snprintf(round, sizeof(round), "%" PRIu64, coord_round_about(c)->round);
	if (move_inputs(w, c, err) < 0 ||
	    audit_event(w->rounds->audit, err, "taken-up", "study", w->name,
		"round", round, NULL) < 0) {
		coord_round_free(c);
		return -1;
	}
	coord_round_free(w->round);
	w->round = c;
	if ((*m)->epoch != w->rounds->manifest->epoch) {
		manifest_free(w->manifest);
		w->manifest = *m;
		*m = NULL;
	}
	log_event(EVENT_RETURNED, LOG_NOTICE, WORK_FIELDS(w),
	    "round %s is taken up again from what the sites have kept", round);
	return 0;
}

/* From the view of site of, if all is there: 1; 0 and why not; -1. */
static int
rebuild(struct work *w, const struct round_kept *all, size_t n, size_t of,
    struct err *why, struct err *err)
{
	struct vectors v = { .w = w };
	struct round_words words = { get_vector, &v };
	struct coord_round *c = NULL;
	struct manifest *m = NULL;
	struct context k;
	uint32_t epoch;
	int rv = 0;

	if (round_announce_peek(all[of].part[KEPT_ANNOUNCE].p,
		all[of].part[KEPT_ANNOUNCE].len, &epoch, why) == 0 &&
	    (m = rounds_manifest_of(w->rounds, epoch, why)) != NULL)
		c = round_kept_rebuild(
		    work_context_under(w, m, &k), all, n, of, &words, why);
	if (c != NULL) {
		rv = take_up(w, c, &m, err) < 0 ? -1 : 1;
	} else if (why->code == ERR_SYSTEM) {
		*err = *why;
		rv = -1;
	}
	free(v.words);
	manifest_free(m);
	return rv;
}

/* A round that was unmasked ends with its sum, once all is there. */
static int
try_rebuild(struct work *w, struct err *err)
{
	struct returns *r = &w->returns;
	struct round_kept *all = calloc(w->sig->n_sites, sizeof(*all));
	struct err why = { 0 };
	size_t n = 0;
	int rv = 0;

	if (all == NULL)
		return err_sys(err, "what sites have kept");
	for (size_t i = 0; i < w->sig->n_sites; i++) {
		if (r->kept[i].len == 0)
			continue;
		if (round_kept_read(
			r->kept[i].data, r->kept[i].len, &all[n], err) < 0) {
			free(all);
			return -1;
		}
		all[n++].site = w->sig->sites[i];
	}
	for (size_t of = 0; rv == 0 && of < n; of++) {
		if (all[of].part[KEPT_UNMASK].len != 0)
			rv = rebuild(w, all, n, of, &why, err);
	}
	free(all);
	if (rv != 0)
		return rv < 0 ? -1 : 0;
	r->called = r->called || call_ended(w);
	return !r->called
	    ? 0
	    : say_lost(w,
		  "the sum of the last round was lost with the database, and "
		  "cannot be made again yet",
		  why.msg,
		  "if that site does not come back, a new study has to begin",
		  err);
}

/* A round that we have announced, on this state: its number, and whether it is
   one that we do not know. */
static int
open_kept(struct work *w, const struct round_kept *k, struct round_about *about,
    bool *here, struct err *err)
{
	struct manifest *m;
	struct context c;
	uint32_t epoch;
	int rv;

	if (round_announce_peek(k->part[KEPT_ANNOUNCE].p,
		k->part[KEPT_ANNOUNCE].len, &epoch, err) < 0 ||
	    (m = rounds_manifest_of(w->rounds, epoch, err)) == NULL)
		return -1;
	rv = round_announce_open(work_context_under(w, m, &c),
	    k->part[KEPT_ANNOUNCE].p, k->part[KEPT_ANNOUNCE].len, about, err);
	manifest_free(m);
	if (rv < 0 || (rv = is_last(w, k, err)) < 0)
		return -1;
	*here = rv == 0 && memcmp(about->state, w->state, ROUND_DIGEST) == 0;
	return 0;
}

/* A site has unmasked: the others have what they have of that round, which they
   may not have said if they were asked by a higher number. */
static void
call_for(struct work *w, uint64_t round)
{
	struct returns *r = &w->returns;

	if (r->certified != 0)
		return;
	r->certified = round;
	r->called = false;
	r->call_ms = clock_mono_ms();
	if (work_number(w) <= round)
		return;
	for (size_t i = 0; i < w->sig->n_sites; i++) {
		if (r->kept[i].len == 0 && r->told[i] != TOLD_NOTHING)
			r->told[i] = TOLD_AGAIN;
	}
}

int
work_take_kept(
    struct work *w, uint16_t site, const void *msg, size_t len, struct err *err)
{
	struct returns *r = &w->returns;
	size_t i = signed_study_index(w->sig, site);
	uint64_t ours = work_number(w);
	struct round_about about;
	struct round_kept k;
	char what[64];
	bool here;

	if (i >= BOOK_SITES_MAX || !work_asked(w, site))
		return err_set(err, ERR_REFUSED, "nothing is missing here");
	if (round_kept_read(msg, len, &k, err) < 0 ||
	    open_kept(w, &k, &about, &here, err) < 0)
		return -1;
	if (!here || coord_round_phase(w->round) != COORD_READY)
		return 0;
	snprintf(what, sizeof(what), "site %u was in round %" PRIu64, site,
	    about.round);
	if (found_behind(w, what, err) < 0 ||
	    keep_kept(w, i, msg, len, err) < 0)
		return -1;
	if (r->told[i] == TOLD_AGAIN)
		r->told[i] = TOLD_BEHIND;
	if (k.part[KEPT_UNMASK].len != 0)
		call_for(w, about.round);
	if (about.round >= ours &&
	    (book_skip_rounds(w->rounds->book, w->id, about.round, err) < 0 ||
		work_start_round(w, err) < 0))
		return -1;
	return r->certified != 0 ? try_rebuild(w, err) : 0;
}

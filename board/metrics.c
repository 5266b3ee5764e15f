#include "board/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "board/snapshot.h"
#include "common/canon.h"
#include "common/macros.h"

static void
put(struct canon *out, const char *s)
{
	canon_raw(out, s, strlen(s));
}

static void
put_label(struct canon *out, const char *name, const char *value)
{
	put(out, name);
	put(out, "=\"");
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == '\\' || *p == '"')
			canon_u8(out, '\\');
		canon_u8(out, (uint8_t)*p);
	}
	put(out, "\"");
}

static void
put_value(struct canon *out, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), " %" PRIu64 "\n", value);
	put(out, text);
}

/* Where a family has one sample without labels. */

static bool
get_up(const struct board_view *v, int64_t *value)
{
	*value = v->snapshot != NULL;
	return true;
}

static bool
get_started(const struct board_view *v, int64_t *value)
{
	*value = v->started;
	return *value > 0;
}

static bool
get_received(const struct board_view *v, int64_t *value)
{
	*value = v->received;
	return v->snapshot != NULL;
}

static bool
get_certificate(const struct board_view *v, int64_t *value)
{
	*value = v->certificate;
	return *value > 0;
}

static bool
get_restarts(const struct board_view *v, int64_t *value)
{
	*value = v->restarts;
	return true;
}

static bool
get_state(const struct board_view *v, int64_t *value)
{
	*value = v->state;
	return *value >= 0;
}

static bool
get_state_free(const struct board_view *v, int64_t *value)
{
	*value = v->state_free;
	return *value >= 0;
}

static bool
get_audit(const struct board_view *v, int64_t *value)
{
	*value = v->audit;
	return *value >= 0;
}

/* Where it has one for each study. */

static bool
get_step(const struct board_study *s, uint64_t *value)
{
	*value = s->step;
	return true;
}

static bool
get_round(const struct board_study *s, uint64_t *value)
{
	*value = s->round;
	return *value > 0;
}

static bool
get_rounds_done(const struct board_study *s, uint64_t *value)
{
	*value = s->rounds_done;
	return true;
}

static bool
get_deadline(const struct board_study *s, uint64_t *value)
{
	*value = s->deadline;
	return *value > 0;
}

/* Sites are counted only while a phase is open, and only by who counts. */
static bool
get_have(const struct board_study *s, uint64_t *value)
{
	*value = s->have;
	return s->most > 0;
}

static bool
get_need(const struct board_study *s, uint64_t *value)
{
	*value = s->need;
	return s->most > 0;
}

static bool
get_most(const struct board_study *s, uint64_t *value)
{
	*value = s->most;
	return s->most > 0;
}

static const char *
word_status(const struct board_study *s)
{
	return s->status;
}

static const char *
word_phase(const struct board_study *s)
{
	return s->phase;
}

/*
 * All families.  Of get, of_study, word and fact, a family has one.  A family
 * with a word has the value 1 for the word that is true now.
 */
static const struct family {
	const char *name, *type, *unit, *help;
	bool (*get)(const struct board_view *v, int64_t *value);
	bool (*of_study)(const struct board_study *s, uint64_t *value);
	const char *label;
	const char *(*word)(const struct board_study *s);
	const char *fact; /* of the snapshot, if it is there and a number */
} families[] = {
	{ "consilium_up", "gauge", NULL,
	    "1 if the process that does the work has told its state",
	    .get = get_up },
	{ "consilium_start_time_seconds", "gauge", "seconds",
	    "When the daemon was started, in seconds since 1970",
	    .get = get_started },
	{ "consilium_snapshot_timestamp_seconds", "gauge", "seconds",
	    "When the state last changed, in seconds since 1970",
	    .get = get_received },
	{ "consilium_certificate_expiry_timestamp_seconds", "gauge", "seconds",
	    "When the own TLS certificate expires, in seconds since 1970",
	    .get = get_certificate },
	{ "consilium_process_restarts", "counter", NULL,
	    "How often all processes were started again after one had died",
	    .get = get_restarts },
	{ "consilium_state_bytes", "gauge", "bytes",
	    "Size of all files in the state folder", .get = get_state },
	{ "consilium_state_free_bytes", "gauge", "bytes",
	    "What is free for the daemon on the state folder's file system",
	    .get = get_state_free },
	{ "consilium_audit_log_bytes", "gauge", "bytes",
	    "Size of the audit log", .get = get_audit },
	{ "consilium_manifest_epoch", "gauge", NULL,
	    "Number of the membership manifest in force",
	    .fact = "manifest-epoch" },
	{ "consilium_members", "gauge", NULL,
	    "Active sites in the membership manifest", .fact = "members" },
	{ "consilium_needs_restore", "gauge", NULL,
	    "1 if nothing is answered until consiliumctl restored",
	    .fact = "needs-restore" },
	{ "consilium_preparation_failures", "counter", NULL,
	    "Preparations that failed, since the start",
	    .fact = "failed-preparations" },
	{ "consilium_refused_messages", "counter", NULL,
	    "Messages of the other side that were refused, since the start",
	    .fact = "refused-messages" },
	{ "consilium_coordinator_reached", "gauge", NULL,
	    "At a site: 1 if the coordinator answered the newest question",
	    .fact = "coordinator-reached" },
	{ "consilium_sites_connected", "gauge", NULL,
	    "At the coordinator: members that have asked for something within "
	    "30 seconds",
	    .fact = "sites-connected" },
	{ "consilium_rounds_summed", "counter", NULL,
	    "At the coordinator: rounds that came to a sum, since the start",
	    .fact = "rounds-summed" },
	{ "consilium_rounds_aborted", "counter", NULL,
	    "Rounds that ended without a sum, since the start",
	    .fact = "rounds-aborted" },
	{ "consilium_round_finished_timestamp_seconds", "gauge", "seconds",
	    "When the last round came to its sum since the start, in seconds "
	    "since 1970",
	    .fact = "round-finished-utc" },
	{ "consilium_checkpoint_timestamp_seconds", "gauge", "seconds",
	    "When the coordinator last countersigned the audit log, which it "
	    "does hourly while it is reached, in seconds since 1970",
	    .fact = "checkpoint-utc" },
	{ "consilium_jobs", "gauge", NULL,
	    "Preparations and trainings that run now", .fact = "jobs" },
	{ "consilium_study_status", "gauge", NULL,
	    "1 for the status that a study has", .label = "status",
	    .word = word_status },
	{ "consilium_study_step", "gauge", NULL, "Step of the study's plan",
	    .of_study = get_step },
	{ "consilium_round", "gauge", NULL,
	    "Number of the open round, or of the newest one here; failed ones "
	    "count",
	    .of_study = get_round },
	{ "consilium_round_phase", "gauge", NULL,
	    "1 for the phase that the open round is in", .label = "phase",
	    .word = word_phase },
	{ "consilium_round_deadline_timestamp_seconds", "gauge", "seconds",
	    "When the phase ends, in seconds since 1970",
	    .of_study = get_deadline },
	{ "consilium_rounds", "counter", NULL,
	    "Steps of the plan that are done", .of_study = get_rounds_done },
	{ "consilium_sites_present", "gauge", NULL,
	    "Sites whose message of the phase is there", .of_study = get_have },
	{ "consilium_sites_needed", "gauge", NULL,
	    "Sites without which the phase fails", .of_study = get_need },
	{ "consilium_sites_expected", "gauge", NULL,
	    "Sites that can take part in the phase", .of_study = get_most },
};

static void
put_name(struct canon *out, const struct family *f)
{
	put(out, f->name);
	if (strcmp(f->type, "counter") == 0)
		put(out, "_total");
}

static void
put_head(struct canon *out, const struct family *f, const char *key,
    const char *text)
{
	put(out, "# ");
	put(out, key);
	put(out, " ");
	put(out, f->name);
	put(out, " ");
	put(out, text);
	put(out, "\n");
}

static void
put_study(
    struct canon *out, const struct family *f, const struct board_study *s)
{
	const char *word = f->word != NULL ? f->word(s) : NULL;
	uint64_t value = 1;

	if (word != NULL ? *word == '\0' : !f->of_study(s, &value))
		return;
	put_name(out, f);
	put(out, "{");
	put_label(out, "study", s->name);
	if (word != NULL) {
		put(out, ",");
		put_label(out, f->label, word);
	}
	put(out, "}");
	put_value(out, value);
}

static void
put_family(
    struct canon *out, const struct family *f, const struct board_view *v)
{
	const struct board_snapshot *s = v->snapshot;
	int64_t value;

	put_head(out, f, "TYPE", f->type);
	if (f->unit != NULL)
		put_head(out, f, "UNIT", f->unit);
	put_head(out, f, "HELP", f->help);
	if (f->get != NULL || f->fact != NULL) {
		if (f->get != NULL
			? !f->get(v, &value)
			: board_number(board_view_fact(v, f->fact), &value) < 0)
			return;
		put_name(out, f);
		put_value(out, (uint64_t)value);
		return;
	}
	for (size_t i = 0; s != NULL && i < s->n_studies; i++)
		put_study(out, f, &s->studies[i]);
}

void
metrics_write(const struct board_view *v, struct canon *out)
{
	put(out,
	    "# TYPE consilium_build info\n"
	    "# HELP consilium_build Who this is\n"
	    "consilium_build_info{");
	put_label(out, "side", v->side);
	put(out, ",");
	put_label(out, "name", v->name);
	put(out, ",");
	put_label(out, "version", v->version);
	put(out, "} 1\n");
	for (size_t i = 0; i < nitems(families); i++)
		put_family(out, &families[i], v);
	put(out, "# EOF\n");
}

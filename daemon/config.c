#include "daemon/config.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "study/study.h"

static const char *const cohort_words[] = { "fixed", "open", NULL };
static const char *const verify_words[] = { "replay", "sample", "trust", NULL };

/* Public keys in hexadecimal, separated by commas. */
static int
parse_officers(struct ini *ini, const struct ini_field *f, char *value,
    void *out, struct err *err)
{
	struct site_config *c = out;
	struct ini_list l;

	if (ini_items(ini, f, value, &l, err) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		if (hex_bytes(
			l.items[i], c->officers[i], SITE_OFFICER_KEY_LEN) < 0)
			return ini_error(ini, l.items[i], err,
			    "%s: expected a public key of %d hexadecimal "
			    "digits",
			    f->key, 2 * SITE_OFFICER_KEY_LEN);
	}
	c->n_officers = l.n;
	return 0;
}

/* "en", or the name of a catalogue: zh_CN. */
static int
parse_language(struct ini *ini, const struct ini_field *f, char *value,
    void *out, struct err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	struct site_config *c = out;

	if (strlen(value) < 2 || strlen(value) > 8 ||
	    strspn(value, letters) != strlen(value))
		return ini_error(ini, value, err,
		    "%s: expected a language, en or zh_CN", f->key);
	c->language = strcmp(value, "en") == 0 ? NULL : value;
	return 0;
}

#define AT(field) .offset = offsetof(struct site_config, field)

static const struct ini_field site_fields[] = {
	{ "name", ini_text, AT(name), .required = true, .max = STUDY_NAME_MAX },
	{ "language", parse_language, .offset = 0 },
	{ "state", ini_path, AT(state), .required = true },
	{ "keys", ini_path, AT(keys), .required = true },
};

static const struct ini_field coordinator_fields[] = {
	{ "address", ini_address, AT(coordinator), .required = true, .min = 1 },
	{ "server-name", ini_text, AT(server_name), .max = 253 },
	{ "proxy", ini_address, AT(proxy), .min = 1 },
};

static const struct ini_field officer_fields[] = {
	{ "public-key", parse_officers, .offset = 0, .required = true, .min = 1,
	    .max = SITE_OFFICERS_MAX },
};

static const struct ini_field source_fields[] = {
	{ "csv", ini_path, .offset = offsetof(struct site_source, csv),
	    .required = true },
	{ "patient", ini_text, .offset = offsetof(struct site_source, patient),
	    .max = 256 },
	{ "objections", ini_path,
	    .offset = offsetof(struct site_source, objections) },
};

static const struct ini_field policy_fields[] = {
	{ "purposes", ini_items, AT(policy.purposes), .min = 1 },
	{ "smallest-k", ini_size, AT(policy.smallest_k), .min = 1,
	    .max = 100000 },
	{ "smallest-sites", ini_size, AT(policy.smallest_sites), .min = 3,
	    .max = 1024 },
	{ "smallest-cell", ini_size, AT(policy.smallest_cell), .min = 1,
	    .max = 100000 },
	{ "smallest-risk-set-step", ini_size, AT(policy.smallest_risk_set_step),
	    .min = 1, .max = 100000 },
	{ "smallest-events-per-term", ini_size,
	    AT(policy.smallest_events_per_term), .max = 1000 },
	{ "most-whole-numbers", ini_real, AT(policy.most_whole_numbers),
	    .min = 2, .max = 1e15 },
	{ "keep-uploads", ini_size, AT(policy.keep_uploads), .max = 10000 },
	{ "keep-tables", ini_size, AT(policy.keep_tables), .max = 36500 },
	{ "largest-suppression", ini_real, AT(policy.largest_suppression),
	    .max = 1 },
	{ "largest-average-risk", ini_real, AT(policy.largest_average_risk),
	    .min = 1e-6, .max = 1 },
	{ "smallest-diversity", ini_real, AT(policy.smallest_diversity),
	    .min = 1, .max = 100 },
	{ "largest-closeness", ini_real, AT(policy.largest_closeness),
	    .max = 1 },
	{ "largest-epsilon", ini_real, AT(policy.largest_epsilon), .max = 1e6 },
	{ "total-epsilon", ini_real, AT(policy.total_epsilon), .max = 1e6 },
	{ "largest-delta", ini_real, AT(policy.largest_delta), .min = 1e-15,
	    .max = 0.1 },
	{ "cohort", ini_word, AT(policy.cohort), .words = cohort_words },
	{ "verify", ini_word, AT(policy.verify), .words = verify_words },
};

static const struct ini_field control_fields[] = {
	{ "socket", ini_path, AT(socket), .required = true },
	{ "operator-group", ini_text, AT(operator_group), .max = 32 },
	{ "officer-group", ini_text, AT(officer_group), .max = 32 },
};

static const char *const sandbox_words[] = { "no", "files", "yes", NULL };

static const struct ini_field sandbox_fields[] = {
	{ "require", ini_word, AT(sandbox), .words = sandbox_words },
};

static const struct ini_field board_fields[] = {
	{ "listen", ini_address, AT(board), .required = true },
};

static void *
place_source(
    struct ini *ini, const struct ini_section *s, void *ctx, struct err *err)
{
	struct site_config *c = ctx;

	if (c->n_sources == SITE_SOURCES_MAX) {
		ini_error(ini, s->name, err, "more than %d sources",
		    SITE_SOURCES_MAX);
		return NULL;
	}
	if (s->arg != NULL && !study_name_ok(s->arg)) {
		ini_error(ini, s->arg, err,
		    "[source %.60s]: expected a study's name, 1 to %d of a-z, "
		    "0-9 and -, not starting with -",
		    s->arg, STUDY_NAME_MAX);
		return NULL;
	}
	c->sources[c->n_sources].study = s->arg;
	return &c->sources[c->n_sources++];
}

#define FIELDS(table) .fields = (table), .n_fields = nitems(table)

static const struct ini_kind sections[] = {
	{ "site", INI_NO_ARG, true, FIELDS(site_fields) },
	{ "coordinator", INI_NO_ARG, true, FIELDS(coordinator_fields) },
	{ "officer", INI_NO_ARG, true, FIELDS(officer_fields) },
	{ "source", INI_MAY_ARG, true, FIELDS(source_fields),
	    .place = place_source },
	{ "policy", INI_NO_ARG, false, FIELDS(policy_fields) },
	{ "control", INI_NO_ARG, true, FIELDS(control_fields) },
	{ "board", INI_NO_ARG, false, FIELDS(board_fields) },
	{ "sandbox", INI_NO_ARG, false, FIELDS(sandbox_fields) },
};

struct site_config *
site_config_parse(
    const char *name, const void *text, size_t len, struct err *err)
{
	static char any[] = "*";
	static char *anything[] = { any };
	struct site_config *c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		err_sys(err, "%s", name);
		return NULL;
	}
	c->policy = (struct site_policy){
		.purposes = { anything, 1 },
		.smallest_k = 5,
		.smallest_sites = 3,
		.smallest_risk_set_step = 5,
		.smallest_cell = 5,
		.smallest_events_per_term = 1,
		.most_whole_numbers = 1e6,
		.keep_uploads = 100,
		.keep_tables = 30,
		.largest_suppression = 0.2,
		.largest_average_risk = 1,
		.smallest_diversity = 1,
		.largest_closeness = 1,
		.largest_epsilon = 4,
		.total_epsilon = 8,
		.largest_delta = 1e-5,
		.cohort = STUDY_FIXED,
		.verify = STUDY_REPLAY,
	};
	if ((c->ini = ini_parse(name, text, len, err)) == NULL ||
	    ini_read(c->ini, sections, nitems(sections), c, err) < 0) {
		site_config_free(c);
		return NULL;
	}
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct site_source *s = &c->sources[i];

		if (s->objections == NULL || s->patient != NULL)
			continue;
		ini_error(c->ini, s->objections, err,
		    "objections without patient: expected the column that "
		    "says whose row it is");
		site_config_free(c);
		return NULL;
	}
	if (c->server_name == NULL)
		c->server_name = c->coordinator.host;
	return c;
}

struct site_config *
site_config_load(const char *path, struct err *err)
{
	struct site_config *c;
	uint8_t *text;
	size_t len;

	if ((text = file_read(path, INI_FILE_MAX, &len, err)) == NULL)
		return NULL;
	c = site_config_parse(path, text, len, err);
	free(text);
	return c;
}

void
site_config_free(struct site_config *c)
{
	if (c == NULL)
		return;
	ini_free(c->ini);
	free(c);
}

const struct site_source *
site_config_source(
    const struct site_config *c, const char *study, struct err *err)
{
	const struct site_source *any = NULL;

	for (size_t i = 0; i < c->n_sources; i++) {
		const struct site_source *s = &c->sources[i];

		if (s->study != NULL && strcmp(s->study, study) == 0)
			return s;
		if (s->study == NULL)
			any = s;
	}
	if (any == NULL)
		err_set(err, ERR_CONFIG,
		    "no [source] for study %s in the configuration", study);
	return any;
}

static bool
purpose_allowed(const struct site_policy *p, const char *purpose)
{
	for (size_t i = 0; i < p->purposes.n; i++) {
		if (fnmatch(p->purposes.items[i], purpose, 0) == 0)
			return true;
	}
	return false;
}

/* The rules for sensitive columns that the table has. */
static int
check_sensitive(
    const struct site_policy *p, const struct study *s, struct err *err)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		const struct study_column *c = &s->columns[i];

		if (!c->in_table || c->privacy != STUDY_SENSITIVE ||
		    c->type != STUDY_LEVELS)
			continue;
		if (p->smallest_diversity > 1 &&
		    (c->diversity == STUDY_ANY ||
			c->diversity_l < p->smallest_diversity))
			return err_set(err, ERR_REFUSED,
			    "study %s: the diversity of \"%s\" is %g, this "
			    "site's policy wants at least %g",
			    s->name, c->name,
			    c->diversity == STUDY_ANY ? 1 : c->diversity_l,
			    p->smallest_diversity);
		if (p->largest_closeness < 1 &&
		    (c->closeness == STUDY_FAR ||
			c->closeness_t > p->largest_closeness))
			return err_set(err, ERR_REFUSED,
			    "study %s: the closeness of \"%s\" is %g, this "
			    "site's policy wants at most %g",
			    s->name, c->name,
			    c->closeness == STUDY_FAR ? 1 : c->closeness_t,
			    p->largest_closeness);
	}
	return 0;
}

/*
 * Of a whole number that may be one of so many hardly two patients have the same:
 * it is a code, and one patient's could be most of a sum.  The counts that
 * consiliumctl study recode makes are no patient's, and in no table of records.
 */
static int
check_numbers(
    const struct site_policy *p, const struct study *s, struct err *err)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		const struct study_column *c = &s->columns[i];
		double n = c->hi - c->lo + 1;

		if (c->in_table && c->type == STUDY_INTEGER &&
		    strcmp(c->name, STUDY_RECODING_VALUE) != 0 &&
		    study_recode(c) == NULL && n > p->most_whole_numbers)
			return err_set(err, ERR_REFUSED,
			    "study %s: \"%s\" may be any of %.0f whole "
			    "numbers, "
			    "as a code of patients may; this site's policy "
			    "wants at most %.0f",
			    s->name, c->name, n, p->most_whole_numbers);
	}
	return 0;
}

static int
check_learning(
    const struct site_policy *p, const struct study *s, struct err *err)
{
	const struct study_learning *l = &s->learning;

	if (l->rounds == 0)
		return 0;
	if (l->epsilon > p->largest_epsilon)
		return err_set(err, ERR_REFUSED,
		    "study %s: epsilon is %g, this site's policy wants at most "
		    "%g",
		    s->name, l->epsilon, p->largest_epsilon);
	if (l->delta > p->largest_delta)
		return err_set(err, ERR_REFUSED,
		    "study %s: delta is %g, this site's policy wants at most "
		    "%g",
		    s->name, l->delta, p->largest_delta);
	return 0;
}

int
site_policy_check(const struct site_policy *p, const struct study *s,
    size_t n_sites, struct err *err)
{
	const struct study_rules *r = &s->privacy;
	const struct {
		const char *what;
		size_t asked, floor;
	} floors[] = {
		{ "k", r->k, p->smallest_k },
		{ "number of sites", n_sites, p->smallest_sites },
		{ "smallest-risk-set-step", r->smallest_risk_set_step,
		    p->smallest_risk_set_step },
		{ "smallest-cell",
		    study_has_cells(s) ? r->smallest_cell : SIZE_MAX,
		    p->smallest_cell },
		{ "events-per-term",
		    s->n_terms > 0 && s->learning.rounds == 0
			? r->events_per_term
			: SIZE_MAX,
		    p->smallest_events_per_term },
	};

	for (size_t i = 0; i < nitems(floors); i++) {
		if (floors[i].asked < floors[i].floor)
			return err_set(err, ERR_REFUSED,
			    "study %s: %s is %zu, this site's policy wants at "
			    "least %zu",
			    s->name, floors[i].what, floors[i].asked,
			    floors[i].floor);
	}
	if (!purpose_allowed(p, s->purpose))
		return err_set(err, ERR_REFUSED,
		    "study %s: its purpose is none of those that this site's "
		    "policy allows",
		    s->name);
	if (s->rounds.keep_uploads > p->keep_uploads)
		return err_set(err, ERR_REFUSED,
		    "study %s: keep-uploads is %zu, this site's policy wants "
		    "at most %zu",
		    s->name, s->rounds.keep_uploads, p->keep_uploads);
	if (r->suppression_limit > p->largest_suppression)
		return err_set(err, ERR_REFUSED,
		    "study %s: suppression-limit is %g, this site's policy "
		    "wants at most %g",
		    s->name, r->suppression_limit, p->largest_suppression);
	if (p->largest_average_risk < 1 &&
	    (r->average_risk == 0 || r->average_risk > p->largest_average_risk))
		return err_set(err, ERR_REFUSED,
		    "study %s: average-risk is %g, this site's policy wants "
		    "at most %g",
		    s->name, r->average_risk == 0 ? 1 : r->average_risk,
		    p->largest_average_risk);
	if (check_sensitive(p, s, err) == -1 || check_numbers(p, s, err) == -1)
		return -1;
	if (check_learning(p, s, err) == -1)
		return -1;
	/* Both lists of words go from strict to lax.  Noise is what an open
	   cohort lacks otherwise. */
	if (s->learning.rounds == 0 && r->cohort > p->cohort)
		return err_set(err, ERR_REFUSED,
		    "study %s: cohort = %s, this site's policy wants %s",
		    s->name, cohort_words[r->cohort], cohort_words[p->cohort]);
	if (r->verify > p->verify)
		return err_set(err, ERR_REFUSED,
		    "study %s: verify = %s, this site's policy wants %s",
		    s->name, verify_words[r->verify], verify_words[p->verify]);
	return 0;
}

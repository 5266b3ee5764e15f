#include "study/study.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "model/spec.h"
#include "study/draft.h"

#define TEXT_MAX 2000 /* bytes of a purpose, an address, ... */
#define SECONDS_MAX (30 * 86400)

static const char *const kind_words[] = { "cox", "logistic", "glm", "km",
	"summary", "recoding", "cuminc", NULL };
static const char *const bounds_words[] = { "log", "log-log", "plain", NULL };
static const char *const band_words[] = { "no", "hall-wellner",
	"equal-precision", NULL };
static const char *const family_words[] = { "gaussian", "binomial", "poisson",
	"quasipoisson", "gamma", "negative-binomial", "quasibinomial", NULL };
static const char *const link_words[] = { "log", "inverse", NULL };
static const char *const yes_words[] = { "no", "yes", NULL };
static const char *const ties_words[] = { "breslow", "efron", NULL };
static const char *const robust_words[] = { "no", "patient", "site", NULL };
static const char *const suite_words[] = { "aes-256-ctr", "chacha20", NULL };
static const char *const recoding_words[] = { "global", "local", NULL };
static const char *const cohort_words[] = { "fixed", "open", NULL };
static const char *const verify_words[] = { "replay", "sample", "trust", NULL };
static const char *const extra_words[] = { "refuse", "drop", NULL };
static const char *const type_words[] = { "real", "integer", "date", "levels",
	"text", "interval", NULL };
static const char *const privacy_words[] = { "none", "direct-identifier",
	"quasi-identifier", "sensitive", NULL };
static const char *const use_words[] = { "ignored", "feature", "outcome",
	"stratum", NULL };

bool
study_name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= STUDY_NAME_MAX && s[n] == '\0' && *s != '-';
}

static int
parse_name(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	if (!study_name_ok(value))
		return ini_error(ini, value, err,
		    "%s: expected 1 to %d of a-z, 0-9 and -, not starting with "
		    "-",
		    f->key, STUDY_NAME_MAX);
	*(char **)out = value;
	return 0;
}

static int
parse_sites(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	struct ini_list *l = out;

	if (ini_items(ini, f, value, out, err) < 0)
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		if (!study_name_ok(l->items[i]))
			return ini_error(ini, l->items[i], err,
			    "%s: a site's name is 1 to %d of a-z, 0-9 and -",
			    f->key, STUDY_NAME_MAX);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(l->items[i], l->items[j]) == 0)
				return ini_error(ini, l->items[i], err,
				    "%s: \"%s\" is there twice", f->key,
				    l->items[i]);
		}
	}
	return 0;
}

static int
parse_day(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	if (study_date("YYYY-MM-DD", value, strlen(value), out) < 0)
		return ini_error(ini, value, err,
		    "%s: expected a date as YYYY-MM-DD", f->key);
	return 0;
}

/* Text that a later check takes apart; as it is. */
static int
parse_raw(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	if (*value == '\0')
		return ini_error(ini, value, err, "%s: expected text", f->key);
	*(char **)out = value;
	return 0;
}

#define AT(field) .offset = offsetof(struct study, field)
#define TEXT(key, field)                                                       \
	{                                                                      \
		key, ini_text, AT(field), .required = true, .max = TEXT_MAX    \
	}

static const struct ini_field study_fields[] = {
	{ "name", parse_name, AT(name), .required = true },
	TEXT("title", title),
	TEXT("purpose", purpose),
	TEXT("legal-basis", legal_basis),
	TEXT("ethics", ethics),
	TEXT("contact", contact),
	{ "sites", parse_sites, AT(sites), .min = 3, .max = MODEL_SITES_MAX },
	{ "expires", parse_day, AT(expires), .required = true },
	{ "extra-columns", ini_word, AT(extra_columns), .words = extra_words },
};

static const struct ini_field rounds_fields[] = {
	{ "max-iterations", ini_size, AT(rounds.max_iterations), .min = 1,
	    .max = 1000 },
	{ "tolerance", ini_real, AT(rounds.tolerance), .min = 1e-11,
	    .max = 1e-2 },
	{ "ready-wait", ini_size, AT(rounds.ready_wait_s), .min = 1,
	    .max = SECONDS_MAX },
	{ "share", ini_size, AT(rounds.share_s), .min = 1, .max = SECONDS_MAX },
	{ "upload", ini_size, AT(rounds.upload_s), .min = 1,
	    .max = SECONDS_MAX },
	{ "confirm", ini_size, AT(rounds.confirm_s), .min = 1,
	    .max = SECONDS_MAX },
	{ "unmask", ini_size, AT(rounds.unmask_s), .min = 1,
	    .max = SECONDS_MAX },
	{ "keep-uploads", ini_size, AT(rounds.keep_uploads), .min = 1,
	    .max = 10000 },
};

static const struct ini_field privacy_fields[] = {
	{ "k", ini_size, AT(privacy.k), .required = true, .min = 1,
	    .max = 100000 },
	{ "suppression-limit", ini_real, AT(privacy.suppression_limit),
	    .min = 0, .max = 1 },
	{ "population", ini_real, AT(privacy.population), .min = 1,
	    .max = 1e11 },
	{ "patient", parse_raw, AT(privacy.patient_name) },
	{ "pseudonym", ini_word, AT(privacy.pseudonym), .words = yes_words },
	{ "date-shift", ini_size, AT(privacy.date_shift), .min = 1,
	    .max = 3660 },
	{ "average-risk", ini_real, AT(privacy.average_risk), .min = 1e-6,
	    .max = 1 },
	{ "risk-threshold", ini_real, AT(privacy.risk_threshold), .min = 1e-6,
	    .max = 1 },
	{ "smallest-risk-set-step", ini_size,
	    AT(privacy.smallest_risk_set_step), .min = 1, .max = 100000 },
	{ "suite", ini_word, AT(privacy.suite), .words = suite_words },
	{ "smallest-cell", ini_size, AT(privacy.smallest_cell), .min = 1,
	    .max = 100000 },
	{ "dominance", ini_size, AT(privacy.dominance), .max = 100 },
	{ "events-per-term", ini_size, AT(privacy.events_per_term),
	    .max = 1000 },
	{ "cohort", ini_word, AT(privacy.cohort), .words = cohort_words },
	{ "verify", ini_word, AT(privacy.verify), .words = verify_words },
	{ "recoding", ini_word, AT(privacy.recoding), .words = recoding_words },
	{ "max-rejected-rows", ini_size, AT(privacy.max_rejected_rows),
	    .max = MODEL_ROWS_MAX },
	{ "rows-per-site", ini_size, AT(privacy.rows_per_site), .min = 1,
	    .max = MODEL_ROWS_MAX },
};

static const struct ini_field learning_fields[] = {
	{ "epsilon", ini_real, AT(learning.epsilon), .required = true,
	    .min = 1e-3, .max = 1e6 },
	{ "delta", ini_real, AT(learning.delta), .required = true, .min = 1e-15,
	    .max = 0.1 },
	{ "clip", ini_real, AT(learning.clip), .required = true, .min = 1e-6,
	    .max = 1e6 },
	{ "rounds", ini_size, AT(learning.rounds), .required = true, .min = 1,
	    .max = 10000 },
	{ "retries", ini_size, AT(learning.retries), .max = 10000 },
	{ "step-size", ini_real, AT(learning.step), .min = 1e-6, .max = 1e6 },
	{ "momentum", ini_real, AT(learning.momentum), .max = 0.999 },
	{ "ring", ini_size, AT(learning.ring), .min = 32, .max = 64 },
};

#define MODEL(field) .offset = offsetof(struct draft_model, field)

static const struct ini_field model_fields[] = {
	{ "kind", ini_word, MODEL(m.kind), .required = true,
	    .words = kind_words },
	{ "family", ini_word, MODEL(m.family), .words = family_words },
	{ "link", ini_word, MODEL(m.link), .words = link_words },
	{ "time", parse_raw, MODEL(time) },
	{ "entry", parse_raw, MODEL(entry) },
	{ "time-varying", ini_items, MODEL(varying), .min = 1, .max = 16 },
	{ "time-cuts", ini_items, MODEL(cuts), .min = 1,
	    .max = STUDY_CUTS_MAX },
	{ "event", parse_raw, MODEL(event) },
	{ "outcome", parse_raw, MODEL(outcome) },
	{ "theta", ini_real, MODEL(m.theta), .min = 1e-3, .max = 1e6 },
	{ "ridge", ini_real, MODEL(m.ridge), .min = 1e-9, .max = 1e12 },
	{ "offset", parse_raw, MODEL(offset) },
	{ "weights", parse_raw, MODEL(weights) },
	{ "trials", parse_raw, MODEL(trials) },
	{ "event-level", parse_raw, MODEL(event_level) },
	{ "ties", ini_word, MODEL(m.ties), .words = ties_words },
	{ "strata", ini_items, MODEL(strata), .min = 1, .max = 16 },
	{ "groups", ini_items, MODEL(groups), .min = 1, .max = 16 },
	{ "censored", parse_raw, MODEL(censored) },
	{ "bounds", ini_word, MODEL(m.bounds), .words = bounds_words },
	{ "band", ini_word, MODEL(m.band), .words = band_words },
	{ "rho", ini_real, MODEL(m.rho), .min = 0, .max = 10 },
	{ "rmst-until", ini_real, MODEL(m.rmst_until), .min = 1e-9,
	    .max = 1e9 },
	{ "formula", parse_raw, MODEL(formula_text) },
	{ "terms", ini_items, MODEL(terms), .min = 1, .max = MODEL_TERMS_MAX },
	{ "robust", ini_word, MODEL(m.robust), .words = robust_words },
	{ "ph-test", ini_word, MODEL(m.ph_test), .words = yes_words },
	{ "baseline", ini_word, MODEL(m.baseline), .words = yes_words },
	{ "bins", ini_size, MODEL(m.summary_bins), .min = 4, .max = 1024 },
	{ "feasibility", ini_word, MODEL(m.feasibility), .words = yes_words },
	{ "time-step", ini_real, MODEL(m.time_step), .min = 1e-9, .max = 1e9 },
	{ "concordance-bins", ini_size, MODEL(m.concordance_bins), .min = 16,
	    .max = MODEL_BINS_MAX },
};

#define COLUMN(field) .offset = offsetof(struct draft_column, field)

static const struct ini_field column_fields[] = {
	{ "title", ini_text, COLUMN(c.title), .max = TEXT_MAX },
	{ "type", ini_word, COLUMN(c.type), .required = true,
	    .words = type_words },
	{ "privacy", ini_word, COLUMN(c.privacy), .required = true,
	    .words = privacy_words },
	{ "use", ini_word, COLUMN(c.use), .words = use_words },
	{ "unit", ini_text, COLUMN(c.unit), .max = STUDY_COLUMN_NAME_MAX },
	{ "range", parse_raw, COLUMN(range) },
	{ "levels", parse_raw, COLUMN(levels) },
	{ "reference", parse_raw, COLUMN(reference) },
	{ "knots", parse_raw, COLUMN(knots) },
	{ "missing", ini_items, COLUMN(c.missing), .min = 1, .max = 100 },
	{ "format", ini_items, COLUMN(c.formats), .min = 1, .max = 10 },
	{ "from", parse_raw, COLUMN(from) },
	{ "to", parse_raw, COLUMN(to) },
	{ "level", parse_raw, COLUMN(level) },
	{ "weight", ini_real, COLUMN(c.weight), .min = 1e-3, .max = 1e3 },
	{ "diversity", parse_raw, COLUMN(diversity) },
	{ "closeness", parse_raw, COLUMN(closeness) },
};

#define LEVEL(i)                                                               \
	{                                                                      \
		"level-" #i, parse_raw,                                        \
		    .offset = offsetof(struct draft_hierarchy, levels) +       \
		    ((i)-1) * sizeof(char *)                                   \
	}

static const struct ini_field hierarchy_fields[] = {
	LEVEL(1),
	LEVEL(2),
	LEVEL(3),
	LEVEL(4),
	LEVEL(5),
	LEVEL(6),
	LEVEL(7),
	LEVEL(8),
	LEVEL(9),
};

static void *
place_study(
    struct ini *ini, const struct ini_section *s, void *ctx, struct err *err)
{
	(void)ini;
	(void)s;
	(void)err;
	return ((struct draft *)ctx)->s;
}

static void *
place_column(
    struct ini *ini, const struct ini_section *s, void *ctx, struct err *err)
{
	static char na[] = "NA", empty[] = "";
	static char *codes[] = { na, empty };
	struct draft *d = ctx;
	struct draft_column *dc = &d->columns[d->n_columns];

	if (strlen(s->arg) > STUDY_COLUMN_NAME_MAX) {
		ini_error(ini, s->arg, err,
		    "a column's name of %zu bytes, expected at most %d",
		    strlen(s->arg), STUDY_COLUMN_NAME_MAX);
		return NULL;
	}
	if (d->n_columns == STUDY_COLUMNS_MAX) {
		ini_error(ini, s->arg, err, "more than %d columns",
		    STUDY_COLUMNS_MAX);
		return NULL;
	}
	d->n_columns++;
	dc->c = (struct study_column){
		.name = s->arg,
		.title = s->arg,
		.missing = { codes, nitems(codes) },
		.from = STUDY_NONE,
		.to = STUDY_NONE,
		.weight = 1,
	};
	return dc;
}

static void *
place_hierarchy(
    struct ini *ini, const struct ini_section *s, void *ctx, struct err *err)
{
	struct draft *d = ctx;

	(void)ini;
	(void)err;
	d->hierarchies[d->n_hierarchies].column = s->arg;
	return &d->hierarchies[d->n_hierarchies++];
}

#define FIELDS(table) .fields = (table), .n_fields = nitems(table)

static const struct ini_kind sections[] = {
	{ "study", INI_NO_ARG, true, FIELDS(study_fields),
	    .place = place_study },
	{ "model", INI_NO_ARG, true, FIELDS(model_fields),
	    .offset = offsetof(struct draft, model) },
	{ "rounds", INI_NO_ARG, false, FIELDS(rounds_fields),
	    .place = place_study },
	{ "privacy", INI_NO_ARG, true, FIELDS(privacy_fields),
	    .place = place_study },
	{ "learning", INI_NO_ARG, false, FIELDS(learning_fields),
	    .place = place_study },
	{ "column", INI_ARG, true, FIELDS(column_fields),
	    .place = place_column },
	{ "hierarchy", INI_ARG, false, FIELDS(hierarchy_fields),
	    .place = place_hierarchy },
};

char *
draft_printf(struct draft *d, struct err *err, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (s = ini_alloc(d->ini, (size_t)n + 1, 1, err)) == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

static void
defaults(struct draft *d)
{
	d->s->rounds = (struct study_rounds){
		.max_iterations = 25,
		.tolerance = 1e-10,
		.ready_wait_s = 600,
		.share_s = 600,
		.upload_s = 1800,
		.confirm_s = 600,
		.unmask_s = 600,
		.keep_uploads = 16,
	};
	d->s->privacy = (struct study_rules){
		.suppression_limit = 0.05,
		.risk_threshold = 0.09,
		.smallest_risk_set_step = 5,
		.events_per_term = 1,
		.smallest_cell = 5,
		.dominance = 10,
		.cohort = -1, /* not said */
		.verify = STUDY_REPLAY,
		.rows_per_site = 1000000,
	};
	d->s->learning = (struct study_learning){
		.retries = 3,
		.step = 1,
		.ring = 32,
	};
	d->model.m = (struct study_model){
		.ties = -1, /* not said */
		.family = -1,
		.link = -1,
		.time = STUDY_NONE,
		.entry = STUDY_NONE,
		.event = STUDY_NONE,
		.outcome = STUDY_NONE,
		.offset = STUDY_NONE,
		.weights = STUDY_NONE,
		.concordance_bins = 4096,
		.summary_bins = 0, /* not said */
		.rho = -1, /* not said */
	};
}

/* How sums are protected must be said, one way or the other. */
static int
check_privacy(struct draft *d, struct err *err)
{
	const struct study_learning *l = &d->s->learning;
	const struct study_model *m = &d->s->model;
	struct study_rules *r = &d->s->privacy;
	const char *at = d->s->columns[0].name;

	if (r->cohort == -1 && l->rounds == 0)
		return ini_error(d->ini, at, err,
		    "[privacy] has no key \"cohort\", which a study without "
		    "[learning] needs");
	if (r->cohort == -1)
		r->cohort = STUDY_OPEN;
	if (l->rounds == 0)
		return 0;
	if (m->kind != STUDY_LOGISTIC &&
	    (m->kind != STUDY_GLM || m->family != STUDY_GAUSSIAN))
		return ini_error(d->ini, at, err,
		    "[learning]: expected kind = logistic, or glm with family "
		    "= gaussian");
	if (l->ring != 32 && l->ring != 64)
		return ini_error(d->ini, at, err, "ring: expected 32 or 64");
	return 0;
}

/* Everything after the lines: sections, then what they mean together. */
static int
read_draft(struct draft *d, struct err *err)
{
	size_t n;

	ini_sections(d->ini, &n);
	d->columns = ini_alloc(d->ini, n + 1, sizeof(*d->columns), err);
	d->hierarchies = ini_alloc(d->ini, n + 1, sizeof(*d->hierarchies), err);
	if (d->columns == NULL || d->hierarchies == NULL)
		return -1;
	defaults(d);
	if (ini_read(d->ini, sections, nitems(sections), d, err) < 0 ||
	    codebook_check(d, err) < 0 || model_check(d, err) < 0 ||
	    check_privacy(d, err) < 0)
		return -1;
	return 0;
}

struct study *
study_parse(const char *name, const void *text, size_t len, struct err *err)
{
	struct draft d = { 0 };

	if ((d.s = calloc(1, sizeof(*d.s))) == NULL) {
		err_sys(err, "%s", name);
		return NULL;
	}
	if ((d.ini = ini_parse(name, text, len, err)) == NULL ||
	    read_draft(&d, err) < 0) {
		ini_free(d.ini);
		free(d.s);
		return NULL;
	}
	d.s->ini = d.ini;
	return d.s;
}

struct study *
study_load(const char *path, struct err *err)
{
	struct study *s;
	uint8_t *text;
	size_t len;

	if ((text = file_read(path, STUDY_TEXT_MAX, &len, err)) == NULL)
		return NULL;
	s = study_parse(path, text, len, err);
	free(text);
	return s;
}

void
study_free(struct study *s)
{
	if (s == NULL)
		return;
	ini_free(s->ini);
	free(s);
}

/* Numbers begin at 1, in the order of the words. */

uint8_t
study_suite(const struct study *s)
{
	return (uint8_t)(s->privacy.suite + 1);
}

uint8_t
study_bits(const struct study *s)
{
	return s->learning.rounds != 0 ? (uint8_t)s->learning.ring : 64;
}

uint8_t
study_verify(const struct study *s)
{
	return (uint8_t)(s->privacy.verify + 1);
}

const char *
study_verify_name(const struct study *s)
{
	return verify_words[s->privacy.verify];
}

uint8_t
study_cohort(const struct study *s)
{
	return (uint8_t)(s->privacy.cohort + 1);
}

size_t
study_find(const struct study *s, const char *column)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		if (strcmp(s->columns[i].name, column) == 0)
			return i;
	}
	return STUDY_NONE;
}

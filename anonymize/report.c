#include "config.h"

#include "anonymize/report.h"

#include <math.h>

#include "anonymize/attack.h"
#include "anonymize/facts.h"
#include "anonymize/rows.h"
#include "anonymize/rules.h"
#include "common/canon.h"
#include "common/catalogue.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/hex.h"
#include "common/json.h"
#include "crypto/hash.h"
#include "study/study.h"
#include "study/table.h"

static void
digest(struct json *j, const char *key, const uint8_t *d)
{
	char text[2 * HASH_LEN + 1];

	hex_text(d, HASH_LEN, text);
	json_text(j, key, text);
}

static void
put_study(struct json *j, const struct report *r)
{
	const struct study *s = r->in.study;
	char expires[STUDY_DATE_TEXT_SIZE];

	study_date_text(s->expires, expires);
	json_object(j, "study");
	json_text(j, "name", s->name);
	digest(j, "digest", r->in.study_digest);
	json_text(j, "title", s->title);
	json_text(j, "purpose", s->purpose);
	json_text(j, "legal_basis", s->legal_basis);
	json_text(j, "ethics", s->ethics);
	json_text(j, "contact", s->contact);
	json_text(j, "expires", expires);
	json_array(j, "sites");
	for (size_t i = 0; i < s->sites.n; i++)
		json_text(j, NULL, s->sites.items[i]);
	json_end_array(j);
	json_text(
	    j, "cohort", s->privacy.cohort == STUDY_OPEN ? "open" : "fixed");
	json_end_object(j);
}

static void
put_rows(struct json *j, const struct report *r)
{
	bool patients = r->in.patient != NULL;

	json_object(j, "rows");
	json_int(j, "read", (int64_t)r->in.rows->n_read);
	json_int(j, "objected", (int64_t)r->in.rows->n_objected);
	json_int(j, "rejected", (int64_t)r->in.rows->n_rejected);
	json_int(j, "incomplete", (int64_t)r->in.rows->n_incomplete);
	json_int(j, "suppressed", (int64_t)r->in.suppressed);
	json_int(j, "suppressed_at_most",
	    (int64_t)(patients ? r->in.rows->n : r->in.most_suppressed));
	json_int(j, "in_table", (int64_t)r->in.table->n_rows);
	json_end_object(j);
	if (!patients)
		return;
	json_object(j, "patients");
	json_int(j, "complete", (int64_t)r->in.patients);
	json_int(j, "suppressed", (int64_t)r->in.patients_suppressed);
	json_int(j, "suppressed_at_most", (int64_t)r->in.most_suppressed);
	json_int(j, "in_table", (int64_t)r->in.patients_in_table);
	json_end_object(j);
}

static void
put_population(struct json *j, const char *key, const struct population *p)
{
	json_object(j, key);
	json_real(j, "zayatz", p->zayatz);
	json_real(j, "pitman", p->pitman);
	json_real(j, "slide_negative_binomial", p->slide);
	json_real(j, "likely", p->likely);
	json_end_object(j);
}

static void
put_attack(struct json *j, const struct attack *a)
{
	json_object(j, "attack");
	json_int(j, "tried", (int64_t)a->tried);
	json_int(j, "fitting", (int64_t)a->fitting);
	json_int(j, "single", (int64_t)a->single);
	json_int(j, "correct", (int64_t)a->correct);
	json_end_object(j);
}

static void
put_risk(struct json *j, const char *key, const struct risk *k,
    const struct journalist *o)
{
	json_object(j, key);
	json_int(j, "smallest_class", (int64_t)k->smallest);
	json_real(j, "highest", k->highest);
	json_real(j, "average", k->average);
	json_real(j, "above_threshold", k->above);
	json_real(j, "unique", k->unique);
	json_object(j, "journalist");
	json_real(j, "highest", o->highest);
	json_real(j, "average", o->average);
	json_real(j, "above_threshold", o->above);
	json_end_object(j);
	json_real(j, "marketer", o->average);
	json_end_object(j);
}

static void
put_set(struct json *j, const char *key, const struct separation *s)
{
	json_object(j, key);
	json_real(j, "distinction", s->distinction);
	json_real(j, "separation", s->separation);
	json_end_object(j);
}

/* The sets of one and of two, and that of all. */
static void
put_separation(struct json *j, const struct report *r)
{
	const struct study *s = r->in.study;

	json_array(j, "sets");
	for (size_t i = 0; i <= r->n_sets; i++) {
		bool all = i == r->n_sets;
		struct separation before =
		    all ? separation_of(r->in.before) : r->separate_before[i];
		struct separation after =
		    all ? separation_of(r->in.after) : r->separate_after[i];

		json_object(j, NULL);
		json_array(j, "columns");
		for (size_t q = 0; q < s->n_quasi; q++)
			if (all || q == before.a || q == before.b)
				json_text(
				    j, NULL, s->columns[s->quasi[q]].name);
		json_end_array(j);
		put_set(j, "before", &before);
		put_set(j, "after", &after);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
put_rules(struct json *j, const struct report *r)
{
	static const char *const words[] = {
		[MODEL_DISTINCT] = "distinct-diversity",
		[MODEL_ENTROPY] = "entropy-diversity",
		[MODEL_RECURSIVE] = "recursive-diversity",
		[MODEL_EQUAL] = "equal-closeness",
		[MODEL_ORDERED] = "ordered-closeness",
		[MODEL_HIERARCHICAL] = "hierarchical-closeness",
	};
	const struct models *m = &r->in.rules->models;

	if (m->average_risk > 0)
		json_real(j, "average_risk_at_most", m->average_risk);
	json_array(j, "rules");
	for (size_t i = 0; i < m->n; i++) {
		const struct model *o = &m->list[i];
		size_t column = r->in.rules->column[o->sensitive];

		json_object(j, NULL);
		json_text(j, "column", r->in.study->columns[column].name);
		json_text(j, "rule", words[o->kind]);
		if (o->kind < MODEL_EQUAL)
			json_real(j, "l", o->t);
		if (o->kind == MODEL_RECURSIVE)
			json_real(j, "c", o->c);
		if (o->kind >= MODEL_EQUAL)
			json_real(j, "t", o->t);
		json_real(j, "measured", r->in.worst[i]);
		json_end_object(j);
	}
	json_end_array(j);
}

/* Entropy's last digits would tell how common a rare value is. */
static void
put_loss(struct json *j, const struct report *r)
{
	const struct study *s = r->in.study;
	double unit = r->loss.entropy > 0
	    ? pow(10, floor(log10(r->loss.entropy)) - 2)
	    : 1;

	json_object(j, "loss");
	json_real(j, "loss", r->loss.loss);
	json_real(j, "granularity", r->loss.granularity);
	json_real(j, "entropy_bits", round(r->loss.entropy / unit) * unit);
	json_real(j, "discernibility", r->loss.discernibility);
	json_real(j, "average_class_rows", r->loss.average_size);
	json_array(j, "columns");
	for (size_t q = 0; q < s->n_quasi; q++) {
		json_object(j, NULL);
		json_text(j, "name", s->columns[s->quasi[q]].name);
		json_real(j, "loss", r->lost[q]);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void
put_privacy(struct json *j, const struct report *r)
{
	const struct study *s = r->in.study;

	json_object(j, "privacy");
	json_int(j, "k", (int64_t)r->in.k);
	json_int(j, "k_of_study", (int64_t)s->privacy.k);
	json_int(j, "k_of_hospital", (int64_t)r->in.smallest_k);
	json_array(j, "quasi_identifiers");
	for (size_t i = 0; i < s->n_quasi; i++)
		json_text(j, NULL, s->columns[s->quasi[i]].name);
	json_end_array(j);
	if (s->privacy.pseudonym == STUDY_YES)
		json_bool(j, "pseudonym", true);
	if (s->privacy.date_shift > 0)
		json_int(j, "date_shift_days", (int64_t)s->privacy.date_shift);
	json_real(j, "threshold", s->privacy.risk_threshold);
	put_risk(j, "before", &r->before, &r->journalist_before);
	put_risk(j, "after", &r->after, &r->journalist_after);
	put_separation(j, r);
	if (s->privacy.population > 0) {
		json_object(j, "population");
		json_real(j, "people", r->population_before.size);
		put_population(j, "unique_before", &r->population_before);
		put_population(j, "unique_after", &r->population_after);
		json_end_object(j);
	}
	put_attack(j, r->in.attack);
	put_rules(j, r);
	json_int(j, "classes", (int64_t)r->in.after->n);
	json_array(j, "class_sizes");
	for (size_t i = 0; i < FACTS_SIZES; i++) {
		const struct class_sizes *c = &r->sizes[i];

		json_object(j, NULL);
		json_int(j, "from", (int64_t)c->from);
		if (c->to != 0)
			json_int(j, "to", (int64_t)c->to);
		else
			json_null(j, "to");
		json_int(j, "classes", (int64_t)c->classes);
		json_int(j, "patients", (int64_t)c->patients);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void
put_disclosure(struct json *j, const char *key, const struct disclosure *d)
{
	json_object(j, key);
	json_real(j, "certain", d->certain);
	json_real(j, "right", d->right);
	json_real(j, "anyway", d->anyway);
	json_end_object(j);
}

static void
put_values_before(struct json *j, const struct column_facts *f)
{
	json_array(j, "values_before");
	for (size_t g = 0; g < f->n_before; g++) {
		json_object(j, NULL);
		json_text(j, "label", f->before[g].label);
		if (f->before[g].hidden)
			json_null(j, "patients_about");
		else
			json_int(
			    j, "patients_about", (int64_t)f->before[g].count);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
put_column(struct json *j, const struct report *r, size_t i)
{
	const struct study_column *c = &r->in.study->columns[i];
	const struct column_facts *f = &r->columns[i];

	json_object(j, NULL);
	json_text(j, "name", c->name);
	json_text(j, "title", c->title);
	json_text(j, "type", facts_type(c->type));
	json_text(j, "privacy", facts_privacy(c->privacy));
	json_text(j, "use", facts_use(c->use));
	json_bool(j, "in_table", f->in_table);
	json_text(j, "done", f->done);
	if (f->n_before > 0)
		put_values_before(j, f);
	if (f->in_table) {
		json_int(j, "distinct_before", (int64_t)f->distinct_before);
		json_int(j, "distinct_after", (int64_t)f->distinct_after);
		json_real(j, "information_left", round(100 * f->left) / 100);
		if (f->sensitive && !f->quiet) {
			put_disclosure(j, "known_before", &f->known_before);
			put_disclosure(j, "known_after", &f->known_after);
		}
		json_array(j, "values");
		for (size_t g = 0; g < f->n_bins; g++) {
			json_object(j, NULL);
			json_text(j, "label", f->bins[g].label);
			if (f->bins[g].hidden)
				json_null(j, "patients");
			else
				json_int(
				    j, "patients", (int64_t)f->bins[g].count);
			json_end_object(j);
		}
		json_end_array(j);
	}
	json_end_object(j);
}

static void
put_harbor(struct json *j, const struct report *r)
{
	const struct detect_harbor *items = detect_harbor();
	const struct rows *rows = r->in.rows;

	json_array(j, "safe_harbor");
	for (size_t i = 0; i < DETECT_HARBOR; i++) {
		json_object(j, NULL);
		json_text(j, "identifier", items[i].text);
		json_bool(j, "looked_for", items[i].kinds != 0);
		json_array(j, "columns");
		for (size_t c = 0; c < rows->n_seen; c++)
			if (facts_looks_like(&rows->seen[c], items[i].kinds))
				json_text(j, NULL, rows->seen[c].name);
		json_end_array(j);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
put_findings(struct json *j, const struct report *r)
{
	json_array(j, "findings");
	for (size_t i = 0; i < r->n_findings; i++) {
		json_object(j, NULL);
		json_text(j, "id", r->findings[i].id);
		json_bool(j, "decide", r->findings[i].decide);
		json_text(j, "text", r->findings[i].text);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
put_changes(struct json *j, const struct changes *c)
{
	if (!c->any)
		return;
	json_object(j, "last");
	json_text(j, "made", c->made);
	json_bool(j, "same_study", c->same_study);
	json_bool(j, "same_table", c->same_table);
	json_array(j, "changes");
	for (size_t i = 0; i < c->n; i++) {
		json_object(j, NULL);
		json_text(j, "what", c->list[i].key);
		json_real(j, "last", c->list[i].last);
		json_real(j, "now", c->list[i].now);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

int
report_json(const struct report *r, const uint8_t *html_digest,
    struct canon *out, struct err *err)
{
	struct json j = json_start(out);
	char made[CLOCK_TEXT_SIZE];

	clock_text(r->in.utc, made);
	json_object(&j, NULL);
	json_text(&j, "format", "consilium-report");
	json_int(&j, "version", REPORT_VERSION);
	json_text(&j, "made", made);
	json_text(&j, "language", catalogue_language());
	json_text(&j, "program", "consilium " PACKAGE_VERSION);
	json_text(&j, "site", r->in.site);
	put_study(&j, r);
	put_rows(&j, r);
	put_privacy(&j, r);
	if (r->in.study->n_quasi > 0)
		put_loss(&j, r);
	json_array(&j, "columns");
	for (size_t i = 0; i < r->in.study->n_columns; i++)
		put_column(&j, r, i);
	json_end_array(&j);
	json_array(&j, "extra_columns");
	for (size_t i = 0; i < r->in.rows->n_extra; i++)
		json_text(&j, NULL, r->in.rows->extra[i]);
	json_end_array(&j);
	put_harbor(&j, r);
	put_findings(&j, r);
	put_changes(&j, &r->changes);
	digest(&j, "table_digest", r->in.table_digest);
	digest(&j, "html_digest", html_digest);
	json_end_object(&j);
	if (out->failed)
		return err_sys(err, "memory for the report");
	return 0;
}

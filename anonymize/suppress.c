#include "config.h"

#include "anonymize/suppress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/classes.h"
#include "anonymize/rows.h"
#include "anonymize/rules.h"
#include "common/err.h"
#include "common/macros.h"
#include "study/study.h"

/* What marking has found, over the rows that stay. */
struct marks {
	size_t rows, patients; /* that are gone; patients who lost a row */
	size_t classes, people; /* that stay: of linked rows, histories */
};

static int
no_memory(const struct suppress_input *in, struct err *err)
{
	return err_sys(err, "%s: memory for its rows", in->source);
}

static bool
linked(const struct suppress_input *in)
{
	return in->study->privacy.pseudonym == STUDY_YES;
}

/* Patients with whom fewer than k share all of their rows lose them; *any: there
   are some. */
static int
mark_histories(const struct suppress_input *in, const struct classes *c,
    const bool *gone, bool *lost, struct marks *m, bool *any, struct err *err)
{
	const struct rows *rows = in->rows;
	struct classes h;
	int r = classes_histories(
	    c, rows->patient, rows->n_patients, gone, &h, err);

	for (size_t p = 0; r == 0 && p < rows->n_patients; p++)
		if (h.of_row[p] != CLASSES_NONE && h.size[h.of_row[p]] < in->k)
			*any = lost[p] = true;
	m->classes = h.n;
	m->people = h.n_rows;
	classes_free(&h);
	return r;
}

/* One go: rows of classes that fail are gone; of linked ones all rows of their
   patients, and of patients who are too few.  *again: there may be more. */
static int
mark_once(const struct suppress_input *in, const struct classes *c, bool *gone,
    bool *fails, bool *lost, struct marks *m, bool *again, struct err *err)
{
	const struct rows *rows = in->rows;
	struct rules_sum sum;

	*again = false;
	if (rules_check(in->rules, c, gone, fails, &sum, NULL, err) == -1)
		return -1;
	m->classes = sum.classes;
	m->people = sum.people;
	for (size_t i = 0; i < rows->n; i++)
		if (!gone[i] && fails[c->of_row[i]]) {
			gone[i] = true;
			if (lost != NULL)
				lost[rows->patient[i]] = true;
		}
	if (!linked(in))
		return 0;
	*again = sum.rows > 0;
	for (size_t i = 0; i < rows->n; i++)
		gone[i] = gone[i] || lost[rows->patient[i]];
	if (mark_histories(in, c, gone, lost, m, again, err) == -1)
		return -1;
	for (size_t i = 0; i < rows->n; i++)
		gone[i] = gone[i] || lost[rows->patient[i]];
	return 0;
}

static int
mark(const struct suppress_input *in, const struct classes *c, bool *gone,
    struct marks *m, struct err *err)
{
	const struct rows *rows = in->rows;
	bool *fails = calloc(c->n + 1, sizeof(*fails));
	bool *lost = NULL, again = true;
	int r = -1;

	*m = (struct marks){ 0 };
	if (rows->patient != NULL)
		lost = calloc(rows->n_patients + 1, sizeof(*lost));
	if (fails == NULL || (rows->patient != NULL && lost == NULL)) {
		no_memory(in, err);
		goto out;
	}
	memset(gone, 0, rows->n * sizeof(*gone));
	while (again)
		if (mark_once(in, c, gone, fails, lost, m, &again, err) == -1)
			goto out;
	for (size_t i = 0; i < rows->n; i++)
		m->rows += gone[i];
	for (size_t p = 0; lost != NULL && p < rows->n_patients; p++)
		m->patients += lost[p];
	r = 0;
out:
	free(fails);
	free(lost);
	return r;
}

/* What the limit is held against. */
static size_t
counted(const struct suppress_input *in, const struct marks *m)
{
	return in->rows->patient != NULL ? m->patients : m->rows;
}

static size_t
all_of(const struct suppress_input *in)
{
	return in->rows->patient != NULL ? in->rows->n_patients : in->rows->n;
}

/* Without which quasi-identifier would fewest be lost? */
static size_t
best_without(const struct suppress_input *in, bool *gone, size_t below,
    size_t *worst, struct err *err)
{
	size_t n = in->study->n_quasi, best = below;
	const double **keys = calloc(n + 1, sizeof(*keys));

	*worst = 0;
	for (size_t q = 0; keys != NULL && n > 1 && q < n; q++) {
		struct classes c;
		struct marks m;
		size_t k = 0;

		for (size_t i = 0; i < n; i++)
			if (i != q)
				keys[k++] = in->keys[i];
		if (classes_make(&c, keys, k, in->rows->n, err) == 0 &&
		    mark(in, &c, gone, &m, err) == 0 &&
		    counted(in, &m) < best) {
			best = counted(in, &m);
			*worst = q;
		}
		classes_free(&c);
	}
	free(keys);
	return best;
}

static int
too_many(const struct suppress_input *in, struct suppression *out, size_t below,
    struct err *err)
{
	const struct study *s = in->study;
	const char *more = in->rules->models.n > 0
	    ? ", or with too few values of a sensitive column"
	    : "";
	size_t worst, n = s->n_quasi, best;
	const char *name;

	if (n == 0)
		return err_set(err, ERR_REFUSED,
		    "%.100s: %zu of %zu patients have as many rows as fewer "
		    "than %zu patients%s; the study lets %zu be suppressed",
		    in->source, below, in->rows->n_patients, in->k, more,
		    out->most);
	best = best_without(in, out->gone, below, &worst, err);
	name = s->columns[s->quasi[worst]].name;
	if (in->rows->patient != NULL)
		return err_set(err, ERR_REFUSED,
		    "%.100s: %zu of %zu patients share %s with fewer than %zu "
		    "patients%s; the study lets %zu be suppressed. Without "
		    "\"%s\" it would be %zu: a higher level of its hierarchy "
		    "would help most",
		    in->source, below, in->rows->n_patients,
		    linked(in) ? "all of their rows" : "a row", in->k, more,
		    out->most, name, n > 1 ? best : 0);
	return err_set(err, ERR_REFUSED,
	    "%.100s: %zu of %zu rows share their quasi-identifiers with fewer "
	    "than %zu patients%s; the study lets %zu be suppressed. Without "
	    "\"%s\" it would be %zu: a higher level of its hierarchy would "
	    "help most",
	    in->source, below, in->rows->n, in->k, more, out->most, name,
	    n > 1 ? best : 0);
}

int
suppress(
    const struct suppress_input *in, struct suppression *out, struct err *err)
{
	size_t n = in->rows->n, k = in->raw ? 1 : in->k, left;
	struct marks m = { 0 };

	*out = (struct suppression){ .all = all_of(in) };
	if ((out->gone = calloc(n + 1, sizeof(*out->gone))) == NULL)
		return no_memory(in, err);
	if (!in->raw && mark(in, in->classes, out->gone, &m, err) == -1)
		return -1;
	out->most = (size_t)floor(
	    in->study->privacy.suppression_limit * (double)all_of(in));
	out->rows = m.rows;
	out->patients = m.patients;
	if ((in->study->n_quasi > 0 || linked(in)) &&
	    counted(in, &m) > out->most)
		return too_many(in, out, counted(in, &m), err);
	left = all_of(in) - counted(in, &m);
	if (left < k || n == m.rows)
		return err_set(err, ERR_REFUSED,
		    "%.100s: %zu complete %s are left, at least %zu are needed",
		    in->source, left,
		    in->rows->patient != NULL ? "patients" : "rows", MAX(k, 1));
	if (!in->raw &&
	    !models_hold_table(&in->rules->models, m.classes, m.people))
		return err_set(err, ERR_REFUSED,
		    "%.100s: %zu classes of %zu %s, an average risk of %.4f; "
		    "the study allows %g: higher levels of the hierarchies "
		    "would help",
		    in->source, m.classes, m.people,
		    in->rows->patient != NULL ? "patients" : "rows",
		    (double)m.classes / (double)m.people,
		    in->study->privacy.average_risk);
	return 0;
}

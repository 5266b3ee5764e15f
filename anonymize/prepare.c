#include "anonymize/prepare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "anonymize/attack.h"
#include "anonymize/classes.h"
#include "anonymize/means.h"
#include "anonymize/recoding.h"
#include "anonymize/report.h"
#include "anonymize/rules.h"
#include "anonymize/suppress.h"
#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/hash.h"

/* One preparation while it runs. */
struct job {
	const struct prepare *p;
	const struct study *s;
	struct prepare_result *result;
	struct rows *rows;
	double **keys; /* (n_quasi): rows->n recoded values each */
	struct classes before, classes; /* raw, recoded: of the complete rows */
	/* The same and after of patients, where one may have several rows. */
	struct classes people_before, people_after;
	uint32_t *patient; /* (n_kept) whose row of the table it is; or NULL */
	struct rules rules; /* over the complete rows */
	struct suppression suppressed;
	size_t *order; /* (n_kept) rows, as the table has them */
	double **columns; /* (n_table): n_kept values each */
	/* The written file, read again. */
	void *file;
	size_t file_len;
	struct table table;
	struct classes after;
	struct attack attack;
	double *worst; /* (rules.models.n) over the file's classes; NaN where
			  the column is not in it */
};

static int
no_memory(const struct job *j, struct err *err)
{
	return err_sys(err, "%s: memory for its rows", j->p->source);
}

/* n arrays of len doubles. */
static double **
matrix(size_t n, size_t len)
{
	double **m = calloc(n + 1, sizeof(*m));

	for (size_t i = 0; m != NULL && i < n; i++) {
		if ((m[i] = calloc(len + 1, sizeof(**m))) == NULL) {
			while (i-- > 0)
				free(m[i]);
			free(m);
			return NULL;
		}
	}
	return m;
}

static void
matrix_free(double **m, size_t n, size_t len)
{
	for (size_t i = 0; m != NULL && i < n; i++) {
		explicit_bzero(m[i], len * sizeof(**m));
		free(m[i]);
	}
	free(m);
}

static bool
is_local(const struct job *j)
{
	return j->s->privacy.recoding == STUDY_LOCAL && j->s->n_quasi > 0 &&
	    !j->p->raw;
}

static int
make_key(struct job *j, size_t q, struct err *err)
{
	size_t column = j->s->quasi[q];
	const struct study_column *c = &j->s->columns[column];
	const struct study_recode *recode = study_recode(c);
	const double *values = j->rows->columns[column].values;

	if (recode != NULL && recode->kind == STUDY_MASK)
		return rows_rank(j->rows, column, recode, j->keys[q], err);
	for (size_t i = 0; i < j->rows->n; i++)
		j->keys[q][i] = recode != NULL && recode->kind == STUDY_TOP
		    ? 0
		    : study_table_value(j->s, column, values[i]);
	return 0;
}

static bool
is_mean(const struct job *j, size_t q)
{
	return j->s->columns[j->s->quasi[q]].mean && !j->p->raw;
}

/* Count the patients of classes, if one may have several rows; if these are
   linked, those who have the same rows. */
static int
count_people(const struct job *j, const struct classes *c,
    const uint32_t *patient, struct classes *people, struct err *err)
{
	if (patient == NULL)
		return 0;
	if (j->s->privacy.pseudonym == STUDY_YES)
		return classes_histories(
		    c, patient, j->rows->n_patients, NULL, people, err);
	return classes_people(c, patient, people, err);
}

/* Classes of the complete rows, before and after recoding. */
static int
make_classes(struct job *j, struct err *err)
{
	size_t n = j->s->n_quasi;
	const double **raw = calloc(n + 1, sizeof(*raw));
	struct recoding_local local;
	int r = -1;

	if (raw == NULL || (j->keys = matrix(n, j->rows->n)) == NULL) {
		no_memory(j, err);
		goto out;
	}
	for (size_t q = 0; q < n; q++) {
		raw[q] = j->rows->columns[j->s->quasi[q]].values;
		if (!is_local(j) && !is_mean(j, q) && make_key(j, q, err) == -1)
			goto out;
	}
	if (!j->p->raw &&
	    means_make(j->s, j->rows, j->result->k, j->keys, err) == -1)
		goto out;
	if (is_local(j) &&
	    recoding_locally(
		j->s, j->rows, j->result->k, j->keys, &local, err) == -1)
		goto out;
	if (classes_make(&j->before, raw, n, j->rows->n, err) == -1 ||
	    classes_make(&j->classes, (const double *const *)j->keys, n,
		j->rows->n, err) == -1 ||
	    count_people(
		j, &j->before, j->rows->patient, &j->people_before, err) == -1)
		goto out;
	r = 0;
out:
	free(raw);
	return r;
}

/* Which rows stay. */
static int
choose_rows(struct job *j, struct err *err)
{
	const struct suppress_input in = {
		.study = j->s,
		.source = j->p->source,
		.rows = j->rows,
		.keys = (const double *const *)j->keys,
		.classes = &j->classes,
		.rules = &j->rules,
		.k = j->result->k,
		.raw = j->p->raw,
	};
	int r = suppress(&in, &j->suppressed, err);

	j->result->n_suppressed = j->suppressed.rows;
	if (r == -1)
		return -1;
	if ((j->order = calloc(j->rows->n, sizeof(*j->order))) == NULL)
		return no_memory(j, err);
	for (size_t i = 0; i < j->rows->n; i++)
		if (!j->suppressed.gone[i])
			j->order[j->result->n_kept++] = i;
	return 0;
}

/* A column's values if they depend on the row's class, or NULL. */
static const double *
values_by_class(const struct job *j, size_t column)
{
	for (size_t q = 0; q < j->s->n_quasi; q++)
		if (j->s->quasi[q] == column &&
		    (is_mean(j, q) ||
			(is_local(j) && j->s->columns[column].local)))
			return j->keys[q];
	return NULL;
}

/* The kept rows' values, and the rows, into another order. */
static int
put_in_order(struct job *j, const size_t *at, struct err *err)
{
	size_t n = j->result->n_kept;
	size_t *order = malloc((n + 1) * sizeof(*order));
	double *column = malloc((n + 1) * sizeof(*column));

	if (order == NULL || column == NULL) {
		free(order);
		free(column);
		return no_memory(j, err);
	}
	for (size_t i = 0; i < n; i++)
		order[i] = j->order[at[i]];
	free(j->order);
	j->order = order;
	for (size_t t = 0; t < j->s->n_table; t++) {
		double *old = j->columns[t];

		for (size_t i = 0; i < n; i++)
			column[i] = old[at[i]];
		j->columns[t] = column;
		column = old;
	}
	explicit_bzero(column, n * sizeof(*column));
	free(column);
	return 0;
}

/* The table's values, in the order of the values. */
static int
make_columns(struct job *j, struct err *err)
{
	size_t n = j->result->n_kept, n_table = j->s->n_table;
	size_t *at = malloc((n + 1) * sizeof(*at));
	int r = -1;

	j->columns = matrix(n_table, n);
	if (at == NULL || j->columns == NULL) {
		no_memory(j, err);
		goto out;
	}
	for (size_t t = 0; t < n_table; t++) {
		size_t column = j->s->table[t];
		const double *values = j->rows->columns[column].values;
		const double *by_class = values_by_class(j, column);

		for (size_t i = 0; i < n; i++)
			j->columns[t][i] = by_class != NULL
			    ? by_class[j->order[i]]
			    : study_table_value(
				  j->s, column, values[j->order[i]]);
	}
	for (size_t i = 0; i < n; i++)
		at[i] = i;
	if (classes_sort(
		(const double *const *)j->columns, n_table, at, n, err) == -1)
		goto out;
	r = put_in_order(j, at, err);
out:
	free(at);
	return r;
}

/* The classes of patients, or of rows where one row is one patient. */
static const struct classes *
people_or(const struct job *j, const struct classes *people,
    const struct classes *rows)
{
	return j->rows->patient != NULL ? people : rows;
}

/* The rules once more, on the file's values. */
static int
check_rules(struct job *j, struct err *err)
{
	const struct study *s = j->s;
	const double **values = calloc(s->n_columns + 1, sizeof(*values));
	size_t n = j->rules.models.n;
	struct rules_sum sum;
	double *worst = calloc(n + 1, sizeof(*worst));
	const struct classes *people =
	    people_or(j, &j->people_after, &j->after);
	struct rules rules = { 0 };
	int r = -1;

	if (values == NULL || worst == NULL ||
	    (j->worst = calloc(n + 1, sizeof(*j->worst))) == NULL) {
		no_memory(j, err);
		goto out;
	}
	for (size_t t = 0; t < s->n_table; t++)
		values[s->table[t]] = table_column(&j->table, t);
	if (rules_make(&rules, s, j->p->raw ? 1 : j->result->k, values,
		j->table.n_rows, j->patient, &j->rules, err) == -1 ||
	    rules_check(&rules, &j->after, NULL, NULL, &sum, worst, err) == -1)
		goto out;
	for (size_t o = 0, i = 0; o < n; o++) {
		size_t column = j->rules.models.list[o].sensitive;

		j->worst[o] = s->columns[j->rules.column[column]].in_table
		    ? worst[i++]
		    : NAN;
	}
	if (!j->p->raw &&
	    (sum.rows > 0 ||
		!models_hold_table(&rules.models, people->n, people->n_rows))) {
		err_set(err, ERR_FORMAT,
		    "the written table does not keep the study's rules: %zu "
		    "rows",
		    sum.rows);
		goto out;
	}
	r = 0;
out:
	rules_free(&rules);
	free(values);
	free(worst);
	return r;
}

/* Link the file's rows to the complete rows that they were made of. */
static int
attack(struct job *j, struct err *err)
{
	const struct study *s = j->s;
	const double **table = calloc(s->n_table + 1, sizeof(*table));
	const double **source = calloc(s->n_table + 1, sizeof(*source));
	size_t n = 0;
	uint64_t seed;
	int r = -1;

	if (table == NULL || source == NULL) {
		no_memory(j, err);
		goto out;
	}
	for (size_t q = 0; q < s->n_quasi; q++)
		for (size_t t = 0; t < s->n_table; t++)
			if (s->table[t] == s->quasi[q]) {
				table[n] = table_column(&j->table, t);
				source[n++] = j->keys[q];
			}
	memcpy(&seed, j->result->table_digest, sizeof(seed));
	if (s->privacy.pseudonym == STUDY_YES)
		r = attack_link_patients(table, source, n, j->table.n_rows,
		    j->rows->n, j->order, j->rows->patient, j->rows->n_patients,
		    seed, &j->attack, err);
	else
		r = attack_link(table, source, n, j->table.n_rows, j->rows->n,
		    j->order, seed, &j->attack, err);
out:
	free(table);
	free(source);
	return r;
}

/* The patients in the classes of the written table, whose rows are in order. */
static int
count_people_after(struct job *j, struct err *err)
{
	size_t n = j->result->n_kept;

	if (j->rows->patient == NULL || j->table.n_rows != n)
		return 0;
	if ((j->patient = malloc((n + 1) * sizeof(*j->patient))) == NULL)
		return no_memory(j, err);
	for (size_t i = 0; i < n; i++)
		j->patient[i] = j->rows->patient[j->order[i]];
	return count_people(j, &j->after, j->patient, &j->people_after, err);
}

/* Nothing of what was kept in memory is believed: the file is what counts. */
static int
measure_file(struct job *j, struct err *err)
{
	const double **keys = calloc(j->s->n_quasi + 1, sizeof(*keys));
	struct stat st;
	size_t n_keys = 0;
	int r = -1;

	if (keys == NULL || fstat(j->p->table_fd, &st) == -1 ||
	    (j->file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
		 j->p->table_fd, 0)) == MAP_FAILED) {
		j->file = NULL;
		err_sys(err, "the written table");
		goto out;
	}
	j->file_len = (size_t)st.st_size;
	hash_sha256(j->file, j->file_len, j->result->table_digest);
	if (table_read(&j->table, j->file, j->file_len, j->s,
		j->p->study_digest, err) == -1)
		goto out;
	for (size_t t = 0; t < j->s->n_table; t++)
		if (j->s->columns[j->s->table[t]].in_k)
			keys[n_keys++] = table_column(&j->table, t);
	if (classes_make(&j->after, keys, n_keys, j->table.n_rows, err) == -1 ||
	    count_people_after(j, err) == -1)
		goto out;
	j->result->smallest_class =
	    classes_risk(people_or(j, &j->people_after, &j->after), 1).smallest;
	if (j->table.n_rows != j->result->n_kept ||
	    (!j->p->raw && j->result->smallest_class < j->result->k)) {
		err_set(err, ERR_FORMAT,
		    "the written table is not what was to be written: %zu "
		    "rows, "
		    "smallest class %zu",
		    j->table.n_rows, j->result->smallest_class);
		goto out;
	}
	r = check_rules(j, err);
out:
	free(keys);
	return r;
}

static int
write_table(struct job *j, struct err *err)
{
	if (table_write(j->p->table_fd, j->s, j->p->study_digest,
		(const double *const *)j->columns, j->result->n_kept,
		err) == -1)
		return -1;
	matrix_free(j->columns, j->s->n_table, j->result->n_kept);
	j->columns = NULL;
	if (fsync(j->p->table_fd) == -1)
		return err_sys(err, "the table");
	return measure_file(j, err);
}

static int
write_out(int fd, const struct canon *c, const char *what, struct err *err)
{
	if (file_write_all(fd, c->data, c->len) == -1 || fsync(fd) == -1)
		return err_sys(err, "%s", what);
	return 0;
}

/* Whose rows the table has. */
static int
write_patients(struct job *j, struct err *err)
{
	size_t n = j->result->n_kept;
	uint8_t(*ids)[PATIENTS_ID] = calloc(n + 1, PATIENTS_ID);
	struct canon out = { 0 };
	int r;

	if (ids == NULL)
		return no_memory(j, err);
	for (size_t i = 0; i < n; i++)
		memcpy(ids[i], j->rows->ids[j->order[i]], PATIENTS_ID);
	patients_write(ids, n, j->result->table_digest, &out);
	r = out.failed
	    ? no_memory(j, err)
	    : write_out(j->p->patients_fd, &out, "the table's patients", err);
	canon_free(&out);
	free(ids);
	return r;
}

/* Different ones; rows where each is a patient. */
static size_t
count_in_table(const struct job *j)
{
	size_t n = 0;
	bool *seen;

	if (j->patient == NULL ||
	    (seen = calloc(j->rows->n_patients + 1, sizeof(*seen))) == NULL)
		return j->table.n_rows;
	for (size_t i = 0; i < j->table.n_rows; i++) {
		n += !seen[j->patient[i]];
		seen[j->patient[i]] = true;
	}
	free(seen);
	return n;
}

static int
write_reports(struct job *j, struct err *err)
{
	const struct report_input in = {
		.study = j->s,
		.study_digest = j->p->study_digest,
		.table_digest = j->result->table_digest,
		.site = j->p->site,
		.socket = j->p->socket,
		.source = j->p->source,
		.utc = j->p->utc,
		.last_report = j->p->last_report,
		.last_report_len = j->p->last_report_len,
		.smallest_k = j->p->smallest_k,
		.k = j->result->k,
		.rows = j->rows,
		.order = j->order,
		.suppressed = j->result->n_suppressed,
		.most_suppressed = j->suppressed.most,
		.patients = j->suppressed.all,
		.patients_suppressed = j->suppressed.patients,
		.patients_in_table = count_in_table(j),
		.before = &j->before,
		.after = &j->after,
		.people_before = people_or(j, &j->people_before, &j->before),
		.people_after = people_or(j, &j->people_after, &j->after),
		.patient = j->patient,
		.table = &j->table,
		.attack = &j->attack,
		.rules = &j->rules,
		.worst = j->worst,
	};
	struct report *report = report_make(&in, err);
	struct canon html = { 0 }, json = { 0 };
	uint8_t digest[HASH_LEN];
	int r = -1;

	if (report == NULL || report_html(report, &html, err) == -1)
		goto out;
	hash_sha256(html.data, html.len, digest);
	if (report_json(report, digest, &json, err) == -1)
		goto out;
	hash_sha256(json.data, json.len, j->result->report_digest);
	r = write_out(j->p->html_fd, &html, "report.html", err) == -1 ||
		write_out(j->p->json_fd, &json, "report.json", err) == -1
	    ? -1
	    : 0;
out:
	canon_free(&html);
	canon_free(&json);
	report_free(report);
	return r;
}

static void
count_rows(struct job *j, const struct rows *rows)
{
	struct prepare_result *r = j->result;

	r->n_read = rows->n_read;
	r->n_objected = rows->n_objected;
	r->n_rejected = rows->n_rejected;
	r->n_incomplete = rows->n_incomplete;
	r->n_places = rows->n_places;
	memcpy(r->places, rows->places, sizeof(r->places));
}

static int
run(struct job *j, struct err *err)
{
	struct rows *places = NULL;

	if (study_wants_secret(j->s) && j->p->secret == NULL && !j->p->raw)
		return err_set(err, ERR_CONFIG,
		    "the study wants pseudonyms or shifted dates, which this "
		    "site's pseudonym key makes: there is none");
	if ((j->rows = j->p->rows) == NULL)
		j->rows = rows_read_of(j->p->source_fd, j->p->source, j->s,
		    j->p->patients, j->p->raw ? NULL : j->p->secret, &places,
		    err);
	if (j->rows == NULL) {
		if (places != NULL)
			count_rows(j, places);
		rows_free(places);
		return -1;
	}
	count_rows(j, j->rows);
	if (make_classes(j, err) == -1 ||
	    rules_of_rows(&j->rules, j->s, j->p->raw ? 1 : j->result->k,
		j->rows, j->rows->patient, err) == -1 ||
	    choose_rows(j, err) == -1 || make_columns(j, err) == -1 ||
	    write_table(j, err) == -1)
		return -1;
	if (j->rows->ids != NULL && write_patients(j, err) == -1)
		return -1;
	if (j->p->raw || j->p->html_fd == -1)
		return 0;
	return attack(j, err) == -1 ? -1 : write_reports(j, err);
}

int
prepare(const struct prepare *p, struct prepare_result *result, struct err *err)
{
	struct job j = { .p = p, .s = p->study, .result = result };
	size_t n;
	int r;

	memset(result, 0, sizeof(*result));
	result->k = MAX(p->study->privacy.k, p->smallest_k);
	r = run(&j, err);
	n = j.rows != NULL ? j.rows->n : 0;
	if (j.file != NULL)
		munmap(j.file, j.file_len);
	matrix_free(j.keys, j.s->n_quasi, n);
	matrix_free(j.columns, j.s->n_table, result->n_kept);
	classes_free(&j.before);
	classes_free(&j.classes);
	classes_free(&j.after);
	classes_free(&j.people_before);
	classes_free(&j.people_after);
	if (j.patient != NULL)
		explicit_bzero(j.patient, result->n_kept * sizeof(*j.patient));
	free(j.patient);
	rules_free(&j.rules);
	free(j.suppressed.gone);
	free(j.worst);
	free(j.order);
	rows_free(j.rows);
	return r;
}

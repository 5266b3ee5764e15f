/*
 * A study's file before it is signed: a skeleton from a table's header, and a
 * check with what it means in short.
 */
#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "anonymize/csv.h"
#include "anonymize/detect.h"
#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/ini.h"
#include "common/macros.h"
#include "ctl/ctl.h"
#include "ctl/study_findings.h"
#include "model/spec.h"
#include "study/study.h"

#define VALUES_MAX 20 /* different ones that may be levels */
#define CODES_MAX 5 /* and whole numbers that may be */
#define DEFAULT_K 5

/* A value, and in how many rows it was seen. */
struct value {
	char text[STUDY_COLUMN_NAME_MAX + 1];
	size_t rows;
};

/*
 * What the cells of a column have all been so far.  Only their shape is kept,
 * and values while they are few: those that enough rows have may be written.
 */
struct shape {
	char name[STUDY_COLUMN_NAME_MAX + 1];
	size_t seen; /* cells that are not empty or NA */
	size_t n_values;
	bool many; /* more values, or longer ones, than can be levels */
	struct value values[VALUES_MAX];
	bool integer, real;
	bool date[3]; /* by date_formats */
	struct detect looks; /* like an identifier? */
};

static const char *const date_formats[] = { "YYYY-MM-DD", "DD.MM.YYYY",
	"DD/MM/YYYY" };

_Static_assert(nitems(date_formats) == nitems(((struct shape *)0)->date),
    "one truth per format");

static bool
is_integer(const char *s)
{
	s += *s == '-' || *s == '+';
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static void
see_value(struct shape *s, const struct csv_cell *cell)
{
	size_t i = 0;

	while (i < s->n_values && strcmp(s->values[i].text, cell->text) != 0)
		i++;
	if (i == s->n_values) {
		if (i == VALUES_MAX || cell->len > STUDY_COLUMN_NAME_MAX ||
		    cell->text[strcspn(cell->text, "\r\n")] != '\0') {
			s->many = true;
			return;
		}
		memcpy(s->values[i].text, cell->text, cell->len);
		s->n_values++;
	}
	s->values[i].rows++;
}

static void
see_cell(struct shape *s, const struct csv_cell *cell)
{
	double number;
	int64_t day;

	if (cell->len == 0 || strcmp(cell->text, "NA") == 0)
		return;
	s->seen++;
	detect_cell(&s->looks, DETECT_ALL, cell->text, cell->len);
	if (!s->many)
		see_value(s, cell);
	s->integer = s->integer && is_integer(cell->text);
	s->real = s->real && ini_number(cell->text, &number) == 0;
	for (size_t i = 0; i < nitems(date_formats); i++)
		s->date[i] = s->date[i] &&
		    study_date(date_formats[i], cell->text, cell->len, &day) ==
			0;
}

/* The header's names; NULL with *err set. */
static struct shape *
read_header(struct csv *csv, const char *path, size_t *n, struct err *err)
{
	struct shape *shapes;
	int more = csv_next(csv, err);

	if (more < 0)
		return NULL;
	*n = more == 1 ? csv_cells(csv) : 0;
	if (*n < 1 || *n > STUDY_COLUMNS_MAX) {
		err_set(err, ERR_FORMAT,
		    "%s: %zu columns, expected 1 to %d in its first line", path,
		    *n, STUDY_COLUMNS_MAX);
		return NULL;
	}
	if ((shapes = calloc(*n, sizeof(*shapes))) == NULL) {
		err_sys(err, "%s", path);
		return NULL;
	}
	for (size_t i = 0; i < *n; i++) {
		const struct csv_cell *cell = csv_cell(csv, i);

		if (cell->len < 1 || cell->len > STUDY_COLUMN_NAME_MAX ||
		    cell->text[strcspn(cell->text, "[]\r\n")] != '\0') {
			err_set(err, ERR_FORMAT,
			    "%s:%zu:%zu: expected a column's name of 1 to %d "
			    "bytes, without brackets",
			    path, cell->line, cell->column,
			    STUDY_COLUMN_NAME_MAX);
			free(shapes);
			return NULL;
		}
		shapes[i] = (struct shape){ .integer = true,
			.real = true,
			.date = { true, true, true } };
		memcpy(shapes[i].name, cell->text, cell->len);
	}
	return shapes;
}

static struct shape *
read_shapes(const char *path, size_t *n, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct shape *shapes = NULL;
	struct csv *csv = NULL;
	int more = 0;

	if (fd < 0) {
		err_sys(err, "open %s", path);
		return NULL;
	}
	if ((csv = csv_open(fd, path, 0, err)) != NULL &&
	    (shapes = read_header(csv, path, n, err)) != NULL) {
		while ((more = csv_next(csv, err)) == 1) {
			for (size_t i = 0; i < MIN(*n, csv_cells(csv)); i++)
				see_cell(&shapes[i], csv_cell(csv, i));
		}
	}
	if (more < 0) {
		free(shapes);
		shapes = NULL;
	}
	csv_close(csv);
	close(fd);
	return shapes;
}

static void
put(struct canon *out, const char *text)
{
	canon_raw(out, text, strlen(text));
}

static void put_format(struct canon *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
put_format(struct canon *out, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(out, text);
}

/* What the study is to be like, from options or asked for. */
struct wish {
	const char *name, *kind, *time, *event, *outcome;
	size_t k;
};

static bool
is_outcome(const struct wish *w, const char *column)
{
	return (w->time != NULL && strcmp(w->time, column) == 0) ||
	    (w->event != NULL && strcmp(w->event, column) == 0) ||
	    (w->outcome != NULL && strcmp(w->outcome, column) == 0);
}

static size_t
values_to_write(const struct shape *s, size_t k)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_values; i++)
		n += s->values[i].rows >= k;
	return n;
}

static bool
may_be_levels(const struct shape *s, size_t k)
{
	return !s->many && values_to_write(s, k) > 1 &&
	    (!s->real || (s->integer && s->n_values <= CODES_MAX));
}

/* What the column's name or its cells look like, as a report on it would have
   it; or NULL. */
static const char *
looks_like(const struct shape *s)
{
	unsigned header = detect_header(s->name);

	for (unsigned k = 0; k < DETECT_KINDS; k++)
		if ((header >> k & 1) != 0 || detect_found(&s->looks, k))
			return detect_word(k);
	return NULL;
}

/* Only values that at least k rows have. */
static void
put_levels(struct canon *out, const struct shape *s, size_t k)
{
	size_t rare = s->n_values - values_to_write(s, k);
	const char *before = "levels = ";
	char text[120];

	if (rare > 0) {
		snprintf(text, sizeof(text),
		    "# values that fewer than %zu rows have are not written "
		    "here: add what may be there\n",
		    k);
		put(out, text);
	}
	put(out, "type = levels\n");
	for (size_t i = 0; i < s->n_values; i++) {
		if (s->values[i].rows < k)
			continue;
		put(out, before);
		put(out, "\"");
		for (const char *p = s->values[i].text; *p != '\0'; p++) {
			if (*p == '"')
				put(out, "\"");
			canon_raw(out, p, 1);
		}
		put(out, "\"");
		before = ", ";
	}
	put(out, "\n");
}

static void
put_column(struct canon *out, const struct shape *s, const struct wish *w)
{
	const char *date = NULL, *like = NULL;

	if (!is_outcome(w, s->name))
		like = looks_like(s);
	for (size_t i = 0; i < nitems(date_formats) && date == NULL; i++)
		if (s->date[i] && s->seen != 0)
			date = date_formats[i];
	put(out, "\n[column ");
	put(out, s->name);
	put(out, "]\n");
	if (like != NULL && date == NULL && may_be_levels(s, w->k))
		put_format(out,
		    "# looks like %s: its values are not written here\n", like);
	if (s->seen == 0) {
		put(out, "# empty in all rows\ntype = text\n");
	} else if (date != NULL) {
		put(out, "type = date\nformat = ");
		put(out, date);
		put(out, "\n# range = FIRST..LAST\n");
	} else if (like == NULL && may_be_levels(s, w->k)) {
		put_levels(out, s, w->k);
	} else if (s->integer || s->real) {
		put(out, s->integer ? "type = integer\n" : "type = real\n");
		put(out, "# unit = \n# range = LOW..HIGH\n");
	} else {
		put(out,
		    "# or: type = levels, with levels = VALUE: label, "
		    "...\ntype = text\n");
	}
	put(out,
	    is_outcome(w, s->name)
		? "privacy = sensitive\nuse = outcome\n"
		: "privacy = direct-identifier\nuse = ignored\n");
}

static const char skeleton[] =
    "# A study's skeleton.  What every line may say stands in "
    "consilium-study(5).\n"
    "# Types were guessed from the shape of the cells.  Every column but an "
    "outcome is\n"
    "# taken for a direct identifier, and dropped, until somebody decides "
    "otherwise.\n"
    "\n"
    "[study]\n"
    "name = %s\n"
    "title = \n"
    "purpose = \n"
    "legal-basis = \n"
    "ethics = \n"
    "contact = \n"
    "expires = YYYY-MM-DD\n"
    "# sites = a, b, c\n"
    "extra-columns = refuse\n"
    "\n"
    "[model]\n"
    "# cox, logistic, km (survival by groups), cuminc (competing risks), "
    "summary\n"
    "# (descriptive statistics), or glm with family = gaussian, poisson, "
    "...\n"
    "kind = %s\n";

static const char rest[] =
    "\n"
    "[rounds]\n"
    "max-iterations = 25\n"
    "tolerance = 1e-10\n"
    "\n"
    "[privacy]\n"
    "k = %zu\n"
    "suppression-limit = 0.05\n"
    "smallest-risk-set-step = 5\n"
    "smallest-cell = 5\n"
    "cohort = fixed\n"
    "verify = replay\n"
    "\n"
    "# The codebook.  privacy: direct-identifier, quasi-identifier, sensitive "
    "or none;\n"
    "# use: feature, outcome, stratum or ignored.\n";

static bool
has_time(const char *kind)
{
	return strcmp(kind, "cox") == 0 || strcmp(kind, "km") == 0;
}

static void
put_model(struct canon *out, const struct wish *w)
{
	put_format(out, skeleton, w->name, w->kind);
	if (strcmp(w->kind, "summary") == 0) {
		put(out, "# groups = COLUMN, ...\n# terms = COLUMN, ...\n");
		return;
	}
	if (strcmp(w->kind, "glm") == 0)
		put(out, "family = gaussian\n");
	if (has_time(w->kind))
		put_format(out, "time = %s\nevent = %s\n", w->time, w->event);
	else
		put_format(out, "outcome = %s\n", w->outcome);
	if (strcmp(w->kind, "glm") != 0)
		put(out, "# event-level = the level that counts\n");
	put(out,
	    strcmp(w->kind, "km") == 0 ? "# groups = COLUMN, ...\n"
				       : "# terms = COLUMN, ...\n");
}

/* What a wish is made from; a question has room for its answer. */
struct asker {
	const struct ctl_args *a;
	const struct shape *shapes;
	size_t n; /* of them */
};
struct question {
	int opt; /* the option that answers it */
	const char *name, *text, *otherwise;
	/* -1: the answer is none, and why. */
	int (*check)(const struct asker *k, const struct question *q,
	    const char *answer, struct err *err);
	char answer[STUDY_COLUMN_NAME_MAX + 2];
};

static int
check_name(const struct asker *k, const struct question *q, const char *answer,
    struct err *err)
{
	(void)k;
	if (answer[strspn(answer, "abcdefghijklmnopqrstuvwxyz0123456789-")] !=
	    '\0')
		return err_set(err, ERR_CONFIG,
		    "--%s: expected letters a-z, digits and -", q->name);
	return 0;
}

static int
check_kind(const struct asker *k, const struct question *q, const char *answer,
    struct err *err)
{
	static const char *const kinds[] = { "cox", "logistic", "glm", "km",
		"summary" };

	(void)k;
	for (size_t i = 0; i < nitems(kinds); i++)
		if (strcmp(kinds[i], answer) == 0)
			return 0;
	return err_set(err, ERR_CONFIG,
	    "--%s: expected cox, logistic, glm, km or summary", q->name);
}

static int
check_column(const struct asker *k, const struct question *q,
    const char *answer, struct err *err)
{
	if (*answer == '\0')
		return 0;
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->shapes[i].name, answer) == 0)
			return 0;
	return err_set(err, ERR_CONFIG, "--%s: %s has no column \"%.60s\"",
	    q->name, k->a->operand, answer);
}

/* A line of the terminal, shorter than size; -1: there are no more. */
static int
read_answer(char *line, size_t size, struct err *err)
{
	int c;

	if (fgets(line, (int)size, stdin) == NULL)
		return err_set(err, ERR_CONFIG,
		    "the questions were not answered: nothing is written");
	if (strchr(line, '\n') == NULL) {
		/* No name is as long: what is left of it is no answer. */
		while ((c = getchar()) != '\n' && c != EOF)
			;
	}
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/*
 * What is given; else an answer from the terminal, if there is one, which is asked
 * for until it is one; else what the question has otherwise.
 */
static const char *
ask(const struct asker *k, struct question *q, struct err *err)
{
	const char *given = k->a->opt[q->opt];

	if (given == NULL && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		given = q->otherwise;
	if (given != NULL)
		return q->check(k, q, given, err) == 0 ? given : NULL;
	for (;;) {
		printf("%s%s%s%s: ", q->text, *q->otherwise != '\0' ? " [" : "",
		    q->otherwise, *q->otherwise != '\0' ? "]" : "");
		fflush(stdout);
		if (read_answer(q->answer, sizeof(q->answer), err) < 0)
			return NULL;
		given = *q->answer != '\0' ? q->answer : q->otherwise;
		if (q->check(k, q, given, err) == 0)
			return given;
		printf("%s\n", err->msg);
	}
}

static int
make_wish(const struct asker *k, struct wish *w, struct err *err)
{
	static struct question name = { CTL_NAME, "name",
		"The study's name (a-z, 0-9, -)", "", check_name, "" };
	static struct question kind = { CTL_KIND, "kind",
		"Kind of model: cox, logistic, glm, km or summary", "cox",
		check_kind, "" };
	static struct question event_time = { CTL_TIME, "time",
		"Column of the time", "", check_column, "" };
	static struct question event = { CTL_EVENT, "event",
		"Column of the event", "", check_column, "" };
	static struct question outcome = { CTL_OUTCOME, "outcome",
		"Column of the outcome", "", check_column, "" };
	uint64_t smallest = DEFAULT_K;

	if (k->a->opt[CTL_K] != NULL &&
	    ctl_number("k", k->a->opt[CTL_K], 1, 100000, &smallest, err) < 0)
		return -1;
	w->k = (size_t)smallest;
	if ((w->name = ask(k, &name, err)) == NULL ||
	    (w->kind = ask(k, &kind, err)) == NULL)
		return -1;
	if (has_time(w->kind))
		return (w->time = ask(k, &event_time, err)) == NULL ||
			(w->event = ask(k, &event, err)) == NULL
		    ? -1
		    : 0;
	if (strcmp(w->kind, "summary") != 0 &&
	    (w->outcome = ask(k, &outcome, err)) == NULL)
		return -1;
	return 0;
}

int
ctl_study_init(const struct ctl_args *a, struct err *err)
{
	struct canon out = { 0 };
	struct wish w = { 0 };
	struct shape *shapes;
	size_t n, outcomes = 0;
	int rv = -1;

	if (access(a->opt[CTL_OUT], F_OK) == 0)
		return err_set(err, ERR_CONFIG,
		    "%s: is there already, and is not overwritten",
		    a->opt[CTL_OUT]);

	if ((shapes = read_shapes(a->operand, &n, err)) == NULL)
		return -1;
	if (make_wish(&(struct asker){ a, shapes, n }, &w, err) < 0)
		goto done;
	put_model(&out, &w);
	put_format(&out, rest, w.k);
	for (size_t i = 0; i < n; i++) {
		put_column(&out, &shapes[i], &w);
		outcomes += is_outcome(&w, shapes[i].name);
	}
	rv = out.failed
	    ? err_sys(err, "%s", a->opt[CTL_OUT])
	    : file_create(a->opt[CTL_OUT], out.data, out.len, 0644, err);
	if (rv == 0)
		printf("%s: %zu columns, %zu of them direct identifiers so "
		       "far\n",
		    a->opt[CTL_OUT], n, n - outcomes);
done:
	canon_free(&out);
	explicit_bzero(shapes, n * sizeof(*shapes));
	free(shapes);
	return rv;
}

static void
print_columns(const struct study *s, const char *what, int privacy)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_columns; i++) {
		if ((int)s->columns[i].privacy != privacy)
			continue;
		if (n++ == 0)
			printf("%-19s ", what);
		else
			printf(", ");
		printf("%s", s->columns[i].name);
	}
	if (n != 0)
		printf("\n");
}

/* "120,85,300" */
static int
read_rows(const char *list, uint64_t *rows, size_t *n, struct err *err)
{
	char one[32];

	*n = 0;
	for (const char *p = list; p != NULL; p = strchr(p, ',')) {
		size_t len;

		p += *p == ',';
		len = strcspn(p, ",");
		if (*n == MODEL_SITES_MAX || len >= sizeof(one))
			return err_set(err, ERR_CONFIG,
			    "--rows: expected at most %d numbers of rows",
			    MODEL_SITES_MAX);
		memcpy(one, p, len);
		one[len] = '\0';
		if (ctl_number("rows", one, 0, MODEL_ROWS_MAX, &rows[*n], err) <
		    0)
			return -1;
		++*n;
	}
	return 0;
}

/* -1 if something would fail later. */
static int
find(const struct ctl_args *a, const struct study *s, struct err *err)
{
	static uint64_t rows[MODEL_SITES_MAX];
	struct findings_known known = {
		.feasibility = a->opt[CTL_FEASIBILITY],
		.rows = rows,
		.today = (int64_t)(time(NULL) / 86400),
	};
	int n;

	if (read_rows(a->opt[CTL_ROWS], rows, &known.n_rows, err) < 0 ||
	    (n = study_findings(s, &known, err)) < 0)
		return -1;
	if (n > 0)
		return err_set(err, ERR_CONFIG, "%s: %d %s would make it fail",
		    a->operand, n, n == 1 ? "finding" : "findings");
	return 0;
}

int
ctl_study_check(const struct ctl_args *a, struct err *err)
{
	static struct model_spec spec;
	struct study *s = study_load(a->operand, err);
	size_t sites;
	int rv;

	if (s == NULL)
		return -1;
	sites = s->sites.n != 0 ? s->sites.n : 3;
	if (study_model_spec(s, sites, &spec, err) < 0 ||
	    model_spec_check(&spec, err) < 0) {
		err_prefix(err, "%s", a->operand);
		study_free(s);
		return -1;
	}
	printf("%-19s %s: %s\n", "study", s->name, s->title);
	printf("%-19s %s\n", "purpose", s->purpose);
	printf("%-19s %s, %u %s\n", "model", model_kind_name(spec.kind),
	    spec.n_terms, s->n_groups != 0 ? "groups" : "terms");
	print_columns(s, "direct identifiers", STUDY_DIRECT);
	print_columns(s, "quasi-identifiers", STUDY_QUASI);
	print_columns(s, "sensitive", STUDY_SENSITIVE);
	print_columns(s, "plain", STUDY_PLAIN);
	printf("%-19s k = %zu, at most %g of the %s suppressed", "privacy",
	    s->privacy.k, s->privacy.suppression_limit,
	    s->privacy.patient == STUDY_NONE ? "rows" : "patients");
	if (has_time(model_kind_name(spec.kind)) ||
	    strcmp(model_kind_name(spec.kind), "cuminc") == 0)
		printf(", risk sets by steps of %zu",
		    s->privacy.smallest_risk_set_step);
	printf("\n");
	if (s->privacy.patient != STUDY_NONE)
		printf("%-19s %s%s\n", "rows of a patient",
		    s->columns[s->privacy.patient].name,
		    s->privacy.pseudonym == STUDY_YES
			? ", linked by a pseudonym in the table"
			: "");
	if (s->privacy.date_shift > 0)
		printf("%-19s shifted, all of a patient alike, by at most %zu "
		       "days\n",
		    "dates", s->privacy.date_shift);
	rv = find(a, s, err);
	study_free(s);
	return rv;
}

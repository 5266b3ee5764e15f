/*
 * A study's file before it is signed: a skeleton from a table's header, and a
 * check with what it means in short.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anonymize/csv.h"
#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/ini.h"
#include "common/macros.h"
#include "ctl/ctl.h"
#include "model/spec.h"
#include "study/study.h"

#define ROWS_SEEN 1000

/*
 * What the cells of a column have all been so far.  Only their shape is kept,
 * never a value.
 */
struct shape {
	char name[STUDY_COLUMN_NAME_MAX + 1];
	size_t seen; /* cells that are not empty or NA */
	bool integer, real;
	bool date[3]; /* by date_formats */
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
see_cell(struct shape *s, const struct csv_cell *cell)
{
	double number;
	int64_t day;

	if (cell->len == 0 || strcmp(cell->text, "NA") == 0)
		return;
	s->seen++;
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
		for (size_t row = 0;
		     row < ROWS_SEEN && (more = csv_next(csv, err)) == 1;
		     row++) {
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

static void
put_column(struct canon *out, const struct shape *s)
{
	const char *date = NULL;

	for (size_t i = 0; i < nitems(date_formats) && date == NULL; i++)
		if (s->date[i] && s->seen != 0)
			date = date_formats[i];
	put(out, "\n[column ");
	put(out, s->name);
	put(out, "]\n");
	if (s->seen == 0) {
		put(out,
		    "# empty in the rows that were looked at\ntype = "
		    "text\n");
	} else if (date != NULL) {
		put(out, "type = date\nformat = ");
		put(out, date);
		put(out, "\n# range = FIRST..LAST\n");
	} else if (s->integer || s->real) {
		put(out, s->integer ? "type = integer\n" : "type = real\n");
		put(out, "# unit = \n# range = LOW..HIGH\n");
	} else {
		put(out,
		    "# or: type = levels, with levels = VALUE: label, "
		    "...\ntype = text\n");
	}
	put(out, "privacy = direct-identifier\nuse = ignored\n");
}

static const char skeleton[] =
    "# A study's skeleton.  What every line may say stands in "
    "consilium-study(5).\n"
    "# Types were guessed from the shape of some cells.  Every column is "
    "taken for a\n"
    "# direct identifier, and dropped, until somebody decides otherwise.\n"
    "\n"
    "[study]\n"
    "name = \n"
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
    "# cox, logistic, km (survival by groups), or glm with family = gaussian, "
    "poisson or quasipoisson\n"
    "kind = cox\n"
    "# cox: columns; for the others: outcome = COLUMN\n"
    "time = \n"
    "event = \n"
    "event-level = 1\n"
    "ties = efron\n"
    "# none, site, or columns\n"
    "strata = none\n"
    "terms = \n"
    "\n"
    "[rounds]\n"
    "max-iterations = 25\n"
    "tolerance = 1e-10\n"
    "\n"
    "[privacy]\n"
    "k = 5\n"
    "suppression-limit = 0.05\n"
    "smallest-risk-set-step = 5\n"
    "cohort = fixed\n"
    "verify = replay\n"
    "\n"
    "# The codebook.  privacy: direct-identifier, quasi-identifier, sensitive "
    "or none;\n"
    "# use: feature, outcome, stratum or ignored.\n";

int
ctl_study_init(const struct ctl_args *a, struct err *err)
{
	struct canon out = { 0 };
	struct shape *shapes;
	size_t n;
	int rv;

	if ((shapes = read_shapes(a->operand, &n, err)) == NULL)
		return -1;
	put(&out, skeleton);
	for (size_t i = 0; i < n; i++)
		put_column(&out, &shapes[i]);
	rv = out.failed
	    ? err_sys(err, "%s", a->opt[CTL_OUT])
	    : file_create(a->opt[CTL_OUT], out.data, out.len, 0644, err);
	if (rv == 0)
		printf("%s: %zu columns, all direct identifiers so far\n",
		    a->opt[CTL_OUT], n);
	canon_free(&out);
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

int
ctl_study_check(const struct ctl_args *a, struct err *err)
{
	static struct model_spec spec;
	struct study *s = study_load(a->operand, err);
	size_t sites;

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
	    spec.n_terms, s->model.kind == STUDY_KM ? "groups" : "terms");
	print_columns(s, "direct identifiers", STUDY_DIRECT);
	print_columns(s, "quasi-identifiers", STUDY_QUASI);
	print_columns(s, "sensitive", STUDY_SENSITIVE);
	print_columns(s, "plain", STUDY_PLAIN);
	printf("%-19s k = %zu, at most %g of the rows suppressed, risk sets "
	       "by steps of %zu\n",
	    "privacy", s->privacy.k, s->privacy.suppression_limit,
	    s->privacy.smallest_risk_set_step);
	study_free(s);
	return 0;
}

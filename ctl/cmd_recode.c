/*
 * Hierarchies for a study, and the levels that it should recode to.
 */
#include "config.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anonymize/classes.h"
#include "anonymize/csv.h"
#include "anonymize/icd10.h"
#include "anonymize/hierarchy.h"
#include "anonymize/loinc.h"
#include "anonymize/population.h"
#include "anonymize/recoding.h"
#include "anonymize/rows.h"
#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "ctl/ctl.h"
#include "common/json_read.h"
#include "ctl/study_edit.h"
#include "model/spec.h"
#include "study/study.h"

static int
open_read(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd == -1 ? err_sys(err, "open %s", path) : fd;
}

/*
 * A hierarchy's file as sections of a study.
 */

/* One item of a list, quoted. */
static void
print_item(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

/* What a study's file cannot say. */
static int
check_texts(const struct hierarchy *h, const char *path, struct err *err)
{
	if (h->n_leaves < 2 || h->n_leaves > STUDY_LEVELS_MAX)
		return err_set(err, ERR_CONFIG,
		    "%s: %zu values, a study's column has 2 to %d", path,
		    h->n_leaves, STUDY_LEVELS_MAX);
	if (h->n_levels > STUDY_HIERARCHY_MAX + 2)
		return err_set(err, ERR_CONFIG,
		    "%s: %zu levels, a study's hierarchy has at most %d", path,
		    h->n_levels, STUDY_HIERARCHY_MAX + 2);
	for (size_t i = 0; i < h->n_levels; i++)
		for (size_t g = 0; g < h->level[i].labels.n; g++) {
			const char *t =
			    dictionary_text(&h->level[i].labels, (uint32_t)g);

			if (*t == '\0' || strpbrk(t, "\r\n") != NULL)
				return err_set(err, ERR_CONFIG,
				    "%s: a value or group of level %zu is "
				    "empty or has a line end",
				    path, i);
		}
	return 0;
}

static void
print_level(const struct hierarchy *h, size_t i)
{
	const struct hierarchy_level *l = &h->level[i], *b = &h->level[i - 1];

	printf("level-%zu = group", i);
	for (size_t g = 0; g < l->labels.n; g++) {
		const char *before = ": ";

		printf("%s", g > 0 ? ";\n    " : " ");
		print_item(dictionary_text(&l->labels, (uint32_t)g));
		for (size_t m = 0; m < b->labels.n; m++) {
			if (b->above[m] != g)
				continue;
			printf("%s", before);
			print_item(dictionary_text(&b->labels, (uint32_t)m));
			before = ",\n    ";
		}
	}
	printf("\n");
}

/* One code's line of a hierarchy's file. */
static int
put_code(int fd, struct csv *csv, const char *path, struct err *err)
{
	const struct csv_cell *cell = csv_cell(csv, 0);
	struct icd10 c;

	if (csv_cells(csv) != 1 || !icd10_parse(cell->text, &c))
		return err_set(err, ERR_FORMAT,
		    "%s:%zu:1: expected a code of ICD-10, one per line", path,
		    csv_line(csv));
	if (dprintf(fd, "%s;%s;%s;%s;*\n", cell->text, c.category, c.block,
		c.chapter) < 0)
		return err_sys(err, "%s", path);
	return 0;
}

/* The hierarchy's file of a list of codes. */
static int
icd10_file(int in, const char *path, struct err *err)
{
	struct csv *csv = csv_open(in, path, ';', err);
	int fd = memfd_create("icd10", MFD_CLOEXEC), more = -1;

	if (csv == NULL)
		goto fail;
	if (fd == -1) {
		err_sys(err, "%s", path);
		goto fail;
	}
	while ((more = csv_next(csv, err)) == 1)
		if (put_code(fd, csv, path, err) == -1)
			goto fail;
	if (more == -1)
		goto fail;
	if (lseek(fd, 0, SEEK_SET) == -1) {
		err_sys(err, "%s", path);
		goto fail;
	}
	csv_close(csv);
	return fd;
fail:
	csv_close(csv);
	if (fd != -1)
		close(fd);
	return -1;
}

/* The same of LOINC's codes, by the hospital's own table. */
static int
loinc_file(int codes, const char *path, const char *table_path, struct err *err)
{
	int table = open_read(table_path, err), fd = -1, r = -1;

	if (table == -1)
		return -1;
	if ((fd = memfd_create("loinc", MFD_CLOEXEC)) == -1)
		err_sys(err, "%s", path);
	else
		r = loinc_hierarchy(codes, path, table, table_path, fd, err);
	if (r == 0 && lseek(fd, 0, SEEK_SET) == -1)
		r = err_sys(err, "%s", path);
	close(table);
	if (r == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

int
ctl_study_hierarchy(const struct ctl_args *a, struct err *err)
{
	struct hierarchy h;
	size_t top;
	int fd = open_read(a->operand, err), r;

	if (fd != -1 && a->opt[CTL_ICD10] != NULL &&
	    a->opt[CTL_LOINC] != NULL) {
		close(fd);
		return err_set(err, ERR_CONFIG,
		    "--icd10 and --loinc: expected one of them");
	}
	if (fd != -1 &&
	    (a->opt[CTL_ICD10] != NULL || a->opt[CTL_LOINC] != NULL)) {
		int codes = fd;

		fd = a->opt[CTL_ICD10] != NULL
		    ? icd10_file(codes, a->operand, err)
		    : loinc_file(codes, a->operand, a->opt[CTL_LOINC], err);
		close(codes);
	}
	if (fd == -1)
		return -1;
	r = hierarchy_read(&h, fd, a->operand, err);
	close(fd);
	if (r == -1)
		return -1;
	if ((r = check_texts(&h, a->operand, err)) == -1)
		goto out;
	/* One group of all is the top that every hierarchy has. */
	top = h.n_levels;
	while (top > 1 && h.level[top - 1].labels.n == 1)
		top--;
	printf("[column %s]\ntype = levels\nlevels = ", a->opt[CTL_NAME]);
	for (size_t v = 0; v < h.n_leaves; v++) {
		printf("%s", v > 0 ? ",\n    " : "");
		print_item(dictionary_text(&h.level[0].labels, (uint32_t)v));
	}
	printf("\nprivacy = quasi-identifier\nlevel = 0\n");
	if (top > 1)
		printf("\n[hierarchy %s]\n", a->opt[CTL_NAME]);
	for (size_t i = 1; i < top; i++)
		print_level(&h, i);
out:
	hierarchy_free(&h);
	return r;
}

/*
 * The levels that lose least.
 */

static void
print_node(const char *what, const struct lattice_node *n, size_t k)
{
	printf("# %s: Loss %.10f, %zu rows suppressed (%zu may be), %zu "
	       "classes of %zu to %zu rows, k = %zu\n",
	    what, n->loss, n->suppressed, n->most_suppressed, n->classes,
	    n->smallest, n->largest, k);
	printf("#   discernibility %.0f, average class %.2f, non-uniform "
	       "entropy %.1f bits, granularity %.6f\n",
	    n->discernibility, n->average_size, n->entropy, n->granularity);
}

/* What an intruder could do with the rows as they are. */
static int
print_risk(const struct study *s, const struct rows *rows, struct err *err)
{
	const double **keys = calloc(s->n_quasi + 1, sizeof(*keys));
	double people = s->privacy.population;
	struct population p = { .zayatz = NAN, .pitman = NAN, .slide = NAN };
	struct classes c = { 0 };
	struct risk k;
	int r = -1;

	if (keys == NULL) {
		err_sys(err, "memory for the risk");
		goto out;
	}
	for (size_t q = 0; q < s->n_quasi; q++)
		keys[q] = rows->columns[s->quasi[q]].values;
	if (classes_make(&c, keys, s->n_quasi, rows->n, err) == -1 ||
	    (people > 0 && population_estimate(&c, people, &p, err) == -1))
		goto out;
	k = classes_risk(&c, s->privacy.risk_threshold);
	printf("# before: highest risk %.4f, average %.4f, above %.2f: %.2f%% "
	       "of the rows, alone %.2f%%\n",
	    k.highest, k.average, s->privacy.risk_threshold, 100 * k.above,
	    100 * k.unique);
	if (people > 0)
		printf("#   alone among %.0f people: Pitman %.2f%%, Zayatz "
		       "%.2f%%, slide negative binomial %.2f%%\n",
		    people, 100 * p.pitman, 100 * p.zayatz, 100 * p.slide);
	r = 0;
out:
	free(keys);
	classes_free(&c);
	return r;
}

static void
print_recoding(
    const struct study *s, const struct rows *rows, const struct recoding *r)
{
	size_t k = s->privacy.k;

	printf("# %zu rows, %zu combinations of levels, %zu looked at\n",
	    rows->n, r->nodes, r->visited);
	print_node("best", &r->best, k);
	print_node(r->now_fits ? "the study as it is"
			       : "the study as it is, which does not fit",
	    &r->now, k);
	for (size_t q = 0; q < s->n_quasi; q++) {
		const struct study_column *c = &s->columns[s->quasi[q]];

		printf("[column %s]\n", c->name);
		if (r->best.level[q] == c->n_recodes)
			printf("level = top\n");
		else
			printf("level = %u\n", r->best.level[q]);
	}
}

/* What the study's own, local recoding makes of the rows. */
static int
print_local(const struct study *s, const struct rows *rows, struct err *err)
{
	struct recoding_local l;

	if (s->privacy.recoding == STUDY_GLOBAL)
		return 0;
	if (recoding_locally(s, rows, s->privacy.k, NULL, &l, err) == -1)
		return -1;
	printf("# local recoding, up to the study's levels: mean loss %.10f, "
	       "%zu classes, %zu rows left over\n",
	    l.mean, l.classes, l.left);
	return 0;
}

/*
 * One recoding for all sites.
 */

#define SUFFIX "-recoding"
#define RECODING_HEADER STUDY_RECODING_ITEM "," STUDY_RECODING_VALUE "\n"

/* A site: its rows' counts as the table of the recoding study. */
static int
write_counts(const struct study *s, const struct rows *rows, const char *path,
    struct err *err)
{
	struct recoding_items items;
	struct canon out = { 0 };
	char line[64];
	int r = recoding_measure(s, rows, &items, err);

	if (r == 0) {
		canon_raw(&out, RECODING_HEADER, strlen(RECODING_HEADER));
		for (size_t i = 0; i < items.n; i++) {
			int n = snprintf(line, sizeof(line), "%zu,%ju\n", i,
			    (uintmax_t)items.item[i]);

			canon_raw(&out, line, (size_t)n);
		}
		r = out.failed
		    ? err_sys(err, "%s", path)
		    : file_create(path, out.data, out.len, 0600, err);
	}
	if (r == 0)
		printf("%s: %zu counts of %zu rows\n", path, items.n, rows->n);
	canon_free(&out);
	recoding_items_free(&items);
	return r;
}

static void put(struct canon *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
put(struct canon *out, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	canon_raw(out, text, MIN((size_t)MAX(n, 0), sizeof(text) - 1));
}

static void
put_study(
    struct canon *out, const struct study *s, const char *name, size_t n_items)
{
	char expires[STUDY_DATE_TEXT_SIZE];

	study_date_text(s->expires, expires);
	put(out,
	    "# Counts of each combination of levels of study %s, by\n"
	    "# consiliumctl study recode --csv TABLE --counts FILE at each "
	    "site.\n\n",
	    s->name);
	put(out, "[study]\nname = %s\n", name);
	put(out, "title = One recoding for all sites of %s\n", s->name);
	put(out, "purpose = %s\n", s->purpose);
	put(out, "legal-basis = %s\n", s->legal_basis);
	put(out, "ethics = %s\n", s->ethics);
	put(out, "contact = %s\n", s->contact);
	for (size_t i = 0; i < s->sites.n; i++)
		put(out, "%s%s%s", i == 0 ? "sites = " : ", ",
		    s->sites.items[i], i + 1 == s->sites.n ? "\n" : "");
	put(out, "expires = %s\n\n[model]\nkind = recoding\n\n", expires);
	put(out,
	    "[rounds]\nready-wait = %zu\nshare = %zu\nupload = %zu\n"
	    "confirm = %zu\nunmask = %zu\n\n",
	    s->rounds.ready_wait_s, s->rounds.share_s, s->rounds.upload_s,
	    s->rounds.confirm_s, s->rounds.unmask_s);
	put(out,
	    "[privacy]\nk = %zu\nsmallest-cell = %zu\ncohort = %s\n"
	    "verify = %s\nrows-per-site = %zu\n",
	    s->privacy.k, s->privacy.smallest_cell,
	    s->privacy.cohort == STUDY_FIXED ? "fixed" : "open",
	    study_verify_name(s), MAX(n_items, s->privacy.rows_per_site));
	put(out,
	    "\n[column " STUDY_RECODING_ITEM "]\ntype = integer\n"
	    "range = 0..%zu\nprivacy = none\nuse = feature\n",
	    n_items - 1);
	put(out,
	    "\n[column " STUDY_RECODING_VALUE "]\ntype = integer\n"
	    "range = 0..%ju\nprivacy = none\nuse = feature\n",
	    (uintmax_t)MODEL_ITEM_MAX);
}

static int
write_study(const struct ctl_args *a, const struct study *s, struct err *err)
{
	char name[STUDY_NAME_MAX + 1];
	struct canon out = { 0 };
	struct study *made = NULL;
	size_t n;
	int r = -1;

	if (study_edit_name(
		s, a->operand, a->opt[CTL_NAME], SUFFIX, name, err) == -1 ||
	    recoding_count(s, &n, err) == -1)
		return -1;
	put_study(&out, s, name, n);
	if (out.failed)
		err_sys(err, "%s", a->opt[CTL_OUT]);
	else if ((made = study_parse(
		      a->opt[CTL_OUT], out.data, out.len, err)) != NULL)
		r = file_create(a->opt[CTL_OUT], out.data, out.len, 0644, err);
	if (r == 0)
		printf("%s: study %s sums %zu counts of each site\n",
		    a->opt[CTL_OUT], name, n);
	study_free(made);
	canon_free(&out);
	return r;
}

static int
read_sums(const char *path, const char *study, struct recoding_items *sums,
    struct err *err)
{
	const struct json_value *items;
	struct json_value *v;
	uint8_t *text;
	size_t len;
	int r = -1;

	if ((text = file_read(path, JSON_READ_MAX, &len, err)) == NULL)
		return -1;
	v = json_read(path, (const char *)text, len, err);
	free(text);
	if (v == NULL)
		return -1;
	items = json_get(v, "items");
	if (items == NULL || items->kind != JSON_ARRAY ||
	    strcmp(json_get_text(v, "study", ""), study) != 0) {
		err_set(err, ERR_FORMAT,
		    "%s: expected the result.json of study %s", path, study);
		goto out;
	}
	sums->n = items->n;
	sums->item = calloc(items->n + 1, sizeof(*sums->item));
	if (sums->item == NULL) {
		err_sys(err, "%s", path);
		goto out;
	}
	for (size_t i = 0; i < items->n; i++) {
		double x = items->items[i].number;

		if (!(x >= 0 && x < 0x1p63)) {
			err_set(err, ERR_FORMAT, "%s: item %zu is not a count",
			    path, i);
			goto out;
		}
		sums->item[i] = (uint64_t)x;
	}
	r = 0;
out:
	json_read_free(v);
	return r;
}

/* The consortium: the study with the levels that the sums speak for. */
static int
write_levels(const struct ctl_args *a, const struct study *s, struct err *err)
{
	struct study_change changes[LATTICE_ATTRIBUTES_MAX];
	char level[LATTICE_ATTRIBUTES_MAX][8], name[STUDY_NAME_MAX + 1];
	struct recoding_items sums = { 0 };
	struct recoding_choice c;
	int r = -1;

	if (study_edit_name(
		s, a->operand, a->opt[CTL_NAME], SUFFIX, name, err) == -1 ||
	    read_sums(a->opt[CTL_RESULT], name, &sums, err) == -1 ||
	    recoding_choose_sums(s, &sums, &c, err) == -1)
		goto out;
	for (size_t q = 0; q < s->n_quasi; q++) {
		const struct study_column *col = &s->columns[s->quasi[q]];

		if (c.level[q] == col->n_recodes)
			snprintf(level[q], sizeof(level[q]), "top");
		else
			snprintf(level[q], sizeof(level[q]), "%u", c.level[q]);
		changes[q] = (struct study_change){ "column", col->name,
			"level", level[q] };
		printf("%-24s level = %s\n", col->name, level[q]);
	}
	printf("Loss %.10f; %ju rows; %zu of %zu combinations fit every site\n",
	    c.loss, (uintmax_t)c.rows, c.fitting, c.nodes);
	r = study_edit_file(
	    a->operand, changes, s->n_quasi, a->opt[CTL_OUT], err);
out:
	recoding_items_free(&sums);
	return r;
}

static int
recode_rows(const struct ctl_args *a, const struct study *s, struct err *err)
{
	struct rows *rows = NULL;
	struct recoding r;
	int fd = open_read(a->opt[CTL_CSV], err), rv = -1;

	if (fd == -1)
		return -1;
	if ((rows = rows_read(fd, a->opt[CTL_CSV], s, NULL, err)) == NULL)
		goto out;
	if (a->opt[CTL_COUNTS] != NULL) {
		rv = write_counts(s, rows, a->opt[CTL_COUNTS], err);
		goto out;
	}
	if (recoding_choose(s, rows, &r, err) == -1 ||
	    print_risk(s, rows, err) == -1 || print_local(s, rows, err) == -1)
		goto out;
	print_recoding(s, rows, &r);
	rv = 0;
out:
	close(fd);
	rows_free(rows);
	return rv;
}

int
ctl_study_recode(const struct ctl_args *a, struct err *err)
{
	bool csv = a->opt[CTL_CSV] != NULL, out = a->opt[CTL_OUT] != NULL;
	bool result = a->opt[CTL_RESULT] != NULL;
	struct study *s;
	int r;

	if (csv == out || (result && !out) ||
	    (a->opt[CTL_COUNTS] != NULL && !csv))
		return err_set(err, ERR_CONFIG,
		    "expected --csv CSV [--counts FILE], or --out FILE "
		    "[--result RESULT]");
	if ((s = study_load(a->operand, err)) == NULL)
		return -1;
	r = csv      ? recode_rows(a, s, err)
	    : result ? write_levels(a, s, err)
		     : write_study(a, s, err);
	study_free(s);
	return r;
}

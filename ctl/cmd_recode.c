/*
 * Hierarchies for a study, and the levels that it should recode to.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anonymize/classes.h"
#include "anonymize/csv.h"
#include "anonymize/icd10.h"
#include "anonymize/hierarchy.h"
#include "anonymize/population.h"
#include "anonymize/recoding.h"
#include "anonymize/rows.h"
#include "common/err.h"
#include "ctl/ctl.h"
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

int
ctl_study_hierarchy(const struct ctl_args *a, struct err *err)
{
	struct hierarchy h;
	size_t top;
	int fd = open_read(a->operand, err), r;

	if (fd != -1 && a->opt[CTL_ICD10] != NULL) {
		int codes = fd;

		fd = icd10_file(codes, a->operand, err);
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

int
ctl_study_recode(const struct ctl_args *a, struct err *err)
{
	struct study *s = study_load(a->operand, err);
	struct rows *rows = NULL;
	struct recoding r;
	int fd = -1, rv = -1;

	if (s == NULL)
		return -1;
	if ((fd = open_read(a->opt[CTL_CSV], err)) == -1)
		goto out;
	rows = rows_read(fd, a->opt[CTL_CSV], s, NULL, err);
	if (rows == NULL || recoding_choose(s, rows, &r, err) == -1 ||
	    print_risk(s, rows, err) == -1 || print_local(s, rows, err) == -1)
		goto out;
	print_recoding(s, rows, &r);
	rv = 0;
out:
	if (fd != -1)
		close(fd);
	rows_free(rows);
	study_free(s);
	return rv;
}

/*
 * From a source to its anonymized table and report, with the recoding that
 * loses least: what `consiliumctl study recode` and the hospital's reader do,
 * in one process.  STUDY SOURCE FOLDER; the columns held to k must be ignored
 * by the model, since its terms are made for the levels that the study says.
 * "prepare" takes these levels, and is what the reader does alone.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "anonymize/prepare.h"
#include "anonymize/recoding.h"
#include "anonymize/rows.h"
#include "common/err.h"
#include "study/study.h"

static double
ms(struct timeval t)
{
	return 1e3 * (double)t.tv_sec + 1e-3 * (double)t.tv_usec;
}

static struct rows *
choose(struct study *s, const char *source, struct err *err)
{
	int fd = open(source, O_RDONLY | O_CLOEXEC);
	struct rows *rows;
	struct recoding r;

	if (fd == -1) {
		err_sys(err, "open %s", source);
		return NULL;
	}
	rows = rows_read(fd, source, s, NULL, err);
	close(fd);
	if (rows == NULL || recoding_choose(s, rows, &r, err) == -1) {
		rows_free(rows);
		return NULL;
	}
	printf("Loss %.10f, %zu of %zu combinations looked at\n", r.best.loss,
	    r.visited, r.nodes);
	printf("levels");
	for (size_t q = 0; q < s->n_quasi; q++) {
		struct study_column *c = &s->columns[s->quasi[q]];

		c->level = r.best.level[q];
		if (c->level == c->n_recodes)
			printf(" top");
		else
			printf(" %zu", c->level);
	}
	printf("\n");
	return rows;
}

static int
out(const char *folder, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static int
run(const struct study *s, struct rows *rows, const char *source,
    const char *folder, struct err *err)
{
	static const uint8_t digest[TABLE_DIGEST_LEN];
	int fd = rows == NULL ? open(source, O_RDONLY | O_CLOEXEC) : -1;
	struct prepare_result r;
	const struct prepare p = {
		.study = s,
		.study_digest = digest,
		.site = "bench",
		.source_fd = fd,
		.source = source,
		.rows = rows,
		.smallest_k = 1,
		.table_fd = out(folder, "table"),
		.json_fd = out(folder, "report.json"),
		.html_fd = out(folder, "report.html"),
	};

	if ((rows == NULL && fd == -1) || p.table_fd == -1 || p.json_fd == -1 ||
	    p.html_fd == -1) {
		rows_free(rows);
		return err_sys(err, "open %s", folder);
	}
	if (prepare(&p, &r, err) == -1)
		return -1;
	printf("%zu rows, %zu suppressed, %zu in the table, the smallest class "
	       "of %zu\n",
	    r.n_read, r.n_suppressed, r.n_kept, r.smallest_class);
	return 0;
}

/* What the study's local recoding loses, without a table. */
static int
local(const struct study *s, const char *source, struct err *err)
{
	int fd = open(source, O_RDONLY | O_CLOEXEC);
	struct recoding_local l;
	struct rows *rows;
	int r = -1;

	if (fd == -1)
		return err_sys(err, "open %s", source);
	rows = rows_read(fd, source, s, NULL, err);
	close(fd);
	if (rows != NULL &&
	    (r = recoding_locally(s, rows, s->privacy.k, NULL, &l, err)) == 0)
		printf("mean loss %.10f, %zu classes, %zu rows left over\n",
		    l.mean, l.classes, l.left);
	rows_free(rows);
	return r;
}

static int
whole(struct study *s, const char *source, const char *folder, struct err *err)
{
	struct rows *rows = choose(s, source, err);

	return rows != NULL ? run(s, rows, source, folder, err) : -1;
}

int
main(int argc, char **argv)
{
	struct err err = { 0 };
	struct rusage used;
	struct study *s;
	bool is_local = argc == 4 && strcmp(argv[1], "local") == 0;
	bool is_prepare = argc == 5 && strcmp(argv[1], "prepare") == 0;
	int r = -1;

	/* As the reader. */
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (argc != 4 && !is_prepare) {
		fprintf(stderr,
		    "usage: anonymize STUDY SOURCE FOLDER\n"
		    "       anonymize prepare STUDY SOURCE FOLDER\n"
		    "       anonymize local STUDY SOURCE\n");
		return 2;
	}
	if ((s = study_load(argv[argc > 4 || is_local ? 2 : 1], &err)) != NULL)
		r = is_local     ? local(s, argv[3], &err)
		    : is_prepare ? run(s, NULL, argv[3], argv[4], &err)
				 : whole(s, argv[2], argv[3], &err);
	if (r == -1)
		fprintf(stderr, "%s\n", err.msg);
	study_free(s);
	getrusage(RUSAGE_SELF, &used);
	printf("processor %.0f ms, peak %.1f MB\n",
	    ms(used.ru_utime) + ms(used.ru_stime),
	    (double)used.ru_maxrss / 1024);
	return r == 0 ? 0 : 1;
}

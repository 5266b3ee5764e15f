/*
 * From a source to its anonymized table and report, with the recoding that
 * loses least: what `consiliumctl study recode` and the hospital's reader do,
 * in one process.  STUDY SOURCE FOLDER; the columns held to k must be ignored
 * by the model, since its terms are made for the levels that the study says.
 */
#include <fcntl.h>
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
	for (size_t q = 0; q < s->n_quasi; q++)
		s->columns[s->quasi[q]].level = r.best.level[q];
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
	struct prepare_result r;
	const struct prepare p = {
		.study = s,
		.study_digest = digest,
		.site = "bench",
		.source_fd = -1,
		.source = source,
		.rows = rows,
		.smallest_k = 1,
		.table_fd = out(folder, "table"),
		.json_fd = out(folder, "report.json"),
		.html_fd = out(folder, "report.html"),
	};

	if (p.table_fd == -1 || p.json_fd == -1 || p.html_fd == -1) {
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

int
main(int argc, char **argv)
{
	struct err err = { 0 };
	struct rows *rows = NULL;
	struct rusage used;
	struct study *s;
	int r = 1;

	if (argc != 4) {
		fprintf(stderr, "usage: anonymize STUDY SOURCE FOLDER\n");
		return 2;
	}
	if ((s = study_load(argv[1], &err)) != NULL &&
	    (rows = choose(s, argv[2], &err)) != NULL &&
	    run(s, rows, argv[2], argv[3], &err) == 0)
		r = 0;
	else
		fprintf(stderr, "%s\n", err.msg);
	study_free(s);
	getrusage(RUSAGE_SELF, &used);
	printf("processor %.0f ms, peak %.1f MB\n",
	    ms(used.ru_utime) + ms(used.ru_stime),
	    (double)used.ru_maxrss / 1024);
	return r;
}

/* The anonymized table, which a trainer maps: study and digest are fixed. */
#include "config.h"

#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "model/data.h"
#include "study/study.h"
#include "study/table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/study/small.h"

static const uint8_t digest[TABLE_DIGEST_LEN] = { 1, 2, 3 };

static const struct study *
the_study(void)
{
	static struct study *s;
	struct err err;

	if (s == NULL)
		FUZZ_MUST(
		    (s = study_parse("f", small, strlen(small), &err)) != NULL);
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct study *s = the_study();
	struct model_data d = { 0 };
	struct table t;
	struct err err;

	/* malloc()ed, but libFuzzer's own may lie anywhere. */
	void *copy = malloc(len + 8);

	FUZZ_MUST(copy != NULL);
	memcpy(copy, data, len);
	if (table_read(&t, copy, len, s, digest, &err) == 0) {
		FUZZ_MUST(t.n_columns == s->n_table);
		if (table_design(&t, s, &d, &err) == 0)
			table_design_free(&d);
	}
	free(copy);
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	const struct study *s = the_study();
	double values[64][2];
	const double *columns[64];
	uint8_t out[4096];
	struct err err;

	FUZZ_MUST(s->n_table <= 64);
	for (size_t i = 0; i < s->n_table; i++) {
		const struct study_column *c = &s->columns[s->table[i]];

		values[i][0] = c->n_levels > 0
		    ? 0
		    : study_table_value(s, s->table[i], c->lo);
		values[i][1] = values[i][0];
		columns[i] = values[i];
	}
	for (size_t n = 0; n <= 2; n += 2) {
		int fd = memfd_create("table", MFD_CLOEXEC);
		ssize_t len = 0;

		if (table_write(fd, s, digest, columns, n, &err) == 0)
			len = pread(fd, out, sizeof(out), 0);
		if (len > 0)
			fuzz_put_bytes(put, -1, out, (size_t)len);
		else
			fprintf(stderr, "%s\n", err.msg);
		close(fd);
	}
}

#include "daemon/train.h"

#include <stdlib.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/hash.h"
#include "model/contribute.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "study/study.h"
#include "study/table.h"

struct job {
	uint8_t digest[TABLE_DIGEST_LEN];
	uint32_t n_sites, self;
	const uint8_t *text, *plan_bytes; /* within the message */
	size_t text_len, plan_len;

	struct study *study;
	struct plan *plan;
	uint8_t *file; /* the table */
	size_t file_len;
};

static int
read_job(const void *msg, size_t len, struct job *j, struct err *err)
{
	struct canon_in in = canon_in(msg, len);

	canon_get_raw(&in, j->digest, sizeof(j->digest));
	j->n_sites = canon_get_u32(&in);
	j->self = canon_get_u32(&in);
	j->text = canon_get_bytes(&in, 1, STUDY_TEXT_MAX, &j->text_len);
	j->plan_bytes = canon_get_bytes(&in, 1, PLAN_BYTES_MAX, &j->plan_len);
	if (canon_end(&in, "the job", err) == -1)
		return -1;
	if (j->self >= j->n_sites)
		return err_set(
		    err, ERR_FORMAT, "site %u of %u", j->self, j->n_sites);
	return 0;
}

static int
load_job(struct job *j, int table_fd, struct err *err)
{
	struct model_spec spec;

	j->study = study_parse("study", j->text, j->text_len, err);
	if (j->study == NULL ||
	    study_model_spec(j->study, j->n_sites, &spec, err) == -1)
		return -1;
	j->plan = plan_load(&spec, j->plan_bytes, j->plan_len, err);
	if (j->plan == NULL)
		return -1;
	j->file =
	    file_read_fd(table_fd, "table", TRAIN_TABLE_MAX, &j->file_len, err);
	return j->file == NULL ? -1 : 0;
}

static int
compute(const struct job *j, double *values, struct err *err)
{
	struct model_data data = { 0 };
	struct table table;
	int ret;

	if (table_read(
		&table, j->file, j->file_len, j->study, j->digest, err) == -1 ||
	    table_design(&table, j->study, &data, err) == -1)
		return -1;
	ret = contribute(j->plan, &data, values, err);
	table_design_free(&data);
	return ret;
}

static int
write_answer(const struct job *j, const double *values, size_t n,
    struct canon *out, struct err *err)
{
	uint8_t digest[HASH_LEN];

	hash_sha256(j->file, j->file_len, digest);
	canon_raw(out, digest, sizeof(digest));
	canon_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		canon_f64(out, values[i]);
	return out->failed ? err_sys(err, "%zu values", n) : 0;
}

int
train(const void *msg, size_t len, int table_fd, struct canon *out,
    struct err *err)
{
	struct job j = { 0 };
	double *values = NULL;
	int ret = -1;
	size_t n;

	if (read_job(msg, len, &j, err) == -1 ||
	    load_job(&j, table_fd, err) == -1)
		goto out;
	n = plan_values(j.plan);
	if ((values = calloc(n + 1, sizeof(*values))) == NULL) {
		err_sys(err, "%zu values", n);
		goto out;
	}
	if (compute(&j, values, err) == 0)
		ret = write_answer(&j, values, n, out, err);
out:
	free(values);
	free(j.file);
	plan_free(j.plan);
	study_free(j.study);
	return ret;
}

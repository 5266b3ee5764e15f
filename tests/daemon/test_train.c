#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "crypto/hash.h"
#include "daemon/train.h"
#include "model/contribute.h"
#include "model/data.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "privsep/chan.h"
#include "privsep/spawn.h"
#include "study/study.h"
#include "study/table.h"
#include "tests/study/small.h"

#define N_ROWS 3
#define N_SITES 3

static const uint8_t digest[TABLE_DIGEST_LEN] = { 1, 2, 3 };

/* t, dead, age, bmi, sex, land */
static const double values[6][N_ROWS] = { { 0, 1000, 17 }, { 1, 0, 1 },
	{ 23.5, 82, 52 }, { 10, 80, 23.25 }, { 0, 1, 1 }, { 2, 0, 1 } };

struct fixture {
	struct study *study;
	struct plan *plan;
	FILE *table;
	struct canon msg;
};

static void
write_job(struct fixture *f, const uint8_t *study_digest, uint32_t self)
{
	struct canon plan = { 0 };

	canon_free(&f->msg);
	plan_save(f->plan, &plan);
	canon_raw(&f->msg, study_digest, TABLE_DIGEST_LEN);
	canon_u32(&f->msg, N_SITES);
	canon_u32(&f->msg, self);
	canon_bytes(&f->msg, small, strlen(small));
	canon_bytes(&f->msg, plan.data, plan.len);
	canon_free(&plan);
}

static int
setup(void **state)
{
	const double *columns[6];
	struct fixture *f = calloc(1, sizeof(*f));
	struct model_spec spec;
	struct err err;

	for (size_t i = 0; i < 6; i++)
		columns[i] = values[i];
	f->study = study_parse("s", small, strlen(small), &err);
	assert_non_null(f->study);
	assert_int_equal(study_model_spec(f->study, N_SITES, &spec, &err), 0);
	f->plan = plan_new(&spec, &err);
	f->table = tmpfile();
	assert_true(f->plan != NULL && f->table != NULL);
	*state = f;
	return table_write(
	    fileno(f->table), f->study, digest, columns, N_ROWS, &err);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	canon_free(&f->msg);
	plan_free(f->plan);
	study_free(f->study);
	fclose(f->table);
	free(f);
	return 0;
}

static void
check_values(
    struct fixture *f, struct canon_in *in, const uint8_t *file, size_t len)
{
	size_t n = plan_values(f->plan);
	double *expected = calloc(n, sizeof(*expected));
	struct model_data data = { 0 };
	struct table table;
	struct err err;

	assert_int_equal(
	    table_read(&table, file, len, f->study, digest, &err), 0);
	assert_int_equal(table_design(&table, f->study, &data, &err), 0);
	assert_int_equal(contribute(f->plan, &data, expected, &err), 0);
	assert_int_equal(canon_get_u32(in), n);
	for (size_t i = 0; i < n; i++)
		assert_true(canon_get_f64(in) == expected[i]);
	assert_int_equal(canon_end(in, "answer", &err), 0);
	table_design_free(&data);
	free(expected);
}

static void
answers_with_the_tables_digest_and_the_contribution(void **state)
{
	struct fixture *f = *state;
	uint8_t got[HASH_LEN], hash[HASH_LEN], *file;
	struct canon out = { 0 };
	struct canon_in in;
	struct err err;
	size_t len;

	write_job(f, digest, 2);
	if (train(f->msg.data, f->msg.len, fileno(f->table), &out, &err) == -1)
		fail_msg("%s", err.msg);
	file = file_read_fd(fileno(f->table), "t", 10000, &len, &err);
	assert_non_null(file);
	hash_sha256(file, len, hash);
	in = canon_in(out.data, out.len);
	canon_get_raw(&in, got, sizeof(got));
	assert_memory_equal(got, hash, sizeof(got));
	check_values(f, &in, file, len);
	free(file);
	canon_free(&out);
}

static void
refuses_another_studys_table(void **state)
{
	struct fixture *f = *state;
	uint8_t other[TABLE_DIGEST_LEN] = { 9 };
	struct canon out = { 0 };
	struct err err;

	write_job(f, other, 0);
	assert_int_equal(
	    train(f->msg.data, f->msg.len, fileno(f->table), &out, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_int_equal(out.len, 0);
}

static void
refuses_a_job_that_is_cut_short_or_damaged(void **state)
{
	struct fixture *f = *state;
	struct canon out = { 0 };
	struct err err;

	write_job(f, digest, 0);
	for (size_t len = 0; len < f->msg.len; len += 7)
		assert_int_equal(
		    train(f->msg.data, len, fileno(f->table), &out, &err), -1);
	f->msg.data[f->msg.len - 8] = 0x7f; /* not finite */
	f->msg.data[f->msg.len - 7] = 0xf0;
	assert_int_equal(
	    train(f->msg.data, f->msg.len, fileno(f->table), &out, &err), -1);
	write_job(f, digest, N_SITES);
	assert_int_equal(
	    train(f->msg.data, f->msg.len, fileno(f->table), &out, &err), -1);
	assert_int_equal(out.len, 0);
}

/* What the parent hands over: the table, the gate's channel, no facts. */
static struct chan *
hand_over(struct chan *parent, FILE *table)
{
	struct canon config = { 0 };
	uint8_t gate = PROC_GATE;
	struct chan *c;
	struct err err;
	int ends[2];

	assert_int_equal(chan_pair(ends, &err), 0);
	assert_int_equal(chan_send(parent, MSG_FILE, 0, "\0\0\0\5table", 9,
			     fileno(table), &err),
	    0);
	assert_int_equal(
	    chan_send(parent, MSG_PEER, 0, &gate, 1, ends[1], &err), 0);
	close(ends[1]);
	canon_text(&config, "consiliumd.conf");
	canon_bytes(&config, "", 0);
	canon_u32(&config, 0);
	assert_int_equal(
	    chan_send_canon(parent, MSG_CONFIG, 0, &config, &err), 0);
	c = chan_new(ends[0], PROC_TRAINER, &err);
	assert_non_null(c);
	return c;
}

/* Run the executable itself, locked in; returns the type of its answer. */
static enum msg_type
run_trainer(struct fixture *f, struct canon *answer)
{
	struct chan *parent, *gate;
	enum msg_type type;
	struct msg m;
	struct err err;
	char path[1024];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/daemon", getenv("builddir"));
	setenv("CONSILIUM_LIBEXEC", path, 1);
	if ((pid = spawn(PROC_TRAINER, LOG_INFO, &parent, &err)) == -1)
		fail_msg("%s", err.msg);
	gate = hand_over(parent, f->table);
	assert_int_equal(
	    chan_send(gate, MSG_TRAIN, 7, f->msg.data, f->msg.len, -1, &err),
	    0);
	if (chan_wait(gate, &m, 20000, &err) != 1)
		fail_msg("no answer");
	assert_int_equal(m.tag, 7);
	type = m.type;
	canon_raw(answer, m.data, m.len);
	msg_free(&m);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	chan_free(gate);
	chan_free(parent);
	return type;
}

static void
the_process_answers_one_job_and_ends(void **state)
{
	struct fixture *f = *state;
	struct canon expected = { 0 }, got = { 0 };
	struct err err;

	write_job(f, digest, 1);
	assert_int_equal(
	    train(f->msg.data, f->msg.len, fileno(f->table), &expected, &err),
	    0);
	assert_int_equal(run_trainer(f, &got), MSG_TRAINED);
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(got.data, expected.data, got.len);
	canon_free(&got);
	canon_free(&expected);
}

static void
the_process_says_why_it_cannot(void **state)
{
	struct fixture *f = *state;
	uint8_t other[TABLE_DIGEST_LEN] = { 9 };
	struct canon got = { 0 };
	struct canon_in in;
	char why[512];

	write_job(f, other, 1);
	assert_int_equal(run_trainer(f, &got), MSG_JOB_FAILED);
	in = canon_in(got.data, got.len);
	assert_int_equal(canon_get_u32(&in), ERR_FORMAT);
	canon_get_text(&in, why, sizeof(why));
	assert_non_null(strstr(why, "table"));
	canon_free(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    answers_with_the_tables_digest_and_the_contribution, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    refuses_another_studys_table, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    refuses_a_job_that_is_cut_short_or_damaged, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    the_process_answers_one_job_and_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_process_says_why_it_cannot, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

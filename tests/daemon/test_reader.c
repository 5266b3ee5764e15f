/* The process reader, started and locked in as in production. */
#include "config.h"

#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "anonymize/patients.h"
#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "privsep/chan.h"
#include "privsep/spawn.h"
#include "study/study.h"
#include "study/table.h"

#define TIMEOUT_MS 30000

static const char *const outputs[] = { "table", "report.json", "report.html",
	"patients" };

/* A pseudonym key's file, and the list that goes with it; NULL: none. */
static const char *list;

static int catalogue = -1; /* of the report's language */
static const char *left_out; /* is not handed over; NULL: all is */

/* One reader, its parent and its gate: both are us. */
struct job {
	pid_t pid;
	struct chan *parent, *gate;
	int out[nitems(outputs)];
	char *study;
	size_t study_len;
};

static const uint8_t pseudonym[PATIENTS_KEY] = { 5 };

static bool
all_zeros(const uint8_t *p)
{
	static const uint8_t zeros[32];

	return p != NULL && memcmp(p, zeros, sizeof(zeros)) == 0;
}

static void
hand_over(struct job *j, const char *name, int fd)
{
	struct canon c = { 0 };
	struct err err;

	assert_int_not_equal(fd, -1);
	if (left_out != NULL && strcmp(name, left_out) == 0)
		return;
	canon_text(&c, name);
	assert_int_equal(
	    chan_send(j->parent, MSG_FILE, 0, c.data, c.len, fd, &err), 0);
	canon_free(&c);
}

static void
hand_over_patients(struct job *j)
{
	struct canon secret = { 0 };
	struct err err;
	int fd;

	canon_text(&secret, "consilium-1/secret");
	canon_raw(&secret, pseudonym, sizeof(pseudonym));
	fd = memfd_seal("key", secret.data, secret.len, &err);
	hand_over(j, "pseudonym.key", fd);
	close(fd);
	fd = memfd_seal("list", list, strlen(list), &err);
	hand_over(j, "objections", fd);
	close(fd);
	canon_free(&secret);
}

static void
write_facts(struct canon *c)
{
	static const char *const facts[][2] = {
		{ "source-name", "rotterdam-c.csv" },
		{ "patient", "record_number" },
		{ "objections-name", "refused.txt" },
	};
	uint32_t n = 0;
	struct canon out = { 0 };

	for (size_t i = 0; i < (list != NULL ? nitems(facts) : 1); i++) {
		if (left_out != NULL && strcmp(facts[i][0], left_out) == 0)
			continue;
		canon_text(&out, facts[i][0]);
		canon_bytes(&out, facts[i][1], strlen(facts[i][1]));
		n++;
	}
	canon_u32(c, n);
	canon_raw(c, out.data, out.len);
	canon_free(&out);
}

static void
start(struct job *j, int source)
{
	struct canon c = { 0 };
	struct msg m;
	struct err err = { 0 };
	int pair[2];

	if ((j->pid = spawn(PROC_READER, LOG_WARNING, &j->parent, &err)) == -1)
		fail_msg("%s", err.msg);
	hand_over(j, "source", source);
	for (size_t i = 0; i < nitems(outputs); i++) {
		j->out[i] = memfd_create(outputs[i], MFD_CLOEXEC);
		hand_over(j, outputs[i], j->out[i]);
	}
	if (list != NULL)
		hand_over_patients(j);
	if (catalogue >= 0)
		hand_over(j, "catalogue", catalogue);
	assert_int_equal(chan_pair(pair, &err), 0);
	assert_non_null(j->gate = chan_new(pair[0], PROC_READER, &err));
	canon_u8(&c, PROC_GATE);
	assert_int_equal(
	    chan_send(j->parent, MSG_PEER, 0, c.data, c.len, pair[1], &err), 0);
	close(pair[1]);
	canon_free(&c);
	canon_text(&c, "consiliumd.conf");
	canon_bytes(&c, "", 0);
	write_facts(&c);
	assert_int_equal(
	    chan_send_canon(j->parent, MSG_CONFIG, 0, &c, &err), 0);
	if (chan_wait(j->parent, &m, TIMEOUT_MS, &err) != 1)
		fail_msg("%s", err.msg);
	assert_int_equal(m.type, MSG_READY);
	msg_free(&m);
}

static void
order(struct job *j, uint32_t smallest_k, struct msg *answer)
{
	uint8_t digest[HASH_LEN];
	struct canon c = { 0 };
	struct err err = { 0 };

	hash_sha256(j->study, j->study_len, digest);
	canon_raw(&c, digest, sizeof(digest));
	canon_text(&c, "rotterdam-c");
	canon_u32(&c, smallest_k);
	canon_bytes(&c, j->study, j->study_len);
	assert_int_equal(
	    chan_send_canon(j->gate, MSG_READER_JOB, 7, &c, &err), 0);
	assert_int_equal(chan_drain(j->gate, TIMEOUT_MS, &err), 0);
	if (chan_wait(j->gate, answer, TIMEOUT_MS, &err) != 1)
		fail_msg("no answer: %s", err.msg);
	assert_int_equal(answer->tag, 7);
}

/* After its answer it ends by itself, and well. */
static void
end(struct job *j)
{
	int status;

	assert_int_equal(waitpid(j->pid, &status, 0), j->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	chan_free(j->gate);
	chan_free(j->parent);
	for (size_t i = 0; i < nitems(outputs); i++)
		close(j->out[i]);
}

static char dir[] = "/tmp/test_reader.XXXXXX";

static int
source(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/rotterdam-c.csv", dir);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int
setup(void **state)
{
	static struct job j;
	const char *top = getenv("top_srcdir"), *build = getenv("builddir");
	char text[1024];
	struct err err;

	snprintf(text, sizeof(text), "%s/daemon", build);
	if (mkdtemp(dir) == NULL || setenv("CONSILIUM_LIBEXEC", text, 1) != 0)
		return -1;
	snprintf(text, sizeof(text),
	    "%s/examples/breast-cancer/hospitals "
	    "%s/examples/breast-cancer/patients.csv %s",
	    build, top, dir);
	if (system(text) != 0)
		return -1;
	snprintf(
	    text, sizeof(text), "%s/examples/breast-cancer/rfs.study", top);
	j.study = (char *)file_read(text, STUDY_TEXT_MAX, &j.study_len, &err);
	*state = &j;
	return j.study != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	struct job *j = *state;
	char command[128];

	free(j->study);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void
prepares_a_table_and_tells_its_digests(void **state)
{
	struct job *j = *state;
	uint8_t told[HASH_LEN], found[HASH_LEN];
	struct canon_in in;
	struct err err;
	struct msg m;
	int fd = source();

	start(j, fd);
	order(j, 3, &m);
	assert_int_equal(m.type, MSG_READER_DONE);
	in = canon_in(m.data, m.len);
	for (size_t i = 0; i < 2; i++) {
		size_t len;
		uint8_t *file =
		    file_read_fd(j->out[i], outputs[i], 1 << 20, &len, &err);

		assert_non_null(file);
		hash_sha256(file, len, found);
		canon_get_raw(&in, told, sizeof(told));
		assert_memory_equal(told, found, sizeof(told));
		free(file);
	}
	assert_int_equal(canon_get_u64(&in), 980);
	assert_int_equal(canon_get_u64(&in), 14);
	assert_int_equal(canon_get_u64(&in), 2);
	assert_int_equal(canon_get_u64(&in), 0);
	assert_int_equal(canon_get_u64(&in), 0);
	assert_true(all_zeros(canon_get_view(&in, 32)));
	assert_int_equal(canon_end(&in, "answer", &err), 0);
	msg_free(&m);
	end(j);
	close(fd);
}

/* Is that patient among those whose rows the table has? */
static bool
in_table(const struct job *j, const char *who)
{
	struct err err;
	struct patients *p = patients_new("", pseudonym, &err);
	uint8_t id[PATIENTS_ID], table[32], *file;
	size_t len;
	int rv;

	patients_id(p, who, strlen(who), id);
	patients_free(p);
	file = file_read_fd(j->out[3], "patients", 1 << 20, &len, &err);
	assert_non_null(file);
	assert_null(memmem(file, len, who, strlen(who)));
	rv = patients_find(file, len, "patients", id, table, &err);
	free(file);
	assert_true(rv >= 0);
	return rv == 1;
}

static void
who_objects_is_left_out_and_all_others_are_known(void **state)
{
	struct job *j = *state;
	uint8_t *report;
	struct canon_in in;
	struct err err;
	struct msg m;
	size_t len;
	int fd = source();

	/* One of the source's patients, and one who is not in it. */
	list = "RC-1980-00015\nRC-1900-99999\n";
	start(j, fd);
	order(j, 3, &m);
	list = NULL;
	assert_int_equal(m.type, MSG_READER_DONE);
	in = canon_in(m.data, m.len);
	canon_get_view(&in, 64);
	assert_true(canon_get_u64(&in) <= 979); /* kept; 980 with her */
	canon_get_u64(&in);
	assert_int_equal(canon_get_u64(&in), 2); /* rejected, as before */
	assert_int_equal(canon_get_u64(&in), 1);
	assert_int_equal(canon_get_u64(&in), 2);
	assert_false(all_zeros(canon_get_view(&in, 32)));
	assert_int_equal(canon_end(&in, "answer", &err), 0);
	msg_free(&m);
	assert_false(in_table(j, "RC-1980-00015"));
	assert_false(in_table(j, "RC-1900-99999"));
	assert_true(in_table(j, "RC-1988-00008"));
	report = file_read_fd(j->out[1], "report", 1 << 20, &len, &err);
	assert_non_null(report);
	assert_non_null(strstr((char *)report, "\"objected\": 1,"));
	free(report);
	end(j);
	close(fd);
}

static void
says_why_it_could_not(void **state)
{
	struct job *j = *state;
	char why[512];
	struct canon_in in;
	struct msg m;
	int fd = source();

	start(j, fd);
	order(j, 1000, &m);
	assert_int_equal(m.type, MSG_JOB_FAILED);
	in = canon_in(m.data, m.len);
	assert_int_equal(canon_get_u32(&in), ERR_REFUSED);
	canon_get_text(&in, why, sizeof(why));
	assert_non_null(strstr(why,
	    "rotterdam-c.csv: 994 of 994 rows share their quasi-identifiers "
	    "with "
	    "fewer than 1000 patients"));
	msg_free(&m);
	end(j);
	close(fd);
}

static void
fails(struct job *j, enum err_code code, const char *words)
{
	struct canon_in in;
	char why[512];
	int fd = source();
	struct msg m;

	start(j, fd);
	order(j, 3, &m);
	assert_int_equal(m.type, MSG_JOB_FAILED);
	in = canon_in(m.data, m.len);
	assert_int_equal(canon_get_u32(&in), code);
	canon_get_text(&in, why, sizeof(why));
	if (strstr(why, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, why);
	msg_free(&m);
	end(j);
	close(fd);
}

static void
a_job_fails_without_what_it_needs(void **state)
{
	static const char *const any[] = { "source", "table", "report.json",
		"report.html", "patients" };

	for (size_t i = 0; i < nitems(any); i++) {
		left_out = any[i];
		list = i == 4 ? "RC-1980-00015\n" : NULL;
		fails(*state, ERR_PEER,
		    "started without source, table or report");
	}
	left_out = "pseudonym.key";
	fails(*state, ERR_PEER, "started without the pseudonym key");
	left_out = NULL;
	list = NULL;
}

static void
is_done(struct job *j)
{
	int fd = source();
	struct msg m;

	start(j, fd);
	order(j, 3, &m);
	assert_int_equal(m.type, MSG_READER_DONE);
	msg_free(&m);
	close(fd);
}

static void
a_job_is_done_without_what_there_need_not_be(void **state)
{
	left_out = "source-name";
	is_done(*state);
	end(*state);
	left_out = "objections-name";
	list = "";
	is_done(*state);
	assert_true(in_table(*state, "RC-1988-00008"));
	end(*state);
	left_out = NULL;
	list = NULL;
}

static void
a_report_is_in_the_language_of_its_catalogue(void **state)
{
	struct job *j = *state;
	struct err err;
	char path[1024];
	uint8_t *report;
	size_t len;

	snprintf(path, sizeof(path), "%s/po/zh_CN/LC_MESSAGES/consilium.mo",
	    getenv("builddir"));
	catalogue = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(catalogue >= 0);
	is_done(j);
	report = file_read_fd(j->out[2], "report", 1 << 20, &len, &err);
	assert_non_null(report);
	assert_non_null(strstr((char *)report, "lang=\"zh-CN\""));
	free(report);
	end(j);
	close(catalogue);
	catalogue = memfd_seal("catalogue", "nonsense", 8, &err);
	fails(j, ERR_FORMAT, "catalogue");
	close(catalogue);
	catalogue = -1;
}

static void
an_order_that_is_none_is_the_end(void **state)
{
	struct job *j = *state;
	uint8_t nonsense[64];
	struct err err;
	int fd = source(), status;

	memset(nonsense, 0xff, sizeof(nonsense));
	start(j, fd);
	assert_int_equal(chan_send(j->gate, MSG_READER_JOB, 7, nonsense,
			     sizeof(nonsense), -1, &err),
	    0);
	assert_int_equal(waitpid(j->pid, &status, 0), j->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	chan_free(j->gate);
	chan_free(j->parent);
	for (size_t i = 0; i < nitems(outputs); i++)
		close(j->out[i]);
	close(fd);
}

/* What the reader logs while it is ours to have started. */
static void
rejected_rows_are_logged_as_so_many_of_so_many(void **state)
{
	struct job *j = *state;
	char command[256], log[8192];
	int log_fd = memfd_create("log", MFD_CLOEXEC);
	int fd, own = dup(STDERR_FILENO);
	struct msg m;
	ssize_t n;

	snprintf(command, sizeof(command),
	    "{ cat %s/rotterdam-c.csv; echo 4711; echo 4712,x; } >%s/bad.csv",
	    dir, dir);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s/bad.csv", dir);
	fd = open(command, O_RDONLY | O_CLOEXEC);
	dup2(log_fd, STDERR_FILENO);
	start(j, fd);
	dup2(own, STDERR_FILENO);
	order(j, 5, &m);
	assert_int_equal(m.type, MSG_READER_DONE);
	msg_free(&m);
	end(j);
	assert_true((n = pread(log_fd, log, sizeof(log) - 1, 0)) > 0);
	log[n] = '\0';
	assert_non_null(strstr(log, "row rejected: rotterdam-c.csv:1103:1: "));
	assert_non_null(strstr(log, "row rejected: rotterdam-c.csv:1104:1: "));
	assert_non_null(
	    strstr(log, "warning: rows rejected: 4 of 1004 STUDY=rfs\n"));
	assert_null(strstr(log, "4711")); /* no value */
	close(log_fd);
	close(own);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prepares_a_table_and_tells_its_digests),
		cmocka_unit_test(
		    who_objects_is_left_out_and_all_others_are_known),
		cmocka_unit_test(says_why_it_could_not),
		cmocka_unit_test(a_job_fails_without_what_it_needs),
		cmocka_unit_test(a_job_is_done_without_what_there_need_not_be),
		cmocka_unit_test(a_report_is_in_the_language_of_its_catalogue),
		cmocka_unit_test(an_order_that_is_none_is_the_end),
		cmocka_unit_test(
		    rejected_rows_are_logged_as_so_many_of_so_many),
	};

	log_open("test_reader", LOG_ERR);
	return cmocka_run_group_tests(tests, setup, teardown);
}

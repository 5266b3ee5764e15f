/*
 * The real reader and the real trainer, each with a fault at each place where
 * the system can fail it (FAULT_PLACES).  The test is parent and gate.  A job
 * that meets a fault does without, tells the gate why it failed, or ends and
 * says why in a line; the next one does it.
 */
#include "config.h"

#include "tests/check.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "model/spec.h"
#include "model/step/plan.h"
#include "privsep/chan.h"
#include "privsep/family.h"
#include "study/study.h"
#include "tests/faults/child.h"
#include "tests/faults/fault.h"

static const char study_text[] = "[study]\n"
				 "name = small\n"
				 "title = A small study\n"
				 "purpose = medical research\n"
				 "legal-basis = consent\n"
				 "ethics = EK 1/26\n"
				 "contact = a@example.org\n"
				 "expires = 2099-01-31\n"
				 "[model]\n"
				 "kind = logistic\n"
				 "outcome = y\n"
				 "[privacy]\n"
				 "k = 1\n"
				 "cohort = fixed\n"
				 "rows-per-site = 100\n"
				 "[column pid]\n"
				 "type = text\n"
				 "privacy = direct-identifier\n"
				 "[column y]\n"
				 "type = levels\n"
				 "levels = no, yes\n"
				 "privacy = none\n"
				 "use = outcome\n"
				 "[column a]\n"
				 "type = real\n"
				 "range = -5..5\n"
				 "privacy = none\n"
				 "use = feature\n";

static const char rows[] = "pid,y,a\n"
			   "1,no,0.5\n"
			   "2,yes,1.5\n"
			   "3,no,-2\n"
			   "4,yes,0\n"
			   "5,yes,2.5\n"
			   "6,no,1\n";

static const char *const outputs[] = { "table", "report.json", "report.html",
	"patients" };

static struct fault *fault; /* NULL: none is to be */
static int out[nitems(outputs)]; /* what a reader makes */
static pid_t pid;
static struct chan *parent, *gate;

static void
start(enum proc proc)
{
	pid = child_start(
	    proc, fault != NULL, LOG_ERR, PROC_GATE, &parent, &gate);
}

static void
give(const char *name, const void *data, size_t len)
{
	struct err err;
	int fd;

	if (file_write(in_dir("given"), data, len, 0600, &err) < 0)
		fail_msg("%s", err.msg);
	fd = open(in_dir("given"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	family_give_file(parent, name, fd, &err);
	close(fd);
}

static void
equip_reader(void)
{
	static const struct family_fact facts[] = {
		{ "source-name", "small.csv" },
		{ "patient", "pid" },
		{ "objections-name", "refused.txt" },
	};
	static const uint8_t key[32] = { 5 };
	struct canon secret = { 0 };
	struct err err;

	canon_text(&secret, "consilium-1/secret");
	canon_raw(&secret, key, sizeof(key));
	give("source", rows, strlen(rows));
	give("pseudonym.key", secret.data, secret.len);
	give("objections", "6\n", 2);
	canon_free(&secret);
	for (size_t i = 0; i < nitems(outputs); i++) {
		if (out[i] > 0)
			close(out[i]);
		out[i] = memfd_create(outputs[i], MFD_CLOEXEC);
		family_give_file(parent, outputs[i], out[i], &err);
	}
	family_give_config(parent, "reader", "", 0, facts, nitems(facts), &err);
}

static void
equip_trainer(void)
{
	struct err err;

	family_give_file(parent, "table", out[0], &err);
	family_give_config(parent, "trainer", "", 0, NULL, 0, &err);
}

static void
write_order(struct canon *c)
{
	uint8_t digest[HASH_LEN];

	hash_sha256(study_text, strlen(study_text), digest);
	canon_raw(c, digest, sizeof(digest));
}

static void
order_reader(struct canon *c)
{
	write_order(c);
	canon_text(c, "lyon");
	canon_u32(c, 1);
	canon_text(c, study_text);
}

static void
order_trainer(struct canon *c)
{
	struct canon bytes = { 0 };
	struct model_spec spec;
	struct study *s;
	struct plan *p;
	struct err err;

	s = study_parse("study", study_text, strlen(study_text), &err);
	if (s == NULL || study_model_spec(s, 3, &spec, &err) < 0 ||
	    (p = plan_new(&spec, &err)) == NULL)
		fail_msg("%s", err.msg);
	plan_save(p, &bytes);
	write_order(c);
	canon_u32(c, 3);
	canon_u32(c, 0);
	canon_text(c, study_text);
	canon_bytes(c, bytes.data, bytes.len);
	canon_free(&bytes);
	plan_free(p);
	study_free(s);
}

static const char *const due[] = { "memory", "No space left on device",
	"too much to wait for", "not by hand" };

/* The answer: 1 it is done, 0 it says why not, -1 it ended before that. */
static int
answer(enum msg_type done)
{
	struct err err;
	struct msg m;
	int rv = 1;

	if (chan_wait(gate, &m, TIMEOUT_MS, &err) != 1)
		return -1;
	if (m.type != done) {
		struct canon_in in = canon_in(m.data, m.len);
		char why[1024];
		uint32_t code;

		assert_int_equal(m.type, MSG_JOB_FAILED);
		code = canon_get_u32(&in);
		canon_get_text(&in, why, sizeof(why));
		if (code != ERR_SYSTEM || !child_is_due(why, due, nitems(due)))
			fail_msg("after %s it failed by %u: %s",
			    fault != NULL ? fault->where : "nothing", code,
			    why);
		rv = 0;
	}
	msg_free(&m);
	return rv;
}

static const struct kind {
	enum proc proc;
	enum msg_type order, done;
	void (*equip)(void);
	void (*write)(struct canon *out);
} kinds[] = {
	{ PROC_READER, MSG_READER_JOB, MSG_READER_DONE, equip_reader,
	    order_reader },
	{ PROC_TRAINER, MSG_TRAIN, MSG_TRAINED, equip_trainer, order_trainer },
};

/* True if it is done; in any case it ended, and said why not. */
static bool
job(const struct kind *k)
{
	struct canon order = { 0 };
	struct err err;
	struct msg m;
	int status, rv = -1;

	start(k->proc);
	k->equip();
	if (chan_wait(parent, &m, TIMEOUT_MS, &err) == 1) {
		assert_int_equal(m.type, MSG_READY);
		msg_free(&m);
		k->write(&order);
		assert_int_equal(
		    chan_send_canon(gate, k->order, 7, &order, &err), 0);
		rv = answer(k->done);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	chan_free(parent);
	chan_free(gate);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	/* It answers, or it says why it ended. */
	assert_int_equal(
	    child_said(due, nitems(due), fault != NULL ? fault->where : "") > 0,
	    rv < 0 || status != 0);
	assert_true(status != 0 || rv >= 0);
	return rv == 1;
}

static void
sweep(const struct kind *k)
{
	size_t failed = 0, starts = 0;
	uint64_t before;
	bool good;

	fault = fault_places(
	    in_dir("state"), PLACES_MEMORY | PLACES_CHANNEL | PLACES_SYSTEM);
	do {
		before = fault->fired;
		good = job(k);
		failed += !good;
		starts++;
	} while (fault->fired > before);
	assert_true(good);
	assert_true(failed > 0);
	print_message("%s: a fault at each of %zu places: failed %zu times, "
		      "did without the rest; %zu starts\n",
	    proc_name(k->proc), (size_t)fault->n_places, failed, starts);
	fault_close(fault);
	fault = NULL;
}

static void
a_reader(void **state)
{
	(void)state;
	sweep(&kinds[0]);
}

static void
a_trainer(void **state)
{
	(void)state;
	assert_true(job(&kinds[0])); /* its table */
	sweep(&kinds[1]);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader),
		cmocka_unit_test(a_trainer),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, child_set_up, child_tear_down);
}
